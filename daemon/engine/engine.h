/*
 * Engine: a pure function from (state, input) to (state, alerts).
 *
 * No clock, no randomness, no I/O. Its inputs are events in the order that the
 * lane chose and decisions that the lane journaled; its outputs stand in the
 * outbox. The same inputs give the same outbox, byte for byte, however they
 * were cut into batches.
 *
 * A call may stop before it has taken all it was given, when the outbox is
 * full, even between two timers of one event: make room and call again with
 * what is left. Nothing is taken twice.
 */
#pragma once

#include "alert/outbox.h"
#include "event/event.h"
#include "rule/rule.h"

struct engine;

/* Why a verdict made no alert and changed none. */
enum withholding {
	WITHHELD_COOLDOWN,
	WITHHELD_EXCEPTION,
	WITHHELD_OPEN_MAX,
	WITHHELD_MISSING
};

/* One such verdict; what it points to holds during the call. */
struct withheld {
	const struct rule *rule;
	enum withholding reason;
	const struct exception *exception; /* that matched */
	enum missing missing;              /* what the verdict lacked */
	enum level level;                  /* LEVEL_NONE: nobody knows of one */
	usec_t at;               /* of the judged event, or the due time */
	const struct value *key; /* rule->plan->n_by of them, unmasked */
	bool silent;             /* a seam takes the past: nothing could ring */
};

struct engine_options {
	const char *lane;       /* "0" if NULL */
	uint64_t seed;          /* of the journal's header: ids, contents */
	uint64_t first_ordinal; /* the first input gets this one; 0 means 1 */
	uint64_t seq;           /* the last seq that was published */
	uint8_t hash[32];       /* its hash; zero for seq 0 */
	bool silent;            /* publish nothing before a SEAM decision */
	bool shadow;            /* rules with status test go out too, seq 0 */
	bool coverage;          /* count clauses seen true and false */
	bool check_skew;        /* refuse events from the future */
	bool told; /* time goes on by ADVANCE alone: a part of a lane's inputs,
		      with the watermarks of the whole */
	size_t max_state_bytes;        /* of all cells; 0: 8 GiB */
	size_t max_keys_per_rule;      /* 0: 16 million */
	uint64_t max_entries_per_rule; /* of windows; 0: 100 million */
	size_t max_ids_per_stream;     /* 0: 16 million */
	size_t outbox;                 /* transitions that may wait; 0: 4,096 */
	size_t dead_letters;           /* 0: 4,096 */
	uint8_t mask_key[32];
	/*
	 * Each verdict that the rule's counters withheld_… and missing count,
	 * once for each time they count it. NULL: nobody asks.
	 */
	void (*withheld)(void *context, const struct withheld *what);
	void *withheld_context;
};

enum decision_kind {
	DECISION_PARTITION, /* topic, partition: exists from now on */
	DECISION_CATCH_UP,  /* records come merged by event time */
	DECISION_LIVE,      /* … and no longer */
	DECISION_WENT_ON,   /* align_wait passed: no effect but its ordinal */
	DECISION_IDLE,      /* topic, partition: holds the watermark no more */
	DECISION_ADVANCE,   /* at: raises the watermark to it */
	DECISION_END,       /* of the last file: advance to the greatest time */
	DECISION_SEAM,      /* text, seq, hash, open */
	DECISION_GAP,       /* topic, partition, at: the offset that is next;
			       what was before it is gone */
	DECISION_CONTENT,   /* name, hash: what that table or list has from
			       now on; whoever decides it refreshes it first */
	DECISION_MAX
};

struct decision {
	enum decision_kind kind;
	const char *topic;
	int32_t partition;
	usec_t at;
	const char *name; /* CONTENT: of struct content */
	/* SEAM: what Redis holds, so that a replay need not ask it. */
	const char *reason;
	uint64_t seq;
	uint8_t hash[32]; /* at seq; CONTENT: SHA-256 of the text */
	/* Records of all that is open there, and of what is open here and is
	 * known there though it is closed. */
	const char *const *open;
	const size_t *open_len;
	size_t n_open;
};

int engine_new(struct engine **ret, const struct ruleset *set,
	       const struct engine_options *options);
void engine_free(struct engine *engine);

/*
 * Takes events in this order; returns how many. Fewer than @n: the outbox is
 * full. @poll_time (seconds since 1970) is when they were polled, for
 * max_skew. Refused and duplicate ones are taken too.
 */
size_t engine_run(struct engine *engine, struct event *const *events, size_t n,
		  int64_t poll_time);
/* True: done. False: the outbox is full, call again with the same decision. */
bool engine_decide(struct engine *engine, const struct decision *decision);

/*
 * What a checkpoint holds: the bytes of all pages that are not empty, and
 * beside them what engine_save() appends to @out, which is small and grows
 * with the number of pages, not of keys. To be called between two inputs, by
 * an engine that is not silent; the outbox is no part of it. An engine that
 * was restored goes on as the one that was saved, byte for byte.
 */
struct pages *engine_pages(struct engine *engine);
void engine_save(const struct engine *engine, struct buf *out);
/*
 * @options as engine_new() had them. @page fills in one page, 0 or negative
 * errno. -EPROTO: saved by another version; -EBADMSG: not what was saved for
 * @set, or broken; -ENOMEM.
 */
int engine_restore(struct engine **ret, const struct ruleset *set,
		   const struct engine_options *options, const void *saved,
		   size_t len,
		   int (*page)(void *context, uint32_t number, uint8_t *bytes),
		   void *context);

struct outbox *engine_outbox(struct engine *engine);
uint64_t engine_ordinal(const struct engine *engine); /* of the last input */
uint64_t engine_seq(const struct engine *engine);
const uint8_t *engine_hash(const struct engine *engine);
usec_t engine_watermark(const struct engine *engine); /* INT64_MIN: none */
usec_t engine_greatest_time(const struct engine *engine);
usec_t engine_last_advance(const struct engine *engine);
bool engine_is_silent(const struct engine *engine);
/* Of a silent one: the ids of its open alerts, 16 bytes each, sorted. */
void engine_open_ids(const struct engine *engine, struct buf *out);
/* Of cells in use, which is what max_state_bytes limits, and of pages. */
size_t engine_state_bytes(const struct engine *engine, size_t *mapped);

/* At which limit a key had to go. */
enum engine_limit { LIMIT_KEYS, LIMIT_ENTRIES, LIMIT_MEMORY, LIMIT_MAX };

/* Counters since the engine began; plain memory of its thread. */
struct stream_counters {
	uint64_t read, kept, duplicate, late, refused;
	uint64_t refused_by[REFUSED_MAX];
	uint64_t ids;           /* remembered now */
	uint64_t ids_forgotten; /* before their time */
};
struct rule_counters {
	uint64_t judged, fired, published, late, late_dropped, late_closed,
		out_of_window, no_key, where_missing, no_window;
	uint64_t without_holidays; /* judged in a year that has none given */
	uint64_t each_empty;       /* events whose list has no element */
	uint64_t each_cut;         /* elements beyond what is gone through */
	uint64_t withheld_cooldown, withheld_exception, withheld_open_max;
	uint64_t missing[MISSING_MAX]; /* verdicts */
	uint64_t band_missing, argument_missing, overflow;
	uint64_t merged, lost;
	uint64_t evicted[LIMIT_MAX]; /* keys */
	uint64_t no_room;            /* events and alerts that found none */
	uint64_t open;               /* alerts now, without the stale */
	uint64_t stale;              /* alerts that were left behind */
};
struct plan_counters {
	uint64_t keys;    /* now */
	uint64_t entries; /* of all windows, now */
	uint64_t bytes;   /* of cells, now; without reviews */
};
/* Of a table that a stream fills. */
struct registry_counters {
	uint64_t taken;                 /* records that gave a row */
	uint64_t no_key, where_missing; /* records that could give none */
	uint64_t cut;     /* rows beyond max_rows of their key, or too large */
	uint64_t evicted; /* keys beyond max_keys, or for want of memory */
	uint64_t keys, rows, bytes; /* now */
};
const struct stream_counters *engine_stream_counters(const struct engine *,
						     size_t stream);
const struct rule_counters *engine_rule_counters(const struct engine *,
						 size_t rank);
const struct plan_counters *engine_plan_counters(const struct engine *,
						 size_t plan);
const struct registry_counters *engine_registry_counters(const struct engine *,
							 size_t registry);
/* Bit 1: seen true, bit 2: seen false. Clauses in the order of alert_if,
 * green … red, resolve_if. NULL without options.coverage. */
const uint8_t *engine_coverage(const struct engine *engine, size_t rank,
			       size_t *n);
/* All state as text, deterministic: what tests of batch sizes compare. */
void engine_dump(const struct engine *engine, struct buf *out);
