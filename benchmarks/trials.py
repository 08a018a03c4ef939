"""Trials by the million: a seed decides all of one, and its outcome is a word, or a failure.

A trial is `function(seed) -> str`: a word ("refused", "loaded", ...) or one of FAILURES, a colon
and what happened. Its module may say by `allowed(seed)` how many seconds one may take. `run` takes
many of them, in processes of their own that are begun anew behind a seed that ends or stops one,
and prints each failure with its seed.
"""

import gc
import multiprocessing
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pkgutil import resolve_name
from typing import Any

from equinfo.errors import MOST, EquinfoError

FAILURES = ("crashes", "wrong", "tracebacks", "hangs", "memory")
SECONDS = 2  # of processor time, that a trial may take
STUCK = 120  # seconds after which a trial is killed: it never ends
GROWTH = 512 << 20  # bytes of memory that a trial may take
BEYOND = "index is out of bounds"  # what a kernel says that checks its bounds; NumPy says more


def is_failure(found: str) -> bool:
    return found.partition(":")[0] in FAILURES


def refusal(error: EquinfoError, *names: object) -> str:
    """ "refused", where the error is one printable line with one of the names, if any are given.

    A kernel that ran beyond its arrays and was taken for bad input is a crash.
    """
    line = str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, IndexError) and str(cause) == BEYOND:
            return f"crashes: a kernel ran beyond its arrays: {line!r}"
        cause = cause.__cause__ or cause.__context__
    if not line.isprintable() or len(line) > MOST + 100:
        return f"tracebacks: no line: {line!r}"
    if names and not any(str(name) in line for name in names):
        return f"wrong: it names nothing of {[str(name) for name in names]}: {line!r}"
    return "refused"


def guarded(action: Callable[[], str]) -> str:
    """Its outcome; that of what it raises, an EquinfoError aside, is a traceback."""
    try:
        return action()
    except BaseException:
        return f"tracebacks: {traceback.format_exc()}"


def timed(trial: Callable[[int], str], seed: int, allowed: float = SECONDS) -> str:
    """Its outcome. A second try says whether it is slow, or what it made and compiled was."""
    for _ in range(2):
        begin = time.process_time()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = trial(seed)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        seconds = time.process_time() - begin
        if is_failure(found):
            return found
        if grown > GROWTH:
            found = f"memory: {grown >> 20} MiB more"
        elif seconds > allowed:
            found = f"hangs: {seconds:.1f} s"
        else:
            return found
    return found


def _work(name: str, first: int, last: int, step: int, at: Any, results: Any) -> None:
    trial = resolve_name(name)
    allowed = getattr(sys.modules[trial.__module__], "allowed", lambda seed: SECONDS)
    counted: Counter[str] = Counter()
    for seed in range(first, last, step):
        at.value = seed
        found = timed(trial, seed, allowed(seed))
        counted[found.partition(":")[0]] += 1
        if ":" in found:
            print(f"{name} {seed}: {found}", flush=True)
        if not seed // step % 1000:
            gc.collect()  # models and their memos hold each other
            results.send(counted)
            counted = Counter()
    results.send(counted)
    results.send(None)


def _run(name: str, first: int, last: int, step: int, stuck: float) -> Counter[str]:
    context = multiprocessing.get_context("spawn")
    total: Counter[str] = Counter()
    while first < last:
        at = context.Value("q", -1)
        results, end = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(name, first, last, step, at, end))
        process.start()
        end.close()
        done, seed, since = False, -1, time.monotonic()
        while not done:
            try:
                if results.poll(1):
                    counted = results.recv()
                    done = counted is None
                    total.update(counted or {})
            except EOFError:  # it is gone
                break
            if at.value != seed:
                seed, since = at.value, time.monotonic()
            elif time.monotonic() - since > stuck:
                process.kill()
        process.join()
        if done:
            break
        if at.value < 0:
            raise RuntimeError(f"{name} ended before its first trial: exit {process.exitcode}")
        kind = "hangs" if time.monotonic() - since > stuck else "crashes"
        total[kind] += 1
        print(f"{name} {at.value}: {kind}", flush=True)
        first = at.value + step
    return total


def run(name: str, first: int, count: int, jobs: int, stuck: float = STUCK) -> Counter[str]:
    """Outcomes of the trial `name`, module:function, for `count` seeds, in so many processes.

    stuck: seconds after which a trial is killed.
    """
    with ThreadPoolExecutor(jobs) as threads:
        parts = threads.map(
            lambda job: _run(name, first + job, first + count, jobs, stuck), range(jobs)
        )
        return sum(parts, Counter())
