"""Fifty steps of every optimizer against PyTorch's, from the same weights, over the same batches in the same order.

With and without weight decay, on the weights alone and on the biases too, with the gradient clipped, and with the rate
following each schedule, warm-up included; the schedules are PyTorch's own (MultiStepLR, CosineAnnealingLR, LinearLR). PyTorch
runs in float32, as relume does. Compared are the weights themselves: largest difference at most 1e-4, of which some 50 steps'
roundings of numbers below 8 (half a unit in the last place each, 50 · 2.4e-7) explain a tenth; measured is less than that.
"""
import sys
import tempfile

import numpy

import nets

SAMPLES, BATCH, EPOCHS = 37, 8, 10  # five batches an epoch, the last one of five samples
STEPS = EPOCHS * 5


def optimizer_of(torch, name, groups, lr):
    if name in ("sgd", "momentum", "nesterov"):
        momentum = 0.0 if name == "sgd" else 0.9
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=name == "nesterov")
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](groups, lr=lr)


def schedulers_of(torch, optimizer, schedule, warmup):
    """What multiplies the rate; they are chained, so that their factors multiply."""
    kinds = torch.optim.lr_scheduler
    made = []
    if schedule == "step":
        made.append(kinds.MultiStepLR(optimizer, [STEPS // 2, STEPS * 3 // 4], 0.1))
    if schedule == "cosine":
        made.append(kinds.CosineAnnealingLR(optimizer, STEPS))
    if warmup:
        made.append(kinds.LinearLR(optimizer, 1 / (warmup + 1), 1.0, warmup))
    return made


def torch_train(torch, layers, x, y, loss, name, lr, decay, decay_bias, clip, schedule, warmup):
    model, named = nets.torch_model(torch, layers, torch.float32)
    weights = [parameter for key, parameter in named.items() if key.endswith(".weight")]
    biases = [parameter for key, parameter in named.items() if key.endswith(".bias")]
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": decay if decay_bias else 0.0}]
    optimizer = optimizer_of(torch, name, groups, lr)
    schedulers = schedulers_of(torch, optimizer, schedule, warmup)
    criterion = nets.torch_loss(torch, loss)
    for _ in range(EPOCHS):
        for begin in range(0, SAMPLES, BATCH):
            optimizer.zero_grad()
            target = torch.tensor(y[begin : begin + BATCH])
            criterion(model(torch.tensor(x[begin : begin + BATCH])), target).backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            for scheduler in schedulers:
                scheduler.step()
    return {key: parameter.detach().numpy() for key, parameter in named.items()}


def main(program):
    torch = nets.torch_or_skip()
    seed = 50
    random = numpy.random.default_rng(seed)
    print(f"seed {seed}")
    rates = {"sgd": 0.1, "momentum": 0.03, "nesterov": 0.03, "adam": 0.002, "adamw": 0.002}
    settings = [  # decay, on biases too, clip, schedule, warm-up
        (0.0, False, 0.0, "constant", 0),
        (0.05, False, 0.0, "constant", 0),
        (0.05, True, 0.0, "constant", 0),
        (0.05, True, 0.3, "constant", 0),
        (0.0, False, 0.0, "step", 0),
        (0.05, False, 0.0, "cosine", 0),
        (0.0, False, 0.0, "constant", 12),
        (0.05, True, 0.3, "cosine", 7),
    ]
    failures, cases, worst = 0, 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        probe = nets.Probe(program, folder)
        for name, lr in rates.items():
            for loss in nets.LOSSES:
                for decay, decay_bias, clip, schedule, warmup in settings:
                    layers = nets.network(random, [12, 24, 16, 5])
                    x, y = nets.data(random, loss, SAMPLES, 12, 5)
                    found = probe.run("train", layers, x, y, loss, f"optimizer={name}", f"lr={lr}", f"decay={decay}",
                                      f"decay_bias={int(decay_bias)}", f"clip={clip}", f"batch={BATCH}", f"epochs={EPOCHS}",
                                      f"schedule={schedule}", f"warmup={warmup}")
                    expected = torch_train(torch, layers, x, y, loss, name, lr, decay, decay_bias, clip, schedule, warmup)
                    moved = max(numpy.abs(expected[key] - layers[key]).max() for key in layers)
                    apart = max(numpy.abs(found[key] - expected[key]).max() for key in layers)
                    worst, cases = max(worst, apart), cases + 1
                    if not (apart <= 1e-4 and moved > 1e-2):
                        failures += 1
                        print(f"{name}, {loss}, decay {decay} (bias {decay_bias}), clip {clip}, {schedule}, warm-up {warmup}: "
                              f"differs by {apart:.3g}")
    print(f"{cases} trainings of {STEPS} steps: largest difference of a weight {worst:.3g}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
