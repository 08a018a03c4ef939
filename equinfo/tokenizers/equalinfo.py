"""EqualInfoAC[b,v]: equal-info windows of b bits, cut into N-bit ids (§3.3), by a window rule."""

import math
from typing import Any, Self

import numpy as np

from equinfo.compress import bits
from equinfo.compress.models.base import ByteModel, fingerprint
from equinfo.compress.windows.compiled import MAX_COMPILED, MEMORY, CompiledWindows, make_windows
from equinfo.compress.windows.limbs import codes_from_bits, codes_to_bits
from equinfo.compress.windows.steps import LOOKING_ON, LOSSY, RULES
from equinfo.compress.windows.windows import Windows
from equinfo.errors import EquinfoError
from equinfo.stored import digest, number, section, word
from equinfo.tokenizers.base import Tokenizer, vocabulary_label
from equinfo.tokenizers.incremental import IncrementalDecoder, IncrementalEncoder
from equinfo.tokenizers.looked_up import LookedUpTokenizer
from equinfo.tokenizers.modelled import WIDTHS, ModelledTokenizer, check_width

COMPILED_RULES = [rule for rule in RULES if rule not in LOOKING_ON]


class WindowTokenizer(Tokenizer):
    """Codes of windows of `bits` bits, written as ids of `width` (1 to 16) bits, width <= bits.

    Where width divides bits, each window is bits / width whole ids; elsewhere ids run across window
    ends and the document's last id is padded with zero bits.

    Units are as many windows as make whole ids and one context, so they decode by themselves; with
    reset = 0 a window depends on all before it, and only a whole stream decodes. By the rules in
    LOSSY nothing decodes where reset != 1.
    """

    def __init__(self, windows: Windows, width: int, rule: str, reset: int = 1) -> None:
        self.windows = windows
        self.bits = windows.bits
        self.width = check_width(width)
        if width > self.bits:
            raise EquinfoError(
                f"ids of {width} bits do not fit windows of {self.bits}: choose width <= bits"
            )
        self.code_size = 1 << width
        self.rule = rule
        self.reset = reset
        self.lossless = rule not in LOSSY
        decodes = self.lossless or reset == 1
        self.period = math.lcm(self.bits * max(reset, 1), width) // width
        self.unit = self.period if reset and decodes else None
        labels = [rule] * (rule != "free") + [f"reset={reset}"] * (reset != 1)
        labels = [f"b={self.bits}", vocabulary_label(self.code_size), *labels]
        self.name = f"EqualInfoAC[{','.join(labels)}]"

    def may_end(self, ids: np.ndarray) -> bool:
        left = len(ids) * self.width % self.bits  # after the last whole window: zero bits
        return left < self.width and (left == 0 or int(ids[-1]) % (1 << left) == 0)

    def allowed(self, ids: np.ndarray) -> np.ndarray | None:
        """By rank, codes end with the last string; elsewhere every code means some bytes.

        The next id holds the next `now` bits of the window under way and, where ids run across
        window ends, the first `then` bits of the one after.
        """
        windows = self.windows
        if not isinstance(windows, CompiledWindows) or windows.num_codes == 1 << self.bits:
            return None
        last = windows.num_codes - 1
        begun = len(ids) * self.width % self.bits
        now = min(self.width, self.bits - begun)
        then = self.width - now
        codes = np.arange(self.code_size)
        fits = codes % (1 << then) <= last >> (self.bits - then)
        if _last_bits(ids, begun, self.width) == last >> (self.bits - begun):
            fits &= codes >> then <= (last >> (self.bits - begun - now)) % (1 << now)
        return fits

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        return [self.to_ids(codes) for codes in self.windows.encode(documents)]

    def _decode_batch(self, ids: list[np.ndarray]) -> list[bytes]:
        return self.windows.decode([self.to_codes(stream) for stream in ids])

    def encoder(self) -> IncrementalEncoder:
        """Holds less than a window of text, and windows until they make whole ids."""
        windows = self.windows.encoder()
        group = math.lcm(self.bits, self.width) // self.bits
        held = windows.feed(b"")

        def part(data: bytes, last: bool) -> tuple[np.ndarray, int]:
            nonlocal held
            codes = np.concatenate([held, windows.feed(data, last)])
            whole = len(codes) if last else len(codes) - len(codes) % group
            held = codes[whole:]
            return self.to_ids(codes[:whole]), len(data)

        return IncrementalEncoder(part, self.dtype)

    def decoder(self) -> IncrementalDecoder:
        """Holds ids until they make whole windows."""
        windows = self.windows.decoder()
        group = math.lcm(self.bits, self.width) // self.width

        def part(ids: np.ndarray, last: bool) -> tuple[bytes, int]:
            whole = len(ids) if last else len(ids) - len(ids) % group
            return windows.feed(self.to_codes(ids[:whole])), whole

        return IncrementalDecoder(part, self.checked)

    def to_ids(self, codes: np.ndarray) -> np.ndarray:
        """The ids (int64) of windows' codes; the last is padded with zero bits."""
        return bits.pack(codes_to_bits(codes, self.bits), len(codes) * self.bits, self.width)

    def to_codes(self, ids: np.ndarray) -> np.ndarray:
        """The inverse. Raises EquinfoError for ids that end inside a window or in no zeros."""
        data, num_bits = bits.unpack(ids, self.width)
        left = num_bits % self.bits
        if left >= self.width or bits.get_bits(data, num_bits - left, left):
            raise EquinfoError(
                f"{len(ids)} ids end inside a window of {self.bits} bits: the stream was cut or"
                " altered"
            )
        return codes_from_bits(data, num_bits // self.bits, self.bits)


class EqualInfoTokenizer(WindowTokenizer, ModelledTokenizer):
    """Windows over `model`, which runs wherever text is encoded or decoded.

    rule: what ends a window, one of compress.windows.steps.RULES (docs/windows.md). "paper" and
    "unflushed" are for reproductions only: their windows do not all decode, and `lossless` says so.
    reset: the model's context begins anew at every `reset`-th window (table 9 and figure 12 of the
    paper), or never inside a document (0); these two then only encode.
    """

    kind = "equalinfo"

    def __init__(
        self,
        model: ByteModel,
        bits: int,
        width: int,
        max_window: int | None = None,
        rule: str = "free",
        reset: int = 1,
    ) -> None:
        ModelledTokenizer.__init__(self, model, width)
        WindowTokenizer.__init__(
            self, make_windows(model, bits, max_window, rule, reset), width, rule, reset
        )

    def _options(self) -> dict[str, Any]:
        options = {"bits": self.bits, "width": self.width, "max_window": self.windows.max_window}
        # Defaults stay out: tokenizers stored before there were rules keep their fingerprints.
        changed = {"rule": self.rule} if self.rule != "free" else {}
        return options | changed | ({"reset": self.reset} if self.reset != 1 else {})

    @property
    def can_compile(self) -> bool:
        """Whether windows are a function of their bytes alone, and few enough to list."""
        return self.reset == 1 and self.rule not in LOOKING_ON and self.bits <= MAX_COMPILED

    def compile(self, memory: int = MEMORY) -> "CompiledEqualInfoTokenizer":
        """The same ids without the model: of windows of at most 20 bits, with reset = 1.

        memory: bytes that the windows' tree may take. Raises EquinfoError where it cannot be, as by
        rules that see the byte after a window ("delay", "unflushed").
        """
        if self.reset != 1:
            raise EquinfoError(
                f"{self.name} cannot be compiled: its windows depend on those before"
            )
        windows = self.windows
        if not isinstance(windows, CompiledWindows):
            windows = CompiledWindows.compile(
                self.model, self.bits, windows.max_window, self.rule, memory
            )
        return CompiledEqualInfoTokenizer(windows, self.width, self.rule, fingerprint(self.model))


class CompiledEqualInfoTokenizer(LookedUpTokenizer, WindowTokenizer):
    """Windows whose strings are all in the artefact: look-ups, and no model runs.

    m1: the fingerprint of the model they come from.
    """

    kind = "compiled-equalinfo"
    windows: CompiledWindows

    def __init__(self, windows: CompiledWindows, width: int, rule: str, m1: str) -> None:
        super().__init__(windows, width, rule)
        self.m1 = m1
        if self.lossless and not windows.dictionary.lossless:
            raise EquinfoError("its codes decode to other strings than those that have them")
        self.dictionary = windows.dictionary if width == windows.bits else None

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config, tensors = self.windows.parts()
        return {"windows": config, "width": self.width, "rule": self.rule, "m1": self.m1}, tensors

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        windows = CompiledWindows.from_parts(section(config, "windows"), tensors)
        width = number(config, "width", WIDTHS[0], WIDTHS[-1])
        return cls(windows, width, word(config, "rule", COMPILED_RULES), digest(config, "m1"))


def _last_bits(ids: np.ndarray, count: int, width: int) -> int:
    """The number that the last `count` bits of ids of `width` bits make."""
    value = 0
    for code in ids[len(ids) - -(-count // width) :]:
        value = value << width | int(code)
    return value % (1 << count)
