/* Makes the n-th allocation fail: of the library's own code (the linker puts __wrap_malloc and its kin in place of
 * malloc there), of jansson through it, and of C++ (operator new throws). See CMakeLists.txt. */
#ifndef CI_TESTS_FAILING_ALLOCATION_H
#define CI_TESTS_FAILING_ALLOCATION_H
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From now on: counts allocations from 1 on and lets number `first` fail, and all that follow while lasting is true.
 * first 0: none. */
void allocation_fail_at(size_t first, int lasting);
size_t allocation_count(void);
size_t allocation_failures(void);

#ifdef __cplusplus
}
#endif

#endif
