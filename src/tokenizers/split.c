/* What becomes of the matches of a splitting pattern: the tokenizers library's SplitDelimiterBehavior. */
#include "tokenizers/parts.h"
#include <string.h>

static void removed(ci_matches *m) {
  size_t kept = 0;
  for (size_t i = 0; i < m->count; i++)
    if (!m->items[i].match) m->items[kept++] = m->items[i];
  m->count = kept;
}

static void isolated(ci_matches *m) {
  (void)m;
}

/* The first match after something else joins what is before it. */
static void merged_with_previous(ci_matches *m) {
  size_t kept = 0;
  bool match_before = false;
  for (size_t i = 0; i < m->count; i++) {
    ci_match now = m->items[i];
    if (now.match && !match_before && kept) {
      m->items[kept - 1].end = now.end;
    } else {
      m->items[kept++] = now;
    }
    match_before = now.match;
  }
  m->count = kept;
}

static void merged_with_next(ci_matches *m) {
  size_t kept = m->count; /* items from here on are done */
  bool match_after = false;
  for (size_t i = m->count; i-- > 0;) {
    ci_match now = m->items[i];
    if (now.match && !match_after && kept < m->count) {
      m->items[kept].start = now.start;
    } else {
      m->items[--kept] = now;
    }
    match_after = now.match;
  }
  memmove(m->items, m->items + kept, (m->count - kept) * sizeof *m->items);
  m->count -= kept;
}

static void contiguous(ci_matches *m) {
  size_t kept = 0;
  bool before = false;
  for (size_t i = 0; i < m->count; i++) {
    ci_match now = m->items[i];
    if (now.match == before && kept) {
      m->items[kept - 1].end = now.end;
    } else {
      m->items[kept++] = now;
    }
    before = now.match;
  }
  m->count = kept;
}

static const struct {
  const char *name;
  ci_behavior apply;
} behaviors[] = {
    {"Removed", removed},
    {"Isolated", isolated},
    {"MergedWithPrevious", merged_with_previous},
    {"MergedWithNext", merged_with_next},
    {"Contiguous", contiguous},
};

ci_status ci_behavior_named(const json_t *settings, const char *fallback, const char *where, ci_behavior *behavior,
                            ci_error *err) {
  const char *name;
  ci_status status = ci_json_get_text(settings, where, "behavior", fallback, &name, err);
  if (status) return status;
  for (size_t i = 0; name && i < sizeof behaviors / sizeof *behaviors; i++)
    if (strcmp(behaviors[i].name, name) == 0) return *behavior = behaviors[i].apply, CI_OK;
  return ci_fail(err, CI_EFILE, where, "the split behavior \"%s\" is unknown", name ? name : "");
}

ci_status ci_split_by(ci_matches *matches, ci_behavior behavior, const char *text, bool first, ci_spans *out,
                      ci_error *err) {
  if (matches->count) behavior(matches);
  ci_status status = CI_OK;
  for (size_t i = 0; i < matches->count && !status; i++) {
    ci_match m = matches->items[i];
    if (m.end > m.start) status = ci_spans_add(out, text + m.start, m.end - m.start, -1, first && m.start == 0, err);
  }
  return status;
}
