"""Writes token shards (shards.py), in parallel, resumable; the bytes do not depend on how many
processes write.

The corpus is read once, in order, and cut into shards by its text alone. Each shard is encoded and
written whole by one process; one that is there already, of the same text and tokenizer and
undamaged, is kept.

Mode "document": every document by itself, an EOS id after it; all of it decodes. Mode "block" (the
paper's training data, §3.3): 128 documents, a zero byte after each (the end of a document; text has
none), are joined and cut into blocks of `block_bytes` bytes, each encoded by itself, without EOS. A
block ends up to three bytes early rather than inside a UTF-8 character, so that every tokenizer
takes it, and the last block of a group is as short as it comes.
"""

import hashlib
import json
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from equinfo.artifacts import Artifact
from equinfo.corpora import Corpus, limited, load_corpus
from equinfo.errors import EquinfoError
from equinfo.files import atomic_file, content_hash
from equinfo.pipeline import batched
from equinfo.shards import (
    COUNTS,
    FORMAT,
    MANIFEST,
    STRIDE,
    VERSION,
    Shards,
    check_digest,
    check_plan,
    check_version,
    read_head,
    shard_name,
    write_shard,
)
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import tokenizer_class

MODES = ("document", "block")
BLOCK_BYTES = 10_240
GROUP_DOCUMENTS = 128
SHARD_BYTES = 16 << 20
END_OF_DOCUMENT = b"\0"
ONE_THREAD = ("EQUINFO_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
NOTES = {
    "document": "each document's ids, then EOS (id code_size + 2); a document's ids decode to its"
    " bytes",
    "block": "each block's ids; a block decodes to its bytes, but a training example is a block's"
    " first ids, cut at `context`, and is not decodable",
}

Group = list[bytes]  # documents that belong together: one, or those whose join is cut into blocks


def tokenize_corpus(
    tokenizer: Tokenizer,
    corpus: str | Corpus | Iterable[bytes],
    out: Path | str,
    *,
    split: str = "train",
    mode: str = "document",
    block_bytes: int = BLOCK_BYTES,
    block_stride: int = 0,
    workers: int = 1,
    shard_bytes: int = SHARD_BYTES,
    max_bytes: int | None = None,
    progress: str | None = None,
) -> Shards:
    """Write a corpus's ids to the folder `out`, or finish what was begun there, and open it.

    workers: processes, of one thread each (1: this process, with the library's own threads); the
    files are the same for any number. In a script, call with more than one under `if __name__ ==
    "__main__":`, as for any multiprocessing. block_stride: bytes from a block's beginning to the
    next one's, 0 for block_bytes; a training example is a block's first ids, so blocks that overlap
    make more of them. shard_bytes: text a file, about; memory is about four times that a worker.
    max_bytes: whole documents up to as many. Raises EquinfoError for a mode that does not exist,
    text the tokenizer cannot take, and a folder that holds other things.
    """
    if mode not in MODES:
        raise EquinfoError(f"unknown mode {mode!r}; known: {', '.join(MODES)}")
    least = {
        "workers": (workers, 1),
        "shard_bytes": (shard_bytes, 1),
        "block_bytes": (block_bytes, 4),
    }
    least |= {STRIDE: (block_stride, 4)} if block_stride else {}
    for name, (value, at_least) in least.items():
        if value < at_least:
            raise EquinfoError(f"{name} is {value}: it must be at least {at_least}")
    out = Path(out)
    _make_folder(out)
    check_version(out)
    plan = _plan(tokenizer, mode, block_bytes, block_stride)
    loaded = load_corpus(corpus) if isinstance(corpus, str) else corpus
    documents = loaded.documents(split) if isinstance(loaded, Corpus) else iter(loaded)
    if max_bytes is not None:
        documents = limited(documents, max_bytes)
    tasks = _tasks(documents, out, plan, shard_bytes)
    with tqdm(desc=progress, unit="B", unit_scale=True, disable=progress is None) as bar:
        entries = []
        for entry in _results(tokenizer, tasks, workers):
            entries.append(entry)
            bar.update(entry["num_bytes"])
    if not entries:
        raise EquinfoError("there is no text to encode: the corpus is empty")
    named = (
        {"name": loaded.name, "split": split}
        if isinstance(loaded, Corpus)
        else {"name": None, "split": None}
    )
    _write_manifest(out, plan, named, entries)
    return Shards(out, verify=False)


def _plan(tokenizer: Tokenizer, mode: str, block_bytes: int, block_stride: int) -> dict[str, Any]:
    """What all shards of a folder share: the fields `shards.PLAN`, and STRIDE."""
    return {
        "tokenizer": tokenizer.fingerprint,
        "name": tokenizer.name,
        "code_size": tokenizer.code_size,
        "dtype": np.dtype(tokenizer.dtype).name,
        "mode": mode,
        "block_bytes": block_bytes if mode == "block" else None,
        "group_documents": GROUP_DOCUMENTS if mode == "block" else 1,
        **({STRIDE: block_stride} if mode == "block" and block_stride else {}),
    }


def _make_folder(out: Path) -> None:
    """Make it, or clear it of a kill's remains. Raises EquinfoError where it holds other things."""
    if out.exists() and not out.is_dir():
        raise EquinfoError(f"{out} is a file: name a folder for the shards")
    out.mkdir(parents=True, exist_ok=True)
    for path in out.iterdir():
        ours = path.name == MANIFEST or (path.name.startswith("shard-") and path.suffix == ".ids")
        left_over = path.name.startswith((".shard-", f".{MANIFEST}.")) and path.suffix == ".tmp"
        if left_over:
            path.unlink()
        elif not ours:
            raise EquinfoError(f"{out} holds {path.name}, which is no shard: name a new folder")


def _write_manifest(
    out: Path, plan: dict[str, Any], corpus: dict[str, Any], entries: list[dict[str, Any]]
) -> None:
    more = sorted(p.name for p in out.glob("shard-*.ids"))[len(entries) :]
    if more:
        raise EquinfoError(
            f"{out} holds {more[0]} and this corpus ends before it: choose another folder, or"
            " remove this one and tokenize again"
        )
    totals = {part: sum(entry[part] for entry in entries) for part in COUNTS}
    named = [{"file": shard_name(number), **entry} for number, entry in enumerate(entries)]
    manifest = {"format": FORMAT, "version": VERSION, **plan, "corpus": corpus, **totals,
        "note": NOTES[plan["mode"]],
                "shards": named}  # fmt: skip
    with atomic_file(out / MANIFEST) as beside:
        beside.write_text(
            json.dumps({**manifest, "hash": content_hash(manifest)}, indent=1) + "\n",
            encoding="utf-8",
        )


# -- what each shard is made of --------------------------------------------------------------------

Task = tuple[Path, dict[str, Any], list[Group]]


def _tasks(
    documents: Iterator[bytes], out: Path, plan: dict[str, Any], shard_bytes: int
) -> Iterator[Task]:
    """(path, header without counts, groups of documents) of each shard."""
    for number, groups in enumerate(_cut(documents, plan["group_documents"], shard_bytes)):
        yield out / shard_name(number), {**plan, "source": _source(groups)}, groups


def _cut(
    documents: Iterator[bytes], group_documents: int, shard_bytes: int
) -> Iterator[list[Group]]:
    groups: list[Group] = []
    size = 0
    while group := list(islice(documents, group_documents)):
        groups.append(group)
        size += sum(map(len, group))
        if size >= shard_bytes:
            yield groups
            groups, size = [], 0
    if groups:
        yield groups


def _source(groups: list[Group]) -> str:
    """SHA-256 (hex) of the texts and where they end."""
    digest = hashlib.sha256()
    for group in groups:
        for document in group:
            digest.update(len(document).to_bytes(8, "little"))
            digest.update(document)
    return digest.hexdigest()


def blocks(documents: Group, block_bytes: int, stride: int = 0) -> Iterator[tuple[bytes, int]]:
    """(block, its bytes of text: those of END_OF_DOCUMENT are not counted) of the joined documents.

    stride: bytes from a block's beginning to the next one's, or a few less; 0 for blocks that do
    not overlap.
    """
    joined = b"".join(document + END_OF_DOCUMENT for document in documents)
    ends = np.cumsum([len(document) + 1 for document in documents]) - 1
    at = end = 0
    while end < len(joined):
        end = _between_characters(joined, at + block_bytes)
        yield joined[at:end], end - at - int(((ends >= at) & (ends < end)).sum())
        at = _between_characters(joined, at + stride) if stride else end


def _between_characters(text: bytes, place: int) -> int:
    """The last place up to `place` not inside a UTF-8 character; `place` if there is no UTF-8."""
    end = min(place, len(text))
    back = end
    while back < len(text) and end - back < 3 and text[back] & 0xC0 == 0x80:
        back -= 1
    return back if back == len(text) or text[back] & 0xC0 != 0x80 else end


# -- processes -------------------------------------------------------------------------------------


def _results(tokenizer: Tokenizer, tasks: Iterator[Task], workers: int) -> Iterator[dict[str, Any]]:
    """Each task's entry, in order; at most two tasks a worker are under way."""
    if workers == 1:
        yield from (make_shard(tokenizer, *task) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[dict[str, Any]]] = deque()
    try:
        with ProcessPoolExecutor(workers, context, _start_worker, (tokenizer.artifact,)) as pool:
            try:
                for task in tasks:
                    waiting.append(pool.submit(_in_worker, *task))
                    if len(waiting) >= 2 * workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    except BrokenProcessPool as error:
        raise EquinfoError(
            "a worker ended before its work did (killed, out of memory, or a script without `if"
            " __name__ =="
            ' "__main__":`): run again, maybe with fewer workers; finished shards are kept'
        ) from error


_tokenizer: Tokenizer  # a worker's own


def _start_worker(artifact: Artifact) -> None:
    """One thread, and an end with the parent's, however that comes."""
    global _tokenizer
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _tokenizer = tokenizer_class(artifact.kind).from_artifact(artifact)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_worker(path: Path, head: dict[str, Any], groups: list[Group]) -> dict[str, Any]:
    return make_shard(_tokenizer, path, head, groups)


def make_shard(
    tokenizer: Tokenizer, path: Path, head: dict[str, Any], groups: list[Group]
) -> dict[str, Any]:
    """Write a shard, or keep what is there; its entry in the manifest.

    Raises EquinfoError where another corpus's or tokenizer's shard is there. One that is damaged is
    written again.
    """
    if path.exists():
        kept = _kept(path, head)
        if kept:
            return kept
    units = [(d, len(d)) for g in groups for d in g] if head["mode"] == "document" else [
        unit for group in groups for unit in blocks(group, head["block_bytes"], head.get(STRIDE, 0))
    ]  # fmt: skip
    encoded = [
        ids for batch in batched(data for data, _ in units) for ids in tokenizer.encode_batch(batch)
    ]
    num_codes = sum(map(len, encoded))
    if head["mode"] == "document":
        encoded = [np.append(ids, np.array(tokenizer.eos_id, dtype=ids.dtype)) for ids in encoded]
    ends = np.cumsum([len(ids) for ids in encoded])
    num_bytes = np.array([size for _, size in units])
    counts = [int(ends[-1]), num_codes, len(units), int(num_bytes.sum())]
    head = {**head, **dict(zip(COUNTS, counts, strict=True))}
    with atomic_file(path) as beside, beside.open("wb") as file:
        digest = write_shard(file, head, np.concatenate(encoded), ends, num_bytes)
    return _entry(head, digest)


def _kept(path: Path, head: dict[str, Any]) -> dict[str, Any] | None:
    """The entry of the whole shard at `path`, None where it is damaged."""
    try:
        digest = check_digest(path)
        header, _ = read_head(path)
    except EquinfoError:
        return None
    check_plan(path, header, head)
    return _entry(header, digest)


def _entry(head: dict[str, Any], digest: str) -> dict[str, Any]:
    return {"sha256": digest, "source": head["source"], **{part: head[part] for part in COUNTS}}
