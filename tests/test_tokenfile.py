"""Token files: whole, or refused with a reason."""

import hashlib
import struct

import numpy as np
import pytest

import equinfo
from equinfo import tokenfile
from equinfo.errors import EquinfoError

TEXT = b"In the beginning was the Word." * 20


@pytest.mark.parametrize("name", ["bytes", "gzip8", "gzip12", "gzip16"])
@pytest.mark.parametrize("text", [b"", TEXT, bytes(range(256))])
def test_round_trip(name, text):
    tokenizer = equinfo.load(name)
    content = tokenfile.to_bytes(tokenizer, tokenizer.encode(text), len(text))
    assert tokenfile.from_bytes(tokenizer, content) == text


@pytest.mark.parametrize(("size", "dtype"), [(256, "u1"), (257, "u2"), (65536, "u2"), (65537, "u4")])
def test_ids_take_the_narrowest_type(size, dtype):
    assert tokenfile.code_dtype(size) == np.dtype("<" + dtype)


def test_any_flipped_bit_or_cut_is_refused():
    tokenizer = equinfo.load("bytes")
    content = tokenfile.to_bytes(tokenizer, tokenizer.encode(TEXT[:40]), 40)
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << (at % 8)
        with pytest.raises(EquinfoError):
            tokenfile.from_bytes(tokenizer, bytes(damaged))
        with pytest.raises(EquinfoError):
            tokenfile.from_bytes(tokenizer, content[:at])


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"[]", b"[" * 100_000, b'{"dtype": "object"}', b'{"dtype": "uint16"}', b'{"dtype": []}', b"\xff"],
)
def test_a_header_of_anothers_making_is_refused(header):
    content = tokenfile.MAGIC + struct.pack("<I", len(header)) + header + b"abc"
    for length in (content, tokenfile.MAGIC + b"\xff\xff\xff\xff" + header):
        with pytest.raises(EquinfoError, match="has a header that"):
            tokenfile.read(length + hashlib.sha256(length).digest())


def test_another_tokenizers_file_is_refused_by_name():
    gzip, plain = equinfo.load("gzip8"), equinfo.load("bytes")
    content = tokenfile.to_bytes(gzip, gzip.encode(TEXT), len(TEXT))
    with pytest.raises(EquinfoError, match=r"written by GZip\[v=256\].* not by Bytes"):
        tokenfile.from_bytes(plain, content)
