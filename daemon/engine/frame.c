/*
 * Frame: what a rule looks at when it judges.
 *
 * Each slot is filled by its bind: the clock, the key, fields of the event (or
 * of the key's last event at a timer), measures, baselines, and lets over all
 * of these, in order.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <stdlib.h>

static struct value like_of(const struct measure *measure) {
	struct value like = { .kind = measure->x_type.kind,
			      .unit = measure->x_type.unit };

	if (!measure->aggregate->takes_x)
		like.kind = KIND_BOOL;
	return like;
}

static struct value empty_value(struct engine *engine,
				const struct measure *measure) {
	const struct aggregate *aggregate = measure->aggregate;
	void *state;

	if (!aggregate->zero_when_empty)
		return value_missing(MISSING_EMPTY);
	if (aggregate->folds && aggregate->state_size) {
		state = arena_alloc(&engine->scratch, aggregate->state_size);
		return aggregate->result(state, measure->constant,
					 like_of(measure));
	}
	return aggregate->scan(NULL, 0, measure->constant, like_of(measure),
			       &engine->scratch);
}

static struct value latest_value(struct engine *engine,
				 const struct plan_state *ps, handle_t key,
				 uint16_t measure) {
	const uint8_t *bytes = pages_read(&engine->pages, key);
	struct latest latest;
	struct value v;

	memcpy(&latest,
	       bytes + ps->at.latest +
		       ps->at.latest_of[measure] * sizeof(latest),
	       sizeof(latest));
	if (!latest.is_set)
		return value_missing(MISSING_EMPTY);
	v = (struct value){ .kind = latest.kind, .unit = latest.unit };
	if (latest.kind != KIND_STRING) {
		memcpy(&v.i, &latest.bits, sizeof(v.i));
		return v;
	}
	if (!latest.bits)
		return value_string("", 0);
	return value_string(pages_read(&engine->pages, (handle_t)latest.bits),
			    latest.len);
}

static struct value scan_value(struct engine *engine,
			       const struct plan_state *ps, const uint8_t *bag,
			       const struct stretch *s, uint16_t measure) {
	const struct measure *m = &ps->plan->measures[measure];
	const struct chain *chain = (const void *)(bag + ps->at.in.chain);
	struct contribution *all;
	struct chain_walk walk;
	size_t n = 0;

	if (!chain->n)
		return empty_value(engine, m);
	all = arena_alloc_raw(&engine->scratch, chain->n * sizeof(*all), 16);
	for (stretch_begin(&walk, engine, ps, chain, s); walk.entry;
	     chain_step(&walk))
		if (stretch_has(s, walk.entry) &&
		    entry_has(ps, walk.entry, measure))
			all[n++] = entry_contribution(engine, ps, walk.entry,
						      measure);
	if (!n)
		return empty_value(engine, m);
	return m->aggregate->scan(all, n, m->constant, like_of(m),
				  &engine->scratch);
}

static struct value joined_value(struct engine *engine,
				 const struct plan_state *ps, handle_t key,
				 uint16_t measure) {
	const struct measure *m = &ps->plan->measures[measure];
	void *state = arena_alloc(&engine->scratch, m->aggregate->state_size);

	if (!merged_join(engine, ps, key, ps->at.bag, measure, state,
			 like_of(m)))
		return value_missing(MISSING_OVERFLOW);
	return m->aggregate->result(state, m->constant, like_of(m));
}

/* One window of several is folded when it is asked for, its head first. */
static struct value fold_value(struct engine *engine,
			       const struct plan_state *ps, const uint8_t *bag,
			       const struct stretch *s, uint16_t measure) {
	const struct measure *m = &ps->plan->measures[measure];
	const struct aggregate *keeper =
		ps->plan->measures[m->keeper].aggregate;
	const struct chain *chain = (const void *)(bag + ps->at.in.chain);
	void *state = arena_alloc(&engine->scratch, keeper->state_size);
	struct contribution c;
	struct chain_walk walk;

	if (s->has_head)
		memcpy(state, bag + ps->at.in.acc[measure], keeper->state_size);
	for (stretch_begin(&walk, engine, ps, chain, s);
	     walk.entry && walk.entry->time <= s->end; chain_step(&walk)) {
		if (!stretch_has(s, walk.entry) ||
		    !entry_has(ps, walk.entry, measure))
			continue;
		c = entry_contribution(engine, ps, walk.entry, measure);
		keeper->add(state, &c);
	}
	return m->aggregate->result(state, m->constant, like_of(m));
}

struct value measure_value(struct engine *engine, struct plan_state *ps,
			   handle_t key, handle_t period_record,
			   const struct stretch *s, uint16_t measure) {
	const struct measure *m = &ps->plan->measures[measure];
	const uint8_t *bag;

	if (!key)
		return empty_value(engine, m);
	if (m->latest)
		return latest_value(engine, ps, key, measure);
	if (ps->at.panes != NOWHERE)
		return panes_value(engine, ps, key, measure, like_of(m));
	if (plan_has_periods(ps)) {
		if (!period_record)
			return empty_value(engine, m);
		bag = (const uint8_t *)pages_read(&engine->pages,
						  period_record) +
		      ps->at.period_bag;
	} else {
		bag = (const uint8_t *)pages_read(&engine->pages, key) +
		      ps->at.bag;
	}
	if (m->scans)
		return scan_value(engine, ps, bag, s, measure);
	if (s)
		return fold_value(engine, ps, bag, s, measure);
	if (ps->at.bag != NOWHERE &&
	    merged_is_there(engine, ps, key, ps->at.bag))
		return joined_value(engine, ps, key, measure);
	return m->aggregate->result(bag + ps->at.in.acc[measure], m->constant,
				    like_of(m));
}

/* --- baselines --- */

/* The period's total through business day @n; all of it if it has fewer. */
static struct value curve_value(const struct engine *engine,
				const struct plan_state *ps, handle_t period,
				uint16_t curve, int64_t n, struct value like) {
	const handle_t *curves =
		(const void *)((const uint8_t *)pages_read(&engine->pages,
							   period) +
			       ps->at.period_curves);
	const struct curve *c;
	i128 total = 0;
	double sum = 0, x;
	uint32_t i;

	if (!curves[curve])
		return like;
	c = pages_read(&engine->pages, curves[curve]);
	for (i = 0; i < c->n && c->at[i].n <= n; i++) {
		if (like.kind != KIND_DOUBLE) {
			total += c->at[i].bits;
			continue;
		}
		memcpy(&x, &c->at[i].bits, sizeof(x));
		sum += x;
	}
	if (like.kind == KIND_DOUBLE)
		like.d = sum;
	else if (!i64_fits(total))
		return value_missing(MISSING_OVERFLOW);
	else
		like.i = (int64_t)total;
	return like;
}

static struct value zero_of(const struct measure *measure) {
	return (struct value){ .kind = measure->type.kind,
			       .unit = measure->type.unit };
}

struct past_walk {
	struct engine *engine;
	struct plan_state *ps;
	handle_t key;
	handle_t at; /* the first period not after the last one asked for */
	const struct baseline *baseline;
	uint16_t curve;
	int64_t n; /* business day, if it aligns */
	struct past *past;
	size_t n_past;
};

/* An alert may stand in a period in which nothing happened. */
static bool has_events(const struct engine *engine, handle_t record) {
	const struct period *period = pages_read(&engine->pages, record);

	return period->events > 0;
}

/* Asked for from new to old, as the periods of a key are linked. */
static handle_t walk_to(struct past_walk *walk, int64_t number) {
	const struct period *period;

	while (walk->at) {
		period = pages_read(&walk->engine->pages, walk->at);
		if (period->number <= number)
			return period->number == number ? walk->at : 0;
		walk->at = period->next;
	}
	return 0;
}

static void take_period(struct past_walk *walk, int64_t number) {
	const struct measure *m =
		&walk->ps->plan->measures[walk->baseline->measure];
	handle_t record = walk_to(walk, number);
	struct value v;

	if (record && !has_events(walk->engine, record))
		record = 0;
	if (!record && !walk->baseline->empty_zero)
		return;
	if (!record)
		v = zero_of(m);
	else if (walk->curve != NOWHERE)
		v = curve_value(walk->engine, walk->ps, record, walk->curve,
				walk->n, zero_of(m));
	else
		v = measure_value(walk->engine, walk->ps, walk->key, record,
				  NULL, walk->baseline->measure);
	if (value_is_missing(v))
		return;
	walk->past[walk->n_past++] = (struct past){ number, v };
}

static int64_t step_of(const struct plan *plan,
		       const struct baseline *baseline) {
	if (baseline->only == ONLY_ALL)
		return 1;
	switch (plan->window.unit) {
	case UNIT_MONTH:
		return baseline->only == ONLY_SAME_QUARTER ? 0 : 12;
	case UNIT_QUARTER:
	case UNIT_FISCAL_QUARTER:
		return 4;
	case UNIT_DAY:
	case UNIT_WEEK:
	case UNIT_YEAR:
	case UNIT_FISCAL_YEAR:
	case UNIT_MAX:
		break;
	}
	return 1;
}

static int quarter_of_month(int64_t month) {
	return (int)((month % 12 + 12) % 12 / 3);
}

/* Newest first. same_quarter of months: months of past years' quarter. */
static void take_past(struct past_walk *walk, int64_t period) {
	const struct plan *plan = walk->ps->plan;
	uint32_t over = walk->baseline->over, i, taken = 0;
	int64_t step = step_of(plan, walk->baseline), number = period;
	int64_t year = (period - (period % 12 + 12) % 12) / 12;

	if (step) {
		for (i = 0; i < over; i++) {
			number -= step;
			take_period(walk, number);
		}
		return;
	}
	for (number = year * 12 - 1; taken < over; number--) {
		if (number < period - 12 * (int64_t)over - 12)
			break;
		if (quarter_of_month(number) != quarter_of_month(period))
			continue;
		take_period(walk, number);
		taken++;
	}
}

static int compare_values(const void *a, const void *b) {
	return value_compare(*(const struct value *)a,
			     *(const struct value *)b);
}

/* From the oldest to the newest, for sums of doubles have an order. */
static void mean_and_deviation(struct engine *engine,
			       const struct past_walk *walk,
			       struct baseline_used *ret) {
	struct arena *arena = &engine->scratch;
	size_t n = walk->n_past, i;
	struct contribution *c = arena_array(arena, struct contribution, n);
	struct value none = value_missing(MISSING_NONE), like;

	for (i = 0; i < n; i++)
		c[n - 1 - i] =
			(struct contribution){ .x = walk->past[i].value,
					       .time = walk->past[i].period,
					       .truth = true };
	like = c[0].x;
	ret->mid = aggregate_find("mean")->scan(c, n, none, like, arena);
	ret->spread = aggregate_find("stdev")->scan(c, n, none, like, arena);
}

static void sort_past(struct engine *engine, const struct past_walk *walk,
		      struct sample *sample) {
	size_t n = walk->n_past, i;
	struct value *v = arena_array(&engine->scratch, struct value, n);

	for (i = 0; i < n; i++)
		v[i] = walk->past[i].value;
	qsort(v, n, sizeof(*v), compare_values);
	*sample = (struct sample){ .n = n, .like = v[0], .sorted = v };
}

void baseline_ranks(struct baseline_found *found) {
	struct baseline_used *used = &found->used;

	if (used->baseline->stat == STAT_MEDIAN_MAD)
		used->spread = sample_mad(&found->sample, &used->mid);
	else
		used->mid = sample_quantile(&found->sample, 1, 2);
	if (used->baseline->stat == STAT_IQR)
		sample_quartiles(&found->sample, &used->q1, &used->q3,
				 &used->spread);
}

static void past_value(struct engine *engine, const struct judging *j,
		       struct baseline_found *found, bool with_past) {
	struct plan_state *ps = j->rs->plan;
	const struct baseline *b = found->used.baseline;
	struct past_walk walk = { .engine = engine,
				  .ps = ps,
				  .key = j->key,
				  .baseline = b,
				  .curve = ps->at.curve_of[b->index] };

	if (!j->key)
		return;
	if (walk.curve != NOWHERE)
		walk.n = workday_number(ps, j->period, j->now);
	walk.past = arena_array(&engine->scratch, struct past, b->over + 1);
	walk.at = period_newest(engine, ps, j->key);
	take_past(&walk, j->period);
	found->used.n = (uint32_t)walk.n_past;
	if (with_past) {
		found->used.past = walk.past;
		found->used.n_past = walk.n_past;
	}
	if (!walk.n_past || walk.n_past < b->min_samples)
		return;
	sort_past(engine, &walk, &found->sample);
	if (b->stat == STAT_MEAN_SD)
		mean_and_deviation(engine, &walk, &found->used);
	else
		baseline_ranks(found);
}

struct baseline_found baseline_value(struct engine *engine,
				     const struct judging *j, uint16_t baseline,
				     bool with_past) {
	const struct baseline *b = &j->rs->plan->plan->baselines[baseline];
	struct baseline_found found = { .used = { .baseline = b } };
	struct baseline_used *used = &found.used;

	used->mid = used->spread = used->q1 = used->q3 =
		value_missing(MISSING_YOUNG);
	if (b->n_circles)
		peers_value(engine, j, &found);
	else
		past_value(engine, j, &found, with_past);
	return found;
}

/* --- binds --- */

struct binding {
	struct engine *engine;
	struct judging *j;
	struct baseline_found *baselines; /* computed ones, by index */
	bool *has_baseline;
};

static bool is_last(const struct engine *engine, const struct last *last,
		    const struct event *event) {
	return last->time == event->time &&
	       last->coordinates == coordinates_pack(engine, event);
}

/* At a timer: of the window's last event, and of the one that closed it. */
static void bind_stretch(struct engine *engine, struct judging *j) {
	struct rule_state *rs = j->rs;
	const struct plan *plan = rs->plan->plan;
	size_t closing = plan->n_inputs - 1, i;
	struct value *closer;

	blob_read(engine, j->stretch->last, rs->kept, plan->n_kept,
		  &engine->scratch);
	blob_read(engine, j->stretch->before, rs->prev, plan->n_kept,
		  &engine->scratch);
	if (!j->closing || !j->stretch->is_closed)
		return;
	closer = arena_array(&engine->scratch, struct value, plan->n_kept + 1);
	blob_read(engine, j->stretch->close, closer, plan->n_kept,
		  &engine->scratch);
	for (i = 0; i < plan->n_kept; i++)
		if (plan->kept[i].slot[closing] >= 0)
			rs->kept[i] = closer[i];
}

static void bind_fields(struct engine *engine, struct judging *j) {
	struct rule_state *rs = j->rs;
	const struct plan *plan = rs->plan->plan;
	const struct last *last;
	handle_t before;
	size_t i;

	if (!j->event && j->stretch) {
		bind_stretch(engine, j);
		return;
	}
	if (j->event) {
		for (i = 0; i < plan->n_kept; i++) {
			rs->kept[i] = kept_value(engine, &plan->kept[i],
						 j->touch->i_input, j->event);
		}
	}
	if (!j->key || rs->plan->at.last == NOWHERE)
		return;
	last = (const void *)((const uint8_t *)pages_read(&engine->pages,
							  j->key) +
			      rs->plan->at.last);
	before = last->before;
	if (j->event && !is_last(engine, last, j->event))
		before = last->values;
	if (!j->event)
		blob_read(engine, last->values, rs->kept, plan->n_kept,
			  &engine->scratch);
	if (plan->keeps_prev)
		blob_read(engine, before, rs->prev, plan->n_kept,
			  &engine->scratch);
}

static struct value bind_measure(struct binding *b, const struct bind *bind) {
	struct judging *j = b->j;
	struct plan_state *ps = j->rs->plan;
	handle_t key = j->key, record = j->period_record;

	if (bind->plan) {
		ps = j->rs->coarse[bind->plan - 1];
		key = j->coarse[bind->plan - 1];
		record = 0;
		if (key && plan_has_periods(ps))
			record = period_find(b->engine, ps, key, j->period);
	}
	return measure_value(b->engine, ps, key, record,
			     bind->plan ? NULL : j->stretch, bind->index);
}

static struct value bind_baseline(struct binding *b, const struct bind *bind) {
	struct baseline_found *found = &b->baselines[bind->index];
	const struct baseline_used *used = &found->used;

	if (!b->has_baseline[bind->index]) {
		*found = baseline_value(b->engine, b->j, bind->index, false);
		b->has_baseline[bind->index] = true;
	}
	switch (bind->part) {
	case PART_MID:
		return used->mid;
	case PART_SPREAD:
		return used->spread;
	case PART_N:
		return value_int(used->n);
	case PART_Q1:
		return used->q1;
	case PART_Q3:
		return used->q3;
	case PART_QUANTILE:
		return found->sample.n
			       ? sample_quantile(&found->sample, bind->quantile,
						 QUANTILE_PARTS)
			       : value_missing(MISSING_YOUNG);
	}
	return value_missing(MISSING_ERROR);
}

static struct value bind_one(struct binding *b, const struct bind *bind) {
	struct judging *j = b->j;
	struct expr_context context = { j->now, j->event_time,
					&b->engine->scratch, &b->engine->rows };

	switch (bind->from) {
	case BIND_NOW:
		return value_time(j->now);
	case BIND_KEY:
		return j->key_values[bind->index];
	case BIND_FIELD:
		return j->rs->kept[bind->index];
	case BIND_PREV:
		return j->rs->prev[bind->index];
	case BIND_MEASURE:
		return bind_measure(b, bind);
	case BIND_BASELINE:
		return bind_baseline(b, bind);
	case BIND_LET:
		return expr_eval(bind->let, j->rs->frame, &context);
	}
	return value_missing(MISSING_ERROR);
}

void frame_bind(struct engine *engine, struct judging *j) {
	const struct rule *rule = j->rs->rule;
	const struct plan *plan = rule->plan;
	struct binding b = { .engine = engine, .j = j };
	size_t i;

	b.baselines = arena_array(&engine->scratch, struct baseline_found,
				  plan->n_baselines + 1);
	b.has_baseline =
		arena_array(&engine->scratch, bool, plan->n_baselines + 1);
	bind_fields(engine, j);
	for (i = 0; i < rule->n_slots; i++)
		j->rs->frame[i] = bind_one(&b, &rule->binds[i]);
}

/* --- the early clause --- */

static bool early_slot(const struct rule *rule, uint16_t slot,
		       struct early_slot *ret) {
	const struct bind *bind = &rule->binds[slot];
	const struct plan *plan = rule->plan;

	*ret = (struct early_slot){ .slot = slot,
				    .index = bind->index,
				    .from = (uint8_t)bind->from };
	switch (bind->from) {
	case BIND_NOW:
		return true;
	case BIND_FIELD:
		if (plan->n_inputs > 1 || plan->kept[bind->index].slot[0] < 0)
			return false;
		ret->index = (uint16_t)plan->kept[bind->index].slot[0];
		return true;
	case BIND_MEASURE:
		return !bind->plan && !plan->measures[bind->index].scans;
	case BIND_KEY:
	case BIND_PREV:
	case BIND_BASELINE:
	case BIND_LET:
		break;
	}
	return false;
}

static bool early_slots(struct rule_state *rs, const struct expr *test) {
	const uint16_t *slots;
	size_t i, n;

	slots = expr_slots(test, &n);
	if (n > EARLY_MOST)
		return false;
	for (i = 0; i < n; i++)
		if (!early_slot(rs->rule, slots[i], &rs->early_slots[i]))
			return false;
	rs->n_early = (uint8_t)n;
	return true;
}

void frame_plan_early(struct rule_state *rs) {
	const struct rule *rule = rs->rule;
	const struct expr_clause *clause;
	struct value ignored;
	size_t i;

	for (i = 0; i < rule->alert_if.n_clauses && !rs->early; i++) {
		clause = &rule->alert_if.clauses[i];
		if (clause->conjunct && !expr_is_dynamic(clause->test) &&
		    !expr_constant(clause->test, &ignored) &&
		    early_slots(rs, clause->test))
			rs->early = clause->test;
	}
}

static struct value early_value(struct engine *engine, const struct judging *j,
				const struct early_slot *slot) {
	if (slot->from == BIND_MEASURE)
		return measure_value(engine, j->rs->plan, j->key,
				     j->period_record, j->stretch, slot->index);
	if (slot->from == BIND_FIELD)
		return j->event->slots[slot->index];
	return value_time(j->now);
}

/* Fills only the slots that the clause reads. */
bool frame_is_early_false(struct engine *engine, const struct judging *j) {
	const struct rule_state *rs = j->rs;
	struct expr_context context = { j->now, j->event_time, &engine->scratch,
					&engine->rows };
	struct value v;
	size_t i;

	for (i = 0; i < rs->n_early; i++)
		rs->frame[rs->early_slots[i].slot] =
			early_value(engine, j, &rs->early_slots[i]);
	v = expr_eval(rs->early, rs->frame, &context);
	return v.kind == KIND_BOOL && !v.i;
}
