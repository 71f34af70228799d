/* Inseq 0.7.1's file, both ways:
 *
 *   {"__instance_type__": ["inseq.data.attribution", "FeatureAttributionOutput"],
 *    "attributes": {"info": {...}, "sequence_attributions": [{"__instance_type__": [..., CLASS], "attributes": {...}}],
 *                   "step_attributions": null}}
 *
 * indent 4, sorted keys, ASCII; arrays are strings (blob.h), in Inseq 0.5 and 0.6 objects (ndarray.h). Files that Inseq
 * itself cannot load back are read too: those with step_attributions (inseq_steps.h), and the nested tokens of
 * clean_special_chars. */
#include "base/memory.h"
#include "output/inseq_objects.h"
#include "output/inseq_steps.h"
#include "output/output.h"
#include "output/python_json.h"
#include "output/saving.h"
#include <stdio.h>
#include <string.h>

static const char RESULT_CLASS[] = "FeatureAttributionOutput";

const char *const ci_inseq_sequence_classes[] = {
    [CI_PLAIN] = "FeatureAttributionSequenceOutput",
    [CI_GRANULAR] = "GranularFeatureAttributionSequenceOutput",
    [CI_COARSE] = "CoarseFeatureAttributionSequenceOutput",
    [CI_MULTIDIMENSIONAL] = "MultiDimensionalFeatureAttributionSequenceOutput",
};
enum { SEQUENCE_CLASSES = sizeof ci_inseq_sequence_classes / sizeof *ci_inseq_sequence_classes };

/* Writing: every function returns a new value, NULL when memory is out. */

typedef struct {
  const ci_result *result;
  ci_saved_type type;
} writer;

static json_t *new_blob(const ci_array *array, ci_saved_type type) {
  if (!array->data) return json_null();
  ci_text text = {0};
  json_t *value = ci_blob_write(array, type, &text, NULL) ? NULL : json_stringn_nocheck(text.data, text.length);
  ci_text_free(&text);
  return value;
}

static json_t *new_named(const ci_named_array *arrays, size_t count, ci_saved_type type) {
  json_t *object = json_object();
  for (size_t i = 0; i < count && object; i++)
    if (json_object_set_new(object, arrays[i].name, new_blob(&arrays[i].values, type))) {
      json_decref(object);
      object = NULL;
    }
  return object;
}

static json_t *new_sequence(const void *context, size_t index) {
  const writer *w = context;
  const ci_sequence *s = &w->result->sequences[index];
  json_t *a = json_object();
  a = ci_inseq_with(a, "source", ci_inseq_tokens(s->source, s->source_count));
  a = ci_inseq_with(a, "target", ci_inseq_tokens(s->target, s->target_count));
  a = ci_inseq_with(a, "source_attributions", new_blob(&s->source_attributions, w->type));
  a = ci_inseq_with(a, "target_attributions", new_blob(&s->target_attributions, w->type));
  a = ci_inseq_with(a, "step_scores", new_named(s->step_scores, s->step_scores_count, w->type));
  a = ci_inseq_with(a, "sequence_scores", new_named(s->sequence_scores, s->sequence_scores_count, w->type));
  a = ci_inseq_with(a, "attr_pos_start", json_integer((json_int_t)s->attr_pos_start));
  a = ci_inseq_with(a, "attr_pos_end", json_integer((json_int_t)s->attr_pos_end));
  return ci_inseq_instance(ci_inseq_data_module, ci_inseq_sequence_classes[s->kind], a);
}

static int append(const char *bytes, size_t length, void *text) {
  ci_text_add_n(text, bytes, length);
  return ((ci_text *)text)->failed ? -1 : 0;
}

/* use_primitives: attributes in the place of their instance, all the way down. Takes and gives a reference. */
static json_t *without_classes(json_t *value) {
  json_t *attributes = json_object_get(value, "attributes"), *member;
  if (attributes && json_object_get(value, "__instance_type__")) {
    json_incref(attributes);
    json_decref(value);
    value = attributes;
  }
  const char *key;
  size_t i;
  json_object_foreach(value, key, member) {
    if (json_object_set_new(value, key, without_classes(json_incref(member)))) break;
  }
  json_array_foreach(value, i, member) {
    if (json_array_set_new(value, i, without_classes(json_incref(member)))) break;
  }
  return value;
}

ci_status ci_inseq_json_text(const ci_result *result, const ci_saving *saving, ci_text *out, ci_error *err) {
  static const char *const types[] = {
      [CI_SAVE_FLOAT32] = "float32", [CI_SAVE_FLOAT16] = "float16", [CI_SAVE_FLOAT8] = "float8"};
  writer w = {result, CI_SAVE_FLOAT32};
  for (ci_saved_type t = CI_SAVE_FLOAT32; t <= CI_SAVE_FLOAT8; t++)
    if (strcmp(saving->scores_precision, types[t]) == 0) w.type = t;
  json_t *a = ci_inseq_with(json_object(), "info", json_deep_copy(result->info));
  a = ci_inseq_with(a, "sequence_attributions", ci_inseq_array(new_sequence, &w, result->count));
  a = ci_inseq_with(a, "step_attributions", ci_inseq_steps_write(result, saving));
  json_t *root = ci_inseq_instance(ci_inseq_data_module, RESULT_CLASS, a);
  if (root && saving->use_primitives) root = without_classes(root);
  bool failed = !root || json_dump_callback(root, append, out, JSON_INDENT(4) | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
  json_decref(root);
  return failed ? ci_fail_memory(err) : CI_OK;
}

ci_status ci_inseq_json_write(const ci_result *result, const ci_show_options *options, ci_text *out, ci_error *err) {
  static const ci_saving saving = {.scores_precision = "float32", .ndarray_compact = true};
  (void)options;
  return ci_inseq_json_text(result, &saving, out, err);
}

static ci_status read_named(ci_inseq_reader *r, const json_t *value, ci_named_array **arrays, size_t *count) {
  if (value && !json_is_object(value) && !json_is_null(value)) return ci_inseq_bad(r, "is not an object of scores");
  *arrays = ci_alloc_zeroed(json_object_size(value), sizeof **arrays);
  if (!*arrays) return ci_fail_memory(r->err);
  const char *name;
  json_t *blob;
  json_object_foreach((json_t *)value, name, blob) {
    ci_named_array *array = &(*arrays)[(*count)++];
    array->name = ci_duplicate(name);
    if (!array->name) return ci_fail_memory(r->err);
    char what[256];
    snprintf(what, sizeof what, "%s.%.64s", r->what, name);
    ci_status status = ci_blob_read(r->where, what, blob, &array->values, r->err);
    if (status) return status;
  }
  return CI_OK;
}

static ci_status read_positions(ci_inseq_reader *r, const json_t *a, ci_sequence *s) {
  int64_t start = 0, end = (int64_t)s->target_count; /* as Inseq takes null */
  const json_t *first = json_object_get(a, "attr_pos_start"), *last = json_object_get(a, "attr_pos_end");
  if ((first && !json_is_null(first) && !ci_json_as_int(first, &start)) ||
      (last && !json_is_null(last) && !ci_json_as_int(last, &end)))
    return ci_inseq_bad(r, "attr_pos_start and attr_pos_end are not integers");
  if (start < 0 || end < start || (uint64_t)end > s->target_count)
    return ci_fail(r->err, CI_EFILE, r->where,
                   "%s: attr_pos_start %lld and attr_pos_end %lld are no range of %zu target tokens", r->what,
                   (long long)start, (long long)end, s->target_count);
  s->attr_pos_start = (size_t)start;
  s->attr_pos_end = (size_t)end;
  return CI_OK;
}

static ci_status read_kind(const ci_inseq_reader *r, const char *class, ci_sequence *s) {
  for (int i = 0; i < SEQUENCE_CLASSES; i++)
    if (strcmp(class, ci_inseq_sequence_classes[i]) == 0) {
      s->kind = (ci_result_kind)i;
      return CI_OK;
    }
  return ci_fail(r->err, CI_EFILE, r->where, "%s: has the unknown class \"%s\"", r->what, class);
}

/* Sets what the error messages of the next calls name. */
static ci_inseq_reader *at(ci_inseq_reader *r, size_t index, const char *member) {
  snprintf(r->what, sizeof r->what, "sequence %zu%s%s", index, *member ? ", " : "", member);
  return r;
}

static ci_status read_array(ci_inseq_reader *r, const json_t *value, ci_array *array) {
  return !value || json_is_null(value) ? CI_OK : ci_blob_read(r->where, r->what, value, array, r->err);
}

static ci_status read_sequence(ci_inseq_reader *r, size_t i, const json_t *value, ci_sequence *s) {
  const char *class = NULL;
  const json_t *a = ci_inseq_open(value, ci_inseq_data_module, &class);
  if (!a) return ci_inseq_bad(at(r, i, ""), "is no instance of a class of inseq.data.attribution");
  ci_status status = read_kind(at(r, i, ""), class, s);
  if (!status)
    status = ci_inseq_read_tokens(at(r, i, "source"), json_object_get(a, "source"), &s->source, &s->source_count);
  if (!status)
    status = ci_inseq_read_tokens(at(r, i, "target"), json_object_get(a, "target"), &s->target, &s->target_count);
  if (!status) status = read_positions(at(r, i, ""), a, s);
  const char *name = "source_attributions";
  if (!status) status = read_array(at(r, i, name), json_object_get(a, name), &s->source_attributions);
  name = "target_attributions";
  if (!status) status = read_array(at(r, i, name), json_object_get(a, name), &s->target_attributions);
  name = "step_scores";
  if (!status) status = read_named(at(r, i, name), json_object_get(a, name), &s->step_scores, &s->step_scores_count);
  name = "sequence_scores";
  if (!status)
    status = read_named(at(r, i, name), json_object_get(a, name), &s->sequence_scores, &s->sequence_scores_count);
  if (!status) status = ci_sequence_check(s, r->where, at(r, i, "")->what, r->err);
  return status;
}

static ci_status read_result(ci_inseq_reader *r, const json_t *root, ci_result **result) {
  const char *class = RESULT_CLASS;
  const json_t *a = ci_inseq_open(root, ci_inseq_data_module, &class);
  if (!a) return ci_inseq_bad(r, "is not a FeatureAttributionOutput as Inseq saves it (without use_primitives)");
  json_t *info = json_object_get(a, "info"), *sequences = json_object_get(a, "sequence_attributions");
  if (!json_is_array(sequences)) return ci_inseq_bad(r, "has no array \"sequence_attributions\"");
  if (!json_is_object(info)) return ci_inseq_bad(r, "has no object \"info\"");
  ci_result *made = ci_result_create(json_array_size(sequences));
  if (!made) return ci_fail_memory(r->err);
  json_decref(made->info);
  made->info = json_incref(info);
  ci_status status = CI_OK;
  for (size_t i = 0; i < made->count && !status; i++)
    status = read_sequence(r, i, json_array_get(sequences, i), &made->sequences[i]);
  if (!status) status = ci_inseq_steps_read(r, json_object_get(a, "step_attributions"), made);
  if (status)
    ci_result_close(made);
  else
    *result = made;
  return status;
}

ci_status ci_inseq_json_read(const char *where, const char *bytes, size_t length, ci_result **result, ci_error *err) {
  *result = NULL;
  if (length == 0) return ci_fail(err, CI_EFILE, where, "is empty");
  json_t *root;
  ci_status status = ci_python_json_parse(where, bytes, length, &root, err);
  if (status) return status;
  ci_inseq_reader r = {.where = where, .what = "the file", .err = err};
  status = read_result(&r, root, result);
  json_decref(root);
  return status;
}
