#!/usr/bin/env python3
"""Makes explain.safetensors, the fixture of tests/test_explain.c, with PyTorch and timm: Grad-CAM of small
networks by autograd and hooks, attention rollout by NumPy from the queries and keys of timm's ViT.

    make_explain.py [FILE]

Networks, first weights and input are those of make_golden.py; norms run on their first statistics.
"""
import os
import sys

import numpy as np
import torch

import make_golden as golden

NETWORKS = ("vgg", "alexnet", "resnet50v2")


def setup(name, dtype):
    config, make, batch = golden.MODELS[name][1]
    size = int(dict(word.split("=") for word in config.split())["size"])
    step = golden.Step(make, (batch, size, size, 1), dtype)
    step.model.eval()
    return step.model, step.x, batch, config


def last_features(name, model):
    """The last module of the convolutions, for a hook."""
    return model.norm if name == "resnet50v2" else model.features[-2 if name == "alexnet" else -1]


def gradcam(name):
    def run(dtype):
        model, x, batch, _ = setup(name, dtype)
        kept = {}

        def keep(module, args, out):
            kept["A"] = out
            if name != "resnet50v2":
                out.retain_grad()
        last_features(name, model).register_forward_hook(keep)
        logits = model(x)
        if name == "resnet50v2":  # the ReLU behind the norm is no module
            kept["A"] = kept["A"].relu().detach().requires_grad_()
            logits = model.head(kept["A"].mean((2, 3)))
        classes = (3 * torch.arange(batch) + 1) % 7
        logits[torch.arange(batch), classes].sum().backward()
        A = kept["A"]
        weights = A.grad.mean((2, 3), keepdim=True)
        maps = (weights * A).sum(1).relu()
        return {f"{name}/map": maps.detach().double().numpy(), f"{name}/logits": logits.detach().double().numpy()}
    return golden.with_errors(run)


def rollout():
    def run(dtype):
        model, x, batch, _ = setup("vit", dtype)
        scores = []

        def attention(module, args, out):
            B, T, _ = out.shape
            q, k, _ = out.reshape(B, T, 3, 2, -1).permute(2, 0, 3, 1, 4)
            scores.append((q @ k.transpose(-2, -1) / q.shape[-1]**.5).detach().double().numpy())
        for block in model.blocks:
            block.attn.qkv.register_forward_hook(attention)
        model(x)
        R = np.eye(scores[0].shape[-1])
        for s in scores:
            e = np.exp(s - s.max(-1, keepdims=True))
            A = (e / e.sum(-1, keepdims=True)).mean(1)
            R = (A + np.eye(A.shape[-1])) / 2 @ R
        return {"vit/rollout": R, "vit/map": R[:, 0, 1:]}
    return golden.with_errors(run)


def main():
    tensors = rollout()
    for name in NETWORKS:
        tensors |= gradcam(name)
    meta = {f"{name}": golden.MODELS[name][1][0] for name in (*NETWORKS, "vit")}
    meta |= {f"{name}/batch": str(golden.MODELS[name][1][2]) for name in (*NETWORKS, "vit")}
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(golden.HERE, "explain.safetensors")
    golden.write_safetensors(path, tensors, meta | {"made_by": f"make_explain.py, PyTorch {torch.__version__}"})


if __name__ == "__main__":
    main()
