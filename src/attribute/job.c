/* See job.h. Arguments travel as in Inseq (spec 1.5): attribution_kwargs holds arguments of attribute() itself, of the
 * method, of the attributed function and of step scores; names tell where they go, one may go to several.
 * attribution_args, attributed_fn_args and step_scores_args say it outright. */
#include "attribute/job.h"
#include "tokenizers/chat.h"
#include <string.h>

/* What one call owns: its job points into it. */
typedef struct {
  ci_job job;
  ci_compute compute;
  ci_attribute_request request;
  json_t *owner;
} opened;

static const char *const explicit_keys[] = {"attribution_args", "attributed_fn_args", "step_scores_args"};

static bool is_explicit(const char *key) {
  for (size_t i = 0; i < 3; i++)
    if (strcmp(key, explicit_keys[i]) == 0) return true;
  return false;
}

/* Methods and scores that have an option, as "gradient_shap, lime"; empty: none. */
static void add_owners(const char *key, ci_text *owners) {
  for (size_t i = 0; ci_method_at(i); i++)
    if (ci_method_at(i)->options && ci_options_find(ci_method_at(i)->options, key))
      ci_text_add_format(owners, "%s%s", owners->length ? ", " : "", ci_method_at(i)->id);
  for (size_t i = 0; ci_score_at(i); i++)
    if (ci_score_at(i)->options && ci_options_find(ci_score_at(i)->options, key))
      ci_text_add_format(owners, "%s%s", owners->length ? ", " : "", ci_score_at(i)->id);
}

/* An argument of attribute() that no method or score has too ("seed"). */
static bool is_of_attribute_alone(const char *key) {
  ci_text owners = {0};
  add_owners(key, &owners);
  bool alone = ci_options_find(ci_attribute_options, key) && !owners.length;
  ci_text_free(&owners);
  return alone;
}

/* Arguments of attribute() that stand among attribution_kwargs become keys of the request. */
static ci_status lift(const char *request_json, char **lifted, ci_error *err) {
  json_t *request;
  ci_status status = ci_json_parse("request", request_json, strlen(request_json), &request, err);
  if (status == CI_EFILE) status = CI_EINVAL; /* it is no file's text */
  if (status && err) err->code = (int)status;
  if (status) return status;
  json_t *kwargs = json_object_get(request, "attribution_kwargs"), *value;
  const char *key;
  void *next;
  json_object_foreach_safe(kwargs, next, key, value) {
    if (!is_of_attribute_alone(key) || json_object_get(request, key)) continue;
    if (json_object_set(request, key, value)) status = ci_fail_memory(err);
    json_object_del(kwargs, key);
  }
  if (!status && !(*lifted = ci_json_text(request, JSON_COMPACT))) status = ci_fail_memory(err);
  json_decref(request);
  return status;
}

/* Puts key: value among the arguments of one kind if its table has the key, and says so. */
static ci_status offer(const ci_option *table, json_t *arguments, const char *key, json_t *value, bool *known,
                       ci_error *err) {
  if (!table || !ci_options_find(table, key)) return CI_OK;
  *known = true;
  return json_object_set(arguments, key, value) ? ci_fail_memory(err) : CI_OK;
}

/* An option of other methods or scores than those asked for: says of which. CI_OK: of none. */
static ci_status of_others(const ci_job *job, const char *key, ci_error *err) {
  ci_text owners = {0};
  add_owners(key, &owners);
  ci_status status = CI_OK;
  if (owners.length && !owners.failed)
    status = ci_fail(err, CI_EINVAL, "attribution_kwargs",
                     "\"%s\" is an option of %s: neither %s nor the scores of this request have it", key, owners.data,
                     job->method->id);
  ci_text_free(&owners);
  return status;
}

static ci_status unknown_argument(const ci_job *job, const char *key, ci_error *err) {
  enum { MOST = 32 };
  const ci_option *tables[MOST] = {job->method->options, job->objective.score->options, ci_attribute_options};
  size_t count = 3;
  for (size_t i = 0; i < job->step_score_count && count < MOST; i++)
    tables[count++] = job->step_scores[i].score->options;
  ci_status status = of_others(job, key, err);
  if (!status && ci_options_find(ci_attribute_options, key)) /* lift has left it where it was */
    status = ci_fail(err, CI_EINVAL, "attribution_kwargs",
                     "\"%s\" is given a second time: it is an argument of its own", key);
  return status ? status : ci_options_unknown(tables, count, "attribution_kwargs", key, err);
}

/* Puts key: value among the arguments of all that have the option; known: one has. */
static ci_status offer_all(ci_job *job, const char *key, json_t *value, bool *known, ci_error *err) {
  ci_status status = offer(job->method->options, job->attribution_args, key, value, known, err);
  if (!status) status = offer(job->objective.score->options, job->attributed_fn_args, key, value, known, err);
  for (size_t i = 0; i < job->step_score_count && !status; i++)
    status = offer(job->step_scores[i].score->options, job->step_scores_args, key, value, known, err);
  return status;
}

/* The request's seed is that of all that draws, until their own arguments say otherwise. */
static ci_status route_seed(ci_job *job, ci_error *err) {
  if (job->request->seed == CI_NOT_GIVEN) return CI_OK;
  json_t *seed = json_integer(job->request->seed);
  bool known = false;
  ci_status status = seed ? offer_all(job, "seed", seed, &known, err) : ci_fail_memory(err);
  json_decref(seed);
  return status;
}

static ci_status route(ci_job *job, ci_error *err) {
  json_t *kwargs = job->request->attribution_kwargs, *value;
  json_t **groups[] = {&job->attribution_args, &job->attributed_fn_args, &job->step_scores_args};
  const char *key;
  for (size_t i = 0; i < 3; i++) {
    json_t *given = kwargs ? json_object_get(kwargs, explicit_keys[i]) : NULL;
    if (given && !json_is_object(given))
      return ci_fail(err, CI_EINVAL, "attribution_kwargs", "\"%s\" is not an object", explicit_keys[i]);
    *groups[i] = json_object();
    if (!*groups[i]) return ci_fail_memory(err);
  }
  ci_status status = route_seed(job, err);
  for (size_t i = 0; i < 3 && !status; i++) {
    json_t *given = kwargs ? json_object_get(kwargs, explicit_keys[i]) : NULL;
    if (given && json_object_update(*groups[i], given)) status = ci_fail_memory(err);
  }
  json_object_foreach(kwargs, key, value) {
    bool known = false;
    if (is_explicit(key)) continue;
    if (!status) status = offer_all(job, key, value, &known, err);
    if (!status && !known) status = unknown_argument(job, key, err);
  }
  return status;
}

static ci_status bind_options(ci_job *job, const ci_option *table, size_t size, const void *preset,
                              const json_t *arguments, const char *where, bool shared, void **options, ci_error *err) {
  *options = ci_alloc_zeroed(1, size ? size : 1);
  if (!*options) return ci_fail_memory(err);
  if (preset) memcpy(*options, preset, size);
  if (!table) {
    static const ci_option none[] = {CI_OPTIONS_END};
    table = none;
  }
  /* step scores share their arguments: each takes the ones it knows */
  json_t *unknown = shared ? json_array() : NULL;
  if (shared && !unknown) return ci_fail_memory(err);
  ci_status status = ci_options_parse(table, where, arguments, *options, job->keep, unknown, err);
  json_decref(unknown);
  return status;
}

/* Binds a score's options and has the score look at them. */
static ci_status bind_score(ci_job *job, ci_bound_score *bound, const json_t *arguments, const char *where,
                            bool attributed, ci_error *err) {
  const ci_score *score = bound->score;
  ci_status status = bind_options(job, score->options, score->options_size, score->preset, arguments, where,
                                  !attributed, &bound->options, err);
  return !status && score->check ? score->check(bound->options, attributed, where, err) : status;
}

/* One of the caller's, or of the table. */
static ci_status find_score(const ci_job *job, const char *id, const char *where, const ci_score **score,
                            ci_error *err) {
  for (size_t i = 0; i < job->custom_count; i++)
    if (strcmp(job->custom[i].score.id, id) == 0) return *score = &job->custom[i].score, CI_OK;
  return ci_score_named(id, where, score, err);
}

static ci_status find_scores(ci_job *job, ci_error *err) {
  const ci_attribute_request *r = job->request;
  ci_status status =
      find_score(job, r->attributed_fn ? r->attributed_fn : "probability", "attributed_fn", &job->objective.score, err);
  if (!status && !job->objective.score->gradient && job->method->kind == CI_GRANULAR && !job->method->forward_only)
    status = ci_fail(err, CI_EINVAL, "attributed_fn", "\"%s\" has no gradient", job->objective.score->id);
  job->step_score_count = 0;
  size_t count = json_array_size(r->step_scores);
  job->step_scores = ci_alloc_zeroed(count, sizeof *job->step_scores);
  if (!status && !job->step_scores) status = ci_fail_memory(err);
  for (size_t i = 0; i < count && !status; i++) {
    const ci_score *score = NULL;
    status = find_score(job, json_string_value(json_array_get(r->step_scores, i)), "step_scores", &score, err);
    bool twice = false;
    for (size_t j = 0; j < job->step_score_count; j++) twice = twice || job->step_scores[j].score == score;
    if (!status && !twice) job->step_scores[job->step_score_count++].score = score;
  }
  return status;
}

int ci_job_report(ci_job *job, const char *stage, size_t done, size_t total) {
  job->news.stage = stage;
  job->news.done = done;
  job->news.total = total;
  return job->hooks && job->hooks->progress ? job->hooks->progress(job->hooks->context, stage, done, total) : 0;
}

/* Between the nodes of a forward or backward. */
static int report_again(void *context) {
  ci_job *job = context;
  return ci_job_report(job, job->news.stage, job->news.done, job->news.total);
}

static ci_status read_attribution(ci_job *job, ci_error *err) {
  ci_status status = ci_method_named(job->request->attribution_method, &job->method, err);
  if (!status) status = find_scores(job, err);
  if (!status) status = route(job, err);
  if (!status)
    status = bind_options(job, job->method->options, job->method->options_size, NULL, job->attribution_args,
                          "attribution_kwargs", false, &job->method_options, err);
  if (!status) status = bind_score(job, &job->objective, job->attributed_fn_args, "attributed_fn_args", true, err);
  for (size_t i = 0; i < job->step_score_count && !status; i++)
    status = bind_score(job, &job->step_scores[i], job->step_scores_args, "step_scores_args", false, err);
  if (!status && job->model && job->request->attribute_target && !job->model->graph.encoder_decoder)
    ci_job_warn(
        job, "attribute_target is for encoder-decoder models: the prefix of a decoder-only model is always attributed");
  if (!status && job->method->goes_by && strcmp(job->objective.score->id, "probability"))
    ci_job_warn(job, "%s goes by %s, not by \"%s\"", job->method->id, job->method->goes_by, job->objective.score->id);
  return status;
}

/* Half of what is free: the weights are mapped, and the rest of the machine goes on. */
static size_t default_budget(void) {
  size_t available = ci_memory_available();
  return available ? available / 2 : (size_t)1 << 30;
}

static ci_status read_generate(opened *o, const char *json, ci_error *err) {
  ci_generate_request request;
  ci_status status = ci_generate_request_read(json, &request, &o->owner, err);
  if (status) return status;
  o->request = (ci_attribute_request){.input_texts = request.input_texts,
                                      .input_ids = request.input_ids,
                                      .generation_kwargs = request.generation_kwargs,
                                      .skip_special_tokens = request.skip_special_tokens,
                                      .chat = request.chat,
                                      .attr_pos_start = CI_NOT_GIVEN,
                                      .attr_pos_end = CI_NOT_GIVEN,
                                      .seed = request.seed,
                                      .run = request.run};
  return CI_OK;
}

/* Puts the texts into the model's chat template: prompts, and prompts with their answers. */
static ci_status into_template(ci_job *job, ci_attribute_request *request, ci_error *err) {
  json_t *prompts = json_array(), *whole = request->generated_texts ? json_array() : NULL;
  ci_status status = prompts && (whole || !request->generated_texts) ? CI_OK : ci_fail_memory(err);
  if (request->skip_special_tokens)
    status = ci_fail(err, CI_EINVAL, "chat",
                     "is given together with skip_special_tokens, which would cut the template's own");
  for (size_t i = 0; i < json_array_size(request->input_texts) && !status; i++) {
    char *prompt;
    status = ci_tokenizer_chat(job->model->tokenizer, json_string_value(json_array_get(request->input_texts, i)),
                               &prompt, err);
    if (status) break;
    const char *answer = json_string_value(json_array_get(request->generated_texts, i));
    if (json_array_append_new(prompts, json_string(prompt)) ||
        (whole && json_array_append_new(whole, json_sprintf("%s%s", prompt, answer))))
      status = ci_fail_memory(err);
    ci_free(prompt);
  }
  request->input_texts = prompts;
  request->generated_texts = whole;
  if ((prompts && json_array_append_new(job->keep, prompts)) || (whole && json_array_append_new(job->keep, whole)))
    return ci_fail_memory(err);
  return status;
}

/* As Inseq's command line has it: a target language is the first token that is generated, unless the request says
 * which. */
static ci_status read_generation(ci_job *job, ci_error *err) {
  const ci_model *model = job->model; /* NULL: only the request is checked */
  const json_t *kwargs = job->request->generation_kwargs;
  ci_status status = ci_generation_read(model ? model->generation_config : NULL, model ? model->config : NULL, kwargs,
                                        "generation_kwargs", &job->generation, err);
  if (!status && model && model->target_language >= 0 && !json_object_get(kwargs, "forced_bos_token_id"))
    job->generation.forced_bos_token_id = model->target_language;
  if (!status && job->request->seed != CI_NOT_GIVEN && !json_object_get(kwargs, "seed"))
    job->generation.seed = job->request->seed;
  return status;
}

ci_status ci_job_open(const ci_model *model, const char *request_json, bool attribute, const cinseq_score *scores,
                      size_t score_count, const cinseq_hooks *hooks, ci_job **out, ci_error *err) {
  opened *o = ci_alloc_zeroed(1, sizeof *o);
  if (!o) return ci_fail_memory(err);
  ci_job *job = *out = &o->job;
  *job = (ci_job){.model = model, .compute = &o->compute, .hooks = hooks, .request = &o->request, .keep = json_array()};
  ci_status status = job->keep ? ci_custom_scores_open(scores, score_count, &job->custom, err) : ci_fail_memory(err);
  job->custom_count = status ? 0 : score_count;
  char *lifted = NULL;
  if (!status && attribute) status = lift(request_json, &lifted, err);
  if (!status && attribute) status = ci_attribute_request_read(lifted, &o->request, &o->owner, err);
  if (!status && !attribute) status = read_generate(o, request_json, err);
  ci_free(lifted);
  if (!status && model)
    status = ci_compute_open(&o->compute, (int)o->request.run.threads, o->request.run.gemm, NULL, err);
  o->compute.tick = report_again;
  o->compute.tick_context = job;
  job->news.stage =
      attribute && (o->request.generated_texts || o->request.generated_ids) ? "attributing" : "generating";
  if (!status) status = read_generation(job, err);
  job->budget = o->request.run.memory_bytes ? o->request.run.memory_bytes : default_budget();
  job->text_count = json_array_size(o->request.input_ids ? o->request.input_ids : o->request.input_texts);
  if (!status && o->request.chat && model) status = into_template(job, &o->request, err);
  if (!status && attribute) status = read_attribution(job, err);
  return status;
}

void ci_job_close(ci_job *job) {
  if (!job) return;
  opened *o = (opened *)job; /* the job is its first member */
  ci_free(job->method_options);
  ci_free(job->objective.options);
  for (size_t i = 0; job->step_scores && i < job->step_score_count; i++) ci_free(job->step_scores[i].options);
  ci_free(job->step_scores);
  ci_free(job->custom);
  ci_generation_free(&job->generation);
  for (int i = 0; i < 2; i++) json_decref(job->alignments[i]);
  json_decref(job->attribution_args);
  json_decref(job->attributed_fn_args);
  json_decref(job->step_scores_args);
  json_decref(job->keep);
  json_decref(o->owner);
  ci_compute_close(&o->compute);
  ci_free(o);
}
