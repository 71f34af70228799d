/* The contrast of one text: another output, perhaps of another source, whose tokens are compared with those of the
 * text. It is another branch of the text's run and shares its prefix. */
#ifndef CI_ATTRIBUTE_CONTRAST_H
#define CI_ATTRIBUTE_CONTRAST_H
#include "scores/contrast.h"
#include "tokenizers/tokenizer.h"

struct ci_attribution;

typedef struct {
  const ci_contrast_options *options; /* NULL: there is no contrast */
  ci_ids source, target;              /* as those of ci_attribution */
  size_t *aligned;  /* [targets] the position in `target` that each attributed token is compared with, >= 1 */
  size_t *rows;     /* [targets] where the subject's run has the logits; NULL: not computed */
  double *log_sums; /* [targets] of these logits */
} ci_contrast;

/* Encodes the contrast of a text that is produced already, and aligns it. */
ci_status ci_contrast_open(struct ci_attribution *a, const ci_contrast_options *options, ci_contrast *c, ci_error *err);
void ci_contrast_free(ci_contrast *c);
/* Computes the logits that predict the aligned tokens. */
ci_status ci_contrast_forward(struct ci_attribution *a, ci_contrast *c, ci_error *err);

/* What attributed target number t is compared with. Without rows: the token only, predicted by `in` itself. */
ci_score_contrast ci_contrast_at(const struct ci_attribution *a, const ci_contrast *c, size_t t,
                                 const ci_score_input *in);
/* Target tokens that differ from the contrast's become Inseq's "contrast → token" with id -1. */
ci_status ci_contrast_label(const struct ci_attribution *a, const ci_contrast *c, ci_error *err);
/* [[position, contrast position], ...] of the attributed tokens. New reference; NULL: memory is out. */
json_t *ci_contrast_pairs(const struct ci_attribution *a, const ci_contrast *c);

#endif
