/* Which experts a row goes to, and with what weights, from the router's logits (Shazeer et al. 2017).
 *   q = softmax(logits) or sigmoid(logits)
 *   the chosen: the slots largest of q (+ a bias that only chooses, among the best groups of experts: DeepSeek-V2, V3)
 *   w[s] = scale q[s] / N,  N = 1 or the p-norm of the chosen q, at least `least`
 * A softmax over the chosen logits alone is the softmax over all divided by its sum over the chosen (p = 1). Of equal
 * experts the one with the lower number is chosen. Kept beside the weights: the experts' numbers. The choice is made
 * once, in the forward; vjp, with d = dw scale / N and the choice held fixed: dq[s] = d[s] - (sum_t d[t] q[t] / N)
 * dN/dq[s],  dN/dq[s] = (q[s] / N)^(p - 1) dlogits = q (dq - sum dq q) (softmax) or dq q (1 - q) (sigmoid) */
#include "engine/run.h"
#include "ops/params.h"
#include "ops/routing.h"
#include <math.h>
#include <string.h>

/* q[experts] in double */
static void find_scores(const ci_route_params *p, const float *logits, double *q) {
  double top = -INFINITY, sum = 0;
  for (size_t e = 0; e < p->experts; e++) top = fmax(top, (double)logits[e]);
  for (size_t e = 0; e < p->experts; e++)
    sum += q[e] = p->sigmoid ? 1 / (1 + exp(-(double)logits[e])) : exp((double)logits[e] - top);
  for (size_t e = 0; e < p->experts && !p->sigmoid; e++) q[e] /= sum;
}

/* The numbers of the `count` largest of x[n], largest first, the lower number first among equals. x of the chosen
 * becomes NaN. */
static void take_largest(double *x, size_t n, size_t count, size_t *out) {
  for (size_t s = 0; s < count; s++) {
    size_t best = n;
    for (size_t i = 0; i < n; i++)
      if (!isnan(x[i]) && (best == n || x[i] > x[best])) best = i;
    out[s] = best < n ? best : s; /* all NaN: any will do, the weights are NaN */
    x[out[s]] = NAN;
  }
}

/* Scores outside of the best groups count as 0. */
static void limit_groups(const ci_route_params *p, double *q) {
  double value[CI_MOST_EXPERTS];
  size_t size = p->experts / p->groups, best[CI_MOST_EXPERTS];
  for (size_t g = 0; g < p->groups; g++) {
    const double *x = q + g * size;
    double first = -INFINITY, second = -INFINITY;
    for (size_t i = 0; i < size; i++) {
      second = fmax(second, fmin(first, x[i]));
      first = fmax(first, x[i]);
    }
    value[g] = p->group_of_two ? first + second : first;
  }
  take_largest(value, p->groups, p->top_groups, best); /* leaves NaN in those */
  for (size_t e = 0; e < p->experts; e++)
    if (!isnan(value[e / size])) q[e] = 0;
}

static void choose(const ci_route_params *p, const float *logits, const double *q, size_t *chosen) {
  double value[CI_MOST_EXPERTS];
  bool plain = !p->selection_bias && !p->groups; /* then logits tell apart what scores round to the same number */
  for (size_t e = 0; e < p->experts; e++)
    value[e] = plain ? (double)logits[e] : q[e] + (p->selection_bias ? (double)p->selection_bias[e] : 0);
  if (p->groups) limit_groups(p, value);
  take_largest(value, p->experts, p->slots, chosen);
}

static double norm_of(const ci_route_params *p, const double *q, const size_t *chosen) {
  double sum = 0;
  if (p->norm == 0) return 1;
  for (size_t s = 0; s < p->slots; s++) sum += pow(q[chosen[s]], p->norm);
  return fmax(pow(sum, 1 / p->norm), p->least); /* NaN: the other */
}

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  const ci_route_params *p = call->node->params;
  double q[CI_MOST_EXPERTS];
  size_t chosen[CI_MOST_EXPERTS];
  for (size_t r = first; r < last; r++) {
    const float *logits = call->in[0] + r * p->experts;
    find_scores(p, logits, q);
    choose(p, logits, q, chosen);
    double scale = p->scale / norm_of(p, q, chosen);
    for (size_t s = 0; s < p->slots; s++) {
      call->kept[r * p->slots + s] = (float)chosen[s];
      call->out[r * p->slots + s] = (float)(scale * q[chosen[s]]);
    }
  }
}

static double cost(const ci_route_params *p) {
  return 4.0 * (double)p->experts * (double)(p->slots + 8);
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, cost(call->node->params), forward_rows, (void *)call);
}

/* dq[slots] from dw[slots] */
static void score_gradient(const ci_route_params *p, const double *q, const size_t *chosen, const float *dw,
                           double *dq) {
  double norm = norm_of(p, q, chosen), sum = 0;
  for (size_t s = 0; s < p->slots; s++) {
    dq[s] = p->scale * (double)dw[s] / norm;
    sum += dq[s] * q[chosen[s]] / norm;
  }
  if (p->norm == 0 || norm <= p->least) return;
  for (size_t s = 0; s < p->slots; s++) dq[s] -= sum * pow(q[chosen[s]] / norm, p->norm - 1);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  const ci_route_params *p = call->node->params;
  int number = (int)(call->node - call->run->graph->nodes);
  double q[CI_MOST_EXPERTS], dq[CI_MOST_EXPERTS], gradient[CI_MOST_EXPERTS];
  size_t chosen[CI_MOST_EXPERTS];
  for (size_t r = first; r < last; r++) {
    size_t row = (size_t)call->rows[r];
    find_scores(p, ci_run_row(call->run, call->node->inputs[0], row), q);
    for (size_t s = 0; s < p->slots; s++) chosen[s] = ci_routing_expert(call->run, number, row, s, p->experts);
    score_gradient(p, q, chosen, call->dy + r * p->slots, dq);
    double sum = 0;
    for (size_t e = 0; e < p->experts; e++) gradient[e] = 0;
    for (size_t s = 0; s < p->slots; s++) {
      gradient[chosen[s]] = dq[s];
      sum += p->sigmoid ? 0 : dq[s] * q[chosen[s]];
    }
    float *dx = call->dx[0] + r * p->experts;
    for (size_t e = 0; e < p->experts; e++) {
      double d = p->sigmoid ? gradient[e] * q[e] * (1 - q[e]) : q[e] * (gradient[e] - sum);
      dx[e] = (float)(d + (call->accumulate[0] ? (double)dx[e] : 0));
    }
  }
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, cost(call->node->params), gradient_rows, (void *)call);
}

const ci_op ci_op_route = {
    .id = "route", .help = "the experts of a row and their weights", .vjp_reads = true, .forward = forward, .vjp = vjp, .rescale = vjp};
