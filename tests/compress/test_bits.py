import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress import bits
from equinfo.compress.bits import Packer, Unpacker
from equinfo.errors import EquinfoError


def as_string(data, num_bits):
    return "".join(f"{byte:08b}" for byte in data)[:num_bits]


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=40), width=st.integers(1, 32), missing=st.integers(0, 7))
def test_ids_are_the_bitstring_cut_every_width_bits(data, width, missing):
    num_bits = max(8 * len(data) - missing, 0)
    text = as_string(data, num_bits)
    text += "0" * (-len(text) % width)
    expected = [int(text[at : at + width], 2) for at in range(0, len(text), width)]
    assert bits.pack(data, num_bits, width).tolist() == expected


@settings(max_examples=200, deadline=None)
@given(width=st.integers(1, 32), seed=st.integers(0, 999), count=st.integers(0, 50))
def test_unpack_inverts_pack(width, seed, count):
    ids = np.random.default_rng(seed).integers(0, 1 << width, count)
    data, num_bits = bits.unpack(ids, width)
    assert num_bits == count * width
    assert len(data) == -(-num_bits // 8)
    assert bits.pack(data, num_bits, width).tolist() == ids.tolist()


@settings(max_examples=200, deadline=None)
@given(
    width=st.integers(1, 16),
    data=st.binary(max_size=40),
    missing=st.integers(0, 7),
    size=st.integers(1, 9),
)
def test_pieces_are_packed_and_unpacked_as_the_whole(width, data, missing, size):
    """A byte comes out with the id that completes it, and less than one period is held."""
    array, num_bits = np.frombuffer(data, dtype=np.uint8), max(8 * len(data) - missing, 0)
    whole = bits.pack(data, num_bits, width)
    packer, unpacker = Packer(width), Unpacker(width)
    last = num_bits // 8 // size * size
    parts = [packer.feed(array[at : at + size]) for at in range(0, last, size)]
    parts.append(packer.finish(array[last:], num_bits - 8 * last))
    assert np.concatenate(parts).tolist() == whole.tolist()
    out = []
    for at in range(0, len(whole), size):
        out += unpacker.feed(whole[at : at + size]).tolist()
        assert len(out) == min(at + size, len(whole)) * width // 8
        assert len(unpacker.held) < unpacker.period <= 8
    assert out + unpacker.finish().tolist() == bits.unpack(whole, width)[0].tolist()


def test_the_last_id_and_the_last_byte_are_padded_with_zero_bits():
    assert bits.pack(b"\xff", 8, 12).tolist() == [0xFF0]
    data, num_bits = bits.unpack(np.array([0xFFF]), 12)
    assert (data.tolist(), num_bits) == ([0xFF, 0xF0], 12)


def test_golden_ids_of_twelve_bits():
    assert bits.pack(bytes.fromhex("123456789abc"), 48, 12).tolist() == [0x123, 0x456, 0x789, 0xABC]


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 100), width=st.integers(0, 60), seed=st.integers(0, 999))
def test_bits_that_were_put_can_be_got(at, width, seed):
    value = int(np.random.default_rng(seed).integers(0, 1 << 60)) >> (60 - width)
    data = np.zeros(24, dtype=np.uint8)
    bits.put_bits(data, at, value, width)
    written = f"{value:0{width}b}" if width else ""
    assert as_string(data, 192) == ("0" * at + written).ljust(192, "0")
    assert bits.get_bits(data, at, width) == value


def test_bits_beyond_the_end_are_zero():
    assert bits.get_bits(np.array([0xFF], dtype=np.uint8), 4, 12) == 0xF00


@pytest.mark.parametrize("width", [0, 33, -1])
def test_impossible_widths_are_refused(width):
    with pytest.raises(EquinfoError, match="width"):
        bits.pack(b"ab", 16, width)
    with pytest.raises(EquinfoError, match="width"):
        bits.unpack(np.array([1]), width)


def test_more_bits_than_there_are_are_refused():
    with pytest.raises(EquinfoError, match="17 bits"):
        bits.pack(b"ab", 17, 8)
