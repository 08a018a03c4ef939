"""What is read of a folder: of the type and range that its reader asks for, or refused in a line.

The errors name what is wrong; `Artifact.reading` puts the folder's name before it.
"""

import math
import reprlib
from collections.abc import Container, Mapping
from dataclasses import MISSING, fields
from numbers import Integral, Real
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from equinfo.errors import EquinfoError

LARGEST = 1e300  # what counts as a finite number
T = TypeVar("T")


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


def made(cls: type[T], values: Any) -> T:
    """A configuration of JSON values. Raises EquinfoError for what is missing, unknown or wrong."""
    name = cls.__name__
    if not isinstance(values, dict):
        raise EquinfoError(f"{name} is a {type(values).__name__} and no object")
    known = {one.name: one.default for one in fields(cls)}  # type: ignore[arg-type]
    for lacking in (one for one in known if known[one] is MISSING and one not in values):
        raise EquinfoError(f"{name} lacks {lacking!r}")
    for unknown in (one for one in values if one not in known):
        raise EquinfoError(f"{name} has no field {unknown[:60]!r}")
    _check(cls, values)  # before `cls` uses them
    return cls(**values)


def check_types(config: Any) -> None:
    """Raises EquinfoError where a field is not of its declared type; numbers are finite."""
    _check(type(config), vars(config))


def _check(cls: type, values: Mapping[str, Any]) -> None:
    for name, hint in get_type_hints(cls).items():
        if name not in values:
            continue
        value = values[name]
        choices = get_args(hint)
        number = isinstance(value, Real) and not isinstance(value, bool)
        if get_origin(hint) is Literal:
            good = isinstance(value, str) and value in choices
        elif get_origin(hint) is tuple:
            good = isinstance(value, tuple) and all(isinstance(one, Integral) for one in value)
        elif hint is float:
            good = number and -LARGEST < value < LARGEST
        elif hint is int:
            good = number and isinstance(value, Integral)
        else:
            good = isinstance(value, hint)
        if not good:
            shown = repr(value)[:40] if isinstance(value, Real | str) else type(value).__name__
            wanted = " or ".join(map(str, choices)) or f"of type {getattr(hint, '__name__', hint)}"
            raise EquinfoError(f"{name} is {shown}: it must be {wanted}")


def check_bounds(value: Any, least: int, *names: str, most: float = math.inf) -> None:
    """Raises EquinfoError for the first field of these that is beyond its bounds."""
    for name in names:
        number = getattr(value, name)
        if not least <= number <= most:
            bound = f"least {least}" if number < least else f"most {most}"
            raise EquinfoError(f"{name} is {number}: it must be at {bound}")
