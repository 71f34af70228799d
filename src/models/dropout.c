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
static void refuse(ci_builder *b, const ci_dropout_key *key, double rate, const char *why) {
  enum { LENGTH = 160 };
  if (b->model->no_dropout) return;
  char *reason = ci_build_alloc(b, LENGTH, 1);
  if (reason) snprintf(reason, LENGTH, "config.json: \"%s\" is %g: %s", key->key, rate, why);
  b->model->no_dropout = reason;
}

void ci_look_at_training(ci_builder *b) {
  const ci_dropout_key *others = ci_dropout_keys_of(b)->others;
  for (size_t i = 0; i < sizeof ci_dropout_of_llama.others / sizeof *others; i++) {
    double rate = rate_of(b, &others[i]);
    if (rate > 0) refuse(b, &others[i], rate, "a pass with dropout does not know it (only 0)");
  }
}

void ci_build_dropout(ci_builder *b, int node, const ci_dropout_key *key) {
  double rate = rate_of(b, key);
  if (b->status) return;
  b->model->graph.nodes[node].dropout = (float)rate;
  b->model->graph.nodes[node].dropout_site = node;
}

void ci_build_layer_dropout(ci_builder *b, int node, bool post_norm) {
  const ci_dropout_key *key = b->space == CI_OUTPUT ? NULL : &ci_dropout_keys_of(b)->layer[b->space];
  double rate = key ? rate_of(b, key) : 0;
  if (b->status || !(rate > 0)) return;
  if (post_norm) refuse(b, key, rate, "post-norm blocks cannot be left out (only 0)");
  b->model->graph.nodes[node].layer_dropout = (float)rate;
}
