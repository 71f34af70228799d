/* The settings of a tokenizer folder, merged as transformers' from_pretrained merges them: tokenizer_config.json, then
 * special_tokens_map.json and added_tokens.json where the older layout needs them, then tokenizer_kwargs. */
#ifndef CI_TOKENIZERS_SOURCE_H
#define CI_TOKENIZERS_SOURCE_H
#include "base/error.h"
#include "base/json.h"
#include "tokenizers/added.h"

/* A class of transformers and the defaults of its constructor. */
typedef struct {
  const char *name;        /* of the slow class */
  const char *model_types; /* " gpt2 gpt_neo ": whose tokenizer it is when no file names a class */
  const char *unk, *bos, *eos, *pad, *sep, *cls, *mask;
  bool fast;       /* there is a fast class, which AutoTokenizer prefers */
  bool template;   /* the fast class replaces the post-processor of tokenizer.json by add_bos_token and add_eos_token */
  bool add_bos;    /* default of add_bos_token */
  bool byte_level; /* vocab.json + merges.txt are GPT-2's byte-level BPE */
} ci_tokenizer_class;

enum { CI_ROLES = 7 };
extern const char *const ci_special_roles[CI_ROLES]; /* in the order of all_special_tokens */

/* Where the tokens of the languages go that multilingual classes translate between: 'L' the language, 'E' eos, '^' the
 * text. */
typedef struct {
  const char *name;            /* of the slow class */
  const char *source, *target; /* around a text of src_lang, of tgt_lang */
  const char *legacy;          /* both, when legacy_behaviour is true; NULL: there is no such setting */
  const char *source_language, *target_language; /* defaults; NULL: none */
  const char *marks;                             /* put around a code that has none */
} ci_language_rule;

typedef struct ci_tokenizer_source {
  char *folder, *config_path; /* config_path: of tokenizer_config.json, for errors */
  json_t *settings;           /* what the class's constructor would get */
  ci_added decoder;           /* added_tokens_decoder, by id */
  ci_tokenizer_class row;     /* of the class, or one without defaults that has its name */
  char *class_name;           /* as named in the files, without "Fast" where the row is known */

} ci_tokenizer_source;

/* Makes what tokenizer_config.json would hold; *settings is decref'd whatever the status. */
typedef ci_status ci_source_settings(const char *path, json_t **settings, ci_error *err);
/* settings NULL: tokenizer_config.json of the folder; else `folder` is what it makes them of. */
ci_status ci_source_open(ci_tokenizer_source *source, const char *folder, const json_t *config, const json_t *kwargs,
                         const char *fallback_class, ci_source_settings *settings, ci_error *err);
void ci_source_close(ci_tokenizer_source *source);
/* The special token with this role. *found false: none. Contents are borrowed. */
ci_status ci_source_special(const ci_tokenizer_source *source, const char *role, bool *found, ci_added_token *token,
                            ci_error *err);
/* Reads folder/name as JSON. */
ci_status ci_source_json(const ci_tokenizer_source *source, const char *name, json_t **value, char **path,
                         ci_error *err);
/* The row of languages.def of the source's class; NULL: its texts have no language. */
const ci_language_rule *ci_source_languages(const ci_tokenizer_source *source);
ci_status ci_source_flag(const ci_tokenizer_source *source, const char *key, bool fallback, bool *value, ci_error *err);

#endif
