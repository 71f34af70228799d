/* The post-processors of tokenizer.json: special tokens before and after a text. */
#include "base/memory.h"
#include "tokenizers/parts.h"
#include <string.h>

/* ByteLevel: moves offsets only, which nobody here asks for. */

static ci_status wrap_nothing(const void *state, ci_ids *before, ci_ids *after, ci_error *err) {
  (void)state, (void)before, (void)after, (void)err;
  return CI_OK;
}

const ci_part_kind ci_part_post_processor_byte_level = {.type = "ByteLevel", .wrap = wrap_nothing};

/* BertProcessing, RobertaProcessing: "cls" before and "sep" after, each ["token", id]. */

typedef struct {
  int32_t cls, sep;
} ends;

static ci_status read_end(const json_t *settings, const char *key, const char *where, int32_t *end, ci_error *err) {
  int64_t id;
  const json_t *value = json_object_get(settings, key);
  if (!json_is_array(value) || !ci_json_as_int(json_array_get(value, 1), &id) || id < 0 || id > INT32_MAX)
    return ci_fail(err, CI_EFILE, where, "the post_processor has no \"%s\": [token, id]", key);
  *end = (int32_t)id;
  return CI_OK;
}

static ci_status open_ends(void *state, const json_t *settings, const char *where, ci_error *err) {
  ends *e = state;
  ci_status status = read_end(settings, "cls", where, &e->cls, err);
  return status ? status : read_end(settings, "sep", where, &e->sep, err);
}

/* What an earlier processor put there stays next to the text. */
static ci_status add_around(const ci_ids *outer_before, const ci_ids *outer_after, ci_ids *before, ci_ids *after,
                            ci_error *err) {
  ci_ids all = {0};
  ci_status status = CI_OK;
  for (size_t i = 0; i < outer_before->count && !status; i++) status = ci_ids_add(&all, outer_before->items[i], err);
  for (size_t i = 0; i < before->count && !status; i++) status = ci_ids_add(&all, before->items[i], err);
  ci_ids_free(before);
  *before = all;
  for (size_t i = 0; i < outer_after->count && !status; i++) status = ci_ids_add(after, outer_after->items[i], err);
  return status;
}

static ci_status wrap_ends(const void *state, ci_ids *before, ci_ids *after, ci_error *err) {
  ends e = *(const ends *)state;
  return add_around(&(ci_ids){&e.cls, 1, 1}, &(ci_ids){&e.sep, 1, 1}, before, after, err);
}

const ci_part_kind ci_part_post_processor_bert = {
    .type = "BertProcessing", .size = sizeof(ends), .open = open_ends, .wrap = wrap_ends};
const ci_part_kind ci_part_post_processor_roberta = {
    .type = "RobertaProcessing", .size = sizeof(ends), .open = open_ends, .wrap = wrap_ends};

/* TemplateProcessing: "single" is a list of special tokens around one {"Sequence": {"id": "A"}}. */

typedef struct {
  ci_ids before, after;
} template_processing;

static ci_status add_special(ci_ids *ids, const json_t *settings, const char *name, const char *where, ci_error *err) {
  const json_t *known = json_object_get(json_object_get(settings, "special_tokens"), name);
  const json_t *list = json_object_get(known, "ids");
  if (!json_is_array(list))
    return ci_fail(err, CI_EFILE, where, "TemplateProcessing has no \"ids\" of the special token \"%.60s\"", name);
  for (size_t i = 0; i < json_array_size(list); i++) {
    int64_t id;
    if (!ci_json_as_int(json_array_get(list, i), &id) || id < 0 || id > INT32_MAX)
      return ci_fail(err, CI_EFILE, where, "TemplateProcessing has a wrong id of \"%.60s\"", name);
    ci_status status = ci_ids_add(ids, (int32_t)id, err);
    if (status) return status;
  }
  return CI_OK;
}

static ci_status open_template(void *state, const json_t *settings, const char *where, ci_error *err) {
  template_processing *t = state;
  const json_t *single = json_object_get(settings, "single");
  if (!json_is_array(single)) return ci_fail(err, CI_EFILE, where, "TemplateProcessing has no array \"single\"");
  bool seen = false;
  for (size_t i = 0; i < json_array_size(single); i++) {
    const json_t *piece = json_array_get(single, i);
    const char *special = json_string_value(json_object_get(json_object_get(piece, "SpecialToken"), "id"));
    const char *sequence = json_string_value(json_object_get(json_object_get(piece, "Sequence"), "id"));
    if (special) {
      ci_status status = add_special(seen ? &t->after : &t->before, settings, special, where, err);
      if (status) return status;
    } else if (sequence && strcmp(sequence, "A") == 0 && !seen) {
      seen = true;
    } else {
      return ci_fail(err, CI_EFILE, where, "member %zu of TemplateProcessing's \"single\" is not supported", i);
    }
  }
  return seen ? CI_OK : ci_fail(err, CI_EFILE, where, "TemplateProcessing's \"single\" leaves out the text");
}

static void close_template(void *state) {
  template_processing *t = state;
  ci_ids_free(&t->before);
  ci_ids_free(&t->after);
}

static ci_status wrap_template(const void *state, ci_ids *before, ci_ids *after, ci_error *err) {
  const template_processing *t = state;
  return add_around(&t->before, &t->after, before, after, err);
}

const ci_part_kind ci_part_post_processor_template = {.type = "TemplateProcessing",
                                                      .size = sizeof(template_processing),
                                                      .open = open_template,
                                                      .close = close_template,
                                                      .wrap = wrap_template};

#define CI_PART(member) extern const ci_part_kind ci_part_##member;
#include "tokenizers/post_processors.def"
#undef CI_PART

static const ci_part_kind *const kinds[] = {
#define CI_PART(member) &ci_part_##member,
#include "tokenizers/post_processors.def"
#undef CI_PART
    NULL};

const ci_stage_kind ci_post_processors = {"post_processor", "processors", kinds};
