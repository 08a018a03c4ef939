"""Writes token shards (shards.py), in parallel, resumable; the bytes are those of one process.

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
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from equinfo.artifacts import Artifact
from equinfo.corpora import AnyCorpus, Corpus, batched, documents_of, limited, load_corpus
from equinfo.errors import EquinfoError, naming_files
from equinfo.files import alone, atomic_file, check_empty, clear, content_hash, target, writing
from equinfo.reading import between_characters
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
from equinfo.tokenizers.registry import KEPT, load, tokenizer_class

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
Head = dict[str, Any]  # a shard's header, at first without counts
Task = tuple[Path, Head, list[Group]]


@naming_files()
def tokenize_corpus(
    tokenizer: Tokenizer | Path | str,
    corpus: AnyCorpus,
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
    overwrite: bool = False,
) -> Shards:
    """Write a corpus's ids to the folder `out`, or finish what was begun there, and open it.

    workers: processes, of one thread each (1: this process, with the library's own threads); the
    files are the same for any number. In a script, call with more than one under `if __name__ ==
    "__main__":`, as for any multiprocessing. block_stride: bytes from a block's beginning to the
    next one's, 0 for block_bytes; a training example is a block's first ids, so blocks that overlap
    make more of them. shard_bytes: text a file, about; memory is about four times that a worker.
    corpus: as for the other steps. max_bytes: documents up to as many (`corpora.limited`).
    overwrite: what equinfo wrote in `out` goes first. Raises EquinfoError for a mode that does not
    exist, text the tokenizer cannot take, and a folder that holds other things or is being written.
    """
    out = target(out)
    tokenizer = load(tokenizer)
    if mode not in MODES:
        raise EquinfoError(f"unknown mode {mode!r}; known: {', '.join(MODES)}")
    for name, value, least in (
        ("workers", workers, 1),
        ("shard_bytes", shard_bytes, 1),
        ("block_bytes", block_bytes, 4),
        (STRIDE, block_stride or 4, 4),
    ):
        if value < least:
            raise EquinfoError(f"{name} is {value}: it must be at least {least}")
    in_blocks = mode == "block"
    plan = {
        "tokenizer": tokenizer.fingerprint,
        "name": tokenizer.name,
        "code_size": tokenizer.code_size,
        "dtype": np.dtype(tokenizer.dtype).name,
        "mode": mode,
        "block_bytes": block_bytes if in_blocks else None,
        "group_documents": GROUP_DOCUMENTS if in_blocks else 1,
        **({STRIDE: block_stride} if in_blocks and block_stride else {}),
    }
    loaded = load_corpus(corpus) if isinstance(corpus, str | Path) else corpus
    named: dict[str, str | None] = {"name": None, "split": None}
    if isinstance(loaded, Corpus):
        named = {"name": loaded.name, "split": split}
    documents = documents_of(loaded, split)
    if max_bytes is not None:
        documents = limited(documents, max_bytes, say=True)
    check_empty(out, overwrite=True)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with alone(out):
        _make_ready(out, overwrite)
        entries: list[dict[str, Any]] = []
        with tqdm(desc=progress, unit="B", unit_scale=True, disable=progress is None) as bar:
            for entry in _entries(tokenizer, _tasks(documents, out, plan, shard_bytes), workers):
                entries.append({"file": shard_name(len(entries)), **entry})
                bar.update(entry["num_bytes"])
        if not entries:
            raise EquinfoError("there is no text to encode: the corpus is empty")
        more = sorted(path.name for path in out.glob("shard-*.ids"))[len(entries) :]
        if more:
            raise EquinfoError(
                f"{out} holds {more[0]} and this corpus ends before it: choose another folder, or"
                " pass --overwrite"
            )
        totals = {part: sum(entry[part] for entry in entries) for part in COUNTS}
        manifest = {"format": FORMAT, "version": VERSION, **plan, "corpus": named, **totals}
        manifest |= {"note": NOTES[mode], "shards": entries}
        manifest["hash"] = content_hash(manifest)
        tokenizer.save(out / KEPT)
        with atomic_file(out / MANIFEST) as beside:
            beside.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return Shards(out, verify=False)


def _make_ready(out: Path, overwrite: bool) -> None:
    """Rid it of a kill's remains. Raises EquinfoError where it holds other things than shards."""
    if overwrite:
        clear(out)
    shards = {path.name for path in out.glob("shard-*.ids")}
    check_empty(out, overwrite, {MANIFEST, KEPT, *shards})
    check_version(out)
    for path in [*out.glob(".shard-*.tmp"), *out.glob(f".{MANIFEST}.*.tmp")]:
        path.unlink()


def _tasks(
    documents: Iterator[bytes], out: Path, plan: dict[str, Any], shard_bytes: int
) -> Iterator[Task]:
    """(path, header, groups of documents) of each shard."""
    for number in count():
        groups: list[Group] = []
        size = 0
        while size < shard_bytes and (group := list(islice(documents, plan["group_documents"]))):
            groups.append(group)
            size += sum(map(len, group))
        if not groups:
            return
        source = hashlib.sha256()  # of the texts and where they end
        for document in chain.from_iterable(groups):
            source.update(len(document).to_bytes(8, "little"))
            source.update(document)
        yield out / shard_name(number), {**plan, "source": source.hexdigest()}, groups


def blocks(documents: Group, block_bytes: int, stride: int = 0) -> Iterator[tuple[bytes, int]]:
    """(block, its bytes of text, END_OF_DOCUMENT not counted) of the joined documents.

    stride: bytes from a block's beginning to the next one's, or a few less; 0: they do not overlap.
    """
    joined = b"".join(document + END_OF_DOCUMENT for document in documents)
    ends = np.cumsum([len(document) + 1 for document in documents]) - 1
    at = end = 0
    while end < len(joined):
        end = between_characters(joined, at + block_bytes)
        yield joined[at:end], end - at - int(((ends >= at) & (ends < end)).sum())
        at = between_characters(joined, at + stride) if stride else end


def _entries(tokenizer: Tokenizer, tasks: Iterator[Task], workers: int) -> Iterator[dict[str, Any]]:
    """Each task's entry in the manifest, in order; at most two tasks a worker are under way."""
    if workers == 1:
        yield from (make_shard(tokenizer, *task) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[dict[str, Any]]] = deque()
    try:
        with ProcessPoolExecutor(workers, context, _start_worker, (tokenizer.artifact,)) as pool:
            try:
                for task in tasks:
                    waiting.append(pool.submit(make_shard, None, *task))
                    if len(waiting) >= 2 * workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    except BrokenProcessPool as error:
        raise EquinfoError(
            "a worker ended before its work did (killed, out of memory, or a script without `if"
            ' __name__ == "__main__":`): run again, maybe with fewer workers; finished shards are'
            " kept"
        ) from error


_tokenizer: Tokenizer  # a worker's own


def _start_worker(artifact: Artifact) -> None:
    """One thread, and an end with the parent's, however that comes."""
    global _tokenizer
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    threading.Thread(target=end_with_parent, daemon=True).start()
    _tokenizer = tokenizer_class(artifact.kind).from_artifact(artifact)


def end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def make_shard(
    tokenizer: Tokenizer | None, path: Path, head: Head, groups: list[Group]
) -> dict[str, Any]:
    """Write a shard, or keep what is there; its entry in the manifest.

    tokenizer: None for the worker's own. Raises EquinfoError where another corpus's or tokenizer's
    shard is there. One that is damaged is written again.
    """
    if path.exists():
        try:
            digest = check_digest(path)
            there, _ = read_head(path)
        except EquinfoError:
            pass
        else:
            check_plan(path, there, head)
            return _entry(there, digest)
    tokenizer = tokenizer or _tokenizer
    if head["mode"] == "document":
        units = [(document, len(document)) for group in groups for document in group]
    else:
        stride = head.get(STRIDE, 0)
        units = [u for group in groups for u in blocks(group, head["block_bytes"], stride)]
    batches = batched(data for data, _ in units)
    encoded = [ids for batch in batches for ids in tokenizer.encode_batch(batch)]
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


def _entry(head: Head, digest: str) -> dict[str, Any]:
    return {"sha256": digest, "source": head["source"], **{part: head[part] for part in COUNTS}}
