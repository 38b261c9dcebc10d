"""Goldens of Grad-CAM, by autograd in evaluation mode: small networks, each with its model file."""

import torch
from torch.nn import functional

from golden_file import Draws, Golden, channels_first, channels_last


def goldens():
    torch.set_num_threads(1)
    yield grad_cam()


def _toml(*layers):
    tables = "".join(f"[[layer]]\ntype = '{kind}'\n{keys}\n" for kind, keys in layers)
    return "name = 'golden'\n" + tables


def _convolution(name, filters, more=""):
    return "convolution", f"name = '{name}'\nfilters = {filters}\nkernel = 3\npadding = 1\n{more}"


def _norm(name):
    return "batch_norm", f"name = '{name}'"


def _relu(name):
    return "relu", f"name = '{name}'"


class _Network:
    """Parameters under the model file's names, drawn as they are asked for."""

    def __init__(self, seed):
        self.draws = Draws(seed)
        self.tensors = {}

    def convolution(self, x, name, filters, bias=True):
        weight = channels_first(self.draws.values(filters, 3, 3, x.shape[1], limit=0.5))
        self.tensors[name + ".weight"] = channels_last(weight)
        offset = None
        if bias:
            offset = self.tensors[name + ".bias"] = self.draws.values(filters, limit=0.25)
        return functional.conv2d(x, weight, offset, 1, 1)

    def norm(self, x, name):
        channels = x.shape[1]
        scale = self.tensors[name + ".weight"] = 1 + self.draws.values(channels, limit=0.5)
        shift = self.tensors[name + ".bias"] = self.draws.values(channels, limit=0.5)
        mean = self.tensors[name + ".mean"] = self.draws.values(channels, limit=0.5)
        variance = self.tensors[name + ".variance"] = self.draws.positive(channels, limit=2)
        return functional.batch_norm(x, mean, variance, scale, shift, training=False, eps=1e-5)

    def dense(self, x, name, units):
        weight = self.tensors[name + ".weight"] = self.draws.values(units, x.shape[1], limit=0.5)
        bias = self.tensors[name + ".bias"] = self.draws.values(units, limit=0.5)
        return functional.linear(x, weight, bias)


def _map(logits, activations, classes):
    """Selvaraju et al., ICCV 2017, equations 1 and 2."""
    scores = logits[:, 0] * (2 * classes - 1) if logits.shape[1] == 1 else logits[range(len(classes)), classes]
    gradient, = torch.autograd.grad(scores.sum(), activations)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return functional.relu((weights * activations).sum(dim=1)).detach()


def _flat(x):
    """In the order height, width, channels."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)


def _block(network, x):
    y = functional.relu(network.norm(network.convolution(x, "conv1", 4, bias=False), "norm1"))
    y = functional.max_pool2d(y, 2)
    kept = functional.relu(network.norm(network.convolution(y, "conv2", 6, bias=False), "norm2")).requires_grad_()
    return network.dense(functional.max_pool2d(kept, 2).mean(dim=(2, 3)), "dense", 1), kept


_BLOCK = _toml(_convolution("conv1", 4, "bias = false"), _norm("norm1"), _relu("relu1"), ("max_pool", "kernel = 2"),
               _convolution("conv2", 6, "bias = false"), _norm("norm2"), _relu("relu2"), ("max_pool", "kernel = 2"),
               ("global_average_pool", ""), ("dense", "name = 'dense'"))


def _flattened(network, x):
    kept = functional.relu(network.convolution(x, "conv1", 5)).requires_grad_()
    hidden = functional.relu(network.dense(_flat(functional.avg_pool2d(kept, 2)), "dense1", 7))
    return network.dense(hidden, "dense2", 3), kept


_FLATTENED = _toml(_convolution("conv1", 5), _relu("relu1"), ("average_pool", "kernel = 2"), ("flatten", ""),
                   ("dense", "name = 'dense1'\nunits = 7"), _relu("relu2"), ("dropout", ""), ("dense", "name = 'dense2'"))


def _residual(network, x, layer):
    kept = functional.relu(network.convolution(x, "conv1", 4))
    if layer == "relu1":
        kept = kept.requires_grad_()
    inner = functional.relu(network.norm(network.convolution(kept, "conv2", 4, bias=False), "norm2"))
    total = network.norm(network.convolution(inner, "conv3", 4, bias=False), "norm3") + kept
    last = functional.relu(total)
    if layer != "relu1":
        last = kept = last.requires_grad_()
    return network.dense(last.mean(dim=(2, 3)), "dense", 1), kept


_RESIDUAL = _toml(_convolution("conv1", 4), _relu("relu1"), _convolution("conv2", 4, "bias = false"), _norm("norm2"),
                  _relu("relu2"), _convolution("conv3", 4, "bias = false"), _norm("norm3"), ("add", "with = 'relu1'"),
                  _relu("relu3"), ("global_average_pool", ""), ("dense", "name = 'dense'"))


def grad_cam():
    golden = Golden("grad_cam", "map = relu(sum over k of alpha_k A_k), alpha_k the mean over places of d logit of the "
                    "picture's class / d A_k; A the output of `layer` (empty: of the last convolution with its batch "
                    "normalisation, addition and ReLU), evaluation mode. With one logit, class 0 has its negative. "
                    "Parameters go by their names in `model`; norms have mean and variance.")
    for index, (name, model, build, shape, n_classes, layer) in enumerate((
            ("block", _BLOCK, _block, (4, 12, 10, 1), 2, ""),
            ("flattened", _FLATTENED, _flattened, (3, 8, 6, 1), 3, ""),
            ("residual", _RESIDUAL, lambda network, x: _residual(network, x, ""), (2, 6, 7, 1), 2, ""),
            ("residual_at_a_named_layer", _RESIDUAL, lambda network, x: _residual(network, x, "relu1"), (2, 6, 7, 1), 2,
             "relu1"))):
        network = _Network(62 + index)
        x = network.draws.values(*shape)
        classes = torch.arange(shape[0]) % n_classes
        logits, kept = build(network, channels_first(x))
        maps = _map(logits, kept, classes)
        if min(float(one.max()) for one in maps) < 1e-3:
            raise SystemExit(f"{name}: a map is empty and would hold nothing: draw with another seed")
        golden.add(name, dict(model=model, layer=layer, n_classes=n_classes), x=x, classes=classes, map=maps,
                   **network.tensors)
    return golden
