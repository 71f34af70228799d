/* Beam search as transformers 4.57.6 runs it (GenerationMixin._beam_search), for one sentence.
 *
 * Each step ranks all continuations of the running beams by their summed log-probabilities and keeps the best
 * K = max(2, 1 + eos ids) * num_beams. Of these
 *   - the best num_beams that do not end here run on;
 *   - those among the first num_beams that end here (eos or the largest length) compete with the finished ones, by
 *     score / generated_length^length_penalty; the best num_beams stay finished.
 * It is over when nothing running can beat the worst finished beam any more (by a heuristic that depends on
 * early_stopping), when early_stopping is true and num_beams are finished, or when everything kept ends here.
 *
 * Scores are float32 and -1e9 stands for "not in the running", as there: the roundings are part of the result. */
#include "generate/searches.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

static const float OUT = -1e9f;

typedef struct {
  int32_t *ids; /* [length of the run] */
  size_t capacity;
  float score;
  int branch; /* that holds ids */
} running_beam;

typedef struct {
  int32_t *ids; /* NULL: a place that no finished beam has taken yet */
  size_t count;
  float score;
  int branch;
} finished_beam;

typedef struct {
  float score;
  size_t index;
} ranked;

/* The best so far of what was offered: best first, of equals the one offered first. */
typedef struct {
  ranked *items; /* [wanted] */
  size_t count, wanted;
} ranking;

typedef struct {
  const ci_search *search;
  size_t beams, kept;               /* num_beams and K */
  size_t length;                    /* of the running beams, prefix counted */
  running_beam *running, *next;     /* [beams] */
  finished_beam *finished, *merged; /* [beams] */
  ranking candidates;               /* kept of beam * vocabulary + token, by summed log-probability */
  ranking going_on, best_finished;  /* [beams] */
  bool *ends;                       /* [kept]: the candidate is complete */
  float *logits;                    /* [beams, vocabulary] */
  int *parents, *branches;          /* [beams] */
  int32_t *tokens;                  /* [beams] */
  ci_arena *arena;
} beam_run;

static void offer(ranking *best, float score, size_t index) {
  if (best->count == best->wanted && !(score > best->items[best->count - 1].score)) return;
  size_t at = best->count < best->wanted ? best->count++ : best->count - 1;
  for (; at > 0 && score > best->items[at - 1].score; at--) best->items[at] = best->items[at - 1];
  best->items[at] = (ranked){score, index};
}

/* x - max - log(sum(exp(x - max))) in place; the sum in double. */
static void log_softmax(float *x, size_t n) {
  float most = -INFINITY;
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    if (x[i] > most) most = x[i];
  for (size_t i = 0; i < n; i++) sum += exp((double)x[i] - most);
  float log_sum = (float)log(sum);
  for (size_t i = 0; i < n; i++) x[i] = x[i] - most - log_sum;
}

static float length_factor(const beam_run *run, size_t length) {
  return (float)pow((double)(length - run->search->prefix_count), run->search->options->length_penalty);
}

static size_t vocabulary_of(const beam_run *run) {
  return run->search->stepper->vocabulary;
}

static size_t beam_of(const beam_run *run, size_t k) {
  return run->candidates.items[k].index / vocabulary_of(run);
}

static int32_t token_of(const beam_run *run, size_t k) {
  return (int32_t)(run->candidates.items[k].index % vocabulary_of(run));
}

/* Ranks the continuations of all running beams and marks those that end here. */
static ci_status rank_candidates(beam_run *run, ci_error *err) {
  const ci_search *search = run->search;
  size_t n = vocabulary_of(run);
  run->candidates.count = 0;
  for (size_t b = 0; b < run->beams; b++) {
    float *scores = run->logits + b * n;
    ci_status status = ci_search_check_logits(search, scores, err);
    if (status) return status;
    log_softmax(scores, n);
    ci_processors_apply(search, run->running[b].ids, run->length, scores);
    for (size_t i = 0; i < n; i++) offer(&run->candidates, scores[i] + run->running[b].score, b * n + i);
  }
  for (size_t k = 0; k < run->kept; k++)
    run->ends[k] = run->length + 1 >= search->max_length || ci_search_is_eos(search, token_of(run, k));
  return CI_OK;
}

/* A copy of the beam that candidate k continues, with its token. */
static ci_status finish(const beam_run *run, size_t k, float score, finished_beam *out, ci_error *err) {
  const running_beam *parent = &run->running[beam_of(run, k)];
  int32_t *ids = ci_alloc_zeroed(run->length + 1, sizeof *ids);
  if (!ids) return ci_fail_memory(err);
  memcpy(ids, parent->ids, run->length * sizeof *ids);
  ids[run->length] = token_of(run, k);
  *out = (finished_beam){ids, run->length + 1, score, parent->branch};
  return CI_OK;
}

/* The finished beams after this step. Candidates beyond the first num_beams are only there to run on: they cannot
 * finish. */
static ci_status update_finished(beam_run *run, ci_error *err) {
  float factor = length_factor(run, run->length + 1);
  ranking *best = &run->best_finished;
  best->count = 0;
  for (size_t b = 0; b < run->beams; b++) offer(best, run->finished[b].score, b);
  for (size_t k = 0; k < run->kept; k++) {
    float score = run->candidates.items[k].score / factor;
    offer(best, run->ends[k] && k < run->beams ? score : score + OUT, run->beams + k);
  }
  ci_status status = CI_OK;
  for (size_t i = 0; i < run->beams; i++) {
    size_t from = best->items[i].index, k = from - run->beams;
    run->merged[i] = (finished_beam){.score = best->items[i].score, .branch = -1};
    if (from < run->beams) {
      run->merged[i] = run->finished[from];
      run->merged[i].branch = -1; /* its branch has run on since */
      run->finished[from].ids = NULL;
    } else if (!status && run->ends[k] && k < run->beams) {
      status = finish(run, k, best->items[i].score, &run->merged[i], err);
    }
  }
  for (size_t b = 0; b < run->beams; b++) ci_free(run->finished[b].ids);
  finished_beam *swap = run->finished;
  run->finished = run->merged;
  run->merged = swap;
  memset(run->merged, 0, run->beams * sizeof *run->merged);
  return status;
}

/* The beams of the next step; their branches are still those of their parents. */
static ci_status choose_running(beam_run *run, ci_error *err) {
  run->going_on.count = 0;
  for (size_t k = 0; k < run->kept; k++)
    offer(&run->going_on, run->candidates.items[k].score + (run->ends[k] ? OUT : 0), k);
  for (size_t b = 0; b < run->beams; b++) {
    size_t k = run->going_on.items[b].index;
    const running_beam *parent = &run->running[beam_of(run, k)];
    running_beam *child = &run->next[b];
    if (ci_reserve((void **)&child->ids, &child->capacity, run->length + 1, sizeof *child->ids))
      return ci_fail_memory(err);
    memcpy(child->ids, parent->ids, run->length * sizeof *child->ids);
    child->ids[run->length] = token_of(run, k);
    child->score = run->going_on.items[b].score;
    run->parents[b] = parent->branch;
    run->tokens[b] = token_of(run, k);
  }
  running_beam *swap = run->running;
  run->running = run->next;
  run->next = swap;
  run->length++;
  return CI_OK;
}

/* Whether another step can still change the result (_check_early_stop_heuristic and
 * _beam_search_has_unfinished_sequences). Called after choose_running. */
static bool goes_on(const beam_run *run) {
  const ci_generation *g = run->search->options;
  bool all_finished = true, any_finished = false, all_end = true;
  float worst = INFINITY;
  for (size_t b = 0; b < run->beams; b++) {
    all_finished &= run->finished[b].ids != NULL;
    any_finished |= run->finished[b].ids != NULL;
    if (run->finished[b].score < worst) worst = run->finished[b].score;
  }
  for (size_t k = 0; k < run->kept; k++) all_end &= run->ends[k];
  size_t length = g->early_stopping == 2 && g->length_penalty > 0 ? run->search->max_length : run->length;
  float possible = run->running[0].score / length_factor(run, length);
  bool can_improve = (any_finished && possible > worst) || (!all_finished && possible > OUT);
  return can_improve && !(all_finished && g->early_stopping == 1) && !all_end;
}

static ci_status advance(beam_run *run, ci_error *err) {
  const ci_stepper *stepper = run->search->stepper;
  ci_status status =
      stepper->advance(stepper->context, run->beams, run->parents, run->tokens, run->branches, run->logits, err);
  for (size_t b = 0; b < run->beams && !status; b++) run->running[b].branch = run->branches[b];
  return status;
}

/* All beams start as the prefix; only the first is in the running, so that they do not all choose the same. */
static ci_status start(beam_run *run, int branch, const float *logits, ci_error *err) {
  const ci_search *search = run->search;
  size_t n = vocabulary_of(run);
  run->length = search->prefix_count;
  for (size_t b = 0; b < run->beams; b++) {
    running_beam *beam = &run->running[b];
    if (ci_reserve((void **)&beam->ids, &beam->capacity, run->length, sizeof *beam->ids)) return ci_fail_memory(err);
    memcpy(beam->ids, search->prefix, run->length * sizeof *beam->ids);
    beam->score = b ? OUT : 0;
    beam->branch = branch;
    run->finished[b].score = OUT;
    memcpy(run->logits + b * n, logits, n * sizeof *logits);
  }
  return CI_OK;
}

static ci_status allocate(beam_run *run, ci_error *err) {
  size_t n = run->beams, floats;
  if (__builtin_mul_overflow(n, vocabulary_of(run), &floats)) return ci_fail_memory(err);
  run->arena = ci_arena_create();
  if (!run->arena) return ci_fail_memory(err);
  run->running = ci_arena_alloc(run->arena, n, sizeof *run->running);
  run->next = ci_arena_alloc(run->arena, n, sizeof *run->next);
  run->finished = ci_arena_alloc(run->arena, n, sizeof *run->finished);
  run->merged = ci_arena_alloc(run->arena, n, sizeof *run->merged);
  run->candidates = (ranking){ci_arena_alloc(run->arena, run->kept, sizeof(ranked)), 0, run->kept};
  run->going_on = (ranking){ci_arena_alloc(run->arena, n, sizeof(ranked)), 0, n};
  run->best_finished = (ranking){ci_arena_alloc(run->arena, n, sizeof(ranked)), 0, n};
  run->ends = ci_arena_alloc(run->arena, run->kept, sizeof *run->ends);
  run->parents = ci_arena_alloc(run->arena, n, sizeof *run->parents);
  run->branches = ci_arena_alloc(run->arena, n, sizeof *run->branches);
  run->tokens = ci_arena_alloc(run->arena, n, sizeof *run->tokens);
  run->logits = ci_arena_alloc(run->arena, floats, sizeof *run->logits);
  bool whole = run->running && run->next && run->finished && run->merged && run->candidates.items &&
               run->going_on.items && run->best_finished.items && run->ends && run->parents && run->branches &&
               run->tokens && run->logits;
  return whole ? CI_OK : ci_fail_memory(err);
}

static void release(beam_run *run) {
  for (size_t b = 0; b < run->beams; b++) {
    if (run->running) ci_free(run->running[b].ids);
    if (run->next) ci_free(run->next[b].ids);
    if (run->finished) ci_free(run->finished[b].ids);
  }
  ci_arena_close(run->arena);
}

static ci_status search_beams(beam_run *run, ci_error *err) {
  for (;;) {
    ci_status status = rank_candidates(run, err);
    if (!status) status = update_finished(run, err);
    if (!status) status = choose_running(run, err);
    if (!status) status = ci_search_progress(run->search, run->length, err);
    if (status || !goes_on(run)) return status;
    status = advance(run, err);
    if (status) return status;
  }
}

bool ci_beam_applies(const ci_generation *options) {
  return options->num_beams > 1 && !options->do_sample;
}

ci_status ci_beam_run(const ci_search *search, int branch, float *logits, ci_generated *out, ci_error *err) {
  size_t beams = (size_t)search->options->num_beams, eos = search->options->eos_count, kept, all;
  if (__builtin_mul_overflow(eos > 1 ? 1 + eos : 2, beams, &kept) ||
      __builtin_mul_overflow(beams, search->stepper->vocabulary, &all) || kept > all)
    return ci_fail(err, CI_EINVAL, "generation_kwargs", "\"num_beams\" %zu is too much for a vocabulary of %zu", beams,
                   search->stepper->vocabulary);
  beam_run run = {.search = search, .beams = beams, .kept = kept};
  ci_status status = allocate(&run, err);
  if (!status) status = start(&run, branch, logits, err);
  if (!status) status = search_beams(&run, err);
  if (!status && !run.finished[0].ids)
    status = ci_fail(err, CI_EINVAL, "generation_kwargs", "the options leave no token to go on with");
  if (!status) {
    *out = (ci_generated){run.finished[0].ids, run.finished[0].count, run.finished[0].branch};
    run.finished[0].ids = NULL;
  }
  release(&run);
  return status;
}
