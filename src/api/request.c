/* See request.h. */
#include "api/request.h"
#include "kernels/gemm.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AT(field) offsetof(REQUEST, field)

/* clang-format off */
/* Of every request that may draw random numbers. */
#define SEED_OPTION \
  {"seed", NULL, CI_INT, AT(seed), "null", 0, 9007199254740991, NULL, \
   "Start of all random numbers, the method's, the step functions' and sampling's, where their arguments name no other: the same " \
   "seed, the same numbers; none: 0."}

/* The last rows of every request that runs a model. */
#define RUN_OPTIONS \
  {"batch_size", "-bs", CI_INT, AT(batch_size), "8", 1, 1e9, NULL, \
   "Accepted for Inseq's sake: texts are run one by one and no score depends on it."}, \
  {"device", "--dev", CI_WORD, AT(run.device), "\"cpu\"", 0, 0, NULL, "Device to run on: only cpu."}, \
  {"threads", NULL, CI_INT, AT(run.threads), "0", 0, 4096, NULL, "Number of threads; 0: one for each processor."}, \
  {"memory_budget", NULL, CI_WORD, AT(run.memory_budget), "null", 0, 0, NULL, \
   "Most memory to use for activations and gradients, such as 256M or 2G; none: a fraction of what is free."}, \
  {"gemm", NULL, CI_WORD, AT(run.gemm), "\"auto\"", 0, 0, NULL, \
   "Matrix product back end; auto: the first that is available."}

const ci_option ci_open_options[] = {
    {"model_kwargs", NULL, CI_TABLE, offsetof(ci_open_request, model_kwargs), "{}", 0, 0, NULL,
     "Values that replace those of the model's config.json; \"load_in_8bit\": true (or a \"quantization_config\") and "
     "\"dtype\" (float32, float16, bfloat16, auto) say how weights are loaded; from_pretrained's arguments for the hub: revision, "
     "cache_dir, token, local_files_only."},
    {"tokenizer_kwargs", NULL, CI_TABLE, offsetof(ci_open_request, tokenizer_kwargs), "{}", 0, 0, NULL,
     "Values that replace those of the model's tokenizer_config.json."},
    {"revision", NULL, CI_WORD, offsetof(ci_open_request, revision), "null", 0, 0, NULL,
     "Branch, tag or commit of a model of the Hugging Face hub; none: main."},
    {"tokenizer", NULL, CI_WORD, offsetof(ci_open_request, tokenizer), "null", 0, 0, NULL,
     "Folder, file or name of a model whose tokenizer is used; none: the model's own."},
    CI_OPTIONS_END};

const ci_option ci_download_options[] = {
    {"files", NULL, CI_WORDS, offsetof(ci_download_request, files), "[]", 0, 0, NULL,
     "Files to download, or patterns with stars; none: those that the model needs."},
    {"revision", NULL, CI_WORD, offsetof(ci_download_request, revision), "null", 0, 0, NULL,
     "Branch, tag or commit; none: main."},
    {"cache_dir", NULL, CI_WORD, offsetof(ci_download_request, cache_dir), "null", 0, 0, NULL,
     "Folder that models are kept in; none: as HF_HUB_CACHE, HF_HOME or XDG_CACHE_HOME say, ~/.cache/huggingface/hub."},
    CI_OPTIONS_END};
/* clang-format on */

#define REQUEST ci_attribute_request
const ci_option ci_attribute_options[] = {
    {"input_texts", "-i", CI_TEXTS, AT(input_texts), "null", 0, 0, NULL,
     "One or more texts: the source of an encoder-decoder, the prompt of a decoder-only model. On the command line "
     "@FILE "
     "stands for the lines of a file and - for those of stdin, @@ for an @ that begins a text."},
    {"generated_texts", "-g", CI_TEXTS, AT(generated_texts), "null", 0, 0, NULL,
     "Outputs to force, one for each input, or @FILE; those of a decoder-only model start with the prompt."},
    {"generated_ids", NULL, CI_JSON, AT(generated_ids), "null", 0, 0, NULL,
     "Outputs to force as token ids: one array, or an array of arrays, one for each input."},
    {"attribution_method", "-a", CI_WORD, AT(attribution_method), "\"saliency\"", 0, 0, "@methods",
     "Attribution method: see cinseq list methods."},
    {"attributed_fn", "-fn", CI_WORD, AT(attributed_fn), "null", 0, 0, "@scores",
     "Score whose cause is sought: see cinseq list scores; none: probability."},
    {"step_scores", NULL, CI_WORDS, AT(step_scores), "[]", 0, 0, "@scores",
     "Scores to give for each generated token: see cinseq list scores."},
    {"output_step_attributions", NULL, CI_BOOL, AT(output_step_attributions), "false", 0, 0, NULL,
     "Keep what each generated token's step gave apart too, in the result and its file, as Inseq does."},
    {"attribute_target", NULL, CI_BOOL, AT(attribute_target), "false", 0, 0, NULL,
     "Attribute to the generated prefix of an encoder-decoder too."},
    {"attr_pos_start", "-s --start_pos", CI_INT, AT(attr_pos_start), "null", -1e9, 1e9, NULL,
     "First target position to attribute, counted from 0; negative: from the end."},
    {"attr_pos_end", "-e --end_pos", CI_INT, AT(attr_pos_end), "null", -1e9, 1e9, NULL,
     "Target position at which to stop; negative: from the end."},
    {"generate_from_target_prefix", NULL, CI_BOOL, AT(generate_from_target_prefix), "false", 0, 0, NULL,
     "The forced outputs of an encoder-decoder are only how the generated text begins."},
    {"include_eos_baseline", "--eos", CI_BOOL, AT(include_eos_baseline), "false", 0, 0, NULL,
     "Replace the end-of-sequence token too where the method compares with a baseline."},
    {"chat", NULL, CI_BOOL, AT(chat), "false", 0, 0, NULL,
     "Input texts are what the user says (or messages as JSON): put them into the model's chat template; forced "
     "outputs are the answers."},
    {"skip_special_tokens", NULL, CI_BOOL, AT(skip_special_tokens), "false", 0, 0, NULL,
     "Remove special tokens from the texts and add none."},
    {"clean_special_chars", NULL, CI_BOOL, AT(clean_special_chars), "false", 0, 0, NULL,
     "Store tokens as text, without the tokenizer's marks for spaces."},
    {"generation_kwargs", NULL, CI_TABLE, AT(generation_kwargs), "{}", 0, 0, NULL,
     "Arguments of generation by their transformers names: max_new_tokens, num_beams, ..."},
    {"attribution_kwargs", NULL, CI_TABLE, AT(attribution_kwargs), "{}", 0, 0, NULL,
     "Arguments of the method, the attributed score and the step scores: n_steps, step_scores_args, ..."},
    {"keep_finished", NULL, CI_BOOL, AT(keep_finished), "false", 0, 0, NULL,
     "Where the progress hook ends the run: a result of the texts that are done, if there are any."},
    {"target_block", NULL, CI_INT, AT(target_block), "0", 0, 1e9, NULL,
     "Generated tokens whose gradients are computed together; 0: as many as the memory budget allows."},
    SEED_OPTION,
    RUN_OPTIONS,
    CI_OPTIONS_END};
#undef REQUEST

#define REQUEST ci_generate_request
const ci_option ci_generate_options[] = {
    {"input_texts", "-i", CI_TEXTS, AT(input_texts), "null", 0, 0, NULL,
     "One or more texts: the source of an encoder-decoder, the prompt of a decoder-only model. On the command line "
     "@FILE "
     "stands for the lines of a file and - for those of stdin, @@ for an @ that begins a text."},
    {"input_ids", NULL, CI_JSON, AT(input_ids), "null", 0, 0, NULL,
     "Inputs as token ids instead of texts: one array, or an array of arrays."},
    {"generation_kwargs", NULL, CI_TABLE, AT(generation_kwargs), "{}", 0, 0, NULL,
     "Arguments of generation by their transformers names: max_new_tokens, num_beams, ..."},
    {"chat", NULL, CI_BOOL, AT(chat), "false", 0, 0, NULL,
     "Input texts are what the user says (or messages as JSON): put them into the model's chat template."},
    {"skip_special_tokens", NULL, CI_BOOL, AT(skip_special_tokens), "false", 0, 0, NULL,
     "Remove special tokens from the texts and add none."},
    SEED_OPTION,
    RUN_OPTIONS,
    CI_OPTIONS_END};
#undef REQUEST

/* The powers of 1024 by the first letter of the unit. */
static const char units[] = "kmgt";

ci_status ci_memory_size_read(const char *where, const char *text, size_t *bytes, ci_error *err) {
  *bytes = 0;
  if (!text) return CI_OK;
  const char *end = text + strspn(text, "0123456789.");
  char *stop;
  double number = end > text ? strtod(text, &stop) : -1;
  bool good = end > text && stop == end && number >= 0;
  if (good && *end) {
    char letter = (char)(*end | 0x20);
    const char *unit = strchr(units, letter);
    if (unit)
      number = ldexp(number, (int)(10 * (unit - units + 1)));
    else
      good = letter == 'b';
    const char *rest = end + (unit != NULL);
    good = good && (*rest == 0 || strcasecmp(rest, "b") == 0 || strcasecmp(rest, "ib") == 0);
  }
  if (!good || number > (double)(SIZE_MAX / 4))
    return ci_fail(err, CI_EINVAL, where, "\"%s\" is not an amount of memory, expected one like 256M or 2G", text);
  *bytes = (size_t)number;
  return CI_OK;
}

static ci_status check_run(ci_run_request *run, ci_error *err) {
  if (!run->device) run->device = "cpu";
  if (strcmp(run->device, "cpu") != 0)
    return ci_fail(err, CI_EINVAL, "device", "\"%s\" is not supported: only cpu is", run->device);
  if (!run->gemm) run->gemm = "auto";
  if (!ci_gemm_named(run->gemm)) {
    ci_text names = {0};
    for (size_t i = 0; ci_gemm_at(i); i++)
      if (ci_gemm_named(ci_gemm_at(i)->id)) ci_text_add_format(&names, ", %s", ci_gemm_at(i)->id);
    ci_status status = ci_fail(err, CI_EINVAL, "gemm", "no back end \"%s\" here, expected auto%s", run->gemm,
                               names.data && !names.failed ? names.data : "");
    ci_text_free(&names);
    return status;
  }
  return ci_memory_size_read("memory_budget", run->memory_budget, &run->memory_bytes, err);
}

static ci_status check_inputs(const json_t *texts, ci_error *err) {
  if (json_array_size(texts) > 0) return CI_OK;
  return ci_fail(err, CI_EINVAL, "input_texts", "no text is given, expected one or more");
}

/* One row of ids: token ids that fit a model's int32. where: the key. */
static ci_status check_ids(const char *where, const json_t *ids, ci_error *err) {
  if (json_array_size(ids) == 0)
    return ci_fail(err, CI_EINVAL, where, "expected an array of token ids, or an array of such arrays");
  size_t i;
  const json_t *id;
  json_array_foreach(ids, i, id) {
    int64_t value;
    if (!ci_json_as_int(id, &value) || value < 0 || value > INT32_MAX)
      return ci_fail(err, CI_EINVAL, where, "member %zu is not a token id", i);
  }
  return CI_OK;
}

/* Makes an array of arrays of one array, which is owner's, and checks all of them. */
static ci_status check_rows(const char *where, json_t **ids, json_t *owner, ci_error *err) {
  if (!json_is_array(json_array_get(*ids, 0))) {
    json_t *rows = json_pack("[O]", *ids);
    if (!rows || json_array_append_new(owner, rows)) return ci_fail_memory(err);
    *ids = rows;
  }
  ci_status status = CI_OK;
  for (size_t i = 0; i < json_array_size(*ids) && !status; i++) status = check_ids(where, json_array_get(*ids, i), err);
  return status;
}

/* Forced outputs: texts or ids, one for each input. */
static ci_status check_forced(ci_attribute_request *request, json_t *owner, ci_error *err) {
  size_t inputs = json_array_size(request->input_texts), forced = json_array_size(request->generated_texts);
  if (request->generated_texts && request->generated_ids)
    return ci_fail(err, CI_EINVAL, "generated_ids", "is given together with generated_texts, expected one of them");
  if (request->generated_texts && forced != inputs)
    return ci_fail(err, CI_EINVAL, "generated_texts", "%zu for %zu input_texts, expected one for each", forced, inputs);
  if (!request->generated_ids) return CI_OK;
  ci_status status = check_rows("generated_ids", &request->generated_ids, owner, err);
  if (!status && json_array_size(request->generated_ids) != inputs)
    status = ci_fail(err, CI_EINVAL, "generated_ids", "%zu for %zu input_texts, expected one for each",
                     json_array_size(request->generated_ids), inputs);
  return status;
}

/* *object is a member of the new *owner, or NULL when nothing is given. */
static ci_status read_request(const ci_option *table, const char *json, void *request, json_t **object, json_t **owner,
                              ci_error *err) {
  *object = NULL;
  *owner = json_array();
  if (!*owner) return ci_fail_memory(err);
  ci_status status = CI_OK;
  if (json) {
    status = ci_json_parse("request", json, strlen(json), object, err);
    if (status == CI_EFILE) status = CI_EINVAL; /* it is no file's text */
    if (status && err) err->code = (int)status;
    if (status) return status;
    if (json_array_append_new(*owner, *object)) return ci_fail_memory(err);
  }
  return ci_options_parse(table, "request", *object, request, *owner, NULL, err);
}

static ci_status finish(ci_status status, json_t **owner) {
  if (status) {
    json_decref(*owner);
    *owner = NULL;
  }
  return status;
}

/* Arguments of from_pretrained that say where a model is looked for: no values of its config.json. */
typedef struct {
  const char *revision, *cache_dir;
  json_t *token;
  bool local_files_only;
} hub_kwargs;
static const ci_option hub_kwargs_table[] = {
    {"revision", NULL, CI_WORD, offsetof(hub_kwargs, revision), "null", 0, 0, NULL, NULL},
    {"cache_dir", NULL, CI_WORD, offsetof(hub_kwargs, cache_dir), "null", 0, 0, NULL, NULL},
    {"token", NULL, CI_JSON, offsetof(hub_kwargs, token), "null", 0, 0, NULL, NULL},
    {"local_files_only", NULL, CI_BOOL, offsetof(hub_kwargs, local_files_only), "false", 0, 0, NULL, NULL},
    CI_OPTIONS_END};

/* Moves those of model_kwargs into request->hub; what is left is a copy of owner's. */
static ci_status take_hub_kwargs(ci_open_request *request, json_t *owner, ci_error *err) {
  hub_kwargs kwargs = {0};
  json_t *others = json_array(), *rest = json_copy(request->model_kwargs);
  ci_status status = others && rest ? CI_OK : ci_fail_memory(err);
  if (!status)
    status = ci_options_parse(hub_kwargs_table, "model_kwargs", request->model_kwargs, &kwargs, owner, others, err);
  json_decref(others);
  for (const ci_option *o = hub_kwargs_table; o->name && rest; o++) json_object_del(rest, o->name);
  if (!rest || json_array_append_new(owner, rest)) return status ? status : ci_fail_memory(err);
  request->model_kwargs = rest;
  if (status) return status;
  if (kwargs.token && !json_is_string(kwargs.token) && !json_is_boolean(kwargs.token) && !json_is_null(kwargs.token))
    return ci_fail(err, CI_EINVAL, "model_kwargs", "\"token\": expected a string or a boolean");
  request->hub = (ci_hub_request){.revision = request->revision ? request->revision : kwargs.revision,
                                  .cache_dir = kwargs.cache_dir,
                                  .token = json_is_false(kwargs.token) ? "" : json_string_value(kwargs.token),
                                  .local_only = kwargs.local_files_only};
  return CI_OK;
}

ci_status ci_open_request_read(const char *request_json, ci_open_request *request, json_t **owner, ci_error *err) {
  json_t *object;
  memset(request, 0, sizeof *request);
  ci_status status = read_request(ci_open_options, request_json, request, &object, owner, err);
  if (!status) status = take_hub_kwargs(request, *owner, err);
  return finish(status, owner);
}

ci_status ci_download_request_read(const char *request_json, ci_download_request *request, json_t **owner,
                                   ci_error *err) {
  json_t *object;
  memset(request, 0, sizeof *request);
  ci_status status = read_request(ci_download_options, request_json, request, &object, owner, err);
  if (!status) request->hub = (ci_hub_request){.revision = request->revision, .cache_dir = request->cache_dir};
  return finish(status, owner);
}

static bool is_given(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return value && !json_is_null(value);
}

ci_status ci_attribute_request_read(const char *request_json, ci_attribute_request *request, json_t **owner,
                                    ci_error *err) {
  json_t *object;
  memset(request, 0, sizeof *request);
  ci_status status = read_request(ci_attribute_options, request_json, request, &object, owner, err);
  if (!status && !is_given(object, "attr_pos_start")) request->attr_pos_start = CI_NOT_GIVEN;
  if (!status && !is_given(object, "attr_pos_end")) request->attr_pos_end = CI_NOT_GIVEN;
  if (!status && !is_given(object, "seed")) request->seed = CI_NOT_GIVEN;
  if (!status && !request->attribution_method) request->attribution_method = "saliency";
  if (!status) status = check_run(&request->run, err);
  if (!status) status = check_inputs(request->input_texts, err);
  if (!status) status = check_forced(request, *owner, err);
  return finish(status, owner);
}

ci_status ci_generate_request_read(const char *request_json, ci_generate_request *request, json_t **owner,
                                   ci_error *err) {
  json_t *object;
  memset(request, 0, sizeof *request);
  ci_status status = read_request(ci_generate_options, request_json, request, &object, owner, err);
  if (!status && !is_given(object, "seed")) request->seed = CI_NOT_GIVEN;
  if (!status) status = check_run(&request->run, err);
  if (!status && request->input_ids && request->input_texts)
    status = ci_fail(err, CI_EINVAL, "input_ids", "is given together with input_texts, expected one of them");
  if (!status && request->input_ids && request->chat)
    status = ci_fail(err, CI_EINVAL, "input_ids", "is given together with chat, which is for texts");
  if (!status)
    status = request->input_ids ? check_rows("input_ids", &request->input_ids, *owner, err)
                                : check_inputs(request->input_texts, err);
  return finish(status, owner);
}
