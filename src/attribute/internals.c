/* See internals.h. */
#include "attribute/internals.h"
#include <stdlib.h>
#include <string.h>

void ci_find_attention(const ci_graph *graph, ci_space_id query, ci_space_id key, ci_attention_nodes *out) {
  out->layers = out->heads = 0;
  for (int i = 0; i < graph->count && out->layers < CI_MOST_LAYERS; i++) {
    const ci_node *node = &graph->nodes[i];
    if (node->op != &ci_op_attention || node->space != query || graph->nodes[node->inputs[1]].space != key) continue;
    out->nodes[out->layers++] = i;
    out->heads = node->kept_width; /* one log-sum-exp a head */
  }
}

static ci_status choose_one(const char *option, int64_t number, size_t count, unsigned char *chosen, ci_error *err) {
  int64_t n = (int64_t)count, index = number < 0 ? number + n : number;
  if (index < 0 || index >= n)
    return ci_fail(err, CI_EINVAL, option, "is %lld, expected %lld to %lld", (long long)number, (long long)-n,
                   (long long)n - 1);
  chosen[index] = 1;
  return CI_OK;
}

/* "1:3", ":3", "1:", as Python's slices. */
static ci_status choose_range(const char *option, const char *text, size_t count, unsigned char *chosen,
                              ci_error *err) {
  char *end;
  int64_t n = (int64_t)count, low = 0, high = n;
  const char *colon = strchr(text, ':');
  if (!colon)
    return ci_fail(err, CI_EINVAL, option, "is \"%s\", expected a number, a list of numbers or a range like \"1:3\"",
                   text);
  if (colon != text) low = strtoll(text, &end, 10);
  if (colon != text && end != colon)
    return ci_fail(err, CI_EINVAL, option, "is \"%s\", expected a range like \"1:3\"", text);
  if (colon[1]) high = strtoll(colon + 1, &end, 10);
  if (colon[1] && *end) return ci_fail(err, CI_EINVAL, option, "is \"%s\", expected a range like \"1:3\"", text);
  if (low < 0 && low >= -n) low += n;
  if (high < 0 && high >= -n) high += n;
  if (low < 0 || high > n || low >= high)
    return ci_fail(err, CI_EINVAL, option, "is \"%s\", expected a range with at least one of 0 to %lld", text,
                   (long long)n - 1);
  memset(chosen + low, 1, (size_t)(high - low));
  return CI_OK;
}

ci_status ci_choose(const char *option, const json_t *value, size_t count, unsigned char *chosen, ci_error *err) {
  int64_t number;
  memset(chosen, !value || json_is_null(value), count);
  if (!value || json_is_null(value)) return CI_OK;
  if (json_is_string(value)) return choose_range(option, json_string_value(value), count, chosen, err);
  if (ci_json_as_int(value, &number)) return choose_one(option, number, count, chosen, err);
  if (!json_array_size(value))
    return ci_fail(err, CI_EINVAL, option, "expected a number, a list of numbers or a range like \"1:3\"");
  ci_status status = CI_OK;
  for (size_t i = 0; i < json_array_size(value) && !status; i++)
    status = ci_json_as_int(json_array_get(value, i), &number)
                 ? choose_one(option, number, count, chosen, err)
                 : ci_fail(err, CI_EINVAL, option, "expected a list of integers");
  return status;
}

size_t ci_count_chosen(const unsigned char *chosen, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) n += chosen[i];
  return n;
}

ci_status ci_attribution_sequence_score(ci_attribution *a, const char *name, int rank, const size_t *shape,
                                        ci_array **array, ci_error *err) {
  ci_sequence *out = a->out;
  ci_named_array *grown = ci_resize(out->sequence_scores, out->sequence_scores_count + 1, sizeof *grown);
  if (!grown) return ci_fail_memory(err);
  out->sequence_scores = grown;
  ci_named_array *score = &grown[out->sequence_scores_count++];
  *score = (ci_named_array){.name = ci_duplicate(name)};
  *array = &score->values;
  return score->name ? ci_array_create(&score->values, rank, shape, err) : ci_fail_memory(err);
}
