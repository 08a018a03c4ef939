"""Equal-info windows: every window is exactly b bits, ended by one of the rules in `RULES`.

Every string that can stand at a window's start owns an interval; the 2**b codes are equal cells of
[0, 1). A string can be written only if its interval wholly contains a cell. Under the rules "free"
and "delay", a cell stands for the *deepest* string whose interval contains it; under "reserve" that
string's first cell belongs to none of its children. Why these decode, and what the paper's rule
(§3.3) misses: docs/free-cell.md; what each gives up: docs/windows.md. The rule "rank" needs no
intervals once its strings are known: compiled.py. The rules "paper" and "unflushed" are for
reproductions: they lose text.

What makes the lossless rules total, for every model and every b from 8 to 128:
- the root's boundaries are cell boundaries and each byte owns at least one cell there, so every
  code begins with some byte;
- one cell of each single byte is kept from its children, so every byte can end a window;
- windows have at most `max_window` bytes; there, a string has no children, for encoder and decoder
  alike.
"""

from itertools import islice
from typing import Protocol

import numpy as np

from equinfo.compress.models.base import SYMBOLS, ByteModel
from equinfo.compress.models.lanes import Collector, Lanes
from equinfo.compress.windows import steps
from equinfo.compress.windows.intervals import INTERVAL
from equinfo.compress.windows.limbs import num_limbs, with_last, without_last
from equinfo.errors import EquinfoError

MIN_BITS, MAX_BITS = 8, 128
MAX_KEPT = 1 << 12  # longest window whose rows or intervals an encoder may have to keep
KEPT_BYTES = 64 << 20  # what all lanes' kept rows may take
FILLED = 64  # bytes that all lanes together are fed at a time, where the model takes several a lane
MAX_RESET = 1 << 30
FLUSH = 2  # bits that end what a coder has put out; the rule "unflushed" leaves them out
PIECE = 16  # windows, or groups of them with one context, that a lane decodes at a time


class CodeEncoder(Protocol):
    """One document in pieces; `last` closes the windows that are still open."""

    def feed(self, data: bytes, last: bool = False) -> np.ndarray: ...


class CodeDecoder(Protocol):
    """One document's codes in pieces."""

    def feed(self, codes: np.ndarray) -> bytes: ...


class Windows(Protocol):
    """Documents <-> codes of b bits: `WindowCoder`, and `CompiledWindows` of compiled.py."""

    bits: int
    max_window: int

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The codes of each document: int64[windows, limbs], 60 bits a limb, little end first."""

    def decode(self, streams: list[np.ndarray]) -> list[bytes]: ...

    def encoder(self) -> CodeEncoder: ...

    def decoder(self) -> CodeDecoder: ...


def check_window(model: ByteModel, bits: int, max_window: int | None) -> int:
    """The longest window in bytes, by default 4 a bit. Raises EquinfoError for what cannot be."""
    if not MIN_BITS <= bits <= MAX_BITS:
        raise EquinfoError(f"windows of {bits} bits: b must be {MIN_BITS} to {MAX_BITS}")
    longest = min(4 * bits, model.max_context) if max_window is None else max_window
    if not 1 <= longest <= model.max_context:
        raise EquinfoError(
            f"max_window {longest}: must be 1 to the model's context, {model.max_context}"
        )
    return longest


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
        self.model = model
        self.bits = bits
        self.restarting = model.restarting
        self.max_window = check_window(model, bits, max_window)
        if rule not in steps.RULES or rule == "rank":
            raise EquinfoError(f"unknown window rule {rule!r}; known: {', '.join(steps.RULES)}")
        if not 0 <= reset <= MAX_RESET:
            raise EquinfoError(
                f"reset={reset}: it must be 1 to {MAX_RESET}, or 0 for a context that never begins"
                " anew"
            )
        if (rule == "delay" or reset != 1) and self.max_window > MAX_KEPT:
            raise EquinfoError(
                f"max_window {self.max_window}: with this rule and reset it must be at most"
                f" {MAX_KEPT}"
            )
        self.limbs = num_limbs(bits)
        self.dropped = FLUSH if rule == "unflushed" else 0  # a code's last bits, not written
        self.setup = steps.Setup(
            steps.RULES.index(rule), reset, self.max_window, bits + self.dropped, model.precision
        )
        self.start_row = model.frequencies(model.start(1))[0].copy()

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The codes of each document: int64[windows, limbs], 60 bits a limb, little end first."""
        return [codes for codes, _ in self.encode_lengths(documents)]

    def encode_lengths(self, documents: list[bytes]) -> list[tuple[np.ndarray, np.ndarray]]:
        """(codes, bytes in each window: int64[windows]) of each document."""
        # the longest first, so that lanes end together
        order = sorted(range(len(documents)), key=lambda k: -len(documents[k]))
        data = np.frombuffer(b"".join(documents[k] for k in order), dtype=np.uint8)
        ends = np.cumsum([len(documents[k]) for k in order], dtype=np.int64)
        codes, lengths, counts = _EncodingLanes(self, len(documents)).run(data, ends)
        found = {}
        for k, end, count in zip(order, ends, counts, strict=True):
            part = slice(end - len(documents[k]), end - len(documents[k]) + count)
            found[k] = codes[part].copy(), lengths[part].copy()
        return [found[k] for k in range(len(documents))]

    def decode(self, streams: list[np.ndarray]) -> list[bytes]:
        """The bytes of each stream of codes: every code means some bytes. Raises EquinfoError by
        the rules in steps.LOSSY with reset != 1.
        """
        self._check_decodes()
        if self.model.row is not None:
            return [_DecodingLanes(self, 1).run([stream])[0] for stream in streams]
        if not self.setup.reset:
            return _DecodingLanes(self, len(streams)).run(streams)
        step = self.setup.reset * PIECE
        pieces = [
            stream[at : at + step] for stream in streams for at in range(0, len(stream), step)
        ]
        read = iter(_DecodingLanes(self, len(pieces)).run(pieces))
        return [b"".join(islice(read, -(-len(stream) // step))) for stream in streams]

    def root_intervals(self, out: np.ndarray) -> None:
        """Set out (INTERVAL[256]) to the single bytes' at a start of the model's context."""
        steps.deal_all(out, self.start_row, self.setup)

    def encoder(self) -> "WindowEncoder":
        return WindowEncoder(self)

    def decoder(self) -> "WindowDecoder":
        self._check_decodes()
        return WindowDecoder(self)

    def _check_decodes(self) -> None:
        rule, reset = steps.RULES[self.setup.rule], self.setup.reset
        if rule in steps.LOSSY and reset != 1:
            raise EquinfoError(
                f'rule "{rule}" with reset={reset} only encodes: its decoder would show the model'
                " other bytes than the encoder did; to decode, choose reset=1 or another rule"
            )


class WindowEncoder:
    """One document in pieces; holds less than a window of it."""

    def __init__(self, coder: WindowCoder) -> None:
        self.lanes = _EncodingLanes(coder, 1)
        self.held = bytearray()

    def feed(self, data: bytes, last: bool = False) -> np.ndarray:
        """The codes of the windows that `data` closes (int64[n, limbs]), `last`: of all left."""
        self.held += data
        array = np.frombuffer(bytes(self.held), dtype=np.uint8)
        codes, lengths, counts = self.lanes.run(array, np.array([len(array)]), open_end=not last)
        used = int(lengths[: counts[0]].sum())
        del self.held[:used]
        self.lanes.records["at"] -= used
        return codes[: counts[0]].copy()


class WindowDecoder:
    """One document's codes in pieces; every code's bytes are certain at once."""

    def __init__(self, coder: WindowCoder) -> None:
        self.coder = coder
        self.lanes = _DecodingLanes(coder, 1)

    def feed(self, codes: np.ndarray) -> bytes:
        if self.coder.setup.reset == 1:  # each window by itself, as many side by side as there are
            return self.coder.decode([codes])[0]
        data = self.lanes.run([codes], open_end=True)[0]
        self.lanes.records["at"] = 0
        return data


class _EncodingLanes(Lanes):
    """Lanes that encode, with the rows that they keep."""

    def __init__(self, coder: WindowCoder, documents: int) -> None:
        model = coder.restarting
        setup = coder.setup
        lanes = min(model.lanes if model.row is None else 1, documents)
        width = 1
        if setup.max_window <= MAX_KEPT:
            width = min(max(FILLED // max(lanes, 1), 1), model.width)
        keep = (setup.reset != 1 or width > 1) and model.row is None
        if keep:
            lanes = min(lanes, max(KEPT_BYTES // (4 * SYMBOLS * (setup.max_window + 1)), 1))
        super().__init__(model, lanes, steps.ENCODER)
        self.coder = coder
        window = setup.max_window + 1
        self.kept = np.empty((lanes, window if keep else 0, SYMBOLS), dtype=np.uint32)
        self.path = np.zeros((lanes, window if setup.rule == steps.DELAY else 0), dtype=INTERVAL)
        self.ahead = np.empty((lanes, width), dtype=np.int64)
        self.rows_ahead = np.empty((lanes, width, SYMBOLS), dtype=np.uint32)

    def run(
        self, data: np.ndarray, ends: np.ndarray, open_end: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(codes, lengths, windows a document); a document's windows stand where its bytes do.

        open_end: the last document goes on after `data`; its last windows are left open.
        """
        self.encoding = e = steps.Encoding(
            self.records, self.fed, self.restart, self.queue, data, ends, open_end,
            codes=np.empty((len(data), num_limbs(self.coder.setup.bits)), dtype=np.int64),
            lengths=np.empty(len(data), dtype=np.int64),
            counts=np.zeros(len(ends), dtype=np.int64),
            start_row=self.coder.start_row, kept=self.kept, path=self.path,
            static=self.model.row is not None, setup=self.coder.setup,
        )  # fmt: skip
        if len(data):
            self.drive(lambda rows: steps.encode_step(rows, e))
        codes, dropped = e.codes, self.coder.dropped
        if dropped:
            codes = without_last(codes, dropped, self.coder.setup.bits)
        return codes, e.lengths, e.counts

    def advance(self) -> None:
        if self.ahead.shape[1] == 1:
            return super().advance()
        steps.look_ahead(self.encoding, self.ahead)
        taken = self.model.feed(self.state, self.ahead, self.restart, self.rows_ahead)
        steps.keep_ahead(self.records, self.rows_ahead, taken, self.kept)


class _DecodingLanes(Lanes):
    """Lanes that decode."""

    def __init__(self, coder: WindowCoder, documents: int) -> None:
        super().__init__(coder.restarting, min(coder.restarting.lanes, documents), steps.DECODER)
        self.coder = coder

    def run(self, streams: list[np.ndarray], open_end: bool = False) -> list[bytes]:
        """The bytes of each stream. open_end: the last one's document goes on after it."""
        setup = self.coder.setup
        ends = np.cumsum([len(s) for s in streams], dtype=np.int64)
        codes = np.concatenate([np.empty((0, self.coder.limbs), dtype=np.int64), *streams])
        if not len(codes):
            return [b""] * len(streams)
        if self.coder.dropped:  # for bits that were not written, the middle: 10
            dropped = self.coder.dropped
            codes = with_last(codes, 1 << (dropped - 1), dropped, self.coder.bits)
        spans = np.zeros((len(codes) if setup.rule == steps.PAPER else 0, 2), dtype=np.int64)
        given = (
            self.records, self.fed, self.restart, self.queue, codes, ends,
            open_end, spans, self.coder.start_row, setup,
        )  # fmt: skip
        if self.model.row is not None:
            texts = [steps.decode_static(self.model.frequencies(self.state), *given).tobytes()]
        else:
            collector = Collector(len(self.records), len(streams))

            def step(rows: np.ndarray) -> bool:
                active = steps.decode_step(rows, *given)
                collector.add(self.fed, self.records["doc"])
                return active

            self.drive(step)
            texts = collector.documents()
        if setup.rule != steps.PAPER:
            return texts
        parts = np.split(spans, ends[:-1])
        return [_without_excess(text, part) for text, part in zip(texts, parts, strict=True)]


def _without_excess(text: bytes, spans: np.ndarray) -> bytes:
    """Rule "paper": what each window read less the bytes beyond its code. spans: (read, kept)."""
    at = np.arange(len(text)) - np.repeat(np.cumsum(spans[:, 0]) - spans[:, 0], spans[:, 0])
    return np.frombuffer(text, dtype=np.uint8)[at < np.repeat(spans[:, 1], spans[:, 0])].tobytes()
