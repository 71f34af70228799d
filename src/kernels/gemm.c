/* See gemm.h. */
#include "kernels/gemm.h"
#include <string.h>

#define CI_GEMM(member) extern const ci_gemm ci_gemm_##member;
#include "kernels/gemm.def"
#undef CI_GEMM

static const ci_gemm *const rows[] = {
#define CI_GEMM(member) &ci_gemm_##member,
#include "kernels/gemm.def"
#undef CI_GEMM
};

enum { ROWS = sizeof rows / sizeof *rows };

const ci_gemm *ci_gemm_at(size_t index) { return index < ROWS ? rows[index] : NULL; }

const ci_gemm *ci_gemm_named(const char *id) {
  for (size_t i = 0; i < ROWS; i++)
    if ((strcmp(id, "auto") == 0 || strcmp(rows[i]->id, id) == 0) && rows[i]->available()) return rows[i];
  return NULL;
}
