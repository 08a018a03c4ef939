"""The decoder: one module for M1 and M2, both recipes; which one is a matter of `DecoderConfig`."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from equinfo.lm.cache import KVCache, LayerCache
from equinfo.lm.canonical import Canonical
from equinfo.lm.config import DecoderConfig
from equinfo.lm.routing import Depths, Experts, Pass, Rotary, Routing, steps_back, visible

ZEROS = ("place.weight", "pair.weight", "share.weight")
"""What begins as zeros: a seed's LM with them begins as the very function that it is without."""
RESIDUAL = (".o.weight", ".down.weight", ".experts.down")
"""What adds to the residual stream."""
ROUTING = re.compile(r"\.(depths|experts)\.")
PREDICTING = re.compile(r"\.depths\.(hidden|predictor)\.")
HASH = (36_313, 27_191)  # modded-nanogpt's
BLOCK = 64  # queries
BLOCKED = 512  # positions: of more, SDPA's flat memory


class Block(nn.Module):
    """Attention and a gated MLP, each on the normed input and added to the residual stream.

    routed: whether it is one of those that `depth_capacity` and `experts` are for.
    """

    def __init__(self, config: DecoderConfig, routed: bool = False) -> None:
        super().__init__()
        d = config.d_model
        ff = config.d_ff
        self.config = config
        self.attn_norm = nn.RMSNorm(d, eps=config.norm_eps)
        self.q, self.k, self.v = (nn.Linear(d, config.inner, bias=False) for _ in range(3))
        self.o = nn.Linear(config.inner, d, bias=False)
        if config.position == "relative":
            self.rel = nn.Embedding(config.relative_clip + 1, config.head_dim)
        self.mlp_norm = nn.RMSNorm(d, eps=config.norm_eps)
        self.depths = Depths(config) if routed and config.depth_capacity < 1 else None
        self.experts = Experts(config) if routed and config.experts > 1 else None
        if self.experts is None:
            self.gate, self.up = (nn.Linear(d, ff, bias=False) for _ in range(2))
            self.down = nn.Linear(ff, d, bias=False)
        self.act = F.silu if config.activation == "silu" else F.relu

    def forward(self, x: Tensor, shared: Pass, cache: LayerCache | None = None) -> Tensor:
        """x: f32[batch, time, d_model] -> the same after this block."""
        if self.depths is not None:
            return self.depths(x, shared, cache, self.compute)
        return self.compute(x, shared, cache)

    def compute(self, x: Tensor, shared: Pass, cache: LayerCache | None = None) -> Tensor:
        """As `forward`, at all positions."""
        h = self.attn_norm(x)
        batch, time, _ = h.shape
        shape = (batch, time, self.config.n_heads, self.config.head_dim)
        q, k, v = (part(h).view(shape).transpose(1, 2) for part in (self.q, self.k, self.v))
        if shared.rotary is not None:
            q = rotate(q, *shared.rotary)
            k = rotate(k, *shared.rotary)
        if cache is not None:
            k, v = cache.extend(k, v)
        if shared.rotary is not None:
            out = causal_attention(q, k, v, shared.mask)
        else:
            near = q @ self.rel.weight.to(q.dtype).T
            if h.is_cuda and cache is None and shared.mask is None:
                out = relative_flex(q, k, v, near)
            else:
                out = relative_attention(q, k, v, near, shared.mask)
        x = x + self.o(out.transpose(1, 2).reshape(batch, time, -1))
        h = self.mlp_norm(x)
        if self.experts is not None:
            return x + self.experts(h, shared)
        return x + self.down(self.act(self.gate(h)) * self.up(h))


def rotary_tables(config: DecoderConfig, time: int, device: Any) -> Rotary:
    """cos and sin of position * base**(-2i / head_dim), both halves: f32[time, head_dim] each."""
    half = config.head_dim // 2
    rates = config.rope_base ** (-torch.arange(half, device=device, dtype=torch.float64) / half)
    angles = (torch.arange(time, device=device, dtype=torch.float64)[:, None] * rates).repeat(1, 2)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position, half-split convention. x: [batch, heads, time, head_dim]."""
    a, b = x.chunk(2, dim=-1)
    return (x * cos + torch.cat([-b, a], dim=-1) * sin).to(x.dtype)


class _BlockedAttention(torch.autograd.Function):
    """Causal attention of bfloat16 on a CPU, whose SDPA takes 1.7 to 4 times as long with it.

    A block of queries has all its scores at once and leaves out what comes after it; softmax's
    values are kept for the backward pass, [batch, heads, time, time] in all and half of it unused.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        ctx.shape = q.shape
        scale = q.shape[3] ** -0.5
        q, k, v = (x.reshape(-1, *x.shape[2:]) for x in (q * scale, k, v))
        later = torch.full((BLOCK, BLOCK), -math.inf, dtype=q.dtype).triu(1)
        out = torch.empty_like(q)
        kept = []
        for at in range(0, q.shape[1], BLOCK):
            block = q[:, at : at + BLOCK]
            end = at + block.shape[1]
            scores = block @ k[:, :end].mT
            scores[:, :, at:] += later[: end - at, : end - at]
            kept.append(scores.softmax(2))
            torch.bmm(kept[-1], v[:, :end], out=out[:, at:end])
        ctx.save_for_backward(q, k, v, *kept)
        return out.view(ctx.shape)

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, ...]:
        q, k, v, *kept = ctx.saved_tensors
        d_out = d_out.reshape(q.shape)
        d_q = torch.empty_like(q)
        d_k, d_v = torch.zeros(2, *k.shape)  # float32: each is a sum over blocks
        for number, shares in enumerate(kept):
            block = slice(number * BLOCK, number * BLOCK + shares.shape[1])
            end = block.stop
            d_v[:, :end] += shares.mT @ d_out[:, block]
            d_shares = d_out[:, block] @ v[:, :end].mT
            d_scores = torch.ops.aten._softmax_backward_data(d_shares, shares, 2, shares.dtype)
            torch.bmm(d_scores, k[:, :end], out=d_q[:, block])
            d_k[:, :end] += d_scores.mT @ q[:, block]
        d_q *= ctx.shape[3] ** -0.5
        return tuple(x.to(q.dtype).view(ctx.shape) for x in (d_q, d_k, d_v))


def causal_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """q: [batch, heads, time, head_dim], the last `time` of k's and v's places; see `visible`."""
    if mask is not None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    if q.shape[2] == k.shape[2] or q.shape[2] == 1:
        trained = q.requires_grad and q.shape[2] <= BLOCKED
        if trained and q.dtype == torch.bfloat16 and q.device.type == "cpu":
            return _BlockedAttention.apply(q, k, v)
        return F.scaled_dot_product_attention(q, k, v, is_causal=q.shape[2] > 1)
    earlier = steps_back(q.shape[2], k.shape[2], q.device) >= 0
    return F.scaled_dot_product_attention(q, k, v, attn_mask=earlier)


def relative_attention(
    q: Tensor, k: Tensor, v: Tensor, near: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Causal attention of score (q_i . k_j + near[i, min(i - j, clip)]) / sqrt(head_dim), by SDPA.

    q: [batch, heads, time, head_dim], the last `time` of the positions that k and v hold; near:
    [batch, heads, time, clip + 1], q_i . relative term; mask: see `visible`.
    """
    back = steps_back(q.shape[2], k.shape[2], q.device)
    bias = near.gather(3, back.clamp(0, near.shape[3] - 1).expand(*near.shape[:2], *back.shape))
    unread = back < 0 if mask is None else ~mask
    bias = (bias * q.shape[3] ** -0.5).masked_fill(unread, float("-inf"))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


def relative_flex(q: Tensor, k: Tensor, v: Tensor, near: Tensor) -> Tensor:
    """As `relative_attention` without a [time, time] bias: for CUDA, with a backward pass."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    clip = near.shape[3] - 1
    scale = q.shape[3] ** -0.5
    time = q.shape[2]

    def add_term(score, b, h, i, j):  # type: ignore[no-untyped-def]
        return score + near[b, h, i, (i - j).clamp(0, clip)] * scale

    device = str(q.device)
    mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, time, time, device=device)
    attend = torch.compile(flex_attention, dynamic=False) if q.is_cuda else flex_attention
    return attend(q, k, v, score_mod=add_term, block_mask=mask)


class Decoder(nn.Module):
    """ids -> hidden states; `head_weight` turns those into logits (the loss does so in chunks)."""

    checkpoint_blocks = False
    """In training, keep each block's input alone and compute the rest again in the backward."""
    ahead: bool | None = None
    """Whether routed blocks choose by whole sequences; None: in training alone."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        if config.period > 1:
            self.place = nn.Embedding(config.period, config.d_model)
        if config.bigrams:
            self.pair = nn.Embedding(config.bigrams, config.d_model)
        if config.shares:
            self.share = nn.Embedding(config.n_layers, 1)
        routed = config.routed_blocks
        self.blocks = nn.ModuleList(Block(config, n in routed) for n in range(config.n_layers))
        self.norm = nn.RMSNorm(config.d_model, eps=config.norm_eps)
        if not config.tied:
            self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.canonical = Canonical(config) if config.canonical else None

    @property
    def head_weight(self) -> Tensor:
        """f32[vocab_size, d_model]."""
        return self.embed.weight if self.config.tied else self.head.weight

    def drawn(self, seed: int) -> Iterator[tuple[nn.Parameter, Tensor]]:
        """Each weight and its first values, f32, one at a time: normal of 1 / sqrt(fan-in), the
        residual's by sqrt(2 * layers) less. What routes comes last: a seed gives all else the
        values that it has without, and the first expert those of the MLP in its place.
        """
        generator = torch.Generator().manual_seed(seed)
        depth = (2 * self.config.n_layers) ** -0.5

        def draw(name: str, shape: Sequence[int]) -> Tensor:
            if len(shape) == 1:
                return torch.ones(shape)
            if name in ZEROS:
                return torch.zeros(shape)
            deviation = shape[-1] ** -0.5
            if name.endswith(RESIDUAL):
                deviation *= depth
            return torch.randn(shape, generator=generator) * deviation

        routing = {}
        firsts = {}
        for name, weight in self.named_parameters():
            if not ROUTING.search(name):
                yield weight, draw(name, weight.shape)
                continue
            routing[name] = weight
            if weight.dim() == 3:  # in the place of the one MLP's, which becomes the first expert
                firsts[name] = draw(name, weight.shape[1:])
        for name, weight in routing.items():
            values = draw(name, weight.shape)
            if name in firsts:
                values[0] = firsts[name]
            yield weight, values

    def initialise(self, seed: int) -> "Decoder":
        """Give all weights their first values."""
        for weight, values in self.drawn(seed):
            weight.data.copy_(values)
        return self

    def forward(
        self, ids: Tensor, cache: KVCache | None = None, real: Tensor | None = None,
        first: Tensor | None = None, routing: Routing | None = None,
    ) -> Tensor:  # fmt: skip
        """ids: i64[batch, time] -> hidden states after the last norm, [batch, time, d_model].

        With a cache the ids follow those it has seen, and it takes them in. real: bool[batch,
        positions], those in the cache first, False for padding that no other position shall read;
        None where there is no padding. first: see `places`. routing: what routed blocks choose is
        noted there.
        """
        x = self.embed(ids)
        if self.config.period > 1:
            x = x + self.place(self.places(ids, cache, real, first))
        if self.config.bigrams:
            x = x + self.pair(self.pairs(ids, cache, real))
        x0 = x
        rotary = self.rotary(ids, cache) if self.config.position == "rope" else None
        mask = None if real is None else visible(real, ids.shape[1])
        ahead = cache is None and (self.training if self.ahead is None else self.ahead)
        notes = Routing() if routing is None else routing
        counted = None if real is None else real[:, -ids.shape[1] :]
        shared = Pass(rotary, mask, real, counted, ahead, notes)
        for number, block in enumerate(self.blocks):
            layer = cache.layers[number] if cache else None
            if self.config.shares:
                x = torch.addcmul(x, x0, self.share.weight[number])
            if self.checkpoint_blocks and self.training and layer is None:
                x = checkpoint(block, x, shared, use_reentrant=False)
            else:
                x = block(x, shared, layer)
        return self.norm(x)

    def places(
        self, ids: Tensor, cache: KVCache | None = None, real: Tensor | None = None,
        first: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """i64[batch, time]: the place in its unit, 0 .. period - 1, of the id after each of `ids`.

        A unit begins after a special id or padding (see `forward` for `real`), and `period` ids
        after another. first: i64[batch], the place of what follows ids[:, 0], where BOS begins a
        sequence that was cut from amid a document; by default the ids follow those in the cache, or
        begin a document.
        """
        special = ids >= self.config.special
        if real is not None:
            special |= ~real[:, -ids.shape[1] :]
        if first is None:
            # of ids[:, 0] itself
            here = cache.places[:, -1] if cache is not None and cache.length else 0
            first = torch.where(special[:, 0], 0, here + 1)
        steps = torch.arange(ids.shape[1], device=ids.device)
        # the last id that begins a unit, or else the first id
        last = torch.where(special, steps, 0).cummax(1).values
        found = (steps - last + torch.where(last == 0, first[:, None], 0)) % self.config.period
        if cache is not None:
            cache.places = found
        return found

    def pairs(
        self, ids: Tensor, cache: KVCache | None = None, real: Tensor | None = None
    ) -> Tensor:
        """i64[batch, time]: the row, 0 .. bigrams - 1, of each of `ids` and the id before it.

        Before the first id, and for an id after padding (see `forward` for `real`), there is -1. A
        special id is an id as others are. All is exact in int64: the same row on every device.
        """
        before = F.pad(ids[:, :-1], (1, 0), value=-1)
        if cache is not None:
            if cache.length:
                before[:, 0] = cache.ids[:, -1]
            cache.ids = ids
        if real is not None:
            there = F.pad(real, (1, 0), value=False)[:, -1 - ids.shape[1] : -1]
            before = before.masked_fill(~there, -1)
        return (before * HASH[0] ^ ids * HASH[1]) % self.config.bigrams

    def rotary(self, ids: Tensor, cache: KVCache | None) -> Rotary:
        """The tables for the positions of `ids`; a cache keeps those of all its positions."""
        if cache is None:
            return rotary_tables(self.config, ids.shape[1], ids.device)
        if cache.rotary is None:
            cache.rotary = rotary_tables(self.config, cache.capacity, ids.device)
        cos, sin = cache.rotary
        return cos[cache.length :][: ids.shape[1]], sin[cache.length :][: ids.shape[1]]

    def masked(self, logits: Tensor, previous: Tensor) -> Tensor:
        """logits f32[..., vocab_size], -inf for what never follows `previous`, i64[...]: in place.

        As they are, where the LM has no canonical mask.
        """
        return logits if self.canonical is None else self.canonical(logits, previous)

    def logits(
        self, ids: Tensor, cache: KVCache | None = None, first: Tensor | None = None
    ) -> Tensor:
        """f32[batch, time, vocab_size]: for a look at few ids; training uses the chunked loss."""
        logits = F.linear(self(ids, cache, first=first), self.head_weight).float()
        return self.masked(logits, ids)
