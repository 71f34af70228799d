/* pytorch_model.bin: what PyTorch wrote (tests/data/formats/make.py), and files put together here that it never would.
 */
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

static ci_tensors *open_whole(const char *path) {
  ci_tensors *tensors;
  ci_error err = {0};
  if (ci_tensors_open(path, &tensors, &err)) fail_msg("%s: %s", err.where, err.message);
  return tensors;
}

static void expect_tensors(const char *folder, const char *safetensors, bool same_count) {
  ci_tensors *tensors = open_whole(folder), *expected = ci_tensors_create();
  ci_mapping mapping;
  ci_error err = {0};
  assert_int_equal(ci_map_file(safetensors, &mapping, &err), CI_OK);
  assert_int_equal(ci_safetensors_parse("expected", mapping.bytes, mapping.length, expected, &err), CI_OK);
  assert_string_equal(ci_tensors_format(tensors), "pytorch");
  if (same_count) assert_int_equal(ci_tensors_count(tensors), ci_tensors_count(expected));
  for (size_t i = 0; i < ci_tensors_count(expected); i++) {
    const ci_tensor *want = ci_tensors_at(expected, i), *got = ci_tensors_find(tensors, want->name);
    if (!got) fail_msg("no %s", want->name);
    assert_true(got->type == want->type && got->rank == want->rank && got->count == want->count);
    assert_memory_equal(got->shape, want->shape, (size_t)want->rank * sizeof *want->shape);
    assert_int_equal((uintptr_t)got->data % ci_dtype_size(got->type), 0);
    if (want->count) assert_memory_equal(got->data, want->data, want->count * ci_dtype_size(want->type));
  }
  ci_unmap_file(&mapping);
  ci_tensors_close(expected);
  ci_tensors_close(tensors);
}

static void test_layouts(void **state) {
  (void)state;
  expect_tensors(TEST_DATA "/formats/zip", TEST_DATA "/formats/zip/expected.safetensors", true);
  expect_tensors(TEST_DATA "/formats/legacy", TEST_DATA "/formats/legacy/expected.safetensors", true);
  expect_tensors(TEST_DATA "/formats/sharded", TEST_DATA "/formats/sharded/expected.safetensors", true);
}

/* The tensors of a model that transformers saved three times; the safetensors file leaves out tied copies. */
static void test_model(void **state) {
  (void)state;
  static const char expected[] = TEST_DATA "/golden/models/marian/model.safetensors";
  expect_tensors(TEST_DATA "/golden/formats/marian-zip", expected, false);
  expect_tensors(TEST_DATA "/golden/formats/marian-legacy", expected, false);
}

/* Views of one storage are not copied; nor are storages, where the file aligns them. */
static void test_in_place(void **state) {
  (void)state;
  ci_mapping mapping;
  ci_error err = {0};
  assert_int_equal(ci_map_file(TEST_DATA "/formats/zip/pytorch_model.bin", &mapping, &err), CI_OK);
  ci_tensors *tensors = ci_tensors_create();
  assert_int_equal(ci_torch_parse("zip", mapping.bytes, mapping.length, tensors, &err), CI_OK);
  const char *base = ci_tensors_find(tensors, "f32")->data;
  assert_true((const uint8_t *)base > mapping.bytes && (const uint8_t *)base < mapping.bytes + mapping.length);
  assert_ptr_equal(ci_tensors_find(tensors, "shared")->data, base);
  assert_ptr_equal(ci_tensors_find(tensors, "rows")->data, base + 2 * 5 * 4);
  ci_tensors_close(tensors);
  ci_unmap_file(&mapping);
}

static void test_safetensors_first(void **state) {
  (void)state;
  char folder[] = "/tmp/cinseq-torch-XXXXXX", path[64];
  assert_non_null(mkdtemp(folder));
  static const char header[] = "\x40\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}"
                               "              x";
  ci_error err = {0};
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  assert_int_equal(ci_write_file(path, header, 8 + 64 + 1, &err), CI_OK);
  snprintf(path, sizeof path, "%s/pytorch_model.bin", folder);
  assert_int_equal(ci_write_file(path, "nonsense", 8, &err), CI_OK);
  ci_tensors *tensors = open_whole(folder);
  assert_string_equal(ci_tensors_format(tensors), "safetensors");
  ci_tensors_close(tensors);
  unlink(path);
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  unlink(path);
  rmdir(folder);
}

static ci_status parse(const void *bytes, size_t length, ci_tensors **tensors, ci_error *err) {
  *tensors = ci_tensors_create();
  assert_non_null(*tensors);
  /* A block of exactly this size: a sanitizer sees any byte read behind it. */
  uint8_t *copy = ci_alloc_zeroed(length, 1);
  assert_non_null(copy);
  memcpy(copy, bytes, length);
  ci_status status = ci_torch_parse("file", copy, length, *tensors, err);
  if (!status)
    for (size_t i = 0; i < ci_tensors_count(*tensors); i++) {
      const ci_tensor *tensor = ci_tensors_at(*tensors, i);
      float first;
      if (tensor->count) ci_tensor_widen(tensor, tensor->count - 1, 1, &first);
    }
  ci_free(copy);
  return status;
}

static void expect_failure(const void *bytes, size_t length, const char *wanted) {
  ci_tensors *tensors;
  ci_error err = {0};
  assert_int_equal(parse(bytes, length, &tensors, &err), CI_EFILE);
  assert_string_equal(err.where, "file");
  if (!strstr(err.message, wanted)) fail_msg("%s: no %s", err.message, wanted);
  ci_tensors_close(tensors);
}

static void test_truncated(void **state) {
  (void)state;
  static const char *const files[] = {TEST_DATA "/formats/zip/pytorch_model.bin",
                                      TEST_DATA "/formats/legacy/pytorch_model.bin"};
  for (int f = 0; f < 2; f++) {
    ci_mapping mapping;
    ci_error err = {0};
    assert_int_equal(ci_map_file(files[f], &mapping, &err), CI_OK);
    for (size_t i = 0; i < 50; i++) expect_failure(mapping.bytes, mapping.length * i / 50, "");
    expect_failure(mapping.bytes, mapping.length - 1, "truncated");
    ci_unmap_file(&mapping);
  }
}

/* Replaces every `from` in the zip file of the fixtures by `to`, of the same length. */
static void refuse_changed(const char *from, const char *to, const char *wanted) {
  ci_mapping mapping;
  ci_error err = {0};
  assert_int_equal(ci_map_file(TEST_DATA "/formats/zip/pytorch_model.bin", &mapping, &err), CI_OK);
  char *copy = ci_duplicate_n((const char *)mapping.bytes, mapping.length);
  assert_non_null(copy);
  size_t length = strlen(from), changed = 0;
  assert_int_equal(strlen(to), length);
  for (size_t i = 0; i + length <= mapping.length; i++)
    if (memcmp(copy + i, from, length) == 0) {
      memcpy(copy + i, to, length);
      changed++;
    }
  assert_true(changed > 0);
  expect_failure(copy, mapping.length, wanted);
  ci_free(copy);
  ci_unmap_file(&mapping);
}

static void test_zip(void **state) {
  (void)state;
  refuse_changed("pytorch_model/data.pkl", "pytorch_model/data.pkx",
                 "with 0 entries named FOLDER/data.pkl, expected 1");
  refuse_changed("pytorch_model/byteorder", "pytorch__model/data.pkl", "with 2 entries named FOLDER/data.pkl");
  refuse_changed("little", "big   ", "has the byte order \"big   \", expected \"little\"");
  refuse_changed("pytorch_model/data/0", "pytorch_model/data/x", "has no entry pytorch_model/data/0 for a storage");
  refuse_changed("FloatStorage", "ShortStorage", "has 120 bytes in pytorch_model/data/0, expected 60 for 30 elements");
  refuse_changed("_rebuild_tensor_v2", "_rebuild_tensor_v9", "uses torch._utils._rebuild_tensor_v9");
}

/* ---- legacy files put together here: one storage "0" of the six floats 0 to 5 ---- */

#define HEAD          "\200\2\212\12\154\374\234\106\371\040\152\250\120\031.\200\2M\351\3.\200\2}."
#define KEYS          "\200\2]U\0010a."
#define STORAGE       "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\6NtQ"
#define REBUILD       "ctorch._utils\n_rebuild_tensor_v2\n("
#define REST          "\211ccollections\nOrderedDict\n)RtR"
#define TENSOR(place) REBUILD STORAGE place REST
#define NAMED(place)  "\200\2}U\1w" TENSOR(place) "s."
#define ALL           "K\0K\2K\3\206K\3K\1\206"

static void put_together(ci_text *file, const char *pickle, size_t length, const char *keys, size_t keys_length) {
  ci_text_add_n(file, HEAD, sizeof HEAD - 1);
  ci_text_add_n(file, pickle, length);
  ci_text_add_n(file, keys, keys_length);
  ci_text_add_n(file, "\6\0\0\0\0\0\0\0", 8);
  for (int i = 0; i < 6; i++) {
    float value = (float)i;
    ci_text_add_n(file, (const char *)&value, sizeof value);
  }
  assert_false(file->failed);
}

static void refuse_pickle(const char *pickle, size_t length, const char *wanted) {
  ci_text file = {0};
  put_together(&file, pickle, length, KEYS, sizeof KEYS - 1);
  expect_failure(file.data, file.length, wanted);
  ci_text_free(&file);
}
#define REFUSE(pickle, wanted) refuse_pickle(pickle, sizeof(pickle) - 1, wanted)

static void accept_pickle(const char *pickle, size_t length, size_t count, const float *expected) {
  ci_text file = {0};
  put_together(&file, pickle, length, KEYS, sizeof KEYS - 1);
  ci_tensors *tensors = ci_tensors_create();
  ci_error err = {0};
  if (ci_torch_parse("file", (const uint8_t *)file.data, file.length, tensors, &err)) fail_msg("%s", err.message);
  const ci_tensor *w = ci_tensors_find(tensors, "w");
  assert_non_null(w);
  assert_int_equal(w->count, count);
  if (count) assert_memory_equal(w->data, expected, count * sizeof *expected);
  ci_tensors_close(tensors);
  ci_text_free(&file);
}
#define ACCEPT(pickle, count, ...) accept_pickle(pickle, sizeof(pickle) - 1, count, (const float[]){__VA_ARGS__})

static void test_views(void **state) {
  (void)state;
  ACCEPT(NAMED(ALL), 6, 0, 1, 2, 3, 4, 5);
  ACCEPT(NAMED("K\0K\3K\2\206K\1K\3\206"), 6, 0, 3, 1, 4, 2, 5);
  ACCEPT(NAMED("K\1K\2\205K\4\205"), 2, 1, 5);
  ACCEPT(NAMED("K\5))"), 1, 5);
  ACCEPT(NAMED("K\4K\2\205K\0\205"), 2, 4, 4); /* stride 0: one element twice */
  ACCEPT(NAMED("K\7K\0\205K\1\205"), 0, 0);    /* no element: starts anywhere */
  /* a parameter; a dictionary with attributes; a part of a storage: 3 elements from 2 */
  ACCEPT("\200\2}U\1wctorch._utils\n_rebuild_parameter\n(" TENSOR(ALL) "\210NtRs}b.", 6, 0, 1, 2, 3, 4, 5);
  ACCEPT("\200\2}U\1w" REBUILD "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\6(U\1vK\2K\3ttQK\1K\2\205K\1\205" REST
         "s.",
         2, 3, 4);
}

static void test_views_out_of_range(void **state) {
  (void)state;
  REFUSE(NAMED("K\1K\2K\3\206K\3K\1\206"), "tensor \"w\" reaches beyond its storage of 6 elements");
  REFUSE(NAMED("K\0K\2K\3\206K\4K\1\206"), "reaches beyond its storage");
  REFUSE(NAMED("K\0\212\10\377\377\377\377\377\377\377\177\205K\1\205"), "too large");
  REFUSE(NAMED("K\0K\2\205\212\10\377\377\377\377\377\377\377\177\205"), "reaches beyond its storage");
  REFUSE(NAMED("K\0K\3K\3\206\212\10\377\377\377\377\377\377\377\177K\1\206"), "reaches beyond its storage");
  REFUSE(NAMED("J\377\377\377\377K\2\205K\1\205"), "an offset of 0 or more");
  REFUSE(NAMED("K\0J\377\377\377\377\205K\1\205"), "no whole number of 0 or more");
  REFUSE(NAMED("K\0K\2\205J\377\377\377\377\205"), "no whole number of 0 or more");
  REFUSE(NAMED("K\0G\0\0\0\0\0\0\0\0\205K\1\205"), "no whole number of 0 or more");
  REFUSE(NAMED("K\0K\2\205K\1K\1\206"), "expected tuples of one length");
  REFUSE(NAMED("K\0K\2]"), "has no shape and strides");
  REFUSE(NAMED("K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"), "9 dimensions, expected at most 8");
  REFUSE(NAMED("K\0M\377\377M\377\377\206K\0K\0\206"), "elements that overlap in a storage of 6");
  REFUSE("\200\2}U\1w" REBUILD "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\6(U\1vK\4K\3ttQK\0K\1\205K\1\205" REST
         "s.",
         "has a persistent value that is not");
  REFUSE("\200\2}U\1s" STORAGE "sU\1w" REBUILD "U\1xK\0))" REST "s.", "is not made of a storage");
  REFUSE("\200\2}U\1s" STORAGE "sU\1wctorch._utils\n_rebuild_parameter\n(K\1tRs.", "is a parameter without a tensor");
}

/* 30 names of one transposed view: the data of one must not become a copy for each. */
static void test_many_copies(void **state) {
  (void)state;
  static const char start[] = HEAD "\200\2}(U\1w" REBUILD "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuM\160\27NtQ"
                                   "K\0M\270\13K\2\206K\1M\270\13\206" REST "q\0";
  static const char end[] = "u." KEYS "\160\27\0\0\0\0\0";
  static const float data[6000];
  for (int names = 1; names <= 30; names += 29) {
    ci_text file = {0};
    ci_text_add_n(&file, start, sizeof start - 1);
    for (int i = 1; i < names; i++) {
      ci_text_add_format(&file, "U%c%04dh", 4, i);
      ci_text_add_n(&file, "\0", 1);
    }
    ci_text_add_n(&file, end, sizeof end); /* with the zero at its end */
    ci_text_add_n(&file, (const char *)data, sizeof data);
    if (names == 30) {
      expect_failure(file.data, file.length, "is one of too many views with strides of one storage");
    } else {
      ci_tensors *tensors;
      ci_error err = {0};
      assert_int_equal(parse(file.data, file.length, &tensors, &err), CI_OK);
      ci_tensors_close(tensors);
    }
    ci_text_free(&file);
  }
}

static void test_storages(void **state) {
  (void)state;
  REFUSE("\200\2}U\1w" REBUILD "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\7NtQ" ALL REST "s.", "truncated");
  REFUSE("\200\2}U\1w" REBUILD "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\5NtQ" ALL REST "s.",
         "has 6 elements in the storage \"0\", expected 5");
  REFUSE("\200\2}U\1w" REBUILD "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuJ\377\377\377\377NtQ" ALL REST "s.",
         "has a persistent value that is not");
  REFUSE("\200\2}U\1w" REBUILD
         "(U\7storagectorch\nFloatStorage\nU\0010U\3cpu\212\10\377\377\377\377\377\377\377\177NtQ" ALL REST "s.",
         "has a persistent value that is not");
  REFUSE("\200\2}(U\1w" TENSOR(ALL) "U\1v" REBUILD "(U\7storagectorch\nIntStorage\nU\0010U\3cpuK\6NtQ" ALL REST "u.",
         "uses the storage \"0\" as 6 elements of type F32 and as 6 of type I32");
  REFUSE("\200\2}U\1w" REBUILD "(U\7storagectorch\nFloatStorage\nU\4../0U\3cpuK\6NtQ" ALL REST "s.",
         "has a storage with a key that is no number");
  REFUSE("\200\2}U\1w" REBUILD "(U\7storagectorch\nFloatStorage\nU\0011U\3cpuK\6NtQ" ALL REST "s.",
         "lists the storage \"0\", which its pickle does not use");
  REFUSE("\200\2}U\1w" REBUILD "(U\6modulectorch\nFloatStorage\nU\0011U\3cpuK\6NtQ" ALL REST "s.",
         "has a persistent value that is not");
  static const char pickle[] = NAMED(ALL);
  static const struct {
    const char *keys;
    size_t length;
    const char *wanted;
  } lists[] = {{"\200\2].", 4, "uses a storage that the file does not hold"},
               {"\200\2K\1.", 5, "has a whole number where the list of storages is expected"},
               {"\200\2](U\0010U\0010e.", 12, "lists the storage \"0\" twice"},
               {"\200\2]K\1a.", 7, "lists the storage \"\", which its pickle does not use"}};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    ci_text file = {0};
    put_together(&file, pickle, sizeof pickle - 1, lists[i].keys, lists[i].length);
    expect_failure(file.data, file.length, lists[i].wanted);
    ci_text_free(&file);
  }
}

static void test_dictionaries(void **state) {
  (void)state;
  REFUSE("\200\2" STORAGE "\205.", "holds a tuple, expected a dictionary of tensors");
  REFUSE("\200\2}U\1a" STORAGE "s.", "holds a dictionary without a tensor");
  REFUSE("\200\2}K\1" TENSOR(ALL) "s.", "has a tensor whose name is no text");
  REFUSE("\200\2}U\2a\0" TENSOR(ALL) "s.", "has a tensor whose name is no text");
  REFUSE("\200\2}U\1\377" TENSOR(ALL) "s.", "has a tensor whose name is no text");
  REFUSE("\200\2}(U\1w" TENSOR(ALL) "U\1w" TENSOR(ALL) "u.", "tensor \"w\" is there twice");
}

static void test_calls(void **state) {
  (void)state;
  REFUSE("\200\2cos\nsystem\nU\4true\205R.", "uses os.system at byte 2");
  REFUSE("\200\2}U\1w" TENSOR(ALL) "sU\1xcbuiltins\neval\nU\0011\205Rs.", "uses builtins.eval");
  REFUSE("\200\2ctorch\n_rebuild_tensor_v2\n.", "uses torch._rebuild_tensor_v2");
  REFUSE("\200\2ctorch\nFloatStorage\nK\1\205R.", "calls torch.FloatStorage with 1 arguments");
}

static void test_neither(void **state) {
  (void)state;
  expect_failure("", 0, "starts like neither");
  expect_failure("\200\2}.", 4, "starts like neither");
  expect_failure("version https://git-lfs.github.com/spec/v1\n", 43, "git lfs pull");
  static const char other[] = "\200\2\212\12\154\374\234\106\371\040\152\250\120\031.\200\2M\352\3.\200\2}.";
  expect_failure(other, sizeof other - 1, "another protocol number than torch.save's 1001");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layouts),      cmocka_unit_test(test_model),
      cmocka_unit_test(test_in_place),     cmocka_unit_test(test_safetensors_first),
      cmocka_unit_test(test_truncated),    cmocka_unit_test(test_zip),
      cmocka_unit_test(test_views),        cmocka_unit_test(test_views_out_of_range),
      cmocka_unit_test(test_many_copies),  cmocka_unit_test(test_storages),
      cmocka_unit_test(test_dictionaries), cmocka_unit_test(test_calls),
      cmocka_unit_test(test_neither),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
