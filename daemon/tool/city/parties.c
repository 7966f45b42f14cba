/* Units, suppliers and people, and the register of suppliers. */
#include "tool/city/city.h"

#include "base/calendar.h"
#include "base/util.h"

#include <stdio.h>

/* Before that the register was on paper. */
#define REGISTER_BEGINS days_from_civil(2015, 3, 2)

static void units_make(struct city *city) {
	for (unsigned i = 0; i < N_UNITS; i++) {
		struct unit *unit = &city->units[i];
		struct party *own = arena_new(&city->arena, struct party);

		snprintf(unit->code, sizeof(unit->code), "U-%02u", i + 1);
		unit->name = unit_name(i);
		unit->number = (uint8_t)(i + 1);
		unit->region = (uint8_t)(i % N_REGIONS + 1);
		unit->department = i < 33   ? DEPARTMENT_CITY
				   : i < 36 ? DEPARTMENT_HEALTH
					    : DEPARTMENT_EDU;
		*own = (struct party){
			.name = unit->name,
			.account = city_text(city, "99010000000000%02u", i + 1),
			.type = PARTY_SELF,
		};
		city->own[i] = own;
	}
}

struct party *party_new(struct city *city, unsigned trade, int64_t founded,
			int64_t registered) {
	struct party *party = arena_new(&city->arena, struct party);
	uint32_t nth = city->n_of_trade[trade]++;
	uint32_t i = trade * 250 + nth;
	struct buf name = { 0 };

	supplier_name(&name, trade, nth);
	*party = (struct party){
		.name = city_text(city, "%s", buf_cstr(&name)),
		/* Odd multipliers modulo powers of ten keep them apart. */
		.account = city_text(city, "6217%08u%04u",
				     i * 7919u % 100000000u, i * 3u % 10000u),
		/* Eighteen characters, like a 统一社会信用代码. */
		.id = city_text(city, "91990100MA%08X",
				(unsigned)(i * 2654435761u ^ 0x5a17c0deu)),
		.type = PARTY_ORG,
		.trade = (uint8_t)trade,
		.nth = nth,
		.founded = founded,
	};
	buf_reset(&name);
	person_name(&name, rng_below(&city->rng, N_PEOPLE));
	party->legal_rep = city_text(city, "%s", buf_cstr(&name));
	buf_free(&name);
	if (registered)
		party_record(city, party, registered);
	return party;
}

struct event *party_record(struct city *city, const struct party *party,
			   int64_t at) {
	struct event *event = city_add(city, PARTIES, at);

	event->party.party = party;
	return event;
}

struct party *party_old(struct city *city, unsigned trade) {
	int64_t founded = rng_between(&city->rng, days_from_civil(2003, 1, 1),
				      days_from_civil(2022, 6, 30));
	int64_t known = founded + rng_between(&city->rng, 20, 60);

	if (known < REGISTER_BEGINS)
		known = REGISTER_BEGINS + rng_between(&city->rng, 0, 200);
	return party_new(city, trade, founded,
			 start_of(known) +
				 rng_between(&city->rng, 30600, 61200));
}

/* Addresses and persons change; what was known stays known. */
static void records_change(struct city *city) {
	for (uint32_t i = 0; i < N_SUPPLIERS; i++) {
		if (!rng_chance(&city->rng, 1500))
			continue;
		party_record(city, city->suppliers[i],
			     office_time(city, random_workday(city)));
	}
}

/*
 * New firms come all the time. They are in the register, and ordinary life has
 * no business with them in their first year.
 */
static void newcomers(struct city *city) {
	for (unsigned i = 0; i < 3 * N_TRADES; i++) {
		int64_t founded = random_workday(city);
		int64_t known = workday_after(
			city, founded, 5 + (int)rng_below(&city->rng, 30));

		party_new(city, i % N_TRADES, founded,
			  office_time(city, known));
	}
}

void parties_make(struct city *city) {
	units_make(city);
	for (unsigned i = 0; i < N_SUPPLIERS; i++)
		city->suppliers[i] = party_old(city, i / PER_TRADE);
	for (uint32_t i = 0; i < N_PEOPLE; i++) {
		struct party *person = arena_new(&city->arena, struct party);
		struct buf name = { 0 };

		person_name(&name, i);
		*person = (struct party){
			.name = city_text(city, "%s", buf_cstr(&name)),
			.account = city_text(city, "6228%08u%04u",
					     i * 6007u % 100000000u,
					     i * 7u % 10000u),
			.type = PARTY_PERSON,
		};
		buf_free(&name);
		city->people[i] = person;
	}
	records_change(city);
	newcomers(city);
}

const struct party *any_supplier(struct city *city, unsigned trade) {
	return city->suppliers[trade * PER_TRADE +
			       rng_below(&city->rng, PER_TRADE)];
}

const struct party *any_payee(struct city *city) {
	return city->suppliers[rng_below(&city->rng, N_SUPPLIERS)];
}
