/* MarianMT (Junczys-Dowmunt et al. 2018): post-norm, sinusoidal positions, one vocabulary for both sides and the head,
 * or one for each side. */
#include "models/dropout.h"
#include "models/fairseq.h"

static void embed_apart(ci_builder *b, ci_pair *pair) {
  size_t d = pair->sides[CI_DECODER].block.width, source = (size_t)ci_config_needed(b, "vocab_size", 1, 1 << 28),
         target = (size_t)ci_config_int(b, "decoder_vocab_size", (int64_t)source, 1, 1 << 28);
  ci_build_weights(b, "", 0);
  pair->sides[CI_ENCODER].embedding = ci_weight_linear(b, "model.encoder.embed_tokens.weight", source, d);
  ci_weight decoder = ci_weight_linear(b, "model.decoder.embed_tokens.weight", target, d);
  pair->sides[CI_DECODER].embedding = decoder;
  bool tied = ci_config_bool(b, "tie_word_embeddings", true);
  pair->head = tied ? decoder : ci_weight_head(b, "lm_head.weight", target, d);
  pair->head_bias = ci_vector_if_there(b, "final_logits_bias", target);
}

static void build(ci_builder *b) {
  ci_pair pair = ci_fairseq_read(b, &(ci_fairseq_shape){0}, "d_model");
  if (ci_config_bool(b, "share_encoder_decoder_embeddings", true))
    ci_fairseq_embed(b, &pair, ci_fairseq_shared); /* before the table: its shape vouches for d_model */
  else
    embed_apart(b, &pair);
  ci_marian_sines(b, &pair);
  ci_build_pair(b, &pair);
}

extern const ci_architecture ci_architecture_marian;
const ci_architecture ci_architecture_marian = {
    .id = "marian",
    .class_name = "MarianMTModel",
    .help = "MarianMT: the OPUS-MT translation models",
    .prefix = "model.",
    .defaults =
        "{\"decoder_start_token_id\": 58100, \"pad_token_id\": 58100, \"eos_token_id\": 0, \"forced_eos_token_id\": 0}",
    .ignored = ci_fairseq_ignored,
    .dropout = &ci_dropout_of_fairseq,
    .build = build};
