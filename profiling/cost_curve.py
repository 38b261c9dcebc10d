#!/usr/bin/env python3
"""How the cost of a step grows: with the pictures of a batch, and with the pixels of a picture.

    profiling/cost_curve.py                                     plain5: batch 1 to 256 at 64 px, 64 to 512 px at batch 8
    profiling/cost_curve.py --json curve.json --svg curve.svg

Times xrai_bench, training and inference, several rounds through all points, and takes each point's median. Printed: milliseconds, and
what a picture or a megapixel costs beside the cheapest point. Flat means linear; a rise to the left is what a step costs
whatever its size, one to the right would be work that grows faster than the data.

Exit codes: 0 measured, 1 a measurement failed, 2 usage.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SIZES = (64, 96, 128, 192, 256, 384, 512)


def stop(sentence, code):
    print("cost_curve: " + sentence, file=sys.stderr)
    sys.exit(code)


def step_milliseconds(arguments, mode, size, batch):
    command = [arguments.bench, mode, "--model", arguments.model, "--size", str(size), "--batch-size", str(batch),
               "--device", arguments.device, "--iterations", "5", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        stop(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}", 1)
    return json.loads(done.stdout)["step_ms"]["median"]


def measure(arguments):
    """One dictionary a point: which curve it is of, mode, size, batch and the median milliseconds of a step."""
    points = [{"curve": curve, "mode": mode, "size": size, "batch": batch, "rounds": []}
              for mode in ("train", "infer")
              for curve, size, batch in [*(("pictures", arguments.size, b) for b in BATCHES),
                                         *(("pixels", s, arguments.batch_size) for s in SIZES)]]
    for number in range(arguments.rounds):
        for point in points:
            point["rounds"].append(step_milliseconds(arguments, point["mode"], point["size"], point["batch"]))
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
    for point in points:
        point["step_ms"] = statistics.median(point["rounds"])
        point["microseconds_a_kilopixel"] = 1e6 * point["step_ms"] / (point["batch"] * point["size"]**2)
    return points


def curve_of(points, curve, mode):
    return [point for point in points if (point["curve"], point["mode"]) == (curve, mode)]


def print_tables(points):
    for curve, axis in (("pictures", "batch"), ("pixels", "size")):
        print(f"{axis:>6}  {'train ms':>9} {'cost':>6}  {'infer ms':>9} {'cost':>6}")
        columns = [curve_of(points, curve, mode) for mode in ("train", "infer")]
        least = [min(p["microseconds_a_kilopixel"] for p in column) for column in columns]
        for pair in zip(*columns):
            cells = [f"{p['step_ms']:9.2f} {p['microseconds_a_kilopixel'] / low:6.2f}" for p, low in zip(pair, least)]
            print(f"{pair[0][axis]:>6}  " + "  ".join(cells))
        print()


def draw(points, path):
    """Two panels, cost a kilopixel over pictures and over pixels, logarithmic to the right."""
    colours = {"train": "#0072b2", "infer": "#d55e00"}  # Okabe and Ito: told apart by colour-blind readers
    width, height, left, top = 330, 200, 44, 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * (width + left) + 40} {height + 90}" font-family="sans-serif" '
           'font-size="12"><rect width="100%" height="100%" fill="white"/>']
    most = max(p["microseconds_a_kilopixel"] for p in points)
    step = next(s for s in (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 10**9) if 4 * s >= most)
    highest = 4 * step
    for panel, (curve, axis, label) in enumerate((("pictures", "batch", "pictures a step"), ("pixels", "size", "side in pixels"))):
        x0 = left + panel * (width + left + 20)
        out.append(f'<rect x="{x0}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>'
                   f'<text x="{x0 + width / 2}" y="{top + height + 36}" text-anchor="middle">{label}</text>')
        for tick in range(0, 5):
            y = top + height * (1 - tick / 4)
            out.append(f'<text x="{x0 - 6}" y="{y + 4}" text-anchor="end">{step * tick}</text>')
        for mode, colour in colours.items():
            line = curve_of(points, curve, mode)
            places = [(x0 + width * (i + 0.5) / len(line), top + height * (1 - p["microseconds_a_kilopixel"] / highest))
                      for i, p in enumerate(line)]
            out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                       + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
            for (x, y), p in zip(places, line):
                out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
                if mode == "train":
                    out.append(f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{p[axis]}</text>')
            out.append(f'<text x="{x0 + width - 8}" y="{top + 16 + 16 * (mode == "infer")}" text-anchor="end" fill="{colour}">{mode}</text>')
    out.append(f'<text x="{left}" y="18">microseconds a thousand pixels of input (flat: cost grows as the data does)</text></svg>')
    pathlib.Path(path).write_text("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=str(HERE.parent / "build/release/bin/xrai_bench"), help="default: %(default)s")
    parser.add_argument("--model", default="plain5", help="default: %(default)s")
    parser.add_argument("--device", default="cpu", help="default: %(default)s")
    parser.add_argument("--size", type=int, default=64, help="side of the pictures while the batch grows (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="pictures a step while they grow (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--json", metavar="FILE", help="write all points to FILE")
    parser.add_argument("--svg", metavar="FILE", help="draw them into FILE")
    arguments = parser.parse_args()
    if not pathlib.Path(arguments.bench).is_file():
        stop(f"there is no {arguments.bench}; build it (cmake --build --preset release) or name it with --bench", 2)
    points = measure(arguments)
    print_tables(points)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps({"model": arguments.model, "device": arguments.device, "points": points}, indent=1) + "\n")
    if arguments.svg:
        draw(points, arguments.svg)


if __name__ == "__main__":
    main()
