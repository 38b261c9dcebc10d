#!/usr/bin/env python3
"""Holds `xrai_dataset import` against a one-thread Pillow loop over the same pictures: images a second.

    profiling/compare_pillow.py FOLDER [--size 224] [--rounds 5] [--json FILE]

The loop is what most scripts do: Image.open(file).convert('L').resize((size, size)), on one thread, with the pictures
dropped. The two take turns within one run, changing who goes first; import is timed as a whole process on all cores: start,
scan, search for duplicates, splits, decoding, the HDF5 file and its fsync. Both read from the page cache. Beside the rates
stands the processor time of a picture, user and system, which other work on the machine changes less.
Exit codes: 0 compared, 1 import failed, 2 usage, 77 no Pillow.
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def processor_seconds(whose):
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def pillow_seconds(files, size):
    """By the clock, and of the processor."""
    from PIL import Image
    start, used = time.perf_counter(), processor_seconds(resource.RUSAGE_SELF)
    for file in files:
        Image.open(file).convert("L").resize((size, size))
    return time.perf_counter() - start, processor_seconds(resource.RUSAGE_SELF) - used


def import_seconds(program, folder, size):
    """The same."""
    with tempfile.TemporaryDirectory() as out:
        start, used = time.perf_counter(), processor_seconds(resource.RUSAGE_CHILDREN)
        done = subprocess.run([program, "import", folder, f"{out}/data.h5", "--size", str(size), "--quiet"],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        seconds = time.perf_counter() - start, processor_seconds(resource.RUSAGE_CHILDREN) - used
    if done.returncode != 0:
        print(f"compare_pillow: import ended with {done.returncode}: {done.stderr.strip()}", file=sys.stderr)
        sys.exit(1)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="class folders of JPEG or PNG files")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/bin/xrai_dataset")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        import PIL
    except ImportError:
        print("compare_pillow: Pillow is not installed: apt-get install python3-pil", file=sys.stderr)
        sys.exit(77)
    files = [f for f in sorted(arguments.folder.rglob("*")) if f.suffix.lower() in (".jpeg", ".jpg", ".png")]
    if not files:
        parser.error(f"there is no picture in {arguments.folder}")
    for file in files:
        file.read_bytes()
    sides = {"pillow": lambda: pillow_seconds(files, arguments.size),
             "xrai": lambda: import_seconds(arguments.program, arguments.folder, arguments.size)}
    rates, processor = {"pillow": [], "xrai": []}, {"pillow": [], "xrai": []}
    for number in range(arguments.rounds):
        for name in sorted(sides, reverse=number % 2 == 1):
            by_clock, of_processor = sides[name]()
            rates[name].append(len(files) / by_clock)
            processor[name].append(1e6 * of_processor / len(files))
    ratios = [x / p for x, p in zip(rates["xrai"], rates["pillow"])]
    result = {"n_images": len(files), "size": arguments.size, "pillow": PIL.__version__,
              "images_per_second": {name: statistics.median(values) for name, values in rates.items()},
              "processor_us_per_image": {name: statistics.median(values) for name, values in processor.items()},
              "ratio_median": statistics.median(ratios), "ratio_of_rounds": ratios}
    print("{n_images} pictures to {size} px: xrai {x:.0f}, Pillow {p:.0f} images/s, ratio {ratio_median:.2f} "
          "(rounds: {r}); processor time of a picture {xp:.0f} and {pp:.0f} us".format(
              x=result["images_per_second"]["xrai"], p=result["images_per_second"]["pillow"],
              xp=result["processor_us_per_image"]["xrai"], pp=result["processor_us_per_image"]["pillow"],
              r=" ".join(f"{ratio:.2f}" for ratio in ratios), **result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
