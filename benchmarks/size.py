"""Time and memory from 60 MB to 2 GB: python -m benchmarks.size --out results/size.jsonl

Each run is a command of its own in one thread: `equinfo tokenize` of so many bytes of imdb and
books (10 MB of each by turns, the same at every size), or of a million documents of one line;
`equinfo encode` and `decode` of one document. What is slow gets texts of at most 250 MB, what asks
an M1 no document of that length. A row has the CPU seconds of the process and the largest memory
that it held. What --out holds already is not measured again. --draw: results/size.svg from the
rows.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import tyro

import equinfo
from benchmarks.common import append
from equinfo.corpora import documents_of, limited
from equinfo.engines import ONE_THREAD

MB = 1_000_000
DOCUMENT = 500  # MB, of one document
LINES = 1_000_000
READY = ("bytes", "gzip8", "zstd8", "xz8", "english-64k", "english-equalinfo16")
FITTED: dict[str, dict[str, Any]] = {
    "bpe": {"size": 4096},
    "unigram": {"size": 4096},
    "strict": {"kind": "codebook", "mode": "strict"},
    "cased": {"kind": "codebook", "case": True},
    "static-ac": {"size": 256},
    "static-range": {"size": 256},
    "static-ans": {"size": 256},
    "static-huffman": {"size": 256},
    "ac": {"size": 256, "m1": "counts"},
    "equalinfo": {"size": 4096, "bits": 24, "m1": "counts"},
    "equaltext": {"size": 256, "m1": "counts"},
}
SLOW = ("xz8", "static-range", "static-ans", "static-huffman", "ac", "equalinfo", "equaltext")
TICKS = (60, 250, 1000, 2000)
MOST = 250  # MB, of a text that a slow one gets


def texts(num_bytes: int) -> Iterator[bytes]:
    """The mix of short and long documents is the same at every size."""
    both = [limited(documents_of(name), 10 * MB) for name in ("imdb", "books")]
    return limited(cycle(chain(*both)), num_bytes)


def write(place: Path, form: str, size: int) -> Path:
    """A corpus's file. form: documents (size: MB), document (MB), or lines (how many)."""
    path = place / f"{form}-{size}{'.txt' if form == 'document' else '.jsonl'}"
    if path.exists():
        return path
    with path.open("wb") as file:
        if form == "document":
            for text in texts(size * MB):
                file.write(text + b"\n")
        elif form == "documents":
            for text in texts(size * MB):
                file.write(json.dumps({"text": text.decode()}).encode() + b"\n")
        else:
            lines = (line for text in texts(1 << 40) for line in text.splitlines() if line)
            for line in islice(lines, size):
                text = line.decode()[:200]
                file.write(json.dumps({"text": text}).encode() + b"\n")
    return path


def fitted(name: str, place: Path) -> Path:
    """The folder of one of FITTED; what has an M1 has counts of two bytes of context."""
    folder = place / name
    if not folder.exists():
        options = {"kind": name, "corpus": "imdb+books", "max_bytes": 4 * MB, **FITTED[name]}
        if "m1" in options:
            options["m1"] = equinfo.train_m1(
                place / "counts", "imdb+books", order=2, overwrite=True
            )
        equinfo.train_tokenizer(options.pop("kind"), folder, **options)
    return folder


# Small, and between: Linux hands a process the peak memory of the one that it was started from.
LAUNCHER = """
import os, sys
process = os.posix_spawn(sys.executable, sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measured(*arguments: str | Path) -> dict[str, float]:
    """CPU seconds and peak memory (MB) of a command, which must succeed."""
    command = [sys.executable, "-m", "equinfo.cli", *map(str, arguments)]
    done = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, *command],
        env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr[-500:]}")
    seconds, peak = map(float, done.stdout.splitlines()[-1].split())
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return {"seconds": round(seconds, 2), "peak_mb": round(peak * unit / MB, 1)}


def main(
    sizes: tuple[int, ...] = (60, 250, 1000, 2000),
    tokenizers: tuple[str, ...] = (*READY, *FITTED),
    out: Path | None = None,
    draw: bool = False,
) -> None:
    if draw:
        picture(read(out or Path("results/size.jsonl")), Path("results/size.svg"))
        return
    known = {(row["tokenizer"], row["form"], row["size"]) for row in read(out)}
    forms = [("documents", size) for size in sizes]
    forms += [("lines", LINES), ("document", sizes[0]), ("document", DOCUMENT)]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for form, size in forms:
            for name in tokenizers:
                too_much = name in SLOW and form != "lines" and size > MOST
                step_by_step = "m1" in FITTED.get(name, {}) and form == "document"
                if too_much or step_by_step or (name, form, size) in known:
                    continue
                folder: str | Path = name
                if name in FITTED:
                    folder = fitted(name, place)
                text = write(place, form, size)
                row: dict[str, Any] = {"tokenizer": name, "form": form, "size": size}
                if form == "document":
                    ids = place / "ids"
                    row |= measured("encode", text, "-t", folder, "-o", ids)
                    back = measured("decode", ids, "-t", folder, "-o", place / "back")
                    row |= {f"decode_{part}": value for part, value in back.items()}
                    subprocess.run(["cmp", text, place / "back"], check=True)
                else:
                    shards = place / "shards"
                    options = ("--corpus", text, "--workers", "1", "--overwrite")
                    row |= measured("tokenize", "-t", folder, "--out", shards, *options)
                    written = equinfo.Shards(shards, verify=False)
                    row |= {"text_bytes": written.num_bytes, "num_ids": written.num_ids}
                    row |= {"ids_bytes": sum(path.stat().st_size for path in shards.glob("*.ids"))}
                print(row, flush=True)
                append({**row, "num_bytes": text.stat().st_size}, out)
            write(place, form, size).unlink()


def read(path: Path | None) -> list[dict[str, Any]]:
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def picture(rows: list[dict[str, Any]], path: Path) -> None:
    """Seconds and memory against the size of the text, a line a tokenizer."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    names = list(dict.fromkeys(row["tokenizer"] for row in rows))
    for number, name in enumerate(names):
        some = [r for r in rows if (r["tokenizer"], r["form"]) == (name, "documents")]
        some.sort(key=lambda row: row["size"])
        style = {"color": plt.colormaps["tab20"](number % 20), "ms": 4, "label": name}
        for axis, part in zip(axes, ("seconds", "peak_mb"), strict=True):
            axis.plot(
                [r["size"] for r in some], [r[part] for r in some], "os^"[number % 3] + "-", **style
            )
    for axis, label in zip(axes, ("CPU seconds", "peak memory, MB"), strict=True):
        axis.set(xscale="log", xlabel="text, MB", ylabel=label)
        axis.set_xticks(TICKS, labels=[f"{size:,}" for size in TICKS])
        axis.minorticks_off()
    axes[0].set_yscale("log")
    axes[1].set_ylim(bottom=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    figure.savefig(path)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
