"""Sentences on evaluation, timing, comparison and hardware, from the records of a study."""

from analysis.prose.settings import Done, Section, listed, settings_of
from analysis.results.frame import device_label
from analysis.results.provenance import clip_shape, hours
from analysis.results.results import Results
from analysis.stats.estimates import ALPHA
from analysis.stats.format import plural
from analysis.tables.notes import quoted_batch
from study.records.record import Record

MACHINE = {"cores": "cores: {}", "memory_gib": "{} GiB of memory", "threads": "threads: {}"}
SOFTWARE = ("python", "torch", "torchvision", "timm", "transformers", "cuda", "cudnn", "driver")
ABSENT = ("", "not installed", "unknown", "None")
CLEAN = ("", "no", "False", "false", "unknown")


def evaluation(trained: Done) -> Section:
    """Sentences on how a prediction is made from the scores of a model."""
    tested = [m for _, record in trained for m in record.measurements if m.metric == "top1"]
    if not tested:
        return Section("Evaluation", [])
    views = sorted({int(one.conditions.get("views", 1)) for one in tested})
    sentences = ["Each run is scored once on the test split, after training, by top-1 accuracy."]
    if views != [1]:
        counts = listed([str(one) for one in views], "or")
        sentences.append(f"An answer is the mean of the class probabilities of {counts} views.")
    else:
        sentences.append("An answer is of one view.")
    return Section("Evaluation", sentences)


def costs(results: Results, timed: Done) -> Section:
    """Sentences on counts and timings, from the protocols in the records."""
    if not timed:
        return Section("Costs", [])
    sentences = [
        "Parameters and multiply-accumulates (MACs; one is two FLOPs) of one clip and one view are "
        "counted by PyTorch's counter: convolutions, matrix products and attention."
    ]
    if shape := clip_shape(results):
        sentences.append(f"A clip has {shape} pixels.")
    protocol = settings_of((v, r.config.get("protocol") or {}) for v, r in timed)
    batch = quoted_batch(results)
    rounds = sorted(
        {len(results.by_round(v, "latency", batch)) for v, _ in timed} - {0} if batch else set()
    )
    if rounds:
        sizes = listed([str(size) for size in results.batch_sizes("latency")])
        modes = protocol.say("modes") or "eager"
        threads = f" on {protocol.say_many('threads', 'thread')}" if _on(timed, "cpu") else ""
        told = " to ".join(dict.fromkeys(map(str, (rounds[0], rounds[-1]))))
        runs = len({record.timing_run for _, record in timed})
        sentences += [
            f"Latency is the wall-clock time of one forward call with random weights, at batches "
            f"of {sizes} (mode {modes}), in {protocol.say('precision')}{threads}; reading and "
            f"decoding of video are not in it.",
            f"Cells are timed side by side in one process, in {told} rounds of random order"
            + (f"; in {runs} such timing runs, between which nothing is compared." if runs > 1
               else "."),
        ]  # fmt: skip
    if results.batch_sizes("peak_memory"):
        sentences.append("Peak memory is that of a process of its own for each cell.")
    return Section("Costs", sentences, protocol.differing(results))


def _on(records: Done, device: str) -> bool:
    return any(record.device == device for _, record in records)


def statistics(results: Results) -> Section:
    """The methods behind the numbers that there are."""
    sentences = []
    estimates = [found for v in results.variants if (found := results.accuracy(v))]
    race = results.study.race
    if race is not None:
        sentences.append(
            f"Seeds were added in rounds: every cell got {race.start}, and then those of undecided "
            f"claims one more a round, up to {race.end}. Intervals and p values are those of "
            "confidence sequences (Wang and Ramdas 2023), which hold at every number of seeds at "
            "once, so stopping when a claim is decided needs no correction."
        )
    elif any(one.has_interval for one in estimates):
        sentences.append("Accuracies are means over seeds with Student t 95 % intervals.")
    elif estimates:
        reason = "One seed" if all(one.n == 1 for one in estimates) else "Seeds agree"
        sentences.append(f"{reason}: accuracies have no interval.")
    tested = [d for d, p in results.differences.values() if p is not None]
    if tested:
        test = "" if race is not None else " and tested by Student's t"
        sentences.append(
            f"Differences to the baseline are paired by seed{test}, p being Holm-corrected over "
            f"{plural(len(tested), 'comparison')}; a difference is called one below "
            f"{100 * ALPHA:g} %."
        )
    if any(one.p_flip is not None for one in tested):
        sentences.append("Beside it stands the exact sign-flip p, which is not corrected.")
    batch = quoted_batch(results)
    if batch is not None:
        sentences.append("Timings are medians over rounds with 95 % intervals.")
        if results.compares_costs("latency", batch):
            sentences.append("Ratios of timings are paired by round.")
    if claims := len(results.study.claims):
        looks = len(results.ledger.looks)
        sentences.append(
            f"{plural(claims, 'claim')} of the study file {'is' if claims == 1 else 'are'} judged "
            "by tests that stay valid at every number of seeds (Wang and Ramdas 2023), with Holm's "
            f"correction over the claims ({plural(looks, 'look')} at the data so far)."
        )
    return Section("Statistics", sentences)


def hardware(results: Results, trained: Done, timed: Done) -> Section:
    """One item a place: what ran there, on which hardware, software and code."""
    groups: dict[tuple[str, str], dict[str, Record]] = {}
    elsewhere = [
        (variant, one.record)
        for variant in results.variants
        for one in results.elsewhere(variant)
        if one.record.status == "done"
    ]
    for what, records in (("training run", trained), ("cost record", [*timed, *elsewhere])):
        for _, record in records:
            unique = groups.setdefault((what, _place_words(record)), {})
            unique[record.attempt + record.identity] = record
    items = [
        f"{plural(len(unique), what)} on {place}; "
        f"{hours(sum(one.seconds for one in unique.values()))} in all"
        for (what, place), unique in groups.items()
    ]
    return Section("Hardware and software", [], items)


def _place_words(record: Record) -> str:
    """A record's environment, without what names one machine."""
    said = {k: v for k, v in record.environment.items() if v not in ABSENT}
    machine = [unit.format(said[name]) for name, unit in MACHINE.items() if name in said]
    software = [f"{name} {said[name]}" for name in SOFTWARE if name in said]
    cpu = said.get("cpu_model")
    host = [cpu] if cpu and record.device != "cpu" else []
    words = ", ".join([device_label(record), *host, *machine, *software])
    if "commit" in said:
        is_clean = record.environment.get("dirty", "") in CLEAN
        words += f", commit {said['commit'][:12]}"
        words += "" if is_clean else " with changes that are not committed"
    return words
