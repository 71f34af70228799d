/* The kernels for portable: see kernels_body.h; the target flags are set in CMakeLists.txt. */
#define KERNELS_LANES 4
#define KERNELS_TABLE ci_kernels_portable
#define KERNELS_ID "portable"
#include "kernels/kernels_body.h"
