/*
 * Rule: what the loader makes of a package, and all that the engine reads.
 *
 * A ruleset is immutable and lives in one arena. Names have become slots,
 * conditions programs, and what rules have in common is shared: a *plan* is
 * the state that a (streams, where, by, window, calendar, late, caps) asks
 * for, with all measures and baselines that any rule takes from it.
 *
 * Two frames:
 * - the event's slots (schema.h): where, by and the arguments of aggregates
 *   are programs over these; lets and macros in them are put in place.
 * - a rule's judging frame: `n_slots` values that `binds` fill, in order.
 */
#pragma once

#include "base/calendar.h"
#include "event/schema.h"
#include "expr/expr.h"
#include "tocsin/aggregate.h"

enum level { LEVEL_NONE, LEVEL_GREEN, LEVEL_YELLOW, LEVEL_ORANGE, LEVEL_RED };
const char *level_name(enum level level);

enum window_kind {
	WINDOW_EVENT,    /* no window and no measure: nothing is kept */
	WINDOW_FOREVER,  /* measures without a window */
	WINDOW_SLIDING,  /* exact, raw entries; width */
	WINDOW_PANES,    /* sliding in panes; width, panes */
	WINDOW_TUMBLE,   /* width */
	WINDOW_CALENDAR, /* unit */
	WINDOW_LAST,     /* the last n events, no older than width */
	WINDOW_SESSION,  /* no pause longer than gap, no longer than width */
	WINDOW_UNTIL,    /* to an event of the closing input, or to width */
	WINDOW_PEERS     /* of a plan of cohorts: values no older than width */
};

struct window {
	enum window_kind kind;
	usec_t width;   /* 0: no limit (last or session without max) */
	usec_t gap;     /* of a session */
	bool each;      /* until, periods: judged while it is open, too */
	uint32_t panes; /* k */
	enum calendar_unit unit;
	uint32_t last; /* n */
};

/* A window that the events of the key open and close, not the calendar. */
static inline bool window_is_stretch(const struct window *window) {
	return window->kind == WINDOW_SESSION || window->kind == WINDOW_UNTIL;
}

/* Judged once, when it is over. */
static inline bool window_judges_once(const struct window *window) {
	return (window->kind == WINDOW_UNTIL || window->kind == WINDOW_TUMBLE ||
		window->kind == WINDOW_CALENDAR) &&
	       !window->each;
}

/* One stream that feeds a plan. */
struct plan_input {
	const struct stream *stream;
	const char *alias;            /* the stream's name if none was given */
	const struct expr *where;     /* NULL: all */
	const struct expr *const *by; /* n_by programs */
	/* where or by reads rows of a registry, which the records before it
	 * change: they are evaluated when the event is taken. */
	bool by_rows;
	bool closes; /* until: it only ends windows; the last input */
	/* `each`: as many events as the list has elements. */
	bool has_each;
	uint16_t each_slot, element_slot;
	/* Of a plan of cohorts: the value and the group it belongs to. */
	const struct expr *of;
	const struct expr *const *same; /* n_same programs */
	/* For the index: where is false unless slot holds one of these. */
	bool index_is_where; /* … and true if it does */
	uint16_t index_slot;
	uint32_t n_index;
	const struct value *index;
};

/* One aggregate of a plan. For input i, x[i] NULL: that input has no part. */
struct measure {
	const char *text; /* canonical, "sum(amount)" */
	const struct aggregate *aggregate;
	const struct expr *const *x;         /* per input; may be NULL */
	const struct expr *const *weight;    /* per input; NULL: none */
	const struct expr *const *condition; /* per input; may be NULL */
	const bool *feeds;                   /* per input */
	struct value constant;
	struct type x_type, weight_type, type;
	bool latest; /* latest(x): of the key, not of the window */
	bool scans;  /* computed from raw entries at judging */
	uint16_t index;
	uint16_t keeper; /* whose accumulator it reads; most: their own */
	bool is_member;  /* one result of several */
};

enum baseline_stat { STAT_IQR, STAT_MEAN_SD, STAT_MEDIAN, STAT_MEDIAN_MAD };
enum baseline_only { ONLY_ALL, ONLY_SAME_MONTH, ONLY_SAME_QUARTER };

#define PEERS_MOST 65536u /* values of a cohort; then the oldest leave */

/*
 * Peers: what a plan of cohorts gathers. Its keys are the cohorts, its window
 * says how long a value stays, and rules read it as a baseline.
 */
struct peers {
	const char *of; /* canonical, "unit_price" */
	struct type type;
	enum mask mask;
	/* exclude_same: values are told apart by these; n_same 0: they are
	 * not. */
	const char *const *same;
	const struct type *same_types;
	const enum mask *same_masks;
	size_t n_same;
	bool ranked; /* somebody asks for a median or another quantile */
	bool summed; /* … or for a mean of whole units */
};

/* Cohorts that get the value of a measure when its window is over. */
struct handover {
	const struct plan *plan; /* of the cohorts */
	uint16_t measure;
	const uint16_t *by, *same; /* of this plan's kept */
};

/* One of the cohorts that a baseline looks for, the narrowest first. */
struct circle {
	const struct plan *plan;
	const uint16_t *by; /* of the rule's plan->kept, per plan->by */
};

/* Over past periods of a plan with a tumbling or calendar window, or over
 * peers. */
struct baseline {
	const char *of; /* canonical: a measure, or a name of the event */
	struct type type;
	enum mask mask;
	const struct circle *circles; /* over peers, else n_circles is 0 */
	size_t n_circles;
	const uint16_t *same; /* of plan->kept, per peers->same */
	bool of_event;        /* over peers: of an event, not of a measure */
	uint16_t measure;     /* of the plan */
	uint32_t over;        /* periods, or with `only` the periods it picks */
	enum baseline_only only;
	bool workday; /* align: workday, else whole */
	bool empty_zero;
	enum baseline_stat stat;
	uint32_t min_samples;
	double min_spread;
	uint16_t index;
};

/* A field that is kept with the key for judging at timers. */
struct kept {
	const char *name; /* "region", "pay.memo" */
	struct type type;
	const int32_t *slot; /* per input; -1: that input has none */
	/* Per input, where it is no field (then no slot) but a part of a
	 * cohort's key; an input without it has NULL. NULL: a field. */
	const struct expr *const *x;
};

struct plan {
	uint16_t index;
	const char *text; /* canonical; what its identity hash is made of */
	const struct plan_input *inputs;
	size_t n_inputs;
	const char *const *by; /* names as the rule wrote them */
	const struct type *by_types;
	const enum mask *by_masks;
	size_t n_by;
	struct window window;
	const struct calendar *calendar;
	bool drop_late;
	uint32_t max_entries;
	const struct measure *measures;
	size_t n_measures;
	bool keeps_entries;        /* sliding, last, or some measure scans */
	const struct peers *peers; /* NULL but of a plan of cohorts */
	const struct baseline *baselines;
	size_t n_baselines;
	uint32_t n_periods;      /* past periods that baselines need kept */
	const struct kept *kept; /* none: no judging needs a bare field */
	size_t n_kept;
	bool keeps_prev;
	/* Evidence: how many records (0: none, no digest either), which
	 * fields. evidence_slot[input * n_evidence + i], -1: none. */
	uint32_t evidence;
	const char *const *evidence_fields;
	const enum mask *evidence_masks;
	const int32_t *evidence_slot;
	size_t n_evidence;
	const struct rule *const *rules; /* whose own plan it is, by rank */
	size_t n_rules;
	const struct rule *const *watchers; /* that read it as a coarser one */
	size_t n_watchers;
	const struct rule *const *readers; /* that read its cohorts */
	size_t n_readers;
	const struct handover *handovers;
	size_t n_handovers;
};

enum bind_from {
	BIND_NOW,
	BIND_KEY,      /* index: of by */
	BIND_FIELD,    /* index: of plan->kept */
	BIND_PREV,     /* index: of plan->kept */
	BIND_MEASURE,  /* plan (own or coarser), index: of its measures */
	BIND_BASELINE, /* index: of plan->baselines; part */
	BIND_LET       /* expr, over the slots before it */
};
/* Quartiles are doubles in major units, not rounded; only stat: iqr has them.
 */
enum baseline_part {
	PART_MID,
	PART_SPREAD,
	PART_N,
	PART_Q1,
	PART_Q3,
	PART_QUANTILE
};
#define QUANTILE_PARTS INT64_C(1000000000)

struct bind {
	enum bind_from from;
	const char *name; /* "total", "usual.mid" */
	struct type type;
	uint16_t index;
	enum baseline_part part;
	int64_t quantile; /* PART_QUANTILE: p, in QUANTILE_PARTS */
	uint16_t plan; /* BIND_MEASURE: 0 is the rule's own, else coarse - 1 */
	const struct expr *let;
	bool shown; /* a measure or let: stands in `values` of an alert */
	unsigned deps;
};

/* A coarser key: by[i] of it is by[map[i]] of the rule's key. */
struct coarse {
	const struct plan *plan;
	const uint16_t *map;
};

/* A condition and its leaves. */
struct condition {
	const struct expr *test;
	const struct expr_clause *clauses;
	size_t n_clauses;
};

/* "{unit} spent {total|money}": literal pieces and inserted values. */
struct text_part {
	const char *literal; /* or NULL, then: */
	const struct expr *value;
	const char *format; /* NULL, "money", "pct", "int", "date", "time" … */
};
struct text {
	const struct text_part *parts;
	size_t n;
};
enum language { LANGUAGE_ZH, LANGUAGE_EN, LANGUAGE_MAX };
struct texts {
	bool given[LANGUAGE_MAX];
	struct text in[LANGUAGE_MAX];
};

struct exception {
	const char *reason, *approved_by;
	int64_t until; /* last day, in the calendar's zone; INT64_MAX: none */
	const struct expr *match; /* over the judging frame */
};

enum status { STATUS_DRAFT, STATUS_TEST, STATUS_LIVE, STATUS_DEPRECATED };
enum on_missing { ON_MISSING_SKIP, ON_MISSING_INCONCLUSIVE, ON_MISSING_ALERT };

struct score {
	const char *entity;
	double points;
	double by_level[LEVEL_RED + 1]; /* < 0: points */
	const struct expr *of; /* over the judging frame; NULL: key field */
};

struct rule {
	const char *package, *name;
	const char *full; /* "package/name" */
	uint16_t rank;    /* position by the bytes of `full` */
	enum status status;
	const struct plan *plan;
	const struct coarse *coarse;
	size_t n_coarse;
	const struct bind *binds; /* one per slot of the judging frame */
	size_t n_slots;
	struct condition alert_if;
	bool has_level;
	struct condition level[LEVEL_RED + 1]; /* test NULL: not given */
	struct condition resolve_if;           /* test NULL: not given */
	bool per_event;
	struct span cooldown, refresh, review_within;
	/* `every: 1d at 07:00`; every.n 0: none. */
	struct span every;
	usec_t every_at; /* clock time in the calendar's zone */
	enum on_missing on_missing;
	uint32_t evidence; /* shown at most */
	uint32_t open_max;
	const struct exception *exceptions;
	size_t n_exceptions;
	const struct score *scores;
	size_t n_scores;
	struct texts title, message, advice, desc;
	struct text legal_basis;
	const char *const *tags;
	size_t n_tags;
	const char *owner, *runbook;
	const struct table *const *tables; /* whose rows it reads */
	size_t n_tables;
	const struct list *const *lists;
	size_t n_lists;
	uint8_t hash[16]; /* of the expanded rule: macros, params, overrides */
	const char *expansion; /* that, as YAML */
	usec_t max_delay;      /* how late what runs on timers comes */
	bool counts_workdays;
	struct place place;
};

/*
 * Registry: a table that a stream fills. Its rows, by key and time, are state
 * of the engine; it keeps of each event the fields that rules read.
 */
struct registry {
	const char *name;
	const char *full; /* "package/name" */
	uint16_t index;   /* among those of the ruleset */
	const struct stream *stream;
	const struct expr *where; /* over the event's slots; NULL: all */
	const uint16_t *keys;     /* slots */
	const struct type *key_types;
	size_t n_keys;
	const uint16_t *columns; /* slots */
	const struct type *types;
	size_t n_columns;
	usec_t keep;       /* what is in force in that time stays */
	uint32_t max_rows; /* of a key */
	size_t max_keys;
};

/*
 * What expr_context.state is: whoever evaluates rules has the rows. row()
 * gives what @column holds in the row of @keys that is in force at @at, or
 * missing; of REGISTRY_ROW, whether there is one.
 */
#define REGISTRY_ROW SIZE_MAX
struct expr_state {
	struct value (*row)(const struct expr_state *state,
			    const struct registry *registry,
			    const struct value *keys, usec_t at, size_t column,
			    struct arena *scratch);
};

/*
 * A table or list: data beside the rules, with the hash of its content; of a
 * registry the hash of what it is.
 */
struct table {
	const char *name;
	const char *path; /* NULL: a registry, or rows of a test */
	uint8_t hash[16];
	size_t n_rows;
	void *index;               /* table.c */
	struct registry *registry; /* NULL: of a file */
};
struct list {
	const char *name;
	const char *path;
	uint8_t hash[16];
	size_t n_items;
	void *index;
};

/*
 * Content: what a table or list has from a file. It alone of a ruleset may
 * change after the load.
 */
struct content {
	const char
		*name; /* "package/limits", of a list "package/lists.barred" */
	const char *path;
	const char *text; /* of the file when it was loaded */
	size_t len;
	uint8_t loaded[32]; /* SHA-256 of that */
	uint8_t sha256[32]; /* of what look-ups see */
	struct table *table;
	struct list *list;  /* … or this */
	struct arena arena; /* of what came after the load */
};

/* A package of rule text for inline tests. */
struct rule_test {
	const char *name;
	const struct rule *rule; /* under which it stands, NULL: of the file */
	const char *package;
	const struct yaml_node *node;
	struct place place;
};

struct ruleset {
	struct arena arena;
	struct stream **streams;
	size_t n_streams;
	struct calendar **calendars;
	size_t n_calendars;
	struct table **tables;
	size_t n_tables;
	struct registry **registries; /* that a rule reads */
	size_t n_registries;
	struct list **lists;
	size_t n_lists;
	struct content *contents;
	size_t n_contents;
	struct plan **plans;
	size_t n_plans;
	struct rule **rules; /* by rank; draft and deprecated ones left out */
	size_t n_rules;
	struct rule_test *tests;
	size_t n_tests;
	/* Expanded rules, inline lists, calendars, zones, what tables look
	 * like: what output depends on besides the journal, contents, and
	 * limits and key of tocsin.yaml. */
	uint8_t hash[32];
};

/*
 * Loads packages from files and folders (*.yaml, *.yml below them, sorted).
 * All complaints go to @diag, sorted; -EINVAL if there is an error among them.
 * Places, here and in the ruleset, point into @diag: look at none after it.
 */
/* Rows that stand in for a table's file: a list of maps by column. */
struct yaml_node;
struct table_rows {
	const char *package, *table;
	const struct yaml_node *rows;
};

struct ruleset_options {
	const char *only_package; /* NULL: all */
	const struct table_rows *rows;
	size_t n_rows;
	int64_t today; /* for exceptions that expired; 0: not looked at */
};
int ruleset_load(struct ruleset **ret, const char *const *paths, size_t n,
		 const struct ruleset_options *options, struct diag *diag);
/*
 * Look-ups see @text from now on, as if @content's file had had it at the load.
 * -EINVAL: it does not fit the declaration, @diag says where, and nothing has
 * changed. Between two inputs, by whoever owns the ruleset.
 */
int content_refresh(struct content *content, const char *text, size_t len,
		    struct diag *diag);
/* NULL: no table or list of that name has a file. */
struct content *ruleset_content(const struct ruleset *set, const char *name);
void ruleset_free(struct ruleset *set);
void ruleset_freep(struct ruleset **set);
/*
 * What one key of a rule costs, its coarser ones left out: an estimate of the
 * engine's layout, for whoever chooses windows and caps.
 */
struct rule_cost {
	size_t key_bytes;    /* without entries and past periods */
	size_t entry_bytes;  /* of one event in the window; 0: none is kept */
	uint32_t entries;    /* at most */
	size_t period_bytes; /* of one past period */
	uint32_t periods;
	size_t most_bytes;   /* all of it together */
	size_t cohort_bytes; /* of one cohort without values; 0: no peers */
	size_t value_bytes;  /* of one value, in all cohorts it enters */
	uint32_t values;     /* of a cohort, at most */
};
struct rule_cost rule_cost(const struct rule *rule);
/* Panes of whole numbers only, which are kept in half the room if small. */
bool plan_is_narrow(const struct plan *plan);
/* Of a row that is kept, without its texts. */
size_t registry_row_bytes(const struct registry *registry);
/* YAML of all rules with macros, params and overrides applied. */
void ruleset_expand(const struct ruleset *set, struct buf *out);
const struct stream *ruleset_stream(const struct ruleset *set,
				    const char *name);
