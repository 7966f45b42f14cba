/*
 * Walk: the second evaluator, for lists, maps, dyn and comprehensions.
 *
 * It goes by the kinds that the values have and asks no types. What it builds
 * lies on the scratch arena. A timestamp or duration that is finer than a
 * microsecond keeps the nanoseconds (0 to 999) in len; events have none.
 */
#include "expr/term.h"

#include "base/number.h"

#include <math.h>
#include <string.h>

#define KIND_MAP_VALUE ((enum kind)KIND_MAP)

/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z in seconds. */
#define TIME_MIN INT64_C(-62135596800)
#define TIME_MAX INT64_C(253402300799)

static struct value fail(void) {
	return value_missing(MISSING_ERROR);
}

bool run_spend(const struct run *run, size_t cost) {
	if (cost > *run->budget) {
		*run->budget = 0;
		return false;
	}
	*run->budget -= (uint32_t)cost;
	return true;
}

/*** comparing ***/

static int compare_doubles(double a, double b) {
	if (isnan(a) || isnan(b))
		return 2;
	return a < b ? -1 : a > b;
}

/*
 * An int beside a double becomes one: so CEL's suite has it, 2^63 - 1 and 2^63
 * being equal then.
 */
static int compare_mixed(int64_t i, double d) {
	return compare_doubles((double)i, d);
}

int number_compare(struct value a, struct value b) {
	int r;

	if (a.kind == KIND_INT && b.kind == KIND_INT)
		return a.i < b.i ? -1 : a.i > b.i;
	if (a.kind == KIND_DOUBLE && b.kind == KIND_DOUBLE)
		return compare_doubles(a.d, b.d);
	if (a.kind == KIND_INT)
		return compare_mixed(a.i, b.d);
	r = compare_mixed(b.i, a.d);
	return r == 2 ? 2 : -r;
}

static bool is_number(struct value v) {
	return v.kind == KIND_INT || v.kind == KIND_DOUBLE;
}

static bool equal_maps(struct value a, struct value b);

bool walk_equal(struct value a, struct value b) {
	if (is_number(a) && is_number(b))
		return number_compare(a, b) == 0;
	if (a.kind != b.kind)
		return false;
	switch ((int)a.kind) {
	case KIND_NULL:
		return true;
	case KIND_STRING:
		return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
	case KIND_MONEY:
		return a.unit == b.unit && a.i == b.i;
	case KIND_TIMESTAMP:
	case KIND_DURATION:
		return a.i == b.i && a.len == b.len;
	case KIND_LIST:
		if (a.len != b.len)
			return false;
		for (uint32_t i = 0; i < a.len; i++)
			if (!walk_equal(a.list[i], b.list[i]))
				return false;
		return true;
	case KIND_MAP:
		return equal_maps(a, b);
	case KIND_MISSING:
		return false;
	default:
		return a.i == b.i;
	}
}

/* The value of @key; NULL if the map has none. */
static const struct value *map_find(struct value map, struct value key) {
	for (uint32_t i = 0; i < map.len; i++)
		if (walk_equal(map.list[2 * i], key))
			return &map.list[2 * i + 1];
	return NULL;
}

static bool equal_maps(struct value a, struct value b) {
	const struct value *other;

	if (a.len != b.len)
		return false;
	for (uint32_t i = 0; i < a.len; i++) {
		other = map_find(b, a.list[2 * i]);
		if (!other || !walk_equal(a.list[2 * i + 1], *other))
			return false;
	}
	return true;
}

/* -1, 0, 1; 2: NaN, never true; 3: these have no order. */
static int order(struct value a, struct value b) {
	size_t len;
	int r;

	if (is_number(a) && is_number(b))
		return number_compare(a, b);
	if (a.kind != b.kind)
		return 3;
	switch ((int)a.kind) {
	case KIND_STRING:
		len = a.len < b.len ? a.len : b.len;
		r = len > 0 ? memcmp(a.s, b.s, len) : 0;
		if (r != 0)
			return r < 0 ? -1 : 1;
		return a.len < b.len ? -1 : a.len > b.len;
	case KIND_MONEY:
		if (a.unit != b.unit)
			return 3;
		return a.i < b.i ? -1 : a.i > b.i;
	case KIND_TIMESTAMP:
	case KIND_DURATION:
		if (a.i == b.i)
			return a.len < b.len ? -1 : a.len > b.len;
		return a.i < b.i ? -1 : 1;
	case KIND_BOOL:
	case KIND_DATE:
		return a.i < b.i ? -1 : a.i > b.i;
	default:
		return 3;
	}
}

static struct value compare(enum term_op op, struct value a, struct value b) {
	int r = order(a, b);

	if (r == 3)
		return fail();
	if (op == TERM_LT)
		return value_bool(r == -1);
	if (op == TERM_LE)
		return value_bool(r == -1 || r == 0);
	if (op == TERM_GT)
		return value_bool(r == 1);
	return value_bool(r == 1 || r == 0);
}

/*** sums ***/

static struct value whole(enum kind kind, i128 n) {
	if (!i64_fits(n))
		return value_missing(MISSING_OVERFLOW);
	return (struct value){ .kind = (uint8_t)kind, .i = (int64_t)n };
}

static struct value sum_ints(enum term_op op, int64_t a, int64_t b) {
	switch ((int)op) {
	case TERM_ADD:
		return whole(KIND_INT, (i128)a + b);
	case TERM_SUB:
		return whole(KIND_INT, (i128)a - b);
	case TERM_MUL:
		return whole(KIND_INT, (i128)a * b);
	default:
		break;
	}
	if (b == 0)
		return value_missing(MISSING_ZERO);
	if (b == -1) /* the one quotient that does not fit is a trap */
		return op == TERM_DIV ? whole(KIND_INT, -(i128)a)
				      : value_int(0);
	return value_int(op == TERM_DIV ? a / b : a % b);
}

static struct value sum_doubles(enum term_op op, double a, double b) {
	switch ((int)op) {
	case TERM_ADD:
		return value_double(a + b);
	case TERM_SUB:
		return value_double(a - b);
	case TERM_MUL:
		return value_double(a * b);
	case TERM_DIV:
		return value_double(a / b);
	default:
		return fail();
	}
}

static struct value sum_money(enum term_op op, struct value a, struct value b) {
	struct value ret;

	if (a.unit != b.unit)
		return fail();
	switch ((int)op) {
	case TERM_ADD:
		ret = whole(KIND_MONEY, (i128)a.i + b.i);
		break;
	case TERM_SUB:
		ret = whole(KIND_MONEY, (i128)a.i - b.i);
		break;
	case TERM_DIV:
		if (b.i == 0)
			return value_missing(MISSING_ZERO);
		return value_double(i128_ratio(a.i, b.i));
	default:
		return fail();
	}
	if (ret.kind == KIND_MONEY)
		ret.unit = a.unit;
	return ret;
}

static i128 nanoseconds(struct value v) {
	return (i128)v.i * 1000 + v.len;
}

static struct value from_nanoseconds(enum kind kind, i128 n) {
	i128 usec = n / 1000;
	int rest = (int)(n % 1000);
	struct value ret;

	if (rest < 0) {
		rest += 1000;
		usec--;
	}
	if (kind == KIND_TIMESTAMP &&
	    (usec < (i128)TIME_MIN * USEC_PER_SEC ||
	     usec >= ((i128)TIME_MAX + 1) * USEC_PER_SEC))
		return value_missing(MISSING_OVERFLOW);
	/* a duration is what 64 bits of nanoseconds hold, as CEL has it */
	if (kind == KIND_DURATION && !i64_fits(n))
		return value_missing(MISSING_OVERFLOW);
	ret = whole(kind, usec);
	ret.len = (uint32_t)rest;
	return ret;
}

static struct value sum_times(enum term_op op, struct value a, struct value b) {
	bool time = a.kind == KIND_TIMESTAMP || b.kind == KIND_TIMESTAMP;
	i128 x = nanoseconds(a), y = nanoseconds(b);

	if (op == TERM_ADD &&
	    !(a.kind == KIND_TIMESTAMP && b.kind == KIND_TIMESTAMP))
		return from_nanoseconds(time ? KIND_TIMESTAMP : KIND_DURATION,
					x + y);
	if (op != TERM_SUB || (a.kind == KIND_DURATION && time))
		return fail();
	return from_nanoseconds(b.kind == KIND_DURATION && time ? KIND_TIMESTAMP
								: KIND_DURATION,
				x - y);
}

static struct value sum_dates(enum term_op op, struct value a, struct value b) {
	i128 n;

	if (op == TERM_SUB && a.kind == KIND_DATE && b.kind == KIND_DATE)
		return value_int(a.i - b.i);
	if (a.kind != KIND_DATE || b.kind != KIND_INT ||
	    (op != TERM_ADD && op != TERM_SUB))
		return fail();
	n = op == TERM_ADD ? (i128)a.i + b.i : (i128)a.i - b.i;
	if (n < TIME_MIN / 86400 || n > TIME_MAX / 86400)
		return value_missing(MISSING_OVERFLOW);
	return value_date((int64_t)n);
}

static struct value join_strings(struct run *run, struct value a,
				 struct value b) {
	char *s;

	if (!run_spend(run, (size_t)a.len + b.len))
		return value_missing(MISSING_OVERFLOW);
	s = arena_alloc_raw(run->scratch, (size_t)a.len + b.len + 1, 1);
	memcpy(s, a.s, a.len);
	memcpy(s + a.len, b.s, b.len);
	s[a.len + b.len] = '\0';
	return value_string(s, a.len + b.len);
}

static struct value join_lists(struct run *run, struct value a,
			       struct value b) {
	struct value *items;

	if (!run_spend(run, ((size_t)a.len + b.len) * sizeof(*items)))
		return value_missing(MISSING_OVERFLOW);
	items = arena_array(run->scratch, struct value, a.len + b.len + 1);
	if (a.len > 0)
		memcpy(items, a.list, a.len * sizeof(*items));
	if (b.len > 0)
		memcpy(items + a.len, b.list, b.len * sizeof(*items));
	return (struct value){ .kind = KIND_LIST,
			       .len = a.len + b.len,
			       .list = items };
}

static bool is_time(struct value v) {
	return v.kind == KIND_TIMESTAMP || v.kind == KIND_DURATION;
}

static struct value sum(struct run *run, enum term_op op, struct value a,
			struct value b) {
	if (a.kind == KIND_INT && b.kind == KIND_INT)
		return sum_ints(op, a.i, b.i);
	if (a.kind == KIND_DOUBLE && b.kind == KIND_DOUBLE)
		return sum_doubles(op, a.d, b.d);
	if (a.kind == KIND_MONEY && b.kind == KIND_MONEY)
		return sum_money(op, a, b);
	if (op == TERM_MUL && b.kind == KIND_MONEY && is_number(a))
		return sum(run, op, b, a);
	if (op == TERM_MUL && a.kind == KIND_MONEY && b.kind == KIND_INT)
		return money_times_decimal(a, b.i, 0);
	if (op == TERM_MUL && a.kind == KIND_MONEY && b.kind == KIND_DOUBLE)
		return money_times_double(a, b.d);
	if (is_time(a) && is_time(b))
		return sum_times(op, a, b);
	if (a.kind == KIND_DATE || b.kind == KIND_DATE)
		return sum_dates(op, a, b);
	if (op == TERM_ADD && a.kind == KIND_STRING && b.kind == KIND_STRING)
		return join_strings(run, a, b);
	if (op == TERM_ADD && a.kind == KIND_LIST && b.kind == KIND_LIST)
		return join_lists(run, a, b);
	return fail();
}

static struct value contains(struct value item, struct value all) {
	if (all.kind == KIND_MAP_VALUE)
		return value_bool(map_find(all, item) != NULL);
	if (all.kind != KIND_LIST)
		return fail();
	for (uint32_t i = 0; i < all.len; i++)
		if (walk_equal(all.list[i], item))
			return value_bool(true);
	return value_bool(false);
}

struct value walk_binary(struct run *run, enum term_op op, struct value a,
			 struct value b) {
	if (a.kind == KIND_MISSING)
		return a;
	if (b.kind == KIND_MISSING)
		return b;
	switch ((int)op) {
	case TERM_EQ:
		return value_bool(walk_equal(a, b));
	case TERM_NE:
		return value_bool(!walk_equal(a, b));
	case TERM_LT:
	case TERM_LE:
	case TERM_GT:
	case TERM_GE:
		return compare(op, a, b);
	case TERM_IN:
		return contains(a, b);
	default:
		return sum(run, op, a, b);
	}
}

static struct value walk_not(struct value a) {
	if (a.kind == KIND_MISSING)
		return a;
	return a.kind == KIND_BOOL ? value_bool(!a.i) : fail();
}

static struct value walk_neg(struct value a) {
	struct value ret;

	if (a.kind == KIND_MISSING)
		return a;
	if (a.kind == KIND_DOUBLE)
		return value_double(-a.d);
	if (a.kind == KIND_DURATION)
		return from_nanoseconds(KIND_DURATION, -nanoseconds(a));
	if (a.kind != KIND_INT && a.kind != KIND_MONEY)
		return fail();
	ret = whole((enum kind)a.kind, -(i128)a.i);
	ret.unit = ret.kind == KIND_MONEY ? a.unit : 0;
	return ret;
}

/* What decides does so even beside an error; else the first error stays. */
static struct value logic(struct value a, struct value b, bool decides) {
	if ((a.kind == KIND_BOOL && (a.i != 0) == decides) ||
	    (b.kind == KIND_BOOL && (b.i != 0) == decides))
		return value_bool(decides);
	if (a.kind == KIND_MISSING)
		return a;
	if (a.kind != KIND_BOOL)
		return fail();
	if (b.kind == KIND_MISSING || b.kind == KIND_BOOL)
		return b;
	return fail();
}

static struct value walk_logic(struct run *run, const struct term *term) {
	bool decides = term->op == TERM_OR;
	struct value a = walk(run, term->args[0]);

	if (a.kind == KIND_BOOL && (a.i != 0) == decides)
		return a;
	return logic(a, walk(run, term->args[1]), decides);
}

static struct value walk_cond(struct run *run, const struct term *term) {
	struct value c = walk(run, term->args[0]);

	if (c.kind == KIND_MISSING)
		return c;
	if (c.kind != KIND_BOOL)
		return fail();
	return walk(run, term->args[c.i ? 1 : 2]);
}

/*** lists and maps ***/

static struct value walk_list(struct run *run, const struct term *term) {
	struct value *items;

	if (!run_spend(run, term->n * sizeof(*items)))
		return value_missing(MISSING_OVERFLOW);
	items = arena_array(run->scratch, struct value, term->n + 1);
	for (uint32_t i = 0; i < term->n; i++) {
		items[i] = walk(run, term->args[i]);
		if (items[i].kind == KIND_MISSING)
			return items[i];
	}
	return (struct value){
		.kind = term->op == TERM_LIST ? KIND_LIST : KIND_MAP,
		.len = term->op == TERM_LIST ? term->n : term->n / 2,
		.list = items
	};
}

static struct value walk_map(struct run *run, const struct term *term) {
	struct value map = walk_list(run, term);

	if (map.kind == KIND_MISSING)
		return map;
	for (uint32_t i = 0; i < map.len; i++) {
		struct value key = map.list[2 * i];
		struct value before = map;

		before.len = i;
		if ((key.kind != KIND_INT && key.kind != KIND_STRING &&
		     key.kind != KIND_BOOL) ||
		    map_find(before, key))
			return fail();
	}
	return map;
}

static struct value walk_index(struct value all, struct value at) {
	const struct value *found;

	if (all.kind == KIND_MISSING)
		return all;
	if (at.kind == KIND_MISSING)
		return at;
	if (all.kind == KIND_MAP_VALUE) {
		found = map_find(all, at);
		return found ? *found : fail();
	}
	if (at.kind == KIND_DOUBLE && at.d >= 0 && at.d < 0x1p31 &&
	    at.d == floor(at.d))
		at = value_int((int64_t)at.d);
	if (all.kind != KIND_LIST || at.kind != KIND_INT || at.i < 0 ||
	    at.i >= all.len)
		return fail();
	return all.list[at.i];
}

static struct value walk_select(struct run *run, const struct term *term) {
	struct value map = walk(run, term->args[0]);
	const struct value *found;

	if (map.kind == KIND_MISSING)
		return map;
	if (map.kind != KIND_MAP_VALUE)
		return fail();
	found = map_find(map, term->constant);
	if (term->op == TERM_HAS_KEY)
		return value_bool(found != NULL);
	return found ? *found : fail();
}

struct eaching {
	const struct term *term;
	struct value range;
	struct value found; /* the error so far, or the answer */
	struct value *items;
	uint32_t n;
	bool done;
};

static void each_quantify(struct eaching *e, struct value v) {
	bool decides = e->term->each == EACH_EXISTS;

	e->found = logic(e->found, v, decides);
	e->done = e->found.kind == KIND_BOOL && (e->found.i != 0) == decides;
}

static void each_error(struct eaching *e, struct value v) {
	e->found = v.kind == KIND_MISSING ? v : fail();
	e->done = true;
}

static void each_collect(struct run *run, struct eaching *e, uint32_t i,
			 struct value item) {
	const struct term *term = e->term;
	struct value v;

	if (term->args[1]) {
		v = walk(run, term->args[1]);
		if (v.kind != KIND_BOOL) {
			each_error(e, v);
			return;
		}
		if (!v.i)
			return;
	}
	v = walk(run, term->args[2]);
	if (term->each == EACH_FILTER) {
		if (v.kind != KIND_BOOL)
			each_error(e, v);
		else if (v.i)
			e->items[e->n++] = item;
		return;
	}
	if (v.kind == KIND_MISSING) {
		each_error(e, v);
		return;
	}
	if (term->each == EACH_MAP_VALUES)
		e->items[2 * e->n] = e->range.kind == KIND_LIST
					     ? value_int(i)
					     : e->range.list[2 * i];
	e->items[term->each == EACH_MAP_VALUES ? 2 * e->n + 1 : e->n] = v;
	e->n++;
}

static void each_step(struct run *run, struct eaching *e, uint32_t i) {
	const struct term *term = e->term;
	bool is_list = e->range.kind == KIND_LIST;
	struct value *vars = run->vars + term->slot;
	struct value item = is_list ? e->range.list[i] : e->range.list[2 * i];
	struct value v;

	vars[0] = item;
	if (term->two) {
		vars[0] = is_list ? value_int(i) : item;
		vars[1] = is_list ? item : e->range.list[2 * i + 1];
	}
	if (!run_spend(run, RUN_STEP)) {
		each_error(e, value_missing(MISSING_OVERFLOW));
		return;
	}
	switch ((enum each)term->each) {
	case EACH_ALL:
	case EACH_EXISTS:
		each_quantify(e, walk(run, term->args[2]));
		break;
	case EACH_ONE:
		v = walk(run, term->args[2]);
		if (v.kind != KIND_BOOL)
			each_error(e, v);
		else if (v.i)
			e->n++;
		break;
	case EACH_FILTER:
	case EACH_MAP:
	case EACH_MAP_VALUES:
		each_collect(run, e, i, item);
		break;
	}
}

static struct value walk_each(struct run *run, const struct term *term) {
	struct eaching e = { .term = term };

	e.range = walk(run, term->args[0]);
	if (e.range.kind == KIND_MISSING)
		return e.range;
	if (e.range.kind != KIND_LIST && e.range.kind != KIND_MAP_VALUE)
		return fail();
	e.found = value_bool(term->each == EACH_ALL);
	if (term->each >= EACH_FILTER &&
	    !run_spend(run, 2 * sizeof(struct value) * e.range.len))
		return value_missing(MISSING_OVERFLOW);
	if (term->each >= EACH_FILTER)
		e.items = arena_array(run->scratch, struct value,
				      2 * (size_t)e.range.len + 1);
	for (uint32_t i = 0; i < e.range.len && !e.done; i++)
		each_step(run, &e, i);
	if (term->each == EACH_ALL || term->each == EACH_EXISTS || e.done)
		return e.found;
	if (term->each == EACH_ONE)
		return value_bool(e.n == 1);
	return (struct value){ .kind = term->each == EACH_MAP_VALUES
					       ? KIND_MAP
					       : KIND_LIST,
			       .len = e.n,
			       .list = e.items };
}

/*** calls ***/

#define WALK_MAX_ARGS 40

static struct value walk_args(struct run *run, const struct term *term,
			      struct value *args) {
	for (uint32_t i = 0; i < term->n; i++) {
		args[i] = walk(run, term->args[i]);
		if (args[i].kind == KIND_MISSING)
			return args[i];
	}
	return value_bool(true);
}

static struct value walk_call(struct run *run, const struct term *term) {
	struct value args[WALK_MAX_ARGS] = { 0 };
	struct value bad = walk_args(run, term, args);
	uint8_t kinds[WALK_MAX_ARGS];
	const struct builtin *builtin = term->builtin;

	if (bad.kind == KIND_MISSING)
		return bad;
	run->zone = term->zone;
	if (term->op == TERM_CALL)
		return builtin->fn(run, args, term->n);
	for (uint32_t i = 0; i < term->n; i++)
		kinds[i] = args[i].kind;
	while (builtin && !builtin_takes(builtin, kinds, term->n))
		builtin = builtin_next(builtin);
	if (!builtin || ((builtin->flags & FN_CALENDAR) && !run->calendar))
		return fail();
	return builtin->fn(run, args, term->n);
}

static struct value walk_env(struct run *run, const struct term *term) {
	const struct expr_call *call = term->call;
	struct value args[WALK_MAX_ARGS] = { 0 };
	struct value bad;

	for (unsigned i = 0; i < call->n_hidden; i++)
		args[i] = run->frame[call->hidden[i]];
	bad = walk_args(run, term, args + call->n_hidden);
	if (bad.kind == KIND_MISSING)
		return bad;
	return call->fn(call->self, run->context, args,
			call->n_hidden + term->n);
}

struct value walk(struct run *run, const struct term *term) {
	struct value a;

	switch ((enum term_op)term->op) {
	case TERM_CONST:
		return term->constant;
	case TERM_SLOT:
		return run->frame[term->slot];
	case TERM_VAR:
		return run->vars[term->slot];
	case TERM_NOT:
		return walk_not(walk(run, term->args[0]));
	case TERM_NEG:
		return walk_neg(walk(run, term->args[0]));
	case TERM_AND:
	case TERM_OR:
		return walk_logic(run, term);
	case TERM_COND:
		return walk_cond(run, term);
	case TERM_HAS:
		a = walk(run, term->args[0]);
		return value_bool(a.kind != KIND_MISSING);
	case TERM_DEFAULT:
		a = walk(run, term->args[0]);
		return a.kind != KIND_MISSING ? a : walk(run, term->args[1]);
	case TERM_SCALE:
		a = walk(run, term->args[0]);
		if (a.kind == KIND_MISSING)
			return a;
		return money_times_decimal(a, term->constant.i, term->scale);
	case TERM_MATCH:
		a = walk(run, term->args[0]);
		if (a.kind == KIND_MISSING)
			return a;
		return a.kind == KIND_STRING ? regex_match(term->regex, a)
					     : fail();
	case TERM_CALL:
	case TERM_DISPATCH:
		return walk_call(run, term);
	case TERM_ENV:
		return walk_env(run, term);
	case TERM_LIST:
		return walk_list(run, term);
	case TERM_MAP:
		return walk_map(run, term);
	case TERM_INDEX:
		a = walk(run, term->args[0]);
		return walk_index(a, walk(run, term->args[1]));
	case TERM_SELECT:
	case TERM_HAS_KEY:
		return walk_select(run, term);
	case TERM_EACH:
		return walk_each(run, term);
	case TERM_ERROR:
		return fail();
	case TERM_ADD:
	case TERM_SUB:
	case TERM_MUL:
	case TERM_DIV:
	case TERM_MOD:
	case TERM_EQ:
	case TERM_NE:
	case TERM_LT:
	case TERM_LE:
	case TERM_GT:
	case TERM_GE:
	case TERM_IN:
		a = walk(run, term->args[0]);
		return walk_binary(run, (enum term_op)term->op, a,
				   walk(run, term->args[1]));
	}
	return fail();
}
