"""Memory by address, for loops that run once a byte.

An array handed from one kernel to another costs counting its references, and an index costs a test
for whether it is negative; a number costs neither. Nothing here is checked: the caller answers for
the address, and keeps the array.
"""

from typing import Any

from llvmlite import ir
from numba import extending, types

INT = ir.IntType(64)
intrinsic: Any = extending.intrinsic  # callers leave out the context, which type checkers ask for


@intrinsic
def address(context, array):
    """Where a contiguous array's values begin, as int64."""

    def emit(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, INT)

    return types.int64(array), emit


def _loader(bits):
    def load(context, at):
        def emit(context, builder, signature, arguments):
            place = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            value = builder.load(place, align=1)
            return value if bits == INT.width else builder.zext(value, INT)

        return types.int64(types.int64), emit

    load.__doc__ = (
        f"The unsigned integer of {bits} bits at an address, lowest byte first, as int64."
    )
    return intrinsic(load)


load8, load16, load32, load64 = map(_loader, (8, 16, 32, 64))


def _storer(bits):
    def store(context, at, value):
        def emit(context, builder, signature, arguments):
            kind = ir.IntType(bits)
            low = arguments[1] if bits == INT.width else builder.trunc(arguments[1], kind)
            builder.store(low, builder.inttoptr(arguments[0], kind.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), emit

    store.__doc__ = f"Write the low {bits} bits of an int64 to an address."
    return intrinsic(store)


store32, store64 = map(_storer, (32, 64))


@intrinsic
def pick(context, condition, one, other):
    """`one` where `condition` is not 0, else `other`; no branch, as none could be foreseen."""

    def emit(context, builder, signature, arguments):
        holds = builder.icmp_unsigned("!=", arguments[0], ir.Constant(INT, 0))
        chosen = builder.select(holds, *arguments[1:])
        chosen.set_metadata("unpredictable", builder.module.add_metadata([]))
        return chosen

    return types.int64(types.int64, types.int64, types.int64), emit


@intrinsic
def opaque(context, value):
    """`value`, of which the compiler knows nothing: so it cannot take a test's conditions apart.

    An empty piece of assembly, in any processor's language.
    """

    def emit(context, builder, signature, arguments):
        return builder.asm(ir.FunctionType(INT, [INT]), "", "=r,0", arguments, False)

    return types.int64(types.int64), emit


@intrinsic
def copy16(context, source, target):
    """Copy 16 bytes from one address to another."""

    def emit(context, builder, signature, arguments):
        block = ir.VectorType(ir.IntType(8), 16).as_pointer()
        source, target = (builder.inttoptr(argument, block) for argument in arguments)
        builder.store(builder.load(source, align=1), target, align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit
