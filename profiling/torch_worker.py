"""Times one network in this process and prints one JSON line; started by compare_pytorch.py, once a measurement.

A training step is what xrai_bench counts as one: forward, binary cross-entropy, backward, AdamW. The batch is made
once and stays: reading pictures is no part of either side.
"""

import json
import statistics
import sys
import time

import torch
from torch.nn import functional

from torch_networks import NETWORKS


def make_step(mode, network, images, labels):
    if mode == "infer":
        network.eval()

        def infer():
            with torch.inference_mode():
                network(images)
        return infer

    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)

    def train():
        optimiser.zero_grad(set_to_none=True)
        functional.binary_cross_entropy_with_logits(network(images)[:, 0], labels).backward()
        optimiser.step()
    return train


def main(mode, model, size, batch_size, threads, warmup_steps, steps):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    network = NETWORKS[model]().to(memory_format=torch.channels_last)
    images = torch.randn(batch_size, 1, size, size).to(memory_format=torch.channels_last)
    labels = (torch.arange(batch_size) % 2).float()
    step = make_step(mode, network, images, labels)
    seconds = []
    for index in range(warmup_steps + steps):
        began = time.perf_counter()
        step()
        if index >= warmup_steps:
            seconds.append(time.perf_counter() - began)
    print(json.dumps({"images_per_second": batch_size / statistics.median(seconds), "torch": torch.__version__,
                      "parameters": sum(parameter.numel() for parameter in network.parameters())}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
