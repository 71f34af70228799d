/* What FSMT does to a text before Moses' tokenizer: Moses' replace-unicode-punctuation.perl, normalize-punctuation.perl
 * and remove-non-printing-char.perl, as transformers and sacremoses have them. */
#include "base/memory.h"
#include "tokenizers/moses.h"
#include "tokenizers/slow.h"
#include <utf8proc.h>

/* A quotation mark behind full stops goes before them, in German; \G: where the match before ended. */
#define STOPS_AND_QUOTE "(?:\\G|(?<!\\.))(\\.++)\"([{s}]*[^<])"

const ci_rewrite ci_moses_punctuation_rules[] = {
    /* replace_unicode_punct */
    {NULL, "[，、]", ","},
    {NULL, "[。．][{s}]*", ". "},
    {NULL, "[”“《》」「]", "\""},
    {NULL, "[∶：]", ":"},
    {NULL, "？", "?"},
    {NULL, "！", "!"},
    {NULL, "；", ";"},
    {NULL, "（", "("},
    {NULL, "）", ")"},
    {NULL, "０", "0"},
    {NULL, "１", "1"},
    {NULL, "２", "2"},
    {NULL, "３", "3"},
    {NULL, "４", "4"},
    {NULL, "５", "5"},
    {NULL, "６", "6"},
    {NULL, "７", "7"},
    {NULL, "８", "8"},
    {NULL, "９", "9"},
    {NULL, "～", "~"},
    {NULL, "’", "'"},
    {NULL, "…", "..."},
    {NULL, "━", "-"},
    {NULL, "〈", "<"},
    {NULL, "〉", ">"},
    {NULL, "【", "["},
    {NULL, "】", "]"},
    {NULL, "％", "%"},
    /* MosesPunctNormalizer: spaces */
    {NULL, "\\r", ""},
    {NULL, "\\(", " ("},
    {NULL, "\\)", ") "},
    {NULL, " +", " "},
    {NULL, "\\) ([.!:?;,])", ")$1"},
    {NULL, "\\( ", "("},
    {NULL, " \\)", ")"},
    {NULL, "(\\d) %", "$1%"},
    {NULL, " ([:;])", "$1"},
    /* quotation marks and dashes */
    {NULL, "`", "'"},
    {NULL, "''", " \" "},
    {NULL, "[„“”]", "\""},
    {NULL, "–", "-"},
    {NULL, "—", " - "},
    {NULL, " +", " "},
    {NULL, "[´‘‚’]", "'"},
    {NULL, "''", "\""},
    {NULL, "…", "..."},
    {NULL, "\\xa0«\\xa0", "\""},
    {NULL, "«\\xa0|«", "\""},
    {NULL, "\\xa0»\\xa0", "\""},
    {NULL, "\\xa0»|»", "\""},
    /* spaces that do not break */
    {NULL, "\\xa0%", "%"},
    {NULL, "nº\\xa0", "nº "},
    {NULL, "\\xa0:", ":"},
    {NULL, "\\xa0ºC", " ºC"},
    {NULL, "\\xa0cm", " cm"},
    {NULL, "\\xa0([?!;])", "$1"},
    {NULL, ",\\xa0", ", "},
    {NULL, " +", " "},
    {" en ", "\"([,.]+)", "$1\""},
    {" de ", ",\"", "\","},
    {" de ", STOPS_AND_QUOTE, "\"$1$2"},
    {" de ", "(\\d)\\xa0(\\d)", "$1,$2"},
    {" en ru ", "(\\d)\\xa0(\\d)", "$1.$2"},
};
const size_t ci_moses_punctuation_count = sizeof ci_moses_punctuation_rules / sizeof *ci_moses_punctuation_rules;

static bool is_other(uint32_t c) {
  utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
  return k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CN ||
         k == UTF8PROC_CATEGORY_CO || k == UTF8PROC_CATEGORY_CS;
}

ci_status ci_moses_normalize(const ci_moses *m, ci_text *text, ci_error *err) {
  ci_text stripped = {0}, kept = {0};
  ci_status status = ci_rewriter_run(m->punctuation, text, err);
  if (status || !text->length) return status;
  ci_text_add(&stripped, "");
  ci_slow_add_stripped(&stripped, text->data, text->length);
  ci_text_add(&kept, "");
  for (size_t at = 0, n; at < stripped.length && !stripped.failed; at += n) {
    uint32_t c;
    n = ci_utf8_next(stripped.data, stripped.length, at, &c);
    if (!is_other(c)) ci_text_add_n(&kept, stripped.data + at, n);
  }
  bool failed = stripped.failed || kept.failed;
  ci_text_free(text);
  *text = kept;
  ci_text_free(&stripped);
  return failed ? ci_fail_memory(err) : CI_OK;
}
