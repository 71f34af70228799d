/* One thread pool per run. Work is cut by the caller into `count` parts that do not share outputs, so results do not
 * depend on the number of threads. */
#ifndef CI_BASE_THREADS_H
#define CI_BASE_THREADS_H
#include "error.h"
#include <stddef.h>

typedef struct ci_pool ci_pool;
/* threads <= 0: one for each processor this process may use. */
ci_status ci_pool_create(int threads, ci_pool **pool, ci_error *err);
void ci_pool_close(ci_pool *pool);
int ci_pool_threads(const ci_pool *pool);
/* Calls work(context, part, thread) for part 0..count-1, thread < ci_pool_threads, and returns when all are done.
 * The calling thread is one of the workers. Parts are handed out in order, one at a time. */
void ci_pool_run(ci_pool *pool, size_t count, void (*work)(void *context, size_t part, int thread), void *context);

#endif
