"""Goldens of what surrounds the layers: losses, optimisers, clipping, schedules, and the augmentation's sampler."""

import math

import torch
from torch.nn import functional

from golden_file import Draws, Golden, channels_first, leaf


def goldens():
    torch.set_num_threads(1)
    yield sigmoid_binary_cross_entropy()
    yield softmax_cross_entropy()
    yield adamw()
    yield sgd()
    yield gradient_norm_clipping()
    yield schedules()
    yield affine_sampling()


MEAN = ("loss = (1/N) sum_i class_weights[label_i] * l_i, divided by N and not by the sum of the weights; where there are "
        "log_priors, they are added to the logits first; ")
ONE_RARE = (0.125, 0.875)


def sigmoid_binary_cross_entropy():
    golden = Golden("sigmoid_binary_cross_entropy", MEAN + "l_i = -t log p - (1 - t) log(1 - p), p = sigmoid(logit), "
                    "t = label (1 - label_smoothing) + label_smoothing / 2. Labels are class indices 0 and 1.")
    draws = Draws(51)
    moderate = (draws.values(7, limit=4), draws.integers(0, 2, 7))
    extreme = (torch.tensor([1000.0, -1000.0, 1000.0, -1000.0, 90.0, -90.0, 0.0, -0.0]).double(),
               torch.tensor([1, 0, 0, 1, 0, 1, 1, 0]))
    for name, (logits, labels), weights, smoothing, *priors in (
        ("plain", moderate, (1, 1), 0.0),
        ("class_weights", moderate, (1.9375, 0.671875), 0.0),
        ("label_smoothing", moderate, (1, 1), 0.1),
        ("class_weights_and_label_smoothing", moderate, (1.9375, 0.671875), 0.1),
        ("one_image", (moderate[0][:1], moderate[1][:1]), (1, 1), 0.0),
        ("extreme_logits", extreme, (1, 1), 0.0),
        ("extreme_logits_and_label_smoothing", extreme, (0.5, 2), 0.2),
        ("priors", moderate, (1, 1), 0.0, ONE_RARE),
        ("priors_class_weights_and_label_smoothing", moderate, (1.9375, 0.671875), 0.1, ONE_RARE),
        ("extreme_logits_and_priors", extreme, (1, 1), 0.0, ONE_RARE),
    ):
        logits, weights = leaf(logits), torch.tensor(weights, dtype=torch.float64)
        log_priors = [torch.tensor(p, dtype=torch.float64).log() for p in priors]
        adjusted = logits + sum(p[1] - p[0] for p in log_priors)
        targets = labels.double() * (1 - smoothing) + smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(adjusted, targets, reduction="none") * weights[labels]
        loss = losses.sum() / len(labels)
        loss.backward()
        golden.add(name, dict(label_smoothing=smoothing), logits=logits, labels=labels, class_weights=weights,
                   probabilities=torch.sigmoid(logits), losses=losses, loss=loss, dlogits=logits.grad,
                   **dict(zip(["log_priors"], log_priors)))
    return golden


def softmax_cross_entropy():
    golden = Golden("softmax_cross_entropy", MEAN + "l_i = -sum_k t_k log softmax(logits_i)_k, t_k = (1 - "
                    "label_smoothing) [k = label] + label_smoothing / K. logits are (N,K).")
    draws = Draws(52)
    moderate = (draws.values(5, 3, limit=4), draws.integers(0, 3, 5))
    extreme = (torch.tensor([[1000.0, 0, -1000], [1000, 0, -1000], [-90, 90, 0], [0, 0, 0]]).double(),
               torch.tensor([0, 2, 0, 1]))
    two_classes = (draws.values(4, 2), draws.integers(0, 2, 4))
    for name, (logits, labels), weights, smoothing, *priors in (
        ("plain", moderate, (1, 1, 1), 0.0),
        ("class_weights", moderate, (0.5, 1.5, 2.25), 0.0),
        ("label_smoothing", moderate, (1, 1, 1), 0.1),
        ("class_weights_and_label_smoothing", moderate, (0.5, 1.5, 2.25), 0.1),
        ("two_classes", two_classes, (1.9375, 0.671875), 0.1),
        ("extreme_logits", extreme, (1, 1, 1), 0.0),
        ("extreme_logits_and_label_smoothing", extreme, (0.5, 1.5, 2.25), 0.2),
        ("priors", moderate, (1, 1, 1), 0.0, (0.0625, 0.75, 0.1875)),
        ("priors_class_weights_and_label_smoothing", moderate, (0.5, 1.5, 2.25), 0.1, (0.0625, 0.75, 0.1875)),
        ("two_classes_and_priors", two_classes, (1, 1), 0.0, ONE_RARE),
    ):
        logits, weights = leaf(logits), torch.tensor(weights, dtype=torch.float64)
        log_priors = [torch.tensor(p, dtype=torch.float64).log() for p in priors]
        losses = functional.cross_entropy(logits + sum(log_priors), labels, reduction="none",
                                          label_smoothing=smoothing) * weights[labels]
        loss = losses.sum() / len(labels)
        loss.backward()
        golden.add(name, dict(label_smoothing=smoothing), logits=logits, labels=labels, class_weights=weights,
                   probabilities=torch.softmax(logits, dim=1), losses=losses, loss=loss, dlogits=logits.grad,
                   **dict(zip(["log_priors"], log_priors)))
    return golden


N_STEPS = 5
CHANGING_RATES = (0.002, 0.004, 0.01, 0.006, 0.0)


def _trajectory(golden, name, attributes, make_optimiser, before, gradients, rates):
    """after (steps, n): the parameters after each step, where the gradients are given and not those of a loss."""
    parameter = leaf(before)
    optimiser = make_optimiser([parameter])
    after = []
    for gradient, rate in zip(gradients, rates):
        optimiser.param_groups[0]["lr"] = rate
        parameter.grad = gradient.clone()
        optimiser.step()
        after.append(parameter.detach().clone())
    golden.add(name, attributes, parameters=before, gradients=gradients,
               learning_rates=torch.tensor(rates, dtype=torch.float64), after=torch.stack(after))


def adamw():
    golden = Golden("adamw", "Decoupled decay: p <- p (1 - rate decay) - rate mhat / (sqrt(vhat) + epsilon), with "
                    "bias-corrected moments. gradients and after are (steps, n).")
    draws = Draws(53)
    before, gradients = draws.values(9), draws.values(N_STEPS, 9)
    gradients[:, 0] = 0  # decay alone
    gradients[:, 1] *= 2.0**-20  # small against epsilon's neighbourhood
    gradients[2:, 2] = 0  # the moments fade
    for name, decay, rates, betas in (
        ("with_decay", 0.01, [0.01] * N_STEPS, (0.9, 0.999)),
        ("without_decay", 0.0, [0.01] * N_STEPS, (0.9, 0.999)),
        ("changing_rate", 0.1, CHANGING_RATES, (0.9, 0.999)),
        ("other_betas", 0.01, [0.01] * N_STEPS, (0.8, 0.95)),
    ):
        def make_optimiser(parameters, decay=decay, betas=betas):
            return torch.optim.AdamW(parameters, lr=1, betas=betas, eps=1e-8, weight_decay=decay)
        attributes = dict(beta1=betas[0], beta2=betas[1], epsilon=1e-8, weight_decay=decay)
        _trajectory(golden, name, attributes, make_optimiser, before, gradients, rates)
    return golden


def sgd():
    golden = Golden("sgd", "Coupled decay: g <- g + decay p; velocity <- momentum velocity + g (the first is g); with "
                    "Nesterov g <- g + momentum velocity, else g <- velocity; p <- p - rate g. gradients and after are "
                    "(steps, n).")
    draws = Draws(54)
    before, gradients = draws.values(9), draws.values(N_STEPS, 9)
    gradients[:, 0] = 0
    for name, momentum, nesterov, decay, rates in (
        ("nesterov_with_decay", 0.9, True, 0.01, [0.01] * N_STEPS),
        ("nesterov_without_decay", 0.9, True, 0.0, [0.01] * N_STEPS),
        ("nesterov_changing_rate", 0.9, True, 0.01, CHANGING_RATES),
        ("heavy_ball_with_decay", 0.9, False, 0.01, [0.01] * N_STEPS),
        ("without_momentum", 0.0, False, 0.01, [0.01] * N_STEPS),
    ):
        def make_optimiser(parameters, momentum=momentum, nesterov=nesterov, decay=decay):
            return torch.optim.SGD(parameters, lr=1, momentum=momentum, nesterov=nesterov, weight_decay=decay)
        attributes = dict(momentum=momentum, nesterov=nesterov, weight_decay=decay)
        _trajectory(golden, name, attributes, make_optimiser, before, gradients, rates)
    return golden


def gradient_norm_clipping():
    golden = Golden("gradient_norm_clipping", "norm = sqrt of the sum of squares over all gradients together; all are "
                    "multiplied by min(1, max_norm / (norm + 1e-6)).")
    draws = Draws(55)
    for name, limit, max_norm in (("clipped", 4, 1.0), ("left_alone", 0.25, 10.0), ("zero_gradients", 0, 1.0)):
        parameters = [leaf(torch.zeros(6).double()), leaf(torch.zeros(11).double())]
        for parameter in parameters:
            parameter.grad = draws.values(*parameter.shape, limit=limit)
        before = [parameter.grad.clone() for parameter in parameters]
        norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        golden.add(name, dict(max_norm=max_norm), gradient_a=before[0], gradient_b=before[1], norm=norm,
                   clipped_a=parameters[0].grad, clipped_b=parameters[1].grad)
    return golden


def _rates(make_scheduler, count):
    """Learning rates of `count` steps, the first being the one that step 0 takes."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    scheduler = make_scheduler(optimiser)
    rates = []
    for _ in range(count):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return torch.tensor(rates, dtype=torch.float64)


def schedules():
    golden = Golden("schedules", "factors (steps): learning rate of each step over the peak, step 0 first. cosine: "
                    "(t + 1) / W for t < W warm-up steps, then 0.5 (1 + cos(pi (t - W) / (T - W))) of T steps in all: "
                    "the peak is reached at t = W - 1 and again at t = W. onecycle: rises by a cosine from 1 / "
                    "div_factor to 1 until t = rise_fraction T - 1, then falls by a cosine to 1 / (div_factor "
                    "final_div_factor) at t = T - 1. step: a tenth from half of the steps "
                    "on, a hundredth from three quarters on.")
    schedulers = torch.optim.lr_scheduler
    for steps, warmup in ((20, 4), (25, 5), (10, 0), (7, 1)):
        start = 1 / warmup if warmup else 1
        rising = _rates(lambda o: schedulers.LinearLR(o, start, 1.0, max(warmup - 1, 1)), warmup)
        falling = _rates(lambda o: schedulers.CosineAnnealingLR(o, steps - warmup), steps - warmup)
        golden.add(f"cosine_{steps}_steps_{warmup}_of_warmup", dict(kind="cosine", steps=steps, warmup_steps=warmup),
                   factors=torch.cat([rising, falling]))
    for steps, rise in ((20, 0.3), (33, 0.3)):
        golden.add(f"onecycle_{steps}_steps", dict(kind="onecycle", steps=steps, rise_fraction=rise, div_factor=25,
                                                   final_div_factor=1e4),
                   factors=_rates(lambda o: schedulers.OneCycleLR(o, 1.0, total_steps=steps, pct_start=rise), steps))
    for steps in (16, 13):
        milestones = [math.ceil(steps / 2), math.ceil(steps * 3 / 4)]
        golden.add(f"step_{steps}_steps", dict(kind="step", steps=steps),
                   factors=_rates(lambda o: schedulers.MultiStepLR(o, milestones, 0.1), steps))
    return golden


def _theta(rotation_degrees=0.0, scale=(1.0, 1.0), shift=(0.0, 0.0)):
    """Rows of the map from output to input coordinates: rotation, then scale per axis, then shift."""
    angle = math.radians(rotation_degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    rows = [[scale[0] * cosine, -scale[0] * sine, shift[0]], [scale[1] * sine, scale[1] * cosine, shift[1]]]
    # Rounded to 1/1024, so that theta is exact in float32.
    return [[round(value * 1024) / 1024 for value in row] for row in rows]


def affine_sampling():
    golden = Golden("affine_sampling", "Bilinear, border replicated, pixel centres (align_corners false). theta "
                    "(N,2,3) maps the output's normalised (x, y, 1) to the input's: output column j of W lies at x = "
                    "(2 j + 1) / W - 1, an x of the input is column ((x + 1) W - 1) / 2, clamped to [0, W - 1]; "
                    "rows alike. Coordinates are normalised by each axis alone, so a rotation of a picture that is not "
                    "square shears it.")
    draws = Draws(56)
    for name, size, output, thetas in (
        ("identity", (5, 6), (5, 6), [_theta()]),
        ("rotation", (8, 8), (8, 8), [_theta(10), _theta(-10), _theta(90)]),
        ("scale_shift_and_aspect", (8, 8), (8, 8), [_theta(0, (0.85, 1.15), (0.1, -0.05)), _theta(7, (1.2, 0.9))]),
        ("centre_crop_to_a_smaller_size", (10, 10), (6, 6), [_theta(0, (0.9, 0.9))]),
        ("far_outside_is_all_border", (6, 6), (4, 4), [_theta(0, (1, 1), (5, 0)), _theta(30, (2.5, 2.5), (0, -3))]),
        ("not_square", (5, 9), (7, 4), [_theta(12, (0.9, 1.1), (-0.1, 0.2))]),
        ("one_pixel", (1, 1), (3, 2), [_theta(20, (1.5, 0.5))]),
    ):
        theta = torch.tensor(thetas, dtype=torch.float64)
        pixels = draws.integers(0, 256, len(thetas), *size, 1)
        grid = functional.affine_grid(theta, (len(thetas), 1, *output), align_corners=False)
        sampled = functional.grid_sample(channels_first(pixels.double()), grid, mode="bilinear", padding_mode="border",
                                         align_corners=False)
        golden.add(name, {}, pixels=pixels, theta=theta, sampled=sampled.permute(0, 2, 3, 1))
    return golden
