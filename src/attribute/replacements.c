/* See replacements.h. */
#include "attribute/replacements.h"
#include "base/memory.h"
#include <ctype.h>
#include <string.h>

enum { FIRST_LETTERS = 5, KINDS = 2 * FIRST_LETTERS, NONE = KINDS };

struct ci_replacements {
  size_t most, vocabulary;
  unsigned char *kind; /* [vocabulary] */
  int32_t *place;      /* [vocabulary] of an id among its kind */
  int32_t *members;    /* ids by kind, in order of rank */
  size_t first[KINDS + 1];
};

/* How tokenizers mark that a word begins: SentencePiece, byte-level BPE. */
static const char *const word_marks[] = {"\xE2\x96\x81", "\xC4\xA0"};

static unsigned char kind_of(const char *token) {
  size_t word = 0;
  for (size_t i = 0; i < sizeof word_marks / sizeof *word_marks; i++) {
    size_t n = strlen(word_marks[i]);
    if (strncmp(token, word_marks[i], n)) continue;
    word = 1;
    token += n;
    break;
  }
  unsigned char c = (unsigned char)*token;
  size_t letter = c >= 0x80 ? 4 : islower(c) ? 0 : isupper(c) ? 1 : isdigit(c) ? 2 : 3;
  return (unsigned char)(word * FIRST_LETTERS + letter);
}

static void sort(ci_replacements *r, const ci_model *model) {
  size_t counts[KINDS + 1] = {0};
  for (size_t id = 0; id < r->vocabulary; id++) {
    const char *token = ci_tokenizer_token(model->tokenizer, (int32_t)id);
    bool usable = token && *token && !ci_tokenizer_is_special(model->tokenizer, (int32_t)id);
    r->kind[id] = usable ? kind_of(token) : NONE;
    counts[r->kind[id]]++;
  }
  for (size_t k = 0; k < KINDS; k++) r->first[k + 1] = r->first[k] + counts[k];
  size_t next[KINDS];
  memcpy(next, r->first, sizeof next);
  for (size_t id = 0; id < r->vocabulary; id++) {
    if (r->kind[id] == NONE) continue;
    size_t *at = &next[r->kind[id]];
    r->place[id] = (int32_t)(*at - r->first[r->kind[id]]);
    r->members[(*at)++] = (int32_t)id;
  }
}

ci_status ci_replacements_open(const ci_model *model, size_t most, ci_replacements **out, ci_error *err) {
  ci_replacements *r = *out = ci_alloc_zeroed(1, sizeof *r);
  if (!r) return ci_fail_memory(err);
  const ci_graph *graph = &model->graph;
  r->most = most;
  r->vocabulary = model->vocabulary;
  for (int space = CI_ENCODER; space <= CI_DECODER; space++) { /* ids that each side has an embedding for */
    int node = graph->ids_node[space];
    if (node >= 0 && graph->nodes[node].weight.a < r->vocabulary) r->vocabulary = graph->nodes[node].weight.a;
  }
  r->kind = ci_alloc(r->vocabulary, sizeof *r->kind);
  r->place = ci_alloc_zeroed(r->vocabulary, sizeof *r->place);
  r->members = ci_alloc(r->vocabulary, sizeof *r->members);
  if (!r->kind || !r->place || !r->members) return ci_fail_memory(err);
  sort(r, model);
  return CI_OK;
}

void ci_replacements_close(ci_replacements *r) {
  if (!r) return;
  ci_free(r->kind);
  ci_free(r->place);
  ci_free(r->members);
  ci_free(r);
}

int32_t ci_replacements_draw(const ci_replacements *r, int32_t id, double u) {
  if (id < 0 || (size_t)id >= r->vocabulary || r->kind[id] == NONE) return id;
  size_t first = r->first[r->kind[id]], count = r->first[r->kind[id] + 1] - first, place = (size_t)r->place[id];
  size_t others = r->most && r->most < count - 1 ? r->most : count - 1,
         low = place > others / 2 ? place - others / 2 : 0;
  if (!others) return id;
  if (low + others >= count) low = count - 1 - others; /* a window of others + 1 with the token in it */
  size_t drawn = (size_t)(u * (double)others);
  drawn = low + (drawn < others ? drawn : others - 1);
  return r->members[first + (drawn < place ? drawn : drawn + 1)];
}
