#include "tool/city/plant.h"

#include "base/calendar.h"
#include "base/util.h"

#include <assert.h>
#include <string.h>

/* All units but those that are done by September. */
#define N_CASE_UNITS 36

/* How little a case disturbs what else is planted of the unit's year. */
static unsigned quietness(const struct unit *unit) {
	const struct course *course = &unit->course;

	return course->september              ? 3
	       : course->mid || course->third ? 2
	       : course->december             ? 1
					      : 0;
}

struct unit *plant_unit(struct city *city, unsigned i) {
	i = (i + city->turn) % N_CASE_UNITS;
	for (unsigned quiet = 0;; quiet = (quiet + 1) % 4)
		for (unsigned u = 0; u < N_UNITS; u++) {
			struct unit *unit = &city->units[u];

			if (quietness(unit) == quiet && !i--)
				return unit;
		}
}

void plant_turn(struct city *city) {
	city->turn = rng_below(&city->rng, N_CASE_UNITS);
}

int64_t plant_day(struct city *city, unsigned i, unsigned n) {
	int64_t first = days_from_civil(2025, 2, 10);
	int64_t days = days_from_civil(2025, 11, 28) - first;
	int64_t width = days / n;

	return workday_after(
		city, first + width * i + rng_between(&city->rng, 0, width - 1),
		0);
}

/* Union money goes to the union's account in the unit, which is another case.
 */
static bool is_plain(unsigned class) {
	if (class == class_of("30228"))
		return false;
	return classes[class].kind == CLASS_PLAIN ||
	       classes[class].kind == CLASS_SOLID ||
	       classes[class].kind == CLASS_RARE;
}

struct line *plant_line(struct city *city, struct unit *unit, int64_t amount) {
	if (amount > 3000000 * YUAN)
		return line_of(city, unit, class_of("31005"));
	for (;;) {
		unsigned class = rng_below(&city->rng, N_CLASSES);
		int64_t low = classes[class].low * YUAN;

		if (!is_plain(class) || class_is_restrained(class) ||
		    amount < low || amount > low * 10 ||
		    (unit->lines[class] && unit->lines[class]->planted))
			continue;
		return line_of(city, unit, class);
	}
}

struct line *fresh_line(struct city *city, struct unit *unit,
			enum class_kind kind) {
	for (unsigned tries = 0; tries < 1000; tries++) {
		unsigned class = rng_below(&city->rng, N_CLASSES);

		if (classes[class].kind == kind && !unit->lines[class] &&
		    !class_is_restrained(class))
			return line_of(city, unit, class);
	}
	return NULL;
}

struct event *plant_pay(struct city *city, struct unit *unit, int64_t day,
			int64_t amount) {
	struct event *event =
		pay_amount(city, plant_line(city, unit, amount), day, amount);

	event->payment.payee = any_payee(city);
	event->payment.method = PAY_TRANSFER;
	event->payment.account = ACCOUNT_ZERO;
	event->payment.taken = true;
	if (!event->payment.invoice)
		event->payment.invoice = city->next_invoice++;
	return event;
}

struct event *take_payment(struct city *city,
			   bool (*fits)(const struct event *event)) {
	int64_t begin = start_of(days_from_civil(2025, 1, 15));
	int64_t end = start_of(days_from_civil(2025, 11, 20));

	for (;;) {
		struct event *event =
			city->events[rng_below(&city->rng, city->n)];
		const struct payment *payment = &event->payment;

		if (event->stream != PAYMENTS || payment->taken ||
		    event->dropped || event->at < begin || event->at >= end ||
		    payment->amount <= 0 || !payment->line ||
		    payment->line->planted || payment->unit->course.september ||
		    !fits(event))
			continue;
		event->payment.taken = true;
		return event;
	}
}

struct event *copy_payment(struct city *city, const struct event *of,
			   int64_t day) {
	struct event *event = city_add(
		city, PAYMENTS, office_time(city, workday_after(city, day, 0)));

	event->payment = of->payment;
	event->payment.taken = true;
	event->payment.contract = NULL; /* which is kept all the same */
	return event;
}

static bool is_of(unsigned category, const char *kinds) {
	return strchr(kinds, categories[category].code[0]) != NULL;
}

/* No other category begins with the same five characters. */
static bool is_alone(unsigned category) {
	for (unsigned i = 0; i < N_CATEGORIES; i++)
		if (i != category &&
		    !strncmp(categories[i].code, categories[category].code, 5))
			return false;
	return true;
}

struct pair take_pair(struct city *city, const char *kinds, bool alone) {
	for (;;) {
		unsigned u = rng_below(&city->rng, N_UNITS);
		unsigned category = rng_below(&city->rng, N_CATEGORIES);

		if (!is_of(category, kinds) || is_alone(category) != alone ||
		    city->reserve[u][category] != RESERVED_PAIR)
			continue;
		city->reserve[u][category] = RESERVED_USED;
		return (struct pair){ &city->units[u], category };
	}
}

struct pair free_pair(struct city *city, const char *kinds) {
	for (;;) {
		unsigned u = rng_below(&city->rng, N_UNITS);
		unsigned category = rng_below(&city->rng, N_CATEGORIES);

		if (is_of(category, kinds) &&
		    city->reserve[u][category] == FREE)
			return (struct pair){ &city->units[u], category };
	}
}

struct lot *plant_lot(struct city *city, enum method method, const char *kinds,
		      int64_t day, unsigned n_bids) {
	struct pair pair = free_pair(city, kinds);
	struct wish wish = {
		.unit = pair.unit,
		.category = pair.category,
		.method = method,
		.award_day = workday_after(city, day + 14, 0),
		.n_bids = n_bids,
	};
	struct lot *lot = lot_make(city, &wish);

	assert(lot);
	return lot;
}

struct label *label_unit(struct city *city, const char *rule, enum grade grade,
			 const char *note, const struct unit *unit,
			 const struct event *first, const struct event *last) {
	struct label *label = label_add(city, rule, grade, note, first, last);

	label_text(label, "unit", unit->code);
	return label;
}

struct label *label_voucher(struct city *city, const char *rule,
			    enum grade grade, const char *note,
			    const struct event *event) {
	struct label *label = label_add(city, rule, grade, note, event, event);

	label_id(label, "voucher_no", event);
	return label;
}

const char *fen_text(struct city *city, int64_t fen) {
	struct buf buf = { 0 };
	const char *ret;

	put_fen(&buf, fen);
	ret = city_text(city, "%s", buf_cstr(&buf));
	buf_free(&buf);
	return ret;
}
