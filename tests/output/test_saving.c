/* Results saved with each of the choices, and loaded: gzip as Python's, precision, objects without classes, Python's
 * NaN, files of Inseq 0.5 and 0.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/memory.h"
#include "output/gzip.h"
#include "output/output.h"
#include "output/python_json.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char example[] = TEST_DATA "/results/marian_occlusion_target.json";
static char folder[] = "/tmp/cinseq-saving-XXXXXX", path[64];

static int make_folder(void **state) {
  (void)state;
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/r.json", folder);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  unlink(path);
  return rmdir(folder);
}

static ci_result *load(const char *name) {
  ci_result *result;
  ci_error err = {0};
  if (ci_result_load(name, &result, &err)) fail_msg("%s: %s", err.where, err.message);
  return result;
}

/* Saved, and loaded again. */
static ci_result *again(const char *options) {
  ci_result *result = load(example);
  ci_error err = {0};
  if (ci_result_save(result, path, options, &err)) fail_msg("%s: %s", err.where, err.message);
  ci_result_close(result);
  return load(path);
}

static void compressed_files_are_loaded(void **state) {
  (void)state;
  ci_result *result = load(example), *packed = again("{\"compress\": true}");
  const ci_array *a = &result->sequences[0].source_attributions, *b = &packed->sequences[0].source_attributions;
  assert_memory_equal(a->data, b->data, ci_array_size(a) * sizeof *a->data);
  ci_result_close(packed);
  ci_result_close(result);
  char *bytes;
  size_t length;
  ci_error err = {0};
  assert_int_equal(ci_read_file(path, (size_t)1 << 24, &bytes, &length, &err), CI_OK);
  assert_memory_equal(bytes, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);
  FILE *f = fopen(path, "wb");
  assert_int_equal(fwrite(bytes, 1, length - 9, f), length - 9);
  fclose(f);
  ci_free(bytes);
  assert_int_equal(ci_result_load(path, &result, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "not whole gzip"));
}

/* In pieces. */
static void pack(const char *bytes, size_t length, ci_text *packed) {
  ci_error err = {0};
  ci_gzip *gzip = ci_gzip_create(ci_text_sink(packed));
  assert_non_null(gzip);
  ci_sink sink = ci_gzip_sink(gzip);
  for (size_t at = 0, next; at < length; at = next) {
    next = 2 * at + 1 < length ? 2 * at + 1 : length;
    assert_int_equal(sink.add(sink.context, bytes + at, next - at, &err), CI_OK);
  }
  assert_int_equal(ci_gzip_finish(gzip, &err), CI_OK);
  ci_gzip_close(gzip);
}

static void gzip_there_and_back(void **state) {
  (void)state;
  for (size_t length = 0; length <= 200000; length = length * 3 + 1) {
    char *bytes = ci_alloc(length + 1, 1);
    for (size_t i = 0; i < length; i++) bytes[i] = (char)(i * i / 7);
    ci_text packed = {0}, plain = {0};
    ci_error err = {0};
    pack(bytes, length, &packed);
    assert_true(ci_is_gzip(packed.data, packed.length));
    pack(bytes, length, &packed); /* a second member */
    assert_int_equal(ci_gunzip("x", packed.data, packed.length, &plain, &err), CI_OK);
    assert_int_equal(plain.length, 2 * length);
    if (length) assert_memory_equal(plain.data + length, bytes, length);
    ci_text_free(&plain);
    ci_text_free(&packed);
    ci_free(bytes);
  }
}

static void precision_is_what_was_asked_for(void **state) {
  (void)state;
  static const struct {
    const char *options;
    float relative, absolute;
  } cases[] = {{"{}", 0, 0},
               {"{\"scores_precision\": \"float16\"}", 0x1p-11f, 0x1p-25f},
               {"{\"scores_precision\": \"float8\"}", 0x1p-4f, 0x1p-10f}};
  ci_result *result = load(example);
  const ci_array *a = &result->sequences[0].source_attributions;
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    ci_result *saved = again(cases[c].options);
    const ci_array *b = &saved->sequences[0].source_attributions;
    for (size_t i = 0; i < ci_array_size(a); i++)
      assert_true(isnan(a->data[i])
                      ? isnan(b->data[i])
                      : fabsf(a->data[i] - b->data[i]) <= cases[c].relative * fabsf(a->data[i]) + cases[c].absolute);
    ci_result_close(saved);
  }
  ci_result_close(result);
}

static void primitives_have_no_classes(void **state) {
  (void)state;
  ci_result *result = load(example);
  ci_error err = {0};
  json_t *root;
  assert_int_equal(ci_result_save(result, path, "{\"use_primitives\": true}", &err), CI_OK);
  assert_int_equal(ci_json_read_file(path, &root, &err), CI_OK);
  const json_t *sequence = json_array_get(json_object_get(root, "sequence_attributions"), 0);
  assert_string_equal(
      json_string_value(json_object_get(json_array_get(json_object_get(sequence, "source"), 0), "token")),
      result->sequences[0].source[0].token);
  json_decref(root);
  ci_result_close(result);
}

static void wrong_choices_are_refused(void **state) {
  (void)state;
  ci_result *result = load(example);
  static const char *const options[] = {"{\"scores_precision\": \"float4\"}", "{\"compres\": true}", "{",
                                        "{\"compress\": 1}"};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    ci_error err = {0};
    assert_int_equal(ci_result_save(result, path, options[i], &err), CI_EINVAL);
    assert_true(err.code == CI_EINVAL && err.message[0]);
  }
  ci_result_close(result);
}

static void pythons_numbers_are_read(void **state) {
  (void)state;
  static const char text[] = "{\"NaN \\\" NaN\": [NaN, -Infinity, Infinity, -1, \"\\\\\"], \"b\": NaN}";
  json_t *value;
  ci_error err = {0};
  if (ci_python_json_parse("x", text, strlen(text), &value, &err)) fail_msg("%s", err.message);
  json_t *list = json_object_get(value, "NaN \" NaN");
  assert_true(json_is_null(json_array_get(list, 0)));
  assert_true((float)json_real_value(json_array_get(list, 1)) == -INFINITY &&
              (float)json_real_value(json_array_get(list, 2)) == INFINITY);
  assert_int_equal(json_integer_value(json_array_get(list, 3)), -1);
  assert_true(json_is_null(json_object_get(value, "b")));
  json_decref(value);
  assert_int_equal(ci_python_json_parse("x", "[Nan]", 5, &value, &err), CI_EFILE);
  assert_int_equal(ci_python_json_parse("x", "[NaN", 4, &value, &err), CI_EFILE);
}

/* The same result, by two versions of Inseq and in two encodings. */
static void files_of_older_inseqs_are_loaded(void **state) {
  (void)state;
  ci_result *plain = load(TEST_DATA "/results/inseq_0.5.json"),
            *lists = load(TEST_DATA "/results/inseq_0.6_lists.json.gz");
  assert_int_equal(plain->count, 2);
  assert_int_equal(plain->step_count, 1);
  assert_true(json_is_null(json_object_get(json_object_get(plain->info, "attribution_args"), "n")));
  for (size_t i = 0; i < plain->count; i++) {
    const ci_array *a = &plain->sequences[i].target_attributions, *b = &lists->sequences[i].target_attributions;
    assert_true(ci_array_size(a) == ci_array_size(b) && a->rank == b->rank);
    for (size_t k = 0; k < ci_array_size(a); k++)
      assert_true(isnan(a->data[k]) ? isnan(b->data[k]) : a->data[k] == b->data[k]);
  }
  const ci_sequence *s = &plain->sequences[0];
  assert_true(s->kind == CI_GRANULAR && s->attr_pos_start == 1 && s->attr_pos_end == 4);
  assert_true(isnan(s->target_attributions.data[(3 * 3 + 1) * 2]) && !isnan(s->target_attributions.data[0]));
  for (size_t i = 0; i < 2; i++) {
    const ci_array *score = &s->step_scores[i].values;
    assert_true(score->integers == (strcmp(s->step_scores[i].name, "top_p_size") == 0));
    assert_true(score->data[0] == (score->integers ? 3 : 0.5f));
  }
  assert_int_equal(plain->sequences[1].sequence_scores[0].values.rank, 4);
  ci_result_close(lists);
  ci_result_close(plain);
}

/* 64 texts of 256 kB: a file of 22 MB, of which no copy and no tree is made. */
static void saving_holds_one_text_at_a_time(void **state) {
  (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip(); /* they keep what was freed */
#endif
  enum { TEXTS = 64, ROWS = 256, COLUMNS = 256 };
  static const size_t shape[] = {ROWS, COLUMNS};
  ci_error err = {0};
  ci_result *result = ci_result_create(TEXTS);
  assert_non_null(result);
  for (size_t i = 0; i < TEXTS; i++) {
    ci_array *array = &result->sequences[i].target_attributions;
    assert_int_equal(ci_array_create(array, 2, shape, &err), CI_OK);
    for (size_t k = 0; k < ROWS * COLUMNS; k++) array->data[k] = (float)(i + k) / 3;
  }
  size_t file = (size_t)TEXTS * ROWS * COLUMNS * sizeof(float) / 3 * 4, before = ci_memory_peak();
  assert_int_equal(ci_result_save(result, "/dev/null", NULL, &err), CI_OK);
  assert_int_equal(ci_result_save(result, "/dev/null", "{\"compress\": true, \"scores_precision\": \"float8\"}", &err),
                   CI_OK);
  size_t more = ci_memory_peak() - before;
  if (more > file / 3) fail_msg("%zu bytes more for a file of %zu", more, file);
  ci_result_close(result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(compressed_files_are_loaded),      cmocka_unit_test(gzip_there_and_back),
      cmocka_unit_test(precision_is_what_was_asked_for),  cmocka_unit_test(primitives_have_no_classes),
      cmocka_unit_test(wrong_choices_are_refused),        cmocka_unit_test(pythons_numbers_are_read),
      cmocka_unit_test(files_of_older_inseqs_are_loaded), cmocka_unit_test(saving_holds_one_text_at_a_time),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
