/* SentencePiece models whose rules lie: each would make libsentencepiece read outside of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/sentencepiece.h"

enum { UNITS = 512, BLOCK = 256 };

/* A map of one rule, "w" to "v v", and its file. The root's children stand from 256 on. */
typedef struct {
  uint32_t trie_bytes;
  uint32_t units[UNITS];
  char texts[2048];
  size_t text_length;
  uint64_t spec; /* field number of the spec that holds the map */
} rules;

static uint32_t unit(size_t offset, int has_value, uint8_t label) {
  return (uint32_t)offset << 10 | (uint32_t)has_value << 8 | label;
}

static rules one_rule(void) {
  rules r = {.trie_bytes = UNITS * 4, .text_length = 4, .spec = 3};
  for (size_t i = 0; i < UNITS; i++) r.units[i] = 0xff; /* no child's label but 255's, which is set right below */
  r.units[0] = unit(BLOCK, 0, 0);
  r.units[BLOCK ^ 255] = 0;
  r.units[255] = 0;
  r.units[BLOCK ^ 'w'] = unit((BLOCK ^ 'w') ^ 1, 1, 'w'); /* its value stands at 1, its children would too */
  r.units[1] = 0x80000000u;
  memcpy(r.texts, "v v", 4);
  return r;
}

static void add_varint(ci_text *file, uint64_t value) {
  do {
    char byte = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    ci_text_add_n(file, &byte, 1);
  } while (value >>= 7);
}

static void add_sized(ci_text *file, uint64_t field, const char *bytes, size_t length) {
  add_varint(file, field << 3 | 2);
  add_varint(file, length);
  ci_text_add_n(file, bytes, length);
}

static ci_status check(const rules *r, ci_error *err) {
  ci_text map = {0}, spec = {0}, file = {0};
  ci_text_add_n(&map, (const char *)&r->trie_bytes, 4);
  ci_text_add_n(&map, (const char *)r->units, sizeof r->units);
  ci_text_add_n(&map, r->texts, r->text_length);
  add_sized(&spec, 1, "name", 4);
  add_sized(&spec, 2, map.data, map.length);
  add_sized(&file, r->spec, spec.data, spec.length);
  uint8_t *exact = ci_alloc(file.length, 1);
  memcpy(exact, file.data, file.length);
  ci_status status = ci_spm_check("m.spm", exact, file.length, err);
  ci_free(exact);
  ci_text_free(&map);
  ci_text_free(&spec);
  ci_text_free(&file);
  return status;
}

static void refused(const rules *r, const char *what) {
  ci_error err = {0};
  if (check(r, &err) != CI_EFILE || strcmp(err.where, "m.spm") != 0 || !strstr(err.message, "precompiled_charsmap"))
    fail_msg("%s: %d %s %s", what, err.code, err.where, err.message);
}

static void good_rules_pass(void **state) {
  (void)state;
  ci_error err = {0};
  rules r = one_rule();
  assert_int_equal(check(&r, &err), CI_OK);
}

static void lying_rules_are_refused(void **state) {
  (void)state;
  rules r = one_rule();
  r.trie_bytes = UNITS * 4 + 4;
  refused(&r, "the trie reaches beyond the map");
  r = one_rule();
  r.trie_bytes = 0xfffffffcu;
  refused(&r, "a trie of 4 GB");
  r = one_rule();
  r.trie_bytes = 0;
  refused(&r, "no trie");
  r = one_rule();
  r.units[0] = unit(2 * BLOCK, 0, 0);
  refused(&r, "the root's children lie outside");
  r = one_rule();
  r.units[0] = unit(0x3fffff, 0, 0) | 0x200;
  refused(&r, "the root's children lie far outside");
  r = one_rule();
  r.units[BLOCK ^ 'w'] = unit(2 * BLOCK, 0, 'w');
  refused(&r, "a child's children lie outside");
  r = one_rule();
  r.units[1] = 0x80000004u;
  refused(&r, "the value lies behind the texts");
  r = one_rule();
  r.texts[3] = 'v';
  refused(&r, "the last text has no end");
  r = one_rule();
  memset(r.texts, 'v', 2000);
  r.texts[r.text_length = 2000] = 0;
  r.text_length++;
  refused(&r, "a text without measure");
  r = one_rule();
  r.spec = 5;
  r.units[1] = 0x8fffffffu;
  refused(&r, "the denormalizer's");
}

/* "w", "ww", "www", ...: the library keeps 32 matches of a prefix. */
static void keys_within_keys_are_counted(void **state) {
  (void)state;
  rules r = one_rule();
  r.units[BLOCK ^ 'w'] = unit('w', 1, 'w'); /* its children are its brothers */
  r.units[BLOCK] = 0x80000000u;
  refused(&r, "a path in a circle");
}

static void specs_of_other_fields_are_let_be(void **state) {
  (void)state;
  ci_error err = {0};
  rules r = one_rule();
  r.spec = 2; /* trainer_spec */
  r.trie_bytes = 0;
  assert_int_equal(check(&r, &err), CI_OK);
}

static void what_is_no_message_is_refused(void **state) {
  (void)state;
  static const char *const files[] = {"\x1a",
                                      "\x1a\x05",
                                      "\x1b",
                                      "\xff\xff\xff\xff\xff\x01",
                                      "\x1a\xff\xff\xff\xff\xff",
                                      "\x09\x01\x02",
                                      "\x1a\x02\x12\x05",
                                      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"};
  ci_error err;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    err = (ci_error){0};
    if (ci_spm_check("m.spm", (const uint8_t *)files[i], strlen(files[i]), &err) != CI_EFILE)
      fail_msg("file %zu is taken", i);
  }
  err = (ci_error){0};
  assert_int_equal(ci_spm_check("m.spm", NULL, 0, &err), CI_EFILE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_rules_pass),
      cmocka_unit_test(lying_rules_are_refused),
      cmocka_unit_test(keys_within_keys_are_counted),
      cmocka_unit_test(specs_of_other_fields_are_let_be),
      cmocka_unit_test(what_is_no_message_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
