/* The tokenizer inside a GGUF file, written out as the tokenizer.json of the same tokenizer and read as that:
 * tokenizer.ggml.model says which model it is, tokenizer.ggml.pre how text is cut before it. As transformers'
 * integrations/ggml.py and llama.cpp's llama-vocab.cpp have it. */
#include "formats/gguf.h"
#include "base/memory.h"
#include "tokenizers/pipeline.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 }; /* tokenizer.ggml.token_type */

typedef struct {
  const ci_gguf *gguf;
  ci_gguf_text *tokens;
  const uint8_t *kinds;  /* int32 each; NULL: all normal */
  const uint8_t *scores; /* float32 each; NULL: none */
  size_t count;
  ci_text json;
  ci_error *err;
} writing;

static int32_t kind_of(const writing *w, size_t id) {
  int32_t kind = NORMAL;
  if (w->kinds) memcpy(&kind, w->kinds + 4 * id, sizeof kind);
  return kind;
}

static float score_of(const writing *w, size_t id) {
  float score = 0;
  if (w->scores) memcpy(&score, w->scores + 4 * id, sizeof score);
  return score;
}

static void add_inside(ci_text *json, const char *bytes, size_t length) {
  for (size_t i = 0, from = 0; i <= length; i++) {
    unsigned char c = i < length ? (unsigned char)bytes[i] : '"';
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    ci_text_add_n(json, bytes + from, i - from);
    from = i + 1;
    if (i < length) ci_text_add_format(json, "\\u%04x", c);
  }
}

static void add_string(ci_text *json, const char *bytes, size_t length) {
  ci_text_add(json, "\"");
  add_inside(json, bytes, length);
  ci_text_add(json, "\"");
}

/* An array beside the tokens, as long as they are. */
static ci_status beside(const writing *w, const char *key, const char *expected, size_t size, const uint8_t **at) {
  const ci_gguf_value *value = ci_gguf_find(w->gguf, key);
  *at = NULL;
  if (!value) return CI_OK;
  if (!value->array || value->count != w->count || ci_gguf_member_size(value) != size)
    return ci_fail(w->err, CI_EFILE, w->gguf->file, "key \"%s\": expected an array of %zu %s, one a token", key,
                   w->count, expected);
  *at = value->at;
  return CI_OK;
}

static ci_status read_tokens(writing *w) {
  const ci_gguf_value *tokens = ci_gguf_find(w->gguf, "tokenizer.ggml.tokens");
  if (!ci_gguf_is_strings(tokens))
    return ci_fail(w->err, CI_EFILE, w->gguf->file, "key \"tokenizer.ggml.tokens\": expected an array of strings");
  w->count = (size_t)tokens->count;
  w->tokens = ci_alloc(w->count, sizeof *w->tokens);
  if (!w->tokens) return ci_fail_memory(w->err);
  const uint8_t *at = tokens->at;
  for (size_t i = 0; i < w->count; i++) {
    w->tokens[i] = ci_gguf_next(&at);
    if (!ci_utf8_valid(w->tokens[i].bytes, w->tokens[i].length))
      return ci_fail(w->err, CI_EFILE, w->gguf->file, "key \"tokenizer.ggml.tokens\": token %zu is not UTF-8", i);
  }
  ci_status status = beside(w, "tokenizer.ggml.token_type", "int32", 4, &w->kinds);
  return status ? status : beside(w, "tokenizer.ggml.scores", "float32", 4, &w->scores);
}

/* What is matched whole in a text: control tokens, which are special, and the model maker's own. */
static void add_added(writing *w) {
  const char *comma = "";
  ci_text_add(&w->json, "{\"version\":\"1.0\",\"added_tokens\":[");
  for (size_t id = 0; id < w->count; id++) {
    int32_t kind = kind_of(w, id);
    if ((kind != CONTROL && kind != USER_DEFINED && kind != UNKNOWN) || !w->tokens[id].length) continue;
    ci_text_add_format(&w->json, "%s{\"id\":%zu,\"content\":", comma, id);
    add_string(&w->json, w->tokens[id].bytes, w->tokens[id].length);
    ci_text_add_format(&w->json,
                       ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":%s}",
                       kind == USER_DEFINED ? "false" : "true");
    comma = ",";
  }
  ci_text_add(&w->json, "],");
}

static void add_vocabulary(writing *w) {
  ci_text_add(&w->json, "\"vocab\":{");
  for (size_t id = 0; id < w->count; id++) {
    add_string(&w->json, w->tokens[id].bytes, w->tokens[id].length);
    ci_text_add_format(&w->json, id + 1 < w->count ? ":%zu," : ":%zu", id);
  }
  ci_text_add(&w->json, "}");
}

/* How text is cut before byte-level BPE, by tokenizer.ggml.pre. */
enum { EXPRESSIONS = 6 };
static const struct {
  const char *id;
  bool digits, ignore_merges, nfc, bos;
  const char *expressions[EXPRESSIONS];
} kinds[] = {
#define CI_PRE(id, digits, ignore_merges, nfc, bos, ...) {id, digits, ignore_merges, nfc, bos, {__VA_ARGS__}},
#include "tokenizers/gguf_pre.def"
#undef CI_PRE
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static ci_status find_pre(const writing *w, size_t *kind) {
  ci_gguf_text id;
  ci_status status = ci_gguf_string(w->gguf, "tokenizer.ggml.pre", (ci_gguf_text){"default", 7}, &id, w->err);
  if (status) return status;
  ci_text known = {0};
  for (*kind = 0; *kind < KINDS; ++*kind) {
    if (strlen(kinds[*kind].id) == id.length && memcmp(kinds[*kind].id, id.bytes, id.length) == 0)
      return ci_text_free(&known), CI_OK;
    ci_text_add_format(&known, *kind ? ", %s" : "%s", kinds[*kind].id);
  }
  status = ci_fail(w->err, CI_EFILE, w->gguf->file, "tokenizer.ggml.pre \"%.*s\" is not known, expected one of %s",
                   (int)(id.length < 40 ? id.length : 40), id.bytes, known.data ? known.data : "");
  ci_text_free(&known);
  return status;
}

static void add_pre_tokenizer(writing *w, size_t kind) {
  bool own = kinds[kind].expressions[0] != NULL;
  ci_text_add_format(&w->json, "\"normalizer\":%s,\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[",
                     kinds[kind].nfc ? "{\"type\":\"NFC\"}" : "null");
  if (kinds[kind].digits) ci_text_add(&w->json, "{\"type\":\"Digits\",\"individual_digits\":true},");
  for (int i = 0; i < EXPRESSIONS && kinds[kind].expressions[i]; i++) {
    ci_text_add(&w->json, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
    add_string(&w->json, kinds[kind].expressions[i], strlen(kinds[kind].expressions[i]));
    ci_text_add(&w->json, "},\"behavior\":\"Isolated\",\"invert\":false},");
  }
  ci_text_add_format(&w->json,
                     "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":%s}]},",
                     own ? "false" : "true");
  ci_text_add(
      &w->json,
      "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true},");
}

static ci_status write_byte_level(writing *w) {
  size_t kind;
  const ci_gguf_value *merges = ci_gguf_find(w->gguf, "tokenizer.ggml.merges");
  ci_status status = find_pre(w, &kind);
  if (status) return status;
  if (!ci_gguf_is_strings(merges))
    return ci_fail(w->err, CI_EFILE, w->gguf->file, "key \"tokenizer.ggml.merges\": expected an array of strings");
  add_pre_tokenizer(w, kind);
  ci_text_add_format(&w->json, "\"model\":{\"type\":\"BPE\",\"ignore_merges\":%s,",
                     kinds[kind].ignore_merges ? "true" : "false");
  add_vocabulary(w);
  ci_text_add(&w->json, ",\"merges\":[");
  const uint8_t *at = merges->at;
  for (uint64_t i = 0; i < merges->count; i++) {
    ci_gguf_text merge = ci_gguf_next(&at);
    if (!ci_utf8_valid(merge.bytes, merge.length))
      return ci_fail(w->err, CI_EFILE, w->gguf->file, "key \"tokenizer.ggml.merges\": member %llu is not UTF-8",
                     (unsigned long long)i);
    if (i) ci_text_add(&w->json, ",");
    add_string(&w->json, merge.bytes, merge.length);
  }
  ci_text_add(&w->json, "]}}");
  return CI_OK;
}

typedef struct {
  float score;
  uint32_t whole, left, right;
} merge;

static int best_first(const void *a, const void *b) {
  const merge *x = a, *y = b;
  if (x->score != y->score) return x->score > y->score ? -1 : 1;
  if (x->whole != y->whole) return x->whole < y->whole ? -1 : 1;
  return (x->left > y->left) - (x->left < y->left);
}

/* Bytes of a token that merges make. SentencePiece's are of 16 characters, Gemma's of 48 bytes; merges are written for
 * each cut of a token, so that the work grows with the square of this. */
enum { LONGEST = 128 };

/* SentencePiece's BPE joins the neighbours whose whole has the best score: a merge for each way to cut a token in two.
 */
static ci_status find_merges(const writing *w, const ci_vocabulary *vocabulary, merge **merges, size_t *count) {
  size_t capacity = 0;
  for (size_t id = 0; id < w->count; id++) {
    const ci_gguf_text *t = &w->tokens[id];
    int32_t kind = kind_of(w, id);
    if (kind == CONTROL || kind == BYTE || kind == UNKNOWN ||
        ci_vocabulary_id(vocabulary, t->bytes, t->length) != (int32_t)id)
      continue;
    if (t->length > LONGEST) continue;
    for (size_t cut = 1; cut < t->length; cut++) {
      if (((unsigned char)t->bytes[cut] & 0xc0) == 0x80) continue; /* within a character */
      int32_t left = ci_vocabulary_id(vocabulary, t->bytes, cut),
              right = left < 0 ? -1 : ci_vocabulary_id(vocabulary, t->bytes + cut, t->length - cut);
      if (left < 0 || right < 0) continue;
      if (ci_reserve((void **)merges, &capacity, *count + 1, sizeof **merges)) return ci_fail_memory(w->err);
      (*merges)[(*count)++] = (merge){score_of(w, id), (uint32_t)id, (uint32_t)left, (uint32_t)right};
    }
  }
  if (*count) qsort(*merges, *count, sizeof **merges, best_first);
  return CI_OK;
}

static void add_merges(writing *w, const merge *merges, size_t count) {
  ci_text_add(&w->json, ",\"merges\":[");
  for (size_t i = 0; i < count; i++) {
    const ci_gguf_text *left = &w->tokens[merges[i].left], *right = &w->tokens[merges[i].right];
    ci_text_add(&w->json, i ? ",[" : "[");
    add_string(&w->json, left->bytes, left->length);
    ci_text_add(&w->json, ",");
    add_string(&w->json, right->bytes, right->length);
    ci_text_add(&w->json, "]");
  }
  ci_text_add(&w->json, "]");
}

/* The stages of the Llama tokenizer: a space before the text (a first blank in the model's alphabet), blanks as U+2581.
 */
static void add_spaces(writing *w, bool prefix) {
  ci_text_add_format(
      &w->json,
      "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[%s{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
      "\"content\":\"\xe2\x96\x81\"}]},\"pre_tokenizer\":null,",
      prefix ? "{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"}," : "");
  ci_text_add_format(&w->json,
                     "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
                     "\"\xe2\x96\x81\"},"
                     "\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}%s]},",
                     prefix ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "");
}

static ci_status unknown_id(const writing *w, int64_t *id) {
  ci_status status = ci_gguf_integer(w->gguf, "tokenizer.ggml.unknown_token_id", -1, id, w->err);
  for (size_t i = 0; !status && *id < 0 && i < w->count; i++)
    if (kind_of(w, i) == UNKNOWN) *id = (int64_t)i;
  if (!status && *id >= (int64_t)w->count)
    return ci_fail(w->err, CI_EFILE, w->gguf->file, "tokenizer.ggml.unknown_token_id is %lld, but there are %zu tokens",
                   (long long)*id, w->count);
  return status;
}

static ci_status write_spm(writing *w) {
  bool prefix;
  int64_t unknown;
  ci_status status = ci_gguf_boolean(w->gguf, "tokenizer.ggml.add_space_prefix", true, &prefix, w->err);
  if (!status) status = unknown_id(w, &unknown);
  if (!status && !w->scores)
    status = ci_fail(w->err, CI_EFILE, w->gguf->file, "key \"tokenizer.ggml.scores\" is missing");
  ci_vocabulary vocabulary = {0};
  for (size_t id = 0; id < w->count && !status; id++)
    status =
        ci_vocabulary_add(&vocabulary, w->gguf->file, w->tokens[id].bytes, w->tokens[id].length, (int64_t)id, w->err);
  merge *merges = NULL;
  size_t count = 0;
  if (!status) status = find_merges(w, &vocabulary, &merges, &count);
  if (!status) {
    add_spaces(w, prefix);
    ci_text_add(&w->json, "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"fuse_unk\":true,");
    if (unknown >= 0) {
      ci_text_add(&w->json, "\"unk_token\":");
      add_string(&w->json, w->tokens[unknown].bytes, w->tokens[unknown].length);
      ci_text_add(&w->json, ",");
    }
    add_vocabulary(w);
    add_merges(w, merges, count);
    ci_text_add(&w->json, "}}");
  }
  ci_free(merges);
  ci_vocabulary_free(&vocabulary);
  return status;
}

/* SentencePiece's rules of normalization (base64 of what the model file holds), and runs of blanks to one, as
 * transformers' SpmConverter puts them. */
static ci_status add_normalizer(writing *w) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const ci_gguf_value *map = ci_gguf_find(w->gguf, "tokenizer.ggml.precompiled_charsmap");
  bool squeeze;
  ci_status status = ci_gguf_boolean(w->gguf, "tokenizer.ggml.remove_extra_whitespaces", true, &squeeze, w->err);
  if (status) return status;
  if (map && (!map->array || ci_gguf_member_size(map) != 1))
    return ci_fail(w->err, CI_EFILE, w->gguf->file, "key \"%s\": expected an array of bytes", map->key);
  size_t count = map ? (size_t)map->count : 0;
  ci_text_add(&w->json, "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
  if (count) ci_text_add(&w->json, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
  for (size_t i = 0; i < count; i += 3) {
    size_t left = count - i;
    unsigned bits =
        (unsigned)map->at[i] << 16 | (left > 1 ? (unsigned)map->at[i + 1] << 8 : 0) | (left > 2 ? map->at[i + 2] : 0);
    const char four[] = {digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                         left > 2 ? digits[bits & 63] : '='};
    ci_text_add_n(&w->json, four, sizeof four);
  }
  if (count) ci_text_add(&w->json, squeeze ? "\"}," : "\"}");
  if (squeeze)
    ci_text_add(&w->json, "{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true},{\"type\":\"Replace\","
                          "\"pattern\":{\"Regex\":\" {2,}\"},"
                          "\"content\":\"\xe2\x96\x81\"}");
  ci_text_add(&w->json, "]},");
  return CI_OK;
}

static ci_status write_unigram(writing *w) {
  bool prefix, bytes = false;
  int64_t unknown;
  ci_status status = ci_gguf_boolean(w->gguf, "tokenizer.ggml.add_space_prefix", true, &prefix, w->err);
  if (!status) status = unknown_id(w, &unknown);
  if (!status && !w->scores)
    status = ci_fail(w->err, CI_EFILE, w->gguf->file, "key \"tokenizer.ggml.scores\" is missing");
  if (!status) status = add_normalizer(w);
  if (status) return status;
  const char *scheme = prefix ? "always" : "never";
  for (int i = 0; i < 2; i++)
    ci_text_add_format(
        &w->json,
        "\"%s\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"%s\",\"split\":true},",
        i ? "decoder" : "pre_tokenizer", scheme);
  for (size_t id = 0; id < w->count; id++) bytes = bytes || kind_of(w, id) == BYTE;
  ci_text_add_format(&w->json, "\"model\":{\"type\":\"Unigram\",\"byte_fallback\":%s,", bytes ? "true" : "false");
  if (unknown >= 0) ci_text_add_format(&w->json, "\"unk_id\":%lld,", (long long)unknown);
  ci_text_add(&w->json, "\"vocab\":[");
  for (size_t id = 0; id < w->count; id++) {
    ci_text_add(&w->json, id ? ",[" : "[");
    add_string(&w->json, w->tokens[id].bytes, w->tokens[id].length);
    ci_text_add_format(&w->json, ",%.9g]", (double)score_of(w, id));
  }
  ci_text_add(&w->json, "]}}");
  return CI_OK;
}

static const struct {
  const char *id; /* tokenizer.ggml.model */
  bool bos, eos;  /* added where the file does not say */
  ci_status (*write)(writing *w);
} models[] = {
    {"gpt2", false, false, write_byte_level}, {"llama", true, false, write_spm}, {"t5", false, true, write_unigram}};
enum { MODELS = sizeof models / sizeof *models };

static ci_status find_model(const writing *w, size_t *model) {
  ci_gguf_text id;
  ci_status status = ci_gguf_string(w->gguf, "tokenizer.ggml.model", (ci_gguf_text){"", 0}, &id, w->err);
  if (status) return status;
  for (*model = 0; *model < MODELS; ++*model)
    if (strlen(models[*model].id) == id.length && memcmp(models[*model].id, id.bytes, id.length) == 0) return CI_OK;
  return ci_fail(w->err, CI_EFILE, w->gguf->file,
                 "tokenizer.ggml.model \"%.*s\" is not known, expected gpt2, llama or t5",
                 (int)(id.length < 40 ? id.length : 40), id.bytes);
}

static ci_status set_role(const writing *w, json_t *settings, const char *key, const char *role) {
  int64_t id;
  char full[64];
  snprintf(full, sizeof full, "tokenizer.ggml.%s_token_id", key);
  ci_status status = ci_gguf_integer(w->gguf, full, -1, &id, w->err);
  if (status || id < 0) return status;
  if (id >= (int64_t)w->count)
    return ci_fail(w->err, CI_EFILE, w->gguf->file, "%s is %lld, but there are %zu tokens", full, (long long)id,
                   w->count);
  const ci_gguf_text *t = &w->tokens[id];
  return json_object_set_new(settings, role, json_stringn(t->bytes, t->length)) ? ci_fail_memory(w->err) : CI_OK;
}

/* tokenizer_config.json: roles, which ends are added, the chat template. */
static ci_status make_settings(writing *w, size_t model, void *result) {
  json_t **settings = result;
  static const char *const roles[][2] = {{"bos", "bos_token"},     {"eos", "eos_token"},       {"unknown", "unk_token"},
                                         {"padding", "pad_token"}, {"seperator", "sep_token"}, {"mask", "mask_token"}};
  bool bos = models[model].bos, eos;
  size_t kind;
  ci_gguf_text template;
  ci_status status = CI_OK;
  if (models[model].write == write_byte_level) {
    status = find_pre(w, &kind);
    if (!status) bos = kinds[kind].bos && ci_gguf_find(w->gguf, "tokenizer.ggml.bos_token_id");
  }
  if (!status) status = ci_gguf_boolean(w->gguf, "tokenizer.ggml.add_bos_token", bos, &bos, w->err);
  if (!status) status = ci_gguf_boolean(w->gguf, "tokenizer.ggml.add_eos_token", models[model].eos, &eos, w->err);
  if (!status) status = ci_gguf_string(w->gguf, "tokenizer.chat_template", (ci_gguf_text){NULL, 0}, &template, w->err);
  if (status) return status;
  *settings = json_pack("{s:s,s:b,s:b,s:{}}", "tokenizer_class", "PreTrainedTokenizer", "add_bos_token", bos,
                        "add_eos_token", eos, "added_tokens_decoder");
  if (!*settings) return ci_fail_memory(w->err);
  if (template.bytes && json_object_set_new(*settings, "chat_template", json_stringn(template.bytes, template.length)))
    return ci_fail_memory(w->err);
  for (size_t i = 0; i < sizeof roles / sizeof *roles && !status; i++)
    status = set_role(w, *settings, roles[i][0], roles[i][1]);
  return status;
}

typedef ci_status reading(writing *w, size_t model, void *result);

/* Opens the file and its tokens for `read`. */
static ci_status with_tokens(const char *path, reading *read, void *result, ci_error *err) {
  ci_mapping mapping;
  ci_gguf gguf = {0};
  writing w = {.gguf = &gguf, .err = err};
  size_t model;
  ci_status status = ci_map_file(path, &mapping, err);
  if (status) return status;
  status = ci_gguf_parse(&gguf, path, mapping.bytes, mapping.length, err);
  if (!status) status = read_tokens(&w);
  if (!status) status = find_model(&w, &model);
  if (!status) status = read(&w, model, result);
  ci_free(w.tokens);
  ci_text_free(&w.json);
  ci_gguf_close(&gguf);
  ci_unmap_file(&mapping);
  return status;
}

static ci_status read_settings(const char *path, json_t **settings, ci_error *err) {
  return with_tokens(path, make_settings, settings, err);
}

typedef struct {
  ci_tokenizer *tokenizer;
  const ci_tokenizer_source *source;
} opening;

static ci_status open_document(writing *w, size_t model, void *result) {
  const opening *o = result;
  add_added(w);
  ci_status status = models[model].write(w);
  if (!status && w->json.failed) status = ci_fail_memory(w->err);
  ci_document d = {0};
  if (!status) status = ci_document_read(&d, w->gguf->file, w->json.data, w->json.length, w->err);
  if (!status) status = ci_pipeline_open(o->tokenizer, &d, o->source, w->err);
  ci_document_close(&d);
  return status;
}

static ci_status open_gguf(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  t->state = ci_alloc_zeroed(1, sizeof(ci_pipeline));
  if (!t->state) return ci_fail_memory(err);
  ci_tokenizer_source wrapped = *source;
  wrapped.row.template = true; /* add_bos_token and add_eos_token hold whatever the class is */
  return with_tokens(source->folder, open_document, &(opening){t, &wrapped}, err);
}

const ci_tokenizer_kind ci_tokenizer_gguf = {
    .file_ending = ".gguf",
    .settings = read_settings,
    .fallback_class = "PreTrainedTokenizer",
    .open = open_gguf,
    .close = ci_pipeline_close,
    .encode = ci_pipeline_encode,
    .decode = ci_pipeline_decode,
    .to_text = ci_pipeline_to_text,
};
