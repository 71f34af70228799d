#!/usr/bin/env python3
"""Makes reference cases of further decoder-only models: tiny random models of transformers 4.57.6, and what Inseq 0.7.1 says of them.

usage: make_decoders.py OUT [NAME ...]        then: pack.py OUT NAME ...
Needs inseq 0.7.1, transformers 4.57.6 and torch. Float32, eager attention. The tokenizer is that of the model gpt2 here.
"""
import contextlib
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
SMALL = dict(vocab_size=480, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24, bos_token_id=0,
             eos_token_id=0, pad_token_id=0, max_position_embeddings=128)
GROUPED = dict(SMALL, num_key_value_heads=2)
GPT = dict(vocab_size=480, n_embd=16, n_layer=2, n_head=4, n_positions=128, bos_token_id=0, eos_token_id=0, pad_token_id=0)
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
# Architectures newer than Inseq's list, and what configurations of the others may ask for: tied where the class allows it, to be small.
MODELS.update({
    "arcee": ("ArceeConfig", "ArceeForCausalLM", dict(GROUPED, mlp_bias=True, rope_scaling=dict(rope_type="yarn", factor=2.0))),
    "cohere2": ("Cohere2Config", "Cohere2ForCausalLM", dict(GROUPED, num_hidden_layers=4, sliding_window=5, logit_scale=1.5)),
    "ernie4_5": ("Ernie4_5Config", "Ernie4_5ForCausalLM", dict(GROUPED, head_dim=8, use_bias=True)),
    "glm": ("GlmConfig", "GlmForCausalLM", dict(GROUPED, head_dim=8, tie_word_embeddings=True)),
    "glm4": ("Glm4Config", "Glm4ForCausalLM", dict(GROUPED, head_dim=8, tie_word_embeddings=True)),
    "helium": ("HeliumConfig", "HeliumForCausalLM", dict(GROUPED, head_dim=4, tie_word_embeddings=True)),
    "olmo3": ("Olmo3Config", "Olmo3ForCausalLM",
              dict(GROUPED, num_hidden_layers=4, sliding_window=5, tie_word_embeddings=True,
                   rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32))),
    "smollm3": ("SmolLM3Config", "SmolLM3ForCausalLM", dict(GROUPED, use_sliding_window=True, sliding_window=5, no_rope_layers=[1, 0])),
    "bloom_normed": ("BloomConfig", "BloomForCausalLM",
                     dict(vocab_size=480, hidden_size=24, n_layer=2, n_head=6, apply_residual_connection_post_layernorm=True,
                          bos_token_id=0, eos_token_id=0, pad_token_id=0)),
    "cohere_normed": ("CohereConfig", "CohereForCausalLM", dict(GROUPED, use_qk_norm=True, attention_bias=True, logit_scale=1.5)),
    "falcon_alibi": ("FalconConfig", "FalconForCausalLM",
                     dict(SMALL, hidden_size=24, num_attention_heads=6, alibi=True, multi_query=False, parallel_attn=False, bias=True)),
    "falcon_grouped": ("FalconConfig", "FalconForCausalLM", dict(SMALL, num_kv_heads=2, new_decoder_architecture=True, bias=True)),
    "gpt_bigcode_heads": ("GPTBigCodeConfig", "GPTBigCodeForCausalLM", dict(GPT, multi_query=False)),
    "gpt_neox_serial": ("GPTNeoXConfig", "GPTNeoXForCausalLM",
                        dict(SMALL, use_parallel_residual=False, rotary_pct=0.5, tie_word_embeddings=True,
                             rope_scaling=dict(rope_type="linear", factor=3.0))),
    "llama_llama3": ("LlamaConfig", "LlamaForCausalLM",
                     dict(GROUPED, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
                          rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                            original_max_position_embeddings=32))),
    "mpt_clipped": ("MptConfig", "MptForCausalLM",
                    dict(vocab_size=480, d_model=24, n_heads=6, n_layers=2, max_seq_len=64, attn_config=dict(clip_qkv=0.4, softmax_scale=0.6),
                         bos_token_id=0, eos_token_id=0, pad_token_id=0)),
    "olmo_clipped": ("OlmoConfig", "OlmoForCausalLM", dict(GROUPED, clip_qkv=0.4, tie_word_embeddings=True)),
    "opt_350m": ("OPTConfig", "OPTForCausalLM", dict(SMALL, ffn_dim=24, do_layer_norm_before=False, word_embed_proj_dim=12)),
    "phi_normed": ("PhiConfig", "PhiForCausalLM", dict(GROUPED, qk_layernorm=True, tie_word_embeddings=True)),
    "phi3_longrope": ("Phi3Config", "Phi3ForCausalLM",
                      dict(GROUPED, original_max_position_embeddings=64, sliding_window=7, tie_word_embeddings=True,
                           rope_scaling=dict(type="longrope", short_factor=[1.0, 1.5], long_factor=[2.0, 3.0]))),
    "qwen2_window": ("Qwen2Config", "Qwen2ForCausalLM",
                     dict(GROUPED, use_sliding_window=True, sliding_window=5, max_window_layers=1, tie_word_embeddings=True)),
    "stablelm_parallel": ("StableLmConfig", "StableLmForCausalLM",
                          dict(GROUPED, use_parallel_residual=True, qk_layernorm=True, use_qkv_bias=True, partial_rotary_factor=0.5,
                               tie_word_embeddings=True)),
})
CASES = [dict(case="saliency", method="saliency", step_scores=["logit", "probability", "entropy"]),
         dict(case="input_x_gradient", method="input_x_gradient"), dict(case="attention", method="attention"),
         dict(case="integrated_gradients", method="integrated_gradients", n_steps=20)]


def make_model(name, folder):
    config_class, model_class, config = MODELS[name]
    torch.manual_seed(7)
    own_init = transformers.modeling_utils.no_init_weights if name == "stablelm_parallel" else contextlib.nullcontext  # it fails there
    with own_init():
        model = getattr(transformers, model_class)(getattr(transformers, config_class)(**config)).eval().float()
    model.tie_weights()
    with torch.no_grad():
        for key, p in list(model.named_parameters()) + list(model.named_buffers()):  # far from uniform probabilities and gradients
            if "inv_freq" in key or not p.is_floating_point(): # a buffer
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
    attention = "sdpa" if name == "falcon_alibi" else "eager"  # eager adds Falcon's ALiBi twice
    return getattr(transformers, MODELS[name][1]).from_pretrained(folder, attn_implementation=attention).eval()


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
