#!/usr/bin/env python3
"""JAX: one jitted function a step (gather, forward, softmax cross-entropy, grad, plain SGD), fp32, on the CPU."""
import peerlib

a = peerlib.args()
peerlib.os.environ.setdefault("JAX_PLATFORMS", "cpu")
if a.threads == 1:  # XLA's own pool does not read OMP_NUM_THREADS
    peerlib.os.sched_setaffinity(0, {min(peerlib.os.sched_getaffinity(0))})
import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(1)
images, labels = peerlib.fashion(a.widths[0])
x, y = jnp.asarray(images), jnp.asarray(labels.astype(np.int32))
net = [
    (jnp.asarray((rng.standard_normal((n, m)) * np.sqrt(2 / n)).astype(np.float32)), jnp.zeros(m, jnp.float32))
    for n, m in zip(a.widths, a.widths[1:])
]


def loss_of(net, xb, yb):
    z = xb
    for w, b in net[:-1]:
        z = jnp.maximum(0, z @ w + b)
    logits = z @ net[-1][0] + net[-1][1]
    picked = jnp.take_along_axis(logits, yb[:, None], axis=1)[:, 0]
    return (jax.nn.logsumexp(logits, axis=1) - picked).mean()


@jax.jit
def step(net, pick):
    loss, grads = jax.value_and_grad(loss_of)(net, x[pick], y[pick])
    return jax.tree_util.tree_map(lambda p, g: p - a.lr * g, net, grads), loss


def steps():
    global net
    while True:
        order = rng.permutation(len(x))
        for i in range(0, len(x) - a.batch + 1, a.batch):
            net, loss = step(net, order[i : i + a.batch])
            loss.block_until_ready()
            yield loss


peerlib.Clock(a).run(steps(), a.batch)
