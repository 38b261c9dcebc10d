#!/usr/bin/env python3
"""xrai's reading of rows against h5py's, on one machine, in one run: the same rows in every layout users have.

compare_h5py.py BENCH_LOADER FILE.h5 [--rows N] [--batch N] takes the pictures of FILE.h5 (/train/images), writes them
anew in each layout, and reads them shuffled in batches: h5py by list indexing (sorted, as h5py wants it) and row by
row, BENCH_LOADER as the loader does. h5py is given a few seconds a layout, not the whole epoch. Prints one JSON object a
layout and a table; needs h5py and NumPy. Times of both are divided, and so is processor time, which says what one free
core would, whoever else uses the machine; h5py has one thread, BENCH_LOADER as many as there are cores.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

SECONDS = 4.0  # for each way of h5py


def layouts(side):
    row, kilo = (1, *side), (1000, *side)
    return {
        "contiguous": {},
        "1 row a chunk": {"chunks": row},
        "1000 rows a chunk": {"chunks": kilo},
        "gzip, 1 row a chunk": {"chunks": row, "compression": "gzip"},
        "gzip + shuffle + fletcher32, 1 row a chunk": {
            "chunks": row, "compression": "gzip", "shuffle": True, "fletcher32": True},
        "lzf, 1 row a chunk": {"chunks": row, "compression": "lzf"},
        "gzip, 20 rows a chunk": {"chunks": (20, *side), "compression": "gzip"},
        "gzip, 1000 rows a chunk": {"chunks": kilo, "compression": "gzip"},
    }


def rate(read, batches):
    """Rows a second of as many batches as fit in the time, one at least; and microseconds of the processor a row."""
    began, began_work, rows = time.perf_counter(), time.process_time(), 0
    for batch in batches:
        read(batch)
        rows += len(batch)
        if time.perf_counter() - began > SECONDS:
            break
    return rows / (time.perf_counter() - began), 1e6 * (time.process_time() - began_work) / rows


def h5py_rates(path, batch_size):
    with h5py.File(path, "r") as file:
        images = file["train/images"]
        order = np.random.default_rng(1).permutation(len(images))
        batches = [order[i:i + batch_size] for i in range(0, len(order) - batch_size + 1, batch_size)]
        out = np.empty((batch_size, *images.shape[1:]), images.dtype)

        def row_by_row(batch):
            for place, row in enumerate(batch):
                images.read_direct(out, np.s_[row], np.s_[place])

        return (rate(lambda batch: images[np.sort(batch)], batches), rate(row_by_row, batches))


def bench_rate(bench, path, batch_size):
    run = subprocess.run([bench, path, "/train/images", str(batch_size)], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr.strip())
    return json.loads(run.stdout.splitlines()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", help="the program bench_loader")
    parser.add_argument("file", help="an HDF5 file with /train/images")
    parser.add_argument("--rows", type=int, default=4000, help="of the file (4000)")
    parser.add_argument("--batch", type=int, default=32, help="rows a batch (32)")
    arguments = parser.parse_args()
    with h5py.File(arguments.file, "r") as file:
        pictures = file["train/images"][:arguments.rows]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "rows.h5")
        for name, options in layouts(pictures.shape[1:]).items():
            if options and options["chunks"][0] > len(pictures):
                continue
            with h5py.File(path, "w") as file:
                file.create_dataset("train/images", data=pictures, **options)
            (by_list, work_of_list), (by_row, work_of_row) = h5py_rates(path, arguments.batch)
            bench = bench_rate(arguments.bench, path, arguments.batch)
            results.append({
                "layout": name, "order": bench["order"], "how": bench["how"],
                "xrai_rows_per_second": bench["rows_per_second"], "h5py_list_rows_per_second": round(by_list),
                "h5py_rows_per_second": round(by_row), "times_h5py_list": bench["rows_per_second"] / by_list,
                "times_h5py_rows": bench["rows_per_second"] / by_row, "part_of_limit": bench["part_of_limit"],
                "threads": bench["threads"],
                "times_h5py_list_in_processor_time": work_of_list / bench["processor_microseconds_per_row"],
                "times_h5py_rows_in_processor_time": work_of_row / bench["processor_microseconds_per_row"],
                "part_of_limit_in_processor_time": bench["part_of_limit_in_processor_time"],
            })
            print(json.dumps(results[-1]), flush=True)
    print(f"\n{'layout':44} {'order':9} {'xrai / h5py list':>17} {'xrai / h5py row':>16} {'of the limit':>13}"
          f" {'processor: list':>16} {'row':>8} {'limit':>6}")
    for result in results:
        print(f"{result['layout']:44} {result['order']:9} {result['times_h5py_list']:16.1f}x "
              f"{result['times_h5py_rows']:15.1f}x {result['part_of_limit'] or '-':>13}"
              f" {result['times_h5py_list_in_processor_time']:15.1f}x"
              f" {result['times_h5py_rows_in_processor_time']:7.1f}x"
              f" {result['part_of_limit_in_processor_time'] or '-':>6}")


if __name__ == "__main__":
    main()
