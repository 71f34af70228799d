/* Integrated gradients of any node: of the input (integrated_gradients) or of a layer (layer_integrated_gradients). */
#ifndef CI_ATTRIBUTE_INTEGRATED_H
#define CI_ATTRIBUTE_INTEGRATED_H
#include "attribute/completeness.h"
#include "attribute/quadrature.h"

typedef struct {
  json_t *n_steps; /* a number, or "auto" */
  const char *method;
  bool multiply_by_inputs;
  int64_t internal_batch_size;
  bool return_convergence_delta;
  double tolerance;
} ci_integrated_options;

/* Rows of an option table for a struct whose member `member` is the above. */
#define CI_INTEGRATED_OPTIONS(arguments, member)                                                                       \
  {"n_steps",                                                                                                          \
   NULL,                                                                                                               \
   CI_JSON,                                                                                                            \
   offsetof(arguments, member.n_steps),                                                                                \
   "50",                                                                                                               \
   0,                                                                                                                  \
   0,                                                                                                                  \
   NULL,                                                                                                               \
   "Points on the path: 1 to 1000000, or \"auto\": Gauss' points, for each step as many as its tolerance takes, "      \
   "where it "                                                                                                         \
   "changes along the path."},                                                                                         \
      {"method", NULL,           CI_WORD,      offsetof(arguments, member.method), "\"gausslegendre\"", 0,             \
       0,        CI_QUADRATURES, "Quadrature."},                                                                       \
      {"multiply_by_inputs",                                                                                           \
       NULL,                                                                                                           \
       CI_BOOL,                                                                                                        \
       offsetof(arguments, member.multiply_by_inputs),                                                                 \
       "true",                                                                                                         \
       0,                                                                                                              \
       0,                                                                                                              \
       NULL,                                                                                                           \
       "Multiply the mean gradient by input minus baseline."},                                                         \
      {"internal_batch_size",                                                                                          \
       NULL,                                                                                                           \
       CI_INT,                                                                                                         \
       offsetof(arguments, member.internal_batch_size),                                                                \
       "0",                                                                                                            \
       0,                                                                                                              \
       1e9,                                                                                                            \
       NULL,                                                                                                           \
       "Accepted as Inseq's; the work is cut by the memory budget, and the scores do not depend on it."},              \
      CI_DELTA_OPTION(arguments, member.return_convergence_delta), {                                                   \
    "tolerance", NULL, CI_REAL, offsetof(arguments, member.tolerance), "0.01", 1e-6, 1, NULL,                          \
        "Completeness error that n_steps \"auto\" allows, as a part of the difference to the baseline."                \
  }

/* How many points n_steps asks for; 0: "auto". */
ci_status ci_integrated_steps(const ci_integrated_options *options, size_t *steps, ci_error *err);
/* layer: a node, or -1 for the input. */
ci_status ci_attribute_integrated(ci_attribution *a, const ci_integrated_options *options, int layer, ci_error *err);

#endif
