/* What libsentencepiece takes on trust in a model file, checked before it gets the file.
 *
 * A file is a protobuf message (sentencepiece_model.proto); its normalizer_spec (3) and denormalizer_spec (5) hold
 * rules as precompiled_charsmap (2), which normalizer.cc reads without looking at its borders:
 *
 *   u32 bytes of the trie   trie: a double array of u32 units (darts-clone)   texts, each with a 0 behind it
 *
 * A rule's key is a path through the trie, the value at its end a place among the texts. From a unit u its children
 * stand at (u's number ^ offset(u)) ^ byte, each with its byte as label. So it must hold that no path leaves the array,
 * that every value lies within the texts, and that no key has more than 32 others as prefixes (the library's array). */
#include "base/memory.h"
#include "tokenizers/sentencepiece.h"
#include <string.h>

enum {
  NORMALIZER = 3,
  DENORMALIZER = 5,
  CHARSMAP = 2,
  MOST_PREFIXES = 32, /* kMaxTrieResultsSize */
  LONGEST_KEY = 256,
  LONGEST_TEXT = 1024, /* NFKC's longest has 33 bytes; a text must not grow without end */
};

typedef struct {
  const uint8_t *at, *end;
} span;

typedef struct {
  const uint8_t *units, *texts;
  size_t unit_count, text_length;
  uint8_t *deepest; /* by place: 0 not seen, OPEN on the path, else 1 + the most keys on a path from there */
} rules;

enum { OPEN = 255 };

/* ---- protobuf ---- */

static bool read_varint(span *s, int most, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < most && s->at < s->end; i++) {
    uint8_t byte = *s->at++;
    *value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return true;
  }
  return false;
}

/* One field: its number, and its bytes if it is of the kind that has a length. Groups do not occur in these files. */
static bool read_field(span *s, uint64_t *number, bool *sized, span *content) {
  uint64_t tag, value;
  if (!read_varint(s, 5, &tag)) return false;
  *number = tag >> 3;
  *sized = (tag & 7) == 2;
  size_t skipped = 0;
  switch (tag & 7) {
  case 0:
    return read_varint(s, 10, &value);
  case 1:
    skipped = 8;
    break;
  case 2:
    if (!read_varint(s, 5, &value)) return false;
    skipped = (size_t)value;
    break;
  case 5:
    skipped = 4;
    break;
  default:
    return false;
  }
  if (skipped > (size_t)(s->end - s->at)) return false;
  *content = (span){s->at, s->at + skipped};
  s->at += skipped;
  return true;
}

/* ---- rules ---- */

static uint32_t unit_at(const rules *r, size_t place) {
  uint32_t unit;
  memcpy(&unit, r->units + place * sizeof unit, sizeof unit);
  return unit;
}

static uint32_t label(uint32_t unit) {
  return unit & 0x800000ffu; /* a value has the upper bit and is no byte's */
}

static size_t children_of(uint32_t unit, size_t place) {
  return place ^ ((size_t)(unit >> 10) << ((unit & 0x200u) >> 6));
}

/* Whether the unit ends a key, and then whether its value is a place among the texts. */
static bool ends_key(const rules *r, uint32_t unit, size_t children, bool *good) {
  if (!(unit >> 8 & 1)) return false;
  *good = children < r->unit_count && (unit_at(r, children) & 0x7fffffffu) < r->text_length;
  return true;
}

/* Follows every path from the children at `place` (a block of 256 units holds them all). */
static bool follow(rules *r, size_t place, int depth) {
  if ((place | 0xff) >= r->unit_count || depth > LONGEST_KEY) return false;
  if (r->deepest[place]) return r->deepest[place] != OPEN;
  r->deepest[place] = OPEN;
  int most = 0;
  for (size_t byte = 0; byte < 256; byte++) {
    uint32_t unit = unit_at(r, place ^ byte);
    if (label(unit) != byte) continue;
    size_t children = children_of(unit, place ^ byte);
    bool good = true;
    int keys = ends_key(r, unit, children, &good);
    if (!good || !follow(r, children, depth + 1)) return false;
    keys += r->deepest[children] - 1;
    if (keys > most) most = keys;
  }
  if (most > MOST_PREFIXES) return false;
  r->deepest[place] = (uint8_t)(most + 1);
  return true;
}

static bool texts_are_short(const rules *r) {
  if (!r->text_length || r->texts[r->text_length - 1]) return false;
  for (const uint8_t *at = r->texts, *end = r->texts + r->text_length; at < end;) {
    const uint8_t *stop = memchr(at, 0, (size_t)(end - at));
    if (stop - at > LONGEST_TEXT) return false;
    at = stop + 1;
  }
  return true;
}

static ci_status check_rules(const char *path, span map, ci_error *err) {
  size_t length = (size_t)(map.end - map.at);
  if (!length) return CI_OK; /* no rules */
  uint32_t trie = 0;
  if (length > sizeof trie) memcpy(&trie, map.at, sizeof trie);
  bool good = length > sizeof trie && trie >= 4 && trie % 4 == 0 && trie < length - sizeof trie;
  if (good) {
    const uint8_t *units = map.at + sizeof trie;
    rules r = {units, units + trie, trie / 4, length - sizeof trie - trie, ci_alloc_zeroed(trie / 4, 1)};
    if (!r.deepest) return ci_fail_memory(err);
    good = texts_are_short(&r) && follow(&r, children_of(unit_at(&r, 0), 0), 0);
    ci_free(r.deepest);
  }
  return good ? CI_OK
              : ci_fail(err, CI_EFILE, path,
                        "is not a SentencePiece model: its normalization rules (precompiled_charsmap) are broken");
}

static ci_status check_spec(const char *path, span spec, ci_error *err) {
  ci_status status = CI_OK;
  while (spec.at < spec.end && !status) {
    uint64_t number;
    bool sized;
    span content;
    if (!read_field(&spec, &number, &sized, &content))
      return ci_fail(err, CI_EFILE, path, "is not a SentencePiece model");
    if (sized && number == CHARSMAP) status = check_rules(path, content, err);
  }
  return status;
}

ci_status ci_spm_check(const char *path, const uint8_t *bytes, size_t length, ci_error *err) {
  if (!length) return ci_fail(err, CI_EFILE, path, "is not a SentencePiece model: it is empty");
  ci_status status = CI_OK;
  span file = {bytes, bytes + length};
  while (file.at < file.end && !status) {
    uint64_t number;
    bool sized;
    span content;
    if (!read_field(&file, &number, &sized, &content))
      return ci_fail(err, CI_EFILE, path, "is not a SentencePiece model: no protobuf message from byte %zu on",
                     (size_t)(file.at - bytes));
    if (sized && (number == NORMALIZER || number == DENORMALIZER)) status = check_spec(path, content, err);
  }
  return status;
}
