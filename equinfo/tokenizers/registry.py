"""Kinds of tokenizer by name; each family's file is imported when it is first used."""

from pathlib import Path
from pkgutil import resolve_name

from equinfo.artifacts import load_artifact, located, pretrained
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer

KINDS = {
    "bytes": "equinfo.tokenizers.byte:ByteTokenizer",
    "bpe": "equinfo.tokenizers.bpe:BPETokenizer",
    "unigram": "equinfo.tokenizers.unigram:UnigramTokenizer",
    "gzip": "equinfo.tokenizers.opaque:GZipTokenizer",
    "zstd": "equinfo.tokenizers.opaque:ZstdTokenizer",
    "xz": "equinfo.tokenizers.opaque:XZTokenizer",
    "ac": "equinfo.tokenizers.arithmetic:ArithmeticTokenizer",
    "range": "equinfo.tokenizers.coded:RangeTokenizer",
    "ans": "equinfo.tokenizers.coded:ANSTokenizer",
    "huffman": "equinfo.tokenizers.coded:HuffmanTokenizer",
    "equalinfo": "equinfo.tokenizers.equalinfo:EqualInfoTokenizer",
    "codebook": "equinfo.tokenizers.codebook:CodebookTokenizer",
    "compiled-equalinfo": "equinfo.tokenizers.equalinfo:CompiledEqualInfoTokenizer",
    "equaltext": "equinfo.tokenizers.equaltext:EqualTextTokenizer",
    "hf": "equinfo.tokenizers.huggingface:HFTokenizer",
    "sentencepiece": "equinfo.tokenizers.sentencepieces:SentencePieceTokenizer",
}
UNTRAINED: dict[str, dict[str, int]] = {
    "bytes": {},
    **{f"{kind}{bits}": {"bits": bits} for kind in ("gzip", "zstd", "xz") for bits in range(1, 17)},
}


def tokenizer_class(kind: str) -> type[Tokenizer]:
    """The class that reads and writes artefacts of `kind`."""
    if kind not in KINDS:
        raise EquinfoError(f"unknown kind of tokenizer {kind!r}; known: {', '.join(KINDS)}")
    return resolve_name(KINDS[kind])


def load(name_or_path: str | Path) -> Tokenizer:
    """A tokenizer by name or from its folder, of any kind.

    Names: those that need no training (`bytes`, `gzip8`, `zstd12`, `xz16`, ..., ids of 1 to 16
    bits), and those that ship with the package (`english-64k`, ...; `pretrained_tokenizers()`).
    Raises EquinfoError for an unknown name, and for a folder that is missing, damaged or not a
    tokenizer.
    """
    name = str(name_or_path)
    if name in UNTRAINED:
        return tokenizer_class(name.rstrip("0123456789"))(**UNTRAINED[name])
    path = located(name_or_path)
    if not path.is_dir():
        known = ["bytes", "gzip8", "zstd8", "xz8 (or 1 to 16)", *pretrained_tokenizers()]
        raise EquinfoError(
            f"no tokenizer {name!r}: neither a folder nor one of {', '.join(known)}; "
            "`equinfo train-tokenizer` makes one"
        )
    artifact = load_artifact(path)
    return tokenizer_class(artifact.kind).from_artifact(artifact)


def pretrained_tokenizers() -> list[str]:
    """Names of the trained tokenizers that ship with the package."""
    return pretrained(KINDS)
