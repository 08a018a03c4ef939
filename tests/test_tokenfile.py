"""Token files: whole, or refused with a reason; written and read piece by piece."""

import hashlib
import io
import json
import struct
import zlib

import numpy as np
import pytest

import equinfo
from equinfo import tokenfile
from equinfo.errors import EquinfoError

TEXT = b"In the beginning was the Word." * 20


class Drip(io.RawIOBase):
    """A pipe: a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self.rest = io.BytesIO(content)

    def read(self, size=-1):
        return self.rest.read(min(size, 7))


class Streaming:
    """Bytes as ids, at once: an encoder and decoder that hold nothing back."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def feed(self, data):
        whole = self.tokenizer.encode if isinstance(data, bytes) else self.tokenizer.decode
        return whole(data)

    def finish(self):
        return self.empty


class StreamingEncoder(Streaming):
    empty = np.empty(0, np.uint16)


class StreamingDecoder(Streaming):
    empty = b""


@pytest.fixture
def streaming(monkeypatch):
    tokenizer = equinfo.load("bytes")
    monkeypatch.setattr(type(tokenizer), "encoder", lambda self: StreamingEncoder(self))
    monkeypatch.setattr(type(tokenizer), "decoder", lambda self: StreamingDecoder(self))
    return tokenizer


@pytest.mark.parametrize("name", ["bytes", "gzip1", "gzip6", "gzip8", "gzip12", "gzip16"])
@pytest.mark.parametrize("text", [b"", TEXT, bytes(range(256))])
def test_round_trip(name, text):
    tokenizer = equinfo.load(name)
    content = tokenfile.to_bytes(tokenizer, text)
    assert tokenfile.from_bytes(tokenizer, content) == text
    assert b"".join(tokenfile.read(tokenizer, Drip(content))) == text


@pytest.mark.parametrize(
    ("size", "dtype"), [(256, "u1"), (257, "u2"), (65536, "u2"), (65537, "u4")]
)
def test_ids_take_the_narrowest_type(size, dtype):
    assert tokenfile.code_dtype(size) == np.dtype("<" + dtype)


def test_the_file_does_not_depend_on_the_pieces_and_counts_what_it_holds():
    tokenizer = equinfo.load("bytes")
    data = bytes(range(256)) * 1000  # several frames
    whole, pieces = io.BytesIO(), io.BytesIO()
    assert tokenfile.write(tokenizer, [data], whole) == tokenfile.Counts(len(data), len(data))
    tokenfile.write(tokenizer, [data[at : at + 999] for at in range(0, len(data), 999)], pieces)
    assert whole.getvalue() == pieces.getvalue()
    assert tokenfile.from_bytes(tokenizer, whole.getvalue()) == data


def test_a_long_document_goes_through_as_it_comes(streaming):
    """Neither side waits for the end: frames go while pieces come, pieces while frames come."""
    file, written = io.BytesIO(), []

    def pieces():
        for _ in range(8):
            yield bytes(tokenfile.FRAME)
            written.append(file.tell())

    tokenfile.write(streaming, pieces(), file)
    assert written == sorted(set(written))
    file.seek(0)
    read = tokenfile.read(streaming, file)
    assert len(next(read)) == tokenfile.FRAME
    assert file.tell() < written[1]
    assert sum(map(len, read)) == 7 * tokenfile.FRAME


def test_any_flipped_bit_cut_or_addition_is_refused():
    tokenizer = equinfo.load("bytes")
    content = tokenfile.to_bytes(tokenizer, TEXT[:40])
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << (at % 8)
        for bad in (bytes(damaged), content[:at]):
            with pytest.raises(EquinfoError) as caught:
                tokenfile.from_bytes(tokenizer, bad)
            assert "\n" not in str(caught.value)
    with pytest.raises(EquinfoError, match="goes on after its end"):
        tokenfile.from_bytes(tokenizer, content + b"\0")


def test_what_comes_before_a_damage_is_how_the_document_begins(streaming):
    data = np.random.default_rng(0).bytes(3 * tokenfile.FRAME)
    content = tokenfile.to_bytes(streaming, data)
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    for bad in (bytes(damaged), content[: len(content) // 2]):
        got = b""
        with pytest.raises(EquinfoError, match="cut short or altered"):  # noqa: PT012
            for piece in tokenfile.read(streaming, io.BytesIO(bad)):
                got += piece
        assert len(got) == tokenfile.FRAME
        assert data.startswith(got)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 60_000,
        b'{"dtype": "object"}',
        b'{"dtype": "uint16"}',
        b'{"dtype": []}',
        b"\xff",
    ],
)
def test_a_header_of_anothers_making_is_refused(header):
    content = tokenfile.MAGIC + struct.pack("<I", len(header)) + header + b"abc"
    with pytest.raises(EquinfoError, match="has a header that"):
        tokenfile.from_bytes(equinfo.load("bytes"), content)
    with pytest.raises(EquinfoError, match="cut short or altered: its header has 4294967295 bytes"):
        tokenfile.from_bytes(equinfo.load("bytes"), tokenfile.MAGIC + b"\xff\xff\xff\xff" + header)


def token_file(header: dict, *frames: list, counts: tuple = (), dtype: str = "<u1") -> bytes:
    """A file of Bytes with other values, its hash right."""
    known = equinfo.load("bytes")
    head = {"tokenizer": known.fingerprint, "name": "Bytes", "dtype": "uint8", **header}
    written = json.dumps(head).encode()
    content = tokenfile.MAGIC + struct.pack("<I", len(written)) + written
    for frame in frames:
        data = np.array(frame, dtype).tobytes()
        content += struct.pack("<I", len(frame)) + data + struct.pack("<I", zlib.crc32(data))
    size = sum(map(len, frames))
    content += struct.pack("<IQQ", 0, *(counts or (size, size)))
    return content + hashlib.sha256(content).digest()


@pytest.mark.parametrize(
    "content",
    [
        token_file({"tokenizer": 7}, [1]), token_file({"tokenizer": "x"}, [1]),
        token_file({"name": None}, [1]), token_file({"name": ["\x1b[2J"]}, [1]),
        token_file({"tokenizer": "a" * 64, "name": "\x1b[2J\nBytes"}, [1]),
        token_file({"dtype": "uint16"}, [1, 2], [256], dtype="<u2"),
        token_file({"dtype": "uint32"}, [1 << 31], dtype="<u4"),
        token_file({}, [1, 2], counts=(3, 3)), token_file({}, [1, 2], counts=(2, 1 << 60)),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_file_that_this_tokenizer_did_not_write_is_refused_by_name(content):
    whole = token_file({}, [65, 66], [67])
    assert tokenfile.from_bytes(equinfo.load("bytes"), whole) == b"ABC"
    with pytest.raises(EquinfoError, match=r"^x\.ids") as caught:
        tokenfile.from_bytes(equinfo.load("bytes"), content, "x.ids")
    assert str(caught.value).isprintable()


def test_a_frame_that_promises_too_much_is_refused_before_it_is_held():
    tokenizer = equinfo.load("bytes")
    header = json.dumps(
        {"tokenizer": tokenizer.fingerprint, "name": "x", "dtype": "uint8"}
    ).encode()
    content = tokenfile.MAGIC + struct.pack("<I", len(header)) + header + struct.pack("<I", 1 << 31)
    with pytest.raises(EquinfoError, match="a frame of 2147483648 ids"):
        tokenfile.from_bytes(tokenizer, content)


@pytest.mark.parametrize("version", [1, 3])
def test_another_format_version_is_refused_with_the_remedy(version):
    content = tokenfile.to_bytes(equinfo.load("bytes"), TEXT)
    with pytest.raises(
        EquinfoError,
        match=f"has format version {version} and this equinfo reads version 2: encode it",
    ):
        tokenfile.from_bytes(equinfo.load("bytes"), content[:7] + bytes([version]) + content[8:])


def test_another_tokenizers_file_is_refused_by_name():
    gzip, plain = equinfo.load("gzip8"), equinfo.load("bytes")
    content = tokenfile.to_bytes(gzip, TEXT)
    with pytest.raises(EquinfoError, match=r"written by GZip\[v=256\].* not by Bytes"):
        tokenfile.from_bytes(plain, content)


def test_what_may_come_back_changed_is_refused_before_anything_is_written():
    import tokenizers

    lossy = equinfo.from_pretrained(
        tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    )
    file = io.BytesIO()
    with pytest.raises(EquinfoError, match="is not lossless"):
        tokenfile.write(lossy, [b"a"], file)
    assert not file.getvalue()
    with pytest.raises(EquinfoError, match="use the original"):
        lossy.as_hf()
