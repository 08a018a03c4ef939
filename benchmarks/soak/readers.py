"""Hostile files into every reader: corpora plain and packed, rows, ids, shards, settings.

The law: a reader refuses, naming the file, or gives the same twice; what is packed is what the
library that packed it unpacks to, in one go. Token files and shards have right hashes: it is what
they say that is hostile, and they give only what they promise.
"""

import gzip
import hashlib
import json
import lzma
import random
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import equinfo
from benchmarks import mutations
from benchmarks.trials import guarded, is_failure, refusal
from equinfo import shards, tokenfile
from equinfo.corpora import load_corpus
from equinfo.errors import EquinfoError
from equinfo.files import content_hash
from equinfo.lm.config import OptimizerConfig, TrainConfig, modern
from equinfo.sharding import tokenize_corpus
from experiments.runs.rows import Rows

BOMBS = 0.0002  # of all trials
BOMB = 1 << 25  # bytes that one unpacks to
TEXT = (mutations.SENTENCES * 8).encode()
PIECES = (
    b"\0", b"\n", b"\r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b'"',
    b"{", b"[" * 3000, b"]", b'{"text": "', b'{"text": null}\n', b'{"text": 3}\n', b"\\ud800",
    b'"\\u0000"', b"1e999", b"-1", b"NaN", b"1" * 5000, b"null", b"true", bytes(64), b"\xff" * 8,
    b"\x7f" + b"\xff" * 3, b"\x80\x80\x80\x80\x01",
)  # fmt: skip


@cache
def _place() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="equinfo-readers-")


def place() -> Path:
    """This process's own folder."""
    return Path(_place().name)


# -- what is read ----------------------------------------------------------------------------------


def _packed(name: str) -> Callable[[bytes], bytes]:
    import zstandard

    return {
        "": bytes,
        ".gz": gzip.compress,
        ".xz": lzma.compress,
        ".zst": zstandard.ZstdCompressor().compress,
    }[Path(name).suffix if name.count(".") > 1 else ""]


def _unpacked(name: str, content: bytes) -> bytes | None:
    """By the library itself, in one go; None where it says nothing of the whole (zstandard)."""
    suffix = Path(name).suffix
    unpack = {".gz": gzip.decompress, ".xz": lzma.decompress, ".txt": bytes}.get(suffix)
    return None if unpack is None else unpack(content)


@cache
def originals() -> dict[str, bytes]:
    """A small file of each kind, by its name."""
    import pyarrow
    import pyarrow.parquet

    lines = b"".join(
        json.dumps({"text": t, "n": [1, {}]}).encode() + b"\n" for t in mutations.TEXTS
    )
    made = {f"a.txt{s}": _packed(f"a.txt{s}")(TEXT) for s in ("", ".gz", ".xz", ".zst")}
    made |= {f"a.jsonl{s}": _packed(f"a.jsonl{s}")(lines) for s in ("", ".gz", ".xz", ".zst")}
    made["a.py"], made["a.json"] = b"print()\n" * 90, lines
    for codec in ("NONE", "SNAPPY", "ZSTD"):
        table = pyarrow.table({"text": [*mutations.TEXTS, None], "other": [1] * 7})
        pyarrow.parquet.write_table(table, place() / "made", compression=codec)
        made[f"{codec.lower()}.parquet"] = (place() / "made").read_bytes()
    for name in ("bytes", "gzip8", "xz16"):
        made[f"{name}.ids"] = tokenfile.to_bytes(equinfo.load(name), TEXT[:300])
    documents = [text.encode() for text in mutations.TEXTS]
    for mode in ("document", "block"):
        tokenize_corpus("bytes", documents, place() / mode, mode=mode, block_bytes=100)
        made[f"{mode}.shard"] = (place() / mode / "shard-00000.ids").read_bytes()
    made["manifest.json"] = (place() / mode / shards.MANIFEST).read_bytes()
    config = TrainConfig(modern("30k", 259), OptimizerConfig(), bos_id=257)
    made["settings.json"] = json.dumps(config.to_dict()).encode()
    made["rows.jsonl"] = _row()
    return made


def _row() -> bytes:
    from benchmarks.soak.commands import row

    return json.dumps(vars(row(0))).encode() + b"\n"


def check(name: str, content: bytes) -> str:
    """What becomes of a file of such a name with this content."""
    for suffix, read in (
        ("manifest.json", _manifest),
        ("settings.json", _settings),
        ("rows.jsonl", _rows),
        (".ids", _token_file),
        (".shard", _shard),
        ("", _corpus),
    ):
        if name.endswith(suffix):
            return read(name, content)
    raise AssertionError


def _corpus(name: str, content: bytes) -> str:
    file = place() / name
    file.write_bytes(content)

    def read(split: str) -> list[bytes]:
        return list(load_corpus(file).documents(split))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            documents = read("all")
            parts = read("train") if content[:1] < b"a" else documents
        except EquinfoError as error:
            return refusal(error, file)
    if not all(documents) or (parts is documents and read("all") != documents):
        return f"wrong: {name} is not the same twice: {content!r}"
    if ".txt" in name and documents:
        whole = _unpacked(name, content)
        if whole is not None and b"".join(documents) != whole:
            return f"wrong: {name} unpacks to another text: {content!r}"
    return "read"


def _token_file(name: str, content: bytes) -> str:
    """With the checksums of its frames and its hash made right."""
    tokenizer = equinfo.load(name.removesuffix(".ids"))
    fixed = _sealed(content)
    try:
        text = tokenfile.from_bytes(tokenizer, fixed)
    except EquinfoError as error:
        return refusal(error)
    (promised,) = struct.unpack("<Q", fixed[-40:-32])
    return "read" if len(text) == promised else f"wrong: {promised} bytes promised of {content!r}"


def _sealed(content: bytes) -> bytes:
    data = bytearray(content[: -tokenfile.DIGEST])
    at = len(tokenfile.MAGIC)
    at += 4 + int.from_bytes(data[at : at + 4], "little")
    while at + 4 <= len(data) and (count := int.from_bytes(data[at : at + 4], "little")):
        end = at + 4 + count * 2 if b'"uint16"' in content else at + 4 + count
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack("<I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data) + hashlib.sha256(data).digest()


def _shard(name: str, content: bytes) -> str:
    """With its own hash made right, and alone in a folder whose manifest says just what it says."""
    folder = place() / "shards"
    folder.mkdir(exist_ok=True)
    file = folder / "shard-00000.ids"
    data = content[: -shards.DIGEST]
    digest = hashlib.sha256(data)
    file.write_bytes(data + digest.digest())
    try:
        head, _ = shards.read_head(file)
        counts = {part: head[part] for part in shards.COUNTS}
        entry = {
            "file": file.name,
            "sha256": digest.hexdigest(),
            "source": head["source"],
            **counts,
        }
        manifest = {**head, "format": shards.FORMAT, "version": shards.VERSION, "corpus": {}}
        manifest |= {"shards": [entry], "source": ""}
        return _opened(folder, manifest)
    except EquinfoError as error:
        return refusal(error, folder)


def _opened(folder: Path, manifest: dict[str, Any]) -> str:
    """What becomes of a folder of shards under a manifest whose hash is right."""
    manifest = {name: value for name, value in manifest.items() if name != "hash"}
    manifest["hash"] = content_hash(manifest)
    (folder / shards.MANIFEST).write_text(json.dumps(manifest))
    opened = shards.Shards(folder)
    documents = list(opened.documents())
    sizes = [size for _, size in documents]
    if len(documents) != opened.num_documents or sum(sizes) != opened.num_bytes:
        return f"wrong: it holds {len(documents)} documents of {sum(sizes)} bytes"
    for ids, _ in documents[:4]:
        try:
            equinfo.load("bytes").decode(ids)
        except EquinfoError as error:
            if is_failure(found := refusal(error)):
                return found
    return "read"


def _manifest(name: str, content: bytes) -> str:
    try:
        manifest = json.loads(content)
        seal = content_hash(manifest)
    except (ValueError, RecursionError):
        manifest, seal = None, ""
    folder = place() / "block"
    try:
        if isinstance(manifest, dict) and seal:
            return _opened(folder, manifest)
        (folder / shards.MANIFEST).write_bytes(content)
        shards.Shards(folder)
    except EquinfoError as error:
        return refusal(error, folder)
    return f"wrong: {content!r} is taken for a manifest"


def _settings(name: str, content: bytes) -> str:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return "refused"  # by whoever reads the file
    try:
        config = TrainConfig.from_dict(values)
    except EquinfoError as error:
        return refusal(error)
    return "read" if TrainConfig.from_dict(config.to_dict()) == config else "wrong: it changes"


def _rows(name: str, content: bytes) -> str:
    file = place() / name
    file.write_bytes(content)
    try:
        Rows(file)
    except EquinfoError as error:
        return refusal(error, file)
    return "read"


# -- what is altered -------------------------------------------------------------------------------


def trial(seed: int) -> str:
    rng = random.Random(seed)
    name = rng.choice(list(originals()))
    if rng.random() < BOMBS:
        name = rng.choice(("a.txt.gz", "a.txt.xz", "a.txt.zst", "a.jsonl.gz"))
        content = _packed(name)(bytes(BOMB))
    else:
        content = altered(originals()[name], rng)
    found = guarded(lambda: check(name, content))
    kind, _, what = found.partition(":")
    return f"{kind}: {name}:{what}" if is_failure(found) else found


def altered(content: bytes, rng: random.Random) -> bytes:
    """Changed in one to four places; of JSON, some of the values."""
    if content[:1] == b"{" and rng.random() < 0.5:
        lines = content.splitlines() if b"}\n{" in content else [content]
        number = rng.randrange(len(lines))
        try:
            value = json.loads(lines[number])
            mutations._change_json(value, rng)
            lines[number] = json.dumps(value).encode()
        except (ValueError, RecursionError):
            pass
        return b"\n".join(lines)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        how = rng.randrange(8)
        if how < 3 and data:
            data[at - 1] ^= 1 << rng.randrange(8)
        elif how == 3 and data:
            data[at - 1] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
        elif how == 4:
            data[at:at] = rng.choice(PIECES)
        elif how == 5:
            del data[at : end if rng.random() < 0.5 else at + 1]
        elif how == 6:
            del data[at:]
        else:
            data[at:at] = data[at:end][:4096]
    return bytes(data)
