/* Requests: defaults, what is refused and how it is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "api/request.h"
#include <string.h>

static void defaults_are_those_of_inseq(void **state) {
  (void)state;
  ci_attribute_request r;
  json_t *owner;
  ci_error err;
  assert_int_equal(ci_attribute_request_read("{\"input_texts\": \"a\"}", &r, &owner, &err), CI_OK);
  assert_string_equal(r.attribution_method, "saliency");
  assert_null(r.attributed_fn);
  assert_int_equal(json_array_size(r.input_texts), 1);
  assert_null(r.generated_texts);
  assert_null(r.generated_ids);
  assert_int_equal(json_array_size(r.step_scores), 0);
  assert_true(r.attr_pos_start == CI_NOT_GIVEN && r.attr_pos_end == CI_NOT_GIVEN);
  assert_int_equal(r.batch_size, 8);
  assert_int_equal(r.target_block, 0);
  assert_false(r.attribute_target || r.include_eos_baseline || r.skip_special_tokens || r.clean_special_chars);
  assert_string_equal(r.run.device, "cpu");
  assert_string_equal(r.run.gemm, "auto");
  assert_int_equal(r.run.memory_bytes, 0);
  json_decref(owner);
}

static void values_arrive(void **state) {
  (void)state;
  ci_attribute_request r;
  json_t *owner;
  ci_error err;
  const char *text = "{\"input_texts\": [\"a\", \"b\"], \"generated_ids\": [[1, 2], [3]], \"attr_pos_start\": -2,"
                     "\"attr_pos_end\": 0, \"memory_budget\": \"1.5M\", \"attribution_kwargs\": {\"n_steps\": 3}}";
  assert_int_equal(ci_attribute_request_read(text, &r, &owner, &err), CI_OK);
  assert_int_equal(json_array_size(r.generated_ids), 2);
  assert_int_equal(r.attr_pos_start, -2);
  assert_int_equal(r.attr_pos_end, 0);
  assert_int_equal(r.run.memory_bytes, 3 << 19);
  assert_int_equal(json_integer_value(json_object_get(r.attribution_kwargs, "n_steps")), 3);
  json_decref(owner);
  /* one array of ids stands for one input */
  assert_int_equal(ci_attribute_request_read("{\"input_texts\": \"a\", \"generated_ids\": [4, 5]}", &r, &owner, &err),
                   CI_OK);
  assert_int_equal(json_array_size(r.generated_ids), 1);
  assert_int_equal(json_array_size(json_array_get(r.generated_ids, 0)), 2);
  json_decref(owner);
}

static void wrong_requests_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *request, *where, *message;
  } cases[] = {
      {"{}", "input_texts", "no text is given, expected one or more"},
      {"{\"input_texts\": []}", "input_texts", "no text is given, expected one or more"},
      {"{\"input_texts\": [1]}", "request", "\"input_texts\" has the wrong type: expected strings"},
      {"{\"input_texts\": \"a\", \"step_score\": []}", "request",
       "unknown option \"step_score\": did you mean \"step_scores\"?"},
      {"{\"input_texts\": \"a\", \"device\": \"cuda\"}", "device", "\"cuda\" is not supported: only cpu is"},
      {"{\"input_texts\": \"a\", \"batch_size\": 0}", "request", "\"batch_size\" is 0, expected 1 to 1000000000"},
      {"{\"input_texts\": \"a\", \"generated_texts\": [\"b\", \"c\"]}", "generated_texts",
       "2 for 1 input_texts, expected one for each"},
      {"{\"input_texts\": \"a\", \"generated_texts\": [\"b\"], \"generated_ids\": [1]}", "generated_ids",
       "is given together with generated_texts, expected one of them"},
      {"{\"input_texts\": \"a\", \"generated_ids\": [[1], [2]]}", "generated_ids",
       "2 for 1 input_texts, expected one for each"},
      {"{\"input_texts\": \"a\", \"generated_ids\": [[1, -2]]}", "generated_ids", "member 1 is not a token id"},
      {"{\"input_texts\": \"a\", \"generated_ids\": {}}", "generated_ids",
       "expected an array of token ids, or an array of such arrays"},
      {"{\"input_texts\": \"a\", \"memory_budget\": \"lots\"}", "memory_budget",
       "\"lots\" is not an amount of memory, expected one like 256M or 2G"},
      {"[]", "request", "expected a JSON object"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_attribute_request r;
    json_t *owner;
    ci_error err;
    assert_int_equal(ci_attribute_request_read(cases[i].request, &r, &owner, &err), CI_EINVAL);
    assert_null(owner);
    assert_string_equal(err.where, cases[i].where);
    if (!strstr(err.message, cases[i].message)) fail_msg("%s: %s", cases[i].request, err.message);
  }
  ci_generate_request g;
  json_t *owner;
  ci_error err;
  assert_int_equal(ci_generate_request_read("{\"input_texts\": \"a\", \"gemm\": \"magic\"}", &g, &owner, &err),
                   CI_EINVAL);
  assert_string_equal(err.where, "gemm");
  assert_non_null(strstr(err.message, "naive"));
  assert_int_equal(ci_generate_request_read("{\"input_texts\": ", &g, &owner, &err), CI_EINVAL);
  static const char *const ids[][2] = {{"{\"input_ids\": []}", "expected an array of token ids"},
                                       {"{\"input_ids\": 3}", "expected an array of token ids"},
                                       {"{\"input_ids\": [[1], []]}", "expected an array of token ids"},
                                       {"{\"input_ids\": [\"a\"]}", "member 0 is not a token id"},
                                       {"{\"input_ids\": [1], \"input_texts\": \"a\"}", "together with input_texts"},
                                       {"{\"input_ids\": [1], \"chat\": true}", "together with chat"}};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    assert_int_equal(ci_generate_request_read(ids[i][0], &g, &owner, &err), CI_EINVAL);
    assert_string_equal(err.where, "input_ids");
    if (!strstr(err.message, ids[i][1])) fail_msg("%s: %s", ids[i][0], err.message);
  }
  assert_int_equal(ci_generate_request_read("{\"input_ids\": [4, 5]}", &g, &owner, &err), CI_OK);
  assert_int_equal(json_array_size(g.input_ids), 1);
  json_decref(owner);
}

static void memory_sizes(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t bytes;
  } good[] = {{"0", 0},
              {"1000", 1000},
              {"64k", 65536},
              {"256M", 256u << 20},
              {"2GiB", (size_t)2 << 30},
              {"1.5gb", (size_t)3 << 29},
              {"7b", 7}};
  static const char *const bad[] = {"", "M", "1X", "1M2", "-1", "1e3", "1.2.3", "99999999999999T", "1mm", "1bb"};
  size_t bytes;
  ci_error err;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_int_equal(ci_memory_size_read("flag", good[i].text, &bytes, &err), CI_OK);
    assert_int_equal(bytes, good[i].bytes);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(ci_memory_size_read("flag", bad[i], &bytes, &err), CI_EINVAL);
}

static void open_requests(void **state) {
  (void)state;
  ci_open_request r;
  json_t *owner;
  ci_error err;
  assert_int_equal(ci_open_request_read(NULL, &r, &owner, &err), CI_OK);
  assert_int_equal(json_object_size(r.model_kwargs), 0);
  json_decref(owner);
  assert_int_equal(ci_open_request_read("{\"model_kwargs\": 3}", &r, &owner, &err), CI_EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(defaults_are_those_of_inseq), cmocka_unit_test(values_arrive),
                                     cmocka_unit_test(wrong_requests_are_refused), cmocka_unit_test(memory_sizes),
                                     cmocka_unit_test(open_requests)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
