/* The patterns of tokenizer.json are Oniguruma's; PCRE2 runs them (oniguruma.h). Where a pattern is a plain string it
 * is searched for as it stands. */
#define PCRE2_CODE_UNIT_WIDTH 8
#define _GNU_SOURCE           /* memmem */
#include "base/memory.h"
#include "tokenizers/oniguruma.h"
#include "tokenizers/parts.h"
#include <pcre2.h>
#include <string.h>

struct ci_regex {
  pcre2_code *code; /* NULL: literal */
  char *literal;
  size_t literal_length;
};

const char ci_gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

ci_status ci_matches_add(ci_matches *matches, size_t start, size_t end, bool match, ci_error *err) {
  if (ci_reserve((void **)&matches->items, &matches->capacity, matches->count + 1, sizeof *matches->items))
    return ci_fail_memory(err);
  matches->items[matches->count++] = (ci_match){start, end, match};
  return CI_OK;
}

static ci_status compile(ci_regex *regex, const char *pattern, size_t length, const char *where, ci_error *err) {
  ci_text translated = {0};
  ci_text_add(&translated, "");
  ci_status status = ci_oniguruma_translate(pattern, length, &translated, where, err);
  int problem = 0;
  PCRE2_SIZE at = 0;
  if (!status) {
    regex->code = pcre2_compile((PCRE2_SPTR)translated.data, translated.length,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &problem, &at, NULL);
    if (!regex->code && problem == PCRE2_ERROR_HEAP_FAILED) {
      status = ci_fail_memory(err);
    } else if (!regex->code) {
      PCRE2_UCHAR message[128];
      pcre2_get_error_message(problem, message, sizeof message);
      status = ci_fail(err, CI_EFILE, where, "the pattern %.80s cannot be compiled: %s at %zu", pattern,
                       (char *)message, (size_t)at);
    } else {
      (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without JIT it is interpreted */
    }
  }
  ci_text_free(&translated);
  return status;
}

ci_status ci_regex_open(const char *pattern, size_t length, bool literal, const char *where, ci_regex **regex,
                        ci_error *err) {
  ci_regex *r = *regex = ci_alloc_zeroed(1, sizeof *r);
  if (!r) return ci_fail_memory(err);
  if (!literal || !length) return compile(r, pattern, length, where, err); /* an empty text is everywhere */
  r->literal = ci_duplicate_n(pattern, length);
  r->literal_length = length;
  return r->literal ? CI_OK : ci_fail_memory(err);
}

ci_status ci_regex_open_json(const json_t *pattern, const char *where, ci_regex **regex, ci_error *err) {
  const json_t *text = json_object_get(pattern, "String");
  bool literal = json_is_string(text);
  if (!literal) text = json_object_get(pattern, "Regex");
  if (!json_is_string(text))
    return ci_fail(err, CI_EFILE, where, "a \"pattern\" is neither {\"String\": ...} nor {\"Regex\": ...}");
  return ci_regex_open(json_string_value(text), json_string_length(text), literal, where, regex, err);
}

/* JIT's own stack is 32 KB; a pattern that needs more is run again without it. */
static int match_at(const ci_regex *regex, const char *text, size_t length, size_t at, pcre2_match_data *data) {
  int found = pcre2_match(regex->code, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK, data, NULL);
  if (found == PCRE2_ERROR_JIT_STACKLIMIT)
    found = pcre2_match(regex->code, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, NULL);
  return found;
}

static ci_status cut_regex(const ci_regex *regex, const char *text, size_t length, ci_matches *matches, ci_error *err) {
  pcre2_match_data *data = pcre2_match_data_create_from_pattern(regex->code, NULL);
  if (!data) return ci_fail_memory(err);
  size_t done = 0;
  bool any = false;
  ci_status status = CI_OK;
  for (size_t at = 0; at <= length && !status;) {
    int found = match_at(regex, text, length, at, data);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      PCRE2_UCHAR message[128];
      pcre2_get_error_message(found, message, sizeof message);
      status = ci_fail(err, CI_EINVAL, NULL, "the tokenizer's pattern fails on this text: %s", (char *)message);
      break;
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
    size_t start = ends[0], end = ends[1];
    if (any && start == end && end == done) { /* an empty match behind the last one does not count */
      uint32_t c;
      at += at < length ? ci_utf8_next(text, length, at, &c) : 1;
      continue;
    }
    if (start > done) status = ci_matches_add(matches, done, start, false, err);
    if (!status) status = ci_matches_add(matches, start, end, true, err);
    any = true;
    done = at = end;
  }
  pcre2_match_data_free(data);
  return !status && done < length ? ci_matches_add(matches, done, length, false, err) : status;
}

ci_status ci_regex_cut(const ci_regex *regex, const char *text, size_t length, ci_matches *matches, ci_error *err) {
  if (regex->code) return cut_regex(regex, text, length, matches, err);
  ci_status status = CI_OK;
  size_t done = 0;
  while (done < length && !status) {
    const char *found = memmem(text + done, length - done, regex->literal, regex->literal_length);
    if (!found) break;
    size_t start = (size_t)(found - text);
    if (start > done) status = ci_matches_add(matches, done, start, false, err);
    done = start + regex->literal_length;
    if (!status) status = ci_matches_add(matches, start, done, true, err);
  }
  return !status && done < length ? ci_matches_add(matches, done, length, false, err) : status;
}

void ci_regex_close(ci_regex *regex) {
  if (!regex) return;
  if (regex->code) pcre2_code_free(regex->code);
  ci_free(regex->literal);
  ci_free(regex);
}
