"""Tables on terminals of every width: what is shown is shown whole."""

import dataclasses
import io
import re

import pytest
from rich.console import Console

from analysis.report.compare import changes_table, find_changes
from analysis.report.terminal import show
from analysis.results.results import Results
from analysis.tables.main import main_table
from analysis.tables.table import Entry, Table
from study.records.text_table import print_rows, short_names

WIDTHS = range(60, 201)
SWEEP = {
    "train.lr": ["5e-4", "1e-3", "2e-3"],
    "train.optimizer": ["adamw", "sgd"],
    "train.weight_decay": ["0", "0.05"],
}


def printed(table, width):
    console = Console(width=width, file=io.StringIO())
    show(table, console)
    return console.file.getvalue()


def sweep(maker):
    study = maker.study(SWEEP, design="one_at_a_time")
    base = study.report.baseline
    cells = [base] + [
        {**base, name: label}
        for name, labels in SWEEP.items()
        for label in labels
        if base[name] != label
    ]
    outcomes = [maker.train(cell, seed, 50.0 + seed) for cell in cells for seed in (0, 1)]
    outcomes += [maker.cost(cell, 136_123, 23.2e6, 4.42) for cell in cells]
    return Results(study, outcomes, maker.root)


def failing(maker):
    levels = {"变体": "视频 mit einem Namen, der länger ist als viele"}
    study = maker.study({"变体": [levels["变体"], "b" * 40]})
    outcomes = [
        maker.train(levels, 0, 0, status="failed", reason="diverged in epoch 3: loss is nan"),
        maker.train({"变体": "b" * 40}, 0, 99.9),
        maker.cost(levels, 1e6, 1e9, 1234.5, notes=("made on a phone",)),
        maker.cost({"变体": "b" * 40}, 2e6, 3e9, 0.0123),
    ]
    return Results(study, outcomes, maker.root)


def words(text):
    return set(text.split())


def allowed(table):
    """Every word that a whole table may show."""
    texts = [*table.header, *(entry.text for row in table.rows for entry in row)]
    letters = table.footnotes
    marks = [f"({','.join(letters[n] for n in e.notes)})" for row in table.rows for e in row]
    notes = [f"({letter}) {note}" for note, letter in letters.items()]
    said = [
        "left out for the width of this terminal: intervals intervals, 2nd",
        *(f"{x}:" for x in texts),
    ]
    return words(" ".join([*texts, *(f"{x}," for x in table.header), *marks, *notes, *said]))


@pytest.mark.parametrize("study", ["seven", "sweep", "failing"])
def test_at_every_width_each_word_is_whole_and_no_line_too_long(maker, seven, study):
    results = {"seven": lambda: seven, "sweep": lambda: sweep(maker)}.get(
        study, lambda: failing(maker)
    )()
    table = main_table(results)
    expected = allowed(table)
    numbers = ("top-1", "MACs", "latency (")
    always = [i for i, name in enumerate(table.header) if name.startswith(numbers)]
    always += [i for i, align in enumerate(table.align) if align == "left"]
    bare = [re.sub(r" \[.*", "", row[i].text) for row in table.rows for i in always]

    for width in WIDTHS:
        text = printed(table, width)
        lines = text.splitlines()
        assert all(Console(width=999).measure(line).maximum <= width for line in lines), width
        shown = {word for line in lines if "─" not in line for word in line.split()}
        assert shown <= expected, (width, shown - expected)
        assert words(" ".join(bare)) <= shown, (width, words(" ".join(bare)) - shown)


def test_a_wide_terminal_shows_all_columns_with_their_intervals(seven):
    table = main_table(seven)

    text = printed(table, 200)

    assert "left out" not in text
    for row in table.rows:
        for entry in row:
            assert entry.text in text


def test_a_narrow_terminal_names_what_it_leaves_out_and_not_its_footnotes(maker, seven_study):
    outcomes = [maker.cost({"variant": "VLF"}, 1000, 1e6, 2.0)]
    table = main_table(Results(seven_study, outcomes, maker.root))
    at = next(i for i, name in enumerate(table.header) if name.startswith("peak memory"))
    row = list(table.rows[0])
    row[at] = Entry("1.0", notes=("of the peak",))
    table = dataclasses.replace(table, rows=(tuple(row),))

    text = " ".join(printed(table, 40).split())

    assert "left out for the width of this terminal:" in text
    assert "peak memory (MiB, batch 8)" in text
    assert "of the peak" not in text
    assert "of the peak" in printed(table, 200)


def test_a_table_that_no_width_holds_becomes_lists_with_every_value():
    long = "x" * 50
    table = Table(
        "other", ("cell", "size", "why"), ((Entry(long), Entry("4.42"), Entry(long)),),
        ("left", "right", "left"), "",
    )  # fmt: skip

    text = "".join(printed(table, 60).split())

    assert text == f"cell:{long}size:4.42why:{long}"


def test_two_folders_are_compared_without_a_cut_number_at_any_width(maker, seven):
    changes = find_changes(seven, Results(seven.study, maker.seven(), maker.root))
    table = changes_table(changes)
    expected = allowed(table)

    for width in range(60, 121, 7):
        text = printed(table, width)
        assert {
            w for line in text.splitlines() if "─" not in line for w in line.split()
        } <= expected
        assert all(entry.text.split()[0] in text for row in table.rows for entry in row[2:5])


def test_short_names_tell_keys_apart():
    assert short_names(["train.weight_decay", "variant", "data.size", "model.size"]) == {
        "train.weight_decay": "weight decay",
        "variant": "variant",
        "data.size": "data.size",
        "model.size": "model.size",
    }


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_rows_of_a_plan_or_a_status_are_whole(width):
    console = Console(width=width, file=io.StringIO())
    cell = "train.lr=5e-4, train.optimizer=adamw, train.weight_decay=0.05"

    print_rows(
        ("cell", "cost", "training"), [(cell, "done", "0: done, 1: failed")], console, words=3
    )

    text = console.file.getvalue()
    assert all(len(line) <= width for line in text.splitlines())
    assert "".join(cell.split()) in "".join(text.split()) or set(cell.split()) <= words(text)
    assert {"0:", "done,", "1:", "failed"} <= words(text)
