/* The LaTeX file, read line by line: what LaTeX would stumble over, cells, blanks, contrast, packages. That real LaTeX
 * takes it was seen by compiling it (xelatex and pdflatex of TeX Live 2022). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "output/heat_color.h"
#include "output/output.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 45 };

typedef struct {
  ci_result result;
  ci_sequence sequence;
  ci_token source[2], target[COLUMNS];
  ci_named_array score;
  float scores[2 * COLUMNS], sure[COLUMNS];
} fixture;

/* Two source tokens by `columns` generated ones. */
static void set_up(fixture *f, const char *first, const char *second, size_t columns) {
  *f = (fixture){.source = {{.id = 1, .token = (char *)first}, {.id = 2, .token = (char *)second}}};
  for (size_t i = 0; i < columns; i++) {
    f->target[i] = (ci_token){.id = (int32_t)i, .token = (char *)"x"};
    f->scores[i] = (float)i / (float)columns;
    f->scores[columns + i] = i ? -(float)i / (float)columns : NAN;
    f->sure[i] = 0.5f;
  }
  f->score = (ci_named_array){(char *)"prob_ability", {.rank = 1, .shape = {columns}, .data = f->sure}};
  f->sequence = (ci_sequence){.kind = CI_COARSE,
                              .source = f->source,
                              .source_count = 2,
                              .target = f->target,
                              .target_count = columns,
                              .attr_pos_end = columns,
                              .source_attributions = {.rank = 2, .shape = {2, columns}, .data = f->scores},
                              .step_scores = &f->score,
                              .step_scores_count = 1};
  f->result = (ci_result){.sequences = &f->sequence, .count = 1};
}

static char *write_text(const ci_result *result) {
  ci_show_options options = {.color = "none"};
  ci_text text = {0};
  ci_error err = {0};
  if (ci_latex_write(result, &options, &text, &err)) fail_msg("%s: %s", err.where, err.message);
  return ci_text_take(&text);
}

static size_t count_of(const char *text, const char *piece) {
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, piece)); at += strlen(piece)) count++;
  return count;
}

static void assert_has(const char *text, const char *piece) {
  if (!strstr(text, piece)) fail_msg("no %s in\n%s", piece, text);
}

/* Braces that are not escaped balance, line ends of comments are known, only ASCII control is a newline. */
static void check_syntax(const char *text) {
  int depth = 0;
  assert_true(ci_utf8_valid(text, strlen(text)));
  for (const char *at = text; *at; at++) {
    assert_true((unsigned char)*at >= ' ' || *at == '\n');
    if (*at == '%') {
      at += strcspn(at, "\n");
      if (!*at) break;
      continue;
    }
    if (*at == '\\') {
      assert_true(at[1]);
      at++;
      continue;
    }
    depth += (*at == '{') - (*at == '}');
    assert_true(depth >= 0);
  }
  assert_int_equal(depth, 0);
}

static void check_contrast(const char *text) {
  size_t cells = 0;
  for (const char *at = text; (at = strstr(at, "\\cinseqheat{")); at++) {
    int b[3], i[3];
    if (sscanf(at, "\\cinseqheat{%d,%d,%d}{%d,%d,%d}", &b[0], &b[1], &b[2], &i[0], &i[1], &i[2]) != 6) continue;
    ci_color background = {(uint8_t)b[0], (uint8_t)b[1], (uint8_t)b[2]},
             ink = {(uint8_t)i[0], (uint8_t)i[1], (uint8_t)i[2]};
    assert_true(ci_color_contrast(background, ink) >= 4.5);
    cells++;
  }
  assert_true(cells > 0);
}

static void cells_and_blanks(void **state) {
  (void)state;
  fixture f;
  set_up(&f, "▁Hello", "Ġworld", 4);
  char *text = write_text(&f.result);
  check_syntax(text);
  check_contrast(text);
  assert_int_equal(count_of(text, "\\cinseqheat{"), 7); /* one of eight is blank */
  assert_has(text, "\n0 & \\cinseqspace{}Hello & \\cinseqheat{255,255,255}{0,0,0}{0.000} & ");
  assert_has(text, "\n1 & \\.{G}world &  & \\cinseqheat{"); /* NaN */
  assert_has(text, "{$-$0.250}");
  assert_has(text, " & prob\\_ability & 0.500 & 0.500 & 0.500 & 0.500 \\\\\n\\bottomrule");
  assert_has(text, "\\begin{tabular}{rlcccc}\n\\toprule\n &  & 0 & 1 & 2 & 3 \\\\\n");
  assert_has(text, "\\usepackage{booktabs,graphicx,xcolor}");
  assert_null(strstr(text, "xeCJK"));
  assert_null(strstr(text, "fontspec"));
  free(text);
}

static void foreign_text_is_only_text(void **state) {
  (void)state;
  fixture f;
  set_up(&f, "\\{}$&#%_^~<>|\"", "''``--,,!`?` a[*]", 2);
  f.target[1].token = (char *)"\n\x01\xff";
  f.result.info = json_pack("{s:s, s:s, s:[s], s:[s]}", "attribution_method", "sal\niency", "model_name", "/a/b%c\rd",
                            "input_texts", "50% & more\n\\input{x}", "generated_texts", "\\end{document}");
  char *text = write_text(&f.result);
  check_syntax(text);
  assert_has(text, "\n0 & \\textbackslash{}\\{\\}\\$\\&\\#\\%\\_\\textasciicircum{}\\textasciitilde{}\\textless{}"
                   "\\textgreater{}\\textbar{}\\string\"{} & ");
  assert_has(text, "'{}'{}`{}`{}-{}-{},{},{}!{}`{}?{}`{}\\ a{[}{*}{]} & ");
  assert_has(text, " &  & x & \\textbackslash{}n\\textbackslash{}x01\xEF\xBF\xBD \\\\\n");
  assert_has(text, "% Heat tables of cinseq");
  assert_has(text, ": sal\\niency, b%c\\rd\n"); /* the comment stays one line */
  assert_has(text, "50\\%\\ \\&\\ more $\\rightarrow$ \\textbackslash{}end\\{document\\}\n");
  assert_null(strstr(text, "input\\{"));
  free(text);
  json_decref(f.result.info);
}

static void the_head_says_what_the_characters_need(void **state) {
  (void)state;
  fixture f;
  set_up(&f, "今天", "é", 1);
  char *text = write_text(&f.result);
  assert_has(text, "\\usepackage{xeCJK}");
  assert_null(strstr(text, "fontspec"));
  free(text);
  set_up(&f, "שלום", "한국", 1);
  text = write_text(&f.result);
  assert_has(text, "\\usepackage{xeCJK}");
  assert_has(text, "\\usepackage{fontspec}");
  free(text);
}

static void wide_tables_go_on_below(void **state) {
  (void)state;
  fixture f;
  set_up(&f, "a", "b", COLUMNS);
  char *text = write_text(&f.result);
  check_syntax(text);
  assert_int_equal(count_of(text, "\\begin{tabular}"), 3);
  assert_int_equal(count_of(text, "\\begin{tabular}{rlcccccccccccccccccccc}"), 2);
  assert_int_equal(count_of(text, "\\begin{tabular}{rlccccc}"), 1);
  assert_has(text, "\n &  & 40 & 41 & 42 & 43 & 44 \\\\\n");
  assert_int_equal(count_of(text, "\n0 & a & "), 3);
  free(text);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  fixture f;
  ci_show_options options = {.color = "none"};
  ci_text text = {0};
  ci_error err = {0};
  set_up(&f, "a", "b", 3);
  f.sequence.source_attributions.shape[0] = 3;
  assert_int_equal(ci_latex_write(&f.result, &options, &text, &err), CI_EINVAL);
  assert_string_equal(err.where, "source_attributions");
  assert_null(text.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cells_and_blanks),
      cmocka_unit_test(foreign_text_is_only_text),
      cmocka_unit_test(the_head_says_what_the_characters_need),
      cmocka_unit_test(wide_tables_go_on_below),
      cmocka_unit_test(what_does_not_fit_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
