#!/usr/bin/env python3
"""Compares a folder that fer-train or fer-eval --out wrote with scikit-learn: every number of metrics.json
against what scikit-learn makes of predictions.csv, to 1e-9. Speaks TAP.

    metrics_sklearn.py FOLDER
"""
import csv
import json
import os
import sys

import numpy as np
from sklearn import metrics as sk

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden"))
from metrics_numbers import numbers  # noqa: E402

NAMES = {"wilson_low": ("accuracy_95", 0), "wilson_high": ("accuracy_95", 1), "hard_auc": ("hard_label_auc",)}


def ours(m, key):
    """The value of metrics.json that metrics_numbers calls key: "ece", "auc[3]", "confusion[1][2]"."""
    path = NAMES.get(key) or key.replace("]", "").split("[")
    for part in path:
        m = m[int(part) if isinstance(m, list) else part]
    return np.nan if m is None else m


def compare(title, m, p, y):
    names = m["classes"]
    wrong = []
    count = 0
    for key, value in numbers(p, y, len(names)):
        mine = ours(m, key)
        count += 1
        if not (np.isnan(mine) and np.isnan(value)) and not abs(mine - value) <= 1e-9 * max(1, abs(value)):
            wrong.append(f"{key}: {mine!r}, scikit-learn {value!r}")
    return f"{title}: {count} numbers as scikit-learn has them", wrong


def curve(m, p, y):
    """The reliability table adds up to the rows, and its bins give the ECE."""
    table = np.array(m["reliability"])
    gap = (table[:, 0] * abs(table[:, 1] - table[:, 2])).sum() / len(y)
    good = table[:, 0].sum() == len(y) and abs(gap - m["ece"]) < 1e-12
    return "the reliability table gives the ECE", [] if good else [f"{gap} {m['ece']}"]


def resampled(m, intervals, p, y):
    """Percentile intervals from numpy's draws: near, as other draws are."""
    rng = np.random.default_rng(1)
    f1 = []
    for _ in range(1000):
        i = rng.integers(len(y), size=len(y))
        f1.append(sk.f1_score(y[i], p[i].argmax(1), average="macro", zero_division=0))
    low, high = np.percentile(f1, [2.5, 97.5])
    mine = intervals["macro_f1"]
    slack = .25 * (high - low)
    good = abs(mine[0] - low) < slack and abs(mine[1] - high) < slack
    return f"bootstrap of F1 {mine}, numpy's [{low:.4f}, {high:.4f}]", [] if good else ["too far"]


def main(folder):
    e = json.load(open(os.path.join(folder, "metrics.json")))["evaluations"][0]
    rows = list(csv.DictReader(open(os.path.join(folder, "predictions.csv"))))
    names = e["all"]["classes"]
    p = np.array([[float(r["p_" + n]) for n in names] for r in rows])
    y = np.array([names.index(r["label"]) for r in rows])
    clean = np.array([r["twin"] == "0" for r in rows])
    results = [compare("all rows", e["all"], p, y), curve(e["all"], p, y)]
    if "without_twins" in e:
        results.append(compare("without twins", e["without_twins"], p[clean], y[clean]))
    if "all_bootstrap_95" in e:
        results.append(resampled(e["all"], e["all_bootstrap_95"], p, y))
    for i, (text, wrong) in enumerate(results, 1):
        print(f"{'not ok' if wrong else 'ok'} {i} - {text}")
        for line in wrong:
            print("#", line)
    print(f"1..{len(results)}")
    return any(wrong for _, wrong in results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
