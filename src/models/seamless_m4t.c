/* SeamlessM4T (Communication et al. 2023), text to text: the text encoder and decoder, pre-norm, with fairseq's
 * sinusoidal positions. Versions 1 and 2 are alike here. The weights of the speech parts, which the same files hold,
 * are not read. */
#include "models/dropout.h"
#include "models/fairseq.h"

static void build(ci_builder *b) {
  static const char *const shared[] = {"shared.weight", "text_encoder.embed_tokens.weight",
                                       "text_decoder.embed_tokens.weight"};
  static const char *const weights[] = {"text_encoder.", "text_decoder."}, *const layers[] = {
                                                                               "text_encoder.layers.%d.",
                                                                               "text_decoder.layers.%d."};
  ci_pair pair = ci_fairseq_read(b, &(ci_fairseq_shape){.norm_first = true, .final_norm = true}, "hidden_size");
  ci_fairseq_rename(&pair, "ffn_layer_norm");
  for (int s = 0; s < CI_SIDES; s++) {
    pair.sides[s].weights = weights[s];
    pair.sides[s].layer_weights = layers[s];
  }
  ci_fairseq_embed(b, &pair, shared);
  ci_fairseq_sines(b, &pair, (size_t)ci_config_int(b, "pad_token_id", 0, 0, 1 << 28) + 1);
  ci_build_pair(b, &pair);
}

static const char *const ignored[] = {"embed_tokens.weight", "lm_head.weight", "speech_encoder.*",
                                      "t2u_model.*",         "vocoder.*",      NULL};

static const ci_dropout_keys dropout = {.embedding = {"dropout", 0.1},
                                        .attention = {"attention_dropout", 0.1},
                                        .attended = {"dropout", 0.1},
                                        .activation = {"activation_dropout", 0},
                                        .fed = {"activation_dropout", 0},
                                        .layer = {{"encoder_layerdrop", 0.05}, {"decoder_layerdrop", 0.05}}};

extern const ci_architecture ci_architecture_seamless_m4t, ci_architecture_seamless_m4t_v2;
const ci_architecture ci_architecture_seamless_m4t = {
    .id = "seamless_m4t",
    .class_name = "SeamlessM4TForTextToText",
    .help = "SeamlessM4T, text to text: translation between a hundred languages",
    .prefix = "model.",
    .defaults = "{\"activation_function\": \"relu\", \"scale_embedding\": true, \"max_position_embeddings\": 1024,"
                " \"decoder_start_token_id\": 3, \"bos_token_id\": 2, \"pad_token_id\": 0, \"eos_token_id\": 3}",
    .ignored = ignored,
    .dropout = &dropout,
    .build = build};
const ci_architecture ci_architecture_seamless_m4t_v2 = {
    .id = "seamless_m4t_v2",
    .class_name = "SeamlessM4Tv2ForTextToText",
    .help = "SeamlessM4T v2, text to text",
    .prefix = "model.",
    .defaults = "{\"activation_function\": \"relu\", \"scale_embedding\": true, \"max_position_embeddings\": 4096,"
                " \"decoder_start_token_id\": 3, \"bos_token_id\": 2, \"pad_token_id\": 0, \"eos_token_id\": 3}",
    .ignored = ignored,
    .dropout = &dropout,
    .build = build};
