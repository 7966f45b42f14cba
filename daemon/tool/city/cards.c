/* Official cards: what their holders buy on the way. */
#include "tool/city/city.h"

#include "base/util.h"

#define CARDS_A_UNIT 10u
#define TRADE_HOTELS 10

struct event *card_use(struct city *city, const struct card *card,
		       const struct party *merchant, int64_t amount,
		       int64_t day) {
	struct event *event = city_add(city, CARDS, office_time(city, day));

	event->card = (struct card_use){
		.card = card,
		.merchant = merchant,
		.amount = amount,
	};
	return event;
}

void cards_make(struct city *city) {
	uint32_t chance;

	city->n_cards = N_UNITS * CARDS_A_UNIT;
	city->cards = arena_array(&city->arena, struct card, city->n_cards);
	chance = (uint32_t)((uint64_t)city->payments * 1000 /
			    (city->n_cards * city->n_workdays));
	for (uint32_t i = 0; i < city->n_cards; i++) {
		struct card *card = &city->cards[i];

		*card = (struct card){
			.unit = &city->units[i / CARDS_A_UNIT],
			.number = city_text(city, "6283%08u%04u",
					    i * 104729u % 100000000u,
					    i * 23u % 10000u),
			.holder = city->people[i * (N_PEOPLE / city->n_cards)]
					  ->name,
		};
		/* Once a day at most: nobody splits without meaning to. */
		for (uint32_t d = 0; d < city->n_workdays; d++) {
			struct event *event;

			if (!rng_chance(&city->rng, chance))
				continue;
			event = card_use(
				city, card, any_supplier(city, TRADE_HOTELS),
				rng_scaled(&city->rng, 80 * YUAN, 8000 * YUAN),
				city->workdays[d]);
			if (rng_chance(&city->rng, 60))
				event->card.amount = -event->card.amount / 3;
		}
	}
}
