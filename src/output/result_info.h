/* What drawings say of a result besides its numbers, from Inseq's info. */
#ifndef CI_OUTPUT_RESULT_INFO_H
#define CI_OUTPUT_RESULT_INFO_H
#include "aggregate/result.h"

/* Member `at` of the list of texts `key` ("input_texts", "generated_texts"); NULL: none. */
const char *ci_info_text(const json_t *info, const char *key, size_t at);
/* The model's name. Of a path only the last part: where a model lies is nobody's business; a hub's name stays whole.
 * NULL: none. */
const char *ci_info_model(const json_t *info);
/* The method's id; NULL: none. */
const char *ci_info_method(const json_t *info);

#endif
