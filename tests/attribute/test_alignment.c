/* Alignments: what is given, what is found by embeddings, and what is filled in from the right. */
#include "attribute/alignment.h"
#include "base/memory.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The aligned positions of [start, end) for pairs given as JSON: text `index` of `texts`, 9 and 7 tokens. */
static void fill(const char *json, size_t index, size_t texts, size_t start, size_t end, size_t *aligned,
                 size_t *short_of) {
  ci_error err = {0};
  ci_aligned_pairs pairs;
  json_t *given = json_loads(json, 0, NULL);
  if (ci_alignment_read(given, index, texts, 9, 7, &pairs, &err)) fail_msg("%s: %s", json, err.message);
  ci_alignment_fill(&pairs, start, end, 7, aligned, short_of);
  ci_free(pairs.items);
  json_decref(given);
}

static void pairs_are_taken_and_gaps_filled_from_the_right(void **state) {
  (void)state;
  static const struct {
    const char *json;
    size_t index, texts, start, end, aligned[8], short_of;
  } cases[] = {
      {"[]", 0, 1, 5, 9, {3, 4, 5, 6}, 0},
      {"[]", 0, 1, 1, 9, {6, 6, 1, 2, 3, 4, 5, 6}, 2}, /* Inseq: the last token for what has none to its left */
      {"[[6, 1], [8, 2]]", 0, 1, 5, 9, {3, 1, 5, 2}, 0},
      {"[[6, 2], [6, 1], [5, 1]]", 0, 1, 5, 9, {1, 2, 5, 6}, 0}, /* 1 is taken: 6 gets its other partner */
      {"[[6, 1], [5, 1]]", 0, 1, 5, 9, {1, 1, 5, 6}, 0},
      {"[[0, 3]]", 0, 1, 7, 9, {5, 6}, 0},         /* of the prompt: no token is attributed there */
      {"[[0, 0], [1, 2]]", 0, 1, 1, 3, {2, 6}, 0}, /* the first tokens of both */
      {"[[[5, 1]], [[5, 2]]]", 1, 2, 5, 6, {2}, 0},
      {"[[], [[5, 2]]]", 0, 2, 5, 6, {6}, 0},
      {"[[[5, 1]]]", 0, 1, 5, 6, {1}, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t aligned[8], short_of;
    fill(cases[i].json, cases[i].index, cases[i].texts, cases[i].start, cases[i].end, aligned, &short_of);
    for (size_t t = 0; t < cases[i].end - cases[i].start; t++)
      if (aligned[t] != cases[i].aligned[t])
        fail_msg("%s: position %zu is %zu, expected %zu", cases[i].json, cases[i].start + t, aligned[t],
                 cases[i].aligned[t]);
    assert_int_equal(short_of, cases[i].short_of);
  }
}

static void wrong_pairs_are_named(void **state) {
  (void)state;
  static const struct {
    const char *json;
    size_t texts;
    const char *message;
  } cases[] = {
      {"\"autom\"", 1, "\"auto\""},
      {"[3, 4]", 1, "member 0"},
      {"[[1, 2], [3]]", 1, "member 1"},
      {"[[1, \"a\"]]", 1, "member 0"},
      {"[[9, 1]]", 1, "positions 0 to 8"},
      {"[[-1, 1]]", 1, "position -1"},
      {"[[1, 7]]", 1, "1 to 6 are predicted"},
      {"[[1, 0]]", 1, "1 to 6 are predicted"},
      {"[[[1, 2]]]", 2, "1 arrays of pairs for 2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_error err = {0};
    ci_aligned_pairs pairs;
    json_t *given = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
    assert_int_equal(ci_alignment_read(given, 0, cases[i].texts, 9, 7, &pairs, &err), CI_EINVAL);
    assert_string_equal(err.where, "contrast_targets_alignments");
    if (!strstr(err.message, cases[i].message)) fail_msg("%s: %s", cases[i].json, err.message);
    ci_free(pairs.items);
    json_decref(given);
  }
}

/* Tokens a b c a d against a x b c a d: what is equal finds its like, though one was put in. */
static void embeddings_find_their_like(void **state) {
  (void)state;
  static const float of[5][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {0.5f, 0.5f, 0.5f, 0.5f}};
  static const int text[] = {0, 1, 2, 0, 3}, contrast[] = {0, 4, 1, 2, 0, 3};
  static const size_t expected[] = {0, 2, 3, 4, 5};
  float a[5][4], b[6][4];
  for (int i = 0; i < 5; i++) memcpy(a[i], of[text[i]], sizeof a[i]);
  for (int i = 0; i < 6; i++) memcpy(b[i], of[contrast[i]], sizeof b[i]);
  ci_aligned_pairs pairs;
  assert_int_equal(ci_alignment_by_embeddings(a[0], 5, b[0], 6, 4, &pairs, NULL), CI_OK);
  assert_int_equal(pairs.count, 4); /* the first token has no partner: nothing predicts it */
  for (size_t i = 0; i < pairs.count; i++) {
    assert_int_equal(pairs.items[i].text, i + 1);
    assert_int_equal(pairs.items[i].contrast, expected[i + 1]);
  }
  ci_free(pairs.items);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pairs_are_taken_and_gaps_filled_from_the_right),
                                     cmocka_unit_test(wrong_pairs_are_named),
                                     cmocka_unit_test(embeddings_find_their_like)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
