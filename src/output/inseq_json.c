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

enum { INDENT = 4 };

static const char RESULT_CLASS[] = "FeatureAttributionOutput";

const char *const ci_inseq_sequence_classes[] = {
    [CI_PLAIN] = "FeatureAttributionSequenceOutput",
    [CI_GRANULAR] = "GranularFeatureAttributionSequenceOutput",
    [CI_COARSE] = "CoarseFeatureAttributionSequenceOutput",
    [CI_MULTIDIMENSIONAL] = "MultiDimensionalFeatureAttributionSequenceOutput",
};
enum { SEQUENCE_CLASSES = sizeof ci_inseq_sequence_classes / sizeof *ci_inseq_sequence_classes };

/* Writing: what makes values returns a new one, NULL when memory is out. */

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

static ci_saved_type saved_type(const ci_saving *saving) {
  static const char *const types[] = {
      [CI_SAVE_FLOAT32] = "float32", [CI_SAVE_FLOAT16] = "float16", [CI_SAVE_FLOAT8] = "float8"};
  for (ci_saved_type t = CI_SAVE_FLOAT16; t <= CI_SAVE_FLOAT8; t++)
    if (strcmp(saving->scores_precision, types[t]) == 0) return t;
  return CI_SAVE_FLOAT32;
}

static json_t *new_sequence(const ci_result *result, size_t index, const ci_saving *saving) {
  const ci_sequence *s = &result->sequences[index];
  ci_saved_type type = saved_type(saving);
  json_t *a = json_object();
  a = ci_inseq_with(a, "source", ci_inseq_tokens(s->source, s->source_count));
  a = ci_inseq_with(a, "target", ci_inseq_tokens(s->target, s->target_count));
  a = ci_inseq_with(a, "source_attributions", new_blob(&s->source_attributions, type));
  a = ci_inseq_with(a, "target_attributions", new_blob(&s->target_attributions, type));
  a = ci_inseq_with(a, "step_scores", new_named(s->step_scores, s->step_scores_count, type));
  a = ci_inseq_with(a, "sequence_scores", new_named(s->sequence_scores, s->sequence_scores_count, type));
  a = ci_inseq_with(a, "attr_pos_start", json_integer((json_int_t)s->attr_pos_start));
  a = ci_inseq_with(a, "attr_pos_end", json_integer((json_int_t)s->attr_pos_end));
  return ci_inseq_instance(ci_inseq_data_module, ci_inseq_sequence_classes[s->kind], a);
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

/* The file on its way out. There is a tree of one text at a time: the text and the tree of thousands took three times
 * the memory of their scores. */
typedef struct {
  const ci_result *result;
  const ci_saving *saving;
  ci_sink out;
  size_t depth; /* of what is written */
  ci_status status;
  ci_error *err;
} writer;

static void put(writer *w, const char *bytes, size_t length) {
  if (!w->status && length) w->status = w->out.add(w->out.context, bytes, length, w->err);
}

/* A new line, at the depth. */
static void put_line(writer *w, const char *text) {
  static const char indent[] = "\n            ";
  put(w, indent, 1 + INDENT * w->depth);
  put(w, text, strlen(text));
}

/* jansson writes a value as if it stood alone. */
static int put_deeper(const char *bytes, size_t length, void *context) {
  writer *w = context;
  for (const char *line; (line = memchr(bytes, '\n', length)); bytes = line + 1) {
    put(w, bytes, (size_t)(line - bytes));
    put_line(w, "");
    length -= (size_t)(line + 1 - bytes);
  }
  put(w, bytes, length);
  return w->status ? -1 : 0;
}

/* Takes the reference; NULL: memory is out. */
static void put_value(writer *w, json_t *value) {
  if (value && w->saving->use_primitives) value = without_classes(value);
  size_t flags = JSON_INDENT(INDENT) | JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_ENCODE_ANY;
  if (!w->status && (!value || json_dump_callback(value, put_deeper, w, flags)) && !w->status)
    w->status = ci_fail_memory(w->err);
  json_decref(value);
}

static void put_array(writer *w, size_t count,
                      json_t *(*make)(const ci_result *result, size_t index, const ci_saving *saving)) {
  put(w, "[", 1);
  w->depth++;
  for (size_t i = 0; i < count && !w->status; i++) {
    put_line(w, "");
    put_value(w, make(w->result, i, w->saving));
    if (i + 1 < count) put(w, ",", 1);
  }
  w->depth--;
  if (count) put_line(w, "");
  put(w, "]", 1);
}

/* In the order of the keys. */
static void put_attributes(writer *w) {
  put(w, "{", 1);
  w->depth++;
  put_line(w, "\"info\": ");
  put_value(w, json_deep_copy(w->result->info)); /* threads may share the result: not even its references are counted */
  put(w, ",", 1);
  put_line(w, "\"sequence_attributions\": ");
  put_array(w, w->result->count, new_sequence);
  put(w, ",", 1);
  put_line(w, "\"step_attributions\": ");
  if (w->result->step_count)
    put_array(w, w->result->step_count, ci_inseq_step);
  else
    put_value(w, json_null());
  w->depth--;
  put_line(w, "}");
}

ci_status ci_inseq_json_put(const ci_result *result, const ci_saving *saving, ci_sink out, ci_error *err) {
  writer w = {.result = result, .saving = saving, .out = out, .err = err};
  if (saving->use_primitives) {
    put_attributes(&w);
    return w.status;
  }
  put(&w, "{", 1);
  w.depth++;
  put_line(&w, "\"__instance_type__\": ");
  put_value(&w, json_pack("[s,s]", ci_inseq_data_module, RESULT_CLASS));
  put(&w, ",", 1);
  put_line(&w, "\"attributes\": ");
  put_attributes(&w);
  w.depth--;
  put_line(&w, "}");
  return w.status;
}

ci_status ci_inseq_json_write(const ci_result *result, const ci_show_options *options, ci_text *out, ci_error *err) {
  static const ci_saving saving = {.scores_precision = "float32", .ndarray_compact = true};
  (void)options;
  return ci_inseq_json_put(result, &saving, ci_text_sink(out), err);
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
