/* GGUF files: blocks against the gguf package's own numbers, shards, names and configuration, and files that lie. Most
 * files are built here, in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/memory.h"
#include "base/text.h"
#include "formats/format.h"
#include "formats/gguf.h"

#define FIXTURES TEST_DATA "/formats/gguf/"
enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 }; /* types of values */
enum { TYPE_F32 = 0, TYPE_Q4_0 = 2, TYPE_I8 = 24 };

static void number(ci_text *file, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) ci_text_add_n(file, (const char[]){(char)(value >> (8 * i))}, 1);
}

static void string(ci_text *file, const char *text) {
  number(file, strlen(text), 8);
  ci_text_add(file, text);
}

static void begin(ci_text *file, uint32_t version, uint64_t tensors, uint64_t pairs) {
  ci_text_free(file);
  ci_text_add(file, "GGUF");
  number(file, version, 4);
  number(file, tensors, 8);
  number(file, pairs, 8);
}

static void key(ci_text *file, const char *name, uint32_t type) {
  string(file, name);
  number(file, type, 4);
}

static void key_string(ci_text *file, const char *name, const char *value) {
  key(file, name, STRING);
  string(file, value);
}

static void key_u32(ci_text *file, const char *name, uint32_t value) {
  key(file, name, U32);
  number(file, value, 4);
}

static void key_f32(ci_text *file, const char *name, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  key(file, name, F32);
  number(file, bits, 4);
}

/* rows 0: a vector */
static void tensor(ci_text *file, const char *name, uint64_t rows, uint64_t columns, uint32_t type, uint64_t offset) {
  string(file, name);
  number(file, rows ? 2 : 1, 4);
  number(file, columns, 8);
  if (rows) number(file, rows, 8);
  number(file, type, 4);
  number(file, offset, 8);
}

/* count float32, i of value i. */
static void finish(ci_text *file, size_t count) {
  while (file->length % 32) number(file, 0, 1);
  for (size_t i = 0; i < count; i++) {
    float value = (float)i;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    number(file, bits, 4);
  }
  assert_false(file->failed);
}

/* What the file holds as the program reads it; CI_OK, or the error. */
static ci_status read_file(const ci_text *file, ci_tensors **tensors, json_t **config, ci_error *err) {
  ci_gguf gguf;
  *tensors = ci_tensors_create();
  *config = NULL;
  *err = (ci_error){0};
  assert_non_null(*tensors);
  uint8_t *bytes = ci_alloc(file->length, 1); /* aligned as a mapping is, and no byte longer */
  assert_non_null(bytes);
  memcpy(bytes, file->data, file->length);
  ci_status status = ci_gguf_parse(&gguf, "t.gguf", bytes, file->length, err);
  if (!status) status = ci_gguf_config_of(&gguf, config, err);
  if (!status) status = ci_gguf_add(&gguf, &gguf, *tensors, err);
  for (size_t i = 0; !status && i < ci_tensors_count(*tensors); i++) { /* the numbers outlive the bytes */
    ci_tensor *t = (ci_tensor *)ci_tensors_at(*tensors, i);
    float *values = ci_tensors_alloc(*tensors, t->count, sizeof *values);
    assert_non_null(values);
    ci_tensor_widen(t, 0, t->count, values);
    t->data = values;
    t->type = CI_F32;
  }
  ci_gguf_close(&gguf);
  ci_free(bytes);
  return status;
}

static void expect(ci_text *file, const char *message) {
  ci_tensors *tensors;
  json_t *config;
  ci_error err;
  ci_status status = read_file(file, &tensors, &config, &err);
  if (!status) fail_msg("read, but expected: %s", message);
  if (!strstr(err.message, message)) fail_msg("%s: no %s", err.message, message);
  assert_string_equal(err.where, "t.gguf");
  json_decref(config);
  ci_tensors_close(tensors);
  ci_text_free(file);
}

/* ---- numbers ---- */

static void test_blocks(void **state) {
  (void)state;
  ci_tensors *tensors, *wanted = ci_tensors_create();
  ci_error err = {0};
  ci_mapping mapping;
  const char *path;
  assert_int_equal(ci_tensors_open(FIXTURES "blocks.gguf", &tensors, &err), CI_OK);
  assert_string_equal(ci_tensors_format(tensors), "gguf");
  assert_int_equal(ci_tensors_map(wanted, NULL, FIXTURES "blocks.safetensors", &mapping, &path, &err), CI_OK);
  assert_int_equal(ci_safetensors_parse(path, mapping.bytes, mapping.length, wanted, &err), CI_OK);
  assert_int_equal(ci_tensors_count(wanted), CI_BLOCKS);
  for (size_t i = 0; i < CI_BLOCKS; i++) {
    enum { COUNT = 1024, FIRST = 13, PART = 700 };
    const ci_tensor *want = ci_tensors_at(wanted, i), *got = ci_tensors_find(tensors, want->name);
    float all[COUNT], part[PART];
    assert_non_null(got);
    assert_string_equal(ci_dtype_name(got->type), want->name);
    assert_int_equal(got->count, COUNT);
    ci_tensor_widen(got, 0, COUNT, all);
    if (memcmp(all, want->data, sizeof all)) fail_msg("%s differs from the gguf package", want->name);
    ci_tensor_widen(got, FIRST, PART, part);
    assert_memory_equal(part, all + FIRST, sizeof part);
  }
  ci_tensors_close(tensors);
  ci_tensors_close(wanted);
}

static void expect_values(const ci_tensors *tensors, const char *name, const float *values, size_t count) {
  const ci_tensor *t = ci_tensors_find(tensors, name);
  if (!t) fail_msg("no %s", name);
  assert_int_equal(t->count, count);
  assert_memory_equal(t->data, values, count * sizeof *values);
}

static void open_well(ci_text *file, ci_tensors **tensors, json_t **config) {
  ci_error err;
  if (read_file(file, tensors, config, &err)) fail_msg("%s", err.message);
  ci_text_free(file);
}

/* Versions 2 and 3 have the same layout. Rows of a head's query lie as pairs; the output's name says that it is not
 * tied. */
static void test_llama(void **state) {
  (void)state;
  for (uint32_t version = 2; version <= 3; version++) {
    ci_text file = {0};
    begin(&file, version, 3, 6);
    key_string(&file, "general.architecture", "llama");
    key_u32(&file, "llama.embedding_length", 2);
    key_u32(&file, "llama.attention.head_count", 2);
    key_u32(&file, "llama.attention.head_count_kv", 1);
    key_f32(&file, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    key_u32(&file, "tokenizer.ggml.eos_token_id", 7);
    tensor(&file, "token_embd.weight", 3, 2, TYPE_F32, 64);
    tensor(&file, "blk.0.attn_q.weight", 8, 2, TYPE_F32, 0);
    tensor(&file, "blk.0.attn_k.weight", 4, 2, TYPE_F32, 96);
    finish(&file, 32);
    ci_tensors *tensors;
    json_t *config;
    open_well(&file, &tensors, &config);
    assert_string_equal(json_string_value(json_object_get(config, "model_type")), "llama");
    assert_int_equal(json_integer_value(json_object_get(config, "hidden_size")), 2);
    assert_int_equal(json_integer_value(json_object_get(config, "vocab_size")), 3);
    assert_int_equal(json_integer_value(json_object_get(config, "eos_token_id")), 7);
    assert_true(json_real_value(json_object_get(config, "rms_norm_eps")) == 1e-5);
    assert_true(json_is_true(json_object_get(config, "tie_word_embeddings")));
    const float query[] = {0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15},
                keys[] = {24, 25, 28, 29, 26, 27, 30, 31};
    expect_values(tensors, "model.layers.0.self_attn.q_proj.weight", query, 16);
    expect_values(tensors, "model.layers.0.self_attn.k_proj.weight", keys, 8);
    json_decref(config);
    ci_tensors_close(tensors);
  }
}

static void test_experts_and_norms(void **state) {
  (void)state;
  ci_text file = {0};
  ci_tensors *tensors;
  json_t *config;
  begin(&file, 3, 1, 2);
  key_string(&file, "general.architecture", "qwen2moe");
  key_u32(&file, "qwen2moe.expert_count", 2);
  string(&file, "blk.11.ffn_up_exps.weight");
  number(&file, 3, 4);
  number(&file, 2, 8);
  number(&file, 1, 8);
  number(&file, 2, 8);
  number(&file, TYPE_F32, 4);
  number(&file, 0, 8);
  finish(&file, 4);
  open_well(&file, &tensors, &config);
  expect_values(tensors, "model.layers.11.mlp.experts.1.up_proj.weight", (const float[]){2, 3}, 2);
  assert_int_equal(json_integer_value(json_object_get(config, "num_experts")), 2);
  json_decref(config);
  ci_tensors_close(tensors);
  begin(&file, 3, 1, 1);
  key_string(&file, "general.architecture", "gemma3");
  tensor(&file, "blk.0.attn_q_norm.weight", 0, 2, TYPE_F32, 0);
  finish(&file, 2);
  open_well(&file, &tensors, &config);
  expect_values(tensors, "model.layers.0.self_attn.q_norm.weight", (const float[]){-1, 0}, 2);
  json_decref(config);
  ci_tensors_close(tensors);
}

/* ---- files and folders ---- */

static char folder[] = "/tmp/cinseq-gguf-XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return rmdir(folder);
}

static void path_of(char path[128], const char *name) {
  snprintf(path, 128, "%s/%s", folder, name);
}

static void test_shards(void **state) {
  (void)state;
  ci_tensors *tensors;
  ci_error err = {0};
  assert_int_equal(ci_tensors_open(FIXTURES "split-00001-of-00003.gguf", &tensors, &err), CI_OK);
  assert_int_equal(ci_tensors_count(tensors), 5);
  float values[8];
  ci_tensor_widen(ci_tensors_find(tensors, "model.norm.weight"), 0, 8, values);
  assert_true(values[0] == 40 && values[7] == 47);
  assert_non_null(ci_tensors_find(tensors, "model.layers.0.self_attn.q_proj.bias"));
  ci_tensors_close(tensors);
  assert_int_not_equal(ci_tensors_open(FIXTURES "split-00002-of-00003.gguf", &tensors, &err), CI_OK);
  assert_non_null(strstr(err.message, "is shard 2 of 3: name the first"));
  char first[128], second[128];
  path_of(first, "m-00001-of-00002.gguf");
  path_of(second, "m-00002-of-00002.gguf");
  assert_int_equal(symlink(FIXTURES "split-00001-of-00003.gguf", first), 0);
  assert_int_not_equal(ci_tensors_open(first, &tensors, &err), CI_OK); /* the second is not there */
  assert_non_null(strstr(err.where, "m-00002-of-00002.gguf"));
  assert_int_equal(symlink(FIXTURES "split-00003-of-00003.gguf", second), 0);
  assert_int_not_equal(ci_tensors_open(first, &tensors, &err), CI_OK);
  assert_non_null(strstr(err.message, "promises 5 tensors in its shards, which hold 3"));
  unlink(second);
  assert_int_equal(symlink(FIXTURES "split-00001-of-00003.gguf", second), 0);
  assert_int_not_equal(ci_tensors_open(first, &tensors, &err), CI_OK);
  assert_non_null(strstr(err.message, "is there twice"));
  unlink(first);
  unlink(second);
}

static void test_locate(void **state) {
  (void)state;
  char *file, one[128], two[128];
  ci_error err = {0};
  assert_int_equal(ci_gguf_locate(folder, &file, &err), CI_OK);
  assert_null(file);
  path_of(one, "a.gguf");
  path_of(two, "b-00001-of-00002.gguf");
  assert_int_equal(symlink(FIXTURES "blocks.gguf", one), 0);
  assert_int_equal(ci_gguf_locate(folder, &file, &err), CI_OK);
  assert_string_equal(file, one);
  ci_free(file);
  assert_int_equal(symlink(FIXTURES "blocks.gguf", two), 0);
  assert_int_equal(ci_gguf_locate(folder, &file, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "a.gguf"));
  assert_non_null(strstr(err.message, "b-00001-of-00002.gguf"));
  unlink(one);
  assert_int_equal(ci_gguf_locate(folder, &file, &err), CI_OK);
  assert_string_equal(file, two);
  ci_free(file);
  unlink(two);
  assert_int_equal(ci_gguf_locate("no/such.gguf", &file, &err), CI_OK);
  assert_string_equal(file, "no/such.gguf");
  ci_free(file);
}

/* ---- files that lie ---- */

static void test_headers(void **state) {
  (void)state;
  ci_text file = {0};
  ci_text_add(&file, "GGUF");
  expect(&file, "is no GGUF file");
  ci_text_add(&file, "GGML and twenty bytes more");
  expect(&file, "is no GGUF file");
  begin(&file, 1, 0, 0);
  expect(&file, "is GGUF of version 1, expected 2 or 3");
  begin(&file, 3u << 24, 0, 0);
  expect(&file, "(big-endian)");
  begin(&file, 3, 0, 1ull << 60);
  expect(&file, "claims 1152921504606846976 keys");
  begin(&file, 3, 1ull << 60, 0);
  expect(&file, "claims 1152921504606846976 tensors");
  begin(&file, 3, 0, 0);
  expect(&file, "general.architecture \"\" is not supported");
  begin(&file, 3, 0, 1);
  key_string(&file, "general.architecture", "rwkv7");
  expect(&file, "general.architecture \"rwkv7\" is not supported in GGUF files, expected one of llama, qwen2");
}

static void test_keys(void **state) {
  (void)state;
  ci_text file = {0};
  begin(&file, 3, 0, 1);
  number(&file, 1ull << 62, 8);
  ci_text_add(&file, "general.name");
  expect(&file, "has a string of 4611686018427387904 bytes");
  begin(&file, 3, 0, 1);
  key(&file, "", U32);
  number(&file, 0, 8);
  expect(&file, "is no name");
  begin(&file, 3, 0, 1);
  key(&file, "a.key", 13);
  number(&file, 0, 8);
  expect(&file, "key \"a.key\" has the unknown value type 13");
  begin(&file, 3, 0, 1);
  key(&file, "a.key", STRING);
  number(&file, 100, 8);
  expect(&file, "a.key at byte");
  begin(&file, 3, 0, 1);
  key(&file, "a.key", ARRAY);
  number(&file, ARRAY, 4);
  number(&file, 1, 8);
  number(&file, 0, 8);
  expect(&file, "key \"a.key\" is an array of arrays");
  begin(&file, 3, 0, 1);
  key(&file, "a.key", ARRAY);
  number(&file, F64, 4);
  number(&file, 1ull << 61, 8);
  expect(&file, "key \"a.key\" has an array of 2305843009213693952 float64");
  begin(&file, 3, 0, 2);
  key_u32(&file, "a.key", 1);
  key_u32(&file, "a.key", 1);
  expect(&file, "has the key \"a.key\" twice");
  begin(&file, 3, 0, 2);
  key_string(&file, "general.architecture", "llama");
  key_string(&file, "general.alignment", "32");
  expect(&file, "key \"general.alignment\" is string, expected an integer");
  begin(&file, 3, 0, 1);
  key_u32(&file, "general.alignment", 48);
  expect(&file, "key \"general.alignment\" is 48, expected a power of two");
  begin(&file, 3, 0, 1);
  key(&file, "general.architecture", STRING);
  string(&file, "\xff\xfe");
  expect(&file, "expected UTF-8");
}

static void begin_llama(ci_text *file, uint64_t tensors) {
  begin(file, 3, tensors, 3);
  key_string(file, "general.architecture", "llama");
  key_u32(file, "llama.embedding_length", 4);
  key_u32(file, "llama.attention.head_count", 3);
}

static void test_tensors(void **state) {
  (void)state;
  ci_text file = {0};
  static const struct {
    uint64_t rows, columns;
    uint32_t type;
    uint64_t offset;
    const char *message;
  } cases[] = {
      {2, 4, 4, 0, "tensor \"t.weight\" has the type 4 (Q4_2), expected one of F32, F16"},
      {2, 256, 16, 0, "has the type 16 (IQ2_XXS)"},
      {2, 4, 200, 0, "has the type 200 (unknown)"},
      {2, 4, TYPE_F32, 4, "has the offset 4, expected a multiple of 8"},
      {2, 4, TYPE_F32, 64, "has 32 bytes from offset 64, out of range: there are 32 bytes of data"},
      {2, 4, TYPE_F32, UINT64_MAX - 7, "out of range"},
      {3, 4, TYPE_F32, 0, "has 48 bytes from offset 0, out of range"},
      {2, 0, TYPE_F32, 0, "has no elements"},
      {2, 40, TYPE_Q4_0, 0, "rows that are no multiple of Q4_0's 32"},
      {1ull << 33, 1ull << 33, TYPE_F32, 0, "a shape that is too large"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin_llama(&file, 1);
    tensor(&file, "t.weight", cases[i].rows, cases[i].columns, cases[i].type, cases[i].offset);
    finish(&file, 8);
    expect(&file, cases[i].message);
  }
  begin_llama(&file, 1);
  string(&file, "t.weight");
  number(&file, 9, 4);
  finish(&file, 20);
  expect(&file, "tensor \"t.weight\" has 9 dimensions, expected at most 8");
  begin_llama(&file, 2);
  tensor(&file, "a.weight", 2, 4, TYPE_F32, 0);
  tensor(&file, "b.weight", 2, 4, TYPE_I8, 24);
  finish(&file, 8);
  expect(&file, "tensors \"a.weight\" and \"b.weight\" overlap at offset 24");
  begin_llama(&file, 2);
  tensor(&file, "a.weight", 0, 4, TYPE_F32, 0);
  tensor(&file, "a.weight", 0, 4, TYPE_F32, 16);
  finish(&file, 8);
  expect(&file, "tensor \"a.weight\" is there twice");
  begin_llama(&file, 1);
  tensor(&file, "blk.0.attn_q.weight", 2, 4, TYPE_F32, 0);
  finish(&file, 8);
  expect(&file, "tensor \"blk.0.attn_q.weight\": 2 rows do not make 3 heads of 2 equal parts");
  begin_llama(&file, 1);
  tensor(&file, "blk.0.ffn_up_exps.weight", 2, 4, TYPE_F32, 0);
  finish(&file, 8);
  expect(&file,
         "tensor \"blk.0.ffn_up_exps.weight\" has the shape [2, 4], expected [at most 4096 experts, rows, columns]");
}

/* A file that ends anywhere is refused; read_file gives the parser no byte more than there are. */
static void test_cut(void **state) {
  (void)state;
  ci_text file = {0}, cut = {0};
  begin(&file, 3, 2, 3);
  key_string(&file, "general.architecture", "llama");
  key(&file, "tokens", ARRAY);
  number(&file, STRING, 4);
  number(&file, 2, 8);
  string(&file, "a");
  string(&file, "b");
  key_u32(&file, "llama.block_count", 1);
  tensor(&file, "a.weight", 2, 4, TYPE_F32, 0);
  tensor(&file, "b.weight", 2, 4, TYPE_F32, 32);
  finish(&file, 16);
  for (size_t length = 0; length < file.length; length++) {
    ci_text_add_n(&cut, file.data, length);
    ci_text_add(&cut, "");
    expect(&cut, length < 24 ? "is no GGUF file" : "");
  }
  ci_tensors *tensors;
  json_t *config;
  open_well(&file, &tensors, &config);
  json_decref(config);
  ci_tensors_close(tensors);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_blocks), cmocka_unit_test(test_llama),   cmocka_unit_test(test_experts_and_norms),
      cmocka_unit_test(test_shards), cmocka_unit_test(test_locate),  cmocka_unit_test(test_headers),
      cmocka_unit_test(test_keys),   cmocka_unit_test(test_tensors), cmocka_unit_test(test_cut),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
