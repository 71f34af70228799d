/* See memory.h. */
#include "base/memory.h"
#include "base/cgroup.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { ALIGNMENT = 64, CHUNK = 64 * 1024, LARGE = 256 * 1024 * 1024 };
enum { LARGE_CHUNK = 32 * 1024 * 1024, HUGE_PAGE = 2 * 1024 * 1024 };

/* The system promises more memory than there is and ends the process that uses it: what a hostile file asks for is asked
 * of the machine first. */
static bool is_there(size_t bytes) {
  size_t available = bytes < LARGE ? 0 : ci_memory_available();
  return !available || bytes <= available;
}

/* Large memory in huge pages: a fault and a translation of an address for each 2 MB, not for each 4 kB. What is left over
 * of the last page is not touched. Where the system has none to give, nothing is different. */
static void *alloc_huge(size_t bytes) {
  void *memory;
  if (posix_memalign(&memory, HUGE_PAGE, bytes)) return NULL; /* aligned_alloc wants whole pages */
  madvise(memory, bytes & ~(size_t)(HUGE_PAGE - 1), MADV_HUGEPAGE);
  return memory;
}

void *ci_alloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT || !is_there(bytes))
    return NULL;
  bytes = (bytes + ALIGNMENT) & ~(size_t)(ALIGNMENT - 1);
  return bytes < HUGE_PAGE ? aligned_alloc(ALIGNMENT, bytes) : alloc_huge(bytes);
}

void *ci_alloc_zeroed(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL; /* calloc says so too, but a sanitizer's ends the program */
  if (!is_there(bytes)) return NULL;
  return calloc(1, bytes ? bytes : 1);
}

void *ci_resize(void *old, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes) || !is_there(bytes)) return NULL;
  return realloc(old, bytes ? bytes : 1);
}

void ci_free(void *memory) { free(memory); }

char *ci_duplicate_n(const char *text, size_t length) {
  if (length == SIZE_MAX) return NULL;
  char *copy = malloc(length + 1);
  if (!copy) return NULL;
  if (length) memcpy(copy, text, length);
  copy[length] = 0;
  return copy;
}

char *ci_duplicate(const char *text) { return ci_duplicate_n(text, strlen(text)); }

int ci_reserve(void **items, size_t *capacity, size_t wanted, size_t size) {
  if (wanted <= *capacity) return 0;
  size_t grown = *capacity > SIZE_MAX / 2 ? wanted : *capacity * 2;
  if (grown < wanted) grown = wanted;
  if (grown < 8) grown = 8;
  void *larger = ci_resize(*items, grown, size);
  if (!larger) return -1;
  *items = larger;
  *capacity = grown;
  return 0;
}

typedef struct chunk {
  struct chunk *next;
  size_t used, size;
} chunk;

struct ci_arena {
  chunk *chunks, *large;
};

ci_arena *ci_arena_create(void) { return ci_alloc_zeroed(1, sizeof(ci_arena)); }

/* What is given out is aligned, and a count of 0 is an address of its own. */
static bool measure(size_t count, size_t size, size_t *bytes) {
  if (__builtin_mul_overflow(count, size, bytes) || *bytes > SIZE_MAX / 2) return false;
  *bytes = (*bytes + ALIGNMENT) & ~(size_t)(ALIGNMENT - 1);
  return true;
}

/* `bytes` of the list's first chunk, or of a new one of at least `room`. */
static void *take(chunk **list, size_t bytes, size_t room) {
  chunk *last = *list;
  if (!last || last->size - last->used < bytes) {
    if (room < bytes) room = bytes;
    last = ci_alloc(1, room + ALIGNMENT); /* the chunk's own fields take the first line */
    if (!last) return NULL;
    *last = (chunk){.size = room, .next = *list};
    *list = last;
  }
  void *memory = (char *)last + ALIGNMENT + last->used;
  last->used += bytes;
  return memory;
}

void *ci_arena_alloc(ci_arena *arena, size_t count, size_t size) {
  size_t bytes;
  void *memory = measure(count, size, &bytes) ? take(&arena->chunks, bytes, CHUNK) : NULL;
  return memory ? memset(memory, 0, bytes) : NULL;
}

void *ci_arena_alloc_large(ci_arena *arena, size_t count, size_t size) {
  size_t bytes;
  return measure(count, size, &bytes) ? take(&arena->large, bytes, LARGE_CHUNK) : NULL;
}

char *ci_arena_text(ci_arena *arena, const char *text) {
  size_t length = strlen(text);
  char *copy = ci_arena_alloc(arena, length + 1, 1);
  return copy ? memcpy(copy, text, length) : NULL;
}

static void free_all(chunk *list) {
  while (list) {
    chunk *next = list->next;
    ci_free(list);
    list = next;
  }
}

void ci_arena_close(ci_arena *arena) {
  if (!arena) return;
  free_all(arena->chunks);
  free_all(arena->large);
  ci_free(arena);
}

size_t ci_memory_available(void) {
  FILE *file = fopen("/proc/meminfo", "r");
  if (!file) return 0;
  char line[128];
  unsigned long long kilobytes = 0;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1) break;
  fclose(file);
  size_t machine = (size_t)kilobytes * 1024, group = ci_cgroup_available("/proc/self/cgroup", "/sys/fs/cgroup");
  return group < machine ? group + !group : machine;
}

size_t ci_memory_peak(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) ? 0 : (size_t)usage.ru_maxrss * 1024;
}
