"""The configuration of a decoder as transformers keeps it: `config.json`. No torch here."""

from __future__ import annotations

import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from transformers import PretrainedConfig

from equinfo.artifacts import Identity
from equinfo.errors import EquinfoError
from equinfo.hf.versions import check_transformers
from equinfo.lm.config import LATER, DecoderConfig, modern
from equinfo.tokenizers.base import NUM_SPECIAL, Tokenizer

# What a folder holds so that `trust_remote_code=True` finds the classes of an installed equinfo.
CODE = {
    "AutoConfig": ("configuration_equinfo", "config", "EquinfoConfig"),
    "AutoModelForCausalLM": ("modeling_equinfo", "model", "EquinfoForCausalLM"),
}
DEFAULT = modern("0.4m", 256 + NUM_SPECIAL)


class Wrapped(Protocol):
    """An `equinfo.hf.tokenizer.EquinfoTokenizer`."""

    native: Tokenizer


AnyTokenizer = Tokenizer | Wrapped


def native(tokenizer: AnyTokenizer) -> Tokenizer:
    """The tokenizer of ours that this is, or that is behind what `as_hf` made."""
    return tokenizer if isinstance(tokenizer, Tokenizer) else tokenizer.native


class EquinfoConfig(PretrainedConfig):
    """A decoder's architecture (the fields of `DecoderConfig`), its context and its tokenizer.

    context: ids a sequence in training, BOS included. bos_token_id, eos_token_id, pad_token_id: by
    default those of a tokenizer of this vocabulary. tokenizer_name, tokenizer_fingerprint: of the
    one it was trained with, if known. Raises EquinfoError where the installed transformers was not
    tested with this.
    """

    model_type = "equinfo"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["cache", "past_key_values"]
    attribute_map: ClassVar[dict[str, str]] = {
        "hidden_size": "d_model",
        "intermediate_size": "d_ff",
        "num_attention_heads": "n_heads",
        "num_hidden_layers": "n_layers",
        "max_position_embeddings": "context",
        "rms_norm_eps": "norm_eps",
        "tie_word_embeddings": "tied",
    }

    def __init__(
        self,
        vocab_size: int = DEFAULT.vocab_size,
        d_model: int = DEFAULT.d_model,
        n_heads: int = DEFAULT.n_heads,
        n_layers: int = DEFAULT.n_layers,
        head_dim: int = DEFAULT.head_dim,
        d_ff: int = DEFAULT.d_ff,
        position: str = DEFAULT.position,
        activation: str = DEFAULT.activation,
        rope_base: float = DEFAULT.rope_base,
        relative_clip: int = DEFAULT.relative_clip,
        norm_eps: float = DEFAULT.norm_eps,
        tied: bool = DEFAULT.tied,
        period: int = DEFAULT.period,
        bigrams: int = DEFAULT.bigrams,
        shares: bool = DEFAULT.shares,
        canonical: int = DEFAULT.canonical,
        depth_capacity: float = DEFAULT.depth_capacity,
        experts: int = DEFAULT.experts,
        experts_per_token: int = DEFAULT.experts_per_token,
        expert_capacity: float = DEFAULT.expert_capacity,
        context: int = 256,
        use_cache: bool = True,
        tokenizer_name: str | None = None,
        tokenizer_fingerprint: str | None = None,
        **others: Any,
    ) -> None:
        check_transformers()
        decoder = DecoderConfig(
            vocab_size, d_model, n_heads, n_layers, head_dim, d_ff, position, activation,  # type: ignore[arg-type]
            rope_base, relative_clip, norm_eps, tied, period, bigrams, shares, canonical,
            depth_capacity, experts, experts_per_token, expert_capacity,
        )  # fmt: skip
        for name, value in asdict(decoder).items():
            setattr(self, name, value)
        self.context = context
        self.use_cache = use_cache
        self.tokenizer_name = tokenizer_name
        self.tokenizer_fingerprint = tokenizer_fingerprint
        names = ("pad_token_id", "bos_token_id", "eos_token_id")
        special = dict(zip(names, range(vocab_size - NUM_SPECIAL, vocab_size), strict=True))
        super().__init__(**{"tie_word_embeddings": tied, **special, **others})

    @classmethod
    def of(
        cls,
        decoder: DecoderConfig,
        context: int,
        tokenizer: AnyTokenizer | None = None,
        **others: Any,
    ) -> Self:
        """The configuration of a decoder that reads sequences of `context` ids of a tokenizer's.

        Raises EquinfoError where the tokenizer has another number of ids.
        """
        if tokenizer is not None:
            ours = native(tokenizer)
            others |= {"pad_token_id": ours.pad_id, "bos_token_id": ours.bos_id}
            others |= {"eos_token_id": ours.eos_id, "tokenizer_name": ours.name}
            others["tokenizer_fingerprint"] = ours.fingerprint
        config = cls(**asdict(decoder), context=context, **others)
        if tokenizer is not None:
            config.check_tokenizer(tokenizer)
        return config

    @property
    def decoder_config(self) -> DecoderConfig:
        names = [field.name for field in fields(DecoderConfig)]
        return DecoderConfig(**{name: getattr(self, name) for name in names})

    def check_tokenizer(self, tokenizer: AnyTokenizer) -> None:
        """Raises EquinfoError where `tokenizer` is not the one that the model was trained with."""
        from equinfo.generation import check_fit

        ours = native(tokenizer)
        check_fit(self.decoder_config, ours)
        if self.tokenizer_fingerprint is not None:
            trained = Identity(str(self.tokenizer_name), str(self.tokenizer_fingerprint))
            trained.check(ours.identity, "the LM", "trained with")

    def to_dict(self) -> dict[str, Any]:
        """Without what came later and is off: config.json is then what it was before."""
        return {n: v for n, v in super().to_dict().items() if (n, v) not in LATER.items()}

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Raises EquinfoError for the configuration of another kind of model."""
        kind = config_dict.get("model_type")
        if kind != cls.model_type:
            raise EquinfoError(
                f"config.json is of a {kind!r} model, not of an {cls.model_type!r} one: name its"
                " folder"
            )
        return super().from_dict(config_dict, **kwargs)

    def save_pretrained(self, save_directory: str | os.PathLike, *args: Any, **kwargs: Any) -> None:
        """Write config.json, and beside it the two lines that `trust_remote_code=True` runs."""
        self.auto_map = {auto: f"{file}.{name}" for auto, (file, _, name) in CODE.items()}
        super().save_pretrained(save_directory, *args, **kwargs)
        for file, module, name in CODE.values():
            line = f"from equinfo.hf.{module} import {name}  # noqa: F401"
            text = f"{line}  (pip install 'equinfo[lm,hf]')\n"
            (Path(save_directory) / f"{file}.py").write_text(text, encoding="utf-8")

    @classmethod
    def register_for_auto_class(cls, auto_class: Any = "AutoConfig") -> None:
        """Nothing: `save_pretrained` writes a line that imports this class, no copy of its file."""
