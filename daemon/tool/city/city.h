/*
 * City: a year and more of a fictional city's money, with cases planted in it.
 *
 * Yunlan (云澜市) has forty units and fifteen hundred suppliers. From January
 * 2025 to February 2026 it approves budgets, orders, awards and pays, with the
 * seasons, month ends and holidays of a real one. Into that ordinary life are
 * planted cases that the shipped rules should find, and near misses that they
 * should not, and each is labelled. The generator knows nothing of the rules:
 * it must be able to prove them wrong.
 *
 * Everything follows from the seed. Only integers are computed with, so a seed
 * gives the same bytes on every machine.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define N_UNITS 40u
#define N_SUPPLIERS 1500u
#define N_TRADES 10u
#define PER_TRADE (N_SUPPLIERS / N_TRADES)
#define NOBODY UINT32_MAX

enum city_stream { BUDGETS, ORDERS, AWARDS, PAYMENTS, N_STREAMS };
extern const char *const stream_names[N_STREAMS]; /* "payments" */

/* names.c: who and what there is. */
struct economic_class {
	const char *code, *memo;
	int32_t low, high; /* yuan of an ordinary payment */
};
extern const struct economic_class classes[];
extern const unsigned n_classes;       /* ordinary ones come first, … */
extern const unsigned n_plain_classes; /* … then capital, then 30299 */
#define CLASS_OTHER (n_classes - 1)

struct category {
	const char *code, *name;
	uint8_t trade;
};
extern const struct category categories[];
extern const unsigned n_categories;

struct fund {
	const char *code;
	const char *classes; /* separated by |; NULL: the city lists none */
};
extern const struct fund funds[];
extern const unsigned n_funds;
#define NO_FUND 255u
bool fund_allows(unsigned fund, unsigned class);

extern const char *const unit_names[N_UNITS];
extern const char *const methods[];
enum method {
	METHOD_OPEN,
	METHOD_INVITED,
	METHOD_NEGOTIATION,
	METHOD_CONSULTATION,
	METHOD_INQUIRY,
	METHOD_SINGLE_SOURCE,
	METHOD_DIRECT
};
void supplier_name(struct buf *out, uint32_t supplier);
void supplier_id(struct buf *out, uint32_t supplier);
void supplier_account(struct buf *out, uint32_t supplier);

/* rng.c: xoshiro256** seeded by splitmix64. */
struct rng {
	uint64_t s[4];
};
void rng_seed(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t n);
int64_t rng_between(struct rng *rng, int64_t low, int64_t high);
bool rng_chance(struct rng *rng, unsigned in_ten_thousand);

/* What is wrong with an event that must be refused. */
enum flaw {
	FLAW_NONE,
	FLAW_TRUNCATED,
	FLAW_NOT_JSON,
	FLAW_AMOUNT_TEXT,
	FLAW_AMOUNT_DECIMALS,
	FLAW_AMOUNT_HUGE,
	FLAW_FIELD_MISSING,
	FLAW_YEAR_ZERO,
	FLAW_YEAR_9999,
	FLAW_KEY_TWICE,
	FLAW_BROKEN_UTF8,
	FLAW_NUL,
	FLAW_DEEP,
	FLAW_ARRAY,
	FLAW_MAX
};

/* One record; texts are made when it is written. Times are UTC seconds. */
struct event {
	int64_t at, arrival;
	int64_t amount;    /* fen */
	uint32_t number;   /* of its id, by event time within the stream */
	uint32_t copy_of;  /* sent again as it was; NOBODY: an original */
	uint32_t supplier; /* payee, supplier */
	uint32_t invoice;  /* 0: none */
	uint16_t cell;     /* of a payment; UINT16_MAX: none */
	uint8_t stream, unit;
	uint8_t item; /* class of a payment or budget, category of the rest */
	uint8_t fund;
	uint8_t method; /* of an order; 1: a budget that is an adjustment */
	uint8_t bidders;
	uint8_t flaw;
	bool taken; /* a case was made of this payment */
};

enum expect { EXPECT_ALERT, EXPECT_SILENCE };

struct label {
	const char *rule, *note;
	enum expect expect;
	const char *level;    /* NULL: not sure */
	const char *key;      /* JSON */
	const char *period;   /* NULL: none */
	uint32_t first, last; /* events */
};

/* What one unit pays of one class: one budget line. */
struct cell {
	uint8_t unit, class;
	bool capital;   /* few large payments */
	bool planted;   /* some case uses it already */
	int64_t base;   /* fen of an ordinary payment */
	uint32_t phase; /* in millionths of a payment */
	uint32_t payees[6];
	/* How its budget of 2025 is made, and what for. */
	enum {
		PLAN_AMPLE,
		PLAN_OVER,
		PLAN_OVER_TENTH,
		PLAN_LATE_RAISE,
		PLAN_EXACT,
		PLAN_EARLY_RAISE
	} plan;
};

struct city {
	struct rng rng;
	struct arena arena;
	struct event *events;
	uint32_t n, cap;
	uint32_t n_originals; /* without copies and hostile ones */
	uint32_t *order;      /* by arrival */
	struct label *labels;
	uint32_t n_labels, cap_labels;
	struct cell *cells;
	uint16_t n_cells;
	uint32_t rate; /* payments per cell and working day, millionths */
	uint32_t next_invoice;
	const int64_t *workdays; /* days since 1970 */
	uint32_t n_workdays;
};

/* About @payments payments and what belongs to them. */
void city_make(struct city *city, uint64_t seed, uint32_t payments);
void city_free(struct city *city);

/* city.c */
struct event *city_add(struct city *city, enum city_stream stream);
struct label *city_label(struct city *city, const char *rule,
			 enum expect expect, const char *note);
/* Some second of the office hours of a day. */
int64_t city_office_time(struct city *city, int64_t day);
/* The n-th working day of a month, n from 1, or the last one. */
int64_t city_workday(const struct city *city, int year, unsigned month,
		     unsigned n);
struct event *city_pay(struct city *city, uint16_t cell, int64_t day);
uint32_t city_supplier(struct city *city, unsigned trade, uint32_t from,
		       uint32_t to);

/* plant.c */
void plant_growth(struct city *city);
void plant_duplicates(struct city *city);
void plant_off_scope(struct city *city);
void plant_splits(struct city *city);
/* Says which (unit, category) it used: used[unit * n_categories + category] */
void plant_winners(struct city *city, bool *used);
void plant_plans(struct city *city);
/* budget.c: after all payments are there. */
void budget_make(struct city *city);

/* write.c */
void event_id(struct buf *out, const struct city *city,
	      const struct event *event);
void event_json(struct buf *out, const struct city *city, uint32_t event);
void event_key(struct buf *out, const struct event *event);
void label_json(struct buf *out, const struct city *city,
		const struct label *label);
void counts_json(struct buf *out, const struct city *city);

/* produce.c */
struct produce_options {
	const char *brokers;
	const char *prefix;     /* of the topics: "fin." */
	const char *pace_group; /* NULL: as fast as it goes */
	unsigned seconds;       /* spread over; 0: as fast as it goes */
};
/* 0, or negative errno after a message to stderr. */
int city_produce(const struct city *city, const struct produce_options *how);
