/* Lists of parts and of spans. See parts.h. */
#include "tokenizers/parts.h"
#include "base/memory.h"
#include <string.h>

enum { DEEPEST = 64, LARGEST_GROWTH = 1000 };

ci_status ci_spans_add(ci_spans *spans, const char *text, size_t length, int32_t id, bool first, ci_error *err) {
  if (ci_reserve((void **)&spans->items, &spans->capacity, spans->count + 1, sizeof *spans->items))
    return ci_fail_memory(err);
  spans->items[spans->count++] = (ci_span){spans->text.length, length, id, first};
  ci_text_add_n(&spans->text, text, length);
  return spans->text.failed ? ci_fail_memory(err) : CI_OK;
}

void ci_spans_clear(ci_spans *spans) {
  spans->count = 0;
  spans->text.length = 0;
}

void ci_spans_free(ci_spans *spans) {
  ci_text_free(&spans->text);
  ci_free(spans->items);
  *spans = (ci_spans){0};
}

ci_status ci_check_growth(size_t before, size_t now, ci_error *err) {
  if (now / LARGEST_GROWTH <= before + LARGEST_GROWTH) return CI_OK;
  return ci_fail(err, CI_EINVAL, NULL, "the tokenizer's parts make the text over %d times as long", LARGEST_GROWTH);
}

static ci_status open_part(ci_stage *stage, const ci_part_kind *kind, const json_t *value, const char *where,
                           ci_error *err) {
  if (ci_reserve((void **)&stage->items, &stage->capacity, stage->count + 1, sizeof *stage->items))
    return ci_fail_memory(err);
  void *state = ci_alloc_zeroed(1, kind->size);
  if (!state) return ci_fail_memory(err);
  stage->items[stage->count++] = (ci_part){kind, state};
  return kind->open ? kind->open(state, value, where, err) : CI_OK;
}

static ci_status unknown_part(const ci_stage_kind *kind, const char *type, const char *where, ci_error *err) {
  ci_text known = {0};
  for (const ci_part_kind *const *k = kind->kinds; *k; k++) ci_text_add_format(&known, ", %s", (*k)->type);
  ci_status status = ci_fail(err, CI_EFILE, where, "the %s \"%s\" is not supported (known: Sequence%s)", kind->key,
                             type, known.data ? known.data : "");
  ci_text_free(&known);
  return status;
}

static ci_status open_nested(ci_stage *stage, const ci_stage_kind *kind, const json_t *value, const char *where,
                             unsigned depth, ci_error *err) {
  if (!value || json_is_null(value)) return CI_OK;
  if (depth > DEEPEST) return ci_fail(err, CI_EFILE, where, "the %s has Sequences %d deep", kind->key, DEEPEST);
  const char *type = json_string_value(json_object_get(value, "type"));
  if (!type) return ci_fail(err, CI_EFILE, where, "the %s has no \"type\"", kind->key);
  for (const ci_part_kind *const *k = kind->kinds; *k; k++)
    if (strcmp((*k)->type, type) == 0) return open_part(stage, *k, value, where, err);
  if (strcmp(type, "Sequence")) return unknown_part(kind, type, where, err);
  const json_t *members = json_object_get(value, kind->members);
  if (!json_is_array(members))
    return ci_fail(err, CI_EFILE, where, "the %s Sequence has no array \"%s\"", kind->key, kind->members);
  ci_status status = CI_OK;
  for (size_t i = 0; i < json_array_size(members) && !status; i++)
    status = open_nested(stage, kind, json_array_get(members, i), where, depth + 1, err);
  return status;
}

ci_status ci_stage_open(ci_stage *stage, const ci_stage_kind *kind, const json_t *value, const char *where,
                        ci_error *err) {
  return open_nested(stage, kind, value, where, 0, err);
}

void ci_stage_close(ci_stage *stage) {
  for (size_t i = 0; i < stage->count; i++) {
    if (stage->items[i].kind->close) stage->items[i].kind->close(stage->items[i].state);
    ci_free(stage->items[i].state);
  }
  ci_free(stage->items);
  *stage = (ci_stage){0};
}
