/* Which files of a repository a model needs: settings, the tokenizer's, and weights in one format. */
#ifndef CI_HUB_CHOOSE_H
#define CI_HUB_CHOOSE_H
#include "base/error.h"
#include "base/json.h"
#include <stdbool.h>

typedef struct {
  json_t *files;  /* in the order in which they are fetched: weights last, so that a snapshot with weights is whole */
  json_t *chosen; /* the same, by name */
  const char *index;   /* a member of files whose shards are still to be added; NULL: none */
  const char *gguf;    /* the member that is the model by itself; NULL: the snapshot's folder is */
  const char *missing; /* what a model cannot do without and is not there, in words; NULL: nothing */
} ci_choice;

/* names: all files of the repository, an array of strings. tag: what stands behind the colon of the model's name: a
 * .gguf file, or a word of its name such as Q4_K_M; NULL: nothing. CI_EINVAL when no file fits the tag, or several
 * .gguf files are there and none of them is meant more than the others. Closed with ci_choice_free whatever the status.
 */
ci_status ci_choose_model(const char *where, const json_t *names, const char *tag, ci_choice *choice, ci_error *err);
/* Adds the shards that the index file `path` lists; those that are not among names are what is missing. */
ci_status ci_choose_shards(const char *path, const json_t *names, ci_choice *choice, ci_error *err);
/* The names that are, or match, one of `wanted` (patterns of shells). CI_EINVAL naming one that matches nothing. */
ci_status ci_choose_files(const char *where, const json_t *names, const json_t *wanted, ci_choice *choice,
                          ci_error *err);
void ci_choice_free(ci_choice *choice);

bool ci_choose_has(const json_t *names, const char *name);

#endif
