import csv
import dataclasses
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

import study.records.files
from analysis.prose.answer import answer_lines, change_words
from analysis.report.report import write_report
from analysis.results.results import Results
from study.records.files import write_atomic
from study.records.record import Outcome
from study.spec.claims import Side
from study.spec.settings import ReportConfig
from study.spec.study import Claim
from vlf.config import ConfigError


class Page(HTMLParser):
    """Tags, text, and everything that a browser would fetch."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text, self.fetched = [], "", []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [v for k, v in attrs if k in ("src", "href", "srcset", "data")]

    def handle_data(self, data):
        self.text += data


def one_pass(maker, study, outcomes, tmp_path):
    return write_report(study, outcomes, tmp_path / "report", maker.root)


def test_a_report_is_one_page_its_twin_tables_and_figures(maker, seven_study, tmp_path):
    report = one_pass(maker, seven_study, maker.seven(), tmp_path)

    folder = tmp_path / "report"
    names = {str(path.relative_to(folder)) for path in report.paths}
    assert {"report.html", "report.md", "records.csv", "table.csv", "table.md"} <= names
    assert {"table.tex", "table.html", "tables/cost.tex", "tables/status.md"} <= names
    for figure in ("accuracy_macs", "accuracy_latency", "seeds", "cost_parts", "confusion"):
        assert {f"figures/{figure}.{ending}" for ending in ("pdf", "svg", "png")} <= names
    assert names == {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    page, drawn = Page(folder / "report.html"), len(list(folder.glob("figures/*.png")))
    assert page.text.count("Which part pays for its cost?") >= 2
    assert "VTN-like vs. VLF" in page.text
    assert len(re.findall(r"Figure \d", page.text)) == page.tags.count("img") == drawn
    assert all(one.startswith(("data:image/svg+xml;base64,", "#")) for one in page.fetched)
    linked = re.findall(r"\]\((figures/\S+)\)", (folder / "report.md").read_text("utf-8"))
    assert len(linked) == drawn
    assert all((folder / one).is_file() for one in linked)


def test_records_csv_holds_every_job(maker, seven_study, tmp_path):
    study = dataclasses.replace(seven_study, report=ReportConfig(figures=[]))

    one_pass(maker, study, maker.seven(seeds=(0,)), tmp_path)

    with (tmp_path / "report" / "records.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["variant"] for row in rows} == {
        level.label for level in seven_study.factors["variant"]
    }
    assert {row["kind"] for row in rows} == {"train", "cost"}


@pytest.mark.parametrize("present", ["nothing", "not run", "cost", "one seed", "failed"])
def test_a_report_can_be_made_of_whatever_there_is(maker, seven_study, tmp_path, present):
    levels = {"variant": "VLF"}
    outcomes = {
        "nothing": [],
        "not run": [Outcome("train", "variant=VLF", levels, {}, 0, "not run", "interrupted")],
        "cost": [one for one in maker.seven() if one.kind == "cost"],
        "one seed": maker.seven(seeds=(0,)),
        "failed": [maker.train(levels, 0, 0, status="failed", reason="diverged", detail="why")],
    }[present]
    words = {
        "nothing": "No answer yet",
        "not run": "interrupted",
        "cost": "has no accuracy yet",
        "one seed": "one seed: no interval",
        "failed": "diverged",
    }

    few = ReportConfig(baseline=seven_study.baseline, figures=["accuracy_macs", "scaling"])
    one_pass(maker, dataclasses.replace(seven_study, report=few), outcomes, tmp_path)

    assert words[present] in Page(tmp_path / "report" / "report.html").text
    text = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert words[present] in text
    assert re.search(rf" {len(outcomes)} jobs? finished", text)


def test_text_of_a_study_file_cannot_run_in_the_page(maker, tmp_path):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    few = ReportConfig(figures=["accuracy_macs"])
    study = maker.study({"variant": [evil]}, question=evil, report=few)
    claim = Claim(f"top1[{evil}] > 5", "top1", Side({"variant": evil}), ">", 5.0, None)
    study = dataclasses.replace(study, claims=(claim,))
    outcomes = [
        maker.train({"variant": evil}, 0, 50.0),
        maker.train({"variant": evil}, 1, 0, status="failed", reason=evil, detail=evil),
        maker.cost({"variant": evil}, 10, 1e6, 1.0, notes=(evil,)),
    ]

    one_pass(maker, study, outcomes, tmp_path)

    page = Page(tmp_path / "report" / "report.html")
    assert page.tags.count("script") == 2  # the page's own data and script
    assert "x" not in page.fetched
    assert evil in page.text
    assert "<script" not in (tmp_path / "report" / "report.md").read_text("utf-8")
    assert "script" not in Page(tmp_path / "report" / "table.html").tags


def test_a_failure_is_listed_with_its_detail(maker, seven_study, tmp_path):
    levels = {"variant": "TSM"}
    failed = maker.train(levels, 1, 0, status="failed", reason="killed", detail="line 7: boom")

    one_pass(maker, seven_study, [maker.train(levels, 0, 60.0), failed], tmp_path)

    text = Page(tmp_path / "report" / "report.html").text
    assert "variant=TSM, seed 1: failed: killed" in text
    assert "line 7: boom" in text


def test_claims_stand_above_the_table_with_their_verdicts(maker, tmp_path):
    study = maker.study({"variant": ["VLF"]}, claims=("top1[VLF] > 50", "macs[VLF] < 2e6"))
    outcomes = [maker.train({"variant": "VLF"}, s, 60.0 + s) for s in (0, 1, 2)]
    outcomes.append(maker.cost({"variant": "VLF"}, 10, 3e6, 1.0))

    report = one_pass(maker, study, outcomes, tmp_path)

    text = Page(tmp_path / "report" / "report.html").text
    assert text.index("top1[VLF] > 50") < text.index("parameters")
    assert "contradicted" in text
    assert report.judgement.is_contradicted
    assert "contradicted" in (tmp_path / "report" / "report.md").read_text("utf-8")


def test_the_table_of_claims_goes_when_the_claims_do(maker, tmp_path):
    outcomes = [maker.train({"variant": "VLF"}, 0, 60.0)]
    with_claim = maker.study({"variant": ["VLF"]}, claims=("top1[VLF] > 50",))
    one_pass(maker, with_claim, outcomes, tmp_path)
    assert (tmp_path / "report" / "tables" / "claims.csv").exists()

    one_pass(maker, maker.study({"variant": ["VLF"]}), outcomes, tmp_path)

    assert not (tmp_path / "report" / "tables" / "claims.csv").exists()


def test_a_figure_that_is_no_longer_made_is_taken_away(maker, seven_study, tmp_path):
    outcomes = maker.seven(seeds=(0,))
    two = ReportConfig(figures=["cost_parts", "accuracy_macs"])
    one_pass(maker, dataclasses.replace(seven_study, report=two), outcomes, tmp_path)
    assert (tmp_path / "report" / "figures" / "accuracy_macs.pdf").exists()

    one = ReportConfig(figures=["cost_parts"])
    one_pass(maker, dataclasses.replace(seven_study, report=one), outcomes, tmp_path)

    kept = {path.name for path in (tmp_path / "report" / "figures").iterdir()}
    assert kept == {"cost_parts.pdf", "cost_parts.svg", "cost_parts.png"}


@pytest.mark.parametrize(
    ("settings", "key", "hint"),
    [
        ({"figures": ["confusoin"]}, "report.figures", '"confusion"'),
        ({"tables": ["mian"]}, "report.tables", '"main"'),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(maker, tmp_path, settings, key, hint):
    study = maker.study({"variant": ["VLF"]}, report=ReportConfig(**settings))

    with pytest.raises(ConfigError) as caught:
        one_pass(maker, study, [], tmp_path)

    assert caught.value.key == key
    assert f"did you mean {hint}" in caught.value.message
    assert not (tmp_path / "report").exists()


def test_an_interrupted_write_leaves_the_older_file(tmp_path, monkeypatch):
    path = write_atomic(tmp_path / "report.html", "old")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(study.records.files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")

    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def answers(maker, study, runs):
    return answer_lines(Results(study, maker.runs(runs), maker.root))


def test_the_answer_says_lower_only_where_the_corrected_p_says_so(maker, seven_study):
    runs = {"VLF": (80.0, 81.0, 82.0), "no g": (79.0, 82.0, 80.5), "TSN": (9.0, 11.0, 10.0)}

    _, no_g, tsn = answers(maker, seven_study, runs)

    assert "no g vs. VLF: no significant difference in top-1 (" in no_g
    assert "TSN vs. VLF: top-1 is lower by 71.0 points (95 % CI" in tsn


def test_the_answer_of_one_seed_makes_no_statement(maker, seven_study):
    _, line = answers(maker, seven_study, {"VLF": (80.0,), "TSN": (10.0,)})

    assert line == (
        "TSN vs. VLF: \N{MINUS SIGN}70.0 points top-1 (one seed: no interval, not tested)."
    )


def test_costs_stand_beside_the_difference_in_percent(maker, seven_study):
    outcomes = [
        maker.train({"variant": label}, seed, top1 + seed)
        for label, top1 in (("VLF", 80.0), ("no g", 70.0))
        for seed in range(3)
    ]
    outcomes += [maker.cost({"variant": "VLF"}, 10, 2e6, 2.0)]
    outcomes += [maker.cost({"variant": "no g"}, 10, 1.5e6, 1.0)]

    line = answer_lines(Results(seven_study, outcomes, maker.root))[-1]

    assert line.startswith(
        "no g vs. VLF: \N{MINUS SIGN}10.0 points top-1 in each of 3 seeds (no spread: no "
        "interval), with 25 % fewer MACs and 50 % less latency (95 % CI "
    )


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1.06, "6 % more MACs"),
        (0.994, "0.6 % fewer MACs"),
        (2.34, "2.3 times the MACs"),
        (1.0, "the same MACs"),
        (1.0001, "practically the same MACs"),
    ],
)
def test_a_ratio_in_words(ratio, words):
    assert change_words(ratio, "MACs", "fewer") == words


def test_a_report_loads_neither_torch_nor_timm(root):
    code = (
        "import sys, analysis.report.report, analysis.report.terminal\n"
        "from vlf.config import load_object\n"
        "from analysis.figures import FIGURES\n"
        "from analysis.tables import TABLES\n"
        "[load_object(entry) for entry in (*FIGURES.values(), *TABLES.values())]\n"
        "sys.exit(', '.join({'torch', 'timm'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)

    assert done.stderr.strip() == ""
    assert done.returncode == 0
