/* A model: architecture, weights and tokenizer of a folder. Immutable after opening; shared by runs and threads. */
#ifndef CI_MODELS_MODEL_H
#define CI_MODELS_MODEL_H
#include "base/error.h"
#include "base/json.h"
#include "engine/graph.h"
#include "formats/tensors.h"
#include "models/loading.h"
#include "tokenizers/tokenizer.h"

struct ci_builder;

/* A row of models.def. */
typedef struct {
  const char *id;         /* config.json's model_type */
  const char *class_name; /* transformers' class, as Inseq's files name it */
  const char *help;
  const char *prefix;     /* base model prefix that keys may lack or have: "model." */
  const char *defaults;       /* values of transformers' configuration class that config.json may leave out, as JSON; or NULL */
  const char *const *ignored; /* tensors that transformers ignores too: endings of names, or beginnings ("vocoder.*"); NULL-terminated */
  const struct ci_dropout_keys *dropout; /* what training drops (dropout.h); NULL: attention's probabilities */
  const char *const *float32; /* modules that transformers keeps in float32 when the rest has 16 bits or 8; NULL-terminated, or NULL */
  void (*build)(struct ci_builder *b);
} ci_architecture;

/* Rows by index; NULL past the end. */
const ci_architecture *ci_architecture_at(size_t index);

/* Numbers that were made of a tensor's, or of other such numbers: widened, converted, in another order. */
typedef struct {
  const void *data;
  size_t bytes;
  const void *source; /* an address among what they were made of */
} ci_origin;

typedef struct {
  char *path;
  char *name; /* what results call it, as it was asked for; NULL: the path */
  char *tokenizer_name; /* of another model's tokenizer, as it was asked for; NULL: its own */
  const ci_architecture *architecture;
  json_t *config;            /* config.json, with model_kwargs on top */
  json_t *generation_config; /* generation_config.json, or NULL */
  ci_loading loading;
  ci_tensors *tensors;
  ci_tokenizer *tokenizer;
  ci_arena *arena;
  ci_graph graph;
  ci_origin *origins; /* in the order in which they were made */
  size_t origin_count, origin_capacity;
  bool base_alone; /* names of the checkpoint's tensors lack the base model's prefix */
  unsigned char *used; /* [tensors] whether the model reads it */
  const char *no_dropout; /* why a pass with dropout would not be that of training; NULL: it would */
  size_t vocabulary;
  int64_t bos, eos, pad, unk; /* as Inseq resolves them (spec 1.1); -1: none */
  int64_t decoder_start;      /* -1: decoder-only */
  int64_t target_language;    /* the token of tokenizer_kwargs' tgt_lang; -1: none */
} ci_model;

typedef void ci_warn(void *context, const char *message);

/* What a model is opened from. NULL where it does not say otherwise: as the folder has it. */
typedef struct {
  ci_checkpoint checkpoint;
  const json_t *config, *generation_config; /* of tensors in memory, which have a config and may have the other */
  const char *tokenizer;                    /* folder or .gguf file, needed by tensors in memory */
  const json_t *model_kwargs, *tokenizer_kwargs;
} ci_model_source;

ci_status ci_model_open_from(const ci_model_source *source, ci_warn *warn, void *context, ci_model **model, ci_error *err);
/* Opens a folder in the Hugging Face layout, a .gguf file, or a folder that holds one. warn may be NULL. */
ci_status ci_model_open(const char *folder, const json_t *model_kwargs, const json_t *tokenizer_kwargs, ci_warn *warn,
                        void *context, ci_model **model, ci_error *err);
ci_status ci_model_set_name(ci_model *model, const char *name, ci_error *err);
ci_status ci_model_set_tokenizer_name(ci_model *model, const char *name, ci_error *err);
void ci_model_close(ci_model *model);
/* Number of weights, tied ones once. */
size_t ci_model_parameters(const ci_model *model);

#endif
