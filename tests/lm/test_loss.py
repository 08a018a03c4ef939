"""Chunked cross-entropy is cross-entropy: values and gradients, whatever the chunks."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from equinfo.lm import loss
from equinfo.lm.loss import cross_entropy, scored


def inputs(n=70, d=16, vocab=90):
    torch.manual_seed(0)
    hidden, weight = (
        torch.randn(n, d, requires_grad=True),
        torch.randn(vocab, d, requires_grad=True),
    )
    return hidden, weight, torch.randint(vocab, (n,))


def by_torch(hidden, weight, targets, z_loss):
    logits = hidden @ weight.T
    nats = F.cross_entropy(logits, targets, reduction="sum")
    return nats + z_loss * logits.logsumexp(1).square().sum(), nats


@pytest.mark.parametrize("z_loss", [0.0, 1e-2])
@pytest.mark.parametrize("rows", [1, 33, 1 << 12])
def test_values_and_gradients_are_torchs(monkeypatch, z_loss, rows):
    monkeypatch.setattr(loss, "chunk_rows", lambda vocab_size, device: rows)
    results = []
    for function in (cross_entropy, by_torch):
        hidden, weight, targets = inputs()
        total, nats = function(hidden, weight, targets, z_loss)
        (total / 7).backward()
        results.append((total.detach(), nats.detach(), hidden.grad, weight.grad))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_gradients_by_finite_differences():
    torch.manual_seed(0)
    hidden, weight = torch.randn(5, 4, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    targets = torch.tensor([0, 1, 2, 6, 6])

    def total(h, w):
        return by_torch(h, w, targets, 0.1)[0]

    assert torch.autograd.gradcheck(total, (hidden.requires_grad_(), weight.requires_grad_()))
    ours_h, ours_w = (
        hidden.detach().float().requires_grad_(),
        weight.detach().float().requires_grad_(),
    )
    cross_entropy(ours_h, ours_w, targets, 0.1)[0].backward()
    total(hidden, weight).backward()
    torch.testing.assert_close(ours_h.grad, hidden.grad.float(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours_w.grad, weight.grad.float(), rtol=1e-4, atol=1e-5)


def test_no_gradients_are_made_where_none_are_wanted():
    hidden, weight, targets = inputs()
    with torch.no_grad():
        total, nats = cross_entropy(hidden, weight, targets)
    assert not total.requires_grad
    assert nats == total


def test_logits_far_apart_stay_numbers():
    hidden, weight, targets = inputs()
    with torch.no_grad():
        weight *= 1e4  # most probabilities are exactly 0
    ours, theirs = (f(hidden, weight, targets, 0.0)[1] for f in (cross_entropy, by_torch))
    assert float(ours) == pytest.approx(float(theirs.detach()), rel=1e-6)


def test_bfloat16_is_near():
    hidden, weight, targets = inputs()
    exact = cross_entropy(hidden, weight, targets)[1]
    low = cross_entropy(hidden.bfloat16(), weight, targets)[1]
    assert low == pytest.approx(float(exact), rel=1e-2)


def test_positions_that_are_not_scored_get_no_gradient():
    torch.manual_seed(0)
    hidden, weight = torch.randn(2, 3, 4, requires_grad=True), torch.randn(9, 4, requires_grad=True)
    targets = np.array([[~1, 2, ~3], [4, ~0, 8]])
    states, previous, kept = scored(hidden, torch.arange(6).view(2, 3), targets)
    assert previous.tolist() == [1, 3, 5]
    ours, _ = cross_entropy(states, weight, kept)
    ours.backward()
    by_hand = F.cross_entropy(
        hidden.detach()[[0, 1, 1], [1, 0, 2]] @ weight.T, torch.tensor([2, 4, 8]), reduction="sum"
    )
    assert float(ours.detach()) == pytest.approx(float(by_hand.detach()), rel=1e-5)
    assert (hidden.grad.abs().sum(2) > 0).tolist() == (targets >= 0).tolist()
