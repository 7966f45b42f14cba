/*
 * Type: what the loader knows of a value before there is one.
 */
#pragma once

#include "base/buf.h"
#include "tocsin/value.h"

#include <stdbool.h>

struct type {
	uint8_t kind;  /* enum kind; KIND_NULL..KIND_LIST, or one of below */
	uint8_t elem;  /* kind of a list's items (of scalars only) */
	uint16_t unit; /* currency of money, or of a list of money */
	bool optional; /* may be missing */
	/* enum[…]: the texts that are allowed; the kind is KIND_STRING. */
	const char *const *names;
	uint32_t n_names;
};

#define KIND_DYN 32 /* known only when it is there: second evaluator */
#define KIND_MAP 33

/* "money(CNY)", "list(string)", "enum[a, b]", with " optional" behind. */
void type_format(struct buf *out, struct type type);
/* "a field is absent", as `missing` of an alert and the metrics say it. */
const char *missing_name(enum missing reason); /* slug: "field", "zero" … */
/* Plain text of a value as messages and tables show it; "-" if missing. */
void value_format(struct buf *out, struct value value);
/*
 * JSON of a value as alerts.md 1 says: money and integers beyond 2^53 as text,
 * times RFC 3339 in @zone (NULL: UTC), missing as null.
 */
struct zone;
void value_json(struct buf *out, struct value value, const struct zone *zone);
/* Total order within a kind (missing first, then by kind); NaN last. */
int value_compare(struct value a, struct value b);
bool value_equal(struct value a, struct value b);
