"""The readers' trials under atheris, which looks for inputs that reach new code.

    python -m benchmarks.soak.guided OUT COUNT -seed=1     # and other options of libFuzzer

The counts of outcomes go to the file OUT. Needs equinfo[soak].
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

LONGEST = 1 << 14  # bytes of an input
EVERY = 1000  # inputs between two writings of the counts


def run(first: int, count: int, jobs: int) -> Counter[str]:
    """Outcomes of `count` inputs, by so many processes; of none where atheris is not installed."""
    if find_spec("atheris") is None:
        print("guided: left out, for it needs atheris (equinfo[soak])", flush=True)
        return Counter()
    with ThreadPoolExecutor(jobs) as threads:
        shares = [len(range(job, count, jobs)) for job in range(jobs)]
        return sum(threads.map(_run, [first + 1 + job for job in range(jobs)], shares), Counter())


def _run(seed: int, count: int) -> Counter[str]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        limits = (f"-max_len={LONGEST}", "-timeout=120", "-rss_limit_mb=4096", "-verbosity=0")
        command = [sys.executable, "-m", "benchmarks.soak.guided", str(out), str(count)]
        command += [f"-seed={seed}", *limits, f"-artifact_prefix={folder}/"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        counts = Counter(json.loads(out.read_text())) if out.exists() else Counter()
        if done.returncode:
            counts["crashes"] += not any(counts[name] for name in ("wrong", "tracebacks"))
            print(f"guided -seed={seed}: {done.stdout[-2000:]}{done.stderr[-2000:]}", flush=True)
        return counts


def _modules(room: str) -> list[str]:
    package = Path(__file__).parents[2] / "equinfo"
    files = [file.relative_to(package).with_suffix("") for file in (package / room).rglob("*.py")]
    return [".".join(file.parts).removesuffix(".__init__") for file in files]


def main() -> None:
    import atheris

    # what is traced cannot be compiled
    kernels = ["equinfo.fixedpoint", *(f"equinfo.{name}" for name in _modules("compress"))]
    with atheris.instrument_imports(include=["equinfo"], exclude=kernels):
        from benchmarks.soak import readers
        from benchmarks.trials import guarded, is_failure

    out, count = Path(sys.argv.pop(1)), int(sys.argv.pop(1))
    names = list(readers.originals())
    counts: Counter[str] = Counter()

    def tell() -> None:
        beside = out.with_suffix(".new")
        beside.write_text(json.dumps(counts))
        beside.replace(out)

    def one(data: bytes) -> None:
        name = names[data[0] % len(names)] if data else names[0]
        found = guarded(lambda: readers.check(name, data[1:]))
        counts[found.partition(":")[0]] += 1
        if not counts.total() % EVERY or counts.total() >= count:  # then it exits at once
            tell()
        if is_failure(found):
            tell()
            print(f"{name} {data!r}: {found}", flush=True)
            os._exit(1)

    with tempfile.TemporaryDirectory() as corpus:
        for number, name in enumerate(names):
            (Path(corpus) / str(number)).write_bytes(bytes([number]) + readers.originals()[name])
        atheris.Setup([*sys.argv, f"-runs={count}", corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
