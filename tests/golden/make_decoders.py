#!/usr/bin/env python3
"""Makes reference cases of further decoder-only models: tiny random models of transformers 4.57.6, and what Inseq 0.7.1 says of them.

usage: make_decoders.py OUT [NAME ...]        then: pack.py OUT NAME ...
Needs inseq 0.7.1, transformers 4.57.6 and torch. Float32, eager attention. The tokenizer is that of the model gpt2 here.
"""
import json
import os
import shutil
import sys
import warnings

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
warnings.filterwarnings("ignore")
import inseq
import torch
import transformers

HERE = os.path.dirname(os.path.abspath(__file__))
TOKENIZER = os.path.join(HERE, "..", "data", "golden", "models", "llama")
TEXT = "He's going to learn a lot today."
FORCED = TEXT + " I learned a lot, and I am happy."
STANDARD = dict(vocab_size=480, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                intermediate_size=48, max_position_embeddings=128, bos_token_id=0, eos_token_id=0, pad_token_id=0)
DEEPSEEK = dict(STANDARD, num_hidden_layers=3, moe_intermediate_size=24, n_routed_experts=8, num_experts_per_tok=3, n_group=4,
                topk_group=2, n_shared_experts=2, routed_scaling_factor=1.5, norm_topk_prob=True, first_k_dense_replace=1)
# name: (configuration class, model class, configuration)
MODELS = {
    "qwen3_moe": ("Qwen3MoeConfig", "Qwen3MoeForCausalLM",
                  dict(STANDARD, num_hidden_layers=3, head_dim=8, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=24,
                       norm_topk_prob=True, mlp_only_layers=[1])),
    "granitemoeshared": ("GraniteMoeSharedConfig", "GraniteMoeSharedForCausalLM",
                         dict(STANDARD, num_local_experts=4, num_experts_per_tok=2, shared_intermediate_size=24, embedding_multiplier=2.0,
                              residual_multiplier=0.5, attention_multiplier=0.3, logits_scaling=2.0)),
    "gpt_oss": ("GptOssConfig", "GptOssForCausalLM",
                dict(STANDARD, head_dim=8, intermediate_size=24, num_local_experts=4, num_experts_per_tok=2, sliding_window=6,
                     max_position_embeddings=256,
                     rope_scaling=dict(rope_type="yarn", factor=8.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
                                       original_max_position_embeddings=32))),
    "glm4_moe": ("Glm4MoeConfig", "Glm4MoeForCausalLM",
                 dict(DEEPSEEK, head_dim=8, attention_bias=True, use_qk_norm=True, partial_rotary_factor=0.5)),
    "dots1": ("Dots1Config", "Dots1ForCausalLM",
              dict(DEEPSEEK, head_dim=8, sliding_window=6, max_window_layers=1,
                   layer_types=["full_attention", "sliding_attention", "sliding_attention"])),
    "ernie4_5_moe": ("Ernie4_5_MoeConfig", "Ernie4_5_MoeForCausalLM",
                     dict(STANDARD, num_hidden_layers=3, moe_num_experts=6, moe_k=3, moe_intermediate_size=24, moe_num_shared_experts=2,
                          moe_layer_start_index=1, use_bias=True)),
    "olmoe_clip": ("OlmoeConfig", "OlmoeForCausalLM", dict(STANDARD, num_experts=6, num_experts_per_tok=3, norm_topk_prob=True, clip_qkv=0.8)),
    "flex_olmo": ("FlexOlmoConfig", "FlexOlmoForCausalLM", dict(STANDARD, num_experts=6, num_experts_per_tok=3)),
}
CASES = [dict(case="saliency", method="saliency", step_scores=["logit", "probability", "entropy"]),
         dict(case="input_x_gradient", method="input_x_gradient"), dict(case="attention", method="attention"),
         dict(case="integrated_gradients", method="integrated_gradients", n_steps=20)]


def make_model(name, folder):
    config_class, model_class, config = MODELS[name]
    torch.manual_seed(7)
    model = getattr(transformers, model_class)(getattr(transformers, config_class)(**config)).eval().float()
    with torch.no_grad():
        for key, p in list(model.named_parameters()) + list(model.named_buffers()):  # far from uniform probabilities and gradients
            if "inv_freq" in key:
                continue
            if "bias" in key or "sinks" in key:
                p.normal_(0, 0.1)
            elif p.dim() == 1:  # norms
                p.uniform_(0.7, 1.3)
            else:
                p.normal_(0, 0.5 if "embed" in key else 0.15)
    model.save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(os.path.join(TOKENIZER, file), folder)
        os.chmod(os.path.join(folder, file), 0o644)


def load(name, folder):
    return getattr(transformers, MODELS[name][1]).from_pretrained(folder, attn_implementation="eager").eval()


def generate(model, tokenizer):
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    options = {"greedy": dict(num_beams=1), "beam4": dict(num_beams=4, length_penalty=1.0), "greedy_min": dict(num_beams=1, min_new_tokens=12)}
    runs = {k: model.generate(ids, max_new_tokens=12, do_sample=False, **v)[0].tolist() for k, v in options.items()}
    return dict(text=TEXT, input_ids=ids[0].tolist(), max_new_tokens=12, runs=runs)


def make(out, name):
    folder, cases = os.path.join(out, "models", name), os.path.join(out, "cases", name)
    os.makedirs(cases, exist_ok=True)
    make_model(name, folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    done = []
    for case in CASES:
        options = {k: v for k, v in case.items() if k not in ("case", "method")}
        attributor = inseq.load_model(load(name, folder), case["method"], tokenizer=tokenizer)
        result = attributor.attribute(TEXT, FORCED, show_progress=False, **options)
        result.save(os.path.join(cases, case["case"] + ".json"), overwrite=True)
        done.append({**case, "input_texts": TEXT, "generated_texts": FORCED})
    generation = generate(load(name, folder), tokenizer)
    for file, value in (("cases.json", done), ("generation.json", generation)):
        with open(os.path.join(cases, file), "w") as f:
            json.dump(value, f, indent=1)
    print(name, {k: len(v) for k, v in generation["runs"].items()}, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[2:] or MODELS:
        make(sys.argv[1], chosen)
