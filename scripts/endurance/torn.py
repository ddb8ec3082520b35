"""Torn writes: the calls of a run that saves checkpoints are recorded, and power is cut after any of them."""

import re
import shutil
from pathlib import Path

from commands import commands, digest, make_inputs
from faults import preloaded
from runs import Reference, run_file
from session import Case, expect
from storage import Disk, events

# Checkpoints of 0.7 MB in the short form, of 5 MB in the long one.
SHORT_RANK, LONG_RANK, SHORT, LONG = 64, 512, 24, 3000
RESULTS = ("probe", "select", "predictions", "export", "export-lora", "merged")
CHECKPOINT = re.compile(r".*/checkpoints/run/step-(\d{8})\.h5")


def run(session):
    """Cuts at random calls, with random subsets of what was not synchronized by then."""
    keys = {
        "adapter__rank": LONG_RANK if session.long else SHORT_RANK,
        "training__steps": 8,
        "checkpoint__keep": 2,
        "checkpoint__directory": "checkpoints/run",
    }
    case = Case(session, "recorded")
    run_file(case, **keys)
    record = session.work / "record"
    folder = f"{case.folder}/checkpoints"
    case.run_well("train", "train.json", environment=recording(case, record))
    calls = calls_on(folder, case, record)
    saved = case.folder / "checkpoints/run"
    size = (saved / "latest.h5").stat().st_size
    print(f"      checkpoints of {size} bytes, {len(calls)} calls", flush=True)
    reference = Reference(session.work / "whole-torn", 8)
    shutil.rmtree(reference.folder, ignore_errors=True)
    shutil.copytree(saved, reference.folder / "1", symlinks=True)
    session.each(range(LONG if session.long else SHORT), lambda case: one(case, calls, record, reference, keys))
    results(session)


def recording(case, record):
    """The environment in which a run's calls and the bytes of its writes are kept."""
    shutil.rmtree(record, ignore_errors=True)
    record.mkdir()
    return preloaded(case.session, case.folder, FAULTS_LOG=record / "log", FAULTS_RECORD=record)


def calls_on(path, case, record):
    """The calls on what begins with a path, and those that make names in the case's folder last."""
    return [
        (number, event)
        for number, event in events((record / "log").read_text())
        if event["path"].startswith(path) or (event["call"], event["path"]) == ("fsync", str(case.folder))
    ]


def one(case, calls, record, reference, keys):
    order = case.random.choice(("journal", "any", "any", "lying"))
    block = case.random.choice((512, 4096))
    end = case.random.randrange(len(calls) + 1)
    disk = Disk(str(case.folder))
    saved = {}
    for number, event in calls[:end]:
        disk.apply(event, (record / number).read_bytes() if event["call"] == "write" else None)
        if event["call"] == "rename" and (match := CHECKPOINT.fullmatch(event["path"])):
            last = int(match[1])
            saved[last] = False
        # A save is complete with the fsync of its folder.
        if event["call"] == "fsync" and event["path"].endswith("/run"):
            saved = dict.fromkeys(saved, True)
    complete = max((step for step, is_complete in saved.items() if is_complete), default=0)

    files = disk.crashed(case.random, block, order)
    build(files)
    torn = [path for path, data in files.items() if CHECKPOINT.fullmatch(path) and data not in disk.contents[path]]
    whole = [path for path in files if CHECKPOINT.fullmatch(path) and path not in torn]
    newest = max((int(CHECKPOINT.fullmatch(path)[1]) for path in whole), default=0)
    where = f"after call {end} of {len(calls)}, order {order}, blocks of {block}"
    if order != "lying":
        expect(not torn, f"{where}: torn under a final name: {torn}")
        expect(newest >= complete, f"{where}: step {complete} was saved, and step {newest} is the newest on the disk")
    for path in torn:
        result = case.run("inspect", path)
        expect(result.status == 65 and len(result.lines) == 1, f"{where}: {path} is torn and believed: {result}")
        case.session.count("torn checkpoints refused")

    run_file(case, **keys)
    result = case.run("train", "train.json", "--resume", "auto")
    if torn and not whole:
        expect(result.status == 65 and len(result.lines) == 1, f"{where}: all are torn, yet: {result}")
        case.session.count("starts refused: all torn")
        return
    expect(result.status == 0, f"{where}: the next start fails: {result}")
    if newest:
        expect(
            f"resumed from {max(whole)}" in result.out, f"{where}: not resumed from {max(whole)}: {result.out[:300]}"
        )
    reference.expect_finished(case.folder / "checkpoints/run", ["logs", "sidecars", *["aside"] * bool(torn)])
    case.session.count(f"cuts, order {order}")


def results(session):
    """The same for commands that write a file or a folder: under its name it is whole, or not there."""
    make_inputs(session)
    recorded = {}
    for name in RESULTS:
        command = commands()[name]
        case = Case(session, f"{name}-recorded")
        command.prepare(case)
        record = session.work / f"record-{name}"
        expect(command.run(case, recording(case, record)).status == 0, f"{name} fails undisturbed")
        command.learn(case)
        recorded[name] = (command, record, calls_on(f"{case.folder}/{command.output}", case, record))
    count = LONG // 2 if session.long else 2
    names = [f"{name}:{number}" for name in RESULTS for number in range(count)]
    session.each(names, lambda case: result(case, *recorded[case.name.split(":")[0]]))


def result(case, command, record, calls):
    order, block = case.random.choice(("journal", "any")), case.random.choice((512, 4096))
    end = case.random.randrange(len(calls) + 1)
    disk = Disk(str(case.folder))
    for number, event in calls[:end]:
        disk.apply(event, (record / number).read_bytes() if event["call"] == "write" else None)
    build(disk.crashed(case.random, block, order))
    path = case.folder / command.output
    where = f"after call {end} of {len(calls)}, order {order}, blocks of {block}"
    expect(not path.exists() or digest(path) == command.whole, f"{where}: {command.output} is there and not whole")
    expect(path.exists() or end < len(calls), f"{where}: the command ended, and {command.output} is gone")
    case.session.count(f"{command.name} {'whole' if path.exists() else 'not there'}")


def build(files):
    """Makes the files of a crashed disk."""
    for path, content in files.items():
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is True:
            place.mkdir(exist_ok=True)
        elif isinstance(content, bytes):
            place.write_bytes(content)
        else:
            place.symlink_to(content)
