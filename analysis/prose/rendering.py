"""Templates of the report and of the methods paragraph, from `analysis/templates`."""

from pathlib import Path

import jinja2


def environment(is_html: bool) -> jinja2.Environment:
    """Jinja environment of the templates: undefined names are errors, and HTML is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "templates"),
        autoescape=is_html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
