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

/* Which forward rows the adjoint rows of a group belong to, in a decoder branch of the same text. */
static void fill(const ci_run *run, const ci_adjoint_group *group, size_t g, int branch, size_t output_row, int32_t **sets) {
  const ci_branch *decoder = &run->spaces[CI_DECODER].branches[branch];
  sets[CI_SET_OUTPUT][g] = (int32_t)output_row;
  sets[CI_SET_TOP][g] = decoder->rows[group->predictor];
  for (size_t p = group->first; p <= group->predictor; p++) sets[CI_SET_FULL][group->full + p - group->first] = decoder->rows[p];
  for (size_t s = 0; s < group->source_count; s++)
    sets[CI_SET_SOURCE][group->source + s] = run->spaces[CI_ENCODER].branches[decoder->source_branch].rows[s];
}

static bool allocate(const ci_adjoint *a, int32_t **sets) {
  bool whole = true;
  for (int s = 0; s < CI_SETS; s++) whole = (sets[s] = ci_alloc(a->rows[s], sizeof(int32_t))) != NULL && whole;
  return whole;
}

ci_status ci_adjoint_open(const ci_run *run, ci_adjoint_group *groups, size_t count, ci_adjoint *adjoint, ci_error *err) {
  *adjoint = (ci_adjoint){.groups = groups, .count = count};
  lay_out(run, adjoint);
  bool rescales = count && groups[0].rescales, whole = allocate(adjoint, adjoint->forward);
  adjoint->top_in_full = ci_alloc(count, sizeof(int32_t));
  if (rescales) whole = allocate(adjoint, adjoint->reference) && whole;
  if (!whole || !adjoint->top_in_full) {
    ci_adjoint_close(adjoint);
    return ci_fail_memory(err);
  }
  for (size_t g = 0; g < count; g++) {
    adjoint->top_in_full[g] = (int32_t)(groups[g].full + groups[g].predictor - groups[g].first);
    fill(run, &groups[g], g, groups[g].branch, groups[g].output_row, adjoint->forward);
    if (rescales) fill(run, &groups[g], g, groups[g].reference, groups[g].reference_output_row, adjoint->reference);
  }
  return CI_OK;
}

void ci_adjoint_close(ci_adjoint *adjoint) {
  for (int s = 0; s < CI_SETS; s++) {
    ci_free(adjoint->forward[s]);
    ci_free(adjoint->reference[s]);
  }
  ci_free(adjoint->top_in_full);
  *adjoint = (ci_adjoint){0};
}
