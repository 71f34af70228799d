/* The table of operations. */
#include "ops/op.h"

static const ci_op *const rows[] = {
#define CI_OP(member) &ci_op_##member,
#include "ops/ops.def"
#undef CI_OP
};

const ci_op *ci_op_at(size_t index) { return index < sizeof rows / sizeof *rows ? rows[index] : NULL; }
