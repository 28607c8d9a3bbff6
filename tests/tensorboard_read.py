#!/usr/bin/env python3
"""Reads the event files of a run with TensorBoard's own package and compares them with summary.csv. TAP.

    tensorboard_read.py RUN
"""
import csv
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

COLUMNS = {
    "loss/training": "train_loss", "loss/validation": "val_loss", "accuracy/training": "train_acc",
    "accuracy/validation": "val_acc", "validation/precision": "val_precision",
    "validation/recall": "val_recall", "validation/f1": "val_f1", "validation/auc": "val_auc",
    "learning_rate": "lr", "epoch": "epoch", "speed/images_per_second": "train_img_per_s",
}


def main(run):
    rows = list(csv.DictReader(open(os.path.join(run, "summary.csv"))))
    events = EventAccumulator(run)
    events.Reload()
    wrong = 0
    print(f"1..{len(COLUMNS) + 1}")
    good = sorted(events.Tags()["scalars"]) == sorted(COLUMNS) and len(rows) == 3
    wrong += not good
    print("ok" if good else "not ok", "1 - the tags, over a resumed run")
    for i, (tag, column) in enumerate(COLUMNS.items(), 2):
        here = [(e.step, e.value) for e in events.Scalars(tag)] if tag in events.Tags()["scalars"] else []
        there = [(int(r["step"]), float(r[column])) for r in rows]
        good = len(here) == len(there) and all(
            s == t and abs(x - y) <= 1e-4 * max(abs(y), 1e-2) + (.05 if column == "train_img_per_s" else 0)
            for (s, x), (t, y) in zip(here, there))
        wrong += not good
        print("ok" if good else "not ok", i, "-", tag, here if not good else "", there if not good else "")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
