"""Hostile folders by the million: every family's artefact, altered, must be refused or must work.

    python -m benchmarks.mutations --from 0 --count 1000000 --jobs 1

A seed decides all of a trial: which small artefact, what is changed in its JSON and tensors, and
the texts. What loads must give back each text, and have a name that moves no terminal's cursor;
what does not must be refused in one printable line, that of EquinfoError, which names the folder.
Most trials never touch the disk: what is tried is what a folder says, and its hash is right. Every
failure is printed with its seed; a line with the commit goes to results/mutations.jsonl at the end.
`python -m benchmarks.soak` runs these, too.
"""

import argparse
import json
import marshal
import random
import struct
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import equinfo
from benchmarks.common import append
from benchmarks.golden_networks import random_network
from benchmarks.trials import FAILURES, guarded, is_failure, refusal, run
from equinfo.artifacts import JSON_NAME, TENSORS_NAME, Artifact
from equinfo.compress.dictionary.parse import costs_of
from equinfo.compress.models.base import ByteModel, StaticModel
from equinfo.compress.models.counts import CountModel
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.cased import CasedTokenizer
from equinfo.tokenizers.codebook import CodebookTokenizer
from equinfo.tokenizers.imported_base import ImportedTokenizer
from equinfo.tokenizers.opaque import OpaqueTokenizer
from equinfo.tokenizers.registry import load, tokenizer_class

RESULTS = Path(__file__).parents[1] / "results" / "mutations.jsonl"
ON_DISK = 0.02  # of all trials

SENTENCES = (
    "In the beginning God created the heaven and the earth. And the earth was without form, and"
    " void; and darkness was upon the face of the deep. It's 1234 naïve \u2581 lines:\n\n  a,\tb."
)
TEXTS = ["", "a", "a" * 300, SENTENCES, SENTENCES[:50] * 4, "the the the  \u2581é日"]
DATA = [bytes(range(256)), b"\xff\x00" * 40, *(text.encode() for text in TEXTS)]
VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 2, 5, 8, 9, 12, 16, 17, 20, 21, 128, 129, 255, 4095, 4096, 1 << 16,
    1 << 30, 1 << 31, 1 << 40, 1 << 63, 10**30, 1.0, 8.0, 8.5, -0.0, float("nan"), float("inf"),
    "", "8", "\x1b[31mred", "a\nb", "\ud800", "free", "delay", "reserve", "rank", "paper",
    "unflushed", "static", "counts", "integer", "longest", "fewest", "aligned", "superword", "rope",
    "relative", "silu", "relu", "likeliest", "strict", "x" * 10_000, [], {}, [1], {"a": 1},
    json.loads("[" * 900 + "]" * 900),
]  # fmt: skip
DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "O", ">i4")
NEAR_ZERO = [-129, -128, -2, -1, 0, 1, 2, 7, 127, 128, 255, 256, 257, 4095, 4096, 65535, 65536]
EXTREMES = NEAR_ZERO + [sign << bits for bits in (20, 28, 31) for sign in (1, -1)]


@cache
def artifacts() -> dict[str, Artifact]:
    """One small artefact of each family, over each kind of M1, by each rule of windows."""
    documents = [SENTENCES.encode() * 3, b"And God said, Let there be light: and there was light."]
    static = StaticModel.unigram(documents)
    counts = CountModel.train(documents, 2)
    narrow = {"d_model": 8, "n_layers": 1, "n_heads": 1, "head_dim": 4, "d_ff": 8}
    narrow["max_context"] = 24
    rope = IntegerByteModel(*random_network(1, **narrow))
    relative = IntegerByteModel(
        *random_network(1, position="relative", activation="relu", **narrow)
    )

    def over(kind: str, model: ByteModel, **options: Any) -> Tokenizer:
        made: Any = tokenizer_class(kind)
        return made(model, **options)

    def windows(model: ByteModel, bits: int, width: int, **options: Any) -> Any:
        return over("equalinfo", model, bits=bits, width=width, **options)

    made: dict[str, Any] = {name: load(name) for name in ("bytes", "gzip8", "zstd12", "xz16")}
    made["bpe"] = tokenizer_class("bpe").train(documents, 300)  # type: ignore[attr-defined]
    made["unigram"] = tokenizer_class("unigram").train(documents, 310)  # type: ignore[attr-defined]
    for kind in ("bpe", "unigram"):
        crossing: Any = tokenizer_class(kind)
        made[f"{kind}-superwords"] = crossing.train(documents, 310, pretokens="superwords")
    made["hf"] = equinfo.from_pretrained(made["bpe"]._library, "hf")
    made["sentencepiece"] = equinfo.from_pretrained(made["unigram"]._library, "sp")
    text = documents[0]
    longer = {text[at : at + size]: 0 for size in (2, 3, 5, 9, 40) for at in range(len(text) // 3)}
    strings = [bytes([byte]) for byte in range(256)] + list(longer)[:: len(longer) // 256][:256]
    made["superword"] = CodebookTokenizer(strings, "superword")
    made["fewest"] = CodebookTokenizer(strings, "free", "fewest")
    made["strict"] = CodebookTokenizer(strings, "strict")
    costs = costs_of(np.arange(len(strings)))
    made["likeliest"] = CodebookTokenizer(strings, "strict", "likeliest", costs=costs)
    made["cased"] = CasedTokenizer(made["superword"])
    for kind in ("ac", "range", "ans", "huffman"):
        made[f"{kind}-static"] = over(kind, static, width=8)
        made[f"{kind}-counts"] = over(kind, counts, width=12)
    made |= {"ac-rope": over("ac", rope, width=8), "ac-relative": over("ac", relative, width=16)}
    made["equaltext"] = over("equaltext", counts, size=8, width=8)
    made["equaltext-rope"] = over("equaltext", rope, size=5, width=6)
    for rule in ("free", "delay", "reserve", "rank", "paper", "unflushed"):
        made[f"windows-{rule}"] = windows(static if rule == "rank" else counts, 12, 12, rule=rule)
    made["windows-rope"] = windows(rope, 16, 8)
    made["windows-reset"] = windows(static, 24, 12, reset=2)
    made["compiled"] = windows(counts, 12, 12).compile()
    made["compiled-halves"] = windows(static, 12, 6).compile()
    made["compiled-rank"] = windows(static, 12, 12, rule="rank").compile()
    made["compiled-paper"] = windows(counts, 10, 10, rule="paper").compile()
    return {name: tokenizer.artifact for name, tokenizer in made.items()}


# -- what is changed -------------------------------------------------------------------------------


def mutated(seed: int) -> Artifact:
    """One of `artifacts`, changed in one to three places."""
    rng = random.Random(seed)
    names = list(artifacts())
    original = artifacts()[names[rng.randrange(len(names))]]
    config = json.loads(json.dumps(original.config))
    tensors = dict(original.tensors)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if tensors and rng.random() < 0.7:
            _change_tensors(tensors, rng)
        else:
            _change_json(config, rng)
    return Artifact(original.kind, config if isinstance(config, dict) else {}, tensors)


def _change_json(config: Any, rng: random.Random) -> None:
    """One of its values, however deep."""
    places = [
        (holder, key)
        for holder in _holders(config)
        for key in (holder if isinstance(holder, dict) else range(len(holder)))
    ]
    holder, key = rng.choice(places) if places else (config, "new")
    old = holder[key] if places else None
    how = rng.randrange(6)
    if how == 0 and isinstance(old, int):
        holder[key] = old + rng.choice((-8, -1, 1, 7, 1 << 33))
    elif how == 1 and places:
        holder[key] = rng.choice([value[at] for value, at in places])
        if isinstance(holder[key], dict | list):  # no circles
            holder[key] = type(holder[key])()
    elif how == 2 and isinstance(holder, dict):
        holder.pop(key, None)
    elif how == 3 and isinstance(holder, dict):
        holder["strange"] = _value(rng)
    else:
        holder[key] = _value(rng)


def _value(rng: random.Random) -> Any:
    """One of VALUES, a copy: a later trial finds them as they are. (copy.deepcopy recurses.)"""
    return marshal.loads(marshal.dumps(rng.choice(VALUES)))


def _holders(value: Any) -> list[Any]:
    """Objects and lists in a JSON value, itself first; of long lists their beginnings."""
    found = [value]
    for holder in found:  # grows
        inner = list(holder.values()) if isinstance(holder, dict) else holder[:300]
        found += [part for part in inner if isinstance(part, dict | list)]
    return found


def _change_tensors(tensors: dict[str, np.ndarray], rng: random.Random) -> None:
    name = rng.choice(sorted(tensors))
    array = tensors[name]
    if (
        array.dtype == np.uint8
        and array.ndim == 1
        and bytes(array[:1]) == b"{"
        and rng.random() < 0.7
    ):
        try:  # a tokenizer.json
            inner = json.loads(array.tobytes())
        except ValueError:
            inner = {}
        _change_json(inner, rng)
        tensors[name] = np.frombuffer(json.dumps(inner).encode(), dtype=np.uint8)
        return
    how = rng.randrange(4)
    if how == 0:  # the set of them
        other = rng.choice(sorted(tensors))
        rng.choice((
            lambda: tensors.pop(name),
            lambda: tensors.update({name: tensors[other]}),
            lambda: tensors.update({name: tensors[other], other: tensors[name]}),
            lambda: tensors.update({"strange": array}),
        ))()  # fmt: skip
    elif how == 1:
        tensors[name] = _changed_form(array, rng)
    else:
        tensors[name] = _changed_values(array, rng)


def _changed_form(array: np.ndarray, rng: random.Random) -> np.ndarray:
    """Another dtype, shape or length."""
    n = len(array) if array.ndim else 0
    forms: list[Callable[[], np.ndarray]] = [
        lambda: array.astype(rng.choice(DTYPES)),
        lambda: array.astype(rng.choice(DTYPES)),
        lambda: array.view(np.dtype(f"i{array.itemsize}" if array.dtype.kind == "u" else "u1")),
        lambda: array[..., None],
        lambda: array[None],
        lambda: array.ravel(),
        lambda: np.zeros((n, 0), array.dtype),
        lambda: np.zeros((0, *array.shape[1:]), array.dtype),
        lambda: np.array(0, array.dtype),
        lambda: array[:-1],
        lambda: array[1:],
        lambda: array[: rng.randrange(n + 1)],
        lambda: array[::-1],
        lambda: array[::2],
        lambda: np.concatenate([array, array[: rng.randrange(n + 1)]]),
        lambda: np.concatenate([array] * rng.choice((2, 64))),
        lambda: array.T,
    ]
    with np.errstate(all="ignore"):
        try:
            return rng.choice(forms)()
        except (ValueError, TypeError, IndexError, OverflowError):  # of no such form
            return array[:0] if array.ndim else array


def _changed_values(array: np.ndarray, rng: random.Random) -> np.ndarray:
    """Other values in the same form, few or all of them."""
    if not array.size or array.dtype.kind not in "iu":
        return array[:0] if array.ndim else array
    flat = array.reshape(-1).copy()
    info = np.iinfo(array.dtype)
    fits = [value for value in EXTREMES if info.min <= value <= info.max] + [info.min, info.max]
    places = [rng.randrange(flat.size) for _ in range(rng.choice((1, 1, 2, 8, flat.size // 2 + 1)))]
    at, other = places[0], rng.randrange(flat.size)
    how = rng.randrange(8)
    if how == 0:
        flat[places] = rng.choice(fits)
    elif how == 1:
        flat[places] = [rng.choice(fits) for _ in places]
    elif how == 2:
        flat[at], flat[other] = flat[other], flat[at]
    elif how == 3:
        flat[places] ^= flat.dtype.type(1 << rng.randrange(8 * flat.itemsize - 1))
    elif how == 4:
        flat[places] += flat.dtype.type(1)
    elif how == 5:
        flat[at:] = np.roll(flat[at:], 1)
    elif how == 6:
        flat[at], flat[other] = (
            max(flat[at], 1) - 1,
            flat[other] + flat.dtype.type(1),
        )  # the same sum
    else:
        flat[places] = flat[other]
    return flat.reshape(array.shape)


# -- whether it is refused, or works ---------------------------------------------------------------


def trial(seed: int) -> str:
    """ "refused", "loaded", or a failure, which names the artefact."""
    with np.errstate(all="ignore"):
        found = guarded(lambda: _trial(seed))
    kind, _, what = found.partition(":")
    return f"{kind}: {artifact_name(seed)}:{what}" if is_failure(found) else found


def _trial(seed: int) -> str:
    artifact = mutated(seed)
    rng = random.Random(~seed)
    on_disk = rng.random() < ON_DISK
    texts = rng.sample(TEXTS, 2)
    texts_only = artifact.kind in ("bpe", "unigram", "hf", "sentencepiece")
    data = texts if texts_only else [*texts, *rng.sample(DATA, 1)]
    where: object = f"the stored {artifact.kind!r}"
    try:
        if on_disk:
            with tempfile.TemporaryDirectory() as folder:
                where = _written(artifact, Path(folder) / "stored", rng)
                tokenizer = load(where)
        else:
            tokenizer = tokenizer_class(artifact.kind).from_artifact(artifact)
    except equinfo.EquinfoError as error:
        return refusal(error, where)
    return _works(tokenizer, data, rng)


def _written(artifact: Artifact, folder: Path, rng: random.Random) -> Path:
    """The artefact as a folder with a right hash, its tensors' dtypes maybe others than NumPy's."""
    try:
        artifact.save(folder)
    except Exception:  # no JSON or no tensors that the library writes
        folder.mkdir(exist_ok=True)
        head = {"format": "equinfo", "version": 1, "kind": artifact.kind, "hash": "0" * 64}
        try:
            text = json.dumps({**head, "config": artifact.config, "tensors": {}})
        except RecursionError:  # deeper than the library writes
            text = "[" * 100_000
        (folder / JSON_NAME).write_text(text)
        name = rng.choice(("BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "C64", "BOOL", "X9"))
        header = json.dumps({"a": {"dtype": name, "shape": [4], "data_offsets": [0, 8]}}).encode()
        (folder / TENSORS_NAME).write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    return folder


def _works(tokenizer: Tokenizer, data: list[Any], rng: random.Random) -> str:
    if not (tokenizer.name.isprintable() and repr(tokenizer).isprintable()):
        return f"wrong: its name is {tokenizer.name!r}"
    for text in data:
        whole = text.encode() if isinstance(text, str) else text
        try:
            ids = tokenizer.encode(text)
        except equinfo.EquinfoError as error:
            another = isinstance(tokenizer, OpaqueTokenizer) and "made with another" in str(error)
            checked = isinstance(tokenizer, ImportedTokenizer) and not tokenizer.proven
            if another or checked:  # they say so text by text
                continue
            return f"wrong: loaded, and then does not encode {text!r}: {error}"
        codes = ids.astype(np.int64)
        if codes.size and not 0 <= codes.min() <= codes.max() < tokenizer.code_size:
            return f"wrong: ids {codes.min()} to {codes.max()} of {tokenizer.code_size}"
        pieces = tokenizer.encoder()
        parts = [pieces.feed(whole[:7]), pieces.feed(whole[7:]), pieces.finish()]
        if not np.array_equal(np.concatenate(parts), ids):
            return f"wrong: {text!r} in pieces has other ids"
        try:
            back = tokenizer.decode(ids)
        except equinfo.EquinfoError as error:
            if tokenizer.lossless:
                return f"wrong: {text!r} does not decode: {error}"
            continue
        if tokenizer.lossless and back != whole:
            return f"wrong: {text!r} came back as {back!r}"
        tokenizer.may_follow(codes)
    some = [rng.randrange(tokenizer.code_size) for _ in range(20)]
    for strange in (some, some[:3], [tokenizer.code_size - 1] * 4):
        try:
            tokenizer.decode(strange)
        except equinfo.EquinfoError as error:
            if is_failure(found := refusal(error)):
                return found
    return "loaded"


def artifact_name(seed: int) -> str:
    names = list(artifacts())
    return names[random.Random(seed).randrange(len(names))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    begin = time.monotonic()
    total = run("benchmarks.mutations:trial", given.first, given.count, given.jobs)
    names = ("refused", "loaded", *FAILURES)
    row = {"first": given.first, "count": given.count, **{name: total[name] for name in names}}
    row["seconds"] = round(time.monotonic() - begin)
    print(json.dumps(row))
    append(row, given.out)


if __name__ == "__main__":
    main()
