#include "lane/lane_internal.h"

#include "lane/crash.h"
#include "tocsin/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* An epoch of our own: greater than the sink's and than any we ever had. */
static bool choose_epoch(struct lane *lane, const struct sink_fence *fence) {
	uint64_t mine = 0;
	int r;

	r = statedir_epoch(&lane->dir, &mine);
	if (r == 0) {
		lane->epoch = (mine > fence->epoch ? mine : fence->epoch) + 1;
		r = statedir_set_epoch(&lane->dir, lane->epoch);
	}
	if (lane_is_full(lane, r))
		return false;
	if (r < 0) {
		lane_halt(lane, "%s: %s", lane->dir.path, strerror(-r));
		return false;
	}
	lane->claimed = true;
	return true;
}

/* The sink holds less than it once acknowledged, as far as we know. */
static bool has_lost(const struct lane *lane, const struct sink_fence *fence) {
	struct sent_point end = sent_end(lane->sent);
	bool before =
		lane->phase != PHASE_MEET && (fence->mark < lane->fence.mark ||
					      fence->dead < lane->fence.dead);

	return before || fence->mark < end.seq || fence->dead < end.dead;
}

/*
 * What was sent is sent again from its log. Only if that does not reach back so
 * far it is made again; in a life that is to begin that happens anyway.
 */
static bool on_loss(struct lane *lane) {
	int r;

	if (lane->options.loss_halts) {
		lane_halt(lane, "the sink has lost alerts that it had "
				"acknowledged; redis_loss is halt");
		return false;
	}
	r = resend_begin(lane);
	if (r == 0)
		return true;
	/* Whether the sink or the log has it from elsewhere, the journal says:
	 * what it leads to is compared with the mark. */
	if (r == -ESTALE)
		log_warn("lane: alert %llu in the sink is not the one that was "
			 "sent: the log of what was sent is not used",
			 (unsigned long long)lane->fence.mark);
	if (r != -ENODATA && !resend_forget(lane))
		return false;
	if (lane->phase == PHASE_MEET)
		return true;
	lane_restart(lane, "the sink has lost alerts that it had "
			   "acknowledged: making them again");
	return false;
}

/* A new connection: does the sink still hold what we left there? */
static bool compare_fence(struct lane *lane) {
	const struct sink *sink = &lane->options.sink;
	struct sink_fence fence = *sink->class->fence(sink->self);
	bool lost = has_lost(lane, &fence);

	lane->connected = true;
	if (lost || lane->phase == PHASE_MEET) {
		lane->fence = fence;
		return !lost || on_loss(lane);
	}
	if (lane->phase == PHASE_LIVE &&
	    fence.mark > engine_seq(lane->engine)) {
		lane_halt(lane,
			  "the sink holds alerts up to %llu, this lane "
			  "has made %llu",
			  (unsigned long long)fence.mark,
			  (unsigned long long)engine_seq(lane->engine));
		return false;
	}
	lane->fence = fence;
	return leave_drop_known(lane);
}

/* Since this process had it: a new life is not a new daemon. */
static bool is_taken(const struct lane *lane) {
	const struct sink *sink = &lane->options.sink;

	return lane->epoch &&
	       sink->class->fence(sink->self)->epoch > lane->epoch;
}

static bool end_fenced(struct lane *lane) {
	log_error("lane: another daemon has taken lane %s", lane->options.lane);
	lane->phase = PHASE_END;
	lane->end = LANE_FENCED;
	return false;
}

bool start_meet_sink(struct lane *lane) {
	const struct sink *sink = &lane->options.sink;

	switch (sink->class->state(sink->self)) {
	case SINK_AWAY:
		lane->connected = false;
		resend_end(lane);
		return true;
	case SINK_MET:
		lane->connected = false;
		resend_end(lane);
		if (!lane->claimed && is_taken(lane))
			return end_fenced(lane);
		if (!lane->claimed &&
		    !choose_epoch(lane, sink->class->fence(sink->self)))
			return false;
		sink->class->claim(sink->self, lane->epoch,
				   lane->options.rules_hash);
		return true;
	case SINK_OPEN:
		if (!lane->connected && !compare_fence(lane))
			return false;
		return !lane->resend || resend_turn(lane);
	case SINK_FENCED:
		return end_fenced(lane);
	}
	return false;
}

/* What lies in the state directory. */
struct found {
	struct journal_reader *reader; /* NULL: no journal; at its beginning */
	uint32_t number;               /* of it */
	uint32_t greatest;             /* of any */
	bool any;
	const char *unfinished; /* the newest began with this seam and has
				   none */
	bool has_seam;
	uint64_t seam_seq;
	bool has_entries;
	uint64_t end;  /* its position */
	uint64_t last; /* ordinal in it */
	bool same_topics;
};

static bool has_topic(const struct journal_reader *reader, const char *topic) {
	const struct journal_partition *partitions;
	size_t n;

	partitions = journal_read_partitions(reader, &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(partitions[i].topic, topic) == 0)
			return true;
	return false;
}

/*
 * The old order serves if the journal and the rules speak of the same topics.
 * One that nobody has made yet makes no difference.
 */
static bool same_topics(const struct lane *lane,
			const struct journal_reader *reader) {
	const struct feed *feed = &lane->options.feed;
	const struct journal_partition *partitions;
	size_t n;

	for (size_t i = 0; i < feed->class->n_partitions(feed->self); i++)
		if (!has_topic(reader,
			       feed->class->partition(feed->self, i)->topic))
			return false;
	partitions = journal_read_partitions(reader, &n);
	for (size_t i = 0; i < n; i++)
		if (!lane_stream(lane, partitions[i].topic))
			return false;
	return true;
}

/*
 * Reads a journal through: does it hold together, has it its seam? What it says
 * is durable then, so that what is replayed may have effects at once.
 */
static int survey(const struct lane *lane, struct found *found, const char *dir,
		  struct buf *why) {
	struct journal_reader *reader;
	struct journal_entry entry;
	int r;

	r = journal_read_open(&reader, dir, why);
	if (r < 0)
		return r;
	found->has_entries = journal_read_is_trimmed(reader);
	while ((r = journal_read(reader, &entry, why)) > 0)
		found->has_entries = true;
	if (r == 0)
		r = journal_read_sync(reader);
	found->has_seam = journal_read_state(reader)->has_seam;
	found->seam_seq = journal_read_state(reader)->seam_seq;
	found->end = journal_read_position(reader);
	found->last = journal_read_ordinal(reader);
	found->same_topics = same_topics(lane, reader);
	journal_read_close(reader);
	return r;
}

static const char *keep_text(struct lane *lane, const char *text) {
	free(lane->seam_reason);
	lane->seam_reason = strdup(text);
	if (!lane->seam_reason)
		abort();
	return lane->seam_reason;
}

/* False: it cannot be judged, and the lane has been halted. */
static bool find_journal(struct lane *lane, struct found *found) {
	CLEANUP(buf_free) struct buf why = { 0 };
	uint32_t *numbers = NULL;
	size_t n = 0;
	int r;

	*found = (struct found){ 0 };
	r = statedir_journals(lane->dir.path, &numbers, &n);
	if (n) {
		found->any = true;
		found->greatest = numbers[0];
	}
	for (size_t i = 0; r == 0 && i < n && !found->reader; i++) {
		char *dir = statedir_journal(lane->dir.path, numbers[i]);

		buf_reset(&why);
		r = survey(lane, found, dir, &why);
		if (r == -ENOENT) {
			r = 0; /* its header was never written */
		} else if (r == 0) {
			r = journal_read_open(&found->reader, dir, &why);
			found->number = numbers[i];
		}
		free(dir);
		if (!found->reader || r < 0)
			continue;
		const char *seam = journal_read_header(found->reader)->seam;
		if (seam && !found->has_seam) {
			if (!found->unfinished)
				found->unfinished = keep_text(lane, seam);
			journal_read_close(TAKE(found->reader));
		}
	}
	free(numbers);
	if (r < 0 && !lane_is_full(lane, r))
		lane_halt(lane, "%s", why.len ? buf_cstr(&why) : strerror(-r));
	return r == 0;
}

static int new_engine(struct lane *lane) {
	struct engine_options options = lane->options.engine;

	options.lane = lane->options.lane;
	options.seed = lane->header.seed;
	options.first_ordinal = lane->header.first_ordinal;
	options.silent = lane->header.seam != NULL;
	options.check_skew = true;
	return engine_new(&lane->engine, lane->options.rules, &options);
}

static int new_journal(struct lane *lane, const struct found *found,
		       const char *seam, uint64_t first_ordinal) {
	char *dir;
	int r;

	lane->header = (struct journal_header){
		.lane = lane->options.lane,
		.first_ordinal = first_ordinal,
		.seam = seam,
	};
	memcpy(lane->header.rules, lane->options.rules_hash, 32);
	free(lane->contents);
	lane->contents = content_list(lane, &lane->header.n_contents);
	lane->header.contents = lane->contents;
	r = content_keep(lane);
	if (r < 0)
		return r;
	if (getrandom(&lane->header.seed, sizeof(lane->header.seed), 0) !=
	    sizeof(lane->header.seed))
		return -EIO;
	lane->journal_number = found->any ? found->greatest + 1 : 1;
	lane->older_journals = found->any;
	dir = statedir_journal(lane->dir.path, lane->journal_number);
	r = journal_create(&lane->journal, dir, &lane->header);
	free(dir);
	return r;
}

/*
 * -ENODATA: the journal's beginning is gone, and nothing stands for it; as
 * content_is_lost() knows it: what tables had then is.
 */
static int begin_replay(struct lane *lane, struct found *found) {
	bool is_trimmed = journal_read_is_trimmed(found->reader);
	int r;

	lane->header = *journal_read_header(found->reader);
	lane->journal_number = found->number;
	lane->older_journals = true; /* if a crash left any behind */
	lane->reader = TAKE(found->reader);
	lane->own = true;
	lane->sealed = !lane->header.seam;
	lane->phase = PHASE_REPLAY;
	lane->replay_end = found->last;
	r = keep_resume(lane, found->end);
	if (r < 0 || lane->phase == PHASE_END)
		return r;
	if (!lane->resume)
		r = is_trimmed ? -ENODATA
			       : content_set(lane, lane->header.contents,
					     lane->header.n_contents);
	if (r < 0) {
		found->reader = TAKE(lane->reader);
		return r;
	}
	log_info("lane: replaying the journal, %llu records",
		 (unsigned long long)(lane->replay_end -
				      (lane->engine
					       ? engine_ordinal(lane->engine)
					       : lane->header.first_ordinal -
							 1)));
	return 0;
}

static uint64_t greater(uint64_t a, uint64_t b) {
	return a > b ? a : b;
}

/*
 * What the old journal took keeps its ordinals, so that the sink's `dead` says
 * of the same refused events that they are known, wherever this is cut off.
 * Only if `dead` lies behind the old journal's end they move up to it: what
 * comes behind that end is not what the sink has. A catch-up makes another
 * order, so its numbers begin above all that were ever given.
 */
static uint64_t choose_first_ordinal(const struct lane *lane,
				     const struct found *found,
				     bool by_journal) {
	uint64_t end = greater(lane->fence.dead, found->last);

	if (!by_journal)
		return end + 1;
	return journal_read_header(found->reader)->first_ordinal +
	       (end - found->last);
}

static int begin_seam(struct lane *lane, struct found *found,
		      const char *reason, bool by_journal) {
	int r;

	r = content_choose(lane, by_journal ? journal_read_header(found->reader)
					    : NULL);
	if (r == 0)
		r = new_journal(lane, found, reason,
				choose_first_ordinal(lane, found, by_journal));
	if (r < 0)
		return r;
	crash_point("seam-begun");
	lane->seams++;
	log_warn("lane: %s: begun a new journal with a seam", reason);
	lane->sealed = false;
	lane->own = false;
	if (by_journal) {
		lane->reader = TAKE(found->reader);
		lane->phase = PHASE_REPLAY;
	} else {
		lane->phase = PHASE_SILENT;
	}
	return 0;
}

/*
 * Its order and decisions serve again. Not if the sink's `dead` lies behind its
 * end: then dead letters were numbered by a seam that was cut off, and which of
 * the journal's own were delivered nobody can say.
 */
static bool goes_by_journal(const struct lane *lane, const struct found *found,
			    const char *reason) {
	return found->reader && found->same_topics &&
	       !journal_read_is_trimmed(found->reader) &&
	       strcmp(reason, SEAM_LOG_CHANGED) != 0 &&
	       strcmp(reason, SEAM_CONTENT_LOST) != 0 &&
	       (lane->fence.dead <= found->last ||
		strcmp(reason, SEAM_ENDED_EARLY) == 0);
}

/* Why the past cannot be computed again; NULL: it can. */
static const char *need_of_seam(struct lane *lane, const struct found *found) {
	const struct journal_header *header;

	if (lane->force_seam)
		return lane->force_seam;
	if (found->unfinished)
		return found->unfinished;
	if (!found->reader)
		return lane->fence.mark || lane->fence.dead
			       ? "state directory lost"
			       : NULL;
	header = journal_read_header(found->reader);
	if (memcmp(header->rules, lane->options.rules_hash, 32) != 0)
		return "rules changed";
	if (found->has_seam && lane->fence.mark < found->seam_seq)
		return "redis lost alerts";
	return NULL;
}

static int begin(struct lane *lane, struct found *found) {
	const char *reason = need_of_seam(lane, found);
	bool by_journal;
	int r;

	if (!reason && found->reader) {
		r = begin_replay(lane, found);
		if (r != -ENODATA && !content_is_lost(r))
			return r;
		reason = r == -ENODATA ? SEAM_CHECKPOINT_LOST
				       : SEAM_CONTENT_LOST;
	}
	if (!reason) {
		r = content_choose(lane, NULL);
		if (r == 0)
			r = new_journal(lane, found, NULL, 1);
		if (r < 0)
			return r;
		if (!resend_forget(lane))
			return 0;
		lane->sealed = true;
		lane->phase = PHASE_LIVE;
		log_info("lane: begun a new journal");
		return 0;
	}
	by_journal = goes_by_journal(lane, found, reason);
	lane->then_silent = by_journal && strcmp(reason, SEAM_ENDED_EARLY) == 0;
	return begin_seam(lane, found, reason, by_journal);
}

void start_life(struct lane *lane) {
	const struct feed *feed = &lane->options.feed;
	struct found found;
	int r;

	if (!lane->connected || !feed->class->settled(feed->self) ||
	    !find_journal(lane, &found))
		return;
	if (found.reader && strcmp(journal_read_header(found.reader)->lane,
				   lane->options.lane) != 0) {
		lane_halt(lane, "%s holds lane %s, this is lane %s",
			  lane->dir.path,
			  journal_read_header(found.reader)->lane,
			  lane->options.lane);
	} else if (found.has_entries && !lane->fence.exists &&
		   lane->options.loss_halts) {
		lane_halt(lane, "the sink's fence is missing, but this lane "
				"has a past; redis_loss is halt");
	} else {
		r = begin(lane, &found);
		if (r == 0 && !lane->engine && lane->phase != PHASE_END)
			r = new_engine(lane);
		if (r == 0 && lane->engine)
			r = keep_archive(lane);
		if (lane_is_full(lane, r)) {
			/* Not half a life: what is missing would stay so. */
			start_forget_life(lane);
			lane->phase = PHASE_MEET;
		} else if (r < 0) {
			lane_halt(lane, "%s: %s", lane->dir.path, strerror(-r));
		}
		if (r == 0)
			lane->force_seam = NULL;
	}
	journal_read_close(found.reader);
}

bool start_seal(struct lane *lane) {
	const struct sink *sink = &lane->options.sink;
	struct decision seam = { .kind = DECISION_SEAM,
				 .reason = lane->header.seam,
				 .seq = lane->fence.mark };

	if (!lane->connected)
		return false;
	if (!lane->open_ids.len)
		engine_open_ids(lane->engine, &lane->open_ids);
	sink->class->ask_records(sink->self,
				 (const uint8_t *)lane->open_ids.data,
				 lane->open_ids.len / 16);
	if (!sink->class->records(sink->self, &seam.open, &seam.open_len,
				  &seam.n_open))
		return false;
	memcpy(seam.hash, lane->fence.hash, 32);
	if (!resend_forget(lane))
		return false;
	buf_reset(&lane->open_ids);
	log_info("lane: seam at seq %llu, %zu records read",
		 (unsigned long long)seam.seq, seam.n_open);
	lane->phase = PHASE_LIVE;
	lane->begun = false;
	lane->sealed = true;
	lane_decide(lane, &seam, 0);
	crash_point("seam-decided");
	lane->sealed_position = journal_position(lane->journal);
	journal_sync(lane->journal);
	return true;
}

void start_forget_life(struct lane *lane) {
	resend_end(lane);
	checkpointer_free(TAKE(lane->checkpointer));
	archive_close(TAKE(lane->archive));
	checkpoint_close(TAKE(lane->resume));
	for (size_t i = 0; i < lane->n_intakes; i++)
		intake_free(lane->intakes[i]);
	free(lane->intakes);
	lane->intakes = NULL;
	lane->n_intakes = 0;
	journal_close(TAKE(lane->journal));
	journal_read_close(TAKE(lane->reader));
	engine_free(TAKE(lane->engine));
	buf_reset(&lane->open_ids);
	lane->n_events = lane->at_event = lane->n_runs = 0;
	lane->decision_pending = lane->entry_valid = lane->snapshot = false;
	lane->options.sink.class->forget_records(lane->options.sink.self);
	lane->begun = lane->catching_up = lane->sealed = lane->then_silent =
		false;
	lane->gone_items = lane->gone_dead = 0;
	lane->made_items = lane->made_dead = 0;
	lane->open_items = lane->open_dead = 0;
	lane->gate_head = lane->n_gates = 0;
	lane->sealed_position = 0;
	lane->n_kept = 0;
	lane->has_forgotten = false;
	lane->next_checkpoint = 0;
	lane->last_dead = lane->replay_end = 0;
	lane->next_tick = lane->missed_since = 0;
}
