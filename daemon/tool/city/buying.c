/*
 * Purchases: orders, tenders with their bids and awards, contracts.
 *
 * A contract is made from what was paid under it, and its tender from the
 * contract, so that ordinary contracts are kept and ordinary winners are the
 * cheapest. Other tenders and orders come on top.
 */
#include "tool/city/city.h"

#include "base/calendar.h"
#include "base/util.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What cases use nobody else uses: so many categories of each unit … */
#define PAIRS_A_UNIT 6
/* … and so many categories in all of a region. */
#define MARKETS_A_REGION 3

static unsigned some_reservable(struct city *city, const struct unit *unit) {
	unsigned category;

	do
		category = rng_below(&city->rng, N_CATEGORIES);
	while (categories[category].class ||
	       city->reserve[unit->number - 1][category] != FREE);
	return category;
}

void buying_reserve(struct city *city) {
	for (unsigned i = 0; i < N_REGIONS * MARKETS_A_REGION; i++) {
		unsigned region = i % N_REGIONS;
		unsigned category = some_reservable(city, &city->units[region]);

		for (unsigned u = region; u < N_UNITS; u += N_REGIONS)
			city->reserve[u][category] = RESERVED_MARKET;
	}
	for (unsigned i = 0; i < N_UNITS * PAIRS_A_UNIT; i++) {
		unsigned u = i % N_UNITS;

		city->reserve[u][some_reservable(city, &city->units[u])] =
			RESERVED_PAIR;
	}
	city->wins = arena_alloc(&city->arena,
				 (size_t)N_UNITS * N_CATEGORIES * PER_TRADE);
}

int64_t tender_limit(unsigned category, int64_t day) {
	if (categories[category].code[0] == 'B')
		return 4000000 * YUAN;
	return (day < days_from_civil(2025, 7, 1) ? 2000000 : 2500000) * YUAN;
}

/* Days between announcement and deadline that the regulations ask for. */
static unsigned notice_days(enum method method) {
	return method == METHOD_OPEN ? 20 : 10;
}

/* Nobody wins three times of one buyer but where it is planted. */
static const struct party *
fair_winner(struct city *city, const struct unit *unit, unsigned category) {
	for (;;) {
		const struct party *party =
			any_supplier(city, categories[category].trade);
		uint8_t *wins =
			&city->wins[((unit->number - 1u) * N_CATEGORIES +
				     category) *
					    PER_TRADE +
				    party->nth];

		if (*wins >= 2)
			continue;
		++*wins;
		return party;
	}
}

struct event *lot_step(struct city *city, struct lot *lot,
		       enum tender_step step, int64_t at) {
	struct event *event = city_add(city, TENDERS, at);

	event->tender.lot = lot;
	event->tender.step = (uint8_t)step;
	if (step == STEP_PUBLISHED || step == STEP_AMENDED)
		event->tender.deadline = lot->deadline;
	return event;
}

/* The day on which a tender that is opened on @opening is announced. */
static int64_t announce_on(struct city *city, enum method method,
			   int64_t opening) {
	unsigned notice = notice_days(method);
	int64_t day;

	if (method == METHOD_SINGLE_SOURCE)
		return workday_after(city, opening,
				     -7 - (int)rng_below(&city->rng, 4));
	day = opening - notice - 2 - rng_below(&city->rng, notice / 2);
	if (day < city->first_day)
		return day;
	if (opening - workday_after(city, day, 0) <= notice)
		return workday_after(city, day, -1);
	return workday_after(city, day, 0);
}

static struct lot *lot_begin(struct city *city, const struct wish *wish) {
	struct lot *lot = arena_new(&city->arena, struct lot);
	int64_t opening = workday_after(city, wish->award_day,
					-2 - (int)rng_below(&city->rng, 6));
	int64_t announced;

	*lot = (struct lot){
		.buyer = wish->unit,
		.category = (uint8_t)wish->category,
		.method = (uint8_t)wish->method,
		.number = 1,
	};
	if (wish->beside) {
		const struct lot *beside = wish->beside;

		lot->tender = beside->tender;
		lot->number = (uint8_t)(beside->number + 1);
		lot->announced = beside->announced;
		lot->deadline = beside->deadline;
		lot->opened = beside->opened;
		return lot;
	}
	announced = announce_on(city, wish->method, opening);
	/* What lies before is the first working day. */
	if (announced <= city->workdays[0])
		return NULL;
	lot->tender = arena_new(&city->arena, struct tender);
	lot->announced = office_time(city, announced);
	lot->deadline = start_of(opening) + (rng_chance(&city->rng, 5000)
						     ? 9 * 3600 + 1800
						     : 14 * 3600 + 1800);
	lot->opened = lot->deadline + rng_between(&city->rng, 0, 900);
	return lot;
}

/*
 * How far each bid is above the cheapest one, in ten thousandths. Honest bids
 * lie neither close to the first nor on a ladder.
 */
static void draw_gaps(struct city *city, uint32_t *gaps, unsigned n) {
	for (;;) {
		uint64_t sum = 0, squares = 0;

		for (unsigned i = 0; i < n; i++) {
			gaps[i] = 50 + rng_below(&city->rng, 220) +
				  (rng_chance(&city->rng, 4000)
					   ? rng_below(&city->rng, 400)
					   : 0);
			sum += gaps[i];
		}
		if (gaps[0] < 110 || sum > 1900)
			continue;
		for (unsigned i = 0; i < n; i++)
			squares += (uint64_t)gaps[i] * gaps[i];
		/* variance of the gaps at least a sixth of their mean² */
		if (n < 3 || squares * n >= sum * sum + sum * sum / 6)
			return;
	}
}

static void lot_bids(struct city *city, struct lot *lot,
		     const struct wish *wish, const struct party *winner) {
	uint32_t gaps[MAX_BIDS];
	int64_t price = wish->price;
	unsigned trade = categories[lot->category].trade;
	unsigned rank = 0;

	lot->n_bids = wish->n_bids ? wish->n_bids
		      : lot->method == METHOD_SINGLE_SOURCE
			      ? 1
			      : 3 + rng_below(&city->rng, 6);
	assert(lot->n_bids <= MAX_BIDS);
	if (lot->n_bids > 1)
		draw_gaps(city, gaps, lot->n_bids - 1);
	for (; rank < lot->n_bids; rank++) {
		struct event *event = city_add(city, BIDS, lot->opened);
		const struct party *bidder = winner;
		unsigned again = rank;

		while (again) {
			bidder = any_supplier(city, trade);
			for (again = rank; again; again--)
				if (lot->bids[again - 1]->bid.bidder == bidder)
					break;
			if (!again)
				break;
		}
		if (rank)
			price += wish->price / 10000 * gaps[rank - 1] +
				 rng_between(&city->rng, 0, 9999);
		event->bid = (struct bid){
			.lot = lot,
			.bidder = bidder,
			.price = price,
			.submitted = lot->deadline -
				     rng_between(&city->rng, 1200, 4 * DAY),
		};
		lot->bids[rank] = event;
	}
	lot->ceiling = price / 1000 * rng_between(&city->rng, 1018, 1055) /
		       (100 * YUAN) * (100 * YUAN);
	if (lot->ceiling < price)
		lot->ceiling = price + 100 * YUAN;
}

static void lot_award(struct city *city, struct lot *lot, int64_t day) {
	const struct bid *won = &lot->bids[0]->bid;
	struct event *event = city_add(city, AWARDS, office_time(city, day));

	event->award = (struct award){
		.lot = lot,
		.buyer = lot->buyer,
		.supplier = won->bidder,
		.amount = won->price,
		.category = lot->category,
		.method = lot->method,
		.bidders = (uint8_t)lot->n_bids,
		.item = NO_ITEM,
	};
	if (lot->n_bids > 3 && categories[lot->category].code[0] == 'B' &&
	    rng_chance(&city->rng, 600))
		event->award.member =
			any_supplier(city, categories[lot->category].trade);
	lot->award = event;
}

static int64_t ordinary_price(struct city *city, unsigned category,
			      enum method method, int64_t day) {
	int64_t limit = tender_limit(category, day);
	int64_t price;

	if (method == METHOD_OPEN)
		return rng_scaled(&city->rng, limit * 21 / 20, limit * 2);
	if (method == METHOD_SINGLE_SOURCE)
		price = rng_scaled(&city->rng, limit / 40, limit / 8);
	else if (method == METHOD_INQUIRY)
		price = rng_scaled(&city->rng, limit / 15, limit * 2 / 5);
	else
		price = rng_scaled(&city->rng, limit / 10, limit * 9 / 10);
	return price + rng_between(&city->rng, 0, 9999);
}

struct lot *lot_make(struct city *city, const struct wish *wish) {
	struct wish full = *wish;
	const struct party *winner = wish->winner;
	struct lot *lot;

	if (full.method == METHOD_BY_VALUE)
		full.method = full.price >= tender_limit(full.category,
							 full.award_day)
				      ? METHOD_OPEN
				      : METHOD_NEGOTIATION;
	lot = lot_begin(city, &full);
	if (!lot)
		return NULL;
	if (!full.price)
		full.price = ordinary_price(city, full.category, full.method,
					    full.award_day);
	if (!winner)
		winner = fair_winner(city, full.unit, full.category);
	city->lots = city_grow(city->lots, city->n_lots, &city->cap_lots);
	city->lots[city->n_lots++] = lot;
	lot->published = lot_step(city, lot, STEP_PUBLISHED, lot->announced);
	lot->opening = lot_step(city, lot, STEP_OPENED, lot->opened);
	lot_bids(city, lot, &full, winner);
	lot_award(city, lot, full.award_day);
	if (full.contract)
		lot->contract = contract_make(
			city, lot->buyer, winner, lot->category,
			lot->award->award.amount,
			office_time(city,
				    workday_after(city, full.award_day,
						  4 + (int)rng_below(&city->rng,
								     10))));
	if (lot->contract)
		lot->contract->award = lot->award;
	return lot;
}

struct event *order_make(struct city *city, const struct unit *unit,
			 unsigned category, const struct party *supplier,
			 enum method method, int64_t amount, int64_t day) {
	struct event *event = city_add(city, ORDERS, office_time(city, day));

	event->order = (struct order){
		.buyer = unit,
		.supplier = supplier,
		.category = (uint8_t)category,
		.method = (uint8_t)method,
		.amount = amount,
	};
	return event;
}

struct contract *contract_make(struct city *city, const struct unit *buyer,
			       const struct party *supplier, unsigned category,
			       int64_t value, int64_t at) {
	struct contract *contract = arena_new(&city->arena, struct contract);

	*contract = (struct contract){
		.buyer = buyer,
		.supplier = supplier,
		.category = (uint8_t)category,
		.value = value,
	};
	contract->begin =
		contract_step(city, contract, CONTRACT_SIGNED, at, value);
	city->contracts = city_grow(city->contracts, city->n_contracts,
				    &city->cap_contracts);
	city->contracts[city->n_contracts++] = contract;
	return contract;
}

struct event *contract_step(struct city *city, struct contract *contract,
			    enum contract_step step, int64_t at,
			    int64_t amount) {
	struct event *event = city_add(city, CONTRACTS, at);

	contract->amended |= step == CONTRACT_AMENDED;
	event->contract = (struct contract_event){
		.contract = contract,
		.step = (uint8_t)step,
		.amount = amount,
	};
	return event;
}

/* prices of items */

int64_t item_price(const struct unit *unit, unsigned item, int64_t day) {
	static const uint8_t regions[N_REGIONS] = { 100, 97, 103, 94, 108 };
	int month = month_of(day);
	int months = (month / 100 - 2024) * 12 + month % 100 - 1;

	return items[item].level * (YUAN / 100) * regions[unit->region - 1] *
	       (1000 + 4 * months) / 1000;
}

void award_price(struct event *award, int64_t unit_price) {
	award->award.unit_price = unit_price;
	award->award.amount = unit_price * award->award.quantity;
}

static uint32_t some_quantity(struct city *city, int64_t unit_price) {
	int64_t n = rng_scaled(&city->rng, 60000 * YUAN, 600000 * YUAN) /
		    unit_price;

	return n ? (uint32_t)n : 1;
}

static int64_t ordinary_unit_price(struct city *city, const struct unit *unit,
				   unsigned item, int64_t day) {
	return item_price(unit, item, day) *
		       rng_between(&city->rng, 930, 1070) / 1000 +
	       rng_between(&city->rng, 0, 99);
}

/* Three quotations were asked for; there is no tender. */
struct event *item_award(struct city *city, const struct unit *unit,
			 unsigned item, int64_t day) {
	unsigned category = items[item].category;
	struct event *event = city_add(city, AWARDS, office_time(city, day));

	event->award = (struct award){
		.buyer = unit,
		.supplier = fair_winner(city, unit, category),
		.category = (uint8_t)category,
		.method = METHOD_INQUIRY,
		.bidders = (uint8_t)rng_between(&city->rng, 3, 5),
		.item = (uint8_t)item,
	};
	event->award.quantity =
		some_quantity(city, item_price(unit, item, day));
	award_price(event, ordinary_unit_price(city, unit, item, day));
	return event;
}

/* ordinary life */

static void order_after(struct city *city, const struct event *award,
			int64_t day) {
	order_make(city, award->award.buyer, award->award.category,
		   award->award.supplier, (enum method)award->award.method,
		   award->award.amount, day);
}

static unsigned category_of(struct city *city, const struct line *line) {
	const char *class = classes[line->class].code;
	unsigned category;

	do
		category = rng_below(&city->rng, N_CATEGORIES);
	while (!categories[category].class ||
	       strcmp(categories[category].class, class) != 0);
	return category;
}

/* A contract under which all @n payments were made, and its tender. */
static void contract_of(struct city *city, struct event **payments,
			unsigned n) {
	const struct line *line = payments[0]->payment.line;
	unsigned category = category_of(city, line);
	const struct party *supplier = fair_winner(city, line->unit, category);
	int64_t begin = day_of(payments[0]->at);
	int64_t day =
		workday_after(city, begin, -8 - (int)rng_below(&city->rng, 12));
	struct wish wish = {
		.unit = line->unit,
		.category = category,
		.method = METHOD_BY_VALUE,
		.winner = supplier,
		.award_day = workday_after(city, day,
					   -4 - (int)rng_below(&city->rng, 8)),
	};
	struct contract *contract;
	struct lot *lot;
	int64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += payments[i]->payment.amount;
	wish.price = sum / 1000 * rng_between(&city->rng, 1002, 1060);
	lot = lot_make(city, &wish);
	contract = contract_make(
		city, line->unit, supplier, category, wish.price,
		start_of(day) + rng_between(&city->rng, 32400, 50400));
	contract->payments = payments;
	contract->n_payments = n;
	if (lot) {
		contract->award = lot->award;
		lot->contract = contract;
		order_after(city, lot->award, day);
	}
	for (unsigned i = 0; i < n; i++) {
		payments[i]->payment.contract = contract;
		payments[i]->payment.payee = supplier;
	}
}

static void contracts_make(struct city *city) {
	struct event **payments =
		arena_array(&city->arena, struct event *, city->n);
	uint32_t n = 0;

	for (uint32_t i = 0; i < city->n; i++)
		if (city->events[i]->stream == PAYMENTS &&
		    classes[city->events[i]->payment.class].kind ==
			    CLASS_CAPITAL)
			payments[n++] = city->events[i];
	/* Line by line, and within a line by time, as they were made. */
	for (uint32_t begin = 0, end; begin < n; begin = end) {
		uint32_t size = 3 + rng_below(&city->rng, 6);

		for (end = begin + 1; end < n && end - begin < size; end++)
			if (payments[end]->payment.line !=
			    payments[begin]->payment.line)
				break;
		contract_of(city, payments + begin, end - begin);
	}
}

/* Ordinary amendments are small; what is done is closed. */
static void contracts_change(struct city *city) {
	for (uint32_t i = 0; i < city->n_contracts; i++) {
		struct contract *contract = city->contracts[i];
		int64_t begin = day_of(contract->begin->at);
		int64_t day = workday_after(
			city, begin, 20 + (int)rng_below(&city->rng, 40));
		int64_t end = begin + rng_between(&city->rng, 150, 400);

		if (rng_chance(&city->rng, 900) && day < city->end_day - 10)
			contract_step(city, contract, CONTRACT_AMENDED,
				      office_time(city, day),
				      contract->value / 1000 *
					      rng_between(&city->rng, 8, 75));
		if (end < city->end_day - 20)
			contract_step(
				city, contract, CONTRACT_CLOSED,
				office_time(city, workday_after(city, end, 0)),
				0);
	}
}

static unsigned free_category(struct city *city, const struct unit *unit) {
	unsigned category;

	do
		category = rng_below(&city->rng, N_CATEGORIES);
	while (city->reserve[unit->number - 1][category] != FREE);
	return category;
}

static unsigned item_of(struct city *city, unsigned category) {
	unsigned item;

	do
		item = rng_below(&city->rng, N_ITEMS);
	while (items[item].category != category);
	return item;
}

/* Nobody came, or it was called off. */
static void lot_without_end(struct city *city, const struct wish *wish) {
	struct lot *lot = lot_begin(city, wish);

	if (!lot)
		return;
	lot->ceiling = ordinary_price(city, wish->category, wish->method,
				      wish->award_day);
	lot->published = lot_step(city, lot, STEP_PUBLISHED, lot->announced);
	if (rng_chance(&city->rng, 5000))
		lot_step(city, lot, STEP_FAILED, lot->opened);
	else
		lot_step(city, lot, STEP_CANCELLED,
			 lot->announced +
				 rng_between(&city->rng, DAY, 4 * DAY));
}

static void goods_by_the_piece(struct city *city, struct wish *wish,
			       struct award *award) {
	unsigned item = item_of(city, wish->category);
	int64_t unit_price =
		ordinary_unit_price(city, wish->unit, item, wish->award_day);
	int64_t price = ordinary_price(city, wish->category, wish->method,
				       wish->award_day);

	/* An open tender stays above the limit, others below. */
	if (wish->method == METHOD_OPEN || price < unit_price)
		price += unit_price - 1;
	award->item = (uint8_t)item;
	award->quantity = (uint32_t)(price / unit_price);
	award->unit_price = unit_price;
	wish->price = unit_price * award->quantity;
}

static void tender_ordinary(struct city *city) {
	static const uint8_t mix[] = {
		METHOD_OPEN,         METHOD_OPEN,          METHOD_OPEN,
		METHOD_NEGOTIATION,  METHOD_NEGOTIATION,   METHOD_NEGOTIATION,
		METHOD_CONSULTATION, METHOD_CONSULTATION,  METHOD_INQUIRY,
		METHOD_INVITED,      METHOD_SINGLE_SOURCE,
	};
	struct wish wish = {
		.unit = &city->units[rng_below(&city->rng, N_UNITS)],
		.method = mix[rng_below(&city->rng, ARRAY_SIZE(mix))],
		.award_day = random_workday(city),
	};
	struct award goods = { .item = NO_ITEM };
	struct lot *lot;

	wish.category = free_category(city, wish.unit);
	if (rng_chance(&city->rng, 300)) {
		lot_without_end(city, &wish);
		return;
	}
	if (categories[wish.category].code[0] == 'A')
		goods_by_the_piece(city, &wish, &goods);
	wish.contract = wish.method == METHOD_OPEN;
	lot = lot_make(city, &wish);
	if (!lot)
		return;
	lot->award->award.item = goods.item;
	lot->award->award.quantity = goods.quantity;
	lot->award->award.unit_price = goods.unit_price;
	order_after(city, lot->award, workday_after(city, wish.award_day, 6));
	if (rng_chance(&city->rng, 800)) {
		struct event *event = lot_step(
			city, lot, STEP_AMENDED,
			lot->announced + rng_between(&city->rng, DAY, 2 * DAY));

		event->tender.substantive = false;
	}
}

static void order_ordinary(struct city *city) {
	const struct unit *unit = &city->units[rng_below(&city->rng, N_UNITS)];
	unsigned category = free_category(city, unit);
	unsigned dice = rng_below(&city->rng, 100);
	int64_t day = random_workday(city);
	/* A buyer knows eight suppliers of a kind. */
	uint32_t eight =
		(unit->number * 31u + category * 17u) % (PER_TRADE - 8);
	const struct party *supplier =
		city->suppliers[categories[category].trade * PER_TRADE + eight +
				rng_below(&city->rng, 8)];

	if (dice >= 65 && categories[category].code[0] == 'A') {
		order_after(
			city,
			item_award(city, unit, item_of(city, category), day),
			workday_after(city, day, 2));
		return;
	}
	order_make(
		city, unit, category, supplier,
		dice < 60   ? METHOD_DIRECT
		: dice < 65 ? METHOD_SINGLE_SOURCE
			    : METHOD_INQUIRY,
		dice < 65 ? rng_scaled(&city->rng, 2000 * YUAN, 60000 * YUAN)
			  : rng_scaled(&city->rng, 30000 * YUAN, 300000 * YUAN),
		day);
}

void buying_make(struct city *city) {
	/* One process for fifteen payments; a third of them are tenders. */
	uint32_t processes = city->payments / 15;

	contracts_make(city);
	for (uint32_t i = 0; i < processes / 4; i++)
		tender_ordinary(city);
	contracts_change(city);
	for (uint32_t i = 0; i < processes / 10 * 7; i++)
		order_ordinary(city);
}
