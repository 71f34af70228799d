/* Whole tokenizers against transformers 4.57.6 (expectations: tests/data/tokenizers/make_fixtures.py), every part of
 * tokenizer.json, settings of the folder's files, and what broken files get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/tokenizer.h"

#define DATA TEST_DATA "/tokenizers/"

static json_t *read_json(const char *path) {
  json_t *value;
  ci_error err = {0};
  if (ci_json_read_file(path, &value, &err)) fail_msg("%s: %s", err.where, err.message);
  return value;
}

static ci_tokenizer *open_folder(const char *folder, const json_t *config, const json_t *kwargs) {
  ci_tokenizer *t;
  ci_error err = {0};
  if (ci_tokenizer_open(folder, config, kwargs, &t, &err)) fail_msg("%s: %s", err.where, err.message);
  return t;
}

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

static void make_folder(char *folder) {
  strcpy(folder, "/tmp/cinseq-tokenizer-XXXXXX");
  assert_non_null(mkdtemp(folder));
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t length) {
  char *path = ci_join_path(folder, name);
  ci_error err = {0};
  if (ci_write_file(path, bytes, length, &err)) fail_msg("%s: %s", err.where, err.message);
  ci_free(path);
}

static void write_json(const char *folder, const char *name, const json_t *value) {
  char *text = json_dumps(value, JSON_COMPACT);
  write_file(folder, name, text, strlen(text));
  free(text);
}

static void copy_file(const char *from, const char *folder, const char *name) {
  char *path = ci_join_path(from, name), *text;
  size_t length;
  ci_error err = {0};
  if (ci_read_file(path, 1 << 24, &text, &length, &err)) fail_msg("%s: %s", err.where, err.message);
  write_file(folder, name, text, length);
  ci_free(path);
  ci_free(text);
}

static void remove_folder(const char *folder) {
  static const char *const names[] = {
      "tokenizer.json", "tokenizer_config.json",   "tokenizer.model",   "vocab.json", "merges.txt",
      "source.spm",     "special_tokens_map.json", "added_tokens.json", "target.spm", "target_vocab.json"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char *path = ci_join_path(folder, names[i]);
    unlink(path);
    ci_free(path);
  }
  assert_int_equal(rmdir(folder), 0);
}

/* The change of a case laid over the base file: members of "model" one by one, others as a whole. */
static json_t *changed(const char *base, const json_t *change) {
  char path[512];
  snprintf(path, sizeof path, DATA "%s/tokenizer.json", base);
  json_t *file = read_json(path), *value;
  const char *key;
  json_object_foreach((json_t *)change, key, value) {
    if (strcmp(key, "model") == 0) {
      json_object_update(json_object_get(file, key), value);
    } else {
      json_object_set(file, key, value);
    }
  }
  return file;
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

/* Ill-formed UTF-8 is U+FFFD, and a long word takes no quadratic time (this one would run for minutes). */
static void test_hostile_text(void **state) {
  (void)state;
  ci_tokenizer *t = open_folder(DATA "gpt2", NULL, NULL);
  ci_ids ids = {0}, same = {0};
  ci_error err = {0};
  assert_int_equal(ci_tokenizer_encode(t, "a\xFF\xE2\x96z", 5, 0, &ids, &err), CI_OK);
  assert_int_equal(ci_tokenizer_encode(t, "a\xEF\xBF\xBD\xEF\xBF\xBDz", 8, 0, &same, &err), CI_OK);
  assert_int_equal(ids.count, same.count);
  assert_memory_equal(ids.items, same.items, ids.count * sizeof *ids.items);
  size_t length = 1 << 20;
  char *text = ci_alloc(length, 1);
  for (size_t i = 0; i < length; i++) text[i] = "xyzab"[i % 7 % 5];
  ids.count = 0;
  assert_int_equal(ci_tokenizer_encode(t, text, length, 0, &ids, &err), CI_OK);
  ci_text back = {0};
  assert_int_equal(ci_tokenizer_decode(t, ids.items, ids.count, false, &back, &err), CI_OK);
  assert_int_equal(back.length, length);
  assert_memory_equal(back.data, text, length);
  ci_text_free(&back);
  ci_free(text);
  ci_ids_free(&ids);
  ci_ids_free(&same);
  ci_tokenizer_close(t);
}

static void expect_refused(const char *folder, const char *words) {
  ci_tokenizer *t;
  ci_error err = {0};
  int status = ci_tokenizer_open(folder, NULL, NULL, &t, &err);
  if (!status) fail_msg("opened, expected an error with \"%s\"", words);
  assert_null(t);
  assert_true(err.where[0]);
  if (!strstr(err.message, words)) fail_msg("the error is \"%s\", expected \"%s\"", err.message, words);
}

static void test_missing_files(void **state) {
  (void)state;
  char folder[64];
  make_folder(folder);
  expect_refused(folder, "source.spm + target.spm + vocab.json; or tokenizer.json; or vocab-src.json + vocab-tgt.json + "
                         "merges.txt; or vocab.json + merges.txt; or sentencepiece.bpe.model; or spiece.model; or tokenizer.model");
  remove_folder(folder);
}

/* A part, model or class that is not known is refused by name. */
static void test_unknown_parts(void **state) {
  (void)state;
  static const struct {
    const char *key, *value, *words;
  } cases[] = {
      {"normalizer", "{\"type\":\"Precompiled\"}", "no string \"precompiled_charsmap\""},
      {"normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAA\"}", "not base64"},
      {"normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"A?==\"}", "not base64"},
      {"normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"CAAAAAAAAAA=\"}", "8 bytes ends before"},
      {"normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"BAAAAAAAAAD/\"}", "not UTF-8"},
      {"normalizer", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Magic\"}]}", "normalizer \"Magic\""},
      {"normalizer", "[]", "normalizer has no \"type\""},
      {"pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}",
       "cannot be compiled"},
      {"pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Eaten\"}", "\"Eaten\""},
      {"pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&b]\"},\"behavior\":\"Isolated\"}",
       "intersection"},
      {"pre_tokenizer", "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}", "of one character"},
      {"pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"\"}", "expected one character"},
      {"pre_tokenizer", "{\"type\":\"FixedLength\",\"length\":0}", "length"},
      {"pre_tokenizer", "{\"type\":\"Magic\"}", "pre_tokenizer \"Magic\""},
      {"decoder", "{\"type\":\"Magic\"}", "decoder \"Magic\""},
      {"post_processor", "{\"type\":\"BertProcessing\",\"cls\":[\"a\",0],\"sep\":[\"a\"]}", "no \"sep\""},
      {"post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]}",
       "special token \"x\""},
      {"model", "{\"type\":\"Magic\",\"vocab\":[]}", "\"Magic\""},
      {"model", "{\"merges\":[]}", "no \"type\""},
      {"model", "{\"type\":\"Unigram\",\"vocab\":[]}", "empty"},
      {"model", "{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]],\"unk_id\":1}", "unk_id"},
      {"model", "{\"type\":\"Unigram\",\"vocab\":{\"a\":1}}", "array of [token, score]"},
      {"model", "{\"type\":\"WordPiece\",\"vocab\":{\"a\":1},\"unk_token\":\"a\"}", "no \"continuing_subword_prefix\""},
      {"model", "{\"type\":\"WordLevel\",\"vocab\":5,\"unk_token\":\"a\"}", "neither an array nor an object"},
      {"model", "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}", "the second is not in the vocabulary"},
      {"model", "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"ab\"]}", "a merge of two tokens"},
      {"model", "{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}", "id -1"},
      {"model", "{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999},\"merges\":[]}", "expected 0 to"},
      {"model", "{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}", "empty"},
      {"model", "{\"type\":\"BPE\",\"vocab\":{\"a\":0}}", "no \"merges\""},
      {"model", "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":{}}", "an array of merges"},
      {"model", "3", "\"model\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char folder[64];
    make_folder(folder);
    json_t *change = json_object(), *file = changed("byte-level", change);
    json_object_set_new(file, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
    write_json(folder, "tokenizer.json", file);
    expect_refused(folder, cases[i].words);
    json_decref(file);
    json_decref(change);
    remove_folder(folder);
  }
}

/* A character without a token, and no token for what is unknown: an error when it occurs. */
static void test_no_token(void **state) {
  (void)state;
  static const char *const models[] = {
      "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"unk_token\":\"u\"}",
      "{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]]}",
      "{\"type\":\"WordLevel\",\"vocab\":{\"a\":0},\"unk_token\":\"u\"}",
      ("{\"type\":\"WordPiece\",\"vocab\":{\"a\":0},\"unk_token\":\"u\",\"continuing_subword_prefix\":\"#\","
       "\"max_input_chars_per_word\":3}"),
  };
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    char folder[64], file[512];
    make_folder(folder);
    snprintf(file, sizeof file, "{\"model\":%s}", models[i]);
    write_file(folder, "tokenizer.json", file, strlen(file));
    ci_tokenizer *t = open_folder(folder, NULL, NULL);
    ci_ids ids = {0};
    ci_error err = {0};
    assert_int_equal(ci_tokenizer_encode(t, "a", 1, 0, &ids, &err), CI_OK);
    assert_int_equal(ids.count, 1);
    assert_int_equal(ci_tokenizer_encode(t, "\xC3\xA9", 2, 0, &ids, &err), CI_EINVAL);
    assert_non_null(strstr(err.message, "no token for \"\xC3\xA9\""));
    ci_ids_free(&ids);
    ci_tokenizer_close(t);
    remove_folder(folder);
  }
}

/* What Oniguruma's patterns mean that PCRE2 has not is refused by name. */
static void test_refused_patterns(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *words;
  } cases[] = {{"[a&&b]", "intersection"},
               {"[a[^b]]", "a negated class within a class"},
               {"a{2}+", "an interval followed by +"},
               {"a{2}?", "a fixed interval followed by ?"},
               {"[\\W]", "\\W in a class"},
               {"\\ya", "\\y"},
               {"[[:graph:]]", "[:graph:]"},
               {"(?~a)", "absent operator"},
               {"\\p{NoSuch}", "cannot be compiled"},
               {"(?s:a)", NULL},
               {"a", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char folder[64];
    make_folder(folder);
    json_t *change = json_object(), *file = changed("byte-level", change);
    json_object_set_new(file, "pre_tokenizer",
                        json_pack("{s:s, s:s, s:{s:s}}", "type", "Split", "behavior", "Isolated", "pattern", "Regex",
                                  cases[i].pattern));
    write_json(folder, "tokenizer.json", file);
    if (cases[i].words) {
      expect_refused(folder, cases[i].words);
    } else {
      ci_tokenizer_close(open_folder(folder, NULL, NULL));
    }
    json_decref(file);
    json_decref(change);
    remove_folder(folder);
  }
}

/* Parts that double a text, one after the other. */
static void test_growth(void **state) {
  (void)state;
  static const struct {
    const char *key, *members, *part;
  } cases[] = {
      {"normalizer", "normalizers", "{\"type\":\"ByteLevel\"}"},
      {"normalizer", "normalizers", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"xx\"}"},
      {"pre_tokenizer", "pretokenizers", "{\"type\":\"ByteLevel\",\"use_regex\":false}"},
      {"decoder", "decoders", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"}"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char folder[64];
    make_folder(folder);
    json_t *file =
               json_pack("{s:{s:s, s:{s:i}, s:s}}", "model", "type", "WordLevel", "vocab", "a", 0, "unk_token", "a"),
           *parts = json_array();
    for (int k = 0; k < 64; k++) json_array_append_new(parts, json_loads(cases[i].part, 0, NULL));
    json_object_set_new(file, cases[i].key, json_pack("{s:s, s:o}", "type", "Sequence", cases[i].members, parts));
    write_json(folder, "tokenizer.json", file);
    ci_tokenizer *t = open_folder(folder, NULL, NULL);
    ci_ids ids = {0};
    ci_text text = {0};
    ci_error err = {0};
    ci_status status = ci_tokenizer_encode(t, "x\xC3\xA9", 3, 0, &ids, &err);
    if (strcmp(cases[i].key, "decoder") == 0) {
      assert_int_equal(status, CI_OK);
      status = ci_tokenizer_decode(t, ids.items, ids.count, false, &text, &err);
    }
    assert_int_equal(status, CI_EINVAL);
    assert_non_null(strstr(err.message, "times as long"));
    ci_ids_free(&ids);
    ci_text_free(&text);
    ci_tokenizer_close(t);
    json_decref(file);
    remove_folder(folder);
  }
}

/* Every truncation of every kind of file is an error, and no read goes past its end (AddressSanitizer watches). */
static void truncate_file(const char *from, const char *const *names, size_t which, size_t steps) {
  char folder[64], *path = ci_join_path(from, names[which]), *text;
  size_t length;
  ci_error err = {0};
  make_folder(folder);
  for (size_t i = 0; names[i]; i++) copy_file(from, folder, names[i]);
  assert_int_equal(ci_read_file(path, 1 << 24, &text, &length, &err), CI_OK);
  for (size_t i = 0; i < steps; i++) {
    size_t kept = length * i / steps;
    write_file(folder, names[which], text, kept);
    ci_tokenizer *t;
    if (ci_tokenizer_open(folder, NULL, NULL, &t, &err)) {
      assert_true(err.message[0] && err.where[0]);
    } else if (strcmp(names[which], "merges.txt")) { /* its lines stand by themselves */
      fail_msg("%s cut to %zu of %zu bytes was opened", names[which], kept, length);
    } else {
      ci_tokenizer_close(t);
    }
  }
  ci_free(path);
  ci_free(text);
  remove_folder(folder);
}

static void test_truncated(void **state) {
  (void)state;
  truncate_file(DATA "byte-level", (const char *const[]){"tokenizer.json", NULL}, 0, 400);
  truncate_file(DATA "unigram", (const char *const[]){"tokenizer.json", NULL}, 0, 100);
  truncate_file(DATA "llama-spm", (const char *const[]){"tokenizer.model", NULL}, 0, 3);
  truncate_file(DATA "gpt2", (const char *const[]){"vocab.json", "merges.txt", NULL}, 0, 5);
  truncate_file(DATA "gpt2", (const char *const[]){"vocab.json", "merges.txt", NULL}, 1, 5);
}

static void test_garbage(void **state) {
  (void)state;
  char folder[64];
  make_folder(folder);
  write_file(folder, "vocab.json", "{\"a\":0,\"b\" 1}", 13);
  write_file(folder, "merges.txt", "#\na b c\n", 8);
  expect_refused(folder, "expected ':' at byte 11");
  write_file(folder, "vocab.json", "{\"a\":0,\"b\":1}", 13);
  expect_refused(folder, "line 2 has 3 words");
  write_file(folder, "merges.txt", "#\na \xFF\n", 6);
  expect_refused(folder, "not UTF-8");
  write_file(folder, "vocab.json", "[1]", 3);
  expect_refused(folder, "object of token: id");
  write_file(folder, "tokenizer_config.json", "{\"tokenizer_class\":\"CTRLTokenizer\"}", 35);
  expect_refused(folder, "CTRLTokenizer");
  write_file(folder, "tokenizer_config.json", "{\"added_tokens_decoder\":{\"x\":{}}}", 33);
  expect_refused(folder, "expected an id");
  write_file(folder, "tokenizer_config.json", "{\"added_tokens_decoder\":{\"1\":{\"content\":3}}}", 44);
  expect_refused(folder, "added token");
  remove_folder(folder);
  make_folder(folder);
  write_file(folder, "tokenizer.json", "{\"model\":{\"vocab\":[[\"a\",1e999]]}}", 33);
  expect_refused(folder, "a score before at byte 29");
  write_file(folder, "tokenizer.json", "{\"model\":{\"vocab\":[[\"a\",.5]]}}", 30);
  expect_refused(folder, "a score before");
  remove_folder(folder);
  make_folder(folder);
  write_file(folder, "tokenizer.model", "garbage that is no model", 24);
  expect_refused(folder, "not a SentencePiece model");
  write_file(folder, "tokenizer.model", "", 0);
  expect_refused(folder, "not a SentencePiece model");
  remove_folder(folder);
  make_folder(folder);
  copy_file(MODELS "/zh-en-mini", folder, "source.spm");
  copy_file(MODELS "/zh-en-mini", folder, "target.spm");
  write_file(folder, "vocab.json", "{\"</s>\":0,\"<unk>\":1}", 20);
  expect_refused(folder, "lacks <pad>");
  write_file(folder, "vocab.json", "{\"</s>\":0,\"<unk>\":1,\"<pad>\":2}", 30);
  write_file(folder, "tokenizer_config.json", "{\"separate_vocabs\":true}", 24);
  expect_refused(folder, "cannot be opened");
  write_file(folder, "tokenizer_config.json", "{\"unk_token\":null}", 18);
  expect_refused(folder, "unk_token");
  write_file(folder, "tokenizer_config.json", "[]", 2);
  expect_refused(folder, "not an object");
  remove_folder(folder);
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
      cmocka_unit_test(test_gpt2),          cmocka_unit_test(test_marian),
      cmocka_unit_test(test_smollm2),       cmocka_unit_test(test_stories),
      cmocka_unit_test(test_parts),         cmocka_unit_test(test_settings),
      cmocka_unit_test(test_kwargs),        cmocka_unit_test(test_token_to_text),
      cmocka_unit_test(test_hostile_text),  cmocka_unit_test(test_missing_files),
      cmocka_unit_test(test_unknown_parts), cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_garbage),       cmocka_unit_test(test_rows),
      cmocka_unit_test(test_no_token),      cmocka_unit_test(test_refused_patterns),
      cmocka_unit_test(test_languages),     cmocka_unit_test(test_growth),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
