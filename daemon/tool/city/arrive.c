/*
 * How events arrive: a little late, some days late, twice, or spoilt. And
 * what can only be said once they are all there: their numbers.
 */
#include "tool/city/city.h"

#include "base/util.h"

#include <stdlib.h>

/* Systems that send by the hour, and those that are asked as one goes on. */
static bool may_be_late(const struct event *event) {
	return event->stream == PAYMENTS || event->stream == ORDERS ||
	       event->stream == CARDS;
}

/*
 * Most arrive within the hour, some up to three days later. What the register
 * of suppliers knows of old comes at once, in the order in which it was known.
 */
static void set_arrivals(struct city *city) {
	int64_t begin = start_of(city->first_day);

	for (uint32_t i = 0; i < city->n; i++) {
		struct event *event = city->events[i];
		int64_t delay = rng_between(&city->rng, 1, 1800);

		if (may_be_late(event) && rng_chance(&city->rng, 150))
			delay = rng_between(&city->rng, 3600, 70 * 3600);
		event->arrival = event->at < begin ? begin : event->at + delay;
	}
}

static void send_again(struct city *city) {
	int64_t begin = start_of(city->first_day);
	uint32_t n = city->n;

	for (uint32_t i = 0; i < n; i++) {
		struct event *copy;
		uint32_t seq;

		if (city->events[i]->at < begin || !rng_chance(&city->rng, 50))
			continue;
		copy = city_add(city, PAYMENTS, 0);
		seq = copy->seq;
		*copy = *city->events[i];
		copy->seq = seq;
		copy->copy_of = city->events[i];
		copy->arrival += rng_between(&city->rng, 30, 2 * DAY);
	}
}

/* Streams whose events cannot do without an amount. */
static bool may_be_spoilt(const struct event *event) {
	return event->stream != TENDERS && event->stream != PARTIES &&
	       event->stream != APPROVALS;
}

static void add_hostile(struct city *city, uint32_t n) {
	uint32_t n_good = city->n;

	for (uint32_t i = 0; i < n; i++) {
		const struct event *of;
		struct event *event;
		uint32_t seq;

		do
			of = city->events[rng_below(&city->rng, n_good)];
		while (!may_be_spoilt(of));
		event = city_add(city, PAYMENTS, 0);
		seq = event->seq;
		*event = *of;
		event->seq = seq;
		event->copy_of = NULL;
		event->flaw = (uint8_t)(1 + i % (FLAW_MAX - 1));
	}
}

static int by_event_time(const void *a, const void *b) {
	const struct event *x = *(struct event *const *)a;
	const struct event *y = *(struct event *const *)b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_arrival(const void *a, const void *b) {
	const struct event *x = *(struct event *const *)a;
	const struct event *y = *(struct event *const *)b;

	if (x->arrival != y->arrival)
		return x->arrival < y->arrival ? -1 : 1;
	return by_event_time(a, b);
}

static void number(struct city *city) {
	uint32_t next[N_CHANNELS] = { 0 };
	uint32_t tenders = 0;

	qsort(city->order, city->n, sizeof(*city->order), by_event_time);
	for (uint32_t i = 0; i < city->n; i++) {
		struct event *event = city->order[i];

		if (event->copy_of)
			continue;
		event->number = ++next[event_channel(event)];
		if (event->stream == TENDERS &&
		    !event->tender.lot->tender->number)
			event->tender.lot->tender->number = ++tenders;
	}
	for (uint32_t i = 0; i < city->n; i++)
		if (city->order[i]->copy_of)
			city->order[i]->number =
				city->order[i]->copy_of->number;
}

/* What never happened is forgotten; hospitals know minutes, no seconds. */
static void settle(struct city *city) {
	uint32_t n = 0;

	for (uint32_t i = 0; i < city->n; i++) {
		struct event *event = city->events[i];

		if (event->dropped)
			continue;
		if (event_channel(event) == CHANNEL_HEALTH)
			event->at -= event->at % 60;
		city->events[n++] = event;
	}
	city->n = n;
}

void arrive(struct city *city) {
	settle(city);
	set_arrivals(city);
	send_again(city);
	add_hostile(city, city->payments / 1600 + FLAW_MAX - 1);
	city->order = arena_array(&city->arena, struct event *, city->n);
	for (uint32_t i = 0; i < city->n; i++)
		city->order[i] = city->events[i];
	number(city);
	qsort(city->order, city->n, sizeof(*city->order), by_arrival);
}
