"""Sampling: cached steps are whole passes, draws the distribution asked for, rows independent."""

from itertools import islice

import numpy as np
import pytest
import torch

from equinfo.errors import EquinfoError
from equinfo.lm.cache import KVCache
from equinfo.lm.config import DecoderConfig, modern, paper
from equinfo.lm.decoder import Decoder
from equinfo.lm.sample import Sampling, _draw, sample, shares

CLIPPED = DecoderConfig(257, 32, 2, 2, 16, 64, position="relative", relative_clip=5)


@pytest.mark.parametrize(
    "config", [modern("30k", 257), paper("30k", 257), CLIPPED], ids=["modern", "paper", "clipped"]
)
@pytest.mark.parametrize("cuts", [[1] * 20, [20], [7, 1, 1, 6, 5]])
def test_cached_pieces_are_the_whole(config, cuts):
    model = Decoder(config).initialise(0).eval()
    ids = torch.randint(257, (3, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        cache = KVCache(config, 3, 20)
        pieces = torch.cat([model.logits(part, cache) for part in ids.split(cuts, dim=1)], dim=1)
        torch.testing.assert_close(pieces, model.logits(ids), atol=1e-4, rtol=1e-4)
        cache.clear()
        torch.testing.assert_close(
            model.logits(ids[:, :4], cache), pieces[:, :4], atol=1e-4, rtol=1e-4
        )


def greedy_without_cache(model, prompt, steps, context, bos):
    """What `sample` promises, written out: BOS and the ids since `begin`, anew at each step."""
    ids, begin = list(prompt), 0
    for _ in range(steps):
        if 1 + len(ids) - begin > context:
            begin = len(ids) - context // 2
        with torch.no_grad():
            ids.append(int(model.logits(torch.tensor([[bos, *ids[begin:]]]))[0, -1].argmax()))
    return ids[len(prompt) :]


def drawn(model, prompts, steps, context=16, mask=lambda row: None, **options):
    arrays = [np.array(prompt, dtype=np.int64) for prompt in prompts]
    run = sample(
        model, arrays, bos_id=256, context=context, sampling=Sampling(**options), mask=mask
    )
    columns = np.stack(list(islice(run, steps)), axis=1)
    return [[int(i) for i in row if i >= 0] for row in columns]


@pytest.mark.parametrize("style", [modern, paper])
@pytest.mark.parametrize("prompt", [[], [1, 2, 3], list(range(40))])
def test_greedy_is_recomputation_beyond_the_end_of_the_context(style, prompt):
    model = Decoder(style("30k", 257)).initialise(1).eval()
    assert drawn(model, [prompt], 40, temperature=0)[0] == greedy_without_cache(
        model, prompt, 40, 16, 256
    )


def test_a_row_does_not_depend_on_its_batch():
    model = Decoder(modern("30k", 257)).initialise(1).eval()
    prompts = [[5, 6], [9], [1, 2, 3, 4, 5, 6]]
    together = drawn(model, prompts, 30, context=64, seed=3)
    assert together[0] == drawn(model, prompts[:1], 30, context=64, seed=3)[0][: len(together[0])]
    assert [len(row) for row in together] == [29, 30, 25]  # a longer prompt is gone through first


def test_seeds_decide():
    model = Decoder(modern("30k", 257)).initialise(1).eval()
    assert drawn(model, [[1]], 20, seed=1) == drawn(model, [[1]], 20, seed=1)
    assert drawn(model, [[1]], 20, seed=1) != drawn(model, [[1]], 20, seed=2)
    a, b = drawn(model, [[1], [1]], 20, seed=1)
    assert a != b


def test_masked_ids_are_never_drawn():
    model = Decoder(modern("30k", 257)).initialise(1).eval()
    allowed = np.zeros(257, dtype=np.bool_)
    allowed[[3, 200]] = True
    assert set(drawn(model, [[1]], 60, mask=lambda row: allowed)[0]) == {3, 200}


LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, float("-inf")])


def test_shares():
    plain = LOGITS.softmax(-1)
    torch.testing.assert_close(shares(LOGITS, Sampling()), plain)
    torch.testing.assert_close(shares(LOGITS, Sampling(temperature=0.5)), (LOGITS * 2).softmax(-1))
    assert shares(LOGITS, Sampling(temperature=0)).tolist() == [1, 0, 0, 0, 0]
    torch.testing.assert_close(
        shares(LOGITS, Sampling(top_k=2)), torch.tensor([*LOGITS[:2].softmax(-1), 0, 0, 0])
    )
    assert (shares(LOGITS, Sampling(top_p=0.7)) > 0).tolist() == [True, True, False, False, False]
    assert (shares(LOGITS, Sampling(top_p=1e-9)) > 0).tolist() == [True, False, False, False, False]


def test_draws_follow_the_shares():
    model = Decoder(modern("30k", 257)).initialise(1).eval()
    with torch.no_grad():
        expected = model.logits(torch.tensor([[256]]))[0, -1].softmax(-1).numpy()
    rows = drawn(model, [[]] * 3000, 1)
    seen = np.bincount([row[0] for row in rows], minlength=257) / 3000
    assert np.abs(seen - expected).max() < 0.03


@pytest.mark.parametrize(
    "options", [{"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.5}]
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(EquinfoError, match=next(iter(options))):
        Sampling(**options)


def test_ids_are_drawn_as_often_as_their_shares_say():
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, 3.0])
    allowed = np.array([True, True, True, True, False])
    sampling = Sampling(temperature=0.7, top_k=3)
    generator = torch.Generator().manual_seed(1)
    draws = 20_000
    found = (
        np.bincount(
            [_draw(logits, allowed, sampling, generator) for _ in range(draws)], minlength=5
        )
        / draws
    )
    expected = shares(
        logits.masked_fill(~torch.from_numpy(allowed), float("-inf")), sampling
    ).numpy()
    deviation = np.sqrt(expected * (1 - expected) / draws)
    assert np.all(np.abs(found - expected) <= 4 * deviation)  # 0 where the share is 0
