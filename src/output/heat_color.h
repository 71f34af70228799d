/* Inseq's colour scale for scores: blue at the least, white at zero, red at the most. */
#ifndef CI_OUTPUT_HEAT_COLOR_H
#define CI_OUTPUT_HEAT_COLOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t red, green, blue;
} ci_color;

typedef struct {
  double min, max; /* min <= 0 <= max */
} ci_heat_limits;

/* Widens max to the largest finite score (min to its negative). Start from {0, 0}. */
void ci_heat_limits_include(ci_heat_limits *limits, const float *scores, size_t count);

/* What the scale is painted on: paper at zero, negative and positive at the limits. */
typedef struct {
  ci_color paper, negative, positive;
} ci_heat_palette;
extern const ci_heat_palette ci_heat_on_white; /* Inseq's red_transparent_blue: its ends read on dark paper too */

/* Where a score that is not NaN lies between the limits: -1 to 1. */
double ci_heat_share(double score, const ci_heat_limits *limits);
ci_color ci_heat_palette_color(const ci_heat_palette *palette, double share);

/* The background of a score that is not NaN, on white; beyond the limits as at the limits. */
ci_color ci_heat_color(double score, const ci_heat_limits *limits);

/* The same on a terminal with 256 colours: the number of the background, and the colour that this is in *color. Seven
 * steps to either side, chosen from xterm's 6x6x6 cube for even lightness and one hue: the nearest colours of the cube
 * would jump between pink, brown and purple. */
int ci_heat_color_256(double score, const ci_heat_limits *limits, ci_color *color);

/* WCAG 2: relative luminance, and the contrast of two colours (1 to 21). */
double ci_color_luminance(ci_color color);
double ci_color_contrast(ci_color a, ci_color b);

/* Whether black reads better than white on this background; the better of the two has a contrast of 4.58 at least. */
bool ci_color_wants_black(ci_color background);

#endif
