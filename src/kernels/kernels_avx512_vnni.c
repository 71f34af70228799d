/* The kernels for avx512 with products of bytes: see kernels_body.h; the target flags are set in CMakeLists.txt. */
#define KERNELS_LANES 16
#define KERNELS_TABLE ci_kernels_avx512_vnni
#define KERNELS_ID "avx512_vnni"
#include "kernels/kernels_body.h"
