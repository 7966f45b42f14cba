#include "sim.h"

#include "base/hash.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t sim_now;
static uint64_t state, hash;
static bool is_shown;
static uint64_t steps;

void chance_begin(uint64_t seed, bool shown) {
	state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	is_shown = shown;
	sim_now = 1000000;
}

/* Splitmix64, by Sebastiano Vigna. */
static uint64_t next(void) {
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t chance(uint64_t below) {
	return below ? next() % below : 0;
}

bool one_in(uint64_t n) {
	return n && chance(n) == 0;
}

void note(const char *format, ...) {
	char text[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	for (int i = 0; i < n && text[i]; i++)
		hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
	steps++;
	if (is_shown)
		printf("%8llu %10.6f  %s\n", (unsigned long long)steps,
		       (double)sim_now / 1e6, text);
}

uint64_t notes_hash(void) {
	return hash;
}

void fail(const char *format, ...) {
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	_exit(2);
}

void *make(size_t n, size_t size) {
	void *array = calloc(n ? n : 1, size);

	if (!array)
		abort();
	return array;
}

int64_t sim_monotonic(void) {
	return sim_now;
}

/* The log's events are of these days. */
int64_t sim_wall(void) {
	return INT64_C(1767312000) * USEC_PER_SEC + sim_now;
}
