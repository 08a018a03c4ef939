"""The site's copy of what pages link to outside docs/, and the results in its navigation."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LISTED = re.compile(r"^\| \[\w+\]\((\w+\.md)\)", re.M)


def on_config(config: Any) -> Any:
    """The pages of experiments, in the order in which the results' index lists them."""
    index = (ROOT / "docs/results/index.md").read_text(encoding="utf-8")
    for part in config["nav"]:
        part.get("Results", []).append(
            {"Experiments": [f"results/{page}" for page in LISTED.findall(index)]}
        )
    return config


def outside(file: File) -> re.Pattern[str]:
    """Links from a page to rows, figures, examples and plain code in the repository's root."""
    climb = r"\.\./" * (file.src_uri.count("/") + 1)
    return re.compile(rf"\]\({climb}((?:results|examples|equinfo/plain)/[^)#]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add what pages link to."""
    pages = [file for file in files if file.src_uri.endswith(".md")]
    for name in sorted(
        {name for page in pages for name in outside(page).findall(page.content_string)}
    ):
        add(files, config, name)
    return files


def add(files: Files, config: Any, name: str) -> None:
    """A file, and the pictures that it shows."""
    files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    if name.endswith(".md"):
        for picture in re.findall(
            r"!\[[^]]*\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8")
        ):
            files.append(
                File.generated(
                    config, f"results/{picture}", abs_src_path=str(ROOT / "results" / picture)
                )
            )


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links as they are inside the site: one folder less to climb."""
    return outside(page.file).sub("](" + "../" * page.file.src_uri.count("/") + r"\1", markdown)
