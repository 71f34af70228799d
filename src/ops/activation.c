/* y = f(x), f one of the table's functions. dx = dy f'(x). */
#include "engine/run.h"
#include "ops/params.h"
#include <math.h>
#include <string.h>

static void silu(const ci_kernels *k, const float *x, float *y, size_t n) { k->silu(x, y, n); }
static void silu_gradient(const ci_kernels *k, const float *x, const float *dy, float *dx, size_t n) {
  k->silu_gradient(x, dy, dx, n);
}
static void gelu_tanh(const ci_kernels *k, const float *x, float *y, size_t n) { k->gelu_tanh(x, y, n); }
static void gelu_tanh_gradient(const ci_kernels *k, const float *x, const float *dy, float *dx, size_t n) {
  k->gelu_tanh_gradient(x, dy, dx, n);
}

/* x Phi(x), Phi the normal distribution (Hendrycks & Gimpel 2016) */
static void gelu(const ci_kernels *k, const float *x, float *y, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) y[i] = 0.5f * x[i] * (1 + erff(x[i] * 0.70710678f));
}

static void gelu_gradient(const ci_kernels *k, const float *x, const float *dy, float *dx, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++)
    dx[i] = dy[i] * (0.5f * (1 + erff(x[i] * 0.70710678f)) + x[i] * 0.39894228f * expf(-0.5f * x[i] * x[i]));
}

static void relu(const ci_kernels *k, const float *x, float *y, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : 0;
}

static void relu_gradient(const ci_kernels *k, const float *x, const float *dy, float *dx, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) dx[i] = x[i] > 0 ? dy[i] : 0;
}

static void tanh_value(const ci_kernels *k, const float *x, float *y, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) y[i] = tanhf(x[i]);
}

static void tanh_gradient(const ci_kernels *k, const float *x, const float *dy, float *dx, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) {
    float t = tanhf(x[i]);
    dx[i] = dy[i] * (1 - t * t);
  }
}

/* max(x, 0)^2 (So et al. 2021) */
static void relu2(const ci_kernels *k, const float *x, float *y, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] * x[i] : 0;
}

static void relu2_gradient(const ci_kernels *k, const float *x, const float *dy, float *dx, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) dx[i] = x[i] > 0 ? 2 * x[i] * dy[i] : 0;
}

static float sigmoid_of(float x) { return 1 / (1 + expf(-x)); }

static void sigmoid(const ci_kernels *k, const float *x, float *y, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) y[i] = sigmoid_of(x[i]);
}

static void sigmoid_gradient(const ci_kernels *k, const float *x, const float *dy, float *dx, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) dx[i] = dy[i] * sigmoid_of(x[i]) * (1 - sigmoid_of(x[i]));
}

/* x sigmoid(1.702 x) (Hendrycks & Gimpel 2016) */
static void quick_gelu(const ci_kernels *k, const float *x, float *y, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) y[i] = x[i] * sigmoid_of(1.702f * x[i]);
}

static void quick_gelu_gradient(const ci_kernels *k, const float *x, const float *dy, float *dx, size_t n) {
  (void)k;
  for (size_t i = 0; i < n; i++) {
    float s = sigmoid_of(1.702f * x[i]);
    dx[i] = dy[i] * s * (1 + 1.702f * x[i] * (1 - s));
  }
}

static const ci_activation rows[] = {
    {"silu", silu, silu_gradient, false},
    {"swish", silu, silu_gradient, false},
    {"gelu_new", gelu_tanh, gelu_tanh_gradient, false},
    {"gelu_pytorch_tanh", gelu_tanh, gelu_tanh_gradient, false},
    {"gelu_fast", gelu_tanh, gelu_tanh_gradient, false},
    {"gelu_python_tanh", gelu_tanh, gelu_tanh_gradient, false},
    {"gelu_accurate", gelu_tanh, gelu_tanh_gradient, false},
    {"gelu", gelu, gelu_gradient, false},
    {"gelu_python", gelu, gelu_gradient, false},
    {"quick_gelu", quick_gelu, quick_gelu_gradient, false},
    {"relu", relu, relu_gradient, true},
    {"relu2", relu2, relu2_gradient, false},
    {"sigmoid", sigmoid, sigmoid_gradient, true},
    {"tanh", tanh_value, tanh_gradient, true},
};
enum { ROWS = sizeof rows / sizeof *rows };

const ci_activation *ci_activation_at(size_t index) { return index < ROWS ? &rows[index] : NULL; }


const ci_activation *ci_activation_named(const char *id) {
  for (size_t i = 0; i < ROWS; i++)
    if (strcmp(rows[i].id, id) == 0) return &rows[i];
  return NULL;
}

static const ci_activation *function(const ci_node *node) { return ((const ci_activation_params *)node->params)->activation; }

static void forward_rows(void *context, size_t first, size_t last) {
  const ci_forward_call *call = context;
  size_t width = call->node->width;
  function(call->node)
      ->value(call->run->compute->kernels, call->in[0] + first * width, call->out + first * width, (last - first) * width);
}

static void forward(const ci_forward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 8.0 * (double)call->node->width, forward_rows, (void *)call);
}

static void gradient_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  size_t width = call->node->width;
  const ci_kernels *kernels = call->run->compute->kernels;
  enum { PIECE = 1024 };
  float piece[PIECE]; /* for sums: the rule writes here, then it is added */
  for (size_t r = first; r < last; r++) {
    const float *x = ci_run_row(call->run, call->node->inputs[0], (size_t)call->rows[r]), *dy = call->dy + r * width;
    float *dx = call->dx[0] + r * width;
    for (size_t i = 0; i < width; i += PIECE) {
      size_t n = width - i < PIECE ? width - i : PIECE;
      function(call->node)->gradient(kernels, x + i, dy + i, call->accumulate[0] ? piece : dx + i, n);
      if (call->accumulate[0]) kernels->axpy(1, piece, dx + i, n);
    }
  }
}

static void vjp(const ci_backward_call *call) {
  ci_compute_rows(call->run->compute, call->count, 12.0 * (double)call->node->width, gradient_rows, (void *)call);
}

/* dx = dy (f(x) - f(x')) / (x - x'), or the vjp where x and x' are nearer than Captum's 1e-10. */
static void rescale_rows(void *context, size_t first, size_t last) {
  const ci_backward_call *call = context;
  size_t width = call->node->width;
  const ci_kernels *kernels = call->run->compute->kernels;
  const ci_activation *f = function(call->node);
  enum { PIECE = 512 };
  float slope[PIECE], y[PIECE], y0[PIECE];
  for (size_t r = first; r < last; r++) {
    const float *x = ci_run_row(call->run, call->node->inputs[0], (size_t)call->rows[r]);
    const float *x0 = ci_run_row(call->run, call->node->inputs[0], (size_t)call->reference[r]);
    for (size_t at = 0; at < width; at += PIECE) {
      size_t n = width - at < PIECE ? width - at : PIECE;
      const float *dy = call->dy + r * width + at;
      float *dx = call->dx[0] + r * width + at;
      f->gradient(kernels, x + at, dy, slope, n);
      f->value(kernels, x + at, y, n);
      f->value(kernels, x0 + at, y0, n);
      for (size_t i = 0; i < n; i++) {
        float step = x[at + i] - x0[at + i], d = fabsf(step) < 1e-10f ? slope[i] : dy[i] * (y[i] - y0[i]) / step;
        dx[i] = call->accumulate[0] ? dx[i] + d : d;
      }
    }
  }
}

static void rescale(const ci_backward_call *call) {
  if (!function(call->node)->rescales) vjp(call);
  else ci_compute_rows(call->run->compute, call->count, 24.0 * (double)call->node->width, rescale_rows, (void *)call);
}

const ci_op ci_op_activation = {.id = "activation", .help = "a function of each element", .vjp_reads = true, .is_cheap = true, .forward = forward, .vjp = vjp, .rescale = rescale};
