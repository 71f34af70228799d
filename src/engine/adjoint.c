/* Lays out the adjoint rows of a block of targets. See adjoint.h. */
#include "engine/run.h"

static size_t lay_out(const ci_run *run, ci_adjoint *a) {
  const ci_space *decoder = &run->spaces[CI_DECODER], *encoder = &run->spaces[CI_ENCODER];
  a->rows[CI_SET_OUTPUT] = a->rows[CI_SET_TOP] = a->count;
  for (size_t g = 0; g < a->count; g++) {
    ci_adjoint_group *group = &a->groups[g];
    group->source_branch = decoder->branches[group->branch].source_branch;
    group->full = a->rows[CI_SET_FULL];
    group->source = a->rows[CI_SET_SOURCE];
    group->source_count = group->source_branch < 0 ? 0 : encoder->branches[group->source_branch].length;
    a->rows[CI_SET_FULL] += group->predictor + 1 - group->first;
    a->rows[CI_SET_SOURCE] += group->source_count;
  }
  return a->rows[CI_SET_FULL];
}

static void fill(const ci_run *run, ci_adjoint *a) {
  for (size_t g = 0; g < a->count; g++) {
    const ci_adjoint_group *group = &a->groups[g];
    const int32_t *rows = run->spaces[CI_DECODER].branches[group->branch].rows;
    a->forward[CI_SET_OUTPUT][g] = (int32_t)group->output_row;
    a->forward[CI_SET_TOP][g] = rows[group->predictor];
    for (size_t p = group->first; p <= group->predictor; p++) a->forward[CI_SET_FULL][group->full + p - group->first] = rows[p];
    a->top_in_full[g] = (int32_t)(group->full + group->predictor - group->first);
    for (size_t s = 0; s < group->source_count; s++)
      a->forward[CI_SET_SOURCE][group->source + s] = run->spaces[CI_ENCODER].branches[group->source_branch].rows[s];
  }
}

ci_status ci_adjoint_open(const ci_run *run, ci_adjoint_group *groups, size_t count, ci_adjoint *adjoint, ci_error *err) {
  *adjoint = (ci_adjoint){.groups = groups, .count = count};
  lay_out(run, adjoint);
  bool whole = (adjoint->top_in_full = ci_alloc(count, sizeof(int32_t))) != NULL;
  for (int s = 0; s < CI_SETS; s++)
    whole = (adjoint->forward[s] = ci_alloc(adjoint->rows[s], sizeof(int32_t))) != NULL && whole;
  if (!whole) {
    ci_adjoint_close(adjoint);
    return ci_fail_memory(err);
  }
  fill(run, adjoint);
  return CI_OK;
}

void ci_adjoint_close(ci_adjoint *adjoint) {
  for (int s = 0; s < CI_SETS; s++) ci_free(adjoint->forward[s]);
  ci_free(adjoint->top_in_full);
  *adjoint = (ci_adjoint){0};
}
