"""The decoder in transformers: same module, weights, logits; `generate`, `Trainer`, `pipeline`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache, GenerationConfig, GenerationMixin, PreTrainedModel
from transformers import cache_utils as hf_cache
from transformers.modeling_outputs import CausalLMOutputWithPast

from equinfo.artifacts import Artifact
from equinfo.errors import EquinfoError, naming
from equinfo.hf.config import AnyTokenizer, EquinfoConfig, native
from equinfo.lm.config import DecoderConfig, OptimizerConfig
from equinfo.lm.decoder import RESIDUAL, ZEROS, Decoder, Rotary, rotary_tables
from equinfo.lm.exported import check_exported, is_exported
from equinfo.lm.routing import Routing
from equinfo.lm.train import load_lm, load_train_config, trained_with
from equinfo.tokenizers.base import NUM_SPECIAL
from equinfo.tokenizers.registry import KEPT, kept

# What transformers calls the cache in its outputs and in `generate`: it changed in version 5.
CACHE = "cache" if "cache" in CausalLMOutputWithPast.__dataclass_fields__ else "past_key_values"


class EquinfoForCausalLM(PreTrainedModel, GenerationMixin):
    """`decoder` is an `equinfo.lm.decoder.Decoder`; its float32 logits are this one's, to the bit.

    A new model's weights are drawn by torch's generator, from the distribution of
    `Decoder.initialise`. PAD and BOS are never generated (`generation_config.suppress_tokens`);
    what else does not decode is the task of `logits.py`.
    """

    config_class = EquinfoConfig
    base_model_prefix = "decoder"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["Block"]  # noqa: RUF012
    tokenizer_artifact: Artifact | None = None
    """Of what `from_lm` had, to be saved beside the weights."""

    def __init__(self, config: EquinfoConfig) -> None:
        super().__init__(config)
        self.decoder = Decoder(config.decoder_config)
        unseen = (config.pad_token_id, config.bos_token_id)
        suppressed = [i for i in unseen if i not in (None, config.eos_token_id)]
        self.generation_config.suppress_tokens = suppressed or None
        self.post_init()

    @classmethod
    def from_lm(
        cls,
        lm: Decoder | Path | str,
        tokenizer: AnyTokenizer | None = None,
        context: int | None = None,
    ) -> Self:
        """The model of a decoder (whose weights it shares), or of the folder of a training.

        tokenizer: the one it was trained with (ours, or its `as_hf`), which config.json then names.
        Without one, the special ids are where a tokenizer of this vocabulary has them, or what the
        training says. context: by default the training's. Raises EquinfoError where LM and
        tokenizer do not fit.
        """
        others: dict[str, Any] = {}
        if not isinstance(lm, Decoder):
            trained = load_train_config(lm)
            context = context or trained.context
            # an M1: one id begins and ends, none pads
            identity = trained_with(lm)
            tokenizer = kept(lm) if tokenizer is None else tokenizer
            if identity is not None and tokenizer is not None:
                identity.check(native(tokenizer).identity, lm, "trained with")
            elif identity is not None:
                others |= {f"tokenizer_{part}": value for part, value in vars(identity).items()}
            if trained.bos_id != trained.model.vocab_size - NUM_SPECIAL + 1:
                others |= {"bos_token_id": trained.bos_id, "eos_token_id": trained.bos_id}
                others["pad_token_id"] = None
        elif context is None:
            raise EquinfoError(
                "a decoder without its training folder needs `context`, the ids of a sequence"
            )
        decoder = lm if isinstance(lm, Decoder) else load_lm(lm)
        with torch.device("meta"):
            model = cls(EquinfoConfig.of(decoder.config, context, tokenizer, **others))
        model.decoder = decoder
        model.tokenizer_artifact = None if tokenizer is None else native(tokenizer).artifact
        return model.eval()

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: Any, *model_args: Any, **kwargs: Any
    ) -> Any:
        """As transformers', of a folder that `save_pretrained` wrote.

        Raises EquinfoError for a training's folder (see `from_lm`), and weights not the config's.
        """
        folder = pretrained_model_name_or_path
        asked = kwargs.pop("output_loading_info", False)
        kwargs["output_loading_info"] = True
        weights = isinstance(folder, str | Path) and Path(folder, "weights").is_dir()
        if weights and not Path(folder, "config.json").is_file():
            raise EquinfoError(
                f"{folder} is the folder of a training: EquinfoForCausalLM.from_lm reads it"
            )
        whole = not kwargs.keys() & {"config", "ignore_mismatched_sizes"}
        if whole and isinstance(folder, str | Path) and is_exported(folder):
            check_exported(folder)
            with naming(Path(folder) / "config.json"):
                config = cls.config_class.from_pretrained(folder)
                GenerationConfig.from_model_config(config)
                if not getattr(config.dtype or torch.float32, "is_floating_point", False):
                    raise EquinfoError("its dtype is none of floating-point numbers")
        try:
            loaded: Any = super().from_pretrained(folder, *model_args, **kwargs)
        except RuntimeError as error:
            if "mismatch" not in str(error):
                raise
            raise EquinfoError(
                f"the weights in {folder} have other shapes than its config.json says"
            ) from error
        model, info = loaded
        wrong = sorted([*info["missing_keys"], *info["unexpected_keys"]])
        if wrong:
            raise EquinfoError(
                f"the weights in {folder} do not fit its config.json, as in {wrong[0]}: save it"
                " again"
            )
        if model.decoder.canonical is not None:
            model.decoder.canonical.check(folder)
        return (model, info) if asked else model

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """As transformers', and beside it the tokenizer that `from_lm` had."""
        super().save_pretrained(save_directory, *args, **kwargs)
        if self.tokenizer_artifact is not None:
            self.tokenizer_artifact.save(Path(save_directory) / KEPT)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        cache: hf_cache.Cache | None = None,
        past_key_values: hf_cache.Cache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        first: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast | tuple[Any, ...]:
        """Logits f32[batch, time, vocab_size] of the ids that follow input_ids, i64[batch, time].

        attention_mask: [batch, positions], those in the cache first, 0 for padding on either side;
        position_ids are not needed, for only distances between positions count. labels: input_ids,
        -100 where not scored; they are shifted here. cache (past_key_values in transformers 4): of
        what came before; by default a new one, but in training. logits_to_keep: only of the last
        ones, or of these positions (0: all). first: see `Decoder.places`, for rows cut from amid
        documents and LMs that are told places in units.
        """
        if kwargs.pop("output_attentions", None) or kwargs.pop("output_hidden_states", None):
            raise EquinfoError(
                "attentions and hidden states are not kept: `model.decoder(ids)` has the last ones"
            )
        cache = past_key_values if cache is None else cache
        if use_cache is None:
            use_cache = self.config.use_cache and not self.training
        if cache is None and use_cache:
            cache = DynamicCache()
        seen = None if cache is None else _Cached(cache, self.decoder.config, input_ids)
        real = _real(attention_mask, input_ids, seen)
        routing = Routing()
        hidden = self.decoder(input_ids, seen, real, first, routing)
        kept: Any = logits_to_keep
        if isinstance(logits_to_keep, int):
            kept = slice(-logits_to_keep or None, None)
        logits = F.linear(hidden[:, kept], self.decoder.head_weight).float()
        logits = self.decoder.masked(logits, input_ids[:, kept])
        loss = None
        if labels is not None:
            if self.decoder.canonical is not None:  # PAD and BOS follow nothing: not scored
                special = self.decoder.config.special
                labels = labels.masked_fill((labels == special) | (labels == special + 1), -100)
            kwargs["vocab_size"] = logits.shape[-1]
            loss = self.loss_function(logits=logits, labels=labels, **kwargs)
            if self.decoder.training and self.decoder.config.is_routed:
                scored = (labels[:, 1:] != -100).sum()
                of = kwargs.get("num_items_in_batch")  # as `loss_function` divides
                part = 1.0 if of is None else scored / of
                loss = loss + routing.loss(OptimizerConfig.balance_loss) * part
        kept_cache: dict[str, Any] = {CACHE: cache}
        output = CausalLMOutputWithPast(loss=loss, logits=logits, **kept_cache)
        named = self.config.return_dict if return_dict is None else return_dict
        return output if named else output.to_tuple()

    # -- what transformers asks of a model ---------------------------------------------------------

    def get_input_embeddings(self) -> nn.Embedding:
        return self.decoder.embed

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.decoder.embed = value  # type: ignore[assignment]

    def get_output_embeddings(self) -> nn.Linear | None:
        """None where they are the input's: the decoder has no second name for them."""
        return None if self.config.tied else self.decoder.head

    def set_output_embeddings(self, value: nn.Linear) -> None:
        self.decoder.head = value

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, *args: Any, **kwargs: Any
    ) -> nn.Embedding:
        """Raises EquinfoError for an LM that is told places in units, by the last ids, and for one
        with a canonical mask, a tokenizer's.
        """
        changed = new_num_tokens not in (None, self.config.vocab_size)
        if changed and (self.config.period > 1 or self.config.canonical):
            raise EquinfoError(
                "an LM that is told places in units, or has a canonical mask, keeps its vocabulary:"
                " its special ids end it"
            )
        embeddings = super().resize_token_embeddings(new_num_tokens, *args, **kwargs)
        self.decoder.config = self.config.decoder_config
        return embeddings

    def _init_weights(self, module: nn.Module) -> None:
        """As `Decoder.initialise`: normal of 1 / sqrt(fan-in), the residual's inputs by depth."""
        names = {id(weight): name for name, weight in self.decoder.named_parameters()}
        for weight in module.parameters(recurse=False):
            name = names.get(id(weight), "")
            if weight.dim() == 1:
                nn.init.ones_(weight)
            elif name in ZEROS:
                nn.init.zeros_(weight)
            else:
                depth = (2 * self.config.n_layers) ** -0.5 if name.endswith(RESIDUAL) else 1.0
                nn.init.normal_(weight, std=weight.shape[-1] ** -0.5 * depth)

    def _set_gradient_checkpointing(
        self, enable: bool = True, gradient_checkpointing_func: Any = None, every_n_layers: int = 1
    ) -> None:
        """Each block is checkpointed, or none; the decoder calls torch's checkpoint itself."""
        if every_n_layers != 1:
            raise EquinfoError(
                f"every_n_layers is {every_n_layers}: all blocks are checkpointed, or none"
            )
        self.gradient_checkpointing = self.decoder.checkpoint_blocks = enable

    @classmethod
    def register_for_auto_class(cls, auto_class: Any = "AutoModel") -> None:
        """Nothing: `EquinfoConfig.save_pretrained` writes a line that imports this class."""


def _real(attention_mask: Tensor | None, ids: Tensor, seen: _Cached | None) -> Tensor | None:
    """`attention_mask` as decoders take it; None without padding, for the bits of no mask."""
    if attention_mask is None:
        return None
    positions = (len(ids), ids.shape[1] + (seen.length if seen else 0))
    if attention_mask.shape != positions:
        raise EquinfoError(
            f"attention_mask is {tuple(attention_mask.shape)}; rows and positions are {positions}"
        )
    return None if attention_mask.all() else attention_mask.bool()


class _Cached:
    """transformers' Cache, read and extended as an `equinfo.lm.cache.Cache`."""

    def __init__(self, cache: hf_cache.Cache, config: DecoderConfig, ids: Tensor) -> None:
        if cache.is_compileable:  # its keys are as many as there is room for, not as were seen
            raise EquinfoError(
                f"a {type(cache).__name__} has a fixed size: use transformers' DynamicCache"
            )
        self.length = int(cache.get_seq_length())
        self.capacity = self.length + ids.shape[1]
        whole = 1 << self.capacity.bit_length()  # few tables, and not one a step
        self.rotary = _rotary(config, whole, ids.device) if config.position == "rope" else None
        self.cache = cache
        empty = self.length == 0
        self.layers = [_CachedLayer(self, number, empty) for number in range(config.n_layers)]
        depths = config.routed_blocks if config.depth_capacity < 1 else ()
        columns = ["places"] * (config.period > 1) + ["ids"] * (config.bigrams > 0)
        columns += [f"taken{number}" for number in depths]
        self.columns = {name: config.n_layers + at for at, name in enumerate(columns)}

    @property
    def places(self) -> Tensor:
        """What `Decoder.places` found for all ids seen, i64[rows, positions]."""
        return self.column("places")

    @places.setter
    def places(self, found: Tensor) -> None:
        self.extend("places", found)

    @property
    def ids(self) -> Tensor:
        """All ids seen, i64[rows, positions]."""
        return self.column("ids")

    @ids.setter
    def ids(self, read: Tensor) -> None:
        self.extend("ids", read)

    # All are layers of the cache after the decoder's, so beams that are reordered and drafts that
    # are cropped take them along. Ids are below 2**24: float32 has them.

    def column(self, name: str) -> Tensor:
        layer: Any = self.cache.layers[self.columns[name]]
        return layer.keys[:, 0, :, 0].long()

    def extend(self, name: str, column: Tensor) -> None:
        number = self.columns[name]
        while len(self.cache.layers) <= number:  # generate makes a cache of just the decoder's
            self.cache.layers.append(hf_cache.DynamicLayer())
        kept = column[:, None, :, None].float()
        self.cache.update(kept, kept, number)


class _CachedLayer:
    def __init__(self, seen: _Cached, number: int, empty: bool) -> None:
        self.seen = seen
        self.number = number
        self.empty = empty

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        whole = self.seen.cache.update(keys, values, self.number)
        # of the first ids the same bits as without a cache, which holds a copy
        return (keys, values) if self.empty else whole

    def taking(self, taken: Tensor) -> Tensor:
        self.seen.extend(f"taken{self.number}", taken)
        return self.seen.column(f"taken{self.number}").bool()


@lru_cache(maxsize=8)
def _rotary(config: DecoderConfig, positions: int, device: torch.device) -> Rotary:
    with torch.inference_mode(False):  # what is made in that mode could not be used outside of it
        return rotary_tables(config, positions, device)
