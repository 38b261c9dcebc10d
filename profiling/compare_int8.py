#!/usr/bin/env python3
"""--precision int8 beside fp32 on this CPU: how fast, and what it does to the figures of trained networks.

    profiling/compare_int8.py                                     plain5 at 224 and 64 px, 64 pictures a step and one
    profiling/compare_int8.py --data xrays.h5 RUN [RUN ...]       AUROC of the split val, and how far probabilities are apart

Steps take turns on one thread and are measured in processor time (user and system), which other work on the machine
disturbs less than the clock. One JSON line a case. Exit codes: 0 done, 1 AUROC differs by more than 0.001, 2 usage.
"""

import argparse
import csv
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

BIN = pathlib.Path(__file__).resolve().parent.parent / "build/release/bin"
PRECISIONS = ("fp32", "int8")
CASES = ((224, 64, 10), (224, 1, 400), (64, 64, 80), (64, 1, 3000))  # side, pictures a step, steps
LARGEST_DIFFERENCE = 1e-3  # of AUROC


def call(program, *words):
    done = subprocess.run([BIN / program, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"compare_int8: {done.stderr.strip()}")
    return done.stdout


def processor_seconds():
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def step_ms(precision, side, batch, steps, model):
    """What `steps` more steps cost, so that start and preparation do not count."""
    costs = []
    for count in (2, steps + 2):
        before = processor_seconds()
        call("xrai_bench", "infer", "--device", "cpu", "--threads", 1, "--precision", precision, "--size", side, "--batch-size",
             batch, "--iterations", count, "--model", model)
        costs.append(processor_seconds() - before)
    return (costs[1] - costs[0]) / steps * 1e3


def compare_speed(model, rounds):
    for side, batch, steps in CASES:
        times = [[step_ms(p, side, batch, steps, model) for p in PRECISIONS] for _ in range(rounds)]
        ratios = sorted(floats / small for floats, small in times)
        print(json.dumps({"model": model, "size": side, "batch_size": batch,
                          "fp32_ms": round(statistics.median(t[0] for t in times), 3),
                          "int8_ms": round(statistics.median(t[1] for t in times), 3),
                          "ratio": round(statistics.median(ratios), 2), "ratios": [round(r, 2) for r in ratios]}), flush=True)


def score(run, data, split, precision):
    """The metrics, and the last class's probability of every picture."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        said = json.loads(call("xrai_evaluate", "--device", "cpu", "--precision", precision, "--checkpoint", run, "--data", data,
                               "--split", split, "--json", "--predictions", file.name))
        with open(file.name, newline="") as table:
            rows = list(csv.reader(table))
    return said["metrics"], [float(row[-1]) for row in rows[1:]]


def compare_figures(run, data, split):
    """True where AUROC holds."""
    (floats, expected), (small, rounded) = (score(run, data, split, p) for p in PRECISIONS)
    change = small["auroc"]["value"] - floats["auroc"]["value"]
    print(json.dumps({"run": str(run), "auroc": floats["auroc"]["value"], "auroc_change": change,
                      "accuracy_change": small["accuracy"]["value"] - floats["accuracy"]["value"],
                      "largest_difference_of_a_probability": max(abs(a - b) for a, b in zip(expected, rounded))}), flush=True)
    return abs(change) <= LARGEST_DIFFERENCE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="*", help="run folders of xrai_gpu_train")
    parser.add_argument("--data", metavar="FILE.h5", help="data set to score them on")
    parser.add_argument("--split", default="val", help="(default: %(default)s)")
    parser.add_argument("--model", default="plain5", help="whose steps are timed (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    arguments = parser.parse_args()
    if bool(arguments.runs) != bool(arguments.data):
        parser.error("--data FILE.h5 and runs go together")
    if not arguments.runs:
        return compare_speed(arguments.model, arguments.rounds)
    held = [compare_figures(run, arguments.data, arguments.split) for run in arguments.runs]
    return sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
