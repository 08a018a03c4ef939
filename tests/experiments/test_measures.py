"""Measures on the micro scale keep laws; tables, figures and trends of made-up rows say what the
rows say.
"""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from equinfo.compress.models import byte_bits
from equinfo.compress.models.base import StaticModel
from equinfo.errors import EquinfoError
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.registry import load
from experiments.analysis.compare import Results
from experiments.analysis.statistics import edit_distance, ngram_counts
from experiments.exhibits import context, d5, fig2, fig8, fig9, fig11, table7, table8
from experiments.runs import measures
from experiments.runs.measures import edits, sentence, texts, uniformity
from experiments.runs.recipes import Measure
from experiments.runs.rows import Row, Rows
from experiments.runs.runner import Runner
from experiments.runs.words import frequent_words
from experiments.scales import PAPER

ALL = (table7, fig2, fig9, table8, fig8, fig11, d5, context)


@pytest.fixture(scope="module")
def runner(micro, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measures")
    return Runner(micro.name, Rows(folder / "rows.jsonl"), folder / "runs")


def measured(runner, recipe):
    (row,) = runner.run([recipe])
    return row.values


# -- what is measured ------------------------------------------------------------------------------


def test_an_unknown_measure_is_refused(runner, micro):
    with pytest.raises(EquinfoError, match="unknown measure 'nothing'"):
        measures.run(runner, Measure("nothing", micro.stream(micro.bytes), 1), "")


@pytest.mark.parametrize("family", ["bytes", "bpe", "window", "ac"])
def test_pieces_join_to_the_sentence(runner, micro, family):
    made = {
        "bytes": micro.bytes,
        "bpe": micro.subwords[0],
        "window": micro.window(12, 12, "paper"),
        "ac": micro.tokens("ac", 12),
    }
    values = measured(runner, table7.sentence(micro, made[family]))
    assert "".join(text for text, _ in values["pieces"]) == values["text"] == sentence.SENTENCE
    ids = [i for _, piece in values["pieces"] for i in piece]
    assert ids == runner.tokenizer(made[family]).encode(sentence.SENTENCE).tolist()
    assert (values["inside_words"] is None) == (family == "ac")
    if family == "window":
        assert ["{:012b}".format(*piece) for _, piece in values["pieces"]] == values["codes"]
        assert len(values["bits"]) == len(values["text"])


def test_a_window_holds_no_more_bits_than_it_has(runner, micro):
    """But for windows of a byte, which may be dearer than b bits and are given a cell all the
    same.
    """
    row = Row(
        "Measure", "", "micro", "done", {}, 0, 0, values=measured(runner, *fig2.recipes(micro))
    )
    edges = fig9.edges(row)
    for a, b in pairwise(edges):
        assert b == a + 1 or sum(row.values["bits"][a:b]) <= 12 + 1e-9


def test_bytes_under_a_static_model_take_what_their_frequencies_say():
    model = StaticModel.unigram([b"aaab"])
    bits = byte_bits(model, b"ab", [0])
    assert bits == pytest.approx(
        [16 - np.log2(model.row[ord("a")]), 16 - np.log2(model.row[ord("b")])]
    )


def test_pieces_that_begin_inside_words_are_counted():
    assert sentence.inside_words(load("bytes"), [b"ab c", b"d"]) == ([1, 0], [3, 0])
    assert sentence.inside_words(load("bytes"), []) is None


def test_known_bits_are_conditional_entropies():
    seen = {(0, b"x"): 2, (0, b"y"): 2, (1, b"z"): 4}
    assert texts.known_bits(seen) == pytest.approx(0.5)
    assert texts.known_bits({(0, b"x"): 5, (1, b"y"): 5}) == 0
    assert texts.first_bytes({(0, b"xa"): 1, (0, b"xb"): 2}) == {(0, b"x"): 3}


def test_window_texts_count_every_window_once_at_each_place(runner, micro):
    recipe = table8.recipes(micro)[0]
    values = measured(runner, recipe)
    tokenizer = runner.tokenizer(recipe.stream.tokens)
    ids = tokenizer.encode_batch(list(measures.validation(runner, recipe)))
    assert values["windows"] == sum(len(i) for i in ids) / 2
    for place, found in enumerate(values["positions"]):
        counts = np.bincount(np.concatenate([i[place::2] for i in ids]))
        assert found["ids"][0][1] == counts.max() == counts[found["ids"][0][0]]
        assert found["byte_bits"] <= values["byte_bits"]
        assert len(found["without"]) == min(texts.PARTS, recipe.number, len(ids))
    assert values["split"] == 0  # ASCII
    with pytest.raises(EquinfoError, match="no windows of whole ids"):
        runner.run([Measure("window texts", micro.stream(micro.bytes), 1)])


def test_edit_distances_of_bytes_are_those_of_the_words(runner, micro):
    recipe = replace(fig8.distances(micro, micro.bytes), number=2)
    values = measured(runner, recipe)
    first, second = frequent_words(runner, micro.corpus, edits.WORD_BYTES, edits.WORD)[:2]
    assert values["words"] == 2
    assert values["pairs"] == 1
    sizes = [
        max(len(first), len(second)) + 1 + len(text)
        for text in edits.sentences(runner, micro.corpus)
    ]
    assert len(sizes) > 1
    assert values["means"] == pytest.approx(
        [edit_distance(list(first), list(second)) / n for n in sizes], abs=1e-6
    )
    assert values["mean"] == pytest.approx(np.mean(values["means"]), abs=1e-6)


@pytest.mark.parametrize("length", [3, 90, 400])
def test_the_text_behind_the_word_is_a_sentence_or_whole_words(runner, tmp_path, length):
    document = "a dog. " * (length // 7) + "barked " * 60
    (tmp_path / "one.jsonl").write_text(
        "\n".join(f'{{"text": "{document} {n}"}}' for n in range(100))
    )
    found = edits.sentences(runner, str(tmp_path / "one.jsonl"))
    documents = list(runner.documents(str(tmp_path / "one.jsonl"), "validation", 1 << 20))
    assert len(found) == (len(documents) if length == 400 else 1)
    for text in found:
        assert len(text) <= edits.MOST
        assert text.endswith(b"dog." if length == 400 else b"barked")


def test_bits_are_counted_as_the_ids_have_them():
    assert uniformity.id_bits(np.array([5, 2], dtype=np.uint16), 3).tolist() == [1, 0, 1, 0, 1, 0]


def test_shorter_ngrams_are_counted_from_the_longest():
    bits = np.random.default_rng(3).integers(0, 2, size=1000).astype(np.uint8)
    for sample in (bits, bits[:16], bits[:5], bits[:0]):
        for n, counts in enumerate(uniformity.all_ngram_counts(sample), 1):
            assert counts.tolist() == ngram_counts(sample, n).tolist()


def test_random_bits_lie_in_their_own_band_and_constant_ones_do_not(runner):
    """At every n, also where tokens are far fewer than codes."""
    size = 1 << 14
    random = uniformity.random_bands(runner, size, seed=0)

    def most(bits):
        found = uniformity.divergences(bits)
        part = {"whole": found, "random": random}
        return fig11.excess(Row("Measure", "", "", "done", {}, 0, 0, values=part))[0]

    noise = [
        np.random.default_rng(seed).integers(0, 2, size=size).astype(np.uint8) for seed in range(20)
    ]
    assert sum(most(bits) > random["most"] for bits in noise) <= 4  # one in twenty does
    assert most(np.ones(size, dtype=np.uint8)) > 1000
    assert (
        most(np.tile(noise[0][: size // 2], 2)) > random["most"]
    )  # uniform in short runs, not in long ones


def test_uniformity_leaves_ends_and_beginnings_of_blocks_out(runner, micro):
    recipe = fig11.recipes(micro)[-1]
    values, shards = measured(runner, recipe), runner.stream(recipe.stream, "train")
    assert shards.mode == "block"
    assert values["whole"]["bits"] == min(8 * shards.num_tokens, recipe.number)
    assert values["inner"]["bits"] == min(
        8 * (shards.num_tokens - 4 * shards.num_documents), recipe.number
    )


def test_the_free_cell_decodes_all_and_counts_agree(runner, micro):
    free, theirs = (measured(runner, d5.decoding(micro, 12, rule)) for rule in ("free", "paper"))
    assert free["wrong_windows"] == free["wrong_documents"] == free["wrong_sequences"] == 0
    assert theirs["wrong_documents"] <= min(theirs["wrong_windows"], theirs["documents"])
    assert 0 < theirs["wrong_windows"] < theirs["windows"]
    assert measured(runner, d5.untold(micro, "free"))["text_bits"] == 0
    assert measured(runner, d5.untold(micro, "unflushed"))["byte_bits"] > 0
    with pytest.raises(EquinfoError, match="no windows over a model"):
        runner.run([Measure("decoding", micro.stream(micro.bytes), 1)])


def test_the_longer_context_is_another_m1_on_as_many_bytes(micro):
    short, longer = (recipe.tokens.m1 for recipe in context.recipes(micro))
    assert longer.training == short.training != micro.m1.training
    assert longer.running_context == micro.long_context > short.running_context
    assert longer.training.tokens <= micro.m1.training.tokens
    assert context.pair(PAPER)[0].tokens.m1 == PAPER.m1  # there the usual weights take both


# -- what is made of it ----------------------------------------------------------------------------


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.__name__)
def test_without_rows_tables_have_gaps_and_trends_no_answer(micro, tmp_path, module):
    rows = Rows(tmp_path / "rows.jsonl")
    table = module.EXPERIMENT.reduce(Results(rows, micro))
    assert table.rows
    assert all(len(line) == len(table.columns) for line in table.rows)
    assert any(None in line for line in table.rows)
    trends = module.EXPERIMENT.trends(Results(rows, micro)) if module.EXPERIMENT.trends else []
    assert all(trend.holds is None for trend in trends)


def made_up(tmp_path, values):
    """Rows with these values for these recipes."""
    rows = Rows(tmp_path / "rows.jsonl")
    for recipe, found in values:
        tokens = recipe.stream.tokens
        rows.append(
            Row(
                "Measure",
                recipe.key,
                "micro",
                "done",
                {},
                0,
                1.0,
                tokenizer=tokens.name,
                code_size=tokens.size,
                values=found,
            )
        )
    return rows


@pytest.mark.parametrize(
    ("means", "noise", "holds"),
    [
        ((0.1, 0.2, 0.3, 0.9), 0.01, True),
        ((0.4, 0.2, 0.3, 0.9), 0.01, False),
        ((0.1, 0.2, 0.21, 0.9), 0.3, None),
    ],
)
def test_fig8_orders_means_over_sentences(micro, tmp_path, means, noise, holds):
    tokens = (
        micro.subwords[-1],
        micro.window(12, 12, "paper"),
        micro.window(24, 12, "paper"),
        micro.tokens("ac", 12),
    )
    values = {"words": 2, "pairs": 1, "ids": 9.0, "quantiles": [0.0, 0.1, 0.2, 0.3, 0.4]}
    generator = np.random.default_rng(0)
    found = {
        t: {"mean": m, "means": (m + noise * generator.normal(size=20)).tolist()}
        for t, m in zip(tokens, means, strict=True)
    }
    rows = made_up(tmp_path, [(fig8.distances(micro, t), {**values, **found[t]}) for t in tokens])
    (trend,) = fig8.trends(Results(rows, micro))
    assert trend.holds is holds
    assert all(path.stat().st_size > 1000 for path in fig8.draw(Results(rows, micro), tmp_path))
    error = next(
        line for line in fig8.reduce(Results(rows, micro)).rows if line[0] == tokens[0].name
    )[6]
    assert error == pytest.approx(np.std(found[tokens[0]]["means"], ddof=1) / 20**0.5)


def uniform_values(deviations, most=3.0):
    """Divergences that exceed a generator's median by so many deviations at n = 16 of tokens, and
    by none elsewhere.
    """
    part = {
        "bits": 1 << 20,
        "ngrams": [1e-4] * 16,
        "tokens": [1e-4] * 15 + [1e-4 + deviations * 1e-6],
    }
    bands = {kind: [[5e-5, 1e-4, 2e-4]] * 16 for kind in uniformity.KINDS}
    deviation = {kind: [1e-6] * 16 for kind in uniformity.KINDS}
    return {"whole": part, "inner": part, "random": {**bands, "deviation": deviation, "most": most}}


@pytest.mark.parametrize(
    ("deviations", "holds"),
    [
        ((2.9, 1, 20, 1, 11), [True, True, True]),
        (
            (3.1, 1, 4.0, 1, 2.9),
            [False, False, None],
        ),  # beyond the generator, and level with the others
        ((9.0, 1, 4.0, 1, 20), [False, True, False]),
    ],
)
def test_fig11_compares_with_a_generator_at_every_n(micro, tmp_path, deviations, holds):
    rows = made_up(
        tmp_path,
        [(r, uniform_values(one)) for r, one in zip(fig11.recipes(micro), deviations, strict=True)],
    )
    found = fig11.trends(Results(rows, micro))
    assert [trend.holds for trend in found] == holds
    assert "n=16, tokens" in found[0].numbers
    assert all(path.stat().st_size > 1000 for path in fig11.draw(Results(rows, micro), tmp_path))


def test_words_agree_where_their_windows_have_one_id():
    """A word begins a window 10 times, always with id 7; further on its windows have ten different
    ids.
    """
    words = {
        (b" the", True): Counter({7: 10}),
        (b" the", False): Counter(range(10)),
        (b" a", True): Counter({1: 9}),
    }
    assert texts.agreements(defaultdict(Counter, words)) == [[1.0, 0.0]]
    assert texts.pairs_alike(Counter({1: 2, 2: 2})) == pytest.approx(1 / 3, abs=1e-4)


def test_entropies_left_have_jackknife_intervals(micro, tmp_path):
    """The error of a mean, by leaving each of its parts out, is its standard error."""
    parts = np.array([1.0, 2.0, 4.0, 5.0])
    without = [(parts.sum() - one) / 3 for one in parts]
    sample = table8.left_of_byte({"byte_bits": parts.mean(), "without": without})
    assert 4 / 3 * (sample.texts**2).sum() == pytest.approx(parts.var(ddof=1) / 4)


def test_d5_shares_and_trends(micro, tmp_path):
    values = {
        "windows": 1000,
        "wrong_windows": 250,
        "wrong_last": 1,
        "documents": 10,
        "wrong_documents": 10,
    }
    theirs = {**values, "sequences": 20, "wrong_sequences": 20}
    free = {name: 0 if name.startswith("wrong") else number for name, number in theirs.items()}
    left = {"text_bits": 0.25, "byte_bits": 0.125, "likeliest": 0.5}
    rows = made_up(
        tmp_path,
        [
            (d5.decoding(micro, 12, "paper"), theirs),
            (d5.decoding(micro, 12, "free"), free),
            (d5.untold(micro, "unflushed"), left),
        ],
    )
    assert [trend.holds for trend in d5.trends(Results(rows, micro))] == [True, False]
    first, second = d5.reduce(Results(rows, micro)).rows[:2]
    assert first[2] == 0.75
    assert first[7] is None
    assert second[7:10] == [0.25, 0.125, 0.5]


def test_the_sentence_is_drawn_from_its_rows(runner, micro, tmp_path):
    runner.run([*fig9.recipes(micro), *fig2.recipes(micro)])
    for module in (fig2, fig9):
        assert all(
            path.stat().st_size > 1000
            for path in module.draw(Results(runner.rows, micro), tmp_path)
        )


def test_ends_of_documents_are_where_ac_pads():
    """What the second series leaves out: an AC stream's last id is padded, and never zero."""
    tokenizer = ArithmeticTokenizer(StaticModel.unigram([b"abc"]), 12)
    assert all(tokenizer.encode(b"a" * n)[-1] for n in range(1, 40))
