/* Where the arithmetic of a run happens: threads, back end, kernels, scratch memory, counters, and the cancel flag,
 * which is polled before every product. One run owns it. */
#ifndef CI_KERNELS_COMPUTE_H
#define CI_KERNELS_COMPUTE_H
#include "base/error.h"
#include "base/threads.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { CI_PANEL_FLOATS = 96 * 1024, CI_LEAST_PART = 16 * 1024 /* operations that are worth another thread */ };

struct ci_int8_rows;

/* Memory that grows with what is asked of it. */
typedef struct {
  void *data;
  size_t bytes;
} ci_room;

typedef struct {
  ci_pool *pool;
  const ci_gemm *gemm;
  const ci_kernels *kernels;
  float **panels;                  /* [threads] panels of widened weights, CI_PANEL_FLOATS each */
  struct ci_int8_rows **int8_rows; /* [threads + 1] rows in 8 bits: each thread's own, and those of whole products */
  ci_room *scratch;                /* [threads] of ops */
  ci_room packed;                  /* rows in the back end's own order */
  ci_room partial;                 /* sums of parts of one row against many inputs */
  size_t gemm_rows; /* sum over products of weights of their rows m */
  size_t gemm_calls;
  double gemm_flop;
  double weight_bytes;   /* bytes of weights read, once a product */
  atomic_bool cancelled; /* set by the progress callback: what follows computes nothing */
  atomic_bool no_memory; /* a thread found no scratch memory */
  /* Called by ci_compute_check, on the run's own thread, but not more than ten times a second: other than 0 cancels.
   * NULL: none. */
  int (*tick)(void *context);
  void *tick_context;
  double ticked; /* when, in seconds */
} ci_compute;

/* threads <= 0: all processors. gemm: a row's id or "auto". kernels: a table's id, or NULL for the best. */
ci_status ci_compute_open(ci_compute *compute, int threads, const char *gemm, const char *kernels, ci_error *err);
void ci_compute_close(ci_compute *compute);
/* `floats` floats of this thread's own, valid until its next call; NULL (and no_memory set) when memory is out. */
float *ci_compute_scratch(ci_compute *compute, int thread, size_t floats);
/* The same of one of compute's rooms, for `count` things of `size` bytes. */
void *ci_compute_room(ci_compute *compute, ci_room *room, size_t count, size_t size);
/* The status that the flags stand for: CI_OK, CI_ECANCEL, CI_ENOMEM. The engine asks after every node. */
ci_status ci_compute_check(ci_compute *compute, ci_error *err);

/* Calls work(context, first, last) over [0, count) in blocks, on all threads if the work is worth it (cost: rough
 * number of float operations per item). */
void ci_compute_rows(ci_compute *compute, size_t count, double cost,
                     void (*work)(void *context, size_t first, size_t last), void *context);

/* A matrix of weights as it lies in the file: data[a,b] with leading dimension ld. */
typedef struct {
  const struct ci_weight_type *type;
  const void *data;
  size_t a, b, ld;
  const float *scale; /* [a] of rows of codes (int8.h); else NULL */
  float threshold;    /* with scale: what of x is multiplied in floating point; NaN: nothing */
  bool by_input;      /* false: [outputs, inputs] as nn.Linear has it; true: [inputs, outputs] as GPT-2's Conv1D */
} ci_weight;

struct ci_weight_part;

/* How weights of one type are read: the rows of weight_types.c. */
typedef struct ci_weight_type {
  const char *id;
  size_t size;   /* bytes of a block */
  size_t block;  /* elements of a block: 1, or what rows are a multiple of */
  bool in_place; /* the data are float32: products read them where they lie */
  /* out[rows, columns] = data[row0.., column0..] as float32 */
  void (*panel)(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t column0, size_t columns,
                float *out);
  /* y[i*ldy + r] = x[i, :] . data[row0 + r, :] for i < m <= few, r < rows. More rows go through panels. */
  size_t few;
  void (*dot)(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, size_t m, const float *x,
              size_t ldx, float *y, size_t ldy);
  /* y[:] += sum_r x[r] data[row0 + r, :] for r < rows; NULL: through panels */
  void (*axpy)(const ci_kernels *kernels, const ci_weight *w, size_t row0, size_t rows, const float *x, float *y);
  /* Types whose product across, y[m,a] (+)= x data^T, is no product of floats bring it whole. prepare: what is made of
   * x once for all parts (NULL: no memory, compute's flag is set). multiply: a part; prepared may be NULL, then x is
   * prepared there. */
  const void *(*prepare)(ci_compute *compute, const ci_weight *w, size_t m, const float *x, size_t ldx);
  void (*multiply)(ci_compute *compute, const struct ci_weight_part *part, const void *prepared, int thread);
} ci_weight_type;

/* Outputs [first, first + outputs) of a weight. */
ci_weight ci_weight_cut(const ci_weight *w, size_t first, size_t outputs);
size_t ci_weight_outputs(const ci_weight *w);
size_t ci_weight_inputs(const ci_weight *w);

/* y[m,O] = x[m,I] W^T + bias[O] (bias may be NULL). ldx, ldy: leading dimensions. */
void ci_weight_forward(ci_compute *compute, const ci_weight *w, size_t m, const float *x, size_t ldx, float *y,
                       size_t ldy, const float *bias);
/* dx[m,I] (+)= dy[m,O] W. */
void ci_weight_backward(ci_compute *compute, const ci_weight *w, size_t m, const float *dy, size_t lddy, float *dx,
                        size_t lddx, bool accumulate);

/* A part of a product, for who cuts it himself: y[rows, count] (+)= x W^T (forward) or x W (backward), columns
 * [first, first + count) of the result. A part has some thousands of columns at most: one row of them fits a panel. */
typedef struct ci_weight_part {
  const ci_weight *w;
  size_t rows, first, count, ldx, ldy;
  const float *x;
  float *y; /* the part's first column */
  bool accumulate;
  const void *packed; /* all of x's rows as the back end has packed them, or NULL */
} ci_weight_part;
/* On the calling thread, whose number in the pool is `thread`. Counts nothing. */
void ci_weight_part_run(ci_compute *compute, const ci_weight_part *part, bool forward, int thread);

#endif
