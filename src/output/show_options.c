/* See show_options.h. */
#include "output/show_options.h"
#include "aggregate/aggregator.h"
#include "output/view.h"
#include <string.h>

enum { MOST_TABLES = 32 };

static const char where[] = "options";

#define AT(field) offsetof(ci_show_options, field)
const ci_option ci_show_option_table[] = {
    {"color", NULL, CI_WORD, AT(color), "\"none\"", 0, 0, "none|256|truecolor", "Colours that the terminal has."},
    {"width", NULL, CI_INT, AT(width), "0", 0, 1000000, NULL,
     "Columns of the terminal: wider tables are split; 0: no limit."},
    {"view", NULL, CI_WORD, AT(view), "null", 0, 0, "@views",
     "What is shown (cinseq list views); without it the table, in a page a grid where it has more than 5,000 cells."},
    {"fragment", NULL, CI_BOOL, AT(fragment), "false", 0, 0, NULL,
     "Of a page only the part that another page takes in, as a notebook's cell does."},
    {"clean_tokens", NULL, CI_BOOL, AT(clean_tokens), "false", 0, 0, NULL,
     "Show tokens without their word markers (U+2581 and U+0120)."},
    {"min_val", NULL, CI_REAL, AT(min_val), "0", -1e300, 0, NULL,
     "The score that is all blue; 0: the negative of max_val."},
    {"max_val", NULL, CI_REAL, AT(max_val), "0", 0, 1e300, NULL, "The score that is all red; 0: the largest score."},
    {"attribution_aggregators", NULL, CI_WORDS, AT(aggregators), "null", 0, 0, "@functions",
     "How attributions are reduced to tokens by tokens: aggregators (cinseq list aggregators) or functions (cinseq "
     "list "
     "functions), one after the other; without it as suits the method. If given, files are saved aggregated."},
    {"aggregate_fn", NULL, CI_WORDS, AT(functions), "null", 0, 0, "@functions",
     "Functions of these aggregators, one for each; \"default\": what suits the aggregator."},
    {"attribution_selectors", NULL, CI_INTS, AT(selectors), "null", 0, 0, NULL,
     "One index for each aggregator: the member of the last dimension that is taken, and not reduced."},
    {"step_score_functions", NULL, CI_TABLE, AT(score_functions), "{}", 0, 0, NULL,
     "Functions that step scores of a span are reduced with, by the step score's name; those of cinseq have their "
     "own."},
    CI_OPTIONS_END,
};
#undef AT

/* The option of this name that belongs to an aggregator or a view; NULL: none does. */
static const ci_option *find_argument(const char *name) {
  size_t count;
  const ci_view *views = ci_views(&count);
  for (size_t i = 0; i < count; i++) {
    const ci_option *own = views[i].options ? ci_options_find(views[i].options, name) : NULL;
    if (own) return own;
  }
  const ci_aggregator *rows = ci_aggregators(&count);
  const ci_option *found = NULL;
  for (size_t i = 0; i < count && !found; i++) found = ci_options_find(rows[i].options, name);
  return found;
}

static ci_status unknown_key(const char *key, ci_error *err) {
  const ci_option *tables[MOST_TABLES] = {ci_show_option_table};
  size_t count, used = 1;
  const ci_aggregator *rows = ci_aggregators(&count);
  for (size_t i = 0; i < count && used < MOST_TABLES; i++) tables[used++] = rows[i].options;
  const ci_view *views = ci_views(&count);
  for (size_t i = 0; i < count && used < MOST_TABLES; i++)
    if (views[i].options) tables[used++] = views[i].options;
  return ci_options_unknown(tables, used, where, key, err);
}

/* Keys that the table does not have must be an aggregator's or a view's, with a value that it takes. */
static ci_status check_arguments(const ci_show_options *options, const json_t *keys, ci_error *err) {
  size_t i;
  const json_t *key;
  json_array_foreach(keys, i, key) {
    const char *name = json_string_value(key);
    const ci_option *option = find_argument(name);
    if (!option) return unknown_key(name, err);
    ci_option one[] = {*option, CI_OPTIONS_END};
    max_align_t value;
    one[0].offset = 0;
    json_t *object = json_pack("{s:O}", name, json_object_get(options->arguments, name));
    ci_status status =
        object ? ci_options_parse(one, where, object, &value, options->owner, NULL, err) : ci_fail_memory(err);
    json_decref(object);
    if (status) return status;
  }
  return CI_OK;
}

ci_status ci_show_options_read(const char *json, ci_show_options *options, ci_error *err) {
  json_t *object = NULL, *unknown = json_array(), *owner = json_array();
  *options = (ci_show_options){0};
  ci_status status = owner && unknown ? CI_OK : ci_fail_memory(err);
  if (!status && json) status = ci_json_parse(where, json, strlen(json), &object, err);
  if (!status && object && json_array_append_new(owner, object)) status = ci_fail_memory(err);
  if (!status) status = ci_options_parse(ci_show_option_table, where, object, options, owner, unknown, err);
  options->owner = owner;
  options->arguments = object;
  if (!status) status = check_arguments(options, unknown, err);
  const ci_view *view;
  if (!status) status = ci_view_named(options->view, &view, err);
  if (!status && !options->aggregators && !options->view && json_array_size(options->functions))
    status = ci_fail(err, CI_EINVAL, "aggregate_fn",
                     "is given without attribution_aggregators: name one for each, as \"scores\"");
  if (!status) status = ci_aggregators_check(options->aggregators, options->arguments, err);
  json_decref(unknown);
  if (status && err && err->code == CI_EFILE) err->code = status = CI_EINVAL; /* the text is the caller's, no file's */
  return status;
}

void ci_show_options_free(ci_show_options *options) {
  json_decref(options->owner);
  *options = (ci_show_options){0};
}
