#!/usr/bin/env python3
"""Makes keras3.weights.h5.gz with Keras 3: the weights of its ResNet50V2, every layer a 32nd as wide, as
model.save_weights() leaves them; and keras3-in.npy, two pictures, B H W C, with keras3-out.npy, their logits by Keras.

    make_keras.py [FOLDER]

The graph is that of keras.applications; only the numbers of filters are divided. The weights are rounded, so that
the file packs well.
"""
import gzip
import os
import sys

import keras
import numpy as np
from keras.src.applications import resnet

DIVISOR, SIZE, CLASSES = 32, 33, 5


class Narrow:
    """keras.layers, but for convolutions of fewer filters."""

    def __getattr__(self, name):
        layer = getattr(keras.layers, name)
        if name != "Conv2D":
            return layer
        return lambda filters, *args, **kwargs: layer(filters // DIVISOR, *args, **kwargs)


def network():
    resnet.layers = Narrow()
    blocks = ((64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1))

    def stacks(x):
        for i, (filters, count, stride) in enumerate(blocks):
            x = resnet.stack_residual_blocks_v2(x, filters, count, stride1=stride, name=f"conv{i + 2}")
        return x
    return resnet.ResNet(stacks, True, True, weights=None, input_shape=(SIZE, SIZE, 3), classes=CLASSES,
                         classifier_activation=None)


def draw(rng, weight):
    """Numbers that keep the activations near 1, in steps of 1/64 of their range."""
    steps = rng.integers(-64, 65, weight.shape) / 64
    if len(weight.shape) > 1:
        return steps * 2.0**np.round(np.log2(np.sqrt(6 / np.prod(weight.shape[:-1]))))
    return 1 + steps / 4 if weight.name in ("gamma", "moving_variance") else steps / 4


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    rng = np.random.default_rng(1)
    model = network()
    for weight in model.weights:
        weight.assign(draw(rng, weight))
    path = os.path.join(folder, "keras3.weights.h5")
    model.save_weights(path)
    with open(path, "rb") as f, open(path + ".gz", "wb") as packed:
        packed.write(gzip.compress(f.read(), 9, mtime=0))
    os.remove(path)
    x = rng.standard_normal((2, SIZE, SIZE, 3)).astype(np.float32)
    y = np.asarray(model(x, training=False))
    np.save(os.path.join(folder, "keras3-in.npy"), x)
    np.save(os.path.join(folder, "keras3-out.npy"), y)


if __name__ == "__main__":
    main()
