"""The canonical mask of an LM: one rule in training, evaluation, generation and what is stored."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from equinfo.errors import EquinfoError
from equinfo.lm.config import OptimizerConfig, TrainConfig, modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import evaluate, predict
from equinfo.lm.loss import cross_entropy
from equinfo.lm.sample import Sampling, sample
from equinfo.lm.train import load_lm, train

CODES = 20
PAD, BOS, EOS, VOCAB = CODES, CODES + 1, CODES + 2, CODES + 3


def table():
    """bool[VOCAB, VOCAB]: what never follows each id, by some tokenizer; 7 is never written."""
    never = np.random.default_rng(0).random((VOCAB, VOCAB)) < 0.4
    never[[PAD, BOS, EOS]] = never[:, EOS] = False
    never[:, [7, PAD, BOS]] = True
    return never


def mask_of(never):
    """As Tokenizer.canonical_mask states it; the row of PAD is a part of all."""
    rows = never & ~never[PAD]
    rows[PAD] = never[PAD]
    edges = np.diff(rows.astype(int), prepend=0, append=0)
    row, low = np.nonzero(edges == 1)
    offsets = np.append(0, np.cumsum(np.bincount(row, minlength=VOCAB)))
    ranges = np.column_stack([low, np.nonzero(edges == -1)[1]]).astype(np.int32)
    return {"canonical.offsets": offsets, "canonical.ranges": ranges}


NEVER = table()
MASK = mask_of(NEVER)
MODEL = replace(modern("30k", VOCAB), canonical=len(MASK["canonical.ranges"]))
OPTIONS = {"bos_id": BOS, "steps": 3, "batch_size": 2, "context": 12}
CONFIG = TrainConfig(MODEL, OptimizerConfig(learning_rate=1e-2), **OPTIONS)


def decoder():
    model = Decoder(MODEL).initialise(0).eval()
    weights = {name: torch.from_numpy(array) for name, array in MASK.items()}
    model.load_state_dict({**model.state_dict(), **weights})
    return model


def stream(size=200):
    """Ids that the encoder could have written, int64[size]."""
    draw, ids = np.random.default_rng(1), [EOS]
    while len(ids) <= size:
        ids.append(int(draw.choice(np.flatnonzero(~NEVER[ids[-1]]))))
    return np.array(ids[1:], dtype=np.uint16)


def oracle(model, ids):
    """Logits of a plain decoder, then the table: f32[len(ids) + 1, VOCAB]."""
    plain = Decoder(replace(MODEL, canonical=0)).eval()
    weights = {n: w for n, w in model.state_dict().items() if not n.startswith("canonical")}
    plain.load_state_dict(weights)
    read = torch.tensor([BOS, *map(int, ids)])
    with torch.no_grad():
        logits = plain.logits(read[None])[0]
    return logits.masked_fill(torch.from_numpy(NEVER)[read], float("-inf"))


def test_the_mask_is_the_table_and_of_all_uses_one():
    model, ids = decoder(), stream()
    every = model.masked(torch.zeros(1, VOCAB, VOCAB), torch.arange(VOCAB)[None])
    assert every[0].isneginf().tolist() == NEVER.tolist()
    tiles = ids[:192].reshape(-1, 12)
    logits = torch.cat([oracle(model, tile[:-1]) for tile in tiles])
    targets = torch.from_numpy(tiles.ravel().astype(np.int64))
    nats = F.cross_entropy(logits, targets, reduction="none")
    found, right = predict(model, tiles, BOS, batch_size=3)
    np.testing.assert_allclose(found.ravel(), nats, rtol=1e-4)
    assert right.ravel().tolist() == (logits.argmax(1) == targets).tolist()
    whole = evaluate(model, ids[:192], 1, context=12, bos_id=BOS)
    assert whole.sum_nats == pytest.approx(float(nats.sum()), rel=1e-5)
    run = sample(model, [ids[:3]], bos_id=BOS, context=64, sampling=Sampling(temperature=0))
    for step, drawn in enumerate(islice(run, 20)):
        ids = np.append(ids[: 3 + step], drawn)
        assert drawn[0] == int(oracle(model, ids[:-1])[-1].argmax())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_losses_and_gradients_are_those_of_masked_logits(dtype):
    torch.manual_seed(0)
    masked = decoder().canonical
    ids = torch.from_numpy(stream(90).astype(np.int64))
    hidden = torch.randn(89, 8).to(dtype).requires_grad_()
    weight = torch.randn(VOCAB, 8, requires_grad=True)
    logits = (hidden @ weight.to(dtype).T).float()
    logits = logits.masked_fill(torch.from_numpy(NEVER)[ids[:-1]], float("-inf"))
    squares = logits.logsumexp(1).square().sum()
    expected = F.cross_entropy(logits, ids[1:], reduction="sum") + 0.1 * squares
    found, _ = cross_entropy(hidden, weight, ids[1:], 0.1, masked, ids[:-1])
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)
    close = {"atol": 1e-4, "rtol": 1e-4} if dtype == torch.float32 else {"atol": 0.5, "rtol": 0.05}
    for one in (hidden, weight):
        grads = [torch.autograd.grad(sum_, one, retain_graph=True)[0] for sum_ in (found, expected)]
        torch.testing.assert_close(*grads, **close)


def test_a_training_keeps_its_mask_and_refuses_what_it_forbids(tmp_path):
    ids = stream()
    train(CONFIG, ids, tmp_path / "whole", initial=MASK)
    while train(CONFIG, ids, tmp_path / "lm", deadline=0.0, initial=MASK).status == "paused":
        pass
    one, other = (load_lm(tmp_path / name) for name in ("whole", "lm"))
    assert all(torch.equal(one.state_dict()[n], w) for n, w in other.state_dict().items())
    assert other.logits(torch.tensor([[3]]))[0, 0].isneginf().tolist() == NEVER[3].tolist()
    wrong = ids.copy()
    wrong[5::12] = 7
    with pytest.raises(EquinfoError, match=r"id 7 after .*: by its canonical mask"):
        train(CONFIG, wrong, tmp_path / "wrong", initial=MASK)
    with pytest.raises(EquinfoError, match=r"id 7 after .*: by its canonical mask"):
        evaluate(other, wrong, 1, context=12, bos_id=BOS)


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("offsets", 0, 1), ("offsets", 2, 1 << 40), ("offsets", -1, 3), ("offsets", 1, -1),
        ("offsets", slice(1, 3), [(1 << 63) - 1, -2]),
        ("ranges", (0, 0), -1), ("ranges", (0, 1), VOCAB), ("ranges", (0, 0), 9),
        ("ranges", (1, 0), 0),
    ],
    ids=str,
)  # fmt: skip
def test_a_mask_that_is_none_is_refused(name, at, value, tmp_path):
    altered = MASK[f"canonical.{name}"].copy()
    altered[at] = value
    with pytest.raises(EquinfoError, match="canonical mask in the training's settings is none"):
        train(CONFIG, stream(), tmp_path, initial={**MASK, f"canonical.{name}": altered})


def test_where_nothing_is_left_generation_goes_on():
    """A tokenizer may allow only what the mask forbids: then it is drawn all the same."""
    allowed = np.arange(VOCAB) == 7
    run = sample(
        decoder(), [np.array([3])], bos_id=BOS, context=16, sampling=Sampling(),
        mask=lambda row: allowed,
    )  # fmt: skip
    assert [int(drawn[0]) for drawn in islice(run, 2)] == [7, 7]
