/* cinseq: which input tokens did each generated token come from?
 *
 * The only public header. A model is opened, a request (a JSON object with Inseq's argument names) is run on it, and
 * the result is shown, saved or read as numbers:
 *
 *   cinseq_model *model;  cinseq_result *result;  cinseq_error error;
 *   if (cinseq_model_open("zh-en-mini", NULL, NULL, &model, &error)) ...error.message...
 *   if (cinseq_attribute(model, "{\"input_texts\": [\"...\"]}", NULL, &result, &error)) ...
 *
 * Errors. A function that can fail returns CINSEQ_OK (0) or another CINSEQ_ code, and then has filled *error, unless
 *   error is NULL, and set what it would have made to NULL. The library never exits and never prints; it sets no signal
 *   handler and no environment variable. Numbers are written with a point whatever the program's locale is.
 * Ownership. What a handle returns lives as long as the handle. The caller closes what cinseq_model_open,
 *   cinseq_attribute, cinseq_result_load and cinseq_result_aggregate made, and frees texts (char *) with cinseq_free. A
 *   result does not need its model: either may be closed first. Close and free take NULL.
 * Threads. There is no global state. A model never changes once it is open: any number of threads may run requests on
 *   one, and each gets the numbers that it would get alone. A result may be read by several threads at a time. A handle
 *   is closed when nobody uses it any more. Each request has threads of its own ("threads" in the request, by default
 *   one for each processor) which have ended when it returns.
 * Texts are UTF-8. Pointers must not be NULL where it does not say that they may.
 * ABI. Handles are opaque, and a new option is a new key of a request. The structs below and the functions keep
 *   their form as long as the library's SONAME has the same number. */
#ifndef CINSEQ_H
#define CINSEQ_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CINSEQ_VERSION "0.1.0" /* of this header; cinseq_version() is that of the library */
#define CINSEQ_API     __attribute__((visibility("default")))

enum {
  CINSEQ_OK,
  CINSEQ_EINVAL, /* the request, an option or a text is wrong */
  CINSEQ_EFILE,  /* a file cannot be read or written, or is damaged */
  CINSEQ_EMODEL, /* a model that cannot be run: unknown architecture, missing tensor, values that are not finite */
  CINSEQ_ENOMEM, /* memory is out, or the budget of the request too small */
  CINSEQ_ECANCEL /* the progress hook has asked for the end */
};

typedef struct {
  int code;           /* a CINSEQ_ code, the one that was returned */
  char where[512];    /* file, tensor, or key of the request; may be empty */
  char message[1024]; /* one line, without a line break */
} cinseq_error;

/* An open model: weights (mapped from its files) and tokenizer. */
typedef struct cinseq_model cinseq_model;
/* What an attribution gives: a sequence for each input text. */
typedef struct cinseq_result cinseq_result;
/* A part of a result. */
typedef struct cinseq_sequence cinseq_sequence;

typedef enum {
  CINSEQ_SOURCE, /* the input of an encoder-decoder; decoder-only: the prompt once more, which has no scores of its own
                  */
  CINSEQ_TARGET  /* decoder-only: the prompt and what follows; encoder-decoder: from the decoder start token on */
} cinseq_side;

/* What happens during a call; every member may be NULL. Both functions are called from the thread that made the call,
 * which is then in the locale "C". */
typedef struct {
  /* Called now and then, up to ten times a second with the same news. stage is a word ("generating", "attributing",
   * "forward", "connecting", "downloading"), done and total count target tokens, bytes where it is "downloading" (total 0:
   * unknown). A value other than 0 ends the call with
   * CINSEQ_ECANCEL. */
  int (*progress)(void *context, const char *stage, size_t done, size_t total);
  /* Something that the user should know, in one line. NULL: dropped. */
  void (*warning)(void *context, const char *message);
  void *context; /* handed to both */
} cinseq_hooks;

/* ---- the library ---- */

/* "0.1.0", of the library that is running. */
CINSEQ_API const char *cinseq_version(void);
/* {"version": text, "cpu": [features in use], "gemm": [back ends], "libraries": {name: version}}, as JSON.
 * NULL: no memory. Free with cinseq_free. */
CINSEQ_API char *cinseq_build_info(void);
/* What this build can do, as a JSON array of {"id", "help", "options": [{"name", "flags": [..], "type", "default",
 * "choices", "kind", "min", "max", "help"}], ...}; "choices", "kind" (the choices are the ids of that kind), "min" and
 * "max" only where there are some. kind: "methods", "scores", "models" (architectures), "aggregators", "functions",
 * "formats", "tokenizers", "outputs" (with "endings", those of their files' names), "installed" (models by name, with
 * their folder as help) "kinds" (all of these) or "commands": the options of "open", "download", "attribute", "generate", "show" and "save"
 * there are the keys of those requests. NULL: no such kind, or no memory. Free with cinseq_free. */
CINSEQ_API char *cinseq_describe(const char *kind);
/* Frees a text that a function of this header has returned. text may be NULL. */
CINSEQ_API void cinseq_free(void *text);

/* ---- models ---- */

/* Opens a model. path: a folder in the Hugging Face layout, a .gguf file, the name of an installed model ("zh-en-mini"), which is
 * looked for in share/cinseq/models of the prefix that the library (or the program it is linked into) lies in, or a name of the
 * Hugging Face hub ("gpt2", "owner/name", "owner/name:Q4_K_M"), which is looked for in the hub's cache and else downloaded there:
 * the environment says where and how (HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE, ...).
 * options_json: {"model_kwargs": {}, "tokenizer_kwargs": {}, "revision": text, "tokenizer": path}, values that replace those of
 * config.json and tokenizer_config.json, the hub's branch, tag or commit, and a model (as path) whose tokenizer is used instead
 * of its own; or NULL. hooks (warnings, progress of a download) may be NULL. *model is closed with cinseq_model_close. The files
 * are mapped and must not be changed while it is open: where one becomes shorter, the system raises SIGBUS (see
 * cinseq_model_file_at). */
CINSEQ_API int cinseq_model_open(const char *path, const char *options_json, const cinseq_hooks *hooks,
                                 cinseq_model **model, cinseq_error *error);
/* A tensor in memory, as a PyTorch model's state dict has it. */
typedef struct {
  const char *name;  /* "transformer.h.0.attn.c_attn.weight" */
  const char *dtype; /* as safetensors writes it: "F32", "F16", "BF16", "I8" (codes of bitsandbytes, with their "SCB"), ... */
  size_t rank;       /* number of dimensions, 8 at most */
  size_t shape[8];
  const void *data; /* in row-major order without gaps; copied only where it is not aligned for its type */
} cinseq_tensor;

/* Opens a model whose weights a program has in memory. name: what results and errors call it. files_json:
 * {"config.json": {}, "generation_config.json": {}}, what these files would hold; the second may be missing. tensors[count]
 * may go when the call returns, but what their data point to must stay, and not change while a request runs, until the
 * model is closed. options_json as above; its "tokenizer" says whose tokenizer is used. */
CINSEQ_API int cinseq_model_open_tensors(const char *name, const char *files_json, const cinseq_tensor *tensors, size_t count,
                                         const char *options_json, const cinseq_hooks *hooks, cinseq_model **model,
                                         cinseq_error *error);
/* Where the model lies that a name means: a folder or a .gguf file, as cinseq_model_open would find it with the same
 * options, downloaded if need be. *located: free with cinseq_free. */
CINSEQ_API int cinseq_model_locate(const char *path, const char *options_json, const cinseq_hooks *hooks, char **located,
                                   cinseq_error *error);
/* Downloads a model of the Hugging Face hub, or what of it the cache lacks. request_json: {"files": [names, patterns],
 * "revision": text, "cache_dir": text}, the keys of "download"; NULL: what the model needs, of main, into the usual cache. hooks
 * may be NULL. *report: {"path": of the model (or of the one file), "commit": text or null, "files": n, "bytes": n}, what was
 * downloaded, as JSON. Free with cinseq_free. */
CINSEQ_API int cinseq_model_download(const char *name, const char *request_json, const cinseq_hooks *hooks, char **report,
                                     cinseq_error *error);
/* What was opened, as a JSON object: path, architecture, class, parameters, layers, heads, width, vocabulary,
 * positions, the checkpoint's format, files' bytes and types, "special_ids" (bos, eos, pad, unk, decoder_start: as the model
 * uses them, -1: none), and the tokenizer's class, kind, size and its own special ids.
 * NULL: no memory. Free with cinseq_free. */
CINSEQ_API char *cinseq_model_info(const cinseq_model *model);
/* The modules of transformers that hold the model's weights, as a JSON array of dotted paths from the outside in: "transformer",
 * "transformer.h", "transformer.h.0", ... What "target_layer" takes; more than one block is refused there. NULL: no memory. Free
 * with cinseq_free. */
CINSEQ_API char *cinseq_model_modules(const cinseq_model *model);
/* The model's settings as a JSON object {"config.json": {}, "generation_config.json": {}}, the second only where there is one:
 * with model_kwargs and the architecture's defaults in the first. NULL: no memory. Free with cinseq_free. */
CINSEQ_API char *cinseq_model_files(const cinseq_model *model);
/* The path of the model's file that is mapped at address (a SIGBUS handler's si_addr); NULL: none. It only reads: a
 * signal handler may call it. Lives as the model. */
CINSEQ_API const char *cinseq_model_file_at(const cinseq_model *model, const void *address);
CINSEQ_API void cinseq_model_close(cinseq_model *model);

/* ---- tokens ---- */

/* The ids of a text and the tokens as the tokenizer writes them, as a JSON object {"ids": [..], "tokens": [..]}. options_json:
 * NULL, or {"add_special_tokens": true, "as_targets": false} (as_targets: by the target's tokenizer, of models that have
 * one). Free with cinseq_free. */
CINSEQ_API int cinseq_encode(const cinseq_model *model, const char *text, const char *options_json, char **json,
                             cinseq_error *error);
/* The text of ids, count of them. skip_special: leave special tokens out (0: no). Free with cinseq_free. */
CINSEQ_API int cinseq_decode(const cinseq_model *model, const int32_t *ids, size_t count, int skip_special, char **text,
                             cinseq_error *error);
/* What transformers' tokenizer object answers, as a JSON object: "class", "kind", "vocab_size", "length" (of its get_vocab), "ids"
 * (the largest id + 1), "special_tokens" {"eos_token": "</s>", ...}, "all_special_tokens", "all_special_ids",
 * "additional_special_tokens", "chat_template" (or null), "languages" {code: id}, "src_lang" and "tgt_lang" of tokenizers that
 * have languages; "model_max_length", "padding_side" and "truncation_side" where tokenizer_config.json says them. NULL: no memory.
 * Free with cinseq_free. */
CINSEQ_API char *cinseq_tokenizer_info(const cinseq_model *model);
/* A conversation as a prompt, by the model's chat template: what apply_chat_template(tokenize=False) gives, special tokens
 * included. messages: [{"role": "user", "content": text}, ...] as JSON, or only what the user says. options_json: NULL, or
 * {"chat_template": another template, "variables": {"add_generation_prompt": true, "tools": [], ...}}. Free with cinseq_free. */
CINSEQ_API int cinseq_chat(const cinseq_model *model, const char *messages, const char *options_json, char **prompt,
                           cinseq_error *error);
/* The token of an id as the tokenizer writes it, NULL: there is none. Lives as the model. */
CINSEQ_API const char *cinseq_token(const cinseq_model *model, int32_t id);
/* The id of a token, -1: there is none. */
CINSEQ_API int32_t cinseq_token_id(const cinseq_model *model, const char *token);
/* The text of one token: without its marks, bytes put together. Free with cinseq_free; NULL: no memory. */
CINSEQ_API char *cinseq_token_text(const cinseq_model *model, const char *token);

/* ---- runs ---- */

/* Says which input tokens each generated token came from. request_json: an object with the keys that
 * cinseq_describe("commands") lists for "attribute"; only "input_texts" is needed. Texts that are not forced
 * ("generated_texts") are generated first. hooks may be NULL. *result has one sequence for each input text, not yet
 * aggregated, and is closed with cinseq_result_close. With "keep_finished" a run that the progress hook has ended gives
 * CINSEQ_OK and the sequences of the texts that were done (cinseq_result_count), CINSEQ_ECANCEL only where none was. */
CINSEQ_API int cinseq_attribute(const cinseq_model *model, const char *request_json, const cinseq_hooks *hooks,
                                cinseq_result **result, cinseq_error *error);
/* The logits that predict one target token, for a step function. */
typedef struct {
  const float *logits; /* [vocabulary] */
  size_t vocabulary;
  int32_t target;  /* the token's id */
  size_t position; /* its position in the target, as cinseq_sequence_range counts */
  /* The text that it belongs to, whatever a method has changed of it: which of the request's, counted from 0; the ids of
   * the source (decoder-only: none); and of the target, of which [0, position) were there when it was predicted. */
  size_t text;
  const int32_t *source, *ids;
  size_t source_count, id_count;
  /* Of a contrastive score: the aligned token of the contrast, and the logits that predict it; as attributed_fn they are
   * the text's own (`logits` itself) without contrast_force_inputs. NULL: no contrast. */
  const float *contrast_logits;
  int32_t contrast_target;
} cinseq_prediction;

/* A step function of the caller's own, which a request names in "step_scores" or "attributed_fn" like those that there
 * are. Its functions are called from several threads at a time, also with logits of texts that a method has changed.
 */
typedef struct {
  const char *name; /* in place of that of cinseq_describe("scores"), where there is one */
  /* The score. */
  double (*value)(void *context, const cinseq_prediction *prediction);
  /* slope[i] = d value / d logits[i] for all i < vocabulary; they are 0 before the call. NULL: there is none, and only
   * methods that need none (occlusion, ...) can attribute the score. */
  void (*gradient)(void *context, const cinseq_prediction *prediction, float *slope);
  void *context; /* handed to both */
  /* Not 0: takes the arguments of contrast_prob (contrast_targets, contrast_sources, contrast_targets_alignments,
   * contrast_force_inputs), and is told of the contrast. */
  int contrastive;
} cinseq_score;

/* cinseq_attribute with step functions of the caller: scores[score_count], which are only read during the call. */
CINSEQ_API int cinseq_attribute_with(const cinseq_model *model, const char *request_json, const cinseq_score *scores,
                                     size_t score_count, const cinseq_hooks *hooks, cinseq_result **result,
                                     cinseq_error *error);
/* A step function of the library's, on logits of the caller. id: of cinseq_describe("scores"), whose options options_json
 * holds (NULL: none). prediction: logits, vocabulary and target are read, of a contrastive function contrast_logits and
 * contrast_target too. slope: [vocabulary], gets d *value / d logits (contrast_logits are constants, unless they are the
 * same array); NULL: not wanted. CINSEQ_EINVAL: no such function or option, no gradient, no contrast;
 * mc_dropout_prob_avg, which is of several passes over a text. */
CINSEQ_API int cinseq_score_value(const char *id, const char *options_json, const cinseq_prediction *prediction, double *value,
                                  float *slope, cinseq_error *error);
/* Generates text. request_json: the keys of "generate"; only "input_texts" (or "input_ids") is needed. hooks may be NULL. *lines: one
 * JSON object a line for each input: input_ids, output_ids, text (output_ids and text of a decoder-only model start with
 * the prompt, but for the text of a chat; those of an encoder-decoder with the decoder start token). Free with cinseq_free. */
CINSEQ_API int cinseq_generate(const cinseq_model *model, const char *request_json, const cinseq_hooks *hooks,
                               char **lines, cinseq_error *error);

/* Writes values of the model's nodes for the texts of a request of cinseq_attribute to a safetensors file: float32 tensors
 * [positions, width] by the nodes' names; after the last block [attributed tokens, width]. nodes: a pattern of names
 * ("decoder.*.output"), or a module of transformers ("model.layers[3].mlp"). Nothing is written after a failure. */
CINSEQ_API int cinseq_dump(const cinseq_model *model, const char *request_json, const char *nodes, const char *path,
                           const cinseq_hooks *hooks, cinseq_error *error);

/* ---- forwards ---- */

/* Tokens that a model is given. */
typedef struct {
  const int32_t *ids;      /* [count]; may be NULL where there are embeddings */
  const float *embeddings; /* [count, cinseq_embedding_width], in place of those of the ids; NULL: those of the ids */
  size_t count;
} cinseq_input;

/* How many numbers a token of that side comes into the model with; 0: the model has no such side. */
CINSEQ_API size_t cinseq_embedding_width(const cinseq_model *model, cinseq_side side);
/* What attributions are of: values[count, cinseq_embedding_width], the embeddings of ids as the model scales them, without
 * positions. CINSEQ_EINVAL: no such side or id. */
CINSEQ_API int cinseq_embed(const cinseq_model *model, cinseq_side side, const int32_t *ids, size_t count, float *values,
                            cinseq_error *error);
/* One forward over a text of the caller's tokens. source: of an encoder-decoder; NULL for others. target: the decoder's
 * tokens, its start token among them. logits: [target->count - first, vocabulary of cinseq_model_info], row i is what follows
 * target token first + i. options_json: NULL, or the keys "threads", "gemm", "device" of a request. hooks may be NULL; its
 * progress ("forward", 0, 0) can end the call. CINSEQ_EINVAL: no tokens, too many, an id that there is not. */
CINSEQ_API int cinseq_logits(const cinseq_model *model, const cinseq_input *source, const cinseq_input *target, size_t first,
                             const char *options_json, const cinseq_hooks *hooks, float *logits, cinseq_error *error);

/* Says of a request, without a model, what cinseq_attribute ("attribute"), cinseq_generate ("generate"),
 * cinseq_model_open ("open"), cinseq_model_download ("download") or cinseq_result_render ("show") would refuse of it: unknown keys, methods and scores,
 * wrong types and ranges. What depends on the model is found when it runs. request_json may be NULL: all defaults. */
CINSEQ_API int cinseq_request_check(const char *command, const char *request_json, cinseq_error *error);

/* ---- results ---- */

/* Saves as Inseq 0.7's JSON file, whole or not at all: the real Inseq loads it. */
CINSEQ_API int cinseq_result_save(const cinseq_result *result, const char *path, cinseq_error *error);
/* The same with choices of Inseq's save(): options_json is NULL or an object with the keys of "save", "scores_precision"
 * ("float32", "float16", "float8"), "compress", "use_primitives", "ndarray_compact". */
CINSEQ_API int cinseq_result_save_as(const cinseq_result *result, const char *path, const char *options_json, cinseq_error *error);
/* Loads such a file, written by Inseq (0.5 to 0.7) or by cinseq, also one that is compressed with gzip. *result is closed with cinseq_result_close. */
CINSEQ_API int cinseq_result_load(const char *path, cinseq_result **result, cinseq_error *error);
/* The same of a text: what cinseq_result_render gives as "json". Arrays may be null, to be set after. CINSEQ_EINVAL says
 * where it is none. */
CINSEQ_API int cinseq_result_parse(const char *text, cinseq_result **result, cinseq_error *error);
/* The result as text of one of the outputs of cinseq_describe("outputs"): "terminal" (heat tables), "html" (one page
 * that needs no other file, no network and no script), "json" (what cinseq_result_save writes), ... What draws tables
 * is aggregated first, as cinseq_result_aggregate does. options_json: NULL, or an object with the keys of "show":
 * "color"
 * ("none", "256", "truecolor") and "width" (columns; 0: no limit) of a terminal, "clean_tokens" (bool), "min_val",
 * "max_val", "attribution_aggregators", ...; an output passes over those that mean nothing to it. *text: free with
 * cinseq_free. CINSEQ_EINVAL for an unknown output or option. */
CINSEQ_API int cinseq_result_render(const cinseq_result *result, const char *output, const char *options_json,
                                    char **text, cinseq_error *error);
/* What was saved in step index of a run with output_step_attributions; NULL past the end. Steps of all sequences, one
 * after the other: each a sequence with one column. */
CINSEQ_API const cinseq_sequence *cinseq_result_step(const cinseq_result *result, size_t index);
/* Inseq's info about the run as a JSON object: the model, the method and its arguments, input_texts, generated_texts,
 * ... NULL: no memory. Free with cinseq_free. */
CINSEQ_API char *cinseq_result_info(const cinseq_result *result);
/* What the run took, as a JSON object: {"sequences": n, "source_tokens": n, "target_tokens": n, "attributed_tokens": n,
 * "seconds": s, "peak_bytes": n, "gemm_rows": n, "gemm_calls": n, ...}; {} for a result that was loaded or aggregated.
 * NULL: no memory. Free with cinseq_free. */
CINSEQ_API char *cinseq_result_statistics(const cinseq_result *result);
CINSEQ_API void cinseq_result_close(cinseq_result *result);

/* ---- numbers ---- */

/* Numbers in row-major order: element [i][j] of two dimensions is data[i * shape[1] + j]. */
typedef struct {
  const float *data; /* NULL: there are none */
  size_t rank;       /* number of dimensions; 0 where data is NULL */
  size_t shape[8];   /* shape[rank...] are 0 */
} cinseq_array;

/* The number of sequences: one for each input text. */
CINSEQ_API size_t cinseq_result_count(const cinseq_result *result);
/* The sequence of input text index, counted from 0; NULL past the end. Belongs to the result, as all that the functions
 * below return. */
CINSEQ_API const cinseq_sequence *cinseq_result_sequence(const cinseq_result *result, size_t index);
/* A result with the attributions reduced to one number for each pair of tokens, as the tables show it: the default of
 * Inseq for the method (gradients: the L2 norm over the embedding; attention: the mean over layers and heads; then each
 * column is divided by the sum of its magnitudes over source and target). What has two dimensions stays as it is.
 * options_json: NULL, or an object with keys of "show", of which "attribution_aggregators" and the aggregators' own
 * ("normalize") say it otherwise. *aggregated is closed with cinseq_result_close. */
CINSEQ_API int cinseq_result_aggregate(const cinseq_result *result, const char *options_json,
                                       cinseq_result **aggregated, cinseq_error *error);

/* The difference of two results of the same shape: other's scores less those of result, where tokens differ "a -> b".
 * *difference is closed with cinseq_result_close. */
CINSEQ_API int cinseq_result_pair(const cinseq_result *result, const cinseq_result *other, cinseq_result **difference,
                                  cinseq_error *error);
/* One result with the sequences of all, in order: of one model, method and kind of step scores. results: [count], count
 * >= 1. *merged is closed with cinseq_result_close. */
CINSEQ_API int cinseq_result_merge(const cinseq_result *const results[], size_t count, cinseq_result **merged,
                                   cinseq_error *error);

CINSEQ_API size_t cinseq_sequence_token_count(const cinseq_sequence *sequence, cinseq_side side);
/* The token as the tokenizer writes it, and its id in *id (may be NULL). NULL past the end. */
CINSEQ_API const char *cinseq_sequence_token(const cinseq_sequence *sequence, cinseq_side side, size_t index,
                                             int32_t *id);
/* Which target tokens were attributed: start <= index < end. Each is a column: column j is target token start + j. */
CINSEQ_API void cinseq_sequence_range(const cinseq_sequence *sequence, size_t *start, size_t *end);
/* How much each token of `side` mattered for each attributed target token: [tokens, columns, ...]. Row i is token i of
 * that side; the last target tokens may have no row, since nothing follows them. NaN: the token was not there yet when
 * that column's was generated. Further dimensions are those of the method: the embedding's width for gradients, layers
 * and heads for attention; none when aggregated. No data where the method was not asked for that side. */
CINSEQ_API cinseq_array cinseq_sequence_attributions(const cinseq_sequence *sequence, cinseq_side side);
/* The name of step score index ("probability"), counted from 0; NULL past the end. */
CINSEQ_API const char *cinseq_sequence_score_name(const cinseq_sequence *sequence, size_t index);
/* The step scores of that name: [columns]. No data where the request did not ask for them. */
CINSEQ_API cinseq_array cinseq_sequence_scores(const cinseq_sequence *sequence, const char *name);

/* The class that Inseq gives such a sequence: "GranularFeatureAttributionSequenceOutput", ... */
CINSEQ_API const char *cinseq_sequence_class(const cinseq_sequence *sequence);
/* The name of sequence score index ("encoder_self_attentions"), counted from 0; NULL past the end. */
CINSEQ_API const char *cinseq_sequence_matrix_name(const cinseq_sequence *sequence, size_t index);
/* The sequence score of that name: [tokens, tokens, ...] of one side. No data where there is none. */
CINSEQ_API cinseq_array cinseq_sequence_matrix(const cinseq_sequence *sequence, const char *name);
/* Changes the numbers of sequence index of a result: a copy of *values (data NULL: none) becomes its
 * "source_attributions", "target_attributions", "step_scores.NAME" or "sequence_scores.NAME". CINSEQ_EINVAL, and nothing
 * changes, for shapes that are not those of its tokens. Arrays that were taken from that sequence before are gone. */
CINSEQ_API int cinseq_result_set(cinseq_result *result, size_t index, const char *member, const cinseq_array *values,
                                 cinseq_error *error);

/* ---- files ---- */

/* Writes text to path, whole or not at all: a file beside it, then renamed. CINSEQ_EFILE with the path. */
CINSEQ_API int cinseq_file_write(const char *path, const char *text, cinseq_error *error);

#ifdef __cplusplus
}
#endif
#endif
