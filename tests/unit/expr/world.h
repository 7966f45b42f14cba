/*
 * World: what the names of these tests mean. One stream, some params and
 * macros, a table, a list and a baseline, as a rule would have them.
 */
#pragma once

#include "expr/term.h"

#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	SLOT_AMOUNT,
	SLOT_CNT,
	SLOT_GROWTH,
	SLOT_METHOD,
	SLOT_NAME,
	SLOT_NOTE,
	SLOT_PAID_AT,
	SLOT_DAY,
	SLOT_VALID,
	SLOT_TAGS,
	SLOT_DOLLARS,
	SLOT_MID,
	SLOT_NOW,
	SLOT_YEN,
	N_SLOTS
};

struct world {
	struct arena arena, scratch;
	struct diag diag;
	struct calendar calendar;
	struct expr_env env;
	struct value frame[N_SLOTS];
};

static const char *const world_methods[] = { "open", "direct",
					     "single_source" };

static struct type world_money(const char *code) {
	return (struct type){ .kind = KIND_MONEY,
			      .unit = (uint16_t)currency_find(code, 3) };
}

static inline struct expr_ast *world_tree(struct world *w, const char *text) {
	struct place place = { .line = 1, .column = 1 };
	struct expr_ast *ast = NULL;

	assert_int_equal(expr_parse(&ast, &w->arena, text, strlen(text), place,
				    &w->diag),
			 0);
	return ast;
}

static struct expr_ast *world_param(struct world *w, const char *text) {
	struct place place = { .line = 1, .column = 1 };

	return expr_literal(&w->arena, text, strlen(text), false, place);
}

static int world_name(void *ctx, const char *const *path, size_t n,
		      struct place place, struct expr_name *ret) {
	static const struct {
		const char *name;
		uint8_t kind;
		unsigned deps;
	} plain[N_SLOTS] = {
		[SLOT_AMOUNT] = { "amount", KIND_MONEY, DEP_EVENT },
		[SLOT_CNT] = { "cnt", KIND_INT, DEP_MEASURE },
		[SLOT_GROWTH] = { "growth", KIND_DOUBLE, DEP_MEASURE },
		[SLOT_METHOD] = { "method", KIND_STRING, DEP_EVENT },
		[SLOT_NAME] = { "name", KIND_STRING, DEP_EVENT },
		[SLOT_NOTE] = { "note", KIND_STRING, DEP_EVENT },
		[SLOT_PAID_AT] = { "paid_at", KIND_TIMESTAMP, DEP_EVENT },
		[SLOT_DAY] = { "day", KIND_DATE, DEP_EVENT },
		[SLOT_VALID] = { "valid", KIND_BOOL, DEP_EVENT },
		[SLOT_TAGS] = { "tags", KIND_LIST, DEP_EVENT },
		[SLOT_DOLLARS] = { "dollars", KIND_MONEY, DEP_EVENT },
		[SLOT_MID] = { "usual.mid", KIND_MONEY, DEP_BASELINE },
		[SLOT_NOW] = { "now", KIND_TIMESTAMP, DEP_NOW },
		[SLOT_YEN] = { "yen", KIND_MONEY, DEP_EVENT },
	};
	static const struct {
		const char *name, *text;
		bool is_literal;
	} trees[] = {
		{ "params.floor", "500000", true },
		{ "params.share", "0.8", true },
		{ "params.fine", "0.001", true },
		{ "uncompeted", "method in ['single_source', 'direct']",
		  false },
		{ "big", "amount > wan(50) || cnt > 10", false },
		{ "wrong", "amount + name", false },
		{ "circle", "ring + 1", false },
		{ "ring", "circle + 1", false },
		{ "twice", "amount * 2", false },
	};
	struct world *w = ctx;
	const char *dotted;

	(void)place;
	for (size_t take = n; take > 0; take--) {
		dotted = take == 2 ? arena_printf(&w->arena, "%s.%s", path[0],
						  path[1])
				   : path[0];
		if (take > 2)
			continue;
		for (uint16_t i = 0; i < N_SLOTS; i++) {
			if (strcmp(plain[i].name, dotted) != 0)
				continue;
			*ret = (struct expr_name){
				.how = NAME_SLOT,
				.type = { .kind = plain[i].kind },
				.slot = i,
				.deps = plain[i].deps,
			};
			if (plain[i].kind == KIND_MONEY)
				ret->type =
					world_money(i == SLOT_DOLLARS ? "USD"
						    : i == SLOT_YEN   ? "JPY"
								      : "CNY");
			if (i == SLOT_TAGS)
				ret->type.elem = KIND_STRING;
			if (i == SLOT_METHOD) {
				ret->type.names = world_methods;
				ret->type.n_names = ARRAY_SIZE(world_methods);
			}
			ret->type.optional = i == SLOT_NOTE || i == SLOT_MID;
			return (int)take;
		}
		for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
			if (strcmp(trees[i].name, dotted) != 0)
				continue;
			ret->how = NAME_TREE;
			ret->tree = trees[i].is_literal
					    ? world_param(w, trees[i].text)
					    : world_tree(w, trees[i].text);
			return (int)take;
		}
	}
	return 0;
}

static struct value world_limits(const void *self,
				 const struct expr_context *context,
				 const struct value *args, unsigned n) {
	(void)self;
	(void)context;
	assert_int_equal(n, 1);
	if (args[0].len == 2 && memcmp(args[0].s, "R1", 2) == 0)
		return value_money(50000000, (uint16_t)currency_find("CNY", 3));
	return value_missing(MISSING_ROW);
}

static struct value world_watch(const void *self,
				const struct expr_context *context,
				const struct value *args, unsigned n) {
	(void)self;
	(void)context;
	assert_int_equal(n, 1);
	return value_bool(args[0].len == 3 && memcmp(args[0].s, "bad", 3) == 0);
}

/* usual.z(x): the hidden argument is usual.mid. */
static struct value world_z(const void *self,
			    const struct expr_context *context,
			    const struct value *args, unsigned n) {
	(void)self;
	(void)context;
	assert_int_equal(n, 2);
	if (args[0].kind == KIND_MISSING)
		return value_missing(MISSING_YOUNG);
	return value_double((double)(args[1].i - args[0].i) / 100);
}

static int world_call(void *ctx, const char *const *path, size_t n,
		      const char *field, const struct type *args, size_t n_args,
		      struct place place, struct expr_call *ret) {
	(void)ctx;
	(void)args;
	(void)n_args;
	(void)place;
	if (n == 1 && strcmp(path[0], "limits") == 0) {
		*ret = (struct expr_call){ .type = world_money("CNY"),
					   .fn = world_limits,
					   .deps = DEP_TABLE };
		assert_true(!field || strcmp(field, "open_tender") == 0);
		ret->type.optional = true;
		return 1;
	}
	if (n == 3 && strcmp(path[0], "lists") == 0 &&
	    strcmp(path[1], "watch") == 0 && strcmp(path[2], "contains") == 0) {
		*ret = (struct expr_call){ .type = { .kind = KIND_BOOL },
					   .fn = world_watch };
		return 1;
	}
	if (n == 2 && strcmp(path[0], "usual") == 0 &&
	    strcmp(path[1], "z") == 0) {
		*ret = (struct expr_call){
			.type = { .kind = KIND_DOUBLE, .optional = true },
			.fn = world_z,
			.hidden = { SLOT_MID },
			.n_hidden = 1,
			.deps = DEP_BASELINE,
		};
		return 1;
	}
	return 0;
}

static const char *const *world_candidates(void *ctx) {
	static const char *const names[] = {
		"amount", "cnt",  "growth", "method", "name",
		"note",   "tags", "valid",  "limits", NULL,
	};

	(void)ctx;
	return names;
}

static inline struct value text_value(const char *s) {
	return value_string(s, (uint32_t)strlen(s));
}

static inline struct value cny(int64_t minor) {
	return value_money(minor, (uint16_t)currency_find("CNY", 3));
}

/* An order of 480,000.00 yuan on 2026-03-05, a Thursday. */
static inline void world_begin(struct world *w) {
	static const struct value tags[] = {
		{ .kind = KIND_STRING, .len = 1, .s = "a" },
		{ .kind = KIND_STRING, .len = 1, .s = "b" },
	};

	*w = (struct world){ 0 };
	assert_int_equal(
		calendar_init(&w->calendar, "cn", "Asia/Shanghai", &w->arena),
		0);
	w->env = (struct expr_env){
		.ctx = w,
		.name = world_name,
		.call = world_call,
		.candidates = world_candidates,
		.unknown = "stream `orders` has no field",
		.calendar = &w->calendar,
	};
	w->frame[SLOT_AMOUNT] = cny(48000000);
	w->frame[SLOT_CNT] = value_int(3);
	w->frame[SLOT_GROWTH] = value_double(0.75);
	w->frame[SLOT_METHOD] = text_value("direct");
	w->frame[SLOT_NAME] = text_value("R1");
	w->frame[SLOT_NOTE] = value_missing(MISSING_FIELD);
	w->frame[SLOT_PAID_AT] = value_time(INT64_C(1772640000000000));
	w->frame[SLOT_DAY] = value_date(20517);
	w->frame[SLOT_VALID] = value_bool(true);
	w->frame[SLOT_TAGS] =
		(struct value){ .kind = KIND_LIST, .len = 2, .list = tags };
	w->frame[SLOT_DOLLARS] =
		value_money(100, (uint16_t)currency_find("USD", 3));
	w->frame[SLOT_MID] = cny(30000000);
	w->frame[SLOT_NOW] = w->frame[SLOT_PAID_AT];
	w->frame[SLOT_YEN] =
		value_money(1000, (uint16_t)currency_find("JPY", 3));
}

static inline void world_end(struct world *w) {
	diag_free(&w->diag);
	arena_free(&w->arena);
	arena_free(&w->scratch);
}

/* NULL after complaints, which w->diag has. */
static inline struct expr *world_compile(struct world *w, const char *text,
					 unsigned flags) {
	const struct source *source =
		diag_source_text(&w->diag, "r.yaml", text, strlen(text));
	struct place place = { source, 1, 1, 1 };
	struct expr_ast *ast;
	struct expr *expr;

	if (expr_parse(&ast, &w->arena, text, strlen(text), place, &w->diag) <
		    0 ||
	    expr_compile_as(&expr, &w->arena, ast, &w->env, NULL, flags,
			    &w->diag) < 0)
		return NULL;
	return expr;
}

static inline struct value world_eval(struct world *w,
				      const struct expr *expr) {
	struct expr_context context = { .scratch = &w->scratch };

	return expr_eval(expr, w->frame, &context);
}
