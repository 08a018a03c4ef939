"""EquinfoTokenizer: the native ids in transformers' interface, text of any ids, refusals."""

import copy
import pickle
import random

import numpy as np
import pytest
import tokenizer_zoo as zoo
import transformers

from equinfo import EquinfoError, load
from equinfo.hf import streaming
from equinfo.hf.tokenizer import EquinfoTokenizer

KINDS = [
    "bytes", "bpe", "unigram", "codebook-free", "codebook-likeliest", "compiled-whole",
    "compiled-rank", "compiled-narrow",
    "equalinfo-static-8-8", "equalinfo-static-16-8", "equalinfo-static-12-8",
    "equalinfo-neural-24-12", "windows-reset",
    "windows-rank",
]  # fmt: skip
TEXTS = [
    "In the beginning God created the heaven and the earth.",
    "",
    "é",
    "日本語のテキスト, 中文和한국어.",
    "🙂👩‍👩‍👧‍👦 e\u0301 \u200f\ufffd naïve\n\n  two  spaces\t",
    "a <|eos| is not |bos|> <pad>",
]
MIXED = " ".join(TEXTS) * 3


@pytest.fixture(params=KINDS)
def native(request):
    return zoo.make(request.param)


def numbers(ids):
    return [int(i) for i in ids]


# -- ids -------------------------------------------------------------------------------------------


def test_ids_are_the_native_ones_behind_bos(native):
    tokenizer = native.as_hf()
    assert tokenizer(TEXTS)["input_ids"] == [
        [native.bos_id, *numbers(native.encode(text))] for text in TEXTS
    ]
    assert tokenizer(TEXTS, add_special_tokens=False)["input_ids"] == [
        numbers(native.encode(text)) for text in TEXTS
    ]
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (
        native.pad_id,
        native.bos_id,
        native.eos_id,
    )
    assert len(tokenizer) == tokenizer.vocab_size == native.vocab_size


def test_a_batch_is_its_texts_one_by_one_and_a_text_survives(native):
    tokenizer = native.as_hf(add_eos_token=True)
    options = {
        "return_special_tokens_mask": True,
        "return_offsets_mapping": True,
        "return_length": True,
    }
    batch = tokenizer(TEXTS, **options)
    for n, text in enumerate(TEXTS):
        one = tokenizer(text, **options)
        assert {name: rows[n] for name, rows in batch.items()} == dict(one)
        assert tokenizer.encode(text) == one["input_ids"]
        assert tokenizer.decode(one["input_ids"], skip_special_tokens=True) == text
        assert tokenizer.decode(one["input_ids"]) == f"<|bos|>{text}<|eos|>"
    assert tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True) == TEXTS


def test_an_empty_batch_and_batch_encode_plus():
    tokenizer = zoo.make("codebook-free").as_hf()
    assert dict(tokenizer([])) == {"input_ids": [], "attention_mask": []}
    assert dict(tokenizer.batch_encode_plus(TEXTS)) == dict(tokenizer(TEXTS))


@pytest.mark.parametrize("name", ["bpe", "equalinfo-static-12-8"])
def test_tokens_are_found_in_a_text_unless_it_is_to_be_text(name):
    native = zoo.make(name)
    tokenizer = native.as_hf()
    tokenizer.add_tokens(["<tool>", "<tool>s"])
    text = "a <|eos|><tool>s é<tool>"
    plain = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert plain == numbers(native.encode(text))
    wanted = [
        *native.encode("a "),
        native.eos_id,
        native.vocab_size + 1,
        *native.encode(" é"),
        native.vocab_size,
    ]
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    assert coded["input_ids"] == numbers(wanted)
    assert tokenizer.decode(coded["input_ids"]) == text
    assert [text[a:b] for a, b in coded["offset_mapping"]].count("<tool>s") == 1
    for again in (pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer)):
        assert again(text) == tokenizer(text)
    plain = native.as_hf(split_special_tokens=True, add_bos_token=False)("<|eos|>")["input_ids"]
    assert plain == numbers(native.encode("<|eos|>"))


def test_pairs_are_two_texts_each_behind_bos(native):
    tokenizer = native.as_hf()
    pairs = list(zip(TEXTS, TEXTS[::-1], strict=True))
    coded = tokenizer(
        TEXTS, TEXTS[::-1], return_token_type_ids=True, return_special_tokens_mask=True
    )
    assert coded["input_ids"] == [tokenizer.encode(a) + tokenizer.encode(b) for a, b in pairs]
    assert tokenizer(pairs)["input_ids"] == coded["input_ids"]
    for row, (a, b) in enumerate(pairs):
        sizes = len(tokenizer.encode(a)), len(tokenizer.encode(b))
        assert coded["token_type_ids"][row] == [0] * sizes[0] + [1] * sizes[1]
        assert coded["special_tokens_mask"][row] == [
            1,
            *[0] * (sizes[0] - 1),
            1,
            *[0] * (sizes[1] - 1),
        ]
    ids = [numbers(native.encode(text)) for text in TEXTS[-2:]]
    prepared = tokenizer.prepare_for_model(
        *ids, return_special_tokens_mask=True, return_token_type_ids=True
    )
    asked = tokenizer(*TEXTS[-2:], return_special_tokens_mask=True, return_token_type_ids=True)
    assert {k: list(v) for k, v in prepared.items()} == dict(asked)


# -- as transformers' own tokenizer over the same BPE does it --------------------------------------


def both():
    import tokenizers

    native = zoo.make("bpe")
    library = tokenizers.Tokenizer.from_buffer(native.model)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=library)
    fast.add_special_tokens(
        {"pad_token": "<|pad|>", "bos_token": "<|bos|>", "eos_token": "<|eos|>"}
    )
    return native.as_hf(add_bos_token=False), fast


@pytest.fixture(scope="module")
def bpe_and_fast():
    return both()


@pytest.mark.parametrize("options", [{}, {"lstrip": True}, {"rstrip": True}, {"single_word": True},
    {"lstrip": True, "rstrip": True, "normalized": True}])  # fmt: skip
def test_added_tokens_are_found_where_a_fast_tokenizer_finds_them(options):
    text = "<|im|>user [U]  [U]x[U]\n <|im|>\u2003[U].<|im|>s [U] [U]s <|eos|>"
    found = []
    for tokenizer in both():
        tokenizer.add_tokens([transformers.AddedToken("[U]", **options), "[U]s"])
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|im|>"]})
        coded = tokenizer([text, "", "[U]"], return_offsets_mapping=True)
        found.append({name: coded[name] for name in ("input_ids", "offset_mapping")})
    assert found[0] == found[1]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": True},
        {"padding": "max_length", "max_length": 40, "truncation": True},
        {"max_length": 7, "truncation": True},
        {"padding": True, "pad_to_multiple_of": 8, "max_length": 16, "truncation": True},
        {"padding": True, "return_tensors": "np"},
        {"padding": True, "return_tensors": "pt"},
    ],
)
def test_offsets_padding_and_truncation_are_those_of_a_fast_tokenizer(bpe_and_fast, options, side):
    ours, fast = bpe_and_fast
    for tokenizer in (ours, fast):
        tokenizer.padding_side = tokenizer.truncation_side = side
    asked = {"return_offsets_mapping": True, "return_special_tokens_mask": True, **options}
    mine = ours(TEXTS, **asked)
    theirs = fast(TEXTS, **asked)
    assert type(mine["input_ids"]) is type(theirs["input_ids"])
    for name in ("input_ids", "attention_mask", "special_tokens_mask", "offset_mapping"):
        rows = ([np.asarray(row).tolist() for row in coded[name]] for coded in (mine, theirs))
        assert next(rows) == next(rows), name


def test_token_strings_of_a_bpe_are_the_librarys(bpe_and_fast):
    ours, fast = bpe_and_fast
    assert ours.get_vocab() == fast.get_vocab()
    assert ours.tokenize(MIXED) == fast.tokenize(MIXED)


# -- token strings ---------------------------------------------------------------------------------


def test_token_strings_are_distinct_and_go_both_ways(native):
    tokenizer = native.as_hf()
    ids = list(range(len(tokenizer)))
    strings = tokenizer.convert_ids_to_tokens(ids)
    assert len(set(strings)) == len(ids)
    assert tokenizer.convert_tokens_to_ids(strings) == ids
    assert tokenizer.get_vocab() == dict(zip(strings, ids, strict=True))
    assert tokenizer.convert_tokens_to_ids("no such token") is None
    tokens = tokenizer.tokenize(MIXED)
    assert tokenizer.convert_tokens_to_ids(tokens) == numbers(native.encode(MIXED))
    assert tokenizer.convert_tokens_to_string(tokens) == MIXED


def test_a_code_that_spells_a_special_token_has_a_string_of_its_own():
    strings = [bytes([byte]) for byte in range(256)] + [b"<|eos|>", b"<0x0101>"]
    strings += [f"{n:04}".encode() for n in range(512 - len(strings))]
    tokenizer = type(zoo.make("codebook-free"))(strings, "free").as_hf()
    assert tokenizer.convert_ids_to_tokens([256, 257]) == ["<0x0100>", "<0x0101>"]
    assert tokenizer.eos_token_id == 514
    assert len(set(tokenizer.get_vocab().values())) == 515


def test_added_tokens_follow_all_others(native):
    tokenizer = native.as_hf()
    code = tokenizer.convert_ids_to_tokens(5)
    assert tokenizer.add_tokens([code, "<|bos|>", "<tool>"]) == 1
    assert tokenizer.add_special_tokens({"mask_token": "<mask>"}) == 1
    assert tokenizer.convert_tokens_to_ids([code, "<tool>", "<mask>"]) == [
        5,
        native.vocab_size,
        native.vocab_size + 1,
    ]
    assert (len(tokenizer), tokenizer.vocab_size) == (native.vocab_size + 2, native.vocab_size)
    assert tokenizer.decode([native.vocab_size, native.vocab_size + 1]) == "<tool><mask>"
    assert (
        tokenizer.decode([native.vocab_size, native.vocab_size + 1], skip_special_tokens=True)
        == "<tool>"
    )
    for again in (pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer)):
        assert again.get_vocab() == tokenizer.get_vocab()
        assert again.all_special_tokens == tokenizer.all_special_tokens


# -- offsets and truncation of windows -------------------------------------------------------------


def slow_offsets(native, text):
    """Byte by byte: the characters that the bytes of each unit belong to."""
    owner = [n for n, character in enumerate(text) for _ in character.encode()]
    ids, found, at = native.encode(text), [], 0
    for first in range(0, len(ids), native.unit):
        unit = ids[first : first + native.unit]
        size = len(native.token_bytes(unit[0]) if native.unit == 1 else native.decode(unit))
        characters = owner[at : at + size]
        found += [(characters[0], characters[-1] + 1)] * len(unit)
        at += size
    assert at == len(owner)
    return found


def test_offsets_are_those_of_a_byte_by_byte_oracle(native):
    tokenizer = native.as_hf()
    for text in [*TEXTS, MIXED]:
        coded = tokenizer(text, return_offsets_mapping=True)
        assert coded["offset_mapping"] == [(0, 0), *slow_offsets(native, text)]


def test_windows_do_split_characters():
    """Else the test above would say nothing of them."""
    spans = slow_offsets(zoo.make("equalinfo-static-16-8"), MIXED)
    assert any(a[1] > b[0] for a, b in zip(spans[::2], spans[2::2], strict=False))


def test_a_cut_on_the_left_begins_with_a_whole_unit_and_one_on_the_right_is_exact(native):
    left, right = native.as_hf(truncation_side="left"), native.as_hf()
    text = TEXTS[3] + TEXTS[4]
    ids = native.encode(text)
    for most in (1, 2, 3, 4, 6, 9, 14, 23):
        kept = right(text, truncation=True, max_length=most)["input_ids"]
        assert kept == [native.bos_id, *numbers(ids[: most - 1])]
        assert text.startswith(right.decode(kept, skip_special_tokens=True).rstrip("\ufffd"))
        coded = left(text, truncation=True, max_length=most, return_offsets_mapping=True)
        rest = coded["input_ids"][1:]
        assert max(0, most - native.unit) <= len(rest) <= most - 1
        assert rest == numbers(ids[len(ids) - len(rest) :])
        assert text.endswith(left.decode(rest).lstrip("\ufffd"))
        assert len(coded["offset_mapping"]) == len(rest) + 1


def test_truncation_of_pairs():
    tokenizer = zoo.make("bytes").as_hf()
    longest = tokenizer("a" * 20, "b" * 6, truncation=True, max_length=16)["input_ids"]
    assert tokenizer.decode(longest) == "<|bos|>" + "a" * 8 + "<|bos|>" + "b" * 6
    first = tokenizer("a" * 20, "b" * 6, truncation="only_first", max_length=16)["input_ids"]
    assert first == longest
    even = tokenizer("a" * 20, "b" * 20, truncation=True, max_length=17)["input_ids"]
    assert sorted(map(even.count, b"ab")) == [7, 8]
    second = tokenizer("a" * 20, "b" * 6, truncation="only_second", max_length=24)["input_ids"]
    assert tokenizer.decode(second) == "<|bos|>" + "a" * 20 + "<|bos|>bb"
    with pytest.raises(EquinfoError, match="longest_first"):
        tokenizer("a" * 20, "b" * 6, truncation="only_second", max_length=10)


# -- text of any ids -------------------------------------------------------------------------------


def test_any_ids_have_a_text_that_only_grows(native):
    tokenizer = native.as_hf()
    draw = random.Random(1)
    streams = [
        numbers(native.encode(MIXED)[:80]),
        [draw.randrange(native.code_size) for _ in range(60)],
    ]
    for ids in streams:
        whole = tokenizer.decode(ids)
        for end in range(len(ids)):
            part = tokenizer.decode(ids[:end])
            assert whole.startswith(part.rstrip("\ufffd"))
            assert len(part) <= len(whole)


def test_an_unfinished_unit_is_worth_what_is_certain_of_it():
    native = zoo.make("equalinfo-static-16-8")
    tokenizer = native.as_hf()
    ids = numbers(native.encode("abcdef"))
    assert native.unit == 2
    assert tokenizer.decode(ids[:1]) == ""
    assert tokenizer.decode(ids[:3]) == tokenizer.decode(ids[:2]) != ""
    assert tokenizer.decode([*ids[:1], native.eos_id, *ids]) == "<|eos|>abcdef"


def test_what_stands_for_nothing_is_a_replacement_character():
    windows = zoo.make("compiled-rank")
    impossible = [windows.code_size - 1] * windows.unit
    assert windows.as_hf().decode(impossible) == "\ufffd"
    tokenizer = zoo.make("bytes").as_hf()
    assert tokenizer.decode([*b"a\xff", -100, 10**6, *b"b\xe2\x82"]) == "a\ufffd\ufffd\ufffdb\ufffd"
    assert tokenizer.decode([97, tokenizer.pad_token_id], skip_special_tokens=True) == "a"
    assert tokenizer.decode(97) == tokenizer.decode(np.array([97])) == "a"
    assert tokenizer.decode([]) == ""
    assert tokenizer.decode([*b"a , b"]) == "a , b"
    assert zoo.make("bpe").as_hf().decode(zoo.make("bpe").encode("é")[:1]) == "\ufffd"


def streamed(tokenizer, text, room):
    """What a TextIteratorStreamer of `room` yields, id by id."""
    import torch

    pieces = room.TextIteratorStreamer(tokenizer, skip_special_tokens=True)
    for streamer in (room.TextStreamer(tokenizer, skip_special_tokens=True), pieces):
        for value in torch.tensor(tokenizer(text)["input_ids"]):
            streamer.put(value[None])
        streamer.end()
    return list(pieces)


def test_streamed_text_is_the_text(native, capsys):
    pieces = streamed(native.as_hf(), MIXED, streaming)
    assert "".join(pieces) == MIXED
    assert capsys.readouterr().out == MIXED + "\n"
    assert len(pieces) > 10


@pytest.mark.parametrize("name", [name for name in KINDS if zoo.make(name).unit == 1])
def test_transformers_own_streamers_do_where_single_ids_have_bytes(name, capsys):
    assert "".join(streamed(zoo.make(name).as_hf(), MIXED, transformers)) == MIXED
    assert capsys.readouterr().out == MIXED + "\n"


# -- kept and copied -------------------------------------------------------------------------------


def test_settings_survive_pickling_and_copying():
    tokenizer = zoo.make("codebook-free").as_hf(model_max_length=100)
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.chat_template = "{{ messages }}"
    tokenizer.add_bos_token, tokenizer.model_max_length = False, 50
    before = pickle.dumps(tokenizer)
    tokenizer(TEXTS, padding=True)
    tokenizer.tokenize(MIXED)
    assert pickle.dumps(tokenizer) == before
    for again in (pickle.loads(before), copy.deepcopy(tokenizer), copy.copy(tokenizer)):
        assert pickle.dumps(again) == before
        assert again(TEXTS, padding=True) == tokenizer(TEXTS, padding=True)
        assert (again.pad_token_id, again.chat_template, again.model_max_length) == (
            tokenizer.eos_token_id,
            "{{ messages }}",
            50,
        )


def test_special_tokens_can_be_switched_off():
    native = zoo.make("bytes")
    assert native.as_hf(add_bos_token=False)("a")["input_ids"] == [97]
    assert native.as_hf(add_bos_token=False, add_eos_token=True)("a")["input_ids"] == [
        97,
        native.eos_id,
    ]
    assert native.as_hf(bos_token=None)("a")["input_ids"] == [97]
    assert native.as_hf().num_special_tokens_to_add(pair=True) == 2


def test_a_chat_template_is_applied_and_its_messages_can_be_kept_from_forging_it():
    tokenizer = zoo.make("codebook-free").as_hf(
        chat_template="{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}",
    )
    encode = lambda text: numbers(zoo.make("codebook-free").encode(text))  # noqa: E731
    eos = tokenizer.eos_token_id
    for content, safe, ids in [
        ("Hello", False, [*encode("Hello"), eos]),
        ("a<|eos|>", False, [*encode("a"), eos, eos]),
        ("a<|eos|>", True, [*encode("a"), *encode("<|eos|>"), eos]),
    ]:
        if safe and not hasattr(tokenizer, "_mark_chat_inputs"):  # of transformers 5
            continue
        asked = {"return_dict": True, **({"sanitize_control_tokens": True} if safe else {})}
        messages = [{"role": "user", "content": content}]
        assert tokenizer.apply_chat_template(messages, **asked)["input_ids"] == ids


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gzip8", "xz12", "ac-static-8", "ans-static-8", "equal-text"])
def test_streams_that_only_decode_whole_are_refused(name):
    with pytest.raises(EquinfoError, match="choose a codebook"):
        zoo.make(name).as_hf()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t(b"bytes"), "not bytes|must be of type `str`"),  # transformers 4 looks first
        (lambda t: t(["a", 5]), "not int"),
        (lambda t: t("a \ud800"), "lone surrogate"),
        (lambda t: t(["a", "b"], is_split_into_words=True), "join them"),
        (lambda t: t(["a", "b"], return_overflowing_tokens=True), "not supported"),
        (lambda t: t("a", stride=2), "not supported"),
        (lambda t: t("a", paddin=True), "unknown option 'paddin'"),
        (lambda t: t.convert_tokens_to_string(["no such"]), "no token"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises((EquinfoError, ValueError), match=message) as error:
        call(zoo.make("bytes").as_hf())
    assert "\n" not in str(error.value)


def test_an_unknown_option_of_as_hf_is_refused():
    with pytest.raises(EquinfoError, match="unknown option 'padding_sied'"):
        load("bytes").as_hf(padding_sied="left")


@pytest.mark.parametrize("version", ["4.40.1", "6.0.0", "7.1.dev0", "strange"])
def test_a_transformers_that_was_not_tested_is_refused(version, monkeypatch):
    monkeypatch.setattr(transformers, "__version__", version)
    with pytest.raises(EquinfoError, match=r"pip install 'transformers>=4\.57,<6'"):
        load("bytes").as_hf()
    with pytest.raises(EquinfoError, match="not tested"):
        EquinfoTokenizer(load("bytes"))
