/* Display widths by grapheme cluster (Unicode Annex 29) from utf8proc's tables. Terminals add the widths of a cluster's
 * characters, except for emoji: whatever is joined, coloured or paired into one emoji takes two columns. */
#include "output/display_width.h"
#include <string.h>
#include <utf8proc.h>

enum {
  ZERO_WIDTH_NON_JOINER = 0x200C,
  ZERO_WIDTH_JOINER = 0x200D,
  EMOJI_PRESENTATION = 0xFE0F,
  KEYCAP = 0x20E3,
  DOTTED_CIRCLE = 0x25CC,
  ELLIPSIS = 0x2026
};

typedef struct {
  size_t length; /* bytes */
  size_t width;  /* columns */
} cluster;

static bool is_regional_indicator(uint32_t c) {
  return c >= 0x1F1E6 && c <= 0x1F1FF;
}

static bool is_skin_tone(uint32_t c) {
  return c >= 0x1F3FB && c <= 0x1F3FF;
}

static bool is_tag(uint32_t c) {
  return c >= 0xE0020 && c <= 0xE007F;
}

/* Whether c, not the first of its cluster, makes one emoji of it. */
static bool makes_emoji(uint32_t c) {
  return c == EMOJI_PRESENTATION || c == KEYCAP || is_regional_indicator(c) || is_skin_tone(c);
}

static size_t width_of(uint32_t c) {
  int width = utf8proc_charwidth((utf8proc_int32_t)c);
  return width > 0 ? (size_t)width : 0;
}

/* The cluster at text[at..length), at < length. */
static cluster next_cluster(const char *text, size_t length, size_t at) {
  uint32_t first, c, previous;
  utf8proc_int32_t state = 0;
  cluster found = {ci_utf8_next(text, length, at, &first), 0};
  bool emoji = false, joined = false;
  size_t widest = width_of(first);
  found.width = widest;
  for (previous = first; at + found.length < length; previous = c) {
    size_t n = ci_utf8_next(text, length, at + found.length, &c);
    if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)previous, (utf8proc_int32_t)c, &state)) break;
    found.length += n;
    found.width += width_of(c);
    if (width_of(c) > widest) widest = width_of(c);
    emoji |= makes_emoji(c) || (joined && width_of(c) == 2);
    joined = c == ZERO_WIDTH_JOINER;
  }
  if (emoji) found.width = 2;
  /* Korean letters that make one syllable block are as wide as the first. */
  if (first >= 0x1100 && first < 0x1200) found.width = widest;
  return found;
}

size_t ci_display_width(const char *text) {
  size_t length = strlen(text), width = 0;
  for (size_t at = 0; at < length;) {
    cluster one = next_cluster(text, length, at);
    at += one.length;
    width += one.width;
  }
  return width;
}

/* Characters that a terminal would obey or hide: control codes, line and paragraph separators, direction marks and
 * other formatting that takes no room. Joiners and emoji tags are part of visible text. */
static bool is_hidden(uint32_t c) {
  if (c == ZERO_WIDTH_JOINER || c == ZERO_WIDTH_NON_JOINER || is_tag(c)) return false;
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP ||
         (category == UTF8PROC_CATEGORY_CF && (width_of(c) == 0 || c == 0xAD));
}

static bool is_combining(uint32_t c) {
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME || c == ZERO_WIDTH_JOINER ||
         c == ZERO_WIDTH_NON_JOINER || is_tag(c) || (c >= 0xFE00 && c <= 0xFE0F);
}

static void add_escape(ci_text *out, uint32_t c) {
  if (c == '\n')
    ci_text_add(out, "\\n");
  else if (c == '\t')
    ci_text_add(out, "\\t");
  else if (c == '\r')
    ci_text_add(out, "\\r");
  else
    ci_text_add_format(out, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
}

/* The whole text with nothing in it that a terminal would obey. */
static void add_safe(ci_text *out, const char *text) {
  size_t length = strlen(text);
  bool has_base = false;
  for (size_t at = 0; at < length;) {
    uint32_t c;
    at += ci_utf8_next(text, length, at, &c);
    if (is_hidden(c)) {
      add_escape(out, c);
      has_base = false;
      continue;
    }
    if (is_combining(c) && !has_base) ci_text_add_codepoint(out, DOTTED_CIRCLE);
    ci_text_add_codepoint(out, c);
    has_base = true;
  }
}

size_t ci_display_add(ci_text *out, const char *text, size_t most) {
  size_t start = out->length, width = 0;
  add_safe(out, text);
  if (out->failed || out->length == start) return 0;
  size_t length = out->length - start, kept = 0, kept_width = 0;
  for (size_t at = 0; at < length;) {
    cluster one = next_cluster(out->data + start, length, at);
    at += one.length;
    width += one.width;
    if (width + 1 > most) continue;
    kept = at;
    kept_width = width;
  }
  if (!most || width <= most) return width;
  out->length = start + kept;
  out->data[out->length] = 0;
  ci_text_add_codepoint(out, ELLIPSIS);
  return kept_width + 1;
}
