"""One command for all sweeps: makes the inputs, compares, prints one line a difference and a last line with counts."""

import argparse
import importlib
import importlib.util
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

NAMES = ("strings", "images", "rows", "folders")
MODULES = ("torch", "transformers", "tokenizers", "safetensors", "h5py", "numpy", "PIL")


def main():
    parser = argparse.ArgumentParser(prog="scripts/sweeps.sh", description=__doc__)
    parser.add_argument("program", metavar="IMAGELORA")
    parser.add_argument("folder", metavar="FOLDER", nargs="?", help="takes the inputs; made anew")
    parser.add_argument("--only", choices=NAMES, action="append", help="one sweep; may be given several times")
    parser.add_argument("--count", type=int, help="inputs of a sweep (default: all of rows and folders, 2000, 500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="programs that run at a time")
    options = parser.parse_args()
    missing = [name for name in MODULES if not available(name)]
    if missing:
        print(f"{sys.executable} lacks {', '.join(missing)}: PYTHON=.../python scripts/sweeps.sh", file=sys.stderr)
        return 2
    warnings.simplefilter("ignore")
    # transformers imports torchvision where there is one; it is not needed, and its build may be another than torch's.
    sys.modules["torchvision"] = None
    folder = Path(options.folder or tempfile.mkdtemp(prefix="sweeps-")).resolve()
    counts, total = [], 0
    for name in options.only or NAMES:
        place = folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        start = time.monotonic()
        compared, differences, permitted = 0, [], 0
        for what, difference in importlib.import_module(f"{name}_sweep").compare(options, place):
            compared += 1
            if difference == "permitted":
                permitted += 1
            elif difference:
                differences.append(difference)
                print(f"{name} {what}: {' '.join(difference.split())}", flush=True)
        total += len(differences)
        seconds = time.monotonic() - start
        exceptions = f", {permitted} permitted" if permitted else ""
        counts.append(f"{name} {len(differences)} of {compared} differ{exceptions} ({seconds:.0f} s)")
    if not total and not options.folder:
        shutil.rmtree(folder)
    print("; ".join(counts) + ("" if not total else f"; inputs in {folder}"))
    return 1 if total else 0


def available(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


if __name__ == "__main__":
    sys.exit(main())
