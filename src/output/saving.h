/* How results are saved: what Inseq's save() has to choose from. */
#ifndef CI_OUTPUT_SAVING_H
#define CI_OUTPUT_SAVING_H
#include "aggregate/result.h"
#include "base/options.h"
#include "base/sink.h"
#include "output/blob.h"

typedef struct {
  const char *scores_precision; /* "float32", "float16", "float8" */
  bool compress;                /* with gzip */
  bool use_primitives;          /* objects without the names of their classes, which nothing loads back */
  bool ndarray_compact;         /* arrays of steps in base64; false: as lists */
} ci_saving;

extern const ci_option ci_saving_options[];

/* The file's text, as inseq_json.c describes it, text by text; compressing is left to `out`. */
ci_status ci_inseq_json_put(const ci_result *result, const ci_saving *saving, ci_sink out, ci_error *err);

#endif
