"""Small training runs and what is compared of them: checkpoints by their bytes, metrics.jsonl but for times."""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

from session import Case, expect

TOP = Path(__file__).resolve().parents[2]
SEAL = re.compile(rb"\nimagelora-seal 1 ([0-9a-f]{64})\n\Z")
# What a run that has ended leaves beside its checkpoints.
COMPANIONS = {"best.h5", "latest.h5", "metrics.jsonl", "run.yaml", "sessions.jsonl", "summary.json"}


def prepare(session):
    """The model and the examples of the end-to-end tests."""
    shutil.copytree(TOP / "Tests/ParityTests/Resources/a/model", session.work / "model")
    sys.path.insert(0, str(TOP / "Tests/EndToEnd"))
    import make_data

    make_data.main(session.work / "data")


def run_file(case, name="train.json", **changes):
    """Writes a run file into a case's folder; `training__steps=4` replaces a key, None takes it out."""
    data = case.session.work / "data"
    keys = {
        "model": {"path": str(case.session.work / "model"), "min_pixels": 784},
        "data": {
            "train": str(data / "rows.jsonl"),
            "validation": str(data / "validation.jsonl"),
            "image_root": str(data),
        },
        "adapter": {"rank": 4, "heads": {"select": "all"}},
        "training": {"steps": 4, "global_batch": 8, "learning_rate": 3e-2, "warmup_steps": 2},
        "checkpoint": {"directory": "run", "every_steps": 2, "keep": 3},
        "logging": {"every_steps": 1},
    }
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = keys
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    (case.folder / name).write_text(json.dumps(keys, indent=1))
    return name


def step_name(step, is_due=False):
    return f"step-{step:08}{'.due' if is_due else ''}.h5"


def checkpoints(folder):
    """The checkpoints of a folder by step; those whose validation is due under their step too."""
    found = {}
    for path in folder.glob("step-*.h5"):
        if match := re.fullmatch(r"step-(\d{8})(\.due)?\.h5", path.name):
            found.setdefault(int(match[1]), []).append(path)
    return found


def is_sealed(path):
    """Whether a file's seal holds, computed here and not by the program."""
    data = path.read_bytes()
    found = SEAL.search(data)
    return bool(found) and hashlib.sha256(data[:-83]).hexdigest().encode() == found[1]


def expect_whole(folder, tolerated=()):
    """Every checkpoint under a final name is whole, also by its .sha256; `tolerated`: see `expect_finished`."""
    for paths in checkpoints(folder).values():
        for path in paths:
            expect(is_sealed(path), f"{path.name} has a final name and no valid seal")
            side = path.with_name(path.name + ".sha256")
            if "sidecars" in tolerated:
                continue
            expect(side.exists(), f"{path.name} has no .sha256")
            line = f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
            expect(side.read_text() == line, f"{side.name} is not the checksum of its checkpoint")


def log_of(path):
    """metrics.jsonl without times; numbers stay text, since every digit counts."""
    measured = ("_seconds", "_per_second", "_per_core", "utilization")
    return [
        {key: value for key, value in entry.items() if not key.endswith(measured)}
        for entry in (json.loads(line, parse_float=str, parse_int=str) for line in path.read_text().splitlines())
    ]


def losses(log):
    """What a step's line is made of again where a power cut took it."""
    keys = ("step", "loss", "learning_rate", "gradient_norm", "tokens")
    return [[entry[key] for key in keys] for entry in log if "loss" in entry]


class Reference:
    """Runs that nobody disturbed, on 1, 2 and 3 ranks; made once in a session for each set of keys."""

    kept = {}

    def __init__(self, folder, last):
        self.folder, self.last = folder, last

    @classmethod
    def of(cls, session, ranks=(1, 2, 3), **changes):
        name = hashlib.sha256(repr(sorted(changes.items())).encode()).hexdigest()[:8]
        if name not in cls.kept:
            cls.kept[name] = cls(session.work / f"whole-{name}", changes.get("training__steps", 4))
        reference = cls.kept[name]
        for count in ranks:
            place = reference.folder / str(count)
            if place.exists():
                continue
            case = Case(session, f"reference-{count}")
            run_file(case, **changes)
            case.run_well("train", "train.json", ranks=count if count > 1 else 0)
            place.parent.mkdir(exist_ok=True)
            (case.folder / "run").rename(place)
            # Nothing else of it, as a feature cache, is left for the case that comes.
            Case(session, "none")
        return reference

    def matches(self, path):
        """Whether a checkpoint has the bytes of one of the runs at its step; they hold the number of ranks."""
        wholes = [self.folder / str(count) / path.name for count in (1, 2, 3)]
        return any(whole.exists() and whole.read_bytes() == path.read_bytes() for whole in wholes)

    def expect_finished(self, folder, tolerated=()):
        """The run in a folder came to its end with the bytes of these and left nothing that does not belong there.

        `tolerated`: "logs", lines that were lost and made again from a checkpoint; "aside", checkpoints that could not
        be read and were set aside; "links" and "sidecars", best.h5, latest.h5 and .sha256, which nothing depends on.
        """
        last = folder / step_name(self.last)
        expect(last.exists(), f"{last.name} is missing: {sorted(path.name for path in folder.iterdir())}")
        expect(self.matches(last), f"{last.name} has other bytes than the run that nobody disturbed")
        expect_whole(folder, tolerated)
        names = {path.name for path in [*folder.iterdir(), *folder.parent.glob(".imagelora-*")]}
        known = r"(aside-)?step-\d{8}\.h5(\.sha256)?" if "aside" in tolerated else r"step-\d{8}\.h5(\.sha256)?"
        extra = {name for name in names - COMPANIONS if not re.fullmatch(known, name)}
        expect(not extra, f"left over: {sorted(extra)}")
        whole = next(place for place in self.folder.iterdir())
        for link in () if "links" in tolerated else ("latest.h5", "best.h5"):
            target = (whole / link).resolve().name
            expect((folder / link).resolve().name == target, f"{link} is not {target}")
        own, other = log_of(folder / "metrics.jsonl"), log_of(whole / "metrics.jsonl")
        expect(
            losses(own) == losses(other), "metrics.jsonl has other losses than that of the run that nobody disturbed"
        )
        if "logs" not in tolerated:
            expect(own == other, "metrics.jsonl has other lines than that of the run that nobody disturbed")
