/* Arcee (AFM, 2025): Llama with the feed-forward down(relu(up(x))^2), without a gate.
 * Attribution input: the token embedding. */
#include "models/decoder.h"

static void build(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.mlp.gate = NULL;
  d.block.mlp.biased = ci_config_bool(b, "mlp_bias", false);
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_arcee;
const ci_architecture ci_architecture_arcee = {
    .id = "arcee",
    .class_name = "ArceeForCausalLM",
    .help = "Arcee (AFM-4.5B)",
    .prefix = "model.",
    .defaults = "{\"hidden_act\": \"relu2\", \"rms_norm_eps\": 1e-5, \"max_position_embeddings\": 4096, \"bos_token_id\": 128000, "
                "\"eos_token_id\": 128001}",
    .ignored = ignored,
    .build = build};
