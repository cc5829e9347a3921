"""The equations of a transformer, written out for one sequence with loops: truth for the tests.

Shapes: N tokens, D width.
"""

import math

import torch


def norm(layer, x):
    """Layer norm of (N, D), from its definition."""
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = (centred**2).mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(variance + 1e-6) * layer.weight + layer.bias


def linear(layer, x):
    return x @ layer.weight.T + layer.bias


def attention(layer, x):
    """Self-attention of (N, D), one head and one query at a time."""
    n, width = x.shape
    size = width // layer.heads
    q, k, v = linear(layer.qkv, x).split(width, dim=1)
    mixed = torch.zeros_like(x)
    for head in range(layer.heads):
        part = slice(head * size, (head + 1) * size)
        for query in range(n):
            scores = torch.stack([q[query, part] @ k[i, part] for i in range(n)]) / math.sqrt(size)
            shares = torch.exp(scores) / torch.exp(scores).sum()
            mixed[query, part] = sum(shares[i] * v[i, part] for i in range(n))
    return linear(layer.out, mixed)


def mlp(layer, x):
    hidden = linear(layer[0], x)
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
    return linear(layer[3], hidden)


def block(layer, x):
    x = x + attention(layer.attention, norm(layer.attention_norm, x))
    return x + mlp(layer.mlp, norm(layer.mlp_norm, x))


def post_norm_block(layer, x):
    x = norm(layer.attention_norm, x + attention(layer.attention, x))
    return norm(layer.mlp_norm, x + mlp(layer.mlp, x))


def stir(model, seed=0):
    """Give every parameter a value away from zero, so that published zeros hide nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model
