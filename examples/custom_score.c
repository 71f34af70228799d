/* A step function of one's own: the margin between the generated token's logit and the largest other one. Printed for each generated
 * token, with the token that it is owed to (input x gradient of the margin).
 *
 *   cc custom_score.c -o custom_score $(pkg-config --cflags --libs cinseq)
 *   ./custom_score "Once upon a time"
 */
#include <cinseq.h>
#include <stdio.h>
#include <string.h>

static size_t best_other(const cinseq_prediction *p) {
  size_t best = p->target == 0;
  for (size_t i = 0; i < p->vocabulary; i++)
    if ((int32_t)i != p->target && p->logits[i] > p->logits[best]) best = i;
  return best;
}

static double margin(void *context, const cinseq_prediction *p) {
  (void)context;
  return (double)p->logits[p->target] - p->logits[best_other(p)];
}

static void margin_gradient(void *context, const cinseq_prediction *p, float *slope) {
  (void)context;
  slope[p->target] = 1;
  slope[best_other(p)] = -1;
}

static int print(const cinseq_result *raw) {
  cinseq_result *result;
  cinseq_error error;
  if (cinseq_result_aggregate(raw, "{\"attribution_aggregators\": [\"sum\"]}", &result, &error))
    return fprintf(stderr, "%s\n", error.message), 1;
  const cinseq_sequence *s = cinseq_result_sequence(result, 0);
  cinseq_array scores = cinseq_sequence_attributions(s, CINSEQ_TARGET), margins = cinseq_sequence_scores(s, "margin");
  size_t start, end;
  cinseq_sequence_range(s, &start, &end);
  for (size_t column = 0; start + column < end; column++) {
    size_t best = 0;
    for (size_t i = 1; i < start + column; i++)
      if (scores.data[i * scores.shape[1] + column] > scores.data[best * scores.shape[1] + column]) best = i;
    printf("%s: margin %.3f, most from %s\n", cinseq_sequence_token(s, CINSEQ_TARGET, start + column, NULL), margins.data[column],
           cinseq_sequence_token(s, CINSEQ_TARGET, best, NULL));
  }
  cinseq_result_close(result);
  return 0;
}

int main(int argc, char **argv) {
  static const cinseq_score scores[] = {{"margin", margin, margin_gradient, NULL, 0}};
  static const char request[] = "{\"input_texts\": \"%s\", \"attribution_method\": \"input_x_gradient\", \"attributed_fn\": \"margin\", "
                                "\"step_scores\": [\"margin\"], \"generation_kwargs\": {\"max_new_tokens\": 8}}";
  const char *text = argc > 1 ? argv[1] : "Once upon a time";
  char json[1024];
  cinseq_model *model;
  cinseq_result *result;
  cinseq_error error;
  if (strpbrk(text, "\"\\") || snprintf(json, sizeof json, request, text) >= (int)sizeof json)
    return fprintf(stderr, "custom_score: a short text without quotes, please\n"), 2;
  if (cinseq_model_open("stories260K", NULL, NULL, &model, &error)) return fprintf(stderr, "custom_score: %s\n", error.message), 1;
  int failed = cinseq_attribute_with(model, json, scores, 1, NULL, &result, &error);
  if (failed) fprintf(stderr, "custom_score: %s: %s\n", error.where, error.message);
  else failed = print(result);
  cinseq_result_close(result);
  cinseq_model_close(model);
  return failed;
}
