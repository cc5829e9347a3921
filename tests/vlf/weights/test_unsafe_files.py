"""Weight files that would run code, take memory or time, or are damaged."""

import contextlib
import io
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch

from vlf.config import ConfigError, MotionConfig, TSNConfig
from vlf.models import build_model
from vlf.weights.files import read_weights

GOOD = {"state_dict": {"f.0.weight": torch.arange(6.0).view(2, 3)}}


class Acts:
    """Leaves a file behind when it is made, or when its state is set."""

    def __new__(cls, **options):
        Path("planted").touch()
        return super().__new__(cls)

    def __setstate__(self, state):
        Path("planted").touch()


class ActsOnState:
    def __setstate__(self, state):
        Path("planted").touch()


HERE = __name__.encode()
OPEN = b"cbuiltins\nopen\n"
PLANT = b"(Vplanted\nVw\nt"  # the arguments of open
SHORT = b"\x8c"  # text of fewer than 256 bytes, protocol 4


def text(value):
    return SHORT + bytes([len(value)]) + value


PAYLOADS = {  # what runs code in Python's unpickler, less its end
    "a called function": OPEN + PLANT + b"R",
    "a class and its arguments": b"(Vplanted\nVw\nibuiltins\nopen\n",
    "an object": b"(" + OPEN + b"Vplanted\nVw\no",
    "a new object": b"c" + HERE + b"\nActs\n)\x81",
    "a new object with keywords": b"c" + HERE + b"\nActs\n)}\x92",
    "a state": b"c" + HERE + b"\nActsOnState\n)\x81}b",
    "a dotted name": text(b"torch.serialization") + text(b"io.open") + b"\x93" + PLANT + b"R",
    "an attribute": b"cbuiltins\ngetattr\n(cio\nFileIO\nV__call__\nt0" + OPEN + PLANT + b"R",
    "getattr": b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(Vio\ntRVopen\ntR" + PLANT + b"R",
    "eval": b"cbuiltins\neval\n(Vopen('planted', 'w')\ntR",
    "a tensor's own function": b"ctorch._tensor\n_rebuild_from_type_v2\n("
    + OPEN
    + b"ctorch\nTensor\n"
    + PLANT
    + b"NtR",
}
each_payload = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)


def zipped(path, edit):
    """A file of torch.save whose records `edit` may change: name -> bytes."""
    buffer = io.BytesIO()
    torch.save(GOOD, buffer)
    with zipfile.ZipFile(buffer) as good:
        records = edit({name: good.read(name) for name in good.namelist()})
    with zipfile.ZipFile(path, "w") as bad:
        for name, content in records.items():
            bad.writestr(name, content)
    return path


def with_pickle(path, content):
    def edit(records):
        return {k: content(v) if k.endswith("data.pkl") else v for k, v in records.items()}

    return zipped(path, edit)


def refusal(path):
    with pytest.raises(ValueError) as told:  # noqa: PT011
        read_weights(path)
    said = str(told.value)
    assert said.isprintable()
    assert "weights_only" not in said
    return said


@each_payload
def test_a_payload_runs_in_pythons_unpickler(payload, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with warnings.catch_warnings(), contextlib.suppress(AttributeError, TypeError, RuntimeError):
        warnings.simplefilter("ignore")  # the file that is left open
        pickle.loads(b"\x80\x04" + payload + b".")  # may end badly, but after it has run

    assert (tmp_path / "planted").exists()


@each_payload
@pytest.mark.parametrize("container", ["zip", "old", "old, in its magic number"])
def test_nothing_of_a_file_runs_and_its_tensors_are_read(payload, container, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pth"
    if container == "zip":
        with_pickle(path, lambda good: good[:2] + payload + b"0" + good[2:])
    else:
        torch.save(GOOD, path, _use_new_zipfile_serialization=False)
        parts = path.read_bytes().split(b"\x80\x02")  # magic, version, system, object, keys
        changed = 1 if container.endswith("number") else 4
        parts[changed] = payload + b"0" + parts[changed]
        path.write_bytes(b"\x80\x02".join(parts))

    state = read_weights(path).state

    assert torch.equal(state["f.0.weight"], GOOD["state_dict"]["f.0.weight"])
    assert not (tmp_path / "planted").exists()


def test_a_module_of_the_old_container_writes_no_patch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pth"
    torch.save(GOOD, path, _use_new_zipfile_serialization=False)
    module = b"(Vmodule\n" + b"c" + HERE + b"\nActs\nVfile\nVsource\ntQ0"
    parts = path.read_bytes().split(b"\x80\x02")
    parts[4] = module + parts[4]
    path.write_bytes(b"\x80\x02".join(parts))

    assert read_weights(path).state.keys() == {"f.0.weight"}
    assert list(tmp_path.iterdir()) == [path]


HUGE = 2**60
NESTED = 100_000
CLAIMS = {  # pickles that ask for more than there is, or for ever
    "a dictionary that holds itself": b"\x80\x02}q\x00Vmodel\nh\x00s.",
    "a config that holds itself": b"\x80\x02}q\x00Vcfg\nh\x00s.",
    "a byte array of an exabyte": b"\x80\x05\x96" + HUGE.to_bytes(8, "little") + b".",
    "text of an exabyte": b"\x80\x04\x8d" + HUGE.to_bytes(8, "little") + b".",
    "a frame of an exabyte": b"\x80\x04\x95" + HUGE.to_bytes(8, "little") + b".",
    "a deep key": b"\x80\x02})" + b"\x85" * NESTED + b"Ns.",
    "a deep set": b"\x80\x04\x8f()" + b"\x85" * NESTED + b"\x90.",
    "an id of its own": b"\x80\x02Vanother\nQ.",
    "an empty stack": b"\x80\x02R.",
    "a number of extensions": b"\x80\x02\x82\x01.",
    "no end": b"\x80\x02}",
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_pickle_that_asks_for_too_much_is_one_line(claim, tmp_path):
    assert refusal(with_pickle(tmp_path / "bad.pth", lambda _: claim)).startswith(
        ("cannot be read as weights (", "holds no state dict")
    )


def tensor(count, size, stride, offset=0):
    """A pickled {"f.0.weight": a view of `count` stored values}."""

    def number(value):
        return b"I%d\n" % value

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\n" + number(count) + b"tQ"
    args = b"(" + storage + number(offset) + numbers(size) + numbers(stride) + b"I00\nNt"
    return b"\x80\x02}Vf.0.weight\nctorch._utils\n_rebuild_tensor_v2\n" + args + b"Rs."


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (tensor(10**9, (2, 3), (3, 1)), "data/0 does not hold 1000000000 values"),
        (tensor(6, (200, 300), (300, 1)), "out of bounds"),
        (tensor(6, (2, 3), (3, 1), offset=1), "out of bounds"),
        (tensor(6, (2**30, 2**30), (0, 0)), "a tensor of too many elements"),
        (tensor(6, (1,) * 70, (0,) * 70), "a tensor of too many elements"),
        (tensor(-6, (2, 3), (3, 1)), "a storage without a size"),
    ],
)
def test_a_tensor_lies_inside_of_what_is_stored(view, told, tmp_path):
    assert told in refusal(with_pickle(tmp_path / "bad.pth", lambda _: view))


def test_the_view_that_these_are_made_from_is_read(tmp_path):
    path = with_pickle(tmp_path / "good.pth", lambda _: tensor(6, (2, 3), (3, 1)))

    assert torch.equal(read_weights(path).state["f.0.weight"], torch.arange(6.0).view(2, 3))


def test_a_compressed_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = zipped(tmp_path / "bad.pth", lambda records: records)
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(tmp_path / "bomb.pth", "w") as bad:
        for name in good.namelist():
            packed = zipfile.ZIP_DEFLATED if name.endswith("/0") else zipfile.ZIP_STORED
            content = bytes(50_000_000) if name.endswith("/0") else good.read(name)
            bad.writestr(name, content, packed)

    assert "data/0 is compressed, which torch.save never does" in refusal(tmp_path / "bomb.pth")


def test_one_record_is_not_counted_out_many_times(tmp_path):
    from vlf.weights.torch_file import _Budget

    budget = _Budget(100)
    budget.spend(60)

    with pytest.raises(ValueError, match="claims to hold more data than the file has bytes"):
        budget.spend(60)


@pytest.mark.parametrize("old", [False, True])
def test_a_file_that_is_cut_off_is_told(old, tmp_path):
    path = tmp_path / "cut.pth"
    torch.save(GOOD, path, _use_new_zipfile_serialization=not old)
    path.write_bytes(path.read_bytes()[:-8])

    told = refusal(path)

    assert told.startswith("cannot be read as weights (")
    assert "cut off" in told or "zip" in told


def test_a_flipped_bit_is_told_and_no_weight(tmp_path):
    path = tmp_path / "flipped.pth"
    torch.save(GOOD, path)
    content = path.read_bytes()
    at = content.index(torch.tensor([5.0]).numpy().tobytes())
    path.write_bytes(content[:at] + b"\x01" + content[at + 1 :])

    assert "Bad CRC-32" in refusal(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"\x1f\x8b\x08junk", "is compressed with gzip; unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "fetch it with git lfs pull"),
        (b"<!DOCTYPE html><html>", "is a web page or XML, not a weight file; download it again"),
        (b"\0" * 257 + b"ustar\0", "is a tar archive; unpack it and name the weight file in it"),
        (b"\x1b[31mred", "is not a file of torch.save"),
    ],
)
def test_what_is_no_weight_file_is_named(content, told, tmp_path):
    (tmp_path / "weights.pth").write_bytes(content)

    assert told in refusal(tmp_path / "weights.pth")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_torchscript_program_is_refused(tmp_path):
    program = torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    torch.jit.save(program, tmp_path / "program.pt")

    assert "is a TorchScript program; save model.state_dict() instead" in refusal(
        tmp_path / "program.pt"
    )


@pytest.mark.parametrize("odd", ["sparse", "quantised"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tensors_of_another_kind_are_named(odd, tmp_path):
    tensors = {
        "sparse": lambda: torch.eye(3).to_sparse(),
        "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    }
    torch.save({"f.weight": torch.ones(1), "h.odd": tensors[odd]()}, tmp_path / "odd.pth")

    assert refusal(tmp_path / "odd.pth") == (
        "holds sparse, quantised or sharded tensors (h.odd); save them as plain ones"
    )


def test_keys_of_a_file_reach_no_terminal(tmp_path):
    torch.save({"\x1b[2J\x1b[31mkey\n" + "x" * 500: torch.ones(1)}, tmp_path / "keys.pth")

    with pytest.raises(ConfigError) as told:
        build_model(TSNConfig(weights=str(tmp_path / "keys.pth")), MotionConfig())

    assert told.value.message.isprintable()
    assert len(told.value.message) < 500
