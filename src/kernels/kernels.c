/* Which kernels this CPU can run. See kernels.h. */
#include "kernels/kernels.h"
#include <stdbool.h>
#include <string.h>

extern const ci_kernels ci_kernels_portable;

static bool always(void) { return true; }

#if defined(__x86_64__)
extern const ci_kernels ci_kernels_avx2, ci_kernels_avx512, ci_kernels_avx512_vnni;

/* Every CPU with AVX2 has F16C, which clang 14 cannot be asked for. */
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static bool has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_vnni(void) { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

/* Best first. */
static const struct {
  const ci_kernels *kernels;
  bool (*supported)(void);
} rows[] = {
#if defined(__x86_64__)
    {&ci_kernels_avx512_vnni, has_vnni},
    {&ci_kernels_avx512, has_avx512},
    {&ci_kernels_avx2, has_avx2},
#endif
    {&ci_kernels_portable, always},
};

const ci_kernels *ci_kernels_named(const char *id) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].kernels->id, id) == 0) return rows[i].supported() ? rows[i].kernels : NULL;
  return NULL;
}

const ci_kernels *ci_kernels_best(void) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].supported()) return rows[i].kernels;
  return &ci_kernels_portable;
}
