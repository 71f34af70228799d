/* The options of generation: one table, filled from the model's files and the request as transformers 4.57.6 does
 * (GenerationConfig.from_pretrained, .from_model_config, GenerationMixin._prepare_generation_config).
 *
 * Which file counts: generation_config.json; without it, or when it says _from_model_config and config.json holds a
 * generation key of another value than its class has, the keys of config.json on top of its class's defaults. */
#include "generate/generate.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/unknown.h"
#include <limits.h>
#include <string.h>

/* The options as the table reads them: what is no plain field of ci_generation is checked afterwards. */
typedef struct {
  ci_generation g;
  json_t *early_stopping, *eos_token_id, *forced_eos_token_id;
} raw_options;

typedef enum { ALWAYS, SAMPLING, HARMLESS } foreign_when;

typedef struct {
  const char *name, *neutral;
  foreign_when when;
} foreign_option;

typedef struct {
  const char *model_type, *defaults;
} config_defaults;

static const foreign_option foreign_options[] = {
#define CI_FOREIGN(name, neutral, when) {name, neutral, when},
#include "generate/foreign_options.def"
#undef CI_FOREIGN
};

static const config_defaults class_defaults[] = {
#define CI_CONFIG_DEFAULTS(model_type, defaults) {model_type, defaults},
#include "generate/config_defaults.def"
#undef CI_CONFIG_DEFAULTS
};

/* PretrainedConfig._get_global_generation_defaults: the keys by which an old config.json outvotes a
 * generation_config.json that was made from it. */
static const char global_defaults[] =
    "{\"max_length\": 20, \"min_length\": 0, \"do_sample\": false, \"early_stopping\": false, \"num_beams\": 1,"
    " \"temperature\": 1.0, \"top_k\": 50, \"top_p\": 1.0, \"typical_p\": 1.0, \"repetition_penalty\": 1.0,"
    " \"length_penalty\": 1.0, \"no_repeat_ngram_size\": 0, \"encoder_no_repeat_ngram_size\": 0,"
    " \"bad_words_ids\": null, \"num_return_sequences\": 1, \"output_scores\": false,"
    " \"return_dict_in_generate\": false, \"forced_bos_token_id\": null, \"forced_eos_token_id\": null,"
    " \"remove_invalid_values\": false, \"exponential_decay_length_penalty\": null, \"suppress_tokens\": null,"
    " \"begin_suppress_tokens\": null, \"num_beam_groups\": 1, \"diversity_penalty\": 0.0}";

static const char kwargs_name[] = "generation_kwargs";

#define AT(field) offsetof(raw_options, field)
#define MOST      9007199254740992.0
const ci_option ci_generation_options[] = {
    {"max_new_tokens", NULL, CI_INT, AT(g.max_new_tokens), "-1", 1, MOST, NULL,
     "Most tokens to generate; wins over max_length. Without any length: 20."},
    {"max_length", NULL, CI_INT, AT(g.max_length), "-1", 1, MOST, NULL,
     "Most tokens in all, the prompt or the decoder start counted."},
    {"min_new_tokens", NULL, CI_INT, AT(g.min_new_tokens), "-1", 0, MOST, NULL,
     "Fewest tokens to generate before an end of sequence; wins over min_length."},
    {"min_length", NULL, CI_INT, AT(g.min_length), "-1", 0, MOST, NULL,
     "Fewest tokens in all before an end of sequence."},
    {"do_sample", NULL, CI_BOOL, AT(g.do_sample), "false", 0, 0, NULL, "Draw tokens instead of taking the likeliest."},
    {"num_beams", NULL, CI_INT, AT(g.num_beams), "1", 1, 4096, NULL, "Beams of beam search; 1: greedy."},
    {"num_return_sequences", NULL, CI_INT, AT(g.num_return_sequences), "1", 1, MOST, NULL, "Only 1 is supported."},
    {"length_penalty", NULL, CI_REAL, AT(g.length_penalty), "1.0", 0, 0, NULL,
     "Beam scores are divided by the generated length to this power."},
    {"early_stopping", NULL, CI_JSON, AT(early_stopping), "false", 0, 0, NULL,
     "Beam search ends: false, by a heuristic; true, once num_beams are finished; \"never\", when none can get "
     "better."},
    {"repetition_penalty", NULL, CI_REAL, AT(g.repetition_penalty), "1.0", 0, 0, NULL,
     "Scores of tokens that were there already are divided (negative ones multiplied) by this."},
    {"encoder_repetition_penalty", NULL, CI_REAL, AT(g.encoder_repetition_penalty), "1.0", 0, 0, NULL,
     "The contrary for the tokens of the input: over 1, they get likelier."},
    {"no_repeat_ngram_size", NULL, CI_INT, AT(g.no_repeat_ngram_size), "0", 0, MOST, NULL,
     "No sequence of this many tokens comes twice; 0: off."},
    {"encoder_no_repeat_ngram_size", NULL, CI_INT, AT(g.encoder_no_repeat_ngram_size), "0", 0, MOST, NULL,
     "No sequence of this many tokens of the input comes in the output; 0: off."},
    {"bad_words_ids", NULL, CI_JSON, AT(g.bad_words_ids), "null", 0, 0, NULL,
     "Sequences of token ids that are never generated: a list of lists."},
    {"suppress_tokens", NULL, CI_INTS, AT(g.suppress_tokens), "null", 0, 0, NULL,
     "Token ids that are never generated."},
    {"begin_suppress_tokens", NULL, CI_INTS, AT(g.begin_suppress_tokens), "null", 0, 0, NULL,
     "Token ids that are not generated first."},
    {"forced_bos_token_id", NULL, CI_INT, AT(g.forced_bos_token_id), "-1", 0, INT_MAX, NULL,
     "The token that follows a prefix of one token."},
    {"forced_eos_token_id", NULL, CI_JSON, AT(forced_eos_token_id), "null", 0, 0, NULL,
     "The token that is generated last when the largest length is reached."},
    {"eos_token_id", NULL, CI_INTS, AT(eos_token_id), "null", 0, 0, NULL, "The token or tokens that end a sequence."},
    {"pad_token_id", NULL, CI_INT, AT(g.pad_token_id), "-1", INT_MIN, INT_MAX, NULL, "The padding token."},
    {"bos_token_id", NULL, CI_INT, AT(g.bos_token_id), "-1", INT_MIN, INT_MAX, NULL,
     "The token that starts a sequence."},
    {"decoder_start_token_id", NULL, CI_INT, AT(g.decoder_start_token_id), "-1", 0, INT_MAX, NULL,
     "The token a decoder starts from; without it the bos token."},
    {"tgt_lang", NULL, CI_WORD, AT(g.tgt_lang), "null", 0, 0, NULL,
     "The target language of models whose generation_config.json lists them (SeamlessM4T)."},
    {"temperature", NULL, CI_REAL, AT(g.temperature), "1.0", 0, 0, NULL, "Sampling: scores are divided by this."},
    {"top_k", NULL, CI_INT, AT(g.top_k), "50", 0, MOST, NULL, "Sampling: from the likeliest k tokens only; 0: all."},
    {"top_p", NULL, CI_REAL, AT(g.top_p), "1.0", 0, 0, NULL,
     "Sampling: from the fewest likeliest tokens that have this probability together."},
    {"seed", NULL, CI_INT, AT(g.seed), "0", 0, 0, NULL, "Sampling: the same seed draws the same tokens."},
    CI_OPTIONS_END,
};
#undef AT
#undef MOST

static const foreign_option *find_foreign(const char *name) {
  for (size_t i = 0; i < sizeof foreign_options / sizeof *foreign_options; i++)
    if (strcmp(foreign_options[i].name, name) == 0) return &foreign_options[i];
  return NULL;
}

/* As Python compares: 1 == 1.0 == True. */
static bool same_value(const json_t *a, const json_t *b) {
  if (json_is_boolean(a) && json_is_number(b)) return json_is_true(a) == json_number_value(b);
  if (json_is_number(a) && json_is_boolean(b)) return json_is_true(b) == json_number_value(a);
  if (json_is_number(a) && json_is_number(b)) return json_number_value(a) == json_number_value(b);
  return json_equal(a, b);
}

static ci_status unknown_option(const char *key, ci_error *err) {
  enum {
    FOREIGN = sizeof foreign_options / sizeof *foreign_options,
    OWN = sizeof ci_generation_options / sizeof *ci_generation_options
  };
  const char *names[OWN + FOREIGN];
  size_t count = 0, own;
  for (const ci_option *o = ci_generation_options; o->name; o++) names[count++] = o->name;
  own = count;
  for (size_t i = 0; i < FOREIGN; i++) names[count++] = foreign_options[i].name;
  const char *nearest = ci_nearest(key, names, count);
  if (nearest && find_foreign(nearest))
    return ci_fail(err, CI_EINVAL, kwargs_name, "unknown option \"%s\": did you mean \"%s\"?", key, nearest);
  return ci_fail_unknown(err, kwargs_name, "option", key, names, own);
}

/* Puts one value on top of merged. A null takes the key away; only for top_k that is not its default but "off".
 * A copy, since the value may be the model's: other threads read that, so not even its reference count is written. */
static ci_status put(json_t *merged, const char *key, const json_t *value, ci_error *err) {
  if (!json_is_null(value))
    return json_object_set_new(merged, key, json_deep_copy(value)) ? ci_fail_memory(err) : CI_OK;
  json_object_del(merged, key);
  if (strcmp(key, "top_k") == 0 && json_object_set_new(merged, key, json_integer(0))) return ci_fail_memory(err);
  return CI_OK;
}

/* The known keys of source on top of merged. Unknown ones: an error in kwargs, ignored in files. skip_null: as
 * from_model_config drops them. */
static ci_status overlay(json_t *merged, const json_t *source, bool files, bool skip_null, ci_error *err) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)source, key, value) {
    bool known = ci_options_find(ci_generation_options, key) || find_foreign(key);
    if (!known && !files) return unknown_option(key, err);
    if (!known || (skip_null && json_is_null(value))) continue;
    ci_status status = put(merged, key, value, err);
    if (status) return status;
  }
  return CI_OK;
}

/* The defaults of config's class as a new object. */
static ci_status read_class_defaults(const json_t *config, json_t **defaults, ci_error *err) {
  const char *text = "{}", *type = json_string_value(json_object_get(config, "model_type"));
  for (size_t i = 0; type && i < sizeof class_defaults / sizeof *class_defaults; i++)
    if (strcmp(class_defaults[i].model_type, type) == 0) text = class_defaults[i].defaults;
  return ci_json_parse("config_defaults.def", text, strlen(text), defaults, err);
}

/* GenerationMixin._prepare_generation_config, "legacy": whether config.json was edited to steer generation. */
static ci_status config_outvotes(const json_t *generation_config, const json_t *config, const json_t *defaults,
                                 bool *yes, ci_error *err) {
  *yes = false;
  if (!json_is_true(json_object_get(generation_config, "_from_model_config"))) return CI_OK;
  json_t *global;
  ci_status status = ci_json_parse("global defaults", global_defaults, strlen(global_defaults), &global, err);
  if (status) return status;
  const char *key;
  json_t *fallback;
  json_object_foreach(global, key, fallback) {
    const json_t *value = json_object_get(config, key), *own = json_object_get(defaults, key);
    if (value && !json_is_null(value) && !same_value(value, own ? own : fallback)) *yes = true;
  }
  json_decref(global);
  return CI_OK;
}

/* What BART's config.json said before there was a forced_bos_token_id. */
static ci_status add_old_forced_bos(json_t *config, ci_error *err) {
  const json_t *forced = json_object_get(config, "forced_bos_token_id");
  json_t *bos = json_object_get(config, "bos_token_id");
  bool asked = json_is_true(json_object_get(config, "force_bos_token_to_be_generated"));
  if (!asked || !bos || (forced && !json_is_null(forced))) return CI_OK;
  return json_object_set(config, "forced_bos_token_id", bos) ? ci_fail_memory(err) : CI_OK;
}

/* What the model's files say, on top of merged. *label names the file in errors. */
static ci_status overlay_files(json_t *merged, const json_t *generation_config, const json_t *config,
                               const char **label, ci_error *err) {
  json_t *defaults;
  bool from_config = !generation_config;
  ci_status status = read_class_defaults(config, &defaults, err);
  if (status) return status;
  if (!from_config) status = config_outvotes(generation_config, config, defaults, &from_config, err);
  *label = from_config ? "config.json" : "generation_config.json";
  if (!status && from_config) {
    /* a null in config.json takes the class's default away, then counts for nothing */
    json_t *whole = json_copy(defaults), *ours = config ? json_deep_copy(config) : json_object();
    if (!whole || !ours || json_object_update(whole, ours)) status = ci_fail_memory(err);
    if (!status) status = add_old_forced_bos(whole, err);
    if (!status) status = overlay(merged, whole, true, true, err);
    json_decref(whole);
    json_decref(ours);
  } else if (!status) {
    status = overlay(merged, generation_config, true, false, err);
  }
  json_decref(defaults);
  /* 20 is transformers' own default: in a file it stands for 20 new tokens. */
  int64_t length;
  if (!status && ci_json_as_int(json_object_get(merged, "max_length"), &length) && length == 20)
    json_object_del(merged, "max_length");
  return status;
}

static ci_status check_foreign(const json_t *merged, const char *where, ci_error *err) {
  for (size_t i = 0; i < sizeof foreign_options / sizeof *foreign_options; i++) {
    const foreign_option *o = &foreign_options[i];
    const json_t *value = json_object_get(merged, o->name);
    if (!value || o->when == HARMLESS) continue;
    if (o->when == SAMPLING && !json_is_true(json_object_get(merged, "do_sample"))) continue;
    json_t *neutral;
    ci_status status = ci_json_parse(o->name, o->neutral, strlen(o->neutral), &neutral, err);
    if (status) return status;
    bool does_nothing = same_value(value, neutral);
    json_decref(neutral);
    if (!does_nothing)
      return ci_fail(err, CI_EINVAL, where, "\"%s\" of transformers is not supported: leave it out or give %s", o->name,
                     o->neutral);
  }
  return CI_OK;
}

static ci_status read_early_stopping(raw_options *raw, const char *where, ci_error *err) {
  const json_t *value = raw->early_stopping;
  const char *word = json_string_value(value);
  if (word && strcmp(word, "never") == 0) return raw->g.early_stopping = 2, CI_OK;
  if (value && !json_is_boolean(value))
    return ci_fail(err, CI_EINVAL, where, "\"early_stopping\": expected true, false or \"never\"");
  raw->g.early_stopping = json_is_true(value);
  return CI_OK;
}

static ci_status read_eos(raw_options *raw, const char *where, ci_error *err) {
  raw->g.eos_count = json_array_size(raw->eos_token_id);
  raw->g.eos_token_ids = ci_alloc_zeroed(raw->g.eos_count, sizeof *raw->g.eos_token_ids);
  if (!raw->g.eos_token_ids) return ci_fail_memory(err);
  for (size_t i = 0; i < raw->g.eos_count; i++) {
    int64_t id = 0;
    ci_json_as_int(json_array_get(raw->eos_token_id, i), &id);
    if (id < INT_MIN || id > INT_MAX)
      return ci_fail(err, CI_EINVAL, where, "\"eos_token_id\" holds %lld, expected a token id", (long long)id);
    raw->g.eos_token_ids[i] = (int32_t)id;
  }
  return CI_OK;
}

/* One id; a list of one is taken too. */
static ci_status read_forced_eos(raw_options *raw, const char *where, ci_error *err) {
  const json_t *value = raw->forced_eos_token_id;
  raw->g.forced_eos_token_id = -1;
  if (!value) return CI_OK;
  if (json_array_size(value) > 1)
    return ci_fail(err, CI_EINVAL, where, "\"forced_eos_token_id\" is a list of %zu: only one id is supported",
                   json_array_size(value));
  int64_t id = -1;
  if (!ci_json_as_int(json_is_array(value) ? json_array_get(value, 0) : value, &id) || id < 0 || id > INT_MAX)
    return ci_fail(err, CI_EINVAL, where, "\"forced_eos_token_id\": expected a token id");
  raw->g.forced_eos_token_id = id;
  return CI_OK;
}

/* A list of lists of ids, none empty. */
static ci_status check_bad_words(const json_t *words, const char *where, ci_error *err) {
  if (!words) return CI_OK;
  if (json_array_size(words) == 0)
    return ci_fail(err, CI_EINVAL, where, "\"bad_words_ids\": expected a list of lists of token ids that is not empty");
  size_t i, j;
  json_t *word, *member;
  json_array_foreach(words, i, word) {
    if (json_array_size(word) == 0)
      return ci_fail(err, CI_EINVAL, where, "\"bad_words_ids\" %zu: expected a list of token ids", i);
    json_array_foreach(word, j, member) {
      int64_t id;
      if (!ci_json_as_int(member, &id) || id < 0 || id > INT_MAX)
        return ci_fail(err, CI_EINVAL, where, "\"bad_words_ids\" %zu: member %zu is not a token id", i, j);
    }
  }
  return CI_OK;
}

static ci_status check_values(const ci_generation *g, const char *where, ci_error *err) {
  if (g->num_return_sequences != 1)
    return ci_fail(err, CI_EINVAL, where, "\"num_return_sequences\" is %lld: only 1 is supported",
                   (long long)g->num_return_sequences);
  if (g->do_sample && g->num_beams > 1)
    return ci_fail(err, CI_EINVAL, where,
                   "\"do_sample\" with \"num_beams\" %lld: sampling in beams is not supported; give do_sample false or "
                   "num_beams 1",
                   (long long)g->num_beams);
  if (!(g->repetition_penalty > 0))
    return ci_fail(err, CI_EINVAL, where, "\"repetition_penalty\" is %g, expected more than 0", g->repetition_penalty);
  if (!(g->encoder_repetition_penalty > 0))
    return ci_fail(err, CI_EINVAL, where, "\"encoder_repetition_penalty\" is %g, expected more than 0",
                   g->encoder_repetition_penalty);
  if (g->do_sample && !(g->temperature > 0))
    return ci_fail(err, CI_EINVAL, where,
                   "\"temperature\" is %g, expected more than 0; for the likeliest token give "
                   "do_sample false",
                   g->temperature);
  if (g->do_sample && !(g->top_p >= 0 && g->top_p <= 1))
    return ci_fail(err, CI_EINVAL, where, "\"top_p\" is %g, expected 0 to 1", g->top_p);
  return check_bad_words(g->bad_words_ids, where, err);
}

/* Everything of `merged`, which keep owns afterwards. */
static ci_status read_merged(json_t *merged, const char *where, raw_options *raw, json_t *keep, ci_error *err) {
  json_t *ignored = json_array();
  ci_status status = ignored ? check_foreign(merged, where, err) : ci_fail_memory(err);
  if (!status) status = ci_options_parse(ci_generation_options, where, merged, raw, keep, ignored, err);
  json_decref(ignored);
  if (!status) status = read_early_stopping(raw, where, err);
  if (!status) status = read_forced_eos(raw, where, err);
  if (!status) status = check_values(&raw->g, where, err);
  if (!status) status = read_eos(raw, where, err);
  if (!status && raw->g.decoder_start_token_id < 0) raw->g.decoder_start_token_id = raw->g.bos_token_id;
  return status;
}

/* As SeamlessM4T's generate() finds it: underscores around the code may be there. files: generation_config.json. */
static ci_status read_language(ci_generation *g, const json_t *files, ci_error *err) {
  const json_t *codes = json_object_get(files, "text_decoder_lang_to_code_id");
  if (!g->tgt_lang) return CI_OK;
  if (!json_is_object(codes))
    return ci_fail(err, CI_EINVAL, kwargs_name,
                   "\"tgt_lang\" is for models whose generation_config.json has text_decoder_lang_to_code_id");
  const char *code = g->tgt_lang + (strncmp(g->tgt_lang, "__", 2) == 0 ? 2 : 0);
  size_t length = strlen(code);
  if (length > 2 && strcmp(code + length - 2, "__") == 0) length -= 2;
  const json_t *id = json_object_getn(codes, code, length);
  if (id && ci_json_as_int(id, &g->language_token) && g->language_token >= 0 && g->language_token <= INT_MAX)
    return CI_OK;
  return ci_fail(err, CI_EINVAL, kwargs_name,
                 "\"tgt_lang\" is \"%s\", which text_decoder_lang_to_code_id of generation_config.json does not have",
                 g->tgt_lang);
}

/* Reads merged for its errors alone: so that a file's mistakes carry the file's name. */
static ci_status check_files(json_t *merged, const char *where, ci_error *err) {
  raw_options raw = {0};
  json_t *keep = json_array(), *ignored = json_array();
  ci_status status = keep && ignored ? CI_OK : ci_fail_memory(err);
  if (!status) status = ci_options_parse(ci_generation_options, where, merged, &raw, keep, ignored, err);
  json_decref(keep);
  json_decref(ignored);
  return status;
}

ci_status ci_generation_read(const json_t *generation_config, const json_t *config, const json_t *kwargs,
                             const char *where, ci_generation *generation, ci_error *err) {
  *generation = (ci_generation){0};
  if (json_is_null(kwargs)) kwargs = NULL;
  if (kwargs && !json_is_object(kwargs)) return ci_fail(err, CI_EINVAL, kwargs_name, "expected a JSON object");
  raw_options raw = {0};
  ci_text path = {0};
  const char *file = "";
  json_t *keep = json_array(), *merged = json_object();
  ci_status status = keep && merged ? CI_OK : ci_fail_memory(err);
  if (!status) status = overlay_files(merged, generation_config, config, &file, err);
  if (where) ci_text_add_format(&path, "%s/", where);
  ci_text_add(&path, file);
  if (!status && path.failed) status = ci_fail_memory(err);
  if (!status) status = check_files(merged, path.data, err);
  if (!status) status = overlay(merged, kwargs, false, false, err);
  if (!status)
    status = read_merged(merged, kwargs && json_object_size(kwargs) ? kwargs_name : path.data, &raw, keep, err);
  raw.g.language_token = -1;
  bool has_model = generation_config || config; /* without one only the request is checked */
  if (!status && has_model) status = read_language(&raw.g, generation_config, err);
  if (!status && json_array_append(keep, merged)) status = ci_fail_memory(err);
  ci_text_free(&path);
  json_decref(merged);
  raw.g.owner = keep;
  *generation = raw.g;
  if (status) ci_generation_free(generation);
  return status;
}

void ci_generation_free(ci_generation *generation) {
  ci_free(generation->eos_token_ids);
  json_decref(generation->owner);
  *generation = (ci_generation){0};
}
