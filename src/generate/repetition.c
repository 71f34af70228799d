/* Processors against repetition.
 * repetition_penalty (Keskar et al. 2019, CTRL): the score of every token that is there already is divided by the
 * penalty when positive and multiplied by it when negative; once per token, in float32 as torch does.
 * no_repeat_ngram_size: a token that would complete an n-gram that is there already gets -inf. */
#include "generate/processors.h"
#include <math.h>
#include <string.h>

bool ci_repetition_penalty_applies(const ci_search *search) {
  return search->options->repetition_penalty != 1;
}

void ci_repetition_penalty(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  float penalty = (float)search->options->repetition_penalty;
  for (size_t i = 0; i < count; i++) {
    if (search->seen[ids[i]]) continue;
    search->seen[ids[i]] = 1;
    scores[ids[i]] = scores[ids[i]] < 0 ? scores[ids[i]] * penalty : scores[ids[i]] / penalty;
  }
  for (size_t i = 0; i < count; i++) search->seen[ids[i]] = 0;
}

bool ci_no_repeat_ngram_applies(const ci_search *search) {
  return search->options->no_repeat_ngram_size > 0;
}

void ci_no_repeat_ngram(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  if ((uint64_t)search->options->no_repeat_ngram_size > count) return;
  size_t head = (size_t)search->options->no_repeat_ngram_size - 1;
  const int32_t *tail = ids + count - head;
  for (size_t i = 0; i + head < count; i++)
    if (memcmp(ids + i, tail, head * sizeof *ids) == 0) scores[ids[i + head]] = -INFINITY;
}
