/* Generation: which token comes next, given logits. Knows nothing of models: it drives a ci_stepper.
 * Ids are exactly those of transformers 4.57.6 generate() for the same logits. */
#ifndef CI_GENERATE_GENERATE_H
#define CI_GENERATE_GENERATE_H
#include "base/error.h"
#include "base/json.h"
#include "base/options.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What generation needs of a model. A branch is a sequence whose keys and values the model holds. */
typedef struct {
  void *context;
  size_t vocabulary;
  /* For i in 0..count-1: continue branch parents[i] with tokens[i]; branches[i] gets the new branch's number (a parent
   * that is continued once may be continued in place), logits[i] (vocabulary floats) what follows. Parents not named
   * are dropped. */
  ci_status (*advance)(void *context, size_t count, const int *parents, const int32_t *tokens, int *branches,
                       float *logits, ci_error *err);
  /* Called once a new token column is decided; a non-zero return cancels. May be NULL. */
  int (*progress)(void *context, size_t done, size_t total);
  /* The encoder's ids, for the options that look at them; none of a decoder-only model, where the prompt takes their place. */
  const int32_t *source;
  size_t source_count;
} ci_stepper;

/* Every option with a transformers generation_config name; fields and table in generation_config.c. */
typedef struct {
  int64_t max_length, max_new_tokens, min_length, min_new_tokens; /* -1: not given */
  bool do_sample;
  int64_t num_beams, num_return_sequences;
  double length_penalty;
  int early_stopping; /* 0 False, 1 True, 2 "never" */
  double repetition_penalty;
  double encoder_repetition_penalty;
  int64_t no_repeat_ngram_size, encoder_no_repeat_ngram_size;
  json_t *bad_words_ids, *suppress_tokens, *begin_suppress_tokens; /* borrowed or NULL */
  int64_t forced_bos_token_id, forced_eos_token_id;                /* -1: none */
  int32_t *eos_token_ids;
  size_t eos_count;
  int64_t pad_token_id, bos_token_id, decoder_start_token_id; /* -1: none */
  const char *tgt_lang;   /* a code of text_decoder_lang_to_code_id in generation_config.json, or NULL */
  int64_t language_token; /* its token, which the decoder starts with after decoder_start_token_id; -1: none */
  double temperature, top_p;
  int64_t top_k;
  int64_t seed;
  json_t *owner; /* keeps the borrowed values alive */
} ci_generation;

/* The model's own defaults (generation_config.json; without that file the generation keys of config.json, as old OPUS
 * repositories have them, on top of the defaults of its model_type) overridden by kwargs (generation_kwargs of the
 * request, may be NULL). Any of the JSON values may be NULL. Unknown keys of kwargs are an error with the nearest name;
 * unknown keys of the files are ignored. A null in kwargs takes the file's value away, as it does in transformers.
 * Options of transformers that are not supported are an error unless they have the value that does nothing. where: the
 * model's folder, for errors in its files; errors in kwargs name generation_kwargs. */
ci_status ci_generation_read(const json_t *generation_config, const json_t *config, const json_t *kwargs,
                             const char *where, ci_generation *generation, ci_error *err);
void ci_generation_free(ci_generation *generation);
/* The table of generation_kwargs, for help and completion. */
extern const ci_option ci_generation_options[];

typedef struct {
  int32_t *ids; /* the prefix and what followed (with the closing eos); ci_free */
  size_t count;
  int branch; /* that holds ids[0..count-1): the last token was not fed to the model. -1 if none does */
} ci_generated;

/* prefix: the decoder's ids so far (prompt, or decoder start), already in `branch`, whose last position gave `logits`
 * (vocabulary floats, may be changed). encoder_decoder: names the prefix in errors (lengths are counted alike).
 * positions: the largest length the model can take (0: unknown): out->count never exceeds it.
 * Errors: CI_EINVAL when the prefix leaves no room or an option does not fit the vocabulary, CI_EMODEL for NaN logits,
 * CI_ECANCEL when progress asks for it, and what advance returns. */
ci_status ci_generate(const ci_generation *generation, const ci_stepper *stepper, const int32_t *prefix,
                      size_t prefix_count, bool encoder_decoder, size_t positions, int branch, float *logits,
                      ci_generated *out, ci_error *err);

#endif
