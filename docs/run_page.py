"""Run a page's Python blocks one after another and write what they print below them: python
docs/run_page.py PAGE...

A block's output is the ```text block that follows it. One with a title (```text title="Yours will
differ") is not compared by the tests.
"""

import contextlib
import io
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n```text(?P<title>"
    r" title=\"[^\"]*\")?\n(?P<output>.*?)^```\n)?",
    re.M | re.S,
)
NUMBER = re.compile(r"\d+\.\d+")
TOLERANCE = (
    0.03  # of numbers with a point: other processors and libraries train to other last digits
)


@dataclass(frozen=True)
class Block:
    """A block of code and the output shown for it, "" for none. varies: it is shown as one of
    many.
    """

    code: str
    output: str
    varies: bool


def blocks(page: Path) -> list[Block]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [
        Block(match["code"], match["output"] or "", match["title"] is not None) for match in found
    ]


def outputs(page: Path) -> list[str]:
    """What each block prints, run in one namespace in the current folder."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    printed = []
    for number, block in enumerate(blocks(page), 1):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block.code, f"{page.name}, block {number}", "exec"), namespace)
        printed.append(out.getvalue())
    return printed


def agree(shown: str, printed: str) -> bool:
    """Whether two outputs are the same but for the last digits of numbers with a point."""
    pairs = zip(
        map(float, NUMBER.findall(shown)), map(float, NUMBER.findall(printed)), strict=False
    )
    close = all(abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) for a, b in pairs)
    return close and re.sub(r" +", " ", NUMBER.sub("#", shown)) == re.sub(
        r" +", " ", NUMBER.sub("#", printed)
    )


def rewrite(page: Path) -> None:
    """Put what the blocks print into the page."""
    home = page.resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        printed = iter(outputs(home))

    def written(match: re.Match[str]) -> str:
        output = next(printed)
        head = f"```python\n{match['code']}```\n"
        return f"{head}\n```text{match['title'] or ''}\n{output}```\n" if output else head

    home.write_text(BLOCK.sub(written, home.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    for name in sys.argv[1:]:
        rewrite(Path(name))
