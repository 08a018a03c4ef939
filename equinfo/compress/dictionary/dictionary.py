"""Strings with codes: text is cut into the longest ones that fit, codes are written out again.

What a piece is depends on the bytes from its begin and on nothing before it, or, where pieces may
not begin everywhere, on the class of the byte before as well. So a long document is cut into spans
that overlap, walked side by side as if each were a document, and joined where pieces of both begin
at one place (but the second's first byte): from there on they are the same.
"""

import threading
from collections.abc import Callable
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

import numpy as np

from equinfo.compress.dictionary.double_array import (
    ANY,
    CODE_MASK,
    END,
    LENGTH_BITS,
    LOOKAHEAD,
    MAX_LENGTH,
    MAX_NODES,
    DoubleArray,
    build,
)
from equinfo.compress.dictionary.walk import close_up, measure, spell, walk
from equinfo.compress.parallel import in_threads
from equinfo.errors import EquinfoError

SPAN = 1 << 15  # bytes at which a document is cut, at least
NO_CODES = np.empty(0, dtype=np.uint16)
GROUP_BYTES = 1 << 20  # of text walked at once by a thread
BATCH_BYTES = GROUP_BYTES // 2  # of documents, of whom the last may be as large
THREADS = threading.local()


class Dictionary:
    """Pieces by longest match. Encoding runs without the GIL in `parallel.num_threads()` threads.

    strings: distinct, of at most MAX_LENGTH bytes; the 256 single bytes are among them and have
    codes. codes: int64[n] below m (at most 2**20), -1 for a string that is no piece but begins one
    (all other prefixes are added where they lack). masks: uint8[n], bit k: the string may end a
    piece where the next byte is of class k (bit 7: at the document's end); all, if not given.
    Strings that may not end everywhere have codes of their own. classes: uint8[256], each byte's
    class, 0 to 6. meanings: int64[m], the string (its number) that each code 0 .. m - 1 decodes to,
    -1 for none; the string that has it, if not given. cut: bool[8, 8], if given: strings that may
    not end everywhere begin only with a document, or where it is true of the classes of the byte
    before and the first. Raises EquinfoError for what breaks this, and for what double_array.build
    refuses.
    """

    def __init__(
        self,
        strings: list[bytes],
        codes: np.ndarray,
        masks: np.ndarray | None = None,
        classes: np.ndarray | None = None,
        meanings: np.ndarray | None = None,
        cut: np.ndarray | None = None,
    ) -> None:
        self.strings, self.codes = strings, np.asarray(codes, dtype=np.int64)
        self.masks = np.full(len(strings), ANY, dtype=np.uint8) if masks is None else masks
        self.classes = np.zeros(256, dtype=np.uint8) if classes is None else classes
        self.cut = cut
        if self.codes.max(initial=0) > CODE_MASK:
            raise EquinfoError(f"codes must be below {CODE_MASK + 1}")
        if meanings is None:
            meanings = np.full(int(self.codes.max(initial=-1)) + 1, -1, dtype=np.int64)
            has_code = np.flatnonzero(self.codes >= 0)
            meanings[self.codes[has_code]] = has_code
        self.meanings = np.asarray(meanings, dtype=np.int64)
        self._check()

    def _check(self) -> None:
        """Encoding and decoding read by address: all that they rely on is proven here."""
        n = len(self.strings)
        if self.codes.shape != (n,) or self.masks.shape != (n,) or self.classes.shape != (256,):
            raise EquinfoError(
                f"a dictionary of {n} strings needs as many codes and masks, and 256 classes"
            )
        means = self.meanings
        if means.ndim != 1 or len(means) > CODE_MASK + 1 or self.classes.max() >= END:
            raise EquinfoError(
                f"a dictionary has a row of at most {CODE_MASK + 1} meanings, and classes of bytes"
                f" below {END}"
            )
        low, high = self.codes.min(initial=0), self.codes.max(initial=0)
        if not -1 <= low <= high < len(means):
            raise EquinfoError(f"codes must be -1 or below {len(means)}, the number of meanings")
        if not -1 <= means.min(initial=0) <= means.max(initial=0) < n:
            raise EquinfoError("a code decodes to a string that is not there")
        coded, free = self.codes >= 0, self.masks == ANY
        bound = self.codes[coded & ~free]
        if len(np.unique(bound)) < len(bound):
            raise EquinfoError("strings that may not end everywhere must have codes of their own")
        lengths = np.fromiter(map(len, self.strings), dtype=np.int64, count=n)
        single = {self.strings[k] for k in np.flatnonzero(coded & free & (lengths == 1))}
        if len(single) != 256 or len(set(self.strings)) != n or not lengths.all():
            raise EquinfoError(
                "a dictionary's strings must be distinct, and every byte a piece that may end"
                " anywhere"
            )
        self.longest = int(lengths.max())
        if self.longest > MAX_LENGTH:
            raise EquinfoError(
                f"a string of {self.longest} bytes: a dictionary's have at most {MAX_LENGTH}"
            )
        most_nodes = lengths.sum() * (1 if self.cut is None else 2)
        if self.longest > LOOKAHEAD or most_nodes > MAX_NODES:
            self.trie  # noqa: B018 (built now: it refuses too many nodes, and walks that look far)

    @cached_property
    def lossless(self) -> bool:
        """Whether each string's code decodes to that string: then codes tell where pieces end."""
        coded = np.flatnonzero(self.codes >= 0)
        return np.array_equal(self.meanings[self.codes[coded]], coded)

    @cached_property
    def trie(self) -> DoubleArray:
        return build(self.strings, self.codes, self.masks, self.classes, self.cut)

    @cached_property
    def spelled(self) -> tuple[np.ndarray, np.ndarray]:
        """(begin << LENGTH_BITS | length of codes' strings: int64[m], the bytes and 15 more)."""
        lengths = np.array([len(s) for s in self.strings], dtype=np.int64)
        where = (np.cumsum(lengths) - lengths) << LENGTH_BITS | lengths
        blob = np.frombuffer(b"".join([*self.strings, bytes(15)]), dtype=np.uint8)
        return np.where(self.meanings >= 0, where[self.meanings], 0), blob

    def lengths(self, codes: np.ndarray) -> np.ndarray:
        """int64[n]: bytes that each code stands for; 0 where it has none."""
        return self.spelled[0][codes] & MAX_LENGTH

    # -- text to codes -----------------------------------------------------------------------------

    def encode(
        self,
        documents: list[Any],
        dtype: Any = np.uint32,
        as_bytes: Callable[[list[Any]], list[bytes]] = list,
        threads: bool = True,
        before: bytes = b"",
    ) -> list[np.ndarray]:
        """The codes of each document, `dtype`[pieces].

        as_bytes: turns documents into bytes, a batch at a time: all at once would be fresh memory.
        threads: whether batches of documents are shared among them. before: the byte before the
        first document, where that is the rest of one.
        """
        sizes = np.fromiter(map(len, documents), dtype=np.int64, count=len(documents))
        # where one document is long, threads share its spans, and not the documents
        if threads and sizes.sum() > BATCH_BYTES >= sizes.max():
            self.trie  # noqa: B018 (built before the threads ask for it)
            encoded = in_threads(
                lambda batch: self.encode(documents[batch], dtype, as_bytes, threads=False),
                _groups(sizes, BATCH_BYTES),
            )
            return list(chain.from_iterable(encoded))
        documents = as_bytes(documents)
        sizes = np.fromiter(map(len, documents), dtype=np.int64, count=len(documents))
        text = np.frombuffer(b"".join(documents), dtype=np.uint8)
        spans, firsts = _spans(sizes, self._overlap if self.lossless else len(text))
        if before:
            spans[0, 2] = self.trie.begins_amid(before, documents[0])
        codes, counts = self.walk(text, spans, dtype)
        stops = np.cumsum(counts)
        if len(spans) == len(documents):
            places = map(slice, (stops - counts).tolist(), stops.tolist())
            return list(map(codes.__getitem__, places))
        pieces = [codes[a:b] for a, b in zip(stops - counts, stops, strict=True)]
        return [
            self._joined(pieces[a:b], spans[a:b], document) if b > a + 1 else pieces[a]
            for a, b, document in zip(firsts, [*firsts[1:], len(spans)], documents, strict=True)
        ]

    @property
    def _overlap(self) -> int:
        """Bytes that a span shares with the next: room to meet, and for the last, cut piece."""
        return 4 * self.longest + 64

    def walk(
        self, text: np.ndarray, spans: np.ndarray, dtype: Any, threads: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """(the codes of all spans, how many each has).

        text: uint8[m]. spans: int64[n, 3], begins and stops of what is walked as a document each,
        and whether it begins inside a pretoken (0 or 1).
        """
        spans = np.ascontiguousarray(spans)
        widths = spans[:, 1] - spans[:, 0]
        self.trie  # noqa: B018 (built before the threads ask for it)
        if threads and widths.sum() > GROUP_BYTES:
            done = in_threads(
                lambda group: self.walk(text, spans[group], dtype, threads=False),
                _groups(widths, GROUP_BYTES),
            )
            parts, counts = zip(*done, strict=True)
            return np.concatenate(parts), np.concatenate(counts)
        out = _scratch(int(widths.sum()))
        counts = np.empty(len(spans), dtype=np.int64)
        walk(text, spans, *self.trie, out, counts)
        codes = np.empty(int(counts.sum()), dtype=dtype)
        close_up(out, spans, counts, codes)
        return codes, counts

    def _joined(self, pieces: list[np.ndarray], spans: np.ndarray, document: bytes) -> np.ndarray:
        """One document's codes from those of its spans."""
        kept = []
        skip = 0
        for k in range(len(pieces) - 1):
            meeting = self._meet(pieces[k], pieces[k + 1], spans[k], spans[k + 1])
            if meeting is None or len(pieces[k]) - meeting[0] < skip:
                return self._alone(document, pieces[0].dtype, int(spans[0, 2]))
            kept.append(pieces[k][skip : len(pieces[k]) - meeting[0]])
            skip = meeting[1]
        return np.concatenate([*kept, pieces[-1][skip:]])

    def _meet(
        self, codes: np.ndarray, following: np.ndarray, span: np.ndarray, next_span: np.ndarray
    ) -> tuple[int, int] | None:
        """Where pieces of two spans meet: (how many of the first from there, the second before)."""
        tail, head = codes[-self._overlap :], following[: self._overlap]
        tail_lengths, head_lengths = self.lengths(tail), self.lengths(head)
        tail_starts = span[1] - np.cumsum(tail_lengths[::-1])[::-1]
        # not where the span begins: what is before it was not seen
        head_starts = next_span[0] + np.cumsum(head_lengths[:-1])
        sure = tail_starts < span[1] - self.longest - 1  # the others may have seen the span's end
        common, a, b = np.intersect1d(
            tail_starts[sure], head_starts, assume_unique=True, return_indices=True
        )
        return (len(tail) - int(a[0]), int(b[0]) + 1) if len(common) else None

    def _alone(self, document: bytes, dtype: Any, inside: int = 0) -> np.ndarray:
        """A document's codes by one walk, for text so regular that spans' pieces never meet."""
        text = np.frombuffer(document, dtype=np.uint8)
        return self.walk(text, np.array([[0, len(document), inside]]), dtype)[0]

    def part(self, data: bytes, last: bool, before: bytes = b"") -> tuple[np.ndarray, int]:
        """(the codes of a document's pieces that are certain of its beginning, how many bytes they
        stand for): all of it with `last`, else up to the longest string and a byte, whose class
        counts. uint32[n]. before: the byte before `data`, if that does not begin the document.
        """
        if not last and not self.lossless:
            return NO_CODES, 0
        codes = self.encode([data], before=before)[0]
        if last:
            return codes, len(data)
        lengths = self.lengths(codes)
        certain = np.cumsum(lengths) - lengths < len(data) - self.longest
        return codes[certain], int(lengths[certain].sum())

    def for_parse(self, costs: np.ndarray | None) -> tuple[Any, ...]:
        """The last arguments of parse.parse. costs: uint16[codes], or None."""
        trie = self.trie
        return trie.table, trie.root, trie.amid_root, trie.inside, self.classes, costs

    # -- codes to text -----------------------------------------------------------------------------

    def decode(self, streams: list[np.ndarray]) -> list[bytes]:
        """The bytes of each stream of codes. Raises EquinfoError for a code that no string has."""
        where, blob = self.spelled
        codes = streams[0] if len(streams) == 1 else np.concatenate([NO_CODES, *streams])
        ends = np.cumsum([len(stream) for stream in streams], dtype=np.int64)
        wrong = measure(codes, where, ends)
        if wrong >= 0:
            raise EquinfoError(
                f"code {int(codes[wrong])} stands for no string: the stream was altered or made"
                " by another tokenizer"
            )
        out = np.empty((int(ends[-1]) if len(ends) else 0) + 15, dtype=np.uint8)
        spell(codes, where, blob, out)
        whole = memoryview(out)
        return [bytes(whole[a:b]) for a, b in pairwise([0, *ends.tolist()])]


def _groups(sizes: np.ndarray, most: int) -> list[slice]:
    """Runs of items of about `most` bytes: those that begin in the same `most` bytes of all."""
    begins = np.cumsum(sizes) - sizes
    cuts = [0, *(np.flatnonzero(np.diff(begins // most)) + 1).tolist(), len(sizes)]
    return list(map(slice, cuts, cuts[1:]))


def _spans(sizes: np.ndarray, overlap: int) -> tuple[np.ndarray, np.ndarray]:
    """(begins, stops, 0: int64[spans, 3], each document's first span); a long one has several."""
    step = max(SPAN, 32 * overlap)
    ends = np.cumsum(sizes)
    begins = ends - sizes
    if sizes.max(initial=0) < 2 * step:
        spans = np.zeros((len(sizes), 3), dtype=np.int64)  # a third of column_stack's time
        spans[:, 0], spans[:, 1] = begins, ends
        return spans, np.arange(len(sizes))
    counts = np.maximum(sizes // step, 1)
    owner = np.repeat(np.arange(len(ends)), counts)
    firsts = np.cumsum(counts) - counts
    inside = np.arange(len(owner)) - firsts[owner]
    starts = begins[owner] + inside * step
    stops = np.where(inside == counts[owner] - 1, ends[owner], starts + step + overlap)
    return np.column_stack([starts, stops, np.zeros_like(stops)]), firsts


def _scratch(size: int) -> np.ndarray:
    """uint32[size] with any values, one a thread: fresh memory costs time, page by page."""
    if size > 2 * GROUP_BYTES:
        return np.empty(size, dtype=np.uint32)  # too much to keep
    scratch: np.ndarray | None = getattr(THREADS, "scratch", None)
    if scratch is None or len(scratch) < size:
        scratch = THREADS.scratch = np.empty(size, dtype=np.uint32)
    return scratch[:size]
