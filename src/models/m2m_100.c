/* M2M100 (Fan et al. 2020) and NLLB-200 (Costa-jussà et al. 2022): pre-norm blocks, fairseq's sinusoidal positions,
 * which begin after the padding's. */
#include "models/dropout.h"
#include "models/fairseq.h"

static void build(ci_builder *b) {
  ci_pair pair = ci_fairseq_read(b, &(ci_fairseq_shape){.norm_first = true, .final_norm = true}, "d_model");
  ci_fairseq_embed(b, &pair, ci_fairseq_shared);
  ci_fairseq_sines(b, &pair, (size_t)ci_config_int(b, "pad_token_id", 1, 0, 1 << 28) + 1);
  ci_build_pair(b, &pair);
}

static const ci_dropout_keys dropout = {.embedding = {"dropout", 0.1},
                                        .attention = {"attention_dropout", 0.1},
                                        .attended = {"dropout", 0.1},
                                        .activation = {"activation_dropout", 0},
                                        .fed = {"dropout", 0.1},
                                        .layer = {{"encoder_layerdrop", 0.05}, {"decoder_layerdrop", 0.05}}};

extern const ci_architecture ci_architecture_m2m_100;
const ci_architecture ci_architecture_m2m_100 = {.id = "m2m_100",
                                                 .class_name = "M2M100ForConditionalGeneration",
                                                 .help =
                                                     "M2M100 and NLLB-200: translation between 100 and 200 languages",
                                                 .prefix = "model.",
                                                 .defaults = "{\"activation_function\": \"relu\", \"scale_embedding\": "
                                                             "true, \"decoder_start_token_id\": 2, \"bos_token_id\": 0,"
                                                             " \"pad_token_id\": 1, \"eos_token_id\": 2}",
                                                 .ignored = ci_fairseq_ignored,
                                                 .dropout = &dropout,
                                                 .build = build};
