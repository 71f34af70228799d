/* BART (Lewis et al. 2019) and models of its lineage, whose positions are learned; those that were read from row 2 of
 * the table on keep fairseq's two rows for padding. */
#include "models/dropout.h"
#include "models/fairseq.h"

static void build(ci_builder *b, const ci_fairseq_shape *shape, size_t offset, bool norm_before_positions) {
  ci_pair pair = ci_fairseq_read(b, shape, "d_model");
  pair.sides[CI_DECODER].norm_before_positions = norm_before_positions;
  ci_fairseq_embed(b, &pair, ci_fairseq_shared);
  ci_fairseq_learned(b, &pair, offset);
  ci_build_pair(b, &pair);
}

static void build_bart(ci_builder *b) {
  build(b, &(ci_fairseq_shape){.embedding_norm = true}, 2, false);
}

static void build_mbart(ci_builder *b) {
  build(b, &(ci_fairseq_shape){.norm_first = true, .embedding_norm = true, .final_norm = true}, 2, false);
}

static void build_blenderbot(ci_builder *b) {
  build(b, &(ci_fairseq_shape){.norm_first = true, .final_norm = true}, 0, false);
}

/* Its decoder has the embedding's norm before the positions, its encoder after them. */
static void build_blenderbot_small(ci_builder *b) {
  build(b, &(ci_fairseq_shape){.embedding_norm = true}, 0, true);
}

/* As fairseq's, but for the attention. */
static const ci_dropout_keys plbart_dropout = {.embedding = {"dropout", 0.1},
                                               .attention = {"attention_dropout", 0.1},
                                               .attended = {"dropout", 0.1},
                                               .activation = {"activation_dropout", 0},
                                               .fed = {"dropout", 0.1},
                                               .layer = {{"encoder_layerdrop", 0}, {"decoder_layerdrop", 0}}};

extern const ci_architecture ci_architecture_bart, ci_architecture_plbart, ci_architecture_mbart,
    ci_architecture_blenderbot, ci_architecture_blenderbot_small;
const ci_architecture ci_architecture_bart = {
    .id = "bart",
    .class_name = "BartForConditionalGeneration",
    .help = "BART: summaries (bart-large-cnn, distilbart) and what was fine-tuned from it",
    .prefix = "model.",
    .defaults = "{\"decoder_start_token_id\": 2, \"bos_token_id\": 0, \"pad_token_id\": 1, \"eos_token_id\": 2, "
                "\"forced_eos_token_id\": 2}",
    .ignored = ci_fairseq_ignored,
    .dropout = &ci_dropout_of_fairseq,
    .build = build_bart};
const ci_architecture ci_architecture_plbart = {
    .id = "plbart",
    .class_name = "PLBartForConditionalGeneration",
    .help = "PLBART: programs and their descriptions",
    .prefix = "model.",
    .defaults = "{\"scale_embedding\": true, \"bos_token_id\": 0, \"pad_token_id\": 1, \"eos_token_id\": 2, "
                "\"forced_eos_token_id\": 2}",
    .ignored = ci_fairseq_ignored,
    .dropout = &plbart_dropout,
    .build = build_bart};
const ci_architecture ci_architecture_mbart = {
    .id = "mbart",
    .class_name = "MBartForConditionalGeneration",
    .help = "mBART and mBART-50: translation between 25 and 50 languages",
    .prefix = "model.",
    .defaults = "{\"bos_token_id\": 0, \"pad_token_id\": 1, \"eos_token_id\": 2, \"forced_eos_token_id\": 2}",
    .ignored = ci_fairseq_ignored,
    .dropout = &ci_dropout_of_fairseq,
    .build = build_mbart};
const ci_architecture ci_architecture_blenderbot = {
    .id = "blenderbot",
    .class_name = "BlenderbotForConditionalGeneration",
    .help = "Blenderbot: answers in a conversation",
    .prefix = "model.",
    .defaults = "{\"max_position_embeddings\": 128, \"decoder_start_token_id\": 1, \"bos_token_id\": 1, "
                "\"pad_token_id\": 0, \"eos_token_id\": 2,"
                " \"forced_eos_token_id\": 2}",
    .ignored = ci_fairseq_ignored,
    .dropout = &ci_dropout_of_fairseq,
    .build = build_blenderbot};
const ci_architecture ci_architecture_blenderbot_small = {
    .id = "blenderbot-small",
    .class_name = "BlenderbotSmallForConditionalGeneration",
    .help = "The small Blenderbot, whose norms stand elsewhere",
    .prefix = "model.",
    .defaults = "{\"max_position_embeddings\": 512, \"decoder_start_token_id\": 1, \"bos_token_id\": 1, "
                "\"pad_token_id\": 0, \"eos_token_id\": 2,"
                " \"forced_eos_token_id\": 2}",
    .ignored = ci_fairseq_ignored,
    .dropout = &ci_dropout_of_fairseq,
    .build = build_blenderbot_small};
