/* Pegasus (Zhang et al. 2020): pre-norm blocks, Marian's sinusoidal positions. */
#include "models/dropout.h"
#include "models/fairseq.h"

static void build(ci_builder *b) {
  ci_pair pair = ci_fairseq_read(b, &(ci_fairseq_shape){.norm_first = true, .final_norm = true}, "d_model");
  ci_fairseq_embed(b, &pair, ci_fairseq_shared);
  ci_marian_sines(b, &pair);
  ci_build_pair(b, &pair);
}

extern const ci_architecture ci_architecture_pegasus;
const ci_architecture ci_architecture_pegasus = {
    .id = "pegasus",
    .class_name = "PegasusForConditionalGeneration",
    .help = "Pegasus: summaries, and paraphrases fine-tuned from it",
    .prefix = "model.",
    .defaults = "{\"decoder_start_token_id\": 0, \"pad_token_id\": 0, \"eos_token_id\": 1, \"forced_eos_token_id\": 1}",
    .ignored = ci_fairseq_ignored,
    .dropout = &ci_dropout_of_fairseq,
    .build = build};
