/* Attention probabilities (Bahdanau et al. 2015) of the position that predicts each token, all layers and heads, read from the
 * queries and keys that the forward left behind. Encoder-decoder: source scores are cross-attention; decoder self-attention is
 * target scores or, without attribute_target, a sequence score; encoder self-attention is a sequence score. */
#include "attribute/internals.h"
#include "ops/attention.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* data[key, query, layer, head] for query positions first..first+queries-1; keys a query does not see keep `blank`. */
static ci_status read(const ci_run *run, const ci_attention_nodes *nodes, int branch, size_t first, size_t keys, size_t queries,
                      bool causal, float blank, float *data, ci_error *err) {
  float *weights = ci_alloc(keys, sizeof *weights);
  if (!weights) return ci_fail_memory(err);
  size_t cell = nodes->layers * nodes->heads;
  for (size_t i = 0; i < keys * queries * cell; i++) data[i] = blank;
  for (size_t layer = 0; layer < nodes->layers; layer++)
    for (size_t head = 0; head < nodes->heads; head++)
      for (size_t q = 0; q < queries; q++) {
        size_t seen = causal ? first + q + 1 : keys;
        ci_attention_weights(run, nodes->nodes[layer], branch, first + q, head, weights);
        for (size_t k = 0; k < seen; k++) data[(k * queries + q) * cell + layer * nodes->heads + head] = weights[k];
      }
  ci_free(weights);
  return CI_OK;
}

static ci_status scores_of(ci_attribution *a, ci_space_id space, ci_error *err) {
  const ci_subject *s = &a->subject;
  ci_attention_nodes nodes;
  ci_find_attention(s->graph, CI_DECODER, space, &nodes);
  ci_array *array;
  ci_status status = ci_attribution_array(a, space, 4, nodes.layers, nodes.heads, &array, err);
  if (status) return status;
  size_t keys = space == CI_ENCODER ? s->source_count : s->row_count;
  return read(s->run, &nodes, s->branch, a->start - 1, keys, s->target_count, space == CI_DECODER, NAN, array->data, err);
}

static ci_status sequence_score(ci_attribution *a, const char *name, ci_space_id space, int branch, size_t length, ci_error *err) {
  ci_attention_nodes nodes;
  ci_find_attention(a->subject.graph, space, space, &nodes);
  const size_t shape[] = {length, length, nodes.layers, nodes.heads};
  ci_array *array;
  ci_status status = ci_attribution_sequence_score(a, name, 4, shape, &array, err);
  if (status) return status;
  return read(a->subject.run, &nodes, branch, 0, length, length, space == CI_DECODER, 0, array->data, err);
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  (void)options;
  const ci_subject *s = &a->subject;
  ci_status status = CI_OK;
  if (!s->graph->encoder_decoder) return scores_of(a, CI_DECODER, err);
  status = scores_of(a, CI_ENCODER, err);
  if (!status && a->wants[CI_DECODER]) status = scores_of(a, CI_DECODER, err);
  else if (!status) status = sequence_score(a, "decoder_self_attentions", CI_DECODER, s->branch, s->target_count, err);
  int source = s->run->spaces[CI_DECODER].branches[s->branch].source_branch;
  if (!status) status = sequence_score(a, "encoder_self_attentions", CI_ENCODER, source, s->source_count, err);
  return status;
}

extern const ci_method ci_method_attention;
const ci_method ci_method_attention = {.id = "attention",
                                       .help = "Attention probabilities of the position that predicts each token.",
                                       .paper = "Bahdanau et al. 2015, arXiv:1409.0473",
                                       .kind = CI_MULTIDIMENSIONAL,
                                       .n_dimensions = 2,
                                       .keep = CI_KEEP_BOUNDARIES,
                                       .deterministic = true,
                                       .attribute = attribute};
