"""BPE and unigram: training, and the characters their libraries treat in ways of their own."""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_zoo import SUBWORDS, make, training_text

from equinfo.artifacts import Artifact
from equinfo.compress.merges import learn
from equinfo.errors import EquinfoError
from equinfo.tokenizers import pairs
from equinfo.tokenizers.bpe import BPETokenizer
from equinfo.tokenizers.registry import tokenizer_class
from equinfo.tokenizers.subword import TRAINED
from equinfo.tokenizers.unigram import UnigramTokenizer


@pytest.fixture(params=SUBWORDS)
def cls(request):
    return tokenizer_class(request.param)


@pytest.mark.parametrize("name", SUBWORDS)
def test_every_character_of_unicode_comes_back(name):
    every = "".join(
        chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000
    ).encode()
    assert make(name).decode(make(name).encode(every)) == every


@pytest.mark.parametrize("name", SUBWORDS)
def test_training_again_in_another_process_and_on_one_thread_gives_the_same(name):
    code = f"from tokenizer_zoo import make; print(make({name!r}).fingerprint)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "RAYON_NUM_THREADS": "1"}
    environment |= {"EQUINFO_THREADS": "1", "PYTHONHASHSEED": "5"}
    output = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    )
    assert output.stdout.strip() == make(name).fingerprint


def test_training_on_little_text_gives_fewer_codes_and_says_so(cls):
    made = cls.train([b"ab ab ab abc"], vocab_size=4096)
    assert 256 < made.code_size < 300
    assert f"[v={made.code_size}]" in made.name
    assert made.decode(made.encode("ab – xyz")) == "ab – xyz".encode()


@pytest.mark.parametrize(
    ("documents", "message"), [([], "no text"), ([b"", b""], "no text"), ([b"\xff"], "UTF-8")]
)
def test_training_on_nothing_or_on_bytes_is_refused(cls, documents, message):
    with pytest.raises(EquinfoError, match=message):
        cls.train(documents, vocab_size=300)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pretokens": "none"}, "'none': choose words, superwords, free"),
        ({"transition": 1.1}, "transition at 1.1 of the vocabulary: choose 0 to 1"),
        ({"transition": float("nan")}, "choose 0 to 1"),
    ],
)
def test_what_crosses_words_is_one_of_three_and_a_share_is_none_above_1(options, message):
    with pytest.raises(EquinfoError, match=message):
        BPETokenizer.train([b"text"], 300, **options)


def test_merges_are_the_librarys_where_both_see_words():
    """Up to any size below this one as well: each merge follows from those before."""
    made = BPETokenizer.train(training_text(), 1500)
    cut = made._library.pre_tokenizer.pre_tokenize_str
    words = [word for text in training_text() for word, _ in cut(text.decode())]
    library = json.loads(made.model)["model"]
    letters = library["vocab"]
    runs = [np.array([letters[letter] for letter in word]) for word in words]
    merges = learn(runs, made.pieces[:256], 1500, superwords=False)
    assert merges.tolist() == [[letters[a], letters[b]] for a, b in library["merges"]]


def learnt_plainly(runs, pieces, size, superwords):
    """`learn`, counting all pairs again for each merge."""
    merges = []
    while len(pieces) < size:
        counts = Counter(pair for run in runs for pair in pairwise(run))
        if superwords:
            joined = {(a, b): pieces[a] + pieces[b] for a, b in counts}
            counts = Counter({
                pair: counts[pair] for pair in counts
                if joined[pair][1:].count(b" ") < 4
                and not (pieces[pair[0]].endswith(b":") and pieces[pair[1]].startswith(b" "))
            })  # fmt: skip
        most = max(counts.values(), default=0)
        if most < 2:
            break
        a, b = min(pair for pair in counts if counts[pair] == most)
        for run in runs:
            at = 0
            while at < len(run) - 1:
                if run[at : at + 2] == [a, b]:
                    run[at : at + 2] = [len(pieces)]
                at += 1
        merges.append([a, b])
        pieces = [*pieces, pieces[a] + pieces[b]]
    return merges


RUNS = st.lists(st.lists(st.integers(0, 3), max_size=40), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    RUNS, st.sampled_from([[b"a", b" ", b":", b"b"], [b"a", b" b", b"b:", b"  "]]), st.booleans()
)
def test_merges_are_those_of_counting_anew(runs, pieces, superwords):
    arrays = [np.array(run, dtype=np.uint16) for run in runs]
    expected = learnt_plainly(runs, pieces, 20, superwords)
    assert learn(arrays, pieces, 20, superwords).tolist() == expected


def test_superwords_begin_after_the_transition_and_end_at_four_words():
    made, words = make("bpe-superwords"), BPETokenizer.train(training_text()[:12], 540)
    assert made.name == "BPE[v=600,superwords]"
    assert made.pieces[:540] == words.pieces
    assert not any(b" " in piece[1:] for piece in words.pieces)
    assert any(b" " in piece[1:] for piece in made.pieces)
    text = ": ".join(f"{'the name of this: ' * 9}{n}" for n in range(9)).encode()
    superwords = BPETokenizer.train([text], 330, "superwords", transition=0.8)
    free = BPETokenizer.train([text], 330, "free")
    assert max(piece[1:].count(b" ") for piece in superwords.pieces) == 3
    assert max(piece[1:].count(b" ") for piece in free.pieces) > 3
    assert [any(b": " in piece for piece in made.pieces) for made in (superwords, free)] == [0, 1]


@pytest.mark.parametrize("config", [{}, {"pretokens": "words"}, {"pretokens": ["free"]}, {"x": 1}])
def test_a_folder_says_that_its_pieces_cross_words_or_is_refused(config):
    with pytest.raises(EquinfoError, match="the stored 'bpe'"):
        BPETokenizer.from_artifact(Artifact("bpe", config, make("bpe-free").artifact.tensors))


@pytest.mark.parametrize("size", [-1, 0, 255])
def test_a_vocabulary_must_hold_the_bytes(cls, size):
    with pytest.raises(EquinfoError, match="the bytes alone are 256"):
        cls.train([b"text"], vocab_size=size)


def test_the_smallest_bpe_is_the_bytes():
    made = BPETokenizer.train([b"text text"], vocab_size=256)
    assert made.code_size == 256
    assert len(made.encode("é text")) == 7


def test_the_pairs_that_bpe_never_writes_are_its_library_s():
    """Inside a pretoken; "aaa" and its like are merged from the left."""
    made = BPETokenizer.train(
        ["banana ananas aaa aaaa éa bandana nnn".encode()] * 2, vocab_size=285
    )
    model = json.loads(made.model)
    library = tokenizers.Tokenizer.from_str(json.dumps({**model, "pre_tokenizer": None}))
    codes = model["model"]["vocab"]
    merges = {
        (codes[x], codes[y]): (rank, codes[x + y])
        for rank, (x, y) in enumerate(model["model"]["merges"])
    }
    crossed, never = pairs.crossed(made.pieces, merges)
    assert not never.any()
    names = sorted(codes, key=codes.get)
    texts = [a + b for a in names for b in names]
    two = product(range(len(names)), repeat=2)
    found = library.encode_batch_fast(texts)
    split = [one.ids != [*pair] for one, pair in zip(found, two, strict=True)]
    assert crossed.ravel().tolist() == split


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("ab", False), ("a ", True), (" b", False), ("  ", True), ("a1", True), ("12", False),
        ("é漢", False), ("'s", True), ("sb", True), ("xb", False), ("!'", False), ("!a", True),
        ("\u00a0a", True), ("\n ", True), (" \u00a0", True), ("a\u0301", True),
    ],
)  # fmt: skip
def test_where_words_are_never_cut(text, cut):
    """Between the two characters; behind the "s" of "it's" they may be."""
    pieces = [character.encode() for character in text[-2:]]
    assert pairs.uncut(pieces, make("bpe")._kind_of)[0, 1] == (not cut)


def test_a_unigram_vocabulary_without_room_for_letters_is_refused_in_one_line():
    with pytest.raises(EquinfoError, match="no unigram model of 258 ids") as caught:
        UnigramTokenizer.train(training_text(), vocab_size=258)
    assert "\n" not in str(caught.value)


def test_unigram_reads_lines_its_library_would_drop():
    """Long lines, and lines with ▁, ▅ or NUL in them, teach as the others do."""
    word = "abracadabra "
    for text in (word * 2000, f"{word}▁ {word}▅" * 20, f"{word}\0" * 20):
        learnt = UnigramTokenizer.train([text.encode()], vocab_size=300)
        assert learnt.encode(word).min() >= 256  # no letter of it falls back to bytes


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_unigram_learns_the_ends_of_lines(end):
    """Its library strips them where a line ends with them; as bytes they would be ids more."""
    text = f"the cat sat on the mat{end}and the dog{end}{end}" * 50
    assert end.encode() in UnigramTokenizer.train([text.encode()], vocab_size=300).pieces[256:]


def test_unigram_tells_its_space_from_a_space():
    made = make("unigram")
    assert made.encode("▁").tolist() == [0xE2, 0x96, 0x81]
    assert made.encode("a b").tolist() != made.encode("a▁b").tolist()


def test_bytes_come_first_in_unigram_and_every_code_has_bytes():
    assert make("unigram").pieces[:256] == [bytes([byte]) for byte in range(256)]
    assert all(piece for name in SUBWORDS for piece in make(name).pieces)


@pytest.mark.parametrize("name", SUBWORDS)
def test_ids_that_make_no_utf8_are_refused(name):
    made = make(name)
    lone = [i for i, piece in enumerate(made.pieces) if piece == b"\xe2"]
    with pytest.raises(EquinfoError, match="stream 1 decodes to invalid UTF-8 at byte 0"):
        made.decode_batch([made.encode("fine"), lone])


def test_a_stored_model_that_is_none_is_refused(cls):
    tensors = {
        name: np.frombuffer(b"{}", dtype=np.uint8)
        for name in ("tokenizer.json", "sentencepiece.model")
    }
    with pytest.raises(EquinfoError, match="cannot be read"):
        cls.from_artifact(Artifact(cls.kind, {}, tensors))
    with pytest.raises(EquinfoError, match="it lacks"):
        cls.from_artifact(Artifact(cls.kind, {}, {}))


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True} | options


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "Lowercase"}},
        {"normalizer": {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}},
        {"truncation": {"direction": "Right", "max_length": 5, "strategy": "LongestFirst",
                        "stride": 0}},
        {"padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None,
                     "pad_id": 0, "pad_type_id": 0, "pad_token": "!"}},
        {"pre_tokenizer": None},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"pre_tokenizer": byte_level(add_prefix_space=True, use_regex=True)},
        {"pre_tokenizer": byte_level(use_regex=False)},
        {"post_processor": byte_level(use_regex=True)},
        {"added_tokens": [{"id": 65, "content": "the", "single_word": False, "lstrip": True,
                           "rstrip": True, "normalized": False, "special": False}]},
        {"dropout": 0.5},
        {"unk_token": "!"},
        {"continuing_subword_prefix": "t"},
        {"end_of_word_suffix": "t"},
        {"vocab": {"!": 0, "a": 1}, "merges": []},
        {"vocab": {}, "merges": []},
        {"vocab": "one id twice"},
        {"type": "WordPiece", "max_input_chars_per_word": 9, "unk_token": "!"},
    ],
    ids=str,
)  # fmt: skip
def test_a_bpe_folder_that_does_more_to_a_text_is_refused(change):
    whole = json.loads(make("bpe").model)
    if change.get("vocab") == "one id twice":
        change = {"vocab": whole["model"]["vocab"] | {"b": whole["model"]["vocab"]["a"]}}
    whole |= {name: value for name, value in change.items() if name in whole}
    whole["model"] |= {name: value for name, value in change.items() if name not in whole}
    with pytest.raises(EquinfoError, match="model cannot be read") as caught:
        BPETokenizer(json.dumps(whole).encode())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model + b"\x1a\x02\x18\x01",  # a space in front
        lambda model: model + b"\x1a\x02\x20\x01",  # fewer spaces
        lambda model: model + b"\x1a\x02\x28\x00",  # spaces as they are
        lambda model: model + b"\x12\x03\x98\x02\x00",  # no byte fallback
        lambda model: model + b"\x12\x03\xc0\x01\x01",  # spaces at the end of pieces
        lambda model: model + b"\x12\x02\x18\x02",  # BPE
        lambda model: (
            model.replace(b"<0x41>", b"<0x??>")
            .replace(b"<0x42>", b"<0x41>")
            .replace(b"<0x??>", b"<0x42>")
        ),
    ],
)
def test_a_unigram_folder_that_does_more_to_a_text_is_refused(change):
    with pytest.raises(EquinfoError, match="model cannot be read") as caught:
        UnigramTokenizer(change(make("unigram").model))
    assert "\n" not in str(caught.value)


def test_training_cuts_a_run_that_has_no_place_to_be_cut_at(cls):
    """The time that a run takes grows with its square; pieces show how much of one was seen."""
    learnt = cls.train([b"a" * (16 * TRAINED), b"some text"], vocab_size=290)
    assert len(max(learnt.pieces, key=len)) <= 2 * TRAINED
    text = b" ".join(training_text())[: 8 * TRAINED]
    parts = [b" the" * 9 + text, b"\n" + text]
    assert cls.train(parts, 300).pieces == cls.train([b"".join(parts)], 300).pieces


def test_a_foreign_sentencepiece_model_is_refused():
    """One with <s> and </s>: its ids would not be ours less one."""
    import io

    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(["some text"] * 9), model_writer=written, vocab_size=20,
        hard_vocab_limit=False,
        minloglevel=2,
    )  # fmt: skip
    with pytest.raises(EquinfoError, match="not one unknown, 256 bytes"):
        UnigramTokenizer(written.getvalue())
