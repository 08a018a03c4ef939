"""Numba's cache knows the file of a kernel, not those of the kernels it calls: drop it when any of
them is newer.
"""

from pathlib import Path

import equinfo.compress

folder = Path(equinfo.compress.__file__).parent
newest = max(path.stat().st_mtime for path in folder.rglob("*.py"))
if any(index.stat().st_mtime < newest for index in folder.rglob("__pycache__/*.nbi")):
    for cached in folder.rglob("__pycache__/*.nb?"):
        cached.unlink(missing_ok=True)
