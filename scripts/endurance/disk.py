"""Disk: it is full, or a file reaches its limit, somewhere in what each writing command writes."""

import shutil
import subprocess

from commands import commands, make_inputs
from faults import preloaded, undisturbed
from runs import Reference, checkpoints, expect_whole, run_file, step_name
from session import MPIRUN, Case, Process, expect

# Cases of each command.
SHORT, LONG = 2, 25


def run(session):
    """Every command with budgets of bytes, then training on a small disk and under a limit on the size of files."""
    make_inputs(session)
    every = commands()
    written = {name: bytes_written(session, command) for name, command in every.items()}
    names = [
        f"{name}:{budget}"
        for name in every
        for budget in budgets(name, Case(session, name).random, written[name], LONG if session.long else SHORT)
    ]
    session.each(names, lambda case: budget(case, every[case.name.split(":")[0]]))
    session.each(
        [f"{way}:{ranks}" for way in ("file-size", "small-disk") for ranks in (0, 2)],
        lambda case: WAYS[case.name.split(":")[0]](case, int(case.name.split(":")[1])),
    )


def bytes_written(session, command):
    undisturbed(session, command)
    lines = [line.split("\t") for line in (session.work / "calls").read_text().splitlines()]
    return sum(int(line[5]) for line in lines if line[1] == "write")


def budgets(name, chance, written, count):
    """Bytes that the disk has left: none, all but one, and any number in between."""
    # A run's log has times, of which some have a digit more than others.
    return sorted(
        {0, written - (500 if name in ("train", "resume", "ranks", "cache") else 1)}
        | {chance.randrange(written) for _ in range(count - 1)}
    )[:: 1 if count > 2 else 2]


def budget(case, command):
    """The disk has room for so many bytes of what a command writes."""
    old = case.random.random() < 0.5
    folder = command.prepare(case, old)
    result = command.run(case, preloaded(case.session, folder, FAULTS_BUDGET=case.name.split(":")[1]))
    if command.name == "cache":
        expect(result.status == 0 and len(result.lines) == 1, f"a cache that is full ends the run: {result}")
        expect("model.feature_cache" in result.lines[0], f"the line does not name the key: {result}")
    elif command.name == "verify":
        expect(result.status == 0, f"a digest that cannot be kept ends the command: {result}")
    else:
        expect_refusal(result, "No space left on device")
    case.session.count(command.name)
    command.check(case, result, old)
    command.again(case)


def expect_refusal(result, cause):
    expect(result.status == 1, f"the machine's fault is status 1: {result}")
    expect(len(result.lines) == 1, f"not one line: {result}")
    expect(cause in result.lines[0], f"the line does not say {cause}: {result}")


KEYS = {"training__steps": 12, "checkpoint__keep": 40}


def largest(whole):
    return (whole.folder / "1" / step_name(12)).stat().st_size


def file_size(case, ranks):
    """The limit on a file's size holds in the ranks alone: mpirun's shared memory would be too large."""
    keys = {"checkpoint__keep": 1}
    whole = Reference.of(case.session, **keys)
    limit = (whole.folder / "1" / step_name(4)).stat().st_size - 1
    run_file(case, **keys)
    shutil.copytree(case.session.work / "started", case.folder / "run")
    launcher = [*MPIRUN, "--mca", "btl", "self,tcp", "-n", str(ranks)] if ranks else []
    program = f"trap '' XFSZ; ulimit -f {limit // 1024}; exec \"$0\" train train.json --resume auto"
    command = [*launcher, "bash", "-c", program, case.session.program]
    result = Process(case.folder, command, case.session.environment).end()
    expect_refusal(result, "File too large")
    finish(case, whole, 2)


def small_disk(case, ranks):
    """A disk with room for two checkpoints and a half; a budget of bytes stands in where none may be mounted."""
    whole = Reference.of(case.session, **KEYS)
    run_file(case, **KEYS)
    folder = case.folder / "run"
    folder.mkdir()
    size = largest(whole) * 5 // 2 + 8192
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    is_mounted = subprocess.run(mount, capture_output=True).returncode == 0
    environment = {} if is_mounted else preloaded(case.session, folder, FAULTS_BUDGET=size)
    if not is_mounted:
        print("      no disk may be mounted here: a budget of bytes stands in", flush=True)
    try:
        result = case.run("train", "train.json", "--resume", "auto", ranks=ranks, environment=environment)
        expect_refusal(result, "No space left on device")
        if is_mounted:
            subprocess.run(["cp", "-a", str(folder), str(case.folder / "copy")], check=True)
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)
    if is_mounted:
        folder.rmdir()
        (case.folder / "copy").rename(folder)
    finish(case, whole, 2)


def finish(case, whole, newest):
    """What was saved before is whole, nothing else is there, and with room the run comes to its end."""
    folder = case.folder / "run"
    expect_whole(folder)
    expect(max(checkpoints(folder), default=0) >= newest, f"no checkpoint of step {newest} or later is left")
    expect(not list(folder.glob("*.partial")), "half-written files are left")
    case.run_well("train", "train.json", "--resume", "auto")
    whole.expect_finished(folder, ["logs"])
    case.session.count("training disks")


WAYS = {"file-size": file_size, "small-disk": small_disk}
