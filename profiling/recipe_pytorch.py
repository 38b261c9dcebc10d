#!/usr/bin/env python3
"""The recipe of xrai_gpu_train in PyTorch, written a second time: the same network, views, loss, optimiser and schedule.

    profiling/recipe_pytorch.py xrays.h5                              train recipes/default.toml, score the split test
    profiling/recipe_pytorch.py xrays.h5 --recipe fast --split val --seed 2
    profiling/recipe_pytorch.py xrays.h5 --score RUN --split val      train nothing: score the networks of a run of xrai_gpu_train

FILE.h5 is a data set that xrai_dataset import made (docs/data-format.md); all of /train is trained on. What PyTorch draws at
random is not what xrai draws, so results agree as two seeds do, not digit for digit. With --score the networks are the same
ones: then the largest difference to the probabilities of /val that xrai left in the checkpoint is said, too, and has to be below 0.001.

Printed: AUROC, and at a probability of 0.5 accuracy, sensitivity and specificity of the mean of the networks; the seconds
of training. Exit codes: 0 done, 1 the probabilities differ, 2 usage, 3 bad data, 77 no PyTorch or h5py.
"""

import argparse
import json
import math
import pathlib
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent


def stop(sentence, code):
    print("recipe_pytorch: " + sentence, file=sys.stderr)
    sys.exit(code)


try:
    import h5py
    import numpy as np
    import torch
    from torch.nn import functional as F

    from torch_networks import NETWORKS
except ImportError as error:
    stop(f"{error}: apt-get install python3-torch python3-h5py, and run it with /usr/bin/python3", 77)

LEARNING_RATE = 0.004  # xrai's for AdamW
VIEW = {"mean": 0.48, "deviation": 0.23}  # ViewSettings of kernels/augment.h
# Of a recipe: what is read below, and what has to be as it is written here.
WRITTEN = {"model", "members", "image_size", "epochs", "batch_size", "optimizer", "schedule", "weight_decay", "class_weight",
           "label_smoothing", "rotation", "scale", "aspect", "shift", "gamma", "contrast", "brightness", "flip", "crop"}
RANGES = ("rotation", "scale", "aspect", "shift", "gamma", "contrast", "brightness")
LARGEST_DIFFERENCE = 1e-3  # of a probability


def read_recipe(name):
    """recipes/default.toml, and over it the recipe of that name or file; tables joined into one."""
    def load(path):
        try:
            return {key: value for table in tomllib.loads(path.read_text()).values() for key, value in table.items()}
        except (OSError, tomllib.TOMLDecodeError) as error:
            stop(f"{path}: {error}", 2)
    folder = HERE.parent / "recipes"
    recipe = load(folder / "default.toml")
    if name != "default":
        recipe |= load(pathlib.Path(name) if name.endswith(".toml") else folder / f"{name}.toml")
    for key, only in (("model", "plain5"), ("optimizer", "adamw"), ("schedule", "cosine"), ("class_weight", "adjusted"),
                      ("label_smoothing", 0), ("flip", 0)):
        if recipe[key] != only:
            stop(f"{key} = {recipe[key]!r} is not written here, only {only!r}", 2)
    unknown = sorted(set(recipe) - WRITTEN)
    if unknown:
        stop(f"{', '.join(unknown)} of the recipe {name}: not written here, so another recipe would be measured", 2)
    return recipe


class Split:
    """Pictures (n, 1, height, width) uint8 and labels (n) of one split, in memory."""

    def __init__(self, file, name):
        if name not in file:
            stop(f"{file.filename} has no /{name}, only {', '.join(file)}", 3)
        self.pictures = torch.from_numpy(file[name]["images"][...])[:, None]
        self.labels = torch.from_numpy(file[name]["labels"][...].astype(np.int64))
        if self.labels.unique().tolist() != [0, 1]:
            stop(f"{file.filename}: /{name}/labels has to hold two classes, 0 and 1", 3)


def affine(recipe, n, augmented, generator):
    """Output places, -1 to 1, to stored places; (n, 2, 3). As view_of() of kernels/augment_view.h."""
    if not augmented:
        return torch.eye(2, 3).repeat(n, 1, 1) * recipe["crop"]

    def draw(name):
        return (2 * torch.rand(n, generator=generator) - 1) * recipe[name]
    angle, reach = draw("rotation") * math.pi / 180, recipe["crop"] / (1 + draw("scale"))
    stretch = torch.exp(0.5 * draw("aspect"))
    rows = ((reach * angle.cos() * stretch, -reach * angle.sin() / stretch, 2 * draw("shift")),
            (reach * angle.sin() * stretch, reach * angle.cos() / stretch, 2 * draw("shift")))
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def view(pictures, recipe, size, generator=None):
    """What the network sees of stored square pictures; with a generator the training view. (n, 1, size, size)."""
    n, stored = len(pictures), pictures.shape[-1]
    grey = pictures.float() / 255
    if generator is not None:
        exponent = torch.exp((2 * torch.rand(n, 1, 1, 1, generator=generator) - 1) * recipe["gamma"])
        grey = grey**exponent
    # As many samples a pixel as the reduction asks for, averaged: samples_per_axis() of kernels/augment.cpp.
    samples = min(max(int(stored * recipe["crop"] / size + 0.5), 1), 8)
    places = F.affine_grid(affine(recipe, n, generator is not None, generator), (n, 1, size * samples, size * samples),
                           align_corners=False)
    grey = F.grid_sample(grey, places, mode="bilinear", padding_mode="border", align_corners=False)
    grey = F.avg_pool2d(grey, samples)
    if generator is not None:
        def draw(name):
            return (2 * torch.rand(n, 1, 1, 1, generator=generator) - 1) * recipe[name]
        mean = grey.mean((1, 2, 3), keepdim=True)
        grey = (grey - mean) * (1 + draw("contrast")) + mean + draw("brightness")
    grey = (grey.clamp(0, 1) - VIEW["mean"]) / VIEW["deviation"]
    return grey.contiguous(memory_format=torch.channels_last)


def new_network():
    network = NETWORKS["plain5"]()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
            torch.nn.init.zeros_(module.bias)
    return network.to(memory_format=torch.channels_last)


def train(data, recipe, size, seed):
    """One network. The last partial batch is trained on; the rate is that of runtime/train/schedule.cpp."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = new_network().train()
    decayed = [p for p in network.parameters() if p.dim() > 1]
    others = [p for p in network.parameters() if p.dim() == 1]
    rate = LEARNING_RATE
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": recipe["weight_decay"]},
                                   {"params": others, "weight_decay": 0.0}], lr=rate)
    n, batch = len(data.labels), recipe["batch_size"]
    well, ill = torch.bincount(data.labels).tolist()
    prior = math.log(ill / well)  # added by the loss: Menon et al., ICLR 2021, equation 10
    total = recipe["epochs"] * math.ceil(n / batch)
    warmup = round(total / 5)
    step = 0
    for _ in range(recipe["epochs"]):
        for rows in torch.randperm(n, generator=generator).split(batch):
            part = (step - warmup) / max(1, total - warmup)
            for group in optimiser.param_groups:
                group["lr"] = rate * (step + 1) / warmup if step < warmup else rate * 0.5 * (1 + math.cos(math.pi * part))
            labels = data.labels[rows]
            logits = network(view(data.pictures[rows], recipe, size, generator))[:, 0]
            optimiser.zero_grad()
            F.binary_cross_entropy_with_logits(logits + prior, labels.float()).backward()
            optimiser.step()
            step += 1
    return network


def load_networks(run):
    """The networks of a run folder of xrai_gpu_train, what it says of its views, and what it gave its validation pictures."""
    run = pathlib.Path(run)
    folders = [run, *sorted(run.glob("members/*"), key=lambda folder: int(folder.name))]
    networks = []
    for folder in folders:
        path = folder / "checkpoints/best.h5"
        try:
            file = h5py.File(path)
        except OSError as error:
            stop(f"{path}: {error}", 3)
        with file:
            if folder is run:
                facts = {"crop": float(file.attrs["view_crop"]), "size": int(file.attrs["image_size"])}
                validation = file["validation/probabilities"][:, 1] if "validation" in file else None
            network = new_network()
            convolutions = [m for m in network if isinstance(m, torch.nn.Conv2d)]
            norms = [m for m in network if isinstance(m, torch.nn.BatchNorm2d)]
            places = {"dense.weight": network[-1].weight, "dense.bias": network[-1].bias}
            for i, (convolution, norm) in enumerate(zip(convolutions, norms), 1):
                places |= {f"conv{i}.weight": convolution.weight, f"norm{i}.weight": norm.weight, f"norm{i}.bias": norm.bias}
                norm.running_mean.copy_(torch.from_numpy(file[f"statistics/norm{i}.mean"][...]))
                norm.running_var.copy_(torch.from_numpy(file[f"statistics/norm{i}.variance"][...]))
            if set(places) != set(file["parameters"]):
                stop(f"{path} is not of a plain5", 3)
            with torch.no_grad():
                for name, place in places.items():
                    place.copy_(torch.from_numpy(file["parameters"][name][...]))
            networks.append(network)
    return networks, facts, validation


def predict(networks, pictures, recipe, size):
    """Mean probability of class 1."""
    total = torch.zeros(len(pictures), dtype=torch.float64)
    with torch.no_grad():
        for network in networks:
            network.eval()
            total += torch.cat([torch.sigmoid(network(view(part, recipe, size))[:, 0].double())
                                for part in pictures.split(128)])
    return (total / len(networks)).numpy()


def scores(labels, probabilities):
    """AUROC by ranks (Mann and Whitney), ties counted half; the rest at 0.5."""
    _, place, count = np.unique(probabilities, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    ill = labels == 1
    n_ill, n_well = ill.sum(), (~ill).sum()
    said = probabilities >= 0.5
    return {"auroc": (ranks[ill].sum() - n_ill * (n_ill + 1) / 2) / (n_ill * n_well), "accuracy": (said == ill).mean(),
            "sensitivity": said[ill].mean(), "specificity": (~said[~ill]).mean()}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="FILE.h5")
    parser.add_argument("--recipe", default="default", help="name in recipes/, or a TOML file (default: %(default)s)")
    parser.add_argument("--members", type=int, help="networks (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=1, help="of the first network (default: %(default)s)")
    parser.add_argument("--split", default="test", help="what is scored (default: %(default)s)")
    parser.add_argument("--score", metavar="RUN", help="score the networks of this run folder instead of training")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch takes (default)")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    recipe = read_recipe(arguments.recipe)
    if arguments.threads > 0:
        torch.set_num_threads(arguments.threads)
    try:
        file = h5py.File(arguments.data)
    except OSError as error:
        stop(f"{arguments.data}: {error}", 3)
    scored = Split(file, arguments.split)
    result = {"data": arguments.data, "split": arguments.split, "torch": torch.__version__, "threads": torch.get_num_threads()}
    if arguments.score:
        networks, facts, validation = load_networks(arguments.score)
        recipe["crop"], size = facts["crop"], facts["size"]
        if validation is not None and "val" in file and len(file["val/labels"]) == len(validation):
            here = predict(networks, Split(file, "val").pictures, recipe, size)
            result["largest_difference"] = float(np.abs(here - validation).max())
    else:
        data = Split(file, "train")
        size = recipe.get("image_size", min(max(data.pictures.shape[-1] * 3 // 4 // 8 * 8, 32), 64))
        members = arguments.members or recipe["members"]
        began = time.monotonic()
        networks = []
        for member in range(members):
            networks.append(train(data, recipe, size, arguments.seed * 1000 + member))
            print(f"network {member + 1} of {members}, {time.monotonic() - began:.0f} s", file=sys.stderr)
        result["seconds"] = time.monotonic() - began
    result |= {"networks": len(networks), "image_size": size}
    result |= {name: float(value) for name, value in
               scores(scored.labels.numpy(), predict(networks, scored.pictures, recipe, size)).items()}
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:20}{value:.4g}" if isinstance(value, float) else f"{name:20}{value}")
    if result.get("largest_difference", 0) > LARGEST_DIFFERENCE:
        stop(f"xrai gave its validation pictures other probabilities, by up to {result['largest_difference']:.2g}", 1)


if __name__ == "__main__":
    main()
