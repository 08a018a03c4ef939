"""Window rules and equal text as tokenizers: names, hashes, pieces, and where streams may end."""

import numpy as np
import pytest
from tokenizer_zoo import WINDOW_OPTIONS, byte_model, make, training_text

import equinfo
from equinfo.errors import EquinfoError
from equinfo.tokenizers import registry
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer

TEXT = b"".join(training_text())[:3000]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("windows-delay", "EqualInfoAC[b=16,v=256,delay]"),
        ("windows-reserve", "EqualInfoAC[b=24,v=65k,reserve,reset=0]"),
        ("windows-reset", "EqualInfoAC[b=32,v=4096,reset=2]"),
        ("equal-text", "EqualTextAC[t=8,v=256]"),
    ],
)
def test_names_tell_rules_apart(name, label):
    assert make(name).name == label


def test_defaults_are_not_stored_so_old_artefacts_keep_their_hashes():
    plain = EqualInfoTokenizer(byte_model("static"), 16, 8)
    assert plain.artifact.config["options"] == {"bits": 16, "width": 8, "max_window": 64}
    assert plain.name == "EqualInfoAC[b=16,v=256]"
    assert (
        plain.fingerprint
        == EqualInfoTokenizer(byte_model("static"), 16, 8, 64, "free", 1).fingerprint
    )


@pytest.mark.parametrize(
    "name", [*WINDOW_OPTIONS, "equalinfo-static-24-16", "equalinfo-counts-32-12"]
)
def test_pieces_make_the_ids_of_the_whole(name):
    tokenizer, rng = make(name), np.random.default_rng(4)
    data = np.frombuffer(TEXT, dtype=np.uint8)
    whole = tokenizer.encode(TEXT)
    encoder, decoder = tokenizer.encoder(), tokenizer.decoder()
    ids = [
        encoder.feed(part.tobytes())
        for part in np.split(data, np.sort(rng.integers(0, len(data), 8)))
    ]
    assert sum(map(len, ids)) > 0.8 * len(whole)
    ids.append(encoder.finish())
    assert all(part.dtype == tokenizer.dtype for part in ids)
    np.testing.assert_array_equal(np.concatenate(ids), whole)
    parts = [
        decoder.feed(part) for part in np.split(whole, np.sort(rng.integers(0, len(whole), 8)))
    ]
    assert sum(map(len, parts)) > 0.8 * len(TEXT)
    assert b"".join([*parts, decoder.finish()]) == TEXT


@pytest.mark.parametrize("name", [*WINDOW_OPTIONS, "equalinfo-static-32-12"])
def test_ids_that_end_inside_a_window_are_refused_at_the_finish(name):
    tokenizer = make(name)
    if tokenizer.unit == 1:
        pytest.skip("every id is a window")
    refused = 0
    whole = tokenizer.encode(TEXT[:200])
    for cut in range(1, len(whole)):
        decoder = tokenizer.decoder()
        try:
            read = decoder.feed(whole[:cut]) + decoder.finish()
        except EquinfoError:
            refused += 1
        else:
            assert TEXT[:200].startswith(read)
    assert refused > 0


def test_a_document_may_end_with_any_whole_window():
    for name in ("windows-reset", "equalinfo-static-24-16", "windows-delay"):
        tokenizer = make(name)
        for size in (0, 1, 7, 50, 51, 52, 53):
            ids = tokenizer.encode(TEXT[:size])
            assert tokenizer.may_end(ids)
    assert not make("windows-delay").may_end(np.zeros(3))


@pytest.mark.parametrize("rule", ["paper", "unflushed"])
def test_the_papers_rule_says_that_it_loses_text(tmp_path, rule):
    tokenizer = EqualInfoTokenizer(byte_model("static"), 16, 16, rule=rule)
    assert not tokenizer.lossless
    assert make("windows-delay").lossless
    assert tokenizer.decode(tokenizer.encode(TEXT)) != TEXT
    tokenizer.save(tmp_path / "t")
    loaded = equinfo.load(tmp_path / "t")
    assert (loaded.name, loaded.rule, loaded.lossless) == (
        f"EqualInfoAC[b=16,v=65k,{rule}]",
        rule,
        False,
    )


@pytest.mark.parametrize(
    ("model", "reset"), [("counts", 0), ("counts", 2), ("static", 3), ("neural", 2)]
)
def test_the_papers_rule_encodes_where_the_context_runs_on_and_never_decodes(
    tmp_path, model, reset
):
    made = EqualInfoTokenizer(byte_model(model), 24, 12, rule="paper", reset=reset)
    assert not made.lossless
    assert made.name == f"EqualInfoAC[b=24,v=4096,paper,reset={reset}]"
    made.save(tmp_path / "t")
    tokenizer = equinfo.load(tmp_path / "t")
    assert (tokenizer.fingerprint, tokenizer.unit) == (made.fingerprint, None)
    documents = [TEXT[:400], b"", b"a", b"\xff" * 40, TEXT[400:1200]]
    batch = tokenizer.encode_batch(documents)
    for document, ids in zip(documents, batch, strict=True):
        np.testing.assert_array_equal(tokenizer.encode(document), ids)
        encoder = tokenizer.encoder()
        parts = [encoder.feed(document[at : at + 7]) for at in range(0, len(document), 7)]
        np.testing.assert_array_equal(np.concatenate([*parts, encoder.finish()]), ids)
    (span,) = tokenizer.spans(documents[0])
    assert (span.start, span.end, list(span.ids)) == (0, 400, batch[0].tolist())
    for refused in (lambda: tokenizer.decode(batch[0]), lambda: tokenizer.decoder()):
        with pytest.raises(
            EquinfoError, match=f'rule "paper" with reset={reset} only encodes.*choose reset=1'
        ):
            refused()
    with pytest.raises(EquinfoError, match="cannot be compiled"):
        tokenizer.compile()


def test_ids_that_lose_text_are_one_span():
    (span,) = EqualInfoTokenizer(byte_model("static"), 16, 16, rule="paper").spans(TEXT)
    assert (span.start, span.end) == (0, len(TEXT))


@pytest.mark.parametrize("size", [0, 1, 3, 48, 257, 1 << 17, -2])
def test_sizes_that_are_no_power_of_two_are_refused(size):
    for kind in ("ac", "static-ac", "equalinfo", "equaltext", "gzip", "xz", "ans"):
        with pytest.raises(
            EquinfoError, match=f"{kind} with {size} ids: choose a power of two, 2 to 65536"
        ):
            registry.make(kind, size, [TEXT], byte_model("static"))


def test_any_power_of_two_is_a_size():
    model = byte_model("static")
    made = [
        registry.make("ac", 2, m1=model),
        registry.make("equalinfo", 64, m1=model, bits=12),
        registry.make("static-ac", 128, [TEXT]),
        registry.make("gzip", 64),
        registry.make("equaltext", 1024, m1=model),
    ]
    names = [
        "StaticAC[v=2]",
        "EqualInfoAC[b=12,v=64]",
        "StaticAC[v=128]",
        "GZip[v=64]",
        "EqualTextAC[t=8,v=1024]",
    ]
    assert [tokenizer.name for tokenizer in made] == names
    assert [tokenizer.vocab_size for tokenizer in made] == [5, 67, 131, 67, 1027]
    with pytest.raises(EquinfoError, match="ids of 12 bits do not fit windows of 10"):
        registry.make("equalinfo", 4096, m1=model, bits=10)


def test_single_bits_are_the_bits_of_wider_ids():
    """Ids of 1 bit are those of 8 bits, as far as they are not zero."""
    bits, octets = make("ac-static-1").encode(TEXT), make("ac-static-8").encode(TEXT)
    wide = "".join(f"{octet:08b}" for octet in octets)
    assert "".join(map(str, bits)) == wide.rstrip("0")
    assert bits[-1] == 1


def test_make_passes_options_on_and_refuses_those_of_other_families():
    model = byte_model("static")
    windows = {"m1": model, "bits": 12}
    delayed = registry.make("equalinfo", 256, rule="delay", reset=0, **windows)
    assert delayed.name.endswith("delay,reset=0]")
    uncompiled = registry.make("equalinfo", 4096, rule="unflushed", compile=True, **windows)
    assert uncompiled.kind == "equalinfo"
    assert registry.make("equalinfo", 4096, compile=True, **windows).kind == "compiled-equalinfo"
    longer = registry.make("equaltext", 4096, m1=model, text=20)
    assert longer.name == "EqualTextAC[t=20,v=4096]"
    with pytest.raises(EquinfoError, match="windows of 0 bytes"):
        registry.make("equaltext", 256, m1=model, text=0)
    with pytest.raises(EquinfoError, match="Zstd knows no option raw"):
        registry.make("zstd", 256, raw=True)
    with pytest.raises(EquinfoError, match="ac needs a byte model"):
        registry.make("ac", 256)
    with pytest.raises(EquinfoError, match=r"'hf' can be made; known: bpe, unigram"):
        registry.make("hf", 256)


@pytest.mark.parametrize(
    ("bits", "width"), [(12, 12), (16, 8), (16, 12), (12, 8), (12, 1), (12, 5), (9, 7)]
)
def test_by_rank_the_allowed_ids_are_those_that_decode(bits, width):
    """Every way to go on: an id is allowed just where whole windows that begin so decode."""
    tokenizer, rng = (
        EqualInfoTokenizer(byte_model("static"), bits, width, rule="rank"),
        np.random.default_rng(0),
    )
    ids = np.empty(0, dtype=np.int64)
    refused = 0
    for _ in range(40):
        allowed = tokenizer.allowed(ids)
        refused += int((~allowed).sum())
        for code in rng.choice(tokenizer.code_size, 20):
            # zeros to the end of the unit are the smallest way to go on
            rest = -(len(ids) + 1) % tokenizer.unit
            stream = np.concatenate([ids, [code], np.zeros(rest, dtype=np.int64)])
            assert decodes(tokenizer, stream) == allowed[code]
        ids = np.append(
            ids,
            max(np.flatnonzero(allowed))
            if rng.random() < 0.5
            else rng.choice(np.flatnonzero(allowed)),
        )
    assert refused > 0


def decodes(tokenizer, ids):
    try:
        tokenizer.decode(ids)
        return True
    except EquinfoError:
        return False


@pytest.mark.parametrize(
    ("bits", "width"), [(16, 12), (24, 16), (16, 16), (12, 8), (12, 6), (18, 12), (9, 7), (8, 1)]
)
def test_a_stream_may_end_where_it_decodes(bits, width):
    tokenizer, rng = EqualInfoTokenizer(byte_model("static"), bits, width), np.random.default_rng(0)
    for length in range(1, 30):
        ids = rng.integers(0, tokenizer.code_size, length)
        ids[-1] &= -(1 << rng.integers(0, width))
        assert tokenizer.may_end(ids) == decodes(tokenizer, ids)
