/* LIME's scores: the same for a seed whatever the threads and memory, tending to one value with the samples, and of the
 * sign and order that a function of few tokens has. Shapes against Inseq's: tests/golden does not, its cases are drawn.
 */
#include "support/attributed.h"

static void a_seed_repeats_itself(void **state) {
  (void)state;
  cinseq_model *story = attributed_model("stories260K"), *pair = attributed_model("zh-en-mini");
  cinseq_result *a = attributed_by(story, "lime", STORY "\"threads\": 1, ", "{\"n_samples\": 30}");
  cinseq_result *b = attributed_by(story, "lime", STORY "\"threads\": 2, \"memory_budget\": \"32M\", ",
                                   "{\"n_samples\": 30, \"seed\": 0}");
  cinseq_result *c = attributed_by(story, "lime", STORY, "{\"n_samples\": 30, \"seed\": 1}");
  const ci_array *x = attributed_array(a, CINSEQ_TARGET);
  assert_true(attributed_apart(x, attributed_array(b, CINSEQ_TARGET)) < 1e-4);
  assert_true(attributed_apart(x, attributed_array(c, CINSEQ_TARGET)) > 0.01);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(a->info, "attribution_args"), "seed")), 0);
  size_t columns = x->shape[1], width = x->shape[2], start = a->sequences[0].attr_pos_start;
  for (size_t r = 0; r < x->shape[0]; r++)
    for (size_t t = 0; t < columns; t++)
      for (size_t i = 0; i < width; i++) {
        float score = x->data[(r * columns + t) * width + i];
        assert_int_equal(isnan(score), r >= start + t);
        if (r == 0) assert_true(score == 0); /* <s> is special: never masked */
        if (!isnan(score)) assert_true(score == x->data[(r * columns + t) * width]);
      }
  cinseq_result_close(a);
  cinseq_result_close(b);
  cinseq_result_close(c);
  a = attributed_by(pair, "lime", SENTENCE "\"attribute_target\": true, ", "{\"mask_token\": \"pad\"}");
  assert_non_null(attributed_array(a, CINSEQ_SOURCE)->data);
  assert_non_null(attributed_array(a, CINSEQ_TARGET)->data);
  cinseq_result_close(a);
  a = attributed_by(story, "lime", STORY "\"attributed_fn\": \"top_p_size\", ",
                    "{\"top_p\": 0.9}"); /* it has no gradient */
  cinseq_result_close(a);
  cinseq_model_close(story);
  cinseq_model_close(pair);
}

/* Two seeds come together as the samples grow, by about the root of their number. */
static void scores_converge(void **state) {
  (void)state;
  cinseq_model *story = attributed_model("stories260K");
  static const char *const kwargs[][2] = {{"{\"n_samples\": 40, \"seed\": 1}", "{\"n_samples\": 40, \"seed\": 2}"},
                                          {"{\"n_samples\": 1500, \"seed\": 1}", "{\"n_samples\": 1500, \"seed\": 2}"}};
  static const char text[] =
      "\"input_texts\": [\"Once upon a time\"], \"generated_texts\": [\"Once upon a time there was\"], ";
  double distances[2];
  for (size_t i = 0; i < 2; i++) {
    cinseq_result *a = attributed_by(story, "lime", text, kwargs[i][0]),
                  *b = attributed_by(story, "lime", text, kwargs[i][1]);
    distances[i] = attributed_apart(attributed_array(a, CINSEQ_TARGET), attributed_array(b, CINSEQ_TARGET));
    cinseq_result_close(a);
    cinseq_result_close(b);
  }
  if (!(distances[1] < 0.15 && distances[1] < distances[0] / 2))
    fail_msg("%g with 40 samples, %g with 1500", distances[0], distances[1]);
  cinseq_model_close(story);
}

static void wrong_arguments_are_explained(void **state) {
  (void)state;
  cinseq_model *story = attributed_model("stories260K");
  attributed_fails(story, "lime", STORY, "{\"mask_prob\": 1.5}", "attribution_kwargs", "\"mask_prob\" is 1.5");
  attributed_fails(story, "lime", STORY, "{\"n_samples\": 0}", "attribution_kwargs", "1 to 1000000");
  attributed_fails(story, "lime", STORY, "{\"mask_token\": \"mask\"}", "attribution_kwargs", "unk|pad");
  attributed_fails(story, "lime", STORY, "{\"n_sample\": 3}", "attribution_kwargs", "n_samples");
  cinseq_model_close(story);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_seed_repeats_itself), cmocka_unit_test(scores_converge),
                                     cmocka_unit_test(wrong_arguments_are_explained)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
