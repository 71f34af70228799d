/* The CSV file: a reader of RFC 4180 takes it apart, and every field is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "output/output.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 32, FIELDS = 8, LONGEST = 64 };

typedef struct {
  char fields[ROWS][FIELDS][LONGEST];
  size_t rows, columns; /* of every row */
} sheet;

/* Records end in CRLF; a field is bare, without quotes and separators, or quoted. */
static void read_sheet(const char *at, sheet *s) {
  *s = (sheet){0};
  while (*at) {
    size_t field = 0;
    assert_true(s->rows < ROWS);
    for (bool more = true; more; field++) {
      size_t n = 0;
      assert_true(field < FIELDS);
      char *out = s->fields[s->rows][field];
      bool quoted = *at == '"';
      for (at += quoted; *at && (quoted ? *at != '"' || at[1] == '"' : !strchr(",\r\n", *at)); at++) {
        at += quoted && *at == '"';
        assert_true(quoted || *at != '"');
        assert_true(n + 1 < LONGEST);
        out[n++] = *at;
      }
      if (quoted) assert_int_equal(*at++, '"');
      more = *at == ',';
      at += more;
    }
    assert_memory_equal(at, "\r\n", 2);
    at += 2;
    if (s->rows++ == 0) s->columns = field;
    assert_int_equal(field, s->columns);
  }
}

static void write_sheet(const ci_result *result, bool clean, sheet *s) {
  ci_show_options options = {.color = "none", .clean_tokens = clean};
  ci_text text = {0};
  ci_error err = {0};
  if (ci_csv_write(result, &options, &text, &err)) fail_msg("%s: %s", err.where, err.message);
  assert_true(ci_utf8_valid(text.data, text.length));
  read_sheet(text.data, s);
  ci_text_free(&text);
}

static ci_token source[] = {{.id = 1, .token = (char *)"▁今天"}, {.id = 2, .token = (char *)"a,\"b\"\r\n"}, {.id = 3, .token = (char *)"\xff"}};
static ci_token target[] = {{.id = 4, .token = (char *)"<s>"}, {.id = 5, .token = (char *)"▁I"}, {.id = 6, .token = (char *)"=1+1"}};
static float scores[] = {0.1f, NAN, -1.0f / 3, 1e-30f, INFINITY, 0};
static float seen[] = {0.5f, 0.25f, NAN, 0.75f, NAN, NAN};
static float sure[] = {0.875f, NAN};

static void set_up(ci_result *result, ci_sequence sequences[2], ci_named_array *score) {
  *score = (ci_named_array){(char *)"a,b", {.rank = 1, .shape = {2}, .data = sure}};
  sequences[0] = (ci_sequence){.kind = CI_COARSE,
                               .source = source,
                               .source_count = 3,
                               .target = target,
                               .target_count = 3,
                               .attr_pos_start = 1,
                               .attr_pos_end = 3,
                               .source_attributions = {.rank = 2, .shape = {3, 2}, .data = scores},
                               .target_attributions = {.rank = 2, .shape = {3, 2}, .data = seen},
                               .step_scores = score,
                               .step_scores_count = 1};
  sequences[1] = (ci_sequence){.kind = CI_COARSE,
                               .source = source,
                               .source_count = 1,
                               .target = target,
                               .target_count = 2,
                               .attr_pos_start = 1,
                               .attr_pos_end = 2,
                               .source_attributions = {.rank = 2, .shape = {1, 1}, .data = scores}};
  *result = (ci_result){.sequences = sequences, .count = 2};
}

static void assert_row(const sheet *s, size_t row, const char *const *fields) {
  for (size_t i = 0; i < s->columns; i++) assert_string_equal(s->fields[row][i], fields[i]);
}

static void every_field_is_there(void **state) {
  (void)state;
  static const char *const rows[][6] = {
      {"text", "table", "index", "token", "0", "1"},
      {"1", "generated", "", "", "▁I", "=1+1"},
      {"1", "source", "0", "▁今天", "0.100000001", ""},
      {"1", "source", "1", "a,\"b\"\r\n", "-0.333333343", "1e-30"},
      {"1", "source", "2", "\xEF\xBF\xBD", "inf", "0"},
      {"1", "target", "0", "<s>", "0.5", "0.25"},
      {"1", "target", "1", "▁I", "", "0.75"},
      {"1", "target", "2", "=1+1", "", ""},
      {"1", "step_scores", "", "a,b", "0.875", ""},
      {"2", "generated", "", "", "▁I", ""},
      {"2", "source", "0", "▁今天", "0.100000001", ""},
  };
  ci_result result;
  ci_sequence sequences[2];
  ci_named_array score;
  sheet s;
  set_up(&result, sequences, &score);
  write_sheet(&result, false, &s);
  assert_int_equal(s.rows, sizeof rows / sizeof *rows);
  assert_int_equal(s.columns, 6);
  for (size_t i = 0; i < s.rows; i++) assert_row(&s, i, rows[i]);
  assert_true(strtof(s.fields[3][4], NULL) == scores[2]); /* the same float32 */
}

static void tokens_can_be_clean(void **state) {
  (void)state;
  ci_result result;
  ci_sequence sequences[2];
  ci_named_array score;
  sheet s;
  set_up(&result, sequences, &score);
  write_sheet(&result, true, &s);
  assert_string_equal(s.fields[1][4], "I");
  assert_string_equal(s.fields[2][3], "今天");
}

static void nothing_is_a_header(void **state) {
  (void)state;
  ci_result result = {0};
  sheet s;
  write_sheet(&result, false, &s);
  assert_true(s.rows == 1 && s.columns == 4);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  ci_result result;
  ci_sequence sequences[2];
  ci_named_array score;
  ci_show_options options = {.color = "none"};
  ci_text text = {0};
  ci_error err = {0};
  set_up(&result, sequences, &score);
  sequences[1].source_attributions.shape[1] = 2;
  assert_int_equal(ci_csv_write(&result, &options, &text, &err), CI_EINVAL);
  assert_string_equal(err.where, "source_attributions");
  assert_null(text.data); /* nothing half-written */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_field_is_there), cmocka_unit_test(tokens_can_be_clean),
                                     cmocka_unit_test(nothing_is_a_header),
                                     cmocka_unit_test(what_does_not_fit_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
