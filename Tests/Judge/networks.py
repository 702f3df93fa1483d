"""The network: MONAI's UNet as METHOD.md, "Weights of other people", describes it, in float64."""

import ast
import json

import numpy
import safetensors
import safetensors.torch
import torch
from monai.networks.nets import UNet

torch.set_num_threads(1)


def metadata_of(channels, strides, residual_units):
    return {
        "architecture": "monai.UNet", "in_channels": "1", "out_channels": "2", "channels": str(tuple(channels)),
        "strides": str(tuple(strides)), "num_res_units": str(residual_units), "norm": "INSTANCE", "act": "PRELU",
    }


def new_network(channels, strides, residual_units, seed):
    torch.manual_seed(seed)
    return UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=tuple(channels), strides=tuple(strides),
                num_res_units=residual_units, norm="INSTANCE", act="PRELU")


def load_network(path):
    """A replica's file, as anybody may read it: everything that makes the network stands in its metadata."""
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    channels, strides = (ast.literal_eval(metadata[name]) for name in ("channels", "strides"))
    network = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=tuple(channels), strides=tuple(strides),
                   num_res_units=int(metadata["num_res_units"]), norm="INSTANCE", act="PRELU")
    network.load_state_dict(safetensors.torch.load_file(path))
    return network.double().eval(), metadata


def save_network(path, network, metadata):
    """Safetensors by hand: their own writer puts the metadata in another order every time."""
    header, parts, place = {"__metadata__": metadata}, [], 0
    for name, tensor in network.state_dict().items():
        data = tensor.detach().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [place, place + len(data)]}
        parts.append(data)
        place += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def logits_of(network, image):
    with torch.no_grad():
        tensor = torch.from_numpy(image.astype(numpy.float64))[None, None]
        return network(tensor)[0].numpy()


def probability(network, image):
    """Softmax of class 1."""
    logits = logits_of(network, image)
    return 1.0 / (1.0 + numpy.exp(logits[0] - logits[1]))
