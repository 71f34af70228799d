/* Allocation with checked size arithmetic, and arenas.
 * Ownership law: what a handle returns lives as long as the handle; only *_open and *_create results are closed. */
#ifndef CI_BASE_MEMORY_H
#define CI_BASE_MEMORY_H
#include <stddef.h>

/* NULL on overflow of count*size, when memory is out, or when more is asked for than the machine has free. A count of 0 gives a valid pointer. */
void *ci_alloc(size_t count, size_t size);                /* uninitialised, 64-byte aligned: free with ci_free */
void *ci_alloc_zeroed(size_t count, size_t size);         /* zeroed, malloc-aligned: free with ci_free */
void *ci_resize(void *old, size_t count, size_t size);    /* for memory from ci_alloc_zeroed/ci_resize only */
void ci_free(void *memory);
char *ci_duplicate(const char *text);                     /* NULL when memory is out */
char *ci_duplicate_n(const char *text, size_t length);    /* adds a terminator */

/* Grows *items to hold at least `wanted` members of `size` bytes; doubles. 0 on success, -1 when memory is out. */
int ci_reserve(void **items, size_t *capacity, size_t wanted, size_t size);

/* Memory that is given back as a whole. */
typedef struct ci_arena ci_arena;
ci_arena *ci_arena_create(void);
void *ci_arena_alloc(ci_arena *arena, size_t count, size_t size); /* zeroed, 64-byte aligned; NULL when out */
/* Not zeroed, for what is large and written as a whole: packed into chunks of huge pages, so that reading it costs few
 * translations of addresses. */
void *ci_arena_alloc_large(ci_arena *arena, size_t count, size_t size);
char *ci_arena_text(ci_arena *arena, const char *text);
void ci_arena_close(ci_arena *arena);

/* Bytes of memory free for use now (MemAvailable, or what the limit of a container leaves); 0 when unknown. Resident peak of this process in bytes. */
size_t ci_memory_available(void);
size_t ci_memory_peak(void);

#endif
