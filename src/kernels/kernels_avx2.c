/* The kernels for avx2: see kernels_body.h; the target flags are set in CMakeLists.txt. */
#define KERNELS_LANES 8
#define KERNELS_TABLE ci_kernels_avx2
#define KERNELS_ID "avx2"
#include "kernels/kernels_body.h"
