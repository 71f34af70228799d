/* The pickle machine: values, limits, and everything that it must not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "formats/pickle.h"

static const ci_pickle_global allowed[] = {
    {"collections", "OrderedDict", CI_PICKLE_DICTIONARY, 0},
    {"m", "f", CI_PICKLE_FUNCTION, 7},
    {"m", "C", CI_PICKLE_NAME, 8},
};

static ci_status read_bytes(const char *bytes, size_t length, ci_pickle **pickle, size_t *used, ci_error *err) {
  return ci_pickle_open("file", (const uint8_t *)bytes, length, allowed, 3, pickle, used, err);
}

static ci_pickle *accept_bytes(const char *bytes, size_t length) {
  ci_pickle *pickle;
  ci_error err = {0};
  size_t used;
  if (read_bytes(bytes, length, &pickle, &used, &err)) fail_msg("%s", err.message);
  assert_int_equal(used, length);
  return pickle;
}
#define ACCEPT(bytes) accept_bytes(bytes, sizeof(bytes) - 1)

static void refuse_bytes(const char *bytes, size_t length, const char *wanted) {
  ci_pickle *pickle;
  ci_error err = {0};
  size_t used;
  assert_int_equal(read_bytes(bytes, length, &pickle, &used, &err), CI_EFILE);
  assert_null(pickle);
  if (!strstr(err.message, wanted)) fail_msg("%s: no %s", err.message, wanted);
}
#define REFUSE(bytes, wanted) refuse_bytes(bytes, sizeof(bytes) - 1, wanted)

static void expect_int(const char *bytes, size_t length, int64_t expected) {
  ci_pickle *pickle = accept_bytes(bytes, length);
  assert_int_equal(ci_pickle_root(pickle)->kind, CI_PICKLE_INT);
  assert_int_equal(ci_pickle_root(pickle)->integer, expected);
  ci_pickle_close(pickle);
}
#define INT(bytes, expected) expect_int(bytes, sizeof(bytes) - 1, expected)

static void test_numbers(void **state) {
  (void)state;
  INT("\200\2K\377.", 255);
  INT("\200\2M\377\377.", 65535);
  INT("\200\2J\377\377\377\377.", -1);
  INT("\200\2J\0\0\0\200.", INT32_MIN);
  INT("\200\2\212\0.", 0);
  INT("\200\2\212\1\377.", -1);
  INT("\200\2\212\2\377\0.", 255);
  INT("\200\2\212\5\0\0\0\0\1.", 4294967296);
  INT("\200\2\212\10\0\0\0\0\0\0\0\200.", INT64_MIN);
  REFUSE("\200\2\212\11\0\0\0\0\0\0\0\200\0.", "a number of more than 64 bits (opcode LONG1 at byte 2)");
}

/* A dictionary filled in two ways, a list too, tuples of every kind, what is thrown away, attributes that are skipped.
 */
static void test_containers(void **state) {
  (void)state;
  ci_pickle *p = ACCEPT("\200\2ccollections\nOrderedDict\n)R(X\1\0\0\0aK\1U\1b\210uT\1\0\0\0c](K\3NeK\4as"
                        "K\0110(K\7K\0101U\1d(K\1\205K\2K\3\206K\4K\5K\6\207(K\1K\2K\3K\4t)ts}b.");
  static const struct {
    const char *key;
    ci_pickle_kind kind;
    uint32_t count;
  } wanted[] = {{"a", CI_PICKLE_INT, 0}, {"b", CI_PICKLE_BOOL, 0}, {"c", CI_PICKLE_LIST, 3}, {"d", CI_PICKLE_TUPLE, 5}};
  const ci_pickle_value *root = ci_pickle_root(p), *key, *value = NULL, *members[6];
  assert_true(root->kind == CI_PICKLE_DICT && root->count == 4);
  uint32_t cursor = 0;
  for (int i = 0; i < 4; i++) {
    assert_true(ci_pickle_next(p, root, &cursor, &key, &value));
    assert_true(ci_pickle_is_text(key, wanted[i].key));
    assert_true(value->kind == wanted[i].kind && value->count == wanted[i].count);
  }
  assert_int_equal(ci_pickle_members(p, value, 6, members), 5);
  static const uint32_t counts[] = {1, 2, 3, 4, 0};
  for (int i = 0; i < 5; i++) assert_true(members[i]->kind == CI_PICKLE_TUPLE && members[i]->count == counts[i]);
  assert_int_equal(ci_pickle_members(p, members[2], 6, members), 3);
  for (int i = 0; i < 3; i++) assert_int_equal(members[i]->integer, 4 + i);
  assert_false(ci_pickle_next(p, root, &cursor, &key, &value));
  ci_pickle_close(p);
}

static void test_calls(void **state) {
  (void)state;
  ci_pickle *p = ACCEPT("\200\2cm\nf\n(cm\nC\nK\5QtR.");
  const ci_pickle_value *call = ci_pickle_root(p), *members[3];
  assert_true(call->kind == CI_PICKLE_CALL && call->global->tag == 7);
  const ci_pickle_value *arguments = ci_pickle_operand(p, call);
  assert_int_equal(arguments->kind, CI_PICKLE_TUPLE);
  assert_int_equal(ci_pickle_members(p, arguments, 3, members), 2);
  assert_true(members[0]->kind == CI_PICKLE_GLOBAL && members[0]->global->tag == 8);
  assert_int_equal(members[1]->kind, CI_PICKLE_PERSISTENT);
  assert_int_equal(ci_pickle_operand(p, members[1])->integer, 5);
  assert_int_equal(ci_pickle_members(p, arguments, 1, members), 1);
  ci_pickle_close(p);
  REFUSE("\200\2cos\nsystem\n.", "uses os.system at byte 2");
  REFUSE("\200\2cm\nfg\n.", "uses m.fg");
  REFUSE("\200\2c\n\n.", "uses .");
  REFUSE("\200\2cm\nC\n)R.", "calls m.C with 0 arguments");
  REFUSE("\200\2ccollections\nOrderedDict\nK\1\205R.", "calls collections.OrderedDict with 1 arguments");
  REFUSE("\200\2K\1)R.", "calls what is no function");
  REFUSE("\200\2cm\nf\nK\1R.", "calls what is no function");
  REFUSE("\200\2cm\nf\n)R}b.", "sets attributes of what is no dictionary");
}

static void test_opcodes(void **state) {
  (void)state;
  REFUSE("\200\4\225\0\0\0\0\0\0\0\0.", "protocol 4 at byte 0, expected 2");
  REFUSE("\200\2U\2osU\6system\223.", "opcode STACK_GLOBAL (0x93) at byte 14, which torch.save does not write");
  REFUSE("(S'ls'\nios\nsystem\n.", "opcode STRING (0x53) at byte 1");
  REFUSE("(ios\nsystem\n.", "opcode INST (0x69)");
  REFUSE("(cm\nf\no.", "opcode OBJ (0x6f)");
  REFUSE("cm\nC\n)\201.", "opcode NEWOBJ (0x81)");
  REFUSE("\200\2\202\1.", "opcode EXT1 (0x82)");
  REFUSE("\200\2\3.", "opcode of no known name (0x03) at byte 2");
}

static void test_broken(void **state) {
  (void)state;
  static const char whole[] =
      "\200\2}q\0(U\1aJ\0\0\0\0X\1\0\0\0b\212\2\0\1U\1cG\0\0\0\0\0\0\0\0uccollections\nOrderedDict\n"
      ")R0r\5\0\0\0"
      "j\5\0\0\0000.";
  for (size_t i = 0; i < sizeof whole - 1; i++) refuse_bytes(whole, i, "");
  ci_pickle_close(ACCEPT(whole));
  REFUSE("\200\2.", "does not end with one value");
  REFUSE("\200\2NN.", "does not end with one value");
  REFUSE("\200\2N(.", "does not end with one value");
  REFUSE("\200\2(0.", "too few values");
  REFUSE("\200\2N(0.", "too few values");
  REFUSE("\200\2t.", "no mark");
  REFUSE("\200\2(\205.", "too few values");
  REFUSE("\200\2K\1K\1s.", "too few values");
  REFUSE("\200\2(e.", "too few values");
  REFUSE("\200\2}(K\1u.", "a key without a value");
  REFUSE("\200\2}K\1a.", "what is no container of its kind");
  REFUSE("\200\2K\1(K\1e.", "what is no container of its kind");
  REFUSE("\200\2h\0.", "asks for a value that it did not remember");
  REFUSE("\200\2Nq\1h\0.", "asks for a value that it did not remember");
  REFUSE("\200\2q\0.", "too few values");
  REFUSE("\200\2Nr\377\377\377\377.", "remembers too many values");
  REFUSE("\200\2X\377\377\377\377a.", "a text of more than a million bytes");
  REFUSE("\200\2X\5\0\0\0a.", "ends in the middle");
  REFUSE("\200\2cmodule", "has a name without an end");
}

/* Values that contain themselves are read, and not followed. */
static void test_cycles(void **state) {
  (void)state;
  ci_pickle *p = ACCEPT("\200\2]q\0h\0a.");
  const ci_pickle_value *member;
  uint32_t cursor = 0;
  assert_true(ci_pickle_next(p, ci_pickle_root(p), &cursor, NULL, &member));
  assert_ptr_equal(member, ci_pickle_root(p));
  ci_pickle_close(p);
  ci_pickle_close(ACCEPT("\200\2}q\0K\1h\0\205s."));
}

static void refuse_many(const char *start, const char *piece, size_t times, const char *wanted) {
  ci_text text = {0};
  ci_text_add(&text, start);
  for (size_t i = 0; i < times; i++) ci_text_add(&text, piece);
  ci_text_add(&text, ".");
  assert_false(text.failed);
  refuse_bytes(text.data, text.length, wanted);
  ci_text_free(&text);
}

static void test_limits(void **state) {
  (void)state;
  refuse_many("\200\2)", "\205", 1000000, "nests too deep");
  refuse_many("\200\2N", "]N\2060", 2000000, "makes too many values");
  refuse_many("\200\2]q\001", "h\001a", 1000000, "nests too deep");
  refuse_many("\200\2]", "Na", 2000000, "puts too many values into containers");
  refuse_many("\200\2", "N", 2000000, "stacks too many values");
  refuse_many("\200\2", "(", 1000000, "nests too deep");
  refuse_many("\200\2", "(", 1000, "does not end with one value");
  refuse_many("\200\2N", "0N", 40000000, "has no end in 67108864 bytes");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_numbers), cmocka_unit_test(test_containers), cmocka_unit_test(test_calls),
      cmocka_unit_test(test_opcodes), cmocka_unit_test(test_broken),     cmocka_unit_test(test_cycles),
      cmocka_unit_test(test_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
