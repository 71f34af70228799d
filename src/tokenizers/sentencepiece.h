/* The narrow C face of libsentencepiece (Debian's 0.1.97): the engine's one C++ file stands behind it. */
#ifndef CI_TOKENIZERS_SENTENCEPIECE_H
#define CI_TOKENIZERS_SENTENCEPIECE_H
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ci_spm ci_spm;

/* A string that may hold NULs. */
typedef struct {
  const char *text;
  size_t length;
} ci_piece;

/* Whether the bytes can be given to libsentencepiece, which reads past the end of rules that lie (spm_check.c).
 * CI_EFILE with the path. */
ci_status ci_spm_check(const char *path, const uint8_t *bytes, size_t length, ci_error *err);
/* dummy_prefix false: the model's own add_dummy_prefix is switched off. */
ci_status ci_spm_open(const char *path, bool dummy_prefix, ci_spm **spm, ci_error *err);
void ci_spm_close(ci_spm *spm);
/* Fails for texts of more than 128 KB if the model has no byte fallback, CI_EINVAL. Calls take(context, piece) for each
 * piece of the text; a status that is not CI_OK ends it and is returned. */
ci_status ci_spm_encode(const ci_spm *spm, const char *text, size_t length,
                        ci_status (*take)(void *context, ci_piece piece), void *context, ci_error *err);
/* Appends the text of the pieces. */
ci_status ci_spm_decode(const ci_spm *spm, const ci_piece *pieces, size_t count, ci_text *text, ci_error *err);
int32_t ci_spm_count(const ci_spm *spm);
ci_piece ci_spm_piece(const ci_spm *spm, int32_t id);                   /* 0 <= id < count; lives as the model */
int32_t ci_spm_id(const ci_spm *spm, const char *piece, size_t length); /* the unknown piece's when there is none */

#ifdef __cplusplus
}
#endif
#endif
