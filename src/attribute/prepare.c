/* From a request's texts to ids, positions and the arrays that scores go to. See attribution.h. */
#include "attribute/attribution.h"
#include <math.h>
#include <string.h>

void ci_attribution_free(ci_attribution *a) {
  ci_run_close(a->subject.run);
  ci_free(a->subject.output_rows);
  ci_ids_free(&a->source);
  ci_ids_free(&a->target);
  for (int s = 0; s < CI_SPACES; s++) ci_free(a->baseline[s]);
  for (int i = 0; i < 2; i++) {
    ci_contrast_free(&a->contrasts[i]);
    ci_passes_free(&a->passes[i]);
  }
  ci_free(a->scratch);
}

/* text without the special tokens that stand in it literally */
static char *strip_specials(const ci_model *model, const char *text) {
  size_t count;
  const char *const *specials = ci_tokenizer_specials(model->tokenizer, &count);
  ci_text out = {0};
  for (const char *at = text; *at;) {
    size_t cut = 0;
    for (size_t i = 0; i < count && !cut; i++)
      if (*specials[i] && ci_starts_with(at, specials[i])) cut = strlen(specials[i]);
    if (!cut) ci_text_add_n(&out, at, 1);
    at += cut ? cut : 1;
  }
  return ci_text_take(&out);
}

/* flags: what the tokenizer adds or uses, unless special tokens are to be skipped altogether. */
static ci_status encode(const ci_attribution *a, const char *text, unsigned flags, ci_ids *ids, ci_error *err) {
  const ci_model *model = a->job->model;
  bool skip = a->job->request->skip_special_tokens;
  char *stripped = skip ? strip_specials(model, text) : NULL;
  if (skip && !stripped) return ci_fail_memory(err);
  const char *given = stripped ? stripped : text;
  bool bare = skip || a->job->request->chat; /* a chat template holds them already */
  ci_status status = ci_tokenizer_encode(model->tokenizer, given, strlen(given), bare ? flags & ~(unsigned)CI_ENCODE_SPECIAL : flags, ids, err);
  ci_free(stripped);
  return status;
}

/* A prompt that says <s> itself, to a tokenizer that adds one: Inseq keeps one of them (spec 1.3). */
static void drop_doubled_bos(const ci_model *model, ci_ids *ids, size_t from) {
  if (ids->count < from + 2 || ids->items[from] != model->bos || ids->items[from + 1] != model->bos) return;
  memmove(ids->items + from, ids->items + from + 1, (ids->count - from - 1) * sizeof *ids->items);
  ids->count--;
}

ci_status ci_attribution_encode(const ci_attribution *a, const char *text, bool target, ci_ids *ids, ci_error *err) {
  const ci_model *model = a->job->model;
  bool both = model->graph.encoder_decoder;
  size_t from = ids->count;
  ci_status status = encode(a, text, CI_ENCODE_SPECIAL | (both && target ? CI_ENCODE_TARGET : 0), ids, err);
  if (!both) drop_doubled_bos(model, ids, from);
  return status;
}

static const char *text_at(const json_t *texts, size_t index) { return json_string_value(json_array_get(texts, index)); }

/* Where two texts part, with a little of what follows. */
static ci_status parted(const char *prompt, const char *text, ci_error *err) {
  size_t at = 0;
  while (prompt[at] && prompt[at] == text[at]) at++;
  while (at && ((unsigned char)prompt[at] & 0xC0) == 0x80) at--; /* back to the start of a character */
  return ci_fail(err, CI_EINVAL, "generated_texts",
                 "must start with the input text of a decoder-only model: they part at byte %zu, \"%.20s\" against \"%.20s\"", at,
                 text + at, prompt + at);
}

/* where: the key that they came with. */
static ci_status add_ids(const ci_attribution *a, const json_t *ids, const char *where, ci_ids *to, ci_error *err) {
  size_t i;
  json_t *member;
  ci_status status = CI_OK;
  json_array_foreach(ids, i, member) {
    int64_t id = 0;
    ci_json_as_int(member, &id);
    if (!status && (id < 0 || (size_t)id >= a->job->model->vocabulary))
      status = ci_fail(err, CI_EINVAL, where, "id %lld does not exist: the model has %zu", (long long)id, a->job->model->vocabulary);
    if (!status) status = ci_ids_add(to, (int32_t)id, err);
  }
  return status;
}

/* The input's ids: given, or those of its text. */
static ci_status add_input(const ci_attribution *a, const char *input, ci_ids *ids, ci_error *err) {
  const json_t *given = json_array_get(a->job->request->input_ids, a->job->text_index);
  return given ? add_ids(a, given, "input_ids", ids, err) : ci_attribution_encode(a, input, false, ids, err);
}

/* The prompt's ids, then those of the forced text, which must be how the prompt goes on. */
static ci_status decoder_only(ci_attribution *a, const char *input, const char *forced, const json_t *forced_ids, ci_error *err) {
  const ci_model *model = a->job->model;
  ci_ids prompt = {0};
  ci_status status = add_input(a, input, &prompt, err);
  if (!status && !prompt.count) { /* Inseq: an empty prompt is the beginning of a sentence */
    if (model->bos < 0)
      status = ci_fail(err, CI_EINVAL, "input_texts", "text %zu has no tokens and the model has no bos token to start from", a->job->text_index + 1);
    else status = ci_ids_add(&prompt, (int32_t)model->bos, err);
  }
  a->prefix = prompt.count;
  if (!status && forced) {
    status = strncmp(forced, input, strlen(input)) ? parted(input, forced, err) : CI_OK;
    for (size_t i = 0; !*input && i < prompt.count && !status; i++) status = ci_ids_add(&a->target, prompt.items[i], err);
    if (!status) status = ci_attribution_encode(a, forced, true, &a->target, err);
  } else if (!status && forced_ids) {
    status = add_ids(a, forced_ids, "generated_ids", &a->target, err);
    for (size_t i = 0; i < prompt.count && !status; i++)
      if (i >= a->target.count || a->target.items[i] != prompt.items[i])
        status = ci_fail(err, CI_EINVAL, "generated_ids", "must start with the %zu ids of the input text: they part at %zu", prompt.count, i);
  } else {
    for (size_t i = 0; i < prompt.count && !status; i++) status = ci_ids_add(&a->target, prompt.items[i], err);
  }
  ci_ids_free(&prompt);
  return status;
}

static ci_status encoder_decoder(ci_attribution *a, const char *input, const char *forced, const json_t *forced_ids, ci_error *err) {
  const ci_model *model = a->job->model;
  bool prefix_only = a->job->request->generate_from_target_prefix;
  if (input && !*input) return ci_fail(err, CI_EINVAL, "input_texts", "text %zu is empty", a->job->text_index + 1);
  ci_status status = add_input(a, input, &a->source, err);
  if (!status && !a->source.count) status = ci_fail(err, CI_EINVAL, "input_texts", "text %zu has no tokens", a->job->text_index + 1);
  if (!status) status = ci_ids_add(&a->target, (int32_t)model->decoder_start, err);
  if (!status && forced) status = encode(a, forced, CI_ENCODE_TARGET | (prefix_only ? 0 : CI_ENCODE_SPECIAL), &a->target, err);
  else if (!status && forced_ids) {
    int64_t first = -1;
    ci_json_as_int(json_array_get(forced_ids, 0), &first);
    if (first == model->decoder_start || first == a->job->generation.decoder_start_token_id) a->target.count = 0; /* ids as generate gives them begin with it */
    status = add_ids(a, forced_ids, "generated_ids", &a->target, err);
  }
  a->prefix = prefix_only ? a->target.count : 1;
  return status;
}

ci_status ci_attribution_prepare(ci_attribution *a, size_t index, ci_error *err) {
  const ci_attribute_request *request = a->job->request;
  const char *input = text_at(request->input_texts, index), *forced = text_at(request->generated_texts, index);
  const json_t *forced_ids = json_array_get(request->generated_ids, index);
  const ci_graph *graph = &a->job->model->graph;
  if (request->generate_from_target_prefix && !graph->encoder_decoder)
    return ci_fail(err, CI_EINVAL, "generate_from_target_prefix", "is for encoder-decoder models: give the prompt as input text");
  a->scratch = ci_alloc(a->job->model->vocabulary, sizeof(float));
  if (!a->scratch) return ci_fail_memory(err);
  ci_status status = graph->encoder_decoder ? encoder_decoder(a, input, forced, forced_ids, err)
                                            : decoder_only(a, input, forced, forced_ids, err);
  a->wants[CI_ENCODER] = graph->encoder_decoder;
  a->wants[CI_DECODER] = !graph->encoder_decoder || request->attribute_target;
  return status;
}

size_t ci_attribution_width(const ci_attribution *a, ci_space_id space) {
  const ci_graph *graph = &a->job->model->graph;
  int node = graph->input_node[space];
  return node < 0 ? 0 : graph->nodes[node].width;
}

void ci_attribution_baseline_ids(const ci_attribution *a, ci_space_id space, int32_t *ids) {
  const ci_model *model = a->job->model;
  const int32_t *own = space == CI_ENCODER ? a->source.items : a->target.items;
  size_t rows = ci_subject_rows(&a->subject, space);
  for (size_t i = 0; i < rows; i++) {
    bool stays = own[i] == model->eos && !a->job->request->include_eos_baseline;
    if (space == CI_DECODER && i == 0 && model->graph.encoder_decoder) stays = true;
    ids[i] = stays ? own[i] : (int32_t)model->unk;
  }
}

ci_status ci_attribution_values(ci_attribution *a, ci_space_id space, float **values, ci_error *err) {
  size_t rows = ci_subject_rows(&a->subject, space);
  *values = ci_alloc(rows * ci_attribution_width(a, space), sizeof(float));
  if (!*values) return ci_fail_memory(err);
  const int32_t *own = space == CI_ENCODER ? a->source.items : a->target.items;
  return ci_run_input_values(a->subject.run, space, own, rows, *values, err);
}

ci_status ci_attribution_baseline(ci_attribution *a, ci_space_id space, const float **values, ci_error *err) {
  if (!a->baseline[space]) {
    if (a->job->model->unk < 0)
      return ci_fail(err, CI_EMODEL, a->job->model->path, "the tokenizer has no unk or pad token to make a baseline of");
    size_t rows = ci_subject_rows(&a->subject, space);
    int32_t *ids = ci_alloc(rows, sizeof *ids);
    a->baseline[space] = ci_alloc(rows * ci_attribution_width(a, space), sizeof(float));
    if (ids) ci_attribution_baseline_ids(a, space, ids);
    ci_status status = ids && a->baseline[space]
                           ? ci_run_input_values(a->subject.run, space, ids, rows, a->baseline[space], err)
                           : ci_fail_memory(err);
    ci_free(ids);
    if (status) return status;
  }
  *values = a->baseline[space];
  return CI_OK;
}

ci_status ci_attribution_array(ci_attribution *a, ci_space_id space, int rank, size_t third, size_t fourth, ci_array **array,
                               ci_error *err) {
  *array = space == CI_ENCODER ? &a->out->source_attributions : &a->out->target_attributions;
  const size_t shape[] = {space == CI_ENCODER ? a->source.count : a->end, a->subject.target_count, third, fourth};
  ci_status status = ci_array_create(*array, rank, shape, err);
  if (status || space == CI_ENCODER) return status;
  size_t n = ci_array_size(*array);
  for (size_t i = 0; i < n; i++) (*array)->data[i] = NAN;
  return CI_OK;
}
