"""Freezing: a trained byte LM becomes integers, in units chosen on calibration text.

What the integers mean is in fixedpoint.py. Weights are int8 with a scale per output. So are inputs
of products, with a unit per channel, which costs nothing (it merges into multipliers that are there
anyway); queries and keys have one unit per head, because a rotation mixes their channels. Floating
point decides what the integers are, once; whoever reads them needs none.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equinfo import fixedpoint as fp
from equinfo.errors import EquinfoError
from equinfo.lm.decoder import Decoder, rotary_tables

CALIBRATION_ROWS = 16  # sequences in a batch
TINY = 1e-12  # instead of 0 where a channel or weight never is anything else
INT32_MAX = (1 << 31) - 1
OCTAVE = (1 << fp.EXPONENT) / math.log(2)  # units in a nat
GAIN = 1 << (fp.SHIFT - fp.FRACTION)  # a gain of 1


def freeze(
    model: Decoder, context: int, ids: np.ndarray
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(config, tensors) of the integer M1, by the names in compress/network/checks.py.

    ids: integers[n, T <= context], BOS first, that it is calibrated on. Raises EquinfoError for
    weights that are not finite.
    """
    for name, weight in model.state_dict().items():
        if not torch.isfinite(weight).all():
            raise EquinfoError(
                f"M1's {name} holds numbers that are not finite: the training diverged"
            )
    c = model.config
    freezing = _Freezing(model, largest_activations(model, ids))
    for i in range(c.n_layers):
        freezing.block(f"blocks.{i}.")
    freezing.ends()
    epsilon = min(max(round(c.norm_eps / freezing.unit**2), 1), fp.MAX_EPSILON)
    names = ("d_model", "n_layers", "n_heads", "head_dim", "d_ff", "position", "activation")
    config = {name: getattr(c, name) for name in (*names, "parameters")}
    config |= {"max_context": context, "epsilon": epsilon}
    return config, freezing.tensors | tables(model, context)


class _Freezing:
    """weights: the LM's, f32; seen: what `largest_activations` saw; unit: of the residual stream.

    tensors: those made so far.
    """

    def __init__(self, model: Decoder, seen: dict[str, Tensor]) -> None:
        self.config, self.seen = model.config, seen
        self.weights = {name: weight.float().cpu() for name, weight in model.state_dict().items()}
        self.head = model.head_weight.detach().float().cpu()
        self.unit = max(float(seen["residual"].max()), TINY) / (1 << 16)
        self.tensors: dict[str, np.ndarray] = {}

    def ends(self) -> None:
        """The embedding, the last norm and the output layer."""
        embed = self.weights["embed.weight"] / self.unit
        self.tensors["embed"] = integers(embed, np.int32, fp.RESIDUAL_MAX)
        scale = self._norm("norm")
        self._linear("head", self.head, scale, torch.full((len(self.head),), 1 / OCTAVE))

    def block(self, b: str) -> None:
        c = self.config
        o, down = self.weights[b + "o.weight"], self.weights[b + "down.weight"]
        to_residual = torch.full((c.d_model,), self.unit)
        values, attended = (channel_units(self.seen[b + part]) for part in "vo")
        queries, keys = self._scores(b)
        fine = torch.cat([queries, keys]).repeat_interleave(c.head_dim) / (1 << fp.FINE)
        qkv = torch.cat([self.weights[f"{b}{part}.weight"] for part in "qkv"])
        self._linear(b + "qkv", qkv, self._norm(b + "attn_norm"), torch.cat([fine, values]))
        self.tensors[b + "attended"] = integers(values / attended * GAIN, np.int32, INT32_MAX)
        self._linear(b + "o", o, attended, to_residual)

        hidden = channel_units(self.seen[b + "down"])
        # the sigmoid's table has this unit; ReLU takes any, here with an eighth of it in use
        gate = 2.0**-fp.GATE
        if c.activation == "relu":
            gate = max(float(self.seen[b + "gate"].max()), TINY) / (1 << fp.GATE + 2)
        up = hidden / gate / (1 << fp.HIDDEN)
        gate_up = torch.cat([self.weights[b + "gate.weight"], self.weights[b + "up.weight"]])
        scale = self._norm(b + "mlp_norm")
        self._linear(b + "gate_up", gate_up, scale, torch.cat([torch.full_like(up, gate), up]))
        self._linear(b + "down", down, hidden, to_residual)

    def _scores(self, b: str) -> tuple[Tensor, Tensor]:
        """Store scores' multipliers and relative terms; units of queries and keys: f32[heads]."""
        c = self.config
        queries, keys = (self._head_units(self.seen[b + part]) for part in "qk")
        if c.position == "relative":
            terms = self.weights[b + "rel.weight"]
            # both are added before the product
            keys = torch.maximum(keys, terms.abs().max() / fp.ACTIVATION_MAX)
            terms = terms / keys[:, None, None]
            self.tensors[b + "relative"] = integers(terms, np.int8, fp.ACTIVATION_MAX)
        scores = (queries * keys).double() * OCTAVE / math.sqrt(c.head_dim) * (1 << fp.SCORE_SHIFT)
        self.tensors[b + "score"] = integers(scores.clamp_min(1), np.int32, INT32_MAX)
        return queries, keys

    def _head_units(self, top: Tensor) -> Tensor:
        """Of queries or keys, such that they fit however they are rotated: f32[heads]."""
        return top.view(self.config.n_heads, -1).amax(dim=1).clamp_min(TINY) / fp.ACTIVATION_MAX

    def _norm(self, name: str) -> Tensor:
        """Store the gains of a norm; the unit of each of its outputs."""
        units = channel_units(self.seen[name])
        gains = self.weights[name + ".weight"] / units * GAIN
        self.tensors[name] = integers(gains, np.int32, INT32_MAX)
        return units

    def _linear(self, name: str, weight: Tensor, inputs: Tensor, outputs: Tensor) -> None:
        """Store weights for inputs in these units, and multipliers to outputs in those."""
        scaled = (weight * inputs).double()
        steps = scaled.abs().amax(dim=1).clamp_min(TINY**2) / fp.ACTIVATION_MAX
        weights, scales = scaled / steps[:, None], steps / outputs * (1 << fp.SHIFT)
        self.tensors[name + ".weight"] = integers(weights, np.int8, fp.ACTIVATION_MAX)
        self.tensors[name + ".scale"] = integers(scales, np.int32, INT32_MAX)


@torch.no_grad()
def largest_activations(model: Decoder, ids: np.ndarray) -> dict[str, Tensor]:
    """The largest absolute value of each channel on ids (integers[n, T]): f32[width].

    Outputs of attn_norm, q, k, v, mlp_norm, gate and norm and inputs of o and down, under their
    modules' names; "residual": the residual stream before each norm. Channels of q and k that a
    rotation mixes count as a pair.
    """
    seen: dict[str, Tensor] = {}
    c = model.config

    def see(name: str, x: Tensor) -> None:
        top = x.flatten(0, -2).float().abs().amax(dim=0).cpu()
        seen[name] = torch.maximum(seen.get(name, top), top)

    def watch(name: str, kind: str) -> Any:
        def hook(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            x = inputs[0] if kind in ("o", "down") else output
            if kind.endswith("norm"):
                see("residual", inputs[0])
            if kind in ("q", "k") and c.position == "rope":
                pairs = x.unflatten(-1, (c.n_heads, c.head_dim)).chunk(2, dim=-1)
                x = torch.hypot(*pairs).flatten(-2)
            see(name, x)

        return hook

    kinds = ("attn_norm", "q", "k", "v", "o", "mlp_norm", "gate", "down", "norm")
    watched = [(name, name.split(".")[-1], module) for name, module in model.named_modules()]
    hooks = [m.register_forward_hook(watch(name, k)) for name, k, m in watched if k in kinds]
    try:
        for batch in np.array_split(ids, -(-len(ids) // CALIBRATION_ROWS)):
            model(torch.from_numpy(batch.astype(np.int64)).to(model.embed.weight.device))
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def channel_units(top: Tensor) -> Tensor:
    """The unit of each channel of int8 inputs, by its largest value (f32[K]): f32[K].

    So all of the channels' differences are left to the weights (SmoothQuant, Xiao et al. 2023, with
    an exponent of 1): this costs a 3m M1 0.04 % in bits/byte, an exponent of 0.5 0.16 % and one
    unit for all channels 0.96 %.
    """
    return top.clamp_min(max(float(top.max()) / 256, TINY)) / fp.ACTIVATION_MAX


def tables(model: Decoder, context: int) -> dict[str, np.ndarray]:
    """cos and sin of a half head's rotations at each position; the sigmoid of -8 to 8."""
    c = model.config
    made = {}
    if c.position == "rope":
        for name, table in zip(("cos", "sin"), rotary_tables(c, context, "cpu"), strict=True):
            angles = table[:, : c.head_dim // 2] * (1 << fp.ANGLE)
            made[name] = integers(angles, np.int16, 1 << fp.ANGLE)
    if c.activation == "silu":
        places = torch.arange(fp.SIGMOID_SIZE, dtype=torch.float64)
        middles = (places + 0.5) * 2.0 ** (fp.SIGMOID_STEP - fp.GATE) - 8
        made["sigmoid"] = integers(middles.sigmoid() * (1 << fp.SIGMOID), np.int32, 1 << fp.SIGMOID)
    return made


def integers(values: Tensor, dtype: Any, limit: int) -> np.ndarray:
    """The nearest integers, at most `limit` from 0."""
    return values.double().round().clamp(-limit, limit).numpy().astype(dtype)
