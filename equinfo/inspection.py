"""What a file or folder of equinfo's is, and whether it is whole.

A kind of thing is a line in `_kind`, which tells it apart, and a row of KINDS: what is said of it
without reading it all, and what proves it. Whatever is damaged is refused by the reader of its kind
in one line that names the file.
"""

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equinfo import artifacts, formats, shards, tokenfile
from equinfo.artifacts import JSON_NAME, Identity, load_artifact, located, read_config, read_kind
from equinfo.compress.models.base import load_model
from equinfo.corpora import AnyCorpus, Corpus, documents_of, limited, load_corpus, read_units
from equinfo.errors import EquinfoError, naming, naming_files, needing
from equinfo.files import EXPORT, as_path, file_hash, whole
from equinfo.lm.config import TrainConfig
from equinfo.sharding import encoded_apart
from equinfo.shards import MANIFEST, Shards
from equinfo.stored import digest, section
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import KEPT, kept, load
from equinfo.tokenizers.registry import KINDS as TOKENIZERS

SAMPLE = 200  # documents
TRAINING = ("weights", "byte-model", "checkpoint-*", "metrics.jsonl")  # any of these makes one
Facts = dict[str, Any]


@dataclass(frozen=True)
class Info:
    """What `path` is. facts: values by their names; next: a command that goes on with it."""

    path: Path
    kind: str
    facts: Facts
    next: str

    def __str__(self) -> str:
        rows = {"path": self.path, "what": self.kind, **self.facts, "next": self.next}
        shown = {n: f"{v:,}" if isinstance(v, int) else v for n, v in rows.items() if v is not None}
        return "\n".join(f"{name:12}{EquinfoError(value)}" for name, value in shown.items())


@naming_files()
def info(path: Path | str) -> Info:
    """What a file or folder is: its kind, whose ids it holds, sizes, what to do with it next.

    path: anything that equinfo wrote, or the name of what ships with it. Ids and weights are not
    read. Raises EquinfoError for what equinfo did not write, and for damage where it looks.
    """
    place = located(as_path(path))
    kind = _kind(place)
    facts, command = KINDS[kind].describe(place)
    size = sum(file.stat().st_size for file in (place, *place.rglob("*")) if file.is_file())
    facts = {"version": KINDS[kind].version, **facts, "on disk": size}
    return Info(place, kind, facts, command.replace("PATH", shlex.quote(str(place))))


@naming_files()
def verify(
    path: Path | str,
    against: AnyCorpus | None = None,
    *,
    tokenizer: Tokenizer | Path | str | None = None,
    split: str | None = None,
    max_bytes: int | None = None,
    sample: int = SAMPLE,
    seed: int = 0,
) -> Info:
    """Read all of what equinfo wrote; `info` of it, with the fact "checked".

    against: what it was made from. A token file, decoded, must be that file; of shards, as many
    documents of the corpus as there are must have the same sizes, and `sample` of them (or blocks),
    drawn by `seed`, decode to its text. tokenizer: that of a token file, or of shards that do not
    hold theirs. split (by default the shards' own), max_bytes: as the corpus was tokenized with.
    Raises EquinfoError, which names the file, for anything cut, altered or missing, and for a text
    that is another.
    """
    found = info(path)
    checked = KINDS[found.kind].check(found.path)
    if against is not None:
        if found.kind == "token file":
            checked += f"; decodes to {against}"
            _compare_file(found.path, against, tokenizer)
        elif found.kind == "token shards":
            source = _Source(against, split, max_bytes)
            checked += f"; {_compare_shards(found.path, source, tokenizer, sample, seed)}"
        else:
            raise EquinfoError(
                f"{path} is no token file and no folder of shards: a source is compared with those"
                " alone"
            )
    return replace(found, facts={**found.facts, "checked": checked})


def _kind(path: Path) -> str:
    """A name in KINDS. Raises EquinfoError for what is of none of them."""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(len(tokenfile.MAGIC))
        for magic, kind in ((tokenfile.MAGIC, "token file"), (shards.MAGIC, "token shard")):
            if start[:-1] == magic[:-1]:
                return kind
    elif path.is_dir():
        if whole(path / EXPORT).is_file():
            return "export"
        if (path / MANIFEST).is_file() or any(path.glob("shard-*.ids")):
            return "token shards"
        if whole(path / JSON_NAME).is_file():
            kind = read_kind(path)
            return "tokenizer" if kind in TOKENIZERS else ARTIFACTS.get(kind, "artefact")
        if any(any(path.glob(part)) for part in TRAINING):
            return "training"
        if (path / "config.json").is_file():
            with needing("lm", "a language model"):
                from equinfo.lm.exported import is_exported
            if is_exported(path):
                return "transformers' LM"
    elif not path.exists():
        raise EquinfoError(f"{path} does not exist: name a file or folder that equinfo wrote")
    raise EquinfoError(
        f"{path} is nothing that equinfo wrote: no token file, shard, export, artefact or training"
    )


# -- what is said, and what is proven --------------------------------------------------------------


def _describe_file(path: Path) -> tuple[Facts, str]:
    with path.open("rb") as file:
        written_by, counts = tokenfile.describe(file, str(path))
    return {
        "tokenizer": written_by, "ids": counts.num_ids, "bytes": counts.num_bytes,
        **_ratio(counts.num_bytes, counts.num_ids),
    }, "equinfo decode PATH -t TOKENIZER -o PATH.back"  # fmt: skip


def _check_file(path: Path) -> str:
    with path.open("rb") as file:
        counts = tokenfile.check(file, str(path))
    return f"the checksums of {counts.num_ids:,} ids"


def _shard_facts(head: dict[str, Any]) -> Facts:
    return {
        "tokenizer": Identity(head["name"], head["tokenizer"]), "mode": head["mode"],
        f"{head['mode']}s": head["num_documents"], "ids": head["num_ids"],
        "bytes": head["num_bytes"], **_ratio(head["num_bytes"], head["num_codes"]),
    }  # fmt: skip


def _describe_shard(path: Path) -> tuple[Facts, str]:
    return _shard_facts(shards.read_head(path)[0]), "equinfo info PATH/.."


def _check_shard(path: Path) -> str:
    shards.check_shard(path)
    return "header, lengths, ids and checksum"


def _describe_shards(path: Path) -> tuple[Facts, str]:
    if not (path / MANIFEST).is_file():
        done = len(list(path.glob("shard-*.ids")))
        return {"unfinished": f"{done} shards and no {MANIFEST}"}, "the same tokenize command again"
    manifest = shards.read_manifest(path)
    part = manifest.get("part")
    facts = {
        "part": part and f"{part[0]}/{part[1]}", "corpus": manifest["corpus"].get("name"),
        "split": manifest["corpus"].get("split"), **_shard_facts(manifest),
        "shards": len(manifest["shards"]),
    }  # fmt: skip
    if part:
        return facts, "equinfo merge, with the other parts"
    return facts, "equinfo train-lm --shards PATH --out lm"


def _opened(path: Path, verify: bool) -> Shards:
    """Finished shards, of a part or of all."""
    return Shards(path, verify, part=bool(shards.read_manifest(path).get("part")))


def _check_shards(path: Path) -> str:
    opened = _opened(path, verify=True)
    own = opened.tokenizer()
    return f"{len(opened.manifest['shards'])} shards{' and their tokenizer' if own else ''}"


def _describe_tokenizer(path: Path) -> tuple[Facts, str]:
    made = load(path)
    facts: Facts = {"kind": made.kind, "name": made.name, "fingerprint": made.fingerprint}
    facts |= {"codes": made.code_size, "lossless": "yes" if made.lossless else "no"}
    return facts, 'equinfo show -t PATH "any text"'


def _describe_model(path: Path) -> tuple[Facts, str]:
    model = load_model(path)
    facts: Facts = {
        "kind": model.kind,
        "parameters": model.parameters,
        "context": model.max_context,
    }
    return facts, "equinfo train-tokenizer equalinfo --m1 PATH --out windows"


def _describe_artifact(path: Path) -> tuple[Facts, str]:
    return {"kind": read_kind(path)}, "equinfo verify PATH"


def _check_artifact(path: Path) -> str:
    return f"its hash, {load_artifact(path).hash[:12]}"


def _check_checkpoint(path: Path) -> str:
    """Of one process, an artefact; of several, one that names their files."""
    config = read_config(path)
    with naming(path):
        files = section(config, "files") if "files" in config else {}
    for name in files:
        file = path / Path(name).name
        with naming(file):
            if file_hash(file) != digest(files, name):
                raise EquinfoError(f"it was cut or altered: remove {path}")
    return f"{_check_artifact(path)}{f', and {len(files)} files of ranks' if files else ''}"


def _lm_facts(path: Path) -> Facts:
    """Of an artefact of weights or of a checkpoint."""
    stored = read_config(path)
    with naming(path):
        config = TrainConfig.from_dict(stored.get("config"))
        told = stored.get("result", stored)  # of weights, or a checkpoint's own
        model = config.model
        routed: Facts = {}
        if model.is_routed:
            routed = {"experts": model.experts, "depth capacity": model.depth_capacity}
            routed["a position takes"] = round(model.active_parameters())
        known = stored.get("tokenizer")
        return {
            "tokenizer": known and Identity.read(known), "ids": model.vocab_size,
            "parameters": model.parameters, **routed, "context": config.context,
            "steps": f"{told.get('step', told.get('steps'))} of {config.steps}",
            "nats an id": told.get("loss"),
        }  # fmt: skip


def _describe_weights(path: Path) -> tuple[Facts, str]:
    return _lm_facts(path), "equinfo info PATH/.."


def _checkpoints(path: Path) -> list[Path]:
    return sorted(path.glob("checkpoint-*"))


def _describe_training(path: Path) -> tuple[Facts, str]:
    facts: Facts = {}
    command = "the same training command again"
    if (path / "weights").is_dir():
        facts = _lm_facts(path / "weights")
        command = "equinfo evaluate --lm PATH"
    elif checkpoints := _checkpoints(path):
        facts = KINDS[_kind(checkpoints[-1])].describe(checkpoints[-1])[0]
    if (path / "byte-model").is_dir():
        model, command = _describe_model(path / "byte-model")
        command = command.replace("PATH", "PATH/byte-model")
        facts["byte model"] = ", ".join(f"{name} {value}" for name, value in model.items())
    return facts, command


def _check_training(path: Path) -> str:
    """Each part by itself; weights also as the LM that they are."""
    names = ("weights", "optimizer", "byte-model", KEPT)
    parts = [path / name for name in names if (path / name).is_dir()]
    parts += _checkpoints(path)
    for part in parts:
        info(part)
        KINDS[_kind(part)].check(part)
    for lines in (path / "metrics.jsonl", path / "probes.jsonl"):
        with naming(lines):
            written = lines.read_bytes().splitlines(keepends=True) if lines.exists() else []
            for line in written:
                if line.endswith(b"\n"):  # and not what a kill broke off
                    json.loads(line)
    if (path / "weights").is_dir():
        _load_lm(path)
    return ", ".join(part.name for part in parts) or "metrics alone"


def _load_lm(path: Path) -> None:
    """Raises EquinfoError for weights that are not those of its configuration, or not finite, and
    for a tokenizer beside them that is not theirs."""
    with needing("lm", "a language model"):
        from equinfo.lm.train import load_lm, trained_with
    load_lm(path)
    own, trained = kept(path), trained_with(path)
    if own and trained:
        trained.check(own.identity, path, "trained with")


def _describe_transformers(path: Path) -> tuple[Facts, str]:
    from equinfo.lm.exported import read_exported

    found = read_exported(path)
    facts = {"tokenizer": found.tokenizer, "ids": found.model.vocab_size}
    facts |= {"parameters": found.model.parameters, "context": found.context}
    return facts, 'equinfo generate "A beginning" --lm PATH'


def _check_transformers(path: Path) -> str:
    _load_lm(path)
    return "names, shapes and finite numbers; transformers notes no checksums"


def _describe_export(path: Path) -> tuple[Facts, str]:
    noted = formats.read_info(path)
    facts = {"format": noted["format"], "tokenizer": Identity.read(noted["tokenizer"])}
    facts |= {"mode": noted["mode"], "context": noted.get("context")}
    for name, split in noted["splits"].items():
        facts[name] = f"{split['num_ids']:,} ids of {split['num_bytes']:,} bytes"
    return facts, f"{noted['format']}'s own loader, on PATH"


def _check_export(path: Path) -> str:
    count = formats.check_export(path)
    return f"{count} files" if count else f"{EXPORT} alone: an earlier equinfo noted no hashes"


def _ratio(num_bytes: int, num_codes: int) -> Facts:
    return {"bytes/id": f"{num_bytes / num_codes:.3f}"} if num_codes else {}


class Kind(NamedTuple):
    """version: of the format. describe: (facts, the command to go on with, in which PATH is the
    path). check: what was proven, or EquinfoError."""

    version: int | None
    describe: Callable[[Path], tuple[Facts, str]]
    check: Callable[[Path], str]


ARTIFACTS = {"byte-model": "byte model", "lm": "LM's weights", "checkpoint": "checkpoint"}
KINDS = {
    "token file": Kind(tokenfile.VERSION, _describe_file, _check_file),
    "token shard": Kind(shards.VERSION, _describe_shard, _check_shard),
    "token shards": Kind(shards.VERSION, _describe_shards, _check_shards),
    "export": Kind(formats.VERSION, _describe_export, _check_export),
    "tokenizer": Kind(artifacts.VERSION, _describe_tokenizer, _check_artifact),
    "byte model": Kind(artifacts.VERSION, _describe_model, _check_artifact),
    "LM's weights": Kind(artifacts.VERSION, _describe_weights, _check_artifact),
    "checkpoint": Kind(artifacts.VERSION, _describe_weights, _check_checkpoint),
    "artefact": Kind(artifacts.VERSION, _describe_artifact, _check_artifact),
    "training": Kind(None, _describe_training, _check_training),
    "transformers' LM": Kind(None, _describe_transformers, _check_transformers),
}


# -- beside the source -----------------------------------------------------------------------------


def _compare_file(path: Path, against: Any, tokenizer: Any) -> None:
    """Raises EquinfoError where a token file does not decode to the file `against`."""
    if tokenizer is None:
        with path.open("rb") as file:
            written_by, _ = tokenfile.describe(file, str(path))
        raise EquinfoError(f"{path} is decoded by {written_by}: name that tokenizer (-t T)")
    at = 0
    with path.open("rb") as file, as_path(against).open("rb") as source:
        for piece in tokenfile.read(load(tokenizer), file, str(path)):
            if source.read(len(piece)) != piece:
                raise EquinfoError(f"{path} is not of {against}: they differ after byte {at}")
            at += len(piece)
        if source.read(1):
            raise EquinfoError(f"{path} is not of {against}, which goes on after its {at} bytes")


class _Source(NamedTuple):
    """A corpus, and what of it was tokenized. split: None for the shards' own."""

    corpus: AnyCorpus
    split: str | None
    max_bytes: int | None

    def __str__(self) -> str:
        named = isinstance(self.corpus, str | Path)
        return str(self.corpus) if named else "the documents given"

    def units(self, manifest: dict[str, Any]) -> Iterator[tuple[bytes, int]]:
        """(what was encoded by itself, its bytes of text)."""
        split = self.split or manifest["corpus"].get("split") or "train"
        named = isinstance(self.corpus, str | Path)
        corpus: Any = load_corpus(self.corpus) if named else self.corpus  # type: ignore[arg-type]
        if isinstance(corpus, Corpus) and self.max_bytes is None:
            part, of = manifest.get("part") or (1, 1)
            runs = read_units(corpus.units(split)[part - 1 :: of])
        else:
            documents = documents_of(corpus, split)
            runs = iter(
                [documents if self.max_bytes is None else limited(documents, self.max_bytes)]
            )
        for documents in runs:
            while group := list(islice(documents, manifest["group_documents"])):
                yield from encoded_apart(group, manifest)


def _compare_shards(path: Path, source: _Source, tokenizer: Any, sample: int, seed: int) -> str:
    """What of them was compared. Raises EquinfoError where it is not that of the source."""
    opened = _opened(path, verify=False)
    own = opened.tokenizer(None if tokenizer is None else load(tokenizer))
    if own is None:
        raise EquinfoError(f"{path} does not hold its tokenizer, {opened.identity}: name it (-t T)")
    if sample < 1 or seed < 0:
        raise EquinfoError(f"sample is {sample} and seed {seed}: at least 1, and at least 0")
    if not own.lossless:
        raise EquinfoError(f"{own.name} is not lossless: what {path} decodes to proves nothing")
    total = opened.num_documents
    chosen = np.random.default_rng(seed).choice(total, min(sample, total), replace=False)
    picked = set(chosen.tolist())
    what = opened.mode

    def pairs() -> Iterator[tuple[int, np.ndarray, bytes]]:
        both = zip_longest(opened.documents(), source.units(opened.manifest))
        for number, (stored, unit) in enumerate(both):
            if stored is None or unit is None or stored[1] != unit[1]:
                raise EquinfoError(
                    f"{path} is not of {source}: its {what} {number} of {total} has"
                    f" {stored[1] if stored else 'no'} bytes, and there"
                    f" {unit[1] if unit else 'no'}; name the split and max_bytes that were"
                    " tokenized"
                )
            if number in picked:
                yield number, stored[0], unit[0]

    picks = pairs()
    while some := list(islice(picks, 64)):
        decoded = own.decode_batch([ids for _, ids, _ in some])
        for (number, _, text), found in zip(some, decoded, strict=True):
            if found != text:
                raise EquinfoError(
                    f"{path} is not of {source}: its {what} {number} decodes to another text"
                )
    return f"{len(picked):,} of {total:,} {what}s decode to those of {source}"
