/*
 * Budgets are made last, from what will have been paid: so a line is over its
 * budget where that is planted, and nowhere else.
 */
#include "tool/city/city.h"

#include "base/calendar.h"

#include <stdlib.h>

static const struct city *sorted;

static int by_cell_and_time(const void *a, const void *b) {
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct event *x = &sorted->events[i], *y = &sorted->events[j];

	if (x->cell != y->cell)
		return x->cell < y->cell ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* What one cell pays in one year. */
struct slice {
	const uint32_t *events;
	uint32_t n;
	int64_t greatest; /* sum ever, refunds may lower it again */
};

static struct slice slice_of(const struct city *city, const uint32_t *payments,
			     uint32_t n, int64_t from, int64_t to) {
	struct slice ret = { 0 };
	int64_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct event *event = &city->events[payments[i]];

		if (event->at < from || event->at >= to)
			continue;
		if (!ret.n++)
			ret.events = &payments[i];
		sum += event->amount;
		if (sum > ret.greatest)
			ret.greatest = sum;
	}
	return ret;
}

/* The first payment that brings the sum above @amount. */
static uint32_t crossing(const struct city *city, const struct slice *slice,
			 int64_t amount) {
	int64_t sum = 0;

	for (uint32_t i = 0; i < slice->n; i++) {
		sum += city->events[slice->events[i]].amount;
		if (sum > amount)
			return slice->events[i];
	}
	return slice->events[slice->n - 1];
}

static int64_t round_up(int64_t fen) {
	return (fen / 1000000 + 1) * 1000000;
}

static struct event *approve(struct city *city, const struct cell *cell,
			     int64_t at, int64_t amount) {
	struct event *event = city_add(city, BUDGETS);

	event->unit = cell->unit;
	event->item = cell->class;
	event->at = at;
	event->amount = amount;
	return event;
}

static void raise_later(struct city *city, const struct cell *cell, int64_t at,
			int64_t amount) {
	approve(city, cell, at, amount)->method = 1;
}

static void label_line(struct city *city, const struct cell *cell,
		       const struct slice *slice, int64_t allocated,
		       enum expect expect, const char *level,
		       const char *note) {
	struct label *label = city_label(city, "over-budget", expect, note);

	label->level = level;
	label->period = "FY2025";
	label->key =
		arena_printf(&city->arena, "{\"budget_line\":\"L-%02u-%s\"}",
			     cell->unit + 1u, classes[cell->class].code);
	label->first = crossing(city, slice, allocated);
	label->last = slice->events[slice->n - 1];
}

static void ample(struct city *city, const struct cell *cell,
		  const struct slice *slice, int64_t at) {
	int64_t whole = round_up(slice->greatest / 1000 *
				 rng_between(&city->rng, 1040, 1250));
	int64_t first = whole;

	if (slice->n > 20 && rng_chance(&city->rng, 3000)) {
		uint32_t half;

		first = round_up(whole / 10 * 7);
		half = crossing(city, slice, first / 2);
		raise_later(city, cell, city->events[half].at, whole - first);
	}
	approve(city, cell, at, first);
}

static void plan(struct city *city, const struct cell *cell,
		 const struct slice *slice, int64_t at) {
	int64_t paid = slice->greatest;
	int64_t part;

	if (!slice->n || cell->plan == PLAN_AMPLE) {
		ample(city, cell, slice, at);
		return;
	}
	switch (cell->plan) {
	case PLAN_OVER:
		part = paid / 100 * 95;
		label_line(city, cell, slice, part + 100000, EXPECT_ALERT,
			   "orange", "a twentieth over the line");
		break;
	case PLAN_OVER_TENTH:
		part = paid / 100 * 85;
		label_line(city, cell, slice, part + 100000, EXPECT_ALERT,
			   "red", "more than a tenth over the line");
		break;
	case PLAN_LATE_RAISE:
		part = paid / 100 * 90;
		label_line(city, cell, slice, part + 100000, EXPECT_ALERT,
			   "orange", "the adjustment comes a week too late");
		raise_later(
			city, cell,
			city->events[crossing(city, slice, part + 100000)].at +
				7 * 86400,
			paid / 10 * 3);
		break;
	case PLAN_EXACT:
		part = paid;
		label_line(city, cell, slice, part, EXPECT_SILENCE, NULL,
			   "spent to the last fen");
		break;
	case PLAN_EARLY_RAISE:
		part = paid / 100 * 60;
		label_line(city, cell, slice, part, EXPECT_SILENCE, NULL,
			   "the adjustment comes in time");
		raise_later(
			city, cell,
			city->events[crossing(city, slice, paid / 100 * 45)].at,
			paid / 100 * 45);
		break;
	case PLAN_AMPLE:
	default:
		return;
	}
	approve(city, cell, at, part);
}

/* Small raises all year, so that the stream is never silent for long. */
static void adjust_all_year(struct city *city) {
	for (unsigned i = 0; i < 240; i++) {
		const struct cell *cell =
			&city->cells[rng_below(&city->rng, city->n_cells)];
		uint32_t day = 5 + rng_below(&city->rng, city->n_workdays - 5);

		if (cell->plan == PLAN_AMPLE)
			raise_later(city, cell,
				    city_office_time(city, city->workdays[day]),
				    rng_between(&city->rng, 1, 20) * 100000);
	}
}

void budget_make(struct city *city) {
	int64_t east = 8 * 3600;
	int64_t year = days_from_civil(2026, 1, 1) * 86400 - east;
	int64_t first = city_workday(city, 2025, 1, 1) * 86400 - east;
	int64_t second = city_workday(city, 2026, 1, 1) * 86400 - east;
	uint32_t *payments = calloc(city->n, sizeof(*payments));
	uint32_t n = 0, i = 0;

	if (!payments)
		abort();
	for (uint32_t e = 0; e < city->n; e++)
		if (city->events[e].stream == PAYMENTS &&
		    city->events[e].cell != UINT16_MAX)
			payments[n++] = e;
	sorted = city;
	qsort(payments, n, sizeof(*payments), by_cell_and_time);
	for (uint16_t c = 0; c < city->n_cells; c++) {
		const struct cell *cell = &city->cells[c];
		uint32_t from = i;
		struct slice slice;

		while (i < n && city->events[payments[i]].cell == c)
			i++;
		slice = slice_of(city, payments + from, i - from, 0, year);
		plan(city, cell, &slice,
		     first + rng_between(&city->rng, 8 * 3600, 16 * 3600));
		slice = slice_of(city, payments + from, i - from, year,
				 INT64_MAX);
		approve(city, cell,
			second + rng_between(&city->rng, 8 * 3600, 16 * 3600),
			round_up(slice.greatest * 13 / 2));
	}
	adjust_all_year(city);
	free(payments);
}
