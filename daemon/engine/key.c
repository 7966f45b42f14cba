/*
 * Key: the records of a plan's keys, and the periods that hang on them.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>

/*
 * Coordinates in eight bytes that order as (topic, partition, offset): six
 * bits of the topic's rank by name, fourteen of the partition, 44 of the
 * offset.
 */
uint64_t coordinates_pack(const struct engine *engine,
			  const struct event *event) {
	uint64_t topic = engine->streams[event->stream->index].topic_rank;

	return topic << 58 | ((uint64_t)event->at.partition & 0x3fff) << 44 |
	       ((uint64_t)event->at.offset & 0xfffffffffff);
}

const struct stream *coordinates_stream(const struct engine *engine,
					uint64_t packed) {
	size_t i;

	for (i = 0; i < engine->set->n_streams; i++)
		if (engine->streams[i].topic_rank == packed >> 58)
			return engine->streams[i].stream;
	return NULL;
}

void coordinates_unpack(const struct engine *engine, uint64_t packed,
			struct coordinates *ret) {
	const struct stream *stream = coordinates_stream(engine, packed);

	ret->topic = stream ? stream->topic : "";
	ret->partition = (int32_t)(packed >> 44 & 0x3fff);
	ret->offset = (int64_t)(packed & 0xfffffffffff);
}

/* A string has its length before it, but for the last one. */
bool key_encode(const struct value *values, const struct type *types, size_t n,
		uint8_t *out, uint32_t *len) {
	uint32_t at = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		struct value v = values[i];

		if (value_is_missing(v) || v.kind == KIND_LIST)
			return false;
		if (types[i].kind != KIND_STRING) {
			if (at + 8 > KEY_MAX)
				return false;
			memcpy(out + at, &v.i, 8);
			at += 8;
			continue;
		}
		if (v.len > KEY_MAX || at + 2 + v.len > KEY_MAX)
			return false;
		if (i + 1 < n) {
			out[at++] = (uint8_t)(v.len & 0xff);
			out[at++] = (uint8_t)(v.len >> 8);
		}
		if (v.len)
			memcpy(out + at, v.s, v.len);
		at += v.len;
	}
	*len = at;
	return true;
}

void key_decode(const uint8_t *bytes, uint32_t len, const struct type *types,
		size_t n, struct value *values) {
	const uint8_t *end = bytes + len;
	uint32_t some;
	size_t i;

	for (i = 0; i < n; i++) {
		if (types[i].kind != KIND_STRING) {
			values[i] = (struct value){ .kind = types[i].kind,
						    .unit = types[i].unit };
			memcpy(&values[i].i, bytes, 8);
			bytes += 8;
			continue;
		}
		some = (uint32_t)(end - bytes);
		if (i + 1 < n) {
			some = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
			bytes += 2;
		}
		values[i] = value_string((const char *)bytes, some);
		bytes += some;
	}
}

uint32_t key_hash(const struct engine *engine, const uint8_t *bytes,
		  uint32_t len) {
	return (uint32_t)hash64(bytes, len, engine->options.seed);
}

static const uint8_t *key_bytes(const struct plan_state *ps,
				const struct key *key) {
	return (const uint8_t *)key + ps->at.key;
}

handle_t key_find(const struct engine *engine, const struct plan_state *ps,
		  uint32_t hash, const uint8_t *bytes, uint32_t len) {
	struct index_cursor cursor = { 0 };
	const struct key *key;
	handle_t handle;

	for (handle = index_first(&ps->index, hash, &cursor); handle;
	     handle = index_next(&ps->index, hash, &cursor)) {
		key = key_read(engine, handle);
		if (key->len == len &&
		    memcmp(key_bytes(ps, key), bytes, len) == 0)
			return handle;
	}
	return 0;
}

void key_values(const struct engine *engine, const struct plan_state *ps,
		handle_t key, struct value *values) {
	const struct key *record = key_read(engine, key);

	key_decode(key_bytes(ps, record), record->len, ps->plan->by_types,
		   ps->plan->n_by, values);
}

static int64_t mod(int64_t n, int64_t by) {
	return (n % by + by) % by;
}

/* The first day of every n-th month, or every n-th business day. */
static usec_t every_step(const struct rule *rule, usec_t after) {
	const struct calendar *calendar = rule->plan->calendar;
	int64_t n = rule->every.n, month, day;
	usec_t due;

	if (rule->every.unit == SPAN_MONTHS) {
		month = period_of(calendar, UNIT_MONTH, after);
		for (month -= mod(month, n);; month += n) {
			day = period_first_day(calendar, UNIT_MONTH, month);
			due = zone_instant(&calendar->zone, day,
					   rule->every_at);
			if (due > after)
				return due;
		}
	}
	for (day = zone_days(&calendar->zone, after);; day++) {
		due = zone_instant(&calendar->zone, day, rule->every_at);
		if (due > after && calendar_is_workday(calendar, day) &&
		    mod(calendar_workdays(calendar, 0, day), n) == 0)
			return due;
	}
}

/* `every` fires at clock times of the calendar's zone. */
usec_t every_next(const struct rule *rule, usec_t after) {
	const struct zone *zone = &rule->plan->calendar->zone;
	int64_t days, step;
	usec_t due, span = rule->every.n;

	if (rule->every.unit != SPAN_FIXED)
		return every_step(rule, after);
	if (span % USEC_PER_DAY == 0) {
		step = span / USEC_PER_DAY;
		days = zone_days(zone, after);
		days -= mod(days, step);
		for (;; days += step) {
			due = zone_instant(zone, days, rule->every_at);
			if (due > after)
				return due;
		}
	}
	due = -(usec_t)zone->standard * USEC_PER_SEC + rule->every_at;
	due += (after - due) / span * span;
	while (due <= after)
		due += span;
	return due;
}

static void key_arm_every(struct engine *engine, struct plan_state *ps,
			  handle_t handle) {
	const struct key *key = key_read(engine, handle);
	struct timer timer = { .created = key->created, .target = handle };
	usec_t after = key->clock;
	size_t i;

	/* A late key has no part in clock times that were over before it: an
	 * event of the year 1 would be judged seventeen million times. */
	if (engine->watermark > after)
		after = engine->watermark;

	for (i = 0; i < ps->plan->n_rules; i++) {
		const struct rule *rule = ps->plan->rules[i];

		if (!rule->every.n)
			continue;
		timer.due = every_next(rule, after);
		timer.rule = rule->rank;
		timer.kind = TIMER_EVERY;
		timers_add(&engine->timers, &engine->pages, &timer);
	}
}

/* When the key could be given back if nothing more comes; NEVER. */
static usec_t key_ends(const struct engine *engine, const struct plan_state *ps,
		       handle_t handle) {
	const struct plan *plan = ps->plan;
	const struct key *key = key_read(engine, handle);
	const struct period *period;
	handle_t newest;

	if (ps->at.latest != NOWHERE)
		return NEVER;
	switch (plan->window.kind) {
	case WINDOW_EVENT:
		return plan->keeps_prev ? NEVER : key->clock;
	case WINDOW_FOREVER:
		return NEVER;
	case WINDOW_LAST:
		if (!plan->window.width)
			return NEVER;
		return window_end(engine, ps, handle);
	case WINDOW_SLIDING:
	case WINDOW_PANES:
		return window_end(engine, ps, handle);
	case WINDOW_SESSION:
	case WINDOW_UNTIL:
		return stretch_key_ends(engine, ps, handle);
	case WINDOW_PEERS:
		return peers_end(engine, ps, handle);
	case WINDOW_TUMBLE:
	case WINDOW_CALENDAR:
		break;
	}
	newest = *(const handle_t *)(const void *)((const uint8_t *)key +
						   ps->at.periods);
	if (!newest)
		return key->clock;
	period = pages_read(&engine->pages, newest);
	return plan_period_start(ps, period->number + 1 + plan->n_periods);
}

handle_t key_make(struct engine *engine, struct plan_state *ps, uint32_t hash,
		  const uint8_t *bytes, uint32_t len, usec_t clock) {
	size_t size = layout_key_bytes(ps, len);
	struct key *key;
	handle_t handle;
	usec_t ends;

	if (ps->counters.keys >= engine->options.max_keys_per_rule &&
	    !evict(engine, ps, LIMIT_KEYS))
		return 0;
	charge(engine, &ps->counters.bytes);
	handle = pages_alloc_kind(&engine->pages, size, CELL_KEY);
	if (!handle)
		return 0;
	key = key_write(engine, handle);
	key->clock = clock;
	key->created = ++engine->created & 0xffffffffffff;
	key->len = len & 0xffff;
	memcpy((uint8_t *)key + ps->at.key, bytes, len);
	if (ps->at.newest != NOWHERE)
		newest_write(engine, ps, handle)->time = INT64_MIN;
	index_add(&ps->index, &engine->pages, hash, handle);
	ps->counters.keys++;
	key_arm_every(engine, ps, handle);
	ends = key_ends(engine, ps, handle);
	if (ends != NEVER)
		wheel_add(&ps->wheel, &engine->pages, handle,
			  ends + ps->plan->window.width);
	evict_note(engine, ps, handle);
	return handle;
}

static void latest_release(struct engine *engine, const struct plan_state *ps,
			   handle_t handle) {
	const uint8_t *key = pages_read(&engine->pages, handle);
	struct latest latest;
	size_t i;

	for (i = 0; i < ps->plan->n_measures; i++) {
		if (!ps->plan->measures[i].latest)
			continue;
		memcpy(&latest,
		       key + ps->at.latest +
			       ps->at.latest_of[i] * sizeof(latest),
		       sizeof(latest));
		if (latest.kind == KIND_STRING && latest.bits)
			pages_release(&engine->pages, (handle_t)latest.bits);
	}
}

static void period_release(struct engine *engine, struct plan_state *ps,
			   handle_t handle) {
	const handle_t *curves;
	size_t i;

	bag_release(engine, ps, handle, ps->at.period_bag);
	curves = (const handle_t *)(const void *)((const uint8_t *)pages_read(
							  &engine->pages,
							  handle) +
						  ps->at.period_curves);
	for (i = 0; i < ps->at.n_curves; i++)
		if (curves[i])
			pages_release(&engine->pages, curves[i]);
	pages_release(&engine->pages, handle);
}

static void last_release(struct engine *engine, const struct plan_state *ps,
			 handle_t handle) {
	const uint8_t *key = pages_read(&engine->pages, handle);
	const struct last *last = (const void *)(key + ps->at.last);

	if (last->values)
		pages_release(&engine->pages, last->values);
	if (last->before)
		pages_release(&engine->pages, last->before);
}

static void key_release(struct engine *engine, struct plan_state *ps,
			handle_t handle) {
	const uint8_t *key = pages_read(&engine->pages, handle);
	const struct period *period;
	handle_t at, next;

	if (ps->at.bag != NOWHERE)
		bag_release(engine, ps, handle, ps->at.bag);
	if (ps->at.panes != NOWHERE)
		panes_release(engine, ps, handle);
	if (ps->at.periods != NOWHERE) {
		memcpy(&at, key + ps->at.periods, sizeof(at));
		for (; at; at = next) {
			period = pages_read(&engine->pages, at);
			next = period->next;
			period_release(engine, ps, at);
		}
	}
	if (ps->at.last != NOWHERE)
		last_release(engine, ps, handle);
	if (ps->at.latest != NOWHERE)
		latest_release(engine, ps, handle);
	if (ps->at.cohort != NOWHERE)
		peers_release(engine, ps, handle);
	key_write(engine, handle)->created = 0;
	pages_release(&engine->pages, handle);
}

static void key_drop(struct engine *engine, struct plan_state *ps,
		     handle_t handle) {
	const struct key *key = key_read(engine, handle);

	charge(engine, &ps->counters.bytes);
	evict_forget(engine, ps, handle);
	index_remove(&ps->index, &engine->pages,
		     key_hash(engine, key_bytes(ps, key), key->len), handle);
	ps->counters.keys--;
	key_release(engine, ps, handle);
}

bool key_is(const struct engine *engine, handle_t key, uint64_t created) {
	return pages_has(&engine->pages, key, CELL_KEY) &&
	       key_read(engine, key)->created == created;
}

static bool has_beneath(const struct plan_state *ps, const struct key *key) {
	handle_t beneath;

	if (ps->at.beneath == NOWHERE)
		return false;
	memcpy(&beneath, (const uint8_t *)key + ps->at.beneath,
	       sizeof(beneath));
	return beneath != 0;
}

static bool key_is_needed(const struct engine *engine,
			  const struct plan_state *ps, handle_t handle) {
	const struct key *key = key_read(engine, handle);
	handle_t at;

	for (at = key->lives; at; at = life_read(engine, at)->next)
		if (life_read(engine, at)->state != STATE_INCONCLUSIVE)
			return true;
	return has_beneath(ps, key);
}

bool key_has_alert(const struct engine *engine, const struct plan_state *ps,
		   handle_t handle) {
	const struct key *key = key_read(engine, handle);
	handle_t at;

	for (at = key->lives; at; at = life_read(engine, at)->next)
		if (life_read(engine, at)->state == STATE_FIRING)
			return true;
	return has_beneath(ps, key);
}

static void lives_end(struct engine *engine, handle_t handle) {
	while (key_read(engine, handle)->lives)
		life_end(engine, key_read(engine, handle)->lives);
}

void key_evict(struct engine *engine, struct plan_state *ps, handle_t handle) {
	lives_end(engine, handle);
	if (key_ends(engine, ps, handle) != NEVER)
		wheel_remove(&ps->wheel, &engine->pages, handle);
	key_drop(engine, ps, handle);
}

bool key_is_taken(const struct engine *engine, handle_t key) {
	uint32_t i;

	for (i = 0; i < engine->n_taking; i++)
		if (engine->taking[i].key == key)
			return true;
	return false;
}

/*
 * The wheel only gives the memory back some time later; whoever meets the key
 * before that must not see what is left of it.
 */
bool key_expire(struct engine *engine, struct plan_state *ps, handle_t handle,
		usec_t now) {
	usec_t ends = key_ends(engine, ps, handle);

	if (ends > now || key_is_needed(engine, ps, handle) ||
	    key_is_taken(engine, handle))
		return false;
	key_evict(engine, ps, handle);
	return true;
}

void keys_expire(struct engine *engine, struct plan_state *ps) {
	const struct key *key;
	handle_t handle, next;
	usec_t ends;

	while ((handle = wheel_take(&ps->wheel, engine->watermark)))
		for (; handle; handle = next) {
			key = key_read(engine, handle);
			next = key->next;
			ends = key_ends(engine, ps, handle);
			if (ends <= engine->watermark &&
			    key_is_needed(engine, ps, handle))
				ends = engine->watermark + ps->wheel.width;
			if (ends <= engine->watermark) {
				lives_end(engine, handle);
				key_drop(engine, ps, handle);
			} else if (ends != NEVER) {
				wheel_add(&ps->wheel, &engine->pages, handle,
					  ends);
			}
		}
}

bool plan_has_periods(const struct plan_state *ps) {
	return ps->at.periods != NOWHERE;
}

int64_t plan_period(const struct plan_state *ps, usec_t at) {
	const struct plan *plan = ps->plan;
	int64_t n;

	if (plan->window.kind == WINDOW_CALENDAR)
		return period_of(plan->calendar, plan->window.unit, at);
	at -= ps->at.origin;
	n = at / ps->at.pane;
	return at % ps->at.pane < 0 ? n - 1 : n;
}

usec_t plan_period_start(const struct plan_state *ps, int64_t period) {
	const struct plan *plan = ps->plan;

	if (plan->window.kind == WINDOW_CALENDAR)
		return period_start(plan->calendar, plan->window.unit, period);
	return ps->at.origin + period * ps->at.pane;
}

static handle_t *periods_of(struct engine *engine, const struct plan_state *ps,
			    handle_t key) {
	uint8_t *bytes = pages_write(&engine->pages, key);

	return (handle_t *)(void *)(bytes + ps->at.periods);
}

handle_t period_newest(const struct engine *engine, const struct plan_state *ps,
		       handle_t key) {
	const uint8_t *bytes = pages_read(&engine->pages, key);
	handle_t at;

	memcpy(&at, bytes + ps->at.periods, sizeof(at));
	return at;
}

handle_t period_find(const struct engine *engine, const struct plan_state *ps,
		     handle_t key, int64_t number) {
	handle_t at = period_newest(engine, ps, key);
	const struct period *period;

	while (at) {
		period = pages_read(&engine->pages, at);
		if (period->number == number)
			return at;
		if (period->number < number)
			return 0;
		at = period->next;
	}
	return 0;
}

/*
 * The oldest period that a baseline can reach: counted from the first period
 * that is still open, for the newest may be days ahead of the watermark and
 * the ones before it are judged once more when they end.
 */
static int64_t oldest_reach(const struct engine *engine,
			    const struct plan_state *ps, int64_t newest) {
	int64_t open = newest;

	if (engine->watermark != INT64_MIN)
		open = plan_period(ps, engine->watermark);
	if (open > newest)
		open = newest;
	return open - (int64_t)ps->plan->n_periods;
}

/* Periods that no baseline can reach any more. */
static void periods_trim(struct engine *engine, struct plan_state *ps,
			 handle_t key) {
	handle_t newest = *periods_of(engine, ps, key), at = newest, last = 0;
	const struct period *period;
	int64_t oldest;

	if (!newest)
		return;
	period = pages_read(&engine->pages, newest);
	oldest = oldest_reach(engine, ps, period->number);
	while (at) {
		period = pages_read(&engine->pages, at);
		if (period->number < oldest &&
		    plan_period_start(ps, period->number + 1) <=
			    engine->watermark)
			break;
		last = at;
		at = period->next;
	}
	if (!at)
		return;
	((struct period *)pages_write(&engine->pages, last))->next = 0;
	while (at) {
		handle_t next =
			((const struct period *)pages_read(&engine->pages, at))
				->next;

		period_release(engine, ps, at);
		at = next;
	}
}

/* Closed, and so old that no baseline would look at it. */
static bool period_is_beyond(struct engine *engine, const struct plan_state *ps,
			     handle_t key, int64_t number) {
	handle_t newest = *periods_of(engine, ps, key);
	const struct period *period;

	if (!newest || plan_period_start(ps, number + 1) > engine->watermark)
		return false;
	period = pages_read(&engine->pages, newest);
	return number < oldest_reach(engine, ps, period->number);
}

static void period_arm(struct engine *engine, struct plan_state *ps,
		       handle_t handle, int64_t number) {
	const struct key *key = key_read(engine, handle);
	struct timer timer = { .due = plan_period_start(ps, number + 1),
			       .created = key->created,
			       .period = number,
			       .target = handle,
			       .kind = TIMER_PERIOD_END };
	size_t i;

	if (timer.due <= engine->watermark)
		return;
	for (i = 0; i < ps->plan->n_rules; i++) {
		if (ps->plan->rules[i]->per_event &&
		    !window_judges_once(&ps->plan->window))
			continue;
		timer.rule = ps->plan->rules[i]->rank;
		timers_add(&engine->timers, &engine->pages, &timer);
	}
	if (ps->plan->n_handovers) {
		timer.rule = peers_timer_rule(engine, ps);
		timers_add(&engine->timers, &engine->pages, &timer);
	}
}

handle_t period_make(struct engine *engine, struct plan_state *ps, handle_t key,
		     int64_t number) {
	handle_t *link = periods_of(engine, ps, key);
	struct period *period;
	handle_t handle;

	handle = period_find(engine, ps, key, number);
	if (handle || period_is_beyond(engine, ps, key, number))
		return handle;
	handle = pages_alloc(&engine->pages, ps->at.period_size);
	if (!handle)
		return 0;
	while (*link) {
		period = pages_write(&engine->pages, *link);
		if (period->number < number)
			break;
		link = &period->next;
	}
	period = pages_write(&engine->pages, handle);
	period->number = number;
	period->next = *link;
	*link = handle;
	period_arm(engine, ps, key, number);
	periods_trim(engine, ps, key);
	return handle;
}
