/* How json_tricks, which Inseq saves step attributions with, writes a NumPy array into JSON:
 *
 *   {"Corder": true, "__ndarray__": "b64:" base64 of the values, "dtype": "float32", "shape": [1, 7, 32]}
 *
 * or "b64.gz:" base64 of the same in gzip's format, or lists of numbers in lists; Corder only of two and more
 * dimensions. */
#ifndef CI_OUTPUT_NDARRAY_H
#define CI_OUTPUT_NDARRAY_H
#include "base/error.h"
#include "base/json.h"
#include <stdbool.h>

enum { CI_NDARRAY_RANK = 5 };

typedef struct {
  int rank;
  size_t shape[CI_NDARRAY_RANK];
  float *data; /* row-major; ci_free */
  bool integers;
} ci_ndarray;

/* compact: in base64; else as lists, in which null stands for what is no finite number. NULL when memory is out. */
json_t *ci_ndarray_write(const ci_ndarray *array, bool compact);
/* The lists alone. */
json_t *ci_ndarray_lists(const ci_ndarray *array);
/* Of float32, float64 or int64. `what` names the array in errors. array->data is NULL after a failure. */
ci_status ci_ndarray_read(const char *where, const char *what, const json_t *value, ci_ndarray *array, ci_error *err);

#endif
