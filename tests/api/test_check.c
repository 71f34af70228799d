/* Requests are checked without a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cinseq.h"
#include <string.h>

static const char TEXT[] = "\"input_texts\": [\"a\"]";

static void what_is_right_passes(void **state) {
  (void)state;
  cinseq_error err = {0};
  assert_int_equal(cinseq_request_check("open", NULL, &err), CINSEQ_OK);
  assert_int_equal(cinseq_request_check("show", "{\"width\": 80, \"normalize\": false}", &err), CINSEQ_OK);
  assert_int_equal(cinseq_request_check("generate", "{\"input_texts\": \"a\"}", &err), CINSEQ_OK);
  assert_int_equal(cinseq_request_check("attribute",
                                        "{\"input_texts\": [\"a\"], \"attribution_method\": \"integrated_gradients\", "
                                        "\"attribution_kwargs\": {\"n_steps\": 3, \"logprob\": true, "
                                        "\"attribute_target\": true}, \"step_scores\": [\"probability\"]}",
                                        &err),
                   CINSEQ_OK);
}

static void what_is_wrong_is_said(void **state) {
  (void)state;
  static const struct {
    const char *command, *more, *where, *message; /* more: keys behind input_texts */
  } rows[] = {
      {"attribute", ", \"attribution_method\": \"salency\"", "attribution_method", "did you mean \"saliency\""},
      {"attribute", ", \"step_scores\": [\"entrpy\"]", "step_scores", "did you mean \"entropy\""},
      {"attribute", ", \"attributed_fn\": \"logits\"", "attributed_fn", "did you mean \"logit\""},
      {"attribute", ", \"attribution_kwargs\": {\"n_step\": 3}", "attribution_kwargs", "unknown option \"n_step\""},
      {"attribute", ", \"generated_texts\": [\"a\", \"b\"]", "generated_texts", "2 for 1 input_texts"},
      {"attribute", ", \"generation_kwargs\": {\"num_beam\": 3}", "generation_kwargs", "did you mean \"num_beams\""},
      {"generate", ", \"thread\": 2", "request", "did you mean \"threads\""},
      {"generate", ", \"device\": \"cuda\"", "device", "only cpu"},
      {"show", "", "options", "input_texts"},
      {"open", "", "request", "input_texts"},
      {"nothing", "", "command", "no command \"nothing\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char json[256] = "{";
    cinseq_error err = {0};
    strcat(strcat(strcat(json, TEXT), rows[i].more), "}");
    assert_int_equal(cinseq_request_check(rows[i].command, json, &err), CINSEQ_EINVAL);
    if (strcmp(err.where, rows[i].where) != 0 || !strstr(err.message, rows[i].message))
      fail_msg("%s %s: %s: %s", rows[i].command, json, err.where, err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_right_passes), cmocka_unit_test(what_is_wrong_is_said)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
