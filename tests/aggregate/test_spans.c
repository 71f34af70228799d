/* The aggregators that join, cut, compare and weight, on small results whose outcome can be worked out by hand. */
#include "aggregate/spans.h"
#include "base/memory.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Target "a b c d e" with d and e generated from position 3, source "x y"; scores are row + 10 column, step scores 0.5
 * and 0.25. */
static void fill(ci_sequence *s) {
  static const char *const target[] = {"\u2581a", "b", "\u2581c", "d", "\u2581e"}, *const source[] = {"\u2581x", "y"};
  ci_error err = {0};
  *s = (ci_sequence){.kind = CI_PLAIN, .attr_pos_start = 3, .attr_pos_end = 5};
  s->target = ci_alloc_zeroed(5, sizeof *s->target);
  s->source = ci_alloc_zeroed(2, sizeof *s->source);
  for (; s->target_count < 5; s->target_count++)
    s->target[s->target_count] =
        (ci_token){.id = (int32_t)s->target_count, .token = ci_duplicate(target[s->target_count])};
  for (; s->source_count < 2; s->source_count++)
    s->source[s->source_count] =
        (ci_token){.id = (int32_t)s->source_count, .token = ci_duplicate(source[s->source_count])};
  assert_int_equal(ci_array_create(&s->source_attributions, 2, (const size_t[]){2, 2}, &err), CI_OK);
  assert_int_equal(ci_array_create(&s->target_attributions, 2, (const size_t[]){5, 2}, &err), CI_OK);
  for (size_t i = 0; i < 4; i++) s->source_attributions.data[i] = (float)(i / 2 + 10 * (i % 2));
  for (size_t i = 0; i < 10; i++)
    s->target_attributions.data[i] = i / 2 < 3 + i % 2 ? (float)(i / 2 + 10 * (i % 2)) : NAN;
  s->step_scores = ci_alloc_zeroed(1, sizeof *s->step_scores);
  s->step_scores_count = 1;
  s->step_scores[0].name = ci_duplicate("probability");
  assert_int_equal(ci_array_create(&s->step_scores[0].values, 1, (const size_t[]){2}, &err), CI_OK);
  s->step_scores[0].values.data[0] = 0.5f;
  s->step_scores[0].values.data[1] = 0.25f;
}

static void expect(const ci_array *array, size_t rows, size_t columns, const float *wanted) {
  assert_int_equal(array->shape[0], rows);
  if (array->rank > 1) assert_int_equal(array->shape[1], columns);
  for (size_t i = 0; i < rows * columns; i++)
    if (isnan(wanted[i]) ? !isnan(array->data[i]) : !(fabsf(array->data[i] - wanted[i]) < 1e-6f))
      fail_msg("value %zu is %g, expected %g", i, (double)array->data[i], (double)wanted[i]);
}

static void expect_tokens(const ci_token *tokens, size_t count, const char *wanted) {
  ci_text joined = {0};
  for (size_t i = 0; i < count; i++) ci_text_add_format(&joined, "%s%s", i ? " " : "", tokens[i].token);
  assert_string_equal(joined.data ? joined.data : "", wanted);
  ci_text_free(&joined);
}

static ci_status aggregate(const char *name, const char *arguments, const ci_sequence *paired, ci_sequence *out,
                           ci_error *err) {
  ci_sequence s;
  json_t *names = json_pack("[s]", name), *options = json_loads(arguments, 0, NULL);
  fill(&s);
  ci_status status = ci_sequence_aggregate(&s, paired, names, options, out, err);
  ci_sequence_free(&s);
  json_decref(names);
  json_decref(options);
  return status;
}

static void run(const char *name, const char *arguments, ci_sequence *out) {
  ci_error err = {0};
  if (aggregate(name, arguments, NULL, out, &err)) fail_msg("%s %s: %s: %s", name, arguments, err.where, err.message);
}

/* A span over the first generated token keeps what was generated of it; probabilities are multiplied. */
static void spans_join(void **state) {
  (void)state;
  ci_sequence out;
  run("spans", "{\"target_spans\": [[0, 2], [2, 4]], \"source_spans\": [0, 2]}", &out);
  expect_tokens(out.target, out.target_count, "\u2581ab \u2581cd \u2581e");
  expect_tokens(out.source, out.source_count, "\u2581xy");
  assert_int_equal(out.target[0].id, -1);
  assert_int_equal(out.target[2].id, 4);
  assert_int_equal(out.attr_pos_start, 1);
  assert_int_equal(out.attr_pos_end, 3);
  expect(&out.target_attributions, 3, 2, (const float[]){1, 11, 2, 13, NAN, NAN});
  expect(&out.source_attributions, 1, 2, (const float[]){1, 11});
  expect(&out.step_scores[0].values, 2, 1, (const float[]){0.5f, 0.25f});
  ci_sequence_free(&out);
  run("spans", "{\"target_spans\": [3, 5], \"aggregate_fn\": \"sum\"}", &out);
  expect(&out.source_attributions, 2, 1, (const float[]){10, 12});
  expect(&out.step_scores[0].values, 1, 1, (const float[]){0.75f}); /* the function that is asked for, of all scores */
  ci_sequence_free(&out);
  run("spans", "{\"target_spans\": [3, 5]}", &out);
  expect(&out.step_scores[0].values, 1, 1, (const float[]){0.125f});
  ci_sequence_free(&out);
}

/* By the marks of a file, by what the text says, and by marks that are given; the last piece belongs to its word. */
static void step_scores_have_functions_of_their_own(void **state) {
  (void)state;
  ci_sequence out;
  run("spans", "{\"target_spans\": [3, 5]}", &out);
  assert_true(fabsf(out.step_scores[0].values.data[0] - 0.125f) < 1e-6f);
  ci_sequence_free(&out);
  run("spans",
      "{\"target_spans\": [3, 5], \"step_score_functions\": {\"probability\": \"mean\", \"entropy\": \"sum\"}}", &out);
  assert_true(fabsf(out.step_scores[0].values.data[0] - 0.375f) < 1e-6f);
  ci_sequence_free(&out);
  ci_error err = {0};
  json_t *arguments = json_loads("{\"step_score_functions\": {\"mine\": \"maen\"}}", 0, NULL),
         *names = json_pack("[s]", "spans");
  assert_int_equal(ci_aggregators_check(names, arguments, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "mean"));
  json_decref(names);
  json_decref(arguments);
}

static void subwords_join_words(void **state) {
  (void)state;
  ci_sequence out, s;
  ci_error err = {0};
  run("subwords", "{}", &out);
  expect_tokens(out.target, out.target_count, "\u2581ab \u2581cd \u2581e");
  expect_tokens(out.source, out.source_count, "\u2581xy");
  ci_sequence_free(&out);
  run("subwords", "{\"special_chars\": [\"b\", \"d\"], \"is_suffix_symbol\": true, \"aggregate_source\": false}", &out);
  expect_tokens(out.target, out.target_count, "\u2581ab \u2581cd \u2581e");
  expect_tokens(out.source, out.source_count, "\u2581x y");
  ci_sequence_free(&out);
  fill(&s);
  for (size_t i = 0; i < 5; i++) s.target[i].word = i == 3 ? CI_WORD_BEGINS : CI_WORD_GOES_ON;
  for (size_t i = 0; i < 2; i++) s.source[i].word = CI_WORD_BEGINS;
  json_t *names = json_pack("[s]", "subwords");
  assert_int_equal(ci_sequence_aggregate(&s, NULL, names, NULL, &out, &err), CI_OK);
  expect_tokens(out.target, out.target_count, "\u2581ab\u2581c d\u2581e");
  ci_sequence_free(&out);
  static const char *const marked[][5] = {{"a", "##b", "c", "##d", "e"},
                                          {"a", "b</w>", "c", "d</w>", "e</w>"},
                                          {"a@@", "b", "c@@", "d", "e"},
                                          {"\u0120a", "b", "\u0120c", "d", "</s>"}};
  for (size_t k = 0; k < 4; k++) {
    for (size_t i = 0; i < 5; i++) {
      ci_free(s.target[i].token);
      s.target[i] = (ci_token){.id = 1, .token = ci_duplicate(marked[k][i])};
    }
    for (size_t i = 0; i < 2; i++) {
      ci_free(s.source[i].token);
      s.source[i] = (ci_token){.id = 1, .token = ci_duplicate("x")};
    }
    assert_int_equal(ci_sequence_aggregate(&s, NULL, names, NULL, &out, &err), CI_OK);
    assert_int_equal(out.target_count, 3);
    assert_int_equal(out.attr_pos_start, 1);
    ci_sequence_free(&out);
  }
  json_decref(names);
  ci_sequence_free(&s);
}

static void split_groups(void **state) {
  (void)state;
  static const struct {
    const char *arguments, *target;
  } cases[] = {{"{\"split_pattern\": \"c\"}", "\u2581ab \u2581c d\u2581e"},
               {"{\"split_pattern\": \"c\", \"split_mode\": \"start\"}", "\u2581ab \u2581cd\u2581e"},
               {"{\"split_pattern\": \"c\", \"split_mode\": \"end\"}", "\u2581ab\u2581c d\u2581e"},
               {"{\"split_pattern\": \"b\u2581c|d\"}", "\u2581a b\u2581c d \u2581e"},
               {"{\"split_pattern\": \"q\"}", "\u2581a b \u2581c d \u2581e"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_sequence out;
    run("split", cases[i].arguments, &out);
    expect_tokens(out.target, out.target_count, cases[i].target);
    ci_sequence_free(&out);
  }
}

/* Generated tokens stay; what is left of the prompt moves up. */
static void slices_cut(void **state) {
  (void)state;
  ci_sequence out;
  run("slices", "{\"target_spans\": [1, 2], \"source_spans\": [1, 2]}", &out);
  expect_tokens(out.target, out.target_count, "b d \u2581e");
  expect_tokens(out.source, out.source_count, "y");
  assert_int_equal(out.attr_pos_start, 1);
  assert_int_equal(out.attr_pos_end, 3);
  expect(&out.target_attributions, 3, 2, (const float[]){1, 11, NAN, 13, NAN, NAN});
  expect(&out.source_attributions, 1, 2, (const float[]){1, 11});
  ci_sequence_free(&out);
  run("slices", "{\"target_spans\": [[0, 1], [2, 4]]}", &out); /* reaches into what is generated */
  expect_tokens(out.target, out.target_count, "\u2581a \u2581c d \u2581e");
  assert_int_equal(out.attr_pos_start, 2);
  ci_sequence_free(&out);
  run("slices", "{\"source_spans\": [1, 2]}", &out); /* of the target, what is generated */
  expect_tokens(out.source, out.source_count, "y");
  expect_tokens(out.target, out.target_count, "d \u2581e");
  assert_int_equal(out.attr_pos_start, 0);
  assert_int_equal(out.attr_pos_end, 2);
  expect(&out.target_attributions, 2, 2, (const float[]){NAN, 13, NAN, NAN});
  ci_sequence_free(&out);
}

static void pairs_are_subtracted(void **state) {
  (void)state;
  ci_sequence out, other;
  ci_error err = {0};
  fill(&other);
  other.target_attributions.data[0] = 7;
  ci_free(other.target[1].token);
  other.target[1].token = ci_duplicate("B");
  assert_int_equal(aggregate("pair", "{}", &other, &out, &err), CI_OK);
  assert_true(out.target_attributions.data[0] == 7 && out.target_attributions.data[1] == 0);
  expect_tokens(out.target, out.target_count, "\u2581a b → B \u2581c d \u2581e");
  assert_int_equal(out.target[1].id, -1);
  ci_sequence_free(&out);
  assert_int_equal(aggregate("pair", "{\"aggregate_fn\": \"max\"}", &other, &out, &err), CI_OK);
  assert_true(out.target_attributions.data[0] == 7 && out.target_attributions.data[1] == 10);
  ci_sequence_free(&out);
  other.target_count--;
  assert_int_equal(aggregate("pair", "{}", &other, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "5 and 4 tokens"));
  other.target_count++;
  ci_sequence_free(&other);
}

static void weights_multiply_columns(void **state) {
  (void)state;
  ci_sequence out;
  run("weight", "{\"weight_by\": \"probability\"}", &out);
  expect(&out.source_attributions, 2, 2, (const float[]){0, 2.5f, 0.5f, 2.75f});
  ci_sequence_free(&out);
  run("weight", "{}", &out); /* there is only one score */
  expect(&out.source_attributions, 2, 2, (const float[]){0, 2.5f, 0.5f, 2.75f});
  ci_sequence_free(&out);
}

/* Scores with a width are reduced and normalised first: a column then has the magnitude of its step score. */
static void weights_come_after_the_default(void **state) {
  (void)state;
  ci_sequence s, out;
  ci_error err = {0};
  fill(&s);
  s.kind = CI_GRANULAR;
  ci_array *sides[] = {&s.source_attributions, &s.target_attributions};
  for (int i = 0; i < 2; i++) {
    sides[i]->rank = 3; /* of one number */
    sides[i]->shape[2] = 1;
  }
  json_t *names = json_pack("[s]", "weight"), *options = json_pack("{s:n}", "attribution_selectors");
  assert_int_equal(ci_sequence_aggregate(&s, NULL, names, options, &out, &err), CI_OK);
  assert_int_equal(out.target_attributions.rank, 2);
  for (int c = 0; c < 2; c++) {
    float sum = 0;
    for (size_t r = 0; r < 2; r++) sum += out.source_attributions.data[r * 2 + (size_t)c];
    for (size_t r = 0; r < 5; r++)
      sum +=
          isnan(out.target_attributions.data[r * 2 + (size_t)c]) ? 0 : out.target_attributions.data[r * 2 + (size_t)c];
    assert_true(fabsf(sum - s.step_scores[0].values.data[c]) < 1e-6f);
  }
  json_decref(names);
  json_decref(options);
  ci_sequence_free(&s);
  ci_sequence_free(&out);
}

static void wrong_arguments_are_explained(void **state) {
  (void)state;
  static const struct {
    const char *name, *arguments, *where, *message;
  } cases[] = {
      {"spans", "{}", "spans", "neither"},
      {"spans", "{\"target_spans\": [[0, 2], [1, 3]]}", "target_spans",
       "span 1 begins at 1, before the end of the last one at 2"},
      {"spans", "{\"target_spans\": [[2, 6]]}", "target_spans", "span 0, 2 to 6, lies outside of the text's 5 tokens"},
      {"spans", "{\"source_spans\": [1, 1]}", "source_spans", "empty"},
      {"spans", "{\"source_spans\": [[0, 1], 2]}", "source_spans", "span 1 is not"},
      {"spans", "{\"source_spans\": \"all\"}", "source_spans", "expected [start, end]"},
      {"split", "{}", "split_pattern", "needed"},
      {"split", "{\"split_pattern\": \"(\"}", "split_pattern", "cannot be compiled"},
      {"split", "{\"split_pattern\": \"a\", \"split_mode\": \"both\"}", "split", "single|start|end"},
      {"slices", "{}", "slices", "neither"},
      {"pair", "{}", "paired_attr", "needed"},
      {"weight", "{\"weight_by\": \"probabilty\"}", "weight_by", "did you mean \"probability\""},
      {"spans", "{\"target_spans\": [0, 2], \"aggregate_fn\": \"summ\"}", "aggregate_fn", "did you mean \"sum\""},
      {"spans", "{\"target_spans\": [0, 2], \"aggregate_fn\": [\"sum\", \"max\"]}", "aggregate_fn", "2 for 1"},
      {"mean", "{\"aggregate_fn\": \"max\"}", "aggregate_fn", "\"max\" for \"mean\", which is a function itself"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_sequence out;
    ci_error err = {0};
    assert_int_equal(aggregate(cases[i].name, cases[i].arguments, NULL, &out, &err), CI_EINVAL);
    if (strcmp(err.where, cases[i].where) != 0 || !strstr(err.message, cases[i].message))
      fail_msg("%s %s: %s: %s", cases[i].name, cases[i].arguments, err.where, err.message);
    assert_null(out.target);
  }
}

/* select_idx and rescale of `scores`, and indices for each stage. */
static void scores_are_selected(void **state) {
  (void)state;
  ci_sequence s = {.kind = CI_MULTIDIMENSIONAL, .n_dimensions = 2}, out;
  ci_error err = {0};
  assert_int_equal(ci_array_create(&s.target_attributions, 4, (const size_t[]){1, 1, 2, 3}, &err), CI_OK);
  for (size_t i = 0; i < 6; i++) s.target_attributions.data[i] = (float)i - 1;
  static const struct {
    const char *names, *arguments;
    float wanted;
  } cases[] = {
      {"[\"mean\", \"mean\"]", "{\"normalize\": false, \"attribution_selectors\": [2, 1]}", 4},
      {"[\"max\", \"sum\"]", "{\"normalize\": false}", 5},
      {"[\"max\", \"sum\"]", "{\"rescale\": true}", 1},
      {"[\"sum\", \"sum\"]", "{\"normalize\": false, \"select_idx\": [0, 1]}", 4},
      {"[\"vnorm\", \"mean\"]", "{\"normalize\": false, \"vnorm_ord\": 1, \"attribution_selectors\": [-1, 0]}", 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *names = json_loads(cases[i].names, 0, NULL), *arguments = json_loads(cases[i].arguments, 0, NULL);
    if (ci_sequence_aggregate(&s, NULL, names, arguments, &out, &err))
      fail_msg("%s: %s: %s", cases[i].arguments, err.where, err.message);
    if (fabsf(out.target_attributions.data[0] - cases[i].wanted) > 1e-6f)
      fail_msg("%s: %g", cases[i].arguments, (double)out.target_attributions.data[0]);
    ci_sequence_free(&out);
    json_decref(names);
    json_decref(arguments);
  }
  json_t *names = json_pack("[s]", "mean"), *both = json_pack("{s:b, s:b}", "normalize", 1, "rescale", 1),
         *far = json_pack("{s:i}", "select_idx", 3);
  assert_int_equal(ci_sequence_aggregate(&s, NULL, names, both, &out, &err), CI_EINVAL);
  assert_int_equal(ci_sequence_aggregate(&s, NULL, names, far, &out, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "index 3"));
  json_decref(names);
  json_decref(both);
  json_decref(far);
  ci_array_free(&s.target_attributions);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(step_scores_have_functions_of_their_own),
                                     cmocka_unit_test(spans_join),
                                     cmocka_unit_test(subwords_join_words),
                                     cmocka_unit_test(split_groups),
                                     cmocka_unit_test(slices_cut),
                                     cmocka_unit_test(pairs_are_subtracted),
                                     cmocka_unit_test(weights_multiply_columns),
                                     cmocka_unit_test(weights_come_after_the_default),
                                     cmocka_unit_test(scores_are_selected),
                                     cmocka_unit_test(wrong_arguments_are_explained)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
