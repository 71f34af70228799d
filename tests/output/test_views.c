/* The table of views; what a view asks of a result; `layers` as text, CSV and page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "aggregate/aggregator.h"
#include "output/output.h"
#include "output/view.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *render(const ci_result *result, const char *output, const char *options_json, ci_error *err) {
  ci_show_options options;
  ci_text text = {0};
  ci_status status = ci_show_options_read(options_json, &options, err);
  if (!status) status = ci_output_render(ci_output_find(output), result, &options, &text, err);
  ci_show_options_free(&options);
  if (!status) return ci_text_take(&text);
  ci_text_free(&text);
  return NULL;
}

/* Two source tokens, two generated tokens, three layers (rank 3) and two heads (rank 4). */
static ci_result *make(int rank, ci_result_kind kind) {
  static const char *const texts[] = {"a", "b<", "<s>", "c", "d"};
  ci_error err;
  ci_result *result = ci_result_create(1);
  assert_non_null(result);
  ci_sequence *s = &result->sequences[0];
  ci_token tokens[5];
  size_t count;
  for (int i = 0; i < 5; i++) tokens[i] = (ci_token){.id = i, .token = (char *)texts[i]};
  *s = (ci_sequence){.kind = kind, .n_dimensions = rank - 2, .attr_pos_start = 1, .attr_pos_end = 3};
  assert_int_equal(ci_tokens_copy(tokens, 2, &s->source, &s->source_count, &err), CI_OK);
  assert_int_equal(ci_tokens_copy(tokens + 2, 3, &s->target, &count, &err), CI_OK);
  s->target_count = count;
  assert_int_equal(ci_array_create(&s->source_attributions, rank, (size_t[]){2, 2, 3, 2}, &err), CI_OK);
  for (size_t i = 0; i < ci_array_size(&s->source_attributions); i++) s->source_attributions.data[i] = (float)(i + 1);
  return result;
}

static void rows_are_found_by_id(void **state) {
  (void)state;
  size_t count;
  const ci_view *rows = ci_views(&count), *view;
  ci_error err = {0};
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(ci_view_named(rows[i].id, &view, &err), CI_OK);
    assert_ptr_equal(view, &rows[i]);
  }
  assert_int_equal(ci_view_named(NULL, &view, &err), CI_OK);
  assert_string_equal(view->id, "table");
  assert_int_equal(ci_view_named("tabel", &view, &err), CI_EINVAL);
  assert_non_null(strstr(err.message, "did you mean \"table\""));
}

static void layers_are_a_table_for_each_step(void **state) {
  (void)state;
  ci_error err = {0};
  ci_result *result = make(3, CI_MULTIDIMENSIONAL);
  char *text = render(result, "terminal", "{\"view\": \"layers\"}", &err);
  /* scores are 1, 2, 3 | 4, 5, 6 of the first token and 7, 8, 9 | 10, 11, 12 of the second: shares of 1 + 7, ... */
  assert_string_equal(text, "Source attributions of 0 c  → layer, ↓ attributed\n"
                            "        0      1      2\n"
                            "0 a   0.125  0.200  0.250\n"
                            "1 b<  0.875  0.800  0.750\n"
                            "\n"
                            "Source attributions of 1 d  → layer, ↓ attributed\n"
                            "        0      1      2\n"
                            "0 a   0.286  0.312  0.333\n"
                            "1 b<  0.714  0.688  0.667\n");
  free(text);
  text = render(result, "csv", "{\"view\": \"layers\", \"normalize\": false}", &err);
  assert_string_equal(text, "text,table,step,generated,place,index,token,0,1,2\r\n"
                            "1,generated,,,,,,c,d,\r\n"
                            "1,source,0,c,,0,a,1,2,3\r\n1,source,0,c,,1,b<,7,8,9\r\n"
                            "1,source,1,d,,0,a,4,5,6\r\n1,source,1,d,,1,b<,10,11,12\r\n");
  free(text);
  text = render(result, "html", "{\"view\": \"layers\", \"attribution_aggregators\": []}", &err);
  assert_non_null(strstr(text, "<figcaption>Source attributions of 1 d <span>→ layer, ↓ attributed</span></figcaption>"));
  assert_non_null(strstr(text, " title=\"12\">12.000</td>"));
  free(text);
  text = render(result, "latex", "{\"view\": \"layers\"}", &err);
  assert_non_null(strstr(text, "\\textbf{Source attributions of 1 d}\\quad $\\rightarrow$ layer, $\\downarrow$ attributed"));
  free(text);
  ci_result_close(result);
}

static void heads_are_reduced(void **state) {
  (void)state;
  ci_error err = {0};
  ci_result *result = make(4, CI_MULTIDIMENSIONAL);
  char *text = render(result, "csv", "{\"view\": \"layers\"}", &err);
  assert_non_null(strstr(text, "1,source,0,c,,0,a,0.1")); /* means 1.5 of 1.5 + 13.5 */
  free(text);
  text = render(result, "csv", "{\"view\": \"layers\", \"attribution_selectors\": [1], \"normalize\": false}", &err);
  assert_non_null(strstr(text, "1,source,0,c,,0,a,2,4,6\r\n"));
  free(text);
  ci_result_close(result);
}

static void what_has_no_layers_is_refused(void **state) {
  (void)state;
  ci_error err = {0};
  ci_result *result = make(3, CI_GRANULAR);
  assert_null(render(result, "terminal", "{\"view\": \"layers\"}", &err));
  assert_non_null(strstr(err.message, "embedding"));
  ci_result_close(result);
  result = make(2, CI_COARSE);
  assert_null(render(result, "html", "{\"view\": \"layers\"}", &err));
  assert_non_null(strstr(err.message, "3 dimensions"));
  ci_result_close(result);
  result = ci_result_create(0);
  free(render(result, "html", "{\"view\": \"layers\"}", &err));
  ci_result_close(result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_found_by_id),
      cmocka_unit_test(layers_are_a_table_for_each_step),
      cmocka_unit_test(heads_are_reduced),
      cmocka_unit_test(what_has_no_layers_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
