"""Makes the goldens that ParityWithMONAITests reads: one safetensors file a case, from PyTorch and MONAI.

    python3 -m venv venv && venv/bin/pip install torch monai safetensors
    venv/bin/python Tests/ModelCoreTests/Goldens/make_goldens.py [NAME ...]

A file holds the weights under MONAI's names, and with the prefix "golden." the input, target, logits, gradients in
fp64 and the losses of ten Adam steps. Nothing random beyond torch.manual_seed.
"""
import os
import sys

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from safetensors.torch import save_file

INSTANCE = {"norm": "INSTANCE", "act": "PRELU"}
HERE = os.path.dirname(os.path.abspath(__file__))
# name, in, out, channels, strides, residual units, size, with gradients and steps, other settings
CASES = [
    ("two_units", 1, 2, (4, 5, 6), (2, 2), 2, (4, 8, 12), True),
    ("no_units", 1, 2, (4, 5, 6), (2, 2), 0, (4, 8, 12), True),
    ("one_unit_stride_one", 2, 3, (5, 5, 7), (2, 1), 1, (4, 8, 8), True),
    ("odd_channels", 3, 2, (5, 17), (2,), 1, (4, 6, 6), True),
    ("identity_at_top", 4, 2, (4, 6), (1,), 2, (3, 6, 7), True),
    ("many_classes", 1, 5, (4, 6), (2,), 1, (4, 6, 6), True),
    ("stride_three", 1, 2, (4, 6), (3,), 1, (6, 6, 9), False),
    ("not_divisible", 1, 2, (4, 4, 6), (2, 2), 1, (5, 7, 10), False),
    ("relu_batch", 1, 2, (4, 5, 6), (2, 2), 2, (8, 8, 12), True, {"norm": "BATCH", "act": "RELU"}),
    ("prelu_batch", 1, 2, (4, 6), (2,), 1, (6, 8, 8), True, {"norm": ("BATCH", {"eps": 1e-5}), "act": "PRELU"}),
    ("leaky_instance_kernel_five", 2, 2, (4, 6), (2,), 1, (6, 8, 8), True,
     {"norm": "INSTANCE", "act": ("LEAKYRELU", {"negative_slope": 0.2}), "kernel_size": 5, "up_kernel_size": 3}),
    ("relu_instance", 1, 2, (4, 5, 6), (2, 2), 1, (4, 8, 12), True, {"norm": "INSTANCE", "act": "RELU"}),
    ("no_norm", 1, 3, (4, 5, 6), (2, 2), 2, (4, 8, 12), True, {"norm": None, "act": "PRELU", "dropout": 0.0}),
    ("per_axis", 1, 2, (4, 5, 6), ((1, 2, 2), (2, 2, 1)), 2, (4, 8, 6), True,
     {**INSTANCE, "kernel_size": (1, 3, 5), "up_kernel_size": (3, 1, 3)}),
    ("two_dimensions", 2, 2, (4, 5, 6), (2, 2), 2, (12, 16), True, {**INSTANCE, "spatial_dims": 2}),
    ("two_dimensions_leaky_batch", 1, 3, (4, 6), ((2, 1),), 1, (12, 10), True,
     {"norm": "BATCH", "act": "LEAKYRELU", "spatial_dims": 2, "kernel_size": (3, 5)}),
    ("two_dimensions_no_units", 1, 2, (16, 32), (2,), 0, (16, 16), True,
     {"norm": None, "act": "RELU", "spatial_dims": 2}),
]


def padded(x, factors):
    sizes = [-(-n // factor) * factor for n, factor in zip(x.shape[2:], factors)]
    full = torch.zeros(*x.shape[:2], *sizes, dtype=x.dtype)
    full[(..., *(slice(n) for n in x.shape[2:]))] = x
    return full


for index, (name, inputs, outputs, channels, strides, units, size, train, *more) in enumerate(CASES):
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    torch.manual_seed(100 + index)
    settings = {"spatial_dims": 3, **(more[0] if more else INSTANCE)}

    def unet():
        return UNet(in_channels=inputs, out_channels=outputs, channels=channels, strides=strides,
                    num_res_units=units, **settings)

    net = unet()
    with torch.no_grad():
        for key, value in net.named_parameters():
            if key.endswith("adn.A.weight"):
                value.add_(0.2 * torch.rand(1) - 0.1)
        for key, value in net.state_dict().items():
            if "running_" in key:
                value.add_(torch.rand_like(value))
            if key.endswith("num_batches_tracked"):
                value.add_(3)
    x = torch.randn(1, inputs, *size)
    factors = [1] * len(size)
    for stride in strides:
        each = [stride] * len(size) if isinstance(stride, int) else stride
        factors = [factor * step for factor, step in zip(factors, each)]
    with torch.no_grad():
        logits = net.eval()(padded(x, factors))[(..., *(slice(n) for n in size))].contiguous()
    net.train()
    tensors = {k: v.detach().clone() for k, v in net.state_dict().items()}
    tensors["golden.input"], tensors["golden.logits"] = x[0], logits[0]
    if train:
        target = torch.randint(0, outputs, (1, 1, *size))
        tensors["golden.target"] = target[0, 0].to(torch.uint8)
        loss = DiceCELoss(to_onehot_y=True, softmax=True)
        exact = unet()
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
        **{key: str(value) for key, value in settings.items() if (key, value) != ("spatial_dims", 3)}})
