"""Result rows: one JSON line a finished run, appended, never edited. Tables and figures read
nothing else.

Sums are stored and quotients derived: bits/byte = sum_nats / ln 2 / num_bytes. A failed run has a
status other than "done" and no sums.
"""

import json
import math
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock

from equinfo.errors import EquinfoError
from equinfo.files import writing
from experiments.runs.recipes import RECIPE_VERSION, Recipe

PACKAGES = ("equinfo", "numpy", "numba", "torch", "tokenizers", "sentencepiece", "deflate")


@dataclass(frozen=True)
class Row:
    """One finished run.

    type: its recipe's. num_tokens: codes in the validation text, without EOS; num_bytes: the bytes
    of that text; sum_nats: of an M1 or LM over it; num_ids: predicted for that, EOS included;
    unigram_nats: of a model that gives each code its smoothed training frequency; last_nats: a
    training token's mean over the last tenth of the steps. flops_per_byte as the paper counts it;
    flops_per_byte_exact: every product. blocks: only the first num_ids ids of the blocks were
    predicted, and bits/byte is their mean loss x tokens/bytes, as in the paper. values: what else
    was measured; the recipe's type says what it means: of an LM "nats" of each validation document
    (whole ones), of a stream its "bytes", "codes" and "unigram" nats, of an M1 nats and bytes.
    """

    type: str
    key: str
    scale: str
    status: str
    recipe: dict[str, Any]
    seed: int | None
    seconds: float
    num_tokens: int = 0
    num_bytes: int = 0
    sum_nats: float | None = None
    unigram_nats: float | None = None
    last_nats: float | None = None
    train_tokens: int = 0
    train_bytes: int = 0
    trained_tokens: int = 0
    tokenizer: str = ""
    code_size: int = 0
    size: str = ""
    parameters: int = 0
    m1_parameters: int = 0
    flops_per_byte: float | None = None
    flops_per_byte_exact: float | None = None
    fingerprint: str = ""
    num_ids: int = 0
    blocks: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    version: int = RECIPE_VERSION
    commit: str = ""
    device: str = ""
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Token compression ratio: bytes a token = bytes a decoder step."""
        return self.num_bytes / self.num_tokens

    @property
    def bit_ratio(self) -> float:
        """Bits of text a bit of ids, an id taking log2(code_size) bits, rounded up (§3.8)."""
        return 8 * self.ratio / (self.code_size - 1).bit_length()

    @property
    def uniform(self) -> float:
        """Bits/byte of a model that gives every code the same probability."""
        return math.log2(self.code_size) / self.ratio

    @property
    def unigram(self) -> float:
        return self._bits_per_byte(self.unigram_nats)

    @property
    def bits_per_byte(self) -> float:
        nats = self._bits_per_byte(self.sum_nats)
        return nats * self.num_tokens / self.num_ids if self.blocks else nats

    def _bits_per_byte(self, nats: float | None) -> float:
        if nats is None:
            raise EquinfoError(
                f"row {self.key} ({self.tokenizer}, {self.status}) has no such number"
            )
        return nats / math.log(2) / self.num_bytes


def provenance() -> dict[str, Any]:
    """Where a row comes from: commit ("-dirty" if the tree was), device, command and versions."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    # where files lie decides no number
    command = re.sub(r" --(?:results|work|against|out)[ =]\S+", "", command)
    place = Path(sys.argv[0]).resolve()
    root = Path(__file__).resolve().parents[2]
    if place.is_relative_to(root) and place.suffix == ".py":
        module = ".".join(place.relative_to(root).with_suffix("").parts)
        command = f"python -m {module.removesuffix('.__main__')}{command.removeprefix(place.name)}"
    return {"commit": _commit(), "device": _device(), "command": command, "versions": _versions()}


def _commit() -> str:
    """The commit, with "-dirty" where tracked files other than results differ from it."""
    head = _git("rev-parse", "--short=12", "HEAD")
    elsewhere = (":/", ":(top,exclude)results")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *elsewhere)
    return head + "-dirty" if changed else head or "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = (line.split(":", 1)[1].strip() for line in lines if "model name" in line)
        model = next(names, model)
    return f"{model}, {torch.get_num_threads()} threads"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


class Rows:
    """The rows of one results file; `foreign` names those of another recipe version."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refresh()

    def refresh(self) -> None:
        """Read the file again, for what other processes have added."""
        self.by_key: dict[str, Row] = {}
        self.foreign: list[str] = []
        content = self.path.read_bytes() if self.path.exists() else b""
        *whole, _ = content.split(b"\n")  # a kill in mid-write leaves a broken last line
        for number, line in enumerate(whole, 1):
            self._take(line, number)

    def _take(self, line: bytes, number: int) -> None:
        try:
            stored = json.loads(line)
            if stored.get("version") != RECIPE_VERSION:
                version = f"recipe version {stored.get('version')}"
                self.foreign.append(f"{self.path.name}:{number} ({version})")
                return
            row = Row(**stored)
            self.by_key[row.key] = row
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise EquinfoError(
                f"{self.path}:{number} is not a result row ({error}): remove the line"
            ) from error

    def done(self, recipe: Recipe) -> Row | None:
        """The finished row of a recipe, if any: where it failed, that of a later attempt."""
        for attempt in recipe.attempts():
            row = self.by_key.get(attempt.key)
            if row is None or row.status == "done":
                return row
        return None

    def next_attempt(self, recipe: Recipe) -> Recipe | None:
        """The first attempt without a row; None where one is done or all have failed."""
        rows = [(attempt, self.by_key.get(attempt.key)) for attempt in recipe.attempts()]
        if any(row is not None and row.status == "done" for _, row in rows):
            return None
        return next((attempt for attempt, row in rows if row is None), None)

    def all_done(self, recipes: Iterable[Recipe]) -> list[Row]:
        """The finished rows of `recipes`, in their order; missing ones are left out."""
        return [row for recipe in recipes if (row := self.done(recipe)) is not None]

    def append(self, row: Row) -> None:
        """Add a row, after cutting off what a kill may have left of another.

        Several processes may add to one file: the lock says that a broken line is a kill's.
        """
        line = json.dumps(asdict(row), allow_nan=False).encode() + b"\n"
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"), self.path.open("ab+", buffering=0) as file:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
                if file.write(line) != len(line):
                    raise EquinfoError(f"{self.path} cannot take another row: the disk is full")
        self.by_key[row.key] = row
