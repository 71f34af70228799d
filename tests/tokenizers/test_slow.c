/* Slow classes over SentencePiece models, and ByT5, against what transformers' own give
 * (tests/data/tokenizers/slow/make_fixtures.py). */
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/sentencepiece.h"
#include "tokenizers/tokenizer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* CINSEQ_SLOW_CASES: another file of cases, such as one of 10,000 lines. */
#define SLOW TEST_DATA "/tokenizers/slow/"

static size_t wrong, rows_seen;

static void write_json(const char *folder, const char *name, const json_t *value) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(json_dump_file(value, path, 0), 0);
}

/* vocab.json of M2M100: the pieces of fairseq.model, numbered fairseq's way. */
static json_t *vocabulary(void) {
  json_t *made = json_pack("{s:i,s:i,s:i,s:i}", "<s>", 0, "<pad>", 1, "</s>", 2, "<unk>", 3);
  ci_spm *spm;
  ci_error err = {0};
  assert_int_equal(ci_spm_open(SLOW "fairseq.model", true, &spm, &err), CI_OK);
  for (int32_t i = 3; i < ci_spm_count(spm); i++)
    json_object_set_new(made, ci_spm_piece(spm, i).text, json_integer(i + 1));
  ci_spm_close(spm);
  return made;
}

static void fill(const char *folder, const json_t *c) {
  const char *name;
  json_t *source;
  write_json(folder, "tokenizer_config.json", json_object_get(c, "settings"));
  json_object_foreach(json_object_get(c, "files"), name, source) {
    char from[512], to[512];
    snprintf(from, sizeof from, "%s%s", SLOW, json_string_value(source));
    snprintf(to, sizeof to, "%s/%s", folder, name);
    if (strcmp(json_string_value(source), "vocabulary") == 0) {
      json_t *made = vocabulary();
      write_json(folder, name, made);
      json_decref(made);
    } else
      assert_int_equal(symlink(from, to), 0);
  }
}

static void complain(const char *name, const json_t *row, const char *what, const char *found) {
  if (wrong++ < 20) {
    char *text = json_dumps(row, JSON_ENCODE_ANY);
    print_error("%s %s\n  found %s\n  in %s\n", name, what, found, text);
    free(text);
  }
}

static void check_text(const char *name, const ci_tokenizer *t, const ci_ids *ids, bool skip, const json_t *row,
                       const char *key) {
  const json_t *want = json_object_get(row, key);
  ci_text text = {0};
  ci_error err = {0};
  if (!want) return;
  ci_text_add(&text, "");
  if (ci_tokenizer_decode(t, ids->items, ids->count, skip, &text, &err))
    complain(name, row, key, err.message);
  else if (text.length != json_string_length(want) || memcmp(text.data, json_string_value(want), text.length))
    complain(name, row, key, text.data);
  ci_text_free(&text);
}

static void check_row(const char *name, const ci_tokenizer *t, const json_t *row, unsigned flags) {
  const json_t *text = json_object_get(row, "text"), *want = json_object_get(row, "ids");
  ci_ids ids = {0};
  ci_error err = {0};
  ci_text found = {0};
  if (ci_tokenizer_encode(t, json_string_value(text), json_string_length(text), flags, &ids, &err))
    fail_msg("%s: %s", name, err.message);
  bool same = ids.count == json_array_size(want);
  for (size_t i = 0; i < ids.count; i++) {
    same = same && ids.items[i] == json_integer_value(json_array_get(want, i));
    ci_text_add_format(&found, " %d", ids.items[i]);
  }
  rows_seen++;
  if (!same)
    complain(name, row, "ids", found.data ? found.data : "");
  else
    check_text(name, t, &ids, true, row, "decoded"), check_text(name, t, &ids, false, row, "full");
  ci_text_free(&found);
  ci_ids_free(&ids);
}

static void as_transformers(void **state) {
  (void)state;
  const char *path = getenv("CINSEQ_SLOW_CASES");
  json_t *cases, *c, *row;
  ci_error err = {0};
  size_t i, j;
  assert_int_equal(ci_json_read_file(path ? path : SLOW "cases.json", &cases, &err), CI_OK);
  assert_true(json_array_size(cases) >= 16);
  json_array_foreach(cases, i, c) {
    char folder[] = "/tmp/cinseq-slow-XXXXXX", command[64];
    const char *name = json_string_value(json_object_get(c, "name"));
    ci_tokenizer *t;
    size_t before = wrong, seen = rows_seen;
    assert_non_null(mkdtemp(folder));
    fill(folder, c);
    if (ci_tokenizer_open(folder, NULL, NULL, &t, &err)) fail_msg("%s: %s %s", name, err.where, err.message);
    json_array_foreach(json_object_get(c, "rows"), j, row) check_row(name, t, row, CI_ENCODE_SPECIAL);
    json_array_foreach(json_object_get(c, "target"), j, row)
        check_row(name, t, row, CI_ENCODE_SPECIAL | CI_ENCODE_TARGET);
    print_message("%s (%s): %zu of %zu\n", name, ci_tokenizer_get_facts(t)->kind, rows_seen - seen - (wrong - before),
                  rows_seen - seen);
    ci_tokenizer_close(t);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
  }
  json_decref(cases);
  assert_int_equal(wrong, 0);
}

static void other_classes(void **state) {
  (void)state;
  char folder[] = "/tmp/cinseq-slow-XXXXXX", command[64], path[512];
  ci_tokenizer *t;
  ci_error err = {0};
  assert_non_null(mkdtemp(folder));
  json_t *settings = json_pack("{s:s}", "tokenizer_class", "MartianTokenizer");
  write_json(folder, "tokenizer_config.json", settings);
  snprintf(path, sizeof path, "%s/spiece.model", folder);
  assert_int_equal(symlink(SLOW "spiece.model", path), 0);
  assert_int_equal(ci_tokenizer_open(folder, NULL, NULL, &t, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "spiece.model of a MartianTokenizer"));
  json_decref(settings);
  settings = json_pack("{s:s,s:s}", "tokenizer_class", "NllbTokenizer", "src_lang", "mars_Latn");
  write_json(folder, "tokenizer_config.json", settings);
  snprintf(path, sizeof path, "%s/sentencepiece.bpe.model", folder);
  assert_int_equal(symlink(SLOW "fairseq.model", path), 0);
  assert_int_equal(ci_tokenizer_open(folder, NULL, NULL, &t, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "mars_Latn"));
  json_decref(settings);
  snprintf(command, sizeof command, "rm -r %s", folder);
  assert_int_equal(system(command), 0);
}

/* Opens a folder of the files of BioGPT and FSMT. error: what must be said against it; NULL: nothing. */
static void open_moses(const json_t *settings, const char *error, ci_tokenizer **t) {
  char folder[] = "/tmp/cinseq-slow-XXXXXX", command[64];
  ci_error err = {0};
  json_t *c = json_pack("{s:O,s:{s:s,s:s,s:s,s:s}}", "settings", settings, "files", "vocab.json", "moses.source.json",
                        "vocab-src.json", "moses.source.json", "vocab-tgt.json", "moses.target.json", "merges.txt",
                        "moses.merges.txt");
  assert_non_null(mkdtemp(folder));
  fill(folder, c);
  json_decref(c);
  ci_status status = ci_tokenizer_open(folder, NULL, NULL, t, &err);
  if (error && (!status || !strstr(err.message, error))) fail_msg("\"%s\" is not in \"%s\"", error, err.message);
  if (!error && status) fail_msg("%s", err.message);
  snprintf(command, sizeof command, "rm -r %s", folder);
  assert_int_equal(system(command), 0);
}

static void moses_refusals(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"{\"tokenizer_class\":\"FSMTTokenizer\"}", "\"langs\" is not a list of two languages"},
      {"{\"tokenizer_class\":\"FSMTTokenizer\",\"langs\":[\"en\",7]}", "\"langs\" is not a list of two languages"},
      {"{\"tokenizer_class\":\"FSMTTokenizer\",\"langs\":[\"en\",\"mars\"]}",
       "\"mars\" has no Moses rules here; known: en, de, ru"},
      {"{\"tokenizer_class\":\"FSMTTokenizer\",\"langs\":[\"en\",\"\"]}", "\"\" has no Moses rules here"},
      {"{\"tokenizer_class\":\"BioGptTokenizer\",\"unk_token\":\"<none>\"}",
       "the vocabulary lacks <none>, the unk_token"},
      {"{\"tokenizer_class\":\"BioGptTokenizer\",\"unk_token\":null}", "\"unk_token\" is null"},
      {"{\"tokenizer_class\":\"BioGptTokenizer\",\"sep_token\":null}", "there is no sep_token"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    json_t *settings = json_loads(rows[i][0], 0, NULL);
    ci_tokenizer *t;
    open_moses(settings, rows[i][1], &t);
    assert_null(t);
    json_decref(settings);
  }
}

/* Texts that rules which backtrack take minutes for. */
static void moses_long_texts(void **state) {
  (void)state;
  enum { LENGTH = 200000 };
  static const char *const units[] = {".", " ",  "\x01 ",         "'",    "\"", ".\"",      "DOT", "A. ", "a-",
                                      ",", "``", "\xE3\x80\x82 ", " @-@", "&",  "\xC2\xA0", "''' "};
  json_t *settings = json_pack("{s:s,s:[s,s]}", "tokenizer_class", "FSMTTokenizer", "langs", "de", "en");
  char *text = malloc(LENGTH);
  ci_tokenizer *t;
  ci_error err = {0};
  open_moses(settings, NULL, &t);
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    ci_ids ids = {0};
    ci_text back = {0};
    size_t n = strlen(units[i]);
    for (size_t at = 0; at < LENGTH; at++) text[at] = at < LENGTH - LENGTH % n ? units[i][at % n] : 'x';
    assert_int_equal(ci_tokenizer_encode(t, text, LENGTH, CI_ENCODE_SPECIAL, &ids, &err), CI_OK);
    assert_true(ids.count >= 1);
    assert_int_equal(ci_tokenizer_decode(t, ids.items, ids.count, false, &back, &err), CI_OK);
    ci_text_free(&back);
    ci_ids_free(&ids);
  }
  ci_tokenizer_close(t);
  free(text);
  json_decref(settings);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_transformers), cmocka_unit_test(other_classes),
                                     cmocka_unit_test(moses_refusals), cmocka_unit_test(moses_long_texts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
