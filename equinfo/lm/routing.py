"""Routing: which positions a block computes, and which of several MLPs computes them.

Mixture of depths (Raposo et al. 2024) and mixture of experts with a capacity (Shazeer et al. 2017,
Fedus et al. 2021). What a pass chose is noted in a `Routing`, for the loss and for a look at it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equinfo.lm.cache import LayerCache
from equinfo.lm.config import MLP, DecoderConfig

Rotary = tuple[Tensor, Tensor]


@dataclass
class Routing:
    """What the routed blocks of one pass chose: of each of its lists one entry a block.

    weights: f32[batch, time], a router's, 0 to 1; computed: bool[batch, time], which positions the
    block computed. predicting, balance: f32[], means over positions, to be added to the loss: of
    the causal predictors, and of experts (1 where all are used evenly). agreed: f32[], the share of
    positions of which a predictor says what the top k do. lost: f32[], the share of choices that
    found no room with an expert. Padding counts for nothing.
    """

    weights: list[Tensor] = field(default_factory=list)
    computed: list[Tensor] = field(default_factory=list)
    predicting: list[Tensor] = field(default_factory=list)
    balance: list[Tensor] = field(default_factory=list)
    agreed: list[Tensor] = field(default_factory=list)
    lost: list[Tensor] = field(default_factory=list)

    def loss(self, balance: float) -> Tensor | float:
        """To be added to the mean loss of a position. balance: the weight of that part."""
        return sum(self.predicting) + balance * sum(self.balance)

    @property
    def told(self) -> dict[str, Tensor]:
        """The means of what was measured, by the names that metrics have."""
        found = {"agreed": self.agreed, "lost": self.lost}
        return {name: torch.stack(values).mean() for name, values in found.items() if values}


@dataclass(frozen=True)
class Pass:
    """What all blocks share. rotary: cos and sin of each position. mask: see `visible`.

    real: bool[batch, positions], False for padding; None without. counted: bool[batch, time], the
    positions that take an expert's room; None: all. ahead: whether blocks choose their positions by
    the whole sequence, as in training, or one by one. routing: takes notes.
    """

    rotary: Rotary | None = None
    mask: Tensor | None = None
    real: Tensor | None = None
    counted: Tensor | None = None
    ahead: bool = False
    routing: Routing = field(default_factory=Routing)


Compute = Callable[[Tensor, Pass, LayerCache | None], Tensor]


def visible(real: Tensor, time: int) -> Tensor:
    """bool[batch, 1, time, positions]: what the last `time` ones read: what is real, not later.

    real: bool[batch, positions], False for padding. Every position reads itself, so that padding
    has numbers too; no real one reads them. Only distances between positions count, so padding
    before a text changes nothing.
    """
    back = steps_back(time, real.shape[1], real.device)
    return (back == 0) | (back > 0) & real[:, None, None, :]


def steps_back(queries: int, keys: int, device: torch.device) -> Tensor:
    """i64[queries, keys]: positions from each key to each of the last queries; negative: later."""
    places = torch.arange(keys, device=device)
    return places[-queries:, None] - places[None, :]


def mean(values: Tensor, counted: Tensor | None) -> Tensor:
    """f32[]: of values, [batch, time], at the positions that count."""
    values = values.float()
    if counted is None:
        return values.mean()
    return (values * counted).sum() / counted.sum().clamp(min=1)


class Depths(nn.Module):
    """A block computes a share of the positions, which read one another; others pass by it.

    A router weighs each position. In training the block takes a sequence's top k, which a later
    position may change; so a predictor learns from each position alone whether it is among them,
    and decides wherever no later one may be seen. What the block adds is multiplied by the sigmoid
    of the router's weight, which is how the router learns. Both read the normed residual stream,
    the predictor without changing it, and begins at the share that is taken.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.router = nn.Linear(config.d_model, 1, bias=False)
        self.hidden = nn.Linear(config.d_model, config.predictor_width, bias=False)
        self.predictor = nn.Linear(config.predictor_width, 1, bias=False)
        self.prior = math.log(config.depth_capacity / (1 - config.depth_capacity))

    def forward(
        self, x: Tensor, shared: Pass, cache: LayerCache | None, compute: Compute
    ) -> Tensor:
        """x: f32[batch, time, d_model] -> x, with what `compute`, a block, adds at some places."""
        time = x.shape[1]
        normed = F.rms_norm(x, x.shape[-1:], eps=self.config.norm_eps)
        score = (normed * self.router.weight[0]).sum(-1)
        weight = score.sigmoid()
        guess = self.predictor(F.silu(self.hidden(normed.detach())))[..., 0].float() + self.prior
        taken = predicted = guess > 0
        if shared.ahead:
            taken = self._top(score, shared.counted)
            told = F.binary_cross_entropy_with_logits(guess, taken.float(), reduction="none")
            shared.routing.predicting.append(mean(told, shared.counted))
            shared.routing.agreed.append(mean(taken == predicted, shared.counted))
        shared.routing.weights.append(weight.detach())
        shared.routing.computed.append(taken)
        if shared.ahead and shared.real is None:
            assert shared.rotary is not None
            # as many of each sequence, in their order
            top = taken.int().argsort(dim=1, descending=True, stable=True)[:, : self._count(time)]
            at = top[..., None].expand(-1, -1, x.shape[-1])
            some = x.gather(1, at)
            cos, sin = (table[top][:, None] for table in shared.rotary)
            new = compute(some, replace(shared, rotary=(cos, sin)), None)
            return x.scatter_add(1, at, (new - some) * weight.gather(1, top)[..., None])
        known = taken if cache is None else cache.taking(taken)
        if cache is not None and not taken.any():
            nothing = x.new_zeros(len(x), self.config.n_heads, time, self.config.head_dim)
            cache.extend(nothing, nothing)
            return x
        if shared.real is not None:
            known = known & shared.real
        here = replace(shared, mask=visible(known, time), counted=known[:, -time:])
        new = compute(x, here, cache)
        return torch.where(taken[..., None], x + (new - x) * weight[..., None], x)

    def _count(self, time: int) -> int:
        return max(round(self.config.depth_capacity * time), 1)

    def _top(self, score: Tensor, real: Tensor | None) -> Tensor:
        """bool[batch, time]: the best by score, f32[batch, time], a share of each sequence."""
        rank = torch.arange(score.shape[1], device=score.device)
        if real is None:
            wanted = rank < self._count(score.shape[1])
        else:
            counts = [self._count(number) for number in real.sum(1).tolist()]
            wanted = rank < torch.tensor(counts, device=score.device)[:, None]
            score = score.masked_fill(~real, torch.finfo(score.dtype).min)
        order = score.argsort(dim=1, descending=True, stable=True)
        taken = torch.zeros_like(score, dtype=torch.bool)
        taken = taken.scatter(1, order, wanted.expand_as(order))
        return taken if real is None else taken & real


class Experts(nn.Module):
    """Gated MLPs, of which each position takes the few that a router finds best, by its weights.

    The weights sum to 1, so experts that are copies of one MLP are that MLP. In training an expert
    has room for `expert_capacity` times its even share of a sequence: in the order of positions, so
    that none displaces an earlier one; a choice without room adds nothing, and is counted. Each
    sequence is by itself, so neither micro-batches nor ranks change what is computed.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.router = nn.Linear(config.d_model, config.experts, bias=False)
        shapes = ((config.d_ff, config.d_model),) * 2 + ((config.d_model, config.d_ff),)
        for name, shape in zip(MLP, shapes, strict=True):
            setattr(self, name, nn.Parameter(torch.empty(config.experts, *shape)))
        self.act = F.silu if config.activation == "silu" else F.relu

    def forward(self, h: Tensor, shared: Pass) -> Tensor:
        """h: [batch, time, d_model], normed -> what the MLPs add, the same shape."""
        c = self.config
        batch, time, d = h.shape
        with torch.autocast(h.device.type, enabled=False):
            share = F.linear(h.float(), self.router.weight.float()).softmax(-1)
        best, chosen = share.topk(c.experts_per_token, dim=-1)
        weights = (best / best.sum(-1, keepdim=True)).flatten()
        order = chosen.flatten()
        if self.training:
            counted = shared.counted
            counted = torch.ones_like(h[..., 0], dtype=torch.bool) if counted is None else counted
            number = counted.sum(1).clamp(min=1)  # of positions, in each sequence
            choices = F.one_hot(chosen, c.experts) * counted[..., None, None]
            used = choices.sum((1, 2)) / (number * c.experts_per_token)[:, None]
            likely = (share * counted[..., None]).sum(1) / number[:, None]
            shared.routing.balance.append(c.experts * (used * likely).sum(-1).mean())
            if c.expert_capacity:
                queue = choices.view(batch, -1, c.experts)
                queued = (queue.cumsum(1) * queue).sum(-1).view(chosen.shape)
                room = number.double() * (c.expert_capacity * c.experts_per_token / c.experts)
                full = queued > room.ceil()[:, None, None]
                shared.routing.lost.append(mean(full.float().mean(-1), counted))
                order = order.masked_fill(full.flatten(), c.experts)  # none's: the last in order
        # what each expert computes lies together, one slice after another
        counts = order.bincount(minlength=c.experts + 1)[: c.experts].tolist()
        order = order.argsort(stable=True)[: sum(counts)]
        rows = h.reshape(-1, d)[order // c.experts_per_token].split(counts)
        found = [self._mlp(number, some) for number, some in enumerate(rows)]
        made = torch.cat(found).float() * weights[order, None]
        every = made.new_zeros(len(weights), d).index_copy(0, order, made)
        return every.view(batch, time, c.experts_per_token, d).sum(2).to(h.dtype)

    def _mlp(self, number: int, h: Tensor) -> Tensor:
        gate, up, down = (getattr(self, name)[number] for name in MLP)
        return F.linear(self.act(F.linear(h, gate)) * F.linear(h, up), down)
