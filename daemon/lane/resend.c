/*
 * Resend: the sink has lost what it had acknowledged, and the log of what was
 * sent has it. The engine need not go back: it waits until the sink is again
 * where it was.
 */
#include "lane/crash.h"
#include "lane/lane_internal.h"

#include "tocsin/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Read ahead of what is acknowledged. */
#define AHEAD 1024u

int resend_begin(struct lane *lane) {
	struct sent_point from = { .seq = lane->fence.mark,
				   .dead = lane->fence.dead,
				   .has_hash = lane->fence.has_hash };
	struct sent_point end = sent_end(lane->sent);
	int r;

	memcpy(from.hash, lane->fence.hash, 32);
	r = sent_read_open(&lane->resend, lane->sent, &from);
	if (r < 0)
		return r;
	if (outbox_init(&lane->again, AHEAD, AHEAD) < 0)
		abort();
	lane->all_read = false;
	lane->resends++;
	log_warn("lane: the sink has alerts up to %llu and dead letters up to "
		 "%llu, and had %llu and %llu: sending them again",
		 (unsigned long long)from.seq, (unsigned long long)from.dead,
		 (unsigned long long)end.seq, (unsigned long long)end.dead);
	crash_point("resend-begun");
	return 0;
}

void resend_end(struct lane *lane) {
	if (!lane->resend)
		return;
	outbox_free(&lane->again);
	sent_read_close(TAKE(lane->resend));
}

/* Begun anew, it does not come to this again: all is made again instead. */
static void give_up(struct lane *lane) {
	resend_end(lane);
	if (resend_forget(lane))
		lane_restart(lane, "the log of what was sent is damaged: the "
				   "rest is made again");
}

bool resend_forget(struct lane *lane) {
	struct sent_point point = { .seq = lane->fence.mark,
				    .dead = lane->fence.dead,
				    .has_hash = lane->fence.has_hash };
	int r;

	memcpy(point.hash, lane->fence.hash, 32);
	r = sent_seam(lane->sent, &point);
	if (r == 0)
		return true;
	lane_halt(lane, "%s/sent: what was sent before cannot be removed: %s",
		  lane->dir.path, strerror(-r));
	return false;
}

bool resend_turn(struct lane *lane) {
	int r = 1;

	if (!lane->all_read)
		r = sent_read(lane->resend, &lane->again, AHEAD);
	if (r < 0) {
		give_up(lane);
		return false;
	}
	lane->all_read = r == 0 || lane->all_read;
	if (!lane->all_read || lane->again.n || lane->again.dead_n)
		return false;
	resend_end(lane);
	log_info("lane: the sink is again at alert %llu",
		 (unsigned long long)lane->fence.mark);
	return !lane->engine || leave_drop_known(lane);
}

void resend_send(struct lane *lane) {
	const struct sink *sink = &lane->options.sink;

	sink->class->send(sink->self, &lane->again, lane->again.n,
			  lane->again.dead_n, lane->now);
}

void resend_acknowledged(struct lane *lane, size_t items, size_t dead) {
	if (items) {
		const struct outbox_item *last =
			outbox_at(&lane->again, items - 1);

		lane->fence.mark = last->seq;
		memcpy(lane->fence.hash, last->hash, 32);
		lane->fence.has_hash = true;
		outbox_drop(&lane->again, items);
	}
	if (dead) {
		lane->fence.dead =
			outbox_dead_at(&lane->again, dead - 1)->ordinal;
		outbox_drop_dead(&lane->again, dead);
	}
	lane->resent += items;
	if (items || dead)
		crash_point("resend-acknowledged");
}
