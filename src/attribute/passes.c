/* See passes.h. A pass is a point of a walk whose move is dropout, in both branches of the text. */
#include "attribute/attribution.h"
#include "engine/dropout.h"
#include "engine/walk.h"

void ci_passes_free(ci_passes *p) {
  ci_free(p->log_probabilities);
}

typedef struct {
  ci_attribution *a;
  uint64_t seed;
} drawing;

static size_t move(void *context, size_t point, ci_intervention *moves) {
  const drawing *j = context;
  size_t count = 0;
  for (ci_space_id space = CI_ENCODER; space <= CI_DECODER; space++) {
    int node = j->a->subject.graph->input_node[space];
    if (node < 0) continue;
    moves[count++] = (ci_intervention){.kind = CI_DROPOUT,
                                       .node = node,
                                       .count = ci_subject_rows(&j->a->subject, space),
                                       .seed = j->seed,
                                       .stream = point};
  }
  return count;
}

static double log_probability(void *context, const float *logits, size_t target, float *scratch) {
  const ci_attribution *a = ((const drawing *)context)->a;
  ci_score_input in = {.logits = logits, .vocabulary = a->job->model->vocabulary, .kernels = a->job->compute->kernels};
  ci_score_prepare(&in, scratch);
  return (double)logits[a->target.items[a->start + target]] - in.log_sum;
}

/* What passes cannot be, or need not be. */
static ci_status look_at_model(const ci_attribution *a, const ci_score *score, int whose, ci_error *err) {
  const ci_model *model = a->job->model;
  if (model->no_dropout) return ci_fail(err, CI_EMODEL, score->id, "%s", model->no_dropout);
  if (ci_graph_drops(&model->graph)) return CI_OK;
  if (whose == CI_OF_OBJECTIVE)
    return ci_fail(err, CI_EINVAL, "attributed_fn",
                   "\"%s\": the model's configuration has no dropout, so that passes do not differ", score->id);
  if (a->job->text_index == 0)
    ci_job_warn(
        a->job,
        "%s: the model's configuration has no dropout: every pass is the plain probability, and they deviate by 0",
        score->id);
  return CI_OK;
}

static ci_status check(const ci_attribution *a, const ci_passes *p, int whose, ci_error *err) {
  for (size_t t = 0; t < a->subject.target_count; t++) {
    const double *own = p->log_probabilities + t * p->count;
    bool differ = false;
    for (size_t i = 0; i < p->count; i++) {
      if (own[i] != own[i])
        return ci_fail(err, CI_EMODEL, "dropout", "step %zu, pass %zu: the probability is not a number", t + 1, i + 1);
      differ = differ || own[i] != own[0];
    }
    if (whose == CI_OF_OBJECTIVE && !differ)
      return ci_fail(err, CI_EINVAL, "attributed_fn", "step %zu: all passes with dropout give the same probability",
                     t + 1);
  }
  return CI_OK;
}

static const ci_bound_score *reader(const ci_job *job, int whose) {
  if (whose == CI_OF_OBJECTIVE) return job->objective.score->passes ? &job->objective : NULL;
  for (size_t i = 0; i < job->step_score_count; i++)
    if (job->step_scores[i].score->passes) return &job->step_scores[i];
  return NULL;
}

/* Without dropout every pass is the text itself. */
static void repeat_text(drawing *j, ci_passes *p) {
  const ci_attribution *a = j->a;
  for (size_t t = 0; t < a->subject.target_count; t++) {
    const float *logits = ci_run_logits(a->subject.run, a->subject.output_rows[t]);
    double own = log_probability(j, logits, t, a->scratch);
    for (size_t i = 0; i < p->count; i++) p->log_probabilities[t * p->count + i] = own;
  }
}

static ci_status draw(drawing *j, ci_passes *p, ci_error *err) {
  size_t targets = j->a->subject.target_count, cells = p->count * targets;
  ci_walk walk = {.points = p->count, .move = move, .context = j};
  ci_objective objective = {.context = j, .value = log_probability};
  double *by_pass = ci_alloc(cells, sizeof *by_pass);
  ci_status status = by_pass ? ci_subject_values(&j->a->subject, &walk, &objective, by_pass, err) : ci_fail_memory(err);
  for (size_t i = 0; i < cells && !status; i++) p->log_probabilities[i % targets * p->count + i / targets] = by_pass[i];
  ci_free(by_pass);
  return status;
}

ci_status ci_passes_open(ci_attribution *a, int whose, ci_passes *p, ci_error *err) {
  const ci_bound_score *bound = reader(a->job, whose);
  if (!bound) return CI_OK;
  drawing j = {.a = a};
  size_t cells;
  p->count = bound->score->passes(bound->options, &j.seed);
  ci_status status = look_at_model(a, bound->score, whose, err);
  if (status) return status;
  bool too_many = __builtin_mul_overflow(p->count, a->subject.target_count, &cells);
  p->log_probabilities = too_many ? NULL : ci_alloc(cells, sizeof *p->log_probabilities);
  if (!p->log_probabilities) return ci_fail_memory(err);
  if (ci_graph_drops(a->subject.graph))
    status = draw(&j, p, err);
  else
    repeat_text(&j, p);
  return status ? status : check(a, p, whose, err);
}
