/* The toy model of make_fixtures.py as a ci_stepper: logits(ids) = A[last] + B[last but one] + C[length], and a bias on
 * one token. It keeps the contract of advance() strictly: a branch that was not named is gone, and asking for it fails
 * the test. */
#ifndef TESTS_GENERATE_TOY_H
#define TESTS_GENERATE_TOY_H
#include "generate/generate.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { TOY_BRANCHES = 64, TOY_LENGTH = 256 };

typedef struct {
  uint32_t seed;
  size_t vocabulary;
  size_t bias_token;
  float bias;
  int first; /* number of the first living branch: numbers are never used twice */
  size_t living;
  int32_t ids[TOY_BRANCHES][TOY_LENGTH];
  size_t counts[TOY_BRANCHES];
  size_t steps, cancel_after, done, total;
} toy_model;

static uint32_t toy_mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x85EBCA6Bu;
  x ^= x >> 13;
  x *= 0xC2B2AE35u;
  return x ^ x >> 16;
}

static float toy_entry(uint32_t seed, uint32_t table, uint32_t row, uint32_t column) {
  return (float)((double)(toy_mix(toy_mix(seed * 2 + table) + row * 4096 + column) >> 8) * 0x1p-21 - 4);
}

static void toy_logits(const toy_model *toy, const int32_t *ids, size_t count, float *logits) {
  for (uint32_t i = 0; i < toy->vocabulary; i++) {
    logits[i] = toy_entry(toy->seed, 0, (uint32_t)ids[count - 1], i);
    if (count > 1) logits[i] += toy_entry(toy->seed, 1, (uint32_t)ids[count - 2], i);
    logits[i] += toy_entry(toy->seed, 2, (uint32_t)count, i);
  }
  if (toy->bias_token < toy->vocabulary) logits[toy->bias_token] += toy->bias;
}

static ci_status toy_advance(void *context, size_t count, const int *parents, const int32_t *tokens, int *branches,
                             float *logits, ci_error *err) {
  toy_model *toy = context;
  static int32_t ids[TOY_BRANCHES][TOY_LENGTH];
  size_t counts[TOY_BRANCHES];
  if (count > TOY_BRANCHES) return ci_fail(err, CI_EMODEL, "toy", "too many branches");
  for (size_t i = 0; i < count; i++) {
    size_t parent = (size_t)(parents[i] - toy->first);
    if (parents[i] < toy->first || parent >= toy->living || toy->counts[parent] >= TOY_LENGTH)
      return ci_fail(err, CI_EMODEL, "toy", "branch %d does not live", parents[i]);
    memcpy(ids[i], toy->ids[parent], sizeof ids[i]);
    counts[i] = toy->counts[parent];
    ids[i][counts[i]++] = tokens[i];
    toy_logits(toy, ids[i], counts[i], logits + i * toy->vocabulary);
  }
  toy->first += (int)toy->living;
  toy->living = count;
  memcpy(toy->ids, ids, sizeof ids);
  memcpy(toy->counts, counts, count * sizeof *counts);
  for (size_t i = 0; i < count; i++) branches[i] = toy->first + (int)i;
  toy->steps++;
  return CI_OK;
}

static int toy_progress(void *context, size_t done, size_t total) {
  toy_model *toy = context;
  toy->done = done;
  toy->total = total;
  return toy->cancel_after && done >= toy->cancel_after;
}

/* Generates from prefix. What was generated is in *out. */
static ci_status toy_generate(toy_model *toy, const ci_generation *generation, const int32_t *prefix, size_t count,
                              bool encoder_decoder, size_t positions, ci_generated *out, ci_error *err) {
  static const int32_t source[] = {3, 4, 5}; /* what make_fixtures.py gives the encoder */
  ci_stepper stepper = {toy, toy->vocabulary, toy_advance, toy_progress, source, encoder_decoder ? 3 : 0};
  float *logits = calloc(toy->vocabulary, sizeof *logits);
  toy->first = 5;
  toy->living = 1;
  toy->counts[0] = count;
  memcpy(toy->ids[0], prefix, count * sizeof *prefix);
  if (count) toy_logits(toy, prefix, count, logits);
  ci_status status =
      ci_generate(generation, &stepper, prefix, count, encoder_decoder, positions, toy->first, logits, out, err);
  free(logits);
  return status;
}

/* Sets up the toy, the options and the prefix of one row of tests/data/generate. */
static ci_status toy_read(const json_t *row, toy_model *toy, ci_generation *generation, int32_t *prefix, size_t *count,
                          ci_error *err) {
  memset(toy, 0, sizeof *toy);
  const json_t *bias = json_object_get(row, "bias"), *ids = json_object_get(row, "prefix");
  toy->seed = (uint32_t)json_integer_value(json_object_get(row, "seed"));
  toy->vocabulary = (size_t)json_integer_value(json_object_get(row, "vocabulary"));
  json_int_t token = json_integer_value(json_array_get(bias, 0));
  toy->bias_token = (size_t)(token < 0 ? token + (json_int_t)toy->vocabulary : token);
  toy->bias = (float)json_number_value(json_array_get(bias, 1));
  *count = json_array_size(ids);
  for (size_t i = 0; i < *count; i++) prefix[i] = (int32_t)json_integer_value(json_array_get(ids, i));
  return ci_generation_read(json_object_get(row, "generation_config"), NULL, json_object_get(row, "kwargs"), "toy",
                            generation, err);
}

#endif
