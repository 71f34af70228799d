/* The aggregation functions, by Inseq's ids; torch's semantics, accumulated in double. */
#include "aggregate/aggregator.h"
#include <math.h>
#include <string.h>

static double reduce_sum(const float *values, size_t count, double order) {
  (void)order;
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += values[i];
  return sum;
}

static double reduce_mean(const float *values, size_t count, double order) {
  return reduce_sum(values, count, order) / (double)count;
}

static double reduce_max(const float *values, size_t count, double order) {
  (void)order;
  double largest = values[0];
  for (size_t i = 0; i < count && !isnan(largest); i++)
    if (isnan(values[i]) || values[i] > largest) largest = values[i];
  return largest;
}

static double reduce_min(const float *values, size_t count, double order) {
  (void)order;
  double smallest = values[0];
  for (size_t i = 0; i < count && !isnan(smallest); i++)
    if (isnan(values[i]) || values[i] < smallest) smallest = values[i];
  return smallest;
}

static double reduce_prod(const float *values, size_t count, double order) {
  (void)order;
  double product = 1;
  for (size_t i = 0; i < count; i++) product *= values[i];
  return product;
}

/* The first member with the largest magnitude, with its sign. NaN counts as 0, so NaN comes out only of nothing else.
 */
static double reduce_absmax(const float *values, size_t count, double order) {
  (void)order;
  size_t best = 0;
  float largest = isnan(values[0]) ? 0 : fabsf(values[0]);
  for (size_t i = 1; i < count; i++)
    if (fabsf(values[i]) > largest) {
      best = i;
      largest = fabsf(values[i]);
    }
  return values[best];
}

/* (sum |x|^order)^(1/order) */
static double reduce_vnorm(const float *values, size_t count, double order) {
  double sum = 0;
  bool square = order > 1.999999 && order < 2.000001;
  for (size_t i = 0; i < count; i++) sum += square ? (double)values[i] * values[i] : pow(fabs((double)values[i]), order);
  return square ? sqrt(sum) : pow(sum, 1 / order);
}

static const ci_function functions[] = {
    {"mean", "the mean", reduce_mean},
    {"max", "the largest value", reduce_max},
    {"min", "the smallest value", reduce_min},
    {"sum", "the sum", reduce_sum},
    {"prod", "the product", reduce_prod},
    {"absmax", "the value with the largest magnitude, with its sign", reduce_absmax},
    {"vnorm", "the norm: L2, or of another order (vnorm_ord)", reduce_vnorm},
};

const ci_function *ci_functions(size_t *count) {
  *count = sizeof functions / sizeof *functions;
  return functions;
}

const ci_function *ci_function_find(const char *id) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (strcmp(functions[i].id, id) == 0) return &functions[i];
  return NULL;
}
