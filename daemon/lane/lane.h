/*
 * Lane: what makes an engine durable.
 *
 * One thread, one state, one ordered input. A lane reads all partitions of its
 * topics, merges them, writes the order into the journal before it acts, lets
 * the engine judge, and lets alerts out once the journal is on disk. After any
 * crash it does the same again in the journal's order, and the sink drops what
 * it already has. RECOVERY.md has the argument, sentence by sentence.
 */
#pragma once

#include "engine/engine.h"
#include "lane/checkpoint.h"
#include "tocsin/feed.h"
#include "tocsin/sink.h"

struct lane;

/* When records that were to be read next are gone. */
enum gap_policy {
	GAP_SEAM, /* take what is there anew, and reconcile what is open */
	GAP_SKIP, /* go on behind them with the state as it is */
	GAP_HALT
};

struct lane_options {
	/* Its contents are the lane's to refresh. */
	const struct ruleset *rules;
	/* All that output depends on besides the journal and contents. */
	uint8_t rules_hash[32];
	const char *lane;
	const char *state; /* the directory, locked by the lane */
	struct feed feed;  /* borrowed */
	struct sink sink;  /* borrowed */
	/* Limits and the mask key; the rest is the lane's to fill. */
	struct engine_options engine;
	usec_t align_wait;
	usec_t stop_timeout;
	bool wall_clock; /* advance when all is silent */
	bool loss_halts; /* when Redis lost what it had, else send again */
	enum gap_policy on_gap;
	usec_t checkpoint_every;  /* 0: never */
	size_t checkpoint_memory; /* of pages that wait for the disk */
	/* While checkpoints fail no more inputs than these are taken; 0: any */
	uint64_t replay_most;
	usec_t journal_keep; /* at least, though no longer needed */
	usec_t sent_keep;    /* the same of what was sent, but not */
	uint64_t sent_most;  /* … more bytes than these */
	bool archives;       /* keeps all that is taken */
	int64_t archive_keep_s;
	int stop_fd; /* readable: end; -1: none */
	/* Readable: reload() is to look what is asked for, and to empty it. */
	int reload_fd;
	void (*reload)(void *context, struct lane *lane);
	/* Microseconds, since 1970 and since whenever; NULL: the clocks. */
	int64_t (*wall)(void);
	int64_t (*monotonic)(void);
	/*
	 * From the lane's thread: once a second, and as soon as it has become
	 * ready or no longer is; and for each transition that the sink has
	 * acknowledged. NULL: nobody.
	 */
	void (*report)(void *context, const struct lane *lane);
	void (*delivered)(void *context, const struct outbox_item *item);
	void *context; /* of all three */
};

enum lane_end {
	LANE_STOPPED,    /* as asked, and everything is delivered */
	LANE_INCOMPLETE, /* as asked; the next start delivers the rest */
	LANE_FENCED,     /* another daemon has the lane */
	LANE_HALTED      /* something only a person can judge; it was logged */
};

/* -EWOULDBLOCK: the state directory is locked; @why gets a sentence. */
int lane_new(struct lane **ret, const struct lane_options *options,
	     struct buf *why);
enum lane_end lane_run(struct lane *lane);
/* One turn of the loop that does not wait; for tests. False: it has ended. */
bool lane_turn(struct lane *lane);
void lane_free(struct lane *lane);
/* To end as if stop_fd were readable. */
void lane_ask_stop(struct lane *lane);
/*
 * Tables and lists are to be as they were when @files was loaded, whose rules
 * are those of the lane. It stays until the next call or the lane's end.
 */
void lane_use_files(struct lane *lane, const struct ruleset *files);

/* For reports. */
enum lane_phase {
	PHASE_MEET,   /* waits for feed and sink */
	PHASE_REPLAY, /* takes again what the journal says */
	PHASE_SILENT, /* of a seam: takes what is there, publishes nothing */
	PHASE_ASK,    /* of a seam: asks the sink what is open */
	PHASE_LIVE,
	PHASE_END
};
const char *lane_phase_name(enum lane_phase phase);

struct lane_partition_view {
	const char *topic;
	int32_t partition;
	int64_t next, high;
	uint64_t read;
	bool at_end, idle;
	usec_t watermark; /* INT64_MIN: none */
};
struct lane_view {
	enum lane_phase phase;
	bool catching_up;
	const char *not_ready;       /* NULL: ready */
	const struct engine *engine; /* NULL: none yet */
	const struct ruleset *rules;
	uint64_t mark; /* the last seq acknowledged */
	uint64_t epoch;
	size_t waiting, waiting_dead; /* in the outbox */
	uint64_t journal_bytes;
	uint64_t sync_usec;
	bool full; /* the disk */
	enum sink_state sink_state;
	const struct sink_counters *sink;
	const char *feed_trouble; /* NULL: none */
	size_t n_partitions;
	uint64_t seams, restarts, alerts, dead_letters, gaps, refreshes;
	uint64_t resends, resent, sent_bytes;
	uint64_t replay_left; /* inputs of the journal still to be taken */
	const struct checkpointer_counters *checkpoints; /* NULL: none yet */
	uint64_t archive_bytes, archive_raw_bytes;       /* since the start */
};
void lane_view(const struct lane *lane, struct lane_view *view);
void lane_partition(const struct lane *lane, size_t i,
		    struct lane_partition_view *view);
