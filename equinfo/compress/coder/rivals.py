"""Range, ANS and Huffman coding over the same byte models, by constriction (Bamler 2022).

What is exact. Frequencies f of 2**P reach constriction as the float64 f / 2**P, which loses
nothing. Its Categorical (perfect=False) gives symbol i the cumulative frequency floor(C_i * (2**24
- 257)) + i of 2**24, where C_i is the sum of the probabilities before it: dyadic numbers of at most
20 + 24 bits, so that sum, product and floor are exact in float64 and equal to the integers ((F_i *
(2**24 - 257)) >> P) + i, on every machine (a test codes by these integers and gets the same words).
Huffman trees add and compare such probabilities: exact as well; which of two equal ones comes first
is the library's rule, the same for both directions.

A message is at most BLOCK symbols, so that rows take bounded memory; the model's context runs on
across messages. ANS is a stack: it takes a message's symbols last to first, and gives them back
first to last.
"""

from abc import abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import numpy as np

from equinfo.compress.models.base import EOD, SYMBOLS, ByteModel
from equinfo.errors import EquinfoError, needing

BLOCK = 8192
MAX_WORDS = BLOCK  # no symbol takes 32 bits: a Huffman tree over 2**20 is at most 29 deep


@cache
def library() -> Any:
    with needing("rivals", "coding by range, ANS or Huffman"):
        import constriction
    return constriction


class _Last:
    """make(argument), anew only for another than last: a static row is always the same array."""

    def __init__(self, make: Callable[[np.ndarray], Any]) -> None:
        self.make = make
        self.argument: np.ndarray | None = None
        self.made: Any = None

    def of(self, argument: np.ndarray) -> Any:
        if argument is not self.argument:
            self.made = self.make(argument)
            self.argument = argument
        return self.made


class Reader:
    """One message, symbol by symbol. read: gives the next under a model that `make` makes."""

    def __init__(self, read: Callable[[Any], Any], make: Callable[[np.ndarray], Any]) -> None:
        self.read = read
        self.models = _Last(make)

    def next(self, probabilities: np.ndarray) -> int:
        """Raises ValueError or AssertionError where the words are no message."""
        return int(self.read(self.models.of(probabilities)))


class RivalCoder:
    """Codes messages of 257 symbols into words of 32 bits."""

    name: ClassVar[str]

    @abstractmethod
    def encode(self, symbols: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """uint32 words. symbols: int32[n]; probabilities: float64[n, 257], or [257] for all."""

    @abstractmethod
    def reader(self, words: np.ndarray) -> Reader: ...


def _model(probabilities: np.ndarray) -> Any:
    return library().stream.model.Categorical(probabilities, perfect=False, lazy=True)


def _family(probabilities: np.ndarray) -> tuple[Any, ...]:
    """Besides the symbols, encoders take a model, or a family and each one's parameters."""
    if probabilities.ndim == 1:
        return (_model(probabilities),)
    return library().stream.model.Categorical(perfect=False), probabilities


class RangeCoder(RivalCoder):
    """Range coding (Martin 1979)."""

    name = "Range"

    def encode(self, symbols: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        encoder = library().stream.queue.RangeEncoder()
        encoder.encode(symbols, *_family(probabilities))
        return encoder.get_compressed()

    def reader(self, words: np.ndarray) -> Reader:
        return Reader(library().stream.queue.RangeDecoder(words).decode, _model)


class ANSCoder(RivalCoder):
    """Asymmetric numeral systems (Duda 2009), the ranged variant."""

    name = "ANS"

    def encode(self, symbols: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        encoder = library().stream.stack.AnsCoder()
        encoder.encode_reverse(symbols, *_family(probabilities))
        return encoder.get_compressed()

    def reader(self, words: np.ndarray) -> Reader:
        return Reader(library().stream.stack.AnsCoder(words).decode, _model)


class HuffmanCoder(RivalCoder):
    """Huffman coding (1952): one tree over a static row, one a symbol over other models."""

    name = "Huffman"

    def encode(self, symbols: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        encoder = library().symbol.QueueEncoder()
        trees = _Last(library().symbol.huffman.EncoderHuffmanTree)
        for n, symbol in enumerate(symbols.tolist()):
            row = probabilities if probabilities.ndim == 1 else probabilities[n]
            encoder.encode_symbol(symbol, trees.of(row))
        return encoder.get_compressed()[0]

    def reader(self, words: np.ndarray) -> Reader:
        decoder = library().symbol.QueueDecoder(words)
        return Reader(decoder.decode_symbol, library().symbol.huffman.DecoderHuffmanTree)


class Rows:
    """One document's probabilities, symbol after symbol: float64, f / 2**precision."""

    def __init__(self, model: ByteModel) -> None:
        self.model = model
        self.static = None if model.row is None else model.row / (1 << model.precision)
        self.state = None if model.row is not None else model.start(1)
        self.fed = np.empty(1, dtype=np.int64)
        self.restart = np.zeros(1, dtype=np.bool_)

    def current(self) -> np.ndarray:
        if self.static is not None:
            return self.static
        return self.model.frequencies(self.state)[0] / (1 << self.model.precision)

    def advance(self, byte: int) -> None:
        if self.static is None:
            self.fed[0] = byte
            self.model.advance(self.state, self.fed, self.restart)

    def along(self, symbols: np.ndarray) -> np.ndarray:
        """Those of a message, of which EOD can only be the last: [n, 257], or [257] if static."""
        if self.static is not None:
            return self.static
        rows = np.empty((len(symbols), SYMBOLS))
        for n, symbol in enumerate(symbols.tolist()):
            rows[n] = self.current()
            if symbol != EOD:
                self.advance(symbol)
        return rows


def encode_message(coder: RivalCoder, rows: Rows, symbols: np.ndarray) -> bytes:
    """A message of at most BLOCK symbols: how many words (2 bytes), and they, all big-endian."""
    words = coder.encode(symbols.astype(np.int32), rows.along(symbols))
    return len(words).to_bytes(2, "big") + words.astype(">u4").tobytes()


def decode_message(coder: RivalCoder, rows: Rows, words: np.ndarray) -> np.ndarray:
    """int32[n]: BLOCK symbols or up to EOD. Raises EquinfoError for words that are not theirs."""
    symbols = np.empty(BLOCK, dtype=np.int32)
    size = 0
    used = []
    try:
        reader = coder.reader(words)
        while size < BLOCK and (not size or symbols[size - 1] != EOD):
            used.append(rows.current())
            symbols[size] = reader.next(used[size])
            if symbols[size] != EOD:
                rows.advance(int(symbols[size]))
            size += 1
        probabilities = np.stack(used) if rows.static is None else rows.static
        again = coder.encode(symbols[:size], probabilities)
    except (ValueError, AssertionError) as error:
        raise EquinfoError(
            f"a message of {coder.name} coding is none ({error}): it was cut or altered"
        ) from error
    if not np.array_equal(again, words):
        raise EquinfoError(
            f"a message of {coder.name} coding is not what its text gives: it was cut or altered"
        )
    return symbols[:size]


def words_of(data: bytes) -> np.ndarray:
    """uint32 words of big-endian bytes."""
    return np.frombuffer(data, dtype=">u4").astype(np.uint32)
