/* See slow.h. Follows transformers 4.57.6, tokenization_utils.py: tokenize and _decode. */
#include "tokenizers/slow.h"
#include "base/memory.h"
#include "tokenizers/parts.h"
#include <string.h>

extern const ci_part_kind ci_part_normalizer_lowercase;

typedef struct {
  size_t start, end;
} span;

typedef struct {
  span *items;
  size_t count, capacity;
} spans;

static ci_status add_span(spans *list, size_t start, size_t end, ci_error *err) {
  if (start == end) return CI_OK;
  if (ci_reserve((void **)&list->items, &list->capacity, list->count + 1, sizeof *list->items))
    return ci_fail_memory(err);
  list->items[list->count++] = (span){start, end};
  return CI_OK;
}

/* Cuts at every added token, the leftmost first, the longest where several start. */
static ci_status cut(const ci_trie *trie, const char *text, size_t length, spans *parts, ci_error *err) {
  size_t done = 0;
  ci_status status = CI_OK;
  for (size_t at = 0; at < length && !status;) {
    uint32_t token;
    size_t end;
    if (!ci_trie_match(trie, text, length, at, &token, &end)) {
      at++;
      continue;
    }
    status = add_span(parts, done, at, err);
    if (!status) status = add_span(parts, at, end, err);
    at = done = end;
  }
  return status ? status : add_span(parts, done, length, err);
}

static void strip_left(const char *text, span *s) {
  uint32_t c;
  while (s->start < s->end) {
    size_t n = ci_utf8_next(text, s->end, s->start, &c);
    if (!ci_is_python_space(c)) return;
    s->start += n;
  }
}

static void strip_right(const char *text, span *s) {
  while (s->start < s->end) {
    size_t at = s->end - 1;
    while (at > s->start && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
    uint32_t c;
    ci_utf8_next(text, s->end, at, &c);
    if (!ci_is_python_space(c)) return;
    s->end = at;
  }
}

static const ci_added_token *added_at(const ci_tokenizer *t, const char *text, span s) {
  return ci_added_find(&t->added, text + s.start, s.end - s.start);
}

/* lstrip, rstrip and single_word move the borders between an added token and its neighbours. */
static void settle_borders(const ci_tokenizer *t, const char *text, spans *parts) {
  for (size_t i = 0; i < parts->count; i++) {
    span *s = &parts->items[i], none = {0, 0};
    const ci_added_token *token = added_at(t, text, *s);
    if (!token) continue;
    span *left = i ? s - 1 : &none, *right = i + 1 < parts->count ? s + 1 : &none;
    span left_was = *left, right_was = *right;
    if (token->rstrip) strip_left(text, right);
    if (token->lstrip) strip_right(text, left);
    if (!token->single_word) continue;
    if (left_was.end > left_was.start && text[left_was.end - 1] != ' ') {
      left->end = s->end;
      s->start = s->end;
    } else if (right_was.end > right_was.start && text[right_was.start] != ' ') {
      right->start = s->start;
      s->end = s->start;
    }
  }
}

ci_status ci_slow_trie(const ci_tokenizer *t, ci_trie *trie, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < t->added.count && !status; i++)
    status = ci_trie_add(trie, t->added.items[i].content, t->added.items[i].length, (uint32_t)i, err);
  return status;
}

ci_status ci_slow_encode(const ci_tokenizer *t, const ci_trie *trie, const char *text, size_t length,
                         ci_slow_part *part, const void *context, ci_ids *ids, ci_error *err) {
  spans parts = {0};
  ci_status status = cut(trie, text, length, &parts, err);
  if (!status) settle_borders(t, text, &parts);
  for (size_t i = 0; i < parts.count && !status; i++) {
    span s = parts.items[i];
    if (s.start == s.end) continue;
    const ci_added_token *token = added_at(t, text, s);
    status = token ? ci_ids_add(ids, token->id, err) : part(t, context, text + s.start, s.end - s.start, ids, err);
  }
  ci_free(parts.items);
  return status;
}

const char *ci_slow_target_token(const ci_tokenizer *t, const ci_vocabulary *vocabulary, int32_t id, size_t *length) {
  for (size_t i = 0; i < t->added.count; i++)
    if (t->added.items[i].id == id) {
      if (length) *length = t->added.items[i].length;
      return t->added.items[i].content;
    }
  return ci_vocabulary_text(vocabulary, id, length);
}

ci_status ci_slow_lower(const ci_tokenizer *t, const ci_trie *trie, const char *text, size_t length, ci_text *out,
                        ci_error *err) {
  ci_status status = CI_OK;
  for (size_t at = 0, end; at < length && !status; at = end) {
    uint32_t token, c;
    if (ci_trie_match(trie, text, length, at, &token, &end) &&
        (t->added.items[token].special || t->added.items[token].normalized)) {
      ci_text_add_n(out, text + at, end - at);
    } else {
      end = at + ci_utf8_next(text, length, at, &c);
      status = ci_part_normalizer_lowercase.normalize(NULL, text + at, end - at, out, err);
    }
  }
  return !status && out->failed ? ci_fail_memory(err) : status;
}

void ci_slow_add_stripped(ci_text *out, const char *text, size_t length) {
  size_t start = 0, end = 0;
  bool begun = false;
  for (size_t at = 0; at < length;) {
    uint32_t c;
    size_t n = ci_utf8_next(text, length, at, &c);
    if (!ci_is_python_space(c)) {
      if (!begun) start = at;
      begun = true;
      end = at + n;
    }
    at += n;
  }
  if (begun) ci_text_add_n(out, text + start, end - start);
}

bool ci_slow_is_special(const ci_tokenizer *t, ci_piece token) {
  return ci_added_find(&t->specials, token.text, token.length) != NULL;
}

/* Added tokens that stand by themselves in decoded text: those that are not special, and additional special tokens that
 * the base vocabulary lacks. */
static bool stands_alone(const ci_tokenizer *t, ci_piece token) {
  const ci_added_token *special = ci_added_find(&t->specials, token.text, token.length);
  if (!special) return ci_added_find(&t->added, token.text, token.length) != NULL;
  return (size_t)(special - t->specials.items) >= t->role_count &&
         ci_vocabulary_id(&t->vocabulary, token.text, token.length) >= (int32_t)t->base_size;
}

/* The tokens of the ids, without the special ones when they are skipped. */
static ci_status gather(const ci_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, const char *unknown,
                        ci_piece *tokens, size_t *kept, ci_error *err) {
  *kept = 0;
  for (size_t i = 0; i < count; i++) {
    ci_piece token;
    token.text = ci_tokenizer_text(t, ids[i], &token.length);
    if (!token.text && !unknown)
      return ci_fail(err, CI_EINVAL, "ids", "%d is not an id of the vocabulary (0 to %zu)", ids[i],
                     t->vocabulary.limit - 1);
    if (!token.text) token = (ci_piece){unknown, strlen(unknown)};
    if (skip_special && (ci_tokenizer_is_special(t, ids[i]) || ci_slow_is_special(t, token))) continue;
    tokens[(*kept)++] = token;
  }
  return CI_OK;
}

ci_status ci_slow_decode(const ci_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, bool spaces,
                         const char *unknown, ci_slow_join *join, ci_text *text, ci_error *err) {
  ci_piece *tokens = ci_alloc_zeroed(count, sizeof *tokens);
  if (!tokens) return ci_fail_memory(err);
  size_t kept;
  ci_status status = gather(t, ids, count, skip_special, unknown, tokens, &kept, err);
  bool first = true;
  for (size_t start = 0, end; start < kept && !status; start = end) {
    ci_text part = {0};
    bool alone = stands_alone(t, tokens[start]);
    for (end = start + 1; !alone && end < kept && !stands_alone(t, tokens[end]);) end++;
    if (alone) {
      ci_text_add_n(&part, tokens[start].text, tokens[start].length);
    } else {
      status = join(t, tokens + start, end - start, &part, err);
    }
    /* An empty part counts only at the very end, as in Python. */
    if (part.length || end == kept) {
      if (!first && spaces) ci_text_add(text, " ");
      if (part.length) ci_text_add_n(text, part.data, part.length);
      first = false;
    }
    if (part.failed) text->failed = true;
    ci_text_free(&part);
  }
  ci_free(tokens);
  return status;
}

ci_status ci_slow_to_text(const ci_tokenizer *t, const char *token, ci_slow_join *join, ci_text *text, ci_error *err) {
  ci_piece piece = {token, strlen(token)};
  return join(t, &piece, 1, text, err);
}
