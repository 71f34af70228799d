/* The view `granular`: attributions [tokens, generated, ...] with all their dimensions. As text a table for each place
 * in the further ones; in a page scripts/granular.js draws two dimensions, has a slider for each of the others, and
 * small maps of all places to choose from. slice_dims takes a part of any dimension. */
#include "base/memory.h"
#include "output/view.h"
#include <stdio.h>
#include <string.h>

enum { MOST_RANK = 4 };

typedef struct {
  int64_t most;
  json_t *show, *slices;
} granular_options;

const ci_option ci_granular_view_options[] = {
    {"max_show_size", NULL, CI_INT, offsetof(granular_options, most), "20", 1, 1000000, NULL,
     "View \"granular\": the largest further dimension of which text has a table for each member, and that show_dim "
     "may name."},
    {"show_dim", NULL, CI_JSON, offsetof(granular_options, show), "null", 0, 0, NULL,
     "View \"granular\" in a page: the dimension that stands beside the tokens at first, its number or Inseq's name "
     "(\"Attention Head\")."},
    {"slice_dims", NULL, CI_TABLE, offsetof(granular_options, slices), "null", 0, 0, NULL,
     "View \"granular\": parts of dimensions, by number or name: {\"Model Layer\": [0, 4]}, the end not included."},
    CI_OPTIONS_END};

typedef struct {
  size_t start, end;
} range;

/* A dimension by its number or name; -1: none. */
static int find_dimension(const ci_sequence *s, int rank, const char *name) {
  for (int i = 0; i < rank; i++) {
    char number[2] = {(char)('0' + i), 0};
    if (strcmp(name, number) == 0 || strcmp(name, ci_dimension_name(s, i)) == 0 ||
        (i >= 2 && strcmp(name, ci_dimension_member(s, i)) == 0))
      return i;
  }
  return -1;
}

static ci_status unknown_dimension(const ci_sequence *s, int rank, const char *where, const char *name, ci_error *err) {
  ci_text names = {0};
  for (int i = 0; i < rank; i++) ci_text_add_format(&names, "%s%d \"%s\"", i ? ", " : "", i, ci_dimension_name(s, i));
  ci_status status =
      ci_fail(err, CI_EINVAL, where, "no dimension \"%s\", expected one of %s", name, names.data ? names.data : "");
  ci_text_free(&names);
  return status;
}

static ci_status read_range(const json_t *value, const char *name, size_t size, range *r, ci_error *err) {
  int64_t start, end, length = (int64_t)size;
  if (!ci_json_as_int(json_array_get(value, 0), &start) || !ci_json_as_int(json_array_get(value, 1), &end) ||
      json_array_size(value) != 2)
    return ci_fail(err, CI_EINVAL, "slice_dims", "\"%s\": expected [start, end]", name);
  if (start < 0 || end > length || start >= end)
    return ci_fail(err, CI_EINVAL, "slice_dims", "\"%s\": [%lld, %lld] is no part of %lld", name, (long long)start,
                   (long long)end, (long long)length);
  *r = (range){(size_t)start, (size_t)end};
  return CI_OK;
}

/* The parts of a side's dimensions. Rows of source and target differ: a slice of rows is cut at what there is. */
static ci_status read_ranges(const ci_sequence *s, const ci_array *scores, const json_t *slices,
                             range ranges[MOST_RANK], ci_error *err) {
  const char *name;
  json_t *value;
  for (int i = 0; i < MOST_RANK; i++) ranges[i] = (range){0, i < scores->rank ? scores->shape[i] : 1};
  json_object_foreach((json_t *)slices, name, value) {
    int dimension = find_dimension(s, scores->rank, name);
    if (dimension < 0) return unknown_dimension(s, scores->rank, "slice_dims", name, err);
    ci_status status = read_range(value, name, scores->shape[dimension], &ranges[dimension], err);
    if (status) return status;
  }
  return CI_OK;
}

static size_t length_of(range r) {
  return r.end - r.start;
}

static const ci_token *tokens_from(const ci_token *tokens, size_t first) {
  return tokens ? tokens + first : NULL;
}

/* The scores of the ranges as an array of their own, all dimensions in order. */
static float *take(const ci_array *scores, const range r[MOST_RANK], ci_arena *arena) {
  size_t count = 1, shape[MOST_RANK];
  for (int i = 0; i < MOST_RANK; i++) {
    shape[i] = i < scores->rank ? scores->shape[i] : 1;
    count *= length_of(r[i]);
  }
  float *out = ci_arena_alloc(arena, count, sizeof *out), *to = out;
  size_t run = length_of(r[3]);
  for (size_t a = r[0].start; a < r[0].end && out; a++)
    for (size_t b = r[1].start; b < r[1].end; b++)
      for (size_t c = r[2].start; c < r[2].end; c++, to += run)
        memcpy(to, scores->data + ((a * shape[1] + b) * shape[2] + c) * shape[3] + r[3].start, run * sizeof *to);
  return out;
}

/* ---- text ---- */

/* The table of place (c, d) of the further dimensions. */
static ci_status add_table(const ci_sequence *s, const ci_array *scores, const range ranges[MOST_RANK], size_t c,
                           size_t d, const ci_heat_table *frame, ci_heat_tables *tables, ci_error *err) {
  range place[MOST_RANK] = {ranges[0], ranges[1], {c, c + 1}, {d, d + 1}};
  ci_heat_table *t = &tables->items[tables->count++];
  *t = *frame;
  t->scores = take(scores, place, tables->arena);
  t->row_tokens = tokens_from(t->row_tokens, ranges[0].start);
  t->column_tokens = tokens_from(t->column_tokens, ranges[1].start);
  t->row_count = length_of(ranges[0]);
  t->column_count = length_of(ranges[1]);
  t->first_row = ranges[0].start;
  t->first_column = ranges[1].start;
  if (scores->rank > 2) snprintf(t->place, sizeof t->place, "%s %zu", ci_dimension_member(s, 2), c);
  if (scores->rank > 3) {
    size_t used = strlen(t->place);
    snprintf(t->place + used, sizeof t->place - used, ", %s %zu", ci_dimension_member(s, 3), d);
  }
  return t->scores ? CI_OK : ci_fail_memory(err);
}

static ci_status check_size(const ci_sequence *s, const ci_array *scores, const range ranges[MOST_RANK], int64_t most,
                            ci_error *err) {
  for (int i = 2; i < scores->rank; i++)
    if (length_of(ranges[i]) > (size_t)most)
      return ci_fail(
          err, CI_EINVAL, "max_show_size",
          "\"%s\" has %zu members, more than the %lld of which there is a table for each: slice_dims takes fewer",
          ci_dimension_name(s, i), length_of(ranges[i]), (long long)most);
  return CI_OK;
}

static ci_status add_side(const ci_sequence *s, bool source, const granular_options *options, ci_heat_tables *tables,
                          ci_error *err) {
  const ci_array *scores;
  ci_heat_table frame;
  range ranges[MOST_RANK];
  if (!ci_heat_table_frame(s, source, &frame, &scores)) return CI_OK;
  ci_status status = read_ranges(s, scores, options->slices, ranges, err);
  if (!status) status = check_size(s, scores, ranges, options->most, err);
  for (size_t c = ranges[2].start; c < ranges[2].end && !status; c++)
    for (size_t d = ranges[3].start; d < ranges[3].end && !status; d++)
      status = add_table(s, scores, ranges, c, d, &frame, tables, err);
  return status;
}

/* Room for as many tables as there are places, sliced or not. */
static size_t places_of(const ci_array *scores) {
  return !scores->data ? 0 : (scores->rank > 2 ? scores->shape[2] : 1) * (scores->rank > 3 ? scores->shape[3] : 1);
}

ci_status ci_granular_view_tables(const ci_sequence *s, const ci_show_options *show, ci_heat_tables *tables,
                                  ci_error *err) {
  granular_options options;
  json_t *keep;
  ci_status status = ci_view_options_read(ci_granular_view_options, show, &options, &keep, err);
  if (!status)
    status = ci_heat_tables_open(tables, places_of(&s->source_attributions) + places_of(&s->target_attributions), err);
  for (int side = 0; side < 2 && !status; side++) status = add_side(s, side == 0, &options, tables, err);
  json_decref(keep);
  return status;
}

/* ---- page ---- */

/* show_dim as the number of a dimension; without it the first further one that is small enough, else none. */
static ci_status find_shown(const ci_sequence *s, const ci_array *scores, const range ranges[MOST_RANK],
                            const granular_options *options, int *shown, ci_error *err) {
  char number[24];
  const char *name = json_string_value(options->show);
  *shown = -1;
  if (!options->show || json_is_null(options->show)) return CI_OK;
  if (json_is_integer(options->show)) {
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(options->show));
    name = number;
  }
  *shown = name ? find_dimension(s, scores->rank, name) : -1;
  if (*shown < 0) return unknown_dimension(s, scores->rank, "show_dim", name ? name : "?", err);
  if (length_of(ranges[*shown]) > (size_t)options->most)
    return ci_fail(err, CI_EINVAL, "show_dim", "\"%s\" has %zu members, more than max_show_size %lld",
                   ci_dimension_name(s, *shown), length_of(ranges[*shown]), (long long)options->most);
  return CI_OK;
}

/* axes: the dimensions that are rows and columns at first. */
static ci_status add_map(ci_page *p, const ci_sequence *s, bool source, const granular_options *options,
                         const int axes[2], ci_error *err) {
  const ci_array *scores;
  ci_heat_table frame;
  range ranges[MOST_RANK];
  int shown = -1;
  if (!ci_heat_table_frame(s, source, &frame, &scores)) return CI_OK;
  ci_status status = read_ranges(s, scores, options->slices, ranges, err);
  if (!status) status = find_shown(s, scores, ranges, options, &shown, err);
  if (status) return status;
  ci_arena *arena = ci_arena_create();
  ci_live live = {.view = "granular",
                  .title = frame.title,
                  .rows = tokens_from(frame.row_tokens, ranges[0].start),
                  .columns = tokens_from(frame.column_tokens, ranges[1].start),
                  .rank = scores->rank,
                  .scores = arena ? take(scores, ranges, arena) : NULL,
                  .limits = {p->options->min_val, p->options->max_val},
                  .more = json_pack("{s:[i, i]}", "axes", axes[0], shown >= 0 ? shown : axes[1])};
  for (int i = 0; i < scores->rank; i++) {
    live.shape[i] = length_of(ranges[i]);
    live.first[i] = ranges[i].start;
  }
  status = live.scores && live.more ? ci_html_live(p, s, &live, err) : ci_fail_memory(err);
  if (!status) ci_text_add_format(p->out, "<div class=\"ci-name\">%s</div>\n</div>\n", frame.title);
  json_decref(live.more);
  if (arena) ci_arena_close(arena);
  return status;
}

ci_status ci_granular_maps_html(ci_page *p, const ci_sequence *s, const int axes[2], ci_error *err) {
  granular_options options;
  json_t *keep;
  ci_status status = ci_view_options_read(ci_granular_view_options, p->options, &options, &keep, err);
  if (!status) ci_html_texts(p, s);
  for (int side = 0; side < 2 && !status; side++) status = add_map(p, s, side == 0, &options, axes, err);
  json_decref(keep);
  return status ? status : ci_html_plain(p, s, err);
}

ci_status ci_granular_view_html(ci_page *p, const ci_sequence *s, ci_error *err) {
  static const int axes[] = {0, 1};
  return ci_granular_maps_html(p, s, axes, err);
}
