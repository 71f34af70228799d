/* Texts of the command line: as they stand, or the lines of a file or of stdin.
 *
 *   -i "a text" @inputs.txt -      @FILE: a text a line; - and @-: the same of stdin; @@text is the text "@text"
 *
 * An empty line is an empty text, so that texts keep the numbers of their lines; only empty lines at the end, which
 * editors leave behind, are none. A carriage return before a newline and a byte order mark belong to no text. */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 30 };

/* The whole stream, one byte longer than *length; NULL with errno. */
static char *read_stream(FILE *in, size_t *length) {
  char *bytes = NULL;
  for (size_t room = 1 << 16;; room *= 2) {
    char *grown = room <= MOST_BYTES ? realloc(bytes, room + 1) : NULL;
    if (!grown) {
      if (room > MOST_BYTES) errno = EFBIG;
      break;
    }
    bytes = grown;
    *length += fread(bytes + *length, 1, room - *length, in);
    if (ferror(in)) break;
    if (*length < room) return bytes;
  }
  free(bytes);
  return NULL;
}

/* The lines of bytes[0..length), from `from` on. Returns the number of the first that is not UTF-8, counted from 1, or
 * 0: another encoding would be attributed without a word about it. */
static size_t add_lines(char *bytes, size_t from, size_t length, json_t *texts) {
  size_t number = 0;
  while (length > from && strchr("\r\n", bytes[length - 1])) length--;
  bytes[length] = 0;
  for (size_t at = from; at < length;) {
    size_t n = strcspn(bytes + at, "\n"), end = at + n;
    bytes[end] = 0;
    if (n && bytes[end - 1] == '\r') bytes[end - 1] = 0;
    number++;
    if (json_array_append_new(texts, json_string(bytes + at))) return number;
    at = end + 1;
  }
  return 0;
}

static int read_lines(const cli_command *command, const char *flag, const char *path, FILE *in, json_t *texts) {
  size_t length = 0, before = json_array_size(texts);
  char *bytes = in ? read_stream(in, &length) : NULL;
  if (!bytes) {
    fprintf(stderr, "cinseq %s: %s: cannot read %s: %s%s\n", command->id, flag, path, strerror(errno),
            in ? "" : " (a text that begins with @ is written @@...)");
    return CLI_FAILURE;
  }
  int code = CLI_OK;
  if (memchr(bytes, 0, length)) {
    fprintf(stderr, "cinseq %s: %s: %s is no text in UTF-8: it holds a zero byte\n", command->id, flag, path);
    code = CLI_FAILURE;
  } else {
    bool marked = length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0;
    size_t bad = add_lines(bytes, marked ? 3 : 0, length, texts);
    if (bad) {
      fprintf(stderr, "cinseq %s: %s: line %zu of %s is not UTF-8 (iconv -f gb18030 -t utf-8 converts Chinese texts)\n",
              command->id, flag, bad, path);
      code = CLI_FAILURE;
    } else if (json_array_size(texts) == before)
      code = cli_usage_error(command, "%s: %s holds no text", flag, path);
  }
  free(bytes);
  return code;
}

static int read_stdin(const cli_command *command, const char *flag, json_t *texts) {
  if (feof(stdin)) return cli_usage_error(command, "%s: stdin was read already", flag);
  return read_lines(command, flag, "stdin", stdin, texts);
}

int cli_read_texts(const cli_command *command, const char *flag, const char *word, json_t *texts) {
  if (strcmp(word, "-") == 0 || strcmp(word, "@-") == 0) return read_stdin(command, flag, texts);
  if (word[0] != '@' || word[1] == '@') {
    json_array_append_new(texts, cli_string(word + (word[0] == '@')));
    return CLI_OK;
  }
  FILE *in = fopen(word + 1, "rb");
  int code = read_lines(command, flag, word + 1, in, texts);
  if (in) fclose(in);
  return code;
}
