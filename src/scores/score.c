/* The table of step functions and what they share. See score.h. */
#include "scores/score.h"
#include "base/unknown.h"
#include <math.h>
#include <string.h>

#define CI_SCORE(member) extern const ci_score ci_score_##member;
#include "scores/scores.def"
#undef CI_SCORE

static const ci_score *const rows[] = {
#define CI_SCORE(member) &ci_score_##member,
#include "scores/scores.def"
#undef CI_SCORE
};

enum { ROWS = sizeof rows / sizeof *rows };

const ci_score *ci_score_at(size_t index) {
  return index < ROWS ? rows[index] : NULL;
}

ci_status ci_score_named(const char *id, const char *where, const ci_score **score, ci_error *err) {
  const char *names[ROWS];
  for (size_t i = 0; i < ROWS; i++) {
    names[i] = rows[i]->id;
    if (strcmp(id, names[i]) == 0) return *score = rows[i], CI_OK;
  }
  return ci_fail_unknown(err, where, "step function", id, names, ROWS);
}

void ci_score_prepare(ci_score_input *input, float *scratch) {
  input->scratch = scratch;
  float top = input->kernels->max(input->logits, input->vocabulary);
  memcpy(scratch, input->logits, input->vocabulary * sizeof(float));
  input->kernels->exp_sum(scratch, input->vocabulary, 1, top);
  /* Summed apart, wholly in double: a probability near 1 leaves 1e-8 to all others, which cross-entropy and entropy are
   * made of. */
  input->log_sum = (double)top + log(input->kernels->sum(scratch, input->vocabulary));
}

void ci_score_softmax(const ci_score_input *input, float *out) {
  memcpy(out, input->logits, input->vocabulary * sizeof(float));
  input->kernels->exp_sum(out, input->vocabulary, 1, (float)input->log_sum);
}
