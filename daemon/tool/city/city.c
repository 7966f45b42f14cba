#include "tool/city/city.h"

#include "base/util.h"

#include <stdarg.h>
#include <stdlib.h>

void *city_grow(void *pointers, uint32_t n, uint32_t *cap) {
	if (n < *cap)
		return pointers;
	*cap = *cap ? *cap * 2 : 1024;
	pointers = reallocarray(pointers, *cap, sizeof(void *));
	if (!pointers)
		abort();
	return pointers;
}

struct event *city_add(struct city *city, enum stream stream, int64_t at) {
	struct event *event = arena_new(&city->arena, struct event);

	city->events = city_grow(city->events, city->n, &city->cap);
	event->stream = (uint8_t)stream;
	event->at = at;
	event->seq = city->n;
	city->events[city->n++] = event;
	return event;
}

const char *city_text(struct city *city, const char *format, ...) {
	struct buf buf = { 0 };
	const char *ret;
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&buf, format, ap);
	va_end(ap);
	ret = arena_strndup(&city->arena, buf.data, buf.len);
	buf_free(&buf);
	return ret;
}

/* Each part draws from a generator of its own. */
static const struct part {
	const char *name;
	void (*make)(struct city *city);
} parts[] = {
	{ "days", days_make },
	{ "parties", parties_make },
	{ "reserve", buying_reserve },
	{ "courses", plant_courses },
	{ "lines", lines_make },
	{ "payments", payments_make },
	{ "buying", buying_make },
	{ "cards", cards_make },
	{ "planted lines", plant_lines },
	{ "planted payments", plant_payments },
	{ "planted payees", plant_payees },
	{ "planted cards", plant_cards },
	{ "planted tenders", plant_tenders },
	{ "planted orders", plant_orders },
	{ "planted bids", plant_bids },
	{ "planted awards", plant_awards },
	{ "planted winners", plant_winners },
	{ "planted contracts", plant_contracts },
	{ "planted year", plant_year },
	{ "approvals", approvals_make },
	{ "budgets", budgets_make },
	{ "arrivals", arrive },
};

static uint64_t seed_of(const struct city *city, const char *part) {
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *part; part++)
		hash = (hash ^ (uint8_t)*part) * UINT64_C(1099511628211);
	return hash ^ city->seed * UINT64_C(0x9e3779b97f4a7c15);
}

void city_make(struct city *city, uint64_t seed, uint32_t payments,
	       unsigned months) {
	*city = (struct city){
		.seed = seed,
		.payments = payments,
		.months = months,
		.next_invoice = 20150001,
	};
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		rng_seed(&city->rng, seed_of(city, parts[i].name));
		parts[i].make(city);
	}
}

void city_free(struct city *city) {
	free(city->events);
	free(city->labels);
	free(city->lines);
	free(city->lots);
	free(city->contracts);
	arena_free(&city->arena);
}
