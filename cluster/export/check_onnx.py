"""Checks that what quintet export writes answers in onnxruntime what quintet answers.

    python3 -m venv venv && venv/bin/pip install numpy onnx onnxruntime safetensors torch monai
    venv/bin/python cluster/export/check_onnx.py FOLDER [--quick]

In FOLDER one replica is trained for an iteration or two with every preset of both recipes (and the liver's switches),
exported, and its logits for an example are compared; likewise MONAI networks of random weights with every setting that
quintet computes. QUINTET is the program (default .build/release/quintet). --quick leaves the presets "paper" out, which
take some minutes and 3 GiB. Exit code 0 when every file passes ONNX's own checker and all logits agree within 1e-4.
"""
import os
import pathlib
import subprocess
import sys

import numpy
import onnx
import onnxruntime
import safetensors.numpy
import torch
from monai.networks.nets import UNet

LARGEST = 1e-4
quintet = os.environ.get("QUINTET", str(pathlib.Path(__file__).parents[2] / ".build/release/quintet"))
worst = 0.0


def run(*words):
    subprocess.run([quintet, *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def compare(name, folder, *options):
    """Exports, answers with onnxruntime, compares; two samples at once must answer what each does alone."""
    global worst
    file, example = folder / f"{name}.onnx", folder / f"{name}.example.safetensors"
    run("export", "--onnx", file, "--example", example, "--overwrite", *options)
    onnx.checker.check_model(str(file), full_check=True)
    tensors = safetensors.numpy.load_file(example)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given, wanted = session.get_inputs()[0].name, tensors["y"]
    answer = session.run(["logits"], {given: tensors["x"]})[0]
    assert answer.shape == wanted.shape, (name, answer.shape, wanted.shape)
    difference = float(numpy.abs(answer - wanted).max())
    if tensors["x"].size < 1_000_000:
        flipped = numpy.flip(tensors["x"], -1)
        both = session.run(["logits"], {given: numpy.concatenate([flipped, tensors["x"]])})[0]
        difference = max(difference, float(numpy.abs(both[1:] - wanted).max()))
    worst = max(worst, difference)
    print(f"{'ok ' if difference < LARGEST else 'BAD'} {difference:.1e} of logits up to {numpy.abs(wanted).max():6.2f}, "
          f"{len(onnx.load(str(file)).graph.node):4} nodes: {name}", flush=True)


def presets(folder, names):
    run("phantom", "--out", folder / "chests", "--count", 1, "--diseased", 0, "--spacing", "4,3.2,3.2", "--quiet",
        "--overwrite")
    run("phantom", "--out", folder / "abdomens", "--count", 1, "--diseased", 0, "--quiet", "--overwrite",
        "--recipe", "liver-restore-segment")
    for name in names:
        lungs = folder / f"lungs-{name}"
        run("prepare", folder / "chests/healthy", "--masks", folder / "chests/lungs", "--out", f"{lungs}-data",
            "--preset", name, "--quiet")
        run("train", "--data", f"{lungs}-data", "--run", f"{lungs}-run", "--replicas", 1, "--iterations", 2, "--batch",
            1, "--threshold", 0.5, "--quiet", "--overwrite")
        compare(f"lung-normnet {name}", folder, "--run", f"{lungs}-run")
        if name == "demo":
            compare("lung-normnet demo, a larger plane that the strides do not divide", folder, "--run",
                    f"{lungs}-run", "--shape", "17,107,155")
        livers = folder / f"livers-{name}"
        run("prepare", folder / "abdomens/healthy", "--masks", folder / "abdomens/livers", "--out", f"{livers}-data",
            "--preset", name, "--recipe", "liver-restore-segment", "--quiet")
        switches = {"": [], " autoencoder": ["--restorer", "autoencoder"], " together": ["--together"],
                    " together autoencoder": ["--together", "--restorer", "autoencoder"]}
        for words, options in switches.items():
            if words and name != "demo":
                continue
            target = f"{livers}{words.replace(' ', '-')}-run"
            if "--together" not in options:
                options = [*options, "--segment-epochs", 1]
            run("train", "--data", f"{livers}-data", "--run", target, "--replicas", 1, "--restore-epochs", 1, "--quiet",
                "--overwrite", *options)
            compare(f"liver-restore-segment {name}{words}", folder, "--run", target)


VARIANTS = {
    "instance, PReLU, residual": {},
    "no residual units": {"num_res_units": 0},
    "three residual units": {"num_res_units": 3},
    "batch norm, ReLU": {"norm": "BATCH", "act": "RELU"},
    "no norm, leaky ReLU": {"norm": None, "act": ("LEAKYRELU", {"negative_slope": 0.2})},
    "instance norm, leaky ReLU": {"act": ("LEAKYRELU", {"negative_slope": 0.2}), "num_res_units": 0},
    "kernels of 5 and up-sampling ones of 5": {"kernel_size": 5, "up_kernel_size": 5},
    "kernels per axis": {"kernel_size": (1, 3, 5), "up_kernel_size": (1, 3, 3)},
    "strides per axis": {"strides": ((1, 2, 2), (2, 1, 4))},
    "stride 3": {"strides": (3, 2)},
    "stride 1": {"strides": (1, 2)},
    "2D, instance, PReLU": {"spatial_dims": 2},
    "2D, batch norm": {"spatial_dims": 2, "norm": "BATCH", "num_res_units": 0},
    "2D, no norm, strides per axis": {"spatial_dims": 2, "norm": None, "strides": ((1, 2), (2, 2))},
}


def variants(folder):
    torch.manual_seed(1)
    for name, changes in VARIANTS.items():
        settings = {"spatial_dims": 3, "in_channels": 2, "out_channels": 3, "channels": (5, 18, 7), "strides": (2, 2),
                    "num_res_units": 1, "norm": "INSTANCE", "act": "PRELU", **changes}
        network = UNet(**settings)
        state = {}
        for key, value in network.state_dict().items():
            # Statistics and scales that differ from where they begin.
            if "running_var" in key or ("adn.N" in key and key.endswith("weight")):
                value = 0.5 + torch.rand_like(value)
            elif "running_mean" in key or "adn.N.bias" in key:
                value = torch.randn_like(value)
            state[key] = value.numpy().copy()
        weights = folder / "weights.safetensors"
        safetensors.numpy.save_file(
            state, weights, metadata={"architecture": "monai.UNet", **{key: str(value) for key, value in
                                                                        settings.items()}})
        shape = "12,24,24" if settings["spatial_dims"] == 3 else "24,24"
        compare(f"UNet, {name}", folder, "--weights", weights, "--shape", shape)


def main(folder, is_quick):
    folder.mkdir(parents=True, exist_ok=True)
    variants(folder)
    presets(folder, ["demo", "lab"] + ([] if is_quick else ["paper"]))
    print(f"largest difference {worst:.1e}")
    return 0 if worst < LARGEST else 1


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--quick"]
    if len(words) != 1:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(words[0]), "--quick" in sys.argv))
