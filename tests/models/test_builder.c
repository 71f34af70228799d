/* What architecture files build with: nodes that do not fit are refused by name, errors stick, positions are the
 * smallest. */
#include "support/tiny_graph.h"
#include <string.h>

static void expect_error(tiny_graph *t, const char *where, const char *message) {
  assert_int_equal(t->b.status, CI_EMODEL);
  assert_string_equal(t->err.where, where);
  if (!strstr(t->err.message, message)) fail_msg("\"%s\", expected %s", t->err.message, message);
  int before = t->model.graph.count;
  assert_int_equal(ci_add_scale(&t->b, "after", 0, 1), 0); /* nothing is added after an error */
  assert_int_equal(t->model.graph.count, before);
  tiny_close(t);
}

static int start(tiny_graph *t, size_t width) {
  tiny_open(t);
  ci_build_section(&t->b, CI_DECODER, "decoder.%d.", 3);
  return tiny_tokens(t, "tokens", width);
}

static void linear_must_fit(void **state) {
  (void)state;
  tiny_graph t;
  int x = start(&t, 6);
  ci_add_linear(&t.b, "up", x, tiny_weight(&t, 4, 7, 1), NULL);
  expect_error(&t, "decoder.3.up", "do not fit");
}

static void attention_must_fit(void **state) {
  (void)state;
  static const size_t widths[][3] = {{7, 4, 4}, {8, 8, 4}, {8, 4, 8}};
  for (int i = 0; i < 3; i++) {
    tiny_graph t;
    int q = start(&t, widths[i][0]), k = tiny_tokens(&t, "k", widths[i][1]), v = tiny_tokens(&t, "v", widths[i][2]);
    ci_add_attention(&t.b, "self_attn", q, k, v, 2, 1, 4, 1, true);
    expect_error(&t, "decoder.3.self_attn", "do not fit 2 and 1 heads of 4");
  }
  tiny_graph t;
  int x = start(&t, 8);
  ci_add_attention(&t.b, "self_attn", x, tiny_tokens(&t, "k", 8), x, 2, 2, 4, 1, true);
  expect_error(&t, "decoder.3.self_attn", "node of its own");
  x = start(&t, 8);
  int kv = tiny_tokens(&t, "kv", 8);
  ci_add_attention(&t.b, "self_attn", x, kv, kv, 2, 2, 4, 1, true); /* keys may be the values */
  assert_int_equal(t.b.status, CI_OK);
  tiny_close(&t);
}

static void activations_have_names(void **state) {
  (void)state;
  tiny_graph t;
  int x = start(&t, 6);
  ci_add_activation(&t.b, "act", x, "mish");
  expect_error(&t, "config.json", "unknown activation \"mish\", expected one of silu");
}

static void names_and_widths(void **state) {
  (void)state;
  tiny_graph t;
  int x = start(&t, 6);
  assert_string_equal(t.model.graph.nodes[x].name, "decoder.3.tokens");
  assert_int_equal(t.model.graph.ids_node[CI_DECODER], x);
  ci_weight w = tiny_weight(&t, 6, 5, 1);
  w.by_input = true;
  int y = ci_add_linear(&t.b, "up", x, w, NULL);
  assert_int_equal(t.model.graph.nodes[y].width, 5);
  assert_int_equal(t.model.graph.nodes[y].input_count, 1);
  assert_int_equal(t.model.graph.nodes[y].section, 0);
  ci_build_section(&t.b, CI_OUTPUT, "output.", 0);
  int z = ci_add_select(&t.b, "rows", y);
  assert_int_equal(t.model.graph.nodes[z].section, 1);
  assert_int_equal(t.model.graph.nodes[z].space, CI_OUTPUT);
  tiny_close(&t);
}

/* Positions that a table has, less what it skips; the smallest of several. */
static void positions(void **state) {
  (void)state;
  tiny_graph t;
  int x = start(&t, 6);
  x = ci_add_position(&t.b, "p1", x, tiny_weight(&t, 20, 6, 1), 2);
  assert_int_equal(t.model.graph.positions[CI_DECODER], 18);
  x = ci_add_position(&t.b, "p2", x, tiny_weight(&t, 30, 6, 1), 0);
  assert_int_equal(t.model.graph.positions[CI_DECODER], 18);
  ci_add_position(&t.b, "p3", x, tiny_weight(&t, 9, 6, 1), 0);
  assert_int_equal(t.model.graph.positions[CI_DECODER], 9);
  tiny_close(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(linear_must_fit),
      cmocka_unit_test(attention_must_fit),
      cmocka_unit_test(activations_have_names),
      cmocka_unit_test(names_and_widths),
      cmocka_unit_test(positions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
