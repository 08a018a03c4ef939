"""Windows without a model: the tree of all window strings, walked as a dictionary."""

from itertools import pairwise
from typing import Any, Self

import numpy as np

from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.models.base import ByteModel
from equinfo.compress.windows.limbs import num_limbs
from equinfo.compress.windows.steps import LOOKING_ON
from equinfo.compress.windows.tree import enumerate_tree, meanings
from equinfo.compress.windows.windows import MAX_BITS, MIN_BITS, WindowCoder, Windows
from equinfo.errors import EquinfoError
from equinfo.stored import number, tensor

MAX_COMPILED = 20  # the most bits whose codes all have a place in memory
MAX_RANKED = 1 << 18  # strings, under the rule "rank", whatever b
NODE_BYTES = 256  # of memory that a string takes while its tree is built
MEMORY = 1 << 30
LONGEST = 1 << 30  # the most that `max_window` may be


def make_windows(
    model: ByteModel, bits: int, max_window: int | None = None, rule: str = "free", reset: int = 1
) -> Windows:
    """The coder of any rule. Raises EquinfoError for what no coder can do."""
    if rule == "rank":
        if reset != 1:
            raise EquinfoError(
                f'rule "rank" with reset={reset}: its strings are those of one fixed window start'
            )
        return CompiledWindows.compile(model, bits, max_window, rule)
    return WindowCoder(model, bits, max_window, rule, reset)


class CompiledWindows:
    """Windows of `bits` bits whose strings are all known; does as the coder it is compiled from.

    dictionary: the strings and their codes below 2**bits. max_window: as the coder had it. Rules:
    all but those in LOOKING_ON; a model's context begins anew with each window.
    """

    def __init__(self, dictionary: Dictionary, bits: int, max_window: int) -> None:
        self.dictionary = dictionary
        self.bits = bits
        self.max_window = max_window
        self.limbs = num_limbs(bits)
        if len(dictionary.meanings) > 1 << min(bits, MAX_COMPILED):
            raise EquinfoError(
                f"{len(dictionary.meanings)} codes do not fit windows of {bits} bits: rebuild it"
            )

    @classmethod
    def compile(
        cls,
        model: ByteModel,
        bits: int,
        max_window: int | None = None,
        rule: str = "free",
        memory: int = MEMORY,
    ) -> Self:
        """Enumerate the tree. Raises EquinfoError, before it is built, where it may take more than
        `memory` bytes: of 2**bits cells, about half as many strings hold one. It may still be found
        larger while it is built.
        """
        if rule in LOOKING_ON:
            raise EquinfoError(
                f'the rule "{rule}" cannot be compiled: its codes depend on the byte after the'
                " window"
            )
        if rule == "rank":
            return cls._ranked(model, bits, max_window)
        if bits > MAX_COMPILED:
            raise EquinfoError(
                f"windows of {bits} bits cannot be compiled: at most {MAX_COMPILED} can"
            )
        if NODE_BYTES << (bits - 1) > memory:
            raise EquinfoError(
                f"windows of {bits} bits: their tree takes about {NODE_BYTES << (bits - 1) >> 20}"
                f" MiB, more than the {memory >> 20} MiB allowed; choose a smaller b or allow more"
            )
        coder = WindowCoder(model, bits, max_window, rule)
        tree = enumerate_tree(coder, memory // NODE_BYTES)
        meant = meanings(tree, bits, coder.setup.rule)
        return cls(Dictionary(tree.strings, tree.codes, meanings=meant), bits, coder.max_window)

    @classmethod
    def _ranked(cls, model: ByteModel, bits: int, max_window: int | None) -> Self:
        """Strings numbered as in a dictionary, each just before its extensions."""
        # a rule that spares no cell: the ranks are of all the strings that hold one
        coder = WindowCoder(model, bits, max_window, "paper")
        strings = sorted(enumerate_tree(coder, min(1 << bits, MAX_RANKED)).strings)
        return cls(Dictionary(strings, np.arange(len(strings))), bits, coder.max_window)

    @property
    def num_codes(self) -> int:
        """Codes from 0 that decode."""
        return len(self.dictionary.meanings)

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The codes of each document: int64[windows, limbs], as WindowCoder's."""
        return [self._in_limbs(codes) for codes in self.dictionary.encode(documents)]

    def decode(self, streams: list[np.ndarray]) -> list[bytes]:
        """The bytes of each stream. Raises EquinfoError for a code that stands for no string."""
        return self.dictionary.decode([self._in_one(stream) for stream in streams])

    def _in_limbs(self, codes: np.ndarray) -> np.ndarray:
        limbs = np.zeros((len(codes), self.limbs), dtype=np.int64)
        limbs[:, 0] = codes
        return limbs

    def _in_one(self, codes: np.ndarray) -> np.ndarray:
        """int64[windows]; what needs more than a limb stands for no string, and -1 says so."""
        return np.where((codes[:, 1:] != 0).any(axis=1), -1, codes[:, 0])

    def encoder(self) -> "CompiledEncoder":
        return CompiledEncoder(self)

    def decoder(self) -> "CompiledDecoder":
        return CompiledDecoder(self)

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(config, tensors) that `from_parts` reads."""
        d = self.dictionary
        tensors: dict[str, np.ndarray] = {
            "strings": np.frombuffer(b"".join(d.strings), dtype=np.uint8),
            "lengths": np.array([len(string) for string in d.strings], dtype=np.uint16),
            "codes": d.codes.astype(np.int32),
            "meanings": d.meanings.astype(np.int32),
        }
        return {"bits": self.bits, "max_window": self.max_window}, tensors

    @classmethod
    def from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        blob = tensor(tensors, "strings", np.uint8, (None,)).tobytes()
        lengths = tensor(tensors, "lengths", np.uint16, (None,))
        codes = tensor(tensors, "codes", np.int32, lengths.shape)
        meant = tensor(tensors, "meanings", np.int32, (None,))
        bits = number(config, "bits", MIN_BITS, MAX_BITS)
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        if not ends or ends[-1] != len(blob):
            raise EquinfoError("the stored strings and their lengths do not fit")
        strings = [blob[a:b] for a, b in pairwise([0, *ends])]
        dictionary = Dictionary(strings, codes, meanings=meant)
        return cls(dictionary, bits, number(config, "max_window", dictionary.longest, LONGEST))


class CompiledEncoder:
    """One document in pieces; holds less than a window of it."""

    def __init__(self, windows: CompiledWindows) -> None:
        self.windows = windows
        self.held = b""

    def feed(self, data: bytes, last: bool = False) -> np.ndarray:
        """The codes of the windows that `data` closes (int64[n, limbs]), `last`: of all left."""
        held = self.held + data
        codes, used = self.windows.dictionary.part(held, last)
        self.held = held[used:]
        return self.windows._in_limbs(codes)


class CompiledDecoder:
    """One document's codes in pieces."""

    def __init__(self, windows: CompiledWindows) -> None:
        self.windows = windows

    def feed(self, codes: np.ndarray) -> bytes:
        return self.windows.decode([codes])[0]
