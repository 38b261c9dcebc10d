"""Times one network in this process and prints one JSON line; started by compare_pytorch.py, once a measurement.

A training step is what xrai_bench counts as one: forward, binary cross-entropy, backward, AdamW. The batch is made
once and stays: reading pictures is no part of either side.
"""

import contextlib
import json
import statistics
import sys
import time

import torch
from torch.nn import functional

from torch_networks import NETWORKS

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def use_best_settings(device, precision):
    """What PyTorch's own performance guide turns on, as far as the precision asked for allows it."""
    if device != "cuda":
        return
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"


def make_step(mode, network, images, labels, precision):
    device = images.device.type

    def autocast():
        if precision not in AUTOCAST:
            return contextlib.nullcontext()
        return torch.autocast(device, dtype=AUTOCAST[precision])

    if mode == "infer":
        network.eval()

        def infer():
            with torch.inference_mode(), autocast():
                network(images)
        return infer

    network.train()
    fused = {"fused": True} if device == "cuda" else {}
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2, **fused)
    scaler = torch.cuda.amp.GradScaler(enabled=precision == "fp16")

    def train():
        optimiser.zero_grad(set_to_none=True)
        with autocast():
            logits = network(images)[:, 0]
        scaler.scale(functional.binary_cross_entropy_with_logits(logits.float(), labels)).backward()
        scaler.step(optimiser)
        scaler.update()
    return train


def main(mode, model, device, precision, way, size, batch_size, threads, warmup_steps, steps):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    use_best_settings(device, precision)
    network = NETWORKS[model]().to(device=device, memory_format=torch.channels_last)
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    if way == "compile":
        network = torch.compile(network)
    images = torch.randn(batch_size, 1, size, size, device=device).to(memory_format=torch.channels_last)
    labels = (torch.arange(batch_size, device=device) % 2).float()
    step = make_step(mode, network, images, labels, precision)
    seconds = []
    for index in range(warmup_steps + steps):
        began = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        if index >= warmup_steps:
            seconds.append(time.perf_counter() - began)
    result = {"images_per_second": batch_size / statistics.median(seconds), "torch": torch.__version__,
              "parameters": n_parameters}
    if device == "cuda":
        result["device_bytes"] = torch.cuda.max_memory_reserved()
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:6], *map(int, sys.argv[6:]))
