/* The aggregator `subwords`: tokens of one word become one. Words are those of the text, as the tokenizer's own way back to text told
 * when the tokens were made (attribute/words.h). Results read from files do not say, and there the marks that tokenizers use for the
 * beginning, going on or end of a word are read instead; so they are with special_chars, as in Inseq. */
#include "aggregate/spans.h"
#include <string.h>

typedef struct {
  bool source, target, is_suffix;
  json_t *marks;
} subwords_options;

const ci_option ci_subwords_options[] = {
    {"aggregate_source", NULL, CI_BOOL, offsetof(subwords_options, source), "true", 0, 0, NULL, "Join tokens of the source."},
    {"aggregate_target", NULL, CI_BOOL, offsetof(subwords_options, target), "true", 0, 0, NULL, "Join tokens of the target."},
    {"special_chars", NULL, CI_WORDS, offsetof(subwords_options, marks), "null", 0, 0, NULL,
     "What tokens that begin a word begin with; without it words are those of the text."},
    {"is_suffix_symbol", NULL, CI_BOOL, offsetof(subwords_options, is_suffix), "false", 0, 0, NULL,
     "special_chars stand at the beginning of tokens that go on with a word."},
    CI_OPTIONS_END};

typedef bool begins_word(const ci_token *tokens, size_t at, const subwords_options *options);

static bool by_text(const ci_token *tokens, size_t at, const subwords_options *options) {
  (void)options;
  return tokens[at].word == CI_WORD_BEGINS;
}

static bool by_given_marks(const ci_token *tokens, size_t at, const subwords_options *options) {
  bool marked = false;
  for (size_t i = 0; i < json_array_size(options->marks); i++)
    marked = marked || ci_starts_with(tokens[at].token, json_string_value(json_array_get(options->marks, i)));
  return marked != options->is_suffix;
}

/* "<s>", "</s>", "[SEP]", "<|endoftext|>" */
static bool looks_special(const char *token) {
  size_t n = strlen(token);
  return n > 2 && ((token[0] == '<' && token[n - 1] == '>' && strncmp(token, "<0x", 3) != 0) || (token[0] == '[' && token[n - 1] == ']'));
}

static bool begins_with_space(const ci_token *tokens, size_t at, const subwords_options *options) {
  (void)options;
  const char *token = tokens[at].token;
  return ci_starts_with(token, "\u2581") || ci_starts_with(token, "\u0120") || ci_starts_with(token, "\u010A") || looks_special(token) ||
         (at && looks_special(tokens[at - 1].token));
}

static bool has_no_hashes(const ci_token *tokens, size_t at, const subwords_options *options) {
  (void)options;
  return !ci_starts_with(tokens[at].token, "##");
}

static bool follows_an_end(const ci_token *tokens, size_t at, const subwords_options *options) {
  (void)options;
  return at == 0 || ci_ends_with(tokens[at - 1].token, "</w>") || looks_special(tokens[at].token) || looks_special(tokens[at - 1].token);
}

static bool follows_no_dash(const ci_token *tokens, size_t at, const subwords_options *options) {
  (void)options;
  return at == 0 || !ci_ends_with(tokens[at - 1].token, "@@");
}

static bool is_every_token_a_word(const ci_token *tokens, size_t at, const subwords_options *options) {
  (void)tokens, (void)at, (void)options;
  return true;
}

/* The marks of SentencePiece, byte-level BPE, WordPiece, and two older BPEs; `suffix` marks stand at the end. */
static const struct {
  const char *mark;
  bool suffix;
  begins_word *begins;
} conventions[] = {{"\u2581", false, begins_with_space}, {"\u0120", false, begins_with_space}, {"##", false, has_no_hashes},
                   {"</w>", true, follows_an_end},       {"@@", true, follows_no_dash}};

static bool has_mark(const ci_token *tokens, size_t count, const char *mark, bool suffix) {
  for (size_t i = 0; i < count; i++)
    if (suffix ? ci_ends_with(tokens[i].token, mark) : ci_starts_with(tokens[i].token, mark)) return true;
  return false;
}

static bool is_known(const ci_token *tokens, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (tokens[i].word == CI_WORD_UNKNOWN) return false;
  return true;
}

static begins_word *choose(const ci_sequence *s, const subwords_options *options) {
  if (options->marks) return by_given_marks;
  if (is_known(s->source, s->source_count) && is_known(s->target, s->target_count)) return by_text;
  for (size_t i = 0; i < sizeof conventions / sizeof *conventions; i++)
    if (has_mark(s->source, s->source_count, conventions[i].mark, conventions[i].suffix) ||
        has_mark(s->target, s->target_count, conventions[i].mark, conventions[i].suffix))
      return conventions[i].begins;
  return is_every_token_a_word;
}

/* Words of more than one token. */
static ci_status find_words(const ci_token *tokens, size_t count, begins_word *begins, const subwords_options *options, ci_token_spans *words,
                            ci_error *err) {
  ci_status status = CI_OK;
  size_t start = 0;
  for (size_t at = 1; at <= count && !status; at++) {
    if (at < count && !begins(tokens, at, options)) continue;
    if (at - start > 1) status = ci_token_spans_add(words, start, at, err);
    start = at;
  }
  return status;
}

ci_status ci_subwords_aggregate(const ci_sequence *sequence, const ci_sequence *paired, const char *function, const json_t *arguments,
                                ci_sequence *out, ci_error *err) {
  (void)paired;
  subwords_options options;
  json_t *keep;
  ci_token_spans source = {0}, target = {0};
  *out = (ci_sequence){0};
  ci_status status = ci_aggregator_options("subwords", ci_subwords_options, arguments, &options, &keep, err);
  begins_word *begins = status ? NULL : choose(sequence, &options);
  if (!status && options.source) status = find_words(sequence->source, sequence->source_count, begins, &options, &source, err);
  if (!status && options.target) status = find_words(sequence->target, sequence->target_count, begins, &options, &target, err);
  if (!status) status = ci_sequence_merge(sequence, &source, &target, function, arguments, out, err);
  ci_token_spans_free(&source);
  ci_token_spans_free(&target);
  json_decref(keep);
  return status;
}
