/* Forwards of tokens that the caller brings, without texts, generation or attribution. */
#include "api/c_locale.h"
#include "api/session.h"
#include "base/memory.h"
#include "base/options.h"
#include "engine/run.h"
#include <string.h>

typedef struct {
  int64_t threads;
  const char *gemm;
} arguments;

static const ci_option options_table[] = {{"threads", NULL, CI_INT, offsetof(arguments, threads), "0", 0, 4096, NULL,
                                           "Number of threads; 0: one for each processor."},
                                          {"gemm", NULL, CI_WORD, offsetof(arguments, gemm), "\"auto\"", 0, 0, NULL,
                                           "Matrix product back end; auto: the first that is available."},
                                          CI_OPTIONS_END};

static const char *const side_names[] = {[CI_ENCODER] = "source", [CI_DECODER] = "target"};

static ci_space_id space_of(cinseq_side side) {
  return side == CINSEQ_SOURCE ? CI_ENCODER : CI_DECODER;
}

static size_t width_of(const ci_graph *graph, ci_space_id space) {
  int node = graph->input_node[space];
  return node < 0 ? 0 : graph->nodes[node].width;
}

/* The hook as the engine calls it, between the nodes of a forward. */
static int tick(void *context) {
  const cinseq_hooks *hooks = context;
  return hooks->progress(hooks->context, "forward", 0, 0);
}

static ci_status open_compute(const char *options_json, const cinseq_hooks *hooks, ci_compute *compute, ci_error *err) {
  json_t *object = NULL, *keep = json_array();
  arguments arg;
  ci_status status = keep ? CI_OK : ci_fail_memory(err);
  if (!status && options_json) status = ci_json_parse("options", options_json, strlen(options_json), &object, err);
  if (!status) status = ci_options_parse(options_table, "options", object, &arg, keep, NULL, err);
  if (!status) status = ci_compute_open(compute, (int)arg.threads, arg.gemm, NULL, err);
  if (!status && hooks && hooks->progress) {
    compute->tick = tick;
    compute->tick_context = (void *)hooks;
  }
  json_decref(object);
  json_decref(keep);
  return status;
}

static ci_status check_ids(const ci_model *model, ci_space_id space, const int32_t *ids, size_t count, ci_error *err) {
  for (size_t i = 0; i < count; i++)
    if (ids[i] < 0 || (size_t)ids[i] >= model->vocabulary)
      return ci_fail(err, CI_EINVAL, side_names[space], "id %d does not exist: the model has %zu", (int)ids[i],
                     model->vocabulary);
  return CI_OK;
}

static ci_status check_input(const ci_model *model, ci_space_id space, const cinseq_input *in, ci_error *err) {
  const char *where = side_names[space];
  size_t most = model->graph.positions[space];
  if (!width_of(&model->graph, space)) return in ? ci_fail(err, CI_EINVAL, where, "the model has no encoder") : CI_OK;
  if (!in || !in->count) return ci_fail(err, CI_EINVAL, where, "has no tokens");
  if (!in->ids && !in->embeddings) return ci_fail(err, CI_EINVAL, where, "has neither ids nor embeddings");
  if (most && in->count > most)
    return ci_fail(err, CI_EINVAL, where, "%zu tokens are more than the model's %zu positions", in->count, most);
  return in->ids ? check_ids(model, space, in->ids, in->count, err) : CI_OK;
}

/* A branch with the tokens. Where there are embeddings alone, id 0 holds their places. */
static ci_status add_side(ci_run *run, ci_space_id space, const cinseq_input *in, int source, int *branch,
                          ci_error *err) {
  int32_t *places = in->ids ? NULL : ci_alloc_zeroed(in->count, sizeof *places);
  *branch = ci_run_branch(run, space, -1, 0, source);
  ci_status status = *branch >= 0 && (in->ids || places) ? CI_OK : ci_fail_memory(err);
  if (!status) status = ci_run_append(run, space, *branch, in->ids ? in->ids : places, in->count, err);
  ci_free(places);
  if (status || !in->embeddings) return status;
  const ci_intervention set = {.kind = CI_SET,
                               .node = run->graph->input_node[space],
                               .branch = *branch,
                               .count = in->count,
                               .values = in->embeddings};
  return ci_run_intervene(run, &set, err);
}

static ci_status forward(const ci_model *model, ci_compute *compute, const cinseq_input *source,
                         const cinseq_input *target, size_t first, float *logits, ci_error *err) {
  ci_run *run;
  int source_branch = -1, branch = -1;
  size_t row = 0, first_row = 0;
  ci_status status = ci_run_open(&model->graph, compute, CI_KEEP_KEYS, &run, err);
  if (status) return status;
  if (source) status = add_side(run, CI_ENCODER, source, -1, &source_branch, err);
  if (!status) status = add_side(run, CI_DECODER, target, source_branch, &branch, err);
  for (size_t p = first; p < target->count && !status; p++) {
    status = ci_run_want_logits(run, branch, p, &row, err);
    if (p == first) first_row = row;
  }
  if (!status) status = ci_run_forward(run, err);
  for (size_t p = first; p < target->count && !status; p++)
    memcpy(logits + (p - first) * model->vocabulary, ci_run_logits(run, first_row + p - first),
           model->vocabulary * sizeof *logits);
  ci_run_close(run);
  return status;
}

int cinseq_logits(const cinseq_model *handle, const cinseq_input *source, const cinseq_input *target, size_t first,
                  const char *options_json, const cinseq_hooks *hooks, float *logits, cinseq_error *err) {
  const ci_model *model = handle->model;
  ci_compute compute = {0};
  locale_t before = ci_locale_enter();
  ci_status status = check_input(model, CI_ENCODER, source, err);
  if (!status) status = check_input(model, CI_DECODER, target, err);
  if (!status && first >= target->count)
    status = ci_fail(err, CI_EINVAL, "first", "%zu is past the target's %zu tokens", first, target->count);
  if (!status) status = open_compute(options_json, hooks, &compute, err);
  if (!status) {
    status = forward(model, &compute, source, target, first, logits, err);
    ci_compute_close(&compute);
  }
  ci_locale_leave(before);
  return (int)status;
}

size_t cinseq_embedding_width(const cinseq_model *model, cinseq_side side) {
  return width_of(&model->model->graph, space_of(side));
}

int cinseq_embed(const cinseq_model *handle, cinseq_side side, const int32_t *ids, size_t count, float *values,
                 cinseq_error *err) {
  const ci_model *model = handle->model;
  ci_space_id space = space_of(side);
  ci_compute compute = {0};
  ci_run *run = NULL;
  locale_t before = ci_locale_enter();
  const cinseq_input in = {.ids = ids, .count = count};
  ci_status status = count ? check_input(model, space, &in, err) : CI_OK;
  if (!status && !width_of(&model->graph, space))
    status = ci_fail(err, CI_EINVAL, side_names[space], "the model has no encoder");
  if (!status && count) {
    status = ci_compute_open(&compute, 1, "auto", NULL, err);
    if (!status) status = ci_run_open(&model->graph, &compute, CI_KEEP_KEYS, &run, err);
    if (!status) status = ci_run_input_values(run, space, ids, count, values, err);
    ci_run_close(run);
    ci_compute_close(&compute);
  }
  ci_locale_leave(before);
  return (int)status;
}
