/* Scores as numbers: one CSV row for each pair of tokens, `index,token,generated index,generated token,score`, then the
 * step scores of each generated token.
 *
 *   cc scores_to_csv.c -o scores_to_csv $(pkg-config --cflags --libs cinseq)
 *   cinseq attribute -m stories260K -i "Once upon a time" --step_scores probability -o result.json
 *   ./scores_to_csv result.json
 */
#include <cinseq.h>
#include <math.h>
#include <stdio.h>

static void print_token(const char *token) {
  putchar('"');
  for (; *token; token++) printf(*token == '"' ? "\"\"" : "%c", *token);
  putchar('"');
}

/* Rows are the tokens of one side, columns the generated tokens, which stand among the target's. */
static void print_side(const cinseq_sequence *s, cinseq_side side, const char *name) {
  cinseq_array scores = cinseq_sequence_attributions(s, side);
  size_t start, end;
  cinseq_sequence_range(s, &start, &end);
  if (!scores.data) return; /* decoder-only models have no source side */
  for (size_t i = 0; i < scores.shape[0]; i++)
    for (size_t j = 0; j < scores.shape[1]; j++) {
      float score = scores.data[i * scores.shape[1] + j];
      if (isnan(score)) continue; /* was not there yet */
      printf("%s,%zu,", name, i);
      print_token(cinseq_sequence_token(s, side, i, NULL));
      printf(",%zu,", start + j);
      print_token(cinseq_sequence_token(s, CINSEQ_TARGET, start + j, NULL));
      printf(",%.9g\n", score);
    }
}

static void print_step_scores(const cinseq_sequence *s) {
  const char *name;
  size_t start, end;
  cinseq_sequence_range(s, &start, &end);
  for (size_t k = 0; (name = cinseq_sequence_score_name(s, k)) != NULL; k++) {
    cinseq_array values = cinseq_sequence_scores(s, name);
    for (size_t j = 0; j < values.shape[0]; j++) {
      printf("%s,,,%zu,", name, start + j);
      print_token(cinseq_sequence_token(s, CINSEQ_TARGET, start + j, NULL));
      printf(",%.9g\n", values.data[j]);
    }
  }
}

int main(int argc, char **argv) {
  cinseq_result *raw = NULL, *result = NULL;
  cinseq_error error;
  if (argc != 2) return fprintf(stderr, "usage: scores_to_csv RESULT.json\n"), 2;
  int status = cinseq_result_load(argv[1], &raw, &error);
  if (!status) status = cinseq_result_aggregate(raw, NULL, &result, &error); /* one number for each pair */
  if (!status) puts("kind,index,token,generated_index,generated_token,score");
  for (size_t i = 0; !status && i < cinseq_result_count(result); i++) {
    const cinseq_sequence *s = cinseq_result_sequence(result, i);
    print_side(s, CINSEQ_SOURCE, "source");
    print_side(s, CINSEQ_TARGET, "target");
    print_step_scores(s);
  }
  if (status) fprintf(stderr, "scores_to_csv: %s: %s\n", error.where, error.message);
  cinseq_result_close(result);
  cinseq_result_close(raw);
  return status != CINSEQ_OK;
}
