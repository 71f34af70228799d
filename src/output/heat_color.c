/* Colours of the heat tables: Inseq's red_transparent_blue map on white paper, that is
 *   color(s) = paper + (red - paper) * s / max for s >= 0, paper + (blue - paper) * s / min below. */
#include "output/heat_color.h"
#include <math.h>

static const ci_color WHITE = {255, 255, 255};

const ci_heat_palette ci_heat_on_white = {{255, 255, 255}, {33, 102, 172}, {178, 24, 43}};

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

double ci_heat_share(double score, const ci_heat_limits *limits) {
  if (!(score != 0)) return 0;
  double limit = score > 0 ? limits->max : limits->min;
  double share = fabs(score) < fabs(limit) ? score / limit : 1;
  return score > 0 ? share : -share;
}

ci_color ci_heat_palette_color(const ci_heat_palette *palette, double share) {
  ci_color end = share > 0 ? palette->positive : palette->negative, paper = palette->paper;
  return (ci_color){mix(paper.red, end.red, fabs(share)), mix(paper.green, end.green, fabs(share)),
                    mix(paper.blue, end.blue, fabs(share))};
}

ci_color ci_heat_color(double score, const ci_heat_limits *limits) {
  return ci_heat_palette_color(&ci_heat_on_white, ci_heat_share(score, limits));
}

int ci_heat_color_256(double score, const ci_heat_limits *limits, ci_color *color) {
  long step = lround(fabs(ci_heat_share(score, limits)) * (STEPS - 1));
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
