/* See pipeline.h. Semantics: the tokenizers library 0.22 (AddedVocabulary, PreTokenizedString). */
#include "tokenizers/pipeline.h"
#include "base/memory.h"
#include <string.h>
#include <utf8proc.h>

static const char *text_of(const ci_spans *spans, size_t i) {
  return spans->text.data ? spans->text.data + spans->items[i].start : "";
}

/* Replaces *now by what a normalizer makes of it. */
static ci_status normalize_by(const ci_part *part, ci_text *now, ci_error *err) {
  ci_text next = {0};
  ci_text_add(&next, "");
  ci_status status = part->kind->normalize(part->state, now->data, now->length, &next, err);
  if (next.failed || now->failed) status = ci_fail_memory(err);
  ci_text_free(now);
  *now = next;
  return status;
}

/* Runs the normalizers one after the other; *out is the last one's text. */
static ci_status normalize(const ci_pipeline *p, const char *text, size_t length, ci_text *out, ci_error *err) {
  ci_text_add_n(out, text, length);
  ci_status status = out->failed ? ci_fail_memory(err) : CI_OK;
  for (size_t i = 0; i < p->normalizers.count && !status; i++) {
    status = normalize_by(&p->normalizers.items[i], out, err);
    if (!status) status = ci_check_growth(length, out->length, err);
  }
  return status;
}

/* \w as Rust's regex has it: alphabetic, marks, decimal digits, connectors and joiners. */
static bool is_word(uint32_t c) {
  static const uint32_t signs[][2] = {{0x200C, 0x200D},
                                      {0x24B6, 0x24E9},
                                      {0x1F130, 0x1F149},
                                      {0x1F150, 0x1F169},
                                      {0x1F170, 0x1F189}}; /* alphabetic and no letters */
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (c >= signs[i][0] && c <= signs[i][1]) return true;
  utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
  return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NL) || k == UTF8PROC_CATEGORY_PC;
}

/* Where the character before `at` begins. */
static size_t back(const char *text, size_t at) {
  do at--;
  while (at && ((unsigned char)text[at] & 0xC0) == 0x80);
  return at;
}

static bool between_words(const char *text, size_t length, size_t start, size_t end) {
  uint32_t c;
  if (start) {
    ci_utf8_next(text, length, back(text, start), &c);
    if (is_word(c)) return false;
  }
  if (end < length) {
    ci_utf8_next(text, length, end, &c);
    if (is_word(c)) return false;
  }
  return true;
}

/* lstrip and rstrip: the white space that goes with the token. */
static void widen(const ci_added_token *token, const char *text, size_t length, size_t done, size_t *start,
                  size_t *end) {
  uint32_t c;
  while (token->lstrip && *start > done) {
    size_t before = back(text, *start);
    ci_utf8_next(text, length, before, &c);
    if (!ci_is_rust_space(c) || before < done) break;
    *start = before;
  }
  while (token->rstrip && *end < length) {
    size_t n = ci_utf8_next(text, length, *end, &c);
    if (!ci_is_rust_space(c)) break;
    *end += n;
  }
}

/* Cuts the added tokens of a trie out of a text: leftmost first, the longest where several start. */
static ci_status cut_added(const ci_added *added, const ci_trie *trie, const char *text, size_t length, bool first,
                           ci_spans *out, ci_error *err) {
  size_t done = 0;
  ci_status status = CI_OK;
  for (size_t at = 0; at < length && !status;) {
    uint32_t which;
    size_t end;
    if (!ci_trie_match(trie, text, length, at, &which, &end)) {
      at++;
      continue;
    }
    size_t start = at;
    at = end; /* the search goes on here, whatever the token's flags say */
    const ci_added_token *token = &added->items[which];
    if (token->single_word && !between_words(text, length, start, end)) continue;
    widen(token, text, length, done, &start, &end);
    if (done < start) status = ci_spans_add(out, text + done, start - done, -1, first && !done, err);
    if (!status) status = ci_spans_add(out, token->content, token->length, token->id, false, err);
    done = end;
  }
  return !status && done < length ? ci_spans_add(out, text + done, length - done, -1, first && !done, err) : status;
}

/* Does the normalized text still begin where the text does? Not when a normalizer drops its first character: when that
 * character before an "a" becomes what an "a" becomes. */
static ci_status keeps_start(const ci_pipeline *p, const char *text, size_t length, bool *keeps, ci_error *err) {
  uint32_t c;
  size_t n = ci_utf8_next(text, length, 0, &c);
  *keeps = true;
  if (c < 0x80 && is_word(c)) return CI_OK;
  ci_text both = {0}, without = {0};
  ci_text_add_n(&both, text, n);
  ci_text_add(&both, "a");
  ci_text_add(&without, "a");
  ci_status status = both.failed || without.failed ? ci_fail_memory(err) : CI_OK;
  for (size_t i = 0; i < p->normalizers.count && *keeps && !status; i++) {
    const ci_part *part = &p->normalizers.items[i];
    status = normalize_by(part, &both, err);
    if (!status) status = normalize_by(part, &without, err);
    if (status || both.length != without.length || memcmp(both.data, without.data, both.length)) continue;
    *keeps = part->kind->keeps_start;
    break;
  }
  ci_text_free(&both);
  ci_text_free(&without);
  return status;
}

/* Added tokens and normalized text. */
static ci_status extract(const ci_tokenizer *t, const char *text, size_t length, ci_spans *out, ci_error *err) {
  const ci_pipeline *p = t->state;
  ci_spans raw = {0};
  ci_status status = cut_added(&t->added, &p->raw, text, length, true, &raw, err);
  for (size_t i = 0; i < raw.count && !status; i++) {
    ci_span span = raw.items[i];
    if (span.id >= 0) {
      status = ci_spans_add(out, text_of(&raw, i), span.length, span.id, false, err);
      continue;
    }
    ci_text normal = {0};
    bool first = span.first;
    status = normalize(p, text_of(&raw, i), span.length, &normal, err);
    if (!status && first) status = keeps_start(p, text_of(&raw, i), span.length, &first, err);
    if (!status && normal.length)
      status = cut_added(&t->added, &p->normalized, normal.data, normal.length, first, out, err);
    ci_text_free(&normal);
  }
  ci_spans_free(&raw);
  return status;
}

static ci_status split_words(const ci_stage *stage, ci_spans *words, ci_error *err) {
  size_t before = words->text.length;
  ci_spans next = {0};
  ci_status status = CI_OK;
  for (size_t k = 0; k < stage->count && !status; k++) {
    ci_spans_clear(&next);
    for (size_t i = 0; i < words->count && !status; i++) {
      ci_span span = words->items[i];
      const ci_part *part = &stage->items[k];
      if (span.id >= 0) {
        status = ci_spans_add(&next, text_of(words, i), span.length, span.id, false, err);
      } else if (span.length) {
        status = part->kind->split(part->state, text_of(words, i), span.length, span.first, &next, err);
      }
      if (next.text.failed) status = ci_fail_memory(err);
    }
    if (!status) status = ci_check_growth(before, next.text.length, err);
    ci_spans swap = *words;
    *words = next;
    next = swap;
  }
  ci_spans_free(&next);
  return status;
}

ci_status ci_pipeline_encode(const ci_tokenizer *t, const char *text, size_t length, unsigned flags, ci_ids *ids,
                             ci_error *err) {
  const ci_pipeline *p = t->state;
  bool special = flags & CI_ENCODE_SPECIAL;
  int side;
  ci_status status = ci_ends_side(&p->ends, flags, &side, err);
  if (status) return status;
  ci_spans words = {0};
  status = extract(t, text, length, &words, err);
  if (!status) status = split_words(&p->pre_tokenizers, &words, err);
  if (!status && special) status = ci_ends_add(&p->ends.before[side], ids, err);
  for (size_t i = 0; i < words.count && !status; i++) {
    ci_span span = words.items[i];
    status = span.id >= 0 ? ci_ids_add(ids, span.id, err)
                          : p->model.kind->encode(p->model.state, text_of(&words, i), span.length, ids, err);
  }
  if (!status && special) status = ci_ends_add(&p->ends.after[side], ids, err);
  ci_spans_free(&words);
  return status;
}

/* Runs the decoders and joins what they leave; without a decoder tokens are joined by spaces. Takes the tokens over. */
static ci_status decode_tokens(const ci_pipeline *p, ci_spans *tokens, ci_text *text, ci_error *err) {
  size_t before = tokens->text.length;
  ci_spans next = {0};
  ci_status status = CI_OK;
  for (size_t i = 0; i < p->decoders.count && !status; i++) {
    ci_spans_clear(&next);
    status = p->decoders.items[i].kind->decode(p->decoders.items[i].state, tokens, &next, err);
    if (next.text.failed) status = ci_fail_memory(err);
    if (!status) status = ci_check_growth(before, next.text.length, err);
    ci_spans swap = *tokens;
    *tokens = next;
    next = swap;
  }
  for (size_t i = 0; i < tokens->count && !status; i++) {
    if (i && !p->decoders.count) ci_text_add(text, " ");
    ci_text_add_n(text, text_of(tokens, i), tokens->items[i].length);
  }
  ci_spans_free(&next);
  ci_spans_free(tokens);
  return status;
}

ci_status ci_pipeline_decode(const ci_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, ci_text *text,
                             ci_error *err) {
  ci_spans tokens = {0};
  ci_status status = CI_OK;
  for (size_t i = 0; i < count && !status; i++) {
    size_t length;
    const char *token = ci_vocabulary_text(&t->vocabulary, ids[i], &length);
    if (!token) continue; /* the library passes over ids without a token */
    const ci_added_token *added = skip_special ? ci_added_find(&t->added, token, length) : NULL;
    if (!added || !added->special) status = ci_spans_add(&tokens, token, length, ids[i], i == 0, err);
  }
  if (!status) return decode_tokens(t->state, &tokens, text, err);
  ci_spans_free(&tokens);
  return status;
}

ci_status ci_pipeline_to_text(const ci_tokenizer *t, const char *token, ci_text *text, ci_error *err) {
  ci_spans tokens = {0};
  ci_status status = ci_spans_add(&tokens, token, strlen(token), -1, true, err);
  if (!status) return decode_tokens(t->state, &tokens, text, err);
  ci_spans_free(&tokens);
  return status;
}

ci_status ci_pipeline_finish(ci_tokenizer *t, ci_error *err) {
  ci_pipeline *p = t->state;
  ci_status status = CI_OK;
  for (size_t i = 0; i < t->added.count && !status; i++) {
    const ci_added_token *token = &t->added.items[i];
    if (!token->normalized) {
      status = ci_trie_add(&p->raw, token->content, token->length, (uint32_t)i, err);
      continue;
    }
    ci_text normal = {0};
    status = normalize(p, token->content, token->length, &normal, err);
    if (!status) status = ci_trie_add(&p->normalized, normal.data, normal.length, (uint32_t)i, err);
    ci_text_free(&normal);
  }
  return status;
}

ci_status ci_pipeline_wrap(ci_tokenizer *t, const ci_tokenizer_source *source, bool bos, bool eos, ci_error *err) {
  ci_pipeline *p = t->state;
  static const char *const roles[] = {"bos_token", "eos_token"};
  p->ends.before[0].count = p->ends.after[0].count = 0;
  for (int i = 0; i < 2; i++) {
    if (!(i ? eos : bos)) continue;
    int32_t id = ci_tokenizer_role(t, source, roles[i]);
    if (id < 0)
      return ci_fail(err, CI_EFILE, source->config_path, "add_%s is true, but there is no %s", roles[i], roles[i]);
    ci_status status = ci_ids_add(i ? &p->ends.after[0] : &p->ends.before[0], id, err);
    if (status) return status;
  }
  return CI_OK;
}

void ci_pipeline_close(void *state) {
  ci_pipeline *p = state;
  ci_stage_close(&p->normalizers);
  ci_stage_close(&p->pre_tokenizers);
  ci_stage_close(&p->decoders);
  ci_ends_free(&p->ends);
  ci_token_model_close(&p->model);
  ci_trie_free(&p->raw);
  ci_trie_free(&p->normalized);
  ci_free(p);
}
