#!/usr/bin/env python3
"""Makes the fixtures of tests/test_golden.c and tests/test_optim.c with PyTorch and timm.

    make_golden.py [FOLDER [NAME]...]        default: the folder of this script, all of them

The truth is PyTorch in double precision. Beside every tensor T stands "error/T": how far PyTorch's own
float32 run is from that truth, |t32 - t64| / |t64|. A float32 engine can be asked to be about as near as
that, and no nearer.

Inputs and initial weights are not stored: uniform(name, n) is the same few integer operations here and in
tests/golden.h. Full-width models are stored as [norm, dot with uniform numbers] of each tensor.
"""
import json
import math
import os
import struct
import sys

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench"))
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from torch_models import AlexNet, ResNet50V2, VGG  # noqa: E402

SMOOTHING = 0.1
LOSSES = 10
KINK_RUNS = 4
USUAL = 0.005, 1e-3  # learning rates of SGD and AdamW


# ---- numbers and files ---------------------------------------------------------------------------------

def uniform(name, n):
    """n numbers of (-1, 1): splitmix64 of a counter that begins at the FNV-1a hash of the name."""
    state = 14695981039346656037
    for byte in name.encode():
        state = (state ^ byte) * 1099511628211 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float64) + 0.5) * 2.0**-23 - 1


def initial(name, shape):
    """The first value of a parameter in clgrad's layout, rounded to float32."""
    u = uniform(name, math.prod(shape)).reshape(shape)
    if len(shape) > 1:
        u = u * math.sqrt(6 / math.prod(shape[:-1]))
    elif name.endswith(("gamma", "running_var")):
        u = 1 + 0.2 * u
    else:
        u = 0.1 * u
    return u.astype(np.float32)


def write_safetensors(path, tensors, meta):
    header, data = {"__metadata__": meta}, b""
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(np.shape(value)),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    print(f"{os.path.basename(path)}: {len(tensors)} tensors, {os.path.getsize(path)} bytes")


def with_errors(run):
    """run(dtype) -> {name: array}: the double-precision values and the distance of the float32 ones."""
    truth, single = run(torch.float64), run(torch.float32)
    errors = {f"error/{name}": [np.linalg.norm(single[name] - t) / max(np.linalg.norm(t), 1e-300)]
              for name, t in truth.items()}
    return truth | errors


# ---- models --------------------------------------------------------------------------------------------

def to_clgrad(name, t):
    """Torch's layout to ours: M C R S -> R S C M, [out, in] -> [in, out]; positions 1 T D -> T D."""
    t = t.detach().double()
    if name == "pos_embed":
        t = t[0]
    elif t.ndim == 4:
        t = t.permute(2, 3, 1, 0)
    elif t.ndim == 2:
        t = t.t()
    return t.contiguous().numpy()


def from_clgrad(name, value):
    value = torch.from_numpy(value).double()
    if name == "pos_embed":
        return value[None]
    return value.permute(3, 2, 0, 1) if value.ndim == 4 else value.t() if value.ndim == 2 else value


def our_name(model, name):
    """clgrad's name of a parameter or buffer: norms have gamma and beta."""
    layer, _, part = name.rpartition(".")
    if isinstance(model.get_submodule(layer), (nn.BatchNorm2d, nn.LayerNorm)):
        part = {"weight": "gamma", "bias": "beta"}.get(part, part)
    return f"{layer}.{part}" if layer else part


def load_initial(model):
    with torch.no_grad():
        for torch_name, t in model.state_dict().items():
            if torch_name.endswith("num_batches_tracked"):
                continue
            name = our_name(model, torch_name)
            t.copy_(from_clgrad(name, initial(name, to_clgrad(name, t).shape)))


class Step:
    """A model in training mode on one fixed batch."""

    def __init__(self, make, shape, dtype):
        batch = shape[0]
        self.model = make().to(dtype).train()
        load_initial(self.model)
        x = (math.sqrt(3) * uniform("input", math.prod(shape))).astype(np.float32)
        self.x = torch.from_numpy(x).to(dtype).reshape(shape).permute(0, 3, 1, 2).contiguous()
        self.target = (3 * torch.arange(batch) + 1) % 7

    def loss(self):
        self.logits = self.model(self.x)
        return nn.functional.cross_entropy(self.logits, self.target, label_smoothing=SMOOTHING)

    def groups(self, weight_decay):
        """No decay on norms and biases, which have one dimension, nor on a ViT's class token and positions."""
        named = [(p, p.ndim > 1 and name not in ("cls_token", "pos_embed"))
                 for name, p in self.model.named_parameters() if p.requires_grad]
        matrices = [p for p, decays in named if decays]
        vectors = [p for p, decays in named if not decays]
        return [{"params": matrices, "weight_decay": weight_decay},
                {"params": vectors, "weight_decay": 0}]


def one_step(step):
    loss = step.loss()
    loss.backward()
    out = {"logits": step.logits.detach().double().numpy(), "loss": loss.detach().double().reshape(1).numpy()}
    for torch_name, p in step.model.named_parameters():
        name = our_name(step.model, torch_name)
        out[f"grad/{name}" if p.requires_grad else f"stat/{name}"] = to_clgrad(
            name, p.grad if p.requires_grad else p)
    for torch_name, b in step.model.named_buffers():
        if b.ndim:
            name = our_name(step.model, torch_name)
            out[f"stat/{name}"] = to_clgrad(name, b)
    return out


def losses(step, optimizer):
    out = []
    for _ in range(LOSSES):
        optimizer.zero_grad()
        loss = step.loss()
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return np.array(out)


def all_losses(make, shape, dtype, shake=None, lr=USUAL):
    """Ten losses with each optimiser; `shake` is what the input is multiplied with."""
    out = {}
    for name, optimizer in (
            ("sgd", lambda s: torch.optim.SGD(s.groups(5e-4), lr=lr[0], momentum=0.9, nesterov=True)),
            # With the usual eps of 1e-8 a gradient that is nothing but rounding still moves its weight by lr.
            ("adamw", lambda s: torch.optim.AdamW(s.groups(0.05), lr=lr[1], eps=1e-6))):
        step = Step(make, shape, dtype)
        if shake is not None:
            step.x *= shake
        out[f"losses/{name}"] = losses(step, optimizer(step))
    return out


def golden_model(make, shape, lr=USUAL):
    return with_errors(lambda dtype: one_step(Step(make, shape, dtype)) | all_losses(make, shape, dtype, lr=lr))


def shaken(run, shape):
    """Runs whose input is moved by 1e-6."""
    for i in range(KINK_RUNS):
        yield run(1 + 1e-6 * torch.from_numpy(uniform(f"kink {i}", math.prod(shape)).reshape(
            shape[0], shape[3], shape[1], shape[2])))


def kinks(make, shape):
    """How far gradients move, at most, when the input moves by 1e-6: in a deep network with ReLUs some input of
    a ReLU is always near 0, and which side of it a float32 run takes is chance."""
    def run(shake):
        step = Step(make, shape, torch.float64)
        step.x *= shake
        return one_step(step)
    truth, most = one_step(Step(make, shape, torch.float64)), 0
    for moved in shaken(run, shape):
        for name, t in truth.items():
            norm = np.linalg.norm(t)
            if name.startswith("grad/") and norm > 1e-9:  # a bias before a norm has none
                most = max(most, np.linalg.norm(moved[name] - t) / norm)
    return most


def digest(name, t):
    return np.array([np.linalg.norm(t), np.dot(t.ravel(), uniform("dot " + name, t.size))])


def golden_full(make, shape):
    full = with_errors(lambda dtype: one_step(Step(make, shape, dtype)))
    return {f"full/{name}": t if name.startswith("error/") else digest(name, t) for name, t in full.items()}


def golden_losses(make, shape, lr):
    """A tolerance that allows for what kinks() is about: how far losses move with the input, if that is more."""
    golden = with_errors(lambda dtype: all_losses(make, shape, dtype, lr=lr))
    for moved in shaken(lambda shake: all_losses(make, shape, torch.float64, shake, lr), shape):
        for name, t in moved.items():
            error = golden[f"error/{name}"]
            error[0] = max(error[0], np.linalg.norm(t - golden[name]) / np.linalg.norm(golden[name]))
    return golden


def vit(size, patch, depth, dim, heads):
    return lambda: VisionTransformer(img_size=size, patch_size=patch, in_chans=1, num_classes=7, embed_dim=dim,
                                     depth=depth, num_heads=heads)


# file: clgrad's model and, for the small form (all values) and the full one (digests), clgrad's configuration,
# the model, the batch
MODELS = {
    "vgg": ("vgg",
            ("size=44 channels=1 classes=7 width=6 dropout=0", lambda: VGG(width=6, dropout=0), 8),
            ("size=44 channels=1 classes=7 width=32 dropout=0", lambda: VGG(dropout=0), 4)),
    "alexnet": ("alexnet",
                ("size=48 channels=1 classes=7 stem-stride=2 fc=1024 divisor=8 dropout=0",
                 lambda: AlexNet(divisor=8, dropout=0), 8),
                ("size=48 channels=1 classes=7 stem-stride=2 fc=1024 divisor=1 dropout=0",
                 lambda: AlexNet(dropout=0), 4)),
    "resnet50v2": ("resnet50v2",
                   ("size=48 channels=1 classes=7 divisor=32", lambda: ResNet50V2(divisor=32), 8),
                   ("size=48 channels=1 classes=7", lambda: ResNet50V2(), 2)),
    "resnet50v2-96": ("resnet50v2", None,
                      ("size=96 channels=3 classes=7 divisor=8", lambda: ResNet50V2(divisor=8, channels=3), 2)),
    "resnet50v2-gluon": ("resnet50v2", None,
                         ("size=48 channels=3 classes=7 variant=gluon divisor=8",
                          lambda: ResNet50V2(divisor=8, gluon=True, channels=3), 4)),
    "resnet50v2-48x3": ("resnet50v2", None,
                        ("size=48 channels=3 classes=7 divisor=8", lambda: ResNet50V2(divisor=8, channels=3), 4)),
    "resnet50v2-96x1": ("resnet50v2", None,
                        ("size=96 channels=1 classes=7 divisor=16", lambda: ResNet50V2(divisor=16), 3)),
    "alexnet-torch": ("alexnet", None,
                      ("size=80 channels=3 classes=7 variant=torch fc=1024 divisor=8 dropout=0",
                       lambda: AlexNet(4, 1024, 8, 0, 3, form="torch", size=80), 4)),
    "alexnet-caffe": ("alexnet", None,
                      ("size=99 channels=3 classes=7 variant=caffe fc=1024 divisor=8 dropout=0",
                       lambda: AlexNet(4, 1024, 8, 0, 3, form="caffe", size=99), 4)),
    "vit": ("vit",
            ("size=24 channels=1 classes=7 patch=6 depth=2 dim=32 heads=2", vit(24, 6, 2, 32, 2), 8),
            ("size=48 channels=1 classes=7 variant=ti patch=8", vit(48, 8, 12, 192, 3), 2)),
}


# Learning rates of SGD and AdamW for deep networks: at 2e-4 an input that differs by 1e-6 makes the losses differ by
# 7 % after ten steps of SGD, in any precision. At these the losses fall by 6 to 35 % and are certain to 0.01 to 0.4 %.
DEEP = 2e-6, 1e-5

# Small forms with rates of their own: at 1e-3 the tenth loss of this VGG has two values 9e-5 apart, and PyTorch's own
# float32 takes the one or the other by its number of threads.
SMALL_RATES = {"vgg": (0.005, 2e-4), "resnet50v2": DEEP}

# Full forms that have ten losses too.
WITH_LOSSES = {
    "resnet50v2-48x3": DEEP,
    "resnet50v2-96": DEEP,
    "resnet50v2-96x1": DEEP,
    "resnet50v2-gluon": DEEP,
    "alexnet-torch": USUAL,
    "alexnet-caffe": USUAL,
}


def make_model(name):
    model, small, full = MODELS[name]
    tensors = {}
    forms = {key: form for key, form in (("small", small), ("full", full)) if form}
    meta = {"model": model} | {key: form[0] for key, form in forms.items()}
    meta |= {"batch" if key == "small" else "full_batch": str(form[2]) for key, form in forms.items()}
    for key, (config, make, batch) in forms.items():
        words = dict(word.split("=") for word in config.split())
        size, channels = int(words["size"]), int(words["channels"])
        lr = WITH_LOSSES.get(name, USUAL) if key == "full" else SMALL_RATES.get(name, USUAL)
        tensors |= (golden_model(make, (batch, size, size, channels), lr) if key == "small" else
                    golden_full(make, (batch, size, size, channels)))
        if lr != USUAL:
            meta |= {"sgd_lr": str(lr[0]), "adamw_lr": str(lr[1])}
        if key == "full" and name in WITH_LOSSES:
            deep = golden_losses(make, (batch, size, size, channels), lr)
            tensors |= {name.replace("losses/", "full/losses/"): t for name, t in deep.items()}
        elif lr == DEEP:
            tensors |= golden_losses(make, (batch, size, size, channels), lr)
        if model == "resnet50v2":
            meta[f"{key}_floor"] = f"{kinks(make, (batch, size, size, channels)):.3g}"
        elif name in ("vgg", "alexnet") and key == "full":  # for convolutions by minimal filtering alone
            meta["full_kinks"] = f"{kinks(make, (batch, size, size, channels)):.3g}"
    return tensors, meta


# ---- optimisers and schedules --------------------------------------------------------------------------

STEPS = 6
OPTIMIZERS = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.1),
    "momentum": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9),
    "nesterov": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda groups: torch.optim.Adam(groups, lr=0.01),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.01, eps=1e-3),
}
SHAPES = {"w": (5, 7), "b": (7,)}


def updates(make, clip, dtype, ema=0):
    """The parameters after each step; their gradients are given numbers. With ema, their average."""
    params = {name: nn.Parameter(torch.from_numpy(initial(name, shape)).to(dtype))
              for name, shape in SHAPES.items()}
    average = {name: p.detach().clone() for name, p in params.items()}
    optimizer = make([{"params": params["w"], "weight_decay": 0.1},
                      {"params": params["b"], "weight_decay": 0}])
    out = {name: [] for name in SHAPES}
    for step in range(STEPS):
        for name, p in params.items():
            g = uniform(f"gradient {step} {name}", p.numel()).astype(np.float32)
            p.grad = torch.from_numpy(g).to(dtype).reshape(p.shape)
        if clip:  # torch's clip_grad_norm_ adds 1e-6 to the norm
            norm = torch.sqrt(sum((p.grad**2).sum() for p in params.values()))
            for p in params.values():
                p.grad *= min(1, clip / norm)
        optimizer.step()
        for name, p in params.items():
            average[name].mul_(ema).add_(p.detach(), alpha=1 - ema)
            out[name].append((average[name] if ema else p.detach()).double().numpy().copy())
    return {name: np.stack(values) for name, values in out.items()}


def golden_updates(dtype):
    out = {}
    cases = {name: (make, 0, 0) for name, make in OPTIMIZERS.items()}
    cases |= {"clip": (OPTIMIZERS["nesterov"], 1.5, 0), "ema": (OPTIMIZERS["nesterov"], 0, 0.75)}
    for case, (make, clip, ema) in cases.items():
        out |= {f"{case}/{name}": t for name, t in updates(make, clip, dtype, ema).items()}
    return out


SCHEDULE = 100
WARMUP = 10
# Accuracies as a plateau schedule might see them.
EPOCHS = [0.30, 0.35, 0.34, 0.35, 0.33, 0.40, 0.39, 0.38, 0.37, 0.36, 0.35, 0.34, 0.41, 0.40, 0.40, 0.40]


def learning_rates(make):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule, out = make(optimizer), []
    for _ in range(SCHEDULE):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return np.array(out)


def plateau():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=0.5, patience=2, threshold=0, min_lr=0.02)
    out = []
    for value in EPOCHS:
        schedule.step(value)
        out.append(optimizer.param_groups[0]["lr"])
    return np.array(out)


def golden_schedules():
    lr = torch.optim.lr_scheduler

    def after_warmup(make):
        return lambda o: lr.SequentialLR(
            o, [lr.LinearLR(o, 1 / WARMUP, 1, WARMUP - 1), make(o)], [WARMUP])
    return {
        "schedule/onecycle": learning_rates(
            lambda o: lr.OneCycleLR(o, 0.1, SCHEDULE, pct_start=0.3, cycle_momentum=False)),
        "schedule/cosine": learning_rates(lambda o: lr.CosineAnnealingLR(o, SCHEDULE, 1e-3)),
        "schedule/warmup-cosine": learning_rates(
            after_warmup(lambda o: lr.CosineAnnealingLR(o, SCHEDULE - WARMUP, 1e-3))),
        "schedule/warmup-constant": learning_rates(
            after_warmup(lambda o: lr.ConstantLR(o, 1, 1))),
        "schedule/plateau": plateau(),
        "schedule/epochs": np.array(EPOCHS),
    }


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else HERE
    chosen = sys.argv[2:] or [*MODELS, "optim"]
    made_by = {"made_by": f"make_golden.py, PyTorch {torch.__version__}"}
    for name in MODELS:
        if name not in chosen:
            continue
        tensors, meta = make_model(name)
        write_safetensors(os.path.join(folder, f"{name}.safetensors"), tensors, meta | made_by)
    if "optim" in chosen:
        write_safetensors(os.path.join(folder, "optim.safetensors"),
                          with_errors(golden_updates) | golden_schedules(), made_by)


if __name__ == "__main__":
    main()
