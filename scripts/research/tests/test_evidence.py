"""The makers of the comparison's examples and its tables, by the standard library alone."""

import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
import xml.etree.ElementTree

RESEARCH = pathlib.Path(__file__).resolve().parents[1]
EVIDENCE = RESEARCH / "evidence"
sys.path.insert(0, str(EVIDENCE))
import context  # noqa: E402
import files  # noqa: E402
import gsm8k  # noqa: E402
import judge  # noqa: E402
import referring  # noqa: E402
import render  # noqa: E402
import tables  # noqa: E402

NAMES = [f"{name}-{split}" for name in ("plain", "context", "referring", "look") for split in ("train", "validation")]


def stored(name):
    return [json.loads(line) for line in files.stored(name).read_text().splitlines()]


def script(name, *arguments):
    """What a script prints."""
    command = [sys.executable, EVIDENCE / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class Picture:
    """Stands in for a screenshot of Pillow's."""

    def __init__(self, content):
        self.content = content

    def tobytes(self):
        return self.content

    def getcolors(self, most):
        return None

    def convert(self, mode):
        return self

    def save(self, path, compress_level):
        path.write_bytes(self.content)


class Browser:
    """Stands in for a MiniWoB++ page: the same elements for every seed, and the same screenshot for two seeds."""

    elements = [
        {"kind": "button", "text": "Ok", "color": None, "box": [10, 60, 50, 80]},
        {"kind": "link", "text": "Mail", "color": None, "box": [70, 60, 110, 80]},
        {"kind": "link", "text": "Chat", "color": None, "box": [70, 120, 110, 140]},
    ]

    def open(self, task):
        self.seed = 0

    def solve(self, seed, bins):
        self.seed = seed
        return {
            "instruction": f"Click {seed}.",
            "answer": None if seed == 3 else [484, 516],
            "boxes": [[70, 100, 90, 120]],
        }

    def script(self, text, *arguments):
        if "start" in text:
            self.seed = arguments[0]
        return self.elements if "named" in text else None

    def screenshot(self):
        return Picture(b"%d" % (self.seed // 2))


class StoredExamples(unittest.TestCase):
    def test_answers_lie_in_their_boxes(self):
        for name in NAMES:
            examples = stored(name)
            self.assertEqual(len({e["id"] for e in examples}), len(examples))
            for e in examples:
                x, y = map(int, re.fullmatch(r"\((\d+),(\d+)\)", e["messages"][1]["content"]).groups())
                x, y = x / 1000 * render.WIDTH, y / 1000 * render.HEIGHT
                inside = any(b[0] <= x < b[2] and b[1] <= y < b[3] for b in e["objects"]["bbox"])
                self.assertTrue(inside, (name, e["id"]))

    def test_the_archive_has_their_images(self):
        wanted = {image for name in NAMES for e in stored(name) for image in e["images"]}
        with tarfile.open(files.ARCHIVE) as archive:
            self.assertEqual(wanted - {entry.name for entry in archive}, set())

    def test_unseen_tasks_are_in_no_training_example(self):
        trained = {e["group"]["task"] for e in stored("plain-train")}
        splits = {(e["group"]["split"], e["group"]["task"] in trained) for e in stored("plain-validation")}
        self.assertEqual(splits, {("seen", True), ("unseen", False)})

    def test_context_is_made_of_plain_examples(self):
        with tempfile.TemporaryDirectory() as folder:
            for split in ("train", "validation"):
                path = pathlib.Path(folder) / "made.jsonl"
                files.write(context.with_context(stored(f"plain-{split}")), path)
                self.assertTrue(path.read_bytes() == files.stored(f"context-{split}").read_bytes(), split)


class Makers(unittest.TestCase):
    def test_clicks(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "pages").mkdir()
            known = set()
            examples, tried = render.clicks(Browser(), folder, "task", range(100), 3, "seen", known)
            # Seeds 1 and 5 look like those before them, seed 3 has no answer of one click.
            self.assertEqual([e["id"] for e in examples], ["task-0", "task-2", "task-4"])
            self.assertEqual((tried, len(known)), (5, 3))
            self.assertEqual(examples[0]["messages"][0]["content"], "<image>Click 0.")
            self.assertEqual(examples[0]["messages"][1]["content"], "(484,516)")
            self.assertEqual((folder / examples[1]["images"][0]).read_bytes(), b"1")

    def test_references(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "pages").mkdir()
            examples = render.references(Browser(), folder, "task", range(100), 2, 6)
            self.assertEqual({e["images"][0] for e in examples}, {"pages/task-0.png", "pages/task-1.png"})
            for e in examples:
                place = render.binned(e["objects"]["bbox"][0])
                self.assertEqual(e["messages"][1]["content"], files.written(place))

    def test_expressions_mean_one_element(self):
        found = {text: index for _, text, index in referring.expressions(Browser.elements)}
        self.assertEqual(found["the button"], 0)
        self.assertEqual(found['the link "Mail"'], 1)
        self.assertEqual(found["the bottom link"], 2)
        self.assertEqual(found['the link to the right of the button "Ok"'], 1)
        self.assertNotIn("the link", found)
        self.assertNotIn("the leftmost link", found)

    def test_places(self):
        self.assertEqual(render.binned([0, 0, 5, 6]), [16, 16])
        self.assertIsNone(render.binned([0, 0, 2, 2]))
        self.assertEqual(judge.place("at (500, 100)."), (80.0, 21.0))
        self.assertIsNone(judge.place("(1000,5)"))
        self.assertIsNone(judge.place("no"))

    def test_archives_of_the_same_images_are_the_same_bytes(self):
        made = []
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                (folder / "pages").mkdir()
                for name in ("b.png", "a.png"):
                    (folder / "pages" / name).write_bytes(name.encode())
                files.pack(folder)
                made.append((folder / "pages.tar.xz").read_bytes())
                with tarfile.open(folder / "pages.tar.xz") as archive:
                    self.assertEqual(archive.getnames(), ["pages/a.png", "pages/b.png"])
        self.assertEqual(*made)

    def test_gsm8k(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "test.jsonl"
            problem = {"question": "How many?", "answer": "He has 2*3=<<2*3=6>>6.\n#### 1,006"}
            path.write_text(2 * (json.dumps(problem) + "\n"))
            (line,) = script("gsm8k.py", path, "--count", 1).splitlines()
        self.assertEqual(json.loads(line)["messages"][1]["content"], "He has 2*3=6.\n#### 1,006")
        self.assertEqual(json.loads(line)["id"], "gsm8k-0")
        self.assertEqual([gsm8k.number(t) for t in ("3 #### 1,006", "-2.5 left", "none")], [1006, -2.5, None])
        self.assertTrue(all(gsm8k.number(e["messages"][1]["content"]) is not None for e in stored("gsm8k")))


class Tables(unittest.TestCase):
    BASE = {"hidden_size": 8, "head_dim": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2}
    # Right answers of 10 for each seed.
    RIGHT = {"LoRA q, k, v, o": (4, 6), "Image-LoRA": (6, 8), "Image-LoRA, random heads": (5, 5)}

    def results(self):
        runs = []
        for method, right in self.RIGHT.items():
            for seed, count in enumerate(right):
                heads = {} if method.startswith("LoRA") else {"0": [0], "1": [1]}
                adds = 50 * 2 * 1 * 80 if not heads else 30 * 2 * 1 * (8 + 4)  # by hand, rank 1
                run = {"regime": "balanced", "method": method, "seed": seed, "learning_rate": 0.01, "trainable": 100}
                run |= {"kv_indices": heads, "reduced_bytes": 1680, "step_seconds": 0.25, "validation_loss": 1.0}
                run |= {"accuracy": {"all": (count, 10), "split=seen": (count, 10), "split=unseen": (1, 4)}}
                run |= {"plan": {"multiply_adds": adds, "tokens": 50, "visual": 30}}
                if method.startswith("LoRA") and seed == 0:
                    run["base"] = {"all": (2, 10), "split=seen": (2, 10), "split=unseen": (0, 4)}
                runs.append(run)
        rates = {method: {"balanced": 0.01} for method in self.RIGHT}
        return {"base": self.BASE, "rates": rates, "tuning": [], "results": runs, "rank": 1, "steps": 2, "batch": 2}

    def test_tables_and_plots(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "results.json").write_text(json.dumps(self.results()))
            script("tables.py", folder / "results.json", "--output", folder)
            text = (folder / "tables.md").read_text()
            for line in (
                "| base, no adapter | 20.0 |",
                "| LoRA q, k, v, o | 50.0 ± 127.1 |",
                "| Image-LoRA, random heads | 50.0 ± 0.0 |",
                "| Image-LoRA − LoRA q, k, v, o | 20.0 ± 0.0 | 20.0 ± 0.0 |",
                "| Image-LoRA | 100 (100.0%) | 720 (9.0%) | 1,680 (100.0%) | 250 (100.0%) |",
                "balanced: 50 tokens an example, 30 of them visual (60%)",
            ):
                self.assertTrue(line in text.splitlines(), (line, text))
            plot = xml.etree.ElementTree.parse(folder / "balanced.svg")
            self.assertEqual(len(plot.findall(".//{*}circle")), 6)

    def test_a_count_that_the_one_by_hand_contradicts_is_refused(self):
        results = self.results()
        results["results"][0]["plan"]["multiply_adds"] *= 1.1
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "results.json"
            path.write_text(json.dumps(results))
            with self.assertRaisesRegex(SystemExit, "by hand"):
                tables.cost_table(tables.Results(path), "balanced")


if __name__ == "__main__":
    unittest.main()
