"""Flipped bits, cuts, lost sectors in whatever is written: it is refused, or is what it was.

Each process writes one of each thing, damages one file of it, reads it, and mends it again. The
law: what is read is what was written, or it is refused in a line that names the file or its folder.
What transformers saves has no hash: there a flip is refused or is another weight, a number still.
"""

import json
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import equinfo
from benchmarks import mutations
from benchmarks.trials import guarded, is_failure, refusal
from equinfo import tokenfile
from equinfo.compress.models.base import load_model, to_artifact
from equinfo.compress.models.counts import CountModel
from equinfo.errors import EquinfoError
from equinfo.sharding import tokenize_corpus
from equinfo.shards import Shards
from equinfo.tokenizers.registry import kept, make

DOCUMENTS = [text.encode() for text in mutations.TEXTS[3:]] + [b"And God said, Let there be light."]
STEPS = 3


@dataclass(frozen=True)
class Thing:
    """path: a file, or a folder, all of whose files may be damaged. read(path): what is in it.

    hashed: whether damage cannot be read as something else.
    """

    path: Path
    read: Callable[[Path], Any]
    hashed: bool = True


@cache
def _held() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="equinfo-damage-")


@cache
def things() -> dict[str, Thing]:
    place = Path(_held().name)
    made: dict[str, Thing] = {}
    model = CountModel.train(DOCUMENTS, 2)
    to_artifact(model).save(place / "m1")
    made["byte model"] = Thing(place / "m1", lambda path: to_artifact(load_model(path)).hash)
    tokenizers: dict[str, Any] = {name: equinfo.load(name) for name in ("bytes", "gzip12", "xz8")}
    tokenizers["bpe"] = make("bpe", 300, DOCUMENTS)
    tokenizers["ac"] = make("ac", 4096, m1=model)
    tokenizers["windows"] = make("equalinfo", 4096, m1=model, bits=12)
    for name, tokenizer in tokenizers.items():
        file = place / f"{name}.ids"
        file.write_bytes(tokenfile.to_bytes(tokenizer, DOCUMENTS[0] * 3))
        made[f"token file of {name}"] = Thing(file, _reading(tokenizer))
        tokenizer.save(place / name)
        made[f"tokenizer {name}"] = Thing(place / name, lambda path: equinfo.load(path).fingerprint)
    for mode, name in (("document", "bpe"), ("block", "bytes")):
        folder = place / f"shards-{mode}"
        options = {"mode": mode, "block_bytes": 64, "shard_bytes": 200}
        tokenize_corpus(tokenizers[name], DOCUMENTS, folder, **options)
        made[f"shards, {mode}"] = Thing(folder, _read_shards)
    return made | _trained(place, tokenizers["bpe"])


def _reading(tokenizer: Any) -> Callable[[Path], bytes]:
    def read(path: Path) -> bytes:
        with path.open("rb") as file:
            return b"".join(tokenfile.read(tokenizer, file, str(path)))

    return read


def _read_shards(folder: Path) -> Any:
    shards = Shards(folder)
    tokenizer = shards.tokenizer() or kept(folder)
    if tokenizer is None:
        raise EquinfoError(f"{folder} lacks its tokenizer")
    return [(tokenizer.decode(ids), size) for ids, size in shards.documents()], shards.fingerprint


def _trained(place: Path, tokenizer: Any) -> dict[str, Thing]:
    """An LM, a checkpoint of one, and what transformers saves of one."""
    from safetensors.numpy import save_file

    from equinfo.lm.config import OptimizerConfig, TrainConfig, modern
    from equinfo.lm.train import load_lm, load_train_config, train, trained_with

    ids = tokenizer.encode(DOCUMENTS[0] * 4)
    loop = {"steps": STEPS, "batch_size": 2, "context": 16}
    model = modern("30k", tokenizer.vocab_size)
    config = TrainConfig(model, OptimizerConfig(), bos_id=tokenizer.bos_id, **loop)
    train(config, ids, place / "lm", tokenizer=tokenizer.identity)
    paused = place / "paused"
    train(config, ids, paused, deadline=0.0, tokenizer=tokenizer.identity)
    exported = place / "exported"
    exported.mkdir()
    weights = {
        f"decoder.{name}": t.numpy() for name, t in load_lm(place / "lm").state_dict().items()
    }
    save_file(weights, exported / "model.safetensors")
    told = {**vars(model), "context": 16, "bos_token_id": config.bos_id, "model_type": "equinfo"}
    (exported / "config.json").write_text(json.dumps(told))

    def weights_of(folder: Path) -> Any:
        state = {name: t.numpy().tobytes() for name, t in load_lm(folder).state_dict().items()}
        return state, load_train_config(folder), trained_with(folder)

    def resumed(folder: Path) -> Any:
        """The weights after the rest of the steps, taken in a copy: the folder stays as it is."""
        copy = folder.with_name("resumed")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        try:
            train(config, ids, copy, tokenizer=tokenizer.identity)
        except EquinfoError as error:
            raise EquinfoError(str(error).replace(str(copy), str(folder))) from error
        return weights_of(copy)[0]

    return {
        "LM": Thing(place / "lm", weights_of),
        "checkpoint": Thing(paused, resumed),
        "exported LM": Thing(exported, weights_of, hashed=False),
    }


@cache
def expected(name: str) -> Any:
    thing = things()[name]
    return thing.read(thing.path)


def trial(seed: int) -> str:
    rng = random.Random(seed)
    name = rng.choice(list(things()))
    thing = things()[name]
    whole = expected(name)
    files = [thing.path] if thing.path.is_file() else sorted(thing.path.rglob("*"))
    file = rng.choice([file for file in files if file.is_file()])
    content = file.read_bytes()
    how, damaged = _damaged(content, rng)
    file.write_bytes(damaged)
    try:
        found = guarded(lambda: _read(thing, whole, file))
    finally:
        file.write_bytes(content)
    kind, _, what = found.partition(":")
    return f"{kind}: {how} of {file.name} of {name}:{what}" if is_failure(found) else found


def _read(thing: Thing, whole: Any, file: Path) -> str:
    try:
        found = thing.read(thing.path)
    except EquinfoError as error:
        return refusal(error, file, file.parent, thing.path)
    if found == whole:
        return "the same"
    return "wrong: it is taken for another" if thing.hashed else "another"


def _damaged(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """(what was done, the content then); at its ends as often as anywhere."""
    size = len(content)
    at = min(rng.choice((rng.randrange(size), rng.randrange(min(size, 64)), size - 1)), size - 1)
    at = size - 1 - rng.randrange(min(size, 64)) if rng.random() < 0.1 else at
    data = bytearray(content)
    how = rng.choice(("flip", "flip", "flip", "cut", "cut", "loss", "addition", "repetition"))
    if how == "flip":
        data[at] ^= 1 << rng.randrange(8)
    elif how == "cut":
        del data[at:]
    elif how == "loss":  # of a sector, which reads as zeros
        data[at : at + 512] = bytes(len(data[at : at + 512]))
    elif how == "addition":
        data += rng.choice((b"\0", b"\n", b"}", content[-64:], content))
    else:
        data[at:at] = content[at : at + rng.choice((1, 8, 512))]
    return f"{how} at {at}", bytes(data)
