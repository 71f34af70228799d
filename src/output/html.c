/* The page of a view, or only the part of it that another page takes in ("fragment"):
 *
 *   <body class=cinseq-page>
 *     <header>               method, model, what was attributed
 *     <div class=cinseq>     a fragment is this with its style sheet
 *       <section>            one a sequence
 *         input, output      headings of a page; a notebook's table of contents should not have them
 *         what the view shows
 *
 * Colours are in the cells themselves, so that they are there where style sheets are not (GitHub's notebooks), and
 * translucent, so that they are right on light and on dark paper. Text comes from anywhere: page.h. */
#include "output/html.h"
#include "cinseq.h"
#include "output/blob.h"
#include "output/result_info.h"
#include "output/view.h"
#include <string.h>

void ci_html_texts(ci_page *p, const ci_sequence *sequence) {
  size_t at = (size_t)(sequence - p->result->sequences);
  const char *input = ci_info_text(p->result->info, "input_texts", at),
             *output = ci_info_text(p->result->info, "generated_texts", at);
  const char *heading = p->options->fragment ? "div" : "h2";
  bool goes_on = input && output && ci_starts_with(output, input);
  if (!input && !output) {
    if (p->result->count > 1)
      ci_text_add_format(p->out, "<%s class=\"ci-in\">Text %zu</%s>\n", heading, at + 1, heading);
    return;
  }
  ci_text_add_format(p->out, "<%s class=\"ci-in\" dir=\"auto\">", heading);
  if (input) ci_html_lines(p->out, input);
  if (goes_on) {
    ci_text_add(p->out, "<span class=\"ci-out\">");
    ci_html_lines(p->out, output + strlen(input));
    ci_text_add(p->out, "</span>");
  }
  ci_text_add_format(p->out, "</%s>\n", heading);
  if (!output || goes_on) return;
  ci_text_add(p->out, "<div class=\"ci-out\" dir=\"auto\">");
  ci_html_lines(p->out, output);
  ci_text_add(p->out, "</div>\n");
}

static ci_status add_section(ci_page *p, size_t at, ci_error *err) {
  const ci_view *view = ci_view_of(p->options);
  const ci_sequence *sequence = &p->result->sequences[at];
  ci_status status = ci_heat_table_check(sequence, view->rank, err);
  if (status) return status;
  ci_text_add(p->out, view->script ? "<section class=\"ci-wide\">\n" : "<section>\n");
  status = view->html(p, sequence, err);
  ci_text_add(p->out, "</section>\n");
  return status;
}

/* ---- the page ---- */

/* "probability_fn" is the score "probability". */
static void add_score_name(ci_text *out, const char *name) {
  size_t length = strlen(name) - (ci_ends_with(name, "_fn") ? strlen("_fn") : 0);
  ci_text_add_n(out, name, length);
}

static void add_meta(ci_text *out, const char *title, const char *value) {
  if (!value || !*value) return;
  ci_text_add_format(out, "<div><dt>%s</dt><dd>", title);
  ci_html_foreign(out, value, false);
  ci_text_add(out, "</dd></div>\n");
}

/* A score or several, as Inseq's info has them. */
static void add_meta_scores(ci_text *out, const char *title, const json_t *value) {
  ci_text names = {0};
  size_t i;
  const json_t *name;
  if (json_is_string(value)) add_score_name(&names, json_string_value(value));
  json_array_foreach(value, i, name) {
    if (i) ci_text_add(&names, ", ");
    if (json_is_string(name)) add_score_name(&names, json_string_value(name));
  }
  if (names.failed) out->failed = true;
  add_meta(out, title, names.data);
  ci_text_free(&names);
}

static void add_header(ci_text *out, const json_t *info, const char *method) {
  ci_text_add(out, "<header>\n<h1>");
  ci_html_foreign(out, method ? method : "Attributions", false);
  ci_text_add(out, "</h1>\n<dl class=\"meta\">\n");
  add_meta(out, "Model", ci_info_model(info));
  add_meta_scores(out, "Attributed", json_object_get(info, "attributed_fn"));
  add_meta_scores(out, "Step scores", json_object_get(info, "step_scores"));
  if (json_is_true(json_object_get(info, "constrained_decoding"))) add_meta(out, "Output", "given, not generated");
  ci_text_add(out, "</dl>\n</header>\n");
}

/* Whatever a token may say: nothing is loaded, and no script runs but the view's. */
static void add_policy(ci_text *out, const ci_embedded *script) {
  ci_text_add(out,
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'");
  if (script) {
    ci_text_add(out, "; script-src 'sha256-");
    ci_base64_add(out, script->sha256, sizeof script->sha256);
    ci_text_add(out, "'");
  }
  ci_text_add(out, "\">\n");
}

static void add_head(ci_text *out, const ci_page *p, const char *method) {
  const char *model = ci_info_model(p->result->info);
  ci_text_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
  add_policy(out, ci_view_of(p->options)->script);
  ci_text_add(out, "<title>");
  ci_html_foreign(out, method ? method : "Attributions", false);
  if (model) ci_text_add(out, " · ");
  if (model) ci_html_foreign(out, model, false);
  ci_text_add(out, "</title>\n<style>\n");
  ci_text_add(out, ci_page_style);
  ci_text_add(out, ci_page_frame_style);
  ci_text_add(out, "</style>\n</head>\n<body class=\"cinseq-page\">\n");
}

static ci_status add_sections(ci_page *p, ci_error *err) {
  ci_status status = CI_OK;
  ci_text_add(p->out, "<div class=\"cinseq\">\n");
  if (p->options->fragment) {
    ci_text_add(p->out, "<style>\n");
    ci_text_add(p->out, ci_page_style);
    ci_text_add(p->out, "</style>\n");
  }
  const ci_embedded *script = ci_view_of(p->options)->script;
  for (size_t i = 0; i < p->result->count && !status; i++) status = add_section(p, i, err);
  if (script) {
    ci_text_add(p->out, "<style>\n");
    ci_text_add_n(p->out, ci_live_style.text, ci_live_style.length);
    ci_text_add(p->out, "</style>\n<script>");
    ci_text_add_n(p->out, script->text, script->length);
    ci_text_add(p->out, "</script>\n");
  }
  ci_text_add(p->out, "</div>\n");
  return status;
}

/* Whether tables are so large that a browser would take long to lay them out. */
static bool is_large(const ci_result *result) {
  enum { MOST_CELLS = 5000 };
  size_t cells = 0;
  for (size_t i = 0; i < result->count; i++)
    cells += ci_array_size(&result->sequences[i].source_attributions) +
             ci_array_size(&result->sequences[i].target_attributions);
  return cells > MOST_CELLS;
}

ci_status ci_html_write(const ci_result *result, const ci_show_options *given, ci_text *out, ci_error *err) {
  ci_show_options chosen = *given, *options = &chosen;
  if (!options->view && is_large(result)) options->view = "grid";
  ci_page p = {.result = result, .options = options, .out = out};
  const char *method = ci_info_method(result->info);
  if (!options->fragment) {
    add_head(out, &p, method);
    add_header(out, result->info, method);
  }
  ci_status status = add_sections(&p, err);
  if (!options->fragment) ci_text_add_format(out, "<footer>cinseq %s</footer>\n</body>\n</html>\n", cinseq_version());
  return status ? status : out->failed ? ci_fail_memory(err) : CI_OK;
}
