#include "lane/lane_internal.h"

#include "lane/crash.h"
#include "tocsin/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_SLEEP (100 * USEC_PER_MSEC)
#define REPORT_EVERY USEC_PER_SEC
#define STATUS_EVERY (2 * USEC_PER_SEC)
#define BACKLOG_MAX (64u << 20)

static int64_t clock_usec(clockid_t clock) {
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

static int64_t wall_clock(void) {
	return clock_usec(CLOCK_REALTIME);
}

static int64_t monotonic_clock(void) {
	return clock_usec(CLOCK_MONOTONIC);
}

void lane_halt(struct lane *lane, const char *format, ...) {
	struct buf text = { 0 };
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	log_error("lane: halted: %s", buf_cstr(&text));
	buf_free(&text);
	lane->phase = PHASE_END;
	lane->end = LANE_HALTED;
}

bool lane_is_full(struct lane *lane, int error) {
	bool full = is_full(error);

	if (full && !lane->full)
		log_warn("lane: %s: %s: nothing is taken until there is room",
			 lane->dir.path, strerror(-error));
	else if (!full && lane->full)
		log_info("lane: %s: there is room again", lane->dir.path);
	lane->full = full;
	lane->try_again = lane->now + USEC_PER_SEC;
	return full;
}

/*
 * The engine cannot go back, but it can be made again: everything it knew is
 * in Kafka and in the journal.
 */
void lane_restart(struct lane *lane, const char *why) {
	const struct sink *sink = &lane->options.sink;

	log_warn("lane: %s", why);
	lane->restarts++;
	start_forget_life(lane);
	/*
	 * A fresh connection reads the fence as it is now. What was sent on
	 * the old one may still arrive: under the next epoch it is refused,
	 * else it could take the seqs of another history.
	 */
	sink->class->drop(sink->self);
	lane->claimed = false;
	lane->connected = false;
	lane->phase = PHASE_MEET;
}

/* A broker that has just begun may not know a topic for a moment. */
bool lane_is_gone(const struct lane *lane, struct intake *intake) {
	const struct feed *feed = &lane->options.feed;
	const struct feed_partition *is =
		feed->class->partition(feed->self, intake->index);

	if (!is->missing)
		intake->missing_since = 0;
	else if (!intake->missing_since)
		intake->missing_since = lane->now;
	return intake->is_foreign || is->gone ||
	       (is->missing &&
		lane->now - intake->missing_since >= lane->options.align_wait);
}

/*
 * The log no longer holds what the journal says, or what comes next. That past
 * cannot be computed again, so the lane begins anew with what is there.
 */
void lane_log_changed(struct lane *lane, const char *why) {
	if (lane->options.on_gap == GAP_HALT) {
		lane_halt(lane, "%s; on_gap is halt", why);
		return;
	}
	lane->force_seam = SEAM_LOG_CHANGED;
	lane_restart(lane, why);
}

bool lane_has_room(const struct lane *lane) {
	if (!outbox_has_room(engine_outbox(lane->engine)))
		return false;
	if (sent_backlog(lane->sent) >= BACKLOG_MAX)
		return false;
	if (lane->archive && (archive_error(lane->archive) != 0 ||
			      archive_backlog(lane->archive) >= BACKLOG_MAX))
		return false;
	return !lane->journal || (journal_error(lane->journal) == 0 &&
				  journal_backlog(lane->journal) < BACKLOG_MAX);
}

bool lane_settle(struct lane *lane) {
	if (lane->at_event < lane->n_events) {
		lane->at_event += engine_run(
			lane->engine, lane->events + lane->at_event,
			lane->n_events - lane->at_event, lane->poll_time);
		leave_note(lane);
		if (lane->phase == PHASE_END || lane->at_event < lane->n_events)
			return false;
		lane->n_events = lane->at_event = 0;
		for (size_t i = 0; i < lane->n_intakes; i++)
			intake_release(lane->intakes[i]);
	}
	if (lane->decision_pending) {
		lane->decision_pending =
			!engine_decide(lane->engine, &lane->decision);
		leave_note(lane);
	}
	return lane->phase != PHASE_END && !lane->decision_pending;
}

/* A replay reads what is durable; what is written now is so later. */
static void note_archive(struct lane *lane) {
	if (lane->journal)
		archive_note(lane->archive, journal_position(lane->journal));
}

void lane_decide(struct lane *lane, const struct decision *decision,
		 int64_t first_offset) {
	if (lane->journal)
		journal_decide(lane->journal, decision, first_offset);
	if (lane->archive) {
		archive_decide(lane->archive, decision, first_offset);
		note_archive(lane);
	}
	lane->decision = *decision;
	lane->decision_pending = true;
	lane_settle(lane);
}

void lane_take(struct lane *lane, struct intake *intake) {
	struct event *event = intake_head(intake);
	struct journal_run *run =
		lane->n_runs ? &lane->runs[lane->n_runs - 1] : NULL;

	lane->events[lane->n_events] = event;
	intake_take(intake);
	lane->records[lane->n_events++] = intake->taken;
	if (!run || run->partition != intake->number) {
		if (lane->n_runs == lane->runs_cap) {
			lane->runs_cap = TURN_EVENTS;
			lane->runs = reallocarray(lane->runs, TURN_EVENTS,
						  sizeof(*lane->runs));
			if (!lane->runs)
				abort();
		}
		run = &lane->runs[lane->n_runs++];
		*run = (struct journal_run){ .partition = intake->number,
					     .first = event->at.offset };
	}
	run->count++;
	run->next = event->at.offset + 1;
}

static void archive_turn(struct lane *lane) {
	size_t at = 0;

	for (size_t i = 0; i < lane->n_runs; i++)
		for (uint64_t k = lane->runs[i].count; k; k--) {
			const struct feed_record *record = lane->records[at++];

			archive_record(lane->archive, lane->runs[i].partition,
				       record->offset, record->timestamp_ms,
				       lane->poll_time, record->payload,
				       record->len);
		}
	note_archive(lane);
}

void lane_commit_turn(struct lane *lane) {
	for (size_t i = 0; i < lane->n_intakes; i++)
		intake_note_last(lane->intakes[i]);
	if (lane->phase != PHASE_REPLAY)
		lane->poll_time = lane->wall;
	if (lane->journal)
		journal_turn(lane->journal, lane->poll_time, lane->runs,
			     lane->n_runs);
	if (lane->archive)
		archive_turn(lane);
	crash_point("turn-noted");
	lane->n_runs = 0;
}

const struct stream *lane_stream(const struct lane *lane, const char *topic) {
	const struct ruleset *rules = lane->options.rules;

	for (size_t i = 0; i < rules->n_streams; i++)
		if (strcmp(rules->streams[i]->topic, topic) == 0)
			return rules->streams[i];
	return NULL;
}

void lane_enter(struct lane *lane, const char *topic, int32_t partition,
		int64_t first) {
	const struct feed *feed = &lane->options.feed;
	const struct stream *stream = lane_stream(lane, topic);
	struct intake *intake;
	size_t i = 0;

	while (feed->class->partition(feed->self, i)->topic != topic ||
	       feed->class->partition(feed->self, i)->partition != partition)
		i++;
	intake = intake_new(*feed, i, (uint32_t)lane->n_intakes, stream,
			    lane->header.seed);
	intake->next = intake->acknowledged = first;
	intake->last_taken = lane->now;
	lane->intakes = reallocarray(lane->intakes, lane->n_intakes + 1,
				     sizeof(*lane->intakes));
	if (!lane->intakes)
		abort();
	lane->intakes[lane->n_intakes++] = intake;
	if (feed->class->start(feed->self, i, first) < 0)
		lane_halt(lane, "%s/%d cannot be read", topic, (int)partition);
}

/* The journal before was kept until this one could stand for itself. */
static void remove_older_journals(struct lane *lane) {
	uint32_t *numbers = NULL;
	size_t n = 0;

	if (!lane->older_journals || !lane->sealed || !lane->journal ||
	    journal_durable(lane->journal) < lane->sealed_position)
		return;
	lane->older_journals = false;
	if (statedir_journals(lane->dir.path, &numbers, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (numbers[i] < lane->journal_number)
			statedir_remove_journal(lane->dir.path, numbers[i]);
	free(numbers);
}

static bool phase_turn(struct lane *lane) {
	switch (lane->phase) {
	case PHASE_MEET:
		start_life(lane);
		return lane->phase != PHASE_MEET;
	case PHASE_REPLAY:
		return lane_replay(lane);
	case PHASE_SILENT:
	case PHASE_LIVE:
		if (lane->begun)
			return lane_live(lane);
		live_begin(lane);
		return true;
	case PHASE_ASK:
		return start_seal(lane);
	case PHASE_END:
		break;
	}
	return false;
}

/* What is taken from the outside is bounded by what can leave. */
static bool step(struct lane *lane) {
	bool more;

	if (lane->engine && !(lane_settle(lane) && lane_has_room(lane)))
		return false;
	/* A replay goes on: at its end stands what Redis may lack. */
	if (lane->stopping && (!lane->engine || lane->phase == PHASE_LIVE))
		return false;
	if (lane->phase == PHASE_LIVE && keep_is_too_far(lane))
		return false;
	more = phase_turn(lane);
	if (lane->engine && lane->phase != PHASE_END)
		lane_settle(lane);
	return more;
}

static bool check_disk(struct lane *lane) {
	const char *what = "journal";
	int error = 0;

	if (lane->journal) {
		journal_acknowledge(lane->journal);
		error = journal_error(lane->journal);
	}
	/* It may fail while the journal is only read. */
	if (!error && lane->archive) {
		what = "archive";
		error = archive_error(lane->archive);
	}
	if (!lane->journal && !error)
		return true;
	if (!lane_is_full(lane, error) && error) {
		lane_halt(lane, "the %s cannot be written: %s", what,
			  strerror(-error));
		return false;
	}
	return true;
}

/* A running journal or archive has a thread that tries; else we try. */
static bool waits_for_room(const struct lane *lane) {
	bool tries = lane->journal ||
		     (lane->archive && archive_error(lane->archive) != 0);

	return lane->full && !tries && lane->now < lane->try_again;
}

/* There is a journal, which may lead to what was never delivered. */
static bool has_past(const struct lane *lane) {
	uint32_t *numbers = NULL;
	size_t n = 0;

	if (statedir_journals(lane->dir.path, &numbers, &n) < 0)
		return true;
	free(numbers);
	return n > 0;
}

static bool delivered(const struct lane *lane) {
	const struct outbox *outbox;

	if (!lane->engine)
		return !has_past(lane);
	outbox = engine_outbox(lane->engine);
	return lane->phase == PHASE_LIVE && !lane->resend && !outbox->n &&
	       !outbox->dead_n && !lane->decision_pending &&
	       lane->at_event == lane->n_events && keep_is_archived(lane);
}

static void check_stop(struct lane *lane) {
	bool done;

	if (!lane->stopping || lane->phase == PHASE_END)
		return;
	done = delivered(lane);
	/* Without an engine nothing will come of waiting. */
	if (!done && lane->engine && lane->now < lane->stop_by)
		return;
	lane->phase = PHASE_END;
	lane->end = done ? LANE_STOPPED : LANE_INCOMPLETE;
	if (!done)
		log_warn("lane: ending before all was delivered; the next "
			 "start delivers what is left");
}

static const char *not_ready(const struct lane *lane) {
	const struct feed *feed = &lane->options.feed;
	const char *trouble = feed->class->trouble(feed->self);

	if (lane->full)
		return "lane: the disk is full";
	if (!lane->connected)
		return "redis: not connected";
	if (lane->resend)
		return "redis: being sent again what it had lost";
	if (trouble)
		return trouble;
	if (lane->phase == PHASE_REPLAY)
		return lane->distance;
	if (lane->phase != PHASE_LIVE)
		return "lane: starting";
	if (keep_is_too_far(lane))
		return "lane: checkpoints fail, and a start would have to "
		       "replay too much: nothing is taken";
	if (lane->catching_up)
		return "lane: catching up";
	return NULL;
}

static void say_status(struct lane *lane) {
	const struct sink *sink = &lane->options.sink;
	char lag_text[24], mark_text[24], watermark_text[24], rules[65];
	struct lane_view view;
	int64_t lag = 0;

	if (lane->now < lane->next_status || !lane->connected)
		return;
	lane->next_status = lane->now + STATUS_EVERY;
	lane_view(lane, &view);
	for (size_t i = 0; i < lane->n_intakes; i++) {
		struct lane_partition_view p;

		lane_partition(lane, i, &p);
		lag += p.high > p.next ? p.high - p.next : 0;
	}
	for (size_t i = 0; i < 32; i++)
		snprintf(rules + 2 * i, 3, "%02x", lane->options.rules_hash[i]);
	snprintf(lag_text, sizeof(lag_text), "%lld", (long long)lag);
	snprintf(mark_text, sizeof(mark_text), "%llu",
		 (unsigned long long)view.mark);
	snprintf(watermark_text, sizeof(watermark_text), "%lld",
		 lane->engine && engine_watermark(lane->engine) != INT64_MIN
			 ? (long long)(engine_watermark(lane->engine) /
				       USEC_PER_MSEC)
			 : 0LL);
	sink->class->status(
		sink->self,
		(const char *const[]){
			"version", TOCSIN_VERSION, "lane", lane->options.lane,
			"rules", rules, "phase", lane_phase_name(view.phase),
			"ready", view.not_ready ? "0" : "1", "lag", lag_text,
			"watermark_ms", watermark_text, "mark", mark_text },
		8);
}

static uint64_t replay_left(const struct lane *lane) {
	uint64_t at = lane->engine ? engine_ordinal(lane->engine) : 0;

	return lane->phase == PHASE_REPLAY && lane->replay_end > at
		       ? lane->replay_end - at
		       : 0;
}

static void say_distance(struct lane *lane) {
	if (lane->phase == PHASE_REPLAY)
		snprintf(lane->distance, sizeof(lane->distance),
			 "lane: replaying its journal, %llu records left",
			 (unsigned long long)replay_left(lane));
}

static void complain_of_sent(struct lane *lane) {
	int error = sent_error(lane->sent);

	if (error && error != lane->sent_error)
		log_warn("lane: %s/sent: %s: %s", lane->dir.path,
			 strerror(-error),
			 is_full(error)
				 ? "trying again"
				 : "until the next start nothing more is kept "
				   "to be sent again");
	lane->sent_error = error;
}

/* What a restart may need stays; without checkpoints the journal has it. */
static void keep_sent(struct lane *lane) {
	uint64_t seq = lane->options.checkpoint_every ? 0 : UINT64_MAX;
	uint64_t dead = seq;

	complain_of_sent(lane);
	sent_sync(lane->sent);
	if (lane->resend)
		return;
	if (lane->n_kept) {
		seq = lane->kept[0].seq;
		dead = lane->kept[0].dead;
	}
	sent_trim(lane->sent, seq, dead,
		  lane->wall_usec - lane->options.sent_keep,
		  lane->options.sent_most);
}

static void report(struct lane *lane) {
	const char *trouble = not_ready(lane);

	if (lane->now < lane->next_report && trouble == lane->reported)
		return;
	lane->reported = trouble;
	lane->next_report = lane->now + REPORT_EVERY;
	say_distance(lane);
	if (lane->journal)
		journal_flush(lane->journal);
	keep_sent(lane);
	if (lane->options.report)
		lane->options.report(lane->options.context, lane);
}

/* True: there is more to do at once. */
static bool turn(struct lane *lane) {
	const struct feed *feed = &lane->options.feed;
	const struct sink *sink = &lane->options.sink;
	bool more = false;

	lane->now = lane->options.monotonic();
	lane->wall_usec = lane->options.wall();
	lane->wall = lane->wall_usec / USEC_PER_SEC;
	feed->class->quieten(feed->self);
	feed->class->serve(feed->self);
	sink->class->serve(sink->self, lane->now);
	leave_acknowledged(lane);
	if (check_disk(lane) && !waits_for_room(lane) &&
	    start_meet_sink(lane) && lane->phase != PHASE_END)
		more = step(lane);
	if (lane->phase != PHASE_END) {
		leave_send(lane);
		keep_turn(lane);
		remove_older_journals(lane);
		check_stop(lane);
	}
	report(lane);
	if (lane->phase != PHASE_END)
		say_status(lane);
	return more && lane->phase != PHASE_END;
}

bool lane_turn(struct lane *lane) {
	turn(lane);
	return lane->phase != PHASE_END;
}

/* The descriptors of a turn; Redis's and the journal's come and go. */
static void watch(int epoll, int *watched, int fd, unsigned events) {
	struct epoll_event event = { .events = events, .data = { .fd = fd } };

	if (*watched >= 0 && *watched != fd)
		epoll_ctl(epoll, EPOLL_CTL_DEL, *watched, NULL);
	*watched = fd;
	if (fd < 0)
		return;
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void sleep_until_something(struct lane *lane, int epoll, int fds[5]) {
	const struct feed *feed = &lane->options.feed;
	const struct sink *sink = &lane->options.sink;
	struct epoll_event events[5];
	int64_t wait = LONGEST_SLEEP, wake;

	watch(epoll, &fds[0], feed->class->fd(feed->self), EPOLLIN);
	watch(epoll, &fds[1], sink->class->fd(sink->self),
	      sink->class->events(sink->self));
	watch(epoll, &fds[2], lane->journal ? journal_fd(lane->journal) : -1,
	      EPOLLIN);
	watch(epoll, &fds[3], lane->stopping ? -1 : lane->options.stop_fd,
	      EPOLLIN);
	watch(epoll, &fds[4],
	      lane->stopping || !lane->options.reload ? -1
						      : lane->options.reload_fd,
	      EPOLLIN);
	wake = sink->class->wake(sink->self);
	if (wake < lane->now + wait)
		wait = wake > lane->now ? wake - lane->now : 0;
	epoll_wait(epoll, events, 5, (int)((wait + 999) / 1000));
}

static bool is_readable(int fd) {
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&poll_fd, 1, 0) == 1;
}

void lane_ask_stop(struct lane *lane) {
	if (lane->stopping)
		return;
	log_info("lane: stopping");
	lane->stopping = true;
	lane->stop_by = lane->options.monotonic() + lane->options.stop_timeout;
	lane->next_archive_sync = 0;
	if (lane->journal)
		journal_sync(lane->journal);
}

static void look_for_orders(struct lane *lane) {
	if (lane->stopping)
		return;
	if (is_readable(lane->options.stop_fd))
		lane_ask_stop(lane);
	else if (lane->options.reload && is_readable(lane->options.reload_fd))
		lane->options.reload(lane->options.context, lane);
}

enum lane_end lane_run(struct lane *lane) {
	int fds[5] = { -1, -1, -1, -1, -1 };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0) {
		lane_halt(lane, "epoll: %s", strerror(errno));
		return lane->end;
	}
	while (lane->phase != PHASE_END) {
		if (!turn(lane) && lane->phase != PHASE_END)
			sleep_until_something(lane, epoll, fds);
		look_for_orders(lane);
	}
	close(epoll);
	return lane->end;
}

int lane_new(struct lane **ret, const struct lane_options *options,
	     struct buf *why) {
	struct lane *lane = calloc(1, sizeof(*lane));
	int r;

	if (!lane)
		abort();
	lane->options = *options;
	if (!lane->options.wall)
		lane->options.wall = wall_clock;
	if (!lane->options.monotonic)
		lane->options.monotonic = monotonic_clock;
	lane->end = LANE_STOPPED;
	lane->files = options->rules;
	r = statedir_open(&lane->dir, options->state, why);
	if (r < 0) {
		free(lane);
		return r;
	}
	r = sent_open(&lane->sent, options->state, options->lane);
	if (r < 0) {
		buf_printf(why, "%s/sent: %s", options->state,
			   r == -EXDEV ? "it holds another lane"
				       : strerror(-r));
		statedir_close(&lane->dir);
		free(lane);
		return r;
	}
	*ret = lane;
	return 0;
}

void lane_free(struct lane *lane) {
	if (!lane)
		return;
	start_forget_life(lane);
	sent_close(lane->sent);
	statedir_close(&lane->dir);
	free(lane->seam_reason);
	buf_free(&lane->open_ids);
	free(lane->contents);
	free(lane->runs);
	free(lane);
}

static const char *const phase_names[] = {
	[PHASE_MEET] = "meet",   [PHASE_REPLAY] = "replay",
	[PHASE_SILENT] = "seam", [PHASE_ASK] = "seam",
	[PHASE_LIVE] = "live",   [PHASE_END] = "end",
};

const char *lane_phase_name(enum lane_phase phase) {
	return phase_names[phase];
}

void lane_view(const struct lane *lane, struct lane_view *view) {
	const struct feed *feed = &lane->options.feed;
	const struct sink *sink = &lane->options.sink;

	*view = (struct lane_view){
		.phase = lane->phase,
		.catching_up = lane->catching_up,
		.not_ready = not_ready(lane),
		.engine = lane->engine,
		.rules = lane->options.rules,
		.mark = lane->fence.mark,
		.epoch = lane->epoch,
		.sink_state = sink->class->state(sink->self),
		.sink = sink->class->counters(sink->self),
		.feed_trouble = feed->class->trouble(feed->self),
		.n_partitions = lane->n_intakes,
		.full = lane->full,
		.seams = lane->seams,
		.restarts = lane->restarts,
		.alerts = lane->alerts,
		.dead_letters = lane->dead_letters,
		.gaps = lane->gaps,
		.refreshes = lane->refreshes,
		.resends = lane->resends,
		.resent = lane->resent,
		.sent_bytes = sent_bytes(lane->sent),
		.replay_left = replay_left(lane),
		.checkpoints = lane->checkpointer ? checkpointer_counters(
							    lane->checkpointer)
						  : NULL,
	};
	if (lane->archive) {
		struct archive_counters archive =
			archive_counters(lane->archive);

		view->archive_bytes = archive.bytes;
		view->archive_raw_bytes = archive.raw_bytes;
	}
	if (lane->engine) {
		const struct outbox *outbox = engine_outbox(lane->engine);

		view->waiting = outbox->n;
		view->waiting_dead = outbox->dead_n;
	}
	if (lane->journal) {
		view->journal_bytes = journal_position(lane->journal);
		view->sync_usec = journal_sync_usec(lane->journal);
	}
}

void lane_partition(const struct lane *lane, size_t i,
		    struct lane_partition_view *view) {
	const struct intake *intake = lane->intakes[i];
	const struct feed_partition *is = lane->options.feed.class->partition(
		lane->options.feed.self, intake->index);

	*view = (struct lane_partition_view){
		.topic = intake->topic,
		.partition = intake->partition,
		.next = intake->next,
		.high = is->high > intake->next ? is->high : intake->next,
		.read = (uint64_t)intake->read,
		.at_end = is->at_end,
		.idle = intake->idle,
		.watermark =
			intake->greatest == INT64_MIN
				? INT64_MIN
				: intake->greatest - intake->stream->max_delay,
	};
}
