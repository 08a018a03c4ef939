"""GZip[v], Zstd[v], XZ[v]: what is no stream is refused, in bounded memory; so is a library."""

import lzma
import tracemalloc
import zlib
from itertools import product

import numpy as np
import pytest
import zstandard

import equinfo
from equinfo.artifacts import Artifact
from equinfo.compress import bits as bitstream
from equinfo.errors import EquinfoError
from equinfo.reading import read_text
from equinfo.tokenizers.opaque import BLOCK, WHOLE, GZipTokenizer, XZTokenizer, ZstdTokenizer

TEXT = b"And God said, Let there be light: and there was light. " * 9
WIDTHS = (5, 8, 12, 16)
CLASSES = [GZipTokenizer, ZstdTokenizer, XZTokenizer]
COMPRESS = {"gzip": zlib.compress, "zstd": zstandard.ZstdCompressor().compress, "xz": lzma.compress}
DECOMPRESSOR = {
    "gzip": zlib.decompressobj,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "xz": lzma.LZMADecompressor,
}


@pytest.fixture(
    params=[(cls, width) for cls in CLASSES for width in WIDTHS], ids=lambda p: f"{p[0].kind}{p[1]}"
)
def tokenizer(request):
    return request.param[0](request.param[1])


def ids_of(tokenizer, stream: bytes) -> np.ndarray:
    return bitstream.pack(stream, 8 * len(stream), tokenizer.bits)


def test_ids_are_the_bits_of_one_stream(tokenizer):
    data, num_bits = bitstream.unpack(tokenizer.encode(TEXT), tokenizer.bits)
    decompressor = DECOMPRESSOR[tokenizer.kind]()
    assert decompressor.decompress(data.tobytes()) == TEXT
    assert decompressor.eof
    assert 0 <= num_bits - 8 * (len(data) - len(decompressor.unused_data)) < tokenizer.bits


def test_raw_deflate_is_the_stream_without_header_and_checksum():
    data, _ = bitstream.unpack(GZipTokenizer(8).encode(TEXT), 8)
    raw, _ = bitstream.unpack(GZipTokenizer(8, raw=True).encode(TEXT), 8)
    assert raw.tobytes() == data.tobytes()[2:-4]
    assert GZipTokenizer(8, raw=True).decode(raw) == TEXT


@pytest.mark.parametrize("cls", CLASSES)
def test_longer_documents_are_blocks_each_a_stream_of_its_own(cls):
    for bits in (8, 12):
        made = cls(bits, block=100)
        for size in (99, 100, 101, 250, 300):
            text = TEXT[:size]
            blocks = [text[at : at + 100] for at in range(0, size + 1, 100)]
            whole = cls(bits)
            assert (
                made.encode(text).tolist()
                == np.concatenate([whole.encode(block) for block in blocks]).tolist()
            )
            assert made.decode(made.encode(text)) == text
    assert cls(8).block == BLOCK == 10_240


@pytest.mark.parametrize("cls", CLASSES)
def test_options_are_part_of_name_and_fingerprint(cls, tmp_path):
    made = [cls(8), cls(12), cls(8, level=9), cls(8, level=1), cls(8, block=99)]
    made += [GZipTokenizer(8, raw=True, level=12, block=5)] if cls is GZipTokenizer else []
    assert len({tokenizer.fingerprint for tokenizer in made}) == len(made)
    assert [tokenizer.name.partition("[")[2] for tokenizer in made][:5] == [
        "v=256]", "v=4096]", "v=256,level=9]", "v=256,level=1]", "v=256,block=99]",
    ]  # fmt: skip
    assert made[-1].name in ("GZip[v=256,raw,level=12,block=5]", f"{cls.label}[v=256,block=99]")
    for number, tokenizer in enumerate(made):
        tokenizer.save(tmp_path / str(number))
        loaded = equinfo.load(tmp_path / str(number))
        assert (loaded.name, loaded.fingerprint) == (tokenizer.name, tokenizer.fingerprint)
        assert loaded.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()


def test_an_artefact_of_before_there_were_blocks_still_is_one_stream(tmp_path):
    probe = GZipTokenizer(8).probe
    artifact = Artifact("gzip", {"bits": 8, "probe": probe}, {})
    artifact.save(tmp_path / "t")
    loaded = equinfo.load(tmp_path / "t")
    assert (loaded.block, loaded.fingerprint) == (WHOLE, artifact.hash)
    text = TEXT * 30
    assert loaded.encode(text).tolist() == list(
        bitstream.unpack(ids_of(loaded, _deflate(text)), 8)[0]
    )
    assert loaded.decode(loaded.encode(text)) == text


def _deflate(text):
    import deflate

    return bytes(deflate.zlib_compress(text, 6))


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (GZipTokenizer, {"level": 0}), (GZipTokenizer, {"level": 13}),
        (ZstdTokenizer, {"level": 20}),
        (XZTokenizer, {"level": 10}), (XZTokenizer, {"block": 0}),
        (ZstdTokenizer, {"block": WHOLE + 1}),
    ],
)  # fmt: skip
def test_other_options_are_refused(cls, options):
    with pytest.raises(EquinfoError, match=r"choose \d+ to \d+"):
        cls(8, **options)
    with pytest.raises(EquinfoError, match="knows no option flavour"):
        cls(8, flavour=1)


def test_any_cut_is_refused(tokenizer):
    ids = tokenizer.encode(TEXT)
    for cut in range(len(ids)):
        with pytest.raises(EquinfoError, match=r"was cut short|is none"):
            tokenizer.decode(ids[:cut])


@pytest.mark.parametrize("cls", CLASSES)
def test_a_cut_between_blocks_is_refused(cls):
    made = cls(8, block=50)
    for size in (100, 120):
        ids = made.encode(TEXT[:size])
        for blocks in (1, 2):
            first = sum(
                len(made.encode(TEXT[50 * n : 50 * n + 50])) - len(made.encode(b""))
                for n in range(blocks)
            )
            with pytest.raises(EquinfoError, match="was cut short"):
                made.decode(ids[:first])


def test_anything_after_the_end_is_refused(tokenizer):
    for length in range(20, 28):  # every place of the end within an id
        ids = tokenizer.encode(bytes(range(length)))
        for more in ([0], [1], ids.tolist()):
            with pytest.raises(EquinfoError, match="goes on after its end"):
                tokenizer.decode([*ids.tolist(), *more])


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("bits", [12, 16])
def test_padding_must_be_zero(cls, bits):
    tokenizer = cls(bits)
    padded = 0
    for length in range(20, 28):
        ids = tokenizer.encode(np.random.default_rng(length).bytes(length)).tolist()
        data, num_bits = bitstream.unpack(np.array(ids), bits)
        decompressor = DECOMPRESSOR[cls.kind]()
        decompressor.decompress(data.tobytes())
        if num_bits > 8 * (len(data) - len(decompressor.unused_data)):
            padded += 1
            with pytest.raises(EquinfoError, match="goes on after its end"):
                tokenizer.decode([*ids[:-1], ids[-1] | 1])
    assert padded or (cls, bits) == (XZTokenizer, 16)  # whose streams are a multiple of four bytes


def test_any_flipped_bit_is_refused_where_there_is_a_checksum(tokenizer):
    ids = tokenizer.encode(TEXT).astype(np.int64)
    for at in range(len(ids)):
        damaged = ids.copy()
        damaged[at] ^= 1 << (at % tokenizer.bits)
        try:
            assert tokenizer.decode(damaged) != TEXT or tokenizer.kind == "zstd"
        except EquinfoError:
            continue
        assert tokenizer.kind == "zstd"


@pytest.mark.parametrize("length", [0, 5, 100])
def test_a_frame_holds_as_many_bytes_as_its_header_says(length, tmp_path):
    """RFC 8878's: one raw block, then an empty last one, after which libzstd does not compare."""
    tokenizer = ZstdTokenizer(8)
    text = TEXT[:length]
    raw = (length << 3).to_bytes(3, "little") + text
    for said in (0, 4, 5, 100, 101):
        frame = b"\x28\xb5\x2f\xfd\x20" + bytes([said]) + raw + b"\x01\x00\x00"
        ids = ids_of(tokenizer, frame)
        pieces = tokenizer.decoder()
        packed = tmp_path / f"{said}.txt.zst"
        packed.write_bytes(frame)
        ways = (
            lambda ids=ids: tokenizer.decode(ids),
            lambda ids=ids, to=pieces: b"".join(to.feed([one]) for one in ids) + to.finish(),
            lambda packed=packed: b"".join(read_text(packed)),
        )
        for way in ways:
            if said == length:
                assert way() == text
            else:
                with pytest.raises(EquinfoError, match=r"is none|altered"):
                    way()


def test_every_short_frame_is_the_same_whole_and_in_pieces():
    tokenizer = ZstdTokenizer(8)

    def outcome(pieces):
        decoder = tokenizer.decoder()
        try:
            return b"".join(map(decoder.feed, pieces)) + decoder.finish()
        except EquinfoError:
            return None

    found = []
    for said, first, second in product((0, 1, 8), range(256), (0, 1, 128)):
        ids = [*b"\x28\xb5\x2f\xfd\x20", said, first, second, 0, *range(said)]
        found.append(outcome([ids]))
        assert found[-1] == outcome([[one] for one in ids])
    assert {None, b"", bytes(range(8))} <= set(found)


def test_a_bomb_stops_at_the_block(tokenizer):
    with pytest.raises(EquinfoError, match=r"decodes to more than 10240 bytes|is none"):
        tokenizer.decode(ids_of(tokenizer, COMPRESS[tokenizer.kind](bytes(BLOCK + 1))))
    bomb = ids_of(tokenizer, COMPRESS[tokenizer.kind](bytes(50_000_000)))
    tracemalloc.start()
    with pytest.raises(EquinfoError, match=r"decodes to more than 10240 bytes|is none"):
        tokenizer.decode(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("cls", CLASSES)
def test_another_library_decodes_and_refuses_to_encode(cls, tmp_path):
    made = cls(8, probe="0" * 64)
    made.save(tmp_path / "t")
    loaded = equinfo.load(tmp_path / "t")
    assert loaded.fingerprint == made.fingerprint != cls(8).fingerprint
    assert loaded.decode(cls(8).encode(TEXT)) == TEXT
    with pytest.raises(EquinfoError, match=f"made with another {cls.package}"):
        loaded.encode(TEXT)
    with pytest.raises(EquinfoError, match=f"made with another {cls.package}"):
        loaded.encoder()


@pytest.mark.parametrize("bits", [0, -8, 17, 32, 8.5, "8"])
def test_other_widths_are_refused(bits):
    with pytest.raises(EquinfoError, match="choose 1 to 16"):
        GZipTokenizer(bits)


@pytest.mark.parametrize("bits", range(1, 17))
def test_any_width_is_the_same_bits(bits):
    """Ready by name, too: a stream's bits are those of 8-bit ids, padded with zeros."""
    tokenizer = equinfo.load(f"gzip{bits}")
    data, num_bits = bitstream.unpack(equinfo.load("gzip8").encode(TEXT), 8)
    assert tokenizer.encode(TEXT).tolist() == bitstream.pack(data, num_bits, bits).tolist()
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
