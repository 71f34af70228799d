/* GLM-4.5 (glm4_moe, 2025) and dots.llm1 (dots1, 2025): DeepSeek-V3's experts, with attention over whole heads.
 *   glm4_moe: half of each head is turned, heads of queries and keys normalised if the configuration says so
 *   dots1: heads of queries and keys normalised, windows in some layers
 * Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/experts.h"
#include <string.h>

static void build_glm(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  ci_mlp_shape shared;
  ci_experts_shape experts = ci_experts_like_deepseek(b, &d, &shared);
  if (ci_config_bool(b, "use_qk_norm", false)) d.block.attention.norm = CI_NORM_HEADS;
  d.block.attention.norm_style = d.block.norm;
  d.block.attention.output_biased = false;
  d.block.mlp.build = ci_add_experts;
  d.block.mlp.own = &experts;
  d.layer = ci_experts_after_first;
  ci_build_decoder(b, &d);
}

static void choose_layer(ci_builder *b, const ci_decoder *d, int index, ci_block *block) {
  const char *type = ci_config_text_at(b, "layer_types", (size_t)index, (size_t)d->layers);
  bool slides = index >= ci_config_int(b, "max_window_layers", 62, 0, CI_MOST_LAYERS);
  if (type) slides = strcmp(type, "sliding_attention") == 0;
  if (type && !slides && strcmp(type, "full_attention") != 0)
    ci_build_fail(b, "config.json", "\"layer_types\": unknown type \"%s\" of attention", type);
  if (slides) block->attention.window = ci_config_size(b, "sliding_window", 0, 1);
  ci_experts_after_first(b, d, index, block);
}

static void build_dots(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  ci_mlp_shape shared;
  ci_experts_shape experts = ci_experts_like_deepseek(b, &d, &shared);
  d.block.attention.norm = CI_NORM_HEADS;
  d.block.attention.norm_style = d.block.norm;
  d.block.mlp.build = ci_add_experts;
  d.block.mlp.own = &experts;
  d.layer = choose_layer;
  ci_build_decoder(b, &d);
}

extern const ci_architecture ci_architecture_glm4_moe;
const ci_architecture ci_architecture_glm4_moe = {
    .id = "glm4_moe",
    .class_name = "Glm4MoeForCausalLM",
    .help = "GLM-4.5, GLM-4.6",
    .prefix = "model.",
    .defaults =
        "{\"num_key_value_heads\": 8, \"partial_rotary_factor\": 0.5, \"rms_norm_eps\": 1e-5, \"norm_topk_prob\": true,"
        " \"max_position_embeddings\": 131072, \"moe_intermediate_size\": 1408, \"num_experts_per_tok\": 8,"
        " \"n_shared_experts\": 1, \"n_routed_experts\": 128, \"first_k_dense_replace\": 1}",
    .build = build_glm};

extern const ci_architecture ci_architecture_dots1;
const ci_architecture ci_architecture_dots1 = {.id = "dots1",
                                               .class_name = "Dots1ForCausalLM",
                                               .help = "dots.llm1",
                                               .prefix = "model.",
                                               .defaults =
                                                   "{\"moe_intermediate_size\": 1408, \"sliding_window\": 4096}",
                                               .build = build_dots};
