/*
 * Room: what is given up when memory is full.
 *
 * The limit is of the process, so first it has to be said who pays: of all
 * plans, tables of streams, ids of streams and open reviews of rules, whoever
 * holds most. Who holds less than an equal share never pays, whatever the
 * others do: a flood through one rule costs that rule its keys, once it has
 * outgrown the others. Measured is what is held, not what came last, because
 * the last drop may be anybody's. A plan then gives keys up as at its own cap
 * (evict.c), a table too (registry.c), a stream the ids that it would forget
 * first, a rule its oldest review.
 *
 * It is done before an event is folded, and never within: nothing then holds
 * on to a cell. So one event may exceed the limit, and the next one pays.
 */
#include "engine/internal.h"

/*
 * Cells that came back are of use only to cells of their size, until all of a
 * page came back. A quarter more than the limit, and a page for each size,
 * keep such remains from standing in the way of what is needed now.
 */
size_t room_pages(const struct engine *engine) {
	size_t most = engine->options.max_state_bytes;

	return most + most / 4 + (size_t)PAGES_KINDS * 80 * PAGE_BYTES;
}

static size_t count_of(const struct engine *engine, enum payer_kind kind) {
	switch (kind) {
	case PAYER_PLAN:
		return engine->set->n_plans;
	case PAYER_TABLE:
		return engine->set->n_registries;
	case PAYER_IDS:
		return engine->set->n_streams;
	case PAYER_REVIEWS:
		return engine->set->n_rules;
	case PAYER_MAX:
		break;
	}
	return 0;
}

bool room_is_payer(const struct engine *engine, const struct payer *payer) {
	return payer->kind < PAYER_MAX &&
	       (!payer->bytes || payer->index < count_of(engine, payer->kind));
}

static uint64_t bytes_of(const struct engine *engine, enum payer_kind kind,
			 size_t index) {
	switch (kind) {
	case PAYER_PLAN:
		return engine->plans[index].counters.bytes;
	case PAYER_TABLE:
		return engine->registries[index].counters.bytes;
	case PAYER_IDS:
		return engine->streams[index].ids_bytes;
	case PAYER_REVIEWS:
		return engine->rules[index].review_bytes;
	case PAYER_MAX:
		break;
	}
	return 0;
}

static bool pays_before(const struct payer *a, const struct payer *b) {
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes;
	return a->kind != b->kind ? a->kind < b->kind : a->index < b->index;
}

/* The next one after @payer, from who holds most to who holds least. */
static bool next_payer(const struct engine *engine, struct payer *payer) {
	struct payer best = { 0 }, other;
	bool found = false;
	size_t n;

	for (other.kind = 0; other.kind < PAYER_MAX; other.kind++) {
		n = count_of(engine, other.kind);
		for (other.index = 0; other.index < n; other.index++) {
			other.bytes = bytes_of(engine, other.kind, other.index);
			if (!other.bytes || !pays_before(payer, &other) ||
			    (found && !pays_before(&other, &best)))
				continue;
			best = other;
			found = true;
		}
	}
	*payer = best;
	return found;
}

static bool pay(struct engine *engine, const struct payer *payer) {
	switch (payer->kind) {
	case PAYER_PLAN:
		return evict(engine, &engine->plans[payer->index],
			     LIMIT_MEMORY);
	case PAYER_TABLE:
		return registry_evict(engine,
				      &engine->registries[payer->index]);
	case PAYER_IDS:
		return id_forget(engine, &engine->streams[payer->index]);
	case PAYER_REVIEWS:
		return judge_oldest_review(engine,
					   &engine->rules[payer->index]);
	case PAYER_MAX:
		break;
	}
	return false;
}

/* Others may have grown by all that was taken since, but not by more. */
static bool is_still_first(const struct engine *engine) {
	const struct payer *payer = &engine->payer;
	uint64_t since = engine->pages.taken - engine->taken;

	return payer->bytes && bytes_of(engine, payer->kind, payer->index) >
				       engine->runner_up + since;
}

/* There may be thousands, and a flood asks at each event. */
static void look_at_all(struct engine *engine) {
	struct payer next;

	engine->payer = (struct payer){ .bytes = UINT64_MAX };
	next_payer(engine, &engine->payer);
	next = engine->payer;
	next_payer(engine, &next);
	engine->runner_up = next.bytes;
	engine->taken = engine->pages.taken;
}

/* Whoever holds most, or if he has nothing to give, the next one who has. */
static bool relieve(struct engine *engine) {
	struct payer payer;

	if (!is_still_first(engine))
		look_at_all(engine);
	payer = engine->payer;
	if (!payer.bytes)
		return false;
	if (pay(engine, &payer))
		return true;
	payer.bytes = bytes_of(engine, payer.kind, payer.index);
	while (next_payer(engine, &payer))
		if (pay(engine, &payer))
			return true;
	return false;
}

bool room_make(struct engine *engine) {
	while (engine->pages.used_bytes > engine->options.max_state_bytes) {
		if (!outbox_has_room(&engine->outbox))
			return false;
		if (!relieve(engine))
			break;
		arena_reset(&engine->scratch);
	}
	return true;
}
