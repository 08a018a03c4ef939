"""How every kernel of this room is compiled: cached on disk, without the GIL, IEEE arithmetic as written.

No `fastmath`: the compiler may neither reorder nor fuse floating-point operations, so a value depends on the
order that the source states and not on how a loop was cut for the vector unit. Integers are int64 throughout and
stay below 2**62: mixing int64 and uint64 would silently make float64.
"""

import numba

kernel = numba.njit(cache=True, nogil=True, error_model="numpy")
inline = numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
