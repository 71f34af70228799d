/* Decoders that come from fairseq, with its names and its positions that begin at 2:
 *   x += attn(self_attn_layer_norm(x));  x += fc2(act(fc1(final_layer_norm(x))))
 * OPT (Zhang et al. 2022): learned positions; the 350M model has its norms after the sums and narrower embeddings, projected in
 * and out. BioGPT (Luo et al. 2022): embeddings times sqrt(width), learned positions. XGLM (Lin et al. 2022): the same with
 * sinusoidal positions.
 * Attribution input: the embedding; OPT: before project_in; BioGPT and XGLM: after the scale, which belongs to the module. */
#include "models/decoder.h"
#include "models/dropout.h"
#include <math.h>

enum { FIRST_POSITION = 2 };

static ci_decoder like_fairseq(ci_builder *b, const char *width, const char *heads, const char *layers, const char *inner) {
  ci_decoder d = {.embedding = "embed_tokens",
                  .position_table = "embed_positions",
                  .position_offset = FIRST_POSITION,
                  .norm = "layer_norm",
                  .head = "lm_head",
                  .block = {.attention_norms.before = "self_attn_layer_norm", .mlp_norms.before = "final_layer_norm"}};
  d.vocabulary = (size_t)ci_config_needed(b, "vocab_size", 1, 1 << 28);
  d.layers = (int)ci_config_needed(b, layers, 1, CI_MOST_LAYERS);
  d.positions = (size_t)ci_config_needed(b, "max_position_embeddings", 1, 1 << 24);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.block.width = (size_t)ci_config_needed(b, width, 1, 1 << 20);
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = 1e-5};
  ci_attention_shape *a = &d.block.attention;
  *a = ci_attention_of(b, d.block.width, heads);
  a->query.weight = "self_attn.q_proj";
  a->key.weight = "self_attn.k_proj";
  a->value.weight = "self_attn.v_proj";
  a->output = "self_attn.out_proj";
  a->biased = a->output_biased = true;
  d.block.mlp = (ci_mlp_shape){.up = "fc1", .down = "fc2", .biased = true};
  d.block.mlp.inner = (size_t)ci_config_needed(b, inner, 1, 1 << 24);
  return d;
}

static void build_opt(ci_builder *b) {
  ci_decoder d = like_fairseq(b, "hidden_size", "num_attention_heads", "num_hidden_layers", "ffn_dim");
  d.weights = "model.decoder.";
  d.layer_weights = "model.decoder.layers.%d.";
  d.norm = "final_layer_norm";
  d.block.mlp.activation = ci_config_text(b, "activation_function", "relu");
  d.block.attention.biased = d.block.attention.output_biased = d.block.mlp.biased = ci_config_bool(b, "enable_bias", true);
  d.block.norm.weightless = !ci_config_bool(b, "layer_norm_elementwise_affine", true);
  if (!ci_config_bool(b, "do_layer_norm_before", true)) {
    d.block.attention_norms = (ci_branch_norms){.sum = "self_attn_layer_norm"};
    d.block.mlp_norms = (ci_branch_norms){.sum = "final_layer_norm"};
    d.norm = NULL;
  }
  if (ci_config_bool(b, "_remove_final_layer_norm", false)) d.norm = NULL;
  d.embedding_width = ci_config_size(b, "word_embed_proj_dim", d.block.width, 1);
  if (d.embedding_width != d.block.width) {
    d.project_in = "project_in";
    d.project_out = "project_out";
  }
  ci_build_decoder(b, &d);
}

static void scale_embedding(ci_builder *b, ci_decoder *d) {
  d->input_scaled = true;
  if (ci_config_bool(b, "scale_embedding", true)) d->embedding_scale = sqrt((double)d->block.width);
}

static void build_biogpt(ci_builder *b) {
  ci_decoder d = like_fairseq(b, "hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size");
  d.weights = "biogpt.";
  d.layer_weights = "biogpt.layers.%d.";
  d.head = "output_projection";
  d.block.mlp.activation = ci_config_text(b, "hidden_act", "gelu");
  scale_embedding(b, &d);
  ci_build_decoder(b, &d);
}

/* Sines in the first half of a row, cosines in the second, of position x 10000^(-i / (half - 1)); the padding token's row is 0:
 * transformers' XGLMSinusoidalPositionalEmbedding, in float32. */
static ci_weight sinusoids(ci_builder *b, size_t rows, size_t width) {
  float *table = ci_build_alloc(b, rows * width, sizeof *table);
  size_t half = width / 2, padding = ci_config_size(b, "pad_token_id", 1, 0);
  if (!b->status && half < 2) ci_build_fail(b, "config.json", "a width of %zu is too small for sinusoidal positions", width);
  float step = (float)-(log(10000) / ((double)half - 1));
  for (size_t p = 0; !b->status && p < rows; p++) {
    for (size_t i = 0; i < half; i++) {
      float angle = (float)p * expf((float)i * step);
      table[p * width + i] = p == padding ? 0 : sinf(angle);
      table[p * width + half + i] = p == padding ? 0 : cosf(angle);
    }
    for (size_t i = 2 * half; i < width; i++) table[p * width + i] = 0;
  }
  return ci_weight_table(table, rows, width);
}

static void build_xglm(ci_builder *b) {
  ci_decoder d = like_fairseq(b, "d_model", "attention_heads", "num_layers", "ffn_dim");
  d.weights = "model.";
  d.layer_weights = "model.layers.%d.";
  d.block.mlp.activation = ci_config_text(b, "activation_function", "gelu");
  scale_embedding(b, &d);
  ci_build_weights(b, "model.", 0);
  ci_weight_linear(b, "embed_tokens.weight", d.vocabulary, d.block.width); /* its shape vouches for the width of the table */
  d.position_weight = sinusoids(b, d.positions + FIRST_POSITION, d.block.width);
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {"lm_head.weight", "output_projection.weight", "embed_positions.weights", "decoder.version", NULL};

static const ci_dropout_keys opt_dropout = {.attention = {"attention_dropout", 0},
                                            .attended = {"dropout", 0.1},
                                            .fed = {"dropout", 0.1},
                                            .layer[CI_DECODER] = {"layerdrop", 0}},
                             xglm_dropout = {.embedding = {"dropout", 0.1},
                                             .attention = {"attention_dropout", 0.1},
                                             .attended = {"dropout", 0.1},
                                             .activation = {"activation_dropout", 0},
                                             .fed = {"dropout", 0.1},
                                             .layer[CI_DECODER] = {"layerdrop", 0}},
                             biogpt_dropout = {.embedding = {"hidden_dropout_prob", 0.1},
                                               .attention = {"attention_probs_dropout_prob", 0.1},
                                               .attended = {"hidden_dropout_prob", 0.1},
                                               .activation = {"activation_dropout", 0},
                                               .fed = {"hidden_dropout_prob", 0.1},
                                               .layer[CI_DECODER] = {"layerdrop", 0}};

extern const ci_architecture ci_architecture_opt, ci_architecture_biogpt, ci_architecture_xglm;
const ci_architecture ci_architecture_opt = {
    .id = "opt",
    .class_name = "OPTForCausalLM",
    .help = "OPT, Galactica",
    .prefix = "model.",
    .defaults = "{\"vocab_size\": 50272, \"hidden_size\": 768, \"num_hidden_layers\": 12, \"ffn_dim\": 3072, "
                "\"max_position_embeddings\": 2048, \"num_attention_heads\": 12, \"pad_token_id\": 1, \"bos_token_id\": 2, "
                "\"eos_token_id\": 2}",
    .ignored = ignored,
    .dropout = &opt_dropout,
    .build = build_opt};
const ci_architecture ci_architecture_biogpt = {
    .id = "biogpt",
    .class_name = "BioGptForCausalLM",
    .help = "BioGPT",
    .prefix = "biogpt.",
    .defaults = "{\"vocab_size\": 42384, \"hidden_size\": 1024, \"num_hidden_layers\": 24, \"intermediate_size\": 4096, "
                "\"max_position_embeddings\": 1024, \"num_attention_heads\": 16, \"pad_token_id\": 1, \"bos_token_id\": 0, "
                "\"eos_token_id\": 2}",
    .ignored = ignored,
    .dropout = &biogpt_dropout,
    .build = build_biogpt};
const ci_architecture ci_architecture_xglm = {
    .id = "xglm",
    .class_name = "XGLMForCausalLM",
    .help = "XGLM",
    .prefix = "model.",
    .defaults = "{\"vocab_size\": 256008, \"d_model\": 1024, \"num_layers\": 24, \"ffn_dim\": 4096, "
                "\"max_position_embeddings\": 2048, \"attention_heads\": 16, \"pad_token_id\": 1, \"bos_token_id\": 0, "
                "\"eos_token_id\": 2, \"decoder_start_token_id\": 2}",
    .ignored = ignored,
    .dropout = &xglm_dropout,
    .build = build_xglm};
