/* Random numbers that a seed gives again, on every machine: SplitMix64 (Steele, Lea, Flood 2014). */
#ifndef CI_BASE_RANDOM_H
#define CI_BASE_RANDOM_H
#include <stdint.h>

/* The next u in [0, 1), of 53 bits. The state begins as the seed. */
double ci_random_uniform(uint64_t *state);

#endif
