"""Where corpora, tokenizers and language models meet: the steps that the command line and the
experiments share.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from equinfo.compress.models.base import EOD, SYMBOLS, ByteModel, StaticModel
from equinfo.compress.windows.compiled import MAX_COMPILED
from equinfo.compress.windows.steps import LOOKING_ON
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.modelled import WIDTHS
from equinfo.tokenizers.registry import tokenizer_class

if TYPE_CHECKING:
    from equinfo.compress.network.integer import IntegerByteModel
    from equinfo.lm.config import DecoderConfig, OptimizerConfig, TrainConfig
    from equinfo.lm.evaluate import Evaluation
    from equinfo.lm.sequences import StoredIds
    from equinfo.lm.train import TrainResult

BATCH_BYTES = 1 << 20

OPAQUE = ("gzip", "zstd", "xz")  # kinds that need neither text nor model
CODERS = (
    "ac",
    "range",
    "ans",
    "huffman",
)  # that take an M1, or byte counts as "static-" and the kind
OVER_M1 = (*CODERS, "equalinfo", "equaltext")
SIZES = [1 << width for width in WIDTHS]  # where ids are cut from bits


@dataclass(frozen=True)
class TokenStream:
    """Documents as one stream of ids, an EOS after each.

    ids: uint16 or uint32 [num_tokens + documents]. num_tokens: codes, without EOS. num_bytes: what
    they stand for.
    """

    ids: np.ndarray
    num_tokens: int
    num_bytes: int

    @property
    def ratio(self) -> float:
        """Token compression ratio: bytes a token (§3.8)."""
        return self.num_bytes / self.num_tokens


def batched(documents: Iterable[bytes], size: int = BATCH_BYTES) -> Iterator[list[bytes]]:
    """Documents in lists of about `size` bytes."""
    batch: list[bytes] = []
    held = 0
    for document in documents:
        batch.append(document)
        held += len(document)
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def make_tokenizer(
    kind: str,
    size: int,
    bits: int | None,
    documents: list[bytes],
    m1: ByteModel | None,
    **options: Any,
) -> Tokenizer:
    """A tokenizer of `size` ids, fitted on documents or built over an M1.

    kind: bpe, unigram, gzip, zstd, xz, ac, range, ans, huffman (also static-ac, ..., over byte
    counts), equalinfo (windows of `bits` bits), equaltext or codebook (grown from the M1, or
    without one fitted). options: those of the family (see its class): rule, reset and max_window of
    equalinfo, size (here `text`) of equaltext, mode and parse of codebook, level, block and raw of
    gzip. compile (of equalinfo): no M1 in the result, where windows can do without. Raises
    EquinfoError for a size that is no power of two from 2 to 65536 where ids are cut from bits.
    """
    if kind in ("bpe", "unigram"):
        return tokenizer_class(kind).train(documents, vocab_size=size)  # type: ignore[attr-defined]
    if kind == "codebook":
        cls: Any = tokenizer_class(kind)
        return (
            cls.train(documents, size, **options) if m1 is None else cls.grow(m1, size, **options)
        )
    if size not in SIZES:
        raise EquinfoError(
            f"{kind} with {size} ids: choose a power of two, {SIZES[0]} to {SIZES[-1]}"
        )
    if kind in OPAQUE:
        return tokenizer_class(kind)(bits=size.bit_length() - 1, **options)  # type: ignore[call-arg]
    static = kind.startswith("static-")
    model = StaticModel.unigram(documents) if static else m1
    if model is None or kind.removeprefix("static-") not in (CODERS if static else OVER_M1):
        raise EquinfoError(f"no tokenizer {kind!r} without an M1")
    compiled = bool(options.pop("compile", False)) and can_compile(bits, options)
    if kind == "equalinfo":
        options = {"bits": bits, **options}
    elif kind == "equaltext":
        options = {"size": options.pop("text", 8), **options}
    cls = tokenizer_class(kind.removeprefix("static-"))
    made = cls(model, width=size.bit_length() - 1, **options)
    return made.compile() if compiled else made


def can_compile(bits: int | None, options: dict[str, Any]) -> bool:
    """Whether equal-info windows with these options are a function of their bytes alone, and few
    enough to list.
    """
    return (
        bits is not None
        and bits <= MAX_COMPILED
        and options.get("rule") not in LOOKING_ON
        and options.get("reset", 1) == 1
    )


def token_stream(
    tokenizer: Tokenizer, documents: Iterable[bytes], progress: str | None = None
) -> TokenStream:
    """Encode documents (each by itself) and join them with EOS. `progress`: the bar's label, None
    for none.
    """
    parts: list[np.ndarray] = []
    num_tokens = num_bytes = 0
    eos = np.array([tokenizer.eos_id], dtype=tokenizer.dtype)
    with tqdm(
        desc=progress, unit="B", unit_scale=True, disable=progress is None, file=sys.stderr
    ) as bar:
        for batch in batched(documents):
            for ids in tokenizer.encode_batch(batch):
                parts += [ids, eos]
                num_tokens += len(ids)
            num_bytes += sum(len(document) for document in batch)
            bar.update(sum(len(document) for document in batch))
    if not num_tokens:
        raise EquinfoError("there is no text to encode: the corpus is empty")
    return TokenStream(np.concatenate(parts), num_tokens, num_bytes)


def byte_stream(documents: Iterable[bytes]) -> np.ndarray:
    """M1's training ids: the bytes, and EOD (256) after each document. uint16[bytes +
    documents].
    """
    parts = [
        np.frombuffer(document + b"\0", dtype=np.uint8).astype(np.uint16) for document in documents
    ]
    for part in parts:
        part[-1] = EOD
    if not parts:
        raise EquinfoError("there is no text to train on: the corpus is empty")
    return np.concatenate(parts)


def export_m1(folder: Path, context: int, ids: np.ndarray) -> IntegerByteModel:
    """The byte model of a finished M1 training folder. ids: the stream it was trained on, or its
    beginning.
    """
    from equinfo.lm.bridge import to_byte_model
    from equinfo.lm.train import load_model

    return to_byte_model(load_model(folder), context, ids)


def optimizer(style: str, learning_rate: float, warmup_steps: int) -> OptimizerConfig:
    """The optimiser that belongs to an architecture's style.

    modern: AdamW, linear warm-up, decay to a tenth. paper: Adafactor, learning_rate /
    sqrt(max(step, warmup_steps)).
    """
    from equinfo.lm.config import OptimizerConfig

    if style == "paper":
        return OptimizerConfig(
            name="adafactor",
            schedule="rsqrt",
            learning_rate=learning_rate,
            warmup_steps=warmup_steps,
            z_loss=1e-4,
        )
    return OptimizerConfig(
        name="adamw",
        schedule="warmup_decay",
        learning_rate=learning_rate,
        warmup_steps=warmup_steps,
    )


def m1_config(style: str, size: str, optimizer: OptimizerConfig, **training: Any) -> TrainConfig:
    """The training configuration of an M1: 257 ids, EOD as BOS ("nothing yet" and "a document just
    ended" are one).
    """
    return lm_config(style, size, SYMBOLS, EOD, optimizer, **training)


def lm_config(
    style: str,
    size: str,
    vocab_size: int,
    bos_id: int,
    optimizer: OptimizerConfig,
    period: int = 1,
    **training: Any,
) -> TrainConfig:
    """The training configuration of a decoder of `style` ("modern" or "paper") and named `size`."""
    from equinfo.lm import config

    styles = {"modern": config.modern, "paper": config.paper}
    if style not in styles:
        raise EquinfoError(f"unknown architecture {style!r}; known: {', '.join(styles)}")
    model = replace(styles[style](size, vocab_size), period=period)
    return config.TrainConfig(model=model, optimizer=optimizer, bos_id=bos_id, **training)


def train(
    config: TrainConfig,
    ids: np.ndarray | StoredIds,
    out: Path,
    progress: str | None = None,
    **options: Any,
) -> TrainResult:
    """Train, or go on training, in folder `out`; see lm/train.py, for `options` (tensorboard,
    deadline) too.
    """
    from equinfo.lm import train as loop

    return loop.train(config, ids, out, progress=progress or False, **options)


def check_fit(model: DecoderConfig, tokenizer: Tokenizer) -> None:
    """Raises EquinfoError where an LM was not trained on this tokenizer's ids."""
    if model.vocab_size != tokenizer.vocab_size:
        raise EquinfoError(
            f"the LM has {model.vocab_size} ids and {tokenizer.name} {tokenizer.vocab_size}: "
            "name the tokenizer it was trained with"
        )
    if model.period not in (1, tokenizer.period):
        raise EquinfoError(
            f"the LM is told places in units of {model.period} ids and those of {tokenizer.name}"
            f" have {tokenizer.period}: name the tokenizer it was trained with"
        )


def evaluate(folder: Path, tokenizer: Tokenizer, stream: TokenStream) -> Evaluation:
    """Sums of nats and bytes of the LM in `folder` over a stream of `tokenizer`'s."""
    from equinfo.lm.evaluate import evaluate as run
    from equinfo.lm.train import best_device, load_model, load_train_config

    config = load_train_config(folder)
    check_fit(config.model, tokenizer)
    model = load_model(folder).to(best_device())
    return run(model, stream.ids, stream.num_bytes, context=config.context, bos_id=config.bos_id)
