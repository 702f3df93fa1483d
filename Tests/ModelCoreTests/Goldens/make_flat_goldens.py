"""Makes the goldens that FlatNetworkTests reads: the liver paper's two networks and those of its ablation, small,
written down again in PyTorch.

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


class Autoencoder(nn.Module):
    def __init__(self, base):
        super().__init__()
        widths = [base * m for m in (1, 2, 4, 8, 8)]
        self.encoder, self.decoder = nn.Module(), nn.Module()
        for level, (inputs, outputs) in enumerate(zip([1] + widths, widths)):
            setattr(self.encoder, f"block{level + 1}", activated(inputs, outputs, outputs))
        for number, (width, after) in enumerate(((8, 4), (4, 2), (2, 1), (1, 1)), 1):
            up = activated(base * width, base * width)
            up.insert(0, nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True))
            setattr(self.decoder, f"up{number}", up)
            setattr(self.decoder, f"db{number}", activated(base * width, base * width, base * after))
        self.decoder.fin_out = nn.Sequential(nn.Conv2d(base, 1, 3, padding=1))

    def forward(self, x):
        for level in range(5):
            x = getattr(self.encoder, f"block{level + 1}")(functional.max_pool2d(x, 2) if level else x)
        for number in range(1, 5):
            x = getattr(self.decoder, f"db{number}")(getattr(self.decoder, f"up{number}")(x))
        return self.decoder.fin_out(x)


class Together(nn.Module):
    """Trained by the sum of both losses; what it answers is the second network's."""

    def __init__(self, restorer, segmenter):
        super().__init__()
        self.restorer, self.segmenter = restorer, segmenter

    def forward(self, x):
        self.restored = self.restorer(x)
        return self.segmenter(torch.cat([self.restored, x], 1))


def focal(logits, target):
    p = torch.softmax(logits, 1)
    wanted = functional.one_hot(target, 2).movedim(3, 1).to(p.dtype).clamp(1e-5, 1 - 1e-5)
    right = (wanted * p).sum(1) + 1e-5
    return (-(1 - right) ** 2 * right.log()).mean()


def make(name, network, exact, x, target, loss, metadata, image=None):
    exact.load_state_dict(network.state_dict())
    exact = exact.double().train()
    tensors = {k: v.detach().clone() for k, v in network.state_dict().items()}
    tensors["golden.input"] = x
    tensors["golden.target"] = target.to(torch.uint8) if target.dtype == torch.int64 else target
    wanted = target if target.dtype == torch.int64 else target.double()
    alone = loss
    if image is not None:
        tensors["golden.image"] = image
        loss = lambda answer, target: alone(answer, target) + absolute(exact.restored, image.double())
    loss(exact(x.double()), wanted).backward()
    fresh = {k: v.clone() for k, v in network.state_dict().items()}
    for key, value in exact.named_parameters():
        # The largest ones would make the file twice as large.
        if value.numel() <= (1200 if image is None else 300):
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


def absolute(x, target):
    return (x - target).abs().mean()


def ten_steps(network, x, target, loss, image):
    """Losses of ten steps, and the gradients of the first."""
    optimiser, losses, gradients = torch.optim.Adam(network.parameters(), 1e-4), [], []
    for step in range(10):
        optimiser.zero_grad()
        value = loss(network(x), target)
        if image is not None:
            value = value + absolute(network.restored, image)
        value.backward()
        gradients = gradients or [p.grad.clone().double() for p in network.parameters()]
        optimiser.step()
        losses.append(value.item())
    return torch.tensor(losses, dtype=torch.float64), gradients


def steady(name, network, x, target, loss, metadata, image=lambda: None):
    """A golden of the first seed at which PyTorch agrees with itself in fp64: with few pixels on the lowest level, one
    that a pool takes for the largest or not moves all gradients behind it."""
    double = lambda t: t.double() if t is not None and t.dtype == torch.float32 else t
    # The seeds that were found; counting from 1 takes minutes.
    for seed in range({"autoencoder": 13, "together": 71}[name], 200):
        torch.manual_seed(seed)
        given, wanted, picture, single, exact = x(), target(), image(), network(), network()
        fresh = {k: v.clone() for k, v in single.state_dict().items()}
        exact.load_state_dict(fresh)
        near = ten_steps(single.train(), given, wanted, loss, picture)
        far = ten_steps(exact.double().train(), double(given), double(wanted), loss, double(picture))
        worst = max(((a - b).norm() / b.norm()).item() for a, b in zip(near[1], far[1]) if b.abs().max() > 1e-9)
        drift = ((near[0] - far[0]).abs() / far[0]).max().item()
        if worst < 1e-4 and drift < 1e-5:
            single.load_state_dict(fresh)
            print(name, "seed", seed, "gradients", worst, "losses", drift)
            return make(name, single, network(), given, wanted, loss, metadata, picture)
    raise SystemExit(f"no steady case of {name}")


torch.manual_seed(1)
WIDTHS = [8, 16]
DENOISING = {"architecture": "denoising.UNet", "in_channels": "1", "n_classes": "1", "widths": str(WIDTHS),
             "norm": "group", "up_mode": "upconv", "padding": "True"}
DISCRIMINATIVE = {"architecture": "DRAEM.DiscriminativeSubNetwork", "in_channels": "2", "out_channels": "2",
                  "base_channels": "2"}
make("denoising", Denoising(WIDTHS), Denoising(WIDTHS), torch.rand(3, 1, 10, 14), torch.rand(3, 1, 10, 14),
     absolute, DENOISING)
make("discriminative", Discriminative(2), Discriminative(2), torch.rand(3, 2, 64, 64),
     (torch.rand(3, 64, 64) > 0.8).long(), focal, DISCRIMINATIVE)
steady("autoencoder", lambda: Autoencoder(2), lambda: torch.rand(3, 1, 32, 48), lambda: torch.rand(3, 1, 32, 48),
       absolute,
       {"architecture": "DRAEM.ReconstructiveSubNetwork", "in_channels": "1", "out_channels": "1", "base_width": "2"})
steady("together", lambda: Together(Denoising(WIDTHS), Discriminative(2)), lambda: torch.rand(3, 1, 64, 64),
       lambda: (torch.rand(3, 64, 64) > 0.8).long(), focal,
       {"restorer." + key: value for key, value in DENOISING.items()}
       | {"segmenter." + key: value for key, value in DISCRIMINATIVE.items()},
       lambda: torch.rand(3, 1, 64, 64))
