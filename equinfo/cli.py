"""The console command `equinfo`."""

import contextlib
import math
import os
import shlex
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from inspect import signature
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tqdm import tqdm
from tyro.conf import Positional, UseAppendAction, arg

from equinfo.artifacts import PRETRAINED, pretrained
from equinfo.errors import EquinfoError, LostRank, did_you_mean, naming_files
from equinfo.files import check_empty
from equinfo.lm.config import M1_TRAINING, Training
from equinfo.streams import mend_streams, named, note, open_input, open_output, say, stdin, stdout
from equinfo.tokenizers.registry import FAMILIES, find_family, load, pretrained_tokenizers

PIECE = 1 << 20  # bytes read at a time
PATIENCE = 1.0  # seconds until others than rank 0 complain
CORPUS = "bundled, imdb, books, hf:NAME[:CONFIG], a folder, path or glob, or several joined by +."

TOKENIZER = (
    f"{', '.join(pretrained_tokenizers())}; bytes, gzip8, zstd8, xz8 (or 1 to 16); or the folder"
    " that train-tokenizer wrote."
)
KINDS = {kind: family for kind, family in FAMILIES.items() if family.needs is not None}
HELP = (
    "Compressed token streams for language models: train, encode, decode, look, measure.\n\n"
    f"Tokenizers, for -t: {TOKENIZER}\nFamilies, for train-tokenizer: {', '.join(KINDS)}.\n"
    "`equinfo list` says what they are, `equinfo --version` which equinfo this is."
)

app = tyro.extras.SubcommandApp()

Tokenizer = Annotated[str, arg(aliases=["-t"], metavar="T")]
AnyTokenizer = Annotated[str, arg(aliases=["-t"], metavar="T", help=TOKENIZER)]
OwnTokenizer = Annotated[
    str | None, arg(aliases=["-t"], metavar="T", help=f"by default the LM's own: {TOKENIZER}")
]
Tokenizers = UseAppendAction[
    Annotated[
        tuple[str, ...], arg(aliases=["-t"], metavar="T", help=f"may be repeated: {TOKENIZER}")
    ]
]
Corpus = Annotated[str, arg(help=CORPUS)]
Out = Annotated[str, arg(metavar="PATH")]
Overwrite = Annotated[
    bool,
    arg(
        help="replace what equinfo wrote in OUT, and begin anew; other files stay. Without it,"
        " OUT is new or empty, or holds what the same command has begun, which then goes on.",
    ),
]
Flat = Annotated[Training, arg(name="")]  # each field an option of the command itself
Kind = Annotated[
    str,
    arg(
        metavar="FAMILY",
        help="; ".join(f"{kind}: {family.about}" for kind, family in KINDS.items()) + ".",
    ),
]


@app.command
def encode(
    input: Positional[Annotated[str, arg(metavar="IN")]],
    /,
    tokenizer: AnyTokenizer,
    output: Annotated[str, arg(aliases=["-o"], metavar="OUT")] = "-",
) -> None:
    """Turn a file into a token file; any file comes back identical through `decode`.

    Reads and writes piece by piece: a pipe of any length, in constant memory where the tokenizer
    can.

    Args:
        input: the file to read; - for standard input.
        output: the token file to write, whole or not at all; - for standard output.
    """
    from equinfo import tokenfile

    if output == "-" and stdout().isatty():
        raise EquinfoError("a token file is no text for a terminal: name a file, -o FILE.ids")
    chosen = load(tokenizer)
    with (
        open_input(input) as source,
        open_output(output) as target,
        _elapsed(f"{chosen.name} encodes"),
    ):
        pieces = iter(lambda: source.read(PIECE), b"")
        counts = tokenfile.write(chosen, named(pieces, input), target)
    if counts.num_bytes:
        ratio = f"{counts.num_bytes / max(counts.num_ids, 1):.2f} bytes/id"
        note(f"{chosen.name}: {counts.num_bytes} bytes -> {counts.num_ids} ids, {ratio}")
    if output != "-":
        _next("decode", output, "-t", tokenizer, "-o", f"{output}.back")


@app.command
def decode(
    input: Positional[Annotated[str, arg(metavar="IN")]],
    /,
    tokenizer: Tokenizer,
    output: Annotated[str, arg(aliases=["-o"], metavar="OUT")] = "-",
) -> None:
    """Turn a token file back into the bytes it came from.

    A damaged token file gives an error and no output file. On standard output, the bytes before the
    damage may have gone by then: they are right, but not all; check the exit status.

    Args:
        input: the token file; - for standard input.
        tokenizer: the tokenizer that wrote it (another one is refused).
        output: the file to write, whole or not at all; - for standard output.
    """
    from equinfo import tokenfile

    chosen = load(tokenizer)
    name = "standard input" if input == "-" else input
    written = 0
    with (
        open_input(input) as source,
        open_output(output) as target,
        _elapsed(f"{chosen.name} decodes"),
    ):
        try:
            for piece in named(tokenfile.read(chosen, source, name), name):
                written += target.write(piece)
        except EquinfoError as error:
            if output != "-" or not written:
                raise
            raise EquinfoError(
                f"{error} (the {written} bytes on standard output are only its beginning)"
            ) from error


@app.command
def show(text: Positional[Annotated[str, arg(metavar="TEXT")]], /, tokenizer: Tokenizers) -> None:
    """Show how a tokenizer cuts a text: coloured pieces, ids, bits; or how several do, side by
    side.

    Ids that have no bytes of their own (arithmetic coding, gzip) come as one piece: that is the
    point of the paper.

    Args:
        text: the text; - to read standard input (4,096 bytes at most).
    """
    from equinfo.show import render, render_several
    from equinfo.tokenizers.imported import open_any

    if not tokenizer:
        raise EquinfoError("name one tokenizer or more: -t bytes -t FOLDER")
    colour = stdout().isatty()
    data = stdin().read(4097) if text == "-" else text.encode("utf-8", "surrogateescape")
    if len(data) > 4096:
        raise EquinfoError("there is too much to show: pass 4,096 bytes at most")
    chosen = [open_any(name) for name in tokenizer]
    with _elapsed("cutting"):
        columns = shutil.get_terminal_size((100, 24)).columns
        several = len(chosen) > 1
        drawn = (
            render_several(chosen, data, colour, columns)
            if several
            else render(chosen[0], data, colour)
        )
    say(drawn)
    _next("train-lm", "-t", tokenizer[0], "--out", "lm")


@app.command
def compare(
    file: Positional[Annotated[str, arg(metavar="FILE", help=CORPUS)]],
    /,
    tokenizer: Tokenizers = (),
    lm: UseAppendAction[Annotated[tuple[str, ...], arg(metavar="LM")]] = (),
    split: Literal["all", "train", "validation"] = "all",
    max_bytes: int = 1 << 30,
    json: bool = False,
    picture: Annotated[str | None, arg(metavar="PICTURE")] = None,
) -> None:
    """Measure tokenizers on a text of yours: bytes/id, bits/byte, MB/s, what they never use.

    For -t also: a folder of transformers, a tokenizer.json, a SentencePiece .model, and hf:NAME,
    a tokenizer on the Hugging Face hub. docs/compare.md says how each figure is found.

    Args:
        lm: a folder that train-lm wrote, for its bits/byte in the row of its tokenizer.
        split: all of the text, or what training takes of it or leaves out.
        max_bytes: how much of the text to use (whole documents).
        json: print one JSON object in place of the table.
        picture: draw bits/byte against bytes/id into this .png, .svg or .pdf.
    """
    from dataclasses import asdict
    from json import dumps

    from equinfo import comparison

    stdout()
    if picture is not None:
        comparison.check_picture(picture)
    with _elapsed("loading") as doing:
        found = comparison.compare(
            file, tokenizer, lms=lm, split=split, max_bytes=max_bytes, progress=doing
        )
    say(dumps(asdict(found), indent=2) if json else found)
    if picture is not None:
        found.draw(picture)
    shown = [word for name in tokenizer for word in ("-t", name)]
    if shown:
        _next("show", *shown, "A sentence of yours.")
    else:
        _next("generate", "A beginning", "--lm", lm[0])


@app.command
def train_m1(
    out: Out,
    training: Flat = M1_TRAINING,
    corpus: Corpus = "bundled",
    order: int | None = None,
    max_bytes: int = 1 << 30,
    overwrite: Overwrite = False,
) -> None:
    """Train an M1, the byte LM that drives coder and windows. Run again to resume after a kill.

    With --order it only counts what follows every 1, 2, ... bytes of the text: seconds, no network,
    no torch.

    Args:
        out: folder for checkpoints and metrics; the byte model itself goes into OUT/byte-model.
        order: bytes of context, 1 to 6, for an M1 of counts; all else but corpus and max_bytes is
            for networks.
        max_bytes: how much of the training text to use.
    """
    from equinfo import api

    options: dict[str, Any] = {"order": order, "max_bytes": max_bytes, "overwrite": overwrite}
    with _one_voice():
        with _going_on(out), _elapsed("counting" if order else "M1 in all"):
            api.train_m1(out, corpus, progress=f"M1 {training.size}", **options, **vars(training))
        say(Path(out) / "byte-model")
        _next("train-tokenizer", "equalinfo", "--m1", Path(out) / "byte-model", "--corpus", corpus,
              "--out", "windows")  # fmt: skip


@app.command
def train_tokenizer(
    kind: Positional[Kind],
    /,
    out: Out,
    corpus: Annotated[str, arg(help=f"what to fit it on: {CORPUS}")] = "bundled",
    size: int = 4096,
    bits: int = 16,
    m1: Path | None = None,
    max_bytes: int = 1 << 28,
    rule: Literal["free", "delay", "reserve", "rank", "paper", "unflushed"] = "free",
    reset: int = 1,
    compile: bool = True,
    text: int = 8,
    mode: Literal["free", "aligned", "superword", "strict"] = "superword",
    parse: Literal["longest", "fewest", "likeliest"] = "longest",
    pretokens: Literal["words", "superwords", "free"] = "words",
    transition: float = 0.9,
    case: bool = False,
    level: int | None = None,
    block: int = 10_240,
    raw: bool = False,
    overwrite: Overwrite = False,
) -> None:
    """Make a tokenizer and save it as a folder.

    Args:
        out: the folder to write.
        size: ids in the vocabulary; a power of two but for bpe and unigram: 512 to 262144 for
            codebook (or 3 less: 65533 and the three special ids fit uint16), else 2 to 65536.
        bits: bits a window, for equalinfo: 8 to 128.
        m1: the byte model (OUT/byte-model of train-m1, or english-m1, english-m1-windows), for ac,
            equalinfo and equaltext, and to grow a codebook.
        max_bytes: how much of the training text to use.
        rule: what ends a window, for equalinfo (docs/windows.md); paper and unflushed are for
            reproductions, they lose text.
        reset: M1's context begins anew at every so many-th window, for equalinfo; 0 for never.
            Other than 1, the rules paper and unflushed encode only.
        compile: list all windows of at most 20 bits in the tokenizer, which then needs no M1 (not
            with a reset, nor with the rules delay and unflushed).
        text: bytes a window, for equaltext.
        mode: pieces of a codebook: free, aligned (inside pretokens), superword (over boundaries
            only to end at one), strict (and only if they begin at one).
        parse: a codebook's longest pieces first, the fewest, or the likeliest by their counts.
        pretokens: what pieces of bpe and unigram may cross: nothing that cuts words, spaces
            (superwords, as in SuperBPE), or anything (free).
        transition: the share of the ids that bpe learns inside words before superwords.
        case: write capitals as signs before words of small letters, for bpe, unigram and codebooks
            that are fitted; any text comes back as it was.
        level: effort of gzip (1 to 12), zstd (1 to 19) or xz (0 to 9); their own default if not
            given.
        block: bytes a stream, for gzip, zstd and xz.
        raw: gzip without header and checksum.
    """
    from equinfo import api

    given: dict[str, Any] = {"rule": rule, "reset": reset, "compile": compile, "text": text}
    given |= {"mode": mode, "parse": parse, "level": level, "block": block, "raw": raw}
    given |= {"pretokens": pretokens, "transition": transition, "case": case}
    # what a family has not is refused where it was asked for, and else left out
    known, asked = find_family(kind).options, signature(train_tokenizer).parameters
    options = {n: v for n, v in given.items() if n in known or v != asked[n].default}
    options |= {"size": size, "bits": bits, "m1": m1, "max_bytes": max_bytes}
    options |= {"overwrite": overwrite}
    with _elapsed(f"making {kind}"):
        made = api.train_tokenizer(kind, out, corpus, **options)
    say(f"{made.name} {made.fingerprint[:12]} in {out}")
    _next("show", "-t", out, "any text")
    _next("train-lm", "-t", out, "--corpus", corpus, "--out", "lm")


@app.command
def import_tokenizer(
    source: Positional[Annotated[str, arg(metavar="SOURCE")]],
    /,
    out: Out,
    overwrite: Overwrite = False,
) -> None:
    """Take over a Hugging Face or SentencePiece tokenizer, as a baseline; saved as a folder like
    any other.

    Args:
        source: a tokenizer.json, a SentencePiece .model, a folder of transformers', or a name on
            the hub.
        out: the folder to write.
    """
    from equinfo.tokenizers.imported import from_pretrained

    check_empty(out, overwrite)
    made = from_pretrained(source)
    made.artifact.save(out, overwrite)
    caveat = "" if made.lossless else " (not lossless: some texts come back changed)"
    if made.lossless and not made.proven:
        caveat = " (perhaps not lossless: a text that would come back changed is refused)"
    say(f"{made.name} {made.fingerprint[:12]} in {out}{caveat}")


@app.command
def tokenize(
    tokenizer: AnyTokenizer,
    out: Out,
    corpus: Corpus = "bundled",
    split: Literal["train", "validation"] = "train",
    mode: Literal["document", "block"] = "document",
    block_bytes: int = 10_240,
    engine: Literal["processes", "ray"] = "processes",
    workers: int | None = None,
    part: Annotated[str | None, arg(metavar="K/N")] = None,
    shard_bytes: int = 1 << 24,
    max_bytes: int | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a corpus's ids to a folder of memory-mappable shards, for train-lm --shards. Run again
    to resume.

    Args:
        out: the folder to write.
        split: train or validation.
        mode: document (each by itself, EOS after it) or block (the paper's: 128 documents joined,
            cut to blocks).
        block_bytes: bytes a block, for mode block.
        engine: processes of this machine, or ray, there or on the cluster that RAY_ADDRESS names.
        workers: processes; by default one a core. The files are the same for any number.
        part: 3/64 for the third of 64 shares of the corpus's files, each made by a command of its
            own; merge makes shards of all.
        shard_bytes: text a shard, about.
        max_bytes: how much text to use (whole documents); all by default.
    """
    from equinfo.sharding import tokenize_corpus

    with _going_on(out):
        shards = tokenize_corpus(
            tokenizer, corpus, out, split=split, mode=mode, block_bytes=block_bytes,
            engine=engine, workers=workers, part=part, shard_bytes=shard_bytes,
            max_bytes=max_bytes, progress="tokenize", overwrite=overwrite,
        )  # fmt: skip
    say(shards)
    if part is None:
        _next("train-lm", "--shards", out, "--out", "lm")
    else:
        _next("merge", out, "THE OTHER PARTS", "--out", "ids")


@app.command
def merge(
    parts: Positional[Annotated[tuple[str, ...], arg(metavar="PART...")]],
    /,
    out: Out,
    overwrite: Overwrite = False,
) -> None:
    """Make shards of the folders that tokenize --part wrote, all of them, in any order.

    Args:
        parts: the folders.
        out: the folder to write: the files that one tokenize of all would have written.
    """
    from equinfo.sharding import merge_shards

    with _elapsed("merging"):
        shards = merge_shards(parts, out, overwrite=overwrite)
    say(shards)
    _next("train-lm", "--shards", out, "--out", "lm")


@app.command
def export(
    shards: Positional[Annotated[Path, arg(metavar="SHARDS")]],
    /,
    out: Out,
    format: Literal["parquet", "arrow", "nanogpt", "llmc", "megatron"],
    validation: Path | None = None,
    context: int | None = None,
    wide: bool = False,
    overwrite: Overwrite = False,
) -> None:
    """Write shards in the format of another loader, with an equinfo.json of the bytes that the ids
    stand for.

    Args:
        shards: the folder that tokenize wrote.
        out: the folder to write, whole or not at all.
        format: parquet or arrow (Hugging Face datasets), nanogpt (train.bin), llmc, or megatron
            (.bin and .idx).
        validation: shards of the same tokenizer, for the split of that name.
        context: for parquet and arrow: rows of BOS and as many ids, for training, instead of
            documents.
        wide: for nanogpt: 32-bit ids, which vocabularies above 65,536 need and nanoGPT itself does
            not read.
    """
    from equinfo.formats import export as write

    options: dict[str, Any] = {"context": context, "wide": wide, "overwrite": overwrite}
    with _elapsed(f"writing {format}"):
        info = write(shards, out, format, validation=validation, **options)
    splits = ", ".join(
        f"{name}: {split['num_ids']} ids of {split['num_bytes']} bytes"
        for name, split in info["splits"].items()
    )
    say(f"{info['tokenizer']['name']} as {format} in {out}: {splits}")


@app.command
def info(path: Positional[Annotated[str, arg(metavar="PATH")]], /) -> None:
    """Say what a file or folder of equinfo's is: whose ids, how many, what to do with it next.

    Args:
        path: whatever equinfo wrote, or the name of a tokenizer or M1 that ships with it.
    """
    from equinfo import inspection

    say(inspection.info(path))


@app.command
def verify(
    path: Positional[Annotated[str, arg(metavar="PATH")]],
    /,
    against: Annotated[str | None, arg(metavar="SOURCE")] = None,
    tokenizer: Annotated[str | None, arg(aliases=["-t"], metavar="T")] = None,
    split: Literal["train", "validation"] | None = None,
    max_bytes: int | None = None,
    sample: int = 200,
    seed: int = 0,
) -> None:
    """Read all of what equinfo wrote: format, lengths, checksums. Damage is one line that names the
    file, and exit status 1.

    Args:
        path: a token file, shards or one of them, an export, a tokenizer, an M1, a training or a
            checkpoint.
        against: what it was made from, to be compared: the file that a token file encodes, the
            corpus of shards.
        tokenizer: the tokenizer of a token file, with --against; shards hold theirs.
        split: of the corpus; by default the one that the shards name.
        max_bytes: as given to tokenize.
        sample: documents (or blocks) of shards to decode; the sizes of all are compared.
        seed: of the sample.
    """
    from equinfo import inspection

    options: dict[str, Any] = {"tokenizer": tokenizer, "split": split, "max_bytes": max_bytes}
    with _elapsed("reading"):
        found = inspection.verify(path, against, sample=sample, seed=seed, **options)
    say(f"{path}: {found.kind}, whole: {found.facts['checked']}")


@app.command
def train_lm(
    out: Out,
    training: Flat = Training(),  # noqa: B008  # a frozen value
    tokenizer: Annotated[
        str | None, arg(aliases=["-t"], metavar="T", help=f"not needed with --shards: {TOKENIZER}")
    ] = None,
    corpus: Corpus = "bundled",
    shards: Path | None = None,
    place: bool = False,
    bigrams: int = 0,
    shares: bool = False,
    canonical: bool = False,
    depth_capacity: float = 1.0,
    experts: int = 1,
    experts_per_token: int = 2,
    expert_capacity: float = 2.0,
    start: Annotated[Path | None, arg(metavar="LM")] = None,
    start_optimizer: bool = False,
    keep_optimizer: bool = False,
    tensorboard: bool = False,
    sharded: bool | None = None,
    max_bytes: int = 1 << 30,
    overwrite: Overwrite = False,
) -> None:
    """Train an M2, a language model on a tokenizer's ids. Run again to resume after a kill.

    On several devices or machines: torchrun ... -m equinfo.cli train-lm ..., the same result.

    Args:
        out: folder for checkpoints, metrics and weights.
        shards: the folder that tokenize wrote, in place of a corpus.
        place: tell the model each id's place in its window, where windows are several ids.
        bigrams: rows of an embedding of the last two ids, hashed: 5 times the vocabulary is usual;
            0 for none.
        shares: add the input embedding again before every block, times a number that is learned.
        canonical: give no probability to ids that the tokenizer never writes after the one before.
        depth_capacity: the share of positions that every other block computes: a mixture of depths.
        experts: MLPs in every other block, of which each position takes the best few.
        experts_per_token: how many of them.
        expert_capacity: how many times its even share of a sequence one takes in training at most;
            0 for no limit.
        start: an LM of the same ids to begin with, whose architecture this one has.
        start_optimizer: begin with the state of its optimiser as well.
        keep_optimizer: keep that state beside the weights, for start_optimizer and upcycle.
        tensorboard: write metrics to OUT/tensorboard as well.
        sharded: under torchrun, whether each process holds a share of the weights alone; by default
            from a billion of them on.
        max_bytes: how much of the training text to use.
    """
    from equinfo import api

    options: dict[str, Any] = {"place": place, "canonical": canonical, "max_bytes": max_bytes}
    options |= {"tensorboard": tensorboard, "sharded": sharded}
    label = training.size if start is None else f"from {start}"
    options |= {"shards": shards, "progress": label, "overwrite": overwrite}
    options |= {"bigrams": bigrams, "shares": shares, "depth_capacity": depth_capacity}
    options |= {"experts": experts, "experts_per_token": experts_per_token}
    options |= {"expert_capacity": expert_capacity, "start": start}
    options |= {"start_optimizer": start_optimizer, "keep_optimizer": keep_optimizer}
    with _one_voice():
        with _going_on(out):
            result = api.train_lm(out, tokenizer, corpus, **options, **vars(training))
        took = f"{training.steps} steps in {result.seconds:.0f} s"
        note(f"{label}: {took}, {result.loss:.3f} nats/token")
        say(out)
        _next("evaluate", "--lm", out, "--corpus", corpus)
        _next("generate", "A beginning", "--lm", out)


@app.command
def upcycle(
    lm: Positional[Annotated[Path, arg(metavar="LM")]],
    /,
    out: Out,
    experts: int = 8,
    experts_per_token: int = 2,
    expert_capacity: float = 2.0,
    seed: int = 0,
    overwrite: Overwrite = False,
) -> None:
    """Make of a dense LM one of experts, copies of its MLPs: it predicts the same until trained on.

    Args:
        lm: the folder that train-lm wrote.
        out: the folder to write, for train-lm --start.
        experts: MLPs in every other block.
        experts_per_token: how many of them each position takes.
        expert_capacity: how many times its even share of a sequence one takes in training at most;
            0 for no limit.
        seed: of the first weights of what chooses them.
    """
    from equinfo import upcycling

    options: dict[str, Any] = {"experts_per_token": experts_per_token, "overwrite": overwrite}
    options |= {"expert_capacity": expert_capacity, "seed": seed}
    with _elapsed("copying"):
        made = upcycling.upcycle(lm, out, experts=experts, **options)
    active = round(made.active_parameters())
    say(f"{experts} experts in {out}: {made.parameters:,} parameters, {active:,} a position")
    carried = ["--start-optimizer"] * (Path(out) / "optimizer").is_dir()
    _next("train-lm", "--start", out, *carried, "--seed", "1", "--out", "upcycled")


@app.command
def generate(
    prompt: Positional[Annotated[str, arg(metavar="PROMPT")]],
    /,
    lm: Path,
    tokenizer: OwnTokenizer = None,
    max_ids: int = 256,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    samples: int = 1,
) -> None:
    """Continue a text with a trained language model. One sample is printed as it is drawn.

    Args:
        prompt: the text to continue; - for standard input.
        lm: the folder train-lm wrote.
        tokenizer: the tokenizer it was trained with, which its folder holds; another is refused.
        max_ids: how many ids to draw at most.
        temperature: 0 takes the likeliest id, 1 the model's own distribution.
        top_k: draw from so many of the likeliest ids; 0 for all.
        top_p: draw from the fewest ids whose shares sum to this.
        seed: of the draws.
        samples: how many continuations.
    """
    from equinfo import generation

    stdout()
    options: dict[str, Any] = {"max_ids": max_ids, "temperature": temperature, "seed": seed}
    options |= {"top_k": top_k, "top_p": top_p}
    data = stdin().read() if prompt == "-" else prompt.encode("utf-8", "surrogateescape")
    shown = data.decode("utf-8", "replace")
    if samples == 1:
        pieces = generation.stream(lm, tokenizer, data, **options)
        first = next(pieces, "")  # bad input shows here, before anything is printed
        for piece in chain([shown, first], pieces):
            say(piece, end="")
        say("")
        return
    drawn = generation.generate(lm, tokenizer, data, samples=samples, **options)
    for number, sample in enumerate(drawn):
        say(f"--- {number} ({sample.ended})\n{shown}{sample.text}")


@app.command
def evaluate(
    lm: Path,
    tokenizer: OwnTokenizer = None,
    corpus: Corpus = "bundled",
    split: Literal["validation", "train"] = "validation",
    max_bytes: int = 1 << 30,
) -> None:
    """Bits/byte of a trained language model over a corpus, from two sums: nats and bytes.

    Args:
        lm: the folder train-lm wrote.
        tokenizer: the tokenizer it was trained with, which its folder holds; another is refused.
        split: validation or train.
        max_bytes: how much text to use (whole documents).
    """
    from equinfo import api
    from equinfo.generation import tokenizer_of

    stdout()
    chosen = tokenizer_of(lm, tokenizer)  # needs torch: before the corpus is read
    with _elapsed("measuring"):
        stream = api.token_stream(chosen, corpus, split=split, max_bytes=max_bytes)
        measured = api.evaluate(lm, chosen, stream)
    nats = f"{measured.sum_nats:.3f} nats"
    say(f"{chosen.name} on {corpus} {split}: {nats}, {stream.num_bytes} bytes")
    say(f"bits/byte   {measured.bits_per_byte:.4f}")
    say(f"uniform     {math.log2(chosen.code_size) / stream.ratio:.4f}")
    say(f"bytes/token {stream.ratio:.4f}")
    _next("generate", "A beginning", "--lm", lm)


@app.command
def playground(
    tokenizer: Tokenizers = (),
    lm: Path | None = None,
    lm_tokenizer: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    open: bool = False,
) -> None:
    """A local page: type text and see it cut by several tokenizers, side by side.

    Args:
        tokenizer: a name or folder; may be repeated. By default some of those that ship.
        lm: a folder that train-lm wrote, to generate text with.
        lm_tokenizer: the tokenizer it was trained with, which its folder holds.
        host: who may reach the page; the default is this machine alone.
        port: of the page.
        open: open the page in a browser.
    """
    from equinfo.playground.server import serve

    serve(tokenizer or None, lm, lm_tokenizer, host, port, open)


@app.command(name="list")
def list_() -> None:
    """List the ready-made tokenizers and M1s, and the families that train-tokenizer makes."""
    say(f"{'ready-made, for -t':22}{'ids':>7}   bytes/token of imdb, King James")
    made = pretrained_tokenizers()
    for name in made:
        _, _, about, *lines = (PRETRAINED / f"{name}.md").read_text(encoding="utf-8").splitlines()
        cells = [line.split(" | ") for line in lines if " | " in line]
        rates = {first: second for first, second, *_ in cells}
        rate = f"{rates['| imdb']}, {rates['| bundled']}"
        say(f"{name:22}{load(name).code_size:7,}   {rate}   {about}")
    say(f"{'bytes':22}{256:7,}   1")
    say(f"{'gzip8, zstd8, xz8':22}{256:7,}   the number is the bits of an id: 1 to 16")
    say(f"\nready-made, for --m1: {', '.join(name for name in pretrained() if name not in made)}")
    say("\nfamilies, for train-tokenizer:")
    for kind, family in KINDS.items():
        say(f"  {kind:15} {family.about}")
    _next("show", "-t", "english-64k", "-t", "gzip8", "any text")


def _next(*words: str | Path) -> None:
    """The command to try now; on standard error, and for people only."""
    if sys.stderr is not None and sys.stderr.isatty():
        note(f"next: equinfo {shlex.join(map(str, words))}")


def _compiling() -> None:
    note("equinfo: compiling kernels, once: 5 to 20 s")


@contextlib.contextmanager
def _elapsed(doing: str) -> Iterator[Callable[[str], None]]:
    """In a terminal, the seconds that it takes, once those are two; and what compiling adds.

    Yields what says that it does something else now.
    """
    from equinfo.compress.jit import on_compiling

    on_compiling(_compiling)
    over = threading.Event()
    shape = {"bar_format": "{desc}: {elapsed}", "delay": 2, "leave": False, "disable": None}

    def say(doing: str) -> None:
        bar.set_description_str(doing, refresh=False)

    def tick() -> None:
        with bar:
            while not over.wait(0.5):
                bar.update()

    bar = tqdm(file=sys.stderr, **shape)
    say(doing)
    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield say
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _one_voice() -> Iterator[None]:
    """Of the processes that torchrun starts rank 0 alone speaks.

    The others say why they end, too, if rank 0 has not ended: torchrun ends all once one has.
    """
    if os.environ.get("RANK", "0") == "0" or "MASTER_PORT" not in os.environ:
        yield
        return
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        try:
            yield
        except LostRank:
            raise
        except EquinfoError:
            time.sleep(PATIENCE)
            raise
        except KeyboardInterrupt:
            sys.exit(130)


@contextlib.contextmanager
def _going_on(out: str) -> Iterator[None]:
    """An interruption says to run again, once there is something in `out` to go on from."""
    try:
        yield
    except KeyboardInterrupt:
        kept = any(any(Path(out).glob(begun)) for begun in ("checkpoint-*", "shard-*"))
        raise KeyboardInterrupt("run again to go on" if kept else "nothing is kept") from None


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    tqdm.write(f"equinfo: {message}", file=sys.stderr)  # above a bar that is being drawn


def main() -> None:
    """Entry point: EquinfoErrors become one line and exit status 1, warnings one line each."""
    mend_streams()
    warnings.showwarning = _show_warning
    message = ""
    status: Any = None  # no exit
    try:
        with naming_files():
            _look_ahead(sys.argv[1:2])
            app.cli(prog="equinfo", description=HELP)
    except SystemExit as stop:
        status = stop.code or 0
    except EquinfoError as error:
        message, status = str(error), 1
    except BrokenPipeError:
        status = 1
    except KeyboardInterrupt as stop:
        message, status = ": ".join(["interrupted", *map(str, stop.args)]), 130
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:  # Python would try again, and fail in more words
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            message = message or f"standard output cannot be written: {error.strerror}"
        status = status or 1
    if message:
        note(f"equinfo: {message}")
    if status is not None:
        sys.exit(status)


def _look_ahead(first: list[str]) -> None:
    """The version, and a misspelt command in one line, before tyro sees them."""
    if first == ["--version"]:
        from equinfo import __version__

        say(f"equinfo {__version__}")
        sys.exit(0)
    commands = [name.strip("_").replace("_", "-") for name in app._subcommands]
    for word in first:
        if not word.startswith("-") and word.replace("_", "-") not in commands:
            close = did_you_mean(word, commands)
            raise EquinfoError(f"no command {word!r}{close} (equinfo --help has all)")


if __name__ == "__main__":
    main()
