"""A second device without a second device: its tensors are computed on the CPU and keep away from
the CPU's own.

What runs on CUDA and takes a tensor that was made on the CPU by mistake fails there, and passes
every test on a machine without a GPU. Here it fails as well: an operation that takes tensors of
both devices is refused, but for copies. Torch lets only one such device be made in a process, and
it changes what other libraries see, so run this file:

    PYTHONPATH=benchmarks python tests/lm/pretend_device.py    does all that the LMs do on it; the
    numbers must be the CPU's
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

from benchmarks.integer_torch import IntegerDecoder
from equinfo.lm.bridge import to_byte_model
from equinfo.lm.config import DecoderConfig, OptimizerConfig, TrainConfig, modern, paper
from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import evaluate, predict
from equinfo.lm.sample import Sampling, sample
from equinfo.lm.train import Probe, load_lm, train

COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class Module(_DummyBackendModule):
    """What torch.autocast asks of a device."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


def autocasting() -> list[torch.library.Library]:
    """Autocast on the device: float32 products in bfloat16, all else as is. Keep it alive."""
    rest, products = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    rest.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    for name in ("linear", "matmul", "scaled_dot_product_attention"):
        products.impl(name, partial(lowered, getattr(torch.ops.aten, name)), "AutocastPrivateUse1")
    return [rest, products]


def lowered(func: Any, *args: Any, **kwargs: Any) -> Any:
    low = lambda one: one.bfloat16() if one.dtype == torch.float32 else one  # noqa: E731
    with torch._C._ExcludeDispatchKeyGuard(
        torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)
    ):
        return func(*tree_map_only(Tensor, low, args), **tree_map_only(Tensor, low, kwargs))


class There(Tensor):
    """A tensor of the device; `inner` is its content, on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "There":
        made = Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), dtype=inner.dtype, device="pretend:0"
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class Pretend(TorchDispatchMode):
    """While it is on, "pretend:0" can be asked for."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = [one for one in tensors if isinstance(one, There)]
    # A number in a tensor of its own may come from the CPU, as on CUDA.
    if (
        there
        and func not in COPIES
        and any(one.dim() and not isinstance(one, There) for one in tensors)
    ):
        raise AssertionError(f"{func} takes tensors of both devices")
    asked = kwargs.get("device")
    stays = bool(there) if asked is None else torch.device(asked).type == "pretend"
    kwargs = kwargs if asked is None else {**kwargs, "device": torch.device("cpu")}
    inner_args, inner_kwargs = tree_map_only(There, lambda one: one.inner, (args, kwargs))
    out = func(*inner_args, **inner_kwargs)
    if func is torch.ops.aten.copy_.default:
        return args[0]
    changed = {id(one.inner): one for one in there}  # by an operation in place
    return (
        tree_map_only(Tensor, lambda one: changed.get(id(one), There(one)), out) if stays else out
    )


# -- what the LMs do -------------------------------------------------------------------------------

IDS = (np.random.default_rng(0).integers(0, 40, 1500) ** 2 % 259).astype(np.uint16)
ADAMW = OptimizerConfig(learning_rate=5e-3, warmup_steps=5)
ADAFACTOR = OptimizerConfig(
    "adafactor", "rsqrt", learning_rate=0.1, warmup_steps=5, clip=0.0, z_loss=1e-4
)


def config_of(
    model: DecoderConfig, optimizer: OptimizerConfig = ADAMW, **changes: Any
) -> TrainConfig:
    return TrainConfig(
        model, optimizer, **{"bos_id": 257, "steps": 3, "batch_size": 4, "context": 16} | changes
    )


# After each id the four above the largest that IDS holds never follow.
MASK = {"canonical.offsets": np.arange(260)}
MASK["canonical.ranges"] = np.tile(np.array([[251, 255]], dtype=np.int32), (259, 1))
MASKED = replace(modern("30k", 259), canonical=259)


def given(config: DecoderConfig) -> dict[str, np.ndarray]:
    return MASK if config.canonical else {}


def trained(config: TrainConfig, device: str) -> list[float]:
    """Losses of a training that pauses after every step, of a probe, of the weights it leaves."""
    measure = partial(evaluate, ids=IDS[:100], num_bytes=1, context=16, bos_id=257)
    probe = Probe(lambda model: measure(model).sum_nats, frozenset([2]))
    with tempfile.TemporaryDirectory() as folder:
        found = []
        while not found or found[-1].status == "paused":
            options: Any = {"probe": probe, "initial": given(config.model)}
            found.append(train(config, IDS, Path(folder), device=device, deadline=0.0, **options))
        return [*(one.loss for one in found), measure(load_lm(folder)).sum_nats]


def decoder(config: DecoderConfig, device: str) -> Decoder:
    model = Decoder(config).initialise(0).eval()
    weights = {name: torch.from_numpy(array) for name, array in given(config).items()}
    model.load_state_dict({**model.state_dict(), **weights})
    return model.to(device)


def evaluated(config: DecoderConfig, device: str) -> list[float]:
    model = decoder(config, device)
    rows = np.where(
        np.arange(16) % 3 == 0, ~IDS[:64].reshape(4, 16).astype(np.int64), IDS[:64].reshape(4, 16)
    )
    nats, right = predict(model, rows, 257, batch_size=3)
    return [
        evaluate(model, IDS[:100], 1, context=16, bos_id=257).sum_nats,
        *nats.ravel(),
        *right.ravel(),
    ]


def written(config: DecoderConfig, device: str) -> list[float]:
    """Ids of rows that are drawn, cached, beyond the end of a sequence."""
    prompts = [np.array([1, 2, 3]), np.array([4])]
    options = {"bos_id": 257, "context": 12, "sampling": Sampling(seed=1, top_k=20, top_p=0.9)}
    allowed = np.arange(259) < 256
    run = sample(decoder(config, device), prompts, mask=lambda row: allowed, **options)
    return np.stack(list(islice(run, 20))).ravel().tolist()


def padded(config: DecoderConfig, device: str) -> list[float]:
    ids = torch.from_numpy(IDS[:40].reshape(4, 10).astype(np.int64)).to(device)
    real = (torch.arange(10) >= torch.arange(4)[:, None]).to(device)
    with torch.no_grad():
        return decoder(config, device)(ids, real=real).cpu().flatten().tolist()


def frequencies(config: DecoderConfig, device: str) -> list[float]:
    """Of an integer M1."""
    text = np.minimum(IDS, 256)
    m1 = to_byte_model(Decoder(replace(config, vocab_size=257)).initialise(0), 16, text)
    symbols = text[:64].reshape(4, 16)
    return IntegerDecoder(m1, device).frequencies(symbols).cpu().flatten().tolist()


def checks() -> Iterator[tuple[str, Callable[[str], list[float]]]]:
    told = replace(modern("30k", 259), period=3, bigrams=50, shares=True)
    for name, config in {"modern, told places": told, "paper": paper("30k", 259)}.items():
        for check in (evaluated, written, padded):
            yield f"{check.__name__}, {name}", partial(check, config)
    yield "trained, told places", partial(trained, config_of(told))
    for check in (evaluated, written):
        yield f"{check.__name__}, masked", partial(check, MASKED)
    yield "trained, masked", partial(trained, config_of(MASKED))
    low = {"precision": "bfloat16", "micro_batches": 2, "checkpoint_blocks": True}
    yield "trained, Adafactor", partial(trained, config_of(paper("30k", 259), ADAFACTOR))
    yield "trained, bfloat16", partial(trained, config_of(told, **low))
    yield (
        "trained, bfloat16, paper",
        partial(trained, config_of(paper("30k", 259), ADAFACTOR, **low)),
    )
    yield (
        "trained, short contexts",
        partial(trained, config_of(modern("30k", 259), short_contexts=(8,))),
    )
    yield "integer M1", partial(frequencies, modern("30k", 259))


def main() -> None:
    _setup_privateuseone_for_python_backend("pretend", Module())
    libraries = autocasting()
    with (
        Pretend(),
        sdpa_kernel(SDPBackend.MATH),
    ):  # fused attention has an operation of its own on each device
        try:
            torch.zeros(2, device="pretend:0") + torch.ones(2)
            raise SystemExit(
                "the device takes the CPU's tensors: nothing that follows would tell anything"
            )
        except AssertionError:
            pass
        for name, check in checks():
            np.testing.assert_allclose(
                check("pretend:0"), check("cpu"), rtol=2e-2, atol=1e-4, err_msg=name
            )
            print(name)
    del libraries


if __name__ == "__main__":
    main()
