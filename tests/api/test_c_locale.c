/* Where the decimal point is a comma, everything is as elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cinseq.h"
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char request[] = "{\"input_texts\": \"我很开心。\", \"memory_budget\": \"0.5G\"}";
static const char options[] = "{\"min_val\": -0.25, \"max_val\": 0.75}";
static char folder[] = "/tmp/cinseq-locale-XXXXXX";

/* The machine's, or one that is made for this. */
static bool enter_german(void) {
  char command[256];
  if (setlocale(LC_ALL, "de_DE.UTF-8")) return true;
  snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.utf8 2>/dev/null", folder);
  return system(command) >= 0 && setenv("LOCPATH", folder, 1) == 0 && setlocale(LC_ALL, "de_DE.UTF-8");
}

static cinseq_result *attribute(void) {
  cinseq_model *model;
  cinseq_result *result;
  cinseq_error error;
  if (cinseq_model_open("zh-en-mini", NULL, NULL, &model, &error)) fail_msg("%s: %s", error.where, error.message);
  if (cinseq_attribute(model, request, NULL, &result, &error)) fail_msg("%s: %s", error.where, error.message);
  cinseq_model_close(model);
  return result;
}

/* All outputs, one after the other. */
static char *draw_all(const cinseq_result *result) {
  static const char *const outputs[] = {"terminal", "html", "json", "csv", "latex"};
  cinseq_error error;
  char *all = strdup("");
  for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
    char *text;
    if (cinseq_result_render(result, outputs[i], options, &text, &error))
      fail_msg("%s: %s", error.where, error.message);
    char *longer = malloc(strlen(all) + strlen(text) + 1);
    strcat(strcpy(longer, all), text);
    cinseq_free(text);
    free(all);
    all = longer;
  }
  return all;
}

static void a_comma_changes_nothing(void **state) {
  (void)state;
  assert_non_null(mkdtemp(folder));
  cinseq_result *result = attribute();
  char *here = draw_all(result), number[16], command[64];
  if (!enter_german()) {
    print_message("NOT TESTED: there is no locale de_DE.UTF-8 and none could be made\n");
  } else {
    snprintf(number, sizeof number, "%.1f", 0.5);
    assert_string_equal(number, "0,5");
    char *there = draw_all(result);
    assert_true(strcmp(here, there) == 0);
    free(there);
    cinseq_result_close(attribute()); /* half a gigabyte is one there too */
    snprintf(number, sizeof number, "%.1f", 0.5);
    assert_string_equal(number, "0,5"); /* the program's own is as it was */
  }
  free(here);
  cinseq_result_close(result);
  snprintf(command, sizeof command, "rm -r %s", folder);
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_comma_changes_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
