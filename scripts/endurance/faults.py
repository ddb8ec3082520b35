"""Faults: each call of each writing command that touches its files fails, is cut short, interrupted, or is the last."""

from commands import commands, make_inputs
from session import Case, expect

# What may befall a call of a kind. No file system fails to close a file that was only read, and HDF5 1.10 crashes then.
WRITES = ("ENOSPC", "EDQUOT", "EIO", "EINTR", "KILL")
FAULTS = {
    **dict.fromkeys(("create", "open+", "empty", "openw", "fsync", "truncate"), WRITES),
    "write": (*WRITES, "EFBIG", "SHORT"),
    **dict.fromkeys(("mkdir", "rename", "link", "symlink"), ("ENOSPC", "EDQUOT", "EIO", "KILL")),
    **dict.fromkeys(("open", "read", "close", "flock", "lock"), ("EIO", "EINTR", "KILL")),
    **dict.fromkeys(("stat", "access", "list", "unlink", "chmod"), ("EIO", "KILL")),
    "close-read": ("KILL",),
}
# What a run may then leave that has no effect.
TOLERATED = {**dict.fromkeys(("stat", "open", "read", "close", "flock"), ("aside",)), "unlink": ("sidecars",)}
# Cases of each command in the short form.
SHORT, RANKS = 3, 100


def run(session):
    """All calls and faults in the long form, some of each command in the short one."""
    make_inputs(session)
    every = commands()
    names = []
    for name, command in every.items():
        calls = undisturbed(session, command)
        cases = [f"{name}:{number}:{call}:{fault}" for number, call in calls for fault in FAULTS[call]]
        if session.only:
            cases = [case for case in cases if case in session.only]
        elif not session.long or name == "ranks":
            # mpirun takes its time, and the calls are those of one process.
            some = RANKS if session.long else SHORT
            cases = Case(session, name).random.sample(cases, min(some, len(cases)))
        names += cases
    session.each(names, lambda case: one(case, every[case.name.split(":")[0]]))


def undisturbed(session, command):
    """The calls of a command that nobody disturbs, as (number, name)."""
    case = Case(session, f"{command.name}-undisturbed")
    folder = command.prepare(case)
    log = session.work / "calls"
    log.unlink(missing_ok=True)
    result = command.run(case, preloaded(session, folder, FAULTS_LOG=log))
    expect(result.status == 0, f"{command.name} fails undisturbed: {result}")
    command.learn(case)
    calls = [line.split("\t")[:2] for line in log.read_text().splitlines()]
    return [(int(number), call) for number, call in calls if call != "="]


def preloaded(session, folder, **faults):
    """The environment that puts faults.c before the C library for the files below a beginning of a path."""
    keys = {"LD_PRELOAD": session.library, "FAULTS_FOLDER": folder, "FAULTS_RANK": 0, **faults}
    return {key: str(value) for key, value in keys.items()}


def one(case, command):
    number, call, fault = case.name.split(":")[1:]
    old = case.random.random() < 0.5
    folder = command.prepare(case, old)
    command.tolerated = TOLERATED.get(call, ())
    result = command.run(case, preloaded(case.session, folder, FAULTS_AT=number, FAULTS_DO=fault))
    if fault == "KILL":
        expect(result.status in (-9, 137, 0), f"killed at {call}: {result}")
    elif fault == "SHORT" or (fault, call) == ("EINTR", "write"):
        expect(result.status == 0, f"{fault} of {call} is no failure: {result}")
    else:
        expect(result.status in (0, 1), f"{fault} of {call} is the machine's fault, status 1: {result}")
    # A cache that cannot be written is a line too, and the run goes on.
    most = 1 if result.status == 1 or command.name == "cache" else 0
    expect((result.status == 1) <= len(result.lines) <= most, f"not one line for status {result.status}: {result}")
    if result.status == 1 and command.name != "ranks":
        expect(len(result.err.splitlines()) == 1, f"more than one line: {result}")
    case.session.count({0: "tolerated", 1: "refused"}.get(result.status, "killed"))
    command.check(case, result, old)
    command.again(case)
