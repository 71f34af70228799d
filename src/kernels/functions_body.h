/* Functions of a row: exp, sums, norms, activations and their slopes. A part of kernels_body.h, which includes it. */

/* NaN stays NaN. exp by range reduction to [-ln2/2, ln2/2] and a polynomial of degree 6 (Cephes' expf coefficients):
 * within 2 ulp. */
static inline vf vexp(vf x) {
  const vf high = splat(88.3762626647949f), low = splat(-87.3365447504019f), given = x;
  vi under = x < low;
  x = (vf)(((vi)x & (x < high)) | ((vi)high & ~(vi)(x < high)));
  x = (vf)(((vi)x & ~under) | ((vi)low & under));
  vf shifted = x * splat(1.44269504088896341f) + splat(12582912.0f); /* rounds to an integer in the low bits */
  vi exponent = (vi)shifted - (vi)splat(12582912.0f);
  vf n = shifted - splat(12582912.0f);
  vf r = x - n * splat(0.693359375f);
  r = r - n * splat(-2.12194440e-4f);
  vf p = splat(1.9875691500e-4f);
  p = p * r + splat(1.3981999507e-3f);
  p = p * r + splat(8.3334519073e-3f);
  p = p * r + splat(4.1665795894e-2f);
  p = p * r + splat(1.6666665459e-1f);
  p = p * r + splat(5.0000001201e-1f);
  p = p * (r * r) + r + splat(1.0f);
  vi is_nan = given != given;
  vf scaled = (vf)((vi)(p * (vf)((exponent + 127) << 23)) & ~under);
  return (vf)(((vi)scaled & ~is_nan) | ((vi)given & is_nan));
}

static inline vf load_rest(const float *x, size_t n) {
  vf v = {0};
  memcpy(&v, x, n * sizeof(float));
  return v;
}

static inline void store_rest(float *y, vf v, size_t n) {
  memcpy(y, &v, n * sizeof(float));
}

static double exp_sum(float *x, size_t n, float scale, float shift) {
  double total = 0;
  for (size_t i = 0; i < n; i += LANES) {
    size_t rest = n - i < LANES ? n - i : LANES;
    vf v = vexp((rest == LANES ? load(x + i) : load_rest(x + i, rest)) * splat(scale) - splat(shift));
    if (rest == LANES) {
      store(x + i, v);
      total += (double)lanes_sum(v);
      continue;
    }
    store_rest(x + i, v, rest);
    for (size_t j = 0; j < rest; j++) total += (double)v[j];
  }
  return total;
}

static float maximum(const float *x, size_t n) {
  float best = -INFINITY;
  size_t i = 0;
  if (n >= LANES) {
    vf top = load(x);
    for (; i + LANES <= n; i += LANES) {
      vf v = load(x + i);
      vi larger = v > top;
      top = (vf)(((vi)v & larger) | ((vi)top & ~larger));
    }
    for (int j = 0; j < LANES; j++) best = top[j] > best ? top[j] : best;
  }
  for (; i < n; i++) best = x[i] > best ? x[i] : best;
  return best;
}

enum { WIDE = 16 }; /* double partial sums: the compiler makes vectors of them */

static double sum(const float *x, size_t n) {
  double part[WIDE] = {0}, total = 0;
  size_t i = 0;
  for (; i + WIDE <= n; i += WIDE)
    for (size_t j = 0; j < WIDE; j++) part[j] += (double)x[i + j];
  for (; i < n; i++) total += (double)x[i];
  for (size_t j = 0; j < WIDE; j++) total += part[j];
  return total;
}

static double sum_squares(const float *x, size_t n, double mean) {
  double part[WIDE] = {0}, total = 0;
  size_t i = 0;
  for (; i + WIDE <= n; i += WIDE)
    for (size_t j = 0; j < WIDE; j++) part[j] += ((double)x[i + j] - mean) * ((double)x[i + j] - mean);
  for (; i < n; i++) total += ((double)x[i] - mean) * ((double)x[i] - mean);
  for (size_t j = 0; j < WIDE; j++) total += part[j];
  return total;
}

static double sum_products(const float *x, const float *y, size_t n) {
  double part[WIDE] = {0}, total = 0;
  size_t i = 0;
  for (; i + WIDE <= n; i += WIDE)
    for (size_t j = 0; j < WIDE; j++) part[j] += (double)x[i + j] * (double)y[i + j];
  for (; i < n; i++) total += (double)x[i] * (double)y[i];
  for (size_t j = 0; j < WIDE; j++) total += part[j];
  return total;
}

static void norm(const float *x, float mean, float inverse, const float *scale, const float *bias, float *y, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = (x[i] - mean) * inverse * scale[i];
  for (size_t i = 0; bias && i < n; i++) y[i] += bias[i];
}

static void norm_sums(const float *dy, const float *scale, const float *x, size_t n, double *sum_h, double *sum_hx) {
  double h_part[WIDE] = {0}, hx_part[WIDE] = {0}, h_total = 0, hx_total = 0;
  size_t i = 0;
  for (; i + WIDE <= n; i += WIDE)
    for (size_t j = 0; j < WIDE; j++) {
      double h = (double)(dy[i + j] * scale[i + j]);
      h_part[j] += h;
      hx_part[j] += h * (double)x[i + j];
    }
  for (; i < n; i++) {
    double h = (double)(dy[i] * scale[i]);
    h_total += h;
    hx_total += h * (double)x[i];
  }
  for (size_t j = 0; j < WIDE; j++) {
    h_total += h_part[j];
    hx_total += hx_part[j];
  }
  *sum_h = h_total;
  *sum_hx = hx_total;
}

static void norm_gradient(const float *dy, const float *scale, const float *x, float mean, float inverse, float a,
                          float b, float *dx, size_t n, int accumulate) {
  float slope = inverse * b;
  if (accumulate)
    for (size_t i = 0; i < n; i++) dx[i] += inverse * (dy[i] * scale[i] - a - (x[i] - mean) * slope);
  else
    for (size_t i = 0; i < n; i++) dx[i] = inverse * (dy[i] * scale[i] - a - (x[i] - mean) * slope);
}

static void multiply(const float *a, const float *b, float *y, size_t n, int accumulate) {
  if (accumulate)
    for (size_t i = 0; i < n; i++) y[i] += a[i] * b[i];
  else
    for (size_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

static inline vf sigmoid(vf x) {
  return splat(1.0f) / (splat(1.0f) + vexp(-x));
}

static inline vf silu_of(vf x) {
  return x * sigmoid(x);
}

static inline vf silu_slope(vf x) {
  vf s = sigmoid(x);
  return s * (splat(1.0f) + x * (splat(1.0f) - s));
}

/* tanh(u) = 1 - 2 / (exp(2u) + 1) */
static inline vf tanh_of(vf u) {
  return splat(1.0f) - splat(2.0f) / (vexp(u + u) + splat(1.0f));
}

static inline vf gelu_of(vf x) {
  vf u = splat(0.7978845608028654f) * (x + splat(0.044715f) * x * x * x);
  return splat(0.5f) * x * (splat(1.0f) + tanh_of(u));
}

static inline vf gelu_slope(vf x) {
  vf t = tanh_of(splat(0.7978845608028654f) * (x + splat(0.044715f) * x * x * x));
  vf du = splat(0.7978845608028654f) * (splat(1.0f) + splat(3 * 0.044715f) * x * x);
  return splat(0.5f) * (splat(1.0f) + t) + splat(0.5f) * x * (splat(1.0f) - t * t) * du;
}

static inline __attribute__((always_inline)) void map(vf (*f)(vf), const float *x, float *y, size_t n) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, f(load(x + i)));
  if (i < n) store_rest(y + i, f(load_rest(x + i, n - i)), n - i);
}

static inline __attribute__((always_inline)) void map_gradient(vf (*slope)(vf), const float *x, const float *dy,
                                                               float *dx, size_t n) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) store(dx + i, load(dy + i) * slope(load(x + i)));
  if (i < n) store_rest(dx + i, load_rest(dy + i, n - i) * slope(load_rest(x + i, n - i)), n - i);
}

static void silu(const float *x, float *y, size_t n) {
  map(silu_of, x, y, n);
}
static void silu_gradient(const float *x, const float *dy, float *dx, size_t n) {
  map_gradient(silu_slope, x, dy, dx, n);
}
static void gelu_tanh(const float *x, float *y, size_t n) {
  map(gelu_of, x, y, n);
}
static void gelu_tanh_gradient(const float *x, const float *dy, float *dx, size_t n) {
  map_gradient(gelu_slope, x, dy, dx, n);
}

/* tanh to 2 ulp: near 0, where tanh_of loses digits, Cephes' tanhf polynomial. */
static inline vf tanh_exact(vf u) {
  vf z = u * u, p = splat(-5.70498872745e-3f);
  p = p * z + splat(2.06390887954e-2f);
  p = p * z + splat(-5.37397155531e-2f);
  p = p * z + splat(1.33314422036e-1f);
  p = p * z + splat(-3.33332819422e-1f);
  p = p * z * u + u;
  vi small = z < splat(0.625f * 0.625f);
  return (vf)(((vi)p & small) | ((vi)tanh_of(u) & ~small));
}

static void soft_cap(const float *x, float *y, size_t n, float scale, float cap) {
  size_t i = 0;
  const vf in = splat(scale / cap), out = splat(cap);
  for (; i + LANES <= n; i += LANES) store(y + i, out * tanh_exact(in * load(x + i)));
  if (i < n) store_rest(y + i, out * tanh_exact(in * load_rest(x + i, n - i)), n - i);
}
