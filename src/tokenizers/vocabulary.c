/* See vocabulary.h. */
#include "tokenizers/vocabulary.h"
#include "base/memory.h"
#include <stdio.h>
#include <string.h>

enum { LARGEST_ID = (1 << 24) - 1, FIRST_SLOTS = 1024 };

/* FNV-1a with a final mix: the low bits choose the slot. */
static uint32_t hash_of(const char *text, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
  return hash ^ hash >> 15;
}

/* The slot that holds the text, or the free one where it belongs. */
static size_t find_slot(const ci_vocabulary *v, const char *text, size_t length, uint32_t hash) {
  size_t mask = v->slot_count - 1, slot = hash & mask;
  for (; v->slots[slot].entry; slot = (slot + 1) & mask) {
    if (v->slots[slot].hash != hash) continue;
    const ci_vocabulary_entry *e = &v->entries[v->slots[slot].entry - 1];
    if (e->length == length && memcmp(v->bytes + e->offset, text, length) == 0) break;
  }
  return slot;
}

static int grow_slots(ci_vocabulary *v, size_t wanted) {
  size_t count = v->slot_count ? v->slot_count : FIRST_SLOTS;
  while (count / 2 <= wanted) count *= 2;
  if (count == v->slot_count) return 0;
  ci_vocabulary_slot *slots = ci_alloc_zeroed(count, sizeof *slots);
  if (!slots) return -1;
  for (size_t i = 0; i < v->slot_count; i++) {
    if (!v->slots[i].entry) continue;
    size_t slot = v->slots[i].hash & (count - 1);
    while (slots[slot].entry) slot = (slot + 1) & (count - 1);
    slots[slot] = v->slots[i];
  }
  ci_free(v->slots);
  v->slots = slots;
  v->slot_count = count;
  return 0;
}

static int set_id(ci_vocabulary *v, size_t entry, int32_t id) {
  size_t wanted = (size_t)id + 1;
  if (ci_reserve((void **)&v->by_id, &v->by_id_capacity, wanted, sizeof *v->by_id)) return -1;
  for (; v->limit < wanted; v->limit++) v->by_id[v->limit] = 0;
  v->by_id[id] = (uint32_t)entry + 1;
  v->entries[entry].id = id;
  return 0;
}

ci_status ci_vocabulary_add(ci_vocabulary *v, const char *where, const char *text, size_t length, int64_t id,
                            ci_error *err) {
  if (id < 0 || id > LARGEST_ID)
    return ci_fail(err, CI_EFILE, where, "token \"%.40s\" has id %lld, expected 0 to %d", text, (long long)id,
                   LARGEST_ID);
  if (length >= UINT32_MAX) return ci_fail(err, CI_EFILE, where, "has a token of %zu bytes", length);
  if (grow_slots(v, v->count + 1)) return ci_fail_memory(err);
  uint32_t hash = hash_of(text, length);
  size_t slot = find_slot(v, text, length, hash);
  if (!v->slots[slot].entry) {
    if (ci_reserve((void **)&v->entries, &v->entries_capacity, v->count + 1, sizeof *v->entries) ||
        ci_reserve((void **)&v->bytes, &v->bytes_capacity, v->used + length + 1, 1))
      return ci_fail_memory(err);
    v->entries[v->count] = (ci_vocabulary_entry){v->used, (uint32_t)length, -1};
    if (length) memcpy(v->bytes + v->used, text, length);
    v->bytes[v->used + length] = 0;
    v->used += length + 1;
    v->slots[slot] = (ci_vocabulary_slot){hash, (uint32_t)++v->count};
  }
  return set_id(v, v->slots[slot].entry - 1, (int32_t)id) ? ci_fail_memory(err) : CI_OK;
}

ci_status ci_vocabulary_add_object(ci_vocabulary *v, const char *where, const json_t *object, ci_error *err) {
  if (!json_is_object(object)) return ci_fail(err, CI_EFILE, where, "the vocabulary is not an object of token: id");
  size_t count = json_object_size(object);
  if (grow_slots(v, v->count + count) ||
      ci_reserve((void **)&v->entries, &v->entries_capacity, v->count + count, sizeof *v->entries))
    return ci_fail_memory(err);
  const char *key;
  size_t length;
  json_t *value;
  json_object_keylen_foreach((json_t *)object, key, length, value) {
    int64_t id;
    if (!ci_json_as_int(value, &id))
      return ci_fail(err, CI_EFILE, where, "the id of token \"%.40s\" is not an integer", key);
    ci_status status = ci_vocabulary_add(v, where, key, length, id, err);
    if (status) return status;
  }
  return CI_OK;
}

int32_t ci_vocabulary_id(const ci_vocabulary *v, const char *text, size_t length) {
  if (!v->count) return -1;
  uint32_t entry = v->slots[find_slot(v, text, length, hash_of(text, length))].entry;
  return entry ? v->entries[entry - 1].id : -1;
}

void ci_vocabulary_bytes(const ci_vocabulary *v, bool wanted, int32_t ids[256]) {
  for (unsigned i = 0; i < 256; i++) {
    char name[8];
    int length = snprintf(name, sizeof name, "<0x%02X>", i);
    ids[i] = wanted ? ci_vocabulary_id(v, name, (size_t)length) : -1;
  }
}

const char *ci_vocabulary_text(const ci_vocabulary *v, int32_t id, size_t *length) {
  if (id < 0 || (size_t)id >= v->limit || !v->by_id[id]) return NULL;
  const ci_vocabulary_entry *e = &v->entries[v->by_id[id] - 1];
  if (length) *length = e->length;
  return v->bytes + e->offset;
}

void ci_vocabulary_free(ci_vocabulary *v) {
  ci_free(v->bytes);
  ci_free(v->entries);
  ci_free(v->slots);
  ci_free(v->by_id);
  *v = (ci_vocabulary){0};
}
