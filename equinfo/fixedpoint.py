"""The arithmetic of the integer M1, stated once: formats, limits, rounding, powers of two.

Every value is an integer in some unit; what the unit is was decided when the network was frozen
(lm/freeze.py) and no longer matters. All who compute with it agree bit for bit, because integers
may be summed in any order and everything else is fixed here:
- rounding is to the nearest, halves upwards: `(x + 2**(s - 1)) >> s`, the shift being arithmetic
  (towards -infinity);
- a value is brought to another unit by `rescaled`: times an int32, rounded off by 2**SHIFT;
- where a value might leave its format it saturates.
"""

from functools import cache
from math import isqrt

import numpy as np

ACTIVATION_MAX = 127  # of int8 inputs of products, and of keys and values; -128 never occurs
SHIFT = 24  # a multiplier m stands for m / 2**SHIFT
FRACTION = 12  # bits after the point of normalised inputs and of attention's weighted means
RESIDUAL_MAX = (1 << 22) - 1  # so that a sum of 2**16 squares stays below 2**60

FINE = 4  # queries and keys are 2**FINE times finer before the rotation than after it
FINE_MAX = (1 << 15) - 1
ANGLE = 14  # a cosine c is stored as round(c * 2**ANGLE)

# a head's multiplier m turns a score into m / 2**SCORE_SHIFT units of 2**-EXPONENT octaves
SCORE_SHIFT = 16
EXPONENT = 10
OCTAVES = 32  # a power below 2**-31 is 0
LOGIT_MAX = 1 << 20
ONE = (1 << 24) - 1  # 2**0 in the table of powers
WEIGHT_SHIFT = 8  # an attention weight is a power >> WEIGHT_SHIFT: 65535 at most, two bytes
SHARE = 46  # 1 / (sum of attention weights) is 2**SHARE // sum

GATE = 10  # bits after the point of a SiLU's argument
GATE_MAX = (1 << 15) - 1
SIGMOID = 15  # of the sigmoid's values
SIGMOID_STEP = 2  # table entries lie 2**SIGMOID_STEP arguments apart
SIGMOID_SIZE = 4096  # and cover arguments of -8 to 8
HIDDEN = 14  # act(gate) * up is rounded off by 2**HIDDEN

MAX_WIDTH = 1 << 16  # of d_model, d_ff and all heads together
MAX_EPSILON = 1 << 44  # (mean square + epsilon) << 16 stays below 2**62


@cache
def powers() -> np.ndarray:
    """int32[2**EXPONENT]: floor(ONE * 2**(-i / 2**EXPONENT)), by square roots of integers alone."""
    bits = 200
    roots = [1 << (bits - 1)]  # 2**-(1/2**k) in units of 2**-bits, each the root of the one before
    for _ in range(EXPONENT):
        roots.append(isqrt(roots[-1] << bits))
    values = []
    for i in range(1 << EXPONENT):
        power = ONE << bits
        for k in range(1, EXPONENT + 1):
            if i >> (EXPONENT - k) & 1:
                power = power * roots[k] >> bits
        values.append(power >> bits)
    return np.array(values, dtype=np.int32)
