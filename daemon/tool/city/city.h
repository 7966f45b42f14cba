/*
 * City: two years of a fictional city's money, with cases planted in it.
 *
 * Yunlan (云澜市) has forty units, fifteen hundred suppliers and some people.
 * Until the end of 2025 it approves budgets, pays, tenders, orders and signs,
 * with the seasons, month ends and holidays of a real one. Into that ordinary
 * life are planted cases that rules should find, plain ones, near ones (just
 * beyond what a statute or a published formula calls abnormal) and hidden ones
 * (among others that look alike), and lookalikes that they should not; each is
 * labelled. The generator knows nothing of the rules: it must be able to prove
 * them wrong.
 *
 * Everything follows from the seed. Only integers are computed with, so a seed
 * gives the same bytes on every machine. Each part of the city draws from a
 * generator of its own: what one part does more does not move the others.
 *
 * How it is made, in order: days and people (days.c, parties.c); what lines
 * pay (payments.c); contracts out of what was paid for them, their tenders,
 * and other purchases (buying.c); cards (cards.c); the planted cases
 * (plant_*.c); what follows from all that, approvals and budgets (budgets.c);
 * how it arrives (arrive.c); its bytes (write.c, departments.c).
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define N_UNITS 40u
#define N_REGIONS 5u
#define N_SUPPLIERS 1500u
#define N_TRADES 12u
#define PER_TRADE (N_SUPPLIERS / N_TRADES)
#define N_PEOPLE 1200u
#define N_CLASSES 40u
#define N_CATEGORIES 25u
#define N_ITEMS 60u
#define MAX_BIDS 12u
#define MAX_PAYEES 12u
#define YUAN INT64_C(100) /* amounts are in fen */
#define DAY INT64_C(86400)

/* rng.c: xoshiro256** seeded by splitmix64. */
struct rng {
	uint64_t s[4];
};
void rng_seed(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t n);
int64_t rng_between(struct rng *rng, int64_t low, int64_t high);
bool rng_chance(struct rng *rng, unsigned in_ten_thousand);
/* @low * 10^(@fraction / 2^32). */
int64_t scale10(int64_t low, uint32_t fraction);
/* Evenly on a logarithmic scale, as amounts of money are. */
int64_t rng_scaled(struct rng *rng, int64_t low, int64_t high);

/* names.c: who and what there is. */
enum class_kind {
	CLASS_PLAIN,
	CLASS_SOLID, /* each unit has at least one of these */
	CLASS_CARD,  /* paid by official card */
	CLASS_PERSON,
	CLASS_RENT,
	CLASS_CAPITAL, /* few large payments under contracts */
	CLASS_RARE,    /* nobody has it of old */
	CLASS_RUSH     /* … nor is it paid before December */
};
struct economic_class {
	const char *code;
	enum class_kind kind;
	int32_t low;         /* yuan; ordinary payments reach to ten times it */
	const char *phrases; /* what is bought, separated by | */
};
extern const struct economic_class classes[N_CLASSES];
unsigned class_of(const char *code);
/* Travel abroad, meetings, receptions, cars: 三公经费 and meetings. */
bool class_is_restrained(unsigned class);

struct category {
	const char *code, *name;
	uint8_t trade;
	const char
		*class; /* capital class whose contracts are of it, or NULL */
};
extern const struct category categories[N_CATEGORIES];

struct item {
	const char *name;
	uint8_t category;
	int32_t level; /* yuan a piece, region 1 in January 2024 */
};
extern const struct item items[N_ITEMS];

struct fund {
	const char *code;
	const char *classes; /* separated by |; NULL: the city lists none */
};
extern const struct fund funds[];
extern const unsigned n_funds;
#define NO_FUND 255u
bool fund_allows(unsigned fund, unsigned class);

extern const char *const methods[];
enum method {
	METHOD_OPEN,
	METHOD_INVITED,
	METHOD_NEGOTIATION,
	METHOD_CONSULTATION,
	METHOD_INQUIRY,
	METHOD_SINGLE_SOURCE,
	METHOD_DIRECT,
	METHOD_BY_VALUE
};
const char *unit_name(unsigned unit);
void supplier_name(struct buf *out, unsigned trade, uint32_t nth);
void person_name(struct buf *out, uint32_t nth);

/* Whoever is paid, bids or wins. */
enum party_type { PARTY_ORG, PARTY_PERSON, PARTY_SELF };
struct party {
	const char *name, *account;
	const char *id; /* NULL: has none */
	const char *legal_rep;
	enum party_type type;
	uint8_t trade;
	uint32_t nth;    /* of its trade */
	int64_t founded; /* day */
};

/*
 * What one unit pays of one class: one budget line. How its budget is made:
 * amply, unless a case says otherwise.
 */
struct line {
	struct unit *unit;
	uint32_t index;
	uint8_t class;
	bool planted; /* some case uses it already */
	int64_t base; /* fen, the least of its ordinary payments */
	uint32_t phase;
	/* Where its amounts are on the logarithmic scale, and begin. */
	uint32_t step, start;
	const struct party *payees[MAX_PAYEES];
	uint8_t n_payees;
	int64_t bypassed; /* month in which a card was last not used */
	enum {
		PLAN_AMPLE,
		PLAN_NONE, /* nobody ever approves it */
		PLAN_OVER, /* paid 5 % more than approved */
		PLAN_OVER_TENTH,
		PLAN_OVER_LITTLE,
		PLAN_LATE_RAISE, /* a raise comes a week too late */
		PLAN_EXACT,      /* spent to the last fen */
		PLAN_EARLY_RAISE,
		PLAN_IDLE, /* as the unit's course wants */
		PLAN_FIXED /* a case approves it, nobody else */
	} plan;
	int64_t allocated; /* in the year that is being planned */
	bool raised;
};

/* How a unit spends its year; permille, 0: as others do. */
struct course {
	uint16_t mid;       /* spent of its budget by the middle of the year */
	uint16_t third;     /* … by the end of the third quarter */
	uint16_t september; /* … and then nothing more is paid */
	uint16_t december;  /* of the year's money in December */
	bool many;          /* December's in payments of ordinary size */
	uint8_t nth;        /* of the planted ones */
};

enum department { DEPARTMENT_CITY, DEPARTMENT_HEALTH, DEPARTMENT_EDU };
struct unit {
	char code[8];
	const char *name;
	uint8_t number, region;
	enum department department;
	struct line *lines[N_CLASSES];
	struct course course;
};

/* events */
enum stream {
	BUDGETS,
	PAYMENTS,
	CARDS,
	APPROVALS,
	ORDERS,
	TENDERS,
	BIDS,
	AWARDS,
	CONTRACTS,
	PARTIES,
	N_STREAMS
};

/*
 * By which way an event comes: that of its stream, or that of a department
 * which writes its payments in another shape.
 */
enum { CHANNEL_HEALTH = N_STREAMS, CHANNEL_EDU, N_CHANNELS };
extern const struct channel {
	const char *name; /* "payments-health" */
	const char *file; /* "payments-health.csv" */
	const char *topic;
	char letter; /* with which its ids begin */
} channels[N_CHANNELS];

struct budget {
	struct line *line;
	int64_t amount;
	bool adjusted;
};

enum pay_method { PAY_TRANSFER, PAY_CASH, PAY_CARD, PAY_CHEQUE };
enum pay_account { ACCOUNT_ZERO, ACCOUNT_REAL, ACCOUNT_SPECIAL };
struct payment {
	struct unit *unit;
	struct line *line; /* NULL: none is named */
	const struct party *payee;
	const char *memo; /* NULL: none at all */
	struct contract *contract;
	int64_t amount;
	uint32_t invoice; /* 0: none */
	uint8_t class, fund, method, account;
	bool authorised; /* else paid directly */
	bool taken;      /* a case was made of it */
	bool unapproved;
	bool dated; /* the memo begins with the month */
};

struct card {
	const char *number, *holder;
	const struct unit *unit;
};
struct card_use {
	const struct card *card;
	const struct party *merchant;
	int64_t amount;
};

struct approval {
	const struct event *payment;
	bool rejected;
};

struct order {
	const struct unit *buyer;
	const struct party *supplier;
	int64_t amount;
	uint8_t category, method;
};

/* A tender is announced at once, its lots are opened and awarded. */
struct tender {
	uint32_t number;
};
struct lot {
	struct tender *tender;
	uint8_t number;
	const struct unit *buyer;
	uint8_t category, method;
	int64_t ceiling;
	int64_t announced, deadline, opened;
	struct event *published, *opening, *award;
	struct event *bids[MAX_BIDS]; /* by price, the winner first */
	unsigned n_bids;
	struct contract *contract;
};
enum tender_step {
	STEP_PUBLISHED,
	STEP_AMENDED,
	STEP_FAILED,
	STEP_CANCELLED,
	STEP_OPENED
};
struct tender_event {
	struct lot *lot;
	int64_t deadline; /* 0: none is said */
	uint8_t step;
	bool substantive;
};
struct bid {
	struct lot *lot;
	const struct party *bidder;
	int64_t price, submitted;
	bool invalid;
	bool zulu; /* its time is written in UTC */
};

#define NO_ITEM 255u
struct award {
	const struct lot *lot; /* NULL: without a tender */
	const struct unit *buyer;
	const struct party *supplier;
	const struct party *member; /* of a consortium, or NULL */
	int64_t amount, unit_price;
	uint32_t quantity;
	uint8_t category, method, bidders, item;
};

struct contract {
	struct event *begin;
	const struct event *award;
	const struct unit *buyer;
	const struct party *supplier;
	uint8_t category;
	int64_t value;
	struct event **payments; /* under it, by time */
	unsigned n_payments;
	bool amended, planted;
};
enum contract_step { CONTRACT_SIGNED, CONTRACT_AMENDED, CONTRACT_CLOSED };
struct contract_event {
	struct contract *contract;
	int64_t amount;
	uint8_t step;
};

struct party_event {
	const struct party *party;
	int64_t debarred_from, debarred_until; /* days; 0: not debarred */
	bool revoked;
};

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

/* One record; its texts are made when it is written. Times are UTC seconds. */
struct event {
	int64_t at, arrival;
	const struct event *copy_of; /* sent again as it was; NULL: original */
	uint32_t seq;                /* in which it was made */
	uint32_t number;             /* by event time within the stream */
	uint8_t stream, flaw;
	bool dropped; /* it never happened */
	union {
		struct budget budget;
		struct payment payment;
		struct card_use card;
		struct approval approval;
		struct order order;
		struct tender_event tender;
		struct bid bid;
		struct award award;
		struct contract_event contract;
		struct party_event party;
	};
};

/* labels.c */
enum grade { PLAIN, NEAR, HIDDEN, SILENT };
struct label {
	const char *rule, *note, *level, *period;
	enum grade grade;
	const struct event *first, *last;
	int64_t from, until; /* 0: the first event's time; two days later */
	unsigned n_keys;
	struct {
		const char *name;
		const char *text;
		const struct event *event; /* whose id it is */
		const struct lot *lot;     /* whose tender it is */
		const struct contract *contract;
	} keys[4];
};

/* One of a unit's categories that ordinary life keeps out of. */
enum reserve { FREE, RESERVED_PAIR, RESERVED_MARKET, RESERVED_USED };

struct city {
	struct rng rng;
	struct arena arena;
	uint64_t seed;
	uint32_t payments; /* about so many */
	unsigned months;

	/* days.c */
	int64_t first_day, end_day;
	int64_t *workdays; /* days since 1970 */
	uint32_t n_workdays;

	struct unit units[N_UNITS];
	struct party *suppliers[N_SUPPLIERS];
	struct party *people[N_PEOPLE];
	struct party *own[N_UNITS]; /* their own accounts */
	uint32_t n_of_trade[N_TRADES];
	struct card *cards;
	uint32_t n_cards;
	struct line **lines;
	uint32_t n_lines, cap_lines;
	uint32_t rate; /* payments per line and working day, millionths */
	uint32_t next_invoice;

	/* buying.c */
	enum reserve reserve[N_UNITS][N_CATEGORIES];
	uint8_t *wins; /* by unit, category and supplier of the trade */
	struct contract **contracts;
	uint32_t n_contracts, cap_contracts;
	struct lot **lots;
	uint32_t n_lots, cap_lots;

	struct event **events;
	uint32_t n, cap;
	struct event **order; /* by arrival */
	struct label **labels;
	uint32_t n_labels, cap_labels;
	unsigned turn; /* of the units, for the cases of a rule */
};

/* About @payments payments and what belongs to them. */
void city_make(struct city *city, uint64_t seed, uint32_t payments,
	       unsigned months);
void city_free(struct city *city);

/* city.c: what all parts use. */
struct event *city_add(struct city *city, enum stream stream, int64_t at);
/* @pointers with room for one more than @n. */
void *city_grow(void *pointers, uint32_t n, uint32_t *cap);
const char *city_text(struct city *city, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* days.c */
void days_make(struct city *city);
int64_t day_of(int64_t at);
int64_t start_of(int64_t day);
/* 202503 */
int month_of(int64_t day);
int64_t day_in(int month, unsigned day);
/* The n-th working day of a month, n from 1, or the last one. */
int64_t workday_in(const struct city *city, int month, unsigned n);
/* The first working day from @day on, and @n later (earlier) ones. */
int64_t workday_after(const struct city *city, int64_t day, int n);
/* How busy a working day is, in thousandths: seasons and month ends. */
uint32_t day_weight(const struct city *city, uint32_t workday);
int64_t random_workday(struct city *city);
/* Some second of the office hours of a day. */
int64_t office_time(struct city *city, int64_t day);

/* parties.c */
void parties_make(struct city *city);
/* One more supplier; @registered 0: nobody has heard of it. */
struct party *party_new(struct city *city, unsigned trade, int64_t founded,
			int64_t registered);
/* One that has been there for long. */
struct party *party_old(struct city *city, unsigned trade);
struct event *party_record(struct city *city, const struct party *party,
			   int64_t at);
const struct party *any_supplier(struct city *city, unsigned trade);
const struct party *any_payee(struct city *city);

/* payments.c */
void lines_make(struct city *city);
void payments_make(struct city *city);
struct line *line_of(struct city *city, struct unit *unit, unsigned class);
/* An ordinary payment of a line, and one of a given amount. */
struct event *pay(struct city *city, struct line *line, int64_t day);
struct event *pay_amount(struct city *city, struct line *line, int64_t day,
			 int64_t amount);

/* buying.c */
struct wish {
	const struct unit *unit;
	unsigned category;
	enum method method;
	int64_t award_day;
	int64_t price;              /* of the winner; 0: some ordinary one */
	const struct party *winner; /* NULL: anybody */
	unsigned n_bids;            /* 0: as many as come */
	const struct lot *beside;   /* another lot of its tender, or NULL */
	bool contract;
};
void buying_reserve(struct city *city);
void buying_make(struct city *city);
/* NULL: it would have begun before the first day. */
struct lot *lot_make(struct city *city, const struct wish *wish);
struct event *order_make(struct city *city, const struct unit *unit,
			 unsigned category, const struct party *supplier,
			 enum method method, int64_t amount, int64_t day);
struct event *lot_step(struct city *city, struct lot *lot,
		       enum tender_step step, int64_t at);
struct contract *contract_make(struct city *city, const struct unit *buyer,
			       const struct party *supplier, unsigned category,
			       int64_t value, int64_t at);
struct event *contract_step(struct city *city, struct contract *contract,
			    enum contract_step step, int64_t at,
			    int64_t amount);
/* Above which amount a purchase must be tendered: the city's regulation. */
int64_t tender_limit(unsigned category, int64_t day);
int64_t item_price(const struct unit *unit, unsigned item, int64_t day);
struct event *item_award(struct city *city, const struct unit *unit,
			 unsigned item, int64_t day);
void award_price(struct event *award, int64_t unit_price);

/* cards.c */
void cards_make(struct city *city);
struct event *card_use(struct city *city, const struct card *card,
		       const struct party *merchant, int64_t amount,
		       int64_t day);

/* budgets.c: after all payments are there. */
void approve(struct city *city, const struct event *payment, int64_t at,
	     bool rejected);
void approvals_make(struct city *city);
void budgets_make(struct city *city);
struct event *budget_add(struct city *city, struct line *line, int64_t at,
			 int64_t amount, bool adjusted);

/* arrive.c: sorts, numbers, doubles, spoils. */
void arrive(struct city *city);

/* labels.c */
struct label *label_add(struct city *city, const char *rule, enum grade grade,
			const char *note, const struct event *first,
			const struct event *last);
void label_text(struct label *label, const char *name, const char *text);
void label_id(struct label *label, const char *name, const struct event *event);
void label_lot(struct label *label, const struct lot *lot);
void label_contract(struct label *label, const struct contract *contract);
void label_json(struct buf *out, const struct label *label);

/* plant_*.c */
void plant_courses(struct city *city); /* before anything is paid */
void plant_lines(struct city *city);
void plant_payments(struct city *city);
void plant_payees(struct city *city);
void plant_cards(struct city *city);
void plant_tenders(struct city *city);
void plant_orders(struct city *city);
void plant_bids(struct city *city);
void plant_awards(struct city *city);
void plant_winners(struct city *city);
void plant_contracts(struct city *city);
void plant_year(struct city *city); /* when all else is paid */

/* write.c */
void event_id(struct buf *out, const struct event *event);
unsigned event_channel(const struct event *event);
/* One record, without a line's end. */
void event_write(struct buf *out, const struct event *event);
void event_key(struct buf *out, const struct event *event);
void lot_id(struct buf *out, const struct lot *lot);
void contract_id(struct buf *out, const struct contract *contract);
void put_time(struct buf *out, int64_t at);
void put_fen(struct buf *out, int64_t fen);
void put_memo(struct buf *out, const struct event *event);
void put_text(struct buf *out, const char *name, const char *text);
/* With what is wrong with it, if anything is. */
void put_amount(struct buf *out, const char *name, const struct event *event,
		int64_t fen);
void counts_json(struct buf *out, const struct city *city);

extern const char *const party_types[], *const pay_methods[],
						*const pay_accounts[];

/* departments.c */
void health_row(struct buf *out, const struct event *event);
void health_header(struct buf *out);
void edu_json(struct buf *out, const struct event *event);

/* produce.c */
struct produce_options {
	const char *brokers;
	const char *prefix;     /* of the topics: "fin." */
	const char *streams;    /* "cards,payments-edu"; NULL: all */
	const char *pace_group; /* NULL: as fast as it goes */
	unsigned seconds;       /* spread over; 0: as fast as it goes */
};
/* 0, or negative errno after a message to stderr. */
int city_produce(const struct city *city, const struct produce_options *how);
