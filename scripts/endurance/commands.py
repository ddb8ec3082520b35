"""Every command that writes files, as something to disturb: what it reads, what it writes, what is right in the end."""

import hashlib
import json
import shutil

from runs import Reference, checkpoints, expect_whole, run_file, step_name
from session import Case, expect

LORA = {"adapter__kind": "lora", "adapter__heads": None}
OLD = b"what an earlier command has written\n"


def digest(path):
    """Names and bytes of a file, or of all files of a folder."""
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return {str(file.relative_to(path)): digest(file) for file in sorted(path.rglob("*")) if file.is_file()}


class Command:
    """A command that writes one file or one folder, whole or not at all.

    `replaces`: whether it writes over what is there; `arguments` have `{}` where the output's path belongs.
    """

    def __init__(self, name, arguments, output, replaces=True, allowed=()):
        self.name, self.arguments, self.output = name, arguments, output
        self.replaces, self.allowed = replaces, set(allowed)
        self.whole = None

    def inputs(self, case):
        """Puts what the command reads into the case's folder."""
        for path in (case.session.work / "inputs").iterdir():
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, case.folder / path.name)

    def prepare(self, case, old=False):
        self.inputs(case)
        self.before = {path.name for path in case.folder.iterdir()}
        if old and self.replaces:
            (case.folder / self.output).write_bytes(OLD)
        return self.folder(case)

    def folder(self, case):
        """What lies under this beginning of a path is the command's to write."""
        return case.folder / self.output

    def run(self, case, environment=None):
        return case.run(*self.arguments, environment=environment)

    def learn(self, case):
        """Notes what is right in the end, once."""
        if self.whole is None:
            self.whole = digest(case.folder / self.output)

    def check(self, case, result, old):
        """What is there after a command that may have failed: the old file, the new one, or none; no part of one."""
        path = case.folder / self.output
        if result.status == 0:
            expect(path.exists() and digest(path) == self.whole, "succeeded, and has not written what it should have")
        elif path.exists():
            is_old = old and self.replaces and path.is_file() and path.read_bytes() == OLD
            expect(is_old or digest(path) == self.whole, f"{self.output} is neither the old nor the new one")
        else:
            expect(not (old and self.replaces), f"{self.output} is gone")
        if result.status not in (-9, 137):
            self.check_leftovers(case)

    def check_leftovers(self, case):
        names = {path.name for path in case.folder.iterdir()} - self.before - {self.output} - self.allowed
        extra = {name for name in names if not name.startswith(("out-", "err-"))}
        expect(not extra, f"left over: {sorted(extra)}")

    def again(self, case):
        """The next start works, whatever lies about."""
        if not self.replaces:
            shutil.rmtree(case.folder / self.output, ignore_errors=True)
        result = self.run(case)
        expect(result.status == 0, f"the next start fails: {result}")
        expect(digest(case.folder / self.output) == self.whole, "the next start writes something else")
        # A folder's temporary name is another one each time: what a kill has left of one stays.
        self.allowed |= {path.name for path in case.folder.glob(f"{self.output}.partial-*")}
        self.check_leftovers(case)


class Train(Command):
    """Training: a folder of checkpoints, of which every one under a final name is whole."""

    # What `Reference.expect_finished` tolerates after the fault at hand.
    tolerated = ()

    def __init__(self, name, resumes=False, ranks=0, **keys):
        super().__init__(name, ["train", "train.json", "--resume", "auto"], "run")
        self.keys, self.resumes, self.ranks = {"checkpoint__keep": 1, **keys}, resumes, ranks

    def run(self, case, environment=None):
        return case.run(*self.arguments, environment=environment, ranks=self.ranks)

    def prepare(self, case, old=False):
        self.reference = Reference.of(case.session, ranks=(self.ranks or 1,), **self.keys)
        run_file(case, **self.keys)
        self.newest = 0
        if self.resumes:
            # A run that was stopped after step 2, and killed while it saved step 4.
            folder = case.folder / "run"
            shutil.copytree(case.session.work / "started", folder)
            (folder / f"{step_name(4)}.partial").write_bytes(b"torn")
            self.newest = 2
        return case.folder / "run"

    def learn(self, case):
        self.reference.expect_finished(case.folder / "run")

    def expect_finished(self, case, tolerated=()):
        self.reference.expect_finished(case.folder / "run", {*self.tolerated, *tolerated})

    def check(self, case, result, old):
        folder = case.folder / "run"
        expect_whole(folder, self.tolerated)
        expect(max(checkpoints(folder), default=0) >= self.newest, "the newest checkpoint of before is gone")
        if result.status == 0:
            self.expect_finished(case, ["logs", "links"])
        elif result.status not in (-9, 137) and folder.exists():
            extra = {path.name for path in folder.iterdir() if path.name.endswith(".partial")}
            expect(not (extra - {f"{step_name(4)}.partial"}), f"left over: {sorted(extra)}")

    def again(self, case):
        result = self.run(case)
        expect(result.status == 0, f"the next start fails: {result}")
        self.expect_finished(case)


class Cached(Train):
    """Training that writes a feature cache: what goes wrong there changes nothing but the cache."""

    def __init__(self, name):
        super().__init__(name, model__feature_cache="cache", training__steps=1, data__validation=None)

    def prepare(self, case, old=False):
        super().prepare(case)
        return case.folder / "cache"

    def check(self, case, result, old):
        super().check(case, result, old)
        parts = list((case.folder / "cache").rglob("*.partial")) if (case.folder / "cache").exists() else []
        # Where a file cannot be removed it stays.
        if result.status not in (-9, 137) and "sidecars" not in self.tolerated:
            expect(len(parts) == 0, f"left over: {sorted(path.name for path in parts)}")

    def again(self, case):
        shutil.rmtree(case.folder / "run", ignore_errors=True)
        super().again(case)
        expect(list((case.folder / "cache").rglob("*.h5")), "the next start has cached nothing")


class Verify(Command):
    """The digest of a model's bytes: where it cannot be kept, nothing else fails."""

    def run(self, case, environment=None):
        # Where it cannot be written beside the model, it goes into the user's folder of caches.
        own = {"HOME": str(case.folder / "home"), "XDG_CACHE_HOME": ""}
        result = case.run(*self.arguments, environment={**own, **(environment or {})})
        shutil.rmtree(case.folder / "home", ignore_errors=True)
        return result

    def learn(self, case):
        self.whole = self.full_digest(case)

    def full_digest(self, case):
        return json.loads((case.folder / self.output).read_text())["full_digest"]

    def check(self, case, result, old):
        path = case.folder / self.output
        if path.exists() and not (old and path.read_bytes() == OLD):
            expect(self.full_digest(case) == self.whole, f"{self.output} is neither the old nor the new one")
        if result.status not in (-9, 137):
            self.check_leftovers(case)
            expect(not list((case.folder / "model").glob("*.partial")), "a half-written file is left")

    def again(self, case):
        result = self.run(case)
        expect(result.status == 0 and self.full_digest(case) == self.whole, f"the next start fails: {result}")


def make_inputs(session):
    """Checkpoints, scores and a model for the commands to read, in folders of the session; made once."""
    place = session.work / "inputs"
    if place.exists():
        return
    case = Case(session, "inputs")
    run_file(case, training__steps=2)
    case.run_well("train", "train.json")
    for shard in (0, 1):
        case.run_well("probe", "train.json", "--output", f"scores-{shard}.h5", "--shard", f"{shard}/2")
    case.run_well("scores", "merge", "scores-0.h5", "scores-1.h5", "--output", "scores.h5")
    run_file(case, "lora.json", training__steps=2, checkpoint__directory="lora", **LORA)
    case.run_well("train", "lora.json")
    case.run_well("export", f"run/{step_name(2)}", "--output", "adapter")
    place.mkdir()
    for name in ("scores-0.h5", "scores-1.h5", "scores.h5", "run", "adapter", "train.json"):
        (case.folder / name).rename(place / name)
    shutil.copy(case.folder / "lora" / step_name(2), place / "lora.h5")
    shutil.copy(place / "run" / step_name(2), place / "checkpoint.h5")
    shutil.copytree(session.work / "model", place / "model")
    few = (session.work / "data/validation.jsonl").read_text().splitlines(keepends=True)[-1]
    (place / "few.jsonl").write_text(few)
    row = {"img_filename": "web_0.png", "bbox": [1, 2, 3, 4], "instruction": "a box", "data_type": "text"}
    (place / "screenspot.json").write_text(json.dumps([{**row, "data_source": "shop"}]))

    case = Case(session, "started")
    run_file(case, checkpoint__keep=1, training__validation_every_steps=2)
    process = case.start("train", "train.json", environment={"LD_PRELOAD": str(session.library), **stop_at(case)})
    process.end()
    (case.folder / "run").rename(session.work / "started")


def stop_at(case):
    """The environment in which a run is killed once step 2 is saved: at its first look at step 4's name."""
    return {"FAULTS_FOLDER": f"{case.folder}/run/{step_name(4)}", "FAULTS_AT": "1", "FAULTS_DO": "KILL"}


def commands():
    """All of them, by name."""
    every = [
        Train("train"),
        Train("resume", resumes=True),
        # Only rank 0 writes, and so only it is disturbed.
        Train("ranks", ranks=2),
        Cached("cache"),
        Verify("verify", ["inspect", "model", "--verify"], "model/imagelora_digest.json"),
        Command("probe", ["probe", "train.json", "--output", "out.h5"], "out.h5"),
        Command("merge", ["scores", "merge", "scores-0.h5", "scores-1.h5", "--output", "out.h5"], "out.h5"),
        Command("select", ["scores", "select", "scores.h5", "--output", "out.json"], "out.json"),
        Command("heat-map", ["scores", "show", "scores.h5", "--svg", "out.svg"], "out.svg"),
        Command(
            "stability", ["scores", "stability", "scores.h5", "--resamples", "3", "--json", "out.json"], "out.json"
        ),
        Command("export", ["export", "checkpoint.h5", "--output", "out"], "out", replaces=False),
        Command("export-lora", ["export", "lora.h5", "--output", "out"], "out", replaces=False),
        Command("merged", ["export", "lora.h5", "--model", "model", "--merged", "out"], "out", replaces=False),
        Command(
            "predictions",
            [
                "evaluate",
                "train.json",
                "--checkpoint",
                "checkpoint.h5",
                "--no-generate",
                "--output",
                "out.jsonl",
                "--overwrite",
            ],
            "out.jsonl",
        ),
        Command(
            "parity",
            ["parity", "--model", "model", "--data", "few.jsonl", "--adapter", "adapter", "--output", "out.h5"],
            "out.h5",
        ),
        Command("report", ["report", "run", "--output", "out.html"], "out.html"),
        Command("rows", ["rows", "screenspot.json", "--answer", "point", "--output", "out.jsonl"], "out.jsonl"),
    ]
    return {command.name: command for command in every}
