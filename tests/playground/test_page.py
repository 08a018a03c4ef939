"""The page in a headless browser that can reach nothing but this machine's loopback."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from itertools import pairwise

import pytest

import equinfo
from equinfo.errors import EquinfoError
from equinfo.playground.edits import edits
from equinfo.playground.server import Guarded, is_loopback, serve
from equinfo.playground.writer import Continuer
from equinfo.show import readable

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PATIENCE = 60_000  # ms: however busy the machine is
playwright.expect.set_options(timeout=PATIENCE)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NAMES = ("bytes", "english-16k", "english-equalinfo16", "gzip8")
HOSTILE = (
    "<script>window.owned=1</script><img src=x onerror='window.owned=2'></li></ol> *md* # [a](b)\n"
    "${window.owned=3} {{constructor}} `${window.owned=4}` &lt; \x07\x1b[31m\u202e end"
)
RUN = (
    "import sys; from equinfo.playground.server import serve; serve({}, lm={!r},"
    " lm_tokenizer='english-16k', port={})"
)


@pytest.fixture(scope="session")
def lm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("playground") / "tiny-lm"
    equinfo.train_lm(
        folder, "english-16k", size="30k", steps=6, batch_size=4, context=32, max_bytes=60_000
    )
    return folder


@pytest.fixture(scope="session")
def url(lm):
    """Where a server of this session answers, with `lm` behind it."""
    pytest.importorskip("gradio", reason="gradio is not installed")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", RUN.format(NAMES, str(lm), port)]
    # What users may have set, and must make no difference.
    env = {
        **os.environ,
        "GRADIO_ALLOWED_PATHS": "/",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "GRADIO_SHARE": "true",
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as server:
        line = server.stdout.readline()
        try:
            assert f"http://127.0.0.1:{port}/" in line
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is neither chromium nor google-chrome")
    with playwright.sync_playwright() as started:
        rules = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        chromium = started.chromium.launch(
            executable_path=CHROMIUM, args=[f"--host-resolver-rules={rules}"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, url):
    """The open page; fails where a request went anywhere else, or a script of the page did."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened, asked, wrong = context.new_page(), [], []
    opened.set_default_timeout(PATIENCE)
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto(url)
    opened.wait_for_selector("#pieces li")
    yield opened
    context.close()
    assert [address for address in asked if not address.startswith((url, "data:"))] == []
    assert wrong == []


def tab(page, name):
    page.get_by_role("tab", name=name).click()


def type_text(page, text, field="#text textarea"):
    page.locator(field).fill(text)


def pieces(page, label, view="pieces"):
    return page.locator(f'#{view} ol[aria-label="Pieces of {label}"] > li')


def wait_for(page, view, text):
    playwright.expect(page.locator(f"#{view}")).to_contain_text(text)


def test_a_text_is_cut_by_every_tokenizer_side_by_side(page):
    text = "A quite different text, typed by hand.\nOf two lines."
    type_text(page, text)
    playwright.expect(pieces(page, "bytes")).to_have_count(len(text))
    for name in NAMES:
        shown, tokenizer = pieces(page, name), equinfo.load(name)
        assert "".join(shown.all_text_contents()) == text
        assert shown.count() == len(tokenizer.spans(text))
        card = page.locator(f'#pieces section[aria-label="{name}"] .eq-row')
        assert f"{len(tokenizer.encode(text)):,}" in card.inner_text()


def test_a_piece_shows_its_ids_when_pointed_at_and_by_keyboard(page):
    ids = equinfo.load("bytes").encode("The")
    first = pieces(page, "bytes").first
    first.hover()
    label = f'"“T” · id {ids[0]} · 8 bits · 8.00 bits/byte"'
    assert first.evaluate("li => getComputedStyle(li, '::after').content") == label
    first.focus()
    page.keyboard.press("ArrowRight")
    assert f"id {ids[1]} ·" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.locator("#ids input").check()
    playwright.expect(pieces(page, "bytes").nth(2).locator("small")).to_have_text(str(ids[2]))


def test_the_chart_follows_text_and_tokenizer(page):
    type_text(page, "An elephant.")
    tab(page, "Bits")
    columns = page.locator("#bits ol > li")
    playwright.expect(columns).to_have_count(12)
    assert "by english-equalinfo16" in columns.first.get_attribute("aria-label")
    page.locator("#which input").click()
    page.get_by_role("option", name="bytes").click()
    wait_for(page, "bits", "every other piece of bytes")
    assert " 8.00 by bytes" in columns.first.get_attribute("aria-label")
    assert page.locator("#bits tbody tr").count() == 1 + len(NAMES)


def test_another_word_in_front_changes_ids(page):
    text, words = "elephants live in Africa.", ("The", "Many")
    type_text(page, text)
    tab(page, "Prefix")
    for name, word in zip("AB", words, strict=True):
        type_text(page, word, f"#word-{name} input, #word-{name} textarea")
    for name in NAMES:
        a, b = (equinfo.load(name).encode(f"{word} {text}").tolist() for word in words)
        found = edits(a, b)
        row = page.locator(f'#prefix section[aria-label="{name}"] .eq-row > span')
        numbers = [len(a), len(b), found.distance, f"{100 * found.share:.0f} %"]
        playwright.expect(row).to_have_text([name, *map(str, numbers)])
    assert page.locator("#prefix .eq-changed").count()
    assert page.locator("#prefix .eq-same").count()


def test_the_local_model_continues_the_text(page, lm):
    tab(page, "Generate")
    page.locator("#go").click()
    page.wait_for_selector("#written .eq-about")
    prompt = page.locator("#text textarea").input_value()
    (sample,) = equinfo.generate(lm, "english-16k", prompt, max_ids=96, temperature=0.8, seed=0)
    expected = "".join(c if c in " \n\t" else readable(c.encode()) for c in sample.text)
    assert page.locator("#written .eq-written b").text_content() == expected
    assert "bytes/s" in page.locator("#written .eq-about").inner_text()


def test_no_text_becomes_markup_or_script(page):
    type_text(page, HOSTILE)
    wait_for(page, "pieces", "window.owned=4")
    tab(page, "Prefix")
    type_text(page, "<img src=x onerror='window.owned=5'>", "#word-A input, #word-A textarea")
    wait_for(page, "prefix", "window.owned=5")
    tab(page, "Generate")
    page.locator("#go").click()
    page.wait_for_selector("#written .eq-about")
    for view in ("pieces", "bits", "prefix", "written"):
        assert page.locator(f"#{view} :is(script, img, svg, a, iframe, style)").count() == 0
    assert page.evaluate("typeof window.owned") == "undefined"
    shown = "".join(pieces(page, "english-16k").all_text_contents())
    assert shown.startswith(HOSTILE[: HOSTILE.index("\x07")])
    assert "\\x07\\x1b[31m" in shown


def test_a_long_text_is_cut_on_the_server_and_the_page_says_so(page):
    page.locator("#text textarea").evaluate("area => area.removeAttribute('maxlength')")
    type_text(page, "x" * 2500)
    wait_for(page, "pieces", "Only the first 2,000 of 2,500 characters.")
    assert pieces(page, "bytes").count() == 2000


def test_no_view_is_wider_than_the_screen(page):
    type_text(page, "Word" * 60 + " \x1b" * 20 + "文" * 60)
    wait_for(page, "pieces", "Word" * 60)
    for name in ("Pieces", "Bits", "Prefix", "Generate"):
        tab(page, name)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("gradio_api/file=/etc/passwd", {}, 403),
        (f"gradio_api/file={__file__}", {}, 403),
        ("", {"Host": "elsewhere.example"}, 400),
        ("monitoring", {}, 403),
        ("", {"Origin": "http://elsewhere.example"}, 403),
        ("gradio_api/queue/join", {"body": b"{"}, 400),
        ("gradio_api/queue/join", {"body": b"[]"}, 400),
        (
            "gradio_api/queue/join",
            {"body": b'{"data": [], "fn_index": -1, "session_hash": ""}'},
            400,
        ),
        ("gradio_api/queue/join", {"body": b" " * 2_000_000}, 413),
    ],
)
def test_the_server_gives_no_file_and_refuses_what_its_page_does_not_ask(
    url, path, headers, status
):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    body = headers.pop("body", None)
    asked = urllib.request.Request(
        url + path, body, {**headers, "Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(asked)
    assert caught.value.code == status
    assert "Access-Control-Allow-Origin" not in caught.value.headers
    with opener.open(url) as answer:
        assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]


def test_what_cannot_be_loaded_is_said_before_anything_is_served(lm, tmp_path):
    cases = [
        ({"tokenizers": ["no-such"]}, "no tokenizer 'no-such'"),
        ({"lm": tmp_path, "lm_tokenizer": "bytes"}, str(tmp_path)),
        ({"lm": lm, "lm_tokenizer": "bytes"}, "not with Bytes"),
        ({"lm_tokenizer": "bytes"}, "--lm FOLDER"),
        ({"port": 0}, "port 0 does not exist"),
    ]
    for options, message in cases:
        with pytest.raises(EquinfoError) as caught:
            serve(**{"tokenizers": ["bytes"], **options})
        assert message in str(caught.value)


def test_a_taken_port_and_an_open_host_are_named(url, capsys):
    with closing(socket.socket()) as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        with pytest.raises(
            EquinfoError, match=r"port \d+ of 0\.0\.0\.0 cannot be used: choose another"
        ):
            serve(["bytes"], host="0.0.0.0", port=taken.getsockname()[1])
    assert "warning: everyone who reaches 0.0.0.0" in capsys.readouterr().err


@pytest.mark.parametrize("listens", ["127.0.0.1", "::1", "0.0.0.0", "here.example"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "[::1]:7860"}, 0),
        ({"host": "LOCALHOST:7860", "origin": "http://LOCALHOST:7860"}, 0),
        ({"host": "192.168.1.5"}, {"127.0.0.1": 400, "::1": 400}),
        ({"host": "here.example:80"}, {"127.0.0.1": 400, "::1": 400, "0.0.0.0": 400}),
        ({"host": "elsewhere.example:7860"}, 400),
        ({"host": "[::1"}, 400),
        ({}, 400),
        ({"host": "localhost", "origin": "null"}, 403),
        ({"host": "localhost:1", "origin": "http://localhost:2"}, 403),
        ({"host": "localhost", "content-length": "-1"}, 400),
        ({"host": "localhost", "content-length": "9" * 30}, 413),
    ],
)
def test_who_is_answered(listens, headers, status):
    guarded = Guarded(None, listens)
    expected = status if isinstance(status, int) else status.get(listens, 0)
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert guarded.refused(raw) == expected
    assert guarded.refused([*raw, (b"host", b"localhost")]) == 400 or "host" not in headers


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.168.1.5", False),
        ("a", False),
    ],
)
def test_loopback_is_this_machine_alone(host, inside):
    assert is_loopback(host) == inside


def test_a_continuation_grows_and_is_bounded(lm):
    seen = list(Continuer.load(lm, "english-16k").views("In the", 10**9, 99, -3))
    assert 2 < len(seen) <= 2 + 256
    written = [view.split("<b>")[1].split("</b>")[0] for view in seen]
    assert all(after.startswith(before) for before, after in pairwise(written))
