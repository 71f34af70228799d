/* Layers and heads of attention, and attention rollout against its definition, from the attention that the program
 * gives. */
#include "support/attributed.h"
#include <stdlib.h>

enum { ENCODER = 4, DECODER = 3 }; /* layers of zh-en-mini */

static void layers_and_heads_are_parts_of_all(void **state) {
  (void)state;
  cinseq_model *pair = attributed_model("zh-en-mini");
  static const struct {
    const char *kwargs;
    int layers[4]; /* negative: from the end */
    size_t layer_count, heads[4], head_count;
  } cases[] = {{"{\"layers\": 1}", {1}, 1, {0, 1, 2, 3}, 4},
               {"{\"layers\": -1, \"heads\": [0, 2]}", {-1}, 1, {0, 2}, 2},
               {"{\"layers\": [0, 1], \"heads\": \"1:3\"}", {0, 1}, 2, {1, 2}, 2},
               {"{\"layers\": \":2\", \"heads\": \"3:\"}", {0, 1}, 2, {3}, 1}};
  cinseq_result *all = attributed_by(pair, "attention", SENTENCE, "{}");
  const ci_array *whole = attributed_array(all, CINSEQ_SOURCE),
                 *self = attributed_sequence_score(all, "encoder_self_attentions");
  assert_int_equal(whole->shape[2], DECODER);
  assert_int_equal(self->shape[2], ENCODER);
  assert_int_equal(whole->shape[3], 4);
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    cinseq_result *some = attributed_by(pair, "attention", SENTENCE, cases[c].kwargs);
    const ci_array *parts[] = {attributed_array(some, CINSEQ_SOURCE),
                               attributed_sequence_score(some, "encoder_self_attentions")};
    for (size_t i = 0; i < 2; i++) {
      const ci_array *x = parts[i], *y = i ? self : whole;
      assert_int_equal(x->shape[2], cases[c].layer_count);
      assert_int_equal(x->shape[3], cases[c].head_count);
      for (size_t cell = 0; cell < x->shape[0] * x->shape[1]; cell++)
        for (size_t l = 0; l < x->shape[2]; l++)
          for (size_t h = 0; h < x->shape[3]; h++) {
            size_t layer =
                (size_t)(cases[c].layers[l] < 0 ? cases[c].layers[l] + (int)y->shape[2] : cases[c].layers[l]);
            assert_true(x->data[(cell * x->shape[2] + l) * x->shape[3] + h] ==
                        y->data[(cell * y->shape[2] + layer) * 4 + cases[c].heads[h]]);
          }
    }
    cinseq_result_close(some);
  }
  cinseq_result_close(all);
  cinseq_model_close(pair);
}

/* mean[query, key] over the heads of a layer of an array [key, query, layer, head]; NaN is 0. */
static void mean_of(const ci_array *a, size_t layer, double *mean) {
  size_t keys = a->shape[0], queries = a->shape[1], layers = a->shape[2], heads = a->shape[3];
  for (size_t k = 0; k < keys; k++)
    for (size_t q = 0; q < queries; q++) {
      double sum = 0;
      for (size_t h = 0; h < heads; h++) sum += (double)a->data[((k * queries + q) * layers + layer) * heads + h];
      mean[q * keys + k] = isnan(sum) ? 0 : sum / (double)heads;
    }
}

/* x[queries, tokens] = residual x + (1 - residual) m[queries, keys] from[keys, tokens] */
static void mix(const double *m, size_t queries, size_t keys, const double *from, double *x, size_t tokens,
                double residual) {
  double *y = calloc(queries * tokens, sizeof *y);
  for (size_t q = 0; q < queries; q++)
    for (size_t k = 0; k < keys; k++)
      for (size_t t = 0; t < tokens; t++) y[q * tokens + t] += (1 - residual) * m[q * keys + k] * from[k * tokens + t];
  for (size_t i = 0; i < queries * tokens; i++) x[i] = residual * x[i] + y[i];
  free(y);
}

enum { MOST = 24 };

static void rollout_is_its_definition(void **state) {
  (void)state;
  cinseq_model *pair = attributed_model("zh-en-mini");
  cinseq_result *attention = attributed_by(pair, "attention", SENTENCE, "{}");
  cinseq_result *rolled =
      attributed_by(pair, "attention_rollout", SENTENCE "\"attribute_target\": true, ", "{\"residual\": 0.3}");
  const ci_array *cross = attributed_array(attention, CINSEQ_SOURCE),
                 *encoder = attributed_sequence_score(attention, "encoder_self_attentions"),
                 *decoder = attributed_sequence_score(attention, "decoder_self_attentions");
  const ci_array *from_source = attributed_array(rolled, CINSEQ_SOURCE),
                 *from_target = attributed_array(rolled, CINSEQ_TARGET);
  size_t source = encoder->shape[0], target = decoder->shape[0];
  assert_true(source <= MOST && target <= MOST && target == from_source->shape[1]);
  static double e[MOST * MOST], x[MOST * MOST], y[MOST * MOST], m[MOST * MOST];
  for (size_t i = 0; i < source; i++) e[i * source + i] = 1;
  for (size_t i = 0; i < target; i++) x[i * target + i] = 1;
  for (size_t l = 0; l < ENCODER; l++) {
    mean_of(encoder, l, m);
    mix(m, source, source, e, e, source, 0.3);
  }
  for (size_t l = 0; l < DECODER; l++) {
    mean_of(decoder, l, m);
    mix(m, target, target, x, x, target, 0.3);
    mix(m, target, target, y, y, source, 0.3);
    mean_of(cross, l, m);
    mix(m, target, source, e, y, source, 0.3);
    for (size_t i = 0; i < target * target; i++) x[i] *= 0.3;
  }
  for (size_t t = 0; t < target; t++) {
    double sum = 0;
    for (size_t k = 0; k < source; k++) {
      double got = (double)from_source->data[k * target + t];
      assert_true(fabs(got - y[t * source + k]) < 1e-5);
      sum += got;
    }
    for (size_t k = 0; k <= t; k++) {
      double got = (double)from_target->data[k * target + t];
      assert_true(fabs(got - x[t * target + k]) < 1e-5);
      sum += got;
    }
    assert_true(fabs(sum - 1) < 1e-5); /* nothing is lost */
  }
  cinseq_result_close(attention);
  cinseq_result_close(rolled);
  cinseq_model_close(pair);
}

static void one_layer_without_residual_is_attention(void **state) {
  (void)state;
  cinseq_model *story = attributed_model("stories260K");
  cinseq_result *attention = attributed_by(story, "attention", STORY, "{\"layers\": 0, \"heads\": 3}");
  cinseq_result *rolled =
      attributed_by(story, "attention_rollout", STORY, "{\"layers\": 0, \"heads\": 3, \"residual\": 0}");
  const ci_array *x = attributed_array(attention, CINSEQ_TARGET), *y = attributed_array(rolled, CINSEQ_TARGET);
  assert_int_equal(y->rank, 2);
  assert_true(attributed_apart(x, y) < 1e-6);
  cinseq_result_close(attention);
  cinseq_result_close(rolled);
  attributed_fails(story, "attention", STORY, "{\"layers\": 5}", "layers", "-5 to 4");
  attributed_fails(story, "attention", STORY, "{\"heads\": \"9:12\"}", "heads", "0 to 7");
  attributed_fails(story, "attention", STORY, "{\"heads\": {}}", "heads", "a range");
  attributed_fails(story, "attention_rollout", STORY, "{\"residual\": 2}", "attribution_kwargs", "0 to 1");
  attributed_fails(story, "attention_rolout", STORY, "{}", "attribution_method", "attention_rollout");
  cinseq_model_close(story);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(layers_and_heads_are_parts_of_all),
                                     cmocka_unit_test(rollout_is_its_definition),
                                     cmocka_unit_test(one_layer_without_residual_is_attention)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
