"""The comparison of methods and the atlas, by short runs of the program that IMAGELORA names."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RESEARCH = pathlib.Path(__file__).resolve().parents[1]
BASE = RESEARCH.parent / "quickstart/model"
sys.path.insert(0, str(RESEARCH / "evidence"))
import compare  # noqa: E402
import tables  # noqa: E402


class Comparison(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        output = pathlib.Path(cls.scratch.name)
        cls.a = argparse.Namespace(base=BASE, imagelora=os.environ["IMAGELORA"], output=output, methods=None)
        compare.take_methods(cls.a, is_hybrid=False)
        cls.a.steps, cls.a.batch, cls.a.rank, cls.a.probe_examples, cls.a.workers = 2, 4, 8, 8, 2
        compare.prepare(cls.a)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def shorten(self):
        """Leaves the first examples of each file, which are alike."""
        for path in (self.a.output / "data").glob("*.jsonl"):
            lines = path.read_text().splitlines(True)
            path.write_text("".join(lines[:12]))

    def test_1_tuning_validates_on_images_of_its_own(self):
        data = self.a.output / "data"
        for name in {name for name, _ in compare.REGIMES.values()}:
            images, counts = {}, {}
            for part in ("train", "tuning-train", "tuning-validation"):
                examples = [json.loads(line) for line in (data / f"{name}-{part}.jsonl").read_text().splitlines()]
                images[part], counts[part] = {e["images"][0] for e in examples}, len(examples)
            self.assertEqual(counts["tuning-train"] + counts["tuning-validation"], counts["train"])
            self.assertFalse(images["tuning-train"] & images["tuning-validation"])
            self.assertTrue(all((data / image).exists() for image in images["train"]))

    def test_2_jobs(self):
        self.shorten()
        parameters = {"LoRA q, k, v, o": 8 * 6 * (160 + 256 + 2 * (160 + 128) + 256 + 160), "Image-LoRA": None}
        results = []
        for method, trainable in parameters.items():
            job = compare.Job(self.a, "balanced", method, 0, 1e-2)
            result = job.done()
            results.append(result)
            self.assertEqual(json.loads(job.result.read_text()), json.loads(json.dumps(result)))
            if trainable:
                self.assertEqual(result["trainable"], trainable)
            self.assertEqual(sum(map(len, result["kv_indices"].values())), 0 if trainable else 6)
            self.assertEqual(result["accuracy"]["all"][1], 12)
            self.assertEqual("base" in result, method == "LoRA q, k, v, o")
            self.assertGreater(result["reduced_bytes"], 8 * result["trainable"])
            base = json.loads((BASE / "config.json").read_text())["text_config"]
            by_hand = tables.by_hand(result, self.a.rank, base)
            self.assertLess(abs(result["plan"]["multiply_adds"] - by_hand), 0.02 * by_hand)
        path = self.a.output / "results.json"
        rates = {method: {"balanced": 1e-2} for method in parameters}
        path.write_text(json.dumps({"base": base, "rates": rates, "results": results, "rank": self.a.rank}))
        subprocess.run(
            [sys.executable, RESEARCH / "evidence/tables.py", path, "--output", self.a.output],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def test_3_atlas(self):
        self.shorten()
        subprocess.run(
            [RESEARCH / "evidence/atlas.sh", self.a.imagelora, BASE, self.a.output],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        atlas = self.a.output / "atlas"
        for name in ("balanced.svg", "image-heavy.svg", "atlas.txt"):
            self.assertGreater((atlas / name).stat().st_size, 100, name)
        self.assertTrue(json.loads((atlas / "stability-rank1.json").read_text()))


class Tuning(unittest.TestCase):
    def tune(self, losses, at):
        """The rates that tuned() tries, where a rate's validation loss is the one given."""
        job = compare.Job
        try:
            compare.Job = lambda a, regime, method, seed, rate, tuning: argparse.Namespace(
                done=lambda: {"learning_rate": rate, "validation_loss": losses[compare.RATES.index(rate)]}
            )
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                return [run["learning_rate"] for run in compare.tuned(None, pool, "LoRA v", "balanced", at)]
        finally:
            compare.Job = job

    def test_rates_are_tried_until_the_best_has_worse_neighbours(self):
        self.assertEqual(self.tune([3, 2, 4, 5, 6, 7], 1), [1e-3, 3e-3, 1e-2])
        self.assertEqual(self.tune([6, 5, 4, 2, 3, 7], 1), [1e-3, 3e-3, 1e-2, 3e-2, 1e-1])
        self.assertEqual(self.tune([1, 2, 3, 4, 5, 6], 1), [1e-3, 3e-3, 1e-2])

    def test_counts(self):
        lines = [{"group": {"split": "seen"}, "point_in_box": right} for right in (True, False, True)]
        self.assertEqual(compare.accuracies(lines), {"all": (2, 3), "split=seen": (2, 3)})


if __name__ == "__main__":
    unittest.main()
