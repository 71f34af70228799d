/* The tensors of a pickled dictionary: {"name": _rebuild_tensor_v2(storage, offset, shape, strides, ...)}. offset and
 * strides count elements. A contiguous view points into its storage, another one is copied out of it.
 *
 * storage = persistent ("storage", class, key, device, elements) and, in legacy files, None or (key, offset, elements)
 * of a part of it. */
#include "base/memory.h"
#include "base/text.h"
#include "formats/format.h"
#include "formats/torch.h"
#include <string.h>

enum { TAG_TENSOR = 100, TAG_PARAMETER, LONGEST_NAME = 4096, MOST_COPIES = 4 /* of the file's length */ };

static const ci_pickle_global allowed[] = {
    {"collections", "OrderedDict", CI_PICKLE_DICTIONARY, 0},
    {"torch._utils", "_rebuild_tensor_v2", CI_PICKLE_FUNCTION, TAG_TENSOR},
    {"torch._utils", "_rebuild_parameter", CI_PICKLE_FUNCTION, TAG_PARAMETER},
    {"torch", "FloatStorage", CI_PICKLE_NAME, CI_F32},
    {"torch", "HalfStorage", CI_PICKLE_NAME, CI_F16},
    {"torch", "BFloat16Storage", CI_PICKLE_NAME, CI_BF16},
    {"torch", "DoubleStorage", CI_PICKLE_NAME, CI_F64},
    {"torch", "LongStorage", CI_PICKLE_NAME, CI_I64},
    {"torch", "IntStorage", CI_PICKLE_NAME, CI_I32},
    {"torch", "ShortStorage", CI_PICKLE_NAME, CI_I16},
    {"torch", "CharStorage", CI_PICKLE_NAME, CI_I8},
    {"torch", "ByteStorage", CI_PICKLE_NAME, CI_U8},
    {"torch", "BoolStorage", CI_PICKLE_NAME, CI_BOOLEAN},
};

/* What a persistent value says. */
typedef struct {
  const ci_pickle_value *key;
  ci_dtype type;
  size_t whole;         /* elements of the storage */
  size_t offset, count; /* the part of it that tensors see */
} reference;

static bool as_size(const ci_pickle_value *value, size_t *out) {
  if (value->kind != CI_PICKLE_INT || value->integer < 0) return false;
  *out = (size_t)value->integer;
  return true;
}

/* ---- storages ---- */

static bool read_part(const ci_pickle *p, const ci_pickle_value *part, reference *r) {
  r->offset = 0;
  r->count = r->whole;
  if (part->kind == CI_PICKLE_NONE) return true;
  const ci_pickle_value *m[4];
  return part->kind == CI_PICKLE_TUPLE && ci_pickle_members(p, part, 4, m) == 3 && as_size(m[1], &r->offset) &&
         as_size(m[2], &r->count) && r->offset <= r->whole && r->count <= r->whole - r->offset;
}

static bool read_reference(const ci_pickle *p, const ci_pickle_value *persistent, reference *r) {
  const ci_pickle_value *id = ci_pickle_operand(p, persistent), *m[7];
  if (id->kind != CI_PICKLE_TUPLE) return false;
  size_t count = ci_pickle_members(p, id, 7, m);
  if (count < 5 || count > 6 || !ci_pickle_is_text(m[0], "storage")) return false;
  if (m[1]->kind != CI_PICKLE_GLOBAL || m[1]->global->role != CI_PICKLE_NAME) return false;
  r->key = m[2];
  r->type = (ci_dtype)m[1]->global->tag;
  size_t bytes;
  return as_size(m[4], &r->whole) && !__builtin_mul_overflow(r->whole, ci_dtype_size(r->type), &bytes) &&
         read_part(p, count == 6 ? m[5] : ci_pickle_at(p, 0), r);
}

/* Keys are numbers, or addresses: short, without slashes that would lead to other entries of the zip file. */
static bool copy_key(const ci_pickle_value *key, char copy[sizeof((ci_torch_storage *)0)->key]) {
  if (key->kind != CI_PICKLE_TEXT || !key->length || key->length >= sizeof((ci_torch_storage *)0)->key) return false;
  for (size_t i = 0; i < key->length; i++) {
    if (key->text[i] <= ' ' || key->text[i] > '~' || key->text[i] == '/') return false;
    copy[i] = key->text[i];
  }
  copy[key->length] = 0;
  return true;
}

ci_torch_storage *ci_torch_find(const ci_torch *t, const ci_pickle_value *key) {
  char copy[sizeof t->storages->key];
  const json_t *position = copy_key(key, copy) ? json_object_get(t->positions, copy) : NULL;
  return position ? &t->storages[json_integer_value(position)] : NULL;
}

static ci_status add_storage(ci_torch *t, const reference *r, ci_error *err) {
  const ci_torch_storage *there = ci_torch_find(t, r->key);
  if (there && there->type == r->type && there->count == r->whole) return CI_OK;
  if (there)
    return ci_fail(err, CI_EFILE, t->file, "uses the storage \"%s\" as %zu elements of type %s and as %zu of type %s",
                   there->key, there->count, ci_dtype_name(there->type), r->whole, ci_dtype_name(r->type));
  ci_torch_storage added = {.type = r->type, .count = r->whole};
  if (!copy_key(r->key, added.key))
    return ci_fail(err, CI_EFILE, t->file, "has a storage with a key that is no number");
  if (ci_reserve((void **)&t->storages, &t->storages_capacity, t->storages_count + 1, sizeof *t->storages) ||
      json_object_set_new_nocheck(t->positions, added.key, json_integer((json_int_t)t->storages_count)))
    return ci_fail_memory(err);
  t->storages[t->storages_count++] = added;
  return CI_OK;
}

ci_status ci_torch_read(ci_torch *t, const uint8_t *bytes, size_t length, size_t *used, ci_error *err) {
  ci_status status =
      ci_pickle_open(t->file, bytes, length, allowed, sizeof allowed / sizeof *allowed, &t->pickle, used, err);
  const ci_pickle_value *value;
  for (size_t i = 0; !status && (value = ci_pickle_at(t->pickle, i)); i++) {
    reference r;
    if (value->kind != CI_PICKLE_PERSISTENT) continue;
    status = read_reference(t->pickle, value, &r)
                 ? add_storage(t, &r, err)
                 : ci_fail(err, CI_EFILE, t->file,
                           "has a persistent value that is not (\"storage\", class, key, device, elements)");
  }
  return status;
}

/* ---- tensors ---- */

typedef struct {
  ci_tensor tensor;
  size_t strides[CI_MAX_RANK];
  size_t first;     /* in the part that is seen */
  const char *data; /* of the part */
  size_t room;      /* its elements */
} view;

static ci_status bad_tensor(const ci_torch *t, const char *name, ci_error *err, const char *problem) {
  return ci_fail(err, CI_EFILE, t->file, "tensor \"%s\" %s", name, problem);
}

static bool is_contiguous(const view *v) {
  size_t expected = 1;
  for (int i = v->tensor.rank - 1; i >= 0; i--) {
    if (v->tensor.shape[i] != 1 && v->strides[i] != expected) return false;
    expected *= v->tensor.shape[i]; /* fits: count does */
  }
  return true;
}

/* Whether the last element that the view reaches lies in its storage. */
static bool fits(const view *v) {
  size_t last = v->first;
  for (int i = 0; i < v->tensor.rank; i++) {
    size_t reach;
    if (__builtin_mul_overflow(v->tensor.shape[i] - 1, v->strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last))
      return false;
  }
  return last < v->room;
}

/* Row-major order, one element at a time: rare and small. */
static void gather(const view *v, size_t size, char *out) {
  size_t at[CI_MAX_RANK] = {0}, from = v->first;
  for (size_t i = 0; i < v->tensor.count; i++) {
    memcpy(out + i * size, v->data + from * size, size);
    for (int d = v->tensor.rank - 1; d >= 0; d--) {
      from += v->strides[d];
      if (++at[d] < v->tensor.shape[d]) break;
      from -= at[d] * v->strides[d];
      at[d] = 0;
    }
  }
}

/* A copy is never larger than the storage, and all of them no more than a few times the file: strides of 0 or many
 * names of one storage must not fill the memory. */
static ci_status copy_view(ci_torch *t, view *v, size_t bytes, ci_error *err) {
  if (v->tensor.count > v->room)
    return ci_fail(err, CI_EFILE, t->file, "tensor \"%s\" has %zu elements that overlap in a storage of %zu",
                   v->tensor.name, v->tensor.count, v->room);
  if (bytes > SIZE_MAX - t->copied || (t->copied + bytes) / MOST_COPIES > t->length)
    return bad_tensor(t, v->tensor.name, err, "is one of too many views with strides of one storage");
  t->copied += bytes;
  char *copy = ci_tensors_alloc(t->tensors, bytes, 1);
  if (!copy) return ci_fail_memory(err);
  gather(v, ci_dtype_size(v->tensor.type), copy);
  v->tensor.data = copy;
  return CI_OK;
}

static ci_status place_view(ci_torch *t, view *v, ci_error *err) {
  size_t bytes, size = ci_dtype_size(v->tensor.type);
  if (!ci_shape_measure(v->tensor.rank, v->tensor.shape, v->tensor.type, &v->tensor.count, &bytes))
    return bad_tensor(t, v->tensor.name, err, "has a shape that is too large");
  v->tensor.data = v->data;
  if (!v->tensor.count) return CI_OK;
  if (!fits(v))
    return ci_fail(err, CI_EFILE, t->file, "tensor \"%s\" reaches beyond its storage of %zu elements", v->tensor.name,
                   v->room);
  v->tensor.data = v->data + v->first * size;
  return is_contiguous(v) ? CI_OK : copy_view(t, v, bytes, err);
}

static ci_status read_shape(const ci_torch *t, const ci_pickle_value *shape, const ci_pickle_value *strides, view *v,
                            ci_error *err) {
  const ci_pickle_value *sizes[CI_MAX_RANK], *steps[CI_MAX_RANK];
  if (shape->kind != CI_PICKLE_TUPLE || strides->kind != CI_PICKLE_TUPLE || shape->count != strides->count)
    return bad_tensor(t, v->tensor.name, err, "has no shape and strides, expected tuples of one length");
  if (shape->count > CI_MAX_RANK)
    return ci_fail(err, CI_EFILE, t->file, "tensor \"%s\" has %u dimensions, expected at most %d", v->tensor.name,
                   shape->count, CI_MAX_RANK);
  v->tensor.rank = (int)ci_pickle_members(t->pickle, shape, CI_MAX_RANK, sizes);
  ci_pickle_members(t->pickle, strides, CI_MAX_RANK, steps);
  for (int i = 0; i < v->tensor.rank; i++)
    if (!as_size(sizes[i], &v->tensor.shape[i]) || !as_size(steps[i], &v->strides[i]))
      return bad_tensor(t, v->tensor.name, err,
                        "has a shape or strides with a member that is no whole number of 0 or more");
  return CI_OK;
}

static ci_status add_tensor(ci_torch *t, const char *name, const ci_pickle_value *call, ci_error *err) {
  const ci_pickle_value *m[4];
  if (call->global->tag == TAG_PARAMETER) { /* (tensor, requires_grad, hooks) */
    if (!ci_pickle_members(t->pickle, ci_pickle_operand(t->pickle, call), 1, m) || m[0]->kind != CI_PICKLE_CALL ||
        m[0]->global->tag != TAG_TENSOR)
      return bad_tensor(t, name, err, "is a parameter without a tensor");
    call = m[0];
  }
  reference r;
  view v = {.tensor = {.name = name, .file = t->file}};
  if (ci_pickle_members(t->pickle, ci_pickle_operand(t->pickle, call), 4, m) != 4 ||
      m[0]->kind != CI_PICKLE_PERSISTENT || !read_reference(t->pickle, m[0], &r) || !as_size(m[1], &v.first))
    return bad_tensor(t, name, err, "is not made of a storage, an offset of 0 or more, a shape and strides");
  const ci_torch_storage *storage = ci_torch_find(t, r.key);
  if (!storage || !storage->data) return bad_tensor(t, name, err, "uses a storage that the file does not hold");
  v.tensor.type = r.type;
  v.room = r.count;
  v.data = (const char *)storage->data + r.offset * ci_dtype_size(r.type);
  ci_status status = read_shape(t, m[2], m[3], &v, err);
  if (!status) status = place_view(t, &v, err);
  return status ? status : ci_tensors_add(t->tensors, &v.tensor, err);
}

static ci_status add_named(ci_torch *t, const ci_pickle_value *key, const ci_pickle_value *call, ci_error *err) {
  if (key->kind != CI_PICKLE_TEXT || !key->length || key->length > LONGEST_NAME || memchr(key->text, 0, key->length) ||
      !ci_utf8_valid(key->text, key->length))
    return ci_fail(err, CI_EFILE, t->file, "has a tensor whose name is no text of 1 to %d bytes of UTF-8",
                   LONGEST_NAME);
  char *name = ci_duplicate_n(key->text, key->length);
  if (!name) return ci_fail_memory(err);
  ci_status status = add_tensor(t, name, call, err);
  ci_free(name);
  return status;
}

ci_status ci_torch_build(ci_torch *t, ci_error *err) {
  const ci_pickle_value *root = ci_pickle_root(t->pickle), *key, *value;
  if (root->kind != CI_PICKLE_DICT)
    return ci_fail(err, CI_EFILE, t->file, "holds %s, expected a dictionary of tensors",
                   ci_pickle_kind_name(root->kind));
  uint32_t cursor = 0;
  size_t added = 0;
  while (ci_pickle_next(t->pickle, root, &cursor, &key, &value)) {
    if (value->kind != CI_PICKLE_CALL) continue;
    ci_status status = add_named(t, key, value, err);
    if (status) return status;
    added++;
  }
  if (added) return CI_OK;
  return ci_fail(err, CI_EFILE, t->file, "holds a dictionary without a tensor");
}
