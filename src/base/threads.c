/* A pool of worker threads around one counter of parts and one word of state.
 *
 * Workers spin for a moment before they sleep: a forward pass of one row calls the pool hundreds of times, and waking a
 * sleeping thread costs more than such a part. A worker that has not entered a round by the time its parts are taken is
 * not waited for: on a busy machine it may have lost its processor, and the caller has done the work meanwhile. */
#define _GNU_SOURCE
#include "base/threads.h"
#include "base/memory.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MOST_THREADS = 256, SPINS = 4000 };

/* State: the round's number in the upper half; whether it can be entered; how many workers are in it. */
#define OPEN          ((uint64_t)1 << 31)
#define ROUND(state)  ((state) >> 32)
#define INSIDE(state) ((state) & (OPEN - 1))

typedef struct {
  ci_pool *pool;
  int index;
} worker;

struct ci_pool {
  int threads;
  pthread_t handles[MOST_THREADS];
  worker workers[MOST_THREADS];
  int started;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  void (*work)(void *, size_t, int);
  void *context;
  size_t count;
  atomic_size_t next; /* part to hand out */
  _Atomic uint64_t state;
  atomic_int sleeping;
  atomic_bool closing;
};

static void pause_cpu(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void take_parts(ci_pool *pool, int thread) {
  for (;;) {
    size_t part = atomic_fetch_add(&pool->next, 1);
    if (part >= pool->count) return;
    pool->work(pool->context, part, thread);
  }
}

/* A round after `seen` that can be entered, or the end. */
static bool called(ci_pool *pool, uint64_t seen) {
  uint64_t state = atomic_load(&pool->state);
  return (ROUND(state) != seen && (state & OPEN)) || atomic_load(&pool->closing);
}

static void wait_for_round(ci_pool *pool, uint64_t seen) {
  for (int i = 0; i < SPINS; i++) {
    if (called(pool, seen)) return;
    pause_cpu();
  }
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->sleeping, 1);
  while (!called(pool, seen)) pthread_cond_wait(&pool->wake, &pool->lock);
  atomic_fetch_sub(&pool->sleeping, 1);
  pthread_mutex_unlock(&pool->lock);
}

/* Counts this worker into the open round, if there still is one; *seen is its number. */
static bool enter(ci_pool *pool, uint64_t *seen) {
  uint64_t state = atomic_load(&pool->state);
  while (state & OPEN)
    if (atomic_compare_exchange_weak(&pool->state, &state, state + 1)) return *seen = ROUND(state), true;
  return false;
}

static void *worker_main(void *argument) {
  worker *self = argument;
  ci_pool *pool = self->pool;
  uint64_t seen = 0;
  for (;;) {
    wait_for_round(pool, seen);
    if (atomic_load(&pool->closing)) return NULL;
    if (!enter(pool, &seen)) continue;
    take_parts(pool, self->index);
    atomic_fetch_sub(&pool->state, 1);
  }
}

static int processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set)) return 1;
  int count = CPU_COUNT(&set);
  return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : count;
}

ci_status ci_pool_create(int threads, ci_pool **out, ci_error *err) {
  ci_pool *pool = ci_alloc_zeroed(1, sizeof *pool);
  if (!pool) return ci_fail_memory(err);
  pool->threads = threads <= 0 ? processors() : threads > MOST_THREADS ? MOST_THREADS : threads;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  for (int i = 1; i < pool->threads; i++) {
    pool->workers[i] = (worker){pool, i};
    if (pthread_create(&pool->handles[i], NULL, worker_main, &pool->workers[i])) {
      pool->threads = i; /* fewer threads than asked for: slower, not wrong */
      break;
    }
    pool->started++;
  }
  *out = pool;
  return CI_OK;
}

void ci_pool_close(ci_pool *pool) {
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->closing, true);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
  for (int i = 1; i <= pool->started; i++) pthread_join(pool->handles[i], NULL);
  pthread_mutex_destroy(&pool->lock);
  pthread_cond_destroy(&pool->wake);
  ci_free(pool);
}

int ci_pool_threads(const ci_pool *pool) {
  return pool->threads;
}

void ci_pool_run(ci_pool *pool, size_t count, void (*work)(void *, size_t, int), void *context) {
  if (pool->threads == 1 || count <= 1) {
    for (size_t part = 0; part < count; part++) work(context, part, 0);
    return;
  }
  pool->work = work;
  pool->context = context;
  pool->count = count;
  atomic_store(&pool->next, 0);
  atomic_store(&pool->state, (ROUND(atomic_load(&pool->state)) + 1) << 32 | OPEN);
  if (atomic_load(&pool->sleeping)) {
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
  }
  take_parts(pool, 0);
  atomic_fetch_and(&pool->state, ~OPEN);
  for (int spins = 0; INSIDE(atomic_load(&pool->state)); spins += spins < SPINS)
    spins < SPINS ? pause_cpu() : (void)sched_yield();
}
