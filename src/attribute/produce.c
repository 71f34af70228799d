/* The text that is attributed, and the forward that goes with it: generated (whose rows are then already computed), or
 * forced (one forward over all of it). See attribution.h. */
#include "attribute/job.h"
#include <math.h>
#include <string.h>

/* Drives a run for ci_generate. */
typedef struct {
  ci_attribution *a;
  ci_run *run;
  bool keeps_logits; /* greedy and sampled text: the rows are what is attributed later */
} driver;

static ci_status not_finite(ci_run *run, const ci_model *model, ci_error *err) {
  const char *node;
  ci_status status = ci_run_find_not_finite(run, &node, err);
  if (status) return status;
  return ci_fail(err, CI_EMODEL, model->path, "the model computes values that are not finite, the first in node \"%s\"",
                 node ? node : "output.logits");
}

/* NaN or +inf among them: there are no probabilities. A bias of -inf is a way to forbid a token. */
static bool are_broken(const ci_attribution *a, const float *logits) {
  return !(a->job->compute->kernels->sum(logits, a->job->model->vocabulary) < INFINITY);
}

static ci_status advance(void *context, size_t count, const int *parents, const int32_t *tokens, int *branches,
                         float *logits, ci_error *err) {
  driver *d = context;
  ci_space *space = &d->run->spaces[CI_DECODER];
  size_t vocabulary = d->a->job->model->vocabulary, row = 0, first = 0;
  ci_status status = CI_OK;
  if (!d->keeps_logits) ci_run_drop_outputs(d->run);
  for (size_t i = 0; i < count && !status; i++) {
    const ci_branch *parent = &space->branches[parents[i]];
    size_t length = parent->length;
    branches[i] =
        d->keeps_logits ? parents[i] : ci_run_branch(d->run, CI_DECODER, parents[i], length, parent->source_branch);
    if (branches[i] < 0) return ci_fail_memory(err);
    status = ci_run_append(d->run, CI_DECODER, branches[i], &tokens[i], 1, err);
    if (!status) status = ci_run_want_logits(d->run, branches[i], length, &row, err);
    if (!i) first = row;
  }
  if (!status) status = ci_run_forward(d->run, err);
  for (size_t i = 0; i < count && !status; i++) {
    const float *from = ci_run_logits(d->run, first + i);
    if (are_broken(d->a, from)) return not_finite(d->run, d->a->job->model, err);
    for (size_t v = 0; v < vocabulary; v++) logits[i * vocabulary + v] = from[v];
  }
  return status;
}

static int progress(void *context, size_t done, size_t total) {
  driver *d = context;
  return ci_job_report(d->a->job, "generating", done, total);
}

/* The flag that the output's tokens came with. */
static const char *output_flag(const ci_attribution *a) {
  const ci_attribute_request *request = a->job->request;
  return request->generated_ids ? "generated_ids" : request->generated_texts ? "generated_texts" : "input_texts";
}

/* The engine refuses too long a text as well, but does not know where it came from. */
static ci_status check_length(const ci_attribution *a, ci_error *err) {
  const ci_subject *s = &a->subject;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    size_t rows = ci_subject_rows(s, space), most = s->graph->positions[space];
    if (most && rows > most)
      return ci_fail(err, CI_EINVAL, space == CI_ENCODER ? "input_texts" : output_flag(a),
                     "text %zu: %zu tokens are more than the model's %zu positions", a->job->text_index + 1, rows,
                     most);
  }
  return CI_OK;
}

/* The subject is the text so far; its rows are computed in a new run, with logits from the first position that
 * predicts. */
static ci_status start(ci_attribution *a, ci_keep keep, ci_error *err) {
  ci_subject *s = &a->subject;
  s->first_target = a->job->model->graph.encoder_decoder ? 1 : a->prefix;
  s->row_count = a->prefix;
  s->target_count = a->prefix + 1 - s->first_target;
  s->ids = a->target.items;
  ci_status status = check_length(a, err);
  if (status) return status;
  ci_free(s->output_rows);
  s->output_rows = ci_alloc(s->target_count, sizeof *s->output_rows);
  return s->output_rows ? ci_subject_forward(s, keep, err) : ci_fail_memory(err);
}

/* What to keep while generating: a guess of the length decides whether everything fits. */
static ci_keep plan(const ci_attribution *a, bool beams) {
  ci_keep wanted = a->job->method ? a->job->method->keep : CI_KEEP_KEYS;
  if (beams || wanted == CI_KEEP_KEYS) return CI_KEEP_KEYS;
  ci_subject guess = a->subject;
  int64_t more = a->job->generation.max_new_tokens, whole = a->job->generation.max_length;
  guess.row_count = a->prefix + (size_t)(more > 0 ? more : whole > 0 ? whole : 20);
  return ci_subject_plan(&guess, 1, wanted);
}

static ci_status take_ids(ci_attribution *a, const ci_generated *text, ci_error *err) {
  ci_status status = CI_OK;
  a->target.count = 0;
  for (size_t i = 0; i < text->count && !status; i++) status = ci_ids_add(&a->target, text->ids[i], err);
  return status;
}

/* The decoder begins as in transformers' generate(): with the generation's own start, before a target prefix that
 * begins with another; a language of the generation wins over a prefix. */
static ci_status set_start(ci_attribution *a, ci_error *err) {
  const ci_generation *g = &a->job->generation;
  ci_status status = CI_OK;
  if (!a->job->model->graph.encoder_decoder) return CI_OK;
  if (g->language_token >= 0) a->target.count = a->prefix = 1;
  if (g->decoder_start_token_id >= 0 && g->decoder_start_token_id != a->target.items[0]) {
    if (a->prefix > 1) {
      status = ci_ids_add(&a->target, 0, err);
      if (status) return status;
      memmove(a->target.items + 1, a->target.items, a->prefix++ * sizeof *a->target.items);
    }
    a->target.items[0] = (int32_t)g->decoder_start_token_id;
  }
  if (g->language_token < 0) return CI_OK;
  status = ci_ids_add(&a->target, (int32_t)g->language_token, err);
  a->prefix += !status;
  return status;
}

static ci_status generate(ci_attribution *a, ci_error *err) {
  const ci_generation *g = &a->job->generation;
  const ci_model *model = a->job->model;
  bool beams = g->num_beams > 1;
  ci_status status = set_start(a, err);
  if (!status) status = start(a, plan(a, beams), err);
  if (status) return status;
  driver d = {a, a->subject.run, !beams};
  ci_stepper stepper = {&d, model->vocabulary, advance, progress, a->source.items, a->source.count};
  float *logits = ci_alloc(model->vocabulary, sizeof *logits);
  if (!logits) return ci_fail_memory(err);
  const float *last = ci_run_logits(d.run, a->subject.output_rows[a->subject.target_count - 1]);
  for (size_t v = 0; v < model->vocabulary; v++) logits[v] = last[v];
  ci_generated text = {0};
  status = are_broken(a, last) ? not_finite(d.run, model, err)
                               : ci_generate(g, &stepper, a->target.items, a->prefix, model->graph.encoder_decoder,
                                             model->graph.positions[CI_DECODER], a->subject.branch, logits, &text, err);
  if (!status) status = take_ids(a, &text, err);
  if (beams) { /* the finished text's rows lie scattered among those of dropped beams: one extra pass */
    ci_run_close(a->subject.run);
    a->subject.run = NULL;
  }
  ci_free(text.ids);
  ci_free(logits);
  return status;
}

/* Inseq's attr_pos_start and attr_pos_end (spec 1.6), half-open for both kinds of models. */
static ci_status set_positions(ci_attribution *a, ci_error *err) {
  int64_t length = (int64_t)a->target.count, start = a->job->request->attr_pos_start,
          end = a->job->request->attr_pos_end;
  int64_t least = a->job->model->graph.encoder_decoder ? 1 : (int64_t)a->prefix;
  if (end == CI_NOT_GIVEN || end > length) end = length;
  if (end < 0) end += length;
  if (start == CI_NOT_GIVEN) start = least;
  if (start < 0) start += length;
  if (start < least) start = least; /* a prompt's tokens are not predicted, the decoder start neither */
  if (length <= least)
    return ci_fail(err, CI_EINVAL, output_flag(a), "text %zu: there is no token to attribute after the %lld given",
                   a->job->text_index + 1, (long long)least);
  if (start >= end)
    return ci_fail(err, CI_EINVAL, end <= least ? "attr_pos_end" : "attr_pos_start",
                   "positions %lld to %lld hold no token: the text has %lld to %lld", (long long)start, (long long)end,
                   (long long)least, (long long)length);
  a->start = (size_t)start;
  a->end = (size_t)end;
  return CI_OK;
}

/* After generation the run's output rows begin with the first predictor: find those of the attributed targets. */
static ci_status aim(ci_attribution *a, ci_error *err) {
  ci_subject *s = &a->subject;
  size_t first = s->first_target, count = a->end - a->start;
  size_t *rows = ci_alloc(count, sizeof *rows);
  if (!rows) return ci_fail_memory(err);
  for (size_t t = 0; s->run && t < count; t++) rows[t] = a->start + t - first;
  ci_free(s->output_rows);
  s->output_rows = rows;
  s->first_target = a->start;
  s->target_count = count;
  s->row_count = a->end - 1;
  s->ids = a->target.items;
  return check_length(a, err);
}

static bool is_forced(const ci_attribute_request *request) {
  return (request->generated_texts || request->generated_ids) && !request->generate_from_target_prefix;
}

static ci_status check_text(ci_job *job, size_t index, ci_error *err) {
  ci_attribution a = {.job = job};
  bool forced = is_forced(job->request);
  job->text_index = index;
  ci_status status = ci_attribution_prepare(&a, index, err);
  if (!status && forced) status = set_positions(&a, err);
  a.subject.graph = &job->model->graph;
  a.subject.source_count = a.source.count;
  a.subject.row_count = forced && !status ? a.end - 1 : a.prefix;
  if (!status) status = check_length(&a, err);
  ci_attribution_free(&a);
  return status;
}

ci_status ci_job_check_texts(ci_job *job, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; job->text_count > 1 && i < job->text_count && !status; i++) status = check_text(job, i, err);
  return status;
}

ci_status ci_attribution_produce(ci_attribution *a, ci_error *err) {
  ci_job *job = a->job;
  const ci_attribute_request *request = job->request;
  a->subject = (ci_subject){.graph = &job->model->graph,
                            .compute = job->compute,
                            .source = a->source.items,
                            .source_count = a->source.count,
                            .budget = job->budget,
                            .target_block = (size_t)request->target_block};
  ci_status status = is_forced(request) ? CI_OK : generate(a, err);
  if (!status) status = set_positions(a, err);
  if (!status) status = aim(a, err);
  if (!status) status = ci_subject_forward(&a->subject, ci_subject_plan(&a->subject, 1, job->method->keep), err);
  for (size_t t = 0; t < a->subject.target_count && !status; t++)
    if (are_broken(a, ci_run_logits(a->subject.run, a->subject.output_rows[t])))
      status = not_finite(a->subject.run, job->model, err);
  return status;
}

/* A JSON array of the first `count` ids; NULL: memory is out. New reference. */
static json_t *array_of(const ci_ids *ids, size_t count) {
  json_t *array = json_array();
  for (size_t i = 0; i < count && array; i++)
    if (json_array_append_new(array, json_integer(ids->items[i]))) {
      json_decref(array);
      array = NULL;
    }
  return array;
}

ci_status ci_attribution_text(const ci_attribution *a, ci_text *text, ci_error *err) {
  const ci_model *model = a->job->model;
  size_t from = a->job->request->chat && !model->graph.encoder_decoder ? a->prefix : 0;
  return ci_tokenizer_decode(model->tokenizer, a->target.items + from, a->target.count - from, true, text, err);
}

/* {"input_ids": [...], "output_ids": [...], "text": "..."} */
static ci_status add_line(const ci_attribution *a, ci_text *lines, ci_error *err) {
  const ci_model *model = a->job->model;
  bool both = model->graph.encoder_decoder;
  ci_text text = {0};
  ci_status status = ci_attribution_text(a, &text, err);
  if (!status && text.failed) status = ci_fail_memory(err);
  if (!status) {
    json_t *input = both ? array_of(&a->source, a->source.count) : array_of(&a->target, a->prefix);
    json_t *line = json_pack("{s:o,s:o,s:o}", "input_ids", input, "output_ids", array_of(&a->target, a->target.count),
                             "text", json_stringn(text.data ? text.data : "", text.length));
    char *dumped = ci_json_text(line, JSON_COMPACT);
    if (dumped)
      ci_text_add_format(lines, "%s\n", dumped);
    else
      status = ci_fail_memory(err);
    ci_free(dumped);
    json_decref(line);
  }
  ci_text_free(&text);
  return status;
}

ci_status ci_attribution_generate(ci_job *job, size_t index, ci_text *lines, ci_error *err) {
  ci_attribution a = {.job = job};
  ci_status status = ci_attribution_prepare(&a, index, err);
  a.subject = (ci_subject){.graph = &job->model->graph,
                           .compute = job->compute,
                           .source = a.source.items,
                           .source_count = a.source.count,
                           .budget = job->budget};
  if (!status) status = generate(&a, err);
  if (!status) status = add_line(&a, lines, err);
  ci_attribution_free(&a);
  return status;
}
