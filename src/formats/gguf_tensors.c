/* The tensors of GGUF files under the names, and with the numbers, that the Hugging Face layout has. What llama.cpp's
 * converter only renamed, stacked or transposed stays where it is in the mapped file; what it reordered or added to is
 * copied. */
#include "base/memory.h"
#include "base/text.h"
#include "formats/format.h"
#include "formats/gguf_names.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const ci_gguf *head;
  const ci_gguf_architecture *row;
  ci_tensors *tensors;
  ci_error *err;
} adding;

/* "blk.7.attn_q.weight": layer 7, "attn_q", ".weight". layer -1: none. */
static bool take_apart(const char *name, long *layer, char stem[64], const char **ending) {
  *layer = -1;
  if (ci_starts_with(name, "blk.")) {
    char *end;
    *layer = strtol(name + 4, &end, 10);
    if (end == name + 4 || *end != '.' || *layer < 0 || *layer > INT_MAX) return false;
    name = end + 1;
  }
  *ending = strrchr(name, '.');
  if (!*ending || (strcmp(*ending, ".weight") && strcmp(*ending, ".bias"))) return false;
  size_t length = (size_t)(*ending - name);
  if (length >= 64) return false;
  memcpy(stem, name, length);
  stem[length] = 0;
  return true;
}

static const ci_gguf_name *find_name(const ci_gguf_architecture *row, const char *stem, bool layered) {
  for (const ci_gguf_name *n = row->names; n->gguf; n++)
    if (strcmp(n->gguf, stem) == 0 && (strchr(n->name, '%') != NULL) == layered) return n;
  return NULL;
}

/* The name with its numbers, a %d each. */
static void format_name(char out[256], const char *format, const long numbers[2], const char *ending) {
  size_t at = 0;
  for (const char *p = format; *p && at < 200; p++) {
    if (p[0] == '%') {
      at += (size_t)snprintf(out + at, 256 - at, "%ld", *numbers++);
      p++;
    } else {
      out[at++] = *p;
    }
  }
  snprintf(out + at, 256 - at, "%s", ending);
}

static ci_status wrong_shape(const adding *a, const ci_tensor *t, const char *expected) {
  ci_text shape = {0};
  for (int i = 0; i < t->rank; i++) ci_text_add_format(&shape, i ? ", %zu" : "%zu", t->shape[i]);
  ci_status status = ci_fail(a->err, CI_EFILE, t->file, "tensor \"%s\" has the shape [%s], expected %s", t->name,
                             shape.data ? shape.data : "", expected);
  ci_text_free(&shape);
  return status;
}

static size_t row_bytes(const ci_tensor *t) {
  size_t columns = t->rank > 1 ? t->shape[t->rank - 1] : 1;
  return columns / ci_dtype_block(t->type) * ci_dtype_size(t->type);
}

/* A copy whose row (or, of a vector, number) r is the file's from(r, heads, size), size: rows of a head or part. */
static ci_status reorder(const adding *a, ci_tensor *t, size_t heads, size_t parts,
                         size_t (*from)(size_t, size_t, size_t)) {
  size_t rows = t->rank ? t->shape[0] : 0, bytes = row_bytes(t);
  if (t->rank < 1 || t->rank > 2 || !heads || rows % (heads * parts))
    return ci_fail(a->err, CI_EFILE, t->file, "tensor \"%s\": %zu rows do not make %zu heads of %zu equal parts",
                   t->name, rows, heads, parts);
  uint8_t *copy = ci_tensors_alloc(a->tensors, rows, bytes);
  if (!copy) return ci_fail_memory(a->err);
  for (size_t r = 0; r < rows; r++)
    memcpy(copy + r * bytes, (const uint8_t *)t->data + from(r, heads, rows / (heads * parts)) * bytes, bytes);
  t->data = copy;
  return CI_OK;
}

/* Row j half + i of a head lies at 2 i + j: LlamaModel.permute, backwards. */
static size_t from_pairs(size_t r, size_t heads, size_t half) {
  (void)heads;
  size_t in_head = r % (2 * half);
  return r - in_head + 2 * (in_head % half) + in_head / half;
}

/* Row (head, part, i) of query, key and value lies at (part, head, i). */
static size_t from_parts(size_t r, size_t heads, size_t dim) {
  size_t head = r / (3 * dim), part = r / dim % 3;
  return (part * heads + head) * dim + r % dim;
}

static ci_status minus_one(const adding *a, ci_tensor *t) {
  float *copy = ci_tensors_alloc(a->tensors, t->count, sizeof *copy);
  if (!copy) return ci_fail_memory(a->err);
  ci_tensor_widen(t, 0, t->count, copy);
  for (size_t i = 0; i < t->count; i++) copy[i] -= 1;
  t->type = CI_F32;
  t->data = copy;
  return CI_OK;
}

/* Heads of the query, or with kv of key and value. */
static ci_status count_heads(const adding *a, bool kv, size_t *heads) {
  ci_status status =
      ci_gguf_own_count(a->head, a->row, kv ? "attention.head_count_kv" : "attention.head_count", heads, a->err);
  if (!status && !*heads && kv) return count_heads(a, false, heads);
  if (!status && !*heads)
    return ci_fail(a->err, CI_EFILE, a->head->file, "key \"%s.attention.head_count\" is missing", a->row->gguf);
  return status;
}

static ci_status change(const adding *a, const ci_gguf_name *name, ci_tensor *t) {
  size_t heads;
  bool kv = name->change == CI_GGUF_KV_PAIRS;
  ci_status status;
  switch (name->change) {
  case CI_GGUF_PAIRS:
  case CI_GGUF_KV_PAIRS:
    status = count_heads(a, kv, &heads);
    return status ? status : reorder(a, t, heads, 2, from_pairs);
  case CI_GGUF_INTERLEAVED:
    status = count_heads(a, false, &heads);
    return status ? status : reorder(a, t, heads, 3, from_parts);
  case CI_GGUF_PLUS_ONE:
    return minus_one(a, t);
  case CI_GGUF_TRANSPOSED: {
    if (t->rank != 2) return CI_OK; /* a bias */
    size_t rows = t->shape[0];
    t->shape[0] = t->shape[1];
    t->shape[1] = rows;
    t->transposed = true;
    return CI_OK;
  }
  default:
    return CI_OK;
  }
}

static ci_status add_experts(const adding *a, const ci_gguf_name *name, ci_tensor *t, long layer, const char *ending) {
  enum { MOST_EXPERTS = 4096 }; /* a tensor without elements may name any number of them */
  if (t->rank != 3 || t->shape[0] > MOST_EXPERTS) return wrong_shape(a, t, "[at most 4096 experts, rows, columns]");
  char full[256];
  ci_tensor one = {.name = full, .file = t->file, .type = t->type, .rank = 2, .shape = {t->shape[1], t->shape[2]}};
  size_t bytes = t->shape[1] * row_bytes(t);
  ci_status status = CI_OK;
  for (size_t e = 0; e < t->shape[0] && !status; e++) {
    format_name(full, name->name, (const long[]){layer, (long)e}, ending);
    one.data = (const uint8_t *)t->data + e * bytes;
    status = ci_tensors_add(a->tensors, &one, a->err);
  }
  return status;
}

static ci_status add_one(const adding *a, const ci_gguf_tensor *given) {
  long layer;
  char stem[64], full[256];
  const char *ending;
  ci_tensor t = given->tensor;
  bool known = take_apart(t.name, &layer, stem, &ending);
  const ci_gguf_name *name = known ? find_name(a->row, stem, layer >= 0) : NULL;
  if (!name) return ci_tensors_add(a->tensors, &t, a->err); /* as it is: nobody asks for it, and the user is told */
  if (name->change == CI_GGUF_EXPERTS) return add_experts(a, name, &t, layer, ending);
  ci_status status = change(a, name, &t);
  if (status) return status;
  format_name(full, name->name, (const long[]){layer, 0}, ending);
  t.name = full;
  return ci_tensors_add(a->tensors, &t, a->err);
}

ci_status ci_gguf_add(const ci_gguf *head, const ci_gguf *gguf, ci_tensors *tensors, ci_error *err) {
  adding a = {.head = head, .tensors = tensors, .err = err};
  ci_status status = ci_gguf_architecture_of(head, &a.row, err);
  for (size_t i = 0; i < gguf->tensors_count && !status; i++) status = add_one(&a, &gguf->tensors[i]);
  return status;
}

bool ci_gguf_named(const char *path) {
  return ci_ends_with(path, ".gguf");
}

/* NAME-00001-of-00003.gguf: 1 of 3; *stem: the length of NAME. */
static bool is_shard(const char *path, size_t *stem, unsigned *number, unsigned *count) {
  enum { ENDING = sizeof "-00001-of-00003.gguf" - 1 };
  size_t length = strlen(path);
  int end = 0;
  if (length <= ENDING) return false;
  *stem = length - ENDING;
  return sscanf(path + *stem, "-%5u-of-%5u.gguf%n", number, count, &end) == 2 && end == ENDING;
}

/* Keeps the first .gguf file, or first shard, of the folder; a second one is an error. */
static ci_status search(const char *folder, DIR *entries, char **file, ci_error *err) {
  ci_status status = CI_OK;
  for (const struct dirent *entry; !status && (entry = readdir(entries));) {
    size_t stem;
    unsigned number, count;
    if (!ci_gguf_named(entry->d_name) || (is_shard(entry->d_name, &stem, &number, &count) && number != 1)) continue;
    if (*file)
      return ci_fail(err, CI_EINVAL, folder, "holds several .gguf files, among them %s and %s: name one",
                     *file + strlen(folder) + 1, entry->d_name);
    *file = ci_join_path(folder, entry->d_name);
    if (!*file) status = ci_fail_memory(err);
  }
  return status;
}

ci_status ci_gguf_locate(const char *path, char **file, ci_error *err) {
  *file = NULL;
  if (!ci_folder_exists(path)) {
    if (!ci_gguf_named(path)) return CI_OK;
    *file = ci_duplicate(path);
    return *file ? CI_OK : ci_fail_memory(err);
  }
  char *config = ci_join_path(path, "config.json");
  if (!config) return ci_fail_memory(err);
  DIR *entries = ci_file_exists(config) ? NULL : opendir(path);
  ci_free(config);
  ci_status status = entries ? search(path, entries, file, err) : CI_OK;
  if (entries) closedir(entries);
  if (status) ci_free(*file), *file = NULL;
  return status;
}

bool ci_gguf_applies(const ci_checkpoint *checkpoint) {
  return ci_gguf_named(checkpoint->folder);
}

static ci_status open_one(const char *path, const ci_gguf *head, ci_gguf *gguf, ci_tensors *tensors, ci_error *err) {
  ci_mapping mapping;
  const char *kept;
  ci_status status = ci_tensors_map(tensors, NULL, path, &mapping, &kept, err);
  if (!status) status = ci_gguf_parse(gguf, kept, mapping.bytes, mapping.length, err);
  return status ? status : ci_gguf_add(head ? head : gguf, gguf, tensors, err);
}

static ci_status open_shards(const char *first, const ci_gguf *head, ci_tensors *tensors, ci_error *err) {
  size_t stem, length = strlen(first) + 1;
  unsigned number, count;
  if (!is_shard(first, &stem, &number, &count)) return CI_OK;
  char *path = ci_alloc(length, 1);
  ci_status status = path ? CI_OK : ci_fail_memory(err);
  for (unsigned i = 2; i <= count && !status; i++) {
    ci_gguf shard = {0};
    snprintf(path, length, "%.*s-%05u-of-%05u.gguf", (int)stem, first, i, count);
    status = open_one(path, head, &shard, tensors, err);
    ci_gguf_close(&shard);
  }
  ci_free(path);
  return status;
}

/* What the first shard says of all: split.tensors.count. */
static ci_status check_count(const ci_gguf *head, size_t found, ci_error *err) {
  int64_t expected;
  ci_status status = ci_gguf_integer(head, "split.tensors.count", -1, &expected, err);
  if (status || expected < 0 || (uint64_t)expected <= found) return status;
  return ci_fail(err, CI_EFILE, head->file, "promises %lld tensors in its shards, which hold %zu", (long long)expected,
                 found);
}

ci_status ci_gguf_open(const ci_checkpoint *checkpoint, ci_tensors *tensors, ci_error *err) {
  const char *path = checkpoint->folder;
  ci_gguf head = {0};
  size_t stem;
  unsigned number, count;
  if (is_shard(path, &stem, &number, &count) && number != 1) /* the metadata is in the first */
    return ci_fail(err, CI_EINVAL, path, "is shard %u of %u: name the first", number, count);
  ci_status status = open_one(path, NULL, &head, tensors, err);
  if (!status) status = open_shards(path, &head, tensors, err);
  if (!status) status = check_count(&head, ci_tensors_count(tensors), err);
  ci_gguf_close(&head);
  return status;
}
