"""The console command, as a user runs it."""

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import equinfo as equinfo_
from equinfo import api, cli
from equinfo.tokenizers.registry import pretrained_tokenizers


def equinfo(*arguments, data=None):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "equinfo.cli", *arguments],
        input=data,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command in this process: (status, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["equinfo", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return call


@pytest.mark.parametrize("name", ["bytes", "gzip8", "gzip12", "zstd16", "xz8"])
def test_any_file_comes_back_identical(tmp_path, run, name):
    for number, content in enumerate([b"", os.urandom(5000), b"\0" * 300, "text – é".encode()]):
        source, ids, back = (tmp_path / f"{number}{suffix}" for suffix in ("", ".ids", ".back"))
        source.write_bytes(content)
        assert run("encode", source, "--tokenizer", name, "-o", ids)[0] == 0
        assert run("decode", ids, "-t", name, "--output", back)[0] == 0
        assert back.read_bytes() == content


def test_pipes():
    content = os.urandom(2000)
    encoded = equinfo("encode", "-", "--tokenizer", "gzip8", data=content)
    assert encoded.returncode == 0, encoded.stderr
    assert equinfo("decode", "-", "--tokenizer", "gzip8", data=encoded.stdout).stdout == content


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["encode", "no-such-file", "-t", "bytes"], "no-such-file cannot be read"),
        (["encode", "-", "-t", "byts"], "no tokenizer 'byts'.*bytes, gzip8.*mean 'bytes'"),
        (["encod", "-"], "no command 'encod'; did you mean 'encode'"),
        (["train-tokenizer", "bpee", "--out", "x"], "'bpee'.*known: bpe.*did you mean 'bpe'"),
        (["train-tokenizer", "ac", "--out", "x"], "ac needs a byte model"),
        (
            ["train-tokenizer", "static-ac", "--size", "300", "--out", "x"],
            "choose a power of two, 2 to 65536",
        ),
        (["train-tokenizer", "bpe", "--corpus", "nowhere", "--out", "x"], "nowhere"),
        (["train-tokenizer", "bpe", "--mode", "strict", "--out", "x"], "BPE knows no option mode"),
        (["train-m1", "--out", "x", "--size", "0.m", "--corpus", "nowhere"], "0.m.*did you mean"),
        (["train-lm", "-t", "bytes", "--out", "x", "--size", "7q", "--corpus", "nowhere"], "7q"),
        (["train-lm", "-t", "bytes", "--out", "x", "--corpus", "nowhere"], "nowhere"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_bad_input_is_one_clear_line(tmp_path, monkeypatch, run, arguments, message):
    import re

    monkeypatch.chdir(tmp_path)
    status, _, error = run(*arguments)
    assert status == 1
    assert re.search(message, error)
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_output_that_cannot_be_written_leaves_the_old_file(tmp_path, run):
    target = tmp_path / "folder"
    target.mkdir()
    source = tmp_path / "source"
    source.write_bytes(b"text")
    status, _, error = run("encode", source, "-t", "bytes", "-o", target)
    assert status == 1
    assert "cannot be written" in error
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "source"]


def test_a_pipe_or_device_is_written_to_never_replaced(tmp_path, run):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = tmp_path / "source"
    source.write_bytes(b"text")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert run("encode", source, "-t", "bytes", "-o", pipe)[0] == 0
    assert os.read(reader, 1 << 16).startswith(b"equinfo")
    os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("through", ["/dev/fd/{}", "link"])
def test_an_open_file_is_written_where_it_stands(tmp_path, run, through):
    (tmp_path / "source").write_bytes(b"text")
    run("encode", tmp_path / "source", "-t", "bytes", "-o", tmp_path / "ids")
    with (tmp_path / "open").open("wb", buffering=0) as file:
        file.write(b"before")
        (tmp_path / "link").symlink_to(f"/proc/self/fd/{file.fileno()}")
        name = tmp_path / through if through == "link" else through.format(file.fileno())
        assert run("encode", tmp_path / "source", "-t", "bytes", "-o", name)[0] == 0
    assert (tmp_path / "open").read_bytes() == b"before" + (tmp_path / "ids").read_bytes()
    assert (tmp_path / "link").is_symlink()


NARROW = {"ascii": "\\u2591 \\xe9", "latin-1": "\\u2591 é", "utf-8": "░ é"}


@pytest.mark.parametrize("encoding", NARROW)
def test_what_a_stream_cannot_spell_is_escaped(monkeypatch, run, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr("equinfo.show.render", lambda *_: "░ é")
    assert run("show", "x", "-t", "bytes")[0] == 0
    assert stream.buffer.getvalue().decode(encoding) == f"{NARROW[encoding]}\n"


def closed():
    return None


def full():
    return Path("/dev/full").open("w")


def broken():
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


@pytest.mark.parametrize(
    ("stream", "make", "arguments", "status", "message"),
    [
        ("stdout", closed, ["show", "x", "-t", "bytes"], 1, "standard output is closed"),
        ("stdout", closed, ["encode", "in", "-t", "bytes"], 1, "standard output is closed"),
        ("stdout", closed, ["train-tokenizer", "gzip", "--size", "256", "--out", "t"], 0, ""),
        ("stdout", full, ["show", "x", "-t", "bytes"], 1, "standard output cannot be written: No"),
        ("stdout", full, ["encode", "in", "-t", "bytes"], 1, "standard output cannot be written"),
        ("stdout", full, ["--help"], 1, "standard output cannot be written"),
        ("stdout", broken, ["encode", "in", "-t", "bytes"], 1, ""),
        ("stdout", broken, ["--help"], 1, ""),
        ("stdin", closed, ["encode", "-", "-t", "bytes", "-o", "ids"], 1, "input is closed"),
        ("stderr", closed, ["encode", "in", "-t", "bytes", "-o", "ids"], 0, ""),
        ("stderr", full, ["encode", "in", "-t", "bytes", "-o", "ids"], 0, ""),
    ],
)
def test_streams_that_are_closed_full_or_broken(
    tmp_path, monkeypatch, run, stream, make, arguments, status, message
):
    if make is full and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").write_bytes(b"text")
    monkeypatch.setattr(sys, stream, make())
    found, _, error = run(*arguments)
    assert found == status
    assert message in error
    assert len(error.splitlines()) == bool(message) or status == 0


def test_the_summary_never_lands_in_the_token_file(tmp_path):
    (tmp_path / "in").write_bytes(b"text")
    command = f"{sys.executable} -m equinfo.cli encode {tmp_path}/in -t bytes"
    made = [
        subprocess.run(f"{command} {end}", shell=True, capture_output=True, check=True).stdout
        for end in ("2>/dev/null", "2>&-")
    ]
    assert made[0] == made[1] != b""


FEW = ["--max-bytes", 9000]
OTHERS = {"train-tokenizer": ["gzip", "--size", 256], "train-m1": ["--order", 1, *FEW]}
OTHERS |= {"tokenize": ["-t", "bytes", "--workers", 1, *FEW], "import-tokenizer": ["t.json"]}
OTHERS |= {"train-lm": ["-t", "bytes", "--size", "30k", "--steps", 1, "--context", 16, *FEW]}


@pytest.mark.parametrize("command", OTHERS)
def test_a_folder_that_holds_another_thing_is_refused_unless_overwritten(
    tmp_path, monkeypatch, run, command
):
    monkeypatch.chdir(tmp_path)
    bpe = api.train_tokenizer("bpe", corpus=[b"some text"], size=257)
    (tmp_path / "t.json").write_bytes(bpe.model)
    for name in ("artifact.json", "shard-00000.ids", "notes.txt"):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_text("another")
    arguments = [command, *OTHERS[command], "--out", "out"]
    status, _, error = run(*arguments)
    assert status == 1
    assert error.endswith("out holds artifact.json: name a new folder, or pass --overwrite\n")
    status, _, error = run(*arguments, "--overwrite")
    assert status == 0, error
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert [path.name for path in files if path.read_bytes() == b"another"] == ["notes.txt"]


LINUX = (
    "sched_getaffinity fork getuid geteuid getgid mkfifo statvfs uname nice sysconf killpg chown"
    " fchown pread posix_fadvise posix_fallocate memfd_create fdatasync sync getloadavg waitid"
    " O_DIRECTORY O_NOFOLLOW SIGKILL SIGHUP SIGUSR1 SIGALRM alarm setitimer"
)


def test_nothing_is_used_that_only_linux_has(tmp_path, monkeypatch, run):
    (tmp_path / "in.txt").write_bytes(b"In the beginning " * 900)
    few = ["--corpus", tmp_path / "in.txt", "--max-bytes", 20_000]
    small = ["--size", "30k", "--steps", 1, "--context", 16, "--batch-size", 2]
    monkeypatch.delenv("EQUINFO_THREADS", raising=False)
    for name in LINUX.split():
        for module in (os, signal):
            monkeypatch.delattr(module, name, raising=False)
    for arguments in (
        ["train-tokenizer", "bpe", "--size", 300, "--out", tmp_path / "t", *few],
        ["encode", tmp_path / "in.txt", "-t", tmp_path / "t", "-o", tmp_path / "ids"],
        ["decode", tmp_path / "ids", "-t", tmp_path / "t", "-o", tmp_path / "back"],
        ["tokenize", "-t", tmp_path / "t", "--out", tmp_path / "s", "--workers", 1, *few],
        ["train-lm", "--shards", tmp_path / "s", "--out", tmp_path / "lm", *small],
        ["generate", "In", "--lm", tmp_path / "lm", "-t", tmp_path / "t", "--max-ids", 2],
    ):
        status, _, error = run(*arguments)
        assert status == 0, error
    assert (tmp_path / "back").read_bytes() == (tmp_path / "in.txt").read_bytes()


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path, run):
    (tmp_path / "file").write_bytes(b"")
    status, _, error = run(
        "train-tokenizer", "static-ac", "--size", 256, "--out", tmp_path / "file" / "t"
    )
    assert status == 1
    assert "file/t cannot be written" in error
    assert len(error.splitlines()) == 1


def test_a_terminal_is_shown_no_binary_and_told_the_next_command(tmp_path, run, monkeypatch):
    (tmp_path / "in").write_bytes(b"text")
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    status, out, error = run("encode", tmp_path / "in", "-t", "bytes")
    assert (status, out, len(error.splitlines())) == (1, "", 1)
    assert "-o FILE" in error
    error = run("encode", tmp_path / "in", "-t", "bytes", "-o", tmp_path / "my ids")[2]
    assert f"next: equinfo decode '{tmp_path / 'my ids'}' -t bytes" in error


def test_an_interruption_says_what_is_kept(tmp_path, run, monkeypatch):
    def stopped(out, *arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("equinfo.api.train_lm", stopped)
    for said in ("nothing is kept", "run again to go on"):
        status, _, error = run("train-lm", "-t", "bytes", "--out", tmp_path)
        assert (status, error) == (130, f"equinfo: interrupted: {said}\n")
        (tmp_path / "checkpoint-000000001").mkdir(exist_ok=True)


def test_list_and_version(run):
    assert run("--version")[1] == f"equinfo {equinfo_.__version__}\n"
    status, out, _ = run("list")
    assert status == 0
    for name in ("english-64k", "65,536", "6.938", "english-m1", "equalinfo", "xz"):
        assert name in out


def test_info_and_verify_say_what_is_there_or_what_is_wrong_in_a_line(tmp_path, run):
    source, ids = tmp_path / "in", tmp_path / "a file.ids"
    source.write_bytes(b"some text" * 50)
    assert run("encode", source, "-t", "bytes", "-o", ids)[0] == 0
    status, out, _ = run("info", ids)
    assert (status, out.splitlines()[:2]) == (0, [f"path        {ids}", "what        token file"])
    assert f"equinfo decode '{ids}'" in out
    status, out, _ = run("verify", ids, "--against", source, "-t", "bytes")
    whole = f"{ids}: token file, whole: the checksums of 450 ids; decodes to {source}\n"
    assert (status, out) == (0, whole)
    ids.write_bytes(ids.read_bytes()[:-1])
    for path, named in ((ids, ids), (source, source), (tmp_path / "none", "none does not exist")):
        status, out, error = run("verify", path)
        assert (status, out, len(error.splitlines())) == (1, "", 1)
        assert str(named) in error


def test_help_teaches(run):
    status, out, _ = run("--help")
    assert status == 0
    assert all(name in out for name in (*pretrained_tokenizers(), "equalinfo", "static-huffman"))
    for command in (
        "encode",
        "decode",
        "show",
        "train-m1",
        "train-tokenizer",
        "train-lm",
        "generate",
        "tokenize",
        "evaluate",
        "info",
        "verify",
    ):
        assert command in out
        status, options, _ = run(command, "--help")
        assert status == 0
        assert "Args:" not in options, "a docstring that tyro cannot read explains no option"


def test_train_everything_small_and_evaluate(tmp_path, run):
    """The whole chain by hand: M1, a window tokenizer over it, an M2 on that, its bits/byte; then a
    file through it.
    """
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(
        "".join(f'{{"text": "{n} green bottles, hanging on the wall"}}\n' for n in range(600))
    )
    small = ["--corpus", corpus, "--size", "30k", "--steps", 8, "--batch-size", 4, "--context", 32]
    status, out, error = run("train-m1", "--out", tmp_path / "m1", *small)
    assert status == 0, error
    made = run(
        "train-tokenizer",
        "equalinfo",
        "--m1",
        out.strip(),
        "--bits",
        16,
        "--size",
        256,
        "--out",
        tmp_path / "t",
    )
    assert made[0] == 0, made[2]
    assert "EqualInfoAC[b=16,v=256]" in made[1]
    status, out, error = run("train-lm", "-t", tmp_path / "t", "--out", tmp_path / "lm", *small)
    assert status == 0, error
    status, out, error = run(
        "evaluate", "--lm", tmp_path / "lm", "-t", tmp_path / "t", "--corpus", corpus
    )
    assert status == 0, error
    assert float(out.split("bits/byte")[1].split()[0]) > 0
    assert run("evaluate", "--lm", tmp_path / "lm", "-t", "gzip16", "--corpus", corpus)[0] == 1
    assert run("encode", corpus, "-t", tmp_path / "t", "-o", tmp_path / "ids")[0] == 0
    assert run("decode", tmp_path / "ids", "-t", tmp_path / "t", "-o", tmp_path / "back")[0] == 0
    assert (tmp_path / "back").read_bytes() == corpus.read_bytes()
    assert "bits/byte" in run("show", "ten green bottles", "-t", tmp_path / "t")[1]
    drawn = ["--lm", tmp_path / "lm", "--max-ids", 20]
    status, out, error = run("generate", "ten green", *drawn)
    assert status == 0, error
    assert out.startswith("ten green")
    assert run("generate", "ten green", *drawn, "--samples", 2)[1].count("--- ") == 2
    status, out, error = run("generate", "ten green", "--lm", tmp_path / "lm", "-t", "gzip16")
    assert (status, out) == (1, "")
    assert "trained with EqualInfoAC[b=16,v=256]" in error


def test_an_m1_of_counts_needs_no_training(tmp_path, run):
    assert run("train-m1", "--order", 2, "--out", tmp_path / "m1", "--max-bytes", 100_000)[0] == 0
    assert (
        run(
            "train-tokenizer",
            "ac",
            "--m1",
            tmp_path / "m1/byte-model",
            "--size",
            256,
            "--out",
            tmp_path / "t",
        )[0]
        == 0
    )
    assert "AC[v=256]" in run("show", "a", "-t", tmp_path / "t")[1]


def test_tokenize_then_train_on_the_shards(tmp_path, run):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(
        "".join(f'{{"text": "{n} green bottles, hanging on the wall"}}\n' for n in range(300))
    )
    made = run(
        "tokenize", "-t", "bytes", "--out", tmp_path / "ids", "--corpus", corpus, "--workers", 2
    )
    assert made[0] == 0, made[2]
    assert "Bytes: 28" in made[1]
    small = ["--size", "30k", "--steps", 2, "--batch-size", 2, "--context", 16]
    status, _, error = run(
        "train-lm", "--shards", tmp_path / "ids", "--out", tmp_path / "lm", *small
    )
    assert status == 0, error
    assert run("evaluate", "--lm", tmp_path / "lm", "-t", "bytes", "--corpus", corpus)[0] == 0
    status, _, error = run(
        "train-lm", "--shards", tmp_path / "ids", "-t", "gzip8", "--out", tmp_path / "x", *small
    )
    assert (status, len(error.splitlines())) == (1, 1)
    assert "was written by Bytes" in error
    assert (
        run("train-lm", "--shards", tmp_path / "nowhere", "--out", tmp_path / "x", *small)[0] == 1
    )


def test_show_takes_several_tokenizers(run):
    status, out, _ = run("show", "In the beginning", "-t", "bytes", "-t", "gzip8")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines() if line[:1].strip()] == [
        "Bytes",
        "GZip[v=256]",
    ]
    assert out.count("bits/byte") == 2


def test_a_damaged_token_file_leaves_no_output_and_the_old_one(tmp_path, run):
    source, ids, back = tmp_path / "source", tmp_path / "ids", tmp_path / "back"
    source.write_bytes(os.urandom(300_000))
    run("encode", source, "-t", "bytes", "-o", ids)
    back.write_bytes(b"old")
    for damaged in (ids.read_bytes()[:200_000], ids.read_bytes()[:-1] + b"x"):
        (tmp_path / "damaged").write_bytes(damaged)
        status, _, error = run("decode", tmp_path / "damaged", "-t", "bytes", "-o", back)
        assert (status, len(error.splitlines())) == (1, 1)
        assert "cut short or altered" in error
    assert back.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "damaged", "ids", "source"]


def test_a_pipe_that_breaks_off_says_so():
    content = os.urandom(5000)
    encoded = equinfo("encode", "-", "-t", "gzip8", data=content).stdout
    cut = equinfo("decode", "-", "-t", "gzip8", data=encoded[:-5])
    assert cut.returncode == 1
    assert content.startswith(cut.stdout)
    assert b"standard input was cut short or altered" in cut.stderr


def test_export_and_import_say_what_they_wrote_and_refuse_what_they_cannot(tmp_path, run):
    run(
        "tokenize",
        "-t",
        "bytes",
        "--out",
        tmp_path / "shards",
        "--max-bytes",
        "20000",
        "--workers",
        "1",
    )
    status, out, _ = run(
        "export", tmp_path / "shards", "--out", tmp_path / "flat", "--format", "nanogpt"
    )
    assert status == 0
    assert "train: " in out
    assert (tmp_path / "flat" / "train.bin").stat().st_size > 20_000
    status, _, error = run(
        "export", tmp_path / "shards", "--out", tmp_path / "flat", "--format", "megatron"
    )
    assert (status, len(error.splitlines())) == (1, 1)
    status, _, error = run("import-tokenizer", tmp_path / "none.model", "--out", tmp_path / "t")
    assert (status, len(error.splitlines())) == (1, 1)


def test_a_dense_lm_becomes_one_of_experts_and_goes_on(tmp_path, run):
    """On the tokenizer that the first one had."""
    common = ["--steps", 3, "--context", 64, "--max-bytes", 20000]
    dense, experts, on = (tmp_path / name for name in ("dense", "experts", "on"))
    begun = ("train-lm", "-t", "bytes", "--out", dense, "--keep-optimizer", "--size", "30k")
    assert run(*begun, *common)[0] == 0
    status, said, _ = run("upcycle", dense, "--out", experts, "--experts", 4)
    assert status == 0
    assert said.startswith("4 experts in")
    go_on = ("train-lm", "--start", experts, "--start-optimizer", *common)
    assert run(*go_on, "--out", on)[0] == 0
    assert "optimizer" in run("verify", experts)[1]
    assert re.search("experts +4", run("info", on)[1])
    for wrong, message in (
        (("--experts", 2), "whose architecture it has"),
        (("--size", "1m"), "is no 1m"),
        (("-t", "english-64k"), "trained with"),
        (("--size", "1m", "--start", dense / "no"), "holds no finished training"),
    ):
        status, _, complaint = run(*go_on, "--out", tmp_path / "other", *wrong)
        assert status == 1
        assert message in complaint
        assert len(complaint.splitlines()) == 1
