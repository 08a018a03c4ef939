"""What the tokenizers over a byte model share: the model's parts inside theirs."""

from typing import Any, Self

import numpy as np

from equinfo.compress.models.base import ByteModel, from_artifact
from equinfo.errors import EquinfoError
from equinfo.stored import section
from equinfo.tokenizers.base import Tokenizer

WIDTHS = range(1, 17)  # bits an id


def check_width(width: int) -> int:
    """`width`. Raises EquinfoError where it is none of WIDTHS."""
    if width not in WIDTHS:
        raise EquinfoError(f"ids of {width} bits: choose {WIDTHS[0]} to {WIDTHS[-1]}")
    return width


class ModelledTokenizer(Tokenizer):
    """Ids are cut from bits that a byte model decides; `_options` is all else that is stored."""

    in_groups = True

    def __init__(self, model: ByteModel, width: int) -> None:
        self.model = model
        self.width = check_width(width)
        self.code_size = 1 << width

    @property
    def m1_parameters(self) -> int:
        return self.model.parameters

    def _options(self) -> dict[str, Any]:
        """Constructor arguments besides `model`."""
        return {"width": self.width}

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config, tensors = self.model.parts()
        return {"options": self._options(), "model": {"model": self.model.kind, **config}}, tensors

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        options = section(config, "options")
        for name in options:
            if type(options[name]) not in (int, str):
                raise EquinfoError(f"its {name!r} is {options[name]!r}: no integer and no word")
        return cls(from_artifact(section(config, "model"), tensors), **options)
