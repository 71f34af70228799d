/* Python pickles as data: an interpreter of the opcodes that torch.save writes, which calls nothing. A call of an
 * allowed function is a value that says which one with what; every other name or opcode is an error that names it. */
#ifndef CI_FORMATS_PICKLE_H
#define CI_FORMATS_PICKLE_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names that a pickle may use. */
typedef enum {
  CI_PICKLE_NAME,       /* stands for itself: a class that is passed on */
  CI_PICKLE_FUNCTION,   /* may be called: gives a CI_PICKLE_CALL */
  CI_PICKLE_DICTIONARY, /* may be called without arguments: gives a CI_PICKLE_DICT */
} ci_pickle_role;
typedef struct {
  const char *module, *name;
  ci_pickle_role role;
  int tag; /* the caller's */
} ci_pickle_global;

typedef enum {
  CI_PICKLE_NONE,
  CI_PICKLE_BOOL,
  CI_PICKLE_INT,
  CI_PICKLE_FLOAT, /* its value is not kept */
  CI_PICKLE_TEXT,
  CI_PICKLE_TUPLE,
  CI_PICKLE_LIST,
  CI_PICKLE_DICT,
  CI_PICKLE_GLOBAL,
  CI_PICKLE_CALL,       /* global, operand: a tuple */
  CI_PICKLE_PERSISTENT, /* operand: whatever the pickle gives */
} ci_pickle_kind;

typedef struct {
  ci_pickle_kind kind;
  uint32_t depth;              /* of containers in containers */
  uint32_t first, last, count; /* members of tuple, list, dict: see ci_pickle_next */
  uint32_t operand;
  int64_t integer;  /* CI_PICKLE_INT, CI_PICKLE_BOOL */
  const char *text; /* in the bytes that were read: not terminated, not checked to be UTF-8 */
  size_t length;
  const ci_pickle_global *global;
} ci_pickle_value;

typedef struct ci_pickle ci_pickle;

/* Reads one pickle at the start of bytes[0..length) and says how many bytes it took. `file` and `allowed` (`count`
 * rows) must live as long as *pickle, which the caller closes; so must bytes. CI_EFILE with the byte and the opcode or
 * name. */
ci_status ci_pickle_open(const char *file, const uint8_t *bytes, size_t length, const ci_pickle_global *allowed,
                         size_t count, ci_pickle **pickle, size_t *used, ci_error *err);
void ci_pickle_close(ci_pickle *pickle);

const ci_pickle_value *ci_pickle_root(const ci_pickle *pickle);
/* Every value that was made, in order of making; NULL behind the last. */
const ci_pickle_value *ci_pickle_at(const ci_pickle *pickle, size_t index);
const ci_pickle_value *ci_pickle_operand(const ci_pickle *pickle, const ci_pickle_value *value);
/* Steps through a tuple, list or dict: *cursor starts at 0; false behind the last member. key may be NULL; it is None
 * for members of tuples and lists. */
bool ci_pickle_next(const ci_pickle *pickle, const ci_pickle_value *container, uint32_t *cursor,
                    const ci_pickle_value **key, const ci_pickle_value **member);
/* The first `limit` members of a tuple or list; returns how many were filled in. */
size_t ci_pickle_members(const ci_pickle *pickle, const ci_pickle_value *container, size_t limit,
                         const ci_pickle_value **members);
bool ci_pickle_is_text(const ci_pickle_value *value, const char *text);
const char *ci_pickle_kind_name(ci_pickle_kind kind); /* with its article */

#endif
