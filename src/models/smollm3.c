/* SmolLM3 (2025): Llama with every fourth layer (or those of no_rope_layers that are 0) without positions; a window in these, if
 * use_sliding_window.
 * Attribution input: the token embedding. */
#include "models/decoder.h"

static bool is_rotary(ci_builder *b, int index, int layers) {
  const json_t *list = json_object_get(b->model->config, "no_rope_layers");
  if (!list || json_is_null(list)) return (index + 1) % (int)ci_config_int(b, "no_rope_layer_interval", 4, 1, INT32_MAX) != 0;
  if (!json_is_array(list) || json_array_size(list) != (size_t)layers)
    ci_build_fail(b, "config.json", "\"no_rope_layers\": expected a list of %d numbers", layers);
  return json_integer_value(json_array_get(list, (size_t)index)) != 0;
}

static void choose_positions(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  bool rotary = is_rotary(b, index, decoder->layers), on = ci_config_bool(b, "use_sliding_window", false);
  size_t window = on ? ci_config_size(b, "sliding_window", 0, 1) : 0;
  if (!rotary) block->attention.rope = NULL;
  if (ci_layer_slides(b, index, decoder->layers, window && !rotary)) block->attention.window = window;
}

static void build(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.block.mlp.biased = ci_config_bool(b, "mlp_bias", false);
  d.layer = choose_positions;
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_smollm3;
const ci_architecture ci_architecture_smollm3 = {
    .id = "smollm3",
    .class_name = "SmolLM3ForCausalLM",
    .help = "SmolLM3",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 128000, \"eos_token_id\": 128001, \"pad_token_id\": 128004, \"num_key_value_heads\": 4, "
                "\"rope_theta\": 2000000.0, \"max_position_embeddings\": 32768}",
    .ignored = ignored,
    .build = build};
