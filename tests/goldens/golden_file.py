"""How a golden is drawn, rounded and written. The schema is told in make_layer_goldens.py; no arithmetic lives here."""

import dataclasses
import json

import numpy
import torch

LAYOUT = "activations (N,H,W,C); convolution weights (O,H,W,I/groups); dense weights (O,I)"


@dataclasses.dataclass
class Golden:
    operation: str
    convention: str
    cases: list = dataclasses.field(default_factory=list)

    def add(self, name, attributes, **tensors):
        """Tensors are torch tensors already in the layout of the file, or plain lists for one axis."""
        self.cases.append((name, attributes, tensors))


class Draws:
    """Multiples of 1/64 (or of 1/denominator) up to a limit: exact in float32, short in decimals."""

    def __init__(self, seed, denominator=64):
        self._stream = numpy.random.RandomState(seed)
        self._denominator = denominator

    def values(self, *shape, limit=2.0):
        """In [-limit, limit]."""
        bound = int(limit * self._denominator)
        return self.integers(-bound, bound + 1, *shape).double() / self._denominator

    def positive(self, *shape, limit=2.0):
        """In (0, limit]."""
        return self.integers(1, int(limit * self._denominator) + 1, *shape).double() / self._denominator

    def integers(self, low, high, *shape):
        """In [low, high)."""
        return torch.from_numpy(self._stream.randint(low, high, size=shape).astype(numpy.int64))

    def distinct(self, *shape):
        """A shuffled ramp of eighths: no two are equal, so a maximum has one place only."""
        count = int(numpy.prod(shape))
        return torch.from_numpy((self._stream.permutation(count).reshape(shape) - count // 2).astype(numpy.float64) / 8)


def channels_last(tensor):
    """(N,C,H,W) -> (N,H,W,C), and (O,I,H,W) -> (O,H,W,I). Always a copy: contiguous() alone would be a view of a tensor
    with one channel, which an optimiser goes on changing."""
    return tensor.detach().permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)


def channels_first(tensor):
    """(N,H,W,C) -> (N,C,H,W), and (O,H,W,I) -> (O,I,H,W)."""
    return tensor.permute(0, 3, 1, 2).contiguous()


def leaf(tensor):
    return tensor.clone().requires_grad_(True)


def _number(value):
    if float(value) == int(value) and abs(value) < 2**53:
        return str(int(value))
    return format(float(value), ".9g")


def _tensor(tensor):
    tensor = torch.as_tensor(tensor).detach()
    values = ",".join(_number(value) for value in tensor.reshape(-1).tolist())
    return '{"shape":%s,"values":[%s]}' % (json.dumps(list(tensor.shape), separators=(",", ":")), values)


def render(golden):
    """One tensor a line, so that a diff names what changed."""
    lines = ["{"]
    head = {
        "operation": golden.operation,
        "recorded_with": f"torch {torch.__version__.split('+')[0]}, float64",
        "layout": LAYOUT,
        "convention": golden.convention,
    }
    lines += [f'"{key}": {json.dumps(value)},' for key, value in head.items()]
    lines.append('"cases": [')
    for index, (name, attributes, tensors) in enumerate(golden.cases):
        lines.append('{"name": %s, "attributes": %s, "tensors": {' % (json.dumps(name), json.dumps(attributes)))
        lines.append(",\n".join(f' "{key}": {_tensor(tensor)}' for key, tensor in tensors.items()))
        lines.append("}}" + ("," if index + 1 < len(golden.cases) else ""))
    lines.append("]}")
    return "\n".join(lines) + "\n"
