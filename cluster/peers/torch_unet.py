"""The same network in PyTorch and MONAI, as a user would train it.

    python torch_unet.py infer|train|start --size 32x256x256 --threads 2 --batch 1 --samples 3
    python torch_unet.py layers --threads 2 --samples 3 < rows.json

infer and train print seconds a sample; start says "first step begins" on stderr when the first training step would
begin, and ends; layers times single convolutions, whose list it reads (benchmark.py writes it).
"""
import argparse
import json
import sys

from measure import peak_memory_bytes, seconds


def network_step(torch, mode, size, batch):
    from monai.losses import DiceCELoss
    from monai.networks.nets import UNet

    torch.manual_seed(0)
    network = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=(16, 32, 64, 128, 256),
                   strides=(2, 2, 2, 2), num_res_units=2, norm="INSTANCE", act="PRELU")
    image = torch.rand(batch, 1, *size)
    if mode == "infer":
        network.eval()

        def infer():
            with torch.inference_mode():
                torch.softmax(network(image), dim=1)
        return infer
    target = (image > 0.95).float()
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True)
    optimiser = torch.optim.Adam(network.parameters(), 3e-4)

    def train():
        optimiser.zero_grad()
        loss_of(network(image), target).backward()
        optimiser.step()
    return train


def convolution_step(torch, row):
    """row: operation, inputs, outputs, kernel, stride, transposed, size (of the input)."""
    kernel, stride, transposed = row["kernel"], row["stride"], row["transposed"]
    channels = (row["inputs"], row["outputs"]) if transposed else (row["outputs"], row["inputs"])
    weight, image = torch.rand(*channels, *[kernel] * 3), torch.rand(1, row["inputs"], *row["size"])
    padding, more = [kernel // 2] * 3, [stride - 1 if transposed else 0] * 3
    setting = ([stride] * 3, padding, [1] * 3, transposed, more, 1)
    if row["operation"] == "convolution":
        return lambda: torch.ops.aten.convolution(image, weight, None, *setting)
    gradient = torch.rand_like(torch.ops.aten.convolution(image, weight, None, *setting))
    wanted = [row["operation"] == "data gradient", row["operation"] == "weight gradient", False]
    return lambda: torch.ops.aten.convolution_backward(gradient, image, weight, None, *setting, wanted)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["infer", "train", "start", "layers"])
    parser.add_argument("--size", default="32x256x256")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--samples", type=int, default=3)
    arguments = parser.parse_args()
    import torch
    torch.set_num_threads(arguments.threads)
    size = [int(side) for side in arguments.size.split("x")]
    if arguments.mode == "start":
        network_step(torch, "train", size, arguments.batch)
        print("first step begins", file=sys.stderr, flush=True)
        return
    if arguments.mode == "layers":
        with torch.no_grad():
            times = [seconds(convolution_step(torch, row), arguments.samples) for row in json.load(sys.stdin)]
        print(json.dumps({"rows": times}))
        return
    times = seconds(network_step(torch, arguments.mode, size, arguments.batch), arguments.samples)
    print(json.dumps({"seconds": [time / arguments.batch for time in times], "peakMemoryBytes": peak_memory_bytes()}))


main()
