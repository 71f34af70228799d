/* Requests: what cinseq_model_open, cinseq_attribute and cinseq_generate take as JSON. The tables are the one
 * description of every key: command line flags, help, bindings and documents are made from them. Keys are the names of
 * Inseq's attribute() and command line (spec 1.5 and 7). */
#ifndef CI_API_REQUEST_H
#define CI_API_REQUEST_H
#include "base/options.h"
#include "hub/hub.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CI_NOT_GIVEN INT64_MIN

/* How a request is run: never changes its result. */
typedef struct {
  int64_t threads;           /* 0: one for each processor */
  const char *memory_budget; /* as given: "256M", or NULL */
  size_t memory_bytes;       /* the same in bytes; 0: a fraction of the free memory */
  const char *gemm;          /* id of a row of gemm.def that is available here, or "auto" */
  const char *device;        /* "cpu" */
} ci_run_request;

typedef struct {
  json_t *model_kwargs;     /* keys put on top of config.json */
  json_t *tokenizer_kwargs; /* keys put on top of tokenizer_config.json */
  const char *revision;
  const char *tokenizer; /* folder, file or name; NULL: the model's own */
  ci_hub_request hub;    /* where to look for a name, without the name */
} ci_open_request;

typedef struct {
  json_t *files; /* array of names and patterns; empty: what the model needs */
  const char *revision, *cache_dir;
  ci_hub_request hub; /* the same, as the hub takes it; without the name */
} ci_download_request;

typedef struct {
  const char *attribution_method;   /* id of a method; not checked here */
  const char *attributed_fn;        /* id of a score; NULL: probability. Not checked here */
  json_t *input_texts;              /* array of 1 or more strings */
  json_t *input_ids;                /* of ci_generate_request */
  json_t *generated_texts;          /* array of as many strings as input_texts: forced outputs; NULL: generate */
  json_t *generated_ids;            /* array of as many arrays of int32 >= 0: the same as ids; NULL: none. Not both */
  json_t *step_scores;              /* array of score ids, may be empty; not checked here */
  bool attribute_target;            /* encoder-decoder: attribute to the target prefix too */
  bool output_step_attributions;    /* keep what each step gave apart too */
  bool generate_from_target_prefix; /* generated_texts are only the beginning of what is generated */
  bool include_eos_baseline;        /* baseline of end-of-sequence tokens is unk too */
  bool skip_special_tokens;         /* special tokens are cut from texts and not added */
  bool chat;                        /* input_texts are what the user says, generated_texts what is answered */
  bool keep_finished;               /* when the run is ended, give the texts that are done */
  bool clean_special_chars;         /* tokens are shown as convert_tokens_to_string gives them */
  int64_t attr_pos_start;           /* first target position attributed, may be negative; CI_NOT_GIVEN */
  int64_t attr_pos_end;             /* one past the last; CI_NOT_GIVEN */
  json_t *generation_kwargs;        /* object, read by ci_generation_read */
  json_t *attribution_kwargs;       /* object: arguments of the method, attributed_fn and step scores */
  int64_t batch_size;               /* 1 or more: accepted for Inseq's sake, no score depends on it */
  int64_t target_block;             /* targets in one backward pass; 0: as many as the budget allows */
  int64_t seed;                     /* of all that draws and is given none of its own; CI_NOT_GIVEN */
  ci_run_request run;
} ci_attribute_request;

typedef struct {
  json_t *input_texts;       /* array of 1 or more strings, or NULL */
  json_t *input_ids;         /* array of 1 or more arrays of ids, or NULL: one of both */
  json_t *generation_kwargs; /* object, read by ci_generation_read */
  bool skip_special_tokens;  /* special tokens are cut from texts and not added */
  bool chat;                 /* input_texts are what the user says */
  int64_t batch_size;        /* as above */
  int64_t seed;              /* of sampling; CI_NOT_GIVEN */
  ci_run_request run;
} ci_generate_request;

extern const ci_option ci_open_options[], ci_download_options[], ci_attribute_options[], ci_generate_options[];

/* Reads request_json (NULL: all defaults) and checks what can be checked without a model. Everything that *request
 * points to belongs to *owner, which is closed with json_decref; *owner is NULL after a failure. Errors: CI_EINVAL with
 * the key. */
ci_status ci_open_request_read(const char *request_json, ci_open_request *request, json_t **owner, ci_error *err);
ci_status ci_download_request_read(const char *request_json, ci_download_request *request, json_t **owner,
                                   ci_error *err);
ci_status ci_attribute_request_read(const char *request_json, ci_attribute_request *request, json_t **owner,
                                    ci_error *err);
ci_status ci_generate_request_read(const char *request_json, ci_generate_request *request, json_t **owner,
                                   ci_error *err);

/* "1000", "256M", "1.5G", "64k", also "MB" and "MiB": powers of 1024. Null and 0 are 0 bytes. */
ci_status ci_memory_size_read(const char *where, const char *text, size_t *bytes, ci_error *err);

#endif
