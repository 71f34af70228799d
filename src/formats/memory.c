/* Tensors in the caller's memory: the state dict of a PyTorch module, arrays. They are used where they lie, as a mapped
 * file is; only what is not aligned for its type is copied. */
#include "base/memory.h"
#include "formats/format.h"
#include <string.h>

bool ci_memory_applies(const ci_checkpoint *checkpoint) {
  return checkpoint->given != NULL;
}

static ci_status refuse(const char *where, const char *name, ci_error *err, const char *problem) {
  return ci_fail(err, CI_EINVAL, where, "tensor \"%s\" %s", name, problem);
}

/* What can be said of a tensor without reading it. */
static ci_status read_given(const char *where, const cinseq_tensor *given, ci_tensor *tensor, ci_error *err) {
  size_t count, bytes;
  *tensor = (ci_tensor){.name = given->name, .file = where, .data = given->data};
  if (!given->dtype || !ci_dtype_find(given->dtype, &tensor->type))
    return ci_fail(err, CI_EINVAL, where, "tensor \"%s\" has the unknown dtype \"%s\"", given->name,
                   given->dtype ? given->dtype : "");
  if (given->rank > CI_MAX_RANK)
    return ci_fail(err, CI_EINVAL, where, "tensor \"%s\" has %zu dimensions, expected at most %d", given->name,
                   given->rank, CI_MAX_RANK);
  tensor->rank = (int)given->rank;
  memcpy(tensor->shape, given->shape, given->rank * sizeof *given->shape);
  if (!ci_shape_measure(tensor->rank, tensor->shape, tensor->type, &count, &bytes) ||
      bytes > UINTPTR_MAX - (uintptr_t)given->data)
    return refuse(where, given->name, err, "has a shape that is too large");
  return count && !given->data ? refuse(where, given->name, err, "has no data") : CI_OK;
}

ci_status ci_memory_open(const ci_checkpoint *checkpoint, ci_tensors *tensors, ci_error *err) {
  size_t length = strlen(checkpoint->folder) + 1;
  char *where = ci_tensors_alloc(tensors, length, 1); /* lives as the collection */
  if (!where) return ci_fail_memory(err);
  memcpy(where, checkpoint->folder, length);
  ci_status status = CI_OK;
  for (size_t i = 0; i < checkpoint->given_count && !status; i++) {
    ci_tensor tensor;
    if (!checkpoint->given[i].name) return ci_fail(err, CI_EINVAL, where, "tensor %zu has no name", i);
    status = read_given(where, &checkpoint->given[i], &tensor, err);
    if (!status) status = ci_tensors_add(tensors, &tensor, err);
  }
  return status;
}
