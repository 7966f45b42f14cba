#include "lane/intake.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

struct intake *intake_new(struct feed feed, size_t index, uint32_t number,
			  const struct stream *stream, uint64_t seed) {
	const struct feed_partition *is =
		feed.class->partition(feed.self, index);
	struct intake *intake = calloc(1, sizeof(*intake));

	if (!intake)
		abort();
	*intake = (struct intake){ .feed = feed,
				   .index = index,
				   .number = number,
				   .topic = is->topic,
				   .partition = is->partition,
				   .stream = stream,
				   .greatest = INT64_MIN,
				   .last = { .offset = -1 } };
	for (size_t i = 0; i < 2; i++) {
		intake->batches[i] = calloc(1, sizeof(struct intake_batch));
		if (!intake->batches[i])
			abort();
	}
	if (decoder_new(&intake->decoder, stream, seed) < 0)
		abort();
	return intake;
}

static void empty(struct intake *intake, struct intake_batch *batch) {
	if (batch->n)
		intake->feed.class->release(intake->feed.self, batch->records,
					    batch->n);
	arena_reset(&batch->arena);
	batch->n = batch->at = 0;
}

void intake_free(struct intake *intake) {
	if (!intake)
		return;
	for (size_t i = 0; i < 2; i++) {
		empty(intake, intake->batches[i]);
		arena_free(&intake->batches[i]->arena);
		free(intake->batches[i]);
	}
	decoder_free(intake->decoder);
	free(intake);
}

int intake_restart(struct intake *intake, int64_t offset) {
	for (size_t i = 0; i < 2; i++)
		empty(intake, intake->batches[i]);
	intake->taken = NULL;
	intake->looks_back = intake->is_foreign = false;
	intake->last = (struct intake_last){ .offset = -1 };
	intake->next = offset;
	intake->missing_since = intake->waited_since = 0;
	return intake->feed.class->start(intake->feed.self, intake->index,
					 offset);
}

static void decode(struct intake *intake, struct intake_batch *batch) {
	for (size_t i = 0; i < batch->n; i++) {
		const struct feed_record *record = &batch->records[i];
		struct event *event = &batch->events[i];

		*event = (struct event){
			.stream = intake->stream,
			.at = { intake->topic, intake->partition,
				record->offset },
			.timestamp_ms = record->timestamp_ms,
		};
		decoder_decode(intake->decoder, event,
			       record->payload ? record->payload : "",
			       record->len, false, &batch->arena);
	}
}

static uint32_t crc_of(const struct feed_record *record) {
	return record->payload ? crc32c(0, record->payload, record->len) : 0;
}

/*
 * The record before the one that comes next is there to be compared. If it is
 * gone, by age or compaction, nobody can tell; what was read of a log that is
 * not this one is another's.
 */
static void look_back(struct intake *intake, struct intake_batch *batch) {
	const struct feed_record *record = &batch->records[0];
	const struct intake_last *last = &intake->last;

	intake->looks_back = false;
	if (record->offset != last->offset)
		return;
	batch->at = 1;
	if (crc_of(record) == last->crc &&
	    record->timestamp_ms == last->timestamp) {
		if (batch->n == 1)
			empty(intake, batch);
		return;
	}
	intake->is_foreign = true;
	empty(intake, batch);
}

void intake_fill(struct intake *intake) {
	if (intake->is_foreign)
		return;
	/* So that what is read now comes behind what lies ready. */
	intake_head(intake);
	for (unsigned i = 0; i < 2; i++) {
		struct intake_batch *batch =
			intake->batches[(intake->current + i) % 2];

		if (batch->n)
			continue;
		batch->n = intake->feed.class->read(
			intake->feed.self, intake->index, batch->records,
			INTAKE_BATCH);
		intake->read += (int64_t)batch->n;
		decode(intake, batch);
		if (batch->n && intake->looks_back)
			look_back(intake, batch);
		if (!batch->n)
			break;
	}
}

void intake_release(struct intake *intake) {
	for (unsigned i = 0; i < 2; i++)
		if (intake->batches[i]->n &&
		    intake->batches[i]->at == intake->batches[i]->n)
			empty(intake, intake->batches[i]);
}

struct event *intake_head(struct intake *intake) {
	struct intake_batch *batch = intake->batches[intake->current];
	struct intake_batch *other = intake->batches[!intake->current];

	if (batch->at == batch->n && other->at < other->n) {
		intake->current = !intake->current;
		batch = other;
	}
	return batch->at < batch->n ? &batch->events[batch->at] : NULL;
}

void intake_take(struct intake *intake) {
	struct intake_batch *batch = intake->batches[intake->current];

	const struct event *event = &batch->events[batch->at];

	intake->taken = &batch->records[batch->at++];
	intake->next = event->at.offset + 1;
	if (!event->refusal && event->time > intake->greatest)
		intake->greatest = event->time;
}

void intake_note_last(struct intake *intake) {
	const struct feed_record *record = intake->taken;

	if (!record)
		return;
	intake->taken = NULL;
	intake->last = (struct intake_last){ .offset = record->offset,
					     .timestamp = record->timestamp_ms,
					     .crc = crc_of(record) };
}

bool intake_is_pinned(const struct intake *intake) {
	return intake->batches[0]->n || intake->batches[1]->n;
}

bool intake_at_end(struct intake *intake) {
	const struct feed_partition *is =
		intake->feed.class->partition(intake->feed.self, intake->index);

	return is->at_end && !intake_head(intake);
}

bool event_goes_at_once(const struct event *event, int64_t wall) {
	usec_t least = wall * USEC_PER_SEC;
	usec_t stamp = event->timestamp_ms * USEC_PER_MSEC;

	if (event->refusal)
		return true;
	if (event->timestamp_ms >= 0 && stamp < least)
		least = stamp;
	return event->time > least + event->stream->max_skew;
}

static bool comes_before(const struct event *a, const struct event *b) {
	int order;

	if (a->time != b->time)
		return a->time < b->time;
	order = strcmp(a->at.topic, b->at.topic);
	if (order)
		return order < 0;
	if (a->at.partition != b->at.partition)
		return a->at.partition < b->at.partition;
	return a->at.offset < b->at.offset;
}

struct intake *merge_next(struct intake *const *intakes, size_t n, int64_t wall,
			  enum merge_mode mode, struct merge *merge) {
	const struct event *least = NULL;
	struct intake *next = NULL;

	*merge = (struct merge){ .wall = wall };
	for (size_t i = 0; i < n; i++) {
		struct intake *intake = intakes[i];
		const struct event *head = intake_head(intake);

		if (!head) {
			if (mode == MERGE_ALIGNED && !intake->went_on &&
			    !intake_at_end(intake))
				merge->missing = intake;
			continue;
		}
		if (event_goes_at_once(head, wall)) {
			*merge = (struct merge){ .wall = wall, .once = true };
			return intake;
		}
		if (!least || comes_before(head, least)) {
			merge->bound = least;
			least = head;
			next = intake;
		} else if (!merge->bound || comes_before(head, merge->bound)) {
			merge->bound = head;
		}
	}
	return merge->missing ? NULL : next;
}

bool merge_goes_on(const struct merge *merge, struct intake *intake) {
	const struct event *head = merge->once ? NULL : intake_head(intake);

	if (!head)
		return false;
	return !merge->bound || comes_before(head, merge->bound) ||
	       event_goes_at_once(head, merge->wall);
}
