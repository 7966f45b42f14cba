/*
 * Merged: what a window keeps of entries that were too many.
 *
 * The busiest key is the one an attacker chooses, so raw entries are bounded
 * by max_entries. Beyond it the oldest half moves into panes of w/64, if all
 * measures of the plan fold; else the oldest leave. The price is that this
 * part of the window is exact only to one pane; the alert's quality says so.
 */
#include "engine/internal.h"

#include "base/util.h"

struct merged_pane {
	int64_t number;
	uint64_t count;
	uint64_t digest[2];
	uint64_t late;
	/* accumulators, at the offsets that they have in a bag */
	uint8_t bag[];
};

struct merged {
	uint32_t n, cap; /* panes, oldest first */
	uint8_t panes[];
};

#define PANES_MOST 66u

static size_t pane_bytes(const struct plan_state *ps) {
	return sizeof(struct merged_pane) + ps->at.in.size;
}

static struct merged_pane *pane_at(const struct plan_state *ps,
				   const struct merged *merged, uint32_t i) {
	const uint8_t *at = merged->panes + i * pane_bytes(ps);

	return (struct merged_pane *)(uintptr_t)at;
}

bool merged_fits(const struct plan *plan, size_t bag_size) {
	size_t i;

	if (plan->window.kind != WINDOW_SLIDING || !plan->keeps_entries)
		return false;
	for (i = 0; i < plan->n_measures; i++)
		if (plan->measures[i].scans)
			return false;
	return sizeof(struct merged) +
		       PANES_MOST * (sizeof(struct merged_pane) + bag_size) <
	       CELL_MAX;
}

static usec_t pane_width(const struct plan_state *ps) {
	usec_t width = ps->plan->window.width / 64;

	return width > 0 ? width : 1;
}

static int64_t pane_number(const struct plan_state *ps, usec_t at) {
	int64_t n;

	at -= ps->at.origin;
	n = at / pane_width(ps);
	return at % pane_width(ps) < 0 ? n - 1 : n;
}

/* The first clock at which all of the pane has left the window. */
static usec_t pane_exit(const struct plan_state *ps, int64_t number) {
	return ps->at.origin + (number + 1) * pane_width(ps) - 1 +
	       ps->plan->window.width;
}

static const struct merged *merged_of(const struct engine *engine,
				      const struct plan_state *ps,
				      handle_t cell, uint16_t bag) {
	const uint8_t *bytes = pages_read(&engine->pages, cell);
	handle_t at;

	if (ps->at.in.merged == NOWHERE)
		return NULL;
	memcpy(&at, bytes + bag + ps->at.in.merged, sizeof(at));
	return at ? pages_read(&engine->pages, at) : NULL;
}

static handle_t *merged_link(struct engine *engine, const struct plan_state *ps,
			     handle_t cell, uint16_t bag) {
	uint8_t *bytes = pages_write(&engine->pages, cell);

	return (handle_t *)(void *)(bytes + bag + ps->at.in.merged);
}

/* The pane of @number, made in its place; NULL: no memory. */
static struct merged_pane *pane_make(struct engine *engine,
				     const struct plan_state *ps, handle_t cell,
				     uint16_t bag, int64_t number) {
	handle_t *link = merged_link(engine, ps, cell, bag);
	struct merged *merged;
	struct merged_pane *pane;
	uint32_t i;

	if (!*link)
		*link = pages_alloc(&engine->pages,
				    sizeof(*merged) +
					    PANES_MOST * pane_bytes(ps));
	if (!*link)
		return NULL;
	merged = pages_write(&engine->pages, *link);
	for (i = merged->n; i && pane_at(ps, merged, i - 1)->number > number;)
		i--;
	if (i && pane_at(ps, merged, i - 1)->number == number)
		return pane_at(ps, merged, i - 1);
	if (merged->n == PANES_MOST)
		return NULL;
	pane = pane_at(ps, merged, i);
	memmove((uint8_t *)pane + pane_bytes(ps), pane,
		(merged->n - i) * pane_bytes(ps));
	memset(pane, 0, pane_bytes(ps));
	pane->number = number;
	merged->n++;
	return pane;
}

/* The entry goes into its pane; false: it has to leave instead. */
bool merged_add(struct engine *engine, const struct plan_state *ps,
		handle_t cell, uint16_t bag, const struct entry *entry) {
	struct merged_pane *pane;
	struct contribution c;
	size_t i;

	if (ps->at.in.merged == NOWHERE)
		return false;
	pane = pane_make(engine, ps, cell, bag, pane_number(ps, entry->time));
	if (!pane)
		return false;
	for (i = 0; i < ps->plan->n_measures; i++) {
		if (!entry_has(ps, entry, i) || !keeps(ps, i))
			continue;
		c = entry_contribution(engine, ps, entry, i);
		ps->plan->measures[i].aggregate->add(
			pane->bag + ps->at.in.acc[i], &c);
	}
	pane->count++;
	pane->late += entry->flags & ENTRY_LATE;
	record_digest(engine, entry->coordinates, entry->payload, pane->digest);
	return true;
}

void merged_advance(struct engine *engine, const struct plan_state *ps,
		    handle_t cell, uint16_t bag, usec_t now) {
	const struct merged *read = merged_of(engine, ps, cell, bag);
	struct merged *merged;
	handle_t *link;
	uint32_t gone = 0;

	if (!read)
		return;
	while (gone < read->n &&
	       pane_exit(ps, pane_at(ps, read, gone)->number) <= now)
		gone++;
	if (!gone)
		return;
	link = merged_link(engine, ps, cell, bag);
	if (gone == read->n) {
		merged_release(engine, ps, cell, bag);
		return;
	}
	merged = pages_write(&engine->pages, *link);
	merged->n -= gone;
	memmove(merged->panes, merged->panes + gone * pane_bytes(ps),
		merged->n * pane_bytes(ps));
}

usec_t merged_exit(const struct engine *engine, const struct plan_state *ps,
		   handle_t cell, uint16_t bag) {
	const struct merged *merged = merged_of(engine, ps, cell, bag);

	return merged ? pane_exit(ps, pane_at(ps, merged, 0)->number) : NEVER;
}

/* When the newest pane leaves; INT64_MIN: none is there. */
usec_t merged_end(const struct engine *engine, const struct plan_state *ps,
		  handle_t cell, uint16_t bag) {
	const struct merged *merged = merged_of(engine, ps, cell, bag);

	if (!merged)
		return INT64_MIN;
	return pane_exit(ps, pane_at(ps, merged, merged->n - 1)->number);
}

/* Joins the panes, oldest first, and then what the raw entries make. */
bool merged_join(const struct engine *engine, const struct plan_state *ps,
		 handle_t cell, uint16_t bag, uint16_t measure, void *state,
		 struct value like) {
	const struct merged *merged = merged_of(engine, ps, cell, bag);
	const struct aggregate *aggregate =
		ps->plan->measures[measure].aggregate;
	const uint8_t *raw = pages_read(&engine->pages, cell);
	uint32_t i;

	for (i = 0; merged && i < merged->n; i++)
		if (!aggregate->merge(state,
				      pane_at(ps, merged, i)->bag +
					      ps->at.in.acc[measure],
				      like))
			return false;
	return aggregate->merge(state, raw + bag + ps->at.in.acc[measure],
				like);
}

bool merged_is_there(const struct engine *engine, const struct plan_state *ps,
		     handle_t cell, uint16_t bag) {
	return merged_of(engine, ps, cell, bag) != NULL;
}

void merged_evidence(const struct engine *engine, const struct plan_state *ps,
		     handle_t cell, uint16_t bag, struct draft *draft) {
	const struct merged *merged = merged_of(engine, ps, cell, bag);
	uint32_t i;

	for (i = 0; merged && i < merged->n; i++) {
		const struct merged_pane *pane = pane_at(ps, merged, i);

		draft->evidence_count += pane->count;
		draft->late += pane->late;
		digest_add(draft->digest, pane->digest[0], pane->digest[1]);
	}
}

void merged_release(struct engine *engine, const struct plan_state *ps,
		    handle_t cell, uint16_t bag) {
	handle_t *link;

	if (!merged_of(engine, ps, cell, bag))
		return;
	link = merged_link(engine, ps, cell, bag);
	pages_release(&engine->pages, *link);
	*link = 0;
}
