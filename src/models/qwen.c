/* Qwen 2 (Yang et al. 2024): Llama with biases of query, key and value, and a window in the upper layers if use_sliding_window.
 * Qwen 3 (2025): no biases, but RMS norms of each head's queries and keys.
 * Attribution input: the token embedding. */
#include "models/decoder.h"

static void choose_window(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  bool on = ci_config_bool(b, "use_sliding_window", false), upper = index >= (int)ci_config_int(b, "max_window_layers", 28, 0, INT32_MAX);
  size_t window = on ? ci_config_size(b, "sliding_window", 0, 1) : 0;
  if (ci_layer_slides(b, index, decoder->layers, window && upper)) block->attention.window = window;
}

static void build_qwen2(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.attention.biased = true;
  d.block.attention.output_biased = false;
  d.layer = choose_window;
  ci_build_decoder(b, &d);
}

static void build_qwen3(ci_builder *b) {
  ci_decoder d = ci_decoder_like_llama(b);
  d.block.attention.norm = CI_NORM_HEADS;
  d.block.attention.norm_style = d.block.norm;
  d.layer = choose_window;
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"rotary_emb.inv_freq", "lm_head.weight", NULL};

extern const ci_architecture ci_architecture_qwen2, ci_architecture_qwen3;
const ci_architecture ci_architecture_qwen2 = {
    .id = "qwen2",
    .class_name = "Qwen2ForCausalLM",
    .help = "Qwen 1.5, 2, 2.5 and models of their shape (DeepSeek-R1-Distill-Qwen)",
    .prefix = "model.",
    .defaults = "{\"num_key_value_heads\": 32, \"sliding_window\": 4096, \"max_position_embeddings\": 32768}",
    .ignored = ignored,
    .build = build_qwen2};
const ci_architecture ci_architecture_qwen3 = {
    .id = "qwen3",
    .class_name = "Qwen3ForCausalLM",
    .help = "Qwen 3",
    .prefix = "model.",
    .defaults = "{\"num_key_value_heads\": 32, \"head_dim\": 128, \"sliding_window\": 4096, \"max_position_embeddings\": 32768}",
    .ignored = ignored,
    .build = build_qwen3};
