"""The server behind the page: on this machine alone unless told otherwise, and asking no other."""

import contextlib
import ipaddress
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
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
LARGEST = 1 << 20  # bytes of a request; a text has 2,000 characters


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
    import gradio.routes
    from starlette.middleware import Middleware

    if not 1 <= port <= 65535:
        raise EquinfoError(f"port {port} does not exist: choose one from 1 to 65535")
    os.environ.pop("GRADIO_ALLOWED_PATHS", None)  # Gradio takes an empty list for unsaid
    for variable in ("NO_PROXY", "no_proxy"):  # Gradio asks its own server whether it is up
        os.environ[variable] = ",".join(filter(None, (os.environ.get(variable), host)))
    bare = ":" in host and not host.startswith("[")
    name = f"[{host}]" if bare else host  # IPv6, as in an address
    middleware = [Middleware(Guarded, host=host.strip("[]").lower())]
    reflecting = gradio.routes.CustomCORSMiddleware  # lets the pages of other hosts read answers
    gradio.routes.CustomCORSMiddleware = lambda app, **_: app  # type: ignore[assignment, misc]
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
    finally:
        gradio.routes.CustomCORSMiddleware = reflecting  # type: ignore[misc]
    return app


class Guarded:
    """ASGI middleware: what no page of this server's own would ask is refused; POLICY on answers.

    400: a Host that is not ours, which a page elsewhere had its own name lead to; all that is
    malformed. 403: an Origin that is not ours. 413: a body of more than LARGEST bytes.
    """

    def __init__(self, app: Callable, host: str) -> None:
        """host: where the server listens; others than loopback are reached by any address, too."""
        self.app = app
        self.open = not is_loopback(host)
        own = socket.gethostname().lower()
        self.names = {host, "localhost", "127.0.0.1", "::1"}
        self.names |= {own, f"{own}.local"} if self.open else set()

    async def __call__(self, scope: Any, receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        begun = False

        async def guarded(message: dict) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                policy = (b"content-security-policy", POLICY.encode())
                message["headers"] = [*message["headers"], policy]
                if message["status"] == 422:
                    message["status"] = 400
            await send(message)

        async def replayed() -> dict:
            return held.pop() if held else await receive()

        status, body = self.refused(scope["headers"]), b""
        more = scope["type"] == "http"
        while more and not status:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            more = message.get("more_body", False)
            body += message.get("body", b"")
            status = 413 if len(body) > LARGEST else 0
        held = [{"type": "http.request", "body": body}] if scope["type"] == "http" else []
        try:
            if not status:
                await self.app(scope, replayed, guarded)
                return
        except Exception:  # Gradio takes much of what it is sent for granted
            if begun:
                raise
            status = 400
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        text = HTTPStatus(status).phrase.encode()
        headers = [(b"content-length", b"%d" % len(text)), (b"connection", b"close")]
        await guarded({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text, "more_body": True})
        for _ in range(1024):  # who still sends would not see the answer
            more = more and (await receive()).get("more_body", False)
        await send({"type": "http.response.body"})

    def refused(self, headers: list[tuple[bytes, bytes]]) -> int:
        """The status to answer with, or 0."""
        given: dict[str, list[str]] = {}
        for key, value in headers:
            given.setdefault(key.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        hosts, sizes = given.get("host", []), given.get("content-length", ["0"])
        found = re.fullmatch(r"(\[[^]]*]|[^:]*)(:\d*)?", hosts[0]) if len(hosts) == 1 else None
        name = found[1].strip("[]").lower() if found else ""
        if name not in self.names and not (self.open and _is_address(name)):
            return 400
        if any(origin.partition("://")[2] != hosts[0] for origin in given.get("origin", [])):
            return 403
        if not all(size.isdecimal() for size in sizes):
            return 400
        return 413 if max(map(int, sizes)) > LARGEST else 0


def _is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _head() -> str:
    style, keys = ((HERE / name).read_text(encoding="utf-8") for name in ("style.css", "keys.js"))
    return f"<style>{style}</style><script>{keys}</script>"
