/* The aggregator `split`: tokens between the matches of a pattern become one. The pattern is sought in the tokens' joined text, a match
 * is the tokens that it touches. split_mode says what becomes of a match: a token of its own, or the beginning or the end of one. */
#include "aggregate/spans.h"
#include "base/memory.h"
#include "tokenizers/parts.h"
#include <string.h>

typedef struct {
  bool source, target;
  const char *pattern, *mode;
} split_options;

const ci_option ci_split_options[] = {
    {"aggregate_source", NULL, CI_BOOL, offsetof(split_options, source), "true", 0, 0, NULL, "Join tokens of the source."},
    {"aggregate_target", NULL, CI_BOOL, offsetof(split_options, target), "true", 0, 0, NULL, "Join tokens of the target."},
    {"split_pattern", NULL, CI_WORD, offsetof(split_options, pattern), "null", 0, 0, NULL,
     "Regular expression of what stands between groups of tokens."},
    {"split_mode", NULL, CI_WORD, offsetof(split_options, mode), "\"single\"", 0, 0, "single|start|end",
     "A match is a group of its own, or the start or the end of one."},
    CI_OPTIONS_END};

/* The tokens that bytes [start, end) of the joined text touch; ends[i]: where token i ends. */
static ci_token_span tokens_of(const size_t *ends, size_t count, size_t start, size_t end) {
  size_t first = 0, last = 0;
  while (first < count && ends[first] <= start) first++;
  while (last < count && ends[last] < end) last++;
  return (ci_token_span){first, last + 1};
}

/* Adds a match behind those before it; of two that share a token the first keeps it, as far as the second begins. */
static ci_status add_match(ci_token_spans *matches, ci_token_span m, ci_error *err) {
  ci_token_span *last = matches->count ? &matches->items[matches->count - 1] : NULL;
  if (last && last->start == m.start && last->end == m.end) return CI_OK;
  if (last && m.start < last->end) m.start = last->end;
  return m.start < m.end ? ci_token_spans_add(matches, m.start, m.end, err) : CI_OK;
}

/* The pattern's matches as spans of tokens. */
static ci_status find_matches(const ci_token *tokens, size_t count, const ci_regex *regex, ci_token_spans *matches, ci_error *err) {
  ci_text joined = {0};
  ci_matches found = {0};
  size_t *ends = ci_alloc(count ? count : 1, sizeof *ends);
  ci_status status = ends ? CI_OK : ci_fail_memory(err);
  ci_text_add(&joined, "");
  for (size_t i = 0; i < count && !status; i++) {
    ci_text_add(&joined, tokens[i].token);
    ends[i] = joined.length;
  }
  if (!status && joined.failed) status = ci_fail_memory(err);
  if (!status && !ci_utf8_valid(joined.data, joined.length))
    status = ci_fail(err, CI_EINVAL, "split_pattern", "cannot be sought: the tokens' text is not valid UTF-8");
  if (!status && ci_regex_cut(regex, joined.data, joined.length, &found, err))
    status = ci_fail(err, CI_EINVAL, "split_pattern", "cannot be sought in the tokens' text of %zu bytes", joined.length);
  for (size_t i = 0; i < found.count && !status; i++) {
    const ci_match *m = &found.items[i];
    if (m->match && m->start < m->end) status = add_match(matches, tokens_of(ends, count, m->start, m->end), err);
  }
  ci_free(found.items);
  ci_free(ends);
  ci_text_free(&joined);
  return status;
}

/* Groups of tokens around the matches. Without a match there are none. */
static ci_status find_groups(const ci_token *tokens, size_t count, const ci_regex *regex, const char *mode, ci_token_spans *groups, ci_error *err) {
  ci_token_spans matches = {0};
  size_t begin = 0;
  bool single = strcmp(mode, "single") == 0, starts = strcmp(mode, "start") == 0;
  ci_status status = find_matches(tokens, count, regex, &matches, err);
  for (size_t i = 0; i < matches.count && !status; i++) {
    ci_token_span m = matches.items[i];
    size_t until = single || starts ? m.start : m.end;
    if (begin < until) status = ci_token_spans_add(groups, begin, until, err);
    begin = until;
    if (single && !status) {
      status = ci_token_spans_add(groups, m.start, m.end, err);
      begin = m.end;
    }
  }
  if (matches.count && begin < count && !status) status = ci_token_spans_add(groups, begin, count, err);
  ci_token_spans_free(&matches);
  return status;
}

ci_status ci_split_aggregate(const ci_sequence *sequence, const ci_sequence *paired, const char *function, const json_t *arguments,
                             ci_sequence *out, ci_error *err) {
  (void)paired;
  split_options options;
  json_t *keep;
  ci_regex *regex = NULL;
  ci_token_spans source = {0}, target = {0};
  *out = (ci_sequence){0};
  ci_status status = ci_aggregator_options("split", ci_split_options, arguments, &options, &keep, err);
  if (!status && !options.pattern) status = ci_fail(err, CI_EINVAL, "split_pattern", "is needed by the aggregator split");
  if (!status) status = ci_regex_open(options.pattern, strlen(options.pattern), false, "split_pattern", &regex, err);
  if (status == CI_EFILE) status = CI_EINVAL; /* the pattern is the user's, not a file's */
  if (status && err) err->code = (int)status;
  if (!status && options.source) status = find_groups(sequence->source, sequence->source_count, regex, options.mode, &source, err);
  if (!status && options.target) status = find_groups(sequence->target, sequence->target_count, regex, options.mode, &target, err);
  if (!status) status = ci_sequence_merge(sequence, &source, &target, function, arguments, out, err);
  ci_regex_close(regex);
  ci_token_spans_free(&source);
  ci_token_spans_free(&target);
  json_decref(keep);
  return status;
}
