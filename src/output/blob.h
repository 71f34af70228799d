/* How Inseq 0.7 writes an array into JSON: a base64 string (RFC 4648, padded) of a safetensors file with the one tensor
 * "attribution". */
#ifndef CI_OUTPUT_BLOB_H
#define CI_OUTPUT_BLOB_H
#include "aggregate/result.h"
#include "base/text.h"

void ci_base64_add(ci_text *out, const void *bytes, size_t length);
/* Writes length/4*3 bytes at most to `out`. False for what is not whole, padded base64. */
bool ci_base64_decode(const char *text, size_t length, uint8_t *out, size_t *out_length);

/* Types that scores are saved in. */
typedef enum { CI_SAVE_FLOAT32, CI_SAVE_FLOAT16, CI_SAVE_FLOAT8 } ci_saved_type;

/* F32, or I64 for arrays of integers; F16 and F8_E4M3 round to the nearest, half to even. */
ci_status ci_blob_write(const ci_array *array, ci_saved_type type, ci_text *out, ci_error *err);
/* F32, F16, F8_E4M3 (Inseq's scores_precision) and every other type that becomes float32; or an array as Inseq had them
 * before 0.7 (ndarray.h). `what` names the array in errors. */
ci_status ci_blob_read(const char *where, const char *what, const json_t *value, ci_array *array, ci_error *err);

#endif
