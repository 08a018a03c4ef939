"""Every tokenizer side by side: python benchmarks/encoders.py [--out results/bench]

Text: imdb's validation and then training documents up to --bytes; unseen text is what follows. The
BPE and Unigram vocabularies of 65,536 are trained on the same text as the ready-made tokenizers
(imdb and books), once; tokenizers, tiktoken and gigatoken run the same BPE. Each contender runs in
a process of its own, on one core or all, the contenders in turn, --runs times; medians are
reported. Passes: the first over the text, a later one over the same, one over unseen text after
them, and decoding. Compressors take blocks of 10,240 bytes (zlib level 6, isal level 2).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from equinfo.corpora import load_corpus
from experiments.pretrained import WORK, peer
from experiments.runs.rows import provenance

ROOT = Path(__file__).resolve().parent.parent
FOLDER = WORK / "bench"
NAMES = [
    "equinfo english-equalinfo16", "equinfo english-16k", "equinfo english-32k",
    "equinfo english-64k",
    "tokenizers BPE", "sentencepiece Unigram", "tiktoken BPE", "gigatoken BPE", "zlib", "isal",
]  # fmt: skip
PASSES = ("first", "later", "unseen", "decode")
COLUMNS = [
    "tokenizer",
    "bytes/token",
    *(f"{name} MB/s" for name in PASSES),
    "x tokenizers",
    "start s",
    "ready MiB",
    "+ encoding MiB",
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bytes", type=int, default=30_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--threads", nargs="+", type=int, default=sorted({1, len(os.sched_getaffinity(0))})
    )
    parser.add_argument("--names", nargs="+", default=NAMES)
    parser.add_argument(
        "--out",
        type=Path,
        help="append the rows to OUT.jsonl and write OUT.md, OUT.png and OUT.svg",
    )
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for kind in ("BPE", "Unigram"):
        if any(kind in name for name in options.names):
            peer(kind.lower())
    write_texts(FOLDER, options.bytes)
    rows = []
    for threads in options.threads:
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.names}
        for turn in range(options.runs):
            for name in options.names:
                print(f"{threads} thread(s), run {turn + 1}: {name}", file=sys.stderr)
                runs[name].append(run(name, FOLDER, threads))
        rows += [summarised(name, threads, taken) for name, taken in runs.items()]
        print(table(rows, threads))
    if options.out:
        publish(rows, options.threads, options.out)


def write_texts(folder: Path, size: int) -> None:
    corpus = load_corpus("imdb")
    documents = (
        d.decode() for d in chain(corpus.documents("validation"), corpus.documents("train"))
    )
    for name in ("texts", "unseen"):
        (folder / f"{name}.json").write_text(json.dumps(taken(documents, size)))


def taken(documents: Iterator[str], size: int) -> list[str]:
    texts = []
    while size > 0:
        texts.append(next(documents))
        size -= len(texts[-1].encode())
    return texts


def run(name: str, folder: Path, threads: int) -> dict[str, Any]:
    """One process of one contender, on as many cores as threads."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    environment = {
        **os.environ, "EQUINFO_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
        "BENCH_STARTED": str(time.time()),
    }  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.peers.worker", name, str(folder), str(threads)]
    command += [str(folder / "texts.json"), str(folder / "unseen.json")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def summarised(name: str, threads: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    median = {key: statistics.median(run[key] for run in runs) for key in (*PASSES, "startup")}
    memory = {
        key: statistics.median(run["memory_kib"][key] for run in runs)
        for key in runs[0]["memory_kib"]
    }
    sizes = {key: runs[0][key] for key in ("tokens", "bytes", "unseen_bytes")}
    return {
        "tokenizer": name, "threads": threads, "runs": len(runs), "seconds": median,
        "memory_kib": memory, **sizes,
        "spread": {
            key: [min(run[key] for run in runs), max(run[key] for run in runs)] for key in PASSES
        },
        **provenance(),
    }  # fmt: skip


def speed(row: dict[str, Any], name: str) -> float:
    """MB/s of text in a pass."""
    return row["unseen_bytes" if name == "unseen" else "bytes"] / row["seconds"][name] / 1e6


def table(rows: list[dict[str, Any]], threads: int) -> str:
    """Markdown. Memory: of the process once it can encode; what encoding adds, ids included."""
    chosen = [row for row in rows if row["threads"] == threads]
    base = next(
        (speed(row, "first") for row in chosen if row["tokenizer"] == "tokenizers BPE"), None
    )
    lines = [
        f"{threads} thread(s)",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---" * len(COLUMNS) + "|",
    ]
    for row in sorted(chosen, key=lambda row: -speed(row, "first")):
        speeds = [f"{speed(row, name):.1f}" for name in PASSES]
        ratio = f"{speed(row, 'first') / base:.1f}" if base else ""
        memory = {name: kib / 1024 for name, kib in row["memory_kib"].items()}
        cells = [row["tokenizer"], f"{row['bytes'] / row['tokens']:.3f}", *speeds, ratio]
        cells += [f"{row['seconds']['startup']:.2f}", f"{memory['started']:.0f}"]
        lines.append(
            "| " + " | ".join([*cells, f"{memory['encoded'] - memory['with_text']:.0f}"]) + " |"
        )
    return "\n".join(lines) + "\n"


def publish(rows: list[dict[str, Any]], threads: list[int], out: Path) -> None:
    from experiments.analysis.figures import figure, save

    with out.with_suffix(".jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    first = rows[0]
    where = (
        f"{first['device']}, {len(os.sched_getaffinity(0))} cores; commit {first['commit']};"
        f" {first['runs']} runs"
    )
    title = f"Speed on {first['bytes'] / 1e6:.1f} MB of imdb. {where}."
    text = "\n".join([title, "", *(table(rows, count) for count in threads)])
    out.with_suffix(".md").write_text(text)
    chosen = sorted(
        (row for row in rows if row["threads"] == threads[0]), key=lambda row: speed(row, "first")
    )
    with figure(8.6, 0.5 * len(chosen) + 1) as (drawn, axes):
        for at, row in enumerate(chosen):
            ours = row["tokenizer"].startswith("equinfo")
            axes.barh(at + 0.2, speed(row, "first"), 0.36, color="#0072B2" if ours else "#8A8A8A")
            axes.barh(at - 0.2, speed(row, "unseen"), 0.36, color="#56B4E9" if ours else "#C8C8C8")
            for shift, name in ((0.2, "first"), (-0.2, "unseen")):
                axes.text(
                    speed(row, name) * 1.03,
                    at + shift,
                    f"{speed(row, name):.0f}",
                    va="center",
                    fontsize=8,
                )
        axes.set_yticks(range(len(chosen)), [row["tokenizer"] for row in chosen])
        axes.set_xscale("log")
        axes.set_xlabel(
            "MB/s encoded by one thread: dark, first pass; light, unseen text after two passes"
        )
        save(drawn, out.parent, out.name)


if __name__ == "__main__":
    main()
