"""The numbers of a classifier's predictions as scikit-learn and SciPy define them, by the names that
tests/test_metrics.c knows: p [n][k] probabilities, y labels 0..k-1.
"""
import numpy as np
from scipy.stats import binomtest
from sklearn import metrics as sk


def ece(p, y):
    top, hit = p.max(1), p.argmax(1) == y
    edges = np.arange(16) / 15
    total = 0
    for low, high in zip(edges, edges[1:]):
        inside = (top > low) & (top <= high)
        if inside.any():
            total += inside.sum() * abs(hit[inside].mean() - top[inside].mean())
    return total / len(y)


def numbers(p, y, k):
    q = p.argmax(1)
    auc = [sk.roc_auc_score(y == c, p[:, c]) if 0 < (y == c).sum() < len(y) else np.nan
           for c in range(k)]
    hard = [sk.roc_auc_score(y == c, q == c) for c in range(k) if (y == c).any()]
    labels = list(range(k))
    yield "accuracy", sk.accuracy_score(y, q)
    for average in "macro", "weighted":
        yield average + "_precision", sk.precision_score(y, q, average=average, zero_division=0)
        yield average + "_recall", sk.recall_score(y, q, average=average, zero_division=0)
        yield average + "_f1", sk.f1_score(y, q, average=average, zero_division=0)
    with np.errstate(all="ignore"):
        yield "balanced_accuracy", np.mean([(q[y == c] == c).mean() for c in set(y)])
    yield "kappa", sk.cohen_kappa_score(y, q)
    yield "log_loss", sk.log_loss(y, p, labels=labels)
    yield "macro_auc", np.nanmean(auc)
    yield "hard_auc", np.mean(hard)
    yield "ece", ece(p, y)
    ci = binomtest(int((q == y).sum()), len(y)).proportion_ci(method="wilson")
    yield "wilson_low", ci.low
    yield "wilson_high", ci.high
    per = sk.precision_recall_fscore_support(y, q, labels=labels, zero_division=0)
    for c in labels:
        yield f"precision[{c}]", per[0][c]
        yield f"recall[{c}]", per[1][c]
        yield f"f1[{c}]", per[2][c]
        yield f"support[{c}]", per[3][c]
        yield f"auc[{c}]", auc[c]
    for i, row in enumerate(sk.confusion_matrix(y, q, labels=labels)):
        for j, count in enumerate(row):
            yield f"confusion[{i}][{j}]", count
