/* Colours of the heat tables: Inseq's red_transparent_blue map on white paper, that is
 *   color(s) = white + (red - white) * s / max for s >= 0, white + (blue - white) * s / min below. */
#include "output/heat_color.h"
#include <math.h>

static const ci_color WHITE = {255, 255, 255}, RED = {178, 24, 43}, BLUE = {33, 102, 172};

/* The steps of a channel in xterm's colour cube: number 16 + 36 red + 6 green + blue. */
static const uint8_t cube[6] = {0, 95, 135, 175, 215, 255};

enum { STEPS = 7 };
static const uint8_t reds[STEPS] = {231, 224, 217, 210, 167, 160, 124}, blues[STEPS] = {231, 189, 153, 110, 68, 26, 25};

void ci_heat_limits_include(ci_heat_limits *limits, const float *scores, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (isfinite(scores[i]) && scores[i] > limits->max) limits->max = scores[i];
  limits->min = -limits->max;
}

static uint8_t mix(uint8_t from, uint8_t to, double share) {
  return (uint8_t)lround(from + (to - from) * share);
}

/* How far score is on the way from zero to the limit on its side, 0 to 1. */
static double share_of(double score, const ci_heat_limits *limits) {
  if (!(score != 0)) return 0;
  double limit = score > 0 ? limits->max : limits->min;
  return fabs(score) < fabs(limit) ? score / limit : 1;
}

ci_color ci_heat_color(double score, const ci_heat_limits *limits) {
  double share = share_of(score, limits);
  ci_color end = score > 0 ? RED : BLUE;
  return (ci_color){mix(WHITE.red, end.red, share), mix(WHITE.green, end.green, share),
                    mix(WHITE.blue, end.blue, share)};
}

int ci_heat_color_256(double score, const ci_heat_limits *limits, ci_color *color) {
  long step = lround(share_of(score, limits) * (STEPS - 1));
  int number = (score > 0 ? reds : blues)[step], place = number - 16;
  *color = (ci_color){cube[place / 36], cube[place / 6 % 6], cube[place % 6]};
  return number;
}

static double linear(uint8_t channel) {
  double c = channel / 255.0;
  return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

double ci_color_luminance(ci_color color) {
  return 0.2126 * linear(color.red) + 0.7152 * linear(color.green) + 0.0722 * linear(color.blue);
}

double ci_color_contrast(ci_color a, ci_color b) {
  double x = ci_color_luminance(a), y = ci_color_luminance(b);
  return x > y ? (x + 0.05) / (y + 0.05) : (y + 0.05) / (x + 0.05);
}

bool ci_color_wants_black(ci_color background) {
  return ci_color_contrast(background, (ci_color){0, 0, 0}) >= ci_color_contrast(background, WHITE);
}
