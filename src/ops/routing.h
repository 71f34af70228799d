/* What a mixture of experts' ops share. A routing op's value is the weight of each of a row's slots; beside it is kept
 * which expert each slot goes to. A row routes itself, so an adjoint row uses the experts of its own forward row. */
#ifndef CI_OPS_ROUTING_H
#define CI_OPS_ROUTING_H
#include "kernels/grouped.h"
#include "ops/op.h"

enum { CI_MOST_EXPERTS = 1024 };

/* Slots of some rows, grouped by expert. A slot's number is row x slots + slot, rows counted from the first one given.
 */
typedef struct {
  ci_groups groups;
  size_t *begin;
  ci_group_item *items;
} ci_routing;

typedef struct {
  struct ci_run *run;
  int route; /* the routing node */
  size_t experts;
  const int32_t *rows; /* forward rows; NULL: first, first + 1, ... */
  size_t first, count;
  bool spread;   /* true: rows go into slots; false: slots are gathered into rows */
  bool weighted; /* factors are the slots' weights, else 1 */
} ci_routing_request;

/* false, and the run's no_memory flag set, when memory is out. */
bool ci_routing_open(const ci_routing_request *request, ci_routing *routing);
void ci_routing_close(ci_routing *routing);
/* Which expert slot `slot` of forward row `row` goes to. */
size_t ci_routing_expert(const struct ci_run *run, int route, size_t row, size_t slot, size_t experts);

#endif
