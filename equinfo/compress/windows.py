"""Equal-info windows: every window is exactly b bits, ended by one of the rules in `RULES`.

Every string that can stand at a window's start owns an interval; the 2**b codes are equal cells of [0, 1). A string
can be written only if its interval wholly contains a cell. Under the rules "free" and "delay", a cell stands for the
*deepest* string whose interval contains it; under "reserve" that string's first cell belongs to none of its children.
Why these decode, what each gives up, and what the paper's rule (§3.3) misses: docs/windows.md. The rule "rank" needs
no intervals once its strings are known: compiled.py.

What makes the lossless rules total, for every model and every b from 8 to 128:
- the root's boundaries are cell boundaries and each byte owns at least one cell there, so every code begins with some
  byte;
- one cell of each single byte is kept from its children, so every byte can end a window;
- windows have at most `max_window` bytes; there, a string has no children, for encoder and decoder alike.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np

from equinfo.compress.bits import get_bits, put_bits
from equinfo.compress.collect import Collector
from equinfo.compress.integer import IntegerByteModel
from equinfo.compress.intervals import (
    BLOCK_BITS,
    INTERVAL,
    LIMB,
    LIMB_MASK,
    add_shifted,
    cell_number,
    deal_byte,
    enter_child,
    free_cell,
    holds_cell,
    middle_cell,
    narrow,
    pass_first_cell,
    shortest_code,
    subtract_shifted,
    take_first_cell,
)
from equinfo.compress.jit import kernel
from equinfo.compress.memoised import MemoisedModel
from equinfo.compress.models import SYMBOLS, ByteModel
from equinfo.errors import EquinfoError

MIN_BITS, MAX_BITS = 8, 128
MAX_KEPT = 1 << 12  # longest window whose rows or intervals an encoder may have to keep
KEPT_BYTES = 64 << 20  # what all lanes' kept rows may take
AHEAD, FILLED = 8, 64  # bytes that a lane shows a network at once, where few lanes would leave its products empty
PIECE = 16  # windows, or groups of them with one context, that a lane decodes at a time

RULES = ("free", "delay", "reserve", "rank", "paper")
FREE, DELAY, RESERVE, RANK, PAPER = range(5)

ENCODER = np.dtype(
    [
        ("doc", np.int64),
        ("at", np.int64),  # where the window begins in `data`
        ("window", np.int64),  # its number in the document
        ("depth", np.int64),  # bytes of it so far; 0: the lane wants a window, or a document
        ("known", np.int64),  # bytes from its beginning that the model has been fed, depth or more
        ("code_depth", np.int64),  # the longest prefix that has a code, which is `code`
        ("code", np.int64, (3,)),
        ("interval", INTERVAL),
    ]
)
DECODER = np.dtype(
    [
        ("doc", np.int64),
        ("at", np.int64),  # the window's place in `codes`
        ("window", np.int64),
        ("depth", np.int64),
        ("ended", np.bool_),  # "reserve": the code is that of the string so far
        ("match", np.int64),  # "paper": the longest prefix so far with this very code
        ("rest", np.int64, (3,)),
        ("interval", INTERVAL),
    ]
)


class Setup(NamedTuple):
    """What the kernels need to know of a WindowCoder."""

    rule: int
    reset: int
    max_window: int
    bits: int
    precision: int


def num_limbs(bits: int) -> int:
    """int64 limbs of 60 bits in a code of `bits` bits."""
    return -(-bits // LIMB)


def to_limbs(value: int) -> list[int]:
    return [(value >> (LIMB * limb)) & LIMB_MASK for limb in range(3)]


class CodeEncoder(Protocol):
    """One document in pieces; `last` closes the windows that are still open."""

    def feed(self, data: bytes, last: bool = False) -> np.ndarray: ...


class CodeDecoder(Protocol):
    """One document's codes in pieces."""

    def feed(self, codes: np.ndarray) -> bytes: ...


class Windows(Protocol):
    """Documents <-> codes of b bits, whatever the rule: `WindowCoder`, and `CompiledWindows` of compiled.py."""

    bits: int
    max_window: int

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The codes of each document: int64[windows, limbs], 60 bits a limb, little end first."""

    def decode(self, streams: list[np.ndarray]) -> list[bytes]: ...

    def encoder(self) -> CodeEncoder: ...

    def decoder(self) -> CodeDecoder: ...


def check_window(model: ByteModel, bits: int, max_window: int | None) -> int:
    """The longest window in bytes: `max_window`, or a default. Raises EquinfoError where it or `bits` cannot be."""
    if not MIN_BITS <= bits <= MAX_BITS:
        raise EquinfoError(f"windows of {bits} bits: b must be {MIN_BITS} to {MAX_BITS}")
    longest = min(4 * bits, model.max_context) if max_window is None else max_window
    if not 1 <= longest <= model.max_context:
        raise EquinfoError(f"max_window {longest}: must be 1 to the model's context, {model.max_context}")
    return longest


def make_windows(
    model: ByteModel, bits: int, max_window: int | None = None, rule: str = "free", reset: int = 1
) -> Windows:
    """The coder of any rule. Raises EquinfoError for what no coder can do."""
    if rule == "rank":
        from equinfo.compress.compiled import CompiledWindows

        if reset != 1:
            raise EquinfoError(f'rule "rank" with reset={reset}: its strings are those of one fixed window start')
        return CompiledWindows.compile(model, bits, max_window, rule)
    return WindowCoder(model, bits, max_window, rule, reset)


class WindowCoder:
    """Equal-info windows of `bits` bits over a byte model, by any rule but "rank".

    The coder restarts at each window; the model's context at every `reset`-th of a document, or at its first only
    (0). Raises EquinfoError for bits outside 8 .. 128, max_window outside 1 .. the model's max_context, an unknown
    rule, a negative reset, and the rule "paper" with a context that runs on: its decoder may read bytes that it then
    takes back.
    """

    def __init__(
        self, model: ByteModel, bits: int, max_window: int | None = None, rule: str = "free", reset: int = 1
    ) -> None:
        self.model, self.bits = model, bits
        self.stepped: ByteModel = model.memoised if isinstance(model, IntegerByteModel) else model
        self.max_window = check_window(model, bits, max_window)
        if rule not in RULES or rule == "rank":
            raise EquinfoError(f"unknown window rule {rule!r}; known: {', '.join(RULES)}")
        if reset < 0:
            raise EquinfoError(f"reset={reset}: it must be 1 or more, or 0 for a context that never begins anew")
        if rule == "paper" and reset != 1:
            raise EquinfoError(f'rule "paper" with reset={reset}: its decoder takes bytes back, so it must be 1')
        if (rule == "delay" or reset != 1) and self.max_window > MAX_KEPT:
            raise EquinfoError(f"max_window {self.max_window}: with this rule and reset it must be at most {MAX_KEPT}")
        self.limbs = num_limbs(bits)
        self.setup = Setup(RULES.index(rule), reset, self.max_window, bits, model.precision)
        self.start_row = model.frequencies(model.start(1))[0].copy()

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The codes of each document: int64[windows, limbs], 60 bits a limb, little end first."""
        return [codes for codes, _ in self.encode_lengths(documents)]

    def encode_lengths(self, documents: list[bytes]) -> list[tuple[np.ndarray, np.ndarray]]:
        """(codes, bytes in each window: int64[windows]) of each document."""
        order = sorted(range(len(documents)), key=lambda k: -len(documents[k]))  # so that lanes end together
        sizes = [len(documents[k]) for k in order]
        ends = np.cumsum(sizes, dtype=np.int64)
        data = np.frombuffer(b"".join(documents[k] for k in order), dtype=np.uint8)
        codes, lengths, counts = _Encoding(self, len(documents)).run(data, ends)
        parts = [slice(end - size, end - size + n) for end, size, n in zip(ends, sizes, counts, strict=True)]
        found = {k: (codes[part].copy(), lengths[part].copy()) for k, part in zip(order, parts, strict=True)}
        return [found[k] for k in range(len(documents))]

    def decode(self, streams: list[np.ndarray]) -> list[bytes]:
        """The bytes of each stream of codes (as `encode` gives them). Total: every code means some bytes."""
        if self.model.row is not None:
            return [_Decoding(self, 1).run([stream])[0] for stream in streams]
        if not self.setup.reset:
            return _Decoding(self, len(streams)).run(streams)
        step = self.setup.reset * PIECE
        pieces = [stream[at : at + step] for stream in streams for at in range(0, len(stream), step)]
        read = iter(_Decoding(self, len(pieces)).run(pieces))
        return [b"".join(islice(read, -(-len(stream) // step))) for stream in streams]

    def root_intervals(self, out: np.ndarray) -> None:
        """Set out (INTERVAL[256]) to the single bytes' intervals at a start of the model's context."""
        _deal_all(out, self.start_row, self.setup)

    def encoder(self) -> "WindowEncoder":
        return WindowEncoder(self)

    def decoder(self) -> "WindowDecoder":
        return WindowDecoder(self)


class WindowEncoder:
    """One document in pieces; holds less than a window of it."""

    def __init__(self, coder: WindowCoder) -> None:
        self.encoding, self.held = _Encoding(coder, 1), bytearray()

    def feed(self, data: bytes, last: bool = False) -> np.ndarray:
        """The codes of the windows that `data` closes: int64[n, limbs]. After `last`, of all that are left."""
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
        self.path = np.zeros((lanes, setup.max_window + 1 if setup.rule == DELAY else 0), dtype=INTERVAL)
        self.symbols, self.restart = np.empty(lanes, dtype=np.int64), np.empty(lanes, dtype=np.bool_)
        self.queue = np.zeros(1, dtype=np.int64)
        self.state = model.start(max(lanes, 1))

    def run(
        self, data: np.ndarray, ends: np.ndarray, open_end: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(codes, lengths, windows a document); a document's windows stand where its bytes do.

        open_end: the last document goes on after `data`; its last windows are left open.
        """
        coder, model = self.coder, self.coder.stepped
        codes, lengths = np.empty((len(data), coder.limbs), dtype=np.int64), np.empty(len(data), dtype=np.int64)
        counts = np.zeros(len(ends), dtype=np.int64)
        if not len(data) or not len(self.lanes):
            return codes, lengths, counts
        given = (
            self.symbols, self.restart, self.queue, data, ends, codes, lengths, counts, coder.start_row, self.kept,
            self.path, coder.setup, open_end,
        )  # fmt: skip
        if model.row is not None:
            _encode_static(self.lanes, model.frequencies(self.state), *given)
            return codes, lengths, counts
        while _encode_step(self.lanes, model.frequencies(self.state), *given):
            if isinstance(model, MemoisedModel) and self.ahead.shape[1] > 1:
                _look_ahead(self.lanes, self.symbols, data, ends, self.ahead, coder.setup)
                taken = model.feed(self.state, self.ahead, self.restart, self.rows_ahead)
                _keep_ahead(self.lanes, self.rows_ahead, taken, self.kept)
            else:
                model.advance(self.state, self.symbols, self.restart)
        return codes, lengths, counts


class _Decoding:
    """The arrays of one decoding, and of the model beside it."""

    def __init__(self, coder: WindowCoder, documents: int) -> None:
        self.coder, model = coder, coder.stepped
        lanes = min(model.lanes, documents)
        self.lanes = np.zeros(lanes, dtype=DECODER)
        self.lanes["doc"] = -1
        self.symbols, self.restart = np.empty(lanes, dtype=np.int64), np.empty(lanes, dtype=np.bool_)
        self.queue = np.zeros(1, dtype=np.int64)
        self.state = model.start(max(lanes, 1))

    def run(self, streams: list[np.ndarray], open_end: bool = False) -> list[bytes]:
        """The bytes of each stream. open_end: the last one's document goes on after it."""
        coder, model = self.coder, self.coder.stepped
        ends = np.cumsum([len(s) for s in streams], dtype=np.int64)
        codes = np.concatenate([np.empty((0, coder.limbs), dtype=np.int64), *streams])
        if not len(codes):
            return [b""] * len(streams)
        paper = coder.setup.rule == PAPER
        spans = np.zeros((len(codes) if paper else 0, 2), dtype=np.int64)
        given = (
            self.symbols, self.restart, self.queue, codes, ends, coder.start_row, spans, coder.setup, open_end,
        )  # fmt: skip
        if model.row is not None:
            read = [_decode_static(self.lanes, model.frequencies(self.state), *given).tobytes()]
        else:
            read = self._read(given, len(streams))
        parts = zip(read, np.split(spans, ends[:-1]), strict=True) if paper else ()
        return [_taken_back(data, part) for data, part in parts] if paper else read

    def _read(self, given: tuple[Any, ...], documents: int) -> list[bytes]:
        model, collector = self.coder.stepped, Collector(len(self.lanes), documents)
        while True:
            active = _decode_step(self.lanes, model.frequencies(self.state), *given)
            collector.add(self.symbols, self.lanes["doc"])
            if not active:
                return collector.documents()
            model.advance(self.state, self.symbols, self.restart)


def _taken_back(data: bytes, spans: np.ndarray) -> bytes:
    """Of the bytes that each window's walk read, those with the window's code (rule "paper"). spans: (read, kept)."""
    at = np.arange(len(data)) - np.repeat(np.cumsum(spans[:, 0]) - spans[:, 0], spans[:, 0])
    return np.frombuffer(data, dtype=np.uint8)[at < np.repeat(spans[:, 1], spans[:, 0])].tobytes()


class Failures(NamedTuple):
    """How much of a text a rule does not bring back."""

    windows: int
    wrong_windows: int
    documents: int
    wrong_documents: int


def count_failures(coder: WindowCoder, documents: Iterable[bytes]) -> Failures:
    """Encode, decode each window by itself, and compare with the bytes it was made of (needs reset = 1)."""
    if coder.setup.reset != 1:
        raise EquinfoError(f"windows with reset={coder.setup.reset} mean nothing by themselves: use reset=1")
    windows = wrong = changed = total = 0
    for document in documents:
        codes, lengths = coder.encode_lengths([document])[0]
        read = coder.decode(list(codes[:, None]))
        stops = np.cumsum(lengths)
        pieces = [document[stop - length : stop] for stop, length in zip(stops, lengths, strict=True)]
        windows += len(pieces)
        wrong += sum(a != b for a, b in zip(pieces, read, strict=True))
        changed += b"".join(read) != document
        total += 1
    return Failures(windows, wrong, total, changed)


@kernel
def _next_document(lane, queue, ends):
    """Give the lane the next document that is not empty; False if there is none."""
    while queue[0] < len(ends):
        lane.doc = queue[0]
        lane.at = ends[lane.doc - 1] if lane.doc > 0 else 0
        lane.window = 0
        queue[0] += 1
        if lane.at < ends[lane.doc]:
            return True
    lane.doc = -1
    return False


@kernel
def _encode_static(
    lanes, rows, symbols, restart, queue, data, ends, codes, lengths, counts, start_row, kept, path, setup, open_end
):
    """All of it, for a model whose row never changes."""
    while _encode_step(
        lanes, rows, symbols, restart, queue, data, ends, codes, lengths, counts, start_row, kept, path, setup, open_end
    ):
        pass


@kernel
def _encode_step(
    lanes, rows, symbols, restart, queue, data, ends, codes, lengths, counts, start_row, kept, path, setup, open_end
):
    """Feed the model one byte in every lane, deeper into its window or into the next one. False if none had any.

    A window may end before the bytes that the model has seen (`known`). Where the context runs on, the rows after
    these bytes are kept, and the next window walks them again without the model.
    """
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        symbols[i], restart[i] = -1, False
        if kept.shape[1] > 0 and lane.doc >= 0:
            kept[i, lane.known] = rows[i]
        while True:
            row = kept[i, lane.depth] if kept.shape[1] > 0 else rows[i]
            if lane.depth > 0:
                end = ends[lane.doc]
                if open_end and lane.at + lane.depth == end and lane.depth < setup.max_window:
                    break
                if not _deeper(lane, path[i], row, data, end, setup):
                    _close(lane, kept[i], ends, codes, lengths, counts, setup)
                    continue
            else:
                if lane.doc < 0 or lane.at == ends[lane.doc]:
                    if open_end and lane.doc >= 0:
                        break
                    if not _next_document(lane, queue, ends):
                        restart[i] = True
                        break
                if _is_start(lane.window, setup.reset):
                    restart[i], lane.known = True, 0
                    row = start_row
                _open(lane, path[i], row, data[lane.at], setup)
            if lane.depth > lane.known:
                lane.known += 1
                symbols[i] = data[lane.at + lane.depth - 1]
                active = True
                break
    return active


@kernel
def _look_ahead(lanes, symbols, data, ends, ahead, setup):
    """Set ahead[i] to symbols[i], where that is a byte, and what follows it in the document; -1 beyond its end."""
    for i in range(len(lanes)):
        lane = lanes[i]
        ahead[i, 0] = symbols[i]
        for k in range(1, ahead.shape[1]):
            known = lane.known + k  # with this byte
            inside = symbols[i] >= 0 and known <= setup.max_window and lane.at + known <= ends[lane.doc]
            ahead[i, k] = data[lane.at + known - 1] if inside else -1


@kernel
def _keep_ahead(lanes, rows, taken, kept):
    """Keep the rows of the bytes that the model took; the first of them is the lane's last known one."""
    for i in range(len(lanes)):
        for k in range(taken[i]):
            kept[i, lanes[i].known + k] = rows[i, k]
        lanes[i].known += max(taken[i] - 1, 0)


@kernel
def _is_start(window, reset):
    """Whether the model's context begins anew with this window of a document."""
    return window == 0 or (reset > 0 and window % reset == 0)


@kernel
def _edge(cumulative, total, byte, bits):
    """The first block of `byte`: one block for each byte, the rest by frequency. At most 2**52 on the way."""
    return byte + cumulative * ((np.int64(1) << min(bits, BLOCK_BITS)) - 256) // total


@kernel
def _deal_all(intervals, row, setup):
    total = np.int64(0)
    for k in range(256):
        total += np.int64(row[k])
    cumulative, first = np.int64(0), np.int64(0)
    for byte in range(256):
        cumulative += np.int64(row[byte])
        last = _edge(cumulative, total, byte + 1, setup.bits)
        deal_byte(intervals[byte], first, last, setup.bits, setup.precision, 1 if setup.rule <= DELAY else 0)
        first = last


@kernel
def _open(lane, path, row, byte, setup):
    """Begin a window with `byte`, where the model expects `row`."""
    total, before = np.int64(0), np.int64(0)
    for k in range(256):
        if k == byte:
            before = total
        total += np.int64(row[k])
    first = _edge(before, total, np.int64(byte), setup.bits)
    last = _edge(before + np.int64(row[byte]), total, np.int64(byte) + 1, setup.bits)
    spare = 1 if setup.rule <= DELAY else 0
    deal_byte(lane.interval, first, last, setup.bits, setup.precision, spare)
    lane.depth = lane.code_depth = 1
    if spare:
        lane.code[:] = 0
        add_shifted(lane.code, last, max(setup.bits - BLOCK_BITS, 0))
        subtract_shifted(lane.code, np.int64(1), 0)
    _entered(lane, path, setup)


@kernel
def _deeper(lane, path, row, data, end, setup):
    """Go on to the string with the next byte at its end; False if the window ends here."""
    inside, at = lane.depth < setup.max_window, lane.at + lane.depth
    if setup.rule <= DELAY:
        _note_free_cell(lane, row, 256 if inside else 0, setup)
    if not inside or at == end:
        return False
    if narrow(lane.interval, row, data[at], setup.precision):
        lane.depth += 1
        _entered(lane, path, setup)
        return True
    if setup.rule == DELAY:
        _delay_end(lane, path, row, data[at], setup)
    return False


@kernel
def _entered(lane, path, setup):
    if setup.rule == DELAY:
        path[lane.depth] = lane.interval
    elif setup.rule == RESERVE:
        take_first_cell(lane.interval, setup.precision, lane.code)
        lane.code_depth = lane.depth


@kernel
def _note_free_cell(lane, row, children, setup):
    offset, shift = free_cell(lane.interval, row, children, setup.precision)
    if offset >= 0:
        cell_number(lane.interval.low, offset, shift, setup.precision, lane.code)
        lane.code_depth = lane.depth


@kernel
def _delay_end(lane, path, row, byte, setup):
    """The window's code is the cell in which the middle of the string with the next byte lies.

    What contains that cell and is not longer than the window so far is a prefix of it: the deepest has the code.
    """
    middle_cell(lane.interval, row, byte, setup.precision, lane.code)
    depth = lane.depth
    while depth > 1 and not holds_cell(path[depth], lane.code, setup.precision):
        depth -= 1
    lane.code_depth = depth


@kernel
def _close(lane, kept, ends, codes, lengths, counts, setup):
    """Write the window's code; the bytes beyond its string go into the next one."""
    if setup.rule == PAPER:
        shortest_code(lane.interval, setup.precision, lane.code)
        lane.code_depth = lane.depth
    place = (ends[lane.doc - 1] if lane.doc > 0 else 0) + counts[lane.doc]
    for limb in range(codes.shape[1]):
        codes[place, limb] = lane.code[limb]
    lengths[place] = lane.code_depth
    counts[lane.doc] += 1
    lane.window += 1
    lane.at += lane.code_depth
    if kept.shape[0] > 0:
        for depth in range(lane.code_depth, lane.known + 1):
            kept[depth - lane.code_depth] = kept[depth]
    lane.known -= lane.code_depth
    lane.depth = 0


@kernel
def _decode_static(lanes, rows, symbols, restart, queue, codes, ends, start_row, spans, setup, open_end):
    """All bytes of one lane, for a model whose row never changes."""
    out, size = np.empty(4 * len(codes) + 16, dtype=np.uint8), 0
    while _decode_step(lanes, rows, symbols, restart, queue, codes, ends, start_row, spans, setup, open_end):
        if size == len(out):
            larger = np.empty(2 * size, dtype=np.uint8)
            larger[:size] = out
            out = larger
        out[size] = symbols[0]
        size += 1
    return out[:size].copy()


@kernel
def _decode_step(lanes, rows, symbols, restart, queue, codes, ends, start_row, spans, setup, open_end):
    """One byte out of every lane: the mirror of `_encode_step`."""
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        symbols[i], restart[i] = -1, False
        if lane.doc >= 0 and lane.depth > 0:
            if lane.depth < setup.max_window and not lane.ended:
                symbols[i] = enter_child(lane.interval, lane.rest, rows[i], 256, setup.precision)
            if symbols[i] >= 0:
                lane.depth += 1
                _read(lane, codes[lane.at], setup)
                active = True
                continue
            if setup.rule == PAPER:
                spans[lane.at, 0], spans[lane.at, 1] = lane.depth, lane.match if lane.match > 0 else lane.depth
            lane.at += 1
            lane.window += 1
        lane.depth = 0
        if lane.doc < 0 or lane.at == ends[lane.doc]:
            if open_end and lane.doc >= 0:
                continue
            if not _next_document(lane, queue, ends):
                restart[i] = True
                continue
        restart[i] = _is_start(lane.window, setup.reset)
        symbols[i] = _enter_root(lane, codes[lane.at], start_row if restart[i] else rows[i], setup)
        lane.depth, lane.match, lane.ended = 1, 0, False
        _read(lane, codes[lane.at], setup)
        active = True
    return active


@kernel
def _read(lane, code, setup):
    """What a rule asks of a string whose interval has just been entered."""
    if setup.rule == RESERVE:
        lane.ended = not pass_first_cell(lane.interval, lane.rest, setup.precision)
    elif setup.rule == PAPER:
        lane.interval.low[:] = 0
        for limb in range(len(code)):
            add_shifted(lane.interval.low, code[limb], LIMB * limb + setup.precision)
        _subtract(lane.interval.low, lane.rest)
        own = np.empty(len(code), dtype=np.int64)
        shortest_code(lane.interval, setup.precision, own)
        if (own == code).all():
            lane.match = lane.depth


@kernel
def _enter_root(lane, code, row, setup):
    """Find the byte whose cells hold `code`; set the lane's interval and the rest inside it."""
    block_shift = max(setup.bits - BLOCK_BITS, 0)
    block = code[block_shift // LIMB] >> (block_shift % LIMB)
    if block_shift // LIMB + 1 < len(code):
        block |= code[block_shift // LIMB + 1] << (LIMB - block_shift % LIMB)
    total = np.int64(0)
    for k in range(256):
        total += np.int64(row[k])
    byte, first, cumulative = 0, np.int64(0), np.int64(row[0])
    last = _edge(cumulative, total, 1, setup.bits)
    while block >= last:
        byte += 1
        cumulative += np.int64(row[byte])
        first, last = last, _edge(cumulative, total, byte + 1, setup.bits)
    deal_byte(lane.interval, first, last, setup.bits, setup.precision, 1 if setup.rule <= DELAY else 0)
    lane.rest[:] = 0
    for limb in range(len(code)):
        add_shifted(lane.rest, code[limb], LIMB * limb + setup.precision)
    _subtract(lane.rest, lane.interval.low)
    return byte


@kernel
def _subtract(position, other):
    """position -= other, for a result that is not negative."""
    for limb in range(3):
        position[limb] -= other[limb]
    for limb in range(2):
        if position[limb] < 0:
            position[limb] += 1 << LIMB
            position[limb + 1] -= 1


@kernel
def codes_to_bits(codes, bits):
    """Codes (int64[windows, limbs]) as a bitstream, `bits` bits each, big-endian: uint8[ceil(windows * bits / 8)]."""
    data = np.zeros((len(codes) * bits + 7) // 8, dtype=np.uint8)
    for i in range(len(codes)):
        for limb in range(codes.shape[1]):
            below = min(bits, LIMB * (limb + 1))
            put_bits(data, (i + 1) * bits - below, codes[i, limb], below - LIMB * limb)
    return data


@kernel
def codes_from_bits(data, count, bits):
    """The inverse of `codes_to_bits` for `count` windows."""
    codes = np.empty((count, (bits + LIMB - 1) // LIMB), dtype=np.int64)
    for i in range(count):
        for limb in range(codes.shape[1]):
            below = min(bits, LIMB * (limb + 1))
            codes[i, limb] = get_bits(data, (i + 1) * bits - below, below - LIMB * limb)
    return codes
