/*
 * Keep: when a lane takes a checkpoint, which of them count, and how a life
 * begins from one.
 */
#include "lane/lane_internal.h"

#include "base/hash.h"
#include "lane/crash.h"
#include "tocsin/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *checkpoint_dir(const struct lane *lane) {
	char *journal = statedir_journal(lane->dir.path, lane->journal_number);
	char *dir;

	if (asprintf(&dir, "%s/checkpoint", journal) < 0)
		abort();
	free(journal);
	return dir;
}

/* --- the archive --- */

#define ARCHIVE_EVERY (5 * USEC_PER_SEC)

int keep_archive(struct lane *lane) {
	struct archive_place place = { .journal = lane->journal_number,
				       .header = &lane->header,
				       .next = engine_ordinal(lane->engine) +
					       1 };

	lane->next_archive_sync = 0;
	if (!lane->options.archives)
		return 0;
	place.end = place.next - 1;
	if (lane->own && lane->replay_end > place.end)
		place.end = lane->replay_end;
	if (lane->resume)
		place.partitions = journal_read_partitions(lane->reader,
							   &place.n_partitions);
	return archive_open(&lane->archive, lane->dir.path, &place,
			    lane->options.archive_keep_s);
}

bool keep_is_archived(const struct lane *lane) {
	return !lane->archive || archive_error(lane->archive) != 0 ||
	       archive_durable(lane->archive) >= engine_ordinal(lane->engine);
}

static void sync_archive(struct lane *lane) {
	if (lane->journal)
		journal_sync(lane->journal);
	archive_sync(lane->archive);
}

static void turn_archive(struct lane *lane) {
	if (lane->now >= lane->next_archive_sync) {
		lane->next_archive_sync = lane->now + ARCHIVE_EVERY;
		if (!keep_is_archived(lane))
			sync_archive(lane);
	}
	archive_pump(lane->archive, lane->journal
					    ? journal_durable(lane->journal)
					    : UINT64_MAX);
}

/* --- taking them --- */

static void put_partition(struct checkpoint_partition *to,
			  const struct intake *intake) {
	*to = (struct checkpoint_partition){
		.topic = (char *)(uintptr_t)intake->topic,
		.partition = intake->partition,
		.idle = intake->idle,
		.next = intake->next,
		.greatest = intake->greatest,
		.last_offset = intake->last.offset,
		.last_timestamp = intake->last.timestamp,
		.last_crc = intake->last.crc,
	};
}

static void begin(struct lane *lane) {
	struct checkpoint_head head = {
		.taken = lane->wall_usec,
		.seed = lane->header.seed,
		.position = journal_position(lane->journal),
		.ordinal = engine_ordinal(lane->engine),
		.seq = engine_seq(lane->engine),
		.dead = lane->last_dead,
		.catching_up = lane->catching_up,
		.n_partitions = lane->n_intakes,
	};

	memcpy(head.rules, lane->options.rules_hash, 32);
	memcpy(head.hash, engine_hash(lane->engine), 32);
	head.partitions = calloc(lane->n_intakes + 1, sizeof(*head.partitions));
	if (!head.partitions)
		abort();
	for (size_t i = 0; i < lane->n_intakes; i++)
		put_partition(&head.partitions[i], lane->intakes[i]);
	head.contents = content_list(lane, &head.n_contents);
	/* It counts once journal and archive are on disk up to here. */
	journal_sync(lane->journal);
	if (lane->archive)
		archive_sync(lane->archive);
	checkpointer_begin(lane->checkpointer, lane->engine, &head);
	crash_point("checkpoint-begun");
	lane->kept[lane->n_kept] =
		(struct kept_checkpoint){ .position = head.position,
					  .ordinal = head.ordinal,
					  .seq = head.seq,
					  .dead = head.dead };
	free(head.partitions);
	free(head.contents);
}

/* Nothing is half taken, so state and journal say the same. */
static bool is_between_turns(const struct lane *lane) {
	return lane->phase == PHASE_LIVE && lane->begun && lane->sealed &&
	       lane->journal && journal_error(lane->journal) == 0 &&
	       !lane->decision_pending && lane->at_event == lane->n_events;
}

static bool make_checkpointer(struct lane *lane,
			      const struct checkpoint *base) {
	char *dir;
	int r;

	if (lane->checkpointer)
		return true;
	dir = checkpoint_dir(lane);
	r = checkpointer_new(&lane->checkpointer, dir,
			     lane->options.checkpoint_memory, base);
	if (r < 0 && r != lane->checkpoint_error)
		log_warn("lane: %s: %s: no checkpoints", dir, strerror(-r));
	lane->checkpoint_error = r;
	free(dir);
	return r == 0;
}

/* A head that can be filed elsewhere, at each checkpoint. */
static void say_taken(struct lane *lane, uint64_t number) {
	const struct checkpointer_counters *counters =
		checkpointer_counters(lane->checkpointer);
	const struct kept_checkpoint *kept = &lane->kept[lane->n_kept];
	CLEANUP(buf_free) struct buf hash = { 0 };

	buf_hex(&hash, engine_hash(lane->engine), 32);
	log_info("lane: checkpoint %llu: seq %llu, %llu pages in %.3f s, the "
		 "lane stood still for %.3f ms; head now: lane %s, seq %llu, "
		 "%s",
		 (unsigned long long)number, (unsigned long long)kept->seq,
		 (unsigned long long)counters->pages,
		 (double)counters->usec / 1e6,
		 (double)counters->pause_usec / 1e3, lane->options.lane,
		 (unsigned long long)engine_seq(lane->engine), buf_cstr(&hash));
}

static void collect(struct lane *lane) {
	uint64_t number;
	int r = checkpointer_collect(lane->checkpointer, &number);

	if (r == 0)
		return;
	if (r < 0) {
		if (r != lane->checkpoint_error)
			log_warn("lane: a checkpoint could not be written: %s; "
				 "the one before stands",
				 strerror(-r));
		lane->checkpoint_error = r;
		return;
	}
	lane->checkpoint_error = 0;
	say_taken(lane, number);
	lane->kept[lane->n_kept++].number = number;
}

/* The journal reaches it, and all that came before it has been delivered. */
static bool counts(const struct lane *lane,
		   const struct kept_checkpoint *kept) {
	return kept->position <= journal_durable(lane->journal) &&
	       kept->seq <= lane->fence.mark &&
	       kept->dead <= lane->fence.dead &&
	       sent_is_durable(lane->sent, kept->seq, kept->dead) &&
	       (!lane->archive ||
		kept->ordinal <= archive_durable(lane->archive));
}

/* What one of them still waits for. */
static void sync_sent(struct lane *lane) {
	const struct kept_checkpoint *kept = lane->kept + lane->n_kept;

	while (kept-- > lane->kept)
		if (kept->seq <= lane->fence.mark &&
		    !sent_is_durable(lane->sent, kept->seq, kept->dead)) {
			sent_sync(lane->sent);
			return;
		}
}

/* The newest two that count stay, and what is newer. */
static void forget_older(struct lane *lane) {
	size_t n = lane->n_kept, first;
	char *journal;
	int64_t before;

	while (n && !counts(lane, &lane->kept[n - 1]))
		n--;
	if (n < 3 && !(n == 2 && !lane->has_forgotten))
		return;
	first = n - 2;
	before = lane->options.journal_keep > lane->wall_usec
			 ? INT64_MIN
			 : (lane->wall_usec - lane->options.journal_keep) /
				   USEC_PER_SEC;
	journal = statedir_journal(lane->dir.path, lane->journal_number);
	checkpointer_forget(lane->checkpointer, lane->kept[first].number,
			    journal, lane->kept[first].position, before);
	free(journal);
	lane->n_kept -= first;
	memmove(lane->kept, lane->kept + first,
		lane->n_kept * sizeof(*lane->kept));
	lane->has_forgotten = true;
}

void keep_turn(struct lane *lane) {
	usec_t every = lane->options.checkpoint_every;

	if (lane->archive && lane->engine)
		turn_archive(lane);
	if (!every || !lane->engine || lane->phase != PHASE_LIVE)
		return;
	if (lane->checkpointer)
		collect(lane);
	sync_sent(lane);
	if (lane->now < lane->next_checkpoint || !is_between_turns(lane) ||
	    !make_checkpointer(lane, NULL))
		return;
	if (checkpointer_is_busy(lane->checkpointer))
		return;
	forget_older(lane);
	/* While the sink is away none more can count. */
	if (lane->n_kept + 1 == KEPT_MOST)
		return;
	lane->next_checkpoint = lane->now + every;
	/* A lane that stands still has said all. */
	if (lane->n_kept && lane->kept[lane->n_kept - 1].position ==
				    journal_position(lane->journal))
		return;
	begin(lane);
}

bool keep_is_too_far(const struct lane *lane) {
	uint64_t from = lane->n_kept ? lane->kept[lane->n_kept - 1].ordinal
				     : lane->header.first_ordinal - 1;

	/* Before it has begun it takes no checkpoint that could succeed. */
	return lane->begun && lane->checkpoint_error < 0 &&
	       lane->options.replay_most &&
	       engine_ordinal(lane->engine) - from >= lane->options.replay_most;
}

/* --- beginning from one --- */

/* How far the files lead that a checkpoint must not be ahead of. */
struct reach {
	uint64_t position; /* the journal's end */
	uint64_t archived; /* the ordinal behind the archive's end */
	bool sent;         /* nor of the log of what was sent */
};

/* Taken from this journal as it is, and all before it was delivered. */
static bool fits(const struct lane *lane, const struct checkpoint_head *head,
		 const struct journal_reader *reader, struct reach reach) {
	const struct journal_header *header = journal_read_header(reader);

	return memcmp(head->rules, lane->options.rules_hash, 32) == 0 &&
	       head->seed == header->seed && head->position <= reach.position &&
	       head->ordinal < reach.archived &&
	       head->seq <= lane->fence.mark && head->dead <= lane->fence.dead;
}

static int restore(struct lane *lane, struct checkpoint *checkpoint) {
	struct engine_options options = lane->options.engine;
	const void *saved;
	size_t len;

	options.lane = lane->options.lane;
	options.seed = lane->header.seed;
	options.check_skew = true;
	saved = checkpoint_saved(checkpoint, &len);
	return engine_restore(&lane->engine, lane->options.rules, &options,
			      saved, len, checkpoint_page, checkpoint);
}

/* Else what is missing would have to be replayed to be sent again. */
static bool sent_reaches_head(const struct lane *lane,
			      const struct checkpoint *checkpoint) {
	const struct checkpoint_head *head = checkpoint_head(checkpoint);

	return sent_reaches(lane->sent, head->seq, head->dead);
}

/* The journal from the checkpoint on. */
static int read_on(struct lane *lane, const struct checkpoint *checkpoint,
		   const char *journal, struct buf *why) {
	struct journal_reader *reader;
	int r = journal_read_open_at(
		&reader, journal, checkpoint_head(checkpoint)->position, why);

	if (r < 0)
		return r;
	if (journal_read_state(reader)->ordinal !=
	    checkpoint_head(checkpoint)->ordinal + 1) {
		buf_printf(why, "%s: other inputs lead to it", journal);
		journal_read_close(reader);
		return -EBADMSG;
	}
	journal_read_close(lane->reader);
	lane->reader = reader;
	lane->header = *journal_read_header(reader);
	return 0;
}

/* It says something of the checkpoint, not of the machine. */
static bool is_no_use(int r) {
	return r == -EBADMSG || r == -EPROTO || r == -ESTALE || r == -ENODATA ||
	       r == -ENOENT;
}

static int set_contents(const struct lane *lane,
			const struct checkpoint *checkpoint, struct buf *why) {
	const struct checkpoint_head *head = checkpoint_head(checkpoint);
	int r = content_set(lane, head->contents, head->n_contents);

	if (content_is_lost(r)) {
		buf_printf(why, "a table that it knows is not kept any more");
		r = -ESTALE;
	}
	return r;
}

static int try_one(struct lane *lane, const char *dir, const char *journal,
		   uint64_t number, struct reach reach, struct buf *why) {
	struct checkpoint *checkpoint;
	int r = checkpoint_open(&checkpoint, dir, number, why);

	if (r < 0)
		return r;
	if (!fits(lane, checkpoint_head(checkpoint), lane->reader, reach)) {
		buf_printf(why, "it does not count");
		r = -ESTALE;
	}
	if (r == 0 && reach.sent && !sent_reaches_head(lane, checkpoint)) {
		buf_printf(why, "what was sent before it is not all written "
				"down; one before it may do");
		r = -ESTALE;
	}
	if (r == 0)
		r = set_contents(lane, checkpoint, why);
	if (r == 0)
		r = restore(lane, checkpoint);
	if (r == 0)
		r = read_on(lane, checkpoint, journal, why);
	if (r < 0) {
		if (!why->len)
			buf_printf(why, "%s",
				   r == -EBADMSG ? "damaged" : strerror(-r));
		engine_free(TAKE(lane->engine));
		checkpoint_close(checkpoint);
		return r;
	}
	lane->resume = checkpoint;
	return 0;
}

static void take_up(struct lane *lane) {
	const struct checkpoint_head *head = checkpoint_head(lane->resume);
	struct sent_point point = { .seq = head->seq,
				    .dead = head->dead,
				    .has_hash = true };

	lane->resume_at = 0;
	lane->sealed = true;
	lane->catching_up = head->catching_up;
	lane->last_dead = head->dead;
	lane->kept[0] = (struct kept_checkpoint){ .number = head->number,
						  .position = head->position,
						  .ordinal = head->ordinal,
						  .seq = head->seq,
						  .dead = head->dead };
	lane->n_kept = 1;
	lane->next_checkpoint = lane->now + lane->options.checkpoint_every;
	memcpy(point.hash, head->hash, 32);
	sent_begin(lane->sent, &point);
	log_info("lane: checkpoint %llu: state of ordinal %llu, seq %llu",
		 (unsigned long long)head->number,
		 (unsigned long long)head->ordinal,
		 (unsigned long long)head->seq);
	if (lane->options.checkpoint_every)
		make_checkpointer(lane, lane->resume);
	if (head->seq == lane->fence.mark && lane->fence.has_hash &&
	    memcmp(head->hash, lane->fence.hash, 32) != 0)
		lane_halt(lane,
			  "alert %llu in the sink is not the one that "
			  "this checkpoint knows",
			  (unsigned long long)head->seq);
}

/*
 * What is newer than the one that is taken, or none of which serves, goes: the
 * journal will be written on from where it is now, and must not meet again
 * what knows another end of it.
 */
static int remove_newer(const char *dir, const uint64_t *numbers, size_t n,
			size_t taken) {
	int r = 0;

	for (size_t i = 0; r == 0 && i < n && i < taken; i++)
		r = checkpoint_remove(dir, numbers[i]);
	return r;
}

/* The place among @numbers of the one that is in lane->resume; @n: none. */
static int find_one(struct lane *lane, const char *dir, const uint64_t *numbers,
		    size_t n, struct reach reach, size_t *ret) {
	char *journal = statedir_journal(lane->dir.path, lane->journal_number);
	int r = -ENODATA;

	for (*ret = 0; *ret < n; ++*ret) {
		CLEANUP(buf_free) struct buf why = { 0 };

		r = try_one(lane, dir, journal, numbers[*ret], reach, &why);
		if (r == 0 || !is_no_use(r))
			break;
		log_warn("lane: checkpoint %llu is not used: %s",
			 (unsigned long long)numbers[*ret], buf_cstr(&why));
	}
	free(journal);
	return *ret == n ? 0 : r;
}

int keep_resume(struct lane *lane, uint64_t end) {
	struct reach reach = { end, UINT64_MAX, sent_is_any(lane->sent) };
	char *dir = checkpoint_dir(lane);
	uint64_t *numbers = NULL;
	size_t n = 0, found = 0;
	int r = checkpoint_list(dir, &numbers, &n);

	if (lane->options.archives && n)
		reach.archived =
			archive_next(lane->dir.path, lane->journal_number);
	if (r == 0)
		r = find_one(lane, dir, numbers, n, reach, &found);
	/* Rather one behind which the log of what was sent begins anew. */
	if (r == 0 && found == n && reach.sent) {
		reach.sent = false;
		r = find_one(lane, dir, numbers, n, reach, &found);
	}
	/* Rather a hole in the archive than a past that nobody has. */
	if (r == 0 && found == n && n &&
	    journal_read_is_trimmed(lane->reader)) {
		reach.archived = UINT64_MAX;
		r = find_one(lane, dir, numbers, n, reach, &found);
	}
	if (r == 0)
		r = remove_newer(dir, numbers, n, found);
	if (r == 0 && lane->resume)
		take_up(lane);
	free(numbers);
	free(dir);
	return r;
}

static const struct feed_partition *
find_partition(const struct lane *lane, const struct checkpoint_partition *it,
	       size_t *index) {
	const struct feed *feed = &lane->options.feed;

	for (size_t i = 0; i < feed->class->n_partitions(feed->self); i++) {
		const struct feed_partition *is =
			feed->class->partition(feed->self, i);

		*index = i;
		if (!is->missing && is->partition == it->partition &&
		    strcmp(is->topic, it->topic) == 0)
			return is;
	}
	return NULL;
}

/*
 * One partition of the checkpoint is read on. From the record before, if it is
 * still there: it says whether this is the log that was read.
 */
static void enter(struct lane *lane, const struct feed_partition *is,
		  const struct checkpoint_partition *it) {
	bool looks = it->last_offset >= 0 && it->last_offset >= is->low;
	struct intake *intake;

	lane_enter(lane, is->topic, is->partition,
		   looks ? it->last_offset : it->next);
	intake = lane->intakes[lane->n_intakes - 1];
	intake->next = intake->acknowledged = it->next;
	intake->greatest = it->greatest;
	intake->idle = it->idle;
	intake->last = (struct intake_last){ .offset = it->last_offset,
					     .timestamp = it->last_timestamp,
					     .crc = it->last_crc };
	intake->looks_back = looks;
}

bool keep_enter(struct lane *lane) {
	const struct checkpoint_head *head = checkpoint_head(lane->resume);
	const struct checkpoint_partition *it;
	const struct feed_partition *is;
	size_t index;

	if (lane->resume_at == head->n_partitions) {
		checkpoint_close(TAKE(lane->resume));
		return true;
	}
	it = &head->partitions[lane->resume_at];
	is = find_partition(lane, it, &index);
	if (!is)
		return replay_wait_for(lane, it->topic, it->partition);
	lane->missed_since = 0;
	enter(lane, is, it);
	lane->resume_at++;
	return true;
}
