/* Scores of a layer sum to 1 over the tokens; layers and heads that are not zeroed; errors that name what is wrong.
 * What is zeroed, and that it is what an intervention gives: tests/engine/test_zeroing.c. Inseq's numbers:
 * tests/golden. */
#include "support/attributed.h"

/* Sums over tokens, for each column and layer. */
static void sums(const ci_array *x, double *out) {
  size_t cells = x->shape[1] * x->shape[2];
  for (size_t c = 0; c < cells; c++) out[c] = 0;
  for (size_t i = 0; i < ci_array_size(x); i++)
    if (!isnan(x->data[i])) out[i % cells] += (double)x->data[i];
}

static void a_layers_scores_sum_to_one(void **state) {
  (void)state;
  static const char *const metrics[] = {"{\"similarity_metric\": \"cosine\"}",
                                        "{\"similarity_metric\": \"euclidean\"}"};
  double total[4096];
  for (size_t m = 0; m < 2; m++) {
    cinseq_model *story = attributed_model("stories260K"), *pair = attributed_model("zh-en-mini");
    cinseq_result *one = attributed_by(story, "value_zeroing", STORY, metrics[m]);
    cinseq_result *two = attributed_by(pair, "value_zeroing", SENTENCE, metrics[m]);
    const ci_array *arrays[] = {attributed_array(one, CINSEQ_TARGET), attributed_array(two, CINSEQ_SOURCE),
                                attributed_sequence_score(two, "decoder_self_scores"),
                                attributed_sequence_score(two, "encoder_self_scores")};
    assert_null(attributed_array(two, CINSEQ_TARGET)->data);
    for (size_t i = 0; i < 4; i++) {
      assert_non_null(arrays[i]);
      assert_int_equal(arrays[i]->rank, 3);
      sums(arrays[i], total);
      for (size_t c = 0; c < arrays[i]->shape[1] * arrays[i]->shape[2]; c++) assert_true(fabs(total[c] - 1) < 1e-5);
    }
    cinseq_result_close(one);
    cinseq_result_close(two);
    cinseq_model_close(story);
    cinseq_model_close(pair);
  }
}

static void attributed_targets_take_the_decoders_scores(void **state) {
  (void)state;
  cinseq_model *pair = attributed_model("zh-en-mini");
  cinseq_result *apart = attributed_by(pair, "value_zeroing", SENTENCE, "{}");
  cinseq_result *target = attributed_by(pair, "value_zeroing", SENTENCE "\"attribute_target\": true, ",
                                        "{\"output_encoder_self_scores\": false}");
  const ci_array *x = attributed_array(target, CINSEQ_TARGET),
                 *y = attributed_sequence_score(apart, "decoder_self_scores");
  assert_int_equal(target->sequences[0].sequence_scores_count, 0);
  assert_int_equal(x->shape[0], y->shape[0] + 1); /* a row for the last token, NaN */
  size_t n = ci_array_size(y);
  for (size_t i = 0; i < n; i++)
    assert_true(isnan(x->data[i]) ? isnan(y->data[i]) != 0 : fabsf(x->data[i] - y->data[i]) <= 1e-5f);
  cinseq_result_close(apart);
  cinseq_result_close(target);
  cinseq_model_close(pair);
}

static void heads_and_layers_can_be_chosen(void **state) {
  (void)state;
  cinseq_model *story = attributed_model("stories260K");
  cinseq_result *all = attributed_by(story, "value_zeroing", STORY, "{}");
  cinseq_result *listed =
      attributed_by(story, "value_zeroing", STORY, "{\"decoder_zeroed_units_indices\": [0, 1, 2, 3, 4, 5, 6, 7]}");
  cinseq_result *last = attributed_by(story, "value_zeroing", STORY, "{\"decoder_zeroed_units_indices\": -1}");
  cinseq_result *range = attributed_by(story, "value_zeroing", STORY, "{\"decoder_zeroed_units_indices\": \"7:8\"}");
  cinseq_result *layer =
      attributed_by(story, "value_zeroing", STORY, "{\"decoder_zeroed_units_indices\": {\"1\": null}}");
  const ci_array *x = attributed_array(all, CINSEQ_TARGET), *y = attributed_array(layer, CINSEQ_TARGET);
  assert_true(attributed_apart(x, attributed_array(listed, CINSEQ_TARGET)) == 0);
  assert_true(attributed_apart(attributed_array(last, CINSEQ_TARGET), attributed_array(range, CINSEQ_TARGET)) == 0);
  assert_true(attributed_apart(x, attributed_array(last, CINSEQ_TARGET)) > 0.01);
  for (size_t i = 0; i < ci_array_size(x); i++)
    if (!isnan(x->data[i])) assert_true(i % x->shape[2] == 1 ? x->data[i] == y->data[i] : y->data[i] == 0);
  cinseq_result *const results[] = {all, listed, last, range, layer};
  for (size_t i = 0; i < 5; i++) cinseq_result_close(results[i]);
  cinseq_model_close(story);
}

static void wrong_units_are_explained(void **state) {
  (void)state;
  cinseq_model *story = attributed_model("stories260K");
  static const char *const cases[][3] = {
      {"{\"decoder_zeroed_units_indices\": 8}", "decoder_zeroed_units_indices", "-8 to 7"},
      {"{\"decoder_zeroed_units_indices\": [0, 99]}", "decoder_zeroed_units_indices", "-8 to 7"},
      {"{\"decoder_zeroed_units_indices\": []}", "decoder_zeroed_units_indices", "a list of numbers"},
      {"{\"decoder_zeroed_units_indices\": \"3:2\"}", "decoder_zeroed_units_indices", "0 to 7"},
      {"{\"decoder_zeroed_units_indices\": {\"5\": 0}}", "decoder_zeroed_units_indices", "0 to 4"},
      {"{\"decoder_zeroed_units_indices\": {\"1\": 8}}", "decoder_zeroed_units_indices", "-8 to 7"},
      {"{\"similarity_metric\": \"cosin\"}", "attribution_kwargs", "cosine"},
      {"{\"decoder_zeroed_unit_indices\": 1}", "attribution_kwargs", "decoder_zeroed_units_indices"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    attributed_fails(story, "value_zeroing", STORY, cases[i][0], cases[i][1], cases[i][2]);
  cinseq_model_close(story);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_layers_scores_sum_to_one), cmocka_unit_test(attributed_targets_take_the_decoders_scores),
      cmocka_unit_test(heads_and_layers_can_be_chosen), cmocka_unit_test(wrong_units_are_explained)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
