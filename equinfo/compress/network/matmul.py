"""Exact products of bytes in int32: y = offset + x @ w, x unsigned and w signed bytes.

Integers may be summed in any order, so the kernel may be as fast as the machine lets it: four
products and their sum are one instruction (VPDPBUSD) where there is AVX512-VNNI, and two pairs of
16-bit ones (PMADDWD on x86) elsewhere. A tile of outputs stays in vector registers while k runs,
which plain Numba loops cannot say, so the tile is written in LLVM's own terms. Nothing saturates;
the caller keeps 255 * sum |w| + |offset| below 2**31.

Signed x goes in as x + 128, with offset[j] = -128 * sum_k w[k, j].
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from equinfo.compress.jit import kernel

# of the machine that Numba compiles for, which NUMBA_CPU_NAME may make a lesser one than this
FEATURES = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
VNNI = {"+avx512vnni", "+avx512f"} <= set(FEATURES)
LANES, ROWS = (16, 8) if "+avx512bw" in FEATURES else (8, 4)  # a tile: ROWS x (VECTORS * LANES)
VECTORS = 2
# what every machine pads to: multiples of any tile; bytes of a group
ROW_STEP, COLUMN_STEP, DEPTH_STEP = 8, 32, 4
MIDDLE = 128  # what is added to signed bytes

LONG, INT, SHORT = ir.IntType(64), ir.IntType(32), ir.IntType(16)
SUMS, PAIRS = ir.VectorType(INT, LANES), ir.VectorType(SHORT, 2 * LANES)


def round_up(n: int, step: int) -> int:
    return -(-n // step) * step


def pack(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(w, offset) for `multiply`, of w int8[N, K] that multiplies signed bytes.

    int8[N / 32, K / 4, 32, 4] and int32[N], padded with zeros: what a tile reads lies together.
    """
    steps = (0, -w.shape[0] % COLUMN_STEP), (0, -w.shape[1] % DEPTH_STEP)
    padded = np.pad(w, steps)
    offset = (-MIDDLE * padded.sum(axis=1, dtype=np.int64)).astype(np.int32)
    panels = padded.reshape(-1, COLUMN_STEP, padded.shape[1] // DEPTH_STEP, DEPTH_STEP)
    return np.ascontiguousarray(panels.swapaxes(1, 2)), offset


@kernel
def multiply(x, w, offset, y, rows, columns, groups):
    """y[r, j] = offset[j] + sum over g, i of x[r, 4 g + i] * w[j / 32, g, j % 32, i].

    r < rows, j < columns. x: uint8[R, >= 4 * groups]; w: int8[N / 32, >= groups, 32, 4], contiguous
    but for its first axis; offset: int32[N]; y: int32[R, >= N]. y is written up to the next
    multiple of COLUMN_STEP, and where rows > 1 up to the next of ROW_STEP, with whatever comes of x
    and w; R is a multiple of ROW_STEP then. Last axes are contiguous.
    """
    if rows == 1:
        for j in range(0, columns, VECTORS * LANES):
            _row(x, w, offset, y, 0, j, groups)
        return
    for j in range(0, columns, VECTORS * LANES):
        for r in range(0, rows, ROWS):
            _tile(x, w, offset, y, r, j, groups)


def make_tile(rows: int, vnni: bool):
    """The intrinsic for y[r : r + rows, j : j + VECTORS * LANES]."""

    def tile(context, x, w, offset, y, r, j, groups):
        expected = (types.uint8, types.int8, types.int32, types.int32)
        if tuple(array.dtype for array in (x, w, offset, y)) != expected:
            raise TypingError("multiply takes uint8, int8, int32 and int32")
        emit = lambda *given: _emit_tile(rows, _Vnni if vnni else _Pairs, *given)  # noqa: E731
        return types.void(x, w, offset, y, types.int64, types.int64, types.int64), emit

    return intrinsic(tile)


def _emit_tile(rows, dot, context, builder, signature, arguments):
    """A loop over the groups of four bytes, its sums in phi nodes: LLVM keeps those in registers.

    sums[i][v] are of row r + i and the v-th vector of columns after j. Each round loads a vector of
    weights once for all rows, and of each row four bytes that meet all of its columns.
    """
    x, w, offset, y = (
        context.make_array(kind)(context, builder, value)
        for kind, value in zip(signature.args[:4], arguments[:4], strict=True)
    )
    r, j, groups = arguments[4:]
    dot = dot(builder)
    rounds = builder.append_basic_block("rounds")
    done = builder.append_basic_block("done")

    # before the loop: where rows and weights lie, and offsets, with which the sums begin
    x_rows = [_address(builder, x, builder.add(r, LONG(i))) for i in range(rows)]
    starts = [
        builder.load(_pointer(builder, _address(builder, offset, j), v, SUMS), align=4)
        for v in range(VECTORS)
    ]
    panel = _address(builder, w, builder.udiv(j, LONG(COLUMN_STEP)))
    column = builder.urem(j, LONG(COLUMN_STEP))
    w_start = builder.add(panel, builder.mul(column, LONG(4)))
    entry = builder.block
    builder.branch(rounds)

    # a round: group g of the rows, and its weights at w_row
    builder.position_at_end(rounds)
    g = builder.phi(LONG)
    w_row = builder.phi(LONG)
    sums = [[builder.phi(SUMS) for _ in range(VECTORS)] for _ in range(rows)]
    weights = [
        dot.weights(builder.load(_pointer(builder, w_row, v, SUMS), align=4))
        for v in range(VECTORS)
    ]
    new = []
    for row, x_row in zip(sums, x_rows, strict=True):
        at = builder.inttoptr(builder.add(x_row, builder.mul(g, LONG(4))), INT.as_pointer())
        factor = dot.factor(builder.load(at, align=1))
        new.append([dot.add(s, factor, v) for s, v in zip(row, weights, strict=True)])
    g_next = builder.add(g, LONG(1))
    w_next = builder.add(w_row, LONG(4 * COLUMN_STEP))
    carried = [(g, LONG(0), g_next), (w_row, w_start, w_next)]
    for row, new_row in zip(sums, new, strict=True):
        carried += zip(row, starts, new_row, strict=True)
    for phi, start, following in carried:
        phi.add_incoming(start, entry)
        phi.add_incoming(following, rounds)
    builder.cbranch(builder.icmp_signed("<", g_next, groups), rounds, done)

    builder.position_at_end(done)
    for i, new_row in enumerate(new):
        y_row = builder.add(_address(builder, y, builder.add(r, LONG(i))), builder.mul(j, LONG(4)))
        for v, value in enumerate(new_row):
            builder.store(value, _pointer(builder, y_row, v, SUMS), align=4)
    return context.get_dummy_value()


class _Vnni:
    """Four products a lane and their sum, in one instruction."""

    def __init__(self, builder):
        self.builder = builder
        kind = ir.FunctionType(SUMS, [SUMS, SUMS, SUMS])
        name = f"llvm.x86.avx512.vpdpbusd.{32 * LANES}"
        self.function = cgutils.get_or_insert_function(builder.module, kind, name)

    def weights(self, w):
        return w

    def factor(self, x):
        return _broadcast(self.builder, x, SUMS)

    def add(self, sums, x, w):
        return self.builder.call(self.function, [sums, x, w])


class _Pairs:
    """Even bytes of each lane, then odd ones, as pairs of 16 bits: products, a pair's sum in 32."""

    def __init__(self, builder):
        self.builder = builder

    def weights(self, w):
        builder = self.builder
        eight = PAIRS([8] * 2 * LANES)
        both = builder.bitcast(w, PAIRS)
        return builder.ashr(builder.shl(both, eight), eight), builder.ashr(both, eight)

    def factor(self, x):
        low = INT(0x00FF00FF)
        parts = self.builder.and_(x, low), self.builder.and_(self.builder.lshr(x, INT(8)), low)
        return [self.builder.bitcast(_broadcast(self.builder, part, SUMS), PAIRS) for part in parts]

    def add(self, sums, x, w):
        for part, weight in zip(x, w, strict=True):
            sums = self.builder.add(sums, self._pair_sums(part, weight))
        return sums

    def _pair_sums(self, a, b):
        products = []
        for first in (0, 1):
            places = ir.VectorType(INT, LANES)(list(range(first, 2 * LANES, 2)))
            chosen = [self.builder.shuffle_vector(v, v, places) for v in (a, b)]
            halves = [self.builder.sext(v, SUMS) for v in chosen]
            products.append(self.builder.mul(*halves))
        return self.builder.add(*products)


def _address(builder, array, place):
    """Of array[place] in memory."""
    stride = cgutils.unpack_tuple(builder, array.strides)[0]
    return builder.add(builder.ptrtoint(array.data, LONG), builder.mul(place, stride))


def _pointer(builder, address, vector, kind):
    """To the `vector`-th vector of 32-bit lanes after `address`."""
    return builder.inttoptr(builder.add(address, LONG(4 * LANES * vector)), kind.as_pointer())


def _broadcast(builder, scalar, kind):
    none = kind(ir.Undefined)
    one = builder.insert_element(none, scalar, INT(0))
    return builder.shuffle_vector(one, none, ir.VectorType(INT, kind.count)([0] * kind.count))


_tile = make_tile(ROWS, VNNI)
_row = make_tile(1, VNNI)
