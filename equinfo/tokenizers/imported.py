"""Tokenizers of others as baselines: Hugging Face's with a `tokenizer.json`, SentencePiece's."""

import os
from pathlib import Path
from typing import Any

from equinfo.artifacts import JSON_NAME
from equinfo.errors import EquinfoError
from equinfo.files import as_path
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.imported_base import ImportedTokenizer
from equinfo.tokenizers.registry import kept, load

STEMS = ("tokenizer", "spiece", "sentencepiece.bpe", "spm")  # of SentencePiece's .model files
MODEL_FILES = ("tokenizer.json", *(f"{stem}.model" for stem in STEMS))
OF_TRANSFORMERS = (*MODEL_FILES, "tokenizer_config.json", "vocab.json", "vocab.txt")
HUB = "hf:"


def open_any(source: Tokenizer | Path | str) -> Tokenizer:
    """A tokenizer to look at: whatever `equinfo.load` or `from_pretrained` opens.

    source: what `load` takes; a file or folder of others; the folder of an LM or of transformers
    that keeps a tokenizer of ours; `hf:NAME`, one on the hub (where a misspelt name is looked for,
    which takes long). Raises EquinfoError for none.
    """
    if isinstance(source, Tokenizer):
        return source
    path = as_path(source)
    name = os.fsdecode(source)
    if name.startswith(HUB) or path.is_file():
        return from_pretrained(source)
    if path.is_dir() and not (path / JSON_NAME).exists():
        if own := kept(path):
            return own
        if any((path / file).is_file() for file in OF_TRANSFORMERS):
            return from_pretrained(path)
    return load(name)


def from_pretrained(
    source: Any, name: str | None = None, lossless: bool | None = None
) -> ImportedTokenizer:
    """A Hugging Face or SentencePiece tokenizer as one of ours; once saved it needs no source.

    source: a folder or file (`tokenizer.json`, SentencePiece's `.model`), a `tokenizers.Tokenizer`,
    a `SentencePieceProcessor`, a fast tokenizer of transformers, or a name on the Hugging Face hub
    (`hf:gpt2`, or `gpt2`; with transformers installed). name: for tables; by default that of file
    or folder, and "(HF)" or "(SentencePiece)". lossless: False for one whose texts need not come
    back, to be measured as it is. Raises EquinfoError where there is none, and for tokenizers
    written in Python alone, which have no file to keep.
    """
    model, found = _read(source) if isinstance(source, str | Path | bytes) else _taken(source)
    if model.lstrip()[:1] == b"{":  # JSON, or SentencePiece's protocol buffer
        from equinfo.tokenizers.huggingface import HFTokenizer

        return HFTokenizer.of(model, name or f"{found or 'tokenizer'} (HF)", lossless)
    from equinfo.tokenizers.sentencepieces import SentencePieceTokenizer

    name = name or f"{found or 'tokenizer'} (SentencePiece)"
    return SentencePieceTokenizer(model, name, lossless)


def _read(source: str | Path | bytes) -> tuple[bytes, str]:
    """(a tokenizer's file, name) of a path or name."""
    path = as_path(source)
    if (path / JSON_NAME).exists():
        raise EquinfoError(f"{path} is a tokenizer of equinfo: open it with equinfo.load")
    if path.is_dir():
        files = [path / file for file in MODEL_FILES if (path / file).is_file()]
        if files:
            return files[0].read_bytes(), path.resolve().name
    elif path.is_file():
        generic = path.name in MODEL_FILES
        return path.read_bytes(), path.resolve().parent.name if generic else path.stem
    from equinfo.hf.baseline import pretrained

    return _taken(pretrained(os.fsdecode(source).removeprefix(HUB)))


def _taken(source: Any) -> tuple[bytes, str]:
    """(a tokenizer's file, name) of another library's object, which its methods tell."""
    if hasattr(source, "serialized_model_proto"):
        return source.serialized_model_proto(), ""
    backend = getattr(source, "backend_tokenizer", source)  # a fast tokenizer of transformers
    if hasattr(backend, "to_str"):
        return backend.to_str().encode(), Path(str(getattr(source, "name_or_path", ""))).name
    raise EquinfoError(
        f"{type(source).__name__} has no tokenizer.json and is no SentencePiece model: name its"
        " .model file, if it has one, or a tokenizer whose transformers class is a fast one"
    )
