"""The site's own copy of result rows and examples: pages link to ../results/..., which lies outside docs/."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = re.compile(r"\]\((?:\.\./)+((?:results|examples)/[^)#]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add what pages link to."""
    pages = [file.content_string for file in files if file.src_uri.endswith(".md")]
    for name in sorted({name for page in pages for name in OUTSIDE.findall(page)}):
        add(files, config, name)
    return files


def add(files: Files, config: Any, name: str) -> None:
    """A file, and the pictures that it shows."""
    files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    if name.endswith(".md"):
        for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            files.append(File.generated(config, f"results/{picture}", abs_src_path=str(ROOT / "results" / picture)))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links as they are inside the site: one folder less to climb."""
    return OUTSIDE.sub("](" + "../" * page.file.src_uri.count("/") + r"\1", markdown)
