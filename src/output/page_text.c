/* See page.h: foreign text and colours in HTML. */
#include "output/page.h"
#include <math.h>
#include <string.h>

void ci_html_escaped(ci_text *out, const char *text) {
  static const struct {
    char byte;
    const char *entity;
  } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
  while (*text) {
    size_t length = strcspn(text, "&<>\"'");
    ci_text_add_n(out, text, length);
    text += length;
    for (size_t i = 0; *text && i < sizeof entities / sizeof *entities; i++)
      if (entities[i].byte == *text) ci_text_add(out, entities[i].entity);
    text += *text != 0;
  }
}

size_t ci_html_foreign(ci_text *out, const char *text, bool clean) {
  ci_text label = {0};
  size_t width = ci_token_label_add(&label, text, clean, 0);
  if (label.failed) out->failed = true;
  if (label.data) ci_html_escaped(out, label.data);
  ci_text_free(&label);
  return width;
}

void ci_html_lines(ci_text *out, const char *text) {
  for (size_t length; *text; text += length) {
    ci_text line = {0};
    length = strcspn(text, "\n");
    ci_text_add_n(&line, text, length);
    if (line.failed) out->failed = true;
    if (line.data) ci_html_foreign(out, line.data, false);
    ci_text_free(&line);
    if (text[length]) ci_text_add_n(out, &text[length++], 1);
  }
}

void ci_html_color(ci_text *out, double score, const ci_heat_limits *limits) {
  if (!limits || isnan(score)) return;
  double share = ci_heat_share(score, limits);
  int opacity = (int)lround(fabs(share) * 255);
  if (!opacity) return;
  ci_color end = share > 0 ? ci_heat_on_white.positive : ci_heat_on_white.negative;
  bool black = ci_color_wants_black(ci_heat_color(score, limits));
  ci_text_add_format(out, " style=\"background:#%02x%02x%02x%02x%s\"", end.red, end.green, end.blue, opacity,
                     black ? "" : ";color:#fff");
}

bool ci_html_spaced(const ci_token *tokens, size_t at) {
  const char *token = tokens[at].token;
  return at > 0 && (tokens[at].word == CI_WORD_BEGINS || ci_starts_with(token, "▁") || ci_starts_with(token, "Ġ") ||
                    *token == ' ');
}
