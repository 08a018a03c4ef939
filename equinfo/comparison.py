"""Tokenizers side by side on one text: what `equinfo compare` prints."""

import contextlib
import os
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from equinfo.api import MAX_BYTES, AnyTokenizer, evaluate
from equinfo.corpora import HELD_OUT, WHOLE, AnyCorpus, documents_of, take
from equinfo.errors import EquinfoError, naming_files, needing
from equinfo.files import as_path, atomic_file, target
from equinfo.generation import tokenizer_of
from equinfo.shards import TokenStream
from equinfo.show import readable
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.imported import open_any
from equinfo.tokenizers.imported_base import ImportedTokenizer
from equinfo.tokenizers.registry import kept

PASSES, SECONDS, TIMED = 9, 1.0, 1 << 20  # for MB/s: passes, seconds, bytes at most
CLOCK = time.process_time  # what else the machine does counts less in it
if time.get_clock_info("process_time").resolution > 1e-4:  # on Windows
    CLOCK = time.perf_counter
ONE_THREAD = {"EQUINFO_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
SHORT = 1.02  # times bits/byte, if another smoothing changes it as much
ABOUT = (
    "bits/byte: each half of the text at the other half's frequencies of ids. MB/s: encoding, one"
    " thread."
)
PICTURES = (".png", ".svg", ".pdf")
MARKS = "sDohX^vP*p"
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#882255")
COLUMNS = 100
HEAD = ("vocabulary", "unused", "ids", "bytes/id", "bits/byte", "MB/s")
WIDTHS = (11, 9, 14, 10, 11, 10)
ROOM = COLUMNS - sum(WIDTHS)


@dataclass(frozen=True)
class Measurement:
    """One tokenizer on the text.

    tokenizer: as it was asked for, or its name; fingerprint: of all that decides its ids.
    unused: the share of the `vocabulary` codes that the text never uses. num_ids: codes, no EOS.
    bytes_per_id: bytes of the text, whatever the tokenizer lost of it. bits_per_byte: each half of
    the text at the frequencies of the ids in the other, 1/2 added to the count of every code (KT);
    bits_per_byte_add_one: 1 added; where the two differ, the text is short for the vocabulary and
    both are too high. changed: documents that do not come back from their ids. mb_per_second:
    10^6 bytes of text a second of CPU, encoded in one thread, warm, the best of up to nine passes
    over at most 1 MiB. lms: folder of an LM on these ids -> its bits/byte, documents' ends counted.
    """

    tokenizer: str
    name: str
    fingerprint: str
    vocabulary: int
    unused: float
    num_ids: int
    bytes_per_id: float
    bits_per_byte: float
    bits_per_byte_add_one: float
    changed: int
    mb_per_second: float = 0.0
    lms: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """As tables and pictures call it."""
        loses = ", loses text" * (self.changed > 0)
        return _short(self.tokenizer, ROOM - len(loses)) + loses

    @property
    def short(self) -> bool:
        """Whether the text is so short for the vocabulary that the smoothing decides."""
        differ = self.bits_per_byte_add_one > SHORT * self.bits_per_byte
        return differ or self.num_ids < self.vocabulary


@dataclass(frozen=True)
class Comparison:
    """The text, and a row a tokenizer. `str` of it is a table of 100 columns."""

    corpus: str
    num_documents: int
    num_bytes: int
    rows: list[Measurement]

    def __str__(self) -> str:
        text = f"{self.num_documents:,} document{'s' * (self.num_documents > 1)}"
        lines = [f"{self.corpus}: {text}, {self.num_bytes:,} bytes", "", _line("tokenizer", *HEAD)]
        for row in self.rows:
            cells = f"{row.vocabulary:,}", f"{row.unused:.1%}", f"{row.num_ids:,}"
            rates = f"{row.bytes_per_id:.3f}", f"{row.bits_per_byte:.3f}"
            lines.append(_line(row.label, *cells, *rates, f"{row.mb_per_second:,.1f}"))
            for lm, bits in row.lms.items():
                lines.append(_line(f"  under {lm}", *[""] * 4, f"{bits:.3f}", ""))
        notes = [ABOUT]
        lossy = [f"{_short(row.tokenizer)} ({row.changed:,})" for row in self.rows if row.changed]
        if lossy:
            notes.append(
                f"Loses text: {', '.join(lossy)} of {text} do not come back from their ids; what is"
                " lost costs nothing here."
            )
        if short := [_short(row.tokenizer) for row in self.rows if row.short]:
            notes.append(f"Too high, as the text is short: bits/byte of {', '.join(short)}.")
        wrapped = [textwrap.fill(note, COLUMNS, break_on_hyphens=False) for note in notes]
        return "\n".join([*lines, "", *wrapped])

    def draw(self, path: Path | str) -> None:
        """A picture, bits/byte against bytes/id: hollow marks for the ids' own frequencies, filled
        ones for LMs. Raises EquinfoError as `check_picture` does."""
        kind = check_picture(path)
        import matplotlib as mpl
        from matplotlib.figure import Figure

        options: Any = {"font.size": 10, "svg.hashsalt": "equinfo", "svg.fonttype": "none"}
        with mpl.rc_context(options):
            drawn = Figure(figsize=(8.6, 4.8), layout="constrained")
            axes = drawn.subplots()
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.25)
            handles = []
            for row, colour, mark in zip(self.rows, cycle(COLOURS), cycle(MARKS), strict=False):
                y = [row.bits_per_byte, *row.lms.values()]
                x = [row.bytes_per_id] * len(y)
                axes.plot(x, y, f"{mark}-", color=colour, lw=0.8, ms=9)
                handles += axes.plot(x[:1], y[:1], mark, color=colour, mfc="white", mew=1.6, ms=9)
            lms = any(row.lms for row in self.rows)
            axes.set_xlabel("bytes/id")
            axes.set_ylabel("bits/byte" + ", hollow: own frequencies; filled: under an LM" * lms)
            title = axes.set_title(f"{self.corpus}, {self.num_bytes:,} bytes", loc="left", size=10)
            names = [f" {row.label}" for row in self.rows]  # one that begins with _ is left out
            legend = drawn.legend(handles, names, loc="outside right upper", frameon=False)
            for text in (title, *legend.get_texts()):
                text.set_parse_math(False)
            metadata = {"Date": None} if kind == "svg" else None
            with atomic_file(path) as beside:
                drawn.savefig(beside, format=kind, dpi=150, metadata=metadata)


def check_picture(path: Path | str) -> str:
    """Its format. Raises EquinfoError for none that is drawn, and where matplotlib is missing."""
    suffix = target(path).suffix.lower()
    if suffix not in PICTURES:
        raise EquinfoError(f"{path}: a picture's name ends in {', '.join(PICTURES)}")
    with needing("plots", "a picture"):
        import matplotlib  # noqa: F401
    return suffix[1:]


@naming_files()
def compare(
    corpus: AnyCorpus = "bundled",
    tokenizers: Sequence[AnyTokenizer] = (),
    *,
    lms: Sequence[Path | str] = (),
    split: str = WHOLE,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[str], None] | None = None,
) -> Comparison:
    """Tokenizers on one text: ids, bytes/id, bits/byte, MB/s, a row each.

    tokenizers: names and folders as `equinfo.load` takes them, folders and files of transformers
    and SentencePiece, `hf:NAME` for one on the hub, or objects. lms: folders of LMs; each is
    measured in the row of its tokenizer, which is added where it is missing. split: all of the
    corpus, or what training takes of it or leaves out. progress: is told what is being done.
    Raises EquinfoError for what is no tokenizer or does not take the text, and for an empty text.
    """
    say = progress or (lambda doing: None)
    say("loading")
    if isinstance(tokenizers, str | Path | Tokenizer) or isinstance(lms, str | Path):
        raise EquinfoError("tokenizers and lms are lists: put a single one into a list")
    sides = [_Side(open_any(one), _label(one)) for one in tokenizers]
    for lm in map(as_path, lms):
        chosen = _tokenizer_of(lm, sides)
        fitting = [side for side in sides if side.tokenizer.fingerprint == chosen.fingerprint]
        if not fitting:
            fitting = [_Side(chosen, chosen.name)]
            sides += fitting
        fitting[0].lms.append(lm)
    if not sides:
        raise EquinfoError("name one tokenizer or more, or an LM: -t english-64k -t FOLDER")
    name = corpus if isinstance(corpus, str | Path) else getattr(corpus, "name", "the text")
    label = _label(name)
    say(f"reading {label}")
    documents = take(documents_of(corpus, split), max_bytes, say=True)
    if not any(documents):
        raise EquinfoError(f"{label} is empty: there is no text to compare on")
    rows = [side.row(documents, label, say) for side in sides]
    say("timing")
    speeds = _speeds([side.measured for side in sides], take(documents, TIMED))
    rows = [replace(row, mb_per_second=one) for row, one in zip(rows, speeds, strict=True)]
    return Comparison(label, len(documents), sum(map(len, documents)), rows)


@dataclass
class _Side:
    """A tokenizer, as tables call it, and the LMs on its ids."""

    tokenizer: Tokenizer
    label: str
    lms: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.measured = self.tokenizer
        if isinstance(self.tokenizer, ImportedTokenizer) and not self.tokenizer.proven:
            self.measured = copy(self.tokenizer)
            self.measured.lossless = False  # or it would refuse a text that does not come back

    def row(self, documents: list[bytes], corpus: str, say: Callable[[str], None]) -> Measurement:
        chosen = self.measured
        say(f"{self.label} encodes")
        try:
            encoded = chosen.encode_batch(documents)
        except EquinfoError as error:
            raise EquinfoError(f"{self.label} does not take {corpus}: {error}") from error
        num_bytes = sum(map(len, documents))
        num_ids = sum(map(len, encoded))
        if not num_ids:
            raise EquinfoError(f"{self.label} makes no ids of {corpus}: there is nothing to count")
        counts = halves(encoded, chosen.code_size)
        changed = 0
        if not chosen.lossless:
            say(f"{self.label} decodes")
            changed = sum(map(_differs, [chosen] * len(documents), encoded, documents))
        measured = {}
        for lm in self.lms:
            stream = TokenStream.of(encoded, chosen.eos_id, num_bytes)
            say(f"{lm} predicts")
            measured[_label(lm)] = evaluate(lm, self.tokenizer, stream).bits_per_byte
        return Measurement(
            tokenizer=self.label,
            name=chosen.name,
            fingerprint=self.tokenizer.fingerprint,
            vocabulary=chosen.code_size,
            unused=float(np.mean(counts.sum(0) == 0)),
            num_ids=num_ids,
            bytes_per_id=num_bytes / num_ids,
            bits_per_byte=code_length(counts, 0.5) / num_bytes,
            bits_per_byte_add_one=code_length(counts, 1.0) / num_bytes,
            changed=changed,
            lms=measured,
        )


def halves(encoded: list[np.ndarray], size: int) -> np.ndarray:
    """int64[2, size]: how often each id is in either half of the text.

    Documents are dealt to the halves in an order without pattern, the same for all tokenizers; of
    fewer than 20 documents, each one's ids are cut into 20 runs.
    """
    if len(encoded) < HELD_OUT:
        encoded = [run for ids in encoded for run in np.array_split(ids, HELD_OUT)]
    half = np.random.default_rng(0).permutation(len(encoded)) % 2
    parts = [[ids for ids, at in zip(encoded, half, strict=True) if at == n] for n in (0, 1)]
    return np.stack([np.bincount(np.concatenate(part), minlength=size) for part in parts])


def code_length(counts: np.ndarray, added: float) -> float:
    """Bits of each half's ids (int64[2, size]) at their frequencies in the other, `added` to each
    count."""
    other = counts[::-1] + added
    return float(-(counts * np.log2(other / other.sum(1, keepdims=True))).sum())


def _differs(tokenizer: Tokenizer, ids: np.ndarray, document: bytes) -> bool:
    try:
        return tokenizer.decode(ids) != document
    except EquinfoError:
        return True


def _speeds(tokenizers: list[Tokenizer], documents: list[bytes]) -> list[float]:
    """MB/s of each. They take turns: what else the machine does meets all of them."""
    best = [np.inf] * len(tokenizers)
    spent = [0.0] * len(tokenizers)
    with _one_thread():
        for _ in range(PASSES):
            for n, tokenizer in enumerate(tokenizers):
                if spent[n] < SECONDS:
                    begun = CLOCK()
                    tokenizer.encode_batch(documents)
                    took = CLOCK() - begun
                    spent[n] += took
                    best[n] = min(best[n], took)
    return [sum(map(len, documents)) / seconds / 1e6 for seconds in best]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            os.environ.update({} if value is None else {name: value})


def _tokenizer_of(lm: Path, sides: list[_Side]) -> Tokenizer:
    """The LM's own; of an older folder that does not hold it, the first side that fits."""
    if kept(lm) is None:
        for side in sides:
            with contextlib.suppress(EquinfoError):
                return tokenizer_of(lm, side.tokenizer)
    return tokenizer_of(lm)


def _label(source: AnyTokenizer) -> str:
    name = source.name if isinstance(source, Tokenizer) else os.fsdecode(source)
    return readable(os.fsencode(name))


def _line(label: str, *cells: str) -> str:
    padded = (f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))
    return f"{_short(label):{ROOM}}{''.join(padded)}".rstrip()


def _short(label: str, room: int = ROOM) -> str:
    return label if len(label) <= room else f"...{label[3 - room :]}"
