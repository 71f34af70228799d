/* See failing_allocation.h. */
#include "support/failing_allocation.h"
#include <atomic>
#include <cstdlib>
#include <jansson.h>
#include <new>
extern "C" {
#include "tokenizers/sentencepiece.h"
}

namespace {

std::atomic<size_t> count, failures, first;
std::atomic<bool> lasting;

/* libprotobuf cannot be left by an exception (its destructors stop the program), so of the C++ allocations of one call
 * of sentencepiece.h only as many may fail as are made before the library is entered. */
thread_local int fallible = 0;
thread_local bool inside, parsing;

bool fails() {
  if (parsing) return false;
  size_t number = ++count, from = first;
  if (!from || number < from || (number > from && !lasting)) return false;
  failures++;
  return true;
}

} // namespace

extern "C" {

void *__real_malloc(size_t size);
void *__real_calloc(size_t number, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size) {
  return fails() ? nullptr : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size) {
  return fails() ? nullptr : __real_calloc(number, size);
}

void *__wrap_realloc(void *old, size_t size) {
  return fails() ? nullptr : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  return fails() ? nullptr : __real_aligned_alloc(alignment, size);
}

json_t *__real_json_loadb(const char *text, size_t length, size_t flags, json_error_t *error);

/* jansson 2.14's lexer stops the program (an assertion) when memory ends in the middle of a number: its parser counts
 * as one allocation. */
json_t *__wrap_json_loadb(const char *text, size_t length, size_t flags, json_error_t *error) {
  *error = json_error_t{};
  if (fails()) return nullptr;
  parsing = true;
  json_t *value = __real_json_loadb(text, length, flags, error);
  parsing = false;
  return value;
}

ci_status __real_ci_spm_open(const char *path, bool dummy_prefix, ci_spm **spm, ci_error *err);
ci_status __real_ci_spm_encode(const ci_spm *spm, const char *text, size_t length,
                               ci_status (*take)(void *context, ci_piece piece), void *context, ci_error *err);
ci_status __real_ci_spm_decode(const ci_spm *spm, const ci_piece *pieces, size_t count, ci_text *text, ci_error *err);

static ci_status leave(ci_status status) {
  inside = false;
  return status;
}

ci_status __wrap_ci_spm_open(const char *path, bool dummy_prefix, ci_spm **spm, ci_error *err) {
  inside = true;
  fallible = 2; /* the copy of the file, the handle */
  return leave(__real_ci_spm_open(path, dummy_prefix, spm, err));
}

ci_status __wrap_ci_spm_encode(const ci_spm *spm, const char *text, size_t length,
                               ci_status (*take)(void *context, ci_piece piece), void *context, ci_error *err) {
  inside = true;
  fallible = 0;
  return leave(__real_ci_spm_encode(spm, text, length, take, context, err));
}

ci_status __wrap_ci_spm_decode(const ci_spm *spm, const ci_piece *pieces, size_t n, ci_text *text, ci_error *err) {
  inside = true;
  fallible = 1; /* the list of pieces */
  return leave(__real_ci_spm_decode(spm, pieces, n, text, err));
}

void allocation_fail_at(size_t number, int stays) {
  json_set_alloc_funcs(__wrap_malloc, free);
  first = 0;
  count = failures = 0;
  lasting = stays != 0;
  first = number;
}

size_t allocation_count(void) {
  return count;
}

size_t allocation_failures(void) {
  return failures;
}
}

void *operator new(size_t size) {
  bool may_fail = !inside || fallible-- > 0;
  void *memory = may_fail && fails() ? nullptr : __real_malloc(size ? size : 1);
  if (!memory) throw std::bad_alloc();
  return memory;
}

void *operator new[](size_t size) {
  return operator new(size);
}

void operator delete(void *memory) noexcept {
  free(memory);
}

void operator delete[](void *memory) noexcept {
  free(memory);
}

void operator delete(void *memory, size_t) noexcept {
  free(memory);
}

void operator delete[](void *memory, size_t) noexcept {
  free(memory);
}
