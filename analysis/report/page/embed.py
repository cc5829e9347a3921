"""Script, style and data as they stand inside the page, and the policy that lets nothing out."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup

from analysis.report.page.measures import measures
from analysis.results.results import Results
from analysis.tables.table import Table
from study.spec.settings import ViewConfig

TEMPLATES = Path(__file__).parents[2] / "templates"
SCRIPTS = ("dom", "tables", "figures", "cells", "scale", "chart", "views", "explore")

# Inside a script element only "</script" and "<!--" matter; as escapes they are the same JSON.
_UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}


@dataclass(frozen=True)
class Assets:
    """Our own script and style, the only ones that may run."""

    script: Markup
    style: Markup

    @cached_property
    def policy(self) -> str:
        """Nothing is fetched, and only what is named by its digest runs or styles."""
        return (
            f"default-src 'none'; script-src '{_digest(self.script)}'; "
            f"style-src '{_digest(self.style)}'; img-src data:; base-uri 'none'; form-action 'none'"
        )


def read_assets() -> Assets:
    """The files of the templates folder, joined."""
    parts = [(TEMPLATES / "page" / f"{name}.js").read_text("utf-8") for name in SCRIPTS]
    script = '"use strict";\n{\n' + "\n".join(parts) + "}\n"
    style = (TEMPLATES / "page" / "page.css").read_text("utf-8")
    # Ours, and known to hold no end tag.
    return Assets(Markup(script), Markup(style))


def embedded(results: Results, tables: Mapping[str, Table]) -> Markup:
    """The data of the page's script, as JSON that is only ever text to the browser."""
    values = {
        **measures(results),
        "views": [_view(view) for view in results.study.report.views],
        "latex": {table.name: lines for table in tables.values() if (lines := latex_parts(table))},
    }
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_UNSAFE))


def latex_parts(table: Table) -> dict[str, Any] | None:
    """A table's LaTeX as what is before its rows, a line a row, and what comes after.

    The page puts the rows that it shows in between, in its own order. None where the rendering is
    not one line a row.
    """
    before, rule, rest = table.to_latex().partition("\\midrule\n")
    body, end, after = rest.rpartition("\\bottomrule\n")
    rows = body.splitlines()
    if not rule or not end or len(rows) != len(table.rows):
        return None
    return {"before": before + rule, "rows": rows, "after": end + after}


def _view(view: ViewConfig) -> dict[str, Any]:
    variants: dict[str, list[str]] = {}
    for one in view.variants:
        factor, _, label = str(one).partition("=")
        variants.setdefault(factor, []).append(label)
    return {**view.model_dump(exclude={"variants"}), "variants": variants}


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
