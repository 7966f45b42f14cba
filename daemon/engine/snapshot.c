/*
 * Snapshot: an engine's state in bytes, and back.
 *
 * Nearly all of it lies in pages, which are copied as they are. What stands
 * beside them is written here in one order and read in the same; memory
 * that only one event needs, what a ruleset says, and evictors, which are made
 * anew from the keys when they are asked, are not.
 *
 * The bytes come from a file that a CRC has vouched for, yet a number that
 * leads out of memory is refused all the same.
 */
#include "engine/internal.h"

#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SNAPSHOT_VERSION 1u

/* Ids and keys of tables are linked by what lies in their first bytes. */
#define LINKED_BYTES 32u

static void put(struct buf *out, const void *bytes, size_t len) {
	buf_add(out, bytes, len);
}

static void put_number(struct buf *out, uint64_t n) {
	put(out, &n, sizeof(n));
}

/* --- the shape of a ruleset: what gives the bytes of a cell their meaning ---
 */

static uint64_t shape_of(const struct engine *engine) {
	static const uint64_t sizes[] = {
		sizeof(struct stream_counters),
		sizeof(struct plan_counters),
		sizeof(struct rule_counters),
		sizeof(struct key),
		sizeof(struct registry_counters),
		sizeof(struct life),
		sizeof(struct timer),
		PAGES_KINDS,
	};
	const struct ruleset *set = engine->set;
	CLEANUP(buf_free) struct buf text = { 0 };

	put(&text, sizes, sizeof(sizes));
	put_number(&text, set->n_streams);
	put_number(&text, set->n_plans);
	put_number(&text, set->n_rules);
	put_number(&text, set->n_registries);
	for (size_t i = 0; i < set->n_plans; i++) {
		const struct layout *at = &engine->plans[i].at;

		put_number(&text, at->key);
		put_number(&text, at->entry_size);
		put_number(&text, at->period_size);
		put_number(&text, at->in.size);
		put_number(&text, (uint64_t)at->pane);
	}
	return hash64(text.data, text.len, 0);
}

/* --- wheels --- */

static void save_wheel(const struct wheel *wheel, struct buf *out) {
	put_number(out, wheel->begun);
	put_number(out, (uint64_t)wheel->first);
	put(out, wheel->head, sizeof(wheel->head));
	put(out, wheel->tail, sizeof(wheel->tail));
}

/* 0, or a cell of @kind that has these many bytes. */
static bool may_be(const struct engine *engine, handle_t handle, unsigned kind,
		   size_t bytes) {
	return !handle || (pages_has(&engine->pages, handle, kind) &&
			   pages_cell_bytes(&engine->pages, handle) >= bytes);
}

/* Both ends of a list are there, or none. */
static void take_list(const struct engine *engine, handle_t head, handle_t tail,
		      unsigned kind, size_t bytes, struct saved *from) {
	if (!head != !tail || !may_be(engine, head, kind, bytes) ||
	    !may_be(engine, tail, kind, bytes))
		saved_refuse(from);
}

static void restore_wheel(const struct engine *engine, struct wheel *wheel,
			  unsigned kind, size_t bytes, struct saved *from) {
	wheel->begun = saved_number(from) != 0;
	wheel->first = (int64_t)saved_number(from);
	saved_take(from, wheel->head, sizeof(wheel->head));
	saved_take(from, wheel->tail, sizeof(wheel->tail));
	/* Buckets are counted from there. */
	if (wheel->first > INT64_MAX - 2 * (int64_t)WHEEL_BUCKETS)
		saved_refuse(from);
	for (size_t i = 0; i < WHEEL_BUCKETS; i++) {
		take_list(engine, wheel->head[i], wheel->tail[i], kind, bytes,
			  from);
		if (wheel->head[i] && !wheel->begun)
			saved_refuse(from);
	}
}

/* --- streams --- */

static void save_stream(const struct stream_state *stream, struct buf *out) {
	put(out, &stream->counters, sizeof(stream->counters));
	put_number(out, stream->ids_bytes);
	index_save(&stream->ids, out);
	save_wheel(&stream->ids_wheel, out);
	put_number(out, stream->n_partitions);
	for (size_t i = 0; i < stream->n_partitions; i++) {
		const struct partition_state *part = &stream->partitions[i];

		put_number(out, (uint64_t)part->is_known |
					(uint64_t)part->is_idle << 1 |
					(uint64_t)part->is_begun << 2);
		put_number(out, (uint64_t)part->greatest);
	}
}

static int restore_stream(struct engine *engine, struct stream_state *stream,
			  struct saved *from) {
	uint64_t flags;
	int r;

	saved_take(from, &stream->counters, sizeof(stream->counters));
	stream->ids_bytes = saved_number(from);
	r = index_restore(&stream->ids, &engine->pages, from);
	if (r < 0)
		return r;
	restore_wheel(engine, &stream->ids_wheel, CELL_PLAIN, LINKED_BYTES,
		      from);
	stream->n_partitions = saved_count(from, 16);
	stream->partitions =
		calloc(stream->n_partitions + 1, sizeof(*stream->partitions));
	if (!stream->partitions)
		return -ENOMEM;
	for (size_t i = 0; i < stream->n_partitions; i++) {
		flags = saved_number(from);
		stream->partitions[i] = (struct partition_state){
			.is_known = flags & 1,
			.is_idle = flags & 2,
			.is_begun = flags & 4,
			.greatest = (usec_t)saved_number(from)
		};
	}
	return 0;
}

/* --- plans, rules, tables of streams --- */

static void save_plan(const struct plan_state *ps, struct buf *out) {
	put(out, &ps->counters, sizeof(ps->counters));
	if (!ps->keyed)
		return;
	index_save(&ps->index, out);
	index_save(&ps->groups, out);
	save_wheel(&ps->wheel, out);
}

static int restore_plan(struct engine *engine, struct plan_state *ps,
			struct saved *from) {
	int r;

	saved_take(from, &ps->counters, sizeof(ps->counters));
	if (!ps->keyed)
		return 0;
	r = index_restore(&ps->index, &engine->pages, from);
	if (r == 0)
		r = index_restore(&ps->groups, &engine->pages, from);
	restore_wheel(engine, &ps->wheel, CELL_KEY, ps->at.key, from);
	return r;
}

static void save_rule(const struct rule_state *rs, struct buf *out) {
	put(out, &rs->counters, sizeof(rs->counters));
	put_number(out, rs->review_bytes);
	put_number(out, rs->reviews);
	put_number(out, rs->reviews_last);
}

static void restore_rule(const struct engine *engine, struct rule_state *rs,
			 struct saved *from) {
	saved_take(from, &rs->counters, sizeof(rs->counters));
	rs->review_bytes = saved_number(from);
	rs->reviews = saved_number32(from);
	rs->reviews_last = saved_number32(from);
	take_list(engine, rs->reviews, rs->reviews_last, CELL_LIFE,
		  sizeof(struct life), from);
}

static void save_registry(const struct registry_state *rs, struct buf *out) {
	put(out, &rs->counters, sizeof(rs->counters));
	put_number(out, rs->first);
	put_number(out, rs->last);
	index_save(&rs->index, out);
}

static int restore_registry(struct engine *engine, struct registry_state *rs,
			    struct saved *from) {
	saved_take(from, &rs->counters, sizeof(rs->counters));
	rs->first = saved_number32(from);
	rs->last = saved_number32(from);
	take_list(engine, rs->first, rs->last, CELL_PLAIN, LINKED_BYTES, from);
	return index_restore(&rs->index, &engine->pages, from);
}

/* --- the engine's own --- */

struct own {
	uint64_t ordinal, seq, created;
	usec_t watermark, greatest, last_advance;
	int64_t swept;
	uint64_t timers_most, catch_up;
	uint64_t payer_bytes, payer_kind, payer_index, runner_up, taken;
	uint8_t hash[32];
};

static void save_own(const struct engine *engine, struct buf *out) {
	struct own own = { .ordinal = engine->ordinal,
			   .seq = engine->seq,
			   .created = engine->created,
			   .watermark = engine->watermark,
			   .greatest = engine->greatest,
			   .last_advance = engine->last_advance,
			   .swept = engine->swept,
			   .timers_most = engine->timers_most,
			   .catch_up = engine->catch_up,
			   .payer_bytes = engine->payer.bytes,
			   .payer_kind = engine->payer.kind,
			   .payer_index = engine->payer.index,
			   .runner_up = engine->runner_up,
			   .taken = engine->taken };

	memcpy(own.hash, engine->hash, sizeof(own.hash));
	put(out, &own, sizeof(own));
}

static void restore_own(struct engine *engine, struct saved *from) {
	struct own own;

	saved_take(from, &own, sizeof(own));
	engine->ordinal = own.ordinal;
	engine->seq = own.seq;
	engine->created = own.created;
	engine->watermark = own.watermark;
	engine->greatest = own.greatest;
	engine->last_advance = own.last_advance;
	engine->swept = own.swept;
	engine->timers_most = own.timers_most;
	engine->catch_up = own.catch_up != 0;
	engine->payer = (struct payer){ .bytes = own.payer_bytes,
					.kind = (enum payer_kind)own.payer_kind,
					.index = own.payer_index };
	engine->runner_up = own.runner_up;
	engine->taken = own.taken;
	memcpy(engine->hash, own.hash, sizeof(own.hash));
	if (!room_is_payer(engine, &engine->payer))
		saved_refuse(from);
}

void engine_save(const struct engine *engine, struct buf *out) {
	const struct ruleset *set = engine->set;

	assert(!engine->silent);
	put_number(out, SNAPSHOT_VERSION);
	put_number(out, shape_of(engine));
	pages_save(&engine->pages, out);
	save_own(engine, out);
	timers_save(&engine->timers, out);
	for (size_t i = 0; i < set->n_streams; i++)
		save_stream(&engine->streams[i], out);
	for (size_t i = 0; i < set->n_plans; i++)
		save_plan(&engine->plans[i], out);
	for (size_t i = 0; i < set->n_rules; i++)
		save_rule(&engine->rules[i], out);
	for (size_t i = 0; i < set->n_registries; i++)
		save_registry(&engine->registries[i], out);
	put(out, engine->digests, set->n_registries * sizeof(*engine->digests));
}

static int restore_all(struct engine *engine, struct saved *from) {
	const struct ruleset *set = engine->set;
	int r;

	r = pages_restore(&engine->pages, from);
	restore_own(engine, from);
	if (r == 0)
		r = timers_restore(&engine->timers, &engine->pages, from);
	for (size_t i = 0; r == 0 && i < set->n_streams; i++)
		r = restore_stream(engine, &engine->streams[i], from);
	for (size_t i = 0; r == 0 && i < set->n_plans; i++)
		r = restore_plan(engine, &engine->plans[i], from);
	for (size_t i = 0; r == 0 && i < set->n_rules; i++)
		restore_rule(engine, &engine->rules[i], from);
	for (size_t i = 0; r == 0 && i < set->n_registries; i++)
		r = restore_registry(engine, &engine->registries[i], from);
	saved_take(from, engine->digests,
		   set->n_registries * sizeof(*engine->digests));
	if (r == 0 && (from->is_bad || from->left))
		r = -EBADMSG;
	return r;
}

static int load_pages(struct engine *engine,
		      int (*page)(void *context, uint32_t number,
				  uint8_t *bytes),
		      void *context) {
	struct pages *pages = &engine->pages;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < pages->n; i++)
		if (pages->class_of[i] != PAGES_EMPTY) {
			r = page(context, i, pages_at(pages, i));
			if (r == 0 && !pages_free_cells_hold(pages, i))
				r = -EBADMSG;
		}
	return r;
}

/* No two tables share a place, and none is nobody's. */
static int check_tables(struct engine *engine) {
	const struct ruleset *set = engine->set;
	size_t most =
		1 + 2 * (set->n_streams + 2 * set->n_plans + set->n_registries);
	struct pages_table *tables =
		arena_array(&engine->scratch, struct pages_table, most);
	size_t n = timers_tables(&engine->timers, tables);

	for (size_t i = 0; i < set->n_streams; i++)
		n += index_tables(&engine->streams[i].ids, tables + n);
	for (size_t i = 0; i < set->n_plans; i++) {
		n += index_tables(&engine->plans[i].index, tables + n);
		n += index_tables(&engine->plans[i].groups, tables + n);
	}
	for (size_t i = 0; i < set->n_registries; i++)
		n += index_tables(&engine->registries[i].index, tables + n);
	return pages_tables_hold(&engine->pages, tables, n) ? 0 : -EBADMSG;
}

int engine_restore(struct engine **ret, const struct ruleset *set,
		   const struct engine_options *options, const void *saved,
		   size_t len,
		   int (*page)(void *context, uint32_t number, uint8_t *bytes),
		   void *context) {
	struct saved from = { .at = saved, .left = len };
	uint64_t version = saved_number(&from), shape = saved_number(&from);
	struct engine *engine;
	int r;

	if (from.is_bad)
		return -EBADMSG;
	if (version != SNAPSHOT_VERSION)
		return -EPROTO;
	assert(!options->silent);
	r = engine_new(&engine, set, options);
	if (r < 0)
		return r;
	if (shape != shape_of(engine))
		r = -EBADMSG;
	if (r == 0)
		r = restore_all(engine, &from);
	if (r == 0)
		r = load_pages(engine, page, context);
	if (r == 0)
		r = check_tables(engine);
	if (r < 0) {
		engine_free(engine);
		return r;
	}
	*ret = engine;
	return 0;
}
