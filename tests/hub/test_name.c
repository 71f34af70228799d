/* What may be the name of a model, a revision, a file or a blob. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/memory.h"
#include "hub/hub.h"
#include "hub/name.h"
#include <string.h>

static void names_of_models(void **state) {
  (void)state;
  static const char *const good[] = {"gpt2",
                                     "a",
                                     "Helsinki-NLP/opus-mt-zh-en",
                                     "org/Foo-BAR_foo.bar123",
                                     "a_/_b",
                                     "org/m:Q4_K_M",
                                     "org/m:sub/file.gguf"};
  static const char *const bad[] = {"",
                                    ".",
                                    "..",
                                    "/",
                                    "a/",
                                    "/a",
                                    "a/b/c",
                                    "a//b",
                                    "-a",
                                    "a-",
                                    ".a",
                                    "a.",
                                    "a--b",
                                    "a..b",
                                    "org/-m",
                                    "o/m.git",
                                    "a b",
                                    "a\n",
                                    "gr\xc3\xb6\xc3\x9f",
                                    "a:",
                                    "a:../x",
                                    "a:/x",
                                    "a:b//c",
                                    ":x",
                                    "./a",
                                    "a/./b",
                                    "\x7f"};
  const char *choice;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    size_t length = ci_hub_split_name(good[i], &choice);
    assert_int_equal(length, strcspn(good[i], ":"));
    assert_true(choice ? choice == good[i] + length + 1 : !good[i][length]);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (ci_hub_named(bad[i])) fail_msg("\"%s\" was taken for a name", bad[i]);
  char longest[CI_REPO_LENGTH + 2];
  memset(longest, 'x', sizeof longest);
  longest[CI_REPO_LENGTH] = 0;
  assert_true(ci_hub_named(longest));
  longest[CI_REPO_LENGTH] = 'x', longest[CI_REPO_LENGTH + 1] = 0;
  assert_false(ci_hub_named(longest));
}

static void revisions_files_and_blobs(void **state) {
  (void)state;
  static const char commit[] = "0123456789abcdef0123456789ABCDEF01234567";
  assert_true(ci_hub_is_commit(commit) && !ci_hub_is_commit(commit + 1) && !ci_hub_is_commit("main"));
  assert_true(ci_hub_is_revision("main") && ci_hub_is_revision("refs/pr/1") && ci_hub_is_revision(commit));
  assert_false(ci_hub_is_revision("../x") || ci_hub_is_revision("/x") || ci_hub_is_revision("") ||
               ci_hub_is_revision("a\x01"));
  assert_true(ci_hub_is_file("a b/c\xc3\xa4.json") && ci_hub_is_file(".gitattributes") && ci_hub_is_file("a..b"));
  assert_false(ci_hub_is_file("a/../b") || ci_hub_is_file("a//b") || ci_hub_is_file("a/") || ci_hub_is_file("./a"));
  assert_true(ci_hub_is_etag(commit) && ci_hub_is_etag("v-1_2.3"));
  assert_false(ci_hub_is_etag("") || ci_hub_is_etag("..") || ci_hub_is_etag("a/b") || ci_hub_is_etag(".a") ||
               ci_hub_is_etag("a\""));
}

static void escaped(void **state) {
  (void)state;
  ci_text text = {0};
  ci_hub_add_escaped(&text, "refs/pr/1", false);
  ci_hub_add_escaped(&text, "/a b/%\xc3\xa4?#~.c", true);
  assert_string_equal(text.data, "refs%2Fpr%2F1/a%20b/%25%C3%A4%3F%23~.c");
  ci_text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_models), cmocka_unit_test(revisions_files_and_blobs),
                                     cmocka_unit_test(escaped)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
