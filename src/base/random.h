/* Random numbers that a seed gives again, on every machine, for every number of threads and cut of the work: a number
 * is a function of (seed, stream, index), so whoever needs it computes it. Philox2x64-10 (Salmon, Moraes, Dror, Shaw
 * 2011). */
#ifndef CI_BASE_RANDOM_H
#define CI_BASE_RANDOM_H
#include <stdint.h>

/* The 128 bits of a counter under a key. */
void ci_random_bits(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bits[2]);
/* u in [0, 1), of 53 bits. Streams of one seed are independent of each other: one for each thing that is drawn. */
double ci_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);
/* From the normal distribution with mean 0 and standard deviation 1 (Box and Muller 1958). */
double ci_random_normal(uint64_t seed, uint64_t stream, uint64_t index);

#endif
