/* Llama (Touvron et al. 2023): rotary positions, RMSNorm, grouped key/value heads, gated feed-forward, biases if the
 * configuration has them, head tied or not.
 *   x += attn(input_layernorm(x));  x += down(act(gate(n)) * up(n)), n = post_attention_layernorm(x)
 * Attribution input: the token embedding. */
#include "models/builder.h"
#include <math.h>

typedef struct {
  size_t width, heads, kv_heads, head_dim, inner;
  double epsilon;
  bool attention_bias, mlp_bias;
  const char *activation;
  const float *frequencies;
} sketch;

static int linear(ci_builder *b, const char *name, const char *weight, int x, size_t outputs, size_t inputs, bool biased) {
  char key[96];
  snprintf(key, sizeof key, "%s.weight", weight);
  ci_weight w = ci_weight_linear(b, key, outputs, inputs);
  snprintf(key, sizeof key, "%s.bias", weight);
  return ci_add_linear(b, name, x, w, biased ? ci_vector(b, key, outputs) : NULL);
}

static int attention(ci_builder *b, const sketch *s, int x) {
  size_t queries = s->heads * s->head_dim, keys = s->kv_heads * s->head_dim;
  int q = linear(b, "self_attn.query_projection", "self_attn.q_proj", x, queries, s->width, s->attention_bias);
  int k = linear(b, "self_attn.key_projection", "self_attn.k_proj", x, keys, s->width, s->attention_bias);
  int v = linear(b, "self_attn.value", "self_attn.v_proj", x, keys, s->width, s->attention_bias);
  q = ci_add_rope(b, "self_attn.query", q, s->heads, s->head_dim, s->frequencies, s->head_dim);
  k = ci_add_rope(b, "self_attn.key", k, s->kv_heads, s->head_dim, s->frequencies, s->head_dim);
  int a = ci_add_attention(b, "self_attn", q, k, v, s->heads, s->kv_heads, s->head_dim, 1 / sqrt((double)s->head_dim), true);
  return linear(b, "self_attn.output", "self_attn.o_proj", a, s->width, queries, s->attention_bias);
}

static int block(ci_builder *b, const sketch *s, int x, int layer) {
  ci_build_section(b, CI_DECODER, "decoder.%d.", layer);
  ci_build_weights(b, "model.layers.%d.", layer);
  int n = ci_add_rms_norm(b, "input_layernorm", x, ci_vector(b, "input_layernorm.weight", s->width), s->epsilon);
  x = ci_add_sum(b, "self_attn.residual", x, attention(b, s, n));
  n = ci_add_rms_norm(b, "post_attention_layernorm", x, ci_vector(b, "post_attention_layernorm.weight", s->width), s->epsilon);
  int gate = linear(b, "mlp.gate", "mlp.gate_proj", n, s->inner, s->width, s->mlp_bias);
  int up = linear(b, "mlp.up", "mlp.up_proj", n, s->inner, s->width, s->mlp_bias);
  gate = ci_add_activation(b, "mlp.activation", gate, s->activation);
  n = ci_add_multiply(b, "mlp.gated", gate, up);
  n = linear(b, "mlp.down", "mlp.down_proj", n, s->width, s->inner, s->mlp_bias);
  return ci_add_sum(b, "output", x, n);
}

/* theta^(-2i/d), in float32 as transformers computes it */
static const float *rope_frequencies(ci_builder *b, size_t head_dim) {
  float theta = (float)ci_config_real(b, "rope_theta", 10000), *f = ci_build_alloc(b, head_dim / 2, sizeof *f);
  for (size_t i = 0; f && i < head_dim / 2; i++) f[i] = 1 / powf(theta, (float)(2 * i) / (float)head_dim);
  return f;
}

static sketch read_sketch(ci_builder *b) {
  sketch s = {.width = (size_t)ci_config_needed(b, "hidden_size", 1, 1 << 20),
              .inner = (size_t)ci_config_needed(b, "intermediate_size", 1, 1 << 24),
              .epsilon = ci_config_real(b, "rms_norm_eps", 1e-6),
              .attention_bias = ci_config_bool(b, "attention_bias", false),
              .mlp_bias = ci_config_bool(b, "mlp_bias", false),
              .activation = ci_config_text(b, "hidden_act", "silu")};
  s.heads = (size_t)ci_config_needed(b, "num_attention_heads", 1, (int64_t)s.width);
  s.kv_heads = (size_t)ci_config_int(b, "num_key_value_heads", (int64_t)s.heads, 1, (int64_t)s.heads);
  s.head_dim = (size_t)ci_config_int(b, "head_dim", (int64_t)(s.width / s.heads), 1, 1 << 16);
  if (s.heads % s.kv_heads)
    ci_build_fail(b, "config.json", "num_attention_heads %zu is not a multiple of num_key_value_heads %zu", s.heads, s.kv_heads);
  if (s.head_dim % 2) ci_build_fail(b, "config.json", "head_dim %zu is odd: rotary positions need pairs", s.head_dim);
  s.frequencies = rope_frequencies(b, s.head_dim);
  return s;
}

static void build(ci_builder *b) {
  ci_config_only(b, "rope_scaling", json_null());
  sketch s = read_sketch(b);
  size_t vocabulary = (size_t)ci_config_needed(b, "vocab_size", 1, 1 << 28);
  int layers = (int)ci_config_needed(b, "num_hidden_layers", 1, CI_MOST_LAYERS);
  b->model->graph.layers[CI_DECODER] = layers;
  b->model->graph.positions[CI_DECODER] = (size_t)ci_config_int(b, "max_position_embeddings", 2048, 1, INT32_MAX);
  ci_build_section(b, CI_DECODER, "decoder.embedding.", 0);
  ci_build_weights(b, "model.", 0);
  ci_weight embedding = ci_weight_linear(b, "embed_tokens.weight", vocabulary, s.width);
  int x = ci_add_embedding(b, "tokens", embedding);
  ci_build_input(b, x, x);
  for (int i = 0; i < layers && !b->status; i++) x = block(b, &s, x, i);
  ci_build_section(b, CI_OUTPUT, "output.", 0);
  ci_build_weights(b, "model.", 0);
  x = ci_add_select(b, "rows", x);
  x = ci_add_rms_norm(b, "norm", x, ci_vector(b, "norm.weight", s.width), s.epsilon);
  ci_build_weights(b, "", 0);
  bool tied = ci_config_bool(b, "tie_word_embeddings", false);
  ci_weight head = tied ? embedding : ci_weight_linear(b, "lm_head.weight", vocabulary, s.width);
  b->model->graph.logits = ci_add_linear(b, "logits", x, head, NULL);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_llama;
const ci_architecture ci_architecture_llama = {.id = "llama",
                                               .class_name = "LlamaForCausalLM",
                                               .help = "Llama 1, 2, 3 and models of its shape (SmolLM, TinyLlama, Vicuna), without rope scaling",
                                               .prefix = "model.",
                                               .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2}",
                                               .ignored = ignored,
                                               .build = build};
