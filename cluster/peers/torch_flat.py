"""The liver recipe's two networks in PyTorch, as their authors train them: batches of 2D slices.

    python torch_flat.py infer|train --network restorer --size 8x256x256 --threads 2 --samples 3

restorer is the denoising U-Net (mirrored, weight-standardised convolutions, Swish, group norm; L1), segmenter DRAEM's
discriminative U-Net (batch norm, ReLU; focal loss). Seconds are those of a whole batch. --tuned lays channels last and
takes denormal numbers for 0, without which a training step of the restorer takes minutes: many of its activations are
far below 0, where Swish is nearly 0.
"""
import argparse
import json

import torch
from measure import peak_memory_bytes, seconds
from torch import nn
from torch.nn import functional


class Standardised(nn.Conv2d):
    def forward(self, x):
        deviation, mean = torch.std_mean(self.weight, dim=(1, 2, 3), keepdim=True)
        return functional.conv2d(x, (self.weight - mean) / (deviation + 1e-5), self.bias)


def block(inputs, outputs, groups):
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.ReflectionPad2d(1), Standardised(channels, outputs, 3), nn.SiLU(inplace=True),
                   nn.GroupNorm(groups, outputs)]
    return nn.Sequential(*layers)


class Restorer(nn.Module):
    def __init__(self, widths=(64, 128, 256, 512), groups=(8, 16, 16, 32)):
        super().__init__()
        self.down = nn.ModuleList(block(*sizes) for sizes in zip((1, *widths), widths, groups))
        pairs = list(zip(widths, widths[1:], groups))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, own, 2, stride=2) for own, deep, _ in pairs)
        self.join = nn.ModuleList(block(deep, own, group) for own, deep, group in pairs)
        self.last = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x):
        skips = []
        for level, down in enumerate(self.down):
            x = down(functional.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        for up, join, skip in zip(self.up, self.join, skips[-2::-1]):
            x = join(torch.cat([up(x), skip], 1))
        return self.last(x)


def activated(*sizes):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class Segmenter(nn.Module):
    def __init__(self, base=64):
        super().__init__()
        widths = [base * multiple for multiple in (1, 2, 4, 8, 8, 8)]
        self.down = nn.ModuleList(activated(a, b, b) for a, b in zip([2, *widths], widths))
        outputs = [base * multiple for multiple in (8, 4, 2, 1, 1)]
        self.up = nn.ModuleList(activated(a, b) for a, b in zip([widths[-1], *outputs], outputs))
        self.join = nn.ModuleList(activated(a + b, a, a) for a, b in zip(outputs, widths[-2::-1]))
        self.last = nn.Conv2d(base, 2, 3, padding=1)

    def forward(self, x):
        skips = []
        for level, down in enumerate(self.down):
            x = down(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for up, join, skip in zip(self.up, self.join, skips[-2::-1]):
            x = up(functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True))
            x = join(torch.cat([x, skip], 1))
        return self.last(x)


def focal(logits, target):
    right = torch.softmax(logits, 1).gather(1, target[:, None]).clamp_min(1e-5)
    return (-(1 - right) ** 2 * right.log()).mean()


def step(mode, name, size, tuned):
    torch.manual_seed(0)
    network = Restorer() if name == "restorer" else Segmenter()
    count, height, width = size
    image = torch.rand(count, 1 if name == "restorer" else 2, height, width)
    target = image[:, :1] if name == "restorer" else (image[:, 0] > 0.95).long()
    if tuned:
        network, image = (thing.to(memory_format=torch.channels_last) for thing in (network, image))
    if mode == "infer":
        network.eval()

        def infer():
            with torch.inference_mode():
                answer = network(image)
                return answer if name == "restorer" else torch.softmax(answer, dim=1)
        return infer
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)

    def train():
        optimiser.zero_grad()
        answer = network(image)
        (functional.l1_loss(answer, target) if name == "restorer" else focal(answer, target)).backward()
        optimiser.step()
    return train


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["infer", "train"])
    parser.add_argument("--network", choices=["restorer", "segmenter"], required=True)
    parser.add_argument("--size", default="8x256x256")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--tuned", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.tuned:
        torch.set_flush_denormal(True)
    size = [int(side) for side in arguments.size.split("x")]
    times = seconds(step(arguments.mode, arguments.network, size, arguments.tuned), arguments.samples)
    print(json.dumps({"seconds": times, "peakMemoryBytes": peak_memory_bytes()}))


main()
