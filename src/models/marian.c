/* MarianMT (Junczys-Dowmunt et al. 2018): post-norm, sinusoidal positions, one vocabulary for both sides and the head.
 */
#include "models/fairseq.h"

static void build(ci_builder *b) {
  ci_config_only(b, "share_encoder_decoder_embeddings", json_true());
  ci_pair pair = ci_fairseq_read(b, &(ci_fairseq_shape){0}, "d_model");
  ci_fairseq_embed(b, &pair, ci_fairseq_shared); /* before the table: its shape vouches for d_model */
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
    .build = build};
