/* The long parts of tokenizer files (vocabularies and merges of 50,000 and more members), read without building a tree:
 * jansson takes 1 microsecond a member, which was most of the time of opening GPT-2. What is short stays with jansson.
 */
#ifndef CI_TOKENIZERS_SCAN_H
#define CI_TOKENIZERS_SCAN_H
#include "base/json.h"
#include "base/text.h"
#include "tokenizers/vocabulary.h"

/* A place in a JSON text. where: the file, for errors. */
typedef struct {
  const char *where, *bytes;
  size_t length, at;
} ci_scan;

/* {"token": id, ...} at the place; the whole text must be one such object when `whole`. */
ci_status ci_scan_vocabulary(ci_scan *scan, bool whole, ci_vocabulary *vocabulary, ci_error *err);
/* A file that is such an object. */
ci_status ci_scan_vocabulary_file(const char *folder, const char *name, ci_vocabulary *vocabulary, ci_error *err);
/* ["a b", ...] or [["a", "b"], ...] at the place. */
typedef ci_status ci_scan_take_pair(void *context, const char *a, size_t a_length, const char *b, size_t b_length,
                                    ci_error *err);
ci_status ci_scan_pairs(ci_scan *scan, ci_scan_take_pair *take, void *context, ci_error *err);
/* [["a", -1.5], ...] at the place. */
typedef ci_status ci_scan_take_score(void *context, const char *token, size_t length, double score, ci_error *err);
ci_status ci_scan_scores(ci_scan *scan, ci_scan_take_score *take, void *context, ci_error *err);
/* Where values lie in a text. */
typedef struct {
  size_t begin, end; /* end 0: it is not there */
} ci_extent;

/* Where the values of object[outer][names[i]] lie, i < count. Only what has to be skipped is looked at, once, and only
 * for its brackets and strings. */
ci_status ci_scan_locate(const ci_scan *scan, const char *outer, const char *const *names, size_t count,
                         ci_extent *extents, ci_error *err);

#endif
