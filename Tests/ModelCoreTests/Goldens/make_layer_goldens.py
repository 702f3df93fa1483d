"""Makes the goldens that LayerKernelTests reads: one safetensors file a family of layers, from PyTorch in double.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python Tests/ModelCoreTests/Goldens/make_layer_goldens.py

Tensors are named case.value and lie as [C, D, H, W]; a case whose name ends in _flat has a batch of D images, the
others one volume. g is the gradient that comes in, d_x the one that goes out to x, and so on. Nothing random beyond
torch.manual_seed; dropout's numbers come from the Philox below.
"""
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
ACTIVATIONS = {
    "identity": lambda x, slope: x,
    "relu": lambda x, slope: F.relu(x),
    "leaky": lambda x, slope: F.leaky_relu(x, 0.01),
    "swish": lambda x, slope: x * torch.sigmoid(x),
    "prelu": lambda x, slope: F.prelu(x, slope),
}


class Family:
    def __init__(self, name, seed):
        torch.manual_seed(seed)
        self.name, self.tensors = name, {}

    def add(self, case, **values):
        for key, value in values.items():
            self.tensors[f"{case}.{key}"] = value.detach().to(torch.float32).contiguous()

    def save(self):
        save_file(self.tensors, os.path.join(HERE, f"layer_{self.name}.safetensors"))


def random(*shape):
    """Floats as the kernels get them, in double."""
    return torch.randn(*shape).double().requires_grad_()


def batch(x, flat):
    return x.permute(1, 0, 2, 3) if flat else x[None]


def plain(y, flat):
    return y.permute(1, 0, 2, 3) if flat else y[0]


def is_flat(case):
    return case.endswith("_flat")


activations = Family("activations", 1)
for name, function in ACTIVATIONS.items():
    x, g, slope = random(5, 3, 3, 7), random(5, 3, 3, 7), torch.tensor([0.3]).double().requires_grad_()
    y = function(x, slope)
    y.backward(g)
    activations.add(name, x=x, g=g, y=y, d_x=x.grad)
    if name == "prelu":
        activations.add(name, slope=slope, d_slope=slope.grad)
activations.save()

norms = Family("norms", 2)
# case, shape, groups, activation before and after; a batch norm has no groups.
for case, shape, groups, before, after in [
    ("group_swish_flat", (20, 2, 3, 3), 5, "swish", "identity"),
    ("group_spans_blocks_flat", (36, 2, 2, 3), 2, "identity", "swish"),
    ("group_leaky", (6, 2, 3, 5), 2, "identity", "leaky"),
    ("instance", (17, 2, 2, 3), 17, "identity", "identity"),
    ("layer_prelu_flat", (3, 2, 2, 7), 1, "identity", "prelu"),
    ("batch_relu_flat", (18, 3, 2, 3), 0, "identity", "relu"),
    ("batch_prelu", (3, 2, 4, 5), 0, "identity", "prelu"),
]:
    flat, channels = is_flat(case), shape[0]
    x, g, scale, shift = random(*shape), random(*shape), random(channels), random(channels)
    slope = torch.tensor([0.3]).double().requires_grad_()
    a = ACTIVATIONS[before](batch(x, flat), slope)
    norms.add(case, x=x, g=g, scale=scale, shift=shift, slope=slope)
    if groups:
        y = ACTIVATIONS[after](F.group_norm(a, groups, scale, shift, 1e-5), slope)
    else:
        mean, variance = random(channels).detach(), (random(channels).detach() ** 2 + 0.1).float().double()
        norms.add(case, running_mean=mean, running_variance=variance)
        y = ACTIVATIONS[after](F.batch_norm(a, mean, variance, scale, shift, True, 0.1, 1e-5), slope)
        norms.add(case, new_mean=mean, new_variance=variance)
        frozen = F.batch_norm(a, mean, variance, scale, shift, False, 0.1, 1e-5)
        norms.add(case, y_frozen=plain(ACTIVATIONS[after](frozen, slope), flat))
    y.backward(batch(g, flat))
    norms.add(case, y=plain(y, flat), d_x=x.grad, d_scale=scale.grad, d_shift=shift.grad)
    if after == "prelu":
        norms.add(case, d_slope=slope.grad)
norms.save()

# case, fine shape, factors. Whole numbers, so that there are equal ones in a window.
pools = Family("pools", 3)
for case, shape, factors in [
    ("volume", (5, 3, 4, 7), (2, 2, 2)), ("wide", (3, 2, 3, 6), (1, 1, 2)), ("images_flat", (17, 2, 5, 4), (1, 2, 2))
]:
    flat = is_flat(case)
    window = factors[1:] if flat else factors
    for kind in ["maximum", "average"]:
        pooling = getattr(F, f"{'max' if kind == 'maximum' else 'avg'}_pool{'2d' if flat else '3d'}")
        x = (2 * torch.randn(*shape)).round().double().requires_grad_()
        y = pooling(batch(x, flat), window, window)
        g = random(*plain(y, flat).shape)
        y.backward(batch(g, flat))
        pools.add(f"{kind}_{case}", x=x, g=g, y=plain(y, flat), d_x=x.grad)
pools.save()

upsampling = Family("upsampling", 4)
for case, shape, factors in [
    ("volume", (3, 2, 3, 2), (2, 2, 2)), ("wide", (2, 2, 1, 5), (1, 1, 2)), ("images_flat", (17, 2, 2, 3), (1, 2, 2))
]:
    flat = is_flat(case)
    for kind in ["nearest", "linear", "corners"]:
        x = random(*shape)
        scale = factors[1:] if flat else factors
        if kind == "nearest":
            y = F.interpolate(batch(x, flat), scale_factor=scale, mode="nearest")
        else:
            mode = "bilinear" if flat else "trilinear"
            y = F.interpolate(batch(x, flat), scale_factor=scale, mode=mode, align_corners=kind == "corners")
        g = random(*plain(y, flat).shape)
        y.backward(batch(g, flat))
        upsampling.add(f"{kind}_{case}", x=x, g=g, y=plain(y, flat), d_x=x.grad)
upsampling.save()


def focal(logits, target, gamma, smooth, alpha):
    """The focal loss of the liver paper's program: its smoothed labels, its sum and its mean."""
    classes = logits.shape[1]
    p = torch.softmax(logits, 1).movedim(1, -1).reshape(-1, classes)
    index = target.reshape(-1, 1).long()
    labels = torch.zeros_like(p).scatter_(1, index, 1).clamp(smooth / (classes - 1), 1 - smooth)
    q = (labels * p).sum(1) + smooth
    return (-alpha[index[:, 0]] * (1 - q) ** gamma * q.log()).mean()


losses = Family("losses", 5)
for case, shape in [("volume", (5, 2, 3, 7)), ("images_flat", (17, 2, 3, 3))]:
    x, target, mean, deviation = random(*shape), random(*shape).detach(), random(*shape), random(*shape)
    target.view(-1)[3] = x.detach().view(-1)[3]
    for kind, function in [("absolute", F.l1_loss), ("square", F.mse_loss)]:
        x.grad = None
        loss = function(x, target)
        (0.5 * loss).backward()
        losses.add(f"{kind}_{case}", x=x, target=target, loss=loss[None], d_x=x.grad)
    loss = 0.5 * (mean**2 + deviation.exp() - 1 - deviation).mean()
    (0.5 * loss).backward()
    losses.add(f"divergence_{case}", mean=mean, log_variance=deviation, loss=loss[None], d_mean=mean.grad,
               d_log_variance=deviation.grad)
# case, shape, gamma, label smoothing
for case, shape, gamma, smooth in [
    ("focal_two_flat", (2, 2, 5, 7), 2, 1e-5), ("focal_weighted", (5, 2, 3, 7), 1.5, 1e-5),
    ("focal_smooth", (3, 2, 3, 7), 3, 0.1),
]:
    flat = is_flat(case)
    x = (3 * torch.randn(*shape)).double().requires_grad_()
    target, alpha = torch.randint(0, shape[0], shape[1:]), torch.rand(shape[0]).double()
    loss = focal(batch(x, flat), target if flat else target[None], gamma, smooth, alpha)
    (0.5 * loss).backward()
    best = x.argmax(0)
    counts = torch.stack([((best == 1) & (target == 1)).sum(), (best == 1).sum(), (target == 1).sum()])
    losses.add(case, x=x, target=target, alpha=alpha, loss=loss[None], counts=counts, d_x=x.grad)
losses.save()

dense = Family("dense", 6)
for case, samples, inputs, outputs in [("tiny", 1, 1, 1), ("odd", 5, 37, 19), ("long", 2, 700, 2)]:
    x, weights, bias, g = random(samples, inputs), random(outputs, inputs), random(outputs), random(samples, outputs)
    y = F.linear(x, weights, bias)
    y.backward(g)
    dense.add(case, x=x, weights=weights, bias=bias, g=g, y=y, d_x=x.grad, d_weights=weights.grad, d_bias=bias.grad)
dense.save()


def philox(counter, key):
    """Philox 4x32-10 from its paper: four words for a 128-bit counter and a 64-bit key."""
    mask = 0xFFFFFFFF
    c, k = [counter >> 32 * i & mask for i in range(4)], [key & mask, key >> 32]
    for _ in range(10):
        left, right = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [right >> 32 ^ c[1] ^ k[0], right & mask, left >> 32 ^ c[3] ^ k[1], left & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


latents = Family("latents", 7)
for case, shape in [("volume", (5, 2, 3, 7)), ("images_flat", (17, 2, 3, 3))]:
    mean, deviation, noise, g = random(*shape), random(*shape), random(*shape), random(*shape)
    z = mean + torch.exp(deviation / 2) * noise.detach()
    z.backward(g)
    latents.add(f"sample_{case}", mean=mean, log_variance=deviation, noise=noise, g=g, z=z, d_mean=mean.grad,
                d_log_variance=deviation.grad)
    # Seed 2^40 + 3, stream 5, probability 0.3.
    numbers = torch.tensor([(philox((5 << 64) + i // 4, 2**40 + 3)[i % 4] >> 8) / 2**24 for i in range(mean.numel())])
    kept = numbers.double().reshape(shape) >= 0.3
    latents.add(f"dropout_{case}", x=mean, y=torch.where(kept, mean / (1 - 0.3), torch.zeros_like(mean)))
latents.save()
