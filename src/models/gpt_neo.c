/* GPT-Neo (Black et al. 2021): GPT-2 with nn.Linear weights and unscaled attention, whose layers see everything or a window by
 * turns, as attention_types says: [[["global", "local"], 12]] is 12 times these two.
 * Attribution input: wte, before positions. */
#include "models/decoder.h"
#include "models/dropout.h"
#include <string.h>

/* The type of a layer; NULL: the list is shorter, or is none. */
static const char *type_of(const json_t *types, int index) {
  size_t at = (size_t)index;
  for (size_t i = 0; i < json_array_size(types); i++) {
    const json_t *names = json_array_get(json_array_get(types, i), 0);
    json_int_t times = json_integer_value(json_array_get(json_array_get(types, i), 1));
    size_t count = json_array_size(names), all;
    if (times < 0 || __builtin_mul_overflow(count, (size_t)times, &all)) return NULL;
    if (at < all) return json_string_value(json_array_get(names, at % count));
    at -= all;
  }
  return NULL;
}

static void choose_window(ci_builder *b, const ci_decoder *decoder, int index, ci_block *block) {
  (void)decoder;
  const char *type = type_of(json_object_get(b->model->config, "attention_types"), index);
  if (type && strcmp(type, "local") == 0) block->attention.window = ci_config_size(b, "window_size", 256, 1);
  else if (!type || strcmp(type, "global") != 0)
    ci_build_fail(b, "config.json", "\"attention_types\" says \"%s\" of layer %d, expected global or local", type ? type : "nothing", index);
}

static void build(ci_builder *b) {
  ci_decoder d = {.weights = "transformer.",
                  .layer_weights = "transformer.h.%d.",
                  .embedding = "wte",
                  .position_table = "wpe",
                  .norm = "ln_f",
                  .head = "lm_head",
                  .layer = choose_window,
                  .block = {.attention_norms.before = "ln_1", .mlp_norms.before = "ln_2"}};
  d.vocabulary = ci_config_size(b, "vocab_size", 50257, 1);
  d.layers = (int)ci_config_int(b, "num_layers", 24, 1, CI_MOST_LAYERS);
  d.positions = ci_config_size(b, "max_position_embeddings", 2048, 1);
  d.tied = ci_config_bool(b, "tie_word_embeddings", true);
  d.block.width = ci_config_size(b, "hidden_size", 2048, 1);
  d.block.norm = (ci_norm_style){.op = &ci_op_layer_norm, .epsilon = ci_config_real(b, "layer_norm_epsilon", 1e-5)};
  ci_attention_shape *a = &d.block.attention;
  *a = ci_attention_of(b, d.block.width, "num_heads");
  a->query.weight = "attn.attention.q_proj";
  a->key.weight = "attn.attention.k_proj";
  a->value.weight = "attn.attention.v_proj";
  a->output = "attn.attention.out_proj";
  a->output_biased = true;
  a->scale = 1;
  d.block.mlp = (ci_mlp_shape){.up = "mlp.c_fc", .down = "mlp.c_proj", .biased = true};
  d.block.mlp.inner = ci_config_size(b, "intermediate_size", 4 * d.block.width, 1);
  d.block.mlp.activation = ci_config_text(b, "activation_function", "gelu_new");
  ci_build_decoder(b, &d);
}

static const char *const ignored[] = {".attention.bias", ".attention.masked_bias", "lm_head.weight", NULL};

static const ci_dropout_keys dropout = {.embedding = {"embed_dropout", 0},
                                        .attention = {"attention_dropout", 0},
                                        .attended = {"resid_dropout", 0},
                                        .fed = {"resid_dropout", 0}};

extern const ci_architecture ci_architecture_gpt_neo;
const ci_architecture ci_architecture_gpt_neo = {
    .id = "gpt_neo",
    .class_name = "GPTNeoForCausalLM",
    .help = "GPT-Neo",
    .prefix = "transformer.",
    .defaults = "{\"bos_token_id\": 50256, \"eos_token_id\": 50256, \"num_heads\": 16, "
                "\"attention_types\": [[[\"global\", \"local\"], 12]]}",
    .ignored = ignored,
    .dropout = &dropout,
    .build = build};
