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

/* The text of a stream (NULL: errno says why it could not be opened) without a byte order mark; *code after a message.
 */
static char *read_text(const cli_command *command, const char *flag, const char *path, FILE *in, const char *hint,
                       int *code) {
  size_t length = 0;
  char *bytes = in ? read_stream(in, &length) : NULL;
  *code = bytes ? CLI_OK : CLI_FAILURE;
  if (!bytes) {
    fprintf(stderr, "cinseq %s: %s: cannot read %s: %s%s\n", command->id, flag, path, strerror(errno), in ? "" : hint);
    return NULL;
  }
  if (memchr(bytes, 0, length)) {
    fprintf(stderr, "cinseq %s: %s: %s is no text in UTF-8: it holds a zero byte\n", command->id, flag, path);
    *code = CLI_FAILURE;
    free(bytes);
    return NULL;
  }
  size_t mark = length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  memmove(bytes, bytes + mark, length - mark);
  bytes[length - mark] = 0;
  return bytes;
}

char *cli_read_file(const cli_command *command, const char *flag, const char *path, int *code) {
  FILE *in = fopen(path, "rb");
  char *text = read_text(command, flag, path, in, "", code);
  if (in) fclose(in);
  return text;
}

/* Returns the number of the first line that is not UTF-8, counted from 1, or 0: another encoding would be attributed
 * without a word about it. */
static size_t add_lines(char *text, json_t *texts) {
  size_t number = 0, length = strlen(text);
  while (length && strchr("\r\n", text[length - 1])) length--;
  text[length] = 0;
  for (size_t at = 0; at < length;) {
    size_t n = strcspn(text + at, "\n"), end = at + n;
    text[end] = 0;
    if (n && text[end - 1] == '\r') text[end - 1] = 0;
    number++;
    if (json_array_append_new(texts, json_string(text + at))) return number;
    at = end + 1;
  }
  return 0;
}

static int read_lines(const cli_command *command, const char *flag, const char *path, FILE *in, json_t *texts) {
  size_t before = json_array_size(texts);
  int code;
  char *text = read_text(command, flag, path, in, " (a text that begins with @ is written @@...)", &code);
  if (!text) return code;
  size_t bad = add_lines(text, texts);
  if (bad) {
    fprintf(stderr, "cinseq %s: %s: line %zu of %s is not UTF-8 (iconv -f gb18030 -t utf-8 converts Chinese texts)\n",
            command->id, flag, bad, path);
    code = CLI_FAILURE;
  } else if (json_array_size(texts) == before)
    code = cli_usage_error(command, "%s: %s holds no text", flag, path);
  free(text);
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
