"""YAML as nodes that know their file and line, so that a mistake can be shown where it is.

Safe by construction: parser events become plain values here, no Python object is ever made. Plain
scalars are read by YAML 1.2's core schema, less its octal and hexadecimal numbers: `no` and `on`
are text, 1e-3 is a number, a date is text, and 010 is text, as nobody can tell what it means.
A key with nothing behind it is not null: its value is BLANK, which no reader and no config takes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from study.spec.yaml_words import LINE_BREAK, composed, explain, visible
from vlf.config import nearest

MAX_BYTES = 1 << 20
MAX_NODES = 200_000  # after aliases are followed: nine of them can write a billion values
MAX_DEPTH = 20
MAX_NUMBER = 2**63 - 1
MAX_TOLD = 2000  # characters of a complaint; a list of all that is allowed may be longer
OVERRIDE = "--set"  # the place of what the command line says

Key = tuple[str | int, ...]
Raw = tuple[int, Any]  # line, and what stands there: _Scalar, [Raw] or {key: (line, Raw)}

_NULL = re.compile(r"~|null|Null|NULL")
_TRUTH = re.compile(r"true|True|TRUE|false|False|FALSE")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
# Control characters, and line breaks of YAML 1.1 that no editor counts as such.
_UNPRINTABLE = re.compile(r"[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OTHERS = {  # ending of what else the command line takes -> with which option
    ".json": "a record goes with --reproduce",
    ".zip": "an archive goes with --import",
}
_TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")


class Blank:
    """The type of BLANK."""

    def __repr__(self) -> str:
        """Representation for a debugger."""
        return "BLANK"


BLANK = Blank()  # the value of a key, or of a list's dash, with nothing behind it


class StudyError(ValueError):
    """A study file that cannot be used; its text is `file:line: key: what is wrong`."""


def dotted(key: Key) -> str:
    """A key as shown to a person: ("seeds", 1) -> "seeds[1]"."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{_shown_part(part)}" for part in key)
    return "".join(parts).removeprefix(".")


def _shown_part(part: str) -> str:
    return part if part and part == visible(part).strip() else f'"{visible(part)}"'


def complain(place: str, key: Key, message: str) -> StudyError:
    """The one form of all complaints about a study file."""
    told = (dotted(key), visible(re.sub(r"\s*[\r\n]\s*", " ", message)))
    short = (part if len(part) <= MAX_TOLD else f"{part[:MAX_TOLD]} ..." for part in told)
    return StudyError(": ".join(part for part in (place, *short) if part))


@dataclass(frozen=True)
class Node:
    """A value of the file.

    Attributes:
        value: BLANK, None, bool, int, float, str, list of nodes, or text -> node.
        text: A scalar as it is written; "" for lists, mappings and BLANK.
        key: Where it stands in the file's mappings and lists.
        place: "file:line" of its key (of itself, in a list), or "--set".
    """

    value: Any
    text: str
    key: Key
    place: str

    def error(self, message: str) -> StudyError:
        """A complaint about this value."""
        return complain(self.place, self.key, message)

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def walk(self) -> Iterator["Node"]:
        """This node and all below it."""
        yield self
        below = self.value.values() if isinstance(self.value, dict) else self.value
        for node in below if isinstance(self.value, dict | list) else ():
            yield from node.walk()


def merge(under: Node, over: Node) -> Node:
    """A file over the one that it extends.

    Mappings are merged key by key, new keys last, and everything else is replaced. BLANK keeps what
    `under` has. A factor without levels, and null in the place of a mapping, take out what `under`
    has there.
    """
    if over.value is BLANK:
        return under
    if not (isinstance(under.value, dict) and isinstance(over.value, dict)):
        return over
    merged: dict[str, Node] = dict(under.value)
    for key, node in over.value.items():
        if key in merged and _takes_out(node, merged[key]):
            del merged[key]
        else:
            merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, "", over.key, over.place)


def _takes_out(over: Node, under: Node) -> bool:
    if over.key[:-1] == ("factors",):
        return over.value is None or over.value is BLANK
    return over.value is None and isinstance(under.value, dict)


def read_file(path: Path) -> tuple[Node, str]:
    """Read a file: its root node and its text.

    Raises:
        StudyError: If it is missing, unreadable, too large, empty, or not YAML.
    """
    if not path.exists():
        stems = [one.stem for one in path.parent.glob("*.yaml")]
        near = f"; there is {path.stem}.yaml" if path.name in stems else nearest(path.stem, stems)
        raise complain(str(path), (), f"no such file{near}")
    if not path.is_file():
        kind = ", but a folder" if path.is_dir() else ""
        raise complain(str(path), (), f"is not a file{kind}")
    if option := _OTHERS.get(path.suffix):
        raise complain(str(path), (), f"is no study file (YAML); {option}")
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise complain(str(path), (), f"cannot be read ({error.strerror})") from None
    if len(content) > MAX_BYTES:
        raise complain(str(path), (), f"is larger than {MAX_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise complain(f"{path}:{line}", (), "is not UTF-8 text; save it as UTF-8") from None
    root = read_text(text, str(path))
    if root.value is BLANK:
        raise complain(str(path), (), "is empty")
    return root, text


def read_text(text: str, file: str, *, lines: bool = True) -> Node:
    """Read YAML text; `file` is shown in complaints, with a line number if `lines`.

    Raises:
        StudyError: If it is not one YAML document of allowed size.
    """
    if odd := _UNPRINTABLE.search(text):
        line = len(LINE_BREAK.findall(text, 0, odd.start())) + 1
        place = f"{file}:{line}" if lines else file
        raise complain(place, (), _odd_character(odd))
    composer = _Composer(text, file, lines)
    try:
        line, value = composer.compose()
    except yaml.MarkedYAMLError as error:
        line, why = explain(error, text)
        raise complain(composer.place(line), (), f"is not YAML: {why}") from None
    except yaml.YAMLError as error:
        place = composer.place(1)
        raise complain(place, (), f"is not YAML: {' '.join(str(error).split())}") from None
    return composer.node((line, value), (), line)


@dataclass(frozen=True)
class _Scalar:
    value: Any
    text: str


class _Composer:
    """From parser events to nodes; explicit, to bound depth and aliases as they are met."""

    def __init__(self, text: str, file: str, lines: bool) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast
        self.events = iter(yaml.parse(text, Loader=loader))
        self.file, self.lines = file, lines
        self.anchors: dict[str, Raw] = {}
        self.nodes = 0

    def place(self, line: int) -> str:
        return f"{self.file}:{line}" if self.lines else self.file

    def compose(self) -> Raw:
        """The one document of the text, without keys."""
        raw: Raw | None = None
        for event in self.events:
            line = _line(event)
            if isinstance(event, yaml.DocumentStartEvent) and raw is not None:
                raise complain(self.place(line), (), "holds a second document (after ---)")
            if isinstance(event, yaml.NodeEvent):
                raw = self._compose(event, ())
        return raw or (1, _Scalar(BLANK, ""))

    def _compose(self, event: Any, key: Key) -> Raw:
        line = _line(event)
        if len(key) > MAX_DEPTH:
            raise complain(self.place(line), (), f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise complain(self.place(line), key, f"no anchor &{event.anchor} stands before")
            return self.anchors[event.anchor]
        self._check_tag(event, key, line)
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, key, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(key)
        else:
            value = self._mapping(key)
        if event.anchor is not None:  # only now: an alias inside its own anchor has no end
            self.anchors[event.anchor] = (line, value)
        return line, value

    def _sequence(self, key: Key) -> list[Raw]:
        items: list[Raw] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._compose(event, (*key, len(items))))
        return items

    def _mapping(self, key: Key) -> dict[str, tuple[int, Raw]]:
        items: dict[str, tuple[int, Raw]] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise complain(self.place(line), key, "a key must be plain text")
            self._check_text(event.value, key, line)
            name = composed(event.value)
            if not name and event.implicit[0]:
                raise complain(self.place(line), key, 'a key is missing in front of ":"')
            if name == "<<" and event.implicit[0]:
                raise complain(self.place(line), (*key, name), "merge keys are not read")
            if name in items:
                first = items[name][0]
                message = f"duplicate key, first in line {first}"
                raise complain(self.place(line), (*key, name), message)
            items[name] = (line, self._compose(next(self.events), (*key, name)))
        return items

    def _check_text(self, text: str, key: Key, line: int) -> None:
        if odd := _UNPRINTABLE.search(text):  # by an escape such as "\\0"
            raise complain(self.place(line), key, _odd_character(odd))

    def _check_tag(self, event: Any, key: Key, line: int) -> None:
        allowed = _TEXT_TAGS if isinstance(event, yaml.ScalarEvent) else (None, "!")
        if event.tag not in allowed:
            raise complain(self.place(line), key, f"the tag {event.tag} is not read")

    def _scalar(self, event: yaml.ScalarEvent, key: Key, line: int) -> _Scalar:
        text = str(event.value)
        self._check_text(text, key, line)
        if not event.implicit[0] or event.tag is not None:
            return _Scalar(text, text)
        value = resolve_scalar(text)
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise complain(self.place(line), key, f"{text[:40]} is too large a number")
        return _Scalar(value, text)

    def node(self, raw: Raw, key: Key, line: int) -> Node:
        """Give a composed value its key; `line` is that of its key."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise complain(self.place(line), (), f"holds more than {MAX_NODES:,} values")
        if len(key) > MAX_DEPTH:
            raise complain(self.place(line), (), f"is nested more than {MAX_DEPTH} levels deep")
        value, text = raw[1], ""
        if isinstance(value, _Scalar):
            value, text = value.value, value.text
        elif isinstance(value, list):
            value = [self.node(item, (*key, i), item[0]) for i, item in enumerate(value)]
        elif isinstance(value, Mapping):
            value = {k: self.node(item, (*key, k), at) for k, (at, item) in value.items()}
        return Node(value, text, key, self.place(line))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _odd_character(found: re.Match[str]) -> str:
    return f"holds the control character {found.group()!a}"


def resolve_scalar(text: str) -> Any:
    """The value of a plain scalar: BLANK, None, bool, int, float, or the text itself."""
    if not text:
        return BLANK
    if _NULL.fullmatch(text):
        return None
    if _TRUTH.fullmatch(text):
        return text.lower() == "true"
    if _WHOLE.fullmatch(text):
        # Python refuses to read thousands of digits; so large a number is refused either way.
        return int(text[:100])
    if text.lower() in _SPECIAL:
        return float(_SPECIAL[text.lower()])
    if _NUMBER.fullmatch(text) and not _LEADING_ZERO.fullmatch(text):
        return float(text)
    return text
