#!/usr/bin/env python3
"""Writes small files, one for each layout and way of storing, as seeds for tests/fuzz (needs h5py)."""
import sys
from pathlib import Path

import h5py
import numpy as np

N, HEIGHT, WIDTH = 6, 10, 8


def pictures(low=0, high=255, dtype="u1", channels=None):
    grey = (np.arange(N * HEIGHT * WIDTH).reshape(N, HEIGHT, WIDTH) * 5) % 256
    values = (low + grey * (high - low) / 255).astype(dtype)
    return values if channels is None else np.repeat(values[..., None], channels, -1)


def write(folder, name, libver="earliest", **datasets):
    """A data set is an array, or an array with the options of h5py's create_dataset."""
    with h5py.File(folder / f"{name}.h5", "w", libver=libver) as file:
        for key, value in datasets.items():
            values, options = value if isinstance(value, tuple) else (value, {})
            file.create_dataset(key, data=values, **options)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_seeds.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.arange(N) % 2
    chunked = {"chunks": (2, HEIGHT, WIDTH)}
    write(folder, "plain", **{"train/images": pictures(), "train/labels": labels})
    for libver in ("earliest", "latest"):
        for name, options in {
            "chunked": {}, "gzip": {"compression": "gzip"}, "lzf": {"compression": "lzf"},
            "all": {"compression": "gzip", "shuffle": True, "fletcher32": True}, "grows": {"maxshape": (None, HEIGHT, WIDTH)},
        }.items():
            write(folder, f"{name}_{libver}", libver, images=(pictures(), {**chunked, **options}), labels=labels)
    write(folder, "channels_last", X_train=pictures(channels=3), y_train=np.eye(2)[labels])
    write(folder, "channels_first", data=np.moveaxis(pictures(-1, 1, "f4", 3), -1, 1), label=labels.reshape(N, 1).astype("f4"))
    write(folder, "words", images=pictures(0, 65535, ">u2"), labels=np.array([b"NORMAL", b"PNEUMONIA"])[labels])
    write(folder, "texts", images=pictures(0, 1, "f2"), labels=["NORMAL", "PNEUMONIA"] * (N // 2), patient=["a"] * N)
    write(folder, "classes", train_set_x=pictures(0, 1, "f8"), train_set_y=labels, list_classes=np.array([b"a", b"b"]))
    write(folder, "findings", images=pictures(), Pneumonia=labels.astype(bool), Mass=labels.astype(bool))
    write(folder, "per_class", NORMAL=pictures(), PNEUMONIA=pictures())


main()
