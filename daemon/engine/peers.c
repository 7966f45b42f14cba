/*
 * Peers: cohorts of values, and what a baseline over them says.
 *
 *   cohort "A0324, R-1"
 *     values   (time, value, group), oldest first, so that they leave
 *     ranks    of all of them
 *     groups   "S-17": ranks of its own
 *
 * What a cohort says without one group is a difference of ranks, so leaving
 * the judged event's supplier out costs no copy. A cohort is a key of its
 * plan: found, capped, evicted and freed as keys are.
 *
 * An event looks first and enters when all rules have judged it.
 */
#include "engine/internal.h"

#include "aggregate/parts.h"
#include "base/util.h"

#include <assert.h>
#include <math.h>

/*
 * Above so many values a cohort keeps them to 1/64 of an octave. Back to exact
 * at half of that, so that a cohort on the edge is not rebuilt at each event.
 */
#define COARSE_ABOVE 4096u
#define COARSE_BELOW 2048u

/*
 * A value in the chain: coordinates hold its key by rank, payload its group,
 * and flags whether it is counted (memory may have ended half-way).
 */
#define VALUE_COUNTS 1u
#define VALUE_BYTES sizeof(struct entry)

/* The moments, if the plan is summed, and the group's bytes stand behind. */
struct group {
	handle_t cohort;
	uint32_t entries; /* that point here */
	uint32_t len;
	uint32_t unused;
	struct ranks ranks;
};

/* What a cohort or a group sums up. */
struct holder {
	struct ranks *ranks;
	struct moments *sums; /* NULL: nobody asks */
};

static struct cohort *cohort_write(struct engine *engine,
				   const struct plan_state *ps, handle_t key) {
	uint8_t *bytes = pages_write(&engine->pages, key);

	return (struct cohort *)(void *)(bytes + ps->at.cohort);
}

static const struct cohort *cohort_read(const struct engine *engine,
					const struct plan_state *ps,
					handle_t key) {
	const uint8_t *bytes = pages_read(&engine->pages, key);

	return (const struct cohort *)(const void *)(bytes + ps->at.cohort);
}

static size_t group_head(const struct plan_state *ps) {
	return sizeof(struct group) +
	       (ps->plan->peers->summed ? sizeof(struct moments) : 0);
}

static struct holder holder_of(struct engine *engine,
			       const struct plan_state *ps, handle_t key) {
	uint8_t *bytes = pages_write(&engine->pages, key);
	struct holder ret = { .ranks = &cohort_write(engine, ps, key)->ranks };

	if (ps->plan->peers->summed)
		ret.sums = (struct moments *)(void *)(bytes + ps->at.sums);
	return ret;
}

static struct holder holder_of_group(struct engine *engine,
				     const struct plan_state *ps,
				     handle_t handle) {
	struct group *group = pages_write(&engine->pages, handle);
	struct holder ret = { .ranks = &group->ranks };

	if (ps->plan->peers->summed)
		ret.sums = (struct moments *)(void *)(group + 1);
	return ret;
}

static struct value value_of(const struct plan_state *ps, int64_t key) {
	return (struct value){ .kind = ps->plan->peers->type.kind,
			       .unit = ps->plan->peers->type.unit,
			       .i = key };
}

/*
 * The middle of its 64th of an octave, so within 1/128 of it: the order and
 * the sign stay, and a few hundred keys stand for all prices of a market.
 */
static int64_t coarse_key(uint8_t kind, int64_t key) {
	uint64_t size = key < 0 ? -(uint64_t)key : (uint64_t)key;
	unsigned drop = 46; /* of the 52 bits of a double's fraction */

	if (!key || (kind != KIND_DOUBLE && size < 128))
		return key;
	if (kind != KIND_DOUBLE)
		drop = 57 - (unsigned)__builtin_clzll(size);
	size = (size >> drop << drop) | UINT64_C(1) << (drop - 1);
	if (size > INT64_MAX)
		size = INT64_MAX;
	return key < 0 ? -(int64_t)size : (int64_t)size;
}

static int64_t key_in(const struct plan_state *ps, bool is_coarse,
		      int64_t key) {
	return is_coarse ? coarse_key(ps->plan->peers->type.kind, key) : key;
}

/* --- groups --- */

static uint32_t group_hash(const struct engine *engine, handle_t cohort,
			   const uint8_t *bytes, uint32_t len) {
	/* Suppliers are the same in all cohorts, their groups are not. */
	uint64_t salt = key_read(engine, cohort)->created *
			UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)hash64(bytes, len, engine->options.seed ^ salt);
}

static const uint8_t *group_bytes(const struct engine *engine,
				  const struct plan_state *ps, handle_t group) {
	return (const uint8_t *)pages_read(&engine->pages, group) +
	       group_head(ps);
}

static handle_t group_find(const struct engine *engine,
			   const struct plan_state *ps, handle_t cohort,
			   const uint8_t *bytes, uint32_t len) {
	uint32_t hash = group_hash(engine, cohort, bytes, len);
	struct index_cursor cursor = { 0 };
	const struct group *group;
	handle_t at;

	for (at = index_first(&ps->groups, hash, &cursor); at;
	     at = index_next(&ps->groups, hash, &cursor)) {
		group = pages_read(&engine->pages, at);
		if (group->cohort == cohort && group->len == len &&
		    memcmp(group_bytes(engine, ps, at), bytes, len) == 0)
			return at;
	}
	return 0;
}

static handle_t group_make(struct engine *engine, struct plan_state *ps,
			   handle_t cohort, const uint8_t *bytes,
			   uint32_t len) {
	handle_t handle = group_find(engine, ps, cohort, bytes, len);
	struct group *group;

	if (handle)
		return handle;
	handle = pages_alloc(&engine->pages, group_head(ps) + len);
	if (!handle)
		return 0;
	group = pages_write(&engine->pages, handle);
	group->cohort = cohort;
	group->len = len;
	memcpy((uint8_t *)group + group_head(ps), bytes, len);
	index_add(&ps->groups, &engine->pages,
		  group_hash(engine, cohort, bytes, len), handle);
	return handle;
}

static void group_end(struct engine *engine, struct plan_state *ps,
		      handle_t handle) {
	struct group *group = pages_write(&engine->pages, handle);

	index_remove(&ps->groups, &engine->pages,
		     group_hash(engine, group->cohort,
				group_bytes(engine, ps, handle), group->len),
		     handle);
	ranks_free(&group->ranks, &engine->pages);
	pages_release(&engine->pages, handle);
}

/* --- values come and go --- */

static bool take_in(struct engine *engine, const struct plan_state *ps,
		    struct holder holder, int64_t key, int64_t ranked) {
	if (ps->plan->peers->ranked &&
	    !ranks_add(holder.ranks, &engine->pages, ranked))
		return false;
	if (!holder.sums || moments_add(holder.sums, value_of(ps, key)))
		return true;
	if (ps->plan->peers->ranked)
		ranks_remove(holder.ranks, &engine->pages, ranked);
	return false;
}

static void take_out(struct engine *engine, const struct plan_state *ps,
		     struct holder holder, int64_t key, int64_t ranked) {
	if (ps->plan->peers->ranked)
		ranks_remove(holder.ranks, &engine->pages, ranked);
	if (holder.sums)
		moments_retract(holder.sums, value_of(ps, key));
}

/* Into the cohort and its group, or into neither: then memory has ended. */
static void count_value(struct engine *engine, struct plan_state *ps,
			handle_t cohort, struct entry *entry) {
	int64_t key = (int64_t)entry->coordinates;
	bool is_coarse = cohort_read(engine, ps, cohort)->is_coarse;
	int64_t ranked = key_in(ps, is_coarse, key);
	struct holder all = holder_of(engine, ps, cohort);
	bool is_in = take_in(engine, ps, all, key, ranked);

	if (is_in && entry->payload &&
	    !take_in(engine, ps, holder_of_group(engine, ps, entry->payload),
		     key, ranked)) {
		take_out(engine, ps, all, key, ranked);
		is_in = false;
	}
	entry->flags = is_in ? VALUE_COUNTS : 0;
	COUNT(engine, ps->plan, lost, !is_in);
}

static void uncount_value(struct engine *engine, struct plan_state *ps,
			  handle_t cohort, const struct entry *entry) {
	int64_t key = (int64_t)entry->coordinates;
	bool is_coarse = cohort_read(engine, ps, cohort)->is_coarse;
	int64_t ranked = key_in(ps, is_coarse, key);

	take_out(engine, ps, holder_of(engine, ps, cohort), key, ranked);
	if (entry->payload)
		take_out(engine, ps,
			 holder_of_group(engine, ps, entry->payload), key,
			 ranked);
}

static void group_done(struct engine *engine, struct plan_state *ps,
		       handle_t handle) {
	const struct group *group = pages_read(&engine->pages, handle);

	if (!group->entries)
		group_end(engine, ps, handle);
}

/* What it counted for is no concern any more. */
static void oldest_goes(struct engine *engine, struct plan_state *ps,
			handle_t cohort) {
	struct chain *values = &cohort_write(engine, ps, cohort)->values;
	handle_t handle =
		chain_oldest(values, &engine->pages, VALUE_BYTES)->payload;
	struct group *group;

	if (handle) {
		group = pages_write(&engine->pages, handle);
		group->entries--;
		group_done(engine, ps, handle);
	}
	chain_pop(values, &engine->pages);
	ps->counters.entries--;
}

static void oldest_leaves(struct engine *engine, struct plan_state *ps,
			  handle_t cohort) {
	const struct entry *oldest =
		chain_oldest(&cohort_read(engine, ps, cohort)->values,
			     &engine->pages, VALUE_BYTES);

	if (oldest->flags & VALUE_COUNTS)
		uncount_value(engine, ps, cohort, oldest);
	oldest_goes(engine, ps, cohort);
}

static void forget(struct engine *engine, struct holder holder) {
	ranks_free(holder.ranks, &engine->pages);
	if (holder.sums)
		*holder.sums = (struct moments){ 0 };
}

static void forget_all(struct engine *engine, const struct plan_state *ps,
		       handle_t cohort) {
	const struct chain *values = &cohort_read(engine, ps, cohort)->values;
	struct chain_walk walk;

	for (chain_begin(&walk, values, &engine->pages, VALUE_BYTES);
	     walk.entry; chain_step(&walk))
		if (walk.entry->payload)
			forget(engine, holder_of_group(engine, ps,
						       walk.entry->payload));
	forget(engine, holder_of(engine, ps, cohort));
}

/* Counts all anew, as they are or by what stands for them. */
static void rebuild(struct engine *engine, struct plan_state *ps,
		    handle_t cohort, bool is_coarse) {
	const struct chain *values = &cohort_read(engine, ps, cohort)->values;
	struct chain_walk walk;

	forget_all(engine, ps, cohort);
	cohort_write(engine, ps, cohort)->is_coarse = is_coarse;
	for (chain_begin(&walk, values, &engine->pages, VALUE_BYTES);
	     walk.entry; chain_step(&walk)) {
		pages_write(&engine->pages, walk.chunk);
		count_value(engine, ps, cohort,
			    (struct entry *)(uintptr_t)walk.entry);
	}
}

static void settle(struct engine *engine, struct plan_state *ps,
		   handle_t cohort) {
	const struct cohort *read = cohort_read(engine, ps, cohort);

	if (!ps->plan->peers->ranked)
		return;
	if (!read->is_coarse && read->ranks.n > COARSE_ABOVE)
		rebuild(engine, ps, cohort, true);
	else if (read->is_coarse && read->ranks.n < COARSE_BELOW)
		rebuild(engine, ps, cohort, false);
}

static void advance(struct engine *engine, struct plan_state *ps,
		    handle_t cohort, usec_t now) {
	struct key *key = key_write(engine, cohort);
	const struct chain *values = &cohort_read(engine, ps, cohort)->values;

	if (now <= key->clock)
		return;
	charge(engine, &ps->counters.bytes);
	key->clock = now;
	while (values->n &&
	       chain_oldest(values, &engine->pages, VALUE_BYTES)->time <=
		       now - ps->plan->window.width)
		oldest_leaves(engine, ps, cohort);
	settle(engine, ps, cohort);
}

/* --- an event --- */

/*
 * Its cohort is found, and its clock raised, before anything is judged: what
 * a rule sees must not hang on which others have looked.
 */
void peers_fold(struct engine *engine, const struct event *event,
		struct touch *touch, bool late) {
	struct plan_state *ps = touch->plan;

	touch->folded = touch->judges = false;
	touch->key = 0;
	if (touch->where_missing || !touch->bytes ||
	    (late && ps->plan->drop_late))
		return;
	touch->folded = true;
	touch->key =
		key_find(engine, ps, touch->hash, touch->bytes, touch->len);
	if (touch->key && key_expire(engine, ps, touch->key, engine->watermark))
		touch->key = 0;
	if (touch->key)
		advance(engine, ps, touch->key, event->time);
}

/* The value of the event; missing: it has none that can be counted. */
static struct value value_at(struct engine *engine, const struct event *event,
			     const struct touch *touch) {
	struct expr_context context = { event->time, event->time,
					&engine->scratch, &engine->rows };
	struct value v = expr_eval(touch->input->of, event->slots, &context);

	if (v.kind == KIND_DOUBLE && !isfinite(v.d))
		v = value_missing(MISSING_OVERFLOW);
	return v;
}

static bool group_at(struct engine *engine, const struct event *event,
		     const struct touch *touch, uint8_t *bytes, uint32_t *len) {
	const struct peers *peers = touch->plan->plan->peers;
	struct expr_context context = { event->time, event->time,
					&engine->scratch, &engine->rows };
	struct value *values =
		arena_array(&engine->scratch, struct value, peers->n_same + 1);
	size_t i;

	for (i = 0; i < peers->n_same; i++)
		values[i] = expr_eval(touch->input->same[i], event->slots,
				      &context);
	return key_encode(values, peers->same_types, peers->n_same, bytes, len);
}

static void put(struct engine *engine, struct plan_state *ps, handle_t cohort,
		usec_t time, struct value v, handle_t group) {
	struct entry at = { .time = time,
			    .coordinates = (uint64_t)sample_key(v),
			    .payload = group };
	struct chain *values = &cohort_write(engine, ps, cohort)->values;
	struct entry *entry =
		chain_insert(values, &engine->pages, VALUE_BYTES, &at);
	struct group *mine;

	if (!entry) {
		COUNT(engine, ps->plan, lost, 1);
		if (group)
			group_done(engine, ps, group);
		return;
	}
	ps->counters.entries++;
	if (group) {
		mine = pages_write(&engine->pages, group);
		mine->entries++;
	}
	count_value(engine, ps, cohort, entry);
	if (values->n > PEERS_MOST) {
		oldest_leaves(engine, ps, cohort);
		COUNT(engine, ps->plan, lost, 1);
	}
	settle(engine, ps, cohort);
}

/* Into its cohort, unless it is older than all that counts there. */
static void enter(struct engine *engine, struct plan_state *ps, handle_t cohort,
		  usec_t time, struct value v, const uint8_t *bytes,
		  uint32_t len) {
	handle_t group = 0;

	charge(engine, &ps->counters.bytes);
	advance(engine, ps, cohort, time);
	if (time <= key_read(engine, cohort)->clock - ps->plan->window.width)
		return;
	if (ps->plan->peers->n_same) {
		group = group_make(engine, ps, cohort, bytes, len);
		if (!group) {
			COUNT(engine, ps->plan, lost, 1);
			return;
		}
	}
	put(engine, ps, cohort, time, v, group);
}

void peers_enter(struct engine *engine, const struct event *event,
		 struct touch *touch) {
	struct plan_state *ps = touch->plan;
	uint8_t bytes[KEY_MAX];
	struct value v;
	uint32_t len;

	if (!touch->folded || !touch->input->of)
		return;
	touch_element(event, touch);
	v = value_at(engine, event, touch);
	if (value_is_missing(v) ||
	    !group_at(engine, event, touch, bytes, &len)) {
		COUNT(engine, ps->plan, argument_missing, 1);
		return;
	}
	entries_bound(engine, ps);
	if (!touch->key) /* another element may have made it */
		touch->key = key_find(engine, ps, touch->hash, touch->bytes,
				      touch->len);
	if (!touch->key)
		touch->key = key_make(engine, ps, touch->hash, touch->bytes,
				      touch->len, event->time);
	if (touch->key)
		enter(engine, ps, touch->key, event->time, v, bytes, len);
	else
		COUNT(engine, ps->plan, no_room, 1);
}

/* --- a window that is over --- */

uint16_t peers_timer_rule(const struct engine *engine,
			  const struct plan_state *ps) {
	return (uint16_t)(engine->set->n_rules + ps->plan->index);
}

static handle_t cohort_make(struct engine *engine, struct plan_state *ps,
			    const struct value *values, usec_t time) {
	uint8_t bytes[KEY_MAX];
	uint32_t len, hash;
	handle_t cohort;

	if (!key_encode(values, ps->plan->by_types, ps->plan->n_by, bytes,
			&len)) {
		COUNT(engine, ps->plan, argument_missing, 1);
		return 0;
	}
	entries_bound(engine, ps);
	hash = key_hash(engine, bytes, len);
	cohort = key_find(engine, ps, hash, bytes, len);
	if (cohort && !key_expire(engine, ps, cohort, time))
		return cohort;
	cohort = key_make(engine, ps, hash, bytes, len, time);
	COUNT(engine, ps->plan, no_room, !cohort);
	return cohort;
}

/* What the window came to, into one cohort. */
static void hand_over(struct engine *engine, const struct handover *handover,
		      const struct value *kept, struct value v, usec_t time) {
	struct plan_state *ps = &engine->plans[handover->plan->index];
	const struct peers *peers = handover->plan->peers;
	uint8_t bytes[KEY_MAX];
	struct value *values =
		arena_array(&engine->scratch, struct value,
			    handover->plan->n_by + peers->n_same + 1);
	handle_t cohort;
	uint32_t len;
	size_t i;

	for (i = 0; i < peers->n_same; i++)
		values[i] = kept[handover->same[i]];
	if (value_is_missing(v) || (v.kind == KIND_DOUBLE && !isfinite(v.d)) ||
	    !key_encode(values, peers->same_types, peers->n_same, bytes,
			&len)) {
		COUNT(engine, handover->plan, argument_missing, 1);
		return;
	}
	for (i = 0; i < handover->plan->n_by; i++)
		values[i] = kept[handover->by[i]];
	cohort = cohort_make(engine, ps, values, time);
	if (cohort)
		enter(engine, ps, cohort, time, v, bytes, len);
}

static void hand_all_over(struct engine *engine, struct plan_state *ps,
			  handle_t key, handle_t period,
			  const struct stretch *stretch, handle_t last,
			  usec_t time) {
	const struct plan *plan = ps->plan;
	struct value *kept =
		arena_array(&engine->scratch, struct value, plan->n_kept + 1);
	struct value v;
	size_t i;

	blob_read(engine, last, kept, plan->n_kept, &engine->scratch);
	for (i = 0; i < plan->n_handovers; i++) {
		v = measure_value(engine, ps, key, period, stretch,
				  plan->handovers[i].measure);
		hand_over(engine, &plan->handovers[i], kept, v, time);
	}
}

/* It has been judged, and goes when its values have been given. */
static void stretch_ends(struct engine *engine, struct plan_state *ps,
			 const struct timer *timer) {
	handle_t key = timer->target;
	struct stretch first;

	if (!stretch_is_armed(engine, ps, timer))
		return;
	if (stretch_first(engine, ps, key, &first) && first.end < timer->due) {
		if (!first.is_stray)
			hand_all_over(engine, ps, key, 0, &first, first.last,
				      first.end);
		stretch_drop(engine, ps, key, &first);
	}
	stretch_rearm(engine, ps, key);
}

void peers_timer(struct engine *engine, struct plan_state *ps,
		 const struct timer *timer) {
	const struct period *period;
	const struct last *last;
	handle_t key = timer->target, record;

	if (!key_is(engine, key, timer->created))
		return;
	if (plan_has_stretches(ps)) {
		stretch_ends(engine, ps, timer);
		return;
	}
	record = period_find(engine, ps, key, timer->period);
	if (!record)
		return;
	period = pages_read(&engine->pages, record);
	last = (const void *)((const uint8_t *)pages_read(&engine->pages, key) +
			      ps->at.last);
	if (period->events)
		hand_all_over(engine, ps, key, record, NULL, last->values,
			      timer->due);
}

/* --- as a key --- */

usec_t peers_end(const struct engine *engine, const struct plan_state *ps,
		 handle_t key) {
	const struct chain *values = &cohort_read(engine, ps, key)->values;

	if (!values->n)
		return key_read(engine, key)->clock;
	return chain_newest(values, &engine->pages, VALUE_BYTES)->time +
	       ps->plan->window.width;
}

void peers_release(struct engine *engine, struct plan_state *ps, handle_t key) {
	while (cohort_read(engine, ps, key)->values.n)
		oldest_goes(engine, ps, key);
	ranks_free(&cohort_write(engine, ps, key)->ranks, &engine->pages);
}

void peers_dump(const struct engine *engine, const struct plan_state *ps,
		handle_t key, struct buf *out) {
	const struct cohort *cohort = cohort_read(engine, ps, key);
	struct chain_walk walk;

	buf_printf(out, " %u of %u%s:", cohort->ranks.n, cohort->values.n,
		   cohort->is_coarse ? " coarse" : "");
	for (chain_begin(&walk, &cohort->values, &engine->pages, VALUE_BYTES);
	     walk.entry; chain_step(&walk))
		buf_printf(out, " %lld=%lld/%u", (long long)walk.entry->time,
			   (long long)walk.entry->coordinates,
			   walk.entry->payload);
}

/* --- judging --- */

/*
 * The cohort of the event at hand is known already. At a timer it is that of
 * the key's last event, and the timer's time is the cohort's, too.
 */
static handle_t cohort_of(struct engine *engine, const struct judging *j,
			  struct plan_state *ps, const struct value *values) {
	uint8_t bytes[KEY_MAX];
	handle_t cohort;
	uint32_t len, i;

	for (i = 0; j->event && i < engine->n_taking; i++)
		if (engine->taking[i].plan == ps &&
		    engine->taking[i].i_element == j->touch->i_element)
			return engine->taking[i].key;
	if (!key_encode(values, ps->plan->by_types, ps->plan->n_by, bytes,
			&len))
		return 0;
	cohort = key_find(engine, ps, key_hash(engine, bytes, len), bytes, len);
	if (cohort && !j->event)
		advance(engine, ps, cohort, j->now);
	return cohort;
}

static const struct value *kept_values(struct engine *engine,
				       const struct judging *j,
				       const uint16_t *which, size_t n) {
	struct value *ret = arena_array(&engine->scratch, struct value, n + 1);
	size_t i;

	for (i = 0; i < n; i++)
		ret[i] = j->rs->kept[which[i]];
	return ret;
}

/* The sums of the cohort less those of the group, which are a part of them. */
static struct moments sums_of(struct holder all, struct holder without) {
	struct moments ret = *all.sums;

	if (!without.sums)
		return ret;
	ret.n -= without.sums->n;
	ret.exact.sum = wide_of(wide_get(ret.exact.sum) -
				wide_get(without.sums->exact.sum));
	ret.exact.squares = wide_of(wide_get(ret.exact.squares) -
				    wide_get(without.sums->exact.squares));
	return ret;
}

static void mean_of_sums(const struct moments *sums, struct value like,
			 struct baseline_used *used) {
	double variance;

	used->mid = value_like(
		like, (int64_t)i128_divide_even(wide_get(sums->exact.sum),
						(i128)sums->n));
	used->spread = value_missing(MISSING_EMPTY);
	if (moments_variance(sums, like, major_units(like), &variance))
		used->spread = value_finite(sqrt(variance));
}

static void mean_of_sample(const struct sample *sample,
			   struct baseline_used *used) {
	double mean, deviation;

	sample_moments(sample, &mean, &deviation);
	used->mid = value_finite(mean);
	used->spread = sample->n < 2 ? value_missing(MISSING_EMPTY)
				     : value_finite(deviation);
}

/* False: fewer than are asked for. */
static bool find_in(struct engine *engine, struct plan_state *ps,
		    handle_t cohort, handle_t group,
		    struct baseline_found *found) {
	const struct peers *peers = ps->plan->peers;
	const struct baseline *b = found->used.baseline;
	struct holder all = holder_of(engine, ps, cohort), without = { 0 };
	struct moments sums = { 0 };
	size_t n;

	if (group)
		without = holder_of_group(engine, ps, group);
	if (peers->summed)
		sums = sums_of(all, without);
	n = (size_t)sums.n;
	if (peers->ranked)
		n = all.ranks->n - (group ? without.ranks->n : 0);
	found->used.n = (uint32_t)n;
	if (!n || n < b->min_samples)
		return false;
	if (peers->ranked)
		found->sample = (struct sample){
			.n = n,
			.like = value_of(ps, 0),
			.pages = &engine->pages,
			.all = all.ranks,
			.without = without.ranks,
			.hint = &cohort_write(engine, ps, cohort)->hint
		};
	if (b->stat != STAT_MEAN_SD)
		baseline_ranks(found);
	else if (peers->summed)
		mean_of_sums(&sums, value_of(ps, 0), &found->used);
	else
		mean_of_sample(&found->sample, &found->used);
	return true;
}

/* The narrowest cohort that has enough. */
void peers_value(struct engine *engine, const struct judging *j,
		 struct baseline_found *found) {
	struct baseline_used *used = &found->used;
	const struct baseline *b = used->baseline;
	const struct peers *peers = b->circles[0].plan->peers;
	uint8_t bytes[KEY_MAX];
	uint32_t len;
	size_t i;

	used->same = kept_values(engine, j, b->same, peers->n_same);
	if (!key_encode(used->same, peers->same_types, peers->n_same, bytes,
			&len))
		return;
	for (i = 0; i < b->n_circles && !used->circle; i++) {
		const struct circle *circle = &b->circles[i];
		struct plan_state *ps = &engine->plans[circle->plan->index];
		const struct value *values =
			kept_values(engine, j, circle->by, circle->plan->n_by);
		handle_t cohort = cohort_of(engine, j, ps, values), group = 0;

		used->n = 0;
		if (!cohort)
			continue;
		if (peers->n_same)
			group = group_find(engine, ps, cohort, bytes, len);
		if (!find_in(engine, ps, cohort, group, found))
			continue;
		used->circle = circle;
		used->cohort = values;
		used->is_coarse = cohort_read(engine, ps, cohort)->is_coarse;
	}
}
