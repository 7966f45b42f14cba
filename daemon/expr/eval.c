/*
 * Eval: one expression, given by hand, with what it is given.
 */
#include "expr/expr.h"

#include "expr/functions.h"
#include "expr/given.h"

#include "base/number.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int given_name(void *ctx, const char *const *path, size_t n,
		      struct place place, struct expr_name *ret) {
	const struct value *given = ctx;
	struct value value = given_member(*given, path[0]);

	(void)n;
	(void)place;
	if (value.kind == KIND_MISSING)
		return 0;
	*ret = (struct expr_name){ .how = NAME_CONST,
				   .type = value_type(value),
				   .constant = value };
	return 1;
}

static void put_value(struct buf *out, struct value v);

static void put_items(struct buf *out, struct value v) {
	bool is_map = v.kind == KIND_MAP;

	buf_putc(out, is_map ? '{' : '[');
	for (uint32_t i = 0; i < v.len; i++) {
		buf_puts(out, i > 0 ? ", " : "");
		put_value(out, v.list[is_map ? 2 * i : i]);
		if (is_map) {
			buf_puts(out, ": ");
			put_value(out, v.list[2 * i + 1]);
		}
	}
	buf_putc(out, is_map ? '}' : ']');
}

/* As CEL would write it, so that a text is told from a number. */
static void put_value(struct buf *out, struct value v) {
	switch ((int)v.kind) {
	case KIND_NULL:
		buf_puts(out, "null");
		break;
	case KIND_LIST:
	case KIND_MAP:
		put_items(out, v);
		break;
	case KIND_STRING:
		expr_print_string(out, v.s, v.len);
		break;
	case KIND_TIMESTAMP:
		time_put(out, v);
		break;
	case KIND_DURATION:
		duration_put(out, v);
		break;
	case KIND_DOUBLE:
		buf_double(out, v.d);
		/* 2.0 is no int */
		if (isfinite(v.d) && v.d == trunc(v.d) && fabs(v.d) < 1e15)
			buf_puts(out, ".0");
		break;
	default:
		value_format(out, v);
	}
}

int expr_eval_text(const char *text, size_t len, const char *given_json,
		   size_t given_len, struct buf *out, struct diag *diag) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	struct value given = { .kind = KIND_MAP };
	struct calendar calendar;
	struct expr_env env = { .ctx = &given, .name = given_name };
	struct expr_context context = { .scratch = &arena };
	const struct source *source =
		diag_source_text(diag, "expression", text, len);
	struct place place = { source, 1, 1, 1 };
	struct expr_ast *ast;
	struct expr *expr;
	struct value value;
	int r;

	if (given_json && given_read(&given, &arena, given_json, given_len) < 0)
		return diag_at(diag, place, "E201",
			       "what is given is not JSON");
	if (calendar_init(&calendar, "default", "UTC", &arena) == 0)
		env.calendar = &calendar;
	r = expr_parse(&ast, &arena, text, len, place, diag);
	if (r < 0)
		return r;
	r = expr_compile(&expr, &arena, ast, &env, NULL, diag);
	if (r < 0)
		return r;
	value = expr_eval(expr, NULL, &context);
	if (value.kind == KIND_MISSING) {
		buf_printf(out, "missing: %s", missing_name(value.reason));
		return 1;
	}
	put_value(out, value);
	buf_puts(out, " : ");
	type_format(out, value_type(value));
	return 0;
}

void expr_prefetch(const struct expr *expr) {
	__builtin_prefetch(expr->code);
	__builtin_prefetch(expr->constants);
}
