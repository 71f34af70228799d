/* Every way through the library with the n-th allocation failing: it says that memory is out, or it did not need it; it
 * does not crash, and (in sanitized builds) it leaks nothing. All n are tried where there are few, a spread of them
 * where there are many; CINSEQ_EVERY=1 tries all. */
#include "cinseq.h"
#include "support/failing_allocation.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { MOST_TRIES = 250 };

#define GOLDEN TEST_DATA "/golden/models/"

/* CINSEQ_OK and what came of it, the same every time (cinseq_free), or an error. */
typedef int scenario(const char *folder, char **outcome, cinseq_error *error);

static cinseq_model *shared; /* opened while memory lasts */

static int no_memory(cinseq_error *error) {
  *error = (cinseq_error){.code = CINSEQ_ENOMEM, .message = "NULL"};
  return CINSEQ_ENOMEM;
}

static int open_only(const char *folder, char **outcome, cinseq_error *error) {
  cinseq_model *model;
  int status = cinseq_model_open(folder, NULL, NULL, &model, error);
  if (status) {
    assert_null(model);
    return status;
  }
  *outcome = cinseq_model_info(model);
  cinseq_model_close(model);
  return *outcome ? CINSEQ_OK : no_memory(error);
}

static int generate_only(const char *folder, char **outcome, cinseq_error *error) {
  (void)folder;
  static const char text[] =
      "{\"input_texts\": [\"He is going\"], \"threads\": 1, \"generation_kwargs\": {\"max_new_tokens\": 2, "
      "\"num_beams\": 2}}";
  return cinseq_generate(shared, text, NULL, outcome, error);
}

static int attribute_by(const char *method, cinseq_result **result, cinseq_error *error) {
  char text[600];
  snprintf(text, sizeof text,
           "{\"input_texts\": [\"He is going\"], \"threads\": 1, \"step_scores\": [\"entropy\"], "
           "\"attribution_method\": \"%s\", "
           "\"generation_kwargs\": {\"max_new_tokens\": 2}, \"attribution_kwargs\": {\"attributed_fn\": \"logit\"}}",
           method);
  return cinseq_attribute(shared, text, NULL, result, error);
}

/* Made, saved, loaded, made a page of, shown. */
static int attribute_and_save(const char *folder, char **outcome, cinseq_error *error) {
  (void)folder;
  static char path[] = "/tmp/cinseq-memory-XXXXXX";
  if (strchr(path, 'X')) close(mkstemp(path));
  cinseq_result *result, *again;
  char *page;
  int status = attribute_by("saliency", &result, error);
  if (status) return status;
  status = cinseq_result_save(result, path, error);
  cinseq_result_close(result);
  if (!status) status = cinseq_result_load(path, &again, error);
  if (status) return status;
  status = cinseq_result_render(again, "html", NULL, &page, error);
  if (!status) cinseq_free(page);
  if (!status) status = cinseq_result_render(again, "terminal", NULL, outcome, error);
  cinseq_result_close(again);
  unlink(path);
  return status;
}

static int attribute_by_steps(const char *folder, char **outcome, cinseq_error *error) {
  (void)folder;
  static const char *const methods[] = {"attention", "occlusion", "integrated_gradients", NULL};
  int status = CINSEQ_OK;
  for (size_t i = 0; methods[i] && !status; i++) {
    cinseq_result *result;
    cinseq_free(*outcome);
    *outcome = NULL;
    status = attribute_by(methods[i], &result, error);
    if (!status) status = cinseq_result_render(result, "terminal", NULL, outcome, error);
    cinseq_result_close(result);
  }
  return status;
}

/* Whether it ended well; says so if not. */
static int try_one(scenario *run, const char *folder, const char *expected, size_t number, int lasting) {
  cinseq_error error = {0};
  char *outcome = NULL;
  allocation_fail_at(number, lasting);
  int status = run(folder, &outcome, &error);
  size_t failures = allocation_failures();
  allocation_fail_at(0, 0);
  const char *problem = NULL;
  if (status != CINSEQ_OK && status != CINSEQ_ENOMEM) problem = "another error than that memory is out";
  if (status && (error.code != status || !error.message[0])) problem = "no message";
  if (status && !failures) problem = "memory is out, though no allocation failed";
  if (status && outcome) problem = "a result in spite of the error";
  if (!status && strcmp(outcome, expected) != 0) problem = "another result, without an error";
  if (problem)
    printf("allocation %zu%s: %s: status %d: %s: %s\n", number, lasting ? " and all after it" : "", problem, status,
           error.where, error.message);
  cinseq_free(outcome);
  return problem == NULL;
}

static void try_all(scenario *run, const char *folder) {
  cinseq_error error = {0};
  char *expected = NULL, *again = NULL;
  if (run(folder, &expected, &error)) fail_msg("with memory: %s: %s", error.where, error.message);
  allocation_fail_at(0, 0); /* what is set up once is */
  assert_int_equal(run(folder, &again, &error), CINSEQ_OK);
  assert_string_equal(again, expected);
  cinseq_free(again);
  size_t count = allocation_count(), step = getenv("CINSEQ_EVERY") ? 1 : count / MOST_TRIES + 1, bad = 0;
  assert_true(count > 20);
  for (size_t n = 1; n <= count; n += step) bad += !try_one(run, folder, expected, n, 0);
  for (size_t n = 1; n <= count; n += 7 * step) bad += !try_one(run, folder, expected, n, 1);
  printf("%zu allocations, every %zu\n", count, step);
  cinseq_free(expected);
  assert_int_equal(bad, 0);
}

static void opening(void **state) {
  try_all(open_only, *state);
}

static void with_model(scenario *run, const char *folder) {
  cinseq_error error = {0};
  if (cinseq_model_open(folder, NULL, NULL, &shared, &error)) fail_msg("%s: %s", error.where, error.message);
  try_all(run, folder);
  cinseq_model_close(shared);
}

static void generating(void **state) {
  with_model(generate_only, *state);
}

static void attributing(void **state) {
  with_model(attribute_and_save, *state);
}

static void attributing_by_steps(void **state) {
  with_model(attribute_by_steps, *state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      {"opening gpt2", opening, NULL, NULL, (void *)(GOLDEN "gpt2")},
      {"opening llama", opening, NULL, NULL, (void *)(GOLDEN "llama")},
      {"opening marian", opening, NULL, NULL, (void *)(GOLDEN "marian")},
      {"opening stories260K", opening, NULL, NULL, (void *)(MODELS "/stories260K")},
      {"generating, gpt2", generating, NULL, NULL, (void *)(GOLDEN "gpt2")},
      {"generating, marian", generating, NULL, NULL, (void *)(GOLDEN "marian")},
      {"attributing, llama", attributing, NULL, NULL, (void *)(GOLDEN "llama")},
      {"attributing, marian", attributing, NULL, NULL, (void *)(GOLDEN "marian")},
      {"attributing by steps, gpt2", attributing_by_steps, NULL, NULL, (void *)(GOLDEN "gpt2")},
      {"attributing by steps, marian", attributing_by_steps, NULL, NULL, (void *)(GOLDEN "marian")},
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
