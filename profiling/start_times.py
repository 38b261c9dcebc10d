#!/usr/bin/env python3
"""How long a program takes before it does what it was started for.

    profiling/start_times.py                       --help of every program
    profiling/start_times.py --data chest.h5       and a training from its start to the end of its first step

Prints a JSON object a line: the median and the least of several starts by the clock, and the median processor time, which tells more where
others work beside. Options behind -- go to the training: `profiling/start_times.py --data chest.h5 -- --recipe fast`.

Exit codes: 0 measured, 1 a program failed, 2 usage.
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

HERE = pathlib.Path(__file__).resolve().parent


def stop(sentence, code):
    print("start_times: " + sentence, file=sys.stderr)
    sys.exit(code)


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command):
    """Unix time of the start, seconds by the clock and of the processors."""
    began, processors, clock = time.time_ns(), processor_seconds(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    seconds = time.perf_counter() - clock
    if done.returncode != 0:
        stop(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}", 1)
    return began, seconds, processor_seconds() - processors


def tell(what, milliseconds, processor_milliseconds=None):
    line = {"what": what, "starts": len(milliseconds), "median_ms": round(statistics.median(milliseconds), 1),
            "least_ms": round(min(milliseconds), 1)}
    if processor_milliseconds:
        line["processor_median_ms"] = round(statistics.median(processor_milliseconds), 1)
    print(json.dumps(line), flush=True)


def first_step(train, data, options):
    """Milliseconds from the start of the program to the end of its first step."""
    with tempfile.TemporaryDirectory() as folder:
        trace = pathlib.Path(folder) / "trace.json"
        began, _, _ = run([train, "--data", data, "--out", folder + "/run", "--max-steps", "1", "--members", "1",
                           "--trace", str(trace), *options])
        written = json.loads(trace.read_text())
    step = next(event for event in written["traceEvents"] if event["name"] == "step")
    return (written["otherData"]["began_unix_ns"] - began) / 1e6 + (step["ts"] + step["dur"]) / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(HERE.parent / "build/release/bin"), help="folder of the programs (default: %(default)s)")
    parser.add_argument("--data", metavar="FILE.h5", help="data set for the first step of a training")
    parser.add_argument("--starts", type=int, default=20, help="default: %(default)s")
    parser.add_argument("options", nargs="*", help="of the training, behind --")
    arguments = parser.parse_args()
    programs = sorted(p for p in pathlib.Path(arguments.bin).glob("xrai_*") if p.is_file())
    if not programs or arguments.starts < 1:
        stop(f"there are no programs in {arguments.bin}, or no starts were asked for; see --help", 2)
    for program in programs:
        times = [run([str(program), "--help"]) for _ in range(arguments.starts)]
        tell(program.name + " --help", [1e3 * seconds for _, seconds, _ in times], [1e3 * used for _, _, used in times])
    if arguments.data:
        train = str(pathlib.Path(arguments.bin) / "xrai_gpu_train")
        tell("xrai_gpu_train, start to the end of the first step",
             [first_step(train, arguments.data, arguments.options) for _ in range(arguments.starts)])


if __name__ == "__main__":
    main()
