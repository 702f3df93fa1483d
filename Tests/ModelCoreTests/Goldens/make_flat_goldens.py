"""Makes the goldens that FlatNetworkTests reads: the liver paper's two networks, small, written down again in PyTorch.

    python3 -m venv venv && venv/bin/pip install torch safetensors
    venv/bin/python Tests/ModelCoreTests/Goldens/make_flat_goldens.py

A file holds the weights under the names of the paper's program, and with the prefix "golden." a batch, its target,
the answers before and after ten Adam steps, their losses, and the gradients of the first step, all in fp64: with few
pixels on the lowest level a batch norm makes much of PyTorch's own rounding.
"""
import os

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

HERE = os.path.dirname(os.path.abspath(__file__))


class Standardised(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        spread = weight.flatten(1).std(dim=1) + 1e-5
        return functional.conv2d(x, weight / spread[:, None, None, None], self.bias)


def groups(channels):
    divisors = [i for i in range(1, channels + 1) if channels % i == 0]
    return divisors[len(divisors) // 2]


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        half = lambda a: [nn.ReflectionPad2d(1), Standardised(a, outputs, 3), nn.SiLU(),
                          nn.GroupNorm(groups(outputs), outputs)]
        self.block = nn.Sequential(*half(inputs), *half(outputs))

    def forward(self, x):
        return self.block(x)


class Up(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.conv_block = Block(inputs, outputs)

    def forward(self, x, skip):
        return self.conv_block(torch.cat([self.up(x), skip], 1))


class Denoising(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.down_path = nn.ModuleList(Block(a, b) for a, b in zip([1] + widths, widths))
        self.up_path = nn.ModuleList(Up(b, a) for a, b in reversed(list(zip(widths, widths[1:]))))
        self.last = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x):
        skips = []
        for level, down in enumerate(self.down_path):
            x = down(functional.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        for up, skip in zip(self.up_path, reversed(skips[:-1])):
            x = up(x, skip)
        return self.last(x)


def activated(*sizes):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class Discriminative(nn.Module):
    def __init__(self, base):
        super().__init__()
        widths = [base * m for m in (1, 2, 4, 8, 8, 8)]
        self.encoder_segment, self.decoder_segment = nn.Module(), nn.Module()
        for level, (inputs, outputs) in enumerate(zip([2] + widths, widths)):
            setattr(self.encoder_segment, f"block{level + 1}", activated(inputs, outputs, outputs))
        last = widths[5]
        for name, outputs, skip in zip(("_b", "1", "2", "3", "4"), [base * m for m in (8, 4, 2, 1, 1)], widths[4::-1]):
            up = activated(last, outputs)
            up.insert(0, nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True))
            setattr(self.decoder_segment, "up" + name, up)
            setattr(self.decoder_segment, "db" + name, activated(outputs + skip, outputs, outputs))
            last = outputs
        self.decoder_segment.fin_out = nn.Sequential(nn.Conv2d(base, 2, 3, padding=1))

    def forward(self, x):
        skips = []
        for level in range(6):
            x = getattr(self.encoder_segment, f"block{level + 1}")(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for name, skip in zip(("_b", "1", "2", "3", "4"), skips[4::-1]):
            x = getattr(self.decoder_segment, "up" + name)(x)
            x = getattr(self.decoder_segment, "db" + name)(torch.cat((x, skip), 1))
        return self.decoder_segment.fin_out(x)


def focal(logits, target):
    p = torch.softmax(logits, 1)
    wanted = functional.one_hot(target, 2).movedim(3, 1).to(p.dtype).clamp(1e-5, 1 - 1e-5)
    right = (wanted * p).sum(1) + 1e-5
    return (-(1 - right) ** 2 * right.log()).mean()


def make(name, network, exact, x, target, loss, metadata):
    exact.load_state_dict(network.state_dict())
    exact = exact.double().train()
    tensors = {k: v.detach().clone() for k, v in network.state_dict().items()}
    tensors["golden.input"] = x
    tensors["golden.target"] = target.to(torch.uint8) if target.dtype == torch.int64 else target
    wanted = target if target.dtype == torch.int64 else target.double()
    loss(exact(x.double()), wanted).backward()
    fresh = {k: v.clone() for k, v in network.state_dict().items()}
    for key, value in exact.named_parameters():
        # The largest ones would make the file twice as large.
        if value.numel() <= 1200:
            tensors["golden.gradient." + key] = value.grad.float()
    with torch.no_grad():
        tensors["golden.before"] = network.eval()(x).contiguous()
    exact.load_state_dict(fresh)
    exact.train()
    optimiser, losses = torch.optim.Adam(exact.parameters(), 1e-4), []
    for _ in range(10):
        optimiser.zero_grad()
        value = loss(exact(x.double()), wanted)
        value.backward()
        optimiser.step()
        losses.append(value.item())
    with torch.no_grad():
        tensors["golden.after"] = exact.eval()(x.double()).float().contiguous()
    tensors["golden.losses"] = torch.tensor(losses, dtype=torch.float64)
    save_file(tensors, os.path.join(HERE, f"flat_{name}.safetensors"), metadata=metadata)


torch.manual_seed(1)
WIDTHS = [8, 16]
make("denoising", Denoising(WIDTHS), Denoising(WIDTHS), torch.rand(3, 1, 10, 14), torch.rand(3, 1, 10, 14),
     lambda x, target: (x - target).abs().mean(),
     {"architecture": "denoising.UNet", "in_channels": "1", "n_classes": "1", "widths": str(WIDTHS), "norm": "group",
      "up_mode": "upconv", "padding": "True"})
make("discriminative", Discriminative(2), Discriminative(2), torch.rand(3, 2, 64, 64),
     (torch.rand(3, 64, 64) > 0.8).long(), focal,
     {"architecture": "DRAEM.DiscriminativeSubNetwork", "in_channels": "2", "out_channels": "2", "base_channels": "2"})
