/* Python's json writes NaN, Infinity and -Infinity, which are no JSON. */
#ifndef CI_OUTPUT_PYTHON_JSON_H
#define CI_OUTPUT_PYTHON_JSON_H
#include "base/error.h"
#include "base/json.h"

/* ci_json_parse, where NaN stands for null, and the infinities for reals that no float32 holds. */
ci_status ci_python_json_parse(const char *where, const char *bytes, size_t length, json_t **value, ci_error *err);

#endif
