/* jansson with the few things that every reader here needs: errors with file and byte, numbers too large for 64 bits read
 * as reals, NUL allowed in strings, typed look-ups that say what was expected. */
#ifndef CI_BASE_JSON_H
#define CI_BASE_JSON_H
#include "error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes of a model's JSON file that is read as a tree, which takes up to 45 times as much: "[],[],". The largest that
 * occur (an index of shards, a list of added tokens) have 10 MB. */
enum { CI_LARGEST_JSON = 64 << 20 };

/* `where` names the source in errors (a path or a flag). The caller decrefs *value. Nesting is bounded by jansson (2048). */
ci_status ci_json_parse(const char *where, const char *text, size_t length, json_t **value, ci_error *err);
/* json_loadb, which fails with *no_memory when that is why. */
json_t *ci_json_load(const char *text, size_t length, size_t flags, json_error_t *problem, bool *no_memory);
ci_status ci_json_read_file(const char *path, json_t **value, ci_error *err);
/* As above; *value is NULL and the status CI_OK when there is no such file. */
ci_status ci_json_read_file_if_there(const char *path, json_t **value, ci_error *err);

/* The value as text (jansson's flags), ci_free; NULL: memory is out. Not json_dumps, which may then leave a piece out. */
char *ci_json_text(const json_t *value, size_t flags);

/* Look-ups in an object (which may be NULL): `fallback` when the key is absent or null; an error that names where, key,
 * what was found and what was expected when it has another type or lies outside [min, max]. */
ci_status ci_json_get_int(const json_t *object, const char *where, const char *key, int64_t fallback, int64_t min,
                          int64_t max, int64_t *value, ci_error *err);
ci_status ci_json_get_real(const json_t *object, const char *where, const char *key, double fallback, double *value,
                           ci_error *err);
ci_status ci_json_get_bool(const json_t *object, const char *where, const char *key, bool fallback, bool *value,
                           ci_error *err);
/* Borrowed from the object: lives as long as it. */
ci_status ci_json_get_text(const json_t *object, const char *where, const char *key, const char *fallback,
                           const char **value, ci_error *err);
/* True for integers and for reals without a fraction (big numbers are read as reals). */
bool ci_json_as_int(const json_t *value, int64_t *out);

#endif
