#include "tool/city/city.h"

static uint64_t splitmix(uint64_t *state) {
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void rng_seed(struct rng *rng, uint64_t seed) {
	for (unsigned i = 0; i < 4; i++)
		rng->s[i] = splitmix(&seed);
}

static uint64_t rotate(uint64_t x, unsigned k) {
	return x << k | x >> (64 - k);
}

uint64_t rng_next(struct rng *rng) {
	uint64_t *s = rng->s;
	uint64_t ret = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return ret;
}

uint32_t rng_below(struct rng *rng, uint32_t n) {
	return (uint32_t)((rng_next(rng) >> 32) * n >> 32);
}

int64_t rng_between(struct rng *rng, int64_t low, int64_t high) {
	return low + (int64_t)(rng_next(rng) % (uint64_t)(high - low + 1));
}

bool rng_chance(struct rng *rng, unsigned in_ten_thousand) {
	return rng_below(rng, 10000) < in_ten_thousand;
}
