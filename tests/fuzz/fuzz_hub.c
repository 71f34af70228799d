/* What a hub answers: headers (an input that begins with "HTTP/"), the list of a model's files, an index of shards. */
#include "base/memory.h"
#include "fuzz/fuzz.h"
#include "hub/choose.h"
#include "hub/remote.h"
#include <stdio.h>
#include <string.h>

static void read_headers(const char *bytes, size_t length) {
  ci_answer *answer = ci_alloc_zeroed(1, sizeof *answer);
  char etag[CI_ETAG_LENGTH + 1];
  int64_t first, total;
  if (!answer) return;
  for (ci_status status = CI_OK; !status && length;) {
    const char *end = memchr(bytes, '\n', length);
    size_t n = end ? (size_t)(end - bytes) + 1 : length;
    status = ci_answer_read_line(answer, "http://x", bytes, n, NULL);
    bytes += n, length -= n;
  }
  if (ci_answer_range(answer, &first, &total)) fuzz_check(first >= 0 && total >= 0, "a range is negative");
  if (ci_answer_etag(answer, etag, sizeof etag))
    fuzz_check(!strchr(etag, '/') && *etag != '.', "an etag leads elsewhere");
  fuzz_check(ci_answer_number(answer, CI_HTTP_LENGTH) >= -1, "a length is negative");
  ci_free(answer);
}

static void check_choice(const ci_choice *choice) {
  size_t i;
  const json_t *member;
  json_array_foreach(choice->files, i, member)
      fuzz_check(ci_hub_is_file(json_string_value(member)), "a file outside of the repository is chosen");
}

static void choose(const json_t *names, const char *tag) {
  ci_choice choice;
  if (!ci_choose_model("model", names, tag, &choice, NULL)) check_choice(&choice);
  ci_choice_free(&choice);
}

static void read_index(const char *bytes, size_t length) {
  ci_choice choice;
  char path[4096];
  json_t *names = json_pack("[s, s]", "a.safetensors", "b.safetensors");
  fuzz_file("index.json", bytes, length);
  snprintf(path, sizeof path, "%s/index.json", fuzz_folder());
  if (names && !ci_choose_files("model", names, names, &choice, NULL)) {
    if (!ci_choose_shards(path, names, &choice, NULL)) check_choice(&choice);
    ci_choice_free(&choice);
  }
  json_decref(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  static const char *const tags[] = {NULL, "Q4_K_M", "x.gguf"};
  const char *text = (const char *)bytes;
  char commit[CI_COMMIT_LENGTH + 1];
  json_t *names;
  if (length >= 5 && memcmp(text, "HTTP/", 5) == 0) return read_headers(text, length), 0;
  if (!ci_remote_read_list("list", text, length, commit, &names, NULL)) {
    fuzz_check(ci_hub_is_commit(commit), "a commit is none");
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) choose(names, tags[i]);
  } else {
    fuzz_check(!names, "an error leaves a list behind");
  }
  json_decref(names);
  read_index(text, length);
  return 0;
}
