"""Codebooks fitted and grown: every law of a codebook, on text and on what is none; counts against
plain Python.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.codebook import fit as fitting
from equinfo.compress.codebook.candidates import MAX_LENGTH, count_strings
from equinfo.compress.codebook.choose import Candidates
from equinfo.compress.codebook.fit import fit
from equinfo.compress.codebook.grow import grow
from equinfo.compress.codebook.pretokens import CLASS, CUT, END, MODES, masks_of
from equinfo.compress.codebook.segments import Text, cut, dictionary_of, pretoken_starts
from equinfo.compress.dictionary.parse import PARSES
from equinfo.compress.models.base import StaticModel
from equinfo.compress.models.counts import CountModel
from equinfo.corpora import load_corpus, take
from equinfo.errors import EquinfoError

SINGLES = {bytes([byte]) for byte in range(256)}


@pytest.fixture(scope="module")
def documents():
    return take(load_corpus("bundled").documents("train"), 300_000)


def num_pieces(strings, mode, how, documents, costs=None):
    starts, uses = cut(Text(documents), dictionary_of(strings, mode), how, costs)
    assert len(starts) == uses.sum()
    return len(starts), uses


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", PARSES)
def test_a_fitted_codebook_has_its_size_all_bytes_and_no_idle_string(documents, mode, how):
    strings, uses, costs = fit(documents, 1021, mode, how)
    assert len(strings) == len(set(strings)) == 1021
    assert strings == sorted(strings)
    assert set(strings) >= SINGLES
    assert masks_of(strings, mode).all()
    assert all(count > 0 or len(string) == 1 for string, count in zip(strings, uses, strict=True))
    np.testing.assert_array_equal(num_pieces(strings, mode, how, documents, costs)[1], uses)


def test_a_fit_does_not_depend_on_threads(documents, monkeypatch):
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("EQUINFO_THREADS", threads)
        found.append(fit(documents, 2048, "superword"))
    assert found[0].strings == found[1].strings
    assert found[0].uses.tolist() == found[1].uses.tolist()


def test_what_was_learnt_holds_on_other_text(documents):
    other = take(load_corpus("bundled").documents("validation"), 50_000)
    total = sum(map(len, other))
    ratios = {
        mode: total / num_pieces(fit(documents, 2048, mode).strings, mode, "longest", other)[0]
        for mode in MODES
    }
    assert min(ratios["superword"], ratios["strict"]) > ratios["aligned"] > 3
    assert ratios["free"] > 3


def test_a_sample_comes_first(documents, monkeypatch):
    monkeypatch.setattr(fitting, "SAMPLE", 100_000)
    whole = sum(map(len, documents))
    sampled = fit(documents, 1024, "superword").uses.sum()
    monkeypatch.undo()
    once = fit(documents, 1024, "superword").uses.sum()
    assert whole / sampled == pytest.approx(whole / once, rel=0.02)


@pytest.mark.parametrize(
    "document",
    [
        bytes(range(256)) * 40, np.random.default_rng(3).bytes(60_000),
        b"\0" * 5000 + b"\0\1" * 3000 + b"ab" * 9000,
        "naïve – Ελληνικά русский 漢字 हिन्दी العربية ".encode() * 300, b"\xff\xfe \xc3" * 4000,
    ],
    ids=lambda document: repr(document[:8]),
)  # fmt: skip
@pytest.mark.parametrize("mode", MODES)
def test_any_bytes_are_fitted_or_refused(document, mode):
    try:
        strings, uses, _ = fit([document, b"", document[:999]], 512, mode)
    except EquinfoError as error:
        refusal = str(error)
        strings, uses = [], np.empty(0)
    if not strings:
        assert "too few strings for a codebook of 512: it supports none" in refusal
        return
    assert len(set(strings)) == 512
    assert all(count > 0 or len(string) == 1 for string, count in zip(strings, uses, strict=True))
    assert (uses[[strings.index(bytes([byte])) for byte in range(256)]] >= 0).all()


@pytest.mark.parametrize(
    ("documents", "size", "message"),
    [
        ([], 512, "fitted on 1 to 4294967295 bytes of text, not on 0"),
        ([b"", b""], 512, "not on 0"),
        ([b"a few words"], 512, "too few strings for a codebook of 512: it supports none; take"),
        ([b"text"], 1000, "of 1000 strings: choose a power of two from 512 to 262144, or 3 less"),
        ([b"text"], 256, "choose a power of two"),
        ([b"text"], 0, "choose a power of two"),
    ],
)
def test_what_cannot_be_fitted_is_refused(documents, size, message):
    with pytest.raises(EquinfoError, match=message):
        fit(documents, size, "free")


def test_too_little_text_names_the_size_that_it_has(documents):
    with pytest.raises(EquinfoError, match="a codebook of 262144: it supports at most") as error:
        fit(documents, 1 << 18, "aligned")
    size = int(str(error.value).split("at most ")[1].split(";")[0])
    assert len(fit(documents, size, "aligned").strings) == size


def test_unknown_options_are_refused():
    with pytest.raises(EquinfoError, match="pieces that are 'word'"):
        fit([b"text"], 512, "word")
    with pytest.raises(EquinfoError, match="pieces by 'best': choose longest, fewest, likeliest"):
        fit([b"text"], 512, "free", "best")


# -- candidates ------------------------------------------------------------------------------------


DOCUMENT = st.lists(st.sampled_from([b"a", b"b", b" ", b".", b"\0"]), max_size=30).map(b"".join)


def counted(documents, starts, mode):
    """How often each string follows a start and may begin and end there, in plain Python."""
    text, ends = Text(documents), {}
    for start in starts.tolist():
        stop = int(text.stops[np.searchsorted(text.stops, start)])
        document = text.data[start:stop].tobytes()
        before = text.data[start - 1] if start not in text.begins else None
        amid = before is not None and not CUT[CLASS[before], CLASS[document[0]]]
        for end in range(1, min(len(document), MAX_LENGTH) + 1):
            mask = int(masks_of([document[:end]], mode)[0])
            if mode == "strict" and amid and not masks_of([document[:end]], "aligned")[0]:
                break
            after = CLASS[document[end]] if end < len(document) else END
            ends[document[:end]] = ends.get(document[:end], 0) + (mask >> int(after) & 1)
    return ends


def every_start(text):
    return np.setdiff1d(np.arange(len(text.data)), text.stops).astype(np.uint32)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(DOCUMENT, min_size=1, max_size=4).filter(any),
    st.sampled_from(MODES),
    st.sampled_from([pretoken_starts, every_start]),
)
def test_candidates_are_counted_as_in_plain_python(documents, mode, where):
    starts = where(Text(documents))
    expected = counted(documents, starts, mode)
    candidates = count_strings(Text(documents), starts.copy(), mode, 1 << 20, 2)
    strings = candidates.strings(np.arange(len(candidates.ends)))
    found = dict(zip(strings, candidates.ends.tolist(), strict=True))
    assert all(expected.get(string, 0) == ends for string, ends in found.items())
    assert all(ends < 2 or string in found for string, ends in expected.items())
    for string, fallback in zip(strings, candidates.fallbacks.tolist(), strict=True):
        shorter = [s for s in strings if len(s) < len(string) and string.startswith(s)]
        after = [int(CLASS[string[len(s)]]) for s in shorter]
        masks = [int(masks_of([s], mode)[0]) for s in shorter]
        may_end = [s for s, m, c in zip(shorter, masks, after, strict=True) if m >> c & 1]
        longest = max(may_end, key=len, default=None)
        assert (strings[fallback] if fallback >= 0 else None) == longest


def test_long_repeats_are_counted_up_to_the_longest_string():
    text = Text([bytes(range(65, 91)) * 30] * 9)
    candidates = count_strings(text, pretoken_starts(text), "free", 1 << 20, 2)
    assert candidates.depths.max() == MAX_LENGTH


# -- the choice ------------------------------------------------------------------------------------

DRAWN = st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 9)), max_size=25)


@settings(deadline=None)
@given(DRAWN, st.integers(0, 3))
def test_the_least_loss_goes_first(drawn, piece_cost):
    """Against plain Python that computes every loss anew."""
    parents, depths = [-1] * 256, [1] * 256
    for seed, _ in drawn:
        parents.append(seed % 3 if seed % 2 else seed % len(parents))
        depths.append(depths[parents[-1]] + 1)
    own = [1] * 256 + [own for _, own in drawn]
    ends = list(own)
    for node in range(len(ends) - 1, 255, -1):
        ends[parents[node]] += ends[node]
    last = np.zeros(len(ends), dtype=np.uint8)
    tree = Candidates(*map(np.array, (parents, parents, last, depths, ends)))
    there, expected = set(range(len(ends))), []
    there -= {node for node in range(256, len(ends)) if ends[node] == 0}
    above = list(parents)
    while len(there) > 256:
        for node in there:
            while above[node] >= 0 and above[node] not in there:
                above[node] = above[above[node]]
        left = [node for node in there if node >= 256]
        losses = {n: own[n] * (depths[n] - depths[above[n]] + piece_cost) for n in left}
        gone = min(losses, key=lambda node: (losses[node], -node))
        there.remove(gone)
        own[above[gone]] += own[gone]
        expected.append(gone)
    ranked = tree.ranked(piece_cost).tolist()
    assert ranked == [*range(256), *expected[::-1]]
    half = np.array(ranked[: 256 + len(expected) // 2])
    assert tree.own(half).sum() == sum(ends[:256])


def test_a_prefix_that_is_never_an_end_is_not_chosen(documents):
    strings = fit([b" product produce" * 50, *documents], 2048, "superword").strings
    assert b" produ" not in strings


# -- grown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "strict"])
def test_a_grown_codebook_has_its_size_and_all_bytes(documents, mode):
    model = CountModel.train(documents, order=3)
    strings, chances, costs = grow(model, 1024, mode)
    assert len(set(strings)) == 1024
    assert strings == sorted(strings)
    assert set(strings) >= SINGLES
    assert masks_of(strings, mode).all()
    assert 0.99 < chances.sum() / 2**42 <= 1
    np.testing.assert_allclose(costs / 256, -np.log2(chances / chances.sum()), atol=1 / 256)
    assert sum(map(len, documents)) / num_pieces(strings, mode, "longest", documents)[0] > 2.4
    assert grow(model, 1024, mode).strings == strings


def test_a_model_without_context_grows_strings_of_likely_bytes():
    row = np.ones(257, dtype=np.uint32)
    row[ord("a")] = (1 << 16) - 256
    strings = grow(StaticModel(row), 512, "free").strings
    assert b"a" * 30 in strings
    assert len(grow(StaticModel.uniform(), 512, "free").strings) == 512


def test_a_model_with_too_few_likely_strings_is_refused():
    row = np.ones(257, dtype=np.uint32)
    row[ord(" ")] = (1 << 16) - 256
    message = "too few likely strings for a codebook of 65536: it supports at most"
    with pytest.raises(EquinfoError, match=message):
        grow(StaticModel(row), 1 << 16, "aligned")
    with pytest.raises(EquinfoError, match="cannot be grown"):
        grow(StaticModel(row), 512, "strict")


def test_a_weight_is_as_many_copies_of_a_document(documents):
    first, *others = documents[:40]
    weights = [np.full(len(one), 1, dtype=np.uint8) for one in [first, *others]]
    weights[0] *= 3
    weighed = fit([first, *others], 512, "superword", rounds=1, weights=weights)
    assert weighed.strings == fit([first] * 3 + others, 512, "superword", rounds=1).strings
