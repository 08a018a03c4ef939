"""Hugging Face transformers: the only room where it is imported."""

import sys
from collections.abc import Callable
from types import ModuleType


def when_imported(name: str, hook: Callable[[ModuleType], None]) -> None:
    """Call `hook` with the module `name` once it is imported, or now; without wrapt: only now."""
    try:
        from wrapt import register_post_import_hook
    except ImportError:
        if name in sys.modules:
            hook(sys.modules[name])
    else:
        register_post_import_hook(hook, name)
