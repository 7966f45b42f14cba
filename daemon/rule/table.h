/*
 * Table: rows from a CSV file, looked up by key as of a day.
 *
 * Rows are sorted by key, so an exact column is a binary search, and a prefix
 * column tries the longest text first and falls back to the shorter: the
 * longest row that fits, left column first, as authors expect who write a
 * general rule and its exceptions.
 */
#pragma once

#include "expr/expr.h"
#include "rule/rule.h"
#include "rule/yaml.h"

struct table_row {
	const struct value *keys;  /* strings */
	const struct value *cells; /* n_fields */
	int64_t from, to;          /* both inclusive, days */
	uint32_t line;
};

struct table_data {
	const char *name;
	size_t n_keys;
	const char **keys;
	bool *prefix;
	uint32_t *longest; /* bytes of the longest key in a column */
	bool dated;
	const char *from, *to; /* columns */
	size_t n_fields;
	const char **fields;
	struct type *types;
	struct table_row *rows;
	size_t n_rows;
	const struct calendar *calendar;
};

#define TABLE_MAX_KEYS 8

/* Of what needs only the event, rows are those as of its time. */
bool is_of_event(unsigned deps);
/* NULL: no row. */
const struct table_row *table_find(const struct table_data *table,
				   const struct value *keys, int64_t day);
bool list_contains(const struct list *list, struct value item);

/*
 * `limits(region, category).open_tender`: fills @ret, or complains. @ret->deps
 * says when the arguments are known.
 */
int table_call(struct expr_call *ret, struct arena *arena,
	       const struct table *table, const char *field,
	       const struct type *args, size_t n_args, struct place place,
	       struct diag *diag);
int list_call(struct expr_call *ret, const struct list *list,
	      const struct type *args, size_t n_args, struct place place,
	      struct diag *diag);
