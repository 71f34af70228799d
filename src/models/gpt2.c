/* GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks, Conv1D weights [inputs, outputs] with query, key and value
 * in one matrix, head tied to the embedding.
 *   x = wte + wpe;  x += attn(ln_1(x));  x += mlp(ln_2(x));  logits = ln_f(x) wte^T
 * Attribution input: wte, before positions. */
#include "models/builder.h"
#include <math.h>

typedef struct {
  size_t width, heads, inner;
  double epsilon;
  bool scaled, scaled_by_layer;
  const char *activation;
} sketch;

static int attention(ci_builder *b, const sketch *s, int x, int layer) {
  size_t d = s->width;
  static const char *const names[] = {"self_attn.query", "self_attn.key", "self_attn.value"};
  int qkv[3];
  for (size_t i = 0; i < 3; i++)
    qkv[i] = ci_add_linear(b, names[i], x, ci_weight_conv1d(b, "attn.c_attn.weight", d, 3 * d, i * d, d),
                           ci_vector_part(b, "attn.c_attn.bias", 3 * d, i * d, d));
  double scale = s->scaled ? 1 / sqrt((double)d / (double)s->heads) : 1;
  if (s->scaled_by_layer) scale /= layer + 1;
  int a = ci_add_attention(b, "self_attn", qkv[0], qkv[1], qkv[2], s->heads, s->heads, d / s->heads, scale, true);
  return ci_add_linear(b, "self_attn.output", a, ci_weight_conv1d(b, "attn.c_proj.weight", d, d, 0, d),
                       ci_vector(b, "attn.c_proj.bias", d));
}

static int block(ci_builder *b, const sketch *s, int x, int layer) {
  size_t d = s->width;
  ci_build_section(b, CI_DECODER, "decoder.%d.", layer);
  ci_build_weights(b, "transformer.h.%d.", layer);
  int n = ci_add_layer_norm(b, "ln_1", x, ci_vector(b, "ln_1.weight", d), ci_vector(b, "ln_1.bias", d), s->epsilon);
  x = ci_add_sum(b, "self_attn.residual", x, attention(b, s, n, layer));
  n = ci_add_layer_norm(b, "ln_2", x, ci_vector(b, "ln_2.weight", d), ci_vector(b, "ln_2.bias", d), s->epsilon);
  n = ci_add_linear(b, "mlp.up", n, ci_weight_conv1d(b, "mlp.c_fc.weight", d, s->inner, 0, s->inner),
                    ci_vector(b, "mlp.c_fc.bias", s->inner));
  n = ci_add_activation(b, "mlp.activation", n, s->activation);
  n = ci_add_linear(b, "mlp.down", n, ci_weight_conv1d(b, "mlp.c_proj.weight", s->inner, d, 0, d),
                    ci_vector(b, "mlp.c_proj.bias", d));
  return ci_add_sum(b, "output", x, n);
}

static void build(ci_builder *b) {
  ci_config_only(b, "add_cross_attention", json_false());
  size_t d = (size_t)ci_config_int(b, "n_embd", 768, 1, 1 << 20);
  size_t vocabulary = (size_t)ci_config_int(b, "vocab_size", 50257, 1, 1 << 28);
  size_t positions = (size_t)ci_config_int(b, "n_positions", 1024, 1, 1 << 28);
  int layers = (int)ci_config_int(b, "n_layer", 12, 1, CI_MOST_LAYERS);
  sketch s = {.width = d,
              .heads = (size_t)ci_config_int(b, "n_head", 12, 1, (int64_t)d),
              .inner = (size_t)ci_config_int(b, "n_inner", 4 * (int64_t)d, 1, 1 << 24),
              .epsilon = ci_config_real(b, "layer_norm_epsilon", 1e-5),
              .scaled = ci_config_bool(b, "scale_attn_weights", true),
              .scaled_by_layer = ci_config_bool(b, "scale_attn_by_inverse_layer_idx", false),
              .activation = ci_config_text(b, "activation_function", "gelu_new")};
  if (d % s.heads) ci_build_fail(b, "config.json", "n_embd %zu is not a multiple of n_head %zu", d, s.heads);
  b->model->graph.layers[CI_DECODER] = layers;
  ci_build_section(b, CI_DECODER, "decoder.embedding.", 0);
  ci_build_weights(b, "transformer.", 0);
  ci_weight embedding = ci_weight_linear(b, "wte.weight", vocabulary, d);
  int ids = ci_add_embedding(b, "tokens", embedding);
  ci_build_input(b, ids, ids);
  int x = ci_add_position(b, "positions", ids, ci_weight_linear(b, "wpe.weight", positions, d), 0);
  for (int i = 0; i < layers && !b->status; i++) x = block(b, &s, x, i);
  ci_build_section(b, CI_OUTPUT, "output.", 0);
  ci_build_weights(b, "transformer.", 0);
  x = ci_add_select(b, "rows", x);
  x = ci_add_layer_norm(b, "norm", x, ci_vector(b, "ln_f.weight", d), ci_vector(b, "ln_f.bias", d), s.epsilon);
  ci_build_weights(b, "", 0);
  bool tied = ci_config_bool(b, "tie_word_embeddings", true);
  b->model->graph.logits = ci_add_linear(b, "logits", x, tied ? embedding : ci_weight_linear(b, "lm_head.weight", vocabulary, d), NULL);
}

static const char *const ignored[] = {".attn.bias", ".attn.masked_bias", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_gpt2;
const ci_architecture ci_architecture_gpt2 = {.id = "gpt2",
                                              .class_name = "GPT2LMHeadModel",
                                              .help = "GPT-2 and models of its shape (DialoGPT, distilgpt2)",
                                              .prefix = "transformer.",
                                              .defaults = "{\"bos_token_id\": 50256, \"eos_token_id\": 50256}",
                                              .ignored = ignored,
                                              .build = build};
