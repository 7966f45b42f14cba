/*
 * Record: the JSON document of one transition, and its place in the chain.
 *
 * A record is a head (which and what), a body (everything else) and a tail
 * (the hashes), always in the same field order, so that the same transition
 * is the same bytes after any replay:
 *
 *   {"schema":1,"id":…,"lane":…,"seq":…,"rev":…,"state":…,"open":…,"change":…,
 *    "why":…,"level":…,"was":…,"times":…, <body> ,"prev_hash":…,"hash":…}
 *
 * A draft is what the engine knows when it judges; body_write() makes the body
 * of it. stamp() puts head and tail around a body. The seam keeps bodies and
 * stamps them anew (also bodies of records read back from Redis).
 * hash = SHA-256 over prev_hash (64 hexadecimal digits) and the document
 * without the tail but for its closing brace.
 */
#pragma once

#include "base/buf.h"
#include "event/event.h"
#include "rule/rule.h"
#include "tocsin/alert.h"

struct shown { /* one contributing record, newest first */
	struct coordinates at;
	usec_t time;
	const struct value *fields; /* plan->n_evidence of them */
};

struct past { /* one past period of a baseline */
	int64_t period;
	struct value value;
};

struct baseline_used {
	const char *name;
	const struct baseline *baseline;
	struct value mid, spread;
	struct value q1, q3; /* of stat: iqr */
	uint32_t n;
	const struct past *past; /* newest first */
	size_t n_past;
	/* Over peers: the cohort that had enough, or NULL; of which values. */
	const struct circle *circle;
	const struct value *cohort; /* per circle->plan->by */
	const struct value *same;   /* per peers->same: what was left out */
	bool is_coarse;             /* values stand for others near them */
};

struct draft {
	const struct rule *rule;
	const struct value *key; /* plan->n_by of them */
	bool has_period;
	int64_t period;
	usec_t window_start,
		window_end;        /* of the window or period; end: clock */
	const struct value *frame; /* rule->n_slots, all bound */
	struct expr_context context;
	/* `values` object at firing as JSON; NULL: the same as now. */
	const char *at_fire;
	size_t at_fire_len;
	const struct baseline_used *baselines;
	size_t n_baselines;
	uint64_t evidence_count;
	bool evidence_complete;
	uint64_t digest[2]; /* lo, hi */
	const struct shown *shown;
	size_t n_shown;
	const struct exception *exception; /* considered and matched, or NULL */
	usec_t watermark;
	/* Quality: late ones among the contributing, entries merged or lost. */
	uint64_t late, merged, lost, overflow;
	const uint8_t *mask_key; /* 32 bytes, of the site */
	/* By index: a digest of the records that the registry has taken. */
	const uint64_t (*registries)[2];
};

struct stamp {
	uint8_t id[16];
	const char *lane;
	uint64_t seq, rev;
	enum alert_state state;
	bool open;
	enum alert_change change;
	enum alert_why why;
	enum level level, was;
	usec_t event;      /* of the judged event, or the due time */
	usec_t window_end; /* of the window or period; 0: that of the event */
	usec_t detected;   /* watermark when judged; INT64_MIN: none yet */
	const struct zone *zone; /* that times are written in */
	uint8_t prev_hash[32];
};

/* The `values` object of the frame: measures and lets that are shown. */
void record_values(struct buf *out, const struct draft *draft);
void record_body(struct buf *out, const struct draft *draft);
/* The whole document; its hash into @hash. */
void record_stamp(struct buf *out, const struct stamp *stamp, const char *body,
		  size_t len, uint8_t hash[32]);
/*
 * Takes a record apart that record_stamp() wrote (it comes back from Redis, so
 * it is not trusted): fills @stamp but for lane, zone and prev_hash, and points
 * to the body inside @json. 0 or -EBADMSG, also if its hash is another one.
 */
int record_parse(struct stamp *stamp, const char **body, size_t *body_len,
		 const char *json, size_t len);
/* The two hashes at the end of a record that record_parse() took. */
void record_hashes(const char *json, size_t len, uint8_t prev[32],
		   uint8_t hash[32]);
/*
 * The link of the chain: over the hash before as 64 hexadecimal digits, and a
 * document without its tail and closing brace.
 */
void record_chain(uint8_t hash[32], const char *prev_hex, const char *document,
		  size_t len);
/* The key as one text for lists and Redis: "U-03 / 30201", masked. */
void record_key(struct buf *out, const struct rule *rule,
		const struct value *key);
/* "key":{…},"key_ref":{…} of a body, for who lists what has no record. */
void record_key_members(struct buf *out, const struct rule *rule,
			const struct value *key, const uint8_t *mask_key);

/* alert/text.c: a message in one language, formats applied. */
struct text_place {
	const struct value *frame;
	const enum mask *masks; /* of the frame's slots; NULL: none */
	const struct expr_context *context;
	const struct calendar *calendar;
	enum language language;
};
void text_render(struct buf *out, const struct text *text,
		 const struct text_place *place);
/* Masks a value: last4 keeps four code points, all keeps none. */
void text_mask(struct buf *out, struct value value, enum mask mask);
/* The stricter mask of the slots that @expr reads and that reach its value. */
enum mask text_mask_of(const struct expr *expr, const enum mask *masks);
