/* Texts of hundreds of tokens, which are many tiles, several stretches and more rows than a block: whatever plan,
 * budget, block and number of threads, gradients and perturbations are the same; a target by itself has what it has
 * among others; and a budget chooses the plan that it should. With full attention, sliding windows, and an encoder. */
#include "support/golden_model.h"
#include "support/random.h"

enum { ROWS = 300, SHORT_ROWS = 12, TARGETS = 11 };

typedef struct {
  const char *folder;
  size_t source; /* tokens; 0: a decoder alone */
} text;
static const text texts[] = {{MODELS "/stories260K", 0},
                             {GOLDEN_UNPACKED "/mistral/model", 0},
                             {GOLDEN_UNPACKED "/gemma3/model", 0},
                             {GOLDEN_UNPACKED "/t5/model", ROWS}};

/* How the work is cut. */
typedef struct {
  const char *id;
  size_t budget, target_block;
  int threads;
  ci_keep keep; /* of the forward at the text itself */
} way;
static const way ways[] = {{"reference", (size_t)1 << 30, 0, 1, CI_KEEP_ALL},
                           {"3 threads", (size_t)1 << 30, 0, 3, CI_KEEP_ALL},
                           {"boundaries", (size_t)1 << 30, 0, 2, CI_KEEP_BOUNDARIES},
                           {"2 MB", (size_t)2 << 20, 0, 2, CI_KEEP_BOUNDARIES},
                           {"1 byte", 1, 0, 2, CI_KEEP_BOUNDARIES},
                           {"1 byte, all kept", 1, 0, 1, CI_KEEP_ALL},
                           {"blocks of 3", (size_t)1 << 30, 3, 2, CI_KEEP_ALL}};
enum { WAYS = sizeof ways / sizeof *ways };

/* A model with a text, and the text's gradients and perturbed values. */
typedef struct {
  ci_model model;
  int32_t ids[ROWS + 1], source[ROWS];
  golden_context context;
  ci_objective objective;
  size_t output_rows[TARGETS], rows, source_rows;
} fixture;

static void open_fixture(fixture *f, const text *t) {
  golden_open(&f->model, t->folder);
  f->model.graph.positions[CI_DECODER] = 0; /* rotary positions and distances have no end */
  uint64_t random = 5;
  float noise[2 * ROWS + 1];
  random_floats(&random, noise, 2 * ROWS + 1, 1);
  for (size_t i = 0; i <= 2 * ROWS; i++) {
    int32_t id = (int32_t)(fabsf(noise[i]) * 1e4f) % 390 + 3;
    if (i <= ROWS)
      f->ids[i] = id;
    else
      f->source[i - ROWS - 1] = id;
  }
  f->rows = t->source ? SHORT_ROWS : ROWS;
  f->source_rows = t->source;
}

/* The last `targets` tokens of the text are targets. */
static ci_subject subject_of(fixture *f, const way *w, ci_compute *compute, size_t rows, size_t targets) {
  size_t first = rows + 1 - targets;
  f->context = (golden_context){&f->model.graph, f->ids + first};
  f->objective = (ci_objective){&f->context, golden_value, golden_gradient};
  return (ci_subject){.graph = &f->model.graph,
                      .compute = compute,
                      .source = f->source,
                      .source_count = f->source_rows,
                      .ids = f->ids,
                      .row_count = rows,
                      .first_target = first,
                      .target_count = targets,
                      .output_rows = f->output_rows,
                      .budget = w->budget,
                      .target_block = w->target_block};
}

static size_t width_of(const fixture *f, ci_space_id space) {
  int input = f->model.graph.input_node[space];
  return input < 0 ? 0 : f->model.graph.nodes[input].width;
}

static size_t size_of(const fixture *f, ci_space_id space, size_t rows, size_t targets) {
  return (space == CI_ENCODER ? f->source_rows : rows) * targets * width_of(f, space);
}

/* Gradients of the encoder's positions, then of the decoder's: at the text itself, or along two points from a baseline
 * of 0. */
static float *gradients(fixture *f, const way *w, size_t rows, size_t targets, bool along_path) {
  ci_compute compute;
  ci_error err = {0};
  assert_int_equal(ci_compute_open(&compute, w->threads, "auto", NULL, &err), CI_OK);
  ci_subject s = subject_of(f, w, &compute, rows, targets);
  static const ci_point points[] = {{0.4, 0.75}, {0.9, 0.25}};
  size_t source = size_of(f, CI_ENCODER, rows, targets), target = size_of(f, CI_DECODER, rows, targets);
  float *out = ci_alloc(source + target, sizeof *out), *zeros = ci_alloc_zeroed(source + target, sizeof *zeros);
  ci_path path = {.wanted = {[CI_ENCODER] = source > 0, [CI_DECODER] = true}, .baseline = {zeros, zeros}};
  if (along_path)
    path.points = points, path.point_count = 2;
  else
    assert_int_equal(ci_subject_forward(&s, w->keep, &err), CI_OK);
  if (ci_subject_gradients(&s, &path, &f->objective, (float *[CI_SPACES]){out, out + source}, &err))
    fail_msg("%s: %s", w->id, err.message);
  ci_free(zeros);
  ci_run_close(s.run);
  ci_compute_close(&compute);
  return out;
}

/* Of one target: within 1e-5 of its largest. a and b have a_targets and b_targets of `rows` positions. */
static void compare(const fixture *f, ci_space_id space, size_t rows, const float *a, size_t a_target, size_t a_targets,
                    const float *b, size_t b_target, size_t b_targets, const char *what) {
  size_t width = width_of(f, space);
  float top = 0, apart = 0;
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < width; i++) {
      float x = a[(r * a_targets + a_target) * width + i], y = b[(r * b_targets + b_target) * width + i];
      top = fmaxf(top, fabsf(y));
      if (!(fabsf(x - y) <= apart)) apart = fabsf(x - y); /* NaN too */
    }
  assert_true(top > 0);
  if (!(apart <= 1e-5f * top)) fail_msg("%s, target %zu: %g apart of %g", what, b_target, (double)apart, (double)top);
}

static void compare_all(const fixture *f, const float *a, const float *b, const char *what) {
  size_t source = size_of(f, CI_ENCODER, f->rows, TARGETS);
  for (size_t t = 0; t < TARGETS; t++) {
    if (source) compare(f, CI_ENCODER, f->source_rows, a, t, TARGETS, b, t, TARGETS, what);
    compare(f, CI_DECODER, f->rows, a + source, t, TARGETS, b + source, t, TARGETS, what);
  }
}

static void gradients_do_not_depend_on_the_cut(void **state) {
  fixture f;
  open_fixture(&f, *state);
  for (int along_path = 0; along_path < 2; along_path++) {
    float *reference = gradients(&f, &ways[0], f.rows, TARGETS, along_path);
    for (size_t i = 1; i < WAYS; i++) {
      if (along_path && ways[i].budget == ways[0].budget && ways[i].threads == 2) continue; /* that is at_text's */
      float *other = gradients(&f, &ways[i], f.rows, TARGETS, along_path);
      compare_all(&f, other, reference, ways[i].id);
      ci_free(other);
    }
    ci_free(reference);
  }
  golden_close(&f.model);
}

/* The gradient of the seventh target, of a text that ends with it: other tiles, stretches and blocks. */
static void a_target_is_as_by_itself(void **state) {
  fixture f;
  open_fixture(&f, *state);
  enum { SEVENTH = 6 };
  size_t shorter = f.rows - (TARGETS - 1 - SEVENTH);
  float *all = gradients(&f, &ways[1], f.rows, TARGETS, false), *one = gradients(&f, &ways[0], shorter, 1, false);
  if (f.source_rows) compare(&f, CI_ENCODER, f.source_rows, all, SEVENTH, TARGETS, one, 0, 1, "alone");
  compare(&f, CI_DECODER, shorter, all + size_of(&f, CI_ENCODER, f.rows, TARGETS), SEVENTH, TARGETS,
          one + size_of(&f, CI_ENCODER, shorter, 1), 0, 1, "alone");
  ci_free(all);
  ci_free(one);
  golden_close(&f.model);
}

static void perturbations_do_not_depend_on_the_cut(void **state) {
  fixture f;
  open_fixture(&f, *state);
  enum { COUNT = 5 };
  double values[2][COUNT * TARGETS];
  static const way cuts[] = {{"many", (size_t)1 << 30, 0, 1, CI_KEEP_KEYS}, {"one", 1, 0, 2, CI_KEEP_KEYS}};
  for (int i = 0; i < 2; i++) {
    ci_compute compute;
    ci_error err = {0};
    assert_int_equal(ci_compute_open(&compute, cuts[i].threads, "auto", NULL, &err), CI_OK);
    ci_subject s = subject_of(&f, &cuts[i], &compute, f.rows, TARGETS);
    ci_space_id space = f.source_rows ? CI_ENCODER : CI_DECODER;
    float *zeros = ci_alloc_zeroed(width_of(&f, space), sizeof *zeros);
    ci_perturbation p[COUNT];
    for (size_t j = 0; j < COUNT; j++) p[j] = (ci_perturbation){space, (size_t[]){0, 40, 255, 256, 288}[j], 1, zeros};
    assert_int_equal(ci_subject_perturb(&s, p, COUNT, &f.objective, values[i], &err), CI_OK);
    ci_free(zeros);
    ci_run_close(s.run);
    ci_compute_close(&compute);
  }
  for (size_t i = 0; i < COUNT * TARGETS; i++)
    if (!(fabs(values[0][i] - values[1][i]) <= 1e-5 * fmax(1, fabs(values[1][i]))))
      fail_msg("value %zu: %g, expected %g", i, values[0][i], values[1][i]);
  golden_close(&f.model);
}

static int count_blocks(void *context, size_t done, size_t total) {
  (void)done, (void)total;
  ++*(size_t *)context;
  return 0;
}

/* The largest plan that takes half of the budget; the other half holds the adjoint rows of a block. */
static void the_budget_chooses(void **state) {
  fixture f;
  open_fixture(&f, *state);
  const ci_graph *graph = &f.model.graph;
  size_t all = f.rows * ci_run_row_bytes(graph, CI_DECODER, CI_KEEP_ALL) +
               f.source_rows * ci_run_row_bytes(graph, CI_ENCODER, CI_KEEP_ALL);
  size_t targets_rows = (f.rows + f.source_rows) *
                            (ci_adjoint_row_bytes(graph) + 4 * (width_of(&f, CI_ENCODER) + width_of(&f, CI_DECODER))) +
                        ci_adjoint_output_bytes(graph);
  const struct {
    size_t budget, most_blocks;
    ci_keep keep;
  } cases[] = {{2 * all, TARGETS, CI_KEEP_ALL},
               {2 * all - 2, TARGETS, CI_KEEP_BOUNDARIES},
               {2 * all + 2 * TARGETS * targets_rows, (TARGETS + 7) / 8, CI_KEEP_ALL},
               {2 * TARGETS * targets_rows, (TARGETS + 7) / 8, CI_KEEP_BOUNDARIES},
               {1, TARGETS, CI_KEEP_BOUNDARIES}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ci_compute compute;
    ci_error err = {0};
    assert_int_equal(ci_compute_open(&compute, 2, "auto", NULL, &err), CI_OK);
    way w = {.budget = cases[i].budget};
    ci_subject s = subject_of(&f, &w, &compute, f.rows, TARGETS);
    if (cases[i].keep == CI_KEEP_ALL || cases[i].budget < 2 * all)
      assert_int_equal(ci_subject_plan(&s, 1, CI_KEEP_ALL), cases[i].keep);
    size_t blocks = 0;
    s.progress = count_blocks;
    s.progress_context = &blocks;
    size_t source = size_of(&f, CI_ENCODER, f.rows, TARGETS);
    float *out = ci_alloc(source + size_of(&f, CI_DECODER, f.rows, TARGETS), sizeof *out);
    ci_path path = {.wanted = {[CI_ENCODER] = source > 0, [CI_DECODER] = true}};
    assert_int_equal(ci_subject_gradients(&s, &path, &f.objective, (float *[CI_SPACES]){out, out + source}, &err),
                     CI_OK);
    assert_true(blocks <= cases[i].most_blocks);
    if (cases[i].budget == 1) assert_int_equal(blocks, TARGETS);
    ci_free(out);
    ci_run_close(s.run);
    ci_compute_close(&compute);
  }
  golden_close(&f.model);
}

int main(void) {
  static golden_list list;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    void *t = (void *)(uintptr_t)&texts[i];
    const char *name = texts[i].folder;
    golden_add_one(&list, "gradients do not depend on the cut", gradients_do_not_depend_on_the_cut, name, t);
    golden_add_one(&list, "a target is as by itself", a_target_is_as_by_itself, name, t);
    golden_add_one(&list, "perturbations do not depend on the cut", perturbations_do_not_depend_on_the_cut, name, t);
    golden_add_one(&list, "the budget chooses", the_budget_chooses, name, t);
  }
  return golden_run(&list, NULL, NULL);
}
