/* Slow classes over one SentencePiece model whose ids are not the pieces' numbers: XLM-R, XGLM, mBART, mBART-50, NLLB,
 * Pegasus, M2M100. Rows of spm_layouts.def. Follows the classes' files in transformers 4.57.6,
 * models/X/tokenization_X.py. */
#define _GNU_SOURCE /* memmem */
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/language_ends.h"
#include "tokenizers/scan.h"
#include "tokenizers/slow.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *class_name, *vocabulary, *first;
  int32_t offset;
  const char *codes;
  bool placed, special;
  const char *last, *ends, *join;
} layout;

static const layout layouts[] = {
#define CI_SPM_LAYOUT(name, vocabulary, first, offset, codes, placed, special, last, ends, join)                       \
  {name, vocabulary, first, offset, codes, placed, special, last, ends, join},
#include "tokenizers/spm_layouts.def"
#undef CI_SPM_LAYOUT
};

typedef struct {
  const layout *row;
  ci_spm *spm;
  ci_trie trie;
  ci_ends ends;
  char *unknown;      /* unk_token */
  int32_t unknown_id; /* of pieces that have none */
} pieces;

typedef struct {
  const ci_tokenizer *tokenizer;
  ci_ids *ids;
  ci_error *err;
} sink;

static ci_status take(void *context, ci_piece piece) {
  sink *to = context;
  int32_t id = ci_vocabulary_id(&to->tokenizer->vocabulary, piece.text, piece.length);
  return ci_ids_add(to->ids, id < 0 ? ((const pieces *)to->tokenizer->state)->unknown_id : id, to->err);
}

static ci_status part(const ci_tokenizer *t, const void *context, const char *text, size_t length, ci_ids *ids,
                      ci_error *err) {
  (void)context;
  sink to = {t, ids, err};
  return ci_spm_encode(((const pieces *)t->state)->spm, text, length, take, &to, err);
}

static ci_status encode(const ci_tokenizer *t, const char *text, size_t length, unsigned flags, ci_ids *ids,
                        ci_error *err) {
  const pieces *p = t->state;
  bool special = flags & CI_ENCODE_SPECIAL;
  int side;
  ci_status status = ci_ends_side(&p->ends, flags, &side, err);
  if (!status && special) status = ci_ends_add(&p->ends.before[side], ids, err);
  if (!status) status = ci_slow_encode(t, &p->trie, text, length, part, NULL, ids, err);
  return !status && special ? ci_ends_add(&p->ends.after[side], ids, err) : status;
}

/* "".join(tokens).replace("▁", " ") */
static void join_plain(const ci_piece *tokens, size_t count, ci_text *text) {
  static const char mark[] = "\xE2\x96\x81";
  for (size_t i = 0; i < count; i++) {
    const char *at = tokens[i].text, *end = at + tokens[i].length, *found;
    for (; (found = memmem(at, (size_t)(end - at), mark, 3)) != NULL; at = found + 3) {
      ci_text_add_n(text, at, (size_t)(found - at));
      ci_text_add(text, " ");
    }
    ci_text_add_n(text, at, (size_t)(end - at));
  }
}

static ci_status join_by_model(const ci_tokenizer *t, ci_piece *tokens, size_t count, ci_text *text, ci_error *err) {
  const pieces *p = t->state;
  bool spaced = strcmp(p->row->join, "spaced") == 0, special_before = false;
  size_t start = 0;
  ci_status status = CI_OK;
  for (size_t i = 0; i < count && !status; i++) {
    bool special = ci_slow_is_special(t, tokens[i]);
    if (special) {
      if (spaced && !special_before) ci_text_add(text, " ");
      status = ci_spm_decode(p->spm, tokens + start, i - start, text, err);
      ci_text_add_n(text, tokens[i].text, tokens[i].length);
      start = i + 1;
    }
    special_before = special;
  }
  return status ? status : ci_spm_decode(p->spm, tokens + start, count - start, text, err);
}

static ci_status join(const ci_tokenizer *t, ci_piece *tokens, size_t count, ci_text *text, ci_error *err) {
  const pieces *p = t->state;
  ci_text joined = {0};
  ci_status status = CI_OK;
  if (strcmp(p->row->join, "plain") == 0)
    join_plain(tokens, count, &joined);
  else
    status = join_by_model(t, tokens, count, &joined, err);
  if (joined.data) ci_slow_add_stripped(text, joined.data, joined.length);
  if (joined.failed) text->failed = true;
  ci_text_free(&joined);
  return status;
}

static ci_status decode(const ci_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, ci_text *text,
                        ci_error *err) {
  return ci_slow_decode(t, ids, count, skip_special, true, ((const pieces *)t->state)->unknown, join, text, err);
}

static ci_status to_text(const ci_tokenizer *t, const char *token, ci_text *text, ci_error *err) {
  return ci_slow_to_text(t, token, join, text, err);
}

static void close_pieces(void *state) {
  pieces *p = state;
  ci_spm_close(p->spm);
  ci_trie_free(&p->trie);
  ci_ends_free(&p->ends);
  ci_free(p->unknown);
  ci_free(p);
}

/* Calls each(context, token) for the tokens of a list; <a{2-9}> is <a2> to <a9>. */
static ci_status each_token(const char *list, ci_status (*each)(void *context, const char *token), void *context,
                            ci_error *err) {
  ci_status status = CI_OK;
  for (const char *at = list; *at && !status;) {
    size_t n = strcspn(at, " "), brace = strcspn(at, " {");
    long from = 0, to = 0;
    if (at[brace] == '{') sscanf(at + brace, "{%ld-%ld}", &from, &to);
    const char *rest = at[brace] == '{' ? strchr(at, '}') + 1 : at + n;
    for (long i = from; i <= to && !status; i++) {
      ci_text token = {0};
      ci_text_add_n(&token, at, at[brace] == '{' ? brace : n);
      if (at[brace] == '{') ci_text_add_format(&token, "%ld%.*s", i, (int)(at + n - rest), rest);
      status = token.failed ? ci_fail_memory(err) : each(context, token.data);
      ci_text_free(&token);
    }
    at += n + (at[n] == ' ');
  }
  return status;
}

typedef struct {
  ci_tokenizer *tokenizer;
  const ci_tokenizer_source *source;
  int64_t next; /* id */
  json_t *list; /* of additional special tokens */
  ci_error *err;
} adding;

static ci_status add_numbered(void *context, const char *token) {
  adding *a = context;
  return ci_vocabulary_add(&a->tokenizer->vocabulary, a->source->folder, token, strlen(token), a->next++, a->err);
}

static ci_status add_special(void *context, const char *token) {
  adding *a = context;
  size_t i;
  const json_t *there;
  json_array_foreach(a->list, i, there) {
    if (json_is_object(there)) there = json_object_get(there, "content");
    if (json_is_string(there) && strcmp(json_string_value(there), token) == 0) return CI_OK;
  }
  return json_array_append_new(a->list, json_string(token)) ? ci_fail_memory(a->err) : CI_OK;
}

/* ids: the first tokens, the pieces, the codes, the last one. */
static ci_status number_pieces(ci_tokenizer *t, const ci_tokenizer_source *source, const char *path, ci_error *err) {
  const pieces *p = t->state;
  adding a = {t, source, 0, NULL, err};
  ci_status status = CI_OK;
  int32_t count = ci_spm_count(p->spm);
  if (p->row->vocabulary) status = ci_scan_vocabulary_file(source->folder, p->row->vocabulary, &t->vocabulary, err);
  for (int32_t i = 0; i < count && !status && !p->row->vocabulary; i++) {
    ci_piece piece = ci_spm_piece(p->spm, i);
    status = ci_vocabulary_add(&t->vocabulary, path, piece.text, piece.length, i + p->row->offset, err);
  }
  if (!status) status = each_token(p->row->first, add_numbered, &a, err);
  size_t size = p->row->vocabulary ? t->vocabulary.count : (size_t)count + (size_t)p->row->offset;
  a.next = (int64_t)size;
  if (!status && p->row->placed) status = each_token(p->row->codes, add_numbered, &a, err);
  if (!status) status = each_token(p->row->last, add_numbered, &a, err);
  t->base_size = p->row->vocabulary ? size : (size_t)a.next;
  return status;
}

/* The constructor's additional special tokens join those of the files; those that are not placed only where there are
 * none. */
static ci_status add_codes(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  const pieces *p = t->state;
  json_t *given = json_object_get(source->settings, "additional_special_tokens");
  if (!p->row->special || !*p->row->codes || (!p->row->placed && json_is_array(given))) return CI_OK;
  json_t *list = json_is_array(given) ? json_copy(given) : json_array();
  adding a = {t, source, 0, list, err};
  ci_status status = list ? each_token(p->row->codes, add_special, &a, err) : ci_fail_memory(err);
  if (!status && json_object_set(source->settings, "additional_special_tokens", list)) status = ci_fail_memory(err);
  json_decref(list);
  return status;
}

static ci_status read_ends(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  pieces *p = t->state;
  ci_ids *ids = &p->ends.before[0];
  ci_status status = CI_OK;
  if (!p->row->ends) {
    p->ends.languages = ci_source_languages(source);
    return p->ends.languages ? ci_ends_of_languages(t, source, &p->ends, err) : CI_OK;
  }
  for (const char *c = p->row->ends; *c && !status; c++) {
    const char *role = *c == 'C' ? "cls_token" : *c == 'P' ? "sep_token" : "eos_token";
    int32_t id = *c == '^' ? 0 : ci_tokenizer_role(t, source, role);
    if (id < 0) return ci_fail(err, CI_EFILE, source->config_path, "there is no %s, which every text gets", role);
    if (*c == '^')
      ids = &p->ends.after[0];
    else
      status = ci_ids_add(ids, id, err);
  }
  return status;
}

static ci_status read_unknown(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  pieces *p = t->state;
  ci_added_token token;
  bool found;
  ci_status status = ci_source_special(source, "unk_token", &found, &token, err);
  if (status) return status;
  p->unknown_id = ci_tokenizer_role(t, source, "unk_token");
  if (!found || p->unknown_id < 0)
    return ci_fail(err, CI_EFILE, source->config_path, "there is no unk_token in the vocabulary");
  p->unknown = ci_duplicate_n(token.content, token.length);
  return p->unknown ? CI_OK : ci_fail_memory(err);
}

static ci_status open_pieces(ci_tokenizer *t, const ci_tokenizer_source *source, const char *file, ci_error *err) {
  pieces *p = t->state = ci_alloc_zeroed(1, sizeof *p);
  if (!p) return ci_fail_memory(err);
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
    if (strcmp(layouts[i].class_name, source->class_name) == 0) p->row = &layouts[i];
  if (!p->row) return ci_fail(err, CI_EFILE, source->folder, "%s of a %s cannot be read", file, source->class_name);
  char *path = ci_join_path(source->folder, file);
  ci_status status = path ? ci_spm_open(path, true, &p->spm, err) : ci_fail_memory(err);
  if (!status) status = number_pieces(t, source, path, err);
  ci_free(path);
  if (!status) status = add_codes(t, source, err);
  if (!status) status = ci_tokenizer_add_tokens(t, source, true, err);
  if (!status) status = read_unknown(t, source, err);
  if (!status) status = read_ends(t, source, err);
  return status ? status : ci_slow_trie(t, &p->trie, err);
}

static ci_status open_bpe_model(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  return open_pieces(t, source, "sentencepiece.bpe.model", err);
}

static ci_status open_spiece(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  return open_pieces(t, source, "spiece.model", err);
}

const ci_tokenizer_kind ci_tokenizer_fairseq_spm = {
    .files = {"sentencepiece.bpe.model"},
    .classes = " XLMRobertaTokenizer XGLMTokenizer MBartTokenizer MBart50Tokenizer NllbTokenizer M2M100Tokenizer ",
    .fallback_class = "XLMRobertaTokenizer",
    .open = open_bpe_model,
    .close = close_pieces,
    .encode = encode,
    .decode = decode,
    .to_text = to_text,
};

const ci_tokenizer_kind ci_tokenizer_pegasus_spm = {
    .files = {"spiece.model"},
    .classes = " PegasusTokenizer ",
    .fallback_class = "PegasusTokenizer",
    .open = open_spiece,
    .close = close_pieces,
    .encode = encode,
    .decode = decode,
    .to_text = to_text,
};
