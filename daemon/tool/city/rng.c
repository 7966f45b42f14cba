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

/* 10^(2^-k) for k from 1 to 16, times 2^30. */
static const uint32_t roots[16] = {
	3395469783, 1909412977, 1431857735, 1239937715, 1153851370, 1113076131,
	1093232087, 1083443130, 1078581570, 1076158976, 1074949721, 1074345603,
	1074043671, 1073892737, 1073817278, 1073779550,
};

int64_t scale10(int64_t low, uint32_t fraction) {
	uint64_t factor = UINT64_C(1) << 30;

	for (unsigned k = 0; k < 16; k++)
		if (fraction & UINT32_C(0x80000000) >> k)
			factor = (factor * roots[k]) >> 30;
	return (int64_t)((unsigned __int128)low * factor >> 30);
}

int64_t rng_scaled(struct rng *rng, int64_t low, int64_t high) {
	unsigned decades = 0;
	uint32_t part = 0;
	int64_t top = low;
	int64_t ret;

	while (top <= high / 10) {
		top *= 10;
		decades++;
	}
	for (unsigned k = 0; k < 16; k++) {
		uint32_t bit = UINT32_C(0x80000000) >> k;

		if (scale10(top, part | bit) <= high)
			part |= bit;
	}
	/* Somewhere in decades + part: whole ones first, then the rest. */
	ret = (int64_t)(rng_next(rng) % (((uint64_t)decades << 32) + part + 1));
	for (; ret >> 32; ret -= INT64_C(1) << 32)
		low *= 10;
	return scale10(low, (uint32_t)ret);
}
