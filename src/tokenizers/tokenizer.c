/* Opening, facts and special tokens: what all kinds share. See tokenizer.h and kind.h. */
#include "tokenizers/kind.h"
#include "base/file.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CI_TOKENIZER(member, help) extern const ci_tokenizer_kind ci_tokenizer_##member;
#include "tokenizers/tokenizers.def"
#undef CI_TOKENIZER

static const ci_tokenizer_kind *const kinds[] = {
#define CI_TOKENIZER(member, help) &ci_tokenizer_##member,
#include "tokenizers/tokenizers.def"
#undef CI_TOKENIZER
};

static const ci_tokenizer_row rows[] = {
#define CI_TOKENIZER(member, help) {#member, help},
#include "tokenizers/tokenizers.def"
#undef CI_TOKENIZER
};

enum { KINDS = sizeof kinds / sizeof *kinds };

ci_status ci_ids_add(ci_ids *ids, int32_t id, ci_error *err) {
  if (ci_reserve((void **)&ids->items, &ids->capacity, ids->count + 1, sizeof *ids->items)) return ci_fail_memory(err);
  ids->items[ids->count++] = id;
  return CI_OK;
}

void ci_ids_free(ci_ids *ids) {
  ci_free(ids->items);
  *ids = (ci_ids){0};
}

static ci_status has_files(const char *folder, const ci_tokenizer_kind *kind, bool *has, ci_error *err) {
  *has = !kind->file_ending || ci_ends_with(folder, kind->file_ending);
  for (const char *const *name = kind->files; *name && *has; name++) {
    char *path = ci_join_path(folder, *name);
    if (!path) return ci_fail_memory(err);
    *has = ci_file_exists(path);
    ci_free(path);
  }
  return CI_OK;
}

static ci_status no_files(const char *folder, ci_error *err) {
  ci_text looked_for = {0};
  for (size_t i = 0; i < KINDS; i++) {
    if (!*kinds[i]->files || (i && *kinds[i - 1]->files && strcmp(*kinds[i]->files, *kinds[i - 1]->files) == 0))
      continue;
    if (i) ci_text_add(&looked_for, "; or ");
    for (const char *const *name = kinds[i]->files; *name; name++)
      ci_text_add_format(&looked_for, "%s%s", name == kinds[i]->files ? "" : " + ", *name);
  }
  ci_status status =
      ci_fail(err, CI_EFILE, folder, "has no tokenizer files: looked for %s", looked_for.data ? looked_for.data : "");
  ci_text_free(&looked_for);
  return status;
}

/* Classes stand between blanks, one before the first too. */
static bool is_for(const ci_tokenizer_kind *kind, const char *class_name) {
  size_t n = strchr(class_name, ' ') ? 0 : strlen(class_name);
  const char *at = kind->classes;
  while (at && n && (at = strstr(at, class_name)) && (at[-1] != ' ' || at[n] != ' ')) at += n;
  return !kind->classes || (n && at);
}

/* The first kind whose files are there and which is for the class that the folder's settings name; opens the settings.
 */
static ci_status choose_kind(const char *folder, const json_t *config, const json_t *kwargs, size_t *kind,
                             ci_tokenizer_source *source, ci_error *err) {
  char class_name[64] = "";
  const char *file = NULL; /* of the first kind that has its files */
  for (*kind = 0; *kind < KINDS; ++*kind) {
    bool has;
    ci_status status = has_files(folder, kinds[*kind], &has, err);
    if (status) return status;
    if (!has) continue;
    status = ci_source_open(source, folder, config, kwargs, kinds[*kind]->fallback_class, kinds[*kind]->settings, err);
    if (status || is_for(kinds[*kind], source->class_name)) return status;
    if (!file) file = kinds[*kind]->files[0]; /* NULL: a kind without files */
    snprintf(class_name, sizeof class_name, "%s", source->class_name);
    ci_source_close(source);
    *source = (ci_tokenizer_source){0};
  }
  if (!file) return no_files(folder, err);
  return ci_fail(err, CI_EFILE, folder,
                 "%s of a %s cannot be read here; a tokenizer.json (save_pretrained of its fast class) can", file,
                 class_name);
}

/* The next free id, for a token that the vocabulary lacks. */
static int64_t next_id(const ci_tokenizer *t, bool slow) {
  if (slow) return (int64_t)t->vocabulary.count;
  int64_t largest = -1;
  for (size_t i = 0; i < t->added.count; i++)
    if (t->added.items[i].id > largest) largest = t->added.items[i].id;
  return largest >= (int64_t)t->base_size ? largest + 1 : (int64_t)t->base_size;
}

ci_status ci_tokenizer_add_token(ci_tokenizer *t, const char *where, ci_added_token token, bool slow, ci_error *err) {
  if (!token.length) return CI_OK;
  int64_t id = token.id;
  int32_t there = ci_vocabulary_id(&t->vocabulary, token.content, token.length);
  if (id < 0) id = there >= 0 ? there : next_id(t, slow);
  ci_status status =
      there == id ? CI_OK : ci_vocabulary_add(&t->vocabulary, where, token.content, token.length, id, err);
  token.id = (int32_t)id;
  return status ? status : ci_added_put(&t->added, &token, err);
}

/* all_special_tokens: those with a role, then additional_special_tokens, each content once. */
static ci_status collect_specials(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  ci_status status = CI_OK;
  for (size_t i = 0; i < CI_ROLES && !status; i++) {
    ci_added_token token;
    bool found;
    status = ci_source_special(source, ci_special_roles[i], &found, &token, err);
    if (!status && found && !ci_added_find(&t->specials, token.content, token.length))
      status = ci_added_put(&t->specials, &token, err);
  }
  t->role_count = t->specials.count;
  const json_t *more = json_object_get(source->settings, "additional_special_tokens");
  for (size_t i = 0; i < json_array_size(more) && !status; i++) {
    ci_added_token token;
    status = ci_added_read(json_array_get(more, i), source->config_path, true, &token, err);
    if (!status && !ci_added_find(&t->specials, token.content, token.length))
      status = ci_added_put(&t->specials, &token, err);
  }
  return status;
}

ci_status ci_tokenizer_add_tokens(ci_tokenizer *t, const ci_tokenizer_source *source, bool slow, ci_error *err) {
  ci_status status = collect_specials(t, source, err);
  for (size_t i = 0; i < source->decoder.count && !status; i++) {
    ci_added_token token = source->decoder.items[i];
    if (!slow) {
      token.id = -1; /* the tokenizers library numbers by itself */
      token.special = token.special || ci_added_find(&t->specials, token.content, token.length);
    }
    status = ci_tokenizer_add_token(t, source->config_path, token, slow, err);
  }
  for (size_t i = 0; i < t->specials.count && !status; i++) {
    ci_added_token token = t->specials.items[i];
    const ci_added_token *known = ci_added_find(&source->decoder, token.content, token.length);
    if (token.plain && (known || ci_added_find(&t->added, token.content, token.length))) continue;
    token.special = true;
    status = ci_tokenizer_add_token(t, source->config_path, token, slow, err);
  }
  return status;
}

int32_t ci_tokenizer_role(const ci_tokenizer *t, const ci_tokenizer_source *source, const char *role) {
  ci_added_token token;
  bool found;
  ci_error ignored;
  if (ci_source_special(source, role, &found, &token, &ignored) || !found) return -1;
  return ci_vocabulary_id(&t->vocabulary, token.content, token.length);
}

static int longest_first(const void *a, const void *b) {
  size_t x = strlen(*(const char *const *)a), y = strlen(*(const char *const *)b);
  return (x < y) - (x > y);
}

/* Copies: a reference count is nothing that threads may share. */
static ci_status keep_settings(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  static const char *const kept[] = {"model_max_length", "padding_side", "truncation_side", "src_lang", "tgt_lang"};
  t->languages = ci_source_languages(source);
  t->settings = json_object();
  for (size_t i = 0; t->settings && i < sizeof kept / sizeof *kept; i++) {
    const json_t *value = json_object_get(source->settings, kept[i]);
    if (value && json_object_set_new(t->settings, kept[i], json_deep_copy(value))) return ci_fail_memory(err);
  }
  return t->settings ? CI_OK : ci_fail_memory(err);
}

static ci_status finish(ci_tokenizer *t, const ci_tokenizer_source *source, ci_error *err) {
  ci_text name = {0};
  ci_text_add_format(&name, "%s%s", source->class_name, source->row.fast ? "Fast" : "");
  t->class_name = ci_text_take(&name);
  t->special_ids = ci_alloc_zeroed(t->vocabulary.limit, sizeof *t->special_ids);
  t->by_length = ci_alloc_zeroed(t->specials.count, sizeof *t->by_length);
  if (!t->class_name || !t->special_ids || !t->by_length) return ci_fail_memory(err);
  for (size_t i = 0; i < t->specials.count; i++) {
    const ci_added_token *token = &t->specials.items[i];
    int32_t id = ci_vocabulary_id(&t->vocabulary, token->content, token->length);
    if (id >= 0) t->special_ids[id] = true;
    t->by_length[i] = token->content;
  }
  ci_status status = keep_settings(t, source, err);
  if (status) return status;
  qsort(t->by_length, t->specials.count, sizeof *t->by_length, longest_first);
  t->facts = (ci_tokenizer_facts){.unk = ci_tokenizer_role(t, source, "unk_token"),
                                  .pad = ci_tokenizer_role(t, source, "pad_token"),
                                  .bos = ci_tokenizer_role(t, source, "bos_token"),
                                  .eos = ci_tokenizer_role(t, source, "eos_token"),
                                  .vocabulary = t->vocabulary.limit,
                                  .class_name = t->class_name,
                                  .kind = t->facts.kind};
  return CI_OK;
}

ci_status ci_tokenizer_open(const char *folder, const json_t *config, const json_t *kwargs, ci_tokenizer **tokenizer,
                            ci_error *err) {
  *tokenizer = NULL;
  size_t kind = 0;
  ci_tokenizer_source source = {0};
  ci_tokenizer *t = ci_alloc_zeroed(1, sizeof *t);
  if (!t) return ci_fail_memory(err);
  ci_status status = choose_kind(folder, config, kwargs, &kind, &source, err);
  if (!status) {
    t->kind = kinds[kind];
    t->facts.kind = rows[kind].id;
    status = t->kind->open(t, &source, err);
    if (!status) status = finish(t, &source, err);
    if (!status) status = ci_chat_open(&t->chat, &source, err);
  }
  ci_source_close(&source);
  if (status) {
    ci_tokenizer_close(t);
    return status;
  }
  *tokenizer = t;
  return CI_OK;
}

void ci_tokenizer_close(ci_tokenizer *t) {
  if (!t) return;
  if (t->state) t->kind->close(t->state);
  ci_vocabulary_free(&t->vocabulary);
  ci_added_free(&t->added);
  ci_added_free(&t->specials);
  ci_free(t->special_ids);
  ci_free(t->by_length);
  ci_free(t->class_name);
  json_decref(t->settings);
  ci_chat_close(&t->chat);
  ci_free(t);
}

ci_status ci_tokenizer_encode(const ci_tokenizer *t, const char *text, size_t length, unsigned flags, ci_ids *ids,
                              ci_error *err) {
  if (ci_utf8_valid(text, length)) return t->kind->encode(t, text, length, flags, ids, err);
  ci_text repaired = {0};
  ci_text_add_utf8_lossy(&repaired, text, length);
  ci_status status =
      repaired.failed ? ci_fail_memory(err) : t->kind->encode(t, repaired.data, repaired.length, flags, ids, err);
  ci_text_free(&repaired);
  return status;
}

ci_status ci_tokenizer_decode(const ci_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, ci_text *text,
                              ci_error *err) {
  ci_status status = t->kind->decode(t, ids, count, skip_special, text, err);
  return !status && text->failed ? ci_fail_memory(err) : status;
}

ci_status ci_tokenizer_token_to_text(const ci_tokenizer *t, const char *token, ci_text *text, ci_error *err) {
  ci_status status = t->kind->to_text(t, token, text, err);
  return !status && text->failed ? ci_fail_memory(err) : status;
}

const char *ci_tokenizer_text(const ci_tokenizer *t, int32_t id, size_t *length) {
  return t->kind->token ? t->kind->token(t, id, length) : ci_vocabulary_text(&t->vocabulary, id, length);
}

const char *ci_tokenizer_token(const ci_tokenizer *t, int32_t id) {
  return ci_tokenizer_text(t, id, NULL);
}

int32_t ci_tokenizer_id(const ci_tokenizer *t, const char *token) {
  return ci_vocabulary_id(&t->vocabulary, token, strlen(token));
}

bool ci_tokenizer_is_special(const ci_tokenizer *t, int32_t id) {
  return id >= 0 && (size_t)id < t->vocabulary.limit && t->special_ids[id];
}

const char *const *ci_tokenizer_specials(const ci_tokenizer *t, size_t *count) {
  *count = t->specials.count;
  return t->by_length;
}

const ci_tokenizer_facts *ci_tokenizer_get_facts(const ci_tokenizer *t) {
  return &t->facts;
}

const ci_tokenizer_row *ci_tokenizer_rows(size_t *count) {
  *count = KINDS;
  return rows;
}
