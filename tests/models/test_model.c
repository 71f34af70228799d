/* Opening model folders as the hub has them and as nobody should have them: names with or without the base prefix,
 * buffers and tied copies that transformers ignores, and an error that names file, tensor or key for everything else.
 */
#include "models/model.h"
#include "support/edited_model.h"
#include "support/golden_model.h"

#define GOLDEN         TEST_DATA "/golden/"
#define UNPACKED(name) GOLDEN_UNPACKED "/" name "/model"

typedef struct {
  int count;
  char last[600];
} warnings;

static void keep_warning(void *context, const char *message) {
  warnings *w = context;
  w->count++;
  snprintf(w->last, sizeof w->last, "%s", message);
}

static void folders_open(void **state) {
  (void)state;
  static const struct {
    const char *folder, *architecture;
    size_t vocabulary, parameters;
    int layers;
    bool pair;
  } cases[] = {
      {GOLDEN "models/gpt2", "gpt2", 480, 0, 2, false},
      {GOLDEN "models/llama", "llama", 480, 0, 2, false},
      {GOLDEN "models/llama_tied", "llama", 480, 0, 2, false},
      {GOLDEN "models/marian", "marian", 1581, 0, 2, true},
      {GOLDEN "formats/llama-f16", "llama", 480, 0, 2, false},
      {GOLDEN "formats/llama-bf16", "llama", 480, 0, 2, false},
      {GOLDEN "formats/llama-sharded", "llama", 480, 0, 2, false},
      {MODELS "/stories260K", "llama", 512, 0, 5, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_error err = {0};
    warnings w = {0};
    ci_model *model;
    if (ci_model_open(cases[i].folder, NULL, NULL, keep_warning, &w, &model, &err))
      fail_msg("%s: %s", err.where, err.message);
    if (w.count) fail_msg("%s: a warning: %s", cases[i].folder, w.last);
    assert_string_equal(model->architecture->id, cases[i].architecture);
    assert_int_equal(model->vocabulary, cases[i].vocabulary);
    assert_int_equal(model->graph.layers[CI_DECODER], cases[i].layers);
    assert_int_equal(model->graph.encoder_decoder, cases[i].pair);
    assert_true(ci_model_parameters(model) > 10000);
    assert_true(model->eos >= 0 && model->pad >= 0);
    assert_int_equal(model->decoder_start >= 0, cases[i].pair);
    ci_model_close(model);
  }
  ci_model_close(NULL);
}

/* The logits of the last row of a text. */
static void logits_of(const char *folder, const json_t *kwargs, warnings *w, float *out, size_t *vocabulary) {
  ci_error err = {0};
  ci_model *model;
  ci_compute compute;
  golden_subject g;
  if (ci_model_open(folder, kwargs, NULL, keep_warning, w, &model, &err)) fail_msg("%s: %s", err.where, err.message);
  assert_int_equal(ci_compute_open(&compute, 1, "auto", NULL, &err), CI_OK);
  golden_subject_open(&g, model, &compute);
  assert_int_equal(ci_subject_forward(&g.subject, CI_KEEP_KEYS, &err), CI_OK);
  *vocabulary = model->vocabulary;
  memcpy(out, ci_run_logits(g.subject.run, g.output_rows[2]), model->vocabulary * sizeof(float));
  golden_subject_close(&g);
  ci_compute_close(&compute);
  ci_model_close(model);
}

enum { MOST_LOGITS = 2000 };

static void same_as_before(const char *folder, const model_edit *e) {
  warnings before = {0}, after = {0};
  float expected[MOST_LOGITS], found[MOST_LOGITS];
  size_t n;
  logits_of(folder, NULL, &before, expected, &n);
  char *edited = edited_model(folder, e);
  logits_of(edited, NULL, &after, found, &n);
  edited_remove(edited);
  if (after.count) fail_msg("%s: a warning: %s", folder, after.last);
  assert_memory_equal(found, expected, n * sizeof(float));
}

static void names_match_without_prefix(void **state) {
  (void)state;
  same_as_before(GOLDEN "models/gpt2", &(model_edit){.strip = "transformer."});
  same_as_before(GOLDEN "models/llama", &(model_edit){.strip = "model."});
  same_as_before(GOLDEN "models/marian", &(model_edit){.strip = "model."});
}

static void buffers_and_tied_copies_are_ignored(void **state) {
  (void)state;
  same_as_before(GOLDEN "models/gpt2",
                 &(model_edit){.copied = "transformer.h.0.ln_1.weight",
                               .added = {"transformer.h.0.attn.bias", "transformer.h.1.attn.masked_bias",
                                         "h.0.attn.bias", "lm_head.weight"}});
  same_as_before(GOLDEN "models/llama_tied",
                 &(model_edit){.copied = "model.embed_tokens.weight",
                               .added = {"lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"}});
  same_as_before(GOLDEN "models/marian",
                 &(model_edit){.copied = "model.shared.weight",
                               .added = {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight",
                                         "lm_head.weight", "model.encoder.embed_positions.weight"}});
}

static void left_over_tensors_are_warned_of(void **state) {
  (void)state;
  float logits[MOST_LOGITS];
  size_t n;
  warnings w = {0};
  char *edited = edited_model(GOLDEN "models/llama", &(model_edit){.copied = "model.norm.weight",
                                                                   .added = {"model.layers.0.adapter.weight", "zz"}});
  logits_of(edited, NULL, &w, logits, &n);
  edited_remove(edited);
  assert_int_equal(w.count, 1);
  assert_non_null(strstr(w.last, "2 tensors"));
  assert_true(strstr(w.last, "model.layers.0.adapter.weight") || strstr(w.last, "\"zz\""));
}

static void refused(const char *folder, const model_edit *e, ci_status status, const char *named) {
  ci_error err = {0};
  ci_model *model = NULL;
  char *edited = edited_model(folder, e);
  ci_status found = ci_model_open(edited, NULL, NULL, NULL, NULL, &model, &err);
  edited_remove(edited);
  if (found != status || err.code != (int)status)
    fail_msg("%s: status %d, expected %d: %s %s", named, (int)found, (int)status, err.where, err.message);
  if (!strstr(err.where, named) && !strstr(err.message, named))
    fail_msg("expected %s to be named: %s: %s", named, err.where, err.message);
}

/* Every tensor that is not tied or optional. */
static void missing_tensors_are_named(void **state) {
  char folder[512];
  ci_error err = {0};
  ci_tensors *tensors;
  golden_path(folder, *state);
  assert_int_equal(ci_tensors_open(folder, &tensors, &err), CI_OK);
  size_t dropped = 0;
  for (size_t i = 0; i < ci_tensors_count(tensors); i++) {
    const char *name = ci_tensors_at(tensors, i)->name;
    if (strcmp(name, "final_logits_bias") == 0 || ci_ends_with(name, "embed_tokens.weight") ||
        ci_ends_with(name, "embed_positions.weight"))
      continue;
    refused(folder, &(model_edit){.drop = name}, CI_EMODEL, name);
    dropped++;
  }
  assert_true(dropped > 12);
  ci_tensors_close(tensors);
}

static void wrong_shapes_and_types_are_named(void **state) {
  (void)state;
  const char *gpt2 = GOLDEN "models/gpt2", *llama = GOLDEN "models/llama", *marian = GOLDEN "models/marian";
  refused(gpt2, &(model_edit){.reshaped = "transformer.h.0.attn.c_attn.weight"}, CI_EMODEL,
          "transformer.h.0.attn.c_attn.weight");
  refused(gpt2, &(model_edit){.reshaped = "transformer.h.0.attn.c_attn.bias"}, CI_EMODEL, "[96, 1], expected [96]");
  refused(gpt2, &(model_edit){.retyped = "transformer.wte.weight"}, CI_EMODEL, "I32");
  refused(llama, &(model_edit){.reshaped = "model.layers.1.self_attn.k_proj.weight"}, CI_EMODEL,
          "[512, 1], expected [16, 32]");
  refused(llama, &(model_edit){.retyped = "model.norm.weight"}, CI_EMODEL, "model.norm.weight");
  refused(marian, &(model_edit){.reshaped = "model.encoder.layers.0.fc1.weight"}, CI_EMODEL,
          "[1536, 1], expected [48, 32]");
}

static void wrong_configurations_are_named(void **state) {
  (void)state;
  static const struct {
    const char *folder, *config, *named;
  } cases[] = {
      {GOLDEN "models/gpt2", "{\"model_type\": \"gpt3\"}", "\"gpt3\" is not supported, expected one of "},
      {GOLDEN "models/gpt2", "{\"model_type\": null}", "\"model_type\" is missing"},
      {GOLDEN "models/gpt2", "{\"model_type\": 3}", "model_type"},
      {GOLDEN "models/gpt2", "{\"pruned_heads\": {\"0\": [1]}}", "\"pruned_heads\": {\"0\":[1]} is not supported"},
      {GOLDEN "models/gpt2", "{\"n_embd\": 31}", "31"},
      {GOLDEN "models/gpt2", "{\"n_head\": 5}", "n_head 5"},
      {GOLDEN "models/gpt2", "{\"n_layer\": 3}", "transformer.h.2."},
      {GOLDEN "models/gpt2", "{\"n_layer\": 0}", "n_layer"},
      {GOLDEN "models/gpt2", "{\"n_layer\": \"two\"}", "expected an integer"},
      {GOLDEN "models/gpt2", "{\"activation_function\": \"mish\"}", "unknown activation \"mish\""},
      {GOLDEN "models/gpt2", "{\"add_cross_attention\": true}", "add_cross_attention"},
      {GOLDEN "models/gpt2", "{\"vocab_size\": 481}", "[480, 32], expected [481, 32]"},
      {GOLDEN "models/llama", "{\"hidden_size\": null}", "\"hidden_size\" is missing"},
      {GOLDEN "models/llama", "{\"num_key_value_heads\": 3}", "num_key_value_heads 3"},
      {GOLDEN "models/llama", "{\"head_dim\": 7}", "head_dim 7 is odd"},
      {GOLDEN "models/llama", "{\"rope_scaling\": {\"rope_type\": \"yarn\"}}", "rope_scaling"},
      {GOLDEN "models/llama", "{\"num_hidden_layers\": 1e9}", "num_hidden_layers"},
      {GOLDEN "models/llama", "{\"attention_bias\": true}", "q_proj.bias"},
      {GOLDEN "models/llama", "{\"attention_bias\": \"yes\"}", "attention_bias"},
      {GOLDEN "models/marian", "{\"normalize_before\": true}", "normalize_before"},
      {GOLDEN "models/marian", "{\"decoder_attention_heads\": 5}", "decoder_attention_heads 5"},
      {GOLDEN "models/marian", "{\"pad_token_id\": 1000000000000}", "pad_token_id"},
      {GOLDEN "models/marian", "{\"d_model\": 1048576, \"max_position_embeddings\": 65536}", "shared.weight"},
      {GOLDEN "models/marian", "{\"d_model\": null}", "\"d_model\" is missing"},
      {GOLDEN "models/marian", "{\"share_encoder_decoder_embeddings\": false}", "model.encoder.embed_tokens.weight"},
      {UNPACKED("bart"), "{\"normalize_before\": true}", "\"normalize_before\": true is not supported"},
      {UNPACKED("bart"), "{\"normalize_embedding\": false}", "normalize_embedding"},
      {UNPACKED("bart"), "{\"add_final_layer_norm\": true}", "add_final_layer_norm"},
      {UNPACKED("bart"), "{\"static_position_embeddings\": true}", "static_position_embeddings"},
      {UNPACKED("bart"), "{\"tie_word_embeddings\": false}", "tie_word_embeddings"},
      {UNPACKED("bart"), "{\"tie_encoder_decoder\": true}", "tie_encoder_decoder"},
      {UNPACKED("bart"), "{\"max_position_embeddings\": 100}", "[130, 32], expected [102, 32]"},
      {UNPACKED("mbart"), "{\"normalize_before\": false}", "normalize_before"},
      {UNPACKED("m2m_100"), "{\"pad_token_id\": -1}", "pad_token_id"},
      {UNPACKED("pegasus"), "{\"encoder_attention_heads\": 5}", "encoder_attention_heads 5"},
      {UNPACKED("fsmt"), "{\"tie_word_embeddings\": true}", "tie_word_embeddings"},
      {UNPACKED("fsmt"), "{\"src_vocab_size\": null}", "\"src_vocab_size\" is missing"},
      {UNPACKED("seamless_m4t"), "{\"hidden_size\": 36}", "expected [300, 36]"},
      {UNPACKED("t5"), "{\"feed_forward_proj\": \"gated-gelu-new\"}", "\"feed_forward_proj\" is \"gated-gelu-new\""},
      {UNPACKED("t5"), "{\"dense_act_fn\": \"mish\"}", "unknown activation \"mish\""},
      {UNPACKED("t5"), "{\"is_gated_act\": true}", "wi_0.weight"},
      {UNPACKED("t5"), "{\"d_kv\": 7}", "[32, 32], expected [28, 32]"},
      {UNPACKED("t5"), "{\"num_decoder_layers\": 3}", "decoder.block.2."},
      {UNPACKED("t5"), "{\"tie_word_embeddings\": false}", "lm_head.weight"},
      {UNPACKED("t5"), "{\"tie_encoder_decoder\": true}", "tie_encoder_decoder"},
      {UNPACKED("t5"), "{\"relative_attention_max_distance\": 16}", "relative_attention_max_distance 16"},
      {UNPACKED("t5"), "{\"relative_attention_num_buckets\": 3}", "relative_attention_num_buckets"},
      {UNPACKED("t5"), "{\"relative_attention_num_buckets\": 30}", "[32, 4], expected [30, 4]"},
      {UNPACKED("nllb-moe"), "{\"moe_eval_capacity_token_fraction\": 0.5}", "moe_eval_capacity_token_fraction"},
      {UNPACKED("nllb-moe"), "{\"second_expert_policy\": \"sampling\"}", "second_expert_policy"},
      {UNPACKED("nllb-moe"), "{\"router_dtype\": \"bfloat16\"}", "router_dtype"},
      {UNPACKED("nllb-moe"), "{\"num_experts\": 5}", "[4, 32], expected [5, 32]"},
      {UNPACKED("nllb-moe"), "{\"num_experts\": 3}", "[4, 32], expected [3, 32]"},
      {UNPACKED("mixtral"), "{\"num_local_experts\": 5}", "[4, 32], expected [5, 32]"},
      {UNPACKED("mixtral"), "{\"num_local_experts\": 2000}", "num_local_experts"},
      {UNPACKED("mixtral"), "{\"num_experts_per_tok\": 5}", "num_experts_per_tok"},
      {UNPACKED("mixtral"), "{\"intermediate_size\": 47}", "[48, 32], expected [47, 32]"},
      {UNPACKED("qwen2_moe"), "{\"mlp_only_layers\": 1}", "expected a list of integers"},
      {UNPACKED("qwen2_moe"), "{\"mlp_only_layers\": [\"1\"]}", "expected a list of integers"},
      {UNPACKED("qwen2_moe"), "{\"mlp_only_layers\": [1]}", "model.layers.1.mlp.gate_proj.weight"},
      {UNPACKED("qwen2_moe"), "{\"decoder_sparse_step\": 0}", "decoder_sparse_step"},
      {UNPACKED("granitemoe"), "{\"intermediate_size\": 24}", "[4, 96, 32], expected [4, 48, 32]"},
      {UNPACKED("dbrx"), "{\"tie_word_embeddings\": true}", "tie_word_embeddings"},
      {UNPACKED("dbrx"), "{\"attn_config\": {\"kv_n_heads\": 3}}", "kv_n_heads 3"},
      {UNPACKED("dbrx"), "{\"ffn_config\": {\"moe_normalize_expert_weights\": -1}}",
       "\"moe_normalize_expert_weights\": -1 is not supported"},
      {UNPACKED("dbrx"), "{\"ffn_config\": {\"ffn_act_fn\": {\"name\": \"gelu\", \"approximate\": \"tanh\"}}}", "ffn_act_fn"},
      {UNPACKED("gpt_oss"), "{\"quantization_config\": {\"quant_method\": \"mxfp4\"}}", "\"quantization_config\""},
      {UNPACKED("gpt_oss"), "{\"layer_types\": [\"full_attention\", \"linear_attention\"]}", "\"linear_attention\""},
      {UNPACKED("gpt_oss"), "{\"hidden_act\": \"gelu\"}", "hidden_act"},
      {UNPACKED("glm4_moe"), "{\"n_group\": 3}", "8 experts do not make 3 groups"},
      {UNPACKED("glm4_moe"), "{\"topk_group\": 5}", "4 groups of which 5"},
      {UNPACKED("dots1"), "{\"layer_types\": [\"full_attention\"]}", "expected a list of 3 texts"},
      {UNPACKED("ernie4_5_moe"), "{\"moe_k\": 7}", "moe_k"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    refused(cases[i].folder, &(model_edit){.config = cases[i].config}, CI_EMODEL, cases[i].named);
}

static void missing_files_are_named(void **state) {
  (void)state;
  const char *gpt2 = GOLDEN "models/gpt2";
  refused(gpt2, &(model_edit){.left_out = "config.json"}, CI_EFILE, "config.json");
  refused(gpt2, &(model_edit){.left_out = "model.safetensors"}, CI_EFILE, "model.safetensors");
  refused(gpt2, &(model_edit){.left_out = "tokenizer.json"}, CI_EFILE, "tokenizer.json");
  refused(GOLDEN "models/marian", &(model_edit){.left_out = "source.spm"}, CI_EFILE, "source.spm");
  ci_error err = {0};
  ci_model *model;
  assert_int_equal(ci_model_open("/nowhere/model", NULL, NULL, NULL, NULL, &model, &err), CI_EINVAL);
  assert_string_equal(err.where, "/nowhere/model");
}

/* Files that the hub's folders often lack. */
static void optional_files(void **state) {
  (void)state;
  static const char *const files[] = {"generation_config.json", "tokenizer_config.json", "special_tokens_map.json"},
                           *const folders[] = {"gpt2", "llama", "marian"};
  for (size_t i = 0; i < 3; i++)
    for (size_t k = 0; k < 3; k++) {
      char folder[300];
      snprintf(folder, sizeof folder, GOLDEN "models/%s", folders[k]);
      char *edited = edited_model(folder, &(model_edit){.left_out = files[i]});
      ci_error err = {0};
      ci_model *model;
      if (ci_model_open(edited, NULL, NULL, NULL, NULL, &model, &err))
        fail_msg("%s without %s: %s: %s", folders[k], files[i], err.where, err.message);
      if (i == 0) assert_null(model->generation_config);
      ci_model_close(model);
      edited_remove(edited);
    }
}

/* model_kwargs lie over config.json: fewer layers leave tensors over. */
static void kwargs_override(void **state) {
  (void)state;
  json_t *kwargs = json_pack("{s:i}", "n_layer", 1);
  warnings w = {0}, none = {0};
  float one[MOST_LOGITS], two[MOST_LOGITS];
  size_t n;
  logits_of(GOLDEN "models/gpt2", NULL, &none, two, &n);
  logits_of(GOLDEN "models/gpt2", kwargs, &w, one, &n);
  json_decref(kwargs);
  assert_int_equal(w.count, 1);
  assert_non_null(strstr(w.last, "transformer.h.1."));
  assert_memory_not_equal(one, two, n * sizeof(float));
}

/* tgt_lang is a token of the tokenizer, as it is or between underscores. */
static void a_target_language_is_a_token(void **state) {
  (void)state;
  static const struct {
    const char *code;
    bool known;
  } cases[] = {{"▁I", true}, {"unk>", false}, {"", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *kwargs = json_pack("{s:s}", "tgt_lang", cases[i].code);
    ci_error err = {0};
    ci_model *model = NULL;
    ci_status status = ci_model_open(GOLDEN "models/marian", NULL, kwargs, NULL, NULL, &model, &err);
    assert_int_equal(status, cases[i].known ? CI_OK : CI_EINVAL);
    if (status)
      assert_non_null(strstr(err.message, "tgt_lang"));
    else
      assert_int_equal(model->target_language, ci_tokenizer_id(model->tokenizer, cases[i].code));
    ci_model_close(model);
    json_decref(kwargs);
  }
}

/* The same weights in shards give the same bits; in half precision nearly the same. */
static void formats_agree(void **state) {
  (void)state;
  warnings w = {0};
  float llama[MOST_LOGITS], other[MOST_LOGITS];
  size_t n;
  logits_of(GOLDEN "models/llama", NULL, &w, llama, &n);
  logits_of(GOLDEN "formats/llama-sharded", NULL, &w, other, &n);
  assert_memory_equal(llama, other, n * sizeof(float));
  logits_of(GOLDEN "formats/llama-f16", NULL, &w, other, &n);
  for (size_t i = 0; i < n; i++) assert_float_equal(other[i], llama[i], 0.02);
  logits_of(GOLDEN "formats/llama-bf16", NULL, &w, other, &n);
  for (size_t i = 0; i < n; i++) assert_float_equal(other[i], llama[i], 0.2);
  assert_int_equal(w.count, 0);
}

static void architectures(void **state) {
  (void)state;
  size_t n = 0;
  for (const ci_architecture *a; (a = ci_architecture_at(n)) != NULL; n++) {
    assert_non_null(a->id);
    assert_non_null(a->class_name);
    assert_non_null(a->help);
    assert_non_null(a->build);
    assert_true(ci_ends_with(a->prefix, "."));
  }
  assert_true(n >= 3);
}

int main(void) {
  static golden_list list;
  golden_add_one(&list, "folders_open", folders_open, "folders", NULL);
  golden_add_one(&list, "names_match_without_prefix", names_match_without_prefix, "folders", NULL);
  golden_add_one(&list, "buffers_and_tied_copies_are_ignored", buffers_and_tied_copies_are_ignored, "folders", NULL);
  golden_add_one(&list, "left_over_tensors_are_warned_of", left_over_tensors_are_warned_of, "folders", NULL);
  golden_add_one(&list, "wrong_shapes_and_types_are_named", wrong_shapes_and_types_are_named, "folders", NULL);
  golden_add_one(&list, "wrong_configurations_are_named", wrong_configurations_are_named, "folders", NULL);
  golden_add_one(&list, "missing_files_are_named", missing_files_are_named, "folders", NULL);
  golden_add_one(&list, "optional_files", optional_files, "folders", NULL);
  golden_add_one(&list, "a_target_language_is_a_token", a_target_language_is_a_token, "folders", NULL);
  golden_add_one(&list, "kwargs_override", kwargs_override, "folders", NULL);
  golden_add_one(&list, "formats_agree", formats_agree, "folders", NULL);
  golden_add_one(&list, "architectures", architectures, "folders", NULL);
  golden_add(&list, "missing_tensors_are_named", missing_tensors_are_named);
  return golden_run(&list, NULL, NULL);
}
