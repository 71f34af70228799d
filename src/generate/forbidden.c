/* Processors that forbid tokens by name: bad_words_ids (words of one or more tokens), suppress_tokens,
 * begin_suppress_tokens. */
#include "generate/processors.h"
#include <math.h>

static int32_t id_at(const json_t *list, size_t i) {
  int64_t id = -1;
  ci_json_as_int(json_array_get(list, i), &id);
  return id < 0 || id > INT32_MAX ? -1 : (int32_t)id;
}

/* An eos token alone is never a bad word, as in transformers. */
static bool is_word(const ci_search *search, const json_t *word) {
  return json_array_size(word) != 1 || !ci_search_is_eos(search, id_at(word, 0));
}

/* Whether ids end with all of word but its last token. transformers looks only once the whole word would fit into what
 * is there: a word of two tokens is allowed as the first two. */
static bool begins(const json_t *word, const int32_t *ids, size_t count) {
  size_t length = json_array_size(word);
  if (length == 1) return true;
  if (length > count) return false;
  for (size_t i = 0; i + 1 < length; i++)
    if (id_at(word, i) != ids[count - (length - 1) + i]) return false;
  return true;
}

bool ci_bad_words_applies(const ci_search *search) {
  return search->options->bad_words_ids != NULL;
}

ci_status ci_bad_words_check(const ci_search *search, ci_error *err) {
  size_t i, vocabulary = search->stepper->vocabulary;
  json_t *word;
  json_array_foreach(search->options->bad_words_ids, i, word) {
    if (!is_word(search, word)) continue;
    for (size_t j = 0; j < json_array_size(word); j++)
      if ((size_t)id_at(word, j) >= vocabulary)
        return ci_fail(err, CI_EINVAL, "generation_kwargs", "\"bad_words_ids\" %zu holds %d, expected ids below %zu", i,
                       (int)id_at(word, j), vocabulary);
  }
  return CI_OK;
}

void ci_bad_words(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  size_t i;
  json_t *word;
  json_array_foreach(search->options->bad_words_ids, i, word) if (is_word(search, word) && begins(word, ids, count))
      scores[id_at(word, json_array_size(word) - 1)] = -INFINITY;
}

/* Ids outside the vocabulary forbid nothing, as in transformers. */
static void forbid(const ci_search *search, const json_t *list, float *scores) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    int32_t id = id_at(list, i);
    if (id >= 0 && (size_t)id < search->stepper->vocabulary) scores[id] = -INFINITY;
  }
}

bool ci_suppress_applies(const ci_search *search) {
  return search->options->suppress_tokens != NULL;
}

void ci_suppress(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  (void)ids, (void)count;
  forbid(search, search->options->suppress_tokens, scores);
}

bool ci_begin_suppress_applies(const ci_search *search) {
  return search->options->begin_suppress_tokens != NULL;
}

/* The first generated token; the second where a forced bos comes first. */
void ci_begin_suppress(const ci_search *search, const int32_t *ids, size_t count, float *scores) {
  (void)ids;
  bool forced = search->prefix_count == 1 && search->options->forced_bos_token_id >= 0;
  if (count == search->prefix_count + forced) forbid(search, search->options->begin_suppress_tokens, scores);
}
