"""The integer M1 in torch, CPU or CUDA: the frequencies of equinfo.compress to the bit.

Products of int8 are taken by `torch._int_mm` where it passes its canary, and else in floating
point, which is exact for them: every partial sum is an integer below 2**24 (float32) or 2**53
(float64), in whatever order it is taken. All other steps are int64.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, long

from equinfo import fixedpoint as fp
from equinfo.compress.models.base import EOD
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.errors import EquinfoError

Product = Callable[[Tensor, Tensor], Tensor]
WRONG = "this torch on {} gets products of integers wrong: the integer M1 cannot run on it"


class IntegerDecoder:
    def __init__(self, model: IntegerByteModel, device: torch.device | str = "cpu") -> None:
        self.config = model.config
        self.precision = model.precision
        self.device = torch.device(device)
        self.tensors = {
            name: torch.from_numpy(t).to(self.device).to(torch.int8 if t.dtype == np.int8 else long)
            for name, t in model.tensors.items()
        }
        self.powers = torch.from_numpy(fp.powers().astype(np.int64)).to(self.device)
        weights = {name: t for name, t in self.tensors.items() if name.endswith(".weight")}
        with torch.autocast(self.device.type, enabled=False):
            check_float_products(self.device)
            self.products = {
                name: product_for(weight, self.device) for name, weight in weights.items()
            }

    @torch.no_grad()
    def frequencies(self, symbols: np.ndarray) -> Tensor:
        """Row [i, t] is the frequencies of symbols[i, t] after EOD and symbols[i, :t].

        Returns i64[n, T, 257] on the device. symbols: integers[n, T] of 0 .. 256, T at most
        max_context. Memory beside that: a few times 8 * n * T * max(heads * T, 2 * d_ff) bytes.
        """
        inputs = np.concatenate([np.full((len(symbols), 1), EOD), symbols[:, :-1]], axis=1)
        with torch.autocast(self.device.type, enabled=False):
            x = self.tensors["embed"][torch.from_numpy(inputs).to(self.device)]
            for i in range(self.config["n_layers"]):
                x = self._block(x, f"blocks.{i}.")
            return self._frequencies(self._linear(self._normalised(x, "norm"), "head"))

    def _block(self, x: Tensor, name: str) -> Tensor:
        qkv = self._linear(self._normalised(x, name + "attn_norm"), name + "qkv")
        attended = self._attend(qkv, name)
        x = (x + self._linear(attended, name + "o")).clamp_(-fp.RESIDUAL_MAX, fp.RESIDUAL_MAX)
        wide = self._linear(self._normalised(x, name + "mlp_norm"), name + "gate_up")
        gate, up = wide.clamp_(-fp.GATE_MAX, fp.GATE_MAX).chunk(2, dim=-1)
        hidden = to_int8(rounded(self._activation(gate) * up, fp.HIDDEN))
        return (x + self._linear(hidden, name + "down")).clamp_(-fp.RESIDUAL_MAX, fp.RESIDUAL_MAX)

    def _normalised(self, x: Tensor, name: str) -> Tensor:
        mean = (x * x).sum(-1, keepdim=True) // x.shape[-1] + self.config["epsilon"]
        inverse = (1 << 40) // integer_root(mean << 16)
        return to_int8(rescaled(x * inverse >> 32 - fp.FRACTION, self.tensors[name]))

    def _linear(self, x: Tensor, name: str) -> Tensor:
        """int8[..., K] -> i64[..., N] in the units of the product's own multipliers."""
        y = self.products[name + ".weight"](x.flatten(0, -2), self.tensors[name + ".weight"])
        return rescaled(y, self.tensors[name + ".scale"]).unflatten(0, x.shape[:-1])

    def _attend(self, qkv: Tensor, name: str) -> Tensor:
        """i64[n, T, 3 * inner] -> int8[n, T, inner]."""
        heads, size, time = self.config["n_heads"], self.config["head_dim"], qkv.shape[1]
        q, k, v = (
            part.unflatten(-1, (heads, size)).transpose(1, 2) for part in qkv.chunk(3, dim=-1)
        )
        q, k, v = self._turned(q), self._turned(k), to_int8(v)
        back = torch.arange(time, device=q.device)[:, None] - torch.arange(time, device=q.device)
        scores = exact_product(q, k.transpose(-1, -2), size * fp.ACTIVATION_MAX**2)
        if self.config["position"] == "relative":
            terms = self.tensors[name + "relative"]  # int8[heads, clip + 1, size]
            near = exact_product(q, terms.transpose(-1, -2), size * fp.ACTIVATION_MAX * 128)
            scores += near.gather(3, back.clamp(0, terms.shape[1] - 1).expand(*scores.shape))
        scores.masked_fill_(back < 0, -(1 << 40))
        weights = self._weights(scores, self.tensors[name + "score"])
        most = 255 * fp.ACTIVATION_MAX * time
        high, low = (exact_product(part, v, most) for part in (weights >> 8, weights & 255))
        sums = (high << 8) + low
        means = sums * ((1 << fp.SHARE) // weights.sum(-1, keepdim=True)) >> fp.SHARE - fp.FRACTION
        return to_int8(rescaled(means.transpose(1, 2).flatten(2), self.tensors[name + "attended"]))

    def _turned(self, x: Tensor) -> Tensor:
        """Queries or keys at their positions: i64[n, heads, T, size] -> int8."""
        x = x.clamp(-fp.FINE_MAX, fp.FINE_MAX)
        if self.config["position"] == "relative":
            return to_int8(rounded(x, fp.FINE))
        cos, sin = self.tensors["cos"][: x.shape[2]], self.tensors["sin"][: x.shape[2]]
        a, b = x.chunk(2, dim=-1)
        turned = torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
        return to_int8(rounded(turned, fp.ANGLE + fp.FINE))

    def _weights(self, scores: Tensor, multipliers: Tensor) -> Tensor:
        """Attention weights 0 .. 65535, the largest score's being 65535: i64[n, heads, T, T]."""
        m = multipliers[:, None, None]
        below = torch.minimum(scores.amax(-1, keepdim=True) - scores, ((1 << 31) - 1) // m)
        return self._power(below * m >> fp.SCORE_SHIFT) >> fp.WEIGHT_SHIFT

    def _power(self, below: Tensor) -> Tensor:
        return self.powers[below & (1 << fp.EXPONENT) - 1] >> (below >> fp.EXPONENT)

    def _activation(self, gate: Tensor) -> Tensor:
        if self.config["activation"] == "relu":
            return gate.clamp_min(0)
        half = fp.SIGMOID_SIZE << fp.SIGMOID_STEP - 1
        place = gate.clamp(-half, half - 1) + half >> fp.SIGMOID_STEP
        return rounded(gate * self.tensors["sigmoid"][place], fp.SIGMOID)

    def _frequencies(self, logits: Tensor) -> Tensor:
        logits = logits.clamp_(-fp.LOGIT_MAX, fp.LOGIT_MAX)
        below = (logits.amax(-1, keepdim=True) - logits).clamp_max_((fp.OCTAVES << fp.EXPONENT) - 1)
        powers = self._power(below)
        room = (1 << self.precision) - logits.shape[-1]
        freqs = 1 + (powers * ((room << 40) // powers.sum(-1, keepdim=True)) >> 40)
        first = (freqs == freqs.amax(-1, keepdim=True)).to(torch.int8).argmax(-1, keepdim=True)
        return freqs.scatter_add(-1, first, (1 << self.precision) - freqs.sum(-1, keepdim=True))


def rounded(x: Tensor, shift: int) -> Tensor:
    return x + (1 << shift - 1) >> shift


def rescaled(x: Tensor, multipliers: Tensor) -> Tensor:
    return rounded(x * multipliers, fp.SHIFT)


def to_int8(x: Tensor) -> Tensor:
    return x.clamp(-fp.ACTIVATION_MAX, fp.ACTIVATION_MAX).to(torch.int8)


def integer_root(n: Tensor) -> Tensor:
    """floor(sqrt(n)) of i64 0 <= n < 2**62: float64's root is less than 1 off, and put right."""
    root = n.double().sqrt().long()
    root -= (root * root > n).long()
    return root + ((root + 1) * (root + 1) <= n).long()


def exact_product(a: Tensor, b: Tensor, bound: int) -> Tensor:
    """a @ b of integers as i64, no sum of absolute products being above `bound`."""
    rounding = a.is_cuda and torch.backends.cuda.matmul.allow_tf32  # then float32 is not float32
    kind = torch.float32 if bound < 1 << 24 and not rounding else torch.float64
    return (a.to(kind) @ b.to(kind)).long()


def product_for(weight: Tensor, device: torch.device) -> Product:
    """The product x @ weight.T for int8 x in -127 .. 127: the fastest that passes its canary."""
    bound = int(weight.long().abs().sum(1).max()) * fp.ACTIVATION_MAX
    floats = lambda x, w: exact_product(x, w.T, bound)  # noqa: E731
    for product in (int8_product, floats):
        if passes(product, weight):
            return product
    raise EquinfoError(WRONG.format(device))


def check_float_products(device: torch.device) -> None:
    """Raises EquinfoError where float32 or float64 products of integers are not exact."""
    a = torch.full((2, 9, 518), 255, dtype=torch.int16)
    b = torch.full((2, 518, 65), fp.ACTIVATION_MAX, dtype=torch.int16)
    a[1, 1::2, ::3], b[1, :, ::2], b[0, 1::2, 1] = 1, -fp.ACTIVATION_MAX, 126
    for factor, bound in ((1, (1 << 24) - 1), (1 << 28, (1 << 53) - 1)):
        left, right = a.long() * factor, b.long()
        found = exact_product(left.to(device), right.to(device), bound).cpu()
        if not torch.equal(found, left @ right):
            raise EquinfoError(WRONG.format(device))


def int8_product(x: Tensor, w: Tensor) -> Tensor:
    """x @ w.T by torch's int8 kernel, which on CUDA wants more than 16 rows and multiples of 8."""
    rows, outputs = len(x), len(w)
    x, w = padded(x, max(rows, 32)), padded(w, -(-outputs // 8) * 8)
    return torch._int_mm(x, w.T)[:rows, :outputs].long()


def padded(x: Tensor, rows: int) -> Tensor:
    return x if len(x) == rows else torch.nn.functional.pad(x, (0, 0, 0, rows - len(x)))


def passes(product: Product, weight: Tensor) -> bool:
    x = torch.full((32, weight.shape[1]), fp.ACTIVATION_MAX, dtype=torch.int8, device=weight.device)
    x[1::2] = -fp.ACTIVATION_MAX
    x[2::4, ::2] = 1
    try:
        return torch.equal(product(x, weight).cpu(), x.cpu().long() @ weight.cpu().long().T)
    except RuntimeError:
        return False
