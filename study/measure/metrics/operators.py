"""The operators that a call runs, as PyTorch dispatches them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


@dataclass
class Operators:
    """What was seen of one call.

    Attributes:
        count: Operators that compute a tensor; views are none.
        products: Results of matrix products, convolutions and attention, on the meta device.
    """

    count: int = 0
    products: list[Tensor] = field(default_factory=list)

    @property
    def channels_last(self) -> int:
        """Products whose result is in channels-last order, and not in the usual one as well."""
        return sum(
            one.ndim in FORMATS
            and not one.is_contiguous()
            and one.is_contiguous(memory_format=FORMATS[one.ndim])
            for one in self.products
        )


def run_operators(call: Callable[[], Any]) -> Operators:
    """Call once, and see what runs."""
    observer = _Observer()
    with torch.no_grad(), observer:
        call()
    return observer.seen


class _Observer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = Operators()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        packet, values = func._overloadpacket, kwargs or {}
        if packet not in flop_registry:
            with self:  # in inference mode, composed operators arrive whole
                result = func.decompose(*args, **values)
            if result is not NotImplemented:
                return result
        result = func(*args, **values)
        first = result[0] if isinstance(result, tuple | list) and result else result
        if torch.is_tensor(first) and not func.is_view and packet.__name__ != "detach":
            self.seen.count += 1
            if packet in flop_registry or "scaled_dot_product" in packet.__name__:
                self.seen.products.append(first.to("meta"))
        return result
