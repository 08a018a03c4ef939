"""One contender in a process of its own: python -m benchmarks.peers.worker NAME FOLDER THREADS
TEXTS UNSEEN

Prints one JSON line: seconds of each pass, tokens, bytes, peak memory. TEXTS and UNSEEN are JSON
lists of strings. BENCH_STARTED holds the time at which the process was started.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers.contenders import make


def memory(field: str) -> int:
    """KiB, of this process (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def main() -> None:
    name, folder, threads, texts_file, unseen_file = sys.argv[1:]
    contender = make(name, Path(folder), int(threads))
    contender.decode(contender.encode(["a"]))
    startup = time.time() - float(os.environ["BENCH_STARTED"])
    started = memory("VmRSS")
    texts, unseen = (json.loads(Path(file).read_text()) for file in (texts_file, unseen_file))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew here
    with_text = memory("VmRSS")
    first, encoded = timed(lambda: contender.encode(texts))
    peak = memory("VmHWM")
    count = contender.count(encoded)
    decode, _ = timed(lambda: contender.decode(encoded))
    later, _ = timed(lambda: contender.encode(texts))
    other, _ = timed(lambda: contender.encode(unseen))
    found: dict[str, Any] = {"startup": startup, "first": first, "later": later, "unseen": other}
    found |= {"decode": decode, "tokens": count}
    found["bytes"] = sum(len(text.encode()) for text in texts)
    found["unseen_bytes"] = sum(len(text.encode()) for text in unseen)
    found["memory_kib"] = {"started": started, "with_text": with_text, "encoded": peak}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
