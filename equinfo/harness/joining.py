"""How a context and its continuation meet, where encode(a + b) need not begin with encode(a).

A codebook has a string that goes on over the seam, BPE merges across it, equal-info windows end a
text in a shorter window. So neither "the ids after those of a" nor encode(b) is what the LM was
trained on. Both texts are encoded whole, as documents are, and with L(text) = log P(ids of text),
no EOS,

    ll(b | a) = L(a + b) - L(a),    L("") = 0.

Where encode(a) is a prefix of encode(a + b) this is the usual sum over the ids after it. No other
joining has both ll(b | "") = log P(ids of b) and the chain rule ll(b | a) + ll(c | ab) = ll(bc |
a): those two leave nothing to choose. The pieces of a document, however it is cut, add up to what
its bits/byte are made of; and L(a) is one number for all choices of a context, so they rank by the
joint probability of context and choice, seam included.

What is not exact: L is the probability of one string of ids, not of all texts that begin so, and of
one that ends as a document does. The sum over every string of ids that covers a text (Vieira et al.
2024, Phan et al. 2024, Pimentel & Meister 2024, on token boundaries) would give probabilities of
text; it takes a search or a look at the whole vocabulary at each id, and counts strings that no
encoder writes. Hence ll may exceed 0: a text broken off amid a string or window can be less
probable, as ids, than one that goes on. What is meant are differences between choices; ll by itself
is a log-probability only where encode(a) is a prefix.
"""

import numpy as np


def common(a: np.ndarray, b: np.ndarray, unit: int) -> int:
    """How many ids a and b, integers[n], share at their beginning, in whole runs of `unit`."""
    length = min(len(a), len(b))
    differ = np.flatnonzero(a[:length] != b[:length])
    same = int(differ[0]) if len(differ) else length
    return same // unit * unit


def tiles(ids: np.ndarray, first: int, size: int) -> list[tuple[int, np.ndarray]]:
    """(number of its first id, sequence: int64[n], n <= size, ~id where only read) of ids[first:].

    They are cut from the end, so that the last ids, as far as they fit one sequence, are predicted
    from as many ids before them as it holds: a context that is too long loses its beginning. size:
    the LM's context, in whole windows.
    """
    rows = []
    end = len(ids)
    while end > first:
        begin = max(end - size, 0)
        row = ids[begin:end].astype(np.int64)
        read = max(first - begin, 0)
        row[:read] = ~row[:read]
        rows.append((begin, row))
        end = begin
    return rows
