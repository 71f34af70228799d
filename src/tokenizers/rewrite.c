/* See rewrite.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizers/rewrite.h"
#include "base/memory.h"
#include <pcre2.h>
#include <string.h>

typedef struct {
  const char *by;
  pcre2_code *code;
} rule;

struct ci_rewriter {
  rule *rules; /* [count] */
  size_t count;
};

/* Sets of characters that patterns name. */
typedef struct {
  const char *name, *ranges;
} set;

static const set sets[] = {
    /* str.isspace */
    {"{s}",
     "\\x09-\\x0d\\x1c-\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"},
#define CI_MOSES_CHARACTERS(name, ranges) {"{" #name "}", ranges},
#include "tokenizers/moses_characters.def"
#undef CI_MOSES_CHARACTERS
};

/* The pattern with the ranges of the sets that it names. */
static void expand(const char *pattern, ci_text *out) {
  while (*pattern) {
    const set *named = NULL;
    for (size_t i = 0; i < sizeof sets / sizeof *sets && *pattern == '{' && !named; i++)
      if (ci_starts_with(pattern, sets[i].name)) named = &sets[i];
    if (named) {
      ci_text_add(out, named->ranges);
      pattern += strlen(named->name);
    } else {
      ci_text_add_n(out, pattern++, 1);
    }
  }
}

static ci_status fail(int problem, const char *what, ci_error *err) {
  PCRE2_UCHAR message[128];
  if (problem == PCRE2_ERROR_NOMEMORY || problem == PCRE2_ERROR_HEAP_FAILED) return ci_fail_memory(err);
  pcre2_get_error_message(problem, message, sizeof message);
  return ci_fail(err, CI_EINVAL, NULL, "the tokenizer's rules fail on %s: %s", what, (char *)message);
}

static ci_status compile(const char *pattern, pcre2_code **code, ci_error *err) {
  ci_text expanded = {0};
  int problem = 0;
  PCRE2_SIZE at;
  expand(pattern, &expanded);
  if (!expanded.failed)
    *code = pcre2_compile((PCRE2_SPTR)expanded.data, expanded.length, PCRE2_UTF | PCRE2_UCP, &problem, &at, NULL);
  bool failed = expanded.failed;
  ci_text_free(&expanded);
  if (failed) return ci_fail_memory(err);
  if (!*code) return fail(problem, pattern, err);
  (void)pcre2_jit_compile(*code, PCRE2_JIT_COMPLETE); /* without JIT it is interpreted */
  return CI_OK;
}

ci_status ci_rewriter_open(const ci_rewrite *rules, size_t count, const char *language, ci_rewriter **rewriter,
                           ci_error *err) {
  ci_rewriter *r = *rewriter = ci_alloc_zeroed(1, sizeof *r);
  if (!r || !(r->rules = ci_alloc_zeroed(count, sizeof *r->rules))) return ci_fail_memory(err);
  ci_status status = CI_OK;
  for (size_t i = 0; i < count && !status; i++) {
    if (rules[i].languages && !strstr(rules[i].languages, language)) continue;
    rule *added = &r->rules[r->count++];
    added->by = rules[i].by;
    status = compile(rules[i].pattern, &added->code, err);
  }
  return status;
}

static int substitute(const rule *one, uint32_t options, const ci_text *text, ci_text *out, PCRE2_SIZE *length) {
  *length = out->capacity;
  return pcre2_substitute(one->code, (PCRE2_SPTR)text->data, text->length, 0,
                          PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH | PCRE2_NO_UTF_CHECK | options,
                          NULL, NULL, (PCRE2_SPTR)one->by, PCRE2_ZERO_TERMINATED, (PCRE2_UCHAR *)out->data, length);
}

/* *spare: memory for the result, which becomes the text's. */
static ci_status apply(const rule *one, ci_text *text, ci_text *spare, ci_error *err) {
  PCRE2_SIZE length;
  uint32_t options = 0;
  if (ci_reserve((void **)&spare->data, &spare->capacity, 2 * text->length + 64, 1)) return ci_fail_memory(err);
  int found = substitute(one, options, text, spare, &length);
  if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = substitute(one, options = PCRE2_NO_JIT, text, spare, &length);
  if (found == PCRE2_ERROR_NOMEMORY && length > spare->capacity) {
    if (ci_reserve((void **)&spare->data, &spare->capacity, length, 1)) return ci_fail_memory(err);
    found = substitute(one, options, text, spare, &length);
  }
  if (found < 0) return fail(found, "this text", err);
  if (!found) return CI_OK;
  ci_text before = *text;
  *text = *spare;
  text->length = length;
  *spare = before;
  return CI_OK;
}

ci_status ci_rewriter_run(const ci_rewriter *r, ci_text *text, ci_error *err) {
  ci_text spare = {0};
  ci_status status = CI_OK;
  for (size_t i = 0; i < r->count && !status && text->length; i++) status = apply(&r->rules[i], text, &spare, err);
  ci_text_free(&spare);
  return status;
}

ci_status ci_rewriter_matches(const ci_rewriter *r, size_t which, const char *text, size_t length, bool *matches,
                              ci_error *err) {
  pcre2_match_data *data = pcre2_match_data_create(1, NULL);
  if (!data) return ci_fail_memory(err);
  int found = pcre2_match(r->rules[which].code, (PCRE2_SPTR)text, length, 0, PCRE2_NO_UTF_CHECK, data, NULL);
  if (found == PCRE2_ERROR_JIT_STACKLIMIT)
    found =
        pcre2_match(r->rules[which].code, (PCRE2_SPTR)text, length, 0, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, NULL);
  pcre2_match_data_free(data);
  *matches = found >= 0;
  return found >= 0 || found == PCRE2_ERROR_NOMATCH ? CI_OK : fail(found, "this text", err);
}

void ci_rewriter_close(ci_rewriter *r) {
  if (!r) return;
  for (size_t i = 0; i < r->count && r->rules; i++)
    if (r->rules[i].code) pcre2_code_free(r->rules[i].code);
  ci_free(r->rules);
  ci_free(r);
}
