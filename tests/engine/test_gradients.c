/* Gradients of all targets: the same however the work is cut (blocks of targets, threads, plans, budgets), right
 * against finite differences, sums of their points along a path, and a clean stop when they are cancelled. */
#include "support/golden_model.h"
#include "support/random.h"

static ci_compute compute;

static int set_up(void **state) {
  (void)state;
  ci_error err = {0};
  return ci_compute_open(&compute, 2, "auto", NULL, &err);
}

static int tear_down(void **state) {
  (void)state;
  ci_compute_close(&compute);
  return 0;
}

static size_t width_of(const ci_model *model, ci_space_id space) {
  return model->graph.nodes[model->graph.input_node[space]].width;
}

typedef struct {
  float *of[CI_SPACES];
  size_t size[CI_SPACES];
} gradients;

static gradients allocate(const golden_subject *g, const ci_model *model, const ci_path *path) {
  gradients out = {0};
  for (ci_space_id s = CI_ENCODER; s <= CI_DECODER; s++) {
    if (!path->wanted[s]) continue;
    out.size[s] = g->subject.target_count * ci_subject_rows(&g->subject, s) * width_of(model, s);
    out.of[s] = ci_alloc(out.size[s], sizeof(float));
    for (size_t i = 0; i < out.size[s]; i++) out.of[s][i] = NAN;
  }
  return out;
}

static void release(gradients *g) {
  for (int s = 0; s < CI_SPACES; s++) ci_free(g->of[s]);
}

/* How the work is cut. */
typedef struct {
  const char *id;
  size_t target_block, budget;
  int threads;
  ci_keep keep; /* of the forward at the text itself */
} way;
static const way ways[] = {
    {"reference", 0, (size_t)1 << 30, 1, CI_KEEP_ALL},
    {"blocks of 1", 1, (size_t)1 << 30, 1, CI_KEEP_ALL},
    {"blocks of 3", 3, (size_t)1 << 30, 2, CI_KEEP_ALL},
    {"2 threads", 0, (size_t)1 << 30, 2, CI_KEEP_ALL},
    {"boundaries", 0, (size_t)1 << 30, 1, CI_KEEP_BOUNDARIES},
    {"boundaries, blocks of 3", 3, (size_t)1 << 30, 2, CI_KEEP_BOUNDARIES},
    {"256 MB", 0, (size_t)256 << 20, 2, CI_KEEP_ALL},
    {"64 kB", 0, (size_t)64 << 10, 2, CI_KEEP_BOUNDARIES},
    {"1 byte", 0, 1, 1, CI_KEEP_BOUNDARIES},
    {"1 byte, blocks of 3", 3, 1, 2, CI_KEEP_ALL},
};
enum { WAYS = sizeof ways / sizeof *ways, POINTS = 7 };

/* Seven points of a line from a random baseline, or the text itself. */
static gradients compute_gradients(const ci_model *model, const way *w, bool path_wanted, bool source, bool target) {
  ci_compute own;
  ci_error err = {0};
  assert_int_equal(ci_compute_open(&own, w->threads, "auto", NULL, &err), CI_OK);
  golden_subject g;
  golden_subject_open(&g, model, &own);
  g.subject.budget = w->budget;
  g.subject.target_block = w->target_block;
  ci_path path = {.wanted = {[CI_ENCODER] = source, [CI_DECODER] = target}};
  float *baseline[CI_SPACES] = {0};
  ci_point points[POINTS];
  uint64_t random = 3;
  for (int i = 0; i < POINTS; i++) points[i] = (ci_point){(i + 0.5) / POINTS, (1 + i % 3) / (2.0 * POINTS)};
  for (ci_space_id s = CI_ENCODER; s <= CI_DECODER && path_wanted; s++) {
    size_t n = ci_subject_rows(&g.subject, s) * (model->graph.input_node[s] < 0 ? 0 : width_of(model, s));
    path.baseline[s] = baseline[s] = ci_alloc(n, sizeof(float));
    random_floats(&random, baseline[s], n, 0.5f);
  }
  if (path_wanted)
    path.points = points, path.point_count = POINTS;
  else
    assert_int_equal(ci_subject_forward(&g.subject, w->keep, &err), CI_OK);
  gradients out = allocate(&g, model, &path);
  if (ci_subject_gradients(&g.subject, &path, &g.objective, out.of, &err))
    fail_msg("%s: %s: %s", w->id, err.where, err.message);
  for (int s = 0; s < CI_SPACES; s++) ci_free(baseline[s]);
  golden_subject_close(&g);
  ci_compute_close(&own);
  return out;
}

/* Within 1e-5 of the column's largest; a column is a target over all its rows. */
static void same(const ci_model *model, const gradients *a, const gradients *b, const char *what) {
  size_t targets = model->graph.encoder_decoder ? GOLDEN_ROWS : GOLDEN_ROWS + 1 - GOLDEN_PROMPT;
  for (size_t t = 0; t < targets; t++) {
    float top = 0, apart = 0;
    for (int s = 0; s < CI_SPACES; s++)
      for (size_t i = 0; i < b->size[s]; i++) {
        if (i / width_of(model, (ci_space_id)s) % targets != t) continue;
        top = fmaxf(top, fabsf(b->of[s][i]));
        float d = fabsf(a->of[s][i] - b->of[s][i]);
        if (!(d <= apart)) apart = d; /* NaN too */
      }
    assert_true(top > 0);
    if (!(apart <= 1e-5f * top)) fail_msg("%s, target %zu: %g apart of %g", what, t, (double)apart, (double)top);
  }
}

static void results_do_not_depend_on_the_cut(void **state) {
  ci_model model;
  golden_open(&model, *state);
  for (int path = 0; path < 2; path++)
    for (int spaces = 1; spaces < 4; spaces++) { /* bit 0: target, bit 1: source */
      if (spaces > 1 && !model.graph.encoder_decoder) continue;
      gradients reference = compute_gradients(&model, &ways[0], path, spaces & 2, spaces & 1);
      for (size_t w = 1; w < WAYS; w++) {
        gradients other = compute_gradients(&model, &ways[w], path, spaces & 2, spaces & 1);
        char what[128];
        snprintf(what, sizeof what, "%s, %s, %s", (const char *)*state, path ? "path" : "text", ways[w].id);
        same(&model, &other, &reference, what);
        release(&other);
      }
      release(&reference);
    }
  golden_close(&model);
}

/* sum += weights[target] times the gradients at a point */
static void add_point(golden_subject *g, const ci_model *model, ci_point point, const double *weights,
                      float *const baseline[CI_SPACES], gradients *sum) {
  size_t targets = g->subject.target_count;
  point.weight = 1;
  ci_path path = {
      .wanted = {[CI_ENCODER] = model->graph.encoder_decoder, [CI_DECODER] = true}, .points = &point, .point_count = 1};
  for (int s = 0; s < CI_SPACES; s++) path.baseline[s] = baseline[s];
  gradients one = allocate(g, model, &path);
  ci_error err = {0};
  assert_int_equal(ci_subject_gradients(&g->subject, &path, &g->objective, one.of, &err), CI_OK);
  for (int s = 0; s < CI_SPACES; s++)
    for (size_t i = 0; i < one.size[s]; i++)
      sum->of[s][i] += (float)weights[i / width_of(model, (ci_space_id)s) % targets] * one.of[s][i];
  release(&one);
}

static void clear(gradients *g) {
  for (int s = 0; s < CI_SPACES; s++)
    if (g->of[s]) memset(g->of[s], 0, g->size[s] * sizeof(float));
}

/* A path is the weighted sum of its points, whose weights may be a target's own; the point at alpha 1 is the text. */
static void a_path_is_the_sum_of_its_points(void **state) {
  ci_model model;
  golden_open(&model, *state);
  golden_subject g;
  golden_subject_open(&g, &model, &compute);
  ci_path path = {.wanted = {[CI_ENCODER] = model.graph.encoder_decoder, [CI_DECODER] = true}};
  float *baseline[CI_SPACES] = {0};
  uint64_t random = 3;
  for (ci_space_id s = CI_ENCODER; s <= CI_DECODER; s++) {
    if (!path.wanted[s]) continue;
    size_t n = ci_subject_rows(&g.subject, s) * width_of(&model, s);
    path.baseline[s] = baseline[s] = ci_alloc(n, sizeof(float));
    random_floats(&random, baseline[s], n, 0.5f);
  }
  const ci_point points[] = {{0, 0.5}, {0.4, -2}, {0.7, 3}, {1, 0.25}};
  double weights[2][4 * GOLDEN_ROWS]; /* the points', and each target's own: some are 0 */
  size_t targets = g.subject.target_count;
  for (size_t i = 0; i < 4 * targets; i++) {
    weights[0][i] = points[i / targets].weight;
    weights[1][i] = (double)((i / targets + 2 * i) % 3) - 0.5 * (double)(i % 2);
  }
  gradients sum = allocate(&g, &model, &path), whole = allocate(&g, &model, &path), text = allocate(&g, &model, &path);
  ci_error err = {0};
  for (int own = 0; own < 2; own++) {
    clear(&sum);
    for (size_t i = 0; i < 4; i++) add_point(&g, &model, points[i], weights[own] + i * targets, baseline, &sum);
    path.points = points;
    path.point_count = 4;
    path.weights = own ? weights[own] : NULL;
    assert_int_equal(ci_subject_gradients(&g.subject, &path, &g.objective, whole.of, &err), CI_OK);
    same(&model, &whole, &sum, own ? "weights of their own" : "four points");
  }
  path.points = NULL;
  path.weights = NULL;
  assert_int_equal(ci_subject_gradients(&g.subject, &path, &g.objective, text.of, &err), CI_OK);
  clear(&sum);
  for (size_t t = 0; t < targets; t++) weights[0][t] = 1;
  add_point(&g, &model, points[3], weights[0], baseline, &sum);
  same(&model, &sum, &text, "alpha 1");
  release(&sum);
  release(&whole);
  release(&text);
  ci_free(baseline[CI_ENCODER]);
  ci_free(baseline[CI_DECODER]);
  golden_subject_close(&g);
  golden_close(&model);
}

/* Decoder positions that a target cannot see are 0. */
static void the_future_has_no_gradient(void **state) {
  ci_model model;
  golden_open(&model, *state);
  gradients g = compute_gradients(&model, &ways[0], false, false, true);
  size_t width = width_of(&model, CI_DECODER), first = model.graph.encoder_decoder ? 1 : GOLDEN_PROMPT;
  size_t targets = GOLDEN_ROWS + 1 - first;
  for (size_t t = 0; t < targets; t++)
    for (size_t p = 0; p < GOLDEN_ROWS; p++) {
      float top = 0;
      for (size_t i = 0; i < width; i++) top = fmaxf(top, fabsf(g.of[CI_DECODER][(p * targets + t) * width + i]));
      if (p > first + t - 1)
        assert_true(top == 0);
      else
        assert_true(top > 0);
    }
  release(&g);
  golden_close(&model);
}

static double rms(const float *values, size_t n) {
  double squares = 0;
  for (size_t i = 0; i < n; i++) squares += (double)values[i] * (double)values[i];
  return sqrt(squares / (double)n);
}

/* (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h of each target's value, all rows of a space moved along v; h = size
 * times the input's own, which may be small: a norm may be all that follows on it. */
static void slopes(golden_subject *g, const ci_model *model, ci_space_id space, const float *v, double size,
                   double *out) {
  static const double at[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
  size_t rows = ci_subject_rows(&g->subject, space), n = rows * width_of(model, space),
         targets = g->subject.target_count;
  float *values = ci_alloc(5 * n, sizeof *values), *own = values + 4 * n;
  double *f = ci_alloc(4 * targets, sizeof *f);
  ci_perturbation p[4];
  ci_error err = {0};
  assert_int_equal(
      ci_run_input_values(g->subject.run, space, space == CI_ENCODER ? golden_source : golden_text, rows, own, &err),
      CI_OK);
  const double step = size * rms(own, n);
  for (size_t k = 0; k < 4; k++) {
    p[k] = (ci_perturbation){.space = space, .count = rows, .values = values + k * n};
    for (size_t i = 0; i < n; i++) values[k * n + i] = own[i] + (float)(at[k] * step) * v[i];
  }
  assert_int_equal(ci_subject_perturb(&g->subject, p, 4, &g->objective, f, &err), CI_OK);
  for (size_t t = 0; t < targets; t++) {
    out[t] = 0;
    for (size_t k = 0; k < 4; k++) out[t] += weight[k] * f[k * targets + t] / (12 * step);
  }
  ci_free(values);
  ci_free(f);
}

/* A row at a border between experts goes to others within a step: then a shorter step must do. */
static bool chooses_experts(const ci_model *model) {
  for (int i = 0; i < model->graph.count; i++)
    if (model->graph.nodes[i].op == &ci_op_route) return true;
  return false;
}

/* Within 3e-3 of the gradient's length. */
static void compare_slopes(golden_subject *g, const ci_model *model, ci_space_id space, const float *gradient,
                           const float *v, const char *name) {
  size_t width = width_of(model, space), n = ci_subject_rows(&g->subject, space) * width;
  double d[GOLDEN_ROWS], closer[GOLDEN_ROWS];
  slopes(g, model, space, v, 0.005, d);
  for (size_t t = 0; t < g->subject.target_count; t++) {
    double along = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
      double x = (double)gradient[(i / width * g->subject.target_count + t) * width + i % width];
      along += x * (double)v[i];
      squares += x * x;
    }
    double length = sqrt(squares);
    for (double size = 0.003; size > 0.0001 && fabs(along - d[t]) > 3e-3 * length && chooses_experts(model);
         size /= 3) {
      slopes(g, model, space, v, size, closer);
      d[t] = closer[t];
    }
    if (!(fabs(along - d[t]) <= 3e-3 * length))
      fail_msg("%s, space %d, target %zu: gradient says %g, differences say %g (of %g)", name, (int)space, t, along,
               d[t], length);
  }
}

static void gradients_against_differences(void **state) {
  ci_model model;
  golden_open_with(&model, *state, true);
  golden_subject g;
  golden_subject_open(&g, &model, &compute);
  ci_path path = {.wanted = {[CI_ENCODER] = model.graph.encoder_decoder, [CI_DECODER] = true}};
  gradients out = allocate(&g, &model, &path);
  ci_error err = {0};
  assert_int_equal(ci_subject_gradients(&g.subject, &path, &g.objective, out.of, &err), CI_OK);
  for (ci_space_id s = CI_ENCODER; s <= CI_DECODER; s++) {
    if (!path.wanted[s]) continue;
    size_t n = ci_subject_rows(&g.subject, s) * width_of(&model, s);
    float *v = ci_alloc(n, sizeof *v);
    uint64_t random = 12;
    for (int direction = 0; direction < 3; direction++) {
      random_floats(&random, v, n, 1);
      compare_slopes(&g, &model, s, out.of[s], v, *state);
    }
    ci_free(v);
  }
  release(&out);
  golden_subject_close(&g);
  golden_close(&model);
}

static int stop_at(void *context, size_t done, size_t total) {
  size_t *calls = context;
  assert_true(done <= total);
  return ++*calls == 2;
}

static int count_calls(void *context, size_t done, size_t total) {
  size_t *last = context;
  assert_true(done > *last && done <= total);
  *last = done;
  return 0;
}

/* The progress callback's 1 stops the call with CI_ECANCEL; nothing leaks (the sanitizer's run looks). */
static void progress_cancels(void **state) {
  ci_model model;
  golden_open(&model, *state);
  ci_point points[5] = {{0.1, 1}, {0.3, 1}, {0.5, 1}, {0.7, 1}, {0.9, 1}};
  for (int along_path = 0; along_path < 2; along_path++) {
    ci_error err = {0};
    size_t calls = 0;
    ci_compute own;
    assert_int_equal(ci_compute_open(&own, 2, "auto", NULL, &err), CI_OK);
    golden_subject g;
    golden_subject_open(&g, &model, &own);
    g.subject.progress = stop_at;
    g.subject.progress_context = &calls;
    g.subject.target_block = 1;
    g.subject.budget = 1;
    ci_path path = {.wanted = {[CI_DECODER] = true}};
    gradients out = allocate(&g, &model, &path);
    float *zeros = ci_alloc_zeroed(GOLDEN_ROWS * width_of(&model, CI_DECODER), sizeof *zeros);
    path.baseline[CI_DECODER] = zeros;
    if (along_path) path.points = points, path.point_count = 5;
    assert_int_equal(ci_subject_gradients(&g.subject, &path, &g.objective, out.of, &err), CI_ECANCEL);
    assert_int_equal(err.code, CI_ECANCEL);
    assert_int_equal(calls, 2);
    ci_free(zeros);
    release(&out);
    golden_subject_close(&g);
    ci_compute_close(&own);
  }
  golden_close(&model);
}

static void progress_counts_up(void **state) {
  ci_model model;
  golden_open(&model, *state);
  golden_subject g;
  golden_subject_open(&g, &model, &compute);
  size_t last = 0;
  g.subject.progress = count_calls;
  g.subject.progress_context = &last;
  g.subject.target_block = 2;
  ci_path path = {.wanted = {[CI_DECODER] = true}};
  gradients out = allocate(&g, &model, &path);
  ci_error err = {0};
  assert_int_equal(ci_subject_gradients(&g.subject, &path, &g.objective, out.of, &err), CI_OK);
  assert_int_equal(last, g.subject.target_count);
  release(&out);
  golden_subject_close(&g);
  golden_close(&model);
}

int main(void) {
  static golden_list list;
  golden_add(&list, "results_do_not_depend_on_the_cut", results_do_not_depend_on_the_cut);
  golden_add(&list, "a_path_is_the_sum_of_its_points", a_path_is_the_sum_of_its_points);
  golden_add(&list, "the_future_has_no_gradient", the_future_has_no_gradient);
  golden_add(&list, "gradients_against_differences", gradients_against_differences);
  golden_add(&list, "progress_cancels", progress_cancels);
  golden_add(&list, "progress_counts_up", progress_counts_up);
  return golden_run(&list, set_up, tear_down);
}
