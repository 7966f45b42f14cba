/* Cases of who wins, and for what. */
#include "tool/city/plant.h"

#include "base/calendar.h"
#include "base/util.h"

#include <assert.h>
#include <string.h>

/* A price is a price of a market: some awards of the item in the year before.
 */
#define PEERS 14u

static void ensure_market(struct city *city, const struct unit *unit,
			  unsigned item, int64_t day) {
	int64_t first = day - 340;
	unsigned n = 0;

	if (first <= city->first_day)
		first = city->first_day + 1;
	for (uint32_t i = 0; i < city->n; i++) {
		const struct event *event = city->events[i];

		n += event->stream == AWARDS && event->award.item == item &&
		     event->award.buyer->region == unit->region &&
		     event->at >= start_of(first) && event->at < start_of(day);
	}
	while (n < PEERS) {
		const struct unit *buyer =
			&city->units[rng_below(&city->rng, N_UNITS)];

		if (buyer->region != unit->region ||
		    city->reserve[buyer->number - 1][items[item].category] !=
			    FREE)
			continue;
		item_award(city, buyer, item,
			   workday_after(
				   city,
				   rng_between(&city->rng, first, day - 3), 0));
		n++;
	}
}

/*
 * A unit price far above, or far below, what the item costs in the region.
 * Hidden: where all prices are high (low). What is not: a dear region itself,
 * a fifth more.
 */
static void plant_price(struct city *city) {
	static const struct {
		enum grade grade;
		const char *rule;
		uint8_t region;    /* 0: any */
		uint16_t permille; /* of the usual price of the region */
		const char *note;
	} cases[] = {
		{ PLAIN, "price-above-market", 0, 2100, "twice the usual" },
		{ PLAIN, "price-above-market", 0, 1900, "almost twice" },
		{ PLAIN, "price-above-market", 0, 2400, "more than twice" },
		{ PLAIN, "price-above-market", 0, 1800, "almost twice" },
		{ NEAR, "price-above-market", 0, 1420, "two fifths more" },
		{ NEAR, "price-above-market", 0, 1440, "two fifths more" },
		{ NEAR, "price-above-market", 0, 1430, "two fifths more" },
		{ HIDDEN, "price-above-market", 4, 1480, "where all is cheap" },
		{ HIDDEN, "price-above-market", 4, 1500, "where all is cheap" },
		{ HIDDEN, "price-above-market", 4, 1520, "where all is cheap" },
		{ SILENT, "price-above-market", 5, 1090, "where all is dear" },
		{ SILENT, "price-above-market", 5, 1110, "where all is dear" },
		{ SILENT, "price-above-market", 0, 1180, "a sixth more" },
		{ SILENT, "price-above-market", 0, 1160, "a sixth more" },
		{ PLAIN, "price-below-market", 0, 380, "two fifths of it" },
		{ PLAIN, "price-below-market", 0, 420, "two fifths of it" },
		{ PLAIN, "price-below-market", 0, 350, "a third of it" },
		{ PLAIN, "price-below-market", 0, 450, "less than a half" },
		{ NEAR, "price-below-market", 0, 610, "three fifths of it" },
		{ NEAR, "price-below-market", 0, 600, "three fifths of it" },
		{ NEAR, "price-below-market", 0, 620, "three fifths of it" },
		{ HIDDEN, "price-below-market", 5, 560, "where all is dear" },
		{ HIDDEN, "price-below-market", 5, 580, "where all is dear" },
		{ HIDDEN, "price-below-market", 5, 570, "where all is dear" },
		{ SILENT, "price-below-market", 4, 900, "where all is cheap" },
		{ SILENT, "price-below-market", 4, 910, "where all is cheap" },
		{ SILENT, "price-below-market", 0, 850, "a seventh less" },
		{ SILENT, "price-below-market", 0, 860, "a seventh less" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t day = plant_day(city, i % 14, 14);
		unsigned item;
		struct unit *unit;
		struct event *event;
		struct label *label;

		do {
			unit = &city->units[rng_below(&city->rng, N_UNITS)];
			item = rng_below(&city->rng, N_ITEMS);
		} while (
			(cases[i].region && unit->region != cases[i].region) ||
			city->reserve[unit->number - 1][items[item].category] !=
				FREE);
		ensure_market(city, unit, item, day);
		event = item_award(city, unit, item, day);
		award_price(event, item_price(unit, item, day) / 1000 *
					   cases[i].permille);
		label = label_add(city, cases[i].rule, cases[i].grade,
				  cases[i].note, event, event);
		label_id(label, "award_no", event);
	}
}

/* A lot that is won by @winner. */
static struct lot *won_by(struct city *city, struct pair pair, int64_t day,
			  const struct party *winner, unsigned n_bids) {
	struct wish wish = {
		.unit = pair.unit,
		.category = pair.category,
		.method = n_bids % 2 ? METHOD_CONSULTATION : METHOD_NEGOTIATION,
		.award_day = workday_after(city, day, 0),
		.winner = winner,
		.n_bids = n_bids,
	};
	struct lot *lot = lot_make(city, &wish);

	assert(lot);
	return lot;
}

/* A winner that was founded less than a year before. */
static void plant_new_company(struct city *city) {
	static const struct {
		enum grade grade;
		uint16_t age;   /* days */
		uint16_t known; /* days before the award it was registered */
		const char *note;
	} cases[] = {
		{ PLAIN, 45, 30, "six weeks old" },
		{ PLAIN, 90, 70, "three months old" },
		{ PLAIN, 130, 100, "four months old" },
		{ PLAIN, 70, 40, "ten weeks old" },
		{ NEAR, 361, 330, "not quite a year old" },
		{ NEAR, 358, 340, "not quite a year old" },
		{ NEAR, 355, 320, "not quite a year old" },
		{ HIDDEN, 210, 190, "its record was changed since" },
		{ HIDDEN, 260, 230, "its record was changed since" },
		{ HIDDEN, 300, 270, "its record was changed since" },
		{ SILENT, 372, 340, "a little more than a year old" },
		{ SILENT, 380, 350, "a little more than a year old" },
		{ SILENT, 4200, 25, "old, and registered lately" },
		{ SILENT, 3100, 40, "old, and registered lately" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair pair = free_pair(city, "ABC");
		int64_t day = workday_after(
			city, plant_day(city, i, ARRAY_SIZE(cases)) + 14, 0);
		struct party *winner =
			party_new(city, categories[pair.category].trade,
				  day - cases[i].age,
				  start_of(day - cases[i].known) + 36000);
		struct lot *lot = won_by(city, pair, day, winner, 4);
		struct label *label;

		if (cases[i].grade == HIDDEN)
			party_record(city, winner, start_of(day - 20) + 39600);
		label = label_add(city, "new-company", cases[i].grade,
				  cases[i].note, lot->award, lot->award);
		label_id(label, "award_no", lot->award);
	}
}

/*
 * A winner that is debarred on the day of the award, both days inclusive.
 * Hidden: a later record of it says so still. What is not: the day before and
 * the day after; one that was lifted; a loser.
 */
static void plant_debarred(struct city *city) {
	enum kind { WINNER, CHANGED, LIFTED, LOSER };
	static const struct {
		enum grade grade;
		enum kind kind;
		int16_t from, until; /* days, from the award's on */
		const char *note;
	} cases[] = {
		{ PLAIN, WINNER, -120, 600, "debarred since months" },
		{ PLAIN, WINNER, -60, 305, "debarred since two months" },
		{ PLAIN, WINNER, -200, 160, "debarred since months" },
		{ PLAIN, WINNER, -30, 700, "debarred since a month" },
		{ NEAR, WINNER, 0, 365, "on its first day" },
		{ NEAR, WINNER, -365, 0, "on its last day" },
		{ NEAR, WINNER, -180, 0, "on its last day" },
		{ HIDDEN, CHANGED, -90, 275, "the record was changed since" },
		{ HIDDEN, CHANGED, -150, 215, "the record was changed since" },
		{ HIDDEN, CHANGED, -70, 295, "the record was changed since" },
		{ SILENT, WINNER, 1, 366, "from the next day on" },
		{ SILENT, WINNER, -366, -1, "until the day before" },
		{ SILENT, LIFTED, -100, 265, "lifted a month before" },
		{ SILENT, LOSER, -100, 265, "a loser is debarred" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair pair = free_pair(city, "ABC");
		unsigned trade = categories[pair.category].trade;
		int64_t day = workday_after(
			city, plant_day(city, i, ARRAY_SIZE(cases)) + 14, 0);
		int64_t from = day + cases[i].from;
		const struct party *party = party_old(city, trade);
		struct lot *lot = won_by(city, pair, day,
					 cases[i].kind == LOSER
						 ? any_supplier(city, trade)
						 : party,
					 5);
		struct event *record = party_record(
			city, party,
			start_of((from < day ? from : day) - 3) + 36000);
		struct label *label;

		record->party.debarred_from = from;
		record->party.debarred_until = day + cases[i].until;
		if (cases[i].kind == CHANGED)
			party_record(city, party, start_of(day - 15) + 36000)
				->party = record->party;
		if (cases[i].kind == LIFTED)
			party_record(city, party, start_of(day - 30) + 36000);
		if (cases[i].kind == LOSER)
			lot->bids[2]->bid.bidder = party;
		label = label_add(city, "debarred-winner", cases[i].grade,
				  cases[i].note, lot->award, lot->award);
		label_id(label, "award_no", lot->award);
	}
}

void plant_awards(struct city *city) {
	plant_price(city);
	plant_new_company(city);
	plant_debarred(city);
}

/*
 * Some awards of one buyer and category, by a pattern of who wins: capital
 * letters are those of the case, each one supplier; others are others.
 */
static void plant_pattern(struct city *city, struct pair pair,
			  const char *pattern, const struct party **winners,
			  unsigned n_bids, const struct event **first,
			  const struct event **last) {
	unsigned trade = categories[pair.category].trade;
	size_t n = strlen(pattern);
	int64_t begin = day_in(202502, 3);

	for (size_t i = 0; i < n; i++) {
		char who = pattern[i];
		int64_t day = begin + (int64_t)i * 310 / (int64_t)n +
			      rng_between(&city->rng, 0, 12);
		const struct party *winner =
			who >= 'A' && who <= 'Z' ? winners[who - 'A']
						 : any_supplier(city, trade);
		const struct lot *lot = won_by(
			city, pair, day, winner,
			who == 'A' ? n_bids : 4 + rng_below(&city->rng, 4));

		*first = *first ? *first : lot->award;
		*last = lot->award;
	}
}

/* One supplier wins most of a buyer's tenders of one kind. */
static void plant_repeat(struct city *city) {
	static const struct {
		enum grade grade;
		const char *pattern;
		uint8_t bidders; /* when it wins */
		const char *level;
		const char *note;
	} cases[] = {
		{ PLAIN, "AAbAAAcAA", 3, "orange", "always among three" },
		{ PLAIN, "AbAAAAcAd", 3, "orange", "always among three" },
		{ PLAIN, "AAAbAAAcA", 3, "orange", "always among three" },
		{ PLAIN, "bAAAAAcAA", 6, "orange", "five in a row" },
		{ NEAR, "AAbAcAdA", 6, NULL, "five of eight" },
		{ NEAR, "AbAAcAdA", 7, NULL, "five of eight" },
		{ NEAR, "AAbAAcAd", 5, NULL, "five of eight" },
		{ HIDDEN, "AAbAAcAdA", 6, "yellow", "most of the tenders" },
		{ HIDDEN, "AbAAcAAdA", 7, "yellow", "most of the tenders" },
		{ HIDDEN, "bAAcAAdAA", 7, "yellow", "most of the tenders" },
		{ SILENT, "AbAcdAeAf", 4, NULL, "less than half of them" },
		{ SILENT, "AAAAA", 4, NULL, "five tenders are too few" },
		{ SILENT, "AAbAc", 4, NULL, "five tenders are too few" },
		{ SILENT, "AbcAdeAfg", 4, NULL, "a third of the tenders" },
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair pair = take_pair(city, "ABC", false);
		const struct party *winner =
			party_old(city, categories[pair.category].trade);
		const struct event *first = NULL, *last = NULL;
		struct label *label;

		plant_pattern(city, pair, cases[i].pattern, &winner,
			      cases[i].bidders, &first, &last);
		label = label_add(city, "repeat-winner", cases[i].grade,
				  cases[i].note, first, last);
		label->level = cases[i].level;
		label_text(label, "buyer", pair.unit->code);
		label_text(label, "category", categories[pair.category].code);
		label_text(label, "supplier", winner->id);
	}
}

/*
 * Two or three take turns over ten awards and more. What is not: four and more
 * winners, nine awards, each for a while.
 */
static void plant_rotation(struct city *city) {
	static const struct {
		enum grade grade;
		const char *pattern;
		const char *note;
	} cases[] = {
		{ PLAIN, "ABABABABABAB", "two in turn" },
		{ PLAIN, "ABCABCABCABC", "three in turn" },
		{ PLAIN, "BABABABABABA", "two in turn" },
		{ PLAIN, "CABCABCABCAB", "three in turn" },
		{ NEAR, "ABCABCABCA", "three in turn, ten awards" },
		{ NEAR, "ABABABABAB", "two in turn, ten awards" },
		{ NEAR, "BCABCABCAB", "three in turn, ten awards" },
		{ HIDDEN, "ABCBACABBCAC", "three, in no order" },
		{ HIDDEN, "ACBACCBABCAB", "three, in no order" },
		{ HIDDEN, "BACABCCBACAB", "three, in no order" },
		{ SILENT, "ABCDEABECDEB", "five win" },
		{ SILENT, "ABCDaCbBDAcd", "many win" },
		{ SILENT, "AABBCCAABBCC", "each twice in a row" },
		{ SILENT, "ABABABABA", "nine awards" },
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair pair = take_pair(city, "ABC", false);
		const struct party *winners[5];
		const struct event *first = NULL, *last = NULL;
		struct label *label;

		for (unsigned n = 0; n < ARRAY_SIZE(winners); n++)
			winners[n] = party_old(city,
					       categories[pair.category].trade);
		plant_pattern(city, pair, cases[i].pattern, winners, 5, &first,
			      &last);
		label = label_add(city, "rotation", cases[i].grade,
				  cases[i].note, first, last);
		label_text(label, "buyer", pair.unit->code);
		label_text(label, "category", categories[pair.category].code);
	}
}

/*
 * Ten and more awards of one buyer to one supplier, of many kinds. What is not:
 * seven, or as many of several buyers.
 */
static void plant_many(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n;
		bool buyers; /* each of another buyer */
		const char *note;
	} cases[] = {
		{ PLAIN, 16, false, "sixteen awards" },
		{ PLAIN, 14, false, "fourteen awards" },
		{ PLAIN, 18, false, "eighteen awards" },
		{ PLAIN, 15, false, "fifteen awards" },
		{ NEAR, 10, false, "ten awards" },
		{ NEAR, 10, false, "ten awards" },
		{ NEAR, 11, false, "eleven awards" },
		{ HIDDEN, 12, false, "twelve awards, in a consortium" },
		{ HIDDEN, 13, false, "thirteen awards, in a consortium" },
		{ HIDDEN, 12, false, "twelve awards, in a consortium" },
		{ SILENT, 6, false, "six awards" },
		{ SILENT, 7, false, "seven awards" },
		{ SILENT, 14, true, "of fourteen buyers" },
		{ SILENT, 16, true, "of sixteen buyers" },
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit *unit = &city->units[(i * 13 + 5) % N_UNITS];
		const struct party *winner = party_old(city, i % N_TRADES);
		const struct event *first = NULL, *last = NULL;
		struct label *label;

		for (unsigned n = 0; n < cases[i].n; n++) {
			struct pair pair;
			struct lot *lot;

			do
				pair = free_pair(city, "ABC");
			while (!cases[i].buyers && pair.unit != unit);
			lot = won_by(city, pair,
				     day_in(202502, 3) +
					     (int64_t)n * 320 / cases[i].n,
				     winner, 3 + rng_below(&city->rng, 4));
			if (cases[i].grade == HIDDEN)
				lot->award->award.member =
					any_supplier(city, winner->trade);
			first = first ? first : lot->award;
			last = lot->award;
		}
		label = label_add(city, "many-awards", cases[i].grade,
				  cases[i].note, first, last);
		label_text(label, "buyer",
			   cases[i].buyers ? last->award.buyer->code
					   : unit->code);
		label_text(label, "supplier", winner->id);
	}
}

/*
 * A market of one region and category that few share: in a quarter more than
 * twenty awards, and a sum of squared shares above a quarter. What is not: many
 * who share it, a dozen awards.
 */
static void plant_markets(struct city *city) {
	static const struct {
		enum grade grade;
		uint8_t n;
		uint8_t shares[4]; /* per cent of the awards, of the great */
		const char *note;
	} cases[] = {
		{ PLAIN, 28, { 72 }, "one has most of it" },
		{ PLAIN, 26, { 68, 12 }, "one has most of it" },
		{ PLAIN, 30, { 75 }, "one has most of it" },
		{ PLAIN, 27, { 64, 16 }, "one has most of it" },
		{ NEAR, 24, { 48, 24 }, "one has almost a half" },
		{ NEAR, 26, { 50, 20 }, "one has a half" },
		{ NEAR, 25, { 46, 28 }, "one has almost a half" },
		{ HIDDEN, 28, { 36, 32, 24 }, "three share it" },
		{ HIDDEN, 30, { 38, 30, 25 }, "three share it" },
		{ HIDDEN, 26, { 42, 40 }, "two share it" },
		{ SILENT, 28, { 20, 18, 12, 8 }, "many share it" },
		{ SILENT, 26, { 22, 15, 15, 10 }, "many share it" },
		{ SILENT, 11, { 75 }, "eleven awards" },
		{ SILENT, 12, { 70 }, "twelve awards" },
	};
	static const int months[] = { 202504, 202507, 202510 };

	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned u, category = 0;
		const struct party *great[4];
		uint8_t given[4] = { 0 };
		const struct event *first = NULL, *last = NULL;
		struct label *label;
		int month = months[i % 3];

		for (u = i % N_REGIONS, category = 0;
		     city->reserve[u][category] != RESERVED_MARKET;)
			category = (category + 1) % N_CATEGORIES;
		for (unsigned k = u; k < N_UNITS; k += N_REGIONS)
			city->reserve[k][category] = RESERVED_USED;
		for (unsigned k = 0; k < 4; k++)
			great[k] = party_old(city, categories[category].trade);
		for (unsigned n = 0; n < cases[i].n; n++) {
			struct pair pair = {
				&city->units[u + N_REGIONS * (n % 8)], category
			};
			const struct party *winner =
				any_supplier(city, categories[category].trade);
			struct wish wish = {
				.unit = pair.unit,
				.category = category,
				.method = METHOD_NEGOTIATION,
				.award_day = workday_after(
					city,
					day_in(month, 3) +
						(int64_t)n * 84 / cases[i].n,
					0),
				/* Alike, so that money is as awards are. */
				.price = rng_between(&city->rng, 55000000,
						     65000000),
			};
			const struct lot *lot;

			/* Whoever is furthest behind its share. */
			for (unsigned k = 0; k < 4; k++)
				if (given[k] * 100u <
				    cases[i].shares[k] * (n + 1u)) {
					winner = great[k];
					given[k]++;
					break;
				}
			wish.winner = winner;
			lot = lot_make(city, &wish);
			first = first ? first : lot->award;
			last = lot->award;
		}
		label = label_add(city, "market-concentration", cases[i].grade,
				  cases[i].note, first, last);
		label_text(label, "region", city_text(city, "99010%u", u + 1));
		label_text(label, "category", categories[category].code);
		label->until = start_of(day_in(month + 3, 1) + 2);
		if (month == 202510)
			label->until = start_of(city->end_day + 2);
	}
}

void plant_winners(struct city *city) {
	plant_repeat(city);
	plant_rotation(city);
	plant_many(city);
	plant_markets(city);
}
