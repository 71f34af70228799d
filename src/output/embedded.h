/* Files of src/output/scripts in the program, put there by scripts/embed.cmake. */
#ifndef CI_OUTPUT_EMBEDDED_H
#define CI_OUTPUT_EMBEDDED_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *text; /* terminated */
  size_t length;
  uint8_t sha256[32]; /* of the text: what a page's Content-Security-Policy says of its script */
} ci_embedded;

extern const ci_embedded ci_live_style;
extern const ci_embedded ci_script_grid, ci_script_granular, ci_script_tokens;

#endif
