/* The table of weight types (compute.h has the row's shape). */
#ifndef CI_KERNELS_WEIGHT_TYPES_H
#define CI_KERNELS_WEIGHT_TYPES_H
#include "kernels/compute.h"

/* By the name that formats give a tensor's type ("F32"); NULL: products with such weights are not supported. */
const ci_weight_type *ci_weight_type_named(const char *id);
/* The table's rows by index; NULL past the end. */
const ci_weight_type *ci_weight_type_at(size_t index);

#endif
