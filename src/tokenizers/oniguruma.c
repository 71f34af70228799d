/* See oniguruma.h. Not translated: case-insensitive matches of one character with several (Oniguruma matches "ss" with
 * a sharp s), and the Unicode versions, which differ in characters that are newer than PCRE2. */
#define PCRE2_CODE_UNIT_WIDTH 8
#define _GNU_SOURCE           /* memmem */
#include "tokenizers/oniguruma.h"
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#define WORD CI_WORD_MEMBERS "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"

typedef struct {
  char letter;
  const char *outside, *inside; /* of a class; NULL: refused */
} escape;

static const escape escapes[] = {
    {'s', "[" CI_SPACE_MEMBERS "]", CI_SPACE_MEMBERS},
    {'S', "[^" CI_SPACE_MEMBERS "]", "\\S"},
    {'w', "[" WORD "]", WORD},
    {'W', "[^" WORD "]", NULL},
    {'b', "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))", "\\x{08}"},
    {'B', "(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))", NULL},
    {'h', "[0-9A-Fa-f]", "0-9A-Fa-f"},
    {'H', "[^0-9A-Fa-f]", NULL},
    {'v', "\\x{0B}", "\\x{0B}"},
    {'O', "(?s:.)", NULL},
    {'y', NULL, NULL},
    {'Y', NULL, NULL},
    {'M', NULL, NULL}, /* \M-x, \C-x, \c: control and meta characters */
    {'C', NULL, NULL},
    {'c', NULL, NULL},
};

/* [:name:] as members of a class. */
static const struct {
  const char *name, *members;
} brackets[] = {
    {"alpha", "\\p{Alphabetic}"},
    {"alnum", "\\p{Alphabetic}\\p{Nd}"},
    {"digit", "\\p{Nd}"},
    {"space", CI_SPACE_MEMBERS},
    {"punct", "\\p{P}\\p{S}"},
    {"upper", "\\p{Uppercase}"},
    {"lower", "\\p{Lowercase}"},
    {"blank", "\\t\\p{Zs}"},
    {"cntrl", "\\p{Cc}"},
    {"xdigit", "0-9A-Fa-f"},
    {"word", WORD},
};

/* Names of \p{..} that PCRE2 has not. */
static const struct {
  const char *name, *meant;
} properties[] = {
    {"Letter", "L"}, {"Mark", "M"},   {"Number", "N"},    {"Punctuation", "P"},
    {"Punct", "P"},  {"Symbol", "S"}, {"Separator", "Z"}, {"Other", "C"},
};

typedef struct {
  const char *pattern;
  size_t length, at;
  unsigned depth; /* of classes; those within a class are laid flat */
  ci_text *out;
  const char *refused; /* what is refused */
  char name[24];       /* room for its name */
} translation;

static char byte_at(const translation *t, size_t at) {
  return at < t->length ? t->pattern[at] : 0;
}

/* Is there a script of this name? PCRE2's \p{name} would match the characters that are also used in other scripts. */
static bool is_script(const char *name, size_t length) {
  char pattern[64];
  int problem;
  PCRE2_SIZE at;
  if (length < 3 || length > 40) return false;
  int n = snprintf(pattern, sizeof pattern, "\\p{sc:%.*s}", (int)length, name);
  pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, (PCRE2_SIZE)n, PCRE2_UTF, &problem, &at, NULL);
  if (code) pcre2_code_free(code);
  return code != NULL;
}

/* \p{name}, \p{^name}, \P{name}; at stands on the letter. Without braces PCRE2 says what is wrong. */
static void take_property(translation *t) {
  const char *start = t->pattern + t->at, *end = memchr(start, '}', t->length - t->at);
  ci_text_add_n(t->out, "\\", 1);
  if (byte_at(t, t->at + 1) != '{' || !end) {
    ci_text_add_n(t->out, start, 1);
    t->at++;
    return;
  }
  const char *name = start + 2;
  bool negated = *name == '^';
  if (negated) name++;
  size_t length = (size_t)(end - name);
  ci_text_add_n(t->out, (*start == 'P') != negated ? "P{" : "p{", 2);
  const char *meant = NULL;
  for (size_t i = 0; i < sizeof properties / sizeof *properties && !meant; i++)
    if (strlen(properties[i].name) == length && memcmp(properties[i].name, name, length) == 0)
      meant = properties[i].meant;
  if (meant) {
    ci_text_add(t->out, meant);
  } else {
    if (is_script(name, length)) ci_text_add(t->out, "sc:");
    ci_text_add_n(t->out, name, length);
  }
  ci_text_add(t->out, "}");
  t->at = (size_t)(end - t->pattern) + 1;
}

/* After a backslash. */
static void take_escape(translation *t) {
  char c = byte_at(t, t->at);
  if (c == 'p' || c == 'P') return take_property(t), (void)0;
  for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
    if (escapes[i].letter != c) continue;
    const char *meant = t->depth ? escapes[i].inside : escapes[i].outside;
    snprintf(t->name, sizeof t->name, "\\%c%s", c, t->depth ? " in a class" : "");
    if (!meant) t->refused = t->name;
    ci_text_add(t->out, meant ? meant : "");
    t->at++;
    return;
  }
  bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c == 'u') { /* four digits */
    ci_text_add_format(t->out, "\\x{%.4s}", t->at + 4 < t->length ? t->pattern + t->at + 1 : "");
    t->at = t->at + 4 < t->length ? t->at + 5 : t->length;
    return;
  }
  if (c == 'x' && byte_at(t, t->at + 1) == '{') { /* with its braces, which are no interval */
    const char *end = memchr(t->pattern + t->at, '}', t->length - t->at);
    size_t stop = end ? (size_t)(end - t->pattern) + 1 : t->length;
    ci_text_add(t->out, "\\");
    ci_text_add_n(t->out, t->pattern + t->at, stop - t->at);
    t->at = stop;
    return;
  }
  /* A letter that is no escape stands for itself. */
  if (!letter || strchr("tnrfaedDRXAzZGkKgNx", c)) ci_text_add(t->out, "\\");
  if (t->at < t->length) ci_text_add_n(t->out, t->pattern + t->at++, 1);
}

/* At a '[' inside of a class: [:name:], or a class within a class. */
static void take_inner_class(translation *t) {
  const char *end = byte_at(t, t->at + 1) == ':' ? memmem(t->pattern + t->at, t->length - t->at, ":]", 2) : NULL;
  if (!end) {
    if (byte_at(t, t->at + 1) == '^') t->refused = "a negated class within a class";
    t->depth++;
    t->at++;
    return;
  }
  const char *name = t->pattern + t->at + 2, *meant = NULL;
  size_t length = (size_t)(end - name);
  for (size_t i = 0; i < sizeof brackets / sizeof *brackets && !meant; i++)
    if (strlen(brackets[i].name) == length && memcmp(brackets[i].name, name, length) == 0) meant = brackets[i].members;
  snprintf(t->name, sizeof t->name, "[:%.*s:]", (int)(length < 12 ? length : 12), name);
  if (!meant) t->refused = t->name;
  ci_text_add(t->out, meant ? meant : "");
  t->at = (size_t)(end - t->pattern) + 2;
}

static void take_in_class(translation *t) {
  char c = byte_at(t, t->at);
  if (c == '[') {
    take_inner_class(t);
    return;
  }
  if (c == '&' && byte_at(t, t->at + 1) == '&') t->refused = "an intersection of classes (&&)";
  t->at++;
  if (c == ']' && --t->depth) return;
  ci_text_add_n(t->out, &c, 1);
}

/* "[", "[^"; a bracket that comes first is a member of the class. */
static void open_class(translation *t) {
  t->depth = 1;
  t->at++;
  ci_text_add(t->out, "[");
  if (byte_at(t, t->at) == '^') {
    ci_text_add(t->out, "^");
    t->at++;
  }
  if (byte_at(t, t->at) == ']') {
    ci_text_add(t->out, "\\]");
    t->at++;
  }
}

/* "(?": what is m (dot matches newline) in Ruby is s in PCRE2. */
static void open_group(translation *t) {
  size_t end = t->at + 2;
  while (strchr("imx-", byte_at(t, end)) && byte_at(t, end)) end++;
  bool options = byte_at(t, t->at + 1) == '?' && end > t->at + 2 && (byte_at(t, end) == ':' || byte_at(t, end) == ')');
  if (!options) {
    if (byte_at(t, t->at + 1) == '?' && byte_at(t, t->at + 2) == '~') t->refused = "an absent operator (?~)";
    ci_text_add_n(t->out, t->pattern + t->at++, 1);
    return;
  }
  for (; t->at < end; t->at++) ci_text_add_n(t->out, t->pattern[t->at] == 'm' ? "s" : t->pattern + t->at, 1);
}

/* "{n}", "{n,m}", "{,m}" */
static void take_interval(translation *t) {
  size_t end = t->at + 1;
  bool comma = false;
  for (; byte_at(t, end) && strchr("0123456789,", byte_at(t, end)); end++) comma = comma || byte_at(t, end) == ',';
  if (byte_at(t, end) != '}' || end == t->at + 1) { /* a brace */
    ci_text_add(t->out, "\\{");
    t->at++;
    return;
  }
  char next = byte_at(t, end + 1);
  if (next == '+') t->refused = "an interval followed by +";
  if (next == '?' && !comma) t->refused = "a fixed interval followed by ?";
  ci_text_add(t->out, byte_at(t, t->at + 1) == ',' ? "{0" : "{");
  ci_text_add_n(t->out, t->pattern + t->at + 1, end - t->at);
  t->at = end + 1;
}

ci_status ci_oniguruma_translate(const char *pattern, size_t length, ci_text *out, const char *where, ci_error *err) {
  translation t = {.pattern = pattern, .length = length, .out = out};
  while (t.at < t.length && !t.refused) {
    char c = pattern[t.at];
    if (c == '\\') {
      t.at++;
      take_escape(&t);
    } else if (t.depth) {
      take_in_class(&t);
    } else if (c == '[') {
      open_class(&t);
    } else if (c == '(') {
      open_group(&t);
    } else if (c == '{') {
      take_interval(&t);
    } else {
      ci_text_add_n(out, &pattern[t.at++], 1);
    }
  }
  if (t.refused)
    return ci_fail(err, CI_EFILE, where, "the pattern %.60s has %s, which is not supported", pattern, t.refused);
  return out->failed ? ci_fail_memory(err) : CI_OK;
}
