/* What model_kwargs want weights turned into while they are loaded: codes of 8 bits (load_in_8bit, quantization_config;
 * the words and defaults are transformers' BitsAndBytesConfig), or 16 bits (dtype). Everything else stays in the mapped
 * file. */
#ifndef CI_MODELS_LOADING_H
#define CI_MODELS_LOADING_H
#include "base/error.h"
#include "base/json.h"
#include "formats/tensors.h"
#include "kernels/compute.h"

struct ci_builder;

typedef struct {
  bool int8;
  float threshold;           /* of outliers; NaN: none are told apart */
  const json_t *left_out;    /* llm_int8_skip_modules, the configuration's; NULL: the output head */
  ci_dtype type;             /* CI_F16, CI_BF16; CI_F32: as they are stored */
  struct ci_module *modules; /* in 8 bits: filled while the graph is built */
  size_t module_count, module_capacity;
} ci_loading;

typedef struct ci_module {
  const char *tensor; /* its weight's name in the file */
  ci_weight weight;
} ci_module;

/* From config.json (kwargs not yet in it) and model_kwargs, which may be NULL. What is refused is named. */
ci_status ci_loading_read(const json_t *config, const char *path, const json_t *kwargs, ci_loading *loading,
                          ci_error *err);

/* A matrix as the file has it, or converted. Converted once: the second look at a tensor finds it. `module`: the full
 * name of its nn.Linear or Conv1D, which may be quantised; NULL: a table, or what else is read as it is. */
ci_weight ci_load_weight(struct ci_builder *b, const ci_tensor *t, const ci_weight *w, const char *module);
/* A tensor of type I8 [outputs, inputs] and its scales, NAME.SCB for NAME.weight: what bitsandbytes saves. */
ci_weight ci_load_codes(struct ci_builder *b, const ci_tensor *t, size_t outputs, size_t inputs);
/* x[n], numbers of the tensor with this full name, as the wanted type has them. */
void ci_load_vector(const struct ci_builder *b, const ci_tensor *t, float *x, size_t n);
/* Whether ci_load_vector changes anything. */
bool ci_loads_vector(const struct ci_builder *b, const ci_tensor *t);

#endif
