"""Kills: runs on 1, 2 and 3 ranks, killed at random moments by random signals, resumed on other numbers of ranks."""

import os
import signal
import time

from runs import Reference, checkpoints, expect_whole, run_file
from session import expect

KEYS = {
    "adapter__heads": {"select": "influence", "num_heads": 5, "probe_rows": 12},
    "training__steps": 48,
}
SIGNALS = ("KILL", "KILL", "KILL", "TERM", "INT", "HUP", "USR1", "USR2", "STOP+KILL")
# Short runs of this many kills, and their number in the long form.
KILLS, SHORT, LONG = 5, 3, 350


def run(session):
    """Runs of `KILLS` kills each, then one start that nobody disturbs."""
    whole = Reference.of(session, **KEYS)
    session.each(range(LONG if session.long else SHORT), lambda case: one(case, whole))


def one(case, whole):
    run_file(case, **KEYS)
    folder = case.folder / "run"
    kills = 0
    newest = 0
    for _start in range(60):
        ranks = case.random.randrange(4)
        process = case.start("train", "train.json", "--resume", "auto", ranks=ranks)
        sent = 0
        if kills < KILLS:
            await_moment(case, process, folder, 1.5 if ranks else 0.8)
            sent = send(case, process, ranks)
            kills += sent
        result = process.end()
        if result.status == 0:
            break
        expect(sent, f"a start that got no signal fails: {result}")
        expect(result.status != 65, f"a killed run is called the user's mistake: {result}")
        if folder.exists():
            expect_whole(folder)
            found = max(checkpoints(folder), default=0)
            expect(found >= newest, f"the newest checkpoint is step {found} after a kill, and was step {newest} before")
            newest = found
    expect(result.status == 0, f"the run never came to its end: {result}")
    whole.expect_finished(folder)
    case.session.count("runs")


def await_moment(case, process, folder, most):
    """Waits for a random time, or until a file of a random kind is being written."""
    if case.random.random() < 0.5:
        time.sleep(case.random.uniform(0, most))
        return
    kind = case.random.choice(("step-*.h5.partial", "*.sha256*", "*.partial", "latest.h5*", "run.lock", "step-*"))
    deadline = time.monotonic() + 3
    wanted = case.random.randrange(1, 4)
    before = set(folder.glob("step-*.h5"))
    while time.monotonic() < deadline and process.popen.poll() is None:
        if any(path not in before for path in folder.glob(kind)):
            wanted -= 1
            if not wanted:
                return
            time.sleep(0.02)


def send(case, process, ranks):
    """One signal, or two, to one or all of the processes; the number of kills that it was: 0 where all had ended."""
    names = case.random.choice(SIGNALS).split("+")
    which = case.random.choice(("rank", "all ranks", "mpirun", "all") if ranks else ("rank",))
    programs, launchers = process.members("imagelora"), process.members("mpirun")
    if which == "rank" and programs:
        chosen = [case.random.choice(programs)]
    else:
        chosen = {"rank": [], "all ranks": programs, "mpirun": launchers, "all": launchers + programs}[which]
    for name in names:
        for target in chosen:
            try:
                os.kill(target, getattr(signal, f"SIG{name}"))
            except ProcessLookupError:
                pass
        if name != names[-1]:
            time.sleep(case.random.uniform(0, 0.3))
    if chosen:
        case.session.count(f"{'+'.join(names)} to {which}")
    return 1 if chosen else 0
