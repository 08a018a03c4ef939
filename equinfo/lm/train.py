"""The one training loop, for M1 and M2: deterministic, checkpointed, resumed to the last bit.

A training's folder holds `metrics.jsonl` (a line a step), `probes.jsonl` (a line a probe, if there
are any), `checkpoint-STEP` (weights and optimiser state, while it runs) and, once it is finished,
`weights`. Which sequences a step sees depends on seed and step alone, so a resumed run takes the
very steps that an uninterrupted one would.
"""

import hashlib
import json
import math
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from tqdm import tqdm

from equinfo.artifacts import Artifact, load_artifact
from equinfo.errors import EquinfoError
from equinfo.lm.config import TrainConfig
from equinfo.lm.decoder import Decoder
from equinfo.lm.exported import Exported, is_exported, load_exported, read_exported
from equinfo.lm.loss import cross_entropy, scored
from equinfo.lm.optimize import learning_rate, make_optimizer
from equinfo.lm.sequences import Sequences, StoredIds, data_hash, dealt, largest, shifted
from equinfo.lm.watch import Watch

CHECKPOINT_SECONDS = 30.0
Board = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Probe:
    """What to measure of the model after some of the steps; it must leave the model as it is.

    measure(model) -> a JSON value. The model computes as in training (its device, float32), without
    gradients.
    """

    measure: Callable[[Decoder], Any]
    steps: frozenset[int]


NO_PROBE = Probe(lambda model: None, frozenset())


@dataclass(frozen=True)
class TrainResult:
    """status: "done", or what `Watch` saw: "diverged" or "collapsed".

    steps taken; loss: nats a token of the last step; seconds of training, those before a resumption
    included.
    """

    status: str
    steps: int
    loss: float
    seconds: float


def train(
    config: TrainConfig,
    ids: np.ndarray | StoredIds,
    out: Path,
    *,
    progress: str | bool = False,
    device: str | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    tensorboard: bool = False,
    deadline: float = math.inf,
    initial: Mapping[str, np.ndarray] | None = None,
    probe: Probe = NO_PROBE,
) -> TrainResult:
    """Train a decoder on a stream of ids in folder `out`; go on from its checkpoint, or return what
    is finished.

    ids: uint16 or uint32[n], each below the vocabulary's size, or shards, or examples. progress:
    the bar's label, False for none. device: CUDA if there is one. checkpoint_seconds: time between
    checkpoints; 0 for one after every step. tensorboard: write the metrics to out/tensorboard as
    well. deadline: the time.monotonic() at which to pause. initial: the weights to start from, by
    their names in the decoder, instead of drawn ones. probe: see `probes`. Raises EquinfoError for
    a stream that does not fit the model or is shorter than a sequence, and for a folder of another
    training.
    """
    if largest(ids) >= config.model.vocab_size:
        raise EquinfoError(
            f"id {largest(ids)} is beyond the model's vocabulary of {config.model.vocab_size}"
        )
    sequences = Sequences(ids, config.context, config.bos_id, config.seed, config.model)
    identity = {"config": config.to_dict(), "data": data_hash(ids)}
    if initial is not None:
        identity["initial"] = _weights_hash(initial)
    out = Path(out)
    if (out / "weights").exists():
        return TrainResult(**_checked(_finished(out), identity, out).config["result"])
    run = _Run(config, identity, out, torch.device(device or best_device()), initial, probe)
    with run.board(tensorboard) as board:
        return run.train(sequences, progress, checkpoint_seconds, board, deadline)


def load_train_config(folder: Path | str) -> TrainConfig | Exported:
    """A finished training's configuration; of what transformers saved, what config.json says."""
    if is_exported(folder):
        return read_exported(folder)
    return TrainConfig.from_dict(_finished(folder).config["config"])


def best_device() -> torch.device:
    """CUDA if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_model(folder: Path | str) -> Decoder:
    """The decoder of a finished training, or that transformers saved; on the CPU, float32."""
    if is_exported(folder):
        return load_exported(folder)
    artifact = _finished(folder)
    model = Decoder(TrainConfig.from_dict(artifact.config["config"]).model)
    model.load_state_dict(
        {name: torch.from_numpy(array) for name, array in artifact.tensors.items()}
    )
    return model.eval()


def probes(folder: Path | str) -> dict[int, Any]:
    """What the probes of a training measured, by step."""
    return {
        line["step"]: line["value"]
        for line in map(json.loads, _whole_lines(Path(folder) / "probes.jsonl"))
    }


def _whole_lines(path: Path) -> list[str]:
    """A file's lines; one that a kill broke off is left out."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith("\n")]


def _weights_hash(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 (hex) of names and values."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name} {weights[name].shape} {weights[name].dtype}\n".encode())
        digest.update(np.ascontiguousarray(weights[name]))
    return digest.hexdigest()


def _finished(folder: Path | str) -> Artifact:
    path = Path(folder) / "weights"
    if not path.is_dir():
        raise EquinfoError(
            f"{folder} holds no finished training: `equinfo train-lm` or `equinfo train-m1` makes"
            " one"
        )
    artifact = load_artifact(path)
    if artifact.kind != "lm":
        raise EquinfoError(f"{path} holds a {artifact.kind!r}, not a language model")
    return artifact


def _checked(artifact: Artifact, identity: dict[str, Any], out: Path) -> Artifact:
    """The artefact, if it belongs to this training."""
    meanings = {
        "config": "other settings",
        "data": "another stream of ids",
        "initial": "other initial weights",
    }
    for part, meaning in meanings.items():
        if artifact.config.get(part) != identity.get(part):
            raise EquinfoError(
                f"{out} holds a training with {meaning}: choose another folder, or remove it"
            )
    return artifact


def exact_products() -> None:
    """On CUDA: float32 products are float32 (no TF32), and bfloat16 ones are summed in float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device itself multiplies bfloat16; a CPU that does not is 44 to 500 x slower."""
    checks = (torch.cpu._is_avx512_bf16_supported, torch.cpu._is_amx_tile_supported)
    return device.type != "cpu" or any(check() for check in checks)


class _Run:
    """A training under way: weights, optimiser state, step."""

    def __init__(
        self,
        config: TrainConfig,
        identity: dict[str, Any],
        out: Path,
        device: torch.device,
        initial: Mapping[str, np.ndarray] | None,
        probe: Probe,
    ) -> None:
        self.config, self.identity, self.out, self.device, self.probe = (
            config,
            identity,
            out,
            device,
            probe,
        )
        self.low = config.precision == "bfloat16"
        if self.low and not has_bfloat16(device):
            self.low = False
            warnings.warn(
                "this CPU has no bfloat16 products (AVX512-BF16 or AMX): computing in float32",
                stacklevel=3,
            )
        exact_products()
        self.model = Decoder(config.model).initialise(config.seed).to(device)
        if initial is not None:
            self.model.load_state_dict(
                {name: torch.from_numpy(array) for name, array in initial.items()}
            )
        self.model.checkpoint_blocks = config.checkpoint_blocks
        self.hidden = torch.compile(self.model) if config.compile else self.model
        self.optimizer = make_optimizer(config.optimizer, self.model)
        self.step, self.seconds, self.loss = 0, 0.0, math.nan
        checkpoints = sorted(out.glob("checkpoint-*"))
        if checkpoints:
            self._restore(_checked(load_artifact(checkpoints[-1]), identity, out))

    def train(
        self,
        sequences: Sequences,
        progress: str | bool,
        checkpoint_seconds: float,
        board: Board,
        deadline: float,
    ) -> TrainResult:
        begun = saved = time.monotonic()
        earlier = self.seconds
        watch = self._watch()
        with self._open_metrics() as metrics, self._open_bar(progress) as bar:
            while self.step < self.config.steps:
                values = self._take_step(sequences)
                now = time.monotonic()
                self.seconds = earlier + now - begun
                metrics.write(json.dumps({**values, "seconds": round(self.seconds, 3)}) + "\n")
                board(values)
                bar.update()
                bar.set_postfix_str(f"{self.loss:.3f} nats/token", refresh=False)
                failure = watch.see(self.loss)
                if failure:
                    return TrainResult(failure, self.step, self.loss, self.seconds)
                self._take_probe()
                unfinished = self.step < self.config.steps
                if unfinished and (now >= deadline or now - saved >= checkpoint_seconds):
                    metrics.flush()
                    self._save_checkpoint()
                    saved = time.monotonic()
                if unfinished and now >= deadline:
                    return TrainResult("paused", self.step, self.loss, self.seconds)
        return self._finish()

    def _take_step(self, sequences: Sequences) -> dict[str, Any]:
        c = self.config
        rate = learning_rate(c.optimizer, self.step + 1, c.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        _, targets = sequences.batch(self.step * c.batch_size, c.batch_size)
        firsts = sequences.firsts(self.step * c.batch_size, c.batch_size)
        count = int((targets >= 0).sum())
        nats = sum(
            self._backward(shifted(part, c.bos_id), part, first, count)
            for share, first in zip(
                *(np.split(a, c.micro_batches) for a in (targets, firsts)), strict=True
            )
            for part in dealt(share, c.short_contexts)
        )
        clip = c.optimizer.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.optimizer.step()
        self.step += 1
        self.loss = float(nats) / count
        return {
            "step": self.step,
            "loss": self.loss,
            "learning_rate": rate,
            "gradient_norm": float(norm),
        }

    def _backward(
        self, inputs: np.ndarray, targets: np.ndarray, first: np.ndarray, count: int
    ) -> torch.Tensor:
        """Add a micro-batch's gradient, of a step that scores `count` positions; its nats."""
        with torch.autocast(self.device.type, torch.bfloat16) if self.low else nullcontext():
            ids, places = (torch.from_numpy(array).to(self.device) for array in (inputs, first))
            hidden, y = scored(self.hidden(ids, first=places), targets)
        hidden = hidden.to(torch.bfloat16) if self.low else hidden
        loss, nats = cross_entropy(hidden, self.model.head_weight, y, self.config.optimizer.z_loss)
        (loss / count).backward()
        return nats

    @torch.no_grad()
    def _take_probe(self) -> None:
        """Measure after a step to be probed; on disk before a checkpoint can hold the step."""
        if self.step in self.probe.steps:
            self.model.eval()
            line = {"step": self.step, "value": self.probe.measure(self.model)}
            self.model.train()
            with self._probes.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def _watch(self) -> Watch:
        """A watch that has seen the steps before the checkpoint."""
        watch = Watch(self.config.model.vocab_size, self.config.steps)
        for line in self._kept_metrics():
            watch.see(json.loads(line)["loss"])
        return watch

    # -- what is on disk ---------------------------------------------------------------------------

    @contextmanager
    def board(self, wanted: bool) -> Iterator[Board]:
        """Takes a step's metrics to TensorBoard, if wanted; steps after a checkpoint are purged."""
        if not wanted:
            yield lambda values: None
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise EquinfoError(
                "TensorBoard is not installed: pip install 'equinfo[tensorboard]'"
            ) from error
        with SummaryWriter(str(self.out / "tensorboard"), purge_step=self.step + 1) as writer:
            yield lambda values: [
                writer.add_scalar(k, v, values["step"]) for k, v in values.items() if k != "step"
            ]

    def _open_bar(self, progress: str | bool) -> tqdm:
        label = progress if isinstance(progress, str) else None
        options = {"desc": label, "unit": "step", "disable": not progress, "file": sys.stderr}
        return tqdm(total=self.config.steps, initial=self.step, **options)

    def _open_metrics(self) -> TextIO:
        """metrics.jsonl, cut back to the steps that the checkpoint holds; likewise the probes'."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self._probes.exists():
            kept = [
                line for line in _whole_lines(self._probes) if json.loads(line)["step"] <= self.step
            ]
            self._probes.write_text("".join(kept))
        kept = self._kept_metrics()
        self._metrics.write_text("".join(kept))
        return self._metrics.open("a")

    @property
    def _metrics(self) -> Path:
        return self.out / "metrics.jsonl"

    @property
    def _probes(self) -> Path:
        return self.out / "probes.jsonl"

    def _kept_metrics(self) -> list[str]:
        return (
            self._metrics.read_text().splitlines(keepends=True)[: self.step]
            if self._metrics.exists()
            else []
        )

    def _weights(self) -> dict[str, np.ndarray]:
        return {
            name: tensor.detach().cpu().numpy() for name, tensor in self.model.state_dict().items()
        }

    def _save_checkpoint(self) -> None:
        tensors = {f"model.{name}": array for name, array in self._weights().items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimizer.{number}.{name}"] = value.detach().cpu().numpy()
        progress = {"step": self.step, "seconds": self.seconds}
        earlier = list(self.out.glob("checkpoint-*"))
        # a new folder each time: there is never a moment without a whole checkpoint
        Artifact("checkpoint", {**self.identity, **progress}, tensors).save(
            self.out / f"checkpoint-{self.step:09}"
        )
        _remove(earlier)

    def _restore(self, checkpoint: Artifact) -> None:
        self.step, self.seconds = checkpoint.config["step"], checkpoint.config["seconds"]
        tensors = {name: torch.from_numpy(array) for name, array in checkpoint.tensors.items()}
        weights = {
            n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")
        }
        self.model.load_state_dict(weights)
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, number, part = name.split(".")
                state.setdefault(int(number), {})[part] = tensor
        self.optimizer.load_state_dict(
            {"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]}
        )

    def _finish(self) -> TrainResult:
        result = TrainResult("done", self.step, self.loss, self.seconds)
        Artifact("lm", {**self.identity, "result": vars(result)}, self._weights()).save(
            self.out / "weights"
        )
        _remove([*self.out.glob("checkpoint-*"), *self.out.glob(".checkpoint-*")])
        return result


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
