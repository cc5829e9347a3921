"""Labels in scripts that matplotlib's own font lacks, with a font made here for one of them."""

import subprocess
import sys
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

ROOT = Path(__file__).parents[2]
# Draws a figure of two cells and saves it; prints what no font has, and what was warned of.
SCRIPT = """
import sys, warnings
from pathlib import Path
import matplotlib.font_manager as fonts
fonts.fontManager.ttflist = [f for f in fonts.fontManager.ttflist if f.name == "DejaVu Sans"]
fonts.findSystemFonts = lambda: sys.argv[2:]
sys.path[:0] = [{root!r}, {tests!r}, {root!r} + "/tests/helpers"]
from conftest import Maker
from analysis.figures import FIGURES
from analysis.figures.fonts import missing_words
from analysis.figures.save import save_figure
from analysis.results.results import Results
from matplotlib.text import Text
folder = Path(sys.argv[1])
maker = Maker(folder / "results")
labels = ["\\ua015\\ua016 x", "\\u2728 TSN"]
outcomes = [maker.train({{"variant": v}}, s, 50.0 + s) for v in labels for s in (0, 1)]
outcomes += [maker.cost({{"variant": v}}, 1e5, 1e6, 2.0 + i) for i, v in enumerate(labels)]
results = Results(maker.study({{"variant": labels}}), outcomes, maker.root)
texts = []
draw = Text.draw
def noted(text, renderer):
    texts.append(text.get_text())
    return draw(text, renderer)
Text.draw = noted
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    figures = [save_figure(n, FIGURES[n], results, folder) for n in ("seeds", "accuracy_macs")]
print("WARNED", len(warned))
print("MISSING", missing_words(set().union(*(f.missing for f in figures))))
print("TEXTS", ascii(sorted(set(texts))))
"""


def make_font(path, characters):
    """A font with a full square for each character."""
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for point in ((50, 700), (950, 700), (950, 0)):
        pen.lineTo(point)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"u{ord(one):04X}" for one in characters)]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(one): f"u{ord(one):04X}" for one in characters})
    font.setupGlyf(dict.fromkeys(names, square))
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 50)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Squares", "styleName": "Regular", "psName": "Squares"})
    font.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    font.setupPost()
    font.save(path)
    return str(path)


def drawn(folder, *fonts):
    script = SCRIPT.format(root=str(ROOT), tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), *fonts], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_an_installed_font_shows_what_the_usual_one_lacks_in_every_format(tmp_path):
    font = make_font(tmp_path / "squares.ttf", "\ua015\ua016")

    said = drawn(tmp_path, font)

    assert said["WARNED"] == "0"
    assert "U+2728" in said["MISSING"]
    assert "U+A015" not in said["MISSING"]
    assert r"\ua015\ua016 x" in said["TEXTS"]
    assert b"Squares" in (tmp_path / "seeds.pdf").read_bytes()


def test_without_a_font_code_points_are_shown_and_one_line_says_so(tmp_path):
    said = drawn(tmp_path)

    assert said["WARNED"] == "0"
    assert said["MISSING"].startswith(
        "no installed font has \u2728 (U+2728), \ua015 (U+A015), \ua016 (U+A016): figures show code"
    )
    assert "[U+A015 U+A016] x" in said["TEXTS"]
    assert "[U+2728] TSN" in said["TEXTS"]
    assert r"\ua015" not in said["TEXTS"]


@pytest.mark.parametrize("name", ["pdf", "svg", "png"])
def test_plain_labels_ask_for_no_other_font(seven, tmp_path, name, monkeypatch):
    from analysis.figures import FIGURES, fonts
    from analysis.figures.save import save_figure

    monkeypatch.setattr(fonts, "_candidates", lambda: pytest.fail("fonts were searched"))

    figure = save_figure("seeds", FIGURES["seeds"], seven, tmp_path)

    assert figure.missing == frozenset()
    assert (tmp_path / f"seeds.{name}").stat().st_size > 1000
