#!/usr/bin/env python3
"""ViT-Ti/16 from scratch at 96x96 with timm and PyTorch: the options of args.ini beside this file, as a check on fer-train.

    peer_timm.py fer2013.csv.gz [EPOCHS]    runs the first EPOCHS of the 7 [2], a line for each
"""
import csv
import gzip
import math
import sys

import numpy as np
import timm
import torch
import torch.nn.functional as F

OF, BATCH, RATE = 7, 64, 3e-4


def read(path):
    images, labels = {}, {}
    for row in csv.DictReader(gzip.open(path, "rt")):
        row = {name.strip(): value for name, value in row.items()}
        images.setdefault(row["Usage"], []).append(np.array(row["pixels"].split(), np.uint8).reshape(48, 48))
        labels.setdefault(row["Usage"], []).append(int(row["emotion"]))
    return {s: (torch.tensor(np.stack(images[s])), torch.tensor(labels[s])) for s in images}


def prepare(x, augment):
    x = x.float()[:, None] / 255
    if augment:
        n = len(x)
        flip = (torch.rand(n) < 0.5).float() * -2 + 1
        angle = (torch.rand(n) * 2 - 1) * math.radians(10)
        zoom = 1 + (torch.rand(n) * 2 - 1) * 0.1
        shift = (torch.rand(n, 2) * 2 - 1) * 0.2
        theta = torch.stack([
            torch.stack([flip * zoom * angle.cos(), -zoom * angle.sin(), shift[:, 0]], 1),
            torch.stack([flip * zoom * angle.sin(), zoom * angle.cos(), shift[:, 1]], 1)], 1)
        x = F.grid_sample(x, F.affine_grid(theta, (n, 1, 96, 96), align_corners=False),
                          align_corners=False, padding_mode="border")
    else:
        x = F.interpolate(x, size=96, mode="bilinear", align_corners=False)
    return ((x - 0.5) / 0.5).expand(-1, 3, -1, -1)


def main():
    data, epochs = read(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2
    torch.manual_seed(42)
    model = timm.create_model("vit_tiny_patch16_224", img_size=96, num_classes=7, drop_path_rate=0.1)
    parts = [[p for p in model.parameters() if (p.ndim > 1) == decayed] for decayed in (True, False)]
    adam = torch.optim.AdamW([{"params": p, "weight_decay": w} for p, w in zip(parts, (0.05, 0.0))], lr=RATE)
    x, y = data["Training"]
    steps = len(y) // BATCH
    for epoch in range(epochs):
        model.train()
        order, losses, right = torch.randperm(len(y)), [], []
        for i in range(steps):
            done = epoch * steps + i
            warm, phase = min(1, (done + 1) / steps), max(0, done - steps) / ((OF - 1) * steps)
            for group in adam.param_groups:
                group["lr"] = RATE * warm * (1 + math.cos(math.pi * phase)) / 2
            rows = order[i * BATCH:(i + 1) * BATCH]
            logits = model(prepare(x[rows], True))
            loss = F.cross_entropy(logits, y[rows], label_smoothing=0.1)
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            adam.step()
            losses.append(loss.item())
            right.append((logits.argmax(1) == y[rows]).float().mean().item())
        model.eval()
        with torch.no_grad():
            public = torch.cat([model(prepare(b, False)).argmax(1) for b in data["PublicTest"][0].split(128)])
        public = (public == data["PublicTest"][1]).float().mean()
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, {100 * np.mean(right):.2f} % right, "
              f"PublicTest {100 * public:.2f} %", flush=True)


main()
