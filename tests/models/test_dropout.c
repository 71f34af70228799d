/* Which key of config.json drops which nodes, of each architecture: as tests/golden/dropout_oracle.py found
 * transformers' models to do it. Each key is given a rate of its own, by which it is known again at the nodes. */
#include "models/model.h"
#include "support/golden_model.h"

enum { LONGEST = 2048, PARTS = 64 };

/* Those that configurations have; some are read by no model here. */
static const char *const keys[] = {"activation_dropout",
                                   "adaptor_dropout",
                                   "attention_dropout",
                                   "attention_probs_dropout_prob",
                                   "attn_config.attn_pdrop",
                                   "attn_pdrop",
                                   "classifier_dropout",
                                   "decoder_layerdrop",
                                   "dropout",
                                   "dropout_rate",
                                   "embd_pdrop",
                                   "embed_dropout",
                                   "embedding_dropout",
                                   "emb_pdrop",
                                   "encoder_layerdrop",
                                   "hidden_dropout",
                                   "hidden_dropout_prob",
                                   "layerdrop",
                                   "resid_dropout",
                                   "resid_pdrop",
                                   "residual_dropout",
                                   "speech_encoder_dropout",
                                   "speech_encoder_layerdrop",
                                   "summary_first_dropout",
                                   "var_pred_dropout"};
enum { KEYS = sizeof keys / sizeof *keys };

/* Models, and the sites of every block together: node=key, with ~node whose mask it is; node!key: a block that ends
 * there. */
static const struct {
  const char *models, *sites;
} rows[] = {
    {" bart mbart plbart ",
     "encoder.embedding.layernorm_embedding=dropout encoder.self_attn=attention_dropout "
     "encoder.self_attn.output=dropout encoder.mlp.activation=activation_dropout encoder.mlp.down=dropout "
     "encoder!encoder_layerdrop decoder.embedding.layernorm_embedding=dropout "
     "decoder.self_attn=attention_dropout decoder.self_attn.output=dropout "
     "decoder.cross_attn=attention_dropout decoder.cross_attn.output=dropout "
     "decoder.mlp.activation=activation_dropout decoder.mlp.down=dropout decoder!decoder_layerdrop"},
    {" biogpt ", "decoder.embedding.positions=hidden_dropout_prob decoder.self_attn=attention_probs_dropout_prob "
                 "decoder.self_attn.output=hidden_dropout_prob decoder.mlp.activation=activation_dropout "
                 "decoder.mlp.down=hidden_dropout_prob decoder!layerdrop"},
    {" blenderbot fsmt m2m_100 m2m_100_pad marian marian_apart nllb pegasus ",
     "encoder.embedding.positions=dropout encoder.self_attn=attention_dropout "
     "encoder.self_attn.output=dropout encoder.mlp.activation=activation_dropout encoder.mlp.down=dropout "
     "encoder!encoder_layerdrop decoder.embedding.positions=dropout "
     "decoder.self_attn=attention_dropout decoder.self_attn.output=dropout "
     "decoder.cross_attn=attention_dropout decoder.cross_attn.output=dropout "
     "decoder.mlp.activation=activation_dropout decoder.mlp.down=dropout decoder!decoder_layerdrop"},
    {" blenderbot-small ",
     "encoder.embedding.layernorm_embedding=dropout encoder.self_attn=attention_dropout "
     "encoder.self_attn.output=dropout encoder.mlp.activation=activation_dropout encoder.mlp.down=dropout "
     "encoder!encoder_layerdrop decoder.embedding.positions=dropout "
     "decoder.self_attn=attention_dropout decoder.self_attn.output=dropout "
     "decoder.cross_attn=attention_dropout decoder.cross_attn.output=dropout "
     "decoder.mlp.activation=activation_dropout decoder.mlp.down=dropout decoder!decoder_layerdrop"},
    {" bloom bloom_normed ", "decoder.self_attn=attention_dropout decoder.self_attn.output=hidden_dropout "
                             "decoder.mlp.down=hidden_dropout"},
    {" codegen gptj ", "decoder.embedding.tokens=embd_pdrop decoder.self_attn=attn_pdrop "
                       "decoder.self_attn.output=resid_pdrop decoder.mlp.down=resid_pdrop"},
    {" dbrx ", "decoder.embedding.tokens=emb_pdrop decoder.self_attn=attn_config.attn_pdrop "
               "decoder.self_attn.output=resid_pdrop decoder.mlp.experts=resid_pdrop"},
    {" ernie4_5 ernie4_5_moe ", ""},
    {" falcon falcon_grouped ",
     "decoder.self_attn.output=hidden_dropout decoder.mlp.down=hidden_dropout~decoder.self_attn.output"},
    {" falcon_alibi ", "decoder.self_attn=attention_dropout decoder.self_attn.output=attention_dropout "
                       "decoder.mlp.down=hidden_dropout"},
    {" gpt2 gpt_bigcode gpt_bigcode_heads openai-gpt ",
     "decoder.embedding.positions=embd_pdrop decoder.self_attn=attn_pdrop "
     "decoder.self_attn.output=resid_pdrop decoder.mlp.down=resid_pdrop"},
    {" gpt_neo ", "decoder.embedding.positions=embed_dropout decoder.self_attn=attention_dropout "
                  "decoder.self_attn.output=resid_dropout decoder.mlp.down=resid_dropout"},
    {" gpt_neox gpt_neox_serial ", "decoder.embedding.tokens=hidden_dropout decoder.self_attn=attention_dropout "
                                   "decoder.self_attn.output=hidden_dropout decoder.mlp.down=hidden_dropout"},
    {" mpt mpt_clipped ", "decoder.self_attn=attn_config.attn_pdrop decoder.self_attn.output=attn_config.attn_pdrop "
                          "decoder.mlp.down=attn_config.attn_pdrop"},
    {" mt5 t5_v1_1 t5_wide umt5 umt5_untied ",
     "encoder.embedding.tokens=dropout_rate encoder.self_attn=dropout_rate "
     "encoder.self_attn.output=dropout_rate encoder.mlp.gated=dropout_rate encoder.mlp.down=dropout_rate "
     "encoder.final_layer_norm=dropout_rate decoder.embedding.tokens=dropout_rate "
     "decoder.self_attn=dropout_rate decoder.self_attn.output=dropout_rate decoder.cross_attn=dropout_rate "
     "decoder.cross_attn.output=dropout_rate decoder.mlp.gated=dropout_rate decoder.mlp.down=dropout_rate "
     "output.final_layer_norm=dropout_rate"},
    {" mt5_tied t5 ", "encoder.embedding.tokens=dropout_rate encoder.self_attn=dropout_rate "
                      "encoder.self_attn.output=dropout_rate encoder.mlp.activation=dropout_rate "
                      "encoder.mlp.down=dropout_rate encoder.final_layer_norm=dropout_rate "
                      "decoder.embedding.tokens=dropout_rate decoder.self_attn=dropout_rate "
                      "decoder.self_attn.output=dropout_rate decoder.cross_attn=dropout_rate "
                      "decoder.cross_attn.output=dropout_rate decoder.mlp.activation=dropout_rate "
                      "decoder.mlp.down=dropout_rate output.final_layer_norm=dropout_rate"},
    {" nllb-moe ",
     "encoder.embedding.positions=dropout encoder.self_attn=attention_dropout "
     "encoder.self_attn.output=dropout encoder.mlp.activation=activation_dropout "
     "encoder.mlp.down=activation_dropout encoder!encoder_layerdrop encoder.mlp.experts=activation_dropout "
     "decoder.embedding.positions=dropout decoder.self_attn=attention_dropout "
     "decoder.self_attn.output=dropout decoder.cross_attn=attention_dropout "
     "decoder.cross_attn.output=dropout decoder.mlp.activation=activation_dropout "
     "decoder.mlp.down=activation_dropout decoder!decoder_layerdrop decoder.mlp.experts=activation_dropout"},
    {" opt opt_350m ", "decoder.self_attn=attention_dropout decoder.self_attn.output=dropout decoder.mlp.down=dropout "
                       "decoder!layerdrop"},
    {" phi phi_normed ", "decoder.embedding.tokens=embd_pdrop decoder.self_attn=attention_dropout "
                         "decoder.self_attn.output=resid_pdrop decoder.mlp.down=resid_pdrop"},
    {" phi3 phi3_longrope ", "decoder.self_attn=attention_dropout decoder.self_attn.output=resid_pdrop "
                             "decoder.mlp.down=resid_pdrop"},
    {" seamless_m4t seamless_m4t_v2 ", "encoder.embedding.positions=dropout encoder.self_attn=attention_dropout "
                                       "encoder.self_attn.output=dropout encoder.mlp.activation=activation_dropout "
                                       "encoder.mlp.down=activation_dropout encoder!encoder_layerdrop "
                                       "decoder.embedding.positions=dropout decoder.self_attn=attention_dropout "
                                       "decoder.self_attn.output=dropout decoder.cross_attn=attention_dropout "
                                       "decoder.cross_attn.output=dropout decoder.mlp.activation=activation_dropout "
                                       "decoder.mlp.down=activation_dropout decoder!decoder_layerdrop"},
    {" stablelm stablelm_parallel ", "decoder.self_attn=attention_dropout decoder.mlp.down=hidden_dropout"},
    {" starcoder2 ", "decoder.embedding.tokens=embedding_dropout decoder.self_attn=attention_dropout "
                     "decoder.self_attn.output=residual_dropout decoder.mlp.down=residual_dropout"},
    {" xglm ", "decoder.embedding.positions=dropout decoder.self_attn=attention_dropout "
               "decoder.self_attn.output=dropout decoder.mlp.activation=activation_dropout decoder.mlp.down=dropout "
               "decoder!layerdrop"},
};

static const char *expected(const char *model) {
  char word[80];
  snprintf(word, sizeof word, " %s ", model);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strstr(rows[i].models, word)) return rows[i].sites;
  return "decoder.self_attn=attention_dropout";
}

/* "attn_config.attn_pdrop" in the model's own object, since model_kwargs replace it whole. */
static void set(json_t *kwargs, const json_t *config, const char *key, json_t *value) {
  char object[64];
  const char *dot = strchr(key, '.');
  snprintf(object, sizeof object, "%.*s", dot ? (int)(dot - key) : 0, key);
  const json_t *own = json_object_get(config, object);
  if (!dot) json_object_set(kwargs, key, value);
  if (own) json_object_set_new(kwargs, object, json_deep_copy(own));
  if (own) json_object_set(json_object_get(kwargs, object), dot + 1, value);
  json_decref(value);
}

static ci_model *open_with(const char *folder, const char *const *names, size_t count,
                           json_t *(*value_of)(size_t number)) {
  char path[600];
  ci_error err = {0};
  json_t *config, *kwargs = json_object();
  ci_model *model = NULL;
  snprintf(path, sizeof path, "%s/config.json", folder);
  if (ci_json_read_file(path, &config, &err)) fail_msg("%s: %s", err.where, err.message);
  for (size_t i = 0; i < count; i++) set(kwargs, config, names[i], value_of(i));
  if (ci_model_open(folder, kwargs, NULL, NULL, NULL, &model, &err)) fail_msg("%s: %s", err.where, err.message);
  json_decref(config);
  json_decref(kwargs);
  return model;
}

static json_t *own_rate(size_t number) {
  return json_real((double)(number + 1) / PARTS);
}

static json_t *nothing(size_t number) {
  (void)number;
  return json_null();
}

static const char *key_of(float rate) {
  size_t number = (size_t)(rate * PARTS);
  assert_true(number >= 1 && number <= KEYS);
  return keys[number - 1];
}

/* A node's name without the number of its block. */
static const char *site_name(const ci_node *node, char out[128]) {
  size_t n = 0;
  for (const char *c = node->name; *c && n + 1 < 128;) {
    out[n++] = *c++;
    if (c[-1] == '.' && *c >= '0' && *c <= '9') c += strspn(c, "0123456789") + 1;
  }
  out[n] = '\0';
  return out;
}

/* "encoder!key ": what the block's first node reads is what its last one gives. */
static void describe_block(const ci_graph *graph, int end, char item[400]) {
  const ci_node *node = &graph->nodes[end];
  assert_int_not_equal(graph->nodes[end + 1].section, node->section);
  assert_int_not_equal(graph->nodes[node->layer_input].section, node->section);
  assert_int_equal(graph->nodes[node->layer_input + 1].section, node->section);
  snprintf(item, 400, "%.*s!%s ", (int)strcspn(node->name, "."), node->name, key_of(node->layer_dropout));
}

static void describe_site(const ci_graph *graph, int number, char item[400]) {
  const ci_node *node = &graph->nodes[number];
  bool shared = node->dropout_site != number;
  char name[128], other[128];
  snprintf(item, 400, "%s=%s%s%s ", site_name(node, name), key_of(node->dropout), shared ? "~" : "",
           shared ? site_name(&graph->nodes[node->dropout_site], other) : "");
}

/* The sites of a graph, each once, with a space behind each. */
static void describe(const ci_graph *graph, char out[LONGEST]) {
  size_t n = 0;
  *out = '\0';
  for (int i = 0; i < graph->count; i++) {
    char item[400];
    if (graph->nodes[i].layer_dropout > 0)
      describe_block(graph, i, item);
    else if (graph->nodes[i].dropout > 0)
      describe_site(graph, i, item);
    else
      continue;
    if (strstr(out, item)) continue;
    assert_true(n + strlen(item) < LONGEST);
    n += (size_t)snprintf(out + n, LONGEST - n, "%s", item);
  }
}

static void check(const char *name, const char *folder) {
  char sites[LONGEST], wanted[LONGEST];
  ci_model *model = open_with(folder, keys, KEYS, own_rate);
  describe(&model->graph, sites);
  snprintf(wanted, sizeof wanted, "%s%s", expected(name), *expected(name) ? " " : "");
  if (strcmp(sites, wanted)) fail_msg("%s: %s, expected %s", name, sites, wanted);
  ci_model_close(model);
}

/* transformers has written its class' values into the model's config.json. */
static void check_defaults(const char *name, const char *folder) {
  ci_model *with = open_with(folder, NULL, 0, NULL), *without = open_with(folder, keys, KEYS, nothing);
  for (int i = 0; i < with->graph.count; i++) {
    const ci_node *node = &with->graph.nodes[i], *other = &without->graph.nodes[i];
    if (node->dropout != other->dropout || node->layer_dropout != other->layer_dropout)
      fail_msg("%s, %s: %g and %g, expected %g and %g", name, node->name, (double)other->dropout,
               (double)other->layer_dropout, (double)node->dropout, (double)node->layer_dropout);
  }
  ci_model_close(with);
  ci_model_close(without);
}

static void each_model(void (*check_one)(const char *name, const char *folder)) {
  static const char *const others[] = {"gpt2", "llama", "marian"};
  size_t count;
  const golden_unpacked *unpacked = golden_find_unpacked(&count);
  assert_true(count >= 80);
  for (size_t i = 0; i < count; i++) check_one(unpacked[i].name, unpacked[i].folder);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    char folder[512], path[64];
    snprintf(path, sizeof path, "models/%s", others[i]);
    golden_path(folder, path);
    check_one(others[i], folder);
  }
}

static void each_key_drops_its_nodes(void **state) {
  (void)state;
  each_model(check);
}

static void keys_left_out_are_those_of_the_class(void **state) {
  (void)state;
  each_model(check_defaults);
}

static json_t *half(size_t number) {
  (void)number;
  return json_real(0.5);
}

/* What training does besides. */
static void what_is_not_dropout_is_refused(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"mixtral", "router_jitter_noise"}, {"dbrx", "ffn_config.moe_jitter_eps"}, {"nllb-moe", "moe_token_dropout"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char folder[512], message[128];
    snprintf(folder, sizeof folder, "%s/%s/model", GOLDEN_UNPACKED, cases[i][0]);
    snprintf(message, sizeof message, "\"%s\" is 0.5: ", cases[i][1]);
    ci_model *model = open_with(folder, &cases[i][1], 1, half);
    assert_non_null(model->no_dropout);
    if (!strstr(model->no_dropout, message)) fail_msg("%s, expected %s", model->no_dropout, message);
    ci_model_close(model);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_key_drops_its_nodes),
                                     cmocka_unit_test(keys_left_out_are_those_of_the_class),
                                     cmocka_unit_test(what_is_not_dropout_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
