/* The named tensors of a checkpoint, wherever they lie: one file or many, memory-mapped, in the type they are stored
 * in. */
#ifndef CI_FORMATS_TENSORS_H
#define CI_FORMATS_TENSORS_H
#include "base/error.h"
#include "formats/blocks.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  CI_F32, CI_F16, CI_BF16, CI_F64, CI_I64, CI_I32, CI_I16, CI_I8, CI_U8, CI_BOOLEAN, CI_F8_E4M3,
#define CI_BLOCK(member, type, name, id, elements, bytes) type,
#include "formats/blocks.def"
#undef CI_BLOCK
} ci_dtype;
const char *ci_dtype_name(ci_dtype type); /* "F32", ... */
/* Rows are stored in blocks of this many elements (1: each for itself) ... */
size_t ci_dtype_block(ci_dtype type);
size_t ci_dtype_size(ci_dtype type); /* ... of this many bytes */

enum { CI_MAX_RANK = 8 };
typedef struct {
  const char *name;
  const char *file; /* for error messages */
  ci_dtype type;
  int rank;
  size_t shape[CI_MAX_RANK];
  size_t count;     /* product of shape */
  const void *data; /* contiguous, row-major; aligned to the element size at least, blocks to nothing */
  bool tied;        /* data is that of a tensor before it: another name for the same numbers */
  bool transposed;  /* data is [shape[1], shape[0]]: GGUF keeps the weights of GPT-2's Conv1D so */
} ci_tensor;

typedef struct ci_tensors ci_tensors;

/* Where a checkpoint is. */
typedef struct {
  const char *folder;         /* or a .gguf file; of tensors in memory what errors call them */
  const cinseq_tensor *given; /* [given_count] in the caller's memory, which outlives the collection; NULL: files */
  size_t given_count;
} ci_checkpoint;

/* Opens the checkpoint with the first row of formats.def that applies; CI_EFILE listing what was looked for when none
 * does. Headers are checked whole: sizes, offsets, overlaps, duplicates, shards. Data is not touched. */
ci_status ci_tensors_open_from(const ci_checkpoint *checkpoint, ci_tensors **tensors, ci_error *err);
/* The same of files. */
ci_status ci_tensors_open(const char *folder, ci_tensors **tensors, ci_error *err);
void ci_tensors_close(ci_tensors *tensors);
const ci_tensor *ci_tensors_find(const ci_tensors *tensors, const char *name); /* NULL: not there. Hashed. */
size_t ci_tensors_count(const ci_tensors *tensors);
const ci_tensor *ci_tensors_at(const ci_tensors *tensors, size_t index);
size_t ci_tensors_bytes(const ci_tensors *tensors);       /* of data, all files */
/* The file whose mapping the address lies in; NULL: none. Only reads, so that a signal handler may call it. */
const char *ci_tensors_file_at(const ci_tensors *tensors, const void *address);
const char *ci_tensors_format(const ci_tensors *tensors); /* the row's id */

typedef struct {
  const char *id;
  const char *help;
} ci_format_row;
const ci_format_row *ci_format_rows(size_t *count);

/* float32 of `count` elements starting at element `first`. Exact for F32, F16, BF16, F8_E4M3 and integers up to 16
 * bits; the nearest float32 for the others. Blocks: as the gguf package dequantises them. */
void ci_tensor_widen(const ci_tensor *tensor, size_t first, size_t count, float *out);

#endif
