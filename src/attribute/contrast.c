/* See contrast.h. */
#include "attribute/alignment.h"
#include "attribute/attribution.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void ci_contrast_free(ci_contrast *c) {
  ci_ids_free(&c->source);
  ci_ids_free(&c->target);
  ci_free(c->aligned);
  ci_free(c->rows);
  ci_free(c->log_sums);
}

/* The text of a list that has one for each input text; NULL: there is no list. */
static ci_status text_at(const ci_attribution *a, const json_t *texts, const char *name, const char **text,
                         ci_error *err) {
  size_t count = json_array_size(texts);
  *text = NULL;
  if (!texts) return CI_OK;
  if (count != a->job->text_count)
    return ci_fail(err, CI_EINVAL, name, "%zu for %zu input_texts, expected one for each", count, a->job->text_count);
  *text = json_string_value(json_array_get(texts, a->job->text_index));
  return CI_OK;
}

static ci_status copy_ids(const ci_ids *from, ci_ids *to, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < from->count && !status; i++) status = ci_ids_add(to, from->items[i], err);
  return status;
}

/* What the decoder gets: as for a forced text of this input. */
static ci_status encode_target(const ci_attribution *a, const char *text, ci_ids *ids, ci_error *err) {
  const ci_attribute_request *request = a->job->request;
  const char *input = json_string_value(json_array_get(request->input_texts, a->job->text_index));
  bool both = a->job->model->graph.encoder_decoder;
  ci_status status = CI_OK;
  size_t given = both ? 1 : *input ? 0 : a->prefix; /* an empty prompt is the beginning of a sentence */
  for (size_t i = 0; i < given && !status; i++) status = ci_ids_add(ids, a->target.items[i], err);
  char *whole = NULL;
  if (!status && request->chat) { /* the template's prompt and the answer */
    ci_text joined = {0};
    ci_text_add(&joined, input);
    ci_text_add(&joined, text);
    whole = ci_text_take(&joined);
    if (!whole) status = ci_fail_memory(err);
  }
  if (!status) status = ci_attribution_encode(a, whole ? whole : text, true, ids, err);
  ci_free(whole);
  if (!status && ids->count < 2)
    status =
        ci_fail(err, CI_EINVAL, "contrast_targets", "text %zu has no token that is predicted", a->job->text_index + 1);
  return status;
}

static ci_status check_length(const ci_attribution *a, const ci_ids *ids, ci_space_id space, const char *name,
                              ci_error *err) {
  size_t most = a->job->model->graph.positions[space];
  if (!most || ids->count <= most) return CI_OK;
  return ci_fail(err, CI_EINVAL, name, "text %zu: %zu tokens are more than the model's %zu positions",
                 a->job->text_index + 1, ids->count, most);
}

static ci_status encode(const ci_attribution *a, ci_contrast *c, ci_error *err) {
  const char *source, *target;
  ci_status status = text_at(a, c->options->sources, "contrast_sources", &source, err);
  if (!status) status = text_at(a, c->options->targets, "contrast_targets", &target, err);
  if (status) return status;
  if (source && !a->job->model->graph.encoder_decoder)
    return ci_fail(err, CI_EINVAL, "contrast_sources",
                   "is for encoder-decoder models: give contrast_targets that start with another prompt");
  if (c->options->alignments && !target)
    return ci_fail(err, CI_EINVAL, "contrast_targets_alignments", "is given without contrast_targets");
  if (!source && !target)
    ci_job_warn(a->job, "neither contrast_targets nor contrast_sources: the text is compared with itself");
  status = source ? ci_attribution_encode(a, source, false, &c->source, err) : copy_ids(&a->source, &c->source, err);
  if (!status && source && !c->source.count)
    status = ci_fail(err, CI_EINVAL, "contrast_sources", "text %zu has no tokens", a->job->text_index + 1);
  if (!status) status = target ? encode_target(a, target, &c->target, err) : copy_ids(&a->target, &c->target, err);
  if (!status) status = check_length(a, &c->source, CI_ENCODER, "contrast_sources", err);
  return status ? status : check_length(a, &c->target, CI_DECODER, "contrast_targets", err);
}

/* Pairs of tokens by the embeddings of the model at hand. */
static ci_status pair_by_embeddings(const ci_attribution *a, const ci_contrast *c, ci_aligned_pairs *pairs,
                                    ci_error *err) {
  size_t width = ci_attribution_width(a, CI_DECODER), rows = a->target.count, contrast = c->target.count;
  float *x = ci_alloc(rows * width, sizeof *x), *y = ci_alloc(contrast * width, sizeof *y);
  ci_status status = x && y ? CI_OK : ci_fail_memory(err);
  if (!status) status = ci_run_input_values(a->subject.run, CI_DECODER, a->target.items, rows, x, err);
  if (!status) status = ci_run_input_values(a->subject.run, CI_DECODER, c->target.items, contrast, y, err);
  if (!status) status = ci_alignment_by_embeddings(x, rows, y, contrast, width, pairs, err);
  ci_free(x);
  ci_free(y);
  return status;
}

/* Pairs are made from the right: the first positions have no partner in a shorter contrast. */
static void warn_of_short(const ci_attribution *a, size_t short_of) {
  char positions[64];
  if (short_of == 1)
    snprintf(positions, sizeof positions, "position %zu is", a->start);
  else
    snprintf(positions, sizeof positions, "positions %zu to %zu are", a->start, a->start + short_of - 1);
  ci_job_warn(a->job,
              "contrast_targets: text %zu is shorter than what is attributed: %s compared with its last token "
              "(\"contrast_targets_alignments\": \"auto\" pairs tokens that are alike)",
              a->job->text_index + 1, positions);
}

static ci_status align(const ci_attribution *a, ci_contrast *c, ci_error *err) {
  const json_t *given = c->options->targets ? c->options->alignments : NULL;
  ci_aligned_pairs pairs = {0};
  size_t short_of = 0;
  ci_status status = CI_OK;
  c->aligned = ci_alloc(a->end - a->start, sizeof *c->aligned);
  if (!c->aligned) return ci_fail_memory(err);
  if (!c->options->targets) /* the text's own tokens */
    for (size_t t = a->start; t < a->end; t++) c->aligned[t - a->start] = t;
  else if (json_is_string(given) && strcmp(json_string_value(given), "auto") == 0)
    status = pair_by_embeddings(a, c, &pairs, err);
  else if (given)
    status =
        ci_alignment_read(given, a->job->text_index, a->job->text_count, a->target.count, c->target.count, &pairs, err);
  if (!status && c->options->targets)
    ci_alignment_fill(&pairs, a->start, a->end, c->target.count, c->aligned, &short_of);
  ci_free(pairs.items);
  if (!status && short_of) warn_of_short(a, short_of);
  return status;
}

ci_status ci_contrast_open(ci_attribution *a, const ci_contrast_options *options, ci_contrast *c, ci_error *err) {
  c->options = options;
  ci_status status = encode(a, c, err);
  return status ? status : align(a, c, err);
}

/* Rows that the text has already computed serve the contrast too: how many from the left. */
static size_t shared_prefix(const ci_attribution *a, const ci_contrast *c) {
  size_t n = 0;
  if (a->source.count != c->source.count) return 0;
  if (a->source.count && memcmp(a->source.items, c->source.items, a->source.count * sizeof *a->source.items)) return 0;
  while (n < a->subject.row_count && n < c->target.count && a->target.items[n] == c->target.items[n]) n++;
  return n;
}

/* Whether what predicts this position of the contrast is an output row of the text. Where its logits are a constant
 * they have a row of their own: scores tell by it that they do not move with the text's. */
static bool is_own(const ci_attribution *a, const ci_contrast *c, size_t shared, size_t position) {
  return !c->options->force_inputs && position <= shared && position >= a->start && position < a->end;
}

/* The branch with the contrast's rows from `begin` to before `end`. */
static ci_status add_branch(ci_attribution *a, const ci_contrast *c, size_t shared, size_t begin, size_t end,
                            int *branch, ci_error *err) {
  ci_run *run = a->subject.run;
  int source = run->spaces[CI_DECODER].branches[a->subject.branch].source_branch;
  if (!shared && a->source.count) {
    source = ci_run_branch(run, CI_ENCODER, -1, 0, -1);
    ci_status status = source < 0 ? ci_fail_memory(err)
                                  : ci_run_append(run, CI_ENCODER, source, c->source.items, c->source.count, err);
    if (status) return status;
  }
  *branch = ci_run_branch(run, CI_DECODER, begin ? a->subject.branch : -1, begin, source);
  if (*branch < 0) return ci_fail_memory(err);
  return ci_run_append(run, CI_DECODER, *branch, c->target.items + begin, end - begin, err);
}

ci_status ci_contrast_forward(ci_attribution *a, ci_contrast *c, ci_error *err) {
  size_t targets = a->end - a->start, shared = shared_prefix(a, c), begin = shared, end = 0;
  c->rows = ci_alloc(targets, sizeof *c->rows);
  c->log_sums = ci_alloc(targets, sizeof *c->log_sums);
  if (!c->rows || !c->log_sums) return ci_fail_memory(err);
  for (size_t t = 0; t < targets; t++) {
    if (is_own(a, c, shared, c->aligned[t])) continue;
    if (c->aligned[t] > end) end = c->aligned[t];
    if (c->aligned[t] - 1 < begin) begin = c->aligned[t] - 1; /* logits come of rows that are computed with them */
  }
  int branch = -1;
  ci_status status = end ? add_branch(a, c, shared, begin, end, &branch, err) : CI_OK;
  for (size_t t = 0; t < targets && !status; t++) {
    if (is_own(a, c, shared, c->aligned[t]))
      c->rows[t] = a->subject.output_rows[c->aligned[t] - a->start];
    else
      status = ci_run_want_logits(a->subject.run, branch, c->aligned[t] - 1, &c->rows[t], err);
  }
  if (!status && end) status = ci_run_forward(a->subject.run, err);
  for (size_t t = 0; t < targets && !status; t++) {
    ci_score_input in = {.logits = ci_run_logits(a->subject.run, c->rows[t]),
                         .vocabulary = a->job->model->vocabulary,
                         .kernels = a->job->compute->kernels};
    ci_score_prepare(&in, a->scratch);
    c->log_sums[t] = in.log_sum;
    if (!(in.log_sum < INFINITY))
      status =
          ci_fail(err, CI_EMODEL, a->job->model->path,
                  "the model computes values that are not finite for the contrast of text %zu", a->job->text_index + 1);
  }
  return status;
}

ci_score_contrast ci_contrast_at(const ci_attribution *a, const ci_contrast *c, size_t t, const ci_score_input *in) {
  if (!c->options) return (ci_score_contrast){0};
  int32_t target = c->target.items[c->aligned[t]];
  if (!c->rows) return (ci_score_contrast){in->logits, target, in->log_sum};
  return (ci_score_contrast){ci_run_logits(a->subject.run, c->rows[t]), target, c->log_sums[t]};
}

ci_status ci_contrast_label(const ci_attribution *a, const ci_contrast *c, ci_error *err) {
  const ci_tokenizer *tokenizer = a->job->model->tokenizer;
  for (size_t t = a->start; t < a->end; t++) {
    ci_token *token = &a->out->target[t];
    const char *other = ci_tokenizer_token(tokenizer, c->target.items[c->aligned[t - a->start]]);
    ci_text label = {0}, clean = {0};
    if (other && a->job->request->clean_special_chars) {
      ci_status status = ci_tokenizer_token_to_text(tokenizer, other, &clean, err);
      if (status) return ci_text_free(&clean), status;
    }
    const char *shown = clean.length ? clean.data : other ? other : "";
    if (strcmp(shown, token->token) != 0) {
      ci_text_add_format(&label, "%s → %s", shown, token->token);
      char *taken = ci_text_take(&label);
      if (!taken) return ci_text_free(&clean), ci_fail_memory(err);
      ci_free(token->token);
      token->token = taken;
      token->id = -1;
    }
    ci_text_free(&clean);
  }
  return CI_OK;
}

json_t *ci_contrast_pairs(const ci_attribution *a, const ci_contrast *c) {
  json_t *pairs = json_array();
  for (size_t t = a->start; t < a->end && pairs; t++)
    if (json_array_append_new(pairs, json_pack("[I, I]", (json_int_t)t, (json_int_t)c->aligned[t - a->start]))) {
      json_decref(pairs);
      pairs = NULL;
    }
  return pairs;
}
