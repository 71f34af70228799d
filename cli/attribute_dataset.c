/* cinseq attribute-dataset: the rows of local files as texts of an attribution, with the flags of Inseq's command. A
 * file is what its ending says, or what --dataset_name does, in the words of the datasets library:
 *
 * - csv, tsv: a header, then a row a record (RFC 4180: "a field, with ""quotes"" and line breaks"), but for blank lines;
 * - json: an object a line, or an array of objects;
 * - text: a row a line, in the field "text". */
#include "cli.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { INPUT, GENERATED, FIELDS };

/* What is read so far, and from where. */
typedef struct {
  const cli_command *command;
  const char *path, *names[FIELDS]; /* of fields; NULL: not asked for */
  json_t *texts[FIELDS];
  size_t row; /* of the file, counted from 1 */
} reader;

static const char *const flags[FIELDS] = {"--input_text_field", "--generated_text_field"};

static int fail(const reader *r, const char *problem) {
  fprintf(stderr, "cinseq %s: row %zu of %s %s\n", r->command->id, r->row, r->path, problem);
  return CLI_FAILURE;
}

/* Adds a text, which json_string refuses when it is not UTF-8. */
static int add(const reader *r, int field, const char *text) {
  return json_array_append_new(r->texts[field], json_string(text)) ? fail(r, "is not UTF-8") : CLI_OK;
}

/* Where a name first stands in an array of strings; the array's size if nowhere. */
static size_t place_of(const json_t *names, const char *name) {
  size_t i = 0, count = json_array_size(names);
  while (i < count && strcmp(json_string_value(json_array_get(names, i)), name) != 0) i++;
  return i;
}

/* Whether the fields asked for are among those that a file has; says what it has. Takes `there`. */
static int check_fields(const reader *r, json_t *there) {
  int code = CLI_OK;
  char *list = json_dumps(there, 0);
  for (int f = 0; f < FIELDS && !code; f++) {
    if (!r->names[f] && f == INPUT)
      code = cli_usage_error(r->command, "%s (-in) is needed: the fields of %s are %s", flags[f], r->path,
                             list ? list : "unknown");
    else if (r->names[f] && place_of(there, r->names[f]) == json_array_size(there))
      code = cli_usage_error(r->command, "%s: %s has no field \"%s\", but %s", flags[f], r->path, r->names[f],
                             list ? list : "others");
  }
  free(list);
  json_decref(there);
  return code;
}

/* ---- csv, tsv ---- */

/* Makes the field at *at a string, in place and without its quotes, and moves *at behind what ended it, which it
 * returns: the separator, a line break, or 0 at the end. -1: a quote is not closed. */
static int take_field(char **at, char separator, char **field) {
  char *in = *at, *out = in;
  *field = out;
  if (*in == '"') {
    for (in++; *in != '"' || *++in == '"'; in++) {
      if (!*in) return -1;
      *out++ = *in;
    }
  }
  while (*in && *in != separator && *in != '\n' && !(in[0] == '\r' && in[1] == '\n')) *out++ = *in++;
  in += *in == '\r';
  int end = (unsigned char)*in;
  *at = in + (end != 0);
  *out = 0;
  return end;
}

/* The fields of one record as an array of strings. CLI_OK, or the exit code after a message. */
static int take_record(const reader *r, char **at, char separator, json_t *record) {
  int end = (unsigned char)separator, code = CLI_OK;
  while (end == (unsigned char)separator && !code) {
    char *field;
    end = take_field(at, separator, &field);
    if (end < 0) return fail(r, "opens a quote that is not closed");
    if (json_array_append_new(record, json_string(field))) code = fail(r, "is not UTF-8");
  }
  return code;
}

static bool is_blank(const json_t *record) {
  return json_array_size(record) == 1 && json_string_length(json_array_get(record, 0)) == 0;
}

static int add_record(const reader *r, const json_t *header, const json_t *record) {
  if (json_array_size(record) != json_array_size(header)) return fail(r, "has not as many fields as the header");
  for (int f = 0; f < FIELDS; f++)
    if (r->names[f]) json_array_append(r->texts[f], json_array_get(record, place_of(header, r->names[f])));
  return CLI_OK;
}

static int read_separated(reader *r, char *text, char separator) {
  json_t *header = json_array();
  int code = take_record(r, &text, separator, header);
  if (!code) code = check_fields(r, json_incref(header));
  while (*text && !code) {
    json_t *record = json_array();
    r->row++;
    code = take_record(r, &text, separator, record);
    if (!code && is_blank(record))
      r->row--;
    else if (!code)
      code = add_record(r, header, record);
    json_decref(record);
  }
  json_decref(header);
  return code;
}

static int read_csv(reader *r, char *text) {
  return read_separated(r, text, ',');
}

static int read_tsv(reader *r, char *text) {
  return read_separated(r, text, '\t');
}

/* ---- json ---- */

static json_t *keys_of(const json_t *object) {
  json_t *names = json_array(), *value;
  const char *key;
  json_object_foreach((json_t *)object, key, value) json_array_append_new(names, json_string(key));
  return names;
}

static int add_object(reader *r, const json_t *object) {
  r->row++;
  if (!json_is_object(object)) return fail(r, "is no JSON object");
  int code = r->row == 1 ? check_fields(r, keys_of(object)) : CLI_OK;
  for (int f = 0; f < FIELDS && !code; f++) {
    const json_t *value = r->names[f] ? json_object_get(object, r->names[f]) : NULL;
    if (r->names[f])
      code = json_is_string(value) ? add(r, f, json_string_value(value)) : fail(r, "has no text in that field");
  }
  return code;
}

static int read_json(reader *r, char *text) {
  int code = CLI_OK;
  char *start = text + strspn(text, " \t\r\n");
  if (*start == '[') {
    json_error_t error;
    json_t *rows = json_loads(start, 0, &error), *row;
    size_t i;
    if (!rows) code = cli_usage_error(r->command, "%s is no JSON: line %d: %s", r->path, error.line, error.text);
    json_array_foreach(rows, i, row) if (!code) code = add_object(r, row);
    json_decref(rows);
    return code;
  }
  for (char *next; *text && !code; text = next) {
    size_t n = strcspn(text, "\n");
    next = text + n + (text[n] != 0);
    if (strspn(text, " \t\r") >= n) continue;
    json_t *row = json_loadb(text, n, 0, NULL);
    code = add_object(r, row);
    json_decref(row);
  }
  return code;
}

/* ---- text ---- */

static int read_text(reader *r, char *text) {
  int code = CLI_OK;
  if (!r->names[INPUT]) r->names[INPUT] = "text";
  code = check_fields(r, json_pack("[s]", "text"));
  for (char *next; *text && !code; text = next) {
    size_t n = strcspn(text, "\n");
    next = text + n + (text[n] != 0);
    text[n - (n && text[n - 1] == '\r')] = 0;
    text[n] = 0;
    r->row++;
    for (int f = 0; f < FIELDS && !code; f++)
      if (r->names[f]) code = add(r, f, text);
  }
  return code;
}

/* ---- files ---- */

typedef struct {
  const char *id, *endings;
  int (*read)(reader *r, char *text); /* text: [...0], may be written to */
} kind;

static const kind kinds[] = {
    {"csv", "csv", read_csv}, {"tsv", "tsv", read_tsv}, {"json", "jsonl json", read_json}, {"text", "txt", read_text}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const kind *kind_named(const char *id) {
  for (size_t i = 0; id && i < KINDS; i++)
    if (strcmp(kinds[i].id, id) == 0) return &kinds[i];
  return NULL;
}

static const kind *kind_of_file(const char *path) {
  const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
  const kind *found = NULL;
  for (size_t i = 0; dot && i < KINDS; i++) {
    json_t *endings = cli_split(kinds[i].endings, " "), *ending;
    size_t k;
    json_array_foreach(endings, k, ending) if (strcasecmp(dot + 1, json_string_value(ending)) == 0) found = &kinds[i];
    json_decref(endings);
  }
  return found;
}

static int read_file(reader *r, const kind *as, const char *path, const char *flag) {
  r->path = path;
  r->row = 0;
  if (!as) as = kind_of_file(path);
  if (!as)
    return cli_usage_error(
        r->command,
        "%s: %s is no .csv, .tsv, .json, .jsonl or .txt file. A data set of the hub is not downloaded: "
        "save it as one, in Python: load_dataset(...).to_csv(\"rows.csv\")",
        flag, path);
  int code = CLI_OK;
  char *text = cli_read_file(r->command, flag, path, &code);
  if (text) code = as->read(r, text);
  free(text);
  return code;
}

/* The flags' files into r->texts. */
static int read_files(reader *r, const json_t *values) {
  const char *name = cli_get_text(values, "dataset_name");
  const json_t *files = json_object_get(json_object_get(values, "cli"), "dataset_files"), *file;
  size_t i;
  int code = CLI_OK;
  if (json_array_size(files) == 0) {
    if (!name)
      return cli_usage_error(r->command, "--dataset_name (-d) is needed: a .csv, .tsv, .json, .jsonl or .txt file");
    if (kind_named(name)) return cli_usage_error(r->command, "--dataset_files is needed: which files are %s", name);
    return read_file(r, NULL, name, "--dataset_name");
  }
  if (name && !kind_named(name))
    return cli_usage_error(r->command, "--dataset_name: with --dataset_files it is one of csv, tsv, json, text");
  json_array_foreach(files, i, file) if (!code) code =
      read_file(r, kind_named(name), json_string_value(file), "--dataset_files");
  return code;
}

/* ---- which rows ---- */

/* One end of a slice in Python's sense; *at moves behind it. */
static size_t take_end(const char **at, size_t otherwise, size_t count) {
  char *end;
  if (**at != '-' && !isdigit((unsigned char)**at)) return otherwise;
  long long n = strtoll(*at, &end, 10);
  *at = end;
  if (n < 0) n += (long long)count;
  return n < 0 ? 0 : (size_t)n < count ? (size_t)n : count;
}

/* "train", "train[:100]": all of the rows, or a part. */
static int take_split(const reader *r, const char *split) {
  size_t count = json_array_size(r->texts[INPUT]), from = 0, to = count;
  const char *at = strncmp(split, "train", 5) == 0 ? split + 5 : "?";
  if (*at == '[') {
    at++;
    from = take_end(&at, 0, count);
    at = *at == ':' ? at + 1 : "?";
    to = take_end(&at, count, count);
    at = strcmp(at, "]") == 0 ? "" : "?";
  }
  if (*at)
    return cli_usage_error(
        r->command, "--dataset_split: rows of files are \"train\", or a part such as \"train[:100]\", not \"%s\"",
        split);
  if (from >= to) return cli_usage_error(r->command, "--dataset_split: %s has none of the %zu rows", split, count);
  for (int f = 0; f < FIELDS; f++) {
    json_t *part = json_array();
    for (size_t i = from; i < to && r->names[f]; i++) json_array_append(part, json_array_get(r->texts[f], i));
    json_array_clear(r->texts[f]);
    json_array_extend(r->texts[f], part);
    json_decref(part);
  }
  return CLI_OK;
}

/* ---- the command ---- */

static const cli_option options[] = {
    CLI_MODEL_OPTION,
    {"dataset_name", "-d --dataset", "word", "null", "@files",
     "A .csv, .tsv, .json, .jsonl or .txt file; or with --dataset_files what those are: csv, tsv, json or text.",
     "Data"},
    {"dataset_files", "--files", "words", "[]", "@files", "Files whose rows are taken one after another.", "Data"},
    {"input_text_field", "-in --input", "word", "null", NULL, "Field of the input texts: a column's name, or a key.",
     "Data"},
    {"generated_text_field", "-gen --generated", "word", "null", NULL,
     "Field of the outputs to force; none: generate them.", "Data"},
    {"dataset_split", "--split", "word", "\"train\"", NULL, "Which rows: train, or a part of them such as train[:100].",
     "Data"},
    CLI_VERBOSE_OPTIONS,
    CLI_KEEP_OPTION,
    {0}};

static const cli_request requests[] = {{"open", "Model", NULL},
                                       {"attribute", "Attribution", "!input_texts generated_texts generated_ids"},
                                       {"show", "Table", NULL},
                                       {0}};

static const char *const examples[] = {
    "printf 'zh,en\\n我很开心。,I am very happy.\\n' > pairs.csv && cinseq attribute-dataset -m zh-en-mini -d "
    "pairs.csv -in zh -gen en --hide -o pairs.json",
    "printf '{\"prompt\": \"Once upon a time\"}\\n' > stories.jsonl && cinseq attribute-dataset -m stories260K -d "
    "stories.jsonl -in prompt --generation_kwargs '{\"max_new_tokens\": 15}'",
    NULL};

static int run(const cli_command *command, const json_t *values) {
  reader r = {.command = command,
              .names = {cli_get_text(values, "input_text_field"), cli_get_text(values, "generated_text_field")},
              .texts = {json_array(), json_array()}};
  int code = read_files(&r, values);
  if (!code) code = take_split(&r, cli_get_text(values, "dataset_split"));
  json_t *whole = json_copy((json_t *)values), *given = json_object();
  json_object_update(given, json_object_get(values, "attribute"));
  json_object_set_new(given, "input_texts", r.texts[INPUT]);
  json_object_set_new(given, "generated_texts", r.names[GENERATED] ? json_incref(r.texts[GENERATED]) : json_null());
  json_decref(r.texts[GENERATED]);
  json_object_set_new(whole, "attribute", given);
  if (!code) code = cli_attribute(command, whole);
  json_decref(whole);
  return code;
}

const cli_command cli_attribute_dataset_command = {
    .id = "attribute-dataset",
    .help = "Attributes the texts of a file's rows: CSV, TSV, JSON lines.",
    .options = options,
    .shared = cli_result_options,
    .requests = requests,
    .examples = examples,
    .run = run,
};
