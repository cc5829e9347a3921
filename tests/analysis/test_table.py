import csv
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from rich.console import Console

from analysis.report.terminal import show
from analysis.results.results import Results
from analysis.tables import TABLES
from analysis.tables.latex import aligned_latex, escape_latex, number_format
from analysis.tables.table import Entry, Table
from vlf.config import load_object

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


def test_numbers_of_a_column_share_a_format_that_all_fit_in():
    texts = ["84.2 [81.0, 87.4]", "baseline", "+7.25", "\N{MINUS SIGN}112", "\N{EN DASH}"]

    assert number_format(texts) == "+3.2"
    assert number_format(["baseline", ""]) == ""


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("84.2 [81.0, 87.4]", r"\mbox{\tablenum[table-format=+3.1]{84.2}}~{[}81.0, 87.4{]}"),
        ("\N{MINUS SIGN}1.5", r"\mbox{\tablenum[table-format=+3.1]{-1.5}}"),
        ("+12", r"\mbox{\tablenum[table-format=+3.1]{+12}}"),
        ("baseline", "baseline"),
        ("< 0.001", r"\textless{} 0.001"),
    ],
)
def test_a_number_stands_in_a_box_and_the_rest_behind_it(text, latex):
    assert aligned_latex(text, "+3.1") == latex


def test_the_second_is_named_in_every_format():
    made = table((Entry("VLF"), Entry("80", "best")), (Entry("TSN"), Entry("79", "second")))

    assert "| TSN | 79 <sup>2nd</sup> |" in made.to_markdown()
    assert "79 <sup>2nd</sup></td>" in made.to_html()
    assert r"{79}}\,\textsuperscript{2nd}" in made.to_latex()


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_decimal_points_of_a_set_column_stand_in_line(tmp_path):
    rows = (
        (Entry("a"), Entry("7.25 [1, 2]", "best")),
        (Entry("b"), Entry("\N{MINUS SIGN}112.5 [100, 2000]", "tie")),
        (Entry("c"), Entry("+84.0", notes=("odd",))),
        (Entry("d"), Entry("baseline")),
    )
    (tmp_path / "t.tex").write_text(table(*rows).to_latex(), "utf-8")

    compile_latex(tmp_path)

    subprocess.run(["pdftotext", "-bbox", "main.pdf", "out.html"], cwd=tmp_path, check=True)
    found = (tmp_path / "out.html").read_text("utf-8")
    words = re.findall(r'xMin="([\d.]+)" .*? xMax="([\d.]+)" .*?>([^<]+)</word>', found)
    ends = {
        number: float(right)
        for _, right, word in words
        for number in ("7.25", "112.5", "84.0")
        if number in word
    }
    assert abs(ends["84.0"] - ends["112.5"]) < 0.1  # points; a digit is 5 wide
    assert abs(ends["7.25"] - 5 - ends["112.5"]) < 5  # bold digits are wider


def compile_latex(folder):
    (folder / "main.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs,graphicx,siunitx}\n"
        "\\begin{document}\\input{t}\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "main.tex"],
        cwd=folder,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
    assert (folder / "main.pdf").stat().st_size > 1000


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("name", ["main", "ranks", "class_changes", "cost"])
def test_tables_of_a_study_compile_as_they_are(maker, seven_study, tmp_path, name):
    made = load_object(TABLES[name])(Results(seven_study, maker.seven(), maker.root))
    (tmp_path / "t.tex").write_text(made.to_latex(), "utf-8")

    compile_latex(tmp_path)


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

    compile_latex(tmp_path)


def test_the_terminal_shows_brackets_and_notes_as_they_are():
    console = Console(width=100, record=True, file=io.StringIO())

    show(table((Entry("[red]VLF"), Entry("80 [79, 81]", "best", ("odd",)))), console)

    text = console.export_text()
    assert "[red]VLF" in text
    assert "80 [79, 81] (a)" in text
    assert "(a) odd" in text
