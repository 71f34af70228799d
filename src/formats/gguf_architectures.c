/* The architectures of GGUF files: a row each, of tensors' names, metadata keys and what llama.cpp's
 * convert_hf_to_gguf.py changes (gguf-py/gguf/constants.py has its names). Names of the blocks come first; of rows that
 * share a table the absent tensors are simply not there. */
#include "formats/gguf_names.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

#define LAYER "model.layers.%d."
static const ci_gguf_name llama_names[] = {{"attn_norm", LAYER "input_layernorm", CI_GGUF_SAME},
                                           {"attn_q", LAYER "self_attn.q_proj", CI_GGUF_PAIRS},
                                           {"attn_k", LAYER "self_attn.k_proj", CI_GGUF_KV_PAIRS},
                                           {"attn_v", LAYER "self_attn.v_proj", CI_GGUF_SAME},
                                           {"attn_output", LAYER "self_attn.o_proj", CI_GGUF_SAME},
                                           {"ffn_norm", LAYER "post_attention_layernorm", CI_GGUF_SAME},
                                           {"ffn_gate", LAYER "mlp.gate_proj", CI_GGUF_SAME},
                                           {"ffn_up", LAYER "mlp.up_proj", CI_GGUF_SAME},
                                           {"ffn_down", LAYER "mlp.down_proj", CI_GGUF_SAME},
                                           {"ffn_gate_inp", LAYER "block_sparse_moe.gate", CI_GGUF_SAME},
                                           {"ffn_gate_exps", LAYER "block_sparse_moe.experts.%d.w1", CI_GGUF_EXPERTS},
                                           {"ffn_down_exps", LAYER "block_sparse_moe.experts.%d.w2", CI_GGUF_EXPERTS},
                                           {"ffn_up_exps", LAYER "block_sparse_moe.experts.%d.w3", CI_GGUF_EXPERTS},
                                           {"token_embd", "model.embed_tokens", CI_GGUF_SAME},
                                           {"output_norm", "model.norm", CI_GGUF_SAME},
                                           {"output", "lm_head", CI_GGUF_SAME},
                                           {NULL, NULL, CI_GGUF_SAME}};

/* Qwen 2 and 3, their experts, Phi 3, StarCoder 2. */
static const ci_gguf_name plain_names[] = {{"attn_norm", LAYER "input_layernorm", CI_GGUF_SAME},
                                           {"attn_q", LAYER "self_attn.q_proj", CI_GGUF_SAME},
                                           {"attn_k", LAYER "self_attn.k_proj", CI_GGUF_SAME},
                                           {"attn_v", LAYER "self_attn.v_proj", CI_GGUF_SAME},
                                           {"attn_q_norm", LAYER "self_attn.q_norm", CI_GGUF_SAME},
                                           {"attn_k_norm", LAYER "self_attn.k_norm", CI_GGUF_SAME},
                                           {"attn_output", LAYER "self_attn.o_proj", CI_GGUF_SAME},
                                           {"ffn_norm", LAYER "post_attention_layernorm", CI_GGUF_SAME},
                                           {"ffn_gate", LAYER "mlp.gate_proj", CI_GGUF_SAME},
                                           {"ffn_up", LAYER "mlp.up_proj", CI_GGUF_SAME},
                                           {"ffn_down", LAYER "mlp.down_proj", CI_GGUF_SAME},
                                           {"ffn_gate_inp", LAYER "mlp.gate", CI_GGUF_SAME},
                                           {"ffn_gate_exps", LAYER "mlp.experts.%d.gate_proj", CI_GGUF_EXPERTS},
                                           {"ffn_down_exps", LAYER "mlp.experts.%d.down_proj", CI_GGUF_EXPERTS},
                                           {"ffn_up_exps", LAYER "mlp.experts.%d.up_proj", CI_GGUF_EXPERTS},
                                           {"ffn_gate_inp_shexp", LAYER "mlp.shared_expert_gate", CI_GGUF_SAME},
                                           {"ffn_gate_shexp", LAYER "mlp.shared_expert.gate_proj", CI_GGUF_SAME},
                                           {"ffn_down_shexp", LAYER "mlp.shared_expert.down_proj", CI_GGUF_SAME},
                                           {"ffn_up_shexp", LAYER "mlp.shared_expert.up_proj", CI_GGUF_SAME},
                                           {"token_embd", "model.embed_tokens", CI_GGUF_SAME},
                                           {"output_norm", "model.norm", CI_GGUF_SAME},
                                           {"output", "lm_head", CI_GGUF_SAME},
                                           {NULL, NULL, CI_GGUF_SAME}};

static const ci_gguf_name phi3_names[] = {{"attn_norm", LAYER "input_layernorm", CI_GGUF_SAME},
                                          {"attn_qkv", LAYER "self_attn.qkv_proj", CI_GGUF_SAME},
                                          {"attn_output", LAYER "self_attn.o_proj", CI_GGUF_SAME},
                                          {"ffn_norm", LAYER "post_attention_layernorm", CI_GGUF_SAME},
                                          {"ffn_up", LAYER "mlp.gate_up_proj", CI_GGUF_SAME},
                                          {"ffn_down", LAYER "mlp.down_proj", CI_GGUF_SAME},
                                          {"token_embd", "model.embed_tokens", CI_GGUF_SAME},
                                          {"output_norm", "model.norm", CI_GGUF_SAME},
                                          {"output", "lm_head", CI_GGUF_SAME},
                                          {NULL, NULL, CI_GGUF_SAME}};

static const ci_gguf_name starcoder2_names[] = {{"attn_norm", LAYER "input_layernorm", CI_GGUF_SAME},
                                                {"attn_q", LAYER "self_attn.q_proj", CI_GGUF_SAME},
                                                {"attn_k", LAYER "self_attn.k_proj", CI_GGUF_SAME},
                                                {"attn_v", LAYER "self_attn.v_proj", CI_GGUF_SAME},
                                                {"attn_output", LAYER "self_attn.o_proj", CI_GGUF_SAME},
                                                {"ffn_norm", LAYER "post_attention_layernorm", CI_GGUF_SAME},
                                                {"ffn_up", LAYER "mlp.c_fc", CI_GGUF_SAME},
                                                {"ffn_down", LAYER "mlp.c_proj", CI_GGUF_SAME},
                                                {"token_embd", "model.embed_tokens", CI_GGUF_SAME},
                                                {"output_norm", "model.norm", CI_GGUF_SAME},
                                                {"output", "lm_head", CI_GGUF_SAME},
                                                {NULL, NULL, CI_GGUF_SAME}};

static const ci_gguf_name olmo2_names[] = {{"attn_q", LAYER "self_attn.q_proj", CI_GGUF_SAME},
                                           {"attn_k", LAYER "self_attn.k_proj", CI_GGUF_SAME},
                                           {"attn_v", LAYER "self_attn.v_proj", CI_GGUF_SAME},
                                           {"attn_q_norm", LAYER "self_attn.q_norm", CI_GGUF_SAME},
                                           {"attn_k_norm", LAYER "self_attn.k_norm", CI_GGUF_SAME},
                                           {"attn_output", LAYER "self_attn.o_proj", CI_GGUF_SAME},
                                           {"post_attention_norm", LAYER "post_attention_layernorm", CI_GGUF_SAME},
                                           {"ffn_gate", LAYER "mlp.gate_proj", CI_GGUF_SAME},
                                           {"ffn_up", LAYER "mlp.up_proj", CI_GGUF_SAME},
                                           {"ffn_down", LAYER "mlp.down_proj", CI_GGUF_SAME},
                                           {"post_ffw_norm", LAYER "post_feedforward_layernorm", CI_GGUF_SAME},
                                           {"token_embd", "model.embed_tokens", CI_GGUF_SAME},
                                           {"output_norm", "model.norm", CI_GGUF_SAME},
                                           {"output", "lm_head", CI_GGUF_SAME},
                                           {NULL, NULL, CI_GGUF_SAME}};

static const ci_gguf_name gemma_names[] = {{"attn_norm", LAYER "input_layernorm", CI_GGUF_PLUS_ONE},
                                           {"attn_q", LAYER "self_attn.q_proj", CI_GGUF_SAME},
                                           {"attn_k", LAYER "self_attn.k_proj", CI_GGUF_SAME},
                                           {"attn_v", LAYER "self_attn.v_proj", CI_GGUF_SAME},
                                           {"attn_output", LAYER "self_attn.o_proj", CI_GGUF_SAME},
                                           {"ffn_norm", LAYER "post_attention_layernorm", CI_GGUF_PLUS_ONE},
                                           {"ffn_gate", LAYER "mlp.gate_proj", CI_GGUF_SAME},
                                           {"ffn_up", LAYER "mlp.up_proj", CI_GGUF_SAME},
                                           {"ffn_down", LAYER "mlp.down_proj", CI_GGUF_SAME},
                                           {"token_embd", "model.embed_tokens", CI_GGUF_SAME},
                                           {"output_norm", "model.norm", CI_GGUF_PLUS_ONE},
                                           {"output", "lm_head", CI_GGUF_SAME},
                                           {NULL, NULL, CI_GGUF_SAME}};

/* Gemma 2 and 3: norms before and after each part of a block. */
static const ci_gguf_name gemma2_names[] = {{"attn_norm", LAYER "input_layernorm", CI_GGUF_PLUS_ONE},
                                            {"attn_q", LAYER "self_attn.q_proj", CI_GGUF_SAME},
                                            {"attn_k", LAYER "self_attn.k_proj", CI_GGUF_SAME},
                                            {"attn_v", LAYER "self_attn.v_proj", CI_GGUF_SAME},
                                            {"attn_q_norm", LAYER "self_attn.q_norm", CI_GGUF_PLUS_ONE},
                                            {"attn_k_norm", LAYER "self_attn.k_norm", CI_GGUF_PLUS_ONE},
                                            {"attn_output", LAYER "self_attn.o_proj", CI_GGUF_SAME},
                                            {"post_attention_norm", LAYER "post_attention_layernorm", CI_GGUF_PLUS_ONE},
                                            {"ffn_norm", LAYER "pre_feedforward_layernorm", CI_GGUF_PLUS_ONE},
                                            {"ffn_gate", LAYER "mlp.gate_proj", CI_GGUF_SAME},
                                            {"ffn_up", LAYER "mlp.up_proj", CI_GGUF_SAME},
                                            {"ffn_down", LAYER "mlp.down_proj", CI_GGUF_SAME},
                                            {"post_ffw_norm", LAYER "post_feedforward_layernorm", CI_GGUF_PLUS_ONE},
                                            {"token_embd", "model.embed_tokens", CI_GGUF_SAME},
                                            {"output_norm", "model.norm", CI_GGUF_PLUS_ONE},
                                            {"output", "lm_head", CI_GGUF_SAME},
                                            {NULL, NULL, CI_GGUF_SAME}};
#undef LAYER

#define LAYER "transformer.h.%d."
static const ci_gguf_name gpt2_names[] = {{"attn_norm", LAYER "ln_1", CI_GGUF_SAME},
                                          {"attn_qkv", LAYER "attn.c_attn", CI_GGUF_TRANSPOSED},
                                          {"attn_output", LAYER "attn.c_proj", CI_GGUF_TRANSPOSED},
                                          {"ffn_norm", LAYER "ln_2", CI_GGUF_SAME},
                                          {"ffn_up", LAYER "mlp.c_fc", CI_GGUF_TRANSPOSED},
                                          {"ffn_down", LAYER "mlp.c_proj", CI_GGUF_TRANSPOSED},
                                          {"token_embd", "transformer.wte", CI_GGUF_SAME},
                                          {"position_embd", "transformer.wpe", CI_GGUF_SAME},
                                          {"output_norm", "transformer.ln_f", CI_GGUF_SAME},
                                          {"output", "lm_head", CI_GGUF_SAME},
                                          {NULL, NULL, CI_GGUF_SAME}};
#undef LAYER

#define LAYER "gpt_neox.layers.%d."
static const ci_gguf_name gptneox_names[] = {{"attn_norm", LAYER "input_layernorm", CI_GGUF_SAME},
                                             {"attn_qkv", LAYER "attention.query_key_value", CI_GGUF_INTERLEAVED},
                                             {"attn_output", LAYER "attention.dense", CI_GGUF_SAME},
                                             {"ffn_norm", LAYER "post_attention_layernorm", CI_GGUF_SAME},
                                             {"ffn_up", LAYER "mlp.dense_h_to_4h", CI_GGUF_SAME},
                                             {"ffn_down", LAYER "mlp.dense_4h_to_h", CI_GGUF_SAME},
                                             {"token_embd", "gpt_neox.embed_in", CI_GGUF_SAME},
                                             {"output_norm", "gpt_neox.final_layer_norm", CI_GGUF_SAME},
                                             {"output", "embed_out", CI_GGUF_SAME},
                                             {NULL, NULL, CI_GGUF_SAME}};
#undef LAYER

static const ci_gguf_key llama_keys[] = {{"context_length", "max_position_embeddings"},
                                         {"embedding_length", "hidden_size"},
                                         {"block_count", "num_hidden_layers"},
                                         {"feed_forward_length", "intermediate_size"},
                                         {"attention.head_count", "num_attention_heads"},
                                         {"attention.head_count_kv", "num_key_value_heads"},
                                         {"attention.key_length", "head_dim"},
                                         {"attention.key_length", "query_pre_attn_scalar"},
                                         {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
                                         {"attention.layer_norm_epsilon", "norm_epsilon"},
                                         {"attention.sliding_window", "sliding_window"},
                                         {"rope.freq_base", "rope_theta"},
                                         {"rope.freq_base_swa", "rope_local_base_freq"},
                                         {"vocab_size", "vocab_size"},
                                         {"attn_logit_softcapping", "attn_logit_softcapping"},
                                         {"final_logit_softcapping", "final_logit_softcapping"},
                                         {"expert_count", "num_local_experts"},
                                         {"expert_count", "num_experts"},
                                         {"expert_used_count", "num_experts_per_tok"},
                                         {"expert_feed_forward_length", "moe_intermediate_size"},
                                         {"expert_shared_feed_forward_length", "shared_expert_intermediate_size"},
                                         {NULL, NULL}};

static const ci_gguf_key gpt2_keys[] = {
    {"context_length", "n_positions"},  {"embedding_length", "n_embd"},
    {"block_count", "n_layer"},         {"feed_forward_length", "n_inner"},
    {"attention.head_count", "n_head"}, {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {"vocab_size", "vocab_size"},       {NULL, NULL}};

static const ci_gguf_key gptneox_keys[] = {{"context_length", "max_position_embeddings"},
                                           {"embedding_length", "hidden_size"},
                                           {"block_count", "num_hidden_layers"},
                                           {"feed_forward_length", "intermediate_size"},
                                           {"attention.head_count", "num_attention_heads"},
                                           {"attention.layer_norm_epsilon", "layer_norm_eps"},
                                           {"use_parallel_residual", "use_parallel_residual"},
                                           {"rope.freq_base", "rotary_emb_base"},
                                           {"vocab_size", "vocab_size"},
                                           {NULL, NULL}};

/* What llama.cpp takes for absent, where transformers takes something else. */
#define THETA "{\"rope_theta\": 10000}"

/* Mistral's files are Llama's, most of them without the window; one with experts is Mixtral's. */
static const ci_gguf_architecture rows[] = {
    {"llama", "mixtral", "expert_count", llama_names, llama_keys, THETA, 0},
    {"llama", "mistral", "attention.sliding_window", llama_names, llama_keys, NULL, 0},
    {"llama", "llama", NULL, llama_names, llama_keys, NULL, 0},
    {"qwen2", "qwen2", NULL, plain_names, llama_keys, NULL, 0},
    {"qwen3", "qwen3", NULL, plain_names, llama_keys, NULL, 0},
    {"qwen2moe", "qwen2_moe", NULL, plain_names, llama_keys, NULL, 0},
    {"qwen3moe", "qwen3_moe", NULL, plain_names, llama_keys, "{\"norm_topk_prob\": true}", 0},
    {"gemma", "gemma", NULL, gemma_names, llama_keys, NULL, 0},
    {"gemma2", "gemma2", NULL, gemma2_names, llama_keys, NULL, 46},
    {"gemma3", "gemma3_text", NULL, gemma2_names, llama_keys, THETA, 62},
    {"phi3", "phi3", NULL, phi3_names, llama_keys, NULL, 0},
    {"starcoder2", "starcoder2", NULL, starcoder2_names, llama_keys, NULL, 0},
    {"olmo2", "olmo2", NULL, olmo2_names, llama_keys, NULL, 0},
    {"gpt2", "gpt2", NULL, gpt2_names, gpt2_keys, NULL, 0},
    {"gptneox", "gpt_neox", NULL, gptneox_names, gptneox_keys, NULL, 0},
};
enum { ROWS = sizeof rows / sizeof *rows };

const ci_gguf_value *ci_gguf_own(const ci_gguf *gguf, const ci_gguf_architecture *row, const char *key) {
  char full[128];
  snprintf(full, sizeof full, "%s.%s", row->gguf, key);
  return ci_gguf_find(gguf, full);
}

ci_status ci_gguf_own_count(const ci_gguf *gguf, const ci_gguf_architecture *row, const char *key, size_t *count,
                            ci_error *err) {
  const ci_gguf_value *value = ci_gguf_own(gguf, row, key);
  *count = 0;
  if (!value) return CI_OK;
  json_t *json = ci_gguf_json(value);
  const json_t *number = json_is_array(json) ? json_array_get(json, 0) : json;
  json_int_t whole = json_is_integer(number) ? json_integer_value(number) : 0;
  json_decref(json);
  if (whole < 1 || whole > INT32_MAX)
    return ci_fail(err, CI_EFILE, gguf->file, "key \"%s\": expected a whole number from 1 to %d", value->key,
                   INT32_MAX);
  *count = (size_t)whole;
  return CI_OK;
}

static bool fits(const ci_gguf *gguf, const ci_gguf_architecture *row) {
  size_t count;
  ci_error ignored;
  return !row->when || (!ci_gguf_own_count(gguf, row, row->when, &count, &ignored) && count);
}

ci_status ci_gguf_architecture_of(const ci_gguf *gguf, const ci_gguf_architecture **row, ci_error *err) {
  ci_gguf_text name;
  ci_status status = ci_gguf_string(gguf, "general.architecture", (ci_gguf_text){"", 0}, &name, err);
  if (status) return status;
  ci_text known = {0};
  for (size_t i = 0; i < ROWS; i++) {
    bool same = strlen(rows[i].gguf) == name.length && memcmp(rows[i].gguf, name.bytes, name.length) == 0;
    if (same && fits(gguf, &rows[i])) return ci_text_free(&known), *row = &rows[i], CI_OK;
    if (!i || strcmp(rows[i].gguf, rows[i - 1].gguf)) ci_text_add_format(&known, i ? ", %s" : "%s", rows[i].gguf);
  }
  status = ci_fail(err, CI_EMODEL, gguf->file,
                   "general.architecture \"%.*s\" is not supported in GGUF files, expected one of %s",
                   (int)(name.length < 40 ? name.length : 40), name.bytes, known.data ? known.data : "");
  ci_text_free(&known);
  return status;
}
