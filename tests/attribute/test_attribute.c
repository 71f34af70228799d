/* Requests from end to end through the public header, on the embedded models: completeness of integrated gradients, errors that
 * name what is wrong, two threads on one model, cancelling. Reference values are tests/golden's business. */
#include "aggregate/result.h"
#include "base/file.h"
#include "cinseq.h"
#include "engine/subject.h"
#include "models/model.h"
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

enum { ROWS = 9, FIRST = 4, TARGETS = ROWS - FIRST + 1, STEPS = 200 };

typedef struct {
  size_t vocabulary;
  int32_t targets[TARGETS];
} wanted;

static double logit(void *context, const float *logits, size_t target, float *scratch) {
  (void)scratch;
  return (double)logits[((const wanted *)context)->targets[target]];
}

static void logit_gradient(void *context, const float *logits, size_t target, float *slope) {
  (void)logits;
  const wanted *w = context;
  memset(slope, 0, w->vocabulary * sizeof(float));
  slope[w->targets[target]] = 1;
}

/* sum of attributions = f(x) - f(x') (Sundararajan et al. 2017, axiom of completeness) */
static void integrated_gradients_are_complete(void **state) {
  (void)state;
  ci_error err;
  ci_model *model;
  ci_compute compute;
  assert_int_equal(ci_model_open(MODELS "/stories260K", NULL, NULL, NULL, NULL, &model, &err), CI_OK);
  assert_int_equal(ci_compute_open(&compute, 0, "auto", NULL, &err), CI_OK);
  /* a baseline of zeros would not do: RMSNorm jumps there */
  const int32_t ids[ROWS] = {1, 403, 407, 261, 378, 432, 383, 286, 261}, unknown[ROWS] = {0};
  wanted context = {model->vocabulary, {378, 432, 383, 286, 261, 376}};
  size_t rows[TARGETS], width = model->graph.nodes[model->graph.input_node[CI_DECODER]].width;
  ci_subject s = {.graph = &model->graph, .compute = &compute, .ids = ids, .row_count = ROWS, .first_target = FIRST,
                  .target_count = TARGETS, .output_rows = rows, .budget = 1 << 28};
  ci_objective objective = {&context, logit, logit_gradient};
  float *x = malloc(ROWS * width * sizeof *x), *base = calloc(ROWS * width, sizeof *base), *g = malloc(TARGETS * ROWS * width * sizeof *g);
  assert_int_equal(ci_subject_forward(&s, CI_KEEP_KEYS, &err), CI_OK);
  assert_int_equal(ci_run_input_values(s.run, CI_DECODER, ids, ROWS, x, &err), CI_OK);
  assert_int_equal(ci_run_input_values(s.run, CI_DECODER, unknown, ROWS, base, &err), CI_OK);
  ci_point points[STEPS];
  for (int i = 0; i < STEPS; i++) points[i] = (ci_point){(i + 0.5) / STEPS, 1.0 / STEPS};
  ci_path path = {.wanted = {[CI_DECODER] = true}, .baseline = {[CI_DECODER] = base}, .points = points, .point_count = STEPS};
  float *gradients[CI_SPACES] = {[CI_DECODER] = g};
  assert_int_equal(ci_subject_gradients(&s, &path, &objective, gradients, &err), CI_OK);
  double at_baseline[TARGETS];
  ci_perturbation all = {CI_DECODER, 0, ROWS, base};
  assert_int_equal(ci_subject_perturb(&s, &all, 1, &objective, at_baseline, &err), CI_OK);
  for (size_t t = 0; t < TARGETS; t++) {
    double sum = 0, difference = logit(&context, ci_run_logits(s.run, rows[t]), t, NULL) - at_baseline[t];
    for (size_t i = 0; i < ROWS * width; i++)
      sum += (double)g[(i / width * TARGETS + t) * width + i % width] * (double)(x[i] - base[i]);
    if (fabs(sum - difference) > 0.01 * fabs(difference) + 0.02) fail_msg("target %zu: sum %g, difference %g", t, sum, difference);
    assert_true(fabs(difference) > 0.1); /* else the test proves nothing */
  }
  free(x);
  free(base);
  free(g);
  ci_run_close(s.run);
  ci_compute_close(&compute);
  ci_model_close(model);
}

static cinseq_model *open_model(const char *name) {
  cinseq_error err = {0};
  cinseq_model *model = NULL;
  if (cinseq_model_open(name, NULL, NULL, &model, &err)) fail_msg("%s: %s", err.where, err.message);
  return model;
}

/* Each request fails with CINSEQ_EINVAL, and the error names these. */
static void wrong_requests_are_explained(void **state) {
  (void)state;
  static const struct {
    const char *model, *request, *where, *message;
  } cases[] = {
      {MODELS "/stories260K", "{\"input_texts\": [\"Once\"], \"attribution_method\": \"salency\"}", "attribution_method", "saliency"},
      {MODELS "/stories260K", "{\"input_texts\": [\"Once\"], \"attributed_fn\": \"probabilty\"}", "attributed_fn", "probability"},
      {MODELS "/stories260K", "{\"input_texts\": [\"Once\"], \"step_scores\": [\"entrpy\"]}", "step_scores", "entropy"},
      {MODELS "/stories260K",
       "{\"input_texts\": [\"Once\"], \"attribution_method\": \"integrated_gradients\", \"attribution_kwargs\": {\"n_step\": 3}}",
       "attribution_kwargs", "n_steps"},
      {MODELS "/stories260K", "{\"input_texts\": [\"Once upon\"], \"generated_texts\": [\"Twice upon\"]}", "generated_texts", "byte 0"},
      {MODELS "/stories260K", "{\"input_texts\": [\"Once\"], \"generated_ids\": [1, 403, 99999]}", "generated_ids", "99999"},
      {MODELS "/stories260K", "{\"input_texts\": [\"Once\"], \"generation_kwargs\": {\"max_new_token\": 3}}", "generation_kwargs", "max_new_tokens"},
      {MODELS "/stories260K", "{\"input_texts\": [\"Once\"], \"attr_pos_start\": 9, \"attr_pos_end\": 5}", "attr_pos_start", "no token"},
      {MODELS "/zh-en-mini", "{\"input_texts\": [\"\"]}", "input_texts", "empty"},
      {MODELS "/zh-en-mini", "{}", "input_texts", ""},
      {MODELS "/zh-en-mini", "{\"input_texts\": [\"我\"], \"generated_ids\": [8432]}", "generated_ids", "no token"},
      {MODELS "/zh-en-mini", "{\"input_texts\": [\"我\"], \"attribution_kwargs\": {\"input_texts\": 5}}", "attribution_kwargs", "second time"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cinseq_model *model = open_model(cases[i].model);
    cinseq_error err = {0};
    cinseq_result *result = NULL;
    int status = cinseq_attribute(model, cases[i].request, NULL, &result, &err);
    if (status != CINSEQ_EINVAL || !strstr(err.where, cases[i].where) || !strstr(err.message, cases[i].message))
      fail_msg("%s: status %d, \"%s: %s\"", cases[i].request, status, err.where, err.message);
    assert_null(result);
    cinseq_model_close(model);
  }
}

static void too_long_a_text_is_refused(void **state) {
  (void)state;
  cinseq_model *model = open_model(MODELS "/stories260K");
  char request[4096] = "{\"input_texts\": [\"";
  for (int i = 0; i < 600; i++) strcat(request, "a b ");
  strcat(request, "\"]}");
  cinseq_error err = {0};
  cinseq_result *result;
  assert_int_equal(cinseq_attribute(model, request, NULL, &result, &err), CINSEQ_EINVAL);
  assert_non_null(strstr(err.message, "512 positions"));
  assert_string_equal(err.where, "input_texts");
  cinseq_model_close(model);
}

/* As texts or as ids, what is forced is only the beginning where that is asked for. */
static void target_prefixes_go_on(void **state) {
  (void)state;
  cinseq_model *model = open_model(MODELS "/zh-en-mini");
  static const char *const requests[] = {
      "{\"input_texts\": [\"我很开心。\"], \"generated_texts\": [\"I am\"], \"generate_from_target_prefix\": true}",
      "{\"input_texts\": [\"我很开心。\"], \"generated_ids\": [8432, 5000, 5127], \"generate_from_target_prefix\": true}"};
  cinseq_result *results[2];
  cinseq_error err = {0};
  for (size_t i = 0; i < 2; i++)
    if (cinseq_attribute(model, requests[i], NULL, &results[i], &err)) fail_msg("%s: %s", err.where, err.message);
  const ci_sequence *a = &results[0]->sequences[0], *b = &results[1]->sequences[0];
  assert_true(a->target_count > 3);
  assert_int_equal(a->target_count, b->target_count);
  for (size_t i = 0; i < a->target_count; i++) assert_int_equal(a->target[i].id, b->target[i].id);
  for (size_t i = 0; i < 2; i++) cinseq_result_close(results[i]);
  cinseq_model_close(model);
}

static void copy(const char *from, const char *to) {
  char *text;
  size_t length;
  ci_error err;
  assert_int_equal(ci_read_file(from, 1 << 28, &text, &length, &err), CI_OK);
  assert_int_equal(ci_write_file(to, text, length, &err), CI_OK);
  free(text);
}

/* The first number of a tensor becomes NaN; the error names the node. */
static void spoil(const char *tensor, const char *node) {
  char folder[] = "/tmp/cinseq-nan-XXXXXX", from[256], to[256];
  static const char *const files[] = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "model.safetensors"};
  assert_non_null(mkdtemp(folder));
  for (size_t i = 0; i < 6; i++) {
    snprintf(from, sizeof from, "%s/stories260K/%s", MODELS, files[i]);
    snprintf(to, sizeof to, "%s/%s", folder, files[i]);
    copy(from, to);
  }
  FILE *file = fopen(to, "r+b");
  const float bad = NAN;
  char head[65536];
  unsigned long long header;
  assert_int_equal(fread(&header, 8, 1, file), 1);
  assert_int_equal(fread(head, 1, header, file), header);
  head[header] = 0;
  const char *entry = strstr(head, tensor);
  assert_non_null(entry);
  unsigned long long begin = strtoull(strstr(entry, "data_offsets") + 15, NULL, 10);
  fseek(file, (long)(8 + header + begin), SEEK_SET);
  fwrite(&bad, 4, 1, file);
  fclose(file);
  cinseq_model *model = open_model(folder);
  cinseq_error err = {0};
  cinseq_result *result;
  static const char *const methods[] = {"saliency", "integrated_gradients", "attention"}; /* which keep more or less */
  for (size_t i = 0; i < 3; i++) {
    char request[128];
    snprintf(request, sizeof request, "{\"input_texts\": [\"Once upon a time\"], \"attribution_method\": \"%s\"}", methods[i]);
    assert_int_equal(cinseq_attribute(model, request, NULL, &result, &err), CINSEQ_EMODEL);
    if (!strstr(err.message, node)) fail_msg("%s: %s", err.where, err.message);
  }
  cinseq_model_close(model);
  for (size_t i = 0; i < 6; i++) {
    snprintf(to, sizeof to, "%s/%s", folder, files[i]);
    remove(to);
  }
  remove(folder);
}

/* A weight that is not a number is found and named, not drawn as a heat map: nor is one that only a softmax sees. */
static void weights_that_are_not_numbers_are_named(void **state) {
  (void)state;
  spoil("model.layers.2.mlp.down_proj.weight", "decoder.2.mlp.down\"");
  spoil("model.layers.2.self_attn.q_proj.weight", "decoder.2.self_attn.query_projection\"");
  spoil("model.layers.2.self_attn.k_proj.weight", "decoder.2.self_attn.key_projection\"");
}

typedef struct {
  cinseq_model *model;
  const char *request;
  cinseq_result *result;
  int status;
} call;

static void *run_call(void *argument) {
  call *c = argument;
  cinseq_error err;
  c->status = cinseq_attribute(c->model, c->request, NULL, &c->result, &err);
  return NULL;
}

static void two_threads_share_a_model(void **state) {
  (void)state;
  cinseq_model *model = open_model(MODELS "/zh-en-mini");
  call calls[2] = {{model, "{\"input_texts\": [\"我很开心。\"], \"threads\": 1}", NULL, -1}, {model, "{\"input_texts\": [\"我很开心。\"], \"threads\": 2}", NULL, -1}};
  pthread_t other;
  assert_int_equal(pthread_create(&other, NULL, run_call, &calls[1]), 0);
  run_call(&calls[0]);
  pthread_join(other, NULL);
  assert_int_equal(calls[0].status, 0);
  assert_int_equal(calls[1].status, 0);
  const ci_array *a = &calls[0].result->sequences[0].source_attributions, *b = &calls[1].result->sequences[0].source_attributions;
  assert_int_equal(ci_array_size(a), ci_array_size(b));
  for (size_t i = 0; i < ci_array_size(a); i++) assert_true(fabsf(a->data[i] - b->data[i]) <= 1e-6f + 1e-4f * fabsf(a->data[i]));
  cinseq_result_close(calls[0].result);
  cinseq_result_close(calls[1].result);
  cinseq_model_close(model);
}

static int stop(void *context, const char *stage, size_t done, size_t total) {
  (void)done, (void)total;
  return strcmp(stage, context) == 0;
}

static void a_run_can_be_cancelled_in_each_stage(void **state) {
  (void)state;
  cinseq_model *model = open_model(MODELS "/stories260K");
  char *stages[] = {"generating", "attributing"};
  for (size_t i = 0; i < 2; i++) {
    cinseq_hooks hooks = {.progress = stop, .context = stages[i]};
    cinseq_error err;
    cinseq_result *result;
    assert_int_equal(cinseq_attribute(model, "{\"input_texts\": [\"Once upon a time\"]}", &hooks, &result, &err), CINSEQ_ECANCEL);
    assert_null(result);
  }
  cinseq_model_close(model);
}

/* Ends the run while the third text is attributed: each text is generated first. */
typedef struct {
  int begun;
  bool attributing;
} third_text;

static int stop_in_third(void *context, const char *stage, size_t done, size_t total) {
  (void)done, (void)total;
  third_text *t = context;
  bool attributing = strcmp(stage, "attributing") == 0;
  t->begun += attributing && !t->attributing;
  t->attributing = attributing;
  return t->begun == 3;
}

static void finished_texts_can_be_kept(void **state) {
  (void)state;
  static const char request[] =
      "{\"input_texts\": [\"One\", \"Two cats\", \"Once\", \"A dog\"], \"generation_kwargs\": {\"max_new_tokens\": 3}, "
      "\"output_step_attributions\": true, \"step_scores\": [\"contrast_prob\"], \"attribution_kwargs\": {\"contrast_targets\": "
      "[\"One big\", \"Two cats big\", \"Once big\", \"A dog big\"]}%s}";
  cinseq_model *model = open_model(MODELS "/stories260K");
  for (int keep = 0; keep < 2; keep++) {
    third_text third = {0};
    cinseq_hooks hooks = {.progress = stop_in_third, .context = &third};
    cinseq_error err = {0};
    cinseq_result *result;
    char text[1024];
    snprintf(text, sizeof text, request, keep ? ", \"keep_finished\": true" : "");
    int status = cinseq_attribute(model, text, &hooks, &result, &err);
    assert_int_equal(third.begun, 3);
    if (!keep) {
      assert_int_equal(status, CINSEQ_ECANCEL);
      assert_null(result);
      continue;
    }
    if (status) fail_msg("%s: %s", err.where, err.message);
    assert_int_equal(cinseq_result_count(result), 2);
    assert_int_equal(result->step_count, 6); /* those of both */
    const json_t *info = result->info;
    assert_int_equal(json_array_size(json_object_get(info, "input_texts")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(info, "input_texts"), 1)), "Two cats");
    assert_int_equal(json_array_size(json_object_get(info, "generated_texts")), 2);
    const json_t *arguments = json_object_get(info, "step_scores_args");
    assert_int_equal(json_array_size(json_object_get(arguments, "contrast_targets_alignments")), 2);
    cinseq_result_close(result);
  }
  cinseq_hooks at_once = {.progress = stop, .context = "generating"};
  cinseq_error err;
  cinseq_result *result;
  assert_int_equal(cinseq_attribute(model, "{\"input_texts\": [\"One\"], \"keep_finished\": true}", &at_once, &result, &err),
                   CINSEQ_ECANCEL); /* there is nothing to keep */
  assert_null(result);
  cinseq_model_close(model);
}

static void a_wrong_text_is_found_before_others_are_run(void **state) {
  (void)state;
  cinseq_model *model = open_model(MODELS "/zh-en-mini");
  cinseq_hooks hooks = {.progress = stop, .context = "generating"};
  static char request[4096];
  cinseq_error err;
  cinseq_result *result;
  assert_int_equal(cinseq_attribute(model, "{\"input_texts\": [\"a\", \"\"]}", &hooks, &result, &err), CINSEQ_EINVAL);
  assert_non_null(strstr(err.message, "text 2 is empty"));
  char *lines;
  assert_int_equal(cinseq_generate(model, "{\"input_texts\": [\"a\", \"\"]}", &hooks, &lines, &err), CINSEQ_EINVAL);
  assert_non_null(strstr(err.message, "text 2 is empty"));
  int length = snprintf(request, sizeof request, "{\"input_texts\": [\"a\", \"");
  for (int i = 0; i < 300; i++) length += snprintf(request + length, sizeof request - (size_t)length, "a b ");
  snprintf(request + length, sizeof request - (size_t)length, "\"]}");
  assert_int_equal(cinseq_attribute(model, request, &hooks, &result, &err), CINSEQ_EINVAL);
  assert_non_null(strstr(err.message, "text 2: "));
  assert_non_null(strstr(err.message, "positions"));
  assert_int_equal(cinseq_attribute(model, "{\"input_texts\": [\"a\", \"a\"]}", &hooks, &result, &err), CINSEQ_ECANCEL);
  cinseq_model_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(integrated_gradients_are_complete),  cmocka_unit_test(wrong_requests_are_explained),
      cmocka_unit_test(target_prefixes_go_on),
      cmocka_unit_test(too_long_a_text_is_refused),         cmocka_unit_test(weights_that_are_not_numbers_are_named),
      cmocka_unit_test(two_threads_share_a_model),          cmocka_unit_test(a_run_can_be_cancelled_in_each_stage),
      cmocka_unit_test(a_wrong_text_is_found_before_others_are_run),
      cmocka_unit_test(finished_texts_can_be_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
