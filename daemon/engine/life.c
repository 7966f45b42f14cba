/*
 * Life: what an alert is between its transitions.
 *
 * A life is one alert, or what a cooldown must remember of one. For per: key
 * it hangs on its key; for per: event it stands alone until its review ends.
 * A timer is not taken back when what it was set for is over, nor does a life
 * wait for it: it is held against what stands when it fires.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>

/* A window of the key's own events is known by any time that lies in it. */
bool life_is_of(const struct life *life, const struct judging *j) {
	if (life->rule != j->rs->rank)
		return false;
	if (j->stretch)
		return life->period >= j->stretch->start &&
		       life->period <= j->stretch->end;
	return life->period == j->period;
}

static handle_t find(const struct engine *engine, handle_t key, uint16_t rule,
		     int64_t period) {
	const struct life *life;
	handle_t at;

	for (at = key_read(engine, key)->lives; at; at = life->next) {
		life = life_read(engine, at);
		if (life->rule == rule && life->period == period)
			return at;
	}
	return 0;
}

handle_t life_find(const struct engine *engine, const struct judging *j) {
	handle_t at;

	if (!j->key)
		return 0;
	for (at = key_read(engine, j->key)->lives; at;
	     at = life_read(engine, at)->next)
		if (life_is_of(life_read(engine, at), j))
			return at;
	return 0;
}

handle_t life_of_timer(const struct engine *engine, const struct timer *timer) {
	const struct life *life;
	handle_t at;

	if (timer->kind == TIMER_REVIEW_END) {
		at = timer->target;
		if (!pages_has(&engine->pages, at, CELL_LIFE))
			return 0;
		life = life_read(engine, at);
		return life->review == (uint64_t)timer->period ? at : 0;
	}
	if (!key_is(engine, timer->target, timer->created))
		return 0;
	at = find(engine, timer->target, timer->rule, timer->period);
	if (!at)
		return 0;
	life = life_read(engine, at);
	if (timer->kind == TIMER_WINDOW_EXIT)
		return life->exit_due == timer->due ? at : 0;
	return life->cooldown_due == timer->due ? at : 0;
}

static void own_key(struct engine *engine, handle_t handle,
		    const struct judging *j) {
	const struct plan *plan = j->rs->rule->plan;
	uint8_t bytes[KEY_MAX];
	struct life *life;
	uint32_t len;

	if (!key_encode(j->key_values, plan->by_types, plan->n_by, bytes, &len))
		len = 0;
	life = life_write(engine, handle);
	life->key_bytes = bytes_make(engine, bytes, len);
	life->key_len = (uint16_t)len;
}

static void review_link(struct engine *engine, struct rule_state *rs,
			handle_t handle) {
	life_write(engine, handle)->prev = rs->reviews_last;
	if (rs->reviews_last)
		life_write(engine, rs->reviews_last)->next = handle;
	else
		rs->reviews = handle;
	rs->reviews_last = handle;
}

static void review_unlink(struct engine *engine, const struct life *life) {
	struct rule_state *rs = &engine->rules[life->rule];

	if (life->prev)
		life_write(engine, life->prev)->next = life->next;
	else
		rs->reviews = life->next;
	if (life->next)
		life_write(engine, life->next)->prev = life->prev;
	else
		rs->reviews_last = life->prev;
}

/* An alert by itself is its rule's, one of a key is the key's plan's. */
uint64_t *life_account(struct engine *engine, const struct life *life) {
	struct rule_state *rs = &engine->rules[life->rule];

	return life->key ? &rs->plan->counters.bytes : &rs->review_bytes;
}

/*
 * A key that opens windows faster than they end would gather any number. One
 * of the same window is about to go.
 */
static bool is_crowded(const struct engine *engine, const struct judging *j) {
	const struct life *life;
	uint32_t n = 0;
	handle_t at;

	for (at = key_read(engine, j->key)->lives;
	     at && n < j->rs->rule->open_max; at = life->next) {
		life = life_read(engine, at);
		n += life->rule == j->rs->rank && !life_is_of(life, j);
	}
	return n >= j->rs->rule->open_max;
}

static void count_crowded(const struct engine *engine, const struct judging *j,
			  enum level level) {
	j->rs->counters.withheld_open_max++;
	if (engine->options.withheld)
		withheld_tell(engine, j,
			      &(struct withheld){ .reason = WITHHELD_OPEN_MAX,
						  .level = level });
}

/* --- what the key's last event is called --- */

static handle_t name_make(struct engine *engine, struct value name) {
	return value_is_missing(name) ? 0 : blob_make(engine, &name, 1, 4096);
}

struct value life_name(struct engine *engine, handle_t key) {
	handle_t at = key_read(engine, key)->lives;
	struct value name = value_missing(MISSING_FIELD);

	while (at && !life_read(engine, at)->name)
		at = life_read(engine, at)->next;
	if (at)
		blob_read(engine, life_read(engine, at)->name, &name, 1,
			  &engine->scratch);
	return name;
}

void lives_name(struct engine *engine, handle_t key, struct value name) {
	handle_t at;

	for (at = key_read(engine, key)->lives; at;
	     at = life_read(engine, at)->next) {
		pages_release(&engine->pages, life_read(engine, at)->name);
		life_write(engine, at)->name = name_make(engine, name);
	}
}

/*
 * It is the event at hand, or one that another life was told of. An event that
 * came out of order may fire while a later one, of which the coordinates are
 * all that is left, remains the last.
 */
static handle_t name_for(struct engine *engine, const struct judging *j) {
	const struct plan_state *ps = j->rs->plan;
	const struct newest *newest;

	if (ps->at.newest == NOWHERE)
		return 0;
	newest = newest_of(engine, ps, j->key);
	if (j->event && newest->time == j->event->time &&
	    newest->coordinates == coordinates_pack(engine, j->event))
		return name_make(engine, event_name(j->event));
	return name_make(engine, life_name(engine, j->key));
}

handle_t life_make(struct engine *engine, const struct judging *j) {
	bool alone = j->rs->rule->per_event;
	struct life *life;
	struct key *key;
	handle_t handle;

	if (!alone && j->stretch && is_crowded(engine, j)) {
		count_crowded(engine, j, j->level);
		return 0;
	}
	charge(engine,
	       alone ? &j->rs->review_bytes : &j->rs->plan->counters.bytes);
	handle = pages_alloc_kind(&engine->pages, sizeof(*life), CELL_LIFE);
	if (!handle) {
		j->rs->counters.no_room++;
		return 0;
	}
	life = life_write(engine, handle);
	life->rule = j->rs->rule->rank;
	life->has_period = j->has_period;
	life->period = j->period;
	life->exit_due = life->cooldown_due = NEVER;
	life->fired = j->at;
	life->changed = life->published = j->clock;
	life->created =
		j->key ? key_read(engine, j->key)->created : ++engine->created;
	if (alone) {
		own_key(engine, handle, j);
		review_link(engine, j->rs, handle);
		return handle;
	}
	life->name = name_for(engine, j);
	key = key_write(engine, j->key);
	life = life_write(engine, handle);
	life->key = j->key;
	life->next = key->lives;
	key->lives = handle;
	return handle;
}

static handle_t *beneath_head(struct engine *engine,
			      const struct plan_state *coarse, handle_t key) {
	uint8_t *bytes = pages_write(&engine->pages, key);

	return (handle_t *)(void *)(bytes + coarse->at.beneath);
}

handle_t *life_beneath(struct engine *engine, handle_t handle,
		       const struct plan_state *coarse) {
	struct life *life = life_write(engine, handle);
	const struct rule_state *rs = &engine->rules[life->rule];
	size_t c = 0;

	while (rs->coarse[c] != coarse)
		assert(++c < rs->rule->n_coarse);
	return &life->beneath_next[c];
}

/* How many of @rule stand beneath a coarser key, counted up to open_max. */
static uint32_t count_beneath(struct engine *engine, const struct rule *rule,
			      const struct plan_state *coarse, handle_t at) {
	uint32_t n = 0;

	for (; at && n < rule->open_max; at = *life_beneath(engine, at, coarse))
		n += life_read(engine, at)->rule == rule->rank;
	return n;
}

/* Beyond open_max the alert is judged only at its own events and timers. */
void life_link(struct engine *engine, handle_t handle,
	       const struct judging *j) {
	const struct rule *rule = j->rs->rule;
	struct life *life = life_write(engine, handle);
	handle_t *head;
	size_t c;

	for (c = 0; c < rule->n_coarse; c++) {
		if (!j->coarse[c])
			continue;
		head = beneath_head(engine, j->rs->coarse[c], j->coarse[c]);
		if (count_beneath(engine, rule, j->rs->coarse[c], *head) >=
		    rule->open_max) {
			count_crowded(engine, j, LEVEL_NONE);
			continue;
		}
		life->beneath_key[c] = j->coarse[c];
		life->beneath_next[c] = *head;
		*head = handle;
	}
}

void life_unlink(struct engine *engine, handle_t handle) {
	struct life *life = life_write(engine, handle);
	struct rule_state *rs = &engine->rules[life->rule];
	handle_t *at;
	size_t c;

	for (c = 0; c < rs->rule->n_coarse; c++) {
		if (!life->beneath_key[c])
			continue;
		at = beneath_head(engine, rs->coarse[c], life->beneath_key[c]);
		while (*at != handle)
			at = life_beneath(engine, *at, rs->coarse[c]);
		*at = life->beneath_next[c];
		evict_note_quiet(engine, rs->coarse[c], life->beneath_key[c]);
		life->beneath_key[c] = 0;
	}
}

void life_unlink_beneath(struct engine *engine, struct plan_state *coarse,
			 handle_t key) {
	handle_t at = *beneath_head(engine, coarse, key), *link, next;
	struct life *life;
	size_t c;

	for (; at; at = next) {
		link = life_beneath(engine, at, coarse);
		next = *link;
		life = life_write(engine, at);
		c = (size_t)(link - life->beneath_next);
		life->beneath_next[c] = life->beneath_key[c] = 0;
	}
	*beneath_head(engine, coarse, key) = 0;
}

static void leave_key(struct engine *engine, handle_t handle) {
	struct life *life = life_write(engine, handle);
	handle_t *at = &key_write(engine, life->key)->lives;

	while (*at != handle)
		at = &life_write(engine, *at)->next;
	*at = life->next;
	life->next = life->key = 0;
}

/* What was the plan's is the rule's from here on. */
static void change_hands(struct engine *engine, struct rule_state *rs,
			 handle_t cell) {
	size_t bytes = cell ? pages_cell_bytes(&engine->pages, cell) : 0;

	rs->plan->counters.bytes -= bytes;
	rs->review_bytes += bytes;
}

void life_detach(struct engine *engine, handle_t handle,
		 const struct judging *j) {
	struct life *life = life_write(engine, handle);

	life_unlink(engine, handle);
	leave_key(engine, handle);
	change_hands(engine, j->rs, handle);
	change_hands(engine, j->rs, life->at_fire);
	charge(engine, &j->rs->review_bytes);
	own_key(engine, handle, j);
	review_link(engine, j->rs, handle);
	life->exit_due = life->cooldown_due = NEVER;
}

void life_end(struct engine *engine, handle_t handle) {
	struct life *life = life_write(engine, handle);

	life_unlink(engine, handle);
	charge(engine, life_account(engine, life));
	if (life->key)
		leave_key(engine, handle);
	else
		review_unlink(engine, life);
	if (life->at_fire)
		pages_release(&engine->pages, life->at_fire);
	if (life->key_bytes)
		pages_release(&engine->pages, life->key_bytes);
	pages_release(&engine->pages, life->name);
	life->review = 0;
	pages_release(&engine->pages, handle);
}

/* Alerts of one key whose reviews end together end as they fired. */
void life_arm_review(struct engine *engine, handle_t handle, usec_t due) {
	struct life *life = life_write(engine, handle);
	struct timer timer = { .due = due,
			       .created = life->created,
			       .target = handle,
			       .rule = life->rule,
			       .kind = TIMER_REVIEW_END };

	life->review = ++engine->created;
	timer.period = (int64_t)life->review;
	timers_add(&engine->timers, &engine->pages, &timer);
}

static void life_arm(struct engine *engine, handle_t handle,
		     enum timer_kind kind, usec_t due) {
	const struct life *life = life_read(engine, handle);
	struct timer timer = { .due = due,
			       .created = life->created,
			       .period = life->period,
			       .target = life->key,
			       .rule = life->rule,
			       .kind = (uint8_t)kind };

	timers_add(&engine->timers, &engine->pages, &timer);
}

/*
 * One timer per open alert, at the end of the oldest thing in its windows. A
 * coarser key that the alert is not linked to (open_max) is not waited for.
 */
void life_arm_exit(struct engine *engine, handle_t handle,
		   const struct judging *j) {
	const struct life *life = life_read(engine, handle);
	const struct rule_state *rs = j->rs;
	usec_t due = window_exit(engine, rs->plan, j->key), coarse;
	size_t c;

	for (c = 0; c < rs->rule->n_coarse; c++) {
		coarse = window_exit(engine, rs->coarse[c],
				     life->beneath_key[c]);
		if (coarse < due)
			due = coarse;
	}
	if (due >= life->exit_due)
		return;
	life_write(engine, handle)->exit_due = due;
	life_arm(engine, handle, TIMER_WINDOW_EXIT, due);
}

void life_arm_cooldown(struct engine *engine, handle_t handle, usec_t due) {
	struct life *life = life_write(engine, handle);

	if (life->cooldown_due == due)
		return;
	life->cooldown_due = due;
	life_arm(engine, handle, TIMER_COOLDOWN_END, due);
}
