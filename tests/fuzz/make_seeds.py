#!/usr/bin/env python3
"""Writes small files, one for each layout and way of storing, as seeds for tests/fuzz (needs h5py)."""
import struct
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np

N, HEIGHT, WIDTH = 6, 10, 8


def pictures(low=0, high=255, dtype="u1", channels=None):
    grey = (np.arange(N * HEIGHT * WIDTH).reshape(N, HEIGHT, WIDTH) * 5) % 256
    values = (low + grey * (high - low) / 255).astype(dtype)
    return values if channels is None else np.repeat(values[..., None], channels, -1)


def created(path, libver):
    """A new file whose root group keeps no times, as h5py's data sets do not: the bytes are the same at every run."""
    access, creation = h5py.h5p.create(h5py.h5p.FILE_ACCESS), h5py.h5p.create(h5py.h5p.FILE_CREATE)
    access.set_libver_bounds(*{"earliest": (h5py.h5f.LIBVER_EARLIEST, h5py.h5f.LIBVER_LATEST),
                               "latest": (h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)}[libver])
    creation.set_obj_track_times(False)
    return h5py.File(h5py.h5f.create(str(path).encode(), h5py.h5f.ACC_TRUNC, creation, access))


def write(folder, name, libver="earliest", **datasets):
    """A data set is an array, or an array with the options of h5py's create_dataset."""
    with created(folder / f"{name}.h5", libver) as file:
        for key, value in datasets.items():
            values, options = value if isinstance(value, tuple) else (value, {})
            file.create_dataset(key, data=values, **options)


def low_bits(folder, labels):
    """Numbers behind nbit. It leaves those alone that use all their bits; the file says that it did not."""
    path = folder / "nbit.h5"
    with created(path, "earliest") as file:
        for name, values, chunk in (("images", pictures(dtype="<u2"), (2, HEIGHT, WIDTH)), ("labels", labels.astype("<i8"), (4,))):
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_chunk(chunk)
            creation.set_filter(5, h5py.h5z.FLAG_MANDATORY, ())
            creation.set_obj_track_times(False)
            space, numbers = h5py.h5s.create_simple(values.shape), h5py.h5t.py_create(values.dtype)
            h5py.h5d.create(file.id, name.encode(), numbers, space, creation).write(h5py.h5s.ALL, h5py.h5s.ALL, values.byteswap())
    written = path.read_bytes()
    for n_values, n_bytes in ((2 * HEIGHT * WIDTH, 2), (4, 8)):
        start, rest = struct.pack("<I", 8), struct.pack("<6I", n_values, 1, n_bytes, 0, 8 * n_bytes, 0)
        as_it_is, packed = (start + struct.pack("<I", unpacked) + rest for unpacked in (1, 0))
        assert written.count(as_it_is) == 1
        written = written.replace(as_it_is, packed)
    path.write_bytes(written)


def virtual(folder):
    """Pictures and labels of two data sets of the same file each, one of them compressed."""
    half = N // 2
    with created(folder / "virtual.h5", "earliest") as file:
        for name, values, options in (("images", pictures(), {"chunks": (2, HEIGHT, WIDTH), "compression": "gzip"}),
                                      ("labels", np.arange(N) % 2, {})):
            creation, space = h5py.h5p.create(h5py.h5p.DATASET_CREATE), h5py.h5s.create_simple(values.shape)
            creation.set_obj_track_times(False)
            for part, (rows, how) in enumerate(((slice(0, half), options), (slice(half, N), {}))):
                source = file.create_dataset(f"{name}_{part}", data=values[rows], **how)
                space.select_hyperslab((rows.start,) + (0,) * (values.ndim - 1), source.shape)
                creation.set_virtual(space, b".", source.name.encode(), source.id.get_space())
            numbers = h5py.h5t.py_create(values.dtype)
            h5py.h5d.create(file.id, name.encode(), numbers, h5py.h5s.create_simple(values.shape), creation)


def untimed(kind, ordered=False):
    """Properties of a group or a data set that keeps no times; ordered: what it has is found by when it was made, too."""
    creation = h5py.h5p.create(kind)
    creation.set_obj_track_times(False)
    if ordered:
        order = h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED
        creation.set_attr_creation_order(order)
        if hasattr(creation, "set_link_creation_order"):
            creation.set_link_creation_order(order)
    return creation


def dense(folder, labels):
    """More links and attributes than a header keeps: in heaps, with trees by name and by order, after some were removed."""
    for name, ordered, n in (("dense", False, 12), ("dense_ordered", True, 60)):
        with created(folder / f"{name}.h5", "latest") as file:
            train = h5py.Group(h5py.h5g.create(file.id, b"train", gcpl=untimed(h5py.h5p.GROUP_CREATE, ordered)))
            for key, values in (("images", pictures()), ("labels", labels)):
                space, numbers = h5py.h5s.create_simple(values.shape), h5py.h5t.py_create(values.dtype)
                made = h5py.h5d.create(train.id, key.encode(), numbers, space, untimed(h5py.h5p.DATASET_CREATE, ordered))
                made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
            for i in range(n):
                train[f"also_{i}"] = h5py.SoftLink(f"/nothing_{i}")
            attributes = train["images"].attrs
            for i in range(n):
                attributes[f"about_{i}"] = (i, "a word", np.arange(i), np.float32(i))[i % 4]
            attributes.create("flag", True, dtype=h5py.enum_dtype({"FALSE": 0, "TRUE": 1}, basetype="i1"))
            attributes["long"] = np.zeros(4500, "u1")  # lies outside the heap's blocks
            for i in range(0, n, 5):
                del train[f"also_{i}"], attributes[f"about_{i}"]


def szip(folder, labels):
    """Skipped where the library was built without it, as some are for its licence."""
    if not h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
        return
    for name, how in (("szip", {}), ("szip_sum", {"fletcher32": True})):
        write(folder, name, images=(pictures(), {"chunks": (2, HEIGHT, WIDTH), "compression": "szip",
                                                 "compression_opts": ("nn", 8), **how}), labels=labels)


def matlab(folder):
    """As save -v7.3 writes arrays (height, width, N) and (N, 1): axes turned around, and a word about each."""
    with h5py.File(folder / "matlab.h5", "w", userblock_size=512) as file:
        for name, values in (("images", np.swapaxes(pictures(), 1, 2)), ("labels", (np.arange(N) % 2 + 1.0).reshape(1, N))):
            file[name] = values
            file[name].attrs["MATLAB_class"] = np.bytes_("uint8" if name == "images" else "double")


def png():
    """Grey, 8 x 8 pixels."""
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    rows = b"".join(b"\0" + bytes(range(0, 8 * 30, 30)) for _ in range(8))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def encoded_rows(folder):
    with h5py.File(folder / "encoded.h5", "w") as file:
        rows = file.create_dataset("images", (N,), dtype=h5py.vlen_dtype("uint8"))
        for i in range(N):
            rows[i] = np.frombuffer(png(), "uint8")
        file["labels"] = np.arange(N) % 2


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
    write(folder, "lzf_labels", images=pictures(), labels=(labels, {"chunks": (3,), "compression": "lzf"}))
    scaled = {"chunks": (4, HEIGHT, WIDTH), "scaleoffset": 0}
    write(folder, "scaled_integers", images=(pictures(-1000, 1000, ">i2"), scaled), labels=(labels, {"chunks": (4,), "scaleoffset": 0}))
    write(folder, "scaled_floats", images=(pictures(0, 1, "f4"), {**scaled, "scaleoffset": 3, "compression": "gzip", "shuffle": True}),
          labels=(labels.astype("f8"), {"chunks": (4,), "scaleoffset": 2}))
    each = [f"{name}/{i}" for name in ("NORMAL", "PNEUMONIA") for i in range(2)]
    write(folder, "arrays", **{name: (pictures(0, 1, "f4")[i], {"compression": "gzip"}) for i, name in enumerate(each)})
    write(folder, "files", **{name: np.void(png()) for name in each})
    write(folder, "struct", **{"cjdata/image": pictures(0, 4095, "<i2")[1], "cjdata/label": np.ones((1, 1)), "cjdata/PID": np.ones(1)})
    low_bits(folder, labels)
    virtual(folder)
    dense(folder, labels)
    szip(folder, labels)
    matlab(folder)
    encoded_rows(folder)


main()
