"""Goldens of single layers, forward and backward: convolution, pooling, dense, batch normalisation, ReLU."""

import torch
from torch.nn import functional

from golden_file import Draws, Golden, channels_first, channels_last, leaf


def goldens():
    torch.set_num_threads(1)
    yield convolution()
    yield max_pooling()
    yield average_pooling()
    yield global_average_pooling()
    yield dense()
    yield batch_norm_training()
    yield batch_norm_evaluation()
    yield relu()


def convolution():
    golden = Golden("convolution", "Cross-correlation; padding is [top, left, bottom, right] zeros; bias is added per "
                    "output channel and absent where has_bias is false; output size is floor((in + pads - kernel) / "
                    "stride) + 1. All values are multiples of 1/64 below 2^17: float32 sums them exactly in any order, "
                    "unless the algorithm transforms (Winograd, FFT) or rounds (TF32, bf16).")
    draws = Draws(11, denominator=8)

    # name: input (N,H,W,C), output channels, kernel, stride, padding, groups, bias
    cases = {
        "plain_3x3": ((2, 5, 6, 3), 4, (3, 3), (1, 1), (1, 1, 1, 1), 1, True),
        "without_bias": ((2, 4, 4, 2), 3, (3, 3), (1, 1), (1, 1, 1, 1), 1, False),
        "stride_3_leaves_a_remainder": ((2, 7, 8, 3), 2, (3, 3), (3, 3), (0, 0, 0, 0), 1, True),
        "asymmetric_padding": ((2, 5, 4, 2), 3, (3, 3), (2, 2), (1, 2, 0, 1), 1, True),
        "two_groups": ((1, 5, 5, 4), 6, (3, 3), (1, 1), (1, 1, 1, 1), 2, True),
        "depthwise": ((2, 4, 5, 3), 3, (3, 3), (2, 2), (1, 1, 1, 1), 3, True),
        "pointwise": ((2, 3, 4, 5), 3, (1, 1), (1, 1), (0, 0, 0, 0), 1, True),
        "pointwise_stride_2": ((2, 5, 4, 3), 4, (1, 1), (2, 2), (0, 0, 0, 0), 1, False),
        "seventeen_channels": ((1, 4, 4, 17), 5, (3, 3), (1, 1), (1, 1, 1, 1), 1, True),
        "to_seventeen_channels": ((1, 4, 3, 2), 17, (3, 3), (1, 1), (1, 1, 1, 1), 1, True),
        "one_channel": ((2, 6, 6, 1), 4, (3, 3), (1, 1), (1, 1, 1, 1), 1, True),
        "one_image_of_one_pixel": ((1, 1, 1, 3), 2, (3, 3), (1, 1), (1, 1, 1, 1), 1, True),
        "kernel_5x5_stride_2": ((1, 7, 6, 2), 3, (5, 5), (2, 2), (2, 2, 2, 2), 1, True),
        "kernel_7x7_stride_2_one_channel": ((1, 9, 9, 1), 3, (7, 7), (2, 2), (3, 3, 3, 3), 1, False),
        "rectangular": ((2, 6, 5, 2), 2, (2, 3), (2, 1), (0, 1, 1, 1), 1, True),
    }
    for name, (shape, outputs, kernel, stride, padding, groups, has_bias) in cases.items():
        x = leaf(channels_first(draws.values(*shape)))
        w = leaf(channels_first(draws.values(outputs, *kernel, shape[3] // groups, limit=1)))
        bias = leaf(draws.values(outputs)) if has_bias else None
        top, left, bottom, right = padding
        y = functional.conv2d(functional.pad(x, (left, right, top, bottom)), w, bias, stride, groups=groups)
        dy = channels_first(draws.values(y.shape[0], y.shape[2], y.shape[3], y.shape[1]))
        y.backward(dy)
        tensors = dict(x=channels_last(x), w=channels_last(w), y=channels_last(y), dy=channels_last(dy),
                       dx=channels_last(x.grad), dw=channels_last(w.grad))
        if has_bias:
            tensors.update(b=bias, db=bias.grad)
        attributes = dict(kernel=kernel, stride=stride, padding=padding, groups=groups, has_bias=has_bias)
        golden.add(name, attributes, **tensors)
    return golden


def _pooling_case(golden, draws, name, x, kernel, stride, padding, pool):
    x = leaf(channels_first(x))
    y = pool(x, kernel, stride, padding)
    dy = channels_first(draws.values(y.shape[0], y.shape[2], y.shape[3], y.shape[1]))
    y.backward(dy)
    golden.add(name, dict(kernel=kernel, stride=stride, padding=[*padding, *padding]), x=channels_last(x),
               y=channels_last(y), dy=channels_last(dy), dx=channels_last(x.grad))


def max_pooling():
    golden = Golden("max_pooling", "padding is [top, left, bottom, right], never the maximum; output size rounds down; "
                    "of equal maxima the first in row order gets the gradient.")
    draws = Draws(12)
    pool = functional.max_pool2d
    for name, x, kernel, stride, padding in (
        ("halves", draws.distinct(2, 4, 6, 3), (2, 2), (2, 2), (0, 0)),
        ("odd_size_drops_the_last_row_and_column", draws.distinct(2, 5, 7, 3), (2, 2), (2, 2), (0, 0)),
        ("overlapping_with_padding", draws.distinct(2, 6, 5, 2), (3, 3), (2, 2), (1, 1)),
        ("all_negative_with_padding", -draws.positive(1, 4, 4, 2) - 1, (3, 3), (2, 2), (1, 1)),
        ("ties", draws.integers(0, 2, 2, 6, 6, 2).double(), (2, 2), (2, 2), (0, 0)),
        ("overlapping_ties", draws.integers(0, 2, 2, 5, 5, 2).double(), (3, 3), (1, 1), (1, 1)),
        ("one_pixel", draws.values(2, 1, 1, 3), (1, 1), (1, 1), (0, 0)),
        ("seventeen_channels", draws.distinct(1, 4, 4, 17), (2, 2), (2, 2), (0, 0)),
        ("rectangular", draws.distinct(1, 5, 6, 2), (3, 2), (1, 2), (1, 0)),
    ):
        _pooling_case(golden, draws, name, x, kernel, stride, padding, pool)
    return golden


def average_pooling():
    golden = Golden("average_pooling", "padding is [top, left, bottom, right] and is not counted: the sum is divided "
                    "by the number of pixels of the window that lie inside the picture; output size rounds down.")
    draws = Draws(13)

    def pool(x, kernel, stride, padding):
        return functional.avg_pool2d(x, kernel, stride, padding, count_include_pad=False)

    for name, shape, kernel, stride, padding in (
        ("halves", (2, 4, 6, 3), (2, 2), (2, 2), (0, 0)),
        ("odd_size_drops_the_last_row_and_column", (2, 5, 7, 2), (2, 2), (2, 2), (0, 0)),
        ("padding_is_not_counted", (2, 5, 6, 2), (3, 3), (2, 2), (1, 1)),
        ("overlapping", (1, 5, 5, 3), (3, 3), (1, 1), (1, 1)),
        ("seventeen_channels", (1, 4, 4, 17), (2, 2), (2, 2), (0, 0)),
        ("rectangular", (1, 5, 6, 2), (3, 2), (1, 2), (1, 0)),
    ):
        _pooling_case(golden, draws, name, draws.values(*shape), kernel, stride, padding, pool)
    return golden


def global_average_pooling():
    golden = Golden("global_average_pooling", "y (N,C) is the mean over H and W.")
    draws = Draws(14)
    for name, shape in (("map_of_3x5", (2, 3, 5, 4)), ("map_of_one_pixel", (3, 1, 1, 2)),
                        ("seventeen_channels", (1, 3, 4, 17))):
        x = leaf(draws.values(*shape))
        y = x.mean(dim=(1, 2))
        dy = draws.values(*y.shape)
        y.backward(dy)
        golden.add(name, {}, x=x, y=y, dy=dy, dx=x.grad)
    return golden


def dense():
    golden = Golden("dense", "y (N,O) = x (N,I) w^T + b.")
    draws = Draws(15, denominator=8)
    for name, n_images, inputs, outputs in (("six_to_three", 4, 6, 3), ("one_image_one_output", 1, 5, 1),
                                            ("seventeen_to_two", 3, 17, 2)):
        x, w, b = leaf(draws.values(n_images, inputs)), leaf(draws.values(outputs, inputs)), leaf(draws.values(outputs))
        y = functional.linear(x, w, b)
        dy = draws.values(*y.shape)
        y.backward(dy)
        golden.add(name, {}, x=x, w=w, b=b, y=y, dy=dy, dx=x.grad, dw=w.grad, db=b.grad)
    return golden


BATCH_NORM = "y = (x - mean) / sqrt(variance + epsilon) * gamma + beta per channel; "
BATCH_NORM_SHAPES = {
    "four_by_five": (3, 4, 5, 2),
    "one_image": (1, 3, 3, 4),
    "one_pixel": (6, 1, 1, 3),
    "seventeen_channels": (2, 2, 3, 17),
}


def _batch_norm_case(golden, draws, name, x, training):
    channels = x.shape[3]
    x = leaf(channels_first(x))
    gamma, beta = leaf(draws.values(channels)), leaf(draws.values(channels))
    mean_before, variance_before = draws.values(channels), draws.positive(channels)
    mean, variance = mean_before.clone(), variance_before.clone()
    y = functional.batch_norm(x, mean, variance, gamma, beta, training=training, momentum=0.1, eps=1e-5)
    dy = channels_first(draws.values(y.shape[0], y.shape[2], y.shape[3], channels))
    y.backward(dy)
    tensors = dict(x=channels_last(x), gamma=gamma, beta=beta, running_mean=mean_before,
                   running_variance=variance_before, y=channels_last(y), dy=channels_last(dy), dx=channels_last(x.grad),
                   dgamma=gamma.grad, dbeta=beta.grad)
    if training:
        tensors.update(running_mean_after=mean, running_variance_after=variance)
    golden.add(name, dict(epsilon=1e-5, momentum=0.1), **tensors)


def batch_norm_training():
    golden = Golden("batch_norm_training", BATCH_NORM + "mean and (biased) variance over N, H, W of the batch; "
                    "running = (1 - momentum) * running + momentum * new, where the new variance is the unbiased one.")
    draws = Draws(16)
    for name, shape in BATCH_NORM_SHAPES.items():
        _batch_norm_case(golden, draws, name, draws.values(*shape), training=True)
    # The mean is 64 times the spread: sum(x^2)/n - mean^2 in float32 would lose the variance.
    _batch_norm_case(golden, draws, "mean_far_from_zero", 64 + draws.values(2, 4, 4, 2), training=True)
    return golden


def batch_norm_evaluation():
    golden = Golden("batch_norm_evaluation", BATCH_NORM + "mean and variance are the running ones and get no gradient.")
    draws = Draws(17)
    for name, shape in BATCH_NORM_SHAPES.items():
        _batch_norm_case(golden, draws, name, draws.values(*shape), training=False)
    return golden


def relu():
    golden = Golden("relu", "y = max(x, 0); the gradient at x = 0 is 0.")
    draws = Draws(18)
    x = draws.values(2, 3, 4, 3)
    x[0, 0, 0, :] = 0
    x = leaf(x)
    y = functional.relu(x)
    dy = draws.values(*y.shape)
    y.backward(dy)
    golden.add("with_zeros", {}, x=x, y=y, dy=dy, dx=x.grad)
    return golden
