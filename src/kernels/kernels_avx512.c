/* The kernels for avx512: see kernels_body.h; the target flags are set in CMakeLists.txt. */
#define KERNELS_LANES 16
#define KERNELS_TABLE ci_kernels_avx512
#define KERNELS_ID "avx512"
#include "kernels/kernels_body.h"
