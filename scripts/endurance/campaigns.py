"""Runs the endurance campaigns. README.md beside this file says what each shows and how a failure is repeated."""

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import runs
from session import Session

HERE = Path(__file__).resolve().parent
CAMPAIGNS = ("kills", "faults", "torn", "flips", "memory", "jobs", "disk")


def main():
    parser = argparse.ArgumentParser(prog="scripts/endurance.sh", description=__doc__)
    parser.add_argument("campaign", nargs="*", help=f"some of {', '.join(CAMPAIGNS)}; all unless stated")
    parser.add_argument("--long", action="store_true", help="the long form: everything, for hours")
    parser.add_argument("--seed", type=int, default=1, help="what chance depends on (default: 1)")
    parser.add_argument("--case", action="append", help="only this case, as a FAIL line names it")
    parser.add_argument("--minutes", type=float, help="begin no case of a campaign after so many minutes of it")
    parser.add_argument("--program", default=os.environ.get("IMAGELORA"), help="imagelora (default: $IMAGELORA)")
    arguments = parser.parse_args()
    for name in arguments.campaign:
        if name not in CAMPAIGNS:
            parser.error(f"no campaign {name}: choose from {', '.join(CAMPAIGNS)}")
    if not arguments.program or not os.access(arguments.program, os.X_OK):
        parser.error("no program: name it in IMAGELORA or --program")
    arguments.program = os.path.abspath(arguments.program)

    work = Path(tempfile.mkdtemp(prefix="endurance-")).resolve()
    build = ["cc", "-O1", "-Wall", "-shared", "-fPIC", "-o", str(work / "faults.so"), str(HERE / "faults.c"), "-ldl"]
    subprocess.run(build, check=True)
    session = Session(work, arguments)
    runs.prepare(session)
    start = time.monotonic()
    for name in arguments.campaign or CAMPAIGNS:
        if session.is_stopped:
            break
        session.campaign = name
        print(f"-- {name} ({time.monotonic() - start:.0f} s)", flush=True)
        importlib.import_module(name).run(session)
    print(f"{session.passed} cases passed, {session.failed} failed; seed {session.seed}", flush=True)
    if session.failed:
        sys.exit(1)
    subprocess.run(["rm", "-rf", str(work)], check=True)


if __name__ == "__main__":
    main()
