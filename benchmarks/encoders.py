"""Every tokenizer side by side: python -m benchmarks.encoders [--out results/bench]

Text: imdb's validation and then training documents up to --bytes; unseen text is what follows. The
BPE and Unigram vocabularies of 65,536 are trained on the same text as the ready-made tokenizers
(imdb and books), once; tokenizers, tiktoken and gigatoken run the same BPE. Each contender runs in
a process of its own, on one core or all, the contenders in turn, --runs times; medians are
reported. Passes: the first over the text, a later one over the same, one over unseen text after
them, and decoding. Compressors take blocks of 10,240 bytes (zlib level 6, isal level 2).
"""

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

import tyro

from equinfo.corpora import load_corpus
from experiments.pretrained import WORK, peer
from experiments.runs.rows import provenance

ROOT = Path(__file__).resolve().parent.parent
FOLDER = WORK / "bench"
NAMES = (
    "equinfo english-equalinfo16", "equinfo english-16k", "equinfo english-32k",
    "equinfo english-64k", "tokenizers BPE", "sentencepiece Unigram", "tiktoken BPE",
    "gigatoken BPE", "zlib", "isal",
)  # fmt: skip
PASSES = ("first", "later", "unseen", "decode")
COLUMNS = ["tokenizer", "bytes/token", *(f"{name} MB/s" for name in PASSES)]
COLUMNS += ["x tokenizers", "start s", "ready MiB", "+ encoding MiB"]


def main(
    bytes: int = 30_000_000,
    runs: int = 5,
    threads: tuple[int, ...] = tuple(sorted({1, len(os.sched_getaffinity(0))})),
    names: tuple[str, ...] = NAMES,
    out: Path | None = None,
) -> None:
    """out: append the rows to OUT.jsonl and write OUT.md, OUT.png and OUT.svg."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for kind in ("BPE", "Unigram"):
        if any(kind in name for name in names):
            peer(kind.lower())
    write_texts(FOLDER, bytes)
    rows = []
    for number in threads:
        taken: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for turn in range(runs):
            for name in names:
                print(f"{number} thread(s), run {turn + 1}: {name}", file=sys.stderr)
                taken[name].append(run(name, FOLDER, number))
        rows += [summarised(name, number, found) for name, found in taken.items()]
        print(table(rows, number))
    if out:
        publish(rows, threads, out)


def write_texts(folder: Path, size: int) -> None:
    corpus = load_corpus("imdb")
    both = chain(corpus.documents("validation"), corpus.documents("train"))
    documents = (document.decode() for document in both)
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
    held = [run["memory_kib"] for run in runs]
    memory = {key: statistics.median(one[key] for one in held) for key in held[0]}
    sizes = {key: runs[0][key] for key in ("tokens", "bytes", "unseen_bytes")}
    spread = {key: [min(r[key] for r in runs), max(r[key] for r in runs)] for key in PASSES}
    row = {"tokenizer": name, "threads": threads, "runs": len(runs), "seconds": median}
    return {**row, "memory_kib": memory, **sizes, "spread": spread, **provenance()}


def speed(row: dict[str, Any], name: str) -> float:
    """MB/s of text in a pass."""
    return row["unseen_bytes" if name == "unseen" else "bytes"] / row["seconds"][name] / 1e6


def table(rows: list[dict[str, Any]], threads: int) -> str:
    """Markdown. Memory: of the process once it can encode; what encoding adds, ids included."""
    chosen = [row for row in rows if row["threads"] == threads]
    speeds_of = {row["tokenizer"]: speed(row, "first") for row in chosen}
    base = speeds_of.get("tokenizers BPE")
    lines = [f"{threads} thread(s)", "", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for row in sorted(chosen, key=lambda row: -speed(row, "first")):
        speeds = [f"{speed(row, name):.1f}" for name in PASSES]
        ratio = f"{speed(row, 'first') / base:.1f}" if base else ""
        memory = {name: kib / 1024 for name, kib in row["memory_kib"].items()}
        cells = [row["tokenizer"], f"{row['bytes'] / row['tokens']:.3f}", *speeds, ratio]
        cells += [f"{row['seconds']['startup']:.2f}", f"{memory['started']:.0f}"]
        cells.append(f"{memory['encoded'] - memory['with_text']:.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def publish(rows: list[dict[str, Any]], threads: tuple[int, ...], out: Path) -> None:
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
                value = speed(row, name)
                axes.text(value * 1.03, at + shift, f"{value:.0f}", va="center", fontsize=8)
        axes.set_yticks(range(len(chosen)), [row["tokenizer"] for row in chosen])
        axes.set_xscale("log")
        axes.set_xlabel(
            "MB/s encoded by one thread: dark, first pass; light, unseen text after two passes"
        )
        save(drawn, out.parent, out.name)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
