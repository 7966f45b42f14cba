/*
 * The planted cases, and the near misses beside them. What each shall lead to
 * is said in a label; numbers keep clear of the edge that they are not on.
 */
#include "tool/city/city.h"

#include "base/calendar.h"
#include "base/util.h"

#include <string.h>

/* An ordinary cell that no case uses; UINT16_MAX if there is none left. */
static uint16_t pick_cell(struct city *city, int64_t base) {
	for (unsigned tries = 0; tries < 4000; tries++) {
		uint16_t i = (uint16_t)rng_below(&city->rng, city->n_cells);
		struct cell *cell = &city->cells[i];

		if (cell->capital || cell->planted || cell->base < base)
			continue;
		cell->planted = true;
		return i;
	}
	return UINT16_MAX;
}

void plant_growth(struct city *city) {
	static const struct {
		int year;
		uint8_t month;
		uint16_t percent; /* of an ordinary month, on top of it */
		const char *level;
	} cases[] = {
		{ 2025, 8, 340, "red" },     { 2025, 9, 320, "red" },
		{ 2025, 10, 360, "red" },    { 2025, 11, 330, "red" },
		{ 2026, 1, 350, "red" },     { 2025, 9, 130, "orange" },
		{ 2025, 11, 130, "orange" }, { 2025, 12, 130, NULL },
		{ 2025, 10, 18, NULL },      { 2025, 11, 18, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint16_t index = pick_cell(city, 1200000);
		struct cell *cell = &city->cells[index];
		bool silent = cases[i].percent < 50, small;
		struct label *label;
		int64_t month, extra;

		if (index == UINT16_MAX)
			return;
		month = cell->base * 21 * city->rate / 1000000;
		small = month < 15000000;
		if (small && !silent)
			month = 15000000;
		extra = month * cases[i].percent / 100 / 8;
		label = city_label(city, "spend-growth",
				   silent ? EXPECT_SILENCE : EXPECT_ALERT,
				   silent ? "a little more than usual"
					  : "a month far above the usual");
		/* In a small cell it may be more than was meant. */
		if (!small || cases[i].percent > 300)
			label->level = cases[i].level;
		label->key = arena_printf(
			&city->arena,
			"{\"unit\":\"U-%02u\",\"econ_class\":\"%s\"}",
			cell->unit + 1u, classes[cell->class].code);
		label->period = arena_printf(&city->arena, "%d-%02u",
					     cases[i].year, cases[i].month);
		label->first = city->n;
		for (unsigned n = 0; n < 8; n++)
			city_pay(city, index,
				 city_workday(city, cases[i].year,
					      cases[i].month, 9 + n))
				->amount = extra + (int64_t)n * 137;
		label->last = city->n - 1;
	}
}

static int64_t next_workday(const struct city *city, int64_t day) {
	for (uint32_t i = 0; i < city->n_workdays; i++)
		if (city->workdays[i] >= day)
			return city->workdays[i];
	return city->workdays[city->n_workdays - 1];
}

/* A payment with an invoice that no case uses yet, before December. */
static uint32_t pick_payment(struct city *city, bool capital) {
	int64_t end = days_from_civil(2025, 11, 1) * 86400;

	for (;;) {
		uint32_t i = rng_below(&city->rng, city->n);
		struct event *event = &city->events[i];

		if (event->stream == PAYMENTS && !event->taken &&
		    event->cell != UINT16_MAX && event->amount > 0 &&
		    event->at < end && event->invoice &&
		    event->fund == NO_FUND &&
		    city->cells[event->cell].capital == capital &&
		    !city->cells[event->cell].planted) {
			event->taken = true;
			return i;
		}
	}
}

/* The same again @days later; the new one. */
static uint32_t pay_again(struct city *city, uint32_t of, unsigned days) {
	struct event *event = city_add(city, PAYMENTS);

	*event = city->events[of];
	event->at = city_office_time(
		city,
		next_workday(city, (event->at + 8 * 3600) / 86400 + days));
	return city->n - 1;
}

static const char *payment_key(struct city *city, uint32_t i) {
	const struct event *event = &city->events[i];
	struct buf buf = { 0 };
	const char *ret;

	buf_puts(&buf, "{\"payee_account\":\"");
	supplier_account(&buf, event->supplier);
	buf_printf(&buf, "\",\"amount\":\"%lld.%02u\",\"invoice_no\":\"%08u\"}",
		   (long long)(event->amount / 100),
		   (unsigned)(event->amount % 100), event->invoice);
	ret = arena_strndup(&city->arena, buf.data, buf.len);
	buf_free(&buf);
	return ret;
}

void plant_duplicates(struct city *city) {
	for (unsigned i = 0; i < 12; i++) {
		uint32_t first = pick_payment(city, i < 5);
		uint32_t again =
			pay_again(city, first, 3 + rng_below(&city->rng, 70));
		struct label *label =
			city_label(city, "duplicate-payment", EXPECT_ALERT,
				   "one invoice paid twice");

		label->level = city->events[again].amount >= 50000000
				       ? "red"
				       : "orange";
		label->key = payment_key(city, again);
		label->first = first;
		label->last = again;
		if (i % 6)
			continue;
		label = city_label(city, "duplicate-payment", EXPECT_ALERT,
				   "and a third time");
		label->level = "red";
		label->key = payment_key(city, again);
		label->first = first;
		label->last = pay_again(city, again, 2);
	}
	for (unsigned i = 0; i < 6; i++) {
		uint32_t first = pick_payment(city, false);
		uint32_t again = pay_again(city, first, i < 4 ? 20 : 100);
		struct event *event = &city->events[again];
		struct label *label = city_label(
			city, "duplicate-payment", EXPECT_SILENCE,
			i < 2   ? "the same amount on another invoice"
			: i < 4 ? "a second instalment of another amount"
				: "the same again after more than 90 days");

		if (i < 2)
			event->invoice = city->next_invoice++;
		else if (i < 4)
			event->amount += 10000;
		label->key = payment_key(city, again);
		label->first = first;
		label->last = again;
	}
}

static bool is_restrained(unsigned class) {
	static const char *const codes[] = { "30212", "30215", "30217",
					     "30231" };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (!strcmp(classes[class].code, codes[i]))
			return true;
	return false;
}

static void misuse(struct city *city, bool restrained, unsigned fund,
		   enum expect expect, const char *note) {
	uint32_t i;
	struct label *label;

	do
		i = pick_payment(city, false);
	while (is_restrained(city->events[i].item) != restrained ||
	       fund_allows(fund, city->events[i].item));
	city->events[i].fund = (uint8_t)fund;
	label = city_label(city, "off-scope", expect, note);
	if (expect == EXPECT_ALERT)
		label->level = restrained ? "red" : "orange";
	label->key = arena_printf(&city->arena,
				  "{\"fund\":\"%s\",\"unit\":\"U-%02u\"}",
				  funds[fund].code, city->events[i].unit + 1u);
	label->first = label->last = i;
}

/* A small city may have no class of the restrained kind at all. */
static bool has_restrained(const struct city *city) {
	for (uint32_t i = 0; i < city->n; i++)
		if (city->events[i].stream == PAYMENTS &&
		    is_restrained(city->events[i].item) &&
		    !city->cells[city->events[i].cell].planted)
			return true;
	return false;
}

void plant_off_scope(struct city *city) {
	bool restrained = has_restrained(city);

	for (unsigned i = 0; i < 14; i++)
		misuse(city, restrained && i % 3 == 0, i % 7, EXPECT_ALERT,
		       "earmarked money for something else");
	for (unsigned i = 0; i < 3; i++)
		misuse(city, false, 7, EXPECT_SILENCE,
		       "an emergency that an exception covers");
	for (unsigned i = 0; i < 2; i++)
		misuse(city, false, 8, EXPECT_SILENCE,
		       "a fund that is not listed");
}

static int64_t tender_limit(unsigned item, int64_t day) {
	if (categories[item].code[0] == 'B')
		return 400000000;
	return day < days_from_civil(2025, 7, 1) ? 200000000 : 250000000;
}

void plant_splits(struct city *city) {
	static const struct {
		const char *note;
		uint16_t start; /* working day */
		enum method method;
		uint8_t gap;        /* days between two orders */
		uint8_t percent[4]; /* of the limit */
		const char *level;  /* NULL: silence */
	} cases[] = {
		{ "two just under the limit and a small one",
		  30,
		  METHOD_DIRECT,
		  5,
		  { 92, 88, 35 },
		  "red" },
		{ "two just under the limit and a small one",
		  90,
		  METHOD_SINGLE_SOURCE,
		  7,
		  { 85, 21, 95 },
		  "red" },
		{ "three just under the limit",
		  160,
		  METHOD_DIRECT,
		  4,
		  { 97, 96, 98 },
		  "red" },
		{ "two just under the limit and a small one",
		  230,
		  METHOD_DIRECT,
		  9,
		  { 90, 12, 83 },
		  "red" },
		{ "four of a third",
		  45,
		  METHOD_DIRECT,
		  6,
		  { 32, 29, 31, 33 },
		  "orange" },
		{ "four of a third",
		  140,
		  METHOD_DIRECT,
		  8,
		  { 31, 33, 27, 30 },
		  "orange" },
		{ "four of a third",
		  210,
		  METHOD_SINGLE_SOURCE,
		  3,
		  { 29, 30, 31, 34 },
		  "orange" },
		{ "three of almost a half",
		  75,
		  METHOD_DIRECT,
		  6,
		  { 45, 45, 45 },
		  "orange" },
		{ "together a little below the limit",
		  55,
		  METHOD_DIRECT,
		  5,
		  { 33, 33, 32 },
		  NULL },
		{ "above the limit of last year, below the new one",
		  150,
		  METHOD_DIRECT,
		  5,
		  { 32, 32, 32 },
		  NULL },
		{ "quotations were asked for",
		  110,
		  METHOD_INQUIRY,
		  5,
		  { 90, 92, 95 },
		  NULL },
		{ "never three within thirty days",
		  170,
		  METHOD_DIRECT,
		  16,
		  { 60, 60, 60 },
		  NULL },
		{ "two are not three",
		  200,
		  METHOD_DIRECT,
		  5,
		  { 95, 95 },
		  NULL },
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t unit = rng_below(&city->rng, N_UNITS);
		uint32_t item = rng_below(&city->rng, 6); /* goods */
		/* A supplier that nobody else uses for this. */
		uint32_t supplier =
			categories[item].trade * PER_TRADE + 100 + i;
		int64_t day = city->workdays[cases[i].start];
		struct buf id = { 0 };
		struct label *label = city_label(
			city, "split-purchase",
			cases[i].level ? EXPECT_ALERT : EXPECT_SILENCE,
			cases[i].note);

		supplier_id(&id, supplier);
		label->level = cases[i].level;
		label->key = arena_printf(
			&city->arena,
			"{\"buyer\":\"U-%02u\",\"supplier\":\"%s\","
			"\"category\":\"%s\"}",
			unit + 1, buf_cstr(&id), categories[item].code);
		buf_free(&id);
		label->first = city->n;
		for (unsigned n = 0; n < 4 && cases[i].percent[n]; n++) {
			struct event *event = city_add(city, ORDERS);

			event->unit = (uint8_t)unit;
			event->item = (uint8_t)item;
			event->supplier = supplier;
			event->method = (uint8_t)cases[i].method;
			event->at = city_office_time(city, day);
			event->amount = tender_limit(item, day) / 100 *
					cases[i].percent[n];
			day += cases[i].gap;
		}
		label->last = city->n - 1;
	}
}

void plant_winners(struct city *city, bool *used) {
	static const struct {
		const char *note;
		const char *pattern; /* S: the same again; others: others */
		uint8_t bidders;     /* when S wins */
		const char *level;   /* NULL: silence */
	} cases[] = {
		{ "always among three bidders", "SSaSSSbSS", 3, "orange" },
		{ "always among three bidders", "SaSSSSbSc", 3, "orange" },
		{ "always among two or three", "SSSaSSSbS", 2, "orange" },
		{ "five in a row", "aSSSSSbSS", 6, "orange" },
		{ "most of the tenders", "SSaSSbSaS", 6, "yellow" },
		{ "most of the tenders", "SaSSbSScS", 7, "yellow" },
		{ "half of the tenders", "SaSbScSdS", 3, NULL },
		{ "five tenders are too few", "SSSSS", 3, NULL },
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t unit, item, supplier;
		size_t length = strlen(cases[i].pattern);
		struct buf id = { 0 };
		struct label *label;

		do {
			unit = rng_below(&city->rng, N_UNITS);
			item = rng_below(&city->rng, n_categories);
		} while (used[unit * n_categories + item]);
		used[unit * n_categories + item] = true;
		supplier = categories[item].trade * PER_TRADE + 120 + i;
		supplier_id(&id, supplier);
		label = city_label(city, "repeat-winner",
				   cases[i].level ? EXPECT_ALERT
						  : EXPECT_SILENCE,
				   cases[i].note);
		label->level = cases[i].level;
		label->key = arena_printf(
			&city->arena,
			"{\"buyer\":\"U-%02u\",\"category\":\"%s\","
			"\"supplier\":\"%s\"}",
			unit + 1, categories[item].code, buf_cstr(&id));
		buf_free(&id);
		label->first = city->n;
		for (uint32_t n = 0; n < length; n++) {
			struct event *event = city_add(city, AWARDS);
			char who = cases[i].pattern[n];
			uint32_t day = 20 + n * 24 + rng_below(&city->rng, 10);

			event->unit = (uint8_t)unit;
			event->item = (uint8_t)item;
			event->supplier =
				who == 'S'
					? supplier
					: categories[item].trade * PER_TRADE +
						  100 + (uint32_t)(who - 'a');
			event->bidders = who == 'S' ? cases[i].bidders
						    : (uint8_t)rng_between(
							      &city->rng, 4, 8);
			event->amount =
				rng_between(&city->rng, 50000000, 800000000);
			event->at = city_office_time(city, city->workdays[day]);
		}
		label->last = city->n - 1;
	}
}

void plant_plans(struct city *city) {
	static const struct {
		int plan;
		unsigned n;
	} kinds[] = { { PLAN_OVER, 3 },
		      { PLAN_OVER_TENTH, 2 },
		      { PLAN_LATE_RAISE, 2 },
		      { PLAN_EXACT, 2 },
		      { PLAN_EARLY_RAISE, 2 } };
	struct label *label;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (unsigned i = 0; i < kinds[k].n; i++) {
			uint16_t cell = pick_cell(city, 500000);

			if (cell == UINT16_MAX)
				return;
			city->cells[cell].plan = kinds[k].plan;
		}
	}

	/* And one line that nobody ever approved. */
	label = city_label(city, "over-budget", EXPECT_ALERT,
			   "a line without a budget");
	label->level = "orange";
	label->key = "{\"budget_line\":\"L-07-30299\"}";
	label->period = "FY2025";
	label->first = city->n;
	for (unsigned i = 0; i < 3; i++) {
		struct event *event = city_add(city, PAYMENTS);

		event->unit = 6;
		event->item = (uint8_t)CLASS_OTHER;
		event->supplier = rng_below(&city->rng, N_SUPPLIERS);
		event->invoice = city->next_invoice++;
		event->amount = rng_between(&city->rng, 2000000, 6000000);
		event->at = city_office_time(
			city, city_workday(city, 2025, 6 + i, 11));
	}
	label->last = city->n - 1;
}
