#!/usr/bin/env python3
"""Keras's own ResNet50V2 for tests/keras.sh, as both its forms of .h5, with two pictures and their logits.

    check_keras.py FOLDER        fails where there is no Keras 3
"""
import os
import sys

import keras
import numpy as np

assert keras.__version__.startswith("3.")
folder = sys.argv[1]
keras.utils.set_random_seed(1)
model = keras.applications.ResNet50V2(weights=None, input_shape=(96, 96, 3), classifier_activation=None)
rng = np.random.default_rng(1)
for weight in model.weights:  # as after training: no bias is 0, no variance 1
    if len(weight.shape) == 1:
        near = 1 if weight.name in ("gamma", "moving_variance") else 0
        weight.assign(near + rng.uniform(-0.2, 0.2, weight.shape))
model.save_weights(os.path.join(folder, "full.weights.h5"))
model.save(os.path.join(folder, "full.h5"))
x = rng.standard_normal((2, 96, 96, 3)).astype(np.float32)
np.save(os.path.join(folder, "full-in.npy"), x)
np.save(os.path.join(folder, "full-out.npy"), np.asarray(model(x, training=False)))
