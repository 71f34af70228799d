/* Llama (Touvron et al. 2023): rotary positions, RMSNorm, grouped key/value heads, gated feed-forward, biases if the
 * configuration has them, head tied or not.
 *   x += attn(input_layernorm(x));  x += down(act(gate(n)) * up(n)), n = post_attention_layernorm(x)
 * Attribution input: the token embedding. */
#include "models/decoder.h"

static void build(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.mlp.biased = ci_config_bool(b, "mlp_bias", false);
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_llama;
const ci_architecture ci_architecture_llama = {.id = "llama",
                                               .class_name = "LlamaForCausalLM",
                                               .help = "Llama 1, 2, 3 and models of its shape (SmolLM, TinyLlama, Vicuna)",
                                               .prefix = "model.",
                                               .defaults = "{\"bos_token_id\": 1, \"eos_token_id\": 2}",
                                               .ignored = ignored,
                                               .build = build};
