"""Exported clips, packed, and a study of them: each by its command."""

import csv
import subprocess
import sys

from study_runs import ROOT, copy_costs, run

from vlf.config import MotionConfig
from vlf.data.export import export

STUDY = """\
question: Do packed clips train?
base:
  data: {{name: packed, root: {root}, num_classes: 10, class_names: classes.txt, frames: 4, size: 32, short_side: 36, views: 2, crops: 3}}
  model: {{name: vlf, width: 16, heads: 2, spatial_depth: 0, spatiotemporal_depth: 1}}
  train: {{epochs: 2, batch_size: 16, mixup: 0.2}}
factors:
  variant: {{VLF: {{}}, TSN: {{model: {{name: tsn}}}}}}
cost: {{batch_sizes: [1], rounds: 5}}
run: {{loaders: 2}}
report: {{baseline: {{variant: VLF}}, figures: []}}
"""  # noqa: E501


def test_exported_clips_are_packed_and_trained_on_by_the_commands(tmp_path, ran):
    clips = MotionConfig(frames=4, size=32, train_clips=48, val_clips=16, test_clips=20)
    export(clips, tmp_path / "motion", "h264")
    data = (
        f"{{name: video_list, root: {tmp_path}/motion, num_classes: 10, class_names: classes.txt}}"
    )
    (tmp_path / "videos.yaml").write_text(f"base: {{data: {data}}}\n")
    out = tmp_path / "packed"
    arguments = [
        str(tmp_path / "videos.yaml"),
        "--size",
        "36",
        "--chroma",
        "full",
        "--out",
        str(out),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "vlf.data.pack", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "84 videos, 336 frames" in done.stdout

    study = tmp_path / "packed.yaml"
    study.write_text(STUDY.format(root=out), "utf-8")
    copy_costs(ran.results, tmp_path / "results")
    said = run(study).stdout

    results = tmp_path / "results"
    with (results / "packed" / "records.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "top1"]
    assert [row["variant"] for row in rows] == ["VLF", "TSN"]
    assert {row["views"] for row in rows} == {"6"}
    assert "views" in said

    study.write_text(STUDY.format(root=out).replace("loaders: 2", "loaders: 0"), "utf-8")
    assert "4 planned = 0 done + 4 reused" in run(study, "--status").stdout
