// What training does between its matrix products, forward and backward: one pass over the memory each. Matrices are
// rows of bfloat16 (as uint16_t), sums are float32; single-threaded, for each trainer is a thread. Built and called by
// step.py.
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef HEAD
#define HEAD 48 // dimensions of a head
#endif
enum { WIDEST = 1024, LONGEST = 160 };

static inline float widen(uint16_t v) {
  uint32_t bits = (uint32_t)v << 16;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static inline uint16_t round_off(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// y = norm(x + (r + bias) * mask * scale) over d; hat: the normalised sums, inverse: 1 / their standard deviation
void norm_forward(int n, int d, const uint16_t *x, const uint16_t *r, const float *bias, const uint8_t *mask,
                  float scale, const float *gain, const float *shift, uint16_t *y, uint16_t *hat, float *inverse) {
  for (size_t i = 0; i < (size_t)n; i++) {
    const size_t at = i * d;
    float t[WIDEST], sum = 0, square = 0;
    for (int j = 0; j < d; j++)
      sum += t[j] = widen(x[at + j]) + (widen(r[at + j]) + bias[j]) * ((float)mask[at + j] * scale);
    for (int j = 0; j < d; j++) {
      t[j] -= sum / d;
      square += t[j] * t[j];
    }
    inverse[i] = 1 / sqrtf(square / d + 1e-5f);
    for (int j = 0; j < d; j++) {
      const float h = t[j] * inverse[i];
      hat[at + j] = round_off(h);
      y[at + j] = round_off(h * gain[j] + shift[j]);
    }
  }
}

// Adds to dbias, dgain and dshift.
void norm_backward(int n, int d, const uint16_t *dy, const uint16_t *hat, const float *inverse, const uint8_t *mask,
                   float scale, const float *gain, uint16_t *dx, uint16_t *dr, float *dbias, float *dgain,
                   float *dshift) {
  for (size_t i = 0; i < (size_t)n; i++) {
    const size_t at = i * d;
    float t[WIDEST], h[WIDEST], sum = 0, along = 0;
    for (int j = 0; j < d; j++) {
      const float e = widen(dy[at + j]);
      h[j] = widen(hat[at + j]);
      dshift[j] += e;
      dgain[j] += e * h[j];
      t[j] = e * gain[j];
      sum += t[j];
      along += t[j] * h[j];
    }
    for (int j = 0; j < d; j++) {
      const float e = (t[j] - sum / d - h[j] * along / d) * inverse[i], f = e * ((float)mask[at + j] * scale);
      dx[at + j] = round_off(e);
      dr[at + j] = round_off(f);
      dbias[j] += f;
    }
  }
}

// y = silu(x + bias) * mask * scale
void silu_forward(int n, int d, const uint16_t *x, const float *bias, const uint8_t *mask, float scale, uint16_t *y) {
  for (size_t i = 0; i < (size_t)n; i++) {
    const size_t at = i * d;
    for (int j = 0; j < d; j++) {
      const float v = widen(x[at + j]) + bias[j];
      y[at + j] = round_off(v / (1 + expf(-v)) * ((float)mask[at + j] * scale));
    }
  }
}

void silu_backward(int n, int d, const uint16_t *dy, const uint16_t *x, const float *bias, const uint8_t *mask,
                   float scale, uint16_t *dx, float *dbias) {
  for (size_t i = 0; i < (size_t)n; i++) {
    const size_t at = i * d;
    for (int j = 0; j < d; j++) {
      const float v = widen(x[at + j]) + bias[j], s = 1 / (1 + expf(-v));
      const float e = widen(dy[at + j]) * ((float)mask[at + j] * scale) * (s + v * s * (1 - s));
      dx[at + j] = round_off(e);
      dbias[j] += e;
    }
  }
}

// One head of one sentence: rows of q, k and v, `step` numbers apart.
static void load(int n, const uint16_t *rows, int step, const float *bias, float scale, float (*out)[HEAD]) {
  for (int t = 0; t < n; t++)
    for (int j = 0; j < HEAD; j++) out[t][j] = (widen(rows[(size_t)t * step + j]) + bias[j]) * scale;
}

static void store(int n, float (*rows)[HEAD], float scale, uint16_t *out, int step, float *dbias) {
  for (int t = 0; t < n; t++)
    for (int j = 0; j < HEAD; j++) {
      out[(size_t)t * step + j] = round_off(rows[t][j] * scale);
      dbias[j] += rows[t][j] * scale;
    }
}

// q (batch, queries, q_step), k and v (batch, keys, k_step), all without their biases, heads side by side. Query l sees
// the first length[i] keys, or l + 1 if causal. p (batch, heads, queries, keys): the weights, kept for the way back.
void attention_forward(int batch, int heads, int queries, int keys, const uint16_t *q, int q_step, const uint16_t *k,
                       const uint16_t *v, int k_step, const float *q_bias, const float *k_bias, const float *v_bias,
                       const int32_t *length, int causal, float *p, uint16_t *out) {
  static _Thread_local float Q[LONGEST][HEAD], K[LONGEST][HEAD], V[LONGEST][HEAD];
  for (int i = 0; i < batch; i++)
    for (int h = 0; h < heads; h++) {
      const size_t at = (size_t)h * HEAD, key = (size_t)i * keys * k_step + at;
      load(queries, q + (size_t)i * queries * q_step + at, q_step, q_bias + at, 1 / sqrtf(HEAD), Q);
      load(keys, k + key, k_step, k_bias + at, 1, K);
      load(keys, v + key, k_step, v_bias + at, 1, V);
      for (int l = 0; l < queries; l++, p += keys) {
        const int seen = causal ? l + 1 : length[i];
        float o[HEAD] = {0}, top = -INFINITY, sum = 0;
        for (int t = 0; t < seen; t++) {
          p[t] = 0;
          for (int j = 0; j < HEAD; j++) p[t] += Q[l][j] * K[t][j];
          top = fmaxf(top, p[t]);
        }
        for (int t = 0; t < seen; t++) sum += p[t] = expf(p[t] - top);
        for (int t = 0; t < keys; t++) p[t] = t < seen ? p[t] / sum : 0;
        for (int t = 0; t < seen; t++)
          for (int j = 0; j < HEAD; j++) o[j] += p[t] * V[t][j];
        for (int j = 0; j < HEAD; j++) out[((size_t)i * queries + l) * heads * HEAD + at + j] = round_off(o[j]);
      }
    }
}

// Adds to the biases' gradients.
void attention_backward(int batch, int heads, int queries, int keys, const uint16_t *q, int q_step, const uint16_t *k,
                        const uint16_t *v, int k_step, const float *q_bias, const float *k_bias, const float *v_bias,
                        const int32_t *length, int causal, const float *p, const uint16_t *dout, uint16_t *dq,
                        uint16_t *dk, uint16_t *dv, float *dq_bias, float *dk_bias, float *dv_bias) {
  static _Thread_local float Q[LONGEST][HEAD], K[LONGEST][HEAD], V[LONGEST][HEAD], dQ[LONGEST][HEAD], dK[LONGEST][HEAD],
      dV[LONGEST][HEAD];
  const float scale = 1 / sqrtf(HEAD);
  for (int i = 0; i < batch; i++)
    for (int h = 0; h < heads; h++) {
      const size_t at = (size_t)h * HEAD, query = (size_t)i * queries * q_step + at,
                   key = (size_t)i * keys * k_step + at;
      load(queries, q + query, q_step, q_bias + at, scale, Q);
      load(keys, k + key, k_step, k_bias + at, 1, K);
      load(keys, v + key, k_step, v_bias + at, 1, V);
      memset(dQ, 0, sizeof(float) * HEAD * queries);
      memset(dK, 0, sizeof(float) * HEAD * keys);
      memset(dV, 0, sizeof(float) * HEAD * keys);
      for (int l = 0; l < queries; l++, p += keys) {
        const int seen = causal ? l + 1 : length[i];
        float g[HEAD], dp[LONGEST], mean = 0;
        for (int j = 0; j < HEAD; j++) g[j] = widen(dout[((size_t)i * queries + l) * heads * HEAD + at + j]);
        for (int t = 0; t < seen; t++) {
          dp[t] = 0;
          for (int j = 0; j < HEAD; j++) {
            dp[t] += g[j] * V[t][j];
            dV[t][j] += p[t] * g[j];
          }
          mean += dp[t] * p[t];
        }
        for (int t = 0; t < seen; t++) {
          const float e = p[t] * (dp[t] - mean);
          for (int j = 0; j < HEAD; j++) {
            dQ[l][j] += e * K[t][j];
            dK[t][j] += e * Q[l][j];
          }
        }
      }
      store(queries, dQ, scale, dq + query, q_step, dq_bias + at);
      store(keys, dK, 1, dk + key, k_step, dk_bias + at);
      store(keys, dV, 1, dv + key, k_step, dv_bias + at);
    }
}

// Cross entropy of n rows of logits (without the bias) over `classes`, with label smoothing: the sum is returned, its
// gradient times `scale` replaces the logits and is added to dbias. -1 if memory is short.
double cross_entropy(int n, int classes, uint16_t *logits, const float *bias, const int64_t *gold, float smoothing,
                     float scale, float *dbias) {
  double loss = 0;
  float *t = malloc(sizeof *t * (size_t)classes);
  if (!t) return -1;
  for (size_t i = 0; i < (size_t)n; i++) {
    uint16_t *row = logits + i * classes;
    float top = -INFINITY, total = 0, sum = 0;
    for (int j = 0; j < classes; j++) {
      t[j] = widen(row[j]) + bias[j];
      total += t[j];
      top = fmaxf(top, t[j]);
    }
    const float said = t[gold[i]];
    for (int j = 0; j < classes; j++) sum += t[j] = expf(t[j] - top);
    loss += logf(sum) + top - (1 - smoothing) * said - smoothing * total / classes;
    t[gold[i]] -= (1 - smoothing) * sum;
    for (int j = 0; j < classes; j++) {
      const float e = t[j] * (scale / sum) - smoothing / classes * scale;
      dbias[j] += e;
      row[j] = round_off(e);
    }
  }
  free(t);
  return loss;
}
