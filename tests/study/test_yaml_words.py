"""Messages about files that are no YAML, and about characters that cannot be seen."""

import pytest

from study.spec.grid import expand
from study.spec.study import StudyError, load_study

LABEL = "(allowed is all that can be seen but , = [ ], and single spaces between words)"


def told(folder, text):
    """The complaint about a study whose second line the text begins."""
    path = folder / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else f"question: q\n{text}".encode())
    with pytest.raises(StudyError) as caught:
        expand(load_study(path))
    return str(caught.value).removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("factors:\n\tmodel.width: [16]", "3: is not YAML: a tab in column 1; indent with spaces"),
        ("base:\n  \tdata: {}", "3: is not YAML: a tab in column 3; indent with spaces"),
        (
            "title: why: because",
            "2: is not YAML: a second colon in column 11; put the value that holds it in quotes",
        ),
        (
            "title: 'why': because",
            "2: is not YAML: a second colon in column 13; put the value that holds it in quotes",
        ),
        (
            "base: {root: c: d}",
            "2: is not YAML: expected a comma or } in column 15 for the { in column 7; "
            "text that holds a colon goes in quotes",
        ),
        (
            "base: {a: 1}\n  b: 2",
            "3: is not YAML: ",
        ),
        (
            "seeds: x\n  b: 2",
            '3: is not YAML: "b: 2" is indented further than the line above, which has a value',
        ),
        (
            "base:\n  a: 1\n b: 2",
            '4: is not YAML: the indentation of "b: 2" is that of no line above',
        ),
        (
            "base:\n  frames:8\n  size: 4",
            '3: is not YAML: a space is missing behind the colon of "frames:8"',
        ),
        ("base:\n  frames 8\n  size: 4", '3: is not YAML: expected KEY: VALUE, got "frames 8"'),
        ("base", '2: is not YAML: expected KEY: VALUE, got "base"'),
        ("title: @x", "2: is not YAML: a value cannot begin with @ (column 8); put it in quotes"),
        ("title: `x`", "2: is not YAML: a value cannot begin with ` (column 8); put it in quotes"),
        ("title: %x", "2: is not YAML: a value cannot begin with % (column 8); put it in quotes"),
        (
            "%YAML 1.2",
            '2: is not YAML: a line that begins with "%" is a directive, which is not read; '
            "put it in quotes",
        ),
        (
            "train: *.txt",
            "2: is not YAML: a value that begins with * names an anchor; put it in quotes",
        ),
        (
            "train: & x",
            "2: is not YAML: a value that begins with & sets an anchor; put it in quotes",
        ),
        ("train: !<x", "2: is not YAML: a value that begins with ! begins a tag; put it in quotes"),
        (
            "claim: >5 x",
            "2: is not YAML: a value that begins with > or | begins a block of lines; "
            "put it in quotes",
        ),
        ('title: "x\nseeds: [0]', '2: is not YAML: the quote " in column 8 is not closed'),
        ("title: 'it's'", '2: is not YAML: "s\'" in column 12 is behind a value that has ended; '),
        (
            'root: "C:\\data"',
            "2: is not YAML: a backslash in double quotes that begins no escape (column 10); "
            "write \\\\",
        ),
        ("seeds: [0, 1", "2: is not YAML: the [ in column 8 is not closed by ]"),
        (
            "base: {a: {b: 1}\nseeds: [0]",
            "3: is not YAML: expected a comma or } in column 1 for the { in column 7 of line 2",
        ),
        ("seeds: [0]]", "2: is not YAML: ] in column 11 closes nothing"),
        ("seeds: [0,,1]", "2: is not YAML: a value is missing in front of , in column 11"),
        ("- a", '2: is not YAML: "- " begins a list where a key is expected'),
        (
            "seeds: - 0",
            '2: is not YAML: "- " in column 8 begins a list, which needs a line of its own; '
            "or write [ ]",
        ),
        (": x", "2: is not YAML: a key is missing in front of the colon in column 1"),
        ("? \n: x", '2: a key is missing in front of ":"'),
        ("x: 1\n...\ny: 2", "4: is not YAML: text behind the end of the document"),
        ("x: 1\n---\n", "3: holds a second document (after ---)"),
        ("title: a\u2028b", "2: holds the control character '\\u2028'"),
        ("title: a\x85b", "2: holds the control character '\\x85'"),
        ("\r\nseeds: [\r\n0\r\n\x07]", "5: holds the control character '\\x07'"),
        (b"\xff\xfeq\x00:\x00", "1: is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_yaml_is_told_with_what_stands_there(tmp_path, text, message):
    assert told(tmp_path, text).startswith(f"c.yaml:{message}")


@pytest.mark.parametrize(
    ("label", "shown", "oddity"),
    [
        ("'a '", '"a "', "ends with a space"),
        ("' a'", '" a"', "begins with a space"),
        ('"a\\t"', '"a\\t"', "ends with a tab"),
        ('"a\\nb"', '"a\\nb"', "holds a line break"),
        ('"a\\tb"', '"a\\tb"', "holds a tab"),
        ("a\xa0b", '"a\\xa0b"', "holds U+00A0 NO-BREAK SPACE"),
        ("a\u200bb", '"a\\u200bb"', "holds U+200B ZERO WIDTH SPACE"),
        ("a\ufeff", '"a\\ufeff"', "holds U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        ("a\u202eb", '"a\\u202eb"', "holds U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("a  b", "a  b", "holds two spaces in a row"),
        ('""', '""', "is empty"),
        ('"a,b"', "a,b", "holds ,"),
        ('"a[b"', "a[b", "holds ["),
        ('"a=b"', "a=b", "holds ="),
    ],
)
def test_a_label_is_refused_with_what_it_holds(tmp_path, label, shown, oddity):
    quoted = shown if shown.startswith('"') else f'"{shown}"'

    complaint = told(tmp_path, f"factors:\n  v:\n    {label}: {{}}\n    b: {{data.seed: 1}}\n")

    assert complaint == (
        f"c.yaml:4: factors.v.{shown}: {quoted} cannot be a level's label: it {oddity} {LABEL}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "factors:\n  'v ': {a: {}, b: {data.seed: 1}}\n",
            '3: factors."v ": cannot name a factor: it ends with a space',
        ),
        (
            "base: {data: {name: video_list, num_classes: 2, root: a}}\n"
            "factors:\n  data.root: ['a,b', c]\n",
            '4: factors.data.root[0]: "a,b" cannot be a level\'s label: it holds ,',
        ),
    ],
)
def test_a_factor_and_a_dotted_keys_level_are_refused_with_what_they_hold(tmp_path, text, message):
    assert told(tmp_path, text) == f"c.yaml:{message} {LABEL}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\xa0base: {}", '2: "\\xa0base": unknown key; it holds U+00A0 NO-BREAK SPACE, which'),
        ("base: {mo\u200bdel: {}}", '2: base."mo\\u200bdel": unknown key; it holds U+200B ZERO'),
        ("base: {'model ': {}}", '2: base."model ": unknown key; did you mean "model"?'),
        (
            "base: {data: {\u201cframes\u201d: 8}}",
            "2: base.data.\u201cframes\u201d: unknown key; did you",
        ),
        (
            "base: {data: {frames: 8\xa0}}",
            '2: base.data.frames: expected a whole number, got "8\\xa0" (text)',
        ),
        (
            "base: {data: {frames: \uff18}}",
            '2: base.data.frames: expected a whole number, got "\uff18" (text)',
        ),
        ("base: {data: {frames: \u22128}}", "2: base.data.frames: expected a whole number, got "),
        ("base: {data: {frames:8}}", '2: base.data.frames:8: unknown key; did you mean "frames"?'),
        ("base: {model: {name: 'vlf '}}", "2: base.model.name: expected one of vlf, "),
    ],
)
def test_keys_and_values_are_shown_with_what_cannot_be_seen(tmp_path, text, message):
    assert told(tmp_path, text).startswith(f"c.yaml:{message}")


def test_labels_that_look_the_same_are_the_same(tmp_path):
    text = "factors: {v: {caf\u00e9: {}, cafe\u0301: {data.seed: 1}}}\n"

    assert told(tmp_path, text) == "c.yaml:2: factors.v.caf\u00e9: duplicate key, first in line 2"


def test_a_level_is_found_however_its_accents_are_encoded(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "question: q\nfactors:\n"
        "  v: {cafe\u0301: {}, b: {data.seed: 1}}\n"
        "  l\u00e9: {c: {}, d: {data.limit: 20}}\n"
        "report: {baseline: {v: caf\u00e9}, views: [{name: n, variants: [le\u0301=d]}]}\n"
        "claims: ['macs[cafe\u0301] <= macs[b] within 1%']\n",
        "utf-8",
    )

    study = load_study(path)

    assert study.baseline == {"v": "caf\u00e9"}
    assert study.report.views[0].variants == ["l\u00e9=d"]
    assert study.claims[0].left.levels == {"v": "caf\u00e9"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "seeds: 3",
            "seeds: expected a list of whole numbers, got 3; list each seed, such as [0, 1, 2]",
        ),
        ("seeds: 0-3", 'seeds: expected a list of whole numbers, got "0-3" (text); list each seed'),
        ("seeds: [1-3]", 'seeds[0]: expected a whole number, got "1-3" (text); list each seed'),
        ("seeds: ['0']", 'seeds[0]: expected a whole number, got "0" (text); list each seed'),
        ("seeds: [0.0]", "seeds[0]: expected a whole number, got 0.0"),
        ("seeds: [true]", "seeds[0]: expected a whole number, got true"),
        ("seeds: [0, null]", "seeds[1]: expected a whole number, got null"),
        ("seeds: {0: 1}", "seeds.0: unknown key (allowed: from, to, until, budget_hours)"),
        ("seeds: [1_0]", 'seeds[0]: expected a whole number, got "1_0" (text)'),
        ("base: {train: {epochs: 0x10}}", 'base.train.epochs: expected a whole number, got "0x10"'),
        ("base: {train: {lr: 1:30}}", 'base.train.lr: expected a number, got "1:30" (text)'),
        ("base: {train: {lr: 2020-01-01}}", "base.train.lr: expected a number, got "),
        ("base: {train: {lr: .inf}}", "base.train.lr: must be finite, got inf"),
        ("base: {train: {lr: 1e999}}", "base.train.lr: must be finite, got inf"),
        ("base: {train: {lr: true}}", "base.train.lr: expected a number, got true"),
        ("base: {train: {lr: '0.1'}}", 'base.train.lr: expected a number, got "0.1" (text)'),
        ("base: {train: {lr: 1,5}}", "base.train.5: unknown key"),
        (
            "base: {train: {nesterov: yes}}",
            'base.train.nesterov: expected true or false, got "yes"',
        ),
        ("base: {train: {milestones: [0.5, .nan]}}", "base.train.milestones[1]: must be finite"),
        ("base: {model: {heads: true}}", "base.model.heads: expected a whole number, got true"),
        ("base: {data: {frames: 8.0}}", "base.data.frames: expected a whole number, got 8.0"),
        (
            "factors: {model.width: ['16', 32]}",
            'factors.model.width[0]: expected a whole number, got "16" (text)',
        ),
        (
            "factors: {data.frames: [4, 8.0]}",
            "factors.data.frames[1]: expected a whole number, got 8.0",
        ),
        ("factors: {train.lr: [0.1, .nan]}", "factors.train.lr[1]: must be finite, got nan"),
        ("factors: {data.frames: [16, '16']}", "factors.data.frames[1]: duplicate level 16"),
        (
            "base: {model: {pretrained: no}}",
            'base.model.pretrained: expected true, false, or a weight file, got "no" (text)',
        ),
        *(
            (
                f"base: {{data: {{name: video_list, root: ., num_classes: 2, {said}}}}}",
                f"base.data.{message}",
            )
            for said, message in [
                ("crops: true", "crops: expected a whole number, got true"),
                ("crops: 1.0", "crops: expected a whole number, got 1.0"),
                ("crops: 4", "crops: expected one of 1, 3, 5, got 4"),
                ("flip: 50", "flip: must be at most 1.0, got 50"),
                ("jitter: [0, 0, 0, true]", "jitter[3]: expected a number, got true"),
            ]
        ),
    ],
)
def test_what_is_no_number_of_its_kind_is_refused(tmp_path, text, message):
    assert told(tmp_path, text).startswith(f"c.yaml:2: {message}")


@pytest.mark.parametrize("label", [".nan", "1e999", "-.inf"])
def test_a_level_whose_label_is_no_finite_number_is_no_point_of_an_axis(tmp_path, label):
    path = tmp_path / "c.yaml"
    path.write_text(
        f"question: q\nfactors: {{v: {{{label}: {{}}, 3: {{data.seed: 1}}}}}}\n", "utf-8"
    )

    cells = expand(load_study(path))

    assert [cell.numbers for cell in cells] == [{}, {}]
