/* Zip files whose entries are stored uncompressed (PKWARE APPNOTE 6.3, sections 4.3.6 to 4.3.16 and 4.5.3).
 *
 *   [local header, name, extra, bytes] ...   the entries
 *   [central header, name, extra, comment] ...   the directory
 *   zip64 end of directory, its locator   when a number is too large for 32 bits, or always
 *   end of directory
 *
 * Sizes and places are taken from the directory: a local header may leave them to a descriptor behind the bytes. */
#include "formats/zip.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum {
  LOCAL_SIZE = 30,
  CENTRAL_SIZE = 46,
  END_SIZE = 22,
  END64_SIZE = 56,
  LOCATOR_SIZE = 20,
  LARGEST_COMMENT = 65535,
  ENCRYPTED = 1,
  ZIP64_EXTRA = 1,
};

typedef struct {
  const char *file;
  const uint8_t *bytes;
  size_t length;
} source;

typedef struct {
  uint64_t count, size, start; /* of the directory */
} directory;

static uint64_t number(const uint8_t *bytes, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; i++) value |= (uint64_t)bytes[i] << (8 * i);
  return value;
}

static bool signed_as(const uint8_t *bytes, uint8_t third, uint8_t fourth) {
  return bytes[0] == 'P' && bytes[1] == 'K' && bytes[2] == third && bytes[3] == fourth;
}

/* The end record is found from the end of the file: only a comment may follow it. */
static const uint8_t *find_end(const source *s) {
  for (size_t comment = 0; comment <= LARGEST_COMMENT && comment + END_SIZE <= s->length; comment++) {
    const uint8_t *end = s->bytes + s->length - END_SIZE - comment;
    if (signed_as(end, 5, 6) && number(end + 20, 2) == comment) return end;
  }
  return NULL;
}

static ci_status find_directory(const source *s, directory *d, ci_error *err) {
  const uint8_t *end = find_end(s);
  if (!end) return ci_fail(err, CI_EFILE, s->file, "is a zip file without a directory at its end: truncated?");
  *d = (directory){number(end + 10, 2), number(end + 12, 4), number(end + 16, 4)};
  size_t limit = (size_t)(end - s->bytes);
  if (limit >= LOCATOR_SIZE && signed_as(end - LOCATOR_SIZE, 6, 7)) {
    uint64_t at = number(end - LOCATOR_SIZE + 8, 8);
    if (limit < LOCATOR_SIZE + END64_SIZE || at > limit - LOCATOR_SIZE - END64_SIZE || !signed_as(s->bytes + at, 6, 6))
      return ci_fail(err, CI_EFILE, s->file, "is a zip file without its zip64 directory at byte %llu",
                     (unsigned long long)at);
    limit = (size_t)at;
    *d = (directory){number(s->bytes + at + 32, 8), number(s->bytes + at + 40, 8), number(s->bytes + at + 48, 8)};
  }
  if (d->start > limit || d->size > limit - d->start || d->count > d->size / CENTRAL_SIZE)
    return ci_fail(err, CI_EFILE, s->file,
                   "is a zip file of %zu bytes whose directory of %llu entries claims %llu bytes from byte %llu",
                   s->length, (unsigned long long)d->count, (unsigned long long)d->size, (unsigned long long)d->start);
  return CI_OK;
}

/* The zip64 extra field holds, in this order, those of size, stored size and place that do not fit into 32 bits. */
static bool read_extra(const uint8_t *extra, size_t length, uint64_t *numbers[3]) {
  bool wanted = false;
  for (int i = 0; i < 3; i++) wanted |= *numbers[i] == UINT32_MAX;
  while (wanted && length >= 4) {
    size_t field = (size_t)number(extra + 2, 2);
    if (field > length - 4) return false;
    if (number(extra, 2) == ZIP64_EXTRA) {
      size_t at = 4;
      for (int i = 0; i < 3; i++) {
        if (*numbers[i] != UINT32_MAX) continue;
        if (at + 8 > 4 + field) return false;
        *numbers[i] = number(extra + at, 8);
        at += 8;
      }
      return true;
    }
    extra += 4 + field;
    length -= 4 + field;
  }
  return !wanted;
}

static ci_status bad_entry(const source *s, const ci_zip_entry *e, ci_error *err, const char *problem) {
  return ci_fail(err, CI_EFILE, s->file, "zip entry \"%.*s\" %s", (int)e->name_length, e->name, problem);
}

/* From the local header at `place` to the bytes behind it; all of it lies before the directory. */
static ci_status locate(const source *s, const directory *d, uint64_t place, uint64_t size, ci_zip_entry *e,
                        ci_error *err) {
  if (place > d->start || d->start - place < LOCAL_SIZE || !signed_as(s->bytes + place, 3, 4))
    return bad_entry(s, e, err, "has no header where the directory says");
  const uint8_t *local = s->bytes + place;
  uint64_t name = number(local + 26, 2), before = LOCAL_SIZE + name + number(local + 28, 2);
  uint64_t room = d->start - place;
  if (before > room || size > room - before)
    return ci_fail(err, CI_EFILE, s->file, "zip entry \"%.*s\" has %llu bytes at byte %llu, out of range",
                   (int)e->name_length, e->name, (unsigned long long)size, (unsigned long long)place);
  if (name != e->name_length || memcmp(local + LOCAL_SIZE, e->name, e->name_length) != 0)
    return bad_entry(s, e, err, "has another name in its own header");
  e->bytes = local + before;
  e->length = (size_t)size;
  return CI_OK;
}

/* One central header at bytes[*at..end). */
static ci_status read_entry(const source *s, const directory *d, size_t *at, ci_zip_entry *e, ci_error *err) {
  const uint8_t *central = s->bytes + *at;
  size_t room = (size_t)(d->start + d->size) - *at;
  if (room < CENTRAL_SIZE || !signed_as(central, 1, 2))
    return ci_fail(err, CI_EFILE, s->file, "is a zip file with a broken directory at byte %zu", *at);
  size_t name = (size_t)number(central + 28, 2), extra = (size_t)number(central + 30, 2);
  size_t whole = CENTRAL_SIZE + name + extra + (size_t)number(central + 32, 2);
  if (whole > room) return ci_fail(err, CI_EFILE, s->file, "is a zip file with a broken directory at byte %zu", *at);
  *e = (ci_zip_entry){.name = (const char *)central + CENTRAL_SIZE, .name_length = name};
  uint64_t stored = number(central + 20, 4), size = number(central + 24, 4), place = number(central + 42, 4);
  if (number(central + 8, 2) & ENCRYPTED) return bad_entry(s, e, err, "is encrypted");
  if (number(central + 10, 2) != 0)
    return ci_fail(err, CI_EFILE, s->file,
                   "zip entry \"%.*s\" is compressed (method %d), expected it stored as torch.save does", (int)name,
                   e->name, (int)number(central + 10, 2));
  if (!read_extra(central + CENTRAL_SIZE + name, extra, (uint64_t *[]){&size, &stored, &place}) || size != stored)
    return bad_entry(s, e, err, "has no size");
  *at += whole;
  return locate(s, d, place, size, e, err);
}

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length) {
  int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
  return order ? order : a_length < b_length ? -1 : a_length > b_length;
}

static int by_name(const void *a, const void *b) {
  const ci_zip_entry *x = a, *y = b;
  return compare_names(x->name, x->name_length, y->name, y->name_length);
}

static ci_status read_entries(const source *s, const directory *d, ci_zip *zip, ci_error *err) {
  size_t at = (size_t)d->start;
  for (size_t i = 0; i < (size_t)d->count; i++) {
    ci_status status = read_entry(s, d, &at, &zip->entries[i], err);
    if (status) return status;
  }
  zip->count = (size_t)d->count;
  if (zip->count) qsort(zip->entries, zip->count, sizeof *zip->entries, by_name);
  for (size_t i = 1; i < zip->count; i++)
    if (by_name(&zip->entries[i - 1], &zip->entries[i]) == 0)
      return bad_entry(s, &zip->entries[i], err, "is there twice");
  return CI_OK;
}

ci_status ci_zip_open(const char *file, const uint8_t *bytes, size_t length, ci_zip *zip, ci_error *err) {
  *zip = (ci_zip){0};
  source s = {file, bytes, length};
  directory d = {0};
  ci_status status = find_directory(&s, &d, err);
  if (status) return status;
  zip->entries = ci_alloc((size_t)d.count, sizeof *zip->entries);
  if (!zip->entries) return ci_fail_memory(err);
  status = read_entries(&s, &d, zip, err);
  if (status) ci_zip_close(zip);
  return status;
}

void ci_zip_close(ci_zip *zip) {
  ci_free(zip->entries);
  *zip = (ci_zip){0};
}

const ci_zip_entry *ci_zip_find(const ci_zip *zip, const char *name) {
  size_t length = strlen(name), low = 0, high = zip->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const ci_zip_entry *e = &zip->entries[middle];
    int order = compare_names(name, length, e->name, e->name_length);
    if (order == 0) return e;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return NULL;
}
