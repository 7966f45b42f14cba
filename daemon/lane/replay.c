#include "lane/lane_internal.h"

#include "lane/crash.h"
#include "tocsin/log.h"

#include <errno.h>
#include <string.h>

static bool give_up(struct lane *lane, const char *why) {
	lane_log_changed(lane, why);
	return true;
}

/* 1: entered; 0: the feed does not know it; -ENODATA: its beginning is gone. */
static int enter(struct lane *lane) {
	const struct decision *decision = &lane->entry.decision;
	const struct feed *feed = &lane->options.feed;

	for (size_t i = 0; i < feed->class->n_partitions(feed->self); i++) {
		const struct feed_partition *is =
			feed->class->partition(feed->self, i);

		if (is->missing || is->partition != decision->partition ||
		    strcmp(is->topic, decision->topic) != 0)
			continue;
		if (is->low > lane->entry.first_offset)
			return -ENODATA;
		lane_enter(lane, is->topic, is->partition,
			   lane->entry.first_offset);
		return 1;
	}
	return 0;
}

/*
 * A broker that has just begun may not know all its topics yet. Taking one for
 * gone costs a seam, so it is waited for as long as for one that is silent.
 */
bool replay_wait_for(struct lane *lane, const char *topic, int32_t partition) {
	if (!lane->missed_since) {
		lane->missed_since = lane->now;
		log_warn("lane: the journal has read %s/%d, which is not "
			 "there: waiting for it",
			 topic, (int)partition);
	}
	if (lane->now - lane->missed_since < lane->options.align_wait)
		return false;
	return give_up(lane, "a partition of the journal is gone");
}

static bool replay_partition(struct lane *lane) {
	int r = enter(lane);

	if (r < 0)
		return give_up(lane, "the first records of the journal are "
				     "gone");
	if (r == 0)
		return replay_wait_for(lane, lane->entry.decision.topic,
				       lane->entry.decision.partition);
	lane->missed_since = 0;
	lane->entry_valid = false;
	lane_decide(lane, &lane->entry.decision, lane->entry.first_offset);
	return true;
}

static struct intake *intake_of(struct lane *lane,
				const struct decision *decision) {
	for (size_t i = 0; i < lane->n_intakes; i++)
		if (lane->intakes[i]->partition == decision->partition &&
		    !strcmp(lane->intakes[i]->topic, decision->topic))
			return lane->intakes[i];
	return NULL;
}

/* An old journal's seam: what comes behind it keeps its ordinal. */
static bool keep_its_place(struct lane *lane) {
	lane_decide(lane, &(struct decision){ .kind = DECISION_WENT_ON }, 0);
	return true;
}

/* Other rules may not have it any more; else its text must be there. */
static bool replay_content(struct lane *lane) {
	const struct decision *decision = &lane->entry.decision;
	int r = content_decided(lane, decision);

	lane->entry_valid = false;
	if (r == 0) {
		lane_decide(lane, decision, 0);
		return true;
	}
	if (!content_is_lost(r)) {
		lane_halt(lane, "what %s had: %s", decision->name,
			  strerror(-r));
		return false;
	}
	if (!lane->own)
		return keep_its_place(lane);
	log_warn("lane: what %s had is not kept any more", decision->name);
	lane->force_seam = SEAM_CONTENT_LOST;
	lane_restart(lane, "the past cannot be computed again");
	return true;
}

static bool replay_decision(struct lane *lane) {
	const struct decision *decision = &lane->entry.decision;
	struct intake *intake;

	if (decision->kind == DECISION_PARTITION)
		return replay_partition(lane);
	if (decision->kind == DECISION_CONTENT)
		return replay_content(lane);
	lane->entry_valid = false;
	if (decision->kind == DECISION_GAP && lane->own) {
		intake = intake_of(lane, decision);
		if (intake && intake_restart(intake, decision->at) < 0)
			lane_halt(lane, "%s/%d cannot be read", decision->topic,
				  (int)decision->partition);
	}
	if (decision->kind == DECISION_SEAM) {
		if (!lane->own) /* the new journal has its own seam */
			return keep_its_place(lane);
		lane->sealed = true;
	}
	if (decision->kind == DECISION_CATCH_UP)
		lane->catching_up = true;
	if (decision->kind == DECISION_LIVE)
		lane->catching_up = false;
	if (decision->kind == DECISION_IDLE &&
	    (intake = intake_of(lane, decision)))
		intake->idle = true;
	lane_decide(lane, decision, lane->entry.first_offset);
	return true;
}

/* 1: taken; 0: not there yet; -ENODATA: not there any more. */
static int replay_record(struct lane *lane, const struct journal_run *run) {
	struct intake *intake = lane->intakes[run->partition];
	const struct event *head = intake_head(intake);

	if (!head) {
		intake_fill(intake);
		head = intake_head(intake);
	}
	if (!head) {
		if (intake_is_pinned(intake))
			return 0;
		if (intake_at_end(intake) || lane_is_gone(lane, intake))
			return -ENODATA;
		return 0;
	}
	if (head->at.offset < run->first || head->at.offset >= run->next)
		return -ENODATA;
	intake->idle = false;
	lane_take(lane, intake);
	return 1;
}

/* Takes of the entry's runs what is there and fits into a turn. */
static int replay_runs(struct lane *lane) {
	while (lane->run < lane->entry.n_runs) {
		const struct journal_run *run = &lane->entry.runs[lane->run];
		int r;

		if (lane->n_events == TURN_EVENTS)
			return 0;
		if (lane->run_taken == run->count) {
			lane->run++;
			lane->run_taken = 0;
			continue;
		}
		r = replay_record(lane, run);
		if (r <= 0)
			return r;
		lane->run_taken++;
	}
	return 1;
}

static bool replay_turn(struct lane *lane) {
	int r;

	lane->poll_time = lane->entry.poll_time;
	r = replay_runs(lane);
	if (r < 0) {
		lane->n_events = 0;
		return give_up(lane, "records of the journal are gone");
	}
	if (r > 0)
		lane->entry_valid = false;
	if (lane->n_events) {
		lane_commit_turn(lane);
		crash_point("turn-replayed");
		return true;
	}
	return r > 0;
}

/* The end of this journal: from here on it is written again. */
static bool own_end(struct lane *lane) {
	int r;

	if (lane->fence.mark > engine_seq(lane->engine) ||
	    lane->fence.dead > engine_ordinal(lane->engine)) {
		lane->force_seam = SEAM_ENDED_EARLY;
		lane_restart(lane, "the sink holds alerts or dead letters that "
				   "the journal does not lead to");
		return true;
	}
	crash_point("replay-over");
	r = journal_append(&lane->journal, lane->reader);
	if (lane_is_full(lane, r))
		return false;
	if (r < 0) {
		lane_halt(lane, "journal: %s", strerror(-r));
		return false;
	}
	journal_read_close(TAKE(lane->reader));
	log_info("lane: replayed up to ordinal %llu, seq %llu",
		 (unsigned long long)engine_ordinal(lane->engine),
		 (unsigned long long)engine_seq(lane->engine));
	lane->phase = PHASE_LIVE;
	return true;
}

static bool old_end(struct lane *lane) {
	journal_read_close(TAKE(lane->reader));
	lane->phase = lane->then_silent ? PHASE_SILENT : PHASE_ASK;
	return true;
}

bool lane_replay(struct lane *lane) {
	CLEANUP(buf_free) struct buf why = { 0 };
	int r;

	/* The others fetch meanwhile, so that their queues do not stall. */
	for (size_t i = 0; i < lane->n_intakes; i++)
		intake_fill(lane->intakes[i]);
	if (lane->resume)
		return keep_enter(lane);
	if (!lane->entry_valid) {
		r = journal_read(lane->reader, &lane->entry, &why);
		if (r < 0) {
			lane_halt(lane, "%s", buf_cstr(&why));
			return false;
		}
		if (r == 0)
			return lane->own ? own_end(lane) : old_end(lane);
		lane->entry_valid = true;
		lane->run = 0;
		lane->run_taken = 0;
	}
	if (lane->entry.kind == JOURNAL_DECISION)
		return replay_decision(lane);
	return replay_turn(lane);
}
