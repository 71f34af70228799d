/* The environment's variables in the order in which huggingface_hub looks at them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hub/settings.h"
#include <stdlib.h>
#include <string.h>

static const char *const variables[] = {"HF_HUB_CACHE",
                                        "HUGGINGFACE_HUB_CACHE",
                                        "HF_HOME",
                                        "XDG_CACHE_HOME",
                                        "HOME",
                                        "HF_TOKEN",
                                        "HUGGING_FACE_HUB_TOKEN",
                                        "HF_TOKEN_PATH",
                                        "HF_ENDPOINT",
                                        "HF_HUB_OFFLINE",
                                        "TRANSFORMERS_OFFLINE",
                                        "HF_HUB_ETAG_TIMEOUT",
                                        "HF_HUB_DOWNLOAD_TIMEOUT",
                                        "HF_HUB_DISABLE_IMPLICIT_TOKEN"};

static int set_up(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
  return setenv("HOME", "/home/nobody", 1);
}

static ci_hub_settings settings(const ci_hub_request *request) {
  ci_hub_settings s;
  ci_error err = {0};
  if (ci_hub_settings_read(request, &s, &err)) fail_msg("%s: %s", err.where, err.message);
  return s;
}

static void expect_cache(const ci_hub_request *request, const char *path) {
  ci_hub_settings s = settings(request);
  assert_string_equal(s.cache, path);
  ci_hub_settings_free(&s);
}

static void the_cache(void **state) {
  (void)state;
  ci_hub_request request = {.name = "x"};
  expect_cache(&request, "/home/nobody/.cache/huggingface/hub");
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  expect_cache(&request, "/xdg/huggingface/hub");
  setenv("HF_HOME", "~/hf", 1);
  expect_cache(&request, "/home/nobody/hf/hub");
  setenv("HUGGINGFACE_HUB_CACHE", "/old", 1);
  expect_cache(&request, "/old");
  setenv("HF_HUB_CACHE", "/new", 1);
  expect_cache(&request, "/new");
  request.cache_dir = "~";
  expect_cache(&request, "/home/nobody/");
}

static void the_rest(void **state) {
  (void)state;
  ci_hub_request request = {.name = "x"};
  ci_hub_settings s = settings(&request);
  assert_string_equal(s.endpoint, "https://huggingface.co");
  assert_null(s.token);
  assert_null(s.offline);
  assert_int_equal(s.answer_seconds, 10);
  ci_hub_settings_free(&s);
  setenv("HF_ENDPOINT", "http://mirror/x//", 1);
  setenv("HF_TOKEN", " t \n", 1);
  setenv("TRANSFORMERS_OFFLINE", "on", 1);
  setenv("HF_HUB_ETAG_TIMEOUT", "3", 1);
  setenv("HF_HUB_DOWNLOAD_TIMEOUT", "-3", 1);
  s = settings(&request);
  assert_string_equal(s.endpoint, "http://mirror/x");
  assert_string_equal(s.token, "t");
  assert_string_equal(s.offline, "TRANSFORMERS_OFFLINE");
  assert_int_equal(s.answer_seconds, 3);
  assert_int_equal(s.silence_seconds, 10);
  ci_hub_settings_free(&s);
  setenv("HF_HUB_OFFLINE", "0", 1);
  request.token = "";
  s = settings(&request);
  assert_null(s.offline);
  assert_null(s.token);
  ci_hub_settings_free(&s);
  request.local_only = true;
  s = settings(&request);
  assert_non_null(s.offline);
  ci_hub_settings_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup(the_cache, set_up),
                                     cmocka_unit_test_setup(the_rest, set_up)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
