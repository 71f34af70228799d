/* T5 (Raffel et al. 2019), its versions 1.1 and Flan, mT5 and UMT5: pre-norm blocks with RMS norms and no biases,
 * attention without a scale, and instead of positions a bias of the scores for each head and bucket of distances. T5
 * and mT5 have one such table a side, in layer 0; UMT5 one a layer. A tied head reads its input times d_model^-0.5. */
#include "models/dropout.h"
#include "models/encoder_decoder.h"
#include <math.h>
#include <string.h>

typedef struct {
  size_t heads, buckets, most_distance;
  bool by_layer;                             /* a table in each layer */
  const ci_position_bias *of_side[CI_SIDES]; /* the one table; NULL when by_layer */
} biases;

/* The bucket of distance = |key - query| among `count`: half of them hold one distance each, the others grow with its
 * logarithm up to most_distance. In float32 as T5Attention._relative_position_bucket has it. */
static size_t bucket_of(size_t distance, size_t count, size_t most_distance) {
  size_t exact = count / 2;
  if (distance < exact) return distance;
  float grown =
      logf((float)distance / (float)exact) / (float)log((double)most_distance / (double)exact) * (float)(count - exact);
  size_t bucket = exact + (size_t)grown;
  return bucket < count ? bucket : count - 1;
}

/* From relative_attention_bias.weight [buckets, heads] of the present layer. Bidirectional sides have half of the
 * buckets for keys that come after the query. */
static const ci_position_bias *read_bias(ci_builder *b, const biases *own, ci_space_id side) {
  bool both = side == CI_ENCODER;
  size_t count = both ? own->buckets / 2 : own->buckets, most = own->most_distance,
         span = both ? 2 * most + 1 : most + 1;
  const float *weight =
      ci_small_matrix(b, "layer.0.SelfAttention.relative_attention_bias.weight", own->buckets, own->heads);
  float *table = ci_build_alloc(b, own->heads * span, sizeof *table);
  ci_position_bias *bias = ci_build_alloc(b, 1, sizeof *bias);
  if (!weight || !table || !bias) return NULL;
  for (size_t i = 0; i < span; i++) {
    bool after = i > most;
    size_t bucket = bucket_of(after ? i - most : most - i, count, most) + (after ? count : 0);
    for (size_t h = 0; h < own->heads; h++) table[h * span + i] = weight[bucket * own->heads + h];
  }
  *bias = (ci_position_bias){.table = table, .before = most, .after = both ? most : 0};
  return bias;
}

static void set_bias(ci_builder *b, const ci_pair *pair, ci_space_id side, int index, ci_block *block) {
  const biases *own = pair->own;
  (void)index;
  block->attention.bias = own->by_layer ? read_bias(b, own, side) : own->of_side[side];
}

static biases read_biases(ci_builder *b, const ci_pair *pair, bool by_layer) {
  biases own = {.heads = pair->sides[CI_ENCODER].block.attention.heads,
                .buckets = (size_t)ci_config_int(b, "relative_attention_num_buckets", 32, 4, 1 << 16),
                .most_distance = (size_t)ci_config_int(b, "relative_attention_max_distance", 128, 2, 1 << 14),
                .by_layer = by_layer};
  if (own.most_distance <= own.buckets / 2)
    ci_build_fail(b, "config.json",
                  "relative_attention_max_distance %zu is not more than half of relative_attention_num_buckets %zu",
                  own.most_distance, own.buckets);
  for (int s = 0; s < CI_SIDES && !by_layer && !b->status; s++) {
    ci_build_weights(b, pair->sides[s].layer_weights, 0);
    own.of_side[s] = read_bias(b, &own, s);
  }
  return own;
}

/* feed_forward_proj is "relu" or "gated-gelu"; the keys that transformers derives from it win over it, as they do
 * there. */
static void read_activation(ci_builder *b, ci_mlp_shape *mlp) {
  const char *kind = ci_config_text(b, "feed_forward_proj", "relu"), *gated = "gated-";
  bool is_gated = ci_starts_with(kind, gated);
  const char *activation = is_gated ? kind + strlen(gated) : kind;
  if (strchr(activation, '-'))
    ci_build_fail(b, "config.json", "\"feed_forward_proj\" is \"%s\", expected ACTIVATION or gated-ACTIVATION", kind);
  if (strcmp(kind, "gated-gelu") == 0) activation = "gelu_new";
  mlp->activation = ci_config_text(b, "dense_act_fn", activation);
  mlp->gate = ci_config_bool(b, "is_gated_act", is_gated) ? mlp->up : NULL;
}

static ci_attention_shape attention(ci_builder *b, const char *const names[4]) {
  size_t heads = (size_t)ci_config_needed(b, "num_heads", 1, 1 << 16);
  return (ci_attention_shape){.heads = heads,
                              .kv_heads = heads,
                              .head_dim = (size_t)ci_config_needed(b, "d_kv", 1, 1 << 16),
                              .scale = 1,
                              .query.weight = names[0],
                              .key.weight = names[1],
                              .value.weight = names[2],
                              .output = names[3]};
}

static ci_side read_side(ci_builder *b, ci_space_id side) {
  static const char *const self[] = {"layer.0.SelfAttention.q", "layer.0.SelfAttention.k", "layer.0.SelfAttention.v",
                                     "layer.0.SelfAttention.o"},
                           *const cross[] = {"layer.1.EncDecAttention.q", "layer.1.EncDecAttention.k",
                                             "layer.1.EncDecAttention.v", "layer.1.EncDecAttention.o"};
  static const char *const feeds[CI_SIDES][4] = {
      [CI_ENCODER] = {"layer.1.DenseReluDense.wi", "layer.1.DenseReluDense.wi_0", "layer.1.DenseReluDense.wi_1",
                      "layer.1.DenseReluDense.wo"},
      [CI_DECODER] = {"layer.2.DenseReluDense.wi", "layer.2.DenseReluDense.wi_0", "layer.2.DenseReluDense.wi_1",
                      "layer.2.DenseReluDense.wo"}};
  const char *const *feed = feeds[side];
  bool decoder = side == CI_DECODER;
  int layers = (int)ci_config_needed(b, "num_layers", 1, CI_MOST_LAYERS);
  ci_side s = {.layers = decoder ? (int)ci_config_int(b, "num_decoder_layers", layers, 1, CI_MOST_LAYERS) : layers,
               .weights = decoder ? "decoder." : "encoder.",
               .layer_weights = decoder ? "decoder.block.%d." : "encoder.block.%d.",
               .norm = "final_layer_norm"};
  s.block =
      (ci_block){.width = (size_t)ci_config_needed(b, "d_model", 1, 1 << 20),
                 .norm = {.op = &ci_op_rms_norm, .epsilon = ci_config_real(b, "layer_norm_epsilon", 1e-6)},
                 .attention = attention(b, self),
                 .attention_norms.before = "layer.0.layer_norm",
                 .mlp = {.inner = (size_t)ci_config_needed(b, "d_ff", 1, 1 << 24), .up = feed[1], .down = feed[3]},
                 .mlp_norms.before = decoder ? "layer.2.layer_norm" : "layer.1.layer_norm"};
  read_activation(b, &s.block.mlp);
  if (s.block.mlp.gate)
    s.block.mlp.up = feed[2];
  else
    s.block.mlp.up = feed[0];
  s.block.attention.bidirectional = !decoder;
  if (!decoder) return s;
  s.block.cross = attention(b, cross);
  s.block.cross.scope = "cross_attn";
  s.block.cross_norms.before = "layer.1.layer_norm";
  return s;
}

static void build(ci_builder *b, bool bias_by_layer, bool tied_by_default) {
  static const char *const shared[] = {"shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"};
  ci_config_only(b, "tie_encoder_decoder", json_false());
  ci_pair pair = {.sides = {read_side(b, CI_ENCODER), read_side(b, CI_DECODER)}, .layer = set_bias};
  size_t d = pair.sides[CI_DECODER].block.width, vocabulary = (size_t)ci_config_needed(b, "vocab_size", 1, 1 << 28);
  ci_build_weights(b, "", 0);
  ci_weight embedding = ci_weight_tied(b, shared, 3, vocabulary, d);
  for (int s = 0; s < CI_SIDES; s++) pair.sides[s].embedding = embedding;
  bool tied = ci_config_bool(b, "tie_word_embeddings", tied_by_default);
  pair.head = tied ? embedding : ci_weight_head(b, "lm_head.weight", vocabulary, d);
  if (tied) pair.head_scale = 1 / sqrt((double)d);
  biases own = read_biases(b, &pair, bias_by_layer);
  pair.own = &own;
  ci_build_pair(b, &pair);
}

static void build_t5(ci_builder *b) {
  build(b, false, true);
}
static void build_mt5(ci_builder *b) {
  build(b, false, false);
}
static void build_umt5(ci_builder *b) {
  build(b, true, true);
}

/* The last is a bias of cross-attention that early checkpoints have and no version of transformers reads. */
static const char *const ignored[] = {"embed_tokens.weight", "lm_head.weight",
                                      "EncDecAttention.relative_attention_bias.weight", NULL};
static const char *const float32[] = {"wo", NULL};

static const ci_dropout_keys dropout = {.embedding = {"dropout_rate", 0.1},
                                        .attention = {"dropout_rate", 0.1},
                                        .attended = {"dropout_rate", 0.1},
                                        .activation = {"dropout_rate", 0.1},
                                        .fed = {"dropout_rate", 0.1},
                                        .final = {"dropout_rate", 0.1}};

extern const ci_architecture ci_architecture_t5, ci_architecture_mt5, ci_architecture_umt5;
const ci_architecture ci_architecture_t5 = {.id = "t5",
                                            .class_name = "T5ForConditionalGeneration",
                                            .help = "T5 1.0, 1.1, Flan-T5, ByT5 and models of their shape",
                                            .prefix = "transformer.",
                                            .defaults = "{\"pad_token_id\": 0, \"eos_token_id\": 1}",
                                            .ignored = ignored,
                                            .float32 = float32,
                                            .dropout = &dropout,
                                            .build = build_t5};
const ci_architecture ci_architecture_mt5 = {
    .id = "mt5",
    .class_name = "MT5ForConditionalGeneration",
    .help = "mT5: T5 for a hundred languages",
    .prefix = "transformer.",
    .defaults = "{\"feed_forward_proj\": \"gated-gelu\", \"pad_token_id\": 0, \"eos_token_id\": 1,"
                " \"decoder_start_token_id\": 0}",
    .ignored = ignored,
    .float32 = float32,
    .dropout = &dropout,
    .build = build_mt5};
const ci_architecture ci_architecture_umt5 = {
    .id = "umt5",
    .class_name = "UMT5ForConditionalGeneration",
    .help = "UMT5: mT5 with a position bias in each layer",
    .prefix = "transformer.",
    .defaults = "{\"feed_forward_proj\": \"gated-gelu\", \"pad_token_id\": 0, \"eos_token_id\": 1,"
                " \"decoder_start_token_id\": 0}",
    .ignored = ignored,
    .float32 = float32,
    .dropout = &dropout,
    .build = build_umt5};
