"""Every architecture, by name. A new one is a file, a config class and a line here."""

from torch import nn

from vlf.config import DataConfig, ModelConfig, load_object
from vlf.models.pixels import Pixels, set_pixels

MODELS: dict[str, str] = {  # name -> "module:Class"; importing one imports no other
    "vlf": "vlf.models.vlf:VLF",
    "tsn": "vlf.models.tsn:TSN",
    "tsm": "vlf.models.tsm:TSM",
    "timesformer": "vlf.models.timesformer:TimeSformer",
    "vivit": "vlf.models.vivit:ViViT",
    "vtn": "vlf.models.vtn:VTN",
    "vtn_longformer": "vlf.models.vtn_longformer:VTNLongformer",
    "torchvision": "vlf.models.peers.torchvision:TorchvisionPeer",
    "transformers": "vlf.models.peers.transformers:TransformersPeer",
}


def build_model(config: ModelConfig, data: DataConfig) -> nn.Module:
    """Build an architecture for the clips of a dataset: (B, T, 3, H, W) -> logits (B, K).

    Its children named f, g, h and head are its parts; every parameter belongs to one of them.
    On the meta device `config.weights` are not read.

    Raises:
        ConfigError: With the dotted key at fault, if it cannot be built for these clips, or its
            weight file does not fit.
    """
    model = load_object(MODELS[config.name])(config, data)
    assert isinstance(model, nn.Module)
    if config.mean is not None and config.std is not None:
        set_pixels(model, Pixels(config.mean, config.std))
    if config.weights is not None and not next(model.parameters()).is_meta:
        from vlf.weights import load_weights

        load_weights(model, config, data, config.weights)
    return model
