"""Matrix products in float32 whose every output is one sum in one order, whatever the machine and the batch.

BLAS is several times as fast only because it may choose the order, and it chooses by shape and by processor. Here
    y[r, j] = ((0 + x[r, 0] w[0, j]) + x[r, 1] w[1, j]) + ...
is rounded at each step; nothing is fused. A tile of outputs stays in vector registers while k runs, which plain
Numba loops cannot say, so the tile is written in LLVM's own terms. Its shape decides the speed and no value.
"""

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from equinfo.compress.jit import kernel

WIDE = llvm.get_host_cpu_features().get("avx512f", False)
LANES, ROWS, VECTORS = (16, 8, 2) if WIDE else (8, 4, 2)  # a tile: ROWS x (VECTORS * LANES), in 16 or 8 registers
ROW_STEP, COLUMN_STEP = 8, 32  # what every machine pads to: multiples of any tile

INT, FLOAT = ir.IntType(64), ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)


def round_up(n: int, step: int) -> int:
    return -(-n // step) * step


def pad_columns(w: np.ndarray) -> np.ndarray:
    """f32[K, N] with zero columns up to a multiple of COLUMN_STEP, as `multiply` wants its weights."""
    padded = np.zeros((len(w), round_up(w.shape[1], COLUMN_STEP)), dtype=np.float32)
    padded[:, : w.shape[1]] = w
    return padded


@kernel
def multiply(x, w, y, rows):
    """y[r] = x[r] @ w for r < rows.

    w: f32[K, N], padded. x: f32[R, >= K], y: f32[R, >= N]: R is a multiple of ROW_STEP, and the rows of y from `rows`
    up to the next multiple are written too, with whatever comes of x. All are C-contiguous.
    """
    for j in range(0, w.shape[1], VECTORS * LANES):
        for r in range(0, rows, ROWS):
            _tile(x, w, y, r, j)  # type: ignore[call-arg]  # Numba adds the context


@intrinsic
def _tile(context, x, w, y, r, j):
    """y[r : r + ROWS, j : j + VECTORS * LANES] = x[r : r + ROWS] @ w[:, j : j + VECTORS * LANES]."""
    if any(array.layout != "C" or array.dtype != types.float32 for array in (x, w, y)):
        raise TypingError("multiply takes C-contiguous float32 arrays")
    return types.void(x, w, y, r, j), _emit_tile


def _emit_tile(context, builder, signature, arguments):
    x, w, y = (
        context.make_array(kind)(context, builder, value)
        for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
    )
    r, j = arguments[3:]
    depth = cgutils.unpack_tuple(builder, w.shape)[0]
    x_rows = [_address(builder, x, builder.add(r, INT(i)), INT(0)) for i in range(ROWS)]
    w_step = cgutils.unpack_tuple(builder, w.strides)[0]

    entry = builder.block
    body, done = builder.append_basic_block("body"), builder.append_basic_block("done")
    w_start = _address(builder, w, INT(0), j)
    builder.branch(body)

    builder.position_at_end(body)
    k, w_row = builder.phi(INT), builder.phi(INT)
    sums = [[builder.phi(VECTOR) for _ in range(VECTORS)] for _ in range(ROWS)]
    weights = [builder.load(_pointer(builder, w_row, v, VECTOR), align=4) for v in range(VECTORS)]
    new = []
    for row, x_row in zip(sums, x_rows, strict=True):
        at = builder.add(x_row, builder.mul(k, INT(4)))
        factor = _broadcast(builder, builder.load(_pointer(builder, at, 0, FLOAT), align=4))
        new.append([builder.fadd(s, builder.fmul(factor, v)) for s, v in zip(row, weights, strict=True)])
    k_next, w_next = builder.add(k, INT(1)), builder.add(w_row, w_step)
    for phi, start, following in [(k, INT(0), k_next), (w_row, w_start, w_next)]:
        phi.add_incoming(start, entry)
        phi.add_incoming(following, body)
    for row, new_row in zip(sums, new, strict=True):
        for phi, following in zip(row, new_row, strict=True):
            phi.add_incoming(VECTOR(None), entry)
            phi.add_incoming(following, body)
    builder.cbranch(builder.icmp_signed("<", k_next, depth), body, done)

    builder.position_at_end(done)
    for i, new_row in enumerate(new):
        y_row = _address(builder, y, builder.add(r, INT(i)), j)
        for v, value in enumerate(new_row):
            builder.store(value, _pointer(builder, y_row, v, VECTOR), align=4)
    return context.get_dummy_value()


def _address(builder, array, row, column):
    """Of array[row, column], f32 with contiguous rows."""
    stride = cgutils.unpack_tuple(builder, array.strides)[0]
    start = builder.add(builder.ptrtoint(array.data, INT), builder.mul(row, stride))
    return builder.add(start, builder.mul(column, INT(4)))


def _pointer(builder, address, vector, kind):
    """To the `vector`-th value of type `kind` after `address`."""
    return builder.inttoptr(builder.add(address, INT(4 * LANES * vector)), kind.as_pointer())


def _broadcast(builder, scalar):
    one = builder.insert_element(VECTOR(ir.Undefined), scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(one, VECTOR(ir.Undefined), ir.VectorType(ir.IntType(32), LANES)([0] * LANES))
