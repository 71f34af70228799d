/* Whole tokenizers against transformers 4.57.6 (expectations: tests/data/tokenizers/make_fixtures.py), every part of
 * tokenizer.json, and settings of the folder's files. */
#include "tokenizers/folders.h"

static void expect_ids(const char *name, const char *text, const ci_ids *ids, const json_t *wanted) {
  bool same = ids->count == json_array_size(wanted);
  for (size_t i = 0; i < ids->count && same; i++) same = ids->items[i] == json_integer_value(json_array_get(wanted, i));
  if (same) return;
  char *list = json_dumps(wanted, JSON_COMPACT);
  fprintf(stderr, "%s \"%s\": ids", name, text);
  for (size_t i = 0; i < ids->count; i++) fprintf(stderr, " %d", ids->items[i]);
  fail_msg("expected %s", list);
}

static void expect_decoded(const ci_tokenizer *t, const char *name, const ci_ids *ids, bool skip,
                           const json_t *wanted) {
  if (!wanted) return;
  ci_text text = {0};
  ci_error err = {0};
  if (ci_tokenizer_decode(t, ids->items, ids->count, skip, &text, &err)) fail_msg("%s: %s", name, err.message);
  if (text.length != json_string_length(wanted) ||
      (text.length && memcmp(text.data, json_string_value(wanted), text.length)))
    fail_msg("%s: decoded \"%s\", expected \"%s\"", name, text.data ? text.data : "", json_string_value(wanted));
  ci_text_free(&text);
}

/* rows: [{"text", "ids", "tokens"?, "decoded"?, "full"?}] */
static void expect_rows(const ci_tokenizer *t, const char *name, const json_t *rows, unsigned flags) {
  size_t index;
  json_t *row;
  assert_true(json_array_size(rows) > 0);
  json_array_foreach((json_t *)rows, index, row) {
    const json_t *text = json_object_get(row, "text"), *tokens = json_object_get(row, "tokens");
    ci_ids ids = {0};
    ci_error err = {0};
    if (ci_tokenizer_encode(t, json_string_value(text), json_string_length(text), flags, &ids, &err))
      fail_msg("%s: %s", name, err.message);
    expect_ids(name, json_string_value(text), &ids, json_object_get(row, "ids"));
    for (size_t i = 0; i < json_array_size(tokens); i++) {
      const char *token = ci_tokenizer_token(t, ids.items[i]);
      assert_non_null(token);
      assert_string_equal(token, json_string_value(json_array_get(tokens, i)));
    }
    expect_decoded(t, name, &ids, true, json_object_get(row, "decoded"));
    expect_decoded(t, name, &ids, false, json_object_get(row, "full"));
    ci_ids_free(&ids);
  }
}

static void expect_folder(const char *folder, const char *expected, unsigned flags, const char *kind,
                          const char *class_name) {
  ci_tokenizer *t = open_folder(folder, NULL, NULL);
  assert_string_equal(ci_tokenizer_get_facts(t)->kind, kind);
  assert_string_equal(ci_tokenizer_get_facts(t)->class_name, class_name);
  json_t *rows = read_json(expected);
  expect_rows(t, expected, rows, flags);
  json_decref(rows);
  ci_tokenizer_close(t);
}

static void test_gpt2(void **state) {
  (void)state;
  expect_folder(DATA "gpt2", DATA "gpt2.json", CI_ENCODE_SPECIAL, "byte_level_bpe", "GPT2TokenizerFast");
}

static void test_marian(void **state) {
  (void)state;
  expect_folder(DATA "opus-mt-en-mg", DATA "opus-mt-en-mg.source.json", CI_ENCODE_SPECIAL, "marian", "MarianTokenizer");
  expect_folder(DATA "opus-mt-en-mg", DATA "opus-mt-en-mg.target.json", CI_ENCODE_SPECIAL | CI_ENCODE_TARGET, "marian",
                "MarianTokenizer");
}

static void test_smollm2(void **state) {
  (void)state;
  expect_folder(DATA "smollm2", DATA "smollm2.json", CI_ENCODE_SPECIAL, "tokenizer_json", "LlamaTokenizerFast");
}

/* Both files of the folder: tokenizer.json is taken, and its ids are those of tokenizer.model. */
static void test_stories(void **state) {
  (void)state;
  expect_folder(MODELS "/stories260K", DATA "stories260K-fast.json", CI_ENCODE_SPECIAL, "tokenizer_json",
                "LlamaTokenizerFast");
  expect_folder(DATA "llama-spm", DATA "stories260K.json", CI_ENCODE_SPECIAL, "llama_spm", "LlamaTokenizerFast");
  ci_tokenizer *t = open_folder(MODELS "/stories260K", NULL, NULL);
  json_t *rows = read_json(DATA "stories260K.json"), *row;
  size_t index;
  json_array_foreach(rows, index, row) {
    json_object_del(row, "decoded"); /* the two classes differ in spaces at the start */
  }
  expect_rows(t, "stories260K", rows, CI_ENCODE_SPECIAL);
  json_decref(rows);
  ci_tokenizer_close(t);
}

/* rows: [{"ids", "full"}] */
static void expect_decodes(const ci_tokenizer *t, const char *name, const json_t *rows) {
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *list = json_object_get(json_array_get(rows, i), "ids");
    ci_ids ids = {0};
    ci_error err = {0};
    for (size_t k = 0; k < json_array_size(list); k++)
      assert_int_equal(ci_ids_add(&ids, (int32_t)json_integer_value(json_array_get(list, k)), &err), CI_OK);
    expect_decoded(t, name, &ids, false, json_object_get(json_array_get(rows, i), "full"));
    ci_ids_free(&ids);
  }
}

static void test_parts(void **state) {
  (void)state;
  json_t *cases = read_json(DATA "parts.json"), *one;
  size_t index;
  json_array_foreach(cases, index, one) {
    char folder[64];
    make_folder(folder);
    json_t *file = changed(json_string_value(json_object_get(one, "base")), json_object_get(one, "change"));
    write_json(folder, "tokenizer.json", file);
    ci_tokenizer *t = open_folder(folder, NULL, NULL);
    expect_rows(t, json_string_value(json_object_get(one, "name")), json_object_get(one, "rows"),
                json_is_true(json_object_get(one, "special")) ? CI_ENCODE_SPECIAL : 0);
    expect_decodes(t, json_string_value(json_object_get(one, "name")), json_object_get(one, "decodes"));
    ci_tokenizer_close(t);
    json_decref(file);
    remove_folder(folder);
  }
  assert_int_equal(json_array_size(cases), 106);
  json_decref(cases);
}

static void expect_id(const json_t *one, const char *key, int32_t found) {
  const json_t *wanted = json_object_get(one, key);
  assert_int_equal(found, json_is_null(wanted) ? -1 : json_integer_value(wanted));
}

static void expect_specials(const ci_tokenizer *t, const json_t *one) {
  const ci_tokenizer_facts *facts = ci_tokenizer_get_facts(t);
  expect_id(one, "unk", facts->unk);
  expect_id(one, "pad", facts->pad);
  expect_id(one, "bos", facts->bos);
  expect_id(one, "eos", facts->eos);
  assert_string_equal(facts->class_name, json_string_value(json_object_get(one, "class_name")));
  size_t count;
  const char *const *specials = ci_tokenizer_specials(t, &count);
  const json_t *wanted = json_object_get(one, "specials"), *ids = json_object_get(one, "special_ids");
  assert_int_equal(count, json_array_size(wanted));
  for (size_t i = 0; i < count; i++) {
    bool found = false;
    for (size_t k = 0; k < count; k++)
      found = found || strcmp(specials[k], json_string_value(json_array_get(wanted, i))) == 0;
    assert_true(found);
    assert_true(i == 0 || strlen(specials[i]) <= strlen(specials[i - 1]));
  }
  size_t special = 0;
  for (size_t id = 0; id < facts->vocabulary; id++) special += ci_tokenizer_is_special(t, (int32_t)id);
  assert_int_equal(special, json_array_size(ids));
  for (size_t i = 0; i < json_array_size(ids); i++)
    assert_true(ci_tokenizer_is_special(t, (int32_t)json_integer_value(json_array_get(ids, i))));
}

static void test_settings(void **state) {
  (void)state;
  json_t *cases = read_json(DATA "settings.json"), *one, *value;
  size_t index;
  json_array_foreach(cases, index, one) {
    const char *name = json_string_value(json_object_get(one, "name")), *key;
    char folder[64], base[512];
    make_folder(folder);
    snprintf(base, sizeof base, DATA "%s", json_string_value(json_object_get(one, "folder")));
    json_t *files = json_object_get(one, "files"), *config = json_object_get(one, "config");
    for (size_t i = 0; i < json_array_size(files); i++)
      copy_file(base, folder, json_string_value(json_array_get(files, i)));
    write_json(folder, "tokenizer_config.json", json_object_get(one, "tokenizer_config"));
    json_object_foreach(json_object_get(one, "others"), key, value) write_json(folder, key, value);
    ci_tokenizer *t = open_folder(folder, json_is_object(config) ? config : NULL, NULL);
    expect_specials(t, one);
    expect_rows(t, name, json_object_get(one, "rows"), CI_ENCODE_SPECIAL);
    if (json_array_size(json_object_get(one, "targets")))
      expect_rows(t, name, json_object_get(one, "targets"), CI_ENCODE_SPECIAL | CI_ENCODE_TARGET);
    ci_tokenizer_close(t);
    remove_folder(folder);
  }
  assert_int_equal(json_array_size(cases), 16);
  json_decref(cases);
}

/* tokenizer_kwargs override the files. */
static void test_kwargs(void **state) {
  (void)state;
  json_t *kwargs = json_pack("{s:s, s:b}", "pad_token", "!", "add_prefix_space", 1);
  ci_tokenizer *t = open_folder(DATA "gpt2", NULL, kwargs);
  assert_int_equal(ci_tokenizer_get_facts(t)->pad, 0);
  ci_ids ids = {0};
  ci_error err = {0};
  assert_int_equal(ci_tokenizer_encode(t, "Hello", 5, 0, &ids, &err), CI_OK);
  assert_string_equal(ci_tokenizer_token(t, ids.items[0]), "\xC4\xA0Hello");
  assert_int_equal(ci_tokenizer_id(t, "\xC4\xA0Hello"), ids.items[0]);
  assert_int_equal(ci_tokenizer_id(t, "no such token"), -1);
  assert_null(ci_tokenizer_token(t, -1));
  assert_null(ci_tokenizer_token(t, 1 << 30));
  ci_ids_free(&ids);
  ci_tokenizer_close(t);
  json_decref(kwargs);
}

/* The languages of NLLB: one that is no token, and none for the target. */
static void test_languages(void **state) {
  (void)state;
  char folder[64];
  make_folder(folder);
  copy_file(DATA "unigram", folder, "tokenizer.json");
  const char *config = "{\"tokenizer_class\":\"NllbTokenizer\",\"additional_special_tokens\":[\"eng_Latn\"]}";
  write_file(folder, "tokenizer_config.json", config, strlen(config));
  json_t *kwargs = json_pack("{s:s}", "src_lang", "xx");
  ci_tokenizer *t;
  ci_error err = {0};
  assert_int_equal(ci_tokenizer_open(folder, NULL, kwargs, &t, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "src_lang is \"xx\", but the tokenizer has no token \"xx\""));
  t = open_folder(folder, NULL, NULL);
  ci_ids ids = {0};
  assert_int_equal(ci_tokenizer_encode(t, "a", 1, CI_ENCODE_SPECIAL | CI_ENCODE_TARGET, &ids, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "has no tgt_lang"));
  assert_int_equal(ci_tokenizer_encode(t, "a", 1, CI_ENCODE_TARGET, &ids, &err), CI_OK);
  ci_ids_free(&ids);
  ci_tokenizer_close(t);
  json_decref(kwargs);
  remove_folder(folder);
}

static void test_token_to_text(void **state) {
  (void)state;
  static const struct {
    const char *folder, *token, *text;
  } cases[] = {{DATA "gpt2", "\xC4\xA0world", " world"},
               {DATA "gpt2", "\xC4\x8A", "\n"},
               {DATA "opus-mt-en-mg",
                "\xE2\x96\x81"
                "a",
                "a"},
               {DATA "opus-mt-en-mg", "</s>", "</s>"},
               {MODELS "/stories260K",
                "\xE2\x96\x81"
                "a",
                "a"},
               {DATA "llama-spm",
                "\xE2\x96\x81"
                "a",
                "a"},
               {DATA "llama-spm", "<0x0A>", "\n"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_tokenizer *t = open_folder(cases[i].folder, NULL, NULL);
    ci_text text = {0};
    ci_error err = {0};
    assert_int_equal(ci_tokenizer_token_to_text(t, cases[i].token, &text, &err), CI_OK);
    assert_string_equal(text.data ? text.data : "", cases[i].text);
    ci_text_free(&text);
    ci_tokenizer_close(t);
  }
}

static void test_rows(void **state) {
  (void)state;
  size_t count;
  const ci_tokenizer_row *rows = ci_tokenizer_rows(&count);
  assert_true(count >= 8);
  for (size_t i = 0; i < count; i++) assert_true(rows[i].id[0] && rows[i].help[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gpt2),      cmocka_unit_test(test_marian),        cmocka_unit_test(test_smollm2),
      cmocka_unit_test(test_stories),   cmocka_unit_test(test_parts),         cmocka_unit_test(test_settings),
      cmocka_unit_test(test_kwargs),    cmocka_unit_test(test_token_to_text), cmocka_unit_test(test_rows),
      cmocka_unit_test(test_languages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
