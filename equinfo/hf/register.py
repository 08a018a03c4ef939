"""Makes transformers' Auto classes know what is here.

`import equinfo` installs hooks, which act once transformers is imported, or at once where it
already is. So nothing is imported for nothing, and the order does not matter. Without wrapt only
what is already imported is told.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


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

    module.AutoTokenizer.register(
        EquinfoConfig, slow_tokenizer_class=EquinfoTokenizer, exist_ok=True
    )


def _model(module: ModuleType) -> None:
    from equinfo.hf.config import EquinfoConfig

    module.MODEL_FOR_CAUSAL_LM_MAPPING.register(EquinfoConfig, _Later(), exist_ok=True)


HOOKS: dict[str, Callable[[ModuleType], None]] = {
    "transformers.models.auto.configuration_auto": _config,
    "transformers.models.auto.tokenization_auto": _tokenizer,
    "transformers.models.auto.modeling_auto": _model,
}


def install() -> None:
    """Have each hook run when its module is imported, or now."""
    for name, hook in HOOKS.items():
        when_imported(name, hook)


def when_imported(name: str, hook: Callable[[ModuleType], None]) -> None:
    """Call `hook` with the module `name` once it is imported, or now."""
    try:
        from wrapt import register_post_import_hook
    except ImportError:
        if name in sys.modules:
            hook(sys.modules[name])
    else:
        register_post_import_hook(hook, name)


install()
