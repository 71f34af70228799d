/* Value zeroing (Mohebbi et al. 2023): how far a block's output at a position moves when the value vector of one token
 * is zero in its attention, the block's input being the text's own: d[j, q] = distance(h[q], h[q] without v[j]), below
 * 1e-5: 0;  score[j, q] = d[j, q] / sum_j d[j, q], for each layer by itself. Decoder self-attention, cross-attention,
 * encoder self-attention; the output is transformers' hidden state, after the last block that behind the final norm.
 * One computation serves all steps: step t has the scores of the position that predicts it. */
#include "attribute/internals.h"
#include "engine/zeroing.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *similarity_metric;
  json_t *units[3]; /* of decoder, encoder and cross-attention */
  bool output_decoder_self_scores, output_encoder_self_scores;
} arguments;

static const ci_option options_table[] = {
    {"similarity_metric", NULL, CI_WORD, offsetof(arguments, similarity_metric), "\"cosine\"", 0, 0, "cosine|euclidean",
     "How far apart hidden states are: 1 - cosine similarity, or the Euclidean distance."},
    {"decoder_zeroed_units_indices", NULL, CI_JSON, offsetof(arguments, units[0]), "null", 0, 0, NULL,
     "Heads zeroed in the decoder's self-attention: null all, 2, [0, 2], \"0:2\" (0 and 1), or {layer: these}, no "
     "other layers."},
    {"encoder_zeroed_units_indices", NULL, CI_JSON, offsetof(arguments, units[1]), "null", 0, 0, NULL,
     "The same of the encoder's self-attention."},
    {"cross_zeroed_units_indices", NULL, CI_JSON, offsetof(arguments, units[2]), "null", 0, 0, NULL,
     "The same of cross-attention."},
    {"output_decoder_self_scores", NULL, CI_BOOL, offsetof(arguments, output_decoder_self_scores), "true", 0, 0, NULL,
     "Encoder-decoder: scores of the decoder's self-attention, as a sequence score without attribute_target."},
    {"output_encoder_self_scores", NULL, CI_BOOL, offsetof(arguments, output_encoder_self_scores), "true", 0, 0, NULL,
     "Encoder-decoder: scores of the encoder's self-attention, as a sequence score."},
    CI_OPTIONS_END};

static double by_cosine(const ci_kernels *kernels, const float *x, const float *y, size_t n) {
  double xy = kernels->sum_products(x, y, n), xx = kernels->sum_products(x, x, n), yy = kernels->sum_products(y, y, n);
  return 1 - xy / fmax(sqrt(xx) * sqrt(yy), 1e-8);
}

static double by_distance(const ci_kernels *kernels, const float *x, const float *y, size_t n) {
  (void)kernels;
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
  return sqrt(sum);
}

/* One kind of attention: where its scores go. */
typedef struct {
  ci_space_id query, key;
  const json_t *units;
  const char *option;
  size_t first, count; /* queries */
  ci_array *array;     /* [keys, count, layers] */
  size_t layers;
} part;

/* The heads of layer `layer` that are zeroed; none: a layer that the option leaves out. */
static ci_status heads_of(const part *p, const ci_attention_nodes *nodes, size_t layer, unsigned char *heads,
                          ci_error *err) {
  if (!json_is_object(p->units)) return ci_choose(p->option, p->units, nodes->heads, heads, err);
  char key[24];
  snprintf(key, sizeof key, "%zu", layer);
  const json_t *own = json_object_get(p->units, key);
  memset(heads, 0, nodes->heads);
  return own ? ci_choose(p->option, own, nodes->heads, heads, err) : CI_OK;
}

static ci_status check_layers(const part *p, size_t layers, ci_error *err) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)p->units, key, value) {
    char *end;
    long layer = strtol(key, &end, 10);
    if (*end || end == key || layer < 0 || (size_t)layer >= layers)
      return ci_fail(err, CI_EINVAL, p->option, "has a layer \"%s\", expected 0 to %zu", key, layers - 1);
  }
  return CI_OK;
}

/* Distances [keys, count] to scores of one layer. */
static ci_status store(const part *p, size_t layer, const double *distances, size_t keys, ci_error *err) {
  const double least = 1e-5;
  for (size_t q = 0; q < p->count; q++) {
    double sum = 0;
    for (size_t k = 0; k < keys; k++) {
      double d = distances[k * p->count + q];
      if (isinf(d))
        return ci_fail(err, CI_EMODEL, "value_zeroing", "the distance in layer %zu at position %zu is not finite",
                       layer, p->first + q);
      if (d >= least) sum += d;
    }
    for (size_t k = 0; k < keys; k++) {
      double d = distances[k * p->count + q];
      float *out = p->array->data + (k * p->count + q) * p->layers + layer;
      *out = isnan(d) ? NAN : d < least || sum <= 0 ? 0 : (float)(d / sum);
    }
  }
  return CI_OK;
}

static ci_status run_part(ci_attribution *a, const part *p, const arguments *arg, ci_error *err) {
  ci_subject *s = &a->subject;
  ci_attention_nodes nodes;
  ci_find_attention(s->graph, p->query, p->key, &nodes);
  size_t keys = ci_subject_rows(s, p->key);
  double *distances = ci_alloc(keys * p->count, sizeof *distances);
  unsigned char *heads = ci_alloc(nodes.heads, 1);
  ci_status status = distances && heads ? check_layers(p, nodes.layers, err) : ci_fail_memory(err);
  ci_zeroing z = {.heads = heads,
                  .first = p->first,
                  .count = p->count,
                  .distance = arg->similarity_metric[0] == 'c' ? by_cosine : by_distance};
  for (size_t layer = 0; layer < nodes.layers && !status; layer++) {
    z.attention = nodes.nodes[layer];
    z.output = ci_layer_output(s->graph, z.attention);
    status = heads_of(p, &nodes, layer, heads, err);
    if (!status) status = ci_subject_zero_values(s, &z, distances, err);
    if (!status) status = store(p, layer, distances, keys, err);
    if (s->progress && s->progress(s->progress_context, layer + 1, nodes.layers))
      atomic_store(&s->compute->cancelled, true);
    if (!status) status = ci_compute_check(s->compute, err);
  }
  ci_free(distances);
  ci_free(heads);
  return status;
}

/* Scores of the positions that predict the targets. */
static ci_status attribute_space(ci_attribution *a, ci_space_id space, const arguments *arg, ci_error *err) {
  ci_attention_nodes nodes;
  ci_find_attention(a->subject.graph, CI_DECODER, space, &nodes);
  part p = {CI_DECODER,
            space,
            arg->units[space == CI_ENCODER ? 2 : 0],
            options_table[space == CI_ENCODER ? 3 : 1].name,
            a->start - 1,
            a->subject.target_count,
            NULL,
            nodes.layers};
  ci_status status = ci_attribution_array(a, space, 3, nodes.layers, 1, &p.array, err);
  return status ? status : run_part(a, &p, arg, err);
}

/* Scores of all positions of a side among themselves. */
static ci_status attribute_side(ci_attribution *a, ci_space_id space, const arguments *arg, ci_error *err) {
  ci_attention_nodes nodes;
  ci_find_attention(a->subject.graph, space, space, &nodes);
  size_t rows = ci_subject_rows(&a->subject, space);
  part p = {
      space, space,       arg->units[space == CI_ENCODER], options_table[space == CI_ENCODER ? 2 : 1].name, 0, rows,
      NULL,  nodes.layers};
  const size_t shape[] = {rows, rows, nodes.layers};
  ci_status status = ci_attribution_sequence_score(
      a, space == CI_ENCODER ? "encoder_self_scores" : "decoder_self_scores", 3, shape, &p.array, err);
  return status ? status : run_part(a, &p, arg, err);
}

static ci_status attribute(ci_attribution *a, const void *options, ci_error *err) {
  const arguments *arg = options;
  if (!a->subject.graph->encoder_decoder) {
    if (arg->units[1] || arg->units[2])
      ci_job_warn(a->job,
                  "encoder_ and cross_zeroed_units_indices are for encoder-decoder models: this one has neither");
    return attribute_space(a, CI_DECODER, arg, err);
  }
  ci_status status = attribute_space(a, CI_ENCODER, arg, err);
  if (!status && a->wants[CI_DECODER])
    status = attribute_space(a, CI_DECODER, arg, err);
  else if (!status && arg->output_decoder_self_scores)
    status = attribute_side(a, CI_DECODER, arg, err);
  if (!status && arg->output_encoder_self_scores) status = attribute_side(a, CI_ENCODER, arg, err);
  return status;
}

extern const ci_method ci_method_value_zeroing;
const ci_method ci_method_value_zeroing = {
    .id = "value_zeroing",
    .help = "Change of each layer's output when a token's value vector is zero in its attention.",
    .paper = "Mohebbi et al. 2023, arXiv:2301.12971",
    .options = options_table,
    .options_size = sizeof(arguments),
    .kind = CI_MULTIDIMENSIONAL,
    .n_dimensions = 1,
    .goes_by = "the change of each layer's output",
    .keep = CI_KEEP_BOUNDARIES,
    .deterministic = true,
    .conserves = true,
    .attribute = attribute};
