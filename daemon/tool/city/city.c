#include "tool/city/city.h"

#include "base/calendar.h"
#include "base/util.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define EAST (8 * 3600)

/* Days off that are not weekends, and weekends that are worked. */
struct span_of_days {
	int year;
	uint8_t month, day, n;
};
static const struct span_of_days holidays[] = {
	{ 2025, 1, 1, 1 }, { 2025, 1, 28, 8 }, { 2025, 4, 4, 3 },
	{ 2025, 5, 1, 5 }, { 2025, 5, 31, 3 }, { 2025, 10, 1, 8 },
	{ 2026, 1, 1, 3 }, { 2026, 2, 15, 9 },
};
static const struct span_of_days worked[] = {
	{ 2025, 1, 26, 1 }, { 2025, 2, 8, 1 },   { 2025, 4, 27, 1 },
	{ 2025, 9, 28, 1 }, { 2025, 10, 11, 1 }, { 2026, 1, 4, 1 },
	{ 2026, 2, 14, 1 }, { 2026, 2, 28, 1 },
};

static bool covers(const struct span_of_days *spans, size_t n, int64_t day) {
	for (size_t i = 0; i < n; i++) {
		int64_t first = days_from_civil(spans[i].year, spans[i].month,
						spans[i].day);

		if (day >= first && day < first + spans[i].n)
			return true;
	}
	return false;
}

static void find_workdays(struct city *city) {
	int64_t first = days_from_civil(2025, 1, 1);
	int64_t end = days_from_civil(2026, 3, 1);
	int64_t *days =
		arena_array(&city->arena, int64_t, (size_t)(end - first));

	for (int64_t day = first; day < end; day++)
		if (covers(worked, ARRAY_SIZE(worked), day) ||
		    (iso_weekday(day) <= 5 &&
		     !covers(holidays, ARRAY_SIZE(holidays), day)))
			days[city->n_workdays++] = day;
	city->workdays = days;
}

int64_t city_workday(const struct city *city, int year, unsigned month,
		     unsigned n) {
	int64_t first = days_from_civil(year, month, 1);
	int64_t ret = first;

	for (uint32_t i = 0; i < city->n_workdays && n; i++) {
		int64_t day = city->workdays[i];

		if (day >= first + days_in_month(year, month))
			break;
		if (day >= first) {
			ret = day;
			n--;
		}
	}
	return ret;
}

struct event *city_add(struct city *city, enum city_stream stream) {
	struct event *event;

	if (city->n == city->cap) {
		city->cap = city->cap ? city->cap * 2 : 4096;
		city->events = reallocarray(city->events, city->cap,
					    sizeof(*city->events));
		if (!city->events)
			abort();
	}
	event = &city->events[city->n++];
	*event = (struct event){
		.stream = (uint8_t)stream,
		.copy_of = NOBODY,
		.fund = NO_FUND,
		.cell = UINT16_MAX,
	};
	return event;
}

struct label *city_label(struct city *city, const char *rule,
			 enum expect expect, const char *note) {
	struct label *label;

	if (city->n_labels == city->cap_labels) {
		city->cap_labels = city->cap_labels ? city->cap_labels * 2 : 64;
		city->labels = reallocarray(city->labels, city->cap_labels,
					    sizeof(*city->labels));
		if (!city->labels)
			abort();
	}
	label = &city->labels[city->n_labels++];
	*label = (struct label){
		.rule = rule,
		.expect = expect,
		.note = note,
	};
	return label;
}

int64_t city_office_time(struct city *city, int64_t day) {
	return day * 86400 - EAST +
	       rng_between(&city->rng, 8 * 3600 + 1800, 17 * 3600 + 1800);
}

uint32_t city_supplier(struct city *city, unsigned trade, uint32_t from,
		       uint32_t to) {
	return trade * PER_TRADE + from + rng_below(&city->rng, to - from);
}

struct event *city_pay(struct city *city, uint16_t cell_index, int64_t day) {
	const struct cell *cell = &city->cells[cell_index];
	struct event *event = city_add(city, PAYMENTS);
	int64_t low = 700, high = 1300;

	if (!strcmp(classes[cell->class].code, "30214"))
		low = high = 1000; /* rent is rent */
	event->cell = cell_index;
	event->unit = cell->unit;
	event->item = cell->class;
	event->at = city_office_time(city, day);
	event->amount = cell->base * rng_between(&city->rng, low, high) / 1000;
	event->supplier =
		cell->payees[rng_below(&city->rng, ARRAY_SIZE(cell->payees))];
	if (rng_chance(&city->rng, 8800))
		event->invoice = city->next_invoice++;
	return event;
}

/* Classes of a unit: a random pick, no class twice. */
static void make_cells(struct city *city, unsigned per_unit) {
	uint8_t deck[32];

	assert(n_plain_classes <= ARRAY_SIZE(deck));
	city->cells = arena_array(&city->arena, struct cell,
				  N_UNITS * (per_unit + 1));
	for (unsigned unit = 0; unit < N_UNITS; unit++) {
		for (unsigned i = 0; i < n_plain_classes; i++)
			deck[i] = (uint8_t)i;
		for (unsigned i = 0; i < per_unit + 1; i++) {
			struct cell *cell = &city->cells[city->n_cells++];
			const struct economic_class *class;

			cell->unit = (uint8_t)unit;
			cell->capital = i == per_unit;
			if (cell->capital) {
				cell->class =
					(uint8_t)(n_plain_classes + unit % 5);
			} else {
				unsigned j = i + rng_below(&city->rng,
							   n_plain_classes - i);

				cell->class = deck[j];
				deck[j] = deck[i];
			}
			class = &classes[cell->class];
			cell->base = rng_between(&city->rng, class->low,
						 class->high) *
				     100;
			if (strcmp(class->code, "30214") != 0)
				cell->base += rng_between(&city->rng, 0, 99);
			cell->phase = rng_below(&city->rng, 1000000);
			for (unsigned k = 0; k < ARRAY_SIZE(cell->payees); k++)
				cell->payees[k] =
					rng_below(&city->rng, N_SUPPLIERS);
		}
	}
}

/* How busy a day is, in thousandths: seasons and month ends. */
static uint32_t day_weight(const struct city *city, uint32_t i) {
	static const uint16_t season[] = { 1000, 950, 1000, 1000, 1020, 1050,
					   1000, 980, 1050, 1020, 1050, 1200 };
	int32_t year;
	unsigned month, day, month_of_later;

	civil_from_days(city->workdays[i], &year, &month, &day);
	if (i + 3 < city->n_workdays)
		civil_from_days(city->workdays[i + 3], &year, &month_of_later,
				&day);
	else
		month_of_later = 0;
	return season[month - 1] * (month_of_later != month ? 3u : 2u) / 2;
}

static unsigned workday_month(const struct city *city, uint32_t i) {
	int32_t year;
	unsigned month, day;

	civil_from_days(city->workdays[i], &year, &month, &day);
	return month;
}

/*
 * A cell starts each month at the same phase, so by the same working day of
 * two months about the same has been paid: what a baseline may rely on.
 */
static void pay_ordinary(struct city *city, uint16_t cell) {
	uint64_t sum = 0;

	/* Budgets are approved on the first working day of a year. */
	for (uint32_t i = 0; i < city->n_workdays; i++) {
		bool first = !i || workday_month(city, i) !=
					   workday_month(city, i - 1);

		if (first)
			sum = city->cells[cell].phase;
		sum += (uint64_t)city->rate * day_weight(city, i) / 1000;
		if (first && workday_month(city, i) == 1)
			continue;
		for (; sum >= 1000000; sum -= 1000000) {
			struct event *event =
				city_pay(city, cell, city->workdays[i]);

			if (rng_chance(&city->rng, 15)) {
				event->amount = -event->amount / 2;
				event->invoice = 0;
			}
		}
	}
}

static void pay_capital(struct city *city, uint16_t cell) {
	for (unsigned m = 0; m < 14; m++) {
		int year = 2025 + (int)(m / 12);
		unsigned month = 1 + m % 12;
		uint32_t n = rng_below(&city->rng, 10);

		for (n = n < 4 ? 0 : n < 8 ? 1 : 2; n; n--)
			city_pay(city, cell,
				 city_workday(city, year, month,
					      2 + rng_below(&city->rng, 18)));
	}
}

static void give_funds(struct city *city) {
	for (uint32_t i = 0; i < city->n; i++) {
		struct event *event = &city->events[i];
		unsigned fund;

		if (event->stream != PAYMENTS || !rng_chance(&city->rng, 1500))
			continue;
		fund = rng_below(&city->rng, n_funds);
		if (fund_allows(fund, event->item) || !funds[fund].classes)
			event->fund = (uint8_t)fund;
	}
}

static int64_t random_workday(struct city *city) {
	return city->workdays[rng_below(&city->rng, city->n_workdays)];
}

static void order_ordinary(struct city *city, uint32_t n) {
	/* per hundred orders, and what they cost in thousands of yuan */
	static const struct {
		uint8_t share;
		uint8_t method;
		int32_t low, high;
	} mix[] = {
		{ 45, METHOD_DIRECT, 2, 150 },
		{ 5, METHOD_SINGLE_SOURCE, 20, 300 },
		{ 15, METHOD_INQUIRY, 50, 800 },
		{ 12, METHOD_NEGOTIATION, 200, 1500 },
		{ 10, METHOD_CONSULTATION, 200, 1500 },
		{ 3, METHOD_INVITED, 800, 2500 },
		{ 10, METHOD_OPEN, 2600, 9000 },
	};

	while (n--) {
		struct event *event = city_add(city, ORDERS);
		uint32_t dice = rng_below(&city->rng, 100);
		unsigned i = 0;
		uint32_t eight;

		while (dice >= mix[i].share)
			dice -= mix[i++].share;
		event->method = mix[i].method;
		event->amount = rng_between(&city->rng, mix[i].low * 100000,
					    mix[i].high * 100000);
		event->unit = (uint8_t)rng_below(&city->rng, N_UNITS);
		event->item = (uint8_t)rng_below(&city->rng, n_categories);
		/* A buyer knows eight suppliers of a kind. */
		eight = (event->unit * 31u + event->item * 17u) % 92;
		event->supplier = city_supplier(
			city, categories[event->item].trade, eight, eight + 8);
		event->at = city_office_time(city, random_workday(city));
	}
}

static void award_ordinary(struct city *city, uint32_t n, const bool *used) {
	size_t n_wins = (size_t)N_UNITS * n_categories * PER_TRADE;
	uint8_t *wins = calloc(n_wins, 1);

	if (!wins)
		abort();
	while (n) {
		uint32_t unit = rng_below(&city->rng, N_UNITS);
		uint32_t item = rng_below(&city->rng, n_categories);
		uint32_t nth = rng_below(&city->rng, 100);
		uint32_t at = (unit * n_categories + item) * PER_TRADE + nth;
		struct event *event;

		/* Nobody wins three times but where it is planted. */
		if (used[unit * n_categories + item] || wins[at] >= 2)
			continue;
		wins[at]++;
		n--;
		event = city_add(city, AWARDS);
		event->unit = (uint8_t)unit;
		event->item = (uint8_t)item;
		event->supplier = categories[item].trade * PER_TRADE + nth;
		event->bidders = (uint8_t)rng_between(&city->rng, 3, 9);
		event->amount = rng_between(&city->rng, 50000000, 800000000);
		event->at = city_office_time(city, random_workday(city));
	}
	free(wins);
}

/* Most arrive within the hour, some up to three days later. */
static void arrive(struct city *city) {
	for (uint32_t i = 0; i < city->n; i++) {
		struct event *event = &city->events[i];
		int64_t delay = rng_between(&city->rng, 1, 1800);

		if (event->stream != BUDGETS && rng_chance(&city->rng, 150))
			delay = rng_between(&city->rng, 3600, 70 * 3600);
		event->arrival = event->at + delay;
	}
}

static void send_again(struct city *city) {
	uint32_t n = city->n;

	for (uint32_t i = 0; i < n; i++) {
		struct event *copy;

		if (!rng_chance(&city->rng, 30))
			continue;
		copy = city_add(city, city->events[i].stream);
		*copy = city->events[i];
		copy->copy_of = i;
		copy->arrival += rng_between(&city->rng, 60, 24 * 3600);
		if (copy->arrival > copy->at + 71 * 3600)
			copy->arrival = copy->at + 71 * 3600;
	}
}

static void add_hostile(struct city *city, uint32_t n) {
	uint32_t n_good = city->n;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t of = rng_below(&city->rng, n_good);
		struct event *event = city_add(city, city->events[of].stream);

		*event = city->events[of];
		event->copy_of = NOBODY;
		event->flaw = (uint8_t)(1 + i % (FLAW_MAX - 1));
	}
}

static const struct city *sorted; /* qsort has no argument for it */

static int by_event_time(const void *a, const void *b) {
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct event *x = &sorted->events[i], *y = &sorted->events[j];

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int by_arrival(const void *a, const void *b) {
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct event *x = &sorted->events[i], *y = &sorted->events[j];

	if (x->arrival != y->arrival)
		return x->arrival < y->arrival ? -1 : 1;
	return i < j ? -1 : i > j;
}

static void sort(struct city *city,
		 int (*compare)(const void *, const void *)) {
	for (uint32_t i = 0; i < city->n; i++)
		city->order[i] = i;
	sorted = city;
	qsort(city->order, city->n, sizeof(*city->order), compare);
}

static void number(struct city *city) {
	uint32_t next[N_STREAMS] = { 0 };

	sort(city, by_event_time);
	for (uint32_t i = 0; i < city->n; i++) {
		struct event *event = &city->events[city->order[i]];

		if (event->copy_of == NOBODY)
			event->number = ++next[event->stream];
	}
	for (uint32_t i = 0; i < city->n; i++) {
		struct event *event = &city->events[i];

		if (event->copy_of != NOBODY)
			event->number = city->events[event->copy_of].number;
	}
}

/*
 * How often a cell pays, so that @payments come out. Small cities have fewer
 * classes rather than rarer payments: a month must stay comparable.
 */
static unsigned choose_rate(struct city *city, uint32_t payments) {
	uint64_t days = 0, cells;
	unsigned per_unit;

	for (uint32_t i = 0; i < city->n_workdays; i++)
		days += day_weight(city, i);
	per_unit = (unsigned)((uint64_t)payments * 1000 / (days * N_UNITS));
	if (per_unit < 1)
		per_unit = 1;
	if (per_unit > 16)
		per_unit = 16;
	if (per_unit > 8 && payments < 400000)
		per_unit = 8;
	cells = (uint64_t)per_unit * N_UNITS;
	city->rate =
		(uint32_t)((uint64_t)payments * 1000000000 / (days * cells));
	return per_unit;
}

void city_make(struct city *city, uint64_t seed, uint32_t payments) {
	bool *used;

	*city = (struct city){ .next_invoice = 20150001 };
	rng_seed(&city->rng, seed);
	find_workdays(city);
	make_cells(city, choose_rate(city, payments));
	for (uint16_t i = 0; i < city->n_cells; i++) {
		if (city->cells[i].capital)
			pay_capital(city, i);
		else
			pay_ordinary(city, i);
	}
	give_funds(city);
	plant_growth(city);
	plant_duplicates(city);
	plant_off_scope(city);
	plant_plans(city);
	order_ordinary(city, payments / 100 * 8 + 200);
	plant_splits(city);
	used = arena_array(&city->arena, bool, N_UNITS *n_categories);
	plant_winners(city, used);
	award_ordinary(city, payments / 100 * 2 + 200, used);
	budget_make(city);
	city->n_originals = city->n;
	arrive(city);
	send_again(city);
	add_hostile(city, payments / 1600 + FLAW_MAX - 1);
	city->order = calloc(city->n, sizeof(*city->order));
	if (!city->order)
		abort();
	number(city);
	sort(city, by_arrival);
}

void city_free(struct city *city) {
	free(city->events);
	free(city->labels);
	free(city->order);
	arena_free(&city->arena);
}
