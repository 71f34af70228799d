/* One text being attributed: what methods work with. */
#ifndef CI_ATTRIBUTE_ATTRIBUTION_H
#define CI_ATTRIBUTE_ATTRIBUTION_H
#include "api/request.h"
#include "attribute/contrast.h"
#include "attribute/method.h"
#include "attribute/passes.h"
#include "engine/subject.h"
#include "generate/generate.h"
#include "models/model.h"
#include "scores/custom.h"
#include "scores/score.h"

/* A step function with its parsed arguments. */
typedef struct {
  const ci_score *score;
  void *options;
} ci_bound_score;

/* A request as a whole, understood: shared by all its texts. */
typedef struct {
  const ci_model *model;
  ci_compute *compute;
  const cinseq_hooks *hooks;
  const ci_attribute_request *request;
  const ci_method *method;
  void *method_options;
  ci_bound_score objective;      /* attributed_fn */
  ci_bound_score *step_scores;
  size_t step_score_count;
  ci_custom_score *custom;       /* step functions of the caller */
  size_t custom_count;
  ci_generation generation;
  size_t budget;
  json_t *attribution_args, *attributed_fn_args, *step_scores_args; /* as given, for the result's info */
  json_t *alignments[2];         /* of the contrasts below, for the result's info: an array of pairs for each text */
  json_t *keep;                  /* owns values that options borrow */
  size_t text_index, text_count; /* for progress */
  struct {
    const char *stage;
    size_t done, total;
  } news;                        /* what the progress hook was told last */
} ci_job;

/* Whose contrast, or passes. */
enum { CI_OF_OBJECTIVE, CI_OF_STEP_SCORES };

typedef struct ci_attribution {
  ci_job *job;
  ci_subject subject;
  ci_ids source;       /* encoder ids */
  ci_ids target;       /* decoder ids: prompt and what follows; or decoder start and what follows */
  size_t start, end;   /* attributed targets: target.items[start..end) */
  size_t prefix;       /* decoder ids that were given, not generated */
  bool wants[CI_SPACES]; /* whose inputs are attributed */
  ci_objective objective;
  ci_contrast contrasts[2]; /* of the attributed function and of the step scores */
  ci_passes passes[2];
  float *baseline[CI_SPACES]; /* see ci_attribution_baseline */
  float *scratch;      /* vocabulary floats */
  ci_sequence *out;
} ci_attribution;

/* Builds ids and branches for the text at `index` of the request: encodes, then generates or takes what is forced, and leaves
 * the forward of it all in a->subject.run. */
ci_status ci_attribution_prepare(ci_attribution *a, size_t index, ci_error *err);
ci_status ci_attribution_produce(ci_attribution *a, ci_error *err);
void ci_attribution_free(ci_attribution *a);
/* Appends the text of the output: with the prompt of a decoder-only model, as Inseq has it; of a chat what is answered alone,
 * since the template's roles without their marks are no text that can be read or forced again. */
ci_status ci_attribution_text(const ci_attribution *a, ci_text *text, ci_error *err);
/* Appends the ids of a text as a source, or as what a decoder is given (target). */
ci_status ci_attribution_encode(const ci_attribution *a, const char *text, bool target, ci_ids *ids, ci_error *err);

/* Ids of the baseline: unk at every position, but eos stays unless include_eos_baseline, and the decoder start stays
 * (spec 1.3). ids has room for ci_subject_rows. */
void ci_attribution_baseline_ids(const ci_attribution *a, ci_space_id space, int32_t *ids);
/* Values of the input node for the baseline, and for the text itself: [rows, width], owned by a (value: by the caller). */
ci_status ci_attribution_baseline(ci_attribution *a, ci_space_id space, const float **values, ci_error *err);
ci_status ci_attribution_values(ci_attribution *a, ci_space_id space, float **values, ci_error *err);
size_t ci_attribution_width(const ci_attribution *a, ci_space_id space); /* 0: the model has no such side */

/* Where scores of a space go: source_attributions or target_attributions, made with `rank` dimensions of which the first two
 * are [attributed, generated] (the target's rows include one for the last token, NaN). */
ci_status ci_attribution_array(ci_attribution *a, ci_space_id space, int rank, size_t third, size_t fourth, ci_array **array,
                               ci_error *err);

/* Tells the progress hook; what it returns, 0 where there is none. The same news are told again while nothing new happens, so that a
 * caller who wants to end a call is asked often. */
int ci_job_report(ci_job *job, const char *stage, size_t done, size_t total);
/* "a warning on one line" to the caller's hook. */
void ci_job_warn(const ci_job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
