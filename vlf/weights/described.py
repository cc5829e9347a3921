"""Settings that a weight file or its folder states and its weights do not show."""

import re
from collections.abc import Mapping
from typing import Any

from vlf.config import ModelConfig

# Their names of activations -> ours. "gelu_fast" and the like are the same approximation.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}

# What the text of a training config says -> the value of ours that no shape shows.
SAID = {
    ("tsm", "shift_div"): r"\bshift_div['\"]?\s*[:=]\s*(\d+)",
    ("vtn_longformer", "heads"): r"\bNUM_ATTENTION_HEADS:\s*(\d+)",
    ("vtn_longformer", "window"): r"\bATTENTION_WINDOW:\s*(?:[-\[]\s*)?(\d+)",
}


def check_said(config: ModelConfig, text: str) -> None:
    """Refuse weights whose training config says another value of what no shape shows.

    Args:
        config: The architecture.
        text: The training config, as text; may be empty.

    Raises:
        ValueError: If it says one, once or always the same, and `config` another.
    """
    for (name, key), pattern in SAID.items():
        values = set(re.findall(pattern, text)) if name == config.name else set()
        own = getattr(config, key, None)
        if len(values) == 1 and int(theirs := values.pop()) != own:
            raise ValueError(f"was made with {key} {theirs}: say model.{key}: {theirs}, not {own}")


def check_described(config: ModelConfig, described: Mapping[str, Any]) -> None:
    """Refuse weights that would load and compute something else.

    Args:
        config: The architecture.
        described: The values of config.json; empty where there is none.

    Raises:
        ValueError: If it has other heads or another activation than `config`.
    """
    heads = described.get("num_attention_heads")
    own_heads = getattr(config, "heads", None)
    if heads is not None and own_heads is not None and heads != own_heads:
        raise ValueError(f"was made with {heads} heads: say model.heads: {heads}, not {own_heads}")
    theirs = described.get("hidden_act")
    if theirs is None or own_heads is None:
        return
    activation, own = ACTIVATIONS.get(theirs), getattr(config, "activation", "gelu")
    if activation is None:
        raise ValueError(f"was made with the activation {theirs}, which {config.name} has not")
    if activation != own:
        fix = f"say model.activation: {activation}" if hasattr(config, "activation") else ""
        raise ValueError(f"was made with the activation {theirs}, not {own}; {fix}".rstrip("; "))
