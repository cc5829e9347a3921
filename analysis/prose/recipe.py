"""Data and training of a study's runs in sentences, from the configs in their records."""

from analysis.prose.settings import Settings, listed, value_words

DATASETS = {  # name -> what a paper calls it
    "motion": "synthetic clips whose label is in the motion (dataset motion)",
    "something": "Something-Something V2 (Goyal et al. 2017, arXiv:1706.04261)",
    "jester": "Jester (Materzynska et al. 2019)",
    "kinetics": "Kinetics (Kay et al. 2017, arXiv:1705.06950)",
    "ucf101": "UCF101 (Soomro et al. 2012, arXiv:1212.0402)",
    "hmdb51": "HMDB51 (Kuehne et al. 2011)",
    "epic_kitchens": "EPIC-KITCHENS-100 (Damen et al. 2022, arXiv:2006.13256)",
    "video_list": "video files named by lists of our own",
    "packed": "videos named by lists of our own, packed as JPEG frames",
    "frames": "folders of image files named by lists of our own",
}
SAMPLING = {
    "segments": "one from each of as many equal parts of the video (TSN)",
    "uniform": "one from each of as many equal parts of the video, all at the same place of it",
    "dense": "at equal steps",
}
SOURCES = {  # of the segments of EPIC-KITCHENS-100
    "videos": "cut from its videos by time",
    "rgb_frames": "cut from its images by number",
    "packed": "packed from its videos, cut by time, as JPEG frames",
}
SCHEDULES = {"cosine": "falls to 0 along a cosine", "constant": "stays as it is"}
SELECTED = {
    "last": "the weights after the last epoch",
    "best": "the weights of the epoch that was best on the validation clips",
}


def data_sentences(data: Settings) -> list[str]:
    """Sentences on a dataset: what it is, its splits, and how clips are cut and varied."""
    name = str(data.values("name")[0])
    sentences = [f"The data are {DATASETS.get(name, f'the dataset {name}')}"]
    if data.values("num_classes"):
        sentences[0] += f", {data.say('num_classes')} classes"
    if data.values("source"):
        ways = [SOURCES.get(one, str(one)) for one in data.values("source")]
        sentences[0] += f", {listed(ways, 'or')}"
    if data.is_used("split"):
        sentences[0] += f", split {data.say('split')}"
    sentences[0] += "."
    if data.values("train_clips"):
        sizes = [f"{data.say(f'{split}_clips')} for {words}" for split, words in _SPLITS]
        sentences.append(f"They are made from seed {data.say('seed')}: {listed(sizes)}.")
    if data.is_used("limit"):
        limits = [value for value in data.values("limit") if value]
        words = listed([value_words(one) for one in limits], "or")
        some = "" if len(limits) == len(data.values("limit")) else "In some cells "
        sentences.append(
            f"{some}{'of' if some else 'Of'} each split at most {words} clips are used."
        )
    times = " \N{MULTIPLICATION SIGN} " + data.say("size") if len(data.values("size")) == 1 else ""
    side = f"{data.say('size')}{times} pixels{'' if times else ' a side'}"
    shape = f"A clip has {data.say_many('frames', 'frame')} of {side}"
    if data.values("sampling"):
        taken = [SAMPLING.get(one, str(one)) for one in data.values("sampling")]
        shape += f", taken {listed(taken, 'or')}"
        dense = data.where("sampling", "dense")
        if dense.rows:
            shape += f" (stride {dense.say('stride')})"
    return [*sentences, f"{shape}.", *_augmentation_sentences(data)]


_SPLITS = (("train", "training"), ("val", "validation"), ("test", "the test"))


def _augmentation_sentences(data: Settings) -> list[str]:
    """Sentences on the augmentation of training clips."""
    parts = []
    if "random" in data.values("crop"):
        parts.append("cropped at random")
    if "multi_scale" in data.values("crop"):
        scales = data.where("crop", "multi_scale").say("crop_scales")
        parts.append(f"cropped at several scales ({scales} of the short side)")
    if data.is_used("flip"):
        parts.append(f"mirrored with probability {data.say('flip')}")
    if any(any(one or ()) for one in data.values("jitter")):
        amounts = data.say("jitter")
        parts.append(f"changed in brightness, contrast, saturation and hue by up to {amounts}")
    if data.is_used("rand_augment"):
        strength = data.say("rand_magnitude")
        parts.append(f"changed by {data.say('rand_augment')} RandAugment operations of {strength}")
    if not parts:
        return []
    some = (
        "" if all(len(data.values(name)) < 2 for name in _AUGMENTED) else ", not all in all cells"
    )
    return [f"Training clips are {listed(parts)}{some}."]


_AUGMENTED = ("crop", "flip", "jitter", "rand_augment")


def training_sentences(train: Settings) -> list[str]:
    """The recipe; a setting that nothing used is not told."""
    batches = f"Each run trains for {train.say_many('epochs', 'epoch')} in batches of "
    batches += f"{train.say('batch_size')} clips"
    if train.values("processes") not in ([], [1]):
        batches += f", which {train.say('processes')} processes share"
    sentences = [f"{batches}.", _optimizer(train), *_schedule(train), _loss(train)]
    if train.is_used("clip_norm"):
        sentences.append(f"Gradients are clipped to a norm of {train.say('clip_norm')}.")
    precision = {"bf16": "bf16 mixed precision", "fp32": "fp32"}
    used = [precision.get(one, str(one)) for one in train.values("precision")]
    matmul = f" (matrix products: {train.say('matmul_precision')})"
    sentences.append(f"Training is in {listed(used, 'or')}{matmul}.")
    chosen = [SELECTED.get(one, str(one)) for one in train.values("select")]
    sentences.append(f"Evaluated are {listed(chosen, 'or')}.")
    return sentences


def _optimizer(train: Settings) -> str:
    names = []
    if "adamw" in train.values("optimizer"):
        names.append("AdamW (arXiv:1711.05101)")
    if "muon" in train.values("optimizer"):
        rate = train.where("optimizer", "muon").say("muon_lr")
        names.append(
            f"Muon (arXiv:2502.16982) at a peak learning rate of {rate} for the weights of linear "
            "layers outside of the head, beside AdamW for all else,"
        )
    sgd = train.where("optimizer", "sgd")
    if sgd.rows:
        momentum = f"Nesterov momentum {sgd.say('momentum')}"
        names.append(f"SGD with {momentum}" if sgd.is_used("momentum") else "SGD")
    rate = f"a peak learning rate of {train.say('lr')}"
    if not train.is_used("weight_decay"):
        return f"The optimiser is {listed(names, 'or')} with {rate} and no weight decay."
    decay = f"a weight decay of {train.say('weight_decay')}"
    where = "on the weights of linear and convolutional layers alone"
    return f"The optimiser is {listed(names, 'or')} with {rate} and {decay}, {where}."


def _schedule(train: Settings) -> list[str]:
    then = [SCHEDULES[one] for one in train.values("schedule") if one in SCHEDULES]
    steps = train.where("schedule", "step")
    if steps.rows:
        then.append(f"is multiplied by 0.1 after {steps.say('milestones')} of all epochs")
    if train.is_used("warmup_epochs"):
        rise = f"rises linearly over {train.say_many('warmup_epochs', 'epoch')} and then "
        return [f"The learning rate {rise}{listed(then, 'or')}."]
    return [f"The learning rate {listed(then, 'or')}."]


def _loss(train: Settings) -> str:
    parts = []
    if train.is_used("label_smoothing"):
        parts.append(f"label smoothing {train.say('label_smoothing')}")
    for name in ("mixup", "cutmix"):
        if train.is_used(name):
            parts.append(f"{name} with Beta parameters of {train.say(name)}")
    with_parts = f" with {listed(parts)}" if parts else ""
    return f"The loss is the cross entropy{with_parts}."
