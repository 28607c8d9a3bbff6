#!/usr/bin/env python3
"""What other programs make of the files that tests/test_export.c wrote.

    check_export.py FOLDER        prints "NAME WHAT ERROR" a line, or "NAME WHAT skip REASON"

For each NAME there is a picture (NAME-in.npy, B H W C), its logits (NAME-out.npy), the network as ONNX and with
PyTorch's names (NAME.onnx, NAME.safetensors). ERROR is relative in the 2-norm.
"""
import glob
import importlib.util
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))


def there(*modules):
    return all(importlib.util.find_spec(m) for m in modules)


def distance(y, want):
    return f"{np.linalg.norm(y - want) / np.linalg.norm(want):.2e}" if y.shape == want.shape else "inf"


def run_onnx(path, x):
    import onnxruntime
    if there("onnx"):
        import onnx
        onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input": x})[0]


def vit(s):
    from timm.models.vision_transformer import VisionTransformer
    from torch import nn
    dim, mlp = int(s["dim"]), int(s["mlp"])
    act = (lambda: nn.GELU(approximate="tanh")) if s["gelu"] == "tanh" else nn.GELU
    return VisionTransformer(img_size=int(s["size"]), patch_size=int(s["patch"]), in_chans=int(s["channels"]),
                             num_classes=int(s["classes"]), embed_dim=dim, depth=int(s["depth"]),
                             num_heads=int(s["heads"]), mlp_ratio=mlp / dim if mlp else 4, act_layer=act)


def make_model(s):
    """The PyTorch module of the settings in a file's metadata; NAME tells what model it is."""
    from torch import nn
    import torch_models
    common = {"channels": int(s["channels"]), "classes": int(s["classes"])}
    if "depth" in s:
        return vit(s)
    if "norms" in s:
        return torch_models.ResNet50V2(int(s["divisor"]), s["variant"] == "gluon", **common)
    if "width" in s:
        return torch_models.VGG(int(s["width"]), **common)
    model = torch_models.AlexNet(int(s["stem-stride"]), int(s["fc"]), int(s["divisor"]), form=s["variant"],
                                 size=int(s["size"]), **common)
    model.flatten = nn.Flatten()
    return model


def run_torch(path, x):
    import torch
    from safetensors import safe_open
    with safe_open(path, "pt") as f:
        settings = dict(word.split("=") for word in f.metadata()["fer.settings"].split())
        weights = {name: f.get_tensor(name) for name in f.keys()}
    if settings.get("variant") == "tfslim":
        return None
    model = make_model(settings).eval()
    model.load_state_dict(weights, strict=True)
    with torch.no_grad():
        return model(torch.from_numpy(x)).numpy()


def main():
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.onnx"))):
        name = os.path.splitext(os.path.basename(path))[0]
        x = np.ascontiguousarray(np.load(path[:-5] + "-in.npy").transpose(0, 3, 1, 2))
        want = np.load(path[:-5] + "-out.npy")
        if there("onnxruntime"):
            print(name, "onnx", distance(run_onnx(path, x), want), flush=True)
        else:
            print(name, "onnx skip no onnxruntime")
        if there("torch", "timm", "safetensors"):
            y = run_torch(path[:-5] + ".safetensors", x)
            print(name, "torch", "skip no such module" if y is None else distance(y, want), flush=True)
        else:
            print(name, "torch skip no torch, timm or safetensors")


if __name__ == "__main__":
    main()
