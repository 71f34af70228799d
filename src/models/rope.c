/* Rotary frequencies theta^(-2i/d) and the ways in which configurations stretch them to longer texts, as transformers'
 * modeling_rope_utils computes them, in float32. See rope.h. A kind is a row of the table at the end.
 *
 * dynamic: up to max_position_embeddings the frequencies are the plain ones; longer texts are refused.
 * longrope: up to original_max_position_embeddings the short factors hold; longer texts, which would turn every position by
 * other angles than the shorter ones before them, are refused. */
#include "models/rope.h"
#include <math.h>
#include <string.h>

typedef struct {
  float *frequencies; /* [half] */
  size_t half;
  double theta, factor; /* factor: of cosines and sines */
} angles;

static void bound_positions(ci_builder *b, size_t most) {
  size_t *positions = &b->model->graph.positions[CI_DECODER];
  if (!*positions || most < *positions) *positions = most;
}

static void scale_linear(ci_builder *b, angles *a) {
  float factor = (float)ci_config_real_needed(b, "factor");
  for (size_t i = 0; i < a->half; i++) a->frequencies[i] /= factor;
}

/* Keys of the configuration itself, from inside rope_scaling. */
static size_t outer_size(ci_builder *b, const char *key, size_t fallback) {
  const json_t *inside = b->inside;
  b->inside = NULL;
  size_t value = ci_config_size(b, key, fallback, 1);
  b->inside = inside;
  return value;
}

static void scale_dynamic(ci_builder *b, angles *a) {
  (void)a;
  ci_config_real_needed(b, "factor");
  bound_positions(b, outer_size(b, "max_position_embeddings", 2048));
}

/* Peng et al. 2023: high frequencies stay, low ones are divided by the factor, with a ramp between. */
static void scale_yarn(ci_builder *b, angles *a) {
  double factor = ci_config_real_needed(b, "factor"), fast = ci_config_real(b, "beta_fast", 32), slow = ci_config_real(b, "beta_slow", 1);
  double m = ci_config_real(b, "mscale", 0), m_all = ci_config_real(b, "mscale_all_dim", 0), dim = 2 * (double)a->half;
  double original = (double)ci_config_size(b, "original_max_position_embeddings", outer_size(b, "max_position_embeddings", 2048), 1);
  double grown = factor <= 1 ? 0 : 0.1 * log(factor), inferred = m != 0 && m_all != 0 ? (m * grown + 1) / (m_all * grown + 1) : grown + 1;
  a->factor = ci_config_real(b, "attention_factor", inferred);
  double low = dim * log(original / (fast * 2 * M_PI)) / (2 * log(a->theta));
  double high = dim * log(original / (slow * 2 * M_PI)) / (2 * log(a->theta));
  if (ci_config_bool(b, "truncate", true)) low = floor(low), high = ceil(high);
  low = fmax(low, 0);
  high = fmin(high, dim - 1);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < a->half; i++) {
    float ramp = ((float)i - (float)low) / (float)(high - low), kept = 1 - (ramp < 0 ? 0 : ramp > 1 ? 1 : ramp);
    float power = 1 / a->frequencies[i];
    a->frequencies[i] = 1 / ((float)factor * power) * (1 - kept) + a->frequencies[i] * kept;
  }
}

/* Llama 3.1 (2024): wave lengths longer than the original context are stretched, with a smooth passage. */
static void scale_llama3(ci_builder *b, angles *a) {
  float factor = (float)ci_config_real_needed(b, "factor"), low = (float)ci_config_real_needed(b, "low_freq_factor");
  float high = (float)ci_config_real_needed(b, "high_freq_factor");
  float original = (float)ci_config_real_needed(b, "original_max_position_embeddings");
  for (size_t i = 0; i < a->half; i++) {
    float f = a->frequencies[i], length = (float)(2 * M_PI) / f;
    if (length < original / high) continue;
    float smooth = (original / length - low) / (high - low);
    a->frequencies[i] = length > original / low ? f / factor : (1 - smooth) * f / factor + smooth * f;
  }
}

/* Ding et al. 2024: a factor for each frequency, searched for. */
static void scale_longrope(ci_builder *b, angles *a) {
  const double *factors = ci_config_reals(b, "short_factor", a->half);
  ci_config_reals(b, "long_factor", a->half);
  size_t most = outer_size(b, "max_position_embeddings", 2048), original = outer_size(b, "original_max_position_embeddings", most);
  double factor = original == most ? ci_config_real(b, "factor", 1) : (double)most / (double)original;
  double inferred = factor <= 1 ? 1 : sqrt(1 + log(factor) / log((double)original));
  a->factor = ci_config_real(b, "attention_factor", inferred);
  for (size_t i = 0; factors && i < a->half; i++) a->frequencies[i] = 1 / ((float)factors[i] / a->frequencies[i]);
  bound_positions(b, original);
}

static void scale_nothing(ci_builder *b, angles *a) { (void)b, (void)a; }

static const struct {
  const char *id; /* rope_type */
  void (*scale)(ci_builder *b, angles *a);
} kinds[] = {
    {"default", scale_nothing}, {"linear", scale_linear},     {"dynamic", scale_dynamic}, {"yarn", scale_yarn},
    {"llama3", scale_llama3},   {"longrope", scale_longrope}, {"su", scale_longrope}, /* Phi-3's first name for it */
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void scale(ci_builder *b, angles *a, const char *key) {
  const char *type = ci_config_text(b, "rope_type", ci_config_text(b, "type", "default"));
  size_t i = 0;
  while (!b->status && i < KINDS && strcmp(kinds[i].id, type) != 0) i++;
  if (b->status) return;
  if (i < KINDS) kinds[i].scale(b, a);
  else ci_build_fail(b, "config.json", "\"%s\": the type \"%s\" is not known, expected linear, dynamic, yarn, llama3 or longrope", key, type);
}

const ci_rope *ci_build_rope(ci_builder *b, double theta, size_t rotated, const char *scaling_key) {
  if (!b->status && (rotated % 2 || !rotated)) ci_build_fail(b, "config.json", "%zu rotated dimensions of a head: rotary positions need pairs", rotated);
  if (!b->status && !(theta > 0)) ci_build_fail(b, "config.json", "the base %g of the rotary frequencies is not positive", theta);
  angles a = {.half = rotated / 2, .theta = theta, .factor = 1};
  a.frequencies = ci_build_alloc(b, a.half, sizeof *a.frequencies);
  ci_rope *rope = ci_build_alloc(b, 1, sizeof *rope);
  for (size_t i = 0; a.frequencies && i < a.half; i++) a.frequencies[i] = 1 / powf((float)theta, (float)(2 * i) / (float)rotated);
  if (rope && scaling_key && ci_config_enter(b, scaling_key)) {
    scale(b, &a, scaling_key);
    ci_config_leave(b);
  }
  if (b->status) return NULL;
  *rope = (ci_rope){.half = a.half, .frequencies = a.frequencies, .factor = (float)a.factor};
  return rope;
}
