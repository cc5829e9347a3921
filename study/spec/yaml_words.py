"""Errors of the YAML parser in words that name the character and the fix."""

import re
import unicodedata

import yaml

LINE_BREAK = re.compile(r"\r\n|\r|\n")
_NAMES = {"\t": "a tab", "\n": "a line break", "\r": "a line break", " ": "a space"}
_SIGNS = {  # at the end of the parser's context -> what the sign does
    "an alias": "* names an anchor",
    "an anchor": "& sets an anchor",
    "a tag": "! begins a tag",
    "a block scalar": "> or | begins a block of lines",
}
_CLOSING = {"[": "]", "{": "}"}


def visible(text: str) -> str:
    """Escape every character that cannot be seen, as Python does."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def composed(text: str) -> str:
    """Text with accents in one form (NFC): what looks the same is the same."""
    return unicodedata.normalize("NFC", text)


def character(one: str) -> str:
    """The name of a character: "a tab", or "U+200B ZERO WIDTH SPACE"."""
    known = _NAMES.get(one)
    return known or f"U+{ord(one):04X} {unicodedata.name(one, 'control character')}"


def hidden_in(text: str) -> str:
    """The name of the first character of a text that cannot be seen; "" where all can."""
    return next((character(one) for one in text if not one.isprintable()), "")


def explain(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """The line to look at, counted from 1, and what is wrong there."""
    lines = LINE_BREAK.split(text)
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return 1, problem or context
    start = error.context_mark or mark
    if "quoted scalar" in context and "end of stream" in problem:
        quote = f"the quote {_at(lines, start)} in column {start.column + 1}"
        return start.line + 1, f"{quote} is not closed"
    if "could not find expected ':'" in problem:
        return _without_colon(lines, start.line)
    if "flow" in context and (closing := _CLOSING.get(_at(lines, start))):
        return _unclosed(lines, mark, start, closing)
    if "mapping values are not allowed" in problem:
        return _second_colon(lines, mark)
    message = _by_character(lines, mark, context) or _by_problem(lines, mark, problem)
    return min(mark.line + 1, len(lines)), message or problem or context


def _at(lines: list[str], mark: yaml.Mark) -> str:
    """The character at a mark; "" behind the end of a line."""
    line = lines[mark.line] if mark.line < len(lines) else ""
    return line[mark.column : mark.column + 1]


def _unclosed(lines: list[str], mark: yaml.Mark, start: yaml.Mark, closing: str) -> tuple[int, str]:
    opened = f"the {_at(lines, start)} in column {start.column + 1}"
    if not "".join(lines[mark.line :])[mark.column :].strip():
        return start.line + 1, f"{opened} is not closed by {closing}"
    if mark.line != start.line:
        opened += f" of line {start.line + 1}"
    message = f"expected a comma or {closing} in column {mark.column + 1} for {opened}"
    quotes = "; text that holds a colon goes in quotes" if _at(lines, mark) == ":" else ""
    return mark.line + 1, message + quotes


def _without_colon(lines: list[str], line: int) -> tuple[int, str]:
    text = lines[line].strip()
    if re.match(r"[\w.]+:\S", text):
        return line + 1, f'a space is missing behind the colon of "{text[:60]}"'
    return line + 1, f'expected KEY: VALUE, got "{text[:60]}"'


def _second_colon(lines: list[str], mark: yaml.Mark) -> tuple[int, str]:
    """A colon where no key can end: of a text that wants quotes, or of a line that goes on."""
    if re.search(r":\s.*\S", lines[mark.line][: mark.column]):
        message = f"a second colon in column {mark.column + 1}"
        return mark.line + 1, f"{message}; put the value that holds it in quotes"
    above = next((at for at in range(mark.line - 1, -1, -1) if lines[at].strip()), mark.line)
    if not re.match(r"\s*(- )?[^#]*:(\s|$)", lines[above]):
        return _without_colon(lines, above)
    text = lines[mark.line].strip()[:60]
    return mark.line + 1, f'"{text}" is indented further than the line above, which has a value'


def _by_character(lines: list[str], mark: yaml.Mark, context: str) -> str:
    """Meaning in YAML of the character at fault, if it has one."""
    at, column = _at(lines, mark), mark.column + 1
    if at == "\t":
        is_indent = not lines[mark.line][: mark.column].strip()
        instead = "indent with spaces" if is_indent else "write spaces instead"
        return f"a tab in column {column}; {instead}"
    if lines[min(mark.line, len(lines) - 1)].startswith("%") or "directive" in context:
        return 'a line that begins with "%" is a directive, which is not read; put it in quotes'
    if at and at in "@`%":
        return f"a value cannot begin with {at} (column {column}); put it in quotes"
    for kind, meaning in _SIGNS.items():
        if context.endswith(kind):
            return f"a value that begins with {meaning}; put it in quotes"
    if at and at in "]}":
        return f"{at} in column {column} closes nothing"
    return ""


def _by_problem(lines: list[str], mark: yaml.Mark, problem: str) -> str:
    line, column = lines[mark.line] if mark.line < len(lines) else "", mark.column + 1
    rest = line[mark.column :].strip()[:60]
    if "sequence entries are not allowed" in problem:
        return f'"- " in column {column} begins a list, which needs a line of its own; or write [ ]'
    if any(word in problem for word in ("escape", "hexdecimal", "hexadecimal")):
        return f"a backslash in double quotes that begins no escape (column {column}); write \\\\"
    if "node content" in problem and rest:
        return f"a value is missing in front of {rest[0]} in column {column}"
    if "expected key" in problem and line[: mark.column].strip():
        return f'"{rest}" in column {column} is behind a value that has ended; put all in quotes'
    if "expected key" in problem and rest.startswith("- "):
        return '"- " begins a list where a key is expected'
    if "expected key" in problem and rest.startswith(":"):
        return f"a key is missing in front of the colon in column {column}"
    if "expected key" in problem or "expected '-' indicator" in problem:
        return f'the indentation of "{rest}" is that of no line above'
    if "document start" in problem:
        return "text behind the end of the document"
    return ""
