"""One step of training: loss and gradients of a batch, in bfloat16 with float32 sums. What stands between the matrix products is
written in C (kernels.c)."""
import ctypes
import os
import random
import subprocess
import tempfile

import numpy as np
import torch
import torch.nn.functional as F

from weights import HEADS

HERE = os.path.dirname(os.path.abspath(__file__))
BF16 = torch.bfloat16


def build(width):
    """kernels.c, compiled for this CPU."""
    library = os.path.join(tempfile.mkdtemp(), "kernels.so")
    flags = ["-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-shared", "-fPIC", f"-DHEAD={width // HEADS}"]
    subprocess.run(["cc", *flags, "-o", library, os.path.join(HERE, "kernels.c"), "-lm"], check=True)
    kernels = ctypes.CDLL(library)
    kernels.cross_entropy.restype = ctypes.c_double
    return kernels


def at(tensor, numbers=0):
    """Where a number of the tensor lies."""
    return ctypes.c_void_p(tensor.data_ptr() + numbers * tensor.element_size())


def real(value):
    return ctypes.c_float(value)


class Dropout:
    """Masks are stretches of one long random sequence of 0 and 1, drawn anew for each pass."""

    def __init__(self, rate):
        self.threshold = round(rate * 256)
        self.scale = 256 / (256 - self.threshold)
        self.random = np.random.default_rng(1)

    def draw(self):
        self.bits = torch.from_numpy((self.random.integers(0, 256, 1 << 25, dtype=np.uint8) >= self.threshold).view(np.uint8))

    def mask(self, n):
        start = random.randrange(len(self.bits) - n + 1)
        return self.bits[start:start + n]


class Drop(torch.autograd.Function):
    @staticmethod
    def forward(context, x, dropout):
        context.mask = dropout.mask(x.numel()).view(x.shape).to(BF16) * dropout.scale
        return x * context.mask

    @staticmethod
    def backward(context, g):
        return g * context.mask, None


class Norm(torch.autograd.Function):
    """norm(x + drop(r + bias)), rows (n, d)"""

    @staticmethod
    def forward(context, kernels, dropout, x, r, bias, gain, shift):
        n, d = x.shape
        mask, y, hat, inverse = dropout.mask(n * d), torch.empty_like(x), torch.empty_like(x), torch.empty(n)
        kernels.norm_forward(n, d, at(x), at(r), at(bias), at(mask), real(dropout.scale), at(gain), at(shift), at(y),
                             at(hat), at(inverse))
        context.others = kernels, dropout.scale, mask
        context.save_for_backward(hat, inverse, gain)
        return y

    @staticmethod
    def backward(context, dy):
        kernels, scale, mask = context.others
        hat, inverse, gain = context.saved_tensors
        n, d = hat.shape
        dy, dx, dr, (dbias, dgain, dshift) = dy.contiguous(), torch.empty_like(hat), torch.empty_like(hat), torch.zeros(3, d)
        kernels.norm_backward(n, d, at(dy), at(hat), at(inverse), at(mask), real(scale), at(gain), at(dx), at(dr), at(dbias),
                              at(dgain), at(dshift))
        return None, None, dx, dr, dbias, dgain, dshift


class Silu(torch.autograd.Function):
    """drop(silu(x + bias)), rows (n, d)"""

    @staticmethod
    def forward(context, kernels, dropout, x, bias):
        mask, y = dropout.mask(x.numel()), torch.empty_like(x)
        kernels.silu_forward(*x.shape, at(x), at(bias), at(mask), real(dropout.scale), at(y))
        context.others = kernels, dropout.scale, mask
        context.save_for_backward(x, bias)
        return y

    @staticmethod
    def backward(context, dy):
        kernels, scale, mask = context.others
        x, bias = context.saved_tensors
        dy, dx, dbias = dy.contiguous(), torch.empty_like(x), torch.zeros_like(bias)
        kernels.silu_backward(*x.shape, at(dy), at(x), at(bias), at(mask), real(scale), at(dx), at(dbias))
        return None, None, dx, dbias


def places(q, k, d):
    """Where q, k and v begin, in rows of q, k and v side by side, or of q, and of k and v."""
    return (at(q), at(q, d), at(q, 2 * d)) if k is None else (at(q), at(k), at(k, d))


class Attention(torch.autograd.Function):
    """q (n, 3 d) with k and v behind it and k None, or q (n, d) and k (m, 2 d) with v behind it; biases alike. length: of each
    sentence, or None: causal."""

    @staticmethod
    def arguments(dims, q, q_bias, k, k_bias, length):
        batch, queries, keys, d = dims
        q_at, k_at, v_at = places(q, k, d)
        k_step = (q if k is None else k).shape[1]
        return (batch, HEADS, queries, keys, q_at, q.shape[1], k_at, v_at, k_step, *places(q_bias, k_bias, d),
                None if length is None else at(length), int(length is None))

    @staticmethod
    def forward(context, kernels, dims, q, q_bias, k, k_bias, length):
        batch, queries, keys, d = dims
        p, out = torch.empty(batch * HEADS * queries * keys), torch.empty(batch * queries, d, dtype=BF16)
        kernels.attention_forward(*Attention.arguments(dims, q, q_bias, k, k_bias, length), at(p), at(out))
        context.others = kernels, dims, length
        context.save_for_backward(q, q_bias, k, k_bias, p)
        return out

    @staticmethod
    def backward(context, dout):
        kernels, dims, length = context.others
        q, q_bias, k, k_bias, p = context.saved_tensors
        dout, dq, dq_bias = dout.contiguous(), torch.empty_like(q), torch.zeros_like(q_bias)
        dk, dk_bias = (None, None) if k is None else (torch.empty_like(k), torch.zeros_like(k_bias))
        kernels.attention_backward(*Attention.arguments(dims, q, q_bias, k, k_bias, length), at(p), at(dout),
                                   *places(dq, dk, dims[3]), *places(dq_bias, dk_bias, dims[3]))
        return None, None, dq, dq_bias, dk, dk_bias, None


class Head(torch.autograd.Function):
    """Mean cross entropy of rows (n, d) with label smoothing, over what a translation is made of. The gradients come with it."""

    @staticmethod
    def forward(context, kernels, smoothing, x, weight, bias, gold):
        z, dbias = x @ weight.t(), torch.zeros_like(bias)
        loss = kernels.cross_entropy(*z.shape, at(z), at(bias), at(gold), real(smoothing), real(1 / len(gold)), at(dbias))
        context.save_for_backward(z @ weight, z.t() @ x, dbias)
        return torch.tensor(loss / len(gold))

    @staticmethod
    def backward(context, _):
        return None, None, *context.saved_tensors, None


def position_waves(d):
    """Marian's: sines in the first half of the dimensions, cosines in the second."""
    angles = torch.arange(256, dtype=torch.float64)[:, None] / 10000 ** (2 * torch.arange(d // 2, dtype=torch.float64) / d)
    return torch.cat([angles.sin(), angles.cos()], 1).float()


class Step:
    def __init__(self, layout, dropout, inner_dropout, smoothing):
        self.layout, self.smoothing, self.kernels = layout, smoothing, build(layout.width)
        self.dropout, self.inner_dropout = Dropout(dropout), Dropout(inner_dropout)
        self.waves = position_waves(layout.width)

    def draw(self):
        self.dropout.draw()
        self.inner_dropout.draw()

    def attend(self, w, part, dims, x, memory, length):
        """The attention part of a layer over rows x; memory: rows of the encoder's output, None to look at x itself."""
        q, k = ("qkv", None) if memory is None else ("q", "kv")
        o = Attention.apply(self.kernels, dims, x @ w[f"{part}{q}.w"].t(), w[f"{part}{q}.b"], k and memory @ w[part + "kv.w"].t(),
                            k and w[part + "kv.b"], length)
        return Norm.apply(self.kernels, self.dropout, x, o @ w[part + "o.w"].t(), w[part + "o.b"], w[part + "g"], w[part + "n"])

    def feed_forward(self, w, part, x):
        h = Silu.apply(self.kernels, self.inner_dropout, x @ w[part + "1.w"].t(), w[part + "1.b"])
        return Norm.apply(self.kernels, self.dropout, x, h @ w[part + "2.w"].t(), w[part + "2.b"], w[part + "g"], w[part + "n"])

    def layers(self, w, x, y, batch, source, target, length):
        d = self.layout.width
        for i in range(self.layout.encoder):
            x = self.attend(w, f"e{i}.s.", (batch, source, source, d), x, None, length)
            x = self.feed_forward(w, f"e{i}.f.", x)
        for i in range(self.layout.decoder):
            y = self.attend(w, f"d{i}.s.", (batch, target, target, d), y, None, None)
            y = self.attend(w, f"d{i}.c.", (batch, target, source, d), y, x, length)
            y = self.feed_forward(w, f"d{i}.f.", y)
        return y

    def leaves(self, flat):
        """Embeddings, head's biases, vectors (float32) and matrices (bfloat16), and the weights by name."""
        layout, d = self.layout, self.layout.width
        embeddings, bias = (layout.view(flat, name).detach().requires_grad_() for name in ("E", "bias"))
        start, middle = layout.places["bias"][1], layout.places[layout.matrices[0]][0]
        vectors, matrices = flat[start:middle].detach().requires_grad_(), flat[middle:].detach().to(BF16).requires_grad_()
        w = {}
        for names, leaf in ((layout.vectors, vectors), (layout.matrices, matrices)):
            parts = leaf.split([layout.places[n][1] - layout.places[n][0] for n in names])
            w |= {name: part.view(layout.shapes[name]) for name, part in zip(names, parts)}
        return (embeddings, bias, vectors, matrices), w

    def run(self, flat, source, target):
        """(loss, tokens, gradient of flat). source and target: ids (batch, length), padded."""
        vocabulary, d = self.layout.vocabulary, self.layout.width
        (batch, s), t = source.shape, target.shape[1]
        leaves, w = self.leaves(flat)
        before = torch.cat([torch.full((batch, 1), vocabulary.pad), target[:, :-1]], 1)
        embedded = F.embedding(torch.cat([source.flatten(), before.flatten()]), leaves[0])
        waves = torch.cat([self.waves[:s].repeat(batch, 1), self.waves[:t].repeat(batch, 1)])
        x, y = Drop.apply(torch.add(waves, embedded, alpha=d ** 0.5).to(BF16), self.dropout).split([batch * s, batch * t])
        length = (source != vocabulary.pad).sum(1).to(torch.int32)
        y = self.layers(w, x, y, batch, s, t, length)
        said = (target != vocabulary.pad).flatten().nonzero().flatten()
        head = leaves[0][:vocabulary.sayable].to(BF16)
        loss = Head.apply(self.kernels, self.smoothing, y[said], head, leaves[1], target.flatten()[said])
        loss.backward()
        return loss.item(), len(said), torch.cat([leaf.grad.flatten().float() for leaf in leaves])
