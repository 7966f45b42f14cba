/*
 * Fold: takes an event into the window of its key, and out again.
 *
 * What an event contributes is computed once, here. Accumulators that can
 * retract are kept up to date; the others are computed from the raw entries
 * when somebody asks (frame.c).
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>

/* Everything about the event that is being folded. */
struct folding {
	struct engine *engine;
	struct plan_state *ps;
	const struct event *event;
	struct touch *touch;
	uint64_t coordinates;
	bool late;
};

static void *bytes_at(struct engine *engine, handle_t cell, uint16_t offset) {
	return (uint8_t *)pages_write(&engine->pages, cell) + offset;
}

static const void *bytes_of(const struct engine *engine, handle_t cell,
			    uint16_t offset) {
	return (const uint8_t *)pages_read(&engine->pages, cell) + offset;
}

void count_rules(struct engine *engine, const struct plan *plan, size_t offset,
		 uint64_t n) {
	size_t i;

	for (i = 0; i < plan->n_rules; i++) {
		struct rule_counters *counters =
			&engine->rules[plan->rules[i]->rank].counters;

		*(uint64_t *)(void *)((char *)counters + offset) += n;
	}
	for (i = 0; i < plan->n_readers; i++) {
		struct rule_counters *counters =
			&engine->rules[plan->readers[i]->rank].counters;

		*(uint64_t *)(void *)((char *)counters + offset) += n;
	}
}

/* --- contributions --- */

static struct value column(struct folding *f, uint16_t c,
			   const struct expr_context *context) {
	struct plan_state *ps = f->ps;

	if (!ps->has_column[c]) {
		ps->columns[c] =
			expr_eval(ps->at.columns[c].x[f->touch->i_input],
				  f->event->slots, context);
		ps->has_column[c] = true;
	}
	return ps->columns[c];
}

static void contribute(struct folding *f, size_t i,
		       const struct expr_context *context) {
	struct plan_state *ps = f->ps;
	const struct measure *m = &ps->plan->measures[i];
	struct contribution *c = &ps->contributions[i];
	const struct expr *condition;

	ps->entered[i] = false;
	if (!m->feeds[f->touch->i_input])
		return;
	c->time = f->event->time;
	c->coordinates = f->coordinates;
	c->truth = true;
	c->x = value_bool(true);
	c->weight = value_missing(MISSING_NONE);
	if (m->aggregate->takes_condition) {
		condition = m->condition[f->touch->i_input];
		c->truth = value_is_true(
			expr_eval(condition, f->event->slots, context));
		if (!c->truth && m->aggregate->by_condition_only)
			return;
	}
	if (m->aggregate->takes_x)
		c->x = column(f, ps->at.col_of[i], context);
	if (m->weight)
		c->weight = column(f, ps->at.weight_of[i], context);
	if (value_is_missing(c->x) ||
	    (m->weight && value_is_missing(c->weight))) {
		COUNT(f->engine, ps->plan, argument_missing, 1);
		return;
	}
	ps->entered[i] = true;
}

static void contributions(struct folding *f) {
	struct expr_context context = { f->event->time, f->event->time,
					&f->engine->scratch, &f->engine->rows };
	size_t i;

	memset(f->ps->has_column, 0, f->ps->at.n_cols * sizeof(bool));
	for (i = 0; i < f->ps->plan->n_measures; i++)
		contribute(f, i, &context);
}

/* --- bags --- */

static void count_quality(struct folding *f, handle_t cell, uint16_t bag,
			  bool overflow) {
	uint16_t at = f->ps->at.in.quality;
	struct quality *quality;

	if (overflow)
		COUNT(f->engine, f->ps->plan, overflow, 1);
	if (at == NOWHERE || (!overflow && !f->late))
		return;
	quality = bytes_at(f->engine, cell, (uint16_t)(bag + at));
	quality->overflow += overflow;
	quality->late += !overflow && f->late;
}

static void bag_add(struct folding *f, handle_t cell, uint16_t bag) {
	struct plan_state *ps = f->ps;
	uint8_t *bytes = bytes_at(f->engine, cell, bag);
	size_t i;

	for (i = 0; i < ps->plan->n_measures; i++) {
		if (!ps->entered[i] || !keeps(ps, i))
			continue;
		if (ps->plan->measures[i].aggregate->add(
			    bytes + ps->at.in.acc[i], &ps->contributions[i]))
			continue;
		ps->entered[i] = false;
		count_quality(f, cell, bag, true);
	}
	count_quality(f, cell, bag, false);
}

void digest_add(uint64_t sum[2], uint64_t lo, uint64_t hi) {
	sum[0] += lo;
	sum[1] += hi + (sum[0] < lo);
}

/* Evidence: which records, so that anybody can look them up again. */
void record_digest(const struct engine *engine, uint64_t coordinates,
		   uint32_t payload, uint64_t sum[2]) {
	struct coordinates at;
	struct hash128 hash;
	uint8_t bytes[300];
	size_t len;

	coordinates_unpack(engine, coordinates, &at);
	len = strnlen(at.topic, 256);
	memcpy(bytes, at.topic, len);
	bytes[len++] = 0;
	memcpy(bytes + len, &at.partition, 4);
	memcpy(bytes + len + 4, &at.offset, 8);
	memcpy(bytes + len + 12, &payload, 4);
	hash = hash128(bytes, len + 16, 0);
	digest_add(sum, hash.lo, hash.hi);
}

static void bag_digest(struct folding *f, handle_t cell, uint16_t bag) {
	const struct bag_layout *in = &f->ps->at.in;
	uint8_t *bytes;

	if (in->count == NOWHERE)
		return;
	bytes = bytes_at(f->engine, cell, bag);
	++*(uint64_t *)(void *)(bytes + in->count);
	if (in->digest != NOWHERE)
		record_digest(f->engine, f->coordinates, f->event->payload_hash,
			      (uint64_t *)(void *)(bytes + in->digest));
}

/* The newest records of a bag with the fields that are shown, oldest first. */
struct ring {
	uint32_t n;
	handle_t items[];
};
/* The head of a blob: time, coordinates, then the fields that are shown. */
struct ring_item {
	uint64_t time_head;
	usec_t time;
	uint64_t coordinates_head;
	uint64_t coordinates;
};

static const struct ring_item *ring_item(const struct engine *engine,
					 handle_t item) {
	return pages_read(&engine->pages, item);
}

static handle_t ring_item_make(struct folding *f) {
	const struct plan *plan = f->ps->plan;
	size_t base = (size_t)f->touch->i_input * plan->n_evidence, i;
	struct value *values;
	int32_t slot;

	values = arena_alloc_raw(&f->engine->scratch,
				 (plan->n_evidence + 2) * sizeof(*values), 16);
	values[0] = value_int(f->event->time);
	values[1] = value_int((int64_t)f->coordinates);
	for (i = 0; i < plan->n_evidence; i++) {
		slot = plan->evidence_slot[base + i];
		values[i + 2] = slot < 0 ? value_missing(MISSING_ALIAS)
					 : f->event->slots[slot];
	}
	return blob_make(f->engine, values, plan->n_evidence + 2, 256);
}

static bool item_before(const struct ring_item *a, const struct ring_item *b) {
	if (a->time != b->time)
		return a->time < b->time;
	return a->coordinates < b->coordinates;
}

static void bag_show(struct folding *f, handle_t cell, uint16_t bag) {
	struct engine *engine = f->engine;
	uint32_t most = f->ps->plan->evidence, i;
	handle_t *at, item;
	struct ring *ring;

	if (f->ps->at.in.evidence == NOWHERE)
		return;
	at = bytes_at(engine, cell, (uint16_t)(bag + f->ps->at.in.evidence));
	if (!*at)
		*at = pages_alloc(&engine->pages,
				  sizeof(*ring) + most * sizeof(handle_t));
	item = *at ? ring_item_make(f) : 0;
	if (!item)
		return;
	ring = pages_write(&engine->pages, *at);
	for (i = ring->n; i; i--)
		if (!item_before(ring_item(engine, item),
				 ring_item(engine, ring->items[i - 1])))
			break;
	if (ring->n == most) {
		if (!i) {
			pages_release(&engine->pages, item);
			return;
		}
		pages_release(&engine->pages, ring->items[0]);
		memmove(ring->items, ring->items + 1,
			(size_t)(i - 1) * sizeof(handle_t));
		ring->items[i - 1] = item;
		return;
	}
	memmove(ring->items + i + 1, ring->items + i,
		(size_t)(ring->n - i) * sizeof(handle_t));
	ring->items[i] = item;
	ring->n++;
}

/* --- raw entries --- */

struct value kept_value(struct engine *engine, const struct kept *kept,
			uint16_t input, const struct event *event) {
	struct expr_context context = { event->time, event->time,
					&engine->scratch, &engine->rows };

	if (kept->x)
		return kept->x[input] ? expr_eval(kept->x[input], event->slots,
						  &context)
				      : value_missing(MISSING_ALIAS);
	if (kept->slot[input] < 0)
		return value_missing(MISSING_ALIAS);
	return event->slots[kept->slot[input]];
}

/* What judging reads of an event when that is gone, and how it is called. */
static handle_t kept_blob(struct folding *f) {
	const struct plan *plan = f->ps->plan;
	struct value *values = arena_array(&f->engine->scratch, struct value,
					   plan->n_kept + 1);
	size_t i;

	for (i = 0; i < plan->n_kept; i++)
		values[i] = kept_value(f->engine, &plan->kept[i],
				       f->touch->i_input, f->event);
	values[i] = event_name(f->event);
	if (!plan->n_kept && value_is_missing(values[i]))
		return 0;
	return blob_make(f->engine, values, i + 1, 4096);
}

static struct chain *chain_of(struct engine *engine,
			      const struct plan_state *ps, handle_t cell,
			      uint16_t bag) {
	return bytes_at(engine, cell, (uint16_t)(bag + ps->at.in.chain));
}

static uint32_t *entry_words(const struct plan_state *ps, struct entry *entry) {
	return (uint32_t *)(void *)((uint8_t *)entry + ps->at.entry_words);
}

static uint64_t *entry_cols(const struct plan_state *ps, struct entry *entry) {
	return (uint64_t *)(void *)((uint8_t *)entry + ps->at.entry_cols);
}

static uint8_t column_kind(const struct plan_state *ps, uint16_t c) {
	return ps->at.columns[c].type.kind;
}

static bool kind_is_bytes(uint8_t kind) {
	return kind == KIND_STRING;
}

/* Strings are cells of their own: handle and length in the column. */
static void column_put(struct engine *engine, uint64_t *col, struct value v) {
	uint32_t len = v.len > CELL_MAX ? CELL_MAX : v.len;

	if (!kind_is_bytes(v.kind)) {
		memcpy(col, &v.i, sizeof(*col));
		return;
	}
	*col = (uint64_t)bytes_make(engine, v.s, len) << 32 | len;
	if (!(*col >> 32))
		*col = 0;
}

/* NULL: no memory; then it is lost, and that is counted. */
static struct entry *entry_make(struct folding *f, handle_t cell, uint16_t bag,
				uint32_t flags) {
	struct plan_state *ps = f->ps;
	struct engine *engine = f->engine;
	struct entry at = { f->event->time, f->coordinates,
			    f->event->payload_hash,
			    flags | (f->late ? ENTRY_LATE : 0) };
	struct entry_blobs blobs = { 0 };
	struct entry *entry;

	if (ps->at.entry_blobs != NOWHERE)
		at.flags |= (uint32_t)f->event->stream->index << 16;
	entry = chain_insert(chain_of(engine, ps, cell, bag), &engine->pages,
			     ps->at.entry_size, &at);
	if (!entry) {
		COUNT(engine, ps->plan, lost, 1);
		return NULL;
	}
	ps->counters.entries++;
	if (ps->at.entry_blobs == NOWHERE)
		return entry;
	blobs.values = kept_blob(f);
	if (ps->plan->evidence && !(flags & ENTRY_CLOSE))
		blobs.shown = ring_item_make(f);
	memcpy((uint8_t *)entry + ps->at.entry_blobs, &blobs, sizeof(blobs));
	return entry;
}

static void bag_enter(struct folding *f, handle_t cell, uint16_t bag) {
	struct plan_state *ps = f->ps;
	struct engine *engine = f->engine;
	struct entry *entry;
	uint32_t *words;
	uint64_t *cols;
	size_t i;

	if (ps->at.in.chain == NOWHERE)
		return;
	entry = entry_make(f, cell, bag, 0);
	if (!entry)
		return;
	words = entry_words(ps, entry);
	cols = entry_cols(ps, entry);
	for (i = 0; i < ps->plan->n_measures; i++) {
		if (!ps->entered[i])
			continue;
		words[i / 32] |= 1u << i % 32;
		if (ps->contributions[i].truth)
			words[ps->at.n_words + i / 32] |= 1u << i % 32;
	}
	for (i = 0; i < ps->at.n_cols; i++)
		if (ps->has_column[i] && !value_is_missing(ps->columns[i]))
			column_put(engine, &cols[i], ps->columns[i]);
}

static struct value entry_value(const struct engine *engine,
				const struct plan_state *ps,
				const struct entry *entry, uint16_t c) {
	const struct type *type = &ps->at.columns[c].type;
	struct value v = { .kind = type->kind, .unit = type->unit };
	uint64_t col;

	memcpy(&col,
	       (const uint8_t *)entry + ps->at.entry_cols + c * sizeof(col),
	       sizeof(col));
	if (!kind_is_bytes(type->kind)) {
		memcpy(&v.i, &col, sizeof(col));
		return v;
	}
	if (!(col >> 32))
		return value_string("", 0);
	return value_string(pages_read(&engine->pages, (handle_t)(col >> 32)),
			    (uint32_t)col);
}

struct contribution entry_contribution(const struct engine *engine,
				       const struct plan_state *ps,
				       const struct entry *entry,
				       size_t measure) {
	const uint8_t *bytes = (const uint8_t *)entry;
	uint16_t c = ps->at.col_of[measure], w = ps->at.weight_of[measure];
	struct contribution ret = { .time = entry->time,
				    .coordinates = entry->coordinates,
				    .x = value_bool(true) };
	uint32_t word;

	memcpy(&word,
	       bytes + ps->at.entry_words +
		       (ps->at.n_words + measure / 32) * sizeof(word),
	       sizeof(word));
	ret.truth = word >> measure % 32 & 1;
	if (c != NOWHERE)
		ret.x = entry_value(engine, ps, entry, c);
	if (w != NOWHERE)
		ret.weight = entry_value(engine, ps, entry, w);
	return ret;
}

bool entry_has(const struct plan_state *ps, const struct entry *entry,
	       size_t measure) {
	uint32_t word;

	memcpy(&word,
	       (const uint8_t *)entry + ps->at.entry_words +
		       measure / 32 * sizeof(word),
	       sizeof(word));
	return word >> measure % 32 & 1;
}

/*
 * Only windows that entries leave one by one retract. In a period the raw
 * entries are there for what scans; what folds has them for good.
 */
static void bag_retract(struct engine *engine, struct plan_state *ps,
			uint8_t *bag, const struct entry *entry) {
	struct contribution c;
	size_t i;

	if (ps->plan->window.kind != WINDOW_SLIDING &&
	    ps->plan->window.kind != WINDOW_LAST)
		return;
	for (i = 0; i < ps->plan->n_measures; i++) {
		if (!keeps(ps, i) || !entry_has(ps, entry, i))
			continue;
		c = entry_contribution(engine, ps, entry, i);
		ps->plan->measures[i].aggregate->retract(bag + ps->at.in.acc[i],
							 &c);
	}
}

/* Out of the accumulators, its strings given back. */
void bag_leave(struct engine *engine, struct plan_state *ps, handle_t cell,
	       uint16_t bag) {
	struct chain *chain = chain_of(engine, ps, cell, bag);
	const struct entry *entry =
		chain_oldest(chain, &engine->pages, ps->at.entry_size);
	struct entry_blobs blobs = { 0 };
	uint64_t col;
	size_t i;

	bag_retract(engine, ps, bytes_at(engine, cell, bag), entry);
	if (ps->at.entry_blobs != NOWHERE)
		blobs = entry_blobs(ps, entry);
	if (blobs.values)
		pages_release(&engine->pages, blobs.values);
	if (blobs.shown)
		pages_release(&engine->pages, blobs.shown);
	for (i = 0; i < ps->at.n_cols; i++) {
		if (!kind_is_bytes(column_kind(ps, (uint16_t)i)))
			continue;
		memcpy(&col,
		       (const uint8_t *)entry + ps->at.entry_cols +
			       i * sizeof(col),
		       sizeof(col));
		if (col >> 32)
			pages_release(&engine->pages, (handle_t)(col >> 32));
	}
	chain_pop(chain, &engine->pages);
	ps->counters.entries--;
}

static usec_t oldest_time(struct engine *engine, const struct plan_state *ps,
			  handle_t cell, uint16_t bag) {
	return chain_oldest(chain_of(engine, ps, cell, bag), &engine->pages,
			    ps->at.entry_size)
		->time;
}

void bag_release(struct engine *engine, struct plan_state *ps, handle_t cell,
		 uint16_t bag) {
	const struct bag_layout *in = &ps->at.in;
	handle_t *evidence;
	struct ring *ring;
	uint32_t i;

	if (in->evidence != NOWHERE) {
		evidence =
			bytes_at(engine, cell, (uint16_t)(bag + in->evidence));
		if (*evidence) {
			ring = pages_write(&engine->pages, *evidence);
			for (i = 0; i < ring->n; i++)
				pages_release(&engine->pages, ring->items[i]);
			pages_release(&engine->pages, *evidence);
			*evidence = 0;
		}
	}
	if (in->chain != NOWHERE)
		while (chain_of(engine, ps, cell, bag)->n)
			bag_leave(engine, ps, cell, bag);
	merged_release(engine, ps, cell, bag);
}

/* Beyond max_entries the oldest half is merged, or leaves; see merged.c. */
static void bag_bound(struct folding *f, handle_t cell, uint16_t bag) {
	struct plan_state *ps = f->ps;
	struct engine *engine = f->engine;
	uint32_t most = ps->most_entries;
	struct quality *quality;
	bool merged;

	if (ps->at.in.chain == NOWHERE)
		return;
	if (chain_of(engine, ps, cell, bag)->n <= most)
		return;
	while (chain_of(engine, ps, cell, bag)->n > most / 2) {
		merged = merged_add(
			engine, ps, cell, bag,
			chain_oldest(chain_of(engine, ps, cell, bag),
				     &engine->pages, ps->at.entry_size));
		bag_leave(engine, ps, cell, bag);
		quality = bytes_at(engine, cell,
				   (uint16_t)(bag + ps->at.in.quality));
		quality->merged += merged;
		quality->lost += !merged;
		COUNT(engine, ps->plan, merged, merged);
		COUNT(engine, ps->plan, lost, !merged);
	}
}

static void bag_fold(struct folding *f, handle_t cell, uint16_t bag) {
	bag_add(f, cell, bag);
	bag_enter(f, cell, bag);
	bag_digest(f, cell, bag);
	bag_show(f, cell, bag);
	bag_bound(f, cell, bag);
}

/* --- windows --- */

void window_advance(struct engine *engine, struct plan_state *ps, handle_t key,
		    usec_t now) {
	const struct window *window = &ps->plan->window;
	struct key *record = key_write(engine, key);

	if (now > record->clock && window->kind == WINDOW_PANES)
		panes_advance(engine, ps, key, now);
	if (now > record->clock)
		record->clock = now;
	now = record->clock;
	if (ps->at.bag == NOWHERE || ps->at.in.chain == NOWHERE ||
	    !window->width || plan_has_stretches(ps))
		return;
	charge(engine, &ps->counters.bytes);
	merged_advance(engine, ps, key, ps->at.bag, now);
	while (chain_of(engine, ps, key, ps->at.bag)->n &&
	       oldest_time(engine, ps, key, ps->at.bag) <= now - window->width)
		bag_leave(engine, ps, key, ps->at.bag);
}

static uint32_t chain_n(const struct engine *engine,
			const struct plan_state *ps, handle_t key) {
	const struct chain *chain =
		bytes_of(engine, key, (uint16_t)(ps->at.bag + ps->at.in.chain));

	return chain->n;
}

usec_t window_end(const struct engine *engine, const struct plan_state *ps,
		  handle_t key) {
	const struct chain *chain;
	usec_t merged, raw = INT64_MIN;

	if (ps->plan->window.kind == WINDOW_PANES)
		return panes_end(engine, ps, key);
	merged = merged_end(engine, ps, key, ps->at.bag);
	chain = bytes_of(engine, key, (uint16_t)(ps->at.bag + ps->at.in.chain));
	if (chain->n)
		raw = chain_newest(chain, &engine->pages, ps->at.entry_size)
			      ->time +
		      ps->plan->window.width;
	else if (merged == INT64_MIN)
		return key_read(engine, key)->clock;
	return raw > merged ? raw : merged;
}

usec_t window_exit(const struct engine *engine, const struct plan_state *ps,
		   handle_t key) {
	const struct window *window = &ps->plan->window;
	const struct chain *chain;
	usec_t merged, raw;
	int64_t pane;

	if (!key)
		return NEVER;
	if (window->kind == WINDOW_PANES)
		return panes_oldest(engine, ps, key, &pane)
			       ? plan_period_start(
					 ps, pane + (int64_t)window->panes)
			       : NEVER;
	if (ps->at.bag == NOWHERE || ps->at.in.chain == NOWHERE ||
	    !window->width || plan_has_stretches(ps))
		return NEVER;
	merged = merged_exit(engine, ps, key, ps->at.bag);
	if (!chain_n(engine, ps, key))
		return merged;
	chain = bytes_of(engine, key, (uint16_t)(ps->at.bag + ps->at.in.chain));
	raw = chain_oldest(chain, &engine->pages, ps->at.entry_size)->time +
	      window->width;
	return raw < merged ? raw : merged;
}

bool window_is_empty(const struct engine *engine, const struct plan_state *ps,
		     handle_t key) {
	int64_t pane;

	if (!key)
		return false;
	if (ps->plan->window.kind == WINDOW_PANES)
		return !panes_oldest(engine, ps, key, &pane);
	if (ps->at.bag == NOWHERE || ps->at.in.chain == NOWHERE ||
	    plan_has_stretches(ps))
		return false;
	return !chain_n(engine, ps, key) &&
	       !merged_is_there(engine, ps, key, ps->at.bag);
}

/* --- baselines --- */

static int64_t curve_bits(const struct contribution *c,
			  const struct aggregate *aggregate) {
	return aggregate->takes_x ? c->x.i : 1;
}

/* A day's sum may leave the range that the period's sum stays in. */
static int64_t add_capped(int64_t a, int64_t b) {
	int64_t sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return a < 0 ? INT64_MIN : INT64_MAX;
}

static void curve_add(struct folding *f, handle_t *at, int64_t n, int64_t bits,
		      bool is_double) {
	struct engine *engine = f->engine;
	struct curve *curve;
	handle_t larger;
	uint32_t i, cap;
	double sum, x;

	if (!*at)
		*at = pages_alloc(&engine->pages,
				  sizeof(*curve) + sizeof(*curve->at));
	if (!*at)
		return;
	curve = pages_write(&engine->pages, *at);
	for (i = curve->n; i && curve->at[i - 1].n > n; i--)
		;
	if (i && curve->at[i - 1].n == n) {
		if (!is_double) {
			curve->at[i - 1].bits =
				add_capped(curve->at[i - 1].bits, bits);
			return;
		}
		memcpy(&sum, &curve->at[i - 1].bits, sizeof(sum));
		memcpy(&x, &bits, sizeof(x));
		sum += x;
		memcpy(&curve->at[i - 1].bits, &sum, sizeof(sum));
		return;
	}
	cap = (uint32_t)((pages_cell_bytes(&engine->pages, *at) -
			  sizeof(*curve)) /
			 sizeof(*curve->at));
	if (curve->n == cap) {
		larger = pages_alloc(
			&engine->pages,
			sizeof(*curve) + (size_t)cap * 2 * sizeof(*curve->at));
		if (!larger)
			return;
		memcpy(pages_write(&engine->pages, larger), curve,
		       sizeof(*curve) + cap * sizeof(*curve->at));
		pages_release(&engine->pages, *at);
		*at = larger;
		curve = pages_write(&engine->pages, larger);
	}
	memmove(&curve->at[i + 1], &curve->at[i],
		(curve->n - i) * sizeof(*curve->at));
	curve->at[i].n = n;
	curve->at[i].bits = bits;
	curve->n++;
}

int64_t workday_number(const struct plan_state *ps, int64_t period, usec_t at) {
	const struct plan *plan = ps->plan;
	enum calendar_unit unit = plan->window.unit;
	int64_t first = period_first_day(plan->calendar, unit, period);
	int64_t last = period_first_day(plan->calendar, unit, period + 1) - 1;
	int64_t day = zone_days(&plan->calendar->zone, at), n;

	if (day > last)
		day = last;
	n = calendar_workdays(plan->calendar, first, day + 1);
	if (unit == UNIT_FISCAL_YEAR)
		n = (n + 4) / 5;
	return n;
}

static void curves_fold(struct folding *f, handle_t period) {
	const struct plan *plan = f->ps->plan;
	handle_t *curves = bytes_at(f->engine, period, f->ps->at.period_curves);
	const struct contribution *c;
	int64_t n;
	size_t i;

	if (!f->ps->at.n_curves)
		return;
	n = workday_number(f->ps, f->touch->period_number, f->event->time);
	for (i = 0; i < plan->n_baselines; i++) {
		uint16_t measure = plan->baselines[i].measure;

		if (f->ps->at.curve_of[i] == NOWHERE ||
		    !f->ps->entered[measure])
			continue;
		c = &f->ps->contributions[measure];
		curve_add(f, &curves[f->ps->at.curve_of[i]], n,
			  curve_bits(c, plan->measures[measure].aggregate),
			  c->x.kind == KIND_DOUBLE);
	}
}

/* --- what the key remembers beside its window --- */

static bool is_newer(const struct folding *f, usec_t time,
		     uint64_t coordinates) {
	if (f->event->time != time)
		return f->event->time > time;
	return f->coordinates > coordinates;
}

static void latest_fold(struct folding *f, handle_t key) {
	struct plan_state *ps = f->ps;
	struct latest *latest;
	struct value x;
	size_t i;

	for (i = 0; i < ps->plan->n_measures; i++) {
		if (!ps->plan->measures[i].latest || !ps->entered[i])
			continue;
		latest = (struct latest *)bytes_at(f->engine, key,
						   ps->at.latest) +
			 ps->at.latest_of[i];
		if (latest->is_set &&
		    !is_newer(f, latest->time, latest->coordinates))
			continue;
		if (latest->is_set && kind_is_bytes(latest->kind) &&
		    latest->bits)
			pages_release(&f->engine->pages,
				      (handle_t)latest->bits);
		x = ps->contributions[i].x;
		*latest = (struct latest){ .time = f->event->time,
					   .coordinates = f->coordinates,
					   .len = x.len,
					   .is_set = 1,
					   .kind = x.kind,
					   .unit = x.unit };
		if (kind_is_bytes(x.kind)) {
			if (latest->len > CELL_MAX)
				latest->len = CELL_MAX;
			latest->bits = bytes_make(f->engine, x.s, latest->len);
		} else {
			memcpy(&latest->bits, &x.i, sizeof(x.i));
		}
	}
}

/* Fields that judging at a timer reads, and the name of the event. */
static void last_fold(struct folding *f, handle_t key) {
	const struct plan *plan = f->ps->plan;
	struct last *last = bytes_at(f->engine, key, f->ps->at.last);

	if (last->is_set && !is_newer(f, last->time, last->coordinates))
		return;
	if (last->before)
		pages_release(&f->engine->pages, last->before);
	last->before = 0;
	if (plan->keeps_prev)
		last->before = last->values;
	else if (last->values)
		pages_release(&f->engine->pages, last->values);
	last->values = kept_blob(f);
	last->stream = f->event->stream->index;
	last->time = f->event->time;
	last->coordinates = f->coordinates;
	last->is_set = 1;
}

static void newest_fold(struct folding *f, handle_t key) {
	struct newest *newest = newest_write(f->engine, f->ps, key);

	if (!is_newer(f, newest->time, newest->coordinates))
		return;
	newest->time = f->event->time;
	newest->coordinates = f->coordinates;
	if (key_read(f->engine, key)->lives)
		lives_name(f->engine, key, event_name(f->event));
}

/* --- the event --- */

static bool is_before_oldest(const struct folding *f, handle_t key) {
	const struct entry *oldest = chain_oldest(
		bytes_of(f->engine, key,
			 (uint16_t)(f->ps->at.bag + f->ps->at.in.chain)),
		&f->engine->pages, f->ps->at.entry_size);

	return !is_newer(f, oldest->time, oldest->coordinates);
}

/* At or before clock - window: it can no longer change anything. */
static bool is_out_of_window(struct folding *f, handle_t key) {
	const struct window *window = &f->ps->plan->window;
	usec_t clock = key_read(f->engine, key)->clock;

	switch (window->kind) {
	case WINDOW_SLIDING:
		return f->event->time <= clock - window->width;
	case WINDOW_PANES:
		return plan_period(f->ps, f->event->time) <=
		       pane_newest(f->engine, f->ps, key) -
			       (int64_t)window->panes;
	case WINDOW_LAST:
		if (window->width && f->event->time <= clock - window->width)
			return true;
		return chain_n(f->engine, f->ps, key) >= window->last &&
		       is_before_oldest(f, key);
	case WINDOW_EVENT:
	case WINDOW_FOREVER:
	case WINDOW_TUMBLE:
	case WINDOW_CALENDAR:
	case WINDOW_SESSION:
	case WINDOW_UNTIL:
	case WINDOW_PEERS:
		break;
	}
	return false;
}

static void fold_period(struct folding *f, handle_t key) {
	struct touch *touch = f->touch;
	struct plan_state *ps = f->ps;
	struct period *period;

	touch->period_number = plan_period(ps, f->event->time);
	touch->period = period_make(f->engine, ps, key, touch->period_number);
	if (touch->period) {
		period = pages_write(&f->engine->pages, touch->period);
		period->events += period->events < UINT32_MAX;
		bag_fold(f, touch->period, ps->at.period_bag);
		curves_fold(f, touch->period);
	}
	if (window_judges_once(&ps->plan->window))
		touch->judges = false;
	if (plan_period_start(ps, touch->period_number + 1) <=
	    f->engine->watermark) {
		COUNT(f->engine, ps->plan, late_closed, 1);
		touch->judges = false;
	}
}

/*
 * A late event may be all there is of a window that the watermark has passed:
 * nobody was asked at its end, and nobody is now.
 */
static bool is_alone_and_over(const struct folding *f, handle_t key) {
	struct stretch s;

	return f->event->time < f->engine->watermark &&
	       stretch_find(f->engine, f->ps, key, f->event->time, &s) &&
	       s.end < f->engine->watermark && s.n == 1 && !s.has_head;
}

/* Whether it is the newest entry; then no other window ends earlier by it. */
static bool is_in_order(const struct folding *f, handle_t key) {
	const struct plan_state *ps = f->ps;
	const struct chain *chain = bytes_of(
		f->engine, key, (uint16_t)(ps->at.bag + ps->at.in.chain));
	const struct entry *newest;

	if (!chain->n)
		return true;
	newest = chain_newest(chain, &f->engine->pages, ps->at.entry_size);
	return is_newer(f, newest->time, newest->coordinates);
}

static void fold_stretch(struct folding *f, handle_t key) {
	struct plan_state *ps = f->ps;
	bool in_order = is_in_order(f, key);

	if (!stretch_is_over(f->engine, ps, key, f->event->time)) {
		if (!in_order)
			stretch_disorder(f->engine, ps, key);
		bag_enter(f, key, ps->at.bag);
		if (!is_alone_and_over(f, key)) {
			stretch_bound(f->engine, ps, key);
			if (!in_order ||
			    !timeline_of(f->engine, ps, key)->is_armed)
				stretch_arm(f->engine, ps, key);
			if (window_judges_once(&ps->plan->window))
				f->touch->judges = false;
			return;
		}
		bag_leave(f->engine, ps, key, ps->at.bag);
		stretch_disorder(f->engine, ps, key);
	}
	COUNT(f->engine, ps->plan, late_closed, 1);
	f->touch->judges = false;
}

/* An event that closes windows, and is in none itself. */
static void fold_closing(struct folding *f, handle_t key) {
	struct plan_state *ps = f->ps;

	f->touch->judges = false;
	if (stretch_is_over(f->engine, ps, key, f->event->time)) {
		COUNT(f->engine, ps->plan, no_window, 1);
		return;
	}
	window_advance(f->engine, ps, key, f->event->time);
	if (!is_in_order(f, key))
		stretch_disorder(f->engine, ps, key);
	if (!entry_make(f, key, ps->at.bag, ENTRY_CLOSE))
		return;
	stretch_bound(f->engine, ps, key);
	stretch_arm(f->engine, ps, key);
}

/* Such a bag holds accumulators and nothing else. */
static void narrow_fold(struct folding *f, handle_t key, int64_t pane) {
	struct plan_state *ps = f->ps;
	size_t i;

	for (i = 0; i < ps->plan->n_measures; i++) {
		if (!ps->entered[i] || !keeps(ps, i) ||
		    pane_add(f->engine, ps, key, pane, i,
			     &ps->contributions[i]))
			continue;
		ps->entered[i] = false;
		COUNT(f->engine, ps->plan, overflow, 1);
	}
}

static void fold_window(struct folding *f, handle_t key) {
	struct plan_state *ps = f->ps;
	int64_t pane;

	switch (ps->plan->window.kind) {
	case WINDOW_EVENT:
	case WINDOW_PEERS:
		break;
	case WINDOW_FOREVER:
	case WINDOW_SLIDING:
		bag_fold(f, key, ps->at.bag);
		break;
	case WINDOW_LAST:
		bag_fold(f, key, ps->at.bag);
		while (chain_n(f->engine, ps, key) > ps->plan->window.last)
			bag_leave(f->engine, ps, key, ps->at.bag);
		break;
	case WINDOW_PANES:
		pane = plan_period(ps, f->event->time);
		pane_fill(f->engine, ps, key, pane);
		if (panes_are_narrow(ps))
			narrow_fold(f, key, pane);
		else
			bag_fold(f, key, pane_bag(ps, pane));
		break;
	case WINDOW_TUMBLE:
	case WINDOW_CALENDAR:
		fold_period(f, key);
		break;
	case WINDOW_SESSION:
	case WINDOW_UNTIL:
		fold_stretch(f, key);
		break;
	}
}

static handle_t find_or_make(struct folding *f) {
	struct touch *touch = f->touch;
	handle_t key;

	key = key_find(f->engine, f->ps, touch->hash, touch->bytes, touch->len);
	if (key && !key_expire(f->engine, f->ps, key, f->engine->watermark))
		return key;
	return key_make(f->engine, f->ps, touch->hash, touch->bytes, touch->len,
			f->event->time);
}

/* One entry more is about to come; the event's own keys stay. */
void entries_bound(struct engine *engine, struct plan_state *ps) {
	while ((ps->plan->keeps_entries || ps->plan->peers) &&
	       ps->counters.entries >= engine->options.max_entries_per_rule)
		if (!evict(engine, ps, LIMIT_ENTRIES))
			break;
}

void fold(struct engine *engine, const struct event *event, struct touch *touch,
	  bool late) {
	struct folding f = { .engine = engine,
			     .ps = touch->plan,
			     .event = event,
			     .touch = touch,
			     .late = late };
	const struct plan *plan = touch->plan->plan;

	if (touch->plan->is_of_peers) {
		peers_fold(engine, event, touch, late);
		return;
	}
	touch->folded = touch->judges = false;
	touch->period = 0;
	if (touch->input->has_each && !touch->element) {
		if (!touch->n_elements)
			COUNT(engine, plan, each_empty, 1);
		else
			COUNT(engine, plan, each_cut,
			      touch->n_elements - EACH_MOST);
		return;
	}
	touch_element(event, touch);
	if (touch->where_missing) {
		COUNT(engine, plan, where_missing, 1);
		return;
	}
	if (!touch->bytes) {
		COUNT(engine, plan, no_key, 1);
		return;
	}
	if (late)
		COUNT(engine, plan, late, 1);
	if (late && plan->drop_late) {
		COUNT(engine, plan, late_dropped, 1);
		return;
	}
	touch->folded = touch->judges = true;
	if (!touch->plan->keyed)
		return;
	f.coordinates = coordinates_pack(engine, event);
	touch->key = find_or_make(&f);
	if (!touch->key) {
		COUNT(engine, plan, no_room, 1);
		touch->folded = touch->judges = false;
		return;
	}
	entries_bound(engine, touch->plan);
	charge(engine, &touch->plan->counters.bytes);
	if (touch->input->closes) {
		fold_closing(&f, touch->key);
		return;
	}
	contributions(&f);
	latest_fold(&f, touch->key);
	if (touch->plan->at.last != NOWHERE)
		last_fold(&f, touch->key);
	if (touch->plan->at.newest != NOWHERE)
		newest_fold(&f, touch->key);
	if (is_out_of_window(&f, touch->key)) {
		COUNT(engine, plan, out_of_window, 1);
		touch->judges = false;
		return;
	}
	window_advance(engine, touch->plan, touch->key, event->time);
	fold_window(&f, touch->key);
}

/* --- evidence --- */

static void evidence_entries(const struct engine *engine,
			     const struct plan_state *ps,
			     const struct chain *chain, const struct stretch *s,
			     struct draft *draft) {
	struct chain_walk walk;

	for (stretch_begin(&walk, engine, ps, chain, s); walk.entry;
	     chain_step(&walk)) {
		if (!stretch_has(s, walk.entry))
			continue;
		record_digest(engine, walk.entry->coordinates,
			      walk.entry->payload, draft->digest);
		draft->late += walk.entry->flags & ENTRY_LATE;
		draft->evidence_count++;
	}
}

static void evidence_digest(const struct plan_state *ps, const uint8_t *bag,
			    struct draft *draft) {
	uint64_t sum[2], count;

	if (ps->at.in.digest == NOWHERE)
		return;
	memcpy(sum, bag + ps->at.in.digest, sizeof(sum));
	memcpy(&count, bag + ps->at.in.count, sizeof(count));
	digest_add(draft->digest, sum[0], sum[1]);
	draft->evidence_count += count;
}

/* Fills the next one of @shown. */
static void show(const struct engine *engine, const struct plan_state *ps,
		 handle_t blob, struct shown *shown, struct draft *draft,
		 struct arena *arena) {
	const struct ring_item *item = ring_item(engine, blob);
	struct value *fields =
		arena_array(arena, struct value, ps->plan->n_evidence + 2);

	blob_read(engine, blob, fields, ps->plan->n_evidence + 2, arena);
	shown += draft->n_shown++;
	shown->time = item->time;
	shown->fields = fields + 2;
	coordinates_unpack(engine, item->coordinates, &shown->at);
}

static void evidence_shown(const struct engine *engine,
			   const struct plan_state *ps, const uint8_t *bag,
			   usec_t after, struct draft *draft,
			   struct arena *arena) {
	const struct ring *ring;
	struct shown *shown;
	handle_t at;
	uint32_t i;

	memcpy(&at, bag + ps->at.in.evidence, sizeof(at));
	if (!at)
		return;
	ring = pages_read(&engine->pages, at);
	shown = arena_array(arena, struct shown, ring->n + 1);
	draft->shown = shown;
	for (i = ring->n; i && draft->n_shown < draft->rule->evidence; i--) {
		if (ring_item(engine, ring->items[i - 1])->time <= after)
			break;
		show(engine, ps, ring->items[i - 1], shown, draft, arena);
	}
}

/* Of a window among others there is no ring: its newest entries. */
static void stretch_shown(const struct engine *engine,
			  const struct plan_state *ps,
			  const struct chain *chain, const struct stretch *s,
			  struct draft *draft, struct arena *arena) {
	uint32_t most = draft->rule->evidence, n = 0, i;
	handle_t *newest = arena_array(arena, handle_t, most + 1), blob;
	struct shown *shown = arena_array(arena, struct shown, most + 1);
	struct chain_walk walk;

	draft->shown = shown;
	for (stretch_begin(&walk, engine, ps, chain, s);
	     most && walk.entry && walk.entry->time <= s->end;
	     chain_step(&walk)) {
		if (!stretch_has(s, walk.entry))
			continue;
		blob = entry_blobs(ps, walk.entry).shown;
		if (blob)
			newest[n++ % most] = blob;
	}
	for (i = n; i && draft->n_shown < most; i--)
		show(engine, ps, newest[(i - 1) % most], shown, draft, arena);
}

void bag_evidence(struct engine *engine, const struct judging *j,
		  struct draft *draft) {
	const struct plan_state *ps = j->rs->plan;
	const struct bag_layout *in = &ps->at.in;
	const struct stretch *s = j->stretch;
	handle_t key = j->key, period_record = j->period_record;
	usec_t after = INT64_MIN;
	const uint8_t *bag = NULL;
	struct quality quality;
	int64_t newest, pane;

	draft->evidence_complete = true;
	if (ps->at.panes != NOWHERE) {
		newest = pane_newest(engine, ps, key);
		pane = newest - (int64_t)ps->plan->window.panes + 1;
		for (; in->digest != NOWHERE && pane <= newest; pane++)
			evidence_digest(
				ps, bytes_of(engine, key, pane_bag(ps, pane)),
				draft);
		return;
	}
	if (ps->at.bag != NOWHERE)
		bag = bytes_of(engine, key, ps->at.bag);
	else if (period_record)
		bag = bytes_of(engine, period_record, ps->at.period_bag);
	if (!bag)
		return;
	if (in->chain != NOWHERE)
		evidence_entries(engine, ps, (const void *)(bag + in->chain), s,
				 draft);
	merged_evidence(engine, ps, ps->at.bag != NOWHERE ? key : period_record,
			ps->at.bag != NOWHERE ? ps->at.bag : ps->at.period_bag,
			draft);
	memcpy(&quality, bag + in->quality, sizeof(quality));
	/* Beside a chain, both are of the oldest window's head. */
	if (s && !s->has_head)
		quality = (struct quality){ 0 };
	else
		evidence_digest(ps, bag, draft);
	if (in->chain == NOWHERE || s)
		draft->late += quality.late;
	draft->merged += quality.merged;
	draft->lost += quality.lost;
	draft->overflow += quality.overflow;
	draft->evidence_complete = !quality.lost && !quality.merged;
	if (ps->plan->window.kind == WINDOW_SLIDING ||
	    (ps->plan->window.kind == WINDOW_LAST && ps->plan->window.width))
		after = j->clock - ps->plan->window.width;
	if (s)
		stretch_shown(engine, ps, (const void *)(bag + in->chain), s,
			      draft, &engine->scratch);
	else if (in->evidence != NOWHERE)
		evidence_shown(engine, ps, bag, after, draft, &engine->scratch);
}
