"""The page: a text, and the views that follow it. Only this imports Gradio, to serve."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gradio

from equinfo.compress.models.base import load_model
from equinfo.playground import markup, views
from equinfo.playground.readings import LONGEST, M1
from equinfo.playground.writer import MOST_IDS, Continuer
from equinfo.tokenizers.base import Tokenizer

TITLE = "<h1>equinfo playground</h1><p>One text, several tokenizers: what each makes of it.</p>"
TEXT = (
    "The three currently living species are: African savanna elephants, African forest elephants,"
    " and the Asian elephants."
)
PIECES = (
    "A coloured piece is the text of one id, or of a few that only together have one. Point at it,"
    " tap it, or press Tab and the arrow keys, for its ids and bits. bytes/id: how much shorter"
    " the sequence gets. bits/byte: what the ids take, log₂(number of ids) bits each, divided by"
    " the text's bytes."
)
BITS = (
    f"Bars: what the byte model {M1} finds in each character, −log₂ of its probability after the"
    " text before it. Steps: what the tokenizer spends, a piece's bits spread over its bytes."
)
PREFIX = (
    "The same text after word A and after word B (leave one empty for none). Underlined: ids that"
    " do not stay. edits: ids inserted, deleted or replaced from A to B; share: of the longer"
    " sequence, as in the paper's Fig. 8. Where ids have no text of their own, they are shown"
    " themselves."
)
NO_LM = (
    "No language model is here. Train one with equinfo train-lm and start the page with"
    " equinfo playground --lm FOLDER."
)


def page(tokenizers: Mapping[str, Tokenizer], writer: Continuer | None = None) -> gradio.Blocks:
    """The page, not served yet."""
    shown = {
        "pieces": partial(views.pieces_view, tokenizers),
        "bits": partial(views.bits_view, tokenizers, load_model(M1)),
        "prefix": partial(views.prefix_view, tokenizers),
    }
    app = gradio.Blocks(title="equinfo playground", analytics_enabled=False, elem_id="playground")
    with app:
        _html(TITLE, "eq-title")
        text = gradio.Textbox(
            TEXT, label=f"Text, at most {LONGEST:,} characters", lines=3, max_lines=10,
            max_length=LONGEST, elem_id="text",
        )  # fmt: skip
        with gradio.Tab("Pieces"):
            _html(markup.note(PIECES))
            ids = gradio.Checkbox(False, label="Show ids", container=False, elem_id="ids")
            _live(shown["pieces"], [text, ids], "pieces")
        with gradio.Tab("Bits"):
            _html(markup.note(BITS))
            # the last whose ids have text of their own, if there is one
            labels = [label for label, one in tokenizers.items() if not one.ends_itself]
            first = (labels or list(tokenizers))[-1]
            which = gradio.Dropdown(
                list(tokenizers), value=first, label="Tokenizer", elem_id="which"
            )
            _live(shown["bits"], [text, which], "bits")
        with gradio.Tab("Prefix"):
            _html(markup.note(PREFIX))
            with gradio.Row():
                most = views.LONGEST_WORD
                words = [
                    gradio.Textbox(word, label=f"Word {n}", max_length=most, elem_id=f"word-{n}")
                    for n, word in (("A", "Today"), ("B", "Yesterday"))
                ]
            _live(shown["prefix"], [text, *words], "prefix")
        with gradio.Tab("Generate"):
            _html(markup.note(f"{writer.label} continues the text." if writer else NO_LM))
            if writer:
                _writing(writer, text)
    return app.queue(max_size=32, api_open=False)


def _html(value: str, *classes: str, **options: Any) -> gradio.HTML:
    options |= {"elem_classes": list(classes), "apply_default_css": False, "js_on_load": None}
    return gradio.HTML(value, **options)


def _live(view: Callable[..., str], inputs: list, name: str) -> None:
    """A view that follows its inputs; of those that come while it computes, the last is shown."""
    shown = _html(view(*(one.value for one in inputs)), elem_id=name)
    gradio.on(
        [one.change for one in inputs], partial(views.or_error, view), inputs, shown,
        trigger_mode="always_last", show_progress="hidden", concurrency_id="views",
        concurrency_limit=1, api_visibility="private",
    )  # fmt: skip


def _writing(writer: Continuer, text: gradio.Textbox) -> None:
    with gradio.Row():
        length = gradio.Slider(16, MOST_IDS, 96, step=16, label="Ids at most", elem_id="length")
        label = "Temperature (0: the likeliest id)"
        heat = gradio.Slider(0, 2, 0.8, step=0.1, label=label, elem_id="heat")
        seed = gradio.Number(0, label="Seed", precision=0, minimum=0, elem_id="seed")
    with gradio.Row():
        go = gradio.Button("Continue the text", variant="primary", elem_id="go")
        stop = gradio.Button("Stop", elem_id="stop")
    shown = _html("", elem_id="written")
    writing = go.click(
        writer.views, [text, length, heat, seed], shown, show_progress="hidden",
        trigger_mode="once", concurrency_limit=1, api_visibility="private",
    )  # fmt: skip
    stop.click(None, cancels=[writing], api_visibility="private")
