/* A token's scores add up to what its own baseline changes: occlusion says how much that is. Inseq's numbers:
 * tests/golden. */
#include "support/attributed.h"

static void tokens_are_complete_by_themselves(void **state) {
  (void)state;
  static const struct {
    const char *model, *text;
  } cases[] = {{"stories260K", "\"input_texts\": [\"Once upon\"], \"generated_texts\": [\"Once upon a time there\"], "},
               {"zh-en-mini",
                "\"input_texts\": [\"我很开心。\"], \"generated_texts\": [\"I am\"], \"attribute_target\": true, "}};
  for (size_t i = 0; i < 2; i++) {
    cinseq_model *model = attributed_model(cases[i].model);
    cinseq_result *scores = attributed_by(model, "sequential_integrated_gradients", cases[i].text, "{\"n_steps\": 64}");
    cinseq_result *changes = attributed_by(model, "occlusion", cases[i].text, "{}");
    for (int side = CINSEQ_SOURCE; side <= CINSEQ_TARGET; side++) {
      const ci_array *x = attributed_array(scores, (cinseq_side)side),
                     *y = attributed_array(changes, (cinseq_side)side);
      size_t cells = x->data ? x->shape[0] * x->shape[1] : 0;
      assert_int_equal(x->data == NULL, y->data == NULL);
      for (size_t c = 0; c < cells; c++) {
        double sum = 0;
        for (size_t k = 0; k < x->shape[2]; k++) sum += (double)x->data[c * x->shape[2] + k];
        assert_int_equal(isnan(sum), isnan(y->data[c]));
        if (!isnan(sum) && fabs(fabs(sum) - (double)y->data[c]) > 0.01 * (double)y->data[c] + 1e-4)
          fail_msg("%s, cell %zu: sum %g, change %g", cases[i].model, c, sum, (double)y->data[c]);
      }
    }
    cinseq_result_close(scores);
    cinseq_result_close(changes);
    cinseq_model_close(model);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tokens_are_complete_by_themselves)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
