"""The weights in one flat buffer; Hugging Face's names of them; a larger model that begins as a smaller one."""
import json
import math
import os
import shutil

import torch
from safetensors.torch import load_file, save_file

HEADS = 4
FILES = ("source.spm", "target.spm", "vocab.json", "generation_config.json", "tokenizer_config.json")


def attention_shapes(d, cross):
    if cross:
        shapes = {"q.w": (d, d), "kv.w": (2 * d, d), "q.b": (d,), "kv.b": (2 * d,)}
    else:
        shapes = {"qkv.w": (3 * d, d), "qkv.b": (3 * d,)}
    return shapes | {"o.w": (d, d), "o.b": (d,), "g": (d,), "n": (d,)}


def feed_forward_shapes(d):
    return {"1.w": (4 * d, d), "1.b": (4 * d,), "2.w": (d, 4 * d), "2.b": (d,), "g": (d,), "n": (d,)}


class Layout:
    """Names, shapes and places: the embeddings, the head's biases, then all vectors, then all matrices.
    e0.s.: encoder layer 0, self-attention; .c.: attention to the source; .f.: the feed-forward part; g, n: the norm after it."""

    def __init__(self, width, encoder, decoder, vocabulary):
        self.width, self.encoder, self.decoder, self.vocabulary = width, encoder, decoder, vocabulary
        d = width
        parts = {}
        for side, layers in (("e", encoder), ("d", decoder)):
            for layer in range(layers):
                parts[f"{side}{layer}.s."] = attention_shapes(d, False)
                if side == "d":
                    parts[f"{side}{layer}.c."] = attention_shapes(d, True)
                parts[f"{side}{layer}.f."] = feed_forward_shapes(d)
        shapes = {part + name: shape for part, group in parts.items() for name, shape in group.items()}
        self.vectors = [name for name, shape in shapes.items() if len(shape) == 1]
        self.matrices = [name for name, shape in shapes.items() if len(shape) == 2]
        self.shapes = {"E": (vocabulary.size, d), "bias": (vocabulary.sayable,)}
        self.shapes |= {name: shapes[name] for name in self.vectors + self.matrices}
        self.places, self.total = {}, 0
        for name, shape in self.shapes.items():
            self.places[name] = (self.total, self.total + math.prod(shape))
            self.total = self.places[name][1]

    def view(self, flat, name):
        return flat[slice(*self.places[name])].view(self.shapes[name])

    def attention_parts(self, flat, part):
        """Of part "e0.s." and so on: views of the weights and of the biases of q, k and v."""
        for kind in ("w", "b"):
            if part[-2] == "s":
                yield self.view(flat, f"{part}qkv.{kind}").split(self.width)
            else:
                yield self.view(flat, f"{part}q.{kind}"), *self.view(flat, f"{part}kv.{kind}").split(self.width)

    def hugging_face(self, flat):
        """Tensors by MarianMTModel's names: views of flat, but for the vocabulary's two. What a translation is never made of gets
        a bias of -10000 (a float16 too): it had no part in the training's softmax."""
        order = torch.from_numpy(self.vocabulary.order)
        embeddings = torch.empty(self.shapes["E"])
        embeddings[order] = self.view(flat, "E")
        bias = torch.full((self.vocabulary.size,), -1e4)
        bias[order[:self.vocabulary.sayable]] = self.view(flat, "bias")
        tensors = {"model.shared.weight": embeddings, "final_logits_bias": bias[None]}
        for side, layers in (("encoder", self.encoder), ("decoder", self.decoder)):
            for layer in range(layers):
                for part, name in (("s", "self_attn"), ("c", "encoder_attn"))[:1 + (side == "decoder")]:
                    own, at = f"{side[0]}{layer}.{part}.", f"model.{side}.layers.{layer}.{name}"
                    weights, biases = self.attention_parts(flat, own)
                    for letter, weight, vector in zip("qkv", weights, biases):
                        tensors |= {f"{at}.{letter}_proj.weight": weight, f"{at}.{letter}_proj.bias": vector}
                    for theirs, ours in ((".out_proj.weight", "o.w"), (".out_proj.bias", "o.b"), ("_layer_norm.weight", "g"),
                                         ("_layer_norm.bias", "n")):
                        tensors[at + theirs] = self.view(flat, own + ours)
                own, at = f"{side[0]}{layer}.f.", f"model.{side}.layers.{layer}."
                for theirs, ours in (("fc1.weight", "1.w"), ("fc1.bias", "1.b"), ("fc2.weight", "2.w"), ("fc2.bias", "2.b"),
                                     ("final_layer_norm.weight", "g"), ("final_layer_norm.bias", "n")):
                    tensors[at + theirs] = self.view(flat, own + ours)
        return tensors

    def save(self, flat, start, folder, **changes):
        """A model folder in float16, with the tokenizer of the folder start."""
        os.makedirs(folder, exist_ok=True)
        tensors = {name: t.to(torch.float16).contiguous() for name, t in self.hugging_face(flat).items()}
        save_file(tensors, f"{folder}/model.safetensors", {"format": "pt"})
        with open(f"{start}/config.json") as file:
            config = json.load(file)
        config |= {f"{side}_ffn_dim": 4 * self.width for side in ("encoder", "decoder")}
        config |= {"d_model": self.width, "encoder_layers": self.encoder, "decoder_layers": self.decoder,
                   "num_hidden_layers": self.encoder, "attention_dropout": 0.0, **changes}
        with open(f"{folder}/config.json", "w") as file:
            file.write(json.dumps(config, indent=2) + "\n")
        for name in FILES:
            shutil.copyfile(f"{start}/{name}", f"{folder}/{name}")


class Growth:
    """A wider and deeper model that says nearly what the smaller one in the folder start says.
    Wider: the new dimensions of the residual stream are copies of old ones (those whose position waves are nearest), and what
    reads a copied dimension takes a part from each copy; new rows of heads and of the feed-forward part begin with no effect.
    Only the norms' averages over the dimensions and the position waves differ a little.
    Deeper: a layer whose outputs are 0 is the identity once the norm before it is plain and its own last norm has that one's
    weights."""

    def __init__(self, layout, start):
        self.layout = layout
        self.old = {name: t.float() for name, t in load_file(f"{start}/model.safetensors").items()}
        with open(f"{start}/config.json") as file:
            self.config = json.load(file)
        self.d, self.width = self.config["d_model"], layout.width
        self.inner = self.config["encoder_ffn_dim"]
        half, old_half = self.width // 2, self.d // 2
        near = [min(old_half - 1, int(i * self.d / self.width + 0.5)) for i in range(half)]
        self.copied = torch.tensor(near + [old_half + i for i in near])
        if set(self.copied.tolist()) != set(range(self.d)):
            raise ValueError(f"{self.width} dimensions are not at least the {self.d} of the start")
        self.part = torch.rand(self.width) * 0.4 + 0.3
        for i in range(self.d):
            copies = self.copied == i
            self.part[copies] /= self.part[copies].sum()

    def fresh(self, rows):
        return torch.randn(rows, self.width) * self.width ** -0.5 * 0.7

    def heads(self, weight, bias):
        """(d, d) by heads to (width, width) by wider heads, whose further rows are fresh."""
        old, new = self.d // HEADS, self.width // HEADS
        wide, wide_bias = self.fresh(self.width).view(HEADS, new, -1), torch.zeros(HEADS, new)
        wide[:, :old], wide_bias[:, :old] = (weight[:, self.copied] * self.part).view(HEADS, old, -1), bias.view(HEADS, old)
        return wide, wide_bias

    def attention(self, new, at):
        old, wide = self.d // HEADS, self.width // HEADS
        for letter in "qkv":
            weight, bias = self.heads(self.old[f"{at}.{letter}_proj.weight"], self.old[f"{at}.{letter}_proj.bias"])
            if letter == "q":  # the scores are divided by the root of the head's size
                weight, bias = weight * (wide / old) ** 0.5, bias * (wide / old) ** 0.5
            if letter == "k":
                weight[:, old:] = 0
            new[f"{at}.{letter}_proj.weight"].copy_(weight.view(self.width, -1))
            new[f"{at}.{letter}_proj.bias"].copy_(bias.flatten())
        out = torch.zeros(self.width, HEADS, wide)
        out[:, :, :old] = self.old[f"{at}.out_proj.weight"][self.copied].view(-1, HEADS, old)
        new[f"{at}.out_proj.weight"].copy_(out.view(self.width, -1))
        for name in (".out_proj.bias", "_layer_norm.weight", "_layer_norm.bias"):
            new[at + name].copy_(self.old[at + name][self.copied])

    def grown_layer(self, new, at, attentions):
        for name in attentions:
            self.attention(new, at + name)
        weight = self.fresh(4 * self.width)
        weight[:self.inner] = self.old[at + "fc1.weight"][:, self.copied] * self.part
        new[at + "fc1.weight"].copy_(weight)
        new[at + "fc1.bias"][:self.inner] = self.old[at + "fc1.bias"]
        new[at + "fc2.weight"][:, :self.inner] = self.old[at + "fc2.weight"][self.copied]
        for name in ("fc2.bias", "final_layer_norm.weight", "final_layer_norm.bias"):
            new[at + name].copy_(self.old[at + name][self.copied])

    def new_layer(self, new, at, before, attentions):
        for name in attentions:
            for letter in "qkv":
                new[f"{at}{name}.{letter}_proj.weight"].copy_(self.fresh(self.width))
            new[f"{at}{name}_layer_norm.weight"].fill_(1)
        new[at + "fc1.weight"].copy_(self.fresh(4 * self.width))
        for kind, plain in (("weight", 1), ("bias", 0)):
            new[f"{at}final_layer_norm.{kind}"].copy_(new[f"{before}final_layer_norm.{kind}"])
            new[f"{before}final_layer_norm.{kind}"].fill_(plain)

    @torch.no_grad()
    def run(self):
        """The flat buffer."""
        layout, order = self.layout, torch.from_numpy(self.layout.vocabulary.order)
        flat = torch.zeros(layout.total)
        new = layout.hugging_face(flat)
        for side, layers in (("encoder", layout.encoder), ("decoder", layout.decoder)):
            attentions = ["self_attn", "encoder_attn"][:1 + (side == "decoder")]
            for layer in range(layers):
                at, before = f"model.{side}.layers.{layer}.", f"model.{side}.layers.{layer - 1}."
                if layer < self.config[f"{side}_layers"]:
                    self.grown_layer(new, at, attentions)
                else:
                    self.new_layer(new, at, before, attentions)
        # The head reads the embeddings' copies and their scale (the root of the width) too: the norm before it undoes both.
        scale = (self.d / self.width) ** 0.5
        layout.view(flat, "E").copy_((self.old["model.shared.weight"][:, self.copied] * scale)[order])
        layout.view(flat, "bias").copy_(self.old["final_logits_bias"][0][order[:layout.vocabulary.sayable]])
        for kind in ("weight", "bias"):
            new[f"model.decoder.layers.{layout.decoder - 1}.final_layer_norm.{kind}"].mul_(self.part / scale)
        return flat
