/*
 * Every expression of a dozen rules, as their authors write them, compiles to
 * a scalar program without a word.
 */
#include "expr/expr.h"

#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct known {
	const char *name;
	char letter; /* i d s b t, m: money(CNY), l: list(string) */
	const char *tree;
};

static const struct known names[] = {
	{ "state", 's', NULL },
	{ "method", 's', NULL },
	{ "total", 'm', NULL },
	{ "usual.mid", 'm', NULL },
	{ "year_ago.mid", 'm', NULL },
	{ "params.floor", 0, "200000" },
	{ "growth", 0, "ratio(total, usual.mid) - 1.0" },
	{ "bidders", 'i', NULL },
	{ "all", 'i', NULL },
	{ "wins", 'i', NULL },
	{ "run", 'i', NULL },
	{ "thin", 'i', NULL },
	{ "unit_price", 'm', NULL },
	{ "market.mid", 'm', NULL },
	{ "gap", 0, "1.0 - ratio(unit_price, market.mid)" },
	{ "econ_class", 's', NULL },
	{ "fund", 's', NULL },
	{ "region", 's', NULL },
	{ "category", 's', NULL },
	{ "uncompeted", 0, "method in ['single_source', 'direct']" },
	{ "amount", 'm', NULL },
	{ "limit", 0, "limits(region, category).open_tender" },
	{ "cnt", 'i', NULL },
	{ "near", 'i', NULL },
	{ "now", 't', NULL },
	{ "budget", 'm', NULL },
	{ "spent", 'm', NULL },
	{ "planned", 0,
	  "plan(fiscal_quarter(now)).before + plan(fiscal_quarter(now)).share "
	  "* workday_progress(now, 'quarter')" },
	{ "behind", 0, "planned - ratio(spent, budget)" },
	{ "ok.voucher_no", 's', NULL },
	{ "pay.voucher_no", 's', NULL },
	{ "ok.result", 's', NULL },
	{ "supplier", 's', NULL },
	{ "supplier_name", 's', NULL },
	{ "spread", 'd', NULL },
	{ "same", 'i', NULL },
	{ "b.mad", 'd', NULL },
	{ "a.price", 'm', NULL },
	{ "b.price", 'm', NULL },
	{ "won", 's', NULL },
	{ "a", 's', NULL },
	{ "wa", 'i', NULL },
	{ "wb", 'i', NULL },
	{ "lots", 'i', NULL },
	{ "valid", 'b', NULL },
};

static const struct known calls[] = {
	{ "usual.z", 'd', NULL },
	{ "market.z", 'd', NULL },
	{ "scope.classes", 'l', NULL },
	{ "scope.basis", 's', NULL },
	{ "limits.open_tender", 'm', NULL },
	{ "plan.before", 'd', NULL },
	{ "plan.share", 'd', NULL },
	{ "lists.watchlist.contains", 'b', NULL },
	{ "lists.watchlist.near", 'd', NULL },
	{ "peers_cv.lo", 'd', NULL },
	{ "fired", 'b', NULL },
	{ "entered", 'b', NULL },
};

struct context {
	struct arena arena;
	struct diag diag;
};

static struct type type_of(char letter) {
	struct type type = { 0 };

	switch (letter) {
	case 'i':
		type.kind = KIND_INT;
		break;
	case 'd':
		type.kind = KIND_DOUBLE;
		break;
	case 's':
		type.kind = KIND_STRING;
		break;
	case 'b':
		type.kind = KIND_BOOL;
		break;
	case 't':
		type.kind = KIND_TIMESTAMP;
		break;
	case 'm':
		type.kind = KIND_MONEY;
		type.unit = (uint16_t)currency_find("CNY", 3);
		break;
	default:
		type.kind = KIND_LIST;
		type.elem = KIND_STRING;
	}
	return type;
}

static const struct known *find(const struct known *all, size_t n_all,
				const char *const *path, size_t n,
				const char *field) {
	char dotted[128] = "";

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(dotted);

		snprintf(dotted + len, sizeof(dotted) - len, "%s%s",
			 i > 0 ? "." : "", path[i]);
	}
	if (field) {
		size_t len = strlen(dotted);

		snprintf(dotted + len, sizeof(dotted) - len, ".%s", field);
	}
	for (size_t i = 0; i < n_all; i++)
		if (strcmp(all[i].name, dotted) == 0)
			return &all[i];
	return NULL;
}

static int name(void *ctx, const char *const *path, size_t n,
		struct place place, struct expr_name *ret) {
	const struct known *known =
		find(names, ARRAY_SIZE(names), path, n, NULL);
	struct context *c = ctx;
	struct expr_ast *tree;

	if (!known)
		return 0;
	if (!known->tree) {
		*ret = (struct expr_name){
			.how = NAME_SLOT,
			.type = type_of(known->letter),
			.slot = (uint16_t)(known - names),
			.deps = DEP_EVENT,
		};
		return (int)n;
	}
	ret->how = NAME_TREE;
	if (strncmp(known->name, "params.", 7) == 0)
		tree = expr_literal(&c->arena, known->tree, strlen(known->tree),
				    false, place);
	else
		assert_int_equal(expr_parse(&tree, &c->arena, known->tree,
					    strlen(known->tree), place,
					    &c->diag),
				 0);
	ret->tree = tree;
	return (int)n;
}

static struct value nothing(const void *self,
			    const struct expr_context *context,
			    const struct value *args, unsigned n) {
	(void)self;
	(void)context;
	(void)args;
	(void)n;
	return value_missing(MISSING_ROW);
}

static int call(void *ctx, const char *const *path, size_t n, const char *field,
		const struct type *args, size_t n_args, struct place place,
		struct expr_call *ret) {
	const struct known *known =
		find(calls, ARRAY_SIZE(calls), path, n, field);

	(void)ctx;
	(void)args;
	(void)n_args;
	(void)place;
	if (!known)
		return 0;
	*ret = (struct expr_call){ .type = type_of(known->letter),
				   .fn = nothing };
	return 1;
}

static void compiles_what_a_dozen_rules_say(void **state) {
	static const struct {
		char want;
		const char *text;
	} cases[] = {
		{ 'b', "state in ['voided', 'reversed']" },
		{ 'd', "growth" },
		{ 'b', "total >= params.floor && growth > 0.5 && "
		       "(!has(year_ago.mid) || total > year_ago.mid * 1.5)" },
		{ 'b', "growth > 2.0 && usual.z(total) > 6.0" },
		{ 'b', "growth < 0.3" },
		{ 'b', "bidders <= 3" },
		{ 'b', "all >= 6 && wins >= 4 && ratio(wins, all) >= 0.6" },
		{ 'b', "run >= 5 || ratio(thin, wins) > 0.8" },
		{ 'b', "true" },
		{ 'b', "market.z(unit_price) < -3.5" },
		{ 'b', "gap > 0.5" },
		{ 's', "scope(fund).basis" },
		{ 'b', "!(econ_class in scope(fund).classes)" },
		{ 'm', "limit" },
		{ 'b', "uncompeted && amount < limit" },
		{ 'b', "amount >= limit * 0.8" },
		{ 'b', "cnt >= 3 && total >= limit" },
		{ 'b', "near >= 2" },
		{ 'd', "behind" },
		{ 'b', "budget >= wan(100) && behind > 0.10" },
		{ 'b', "amount >= params.floor" },
		{ 'b', "ok.voucher_no == pay.voucher_no && ok.result == "
		       "'approved'" },
		{ 'b', "supplier in lists.watchlist || "
		       "lists.watchlist.near(supplier_name) >= 0.92" },
		{ 'b', "cnt >= 4 && (spread < 0.02 || default(spread < "
		       "peers_cv.lo(1.5), false) || same >= 2)" },
		{ 'b', "cnt >= 500 && b.mad > 0.015" },
		{ 'd', "round(ratio(b.price, a.price), 2)" },
		{ 'b', "has(won)" },
		{ 'b', "won == a" },
		{ 'b', "lots >= 5 && ratio(greatest(wa, wb), lots) >= 0.8" },
		{ 'b', "least(wa, wb) == 0" },
		{ 'b', "fired('watchlist-supplier') && "
		       "fired('repeat-winner')" },
		{ 'b', "entered('red')" },
		{ 'b', "valid" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct context c = { 0 };
		struct calendar calendar;
		struct expr_env env = { .ctx = &c,
					.name = name,
					.call = call,
					.calendar = &calendar };
		struct type want = type_of(cases[i].want);
		struct place place = { .line = 1, .column = 1 };
		struct expr_ast *ast;
		struct expr *expr = NULL;

		assert_int_equal(
			calendar_init(&calendar, "cn", "UTC", &c.arena), 0);
		if (expr_parse(&ast, &c.arena, cases[i].text,
			       strlen(cases[i].text), place, &c.diag) == 0)
			expr_compile(&expr, &c.arena, ast, &env, &want,
				     &c.diag);
		if (c.diag.n > 0)
			print_error("of: %s\n%s\n", cases[i].text,
				    c.diag.items[0].text);
		assert_int_equal(c.diag.n, 0);
		assert_non_null(expr);
		assert_false(expr_is_dynamic(expr));
		diag_free(&c.diag);
		arena_free(&c.arena);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compiles_what_a_dozen_rules_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
