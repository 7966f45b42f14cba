/*
 * Pane: a sliding window as a ring of panes, each of which sums up what fell
 * into it.
 *
 * A ring rather than a list of events, because a list costs memory in
 * proportion to traffic, and the busiest key is the one an attacker chooses.
 * The price is that the window's tail is exact only to one pane.
 *
 * Most keys keep a sum or a count, and most sums are small: where nothing else
 * is kept a pane takes 32 bits a sum instead of 64. When one does not fit, all
 * panes of that key move into a cell of their own, at full width, and the
 * first four bytes of where they were lead there. So a key in millions is
 * small, and none is inexact.
 */
#include "engine/internal.h"

#include "base/util.h"

int64_t pane_newest(const struct engine *engine, const struct plan_state *ps,
		    handle_t key) {
	return plan_period(ps, key_read(engine, key)->clock);
}

static uint32_t place_of(const struct plan_state *ps, int64_t pane) {
	int64_t k = (int64_t)ps->plan->window.panes;

	return (uint32_t)((pane % k + k) % k);
}

uint16_t pane_bag(const struct plan_state *ps, int64_t pane) {
	return (uint16_t)(ps->at.panes + place_of(ps, pane) * ps->at.in.size);
}

/* --- narrow or wide --- */

bool panes_are_narrow(const struct plan_state *ps) {
	return ps->at.wide != NOWHERE;
}

/* Accumulators of a pane, if it is narrow. */
static size_t n_sums(const struct plan_state *ps) {
	return ps->at.in.size / sizeof(int64_t);
}

static size_t n_all(const struct plan_state *ps) {
	return n_sums(ps) * ps->plan->window.panes;
}

static bool is_wide(const struct engine *engine, const struct plan_state *ps,
		    handle_t key) {
	const uint8_t *bytes = pages_read(&engine->pages, key);

	return bytes[ps->at.wide];
}

static const int32_t *narrow_of(const struct engine *engine,
				const struct plan_state *ps, handle_t key) {
	const uint8_t *bytes = pages_read(&engine->pages, key);

	return (const int32_t *)(const void *)(bytes + ps->at.panes);
}

static int32_t *narrow_write(struct engine *engine, const struct plan_state *ps,
			     handle_t key) {
	uint8_t *bytes = pages_write(&engine->pages, key);

	return (int32_t *)(void *)(bytes + ps->at.panes);
}

static handle_t wide_cell(const struct engine *engine,
			  const struct plan_state *ps, handle_t key) {
	handle_t cell;

	memcpy(&cell, narrow_of(engine, ps, key), sizeof(cell));
	return cell;
}

static void set_wide(struct engine *engine, const struct plan_state *ps,
		     handle_t key, handle_t cell) {
	int32_t *narrow = narrow_write(engine, ps, key);
	uint8_t *bytes = pages_write(&engine->pages, key);

	bytes[ps->at.wide] = cell != 0;
	memset(narrow, 0, n_all(ps) * sizeof(*narrow));
	memcpy(narrow, &cell, sizeof(cell));
}

/* False: no memory. */
static bool widen(struct engine *engine, const struct plan_state *ps,
		  handle_t key) {
	handle_t cell =
		pages_alloc(&engine->pages, n_all(ps) * sizeof(int64_t));
	const int32_t *narrow = narrow_of(engine, ps, key);
	int64_t *wide;
	size_t i;

	if (!cell)
		return false;
	wide = pages_write(&engine->pages, cell);
	for (i = 0; i < n_all(ps); i++)
		wide[i] = narrow[i];
	set_wide(engine, ps, key, cell);
	return true;
}

void panes_release(struct engine *engine, const struct plan_state *ps,
		   handle_t key) {
	if (!panes_are_narrow(ps) || !is_wide(engine, ps, key))
		return;
	pages_release(&engine->pages, wide_cell(engine, ps, key));
	set_wide(engine, ps, key, 0);
}

bool pane_add(struct engine *engine, const struct plan_state *ps, handle_t key,
	      int64_t pane, size_t measure, const struct contribution *c) {
	const struct aggregate *aggregate =
		ps->plan->measures[measure].aggregate;
	size_t at = place_of(ps, pane) * n_sums(ps) +
		    ps->at.in.acc[measure] / sizeof(int64_t);
	int32_t *narrow = narrow_write(engine, ps, key);
	int64_t *wide, sum = narrow[at];

	if (!is_wide(engine, ps, key)) {
		if (!aggregate->add(&sum, c))
			return false;
		if (sum == (int32_t)sum) {
			narrow[at] = (int32_t)sum;
			return true;
		}
		if (!widen(engine, ps, key)) {
			COUNT(engine, ps->plan, lost, 1);
			return true;
		}
	}
	wide = pages_write(&engine->pages, wide_cell(engine, ps, key));
	return aggregate->add(&wide[at], c);
}

/* --- what is in them --- */

void pane_fill(struct engine *engine, const struct plan_state *ps, handle_t key,
	       int64_t pane) {
	uint8_t *filled =
		(uint8_t *)pages_write(&engine->pages, key) + ps->at.filled;
	uint32_t i = place_of(ps, pane);

	filled[i / 8] = (uint8_t)(filled[i / 8] | 1u << i % 8);
}

static void pane_empty(struct engine *engine, const struct plan_state *ps,
		       handle_t key, int64_t pane) {
	uint8_t *bytes = pages_write(&engine->pages, key);
	uint8_t *filled = bytes + ps->at.filled;
	uint32_t i = place_of(ps, pane);
	size_t size = ps->at.in.size;

	filled[i / 8] = (uint8_t)(filled[i / 8] & ~(1u << i % 8));
	if (!panes_are_narrow(ps)) {
		memset(bytes + pane_bag(ps, pane), 0, size);
		return;
	}
	if (is_wide(engine, ps, key))
		bytes = pages_write(&engine->pages, wide_cell(engine, ps, key));
	else
		bytes += ps->at.panes, size /= 2;
	memset(bytes + i * size, 0, size);
}

/* Empties the panes between the old clock's and the new one's. */
void panes_advance(struct engine *engine, struct plan_state *ps, handle_t key,
		   usec_t now) {
	int64_t pane = plan_period(ps, now);
	int64_t from = pane_newest(engine, ps, key) + 1;

	if (pane - from >= (int64_t)ps->plan->window.panes - 1) {
		charge(engine, &ps->counters.bytes);
		panes_release(engine, ps, key);
		from = pane - (int64_t)ps->plan->window.panes + 1;
	}
	for (; from <= pane; from++)
		pane_empty(engine, ps, key, from);
}

static bool pane_has(const struct engine *engine, const struct plan_state *ps,
		     handle_t key, int64_t pane) {
	const uint8_t *filled =
		(const uint8_t *)pages_read(&engine->pages, key) +
		ps->at.filled;
	uint32_t i = place_of(ps, pane);

	return filled[i / 8] >> i % 8 & 1;
}

bool panes_oldest(const struct engine *engine, const struct plan_state *ps,
		  handle_t key, int64_t *ret) {
	int64_t newest, pane;

	newest = pane_newest(engine, ps, key);
	pane = newest - (int64_t)ps->plan->window.panes + 1;
	for (; pane <= newest; pane++)
		if (pane_has(engine, ps, key, pane)) {
			*ret = pane;
			return true;
		}
	return false;
}

usec_t panes_end(const struct engine *engine, const struct plan_state *ps,
		 handle_t key) {
	int64_t k = (int64_t)ps->plan->window.panes, pane;
	int64_t newest = pane_newest(engine, ps, key);

	for (pane = newest; pane > newest - k; pane--)
		if (pane_has(engine, ps, key, pane))
			return plan_period_start(ps, pane + k);
	return key_read(engine, key)->clock;
}

/* --- what they say --- */

/* No order is needed, and so many small numbers cannot overflow. */
static struct value narrow_value(const struct engine *engine,
				 const struct plan_state *ps, handle_t key,
				 uint16_t measure, struct value like) {
	const struct measure *m = &ps->plan->measures[measure];
	const int32_t *at = narrow_of(engine, ps, key) +
			    ps->at.in.acc[measure] / sizeof(int64_t);
	size_t step = n_sums(ps), k = ps->plan->window.panes, i;
	int64_t sum = 0;

	for (i = 0; i < k; i++, at += step)
		sum += *at;
	return m->aggregate->result(&sum, m->constant, like);
}

/* Joined from the oldest to the newest. */
struct value panes_value(const struct engine *engine,
			 const struct plan_state *ps, handle_t key,
			 uint16_t measure, struct value like) {
	const struct measure *m = &ps->plan->measures[measure];
	const uint8_t *panes;
	uint32_t k = ps->plan->window.panes, i;
	uint64_t state[64], at;

	if (m->aggregate->state_size > sizeof(state))
		return value_missing(MISSING_ERROR);
	if (panes_are_narrow(ps) && !is_wide(engine, ps, key))
		return narrow_value(engine, ps, key, measure, like);
	if (panes_are_narrow(ps))
		panes = pages_read(&engine->pages, wide_cell(engine, ps, key));
	else
		panes = (const uint8_t *)pages_read(&engine->pages, key) +
			ps->at.panes;
	memset(state, 0, m->aggregate->state_size);
	at = place_of(ps, pane_newest(engine, ps, key) + 1);
	for (i = 0; i < k; i++, at = at + 1 == k ? 0 : at + 1)
		if (!m->aggregate->merge(state,
					 panes + at * ps->at.in.size +
						 ps->at.in.acc[measure],
					 like))
			return value_missing(MISSING_OVERFLOW);
	return m->aggregate->result(state, m->constant, like);
}
