/* The table of views, and what they have in common. */
#include "output/view.h"
#include "aggregate/aggregator.h"
#include "base/unknown.h"
#include <string.h>

static const ci_view views[] = {
#define CI_VIEW(id, help, rank, sum, shares, options, tables, html, script)                                            \
  {id, help, rank, sum, shares, options, tables, html, script},
#include "output/views.def"
#undef CI_VIEW
};

enum { VIEWS = sizeof views / sizeof *views };

const ci_view *ci_views(size_t *count) {
  *count = VIEWS;
  return views;
}

ci_status ci_view_named(const char *id, const ci_view **view, ci_error *err) {
  const char *names[VIEWS];
  for (size_t i = 0; i < VIEWS; i++) {
    names[i] = views[i].id;
    *view = &views[i];
    if (!id || strcmp(id, views[i].id) == 0) return CI_OK;
  }
  *view = NULL;
  return ci_fail_unknown(err, "view", "view", id, names, VIEWS);
}

const ci_view *ci_view_of(const ci_show_options *options) {
  const ci_view *view = NULL;
  return ci_view_named(options->view, &view, NULL) ? views : view;
}

ci_status ci_view_options_read(const ci_option *table, const ci_show_options *options, void *own, json_t **keep,
                               ci_error *err) {
  json_t *others = json_array(); /* keys that are not the view's */
  *keep = json_array();
  ci_status status = *keep && others ? ci_options_parse(table, "options", options->arguments, own, *keep, others, err)
                                     : ci_fail_memory(err);
  json_decref(others);
  return status;
}

/* ---- dimensions ---- */

static bool has_layers(const ci_sequence *s) {
  return s->kind == CI_MULTIDIMENSIONAL;
}

const char *ci_dimension_name(const ci_sequence *s, int i) {
  static const char *const names[] = {"Input Tokens", "Generated Tokens"};
  static const char *const further[] = {"Model Layer", "Attention Head"};
  if (i < 2) return names[i];
  return has_layers(s) && i < 4 ? further[i - 2] : "Embedding Dimension";
}

const char *ci_dimension_member(const ci_sequence *s, int i) {
  static const char *const names[] = {"token", "token", "layer", "head"};
  return i < 2 || (has_layers(s) && i < 4) ? names[i] : "dimension";
}

/* ---- aggregation ---- */

/* The rank of the first attributions that there are; 0: none. */
static int rank_of(const ci_result *result) {
  for (size_t i = 0; i < result->count; i++) {
    const ci_sequence *s = &result->sequences[i];
    if (s->target_attributions.data) return s->target_attributions.rank;
    if (s->source_attributions.data) return s->source_attributions.rank;
  }
  return 0;
}

/* The last dimensions are reduced until `rank` are left. */
static ci_status reduce_to(int rank, const char *function, const ci_result *result, const json_t *arguments,
                           ci_result **out, ci_error *err) {
  json_t *names = json_array();
  bool failed = !names;
  for (int i = rank_of(result); i > rank && !failed; i--)
    failed = json_array_append_new(names, json_string(function)) != 0;
  ci_status status = failed ? ci_fail_memory(err) : ci_result_aggregate(result, names, arguments, out, err);
  json_decref(names);
  return status;
}

/* Stages like spans leave further dimensions, which a view has no place for: then as suits the method, with the
 * arguments that are not those of one stage. */
static ci_status reduce_rest(const ci_view *view, const ci_show_options *options, ci_result **result, ci_error *err) {
  static const char *const spent[] = {"aggregate_fn", "attribution_selectors", "select_idx", "paired_attr"};
  ci_result *flat = NULL;
  json_t *arguments = options->arguments ? json_copy((json_t *)options->arguments) : json_object();
  for (size_t i = 0; i < sizeof spent / sizeof *spent && arguments; i++) json_object_del(arguments, spent[i]);
  ci_status status = !arguments        ? ci_fail_memory(err)
                     : view->rank == 2 ? ci_result_aggregate(*result, NULL, arguments, &flat, err)
                                       : reduce_to(view->rank, "mean", *result, arguments, &flat, err);
  json_decref(arguments);
  ci_result_close(*result);
  *result = flat;
  return status;
}

static const char LAYERED[] = "those of attention, or of a layer_ method with target_layer \"all\", not aggregated";

static ci_status check_rank(const ci_view *view, const ci_result *result, ci_error *err) {
  int rank = rank_of(result);
  if (rank == 0 || view->rank <= 2) return CI_OK;
  if (rank < view->rank)
    return ci_fail(err, CI_EINVAL, "view", "\"%s\" needs attributions of %d dimensions, these have %d: %s", view->id,
                   view->rank, rank, LAYERED);
  return has_layers(&result->sequences[0])
             ? CI_OK
             : ci_fail(err, CI_EINVAL, "view",
                       "\"%s\": the third dimension of these attributions is the embedding, not layers, as %s",
                       view->id, LAYERED);
}

ci_status ci_view_prepare(const ci_view *view, const ci_result *result, const ci_show_options *options, ci_result **out,
                          ci_error *err) {
  const json_t *names = options->aggregators;
  *out = NULL;
  ci_status status = check_rank(view, result, err);
  if (status) return status;
  bool sum = view->sum && result->count && result->sequences[0].kind == CI_GRANULAR;
  if (names || (view->rank == 2 && !sum))
    status = ci_result_aggregate(result, names, options->arguments, out, err);
  else
    status = reduce_to(view->rank ? view->rank : rank_of(result), sum ? "sum" : "mean", result, options->arguments, out,
                       err);
  if (!status && names && view->rank) status = reduce_rest(view, options, out, err);
  bool shares = view->shares && !names && !json_is_false(json_object_get(options->arguments, "normalize"));
  for (size_t i = 0; shares && !status && i < (*out)->count; i++)
    status = ci_scores_normalize(&(*out)->sequences[i], err);
  if (status) ci_result_close(*out), *out = NULL;
  return status;
}

ci_status ci_view_tables(const ci_sequence *sequence, const ci_show_options *options, ci_heat_tables *tables,
                         ci_error *err) {
  const ci_view *view = ci_view_of(options);
  *tables = (ci_heat_tables){0};
  ci_status status = ci_heat_table_check(sequence, view->rank, err);
  return status ? status : view->tables(sequence, options, tables, err);
}
