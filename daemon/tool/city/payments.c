/*
 * What units pay in ordinary life.
 *
 * A line's amounts lie evenly on one decade of the logarithmic scale, so their
 * digits are as Benford says. Each comes a golden step after the one before,
 * and each month begins anew: so by the same working day of two months about
 * the same has been paid, what a baseline may rely on.
 */
#include "tool/city/city.h"

#include "base/util.h"

#include <string.h>

#define GOLDEN UINT32_C(2654435769)
#define TRADE_HOTELS 10

struct line *line_of(struct city *city, struct unit *unit, unsigned class) {
	struct line *line = unit->lines[class];
	int64_t low = classes[class].low * YUAN;

	if (line)
		return line;
	line = arena_new(&city->arena, struct line);
	*line = (struct line){
		.unit = unit,
		.index = city->n_lines,
		.class = (uint8_t) class,
		.base = rng_between(&city->rng, low, low * 3 / 2),
		.phase = rng_below(&city->rng, 1000000),
		.start = (uint32_t)rng_next(&city->rng),
		.n_payees = 8,
	};
	for (unsigned i = 0; i < line->n_payees; i++) {
		unsigned person = (unit->number - 1u) * (N_PEOPLE / N_UNITS) +
				  rng_below(&city->rng, N_PEOPLE / N_UNITS);

		line->payees[i] = classes[class].kind == CLASS_PERSON
					  ? city->people[person]
				  : classes[class].kind == CLASS_CARD
					  ? any_supplier(city, TRADE_HOTELS)
					  : any_payee(city);
	}
	line->step = line->start;
	unit->lines[class] = line;
	city->lines = city_grow(city->lines, city->n_lines, &city->cap_lines);
	city->lines[city->n_lines++] = line;
	return line;
}

/* One of the phrases of a class. */
static const char *phrase(struct city *city, unsigned class) {
	const char *at = classes[class].phrases;
	const char *end;
	unsigned n = 1;

	for (const char *c = at; *c; c++)
		n += *c == '|';
	for (n = rng_below(&city->rng, n); n; n--)
		at = strchr(at, '|') + 1;
	end = strchrnul(at, '|');
	return arena_strndup(&city->arena, at, (size_t)(end - at));
}

static int64_t next_amount(struct city *city, struct line *line) {
	uint32_t place = line->step + rng_below(&city->rng, UINT32_C(1) << 28);

	line->step += GOLDEN;
	return scale10(line->base, place) + rng_between(&city->rng, 0, 99);
}

static enum pay_method choose_method(struct city *city, struct line *line,
				     const struct payment *payment,
				     int64_t day) {
	switch (classes[line->class].kind) {
	case CLASS_CARD:
		/* At times a terminal is out of order. */
		if (month_of(day) == line->bypassed ||
		    !rng_chance(&city->rng, 250))
			return PAY_CARD;
		line->bypassed = month_of(day);
		return PAY_TRANSFER;
	case CLASS_PLAIN:
		if (payment->amount < 2000 * YUAN &&
		    rng_chance(&city->rng, 200))
			return PAY_CASH;
		if (rng_chance(&city->rng, 200))
			return PAY_CHEQUE;
		return PAY_TRANSFER;
	case CLASS_SOLID:
	case CLASS_PERSON:
	case CLASS_RENT:
	case CLASS_CAPITAL:
	case CLASS_RARE:
	case CLASS_RUSH:
	default:
		return PAY_TRANSFER;
	}
}

struct event *pay_amount(struct city *city, struct line *line, int64_t day,
			 int64_t amount) {
	struct event *event = city_add(city, PAYMENTS, office_time(city, day));
	struct payment *payment = &event->payment;

	*payment = (struct payment){
		.unit = line->unit,
		.line = line,
		.class = line->class,
		.payee = line->payees[rng_below(&city->rng, line->n_payees)],
		.amount = amount,
		.memo = phrase(city, line->class),
		.dated = true,
		.fund = NO_FUND,
		.authorised = amount < 500000 * YUAN,
		.account = rng_chance(&city->rng, 600) ? ACCOUNT_REAL
						       : ACCOUNT_ZERO,
	};
	payment->method = (uint8_t)choose_method(city, line, payment, day);
	if (classes[line->class].kind != CLASS_PERSON &&
	    rng_chance(&city->rng, 8800))
		payment->invoice = city->next_invoice++;
	return event;
}

struct event *pay(struct city *city, struct line *line, int64_t day) {
	return pay_amount(city, line, day, next_amount(city, line));
}

/*
 * How often a line pays, so that about as many payments come out. Small cities
 * have fewer lines rather than rarer payments: a month must stay comparable.
 */
static unsigned choose_rate(struct city *city) {
	uint64_t days = 0;
	unsigned per_unit;

	for (uint32_t i = 0; i < city->n_workdays; i++)
		days += day_weight(city, i);
	per_unit = city->payments / (N_UNITS * city->months * 18);
	if (per_unit < 1)
		per_unit = 1;
	if (per_unit > 16)
		per_unit = 16;
	city->rate = (uint32_t)((uint64_t)city->payments * 1000000000 /
				(days * per_unit * N_UNITS));
	return per_unit;
}

/* A random pick, no class twice, a solid one first. */
static void unit_lines(struct city *city, struct unit *unit,
		       unsigned per_unit) {
	static const char *const second[] = { "31002", "31003", "31006",
					      "31007" };
	uint8_t deck[N_CLASSES];
	unsigned n = 0, solid, capital = class_of("31002");

	do
		solid = rng_below(&city->rng, N_CLASSES);
	while (classes[solid].kind != CLASS_SOLID);
	line_of(city, unit, solid);
	for (unsigned i = 0; i < N_CLASSES; i++)
		if (classes[i].kind < CLASS_CAPITAL && i != solid)
			deck[n++] = (uint8_t)i;
	for (unsigned i = 0; i + 1 < per_unit; i++) {
		unsigned j = i + rng_below(&city->rng, n - i);
		uint8_t class = deck[j];

		deck[j] = deck[i];
		line_of(city, unit, class);
	}
	capital += unit->number % 5u;
	line_of(city, unit, capital);
	/* Works are for a few units only. */
	if (per_unit > 4) {
		unsigned nth = unit->number / 5u;

		while (class_of(second[nth % 4]) == capital)
			nth++;
		line_of(city, unit, class_of(second[nth % 4]));
	}
}

void lines_make(struct city *city) {
	unsigned per_unit = choose_rate(city);

	for (unsigned i = 0; i < N_UNITS; i++)
		unit_lines(city, &city->units[i], per_unit);
}

/* A unit that is done by September pays no more in that year. */
static bool is_over(const struct unit *unit, int64_t day) {
	return unit->course.september && month_of(day) >= 202510 &&
	       month_of(day) <= 202512;
}

static void pay_often(struct city *city, struct line *line) {
	uint64_t sum = 0;
	int last = 0;

	for (uint32_t i = 0; i < city->n_workdays; i++) {
		int month = month_of(city->workdays[i]);
		bool first = month != last;

		last = month;
		if (first) {
			sum = line->phase;
			line->step = line->start;
		}
		sum += (uint64_t)city->rate * day_weight(city, i) / 1000;
		/* Budgets are approved on the first working day. */
		if (!i || (first && month % 100 == 1))
			continue;
		for (; sum >= 1000000; sum -= 1000000) {
			struct event *event;

			if (is_over(line->unit, city->workdays[i]))
				continue;
			event = pay(city, line, city->workdays[i]);
			if (!rng_chance(&city->rng, 15))
				continue;
			event->payment.amount = -event->payment.amount / 2;
			event->payment.invoice = 0;
		}
	}
}

static void pay_on_fixed_days(struct city *city, struct line *line,
			      const uint8_t *days, unsigned n) {
	for (unsigned m = 0; m < city->months; m++) {
		unsigned month = 24 - city->months + m;
		int ym = (2024 + (int)month / 12) * 100 + (int)month % 12 + 1;

		for (unsigned i = 0; i < n; i++) {
			int64_t day = workday_in(city, ym, days[i]);
			struct event *event;

			if (is_over(line->unit, day))
				continue;
			/* Instalments become smaller. */
			line->step = line->start / 4 + (n - i) * (GOLDEN / 5);
			event = pay(city, line, day);
			if (classes[line->class].kind != CLASS_RENT)
				continue;
			/* Rent is rent: by the same month after month. */
			event->payment.payee = line->payees[i];
			event->payment.amount = scale10(
				line->base, line->phase * 4294u + i * GOLDEN);
			if (!event->payment.invoice)
				event->payment.invoice = city->next_invoice++;
		}
	}
}

/* Taxes, cars, licences: once in a while, and not by every unit. */
static void pay_rarely(struct city *city) {
	static const char *const codes[] = { "30240", "31011", "31013",
					     "31022" };

	for (unsigned i = 0; i < N_UNITS * ARRAY_SIZE(codes) * 2; i++) {
		struct unit *unit = &city->units[i % N_UNITS];
		unsigned class = class_of(codes[i % ARRAY_SIZE(codes)]);
		int64_t day = random_workday(city);

		if (is_over(unit, day) || day == city->workdays[0] ||
		    day == workday_in(city, 202501, 1))
			continue;
		pay(city, line_of(city, unit, class), day);
	}
}

static void pay_ordinary(struct city *city, struct line *line) {
	static const uint8_t rents[] = { 2, 3, 4, 5, 6, 7, 8, 9 };
	uint8_t instalments[3];

	switch (classes[line->class].kind) {
	case CLASS_RENT:
		pay_on_fixed_days(city, line, rents, ARRAY_SIZE(rents));
		break;
	case CLASS_CAPITAL:
		for (unsigned i = 0; i < 3; i++)
			instalments[i] =
				(uint8_t)(2 + i * 5 + rng_below(&city->rng, 5));
		pay_on_fixed_days(city, line, instalments, 3);
		break;
	case CLASS_PLAIN:
	case CLASS_SOLID:
	case CLASS_CARD:
	case CLASS_PERSON:
		pay_often(city, line);
		break;
	case CLASS_RARE:
	case CLASS_RUSH:
	default:
		break;
	}
}

static void give_funds(struct city *city) {
	for (uint32_t i = 0; i < city->n; i++) {
		struct payment *payment = &city->events[i]->payment;
		unsigned fund;

		if (city->events[i]->stream != PAYMENTS ||
		    !rng_chance(&city->rng, 1500))
			continue;
		fund = rng_below(&city->rng, n_funds);
		if (!fund_allows(fund, payment->class) && funds[fund].classes)
			continue;
		payment->fund = (uint8_t)fund;
		payment->account = ACCOUNT_SPECIAL;
	}
}

void payments_make(struct city *city) {
	for (uint32_t i = 0; i < city->n_lines; i++)
		pay_ordinary(city, city->lines[i]);
	pay_rarely(city);
	give_funds(city);
}
