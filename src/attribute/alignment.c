/* See alignment.h. */
#include "attribute/alignment.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

static const char where[] = "contrast_targets_alignments";

/* One [position, contrast position]. */
static ci_status read_pair(const json_t *given, size_t number, size_t length, size_t contrast_length,
                           ci_aligned_pair *pair, ci_error *err) {
  int64_t text, contrast;
  if (json_array_size(given) != 2 || !ci_json_as_int(json_array_get(given, 0), &text) ||
      !ci_json_as_int(json_array_get(given, 1), &contrast))
    return ci_fail(err, CI_EINVAL, where, "member %zu is not a pair of positions", number);
  if (text < 0 || (size_t)text >= length)
    return ci_fail(err, CI_EINVAL, where, "pair %zu begins with position %lld: the text has positions 0 to %zu", number,
                   (long long)text, length - 1);
  /* Inseq's examples begin with (0, 0), the two first tokens, which nothing predicts */
  if (contrast < (text > 0) || (size_t)contrast >= contrast_length)
    return ci_fail(err, CI_EINVAL, where, "pair %zu ends with position %lld: of the contrast, 1 to %zu are predicted",
                   number, (long long)contrast, contrast_length - 1);
  *pair = (ci_aligned_pair){(size_t)text, (size_t)contrast};
  return CI_OK;
}

ci_status ci_alignment_read(const json_t *given, size_t index, size_t texts, size_t length, size_t contrast_length,
                            ci_aligned_pairs *pairs, ci_error *err) {
  *pairs = (ci_aligned_pairs){0};
  if (!json_is_array(given))
    return ci_fail(err, CI_EINVAL, where, "expected \"auto\", pairs of positions, or an array of these for each text");
  /* pairs are arrays of numbers, an array for each text is one of arrays of arrays; a text may have none: [[], [[2,
   * 3]]] */
  const json_t *first = json_array_get(given, 0);
  bool nested = json_is_array(first) && (json_is_array(json_array_get(first, 0)) || json_array_size(first) == 0);
  if (nested || texts > 1) {
    if (json_array_size(given) && json_array_size(given) != texts)
      return ci_fail(err, CI_EINVAL, where, "%zu arrays of pairs for %zu input_texts, expected one for each",
                     json_array_size(given), texts);
    given = json_array_get(given, index);
  }
  size_t count = json_array_size(given);
  pairs->items = ci_alloc(count ? count : 1, sizeof *pairs->items);
  ci_status status = pairs->items ? CI_OK : ci_fail_memory(err);
  for (size_t i = 0; i < count && !status; i++)
    status = read_pair(json_array_get(given, i), i, length, contrast_length, &pairs->items[pairs->count++], err);
  return status;
}

/* The cosine, less a hundredth of how far apart the places are: what only breaks ties. */
static double likeness(const float *a, const float *b, size_t width, double place, double contrast_place) {
  double product = 0, own = 0, other = 0;
  for (size_t i = 0; i < width; i++) {
    product += (double)a[i] * (double)b[i];
    own += (double)a[i] * (double)a[i];
    other += (double)b[i] * (double)b[i];
  }
  return product / fmax(sqrt(own) * sqrt(other), 1e-30) - 0.01 * fabs(place - contrast_place);
}

ci_status ci_alignment_by_embeddings(const float *a, size_t rows, const float *b, size_t contrast_rows, size_t width,
                                     ci_aligned_pairs *pairs, ci_error *err) {
  double *best = ci_alloc(rows, sizeof *best), *best_of = ci_alloc(contrast_rows, sizeof *best_of);
  size_t *nearest = ci_alloc_zeroed(rows, sizeof *nearest),
         *nearest_to = ci_alloc_zeroed(contrast_rows, sizeof *nearest_to);
  *pairs = (ci_aligned_pairs){ci_alloc(rows, sizeof *pairs->items), 0};
  ci_status status = best && best_of && nearest && nearest_to && pairs->items ? CI_OK : ci_fail_memory(err);
  for (size_t i = 0; i < rows && !status; i++) best[i] = -INFINITY;
  for (size_t j = 0; j < contrast_rows && !status; j++) best_of[j] = -INFINITY;
  for (size_t i = 0; i < rows && !status; i++)
    for (size_t j = 0; j < contrast_rows; j++) {
      double near =
          likeness(a + i * width, b + j * width, width, (double)i / (double)rows, (double)j / (double)contrast_rows);
      if (near > best[i]) best[i] = near, nearest[i] = j;
      if (near > best_of[j]) best_of[j] = near, nearest_to[j] = i;
    }
  for (size_t i = 0; i < rows && !status; i++) /* a first token is not predicted */
    if (nearest_to[nearest[i]] == i && nearest[i] > 0) pairs->items[pairs->count++] = (ci_aligned_pair){i, nearest[i]};
  ci_free(best);
  ci_free(best_of);
  ci_free(nearest);
  ci_free(nearest_to);
  return status;
}

static int by_position(const void *a, const void *b) {
  const ci_aligned_pair *x = a, *y = b;
  if (x->text != y->text) return x->text < y->text ? -1 : 1;
  return (x->contrast > y->contrast) - (x->contrast < y->contrast);
}

void ci_alignment_fill(ci_aligned_pairs *pairs, size_t start, size_t end, size_t contrast_length, size_t *aligned,
                       size_t *short_of) {
  enum { NONE = 0 }; /* the first position is never a partner */
  *short_of = 0;
  if (pairs->count) qsort(pairs->items, pairs->count, sizeof *pairs->items, by_position);
  for (size_t t = start; t < end; t++) {
    size_t chosen = NONE;
    bool free_one = false;
    for (size_t i = 0; i < pairs->count && !free_one; i++) {
      if (pairs->items[i].text != t) continue;
      size_t partner = pairs->items[i].contrast;
      free_one = true;
      for (size_t s = start; s < t; s++) free_one = free_one && aligned[s - start] != partner;
      if (free_one || chosen == NONE) chosen = partner;
    }
    aligned[t - start] = chosen;
  }
  for (size_t t = start; t < end; t++) {
    if (aligned[t - start] != NONE) continue;
    size_t from_end = end - t;
    aligned[t - start] = contrast_length > from_end ? contrast_length - from_end : contrast_length - 1;
    *short_of += contrast_length <= from_end;
  }
}
