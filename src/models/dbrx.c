/* DBRX (Databricks 2024): layer norms without bias, query, key and value in one matrix and clipped, all experts'
 * matrices in one tensor, the last of them [inputs, outputs]; the chosen experts' softmax is divided by its p-norm.
 * Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/dropout.h"
#include "models/experts.h"
#include "models/rope.h"

static ci_attention_shape read_attention(ci_builder *b, size_t width) {
  ci_attention_shape a = {.output = "norm_attn_norm.attn.out_proj"};
  a.heads = ci_config_size(b, "n_heads", 16, 1);
  a.head_dim = width / a.heads;
  if (width % a.heads) ci_build_fail(b, "config.json", "d_model %zu is not a multiple of n_heads %zu", width, a.heads);
  double theta = 10000;
  a.kv_heads = 1;
  if (ci_config_enter(b, "attn_config")) {
    a.kv_heads = ci_config_size(b, "kv_n_heads", 1, 1);
    a.clip = ci_config_real(b, "clip_qkv", 0);
    theta = ci_config_real(b, "rope_theta", theta);
    ci_config_leave(b);
  }
  size_t keys = a.kv_heads * a.head_dim;
  if (a.heads % a.kv_heads)
    ci_build_fail(b, "config.json", "n_heads %zu is not a multiple of kv_n_heads %zu", a.heads, a.kv_heads);
  const char *matrix = "norm_attn_norm.attn.Wqkv";
  a.query = (ci_projection){matrix, {0, width, 0, 1}};
  a.key = (ci_projection){matrix, {width, keys, 0, 1}};
  a.value = (ci_projection){matrix, {width + keys, keys, 0, 1}};
  a.fused = width + 2 * keys;
  a.rope = ci_build_rope(b, theta, a.head_dim, NULL);
  return a;
}

static ci_experts_shape read_experts(ci_builder *b) {
  ci_experts_shape e = {.inner = 3584,
                        .router = "ffn.router.layer.weight",
                        .route = {.experts = 4, .slots = 1, .norm = 1, .scale = 1},
                        .gate.weight = "ffn.experts.mlp.w1",
                        .up.weight = "ffn.experts.mlp.v1",
                        .down = {.weight = "ffn.experts.mlp.w2", .by_input = true},
                        .activation = "silu"};
  if (!ci_config_enter(b, "ffn_config")) return e;
  const json_t *norm = ci_config_value(b, "moe_normalize_expert_weights"), *act = ci_config_value(b, "ffn_act_fn");
  e.inner = ci_config_size(b, "ffn_hidden_size", e.inner, 1);
  e.route.experts = ci_config_size(b, "moe_num_experts", e.route.experts, 1);
  e.route.slots = ci_config_size(b, "moe_top_k", e.route.slots, 1);
  e.route.norm = json_is_null(norm) ? 0 : ci_config_real(b, "moe_normalize_expert_weights", 1);
  if (!b->status && !json_is_null(norm) && !(e.route.norm > 0))
    ci_build_fail(b, "config.json", "\"moe_normalize_expert_weights\": %g is not supported (only norms above 0)",
                  e.route.norm);
  if (act && json_is_object(act)) {
    e.activation = json_string_value(json_object_get(act, "name"));
    if (!e.activation || json_object_size(act) != 1)
      ci_build_fail(b, "config.json", "\"ffn_act_fn\": only an activation's name is supported");
  }
  ci_config_leave(b);
  return e;
}

static void build(ci_builder *b) {
  ci_config_only(b, "tie_word_embeddings", json_false());
  ci_decoder d = {.weights = "transformer.",
                  .layer_weights = "transformer.blocks.%d.",
                  .embedding = "wte",
                  .norm = "norm_f",
                  .head = "lm_head"};
  d.block.width = ci_config_size(b, "d_model", 2048, 1);
  d.vocabulary = ci_config_size(b, "vocab_size", 32000, 1);
  d.layers = (int)ci_config_int(b, "n_layers", 24, 1, CI_MOST_LAYERS);
  d.positions = ci_config_size(b, "max_seq_len", 2048, 1);
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = 1e-5, .unbiased = true};
  d.block.attention_norms.before = "norm_attn_norm.norm_1";
  d.block.mlp_norms.before = "norm_attn_norm.norm_2";
  d.block.attention = read_attention(b, d.block.width);
  ci_experts_shape experts = read_experts(b);
  d.block.mlp.build = ci_add_experts;
  d.block.mlp.own = &experts;
  ci_build_decoder(b, &d);
}

static const ci_dropout_keys dropout = {.embedding = {"emb_pdrop", 0},
                                        .attention = {"attn_config.attn_pdrop", 0},
                                        .attended = {"resid_pdrop", 0},
                                        .fed = {"resid_pdrop", 0},
                                        .others = {{"ffn_config.moe_jitter_eps", 0}}};

extern const ci_architecture ci_architecture_dbrx;
const ci_architecture ci_architecture_dbrx = {
    .id = "dbrx", .class_name = "DbrxForCausalLM", .help = "DBRX", .prefix = "transformer.", .dropout = &dropout, .build = build};
