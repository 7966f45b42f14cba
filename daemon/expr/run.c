/*
 * Run: scalar programs, without memory of its own and without a loop but over
 * constants. The kinds were checked at load, so an operand is either what the
 * instruction expects or missing.
 */
#include "expr/code.h"

#include "base/number.h"

#include <assert.h>
#include <string.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)

static inline int compare_strings(const struct value *a,
				  const struct value *b) {
	uint32_t len = a->len < b->len ? a->len : b->len;
	int r = len > 0 ? memcmp(a->s, b->s, len) : 0;

	if (r != 0)
		return r;
	return a->len < b->len ? -1 : a->len > b->len;
}

static inline bool equal_strings(const struct value *a, const struct value *b) {
	return a->len == b->len &&
	       (a->len == 0 || memcmp(a->s, b->s, a->len) == 0);
}

static bool in_ints(int64_t i, const struct value *list) {
	for (uint32_t k = 0; k < list->len; k++)
		if (list->list[k].i == i)
			return true;
	return false;
}

static bool in_strings(const struct value *s, const struct value *list) {
	for (uint32_t k = 0; k < list->len; k++)
		if (equal_strings(s, &list->list[k]))
			return true;
	return false;
}

static struct value missing_of(const struct value *a, const struct value *b) {
	return a->kind == KIND_MISSING ? *a : *b;
}

/* The reason that came first stays. */
static void note_missing(struct value *ret, const struct value *a,
			 const struct value *b) {
	if (ret->kind != KIND_MISSING)
		*ret = missing_of(a, b);
}

static struct value run_call(const struct expr *expr, const struct site *site,
			     const struct value *args,
			     const struct value *frame,
			     const struct expr_context *context) {
	struct run run = { .frame = frame,
			   .context = context,
			   .calendar = expr->calendar,
			   .zone = site->zone,
			   .scratch = context ? context->scratch : NULL };

	for (uint32_t i = 0; i < site->n; i++)
		if (args[i].kind == KIND_MISSING)
			return args[i];
	return site->builtin->fn(&run, args, site->n);
}

static struct value run_env(const struct site *site, const struct value *args,
			    const struct expr_context *context) {
	unsigned hidden = site->call->n_hidden;

	for (uint32_t i = 0; i < site->n; i++)
		if (args[hidden + i].kind == KIND_MISSING)
			return args[hidden + i];
	return site->call->fn(site->call->self, context, args,
			      hidden + site->n);
}

static struct value run_index(const struct value *list,
			      const struct value *at) {
	if (at->i < 0 || at->i >= list->len)
		return value_missing(MISSING_ERROR);
	return list->list[at->i];
}

#define OPERANDS                                                               \
	a = &bank[insn->a >> BANK_SHIFT][insn->a & BANK_MASK];                 \
	b = &bank[insn->b >> BANK_SHIFT][insn->b & BANK_MASK]
#define ONE_OPERAND a = &bank[insn->a >> BANK_SHIFT][insn->a & BANK_MASK]
#define BOTH_THERE LIKELY(a->kind != KIND_MISSING && b->kind != KIND_MISSING)
#define NEXT                                                                   \
	do {                                                                   \
		insn++;                                                        \
		goto *labels[insn->op];                                        \
	} while (0)
#define JUMP_TO(target)                                                        \
	do {                                                                   \
		insn = expr->code + (target);                                  \
		goto *labels[insn->op];                                        \
	} while (0)

#define BINARY_OP(name, result)                                                \
	L_##name : OPERANDS;                                                   \
	temps[insn->dst] = BOTH_THERE ? (result) : missing_of(a, b);           \
	NEXT;

/* A comparison that is a clause: what decides jumps, else nothing is stored. */
#define CLAUSE_OP(name, result, decides)                                       \
	L_##name : OPERANDS;                                                   \
	if (!BOTH_THERE)                                                       \
		note_missing(&temps[insn->dst], a, b);                         \
	else if ((result) == (decides)) {                                      \
		temps[insn->dst] = value_bool(decides);                        \
		JUMP_TO(insn[1].b);                                            \
	}                                                                      \
	insn++;                                                                \
	NEXT;

#define COMPARISON(name, result)                                               \
	BINARY_OP(name, value_bool(result))                                    \
	CLAUSE_OP(name##_ALL, result, false)                                   \
	CLAUSE_OP(name##_ANY, result, true)

#define COMPARISONS(suffix, EQ, NE, LT, LE, GT, GE)                            \
	COMPARISON(EQ_##suffix, EQ)                                            \
	COMPARISON(NE_##suffix, NE)                                            \
	COMPARISON(LT_##suffix, LT)                                            \
	COMPARISON(LE_##suffix, LE)                                            \
	COMPARISON(GT_##suffix, GT)                                            \
	COMPARISON(GE_##suffix, GE)

/* The kind and unit of the sum are the left side's, checked at load. */
#define CHECKED(builtin_overflow)                                              \
	do {                                                                   \
		OPERANDS;                                                      \
		t = *a;                                                        \
		if (!BOTH_THERE)                                               \
			t = missing_of(a, b);                                  \
		else if (builtin_overflow(a->i, b->i, &t.i))                   \
			t = value_missing(MISSING_OVERFLOW);                   \
		temps[insn->dst] = t;                                          \
	} while (0)

static struct value divide(int64_t a, int64_t b, bool modulo) {
	if (b == 0)
		return value_missing(MISSING_ZERO);
	if (b == -1) { /* the one quotient that does not fit is a trap */
		if (modulo)
			return value_int(0);
		if (a == INT64_MIN)
			return value_missing(MISSING_OVERFLOW);
		return value_int(-a);
	}
	return value_int(modulo ? a % b : a / b);
}

/* Doubles hold up to 2^53 exactly, and the machine's division is correct. */
static struct value ratio_money(int64_t a, int64_t b) {
	const int64_t exact = INT64_C(1) << 53;

	if (b == 0)
		return value_missing(MISSING_ZERO);
	if (LIKELY(a > -exact && a < exact && b > -exact && b < exact))
		return value_double((double)a / (double)b);
	return value_double(i128_ratio(a, b));
}

struct value run_code(const struct expr *expr, const struct value *frame,
		      const struct expr_context *context) {
	static const void *const labels[] = {
#define X(name) &&L_##name,
		CODE_OPS(X)
#undef X
	};
	struct value temps[CODE_MAX_TEMPS];
	const struct value *const bank[3] = { frame, expr->constants, temps };
	const struct insn *insn = expr->code;
	const struct value *a, *b;
	const struct site *site;
	struct value t;

	goto *labels[insn->op];

L_RETURN:
	ONE_OPERAND;
	return *a;
L_MOVE:
	ONE_OPERAND;
	temps[insn->dst] = *a;
	NEXT;
L_JUMP:
	JUMP_TO(insn->b);
L_FALSE_JUMP:
	ONE_OPERAND;
	if (!a->i)
		JUMP_TO(insn->b);
	NEXT;
L_MISSING_JUMP:
	ONE_OPERAND;
	temps[insn->dst] = *a;
	if (a->kind == KIND_MISSING)
		JUMP_TO(insn->b);
	NEXT;
L_FOUND_JUMP:
	ONE_OPERAND;
	temps[insn->dst] = *a;
	if (a->kind != KIND_MISSING)
		JUMP_TO(insn->b);
	NEXT;
L_ALL:
	ONE_OPERAND;
	if (a->kind == KIND_MISSING)
		note_missing(&temps[insn->dst], a, a);
	else if (!a->i) {
		temps[insn->dst] = value_bool(false);
		JUMP_TO(insn->b);
	}
	NEXT;
L_ANY:
	ONE_OPERAND;
	if (a->kind == KIND_MISSING)
		note_missing(&temps[insn->dst], a, a);
	else if (a->i) {
		temps[insn->dst] = value_bool(true);
		JUMP_TO(insn->b);
	}
	NEXT;
L_NOT:
	ONE_OPERAND;
	t = *a;
	if (LIKELY(t.kind != KIND_MISSING))
		t.i = !t.i;
	temps[insn->dst] = t;
	NEXT;
L_HAS:
	ONE_OPERAND;
	temps[insn->dst] = value_bool(a->kind != KIND_MISSING);
	NEXT;
L_NEG_I:
	ONE_OPERAND;
	t = *a;
	if (t.kind != KIND_MISSING && __builtin_sub_overflow(0, a->i, &t.i))
		t = value_missing(MISSING_OVERFLOW);
	temps[insn->dst] = t;
	NEXT;
L_NEG_D:
	ONE_OPERAND;
	t = *a;
	if (t.kind != KIND_MISSING)
		t.d = -t.d;
	temps[insn->dst] = t;
	NEXT;
L_ADD_I:
	CHECKED(__builtin_add_overflow);
	NEXT;
L_SUB_I:
	CHECKED(__builtin_sub_overflow);
	NEXT;
L_MUL_I:
	CHECKED(__builtin_mul_overflow);
	NEXT;

	BINARY_OP(DIV_I, divide(a->i, b->i, false))
	BINARY_OP(MOD_I, divide(a->i, b->i, true))
	BINARY_OP(ADD_D, value_double(a->d + b->d))
	BINARY_OP(SUB_D, value_double(a->d - b->d))
	BINARY_OP(MUL_D, value_double(a->d * b->d))
	BINARY_OP(DIV_D, value_double(a->d / b->d))
	BINARY_OP(RATIO, ratio_money(a->i, b->i))
	BINARY_OP(RATIO_D, b->d == 0 ? value_missing(MISSING_ZERO)
				     : value_double(a->d / b->d))
	BINARY_OP(MUL_M, b->kind == KIND_INT ? money_times_decimal(*a, b->i, 0)
					     : money_times_double(*a, b->d))
	COMPARISONS(I, a->i == b->i, a->i != b->i,
		    a->i<b->i, a->i <= b->i, a->i> b->i, a->i >= b->i)
	COMPARISONS(D, a->d == b->d, a->d != b->d,
		    a->d<b->d, a->d <= b->d, a->d> b->d, a->d >= b->d)
	COMPARISONS(S, equal_strings(a, b), !equal_strings(a, b),
		    compare_strings(a, b) < 0, compare_strings(a, b) <= 0,
		    compare_strings(a, b) > 0, compare_strings(a, b) >= 0)
	/* 2 is NaN, which is neither less nor greater nor equal */
	COMPARISONS(N, number_compare(*a, *b) == 0, number_compare(*a, *b) != 0,
		    number_compare(*a, *b) == -1, number_compare(*a, *b) <= 0,
		    number_compare(*a, *b) == 1,
		    (unsigned)number_compare(*a, *b) <= 1)
	BINARY_OP(IN_I, value_bool(in_ints(a->i, b)))
	BINARY_OP(IN_S, value_bool(in_strings(a, b)))
	BINARY_OP(IN, walk_binary(NULL, TERM_IN, *a, *b))
	BINARY_OP(INDEX, run_index(a, b))

L_SCALE:
	ONE_OPERAND;
	site = &expr->sites[insn->b];
	temps[insn->dst] =
		a->kind == KIND_MISSING
			? *a
			: money_times_decimal(*a, site->mantissa, site->scale);
	NEXT;
L_BINARY: /* both are temporaries in a row */
	ONE_OPERAND;
	site = &expr->sites[insn->b];
	temps[insn->dst] = walk_binary(NULL, site->op, a[0], a[1]);
	NEXT;
L_MATCH:
	ONE_OPERAND;
	site = &expr->sites[insn->b];
	temps[insn->dst] =
		a->kind == KIND_MISSING ? *a : regex_match(site->regex, *a);
	NEXT;
L_CALL:
	ONE_OPERAND;
	temps[insn->dst] =
		run_call(expr, &expr->sites[insn->b], a, frame, context);
	NEXT;
L_ENV:
	ONE_OPERAND;
	temps[insn->dst] = run_env(&expr->sites[insn->b], a, context);
	NEXT;
}
