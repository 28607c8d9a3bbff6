#!/usr/bin/env python3
"""Makes vit-google.npz, a tiny vision transformer under the names of Google's (flax), and vit-google.safetensors:
a picture, B H W C, and the logits that timm computes from that file, read by timm's own reader, with flax's GELU.

    make_npz.py [FOLDER]
"""
import os
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import nn

DEPTH, DIM, HEADS, MLP, PATCH, SIZE, CLASSES = 2, 12, 3, 20, 4, 8, 5


def tensors(rng):
    def draw(*shape, near=0):
        return (near + 0.4 * rng.standard_normal(shape)).astype(np.float32)

    def dense(path, *shape, bias):
        return {f"{path}/kernel": draw(*shape), f"{path}/bias": draw(*bias)}

    def norm(path):
        return {f"{path}/scale": draw(DIM, near=1), f"{path}/bias": draw(DIM)}
    width = DIM // HEADS
    out = {"cls": draw(1, 1, DIM),
           "Transformer/posembed_input/pos_embedding": draw(1, 1 + (SIZE // PATCH)**2, DIM)}
    out |= dense("embedding", PATCH, PATCH, 3, DIM, bias=(DIM,))
    for i in range(DEPTH):
        block = f"Transformer/encoderblock_{i}"
        attention = f"{block}/MultiHeadDotProductAttention_1"
        out |= norm(f"{block}/LayerNorm_0") | norm(f"{block}/LayerNorm_2")
        for part in ("query", "key", "value"):
            out |= dense(f"{attention}/{part}", DIM, HEADS, width, bias=(HEADS, width))
        out |= dense(f"{attention}/out", HEADS, width, DIM, bias=(DIM,))
        out |= dense(f"{block}/MlpBlock_3/Dense_0", DIM, MLP, bias=(MLP,))
        out |= dense(f"{block}/MlpBlock_3/Dense_1", MLP, DIM, bias=(DIM,))
    return out | norm("Transformer/encoder_norm") | dense("head", DIM, CLASSES, bias=(CLASSES,))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    rng = np.random.default_rng(1)
    path = os.path.join(folder, "vit-google.npz")
    np.savez_compressed(path, **tensors(rng))
    model = VisionTransformer(img_size=SIZE, patch_size=PATCH, num_classes=CLASSES, embed_dim=DIM, depth=DEPTH,
                              num_heads=HEADS, mlp_ratio=MLP / DIM, act_layer=lambda: nn.GELU("tanh"))
    model.load_pretrained(path)
    x = rng.standard_normal((2, SIZE, SIZE, 3)).astype(np.float32)
    with torch.no_grad():
        y = model.eval().double()(torch.from_numpy(x).double().permute(0, 3, 1, 2)).float()
    save_file({"input": x, "logits": y.numpy()}, os.path.join(folder, "vit-google.safetensors"))


if __name__ == "__main__":
    main()
