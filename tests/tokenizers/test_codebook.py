"""Codebooks, beside the laws of every tokenizer: names, pieces, pinned ids, hostile artefacts."""

import numpy as np
import pytest
from tokenizer_zoo import CODEBOOKS, byte_model, make, training_text

from equinfo import api
from equinfo.artifacts import Artifact
from equinfo.compress.codebook.segments import Text, pretoken_starts
from equinfo.compress.dictionary.parse import AHEAD, BLOCK
from equinfo.errors import EquinfoError
from equinfo.tokenizers import registry
from equinfo.tokenizers.cased import CasedTokenizer
from equinfo.tokenizers.codebook import CodebookTokenizer

TEXT = "In the beginning, in the beginning: naïve.\n"
SINGLES = [bytes([byte]) for byte in range(256)]


def test_names():
    assert make("codebook-free").name == "Codebook[v=512,free]"
    assert make("codebook-likeliest").name == "Codebook[v=1024,strict,likeliest]"
    made = CodebookTokenizer([*SINGLES, *[b"%04d" % n for n in range((1 << 16) - 256)]], "aligned")
    assert made.name == "Codebook[v=65k,aligned]"
    assert made.encode(b"00070008").tolist() == [263, 264]
    made = CodebookTokenizer(made.strings[:65_533], "aligned")
    assert made.name == "Codebook[v=65533,aligned]"
    assert (made.eos_id, made.dtype) == (65_535, np.uint16)


# fmt: off
PIECES = {
    "codebook-aligned": [
        "I", "n", " the", " be", "g", "in", "ning", ",", " in", " the", " be", "g", "in",
        "ning",
    ],
    "codebook-superword": [
        "In the", " be", "gi", "n", "ning", ", in the", " be", "gi", "n", "ning",
    ],
    "codebook-fewest": [
        "I", "n", " the", " be", "g", "in", "ning", ", in the", " be", "g", "in", "ning",
    ],
}
IDS = {
    "codebook-superword": [
        1549, 283, 1694, 1767, 1778, 1377, 283, 1694, 1767, 1778, 1477, 33, 1771, 1987, 1967, 1899,
        1408,
    ],
    "codebook-likeliest": [
        667, 802, 404, 121, 749, 768, 802, 770, 578, 121, 749, 768, 802, 770, 629, 32, 803, 963,
        943, 878, 591,
    ],
    "codebook-grown": [
        148, 296, 45, 240, 272, 295, 273, 112, 59, 82, 45, 240, 272, 295, 273, 129, 33, 297, 451,
        431, 366, 116,
    ],
}
# fmt: on


@pytest.mark.parametrize("name", PIECES)
def test_pieces(name):
    tokenizer = make(name)
    ids = tokenizer.encode(TEXT)[: len(PIECES[name])]
    assert [tokenizer.token_bytes(i).decode() for i in ids] == PIECES[name]


@pytest.mark.parametrize("name", IDS)
def test_fitting_and_growing_are_the_same_on_every_machine(name):
    assert make(name).encode(TEXT).tolist() == IDS[name]


def test_no_piece_from_inside_a_word_crosses_its_end():
    text = b"".join(training_text())[:50_000]
    tokenizer = make("codebook-strict")
    pieces = [tokenizer.strings[i] for i in tokenizer.encode(text)]
    starts = set(pretoken_starts(Text([text])).tolist())
    at, crossing = 0, 0
    for piece in pieces:
        inside = starts.intersection(range(at + 1, at + len(piece)))
        assert not inside or starts.issuperset({at, at + len(piece)} - {len(text)})
        at, crossing = at + len(piece), crossing + bool(inside)
    assert crossing > len(pieces) / 20


def test_the_likeliest_cost_least():
    text = b"".join(training_text())[: BLOCK + AHEAD]
    likeliest = make("codebook-likeliest")
    costs = likeliest.costs.astype(int)
    others = [CodebookTokenizer(likeliest.strings, "strict", how) for how in ("longest", "fewest")]
    found = [costs[tokenizer.encode(text)].sum() for tokenizer in (likeliest, *others)]
    assert found[0] < min(found[1:])


def test_fewest_is_never_more_than_longest():
    text = b"".join(training_text())[: BLOCK + AHEAD]
    fewest = make("codebook-fewest")
    longest = CodebookTokenizer(fewest.strings, fewest.mode)
    assert len(fewest.encode(text)) <= len(longest.encode(text))
    assert longest.decode(fewest.encode(text)) == text  # one decoder for both


@pytest.mark.parametrize("name", CODEBOOKS)
def test_an_encoder_holds_no_more_than_it_must(name):
    tokenizer = make(name)
    encoder, most = tokenizer.encoder(), 64 if tokenizer.parse == "longest" else BLOCK + AHEAD
    text = b"".join(training_text())[:100_000]
    for at in range(0, len(text), 1000):
        encoder.feed(text[at : at + 1000])
        assert len(getattr(encoder, "pieces", encoder).held) <= most


def hostile(made="codebook-aligned", **changes):
    whole = make(made).artifact
    config = {name: changes.get(name, value) for name, value in whole.config.items()}
    return Artifact(
        "codebook",
        config,
        {name: changes.get(name, value) for name, value in whole.tensors.items()},
    )


def spelt(strings):
    lengths = np.array([len(string) for string in strings], dtype=np.uint8)
    return {"strings": np.frombuffer(b"".join(strings), dtype=np.uint8), "lengths": lengths}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lengths": np.ones(512, dtype=np.uint8)}, "its strings is .*, not uint8.512."),
        ({"lengths": np.full(512, -1, dtype=np.int64)}, "its lengths is int64"),
        ({"lengths": np.ones((2, 256), dtype=np.uint8)}, "its lengths is uint8.2, 256."),
        ({"strings": np.zeros(3, dtype=np.float32)}, "its strings is float32"),
        (spelt([*SINGLES, b"", *[b"%03d" % n for n in range(255)]]), "its lengths has values"),
        (spelt([*SINGLES, *[b"%03d" % (n // 2) for n in range(256)]]), "must be distinct"),
        (spelt([*SINGLES[1:], *[b"%03d" % n for n in range(257)]]), "every byte a piece"),
        (spelt(SINGLES), "a codebook of 256 strings: choose a power of two"),
        (
            spelt([*SINGLES, *[b"%03d" % n for n in range(100)]]),
            "a codebook of 356 strings: choose a power of two",
        ),
        (
            spelt([*SINGLES, b"a b", *[b"%03d" % n for n in range(255)]]),
            "b'a b' crosses a boundary",
        ),
        ({"parse": "likeliest"}, "lacks 'costs'"),
        ({"made": "codebook-likeliest", "costs": np.zeros(1024, dtype=np.uint16)}, "its costs has"),
        ({"made": "codebook-likeliest", "costs": np.ones(1023, dtype=np.uint16)}, "its costs is"),
        ({"mode": "words"}, "its mode is 'words'"),
        ({"parse": "best"}, "its parse is 'best'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_artefacts_are_refused(changes, message):
    with pytest.raises(EquinfoError, match=message) as error:
        CodebookTokenizer.from_artifact(hostile(**changes))
    assert "\n" not in str(error.value)


def test_the_api_fits_without_an_m1_and_grows_from_one(tmp_path):
    options = {"size": 512, "mode": "aligned", "parse": "fewest"}
    fitted = api.train_tokenizer("codebook", tmp_path / "fitted", training_text(), **options)
    grown = api.train_tokenizer("codebook", tmp_path / "grown", m1=byte_model("counts"), **options)
    assert (fitted.source, grown.source) == ("fitted", "grown")
    assert fitted.name == grown.name == "Codebook[v=512,aligned,fewest]"
    assert api.load(tmp_path / "grown").fingerprint == grown.fingerprint
    with pytest.raises(EquinfoError, match="needs a text"):
        registry.make("codebook", 512, m1=byte_model("counts"), case=True)


@pytest.mark.parametrize(
    "change",
    [{"inner": "cased"}, {"inner": "bytes"}, {"inner": []}, {"config": 1}, {"config": {}}],
    ids=str,
)
def test_case_as_signs_is_before_what_it_was_fitted_with(change):
    stored = make("cased").artifact
    with pytest.raises(EquinfoError, match="the stored 'cased'"):
        CasedTokenizer.from_artifact(Artifact("cased", {**stored.config, **change}, stored.tensors))
