"""What a zlib stream says (RFC 1950, 1951): its literals and matches, without carrying them out."""

from dataclasses import dataclass

LENGTHS = [(3 + n, 0) for n in range(8)]
for _extra in range(1, 6):
    LENGTHS += [(3 + (4 + n << _extra), _extra) for n in range(4)]
LENGTHS[-1] = (258, 0)
DISTANCES = [(1 + n, 0) for n in range(4)]
for _extra in range(1, 14):
    DISTANCES += [(1 + (2 + n << _extra), _extra) for n in range(2)]
ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


@dataclass(frozen=True)
class Step:
    """A literal (distance 0), or `length` bytes taken from `distance` before."""

    length: int
    distance: int


class Bits:
    """A stream's bits, least significant first."""

    def __init__(self, data: bytes) -> None:
        self.value, self.at = int.from_bytes(data, "little"), 0

    def take(self, count: int) -> int:
        found = self.value >> self.at & ((1 << count) - 1)
        self.at += count
        return found

    def symbol(self, codes: dict[tuple[int, int], int]) -> int:
        """The symbol of the next prefix code."""
        code = 0
        for size in range(1, 16):
            code = code << 1 | self.take(1)
            if (size, code) in codes:
                return codes[size, code]
        raise ValueError("no such code")


def codes_of(sizes: list[int]) -> dict[tuple[int, int], int]:
    """(bits, code) -> symbol, codes being dealt out in order of size, then symbol."""
    codes, code = {}, 0
    for size in range(1, 16):
        for symbol, own in enumerate(sizes):
            if own == size:
                codes[size, code] = symbol
                code += 1
        code <<= 1
    return codes


def described_codes(bits: Bits) -> tuple[dict, dict]:
    """The codes that a block brings along: of literals and lengths, of distances."""
    literals, distances, given = bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4
    sizes = [0] * 19
    for place in ORDER[:given]:
        sizes[place] = bits.take(3)
    coded, found = codes_of(sizes), []
    while len(found) < literals + distances:
        symbol = bits.symbol(coded)
        if symbol < 16:
            found.append(symbol)
        elif symbol == 16:
            found += [found[-1]] * (3 + bits.take(2))
        else:
            found += [0] * (3 + bits.take(3) if symbol == 17 else 11 + bits.take(7))
    return codes_of(found[:literals]), codes_of(found[literals:])


def steps(stream: bytes) -> list[Step]:
    """The literals and matches of a zlib stream whose blocks are all compressed."""
    bits, found, last = Bits(stream[2:]), [], 0
    while not last:
        last, kind = bits.take(1), bits.take(2)
        if kind == 1:
            literals = codes_of([8] * 144 + [9] * 112 + [7] * 24 + [8] * 8)
            distances = codes_of([5] * 30)
        elif kind == 2:
            literals, distances = described_codes(bits)
        else:
            raise ValueError("a stored block")
        while (symbol := bits.symbol(literals)) != 256:
            found.append(Step(1, 0) if symbol < 256 else _match(bits, symbol, distances))
    return found


def _match(bits: Bits, symbol: int, distances: dict) -> Step:
    base, extra = LENGTHS[symbol - 257]
    length = base + bits.take(extra)
    base, extra = DISTANCES[bits.symbol(distances)]
    return Step(length, base + bits.take(extra))
