/* The parts of a tokenizer.json pipeline. A part is a descriptor in a file and a row in its stage's .def; what it does
 * not know it refuses by name. */
#ifndef CI_TOKENIZERS_PARTS_H
#define CI_TOKENIZERS_PARTS_H
#include "base/json.h"
#include "base/text.h"
#include "tokenizers/tokenizer.h"

/* Strings one behind the other in one buffer: words on their way in, tokens on their way out. */
typedef struct {
  size_t start, length; /* in text */
  int32_t id;           /* an added token that was cut out; -1: text still to be tokenized */
  bool first;           /* begins where the whole text begins */
} ci_span;

typedef struct {
  ci_text text;
  ci_span *items;
  size_t count, capacity;
} ci_spans;

ci_status ci_spans_add(ci_spans *spans, const char *text, size_t length, int32_t id, bool first, ci_error *err);
void ci_spans_clear(ci_spans *spans); /* keeps the memory */
void ci_spans_free(ci_spans *spans);

typedef struct {
  const char *type; /* "type" in tokenizer.json */
  size_t size;      /* of the state, which is zeroed before open; 0: none */
  /* settings: the part's object. NULL: there is nothing to read. */
  ci_status (*open)(void *state, const json_t *settings, const char *where, ci_error *err);
  void (*close)(void *state); /* of what open allocated; NULL: nothing */
  bool keeps_start;           /* of a normalizer: a text whose first character it drops still begins where it began */
  /* One of these, by stage. */
  ci_status (*normalize)(const void *state, const char *text, size_t length, ci_text *out, ci_error *err);
  ci_status (*split)(const void *state, const char *text, size_t length, bool first, ci_spans *out, ci_error *err);
  ci_status (*wrap)(const void *state, ci_ids *before, ci_ids *after, ci_error *err); /* special tokens around a text */
  ci_status (*decode)(const void *state, const ci_spans *tokens, ci_spans *out, ci_error *err);
} ci_part_kind;

typedef struct {
  const ci_part_kind *kind;
  void *state;
} ci_part;

/* One stage: a list of parts, Sequences laid flat. */
typedef struct {
  ci_part *items;
  size_t count, capacity;
} ci_stage;

typedef struct {
  const char *key;                  /* in tokenizer.json: "normalizer" */
  const char *members;              /* of its Sequence: "normalizers" */
  const ci_part_kind *const *kinds; /* NULL-terminated */
} ci_stage_kind;

extern const ci_stage_kind ci_normalizers, ci_pre_tokenizers, ci_post_processors, ci_decoders;

/* An error when a stage has made a text of `before` bytes over a thousand times as long: a list of parts that double it
 * would take all memory. */
ci_status ci_check_growth(size_t before, size_t now, ci_error *err);

/* value: the stage's object, NULL or null for an empty stage. */
ci_status ci_stage_open(ci_stage *stage, const ci_stage_kind *kind, const json_t *value, const char *where,
                        ci_error *err);
void ci_stage_close(ci_stage *stage);

/* A pattern of tokenizer.json: {"String": ...} or {"Regex": ...} */
typedef struct ci_regex ci_regex;

typedef struct {
  size_t start, end;
  bool match;
} ci_match;

/* A text cut into matches and what lies between them, in order and without gaps. */
typedef struct {
  ci_match *items;
  size_t count, capacity;
} ci_matches;

ci_status ci_matches_add(ci_matches *matches, size_t start, size_t end, bool match, ci_error *err);
ci_status ci_regex_open(const char *pattern, size_t length, bool literal, const char *where, ci_regex **regex,
                        ci_error *err);
ci_status ci_regex_open_json(const json_t *pattern, const char *where, ci_regex **regex, ci_error *err);
/* text: valid UTF-8. Appends to matches. */
ci_status ci_regex_cut(const ci_regex *regex, const char *text, size_t length, ci_matches *matches, ci_error *err);
void ci_regex_close(ci_regex *regex);

/* What becomes of matches: "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous". */
typedef void (*ci_behavior)(ci_matches *matches);
ci_status ci_behavior_named(const json_t *settings, const char *fallback, const char *where, ci_behavior *behavior,
                            ci_error *err);
/* Applies the behaviour and adds the pieces that are left to *out. */
ci_status ci_split_by(ci_matches *matches, ci_behavior behavior, const char *text, bool first, ci_spans *out,
                      ci_error *err);

/* GPT-2's pattern as the tokenizers library has it. */
extern const char ci_gpt2_pattern[];

#endif
