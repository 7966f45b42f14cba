/*
 * Registry: the rows of a table that a stream fills.
 *
 * A key holds its rows newest first: a look-up as of an event's time seldom
 * goes far, because most ask for what is in force now. All keys stand in the
 * order in which they were last written, so that at the cap the one that has
 * been silent for longest goes, whoever it is; a register does not say who
 * floods it.
 *
 * Rows are never freed by time alone: a supplier who registered ten years ago
 * is registered. What is superseded and older than `keep` goes when its key is
 * written the next time; max_rows bounds it until then.
 */
#include "engine/internal.h"

#include "base/util.h"

#include <assert.h>

struct row_key {
	handle_t newest;
	handle_t next, prev; /* written after and before it */
	uint32_t n;          /* rows */
	uint32_t hash, len;
	uint8_t bytes[];
};

/* The head of a blob: three integers, then the columns. */
#define ROW_HEAD 3u
struct row {
	uint64_t time_head;
	usec_t time;
	uint64_t coordinates_head;
	uint64_t coordinates;
	uint64_t older_head;
	int64_t older; /* handle_t */
};

static const struct row *row_read(const struct engine *engine, handle_t row) {
	return pages_read(&engine->pages, row);
}

static void row_link(struct engine *engine, handle_t row, handle_t older) {
	((struct row *)pages_write(&engine->pages, row))->older = older;
}

static const struct row_key *key_of(const struct engine *engine, handle_t key) {
	return pages_read(&engine->pages, key);
}

static struct row_key *key_change(struct engine *engine, handle_t key) {
	return pages_write(&engine->pages, key);
}

static handle_t find(const struct engine *engine,
		     const struct registry_state *rs, uint32_t hash,
		     const uint8_t *bytes, uint32_t len) {
	struct index_cursor cursor = { 0 };
	const struct row_key *key;
	handle_t at;

	for (at = index_first(&rs->index, hash, &cursor); at;
	     at = index_next(&rs->index, hash, &cursor)) {
		key = key_of(engine, at);
		if (key->len == len && memcmp(key->bytes, bytes, len) == 0)
			return at;
	}
	return 0;
}

/* --- making one --- */

static const struct registry_state *state_of(const struct engine *engine,
					     const struct registry *registry) {
	return &engine->registries[registry->index];
}

static struct value row_value(const struct expr_state *state,
			      const struct registry *registry,
			      const struct value *keys, usec_t at,
			      size_t column, struct arena *scratch) {
	const struct engine *engine =
		(const void *)((const char *)state -
			       offsetof(struct engine, rows));
	const struct registry_state *rs = state_of(engine, registry);
	struct value *values;
	uint8_t bytes[KEY_MAX];
	uint32_t len;
	handle_t key, row;

	if (!key_encode(keys, registry->key_types, registry->n_keys, bytes,
			&len))
		return value_missing(MISSING_ROW);
	key = find(engine, rs, key_hash(engine, bytes, len), bytes, len);
	row = key ? key_of(engine, key)->newest : 0;
	while (row && row_read(engine, row)->time > at)
		row = (handle_t)row_read(engine, row)->older;
	if (!row)
		return value_missing(MISSING_ROW);
	if (column == REGISTRY_ROW)
		return value_bool(true);
	values = arena_array(scratch, struct value, ROW_HEAD + column + 1);
	blob_read(engine, row, values, ROW_HEAD + column + 1, scratch);
	return values[ROW_HEAD + column];
}

void registries_init(struct engine *engine) {
	const struct ruleset *set = engine->set;
	size_t i;

	engine->rows.row = row_value;
	engine->registries = arena_array(&engine->arena, struct registry_state,
					 set->n_registries + 1);
	engine->digests =
		arena_alloc(&engine->arena,
			    (set->n_registries + 1) * sizeof(*engine->digests));
	for (i = 0; i < set->n_registries; i++) {
		struct registry_state *rs = &engine->registries[i];
		size_t n = set->registries[i]->n_columns + ROW_HEAD;

		rs->registry = set->registries[i];
		if (n < rs->registry->n_keys)
			n = rs->registry->n_keys;
		rs->values = arena_array(&engine->arena, struct value, n);
	}
}

/* --- what goes --- */

static uint32_t release_rows(struct engine *engine, struct registry_state *rs,
			     handle_t row) {
	uint32_t n = 0;
	handle_t older;

	for (; row; row = older) {
		older = (handle_t)row_read(engine, row)->older;
		pages_release(&engine->pages, row);
		n++;
	}
	rs->counters.rows -= n;
	return n;
}

static void unlink_key(struct engine *engine, struct registry_state *rs,
		       handle_t at) {
	const struct row_key *key = key_of(engine, at);

	if (key->prev)
		key_change(engine, key->prev)->next = key->next;
	else
		rs->first = key->next;
	if (key->next)
		key_change(engine, key->next)->prev = key->prev;
	else
		rs->last = key->prev;
}

static void drop_key(struct engine *engine, struct registry_state *rs,
		     handle_t at) {
	const struct row_key *key = key_of(engine, at);

	unlink_key(engine, rs, at);
	index_remove(&rs->index, &engine->pages, key->hash, at);
	release_rows(engine, rs, key->newest);
	pages_release(&engine->pages, at);
	rs->counters.keys--;
}

bool registry_evict(struct engine *engine, struct registry_state *rs) {
	if (!rs->first)
		return false;
	charge(engine, &rs->counters.bytes);
	drop_key(engine, rs, rs->first);
	rs->counters.evicted++;
	return true;
}

/* --- what comes --- */

static void append_key(struct engine *engine, struct registry_state *rs,
		       handle_t at) {
	struct row_key *key = key_change(engine, at);

	key->prev = rs->last;
	key->next = 0;
	if (rs->last)
		key_change(engine, rs->last)->next = at;
	else
		rs->first = at;
	rs->last = at;
}

static handle_t make_key(struct engine *engine, struct registry_state *rs,
			 uint32_t hash, const uint8_t *bytes, uint32_t len) {
	struct row_key *key;
	handle_t at;

	if (rs->counters.keys >= rs->registry->max_keys)
		registry_evict(engine, rs);
	at = pages_alloc(&engine->pages, sizeof(*key) + len);
	if (!at)
		return 0;
	key = key_change(engine, at);
	key->hash = hash;
	key->len = len;
	memcpy(key->bytes, bytes, len);
	index_add(&rs->index, &engine->pages, hash, at);
	append_key(engine, rs, at);
	rs->counters.keys++;
	return at;
}

static handle_t make_row(struct engine *engine, struct registry_state *rs,
			 const struct event *event, uint64_t coordinates) {
	const struct registry *registry = rs->registry;
	size_t i;

	rs->values[0] = value_int(event->time);
	rs->values[1] = value_int((int64_t)coordinates);
	rs->values[2] = value_int(0);
	for (i = 0; i < registry->n_columns; i++)
		rs->values[ROW_HEAD + i] = event->slots[registry->columns[i]];
	if (!blob_fits(rs->values, ROW_HEAD + registry->n_columns))
		return 0;
	return blob_make(engine, rs->values, ROW_HEAD + registry->n_columns,
			 4096);
}

static bool is_older(const struct row *row, usec_t time, uint64_t coordinates) {
	return row->time != time ? row->time < time
				 : row->coordinates < coordinates;
}

/* By (time, coordinates), so rows in any order stand in the same one. */
static void insert_row(struct engine *engine, handle_t at, handle_t row) {
	const struct row *new = row_read(engine, row);
	handle_t older = key_of(engine, at)->newest, newer = 0;

	while (older && !is_older(row_read(engine, older), new->time,
				  new->coordinates)) {
		newer = older;
		older = (handle_t)row_read(engine, older)->older;
	}
	row_link(engine, row, older);
	if (newer)
		row_link(engine, newer, row);
	else
		key_change(engine, at)->newest = row;
	key_change(engine, at)->n++;
}

/*
 * The first row at or before the horizon is in force there; what is behind it
 * nobody asks for any more. Beyond max_rows it is missed, and counted.
 */
static void cut_rows(struct engine *engine, struct registry_state *rs,
		     handle_t at) {
	usec_t horizon = engine->watermark;
	handle_t row = key_of(engine, at)->newest;
	uint32_t left = 1, gone;

	if (horizon != INT64_MIN)
		horizon -= rs->registry->keep;
	while (row && left < rs->registry->max_rows &&
	       row_read(engine, row)->time > horizon) {
		row = (handle_t)row_read(engine, row)->older;
		left++;
	}
	if (!row)
		return;
	gone = release_rows(engine, rs, (handle_t)row_read(engine, row)->older);
	if (row_read(engine, row)->time > horizon)
		rs->counters.cut += gone;
	row_link(engine, row, 0);
	key_change(engine, at)->n -= gone;
}

static void take_row(struct engine *engine, struct registry_state *rs,
		     const struct event *event, const uint8_t *bytes,
		     uint32_t len) {
	uint64_t coordinates = coordinates_pack(engine, event);
	uint32_t hash = key_hash(engine, bytes, len);
	handle_t at = find(engine, rs, hash, bytes, len), row;

	charge(engine, &rs->counters.bytes);
	if (!at) {
		at = make_key(engine, rs, hash, bytes, len);
	} else {
		unlink_key(engine, rs, at);
		append_key(engine, rs, at);
	}
	row = at ? make_row(engine, rs, event, coordinates) : 0;
	if (!row) {
		rs->counters.cut++;
		if (at && !key_of(engine, at)->n)
			drop_key(engine, rs, at);
		return;
	}
	rs->counters.rows++;
	insert_row(engine, at, row);
	cut_rows(engine, rs, at);
}

static void registry_fold(struct engine *engine, struct registry_state *rs,
			  const struct event *event) {
	const struct registry *registry = rs->registry;
	struct expr_context context = { event->time, event->time,
					&engine->scratch, NULL };
	struct value passes = value_bool(true);
	uint8_t bytes[KEY_MAX];
	uint32_t len;
	size_t i;

	if (registry->where)
		passes = expr_eval(registry->where, event->slots, &context);
	if (value_is_missing(passes))
		rs->counters.where_missing++;
	if (!value_is_true(passes))
		return;
	for (i = 0; i < registry->n_keys; i++)
		rs->values[i] = event->slots[registry->keys[i]];
	if (!key_encode(rs->values, registry->key_types, registry->n_keys,
			bytes, &len)) {
		rs->counters.no_key++;
		return;
	}
	rs->counters.taken++;
	record_digest(engine, coordinates_pack(engine, event),
		      event->payload_hash, engine->digests[registry->index]);
	take_row(engine, rs, event, bytes, len);
}

void registries_fold(struct engine *engine, const struct event *event) {
	size_t i;

	for (i = 0; i < engine->set->n_registries; i++)
		if (engine->registries[i].registry->stream ==
		    event->stream->base)
			registry_fold(engine, &engine->registries[i], event);
}

/* --- looking in --- */

const struct registry_counters *
engine_registry_counters(const struct engine *engine, size_t registry) {
	return &engine->registries[registry].counters;
}

static void dump_rows(const struct engine *engine, handle_t row,
		      struct buf *out) {
	const struct row *at;

	for (; row; row = (handle_t)at->older) {
		at = row_read(engine, row);
		buf_printf(out, " %lld/%llu", (long long)at->time,
			   (unsigned long long)at->coordinates);
	}
	buf_putc(out, '\n');
}

void registries_dump(const struct engine *engine, struct buf *out) {
	size_t i;
	handle_t at;

	for (i = 0; i < engine->set->n_registries; i++) {
		const struct registry_state *rs = &engine->registries[i];

		buf_printf(out, "table %s ", rs->registry->name);
		buf_hex(out, engine->digests[i], sizeof(engine->digests[i]));
		buf_putc(out, '\n');
		for (at = rs->first; at; at = key_of(engine, at)->next) {
			const struct row_key *key = key_of(engine, at);

			buf_printf(out, "row %u ", key->n);
			buf_hex(out, key->bytes, key->len);
			dump_rows(engine, key->newest, out);
		}
	}
}
