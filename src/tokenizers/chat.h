/* Conversations as prompts: what tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
 * gives. */
#ifndef CI_TOKENIZERS_CHAT_H
#define CI_TOKENIZERS_CHAT_H
#include "tokenizers/tokenizer.h"

/* What a tokenizer keeps for it. */
typedef struct {
  char *source;     /* the template; NULL: the model has none */
  char *where;      /* its file */
  json_t *specials; /* {"bos_token": "<s>", ...} */
} ci_chat;

struct ci_tokenizer_source;
/* The template of a folder: chat_template.jinja, else tokenizer_config.json's chat_template (of several the one called
 * "default"), else chat_template.json. Not read before it is used: a template that is not understood keeps nobody from
 * the model. */
ci_status ci_chat_open(ci_chat *chat, const struct ci_tokenizer_source *source, ci_error *err);
void ci_chat_close(ci_chat *chat);

/* text: what the user says, or messages as JSON: [{"role": "system", "content": "..."}, ...]. *prompt: free with
 * ci_free. It holds the special tokens already. */
ci_status ci_tokenizer_chat(const ci_tokenizer *tokenizer, const char *text, char **prompt, ci_error *err);
/* source: another template; NULL: the tokenizer's. variables: an object, what it may use besides "messages" and the special
 * tokens, which it may replace; NULL: a generation prompt, no tools, no documents. */
ci_status ci_tokenizer_chat_with(const ci_tokenizer *tokenizer, const char *text, const char *source, const json_t *variables,
                                 char **prompt, ci_error *err);

#endif
