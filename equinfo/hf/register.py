"""Makes transformers' Auto classes know what is here.

`import equinfo` installs hooks, which act once transformers is imported, or at once where it
already is. So nothing is imported for nothing, and the order does not matter. Without wrapt only
what is already imported is told.
"""

from types import ModuleType
from typing import Any

from equinfo.hf import when_imported


class _Later:
    """Stands for EquinfoForCausalLM until something is asked of it: the class needs torch."""

    def __getattr__(self, name: str) -> Any:
        from equinfo.hf.model import EquinfoForCausalLM

        return getattr(EquinfoForCausalLM, name)


def _config(module: ModuleType) -> None:
    from equinfo.hf.config import EquinfoConfig

    module.AutoConfig.register(EquinfoConfig.model_type, EquinfoConfig, exist_ok=True)


def _tokenizer(module: ModuleType) -> None:
    from equinfo.hf.config import EquinfoConfig
    from equinfo.hf.tokenizer import EquinfoTokenizer

    register = module.AutoTokenizer.register
    register(EquinfoConfig, slow_tokenizer_class=EquinfoTokenizer, exist_ok=True)


def _model(module: ModuleType) -> None:
    from equinfo.hf.config import EquinfoConfig

    module.MODEL_FOR_CAUSAL_LM_MAPPING.register(EquinfoConfig, _Later(), exist_ok=True)


when_imported("transformers.models.auto.configuration_auto", _config)
when_imported("transformers.models.auto.tokenization_auto", _tokenizer)
when_imported("transformers.models.auto.modeling_auto", _model)
