"""A session of campaigns: the program, the seed, cases that are counted, and folders of failed ones that are kept."""

import os
import random
import shutil
import signal
import subprocess
import time
import traceback
from pathlib import Path

MPIRUN = [
    *("mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"),
    *("--mca", "btl_vader_single_copy_mechanism", "none"),
]


class Problem(Exception):
    """What a case found wrong, in one line."""


def expect(holds, problem):
    if not holds:
        raise Problem(problem)


class Result:
    """A process that has ended."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def lines(self):
        """What the program itself said on standard error, without its notices under `note`."""
        return [line for line in self.err.splitlines() if line.startswith("imagelora: ")]

    def __str__(self):
        text = " | ".join(self.err.strip().splitlines()[-4:])
        return f"status {self.status}, {text[:600] or 'nothing on standard error'}"


class Process:
    """A started command with everything that it starts, which bears a mark in its environment."""

    count = 0

    def __init__(self, folder, command, environment):
        Process.count += 1
        self.mark = f"endurance-{os.getpid()}-{Process.count}"
        self.out, self.err = folder / f"out-{Process.count}", folder / f"err-{Process.count}"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.popen = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **environment, "ENDURANCE_MARK": self.mark},
                start_new_session=True,
            )

    def members(self, name=None):
        """Process ids that bear the mark and live, in ascending order; those of a program's name where one is given."""
        found = []
        wanted = f"ENDURANCE_MARK={self.mark}".encode()
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if wanted not in Path("/proc", entry, "environ").read_bytes().split(b"\0"):
                    continue
                state = Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            command, rest = state[state.index("(") + 1 :].rsplit(")", 1)
            if rest.split()[0] not in "ZX" and name in (None, command):
                found.append(int(entry))
        return sorted(found)

    def kill(self):
        for process in self.members():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def end(self, limit=60, grace=15):
        """Waits for the command, then for everything that it started; what does not end is a problem, and killed."""
        try:
            try:
                status = self.popen.wait(limit)
            except subprocess.TimeoutExpired:
                raise Problem(f"hangs: it has not ended after {limit} s; {self.result(None)}") from None
            deadline = time.monotonic() + grace
            while orphans := self.members():
                expect(time.monotonic() < deadline, f"processes {orphans} live {grace} s after the end of the command")
                time.sleep(0.02)
        finally:
            self.kill()
            self.popen.wait()
        return self.result(status)

    def result(self, status):
        return Result(status, self.out.read_text(errors="replace"), self.err.read_text(errors="replace"))


class Case:
    """One repeatable case of a campaign, in a folder of its own that is empty at its start."""

    def __init__(self, session, name):
        self.session, self.name, self.folder = session, name, session.work / "case"
        self.random = random.Random(f"{session.seed} {session.campaign} {name}")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def start(self, *arguments, ranks=0, environment=None):
        """Starts the program, under mpirun unless `ranks` is 0."""
        launcher = [*MPIRUN, "-n", str(ranks)] if ranks else []
        command = [*launcher, self.session.program, *map(str, arguments)]
        return Process(self.folder, command, {**self.session.environment, **(environment or {})})

    def run(self, *arguments, ranks=0, environment=None, limit=60):
        return self.start(*arguments, ranks=ranks, environment=environment).end(limit)

    def run_well(self, *arguments, ranks=0, environment=None, limit=60):
        """Runs the program, which must succeed."""
        result = self.run(*arguments, ranks=ranks, environment=environment, limit=limit)
        expect(result.status == 0, f"{' '.join(map(str, arguments[:3]))}: {result}")
        return result


class Session:
    """What all campaigns share."""

    def __init__(self, work, arguments):
        self.work, self.program, self.library = work, arguments.program, work / "faults.so"
        self.seed, self.long, self.only = arguments.seed, arguments.long, arguments.case
        self.minutes = arguments.minutes
        self.passed = self.failed = 0
        self.campaign = ""
        # A signal ends the session after the case at hand, with its counts.
        self.is_stopped = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        self.tally = {}
        # What Open MPI leaves where its processes are killed goes with the session's folder.
        self.environment = {"TMPDIR": str(work), "OMPI_MCA_btl_vader_backing_directory": str(work)}

    def stop(self, *_):
        self.is_stopped = True

    def count(self, what, number=1):
        """Adds to the numbers of the campaign's closing line."""
        self.tally[what] = self.tally.get(what, 0) + number

    def repeat(self, name):
        long = " --long" if self.long else ""
        return f"scripts/endurance.sh --seed {self.seed}{long} --case {name} {self.campaign}"

    def each(self, names, check):
        """Checks every case, or those that were asked for, as long as there is time."""
        start = said = time.monotonic()
        done = 0
        names = [name for name in map(str, names) if not self.only or name in self.only]
        if self.long:
            # What there is time for is then a sample of everything.
            random.Random(f"{self.seed} {self.campaign}").shuffle(names)
        for name in names:
            if self.is_stopped or self.minutes and time.monotonic() - start > 60 * self.minutes:
                break
            case = Case(self, name)
            try:
                check(case)
                self.passed += 1
            except Exception as error:
                self.failed += 1
                if not isinstance(error, Problem):
                    (case.folder / "traceback").write_text(traceback.format_exc())
                kept = self.work / f"{self.campaign}-{name.replace('/', '_')}"
                shutil.rmtree(kept, ignore_errors=True)
                case.folder.rename(kept)
                reason = error if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
                print(f"FAIL  {self.campaign} {name}: {reason}", flush=True)
                print(f"      | seed {self.seed}; again: {self.repeat(name)}; kept: {kept}", flush=True)
            done += 1
            if time.monotonic() > said + 300:
                said = time.monotonic()
                print(f"      {self.campaign}: {done} of {len(names)} after {said - start:.0f} s", flush=True)
        seconds = time.monotonic() - start
        numbers = ", ".join(f"{count} {what}" for what, count in self.tally.items())
        print(f"      {self.campaign}: {done} of {len(names)} cases in {seconds:.0f} s; {numbers}", flush=True)
        self.tally = {}
