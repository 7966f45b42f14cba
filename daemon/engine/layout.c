/*
 * Layout: where in a cell each thing of a plan lies, decided once at load.
 *
 * What no rule of the plan asks for takes no byte: memory is keys times a
 * size that an operator can read off a dashboard.
 */
#include "engine/internal.h"

#include "aggregate/parts.h"

#include <assert.h>

static uint16_t place(size_t *size, size_t bytes, size_t align) {
	size_t at = (*size + align - 1) & ~(align - 1);

	*size = at + bytes;
	assert(*size < CELL_MAX);
	return (uint16_t)at;
}

static bool same_argument(const struct plan *plan, const struct expr *const *a,
			  const struct expr *const *b) {
	size_t i;

	for (i = 0; i < plan->n_inputs; i++) {
		if (!a[i] != !b[i])
			return false;
		if (a[i] && a[i] != b[i] &&
		    strcmp(expr_text(a[i]), expr_text(b[i])) != 0)
			return false;
	}
	return true;
}

/* Measures over the same argument share a column of the entries. */
static uint16_t column_of(struct layout *at, const struct plan *plan,
			  const struct expr *const *x, struct type type) {
	uint16_t c;

	for (c = 0; c < at->n_cols; c++)
		if (same_argument(plan, x, at->columns[c].x))
			return c;
	at->columns[c].x = x;
	at->columns[c].type = type;
	at->n_cols++;
	return c;
}

static void columns_init(struct layout *at, const struct plan *plan,
			 struct arena *arena) {
	size_t n = plan->n_measures + 1, i;

	at->col_of = arena_array(arena, uint16_t, n);
	at->weight_of = arena_array(arena, uint16_t, n);
	at->columns = arena_array(arena, struct column, 2 * n);
	for (i = 0; i < plan->n_measures; i++) {
		const struct measure *m = &plan->measures[i];

		at->col_of[i] = at->weight_of[i] = NOWHERE;
		if (m->aggregate->takes_x)
			at->col_of[i] = column_of(at, plan, m->x, m->x_type);
		if (m->weight)
			at->weight_of[i] =
				column_of(at, plan, m->weight, m->weight_type);
	}
}

static void entry_init(struct layout *at, const struct plan *plan) {
	size_t size = sizeof(struct entry);

	at->n_words = (uint16_t)((plan->n_measures + 31) / 32);
	at->entry_words = place(&size, at->n_words * 2 * sizeof(uint32_t), 4);
	at->entry_cols = place(&size, at->n_cols * sizeof(uint64_t), 8);
	at->entry_blobs = NOWHERE;
	if (window_is_stretch(&plan->window))
		at->entry_blobs = place(&size, sizeof(struct entry_blobs), 4);
	at->entry_size = place(&size, 0, 8);
}

static void bag_init(struct layout *at, const struct plan *plan,
		     struct arena *arena) {
	struct bag_layout *in = &at->in;
	bool chain = plan->keeps_entries;
	/* A chain says it all, but for what a session's head took from it. */
	bool digest = !chain || window_is_stretch(&plan->window);
	size_t size = 0, i, bytes;

	in->acc = arena_array(arena, uint16_t, plan->n_measures + 1);
	in->digest = in->count = in->quality = in->chain = in->evidence =
		in->merged = NOWHERE;
	if (chain)
		in->chain = place(&size, sizeof(struct chain), 8);
	if (plan->evidence && digest)
		in->digest = place(&size, 2 * sizeof(uint64_t), 8);
	if (plan->evidence && digest)
		in->count = place(&size, sizeof(uint64_t), 8);
	for (i = 0; i < plan->n_measures; i++) {
		in->acc[i] = NOWHERE;
		if (plan->measures[i].scans || plan->measures[i].latest)
			continue;
		if (plan->measures[i].keeper < i) {
			in->acc[i] = in->acc[plan->measures[i].keeper];
			continue;
		}
		bytes = plan->measures[i].aggregate->state_size;
		in->acc[i] = place(&size, bytes, 8);
	}
	if (plan->window.kind != WINDOW_PANES) {
		in->quality = place(&size, sizeof(struct quality), 4);
		if (plan->evidence && !window_is_stretch(&plan->window))
			in->evidence = place(&size, sizeof(handle_t), 4);
		if (merged_fits(plan, size + 8))
			in->merged = place(&size, sizeof(handle_t), 4);
	}
	in->size = place(&size, 0, 8);
}

static void period_init(struct layout *at, const struct plan *plan,
			struct arena *arena) {
	size_t size = sizeof(struct period), i;

	at->curve_of = arena_array(arena, uint16_t, plan->n_baselines + 1);
	for (i = 0; i < plan->n_baselines; i++)
		at->curve_of[i] =
			plan->baselines[i].workday ? at->n_curves++ : NOWHERE;
	at->period_bag = place(&size, at->in.size, 8);
	at->period_curves = place(&size, at->n_curves * sizeof(handle_t), 4);
	at->period_size = place(&size, 0, 8);
}

/*
 * Rows that were looked up for an event keep that event's time, and what fires
 * at a cooldown's end has the key's last event in its id.
 */
static bool plan_needs_newest(const struct plan *plan) {
	const struct rule *rule;
	size_t i;

	if (window_is_stretch(&plan->window))
		return false;
	for (i = 0; i < plan->n_rules; i++) {
		rule = plan->rules[i];
		if (!rule->per_event && (rule->cooldown.n || rule->n_tables))
			return true;
	}
	return false;
}

/* `every` and a period's end name it where no alert stood before. */
static bool plan_needs_last(const struct plan *plan) {
	size_t i;

	if (window_is_stretch(&plan->window))
		return plan->keeps_prev; /* the rest lies with the entries */
	if (plan->n_kept || plan->window.kind == WINDOW_CALENDAR ||
	    plan->window.kind == WINDOW_TUMBLE)
		return plan->n_rules > 0;
	for (i = 0; i < plan->n_rules; i++)
		if (!plan->rules[i]->per_event && plan->rules[i]->every.n)
			return true;
	return false;
}

static bool plan_is_keyed(const struct plan *plan) {
	size_t i;

	if (plan->window.kind != WINDOW_EVENT || plan->keeps_prev)
		return true;
	for (i = 0; i < plan->n_rules; i++)
		if (!plan->rules[i]->per_event || plan->rules[i]->cooldown.n ||
		    plan->rules[i]->every.n)
			return true;
	return false;
}

static void time_init(struct layout *at, const struct plan *plan) {
	const struct window *window = &plan->window;

	at->origin = 0;
	if (plan->calendar)
		at->origin =
			-(usec_t)plan->calendar->zone.standard * USEC_PER_SEC;
	at->pane = window->width;
	if (window->kind == WINDOW_PANES)
		at->pane = window->width / (usec_t)window->panes;
	if (at->pane <= 0)
		at->pane = 1;
}

/* Bytes and handles first: the head is no multiple of eight. */
static void place_small(struct layout *at, const struct plan *plan,
			size_t *size) {
	if (plan->window.kind == WINDOW_PANES)
		at->filled = place(size, (plan->window.panes + 7) / 8, 1);
	if (plan_is_narrow(plan))
		at->wide = place(size, 1, 1);
	if (plan->window.kind == WINDOW_TUMBLE ||
	    plan->window.kind == WINDOW_CALENDAR)
		at->periods = place(size, sizeof(handle_t), 4);
	if (plan->n_watchers)
		at->beneath = place(size, sizeof(handle_t), 4);
}

static void place_window(struct layout *at, const struct plan *plan,
			 size_t *size) {
	size_t panes = plan->window.panes * at->in.size;

	switch (plan->window.kind) {
	case WINDOW_EVENT:
	case WINDOW_TUMBLE:
	case WINDOW_CALENDAR:
		break;
	case WINDOW_PANES:
		at->panes = plan_is_narrow(plan) ? place(size, panes / 2, 4)
						 : place(size, panes, 8);
		break;
	case WINDOW_FOREVER:
	case WINDOW_SLIDING:
	case WINDOW_LAST:
		at->bag = place(size, at->in.size, 8);
		break;
	case WINDOW_SESSION:
	case WINDOW_UNTIL:
		at->timeline = place(size, sizeof(struct timeline), 8);
		at->bag = place(size, at->in.size, 8);
		break;
	case WINDOW_PEERS:
		at->cohort = place(size, sizeof(struct cohort), 8);
		if (plan->peers->summed)
			at->sums = place(size, sizeof(struct moments), 8);
		break;
	}
}

static void place_key(struct layout *at, const struct plan *plan,
		      size_t n_latest) {
	size_t size = KEY_HEAD;

	at->bag = at->panes = at->periods = at->last = at->newest = at->latest =
		at->beneath = at->timeline = at->cohort = at->sums = at->wide =
			NOWHERE;
	place_small(at, plan, &size);
	if (plan_needs_last(plan))
		at->last = place(&size, sizeof(struct last), 8);
	else if (plan_needs_newest(plan))
		at->newest = place(&size, sizeof(struct newest), 8);
	if (n_latest)
		at->latest = place(&size, n_latest * sizeof(struct latest), 8);
	place_window(at, plan, &size);
	at->key = place(&size, 0, 1);
}

void layout_init(struct plan_state *ps, struct arena *arena) {
	const struct plan *plan = ps->plan;
	struct layout *at = &ps->at;
	usec_t granule = USEC_PER_DAY;
	size_t i, n_latest = 0;

	ps->keyed = plan_is_keyed(plan);
	columns_init(at, plan, arena);
	entry_init(at, plan);
	bag_init(at, plan, arena);
	period_init(at, plan, arena);
	time_init(at, plan);
	at->latest_of = arena_array(arena, uint16_t, plan->n_measures + 1);
	for (i = 0; i < plan->n_measures; i++)
		if (plan->measures[i].latest)
			at->latest_of[i] = (uint16_t)n_latest++;
	place_key(at, plan, n_latest);
	if (plan->window.width)
		granule = plan->window.width / 64;
	else if (plan->window.gap)
		granule = plan->window.gap / 64;
	wheel_init(&ps->wheel, granule, offsetof(struct key, next),
		   offsetof(struct key, prev));
}

size_t layout_key_bytes(const struct plan_state *ps, size_t key_len) {
	return ps->at.key + key_len;
}
