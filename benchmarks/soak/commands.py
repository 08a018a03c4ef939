"""What is killed, starved of disk and run twice at once: each command that writes, on small things.

    python -m benchmarks.soak.commands NAME BASE OUT [WRITER]

BASE: a folder that `make_base` made. OUT: what is written. It prints "begun" when its libraries are
there and its work begins. What goes wrong is one line and exit status 1, as of `equinfo` itself.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from equinfo.errors import EquinfoError
from experiments.runs.rows import Row, Rows

ROWS = 400
STEPS = 20
EXPORTS = ("parquet", "arrow", "nanogpt", "llmc", "megatron")


def make_base(base: Path) -> None:
    """A text, a tokenizer and shards of both."""
    import equinfo
    from equinfo.corpora import load_corpus, take

    documents = take(load_corpus("bundled").documents(), 1_500_000)
    (base / "text.txt").write_bytes(b"".join(documents))
    lines = [json.dumps({"text": document.decode()}) for document in documents]
    (base / "text.jsonl").write_text("\n".join(lines))
    equinfo.train_tokenizer("bpe", base / "tokenizer", documents[:40], size=512)
    equinfo.tokenize_corpus(base / "tokenizer", documents[:40], base / "shards")


def row(number: int) -> Row:
    return Row(
        "Soak",
        f"key-{number}",
        "tiny",
        "done",
        {"number": number},
        None,
        0.0,
        values={"n": "x" * 900},
    )


def _command(*arguments: object) -> None:
    """`equinfo` with these."""
    from equinfo import cli

    sys.argv = ["equinfo", *map(str, arguments)]
    _begin()
    cli.main()


def _begin() -> None:
    print("begun", flush=True)


def encode(base: Path, out: Path, writer: int) -> None:
    _command("encode", base / "text.txt", "-t", base / "tokenizer", "-o", out / "text.ids")


def tokenize(base: Path, out: Path, writer: int) -> None:
    options = ("--workers", 2, "--shard-bytes", 100_000)
    _command(
        "tokenize",
        "-t",
        base / "tokenizer",
        "--corpus",
        base / "text.jsonl",
        "--out",
        out,
        *options,
    )


def train(base: Path, out: Path, writer: int) -> None:
    """With a checkpoint after every step, which is all that a kill may cost."""
    from equinfo.lm.config import OptimizerConfig, TrainConfig, modern
    from equinfo.lm.train import train as run
    from equinfo.shards import Shards

    shards = Shards(base / "shards")
    loop = {"steps": STEPS, "batch_size": 4, "context": 32}
    config = TrainConfig(
        modern("30k", shards.vocab_size), OptimizerConfig(), bos_id=shards.bos_id, **loop
    )
    _begin()
    run(config, shards, out, checkpoint_seconds=0.0, tokenizer=shards.identity)


def rows(base: Path, out: Path, writer: int) -> None:
    """As the experiments: what has a row is not done again."""
    held = Rows(out / "rows.jsonl")
    _begin()
    for number in range(writer * ROWS, (writer + 1) * ROWS):
        if f"key-{number}" not in held.by_key:
            held.append(row(number))


def fit(base: Path, out: Path, writer: int) -> None:
    given = ("--corpus", base / "text.jsonl", "--size", 600, "--max-bytes", 100_000, "--overwrite")
    _command("train-tokenizer", "bpe", "--out", out, *given)


def count(base: Path, out: Path, writer: int) -> None:
    _command("train-m1", "--out", out, "--corpus", base / "text.jsonl", "--order", 2, "--overwrite")


def exporting(format: str) -> Callable[[Path, Path, int], None]:
    def export(base: Path, out: Path, writer: int) -> None:
        if format in ("parquet", "arrow"):
            import datasets  # noqa: F401  # slow, and no part of the work
        _command("export", base / "shards", "--out", out, "--format", format, "--overwrite")

    return export


COMMANDS: dict[str, Callable[[Path, Path, int], None]] = {
    "encode": encode, "tokenize": tokenize, "train": train, "rows": rows, "fit": fit,
    "count": count, **{f"export-{format}": exporting(format) for format in EXPORTS},
}  # fmt: skip


def main() -> None:
    name, base, out, *writer = sys.argv[1:]
    Path(out).mkdir(parents=True, exist_ok=True)
    try:
        COMMANDS[name](Path(base), Path(out), int(*writer))
    except EquinfoError as error:
        print(f"equinfo: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
