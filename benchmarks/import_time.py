"""Seconds to import us, beside those of NumPy, which we import: python -m benchmarks.import_time

Each import in a process of its own, in turns, medians, less the time that Python takes to start.
What must not be imported is stated in tests/test_imports.py.
"""

import subprocess
import sys
from functools import partial

import tyro

from benchmarks.common import alternate

CODE = {
    "nothing": "pass",
    "numpy": "import numpy",
    "equinfo": "import equinfo",
    "equinfo.cli": "import equinfo.cli",
    "equinfo.load('bytes')": "import equinfo; equinfo.load('bytes')",
}


def main(runs: int = 15) -> None:
    actions = [
        partial(subprocess.run, [sys.executable, "-c", code], check=True) for code in CODE.values()
    ]
    start, numpy, *others = alternate(runs, *actions)
    print(f"numpy: {numpy - start:.3f} s")
    for name, seconds in zip(list(CODE)[2:], others, strict=True):
        print(f"{name}: {(seconds - start) / (numpy - start):.2f} times numpy's")


if __name__ == "__main__":
    tyro.cli(main)
