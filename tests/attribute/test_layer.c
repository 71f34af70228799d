/* Layers by node and by module; the input embeddings as a layer; all layers from one backward pass; errors that name
 * what is wrong. Inseq's numbers of layer_gradient_x_activation: tests/golden. */
#include "support/attributed.h"

#define TEXT "\"input_texts\": [\"Once upon\"], \"generated_texts\": [\"Once upon a time\"], "
enum { LAYERS = 5 };

static double apart(const cinseq_result *x, const cinseq_result *y, cinseq_side side) {
  return attributed_apart(attributed_array(x, side), attributed_array(y, side));
}

static cinseq_result *at_layer(cinseq_model *model, const char *method, const char *text, const char *layer) {
  char arguments[160];
  snprintf(arguments, sizeof arguments, "{\"target_layer\": \"%s\"}", layer);
  return attributed_by(model, method, text, arguments);
}

static void modules_are_nodes(void **state) {
  (void)state;
  static const char *const pairs[][2] = {{"model.layers[2]", "decoder.2.output"},
                                         {"model.layers.2.self_attn", "decoder.2.self_attn.output"},
                                         {"model.layers[4].mlp.up_proj", "decoder.4.mlp.up"},
                                         {"layers[0].mlp", "decoder.0.mlp.down"},
                                         {"model.embed_tokens", "decoder.embedding.tokens"}};
  cinseq_model *model = attributed_model("stories260K");
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    cinseq_result *module = at_layer(model, "layer_gradient_x_activation", TEXT, pairs[i][0]);
    cinseq_result *node = at_layer(model, "layer_gradient_x_activation", TEXT, pairs[i][1]);
    assert_true(apart(module, node, CINSEQ_TARGET) == 0);
    cinseq_result_close(module);
    cinseq_result_close(node);
  }
  cinseq_result *input = attributed_by(model, "layer_gradient_x_activation", TEXT,
                                       "{\"target_layer\": \"model.layers[3]\", \"attribute_to_layer_input\": true}");
  cinseq_result *output = at_layer(model, "layer_gradient_x_activation", TEXT, "model.layers[2]");
  assert_true(apart(input, output, CINSEQ_TARGET) == 0);
  cinseq_result_close(input);
  cinseq_result_close(output);
  cinseq_model_close(model);
}

static void the_default_layer_is_the_input(void **state) {
  (void)state;
  static const char *const pairs[][2] = {{"layer_integrated_gradients", "integrated_gradients"},
                                         {"layer_deeplift", "deeplift"},
                                         {"layer_gradient_x_activation", "input_x_gradient"}};
  cinseq_model *model = attributed_model("zh-en-mini");
  for (size_t i = 0; i < 3; i++) {
    cinseq_result *layer = attributed_by(model, pairs[i][0], SENTENCE, "{}");
    cinseq_result *input = attributed_by(model, pairs[i][1], SENTENCE, "{}");
    assert_true(apart(layer, input, CINSEQ_SOURCE) < 1e-6);
    cinseq_result_close(layer);
    cinseq_result_close(input);
  }
  cinseq_model_close(model);
}

/* A block's output is all that the next one sees, so its scores add up to the difference too. */
static void blocks_are_complete(void **state) {
  (void)state;
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *result =
      attributed_by(model, "layer_integrated_gradients", TEXT,
                    "{\"target_layer\": \"model.layers[1]\", \"n_steps\": 64, \"return_convergence_delta\": true}");
  const ci_array *x = attributed_array(result, CINSEQ_TARGET);
  for (size_t t = 0; t < x->shape[1]; t++) {
    double sum = 0, delta = (double)result->sequences[0].step_scores[0].values.data[t];
    for (size_t i = 0; i < ci_array_size(x); i++)
      if (i / x->shape[2] % x->shape[1] == t && !isnan(x->data[i])) sum += (double)x->data[i];
    if (fabs(delta) > 0.01 * fabs(sum - delta)) fail_msg("step %zu: sum %g, delta %g", t + 1, sum, delta);
  }
  cinseq_result_close(result);
  cinseq_model_close(model);
}

/* A layer of x, reduced by sum, is y summed over its width. */
static void assert_layer(const ci_array *x, size_t layer, const ci_array *y) {
  double length = 0;
  size_t layers = x->shape[2], width = y->shape[2], cells = x->shape[0] * x->shape[1];
  for (size_t i = 0; i < cells * width; i++)
    if (!isnan(y->data[i])) length = fmax(length, fabs((double)y->data[i]));
  for (size_t c = 0; c < cells; c++) {
    double sum = 0;
    for (size_t k = 0; k < width; k++) sum += (double)y->data[c * width + k];
    assert_int_equal(isnan(sum), isnan(x->data[c * layers + layer]));
    if (!isnan(sum)) assert_true(fabs(sum - (double)x->data[c * layers + layer]) <= 1e-4 * length);
  }
}

static double flop(const cinseq_result *result) {
  return json_real_value(json_object_get(result->statistics, "gemm_flop"));
}

/* Of one backward pass; layers that have paths of their own compute nothing again that lies below them. */
static void all_layers_are_each_layer(void **state) {
  (void)state;
  static const struct {
    const char *model, *module, *text, *method, *more;
    cinseq_side side;
    size_t layers;
    double most; /* products, over those of the layer that has most */
  } cases[] = {
      {"stories260K", "model.layers[%zu]", TEXT, "layer_gradient_x_activation", "", CINSEQ_TARGET, LAYERS, 1.5},
      {"stories260K", "model.layers[%zu]", TEXT, "layer_deeplift", "", CINSEQ_TARGET, LAYERS, 1.5},
      {"stories260K", "model.layers[%zu]", TEXT, "layer_integrated_gradients", ", \"n_steps\": 6", CINSEQ_TARGET,
       LAYERS, 3.2},
      {"zh-en-mini", "model.encoder.layers[%zu]", SENTENCE, "layer_integrated_gradients", ", \"n_steps\": 6",
       CINSEQ_SOURCE, 0, 3.2}};
  for (size_t m = 0; m < sizeof cases / sizeof *cases; m++) {
    cinseq_model *model = attributed_model(cases[m].model);
    char kwargs[200], module[64];
    snprintf(kwargs, sizeof kwargs, "{\"target_layer\": \"all\", \"all_layers_reduce\": \"sum\"%s}", cases[m].more);
    cinseq_result *all = attributed_by(model, cases[m].method, cases[m].text, kwargs);
    const ci_array *x = attributed_array(all, cases[m].side);
    double most = 0;
    assert_int_equal(x->rank, 3);
    assert_true(cases[m].layers ? x->shape[2] == cases[m].layers : x->shape[2] > 1);
    for (size_t layer = 0; layer < x->shape[2]; layer++) {
      snprintf(module, sizeof module, cases[m].module, layer);
      snprintf(kwargs, sizeof kwargs, "{\"target_layer\": \"%s\"%s}", module, cases[m].more);
      cinseq_result *one = attributed_by(model, cases[m].method, cases[m].text, kwargs);
      assert_layer(x, layer, attributed_array(one, cases[m].side));
      most = fmax(most, flop(one));
      cinseq_result_close(one);
    }
    if (!(flop(all) > 0 && flop(all) < cases[m].most * most))
      fail_msg("%s: %g flop, of one layer %g", cases[m].method, flop(all), most);
    cinseq_result_close(all);
    cinseq_model_close(model);
  }
}

/* The difference to the baseline reads the layer's values that the path was made of, and goes on from there. */
static void values_are_computed_once(void **state) {
  (void)state;
  static const char *const plain = "{\"target_layer\": \"model.layers[4]\", \"n_steps\": 3}",
                           *const deltas = "{\"target_layer\": \"model.layers[4]\", \"n_steps\": 3, "
                                           "\"return_convergence_delta\": true}";
  cinseq_model *model = attributed_model("stories260K");
  cinseq_result *forward = attributed_by(model, "attention", TEXT, "{}"),
                *without = attributed_by(model, "layer_integrated_gradients", TEXT, plain),
                *with = attributed_by(model, "layer_integrated_gradients", TEXT, deltas);
  double more = flop(with) - flop(without);
  if (!(more > 0 && more < flop(forward) / 2)) fail_msg("%g flop more, %g of a forward", more, flop(forward));
  cinseq_result_close(forward);
  cinseq_result_close(without);
  cinseq_result_close(with);
  cinseq_model_close(model);
}

static void wrong_layers_are_explained(void **state) {
  (void)state;
  static const struct {
    const char *layer, *message;
  } cases[] = {{"decoder.2.self_attn.qury", "decoder.2.self_attn.query"},
               {"model.layers", "more than one block"},
               {"model.norm", "one row a step"},
               {"model.layers[9]", "no node or module"},
               {"decoder.9.output", "(nodes are decoder.embedding.tokens, decoder.N.{input_layernorm, self_attn."},
               {"decoder.9.output", ", output}, output.rows, output.norm, output.logits)"},
               {"", "no node or module"}};
  cinseq_model *model = attributed_model("stories260K");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char arguments[160];
    snprintf(arguments, sizeof arguments, "{\"target_layer\": \"%s\"}", cases[i].layer);
    attributed_fails(model, "layer_gradient_x_activation", TEXT, arguments, "target_layer", cases[i].message);
  }
  attributed_fails(model, "layer_integrated_gradients", TEXT, "{\"target_layer\": \"all\", \"n_steps\": \"auto\"}",
                   "n_steps", "one target_layer");
  attributed_fails(model, "layer_deeplift", TEXT, "{\"target_layer\": \"all\", \"return_convergence_delta\": true}",
                   "return_convergence_delta", "one target_layer");
  attributed_fails(model, "layer_deeplift", TEXT,
                   "{\"target_layer\": \"decoder.embedding.tokens\", \"attribute_to_layer_input\": true}",
                   "target_layer", "token ids");
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(modules_are_nodes),        cmocka_unit_test(the_default_layer_is_the_input),
      cmocka_unit_test(blocks_are_complete),      cmocka_unit_test(all_layers_are_each_layer),
      cmocka_unit_test(values_are_computed_once), cmocka_unit_test(wrong_layers_are_explained)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
