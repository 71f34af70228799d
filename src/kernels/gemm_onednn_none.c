/* Instead of gemm_onednn.c where cinseq is built without oneDNN (-DCINSEQ_ONEDNN=OFF). */
#include "kernels/gemm.h"

static bool available(void) {
  return false;
}

extern const ci_gemm ci_gemm_onednn;
const ci_gemm ci_gemm_onednn = {.id = "onednn", .help = "oneDNN's sgemm: not built in", .available = available};
