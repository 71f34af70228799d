/* See merges.h. */
#include "tokenizers/merges.h"
#include "base/file.h"
#include "base/memory.h"
#include <string.h>

static bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The words of [at, end). */
static size_t split(const char *at, const char *end, ci_piece words[2]) {
  size_t count = 0;
  while (at < end) {
    while (at < end && is_blank(*at)) at++;
    if (at == end) break;
    const char *start = at;
    while (at < end && !is_blank(*at)) at++;
    if (count < 2) words[count] = (ci_piece){start, (size_t)(at - start)};
    count++;
  }
  return count;
}

ci_status ci_read_merges(const char *folder, bool heading, ci_take_merge *take, void *context, ci_error *err) {
  char *path = ci_join_path(folder, "merges.txt");
  ci_mapping file;
  ci_status status = path ? ci_map_file(path, &file, err) : ci_fail_memory(err);
  if (status) return ci_free(path), status;
  const char *bytes = (const char *)file.bytes;
  if (file.length && !ci_utf8_valid(bytes, file.length)) status = ci_fail(err, CI_EFILE, path, "is not UTF-8");
  size_t line = 1;
  for (size_t at = 0; at < file.length && !status; line++) {
    const char *end = memchr(bytes + at, '\n', file.length - at);
    if (!end) break;
    ci_piece words[2] = {0};
    size_t count = split(bytes + at, end, words);
    if (line > 1 || !heading) status = take(context, path, line, words, count, err);
    at = (size_t)(end - bytes) + 1;
  }
  ci_unmap_file(&file);
  ci_free(path);
  return status;
}

static ci_status take_merge(void *context, const char *where, size_t line, const ci_piece words[2], size_t count,
                            ci_error *err) {
  if (count != 2) return ci_fail(err, CI_EFILE, where, "line %zu has %zu words, expected 2", line, count);
  return ci_bpe_add_merge(context, where, words[0].text, words[0].length, words[1].text, words[1].length, false, err);
}

ci_status ci_read_gpt_merges(const char *folder, ci_bpe *bpe, ci_error *err) {
  return ci_read_merges(folder, true, take_merge, bpe, err);
}
