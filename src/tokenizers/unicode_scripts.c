/* The pre-tokenizer UnicodeScripts: cuts where the script changes. Hiragana and Katakana count as Han; spaces and
 * characters that Unicode had not assigned belong to whatever is before them. Spaces at the start drop out, as in the
 * tokenizers library 0.22. The scripts are PCRE2's. */
#include "base/memory.h"
#include "tokenizers/parts.h"
#include <string.h>

/* The scripts that the library knows, the frequent ones first. */
static const char *const scripts[] = {
    "Latin",
    "Common",
    "Inherited",
    "Cyrillic",
    "Greek",
    "Arabic",
    "Hebrew",
    "Hangul",
    "Devanagari",
    "Thai",
    "Adlam",
    "Ahom",
    "Anatolian_Hieroglyphs",
    "Armenian",
    "Avestan",
    "Balinese",
    "Bamum",
    "Bassa_Vah",
    "Batak",
    "Bengali",
    "Bhaiksuki",
    "Bopomofo",
    "Brahmi",
    "Braille",
    "Buginese",
    "Buhid",
    "Canadian_Aboriginal",
    "Carian",
    "Caucasian_Albanian",
    "Chakma",
    "Cham",
    "Cherokee",
    "Coptic",
    "Cuneiform",
    "Cypriot",
    "Deseret",
    "Duployan",
    "Egyptian_Hieroglyphs",
    "Elbasan",
    "Ethiopic",
    "Georgian",
    "Glagolitic",
    "Gothic",
    "Grantha",
    "Gujarati",
    "Gurmukhi",
    "Hanunoo",
    "Hatran",
    "Imperial_Aramaic",
    "Inscriptional_Pahlavi",
    "Inscriptional_Parthian",
    "Javanese",
    "Kaithi",
    "Kannada",
    "Kayah_Li",
    "Kharoshthi",
    "Khmer",
    "Khojki",
    "Khudawadi",
    "Lao",
    "Lepcha",
    "Limbu",
    "Linear_A",
    "Linear_B",
    "Lisu",
    "Lycian",
    "Lydian",
    "Mahajani",
    "Malayalam",
    "Mandaic",
    "Manichaean",
    "Marchen",
    "Meetei_Mayek",
    "Mende_Kikakui",
    "Meroitic_Cursive",
    "Meroitic_Hieroglyphs",
    "Miao",
    "Modi",
    "Mongolian",
    "Mro",
    "Multani",
    "Myanmar",
    "Nabataean",
    "New_Tai_Lue",
    "Newa",
    "Nko",
    "Ogham",
    "Ol_Chiki",
    "Old_Hungarian",
    "Old_Italic",
    "Old_North_Arabian",
    "Old_Permic",
    "Old_Persian",
    "Old_South_Arabian",
    "Old_Turkic",
    "Oriya",
    "Osage",
    "Osmanya",
    "Pahawh_Hmong",
    "Palmyrene",
    "Pau_Cin_Hau",
    "Phags_Pa",
    "Phoenician",
    "Psalter_Pahlavi",
    "Rejang",
    "Runic",
    "Samaritan",
    "Saurashtra",
    "Sharada",
    "Shavian",
    "Siddham",
    "SignWriting",
    "Sinhala",
    "Sora_Sompeng",
    "Sundanese",
    "Syloti_Nagri",
    "Syriac",
    "Tagalog",
    "Tagbanwa",
    "Tai_Le",
    "Tai_Tham",
    "Tai_Viet",
    "Takri",
    "Tamil",
    "Tangut",
    "Telugu",
    "Thaana",
    "Tibetan",
    "Tifinagh",
    "Tirhuta",
    "Ugaritic",
    "Vai",
    "Warang_Citi",
    "Yi",
};

typedef struct {
  ci_regex *runs;
} unicode_scripts;

static ci_status open_scripts(void *state, const json_t *settings, const char *where, ci_error *err) {
  (void)settings;
  ci_text pattern = {0};
  ci_text_add(
      &pattern,
      "[\\p{Han}\\p{Hiragana}\\p{Katakana}\\x{30FC}][\\p{Han}\\p{Hiragana}\\p{Katakana}\\x{30FC} \\p{Unknown}]*");
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
    ci_text_add_format(&pattern, "|(?! |\\x{30FC})\\p{%s}(?:(?!\\x{30FC})[ \\p{%s}\\p{Unknown}])*", scripts[i],
                       scripts[i]);
  ci_status status = pattern.failed ? ci_fail_memory(err)
                                    : ci_regex_open(pattern.data, pattern.length, false, where,
                                                    &((unicode_scripts *)state)->runs, err);
  ci_text_free(&pattern);
  return status;
}

static void close_scripts(void *state) {
  ci_regex_close(((unicode_scripts *)state)->runs);
}

static ci_status split_scripts(const void *state, const char *text, size_t length, bool first, ci_spans *out,
                               ci_error *err) {
  ci_matches matches = {0};
  ci_status status = ci_regex_cut(((const unicode_scripts *)state)->runs, text, length, &matches, err);
  size_t kept = 0; /* what no run has belongs to the run before */
  for (size_t i = 0; i < matches.count; i++) {
    if (matches.items[i].match) {
      matches.items[kept++] = matches.items[i];
    } else if (kept) {
      matches.items[kept - 1].end = matches.items[i].end;
    }
  }
  for (size_t i = 0; i < kept && !status; i++) {
    ci_match m = matches.items[i];
    status = ci_spans_add(out, text + m.start, m.end - m.start, -1, first && m.start == 0, err);
  }
  ci_free(matches.items);
  return status;
}

const ci_part_kind ci_part_pre_tokenizer_unicode_scripts = {.type = "UnicodeScripts",
                                                            .size = sizeof(unicode_scripts),
                                                            .open = open_scripts,
                                                            .close = close_scripts,
                                                            .split = split_scripts};
