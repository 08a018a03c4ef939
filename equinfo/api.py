"""The steps of the chain, a function each: what `equinfo.train_m1` and its sisters are, and what
the command calls.

Wherever a tokenizer is asked for, its name or folder will do; wherever a corpus is, a name or path
(see `equinfo.load_corpus`) or a list of documents, str or bytes. Text is counted in bytes of UTF-8.
Paths are str or Path. `progress` is a bar's label on standard error, None for none. `overwrite`:
what equinfo wrote in `out` earlier is replaced; without it, `out` is new or empty, or holds what
the same call has begun. Every error that a user can cause is an EquinfoError of one line; what is
left out of a corpus is a warning.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from equinfo.compress.models.base import EOD, SYMBOLS, ByteModel, load_model, to_artifact
from equinfo.corpora import AnyCorpus, batched, documents_of, limited, take
from equinfo.errors import EquinfoError, naming_files, needing
from equinfo.files import as_path, check_empty, clear, target
from equinfo.generation import pair
from equinfo.lm.config import M1_TRAINING, Training, dimensions, mask_weights
from equinfo.shards import Shards, TokenStream
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import KEPT, find_family, kept, load, make

if TYPE_CHECKING:
    from equinfo.lm.evaluate import Evaluation
    from equinfo.lm.train import TrainResult

MAX_BYTES = 1 << 30
AnyTokenizer = Tokenizer | Path | str


@naming_files()
def train_m1(
    out: Path | str,
    corpus: AnyCorpus = "bundled",
    *,
    order: int | None = None,
    max_bytes: int = MAX_BYTES,
    progress: str | None = None,
    overwrite: bool = False,
    **training: Any,
) -> ByteModel:
    """Train M1, the byte LM that drives the coder (§3.3), in folder `out`; the byte model is saved
    in out/byte-model.

    order: bytes of context (1 to 6) of an M1 of counts: no network, no torch, no training.
    max_bytes: of training text (`corpora.limited`). training: size, style, steps, ..., the fields
    of `lm.config.Training`, by default as in M1_TRAINING; the context restarts at inference after
    as many bytes as in training. Called again, it goes on from the last checkpoint.
    """
    out = target(out)
    chosen = M1_TRAINING.but(**training)
    if order is None:  # what cannot be trained is refused before the corpus is read
        config = chosen.config(SYMBOLS, EOD)  # EOD as BOS: "nothing yet" and "an end" are one
        with needing("lm", "a language model"):
            from equinfo.lm.bridge import to_byte_model
            from equinfo.lm.ranks import is_main
            from equinfo.lm.train import load_lm, train
    documents = take(documents_of(corpus), max_bytes, say=True)
    if order is not None:
        from equinfo.compress.models.counts import CountModel

        check_empty(out, overwrite)
        model: ByteModel = CountModel.train(documents, order)
        if overwrite:
            clear(out)
    else:
        ids = byte_stream(documents)
        _finished(train(config, ids, out, progress=progress, overwrite=overwrite))
        model = to_byte_model(load_lm(out), chosen.context, ids)
    if order is not None or is_main():
        to_artifact(model).save(out / "byte-model")
    return model


@naming_files()
def train_tokenizer(
    kind: str,
    out: Path | str | None = None,
    corpus: AnyCorpus = "bundled",
    *,
    size: int = 4096,
    bits: int = 16,
    m1: ByteModel | Path | str | None = None,
    max_bytes: int = 1 << 28,
    overwrite: bool = False,
    **options: Any,
) -> Tokenizer:
    """Fit a tokenizer on a corpus, or build it over a byte model; saved as folder `out`, if given.

    kind: bpe, unigram, static-ac, ac, equalinfo, ...: a row of `tokenizers.registry.FAMILIES`.
    size: ids in the vocabulary; a power of two, 2 to 65536, where ids are cut from bits, and for
    codebook (512 or more, or 3 less than one). bits: of a window. m1: the byte model, its folder or
    the name of one that ships with the package, for ac and equalinfo, and for a codebook that is to
    be grown and not fitted. options: the family's own. Windows of at most 20 bits are compiled (no
    M1 is kept) where their rule and reset allow it, unless compile=False.
    """
    family = find_family(kind)
    if out is not None:
        check_empty(out, overwrite)
    given: Any = m1
    model = given if m1 is None or hasattr(m1, "frequencies") else load_model(as_path(given))
    defaults = {"bits": bits, "compile": True}
    options = {name: defaults[name] for name in defaults if name in family.options} | options
    documents = take(documents_of(corpus), max_bytes, say=True) if family.reads(model) else []
    made = make(kind, size, documents, model, **options)
    if out is not None:
        made.artifact.save(out, overwrite)
    return made


def token_stream(
    tokenizer: AnyTokenizer,
    corpus: AnyCorpus = "bundled",
    *,
    split: str = "train",
    max_bytes: int = MAX_BYTES,
    progress: str | None = None,
) -> TokenStream:
    """A corpus's ids in memory: documents, an EOS after each, and the bytes they stand for."""
    chosen = load(tokenizer)
    documents = limited(documents_of(corpus, split), max_bytes, say=True)
    encoded: list[np.ndarray] = []
    num_bytes = 0
    with tqdm(
        desc=progress, unit="B", unit_scale=True, disable=progress is None, file=sys.stderr
    ) as bar:
        for batch in batched(documents):
            encoded += chosen.encode_batch(batch)
            size = sum(map(len, batch))
            num_bytes += size
            bar.update(size)
    if not any(map(len, encoded)):
        raise EquinfoError("there is no text to encode: the corpus is empty")
    return TokenStream.of(encoded, chosen.eos_id, num_bytes)


def byte_stream(documents: Iterable[bytes]) -> np.ndarray:
    """M1's training ids, uint16[bytes + documents]: the bytes, EOD (256) after each document."""
    parts = [np.frombuffer(document + b"\0", np.uint8).astype(np.uint16) for document in documents]
    for part in parts:
        part[-1] = EOD
    if not parts:
        raise EquinfoError("there is no text to train on: the corpus is empty")
    return np.concatenate(parts)


@naming_files()
def train_lm(
    out: Path | str,
    tokenizer: AnyTokenizer | None = None,
    corpus: AnyCorpus | TokenStream = "bundled",
    *,
    shards: Shards | Path | str | None = None,
    max_bytes: int = MAX_BYTES,
    place: bool = False,
    bigrams: int = 0,
    shares: bool = False,
    canonical: bool = False,
    depth_capacity: float = 1.0,
    experts: int = 1,
    experts_per_token: int = 2,
    expert_capacity: float = 2.0,
    start: Path | str | None = None,
    start_optimizer: bool = False,
    keep_optimizer: bool = False,
    tensorboard: bool = False,
    sharded: bool | None = None,
    progress: str | None = None,
    overwrite: bool = False,
    **training: Any,
) -> TrainResult:
    """Train M2, a decoder over a tokenizer's ids, in folder `out`: on a corpus, on its stream, or
    on shards.

    The folder remembers the tokenizer, and holds it if it can be had: evaluation and generation
    refuse another. shards: what `tokenize_corpus` wrote; then `corpus` is not used and `tokenizer`,
    if given, only checked. place: tell it each id's place in its window, which every decoder knows,
    by an embedding that costs no FLOPs; for windows of several ids (Tokenizer.period). bigrams:
    rows of an embedding of the last two ids, no FLOPs either; five times the vocabulary is usual.
    shares: add the input embedding again before every block, times a number that is learned.
    canonical: give no probability to ids that the tokenizer never writes after the one before
    (Tokenizer.canonical_mask), in training and wherever the LM is used. depth_capacity, experts,
    experts_per_token, expert_capacity: mixture of depths and of experts (lm.config.DecoderConfig).
    start: the folder of an LM, whose architecture and weights this one begins with in place of all
    these and `size` (and whose tokenizer it takes, where none is named); start_optimizer: with its
    optimiser's state as well, where keep_optimizer left that in the folder. tensorboard, sharded:
    see lm/train.py. training: size, style, steps, ..., the fields of `lm.config.Training`. Called
    again, it goes on from the last checkpoint. Raises EquinfoError where the loss is lost.
    """
    out = target(out)
    with needing("lm", "a language model"):
        from equinfo.lm.ranks import is_main
        from equinfo.lm.train import beginning, load_train_config, train, trained_with
    settings = Training().but(**training)
    begun = None if start is None else trained_with(start)
    if tokenizer is None and shards is None and start is not None:
        tokenizer = kept(start)
    chosen = None if tokenizer is None else load(tokenizer)
    if shards is not None:
        source: Any = shards if isinstance(shards, Shards) else Shards(shards)
        if target(source.folder) == out:
            raise EquinfoError(f"{out} holds the shards that are read: name another folder")
        chosen = source.tokenizer(chosen)
    elif chosen is not None:
        source = chosen
    else:
        raise EquinfoError(
            "train-lm needs a tokenizer, or the shards that `equinfo tokenize` writes"
        )
    identity = source.identity
    name = identity.name
    period = chosen.period if place and chosen else 1
    if place and period == 1:
        reason = (
            f"each id of {name} is a unit" if chosen else "name the tokenizer as well as its shards"
        )
        raise EquinfoError(f"there is no place in a unit to tell the LM: {reason}")
    mask = chosen.canonical_mask() if canonical and chosen else None
    if canonical and mask is None:
        reason = "not known of it" if chosen else "name the tokenizer as well as its shards"
        raise EquinfoError(f"there is no canonical mask for the ids of {name}: {reason}")
    config = settings.config(source.vocab_size, source.bos_id, period)
    ranges = 0 if mask is None else len(mask[1])
    told = replace(
        config.model, bigrams=bigrams, shares=shares, canonical=ranges,
        depth_capacity=depth_capacity, experts=experts, experts_per_token=experts_per_token,
        expert_capacity=expert_capacity,
    )  # fmt: skip
    if start is not None:
        if told != config.model or period > 1:
            raise EquinfoError(
                f"the LM begins as that in {start} is, whose architecture it has: leave out place,"
                " bigrams, shares, canonical and what routes"
            )
        if begun is not None:
            begun.check(identity, start, "trained with")
        size, told = settings.size, load_train_config(start).model
        if size != Training.size and told.d_model != dimensions(size)[0]:
            raise EquinfoError(f"the LM in {start} is no {size}: leave out the size")
    elif start_optimizer:
        raise EquinfoError("an optimiser's state to begin with is that of an LM: name it (start)")
    config = replace(config, model=told)
    if shards is not None:
        ids = source
    elif isinstance(corpus, TokenStream):
        ids = corpus.ids
    else:
        label = progress and f"{name} encodes"
        ids = token_stream(source, corpus, max_bytes=max_bytes, progress=label).ids
    bar = progress and f"{name} {progress}"
    options: dict[str, Any] = {"tensorboard": tensorboard, "overwrite": overwrite}
    options |= {"sharded": sharded, "keep_optimizer": keep_optimizer}
    if start is not None:
        options |= beginning(start, start_optimizer)
    elif mask is not None:
        options["initial"] = mask_weights(mask)
    result = _finished(train(config, ids, out, progress=bar, tokenizer=identity, **options))
    if chosen is not None and is_main():
        chosen.save(out / KEPT)
    return result


@naming_files()
def evaluate(
    lm: Path | str,
    tokenizer: AnyTokenizer | None = None,
    corpus: AnyCorpus | TokenStream | Shards = "bundled",
    *,
    split: str = "validation",
    max_bytes: int = MAX_BYTES,
) -> Evaluation:
    """Sums of nats and bytes of the LM in folder `lm` over a corpus, and their `bits_per_byte`
    (§3.8).

    tokenizer: what the LM was trained with; its folder holds it. corpus: a corpus (its `split` is
    used), a token stream, or shards of documents. Raises EquinfoError where LM, tokenizer and
    shards do not belong together.
    """
    with needing("lm", "a language model"):
        from equinfo.lm.evaluate import evaluate as measure
        from equinfo.lm.train import best_device
    found = pair(lm, tokenizer)
    if isinstance(corpus, Shards):
        corpus.check_tokenizer(found.tokenizer)
        corpus = corpus.stream()
    if not isinstance(corpus, TokenStream):
        corpus = token_stream(found.tokenizer, corpus, split=split, max_bytes=max_bytes)
    measured = measure(
        found.model.to(best_device()),
        corpus.ids,
        corpus.num_bytes,
        context=found.context,
        bos_id=found.bos_id,
    )
    if not math.isfinite(measured.sum_nats):
        raise EquinfoError(f"{lm} predicts no numbers: its weights are of no training")
    return measured


def _finished(result: TrainResult) -> TrainResult:
    if result.status != "done":
        raise EquinfoError(
            f"training ended as {result.status!r} after {result.steps} steps: try a lower"
            " learning rate"
        )
    return result
