"""What closes a window in the paper? Candidates for its tables: python -m benchmarks.closing_rules

Windows of b bits of validation text. A candidate closes one before the byte with which its count
would exceed b:

    shortest   bits of the shortest bitstring inside the interval (§3.3 as we read it: rule `paper`)
    width      -log2 of the interval's width, rounded up
    one-more   bits that a coder of Witten, Neal & Cleary (1987) has put out, those it holds back
    (E3) counted, and one
    put-out    the same without the one: before its flush (rule `unflushed`)
    settled    those put out alone, no more than the common prefix of the interval's ends

and writes, in bits that are not settled: `zeros`, or as the `text` goes on. A row is a candidate
over an M1 that runs on (`never`: the coder alone restarts) or begins anew at each window (`every`;
a position's rows are those of the M1 started there, so all candidates share them). over_ac: bytes a
window, over what AC with this M1 puts into b bits. unigram, first, second: bits of ids of b / 2
bits below uniform (Miller-Madow), in shares: of all ids, of a window's first and of its second.
delayed: bytes a window if each ends with the first byte that leaves its count as it is, over bytes
a window. `--rules` adds the package's own windows with M1 anew: their bytes, how many of them, of
sequences (of 512) and of documents do not decode, and what they leave untold
(experiments/runs/measures/untold.py).
"""

from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.common import append, validation_pieces
from equinfo.compress.coder.streams import intervals
from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, ByteModel, load_model
from equinfo.compress.windows.windows import WindowCoder
from experiments.analysis.statistics import miller_madow
from experiments.runs.measures import untold
from experiments.runs.measures.decoding import tally, wrong_windows
from experiments.runs.measures.windows import cut

COUNTS = ("shortest", "width", "one-more", "put-out", "settled")
FREQUENCY = 16  # bits
BELOW = 10  # bits below a frequency's that an interval is followed which straddles an edge
DEEPEST = 24  # bytes of a window that are looked at where M1 begins anew


@kernel
def put_out(low, width, unit):
    """The most k such that the interval, in 2**-unit, is in [j, j + 2) * 2**-(k + 1) for a j."""
    for k in range(unit - 1):
        shift = unit - k - 2
        if low + width > ((low >> shift) + 2) << shift:
            return k
    return unit - 1


@kernel
def shortest(low, width, unit):
    """(bits, number) of the shortest bitstring inside the interval."""
    for k in range(unit + 1):
        number = -(-low >> (unit - k))
        if (number + 1) << (unit - k) <= low + width:
            return k, number
    return unit, low


@kernel
def size(count, low, width, unit):
    """(bits, number): the interval's bits by COUNTS[count], and which they are."""
    if count == 0:
        return shortest(low, width, unit)
    if count == 1:
        k = 0
        while width << k < 1 << unit:
            k += 1
        return k, -(-low >> (unit - k))
    if count == 4:
        k = 0
        while k < unit and low >> (unit - k - 1) == (low + width - 1) >> (unit - k - 1):
            k += 1
        return k, low >> (unit - k)
    k = put_out(low, width, unit)
    return (k + 1, (low >> (unit - k - 1)) + 1) if count == 2 else (k, low >> (unit - k))


@kernel
def windows(starts, freqs, ends, step, bits, count):
    """(bytes, bytes delayed, code padded with zeros, code as the text goes on): int64[windows]
    each.

    starts, freqs: of the byte at `place + depth`, in row `place` of an M1 begun there (step 1) or
    running on (step 0).
    """
    unit = bits + FREQUENCY + BELOW
    found = np.empty((len(freqs), 4), dtype=np.int64)
    made = 0
    at = 0
    for end in ends:
        while at < end:
            low = inner = np.int64(0)
            width = inner_width = np.int64(1) << unit
            depth = delayed = here = 0
            while at + depth < end:
                row, column = (at, depth) if step else (at + depth, 0)
                if column == freqs.shape[1]:
                    break
                a = (width * starts[row, column]) >> FREQUENCY
                b = (width * (starts[row, column] + freqs[row, column])) >> FREQUENCY
                inner = low + a
                inner_width = b - a
                now = size(count, inner, inner_width, unit)[0]
                if depth and (now > bits or inner_width < 1 << BELOW):
                    break
                low = inner
                width = inner_width
                depth += 1
                if now > here:
                    here = now
                    delayed = depth
            held, number = size(count, low, width, unit)
            padded = number << (bits - held) if held <= bits else number >> (held - bits)
            found[made, 0] = depth
            found[made, 1] = max(delayed, 1)
            found[made, 2] = padded & ((1 << bits) - 1)
            found[made, 3] = (inner + inner_width // 2) >> (unit - bits)
            made += 1
            at += depth
    return found[:made]


def below_uniform(ids: np.ndarray, bits: int) -> float:
    """The share of `bits` that the ids' frequencies save (entropy by Miller-Madow)."""
    return round(1 - miller_madow(np.bincount(ids)) / bits, 5)


def looked_up(
    model: ByteModel, documents: list[bytes], anew: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """(starts, freqs: int64[bytes, 1 or DEEPEST], bits of all bytes if M1 runs on)."""
    parts = [d[at : at + DEEPEST] for d in documents for at in range(len(d))] if anew else documents
    ends = np.cumsum([len(part) + 1 for part in parts])
    symbols = np.concatenate([[*part, EOD] for part in parts])
    starts, freqs = (found.astype(np.int64) for found in intervals(model, symbols, ends))
    kept = symbols != EOD
    told = float((model.precision - np.log2(freqs)).sum())
    if not anew:
        return starts[kept, None], freqs[kept, None], told
    whole = np.zeros((2, len(parts), DEEPEST), dtype=np.int64)
    for row, (part, end) in enumerate(zip(parts, ends, strict=True)):
        place = slice(end - len(part) - 1, end - 1)
        whole[:, row, : len(part)] = starts[place], freqs[place]
    return whole[0], whole[1], told


def measured(
    model: ByteModel, documents: list[bytes], bits: int, anew: bool
) -> list[dict[str, Any]]:
    """A row a candidate."""
    starts, freqs, told = looked_up(model, documents, False)
    if anew:
        starts, freqs, _ = looked_up(model, documents, True)
    ends = np.cumsum([len(d) for d in documents])
    rows = []
    size = int(ends[-1])
    for count, name in enumerate(COUNTS):
        lengths, delayed, *codes = windows(starts, freqs, ends, int(anew), bits, count).T
        row: dict[str, Any] = {"counted": name, "m1_anew": "every" if anew else "never"}
        row |= {"windows": len(lengths), "bytes": size, "ac_bits_a_byte": round(told / size, 4)}
        row["over_ac"] = round(float(lengths.mean()) * told / size / bits, 4)
        row["bytes_a_window"] = round(float(lengths.mean()), 4)
        row["delayed"] = round(float(delayed.mean() / lengths.mean()), 4)
        for padding, code in zip(("zeros", "text"), codes, strict=True):
            first = code >> (bits // 2)
            second = code & ((1 << (bits // 2)) - 1)
            ids = {"unigram": np.concatenate([first, second]), "first": first, "second": second}
            row[padding] = {one: below_uniform(ids[one], bits // 2) for one in ids}
        rows.append(row)
    return rows


def decoded(model: ByteModel, documents: list[bytes], bits: int, rule: str) -> dict[str, Any]:
    """How many of the package's own windows come back, M1 anew at each; what they leave untold."""
    coder = WindowCoder(model, bits, rule=rule)
    wrong = [wrong_windows(coder, codes, texts) for codes, texts in cut(coder, documents)]
    found = tally(wrong)
    ratio = round(sum(map(len, documents)) / found["windows"], 4)
    return {"rule": rule, "bytes_a_window": ratio, **found, **untold.values(coder, documents)}


def main(
    corpus: str = "imdb",
    bits: int = 16,
    running: str = "english-m1",
    anew: str = "english-m1-windows",
    bytes: int = 300_000,
    anew_bytes: int = 20_000,
    rules: tuple[str, ...] = ("free", "paper", "unflushed"),
    out: Path | None = None,
) -> None:
    """bits: of a window, even, at most 16. running, anew: M1s; text for the second one is slow."""
    source = {"corpus": corpus, "split": "validation", "piece": 4096, "bits": bits}
    for name, size, restarts in ((running, bytes, False), (anew, anew_bytes, True)):
        model = load_model(name)
        documents = validation_pieces(corpus, size, 4096)
        rows = measured(model, documents, bits, restarts)
        if restarts:
            count = sum(map(len, documents))
            rows += [{"bytes": count, **decoded(model, documents, bits, rule)} for rule in rules]
        for row in rows:
            print({**source, "m1": name, **row}, flush=True)
            append({**source, "m1": name, **row}, out)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
