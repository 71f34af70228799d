/* What this build can do, as JSON made from the tables: command lines, bindings, servers and documents show these and
 * keep no lists of their own. */
#include "aggregate/aggregator.h"
#include "api/installed.h"
#include "api/request.h"
#include "attribute/method.h"
#include "formats/format.h"
#include "hub/http.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "models/model.h"
#include "output/output.h"
#include "output/saving.h"
#include "output/view.h"
#include "scores/score.h"
#include "tokenizers/tokenizer.h"
#include <math.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- options ---- */

static const char *const type_names[] = {
    [CI_BOOL] = "bool",   [CI_INT] = "int",   [CI_REAL] = "real",   [CI_WORD] = "word", [CI_WORDS] = "words",
    [CI_TEXTS] = "texts", [CI_INTS] = "ints", [CI_TABLE] = "table", [CI_JSON] = "json",
};

/* The words of "a b" or "a|b". NULL text: no words. */
static json_t *split_words(const char *text, const char *separators) {
  json_t *words = json_array();
  while (text && *text) {
    size_t n = strcspn(text, separators);
    if (n) json_array_append_new(words, json_stringn(text, n));
    text += n + (text[n] != 0);
  }
  return words;
}

static json_t *describe_number(double value) {
  return value == floor(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *describe_option(const ci_option *o) {
  json_t *fallback = NULL;
  json_t *row = json_pack("{s:s, s:o, s:s, s:s}", "name", o->name, "flags", split_words(o->flags, " "), "type",
                          type_names[o->type], "help", o->help ? o->help : "");
  ci_json_parse(o->name, o->fallback, strlen(o->fallback), &fallback, NULL);
  json_object_set_new(row, "default", fallback ? fallback : json_null());
  if (o->choices && *o->choices == '@')
    json_object_set_new(row, "kind", json_string(o->choices + 1));
  else if (o->choices)
    json_object_set_new(row, "choices", split_words(o->choices, "|"));
  if (o->min != 0 || o->max != 0) {
    json_object_set_new(row, "min", describe_number(o->min));
    json_object_set_new(row, "max", describe_number(o->max));
  }
  return row;
}

/* {"id", "help", "options"}; options may be NULL. */
static json_t *describe_row(const char *id, const char *help, const ci_option *options) {
  json_t *list = json_array();
  for (; options && options->name; options++) json_array_append_new(list, describe_option(options));
  return json_pack("{s:s, s:s, s:o}", "id", id, "help", help ? help : "", "options", list);
}

/* ---- kinds ---- */

static void describe_methods(json_t *rows) {
  const ci_method *m;
  for (size_t i = 0; (m = ci_method_at(i)); i++) {
    json_t *row = describe_row(m->id, m->help, m->options);
    if (m->paper) json_object_set_new(row, "paper", json_string(m->paper));
    json_array_append_new(rows, row);
  }
}

static void describe_scores(json_t *rows) {
  const ci_score *s;
  for (size_t i = 0; (s = ci_score_at(i)); i++) {
    json_t *row = describe_row(s->id, s->help, s->options);
    json_object_set_new(row, "attributed", json_boolean(s->gradient != NULL));
    json_array_append_new(rows, row);
  }
}

static void describe_models(json_t *rows) {
  const ci_architecture *a;
  for (size_t i = 0; (a = ci_architecture_at(i)); i++) {
    json_t *row = describe_row(a->id, a->help, NULL);
    json_object_set_new(row, "class_name", json_string(a->class_name));
    json_array_append_new(rows, row);
  }
}

static void describe_aggregators(json_t *rows) {
  size_t count;
  const ci_aggregator *a = ci_aggregators(&count);
  for (size_t i = 0; i < count; i++) json_array_append_new(rows, describe_row(a[i].id, a[i].help, a[i].options));
}

static void describe_formats(json_t *rows) {
#define CI_FORMAT(id, help, applies, open) json_array_append_new(rows, describe_row(id, help, NULL));
#include "formats/formats.def"
#undef CI_FORMAT
}

static void describe_tokenizers(json_t *rows) {
  size_t count;
  const ci_tokenizer_row *t = ci_tokenizer_rows(&count);
  for (size_t i = 0; i < count; i++) json_array_append_new(rows, describe_row(t[i].id, t[i].help, NULL));
}

static void describe_outputs(json_t *rows) {
  size_t count;
  const ci_output *o = ci_outputs(&count);
  for (size_t i = 0; i < count; i++) {
    json_t *row = describe_row(o[i].id, o[i].help, NULL);
    json_object_set_new(row, "endings", split_words(o[i].endings, " "));
    json_array_append_new(rows, row);
  }
}

static void describe_views(json_t *rows) {
  size_t count;
  const ci_view *v = ci_views(&count);
  for (size_t i = 0; i < count; i++) json_array_append_new(rows, describe_row(v[i].id, v[i].help, v[i].options));
}

/* Whether the list has an option of that name: aggregators share some. */
static bool is_described(const json_t *options, const char *name) {
  size_t i;
  const json_t *row;
  json_array_foreach(options, i,
                     row) if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0) return true;
  return false;
}

static void add_options(json_t *options, const ci_option *more) {
  for (; more && more->name; more++)
    if (!is_described(options, more->name)) json_array_append_new(options, describe_option(more));
}

/* The options of aggregators and views are keys of "show". */
static void add_show_options(json_t *options) {
  size_t count;
  const ci_view *v = ci_views(&count);
  for (size_t i = 0; i < count; i++) add_options(options, v[i].options);
  const ci_aggregator *a = ci_aggregators(&count);
  for (size_t i = 0; i < count; i++) add_options(options, a[i].options);
}

static void describe_commands(json_t *rows) {
  static const struct {
    const char *id, *help;
    const ci_option *options;
  } commands[] = {
      {"open", "Open a model.", ci_open_options},
      {"download", "Download a model of the Hugging Face hub.", ci_download_options},
      {"attribute", "Say which input tokens each generated token came from.", ci_attribute_options},
      {"generate", "Generate text.", ci_generate_options},
      {"show", "Draw the tables of a result.", ci_show_option_table},
  };
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    json_array_append_new(rows, describe_row(commands[i].id, commands[i].help, commands[i].options));
  add_show_options(json_object_get(json_array_get(rows, json_array_size(rows) - 1), "options"));
  json_array_append_new(rows, describe_row("save", "Save a result.", ci_saving_options));
}

static void describe_functions(json_t *rows) {
  size_t count;
  const ci_function *f = ci_functions(&count);
  for (size_t i = 0; i < count; i++) json_array_append_new(rows, describe_row(f[i].id, f[i].help, NULL));
}

static void describe_kinds(json_t *rows);

static const struct {
  const char *id, *help;
  void (*describe)(json_t *rows);
} kinds[] = {
    {"methods", "Attribution methods.", describe_methods},
    {"scores", "Step functions: scores of generated tokens, and what can be attributed.", describe_scores},
    {"models", "Architectures that can be run.", describe_models},
    {"aggregators", "What can be done to attributions.", describe_aggregators},
    {"functions", "Functions that aggregators reduce with.", describe_functions},
    {"formats", "Formats of weights.", describe_formats},
    {"tokenizers", "Kinds of tokenizers.", describe_tokenizers},
    {"outputs", "What a result can be turned into.", describe_outputs},
    {"views", "What is shown of a result.", describe_views},
    {"installed", "Models that are found by name, with their folders.", ci_installed_describe},
    {"commands", "Requests of the library, with their keys.", describe_commands},
    {"kinds", "What there are lists of.", describe_kinds},
};

static void describe_kinds(json_t *rows) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    json_array_append_new(rows, describe_row(kinds[i].id, kinds[i].help, NULL));
}

/* ---- public functions ---- */

/* Takes the reference of *value. */
static char *dump(json_t *value) {
  char *text = ci_json_text(value, JSON_REAL_PRECISION(15));
  json_decref(value);
  return text;
}

char *cinseq_describe(const char *kind) {
  for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].id, kind) == 0) {
      json_t *rows = json_array();
      kinds[i].describe(rows);
      return dump(rows);
    }
  return NULL;
}

static json_t *describe_libraries(void) {
  json_t *libraries = json_object();
  char pcre[64] = "";
  pcre2_config(PCRE2_CONFIG_VERSION, pcre);
  pcre[strcspn(pcre, " ")] = 0; /* a date follows */
  for (size_t i = 0; ci_gemm_at(i); i++) {
    const ci_gemm *g = ci_gemm_at(i);
    char version[32] = "";
    if (!g->library) continue;
    g->version(version);
    json_object_set_new(libraries, g->library, json_string(version));
  }
  json_object_set_new(libraries, "jansson", json_string(jansson_version_str()));
  json_object_set_new(libraries, "PCRE2", json_string(pcre));
  if (ci_http_version()) json_object_set_new(libraries, "libcurl", json_string(ci_http_version()));
  json_object_set_new(libraries, "utf8proc", json_string(utf8proc_version()));
  return libraries;
}

/* What the chosen kernels use of the CPU. */
static json_t *describe_cpu(void) {
  static const struct {
    const char *kernels, *features;
  } used[] = {{"avx512_vnni", "avx512f avx512bw avx512dq avx512vl avx512_vnni avx2 fma f16c"},
              {"avx512", "avx512f avx512bw avx512dq avx512vl avx2 fma f16c"},
              {"avx2", "avx2 fma f16c"}};
  const char *best = ci_kernels_best()->id;
  for (size_t i = 0; i < sizeof used / sizeof *used; i++)
    if (strcmp(used[i].kernels, best) == 0) return split_words(used[i].features, " ");
  return json_array();
}

char *cinseq_build_info(void) {
  json_t *gemm = json_array();
  for (size_t i = 0; ci_gemm_at(i); i++)
    if (ci_gemm_at(i)->available()) json_array_append_new(gemm, json_string(ci_gemm_at(i)->id));
  return dump(json_pack("{s:s, s:o, s:o, s:o}", "version", CINSEQ_VERSION, "cpu", describe_cpu(), "gemm", gemm,
                        "libraries", describe_libraries()));
}

const char *cinseq_version(void) {
  return CINSEQ_VERSION;
}

void cinseq_free(void *text) {
  ci_free(text);
}
