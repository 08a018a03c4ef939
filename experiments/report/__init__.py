"""The report: one HTML page that gathers every experiment, computed from result rows only (`make report`).

outcomes.py reads what there is, provenance.py says where it comes from, drawing.py makes figures fit to stand in a
page, page.py writes the HTML through markup.py; style.css and page.html are its looks and its fixed words.
"""

from pathlib import Path

from equinfo.files import atomic_file
from experiments.report.page import page


def write(results: Path, out: Path) -> Path:
    """Write the page on every experiment's rows in results/SCALE/rows.jsonl to `out`; returns `out`.

    results/remarks.json, where there is one, holds what people have to say: {scale: {experiment: text}}.
    """
    from experiments.catalogue import EXPERIMENTS  # it lists all experiments, and its commands call this

    content = page(list(EXPERIMENTS.values()), results)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as beside:
        beside.write_text(content, encoding="utf-8")
    return out
