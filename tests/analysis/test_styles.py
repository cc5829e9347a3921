"""Figures as publishers and readers need them: widths, fonts, colours, grey, one look a variant."""

import dataclasses
import itertools
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from analysis.figures import FIGURES
from analysis.figures.save import save_figure
from analysis.figures.style import COLORS, COLUMN_WIDTH, PAGE_WIDTH, house_style, looks
from analysis.results.results import Results
from vlf.config import load_object

VLF_FRAMES = {"variant": ["VLF", "VTN-like", "TimeSformer-like"], "data.frames": [2, 4, 8, 16]}
# Simulation of protanopia and deuteranopia in linear RGB: Vienot, Brettel and Mollon, "Digital
# video colourmaps for checking the legibility of displays by dichromats" (1999).
DICHROMATS = {
    "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}


def linear(color):
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lightness(color):
    """CIE L*, 0 to 100."""
    y = linear(color) @ [0.2126, 0.7152, 0.0722]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def lab(rgb):
    """CIELAB of linear RGB, white D65."""
    xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ) @ np.clip(rgb, 0, 1)
    f = np.cbrt(np.maximum(xyz / [0.9505, 1.0, 1.089], 1e-9))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.fixture
def frames(maker):
    return Results(maker.study(VLF_FRAMES), maker.frames(), maker.root)


@pytest.mark.parametrize("name", sorted(DICHROMATS))
def test_the_colours_of_five_variants_differ_for_the_colour_blind(name):
    seen = [lab(np.array(DICHROMATS[name]) @ linear(color)) for color in COLORS[:5]]

    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 10


def test_any_two_variants_differ_in_grey_or_in_marker_and_all_show_on_white(maker):
    names = [f"v{i}" for i in range(12)]
    outcomes = [maker.cost({"variant": name}, 10, 1e6, 1.0) for name in names]

    found = looks(Results(maker.study({"variant": names}), outcomes, maker.root))

    for one, other in itertools.combinations(found.values(), 2):
        far = abs(lightness(one.color) - lightness(other.color)) > 15
        assert far or one.marker != other.marker
    assert max(lightness(look.color) for look in found.values()) < 75


@pytest.mark.parametrize(("style", "width"), [("single", COLUMN_WIDTH), ("double", PAGE_WIDTH)])
@pytest.mark.parametrize("name", ["accuracy_macs", "scaling", "seeds", "cost_parts", "confusion"])
def test_a_figure_has_the_width_that_the_study_asks_for(frames, name, style, width):
    report = frames.study.report.model_copy(update={"style": style})
    study = dataclasses.replace(frames.study, report=report)
    results = Results(study, frames.outcomes, frames.root)

    with house_style():
        figure = load_object(FIGURES[name])(results).figure

    assert figure.get_figwidth() == pytest.approx(width)


def series_looks(figure, styles):
    """Every (colour, marker) that is drawn, of colours that belong to a variant."""
    own = {to_hex(look.color) for look in styles.values()}
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    lines += [line for legend in figure.legends for line in legend.get_lines()]
    return {
        (to_hex(line.get_color()), line.get_marker())
        for line in lines
        if to_hex(line.get_color()) in own and line.get_marker() not in ("None", "", None, "_", "|")
    }


@pytest.mark.parametrize(
    "name", ["accuracy_macs", "accuracy_memory", "scaling", "seeds", "training_curves"]
)
def test_a_variant_has_one_colour_and_marker_in_every_figure(frames, name):
    styles = looks(frames)

    with house_style():
        figure = load_object(FIGURES[name])(frames).figure

    truth = {(to_hex(look.color), look.marker) for look in styles.values()}
    assert series_looks(figure, styles) == truth


@pytest.mark.skipif(shutil.which("pdffonts") is None, reason="pdffonts (poppler) is not installed")
@pytest.mark.parametrize("name", ["accuracy_macs", "seeds", "confusion_difference"])
def test_every_font_of_a_pdf_is_embedded_as_truetype(seven, name, tmp_path):
    saved = save_figure(name, FIGURES[name], seven, tmp_path)

    pdf = next(path for path in saved.paths if path.suffix == ".pdf")
    listed = subprocess.run(["pdffonts", str(pdf)], capture_output=True, text=True, check=True)
    fonts = listed.stdout.splitlines()[2:]
    assert fonts
    for font in fonts:
        assert "TrueType" in font
        assert font.split()[-5] == "yes"  # the columns end: emb sub uni object ID


def test_the_exponents_in_the_figure_are_those_of_the_table(frames):
    from analysis.tables.scaling import scaling_table

    with house_style():
        axes = load_object(FIGURES["scaling"])(frames).figure.axes

    rows = [[entry.text for entry in row] for row in scaling_table(frames).rows]
    for panel, cost in ((axes[1], "latency (batch 1)"), (axes[2], "MACs")):
        shown = [text.get_text() for text in panel.get_legend().get_texts()]
        assert shown == [row[2] for row in rows if row[1] == cost]
        assert (panel.get_xscale(), panel.get_yscale()) == ("log", "log")
        ends = [line.get_ydata() for line in panel.get_lines() if line.get_gid() == "fit"]
        assert len(ends) == 3


def test_a_fitted_line_goes_through_an_exact_power_law(frames):
    with house_style():
        panel = load_object(FIGURES["scaling"])(frames).figure.axes[2]

    vlf = next(line for line in panel.get_lines() if line.get_gid() == "fit")
    assert list(vlf.get_xdata()) == [2, 16]
    assert list(vlf.get_ydata()) == pytest.approx([61.2e6 * 2 / 8, 61.2e6 * 16 / 8])
