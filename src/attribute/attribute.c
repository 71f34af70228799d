/* A request from its JSON to its result. See attribution.h. */
#include "attribute/job.h"
#include "attribute/words.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void ci_job_warn(const ci_job *job, const char *format, ...) {
  if (!job->hooks || !job->hooks->warning) return;
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  ci_make_printable(message);
  job->hooks->warning(job->hooks->context, message);
}

/* The objective in the engine's terms: a score of the target's id. */
static ci_score_input score_input(const ci_attribution *a, int whose, const float *logits, size_t target,
                                  float *scratch) {
  const ci_passes *passes = &a->passes[whose];
  ci_score_input input = {.logits = logits,
                          .vocabulary = a->job->model->vocabulary,
                          .target = a->target.items[a->start + target],
                          .kernels = a->job->compute->kernels,
                          .position = a->start + target,
                          .text = a->job->text_index,
                          .source = a->source.items,
                          .source_count = a->source.count,
                          .ids = a->target.items,
                          .id_count = a->target.count};
  ci_score_prepare(&input, scratch);
  input.contrast = ci_contrast_at(a, &a->contrasts[whose], target, &input);
  if (passes->count)
    input.passes = (ci_score_passes){passes->log_probabilities + target * passes->count, passes->count};
  return input;
}

static double objective_value(void *context, const float *logits, size_t target, float *scratch) {
  const ci_attribution *a = context;
  ci_score_input input = score_input(a, CI_OF_OBJECTIVE, logits, target, scratch);
  return a->job->objective.score->value(&input, a->job->objective.options);
}

static void objective_gradient(void *context, const float *logits, size_t target, float *slope) {
  const ci_attribution *a = context;
  ci_score_input input = score_input(a, CI_OF_OBJECTIVE, logits, target, slope);
  a->job->objective.score->gradient(&input, a->job->objective.options, slope);
}

static int report_progress(void *context, size_t done, size_t total) {
  ci_attribution *a = context;
  size_t targets = a->subject.target_count;
  return ci_job_report(a->job, "attributing", total ? done * targets / total : 0, targets);
}

static ci_status add_step_scores(ci_attribution *a, ci_error *err) {
  ci_job *job = a->job;
  ci_sequence *out = a->out;
  out->step_scores = ci_alloc_zeroed(job->step_score_count, sizeof *out->step_scores);
  if (!out->step_scores) return ci_fail_memory(err);
  const size_t shape[] = {a->subject.target_count};
  for (size_t i = 0; i < job->step_score_count; i++) {
    ci_named_array *score = &out->step_scores[out->step_scores_count++];
    score->name = ci_duplicate(job->step_scores[i].score->id);
    ci_status status = score->name ? ci_array_create(&score->values, 1, shape, err) : ci_fail_memory(err);
    if (status) return status;
    score->values.integers = job->step_scores[i].score->integers;
  }
  for (size_t t = 0; t < a->subject.target_count && job->step_score_count; t++) {
    ci_score_input input =
        score_input(a, CI_OF_STEP_SCORES, ci_run_logits(a->subject.run, a->subject.output_rows[t]), t, a->scratch);
    for (size_t i = 0; i < job->step_score_count; i++)
      out->step_scores[i].values.data[t] = (float)job->step_scores[i].score->value(&input, job->step_scores[i].options);
  }
  return CI_OK;
}

/* The arguments of the contrast that scores of one kind read; NULL: none of them is contrastive. */
static const ci_contrast_options *contrast_options(const ci_job *job, int whose) {
  if (whose == CI_OF_OBJECTIVE) return job->objective.score->contrastive ? job->objective.options : NULL;
  for (size_t i = 0; i < job->step_score_count; i++)
    if (job->step_scores[i].score->contrastive) return job->step_scores[i].options;
  return NULL;
}

/* Opens the contrasts, and computes those whose own text is read. */
static ci_status add_contrasts(ci_attribution *a, ci_error *err) {
  ci_job *job = a->job;
  ci_status status = CI_OK;
  for (int i = CI_OF_OBJECTIVE; i <= CI_OF_STEP_SCORES && !status; i++) {
    const ci_contrast_options *options = contrast_options(job, i);
    if (!options) continue;
    status = ci_contrast_open(a, options, &a->contrasts[i], err);
    if (!status && (i == CI_OF_STEP_SCORES || options->force_inputs))
      status = ci_contrast_forward(a, &a->contrasts[i], err);
    if (!job->alignments[i]) job->alignments[i] = json_array();
    if (!status && json_array_append_new(job->alignments[i], ci_contrast_pairs(a, &a->contrasts[i])))
      status = ci_fail_memory(err);
  }
  return status;
}

/* The first contrast with a text of its own gives the labels. */
static ci_status label(const ci_attribution *a, ci_error *err) {
  for (int i = CI_OF_OBJECTIVE; i <= CI_OF_STEP_SCORES; i++)
    if (a->contrasts[i].options && a->contrasts[i].options->targets) return ci_contrast_label(a, &a->contrasts[i], err);
  return CI_OK;
}

/* Step scores, of rows that are forgotten afterwards unless the attributed function reads them too. */
static ci_status score(ci_attribution *a, ci_error *err) {
  ci_run_mark mark = ci_run_get_mark(a->subject.run);
  ci_status status = add_contrasts(a, err);
  for (int i = CI_OF_OBJECTIVE; i <= CI_OF_STEP_SCORES && !status; i++)
    status = ci_passes_open(a, i, &a->passes[i], err);
  if (!status) status = add_step_scores(a, err);
  if (!a->contrasts[CI_OF_OBJECTIVE].rows) ci_run_truncate(a->subject.run, &mark);
  return status;
}

static ci_status add_tokens(const ci_attribution *a, const int32_t *ids, size_t count, ci_token **tokens,
                            size_t *token_count, ci_error *err) {
  const ci_tokenizer *tokenizer = a->job->model->tokenizer;
  *tokens = ci_alloc_zeroed(count, sizeof **tokens);
  if (!*tokens) return ci_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    const char *raw = ci_tokenizer_token(tokenizer, ids[i]);
    ci_text clean = {0};
    if (raw && a->job->request->clean_special_chars) {
      ci_status status = ci_tokenizer_token_to_text(tokenizer, raw, &clean, err);
      if (status) return ci_text_free(&clean), status;
    }
    (*tokens)[i] = (ci_token){.id = ids[i], .token = ci_duplicate(clean.length ? clean.data : raw ? raw : "")};
    ci_text_free(&clean);
    if (!(*tokens)[i].token) return ci_fail_memory(err);
    *token_count = i + 1;
  }
  return ci_words_mark(tokenizer, ids, *tokens, count, err);
}

static ci_status fill_frame(ci_attribution *a, ci_error *err) {
  ci_sequence *out = a->out;
  bool both = a->job->model->graph.encoder_decoder;
  out->kind = a->job->method->kind;
  out->n_dimensions = a->job->method->n_dimensions;
  out->attr_pos_start = a->start;
  out->attr_pos_end = a->end;
  ci_status status = add_tokens(a, a->target.items, a->target.count, &out->target, &out->target_count, err);
  if (status) return status;
  return add_tokens(a, both ? a->source.items : a->target.items, both ? a->source.count : a->start, &out->source,
                    &out->source_count, err);
}

static ci_status decode(const ci_attribution *a, json_t *texts, ci_error *err) {
  ci_text text = {0};
  const ci_job *job = a->job;
  if (job->request->chat && !job->model->graph.encoder_decoder) /* as when the answer is forced */
    ci_text_add(&text, json_string_value(json_array_get(job->request->input_texts, job->text_index)));
  ci_status status = ci_attribution_text(a, &text, err);
  if (!status && json_array_append_new(texts, json_stringn(text.data ? text.data : "", text.length)))
    status = ci_fail_memory(err);
  ci_text_free(&text);
  return status;
}

/* Scores that overflowed after their gradients were looked at (a square, a product, a difference) are not drawn. What a
 * step does not see is NaN; infinite nothing may be, and of the source, which all steps see, nothing NaN. */
static ci_status check_scores(const ci_attribution *a, ci_error *err) {
  const ci_array *arrays[] = {&a->out->source_attributions, &a->out->target_attributions};
  size_t targets = a->subject.target_count;
  for (size_t i = 0; i < 2; i++) {
    size_t cells = arrays[i]->data ? ci_array_size(arrays[i]) : 0;
    size_t inner = cells ? cells / arrays[i]->shape[0] / targets : 1;
    for (size_t c = 0; c < cells; c++) {
      float x = arrays[i]->data[c];
      size_t row = c / inner / targets, step = c / inner % targets;
      bool seen = i == 0 || row < a->start + step;
      if (isinf(x) || (isnan(x) && seen && a->job->method->kind == CI_GRANULAR))
        return ci_fail(err, CI_EMODEL, a->job->method->id, "step %zu: the score of %s token %zu is not finite",
                       step + 1, i ? "target" : "source", row);
    }
  }
  return CI_OK;
}

/* One text of the request, into out. */
static ci_status attribute_text(ci_job *job, size_t index, ci_sequence *out, json_t *generated, ci_error *err) {
  ci_attribution a = {.job = job, .out = out};
  job->text_index = index;
  a.objective = (ci_objective){&a, objective_value, objective_gradient};
  ci_status status = ci_attribution_prepare(&a, index, err);
  if (!status) status = ci_attribution_produce(&a, err);
  a.subject.progress = report_progress;
  a.subject.progress_context = &a;
  if (!status) status = fill_frame(&a, err);
  if (!status) status = score(&a, err);
  if (!status) status = label(&a, err);
  if (!status) status = job->method->attribute(&a, job->method_options, err);
  if (!status) status = check_scores(&a, err);
  if (!status) status = decode(&a, generated, err);
  ci_attribution_free(&a);
  return status;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static json_t *or_empty(json_t *object) {
  return object ? json_deep_copy(object) : json_object();
}

/* Arguments as given (stolen; NULL: memory is out), and the seed of what draws, given or not: with it the numbers come
 * again. */
static json_t *with_seed(json_t *arguments, const ci_option *table, const void *options) {
  const ci_option *seed = table ? ci_options_find(table, "seed") : NULL;
  if (!arguments || !seed) return arguments;
  const int64_t *value = (const void *)((const char *)options + seed->offset);
  if (!json_object_set_new(arguments, "seed", json_integer(*value))) return arguments;
  json_decref(arguments);
  return NULL;
}

/* The seed of texts that were drawn is among them too. */
static json_t *generation_arguments(const ci_job *job) {
  json_t *arguments = or_empty(job->request->generation_kwargs);
  bool drawn = job->generation.do_sample && !json_object_get(arguments, "seed");
  if (!drawn || !json_object_set_new(arguments, "seed", json_integer(job->generation.seed))) return arguments;
  json_decref(arguments);
  return NULL;
}

static json_t *method_arguments(const ci_job *job) {
  return with_seed(or_empty(job->attribution_args), job->method->options, job->method_options);
}

/* Arguments of scores, with the alignments that were found for their contrast. */
static json_t *score_arguments(json_t *arguments, json_t *alignments, const ci_bound_score *scores, size_t count) {
  json_t *copy = or_empty(arguments);
  if (copy && alignments && json_object_get(copy, "contrast_targets") &&
      json_object_set(copy, "contrast_targets_alignments", alignments)) {
    json_decref(copy);
    return NULL;
  }
  for (size_t i = 0; i < count; i++) copy = with_seed(copy, scores[i].score->options, scores[i].options);
  return copy;
}

/* The first `count` values: of a run that was ended, the texts that are done. New reference. */
static json_t *first_of(json_t *values, size_t count) {
  if (json_array_size(values) <= count) return json_incref(values);
  json_t *first = json_array();
  for (size_t i = 0; i < count && first; i++)
    if (json_array_append(first, json_array_get(values, i))) {
      json_decref(first);
      first = NULL;
    }
  return first;
}

/* Inseq's info keys (spec 1.5). */
static ci_status fill_info(const ci_job *job, ci_result *result, json_t *generated, double seconds, ci_error *err) {
  const ci_attribute_request *r = job->request;
  char fn[96];
  snprintf(fn, sizeof fn, "%s_fn", job->objective.score->id);
  json_t *names = json_array();
  bool failed = !names;
  for (size_t i = 0; i < job->step_score_count; i++)
    failed = failed || json_array_append_new(names, json_string(job->step_scores[i].score->id));
  if (failed) return json_decref(names), ci_fail_memory(err);
  size_t start = result->sequences[0].attr_pos_start, end = 0;
  for (size_t i = 0; i < result->count; i++) {
    if (result->sequences[i].attr_pos_start < start) start = result->sequences[i].attr_pos_start;
    if (result->sequences[i].attr_pos_end > end) end = result->sequences[i].attr_pos_end;
  }
  bool forced = r->generated_texts || r->generated_ids;
  json_t *info = json_pack(
      "{s:s, s:I, s:I, s:b, s:b, s:o, s:f, s:s, s:s, s:s?, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b}",
      "attribution_method", job->method->id, "attr_pos_start", (json_int_t)start, "attr_pos_end", (json_int_t)end,
      "output_step_attributions", r->output_step_attributions, "attribute_target", r->attribute_target, "step_scores",
      names, "exec_time", round(seconds * 1e5) / 1e5, "model_name",
      job->model->name ? job->model->name : job->model->path, "model_class", job->model->architecture->class_name,
      "tokenizer_name", job->model->tokenizer_name, "tokenizer_class",
      ci_tokenizer_get_facts(job->model->tokenizer)->class_name, "include_eos_baseline", r->include_eos_baseline,
      "attributed_fn", fn, "attribution_args", method_arguments(job), "attributed_fn_args",
      score_arguments(job->attributed_fn_args, job->alignments[CI_OF_OBJECTIVE], &job->objective, 1),
      "step_scores_args",
      score_arguments(job->step_scores_args, job->alignments[CI_OF_STEP_SCORES], job->step_scores,
                      job->step_score_count),
      "input_texts", first_of(r->input_texts, result->count), "generated_texts",
      first_of(r->generated_texts && !r->generate_from_target_prefix ? r->generated_texts : generated, result->count),
      "generation_args",
      generation_arguments(job), "constrained_decoding", forced, "generate_from_target_prefix",
      r->generate_from_target_prefix);
  if (!info) return ci_fail_memory(err);
  json_decref(result->info);
  result->info = info;
  return CI_OK;
}

static ci_status fill_statistics(const ci_job *job, ci_result *result, double seconds, ci_error *err) {
  size_t source = 0, target = 0, attributed = 0;
  for (size_t i = 0; i < result->count; i++) {
    const ci_sequence *s = &result->sequences[i];
    source += job->model->graph.encoder_decoder ? s->source_count : 0;
    target += s->target_count;
    attributed += s->attr_pos_end - s->attr_pos_start;
  }
  const ci_compute *c = job->compute;
  result->statistics = json_pack(
      "{s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:f, s:f, s:i, s:s, s:s}", "sequences", (json_int_t)result->count,
      "source_tokens", (json_int_t)source, "target_tokens", (json_int_t)target, "attributed_tokens",
      (json_int_t)attributed, "seconds", seconds, "peak_bytes", (json_int_t)ci_memory_peak(), "gemm_rows",
      (json_int_t)c->gemm_rows, "gemm_calls", (json_int_t)c->gemm_calls, "gemm_flop", c->gemm_flop, "weight_bytes",
      c->weight_bytes, "threads", ci_pool_threads(c->pool), "gemm", c->gemm->id, "kernels", c->kernels->id);
  return result->statistics ? CI_OK : ci_fail_memory(err);
}

/* Of a run that was ended the first `done` texts are left; of the next there may be something. */
static void drop_unfinished(ci_job *job, ci_result *result, size_t done) {
  for (size_t i = done; i < result->count; i++) ci_sequence_free(&result->sequences[i]);
  result->count = done;
  for (int i = CI_OF_OBJECTIVE; i <= CI_OF_STEP_SCORES; i++)
    while (json_array_size(job->alignments[i]) > done) json_array_remove(job->alignments[i], done);
}

ci_status ci_job_run(ci_job *job, ci_result **out, ci_error *err) {
  double begin = now();
  json_t *generated = json_array();
  ci_result *result = ci_result_create(job->text_count);
  ci_status status = result && generated ? ci_job_check_texts(job, err) : ci_fail_memory(err);
  size_t done = 0;
  for (; done < job->text_count && !status; done += !status)
    status = attribute_text(job, done, &result->sequences[done], generated, err);
  if (status == CI_ECANCEL && job->request->keep_finished && done) {
    drop_unfinished(job, result, done);
    status = CI_OK;
  }
  if (!status && job->request->output_step_attributions) status = ci_result_add_steps(result, err);
  double seconds = now() - begin;
  if (!status) status = fill_info(job, result, generated, seconds, err);
  if (!status) status = fill_statistics(job, result, seconds, err);
  json_decref(generated);
  if (status)
    ci_result_close(result);
  else
    *out = result;
  return status;
}
