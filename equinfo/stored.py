"""What is read of a folder: of the type and range that its reader asks for, or refused in a line.

The errors name what is wrong; `Artifact.reading` puts the folder's name before it.
"""

import reprlib
from collections.abc import Container
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError


def section(config: dict[str, Any], name: str) -> dict[str, Any]:
    """config[name], an object of JSON."""
    if not isinstance(config[name], dict):
        raise EquinfoError(f"its {name} is {reprlib.repr(config[name])}, not an object")
    return config[name]


def number(config: dict[str, Any], name: str, low: int, high: int) -> int:
    """config[name], an integer from low to high; true and 1.0 are none."""
    value = config[name]
    if type(value) is not int or not low <= value <= high:
        raise EquinfoError(
            f"its {name} is {reprlib.repr(value)}, not an integer from {low} to {high}"
        )
    return value


def word(config: dict[str, Any], name: str, known: Container[str]) -> str:
    """config[name], one of the known strings."""
    value = config[name]
    if not isinstance(value, str) or value not in known:
        raise EquinfoError(f"its {name} is {reprlib.repr(value)}, which is none that is known")
    return value


def flag(config: dict[str, Any], name: str) -> bool:
    """config[name], true or false."""
    if not isinstance(config[name], bool):
        raise EquinfoError(f"its {name} is {reprlib.repr(config[name])}, neither true nor false")
    return config[name]


def label(config: dict[str, Any], name: str) -> str:
    """config[name], a name to show: printable, of at most 200 characters."""
    value = config[name]
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 200:
        raise EquinfoError(f"its {name} is {reprlib.repr(value)}, no name to show")
    return value


def digest(config: dict[str, Any], name: str) -> str:
    """config[name], a SHA-256 in hexadecimal digits."""
    value = config[name]
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise EquinfoError(f"its {name} is {reprlib.repr(value)}, no SHA-256")
    return value


def tensor(
    tensors: dict[str, np.ndarray],
    name: str,
    dtype: Any,
    shape: tuple[int | None, ...],
    low: int | None = None,
    high: int | None = None,
) -> np.ndarray:
    """tensors[name], contiguous: of this dtype, shape (None: any size), values in low .. high."""
    array = tensors[name]
    fits = array.ndim == len(shape) and all(
        size in (None, n) for size, n in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != dtype:
        sizes = ["any" if size is None else str(size) for size in shape]
        raise EquinfoError(
            f"its {name} is {array.dtype}{list(array.shape)}, not {np.dtype(dtype)}"
            f"[{', '.join(sizes)}]"
        )
    if array.size and (
        (low is not None and array.min() < low) or (high is not None and array.max() > high)
    ):
        raise EquinfoError(f"its {name} has values outside {low} .. {high}")
    return np.ascontiguousarray(array)
