"""Equal-info windows against the plain ones, and every code of every small b enumerated."""

import functools

import numpy as np
import pytest
from byte_models import TableModel, neural_model, peaky_row
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.models.base import SYMBOLS, StaticModel, normalise
from equinfo.compress.models.counts import CountModel
from equinfo.compress.windows.compiled import make_windows
from equinfo.compress.windows.intervals import LIMB, LIMB_MASK
from equinfo.compress.windows.limbs import codes_from_bits, codes_to_bits, num_limbs
from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError
from equinfo.plain.rules import RULES

BITS = [8, 12, 16, 24, 32, 64, 128]
ALL_BITS = [*BITS, 9, 31, 33, 59, 60, 61, 92, 93, 104, 105, 106, 119, 120, 121]

LOSSLESS = ["free", "delay", "reserve", "rank"]
# rule, reset: every rule, and the context that runs on for each that may have one
VARIANTS = [
    ("delay", 1), ("reserve", 1), ("paper", 1), ("unflushed", 1), ("free", 0), ("delay", 2),
    ("reserve", 3),
]  # fmt: skip

# models and bits that take turns at being compared with the plain rules
ORACLES = ["uniform", "unigram", "peaky", "peaky-last", "skewed", "table", "table-sharp", "table12"]
CASES = [("peaky", 16), ("table", 24), ("table-sharp", 33), ("table12", 128)]

# rules that lose text, where the context runs on: no decoder
ENCODED_ONLY = [("paper", 0), ("paper", 2), ("paper", 3), ("unflushed", 0), ("unflushed", 2)]

TEXT = (
    b"It is a truth universally acknowledged, that a single man in possession of a good fortune. "
)


def skewed_model():
    """Byte 0 first and almost certain, byte 255 last and likely: the two ends of every interval are
    in use.
    """
    row = np.ones(SYMBOLS, dtype=np.uint32)
    row[0], row[255] = 40000, 25281
    return StaticModel(row)


@functools.cache
def model_named(name):
    return {
        "uniform": lambda: StaticModel.uniform(),
        "uniform9": lambda: StaticModel.uniform(precision=9),
        "uniform20": lambda: StaticModel.uniform(precision=20),
        "unigram": lambda: StaticModel.unigram([TEXT]),
        "skewed": skewed_model,
        "peaky": lambda: StaticModel(peaky_row(97)),
        "peaky-first": lambda: StaticModel(peaky_row(0)),
        "peaky-last": lambda: StaticModel(peaky_row(255)),
        "peaky20": lambda: StaticModel(peaky_row(97, 20), 20),
        "rare-end": lambda: StaticModel(normalise(np.array([1] * 256 + [10**6]))),
        "table": lambda: TableModel.random(seed=1),
        "table-sharp": lambda: TableModel.random(seed=2, sharpness=6.0, contexts=5),
        "table12": lambda: TableModel.random(seed=3, precision=12),
        "chain": chain_model,
        "neural": lambda: neural_model(seed=4, scale=1.5),
    }[name]()


def chain_model():
    """The first byte is open, and after each context another one follows almost surely."""
    rows = [StaticModel.uniform().row, *(peaky_row(byte) for byte in (10, 0, 255, 10, 97, 98, 99))]
    return TableModel(np.stack(rows))


MODELS = [
    "uniform", "uniform9", "uniform20", "unigram", "skewed", "peaky", "peaky-first", "peaky-last",
    "peaky20",
    "rare-end", "table", "table-sharp", "table12", "chain",
]  # fmt: skip


def row_after(model):
    """prefix -> frequencies, asked of the model one byte at a time."""

    @functools.lru_cache(maxsize=4096)
    def row(prefix):
        state = model.start(1)
        rows = model.frequencies(state)
        for byte in prefix:
            model.advance(state, np.array([byte]), np.array([False]))
            rows = model.frequencies(state)
        return rows[0].tolist()

    return row


def as_integers(codes):
    return [sum(int(limb) << (LIMB * at) for at, limb in enumerate(code)) for code in codes]


def as_codes(integers, bits):
    shifts = [LIMB * limb for limb in range(num_limbs(bits))]
    codes = [[code >> shift & LIMB_MASK for shift in shifts] for code in integers]
    return np.array(codes, dtype=np.int64).reshape(-1, len(shifts))


def texts(seed, model):
    """Text likely under the model, unlikely text, runs, and every byte."""
    rng = np.random.default_rng(seed)
    row, likely = row_after(model), b""
    for _ in range(60):
        cumulative = np.cumsum(row(likely[-20:])[:256])
        likely += bytes(
            [int(np.searchsorted(cumulative, rng.integers(cumulative[-1]), side="right"))]
        )
    return [
        likely,
        rng.bytes(20),
        b"a" * 70,
        b"\0" * 70,
        b"\xff" * 30,
        TEXT[:40],
        bytes(range(250, 256)),
        b"",
        b"z",
    ]


@pytest.mark.parametrize(
    ("name", "bits", "rule", "reset"),
    [(name, bits, "free", 1) for at, bits in enumerate(BITS) for name in ORACLES[at % 2 :: 2]]
    + [(*case, *variant) for at, variant in enumerate(VARIANTS) for case in CASES[at % 2 :: 2]],
)
def test_codes_and_texts_are_the_oracles(name, bits, rule, reset):
    model = model_named(name)
    coder = WindowCoder(model, bits, 30, rule, reset)
    oracle = RULES[rule](row_after(model), bits, 30, reset)
    documents = texts(bits, model)
    encoded = coder.encode(documents)
    assert [as_integers(codes) for codes in encoded] == [oracle.encode(text) for text in documents]
    hostile = hostile_codes(bits, 12)
    assert coder.decode([as_codes(hostile, bits)]) == [oracle.decode(hostile)]


@pytest.mark.parametrize(
    ("name", "bits", "rule", "reset"),
    [
        (*case, *variant)
        for at, variant in enumerate(ENCODED_ONLY)
        for case in [*CASES, ("neural", 24)][at % 2 :: 2]
    ],
)
def test_rules_that_lose_text_are_their_oracles_where_the_context_runs_on(name, bits, rule, reset):
    """Codes and lengths: a window is the longest string that holds a cell, and its code a cell of
    its own interval.
    """
    model = model_named(name)
    coder = WindowCoder(model, bits, 30, rule, reset)
    oracle = RULES[rule](row_after(model), bits, 30, reset)
    documents = texts(bits, model)
    for text, (codes, lengths) in zip(documents, coder.encode_lengths(documents), strict=True):
        found = zip(as_integers(codes), lengths.tolist(), strict=True)
        for window, (code, length) in zip(oracle.windows(text), found, strict=True):
            assert (code, length) == window
            assert length == len(oracle.path(text))
            text = text[length:]


@pytest.mark.parametrize(("rule", "reset"), [("paper", 0), ("paper", 2), ("unflushed", 0)])
def test_no_decoder_shows_the_model_other_bytes(rule, reset):
    coder = WindowCoder(model_named("table"), 16, rule=rule, reset=reset)
    codes = coder.encode([TEXT])
    for refused in (lambda: coder.decode(codes), coder.decoder):
        with pytest.raises(EquinfoError, match=f'rule "{rule}" with reset={reset} only encodes'):
            refused()


def test_a_static_models_windows_are_the_same_for_every_reset():
    coders = [
        WindowCoder(model_named("unigram"), 24, rule="paper", reset=reset) for reset in (1, 2, 0)
    ]
    first, *others = [as_integers(coder.encode([TEXT])[0]) for coder in coders]
    assert all(codes == first for codes in others)


@pytest.mark.parametrize(
    ("name", "bits"), [("peaky", 8), ("unigram", 9), ("table-sharp", 12), ("table", 12)]
)
def test_ranks_are_the_oracles(name, bits):
    model = model_named(name)
    coder, oracle = (
        make_windows(model, bits, 30, "rank"),
        RULES["rank"](row_after(model), bits, 30),
    )
    assert coder.dictionary.strings == list(oracle.numbers)
    documents = texts(bits, model)
    assert [as_integers(codes) for codes in coder.encode(documents)] == [
        oracle.encode(text) for text in documents
    ]
    codes = list(range(len(coder.dictionary.strings)))
    assert coder.decode([as_codes(codes, bits)]) == [b"".join(coder.dictionary.strings)]


def hostile_codes(bits, count):
    rng = np.random.default_rng(bits)
    return [int.from_bytes(rng.bytes(16), "big") >> (128 - bits) for _ in range(count)] + [
        0,
        (1 << bits) - 1,
    ]


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(8, 128),
    precision=st.integers(9, 20),
    weights=st.lists(st.integers(0, 1000), min_size=SYMBOLS, max_size=SYMBOLS).filter(any),
    likely=st.tuples(st.integers(0, 255), st.integers(0, 10**7)),
    picks=st.lists(st.integers(0, 255), min_size=1, max_size=12),
    run=st.integers(0, 40),
    code=st.integers(0, 2**128 - 1),
    rule=st.sampled_from(["free", "delay", "reserve", "paper", "unflushed"]),
)
def test_any_frequencies_agree_with_the_oracle(
    bits, precision, weights, likely, picks, run, code, rule
):
    weights[likely[0]] += likely[1]
    model = StaticModel(normalise(np.array(weights), precision), precision)
    coder = WindowCoder(model, bits, rule=rule)
    oracle = RULES[rule](row_after(model), bits, 4 * bits)
    text = bytes([likely[0]] * run + picks)
    assert as_integers(coder.encode([text])[0]) == oracle.encode(text)
    code >>= 128 - bits
    assert coder.decode([as_codes([code], bits)]) == [oracle.decode([code])]


@pytest.mark.parametrize(
    ("name", "bits"),
    [(name, bits) for name in ("skewed", "table-sharp") for bits in ALL_BITS]
    + [(name, bits) for name in [*MODELS, "neural"] for bits in (8, 31, 60, 128)],
)
def test_what_was_encoded_is_decoded(name, bits):
    model = model_named(name)
    coder = WindowCoder(model, bits)
    documents = [
        b"",
        TEXT * 3,
        bytes(range(256)),
        b"\0" * 400,
        b"a" * 1000,
        b"\xff" * 99,
        np.random.default_rng(bits).bytes(300),
    ]
    assert coder.decode(coder.encode(documents)) == documents


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from([*MODELS, "neural"]),
    bits=st.sampled_from(ALL_BITS),
    window=st.sampled_from([1, 2, 3, 30]),
    rule=st.sampled_from(["free", "delay", "reserve"]),
    reset=st.sampled_from([0, 1, 2, 5]),
    documents=st.lists(st.binary(max_size=60), max_size=12),
)
def test_any_documents_come_back(name, bits, window, rule, reset, documents):
    coder = WindowCoder(model_named(name), bits, window, rule, reset)
    assert coder.decode(coder.encode(documents)) == documents


def strings_of_all_codes(coder):
    """What each of the 2**b codes stands for, each decoded as a document of its own."""
    codes = as_codes(range(1 << coder.bits), coder.bits)
    return coder.decode(np.split(codes, len(codes)))


@pytest.mark.parametrize(
    ("name", "bits", "rule"),
    [(name, bits, "free") for name in MODELS for bits in (8, 9, 12)]
    + [
        (name, bits, rule)
        for name in ("uniform", "peaky", "table-sharp")
        for bits in (9, 12)
        for rule in LOSSLESS[1:]
    ]
    + [("peaky", 16, "free"), ("neural", 16, "delay"), ("skewed", 16, "reserve")]
    + [("neural", 12, "rank"), ("peaky", 16, "rank"), ("unigram", 16, "rank")],
)
def test_every_code_has_one_meaning_and_every_meaning_one_code(name, bits, rule):
    """Over all 2**b codes: decoding ends in 1 to max_window bytes, and the string is written by one
    window again.

    That window's code is the string's first free cell: at most the code it was read from, and it
    reads the same. So the strings that decoding reaches and the codes that encoding writes are one
    to one, both ways.
    """
    coder = make_windows(model_named(name), bits, 12 if bits == 16 else None, rule)
    if rule == "rank":
        codes = as_codes(range(len(coder.dictionary.strings)), bits)
        strings = coder.decode(np.split(codes, len(codes)))
        assert len(strings) <= 1 << bits
    else:
        strings = strings_of_all_codes(coder)
    assert all(1 <= len(string) <= coder.max_window for string in strings)
    assert {bytes([k]) for k in range(256)} <= set(strings)
    written = coder.encode(strings)
    assert all(len(codes) == 1 for codes in written)
    chosen = [as_integers(codes)[0] for codes in written]
    assert all(
        code <= read_from and strings[code] == strings[read_from]
        for read_from, code in enumerate(chosen)
    )
    assert len(set(chosen)) == len(set(strings))


@pytest.mark.parametrize("rule", ["free", "delay", "reserve"])
def test_codes_are_one_to_one_where_the_context_runs_on(rule):
    coder = WindowCoder(model_named("table-sharp"), 12, rule=rule, reset=0)
    first = coder.encode([b"ab"])[0][:1]
    begun = coder.decode([first])[0]
    streams = [
        np.concatenate([first, code]) for code in np.split(as_codes(range(1 << 12), 12), 1 << 12)
    ]
    strings = coder.decode(streams)
    assert {string[: len(begun) + 1] for string in strings} == {
        begun + bytes([k]) for k in range(256)
    }
    fresh = WindowCoder(model_named("table-sharp"), 12, rule=rule)
    assert strings != fresh.decode(streams)
    assert {begun + bytes([k]) for k in range(256)} <= set(strings)


@pytest.mark.parametrize("bits", [9, 16, 59, 60, 92, 119, 128])
def test_an_unflushed_window_is_the_longest_for_which_a_coder_has_put_out_its_bits(bits):
    """Against the coder of Witten, Neal & Cleary (1987), in whole numbers: bits put out and
    pending, none to end.
    """
    model = model_named("table-sharp")
    coder = WindowCoder(model, bits, 40, "unflushed")
    oracle = RULES["unflushed"](row_after(model), bits, 40)
    unit = oracle.bits + model.precision
    for text, (codes, lengths) in zip(
        texts(bits, model), coder.encode_lengths(texts(bits, model)), strict=True
    ):
        stops = np.cumsum(lengths)
        for code, length, stop in zip(
            as_integers(codes), lengths.tolist(), stops.tolist(), strict=True
        ):
            rest = text[stop - length :]
            node, sizes = oracle.root(rest[0]), []
            for depth in range(1, length + 1):
                sizes.append(put_out(*node, unit))
                if depth < len(rest):
                    node = oracle.shares(rest[:depth], node)[rest[depth]]
                    node = node if depth == length else (node[0], oracle.cut(node[1]))
            assert max(sizes[1:], default=0) <= bits
            if length < min(len(rest), 40):
                assert put_out(*node, unit) > bits
                assert node[0] >> (unit - bits) <= code <= sum(node) >> (unit - bits)


def put_out(low, width, unit):
    """Bits that the coder has put out or holds back (E3), for an interval in units of 2**-unit."""
    high, count, half = low + width, 0, 1 << (unit - 1)
    while True:
        if high <= half:
            shift = 0
        elif low >= half:
            shift = half
        elif low >= half // 2 and high <= half + half // 2:
            shift = half // 2
        else:
            return count
        low, high, count = 2 * (low - shift), 2 * (high - shift), count + 1


def test_unflushed_windows_hold_the_text_of_two_bits_more():
    model = model_named("table")
    for bits in (12, 24, 59):
        short, long = (
            WindowCoder(model, bits, 40, "unflushed"),
            WindowCoder(model, bits + 2, 40, "paper"),
        )
        for a, b in zip(short.encode_lengths([TEXT]), long.encode_lengths([TEXT]), strict=True):
            np.testing.assert_array_equal(a[1], b[1])


def test_the_papers_rule_loses_text_and_the_others_none():
    documents = [TEXT[at : at + 40] for at in range(40)]

    def read(rule):
        """(windows that decode by themselves to other bytes than their own, windows)."""
        coder = WindowCoder(model_named("unigram"), 16, rule=rule)
        wrong = []
        for document, (codes, lengths) in zip(
            documents, coder.encode_lengths(documents), strict=True
        ):
            ends = np.cumsum(lengths)
            texts = [document[end - size : end] for end, size in zip(ends, lengths, strict=True)]
            alone = coder.decode(list(codes[:, None]))
            wrong.append(sum(a != b for a, b in zip(texts, alone, strict=True)))
            assert (wrong[-1] > 0) == (coder.decode([codes]) != [document])
        return sum(wrong), sum(map(len, coder.encode(documents)))

    wrong, windows = read("paper")
    assert 0 < wrong < windows
    assert all(read(rule)[0] == 0 for rule in ("free", "delay", "reserve"))


def test_the_papers_example_of_a_wrong_window():
    """What is read begins with what was written: another byte still fitted under the same bits."""
    coder = WindowCoder(model_named("unigram"), 16, rule="paper")
    codes, lengths = coder.encode_lengths([TEXT])[0]
    read = coder.decode(list(codes[:, None]))
    pieces = [
        TEXT[stop - length : stop] for stop, length in zip(np.cumsum(lengths), lengths, strict=True)
    ]
    assert all(text.startswith(piece) for text, piece in zip(read, pieces, strict=True))
    assert read != pieces


@pytest.mark.parametrize(("rule", "reset"), [*VARIANTS, ("free", 1), ("rank", 1), *ENCODED_ONLY])
@pytest.mark.parametrize("name", ["unigram", "table", "neural"])
def test_pieces_make_the_codes_of_the_whole(name, rule, reset):
    coder = make_windows(model_named(name), 12 if rule == "rank" else 24, 20, rule, reset)
    rng = np.random.default_rng(8)
    for document in [b"", b"x", TEXT * 3, rng.bytes(90), b"a" * 100]:
        data = np.frombuffer(document, dtype=np.uint8)
        whole = coder.encode([document])[0]
        encoder = coder.encoder()
        cuts = np.sort(rng.integers(0, len(data) + 1, size=9))
        codes = [encoder.feed(piece.tobytes()) for piece in np.split(data, cuts)]
        np.testing.assert_array_equal(np.concatenate([*codes, encoder.feed(b"", last=True)]), whole)
        if (rule, reset) in ENCODED_ONLY:
            continue
        decoder, cuts = coder.decoder(), np.sort(rng.integers(0, len(whole) + 1, size=4))
        read = b"".join(decoder.feed(piece) for piece in np.split(whole, cuts))
        assert read == coder.decode([whole])[0]


def test_an_encoder_holds_less_than_a_window():
    encoder = WindowCoder(model_named("unigram"), 32, 20).encoder()
    for _ in range(50):
        encoder.feed(TEXT)
        assert len(encoder.held) <= 20


def test_a_context_that_runs_on_makes_fewer_windows():
    model = CountModel.train([TEXT] * 20 + [bytes(range(256))], order=2)
    never, third, each = (
        len(WindowCoder(model, 16, reset=reset).encode([TEXT * 4])[0]) for reset in (0, 3, 1)
    )
    assert max(never, third) < each


def test_enumeration_sees_what_a_window_rule_can_get_wrong():
    """The laws above are not vacuous: some strings have several codes, and some windows fall
    back.
    """
    coder = WindowCoder(model_named("unigram"), 12)
    strings = strings_of_all_codes(coder)
    assert 256 < len(set(strings)) < len(strings)
    assert max(map(len, strings)) > 2
    model = model_named("table-sharp")
    oracle = RULES["free"](row_after(model), 24, 40)
    text = b"".join(texts(0, model)) + bytes(range(256))
    windows = list(oracle.windows(text))
    starts = np.cumsum([0, *(length for _, length in windows[:-1])])
    longest = [len(oracle.path(text[start:])) for start in starts]
    fallbacks = sum(n < m for (_, n), m in zip(windows, longest, strict=True))
    assert 0 < fallbacks < len(windows) / 2
    codes = as_integers(WindowCoder(model, 24, 40).encode([text])[0])
    assert codes == [code for code, _ in windows]


@pytest.mark.parametrize("bits", [8, 31, 61, 121, 128])
@pytest.mark.parametrize(
    ("name", "rule"),
    [(name, "free") for name in ("uniform9", "peaky20", "rare-end", "chain", "neural")]
    + [(n, r) for n in ("uniform", "peaky", "table-sharp") for r in ("free", "delay", "reserve")],
)
def test_every_byte_starts_and_ends_a_window(name, bits, rule):
    coder = WindowCoder(model_named(name), bits, rule=rule)
    single = [bytes([byte]) for byte in range(256)]
    codes = coder.encode(single)
    assert [len(c) for c in codes] == [1] * 256
    assert len({tuple(c[0]) for c in codes}) == 256
    assert coder.decode(codes) == single


@pytest.mark.parametrize("bits", [16, 64, 128])
@pytest.mark.parametrize("window", [1, 2, 7, 50])
def test_no_window_is_longer_than_the_bound(bits, window):
    """Under a peaky model nothing else would bound it; a run of the certain byte fills windows to
    the bound exactly.
    """
    coder = WindowCoder(model_named("peaky"), bits, window)
    codes = coder.encode([b"a" * 350])[0]
    pieces = coder.decode(list(codes[:, None]))
    assert b"".join(pieces) == b"a" * 350
    assert max(map(len, pieces)) == window
    rng = np.random.default_rng(0)
    hostile = [int.from_bytes(rng.bytes(16), "big") >> (128 - bits) for _ in range(300)]
    assert max(map(len, coder.decode(list(as_codes(hostile, bits)[:, None])))) <= window


@pytest.mark.parametrize("bits", [64, 128])
@pytest.mark.parametrize("name", ["uniform", "peaky", "table", "neural"])
def test_random_codes_are_read_as_something_and_written_as_one_window(name, bits):
    coder = WindowCoder(model_named(name), bits)
    rng = np.random.default_rng(bits)
    hostile = [int.from_bytes(rng.bytes(16), "big") >> (128 - bits) for _ in range(300)]
    hostile += [0, 1, (1 << bits) - 1, (1 << bits) - 2, 1 << (bits - 1), (1 << (bits - 1)) - 1]
    streams = list(as_codes(hostile, bits)[:, None])
    strings = coder.decode(streams)
    assert all(1 <= len(string) <= coder.max_window for string in strings)
    written = coder.encode(strings)
    assert all(len(codes) == 1 for codes in written)
    assert all(as_integers(codes)[0] <= code for codes, code in zip(written, hostile, strict=True))
    assert coder.decode(written) == strings


def test_eight_bits_are_raw_bytes():
    data = np.random.default_rng(0).bytes(500)
    for name in ("uniform", "peaky", "table"):
        assert as_integers(WindowCoder(model_named(name), 8).encode([data])[0]) == list(data)


@pytest.mark.parametrize(("rule", "reset"), [("free", 1), *ENCODED_ONLY])
@pytest.mark.parametrize("name", ["unigram", "table", "neural"])
def test_a_batch_is_its_documents_one_by_one(name, rule, reset):
    coder = WindowCoder(model_named(name), 24, rule=rule, reset=reset)
    rng = np.random.default_rng(5)
    documents = [TEXT[: rng.integers(0, 90)] + rng.bytes(rng.integers(0, 9)) for _ in range(40)]
    together = coder.encode(documents)
    assert [as_integers(codes) for codes in together] == [
        as_integers(coder.encode([d])[0]) for d in documents
    ]
    if (rule, reset) not in ENCODED_ONLY:
        assert coder.decode(together) == [coder.decode([codes])[0] for codes in together]


def test_likely_text_takes_fewer_windows():
    coder = WindowCoder(model_named("unigram"), 32)
    assert len(coder.encode([TEXT])[0]) < 0.7 * len(
        coder.encode([bytes(range(128, 128 + len(TEXT)))])[0]
    )


@pytest.mark.parametrize("bits", ALL_BITS)
def test_codes_as_bits_are_big_endian_numbers_end_to_end(bits):
    rng = np.random.default_rng(bits)
    codes = [int.from_bytes(rng.bytes(16), "big") >> (128 - bits) for _ in range(21)]
    data = codes_to_bits(as_codes(codes, bits), bits)
    text = "".join(f"{code:0{bits}b}" for code in codes)
    assert "".join(f"{byte:08b}" for byte in data) == text + "0" * (-len(text) % 8)
    assert as_integers(codes_from_bits(data, len(codes), bits)) == codes


@pytest.mark.parametrize("rule", ["free", "paper", "unflushed"])
def test_golden_codes(rule):
    row = normalise(np.arange(1, SYMBOLS + 1)[::-1] ** 3)
    golden = {}
    for bits in (12, 16, 32, 64, 128):
        coder = WindowCoder(StaticModel(row), bits, rule=rule)
        codes = coder.encode([bytes([7, 3, 200, 0, 0, 1, 255, 9, 80, 12] * 4)])[0]
        golden[bits] = codes_to_bits(codes, bits)[:24].tobytes().hex()
    assert golden == {"free": GOLDEN, "paper": GOLDEN_PAPER, "unflushed": GOLDEN_UNFLUSHED}[rule]


@pytest.mark.parametrize(
    ("rule", "reset", "message"),
    [
        ("none", 1, "unknown window rule"),
        ("free", -1, "must be 1 to"),
        ("paper", -1, "must be 1 to"),
        ("rank", 2, "reset=2"),
    ],
)
def test_impossible_rules_are_refused(rule, reset, message):
    with pytest.raises(EquinfoError, match=message):
        make_windows(model_named("unigram"), 16, None, rule, reset)


def test_rank_refuses_what_it_cannot_number():
    with pytest.raises(EquinfoError, match="strings hold a cell"):
        make_windows(model_named("unigram"), 24, None, "rank")
    coder = make_windows(model_named("unigram"), 12, None, "rank")
    with pytest.raises(EquinfoError, match="stands for no string"):
        coder.decode([as_codes([0, len(coder.dictionary.strings)], 12)])


@pytest.mark.parametrize(("bits", "window"), [(7, None), (129, None), (16, 0), (16, 49)])
def test_impossible_windows_are_refused(bits, window):
    with pytest.raises(EquinfoError, match="must be"):
        WindowCoder(model_named("neural"), bits, window)


GOLDEN = {
    12: "19d0b9fbc000044ffe20bbeb2ac19d0b9fbc000044ffe20b",
    16: "1b37ff040000047cfffe24f62d0f0c33ff040000047cfffe",
    32: "1b59fe880024ec6f2512eb450ff8226608540108c64c05f6",
    64: "1b59fe87bdf3d8252512eb4902773d14ffff25111077555f",
    128: "1b59fe87bdf3d82b09220c32039f0814ffff25111077555e",
}
GOLDEN_PAPER = {
    12: "1a00c0fbc000050ffe220bf02c01a00c0fbc000050ffe220",
    16: "1b38ff0800000600fffe24f82d100d00ff0800000600fffe",
    32: "1b59fe880024ec702512eb500ff822670854010cc64c0600",
    64: "1b59fe87bdf3d9302512eb490277497affff251110775560",
    128: "1b59fe87bdf3d92da7e210697fe9e440ffff25111077555f",
}
GOLDEN_UNFLUSHED = {
    12: "1b0fe5000083fff24ac472ca0fcfe5000083fff24ac472ca",
    16: "1b54ff2e00000852fffe250b2d270ff5ff2e00000852fffe",
    32: "1b59fe870024ec702512eb49ff3bff0bffff25112d308df0",
    64: "1b59fe87bdf3d92dc64c0632238b1476ffff25111077555f",
    128: "1b59fe87bdf3d92da7e210697fe9e481ffff25111077555f",
}
