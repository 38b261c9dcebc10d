#!/usr/bin/env python3
"""Holds xrai_bench against PyTorch on this machine: images a second and peak memory, training and inference.

    profiling/compare_pytorch.py                          plain5, 224 px, batch 64, float32, all cores
    profiling/compare_pytorch.py --model resnet18 --rounds 5 --json comparison.json
    profiling/compare_pytorch.py --python ~/venv/bin/python --way compile       another PyTorch than Debian's, torch.compile
    profiling/compare_pytorch.py --device cuda --precision bf16 --python ~/venv/bin/python

Both sides run with the same number of threads, PyTorch with channels-last memory; on a card with cudnn.benchmark, the
fused AdamW and, in bf16 and fp16, autocast (fp16 with its GradScaler). xrai's step also augments. Every measurement is a process of its
own that warms up and then takes the median of its steps. The two sides take turns within one run, changing who goes
first, and the medians over the rounds are compared. Peak memory is the kernel's ru_maxrss of the whole process, for
both; on a card what the process took of the card's memory.

Exit codes: 0 compared, 1 slower or larger than --require allows or a measurement failed, 2 usage, 77 no PyTorch.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
NO_PYTORCH = 77


def stop(sentence, code=1):
    print("compare_pytorch: " + sentence, file=sys.stderr)
    sys.exit(code)


def measure(command, threads):
    """Runs the command; its standard output as JSON, with the peak memory of the process."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        text, complaint = output.read().decode(), errors.read().decode().strip()
    if process.returncode != 0:
        stop(f"{' '.join(map(str, command))} ended with {process.returncode}: {complaint or text.strip()}")
    try:
        result = json.loads(text)
        rate = float(result["images_per_second"])
    except (ValueError, KeyError, TypeError) as error:
        stop(f"{command[0]} printed no JSON with images_per_second ({error}): {text[:200]}")
    return {"images_per_second": rate, "peak_bytes": result.get("device_bytes") or usage.ru_maxrss * 1024,
            "parameters": result.get("parameters")}


def commands(arguments, model, mode):
    bench = [arguments.bench, mode, "--model", model, "--size", str(arguments.size), "--batch-size",
             str(arguments.batch_size), "--device", arguments.device, "--precision", arguments.precision, "--json"]
    if arguments.device == "cuda":
        bench += ["--warmup", str(arguments.warmup_steps), "--iterations", str(arguments.steps)]
    sizes = (arguments.size, arguments.batch_size, arguments.threads, arguments.warmup_steps, arguments.steps)
    torch = [arguments.python, str(HERE / "torch_worker.py"), mode, model, arguments.device, arguments.precision,
             arguments.way, *map(str, sizes)]
    return {"xrai": bench, "pytorch": torch}


def compare(arguments, model, mode):
    """Medians of both sides over the rounds, taking turns."""
    sides = commands(arguments, model, mode)
    measured = {"xrai": [], "pytorch": []}
    for round_index in range(arguments.rounds):
        for side in ("xrai", "pytorch") if round_index % 2 == 0 else ("pytorch", "xrai"):
            print(f"{model} {mode}, round {round_index + 1} of {arguments.rounds}: {side} ...", file=sys.stderr)
            measured[side].append(measure(sides[side], arguments.threads))
    result = {"model": model, "mode": mode}
    for side, rounds in measured.items():
        result[side] = {
            "images_per_second": statistics.median(one["images_per_second"] for one in rounds),
            "images_per_second_of_rounds": [one["images_per_second"] for one in rounds],
            "peak_bytes": statistics.median(one["peak_bytes"] for one in rounds),
            "parameters": rounds[0]["parameters"],
        }
    counts = {result[side]["parameters"] for side in measured} - {None}
    if len(counts) > 1:
        stop(f"the two {model} have different numbers of parameters ({counts}): nothing was compared")
    ours, theirs = result["xrai"], result["pytorch"]
    result["speed_ratio"] = ours["images_per_second"] / theirs["images_per_second"]
    result["memory_ratio"] = ours["peak_bytes"] / theirs["peak_bytes"]
    return result


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


PROBE = """
import torch
card = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
print(torch.__version__, int(hasattr(torch, "compile")), card, sep="|")
"""


def find_torch(python):
    """Version, whether it has torch.compile, and the card it would use (empty: none); None where that Python has no PyTorch."""
    try:
        probe = subprocess.run([python, "-c", PROBE], capture_output=True, text=True)
    except OSError as error:
        stop(f"cannot start {python}: {error.strerror}; name a Python with --python", 2)
    if probe.returncode != 0:
        return None
    version, compiles, card = probe.stdout.strip().split("|")
    return version, compiles == "1", card


def print_table(report):
    where = report["gpu"] or f"{report['cpu']}, {report['threads']} threads"
    print(f"{where}, {report['size']} px, batch {report['batch_size']}, {report['precision']}; "
          f"PyTorch {report['torch']} ({report['way']}), medians of {report['rounds']} rounds")
    print(f"{'':17}{'images/s':>19}{'':9}{'peak MB':>19}")
    print(f"{'':17}{'xrai':>9}{'PyTorch':>10}{'ratio':>9}{'xrai':>9}{'PyTorch':>10}{'ratio':>9}")
    for result in report["results"]:
        ours, theirs = result["xrai"], result["pytorch"]
        print(f"{result['model'] + ' ' + result['mode']:17}{ours['images_per_second']:9.1f}"
              f"{theirs['images_per_second']:10.1f}{result['speed_ratio']:9.2f}{ours['peak_bytes'] / 1e6:9.0f}"
              f"{theirs['peak_bytes'] / 1e6:10.0f}{result['memory_ratio']:9.2f}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=str(HERE.parent / "build/release/bin/xrai_bench"),
                        help="default: %(default)s")
    parser.add_argument("--python", default="/usr/bin/python3", help="a Python with PyTorch (default: %(default)s)")
    parser.add_argument("--model", nargs="+", default=["plain5"], choices=["plain5", "resnet18"])
    parser.add_argument("--mode", nargs="+", default=["train", "infer"], choices=["train", "infer"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="default: %(default)s")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "tf32", "bf16", "fp16"],
                        help="of both sides; anything but fp32 needs a card (default: %(default)s)")
    parser.add_argument("--way", default="eager", choices=["eager", "compile"],
                        help="how PyTorch runs the network (default: %(default)s)")
    parser.add_argument("--size", type=int, default=224, help="side of the pictures in pixels (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="of both sides (default: all cores)")
    parser.add_argument("--rounds", type=int, default=3, help="processes a side (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="timed steps of a PyTorch process, on a card of both (default: 7; on a card 100)")
    parser.add_argument("--warmup-steps", type=int, help="before them (default: 2; on a card 20)")
    parser.add_argument("--require", type=float, metavar="RATIO",
                        help="fail when training is slower than RATIO times PyTorch or takes more memory")
    parser.add_argument("--json", metavar="FILE", help="also write everything to FILE ('-': to standard output)")
    arguments = parser.parse_args()
    on_card = arguments.device == "cuda"
    arguments.steps = arguments.steps or (100 if on_card else 7)
    arguments.warmup_steps = arguments.warmup_steps or (20 if on_card else 2)
    if arguments.precision != "fp32" and not on_card:
        parser.error(f"--precision {arguments.precision} needs --device cuda: the CPU device computes in fp32")
    if min(arguments.size, arguments.batch_size, arguments.threads, arguments.rounds, arguments.steps) < 1:
        parser.error("--size, --batch-size, --threads, --rounds and --steps must be at least 1")
    return arguments


def main():
    arguments = parse_arguments()
    if not os.access(arguments.bench, os.X_OK):
        stop(f"there is no {arguments.bench}; build it (cmake --build --preset release) or name it with --bench", 2)
    found = find_torch(arguments.python)
    if found is None:
        stop(f"{arguments.python} has no PyTorch; apt-get install python3-torch, or name another Python with --python",
             NO_PYTORCH)
    version, compiles, card = found
    if arguments.way == "compile" and not compiles:
        stop(f"PyTorch {version} of {arguments.python} has no torch.compile; name one of 2.0 or later with --python", NO_PYTORCH)
    if arguments.device == "cuda" and not card:
        stop(f"PyTorch {version} of {arguments.python} finds no GPU; name one that is built for CUDA with --python", NO_PYTORCH)
    report = {"cpu": cpu_name(), "gpu": card if arguments.device == "cuda" else "", "threads": arguments.threads,
              "size": arguments.size, "precision": arguments.precision, "torch": version, "way": arguments.way,
              "batch_size": arguments.batch_size, "rounds": arguments.rounds,
              "results": [compare(arguments, model, mode) for model in arguments.model for mode in arguments.mode]}
    if arguments.json == "-":
        print(json.dumps(report, indent=2))
    else:
        print_table(report)
    if arguments.json and arguments.json != "-":
        pathlib.Path(arguments.json).write_text(json.dumps(report, indent=2) + "\n")
    trained = [result for result in report["results"] if result["mode"] == "train"]
    if arguments.require and any(r["speed_ratio"] < arguments.require or r["memory_ratio"] > 1 for r in trained):
        stop(f"training is slower than {arguments.require} times PyTorch, or takes more memory")


if __name__ == "__main__":
    main()
