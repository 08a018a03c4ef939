"""A trained byte LM becomes a byte model: the same distribution, and a code as long as its loss promises."""

import numpy as np
import pytest
import torch

from equinfo import pipeline
from equinfo.compress import streams
from equinfo.compress.models import EOD
from equinfo.errors import EquinfoError
from equinfo.lm.bridge import to_byte_model
from equinfo.lm.config import modern, paper
from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import evaluate

CONTEXT = 48
TEXT = b"And the earth was without form, and void; and darkness was upon the face of the deep. " * 12


@pytest.mark.parametrize("style", [modern, paper])
def test_frequencies_are_the_lms_distribution(style):
    model = Decoder(style("30k", 257)).initialise(3).eval()
    frozen = to_byte_model(model, CONTEXT)
    with torch.no_grad():
        ids = torch.tensor([[EOD, *TEXT[: CONTEXT - 1]]])
        expected = model.logits(ids)[0].softmax(-1).numpy()
    state = frozen.start(1)
    for at in range(CONTEXT):
        row = frozen.frequencies(state)[0] / 2**frozen.precision
        # floor of 1 / 2**precision for each symbol, rounding down elsewhere
        assert np.abs(row - expected[at]).max() < 257 / 2**frozen.precision
        frozen.advance(state, np.array([TEXT[at]]), np.array([False]))


def test_code_length_is_the_bits_per_byte_of_the_lm(tmp_path):
    config = pipeline.m1_config(
        "modern", "30k", pipeline.optimizer("modern", 1e-2, 5), steps=60, batch_size=8, context=CONTEXT
    )
    pipeline.train(config, pipeline.byte_stream([TEXT]), tmp_path)
    m1 = pipeline.export_m1(tmp_path, CONTEXT)
    documents = [TEXT[:2000] + bytes(f"; verse {n}", "ascii") for n in range(3)]
    num_bits = sum(bits for _, bits in streams.encode(m1, documents))
    from equinfo.lm.train import load_model

    nats = 0.0
    for document in documents:  # each document begins a context of its own, as the coder has it
        ids = pipeline.byte_stream([document])
        nats += evaluate(load_model(tmp_path), ids, len(document), context=CONTEXT, bos_id=EOD).sum_nats
    assert num_bits == pytest.approx(nats / np.log(2), rel=5e-3)


def test_an_lm_over_other_ids_is_refused():
    with pytest.raises(EquinfoError, match=r"257 ids.*this LM has 300"):
        to_byte_model(Decoder(modern("30k", 300)), 16)
