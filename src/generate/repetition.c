/* Processors against repetition.
 * repetition_penalty (Keskar et al. 2019, CTRL): the score of every token that is there already is divided by the
 * penalty when positive and multiplied by it when negative; once per token, in float32 as torch does.
 * no_repeat_ngram_size: a token that would complete an n-gram that is there already gets -inf.
 * The same for what is in the encoder's input (decoder-only: the prompt): encoder_no_repeat_ngram_size, and
 * encoder_repetition_penalty, whose inverse is the penalty. */
#include "generate/processors.h"
#include <math.h>
#include <string.h>

typedef struct {
  const int32_t *ids;
  size_t count;
} id_span;

static id_span source_of(const ci_search *search) {
  const ci_stepper *stepper = search->stepper;
  if (stepper->source_count) return (id_span){stepper->source, stepper->source_count};
  return (id_span){search->prefix, search->prefix_count};
}

/* A source may have a vocabulary of its own: its ids may be none of the output's. */
static bool has_score(const ci_search *search, int32_t id) {
  return id >= 0 && (size_t)id < search->stepper->vocabulary;
}

static void penalise(const ci_search *search, id_span span, float penalty, float *scores) {
  for (size_t i = 0; i < span.count; i++) {
    int32_t id = span.ids[i];
    if (!has_score(search, id) || search->seen[id]) continue;
    search->seen[id] = 1;
    scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
  }
  for (size_t i = 0; i < span.count; i++)
    if (has_score(search, span.ids[i])) search->seen[span.ids[i]] = 0;
}

/* No token that with the last n - 1 ids would complete an n-gram of `from`. */
static void ban_ngrams(const ci_search *search, id_span from, int64_t n, const int32_t *ids, size_t count,
                       float *scores) {
  if ((uint64_t)n - 1 > count) return;
  size_t head = (size_t)n - 1;
  const int32_t *tail = ids + count - head;
  for (size_t i = 0; i + head < from.count; i++)
    if (memcmp(from.ids + i, tail, head * sizeof *ids) == 0 && has_score(search, from.ids[i + head]))
      scores[from.ids[i + head]] = -INFINITY;
}

bool ci_encoder_penalty_applies(const ci_search *search) {
  return search->options->encoder_repetition_penalty != 1;
}

void ci_encoder_penalty(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  (void)ids, (void)count;
  penalise(search, source_of(search), (float)(1 / search->options->encoder_repetition_penalty), scores);
}

bool ci_repetition_penalty_applies(const ci_search *search) {
  return search->options->repetition_penalty != 1;
}

void ci_repetition_penalty(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  penalise(search, (id_span){ids, count}, (float)search->options->repetition_penalty, scores);
}

bool ci_no_repeat_ngram_applies(const ci_search *search) {
  return search->options->no_repeat_ngram_size > 0;
}

void ci_no_repeat_ngram(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  ban_ngrams(search, (id_span){ids, count}, search->options->no_repeat_ngram_size, ids, count, scores);
}

bool ci_encoder_ngram_applies(const ci_search *search) {
  return search->options->encoder_no_repeat_ngram_size > 0;
}

void ci_encoder_ngram(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  ban_ngrams(search, source_of(search), search->options->encoder_no_repeat_ngram_size, ids, count, scores);
}
