"""Other entropy coders over the same byte models, by the constriction library (Bamler 2022): range,
ANS, Huffman.

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
from functools import cache
from typing import Any, ClassVar, Protocol

import numpy as np

from equinfo.compress.models.base import EOD, SYMBOLS, ByteModel
from equinfo.errors import EquinfoError

BLOCK = 8192
MAX_WORDS = BLOCK  # no symbol takes 32 bits: a Huffman tree over 2**20 is at most 29 deep


@cache
def library() -> Any:
    try:
        import constriction
    except ImportError as error:
        raise EquinfoError(
            "range, ANS and Huffman coding need constriction: pip install 'equinfo[rivals]'"
        ) from error
    return constriction


class Reader(Protocol):
    """One message, symbol by symbol. Raises ValueError where the words are none."""

    def next(self, probabilities: np.ndarray) -> int: ...


class RivalCoder:
    """Codes messages of 257 symbols into words of 32 bits."""

    name: ClassVar[str]

    @abstractmethod
    def encode(self, symbols: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """uint32 words. symbols: int32[n]; probabilities: float64[n, 257], or [257] for all of
        them.
        """

    @abstractmethod
    def reader(self, words: np.ndarray) -> Reader: ...


def _model(probabilities: np.ndarray) -> Any:
    return library().stream.model.Categorical(probabilities, perfect=False, lazy=True)


class _StreamReader:
    def __init__(self, decoder: Any) -> None:
        self.decoder, self.models = decoder, _Last(_model)

    def next(self, probabilities: np.ndarray) -> int:
        return int(self.decoder.decode(self.models.of(probabilities)))


class _Last:
    """make(argument), made anew only for another argument than the last: a static row is always the
    same array.
    """

    def __init__(self, make: Any) -> None:
        self.make, self.argument, self.made = make, None, None

    def of(self, argument: Any) -> Any:
        if argument is not self.argument:
            self.argument, self.made = argument, self.make(argument)
        return self.made


class RangeCoder(RivalCoder):
    """Range coding (Martin 1979)."""

    name = "Range"

    def encode(self, symbols: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        encoder = library().stream.queue.RangeEncoder()
        encoder.encode(symbols, *_family(probabilities))
        return encoder.get_compressed()

    def reader(self, words: np.ndarray) -> Reader:
        return _StreamReader(library().stream.queue.RangeDecoder(words))


class ANSCoder(RivalCoder):
    """Asymmetric numeral systems (Duda 2009), the ranged variant."""

    name = "ANS"

    def encode(self, symbols: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        encoder = library().stream.stack.AnsCoder()
        encoder.encode_reverse(symbols, *_family(probabilities))
        return encoder.get_compressed()

    def reader(self, words: np.ndarray) -> Reader:
        return _StreamReader(library().stream.stack.AnsCoder(words))


def _family(probabilities: np.ndarray) -> tuple[Any, ...]:
    """What constriction's encoders take besides the symbols: one model, or a family and each one's
    parameters.
    """
    if probabilities.ndim == 1:
        return (_model(probabilities),)
    return library().stream.model.Categorical(perfect=False), probabilities


class HuffmanCoder(RivalCoder):
    """Huffman coding (1952): one tree over a static row, a tree for each symbol over other
    models.
    """

    name = "Huffman"

    def encode(self, symbols: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        encoder = library().symbol.QueueEncoder()
        trees = _Last(library().symbol.huffman.EncoderHuffmanTree)
        for n, symbol in enumerate(symbols.tolist()):
            encoder.encode_symbol(
                symbol, trees.of(probabilities if probabilities.ndim == 1 else probabilities[n])
            )
        return encoder.get_compressed()[0]

    def reader(self, words: np.ndarray) -> Reader:
        return _HuffmanReader(words)


class _HuffmanReader:
    def __init__(self, words: np.ndarray) -> None:
        self.decoder = library().symbol.QueueDecoder(words)
        self.trees = _Last(library().symbol.huffman.DecoderHuffmanTree)

    def next(self, probabilities: np.ndarray) -> int:
        return int(self.decoder.decode_symbol(self.trees.of(probabilities)))


class Rows:
    """One document's probabilities, symbol after symbol: float64, f / 2**precision."""

    def __init__(self, model: ByteModel) -> None:
        self.model = model
        self.static = None if model.row is None else model.row / (1 << model.precision)
        self.state = None if model.row is not None else model.start(1)
        self.fed, self.restart = np.empty(1, dtype=np.int64), np.zeros(1, dtype=np.bool_)

    def current(self) -> np.ndarray:
        if self.static is not None:
            return self.static
        return self.model.frequencies(self.state)[0] / (1 << self.model.precision)

    def advance(self, byte: int) -> None:
        if self.static is None:
            self.fed[0] = byte
            self.model.advance(self.state, self.fed, self.restart)

    def along(self, symbols: np.ndarray) -> np.ndarray:
        """Those of a message (EOD, where it comes, is its last symbol): [n, 257], or [257] if
        static.
        """
        if self.static is not None:
            return self.static
        rows = np.empty((len(symbols), SYMBOLS))
        for n, symbol in enumerate(symbols.tolist()):
            rows[n] = self.current()
            if symbol != EOD:
                self.advance(symbol)
        return rows


def encode_message(coder: RivalCoder, rows: Rows, symbols: np.ndarray) -> bytes:
    """A message of at most BLOCK symbols: its words' number (2 bytes), then the words, all
    big-endian.
    """
    words = coder.encode(symbols.astype(np.int32), rows.along(symbols))
    return len(words).to_bytes(2, "big") + words.astype(">u4").tobytes()


def decode_message(coder: RivalCoder, rows: Rows, words: np.ndarray) -> np.ndarray:
    """The symbols (int32) of a message: BLOCK of them, or up to EOD. Raises EquinfoError for other
    than its words.
    """
    symbols = np.empty(BLOCK, dtype=np.int32)
    used = [] if rows.static is None else [rows.static]
    size = 0
    try:
        reader = coder.reader(words)
        while size < BLOCK and (not size or symbols[size - 1] != EOD):
            row = rows.current()
            symbols[size] = reader.next(row)
            if rows.static is None:
                used.append(row)
            if symbols[size] != EOD:
                rows.advance(int(symbols[size]))
            size += 1
        probabilities = used[0] if rows.static is not None else np.stack(used)
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
