"""The server behind the page: on this machine alone unless told otherwise, and asking no other."""

import contextlib
import ipaddress
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equinfo.errors import EquinfoError, needing
from equinfo.playground.readings import default_tokenizers, load_all
from equinfo.playground.writer import Continuer
from equinfo.tokenizers.base import Tokenizer

if TYPE_CHECKING:
    import gradio

HERE = Path(__file__).parent
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica Neue", "Arial",
         "sans-serif")  # fmt: skip
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self'"
    " 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'"
)
"""Browsers refuse to load from, or send to, any other host. Gradio's templates need eval."""


def serve(
    tokenizers: Iterable[Tokenizer | Path | str] | None = None,
    lm: Path | str | None = None,
    lm_tokenizer: Tokenizer | Path | str | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = False,
) -> None:
    """Show the page at http://host:port/ until interrupted.

    tokenizers: objects, names or folders; None for `default_tokenizers()`. lm: a folder that
    `train_lm` wrote, which holds lm_tokenizer, too; without it nothing is generated.
    host: other than loopback, others can use the page; a warning says so. Raises EquinfoError,
    before anything is served, for what cannot be loaded, and for a port that cannot be had.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    with needing("playground", "the playground"):
        from equinfo.playground.page import page
    if lm is None and lm_tokenizer is not None:
        raise EquinfoError(
            "there is a tokenizer for a language model and no language model: --lm FOLDER"
        )
    chosen = load_all(default_tokenizers() if tokenizers is None else tokenizers)
    writer = None if lm is None else Continuer.load(lm, lm_tokenizer)
    if not is_loopback(host):
        print(
            f"equinfo: warning: everyone who reaches {host} can use this page; it asks no password",
            file=sys.stderr,
        )
    app = launch(page(chosen, writer), host, port, open_browser)
    with contextlib.suppress(KeyboardInterrupt):
        print(f"equinfo playground: {app.local_url} (Ctrl-C ends it)", flush=True)
        threading.Event().wait()
    with contextlib.suppress(KeyboardInterrupt):  # whoever cannot wait
        app.close()


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def launch(
    app: "gradio.Blocks", host: str, port: int, open_browser: bool = False
) -> "gradio.Blocks":
    """Start serving, in threads of its own. Raises EquinfoError where the port cannot be had."""
    import gradio
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    if not 1 <= port <= 65535:
        raise EquinfoError(f"port {port} does not exist: choose one from 1 to 65535")
    os.environ.pop("GRADIO_ALLOWED_PATHS", None)  # Gradio takes an empty list for unsaid
    for variable in ("NO_PROXY", "no_proxy"):  # Gradio asks its own server whether it is up
        os.environ[variable] = ",".join(filter(None, (os.environ.get(variable), host)))
    bare = ":" in host and not host.startswith("[")
    name = f"[{host}]" if bare else host  # IPv6, as in an address
    names = ["127.0.0.1", "localhost"] if host in ("127.0.0.1", "localhost") else ["*"]
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=names), Middleware(Guarded)]
    try:
        app.launch(
            server_name=name, server_port=port, inbrowser=open_browser, prevent_thread_lock=True,
            quiet=True, share=False, inline=False, ssr_mode=False, mcp_server=False, pwa=False,
            enable_monitoring=False, run_history=False, allowed_paths=[], max_file_size=1,
            footer_links=[], state_session_capacity=32, max_threads=4, head=_head(),
            theme=gradio.themes.Default(primary_hue="blue", font=FONTS, font_mono=MONO),
            app_kwargs={"middleware": middleware},
        )  # fmt: skip
    except OSError as error:
        raise EquinfoError(
            f"port {port} of {host} cannot be used: choose another with --port"
        ) from error
    return app


class Guarded:
    """ASGI middleware: POLICY on every answer."""

    def __init__(self, app: Callable) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Callable, send: Callable) -> None:
        async def guarded(message: dict) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", POLICY.encode())
                message["headers"] = [*message["headers"], policy]
            await send(message)

        await self.app(scope, receive, guarded)


def _head() -> str:
    style, keys = ((HERE / name).read_text(encoding="utf-8") for name in ("style.css", "keys.js"))
    return f"<style>{style}</style><script>{keys}</script>"
