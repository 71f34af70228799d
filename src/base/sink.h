/* Where bytes go, piece by piece: a text, a file, gzip on its way to one of them. */
#ifndef CI_BASE_SINK_H
#define CI_BASE_SINK_H
#include "error.h"
#include <stddef.h>

typedef struct {
  ci_status (*add)(void *context, const char *bytes, size_t length, ci_error *err);
  void *context;
} ci_sink;

#endif
