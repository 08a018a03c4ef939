"""A trained byte LM becomes integers: nearly its distribution, and a code as long as its loss."""

import numpy as np
import pytest
import torch

from benchmarks.integer_torch import IntegerDecoder
from equinfo import api
from equinfo.compress.coder import streams
from equinfo.compress.models.base import EOD, SYMBOLS, fingerprint
from equinfo.errors import EquinfoError
from equinfo.lm.bridge import to_byte_model
from equinfo.lm.config import Training, modern, paper
from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import evaluate
from equinfo.lm.train import load_lm, train
from equinfo.plain import network as plain

CONTEXT = 48
TEXT = (
    b"And the earth was without form, and void; and darkness was upon the face of the deep. " * 12
)
IDS = api.byte_stream([TEXT])


@pytest.mark.parametrize("size", ["30k", "0.4m"])
@pytest.mark.parametrize("style", [modern, paper])
def test_frequencies_are_nearly_the_lms_distribution(style, size):
    model = Decoder(style(size, SYMBOLS)).initialise(3).eval()
    frozen = to_byte_model(model, CONTEXT, IDS)
    with torch.no_grad():
        ids = torch.tensor([[EOD, *TEXT[: CONTEXT - 1]]])
        expected = model.logits(ids)[0].softmax(-1).numpy()
    shares = frozen.sequences(ids[:, 1:].numpy())[0] / 2**frozen.precision
    distance = np.abs(shares - expected[:-1]).sum(axis=1) / 2  # in total variation
    assert distance.mean() < 0.03
    # contexts matter, or this says little
    assert np.abs(expected[0] - expected[-1]).sum() / 2 > 0.3


@pytest.mark.parametrize("style", [modern, paper])
def test_a_frozen_lm_is_the_same_for_numba_torch_and_plain_integers(style):
    model = to_byte_model(Decoder(style("0.1m", SYMBOLS)).initialise(4), CONTEXT, IDS)
    symbols = np.stack([IDS[at : at + CONTEXT] for at in (0, 5, 100)]).astype(np.int64)
    rows = model.sequences(symbols)
    assert (IntegerDecoder(model).frequencies(symbols).numpy() == rows).all()
    assert plain.frequencies(model.config, model.tensors, symbols[1]) == rows[1].tolist()


@pytest.mark.parametrize("style", ["modern", "paper"])
def test_code_length_is_the_bits_per_byte_of_the_lm(style, tmp_path):
    training = Training(size="30k", style=style, steps=60, batch_size=8, context=CONTEXT)
    training = training.but(learning_rate=1e-2, warmup_steps=5)
    train(training.config(SYMBOLS, EOD), IDS, tmp_path)
    m1 = to_byte_model(load_lm(tmp_path), CONTEXT, IDS)
    documents = [TEXT[:2000] + bytes(f"; verse {n}", "ascii") for n in range(3)]
    num_bits = sum(bits for _, bits in streams.encode(m1, documents))
    nats = 0.0
    for document in documents:  # each document begins a context of its own, as the coder has it
        ids = api.byte_stream([document])
        model, sizes = load_lm(tmp_path), {"context": CONTEXT, "bos_id": EOD}
        nats += evaluate(model, ids, len(document), **sizes).sum_nats
    assert num_bits == pytest.approx(nats / np.log(2), rel=2e-2)


def test_the_same_weights_and_text_give_the_same_artefact():
    lms = [Decoder(modern("30k", SYMBOLS)).initialise(5) for _ in range(2)]
    models = [to_byte_model(lm, CONTEXT, IDS) for lm in lms]
    assert fingerprint(models[0]) == fingerprint(models[1])


def test_an_lm_over_other_ids_is_refused():
    with pytest.raises(EquinfoError, match=r"257 ids.*this LM has 300"):
        to_byte_model(Decoder(modern("30k", 300)), 16, IDS)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["embed.weight", "blocks.1.down.weight", "norm.weight"])
def test_weights_that_are_not_finite_are_refused(name, value):
    model = Decoder(modern("30k", SYMBOLS))
    model.state_dict()[name].view(-1)[3] = value
    with pytest.raises(EquinfoError, match=rf"{name} holds numbers that are not finite"):
        to_byte_model(model, 16, IDS)


def test_a_context_longer_than_the_text_is_calibrated_on_what_there_is():
    m1 = to_byte_model(Decoder(modern("30k", SYMBOLS)).initialise(6), 4000, IDS[:100])
    assert m1.max_context == 4000


def test_no_text_is_refused():
    with pytest.raises(EquinfoError, match="frozen on training text"):
        to_byte_model(Decoder(modern("30k", SYMBOLS)), 16, IDS[:0])


def test_weights_of_zero_can_be_frozen():
    model = Decoder(paper("30k", SYMBOLS))
    for weight in model.state_dict().values():
        weight.zero_()
    rows = to_byte_model(model, 16, IDS).sequences(np.zeros((1, 16), dtype=np.int64))
    assert (rows[..., 1:] == rows[..., 1:2]).all()
