/* The table of models, and which of them a file has. See token_model.h. */
#include "tokenizers/token_model.h"
#include "base/memory.h"
#include <string.h>

#define CI_TOKEN_MODEL(member) extern const ci_token_model_kind ci_token_model_##member;
#include "tokenizers/token_models.def"
#undef CI_TOKEN_MODEL

static const ci_token_model_kind *const kinds[] = {
#define CI_TOKEN_MODEL(member) &ci_token_model_##member,
#include "tokenizers/token_models.def"
#undef CI_TOKEN_MODEL
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* A key that the kind must have and the model has not; NULL: none. */
static const char *missing_key(const ci_token_model_kind *kind, const json_t *model) {
  for (const char *const *key = kind->keys; *key; key++)
    if (!json_object_get(model, *key)) return *key;
  return NULL;
}

static ci_status find_kind(const json_t *model, const char *where, const ci_token_model_kind **kind, ci_error *err) {
  const char *type;
  ci_status status = ci_json_get_text(model, where, "type", NULL, &type, err);
  if (status) return status;
  for (size_t i = 0; i < KINDS; i++) {
    *kind = kinds[i];
    const char *missing = missing_key(*kind, model);
    if (type ? strcmp((*kind)->type, type) != 0 : missing != NULL) continue;
    if (!missing) return CI_OK;
    return ci_fail(err, CI_EFILE, where, "the %s model has no \"%s\"", (*kind)->type, missing);
  }
  if (!type)
    return ci_fail(err, CI_EFILE, where, "the model has no \"type\", and not the members of any that is known");
  ci_text known = {0};
  for (size_t i = 0; i < KINDS; i++) ci_text_add_format(&known, "%s%s", i ? ", " : "", kinds[i]->type);
  status = ci_fail(err, CI_EFILE, where, "the model type \"%s\" is not supported (known: %s)", type,
                   known.data ? known.data : "");
  ci_text_free(&known);
  return status;
}

ci_status ci_token_model_open(ci_token_model *model, ci_tokenizer *t, const ci_document *d, ci_error *err) {
  const json_t *settings = ci_document_model(d);
  if (!settings) return ci_fail(err, CI_EFILE, d->path, "has no object \"model\"");
  ci_status status = find_kind(settings, d->path, &model->kind, err);
  if (!status && !d->vocab.end)
    status = ci_fail(err, CI_EFILE, d->path, "the model's \"vocab\" is neither an array nor an object");
  if (status) return status;
  model->state = ci_alloc_zeroed(1, model->kind->size);
  if (!model->state) return ci_fail_memory(err);
  status = model->kind->open(model->state, t, d, err);
  if (!status && !t->vocabulary.count) return ci_fail(err, CI_EFILE, d->path, "the vocabulary is empty");
  return status;
}

void ci_token_model_close(ci_token_model *model) {
  if (model->state) model->kind->close(model->state);
  ci_free(model->state);
  *model = (ci_token_model){0};
}
