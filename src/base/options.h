/* Option tables: the one description from which parsing, ranges, defaults, command line flags, help, completion and the
 * documents come. A member (method, score, command) declares a struct and a table of its fields. */
#ifndef CI_BASE_OPTIONS_H
#define CI_BASE_OPTIONS_H
#include "error.h"
#include "json.h"
#include "text.h"
#include <stddef.h>

typedef enum {
  CI_BOOL,  /* bool */
  CI_INT,   /* int64_t */
  CI_REAL,  /* double */
  CI_WORD,  /* const char *: one string, borrowed from the parsed object */
  CI_WORDS, /* json_t *: an array of strings (one string is taken as an array of one), borrowed */
  CI_TEXTS, /* the same of free texts: a command line takes them from files too */
  CI_INTS,  /* json_t *: an array of integers, borrowed */
  CI_TABLE, /* json_t *: an object, borrowed */
  CI_JSON,  /* json_t *: any value, borrowed; who asks for it checks it */
} ci_option_type;

typedef struct {
  const char *name;  /* Inseq's id, with underscores: the JSON key and the long flag */
  const char *flags; /* further flags: "-m", "-eos --eos"; NULL for none */
  ci_option_type type;
  size_t offset;        /* of the field in the options struct */
  const char *fallback; /* the default as JSON text: "false", "50", "\"probability\"", "null" */
  double min, max;      /* for numbers; both 0: unbounded */
  const char *choices;  /* words allowed, separated by '|'; "@methods": ids of that kind (cinseq_describe), which are checked where
                         * they are used; NULL: any */
  const char *help;     /* one sentence */
} ci_option;

#define CI_OPTIONS_END                                                                                                 \
  { NULL, NULL, CI_BOOL, 0, NULL, 0, 0, NULL, NULL }

/* Sets every field of *options to its default, then to the values in object (may be NULL). An unknown key is an error
 * with the nearest name, unless `unknown` is given: then unknown keys are collected there (array of strings). Words and
 * tables are borrowed from `object` and from `keep`, a json array of the caller's that outlives *options. */
ci_status ci_options_parse(const ci_option *table, const char *where, const json_t *object, void *options, json_t *keep,
                           json_t *unknown, ci_error *err);
/* The error for a key that none of the tables (NULL: none) has, with the nearest name that they have. */
ci_status ci_options_unknown(const ci_option *const tables[], size_t count, const char *where, const char *key,
                             ci_error *err);
const ci_option *ci_options_find(const ci_option *table, const char *name);
/* One value from the command line's text for this option: JSON for tables, "true|yes|1" for booleans. New reference. */
ci_status ci_option_from_text(const ci_option *option, const char *where, const char *text, json_t **value,
                              ci_error *err);

#endif
