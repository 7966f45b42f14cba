/*
 * Bench: what an expression costs, once to compile and each time to evaluate.
 *
 * The best of several rounds, because what else the machine does can only add.
 */
#include "expr/expr.h"

#include "base/number.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { AMOUNT, LIMIT, CNT, TOTAL, METHOD, GROWTH, WINS, ALL, N_SLOTS };

static int name(void *ctx, const char *const *path, size_t n,
		struct place place, struct expr_name *ret) {
	static const char *const names[N_SLOTS] = {
		"amount", "limit",  "cnt",  "total",
		"method", "growth", "wins", "all",
	};
	static const uint8_t kinds[N_SLOTS] = {
		KIND_MONEY,  KIND_MONEY,  KIND_INT, KIND_MONEY,
		KIND_STRING, KIND_DOUBLE, KIND_INT, KIND_INT,
	};

	(void)ctx;
	(void)n;
	(void)place;
	for (uint16_t i = 0; i < N_SLOTS; i++) {
		if (strcmp(names[i], path[0]) != 0)
			continue;
		*ret = (struct expr_name){ .type = { .kind = kinds[i] },
					   .slot = i };
		if (kinds[i] == KIND_MONEY)
			ret->type.unit = (uint16_t)currency_find("CNY", 3);
		return 1;
	}
	return 0;
}

static double now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static struct expr *compile(struct arena *arena, const char *text) {
	struct expr_env env = { .name = name };
	struct place place = { .line = 1, .column = 1 };
	struct diag diag = { 0 };
	struct expr_ast *ast;
	struct expr *expr;

	assert(expr_parse(&ast, arena, text, strlen(text), place, &diag) == 0);
	assert(expr_compile(&expr, arena, ast, &env, NULL, &diag) == 0);
	assert(!expr_is_dynamic(expr));
	diag_free(&diag);
	return expr;
}

static double time_eval(const struct expr *expr, struct value *frame) {
	const int n = 200000;
	double best = 1e18;
	int64_t hits = 0;

	for (int round = 0; round < 15; round++) {
		double begin = now_ns(), took;

		for (int i = 0; i < n; i++) {
			frame[CNT].i = 3 + (i & 7);
			hits += expr_eval(expr, frame, NULL).i;
		}
		took = (now_ns() - begin) / n;
		best = took < best ? took : best;
	}
	assert(hits != 1); /* so that the loop is not for nothing */
	return best;
}

static double time_compile(const char *text) {
	const int n = 500;
	double best = 1e18;

	for (int round = 0; round < 15; round++) {
		struct arena arena = { 0 };
		double begin = now_ns(), took;

		for (int i = 0; i < n; i++) {
			compile(&arena, text);
			arena_reset(&arena);
		}
		took = (now_ns() - begin) / n;
		best = took < best ? took : best;
		arena_free(&arena);
	}
	return best;
}

int main(void) {
	static const char *const texts[] = {
		"amount < 500000",
		"cnt >= 3",
		"method == 'single_source'",
		"method in ['single_source', 'direct']",
		"amount >= limit * 0.8",
		"ratio(wins, all) >= 0.6",
		"cnt >= 3 && total >= limit && growth > 0.5 && amount < limit",
		"all >= 6 && wins >= 4 && ratio(wins, all) >= 0.6 && "
		"method in ['single_source', 'direct']",
	};
	uint16_t yuan = (uint16_t)currency_find("CNY", 3);
	struct value frame[N_SLOTS] = {
		[AMOUNT] = value_money(46000000, yuan),
		[LIMIT] = value_money(50000000, yuan),
		[CNT] = value_int(3),
		[TOTAL] = value_money(97000000, yuan),
		[METHOD] = value_string("direct", 6),
		[GROWTH] = value_double(0.75),
		[WINS] = value_int(5),
		[ALL] = value_int(7),
	};
	struct arena arena = { 0 };

	printf("%8s %11s  %s\n", "eval ns", "compile us", "expression");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		printf("%8.1f %11.2f  %s\n",
		       time_eval(compile(&arena, texts[i]), frame),
		       time_compile(texts[i]) / 1000, texts[i]);
	arena_free(&arena);
	return 0;
}
