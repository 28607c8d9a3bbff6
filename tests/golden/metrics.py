#!/usr/bin/env python3
"""What scikit-learn and SciPy say about small predictions: writes metrics.txt, which test_metrics.c reads.

Made with numpy 2.4.6, scikit-learn 1.9.1 and SciPy 1.17.1; run again only to add cases:
    python3 metrics.py >metrics.txt
Probabilities are thousandths and logits are 64ths, so that both sides compute with the same numbers.
"""
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from metrics_numbers import numbers

rng = np.random.default_rng(7)


def thousandths(weights):
    """Rows of integers that add up to 1000."""
    m = np.floor(1000 * weights / weights.sum(1, keepdims=True)).astype(int)
    m[np.arange(len(m)), m.argmax(1)] += 1000 - m.sum(1)
    return m


def case(name, m, y):
    n, k = m.shape
    print(f"case {name} {n} {k}")
    for label, row in zip(y, m):
        print(label, *row)
    for key, value in numbers(m / 1000, np.asarray(y), k):
        print(key, f"{value:.17g}")
    print("end")


def guess(n, k, sharp, classes=None, coarse=None):
    y = rng.choice(classes or k, n)
    z = rng.normal(size=(n, k)) + sharp * np.eye(k)[y]
    if coarse:
        z = np.round(z / coarse) * coarse
    return thousandths(np.exp(z)), y


def temperature(name, n, k, scale):
    y = rng.integers(k, size=n)
    z = np.round(64 * scale * (rng.normal(size=(n, k)) + 1.5 * np.eye(k)[y])) / 64

    def loss(t):
        s = z / t
        s = s - s.max(1, keepdims=True)
        return np.mean(np.log(np.exp(s).sum(1)) - s[np.arange(n), y])

    best = minimize_scalar(loss, bounds=(.05, 20), method="bounded", options={"xatol": 1e-12})
    print(f"temperature {name} {n} {k} {best.x:.9g}")
    for label, row in zip(y, z):
        print(label, *(64 * row).astype(int))


case("seven", *guess(80, 7, 1.2))
case("ties", *guess(60, 7, 1, coarse=1.5))
case("absent", *guess(50, 7, 1, classes=[0, 2, 3, 4, 6]))
case("two", *guess(40, 2, .5))
m, y = guess(30, 3, 3)
case("sure", np.where(m == m.max(1, keepdims=True), 1000, 0), y)
m, y = guess(20, 4, 2)
m[:] = [0, 0, 1000, 0]
case("one_answer", m, y)
m, y = guess(30, 5, 2, classes=[0, 1, 3])
m[:, 0] += m[:, 2] + m[:, 4]
m[:, [2, 4]] = 0
case("never", m, y)
temperature("over", 60, 7, 3)
temperature("under", 60, 7, .4)
for a, b in (0, 0), (0, 5), (3, 3), (10, 25), (120, 150), (400, 300), (1500, 1490):
    n = a + b
    print("mcnemar", a, b, f"{binomtest(a, n).pvalue if n else 1:.17g}")
for hits, n in (0, 10), (10, 10), (7, 10), (2584, 3589):
    ci = binomtest(hits, n).proportion_ci(method="wilson")
    print("wilson", hits, n, f"{ci.low:.17g} {ci.high:.17g}")
