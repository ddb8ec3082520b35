"""Memory: bits of one rank's adapter or moments are flipped in its memory, as a broken memory module would."""

import os
import re
import signal
import subprocess
import time

from runs import Reference, checkpoints, expect_whole, run_file
from session import Problem, expect

KEYS = {
    "training__steps": 60,
    "checkpoint__every_steps": 1,
    "checkpoint__keep": 99,
    "data__validation": None,
}
SHORT, LONG = 3, 100
GROUPS = ("/adapter", "/optimizer/exp_avg", "/optimizer/exp_avg_sq")
# Bytes that are looked for: enough to be found nowhere else.
WIDTH = 64
# The largest region of memory that is looked through.
LARGEST = 1 << 26


def run(session):
    """Flips in runs on 2 and 3 ranks; a rank alone has nothing to compare itself with."""
    whole = Reference.of(session, ranks=(2, 3), **KEYS)
    session.each(range(LONG if session.long else SHORT), lambda case: one(case, whole))


def one(case, whole):
    for _attempt in range(10):
        if attempt(case, whole):
            return
    raise Problem("in ten runs no flip hit memory in use")


def attempt(case, whole):
    """One run with one flip; false where the flip came after the last step, or hit memory that was no longer in use."""
    run_file(case, **KEYS)
    folder = case.folder / "run"
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    ranks = case.random.choice((2, 3))
    group = case.random.choice(GROUPS)
    process = case.start("train", "train.json", ranks=ranks)
    step = case.random.randrange(2, 45)
    deadline = time.monotonic() + 60
    while step not in checkpoints(folder) and process.popen.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    members = process.members("imagelora")
    target = case.random.randrange(ranks)
    flipped = flip(case, members, target, whole.folder / str(ranks), group, step) if len(members) == ranks else None
    result = process.end()
    expect_whole(folder)
    for paths in checkpoints(folder).values():
        for path in paths:
            expect(whole.matches(path), f"{path.name} was saved with other numbers, after {flipped}; {result}")
    if not flipped or result.status == 0:
        case.session.count("runs without effect")
        return False
    expect(result.status == 1 and len(result.lines) == 1, f"{flipped}: {result}")
    # Two ranks that differ cannot know which of them is right.
    named = [f"the adapter of rank {flipped[0] if ranks == 3 else '0, 1'} differs"]
    # Rank 0 also compares what it has written.
    named += ["the memory of rank 0 may be faulty", "read dataset"] if flipped[0] == 0 else []
    expect(any(text in result.lines[0] for text in named), f"{flipped}: the line does not name the rank: {result}")
    case.session.count(f"flips of {group[1:]} on {ranks} ranks")
    return True


def flip(case, members, target, whole, group, step):
    """Flips a bit wherever a rank holds the numbers of this step or one of the next; (rank, address...), or None."""
    members = sorted(members, key=rank_of)
    for member in members:
        os.kill(member, signal.SIGSTOP)
    try:
        rank, process = target, members[target]
        start = None
        found = []
        for near in range(step, min(step + 4, 60)):
            values, start = numbers(case, whole / f"step-{near:08}.h5", group, start)
            found = places(process, values)
            if found:
                break
        bit = case.random.randrange(8 * WIDTH)
        with open(f"/proc/{process}/mem", "r+b", buffering=0) as memory:
            for address in found:
                memory.seek(address + bit // 8)
                byte = memory.read(1)[0]
                memory.seek(address + bit // 8)
                memory.write(bytes([byte ^ 1 << bit % 8]))
        return (rank, group, f"step {near}", f"bit {bit}", *map(hex, found)) if found else None
    finally:
        for member in members:
            os.kill(member, signal.SIGCONT)


def rank_of(process):
    with open(f"/proc/{process}/environ", "rb") as file:
        return int(re.search(rb"OMPI_COMM_WORLD_RANK=(\d+)", file.read())[1])


def numbers(case, path, group, start):
    """Some bytes of a tensor of a checkpoint; the same place in it for each of its steps."""
    tensor = f"{group}/layers.0.A"
    dump = case.folder / "dump"
    subprocess.run(["h5dump", "-d", tensor, "-b", "LE", "-o", str(dump), str(path)], check=True, capture_output=True)
    values = dump.read_bytes()
    if start is None:
        start = 4 * case.random.randrange((len(values) - WIDTH) // 4)
    return values[start : start + WIDTH], start


def places(process, values):
    """The addresses where a process has some bytes in memory of its own.

    Buffers of the math library, which are large and hardly used, are left out: they hold no adapter.
    """
    found = []
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights, *rest = line.split()
            first, last = (int(text, 16) for text in span.split("-"))
            if rights != "rw-p" or rest[-1].startswith("/") or last - first > LARGEST:
                continue
            try:
                memory.seek(first)
                data = memory.read(last - first)
            except (OSError, OverflowError, ValueError):
                continue
            at = data.find(values)
            while at >= 0:
                found.append(first + at)
                at = data.find(values, at + 1)
    return found
