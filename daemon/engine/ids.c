/*
 * Ids: whether an event has been seen before.
 *
 * Of each id 128 bits of its hash are remembered, and 32 of its content's,
 * for id_for of event time: as long as a second one could be counted twice.
 * What comes late is remembered from the watermark on that it met, else who
 * sends one twice that is older than id_for would have it ring twice.
 * Whoever sends new ids without end would take all memory, so their number is
 * bounded. Those whose time is up soonest go first, to a 64th of id_for, and
 * that is counted: a second one of them will be taken for new.
 */
#include "engine/internal.h"

#include "base/util.h"

struct id_cell {
	struct hash128 id;
	usec_t until;
	uint32_t content;
	handle_t next;
};

void ids_init(struct stream_state *stream) {
	wheel_init(&stream->ids_wheel, stream->stream->id_for / 64,
		   offsetof(struct id_cell, next), 0);
}

static handle_t find(const struct engine *engine,
		     const struct stream_state *stream, struct hash128 id) {
	struct index_cursor cursor = { 0 };
	const struct id_cell *cell;
	handle_t at;

	for (at = index_first(&stream->ids, (uint32_t)id.lo, &cursor); at;
	     at = index_next(&stream->ids, (uint32_t)id.lo, &cursor)) {
		cell = pages_read(&engine->pages, at);
		if (cell->id.lo == id.lo && cell->id.hi == id.hi)
			return at;
	}
	return 0;
}

static bool is_over(const struct engine *engine, const struct id_cell *cell) {
	return cell->until <= engine->watermark;
}

enum refusal id_inspect(const struct engine *engine,
			const struct stream_state *stream,
			const struct event *event, bool *duplicate) {
	const struct id_cell *cell;
	handle_t at = find(engine, stream, event->id);

	if (!at)
		return REFUSED_NOT;
	cell = pages_read(&engine->pages, at);
	if (is_over(engine, cell))
		return REFUSED_NOT;
	if (cell->content != event->payload_hash)
		return REFUSED_CONFLICT;
	*duplicate = true;
	return REFUSED_NOT;
}

static void release(struct engine *engine, struct stream_state *stream,
		    handle_t at) {
	const struct id_cell *cell = pages_read(&engine->pages, at);

	charge(engine, &stream->ids_bytes);
	index_remove(&stream->ids, &engine->pages, (uint32_t)cell->id.lo, at);
	pages_release(&engine->pages, at);
	stream->counters.ids--;
}

bool id_forget(struct engine *engine, struct stream_state *stream) {
	handle_t at = wheel_pop(&stream->ids_wheel, &engine->pages);

	if (!at)
		return false;
	if (!is_over(engine, pages_read(&engine->pages, at)))
		stream->counters.ids_forgotten++;
	release(engine, stream, at);
	return true;
}

void id_remember(struct engine *engine, struct stream_state *stream,
		 const struct event *event) {
	usec_t since = event->time > engine->watermark ? event->time
						       : engine->watermark;
	usec_t until = since + stream->stream->id_for;
	handle_t at = find(engine, stream, event->id);
	struct id_cell *cell;
	bool is_new = !at;

	while (is_new &&
	       stream->counters.ids >= engine->options.max_ids_per_stream)
		if (!id_forget(engine, stream))
			break;
	charge(engine, &stream->ids_bytes);
	if (is_new)
		at = pages_alloc(&engine->pages, sizeof(*cell));
	if (!at) {
		stream->counters.ids_forgotten++;
		return;
	}
	cell = pages_write(&engine->pages, at);
	cell->id = event->id;
	cell->until = until;
	cell->content = event->payload_hash;
	if (!is_new)
		return;
	stream->counters.ids++;
	index_add(&stream->ids, &engine->pages, (uint32_t)event->id.lo, at);
	wheel_add(&stream->ids_wheel, &engine->pages, at, until);
}

void ids_expire(struct engine *engine, struct stream_state *stream) {
	const struct id_cell *cell;
	handle_t at, next;

	while ((at = wheel_take(&stream->ids_wheel, engine->watermark)))
		for (; at; at = next) {
			cell = pages_read(&engine->pages, at);
			next = cell->next;
			if (is_over(engine, cell))
				release(engine, stream, at);
			else
				wheel_add(&stream->ids_wheel, &engine->pages,
					  at, cell->until);
		}
}
