/* Two threads, one model: each takes the next text until none is left. Results are the same as with one thread.
 *
 *   cc batch_threads.c -o batch_threads $(pkg-config --cflags --libs cinseq) -pthread
 *   ./batch_threads
 */
#include <cinseq.h>
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 2, TEXTS = 4 };

/* "threads": 1, since here the requests run side by side. */
static const char *const requests[TEXTS] = {
    "{\"threads\": 1, \"input_texts\": \"Once upon a time\", \"generation_kwargs\": {\"max_new_tokens\": 8}}",
    "{\"threads\": 1, \"input_texts\": \"The little dog\", \"generation_kwargs\": {\"max_new_tokens\": 8}}",
    "{\"threads\": 1, \"input_texts\": \"Tom was happy\", \"generation_kwargs\": {\"max_new_tokens\": 8}}",
    "{\"threads\": 1, \"input_texts\": \"One day, Lily\", \"generation_kwargs\": {\"max_new_tokens\": 8}}"};

typedef struct {
  cinseq_model *model; /* shared: it never changes */
  pthread_mutex_t lock;
  size_t next; /* request to take, under the lock */
  int status[TEXTS];
  cinseq_result *results[TEXTS]; /* each written by the one thread that took the request */
  cinseq_error errors[TEXTS];
} batch;

static void *work(void *argument) {
  batch *b = argument;
  for (;;) {
    pthread_mutex_lock(&b->lock);
    size_t i = b->next < TEXTS ? b->next++ : TEXTS;
    pthread_mutex_unlock(&b->lock);
    if (i == TEXTS) return NULL;
    b->status[i] = cinseq_attribute(b->model, requests[i], NULL, &b->results[i], &b->errors[i]);
  }
}

/* The token that mattered most for the last generated one. */
static int print_result(const cinseq_result *raw) {
  cinseq_result *result;
  cinseq_error error;
  if (cinseq_result_aggregate(raw, NULL, &result, &error)) return fprintf(stderr, "%s\n", error.message), 1;
  const cinseq_sequence *s = cinseq_result_sequence(result, 0);
  cinseq_array scores = cinseq_sequence_attributions(s, CINSEQ_TARGET);
  size_t columns = scores.shape[1], last = columns - 1, best = 0, start, end;
  cinseq_sequence_range(s, &start, &end);
  for (size_t i = 1; i < start + last; i++) /* the tokens before it; what follows is NaN */
    if (scores.data[i * columns + last] > scores.data[best * columns + last]) best = i;
  for (size_t i = 0; i < cinseq_sequence_token_count(s, CINSEQ_TARGET); i++)
    printf("%s ", cinseq_sequence_token(s, CINSEQ_TARGET, i, NULL));
  printf("| %s because of %s (%.3f)\n", cinseq_sequence_token(s, CINSEQ_TARGET, end - 1, NULL),
         cinseq_sequence_token(s, CINSEQ_TARGET, best, NULL), scores.data[best * columns + last]);
  cinseq_result_close(result);
  return 0;
}

int main(int argc, char **argv) {
  batch b = {.lock = PTHREAD_MUTEX_INITIALIZER};
  cinseq_error error;
  if (cinseq_model_open(argc > 1 ? argv[1] : "stories260K", NULL, NULL, &b.model, &error))
    return fprintf(stderr, "batch_threads: %s: %s\n", error.where, error.message), 1;
  pthread_t threads[THREADS];
  int started = 0, failed = 0;
  while (started < THREADS && pthread_create(&threads[started], NULL, work, &b) == 0) started++;
  if (started == 0) work(&b);
  for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < TEXTS; i++) {
    if (b.status[i]) fprintf(stderr, "batch_threads: %s: %s\n", b.errors[i].where, b.errors[i].message);
    failed |= b.status[i] ? 1 : print_result(b.results[i]);
    cinseq_result_close(b.results[i]);
  }
  cinseq_model_close(b.model);
  return failed;
}
