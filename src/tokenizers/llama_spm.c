/* LlamaTokenizer, and T5Tokenizer which differs in what it adds: tokenizer.model is a SentencePiece BPE with byte
 * fallback. AutoTokenizer would convert the file to a fast tokenizer, which gives the same ids; decoded text is the
 * slow class's here: it drops the space that the model put in front and one more at the start, where the fast one drops
 * the first only. legacy (the default) puts SentencePiece's own space before each part between special tokens; legacy:
 * false one before the whole text. */
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/slow.h"
#include <string.h>

static const char mark[] = "\xE2\x96\x81";

typedef struct {
  ci_spm *spm;
  ci_trie trie;
  char *unknown;         /* unk_token, */
  size_t unknown_pieces; /* and of how many pieces it is */
  bool legacy, add_prefix_space, add_bos, add_eos;
  bool t5; /* T5Tokenizer: special tokens always have a space before them in decoded text, which is stripped */
} llama;

typedef struct {
  const ci_tokenizer *tokenizer;
  ci_ids *ids; /* NULL: only counts */
  size_t skip, count;
  ci_error *err;
} sink;

static ci_status take(void *context, ci_piece piece) {
  sink *to = context;
  if (to->count++ < to->skip || !to->ids) return CI_OK;
  const ci_tokenizer *t = to->tokenizer;
  const ci_added_token *added = ci_added_find(&t->added, piece.text, piece.length);
  const llama *l = t->state;
  return ci_ids_add(to->ids, added ? added->id : ci_spm_id(l->spm, piece.text, piece.length), to->err);
}

static bool has_prefix(const char *text, size_t length, const char *prefix) {
  size_t n = strlen(prefix);
  return length >= n && memcmp(text, prefix, n) == 0;
}

static ci_status part(const ci_tokenizer *t, const void *context, const char *text, size_t length, ci_ids *ids,
                      ci_error *err) {
  (void)context;
  const llama *l = t->state;
  sink to = {t, ids, 0, 0, err};
  if (l->legacy || !(has_prefix(text, length, mark) || has_prefix(text, length, " ")))
    return ci_spm_encode(l->spm, text, length, take, &to, err);
  /* SentencePiece would drop the space in front; behind the unknown token, which is cut off again, it stays. */
  ci_text whole = {0};
  ci_text_add(&whole, l->unknown);
  ci_text_add_n(&whole, text, length);
  to.skip = l->unknown_pieces;
  ci_status status =
      whole.failed ? ci_fail_memory(err) : ci_spm_encode(l->spm, whole.data, whole.length, take, &to, err);
  ci_text_free(&whole);
  return status;
}

/* Whether a special token is the first thing in the text but spaces. (A piece that the vocabulary lacks has the id of
 * the unknown token, which is special, too: the id says nothing.) */
static bool begins_special(const ci_tokenizer *t, const char *text, size_t length) {
  size_t at = 0, end;
  uint32_t token;
  while (at < length && text[at] == ' ') at++;
  if (!ci_trie_match(&((const llama *)t->state)->trie, text, length, at, &token, &end)) return false;
  return ci_slow_is_special(t, (ci_piece){text + at, end - at});
}

/* legacy: false. Marks in the text are spaces, and one stands before it; alone before a special token it goes again. */
static ci_status encode_new(const ci_tokenizer *t, const char *text, size_t length, ci_ids *ids, ci_error *err) {
  const llama *l = t->state;
  ci_text marked = {0};
  if (l->add_prefix_space) ci_text_add(&marked, mark);
  for (size_t at = 0; at < length;) {
    bool is_mark = has_prefix(text + at, length - at, mark);
    ci_text_add_n(&marked, is_mark ? " " : text + at, 1);
    at += is_mark ? 3 : 1;
  }
  size_t before = ids->count, prefix = l->add_prefix_space ? strlen(mark) : 0;
  bool special = marked.data && !marked.failed && begins_special(t, marked.data + prefix, marked.length - prefix);
  ci_status status = marked.failed ? ci_fail_memory(err)
                                   : ci_slow_encode(t, &l->trie, marked.data, marked.length, part, NULL, ids, err);
  ci_text_free(&marked);
  if (status || ids->count < before + 2) return status;
  const char *first = ci_tokenizer_token(t, ids->items[before]);
  if (first && strcmp(first, mark) == 0 && special && ci_tokenizer_is_special(t, ids->items[before + 1])) {
    ids->count--;
    memmove(ids->items + before, ids->items + before + 1, (ids->count - before) * sizeof *ids->items);
  }
  return CI_OK;
}

static ci_status encode(const ci_tokenizer *t, const char *text, size_t length, unsigned flags, ci_ids *ids,
                        ci_error *err) {
  const llama *l = t->state;
  size_t given = ids->count;
  ci_status status = CI_OK;
  if (flags & CI_ENCODE_SPECIAL && l->add_bos) status = ci_ids_add(ids, t->facts.bos, err);
  if (!status && (l->legacy || !length)) status = ci_slow_encode(t, &l->trie, text, length, part, NULL, ids, err);
  if (!status && !l->legacy && length) status = encode_new(t, text, length, ids, err);
  if (status || !(flags & CI_ENCODE_SPECIAL) || !l->add_eos) return status;
  bool ended = l->t5 && ids->count > given &&
               ids->items[ids->count - 1] == t->facts.eos; /* T5 adds none to a text that has it */
  return ended ? CI_OK : ci_ids_add(ids, t->facts.eos, err);
}

static ci_status join(const ci_tokenizer *t, ci_piece *tokens, size_t count, ci_text *text, ci_error *err) {
  const llama *l = t->state;
  if (l->add_prefix_space && has_prefix(tokens[0].text, tokens[0].length, mark))
    tokens[0] = (ci_piece){tokens[0].text + 3, tokens[0].length - 3};
  ci_status status = CI_OK;
  size_t start = 0; /* of the tokens that wait for the model */
  bool special_before = false;
  ci_text whole = {0}, *out = text;
  if (l->t5) text = &whole;
  for (size_t i = 0; i < count && !status; i++) {
    bool special = ci_slow_is_special(t, tokens[i]);
    if (special) {
      if (!special_before && (l->t5 || (i && l->legacy))) ci_text_add(text, " ");
      status = ci_spm_decode(l->spm, tokens + start, i - start, text, err);
      ci_text_add_n(text, tokens[i].text, tokens[i].length);
      start = i + 1;
    } else if (!l->t5 && special_before && i == 1 && l->add_prefix_space &&
               !has_prefix(tokens[i].text, tokens[i].length, mark)) {
      ci_text_add(text, " ");
    }
    special_before = special;
  }
  if (!status) status = ci_spm_decode(l->spm, tokens + start, count - start, text, err);
  if (whole.data) ci_slow_add_stripped(out, whole.data, whole.length);
  if (whole.failed) out->failed = true;
  ci_text_free(&whole);
  return status;
}

static ci_status decode(const ci_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, ci_text *text,
                        ci_error *err) {
  return ci_slow_decode(t, ids, count, skip_special, true, NULL, join, text, err);
}

static ci_status to_text(const ci_tokenizer *t, const char *token, ci_text *text, ci_error *err) {
  return ci_slow_to_text(t, token, join, text, err);
}

static void close_llama(void *state) {
  llama *l = state;
  ci_spm_close(l->spm);
  ci_trie_free(&l->trie);
  ci_free(l->unknown);
  ci_free(l);
}

static ci_status read_flags(llama *l, const ci_tokenizer_source *source, ci_error *err) {
  ci_status status = ci_source_flag(source, "legacy", true, &l->legacy, err);
  if (!status) status = ci_source_flag(source, "add_prefix_space", true, &l->add_prefix_space, err);
  if (!status && l->t5) return l->add_eos = true, CI_OK;
  if (!status) status = ci_source_flag(source, "add_bos_token", true, &l->add_bos, err);
  return status ? status : ci_source_flag(source, "add_eos_token", false, &l->add_eos, err);
}

static ci_status read_pieces(ci_tokenizer *t, const char *path, ci_error *err) {
  const llama *l = t->state;
  ci_status status = CI_OK;
  for (int32_t id = 0, count = ci_spm_count(l->spm); id < count && !status; id++) {
    ci_piece piece = ci_spm_piece(l->spm, id);
    status = ci_vocabulary_add(&t->vocabulary, path, piece.text, piece.length, id, err);
  }
  t->base_size = t->vocabulary.count;
  return status;
}

static ci_status read_unknown(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  llama *l = t->state;
  ci_added_token token;
  bool found;
  ci_status status = ci_source_special(source, "unk_token", &found, &token, err);
  if (status) return status;
  if (!found) return ci_fail(err, CI_EFILE, source->config_path, "\"unk_token\" is null, expected a token");
  l->unknown = ci_duplicate_n(token.content, token.length);
  if (!l->unknown) return ci_fail_memory(err);
  sink count = {t, NULL, 0, 0, err};
  status = ci_spm_encode(l->spm, l->unknown, token.length, take, &count, err);
  l->unknown_pieces = count.count;
  return status;
}

static ci_status require_role(const ci_tokenizer *t, const ci_tokenizer_source *source, const char *role, bool needed,
                              ci_error *err) {
  if (!needed || ci_tokenizer_role(t, source, role) >= 0) return CI_OK;
  return ci_fail(err, CI_EFILE, source->config_path, "add_%s is true, but there is no %s", role, role);
}

/* T5's <extra_id_0> ... stand behind the pieces, the last one first. They take the white space around them along. */
static ci_status add_extra_ids(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  int64_t extra;
  json_t *given = json_object_get(source->settings, "additional_special_tokens");
  ci_status status = ci_json_get_int(source->settings, source->config_path, "extra_ids", 100, 0, 10000, &extra, err);
  json_t *list = json_is_array(given) ? json_copy(given) : json_array();
  if (!status && !list) status = ci_fail_memory(err);
  bool named = false;
  for (size_t i = 0; i < json_array_size(given); i++) {
    const json_t *token = json_array_get(given, i);
    const char *content = json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
    named |= content && strstr(content, "<extra_id_");
  }
  for (int64_t i = 0; i < extra && !status; i++) {
    char name[32];
    snprintf(name, sizeof name, "<extra_id_%d>", (int)i);
    ci_added_token token = {name,           strlen(name),   (int32_t)((int64_t)t->base_size - 1 + extra - i),
                            .lstrip = true, .rstrip = true, .special = true};
    status = ci_tokenizer_add_token(t, source->config_path, token, true, err);
    if (!status && !named && json_array_append_new(list, json_string(name))) status = ci_fail_memory(err);
  }
  if (!status && json_object_set(source->settings, "additional_special_tokens", list)) status = ci_fail_memory(err);
  json_decref(list);
  return status;
}

static ci_status open_model(ci_tokenizer *t, const ci_tokenizer_source *source, const char *file, bool t5,
                            ci_error *err) {
  llama *l = t->state = ci_alloc_zeroed(1, sizeof *l);
  char *path = ci_join_path(source->folder, file);
  if (l) l->t5 = t5;
  ci_status status = l && path ? read_flags(l, source, err) : ci_fail_memory(err);
  if (!status) status = ci_spm_open(path, l->legacy, &l->spm, err);
  if (!status) status = read_pieces(t, path, err);
  ci_free(path);
  if (!status) status = read_unknown(t, source, err);
  if (!status && t5) status = add_extra_ids(t, source, err);
  if (!status) status = ci_tokenizer_add_tokens(t, source, true, err);
  if (!status) status = require_role(t, source, "bos_token", l->add_bos, err);
  if (!status) status = require_role(t, source, "eos_token", l->add_eos, err);
  return status ? status : ci_slow_trie(t, &l->trie, err);
}

static ci_status open_llama(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  return open_model(t, source, "tokenizer.model", false, err);
}

static ci_status open_t5(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  return open_model(t, source, "spiece.model", true, err);
}

const ci_tokenizer_kind ci_tokenizer_llama_spm = {
    .files = {"tokenizer.model"},
    .classes = " LlamaTokenizer ",
    .fallback_class = "LlamaTokenizer",
    .open = open_llama,
    .close = close_llama,
    .encode = encode,
    .decode = decode,
    .to_text = to_text,
};

const ci_tokenizer_kind ci_tokenizer_t5_spm = {
    .files = {"spiece.model"},
    .classes = " T5Tokenizer MT5Tokenizer ",
    .fallback_class = "T5Tokenizer",
    .open = open_t5,
    .close = close_llama,
    .encode = encode,
    .decode = decode,
    .to_text = to_text,
};
