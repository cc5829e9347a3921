"""Fonts for characters that matplotlib's own font lacks; their code points where no font has them.

Figures use DejaVu Sans, which comes with matplotlib, so that they look the same everywhere. It has
no Chinese, Japanese, Korean or Indic characters and no emoji: for these alone, installed fonts are
searched. Right-to-left text and joined letters are matplotlib's work (libraqm, from 3.11 on).
"""

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

BASE = "DejaVu Sans"
# Fonts whose glyphs stand for classes of characters or belong to formulas.
UNREADABLE = ("Last Resort", "cm", "STIXSize", "STIXNon")
PREFERRED = ("Noto Sans", "WenQuanYi", "Source Han Sans", "Liberation", "STIXGeneral", "Unifont")
MOST_NAMED = 12  # characters in a message

_families: list[str] = [BASE]  # in the order in which they are asked for a glyph
_known: dict[str, bool] = {}  # character -> whether one of the families has it
_missing: set[str] = set()  # characters that were shown by their code points


@contextmanager
def readable_text() -> Iterator[set[str]]:
    """All text that matplotlib gets meanwhile is shown by a font that has it.

    Yields:
        Characters that no installed font has, as they are met; their code points are shown.
    """
    _missing.clear()
    usual = Text.set_text

    def set_text(text: Text, content: Any) -> None:
        usual(text, readable(str(content)) if content is not None else content)
        if len(_families) > 1:
            mpl.rcParams["font.family"] = _families  # of texts that are made from now on
            if hasattr(text, "_fontproperties"):
                text.set_fontfamily(_families)

    Text.set_text = set_text  # type: ignore[method-assign, assignment]
    try:
        yield _missing
    finally:
        Text.set_text = usual  # type: ignore[method-assign]


def readable(text: str) -> str:
    """The text with runs of characters that no font has as "[U+89C6 U+9891]"."""
    if text.isascii():
        return text
    _find(sorted({one for one in text if one not in _known}))
    shown, run = [], []
    for one in [*text, ""]:
        if one and not _known[one]:
            if unicodedata.category(one) not in ("Cf", "Mn"):  # joiners, marks: nothing by itself
                run.append(f"U+{ord(one):04X}")
                _missing.add(one)
            continue
        shown += [f"[{' '.join(run)}]"] if run else []
        run = []
        shown.append(one)
    return "".join(shown)


def missing_words(missing: set[str]) -> str:
    """Warning about characters that no installed font has, with the fix; "" without any."""
    if not missing:
        return ""
    ordered = sorted(missing)
    named = ", ".join(f"{one} (U+{ord(one):04X})" for one in ordered[:MOST_NAMED])
    more = f" and {len(ordered) - MOST_NAMED} more" if len(ordered) > MOST_NAMED else ""
    return (
        f"no installed font has {named}{more}: figures show code points instead; install a font "
        "that has them, such as Noto, and make the report again"
    )


def _find(characters: Sequence[str]) -> None:
    """Learn of each character whether a font has it; a font that has one becomes a family."""
    if not characters:
        return
    # The bold face has fewer characters than the upright one.
    bold = font_manager.FontProperties(family=BASE, weight="bold")
    base = set(_charmap(font_manager.findfont(BASE))) & set(_charmap(font_manager.findfont(bold)))
    _known.update({one: ord(one) in base or one.isspace() for one in characters})
    wanted = {one for one in characters if not _known[one]}
    for entry in _candidates() if wanted else ():
        has = set(_charmap(entry.fname, getattr(entry, "index", 0)))  # before 3.11 there is none
        found = {one for one in wanted if ord(one) in has}
        if found:
            wanted -= found
            _known.update(dict.fromkeys(found, True))
            if entry.name not in _families:
                _families[1:] = sorted([*_families[1:], entry.name], key=_preference)
        if not wanted:
            return


def _candidates() -> list[font_manager.FontEntry]:
    """Upright installed fonts, also those that were installed since matplotlib made its list."""
    manager = font_manager.fontManager
    listed = {entry.fname for entry in manager.ttflist}
    for path in sorted(font_manager.findSystemFonts()):
        if path not in listed:
            try:
                manager.addfont(path)
            except (OSError, RuntimeError, NotImplementedError):  # pictures, as of colour emoji
                continue
    usable = [
        entry
        for entry in manager.ttflist
        if entry.style == "normal"
        and entry.weight in (400, "normal", "regular")
        and not entry.name.startswith(UNREADABLE)
    ]
    return sorted(usable, key=lambda entry: (_preference(entry.name), entry.name, entry.fname))


def _preference(name: str) -> float:
    starts = [place for place, start in enumerate(PREFERRED) if name.startswith(start)]
    return starts[0] if starts else len(PREFERRED) - 1.5  # before Unifont, which is of dots


def _charmap(path: str, index: int = 0) -> dict[int, int]:
    try:
        font = FT2Font(path, face_index=index) if index else FT2Font(path)
        return dict(font.get_charmap())
    except (OSError, RuntimeError, NotImplementedError):
        return {}
