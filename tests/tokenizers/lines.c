/* Tokenizes the lines of standard input with the tokenizer of a folder, for comparison with other implementations:
 * tokenizer_lines FOLDER [repeat]. A line of output: the ids, a tab, and the text decoded from them as a JSON string.
 * The time goes to standard error. "\n" in a line is written as \n, a backslash as \\. */
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* the machine may have other work */
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t unescape(char *line, size_t length) {
  size_t kept = 0;
  for (size_t i = 0; i < length; i++) {
    bool escape = line[i] == '\\' && i + 1 < length;
    if (escape) i++;
    line[kept++] = escape && line[i] == 'n' ? '\n' : escape && line[i] == 'r' ? '\r' : line[i];
  }
  return kept;
}

static void show(const ci_tokenizer *t, const ci_ids *ids) {
  ci_error err = {0};
  ci_text text = {0};
  for (size_t i = 0; i < ids->count; i++) printf(i ? " %d" : "%d", ids->items[i]);
  ci_status status = ci_tokenizer_decode(t, ids->items, ids->count, false, &text, &err);
  json_t *string = json_stringn(status || !text.data ? "" : text.data, status ? 0 : text.length);
  char *quoted = json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
  printf("\t%s\n", quoted ? quoted : err.message);
  free(quoted);
  json_decref(string);
  ci_text_free(&text);
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: tokenizer_lines FOLDER [repeat] < LINES\n"), 2;
  ci_error err = {0};
  ci_tokenizer *t;
  json_t *config;
  char *path = ci_join_path(argv[1], "config.json");
  if (!path || ci_json_read_file_if_there(path, &config, &err)) return fprintf(stderr, "%s\n", err.message), 1;
  double start = now();
  if (ci_tokenizer_open(argv[1], config, NULL, &t, &err)) return fprintf(stderr, "%s: %s\n", err.where, err.message), 1;
  double opened = now() - start, encoding = 0;
  int repeat = argc > 2 ? atoi(argv[2]) : 1, status = 0;
  char *line = NULL;
  size_t capacity = 0;
  ssize_t length;
  while ((length = getline(&line, &capacity, stdin)) > 0 && !status) {
    size_t n = unescape(line, (size_t)length - (line[length - 1] == '\n'));
    ci_ids ids = {0};
    start = now();
    for (int i = 0; i < repeat && !status; i++) {
      ids.count = 0;
      status = ci_tokenizer_encode(t, line, n, CI_ENCODE_SPECIAL, &ids, &err) != CI_OK;
    }
    encoding += now() - start;
    if (status) {
      printf("error: %s\n", err.message);
      status = 0;
    } else {
      show(t, &ids);
    }
    ci_ids_free(&ids);
  }
  fprintf(stderr, "{\"open\": %.4f, \"encode\": %.4f}\n", opened, encoding / repeat);
  free(line);
  ci_free(path);
  json_decref(config);
  ci_tokenizer_close(t);
  return 0;
}
