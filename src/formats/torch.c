/* pytorch_model.bin, what torch.save writes of a dictionary of tensors. Since PyTorch 1.6 (2020) a zip file:
 *
 *   NAME/data.pkl    the dictionary; a tensor in it is a view of a storage that it names by key
 *   NAME/byteorder   "little" (later versions)
 *   NAME/data/KEY    one storage each: its elements, at a multiple of 64 bytes
 *
 * Before, pickles and storages one after another:
 *
 *   magic number, protocol number, a dictionary of sizes   one pickle each
 *   the dictionary; a list of the storages' keys            one pickle each
 *   for each key: u64 number of elements, elements
 *
 * (torch/serialization.py, _save and _legacy_save; numbers are little endian in both.) Pickles are read as data: see
 * pickle.h. A storage is used where it lies; only one that is not aligned for its type is copied, once. */
#include "formats/torch.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/format.h"
#include "formats/zip.h"
#include <stdio.h>
#include <string.h>

/* The pickled number 0x1950a86a20f9469cfc6c. */
static const uint8_t MAGIC[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
static const char POINTER[] = "version https://git-lfs";

enum { PROTOCOL = 1001, LONGEST_FOLDER = 200, COUNT_BYTES = 8 };

static ci_status place_storage(ci_torch *t, ci_torch_storage *s, const uint8_t *bytes, ci_error *err) {
  s->data = bytes;
  size_t size = ci_dtype_size(s->type), length = s->count * size;
  if ((uintptr_t)bytes % size == 0) return CI_OK;
  void *copy = ci_tensors_alloc(t->tensors, length, 1);
  if (!copy) return ci_fail_memory(err);
  s->data = memcpy(copy, bytes, length);
  return CI_OK;
}

/* ---- zip ---- */

/* The one folder that has a data.pkl, into `name` with the slash behind it. */
static ci_status find_folder(const char *file, const ci_zip *zip, char name[LONGEST_FOLDER], ci_error *err) {
  static const char WANTED[] = "/data.pkl";
  const size_t wanted = sizeof WANTED - 1;
  size_t found = 0;
  for (size_t i = 0; i < zip->count; i++) {
    const ci_zip_entry *e = &zip->entries[i];
    size_t length = e->name_length - wanted;
    if (e->name_length <= wanted || length >= LONGEST_FOLDER - 1 || memcmp(e->name + length, WANTED, wanted) != 0 ||
        memchr(e->name, '/', length) || memchr(e->name, 0, length))
      continue;
    memcpy(name, e->name, length + 1);
    name[length + 1] = 0;
    found++;
  }
  if (found == 1) return CI_OK;
  return ci_fail(err, CI_EFILE, file, "is a zip file with %zu entries named FOLDER/data.pkl, expected 1", found);
}

static const ci_zip_entry *find_entry(const ci_zip *zip, const char *folder, const char *name) {
  char path[LONGEST_FOLDER + sizeof "data/" + sizeof((ci_torch_storage *)0)->key];
  snprintf(path, sizeof path, "%s%s", folder, name);
  return ci_zip_find(zip, path);
}

static ci_status check_order(const char *file, const ci_zip *zip, const char *folder, ci_error *err) {
  const ci_zip_entry *order = find_entry(zip, folder, "byteorder");
  if (!order || (order->length == 6 && memcmp(order->bytes, "little", 6) == 0)) return CI_OK;
  return ci_fail(err, CI_EFILE, file, "has the byte order \"%.*s\", expected \"little\"",
                 (int)(order->length < 20 ? order->length : 20), (const char *)order->bytes);
}

static ci_status place_entries(ci_torch *t, const ci_zip *zip, const char *folder, ci_error *err) {
  for (size_t i = 0; i < t->storages_count; i++) {
    ci_torch_storage *s = &t->storages[i];
    char name[sizeof s->key + 8] = "data/";
    memcpy(name + 5, s->key, strlen(s->key) + 1);
    const ci_zip_entry *e = find_entry(zip, folder, name);
    if (!e)
      return ci_fail(err, CI_EFILE, t->file, "has no entry %s%s for a storage that its pickle uses", folder, name);
    size_t wanted = s->count * ci_dtype_size(s->type);
    if (e->length != wanted)
      return ci_fail(err, CI_EFILE, t->file, "has %zu bytes in %s%s, expected %zu for %zu elements of type %s",
                     e->length, folder, name, wanted, s->count, ci_dtype_name(s->type));
    ci_status status = place_storage(t, s, e->bytes, err);
    if (status) return status;
  }
  return CI_OK;
}

static ci_status read_folder(ci_torch *t, const ci_zip *zip, ci_error *err) {
  char folder[LONGEST_FOLDER];
  size_t used;
  ci_status status = find_folder(t->file, zip, folder, err);
  if (!status) status = check_order(t->file, zip, folder, err);
  if (status) return status;
  const ci_zip_entry *pickle = find_entry(zip, folder, "data.pkl"); /* by which the folder was found */
  status = ci_torch_read(t, pickle->bytes, pickle->length, &used, err);
  if (!status) status = place_entries(t, zip, folder, err);
  return status;
}

static ci_status read_zip(ci_torch *t, const uint8_t *bytes, size_t length, ci_error *err) {
  ci_zip zip;
  ci_status status = ci_zip_open(t->file, bytes, length, &zip, err);
  if (!status) status = read_folder(t, &zip, err);
  ci_zip_close(&zip);
  return status;
}

/* ---- legacy ---- */

typedef struct {
  const uint8_t *bytes;
  size_t length, at;
} stream;

static ci_status next_pickle(const ci_torch *t, stream *s, ci_pickle **pickle, ci_error *err) {
  size_t used;
  ci_status status = ci_pickle_open(t->file, s->bytes + s->at, s->length - s->at, NULL, 0, pickle, &used, err);
  if (!status) s->at += used;
  return status;
}

static ci_status read_head(const ci_torch *t, stream *s, ci_error *err) {
  s->at = sizeof MAGIC;
  ci_pickle *pickle;
  ci_status status = next_pickle(t, s, &pickle, err);
  if (status) return status;
  const ci_pickle_value *root = ci_pickle_root(pickle);
  if (root->kind != CI_PICKLE_INT || root->integer != PROTOCOL)
    status = ci_fail(err, CI_EFILE, t->file, "has another protocol number than torch.save's %d", PROTOCOL);
  ci_pickle_close(pickle);
  if (status) return status;
  status = next_pickle(t, s, &pickle, err); /* sizes of C types on the machine that wrote it: of no use */
  ci_pickle_close(pickle);
  return status;
}

static ci_status place_next(ci_torch *t, stream *s, const ci_pickle_value *key, ci_error *err) {
  ci_torch_storage *storage = ci_torch_find(t, key);
  if (!storage)
    return ci_fail(err, CI_EFILE, t->file, "lists the storage \"%.*s\", which its pickle does not use",
                   key->kind == CI_PICKLE_TEXT && key->length < 100 ? (int)key->length : 0, key->text);
  if (storage->data) return ci_fail(err, CI_EFILE, t->file, "lists the storage \"%s\" twice", storage->key);
  size_t size = ci_dtype_size(storage->type), room = s->length - s->at;
  uint64_t count = 0;
  if (room >= COUNT_BYTES)
    for (int i = 0; i < COUNT_BYTES; i++) count |= (uint64_t)s->bytes[s->at + (size_t)i] << (8 * i);
  if (room < COUNT_BYTES || storage->count > (room - COUNT_BYTES) / size)
    return ci_fail(err, CI_EFILE, t->file, "is truncated: %zu bytes are left at byte %zu for %zu elements of type %s",
                   room, s->at, storage->count, ci_dtype_name(storage->type));
  if (count != storage->count)
    return ci_fail(err, CI_EFILE, t->file, "has %llu elements in the storage \"%s\", expected %zu",
                   (unsigned long long)count, storage->key, storage->count);
  const uint8_t *bytes = s->bytes + s->at + COUNT_BYTES;
  s->at += COUNT_BYTES + storage->count * size;
  return place_storage(t, storage, bytes, err);
}

static ci_status place_stream(ci_torch *t, stream *s, ci_error *err) {
  ci_pickle *keys;
  ci_status status = next_pickle(t, s, &keys, err);
  if (status) return status;
  const ci_pickle_value *list = ci_pickle_root(keys), *key;
  if (list->kind != CI_PICKLE_LIST)
    status = ci_fail(err, CI_EFILE, t->file, "has %s where the list of storages is expected",
                     ci_pickle_kind_name(list->kind));
  uint32_t cursor = 0;
  while (!status && ci_pickle_next(keys, list, &cursor, NULL, &key)) status = place_next(t, s, key, err);
  ci_pickle_close(keys);
  return status;
}

static ci_status read_legacy(ci_torch *t, const uint8_t *bytes, size_t length, ci_error *err) {
  stream s = {bytes, length, 0};
  ci_status status = read_head(t, &s, err);
  if (status) return status;
  size_t used;
  status = ci_torch_read(t, bytes + s.at, length - s.at, &used, err);
  if (status) return status;
  s.at += used;
  return place_stream(t, &s, err);
}

/* ---- either ---- */

static ci_status read_either(ci_torch *t, const uint8_t *bytes, size_t length, ci_error *err) {
  if (length >= 4 && memcmp(bytes, "PK\3\4", 4) == 0) return read_zip(t, bytes, length, err);
  if (length >= sizeof MAGIC && memcmp(bytes, MAGIC, sizeof MAGIC) == 0) return read_legacy(t, bytes, length, err);
  if (length >= sizeof POINTER - 1 && memcmp(bytes, POINTER, sizeof POINTER - 1) == 0)
    return ci_fail(err, CI_EFILE, t->file, "is the pointer that git keeps in place of the file: run git lfs pull");
  return ci_fail(err, CI_EFILE, t->file, "starts like neither of the files that torch.save writes (%zu bytes)", length);
}

ci_status ci_torch_parse(const char *file, const uint8_t *bytes, size_t length, ci_tensors *tensors, ci_error *err) {
  ci_torch t = {.file = file, .tensors = tensors, .length = length, .positions = json_object()};
  ci_status status = t.positions ? read_either(&t, bytes, length, err) : ci_fail_memory(err);
  if (!status) status = ci_torch_build(&t, err);
  ci_pickle_close(t.pickle);
  ci_free(t.storages);
  json_decref(t.positions);
  return status;
}

const ci_layout ci_torch_layout = {"pytorch_model.bin", "pytorch_model.bin.index.json", ci_torch_parse};

bool ci_torch_applies(const ci_checkpoint *checkpoint) {
  return ci_layout_applies(&ci_torch_layout, checkpoint->folder);
}

ci_status ci_torch_open(const ci_checkpoint *checkpoint, ci_tensors *tensors, ci_error *err) {
  return ci_layout_open(&ci_torch_layout, checkpoint->folder, tensors, err);
}
