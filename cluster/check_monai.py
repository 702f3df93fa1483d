"""Checks that a replica's file is what MONAI's UNet loads, and that both compute the same.

    python3 -m venv venv && venv/bin/pip install torch monai safetensors
    venv/bin/python cluster/check_monai.py RUN/replica-0.safetensors
    venv/bin/python cluster/check_monai.py RUN/replica-0.safetensors --make-input x.safetensors --size 32,64,64
    quintet apply --weights RUN/replica-0.safetensors --in x.safetensors --out y.safetensors
    venv/bin/python cluster/check_monai.py RUN/replica-0.safetensors --in x.safetensors --out y.safetensors

Exit code 0 when the file loads with strict=True and the logits agree within 1e-4.
"""
import argparse
import ast
import sys

import torch
from monai.networks.nets import UNet
from safetensors import safe_open
from safetensors.torch import load_file, save_file

parser = argparse.ArgumentParser()
parser.add_argument("weights")
parser.add_argument("--make-input", help="write a random input (key x) here and stop")
parser.add_argument("--size", default="32,64,64")
parser.add_argument("--in", dest="input", help="key x, [N, C, D, H, W] or [C, D, H, W]")
parser.add_argument("--out", help="key y: what quintet apply wrote")
arguments = parser.parse_args()

with safe_open(arguments.weights, framework="pt") as file:
    metadata = file.metadata()
number = {key: int(metadata[key]) for key in ("in_channels", "out_channels", "num_res_units")}
network = UNet(spatial_dims=3, channels=ast.literal_eval(metadata["channels"]),
               strides=ast.literal_eval(metadata["strides"]), norm=metadata["norm"], act=metadata["act"], **number)
network.load_state_dict(load_file(arguments.weights), strict=True)
print(f"{arguments.weights}: loads with strict=True, {sum(p.numel() for p in network.parameters())} parameters")

if arguments.make_input:
    size = [int(n) for n in arguments.size.split(",")]
    save_file({"x": torch.randn(1, number["in_channels"], *size)}, arguments.make_input)
elif arguments.input and arguments.out:
    x, y = load_file(arguments.input)["x"], load_file(arguments.out)["y"]
    batch = x if x.dim() == 5 else x[None]
    with torch.no_grad():
        expected = network(batch).reshape(y.shape)
    worst = (expected - y).abs().max().item()
    print(f"logits differ by at most {worst:.2e} (largest {expected.abs().max().item():.2f})")
    sys.exit(0 if worst < 1e-4 else 1)
