/* safetensors files, whole and hostile. Files are built here, in a folder of their own under /tmp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/text.h"
#include "formats/format.h"

static char folder[] = "/tmp/cinseq-safetensors-XXXXXX";

static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "a.safetensors",
                                    "b.safetensors"};

static void remove_files(void) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
}

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  remove_files();
  return rmdir(folder);
}

static void write_text(const char *name, const void *bytes, size_t length) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  ci_error err = {0};
  assert_int_equal(ci_write_file(path, bytes, length, &err), CI_OK);
}

static void build(ci_text *file, const char *header, const void *data, size_t length) {
  uint64_t header_length = strlen(header);
  for (int i = 0; i < 8; i++) ci_text_add_n(file, (const char[]){(char)(header_length >> (8 * i))}, 1);
  ci_text_add(file, header);
  if (length) ci_text_add_n(file, data, length);
  assert_false(file->failed);
}

static void write_safetensors(const char *name, const char *header, const void *data, size_t length) {
  ci_text file = {0};
  build(&file, header, data, length);
  write_text(name, file.data, file.length);
  ci_text_free(&file);
}

static void expect_failure(const char *first, const char *second) {
  ci_tensors *tensors;
  ci_error err = {0};
  assert_int_equal(ci_tensors_open(folder, &tensors, &err), CI_EFILE);
  assert_null(tensors);
  if (!strstr(err.where, first) && !strstr(err.message, first))
    fail_msg("%s: %s: no %s", err.where, err.message, first);
  if (!strstr(err.message, second)) fail_msg("%s: %s: no %s", err.where, err.message, second);
}

static const float six[] = {1, 2, 3, 4, 5, -6};

static void test_one_file(void **state) {
  (void)state;
  remove_files();
  write_safetensors(
      "model.safetensors",
      "{\"__metadata__\":{\"format\":\"pt\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[8,24]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
      "\"none\":{\"dtype\":\"I64\",\"shape\":[0,3],\"data_offsets\":[8,8]}}   ",
      six, sizeof six);
  ci_tensors *tensors;
  ci_error err = {0};
  assert_int_equal(ci_tensors_open(folder, &tensors, &err), CI_OK);
  assert_int_equal(ci_tensors_count(tensors), 3);
  assert_int_equal(ci_tensors_bytes(tensors), sizeof six);
  assert_string_equal(ci_tensors_format(tensors), "safetensors");
  const ci_tensor *w = ci_tensors_find(tensors, "w");
  assert_non_null(w);
  assert_ptr_equal(w, ci_tensors_at(tensors, 0));
  assert_true(w->type == CI_F32 && w->rank == 2 && w->shape[0] == 2 && w->shape[1] == 2 && w->count == 4);
  assert_memory_equal(w->data, six + 2, 16);
  assert_true(ci_ends_with(w->file, "/model.safetensors"));
  assert_int_equal(ci_tensors_find(tensors, "none")->count, 0);
  assert_null(ci_tensors_find(tensors, "__metadata__"));
  assert_null(ci_tensors_find(tensors, "W"));
  assert_null(ci_tensors_at(tensors, 3));
  ci_tensors_close(tensors);
}

/* A header of odd length and a byte in front: the data of the float tensor is copied to an aligned place. */
static void test_misaligned(void **state) {
  (void)state;
  remove_files();
  char data[1 + sizeof six];
  for (int spaces = 0; spaces < 4; spaces++) {
    ci_text header = {0};
    ci_text_add(&header, "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                         "\"w\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[1,25]}}");
    for (int i = 0; i < spaces; i++) ci_text_add(&header, " ");
    data[0] = 7;
    memcpy(data + 1, six, sizeof six);
    write_safetensors("model.safetensors", header.data, data, sizeof data);
    ci_text_free(&header);
    ci_tensors *tensors;
    ci_error err = {0};
    assert_int_equal(ci_tensors_open(folder, &tensors, &err), CI_OK);
    const ci_tensor *w = ci_tensors_find(tensors, "w");
    assert_int_equal((uintptr_t)w->data % 4, 0);
    assert_memory_equal(w->data, six, sizeof six);
    ci_tensors_close(tensors);
  }
}

#define TENSOR(name, dtype, shape, begin, end)                                                                         \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static void test_hostile_headers(void **state) {
  (void)state;
  static const struct {
    const char *header, *tensor, *message;
  } cases[] = {
      {"", "model.safetensors", "not valid JSON"},
      {"{\"w\":", "model.safetensors", "not valid JSON"},
      {"{} x", "model.safetensors", "not valid JSON"},
      {"[1]", "model.safetensors", "not a JSON object"},
      {"{}", "model.safetensors", "24 bytes of data, but its tensors end at byte 0"},
      {"{\"w\":3}", "\"w\"", "not described by an object"},
      {"{\"w\":{\"shape\":[6],\"data_offsets\":[0,24]}}", "\"w\"", "no dtype"},
      {"{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,24]}}", "\"w\"", "no shape"},
      {"{\"w\":{\"dtype\":\"F32\",\"shape\":[6]}}", "\"w\"", "no data_offsets"},
      {"{\"w\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24,1]}}", "\"w\"", "no data_offsets"},
      {"{" TENSOR("w", "Q17", "[6]", "0", "24") "}", "\"w\"", "unknown dtype \"Q17\""},
      {"{" TENSOR("w", "F32", "[-6]", "0", "24") "}", "\"w\"", "no whole number"},
      {"{" TENSOR("w", "F32", "[6.0]", "0", "24") "}", "\"w\"", "no whole number"},
      {"{" TENSOR("w", "F32", "[1,1,1,1,1,1,1,1,6]", "0", "24") "}", "\"w\"", "9 dimensions, expected at most 8"},
      {"{" TENSOR("w", "F32", "[6]", "-1", "24") "}", "\"w\"", "no data_offsets"},
      {"{" TENSOR("w", "F32", "[6]", "24", "0") "}", "\"w\"", "out of range"},
      {"{" TENSOR("w", "F32", "[7]", "0", "28") "}", "\"w\"", "out of range: there are 24 bytes"},
      {"{" TENSOR("w", "F32", "[6]", "9223372036854775800", "9223372036854775807") "}", "\"w\"", "out of range"},
      {"{" TENSOR("w", "F32", "[6]", "0", "9223372036854775808") "}", "model.safetensors", "too big integer"},
      {"{" TENSOR("w", "F32", "[5]", "0", "24") "}", "\"w\"",
       "24 bytes of data, expected 20 for its shape and type F32"},
      {"{" TENSOR("w", "F32", "[4611686018427387904,4]", "0", "24") "}", "\"w\"", "too large"},
      {"{" TENSOR("w", "F32", "[4611686018427387904,2]", "0", "0") "}", "\"w\"", "too large"},
      {"{" TENSOR("w", "F32", "[6]", "0", "24") "," TENSOR("w", "F32", "[6]", "0", "24") "}", "model.safetensors",
       "duplicate object key"},
      {"{" TENSOR("v", "F32", "[4]", "0", "16") "," TENSOR("w", "F32", "[3]", "12", "24") "}", "\"v\"",
       "and \"w\" overlap at byte 12"},
      {"{" TENSOR("v", "F32", "[6]", "0", "24") "," TENSOR("w", "F32", "[6]", "0", "24") "}", "\"v\"", "overlap"},
      {"{" TENSOR("v", "F32", "[2]", "0", "8") "," TENSOR("w", "F32", "[3]", "12", "24") "}", "\"w\"",
       "starts at byte 12 of the data, expected 8"},
      {"{" TENSOR("w", "F32", "[5]", "0", "20") "}", "model.safetensors",
       "24 bytes of data, but its tensors end at byte 20"},
      {"{" TENSOR("w\\u0000x", "F32", "[6]", "0", "24") "}", "model.safetensors", "not valid JSON"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    remove_files();
    write_safetensors("model.safetensors", cases[i].header, six, sizeof six);
    expect_failure("model.safetensors", cases[i].message);
    expect_failure(cases[i].tensor, cases[i].message);
  }
}

static void test_truncated(void **state) {
  (void)state;
  remove_files();
  write_text("model.safetensors", "", 0);
  expect_failure("model.safetensors", "0 bytes long");
  write_text("model.safetensors", "1234567", 7);
  expect_failure("model.safetensors", "7 bytes long");
  write_text("model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
  expect_failure("model.safetensors", "header of 18446744073709551615 bytes");
  ci_text file = {0};
  build(&file, "{" TENSOR("w", "F32", "[6]", "0", "24") "}", six, sizeof six);
  for (size_t length = 0; length < file.length; length++) {
    write_text("model.safetensors", file.data, length);
    expect_failure("model.safetensors", "");
  }
  ci_text_free(&file);
}

static void write_index(const char *map) {
  ci_text index = {0};
  ci_text_add_format(&index, "{\"metadata\":{\"total_size\":24},\"weight_map\":%s}", map);
  write_text("model.safetensors.index.json", index.data, index.length);
  ci_text_free(&index);
}

static void write_shards(void) {
  remove_files();
  write_safetensors("a.safetensors", "{" TENSOR("v", "F32", "[2]", "0", "8") "}", six, 8);
  write_safetensors("b.safetensors", "{" TENSOR("w", "F32", "[4]", "0", "16") "}", six + 2, 16);
}

static void test_shards(void **state) {
  (void)state;
  write_shards();
  write_index("{\"v\":\"a.safetensors\",\"w\":\"b.safetensors\"}");
  ci_tensors *tensors;
  ci_error err = {0};
  assert_int_equal(ci_tensors_open(folder, &tensors, &err), CI_OK);
  assert_int_equal(ci_tensors_count(tensors), 2);
  assert_int_equal(ci_tensors_bytes(tensors), 24);
  assert_memory_equal(ci_tensors_find(tensors, "v")->data, six, 8);
  assert_memory_equal(ci_tensors_find(tensors, "w")->data, six + 2, 16);
  assert_true(ci_ends_with(ci_tensors_find(tensors, "w")->file, "/b.safetensors"));
  ci_tensors_close(tensors);
}

static void test_hostile_index(void **state) {
  (void)state;
  static const struct {
    const char *map, *name, *message;
  } cases[] = {
      {"[]", "index.json", "no object \"weight_map\""},
      {"{\"v\":3}", "index.json", "no shard for tensor \"v\""},
      {"{\"v\":\"a.safetensors\",\"w\":\"c.safetensors\"}", "index.json", "\"c.safetensors\", which is missing"},
      {"{\"v\":\"../a.safetensors\"}", "index.json", "\"../a.safetensors\", which does not lie in"},
      {"{\"v\":\"/tmp/a.safetensors\"}", "index.json", "does not lie in"},
      {"{\"v\":\"x/../../a.safetensors\"}", "index.json", "does not lie in"},
      {"{\"v\":\"..\"}", "index.json", "does not lie in"},
      {"{\"v\":\"\"}", "index.json", "does not lie in"},
      {"{\"v\":\"./a.safetensors\"}", "index.json", "does not lie in"},
      {"{\"v\":\"a.safetensors\",\"u\":\"a.safetensors\"}", "index.json",
       "tensor \"u\" in the shard \"a.safetensors\""},
      {"{\"v\":\"a.safetensors\",\"w\":\"a.safetensors\"}", "index.json",
       "tensor \"w\" in the shard \"a.safetensors\""},
      {"{\"v\":\"b.safetensors\",\"w\":\"a.safetensors\"}", "index.json",
       "tensor \"v\" in the shard \"b.safetensors\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_shards();
    write_index(cases[i].map);
    expect_failure(cases[i].name, cases[i].message);
  }
  write_text("model.safetensors.index.json", "{", 1);
  expect_failure("index.json", "not valid JSON");
}

static void test_tensor_in_two_shards(void **state) {
  (void)state;
  write_shards();
  write_safetensors("b.safetensors", "{" TENSOR("v", "F32", "[4]", "0", "16") "}", six + 2, 16);
  write_index("{\"v\":\"a.safetensors\",\"w\":\"b.safetensors\"}");
  expect_failure("b.safetensors", "tensor \"v\" is there twice, also in");
}

static void test_lying_shard(void **state) {
  (void)state;
  write_shards();
  write_safetensors("b.safetensors", "{" TENSOR("w", "F32", "[4]", "0", "16") "}", six + 2, 12);
  write_index("{\"v\":\"a.safetensors\",\"w\":\"b.safetensors\"}");
  expect_failure("b.safetensors", "tensor \"w\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_file),        cmocka_unit_test(test_misaligned),
      cmocka_unit_test(test_hostile_headers), cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_shards),          cmocka_unit_test(test_hostile_index),
      cmocka_unit_test(test_lying_shard),     cmocka_unit_test(test_tensor_in_two_shards),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
