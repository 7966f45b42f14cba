/*
 * What the files of the engine share. The way through them, in the order of
 * an event: route.c finds the plans it concerns, key.c their keys, fold.c
 * takes it into windows (registry.c: into the tables that streams fill),
 * frame.c computes what a rule looks at, with sample.c and peers.c where that
 * is a baseline, judge.c decides, life.c keeps what an alert is, emit.c writes
 * it down; engine.c is the step that calls them in this order, and seam.c what
 * happens where the past could not be reproduced.
 */
#pragma once

#include "event/event.h"

#include "alert/record.h"
#include "base/map.h"
#include "engine/engine.h"
#include "state/chain.h"
#include "state/index.h"
#include "state/ranks.h"
#include "state/timers.h"
#include "state/wheel.h"

#define NOWHERE UINT16_MAX /* an offset of something that is not kept */
#define NEVER INT64_MAX    /* a time that does not come */
#define COARSE_MAX 4u      /* coarser keys of a rule */
#define KEY_MAX 4096u      /* bytes of a key; a longer one is not grouped */
#define EACH_MOST 256u     /* elements of a list that `each` goes through */

/*
 * A key of a plan: this head, then what the plan's window asks for at the
 * offsets of its layout, then the bytes of the key.
 */
struct key {
	usec_t clock;
	uint64_t created : 48; /* creation ordinal; 0: given back */
	uint64_t len : 16;     /* of the key's bytes */
	handle_t lives;        /* alerts of the plan's own rules */
	handle_t next, prev;   /* in the wheel */
	uint8_t rest[];        /* from here on, what the layout says */
};
#define KEY_HEAD offsetof(struct key, rest)

/*
 * Kinds of cells. Timers and evictors keep handles of keys, and nobody tells
 * them when a key goes: evicting has to give its memory back at once, whatever
 * is still to fall due. A handle is a key's if its cell is of this kind and
 * has the creation ordinal that was noted.
 */
enum cell_kind { CELL_PLAIN, CELL_KEY, CELL_LIFE };

/* How good the numbers are: counts of what did not go by the book. */
struct quality {
	uint32_t late, merged, lost, overflow;
};

/*
 * A bag holds what one window (or one period) of one key sums up. A plan
 * keeps only what its rules ask for.
 */
struct bag_layout {
	uint16_t size;
	uint16_t chain;    /* struct chain */
	uint16_t evidence; /* handle_t of a struct ring */
	uint16_t digest;   /* uint64_t[2] */
	uint16_t count;    /* uint64_t */
	uint16_t quality;  /* struct quality */
	uint16_t merged;   /* handle_t of panes that too many entries became */
	uint16_t *acc;     /* per measure */
};

/* One period; the bag and the curves of baselines follow. */
struct period {
	int64_t number;
	handle_t next;   /* the one before in time */
	uint32_t events; /* 0: only an alert made it */
};

/* The value with the greatest event time that a key ever had. */
struct latest {
	usec_t time;
	uint64_t coordinates;
	uint64_t bits; /* the value, or a handle of its bytes */
	uint32_t len;
	uint8_t is_set, kind;
	uint16_t unit;
};

/* The key's last event, for judging at timers. */
struct last {
	usec_t time;
	uint64_t coordinates;
	handle_t values; /* blob of plan->kept, then its name; 0: neither */
	handle_t before; /* the same of the event before */
	uint16_t is_set;
	uint16_t stream;
};

/*
 * The same where judging reads no field of it: most rules only want to name it
 * when an alert fires at the end of its cooldown. What it is called lies with
 * the lives of the key, which few keys have (life_name).
 */
struct newest {
	usec_t time; /* INT64_MIN: none yet */
	uint64_t coordinates;
};

/*
 * Beside the entries of a key whose windows its events open and close; see
 * stretch.c. The head is what was left of the oldest window's entries when
 * they were too many.
 */
struct timeline {
	usec_t closed; /* the end of the last window that is over */
	usec_t head_start, head_last;
	usec_t due;      /* of the timers that are armed */
	uint32_t serial; /* … and their mark: older ones are void */
	/* Where the newest window begins, so that what comes in order need
	 * not cut those before it. */
	uint32_t newest_i;
	handle_t newest;
	usec_t newest_start;
	bool has_closed, has_head, is_armed, knows_newest;
};

/*
 * Any entry may become the last of its window, or one of those that are shown,
 * so each has what struct last and a ring keep of theirs.
 */
struct entry_blobs {
	handle_t values; /* 0: neither fields nor a name */
	handle_t shown;
};

/* One window of such a key, as its entries cut it now. */
struct stretch {
	usec_t start, end; /* both inside it */
	uint32_t n;        /* entries */
	uint32_t i;        /* where they begin: in its … */
	handle_t chunk;
	bool has_head;
	bool is_stray;  /* not a window: what would have closed one */
	bool is_closed; /* by an event, not by `max` */
	/* The newest event: fields that judging reads, and its name. */
	usec_t last_time;
	uint64_t last_coordinates;
	uint16_t last_stream;
	handle_t last, before, close; /* blobs */
};

/* What a period had gathered by each business day, only where it changed. */
struct curve {
	uint32_t n, unused;
	struct {
		int64_t n;    /* business day of the period */
		int64_t bits; /* that day's sum: an integer or a double */
	} at[];
};

/*
 * A cohort: the values of peers in the order of time, so that they leave, and
 * by rank, so that they can be asked.
 */
struct cohort {
	struct chain values; /* see peers.c for what an entry says */
	struct ranks ranks;
	uint32_t hint; /* where the last search ended; no result hangs on it */
	uint32_t is_coarse;
};

/* An argument that one or more measures have. */
struct column {
	const struct expr *const *x; /* per input; NULL: has no part in it */
	struct type type;
};

struct layout {
	uint16_t bag;         /* forever, sliding, last: struct bag */
	uint16_t panes;       /* k bags, narrow ones maybe: see pane.c */
	uint16_t filled;      /* a bit per pane: sums may cancel out */
	uint16_t wide;        /* a byte: not narrow after all; NOWHERE: never */
	uint16_t periods;     /* handle_t of the newest */
	uint16_t last;        /* struct last */
	uint16_t newest;      /* struct newest */
	uint16_t latest;      /* struct latest per latest measure */
	uint16_t beneath;     /* handle_t: open alerts beneath a coarser key */
	uint16_t timeline;    /* session, until: struct timeline */
	uint16_t cohort;      /* struct cohort */
	uint16_t sums;        /* struct moments of the cohort */
	uint16_t key;         /* the key's bytes */
	struct bag_layout in; /* of a bag, wherever it stands */
	/* Of a period: the bag, and a handle per baseline that aligns. */
	uint16_t period_bag, period_curves, period_size;
	/* Of an entry. */
	uint16_t entry_words, entry_cols, entry_size;
	uint16_t entry_blobs; /* struct entry_blobs of a stretch */
	uint16_t n_words;     /* of 32 measures each: entered, then truth */
	uint16_t n_cols;
	uint16_t *col_of;    /* per measure; NOWHERE: no argument */
	uint16_t *weight_of; /* per measure; NOWHERE: no weight */
	struct column *columns;
	uint16_t *latest_of; /* per measure */
	uint16_t *curve_of;  /* per baseline; NOWHERE: compares whole periods */
	uint16_t n_curves;
	usec_t pane; /* width of a pane, or of a tumbling period */
	usec_t origin;
};

/*
 * What every event reads of a plan or a rule stands first in its struct, so
 * that a thousand rules cost an event only what the few it concerns cost.
 */
struct plan_state {
	const struct plan *plan;
	struct rule_state **rules; /* whose own plan it is, by rank */
	uint16_t n_rules, n_watchers, n_by;
	bool is_of_peers; /* its keys are cohorts */
	struct layout at;
	bool keyed;            /* keeps a record per key */
	uint32_t most_entries; /* of one key */
	struct index index;
	struct wheel wheel;
	struct evictor *evictor; /* NULL before the cap was reached */
	struct index groups;     /* of cohorts; by cohort and bytes */
	struct plan_counters counters;
	/* Scratch of the event that is folded. */
	struct contribution *contributions;
	bool *entered;
	struct value *columns;
	bool *has_column;
	struct value *key_values;
};

/* A slot of the judging frame that the early clause reads. */
struct early_slot {
	uint16_t slot;
	uint16_t index; /* measure of the plan, or slot of the event */
	uint8_t from;   /* BIND_NOW, BIND_FIELD or BIND_MEASURE */
};
#define EARLY_MOST 4u

struct rule_state {
	/*
	 * A clause without which alert_if is false, and which looks only at
	 * what is at hand: for most events it decides alone. NULL: none.
	 */
	const struct expr *early;
	struct value *frame;
	struct plan_state *plan;
	uint16_t rank;
	bool per_event;
	uint8_t n_early;
	struct early_slot early_slots[EARLY_MOST];
	struct rule_counters counters;
	usec_t known_from, known_to; /* whose holidays are known, if it asks */
	uint64_t review_bytes;
	handle_t reviews, reviews_last; /* per: event; as they fired */
	const struct rule *rule;
	struct plan_state **coarse;
	struct value *kept, *prev; /* of the plan, while judging */
	uint8_t *coverage;
	size_t n_coverage;
};

/* An alert, or the memory of one that its cooldown needs. */
struct life {
	handle_t next; /* in key->lives; for per: event in rs->reviews */
	handle_t prev; /* in rs->reviews */
	handle_t key;  /* 0 for per: event */
	uint16_t rule;
	uint8_t state; /* enum alert_state */
	uint8_t level;
	bool open;
	bool has_period;
	bool withheld;
	int64_t period;
	uint8_t id[16];
	uint64_t rev;
	uint64_t created; /* of the key; of the alert for per: event */
	uint64_t review;  /* per: event: the ordinal of its review's end */
	usec_t fired;     /* event time of the firing */
	usec_t changed;   /* key's clock when last fired, raised or lowered */
	usec_t published; /* key's clock at the last entry */
	uint64_t values_hash; /* of the values at the last entry */
	usec_t exit_due;      /* of the earliest exit timer, NEVER: none */
	usec_t cooldown_due;
	handle_t at_fire; /* values at firing, as JSON; per: event: the frame */
	uint32_t at_fire_len;
	handle_t key_bytes; /* per: event: its own copy */
	handle_t name; /* the declared id of the key's last event, if known */
	uint16_t key_len;
	/* per coarser key: the next open alert beneath it, and the key. */
	handle_t beneath_next[COARSE_MAX];
	handle_t beneath_key[COARSE_MAX];
};

/* One plan that an event concerns. */
struct touch {
	struct plan_state *plan;
	const struct plan_input *input;
	uint16_t i_input;
	bool folded; /* entered the plan; false: late, out of window … */
	bool judges;
	bool by_rows;       /* where and key wait until the event is taken */
	bool where_missing; /* nobody knows if it passes, so it does not */
	uint32_t hash;
	handle_t key;    /* once folded */
	handle_t period; /* record of the event's period */
	int64_t period_number;
	const uint8_t *bytes;
	uint32_t len;
	/* Of `each`: the element, its place, how many there are. */
	const struct value *element;
	uint32_t i_element, n_elements;
};

/*
 * Rules that go through a list see one element at a time, in a slot that the
 * event has for it. Whoever looks at an event for a touch puts it there first.
 */
static inline void touch_element(const struct event *event,
				 const struct touch *touch) {
	if (touch->element)
		event->slots[touch->input->element_slot] = *touch->element;
}

struct route {
	struct plan_state *plan;
	const struct plan_input *input;
	uint16_t i_input;
	bool is_where; /* the constant that leads here is all of `where` */
};
struct routes {
	struct route *items;
	size_t n, cap;
};
struct route_bucket {
	uint64_t hash;
	struct value value;
	struct routes routes;
	bool is_set;
};
/* From the constants that a slot is compared with to the inputs. */
struct route_table {
	uint16_t slot;
	struct route_bucket *buckets;
	uint32_t mask, n;
};

struct partition_state {
	bool is_known, is_idle, is_begun;
	usec_t greatest;
};

struct stream_state {
	const struct stream *stream;
	struct stream_counters counters;
	struct routes always;
	struct route_table *tables;
	size_t n_tables;
	uint64_t topic_rank; /* by the bytes of the topic's name */
	struct partition_state *partitions;
	size_t n_partitions;
	uint64_t ids_bytes;
	struct index ids;
	struct wheel ids_wheel;
};

/* The rows of a table that a stream fills; see registry.c. */
struct registry_state {
	const struct registry *registry;
	struct index index;
	handle_t first,
		last; /* keys, in the order in which they were written */
	struct registry_counters counters;
	struct value *values; /* scratch: of a key, then of a row */
};

/* What is open while the engine is silent; see seam.c. */
struct seam_item {
	uint8_t id[16];
	handle_t life; /* 0: it is stale, and nobody's any more */
	struct stamp stamp;
	const struct rule *rule;
	usec_t fired;
	char *key;
	char *body;
	size_t len;
};

/* Who has cells, and pays with them when memory is full; see room.c. */
enum payer_kind {
	PAYER_PLAN,
	PAYER_TABLE,
	PAYER_IDS,
	PAYER_REVIEWS,
	PAYER_MAX
};
struct payer {
	uint64_t bytes;
	enum payer_kind kind;
	size_t index;
};

struct engine {
	const struct ruleset *set;
	struct engine_options options;
	char *lane;
	struct arena arena; /* as long as the engine */
	struct pages pages;
	struct timers timers;
	struct outbox outbox;
	struct plan_state *plans;
	struct rule_state *rules;
	struct stream_state *streams;
	struct registry_state *registries;
	uint64_t (*digests)[2];  /* of the records of each */
	struct expr_state rows;  /* what programs ask them by */
	const struct zone *zone; /* that times of records are written in */
	/* Where the lane is. */
	uint64_t ordinal, seq;
	uint8_t hash[32];
	uint64_t created; /* last creation ordinal */
	usec_t watermark, greatest, last_advance;
	usec_t max_delay;
	bool catch_up, silent;
	struct seam_item *seam;
	size_t n_seam, cap_seam;
	/* The batch. */
	struct arena batch;
	struct arena scratch;       /* of one event or timer */
	size_t timers_most;         /* beyond it, those for nothing go */
	const struct touch *taking; /* what the event that is taken concerns */
	uint32_t n_taking;
	usec_t sweep_width; /* of the finest wheel */
	int64_t swept;      /* its bucket when the wheels were last looked at */
	struct buf body, text;
	/* Who held most when all were looked at, the next one's bytes, and
	 * what had been taken by all then. */
	struct payer payer;
	uint64_t runner_up, taken;
};

/*
 * Values in their order, to be asked for by number: past periods in an array,
 * or what @all of a cohort has and @without, a part of it, has not.
 */
struct sample {
	size_t n; /* 0: there is none */
	struct value like;
	const struct value *sorted;
	const struct pages *pages;
	const struct ranks *all, *without;
	uint32_t *hint; /* NULL: nobody remembers */
};

struct baseline_found {
	struct baseline_used used;
	struct sample sample;
};

enum judge_mode {
	JUDGE_FULL, /* an event, every, cooldown's end, a period's end */
	JUDGE_LEAVE /* something left: may lower or resolve, never raise */
};

struct judging {
	struct rule_state *rs;
	handle_t key; /* 0: a plan that keeps no keys */
	const struct value *key_values;
	bool has_period;
	int64_t period;
	handle_t period_record;        /* 0: nothing in it */
	const struct stretch *stretch; /* NULL: windows of another kind */
	bool closing;                  /* … and it is over */
	usec_t now;   /* the key's clock at an event, the due time at a timer */
	usec_t clock; /* the key's: windows, cooldown and refresh go by it */
	usec_t at;    /* event time or due time: `times.event` */
	usec_t event_time;         /* tables as of the event */
	const struct event *event; /* NULL: a timer */
	const struct touch *touch;
	enum judge_mode mode;
	enum alert_why why;
	enum level level; /* that an alert is being made with */
	handle_t coarse[COARSE_MAX];
};

/* The measure has an accumulator, and it is not that of another one. */
static inline bool keeps(const struct plan_state *ps, size_t measure) {
	return ps->at.in.acc[measure] != NOWHERE &&
	       ps->plan->measures[measure].keeper == measure;
}

/* layout.c */
void layout_init(struct plan_state *ps, struct arena *arena);
size_t layout_key_bytes(const struct plan_state *ps, size_t key_len);

/* route.c */
void routes_init(struct engine *engine);
struct touch *route_event(struct engine *engine, const struct event *event,
			  uint32_t *n);
/* Now that the rows stand as the event sees them: how many of @n are left. */
uint32_t route_by_rows(struct engine *engine, const struct event *event,
		       struct touch *touches, uint32_t n);

/* registry.c */
void registries_init(struct engine *engine);
/* Takes an event into the tables that its stream fills. */
void registries_fold(struct engine *engine, const struct event *event);
/* Lets the key go that was longest without a new row; false: none. */
bool registry_evict(struct engine *engine, struct registry_state *rs);
void registries_dump(const struct engine *engine, struct buf *out);

/* key.c */
uint64_t coordinates_pack(const struct engine *engine,
			  const struct event *event);
const struct stream *coordinates_stream(const struct engine *engine,
					uint64_t packed);
void coordinates_unpack(const struct engine *engine, uint64_t packed,
			struct coordinates *ret);
/* Appends the key's bytes to @out; false: a value is missing or it is long. */
bool key_encode(const struct value *values, const struct type *types, size_t n,
		uint8_t *out, uint32_t *len);
void key_decode(const uint8_t *bytes, uint32_t len, const struct type *types,
		size_t n, struct value *values);
uint32_t key_hash(const struct engine *engine, const uint8_t *bytes,
		  uint32_t len);
handle_t key_find(const struct engine *engine, const struct plan_state *ps,
		  uint32_t hash, const uint8_t *bytes, uint32_t len);
handle_t key_make(struct engine *engine, struct plan_state *ps, uint32_t hash,
		  const uint8_t *bytes, uint32_t len, usec_t clock);
void key_values(const struct engine *engine, const struct plan_state *ps,
		handle_t key, struct value *values);
/* Gives a key up that is still in the wheel, and what a cooldown remembers. */
void key_evict(struct engine *engine, struct plan_state *ps, handle_t key);
/* If the event at hand is folded into it. */
bool key_is_taken(const struct engine *engine, handle_t key);
bool key_has_alert(const struct engine *engine, const struct plan_state *ps,
		   handle_t key);
void keys_expire(struct engine *engine, struct plan_state *ps);
/* Frees a key of which nothing is left before @now; true: it is gone. */
bool key_expire(struct engine *engine, struct plan_state *ps, handle_t key,
		usec_t now);
/* That key is still there. */
bool key_is(const struct engine *engine, handle_t key, uint64_t created);
static inline const struct key *key_read(const struct engine *engine,
					 handle_t key) {
	return pages_read(&engine->pages, key);
}
static inline struct key *key_write(struct engine *engine, handle_t key) {
	return pages_write(&engine->pages, key);
}
static inline const struct newest *newest_of(const struct engine *engine,
					     const struct plan_state *ps,
					     handle_t key) {
	const uint8_t *bytes = pages_read(&engine->pages, key);

	return (const struct newest *)(const void *)(bytes + ps->at.newest);
}
static inline struct newest *
newest_write(struct engine *engine, const struct plan_state *ps, handle_t key) {
	uint8_t *bytes = pages_write(&engine->pages, key);

	return (struct newest *)(void *)(bytes + ps->at.newest);
}
usec_t every_next(const struct rule *rule, usec_t after);
int64_t plan_period(const struct plan_state *ps, usec_t at);
usec_t plan_period_start(const struct plan_state *ps, int64_t period);
bool plan_has_periods(const struct plan_state *ps);
handle_t period_newest(const struct engine *engine, const struct plan_state *ps,
		       handle_t key);
handle_t period_find(const struct engine *engine, const struct plan_state *ps,
		     handle_t key, int64_t number);
handle_t period_make(struct engine *engine, struct plan_state *ps, handle_t key,
		     int64_t number);

/* blob.c: values as bytes of a cell */
handle_t blob_make(struct engine *engine, const struct value *values, size_t n,
		   size_t longest);
/* However short its strings are cut. */
bool blob_fits(const struct value *values, size_t n);
void blob_read(const struct engine *engine, handle_t blob, struct value *values,
	       size_t n, struct arena *arena);
handle_t bytes_make(struct engine *engine, const void *bytes, size_t len);

/* fold.c */
void count_rules(struct engine *engine, const struct plan *plan, size_t offset,
		 uint64_t n);
/* Adds @n to the counter @what of all rules whose own plan it is. */
#define COUNT(engine, plan, what, n)                                           \
	count_rules(engine, plan, offsetof(struct rule_counters, what), n)

void fold(struct engine *engine, const struct event *event, struct touch *touch,
	  bool late);
/* Makes room for one more at the plan's cap of entries. */
void entries_bound(struct engine *engine, struct plan_state *ps);
/* Takes out what a clock of @now has left behind. */
void window_advance(struct engine *engine, struct plan_state *ps, handle_t key,
		    usec_t now);
/* When the oldest thing in the key's window leaves it; NEVER. */
usec_t window_exit(const struct engine *engine, const struct plan_state *ps,
		   handle_t key);
/* Nothing is in the key's window. */
/* When all of it will have left; the key's clock if nothing is in it. */
usec_t window_end(const struct engine *engine, const struct plan_state *ps,
		  handle_t key);
bool window_is_empty(const struct engine *engine, const struct plan_state *ps,
		     handle_t key);
void bag_release(struct engine *engine, struct plan_state *ps, handle_t cell,
		 uint16_t bag);
void digest_add(uint64_t sum[2], uint64_t lo, uint64_t hi);
/* Adds the digest of one record to @sum. */
void record_digest(const struct engine *engine, uint64_t coordinates,
		   uint32_t payload, uint64_t sum[2]);
void bag_evidence(struct engine *engine, const struct judging *j,
		  struct draft *draft);

struct contribution entry_contribution(const struct engine *engine,
				       const struct plan_state *ps,
				       const struct entry *entry,
				       size_t measure);
bool entry_has(const struct plan_state *ps, const struct entry *entry,
	       size_t measure);
static inline struct entry_blobs entry_blobs(const struct plan_state *ps,
					     const struct entry *entry) {
	struct entry_blobs ret;

	memcpy(&ret, (const uint8_t *)entry + ps->at.entry_blobs, sizeof(ret));
	return ret;
}
/* The oldest entry of a bag leaves. */
void bag_leave(struct engine *engine, struct plan_state *ps, handle_t cell,
	       uint16_t bag);
int64_t workday_number(const struct plan_state *ps, int64_t period, usec_t at);
/* What a kept field is at an event. */
struct value kept_value(struct engine *engine, const struct kept *kept,
			uint16_t input, const struct event *event);
/* The declared id of the event, or missing: it goes by its coordinates. */
struct value event_name(const struct event *event);

/*
 * Who has the cells that are taken and given back from here on: a plan, the
 * ids of a stream, the reviews of a rule. See room.c.
 */
static inline void charge(struct engine *engine, uint64_t *account) {
	engine->pages.account = account;
}

/* ids.c */
void ids_init(struct stream_state *stream);
/* REFUSED_CONFLICT: the same id was seen with another content. */
enum refusal id_inspect(const struct engine *engine,
			const struct stream_state *stream,
			const struct event *event, bool *duplicate);
void id_remember(struct engine *engine, struct stream_state *stream,
		 const struct event *event);
/* Forgets the one whose time is up first; false: there is none. */
bool id_forget(struct engine *engine, struct stream_state *stream);
void ids_expire(struct engine *engine, struct stream_state *stream);

/* room.c */
/* Gives up what the limit of memory asks for; false: the outbox is full. */
bool room_make(struct engine *engine);
/* Bytes of pages that may be mapped. */
size_t room_pages(const struct engine *engine);
/* Somebody whom the engine has. */
bool room_is_payer(const struct engine *engine, const struct payer *payer);

/* evict.c */
/* Gives a key up; false: there is none but those of the event at hand. */
bool evict(struct engine *engine, struct plan_state *ps,
	   enum engine_limit limit);
void evict_note(const struct engine *engine, struct plan_state *ps,
		handle_t key);
/* The last alert of the key has ended. */
void evict_note_quiet(const struct engine *engine, struct plan_state *ps,
		      handle_t key);
void evict_forget(const struct engine *engine, struct plan_state *ps,
		  handle_t key);
void evictor_free(struct evictor *evictor);

/* pane.c */
int64_t pane_newest(const struct engine *engine, const struct plan_state *ps,
		    handle_t key);
/* The plan's panes are kept in half the room as long as they fit. */
bool panes_are_narrow(const struct plan_state *ps);
/* Where the pane's bag is, unless it is narrow. */
uint16_t pane_bag(const struct plan_state *ps, int64_t pane);
/* Into a narrow pane; false: the sum overflows, it is as before. */
bool pane_add(struct engine *engine, const struct plan_state *ps, handle_t key,
	      int64_t pane, size_t measure, const struct contribution *c);
void pane_fill(struct engine *engine, const struct plan_state *ps, handle_t key,
	       int64_t pane);
void panes_advance(struct engine *engine, struct plan_state *ps, handle_t key,
		   usec_t now);
/* The oldest pane of the window in which something lies; false: none. */
bool panes_oldest(const struct engine *engine, const struct plan_state *ps,
		  handle_t key, int64_t *ret);
/* When all has left; the key's clock if nothing is there. */
usec_t panes_end(const struct engine *engine, const struct plan_state *ps,
		 handle_t key);
struct value panes_value(const struct engine *engine,
			 const struct plan_state *ps, handle_t key,
			 uint16_t measure, struct value like);
void panes_release(struct engine *engine, const struct plan_state *ps,
		   handle_t key);

/* merged.c */
bool merged_fits(const struct plan *plan, size_t bag_size);
bool merged_add(struct engine *engine, const struct plan_state *ps,
		handle_t cell, uint16_t bag, const struct entry *entry);
void merged_advance(struct engine *engine, const struct plan_state *ps,
		    handle_t cell, uint16_t bag, usec_t now);
usec_t merged_exit(const struct engine *engine, const struct plan_state *ps,
		   handle_t cell, uint16_t bag);
usec_t merged_end(const struct engine *engine, const struct plan_state *ps,
		  handle_t cell, uint16_t bag);
bool merged_is_there(const struct engine *engine, const struct plan_state *ps,
		     handle_t cell, uint16_t bag);
bool merged_join(const struct engine *engine, const struct plan_state *ps,
		 handle_t cell, uint16_t bag, uint16_t measure, void *state,
		 struct value like);
void merged_evidence(const struct engine *engine, const struct plan_state *ps,
		     handle_t cell, uint16_t bag, struct draft *draft);
void merged_release(struct engine *engine, const struct plan_state *ps,
		    handle_t cell, uint16_t bag);

/* stretch.c */
bool plan_has_stretches(const struct plan_state *ps);
const struct timeline *timeline_of(const struct engine *engine,
				   const struct plan_state *ps, handle_t key);
/* The window that @at lies in; false: none does. */
bool stretch_find(struct engine *engine, const struct plan_state *ps,
		  handle_t key, usec_t at, struct stretch *ret);
/* From its first entry on; @s NULL: from the oldest. */
void stretch_begin(struct chain_walk *walk, const struct engine *engine,
		   const struct plan_state *ps, const struct chain *chain,
		   const struct stretch *s);
/* An entry has come that is not the newest, or the newest one left. */
void stretch_disorder(struct engine *engine, const struct plan_state *ps,
		      handle_t key);
/* The oldest one, or what is not one; false: nothing is there. */
bool stretch_first(const struct engine *engine, const struct plan_state *ps,
		   handle_t key, struct stretch *ret);
/* Whether @at is of a window that is over, which takes nothing any more. */
bool stretch_is_over(const struct engine *engine, const struct plan_state *ps,
		     handle_t key, usec_t at);
/* Sets a timer for each rule at the end of the oldest window. */
void stretch_arm(struct engine *engine, struct plan_state *ps, handle_t key);
void stretch_rearm(struct engine *engine, struct plan_state *ps, handle_t key);
/* … and if this is one of them. */
bool stretch_is_armed(const struct engine *engine, const struct plan_state *ps,
		      const struct timer *timer);
/* No more than max_entries. */
void stretch_bound(struct engine *engine, struct plan_state *ps, handle_t key);
/* Forgets the oldest window, which is @over. */
void stretch_drop(struct engine *engine, struct plan_state *ps, handle_t key,
		  const struct stretch *over);
/* When a key that gets no more events can be given back. */
usec_t stretch_key_ends(const struct engine *engine,
			const struct plan_state *ps, handle_t key);
/* An entry is of the window; @s NULL: all are. */
static inline bool stretch_has(const struct stretch *s,
			       const struct entry *entry) {
	return !s || (entry->time >= s->start && entry->time <= s->end &&
		      !(entry->flags & ENTRY_CLOSE));
}

/* sample.c */
int64_t sample_key(struct value v);
struct value sample_quantile(const struct sample *sample, int64_t part,
			     int64_t of);
void sample_quartiles(const struct sample *sample, struct value *q1,
		      struct value *q3, struct value *spread);
/* The median too, because it is on the way. */
struct value sample_mad(const struct sample *sample, struct value *mid);
void sample_moments(const struct sample *sample, double *mean,
		    double *deviation);

/* peers.c */
/* Finds the event's cohort and raises its clock; nothing enters yet. */
void peers_fold(struct engine *engine, const struct event *event,
		struct touch *touch, bool late);
/* The event was judged: its value enters. */
void peers_enter(struct engine *engine, const struct event *event,
		 struct touch *touch);
/* A window is over: what its measures came to enters. */
void peers_timer(struct engine *engine, struct plan_state *ps,
		 const struct timer *timer);
/*
 * As what its timers stand in the order: behind all rules, so that a window is
 * judged before one that ends at the same time has entered.
 */
uint16_t peers_timer_rule(const struct engine *engine,
			  const struct plan_state *ps);
/* When the last value leaves; the clock if there is none. */
usec_t peers_end(const struct engine *engine, const struct plan_state *ps,
		 handle_t key);
void peers_release(struct engine *engine, struct plan_state *ps, handle_t key);
void peers_value(struct engine *engine, const struct judging *j,
		 struct baseline_found *found);
void peers_dump(const struct engine *engine, const struct plan_state *ps,
		handle_t key, struct buf *out);

/* frame.c */
/* @s: which window of a key that has several, else NULL. */
struct value measure_value(struct engine *engine, struct plan_state *ps,
			   handle_t key, handle_t period_record,
			   const struct stretch *s, uint16_t measure);
struct baseline_found baseline_value(struct engine *engine,
				     const struct judging *j, uint16_t baseline,
				     bool with_past);
/* mid and spread of the sample, for all stats but mean_sd. */
void baseline_ranks(struct baseline_found *found);
void frame_bind(struct engine *engine, struct judging *j);
/* Chooses rs->early. */
void frame_plan_early(struct rule_state *rs);
/* True: rs->early is false at this event, so the whole condition is. */
bool frame_is_early_false(struct engine *engine, const struct judging *j);

/* judge.c */
/* Judges @rs for an event that was folded into its own plan. */
void judge_event(struct engine *engine, struct rule_state *rs,
		 const struct event *event, const struct touch *touch,
		 bool late);
/* Re-judges what is open beneath the coarser key that @touch changed. */
void judge_beneath(struct engine *engine, struct rule_state *rs,
		   const struct event *event, const struct touch *touch,
		   bool late);
void judge_timer(struct engine *engine, const struct timer *timer);
/* What stands of a key that will be evicted is left stale. */
void judge_evicted(struct engine *engine, struct plan_state *ps, handle_t key);
/* The oldest review of the rule is not followed to its end; false: none. */
bool judge_oldest_review(struct engine *engine, struct rule_state *rs);
/* Of a rule; behind the rules stand the plans that give cohorts values. */
static inline struct plan_state *timer_plan(const struct engine *engine,
					    const struct timer *timer) {
	size_t n = engine->set->n_rules;

	return timer->rule < n ? engine->rules[timer->rule].plan
			       : &engine->plans[timer->rule - n];
}
/* False: what it was set for is over, it would do nothing. */
bool timer_is_wanted(const struct engine *engine, const struct timer *timer);

/* life.c */
handle_t life_find(const struct engine *engine, const struct judging *j);
handle_t life_make(struct engine *engine, const struct judging *j);
uint64_t *life_account(struct engine *engine, const struct life *life);
void life_end(struct engine *engine, handle_t life);
/* What the timer was set for; 0: it is over or has another due time. */
handle_t life_of_timer(const struct engine *engine, const struct timer *timer);
void life_arm_review(struct engine *engine, handle_t life, usec_t due);
void life_arm_exit(struct engine *engine, handle_t life,
		   const struct judging *j);
void life_arm_cooldown(struct engine *engine, handle_t life, usec_t due);
void life_link(struct engine *engine, handle_t life, const struct judging *j);
void life_unlink(struct engine *engine, handle_t life);
/* Nothing stands beneath a coarser key that will be evicted. */
void life_unlink_beneath(struct engine *engine, struct plan_state *coarse,
			 handle_t key);
/* From its key, when only its review is still to end. */
void life_detach(struct engine *engine, handle_t life, const struct judging *j);
/* If the life stands for the period, or the window, that @j judges. */
bool life_is_of(const struct life *life, const struct judging *j);
/* What the key's last event is called, which is @name from here on. */
void lives_name(struct engine *engine, handle_t key, struct value name);
/* Missing: nobody knows, or its stream declares no id. */
struct value life_name(struct engine *engine, handle_t key);
/* The link to the next open alert beneath the coarser key in @coarse. */
handle_t *life_beneath(struct engine *engine, handle_t life,
		       const struct plan_state *coarse);
static inline const struct life *life_read(const struct engine *engine,
					   handle_t life) {
	return pages_read(&engine->pages, life);
}
static inline struct life *life_write(struct engine *engine, handle_t life) {
	return pages_write(&engine->pages, life);
}

/* emit.c */
void identity(const struct engine *engine, const struct judging *j,
	      uint8_t id[16]);
/* Publishes what @life has become. */
void emit(struct engine *engine, handle_t life, const struct judging *j,
	  enum alert_change change, enum alert_why why, enum level was,
	  const struct exception *exception);
/* Numbers, stamps and puts out; @rule NULL: one that is no longer there. */
void publish(struct engine *engine, const struct rule *rule, const char *key,
	     struct stamp *stamp, usec_t fired, const char *body, size_t len);
/* Of an alert whose event is long gone. */
void emit_review(struct engine *engine, handle_t life, usec_t at,
		 enum alert_change change, enum alert_why why);

/* withheld.c */
/* Tells options.withheld, which there is; adds to @what what @j knows. */
void withheld_tell(const struct engine *engine, const struct judging *j,
		   const struct withheld *what);

/* seam.c */
void seam_note(struct engine *engine, handle_t life, const struct rule *rule,
	       const struct stamp *stamp, usec_t fired, const char *key,
	       const char *body, size_t len);
bool seam_act(struct engine *engine, const struct decision *decision);
void seam_free(struct engine *engine);
