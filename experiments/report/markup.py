"""HTML by construction: every text is escaped, every element closed."""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

Child: TypeAlias = "str | Iterable[Child] | None"


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(element: str, *children: Child, **attributes: str | None) -> Html:
    """An element; children are texts (escaped), Html, lists of them, or None (left out).

    Attributes: `class_` is class, `aria_label` is aria-label; those that are None are left out.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Html(f"<{element}{written}>{join(*children)}</{element}>")


def join(*children: Child) -> Html:
    """The children one after another."""
    return Html("".join(_shown(child) for child in children))


def _shown(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, str):
        return child if isinstance(child, Html) else escape(child)
    return join(*child)


def breakable(name: str) -> Html:
    """A tokenizer's name, which may be broken before its bracket and after a comma."""
    return Html(escape(name).replace("[", "<wbr>[").replace(",", ",<wbr>"))


def coded(text: str) -> Html:
    """A text with what stands between backticks as code, all that a table's note has of Markdown."""
    parts = text.split("`")
    return join([tag("code", part) if at % 2 else part for at, part in enumerate(parts)])
