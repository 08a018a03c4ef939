"""Routed blocks: no later id changes an earlier one, what is passed by is counted, copies of an
MLP are that MLP.
"""

import json
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from equinfo.errors import EquinfoError
from equinfo.lm.cache import KVCache
from equinfo.lm.config import OptimizerConfig, TrainConfig, modern, paper
from equinfo.lm.decoder import PREDICTING, Decoder
from equinfo.lm.evaluate import evaluate
from equinfo.lm.flops import flops_per_token_exact
from equinfo.lm.routing import Experts, Pass, Routing
from equinfo.lm.train import beginning, kept_optimizer, load_lm, train
from equinfo.upcycling import upcycle

VOCAB, CONTEXT = 50, 32
DENSE = replace(modern("30k", VOCAB), n_layers=4)
DEPTHS = replace(DENSE, depth_capacity=0.25)
EXPERTS = replace(DENSE, experts=4)
BOTH = replace(DEPTHS, experts=4)
routed = pytest.mark.parametrize(
    "config", [DEPTHS, EXPERTS, BOTH], ids=["depths", "experts", "both"]
)
IDS = (np.random.default_rng(0).integers(0, 7, 4000) ** 2 % (VOCAB - 1)).astype(np.uint16)


def model_of(config, seed=0):
    """A decoder whose predictors take some positions and pass by others, as trained ones do."""
    model = Decoder(config).initialise(seed)
    for block in model.blocks:
        if block.depths is not None:
            block.depths.predictor.weight.data.mul_(60)
    return model.eval()


def ids_of(*shape, seed=1):
    return torch.randint(VOCAB, shape, generator=torch.Generator().manual_seed(seed))


def training(config, **changes):
    values = {"bos_id": VOCAB - 1, "steps": 8, "batch_size": 8, "context": CONTEXT}
    return TrainConfig(config, OptimizerConfig(warmup_steps=2), **values | changes)


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# -- causality -------------------------------------------------------------------------------------


@routed
def test_a_later_id_never_changes_an_earlier_logit(config):
    model = model_of(config)
    ids = ids_of(3, 20)
    changed = torch.cat([ids[:, :11], ids_of(3, 9, seed=2)], dim=1)
    notes = Routing()
    with torch.no_grad():
        model(ids, routing=notes)
        assert torch.equal(model.logits(ids)[:, :11], model.logits(changed)[:, :11])
    for computed in notes.computed:
        assert 0 < computed.float().mean() < 1


@routed
@pytest.mark.parametrize("pieces", [[1] * 20, [7, 1, 12]], ids=["one by one", "pieces"])
def test_with_a_cache_as_the_whole_sequence(config, pieces):
    model = model_of(config)
    ids = ids_of(3, 20)
    cache = KVCache(config, 3, 20)
    with torch.no_grad():
        parts = [model.logits(part, cache) for part in ids.split(pieces, dim=1)]
        torch.testing.assert_close(torch.cat(parts, 1), model.logits(ids), atol=1e-5, rtol=1e-5)


@routed
@pytest.mark.parametrize("is_training", [False, True])
def test_padding_is_read_by_none_and_counts_for_nothing(config, is_training):
    model = model_of(replace(config, expert_capacity=1.0)).train(is_training)
    ids = ids_of(2, 16)
    real = torch.ones(2, 40, dtype=torch.bool)
    real[:, :24] = False
    with_padding, without = Routing(), Routing()
    with torch.no_grad():
        padded = model(torch.cat([ids_of(2, 24), ids], 1), real=real, routing=with_padding)[:, 24:]
        torch.testing.assert_close(padded, model(ids, routing=without), atol=1e-5, rtol=1e-5)
    assert with_padding.told.keys() == without.told.keys()
    for name, mean in without.told.items():
        torch.testing.assert_close(with_padding.told[name], mean)
    torch.testing.assert_close(with_padding.loss(1.0), without.loss(1.0))


# -- depths ----------------------------------------------------------------------------------------


def test_a_block_computes_the_top_k_of_a_sequence_and_adds_them_weighted():
    """As computing all positions with the others hidden, and keeping those."""
    model = model_of(DEPTHS)
    model.ahead = True
    ids = ids_of(3, 20)
    notes, masked = Routing(), Routing()
    hidden = model(ids, routing=notes)
    whole = model(ids, real=torch.ones_like(ids, dtype=torch.bool), routing=masked)
    torch.testing.assert_close(hidden, whole, atol=1e-5, rtol=1e-5)
    for computed, other in zip(notes.computed, masked.computed, strict=True):
        assert (computed.sum(1) == 5).all()
        assert torch.equal(computed, other)


@routed
def test_the_router_learns_by_the_output_and_the_predictor_changes_nothing_else(config):
    model = Decoder(config).initialise(0).train()
    notes = Routing()
    hidden = model(ids_of(3, 20), routing=notes)
    names = dict(model.named_parameters())

    def learned(loss):
        model.zero_grad()
        loss.backward(retain_graph=True)
        return {n for n, w in names.items() if w.grad is not None and w.grad.abs().max() > 1e-4}

    by_output = learned(hidden.square().sum() + hidden.sum())
    told = {name for name in names if PREDICTING.search(name)}
    assert {name for name in names if ".router." in name} <= by_output
    assert not by_output & told
    if config.depth_capacity < 1:
        assert learned(notes.loss(0.0)) == told


@routed
def test_a_seed_gives_what_is_not_routed_the_same_values(config):
    """And the first of the experts those of the one MLP in their place."""
    dense = Decoder(DENSE).initialise(3).state_dict()
    weights = Decoder(config).initialise(3).state_dict()
    for name, weight in dense.items():
        first = re.sub(r"\.(gate|up|down)\.weight", r".experts.\1", name)
        same = weights[name] if name in weights else weights[first][0]
        torch.testing.assert_close(same, weight, atol=0, rtol=0)


def test_evaluation_tells_what_each_block_gave(tmp_path):
    model = model_of(DEPTHS)
    found = evaluate(model, IDS[:100], 100, context=CONTEXT, bos_id=VOCAB - 1)
    ahead = evaluate(model, IDS[:100], 100, context=CONTEXT, bos_id=VOCAB - 1, ahead=True)
    assert found.weights.shape == found.computed.shape == ahead.computed.shape == (2, 100)
    assert found.taken == found.computed.mean()
    # tiles of 32, 32, 32 and 4: of each a quarter
    assert ahead.taken == 25 / 100
    assert found.sum_nats != ahead.sum_nats
    assert evaluate(Decoder(DENSE), IDS[:9], 9, context=8, bos_id=VOCAB - 1).taken is None


# -- experts ---------------------------------------------------------------------------------------


def experts_of(config, seed=0):
    layer = Experts(config)
    generator = torch.Generator().manual_seed(seed)
    for weight in layer.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=generator)
    return layer


def written_out(layer, h):
    """Position after position, choice after choice; and how many found no room."""
    c = layer.config
    out = torch.zeros_like(h)
    lost = 0
    room = math.ceil(c.expert_capacity * h.shape[1] * c.experts_per_token / c.experts)
    for row in range(len(h)):
        used = [0] * c.experts
        for at in range(h.shape[1]):
            x = h[row, at]
            share, chosen = (layer.router.weight @ x).softmax(0).topk(c.experts_per_token)
            for weight, number in zip(share / share.sum(), chosen.tolist(), strict=True):
                used[number] += 1
                if layer.training and c.expert_capacity and used[number] > room:
                    lost += 1
                    continue
                gate, up = layer.gate[number] @ x, layer.up[number] @ x
                out[row, at] += weight * (layer.down[number] @ (F.silu(gate) * up))
    return out, lost / (len(h) * h.shape[1] * c.experts_per_token)


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("capacity", [0.0, 0.5, 1.0])
def test_experts_are_what_is_written_out(capacity, is_training):
    layer = experts_of(replace(EXPERTS, expert_capacity=capacity)).train(is_training)
    h = torch.randn(2, 12, DENSE.d_model, generator=torch.Generator().manual_seed(2))
    notes = Routing()
    with torch.no_grad():
        found = layer(h, Pass(routing=notes))
        expected, lost = written_out(layer, h)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    if is_training and capacity:
        assert float(notes.lost[0]) == pytest.approx(lost)
        assert lost > 0
    else:
        assert not notes.lost
        assert lost == 0


def test_room_is_given_in_the_order_of_positions():
    layer = experts_of(replace(EXPERTS, expert_capacity=0.5)).train()
    h = torch.randn(2, 12, DENSE.d_model, generator=torch.Generator().manual_seed(2))
    changed = torch.cat([h[:, :6], h[:, 6:].flip(1)], 1)
    with torch.no_grad():
        assert torch.equal(layer(h, Pass())[:, :6], layer(changed, Pass())[:, :6])


def test_balance_is_1_where_all_experts_are_used_alike():
    """The first and the second choice of a position are neighbours here."""
    layer = experts_of(EXPERTS).train()
    torch.nn.init.zeros_(layer.router.weight)
    layer.router.weight.data[:, :4] = 100 * torch.eye(4) + 50 * torch.eye(4).roll(1, 0)
    even = F.one_hot(torch.arange(4), DENSE.d_model).float().repeat(3, 1)[None]
    for h, balance in ((even, 1.0), (even[:, :1].expand(1, 12, -1), 2.0)):
        notes = Routing()
        with torch.no_grad():
            layer(h, Pass(routing=notes))
        assert float(notes.loss(0.5)) == pytest.approx(0.5 * balance)


# -- training --------------------------------------------------------------------------------------


@routed
def test_neither_micro_batches_nor_checkpoints_change_a_training(config, tmp_path):
    whole = train(training(config), IDS, tmp_path / "whole")
    parts = train(training(config, micro_batches=4), IDS, tmp_path / "parts")
    assert parts.loss == pytest.approx(whole.loss, abs=1e-4)
    again = train(training(config, checkpoint_blocks=True), IDS, tmp_path / "again")
    assert again.loss == whole.loss
    told = {"agreed"} if config.depth_capacity < 1 else set()
    told |= {"lost"} if config.experts > 1 else set()
    for line, other in zip(metrics(tmp_path / "whole"), metrics(tmp_path / "parts"), strict=True):
        assert line.keys() >= told
        assert all(0 <= line[name] <= 1 for name in told)
        assert all(line[name] == pytest.approx(other[name], abs=0.05) for name in told)
    assert load_lm(tmp_path / "whole").config == config


@routed
def test_a_resumed_training_is_the_same_to_the_last_bit(config, tmp_path):
    whole = train(training(config), IDS, tmp_path / "whole")
    for _ in range(20):
        result = train(training(config), IDS, tmp_path / "parts", deadline=0.0)
        if result.status == "done":
            break
    assert result.loss == whole.loss
    for name, weight in load_lm(tmp_path / "whole").state_dict().items():
        assert torch.equal(weight, load_lm(tmp_path / "parts").state_dict()[name])


# -- what it costs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [DEPTHS, EXPERTS, BOTH])
@pytest.mark.parametrize("taken", [0, 1])
def test_the_exact_count_of_one_step_is_torchs(config, taken):
    """All weights but those of experts that were not chosen, or of a block that was passed by."""
    model = Decoder(config).initialise(0).eval()
    for block in model.blocks:
        if block.depths is not None:
            block.depths.prior = 1e9 if taken else -1e9
    cache = KVCache(config, 1, 1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.logits(torch.zeros(1, 1, dtype=torch.int64), cache)
    share = taken if config.depth_capacity < 1 else 1
    inside = 4 * config.inner * (4 - 2 + 2 * share)  # attention's own products: SDPA's are not seen
    routers = 2 * 2 * config.d_model * (config.depth_capacity < 1)  # a product by elements
    expected = counter.get_total_flops() + inside + routers
    assert flops_per_token_exact(config, 1, share) == pytest.approx(expected, rel=1e-6)


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth_capacity": 0.0}, "depth_capacity is 0"),
        ({"depth_capacity": 1.5}, "at most 1"),
        ({"depth_capacity": math.nan}, "depth_capacity is nan"),
        ({"depth_capacity": 0.01}, "leaves no position: take 0.031"),
        ({"depth_capacity": 0.5, "n_layers": 1}, "1 layer has none"),
        ({"experts": 0}, "experts is 0"),
        ({"experts": 2, "experts_per_token": 3}, "cannot take 3 of 2 experts"),
        ({"experts": 4, "experts_per_token": 1}, "by whose weights the router learns"),
        ({"experts": 1 << 20}, "experts is 1048576"),
        ({"experts": 3}, "3 experts do not divide the 64 choices"),
        ({"expert_capacity": -1.0}, "expert_capacity is -1"),
    ],
)
def test_what_cannot_be_routed_is_refused(changes, message):
    with pytest.raises(EquinfoError, match=message):
        training(replace(DENSE, **changes))


def test_relative_attention_has_no_depths():
    with pytest.raises(EquinfoError, match="needs rope"):
        replace(paper("0.1m", VOCAB), depth_capacity=0.5)


# -- upcycling -------------------------------------------------------------------------------------


ADAFACTOR = OptimizerConfig("adafactor", "rsqrt", learning_rate=0.1, warmup_steps=2)


def bits(folder):
    found = evaluate(load_lm(folder), IDS[:500], 500, context=CONTEXT, bos_id=VOCAB - 1)
    return found.sum_nats / found.num_ids


@pytest.mark.parametrize("optimizer", [OptimizerConfig(), ADAFACTOR], ids=["adamw", "adafactor"])
@pytest.mark.parametrize("config", [DENSE, DEPTHS], ids=["dense", "depths"])
def test_an_upcycled_lm_begins_as_the_dense_one(config, optimizer, tmp_path):
    """And goes on: with the optimiser's state, or without."""
    settings = replace(training(config), optimizer=optimizer)
    train(settings, IDS, tmp_path / "dense", keep_optimizer=True)
    model = upcycle(tmp_path / "dense", tmp_path / "experts", experts=4)
    assert model == replace(config, experts=4) == load_lm(tmp_path / "experts").config
    assert abs(bits(tmp_path / "experts") - bits(tmp_path / "dense")) < 1e-5
    state = kept_optimizer(tmp_path / "experts")
    for name, tensor in kept_optimizer(tmp_path / "dense").items():
        copied = state.get(name)
        if copied is None:
            copied = state[
                name.replace("blocks.1.", "blocks.1.experts.")
                .replace("blocks.3.", "blocks.3.experts.")
                .replace(".weight", "")
            ]
        assert np.array_equal(copied, np.broadcast_to(tensor, copied.shape))
    after = []
    for carried in (False, True):
        begin = beginning(tmp_path / "experts", carried)
        out = tmp_path / f"on-{carried}"
        after.append(train(replace(settings, model=model), IDS, out, **begin).loss)
    assert after[0] != after[1]
    with pytest.raises(EquinfoError, match="other initial weights"):
        train(replace(settings, model=model), IDS, tmp_path / "experts")


def test_what_cannot_be_upcycled_is_refused(tmp_path):
    train(training(DENSE, steps=2), IDS, tmp_path / "dense")
    upcycle(tmp_path / "dense", tmp_path / "experts", experts=2)
    for source, options, message in (
        ("experts", {}, "has 2 experts already"),
        ("dense", {"experts": 1}, "must be 2 or more"),
        ("dense", {"experts": 5}, "5 experts do not divide the 64 choices"),
        ("nothing", {}, "holds no finished training"),
    ):
        with pytest.raises(EquinfoError, match=message):
            upcycle(tmp_path / source, tmp_path / "out", **options)
        assert not (tmp_path / "out").exists()
    with pytest.raises(EquinfoError, match="keeps no state of its optimiser"):
        kept_optimizer(tmp_path / "dense")
    with pytest.raises(EquinfoError, match="kept no state of its optimiser"):
        train(training(DENSE, steps=2), IDS, tmp_path / "dense", keep_optimizer=True)


def test_a_state_of_another_optimiser_is_refused(tmp_path):
    train(training(DENSE, steps=2), IDS, tmp_path / "dense", keep_optimizer=True)
    state = kept_optimizer(tmp_path / "dense")
    some = "blocks.0.q.weight.exp_avg_sq"
    others = (
        (ADAFACTOR, DENSE, state, "has no row_var that fits"),
        (OptimizerConfig(), replace(DENSE, n_layers=2), state, "another optimiser or LM"),
        (OptimizerConfig(), replace(DENSE, d_ff=8), state, "has no exp_avg that fits"),
        (OptimizerConfig(), DENSE, {}, "has no step that fits"),
        (OptimizerConfig(), DENSE, state | {some: -state[some] - 1}, "exp_avg_sq of blocks.0.q"),
        (OptimizerConfig(), DENSE, state | {some: state[some] * np.nan}, "exp_avg_sq of blocks.0"),
    )
    for optimizer, config, given, message in others:
        settings = replace(training(config), optimizer=optimizer)
        with pytest.raises(EquinfoError, match=message):
            train(settings, IDS, tmp_path / "other", state=given)
    shutil.copytree(tmp_path / "dense", tmp_path / "mixed")
    train(training(DENSE, steps=3), IDS, tmp_path / "mixed", overwrite=True)
    assert not (tmp_path / "mixed" / "optimizer").exists()
    shutil.copytree(tmp_path / "dense" / "optimizer", tmp_path / "mixed" / "optimizer")
    with pytest.raises(EquinfoError, match="of other steps than the weights"):
        upcycle(tmp_path / "mixed", tmp_path / "experts")
