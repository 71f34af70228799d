/* See moses.h. Opening, and the tokenizer: a list of substitutions, then full stops that end a sentence, then the
 * characters that XML would read otherwise. */
#define _GNU_SOURCE /* memmem */
#include "tokenizers/moses.h"
#include "base/memory.h"
#include <string.h>

static const ci_moses_language languages[] = {
#define CI_MOSES_LANGUAGE(code, prefixes, before_numbers) {code, prefixes, before_numbers},
#include "tokenizers/moses_languages.def"
#undef CI_MOSES_LANGUAGE
};

enum { LANGUAGES = sizeof languages / sizeof *languages };

/* The only white space after the first rule is the space. */
static const ci_rewrite split_rules[] = {
    {NULL, "[{s}]+", " "},
    {NULL, "[\\x00-\\x1f]", ""},
    {NULL, "\\A +|(?<! ) +\\z", ""},
    {NULL, "([^{alpha}{marks}{digit} .'`,-])", " $1 "},
    {NULL, "([{alpha}{marks}{digit}])-(?=[{alpha}{marks}{digit}])", "$1 @-@ "},
    /* Dots in a row stay together: for the rules between here and restore_dots they are words, DOTDOTMULTI. */
    {NULL, "(\\.{2,})", " $1MULTI "},
    {NULL, "(?<=\\.)\\.|\\.(?=\\.)", "DOT"},
    /* Commas, but within numbers. */
    {NULL, "([^{digit}{numeral}]),", "$1 , "},
    {NULL, ",([^{digit}{numeral}])", " , $1"},
    {NULL, "([{digit}{numeral}]),\\z", "$1 , "},
    /* Apostrophes. */
    {" en ", "([^{alpha}{marks}])'([^{alpha}{marks}])", "$1 ' $2"},
    {" en ", "([^{alpha}{marks}{digit}{numeral}])'([{alpha}{marks}])", "$1 ' $2"},
    {" en ", "([{alpha}{marks}])'([^{alpha}{marks}])", "$1 ' $2"},
    {" en ", "([{alpha}{marks}])'([{alpha}{marks}])", "$1 '$2"},
    {" en ", "([{digit}{numeral}])'(s)", "$1 '$2"},
    {" de ru ", "'", " ' "},
};

static const ci_rewrite finish_rules[] = {
    {NULL, "&", "&amp;"},  {NULL, "\\|", "&#124;"}, {NULL, "<", "&lt;"},    {NULL, ">", "&gt;"},
    {NULL, "'", "&apos;"}, {NULL, "\"", "&quot;"},  {NULL, "\\[", "&#91;"}, {NULL, "\\]", "&#93;"},
};

static const ci_rewrite test_rules[] = {
    [CI_MOSES_HAS_LETTER] = {NULL, "[{alpha}{marks}]", ""},
    [CI_MOSES_BEGINS_LOWER] = {NULL, "\\A[{lower}]", ""},
    [CI_MOSES_CURRENCY] = {NULL, "\\A[{currency}(\\[{¿¡]+\\z", ""},
    [CI_MOSES_PUNCTUATION] = {NULL, "\\A[,.?!:;\\\\%}\\])]+\\z", ""},
    [CI_MOSES_SHORT_FORM] = {NULL, "\\A'[{alpha}]", ""},
    [CI_MOSES_QUOTES] = {NULL, "\\A['\"„“`]+\\z", ""},
};

static ci_status unknown_language(const char *code, const char *where, ci_error *err) {
  ci_text known = {0};
  for (size_t i = 0; i < LANGUAGES; i++) ci_text_add_format(&known, "%s%s", i ? ", " : "", languages[i].code);
  ci_status status = ci_fail(err, CI_EFILE, where, "the language \"%.40s\" has no Moses rules here; known: %s", code,
                             known.data ? known.data : "");
  ci_text_free(&known);
  return status;
}

ci_status ci_moses_open(ci_moses *m, const char *code, const char *where, ci_error *err) {
  *m = (ci_moses){0};
  for (size_t i = 0; i < LANGUAGES; i++)
    if (strcmp(languages[i].code, code) == 0) m->language = &languages[i];
  if (!m->language) return unknown_language(code, where, err);
  struct {
    const ci_rewrite *rules;
    size_t count;
    ci_rewriter **rewriter;
  } lists[] = {{ci_moses_punctuation_rules, ci_moses_punctuation_count, &m->punctuation},
               {split_rules, sizeof split_rules / sizeof *split_rules, &m->split},
               {finish_rules, sizeof finish_rules / sizeof *finish_rules, &m->finish},
               {ci_moses_join_rules, ci_moses_join_count, &m->join},
               {test_rules, sizeof test_rules / sizeof *test_rules, &m->tests}};
  char spaced[8] = " ";
  strncat(spaced, code, 5);
  strcat(spaced, " ");
  ci_status status = CI_OK;
  for (size_t i = 0; i < sizeof lists / sizeof *lists && !status; i++)
    status = ci_rewriter_open(lists[i].rules, lists[i].count, spaced, lists[i].rewriter, err);
  return status;
}

void ci_moses_close(ci_moses *m) {
  ci_rewriter_close(m->punctuation);
  ci_rewriter_close(m->split);
  ci_rewriter_close(m->finish);
  ci_rewriter_close(m->join);
  ci_rewriter_close(m->tests);
}

/* Is the word in a list of words with a space on either side of each? */
static bool is_listed(const char *list, const char *word, size_t length) {
  const char *end = list + strlen(list);
  for (const char *at = list; (at = memmem(at, (size_t)(end - at), word, length)); at++)
    if (at > list && at[-1] == ' ' && at[length] == ' ') return true;
  return false;
}

/* Whether the full stop stays with the word before it. next: the word behind, [next, end). */
static ci_status keeps_stop(const ci_moses *m, const char *word, size_t length, const char *next, const char *end,
                            bool *keeps, ci_error *err) {
  size_t rest = (size_t)(end - next);
  bool before_number = is_listed(m->language->before_numbers, word, length);
  ci_status status = CI_OK;
  *keeps = is_listed(m->language->prefixes, word, length) || (before_number && rest && *next >= '0' && *next <= '9');
  if (!*keeps && memchr(word, '.', length))
    status = ci_rewriter_matches(m->tests, CI_MOSES_HAS_LETTER, word, length, keeps, err);
  if (!status && !*keeps && rest) status = ci_rewriter_matches(m->tests, CI_MOSES_BEGINS_LOWER, next, rest, keeps, err);
  return status;
}

/* handles_nonbreaking_prefixes: words with one space between them, full stops cut off where they end a sentence. */
static ci_status cut_stops(const ci_moses *m, const char *text, size_t length, ci_text *out, ci_error *err) {
  const char *end = text + length;
  ci_status status = CI_OK;
  while (text < end && *text == ' ') text++;
  while (text < end && !status) {
    const char *stop = memchr(text, ' ', (size_t)(end - text));
    if (!stop) stop = end;
    const char *next = stop, *next_end;
    while (next < end && *next == ' ') next++;
    next_end = next < end ? memchr(next, ' ', (size_t)(end - next)) : NULL;
    bool keeps = true;
    size_t n = (size_t)(stop - text);
    if (n > 1 && stop[-1] == '.') status = keeps_stop(m, text, n - 1, next, next_end ? next_end : end, &keeps, err);
    ci_text_add_n(out, text, keeps ? n : n - 1);
    if (!keeps) ci_text_add(out, " .");
    if (next < end) ci_text_add(out, " ");
    text = next;
  }
  return status;
}

/* (DOT)+MULTI as dots. */
static void restore_dots(const ci_text *text, ci_text *out) {
  for (size_t at = 0; at < text->length;) {
    size_t dots = 0, end = at;
    for (; text->length - end >= 3 && memcmp(text->data + end, "DOT", 3) == 0; end += 3) dots++;
    bool restored = dots && text->length - end >= 5 && memcmp(text->data + end, "MULTI", 5) == 0;
    if (!restored) ci_text_add_n(out, text->data + at, dots ? end - at : 1);
    for (size_t i = 0; i < dots && restored; i++) ci_text_add(out, ".");
    at = restored ? end + 5 : dots ? end : at + 1;
  }
}

static void replace(ci_text *text, ci_text *by) {
  ci_text before = *text;
  *text = *by;
  *by = before;
  by->length = 0;
}

ci_status ci_moses_tokenize(const ci_moses *m, ci_text *text, ci_error *err) {
  ci_text next = {0};
  ci_status status = ci_rewriter_run(m->split, text, err);
  if (status || !text->length) return status;
  ci_text_add(&next, "");
  status = cut_stops(m, text->data, text->length, &next, err);
  replace(text, &next);
  /* The last rule before dots are restored, which may make more of these: a text that ends with .' */
  bool quoted = text->length >= 2 && memcmp(text->data + text->length - 2, ".'", 2) == 0;
  if (quoted) text->length -= 2;
  ci_text_add(text, quoted ? " . ' " : "");
  ci_text_add(&next, "");
  restore_dots(text, &next);
  replace(text, &next);
  if (!status && (text->failed || next.failed)) status = ci_fail_memory(err);
  ci_text_free(&next);
  return status ? status : ci_rewriter_run(m->finish, text, err);
}
