"""What the README shows works as it stands there."""

import json
import re
import shlex
from pathlib import Path

import pytest

from equinfo import cli
from equinfo.corpora import load_corpus, take

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = "".join(re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE))


def test_the_python_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
    assert (tmp_path / "windows16").is_dir()


def test_a_text_of_ones_own_goes_through_the_chain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = b"\n".join(take(load_corpus("bundled").documents(), 300_000))
    (tmp_path / "my.txt").write_bytes(text)
    pages = README, (ROOT / "docs" / "tutorial.md").read_text()
    own = re.compile(r"^equinfo [^\n#]*(?:my\.txt|mine|A beginning)[^\n#]*", re.MULTILINE)
    commands, same = ([line.strip() for line in own.findall(page)] for page in pages)
    assert commands == same
    assert len(commands) == 5
    for command in commands:
        few = command.replace("--steps 300 --batch-size 8", "--steps 1 --batch-size 1 --context 64")
        monkeypatch.setattr("sys.argv", shlex.split(few))
        cli.main()
        assert capsys.readouterr().out


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"(?:^|&& )equinfo ([a-z][\w-]+) ", BLOCKS, re.MULTILINE)))
)
def test_the_commands_it_names_exist(command, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["equinfo", command, "--help"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    assert "usage: equinfo " + command in re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)


def test_the_make_targets_and_files_it_names_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", BLOCKS, re.MULTILINE):
        assert re.search(rf"\b{target}\b", makefile)
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_ready_made_tokenizers_numbers_are_the_rows():
    rows = map(json.loads, (ROOT / "results" / "pretrained.jsonl").read_text().splitlines())
    lines = {line.split(":")[0]: line for line in README.splitlines() if line.startswith("| ")}
    for row in rows:
        if "tokens" not in row:
            continue
        for name, before in (
            (f"| `{row['name']}`", ""),
            (f"| BPE of {row['codes']:,} ids", "bpe_"),
        ):
            ratio = row["bytes"] / row[f"{before}tokens"]
            bits = row[f"{before}bits"] / row["bytes"]
            assert f"| {ratio:.3f}, {bits:.3f} |" in next(
                v for k, v in lines.items() if k.startswith(name)
            ), row
