/* cinseq: which input tokens did each generated token come from?
 *
 * The only public header. Handles are opaque; requests are JSON objects whose keys are Inseq's argument names, so a new
 * option never changes the ABI. What a handle returns lives as long as the handle; only results of *_open and *_create,
 * attribute, generate and load are closed by the caller, and texts documented as "free with cinseq_free". Every
 * fallible function returns 0 or a CINSEQ_* code and fills *error (may be NULL). The library never exits or prints. Two
 * threads may run two requests on one model at the same time: a model is immutable. */
#ifndef CINSEQ_H
#define CINSEQ_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CINSEQ_API __attribute__((visibility("default")))

enum { CINSEQ_OK, CINSEQ_EINVAL, CINSEQ_EFILE, CINSEQ_EMODEL, CINSEQ_ENOMEM, CINSEQ_ECANCEL };

typedef struct {
  int code;
  char where[512];    /* file, tensor, flag; may be empty */
  char message[1024]; /* one line */
} cinseq_error;

typedef struct cinseq_model cinseq_model;
typedef struct cinseq_result cinseq_result;

/* Called now and then from the thread that made the call. `stage` is a word ("generating", "attributing"), done and
 * total count target tokens (total 0: unknown). A non-zero return cancels the run: CINSEQ_ECANCEL. */
typedef struct {
  int (*progress)(void *context, const char *stage, size_t done, size_t total);
  void (*warning)(void *context, const char *message); /* one line each; NULL: dropped */
  void *context;
} cinseq_hooks;

/* "0.1.0" */
CINSEQ_API const char *cinseq_version(void);
/* {"version":..., "cpu":[features used], "gemm":[back ends], "libraries":{name: version}}; free with cinseq_free. */
CINSEQ_API char *cinseq_build_info(void);
/* Descriptors as a JSON array of {"id", "help", "options":
 * [{"name","flags":[..],"type","default","choices","min","max","help"}], ...}. kind: "methods", "scores", "models",
 * "aggregators", "formats", "tokenizers", "commands". NULL for another kind. A command's options are the keys of its
 * request. Free with cinseq_free. */
CINSEQ_API char *cinseq_describe(const char *kind);
CINSEQ_API void cinseq_free(void *text);

/* path: a folder in the Hugging Face layout, or the name of an installed model ("zh-en-mini").
 * options_json: {"model_kwargs":{}, "tokenizer_kwargs":{}} or NULL. */
CINSEQ_API int cinseq_model_open(const char *path, const char *options_json, const cinseq_hooks *hooks,
                                 cinseq_model **model, cinseq_error *error);
/* What was opened, as a JSON object: path, architecture, class, parameters, layers, heads, width, vocabulary,
 * positions, the checkpoint's format, files' bytes and types, and the tokenizer's class, kind, size and special ids.
 * Free with cinseq_free. */
CINSEQ_API char *cinseq_model_info(const cinseq_model *model);
CINSEQ_API void cinseq_model_close(cinseq_model *model);

/* request_json: the keys that cinseq_describe("commands") lists for "attribute" (input_texts, generated_texts,
 * attribution_method, step_scores, ...). */
CINSEQ_API int cinseq_attribute(cinseq_model *model, const char *request_json, const cinseq_hooks *hooks,
                                cinseq_result **result, cinseq_error *error);
/* request_json: the keys of "generate". *lines: one JSON object a line for each input: input_ids, output_ids, text
 * (output_ids of a decoder-only model start with the prompt; of an encoder-decoder with the decoder start).
 * Free with cinseq_free. */
CINSEQ_API int cinseq_generate(cinseq_model *model, const char *request_json, const cinseq_hooks *hooks, char **lines,
                               cinseq_error *error);

/* Inseq 0.7's JSON file format, both ways: the real Inseq loads what this saves and the other way round. */
CINSEQ_API int cinseq_result_save(const cinseq_result *result, const char *path, cinseq_error *error);
CINSEQ_API int cinseq_result_load(const char *path, cinseq_result **result, cinseq_error *error);
CINSEQ_API void cinseq_result_close(cinseq_result *result);
/* The heat tables of all sequences as text for a terminal. options_json keys: "color" ("none"|"256"|"truecolor"),
 * "width" (columns; 0: no limit), "clean_tokens" (bool), "min_val", "max_val", and the aggregation keys. *text: free
 * with cinseq_free. */
CINSEQ_API int cinseq_result_show(const cinseq_result *result, const char *options_json, char **text,
                                  cinseq_error *error);
/* The same as one HTML page that needs no other file, no network and no script. options_json as above; "color" and
 * "width" mean nothing here. *text: free with cinseq_free. */
CINSEQ_API int cinseq_result_html(const cinseq_result *result, const char *options_json, char **text,
                                  cinseq_error *error);
/* Writes text to path as a whole or not at all: a file beside it, then renamed. CINSEQ_EFILE with the path. */
CINSEQ_API int cinseq_file_write(const char *path, const char *text, cinseq_error *error);
/* {"sequences": n, "source_tokens": n, "target_tokens": n, "attributed_tokens": n, "seconds": s, "peak_bytes": n,
 *  "gemm_rows": n, "gemm_calls": n, ...}; free with cinseq_free. */
CINSEQ_API char *cinseq_result_statistics(const cinseq_result *result);

#ifdef __cplusplus
}
#endif
#endif
