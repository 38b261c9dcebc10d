#!/usr/bin/env python3
"""Records what PyTorch says about every piece of arithmetic in xrai, for the tests to be held against.

    /usr/bin/python3 tests/goldens/make_layer_goldens.py            writes tests/goldens/layers/*.json
    /usr/bin/python3 tests/goldens/make_layer_goldens.py --check    compares instead; exit 1 and the names if any differ

Needs python3-torch and python3-numpy (recorded with Debian 12's torch 1.13). Tests read only the JSON.

Schema, one file an operation:

    {"operation": "convolution",
     "recorded_with": "torch 1.13, float64",
     "layout": "activations (N,H,W,C); convolution weights (O,H,W,I/groups); dense weights (O,I)",
     "convention": what a reader must know to repeat the numbers (a formula, a tie rule, the order of paddings),
     "cases": [{"name": "stride_3",
                "attributes": {"stride": [3, 3], ...},
                "tensors": {"x": {"shape": [2, 7, 8, 3], "values": [ ... row-major ... ]}, "y": ..., "dx": ...}}]}

A gradient is called d + the name of what it belongs to: dy is handed in, dx, dw, dgamma ... come out, and the
scalar they are gradients of is sum(y * dy), or the loss where the operation is one.

Inputs are drawn as multiples of 1/64 or 1/8, so that they are exact in float32 and in their few decimals. Results are
computed in float64 and written with 9 significant digits: closer to the truth than any float32 (24 bits, 7.2 digits)
can be, so the whole tolerance of a test belongs to the code under test. The random stream is numpy's RandomState, which
is frozen: the same torch writes the same bytes again. PyTorch's own float32 stays within 2e-6 of each tensor's largest
value (in training_steps; 7e-7 elsewhere), and computes convolution, dense and max pooling to the last bit.
"""

import argparse
import pathlib
import sys

import golden_composites
import golden_explanations
import golden_layers
import golden_training
from golden_file import render

FOLDER = pathlib.Path(__file__).resolve().parent / "layers"


def all_goldens():
    for module in (golden_layers, golden_composites, golden_training, golden_explanations):
        yield from module.goldens()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the files that are there, write nothing")
    arguments = parser.parse_args()
    differing = []
    for golden in all_goldens():
        path = FOLDER / (golden.operation + ".json")
        text = render(golden)
        if arguments.check:
            if not path.exists() or path.read_text() != text:
                differing.append(path.name)
            continue
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text)
        print(f"{path.name}: {len(golden.cases)} cases, {len(text)} bytes")
    if differing:
        sys.exit("differ from what this torch computes: " + ", ".join(differing))


if __name__ == "__main__":
    main()
