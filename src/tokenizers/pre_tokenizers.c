/* The pre-tokenizers of tokenizer.json: a text cut into words. Semantics: the tokenizers library 0.22. */
#include "base/memory.h"
#include "tokenizers/bpe.h"
#include "tokenizers/oniguruma.h"
#include "tokenizers/parts.h"
#include <string.h>

/* ByteLevel: GPT-2's words, their bytes written as printable letters. */

typedef struct {
  bool add_prefix_space;
  ci_regex *words; /* NULL: use_regex is false */
} byte_level;

static ci_status open_byte_level(void *state, const json_t *settings, const char *where, ci_error *err) {
  byte_level *b = state;
  bool use_regex;
  ci_status status = ci_json_get_bool(settings, where, "add_prefix_space", true, &b->add_prefix_space, err);
  if (!status) status = ci_json_get_bool(settings, where, "use_regex", true, &use_regex, err);
  if (status || !use_regex) return status;
  return ci_regex_open(ci_gpt2_pattern, strlen(ci_gpt2_pattern), false, where, &b->words, err);
}

static void close_byte_level(void *state) {
  ci_regex_close(((byte_level *)state)->words);
}

static ci_status add_letters(const char *text, size_t length, bool first, ci_spans *out, ci_error *err) {
  size_t before = out->text.length;
  ci_status status = ci_spans_add(out, "", 0, -1, first, err);
  for (size_t i = 0; i < length; i++) ci_text_add_codepoint(&out->text, ci_byte_letter((unsigned char)text[i]));
  if (!status) out->items[out->count - 1].length = out->text.length - before;
  return status;
}

static ci_status split_byte_level(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                                  ci_error *err) {
  const byte_level *b = state;
  ci_text spaced = {0};
  if (b->add_prefix_space && text[0] != ' ') {
    ci_text_add(&spaced, " ");
    ci_text_add_n(&spaced, text, length);
    if (spaced.failed) return ci_fail_memory(err);
    text = spaced.data;
    length = spaced.length;
  }
  ci_matches matches = {0};
  ci_status status =
      b->words ? ci_regex_cut(b->words, text, length, &matches, err) : ci_matches_add(&matches, 0, length, true, err);
  for (size_t i = 0; i < matches.count && !status; i++) {
    ci_match m = matches.items[i];
    status = add_letters(text + m.start, m.end - m.start, first && m.start == 0, out, err);
  }
  ci_free(matches.items);
  ci_text_free(&spaced);
  return status;
}

const ci_part_kind ci_part_pre_tokenizer_byte_level = {.type = "ByteLevel",
                                                       .size = sizeof(byte_level),
                                                       .open = open_byte_level,
                                                       .close = close_byte_level,
                                                       .split = split_byte_level};

/* Split: at the matches of a pattern. */

typedef struct {
  ci_regex *pattern;
  ci_behavior behavior;
  bool invert;
} split;

static ci_status open_split(void *state, const json_t *settings, const char *where, ci_error *err) {
  split *s = state;
  ci_status status = ci_behavior_named(settings, NULL, where, &s->behavior, err);
  if (!status) status = ci_json_get_bool(settings, where, "invert", false, &s->invert, err);
  return status ? status : ci_regex_open_json(json_object_get(settings, "pattern"), where, &s->pattern, err);
}

static void close_split(void *state) {
  ci_regex_close(((split *)state)->pattern);
}

static ci_status split_split(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                             ci_error *err) {
  const split *s = state;
  ci_matches matches = {0};
  ci_status status = ci_regex_cut(s->pattern, text, length, &matches, err);
  for (size_t i = 0; i < matches.count && s->invert; i++) matches.items[i].match = !matches.items[i].match;
  if (!status) status = ci_split_by(&matches, s->behavior, text, first, out, err);
  ci_free(matches.items);
  return status;
}

const ci_part_kind ci_part_pre_tokenizer_split = {
    .type = "Split", .size = sizeof(split), .open = open_split, .close = close_split, .split = split_split};

/* Whitespace: runs of word characters and runs of others, white space dropped. */

#define WORD CI_WORD_MEMBERS "\\x{200C}\\x{200D}" /* Rust's \w */

static ci_status open_whitespace(void *state, const json_t *settings, const char *where, ci_error *err) {
  static const char words[] = "[" WORD "]+|[^" CI_SPACE_MEMBERS WORD "]+";
  (void)settings;
  split *s = state;
  s->invert = true;
  ci_status status = ci_behavior_named(NULL, "Removed", where, &s->behavior, err);
  return status ? status : ci_regex_open(words, sizeof words - 1, false, where, &s->pattern, err);
}

const ci_part_kind ci_part_pre_tokenizer_whitespace = {
    .type = "Whitespace", .size = sizeof(split), .open = open_whitespace, .close = close_split, .split = split_split};

/* Metaspace: spaces become a visible mark, and words begin with it. */

typedef enum { ALWAYS, FIRST, NEVER } prepend_scheme;

typedef struct {
  ci_text mark;
  prepend_scheme scheme;
  bool split;
  ci_regex *spaces, *marks;
  ci_behavior behavior;
} metaspace;

static ci_status read_scheme(const json_t *settings, const char *where, prepend_scheme *scheme, ci_error *err) {
  static const char *const names[] = {"always", "first", "never"};
  const char *name;
  bool add;
  ci_status status = ci_json_get_text(settings, where, "prepend_scheme", NULL, &name, err);
  if (!status) status = ci_json_get_bool(settings, where, "add_prefix_space", true, &add, err);
  if (status) return status;
  *scheme = add ? ALWAYS : NEVER; /* how files said it before prepend_scheme */
  if (!name) return CI_OK;
  for (size_t i = 0; i < 3; i++)
    if (strcmp(names[i], name) == 0) return *scheme = (prepend_scheme)i, CI_OK;
  return ci_fail(err, CI_EFILE, where, "Metaspace has the prepend_scheme \"%s\", expected always, first or never",
                 name);
}

static ci_status open_metaspace(void *state, const json_t *settings, const char *where, ci_error *err) {
  metaspace *m = state;
  const char *mark;
  ci_status status = ci_json_get_text(settings, where, "replacement", "\xE2\x96\x81", &mark, err);
  if (!status) status = read_scheme(settings, where, &m->scheme, err);
  if (!status) status = ci_json_get_bool(settings, where, "split", true, &m->split, err);
  if (!status) status = ci_behavior_named(NULL, "MergedWithNext", where, &m->behavior, err);
  if (status) return status;
  uint32_t c;
  if (!*mark || ci_utf8_next(mark, strlen(mark), 0, &c) != strlen(mark))
    return ci_fail(err, CI_EFILE, where, "Metaspace has the replacement \"%.20s\", expected one character", mark);
  ci_text_add(&m->mark, mark);
  if (m->mark.failed) return ci_fail_memory(err);
  status = ci_regex_open(" ", 1, true, where, &m->spaces, err);
  return status ? status : ci_regex_open(mark, strlen(mark), true, where, &m->marks, err);
}

static void close_metaspace(void *state) {
  metaspace *m = state;
  ci_text_free(&m->mark);
  ci_regex_close(m->spaces);
  ci_regex_close(m->marks);
}

static ci_status mark_spaces(const metaspace *m, const char *text, size_t length, bool first, ci_text *out,
                             ci_error *err) {
  ci_matches matches = {0};
  ci_status status = ci_regex_cut(m->spaces, text, length, &matches, err);
  bool marked = (matches.count && matches.items[0].match) ||
                (length >= m->mark.length && memcmp(text, m->mark.data, m->mark.length) == 0);
  if (!marked && (m->scheme == ALWAYS || (m->scheme == FIRST && first)))
    ci_text_add_n(out, m->mark.data, m->mark.length);
  for (size_t i = 0; i < matches.count; i++) {
    ci_match s = matches.items[i];
    if (s.match) {
      ci_text_add_n(out, m->mark.data, m->mark.length);
    } else {
      ci_text_add_n(out, text + s.start, s.end - s.start);
    }
  }
  ci_free(matches.items);
  return !status && out->failed ? ci_fail_memory(err) : status;
}

static ci_status split_metaspace(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                                 ci_error *err) {
  const metaspace *m = state;
  ci_text marked = {0};
  ci_matches matches = {0};
  ci_status status = mark_spaces(m, text, length, first, &marked, err);
  if (!status && !m->split) status = ci_spans_add(out, marked.data, marked.length, -1, first, err);
  if (!status && m->split) status = ci_regex_cut(m->marks, marked.data, marked.length, &matches, err);
  if (!status && m->split) status = ci_split_by(&matches, m->behavior, marked.data, first, out, err);
  ci_free(matches.items);
  ci_text_free(&marked);
  return status;
}

const ci_part_kind ci_part_pre_tokenizer_metaspace = {.type = "Metaspace",
                                                      .size = sizeof(metaspace),
                                                      .open = open_metaspace,
                                                      .close = close_metaspace,
                                                      .split = split_metaspace};

#define CI_PART(member) extern const ci_part_kind ci_part_##member;
#include "tokenizers/pre_tokenizers.def"
#undef CI_PART

static const ci_part_kind *const kinds[] = {
#define CI_PART(member) &ci_part_##member,
#include "tokenizers/pre_tokenizers.def"
#undef CI_PART
    NULL};

const ci_stage_kind ci_pre_tokenizers = {"pre_tokenizer", "pretokenizers", kinds};
