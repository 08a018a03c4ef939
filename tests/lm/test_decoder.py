"""The decoder against outside oracles: Hugging Face's Llama, and attention written out."""

import math

import pytest
import torch

from equinfo.lm.cache import KVCache
from equinfo.lm.config import DecoderConfig, modern, paper
from equinfo.lm.decoder import Decoder, causal_attention, relative_attention, relative_flex


def ids_of(vocab, *shape):
    return torch.randint(vocab, shape, generator=torch.Generator().manual_seed(1))


def test_same_logits_as_hugging_face_llama_with_the_same_weights():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = modern("0.1m", 300)
    model = Decoder(config).initialise(0).eval()
    peer = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=300, hidden_size=config.d_model, intermediate_size=config.d_ff,
            rms_norm_eps=config.norm_eps,
            num_hidden_layers=config.n_layers, num_attention_heads=config.n_heads,
            head_dim=config.head_dim,
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_base},
            tie_word_embeddings=False,
            attention_bias=False, mlp_bias=False, hidden_act="silu",
        )
    ).eval()  # fmt: skip
    names = {"embed": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}
    parts = {"attn_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
    parts |= {part: f"self_attn.{part}_proj" for part in "qkvo"} | {
        p: f"mlp.{p}_proj" for p in ("gate", "up", "down")
    }
    weights = {}
    for name, weight in model.state_dict().items():
        stem = name.removesuffix(".weight")
        if stem.startswith("blocks."):
            _, layer, part = stem.split(".")
            stem = f"model.layers.{layer}.{parts[part]}"
        weights[names.get(stem, stem) + ".weight"] = weight
    peer.load_state_dict(weights)
    ids = ids_of(300, 2, 50)
    with torch.no_grad():
        torch.testing.assert_close(model.logits(ids), peer(ids).logits, atol=2e-5, rtol=1e-5)


def written_out(q, k, v, near):
    """The definition, position by position (Shaw et al. 2018, causal, clipped)."""
    out = torch.zeros_like(q)
    for i in range(q.shape[2]):
        scores = torch.stack(
            [
                (q[:, :, i] * k[:, :, j]).sum(-1) + near[:, :, i, min(i - j, near.shape[3] - 1)]
                for j in range(i + 1)
            ],
            -1,
        )
        out[:, :, i] = (
            (scores / math.sqrt(q.shape[3])).softmax(-1)[..., None] * v[:, :, : i + 1]
        ).sum(2)
    return out


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("clip", [0, 3, 40])
def test_relative_attention_is_its_definition(clip):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, 20, 16)
    near = torch.randn(2, 3, 20, clip + 1)
    expected = written_out(q, k, v, near)
    torch.testing.assert_close(relative_attention(q, k, v, near), expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(relative_flex(q, k, v, near), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("time", [1, 64, 100, 256])
def test_attention_of_bfloat16_in_blocks_is_that_in_float64_with_all_gradients(time):
    torch.manual_seed(0)
    given = torch.randn(4, 2, time, 3, 16).bfloat16()
    found = []
    for products in (given, given.double()):
        inputs = [x.transpose(1, 2).requires_grad_() for x in products[:3].clone()]
        out = causal_attention(*inputs)
        out.backward(products[3].transpose(1, 2))
        found.append([out, *(x.grad for x in inputs)])
    assert "BlockedAttention" in type(found[0][0].grad_fn).__name__
    for low, exact in zip(*found, strict=True):
        torch.testing.assert_close(low.double(), exact, atol=0.04, rtol=0.02)
        assert (low - exact).norm() <= 0.01 * exact.norm()


@pytest.mark.parametrize("style", [modern, paper])
def test_no_position_sees_what_comes_after(style):
    model = Decoder(style("30k", 257)).initialise(0).eval()
    ids = ids_of(257, 1, 30)
    other = ids.clone()
    other[0, 20:] = (other[0, 20:] + 1) % 257
    with torch.no_grad():
        a, b = model.logits(ids), model.logits(other)
    torch.testing.assert_close(a[:, :20], b[:, :20])
    assert not torch.allclose(a[:, 20:], b[:, 20:])


def test_contexts_longer_than_the_clip_are_fine_and_positions_matter():
    config = DecoderConfig(50, 32, 2, 2, 16, 64, position="relative", relative_clip=4)
    model = Decoder(config).initialise(0).eval()
    with torch.no_grad():
        out = model.logits(ids_of(50, 2, 64))
        swapped = model.logits(torch.tensor([[1, 2, 3, 4], [2, 1, 3, 4]]))
    assert out.shape == (2, 64, 50)
    assert torch.isfinite(out).all()
    assert not torch.allclose(swapped[0, -1], swapped[1, -1])


def test_tied_embeddings_share_the_output_layer():
    model = Decoder(DecoderConfig(50, 32, 2, 1, 16, 64, tied=True)).initialise(0)
    assert model.head_weight is model.embed.weight
    assert "head.weight" not in model.state_dict()


def test_initial_weights_depend_on_the_seed_alone():
    a, b, c = (Decoder(modern("30k", 257)).initialise(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["embed.weight"], c["embed.weight"])


@pytest.mark.parametrize("style", [modern, paper])
@pytest.mark.parametrize("cuts", [[12], [1] * 12, [5, 1, 6]], ids=["whole", "steps", "pieces"])
def test_padding_is_not_read(style, cuts):
    """Before or after a row's ids, cached or not: their logits are the row's, all finite."""
    model = Decoder(style("30k", 257)).initialise(0).eval()
    rows = [
        (0, 12),
        (5, 7),
        (2, 9),
        (12, 12),
    ]  # of each, the first and the last real position; the last has none
    ids = ids_of(257, 4, 12)
    real = torch.tensor([[begin <= place < end for place in range(12)] for begin, end in rows])
    cache = KVCache(model.config, 4, 12) if len(cuts) > 1 else None
    ends = torch.tensor(cuts).cumsum(0).tolist()
    pieces = zip(ids.split(cuts, dim=1), ends, strict=True)
    with torch.no_grad():
        hidden = torch.cat([model(piece, cache, real[:, :end]) for piece, end in pieces], dim=1)
        assert torch.isfinite(hidden).all()
        for row, (begin, end) in enumerate(rows[:3]):
            alone = model(ids[row : row + 1, begin:end])[0]
            torch.testing.assert_close(hidden[row, begin:end], alone, atol=1e-4, rtol=1e-4)
