import csv
import io
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from rich.console import Console

from analysis.tables.latex import escape_latex
from analysis.tables.table import Entry, Table
from analysis.terminal import show

HOSTILE = (
    r"a_b & 50% #1 $x$ {y} ^~ \input{/etc/passwd} <script>alert(1)</script> | * ` [z] é Δ 日 ą"
)


def table(*rows, **changes):
    values = {
        "name": "t",
        "header": ("cell", "top-1"),
        "rows": rows,
        "align": ("left", "right"),
        "caption": "A caption.",
    }
    return Table(**{**values, **changes})


class Cells(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.found = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "td":
            self.found.append("")

    def handle_data(self, data):
        if self.found and self.lasttag in ("td", "strong", "u"):
            self.found[-1] += data


def test_a_row_of_another_length_than_the_header_is_refused():
    with pytest.raises(ValueError, match="different lengths"):
        table((Entry("a"),))


def test_equal_notes_share_a_letter_in_order_of_appearance():
    rows = (
        (Entry("a", notes=("slow",)), Entry("1", notes=("odd", "slow"))),
        (Entry("b", notes=("odd",)), Entry("2")),
    )

    assert table(*rows).footnotes == {"slow": "a", "odd": "b"}


def test_the_twenty_seventh_note_is_aa():
    rows = tuple((Entry(str(i), notes=(f"note {i}",)), Entry("")) for i in range(28))

    assert list(table(*rows).footnotes.values())[25:] == ["z", "aa", "ab"]


def test_markdown_marks_the_best_and_ties_and_aligns_numbers():
    text = table(
        (Entry("VLF"), Entry("80", "best")), (Entry("TSN"), Entry("79", "tie"))
    ).to_markdown()

    assert text.splitlines()[:4] == [
        "| cell | top-1 |",
        "| :--- | ---: |",
        "| VLF | **80** |",
        "| TSN | _79_ |",
    ]


def test_a_pipe_or_a_line_break_in_a_label_does_not_break_a_markdown_row():
    text = table((Entry("a|b\nc"), Entry("1"))).to_markdown()

    assert text.splitlines()[2] == r"| a\|b c | 1 |"


def test_csv_reads_back_with_the_notes_of_each_row():
    text = table((Entry('say "a, b"'), Entry("1", "best", ("odd",)))).to_csv()

    assert list(csv.reader(io.StringIO(text))) == [
        ["cell", "top-1", "notes"],
        ['say "a, b"', "1", "odd"],
    ]


def test_html_shows_a_hostile_label_as_text():
    page = Cells(table((Entry(HOSTILE), Entry("1", "best"))).to_html())

    assert [text.strip() for text in page.found] == [HOSTILE, "1"]
    assert "script" not in page.tags


def test_latex_escapes_every_special_character():
    assert escape_latex(r"\&%$#_{}~^") == (
        r"\textbackslash{}\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}"
    )


def test_latex_names_what_it_cannot_set_by_its_code_point():
    assert escape_latex("日") == r"\texttt{U+65E5}"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_whatever_the_labels_hold(tmp_path):
    every = "".join(chr(code) for code in (*range(32, 127), *range(0xA0, 0x250)))
    rows = (
        (Entry(HOSTILE, notes=("a & b",)), Entry("1 [0, 2]", "best")),
        (Entry("[z] starts a row"), Entry("\N{MINUS SIGN}2", "tie")),
        (Entry("``quoted'' -- a---b"), Entry(every[:40])),
        *((Entry(every[i : i + 30]), Entry("")) for i in range(0, len(every), 30)),
    )
    source = table(*rows, header=("cell", "a heading long enough to stack (%) ↑")).to_latex()
    (tmp_path / "t.tex").write_text(source, "utf-8")
    (tmp_path / "main.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n"
        "\\begin{document}\\input{t}\\end{document}\n"
    )

    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "main.tex"],
        cwd=tmp_path,
        capture_output=True,
    )

    assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
    assert (tmp_path / "main.pdf").stat().st_size > 1000


def test_the_terminal_shows_brackets_and_notes_as_they_are():
    console = Console(width=100, record=True, file=io.StringIO())

    show(table((Entry("[red]VLF"), Entry("80 [79, 81]", "best", ("odd",)))), console)

    text = console.export_text()
    assert "[red]VLF" in text
    assert "80 [79, 81] (a)" in text
    assert "(a) odd" in text
