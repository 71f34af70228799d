/* The library as a C program uses it: numbers, two threads on one model, no output of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cinseq.h"
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char stories[] =
    "{\"input_texts\": [\"Once upon\", \"A cat\"], \"generation_kwargs\": {\"max_new_tokens\": 4}, \"threads\": 2,"
    " \"step_scores\": [\"probability\", \"entropy\"]}";
static const char attention[] =
    "{\"input_texts\": \"Tom and\", \"generation_kwargs\": {\"max_new_tokens\": 6}, \"threads\": 2,"
    " \"attribution_method\": \"attention\"}";

static cinseq_model *open_model(const char *name) {
  cinseq_model *model;
  cinseq_error error;
  if (cinseq_model_open(name, NULL, NULL, &model, &error)) fail_msg("%s: %s", error.where, error.message);
  return model;
}

static cinseq_result *attribute(const cinseq_model *model, const char *request) {
  cinseq_result *result;
  cinseq_error error;
  if (cinseq_attribute(model, request, NULL, &result, &error)) fail_msg("%s: %s", error.where, error.message);
  return result;
}

static size_t size_of(cinseq_array array) {
  size_t size = array.data ? 1 : 0;
  for (size_t i = 0; i < array.rank; i++) size *= array.shape[i];
  return size;
}

static void check_shape(cinseq_array array, size_t rank, size_t first, size_t second) {
  assert_non_null(array.data);
  assert_int_equal(array.rank, rank);
  assert_int_equal(array.shape[0], first);
  if (rank > 1) assert_int_equal(array.shape[1], second);
  for (size_t i = rank; i < 8; i++) assert_int_equal(array.shape[i], 0);
}

/* The numbers say the same as the file that is saved, whose form is checked against Inseq elsewhere. */
static void numbers_of_an_encoder_decoder(void **state) {
  (void)state;
  cinseq_model *model = open_model("zh-en-mini");
  cinseq_result *result =
      attribute(model, "{\"input_texts\": \"我很开心。\", \"generated_texts\": \"I am very happy.\","
                       " \"attribute_target\": true, \"step_scores\": [\"probability\"]}");
  cinseq_model_close(model); /* the result stays */
  assert_int_equal(cinseq_result_count(result), 1);
  assert_null(cinseq_result_sequence(result, 1));
  const cinseq_sequence *s = cinseq_result_sequence(result, 0);
  size_t sources = cinseq_sequence_token_count(s, CINSEQ_SOURCE),
         targets = cinseq_sequence_token_count(s, CINSEQ_TARGET), start, end;
  int32_t id = -1;
  assert_string_equal(cinseq_sequence_token(s, CINSEQ_SOURCE, sources - 1, &id), "</s>");
  assert_true(id >= 0);
  assert_non_null(cinseq_sequence_token(s, CINSEQ_TARGET, targets - 1, NULL));
  assert_null(cinseq_sequence_token(s, CINSEQ_TARGET, targets, &id));
  cinseq_sequence_range(s, &start, &end);
  assert_int_equal(start, 1); /* after the decoder start token */
  assert_int_equal(end, targets);
  cinseq_array raw = cinseq_sequence_attributions(s, CINSEQ_SOURCE);
  check_shape(raw, 3, sources, end - start);
  assert_true(raw.shape[2] > 1);
  check_shape(cinseq_sequence_attributions(s, CINSEQ_TARGET), 3, targets, end - start);
  assert_string_equal(cinseq_sequence_score_name(s, 0), "probability");
  assert_null(cinseq_sequence_score_name(s, 1));
  check_shape(cinseq_sequence_scores(s, "probability"), 1, end - start, 0);
  assert_null(cinseq_sequence_scores(s, "entropy").data);

  cinseq_result *aggregated;
  assert_int_equal(cinseq_result_aggregate(result, NULL, &aggregated, NULL), CINSEQ_OK);
  cinseq_result_close(result); /* the aggregated one stays */
  s = cinseq_result_sequence(aggregated, 0);
  cinseq_array source = cinseq_sequence_attributions(s, CINSEQ_SOURCE),
               target = cinseq_sequence_attributions(s, CINSEQ_TARGET);
  check_shape(source, 2, sources, end - start);
  check_shape(target, 2, targets, end - start);
  for (size_t j = 0; j < end - start; j++) { /* what a column is divided by is its own sum */
    double sum = 0;
    for (size_t i = 0; i < sources; i++) sum += source.data[i * source.shape[1] + j];
    for (size_t i = 0; i < targets; i++) {
      float value = target.data[i * target.shape[1] + j];
      assert_int_equal(isnan(value) != 0, i >= start + j); /* not there yet */
      if (!isnan(value)) sum += value;
    }
    assert_true(fabs(sum - 1) < 1e-5);
  }
  char *info = cinseq_result_info(aggregated);
  json_t *object = json_loads(info, 0, NULL);
  assert_string_equal(json_string_value(json_object_get(object, "attribution_method")), "saliency");
  json_decref(object);
  cinseq_free(info);
  cinseq_result_close(aggregated);
}

static void numbers_of_a_decoder(void **state) {
  (void)state;
  cinseq_model *model = open_model("stories260K");
  cinseq_result *result = attribute(model, stories);
  assert_int_equal(cinseq_result_count(result), 2);
  for (size_t i = 0; i < 2; i++) {
    const cinseq_sequence *s = cinseq_result_sequence(result, i);
    size_t start, end;
    cinseq_sequence_range(s, &start, &end);
    assert_int_equal(end - start, 4);
    assert_int_equal(cinseq_sequence_token_count(s, CINSEQ_SOURCE), start); /* the prompt again, as in Inseq */
    assert_null(cinseq_sequence_attributions(s, CINSEQ_SOURCE).data);
    check_shape(cinseq_sequence_attributions(s, CINSEQ_TARGET), 3, end, 4);
    assert_string_equal(cinseq_sequence_score_name(s, 1), "entropy");
    check_shape(cinseq_sequence_scores(s, "entropy"), 1, 4, 0);
  }
  cinseq_result_close(result);
  cinseq_model_close(model);
}

/* ---- threads ---- */

typedef struct {
  const cinseq_model *model;
  const char *request; /* of a reader: the file to save in */
  cinseq_result *result;
  cinseq_error error;
  int status;
} work;

static void *run(void *argument) {
  work *w = argument;
  w->status = cinseq_attribute(w->model, w->request, NULL, &w->result, &w->error);
  return NULL;
}

static void check_same(cinseq_array a, cinseq_array b) {
  assert_int_equal(a.rank, b.rank);
  assert_memory_equal(a.shape, b.shape, sizeof a.shape);
  if (a.data) assert_memory_equal(a.data, b.data, size_of(a) * sizeof *a.data);
}

static void check_same_result(const cinseq_result *a, const cinseq_result *b) {
  assert_int_equal(cinseq_result_count(a), cinseq_result_count(b));
  for (size_t i = 0; i < cinseq_result_count(a); i++) {
    const cinseq_sequence *x = cinseq_result_sequence(a, i), *y = cinseq_result_sequence(b, i);
    check_same(cinseq_sequence_attributions(x, CINSEQ_SOURCE), cinseq_sequence_attributions(y, CINSEQ_SOURCE));
    check_same(cinseq_sequence_attributions(x, CINSEQ_TARGET), cinseq_sequence_attributions(y, CINSEQ_TARGET));
    for (size_t k = 0; cinseq_sequence_score_name(x, k); k++)
      check_same(cinseq_sequence_scores(x, cinseq_sequence_score_name(x, k)),
                 cinseq_sequence_scores(y, cinseq_sequence_score_name(x, k)));
    for (size_t k = 0; k < cinseq_sequence_token_count(x, CINSEQ_TARGET); k++)
      assert_string_equal(cinseq_sequence_token(x, CINSEQ_TARGET, k, NULL),
                          cinseq_sequence_token(y, CINSEQ_TARGET, k, NULL));
  }
}

enum { THREADS = 2, ROUNDS = 3 };

static void run_both(void *(*function)(void *), work works[THREADS]) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, function, &works[i]), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < THREADS; i++)
    if (works[i].status) fail_msg("%s: %s", works[i].error.where, works[i].error.message);
}

/* Bit by bit what each gives alone, whatever tokenizer and method. */
static void two_threads_share_a_model(void **state) {
  (void)state;
  const struct {
    const char *model, *requests[THREADS];
  } cases[] = {
      {"stories260K", {stories, attention}},
      {"zh-en-mini",
       {"{\"input_texts\": [\"我很开心。\", \"今天\"], \"attribute_target\": true, \"threads\": 2}",
        "{\"input_texts\": \"他在这里。\", \"attribution_method\": \"occlusion\", \"generation_kwargs\": "
        "{\"num_beams\": 3}}"}},
      {TEST_DATA "/golden/models/gpt2",
       {"{\"input_texts\": \"He's going\", \"generation_kwargs\": {\"max_new_tokens\": 3}, \"attribution_method\":"
        " \"integrated_gradients\"}",
        "{\"input_texts\": \"It isn't 42\", \"generation_kwargs\": {\"max_new_tokens\": 3}, \"step_scores\": "
        "[\"entropy\"]}"}}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    cinseq_model *model = open_model(cases[c].model);
    cinseq_result *alone[THREADS];
    for (int i = 0; i < THREADS; i++) alone[i] = attribute(model, cases[c].requests[i]);
    for (int round = 0; round < ROUNDS; round++) {
      work works[THREADS];
      for (int i = 0; i < THREADS; i++) works[i] = (work){.model = model, .request = cases[c].requests[i]};
      run_both(run, works);
      for (int i = 0; i < THREADS; i++) {
        check_same_result(alone[i], works[i].result);
        cinseq_result_close(works[i].result);
      }
    }
    for (int i = 0; i < THREADS; i++) cinseq_result_close(alone[i]);
    cinseq_model_close(model);
  }
}

static void *read_result(void *argument) {
  work *w = argument;
  cinseq_result *aggregated = NULL;
  char *text = NULL, *info = cinseq_result_info(w->result);
  w->status = cinseq_result_aggregate(w->result, NULL, &aggregated, &w->error);
  if (!w->status) w->status = cinseq_result_render(w->result, "terminal", NULL, &text, &w->error);
  if (!w->status) w->status = cinseq_result_save(w->result, w->request, &w->error);
  cinseq_free(info);
  cinseq_free(text);
  cinseq_result_close(aggregated);
  return NULL;
}

static void two_threads_read_a_result(void **state) {
  (void)state;
  char folder[] = "/tmp/cinseq-threads-XXXXXX", paths[THREADS][64];
  assert_non_null(mkdtemp(folder));
  cinseq_model *model = open_model("stories260K");
  cinseq_result *result = attribute(model, stories);
  cinseq_model_close(model);
  work works[THREADS];
  for (int i = 0; i < THREADS; i++) {
    snprintf(paths[i], sizeof paths[i], "%s/%d.json", folder, i);
    works[i] = (work){.result = result, .request = paths[i]};
  }
  run_both(read_result, works);
  cinseq_result_close(result);
  for (int i = 0; i < THREADS; i++) assert_int_equal(unlink(paths[i]), 0);
  rmdir(folder);
}

/* ---- silence ---- */

enum { CALLS = 10 };
static const int expected[CALLS] = {CINSEQ_OK,     CINSEQ_OK,     CINSEQ_OK,    CINSEQ_EINVAL, CINSEQ_EINVAL,
                                    CINSEQ_EINVAL, CINSEQ_EINVAL, CINSEQ_EFILE, CINSEQ_EMODEL, CINSEQ_EFILE};

/* Does not assert: the streams are not there. */
static void succeed_and_fail(int codes[CALLS]) {
  cinseq_model *model = NULL, *none;
  cinseq_result *result = NULL, *nothing;
  char *text = NULL, *no_text;
  cinseq_error error;
  *codes++ = cinseq_model_open("zh-en-mini", NULL, NULL, &model, NULL);
  *codes++ = cinseq_attribute(model, "{\"input_texts\": \"我很开心。\"}", NULL, &result, NULL);
  *codes++ = cinseq_result_render(result, "terminal", NULL, &text, NULL);
  *codes++ = cinseq_attribute(model, "{\"input_texts\": ", NULL, &nothing, &error);
  *codes++ =
      cinseq_attribute(model, "{\"input_texts\": \"x\", \"attribution_method\": \"magic\"}", NULL, &nothing, NULL);
  *codes++ = cinseq_generate(model, "{}", NULL, &no_text, &error);
  *codes++ = cinseq_model_open("no such model", NULL, NULL, &none, &error);
  *codes++ = cinseq_model_open(TEST_DATA "/tokenizers", NULL, NULL, &none, NULL);
  *codes++ = cinseq_model_open(TEST_DATA "/golden/models/marian", "{\"model_kwargs\": {\"model_type\": \"magic\"}}",
                               NULL, &none, &error);
  *codes++ = cinseq_result_load("no such file", &nothing, &error);
  cinseq_free(text);
  cinseq_result_close(result);
  cinseq_model_close(model);
}

/* Everything that is written to the two streams goes to one file, even by the libraries below. */
static void nothing_is_printed(void **state) {
  (void)state;
  char path[] = "/tmp/cinseq-silence-XXXXXX";
  int file = mkstemp(path), saved[2] = {dup(1), dup(2)}, codes[CALLS];
  assert_true(file >= 0 && saved[0] >= 0 && saved[1] >= 0);
  unlink(path);
  fflush(NULL);
  dup2(file, 1), dup2(file, 2);
  succeed_and_fail(codes);
  fflush(NULL);
  off_t written = lseek(file, 0, SEEK_END);
  dup2(saved[0], 1), dup2(saved[1], 2);
  close(file), close(saved[0]), close(saved[1]);
  assert_int_equal(written, 0);
  assert_memory_equal(codes, expected, sizeof expected);
}

/* A daemon has none of them; a file that the library opens then gets their numbers. */
static void closed_streams_do_no_harm(void **state) {
  (void)state;
  fflush(NULL);
  int saved[3] = {dup(0), dup(1), dup(2)}, codes[CALLS];
  for (int i = 0; i < 3; i++) close(i);
  succeed_and_fail(codes);
  for (int i = 0; i < 3; i++) dup2(saved[i], i), close(saved[i]);
  assert_memory_equal(codes, expected, sizeof expected);
}

static int stop(void *context, const char *stage, size_t done, size_t total) {
  (void)stage, (void)done, (void)total;
  return ++*(int *)context > 1;
}

static void a_hook_ends_the_run(void **state) {
  (void)state;
  int calls = 0;
  const cinseq_hooks hooks = {stop, NULL, &calls};
  cinseq_model *model = open_model("stories260K");
  cinseq_result *result;
  cinseq_error error;
  assert_int_equal(cinseq_attribute(model, stories, &hooks, &result, &error), CINSEQ_ECANCEL);
  assert_null(result);
  assert_int_equal(error.code, CINSEQ_ECANCEL);
  assert_int_equal(calls, 2);
  cinseq_model_close(model);
}

static void nothing_is_closed_as_well(void **state) {
  (void)state;
  cinseq_model_close(NULL);
  cinseq_result_close(NULL);
  cinseq_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_of_an_encoder_decoder),
                                     cmocka_unit_test(numbers_of_a_decoder),
                                     cmocka_unit_test(two_threads_share_a_model),
                                     cmocka_unit_test(two_threads_read_a_result),
                                     cmocka_unit_test(nothing_is_printed),
                                     cmocka_unit_test(closed_streams_do_no_harm),
                                     cmocka_unit_test(a_hook_ends_the_run),
                                     cmocka_unit_test(nothing_is_closed_as_well)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
