/*
 * Value: what a field, an aggregate or an expression has.
 *
 * Sixteen bytes, passed by value. A value borrows what it points to: the bytes
 * of a string belong to the event, the ruleset or the batch arena, and whoever
 * wants to remember them copies them.
 *
 * Missing is a value too. It travels through expressions as an error does in
 * CEL and carries the reason why nothing is there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum kind {
	KIND_MISSING, /* reason says why */
	KIND_NULL,
	KIND_BOOL,      /* i: 0 or 1 */
	KIND_INT,       /* i */
	KIND_DOUBLE,    /* d */
	KIND_STRING,    /* s, len bytes of UTF-8, not terminated */
	KIND_DATE,      /* i: days since 1970-01-01 */
	KIND_TIMESTAMP, /* i: microseconds since 1970-01-01T00:00:00Z */
	KIND_DURATION,  /* i: microseconds */
	KIND_MONEY,     /* i: minor units of currency number `unit` */
	KIND_LIST,      /* list, len items */
	KIND_MAX
};

/* Why a value is missing; see missing_name(). */
enum missing {
	MISSING_NONE,
	MISSING_FIELD,    /* an optional field is absent */
	MISSING_ZERO,     /* ratio(a, 0) or a division by zero */
	MISSING_EMPTY,    /* an aggregate over no events */
	MISSING_YOUNG,    /* a baseline with fewer than min_samples */
	MISSING_SPREAD,   /* mid and spread are both zero */
	MISSING_ROW,      /* no row in a table */
	MISSING_OVERFLOW, /* a number left its range */
	MISSING_ALIAS,    /* a field of another stream than the event's */
	MISSING_PREVIOUS, /* the key has no earlier event */
	MISSING_ERROR,    /* any other failure of an expression */
	MISSING_MAX
};

struct value {
	uint8_t kind;   /* enum kind */
	uint8_t reason; /* enum missing, if kind is KIND_MISSING */
	uint16_t unit;  /* number of the currency, if kind is KIND_MONEY */
	uint32_t len;   /* bytes of s, or items of list */
	union {
		int64_t i;
		double d;
		const char *s;
		const struct value *list;
	};
};

static inline struct value value_missing(enum missing reason) {
	return (struct value){ .kind = KIND_MISSING,
			       .reason = (uint8_t)reason };
}

static inline struct value value_bool(bool b) {
	return (struct value){ .kind = KIND_BOOL, .i = b };
}

static inline struct value value_int(int64_t i) {
	return (struct value){ .kind = KIND_INT, .i = i };
}

static inline struct value value_double(double d) {
	return (struct value){ .kind = KIND_DOUBLE, .d = d };
}

static inline struct value value_string(const char *s, uint32_t len) {
	return (struct value){ .kind = KIND_STRING, .len = len, .s = s };
}

static inline struct value value_date(int64_t days) {
	return (struct value){ .kind = KIND_DATE, .i = days };
}

static inline struct value value_time(int64_t usec) {
	return (struct value){ .kind = KIND_TIMESTAMP, .i = usec };
}

static inline struct value value_duration(int64_t usec) {
	return (struct value){ .kind = KIND_DURATION, .i = usec };
}

static inline struct value value_money(int64_t minor, uint16_t currency) {
	return (struct value){ .kind = KIND_MONEY,
			       .unit = currency,
			       .i = minor };
}

static inline bool value_is_missing(struct value v) {
	return v.kind == KIND_MISSING;
}

static inline bool value_is_true(struct value v) {
	return v.kind == KIND_BOOL && v.i;
}
