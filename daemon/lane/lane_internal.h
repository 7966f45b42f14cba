/*
 * The lane, inside. lane.c turns; start.c decides how a life begins, replay.c
 * takes what a journal says, live.c what comes, leave.c lets alerts out.
 */
#pragma once

#include "lane/archive.h"
#include "lane/checkpoint.h"
#include "lane/intake.h"
#include "lane/journal.h"
#include "lane/lane.h"
#include "lane/sent.h"
#include "lane/statedir.h"

#define TURN_EVENTS 4096u
#define GATES 16384u

/*
 * Reasons that say what a seam takes silently. They stand in the journal's
 * header, so that a seam that was interrupted goes the same way again.
 */
#define SEAM_CHECKPOINT_LOST "checkpoint lost" /* and what it stood for */
#define SEAM_LOG_CHANGED "log changed"         /* not the old journal */
#define SEAM_ENDED_EARLY "journal ended early" /* and what lies behind it */
#define SEAM_CONTENT_LOST "table lost"         /* not the old journal */

/* So much of the outbox may leave once the journal is durable up to there. */
struct gate {
	uint64_t items, dead; /* counted from the lane's beginning */
	uint64_t position;
};

/* A checkpoint that is there; it may not count yet. */
struct kept_checkpoint {
	uint64_t number, position, ordinal, seq, dead;
};
#define KEPT_MOST 5u

struct lane {
	struct lane_options options;
	struct statedir dir;
	enum lane_phase phase;
	enum lane_end end;
	int64_t now;  /* monotonic, microseconds */
	int64_t wall; /* seconds since 1970, of this turn */
	int64_t wall_usec;
	bool stopping;
	int64_t stop_by;

	/* Claimed once per life. */
	uint64_t epoch;
	bool claimed;
	/* What the sink held at the claim, and what it has acknowledged. */
	struct sink_fence fence;
	bool connected; /* the fence of this connection was compared */

	/* What it has acknowledged, and what of it is sent again. */
	struct sent *sent;
	struct sent_reader *resend; /* NULL: nothing is */
	struct outbox again;
	bool all_read;
	uint64_t resends, resent;
	int sent_error; /* that was said last */

	/* Why the next life begins with a seam whatever the journal says. */
	const char *force_seam;

	/* One life: thrown away and begun again when the sink lost data. */
	struct engine *engine;
	struct journal_header header;
	struct journal_content *contents; /* of a header of our own */
	char *seam_reason;
	struct buf open_ids; /* that a seam asks the sink for as well */
	uint32_t journal_number;
	struct journal *journal; /* NULL while its own past is replayed */
	struct intake **intakes;
	size_t n_intakes;
	bool begun; /* the silent or live phase */
	bool catching_up;
	bool sealed; /* the seam's decision is made (or none is needed) */
	bool older_journals; /* to be removed once the new one is complete */
	uint64_t sealed_position; /* of the seam's decision */
	bool full;                /* the disk, as was said last */
	int64_t try_again; /* what found it so, at the beginning of a life */

	/* Replay: of this journal or, for a seam, of the one before. */
	struct journal_reader *reader;
	bool own; /* it is this journal that is read */
	struct journal_entry entry;
	bool entry_valid;
	size_t run;           /* of entry.runs */
	uint64_t run_taken;   /* records of that run */
	int64_t missed_since; /* a partition that the feed lacks; 0: none */
	bool then_silent;     /* after the old journal, catch up silently */

	uint64_t replay_end; /* ordinal of the last input to be replayed */
	char distance[64];   /* … and how far that is, for /ready */

	struct archive *archive; /* NULL: none is kept */
	int64_t next_archive_sync;

	/* Checkpoints, oldest first. */
	struct checkpointer *checkpointer;
	struct kept_checkpoint kept[KEPT_MOST];
	size_t n_kept;
	bool has_forgotten;
	int checkpoint_error; /* that was said last */
	int64_t next_checkpoint;
	uint64_t last_dead;        /* ordinal of the last dead letter */
	struct checkpoint *resume; /* its partitions are still to be entered */
	size_t resume_at;

	/* Input that the engine has not yet taken, already in the journal. */
	struct event *events[TURN_EVENTS];
	const struct feed_record *records[TURN_EVENTS]; /* they came from */
	size_t n_events, at_event;
	int64_t poll_time;
	struct decision decision;
	bool decision_pending;
	struct journal_run *runs;
	size_t n_runs, runs_cap;

	/* Live. */
	int64_t round_began, behind_since, next_tick, last_advance;

	/* On the way out. */
	uint64_t gone_items, gone_dead; /* acknowledged or known, ever */
	uint64_t made_items, made_dead; /* known to the last gate */
	struct gate gates[GATES];
	size_t gate_head, n_gates;
	uint64_t open_items, open_dead; /* allowed to leave */
	uint64_t snapshot_items, snapshot_dead;
	bool snapshot;

	int64_t next_report, next_status;
	const char *reported; /* why it was not ready then */
	uint64_t seams, restarts, alerts, dead_letters, gaps;

	/* What tables and lists are to be like. */
	const struct ruleset *files;
	int64_t next_content;
	int content_error; /* that was said last */
	uint64_t refreshes;
};

/* lane.c */
__attribute__((format(printf, 2, 3))) void lane_halt(struct lane *lane,
						     const char *format, ...);
/*
 * Whether @error says that the disk is full: that is waited for. What found it
 * so is tried again in a second. Any other, also none: it is not (any more).
 */
bool lane_is_full(struct lane *lane, int error);
void lane_restart(struct lane *lane, const char *why);
/* What @intake reads is not there (any more), or its topic for align_wait. */
bool lane_is_gone(const struct lane *lane, struct intake *intake);
/* Records that were taken, or were to be taken next, are gone: a seam. */
void lane_log_changed(struct lane *lane, const char *why);
/* The engine takes what is pending; false: the outbox is full. */
bool lane_settle(struct lane *lane);
/* Journals a decision and hands it to the engine, or keeps it pending. */
void lane_decide(struct lane *lane, const struct decision *decision,
		 int64_t first_offset);
/* Adds the head of @intake to this turn's events. */
void lane_take(struct lane *lane, struct intake *intake);
/* Journals this turn's events; they are pending then. */
void lane_commit_turn(struct lane *lane);
void lane_enter(struct lane *lane, const char *topic, int32_t partition,
		int64_t first);
/* NULL: no rule reads it. */
const struct stream *lane_stream(const struct lane *lane, const char *topic);
bool lane_has_room(const struct lane *lane);

/* start.c */
/* Does what the sink's state asks for; false: nothing else may happen now. */
bool start_meet_sink(struct lane *lane);
/* Sink and feed are there: replay, seam or a fresh journal. */
void start_life(struct lane *lane);
/* Makes the seam's decision once the sink has said what is open. */
bool start_seal(struct lane *lane);
void start_forget_life(struct lane *lane);

/* replay.c: true if there may be more to do at once. */
bool lane_replay(struct lane *lane);

/* Waits for a partition that was read before; true: no more, a seam. */
bool replay_wait_for(struct lane *lane, const char *topic, int32_t partition);

/* keep.c */
/* Opens the archive of a life that begins. */
int keep_archive(struct lane *lane);
/* What is handed over waits for nothing any more. */
bool keep_is_archived(const struct lane *lane);
/* Takes checkpoints as they are due. */
void keep_turn(struct lane *lane);
/*
 * Checkpoints fail, and a start would have to replay more than is allowed:
 * Kafka might no longer have it.
 */
bool keep_is_too_far(const struct lane *lane);
/*
 * Begins from the newest checkpoint that serves, which is in lane->resume
 * then, and reads the journal, which ends at @end, from there.
 */
int keep_resume(struct lane *lane, uint64_t end);
/* Enters the next partition of lane->resume; true: there is more to do. */
bool keep_enter(struct lane *lane);

/* content.c */
/* Whether @r says that a text is not kept, or is not one of such a table. */
bool content_is_lost(int r);
/* Look-ups see these. Negative errno: not all of them do. */
int content_set(const struct lane *lane, const struct journal_content *contents,
		size_t n);
int content_decided(const struct lane *lane, const struct decision *decision);
/* … or what a new journal begins with: @old's (NULL: none), else the files'. */
int content_choose(const struct lane *lane, const struct journal_header *old);
/* Makes durable what they see, so that a header may name it. */
int content_keep(const struct lane *lane);
/* What they see; the caller frees. */
struct journal_content *content_list(const struct lane *lane, size_t *n);
/* Takes in a file that has changed; true: one was. */
bool content_turn(struct lane *lane);

/* live.c */
void live_begin(struct lane *lane);
bool lane_live(struct lane *lane);

/* resend.c */
/*
 * From lane->fence on; 0, or what sent_read_open() says. While lane->resend is
 * there, the sink takes from it alone.
 */
int resend_begin(struct lane *lane);
/* True: the sink is again where it was. */
bool resend_turn(struct lane *lane);
void resend_send(struct lane *lane);
void resend_acknowledged(struct lane *lane, size_t items, size_t dead);
void resend_end(struct lane *lane);
/*
 * The log goes on behind lane->fence, and what it says beyond is void. False:
 * it could not be removed, so the lane has been halted.
 */
bool resend_forget(struct lane *lane);

/* leave.c */
/* After the engine has taken something: what it made waits for the journal. */
void leave_note(struct lane *lane);
/* Drops what the sink already has; false: the chains differ. */
bool leave_drop_known(struct lane *lane);
void leave_acknowledged(struct lane *lane);
void leave_send(struct lane *lane);
