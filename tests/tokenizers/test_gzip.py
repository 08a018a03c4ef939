"""GZip[v]: what is no stream of ours is refused, in bounded memory; another Deflate encodes nothing."""

import zlib

import numpy as np
import pytest

import equinfo
from equinfo.compress import bits as bitstream
from equinfo.errors import EquinfoError
from equinfo.tokenizers import gzip
from equinfo.tokenizers.gzip import GZipTokenizer

TEXT = b"And God said, Let there be light: and there was light. " * 9


@pytest.fixture(params=[8, 12, 16])
def tokenizer(request):
    return GZipTokenizer(request.param)


def ids_of(tokenizer, stream: bytes) -> np.ndarray:
    return bitstream.pack(stream, 8 * len(stream), tokenizer.bits)


def stream_of(tokenizer, document: bytes) -> bytes:
    data, _ = bitstream.unpack(tokenizer.encode(document), tokenizer.bits)
    return data.tobytes()


def test_ids_are_the_bits_of_one_zlib_stream(tokenizer):
    inflater = zlib.decompressobj()
    assert inflater.decompress(stream_of(tokenizer, TEXT)) == TEXT
    assert inflater.eof
    assert len(inflater.unused_data) * 8 < tokenizer.bits


def test_any_cut_is_refused(tokenizer):
    ids = tokenizer.encode(TEXT)
    for cut in range(len(ids)):
        with pytest.raises(EquinfoError, match=r"was cut short|is none"):
            tokenizer.decode(ids[:cut])


def test_anything_after_the_end_is_refused(tokenizer):
    for length in range(20, 28):  # every place of the end within an id
        ids = tokenizer.encode(bytes(range(length)))
        for more in ([0], [1], ids.tolist()):
            with pytest.raises(EquinfoError, match="goes on after its end"):
                tokenizer.decode([*ids.tolist(), *more])


@pytest.mark.parametrize("bits", [12, 16])
def test_padding_must_be_zero(bits):
    tokenizer = GZipTokenizer(bits)
    padded = 0
    for length in range(20, 28):
        ids = tokenizer.encode(np.random.default_rng(length).bytes(length)).tolist()
        data, num_bits = bitstream.unpack(np.array(ids), bits)
        inflater = zlib.decompressobj()
        inflater.decompress(data.tobytes())
        if num_bits > 8 * (len(data) - len(inflater.unused_data)):
            padded += 1
            with pytest.raises(EquinfoError, match="goes on after its end"):
                tokenizer.decode([*ids[:-1], ids[-1] | 1])
    assert padded


def test_any_flipped_bit_is_refused(tokenizer):
    ids = tokenizer.encode(TEXT).astype(np.int64)
    for at in range(len(ids)):
        damaged = ids.copy()
        damaged[at] ^= 1 << (at % tokenizer.bits)
        with pytest.raises(EquinfoError):
            tokenizer.decode(damaged)


def test_a_bomb_stops_at_the_limit(tokenizer, monkeypatch):
    monkeypatch.setattr(gzip, "MAX_DOCUMENT", 5000)
    assert tokenizer.decode(tokenizer.encode(bytes(5000))) == bytes(5000)
    with pytest.raises(EquinfoError, match="decodes to more than 5000 bytes"):
        tokenizer.decode(ids_of(tokenizer, zlib.compress(bytes(5001))))
    with pytest.raises(EquinfoError, match="document 1 has 5001 bytes"):
        tokenizer.encode_batch([b"", bytes(5001)])


def test_another_deflate_decodes_and_refuses_to_encode(tmp_path, monkeypatch):
    made = GZipTokenizer(8)
    made.save(tmp_path / "t")
    ids = made.encode(TEXT)
    monkeypatch.setattr(gzip, "probe_hash", lambda: "another")
    loaded = equinfo.load(tmp_path / "t")
    assert loaded.fingerprint == made.fingerprint
    assert loaded.decode(ids) == TEXT
    with pytest.raises(EquinfoError, match="made with another Deflate"):
        loaded.encode(TEXT)
    assert GZipTokenizer(8).fingerprint != made.fingerprint


@pytest.mark.parametrize("bits", [0, 7, 17, 32])
def test_other_widths_are_refused(bits):
    with pytest.raises(EquinfoError, match="choose one of 8, 12, 16"):
        GZipTokenizer(bits)
