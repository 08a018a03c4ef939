"""The page's views, functions from text to HTML, say what the library says; nothing is markup."""

import html.parser
import re

import numpy as np
import pytest
import tokenizer_zoo as zoo

import equinfo
from equinfo.compress.models import byte_bits
from equinfo.errors import EquinfoError
from equinfo.playground import markup, views
from equinfo.playground.edits import edits
from equinfo.playground.readings import (
    LONGEST,
    by_character,
    clean,
    default_tokenizers,
    load_all,
    longest,
    read,
)
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer

TEXT = "In the beginning – é 文字\n\tGod created the heaven & the earth."
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> \"'&amp; </li></ol>"
    " \x00\x1b[31m\u202e ${1} {{value}}"
)
NAMES = [
    "bytes",
    "bpe",
    "unigram",
    "gzip8",
    "gzip-narrow",
    "codebook-superword",
    "compiled-free",
    "ac-static-8",
]
NAMES += ["equalinfo-counts-16-16", "equalinfo-static-24-12", "equal-text", "windows-reset"]
TOKENIZERS = {name: zoo.make(name) for name in NAMES}
MODEL = zoo.byte_model("counts")


class Seen(html.parser.HTMLParser):
    """Tags, attribute names, and the text of each list by its aria-label."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.lists, self.labels = set(), set(), {}, []
        self.inside, self.text, self.small = None, "", False
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.add(tag)
        self.attributes |= set(values)
        self.small = tag == "small"
        if tag == "ol":
            self.inside = values["aria-label"]
            self.lists[self.inside] = []
        if tag == "li" and "aria-label" in values:
            self.lists[self.inside].append("")
            self.labels.append(values["aria-label"])

    def handle_endtag(self, tag):
        self.small = False
        if tag == "ol":
            self.inside = None

    def handle_data(self, data):
        self.text += data
        if self.inside and not self.small:
            self.lists[self.inside][-1] += data


def everything(tokenizers, text, words=("The", "A")) -> str:
    return "".join(
        [
            views.pieces_view(tokenizers, text),
            views.pieces_view(tokenizers, text, with_ids=True),
            *(views.bits_view(tokenizers, MODEL, text, label) for label in tokenizers),
            views.prefix_view(tokenizers, text, *words),
            views.written_view(text, text, read("lm", zoo.make("bytes"), text), 1.0),
        ]
    )


@pytest.mark.parametrize("with_ids", [False, True])
def test_the_pieces_join_to_the_text_and_are_those_of_the_spans(with_ids):
    text = TEXT.encode("ascii", "ignore").decode()
    seen = Seen(views.pieces_view(TOKENIZERS, text, with_ids))
    for label, tokenizer in TOKENIZERS.items():
        shown = seen.lists[f"Pieces of {label}"]
        assert "".join(shown) == text
        data = text.encode()
        assert shown == [data[span.start : span.end].decode() for span in tokenizer.spans(text)]


def test_a_card_has_the_tokenizers_numbers():
    source = views.pieces_view(TOKENIZERS, TEXT)
    size = len(TEXT.encode())
    for label, tokenizer in TOKENIZERS.items():
        ids = tokenizer.encode(TEXT)
        rate = len(ids) * np.log2(tokenizer.code_size) / size
        cells = re.search(
            rf"<span>{label}</span><span>(.*?)</span><span>(.*?)</span><span>(.*?)</span>", source
        )
        assert cells.groups() == (f"{len(ids):,}", f"{size / len(ids):.2f}", f"{rate:.2f}")


def test_a_pieces_label_has_its_ids_and_bits():
    labels = Seen(views.pieces_view({"b": equinfo.load("bytes")}, "a\n")).labels
    assert labels == [
        "“a” · id 97 · 8 bits · 8.00 bits/byte",
        "“\\n” · id 10 · 8 bits · 8.00 bits/byte",
    ]


def test_nothing_of_a_text_a_word_or_a_name_is_markup():
    seen = Seen(
        everything({HOSTILE: zoo.make("bytes"), "x": zoo.make("gzip8")}, HOSTILE, (HOSTILE, "<b>"))
    )
    plain = Seen(
        everything({"y": zoo.make("bytes"), "x": zoo.make("gzip8")}, "plain", ("plain", "word"))
    )
    assert seen.tags == plain.tags
    assert seen.attributes == plain.attributes
    assert "alert(1)" in seen.text
    assert not set("\x00\x1b\u202e") & set(seen.text.replace(HOSTILE, ""))
    assert {"script", "img", "svg", "a", "style"}.isdisjoint(seen.tags)
    assert Seen(markup.error(HOSTILE)).tags == {"p"}


def test_spaces_newlines_and_what_is_no_character_are_visible():
    assert (
        markup.shown(b" \n\t")
        == '<i class="eq-space"> </i><i class="eq-newline">\n</i><i class="eq-tab">\t</i>'
    )
    assert (
        markup.shown(b"\xc3<\x1b")
        == '<i class="eq-escaped">\\xc3</i>&lt;<i class="eq-escaped">\\x1b</i>'
    )


@pytest.mark.parametrize("text", ["", "a", TEXT, "🙂", "\n"])
def test_every_view_takes_every_text(text):
    assert "Only the first" not in Seen(everything(TOKENIZERS, text, ("", ""))).text


def test_a_long_text_is_cut_and_every_view_says_so():
    seen = Seen(everything({"b": equinfo.load("bytes")}, "x" * 5000))
    for most in (LONGEST, views.CHARTED):
        assert f"Only the first {most:,} of 5,000 characters." in seen.text


def test_the_chart_has_a_column_for_each_character_and_both_numbers():
    text, tokenizer = "the é 文", zoo.make("codebook-superword")
    reading, known = read("c", tokenizer, text), by_character(text, byte_bits(MODEL, text.encode()))
    spent = by_character(text, reading.spent)
    source = views.bits_view({"c": tokenizer}, MODEL, text, "c")
    labels = Seen(source).labels
    assert len(labels) == len(text)
    for label, m1, own in zip(labels, known, spent, strict=True):
        assert f"{m1:.2f} bits under english-m1" in label
        assert f"{own:.2f} by c" in label
    assert sum(spent) == pytest.approx(reading.bits)
    assert f'<th scope="row">c</th><td>{reading.bits:,.0f}</td>' in source


def test_m1s_bits_are_those_that_arithmetic_coding_takes():
    data = (TEXT * 5).encode()
    bits = sum(byte_bits(MODEL, data))
    coded = 8 * len(ArithmeticTokenizer(MODEL, 8).encode(data))
    assert bits <= coded < bits + 40


def test_the_prefix_view_counts_edits_of_ids():
    source = views.prefix_view(TOKENIZERS, TEXT, "The", "Another")
    for label, tokenizer in TOKENIZERS.items():
        a, b = (tokenizer.encode(f"{word} {TEXT}").tolist() for word in ("The", "Another"))
        found = edits(a, b)
        row = "".join(
            f"<span>{cell}</span>"
            for cell in [len(a), len(b), found.distance, f"{100 * found.share:.0f} %"]
        )
        assert f"<span>{label}</span>{row}" in source
        assert f"{found.kept_a.sum()} of {len(a)} ids stay" in source


def test_equal_words_change_nothing():
    source = views.prefix_view(TOKENIZERS, TEXT, "Same", " Same ")
    assert "eq-changed" not in source
    assert source.count("<span>0 %</span>") == len(TOKENIZERS)


def test_what_a_browser_sends_is_bounded_and_made_text():
    assert clean(None) == ""
    assert clean("x" * 9999) == "x" * LONGEST
    assert clean("\ud83d\ude42 \ud83d") == "🙂 \ufffd"
    assert len(clean("🙂" * 9999)) == LONGEST


def test_a_slow_tokenizer_is_given_less_and_says_so():
    tokenizer = equinfo.load("bytes")
    type_ = type("Slow", (type(tokenizer),), {"m1_parameters": 100_000_000})
    slow = type_()
    assert longest(tokenizer) == LONGEST > longest(slow) >= 100
    source = views.pieces_view({"slow": slow}, "x" * LONGEST)
    assert f"Only the first {longest(slow):,} characters" in source
    assert f"<span>{longest(slow):,}</span>" in source
    assert "eq-changed" not in views.prefix_view({"slow": slow}, "x" * 300, "", "")


def test_more_pieces_than_can_be_drawn_are_counted():
    source = views.pieces_view({"b": equinfo.load("bytes")}, "🙂" * 1000)
    assert Seen(source).lists["Pieces of b"][-1].endswith("… and 2,000 more")


def test_tokenizers_are_loaded_once_and_named_apart(tmp_path):
    for name, text in (("a", b"one text " * 9), ("b", b"another " * 9)):
        equinfo.train_tokenizer("bpe", tmp_path / name / "tok", [text], size=260)
    found = load_all(
        ["bytes", tmp_path / "a" / "tok", "bytes", tmp_path / "b" / "tok", zoo.make("bytes")]
    )
    other = equinfo.load(tmp_path / "b" / "tok")
    assert list(found) == ["bytes", "tok", f"tok ({other.fingerprint[:8]})", "Bytes"]
    for wrong, message in (
        ([], "name one tokenizer"),
        (["nothing-here"], "no tokenizer 'nothing-here'"),
    ):
        with pytest.raises(EquinfoError, match=message):
            load_all(wrong)


def test_the_default_tokenizers_load():
    assert list(load_all(default_tokenizers()))[:2] == ["bytes", "english-16k"]


def test_an_error_is_a_line_on_the_page():
    def fails(text: str) -> str:
        raise EquinfoError(f"cannot cut {text}")

    assert (
        views.or_error(fails, "<b>") == '<p class="eq-error" role="alert">cannot cut &lt;b&gt;</p>'
    )
