/* ci_generation_read: what the files and keyword arguments become, against transformers 4.57.6 (make_fixtures.py), and
 * what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "generate/generate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_int_field(const json_t *values, const char *name, int64_t found, int64_t none) {
  const json_t *value = json_object_get(values, name);
  if (json_is_boolean(value)) value = json_is_true(value) ? json_integer(1) : json_integer(0);
  int64_t expected = json_is_null(value) ? none : (int64_t)json_integer_value(value);
  if (found != expected) print_error("%s: %lld, expected %lld\n", name, (long long)found, (long long)expected);
  assert_true(found == expected);
  if (json_is_boolean(json_object_get(values, name))) json_decref((json_t *)value);
}

static void assert_real_field(const json_t *values, const char *name, double found) {
  if (found != json_number_value(json_object_get(values, name))) print_error("%s\n", name);
  assert_true(found == json_number_value(json_object_get(values, name)));
}

static void assert_list_field(const json_t *values, const char *name, const json_t *found) {
  const json_t *expected = json_object_get(values, name);
  if (json_is_null(expected))
    assert_null(found);
  else
    assert_true(json_equal(found, expected));
}

static void assert_eos(const json_t *values, const ci_generation *g) {
  const json_t *eos = json_object_get(values, "eos_token_id");
  size_t count = json_is_array(eos) ? json_array_size(eos) : !json_is_null(eos);
  assert_int_equal(g->eos_count, count);
  for (size_t i = 0; i < count; i++)
    assert_int_equal(g->eos_token_ids[i], json_integer_value(json_is_array(eos) ? json_array_get(eos, i) : eos));
}

/* The lengths in the fixture are for a prefix of 4 tokens. The default length is cut to the model's positions there, in
 * ci_generate here. */
static void assert_lengths(const json_t *row, const ci_generation *g) {
  const json_t *values = json_object_get(row, "values");
  int64_t positions = json_integer_value(json_object_get(json_object_get(row, "config"), "n_positions"));
  int64_t most = g->max_new_tokens >= 0 ? g->max_new_tokens + 4 : g->max_length >= 0 ? g->max_length : 24;
  if (positions && most > positions) most = positions;
  assert_int_field(values, "max_length", most, 0);
  assert_int_field(values, "min_length",
                   g->min_new_tokens >= 0 ? g->min_new_tokens + 4
                   : g->min_length < 0    ? 0
                                          : g->min_length,
                   0);
}

static void options_are_those_of_transformers(void **state) {
  (void)state;
  json_t *rows, *row;
  size_t i;
  ci_error err;
  assert_int_equal(ci_json_read_file(TEST_DATA "/generate/configs.json", &rows, &err), CI_OK);
  assert_true(json_array_size(rows) > 30);
  json_array_foreach(rows, i, row) {
    ci_generation g;
    const json_t *files = json_object_get(row, "generation_config"), *v = json_object_get(row, "values");
    ci_status status = ci_generation_read(json_is_null(files) ? NULL : files, json_object_get(row, "config"),
                                          json_object_get(row, "kwargs"), "model", &g, &err);
    if (status) print_error("row %zu: %s\n", i, err.message);
    assert_int_equal(status, CI_OK);
    assert_lengths(row, &g);
    assert_int_field(v, "do_sample", g.do_sample, 0);
    assert_int_field(v, "num_beams", g.num_beams, 1);
    const char *word = json_string_value(json_object_get(v, "early_stopping"));
    if (word)
      assert_int_equal(g.early_stopping, 2);
    else
      assert_int_field(v, "early_stopping", g.early_stopping, 0);
    assert_int_field(v, "no_repeat_ngram_size", g.no_repeat_ngram_size, 0);
    assert_int_field(v, "top_k", g.top_k, 0);
    assert_int_field(v, "forced_bos_token_id", g.forced_bos_token_id, -1);
    assert_int_field(v, "forced_eos_token_id", g.forced_eos_token_id, -1);
    assert_int_field(v, "pad_token_id", g.pad_token_id, -1);
    assert_int_field(v, "bos_token_id", g.bos_token_id, -1);
    assert_real_field(v, "length_penalty", g.length_penalty);
    assert_real_field(v, "repetition_penalty", g.repetition_penalty);
    assert_real_field(v, "temperature", g.temperature);
    assert_real_field(v, "top_p", g.top_p);
    assert_list_field(v, "bad_words_ids", g.bad_words_ids);
    assert_list_field(v, "suppress_tokens", g.suppress_tokens);
    assert_list_field(v, "begin_suppress_tokens", g.begin_suppress_tokens);
    assert_eos(v, &g);
    ci_generation_free(&g);
  }
  json_decref(rows);
}

static ci_status read(const char *files, const char *kwargs, ci_generation *g, ci_error *err) {
  json_t *file = files ? json_loads(files, 0, NULL) : NULL, *given = json_loads(kwargs, JSON_DECODE_ANY, NULL);
  assert_non_null(given);
  ci_status status = ci_generation_read(file, NULL, given, "model", g, err);
  json_decref(file);
  json_decref(given);
  return status;
}

static void nothing_gives_the_defaults(void **state) {
  (void)state;
  ci_generation g;
  ci_error err;
  assert_int_equal(ci_generation_read(NULL, NULL, NULL, NULL, &g, &err), CI_OK);
  assert_true(g.max_length == -1 && g.max_new_tokens == -1 && g.min_length == -1 && g.min_new_tokens == -1);
  assert_true(g.num_beams == 1 && g.top_k == 50 && g.top_p == 1 && g.temperature == 1 && !g.do_sample);
  assert_int_equal(g.eos_count, 0);
  ci_generation_free(&g);
  ci_generation_free(&g);
}

static void values_outlive_the_request(void **state) {
  (void)state;
  ci_generation g;
  ci_error err;
  assert_int_equal(read(NULL, "{\"bad_words_ids\": [[4, 5]], \"suppress_tokens\": 7, \"bos_token_id\": 3}", &g, &err),
                   CI_OK);
  assert_int_equal(json_integer_value(json_array_get(json_array_get(g.bad_words_ids, 0), 1)), 5);
  assert_int_equal(json_integer_value(json_array_get(g.suppress_tokens, 0)), 7);
  assert_int_equal(g.decoder_start_token_id, 3);
  ci_generation_free(&g);
}

static void harmless_options_are_taken(void **state) {
  (void)state;
  ci_generation g;
  ci_error err;
  const char *const good[] = {"{\"use_cache\": false, \"return_dict_in_generate\": true, \"output_scores\": true}",
                              "{\"num_beam_groups\": 1, \"penalty_alpha\": null, \"assistant_model\": null}",
                              "{\"typical_p\": 0.5}",
                              "{\"guidance_scale\": 1.0, \"renormalize_logits\": false}",
                              "null",
                              "{}"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_int_equal(read(NULL, good[i], &g, &err), CI_OK);
    ci_generation_free(&g);
  }
}

static const char LANGUAGES[] = "{\"text_decoder_lang_to_code_id\": {\"fra\": 7, \"eng\": 9, \"odd\": \"x\"}}";

static void languages_have_tokens(void **state) {
  (void)state;
  ci_generation g;
  ci_error err;
  static const struct {
    const char *kwargs;
    int token;
  } cases[] = {{"{}", -1}, {"{\"tgt_lang\": \"fra\"}", 7}, {"{\"tgt_lang\": \"__eng__\"}", 9}, {"{\"tgt_lang\": null}", -1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(read(LANGUAGES, cases[i].kwargs, &g, &err), CI_OK);
    assert_int_equal(g.language_token, cases[i].token);
    ci_generation_free(&g);
  }
}

static void what_is_wrong_is_named(void **state) {
  (void)state;
  static const struct {
    const char *files, *kwargs, *where, *message;
  } bad[] = {
      {NULL, "{\"max_new_token\": 3}", "generation_kwargs", "did you mean \"max_new_tokens\"?"},
      {NULL, "{\"asistant_model\": 3}", "generation_kwargs", "did you mean \"assistant_model\"?"},
      {NULL, "{\"qqqqqqqqqqqqqq\": 3}", "generation_kwargs", "(one of max_new_tokens, "},
      {NULL, "{\"num_beam_groups\": 2}", "generation_kwargs", "\"num_beam_groups\" of transformers is not supported"},
      {NULL, "{\"penalty_alpha\": 0.6}", "generation_kwargs", "not supported"},
      {NULL, "{\"constraints\": [1]}", "generation_kwargs", "not supported"},
      {NULL, "{\"typical_p\": 0.5, \"do_sample\": true}", "generation_kwargs", "not supported"},
      {NULL, "{\"num_return_sequences\": 2}", "generation_kwargs", "\"num_return_sequences\" is 2"},
      {NULL, "{\"num_beams\": 2, \"do_sample\": true}", "generation_kwargs", "do_sample"},
      {NULL, "{\"num_beams\": 0}", "generation_kwargs", "num_beams"},
      {NULL, "{\"num_beams\": \"4\"}", "generation_kwargs", "expected an integer"},
      {NULL, "{\"max_new_tokens\": -1}", "generation_kwargs", "max_new_tokens"},
      {NULL, "{\"max_length\": 1e300}", "generation_kwargs", "max_length"},
      {NULL, "{\"early_stopping\": \"ever\"}", "generation_kwargs", "early_stopping"},
      {NULL, "{\"bad_words_ids\": [4]}", "generation_kwargs", "bad_words_ids"},
      {NULL, "{\"bad_words_ids\": [[4, -5]]}", "generation_kwargs", "member 1"},
      {NULL, "{\"bad_words_ids\": {\"4\": 5}}", "generation_kwargs", "bad_words_ids"},
      {NULL, "{\"forced_eos_token_id\": [1, 2]}", "generation_kwargs", "only one id"},
      {NULL, "{\"eos_token_id\": [1, 99999999999]}", "generation_kwargs", "99999999999"},
      {NULL, "{\"eos_token_id\": {}}", "generation_kwargs", "eos_token_id"},
      {NULL, "[1]", "generation_kwargs", "object"},
      {"{\"num_beams\": \"many\"}", "{}", "model/generation_config.json", "num_beams"},
      {"{\"num_beams\": \"many\"}", "{\"max_length\": 3}", "model/generation_config.json", "num_beams"},
      {"{\"min_p\": 0.1, \"do_sample\": true}", "{}", "model/generation_config.json", "min_p"},
      {NULL, "{\"encoder_repetition_penalty\": 0}", "generation_kwargs", "encoder_repetition_penalty"},
      {"{}", "{\"tgt_lang\": \"fra\"}", "generation_kwargs", "text_decoder_lang_to_code_id"},
      {LANGUAGES, "{\"tgt_lang\": \"f\"}", "generation_kwargs", "\"tgt_lang\" is \"f\""},
      {LANGUAGES, "{\"tgt_lang\": \"__\"}", "generation_kwargs", "\"tgt_lang\" is \"__\""},
      {LANGUAGES, "{\"tgt_lang\": \"odd\"}", "generation_kwargs", "\"tgt_lang\" is \"odd\""},
      {"{\"text_decoder_lang_to_code_id\": [7]}", "{\"tgt_lang\": \"fra\"}", "generation_kwargs", "text_decoder_lang"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ci_generation g;
    ci_error err;
    ci_status status = read(bad[i].files, bad[i].kwargs, &g, &err);
    char text[2048];
    snprintf(text, sizeof text, "%s: %s", err.where, err.message);
    if (status != CI_EINVAL || !strstr(text, bad[i].where) || !strstr(text, bad[i].message))
      print_error("%s: %d %s\n", bad[i].kwargs, (int)status, status ? text : "");
    assert_int_equal(status, CI_EINVAL);
    assert_non_null(strstr(text, bad[i].where));
    assert_non_null(strstr(text, bad[i].message));
    assert_null(g.owner);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_are_those_of_transformers),
      cmocka_unit_test(nothing_gives_the_defaults),
      cmocka_unit_test(values_outlive_the_request),
      cmocka_unit_test(harmless_options_are_taken),
      cmocka_unit_test(languages_have_tokens),
      cmocka_unit_test(what_is_wrong_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
