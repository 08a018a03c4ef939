"""The one training loop, for M1 and M2: deterministic, checkpointed, resumed to the last bit.

A training's folder holds `metrics.jsonl` (a line a step), `probes.jsonl` (a line a probe, if there
are any), `checkpoint-STEP` (weights and optimiser state, while it runs) and, once it is finished,
`weights`. Which sequences a step sees depends on seed and step alone, so a resumed run takes the
very steps that an uninterrupted one would; so do several processes (`lm.ranks`), but for rounding.
"""

import hashlib
import json
import math
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from equinfo.artifacts import Artifact, Identity, load_artifact, read_config, read_kind
from equinfo.errors import EquinfoError, naming, needing
from equinfo.files import alone, atomic_file, check_empty, clear, content_hash, target, writing
from equinfo.lm import ranks as several
from equinfo.lm.config import INTEGERS, TrainConfig, check_shapes, shapes
from equinfo.lm.decoder import PREDICTING, Decoder
from equinfo.lm.exported import Exported, is_exported, load_exported, read_exported
from equinfo.lm.loss import cross_entropy, scored
from equinfo.lm.optimize import learning_rate, make_optimizer, moments
from equinfo.lm.ranks import Ranks, joined
from equinfo.lm.routing import Routing
from equinfo.lm.sequences import Sequences, StoredIds, data_hash, dealt, largest, shifted
from equinfo.lm.watch import Watch
from equinfo.stored import check_bounds, made

CHECKPOINT_SECONDS = 30.0
OPTIMIZER = "optimizer"  # beside the weights: the artefact of its state, where it is kept
SHARDED_FROM = 10**9  # weights of which each rank holds a share alone
FEW = 4  # steps, after the first, that say how long all will take
IGNORED = (None, signal.SIG_IGN)  # a handler that is not Python's, or none
Board = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Probe:
    """What to measure of the model after some of the steps; it must leave the model as it is.

    measure(model) -> a JSON value. The model is on its device, in float32, without gradients.
    """

    measure: Callable[[Decoder], Any]
    steps: frozenset[int]


NO_PROBE = Probe(lambda model: None, frozenset())


@dataclass(frozen=True)
class TrainResult:
    """status: "done", "paused" (the deadline), or what `Watch` saw: "diverged" or "collapsed".

    steps taken; loss: nats a token of the last step; seconds, those before a resumption included.
    """

    status: str
    steps: int
    loss: float
    seconds: float


@dataclass(frozen=True)
class Progress:
    """What a checkpoint says beside its tensors: steps taken, the seconds they took."""

    step: int
    seconds: float


def train(
    config: TrainConfig,
    ids: np.ndarray | StoredIds,
    out: Path,
    *,
    progress: str | None = None,
    device: str | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    tensorboard: bool = False,
    deadline: float = math.inf,
    initial: Mapping[str, np.ndarray] | None = None,
    state: Mapping[str, np.ndarray] | None = None,
    probe: Probe = NO_PROBE,
    tokenizer: Identity | None = None,
    overwrite: bool = False,
    sharded: bool | None = None,
    keep_optimizer: bool = False,
) -> TrainResult:
    """Train a decoder on a stream of ids in folder `out`; go on from its checkpoint; or the result.

    ids: uint16 or uint32[n], each below the vocabulary's size, or shards, or examples. progress:
    the bar's label, None for none. device: CUDA if there is one. checkpoint_seconds: time between
    checkpoints; 0 for one after every step. tensorboard: write the metrics to out/tensorboard as
    well. deadline: the time.monotonic() at which to pause. initial: weights to start from, by
    their names in the decoder, instead of drawn ones; of an LM with a canonical mask that at least
    (`Tokenizer.canonical_mask`, as canonical.offsets and canonical.ranges). state: the optimiser's
    to begin with, as `kept_optimizer` has it. probe: see `probes`.
    tokenizer: whose ids these are; the folder remembers it. overwrite: what equinfo wrote in `out`
    goes first. keep_optimizer: leave its state in out/optimizer. Raises EquinfoError for a stream
    that does not fit the model or its mask or is shorter than a sequence, and for a folder that
    holds something else or is being written. KeyboardInterrupt comes after the step and a
    checkpoint.

    Called alike in all processes of a torch.distributed group, or of torchrun, it trains one model:
    each step takes the sequences that it would take in one process, a share on each rank. Rank 0
    alone writes, measures, shows the bar and decides; `out` is a folder that all see. Any number of
    ranks goes on from a checkpoint. sharded: whether each rank holds a share of the weights alone
    (FSDP2, blocks computed twice) or all of them (DDP); None: from SHARDED_FROM weights on. A batch
    that does not divide among the ranks is an EquinfoError; so is, on those that are left, a rank
    that is gone: LostRank, which names it.
    """
    with joined(torch.device(device or best_device())) as ranks, ExitStack() as stack:
        ranks.rows(0, config)
        if largest(ids) >= config.model.vocab_size:
            raise EquinfoError(
                f"id {largest(ids)} is beyond the model's vocabulary of {config.model.vocab_size}"
            )
        sequences = Sequences(ids, config.context, config.bos_id, config.seed, config.model)
        identity = {"config": config.to_dict(), "data": data_hash(ids)}
        if initial is not None:
            identity["initial"] = weights_hash(initial)
        if state is not None:
            identity["state"] = weights_hash(state)
        if tokenizer is not None:
            identity["tokenizer"] = vars(tokenizer)
        ranks.check_same(content_hash(identity))
        out = target(out)

        def remove_checkpoints() -> None:
            """There are weights; a kill may have come between these two steps."""
            for folder in [*out.glob("checkpoint-*"), *out.glob(".checkpoint-*")]:
                shutil.rmtree(folder, ignore_errors=True)

        def finished() -> TrainResult | None:
            if (out / "weights").exists() and not overwrite:
                found = _checked(_finished(out), identity, out)
                with naming(out / "weights"):
                    result = made(TrainResult, found.get("result"))
                if keep_optimizer and not (out / OPTIMIZER).is_dir():
                    raise EquinfoError(
                        f"the training in {out} is done and kept no state of its optimiser: choose"
                        " another folder, or pass --overwrite"
                    )
                remove_checkpoints()
                return result
            if not (out / "metrics.jsonl").exists():
                check_empty(out, overwrite)
            return None

        def opened() -> Path | None:
            """The last checkpoint, if there is one; for rank 0, which keeps the folder."""
            with writing(out):
                out.mkdir(parents=True, exist_ok=True)
                stack.enter_context(alone(out))
                if overwrite:
                    clear(out)
            checkpoints = sorted(out.glob("checkpoint-*"))
            if checkpoints:
                _checked(read_config(checkpoints[-1]), identity, out)
            return checkpoints[-1] if checkpoints else None

        def cut_back() -> list[float]:
            """The losses up to the checkpoint; what is beyond it goes."""
            with writing(out):
                for name in ("metrics", "probes"):
                    _cut_back(out / f"{name}.jsonl", run.step)
            return [line["loss"] for line in _lines(out / "metrics.jsonl", "loss", float)]

        found = ranks.first(finished)
        if found is not None:
            return found
        run = _Training(config, ranks, initial, state, sharded)
        stack.callback(vars(run).clear)  # whoever keeps an error keeps no connections
        checkpoint = ranks.first(opened)
        if checkpoint is not None:
            run.restore(checkpoint)
        watch = Watch(config.model.vocab_size, config.steps)
        for loss in ranks.first(cut_back):
            watch.see(loss)
        progress = progress if ranks.main else None
        shown = {"desc": progress, "unit": "step", "disable": not progress, "file": sys.stderr}
        with (
            writing(out),
            _board(out, run.step, tensorboard and ranks.main) as board,
            (out / "metrics.jsonl" if ranks.main else Path(os.devnull)).open("a") as metrics,
            tqdm(total=config.steps, initial=run.step, **shown) as bar,
            _interruption(ranks) as asked,
        ):
            earlier = run.seconds
            first = run.step + 1
            begun = saved = warm = now = time.monotonic()

            def wishes() -> list[bool]:
                """Whether to pause, to be interrupted, to save: rank 0's clock, anyone's signal."""
                nonlocal now
                now = time.monotonic()
                signalled = asked.is_set() or ranks.ended.is_set()
                late, due = now >= deadline, now - saved >= checkpoint_seconds
                return [ranks.main and late, signalled, ranks.main and due]

            while run.step < config.steps:
                values, (late, stopped, due) = run.take_step(sequences, wishes)
                run.seconds = earlier + now - begun
                metrics.write(json.dumps({**values, "seconds": round(run.seconds, 3)}) + "\n")
                board(values)
                if run.step == first:
                    warm = now
                if progress and run.step == first + FEW:
                    seconds = (now - warm) / FEW * (config.steps - run.step)
                    tqdm.write(f"{progress}: {_duration(seconds)} to go", file=sys.stderr)
                bar.update()
                bar.set_postfix_str(f"{run.loss:.3f} nats/token", refresh=False)
                failure = watch.see(run.loss)
                if failure:
                    return TrainResult(failure, run.step, run.loss, run.seconds)
                if run.step in probe.steps:  # on disk before a checkpoint can hold the step
                    value = run.probe(probe)
                    if ranks.main:
                        with (out / "probes.jsonl").open("a") as file:
                            file.write(json.dumps({"step": run.step, "value": value}) + "\n")
                stopped |= ranks.world == 1 and asked.is_set()  # also amid a probe
                if run.step < config.steps and (late or stopped or due):
                    metrics.flush()
                    run.save_checkpoint(out, identity)
                    saved = time.monotonic()
                    if stopped:
                        raise KeyboardInterrupt
                    if late:
                        return TrainResult("paused", run.step, run.loss, run.seconds)
        weights = run.weights()
        moved = run.optimizer_state() if keep_optimizer else {}

        def finish() -> TrainResult:
            result = TrainResult("done", run.step, run.loss, run.seconds)
            with writing(out):
                if keep_optimizer:
                    Artifact(OPTIMIZER, {"step": run.step}, moved).save(out / OPTIMIZER, True)
                lm = Artifact("lm", {**identity, "result": vars(result)}, weights)
                lm.save(out / "weights")
                remove_checkpoints()
            return result

        return ranks.first(finish)


@contextmanager
def _interruption(ranks: Ranks) -> Iterator[threading.Event]:
    """Set by Ctrl-C, which then waits for the step to end and a checkpoint; a second one does not.

    Python tells the main thread alone of signals: in another nothing is ever set. Of several ranks
    each gets a terminal's Ctrl-C twice, from torchrun as well.
    """
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)  # what ignores it goes on doing so
    if threading.current_thread() is not threading.main_thread() or before in IGNORED:
        yield asked
        return

    def ask(number: int, frame: Any) -> None:
        if asked.is_set() and ranks.world == 1:
            signal.default_int_handler(number, frame)
        asked.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _duration(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 100 else f"about {seconds / 60:.0f} min"


@contextmanager
def _board(out: Path, step: int, wanted: bool) -> Iterator[Board]:
    """Takes a step's metrics to TensorBoard, if wanted; steps after a checkpoint are purged."""
    if not wanted:
        yield lambda values: None
        return
    with needing("tensorboard", "writing for TensorBoard"):
        from torch.utils.tensorboard import SummaryWriter
    with SummaryWriter(str(out / "tensorboard"), purge_step=step + 1) as writer:
        yield lambda values: [
            writer.add_scalar(k, v, values["step"]) for k, v in values.items() if k != "step"
        ]


def load_train_config(folder: Path | str) -> TrainConfig | Exported:
    """A finished training's configuration; of what transformers saved, what config.json says."""
    if is_exported(folder):
        return read_exported(folder)
    config = _finished(folder)
    with naming(Path(folder) / "weights"):
        return TrainConfig.from_dict(config.get("config"))


def trained_with(folder: Path | str) -> Identity | None:
    """The tokenizer whose ids the LM in `folder` was trained on, if that is known."""
    if is_exported(folder):
        return read_exported(folder).tokenizer
    stored = _finished(folder).get("tokenizer")
    with naming(Path(folder) / "weights"):
        return None if stored is None else Identity.read(stored)


def best_device() -> torch.device:
    """CUDA if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_lm(folder: Path | str) -> Decoder:
    """The decoder of a finished training, or that transformers saved; on the CPU, float32.

    Raises EquinfoError for weights that are not finite, or not those of its configuration.
    """
    if is_exported(folder):
        model = load_exported(folder)
    else:
        config = load_train_config(folder).model
        tensors = load_artifact(Path(folder) / "weights").tensors
        check_shapes(shapes(config), _shapes(tensors), folder)
        model = Decoder(config)
        model.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    if model.canonical is not None:
        model.canonical.check(folder)
    for name, weight in model.state_dict().items():
        if not torch.isfinite(weight).all():
            raise EquinfoError(f"{name} in {folder} holds numbers that are not finite: train again")
    return model.eval()


def kept_optimizer(folder: Path | str) -> dict[str, np.ndarray]:
    """The state of a training's optimiser, where it was kept: WEIGHT.MOMENT, float32.

    Raises EquinfoError where it was not, and for one of another training.
    """
    path = Path(folder) / OPTIMIZER
    if not path.is_dir():
        raise EquinfoError(
            f"{folder} keeps no state of its optimiser: train it with --keep-optimizer"
        )
    state = load_artifact(path)
    if state.kind != OPTIMIZER:
        raise EquinfoError(f"{path} holds a {state.kind!r}, not the state of an optimiser")
    with naming(path):
        if state.config["step"] != _finished(folder)["result"]["steps"]:
            raise EquinfoError("it is of other steps than the weights beside it: train again")
    return state.tensors


def beginning(folder: Path | str, optimizer: bool) -> dict[str, Any]:
    """What `train` takes to begin as the LM in a folder: its weights, and with `optimizer` the
    state that its training kept.
    """
    weights = load_lm(folder).state_dict()
    begin: dict[str, Any] = {"initial": {name: one.numpy() for name, one in weights.items()}}
    return begin | {"state": kept_optimizer(folder)} if optimizer else begin


load_model = load_lm  # its public name, beside compress.models.load_model of byte models


def probes(folder: Path | str) -> dict[int, Any]:
    """What the probes of a training measured, by step."""
    lines = _lines(Path(folder) / "probes.jsonl", "value", object)
    return {line["step"]: line["value"] for line in lines}


def _cut_back(path: Path, step: int) -> Path:
    """The file, if it is there, has only the lines of steps up to this one."""
    lines = [json.dumps(line) + "\n" for line in _lines(path) if line["step"] <= step]
    if path.exists():
        with atomic_file(path) as beside:
            beside.write_text("".join(lines))
    return path


def _lines(path: Path, part: str = "step", kind: type = int) -> list[dict[str, Any]]:
    """A file's JSON objects, one a step; what a kill broke off is left out.

    Raises EquinfoError for anything else, and where a part is missing or of another kind.
    """
    whole = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    with naming(path):
        lines = [json.loads(line) for line in whole if line.endswith(b"\n")]
        if all(isinstance(line["step"], int) and isinstance(line[part], kind) for line in lines):
            return lines
    raise EquinfoError(f"{path} was altered: remove {path.parent} and train again")


def weights_hash(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 (hex) of names and values."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name} {weights[name].shape} {weights[name].dtype}\n".encode())
        digest.update(np.ascontiguousarray(weights[name]))
    return digest.hexdigest()


def _finished(folder: Path | str) -> dict[str, Any]:
    """What a finished training's weights say of themselves."""
    path = Path(folder) / "weights"
    if not path.is_dir():
        raise EquinfoError(
            f"{folder} holds no finished training: `equinfo train-lm` or `equinfo train-m1` makes"
            " one"
        )
    kind = read_kind(path)
    if kind != "lm":
        raise EquinfoError(f"{path} holds a {kind!r}, not a language model")
    return read_config(path)


def _shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Of what has a dtype and a shape: weights and moments are float32; anything else has a shape
    that none of them has.
    """
    known = {n: INTEGERS.get(n.removeprefix("model."), ("float32",))[0] for n in tensors}
    return {n: array.shape if array.dtype == known[n] else (-1,) for n, array in tensors.items()}


def _checked(found: dict[str, Any], identity: dict[str, Any], out: Path) -> dict[str, Any]:
    """What was found in the folder, if it belongs to this training."""
    if "tokenizer" in found and "tokenizer" in identity:
        theirs, ours = (Identity.read(one["tokenizer"]) for one in (found, identity))
        theirs.check(ours, out, "trained with")
    for part, meaning in (
        ("config", "other settings"),
        ("data", "another stream of ids"),
        ("initial", "other initial weights"),
        ("state", "another state of the optimiser to begin with"),
    ):
        if found.get(part) != identity.get(part):
            raise EquinfoError(
                f"{out} holds a training with {meaning}: choose another folder, or pass --overwrite"
            )
    return found


def exact_products() -> None:
    """On CUDA: float32 products are float32 (no TF32), and bfloat16 ones are summed in float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device itself multiplies bfloat16; a CPU that does not is 44 to 500 x slower."""
    checks = (torch.cpu._is_avx512_bf16_supported, torch.cpu._is_amx_tile_supported)
    return device.type != "cpu" or any(check() for check in checks)


class _Scored(nn.Module):
    """A decoder and its loss: one module, so that the loss, too, has the weights that DDP counts
    and FSDP2 gathers.
    """

    def __init__(self, model: Decoder, config: TrainConfig, low: bool) -> None:
        super().__init__()
        self.model = model
        called: Any = torch.compile(model) if config.compile else model
        self.hidden = called.__call__  # a compiled model is a module: it would count twice
        self.z_loss = config.optimizer.z_loss
        self.balance_loss = config.optimizer.balance_loss
        self.low = low

    def forward(
        self, ids: Tensor, places: Tensor, targets: np.ndarray
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """As `cross_entropy` has them, the sums of loss and of nats of targets, i64[rows, time];
        and what `Routing.told` has, times the number of targets.
        """
        kind = ids.device.type
        routing = Routing()
        with torch.autocast(kind, torch.bfloat16) if self.low else nullcontext():
            hidden, x, y = scored(self.hidden(ids, first=places, routing=routing), ids, targets)
        hidden = hidden.to(torch.bfloat16) if self.low else hidden
        canonical = self.model.canonical
        loss, nats = cross_entropy(hidden, self.model.head_weight, y, self.z_loss, canonical, x)
        if canonical is not None and nats.isinf():
            canonical.check_pairs(x, y)
        loss = loss + len(y) * routing.loss(self.balance_loss)
        return loss, nats, {name: len(y) * mean for name, mean in routing.told.items()}


class _Training:
    """What changes while it runs: weights, optimiser state, step, seconds, the last loss."""

    def __init__(
        self,
        config: TrainConfig,
        ranks: Ranks,
        initial: Mapping[str, np.ndarray] | None,
        state: Mapping[str, np.ndarray] | None,
        sharded: bool | None,
    ) -> None:
        self.config = config
        self.ranks = ranks
        self.device = ranks.device
        low = config.precision == "bfloat16"
        if low and not has_bfloat16(self.device):
            low = False
            warnings.warn(
                "this CPU has no bfloat16 products (AVX512-BF16 or AMX): computing in float32",
                stacklevel=3,
            )
        exact_products()
        if sharded is None:
            count = sum(math.prod(shape) for _, shape in shapes(config.model))
            sharded = count >= SHARDED_FROM
        self.sharded = sharded and ranks.world > 1
        with torch.device("meta") if self.sharded else nullcontext():
            self.model = Decoder(config.model)
        self.model.checkpoint_blocks = config.checkpoint_blocks or self.sharded
        self.scored: nn.Module = _Scored(self.model, config, low)
        if self.sharded:
            several.shard(ranks, self.model, self.scored, config.seed)
        else:
            self.model.initialise(config.seed).to(self.device)
        if initial is not None:
            weights = self.model.state_dict()
            for name, array in initial.items():
                weights[name] = several.cut(torch.from_numpy(array), weights.get(name))
            self.model.load_state_dict(weights)
        if self.model.canonical is not None:
            self.model.canonical.check("the training's settings")
        kinds = [several.ShardedAdafactor] if self.sharded else []
        self.optimizer = make_optimizer(config.optimizer, self.model, *kinds)
        if state is not None:
            self._begin_with(state)
        # a predictor's gradient is no part of what moves the others
        named = self.model.named_parameters()
        self.clipped = [weight for name, weight in named if not PREDICTING.search(name)]
        self.unsynced: Callable[[], Any] = nullcontext
        if ranks.world > 1 and not self.sharded:
            self.scored = replicated = several.replicated(self.scored)
            self.unsynced = replicated.no_sync
        self.step = 0
        self.seconds = 0.0
        self.loss = math.nan

    def _weights(self) -> list[tuple[str, Tensor]]:
        """The weights in the optimiser's order, and their names."""
        groups = self.optimizer.param_groups
        params = getattr(self.optimizer, "weights", [w for g in groups for w in g["params"]])
        names = {id(weight): name for name, weight in self.model.named_parameters()}
        return [(names[id(weight)], weight) for weight in params]

    def optimizer_state(self) -> dict[str, np.ndarray]:
        """As `kept_optimizer` has it; of shared weights on rank 0 alone."""
        found = {}
        state = self.optimizer.state_dict()["state"]
        for number, (name, _) in enumerate(self._weights()):
            for moment, tensor in state[number].items():
                all_of_it = several.whole(tensor)
                if self.ranks.main:
                    found[f"{name}.{moment}"] = all_of_it.cpu().numpy()
        return found

    def _begin_with(self, given: Mapping[str, np.ndarray]) -> None:
        """Give the optimiser a state: of all weights, but those of experts' routers may begin anew.

        Raises EquinfoError where it is that of another optimiser or LM, or none at all.
        """
        weights = self._weights()
        left = dict(given)
        state: dict[int, dict[str, Tensor]] = {}
        for moment, shape in moments(self.optimizer):
            number, _, short = moment.partition(".")
            name, weight = weights[int(number)]
            array = left.pop(f"{name}.{short}", None)
            if array is None and name.endswith(".experts.router.weight"):
                continue
            if array is None or array.shape != shape or array.dtype != np.float32:
                raise EquinfoError(f"the optimiser's state has no {short} that fits {name}")
            least = {"step": 1.0, "exp_avg": -math.inf}.get(short, 0.0)
            if not (np.isfinite(array) & (array >= least)).all():
                raise EquinfoError(f"the optimiser's {short} of {name} is none: train again")
            like = weight if shape == tuple(weight.shape) else None
            cut = several.cut(torch.from_numpy(array), like)
            state.setdefault(int(number), {})[short] = cut
        if left:
            raise EquinfoError(
                f"{min(left)} is none of this LM's {self.config.optimizer.name}: the state of"
                " another optimiser or LM"
            )
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})

    def take_step(
        self, sequences: Sequences, wishes: Callable[[], list[bool]]
    ) -> tuple[dict[str, Any], list[bool]]:
        """One step; its metrics, and which of the ranks' wishes any rank has."""
        c = self.config
        rate = learning_rate(c.optimizer, self.step + 1, c.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        rows = self.ranks.rows(self.step, c)
        targets, firsts = sequences.targets(rows), sequences.firsts(rows)
        (count,) = self.ranks.sum(int((targets >= 0).sum()))
        split = (np.split(array, c.micro_batches) for array in (targets, firsts))
        nats = torch.zeros((), device=self.device)
        routed: dict[str, Tensor] = {}
        parts = [
            (part, first)
            for share, first in zip(*split, strict=True)
            for part in dealt(share, c.short_contexts)
        ]
        for number, (part, first) in enumerate(parts, 1):
            with nullcontext() if number == len(parts) else self.unsynced():
                arrays = (shifted(part, c.bos_id), first)
                ids, places = (torch.from_numpy(array).to(self.device) for array in arrays)
                loss, lost, told = self.scored(ids, places, part)
                # the ranks' gradients are averaged, not summed
                (loss / (count / self.ranks.world)).backward()
            nats += lost
            routed = {name: value + routed.get(name, 0) for name, value in told.items()}
        clip = c.optimizer.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.clipped, clip)
        self.optimizer.step()
        self.step += 1
        mine = [float(nats), *map(float, routed.values())]
        sums = self.ranks.sum(*mine, *wishes())
        self.loss, *means = (value / count for value in sums[: len(mine)])
        values = {"step": self.step, "loss": self.loss}
        values |= {"learning_rate": rate, "gradient_norm": float(several.whole(norm))}
        values |= dict(zip(routed, means, strict=True))
        return values, [value > 0 for value in sums[len(mine) :]]

    @torch.no_grad()
    def probe(self, probe: Probe) -> Any:
        """What rank 0 measures; of shared weights, of a model of its own that has them whole."""
        weights = self.weights() if self.sharded else {}
        if not self.ranks.main:
            return None
        model = self.model
        if self.sharded:
            model = Decoder(self.config.model)
            model.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
            model.to(self.device)
        model.eval()
        value = probe.measure(model)
        model.train()
        return value

    def weights(self) -> dict[str, np.ndarray]:
        """All weights, whole; of shared ones on rank 0 alone."""
        found = {}
        for name, tensor in self.model.state_dict().items():
            all_of_it = several.whole(tensor)
            if self.ranks.main:
                found[name] = all_of_it.detach().cpu().numpy()
        return found

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds, by its names there."""
        found = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
        return {name: tensor.detach() for name, tensor in found.items()}

    def save_checkpoint(self, out: Path, identity: dict[str, Any]) -> None:
        head = {**identity, "step": self.step, "seconds": self.seconds}
        earlier = list(out.glob("checkpoint-*"))
        # a new folder each time: there is never a moment without a whole checkpoint
        place = out / f"checkpoint-{self.step:09}"
        if self.ranks.world > 1:
            several.save(self.ranks, place, head, self.tensors())
        else:
            tensors = {name: tensor.cpu().numpy() for name, tensor in self.tensors().items()}
            Artifact("checkpoint", head, tensors).save(place)
        self.ranks.kept = self.step
        for folder in earlier if self.ranks.main else []:
            shutil.rmtree(folder, ignore_errors=True)

    def restore(self, folder: Path) -> None:
        """Go on from a checkpoint. Raises EquinfoError for what `save_checkpoint` has not made."""
        stored: Mapping[str, Any]
        if self.ranks.world == 1:
            checkpoint = load_artifact(folder)
            config, stored = checkpoint.config, checkpoint.tensors
        else:
            config = self.ranks.first(lambda: load_artifact(folder).config)
        shared = self.ranks.world > 1 or "files" in config  # to read, or as it was written
        if shared:
            several.check_files(self.ranks, folder, config)
            stored = several.stored(folder)
        expected = chain(
            ((f"model.{name}", shape) for name, shape in shapes(self.config.model)),
            ((f"optimizer.{name}", shape) for name, shape in moments(self.optimizer)),
        )
        check_shapes(expected, _shapes(stored), folder)
        with naming(folder):
            done = made(Progress, {n: config.get(n) for n in ("step", "seconds")})
            check_bounds(done, 1, "step", most=self.config.steps - 1)
        self.step = self.ranks.kept = done.step
        self.seconds = done.seconds
        if shared:
            params = [weight for group in self.optimizer.param_groups for weight in group["params"]]
            tensors = self.tensors()
            for name, shape in moments(self.optimizer):
                weight = params[int(name.partition(".")[0])]
                tensors[f"optimizer.{name}"] = several.zeros(shape, weight)
            several.load(self.ranks, folder, tensors)
        else:
            tensors = {name: torch.from_numpy(array) for name, array in stored.items()}
        weights: dict[str, Tensor] = {}
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part == "model":
                weights[rest] = tensor
            else:
                number, _, moment = rest.partition(".")
                state.setdefault(int(number), {})[moment] = tensor
        self.model.load_state_dict(weights)
        if self.model.canonical is not None:
            self.model.canonical.check(folder)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
