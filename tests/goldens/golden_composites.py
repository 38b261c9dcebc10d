"""Goldens of layers in a row: the fused chain, residual blocks, and three training steps of a small network."""

import torch
from torch.nn import functional

from golden_file import Draws, Golden, channels_first, channels_last, leaf


def goldens():
    torch.set_num_threads(1)
    yield chain()
    yield residual_block()
    yield training_steps()


def _require_margin(pre_activation, margin=1e-4):
    """A ReLU input so close to 0 that float32 may round it to the other side would test luck, not arithmetic."""
    if float(pre_activation.detach().abs().min()) < margin:
        raise SystemExit("an activation lies within the rounding of float32 of ReLU's kink: draw with another seed")


def chain():
    golden = Golden("batch_norm_relu_max_pool", "Batch normalisation with batch statistics (epsilon 1e-5), ReLU, then "
                    "2x2 max pooling with stride 2, as the blocks of plain5 have it.")
    draws = Draws(31)
    for name, shape in (("even", (2, 6, 4, 3)), ("odd_size", (2, 5, 7, 2)), ("seventeen_channels", (2, 4, 4, 17))):
        x, channels = leaf(channels_first(draws.values(*shape))), shape[3]
        gamma, beta = leaf(draws.values(channels)), leaf(draws.values(channels))
        normalised = functional.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)
        _require_margin(normalised)
        y = functional.max_pool2d(functional.relu(normalised), 2)
        dy = channels_first(draws.values(y.shape[0], y.shape[2], y.shape[3], channels))
        y.backward(dy)
        golden.add(name, dict(epsilon=1e-5), x=channels_last(x), gamma=gamma, beta=beta, y=channels_last(y),
                   dy=channels_last(dy), dx=channels_last(x.grad), dgamma=gamma.grad, dbeta=beta.grad)
    return golden


def residual_block():
    golden = Golden("residual_block", "y = relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)), 3x3 convolutions with "
                    "padding 1 and without bias, batch statistics, epsilon 1e-5; conv1 has the stride; the shortcut is "
                    "the identity, or bn3(conv3(x)) with a 1x1 convolution of the same stride where projected is true.")
    draws = Draws(32)
    for name, shape, outputs, stride in (("identity", (2, 4, 5, 3), 3, 1), ("projected", (2, 6, 5, 2), 4, 2)):
        projected = stride != 1 or outputs != shape[3]
        x = leaf(channels_first(draws.values(*shape)))
        parameters = {}
        convolutions = ((shape[3], 3), (outputs, 3), (shape[3], 1))
        for index, (inputs, kernel) in enumerate(convolutions[: 3 if projected else 2], 1):
            parameters[f"w{index}"] = leaf(channels_first(draws.values(outputs, kernel, kernel, inputs, limit=1)))
            parameters[f"gamma{index}"] = leaf(draws.values(outputs))
            parameters[f"beta{index}"] = leaf(draws.values(outputs))

        def convolution_and_norm(x, index, stride, padding):
            y = functional.conv2d(x, parameters[f"w{index}"], None, stride, padding)
            return functional.batch_norm(y, None, None, parameters[f"gamma{index}"], parameters[f"beta{index}"],
                                         training=True, eps=1e-5)

        inner = convolution_and_norm(x, 1, stride, 1)
        shortcut = convolution_and_norm(x, 3, stride, 0) if projected else x
        total = convolution_and_norm(functional.relu(inner), 2, 1, 1) + shortcut
        _require_margin(inner)
        _require_margin(total)
        y = functional.relu(total)
        dy = channels_first(draws.values(y.shape[0], y.shape[2], y.shape[3], outputs))
        y.backward(dy)

        def stored(tensor):
            return channels_last(tensor) if tensor.dim() == 4 else tensor

        golden.add(name, dict(stride=[stride, stride], projected=projected), x=stored(x), y=stored(y), dy=stored(dy),
                   dx=stored(x.grad), **{key: stored(value) for key, value in parameters.items()},
                   **{"d" + key: stored(value.grad) for key, value in parameters.items()})
    return golden


def _small_network(draws, widths):
    """Parameters by name in forward order, in torch's layouts."""
    parameters, inputs = {}, 1
    for block, outputs in enumerate(widths, 1):
        parameters[f"block{block}.w"] = leaf(channels_first(draws.values(outputs, 3, 3, inputs, limit=0.5)))
        parameters[f"block{block}.gamma"] = leaf(1 + draws.values(outputs, limit=0.25))
        parameters[f"block{block}.beta"] = leaf(draws.values(outputs, limit=0.25))
        inputs = outputs
    parameters["dense.w"] = leaf(draws.values(1, inputs, limit=0.5))
    parameters["dense.b"] = leaf(draws.values(1, limit=0.5))
    return parameters


def _forward(parameters, running, x, training):
    for block in range(1, len(running) // 2 + 1):
        x = functional.conv2d(x, parameters[f"block{block}.w"], None, 1, 1)
        x = functional.batch_norm(x, running[f"block{block}.running_mean"], running[f"block{block}.running_variance"],
                                  parameters[f"block{block}.gamma"], parameters[f"block{block}.beta"],
                                  training=training, momentum=0.1, eps=1e-5)
        x = functional.max_pool2d(functional.relu(x), 2)
    return functional.linear(x.mean(dim=(2, 3)), parameters["dense.w"], parameters["dense.b"])[:, 0]


def _weighted_loss(logits, labels, class_weights):
    losses = functional.binary_cross_entropy_with_logits(logits, labels.double(), reduction="none")
    return (losses * class_weights[labels]).sum() / len(labels)


def training_steps():
    golden = Golden("training_steps", "Three steps of (3x3 convolution without bias and with padding 1, batch "
                    "normalisation, ReLU, 2x2 max pooling) x 3, global average pooling, dense to one logit, on one "
                    "fixed batch. loss = (1/N) sum_i class_weights[label_i] * bce_i. AdamW with decoupled weight decay "
                    "on the w tensors only. losses, gradient_norms: before each step's update; *.after: after all; "
                    "logits_after: in evaluation mode, with the running statistics.")
    draws = Draws(33)
    widths, n_images, n_steps = (4, 6, 8), 8, 3
    parameters = _small_network(draws, widths)
    running = {}
    for block, channels in enumerate(widths, 1):
        running[f"block{block}.running_mean"] = torch.zeros(channels, dtype=torch.float64)
        running[f"block{block}.running_variance"] = torch.ones(channels, dtype=torch.float64)
    x = draws.values(n_images, 16, 16, 1)
    labels = torch.tensor([0, 1, 1, 0, 1, 1, 0, 1])
    class_weights = torch.tensor([1.25, 0.75], dtype=torch.float64)

    def stored(tensor):
        return channels_last(tensor) if tensor.dim() == 4 else tensor.detach().clone()

    before = {key: stored(value) for key, value in parameters.items()}
    settings = dict(learning_rate=0.01, weight_decay=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8)
    optimiser = torch.optim.AdamW(
        [{"params": [value for key, value in parameters.items() if key.endswith(".w")], "weight_decay": 0.01},
         {"params": [value for key, value in parameters.items() if not key.endswith(".w")], "weight_decay": 0.0}],
        lr=0.01, betas=(0.9, 0.999), eps=1e-8)
    losses, norms, first_gradients = [], [], {}
    for step in range(n_steps):
        optimiser.zero_grad()
        loss = _weighted_loss(_forward(parameters, running, channels_first(x), True), labels, class_weights)
        loss.backward()
        losses.append(loss.item())
        norms.append(float(torch.sqrt(sum((value.grad**2).sum() for value in parameters.values()))))
        if step == 0:
            first_gradients = {"d" + key: stored(value.grad) for key, value in parameters.items()}
        optimiser.step()
    logits = _forward(parameters, running, channels_first(x), False)
    golden.add("adamw", dict(settings, widths=list(widths), steps=n_steps, batch_norm_epsilon=1e-5, momentum=0.1),
               x=x, labels=labels, class_weights=class_weights, losses=torch.tensor(losses, dtype=torch.float64),
               gradient_norms=torch.tensor(norms, dtype=torch.float64), logits_after=logits, **before,
               **first_gradients,
               **{key + ".after": stored(value) for key, value in parameters.items()},
               **{key + ".after": value for key, value in running.items()})
    return golden
