"""Equal-info windows: every window is exactly b bits, ended by one of the rules in `RULES`.

Every string that can stand at a window's start owns an interval; the 2**b codes are equal cells of
[0, 1). A string
can be written only if its interval wholly contains a cell. Under the rules "free" and "delay", a
cell stands for the
*deepest* string whose interval contains it; under "reserve" that string's first cell belongs to
none of its children.
Why these decode, what each gives up, and what the paper's rule (§3.3) misses: docs/windows.md. The
rule "rank" needs
no intervals once its strings are known: compiled.py. The rules "paper" and "unflushed" are for
reproductions: they
lose text.

What makes the lossless rules total, for every model and every b from 8 to 128:
- the root's boundaries are cell boundaries and each byte owns at least one cell there, so every
  code begins with some
  byte;
- one cell of each single byte is kept from its children, so every byte can end a window;
- windows have at most `max_window` bytes; there, a string has no children, for encoder and decoder
  alike.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np

from equinfo.compress.collect import Collector
from equinfo.compress.models.base import SYMBOLS, ByteModel
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.compress.network.memo import MemoisedModel
from equinfo.compress.windows.intervals import INTERVAL
from equinfo.compress.windows.limbs import num_limbs, with_last, without_last
from equinfo.compress.windows.steps import (
    DECODER,
    DELAY,
    ENCODER,
    LOSSY,
    PAPER,
    RULES,
    Setup,
    deal_all,
    decode_static,
    decode_step,
    encode_static,
    encode_step,
    keep_ahead,
    look_ahead,
)
from equinfo.errors import EquinfoError

MIN_BITS, MAX_BITS = 8, 128
MAX_KEPT = 1 << 12  # longest window whose rows or intervals an encoder may have to keep
KEPT_BYTES = 64 << 20  # what all lanes' kept rows may take
AHEAD, FILLED = (
    8,
    64,
)  # bytes that a lane shows a network at once, where few lanes would leave its products empty
FLUSH = (
    2  # bits that end what an arithmetic coder has put out; the rule "unflushed" leaves them out
)
PIECE = 16  # windows, or groups of them with one context, that a lane decodes at a time


class CodeEncoder(Protocol):
    """One document in pieces; `last` closes the windows that are still open."""

    def feed(self, data: bytes, last: bool = False) -> np.ndarray: ...


class CodeDecoder(Protocol):
    """One document's codes in pieces."""

    def feed(self, codes: np.ndarray) -> bytes: ...


class Windows(Protocol):
    """Documents <-> codes of b bits, whatever the rule: `WindowCoder`, and `CompiledWindows` of
    compiled.py.
    """

    bits: int
    max_window: int

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The codes of each document: int64[windows, limbs], 60 bits a limb, little end first."""

    def decode(self, streams: list[np.ndarray]) -> list[bytes]: ...

    def encoder(self) -> CodeEncoder: ...

    def decoder(self) -> CodeDecoder: ...


def check_window(model: ByteModel, bits: int, max_window: int | None) -> int:
    """The longest window in bytes: `max_window`, or a default. Raises EquinfoError where it or
    `bits` cannot be.
    """
    if not MIN_BITS <= bits <= MAX_BITS:
        raise EquinfoError(f"windows of {bits} bits: b must be {MIN_BITS} to {MAX_BITS}")
    longest = min(4 * bits, model.max_context) if max_window is None else max_window
    if not 1 <= longest <= model.max_context:
        raise EquinfoError(
            f"max_window {longest}: must be 1 to the model's context, {model.max_context}"
        )
    return longest


def make_windows(
    model: ByteModel, bits: int, max_window: int | None = None, rule: str = "free", reset: int = 1
) -> Windows:
    """The coder of any rule. Raises EquinfoError for what no coder can do."""
    if rule == "rank":
        from equinfo.compress.windows.compiled import CompiledWindows

        if reset != 1:
            raise EquinfoError(
                f'rule "rank" with reset={reset}: its strings are those of one fixed window start'
            )
        return CompiledWindows.compile(model, bits, max_window, rule)
    return WindowCoder(model, bits, max_window, rule, reset)


class WindowCoder:
    """Equal-info windows of `bits` bits over a byte model, by any rule but "rank".

    The coder restarts at each window; the model's context at every `reset`-th of a document, or at
    its first only (0). With a context that runs on, "paper" and "unflushed" only encode: a decoder
    cannot show the model the bytes that the encoder showed it. Raises EquinfoError for bits outside
    8 .. 128, max_window outside 1 .. the model's max_context, an unknown rule and a negative reset.
    """

    def __init__(
        self,
        model: ByteModel,
        bits: int,
        max_window: int | None = None,
        rule: str = "free",
        reset: int = 1,
    ) -> None:
        self.model, self.bits = model, bits
        self.stepped: ByteModel = model.memoised if isinstance(model, IntegerByteModel) else model
        self.max_window = check_window(model, bits, max_window)
        if rule not in RULES or rule == "rank":
            raise EquinfoError(f"unknown window rule {rule!r}; known: {', '.join(RULES)}")
        if reset < 0:
            raise EquinfoError(
                f"reset={reset}: it must be 1 or more, or 0 for a context that never begins anew"
            )
        if (rule == "delay" or reset != 1) and self.max_window > MAX_KEPT:
            raise EquinfoError(
                f"max_window {self.max_window}: with this rule and reset it must be at most"
                f" {MAX_KEPT}"
            )
        self.limbs = num_limbs(bits)
        self.dropped = (
            FLUSH if rule == "unflushed" else 0
        )  # last bits of each code that are not written
        self.setup = Setup(
            RULES.index(rule), reset, self.max_window, bits + self.dropped, model.precision
        )
        self.start_row = model.frequencies(model.start(1))[0].copy()

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The codes of each document: int64[windows, limbs], 60 bits a limb, little end first."""
        return [codes for codes, _ in self.encode_lengths(documents)]

    def encode_lengths(self, documents: list[bytes]) -> list[tuple[np.ndarray, np.ndarray]]:
        """(codes, bytes in each window: int64[windows]) of each document."""
        order = sorted(
            range(len(documents)), key=lambda k: -len(documents[k])
        )  # so that lanes end together
        sizes = [len(documents[k]) for k in order]
        ends = np.cumsum(sizes, dtype=np.int64)
        data = np.frombuffer(b"".join(documents[k] for k in order), dtype=np.uint8)
        codes, lengths, counts = _Encoding(self, len(documents)).run(data, ends)
        parts = [
            slice(end - size, end - size + n)
            for end, size, n in zip(ends, sizes, counts, strict=True)
        ]
        found = {
            k: (codes[part].copy(), lengths[part].copy())
            for k, part in zip(order, parts, strict=True)
        }
        return [found[k] for k in range(len(documents))]

    def decode(self, streams: list[np.ndarray]) -> list[bytes]:
        """The bytes of each stream of codes (as `encode` gives them). Total: every code means some
        bytes.

        Raises EquinfoError under the rule "paper" with reset != 1.
        """
        self._check_decodes()
        if self.model.row is not None:
            return [_Decoding(self, 1).run([stream])[0] for stream in streams]
        if not self.setup.reset:
            return _Decoding(self, len(streams)).run(streams)
        step = self.setup.reset * PIECE
        pieces = [
            stream[at : at + step] for stream in streams for at in range(0, len(stream), step)
        ]
        read = iter(_Decoding(self, len(pieces)).run(pieces))
        return [b"".join(islice(read, -(-len(stream) // step))) for stream in streams]

    def root_intervals(self, out: np.ndarray) -> None:
        """Set out (INTERVAL[256]) to the single bytes' intervals at a start of the model's
        context.
        """
        deal_all(out, self.start_row, self.setup)

    def encoder(self) -> "WindowEncoder":
        return WindowEncoder(self)

    def decoder(self) -> "WindowDecoder":
        self._check_decodes()
        return WindowDecoder(self)

    def written(self, codes: np.ndarray) -> np.ndarray:
        """Of codes as the kernels find them, the bits that are written."""
        return without_last(codes, self.dropped, self.setup.bits) if self.dropped else codes

    def read(self, codes: np.ndarray) -> np.ndarray:
        """Codes as the kernels follow them: bits that were not written are taken for 10, the middle
        of what is left.
        """
        return (
            with_last(codes, 1 << (self.dropped - 1), self.dropped, self.bits)
            if self.dropped
            else codes
        )

    def _check_decodes(self) -> None:
        rule, reset = RULES[self.setup.rule], self.setup.reset
        if rule in LOSSY and reset != 1:
            raise EquinfoError(
                f'rule "{rule}" with reset={reset} only encodes: its decoder would show the model'
                " other bytes than the encoder did; to decode, choose reset=1 or another rule"
            )


class WindowEncoder:
    """One document in pieces; holds less than a window of it."""

    def __init__(self, coder: WindowCoder) -> None:
        self.encoding, self.held = _Encoding(coder, 1), bytearray()

    def feed(self, data: bytes, last: bool = False) -> np.ndarray:
        """The codes of the windows that `data` closes: int64[n, limbs]. After `last`, of all that
        are left.
        """
        self.held += data
        array = np.frombuffer(bytes(self.held), dtype=np.uint8)
        codes, lengths, counts = self.encoding.run(array, np.array([len(array)]), open_end=not last)
        used = int(lengths[: counts[0]].sum())
        del self.held[:used]
        self.encoding.lanes["at"] -= used
        return codes[: counts[0]].copy()


class WindowDecoder:
    """One document's codes in pieces; every code's bytes are certain at once."""

    def __init__(self, coder: WindowCoder) -> None:
        self.coder, self.decoding = coder, _Decoding(coder, 1)

    def feed(self, codes: np.ndarray) -> bytes:
        if self.coder.setup.reset == 1:  # each window by itself, as many side by side as there are
            return self.coder.decode([codes])[0]
        data = self.decoding.run([codes], open_end=True)[0]
        self.decoding.lanes["at"] = 0
        return data


class _Encoding:
    """The arrays of one encoding, and of the model beside it."""

    def __init__(self, coder: WindowCoder, documents: int) -> None:
        self.coder, model, setup = coder, coder.stepped, coder.setup
        lanes = min(model.lanes, documents) if model.row is None else min(1, documents)
        may_keep = isinstance(model, MemoisedModel) and setup.max_window <= MAX_KEPT
        ahead = max(min(FILLED // max(lanes, 1), AHEAD), 1) if may_keep else 1
        keep = (setup.reset != 1 or ahead > 1) and model.row is None
        if keep:
            lanes = min(lanes, max(KEPT_BYTES // (4 * SYMBOLS * (setup.max_window + 1)), 1))
        self.lanes = np.zeros(lanes, dtype=ENCODER)
        self.lanes["doc"] = -1
        self.kept = np.empty((lanes, setup.max_window + 1 if keep else 0, SYMBOLS), dtype=np.uint32)
        self.ahead = np.empty((lanes, ahead), dtype=np.int64)
        self.rows_ahead = np.empty((lanes, ahead, SYMBOLS), dtype=np.uint32)
        self.path = np.zeros(
            (lanes, setup.max_window + 1 if setup.rule == DELAY else 0), dtype=INTERVAL
        )
        self.symbols, self.restart = (
            np.empty(lanes, dtype=np.int64),
            np.empty(lanes, dtype=np.bool_),
        )
        self.queue = np.zeros(1, dtype=np.int64)
        self.state = model.start(max(lanes, 1))

    def run(
        self, data: np.ndarray, ends: np.ndarray, open_end: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(codes, lengths, windows a document); a document's windows stand where its bytes do.

        open_end: the last document goes on after `data`; its last windows are left open.
        """
        coder, model = self.coder, self.coder.stepped
        codes = np.empty((len(data), num_limbs(coder.setup.bits)), dtype=np.int64)
        lengths = np.empty(len(data), dtype=np.int64)
        counts = np.zeros(len(ends), dtype=np.int64)
        if not len(data) or not len(self.lanes):
            return codes, lengths, counts
        given = (
            self.symbols, self.restart, self.queue, data, ends, codes, lengths, counts,
            coder.start_row, self.kept,
            self.path, coder.setup, open_end,
        )  # fmt: skip
        if model.row is not None:
            encode_static(self.lanes, model.frequencies(self.state), *given)
            return coder.written(codes), lengths, counts
        while encode_step(self.lanes, model.frequencies(self.state), *given):
            if isinstance(model, MemoisedModel) and self.ahead.shape[1] > 1:
                look_ahead(self.lanes, self.symbols, data, ends, self.ahead, coder.setup)
                taken = model.feed(self.state, self.ahead, self.restart, self.rows_ahead)
                keep_ahead(self.lanes, self.rows_ahead, taken, self.kept)
            else:
                model.advance(self.state, self.symbols, self.restart)
        return coder.written(codes), lengths, counts


class _Decoding:
    """The arrays of one decoding, and of the model beside it."""

    def __init__(self, coder: WindowCoder, documents: int) -> None:
        self.coder, model = coder, coder.stepped
        lanes = min(model.lanes, documents)
        self.lanes = np.zeros(lanes, dtype=DECODER)
        self.lanes["doc"] = -1
        self.symbols, self.restart = (
            np.empty(lanes, dtype=np.int64),
            np.empty(lanes, dtype=np.bool_),
        )
        self.queue = np.zeros(1, dtype=np.int64)
        self.state = model.start(max(lanes, 1))

    def run(self, streams: list[np.ndarray], open_end: bool = False) -> list[bytes]:
        """The bytes of each stream. open_end: the last one's document goes on after it."""
        coder, model = self.coder, self.coder.stepped
        ends = np.cumsum([len(s) for s in streams], dtype=np.int64)
        codes = np.concatenate([np.empty((0, coder.limbs), dtype=np.int64), *streams])
        if not len(codes):
            return [b""] * len(streams)
        codes = coder.read(codes)
        paper = coder.setup.rule == PAPER
        spans = np.zeros((len(codes) if paper else 0, 2), dtype=np.int64)
        given = (
            self.symbols, self.restart, self.queue, codes, ends, coder.start_row, spans,
            coder.setup, open_end,
        )  # fmt: skip
        if model.row is not None:
            read = [decode_static(self.lanes, model.frequencies(self.state), *given).tobytes()]
        else:
            read = self._read(given, len(streams))
        parts = zip(read, np.split(spans, ends[:-1]), strict=True) if paper else ()
        return [_taken_back(data, part) for data, part in parts] if paper else read

    def _read(self, given: tuple[Any, ...], documents: int) -> list[bytes]:
        model, collector = self.coder.stepped, Collector(len(self.lanes), documents)
        while True:
            active = decode_step(self.lanes, model.frequencies(self.state), *given)
            collector.add(self.symbols, self.lanes["doc"])
            if not active:
                return collector.documents()
            model.advance(self.state, self.symbols, self.restart)


def _taken_back(data: bytes, spans: np.ndarray) -> bytes:
    """Of the bytes that each window's walk read, those with the window's code (rule "paper").
    spans: (read, kept).
    """
    at = np.arange(len(data)) - np.repeat(np.cumsum(spans[:, 0]) - spans[:, 0], spans[:, 0])
    return np.frombuffer(data, dtype=np.uint8)[at < np.repeat(spans[:, 1], spans[:, 0])].tobytes()


class Failures(NamedTuple):
    """How much of a text a rule does not bring back."""

    windows: int
    wrong_windows: int
    documents: int
    wrong_documents: int


def count_failures(coder: WindowCoder, documents: Iterable[bytes]) -> Failures:
    """Encode, decode each window by itself, and compare with the bytes it was made of (needs reset
    = 1).
    """
    if coder.setup.reset != 1:
        raise EquinfoError(
            f"windows with reset={coder.setup.reset} mean nothing by themselves: use reset=1"
        )
    windows = wrong = changed = total = 0
    for document in documents:
        codes, lengths = coder.encode_lengths([document])[0]
        read = coder.decode(list(codes[:, None]))
        stops = np.cumsum(lengths)
        pieces = [
            document[stop - length : stop] for stop, length in zip(stops, lengths, strict=True)
        ]
        windows += len(pieces)
        wrong += sum(a != b for a, b in zip(pieces, read, strict=True))
        changed += b"".join(read) != document
        total += 1
    return Failures(windows, wrong, total, changed)
