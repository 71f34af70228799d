/* OLMoE (Muennighoff et al. 2024): queries and keys are normalised as whole rows, experts are weighed by their softmax
 * over all experts unless the configuration divides it. Attribution input: the token embedding. */
#include "models/decoder.h"
#include "models/experts.h"

static void build_decoder(ci_builder *b, ci_decoder d) {
  ci_experts_shape experts = {.inner = d.block.mlp.inner,
                              .router = "mlp.gate.weight",
                              .gate.weight = "mlp.experts.%d.gate_proj.weight",
                              .up.weight = "mlp.experts.%d.up_proj.weight",
                              .down.weight = "mlp.experts.%d.down_proj.weight",
                              .activation = d.block.mlp.activation};
  experts.route = ci_experts_route(b, "num_experts", "num_experts_per_tok", ci_config_bool(b, "norm_topk_prob", false));
  d.block.attention.norm = CI_NORM_ROW;
  d.block.attention.norm_style = d.block.norm;
  d.block.mlp.build = ci_add_experts;
  d.block.mlp.own = &experts;
  ci_build_decoder(b, &d);
}

static void build(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.attention.clip = ci_config_real(b, "clip_qkv", 0);
  build_decoder(b, d);
}

static void build_flex(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.attention_norms = (ci_branch_norms){.after = "post_attention_layernorm"};
  d.block.mlp_norms = (ci_branch_norms){.after = "post_feedforward_layernorm"};
  build_decoder(b, d);
}

extern const ci_architecture ci_architecture_olmoe;
const ci_architecture ci_architecture_olmoe = {
    .id = "olmoe",
    .class_name = "OlmoeForCausalLM",
    .help = "OLMoE",
    .prefix = "model.",
    .defaults =
        "{\"pad_token_id\": 1, \"eos_token_id\": 50279, \"rms_norm_eps\": 1e-5, \"max_position_embeddings\": 4096,"
        " \"num_experts\": 64, \"num_experts_per_tok\": 8}",
    .build = build};

extern const ci_architecture ci_architecture_flex_olmo;
const ci_architecture ci_architecture_flex_olmo = {.id = "flex_olmo",
                                                   .class_name = "FlexOlmoForCausalLM",
                                                   .help = "FlexOlmo",
                                                   .prefix = "model.",
                                                   .defaults =
                                                       "{\"pad_token_id\": 100277, \"eos_token_id\": 100257, "
                                                       "\"max_position_embeddings\": 4096, \"rope_theta\": 500000,"
                                                       " \"num_experts\": 7, \"num_experts_per_tok\": 5}",
                                                   .build = build_flex};
