/*
 * Seam: where the past cannot be reproduced.
 *
 * A lane whose rules were edited while it was down takes what is there in
 * silence. What is open meanwhile is kept here with its record, by id. The
 * seam's decision brings what Redis holds as open; the difference is
 * published, by id, first what only Redis has (withdrawn), then what stands at
 * another level (amended), then what only we have (fired). Of what we have open
 * and they have closed it brings the record as well: it fires again. From then
 * on seq, hash and each rev go on from the decision's.
 *
 * A replay has the decision in its journal and asks Redis nothing.
 */
#include "engine/internal.h"

#include <assert.h>
#include <stdlib.h>

/* Where @id stands or would stand. */
static size_t seam_at(const struct engine *engine, const uint8_t id[16]) {
	size_t from = 0, to = engine->n_seam, middle;

	while (from < to) {
		middle = from + (to - from) / 2;
		if (memcmp(engine->seam[middle].id, id, 16) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool seam_has(const struct engine *engine, size_t at,
		     const uint8_t id[16]) {
	return at < engine->n_seam && !memcmp(engine->seam[at].id, id, 16);
}

static void item_clear(struct seam_item *item) {
	free(item->key);
	free(item->body);
}

static struct seam_item *seam_insert(struct engine *engine, size_t at) {
	struct seam_item *item;

	if (engine->n_seam == engine->cap_seam) {
		engine->cap_seam = engine->cap_seam ? engine->cap_seam * 2 : 64;
		engine->seam = reallocarray(engine->seam, engine->cap_seam,
					    sizeof(*engine->seam));
		assert(engine->seam);
	}
	item = &engine->seam[at];
	memmove(item + 1, item, (engine->n_seam - at) * sizeof(*item));
	engine->n_seam++;
	return item;
}

void seam_note(struct engine *engine, handle_t life, const struct rule *rule,
	       const struct stamp *stamp, usec_t fired, const char *key,
	       const char *body, size_t len) {
	size_t at = seam_at(engine, stamp->id);
	bool has = seam_has(engine, at, stamp->id);
	struct seam_item *item = has ? &engine->seam[at] : NULL;

	if (!stamp->open && !has)
		return;
	if (item)
		item_clear(item);
	if (!stamp->open) {
		engine->n_seam--;
		memmove(item, item + 1, (engine->n_seam - at) * sizeof(*item));
		return;
	}
	if (!item)
		item = seam_insert(engine, at);
	*item = (struct seam_item){ .life = life,
				    .stamp = *stamp,
				    .rule = rule,
				    .fired = fired,
				    .key = strdup(key),
				    .body = malloc(len + 1),
				    .len = len };
	assert(item->key && item->body);
	memcpy(item->id, stamp->id, sizeof(item->id));
	memcpy(item->body, body, len);
	item->body[len] = '\0';
}

void seam_free(struct engine *engine) {
	size_t i;

	for (i = 0; i < engine->n_seam; i++)
		item_clear(&engine->seam[i]);
	free(engine->seam);
	engine->seam = NULL;
	engine->n_seam = engine->cap_seam = 0;
}

/* A record that Redis holds as open, taken apart. */
struct theirs {
	struct stamp stamp;
	const char *body;
	size_t len;
};

static int theirs_by_id(const void *a, const void *b) {
	const struct theirs *x = a, *y = b;

	return memcmp(x->stamp.id, y->stamp.id, sizeof(x->stamp.id));
}

static struct theirs *theirs_read(struct engine *engine,
				  const struct decision *decision, size_t *n) {
	struct theirs *all = arena_array(&engine->scratch, struct theirs,
					 decision->n_open + 1);
	size_t i;

	*n = 0;
	for (i = 0; i < decision->n_open; i++)
		if (record_parse(&all[*n].stamp, &all[*n].body, &all[*n].len,
				 decision->open[i], decision->open_len[i]) == 0)
			++*n;
	qsort(all, *n, sizeof(*all), theirs_by_id);
	return all;
}

static const struct theirs *theirs_find(const struct theirs *all, size_t n,
					const uint8_t id[16]) {
	struct theirs probe;

	memcpy(probe.stamp.id, id, sizeof(probe.stamp.id));
	return bsearch(&probe, all, n, sizeof(*all), theirs_by_id);
}

static void withdraw(struct engine *engine, const struct theirs *their) {
	struct stamp stamp = their->stamp;

	stamp.state = STATE_WITHDRAWN;
	stamp.open = false;
	stamp.change = CHANGE_WITHDRAWN;
	stamp.why = WHY_SEAM;
	stamp.was = stamp.level;
	stamp.rev++;
	stamp.detected = engine->watermark;
	publish(engine, NULL, "", &stamp, stamp.event, their->body, their->len);
}

static void amend(struct engine *engine, struct seam_item *item,
		  const struct theirs *their) {
	struct stamp stamp = item->stamp;

	stamp.rev = their->stamp.rev;
	if (stamp.level != their->stamp.level ||
	    stamp.state != their->stamp.state) {
		stamp.rev++;
		stamp.change = CHANGE_AMENDED;
		stamp.why = WHY_SEAM;
		stamp.was = their->stamp.level;
		publish(engine, item->rule, item->key, &stamp, item->fired,
			item->body, item->len);
	}
	if (item->life)
		life_write(engine, item->life)->rev = stamp.rev;
}

/* @their: as it was closed there; NULL: nobody there knows it. */
static void fire(struct engine *engine, struct seam_item *item,
		 const struct theirs *their) {
	struct stamp stamp = item->stamp;

	stamp.rev = their ? their->stamp.rev + 1 : 1;
	stamp.change = CHANGE_FIRED;
	stamp.why = WHY_SEAM;
	stamp.was = LEVEL_NONE;
	publish(engine, item->rule, item->key, &stamp, item->fired, item->body,
		item->len);
	if (item->life)
		life_write(engine, item->life)->rev = stamp.rev;
}

void engine_open_ids(const struct engine *engine, struct buf *out) {
	for (size_t i = 0; i < engine->n_seam; i++)
		buf_add(out, engine->seam[i].id, sizeof(engine->seam[i].id));
}

/*
 * The whole difference at once: it is bounded by what is open, and the
 * decision that holds it was journaled whole.
 */
bool seam_act(struct engine *engine, const struct decision *decision) {
	const struct theirs *their;
	struct theirs *all;
	size_t n, i;

	all = theirs_read(engine, decision, &n);
	engine->silent = false;
	engine->seq = decision->seq;
	memcpy(engine->hash, decision->hash, sizeof(engine->hash));
	for (i = 0; i < n; i++)
		if (all[i].stamp.open &&
		    !seam_has(engine, seam_at(engine, all[i].stamp.id),
			      all[i].stamp.id))
			withdraw(engine, &all[i]);
	for (i = 0; i < engine->n_seam; i++) {
		their = theirs_find(all, n, engine->seam[i].id);
		if (their && their->stamp.open)
			amend(engine, &engine->seam[i], their);
	}
	for (i = 0; i < engine->n_seam; i++) {
		their = theirs_find(all, n, engine->seam[i].id);
		if (!their || !their->stamp.open)
			fire(engine, &engine->seam[i], their);
	}
	seam_free(engine);
	return true;
}
