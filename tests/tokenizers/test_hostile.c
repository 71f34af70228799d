/* Texts and tokenizer files that mean harm: what broken and unknown ones get. */
#include "tokenizers/folders.h"
#include <sys/stat.h>

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
  expect_refused(
      folder,
      "source.spm + target.spm + vocab.json; or tokenizer.json; or vocab-src.json + vocab-tgt.json + "
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hostile_text),     cmocka_unit_test(test_missing_files),
      cmocka_unit_test(test_unknown_parts),    cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_garbage),          cmocka_unit_test(test_no_token),
      cmocka_unit_test(test_refused_patterns), cmocka_unit_test(test_growth),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
