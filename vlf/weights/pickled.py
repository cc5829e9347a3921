"""Unpickle a file of torch.save without importing or calling anything that the file names.

A global in a pickle is not looked up: it is a `Name`, a plain value. Where a pickle calls a name,
tensors and dictionaries are made by functions of this module and everything else is an `Inert`
object, which holds what was put into it and has no behaviour. A value that torch's own reader would
allow (a device, a set, a quantised tensor) is inert too, unless a state dict needs it.

Only entries under a text key are kept, since a state dict has no others: so a key cannot be an
object that is slow or deep to hash.
"""

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, cast

import torch
from torch import Tensor

LoadStorage = Callable[[str, torch.dtype, int], Tensor]  # key, type, number of elements -> flat
MOST_DIMENSIONS = 64
MOST_ELEMENTS = 2**40  # of a tensor; a view that repeats a few bytes may claim any size

STORAGES = {  # their names, in torch and torch.cuda and in modules of other devices
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
    "QInt8Storage": torch.int8,  # what they hold is skipped: quantised tensors are inert
    "QUInt8Storage": torch.uint8,
    "QInt32Storage": torch.int32,
    "QUInt4x2Storage": torch.uint8,
    "QUInt2x4Storage": torch.uint8,
}
DTYPES = {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}


@dataclass(frozen=True)
class Name:
    """A global that a pickle names: "torch._utils._rebuild_tensor_v2", "os.system"."""

    path: str


class Inert(dict[str, Any]):
    """An object of a class or function that was not imported, with the entries put into it.

    Attributes:
        path: Name of the class or function.
        state: What the pickle would have set its attributes to.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.state: Any = None


def _extend(target: Any, items: list[Any]) -> None:
    if type(target) is list:
        target.extend(items)


def _fill(target: Any, items: list[Any]) -> Any:
    if isinstance(target, dict):
        pairs = zip(items[::2], items[1::2], strict=True)
        target.update({key: value for key, value in pairs if isinstance(key, str)})
    return target


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler (protocols 0 to 5); what its instructions make is inert."""

    stack: list[Any]

    def load_reduce(self: Any) -> None:
        args = self.stack.pop()
        self.stack.append(_make(self.stack.pop(), args))

    load_newobj = load_reduce

    def load_newobj_ex(self: Any) -> None:
        self.stack.pop()  # keywords
        self.load_reduce()

    def load_inst(self: Any) -> None:
        path = ".".join(self.readline()[:-1].decode("utf-8", "replace") for _ in range(2))
        args = tuple(self.pop_mark())  # changes what self.append appends to
        self.append(_make(Name(path), args))

    def load_obj(self: Any) -> None:
        made, *args = self.pop_mark()
        self.append(_make(made, tuple(args)))

    def load_build(self: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert):
            self.stack[-1].state = state

    def load_append(self: Any) -> None:
        _extend(self.stack[-2], [self.stack.pop()])

    def load_appends(self: Any) -> None:
        items = self.pop_mark()
        _extend(self.stack[-1], items)

    def load_setitem(self: Any) -> None:
        pair = self.stack[-2:]
        del self.stack[-2:]
        _fill(self.stack[-1], pair)

    def load_setitems(self: Any) -> None:
        items = self.pop_mark()
        _fill(self.stack[-1], items)

    def load_dict(self: Any) -> None:
        items = self.pop_mark()
        self.append(_fill({}, items))

    def load_additems(self: Any) -> None:
        self.pop_mark()  # members of a set are left out

    def load_frozenset(self: Any) -> None:
        self.pop_mark()
        self.append(Inert("builtins.frozenset"))

    def load_bytearray8(self: Any) -> None:
        # Python's makes room for as many bytes as the file claims, before it reads any.
        self.append(self.read(int.from_bytes(self.read(8), "little")))


# Instruction -> the method of the same name as Python's own, ours where there is one.
_Unpickler.dispatch = {
    opcode: getattr(_Unpickler, method.__name__)
    for opcode, method in pickle._Unpickler.dispatch.items()
}


class Unpickler(_Unpickler):
    """Reads a pickle without importing or calling anything that it names.

    Args:
        file: Open at the first byte of a pickle.
        load_storage: Gives the elements that a tensor is a view of.
    """

    def __init__(self, file: IO[bytes], load_storage: LoadStorage) -> None:
        super().__init__(file, encoding="utf-8", errors="replace")
        self._load_storage = load_storage

    def find_class(self, module: str, name: str) -> Any:
        """Any global, as a name."""
        return Name(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """The elements of a storage; the source text of a module's class is left out."""
        if isinstance(pid, tuple) and pid[:1] == ("module",):
            return Inert("torch.nn.Module")
        if not (isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage"):
            raise pickle.UnpicklingError("an id that torch does not write")
        kind, key, _, count = pid[1:5]
        dtype = STORAGES.get(kind.path.rpartition(".")[2]) if isinstance(kind, Name) else None
        if len(pid) == 6 and pid[5] is not None:
            raise pickle.UnpicklingError("a view of a storage, as torch 0.3 and older write it")
        if not isinstance(count, int) or count < 0:
            raise pickle.UnpicklingError("a storage without a size")
        if dtype is None:
            return Inert(kind.path if isinstance(kind, Name) else "a storage")
        return self._load_storage(str(key), dtype, count)

    def get_extension(self, code: int) -> None:
        """A global by its number in a registry that no file can fill."""
        self.stack.append(Inert(f"extension {code}"))


def _make(called: Any, args: Any) -> Any:
    """Result of calling `called` with `args` in a pickle."""
    path = called.path if isinstance(called, Name) else "an object"
    maker = MAKERS.get(path)
    if maker is None or not isinstance(args, tuple):
        return Inert(path)
    return maker(*args)


def _mapping(*args: Any) -> dict[str, Any]:
    """An OrderedDict as Python 2 wrote it, of pairs, or an empty one that is filled later."""
    pairs = args[0] if args and isinstance(args[0], list) else []
    return cast(dict[str, Any], _fill({}, [value for pair in pairs for value in pair]))


def _tensor(
    flat: Any,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Any:
    if not isinstance(flat, Tensor):
        return Inert(getattr(flat, "path", "a tensor"))
    if metadata:
        return Inert("a conjugated or negated view")
    if len(size) > MOST_DIMENSIONS or math.prod(size) > MOST_ELEMENTS:
        raise pickle.UnpicklingError("a tensor of too many elements")
    return flat.as_strided(size, stride, offset)  # torch checks that it is inside


def _typed_tensor(
    flat: Any,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Any:
    known = DTYPES.get(dtype.path) if isinstance(dtype, Name) else None
    if known is None or not isinstance(flat, Tensor):
        return Inert(getattr(dtype, "path", "a tensor"))
    return _tensor(flat.view(known), offset, size, stride, metadata=metadata)


def _parameter(data: Any = None, *rest: Any) -> Any:
    return data


MAKERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _mapping,
    "collections.defaultdict": _mapping,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch._tensor._rebuild_from_type_v2": lambda function, kind, args, state=None: _make(
        function, args
    ),
}
