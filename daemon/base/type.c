#include "base/type.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/calendar.h"
#include "base/number.h"
#include "base/util.h"

/* Integers up to here survive a reader whose numbers are all doubles. */
#define JSON_INT_MAX (INT64_C(1) << 53)

static const char *kind_name(uint8_t kind) {
	static const char *const names[] = {
		[KIND_MISSING] = "missing",   [KIND_NULL] = "null",
		[KIND_BOOL] = "bool",         [KIND_INT] = "int",
		[KIND_DOUBLE] = "double",     [KIND_STRING] = "string",
		[KIND_DATE] = "date",         [KIND_TIMESTAMP] = "timestamp",
		[KIND_DURATION] = "duration", [KIND_MONEY] = "money",
		[KIND_LIST] = "list",         [KIND_DYN] = "dyn",
		[KIND_MAP] = "map",
	};

	assert(kind < ARRAY_SIZE(names) && names[kind]);
	return names[kind];
}

static void format_kind(struct buf *out, uint8_t kind, uint16_t unit) {
	buf_puts(out, kind_name(kind));
	if (kind == KIND_MONEY)
		buf_printf(out, "(%s)", currency_code(unit));
}

void type_format(struct buf *out, struct type type) {
	if (type.kind == KIND_LIST) {
		buf_puts(out, "list(");
		format_kind(out, type.elem, type.unit);
		buf_putc(out, ')');
	} else if (type.kind == KIND_STRING && type.n_names) {
		for (uint32_t i = 0; i < type.n_names; i++)
			buf_printf(out, "%s%s", i ? ", " : "enum[",
				   type.names[i]);
		buf_putc(out, ']');
	} else {
		format_kind(out, type.kind, type.unit);
	}
	if (type.optional)
		buf_puts(out, " optional");
}

const char *missing_name(enum missing reason) {
	static const char *const names[] = {
		[MISSING_NONE] = "none",   [MISSING_FIELD] = "field",
		[MISSING_ZERO] = "zero",   [MISSING_EMPTY] = "empty",
		[MISSING_YOUNG] = "young", [MISSING_SPREAD] = "spread",
		[MISSING_ROW] = "row",     [MISSING_OVERFLOW] = "overflow",
		[MISSING_ALIAS] = "alias", [MISSING_PREVIOUS] = "previous",
		[MISSING_ERROR] = "error",
	};

	static_assert(ARRAY_SIZE(names) == MISSING_MAX, "each has a name");
	assert((size_t)reason < ARRAY_SIZE(names));
	return names[reason];
}

static void format_duration(struct buf *out, usec_t usec) {
	span_format(out, (struct span){ .unit = SPAN_FIXED, .n = usec });
}

void value_format(struct buf *out, struct value value) {
	switch (value.kind) {
	case KIND_NULL:
		buf_puts(out, "null");
		break;
	case KIND_BOOL:
		buf_puts(out, value.i ? "true" : "false");
		break;
	case KIND_INT:
		buf_int(out, value.i);
		break;
	case KIND_DOUBLE:
		buf_double(out, value.d);
		break;
	case KIND_STRING:
		buf_add(out, value.s, value.len);
		break;
	case KIND_DATE:
		date_format(out, value.i);
		break;
	case KIND_TIMESTAMP:
		time_format_rfc3339(out, value.i, NULL);
		break;
	case KIND_DURATION:
		format_duration(out, value.i);
		break;
	case KIND_MONEY:
		number_format(out, value.i, currency_digits(value.unit), false);
		break;
	case KIND_LIST:
		buf_putc(out, '[');
		for (uint32_t i = 0; i < value.len; i++) {
			buf_puts(out, i ? ", " : "");
			value_format(out, value.list[i]);
		}
		buf_putc(out, ']');
		break;
	default:
		buf_putc(out, '-');
	}
}

static void json_number(struct buf *out, struct value value) {
	if (value.kind == KIND_DOUBLE && isfinite(value.d))
		buf_double(out, value.d);
	else if (value.kind == KIND_DOUBLE)
		buf_puts(out, "null");
	else if (value.i >= -JSON_INT_MAX && value.i <= JSON_INT_MAX)
		buf_int(out, value.i);
	else
		buf_printf(out, "\"%lld\"", (long long)value.i);
}

void value_json(struct buf *out, struct value value, const struct zone *zone) {
	switch (value.kind) {
	case KIND_BOOL:
		value_format(out, value);
		break;
	case KIND_INT:
	case KIND_DOUBLE:
		json_number(out, value);
		break;
	case KIND_STRING:
		buf_json_string(out, value.s, value.len);
		break;
	case KIND_TIMESTAMP:
		buf_putc(out, '"');
		time_format_rfc3339(out, value.i, zone);
		buf_putc(out, '"');
		break;
	case KIND_DATE:
	case KIND_DURATION:
	case KIND_MONEY:
		buf_putc(out, '"');
		value_format(out, value);
		buf_putc(out, '"');
		break;
	case KIND_LIST:
		buf_putc(out, '[');
		for (uint32_t i = 0; i < value.len; i++) {
			if (i)
				buf_putc(out, ',');
			value_json(out, value.list[i], zone);
		}
		buf_putc(out, ']');
		break;
	default:
		buf_puts(out, "null");
	}
}

static int order(int64_t a, int64_t b) {
	return (a > b) - (a < b);
}

static int order_doubles(double a, double b) {
	if (isnan(a) || isnan(b))
		return !!isnan(a) - !!isnan(b);
	return (a > b) - (a < b);
}

static int order_strings(struct value a, struct value b) {
	uint32_t len = a.len < b.len ? a.len : b.len;
	int r = len ? memcmp(a.s, b.s, len) : 0;

	return r ? r : order(a.len, b.len);
}

static int order_lists(struct value a, struct value b) {
	for (uint32_t i = 0; i < a.len && i < b.len; i++) {
		int r = value_compare(a.list[i], b.list[i]);

		if (r)
			return r;
	}
	return order(a.len, b.len);
}

int value_compare(struct value a, struct value b) {
	if (a.kind != b.kind)
		return order(a.kind, b.kind);
	switch (a.kind) {
	case KIND_MISSING:
		return order(a.reason, b.reason);
	case KIND_NULL:
		return 0;
	case KIND_DOUBLE:
		return order_doubles(a.d, b.d);
	case KIND_STRING:
		return order_strings(a, b);
	case KIND_LIST:
		return order_lists(a, b);
	case KIND_MONEY:
		if (a.unit != b.unit)
			return order(a.unit, b.unit);
		return order(a.i, b.i);
	default:
		return order(a.i, b.i);
	}
}

bool value_equal(struct value a, struct value b) {
	return !value_compare(a, b);
}
