"""constriction's coders over our models: exact in integers, lossless, and about as short as they
should be.
"""

import contextlib
import functools
import subprocess
import sys

import numpy as np
import pytest
from byte_models import TableModel, neural_model, peaky_row
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.coder import rivals, streams
from equinfo.compress.models.base import EOD, SYMBOLS, StaticModel
from equinfo.compress.models.counts import CountModel
from equinfo.errors import EquinfoError
from equinfo.tokenizers.coded import ANSTokenizer, HuffmanTokenizer, RangeTokenizer

TEXT = b"We hold these truths to be self-evident, that all men are created equal. " * 3
CODERS = {"range": rivals.RangeCoder(), "ans": rivals.ANSCoder(), "huffman": rivals.HuffmanCoder()}
CLASSES = [RangeTokenizer, ANSTokenizer, HuffmanTokenizer]
UNIT = 1 << 24  # constriction's
ROOM = UNIT - SYMBOLS


@functools.cache
def model_named(name):
    return {
        "unigram": lambda: StaticModel.unigram([TEXT]),
        "peaky": lambda: StaticModel(peaky_row(97, 20), 20),
        "table": lambda: TableModel.random(seed=1, max_context=50),
        "table20": lambda: TableModel.random(seed=2, precision=20),
        "counts": lambda: CountModel.train([TEXT], 3),
        "neural": lambda: neural_model(seed=2, scale=1.5),
    }[name]()


MODELS = ["unigram", "peaky", "table", "table20", "counts", "neural"]


def integer_rows(model, symbols):
    rows = rivals.Rows(model)
    probabilities = rows.along(symbols)
    if probabilities.ndim == 1:
        probabilities = np.broadcast_to(probabilities, (len(symbols), SYMBOLS))
    integers = (probabilities * (1 << model.precision)).astype(np.int64)
    assert (integers == probabilities * (1 << model.precision)).all()
    return integers.tolist()


def interval(row, symbol, precision):
    """(start, frequency) of 2**24, in Python integers, by the rule that coder/rivals.py states."""
    start = (sum(row[:symbol]) * ROOM >> precision) + symbol
    end = (sum(row[: symbol + 1]) * ROOM >> precision) + symbol + 1 if symbol < EOD else UNIT
    return start, end - start


@pytest.mark.parametrize("name", MODELS)
def test_ans_words_are_those_of_integer_arithmetic(name):
    """So no float decides anything: a 64-bit ANS (Duda 2009) over integers gives the same words."""
    model, symbols = model_named(name), np.array([*TEXT, *range(256), EOD], dtype=np.int32)
    words, state = [], 0
    for symbol, row in zip(symbols[::-1].tolist(), integer_rows(model, symbols)[::-1], strict=True):
        start, freq = interval(row, symbol, model.precision)
        if state >> 40 >= freq:
            words.append(state & 0xFFFFFFFF)
            state >>= 32
        state = (state // freq << 24) + start + state % freq
    while state:
        words.append(state & 0xFFFFFFFF)
        state >>= 32
    assert CODERS["ans"].encode(symbols, rivals.Rows(model).along(symbols)).tolist() == words


@pytest.mark.parametrize("name", MODELS)
def test_range_words_lie_in_the_interval_of_integer_arithmetic(name):
    """The message's interval, in exact fractions cut to 64 bits as constriction cuts them, holds
    the words.
    """
    model, symbols = model_named(name), np.array([*TEXT[:99], EOD], dtype=np.int32)
    words = CODERS["range"].encode(symbols, rivals.Rows(model).along(symbols)).tolist()
    low, width, shifted = 0, (1 << 64) - 1, 0
    for symbol, row in zip(symbols.tolist(), integer_rows(model, symbols), strict=True):
        start, freq = interval(row, symbol, model.precision)
        unit = width >> 24
        low, width = low + unit * start, unit * freq
        if width < 1 << 32:
            low, width, shifted = low << 32, width << 32, shifted + 32
    value = int("".join(f"{word:032b}" for word in words).ljust(64 + shifted, "0"), 2)
    assert low <= value < low + width


@pytest.mark.parametrize("name", ["unigram", "counts"])
def test_huffman_lengths_are_the_shortest(name):
    """Sum of frequency * length equals what merging the two rarest, again and again, costs in
    integers.
    """
    import heapq

    import constriction

    row = integer_rows(model_named(name), np.array([116, 104], dtype=np.int32))[1]
    heap, cost = list(row), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    precision = model_named(name).precision
    tree = constriction.symbol.huffman.EncoderHuffmanTree(np.array(row) / (1 << precision))
    lengths = []
    for symbol in range(SYMBOLS):
        encoder = constriction.symbol.QueueEncoder()
        encoder.encode_symbol(symbol, tree)
        lengths.append(encoder.get_compressed()[1])
    assert sum(f * n for f, n in zip(row, lengths, strict=True)) == cost
    assert max(lengths) <= 29


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("name", MODELS)
def test_documents_come_back(cls, name):
    tokenizer = cls(model_named(name), 12)
    documents = [b"", TEXT, bytes(range(256)), b"\0" * 400, np.random.default_rng(0).bytes(300)]
    assert tokenizer.decode_batch(tokenizer.encode_batch(documents)) == documents


@settings(max_examples=30, deadline=None)
@given(cls=st.sampled_from(CLASSES), name=st.sampled_from(MODELS), width=st.integers(1, 16),
       document=st.binary(max_size=60))  # fmt: skip
def test_any_document_comes_back(cls, name, width, document):
    tokenizer = cls(model_named(name), width)
    assert tokenizer.decode(tokenizer.encode(document)) == document


@pytest.mark.parametrize("cls", CLASSES)
def test_messages_follow_one_another_and_the_model_runs_on(cls, monkeypatch):
    monkeypatch.setattr(rivals, "BLOCK", 40)
    for name in ("unigram", "table"):
        tokenizer = cls(model_named(name), 8)
        for size in (39, 40, 79, 90):
            ids = tokenizer.encode(TEXT[:size])
            assert tokenizer.decode(ids) == TEXT[:size]
            for cut in range(0, len(ids), 3):
                with pytest.raises(EquinfoError, match="cut"):
                    tokenizer.decode(ids[:cut])


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("name", ["unigram", "counts"])
def test_they_are_about_as_short_as_arithmetic_coding(cls, name):
    model = model_named(name)
    text = TEXT * 20
    _, num_bits = streams.encode(model, [text])[0]
    ids = cls(model, 8).encode(text)
    loss = 8 * len(ids) - num_bits
    assert loss < 300 if cls is not HuffmanTokenizer else loss < len(text)


@pytest.mark.parametrize("cls", CLASSES)
def test_static_and_adaptive_names(cls):
    name = cls.coder.name
    assert cls(model_named("unigram"), 8).name == f"Static{name}[v=256]"
    assert cls(model_named("counts"), 16).name == f"{name}[v=65k]"


@pytest.mark.parametrize("cls", CLASSES)
def test_what_no_encoder_writes_is_refused(cls):
    tokenizer = cls(model_named("unigram"), 12)
    ids = tokenizer.encode(TEXT[:50]).astype(np.int64)
    for at in range(len(ids)):
        for bit in (1, 16, 2048):
            altered = ids.copy()
            altered[at] ^= bit
            with contextlib.suppress(EquinfoError):
                assert tokenizer.encode(tokenizer.decode(altered)).tolist() == altered.tolist()
    for more in ([0], [1], ids.tolist()):
        with pytest.raises(EquinfoError, match="goes on after its end"):
            tokenizer.decode([*ids.tolist(), *more])
    with pytest.raises(EquinfoError, match="a message of 65535 words"):
        cls(model_named("unigram"), 8).decode([255] * 10)


def test_without_constriction_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['constriction'] = None\n"
        "from equinfo.compress.models.base import StaticModel\n"
        "from equinfo.tokenizers.coded import ANSTokenizer\n"
        "try: ANSTokenizer(StaticModel.uniform(), 8).encode(b'a')\n"
        "except Exception as error: print(error)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install 'equinfo[rivals]'" in output.stdout
