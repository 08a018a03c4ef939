"""Evaluation predicts every id exactly once, and divides last."""

import math

import numpy as np
import pytest
import torch

from equinfo.errors import EquinfoError
from equinfo.lm.config import modern, paper
from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import evaluate, predict

IDS = np.random.default_rng(0).integers(0, 257, 1003).astype(np.uint16)


@pytest.mark.parametrize("style", [modern, paper])
def test_it_is_the_sum_over_tiles_that_begin_with_bos(style):
    model = Decoder(style("30k", 257)).initialise(0).eval()
    total = 0.0
    with torch.no_grad():
        for at in range(0, len(IDS), 100):
            tile = torch.from_numpy(IDS[at : at + 100].astype(np.int64))
            logits = model.logits(torch.cat([torch.tensor([256]), tile[:-1]])[None])[0]
            total -= float(logits.log_softmax(-1)[torch.arange(len(tile)), tile].sum())
    for batch_size in (1, 3, 64):
        measured = evaluate(model, IDS, 500, context=100, bos_id=256, batch_size=batch_size)
        assert measured.sum_nats == pytest.approx(total, rel=1e-5)
        assert measured.num_ids == len(IDS)
        assert measured.bits_per_byte == measured.sum_nats / math.log(2) / 500


def test_a_stream_shorter_than_a_tile_is_fine():
    model = Decoder(modern("30k", 257)).initialise(0)
    assert evaluate(model, IDS[:7], 7, context=100, bos_id=256).sum_nats > 0
    assert model.training


def test_nothing_and_foreign_ids_are_refused():
    model = Decoder(modern("30k", 100)).initialise(0)
    with pytest.raises(EquinfoError, match="empty"):
        evaluate(model, IDS[:0], 1, context=10, bos_id=0)
    with pytest.raises(EquinfoError, match="beyond the model's 100"):
        evaluate(model, IDS, 1, context=10, bos_id=0)


def test_predictions_are_those_of_the_logits_at_scored_positions():
    model = Decoder(modern("30k", 257)).initialise(0).eval()
    ids = IDS[:60].reshape(5, 12).astype(np.int64)
    rows = np.where(np.arange(12) % 3 == 0, ~ids, ids)
    with torch.no_grad():
        inputs = np.hstack([np.full((5, 1), 256), ids[:, :-1]])
        log_p = model.logits(torch.from_numpy(inputs)).log_softmax(-1).numpy()
    nats, right = predict(model, rows, 256, batch_size=2)
    expected = -np.take_along_axis(log_p, ids[:, :, None], 2)[:, :, 0]
    np.testing.assert_allclose(nats, np.where(rows >= 0, expected, 0), atol=1e-5)
    assert (right == ((log_p.argmax(-1) == ids) & (rows >= 0))).all()
