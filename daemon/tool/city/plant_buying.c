/* Cases of cards, tenders, orders and contracts. */
#include "tool/city/plant.h"

#include "base/calendar.h"
#include "base/util.h"

#include <assert.h>

#define TRADE_HOTELS 10

/*
 * One card, one merchant, one day: each within the 20,000 yuan that one
 * transaction may be, together above. Hidden: among the day's others.
 */
static void plant_card_split(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n;
		int32_t yuan;  /* each, about */
		uint8_t apart; /* days between them */
		bool cards;    /* each of another card */
		bool others;   /* and small ones elsewhere on that day */
		bool refund;   /* one of them is given back */
		const char *note;
	} cases[] = {
		{ PLAIN, 3, 14200, 0, false, false, false, "three at once" },
		{ PLAIN, 2, 18600, 0, false, false, false, "two at once" },
		{ PLAIN, 4, 11500, 0, false, false, false, "four at once" },
		{ PLAIN, 3, 17900, 0, false, false, false, "three at once" },
		{ NEAR, 2, 10120, 0, false, false, false, "just above" },
		{ NEAR, 3, 6760, 0, false, false, false, "just above" },
		{ NEAR, 2, 10060, 0, false, false, false, "just above" },
		{ HIDDEN, 3, 8400, 0, false, true, false, "among others" },
		{ HIDDEN, 2, 12300, 0, false, true, false, "among others" },
		{ HIDDEN, 6, 3900, 0, false, true, false, "six small ones" },
		{ SILENT, 2, 9860, 0, false, false, false, "just below" },
		{ SILENT, 2, 15400, 1, false, false, false, "on two days" },
		{ SILENT, 2, 13700, 0, true, false, false, "on two cards" },
		{ SILENT, 2, 14900, 0, false, false, true, "one given back" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t at = (plant_unit(city, i)->number - 1u) *
				      (city->n_cards / N_UNITS) +
			      rng_below(&city->rng, 5);
		const struct party *merchant = any_supplier(city, TRADE_HOTELS);
		int64_t day = plant_day(city, i, ARRAY_SIZE(cases));
		struct event *first = NULL, *last = NULL;
		struct label *label;

		for (unsigned n = 0; n < cases[i].n; n++) {
			struct event *event = card_use(
				city, &city->cards[at + n * cases[i].cards],
				merchant,
				cases[i].yuan *
					rng_between(&city->rng, 9950, 10060) /
					100,
				workday_after(city, day + n * cases[i].apart,
					      0));

			/* In the order of the day. */
			event->at = start_of(day_of(event->at)) + 9 * 3600 +
				    n * 4000 + rng_between(&city->rng, 0, 3000);
			last = event;
			first = first ? first : event;
			if (cases[i].refund && n == 0) {
				event = card_use(city, &city->cards[at],
						 merchant, -event->card.amount,
						 day_of(event->at));
				event->at = first->at + 600;
			}
			if (cases[i].others)
				card_use(city, &city->cards[at],
					 any_supplier(city, TRADE_HOTELS),
					 rng_scaled(&city->rng, 90 * YUAN,
						    900 * YUAN),
					 day);
		}
		label = label_add(city, "card-split", cases[i].grade,
				  cases[i].note, first, last);
		label_text(label, "card", city->cards[at].number);
		label_text(label, "merchant", merchant->id);
	}
}

void plant_cards(struct city *city) {
	plant_card_split(city);
}

/* tenders */

/*
 * Fewer days than the regulations ask for. Hidden: four working days where
 * five are asked for, over a weekend. What is not: exactly as many, a deadline
 * that is put off later, a method that asks for less.
 */
static void plant_short_notice(struct city *city) {
	static const struct {
		enum grade grade;
		enum method method;
		uint8_t days; /* from the announcement's day to the deadline's
			       */
		bool working;
		const char *note;
	} cases[] = {
		{ PLAIN, METHOD_OPEN, 12, false, "12 days instead of 20" },
		{ PLAIN, METHOD_OPEN, 9, false, "9 days instead of 20" },
		{ PLAIN, METHOD_NEGOTIATION, 5, false, "5 days instead of 10" },
		{ PLAIN, METHOD_OPEN, 14, false, "14 days instead of 20" },
		{ NEAR, METHOD_OPEN, 19, false, "19 days instead of 20" },
		{ NEAR, METHOD_INQUIRY, 9, false, "9 days instead of 10" },
		{ NEAR, METHOD_OPEN, 19, false, "19 days instead of 20" },
		{ HIDDEN, METHOD_SINGLE_SOURCE, 4, true, "4 working days" },
		{ HIDDEN, METHOD_SINGLE_SOURCE, 3, true, "3 working days" },
		{ HIDDEN, METHOD_INVITED, 8, false, "8 days instead of 10" },
		{ SILENT, METHOD_OPEN, 20, false, "exactly 20 days" },
		{ SILENT, METHOD_OPEN, 20, false, "exactly 20 days" },
		{ SILENT, METHOD_CONSULTATION, 12, false, "12 days suffice" },
		{ SILENT, METHOD_SINGLE_SOURCE, 6, true, "6 working days" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lot *lot =
			plant_lot(city, cases[i].method, "ABC",
				  plant_day(city, i, ARRAY_SIZE(cases)), 0);
		int64_t day = day_of(lot->deadline);
		struct label *label;

		day = cases[i].working
			      ? workday_after(city, day, -cases[i].days)
			      : day - cases[i].days;
		/* At the same time of day, so that days are whole days. */
		lot->announced =
			lot->deadline - (day_of(lot->deadline) - day) * DAY;
		if (cases[i].grade == SILENT)
			lot->announced -= 3600;
		lot->published->at = lot->announced;
		for (unsigned n = 0; n < lot->n_bids; n++)
			lot->bids[n]->bid.submitted =
				lot->deadline -
				rng_between(&city->rng, 1200, 2 * DAY);
		label = label_add(city, "short-notice", cases[i].grade,
				  cases[i].note, lot->published,
				  lot->published);
		label->until = lot->opened + 2 * DAY;
		label_lot(label, lot);
	}
}

void plant_tenders(struct city *city) {
	plant_short_notice(city);
}

/* orders */

/*
 * Three orders and more within thirty days to one supplier, each below the
 * tender limit, together above it, none of them in competition.
 */
static void plant_split(struct city *city) {
	static const struct {
		enum grade grade;
		const char *note;
		uint8_t month;
		enum method method;
		uint8_t gap;        /* days between two orders */
		uint8_t percent[4]; /* of the limit */
		const char *level;
	} cases[] = {
		{ PLAIN,
		  "two just under the limit and a small one",
		  2,
		  METHOD_DIRECT,
		  5,
		  { 92, 88, 35 },
		  "red" },
		{ PLAIN,
		  "two just under the limit and a small one",
		  5,
		  METHOD_SINGLE_SOURCE,
		  7,
		  { 85, 21, 91 },
		  "red" },
		{ PLAIN,
		  "three just under the limit",
		  9,
		  METHOD_DIRECT,
		  4,
		  { 91, 92, 90 },
		  "red" },
		{ PLAIN,
		  "two just under the limit and a small one",
		  10,
		  METHOD_DIRECT,
		  9,
		  { 90, 12, 83 },
		  "red" },
		{ NEAR,
		  "three of a little more than a third",
		  3,
		  METHOD_DIRECT,
		  13,
		  { 34, 34, 33 },
		  "orange" },
		{ NEAR,
		  "three of a little more than a third",
		  8,
		  METHOD_DIRECT,
		  12,
		  { 35, 33, 33 },
		  "orange" },
		{ NEAR,
		  "three of a third and more",
		  11,
		  METHOD_SINGLE_SOURCE,
		  7,
		  { 35, 32, 35 },
		  "orange" },
		{ HIDDEN,
		  "three, none of them great",
		  3,
		  METHOD_DIRECT,
		  6,
		  { 41, 38, 29 },
		  "orange" },
		{ HIDDEN,
		  "three, none of them great",
		  7,
		  METHOD_DIRECT,
		  8,
		  { 52, 20, 44 },
		  "orange" },
		{ HIDDEN,
		  "three of almost a half",
		  4,
		  METHOD_DIRECT,
		  6,
		  { 45, 44, 45 },
		  "orange" },
		{ SILENT,
		  "together a little below the limit",
		  3,
		  METHOD_DIRECT,
		  5,
		  { 33, 33, 32 },
		  NULL },
		{ SILENT,
		  "above the limit of old, below the new one",
		  8,
		  METHOD_DIRECT,
		  5,
		  { 32, 32, 32 },
		  NULL },
		{ SILENT,
		  "quotations were asked for",
		  5,
		  METHOD_INQUIRY,
		  5,
		  { 70, 72, 75 },
		  NULL },
		{ SILENT,
		  "never three within thirty days",
		  9,
		  METHOD_DIRECT,
		  16,
		  { 60, 60, 60 },
		  NULL },
		{ SILENT,
		  "two are not three",
		  10,
		  METHOD_DIRECT,
		  5,
		  { 82, 83 },
		  NULL },
	};

	plant_turn(city);
	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair pair = take_pair(city, "AC", true);
		const struct party *supplier =
			party_old(city, categories[pair.category].trade);
		int64_t day = workday_in(city, 202500 + cases[i].month, 3);
		struct event *first = NULL, *last = NULL;
		struct label *label;

		for (unsigned n = 0; n < 4 && cases[i].percent[n]; n++) {
			last = order_make(
				city, pair.unit, pair.category, supplier,
				cases[i].method,
				tender_limit(pair.category, day) / 100 *
						cases[i].percent[n] +
					rng_between(&city->rng, 1, 9999),
				day);
			first = first ? first : last;
			day += cases[i].gap;
		}
		label = label_add(city, "split-purchase", cases[i].grade,
				  cases[i].note, first, last);
		label->level = cases[i].level;
		label_text(label, "buyer", pair.unit->code);
		label_text(label, "supplier", supplier->id);
		label_text(label, "category", categories[pair.category].code);
	}
}

/*
 * More than five uncompeted orders of one kind in a year, each below the limit,
 * together above it, to several suppliers.
 */
static void plant_split_by_year(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n;
		uint16_t percent; /* of the limit, together */
		enum method method;
		const char *note;
	} cases[] = {
		{ PLAIN, 9, 230, METHOD_DIRECT,
		  "nine orders, twice the limit" },
		{ PLAIN, 11, 260, METHOD_DIRECT, "eleven orders" },
		{ PLAIN, 8, 215, METHOD_SINGLE_SOURCE, "eight orders" },
		{ PLAIN, 10, 240, METHOD_DIRECT, "ten orders" },
		{ NEAR, 6, 112, METHOD_DIRECT, "six orders, just above" },
		{ NEAR, 6, 115, METHOD_SINGLE_SOURCE, "six, just above" },
		{ NEAR, 7, 118, METHOD_DIRECT, "seven orders, just above" },
		{ HIDDEN, 14, 170, METHOD_DIRECT, "fourteen small orders" },
		{ HIDDEN, 16, 165, METHOD_DIRECT, "sixteen small orders" },
		{ HIDDEN, 13, 175, METHOD_DIRECT, "thirteen small orders" },
		{ SILENT, 5, 130, METHOD_DIRECT,
		  "five are not more than five" },
		{ SILENT, 9, 55, METHOD_DIRECT, "together half the limit" },
		{ SILENT, 12, 60, METHOD_DIRECT, "together below the limit" },
		{ SILENT, 9, 200, METHOD_INQUIRY, "quotations were asked for" },
	};

	plant_turn(city);
	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair pair = take_pair(city, "AC", true);
		const char *code = categories[pair.category].code;
		int64_t limit = tender_limit(pair.category, city->end_day);
		struct event *first = NULL, *last = NULL;
		const struct party *suppliers[4];
		struct label *label;

		for (unsigned n = 0; n < ARRAY_SIZE(suppliers); n++)
			suppliers[n] = party_old(
				city, categories[pair.category].trade);
		for (unsigned n = 0; n < cases[i].n; n++) {
			int64_t day = workday_after(city,
						    day_in(202502, 12) +
							    (int64_t)n * 295 /
								    cases[i].n,
						    0);

			last = order_make(
				city, pair.unit, pair.category,
				suppliers[n % ARRAY_SIZE(suppliers)],
				cases[i].method,
				limit / 1000 * cases[i].percent *
					rng_between(&city->rng, 96, 104) /
					(cases[i].n * 10),
				day);
			first = first ? first : last;
		}
		label = label_add(city, "split-by-year", cases[i].grade,
				  cases[i].note, first, last);
		label_text(label, "buyer", pair.unit->code);
		label_text(label, "kind", city_text(city, "%.5s", code));
		label->until = start_of(city->end_day + 5);
	}
}

/* Some orders of one buyer to one supplier. */
struct run {
	enum grade grade;
	uint8_t n;
	uint16_t permille; /* of the limit, each */
	uint8_t apart;     /* days between two */
	enum method method;
	bool kinds; /* of several kinds */
	const char *note;
};

static void plant_run(struct city *city, const char *rule,
		      const struct run *run, bool of_the_day) {
	struct pair pair = take_pair(city, "ABC", true);
	const struct party *supplier =
		party_old(city, categories[pair.category].trade);
	int64_t day = plant_day(city, 0, 8);
	struct event *first = NULL, *last = NULL;
	struct label *label;

	for (unsigned n = 0; n < run->n; n++) {
		int64_t when = workday_after(city, day, 0);
		unsigned category = pair.category;

		if (run->kinds && n % 2)
			category = free_pair(city, "AC").category;
		last = order_make(
			city, pair.unit, category, supplier, run->method,
			tender_limit(category,
				     of_the_day ? when : city->end_day) /
					1000 * run->permille / 1000 *
					rng_between(&city->rng, 998, 1002) +
				rng_between(&city->rng, 1, 9999),
			when);
		first = first ? first : last;
		day += run->apart;
	}
	label = label_add(city, rule, run->grade, run->note, first, last);
	label_text(label, "buyer", pair.unit->code);
	label_text(label, "supplier", supplier->id);
}

/* Twice and more in the last twentieth below the limit. */
static void plant_just_below(struct city *city) {
	static const struct run cases[] = {
		{ PLAIN, 3, 978, 70, METHOD_DIRECT, false, "three at 98 %" },
		{ PLAIN, 2, 985, 60, METHOD_SINGLE_SOURCE, false,
		  "two at 98 %" },
		{ PLAIN, 3, 970, 80, METHOD_DIRECT, false, "three at 97 %" },
		{ PLAIN, 2, 990, 50, METHOD_DIRECT, false, "two at 99 %" },
		{ NEAR, 2, 955, 90, METHOD_DIRECT, false, "two at 95.5 %" },
		{ NEAR, 2, 954, 100, METHOD_SINGLE_SOURCE, false,
		  "two at 95.4 %" },
		{ NEAR, 2, 956, 85, METHOD_DIRECT, false, "two at 95.6 %" },
		{ HIDDEN, 2, 972, 200, METHOD_DIRECT, false,
		  "before and after the limit was raised" },
		{ HIDDEN, 2, 966, 210, METHOD_DIRECT, false,
		  "before and after the limit was raised" },
		{ HIDDEN, 2, 981, 190, METHOD_SINGLE_SOURCE, false,
		  "before and after the limit was raised" },
		{ SILENT, 1, 975, 1, METHOD_DIRECT, false, "once" },
		{ SILENT, 1, 982, 1, METHOD_DIRECT, false, "once" },
		{ SILENT, 2, 930, 80, METHOD_DIRECT, false, "two at 93 %" },
		{ SILENT, 2, 1040, 90, METHOD_OPEN, false, "above the limit" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		plant_run(city, "just-below-limit", &cases[i], true);
}

/* Bought directly of one supplier for months, together above the limit. */
static void plant_repeated(struct city *city) {
	static const struct run cases[] = {
		{ PLAIN, 5, 400, 50, METHOD_DIRECT, false,
		  "five, months apart" },
		{ PLAIN, 4, 480, 62, METHOD_DIRECT, false,
		  "four, months apart" },
		{ PLAIN, 5, 380, 45, METHOD_DIRECT, false, "five" },
		{ PLAIN, 5, 350, 54, METHOD_DIRECT, false, "five" },
		{ NEAR, 4, 268, 40, METHOD_DIRECT, false, "four, just above" },
		{ NEAR, 4, 265, 55, METHOD_DIRECT, false, "four, just above" },
		{ NEAR, 5, 216, 35, METHOD_DIRECT, false, "five, just above" },
		{ HIDDEN, 8, 190, 32, METHOD_DIRECT, true, "of several kinds" },
		{ HIDDEN, 9, 170, 31, METHOD_DIRECT, true, "of several kinds" },
		{ HIDDEN, 7, 230, 36, METHOD_DIRECT, true, "of several kinds" },
		{ SILENT, 5, 150, 40, METHOD_DIRECT, false, "below the limit" },
		{ SILENT, 3, 300, 60, METHOD_DIRECT, false, "three, below it" },
		{ SILENT, 6, 300, 36, METHOD_INQUIRY, false,
		  "quotations were asked for" },
		{ SILENT, 6, 120, 36, METHOD_DIRECT, false, "below the limit" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		plant_run(city, "repeated-direct", &cases[i], false);
}

void plant_orders(struct city *city) {
	plant_split(city);
	plant_split_by_year(city);
	plant_just_below(city);
	plant_repeated(city);
}

/* contracts */

/* One with payments, the last of them in good time before the year's end. */
static struct contract *paid_contract(struct city *city) {
	int64_t begin = start_of(day_in(202501, 10));
	int64_t end = start_of(day_in(202510, 20));

	for (;;) {
		struct contract *contract = city->contracts[rng_below(
			&city->rng, city->n_contracts)];
		const struct event *last;

		if (contract->planted || contract->amended ||
		    contract->n_payments < 3 ||
		    contract->payments[0]->payment.line->planted)
			continue;
		last = contract->payments[contract->n_payments - 1];
		if (last->at < begin || last->at > end)
			continue;
		contract->planted = true;
		return contract;
	}
}

static int64_t paid_under(const struct contract *contract) {
	int64_t sum = 0;

	for (unsigned i = 0; i < contract->n_payments; i++)
		sum += contract->payments[i]->payment.amount;
	return sum;
}

/*
 * More paid than the contract and its amendments. What is not: all of it and
 * not a fen more, an amendment that came first.
 */
static void plant_over_contract(struct city *city) {
	static const struct {
		enum grade grade;
		int16_t amended; /* permille of the value, before */
		int16_t over;    /* permille of it, more than it then is */
		bool later;      /* the amendment comes after the payment */
		const char *note;
	} cases[] = {
		{ PLAIN, 0, 120, false, "paid an eighth too much" },
		{ PLAIN, 0, 140, false, "paid a seventh too much" },
		{ PLAIN, 0, 130, false, "paid an eighth too much" },
		{ PLAIN, 0, 150, false, "paid a seventh too much" },
		{ NEAR, 0, 12, false, "paid one per cent too much" },
		{ NEAR, 0, 15, false, "paid one per cent too much" },
		{ NEAR, 0, 20, false, "paid two per cent too much" },
		{ HIDDEN, 60, 40, false, "more than the amendment gave" },
		{ HIDDEN, 80, 30, false, "more than the amendment gave" },
		{ HIDDEN, 50, 35, true, "the amendment came too late" },
		{ SILENT, 0, 0, false, "paid to the last fen" },
		{ SILENT, 0, 0, false, "paid to the last fen" },
		{ SILENT, 70, 0, false, "paid with what was amended" },
		{ SILENT, 90, 0, false, "paid with what was amended" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct contract *contract = paid_contract(city);
		const struct event *last =
			contract->payments[contract->n_payments - 1];
		struct line *line = last->payment.line;
		int64_t value = contract->begin->contract.amount;
		int64_t amended = value / 1000 * cases[i].amended;
		/* Late in a month, when the usual instalments are paid. */
		int64_t day =
			workday_in(city, month_of(day_of(last->at) + 21), 18);
		struct event *event;
		struct label *label;

		if (amended)
			contract_step(
				city, contract, CONTRACT_AMENDED,
				office_time(city,
					    workday_after(city,
							  cases[i].later
								  ? day + 9
								  : day - 9,
							  0)),
				amended);
		event = pay_amount(city, line, day,
				   value + amended - paid_under(contract) +
					   value / 1000 * cases[i].over);
		event->payment.contract = contract;
		event->payment.payee = contract->supplier;
		event->payment.taken = true;
		label = label_add(city, "over-contract", cases[i].grade,
				  cases[i].note, event, event);
		label_contract(label, contract);
	}
}

/*
 * Amended by more than a tenth of its value. Hidden: by little, and again, and
 * again. What is not: exactly a tenth; more, and then less.
 */
static void plant_growing(struct city *city) {
	static const struct {
		enum grade grade;
		int16_t permille[4];
		const char *note;
	} cases[] = {
		{ PLAIN, { 260 }, "a quarter more" },
		{ PLAIN, { 180 }, "almost a fifth more" },
		{ PLAIN, { 90, 120 }, "twice a tenth more" },
		{ PLAIN, { 340 }, "a third more" },
		{ NEAR, { 104 }, "a little more than a tenth" },
		{ NEAR, { 108 }, "a little more than a tenth" },
		{ NEAR, { 60, 45 }, "together a little more than a tenth" },
		{ HIDDEN, { 40, 35, 45 }, "three small ones" },
		{ HIDDEN, { 30, 32, 28, 26 }, "four small ones" },
		{ HIDDEN, { 50, -20, 90 }, "up, down and up again" },
		{ SILENT, { 100 }, "exactly a tenth" },
		{ SILENT, { 92 }, "a little less than a tenth" },
		{ SILENT, { 70, -40, 60 }, "up and down, below a tenth" },
		{ SILENT, { -150 }, "less than it was" },
	};

	plant_turn(city);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair pair = free_pair(city, "BC");
		int64_t day = plant_day(city, i, ARRAY_SIZE(cases) * 2);
		struct contract *contract = contract_make(
			city, pair.unit,
			any_supplier(city, categories[pair.category].trade),
			pair.category,
			rng_scaled(&city->rng, 800000 * YUAN, 5000000 * YUAN) /
				1000 * 1000,
			office_time(city, day));
		const struct event *first = contract->begin, *last = first;
		struct label *label;

		for (unsigned n = 0; n < 4 && cases[i].permille[n]; n++) {
			day = workday_after(city, day, 25);
			last = contract_step(city, contract, CONTRACT_AMENDED,
					     office_time(city, day),
					     contract->value / 1000 *
						     cases[i].permille[n]);
		}
		label = label_add(city, "contract-growth", cases[i].grade,
				  cases[i].note, first, last);
		label_contract(label, contract);
	}
}

void plant_contracts(struct city *city) {
	plant_over_contract(city);
	plant_growing(city);
}
