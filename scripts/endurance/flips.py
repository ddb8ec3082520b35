"""Flips: one bit of a file is another, or the file is cut or longer; it is refused, or nothing that counts changes."""

import json
import os
import shutil
import struct

from commands import make_inputs
from runs import run_file
from session import Case, expect

SHORT, LONG = 8, 1250


class Format:
    """A kind of file, a command that reads it, and what the command says of the undamaged one.

    `harmless`: whether the command may also succeed, with the very words of the undamaged file.
    """

    def __init__(self, name, files, arguments, harmless=False):
        self.name, self.files, self.arguments, self.harmless = name, files, arguments, harmless
        self.whole = None

    def prepare(self, case):
        for path in (case.session.work / "flips").iterdir():
            if path.is_dir():
                shutil.copytree(path, case.folder / path.name, symlinks=True)
            else:
                shutil.copy2(path, case.folder / path.name)

    def learn(self, session):
        case = Case(session, f"{self.name}-whole")
        self.prepare(case)
        self.whole = case.run_well(*self.arguments).out

    def check(self, case):
        self.prepare(case)
        file = case.folder / case.random.choice(self.files)
        change = damage(case, file)
        result = case.run(*self.arguments)
        self.judge(case, f"{file.name}: {change}", result)

    def judge(self, case, what, result):
        if result.status == 65:
            expect(len(result.lines) == 1, f"{what}: not one line: {result}")
            case.session.count(f"{self.name} refused")
        else:
            expect(result.status == 0, f"{what}: {result}")
            expect(self.harmless, f"{what}: is not refused")
            expect(result.out == self.whole, f"{what}: silently gives something else")
            case.session.count(f"{self.name} without effect")


class Cached(Format):
    """The feature cache: damaged files count as missing; results stay, and the files are written again."""

    def learn(self, session):
        case = Case(session, f"{self.name}-whole")
        self.prepare(case)
        self.whole = case.run_well(*self.arguments).out
        shutil.copytree(case.folder / "cache", session.work / "flips/cache")

    def check(self, case):
        self.prepare(case)
        files = sorted((case.folder / "cache").rglob("*.h5"))
        before = {path: path.read_bytes() for path in files}
        changes = [damage(case, path) for path in files]
        result = case.run(*self.arguments)
        expect(result.status == 0, f"{changes}: {result}")
        expect(result.out == self.whole, f"{changes}: silently gives something else")
        for path, change in zip(files, changes):
            # Bytes that HDF5 leaves unused or that follow its data may stay: nobody reads them.
            again = path.read_bytes() == before[path]
            expect(again or not change.startswith("cut"), f"{path.name}: {change}: is not written again")
            case.session.count(f"{self.name} written again" if again else f"{self.name} without effect")


class InPlace(Format):
    """Files that must be damaged where they lie, with their times as before, since a kept digest names their inodes."""

    def place(self, session):
        return session.work / "flips/model"

    def prepare(self, case):
        self.arguments[1] = self.place(case.session)

    def check(self, case):
        self.prepare(case)
        file = self.place(case.session) / case.random.choice(self.files)
        data, state = file.read_bytes(), os.stat(file)
        try:
            change = damage(case, file, start=self.start(data))
            os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
            self.judge(case, f"{file.name}: {change}", case.run(*self.arguments))
            self.promise(case, file, data, change)
        finally:
            file.write_bytes(data)
            os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))

    def start(self, data):
        return None

    def promise(self, case, file, data, change):
        pass


class Weights(InPlace):
    """A model's weights: `inspect --verify` refuses all that differs from the bytes of the kept digest."""

    def start(self, data):
        # A flip of the header is one of the tensors' names, types and shapes, and refused as such.
        return 8 + struct.unpack("<Q", data[:8])[0]

    def promise(self, case, file, data, change):
        """The base digest sees the header and the first, middle and last 4 KiB of each tensor, and nothing else."""
        offset = int(change.split()[-1])
        plain = case.run_well("inspect", self.place(case.session), "--json")
        sees = json.loads(plain.out)["base_digest"] != json.loads(self.whole)["base_digest"]
        expect(sees == (offset in Covered(data)), f"{file.name}: {change}: base_digest changes: {sees}")
        case.session.count(f"{self.name} {'seen' if sees else 'not seen'} by base_digest")


class KeptDigest(InPlace):
    """The document of a kept digest: a damaged one counts as missing, and nothing is known of the weights' bytes."""

    def learn(self, session):
        super().learn(session)
        document = json.loads(self.whole)
        expect(document.pop("full_digest"), "no full digest is known")
        self.unknown = document

    def judge(self, case, what, result):
        expect(result.status == 0, f"{what}: {result}")
        expect(
            result.out == self.whole or json.loads(result.out) == self.unknown, f"{what}: silently gives something else"
        )
        effect = "without effect" if result.out == self.whole else "counts as missing"
        case.session.count(f"{self.name} {effect}")


class Covered:
    """The offsets of a safetensors file's data that base_digest covers."""

    def __init__(self, data):
        length = struct.unpack("<Q", data[:8])[0]
        self.ranges = []
        for name, entry in json.loads(data[8 : 8 + length]).items():
            if name != "__metadata__":
                start, end = (8 + length + offset for offset in entry["data_offsets"])
                middle = start + max(0, (end - start - 4096) // 2)
                for first in (start, middle, max(start, end - 4096)):
                    self.ranges.append((first, min(first + 4096, end)))

    def __contains__(self, offset):
        return any(start <= offset < end for start, end in self.ranges)


def damage(case, path, start=None):
    """Flips a bit of a file, from `start` on where that is given, cuts it or appends to it; says what and where."""
    data = bytearray(path.read_bytes())
    kind = case.random.random() if start is None else 0
    if kind < 0.8:
        offset, bit = case.random.randrange(start or 0, len(data)), case.random.randrange(8)
        data[offset] ^= 1 << bit
        change = f"bit {bit} of byte {offset}"
    elif kind < 0.9:
        length = case.random.choice((case.random.randrange(len(data)), len(data) - 1, 0))
        del data[length:]
        change = f"cut to {length} bytes"
    else:
        more = case.random.choice((b"\0", b"\n", b" ", case.random.randbytes(512)))
        data += more
        change = f"{len(more)} bytes appended, the first {more[0]}"
    # In place: times and inode are what a disk that loses bits would leave.
    path.write_bytes(data)
    return change


def make_files(session):
    """What is damaged: files of every format that has a digest, below the session's folder."""
    make_inputs(session)
    case = Case(session, "flips")
    inputs = session.work / "inputs"
    for name in ("checkpoint.h5", "lora.h5", "scores.h5", "run"):
        (shutil.copytree if (inputs / name).is_dir() else shutil.copy)(inputs / name, case.folder / name)
    case.run_well("scores", "select", "scores.h5", "--output", "heads.json")
    case.run_well("export", "checkpoint.h5", "--output", "adapter")
    case.run_well("export", "lora.h5", "--output", "peft")
    case.run_well("export", "lora.h5", "--model", session.work / "model", "--merged", "model")
    shutil.rmtree(case.folder / "run")
    run_file(case, adapter__heads={"select": "file", "file": "heads.json"})
    run_file(case, "lora.json", adapter__kind="lora", adapter__heads=None)
    run_file(case, "cached.json", model__feature_cache="cache")
    for path in (*case.folder.glob("out-*"), *case.folder.glob("err-*")):
        path.unlink()
    case.folder.rename(session.work / "flips")


def formats():
    scoring = ("--no-generate", "--limit", "2", "--json")
    every = [
        Format("checkpoint", ["checkpoint.h5"], ["inspect", "checkpoint.h5", "--json"]),
        Format("lora-checkpoint", ["lora.h5"], ["export", "lora.h5", "--output", "new"]),
        # A file whose seal is not to be found counts as one of an older version, and is read with a notice.
        Format("scores", ["scores.h5"], ["scores", "show", "scores.h5", "--json"], harmless=True),
        Format("selection", ["heads.json"], ["plan", "train.json", "--json"], harmless=True),
        Format(
            "adapter",
            ["adapter/adapter.safetensors", "adapter/adapter_config.json"],
            ["evaluate", "train.json", "--adapter", "adapter", *scoring],
            harmless=True,
        ),
        Format(
            "peft",
            ["peft/adapter_model.safetensors", "peft/adapter_config.json", "peft/conditions.json"],
            ["evaluate", "lora.json", "--adapter", "peft", *scoring],
            harmless=True,
        ),
        Cached("cache", [], ["evaluate", "cached.json", "--base", "--no-generate", "--json"]),
        Weights("merged-model", ["model.safetensors"], ["inspect", "", "--verify", "--json"]),
        KeptDigest("kept-digest", ["imagelora_digest.json"], ["inspect", "", "--json"], harmless=True),
    ]
    return {each.name: each for each in every}


def run(session):
    """As many flips of each format; a case of the cache flips a bit of every file of it."""
    make_files(session)
    every = formats()
    for each in every.values():
        each.learn(session)
    count = LONG if session.long else SHORT
    names = [f"{name}:{number}" for number in range(count) for name in every]
    session.each(names, lambda case: every[case.name.split(":")[0]].check(case))
