"""Writes token shards (shards.py), in parallel, resumable; the bytes are those of one process.

A corpus is read in units of a file or a few (`Corpus.units`), and each unit's documents are cut
into shards by their text alone. Each shard is encoded and written whole by one process; one that is
there already, of the same text and tokenizer and undamaged, is kept. So any engine, any number of
workers, and parts that are merged write the same files.

Mode "document": every document by itself, an EOS id after it; all of it decodes. Mode "block" (the
paper's training data, §3.3): 128 documents, a zero byte after each (the end of a document; text has
none), are joined and cut into blocks of `block_bytes` bytes, each encoded by itself, without EOS. A
block ends up to three bytes early rather than inside a UTF-8 character, so that every tokenizer
takes it, and the last block of a group is as short as it comes.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from equinfo.artifacts import Artifact
from equinfo.compress.parallel import num_threads
from equinfo.corpora import (
    AnyCorpus,
    Corpus,
    Unit,
    batched,
    documents_of,
    limited,
    load_corpus,
    read_units,
)  # fmt: skip
from equinfo.engines import in_processes, on_ray, share_of
from equinfo.errors import EquinfoError, did_you_mean, naming_files
from equinfo.files import alone, atomic_file, check_empty, clear, content_hash, target, writing
from equinfo.reading import LeftOut, between_characters, taken
from equinfo.shards import (
    COUNTS,
    FORMAT,
    MANIFEST,
    PLAN,
    STRIDE,
    VERSION,
    Shards,
    check_digest,
    check_plan,
    check_version,
    place_of,
    read_head,
    shard_name,
    write_shard,
)  # fmt: skip
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import KEPT, kept, load, tokenizer_class

MODES = ("document", "block")
ENGINES = ("processes", "ray")
BLOCK_BYTES = 10_240
GROUP_DOCUMENTS = 128
SHARD_BYTES = 16 << 20
UNEVEN = 1.2  # times its share: what the slowest worker may have of the files
END_OF_DOCUMENT = b"\0"
NOTES = {
    "document": "each document's ids, then EOS (id code_size + 2); a document's ids decode to its"
    " bytes",
    "block": "each block's ids; a block decodes to its bytes, but a training example is a block's"
    " first ids, cut at `context`, and is not decodable",
}

Group = list[bytes]  # documents that belong together: one, or those whose join is cut into blocks
Head = dict[str, Any]  # a shard's header, at first without counts
Entry = dict[str, Any]  # a shard in the manifest


@dataclass(frozen=True)
class Task:
    """A shard to be written: its name, its header without counts, its documents.

    read: bytes of files that were read for it.
    """

    name: str
    head: Head
    groups: list[Group]
    read: int


@dataclass(frozen=True)
class Noted:
    """What had to be left out of a part of the corpus."""

    part: str
    left: LeftOut


Done = tuple[Entry, int] | Noted  # a shard's entry, and the bytes of files that were read for it


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
    engine: str = "processes",
    workers: int | None = 1,
    part: str | None = None,
    shard_bytes: int = SHARD_BYTES,
    max_bytes: int | None = None,
    progress: str | None = None,
    overwrite: bool = False,
) -> Shards:
    """Write a corpus's ids to the folder `out`, or finish what was begun there, and open it.

    engine: "processes" of this machine, or "ray", whose workers must all reach the corpus and
    `out`. workers: processes, of one thread each (1: this process, with the library's own threads;
    None: one a CPU, of the cluster's for Ray); the files are the same for any number. They read the
    texts themselves where the corpus's files can be shared out evenly. In a script, call with more
    than one under `if __name__ == "__main__":`, as for any multiprocessing. part: "3/64" for the
    third of 64 shares of the corpus's files, for machines that know nothing of each other;
    `merge_shards` makes shards of them. Documents that are given as such are all of that part.
    block_stride: bytes from a block's beginning to the next one's, 0 for block_bytes; a training
    example is a block's first ids, so blocks that overlap make more of them. shard_bytes: text a
    file, about; memory is about four times that a worker. corpus: as for the other steps.
    max_bytes: documents up to as many (`corpora.limited`). overwrite: what equinfo wrote in `out`
    goes first. Raises EquinfoError for a mode that does not exist, text the tokenizer cannot take,
    and a folder that holds other things or is being written.
    """
    out = target(out)
    tokenizer = load(tokenizer)
    for what, chosen, known in (("mode", mode, MODES), ("engine", engine, ENGINES)):
        if chosen not in known:
            close = did_you_mean(chosen, known)
            raise EquinfoError(f"unknown {what} {chosen!r}; known: {', '.join(known)}{close}")
    for name, value, least in (
        ("workers", 1 if workers is None else workers, 1),
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
    share = None if part is None else share_of(part, "part")
    loaded = load_corpus(corpus) if isinstance(corpus, str | Path) else corpus
    named: dict[str, str | None] = {"name": None, "split": None}
    if isinstance(loaded, Corpus):
        named = {"name": loaded.name, "split": split}
    if isinstance(loaded, Corpus) and max_bytes is None:
        units = list(enumerate(loaded.units(split)))
        several = len(units)
        mine = units[share[0] - 1 :: share[1]] if share else units
    elif share and max_bytes is not None:
        raise EquinfoError("a part has no max_bytes: it cannot know what others have taken")
    else:
        documents = documents_of(loaded, split)
        if max_bytes is not None:
            documents = limited(documents, max_bytes, say=True)
        held = documents if engine == "processes" else list(documents)
        number, several = (share[0] - 1, share[1]) if share else (0, 1)
        mine = [(number, Unit("", partial(_given, held), 0))]
    if not mine:
        warnings.warn(
            f"part {part} is empty: the corpus has {several} files, or groups of small ones",
            stacklevel=1,
        )
    count = num_threads() if workers is None else workers
    with _filling(out, overwrite):
        cut = _Cut(plan, shard_bytes, several > 1)
        written = partial(_written, out)
        all_written = partial(_all_written, out, cut)
        worker = (_start_worker, (tokenizer.artifact,))
        size = sum(unit.size for _, unit in mine)
        results: Iterator[Done]
        if engine == "ray" and len(mine) > 1:
            results = chain.from_iterable(on_ray(mine, None, all_written, workers, *worker))
        elif engine == "ray" and mine:
            results = on_ray(mine, cut.read, written, workers, *worker, shard_bytes)
        elif count == 1:
            results = (written(task, tokenizer) for task in cut.here(mine))
        elif _even([unit.size for _, unit in mine], count):
            results = chain.from_iterable(in_processes(all_written, mine, count, *worker))
        else:
            results = in_processes(written, cut.here(mine), count, *worker)
        entries = _collected(results, size, progress)
        more = {path.name for path in out.glob("shard-*.ids")} - {one["file"] for one in entries}
        if more:
            raise EquinfoError(
                f"{out} holds {min(more)}, which is not of this corpus: choose another folder, or"
                " pass --overwrite"
            )
        if not entries and not share:
            if isinstance(loaded, Corpus):
                raise loaded.empty(split)
            raise EquinfoError("there is no text to encode: the corpus is empty")
        parts = {"part": list(share), "units": several} if share else {}
        _finish(out, {**plan, "corpus": named, **parts}, entries, tokenizer)
    return Shards(out, verify=False, part=bool(share))


@naming_files()
def merge_shards(
    parts: Sequence[Path | str], out: Path | str, *, overwrite: bool = False
) -> Shards:
    """Make the shards of a corpus, in the folder `out`, of the folders of all its parts, and open
    them: the files that one call of `tokenize_corpus` for all would have written.

    Files are linked where the disk is one, else copied; the parts stay. Raises EquinfoError for a
    part that is missing, there twice, of another corpus, tokenizer or mode, or damaged.
    """
    out = target(out)
    folders = [target(folder) for folder in parts]
    opened = [Shards(folder, part=True) for folder in folders]
    if not opened:
        raise EquinfoError("there is nothing to merge: name the folders of all parts")
    first = opened[0].manifest
    of = first["part"][1]
    number_of: dict[int, Path] = {}
    for folder, shards in zip(folders, opened, strict=True):
        shards.identity.check(opened[0].identity, folder, "written by")
        for name in (*PLAN, STRIDE, "corpus", "units"):
            if shards.manifest.get(name) != first.get(name):
                raise EquinfoError(
                    f"{folder} has {name} {shards.manifest.get(name)} and {folders[0]} has"
                    f" {first.get(name)}: they are no parts of one corpus"
                )
        number, its_of = shards.manifest["part"]
        if its_of != of:
            raise EquinfoError(f"{folder} is a part of {its_of} and {folders[0]} of {of}")
        if number in number_of:
            raise EquinfoError(f"{folder} and {number_of[number]} are both part {number}/{of}")
        number_of[number] = folder
    missing = [str(number) for number in range(1, of + 1) if number not in number_of]
    if missing:
        raise EquinfoError(
            f"part {', '.join(missing[:9])} of {of} is missing: `equinfo tokenize --part"
            f" {missing[0]}/{of}` makes it"
        )
    with _filling(out, overwrite):
        entries = sorted(
            (entry for shards in opened for entry in shards.manifest["shards"]),
            key=lambda entry: place_of(entry["file"]),
        )
        if not entries:
            raise EquinfoError("there is no text in any part: the corpus is empty")
        for folder, shards in zip(folders, opened, strict=True):
            for entry in shards.manifest["shards"]:
                with atomic_file(out / entry["file"]) as beside:
                    _link(folder / entry["file"], beside)
        plan = {name: first[name] for name in (*PLAN, STRIDE, "corpus") if name in first}
        _finish(out, plan, entries, kept(folders[0]))
    return Shards(out, verify=False)


def _even(sizes: list[int], workers: int) -> bool:
    """Whether units of these sizes, each given to who has least, keep all workers busy."""
    loads = [0] * workers
    for size in sizes:
        loads[loads.index(min(loads))] += size or 1  # 0: all are unknown
    return max(loads) * workers <= UNEVEN * sum(loads)


def _given(documents: Iterable[bytes], left: LeftOut) -> Iterator[bytes]:
    yield from documents


def _collected(results: Iterator[Done], size: int, progress: str | None) -> list[Entry]:
    """The manifest's entries in their order, and a bar meanwhile.

    size: bytes of all the files; how much of them was read says how much text there will be.
    """
    entries: list[Entry] = []
    left: dict[str, LeftOut] = {}
    read = 0
    with tqdm(desc=progress, unit="B", unit_scale=True, disable=progress is None) as bar:
        for result in results:
            if isinstance(result, Noted):
                left.setdefault(result.part, LeftOut()).add(result.left)
                continue
            entry, more = result
            entries.append(entry)
            read += more
            bar.update(entry["num_bytes"])
            if read and size:
                bar.total = max(round(bar.n * size / read), bar.n)
    for part, noted in left.items():
        noted.say(part)
    return sorted(entries, key=lambda entry: place_of(entry["file"]))


def _finish(out: Path, plan: Head, entries: list[Entry], tokenizer: Tokenizer | None) -> None:
    """Write the manifest, last of all."""
    totals = {part: sum(entry[part] for entry in entries) for part in COUNTS}
    manifest = {"format": FORMAT, "version": VERSION, **plan, **totals}
    manifest |= {"note": NOTES[plan["mode"]], "shards": entries}
    manifest["hash"] = content_hash(manifest)
    if tokenizer is not None:
        tokenizer.save(out / KEPT)
    with atomic_file(out / MANIFEST) as beside:
        beside.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _filling(out: Path, overwrite: bool) -> Iterator[None]:
    """Be the folder's one writer; rid it of a kill's remains. Raises EquinfoError where it holds
    other things than shards."""
    check_empty(out, overwrite=True)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with alone(out):
        if overwrite:
            clear(out)
        shards = {path.name for path in out.glob("shard-*.ids")}
        check_empty(out, overwrite, {MANIFEST, KEPT, *shards})
        check_version(out)
        for path in [*out.glob(".shard-*.tmp"), *out.glob(f".{MANIFEST}.*.tmp")]:
            path.unlink()
        yield


def _link(source: Path, place: Path) -> None:
    try:
        place.hardlink_to(source)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, place)


@dataclass(frozen=True)
class _Cut:
    """How units become tasks. several: whether the corpus has more than one."""

    plan: Head
    shard_bytes: int
    several: bool

    def here(self, units: list[tuple[int, Unit]]) -> Iterator[Task]:
        """Of all units, read by this process."""
        documents = read_units(unit for _, unit in units)
        for (number, _), texts in zip(units, documents, strict=True):
            yield from self._tasks(number, texts)

    def read(self, numbered: tuple[int, Unit]) -> Iterator[Task | Noted]:
        """Of one unit, read by whichever process."""
        number, unit = numbered
        left = LeftOut(unit.noted)
        yield from self._tasks(number, unit.read(left))
        yield Noted(unit.part, left)

    def _tasks(self, unit: int, documents: Iterator[bytes]) -> Iterator[Task]:
        before = taken.bytes
        for number in count():
            groups: list[Group] = []
            size = 0
            while size < self.shard_bytes:
                group = list(islice(documents, self.plan["group_documents"]))
                if not group:
                    break
                groups.append(group)
                size += sum(map(len, group))
            if not groups:
                return
            source = hashlib.sha256()  # of the texts and where they end
            for document in chain.from_iterable(groups):
                source.update(len(document).to_bytes(8, "little"))
                source.update(document)
            name = shard_name(number, unit if self.several else None)
            head = {**self.plan, "source": source.hexdigest()}
            yield Task(name, head, groups, taken.bytes - before)
            before = taken.bytes


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


def encoded_apart(group: Group, plan: Head) -> Iterator[tuple[bytes, int]]:
    """(what is encoded by itself, its bytes of text) of a group, by the plan's mode."""
    if plan["mode"] == "document":
        return ((document, len(document)) for document in group)
    return blocks(group, plan["block_bytes"], plan.get(STRIDE, 0))


_tokenizer: Tokenizer  # a worker's own


def _start_worker(artifact: Artifact) -> None:
    global _tokenizer
    _tokenizer = tokenizer_class(artifact.kind).from_artifact(artifact)


def _all_written(out: Path, cut: _Cut, numbered: tuple[int, Unit]) -> list[Done]:
    """All of a unit, by a worker."""
    return [_written(out, task) for task in cut.read(numbered)]


def _written(out: Path, task: Task | Noted, tokenizer: Tokenizer | None = None) -> Done:
    """tokenizer: None for a worker's own."""
    if isinstance(task, Noted):
        return task
    entry = make_shard(tokenizer or _tokenizer, out / task.name, task.head, task.groups)
    return {"file": task.name, **entry}, task.read


def make_shard(tokenizer: Tokenizer, path: Path, head: Head, groups: list[Group]) -> Entry:
    """Write a shard, or keep what is there; its entry in the manifest.

    Raises EquinfoError where another corpus's or tokenizer's shard is there. One that is damaged is
    written again.
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
    units = [unit for group in groups for unit in encoded_apart(group, head)]
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


def _entry(head: Head, digest: str) -> Entry:
    return {"sha256": digest, "source": head["source"], **{part: head[part] for part in COUNTS}}
