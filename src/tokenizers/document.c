/* See document.h. */
#include "tokenizers/document.h"
#include "base/text.h"
#include <string.h>

ci_scan ci_document_scan(const ci_document *d, ci_extent member) {
  return (ci_scan){d->path, (const char *)d->file.bytes, d->file.length, member.begin};
}

static ci_status locate(ci_document *d, ci_error *err) {
  static const char *const names[] = {"vocab", "merges"};
  ci_scan scan = ci_document_scan(d, (ci_extent){0, 0});
  ci_extent found[2];
  ci_status status = ci_scan_locate(&scan, "model", names, 2, found, err);
  for (int i = 0; i < 2 && !status; i++)
    if (found[i].end < found[i].begin + 2 || !strchr("[{", scan.bytes[found[i].begin])) found[i] = (ci_extent){0, 0};
  if (status) return status;
  d->vocab = found[0];
  d->merges = found[1];
  return CI_OK;
}

/* Jansson reads the file without the insides of the two long members; when it finds a fault it reads it again with
 * blanks in their place, so that the byte it names is the file's. */
static ci_status parse_rest(ci_document *d, bool blank, ci_error *err) {
  const char *bytes = (const char *)d->file.bytes;
  const ci_extent *first = d->vocab.begin <= d->merges.begin ? &d->vocab : &d->merges;
  const ci_extent *long_members[2] = {first, first == &d->vocab ? &d->merges : &d->vocab};
  ci_text text = {0};
  size_t done = 0;
  for (int i = 0; i < 2; i++) {
    if (!long_members[i]->end) continue;
    size_t from = long_members[i]->begin + 1, to = long_members[i]->end - 1;
    ci_text_add_n(&text, bytes + done, from - done);
    for (size_t k = from; blank && k < to; k++) ci_text_add_n(&text, " ", 1);
    done = to;
  }
  ci_text_add_n(&text, bytes + done, d->file.length - done);
  ci_status status = text.failed ? ci_fail_memory(err) : ci_json_parse(d->path, text.data, text.length, &d->rest, err);
  ci_text_free(&text);
  if (status && !blank) return parse_rest(d, true, err);
  if (!status && !json_is_object(d->rest)) return ci_fail(err, CI_EFILE, d->path, "is not an object");
  return status;
}

static ci_status read_members(ci_document *d, ci_error *err) {
  ci_status status = locate(d, err);
  size_t rest = d->file.length - (d->vocab.end - d->vocab.begin) - (d->merges.end - d->merges.begin);
  if (!status && rest > CI_LARGEST_JSON)
    return ci_fail(err, CI_EFILE, d->path, "has %zu bytes beside its vocabulary, expected at most %d", rest,
                   CI_LARGEST_JSON);
  return status ? status : parse_rest(d, false, err);
}

ci_status ci_document_open(ci_document *d, const char *path, ci_error *err) {
  d->path = path;
  ci_status status = ci_map_file(path, &d->file, err);
  return status ? status : read_members(d, err);
}

ci_status ci_document_read(ci_document *d, const char *path, const char *bytes, size_t length, ci_error *err) {
  d->path = path;
  d->file = (ci_mapping){(const uint8_t *)bytes, length};
  d->borrowed = true;
  return read_members(d, err);
}

void ci_document_close(ci_document *d) {
  if (!d->borrowed) ci_unmap_file(&d->file);
  json_decref(d->rest);
}

const json_t *ci_document_model(const ci_document *d) {
  const json_t *model = json_object_get(d->rest, "model");
  return json_is_object(model) ? model : NULL;
}
