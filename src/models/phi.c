/* Phi 1, 1.5, 2 (Li et al. 2023): attention and feed-forward side by side under one layer norm, rotary positions in a part of
 * each head, biases everywhere, the head's too.
 *   x += attn(n) + fc2(act(fc1(n))), n = input_layernorm(x)
 * Phi 3 and 4 (Abdin et al. 2024): Llama with query, key and value in one matrix and gate and up in another; long texts by
 * longrope, in some a window.
 * Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/dropout.h"

static void build_phi(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  ci_attention_shape *a = &d.block.attention;
  d.norm = "final_layernorm";
  d.head_biased = true;
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_eps", 1e-5)};
  d.block.parallel = true;
  d.block.mlp_norms.before = NULL;
  d.block.mlp = (ci_mlp_shape){.inner = d.block.mlp.inner, .activation = d.block.mlp.activation};
  d.block.mlp.up = "mlp.fc1";
  d.block.mlp.down = "mlp.fc2";
  d.block.mlp.biased = a->biased = a->output_biased = true;
  a->output = "self_attn.dense";
  a->norm = ci_config_bool(b, "qk_layernorm", false) ? CI_NORM_HEADS : CI_NORM_NONE;
  a->norm_style = d.block.norm;
  a->query_norm = "self_attn.q_layernorm";
  a->key_norm = "self_attn.k_layernorm";
  ci_build_decoder(b, &d);
}

static void build_phi3(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  ci_attention_fused(&d.block.attention, "self_attn.qkv_proj", false);
  d.block.attention.biased = d.block.attention.output_biased = false;
  d.block.attention.window = ci_config_size(b, "sliding_window", 0, 1);
  d.block.mlp.gate = d.block.mlp.up = "mlp.gate_up_proj";
  d.block.mlp.fused = true;
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

static const ci_dropout_keys phi_dropout = {.embedding = {"embd_pdrop", 0},
                                            .attention = {"attention_dropout", 0},
                                            .attended = {"resid_pdrop", 0},
                                            .fed = {"resid_pdrop", 0}},
                             phi3_dropout = {.attention = {"attention_dropout", 0}, .attended = {"resid_pdrop", 0}, .fed = {"resid_pdrop", 0}};

extern const ci_architecture ci_architecture_phi, ci_architecture_phi3;
const ci_architecture ci_architecture_phi = {
    .id = "phi",
    .class_name = "PhiForCausalLM",
    .help = "Phi 1, 1.5, 2",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2, \"hidden_act\": \"gelu_new\", \"partial_rotary_factor\": 0.5}",
    .ignored = ignored,
    .dropout = &phi_dropout,
    .build = build_phi};
const ci_architecture ci_architecture_phi3 = {
    .id = "phi3",
    .class_name = "Phi3ForCausalLM",
    .help = "Phi 3, 3.5, 4",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 32000, \"pad_token_id\": 32000, \"rms_norm_eps\": 1e-5, "
                "\"max_position_embeddings\": 4096, \"original_max_position_embeddings\": 4096}",
    .ignored = ignored,
    .dropout = &phi3_dropout,
    .build = build_phi3};
