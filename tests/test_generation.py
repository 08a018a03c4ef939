"""Text from text: what is streamed is what comes back, and everything drawn decodes."""

import numpy as np
import pytest

import equinfo
from equinfo import api
from equinfo.compress.models.base import StaticModel
from equinfo.errors import EquinfoError
from equinfo.generation import generate, stream
from equinfo.lm.config import Training, modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.train import train
from equinfo.tokenizers import utf8
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.bpe import BPETokenizer
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer
from equinfo.tokenizers.registry import make

TEXT = "Grün is the colour of – of leaves, 緑 and зелёный. " * 30
MODEL = StaticModel.unigram([TEXT.encode()])
TOKENIZERS = [
    equinfo.load("bytes"),
    BPETokenizer.train([TEXT.encode()], 400),
    EqualInfoTokenizer(MODEL, 16, 16),
    EqualInfoTokenizer(MODEL, 24, 8),
    EqualInfoTokenizer(MODEL, 12, 6),
    make("bpe", 400, [TEXT], case=True),
    ArithmeticTokenizer(MODEL, 1),
    equinfo.load("gzip8"),
]


def random_lm(tokenizer, seed=0):
    return Decoder(modern("30k", tokenizer.vocab_size)).initialise(seed)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda t: t.name)
def test_streamed_pieces_are_the_text(tokenizer):
    lm, prompt = random_lm(tokenizer), "Grün is"
    (whole,) = generate(lm, tokenizer, prompt, context=32, max_ids=60, seed=1)
    assert "".join(stream(lm, tokenizer, prompt, context=32, max_ids=60, seed=1)) == whole.text
    assert whole.ended in ("eos", "length", "refused")
    assert whole.ended != "refused" or tokenizer.ends_itself


@pytest.mark.parametrize("tokenizer", TOKENIZERS[:6], ids=lambda t: t.name)
def test_everything_drawn_decodes(tokenizer):
    """The model is random, so EOS comes anywhere it is allowed to."""
    for seed in range(8):
        (sample,) = generate(
            random_lm(tokenizer),
            tokenizer,
            "Grün",
            context=32,
            max_ids=100,
            seed=seed,
            temperature=2,
        )
        ids = np.array(sample.ids)
        unit = tokenizer.unit or 1
        if sample.ended == "length":
            ids = ids[: len(ids) // unit * unit]
            while not tokenizer.may_end(ids):
                ids = ids[:-unit]
        decoded = tokenizer.decode(ids)
        assert decoded.startswith("Grün".encode())
        if sample.ended == "eos":
            assert decoded.decode("utf-8", "replace") == "Grün" + sample.text


def test_samples_are_grouped_by_prompt_and_independent_of_the_batch():
    tokenizer = TOKENIZERS[1]
    lm = random_lm(tokenizer)
    several = generate(lm, tokenizer, ["Grün", "leaves"], samples=2, context=32, max_ids=20, seed=5)
    assert len(several) == 4
    assert len({sample.text for sample in several}) == 4
    assert generate(lm, tokenizer, "Grün", samples=2, context=32, max_ids=20, seed=5) == several[:2]


def test_it_continues_what_it_learnt(tmp_path):
    tokenizer = equinfo.load("bytes")
    tokens = api.token_stream(tokenizer, [b"abcdefghij" * 40] * 4)
    training = Training(
        size="30k", steps=60, batch_size=8, context=32, learning_rate=1e-2, warmup_steps=5
    )
    train(training.config(tokenizer.vocab_size, tokenizer.bos_id), tokens.ids, tmp_path)
    (sample,) = generate(tmp_path, tokenizer, "fghij", temperature=0, max_ids=100)
    assert sample.text == ("abcdefghij" * 10)
    assert sample.ended == "length"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_ids": 0}, "max_ids is 0"),
        ({"samples": 0}, "no prompt"),
        ({"context": None}, "needs `context`"),
        ({"top_p": 2.0}, "top_p"),
        ({"tokenizer": "gzip16"}, "65539"),
    ],
)
def test_bad_input(options, message):
    tokenizer = options.pop("tokenizer", "bytes")
    with pytest.raises(EquinfoError, match=message):
        generate(random_lm(equinfo.load("bytes")), tokenizer, "a", **{"context": 8} | options)


# -- the automaton ---------------------------------------------------------------------------------


def test_the_automaton_accepts_what_python_decodes():
    rng = np.random.default_rng(0)
    leads = [
        0x41,
        0x80,
        0xBF,
        0xC1,
        0xC3,
        0xE0,
        0xE4,
        0xED,
        0xEF,
        0xF0,
        0xF2,
        0xF4,
        0xF5,
        0x90,
        0x9F,
        0xA0,
        0x8F,
    ]
    for _ in range(20_000):
        data = bytes(rng.choice(leads, rng.integers(1, 6)).astype(np.uint8))
        try:
            data.decode("utf-8")
            valid = True
        except UnicodeDecodeError:
            valid = False
        assert (utf8.after(utf8.START, data) == utf8.START) == valid, data


def test_a_state_can_be_told_from_the_last_bytes():
    data = TEXT.encode()[:200]
    for end in range(len(data)):
        expected = utf8.after(utf8.START, data[:end])
        assert utf8.state_at_end(data[max(end - 3, 0) : end]) == expected
        assert utf8.state_at_end(data[max(end - 10, 0) : end]) == expected
