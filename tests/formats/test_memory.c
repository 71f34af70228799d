/* Tensors in the caller's memory: used where they lie, and every lie about them that can be seen is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "formats/format.h"

static const float numbers[6] = {1, 2, 3, 4, 5, 6};

static void in_place(void **state) {
  (void)state;
  ci_error err = {0};
  ci_tensors *tensors;
  char where[] = "mine";
  const cinseq_tensor given[] = {{"a.weight", "F32", 2, {2, 3}, numbers}, /* a name twice: tied */
                                 {"b.weight", "F32", 2, {3, 2}, numbers},
                                 {"c", "BF16", 1, {0}, NULL},
                                 {"d", "F32", 1, {1}, (const char *)numbers + 2}};
  const ci_checkpoint checkpoint = {where, given, 4};
  assert_int_equal(ci_tensors_open_from(&checkpoint, &tensors, &err), CI_OK);
  where[0] = 0; /* names are copied */
  assert_string_equal(ci_tensors_format(tensors), "memory");
  assert_int_equal(ci_tensors_count(tensors), 4);
  const ci_tensor *a = ci_tensors_find(tensors, "a.weight"), *b = ci_tensors_find(tensors, "b.weight");
  assert_string_equal(a->file, "mine");
  assert_ptr_equal(a->data, numbers);
  assert_int_equal(a->count, 6);
  assert_false(a->tied);
  assert_true(b->tied);
  assert_false(ci_tensors_find(tensors, "c")->tied);
  const ci_tensor *d = ci_tensors_find(tensors, "d");
  assert_int_equal((uintptr_t)d->data % sizeof(float), 0);
  assert_memory_equal(d->data, (const char *)numbers + 2, sizeof(float));
  assert_null(ci_tensors_file_at(tensors, numbers));
  ci_tensors_close(tensors);
}

static void what_is_refused(void **state) {
  (void)state;
  static const struct {
    cinseq_tensor given;
    const char *words;
  } cases[] = {
      {{NULL, "F32", 1, {1}, numbers}, "tensor 0 has no name"},
      {{"w", NULL, 1, {1}, numbers}, "tensor \"w\" has the unknown dtype \"\""},
      {{"w", "F4", 1, {1}, numbers}, "tensor \"w\" has the unknown dtype \"F4\""},
      {{"w", "F32", 9, {1, 1, 1, 1, 1, 1, 1, 1}, numbers}, "has 9 dimensions, expected at most 8"},
      {{"w", "F32", SIZE_MAX, {1}, numbers}, "dimensions, expected at most 8"},
      {{"w", "F32", 2, {SIZE_MAX, 2}, numbers}, "has a shape that is too large"},
      {{"w", "F32", 1, {SIZE_MAX / 8}, (const void *)(UINTPTR_MAX - 64)}, "has a shape that is too large"},
      {{"w", "F32", 1, {1}, NULL}, "has no data"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_error err = {0};
    ci_tensors *tensors;
    const ci_checkpoint checkpoint = {"mine", &cases[i].given, 1};
    assert_int_equal(ci_tensors_open_from(&checkpoint, &tensors, &err), CI_EINVAL);
    assert_null(tensors);
    assert_string_equal(err.where, "mine");
    if (!strstr(err.message, cases[i].words)) fail_msg("%s, expected %s", err.message, cases[i].words);
  }
  const cinseq_tensor twice[] = {{"w", "F32", 1, {1}, numbers}, {"w", "F32", 1, {1}, numbers + 1}};
  const ci_checkpoint checkpoint = {"mine", twice, 2};
  ci_error err = {0};
  ci_tensors *tensors;
  assert_int_equal(ci_tensors_open_from(&checkpoint, &tensors, &err), CI_EFILE);
  assert_non_null(strstr(err.message, "\"w\" is there twice"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(in_place), cmocka_unit_test(what_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
