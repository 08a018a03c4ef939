"""The console command `equinfo`."""

import runpy
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from equinfo.errors import EquinfoError
from equinfo.files import atomic_file

app = tyro.extras.SubcommandApp()

Tokenizer = Annotated[str, arg(aliases=["-t"], metavar="T")]
Input = Positional[Annotated[str, arg(metavar="IN")]]
Output = Annotated[str, arg(aliases=["-o"], metavar="OUT")]

TRAINED = Literal["bpe", "unigram", "static-ac", "ac", "equalinfo"]


@app.command
def encode(input: Input, /, tokenizer: Tokenizer, output: Output = "-") -> None:
    """Turn a file into a token file; any file comes back identical through `decode`.

    Args:
        input: the file to read; - for standard input.
        tokenizer: bytes, gzip8, gzip12, gzip16, or the folder that train-tokenizer wrote.
        output: the token file to write; - for standard output.
    """
    from equinfo import tokenfile
    from equinfo.tokenizers.registry import load

    chosen = load(tokenizer)
    data = _read(input)
    ids = chosen.encode(data)
    _write(output, tokenfile.to_bytes(chosen, ids, len(data)))
    if data:
        _say(f"{chosen.name}: {len(data)} bytes -> {len(ids)} ids, {len(data) / max(len(ids), 1):.2f} bytes/id")


@app.command
def decode(input: Input, /, tokenizer: Tokenizer, output: Output = "-") -> None:
    """Turn a token file back into the bytes it came from.

    Args:
        input: the token file; - for standard input.
        tokenizer: the tokenizer that wrote it (another one is refused).
        output: the file to write; - for standard output.
    """
    from equinfo import tokenfile
    from equinfo.tokenizers.registry import load

    _write(output, tokenfile.from_bytes(load(tokenizer), _read(input), input if input != "-" else "standard input"))


@app.command
def show(text: Positional[Annotated[str, arg(metavar="TEXT")]], /, tokenizer: Tokenizer) -> None:
    """Show how a tokenizer cuts a text: coloured pieces, ids, bits.

    Ids that have no bytes of their own (arithmetic coding, gzip) come as one piece: that is the point of the paper.

    Args:
        text: the text; - to read standard input (4,096 bytes at most).
        tokenizer: bytes, gzip8, gzip12, gzip16, or the folder that train-tokenizer wrote.
    """
    from equinfo.show import render
    from equinfo.tokenizers.registry import load

    data = _read("-") if text == "-" else text.encode("utf-8", "surrogateescape")
    if len(data) > 4096:
        raise EquinfoError(f"{len(data)} bytes are too much to show: pass 4,096 at most")
    print(render(load(tokenizer), data, colour=sys.stdout.isatty()))


@app.command
def train_m1(
    out: Path,
    corpus: str = "bundled",
    size: str = "0.1m",
    style: Literal["modern", "paper"] = "modern",
    steps: int = 500,
    batch_size: int = 32,
    context: int = 256,
    learning_rate: float = 4e-3,
    warmup_steps: int = 40,
    seed: int = 0,
    max_bytes: int = 1 << 30,
) -> None:
    """Train an M1, the byte LM that drives coder and windows. Run again to resume after a kill.

    Args:
        out: folder for checkpoints and metrics; the byte model itself goes into OUT/byte-model.
        corpus: bundled, imdb, books, a path or glob of .txt/.jsonl (.gz, .zst), or several joined by +.
        size: a named size, e.g. 0.1m, 0.4m, 1m, 3m (the paper's M1).
        style: modern (RMSNorm, RoPE, AdamW) or paper (relative attention, gated ReLU, Adafactor).
        steps: optimiser steps of batch_size sequences of `context` bytes.
        batch_size: sequences a step.
        context: bytes a sequence; at inference the context restarts after as many.
        learning_rate: the peak for modern, the factor before 1/sqrt(step) for paper (which uses 1.0).
        warmup_steps: steps of warm-up; for paper the step at which the rate begins to fall.
        seed: of initial weights and order.
        max_bytes: how much of the training text to use.
    """
    from equinfo import pipeline
    from equinfo.compress.models import to_artifact
    from equinfo.corpora import load_corpus, take

    ids = pipeline.byte_stream(take(load_corpus(corpus).documents("train"), max_bytes))
    config = pipeline.m1_config(
        style, size, optimizer=pipeline.optimizer(style, learning_rate, warmup_steps), steps=steps,
        batch_size=batch_size, context=context, seed=seed,
    )  # fmt: skip
    _finished(pipeline.train(config, ids, out, f"M1 {size}"))
    to_artifact(pipeline.export_m1(out, context)).save(out / "byte-model")
    print(out / "byte-model")


@app.command
def train_tokenizer(
    kind: Positional[TRAINED],
    /,
    out: Path,
    corpus: str = "bundled",
    size: int = 4096,
    bits: int = 16,
    m1: Path | None = None,
    max_bytes: int = 1 << 28,
) -> None:
    """Make a tokenizer and save it as a folder.

    Args:
        kind: bpe, unigram (subwords); static-ac, ac (arithmetic coding); equalinfo (equal-info windows).
        out: the folder to write.
        corpus: what to fit it on: bundled, imdb, books, a path or glob, or several joined by +.
        size: ids in the vocabulary; 256, 4096 or 65536 for static-ac, ac and equalinfo.
        bits: bits a window, for equalinfo: 8 to 128.
        m1: the byte model (OUT/byte-model of train-m1), for ac and equalinfo.
        max_bytes: how much of the training text to use.
    """
    from equinfo import pipeline
    from equinfo.compress.models import load_model
    from equinfo.corpora import load_corpus, take

    if kind in ("ac", "equalinfo") and m1 is None:
        raise EquinfoError(f"{kind} needs a byte model: --m1 FOLDER, which `equinfo train-m1` makes")
    documents = [] if m1 else take(load_corpus(corpus).documents("train"), max_bytes)
    made = pipeline.make_tokenizer(kind, size, bits, documents, load_model(m1) if m1 else None)
    made.save(out)
    print(f"{made.name} {made.fingerprint[:12]} in {out}")


@app.command
def train_lm(
    tokenizer: Tokenizer,
    out: Path,
    corpus: str = "bundled",
    size: str = "0.4m",
    style: Literal["modern", "paper"] = "modern",
    steps: int = 200,
    batch_size: int = 16,
    context: int = 256,
    learning_rate: float = 2e-3,
    warmup_steps: int = 20,
    seed: int = 0,
    precision: Literal["float32", "bfloat16"] = "float32",
    max_bytes: int = 1 << 30,
) -> None:
    """Train an M2, a language model on a tokenizer's ids. Run again to resume after a kill.

    Args:
        tokenizer: bytes, gzip8, gzip12, gzip16, or a tokenizer's folder.
        out: folder for checkpoints, metrics and weights.
        corpus: bundled, imdb, books, a path or glob, or several joined by +.
        size: a named size, e.g. 0.4m, 1m, 3m, 25m.
        style: modern (RMSNorm, RoPE, AdamW) or paper (relative attention, gated ReLU, Adafactor).
        steps: optimiser steps of batch_size sequences of `context` ids.
        batch_size: sequences a step.
        context: ids a sequence.
        learning_rate: the peak for modern, the factor before 1/sqrt(step) for paper.
        warmup_steps: steps of warm-up; for paper the step at which the rate begins to fall.
        seed: of initial weights and order.
        precision: float32, or bfloat16 (autocast; weights stay float32).
        max_bytes: how much of the training text to use.
    """
    from equinfo import pipeline
    from equinfo.corpora import load_corpus, take
    from equinfo.tokenizers.registry import load

    chosen = load(tokenizer)
    stream = pipeline.token_stream(chosen, take(load_corpus(corpus).documents("train"), max_bytes), chosen.name)
    config = pipeline.lm_config(
        style, size, chosen.vocab_size, chosen.bos_id, pipeline.optimizer(style, learning_rate, warmup_steps),
        steps=steps, batch_size=batch_size, context=context, seed=seed, precision=precision,
    )  # fmt: skip
    _finished(pipeline.train(config, stream.ids, out, f"{chosen.name} {size}"))
    print(out)


@app.command
def evaluate(
    lm: Path,
    tokenizer: Tokenizer,
    corpus: str = "bundled",
    split: Literal["validation", "train"] = "validation",
    max_bytes: int = 1 << 30,
) -> None:
    """Bits/byte of a trained language model over a corpus, from two sums: nats and bytes.

    Args:
        lm: the folder train-lm wrote.
        tokenizer: the tokenizer it was trained with.
        corpus: bundled, imdb, books, a path or glob, or several joined by +.
        split: validation or train.
        max_bytes: how much text to use (whole documents).
    """
    import math

    from equinfo import pipeline
    from equinfo.corpora import load_corpus, take
    from equinfo.tokenizers.registry import load

    chosen = load(tokenizer)
    stream = pipeline.token_stream(chosen, take(load_corpus(corpus).documents(split), max_bytes))
    measured = pipeline.evaluate(lm, chosen, stream)
    print(f"{chosen.name} on {corpus} {split}: {measured.sum_nats:.3f} nats, {stream.num_bytes} bytes")
    print(f"bits/byte   {measured.bits_per_byte:.4f}")
    print(f"uniform     {math.log2(chosen.code_size) / stream.ratio:.4f}")
    print(f"bytes/token {stream.ratio:.4f}")


@app.command
def run(experiment: Positional[str], /, scale: str = "tiny") -> None:
    """Regenerate a table or figure of the paper: table1, table2, table3, table12, fig3, fig4.

    Runs that have a committed row are not repeated; what is missing is trained, resumed and recorded.

    Args:
        experiment: its name.
        scale: how large everything is; tiny runs on a laptop.
    """
    root = Path(__file__).resolve().parents[1]
    if not (root / "experiments" / "__main__.py").exists():
        raise EquinfoError("experiments are not part of the installed package: run this from a clone of the repository")
    sys.path.insert(0, str(root))
    sys.argv = ["equinfo run", experiment, "--scale", scale]
    runpy.run_module("experiments", run_name="__main__")


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise EquinfoError(f"{name} cannot be read: {error.strerror}") from error


def _write(name: str, data: bytes) -> None:
    if name == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        if Path(name).exists() and not Path(name).is_file():  # a device or pipe: renaming would replace it
            Path(name).write_bytes(data)
            return
        with atomic_file(name) as beside:
            beside.write_bytes(data)
    except OSError as error:
        raise EquinfoError(f"{name} cannot be written: {error.strerror}") from error


def _finished(result) -> None:  # type: ignore[no-untyped-def]  # lm's TrainResult; naming it would import torch
    if result.status != "done":
        raise EquinfoError(f"training ended as {result.status!r} after {result.steps} steps: try a lower learning rate")


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def main() -> None:
    """Entry point: EquinfoErrors become one line and exit status 1."""
    try:
        app.cli(
            prog="equinfo",
            description="Compressed token streams for language models: train, encode, decode, look, measure.",
        )
    except EquinfoError as error:
        print(f"equinfo: {error}", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        print("equinfo: this command trains or runs a language model: pip install 'equinfo[lm]'", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        what = f"{error.filename} cannot be used: " if error.filename else ""
        print(f"equinfo: {what}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("equinfo: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
