#!/usr/bin/python3
"""PyTorch: nn.Sequential of Linear/ReLU, cross-entropy, torch.optim.SGD, fp32."""
import peerlib

a = peerlib.args(
    jit=dict(action="store_true", help="torch.jit.script the model and loss"),
    bare=dict(action="store_true", help="no optimizer object: in-place add_ on each parameter"),
    compile=dict(action="store_true", help="torch.compile the model (PyTorch 2 only)"),
)
import torch
from torch import nn

torch.set_num_threads(int(peerlib.os.environ["OMP_NUM_THREADS"]))
torch.manual_seed(1)
x, y = map(torch.from_numpy, peerlib.fashion(a.widths[0]))
parts = []
for i, (n, m) in enumerate(zip(a.widths, a.widths[1:])):
    parts += [nn.Linear(n, m)] + ([nn.ReLU()] if i < len(a.widths) - 2 else [])
net = nn.Sequential(*parts)
if a.jit:
    net = torch.jit.script(net)
if a.compile:
    net = torch.compile(net)
loss_of = nn.CrossEntropyLoss()
opt = torch.optim.SGD(net.parameters(), lr=a.lr)


def steps():
    while True:
        order = torch.randperm(len(x))
        for i in range(0, len(x) - a.batch + 1, a.batch):
            pick = order[i : i + a.batch]
            loss = loss_of(net(x[pick]), y[pick])
            if a.bare:
                grads = torch.autograd.grad(loss, tuple(net.parameters()))
                with torch.no_grad():
                    for p, g in zip(net.parameters(), grads):
                        p.add_(g, alpha=-a.lr)
            else:
                opt.zero_grad(set_to_none=True)
                loss.backward()
                opt.step()
            yield loss


peerlib.Clock(a).run(steps(), a.batch)
