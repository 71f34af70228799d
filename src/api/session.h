/* What a public handle holds. */
#ifndef CI_API_SESSION_H
#define CI_API_SESSION_H
#include "models/model.h"

struct cinseq_model {
  ci_model *model;
};

#endif
