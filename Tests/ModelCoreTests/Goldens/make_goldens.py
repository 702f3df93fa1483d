"""Makes the goldens that ParityWithMONAITests reads: one safetensors file a case, from PyTorch and MONAI.

    python3 -m venv venv && venv/bin/pip install torch monai safetensors
    venv/bin/python Tests/ModelCoreTests/Goldens/make_goldens.py

A file holds the weights under MONAI's names, and with the prefix "golden." the input, target, logits, gradients in
fp64 and the losses of ten Adam steps. Nothing random beyond torch.manual_seed.
"""
import os

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
# name, in, out, channels, strides, residual units, size, with gradients and steps
CASES = [
    ("two_units", 1, 2, (4, 5, 6), (2, 2), 2, (4, 8, 12), True),
    ("no_units", 1, 2, (4, 5, 6), (2, 2), 0, (4, 8, 12), True),
    ("one_unit_stride_one", 2, 3, (5, 5, 7), (2, 1), 1, (4, 8, 8), True),
    ("odd_channels", 3, 2, (5, 17), (2,), 1, (4, 6, 6), True),
    ("identity_at_top", 4, 2, (4, 6), (1,), 2, (3, 6, 7), True),
    ("many_classes", 1, 5, (4, 6), (2,), 1, (4, 6, 6), True),
    ("stride_three", 1, 2, (4, 6), (3,), 1, (6, 6, 9), False),
    ("not_divisible", 1, 2, (4, 4, 6), (2, 2), 1, (5, 7, 10), False),
]


def padded(x, factor):
    sizes = [-(-n // factor) * factor for n in x.shape[2:]]
    full = torch.zeros(*x.shape[:2], *sizes, dtype=x.dtype)
    full[:, :, : x.shape[2], : x.shape[3], : x.shape[4]] = x
    return full


for index, (name, inputs, outputs, channels, strides, units, size, train) in enumerate(CASES):
    torch.manual_seed(100 + index)
    net = UNet(spatial_dims=3, in_channels=inputs, out_channels=outputs, channels=channels, strides=strides,
               num_res_units=units, norm="INSTANCE", act="PRELU")
    with torch.no_grad():
        for key, value in net.named_parameters():
            if key.endswith("adn.A.weight"):
                value.add_(0.2 * torch.rand(1) - 0.1)
    x = torch.randn(1, inputs, *size)
    factor = 1
    for s in strides:
        factor *= s
    with torch.no_grad():
        logits = net(padded(x, factor))[:, :, : size[0], : size[1], : size[2]].contiguous()
    tensors = {k: v.detach().clone() for k, v in net.state_dict().items()}
    tensors["golden.input"], tensors["golden.logits"] = x[0], logits[0]
    if train:
        target = torch.randint(0, outputs, (1, 1, *size))
        tensors["golden.target"] = target[0, 0].to(torch.uint8)
        loss = DiceCELoss(to_onehot_y=True, softmax=True)
        exact = UNet(spatial_dims=3, in_channels=inputs, out_channels=outputs, channels=channels, strides=strides,
                     num_res_units=units, norm="INSTANCE", act="PRELU")
        exact.load_state_dict(net.state_dict())
        exact = exact.double()
        loss(exact(x.double()), target).backward()
        for key, value in exact.named_parameters():
            tensors["golden.gradient." + key] = value.grad.float()
        optimiser = torch.optim.Adam(net.parameters(), 1e-3)
        losses = []
        for _ in range(10):
            optimiser.zero_grad()
            value = loss(net(x), target)
            value.backward()
            optimiser.step()
            losses.append(value.item())
        tensors["golden.losses"] = torch.tensor(losses, dtype=torch.float64)
    save_file(tensors, os.path.join(HERE, f"unet_{name}.safetensors"), metadata={
        "architecture": "monai.UNet", "in_channels": str(inputs), "out_channels": str(outputs),
        "channels": str(list(channels)), "strides": str(list(strides)), "num_res_units": str(units),
        "norm": "INSTANCE", "act": "PRELU"})
