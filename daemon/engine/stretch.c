/*
 * Stretch: windows that a key's own events open and close.
 *
 * A session goes on while no pause is longer than its gap; `until` goes on to
 * an event of the closing input. The calendar does not say where such a window
 * begins, and an event that comes out of order may join two, or cut one. So no
 * window is kept: the key keeps its entries in order, those that close among
 * them, and whoever asks cuts them from the oldest on. The same events in any
 * order give the same windows.
 *
 *   ──e─e──e────────────e─e───   session: a window, a pause, a window
 *   ──e─e──e──C──e───────────|   until: closed by C; the second one by max
 *
 * A window is over when the watermark is past its end, which is inside it;
 * then its entries leave. The price is that a judging reads the entries of its
 * window; there are at most max_entries of them. Beyond that the oldest half
 * of the oldest window becomes its head: what folds has it for good.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>

bool plan_has_stretches(const struct plan_state *ps) {
	return ps->at.timeline != NOWHERE;
}

static const void *bytes_of(const struct engine *engine, handle_t key,
			    uint16_t offset) {
	return (const uint8_t *)pages_read(&engine->pages, key) + offset;
}

const struct timeline *timeline_of(const struct engine *engine,
				   const struct plan_state *ps, handle_t key) {
	return bytes_of(engine, key, ps->at.timeline);
}

static struct timeline *timeline_write(struct engine *engine,
				       const struct plan_state *ps,
				       handle_t key) {
	uint8_t *bytes = pages_write(&engine->pages, key);

	return (struct timeline *)(void *)(bytes + ps->at.timeline);
}

static const struct chain *chain_of(const struct engine *engine,
				    const struct plan_state *ps, handle_t key) {
	return bytes_of(engine, key, (uint16_t)(ps->at.bag + ps->at.in.chain));
}

/* --- cutting --- */

struct cutter {
	const struct plan_state *ps;
	const struct timeline *line;
	struct chain_walk walk;
	bool begun;
	bool has_barren;
	usec_t barren; /* nothing but strays is left of this time */
	/* Of the window that is cut. */
	struct stretch *s;
	const struct entry *last, *before, *close;
};

static bool closes(const struct entry *entry) {
	return entry->flags & ENTRY_CLOSE;
}

static handle_t values_of(const struct plan_state *ps,
			  const struct entry *entry) {
	return entry ? entry_blobs(ps, entry).values : 0;
}

/* With nothing after @last; a session cannot outlast its max. */
static usec_t end_after(const struct cutter *cutter, usec_t last) {
	const struct window *window = &cutter->ps->plan->window;
	usec_t most = cutter->s->start + window->width, end;

	if (window->kind == WINDOW_UNTIL)
		return most > last ? most : last;
	end = last + window->gap;
	return window->width && end > most ? most : end;
}

static void begin(struct cutter *cutter, usec_t start, usec_t last) {
	cutter->s->start = start;
	cutter->s->last_time = last;
	cutter->s->end = end_after(cutter, last);
}

static void take(struct cutter *cutter, const struct entry *entry) {
	struct stretch *s = cutter->s;

	cutter->before = cutter->last;
	cutter->last = entry;
	s->n++;
	if (entry->time > s->last_time)
		s->last_time = entry->time;
	if (cutter->ps->plan->window.kind == WINDOW_SESSION)
		s->end = end_after(cutter, s->last_time);
}

/*
 * What closes at @time finds a window that opens at that very time. Whoever
 * closes without end at one time is looked through once.
 */
static bool opens_at(struct cutter *cutter, usec_t time) {
	struct chain_walk walk = cutter->walk;

	if (cutter->has_barren && cutter->barren == time)
		return false;
	for (; walk.entry && walk.entry->time == time; chain_step(&walk))
		if (!closes(walk.entry))
			return true;
	cutter->has_barren = true;
	cutter->barren = time;
	return false;
}

static void close_at(struct cutter *cutter, const struct entry *entry) {
	struct stretch *s = cutter->s;

	if (s->is_closed)
		return;
	s->is_closed = true;
	s->end = entry->time > s->last_time ? entry->time : s->last_time;
	cutter->close = entry;
}

/* Where nothing is open; false: nothing opens, or only a stray stands there. */
static bool open(struct cutter *cutter) {
	const struct entry *entry = cutter->walk.entry;
	const struct timeline *line = cutter->line;
	struct stretch *s = cutter->s;

	if (!cutter->begun && line->has_head) {
		s->has_head = true;
		begin(cutter,
		      entry && !closes(entry) && entry->time < line->head_start
			      ? entry->time
			      : line->head_start,
		      line->head_last);
		return true;
	}
	if (!entry)
		return false;
	if (closes(entry) && !opens_at(cutter, entry->time)) {
		s->is_stray = true;
		s->start = s->end = entry->time;
		chain_step(&cutter->walk);
		return false;
	}
	begin(cutter, entry->time, entry->time);
	return true;
}

static void finish(const struct cutter *cutter) {
	struct stretch *s = cutter->s;

	s->before = values_of(cutter->ps, cutter->before);
	s->close = values_of(cutter->ps, cutter->close);
	s->last = values_of(cutter->ps, cutter->last);
	if (!cutter->last)
		return;
	s->last_coordinates = cutter->last->coordinates;
	s->last_stream = (uint16_t)(cutter->last->flags >> 16);
}

/* The next window, or stray, from the oldest on; false: no more. */
static bool cut(struct cutter *cutter, struct stretch *s) {
	const struct entry *entry;
	bool opened;

	*s = (struct stretch){ 0 };
	cutter->s = s;
	cutter->last = cutter->before = cutter->close = NULL;
	s->chunk = cutter->walk.chunk;
	s->i = cutter->walk.i;
	opened = open(cutter);
	cutter->begun = true;
	if (!opened)
		return s->is_stray;
	for (; (entry = cutter->walk.entry) && entry->time <= s->end;
	     chain_step(&cutter->walk)) {
		if (closes(entry))
			close_at(cutter, entry);
		else
			take(cutter, entry);
	}
	finish(cutter);
	return true;
}

static void cutter_init(struct cutter *cutter, const struct engine *engine,
			const struct plan_state *ps, handle_t key) {
	*cutter = (struct cutter){ .ps = ps,
				   .line = timeline_of(engine, ps, key) };
	chain_begin(&cutter->walk, chain_of(engine, ps, key), &engine->pages,
		    ps->at.entry_size);
}

bool stretch_first(const struct engine *engine, const struct plan_state *ps,
		   handle_t key, struct stretch *ret) {
	struct cutter cutter;

	cutter_init(&cutter, engine, ps, key);
	return cut(&cutter, ret);
}

/* What has nothing behind it is the newest. */
static void note_newest(struct engine *engine, const struct plan_state *ps,
			handle_t key, const struct cutter *cutter) {
	const struct stretch *s = cutter->s;
	struct timeline *line;

	if (cutter->walk.entry || s->has_head)
		return;
	if (cutter->line->knows_newest &&
	    cutter->line->newest_start == s->start)
		return;
	line = timeline_write(engine, ps, key);
	line->knows_newest = true;
	line->newest_start = s->start;
	line->newest = s->chunk;
	line->newest_i = s->i;
}

bool stretch_find(struct engine *engine, const struct plan_state *ps,
		  handle_t key, usec_t at, struct stretch *ret) {
	const struct timeline *line = timeline_of(engine, ps, key);
	struct cutter cutter;

	cutter_init(&cutter, engine, ps, key);
	if (line->knows_newest && at >= line->newest_start) {
		chain_resume(&cutter.walk, &engine->pages, ps->at.entry_size,
			     line->newest, line->newest_i);
		cutter.begun = true;
	}
	while (cut(&cutter, ret)) {
		if (ret->is_stray || at > ret->end)
			continue;
		if (at < ret->start)
			return false;
		note_newest(engine, ps, key, &cutter);
		return true;
	}
	return false;
}

void stretch_begin(struct chain_walk *walk, const struct engine *engine,
		   const struct plan_state *ps, const struct chain *chain,
		   const struct stretch *s) {
	if (s && s->chunk)
		chain_resume(walk, &engine->pages, ps->at.entry_size, s->chunk,
			     s->i);
	else
		chain_begin(walk, chain, &engine->pages, ps->at.entry_size);
}

void stretch_disorder(struct engine *engine, const struct plan_state *ps,
		      handle_t key) {
	timeline_write(engine, ps, key)->knows_newest = false;
}

bool stretch_is_over(const struct engine *engine, const struct plan_state *ps,
		     handle_t key, usec_t at) {
	const struct timeline *line = timeline_of(engine, ps, key);

	return line->has_closed && at <= line->closed;
}

/* --- its end --- */

void stretch_arm(struct engine *engine, struct plan_state *ps, handle_t key) {
	struct timeline *line = timeline_write(engine, ps, key);
	struct timer timer = { .target = key, .kind = TIMER_PERIOD_END };
	struct stretch first;
	size_t i;

	if (!stretch_first(engine, ps, key, &first) ||
	    (line->is_armed && line->due <= first.end + 1))
		return;
	line->is_armed = true;
	line->due = first.end + 1;
	line->serial++;
	timer.due = line->due;
	timer.created = key_read(engine, key)->created;
	timer.period = line->serial;
	for (i = 0; i < ps->n_rules; i++) {
		timer.rule = ps->rules[i]->rank;
		timers_add(&engine->timers, &engine->pages, &timer);
	}
	if (ps->plan->n_handovers) {
		timer.rule = peers_timer_rule(engine, ps);
		timers_add(&engine->timers, &engine->pages, &timer);
	}
}

bool stretch_is_armed(const struct engine *engine, const struct plan_state *ps,
		      const struct timer *timer) {
	const struct timeline *line = timeline_of(engine, ps, timer->target);

	return line->is_armed && timer->period == line->serial;
}

void stretch_rearm(struct engine *engine, struct plan_state *ps, handle_t key) {
	timeline_write(engine, ps, key)->is_armed = false;
	stretch_arm(engine, ps, key);
}

/* All but the chain: accumulators, digest and counts of the head. */
static void head_clear(struct engine *engine, struct plan_state *ps,
		       handle_t key) {
	uint8_t *bag = (uint8_t *)pages_write(&engine->pages, key) + ps->at.bag;
	const struct bag_layout *in = &ps->at.in;
	size_t i;

	for (i = 0; i < ps->plan->n_measures; i++)
		if (keeps(ps, i))
			memset(bag + in->acc[i], 0,
			       ps->plan->measures[i].aggregate->state_size);
	if (in->digest != NOWHERE)
		memset(bag + in->digest, 0, 2 * sizeof(uint64_t));
	if (in->count != NOWHERE)
		memset(bag + in->count, 0, sizeof(uint64_t));
	memset(bag + in->quality, 0, sizeof(struct quality));
	timeline_write(engine, ps, key)->has_head = false;
}

void stretch_drop(struct engine *engine, struct plan_state *ps, handle_t key,
		  const struct stretch *over) {
	struct timeline *line = timeline_write(engine, ps, key);
	const struct chain *chain = chain_of(engine, ps, key);
	const struct entry *oldest;
	uint64_t strays = 0;

	charge(engine, &ps->counters.bytes);
	while (chain->n) {
		oldest = chain_oldest(chain, &engine->pages, ps->at.entry_size);
		if (oldest->time > over->end)
			break;
		strays += closes(oldest);
		bag_leave(engine, ps, key, ps->at.bag);
	}
	line->knows_newest = false;
	COUNT(engine, ps->plan, no_window, strays - over->is_closed);
	head_clear(engine, ps, key);
	line->closed = over->end;
	line->has_closed = true;
}

/* --- too many --- */

static void head_take(struct engine *engine, struct plan_state *ps,
		      handle_t key, const struct entry *entry) {
	const struct bag_layout *in = &ps->at.in;
	uint8_t *bag = (uint8_t *)pages_write(&engine->pages, key) + ps->at.bag;
	struct timeline *line = timeline_write(engine, ps, key);
	struct quality *quality = (void *)(bag + in->quality);
	struct contribution c;
	size_t i;

	for (i = 0; i < ps->plan->n_measures; i++) {
		if (!keeps(ps, i) || !entry_has(ps, entry, i))
			continue;
		c = entry_contribution(engine, ps, entry, i);
		if (!ps->plan->measures[i].aggregate->add(bag + in->acc[i], &c))
			quality->overflow++;
	}
	if (in->count != NOWHERE)
		++*(uint64_t *)(void *)(bag + in->count);
	if (in->digest != NOWHERE)
		record_digest(engine, entry->coordinates, entry->payload,
			      (uint64_t *)(void *)(bag + in->digest));
	quality->late += entry->flags & ENTRY_LATE;
	if (!line->has_head || entry->time < line->head_start)
		line->head_start = entry->time;
	if (!line->has_head || entry->time > line->head_last)
		line->head_last = entry->time;
	line->has_head = true;
}

static bool all_fold(const struct plan *plan) {
	size_t i;

	for (i = 0; i < plan->n_measures; i++)
		if (plan->measures[i].scans)
			return false;
	return true;
}

/*
 * All entries of the oldest window have left, and the next one's follow: what
 * was summed up of it must not be taken for theirs, so it goes, too.
 */
static void head_lose(struct engine *engine, struct plan_state *ps,
		      handle_t key, struct stretch *first) {
	const struct timeline *line = timeline_of(engine, ps, key);
	const uint8_t *bag = bytes_of(engine, key, ps->at.bag);
	struct quality quality;

	memcpy(&quality, bag + ps->at.in.quality, sizeof(quality));
	if (line->has_head)
		COUNT(engine, ps->plan, lost, quality.merged);
	head_clear(engine, ps, key);
	stretch_first(engine, ps, key, first);
}

/*
 * What is older than a window that is too long (or than many short ones) has
 * no window of its own any more, so it leaves.
 */
void stretch_bound(struct engine *engine, struct plan_state *ps, handle_t key) {
	const struct chain *chain = chain_of(engine, ps, key);
	uint32_t most = ps->most_entries;
	const struct entry *oldest;
	struct quality *quality;
	struct stretch first;
	bool merged;

	if (chain->n <= most || !stretch_first(engine, ps, key, &first))
		return;
	stretch_disorder(engine, ps, key);
	while (chain->n > most / 2) {
		oldest = chain_oldest(chain, &engine->pages, ps->at.entry_size);
		if (oldest->time > first.end)
			head_lose(engine, ps, key, &first);
		merged = stretch_has(&first, oldest) && all_fold(ps->plan);
		if (stretch_has(&first, oldest))
			head_take(engine, ps, key, oldest);
		bag_leave(engine, ps, key, ps->at.bag);
		quality = (void *)((uint8_t *)pages_write(&engine->pages, key) +
				   ps->at.bag + ps->at.in.quality);
		quality->merged += merged;
		quality->lost += !merged;
		COUNT(engine, ps->plan, merged, merged);
		COUNT(engine, ps->plan, lost, !merged);
	}
}

/* --- the key --- */

/*
 * What is over must be known as long as an event that belongs to it could open
 * a window of its own: a late one, for the watermark is past it. With nothing
 * behind it the clock does not count: timers that look at the key raise it.
 */
usec_t stretch_key_ends(const struct engine *engine,
			const struct plan_state *ps, handle_t key) {
	const struct window *window = &ps->plan->window;
	const struct timeline *line = timeline_of(engine, ps, key);
	const struct chain *chain = chain_of(engine, ps, key);
	usec_t reach =
		window->kind == WINDOW_SESSION ? window->gap : window->width;
	usec_t last = key_read(engine, key)->clock;
	bool empty = !chain->n && !line->has_head;

	if (line->has_closed && (empty || line->closed > last))
		last = line->closed;
	return empty ? last + reach + 1 : last + 2 * reach + 2;
}
