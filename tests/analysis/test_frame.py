from analysis.results.frame import tidy
from study.records.record import Outcome


def test_a_row_holds_one_sample_with_its_levels_seed_and_conditions(maker):
    frame = tidy([maker.train({"variant": "VLF", "data.frames": "8"}, 2, 81.5)])

    row = frame[frame["metric"] == "top1"].iloc[0]
    assert row["cell"] == "variant=VLF, data.frames=8"
    assert (row["variant"], row["data.frames"], row["seed"]) == ("VLF", "8", 2)
    assert (row["value"], row["unit"], row["split"], row["views"]) == (81.5, "%", "test", 1)
    assert (row["status"], row["device"]) == ("done", "cpu")


def test_every_round_of_a_timing_is_a_row(maker):
    frame = tidy([maker.cost({"variant": "VLF"}, 100, 1e6, 2.0)])

    timed = frame[(frame["metric"] == "latency") & (frame["batch_size"] == 8)]
    assert list(timed["round"]) == list(range(40))


def test_a_failure_keeps_a_row_with_its_reason_and_no_value(maker):
    frame = tidy([maker.train({"variant": "VLF"}, 0, 0, status="failed", reason="diverged")])

    assert list(frame["status"]) == ["failed"]
    assert list(frame["reason"]) == ["diverged"]
    assert frame["value"].isna().all()


def test_what_was_not_run_keeps_a_row(maker):
    outcome = Outcome("cost", "base", {}, {}, None, "not run", "interrupted", None)

    assert tidy([outcome])[["status", "reason"]].values.tolist() == [["not run", "interrupted"]]


def test_a_factor_named_like_a_column_does_not_overwrite_it(maker):
    frame = tidy([maker.train({"device": "big"}, 0, 50.0)])

    assert set(frame["factor.device"]) == {"big"}
    assert set(frame["device"]) == {"cpu"}


def test_no_outcomes_give_an_empty_frame_with_columns():
    frame = tidy([])

    assert frame.empty
    assert {"cell", "seed", "metric", "value", "status", "batch_size"} <= set(frame)
