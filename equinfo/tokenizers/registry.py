"""Families of tokenizers, one table; each family's file is imported when it is first used."""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal

from equinfo.artifacts import JSON_NAME, load_artifact, located, pretrained
from equinfo.errors import EquinfoError, did_you_mean
from equinfo.files import as_path
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.utf8 import Text, all_as_bytes

if TYPE_CHECKING:
    from equinfo.compress.models.base import ByteModel


@dataclass(frozen=True)
class Family:
    """What a family of tokenizers is, and what `make` needs for one.

    where: module:class in this folder. label: how their names begin. about: what their ids are, in
    a line. needs: what they are made from: a text, an M1, the byte counts of a text in place of an
    M1, or nothing (""); None: `make` makes none. options: of `make`, besides the size.
    """

    where: str
    label: str
    about: str
    needs: Literal["text", "text or M1", "M1", "counts", ""] | None = None
    options: tuple[str, ...] = ()

    @property
    def coded(self) -> bool:
        """Whether ids are cut from the bits of a byte model's coder."""
        return self.needs in ("M1", "counts")

    def reads(self, m1: object) -> bool:
        """Whether `make` reads a text, given this M1 or None."""
        return self.needs in ("text", "counts") or (self.needs == "text or M1" and m1 is None)


FAMILIES = {
    "bytes": Family("byte:ByteTokenizer", "Bytes", "the text's bytes"),
    "bpe": Family(
        "bpe:BPETokenizer", "BPE", "byte pair encoding, after GPT-2's pretokenisation or across it",
        "text", ("pretokens", "transition"),
    ),
    "unigram": Family(
        "unigram:UnigramTokenizer", "Unigram", "SentencePiece's Unigram", "text", ("pretokens",)
    ),
    "gzip": Family(
        "opaque:GZipTokenizer", "GZip", "bits of Deflate streams", "", ("level", "block", "raw")
    ),
    "zstd": Family(
        "opaque:ZstdTokenizer", "Zstd", "bits of Zstandard streams", "", ("level", "block")
    ),
    "xz": Family("opaque:XZTokenizer", "XZ", "bits of LZMA streams", "", ("level", "block")),
    "static-ac": Family(
        "arithmetic:ArithmeticTokenizer", "StaticAC", "arithmetic coding by byte frequencies",
        "counts",
    ),
    "static-range": Family(
        "coded:RangeTokenizer", "StaticRange", "range coding by byte frequencies", "counts"
    ),
    "static-ans": Family(
        "coded:ANSTokenizer", "StaticANS", "ANS by byte frequencies", "counts"
    ),
    "static-huffman": Family(
        "coded:HuffmanTokenizer", "StaticHuffman", "Huffman codes of byte frequencies", "counts"
    ),
    "ac": Family("arithmetic:ArithmeticTokenizer", "AC", "arithmetic coding by an M1", "M1"),
    "range": Family("coded:RangeTokenizer", "Range", "range coding by an M1", "M1"),
    "ans": Family("coded:ANSTokenizer", "ANS", "ANS by an M1", "M1"),
    "huffman": Family("coded:HuffmanTokenizer", "Huffman", "Huffman codes by an M1", "M1"),
    "equalinfo": Family(
        "equalinfo:EqualInfoTokenizer", "EqualInfoAC", "windows of so many bits under an M1",
        "M1", ("bits", "rule", "reset", "max_window", "compile"),
    ),
    "equaltext": Family(
        "equaltext:EqualTextTokenizer", "EqualTextAC", "windows of so many bytes under an M1",
        "M1", ("text",)
    ),
    "codebook": Family(
        "codebook:CodebookTokenizer", "Codebook", "strings fitted to a text, or grown from an M1",
        "text or M1", ("mode", "parse")
    ),
    "compiled-equalinfo": Family(
        "equalinfo:CompiledEqualInfoTokenizer", "EqualInfoAC", "equalinfo without its M1"
    ),
    "hf": Family("huggingface:HFTokenizer", "HF", "imported: a tokenizer.json"),
    "sentencepiece": Family(
        "sentencepieces:SentencePieceTokenizer", "SentencePiece", "imported: a .model"
    ),
}  # fmt: skip

KINDS = {  # of artefacts: module:class
    kind: f"equinfo.tokenizers.{family.where}"
    for kind, family in FAMILIES.items()
    if family.needs != "counts"
}
KEPT = "tokenizer"  # a tokenizer's folder inside that of what was made with it
KEPT_BY_HF = "equinfo_tokenizer"  # inside that of `save_pretrained`
UNTRAINED: dict[str, tuple[int, ...]] = {"bytes": ()} | {
    f"{kind}{bits}": (bits,)
    for kind, family in FAMILIES.items()
    for bits in range(1, 17)
    if family.needs == ""
}


def find_family(kind: str) -> Family:
    """The row of a kind that `make` makes; EquinfoError names those that there are."""
    made = {name: family for name, family in FAMILIES.items() if family.needs is not None}
    if kind not in made:
        known = f"known: {', '.join(made)}"
        raise EquinfoError(f"no tokenizer {kind!r} can be made; {known}{did_you_mean(kind, made)}")
    return made[kind]


def tokenizer_class(kind: str) -> type[Tokenizer]:
    """The class that reads and writes artefacts of `kind`."""
    if kind not in KINDS:
        raise EquinfoError(f"unknown kind of tokenizer {kind!r}; known: {', '.join(KINDS)}")
    return resolve_name(KINDS[kind])


def load(name_or_path: Tokenizer | str | Path) -> Tokenizer:
    """A tokenizer by name or from its folder, of any kind; one that is there already as it is.

    Names: those that need no training (`bytes`, `gzip8`, `zstd12`, `xz16`, ..., ids of 1 to 16
    bits), and those that ship with the package (`english-64k`, ...; `pretrained_tokenizers()`).
    Raises EquinfoError for an unknown name, and for a folder that is missing, damaged or not a
    tokenizer.
    """
    if isinstance(name_or_path, Tokenizer):
        return name_or_path
    as_path(name_or_path)  # or it says what is none
    name = os.fsdecode(name_or_path)
    if name in UNTRAINED:
        if Path(name).is_dir():
            warnings.warn(
                f"{name} is ready-made and the folder {name} is not read: rename it, or name it as"
                f" {Path(name).absolute()}",
                stacklevel=2,
            )
        cls: Any = tokenizer_class(name.rstrip("0123456789"))
        return cls(*UNTRAINED[name])
    path = located(name)
    if not path.is_dir():
        known = ["bytes", "gzip8", "zstd8", "xz8 (or 1 to 16)", *pretrained_tokenizers()]
        raise EquinfoError(
            f"no tokenizer {name!r}: neither a folder nor one of {', '.join(known)}; "
            f"`equinfo train-tokenizer` makes one{did_you_mean(name, [*UNTRAINED, *known[4:]])}"
        )
    artifact = load_artifact(path)
    return tokenizer_class(artifact.kind).from_artifact(artifact)


def kept(folder: Path | str) -> Tokenizer | None:
    """The tokenizer that the folder of an LM or of ids keeps inside, if there is one."""
    for name in (KEPT, KEPT_BY_HF):
        if (Path(folder) / name / JSON_NAME).is_file():
            return load(Path(folder) / name)
    return None


def make(
    kind: str,
    size: int,
    documents: Iterable[Text] = (),
    m1: "ByteModel | None" = None,
    **options: Any,
) -> Tokenizer:
    """A tokenizer of `size` ids, fitted to documents (read where `Family.reads`) or over an M1.

    options: those of the family's row, as its class has them; `text` is equaltext's bytes a window
    (8), `compile` leaves M1 out of equalinfo where its windows can do without (False). Raises
    EquinfoError for an option that the family has not, a missing M1, and a size that is no power of
    two from 2 to 65536 where ids are cut from bits.
    """
    from equinfo.compress.models.base import StaticModel
    from equinfo.tokenizers.modelled import WIDTHS

    family = find_family(kind)
    unknown = [name for name in options if name not in family.options]
    if unknown:
        raise EquinfoError(f"{family.label} knows no option {', '.join(unknown)}")
    if family.needs == "M1" and m1 is None:
        raise EquinfoError(
            f"{kind} needs a byte model: --m1 FOLDER, which `equinfo train-m1` makes"
        )
    cls: Any = tokenizer_class(kind.removeprefix("static-"))
    if family.needs in ("text", "text or M1"):
        if family.reads(m1):
            return cls.train(all_as_bytes(list(documents)), size, **options)
        return cls.grow(m1, size, **options)
    sizes = [1 << width for width in WIDTHS]
    if size not in sizes:
        raise EquinfoError(
            f"{kind} with {size} ids: choose a power of two, {sizes[0]} to {sizes[-1]}"
        )
    width = size.bit_length() - 1
    if not family.coded:
        return cls(width, **options)
    if "text" in family.options:
        options["size"] = options.pop("text", 8)
    compiled = options.pop("compile", False)
    model = m1 if family.needs == "M1" else StaticModel.unigram(all_as_bytes(list(documents)))
    made = cls(model, width=width, **options)
    return made.compile() if compiled and made.can_compile else made


def pretrained_tokenizers() -> list[str]:
    """Names of the trained tokenizers that ship with the package."""
    return pretrained(KINDS)
