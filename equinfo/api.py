"""The steps of the chain, a function each: what `equinfo.train_m1` and its sisters are, and what
the command calls.

Wherever a tokenizer is asked for, its name or folder will do; wherever a corpus is, see
`equinfo.load_corpus`. Text is counted in bytes. `progress` is a bar's label on standard error, None
for none. Every error that a user can cause is an EquinfoError of one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equinfo import pipeline, sharding
from equinfo.corpora import Corpus, limited, load_corpus, take
from equinfo.errors import EquinfoError
from equinfo.pipeline import TokenStream
from equinfo.shards import Shards
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import load

if TYPE_CHECKING:
    from equinfo.compress.models.base import ByteModel
    from equinfo.lm.evaluate import Evaluation
    from equinfo.lm.train import TrainResult

MAX_BYTES = 1 << 30
AnyTokenizer = Tokenizer | Path | str
AnyCorpus = Corpus | str | Iterable[bytes]


def train_m1(
    out: Path | str,
    corpus: AnyCorpus = "bundled",
    *,
    order: int | None = None,
    size: str = "0.1m",
    style: str = "modern",
    steps: int = 500,
    batch_size: int = 32,
    context: int = 256,
    learning_rate: float = 4e-3,
    warmup_steps: int = 40,
    short_contexts: Sequence[int] = (),
    precision: str = "float32",
    seed: int = 0,
    max_bytes: int = MAX_BYTES,
    progress: str | None = None,
) -> ByteModel:
    """Train M1, the byte LM that drives the coder (§3.3), in folder `out`; the byte model is saved
    in out/byte-model.

    order: bytes of context (1 to 6) of an M1 of counts: no network, no torch, and nothing below but
    max_bytes counts. size, style: see `train_lm`. steps of batch_size sequences of `context` bytes,
    after which the context restarts at inference too. short_contexts, precision ("float32" or
    "bfloat16"): see lm.config.TrainConfig. Called again, it goes on from the last checkpoint.
    max_bytes: of training text, whole documents.
    """
    from equinfo.compress.models.base import to_artifact

    out = Path(out)
    documents = take(_documents(corpus), max_bytes)
    if order is not None:
        from equinfo.compress.models.counts import CountModel

        model: ByteModel = CountModel.train(documents, order)
    else:
        config = pipeline.m1_config(
            style, size, optimizer=pipeline.optimizer(style, learning_rate, warmup_steps),
            steps=steps,
            batch_size=batch_size, context=context, short_contexts=tuple(short_contexts),
            precision=precision,
            seed=seed,
        )  # fmt: skip
        ids = pipeline.byte_stream(documents)
        _finished(pipeline.train(config, ids, out, progress))
        model = pipeline.export_m1(out, context, ids)
    to_artifact(model).save(out / "byte-model")
    return model


def train_tokenizer(
    kind: str,
    out: Path | str | None = None,
    corpus: AnyCorpus = "bundled",
    *,
    size: int = 4096,
    bits: int = 16,
    m1: ByteModel | Path | str | None = None,
    max_bytes: int = 1 << 28,
    **options: Any,
) -> Tokenizer:
    """Fit a tokenizer on a corpus, or build it over a byte model; saved as folder `out`, if given.

    kind: bpe, unigram, static-ac, ac, equalinfo or what else `pipeline.make_tokenizer` knows. size:
    ids in the vocabulary; a power of two, 2 to 65536, where ids are cut from bits, and for codebook
    (512 or more). bits: of a window. m1: the byte model, its folder or the name of one that ships
    with the package, for ac and equalinfo, and for a codebook that is to be grown and not fitted.
    options: those of the family (see its class). Windows of at most 20 bits are compiled (no M1 is
    kept) where their rule and reset allow it, unless compile=False.
    """
    from equinfo.compress.models.base import load_model

    if kind in pipeline.OVER_M1 and m1 is None:
        raise EquinfoError(
            f"{kind} needs a byte model: --m1 FOLDER, which `equinfo train-m1` makes"
        )
    model = load_model(m1) if isinstance(m1, Path | str) else m1
    if kind == "equalinfo":
        options.setdefault("compile", True)
    documents = [] if model or kind in pipeline.OPAQUE else take(_documents(corpus), max_bytes)
    made = pipeline.make_tokenizer(kind, size, bits, documents, model, **options)
    if out is not None:
        made.save(out)
    return made


def tokenize_corpus(
    tokenizer: AnyTokenizer, corpus: AnyCorpus, out: Path | str, **options: Any
) -> Shards:
    """Write a corpus's ids to a folder of shards, in `workers` processes; see
    `equinfo.sharding.tokenize_corpus`.

    options: split, mode ("document" or "block"), block_bytes, workers, shard_bytes, max_bytes,
    progress.
    """
    return sharding.tokenize_corpus(_tokenizer(tokenizer), corpus, out, **options)


def token_stream(
    tokenizer: AnyTokenizer,
    corpus: AnyCorpus = "bundled",
    *,
    split: str = "train",
    max_bytes: int = MAX_BYTES,
    progress: str | None = None,
) -> TokenStream:
    """A corpus's ids in memory: documents, an EOS after each, and the bytes they stand for."""
    documents = limited(_documents(corpus, split), max_bytes)
    return pipeline.token_stream(_tokenizer(tokenizer), documents, progress)


def train_lm(
    out: Path | str,
    tokenizer: AnyTokenizer | None = None,
    corpus: AnyCorpus | TokenStream = "bundled",
    *,
    shards: Shards | Path | str | None = None,
    size: str = "0.4m",
    style: str = "modern",
    steps: int = 200,
    batch_size: int = 16,
    context: int = 256,
    learning_rate: float = 2e-3,
    warmup_steps: int = 20,
    seed: int = 0,
    max_bytes: int = MAX_BYTES,
    place: bool = False,
    tensorboard: bool = False,
    progress: str | None = None,
    **training: Any,
) -> TrainResult:
    """Train M2, a decoder over a tokenizer's ids, in folder `out`: on a corpus, on its stream, or
    on shards.

    shards: what `tokenize_corpus` wrote; then `corpus` is not used and `tokenizer`, if given, only
    checked. size: a named one (lm/config.py). style: "modern" (RoPE, AdamW) or "paper" (§3.4:
    relative attention, Adafactor). steps of batch_size sequences of `context` ids. place: tell it
    each id's place in its window, which every decoder knows, by an embedding that costs no FLOPs;
    for windows of several ids (Tokenizer.period). tensorboard: see lm/train.py. training:
    lm.config.TrainConfig's other fields. Called again, it goes on from the last checkpoint. Raises
    EquinfoError where the loss is lost.
    """
    config = {
        "steps": steps,
        "batch_size": batch_size,
        "context": context,
        "seed": seed,
        **training,
    }
    optimizer = pipeline.optimizer(style, learning_rate, warmup_steps)
    if shards is None and tokenizer is None:
        raise EquinfoError(
            "train-lm needs a tokenizer, or the shards that `equinfo tokenize` writes"
        )
    chosen = None if tokenizer is None else _tokenizer(tokenizer)
    if shards is not None:
        ids: Any = shards if isinstance(shards, Shards) else Shards(shards)
        if chosen is not None:
            ids.check_tokenizer(chosen)
        vocab_size, bos_id, name = ids.vocab_size, ids.bos_id, ids.manifest["name"]
    else:
        assert chosen is not None
        vocab_size, bos_id, name = chosen.vocab_size, chosen.bos_id, chosen.name
        label = progress and f"{name} encodes"
        made = corpus if isinstance(corpus, TokenStream) else token_stream(
            chosen, corpus, max_bytes=max_bytes, progress=label
        )  # fmt: skip
        ids = made.ids
    if place and (chosen is None or chosen.period == 1):
        reason = (
            "name the tokenizer as well as its shards"
            if chosen is None
            else f"each id of {name} is a unit"
        )
        raise EquinfoError(f"there is no place in a unit to tell the LM: {reason}")
    period = chosen.period if place and chosen else 1
    settings = pipeline.lm_config(style, size, vocab_size, bos_id, optimizer, period, **config)
    result = pipeline.train(
        settings, ids, Path(out), progress and f"{name} {progress}", tensorboard=tensorboard
    )
    return _finished(result)


def evaluate(
    lm: Path | str,
    tokenizer: AnyTokenizer,
    corpus: AnyCorpus | TokenStream | Shards = "bundled",
    *,
    split: str = "validation",
    max_bytes: int = MAX_BYTES,
) -> Evaluation:
    """Sums of nats and bytes of the LM in folder `lm` over a corpus, and their `bits_per_byte`
    (§3.8).

    corpus: a corpus (its `split` is used), a token stream, or shards of documents. Raises
    EquinfoError where LM, tokenizer and shards do not belong together.
    """
    chosen = _tokenizer(tokenizer)
    if isinstance(corpus, Shards):
        corpus.check_tokenizer(chosen)
        stream = corpus.stream()
    elif isinstance(corpus, TokenStream):
        stream = corpus
    else:
        stream = token_stream(chosen, corpus, split=split, max_bytes=max_bytes)
    return pipeline.evaluate(Path(lm), chosen, stream)


def _tokenizer(tokenizer: AnyTokenizer) -> Tokenizer:
    return tokenizer if isinstance(tokenizer, Tokenizer) else load(tokenizer)


def _documents(corpus: AnyCorpus, split: str = "train") -> Iterable[bytes]:
    corpus = load_corpus(corpus) if isinstance(corpus, str) else corpus
    return corpus.documents(split) if isinstance(corpus, Corpus) else corpus


def _finished(result: TrainResult) -> TrainResult:
    if result.status != "done":
        raise EquinfoError(
            f"training ended as {result.status!r} after {result.steps} steps: try a lower"
            " learning rate"
        )
    return result
