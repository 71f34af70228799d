/* The heat tables as LaTeX for \input: tabulars with the rules of booktabs, cells coloured by xcolor as on white paper.
 *
 *   % what it is, which packages it needs, which engine for its characters
 *   \providecommand{\cinseqheat}[3]{...}      background, ink, score
 *   {\footnotesize ...
 *   \resizebox{...}{!}{\begin{tabular}{rl...}
 *   \toprule
 *    &  & 0 & 1 \\
 *    &  & \cinseqspace I & \cinseqspace have \\
 *   \midrule
 *   0 & \cinseqspace 今天 & \cinseqheat{249,230,232}{0,0,0}{0.117} & ... \\
 *   \midrule
 *    & probability & 0.440 & ... \\
 *   \bottomrule
 *   \end{tabular}}
 *
 * No table is wider than the line, and none has more columns than MOST_COLUMNS: the others go on below. Text comes from
 * anywhere: everything that is not ours goes through add_escaped. */
#include "cinseq.h"
#include "output/display_width.h"
#include "output/output.h"
#include "output/result_info.h"
#include "output/view.h"
#include <math.h>
#include <string.h>

enum { MOST_COLUMNS = 20, LONGEST_TOKEN = 20 };

typedef struct {
  const ci_show_options *options;
  ci_text *out;
  bool cjk, beyond_latin; /* characters that occurred */
} paper;

/* What LaTeX reads as something else, and what its fonts join with a neighbour. */
static const struct {
  const char *text, *escaped;
} escapes[] = {{"\\", "\\textbackslash{}"},
               {"{", "\\{"},
               {"}", "\\}"},
               {"$", "\\$"},
               {"&", "\\&"},
               {"#", "\\#"},
               {"%", "\\%"},
               {"_", "\\_"},
               {"^", "\\textasciicircum{}"},
               {"~", "\\textasciitilde{}"},
               {"<", "\\textless{}"},
               {">", "\\textgreater{}"},
               {"|", "\\textbar{}"},
               {"\"", "\\string\"{}"},
               {"'", "'{}"},
               {"`", "`{}"},
               {"-", "-{}"},
               {",", ",{}"},
               {"!", "!{}"},
               {"?", "?{}"},
               {" ", "\\ "},
               {"[", "{[}"},
               {"]", "{]}"},
               {"*", "{*}"},
               {"\xE2\x96\x81", "\\cinseqspace{}"} /* U+2581, SentencePiece's mark of a space */,
               {"\xC4\xA0", "\\.{G}"} /* U+0120, that of byte-level BPE */,
               {"\xC4\x8A", "\\.{C}"} /* U+010A, its newline */,
               {"\xE2\x80\xA6", "\\ldots{}"} /* the ellipsis of a token that was cut */};

static bool is_cjk(uint32_t c) {
  return (c >= 0x1100 && c < 0x1200) || (c >= 0x2E80 && c < 0xA4D0) || (c >= 0xAC00 && c < 0xD7B0) ||
         (c >= 0xF900 && c < 0xFB00) || (c >= 0xFE30 && c < 0xFE50) || (c >= 0xFF00 && c < 0xFFF0) ||
         (c >= 0x20000 && c < 0x40000);
}

/* Well-formed text without control characters. */
static void add_escaped(paper *p, const char *text) {
  enum { ESCAPES = sizeof escapes / sizeof *escapes, LATIN_END = 0x180 };
  for (size_t length = strlen(text), at = 0, n; at < length; at += n) {
    uint32_t c;
    size_t i = 0;
    while (i < ESCAPES && !ci_starts_with(text + at, escapes[i].text)) i++;
    n = ci_utf8_next(text, length, at, &c);
    if (i < ESCAPES) {
      ci_text_add(p->out, escapes[i].escaped);
      continue;
    }
    p->cjk = p->cjk || is_cjk(c);
    p->beyond_latin = p->beyond_latin || (c >= LATIN_END && !is_cjk(c));
    ci_text_add_n(p->out, text + at, n);
  }
}

static void add_label(paper *p, const char *text, bool clean, size_t most) {
  ci_text label = {0};
  ci_token_label_add(&label, text, clean, most);
  if (label.failed) p->out->failed = true;
  if (label.data) add_escaped(p, label.data);
  ci_text_free(&label);
}

/* ---- tables ---- */

/* NaN: a blank cell. */
static void add_score(paper *p, double score, bool whole, const ci_heat_limits *limits) {
  char text[32];
  ci_text_add(p->out, " & ");
  if (isnan(score)) return;
  ci_score_format(score, whole, text);
  const char *minus = *text == '-' ? "$-$" : "", *digits = text + (*text == '-');
  if (!limits) {
    ci_text_add_format(p->out, "%s%s", minus, digits);
    return;
  }
  ci_color color = ci_heat_color(score, limits);
  int ink = ci_color_wants_black(color) ? 0 : 255;
  ci_text_add_format(p->out, "\\cinseqheat{%d,%d,%d}{%d,%d,%d}{%s%s}", color.red, color.green, color.blue, ink, ink,
                     ink, minus, digits);
}

static void end_row(paper *p) {
  ci_text_add(p->out, " \\\\\n");
}

static void add_tokens(paper *p, const ci_heat_table *t, size_t first, size_t end) {
  ci_text_add(p->out, " & ");
  for (size_t i = first; i < end; i++) {
    ci_text_add(p->out, " & ");
    add_label(p, t->column_tokens[i].token, p->options->clean_tokens, LONGEST_TOKEN);
  }
  end_row(p);
}

static void add_header(paper *p, const ci_heat_table *t, size_t first, size_t end) {
  ci_text_add(p->out, "\\toprule\n & ");
  for (size_t i = first; i < end; i++) ci_text_add_format(p->out, " & %zu", t->first_column + i);
  end_row(p);
  if (t->column_tokens) add_tokens(p, t, first, end);
  ci_text_add(p->out, "\\midrule\n");
}

static void add_rows(paper *p, const ci_heat_table *t, const ci_heat_limits *limits, size_t first, size_t end) {
  for (size_t row = 0; row < t->row_count; row++) {
    ci_text_add_format(p->out, "%zu & ", t->first_row + row);
    add_label(p, t->row_tokens[row].token, p->options->clean_tokens, LONGEST_TOKEN);
    for (size_t i = first; i < end; i++) add_score(p, t->scores[row * t->column_count + i], false, limits);
    end_row(p);
  }
}

static void add_step_scores(paper *p, const ci_sequence *s, const ci_heat_table *t, size_t first, size_t end) {
  if (!t->column_tokens) return;
  if (s->step_scores_count) ci_text_add(p->out, "\\midrule\n");
  for (size_t k = 0; k < s->step_scores_count; k++) {
    ci_text_add(p->out, " & ");
    add_label(p, s->step_scores[k].name, false, LONGEST_TOKEN);
    const float *values = s->step_scores[k].values.data + t->first_column;
    bool whole = ci_scores_are_whole(values, t->column_count);
    for (size_t i = first; i < end; i++) add_score(p, values[i], whole, NULL);
    end_row(p);
  }
}

static void add_table(paper *p, const ci_sequence *s, const ci_heat_table *t, const ci_heat_limits *limits) {
  ci_text_add_format(p->out, "\\par\\smallskip\\noindent\\textbf{%s", t->title);
  if (t->of) {
    ci_text_add_format(p->out, " of %zu ", t->of_index);
    add_label(p, t->of->token, p->options->clean_tokens, LONGEST_TOKEN);
  }
  if (*t->place) ci_text_add_format(p->out, ", %s", t->place);
  ci_text_add_format(p->out, "}\\quad $\\rightarrow$ %s, $\\downarrow$ attributed\n", t->across);
  for (size_t first = 0, end; first < t->column_count; first = end) {
    end = t->column_count - first > MOST_COLUMNS ? first + MOST_COLUMNS : t->column_count;
    ci_text_add(p->out,
                "\\par\\smallskip\\noindent\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
                "\\begin{tabular}{rl");
    for (size_t i = first; i < end; i++) ci_text_add(p->out, "c");
    ci_text_add(p->out, "}\n");
    add_header(p, t, first, end);
    add_rows(p, t, limits, first, end);
    add_step_scores(p, s, t, first, end);
    ci_text_add(p->out, "\\bottomrule\n\\end{tabular}}\n");
  }
}

/* ---- the file ---- */

/* What a heading can hold: the first line of a text. */
static void add_text(paper *p, const char *text) {
  ci_text line = {0};
  ci_text_add_n(&line, text, strcspn(text, "\r\n"));
  if (line.failed) p->out->failed = true;
  add_label(p, line.data ? line.data : "", false, 0);
  ci_text_free(&line);
}

static ci_status add_sequence(paper *p, const ci_result *result, size_t at, ci_error *err) {
  const ci_sequence *s = &result->sequences[at];
  const char *input = ci_info_text(result->info, "input_texts", at),
             *output = ci_info_text(result->info, "generated_texts", at);
  ci_heat_tables tables;
  ci_status status = ci_view_tables(s, p->options, &tables, err);
  ci_heat_limits limits = ci_heat_table_limits(s, p->options->min_val, p->options->max_val);
  ci_text_add(p->out, "\\par\\medskip\\noindent ");
  if (input) add_text(p, input);
  if (output) ci_text_add(p->out, " $\\rightarrow$ ");
  if (output) add_text(p, output);
  ci_text_add(p->out, "\n");
  for (size_t i = 0; i < tables.count; i++) add_table(p, s, &tables.items[i], &limits);
  ci_heat_tables_close(&tables);
  return status;
}

/* Text in a comment: one line of it. */
static void add_comment(ci_text *out, const char *text) {
  ci_display_add(out, text, 0);
}

static void add_head(ci_text *out, const json_t *info, const paper *p) {
  const char *method = ci_info_method(info), *model = ci_info_model(info);
  ci_text_add_format(out, "%% Heat tables of cinseq %s", cinseq_version());
  if (method) ci_text_add(out, ": ");
  if (method) add_comment(out, method);
  if (model) ci_text_add(out, ", ");
  if (model) add_comment(out, model);
  ci_text_add(out, "\n% In the preamble: \\usepackage{booktabs,graphicx,xcolor}\n");
  if (p->cjk)
    ci_text_add(out, "% Chinese, Japanese or Korean occurs: compile with xelatex, and in the preamble\n"
                     "%   \\usepackage{xeCJK}\\setCJKmainfont{Noto Serif CJK SC} % or another font that has it\n");
  if (p->beyond_latin)
    ci_text_add(out, "% Characters beyond Latin occur: compile with xelatex or lualatex, and in the preamble\n"
                     "%   \\usepackage{fontspec}\\setmainfont{DejaVu Serif} % or another font that has them\n");
  ci_text_add(out, "\\providecommand{\\cinseqheat}[3]{\\colorbox[RGB]{#1}{\\textcolor[RGB]{#2}{#3}}}\n"
                   "\\providecommand{\\cinseqspace}{\\rule{0.5em}{0.35ex}}\n"
                   "{\\footnotesize\\setlength{\\fboxsep}{2pt}\\setlength{\\tabcolsep}{1.5pt}\n");
}

ci_status ci_latex_write(const ci_result *result, const ci_show_options *options, ci_text *out, ci_error *err) {
  ci_text body = {0}; /* first, since the head says which characters it holds */
  paper p = {.options = options, .out = &body};
  ci_status status = CI_OK;
  for (size_t i = 0; i < result->count && !status; i++) status = add_sequence(&p, result, i, err);
  if (!status) {
    add_head(out, result->info, &p);
    ci_text_add_n(out, body.data ? body.data : "", body.length);
    ci_text_add(out, "\\par}\n");
    if (out->failed || body.failed) status = ci_fail_memory(err);
  }
  ci_text_free(&body);
  return status;
}
