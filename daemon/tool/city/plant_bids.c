/* Cases of the bids of one lot. Each is made of an ordinary one. */
#include "tool/city/plant.h"

#include "base/util.h"

#include <assert.h>

static void label_bids(struct city *city, const char *rule, enum grade grade,
		       const char *note, const struct lot *lot) {
	label_lot(label_add(city, rule, grade, note, lot->opening, lot->award),
		  lot);
}

/* The prices are others now: the award and the ceiling follow. */
static void reprice(struct lot *lot, int64_t ceiling) {
	lot->award->award.amount = lot->bids[0]->bid.price;
	lot->ceiling = ceiling;
}

static int64_t top_price(const struct lot *lot) {
	int64_t top = 0;

	for (unsigned i = 0; i < lot->n_bids; i++)
		if (lot->bids[i]->bid.price > top)
			top = lot->bids[i]->bid.price;
	return top;
}

/* One more lot of the same tender. */
static struct lot *lot_beside(struct city *city, const struct lot *lot,
			      int64_t price, unsigned n_bids) {
	struct wish wish = {
		.unit = lot->buyer,
		.category = lot->category,
		.method = (enum method)lot->method,
		.award_day = day_of(lot->award->at),
		.price = price,
		.n_bids = n_bids,
		.beside = lot,
	};

	return lot_make(city, &wish);
}

/*
 * One bid where there should be a competition. Hidden: one lot of several. What
 * is not: methods that ask one supplier, two bids, a tender that is then called
 * off.
 */
static void plant_single(struct city *city) {
	static const struct {
		enum grade grade;
		enum method method;
		uint8_t n;
		bool beside, failed;
		const char *note;
	} cases[] = {
		{ PLAIN, METHOD_OPEN, 1, false, false, "one bid" },
		{ PLAIN, METHOD_OPEN, 1, false, false, "one bid" },
		{ PLAIN, METHOD_OPEN, 1, false, false, "one bid" },
		{ PLAIN, METHOD_OPEN, 1, false, false, "one bid" },
		{ NEAR, METHOD_INVITED, 1, false, false, "one of those asked" },
		{ NEAR, METHOD_INVITED, 1, false, false, "one of those asked" },
		{ NEAR, METHOD_INVITED, 1, false, false, "one of those asked" },
		{ HIDDEN, METHOD_OPEN, 1, true, false, "one lot of two" },
		{ HIDDEN, METHOD_OPEN, 1, true, false, "one lot of two" },
		{ HIDDEN, METHOD_INVITED, 1, true, false, "one lot of two" },
		{ SILENT, METHOD_SINGLE_SOURCE, 1, false, false,
		  "one supplier was asked" },
		{ SILENT, METHOD_OPEN, 2, false, false, "two bids" },
		{ SILENT, METHOD_INVITED, 2, false, false, "two bids" },
		{ SILENT, METHOD_OPEN, 1, false, true, "one bid: it failed" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lot *lot =
			plant_lot(city, cases[i].method, "ABC",
				  plant_day(city, i, ARRAY_SIZE(cases)),
				  cases[i].beside ? 5 : cases[i].n);

		if (cases[i].beside)
			lot = lot_beside(city, lot, lot->bids[0]->bid.price / 2,
					 cases[i].n);
		if (cases[i].failed) {
			lot->award->dropped = true;
			lot->award = lot_step(city, lot, STEP_FAILED,
					      lot->opened + 5400);
		}
		label_bids(city, "single-bid", cases[i].grade, cases[i].note,
			   lot);
	}
}

/*
 * Two bids of one price. What is not: one price in two lots, a fen between
 * them.
 */
static void plant_identical(struct city *city) {
	enum kind { SAME, OTHER_LOT, ONE_FEN };
	static const struct {
		enum grade grade;
		enum kind kind;
		uint8_t n, at; /* bids; the one that repeats the one before */
		const char *note;
	} cases[] = {
		{ PLAIN, SAME, 4, 2, "two losers at one price" },
		{ PLAIN, SAME, 3, 2, "two losers at one price" },
		{ PLAIN, SAME, 5, 2, "two losers at one price" },
		{ PLAIN, SAME, 4, 3, "two losers at one price" },
		{ NEAR, SAME, 8, 7, "the two dearest of eight" },
		{ NEAR, SAME, 7, 6, "the two dearest of seven" },
		{ NEAR, SAME, 9, 8, "the two dearest of nine" },
		{ HIDDEN, SAME, 8, 4, "two in the middle of eight" },
		{ HIDDEN, SAME, 9, 5, "two in the middle of nine" },
		{ HIDDEN, SAME, 8, 3, "two in the middle of eight" },
		{ SILENT, OTHER_LOT, 4, 2, "one price in two lots" },
		{ SILENT, OTHER_LOT, 5, 3, "one price in two lots" },
		{ SILENT, ONE_FEN, 5, 3, "a fen between them" },
		{ SILENT, ONE_FEN, 4, 2, "a fen between them" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned at = cases[i].at;
		struct lot *lot = plant_lot(
			city, METHOD_OPEN, "ABC",
			plant_day(city, i, ARRAY_SIZE(cases)), cases[i].n);
		struct lot *other;

		switch (cases[i].kind) {
		case SAME:
			lot->bids[at]->bid.price = lot->bids[at - 1]->bid.price;
			break;
		case ONE_FEN:
			lot->bids[at]->bid.price =
				lot->bids[at - 1]->bid.price + 1;
			break;
		case OTHER_LOT:
		default:
			other = lot_beside(city, lot,
					   lot->bids[0]->bid.price / 1000 * 980,
					   4);
			other->bids[at]->bid.price = lot->bids[at]->bid.price;
			break;
		}
		reprice(lot, lot->ceiling);
		label_bids(city, "identical-prices", cases[i].grade,
			   cases[i].note, lot);
	}
}

/* The second less than half a per cent above the first, of three or more. */
static void plant_close(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n;
		uint16_t above; /* in hundred thousandths */
		const char *note;
	} cases[] = {
		{ PLAIN, 4, 80, "0.08 % above the first" },
		{ PLAIN, 5, 120, "0.12 % above the first" },
		{ PLAIN, 3, 60, "0.06 % above the first" },
		{ PLAIN, 6, 150, "0.15 % above the first" },
		{ NEAR, 4, 460, "0.46 % above the first" },
		{ NEAR, 5, 480, "0.48 % above the first" },
		{ NEAR, 3, 450, "0.45 % above the first" },
		{ HIDDEN, 8, 310, "0.31 % above, of eight bids" },
		{ HIDDEN, 9, 280, "0.28 % above, of nine bids" },
		{ HIDDEN, 8, 340, "0.34 % above, of eight bids" },
		{ SILENT, 5, 720, "0.72 % above the first" },
		{ SILENT, 4, 660, "0.66 % above the first" },
		{ SILENT, 2, 200, "two bids only" },
		{ SILENT, 2, 150, "two bids only" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lot *lot = plant_lot(
			city, METHOD_OPEN, "ABC",
			plant_day(city, i, ARRAY_SIZE(cases)), cases[i].n);

		lot->bids[1]->bid.price =
			lot->bids[0]->bid.price +
			lot->bids[0]->bid.price / 100000 * cases[i].above;
		label_bids(city, "close-second", cases[i].grade, cases[i].note,
			   lot);
	}
}

/* Forty per cent and more below the ceiling. Hidden: others are low as well. */
static void plant_discount(struct city *city) {
	static const struct {
		enum grade grade;
		uint16_t permille; /* of the ceiling */
		uint16_t second;   /* of the ceiling; 0: as it comes */
		const char *note;
	} cases[] = {
		{ PLAIN, 450, 0, "half the price of the others" },
		{ PLAIN, 485, 0, "half the price of the others" },
		{ PLAIN, 420, 0, "half the price of the others" },
		{ PLAIN, 510, 0, "half the price of the others" },
		{ NEAR, 588, 0, "41 % below the ceiling" },
		{ NEAR, 592, 0, "41 % below the ceiling" },
		{ NEAR, 585, 0, "41 % below the ceiling" },
		{ HIDDEN, 560, 690, "44 % below, the second 31 %" },
		{ HIDDEN, 545, 680, "45 % below, the second 32 %" },
		{ HIDDEN, 570, 700, "43 % below, the second 30 %" },
		{ SILENT, 660, 0, "34 % below the ceiling" },
		{ SILENT, 640, 0, "36 % below the ceiling" },
		{ SILENT, 680, 720, "32 % below, the second 28 %" },
		{ SILENT, 650, 700, "35 % below, the second 30 %" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lot *lot =
			plant_lot(city, METHOD_OPEN, "ABC",
				  plant_day(city, i, ARRAY_SIZE(cases)), 5);

		lot->bids[0]->bid.price =
			lot->ceiling / 1000 * cases[i].permille +
			rng_between(&city->rng, 1, 9999);
		if (cases[i].second)
			lot->bids[1]->bid.price =
				lot->ceiling / 1000 * cases[i].second +
				rng_between(&city->rng, 1, 9999);
		reprice(lot, lot->ceiling);
		label_bids(city, "heavy-discount", cases[i].grade,
			   cases[i].note, lot);
	}
}

/*
 * Prices on a ladder. Published: each step within 2 % of the mean one. What is
 * not: steps that differ by a third, three bids.
 */
static void plant_ladder(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n;
		uint8_t step;   /* permille of the first price */
		uint16_t noise; /* permille of a step, either way */
		bool geometric; /* each is so much above the one before */
		const char *note;
	} cases[] = {
		{ PLAIN, 5, 26, 0, false, "equal steps" },
		{ PLAIN, 4, 30, 0, false, "equal steps" },
		{ PLAIN, 6, 22, 0, false, "equal steps" },
		{ PLAIN, 5, 34, 0, false, "equal steps" },
		{ NEAR, 5, 28, 8, false, "almost equal steps" },
		{ NEAR, 4, 31, 9, false, "almost equal steps" },
		{ NEAR, 6, 24, 7, false, "almost equal steps" },
		{ HIDDEN, 7, 20, 5, true, "equal ratios" },
		{ HIDDEN, 6, 21, 6, true, "equal ratios" },
		{ HIDDEN, 7, 18, 4, true, "equal ratios" },
		{ SILENT, 5, 28, 420, false, "steps that differ" },
		{ SILENT, 6, 25, 400, false, "steps that differ" },
		{ SILENT, 3, 30, 0, false, "three bids are no ladder" },
		{ SILENT, 3, 26, 0, false, "three bids are no ladder" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lot *lot = plant_lot(
			city, METHOD_OPEN, "ABC",
			plant_day(city, i, ARRAY_SIZE(cases)), cases[i].n);
		int64_t first = lot->bids[0]->bid.price;
		int64_t price = first;

		for (unsigned k = 1; k < lot->n_bids; k++) {
			int64_t step = (cases[i].geometric ? price : first) /
				       1000 * cases[i].step;
			/* Up and down in turn: none is by chance the mean. */
			int64_t noise = rng_between(
				&city->rng, cases[i].noise / 2, cases[i].noise);

			price += step + step / 1000 * (k % 2 ? noise : -noise);
			lot->bids[k]->bid.price = price;
		}
		reprice(lot, top_price(lot) / 1000 * 1025);
		label_bids(city, "ladder-prices", cases[i].grade, cases[i].note,
			   lot);
	}
}

/*
 * Prices that hug the ceiling and end on digits that people like. What is not:
 * such digits elsewhere, other digits there, four bids.
 */
static void plant_tails(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n, tails; /* bids; those that end so */
		uint16_t ceiling; /* permille of the dearest one */
		bool other_digits;
		const char *note;
	} cases[] = {
		{ PLAIN, 6, 4, 1002, false, "four of six" },
		{ PLAIN, 7, 5, 1003, false, "five of seven" },
		{ PLAIN, 6, 4, 1002, false, "four of six" },
		{ PLAIN, 7, 5, 1002, false, "five of seven" },
		{ NEAR, 5, 3, 1002, false, "three of five" },
		{ NEAR, 5, 3, 1003, false, "three of five" },
		{ NEAR, 10, 6, 1002, false, "six of ten" },
		{ HIDDEN, 8, 5, 1003, false, "five of eight" },
		{ HIDDEN, 9, 6, 1002, false, "six of nine" },
		{ HIDDEN, 8, 5, 1002, false, "five of eight" },
		{ SILENT, 6, 4, 1060, false, "far below the ceiling" },
		{ SILENT, 6, 4, 1002, true, "other digits" },
		{ SILENT, 4, 2, 1003, false, "two of four" },
		{ SILENT, 7, 3, 1050, false, "three of seven, far below" },
	};
	static const int32_t tails[] = { 88888, 99999, 66666, 0, 50050 };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned n = cases[i].n;
		struct lot *lot =
			plant_lot(city, METHOD_OPEN, "ABC",
				  plant_day(city, i, ARRAY_SIZE(cases)), n);
		int64_t first = lot->bids[0]->bid.price;

		/* The others clearly below, and not a ladder. */
		for (unsigned k = 1; k < n; k++) {
			unsigned tail = k + cases[i].tails - n;
			int64_t price = first / 1000 *
					(1012 + 13 * (int64_t)k + k % 3 * 5);

			if (k + cases[i].tails >= n) {
				price = first / 100000 *
					(113000 + 130 * (int64_t)tail +
					 tail % 2 * 90);
				price = price / 100000 * 100000 +
					tails[(tail + i) % ARRAY_SIZE(tails)];
				if (cases[i].other_digits)
					price += 1137 + 411 * (int64_t)k;
			}
			lot->bids[k]->bid.price = price;
		}
		reprice(lot, top_price(lot) / 1000 * cases[i].ceiling);
		label_bids(city, "tail-digits", cases[i].grade, cases[i].note,
			   lot);
	}
}

/*
 * The winner came after the deadline. Hidden: its time is written in UTC, and
 * so looks earlier. What is not: a loser that was late, a deadline that was put
 * off in time.
 */
static void plant_late(struct city *city) {
	enum kind { WINNER, LOSER, PUT_OFF };
	static const struct {
		enum grade grade;
		enum kind kind;
		int32_t late; /* seconds after the deadline */
		bool zulu;
		const char *note;
	} cases[] = {
		{ PLAIN, WINNER, 9000, false, "two and a half hours late" },
		{ PLAIN, WINNER, 5400, false, "an hour and a half late" },
		{ PLAIN, WINNER, 64800, false, "almost a day late" },
		{ PLAIN, WINNER, 3700, false, "an hour late" },
		{ NEAR, WINNER, 45, false, "less than a minute late" },
		{ NEAR, WINNER, 95, false, "a minute and a half late" },
		{ NEAR, WINNER, 20, false, "twenty seconds late" },
		{ HIDDEN, WINNER, 1500, true, "late, written in UTC" },
		{ HIDDEN, WINNER, 700, true, "late, written in UTC" },
		{ HIDDEN, WINNER, 2600, true, "late, written in UTC" },
		{ SILENT, LOSER, 1800, false, "a loser was late" },
		{ SILENT, LOSER, 240, false, "a loser was late" },
		{ SILENT, PUT_OFF, -86400, false, "the deadline was put off" },
		{ SILENT, WINNER, -600, true, "in time, written in UTC" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lot *lot =
			plant_lot(city, METHOD_OPEN, "ABC",
				  plant_day(city, i, ARRAY_SIZE(cases)), 4);
		struct bid *bid =
			&lot->bids[cases[i].kind == LOSER ? 2 : 0]->bid;

		bid->submitted = lot->deadline + cases[i].late;
		bid->zulu = cases[i].zulu;
		if (lot->opened < bid->submitted + 600) {
			lot->opened = bid->submitted + 600;
			lot->opening->at = lot->opened;
			for (unsigned k = 0; k < lot->n_bids; k++)
				lot->bids[k]->at = lot->opened;
		}
		if (cases[i].kind == PUT_OFF) {
			lot->published->at -= 7 * DAY;
			lot->published->tender.deadline =
				lot->deadline - 4 * DAY;
			lot_step(city, lot, STEP_AMENDED,
				 lot->published->at + 9 * DAY)
				->tender.substantive = true;
		}
		label_bids(city, "late-bid-won", cases[i].grade, cases[i].note,
			   lot);
	}
}

void plant_bids(struct city *city) {
	plant_single(city);
	plant_identical(city);
	plant_close(city);
	plant_discount(city);
	plant_ladder(city);
	plant_tails(city);
	plant_late(city);
}
