"""Hostile ids into every decoder: drawn, altered, cut, joined, of wrong types, bombs of archives.

The law: a decoder refuses, or gives a text, the same whole, in a batch and in pieces; where the
tokenizer is lossless and encodes that text at all, its own ids of it decode to it. What has not
been altered decodes to what it was made of. The time and memory of a trial are bounded.
"""

import lzma
import random
import sys
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

import equinfo
from benchmarks import mutations
from benchmarks.trials import SECONDS, guarded, is_failure, refusal
from equinfo.compress.bits import pack
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.opaque import OpaqueTokenizer
from equinfo.tokenizers.registry import pretrained_tokenizers, tokenizer_class

sys.path.append(str(Path(__file__).parents[2] / "tests" / "tokenizers"))
import tokenizer_zoo as zoo

SMALL = "small "  # those of benchmarks.mutations, which has kinds that the zoo lacks
ENCODED_AGAIN = 0.25  # of the texts that hostile ids give
SLOW = ("neural", "-rope", "relative", "windows-reserve", "range-", "ans-", "huffman-")
SLOWLY = 40  # of those a trial for so many of others


@cache
def names() -> list[str]:
    """Of all tokenizers, those of a network and the like once for SLOWLY times of others."""
    known = [
        *zoo.NAMES,
        *(SMALL + name for name in mutations.artifacts()),
        *pretrained_tokenizers(),
    ]
    return [name for name in known for _ in range(1 if any(s in name for s in SLOW) else SLOWLY)]


@cache
def tokenizer(name: str) -> Tokenizer:
    if name.startswith(SMALL):
        artifact = mutations.artifacts()[name.removeprefix(SMALL)]
        return tokenizer_class(artifact.kind).from_artifact(artifact)
    return zoo.make(name) if name in zoo.NAMES else equinfo.load(name)


@cache
def texts(name: str) -> list[tuple[bytes, np.ndarray]]:
    """(text, its ids) of some texts that the tokenizer takes."""
    found = []
    for text in mutations.DATA:
        try:
            found.append((text, tokenizer(name).encode(text)))
        except EquinfoError:
            continue
    return found


def trial(seed: int) -> str:
    rng = random.Random(seed)
    name = rng.choice(names())
    found = guarded(lambda: _trial(name, rng))
    kind, _, what = found.partition(":")
    return f"{kind}: {name}:{what}" if is_failure(found) else found


def allowed(seed: int) -> float:
    """Coders by the symbol are slow: two bytes of ANS may stand for 8,192 symbols."""
    name = random.Random(seed).choice(names())
    return 20 * SECONDS if any(slow in name for slow in SLOW) else SECONDS


def _trial(name: str, rng: random.Random) -> str:
    chosen = tokenizer(name)
    if rng.random() < 0.08:
        return _wrong_type(chosen, rng)
    text, ids, altered = _ids(name, rng)
    whole = _decoded(lambda: chosen.decode(ids))
    if isinstance(whole, bytes) and not altered and chosen.lossless and whole != text:
        return f"wrong: {text!r} came back as {whole!r}"
    if isinstance(whole, str) and is_failure(whole):
        return whole
    if isinstance(whole, str) and not altered and chosen.lossless:
        return f"wrong: {text!r} is refused: {whole}"
    way = rng.randrange(4)
    if way == 0:
        again = _decoded(lambda: chosen.decode_batch([ids])[0])
    elif way == 1:
        others = [other for _, other in texts(name)][:2]
        again = _decoded(lambda: chosen.decode_batch([*others, ids])[-1])
        if not chosen.lossless and again == "refused":  # the others were
            again = whole
    else:
        again = _decoded(lambda: _in_pieces(chosen, ids, rng))
    if again != whole:
        how = ("in a batch", "beside others")[way] if way < 2 else "in pieces"
        return f"wrong: {ids.tolist()} is {whole!r}, {how} {again!r}"
    if isinstance(whole, str):
        return whole
    if chosen.lossless and rng.random() < ENCODED_AGAIN:
        return _encoded_again(chosen, whole)
    return "decoded"


def _decoded(decode: Callable[[], bytes]) -> bytes | str:
    """The text, or what `refusal` says."""
    try:
        return decode()
    except EquinfoError as error:
        return refusal(error)


def _in_pieces(chosen: Tokenizer, ids: np.ndarray, rng: random.Random) -> bytes:
    decoder = chosen.decoder()
    found, at = [], 0
    while at < len(ids):
        size = rng.choice((0, 1, 2, 3, 8, 64, 1000))
        found.append(decoder.feed(ids[at : at + size]))
        at += size
    return b"".join([*found, decoder.finish()])


def _encoded_again(chosen: Tokenizer, text: bytes) -> str:
    try:
        ids = chosen.encode(text)
    except EquinfoError as error:  # subwords take UTF-8; other ids than those of a text may be none
        found = refusal(error)
        takes_all = chosen.kind not in ("bpe", "unigram", "hf", "sentencepiece", "cased")
        if found == "refused" and takes_all:
            return f"wrong: it decodes to {text!r} and does not encode that: {error}"
        return found if is_failure(found) else "decoded"
    if chosen.decode(ids) != text:
        return f"wrong: {text!r} came back as {chosen.decode(ids)!r}"
    return "decoded and encoded"


# -- hostile ids -----------------------------------------------------------------------------------


def _ids(name: str, rng: random.Random) -> tuple[bytes, np.ndarray, bool]:
    """(a text, ids, whether they are others than its own): int64[n], all codes but for a few."""
    chosen = tokenizer(name)
    text, canonical = rng.choice(texts(name))
    size = chosen.code_size
    how = rng.random()
    if how < 0.02:
        return text, canonical.astype(np.int64), False
    if isinstance(chosen, OpaqueTokenizer) and how < 0.2:
        return text, _archive(chosen, rng), True
    if how < 0.4:
        length = min(int(rng.expovariate(1 / 30)), 2000)
        few = [rng.randrange(size) for _ in range(rng.choice((1, 2, 5)))]
        draw: Callable[[], int] = rng.choice((
            lambda: rng.randrange(size),
            lambda: rng.randrange(size),
            lambda: rng.choice((0, size - 1)),
            lambda: rng.choice(few),
            lambda: min(int(rng.expovariate(8 / size)), size - 1),
        ))  # fmt: skip
        return text, np.array([draw() for _ in range(length)], dtype=np.int64), True
    ids = canonical.astype(np.int64)
    for _ in range(rng.choice((1, 1, 2, 4))):
        ids = _altered(ids, rng.choice(texts(name))[1].astype(np.int64), size, rng)
    return text, ids[:5000], True


def _altered(ids: np.ndarray, other: np.ndarray, size: int, rng: random.Random) -> np.ndarray:
    """Other ids, few or many; a few of these are beyond the codes."""
    at, end = sorted((rng.randrange(len(ids) + 1), rng.randrange(len(ids) + 1)))
    strange = rng.choice((-1, size, size + 2, 1 << 16, 1 << 31, (1 << 63) - 1, -1 << 63))
    drawn = np.array([rng.randrange(size) for _ in range(rng.choice((1, 1, 2, 9)))])
    how = rng.randrange(10)
    if how == 0:
        return ids[:at]
    if how == 1:
        return ids[at:]
    if how == 2:
        return np.concatenate([ids[:at], drawn, ids[at:]])
    if how == 3:
        return np.concatenate([ids[:at], ids[end:]])
    if how == 4:
        return np.concatenate([ids[:at], other[rng.randrange(len(other) + 1) :]])
    if how == 5:
        return np.concatenate([ids[:end], ids[at:end], ids[end:]])
    if how == 6:
        return np.concatenate([ids, np.zeros(rng.choice((1, 2, 50)), np.int64)])
    ids = ids.copy()
    if len(ids) and how == 7:
        bit = 1 << rng.randrange((size - 1).bit_length() or 1)
        ids[at - 1] = (ids[at - 1] ^ bit) % size
    elif len(ids) and how == 8 and rng.random() < 0.2:
        ids[at - 1] = strange
    elif len(ids):
        places = [rng.randrange(len(ids)) for _ in drawn]
        ids[places] = drawn
    return ids


def _archive(chosen: OpaqueTokenizer, rng: random.Random) -> np.ndarray:
    """Ids of streams of zlib, zstandard and lzma that no tokenizer writes, or altered ones."""
    made = _archives()
    data = bytearray(rng.choice(made))
    if rng.random() < 0.5:
        data += rng.choice(made)
    for _ in range(rng.choice((0, 1, 1, 3))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    return pack(bytes(data), 8 * len(data), chosen.bits).astype(np.int64)


@cache
def _archives() -> list[bytes]:
    bomb, text = bytes(1 << 22), mutations.SENTENCES.encode()
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 26}]
    made = [lzma.compress(text, filters=filters), lzma.compress(text, lzma.FORMAT_ALONE)]
    for data in (text, b"", bomb):
        made += [zlib.compress(data), zlib.compress(data, wbits=-15), zlib.compress(data, wbits=31)]
        made += [lzma.compress(data), lzma.compress(data, check=lzma.CHECK_SHA256)]
        for options in ({}, {"write_checksum": True}, {"write_content_size": False}):
            made.append(zstandard.ZstdCompressor(**options).compress(data))
    far = zstandard.ZstdCompressionParameters.from_level(1, window_log=27)
    return [*made, zstandard.ZstdCompressor(compression_params=far).compress(text)]


# -- what is no sequence of ids --------------------------------------------------------------------


class _Hostile:
    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("none")


def _wrong_types(size: int) -> list[Any]:
    return [
        [0.5], ["a"], [None], [[0]], [[0], [0, 1]], np.zeros((2, 2)), np.zeros((0, 3), np.uint16),
        np.zeros(3), np.array([float("nan")]), [10**30], [-(10**30)], [1 << 64], [(1 << 64) - 1],
        b"abc", "abc", None, 5, {1}, {}, {0: 1}, True, [True], np.array([True]), range(3), (),
        np.array([1, 2], dtype=object), np.array([object()]), np.array(3),
        np.array(["2020"], "M8[D]"), np.array([1], "m8[s]"), np.array([1 + 2j]),
        np.zeros(2, [("a", "i4")]), memoryview(b"ab"),
        bytearray(b"ab"), iter([1]), [size], [size + 1, size + 2], [-1], np.array([-1], np.int8),
        np.array([size], np.int64), np.array([255], ">u2"), np.array(["1"]), [b"1"], [()],
        _Hostile(), [_Hostile()], object(), int, np.uint64(1 << 63), np.array([1 << 63], np.uint64),
    ]  # fmt: skip


def _wrong_type(chosen: Tokenizer, rng: random.Random) -> str:
    """What is no sequence of codes is refused, or the ids that NumPy makes of it decode."""
    strange = rng.choice(_wrong_types(chosen.code_size))
    decode = rng.choice((
        chosen.decode,
        lambda ids: chosen.decode_batch([ids])[0],
        lambda ids: b"".join(chosen.decode_batch(ids)),
        lambda ids: chosen.decoder().feed(ids, last=True),
    ))  # fmt: skip
    found = _decoded(lambda: decode(strange))
    if isinstance(found, bytes):
        return "decoded"
    return found
