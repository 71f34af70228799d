/* gpt-oss (OpenAI 2025): biases everywhere, a sink among each head's keys, windows in every other layer, experts whose
 * gated unit is clamped, a softmax over the chosen logits. Experts' matrices are [inputs, outputs], gate and up in
 * neighbouring columns. Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/experts.h"
#include <string.h>

static void choose_layer(ci_builder *b, const ci_decoder *d, int index, ci_block *block) {
  const char *type = ci_config_text_at(b, "layer_types", (size_t)index, (size_t)d->layers);
  if (!type) type = index % 2 ? "full_attention" : "sliding_attention";
  if (strcmp(type, "sliding_attention") == 0)
    block->attention.window = ci_config_size(b, "sliding_window", 0, 1);
  else if (strcmp(type, "full_attention") != 0)
    ci_build_fail(b, "config.json", "\"layer_types\": unknown type \"%s\" of attention", type);
  block->attention.sinks = ci_vector(b, "self_attn.sinks", block->attention.heads);
}

static void build(ci_builder *b) {
  ci_config_only(b, "hidden_act", json_string("silu"));
  ci_decoder d = ci_decoder_like_llama(b);
  ci_experts_shape experts = {
      .inner = d.block.mlp.inner,
      .router = "mlp.router.weight",
      .router_bias = "mlp.router.bias",
      .plain_router = true,
      .route = ci_experts_route(b, "num_local_experts", "num_experts_per_tok", true),
      .up = {.weight = "mlp.experts.gate_up_proj", .bias = "mlp.experts.gate_up_proj_bias", .by_input = true},
      .down = {.weight = "mlp.experts.down_proj", .bias = "mlp.experts.down_proj_bias", .by_input = true},
      .limit = 7,
      .slope = 1.702};
  d.block.attention.biased = d.block.attention.output_biased = true;
  d.block.mlp.build = ci_add_experts;
  d.block.mlp.own = &experts;
  d.layer = choose_layer;
  ci_build_decoder(b, &d);
}

static const char *const float32[] = {"post_attention_layernorm", "input_layernorm", "norm", NULL};

extern const ci_architecture ci_architecture_gpt_oss;
const ci_architecture ci_architecture_gpt_oss = {
    .id = "gpt_oss",
    .class_name = "GptOssForCausalLM",
    .help = "gpt-oss with weights that are not MXFP4",
    .prefix = "model.",
    .defaults =
        "{\"num_key_value_heads\": 8, \"head_dim\": 64, \"sliding_window\": 128, \"rope_theta\": 150000, "
        "\"rms_norm_eps\": 1e-5,"
        " \"max_position_embeddings\": 131072, \"num_local_experts\": 128, \"num_experts_per_tok\": 4,"
        " \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 32.0, \"beta_fast\": 32.0, \"beta_slow\": 1.0,"
        " \"truncate\": false, \"original_max_position_embeddings\": 4096}}",
    .float32 = float32,
    .build = build};
