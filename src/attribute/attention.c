/* Attention probabilities (Bahdanau et al. 2015) of the position that predicts each token, read from the queries and
 * keys that the forward left behind: of all layers and heads, or of those asked for. Encoder-decoder: source scores are
 * cross-attention; decoder self-attention is target scores or, without attribute_target, a sequence score; encoder
 * self-attention is a sequence score. */
#include "attribute/internals.h"
#include "ops/attention.h"
#include <math.h>
#include <string.h>

typedef struct {
  json_t *layers, *heads;
} arguments;

static const ci_option options_table[] = {
    {"layers", NULL, CI_JSON, offsetof(arguments, layers), "null", 0, 0, NULL,
     "Layers to read: null all, 2, [0, 2], \"0:2\" (0 and 1); negative numbers count from the last."},
    {"heads", NULL, CI_JSON, offsetof(arguments, heads), "null", 0, 0, NULL, "Heads to read, in the same way."},
    CI_OPTIONS_END};

/* The layers and heads of one kind of attention that are read. */
typedef struct {
  ci_attention_nodes nodes;
  size_t layers[CI_MOST_LAYERS], layer_count, head_count;
  size_t *heads;
} selection;

static ci_status choose(const ci_attribution *a, const arguments *arg, ci_space_id query, ci_space_id key, selection *s,
                        ci_error *err) {
  ci_find_attention(a->subject.graph, query, key, &s->nodes);
  size_t layers = s->nodes.layers, heads = s->nodes.heads;
  unsigned char *chosen = ci_alloc(layers > heads ? layers : heads, 1);
  s->heads = ci_alloc(heads, sizeof *s->heads);
  ci_status status = chosen && s->heads ? ci_choose("layers", arg->layers, layers, chosen, err) : ci_fail_memory(err);
  for (size_t i = 0; i < layers && !status; i++)
    if (chosen[i]) s->layers[s->layer_count++] = i;
  if (!status) status = ci_choose("heads", arg->heads, heads, chosen, err);
  for (size_t i = 0; i < heads && !status; i++)
    if (chosen[i]) s->heads[s->head_count++] = i;
  ci_free(chosen);
  return status;
}

/* data[key, query, layer, head] for query positions first..first+queries-1; keys a query does not see keep `blank`. */
static ci_status read(const ci_run *run, const selection *s, int branch, size_t first, size_t keys, size_t queries,
                      bool causal, float blank, float *data, ci_error *err) {
  float *weights = ci_alloc(keys, sizeof *weights);
  if (!weights) return ci_fail_memory(err);
  size_t cell = s->layer_count * s->head_count;
  for (size_t i = 0; i < keys * queries * cell; i++) data[i] = blank;
  for (size_t layer = 0; layer < s->layer_count; layer++)
    for (size_t head = 0; head < s->head_count; head++)
      for (size_t q = 0; q < queries; q++) {
        size_t seen = causal ? first + q + 1 : keys;
        ci_attention_weights(run, s->nodes.nodes[s->layers[layer]], branch, first + q, s->heads[head], weights);
        for (size_t k = 0; k < seen; k++) data[(k * queries + q) * cell + layer * s->head_count + head] = weights[k];
      }
  ci_free(weights);
  return CI_OK;
}

static ci_status scores_of(ci_attribution *a, const arguments *arg, ci_space_id space, ci_error *err) {
  const ci_subject *s = &a->subject;
  selection chosen = {0};
  ci_array *array;
  ci_status status = choose(a, arg, CI_DECODER, space, &chosen, err);
  if (!status) status = ci_attribution_array(a, space, 4, chosen.layer_count, chosen.head_count, &array, err);
  if (!status)
    status = read(s->run, &chosen, s->branch, a->start - 1, ci_subject_rows(s, space), s->target_count,
                  space == CI_DECODER, NAN, array->data, err);
  ci_free(chosen.heads);
  return status;
}

static ci_status sequence_score(ci_attribution *a, const arguments *arg, const char *name, ci_space_id space,
                                ci_error *err) {
  const ci_run *run = a->subject.run;
  int branch = a->subject.branch, source = run->spaces[CI_DECODER].branches[branch].source_branch;
  size_t length = ci_subject_rows(&a->subject, space);
  selection chosen = {0};
  ci_array *array;
  ci_status status = choose(a, arg, space, space, &chosen, err);
  const size_t shape[] = {length, length, chosen.layer_count, chosen.head_count};
  if (!status) status = ci_attribution_sequence_score(a, name, 4, shape, &array, err);
  if (!status)
    status = read(run, &chosen, space == CI_ENCODER ? source : branch, 0, length, length, space == CI_DECODER, 0,
                  array->data, err);
  ci_free(chosen.heads);
  return status;
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  if (!a->subject.graph->encoder_decoder) return scores_of(a, options, CI_DECODER, err);
  ci_status status = scores_of(a, options, CI_ENCODER, err);
  if (!status && a->wants[CI_DECODER])
    status = scores_of(a, options, CI_DECODER, err);
  else if (!status)
    status = sequence_score(a, options, "decoder_self_attentions", CI_DECODER, err);
  return status ? status : sequence_score(a, options, "encoder_self_attentions", CI_ENCODER, err);
}

extern const ci_method ci_method_attention;
const ci_method ci_method_attention = {.id = "attention",
                                       .help = "Attention probabilities of the position that predicts each token.",
                                       .paper = "Bahdanau et al. 2015, arXiv:1409.0473",
                                       .options = options_table,
                                       .options_size = sizeof(arguments),
                                       .kind = CI_MULTIDIMENSIONAL,
                                       .n_dimensions = 2,
                                       .keep = CI_KEEP_BOUNDARIES,
                                       .deterministic = true,
                                       .goes_by = "attention's weights",
                                       .conserves = true,
                                       .attribute = attribute};
