/* See dropout.h. */
#include "models/dropout.h"
#include <stdio.h>
#include <string.h>

const ci_dropout_keys ci_dropout_of_llama = {.attention = {"attention_dropout", 0}},
                      ci_dropout_of_gpt2 = {.embedding = {"embd_pdrop", 0.1},
                                            .attention = {"attn_pdrop", 0.1},
                                            .attended = {"resid_pdrop", 0.1},
                                            .fed = {"resid_pdrop", 0.1}},
                      ci_dropout_of_fairseq = {.embedding = {"dropout", 0.1},
                                               .attention = {"attention_dropout", 0},
                                               .attended = {"dropout", 0.1},
                                               .activation = {"activation_dropout", 0},
                                               .fed = {"dropout", 0.1},
                                               .layer = {{"encoder_layerdrop", 0}, {"decoder_layerdrop", 0}}},
                      ci_dropout_of_ernie = {.embedding = {NULL, 0}};

const ci_dropout_keys *ci_dropout_keys_of(const ci_builder *b) {
  const ci_dropout_keys *own = b->model->architecture->dropout;
  return b->dropout ? b->dropout : own ? own : &ci_dropout_of_llama;
}

static double rate_of(ci_builder *b, const ci_dropout_key *key) {
  char object[64];
  if (!key->key || b->status) return 0;
  const char *dot = strchr(key->key, '.'), *name = dot ? dot + 1 : key->key;
  if (dot) snprintf(object, sizeof object, "%.*s", (int)(dot - key->key), key->key);
  bool entered = dot && ci_config_enter(b, object);
  double rate = !dot || entered ? ci_config_real(b, name, key->fallback) : key->fallback;
  if (!(rate >= 0 && rate <= 1)) ci_build_fail(b, "config.json", "\"%s\": %g is no probability", key->key, rate);
  if (entered) ci_config_leave(b);
  return b->status ? 0 : rate;
}

/* The first reason stays. */
void ci_look_at_training(ci_builder *b) {
  enum { LENGTH = 160 };
  const ci_dropout_key *others = ci_dropout_keys_of(b)->others;
  for (size_t i = 0; i < sizeof ci_dropout_of_llama.others / sizeof *others && !b->model->no_dropout; i++) {
    double rate = rate_of(b, &others[i]);
    char *reason = rate > 0 ? ci_build_alloc(b, LENGTH, 1) : NULL;
    if (reason)
      snprintf(reason, LENGTH, "config.json: \"%s\" is %g: a pass with dropout does not know it (only 0)",
               others[i].key, rate);
    b->model->no_dropout = reason;
  }
}

void ci_build_dropout(ci_builder *b, int node, const ci_dropout_key *key) {
  double rate = rate_of(b, key);
  if (b->status) return;
  b->model->graph.nodes[node].dropout = (float)rate;
  b->model->graph.nodes[node].dropout_site = node;
}

void ci_build_layer_dropout(ci_builder *b, int node, int input) {
  double rate = b->space == CI_OUTPUT ? 0 : rate_of(b, &ci_dropout_keys_of(b)->layer[b->space]);
  if (b->status) return;
  b->model->graph.nodes[node].layer_dropout = (float)rate;
  b->model->graph.nodes[node].layer_input = input;
}
