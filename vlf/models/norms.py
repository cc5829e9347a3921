"""Partial BatchNorm (TSN, Wang et al. 2016, arXiv:1608.00859).

Of a CNN that comes with weights, every norm but the first is kept as it came.
"""

from collections.abc import Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vlf.config import ConfigError
from vlf.models.backbones import TimmVectors, Tiny


def norms_to_keep(model: nn.Module) -> Sequence[nn.Module]:
    """Every BatchNorm of f's backbone but the first; that of a projection behind it is new.

    Raises:
        ConfigError: If the backbone has no BatchNorm.
    """
    backbones = (m for m in model.modules() if isinstance(m, Tiny | TimmVectors))
    norms = [m for backbone in backbones for m in backbone.modules() if isinstance(m, _BatchNorm)]
    if not norms:
        raise ConfigError("train.partial_bn", "the backbone has no BatchNorm to keep")
    return norms[1:]
