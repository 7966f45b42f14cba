#include "rule/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/number.h"
#include "base/text.h"
#include "rule/load.h"

#define MAX_COLUMNS 64

/*** look-up ***/

static int compare_text(struct value a, struct value b) {
	uint32_t len = a.len < b.len ? a.len : b.len;
	int r = len ? memcmp(a.s, b.s, len) : 0;

	return r ? r : (a.len > b.len) - (a.len < b.len);
}

/* First row of [lo, hi) whose key is not before (@after: is behind) @key. */
static size_t bound(const struct table_data *table, size_t lo, size_t hi,
		    size_t column, struct value key, int after) {
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare_text(table->rows[mid].keys[column], key) < after)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct table_row *find_in(const struct table_data *table,
				       size_t lo, size_t hi, size_t column,
				       const struct value *keys, int64_t day) {
	struct value key;

	if (column == table->n_keys) {
		for (size_t i = lo; i < hi; i++)
			if (table->rows[i].from <= day &&
			    day <= table->rows[i].to)
				return &table->rows[i];
		return NULL;
	}
	key = keys[column];
	/* A stranger writes the text, and no row fits what is longer. */
	if (table->prefix[column] && key.len > table->longest[column])
		key.len = table->longest[column];
	for (;; key.len--) {
		size_t first = bound(table, lo, hi, column, key, 0);
		size_t last = bound(table, first, hi, column, key, 1);

		if (first < last) {
			const struct table_row *row = find_in(
				table, first, last, column + 1, keys, day);

			if (row)
				return row;
		}
		if (!table->prefix[column] || !key.len)
			return NULL;
	}
}

const struct table_row *table_find(const struct table_data *table,
				   const struct value *keys, int64_t day) {
	return find_in(table, 0, table->n_rows, 0, keys, day);
}

/* One column of a table, as a rule reads it. */
struct reading {
	const struct table_data *table;
	size_t column;
	bool row_only; /* has(limits(region)) */
	bool as_of_event;
};

#define KEY_ROOM 32

/* Keys are compared as text; @room holds that of what is none. */
static bool key_text(struct value arg, char room[KEY_ROOM], struct value *ret) {
	int32_t year;
	unsigned month;
	unsigned day;
	int n;

	switch (arg.kind) {
	case KIND_STRING:
		*ret = arg;
		return true;
	case KIND_INT:
		n = snprintf(room, KEY_ROOM, "%lld", (long long)arg.i);
		break;
	case KIND_DATE:
		civil_from_days(arg.i, &year, &month, &day);
		n = snprintf(room, KEY_ROOM, "%04d-%02u-%02u", year, month,
			     day);
		break;
	case KIND_BOOL:
		n = snprintf(room, KEY_ROOM, "%s", arg.i ? "true" : "false");
		break;
	default:
		return false;
	}
	*ret = value_string(room, (uint32_t)n);
	return true;
}

static struct value read_table(const void *self,
			       const struct expr_context *context,
			       const struct value *args, unsigned n) {
	const struct reading *reading = self;
	const struct table_row *row;
	struct value keys[TABLE_MAX_KEYS];
	char room[TABLE_MAX_KEYS][KEY_ROOM];
	usec_t at = reading->as_of_event ? context->event_time : context->now;

	for (unsigned i = 0; i < n; i++) {
		if (value_is_missing(args[i]))
			return args[i];
		if (!key_text(args[i], room[i], &keys[i]))
			return value_missing(MISSING_ERROR);
	}
	row = table_find(
		reading->table, keys,
		reading->table->dated
			? zone_days(&reading->table->calendar->zone, at)
			: 0);
	if (!row)
		return value_missing(MISSING_ROW);
	if (reading->row_only)
		return value_bool(true);
	return row->cells[reading->column];
}

static int bad_key_type(struct diag *diag, struct place place,
			const struct table_data *table, size_t i,
			struct type type) {
	CLEANUP(buf_free) struct buf text = { 0 };

	type.optional = false;
	type_format(&text, type);
	return diag_at(diag, place, "E206",
		       "key `%s` of table `%s` cannot be %s", table->keys[i],
		       table->name, buf_cstr(&text));
}

bool is_of_event(unsigned deps) {
	return !(deps & ~(unsigned)(DEP_EVENT | DEP_TABLE | DEP_ROWS));
}

int table_call(struct expr_call *ret, struct arena *arena,
	       const struct table *table, const char *field,
	       const struct type *args, size_t n_args, struct place place,
	       struct diag *diag) {
	const struct table_data *data = table->index;
	struct reading *reading = arena_new(arena, struct reading);

	reading->table = data;
	if (n_args != data->n_keys)
		return diag_at(diag, place, "E205",
			       "table `%s` is looked up by %zu value%s, not "
			       "%zu",
			       data->name, data->n_keys,
			       data->n_keys == 1 ? "" : "s", n_args);
	for (size_t i = 0; i < n_args; i++)
		if (args[i].kind != KIND_STRING && args[i].kind != KIND_INT &&
		    args[i].kind != KIND_DATE && args[i].kind != KIND_BOOL &&
		    args[i].kind != KIND_DYN)
			return bad_key_type(diag, place, data, i, args[i]);
	reading->as_of_event = is_of_event(ret->deps);
	reading->row_only = !field;
	ret->type = (struct type){ .kind = KIND_BOOL };
	if (field) {
		size_t i = 0;

		while (i < data->n_fields && strcmp(data->fields[i], field))
			i++;
		if (i == data->n_fields)
			return shape_unknown(
				diag, place,
				arena_printf(arena, "table `%s` has no field",
					     data->name),
				field, data->fields, data->n_fields);
		reading->column = i;
		ret->type = data->types[i];
	}
	ret->type.optional = true;
	ret->deps |= DEP_TABLE;
	ret->fn = read_table;
	ret->self = reading;
	return 1;
}

/*** CSV ***/

struct csv {
	struct loader *l;
	const struct source *source;
	const char *at, *end;
	uint32_t line;
};

struct cell {
	const char *s;
	size_t len;
	struct place place;
};

static int csv_quoted(struct csv *csv, struct cell *cell) {
	CLEANUP(buf_free) struct buf text = { 0 };

	for (csv->at++; csv->at < csv->end; csv->at++) {
		if (*csv->at == '\n')
			csv->line++;
		if (*csv->at == '"') {
			if (csv->at + 1 == csv->end || csv->at[1] != '"')
				break;
			csv->at++;
		}
		buf_putc(&text, *csv->at);
	}
	if (csv->at == csv->end)
		return diag_at(csv->l->diag, cell->place, "E417",
			       "the quote that opens here is not closed");
	csv->at++;
	cell->s = arena_strndup(csv->l->arena, text.len ? text.data : "",
				text.len);
	cell->len = text.len;
	return 0;
}

static int csv_cell(struct csv *csv, const char *line, struct cell *cell) {
	*cell = (struct cell){
		.s = csv->at,
		.place = { .source = csv->source,
			   .line = csv->line,
			   .column = (uint32_t)utf8_length(
					     line, (size_t)(csv->at - line)) +
				     1 },
	};
	if (csv->at < csv->end && *csv->at == '"') {
		int r = csv_quoted(csv, cell);

		if (r < 0)
			return r;
		if (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n' &&
		    *csv->at != '\r')
			return diag_at(csv->l->diag, cell->place, "E417",
				       "something stands behind the closing "
				       "quote");
		return 0;
	}
	while (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n')
		csv->at++;
	cell->len = (size_t)(csv->at - cell->s);
	if (cell->len && cell->s[cell->len - 1] == '\r' &&
	    (csv->at == csv->end || *csv->at == '\n'))
		cell->len--;
	cell->place.width = (uint32_t)utf8_length(cell->s, cell->len);
	cell->s = arena_strndup(csv->l->arena, cell->s, cell->len);
	return 0;
}

/* 1: a row; 0: the end; -EINVAL after a complaint. */
static int csv_row(struct csv *csv, struct cell *cells, size_t *n) {
	const char *line;

	while (csv->at < csv->end) {
		const char *stop =
			memchr(csv->at, '\n', (size_t)(csv->end - csv->at));
		size_t len = (size_t)((stop ? stop : csv->end) - csv->at);

		if (len && *csv->at != '#' && !(len == 1 && *csv->at == '\r'))
			break;
		csv->at += len + (stop ? 1 : 0);
		csv->line++;
	}
	if (csv->at == csv->end)
		return 0;
	line = csv->at;
	for (*n = 0;;) {
		if (*n == MAX_COLUMNS)
			return diag_at(csv->l->diag, cells[0].place, "E413",
				       "more than %d columns", MAX_COLUMNS);
		if (csv_cell(csv, line, &cells[(*n)++]) < 0)
			return -EINVAL;
		while (csv->at < csv->end && *csv->at == '\r')
			csv->at++;
		if (csv->at == csv->end || *csv->at == '\n')
			break;
		csv->at++; /* the comma */
	}
	if (csv->at < csv->end)
		csv->at++;
	csv->line++;
	return 1;
}

/*** cells ***/

static int cell_error(struct loader *l, struct type type, const char *column,
		      const struct cell *cell) {
	CLEANUP(buf_free) struct buf text = { 0 };

	type.optional = false;
	type_format(&text, type);
	return diag_at(l->diag, cell->place, "E414",
		       "`%.*s` in column `%s` is not %s", (int)cell->len,
		       cell->s, column, buf_cstr(&text));
}

static int cell_scalar(struct type type, const char *s, size_t len,
		       const struct calendar *calendar, struct value *ret) {
	struct value value = { .kind = type.kind };
	double d;

	switch (type.kind) {
	case KIND_STRING:
		*ret = value_string(s, (uint32_t)len);
		for (uint32_t i = 0; i < type.n_names; i++)
			if (strlen(type.names[i]) == len &&
			    !memcmp(type.names[i], s, len))
				return 0;
		return type.n_names ? -EINVAL : 0;
	case KIND_INT:
		if (number_parse_plain(&value.i, s, len, 0) < 0)
			return -EINVAL;
		break;
	case KIND_MONEY:
		value.unit = type.unit;
		if (number_parse_plain(&value.i, s, len,
				       currency_digits(type.unit)) < 0)
			return -EINVAL;
		break;
	case KIND_DOUBLE:
		if (number_parse_double(&d, s, len) < 0)
			return -EINVAL;
		value.d = d;
		break;
	case KIND_BOOL:
		if (len == 4 && !memcmp(s, "true", 4))
			value.i = 1;
		else if (len != 5 || memcmp(s, "false", 5) != 0)
			return -EINVAL;
		break;
	case KIND_DATE:
		if (date_parse(&value.i, s, len) < 0)
			return -EINVAL;
		break;
	case KIND_TIMESTAMP:
		if (!date_parse(&value.i, s, len))
			value.i = zone_day_start(&calendar->zone, value.i);
		else if (time_parse_rfc3339(&value.i, s, len) < 0)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	*ret = value;
	return 0;
}

static int cell_list(struct loader *l, struct type type, const char *s,
		     size_t len, const struct calendar *calendar,
		     struct value *ret) {
	struct type item = { .kind = type.elem, .unit = type.unit };
	struct value *items;
	uint32_t n = len ? 1 : 0;
	uint32_t k = 0;

	for (size_t i = 0; i < len; i++)
		n += s[i] == '|';
	items = arena_array(l->arena, struct value, n);
	for (size_t from = 0; k < n; k++) {
		const char *bar = memchr(s + from, '|', len - from);
		size_t to = bar ? (size_t)(bar - s) : len;

		if (cell_scalar(item, s + from, to - from, calendar,
				&items[k]) < 0)
			return -EINVAL;
		from = to + 1;
	}
	*ret = (struct value){ .kind = KIND_LIST, .len = n, .list = items };
	return 0;
}

static int cell_value(struct loader *l, const struct table_data *table,
		      size_t field, const struct cell *cell,
		      struct value *ret) {
	struct type type = table->types[field];
	int r;

	if (!cell->len && type.optional) {
		*ret = value_missing(MISSING_FIELD);
		return 0;
	}
	r = type.kind == KIND_LIST ? cell_list(l, type, cell->s, cell->len,
					       table->calendar, ret)
				   : cell_scalar(type, cell->s, cell->len,
						 table->calendar, ret);
	if (r < 0)
		return cell_error(l, type, table->fields[field], cell);
	return 0;
}

static int cell_day(struct loader *l, const struct cell *cell,
		    const char *column, int64_t *ret) {
	if (!cell->len)
		return 0;
	if (date_parse(ret, cell->s, cell->len) < 0)
		return cell_error(l, (struct type){ .kind = KIND_DATE }, column,
				  cell);
	return 0;
}

/*** rows ***/

/* Which column of the file is which of the table; -1: not there. */
struct columns {
	int keys[TABLE_MAX_KEYS];
	int from, to;
	int fields[MAX_COLUMNS];
	size_t n;
};

static int find_column(const struct cell *cells, size_t n, const char *name) {
	for (size_t i = 0; i < n; i++)
		if (cells[i].len == strlen(name) &&
		    !memcmp(cells[i].s, name, cells[i].len))
			return (int)i;
	return -1;
}

static int need_column(struct loader *l, const struct cell *cells, size_t n,
		       const char *name, int *ret) {
	*ret = find_column(cells, n, name);
	if (*ret >= 0)
		return 0;
	return diag_at(l->diag, cells[0].place, "E412",
		       "the table lacks a column `%s`", name);
}

static int map_columns(struct loader *l, const struct table_data *table,
		       const struct cell *cells, size_t n,
		       struct columns *ret) {
	int r = 0;

	ret->n = n;
	for (size_t i = 0; i < table->n_keys; i++)
		r |= need_column(l, cells, n, table->keys[i], &ret->keys[i]);
	for (size_t i = 0; i < table->n_fields; i++)
		r |= need_column(l, cells, n, table->fields[i],
				 &ret->fields[i]);
	if (table->dated) {
		r |= need_column(l, cells, n, table->from, &ret->from);
		r |= need_column(l, cells, n, table->to, &ret->to);
	}
	return r ? -EINVAL : 0;
}

static struct value key_value(const struct table_data *table, size_t i,
			      const char *s, size_t len) {
	if (table->prefix[i] && len == 1 && *s == '*')
		len = 0;
	return value_string(s, (uint32_t)len);
}

static int take_row(struct loader *l, const struct table_data *table,
		    const struct columns *columns, const struct cell *cells,
		    struct table_row *row) {
	struct value *keys = arena_array(l->arena, struct value, table->n_keys);
	struct value *values =
		arena_array(l->arena, struct value, table->n_fields);
	int r = 0;

	*row = (struct table_row){
		.keys = keys,
		.cells = values,
		.from = INT64_MIN,
		.to = INT64_MAX,
		.line = cells[0].place.line,
	};
	for (size_t i = 0; i < table->n_keys; i++)
		keys[i] = key_value(table, i, cells[columns->keys[i]].s,
				    cells[columns->keys[i]].len);
	for (size_t i = 0; i < table->n_fields; i++)
		r |= cell_value(l, table, i, &cells[columns->fields[i]],
				&values[i]);
	if (table->dated) {
		r |= cell_day(l, &cells[columns->from], table->from,
			      &row->from);
		r |= cell_day(l, &cells[columns->to], table->to, &row->to);
		if (!r && row->from > row->to)
			r = diag_at(l->diag, cells[columns->to].place, "E415",
				    "the row ends before it begins");
	}
	return r ? -EINVAL : 0;
}

static int compare_rows(const void *a, const void *b, void *ctx) {
	const struct table_data *table = ctx;
	const struct table_row *x = a;
	const struct table_row *y = b;
	int r = 0;

	for (size_t i = 0; !r && i < table->n_keys; i++)
		r = compare_text(x->keys[i], y->keys[i]);
	if (!r)
		r = (x->from > y->from) - (x->from < y->from);
	return r ? r : (x->line > y->line) - (x->line < y->line);
}

static bool same_keys(const struct table_data *table, const struct table_row *a,
		      const struct table_row *b) {
	for (size_t i = 0; i < table->n_keys; i++)
		if (compare_text(a->keys[i], b->keys[i]))
			return false;
	return true;
}

/* @b begins on a day on which @a holds as well. */
static void overlap(struct loader *l, const struct table_data *table,
		    const struct source *source, const struct table_row *a,
		    const struct table_row *b) {
	struct place place = { .source = source, .line = b->line };
	CLEANUP(buf_free) struct buf day = { 0 };

	if (!table->dated) {
		diag_at(l->diag, place, "E416", "the key of line %u again",
			a->line);
		return;
	}
	if (b->from == INT64_MIN)
		buf_puts(&day, "the beginning");
	else
		date_format(&day, b->from);
	diag_at(l->diag, place, "E415",
		"overlaps line %u: the same key, and both valid on %s", a->line,
		buf_cstr(&day));
}

/* Each row is held against the one before it that holds for longest. */
static void check_overlaps(struct loader *l, const struct table_data *table,
			   const struct source *source) {
	const struct table_row *longest = table->rows;

	for (size_t i = 1; i < table->n_rows; i++) {
		const struct table_row *row = &table->rows[i];
		bool same = same_keys(table, longest, row);

		if (same && longest->to >= row->from)
			overlap(l, table, source, longest, row);
		if (!same || row->to > longest->to)
			longest = row;
	}
}

static void sort_rows(struct table_data *table) {
	if (table->n_rows)
		qsort_r(table->rows, table->n_rows, sizeof(*table->rows),
			compare_rows, table);
	for (size_t i = 0; i < table->n_rows; i++)
		for (size_t k = 0; k < table->n_keys; k++)
			if (table->rows[i].keys[k].len > table->longest[k])
				table->longest[k] = table->rows[i].keys[k].len;
}

static int read_rows(struct loader *l, struct table_data *table,
		     const struct source *source) {
	struct cell *cells = arena_array(l->arena, struct cell, MAX_COLUMNS);
	struct csv csv = {
		.l = l,
		.source = source,
		.at = source->text,
		.end = source->text + source->len,
		.line = 1,
	};
	struct columns columns = { 0 };
	size_t cap = 0;
	size_t n = 0;
	int r;

	if (source->len >= 3 && !memcmp(csv.at, "\xef\xbb\xbf", 3))
		csv.at += 3;
	r = csv_row(&csv, cells, &n);
	if (!r)
		return diag_at(l->diag, (struct place){ .source = source },
			       "E412", "the table has no header line");
	if (r < 0 || map_columns(l, table, cells, n, &columns) < 0)
		return -EINVAL;
	while ((r = csv_row(&csv, cells, &n)) > 0) {
		if (n != columns.n) {
			diag_at(l->diag,
				(struct place){ .source = source,
						.line = cells[0].place.line },
				"E413", "%zu columns, the header has %zu", n,
				columns.n);
			continue;
		}
		if (table->n_rows == cap) {
			struct table_row *rows;

			cap = cap ? 2 * cap : 16;
			rows = arena_array(l->arena, struct table_row, cap);
			if (table->n_rows)
				memcpy(rows, table->rows,
				       table->n_rows * sizeof(*rows));
			table->rows = rows;
		}
		if (!take_row(l, table, &columns, cells,
			      &table->rows[table->n_rows]))
			table->n_rows++;
	}
	sort_rows(table);
	check_overlaps(l, table, source);
	return r;
}

/*** rows of an inline test ***/

/* A copy: the rows may be of a set that is freed before this one. */
static struct cell yaml_cell(struct loader *l, const struct yaml_node *row,
			     const char *name) {
	const struct yaml_node *node = yaml_get(row, name);
	struct cell cell = { .s = "", .place = row->place };

	if (node && node->kind == YAML_SCALAR && !yaml_is_null(node)) {
		cell.s = arena_strndup(l->arena, node->text, node->len);
		cell.len = node->len;
		cell.place = node->place;
	}
	return cell;
}

static void check_row_keys(struct loader *l, const struct table_data *table,
			   const struct yaml_node *row) {
	for (size_t i = 0; i < row->n; i++) {
		const struct yaml_node *key = row->pairs[i].key;
		bool known = table->dated && (!strcmp(key->text, table->from) ||
					      !strcmp(key->text, table->to));

		for (size_t k = 0; k < table->n_keys; k++)
			known = known || !strcmp(key->text, table->keys[k]);
		for (size_t k = 0; k < table->n_fields; k++)
			known = known || !strcmp(key->text, table->fields[k]);
		if (!known)
			diag_at(l->diag, key->place, "E203",
				"table `%s` has no column `%s`", table->name,
				key->text);
	}
}

/* A field that the test leaves out is missing; a date is open. */
static int take_yaml_row(struct loader *l, const struct table_data *table,
			 const struct yaml_node *node, struct table_row *row) {
	struct value *keys = arena_array(l->arena, struct value, table->n_keys);
	struct value *values =
		arena_array(l->arena, struct value, table->n_fields);
	int r = shape_is(l->diag, node, YAML_MAP, "a row");

	if (r < 0)
		return r;
	*row = (struct table_row){ .keys = keys,
				   .cells = values,
				   .from = INT64_MIN,
				   .to = INT64_MAX,
				   .line = node->place.line };
	check_row_keys(l, table, node);
	for (size_t i = 0; i < table->n_keys; i++) {
		struct cell cell = yaml_cell(l, node, table->keys[i]);

		if (!yaml_get(node, table->keys[i]))
			r = diag_at(l->diag, node->place, "E112",
				    "a row of `%s` lacks `%s`", table->name,
				    table->keys[i]);
		keys[i] = key_value(table, i, cell.s, cell.len);
	}
	for (size_t i = 0; i < table->n_fields; i++) {
		struct cell cell = yaml_cell(l, node, table->fields[i]);

		values[i] = value_missing(MISSING_FIELD);
		if (yaml_get(node, table->fields[i]))
			r |= cell_value(l, table, i, &cell, &values[i]);
	}
	if (table->dated) {
		struct cell from = yaml_cell(l, node, table->from);
		struct cell to = yaml_cell(l, node, table->to);

		r |= cell_day(l, &from, table->from, &row->from);
		r |= cell_day(l, &to, table->to, &row->to);
	}
	return r ? -EINVAL : 0;
}

static void yaml_rows(struct loader *l, struct table_data *table,
		      const struct yaml_node *node) {
	if (shape_is(l->diag, node, YAML_LIST, table->name) < 0)
		return;
	table->rows = arena_array(l->arena, struct table_row, node->n);
	for (size_t i = 0; i < node->n; i++)
		if (!take_yaml_row(l, table, node->items[i],
				   &table->rows[table->n_rows]))
			table->n_rows++;
	sort_rows(table);
	check_overlaps(l, table, node->place.source);
}

static const struct yaml_node *
replaced(const struct loader *l, const struct package *p, const char *name) {
	const struct ruleset_options *options = l->options;

	for (size_t i = 0; options && i < options->n_rows; i++)
		if (!strcmp(options->rows[i].table, name) &&
		    !strcmp(options->rows[i].package, p->name))
			return options->rows[i].rows;
	return NULL;
}

void check_replaced(struct loader *l, const struct package *p) {
	const struct ruleset_options *options = l->options;

	for (size_t i = 0; options && i < options->n_rows; i++) {
		const struct table_rows *rows = &options->rows[i];
		const struct declared_table *declared =
			map_get(&p->tables, rows->table, strlen(rows->table));

		if (strcmp(rows->package, p->name) != 0)
			continue;
		if (declared && declared->table.registry)
			diag_at(l->diag, rows->rows->place, "E305",
				"table `%s` is filled by a stream: give events "
				"of that",
				rows->table);
		else if (!declared)
			shape_unknown(l->diag, rows->rows->place,
				      "there is no table", rows->table,
				      p->tables.keys, p->tables.n);
	}
}

/*** declarations ***/

static const struct shape_key table_keys[] = {
	{ "file", "text", NULL, "CSV beside the rules; this or `stream`" },
	{ "key", "text or [text]", "required",
	  "columns, or fields, by which a row is found; `region prefix`: the "
	  "longest that begins it" },
	{ "valid", "[text]", NULL,
	  "two columns, first and last day of a row: looked up as of the "
	  "event" },
	{ "fields", "{type} or [text]", NULL,
	  "what a row has: types of a file's columns, names of a stream's "
	  "fields" },
	{ "calendar", "text", "the only or `default`",
	  "whose days `valid` means" },
	{ "stream", "text", NULL,
	  "whose events are the rows, as of their time" },
	{ "where", "expression", "true", "which events of `stream` are rows" },
	{ "keep", "fixed", "what its rules look back on, at least 90d",
	  "how long an older row stays" },
	{ "max_rows", "1..4096", "64", "of one key of `stream`" },
	{ "max_keys", "1..100000000", "1000000",
	  "of `stream`; beyond it the oldest leave" },
	{ "measure", SHAPE_LATER },
	{ "from", SHAPE_LATER },
	{ "by", SHAPE_LATER },
	{ "window", SHAPE_LATER },
	{ "redis", SHAPE_LATER },
};
const struct shape table_shape = { "table", table_keys,
				   ARRAY_SIZE(table_keys) };

static int table_key(struct loader *l, struct table_data *table,
		     const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_LIST, "key") < 0)
		return -EINVAL;
	if (!node->n || node->n > TABLE_MAX_KEYS)
		return diag_at(l->diag, node->place, "E302",
			       "`key` names 1 to %d columns", TABLE_MAX_KEYS);
	table->keys = arena_array(l->arena, const char *, node->n);
	table->prefix = arena_array(l->arena, bool, node->n);
	table->longest = arena_array(l->arena, uint32_t, node->n);
	for (size_t i = 0; i < node->n; i++) {
		const char *text = NULL;
		const char *blank;

		if (shape_text(l->diag, node->items[i], "key", &text) < 0)
			return -EINVAL;
		blank = strchr(text, ' ');
		if (blank && strcmp(blank, " prefix") != 0)
			return diag_at(l->diag, node->items[i]->place, "E301",
				       "a key is a column, or a column and "
				       "`prefix`, not `%s`",
				       text);
		table->prefix[i] = blank;
		table->keys[i] = blank ? arena_strndup(l->arena, text,
						       (size_t)(blank - text))
				       : text;
	}
	table->n_keys = node->n;
	return 0;
}

static int table_valid(struct loader *l, struct table_data *table,
		       const struct yaml_node *node) {
	if (!node)
		return 0;
	if (shape_is(l->diag, node, YAML_LIST, "valid") < 0)
		return -EINVAL;
	if (node->n != 2)
		return diag_at(l->diag, node->place, "E302",
			       "`valid` names two columns: [from, to]");
	table->dated = true;
	if (shape_text(l->diag, node->items[0], "valid", &table->from) < 0)
		return -EINVAL;
	return shape_text(l->diag, node->items[1], "valid", &table->to);
}

static int table_fields(struct loader *l, struct table_data *table,
			const struct yaml_node *node) {
	int r = 0;

	if (!node || shape_is(l->diag, node, YAML_MAP, "fields") < 0)
		return -EINVAL;
	if (node->n > MAX_COLUMNS)
		return diag_at(l->diag, node->place, "E302",
			       "a table has at most %d fields", MAX_COLUMNS);
	table->fields = arena_array(l->arena, const char *, node->n);
	table->types = arena_array(l->arena, struct type, node->n);
	for (size_t i = 0; i < node->n; i++) {
		table->fields[i] = node->pairs[i].key->text;
		r |= parse_type(l, node->pairs[i].value, &table->types[i]);
	}
	table->n_fields = node->n;
	return r ? -EINVAL : 0;
}

static void hash_bytes(uint8_t ret[16], const void *bytes, size_t len) {
	struct hash128 hash = hash128(bytes, len, 0);

	memcpy(ret, &hash, sizeof(hash));
}

static struct content *
add_content(struct loader *l, const struct source *source, const char *name) {
	struct content *content = arena_new(l->arena, struct content);

	content->name = name;
	content->path = arena_strdup(l->arena, source->path);
	content->text = arena_strndup(l->arena, source->text, source->len);
	content->len = source->len;
	sha256(source->text, source->len, content->loaded);
	memcpy(content->sha256, content->loaded, sizeof(content->sha256));
	pointers_add(&l->contents, l->arena, content);
	return content;
}

static void table_content(struct loader *l, struct package *p,
			  struct declared_table *declared,
			  const struct yaml_node *file) {
	struct table_data *table = declared->table.index;
	const struct yaml_node *rows = replaced(l, p, table->name);
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct source *source;
	int r;

	if (rows) {
		yaml_rows(l, table, rows);
		yaml_write(&text, rows, 0);
		hash_bytes(declared->table.hash, text.data, text.len);
	} else {
		r = diag_source(l->diag, declared->table.path, &source);
		if (r < 0) {
			diag_at(l->diag, file->place, "E103", "%s: %s",
				declared->table.path, strerror(-r));
			return;
		}
		read_rows(l, table, source);
		hash_bytes(declared->table.hash, source->text, source->len);
		add_content(
			l, source,
			arena_printf(l->arena, "%s/%s", p->name, table->name))
			->table = &declared->table;
	}
	declared->table.n_rows = table->n_rows;
}

static int lacks(struct loader *l, const struct yaml_node *key,
		 const char *what, const char *name) {
	return diag_at(l->diag, key->place, "E112", "%s `%s` lacks `%s`", what,
		       key->text, name);
}

static void declare_table(struct loader *l, struct package *p,
			  const struct yaml_pair *pair) {
	static const char *const needed[] = { "file", "key", "fields" };
	static const char *const streams[] = { "where", "keep", "max_rows",
					       "max_keys" };
	struct declared_table *declared =
		arena_new(l->arena, struct declared_table);
	struct table_data *table = arena_new(l->arena, struct table_data);
	const struct yaml_node *node = pair->value;
	const char *file = NULL;
	int r = 0;

	if (shape_is(l->diag, node, YAML_MAP, pair->key->text) < 0)
		return;
	shape_keys(l->diag, node, "a table", table_keys,
		   ARRAY_SIZE(table_keys));
	declared->place = pair->key->place;
	declared->table.name = table->name = pair->key->text;
	declared->table.index = table;
	if (yaml_get(node, "stream")) {
		declare_registry(l, p, declared, node);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		if (yaml_get(node, streams[i]))
			diag_at(l->diag, yaml_get(node, streams[i])->place,
				"E305", "`%s` goes with `stream`", streams[i]);
	table->calendar = find_calendar(l, p, yaml_get(node, "calendar"),
					pair->key->place, "table");
	if (yaml_get(node, "measure"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!yaml_get(node, needed[i]))
			r = lacks(l, pair->key, "table", needed[i]);
	if (r < 0)
		return;
	r |= shape_text(l->diag, yaml_get(node, "file"), "file", &file);
	r |= table_key(l, table, yaml_get(node, "key"));
	r |= table_valid(l, table, yaml_get(node, "valid"));
	r |= table_fields(l, table, yaml_get(node, "fields"));
	map_put(&p->tables, l->arena, table->name, pair->key->len, declared);
	if (r || !table->calendar)
		return;
	declared->table.path = beside(l, node, file);
	table_content(l, p, declared, yaml_get(node, "file"));
	pointers_add(&l->tables, l->arena, declared);
}

void declare_tables(struct loader *l, struct package *p,
		    const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_MAP, "tables") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct declared_table *first =
			map_get(&p->tables, pair->key->text, pair->key->len);

		if (declare_new(l, &p->tables, "table", pair->key,
				first ? first->place : node->place))
			declare_table(l, p, pair);
	}
}

/*** lists ***/

struct list_data {
	struct value *items; /* strings, sorted */
	size_t n;
};

/* An item as it was written. */
struct list_item {
	struct value text;
	struct place place;
};

struct list_items {
	struct list_item *items;
	size_t n;
};

static const struct shape_key list_keys[] = {
	{ "file", "text", "required", "one item a line" },
	{ "redis", SHAPE_LATER },
	{ "refresh", SHAPE_LATER },
};
const struct shape list_shape = { "list", list_keys, ARRAY_SIZE(list_keys) };

bool list_contains(const struct list *list, struct value item) {
	const struct list_data *data = list->index;
	size_t lo = 0;
	size_t hi = data->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = compare_text(data->items[mid], item);

		if (!r)
			return true;
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static struct value read_list(const void *self,
			      const struct expr_context *context,
			      const struct value *args, unsigned n) {
	struct value item;
	char room[KEY_ROOM];

	(void)context, (void)n;
	if (value_is_missing(args[0]))
		return args[0];
	if (!key_text(args[0], room, &item))
		return value_missing(MISSING_ERROR);
	return value_bool(list_contains(self, item));
}

int list_call(struct expr_call *ret, const struct list *list,
	      const struct type *args, size_t n_args, struct place place,
	      struct diag *diag) {
	if (n_args != 1 ||
	    (args[0].kind != KIND_STRING && args[0].kind != KIND_INT &&
	     args[0].kind != KIND_DATE && args[0].kind != KIND_DYN))
		return diag_at(diag, place, "E206",
			       "a list holds texts: `x in lists.%s` needs a "
			       "string, an int or a date",
			       list->name);
	ret->type = (struct type){ .kind = KIND_BOOL,
				   .optional = args[0].optional };
	ret->fn = read_list;
	ret->self = list;
	return 1;
}

static int compare_items(const void *a, const void *b) {
	const struct list_item *x = a, *y = b;
	int r = compare_text(x->text, y->text);

	return r ? r
		 : (x->place.line > y->place.line) -
			       (x->place.line < y->place.line);
}

static void add_item(struct list_items *items, const char *s, size_t len,
		     struct place place) {
	items->items[items->n++] = (struct list_item){
		value_string(s, (uint32_t)len),
		place,
	};
}

static void list_lines(struct loader *l, struct list_items *items,
		       const struct source *source) {
	/* A copy, because a source lives as long as its diag only. */
	const char *at = arena_strndup(l->arena, source->text, source->len);
	const char *end = at + source->len;
	struct place place = { .source = source, .column = 1 };
	size_t lines = 1;

	for (const char *s = at; s < end; s++)
		lines += *s == '\n';
	items->items = arena_array(l->arena, struct list_item, lines);
	if (source->len >= 3 && !memcmp(at, "\xef\xbb\xbf", 3))
		at += 3;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const char *last = stop ? stop : end;
		const char *next = stop ? stop + 1 : end;

		place.line++;
		while (at < last && (*at == ' ' || *at == '\t'))
			at++;
		while (last > at && strchr(" \t\r", last[-1]))
			last--;
		place.width = (uint32_t)utf8_length(at, (size_t)(last - at));
		if (last > at && *at != '#')
			add_item(items, at, (size_t)(last - at), place);
		at = next;
	}
}

static void list_inline(struct loader *l, struct list_items *items,
			const struct yaml_node *node) {
	items->items = arena_array(l->arena, struct list_item, node->n);
	for (size_t i = 0; i < node->n; i++) {
		const char *text = NULL;

		if (!shape_text(l->diag, node->items[i], "an item", &text))
			add_item(items, text, strlen(text),
				 node->items[i]->place);
	}
}

static void list_again(struct loader *l, const struct list_item *first,
		       const struct list_item *again) {
	CLEANUP(buf_free) struct buf text = { 0 };

	value_format(&text, again->text);
	diag_at(l->diag, again->place, "W626",
		"`%s` is in the list already (line %u)", buf_cstr(&text),
		first->place.line);
}

/* Sorted, each once; what the list is, however its file was ordered. */
static void list_seal(struct loader *l, struct list *list,
		      struct list_items *items) {
	struct list_data *data = list->index;
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct list_item *last = NULL;

	data->items = arena_array(l->arena, struct value, items->n);
	if (items->n)
		qsort(items->items, items->n, sizeof(*items->items),
		      compare_items);
	for (size_t i = 0; i < items->n; i++) {
		const struct list_item *item = &items->items[i];

		if (last && !compare_text(last->text, item->text)) {
			list_again(l, last, item);
			continue;
		}
		last = item;
		data->items[data->n++] = item->text;
		buf_add(&text, item->text.s, item->text.len);
		buf_putc(&text, '\n');
	}
	list->n_items = data->n;
	hash_bytes(list->hash, text.len ? text.data : "", text.len);
}

static int list_file(struct loader *l, struct package *p, struct list *list,
		     struct list_items *items, const struct yaml_node *node) {
	const struct yaml_node *file = yaml_get(node, "file");
	const struct source *source;
	const char *path = NULL;
	int r;

	shape_keys(l->diag, node, "a list", list_keys, ARRAY_SIZE(list_keys));
	if (!file)
		return yaml_get(node, "redis")
			       ? -EINVAL
			       : diag_at(l->diag, node->place, "E112",
					 "list `%s` lacks `file`", list->name);
	if (shape_text(l->diag, file, "file", &path) < 0)
		return -EINVAL;
	list->path = beside(l, node, path);
	r = diag_source(l->diag, list->path, &source);
	if (r < 0)
		return diag_at(l->diag, file->place, "E103", "%s: %s",
			       list->path, strerror(-r));
	list_lines(l, items, source);
	add_content(l, source,
		    arena_printf(l->arena, "%s/lists.%s", p->name, list->name))
		->list = list;
	return 0;
}

static void declare_list(struct loader *l, struct package *p,
			 const struct yaml_pair *pair) {
	struct declared_list *declared =
		arena_new(l->arena, struct declared_list);
	struct list *list = &declared->list;
	const struct yaml_node *node = pair->value;
	struct list_items items = { 0 };

	declared->place = pair->key->place;
	list->name = pair->key->text;
	list->index = arena_new(l->arena, struct list_data);
	if (node->kind == YAML_LIST)
		list_inline(l, &items, node);
	else if (shape_is(l->diag, node, YAML_MAP, list->name) < 0)
		return;
	map_put(&p->lists, l->arena, list->name, pair->key->len, declared);
	if (node->kind == YAML_MAP && list_file(l, p, list, &items, node) < 0)
		return;
	list_seal(l, list, &items);
	pointers_add(&l->lists, l->arena, declared);
}

void declare_lists(struct loader *l, struct package *p,
		   const struct yaml_node *node) {
	if (!node || shape_is(l->diag, node, YAML_MAP, "lists") < 0)
		return;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct declared_list *first =
			map_get(&p->lists, pair->key->text, pair->key->len);

		if (declare_new(l, &p->lists, "list", pair->key,
				first ? first->place : node->place))
			declare_list(l, p, pair);
	}
}

/*** later contents ***/

static void refresh_table(struct loader *l, struct table *table,
			  const struct source *source, size_t errors) {
	struct table_data *data = table->index;
	struct table_data fresh = *data;

	fresh.rows = NULL;
	fresh.n_rows = 0;
	fresh.longest = arena_array(l->arena, uint32_t, data->n_keys);
	read_rows(l, &fresh, source);
	if (l->diag->n_errors > errors)
		return;
	*data = fresh;
	table->n_rows = fresh.n_rows;
	hash_bytes(table->hash, source->text, source->len);
}

static void refresh_list(struct loader *l, struct list *list,
			 const struct source *source) {
	struct list_data *data = list->index;
	struct list_items items = { 0 };

	data->n = 0;
	list_lines(l, &items, source);
	list_seal(l, list, &items);
}

int content_refresh(struct content *content, const char *text, size_t len,
		    struct diag *diag) {
	const struct source *source =
		diag_source_text(diag, content->path, text, len);
	struct arena arena = { 0 };
	struct loader l = { .arena = &arena, .diag = diag };
	size_t errors = diag->n_errors;

	if (content->table)
		refresh_table(&l, content->table, source, errors);
	else
		refresh_list(&l, content->list, source);
	if (diag->n_errors > errors) {
		arena_free(&arena);
		return -EINVAL;
	}
	arena_free(&content->arena);
	content->arena = arena;
	sha256(text, len, content->sha256);
	return 0;
}
