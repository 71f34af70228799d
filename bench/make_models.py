#!/usr/bin/env python3
"""Write random-weight models at the exact shapes of well-known ones, for speed and memory work (standard library only).

usage: make_models.py OUT_FOLDER opus-mt-en-mg|flan-t5-small|granite-moe|gpt2|gpt2-xl|pythia|smollm2|llama-TYPE ...
A name that ends in .bf16 (gpt2-xl.bf16) is the same in bfloat16.
llama-TYPE (F32, F16, Q4_K, ...: GGUF_TYPES) is a .gguf file of 4 of the 16 layers of Llama 3.2 1B, all matrices in that type.
The weights repeat a block of random numbers: only shapes matter here. Tokenizers are the real ones of tests/data/tokenizers;
smollm2 and pythia take GPT-2's, whose ids all exist in their larger or equal vocabularies (ids beyond it are not used by the bench's texts).
"""
import array, json, os, random, shutil, struct, sys

TOKENIZERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "data", "tokenizers")
BLOCK = (1 << 18) + 37  # not a multiple of any width: no two rows of a matrix alike


def block(std, mean, narrow):
    rng = random.Random(int(std * 1e6) + int(mean))
    floats = array.array("f", (rng.gauss(mean, std) if std else mean for _ in range(BLOCK)))
    return array.array("H", floats.tobytes())[1::2].tobytes() if narrow else floats.tobytes()


def write(path, tensors):
    """tensors: name -> (shape, standard deviation, mean)"""
    narrow = os.path.dirname(path).endswith(".bf16")
    width = 2 if narrow else 4
    head, at, blocks = {"__metadata__": {"format": "pt"}}, 0, {}
    for name, (shape, std, mean) in tensors.items():
        size = width
        for n in shape:
            size *= n
        head[name] = {"dtype": "BF16" if narrow else "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, (shape, std, mean) in tensors.items():
            if (std, mean) not in blocks:
                blocks[std, mean] = block(std, mean, narrow)
            data, (low, high) = blocks[std, mean], head[name]["data_offsets"]
            shift = width * random.Random(name).randrange(BLOCK // 2)  # no two tensors alike
            left = high - low
            while left:
                piece = data[shift : shift + min(left, len(data) - shift)]
                f.write(piece)
                left -= len(piece)
                shift = 0
    os.rename(path + ".part", path)


def save(path, value):
    with open(path, "w") as f:
        json.dump(value, f, indent=1)


def gpt2_tokenizer(out):
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(os.path.join(TOKENIZERS, "gpt2", name), out)
    save(f"{out}/tokenizer_config.json", dict(tokenizer_class="GPT2Tokenizer", model_max_length=1024))


def gpt2(out, layers, d, heads):
    t = {"wte.weight": ((50257, d), 0.02, 0), "wpe.weight": ((1024, d), 0.01, 0)}
    for i in range(layers):
        p = f"h.{i}."
        for n in ("ln_1", "ln_2"):
            t |= {p + n + ".weight": ((d,), 0.02, 1), p + n + ".bias": ((d,), 0.02, 0)}
        for n, a, b in (("attn.c_attn", d, 3 * d), ("attn.c_proj", d, d), ("mlp.c_fc", d, 4 * d), ("mlp.c_proj", 4 * d, d)):
            t |= {p + n + ".weight": ((a, b), 0.02, 0), p + n + ".bias": ((b,), 0.01, 0)}
    t |= {"ln_f.weight": ((d,), 0.02, 1), "ln_f.bias": ((d,), 0.02, 0)}
    write(f"{out}/model.safetensors", t)
    gpt2_tokenizer(out)
    save(f"{out}/config.json", dict(architectures=["GPT2LMHeadModel"], model_type="gpt2", n_embd=d, n_layer=layers, n_head=heads,
                                    n_positions=1024, vocab_size=50257, bos_token_id=50256, eos_token_id=50256))


def smollm2(out, d=576, inner=1536, layers=30, heads=9, kv=3, vocabulary=50257):
    t = {"model.embed_tokens.weight": ((vocabulary, d), 0.04, 0), "model.norm.weight": ((d,), 0.02, 1)}
    for i in range(layers):
        p = f"model.layers.{i}."
        t |= {p + "input_layernorm.weight": ((d,), 0.02, 1), p + "post_attention_layernorm.weight": ((d,), 0.02, 1)}
        for n, o, k in (("self_attn.q_proj", d, d), ("self_attn.k_proj", kv * 64, d), ("self_attn.v_proj", kv * 64, d),
                        ("self_attn.o_proj", d, d), ("mlp.gate_proj", inner, d), ("mlp.up_proj", inner, d), ("mlp.down_proj", d, inner)):
            t[p + n + ".weight"] = ((o, k), 0.04, 0)
    write(f"{out}/model.safetensors", t)
    gpt2_tokenizer(out)
    save(f"{out}/config.json", dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=d, intermediate_size=inner,
                                    num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv, vocab_size=vocabulary,
                                    max_position_embeddings=8192, rms_norm_eps=1e-5, rope_theta=100000, tie_word_embeddings=True,
                                    bos_token_id=50256, eos_token_id=50256))


def granite_moe(out, d=1024, inner=512, experts=32, layers=8, heads=16, kv=8, vocabulary=50257):
    """granite-3.0-1b-a400m, 8 of its 24 layers: 1.9 GB. GPT-2's tokenizer."""
    t = {"model.embed_tokens.weight": ((vocabulary, d), 0.02, 0), "model.norm.weight": ((d,), 0.02, 1)}
    for i in range(layers):
        p = f"model.layers.{i}."
        t |= {p + "input_layernorm.weight": ((d,), 0.02, 1), p + "post_attention_layernorm.weight": ((d,), 0.02, 1)}
        for n, o in (("q_proj", d), ("k_proj", kv * 64), ("v_proj", kv * 64), ("o_proj", d)):
            t[p + f"self_attn.{n}.weight"] = ((o, d), 0.04, 0)
        p += "block_sparse_moe."
        t |= {p + "router.layer.weight": ((experts, d), 0.04, 0), p + "input_linear.weight": ((experts, 2 * inner, d), 0.04, 0),
              p + "output_linear.weight": ((experts, d, inner), 0.04, 0)}
    write(f"{out}/model.safetensors", t)
    gpt2_tokenizer(out)
    save(f"{out}/config.json", dict(architectures=["GraniteMoeForCausalLM"], model_type="granitemoe", hidden_size=d, intermediate_size=inner,
                                    num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv, vocab_size=vocabulary,
                                    num_local_experts=experts, num_experts_per_tok=8, attention_multiplier=0.015625, embedding_multiplier=12,
                                    logits_scaling=6, residual_multiplier=0.22, max_position_embeddings=4096, rms_norm_eps=1e-6,
                                    rope_theta=10000, tie_word_embeddings=True, bos_token_id=50256, eos_token_id=50256))


def pythia(out, d=768, layers=12, heads=12, vocabulary=50304):
    """Pythia 160M: attention and feed-forward side by side, query, key and value in one matrix, rotary positions."""
    t = {"gpt_neox.embed_in.weight": ((vocabulary, d), 0.02, 0), "embed_out.weight": ((vocabulary, d), 0.02, 0)}
    for i in range(layers):
        p = f"gpt_neox.layers.{i}."
        for n, o, k in (("attention.query_key_value", 3 * d, d), ("attention.dense", d, d), ("mlp.dense_h_to_4h", 4 * d, d),
                        ("mlp.dense_4h_to_h", d, 4 * d)):
            t |= {p + n + ".weight": ((o, k), 0.02, 0), p + n + ".bias": ((o,), 0.01, 0)}
        for n in ("input_layernorm", "post_attention_layernorm"):
            t |= {p + n + ".weight": ((d,), 0.02, 1), p + n + ".bias": ((d,), 0.02, 0)}
    t |= {"gpt_neox.final_layer_norm.weight": ((d,), 0.02, 1), "gpt_neox.final_layer_norm.bias": ((d,), 0.02, 0)}
    write(f"{out}/model.safetensors", t)
    gpt2_tokenizer(out)
    save(f"{out}/config.json", dict(architectures=["GPTNeoXForCausalLM"], model_type="gpt_neox", hidden_size=d, intermediate_size=4 * d,
                                    num_hidden_layers=layers, num_attention_heads=heads, vocab_size=vocabulary, rotary_pct=0.25,
                                    max_position_embeddings=2048, use_parallel_residual=True, bos_token_id=50256, eos_token_id=50256))


def marian(out):
    folder = os.path.join(TOKENIZERS, "opus-mt-en-mg")
    for name in ("source.spm", "target.spm", "vocab.json"):
        shutil.copy(os.path.join(folder, name), out)
    c = json.load(open(os.path.join(folder, "config.json")))
    c.update(tie_word_embeddings=True, decoder_vocab_size=54688, share_encoder_decoder_embeddings=True)
    save(f"{out}/config.json", c)
    save(f"{out}/tokenizer_config.json", dict(source_lang="en", target_lang="mg", tokenizer_class="MarianTokenizer"))
    d, inner = c["d_model"], c["encoder_ffn_dim"]
    t = {"model.shared.weight": ((c["vocab_size"], d), 0.04, 0), "final_logits_bias": ((1, c["vocab_size"]), 0, 0)}

    def norm(name):
        t.update({name + ".weight": ((d,), 0.02, 1), name + ".bias": ((d,), 0.02, 0)})

    for side, kinds in (("encoder", ["self_attn"]), ("decoder", ["self_attn", "encoder_attn"])):
        for i in range(c[side + "_layers"]):
            p = f"model.{side}.layers.{i}."
            for k in kinds:
                for n in ("k_proj", "v_proj", "q_proj", "out_proj"):
                    t.update({f"{p}{k}.{n}.weight": ((d, d), 0.05, 0), f"{p}{k}.{n}.bias": ((d,), 0.01, 0)})
                norm(p + k + "_layer_norm")
            t.update({p + "fc1.weight": ((inner, d), 0.05, 0), p + "fc1.bias": ((inner,), 0.01, 0),
                      p + "fc2.weight": ((d, inner), 0.05, 0), p + "fc2.bias": ((d,), 0.01, 0)})
            norm(p + "final_layer_norm")
    write(f"{out}/model.safetensors", t)


def flan_t5(out, d=512, heads=6, inner=1024, layers=8, vocabulary=32128):
    """google/flan-t5-small. The tokenizer is the first part of GPT-2's: its merges are in the order of the ids they make."""
    t = {"shared.weight": ((vocabulary, d), 0.5, 0), "lm_head.weight": ((vocabulary, d), 0.05, 0)}
    for side in ("encoder", "decoder"):
        t[side + ".final_layer_norm.weight"] = ((d,), 0.02, 1)
        t[side + ".block.0.layer.0.SelfAttention.relative_attention_bias.weight"] = ((32, heads), 0.2, 0)
        parts = ["SelfAttention"] + ["EncDecAttention"] * (side == "decoder") + ["DenseReluDense"]
        for i in range(layers):
            for k, part in enumerate(parts):
                p = f"{side}.block.{i}.layer.{k}."
                t[p + "layer_norm.weight"] = ((d,), 0.02, 1)
                if part == "DenseReluDense":
                    t |= {p + part + ".wi_0.weight": ((inner, d), 0.05, 0), p + part + ".wi_1.weight": ((inner, d), 0.05, 0),
                          p + part + ".wo.weight": ((d, inner), 0.05, 0)}
                else:
                    t |= {f"{p}{part}.{n}.weight": ((64 * heads, d), 0.02, 0) for n in "qkv"}
                    t[f"{p}{part}.o.weight"] = ((d, 64 * heads), 0.05, 0)
    write(f"{out}/model.safetensors", t)
    vocab = json.load(open(os.path.join(TOKENIZERS, "gpt2", "vocab.json")))
    save(f"{out}/vocab.json", {k: v for k, v in vocab.items() if v < vocabulary})
    with open(os.path.join(TOKENIZERS, "gpt2", "merges.txt")) as file, open(f"{out}/merges.txt", "w") as cut:
        cut.writelines(file.readlines()[:1 + vocabulary - 256])
    save(f"{out}/tokenizer_config.json", dict(tokenizer_class="GPT2Tokenizer", unk_token="!", bos_token="!", eos_token="!"))
    save(f"{out}/config.json", dict(architectures=["T5ForConditionalGeneration"], model_type="t5", d_model=d, d_kv=64, d_ff=inner,
                                    num_layers=layers, num_decoder_layers=layers, num_heads=heads, vocab_size=vocabulary,
                                    feed_forward_proj="gated-gelu", is_encoder_decoder=True, tie_word_embeddings=False,
                                    decoder_start_token_id=0, pad_token_id=0, eos_token_id=1))


# name: (ggml's number, numbers of a block, bytes of a block, where its scales are: {byte: half})
GGUF_TYPES = {
    "F32": (0, 1, 4, {}), "F16": (1, 1, 2, {}), "BF16": (30, 1, 2, {}),
    "Q4_0": (2, 32, 18, {0: 0.008}), "Q4_1": (3, 32, 20, {0: 0.008, 2: -0.06}), "Q5_0": (6, 32, 22, {0: 0.004}),
    "Q5_1": (7, 32, 24, {0: 0.004, 2: -0.06}), "Q8_0": (8, 32, 34, {0: 0.0005}), "Q2_K": (10, 256, 84, {80: 0.005, 82: 0.0075}),
    "Q3_K": (11, 256, 110, {108: 0.001}), "Q4_K": (12, 256, 144, {0: 0.0003, 2: 0.002}), "Q5_K": (13, 256, 176, {0: 0.00015, 2: 0.002}),
    "Q6_K": (14, 256, 210, {208: 0.00003}), "IQ4_NL": (20, 32, 18, {0: 0.0007}), "IQ4_XS": (23, 256, 136, {0: 0.00004})}


def gguf_block(kind):
    """Some hundred kB of random blocks whose numbers are about as large as weights are."""
    _, numbers, size, scales = GGUF_TYPES[kind]
    if numbers == 1:
        values = array.array("f", block(0.04, 0, False))
        if kind == "F32":
            return values.tobytes()
        return b"".join(struct.pack("<e", v) if kind == "F16" else struct.pack("<f", v)[2:] for v in values)
    data = bytearray(random.Random(kind).randbytes(4099 * size))
    for at, value in scales.items():
        for i in range(0, len(data), size):
            data[i + at : i + at + 2] = struct.pack("<e", value)
    return bytes(data)


def gguf_text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def gguf_value(value):
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_text(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, list):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(gguf_text, value))
    return struct.pack("<II", 4, value)


def llama_gguf(out, kind, d=2048, inner=8192, layers=4, heads=32, kv=8, vocabulary=50257):
    number, numbers, size, _ = GGUF_TYPES[kind]
    folder = os.path.join(TOKENIZERS, "gpt2")
    tokens = json.load(open(os.path.join(folder, "vocab.json")))
    merges = [line.rstrip("\n") for line in open(os.path.join(folder, "merges.txt")) if not line.startswith("#version")]
    keys = {"general.architecture": "llama", "llama.block_count": layers, "llama.context_length": 8192, "llama.embedding_length": d,
            "llama.feed_forward_length": inner, "llama.attention.head_count": heads, "llama.attention.head_count_kv": kv,
            "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.freq_base": 500000.0, "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": sorted(tokens, key=tokens.get), "tokenizer.ggml.merges": merges,
            "tokenizer.ggml.bos_token_id": 50256, "tokenizer.ggml.eos_token_id": 50256}
    matrices = {"token_embd": (vocabulary, d)}
    for i in range(layers):
        for n, o, k in (("attn_q", d, d), ("attn_k", kv * d // heads, d), ("attn_v", kv * d // heads, d), ("attn_output", d, d),
                        ("ffn_gate", inner, d), ("ffn_up", inner, d), ("ffn_down", d, inner)):
            matrices[f"blk.{i}.{n}"] = (o, k)
    norms = ["output_norm"] + [f"blk.{i}.{n}" for i in range(layers) for n in ("attn_norm", "ffn_norm")]
    tensors, infos, at = [], [], 0
    for name, shape in [*matrices.items(), *((n, (d,)) for n in norms)]:
        bytes_ = shape[0] * shape[1] // numbers * size if len(shape) == 2 else 4 * d
        infos.append(gguf_text(name + ".weight") + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
                     + struct.pack("<IQ", number if len(shape) == 2 else 0, at))
        tensors.append((name, bytes_, len(shape) == 2))
        at += bytes_ + -bytes_ % 32
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(gguf_text(k) + gguf_value(v) for k, v in keys.items()) + b"".join(infos)
    data, ones = gguf_block(kind), struct.pack("<f", 1) * d
    with open(f"{out}/model.gguf.part", "wb") as f:
        f.write(head + b"\0" * (-len(head) % 32))
        for name, left, matrix in tensors:
            padding = -left % 32
            shift = random.Random(name).randrange(1000) * size  # no two tensors alike
            while left:
                piece = (data if matrix else ones)[shift if matrix else 0 :][:left]
                f.write(piece)
                left -= len(piece)
                shift = 0
            f.write(b"\0" * padding)
    os.rename(f"{out}/model.gguf.part", f"{out}/model.gguf")


SHAPES = {"gpt2": lambda out: gpt2(out, 12, 768, 12), "gpt2-xl": lambda out: gpt2(out, 48, 1600, 25), "smollm2": smollm2, "flan-t5-small": flan_t5, "granite-moe": granite_moe,
          "opus-mt-en-mg": marian, "pythia": pythia} | {f"llama-{kind}": lambda out, kind=kind: llama_gguf(out, kind) for kind in GGUF_TYPES}

if __name__ == "__main__":
    for name in sys.argv[2:]:
        out = os.path.join(sys.argv[1], name)
        os.makedirs(out, exist_ok=True)
        if not any(os.path.exists(f"{out}/model.{ending}") for ending in ("safetensors", "gguf")):
            SHAPES[name.removesuffix(".bf16")](out)
        print(out)
