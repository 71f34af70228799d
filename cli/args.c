/* argv to JSON requests by the descriptors. --name value, --name=value, short flags; a bool is --name, --name
 * true|false or
 * --no_name; words and ints take values until the next flag; tables take JSON; `--` ends the flags. */
#include "cli.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

json_t *cli_split(const char *text, const char *separators) {
  json_t *words = json_array();
  while (text && *text) {
    size_t n = strcspn(text, separators);
    if (n) json_array_append_new(words, json_stringn(text, n));
    text += n + (text[n] != 0);
  }
  return words;
}

static const char *text_of(const json_t *option, const char *key) {
  return json_string_value(json_object_get(option, key));
}

static const json_t *named(const json_t *rows, const char *key, const char *name) {
  size_t i;
  const json_t *row;
  json_array_foreach(rows, i, row) if (strcmp(text_of(row, key), name) == 0) return row;
  return NULL;
}

static json_t *describe_own(const cli_option *o) {
  json_t *row = json_pack("{s:s, s:o, s:s, s:o, s:s, s:s, s:s}", "name", o->name, "flags", cli_split(o->flags, " "),
                          "type", o->type, "default", json_loads(o->fallback, JSON_DECODE_ANY, NULL), "help", o->help,
                          "request", "cli", "group", o->group);
  if (o->choices && *o->choices == '@')
    json_object_set_new(row, "kind", json_string(o->choices + 1));
  else if (o->choices)
    json_object_set_new(row, "choices", cli_split(o->choices, "|"));
  return row;
}

/* Whether a key is among those of cli_request.keys. */
static bool is_wanted(const char *keys, const char *name) {
  if (!keys) return true;
  bool wanted = *keys == '!';
  json_t *words = cli_split(keys, "! "), *word;
  size_t i;
  json_array_foreach(words, i, word) if (strcmp(json_string_value(word), name) == 0) wanted = *keys != '!';
  json_decref(words);
  return wanted;
}

json_t *cli_options(const cli_command *command) {
  json_t *options = json_array();
  for (const cli_option *o = command->options; o && o->name; o++) json_array_append_new(options, describe_own(o));
  for (const cli_option *o = command->shared; o && o->name; o++) json_array_append_new(options, describe_own(o));
  char *text = cinseq_describe("commands");
  json_t *requests = text ? json_loads(text, 0, NULL) : NULL;
  cinseq_free(text);
  for (const cli_request *r = command->requests; r && r->id; r++) {
    size_t i;
    json_t *option, *listed = json_object_get(named(requests, "id", r->id), "options");
    json_array_foreach(listed, i, option) {
      if (named(options, "name", text_of(option, "name")) || !is_wanted(r->keys, text_of(option, "name"))) continue;
      json_object_set_new(option, "request", json_string(r->id));
      json_object_set_new(option, "group", json_string(r->group));
      json_array_append(options, option);
    }
  }
  json_decref(requests);
  return options;
}

/* ---- one value ---- */

static bool read_bool(const char *text, bool *value) {
  static const char *const words[] = {"false", "no", "f", "0", "true", "yes", "t", "1"};
  for (size_t i = 0; i < 8; i++)
    if (strcasecmp(text, words[i]) == 0) return *value = i >= 4, true;
  return false;
}

/* NULL when text is not a number of this type. */
static json_t *read_number(const char *text, bool whole) {
  char *end;
  errno = 0;
  long long integer = strtoll(text, &end, 10);
  if (end > text && *end == 0 && errno == 0) return json_integer(integer);
  double real = strtod(text, &end);
  return !whole && end > text && *end == 0 && isfinite(real) ? json_real(real) : NULL;
}

static bool is_list(const char *type) {
  return strcmp(type, "words") == 0 || strcmp(type, "texts") == 0 || strcmp(type, "ints") == 0;
}

static json_t *read_value(const char *type, const char *text) {
  bool truth = false;
  if (strcmp(type, "bool") == 0) return read_bool(text, &truth) ? json_boolean(truth) : NULL;
  if (strcmp(type, "int") == 0 || strcmp(type, "ints") == 0) return read_number(text, true);
  if (strcmp(type, "real") == 0) return read_number(text, false);
  if (strcmp(type, "word") == 0 || strcmp(type, "words") == 0 || strcmp(type, "texts") == 0) return cli_string(text);
  json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
  if (strcmp(type, "table") == 0 && !json_is_object(value)) {
    json_decref(value);
    return NULL;
  }
  return value;
}

static const struct {
  const char *type, *expected;
} expectations[] = {
    {"bool", "true or false"}, {"int", "an integer"}, {"ints", "integers"},
    {"real", "a number"},      {"word", "a word"},    {"words", "words"},
    {"texts", "texts"},        {"json", "JSON"},      {"table", "a JSON object, such as {\"name\": 1}"}};

static const char *expected(const char *type) {
  for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++)
    if (strcmp(expectations[i].type, type) == 0) return expectations[i].expected;
  return "a value";
}

static int wrong_choice(const cli_command *command, const char *flag, const char *text, const json_t *choices) {
  char list[512] = "";
  size_t i, used = 0;
  const json_t *choice;
  json_array_foreach(choices, i, choice) {
    int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", json_string_value(choice));
    if (n > 0 && (size_t)n < sizeof list - used) used += (size_t)n;
  }
  const char *nearest = cli_nearest(text, choices);
  if (nearest)
    return cli_usage_error(command, "%s: \"%s\" is none of %s: did you mean \"%s\"?", flag, text, list, nearest);
  return cli_usage_error(command, "%s: \"%s\" is none of %s", flag, text, list);
}

/* *value is one member for lists; NULL after a message. */
static int check_value(const cli_command *command, const json_t *option, const char *flag, const char *text,
                       json_t **value) {
  const char *type = text_of(option, "type");
  *value = read_value(type, text);
  if (!*value) return cli_usage_error(command, "%s: \"%s\" is not %s", flag, text, expected(type));
  const json_t *choices = json_object_get(option, "choices"), *least = json_object_get(option, "min");
  size_t i;
  const json_t *choice;
  bool allowed = !choices;
  json_array_foreach(choices, i, choice) allowed = allowed || json_equal(choice, *value);
  double low = json_number_value(least), high = json_number_value(json_object_get(option, "max")),
         x = json_number_value(*value);
  int code = CLI_OK;
  if (!allowed)
    code = wrong_choice(command, flag, text, choices);
  else if (least && json_is_number(*value) && !(x >= low && x <= high))
    code = cli_usage_error(command, "%s: %s is out of range, expected %.10g to %.10g", flag, text, low, high);
  if (!code) return CLI_OK;
  json_decref(*value);
  *value = NULL;
  return code;
}

/* ---- the line ---- */

typedef struct {
  const cli_command *command;
  const json_t *options;
  json_t *values;
  int argc, at;
  char **argv;
} line;

bool cli_is_flag(const char *word) {
  if (word[0] != '-' || !(isalpha((unsigned char)word[1]) || word[1] == '-')) return false;
  size_t name = strcspn(word, "=");
  return strcspn(word, " ") >= name;
}

/* Whether the n bytes of flag are "--name": 1, or -1 for "--no_name" of an option that is true by default, or 0.
 * Hyphens count as underscores. */
static int matches_name(const char *name, const char *flag, size_t n, bool negatable) {
  if (n < 3 || memcmp(flag, "--", 2) != 0) return 0;
  flag += 2, n -= 2;
  int sign = 1;
  if (negatable && n > 3 && memcmp(flag, "no", 2) == 0 && (flag[2] == '_' || flag[2] == '-'))
    flag += 3, n -= 3, sign = -1;
  if (strlen(name) != n) return 0;
  for (size_t k = 0; k < n; k++)
    if (flag[k] != name[k] && !(flag[k] == '-' && name[k] == '_')) return 0;
  return sign;
}

/* The same for all names of an option, the short ones too. */
static int matches(const json_t *option, const char *flag, size_t n) {
  bool negatable = json_is_true(json_object_get(option, "default"));
  int sign = matches_name(text_of(option, "name"), flag, n, negatable);
  size_t i;
  const json_t *other;
  json_array_foreach(json_object_get(option, "flags"), i, other) {
    const char *name = json_string_value(other);
    if (!sign && strlen(name) == n && memcmp(name, flag, n) == 0) sign = 1;
    if (!sign && strncmp(name, "--", 2) == 0) sign = matches_name(name + 2, flag, n, negatable);
  }
  return sign;
}

const json_t *cli_find_option(const json_t *options, const char *flag, size_t n, int *sign) {
  size_t i;
  const json_t *option;
  json_array_foreach(options, i, option) if ((*sign = matches(option, flag, n))) return option;
  return NULL;
}

static bool has_option(const char *kind, const char *name) {
  char *text = cinseq_describe(kind);
  json_t *rows = text ? json_loads(text, 0, NULL) : NULL, *row, *option;
  bool found = false;
  size_t i, k;
  json_array_foreach(rows, i, row) json_array_foreach(json_object_get(row, "options"), k, option) found =
      found || strcmp(text_of(option, "name"), name) == 0;
  json_decref(rows);
  cinseq_free(text);
  return found;
}

/* The flag that takes what is no flag of its own: an option of a method, a score or of generation; NULL: none. */
static const char *home_of(const line *l, const char *name) {
  int sign;
  if (cli_find_option(l->options, "--attribution_kwargs", 20, &sign) &&
      (has_option("methods", name) || has_option("scores", name)))
    return "--attribution_kwargs";
  if (!cli_find_option(l->options, "--generation_kwargs", 19, &sign)) return NULL;
  json_t *request = json_pack("{s:[s], s:{s:n}}", "input_texts", "x", "generation_kwargs", name);
  char *text = request ? json_dumps(request, 0) : NULL;
  bool known = text && cinseq_request_check("generate", text, NULL) == CINSEQ_OK;
  free(text);
  json_decref(request);
  return known ? "--generation_kwargs" : NULL;
}

static int unknown_flag(const line *l, const char *flag, size_t n) {
  json_t *names = json_array(), *word = json_stringn(flag, n);
  size_t i, k;
  json_t *option, *short_flag;
  json_array_foreach(l->options, i, option) {
    json_array_append_new(names, json_sprintf("--%s", text_of(option, "name")));
    json_array_foreach(json_object_get(option, "flags"), k, short_flag) json_array_append(names, short_flag);
  }
  const char *given = word ? json_string_value(word) : "?", *nearest = cli_nearest(given, names);
  const char *name = given + strspn(given, "-"), *home = home_of(l, name);
  int code = home      ? cli_usage_error(l->command, "no flag %s: give it as %s '{\"%s\": ...}'", given, home, name)
             : nearest ? cli_usage_error(l->command, "no flag %s: did you mean %s?", given, nearest)
                       : cli_usage_error(l->command, "no flag %s", given);
  json_decref(names);
  json_decref(word);
  return code;
}

static void set_value(line *l, const json_t *option, json_t *value) {
  const char *request = text_of(option, "request");
  if (!json_object_get(l->values, request)) json_object_set_new(l->values, request, json_object());
  json_object_set_new(json_object_get(l->values, request), text_of(option, "name"), value);
}

/* A list flag that was given before goes on with its list. */
static void add_values(line *l, const json_t *option, json_t *list) {
  json_t *before = json_object_get(json_object_get(l->values, text_of(option, "request")), text_of(option, "name"));
  if (json_is_array(before) && before != json_object_get(option, "default")) {
    json_array_extend(before, list);
    json_decref(list);
  } else {
    set_value(l, option, list);
  }
}

/* One word of a list: one member, but for the texts of a file. After `--` a text stands as it is. */
static int take_member(const line *l, const json_t *option, const char *flag, const char *word, bool literal,
                       json_t *list) {
  json_t *value;
  if (!literal && strcmp(text_of(option, "type"), "texts") == 0) return cli_read_texts(l->command, flag, word, list);
  int code = check_value(l->command, option, flag, word, &value);
  if (!code) json_array_append_new(list, value);
  return code;
}

/* Values until the next flag, or to the end after `--`. */
static int take_list(line *l, const json_t *option, const char *flag, const char *attached) {
  json_t *list = json_array();
  int code = attached ? take_member(l, option, flag, attached, false, list) : CLI_OK;
  bool rest = false;
  while (!attached && !code && l->at < l->argc) {
    const char *word = l->argv[l->at];
    if (!rest && cli_is_flag(word) && strcmp(word, "--") != 0) break;
    l->at++;
    if (!rest && strcmp(word, "--") == 0)
      rest = true;
    else
      code = take_member(l, option, flag, word, rest, list);
  }
  if (!code && json_array_size(list) == 0) code = cli_usage_error(l->command, "%s needs one or more values", flag);
  if (code)
    json_decref(list);
  else
    add_values(l, option, list);
  return code;
}

/* The flag is the first n bytes of its word; what follows an equals sign is its value. */
static int take_flag(line *l, const char *word) {
  size_t n = strcspn(word, "=");
  const char *attached = word[n] ? word + n + 1 : NULL;
  int sign = 0;
  const json_t *option = cli_find_option(l->options, word, n, &sign);
  if (!option) return unknown_flag(l, word, n);
  char flag[128];
  snprintf(flag, sizeof flag, "%.*s", (int)n, word);
  const char *type = text_of(option, "type"), *next = l->at < l->argc ? l->argv[l->at] : NULL;
  if (is_list(type)) return take_list(l, option, flag, attached);
  if (strcmp(type, "bool") == 0 && !attached) {
    bool truth = true;
    if (sign > 0 && next && read_bool(next, &truth)) l->at++;
    set_value(l, option, json_boolean(sign < 0 ? false : truth));
    return CLI_OK;
  }
  if (sign < 0) return cli_usage_error(l->command, "%s takes no value", flag);
  if (!attached) {
    if (!next || cli_is_flag(next))
      return cli_usage_error(l->command, "%s needs a value:%s", flag, cli_placeholder(option));
    attached = next;
    l->at++;
  }
  json_t *value;
  int code = check_value(l->command, option, flag, attached, &value);
  if (!code) set_value(l, option, value);
  return code;
}

static int take_argument(line *l, const char *word) {
  if (!l->command->argument) return cli_usage_error(l->command, "\"%s\" stands without a flag", word);
  json_array_append_new(json_object_get(l->values, "arguments"), cli_string(word));
  return CLI_OK;
}

static void set_defaults(line *l) {
  size_t i;
  json_t *option;
  json_array_foreach(l->options, i, option) if (strcmp(text_of(option, "request"), "cli") == 0)
      set_value(l, option, json_incref(json_object_get(option, "default")));
}

int cli_parse(const cli_command *command, int argc, char **argv, json_t **values) {
  json_t *options = cli_options(command);
  *values = json_pack("{s:{}, s:[]}", "cli", "arguments");
  line l = {command, options, *values, argc, 0, argv};
  int code = CLI_OK;
  bool rest = false;
  set_defaults(&l);
  while (!code && l.at < argc) {
    const char *word = argv[l.at++];
    if (!rest && strcmp(word, "--") == 0)
      rest = true;
    else
      code = !rest && cli_is_flag(word) ? take_flag(&l, word) : take_argument(&l, word);
  }
  json_decref(options);
  return code;
}

const char *cli_get_text(const json_t *values, const char *name) {
  return json_string_value(json_object_get(json_object_get(values, "cli"), name));
}

bool cli_get_flag(const json_t *values, const char *name) {
  return json_is_true(json_object_get(json_object_get(values, "cli"), name));
}
