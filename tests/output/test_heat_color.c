/* The colour scale: its ends, its middle, its evenness, and that text on it can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "output/heat_color.h"
#include <math.h>

static void assert_color(ci_color color, int red, int green, int blue) {
  assert_int_equal(color.red, red);
  assert_int_equal(color.green, green);
  assert_int_equal(color.blue, blue);
}

static void ends_and_middle_are_those_of_inseq(void **state) {
  (void)state;
  ci_heat_limits limits = {-0.5, 2};
  assert_color(ci_heat_color(2, &limits), 178, 24, 43);
  assert_color(ci_heat_color(99, &limits), 178, 24, 43);
  assert_color(ci_heat_color(INFINITY, &limits), 178, 24, 43);
  assert_color(ci_heat_color(-0.5, &limits), 33, 102, 172);
  assert_color(ci_heat_color(-INFINITY, &limits), 33, 102, 172);
  assert_color(ci_heat_color(0, &limits), 255, 255, 255);
  assert_color(ci_heat_color(-0.0, &limits), 255, 255, 255);
  assert_color(ci_heat_color(1, &limits), 217, 140, 149);
  assert_color(ci_heat_color(-0.25, &limits), 144, 179, 214);
}

static void palettes_read_in_every_step(void **state) {
  (void)state;
  ci_heat_palette dark = ci_heat_on_white; /* a page's translucent cells on dark paper: ink is white there */
  dark.paper = (ci_color){22, 24, 29};
  for (int i = -100; i <= 100; i++) {
    ci_color color = ci_heat_palette_color(&ci_heat_on_white, i / 100.0), white = {255, 255, 255};
    ci_color ink = ci_color_wants_black(color) ? (ci_color){0, 0, 0} : white;
    assert_true(ci_color_contrast(color, ink) >= 4.5);
    assert_true(ci_color_contrast(ci_heat_palette_color(&dark, i / 100.0), white) >= 4.5);
  }
  assert_color(ci_heat_palette_color(&dark, 0), 22, 24, 29);
  ci_heat_limits limits = {-0.5, 2};
  assert_true(ci_heat_share(1, &limits) == 0.5 && ci_heat_share(-0.25, &limits) == -0.5);
  assert_true(ci_heat_share(9, &limits) == 1 && ci_heat_share(-INFINITY, &limits) == -1);
}

static void limits_are_symmetric(void **state) {
  (void)state;
  ci_heat_limits limits = {0, 0};
  const float scores[] = {0.25f, NAN, -3, 0.5f, INFINITY, -INFINITY}, negative[] = {-1, -2};
  ci_heat_limits_include(&limits, negative, 2);
  assert_true(limits.max == 0 && limits.min == 0);
  ci_heat_limits_include(&limits, scores, 6);
  assert_true(limits.max == 0.5 && limits.min == -0.5);
  ci_heat_limits_include(&limits, NULL, 0);
  assert_true(limits.max == 0.5);
}

static void text_can_be_read_everywhere(void **state) {
  (void)state;
  ci_heat_limits limits = {-1, 1};
  double before = 2, before_256 = 2;
  for (int side = -1; side <= 1; side += 2, before = before_256 = 2) {
    for (int i = 0; i <= 1000; i++) {
      ci_color color = ci_heat_color(side * i / 1000.0, &limits), other;
      int number = ci_heat_color_256(side * i / 1000.0, &limits, &other);
      assert_in_range(number, 16, 231);
      const ci_color shown[] = {color, other};
      for (int k = 0; k < 2; k++) {
        ci_color ink = ci_color_wants_black(shown[k]) ? (ci_color){0, 0, 0} : (ci_color){255, 255, 255};
        assert_true(ci_color_contrast(shown[k], ink) >= 4.5);
      }
      assert_true(ci_color_luminance(color) <= before); /* a higher score is never lighter */
      assert_true(ci_color_luminance(other) <= before_256);
      assert_true(fabs(ci_color_luminance(color) - ci_color_luminance(other)) < 0.2);
      before = ci_color_luminance(color);
      before_256 = ci_color_luminance(other);
    }
  }
}

static void contrast_is_that_of_wcag(void **state) {
  (void)state;
  assert_true(fabs(ci_color_contrast((ci_color){0, 0, 0}, (ci_color){255, 255, 255}) - 21) < 1e-9);
  assert_true(fabs(ci_color_contrast((ci_color){119, 119, 119}, (ci_color){255, 255, 255}) - 4.478) < 1e-3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ends_and_middle_are_those_of_inseq), cmocka_unit_test(limits_are_symmetric),
      cmocka_unit_test(palettes_read_in_every_step),        cmocka_unit_test(text_can_be_read_everywhere),
      cmocka_unit_test(contrast_is_that_of_wcag),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
