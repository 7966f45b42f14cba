#include "lane/lane_internal.h"

#include "tocsin/log.h"

#include <string.h>

#define TICK (100 * USEC_PER_MSEC)
#define SHORT_ROUND (2 * USEC_PER_SEC)
#define FAR_BEHIND 50000
#define FAR_BEHIND_FOR (10 * USEC_PER_SEC)
#define ADVANCE_EVERY USEC_PER_MIN
#define ADVANCE_WITHIN (7 * USEC_PER_DAY)

static int64_t high_of(const struct lane *lane, const struct intake *intake) {
	const struct feed *feed = &lane->options.feed;

	return feed->class->partition(feed->self, intake->index)->high;
}

static void begin_round(struct lane *lane) {
	lane->round_began = lane->now;
	for (size_t i = 0; i < lane->n_intakes; i++)
		lane->intakes[i]->target = high_of(lane, lane->intakes[i]);
}

static void begin_catch_up(struct lane *lane) {
	if (!lane->catching_up)
		lane_decide(lane,
			    &(struct decision){ .kind = DECISION_CATCH_UP }, 0);
	lane->catching_up = true;
	lane->behind_since = 0;
	begin_round(lane);
}

static bool is_behind(const struct lane *lane) {
	for (size_t i = 0; i < lane->n_intakes; i++)
		if (high_of(lane, lane->intakes[i]) > lane->intakes[i]->next)
			return true;
	return false;
}

void live_begin(struct lane *lane) {
	/* The seam, if there was one, has been made. */
	lane->options.sink.class->forget_records(lane->options.sink.self);
	lane->begun = true;
	for (size_t i = 0; i < lane->n_intakes; i++) {
		lane->intakes[i]->last_taken = lane->now;
		lane->intakes[i]->went_on = false;
		lane->intakes[i]->waited_since = 0;
	}
	lane->last_advance = lane->now;
	/* A restart that has missed nothing changes nothing. */
	if (!lane->n_intakes || lane->catching_up || is_behind(lane) ||
	    lane->phase == PHASE_SILENT)
		begin_catch_up(lane);
}

/* Partitions that the feed has found and the lane does not read yet. */
static bool enter_new_partitions(struct lane *lane) {
	const struct feed *feed = &lane->options.feed;
	size_t n = feed->class->n_partitions(feed->self);

	for (size_t i = 0; n > lane->n_intakes && i < n; i++) {
		const struct feed_partition *is =
			feed->class->partition(feed->self, i);
		bool known = is->missing;

		for (size_t j = 0; j < lane->n_intakes; j++)
			known |= lane->intakes[j]->index == i;
		if (known)
			continue;
		lane_decide(lane,
			    &(struct decision){ .kind = DECISION_PARTITION,
						.topic = is->topic,
						.partition = is->partition },
			    is->low);
		lane_enter(lane, is->topic, is->partition, is->low);
		begin_round(lane);
		return true;
	}
	return false;
}

/*
 * Catching up goes in rounds: to where the log ended when the round began. A
 * round that took no longer than two seconds has as good as arrived, however
 * fast the log grows.
 */
static bool round_is_over(struct lane *lane, bool *all_at_end) {
	bool over = true;

	*all_at_end = true;
	for (size_t i = 0; i < lane->n_intakes; i++) {
		struct intake *intake = lane->intakes[i];

		if (intake_at_end(intake))
			continue;
		*all_at_end = false;
		over &= intake->next >= intake->target;
	}
	return over;
}

static bool arrive(struct lane *lane) {
	bool all_at_end;

	if (!round_is_over(lane, &all_at_end))
		return false;
	if (!all_at_end && lane->now - lane->round_began > SHORT_ROUND) {
		begin_round(lane);
		return false;
	}
	if (lane->phase == PHASE_SILENT) {
		lane->phase = PHASE_ASK;
		return true;
	}
	lane->catching_up = false;
	lane_decide(lane, &(struct decision){ .kind = DECISION_LIVE }, 0);
	log_info("lane: caught up");
	return true;
}

static bool far_behind(struct lane *lane) {
	bool far = false;

	for (size_t i = 0; i < lane->n_intakes; i++)
		far |= high_of(lane, lane->intakes[i]) -
			       lane->intakes[i]->next >
		       FAR_BEHIND;
	if (!far)
		lane->behind_since = 0;
	else if (!lane->behind_since)
		lane->behind_since = lane->now;
	return far && lane->now - lane->behind_since > FAR_BEHIND_FOR;
}

static bool name_idle(struct lane *lane, bool *all_idle) {
	*all_idle = lane->n_intakes > 0;
	for (size_t i = 0; i < lane->n_intakes; i++) {
		struct intake *intake = lane->intakes[i];

		if (intake->idle)
			continue;
		if (intake_at_end(intake) &&
		    lane->now - intake->last_taken >
			    intake->stream->idle_after) {
			intake->idle = true;
			lane_decide(lane,
				    &(struct decision){
					    .kind = DECISION_IDLE,
					    .topic = intake->topic,
					    .partition = intake->partition },
				    0);
			return true;
		}
		*all_idle = false;
	}
	return false;
}

static usec_t greatest_delay(const struct lane *lane) {
	const struct ruleset *rules = lane->options.rules;
	usec_t greatest = 0;

	for (size_t i = 0; i < rules->n_streams; i++)
		if (rules->streams[i]->is_read &&
		    rules->streams[i]->max_delay > greatest)
			greatest = rules->streams[i]->max_delay;
	return greatest;
}

/* When nothing comes, the wall clock carries time on, once a minute. */
static bool advance(struct lane *lane) {
	usec_t delay = greatest_delay(lane), at, last;

	if (!lane->options.wall_clock ||
	    lane->now - lane->last_advance < ADVANCE_EVERY)
		return false;
	lane->last_advance = lane->now;
	at = lane->wall_usec - delay;
	last = engine_last_advance(lane->engine);
	if (last > INT64_MIN + delay)
		last += delay;
	if (engine_greatest_time(lane->engine) > last)
		last = engine_greatest_time(lane->engine);
	if (last < lane->wall_usec - ADVANCE_WITHIN ||
	    at <= engine_watermark(lane->engine))
		return false;
	lane_decide(lane,
		    &(struct decision){ .kind = DECISION_ADVANCE, .at = at },
		    0);
	return true;
}

/*
 * What the engine has stays, what is gone had no effect: a decision says so,
 * and reading goes on where the log begins now.
 */
static bool skip_gap(struct lane *lane, struct intake *intake) {
	const struct feed *feed = &lane->options.feed;
	const struct feed_partition *is =
		feed->class->partition(feed->self, intake->index);

	if (lane->options.on_gap != GAP_SKIP || is->missing)
		return false;
	log_warn("lane: %s/%d: going on at offset %lld", intake->topic,
		 (int)intake->partition, (long long)is->low);
	lane->gaps++;
	lane_decide(lane,
		    &(struct decision){ .kind = DECISION_GAP,
					.topic = intake->topic,
					.partition = intake->partition,
					.at = is->low },
		    0);
	if (intake_restart(intake, is->low) < 0)
		lane_halt(lane, "%s/%d cannot be read", intake->topic,
			  (int)intake->partition);
	return true;
}

/* Expired before it was read, or the topic was made anew or deleted. */
static bool leave_what_is_gone(struct lane *lane) {
	for (size_t i = 0; i < lane->n_intakes; i++) {
		struct intake *intake = lane->intakes[i];

		/* What was read before it went comes first. */
		if (!lane_is_gone(lane, intake) || intake_head(intake))
			continue;
		log_warn("lane: %s/%d: the record at offset %lld is gone",
			 intake->topic, (int)intake->partition,
			 (long long)intake->next);
		if (skip_gap(lane, intake))
			return true;
		lane_log_changed(lane, "going on with what is there");
		return true;
	}
	return false;
}

/* Decisions that time brings; true if one was made. */
static bool tick(struct lane *lane) {
	bool all_idle;

	if (lane->now < lane->next_tick)
		return false;
	if (leave_what_is_gone(lane))
		return true;
	if (enter_new_partitions(lane))
		return true;
	if (lane->phase == PHASE_LIVE && content_turn(lane))
		return true;
	if (lane->catching_up) {
		if (arrive(lane))
			return true;
	} else if (far_behind(lane)) {
		log_info("lane: far behind: catching up");
		begin_catch_up(lane);
		return true;
	} else if (name_idle(lane, &all_idle)) {
		return true;
	} else if (all_idle && advance(lane)) {
		return true;
	}
	lane->next_tick = lane->now + TICK;
	return false;
}

/* A partition is behind and has nothing to show; at most for align_wait. */
static bool wait_for(struct lane *lane, struct intake *intake) {
	if (!intake->waited_since) {
		intake->waited_since = lane->now;
		return false;
	}
	if (lane->now - intake->waited_since < lane->options.align_wait)
		return false;
	log_warn("lane: %s/%d is behind and sends nothing: going on without it",
		 intake->topic, (int)intake->partition);
	intake->went_on = true;
	lane_decide(lane,
		    &(struct decision){ .kind = DECISION_WENT_ON,
					.topic = intake->topic,
					.partition = intake->partition },
		    0);
	return true;
}

static void take(struct lane *lane, struct intake *intake) {
	intake->waited_since = 0;
	intake->went_on = false;
	intake->idle = false;
	intake->last_taken = lane->now;
	lane_take(lane, intake);
}

static void take_what_comes(struct lane *lane, struct merge *merge) {
	enum merge_mode mode =
		lane->catching_up ? MERGE_ALIGNED : MERGE_PRESENT;
	struct intake *next;

	while (lane->n_events < TURN_EVENTS &&
	       (next = merge_next(lane->intakes, lane->n_intakes, lane->wall,
				  mode, merge)))
		do
			take(lane, next);
		while (lane->n_events < TURN_EVENTS &&
		       merge_goes_on(merge, next));
}

bool lane_live(struct lane *lane) {
	struct merge merge = { 0 };

	if (tick(lane))
		return true;
	for (size_t i = 0; i < lane->n_intakes; i++)
		intake_fill(lane->intakes[i]);
	take_what_comes(lane, &merge);
	if (lane->n_events) {
		lane_commit_turn(lane);
		return true;
	}
	if (merge.missing && !intake_is_pinned(merge.missing))
		return wait_for(lane, merge.missing);
	return false;
}
