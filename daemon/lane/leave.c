#include "lane/lane_internal.h"

#include "lane/crash.h"
#include "tocsin/log.h"

#include <assert.h>
#include <string.h>

/* What leaves the outbox is what the sink has. */
static void drop_items(struct lane *lane, size_t n) {
	struct outbox *outbox = engine_outbox(lane->engine);

	for (size_t i = 0; i < n; i++)
		sent_add(lane->sent, outbox_at(outbox, i));
	outbox_drop(outbox, n);
	lane->gone_items += n;
}

static void drop_dead(struct lane *lane, size_t n) {
	struct outbox *outbox = engine_outbox(lane->engine);

	for (size_t i = 0; i < n; i++)
		sent_add_dead(lane->sent, outbox_dead_at(outbox, i));
	outbox_drop_dead(outbox, n);
	lane->gone_dead += n;
}

/*
 * A replay makes again what was long delivered. It must be the same, record by
 * record: a mark whose hash is not ours means that what stands in Redis was not
 * computed from this input, and going on would weld two histories together.
 */
static bool drop_known_items(struct lane *lane) {
	struct outbox *outbox = engine_outbox(lane->engine);
	const struct sink_fence *fence = &lane->fence;

	while (outbox->n) {
		const struct outbox_item *item = outbox_at(outbox, 0);

		if (item->seq > fence->mark)
			break;
		if (item->seq == fence->mark && fence->has_hash &&
		    memcmp(item->hash, fence->hash, 32) != 0) {
			lane_halt(lane,
				  "alert %llu in the sink is not the one that "
				  "this journal leads to",
				  (unsigned long long)item->seq);
			return false;
		}
		drop_items(lane, 1);
	}
	return true;
}

bool leave_drop_known(struct lane *lane) {
	const struct outbox *outbox = engine_outbox(lane->engine);

	while (outbox->dead_n &&
	       outbox_dead_at(outbox, 0)->ordinal <= lane->fence.dead)
		drop_dead(lane, 1);
	return drop_known_items(lane);
}

static uint64_t made_items(const struct lane *lane) {
	return lane->gone_items + engine_outbox(lane->engine)->n;
}

static uint64_t made_dead(const struct lane *lane) {
	return lane->gone_dead + engine_outbox(lane->engine)->dead_n;
}

void leave_note(struct lane *lane) {
	const struct outbox *outbox = engine_outbox(lane->engine);
	uint64_t items, dead;
	struct gate *gate;

	if (outbox->dead_n)
		lane->last_dead =
			outbox_dead_at(outbox, outbox->dead_n - 1)->ordinal;
	if (!leave_drop_known(lane))
		return;
	items = made_items(lane);
	dead = made_dead(lane);
	if (items == lane->made_items && dead == lane->made_dead)
		return;
	lane->alerts += items - lane->made_items;
	lane->dead_letters += dead - lane->made_dead;
	lane->made_items = items;
	lane->made_dead = dead;
	/* Replayed from a journal that is on disk: nothing to wait for. */
	if (!lane->journal) {
		lane->open_items = items;
		lane->open_dead = dead;
		return;
	}
	assert(lane->n_gates < GATES);
	gate = &lane->gates[(lane->gate_head + lane->n_gates++) % GATES];
	*gate = (struct gate){ items, dead, journal_position(lane->journal) };
	journal_sync(lane->journal);
}

static void open_gates(struct lane *lane) {
	uint64_t durable;

	if (!lane->journal)
		return;
	durable = journal_durable(lane->journal);
	while (lane->n_gates &&
	       lane->gates[lane->gate_head].position <= durable) {
		lane->open_items = lane->gates[lane->gate_head].items;
		lane->open_dead = lane->gates[lane->gate_head].dead;
		lane->gate_head = (lane->gate_head + 1) % GATES;
		lane->n_gates--;
	}
}

static size_t allowed(uint64_t open, uint64_t gone) {
	return open > gone ? (size_t)(open - gone) : 0;
}

void leave_send(struct lane *lane) {
	const struct sink *sink = &lane->options.sink;

	if (lane->resend && lane->connected)
		resend_send(lane);
	if (lane->resend || !lane->engine || !lane->connected)
		return;
	open_gates(lane);
	sink->class->send(sink->self, engine_outbox(lane->engine),
			  allowed(lane->open_items, lane->gone_items),
			  allowed(lane->open_dead, lane->gone_dead), lane->now);
	if (lane->open_items > lane->gone_items ||
	    lane->open_dead > lane->gone_dead)
		crash_point("batch-sent");
}

/*
 * Offsets are told to lag tools behind what they led to: a snapshot of them is
 * taken, and passed on when everything made until then has been acknowledged.
 */
static void acknowledge_offsets(struct lane *lane) {
	const struct feed *feed = &lane->options.feed;

	if (lane->snapshot && lane->gone_items >= lane->snapshot_items &&
	    lane->gone_dead >= lane->snapshot_dead) {
		for (size_t i = 0; i < lane->n_intakes; i++) {
			const struct intake *intake = lane->intakes[i];

			feed->class->acknowledge(feed->self, intake->index,
						 intake->acknowledged);
		}
		lane->snapshot = false;
	}
	if (lane->snapshot || lane->decision_pending ||
	    lane->at_event < lane->n_events)
		return;
	for (size_t i = 0; i < lane->n_intakes; i++)
		lane->intakes[i]->acknowledged = lane->intakes[i]->next;
	lane->snapshot_items = lane->made_items;
	lane->snapshot_dead = lane->made_dead;
	lane->snapshot = true;
}

static void tell(const struct lane *lane, size_t items) {
	const struct lane_options *options = &lane->options;

	for (size_t i = 0; i < items && options->delivered; i++)
		options->delivered(options->context,
				   outbox_at(engine_outbox(lane->engine), i));
}

void leave_acknowledged(struct lane *lane) {
	const struct sink *sink = &lane->options.sink;
	size_t items, dead;

	sink->class->acknowledged(sink->self, &items, &dead);
	if (lane->resend)
		resend_acknowledged(lane, items, dead);
	if (lane->resend || !lane->engine)
		return;
	if (items || dead)
		crash_point("batch-acknowledged");
	if (items) {
		const struct outbox_item *last =
			outbox_at(engine_outbox(lane->engine), items - 1);

		lane->fence.mark = last->seq;
		memcpy(lane->fence.hash, last->hash, 32);
		lane->fence.has_hash = true;
		tell(lane, items);
		drop_items(lane, items);
	}
	if (dead) {
		const struct dead_letter *last =
			outbox_dead_at(engine_outbox(lane->engine), dead - 1);

		if (last->ordinal > lane->fence.dead)
			lane->fence.dead = last->ordinal;
		drop_dead(lane, dead);
	}
	if (lane->phase == PHASE_LIVE)
		acknowledge_offsets(lane);
}
