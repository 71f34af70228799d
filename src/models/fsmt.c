/* FSMT (Ng et al. 2019): Facebook's WMT'19 translation models. Post-norm, fairseq's sinusoidal positions, a vocabulary
 * for each side; the head is the decoder's embedding. */
#include "models/dropout.h"
#include "models/fairseq.h"

static void build(ci_builder *b) {
  static const char *const decoder[] = {"model.decoder.embed_tokens.weight", "model.decoder.output_projection.weight"},
                           *const head[] = {"model.decoder.output_projection.weight",
                                            "model.decoder.embed_tokens.weight"};
  ci_config_only(b, "tie_word_embeddings", json_false());
  ci_pair pair = ci_fairseq_read(b, &(ci_fairseq_shape){0}, "d_model");
  size_t d = pair.sides[CI_DECODER].block.width, source = (size_t)ci_config_needed(b, "src_vocab_size", 1, 1 << 28),
         target = (size_t)ci_config_needed(b, "tgt_vocab_size", 1, 1 << 28);
  ci_build_weights(b, "", 0);
  pair.sides[CI_ENCODER].embedding = ci_weight_linear(b, "model.encoder.embed_tokens.weight", source, d);
  pair.head = ci_weight_tied(b, head, 2, target, d);
  pair.sides[CI_DECODER].embedding = ci_weight_tied(b, decoder, 2, target, d);
  ci_fairseq_sines(b, &pair, (size_t)ci_config_int(b, "pad_token_id", 1, 0, 1 << 28) + 1);
  ci_build_pair(b, &pair);
}

static const char *const ignored[] = {"embed_positions.weight", NULL};

extern const ci_architecture ci_architecture_fsmt;
const ci_architecture ci_architecture_fsmt = {
    .id = "fsmt",
    .class_name = "FSMTForConditionalGeneration",
    .help = "FSMT: Facebook's WMT'19 translation models, and others of fairseq's transformer",
    .prefix = "model.",
    .defaults = "{\"activation_function\": \"relu\", \"scale_embedding\": true, \"decoder_start_token_id\": 2, "
                "\"bos_token_id\": 0,"
                " \"pad_token_id\": 1, \"eos_token_id\": 2, \"tie_word_embeddings\": false}",
    .ignored = ignored,
    .dropout = &ci_dropout_of_fairseq,
    .build = build};
