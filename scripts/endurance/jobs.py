"""Two jobs: two starts in one folder of checkpoints, at any offset, also after kills and from pretended hosts."""

import os
import re
import signal
import time

from runs import Reference, checkpoints, expect_whole, run_file, step_name
from session import expect

KEYS = {"training__steps": 24}
OTHER = {**KEYS, "training__seed": 1}
SHORT, LONG = 8, 300
WAYS = ("same", "same", "other", "killed", "killed", "hosts", "take-over", "own host")


def run(session):
    """Pairs of starts in one folder."""
    wholes = {"train.json": Reference.of(session, **KEYS), "other.json": Reference.of(session, **OTHER)}
    session.each(range(LONG if session.long else SHORT), lambda case: one(case, wholes))


def one(case, wholes):
    number = int(case.name)
    way = WAYS[number % len(WAYS)]
    run_file(case, **KEYS)
    run_file(case, "other.json", **OTHER)
    folder = case.folder / "run"
    ranks = [case.random.randrange(3) for _ in range(3)]
    if way == "killed":
        # A run that was killed leaves its lock behind.
        leave_lock(case, ranks[2], folder)
    hosts = ["node1", "node2"] if way in ("hosts", "take-over") else ["", ""]
    files = ["train.json", "other.json" if way == "other" else "train.json"]
    options = [[], ["--take-over"] if way in ("take-over", "own host") else []]

    jobs = []
    for index in (0, 1):
        if index:
            time.sleep(case.random.uniform(0, 1))
        jobs.append(Job(case, ranks[index], hosts[index], files[index], options[index]))
    await_ends(jobs)
    results = [job.process.end() for job in jobs]
    case.session.count(way)

    expect_whole(folder)
    for job, result in zip(jobs, results):
        expect(len(result.lines) == (result.status != 0), f"{job.file}: not one line: {result}")
    finished = [job for job, result in zip(jobs, results) if result.status == 0]
    expect(finished, f"neither came to its end: {results[0]} and {results[1]}")
    judge(way, jobs, results)

    # The survivor's bytes, and nothing of the other one.
    whole = wholes[finished[-1].file]
    last = folder / step_name(24)
    expect(whole.matches(last), f"{way}: {last.name} has other bytes than a run alone")
    # A run that lives on saves what it was about to save; the other one finds it and sets it aside.
    whole.expect_finished(folder, ["aside"] if way == "take-over" else [])


def judge(way, jobs, results):
    """Never do both train at the same time, and who is refused learns by whom."""
    trained = [job for job in jobs if job.first is not None]
    for one, other in ((0, 1), (1, 0)):
        result = results[one]
        if result.status == 0:
            continue
        if way == "take-over" and "was taken over by" in result.lines[0]:
            # It trained until it was to save, and saved nothing then.
            expect(result.status == 1, f"taken over: {result}")
            # The other one may have come to its end by then, and its lock with it.
            names = re.search(r"process \d+ on node\d|by somebody who removed it", result.lines[0])
            expect(names, f"does not name who took over: {result}")
            continue
        expect(result.status == 65, f"refused: {result}")
        names = re.search(r"is in use by process (\d+) on (\S+)", result.lines[0])
        later = re.search("belongs to another run|holds checkpoints of an earlier run", result.lines[0])
        expect(names or later, f"does not name the other one: {result}")
        if names:
            expect(int(names[1]) in jobs[other].programs, f"names process {names[1]}, not {jobs[other].programs}")
            host = jobs[other].host or os.uname().nodename
            expect(names[2] == host, f"names host {names[2]}, not {host}")
        expect(jobs[one].first is None, f"refused, and trained: {result}")
    if len(trained) == 2 and way != "take-over":
        early, late = sorted(trained, key=lambda job: job.first)
        expect(late.first >= early.last, f"both train, from {late.first:.3f} to {early.last:.3f}")


class Job:
    """A start, watched while it runs: when it printed its first and its last step."""

    def __init__(self, case, ranks, host, file, options):
        environment = {"LD_PRELOAD": str(case.session.library), "FAULTS_HOST": host} if host else {}
        self.file, self.host, self.options = file, host, options
        self.process = case.start("train", file, "--resume", "auto", *options, ranks=ranks, environment=environment)
        self.first = self.last = None
        self.steps = 0
        self.programs = set()

    def look(self):
        steps = len(re.findall(r"^step \d+/", self.process.out.read_text(errors="replace"), re.MULTILINE))
        now = time.monotonic()
        if steps > self.steps:
            self.first = self.first if self.first is not None else now
            self.last = now
            self.steps = steps
        self.programs |= set(self.process.members("imagelora"))
        return self.process.popen.poll() is None


def await_ends(jobs):
    deadline = time.monotonic() + 60
    running = [True]
    while any(running) and time.monotonic() < deadline:
        running = [job.look() for job in jobs]
        time.sleep(0.005)


def leave_lock(case, ranks, folder):
    """A run that is killed once it has saved something."""
    process = case.start("train", "train.json", ranks=ranks)
    while not checkpoints(folder) and process.popen.poll() is None:
        time.sleep(0.005)
    for member in process.members("imagelora"):
        os.kill(member, signal.SIGKILL)
    process.end()
    if not (folder / step_name(24)).exists():
        expect((folder / "run.lock").exists(), "the killed run left no lock")
