/* Any bytes as Inseq's JSON file; what is accepted is aggregated, drawn in every form, written and read again. */
#include "base/memory.h"
#include "cinseq.h"
#include "fuzz/fuzz.h"
#include "output/output.h"

/* In every form that there is. */
static void render(const ci_result *result) {
  size_t count;
  const ci_output *outputs = ci_outputs(&count);
  for (size_t i = 0; i < count; i++) {
    char *text;
    ci_error err = {0};
    if (cinseq_result_render(result, outputs[i].id, "{\"color\": \"256\", \"width\": 80}", &text, &err) == CI_OK)
      cinseq_free(text);
    else
      fuzz_check(err.code && err.message[0] && !text, "an error says nothing");
  }
}

static void read_again(const ci_result *result) {
  ci_text text = {0};
  ci_error err = {0};
  ci_result *again;
  if (ci_inseq_json_write(result, NULL, &text, &err) == CI_OK) {
    if (ci_inseq_json_read("fuzz", text.data, text.length, &again, &err) == CI_OK)
      ci_result_close(again);
    else
      fuzz_check(err.code == CI_ENOMEM, "what was written cannot be read");
  }
  ci_text_free(&text);
}

/* By every aggregator, whatever the tokens and shapes are. */
static void aggregate(const ci_result *result) {
  static const char *const options[] = {
      "{\"attribution_aggregators\": \"subwords\"}",
      "{\"attribution_aggregators\": [\"vnorm\", \"subwords\"], \"aggregate_fn\": [\"default\", \"mean\"]}",
      "{\"attribution_aggregators\": \"spans\", \"target_spans\": [[0, 1], [1, 3]], \"source_spans\": [0, 2]}",
      "{\"attribution_aggregators\": \"split\", \"split_pattern\": \"[a-m]\", \"split_mode\": \"start\"}",
      "{\"attribution_aggregators\": \"slices\", \"target_spans\": [[0, 1], [2, 3]]}",
      "{\"attribution_aggregators\": \"weight\", \"rescale\": true}"};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    ci_result *out;
    ci_error err = {0};
    if (cinseq_result_aggregate(result, options[i], &out, &err) == CI_OK) {
      read_again(out);
      cinseq_result_close(out);
    } else {
      fuzz_check(err.code && err.message[0] && !out, "an error says nothing");
    }
  }
  ci_result *out;
  if (ci_result_pair(result, result, &out, NULL) == CI_OK) ci_result_close(out);
  const ci_result *const both[] = {result, result};
  if (ci_result_merge(both, 2, &out, NULL) == CI_OK) ci_result_close(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  ci_result *result;
  ci_error err = {0};
  if (ci_inseq_json_read("fuzz", (const char *)bytes, length, &result, &err)) {
    fuzz_check(err.code && err.message[0] && !result, "an error says nothing");
    return 0;
  }
  render(result);
  aggregate(result);
  read_again(result);
  ci_result_close(result);
  return 0;
}
