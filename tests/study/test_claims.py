import pytest
from test_spec import YAML, complaint, write

from study.spec.grid import expand
from study.spec.study import load_study

CLAIM = "top1[VLF] > top1[no g]"


def claim_of(folder, text):
    (claim,) = load_study(write(folder, YAML.replace(CLAIM, text))).claims
    return claim


def pairs_of(folder, text):
    study = load_study(write(folder, YAML.replace(CLAIM, text)))
    cells = [cell.levels for cell in expand(study)]
    return [
        (tuple(a.values()), None if b is None else tuple(b.values()))
        for a, b in study.claims[0].pairs(cells)
    ]


def test_a_claim_holds_within_each_level_of_the_factors_that_it_does_not_name(tmp_path):
    assert pairs_of(tmp_path, CLAIM) == [
        (("VLF", "4"), ("no g", "4")),
        (("VLF", "8"), ("no g", "8")),
    ]


def test_a_claim_compares_only_cells_that_the_study_has(tmp_path):
    # TSN with 4 frames is excluded.
    assert pairs_of(tmp_path, "top1[VLF] > top1[TSN]") == [(("VLF", "8"), ("TSN", "8"))]


def test_a_level_can_be_pinned_and_a_factor_written_out(tmp_path):
    text = "latency[variant=no g, data.frames=8] < 0.5 * latency[VLF, data.frames=4]"

    assert pairs_of(tmp_path, text) == [(("no g", "8"), ("VLF", "4"))]
    assert claim_of(tmp_path, text).factor == 0.5


def test_a_claim_can_be_about_a_number(tmp_path):
    claim = claim_of(tmp_path, "macs[TSN] <= 2e6")

    assert (claim.right, claim.factor, claim.operator) == (None, 2e6, "<=")
    assert pairs_of(tmp_path, "macs[TSN] <= 2e6") == [(("TSN", "8"), None)]


def test_a_claim_about_all_cells_names_none(tmp_path):
    assert len(pairs_of(tmp_path, "top1[] > 10")) == 5


def test_a_margin_is_in_points_of_an_accuracy_and_a_share_of_a_cost(tmp_path):
    points = claim_of(tmp_path, "top1[VLF] == top1[no g] within 1.5")
    share = claim_of(tmp_path, "latency[VLF, batch_size=8] >= latency[no g] within 5%")

    assert (points.margin, share.margin) == (1.5, 0.05)
    assert share.left.batch_size == 8


def test_the_same_claim_written_otherwise_is_the_same(tmp_path):
    plain = claim_of(tmp_path, CLAIM).canonical

    assert claim_of(tmp_path, "top1[ variant=VLF ]>1.0*top1[no g]").canonical == plain
    assert claim_of(tmp_path, "top1[VLF] >= top1[no g]").canonical != plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("VLF is better", '"VLF is better" is no claim; expected METRIC[LEVEL, ...] OP'),
        ("top1[VLF] = top1[no g]", '"top1[VLF] = top1[no g]" is no claim; expected'),
        ("top1[VLF] > top1[no g", '"top1[VLF] > top1[no g" is no claim; expected'),
        ("tpo1[VLF] > tpo1[no g]", 'unknown metric "tpo1"; did you mean "top1"? (top1, top5,'),
        ("top1[VFL] > top1[no g]", 'no factor has the level "VFL"; did you mean "VLF"? (VLF, no g'),
        (
            "top1[varant=VLF] > top1[no g]",
            'unknown factor "varant"; did you mean "variant"? (variant, data.frames)',
        ),
        (
            "top1[data.frames=5] > top1[data.frames=4]",
            "data.frames has no level 5 (levels: 4, 8)",
        ),
        (
            "top1[VLF, data.frames=8] > top1[no g]",
            "names data.frames on one side only; name it on both, or on neither",
        ),
        ("top1[VLF, no g] > top1[TSN]", "names variant twice in [VLF, no g]"),
        ("top1[VLF] > top1[VLF]", "compares cells with themselves"),
        ("top1[VLF] > macs[no g]", "compares top1 with macs, which is another quantity"),
        ("top1[VLF] == top1[no g]", "no two measured numbers are equal; say == ... within"),
        ("top1[VLF] > top1[no g] within 1", "within goes with ==, >= or <=, not with >"),
        ("top1[VLF] >= top1[no g] within 1%", "the margin of an accuracy is in points"),
        ("latency[VLF] <= latency[no g] within 1", "the margin of a cost is a share of it"),
        ("top1[VLF] > 0 * top1[no g]", "expected a number above 0, got 0"),
        ("top1[VLF] > 1.2.3", "expected a number above 0, got 1.2.3"),
        ("latency[VLF, batch_size=3] < 5", "batch_size 3 is not measured (cost.batch_sizes: 1, 8)"),
        ("top1[VLF, batch_size=8] > 5", "top1 has no batch_size"),
        (
            "top1[TSN, data.frames=4] > top1[VLF, data.frames=4]",
            '"top1[TSN, data.frames=4] > top1[VLF, data.frames=4]" compares no cells of the study',
        ),
        (
            "verb_top1[VLF] > verb_top1[no g]",
            'motion (10 classes) is not scored by verb_top1; did you mean "top1"? '
            "(allowed: top1, top5)",
        ),
        ("3", "expected a claim, METRIC[LEVEL, ...] OP"),
        (f"{CLAIM}\n  - top1[variant=VLF] > top1[no g]", '"top1[variant=VLF] > top1[no g]" says'),
    ],
)
def test_a_wrong_claim_is_told_with_its_line(tmp_path, text, message):
    told = complaint(tmp_path, YAML.replace(CLAIM, text))

    place = "clip.yaml:19: claims[1]" if "\n" in text else "clip.yaml:18: claims[0]"
    assert told.startswith(f"{place}: {message}")
    assert "\n" not in told


def test_top5_is_not_claimed_of_data_with_few_classes(tmp_path):
    few = YAML.replace("motion, frames: 8", "video_list, frames: 8, root: a, num_classes: 5")
    few = few.replace(CLAIM, "top5[VLF] > 50")

    told = complaint(tmp_path, few)

    problem = "video_list (5 classes) is not scored by top5"
    place = "clip.yaml:18: claims[0]"
    assert told == f'{place}: {problem}; did you mean "top1"? (allowed: top1)'
    expand(load_study(write(tmp_path, few.replace("num_classes: 5", "num_classes: 6"))))


def test_a_claim_about_verbs_is_about_cells_whose_data_has_verbs(tmp_path):
    text = YAML.replace("    VLF: {}", "    VLF: {data: {name: epic_kitchens, root: kitchens}}")

    expand(load_study(write(tmp_path, text.replace(CLAIM, "verb_top1[VLF] > 10"))))

    told = complaint(tmp_path, text.replace(CLAIM, "verb_top1[] > 10"))
    assert told.startswith("clip.yaml:18: claims[0]: motion (10 classes) is not scored by verb_top")


def test_a_level_that_two_factors_have_is_to_be_written_out(tmp_path):
    text = YAML.replace("data.frames: [4, 8]", "data.frames: [4, 8]\n  train.batch_size: [8, 16]")
    text = text.replace(CLAIM, "top1[8] > top1[4]")

    told = complaint(tmp_path, text)

    hint = "write data.frames=8 or train.batch_size=8"
    assert told == f'clip.yaml:19: claims[0]: the level "8" is of several factors; {hint}'
