/*
 * Judge: whether a rule rings, and what its alert becomes.
 *
 * Bands are tried from red to green. A missing verdict changes nothing; what
 * leaves a window can lower or resolve, never raise (SEMANTICS.md, S4).
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>
#include <stdlib.h>

enum outcome {
	IS_FALSE,
	IS_TRUE,
	NO_BAND, /* the condition holds, but no band does */
	IS_MISSING
};

struct verdict {
	enum outcome outcome;
	enum level level;
	enum missing reason;
};

static struct expr_context context_of(struct engine *engine,
				      const struct judging *j) {
	return (struct expr_context){ j->now, j->event_time, &engine->scratch,
				      &engine->rows };
}

/* --- the verdict --- */

static void cover(struct engine *engine, const struct judging *j,
		  const struct condition *condition, size_t *at) {
	struct expr_context context = context_of(engine, j);
	struct value v;
	size_t i;

	for (i = 0; i < condition->n_clauses; i++) {
		v = expr_eval(condition->clauses[i].test, j->rs->frame,
			      &context);
		if (v.kind == KIND_BOOL)
			j->rs->coverage[*at + i] |= v.i ? 1 : 2;
	}
	*at += condition->n_clauses;
}

static void cover_all(struct engine *engine, const struct judging *j) {
	const struct rule *rule = j->rs->rule;
	size_t at = 0, band;

	cover(engine, j, &rule->alert_if, &at);
	for (band = LEVEL_GREEN; band <= LEVEL_RED; band++)
		cover(engine, j, &rule->level[band], &at);
	cover(engine, j, &rule->resolve_if, &at);
}

static struct verdict level_of(struct engine *engine, const struct judging *j) {
	struct expr_context context = context_of(engine, j);
	struct verdict verdict = { .outcome = NO_BAND };
	const struct rule *rule = j->rs->rule;
	enum level band;
	struct value v;

	for (band = LEVEL_RED; band >= LEVEL_GREEN; band--) {
		if (!rule->level[band].test)
			continue;
		v = expr_eval(rule->level[band].test, j->rs->frame, &context);
		if (value_is_true(v))
			return (struct verdict){ IS_TRUE, band, 0 };
		if (!value_is_missing(v))
			continue;
		j->rs->counters.band_missing++;
		verdict.outcome = IS_MISSING;
		verdict.reason = v.reason;
	}
	return verdict;
}

static struct verdict decide(struct engine *engine, const struct judging *j) {
	struct expr_context context = context_of(engine, j);
	const struct rule *rule = j->rs->rule;
	struct verdict verdict = { 0 };
	struct value v;

	if (j->rs->coverage)
		cover_all(engine, j);
	v = expr_eval(rule->alert_if.test, j->rs->frame, &context);
	if (value_is_missing(v)) {
		verdict.outcome = IS_MISSING;
		verdict.reason = v.reason;
	} else if (value_is_true(v) && rule->has_level) {
		verdict = level_of(engine, j);
	} else if (value_is_true(v)) {
		verdict.outcome = IS_TRUE;
		verdict.level = LEVEL_YELLOW;
	}
	if (verdict.outcome != IS_MISSING)
		return verdict;
	j->rs->counters.missing[verdict.reason]++;
	if (engine->options.withheld)
		withheld_tell(engine, j,
			      &(struct withheld){ .reason = WITHHELD_MISSING,
						  .missing = verdict.reason });
	if (rule->on_missing == ON_MISSING_ALERT)
		return (struct verdict){ IS_TRUE, LEVEL_YELLOW, 0 };
	return verdict;
}

static const struct exception *exception_of(struct engine *engine,
					    const struct judging *j) {
	struct expr_context context = context_of(engine, j);
	const struct rule *rule = j->rs->rule;
	int64_t today = zone_days(&rule->plan->calendar->zone, j->now);
	size_t i;

	for (i = 0; i < rule->n_exceptions; i++) {
		const struct exception *e = &rule->exceptions[i];

		if (today <= e->until &&
		    value_is_true(expr_eval(e->match, j->rs->frame, &context)))
			return e;
	}
	return NULL;
}

/* --- an alert's life --- */

static usec_t cooldown_end(const struct judging *j, const struct life *life) {
	const struct rule *rule = j->rs->rule;

	return span_add(rule->plan->calendar, life->changed, rule->cooldown, 1);
}

static bool has_cooldown(const struct judging *j) {
	return j->rs->rule->cooldown.n > 0;
}

/* No repeat at the same or a lower level before the cooldown's end. */
static bool is_cooling(const struct judging *j, const struct life *life,
		       enum level level) {
	return has_cooldown(j) && level <= (enum level)life->level &&
	       j->clock < cooldown_end(j, life);
}

/*
 * Of the measures alone: a let moves with the day when a baseline does, and
 * that is not worth a transition.
 */
static uint64_t values_hash(struct engine *engine, const struct judging *j) {
	const struct rule *rule = j->rs->rule;
	size_t i;

	buf_reset(&engine->text);
	for (i = 0; i < rule->n_slots; i++) {
		if (rule->binds[i].from != BIND_MEASURE)
			continue;
		value_json(&engine->text, j->rs->frame[i], NULL);
		buf_putc(&engine->text, ',');
	}
	return hash64(engine->text.data, engine->text.len, 0);
}

/* Remembers the values at firing, for later transitions. */
static void remember_values(struct engine *engine, const struct judging *j,
			    handle_t handle) {
	struct draft draft = { .rule = j->rs->rule, .frame = j->rs->frame };
	struct life *life;
	handle_t at;

	charge(engine, life_account(engine, life_read(engine, handle)));
	if (j->rs->per_event) {
		/* The event will be gone when the review ends. */
		at = blob_make(engine, j->rs->frame, j->rs->rule->n_slots,
			       4096);
		life_write(engine, handle)->at_fire = at;
		return;
	}
	buf_reset(&engine->text);
	record_values(&engine->text, &draft);
	at = bytes_make(engine, engine->text.data, engine->text.len);
	life = life_write(engine, handle);
	life->at_fire = at;
	life->at_fire_len = at ? (uint32_t)engine->text.len : 0;
}

static void begin(struct engine *engine, struct judging *j, handle_t handle,
		  enum level level) {
	struct life *life = life_write(engine, handle);
	uint64_t hash = values_hash(engine, j);

	life->level = (uint8_t)level;
	life->open = true;
	life->values_hash = hash;
	identity(engine, j, life->id);
	emit(engine, handle, j, CHANGE_FIRED, j->why, LEVEL_NONE, NULL);
	remember_values(engine, j, handle);
	j->rs->counters.fired++;
	j->rs->counters.open++;
}

static void fire(struct engine *engine, struct judging *j, enum level level) {
	handle_t handle;

	j->level = level;
	charge(engine, &j->rs->plan->counters.bytes);
	if (plan_has_periods(j->rs->plan) && !j->period_record)
		j->period_record =
			period_make(engine, j->rs->plan, j->key, j->period);
	handle = life_make(engine, j);
	if (!handle)
		return;
	life_write(engine, handle)->state = STATE_FIRING;
	begin(engine, j, handle, level);
	life_link(engine, handle, j);
	life_arm_exit(engine, handle, j);
}

static void resolve(struct engine *engine, struct judging *j, handle_t handle,
		    enum alert_why why) {
	struct life *life = life_write(engine, handle);
	usec_t end = cooldown_end(j, life);

	life->state = STATE_RESOLVED;
	life->open = false;
	life->withheld = false;
	emit(engine, handle, j, CHANGE_RESOLVED, why, (enum level)life->level,
	     NULL);
	j->rs->counters.open--;
	life_unlink(engine, handle);
	evict_note_quiet(engine, j->rs->plan, j->key);
	if (why != WHY_PERIOD && has_cooldown(j) && j->clock < end)
		life_arm_cooldown(engine, handle, end);
	else
		life_end(engine, handle);
}

static void change(struct engine *engine, struct judging *j, handle_t handle,
		   enum level level, enum alert_change what) {
	struct life *life = life_write(engine, handle);
	enum level was = (enum level)life->level;

	life->level = (uint8_t)level;
	life->changed = life->published = j->clock;
	life->values_hash = values_hash(engine, j);
	emit(engine, handle, j, what, j->why, was, NULL);
}

static void refresh(struct engine *engine, struct judging *j, handle_t handle) {
	const struct rule *rule = j->rs->rule;
	struct life *life = life_write(engine, handle);
	uint64_t hash;

	if (j->clock <
	    span_add(rule->plan->calendar, life->published, rule->refresh, 1))
		return;
	hash = values_hash(engine, j);
	if (hash == life->values_hash)
		return;
	life->values_hash = hash;
	life->published = j->clock;
	emit(engine, handle, j, CHANGE_UPDATED, j->why, (enum level)life->level,
	     NULL);
}

static bool should_resolve(struct engine *engine, struct judging *j,
			   struct verdict verdict) {
	struct expr_context context = context_of(engine, j);
	const struct rule *rule = j->rs->rule;

	if (!rule->resolve_if.test)
		return verdict.outcome == IS_FALSE;
	return value_is_true(
		expr_eval(rule->resolve_if.test, j->rs->frame, &context));
}

static void judge_standing(struct engine *engine, struct judging *j,
			   handle_t handle, struct verdict verdict) {
	const struct life *life = life_read(engine, handle);
	enum level level = (enum level)life->level;

	if (window_is_empty(engine, j->rs->plan, j->key)) {
		resolve(engine, j, handle, WHY_WINDOW);
		return;
	}
	if (should_resolve(engine, j, verdict)) {
		resolve(engine, j, handle, j->why);
		return;
	}
	if (verdict.outcome == IS_TRUE && verdict.level > level &&
	    j->mode == JUDGE_FULL) {
		change(engine, j, handle, verdict.level, CHANGE_RAISED);
	} else if (verdict.outcome == IS_TRUE && verdict.level < level) {
		if (is_cooling(j, life, verdict.level))
			life_arm_cooldown(engine, handle,
					  cooldown_end(j, life));
		else
			change(engine, j, handle, verdict.level,
			       CHANGE_LOWERED);
	} else if (verdict.outcome == IS_TRUE || verdict.outcome == NO_BAND) {
		refresh(engine, j, handle);
	}
	life_arm_exit(engine, handle, j);
}

/* Published once; again only when `refresh` has passed. */
static void judge_inconclusive(struct engine *engine, struct judging *j,
			       handle_t handle) {
	const struct rule *rule = j->rs->rule;
	struct life *life;

	if (rule->on_missing != ON_MISSING_INCONCLUSIVE)
		return;
	if (handle && life_read(engine, handle)->state != STATE_INCONCLUSIVE)
		return;
	if (handle && j->clock < span_add(rule->plan->calendar,
					  life_read(engine, handle)->published,
					  rule->refresh, 1))
		return;
	if (!handle) {
		handle = life_make(engine, j);
		if (!handle)
			return;
		life = life_write(engine, handle);
		life->state = STATE_INCONCLUSIVE;
		life->level = LEVEL_GREEN;
		identity(engine, j, life->id);
	}
	life_write(engine, handle)->published = j->clock;
	emit(engine, handle, j, CHANGE_UPDATED, j->why, LEVEL_GREEN, NULL);
	/* Without a key there is nobody to remember it for. */
	if (!life_read(engine, handle)->key)
		life_end(engine, handle);
}

static void cool(struct engine *engine, const struct judging *j,
		 enum level level) {
	j->rs->counters.withheld_cooldown++;
	if (engine->options.withheld)
		withheld_tell(engine, j,
			      &(struct withheld){ .reason = WITHHELD_COOLDOWN,
						  .level = level });
}

/* True: an exception withholds it. */
static bool is_excepted(struct engine *engine, const struct judging *j,
			enum level level) {
	const struct exception *exception = exception_of(engine, j);

	if (!exception)
		return false;
	j->rs->counters.withheld_exception++;
	if (engine->options.withheld)
		withheld_tell(engine, j,
			      &(struct withheld){ .reason = WITHHELD_EXCEPTION,
						  .exception = exception,
						  .level = level });
	return true;
}

static void withhold(struct engine *engine, struct judging *j, handle_t handle,
		     enum level level) {
	struct life *life = life_write(engine, handle);

	cool(engine, j, level);
	life->withheld = true;
	life_arm_cooldown(engine, handle, cooldown_end(j, life));
}

static void judge_quiet(struct engine *engine, struct judging *j,
			handle_t handle, struct verdict verdict) {
	if (verdict.outcome == IS_MISSING) {
		judge_inconclusive(engine, j, handle);
		return;
	}
	if (verdict.outcome != IS_TRUE)
		return;
	if (is_excepted(engine, j, verdict.level))
		return;
	if (handle && life_read(engine, handle)->state == STATE_RESOLVED &&
	    is_cooling(j, life_read(engine, handle), verdict.level)) {
		withhold(engine, j, handle, verdict.level);
		return;
	}
	fire(engine, j, verdict.level);
	if (handle)
		life_end(engine, handle);
}

/* per: event. A cooldown, if there is one, is remembered with the key. */
static void judge_single(struct engine *engine, struct judging *j,
			 struct verdict verdict) {
	const struct rule *rule = j->rs->rule;
	handle_t memory = 0, handle;
	struct life *life;

	if (verdict.outcome == IS_MISSING)
		judge_inconclusive(engine, j, 0);
	if (verdict.outcome != IS_TRUE)
		return;
	if (is_excepted(engine, j, verdict.level))
		return;
	if (has_cooldown(j))
		memory = life_find(engine, j);
	if (memory && is_cooling(j, life_read(engine, memory), verdict.level)) {
		cool(engine, j, verdict.level);
		return;
	}
	if (memory)
		life_end(engine, memory);
	handle = life_make(engine, j);
	if (!handle)
		return;
	life_write(engine, handle)->state = STATE_RESOLVED;
	begin(engine, j, handle, verdict.level);
	life_arm_review(engine, handle,
			span_add(rule->plan->calendar, j->clock,
				 rule->review_within, 1));
	if (!has_cooldown(j) || !j->key)
		return;
	charge(engine, &j->rs->plan->counters.bytes);
	memory = pages_alloc_kind(&engine->pages, sizeof(*life), CELL_LIFE);
	if (!memory)
		return;
	life = life_write(engine, memory);
	*life = *life_read(engine, handle);
	life->at_fire = life->key_bytes = 0;
	life->review = 0;
	life->prev = life->name = 0;
	life->open = false;
	life->key = j->key;
	life->next = key_read(engine, j->key)->lives;
	key_write(engine, j->key)->lives = memory;
	life_arm_cooldown(engine, memory, cooldown_end(j, life));
}

/* --- windows that were joined --- */

/* What fires goes before what is remembered; then the older one. */
static bool stays(const struct life *a, const struct life *b) {
	bool a_fires = a->state == STATE_FIRING;

	if (a_fires != (b->state == STATE_FIRING))
		return a_fires;
	if (!a_fires && a->changed != b->changed)
		return a->changed > b->changed;
	if (a->fired != b->fired)
		return a->fired < b->fired;
	return a->period < b->period;
}

static void withdraw(struct engine *engine, struct judging *j,
		     handle_t handle) {
	struct life *life = life_write(engine, handle);

	if (life->state == STATE_FIRING) {
		life->state = STATE_WITHDRAWN;
		life->open = false;
		emit(engine, handle, j, CHANGE_WITHDRAWN, WHY_MERGED,
		     (enum level)life->level, NULL);
		j->rs->counters.open--;
	}
	life_end(engine, handle);
	evict_note_quiet(engine, j->rs->plan, j->key);
}

/* The one of two that must go; 0: there are no two. */
static handle_t one_too_many(struct engine *engine, const struct judging *j) {
	handle_t found = 0, at;

	for (at = key_read(engine, j->key)->lives; at;
	     at = life_read(engine, at)->next) {
		if (!life_is_of(life_read(engine, at), j))
			continue;
		if (found &&
		    stays(life_read(engine, found), life_read(engine, at)))
			return at;
		if (found)
			return found;
		found = at;
	}
	return 0;
}

/* An event that comes out of order may make one window of two. */
static void join(struct engine *engine, struct judging *j) {
	handle_t gone;

	while ((gone = one_too_many(engine, j)))
		withdraw(engine, j, gone);
}

static void count_judging(const struct judging *j) {
	struct rule_state *rs = j->rs;

	rs->counters.judged++;
	if (j->now < rs->known_from || j->now >= rs->known_to)
		rs->counters.without_holidays++;
}

static void judge(struct engine *engine, struct judging *j) {
	struct verdict verdict;
	handle_t life;

	count_judging(j);
	frame_bind(engine, j);
	if (j->stretch)
		join(engine, j);
	verdict = decide(engine, j);
	if (j->rs->rule->per_event) {
		judge_single(engine, j, verdict);
		return;
	}
	life = life_find(engine, j);
	if (life && life_read(engine, life)->state == STATE_FIRING)
		judge_standing(engine, j, life, verdict);
	else if (j->mode == JUDGE_FULL)
		judge_quiet(engine, j, life, verdict);
}

/* --- when to judge --- */

/* The coarser keys above this key, as far as they exist. */
static void find_coarse(struct engine *engine, struct judging *j) {
	const struct rule *rule = j->rs->rule;
	struct value values[16];
	uint8_t bytes[KEY_MAX];
	size_t c, i;
	uint32_t len;

	for (c = 0; c < rule->n_coarse; c++) {
		const struct plan *plan = rule->coarse[c].plan;

		assert(plan->n_by <= ARRAY_SIZE(values));
		for (i = 0; i < plan->n_by; i++)
			values[i] = j->key_values[rule->coarse[c].map[i]];
		j->coarse[c] = 0;
		if (key_encode(values, plan->by_types, plan->n_by, bytes, &len))
			j->coarse[c] = key_find(engine, j->rs->coarse[c],
						key_hash(engine, bytes, len),
						bytes, len);
	}
}

static void prepare(struct engine *engine, struct judging *j) {
	struct plan_state *ps = j->rs->plan;
	struct value *values;
	const struct last *last;

	values =
		arena_array(&engine->scratch, struct value, ps->plan->n_by + 1);
	if (j->key)
		key_values(engine, ps, j->key, values);
	else
		key_decode(j->touch->bytes, j->touch->len, ps->plan->by_types,
			   ps->plan->n_by, values);
	j->key_values = values;
	find_coarse(engine, j);
	if (!j->event && j->stretch)
		j->event_time = j->stretch->last_time;
	if (!j->event && j->key && ps->at.newest != NOWHERE)
		j->event_time = newest_of(engine, ps, j->key)->time;
	if (j->event || j->stretch || !j->key || ps->at.last == NOWHERE)
		return;
	last = (const void *)((const uint8_t *)pages_read(&engine->pages,
							  j->key) +
			      ps->at.last);
	j->event_time = last->is_set ? last->time : j->now;
}

/*
 * Nothing stands for the key, and one clause says that nothing will. A false
 * clause makes the whole false, whatever is missing in the others.
 */
static bool is_quiet(struct engine *engine, const struct judging *j) {
	const struct rule_state *rs = j->rs;

	if (!rs->early || rs->coverage)
		return false;
	if (!rs->per_event && life_find(engine, j))
		return false;
	return frame_is_early_false(engine, j);
}

/*
 * Which window of the key's own events is judged: that of @at. False: there is
 * none. Other windows need no looking.
 */
static bool look_at(struct engine *engine, struct judging *j, usec_t at,
		    struct stretch *stretch) {
	if (!plan_has_stretches(j->rs->plan))
		return true;
	if (!stretch_find(engine, j->rs->plan, j->key, at, stretch))
		return false;
	j->stretch = stretch;
	j->has_period = true;
	j->period = stretch->start;
	return true;
}

void judge_event(struct engine *engine, struct rule_state *rs,
		 const struct event *event, const struct touch *touch,
		 bool late) {
	struct judging j = { .rs = rs,
			     .key = touch->key,
			     .at = event->time,
			     .event_time = event->time,
			     .now = event->time,
			     .event = event,
			     .touch = touch,
			     .why = late ? WHY_LATE : WHY_CONDITION };
	struct stretch stretch;

	touch_element(event, touch);
	if (touch->key)
		j.now = key_read(engine, touch->key)->clock;
	j.clock = j.now;
	if (!look_at(engine, &j, event->time, &stretch))
		return; /* there was no memory to enter it */
	if (plan_has_periods(rs->plan)) {
		j.has_period = true;
		j.period = touch->period_number;
		j.period_record = touch->period;
	}
	if (is_quiet(engine, &j)) {
		count_judging(&j);
		return;
	}
	prepare(engine, &j);
	judge(engine, &j);
}

/* How an alert that stands is looked at again. */
static struct judging again(const struct engine *engine,
			    const struct life *life, usec_t at,
			    enum alert_why why) {
	return (struct judging){ .rs = &engine->rules[life->rule],
				 .key = life->key,
				 .has_period = life->has_period,
				 .period = life->period,
				 .at = at,
				 .event_time = at,
				 .mode = JUDGE_LEAVE,
				 .why = why };
}

/* Because something left, then `now` is when that was due, or because a
 * coarser key changed, then it is the key's clock. */
static void judge_again(struct engine *engine, struct judging *j,
			usec_t clock) {
	window_advance(engine, j->rs->plan, j->key, clock);
	j->clock = key_read(engine, j->key)->clock;
	if (j->why != WHY_WINDOW)
		j->now = j->clock;
	if (plan_has_periods(j->rs->plan))
		j->period_record =
			period_find(engine, j->rs->plan, j->key, j->period);
	prepare(engine, j);
	judge(engine, j);
}

struct standing {
	handle_t life;
	uint64_t created;
	int64_t period;
	uint16_t rule;
};

static int by_creation(const void *a, const void *b) {
	const struct standing *x = a, *y = b;

	if (x->created != y->created)
		return x->created < y->created ? -1 : 1;
	return x->period < y->period ? -1 : x->period > y->period;
}

/* A period's alert looks at the same period of the coarser key. */
static bool is_under(const struct life *life, const struct touch *touch) {
	return !life->has_period || life->period == touch->period_number;
}

void judge_beneath(struct engine *engine, struct rule_state *rs,
		   const struct event *event, const struct touch *touch,
		   bool late) {
	size_t n = 0, i;
	usec_t clock = key_read(engine, touch->key)->clock;
	const struct life *life;
	struct standing *all;
	handle_t at, head;

	memcpy(&head,
	       (const uint8_t *)pages_read(&engine->pages, touch->key) +
		       touch->plan->at.beneath,
	       sizeof(head));
	for (at = head; at; at = *life_beneath(engine, at, touch->plan))
		n++;
	all = arena_array(&engine->batch, struct standing, n + 1);
	n = 0;
	for (at = head; at; at = *life_beneath(engine, at, touch->plan)) {
		life = life_read(engine, at);
		if (life->rule == rs->rule->rank && is_under(life, touch))
			all[n++] = (struct standing){ .life = at,
						      .created = life->created,
						      .period = life->period };
	}
	qsort(all, n, sizeof(*all), by_creation);
	for (i = 0; i < n; i++) {
		struct judging j =
			again(engine, life_read(engine, all[i].life),
			      event->time, late ? WHY_LATE : WHY_CONDITION);

		judge_again(engine, &j, clock);
		arena_reset(&engine->scratch);
	}
}

/* --- what memory does not suffice for --- */

/*
 * Nobody will look at the alert again, so it stays open for people to close,
 * and says so. What fires for the key later is another alert: its evidence is
 * not that of this one, and an auditor finds each id's whole life in a row.
 */
static void leave_stale(struct engine *engine, handle_t handle) {
	struct life *life = life_write(engine, handle);
	struct judging j = again(
		engine, life, key_read(engine, life->key)->clock, WHY_EVICTED);
	struct stretch stretch;

	j.now = j.clock = j.at;
	if (!look_at(engine, &j, life->period, &stretch)) {
		/* All that was in its window had to leave before. */
		stretch = (struct stretch){ .start = life->period,
					    .end = life->period };
		j.stretch = &stretch;
	}
	if (plan_has_periods(j.rs->plan))
		j.period_record =
			period_find(engine, j.rs->plan, j.key, j.period);
	prepare(engine, &j);
	frame_bind(engine, &j);
	life->state = STATE_STALE;
	emit(engine, handle, &j, CHANGE_STALE, WHY_EVICTED,
	     (enum level)life->level, NULL);
	j.rs->counters.open--;
	j.rs->counters.stale++;
}

static int by_rule(const void *a, const void *b) {
	const struct standing *x = a, *y = b;

	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return x->period < y->period ? -1 : x->period > y->period;
}

void judge_evicted(struct engine *engine, struct plan_state *ps, handle_t key) {
	const struct life *life;
	struct standing *all;
	size_t n = 0, i;
	handle_t at;

	if (ps->at.beneath != NOWHERE)
		life_unlink_beneath(engine, ps, key);
	for (at = key_read(engine, key)->lives; at; at = life->next) {
		life = life_read(engine, at);
		n++;
	}
	all = arena_array(&engine->scratch, struct standing, n + 1);
	n = 0;
	for (at = key_read(engine, key)->lives; at; at = life->next) {
		life = life_read(engine, at);
		if (life->state == STATE_FIRING)
			all[n++] = (struct standing){ .life = at,
						      .rule = life->rule,
						      .period = life->period };
	}
	qsort(all, n, sizeof(*all), by_rule);
	for (i = 0; i < n; i++)
		leave_stale(engine, all[i].life);
}

bool judge_oldest_review(struct engine *engine, struct rule_state *rs) {
	struct life *life;
	handle_t handle = rs->reviews;

	if (!handle)
		return false;
	life = life_write(engine, handle);
	life->state = STATE_STALE;
	emit_review(engine, handle, life->published, CHANGE_STALE, WHY_EVICTED);
	rs->counters.open--;
	rs->counters.stale++;
	life_end(engine, handle);
	return true;
}

/* --- timers --- */

/* The window has moved on since the timer was set: set it anew. */
static void exit_rearm(struct engine *engine, handle_t handle,
		       struct judging *j) {
	prepare(engine, j);
	life_arm_exit(engine, handle, j);
}

/*
 * Whether something leaves a key's window at a timer. It may have left already
 * at another alert's timer of the same time: rules share plans.
 */
static bool leaves_at(const struct engine *engine, const struct plan_state *ps,
		      handle_t key, usec_t due) {
	return window_exit(engine, ps, key) <= due ||
	       key_read(engine, key)->clock == due;
}

static void exit_timer(struct engine *engine, const struct timer *timer,
		       handle_t handle) {
	struct life *life = life_write(engine, handle);
	struct rule_state *rs = &engine->rules[timer->rule];
	usec_t now = timer->due, clock;
	struct judging j;
	bool leaves;
	size_t c;

	life->exit_due = NEVER;
	if (life->state != STATE_FIRING)
		return;
	j = again(engine, life, timer->due, WHY_WINDOW);
	j.now = timer->due;
	leaves = leaves_at(engine, rs->plan, life->key, timer->due);
	if (!leaves)
		now = key_read(engine, life->key)->clock;
	for (c = 0; c < rs->rule->n_coarse; c++) {
		handle_t key = life->beneath_key[c];

		if (!key)
			continue;
		if (leaves_at(engine, rs->coarse[c], key, timer->due)) {
			window_advance(engine, rs->coarse[c], key, timer->due);
			leaves = true;
		}
		clock = key_read(engine, key)->clock;
		if (clock > now)
			now = clock;
	}
	if (leaves)
		judge_again(engine, &j, now);
	else
		exit_rearm(engine, handle, &j);
}

static void judge_at(struct engine *engine, const struct timer *timer,
		     handle_t key, bool has_period, int64_t period) {
	struct judging j = { .rs = &engine->rules[timer->rule],
			     .key = key,
			     .has_period = has_period,
			     .period = period,
			     .at = timer->due,
			     .event_time = timer->due,
			     .why = WHY_CONDITION };
	struct stretch stretch;

	window_advance(engine, j.rs->plan, key, timer->due);
	j.clock = key_read(engine, key)->clock;
	j.now = timer->due;
	/* An alert stands for the window in which it fired. */
	if (!look_at(engine, &j, has_period ? period : timer->due, &stretch))
		return;
	if (plan_has_periods(j.rs->plan))
		j.period_record = period_find(engine, j.rs->plan, key, period);
	prepare(engine, &j);
	judge(engine, &j);
}

static void cooldown_timer(struct engine *engine, const struct timer *timer,
			   handle_t handle) {
	struct life *life = life_write(engine, handle);
	struct judging probe = { .rs = &engine->rules[timer->rule],
				 .key = life->key,
				 .period = life->period };

	/* The cooldown runs on the key's clock, so its end is where that
	 * stands when it is forgotten. */
	window_advance(engine, probe.rs->plan, life->key, timer->due);
	if (life->state == STATE_FIRING || life->withheld)
		judge_at(engine, timer, life->key, life->has_period,
			 life->period);
	/* Unless it has fired anew, or waits for another end. */
	handle = life_of_timer(engine, timer);
	if (!handle)
		return;
	life = life_write(engine, handle);
	life->cooldown_due = NEVER;
	if (life->state != STATE_FIRING)
		life_end(engine, handle);
}

static void every_timer(struct engine *engine, const struct timer *timer) {
	struct rule_state *rs = &engine->rules[timer->rule];
	struct timer next = *timer;
	bool has_period = plan_has_periods(rs->plan);

	if (!key_is(engine, timer->target, timer->created) ||
	    key_expire(engine, rs->plan, timer->target, timer->due - 1))
		return;
	judge_at(engine, timer, timer->target, has_period,
		 has_period ? plan_period(rs->plan, timer->due) : 0);
	next.due = every_next(rs->rule, timer->due);
	timers_add(&engine->timers, &engine->pages, &next);
}

/*
 * What still fires when its window was closed is not a passing state: it
 * stands for review, as the alert of an event does.
 */
static void stand(struct engine *engine, struct judging *j, handle_t handle) {
	const struct rule *rule = j->rs->rule;
	struct life *life = life_write(engine, handle);

	life->state = STATE_RESOLVED;
	life->withheld = false;
	emit(engine, handle, j, CHANGE_RESOLVED, WHY_PERIOD,
	     (enum level)life->level, NULL);
	life_detach(engine, handle, j);
	evict_note_quiet(engine, j->rs->plan, j->key);
	if (life->at_fire)
		pages_release(&engine->pages, life->at_fire);
	life->at_fire_len = 0;
	life->at_fire = blob_make(engine, j->rs->frame, rule->n_slots, 4096);
	life_arm_review(engine, handle,
			span_add(rule->plan->calendar, j->clock,
				 rule->review_within, 1));
}

/* The rule's lives of windows up to the one that is over. */
static void lives_close(struct engine *engine, struct judging *j) {
	bool until = j->rs->plan->plan->window.kind == WINDOW_UNTIL;
	const struct life *life;
	handle_t at, next;

	for (at = key_read(engine, j->key)->lives; at; at = next) {
		life = life_read(engine, at);
		next = life->next;
		if (life->rule != j->rs->rank || life->period > j->stretch->end)
			continue;
		if (life->state != STATE_FIRING)
			life_end(engine, at);
		else if (until)
			stand(engine, j, at);
		else
			resolve(engine, j, at, WHY_PERIOD);
	}
}

static void judge_close(struct engine *engine, struct rule_state *rs,
			handle_t key, const struct stretch *over) {
	struct judging j = { .rs = rs,
			     .key = key,
			     .has_period = true,
			     .period = over->start,
			     .stretch = over,
			     .closing = true,
			     .at = over->end,
			     .now = over->end,
			     .why = WHY_CONDITION };

	window_advance(engine, rs->plan, key, over->end);
	j.clock = key_read(engine, key)->clock;
	if (rs->per_event && !window_judges_once(&rs->plan->plan->window))
		return;
	prepare(engine, &j);
	judge(engine, &j);
	if (!rs->per_event)
		lives_close(engine, &j);
}

/*
 * All rules of a plan look at a window when it is over; the last one lets it
 * go, or who gives cohorts what it came to. A timer of an end that has moved
 * since is void, or sets itself anew.
 */
static void stretch_timer(struct engine *engine, const struct timer *timer) {
	struct rule_state *rs = &engine->rules[timer->rule];
	struct plan_state *ps = rs->plan;
	handle_t key = timer->target;
	bool is_last =
		rs == ps->rules[ps->n_rules - 1] && !ps->plan->n_handovers;
	struct stretch first;
	bool over;

	if (!stretch_is_armed(engine, ps, timer))
		return;
	over = stretch_first(engine, ps, key, &first) && first.end < timer->due;
	if (over && !first.is_stray)
		judge_close(engine, rs, key, &first);
	if (over && is_last)
		stretch_drop(engine, ps, key, &first);
	if (is_last)
		stretch_rearm(engine, ps, key);
}

/* Judged once more, then resolved with its last level and values. */
static void period_timer(struct engine *engine, const struct timer *timer) {
	struct rule_state *rs = &engine->rules[timer->rule];
	struct judging j = { .rs = rs,
			     .key = timer->target,
			     .has_period = true,
			     .period = timer->period,
			     .at = timer->due,
			     .event_time = timer->due };
	handle_t life;

	if (!key_is(engine, timer->target, timer->created))
		return;
	if (plan_has_stretches(rs->plan)) {
		stretch_timer(engine, timer);
		return;
	}
	judge_at(engine, timer, timer->target, true, timer->period);
	if (rs->per_event) /* what it says of a period that is over stands */
		return;
	life = life_find(engine, &j);
	if (!life)
		return;
	if (life_read(engine, life)->state != STATE_FIRING) {
		life_end(engine, life);
		return;
	}
	j.clock = key_read(engine, timer->target)->clock;
	j.now = timer->due;
	j.period_record =
		period_find(engine, rs->plan, timer->target, timer->period);
	prepare(engine, &j);
	frame_bind(engine, &j);
	resolve(engine, &j, life, WHY_PERIOD);
}

static void review_timer(struct engine *engine, const struct timer *timer,
			 handle_t handle) {
	life_write(engine, handle)->open = false;
	emit_review(engine, handle, timer->due, CHANGE_UPDATED, WHY_WINDOW);
	engine->rules[timer->rule].counters.open--;
	life_end(engine, handle);
}

static bool is_of_key(const struct timer *timer) {
	return timer->kind == TIMER_EVERY || timer->kind == TIMER_PERIOD_END;
}

bool timer_is_wanted(const struct engine *engine, const struct timer *timer) {
	const struct plan_state *ps = timer_plan(engine, timer);

	if (is_of_key(timer) && !key_is(engine, timer->target, timer->created))
		return false;
	if (timer->kind == TIMER_PERIOD_END && plan_has_stretches(ps))
		return stretch_is_armed(engine, ps, timer);
	if (is_of_key(timer))
		return true;
	return life_of_timer(engine, timer) != 0;
}

void judge_timer(struct engine *engine, const struct timer *timer) {
	handle_t life = is_of_key(timer) ? 0 : life_of_timer(engine, timer);

	if (!is_of_key(timer) && !life)
		return;
	if (timer->rule >= engine->set->n_rules) {
		peers_timer(engine, timer_plan(engine, timer), timer);
		return;
	}
	switch ((enum timer_kind)timer->kind) {
	case TIMER_WINDOW_EXIT:
		exit_timer(engine, timer, life);
		break;
	case TIMER_COOLDOWN_END:
		cooldown_timer(engine, timer, life);
		break;
	case TIMER_EVERY:
		every_timer(engine, timer);
		break;
	case TIMER_PERIOD_END:
		period_timer(engine, timer);
		break;
	case TIMER_REVIEW_END:
		review_timer(engine, timer, life);
		break;
	}
}
