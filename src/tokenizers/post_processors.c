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

/* What an earlier processor put there stays next to the text. */
static ci_status wrap_template(const void *state, ci_ids *before, ci_ids *after, ci_error *err) {
  const template_processing *t = state;
  ci_ids all = {0};
  ci_status status = CI_OK;
  for (size_t i = 0; i < t->before.count && !status; i++) status = ci_ids_add(&all, t->before.items[i], err);
  for (size_t i = 0; i < before->count && !status; i++) status = ci_ids_add(&all, before->items[i], err);
  ci_ids_free(before);
  *before = all;
  for (size_t i = 0; i < t->after.count && !status; i++) status = ci_ids_add(after, t->after.items[i], err);
  return status;
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
