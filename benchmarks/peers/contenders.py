"""Every tokenizer of the comparison behind one interface: encode texts, decode what came out."""

import json
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

BLOCK = 10_240  # bytes a stream, for the compressors
GPT2_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


class Contender(Protocol):
    """threads: how many to use, where the library takes a number and no environment variable."""

    def encode(self, texts: list[str]) -> Any:
        """What the library itself gives for a batch."""

    def decode(self, encoded: Any) -> Any:
        """Its fastest way back to bytes or text, document by document."""

    def count(self, encoded: Any) -> int:
        """Tokens, or bytes of a compressor's output."""


class Ours:
    """A tokenizer of equinfo by name or folder."""

    def __init__(self, name: str) -> None:
        import equinfo

        self.tokenizer = equinfo.load(name)

    def encode(self, texts: list[str]) -> Any:
        return self.tokenizer.encode_batch(texts)

    def decode(self, encoded: Any) -> Any:
        return self.tokenizer.decode_batch(encoded)

    def count(self, encoded: Any) -> int:
        return sum(map(len, encoded))


class HuggingFace:
    def __init__(self, file: Path) -> None:
        import tokenizers

        self.library = tokenizers.Tokenizer.from_file(str(file))

    def encode(self, texts: list[str]) -> Any:
        return self.library.encode_batch_fast(texts, add_special_tokens=False)

    def decode(self, encoded: Any) -> Any:
        return self.library.decode_batch([encoding.ids for encoding in encoded])

    def count(self, encoded: Any) -> int:
        return sum(len(encoding.ids) for encoding in encoded)


class Tiktoken:
    """The same BPE: a merge's rank is its id."""

    def __init__(self, file: Path, threads: int) -> None:
        import tiktoken

        from equinfo.tokenizers.bpe import byte_of_letter

        letters = byte_of_letter()
        vocabulary = json.loads(file.read_text())["model"]["vocab"]
        ranks = {
            bytes(letters[letter] for letter in piece): rank for piece, rank in vocabulary.items()
        }
        self.threads = threads
        self.library = tiktoken.Encoding(
            "bpe", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens={}
        )

    def encode(self, texts: list[str]) -> Any:
        return self.library.encode_ordinary_batch(texts, num_threads=self.threads)

    def decode(self, encoded: Any) -> Any:
        return self.library.decode_bytes_batch(encoded, num_threads=self.threads)

    def count(self, encoded: Any) -> int:
        return sum(map(len, encoded))


class Gigatoken:
    """The same BPE; ids stay in the library's own array, its fastest form."""

    def __init__(self, file: Path, threads: int) -> None:
        import gigatoken

        self.parallel = threads > 1
        self.library = gigatoken.Tokenizer.from_json(file.read_text())

    def encode(self, texts: list[str]) -> Any:
        return self.library.encode_batch(texts, parallel=self.parallel)

    def decode(self, encoded: Any) -> Any:
        return [self.library.decode(ids) for ids in encoded]

    def count(self, encoded: Any) -> int:
        return int(sum(len(ids) for ids in encoded))


class SentencePiece:
    def __init__(self, file: Path, threads: int) -> None:
        import sentencepiece

        self.threads = threads
        self.library = sentencepiece.SentencePieceProcessor(model_file=str(file))

    def encode(self, texts: list[str]) -> Any:
        return self.library.encode(texts, num_threads=self.threads)

    def decode(self, encoded: Any) -> Any:
        return self.library.decode(encoded, num_threads=self.threads)

    def count(self, encoded: Any) -> int:
        return sum(map(len, encoded))


class Compressor:
    """A document in blocks of 10,240 bytes, each a stream of its own."""

    def __init__(
        self, compress: Callable[[bytes], bytes], decompress: Callable[[bytes], bytes], threads: int
    ) -> None:
        self.compress = compress
        self.decompress = decompress
        self.threads = threads

    def encode(self, texts: list[str]) -> Any:
        return self._map(self._compressed, texts)

    def _compressed(self, text: str) -> list[bytes]:
        data = text.encode()
        return [self.compress(data[at : at + BLOCK]) for at in range(0, len(data), BLOCK)]

    def decode(self, encoded: Any) -> Any:
        return self._map(lambda blocks: b"".join(map(self.decompress, blocks)), encoded)

    def count(self, encoded: Any) -> int:
        return sum(len(block) for blocks in encoded for block in blocks)

    def _map(self, function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        if self.threads == 1:
            return list(map(function, items))
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(function, items))


def make(name: str, folder: Path, threads: int) -> Contender:
    """The contender called `name`. folder: where `trained` put the libraries' tokenizers."""
    if name.startswith("equinfo "):
        return Ours(name.removeprefix("equinfo "))
    if name == "zlib":
        return Compressor(lambda data: zlib.compress(data, 6), zlib.decompress, threads)
    if name == "isal":
        from isal import isal_zlib

        return Compressor(lambda data: isal_zlib.compress(data, 2), isal_zlib.decompress, threads)
    bpe = folder / "bpe" / "tokenizer.json"
    if name == "tokenizers BPE":
        return HuggingFace(bpe)
    if name == "tiktoken BPE":
        return Tiktoken(bpe, threads)
    if name == "gigatoken BPE":
        return Gigatoken(bpe, threads)
    if name == "sentencepiece Unigram":
        return SentencePiece(folder / "unigram" / "unigram.model", threads)
    raise SystemExit(f"unknown contender {name!r}")
