/*
 * Conformance: runs tests of expressions, one JSON object a line.
 *
 *   {"file": …, "section": …, "name": …, "expr": …,
 *    "bindings": {name: typed value}, "types": {name: type},
 *    "value": typed value, or "error": true or a text, "disable_check": true}
 *
 * A typed value is {"t": type, "v": value}; money has a "unit" besides, and a
 * missing value's v is its reason. Each test is run twice, as it would be in a
 * rule and by the second evaluator alone; it passes if both are right.
 */
#include "expr/expr.h"
#include "expr/given.h"
#include "expr/term.h"

#include "base/number.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EXCEPTIONS 256

struct exception {
	const char *name;
	bool met;
};

struct suite {
	struct arena eternal;
	struct exception exceptions[MAX_EXCEPTIONS];
	size_t n_exceptions;
	unsigned passed, failed, unlisted;
};

struct binding {
	const char *name;
	struct value value;
	struct type type;
};

struct test {
	struct arena *arena;
	struct binding bindings[16];
	size_t n_bindings;
	struct value frame[16];
	struct calendar calendar;
};

static bool is(struct value text, const char *s) {
	return text.kind == KIND_STRING && text.len == strlen(s) &&
	       memcmp(text.s, s, text.len) == 0;
}

static uint8_t kind_named(struct value name) {
	static const struct {
		const char *name;
		uint8_t kind;
	} kinds[] = {
		{ "null", KIND_NULL },     { "bool", KIND_BOOL },
		{ "int", KIND_INT },       { "double", KIND_DOUBLE },
		{ "string", KIND_STRING }, { "date", KIND_DATE },
		{ "money", KIND_MONEY },   { "list", KIND_LIST },
		{ "map", KIND_MAP },       { "missing", KIND_MISSING },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (is(name, kinds[i].name))
			return kinds[i].kind;
	fprintf(stderr, "unknown type %.*s\n", (int)name.len, name.s);
	exit(2);
}

static enum missing reason_named(struct value name) {
	for (int i = 0; i < MISSING_MAX; i++)
		if (is(name, missing_name((enum missing)i)))
			return (enum missing)i;
	return MISSING_ERROR;
}

static struct value typed(struct arena *arena, struct value json);

static struct value typed_items(struct arena *arena, struct value v,
				uint8_t kind) {
	unsigned each = kind == KIND_MAP ? 2 : 1;
	struct value *items =
		arena_array(arena, struct value, v.len * each + 1);

	for (uint32_t i = 0; i < v.len; i++) {
		if (kind == KIND_LIST) {
			items[i] = typed(arena, v.list[i]);
			continue;
		}
		items[2 * i] = typed(arena, v.list[i].list[0]);
		items[2 * i + 1] = typed(arena, v.list[i].list[1]);
	}
	return (struct value){ .kind = kind, .len = v.len, .list = items };
}

static double read_double(struct value v) {
	double d;

	if (is(v, "Infinity") || is(v, "inf"))
		return INFINITY;
	if (is(v, "-Infinity") || is(v, "-inf"))
		return -INFINITY;
	if (is(v, "NaN") || is(v, "nan"))
		return NAN;
	if (number_parse_double(&d, v.s, v.len) < 0) {
		fprintf(stderr, "not a double: %.*s\n", (int)v.len, v.s);
		exit(2);
	}
	return d;
}

static struct value typed_money(struct value v, struct value unit) {
	int currency = currency_find(unit.s, unit.len);
	int64_t minor = 0;

	assert(currency >= 0);
	if (number_parse_plain(&minor, v.s, v.len,
			       currency_digits((unsigned)currency)) < 0)
		exit(2);
	return value_money(minor, (uint16_t)currency);
}

static struct value typed(struct arena *arena, struct value json) {
	struct value v = given_member(json, "v");
	uint8_t kind = kind_named(given_member(json, "t"));
	struct value ret = { .kind = kind };

	switch ((int)kind) {
	case KIND_BOOL:
	case KIND_STRING:
		return v;
	case KIND_INT:
		if (number_parse_plain(&ret.i, v.s, v.len, 0) < 0)
			exit(2);
		return ret;
	case KIND_DATE:
		if (date_parse(&ret.i, v.s, v.len) < 0)
			exit(2);
		return ret;
	case KIND_DOUBLE:
		return value_double(read_double(v));
	case KIND_MONEY:
		return typed_money(v, given_member(json, "unit"));
	case KIND_MISSING:
		return value_missing(reason_named(v));
	case KIND_LIST:
	case KIND_MAP:
		return typed_items(arena, v, kind);
	default:
		return ret;
	}
}

/* The type of a binding that has no value: "int", "money(CNY)". */
static struct type type_named(struct value name) {
	struct value code;
	struct type type = { .optional = true };

	if (name.len == 10 && memcmp(name.s, "money(", 6) == 0) {
		type.kind = KIND_MONEY;
		code = value_string(name.s + 6, 3);
		type.unit = (uint16_t)currency_find(code.s, code.len);
	} else {
		type.kind = kind_named(name);
	}
	return type;
}

/* The same kind, the same value, the same sign of zero. */
static bool same(struct value a, struct value b) {
	if (a.kind != b.kind)
		return false;
	if (a.kind == KIND_MISSING)
		return a.reason == b.reason;
	if (a.kind == KIND_DOUBLE)
		return (isnan(a.d) && isnan(b.d)) ||
		       (a.d == b.d && signbit(a.d) == signbit(b.d));
	if (a.kind == KIND_LIST && a.len == b.len) {
		for (uint32_t i = 0; i < a.len; i++)
			if (!same(a.list[i], b.list[i]))
				return false;
		return true;
	}
	return walk_equal(a, b);
}

static int name_of_test(void *ctx, const char *const *path, size_t n,
			struct place place, struct expr_name *ret) {
	const struct test *test = ctx;
	char dotted[256];

	(void)place;
	for (size_t take = n; take > 0; take--) {
		dotted[0] = '\0';
		for (size_t i = 0; i < take; i++)
			snprintf(dotted + strlen(dotted),
				 sizeof(dotted) - strlen(dotted), "%s%s",
				 i > 0 ? "." : "", path[i]);
		for (size_t i = 0; i < test->n_bindings; i++) {
			if (strcmp(test->bindings[i].name, dotted) != 0)
				continue;
			*ret = (struct expr_name){
				.how = NAME_SLOT,
				.type = test->bindings[i].type,
				.slot = (uint16_t)i,
				.deps = DEP_NOW,
			};
			return (int)take;
		}
	}
	return 0;
}

static void bind(struct test *test, struct value json) {
	struct value all = given_member(json, "bindings");
	struct value types = given_member(json, "types");

	for (uint32_t i = 0; all.kind == KIND_MAP && i < all.len; i++) {
		struct binding *b = &test->bindings[test->n_bindings];

		assert(test->n_bindings < ARRAY_SIZE(test->bindings));
		b->name = all.list[2 * i].s;
		b->value = typed(test->arena, all.list[2 * i + 1]);
		b->type = value_type(b->value);
		if (b->value.kind == KIND_MISSING)
			b->type = type_named(given_member(types, b->name));
		test->frame[test->n_bindings++] = b->value;
	}
}

/* Compiles and evaluates; what does not compile is an error, too. */
static struct value run(struct test *test, struct value text, unsigned flags,
			struct diag *diag) {
	struct expr_env env = { .ctx = test,
				.name = name_of_test,
				.calendar = &test->calendar };
	struct expr_context context = { .scratch = test->arena };
	struct place place = { .line = 1, .column = 1 };
	struct expr_ast *ast;
	struct expr *expr;

	if (expr_parse(&ast, test->arena, text.s, text.len, place, diag) < 0 ||
	    expr_compile_as(&expr, test->arena, ast, &env, NULL, flags, diag) <
		    0)
		return value_missing(MISSING_ERROR);
	return expr_eval(expr, test->frame, &context);
}

static bool is_right(struct value json, struct arena *arena, struct value got) {
	if (given_member(json, "error").kind != KIND_MISSING)
		return got.kind == KIND_MISSING;
	return same(got, typed(arena, given_member(json, "value")));
}

static bool is_excepted(struct suite *suite, const char *name) {
	for (size_t i = 0; i < suite->n_exceptions; i++) {
		if (strcmp(suite->exceptions[i].name, name) == 0) {
			suite->exceptions[i].met = true;
			return true;
		}
	}
	return false;
}

static void report(const char *name, struct value text, struct value got,
		   const struct diag *diag) {
	CLEANUP(buf_free) struct buf out = { 0 };

	if (got.kind == KIND_MISSING)
		buf_printf(&out, "missing: %s",
			   missing_name((enum missing)got.reason));
	else
		value_format(&out, got);
	printf("FAILED %s\n  %.*s\n  gave %s\n", name, (int)text.len, text.s,
	       buf_cstr(&out));
	for (size_t i = 0; i < diag->n; i++)
		printf("  %s: %s\n", diag->items[i].code, diag->items[i].text);
}

static const char *full_name(struct arena *arena, struct value json) {
	struct value file = given_member(json, "file");
	struct value section = given_member(json, "section");
	struct value name = given_member(json, "name");

	return arena_printf(arena, "%.*s/%.*s/%.*s", (int)file.len, file.s,
			    (int)section.len, section.s, (int)name.len, name.s);
}

static void run_test(struct suite *suite, struct value json,
		     struct arena *arena) {
	unsigned lenient = value_is_true(given_member(json, "disable_check"))
				   ? EXPR_LENIENT
				   : 0;
	struct value text = given_member(json, "expr");
	const char *name = full_name(arena, json);
	struct diag diag = { 0 };
	struct test test = { .arena = arena };
	struct value got;
	bool right;

	if (calendar_init(&test.calendar, "default", "UTC", arena) < 0)
		exit(2);
	bind(&test, json);
	got = run(&test, text, lenient, &diag);
	right = is_right(json, arena, got);
	if (right) {
		got = run(&test, text, lenient | EXPR_WALK, &diag);
		right = is_right(json, arena, got);
	}
	if (right) {
		suite->passed++;
	} else {
		suite->failed++;
		if (!is_excepted(suite, name)) {
			suite->unlisted++;
			report(name, text, got, &diag);
		}
	}
	diag_free(&diag);
}

static int run_file(struct suite *suite, const char *path) {
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0, n = 0;
	ssize_t len;

	if (!file) {
		perror(path);
		return -1;
	}
	while ((len = getline(&line, &cap, file)) >= 0) {
		CLEANUP(arena_free) struct arena arena = { 0 };
		struct value json;

		while (len > 0 &&
		       (line[len - 1] == '\n' || line[len - 1] == '\r'))
			len--;
		n++;
		if (len == 0)
			continue;
		if (given_read(&json, &arena, line, (size_t)len) < 0) {
			fprintf(stderr, "%s:%zu: not JSON\n", path, n);
			exit(2);
		}
		if (given_member(json, "expr").kind == KIND_STRING)
			run_test(suite, json, &arena);
	}
	free(line);
	fclose(file);
	return 0;
}

/* `file/section/name<TAB>reason`, # begins a comment. */
static void read_exceptions(struct suite *suite, const char *path) {
	FILE *file = fopen(path, "re");
	char line[512];
	char *tab;

	if (!file) {
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof(line), file)) {
		tab = strchr(line, '\t');
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (!tab || suite->n_exceptions == MAX_EXCEPTIONS) {
			fprintf(stderr, "%s: an exception has no reason\n",
				path);
			exit(2);
		}
		suite->exceptions[suite->n_exceptions++].name = arena_strndup(
			&suite->eternal, line, (size_t)(tab - line));
	}
	fclose(file);
}

int main(int argc, char **argv) {
	static struct suite suite;

	if (argc < 3) {
		fprintf(stderr, "usage: %s EXCEPTIONS FILE…\n", argv[0]);
		return 2;
	}
	read_exceptions(&suite, argv[1]);
	for (int i = 2; i < argc; i++)
		if (run_file(&suite, argv[i]) < 0)
			return 2;
	if (suite.failed > suite.unlisted)
		printf("%u of the failures are listed in %s\n",
		       suite.failed - suite.unlisted, argv[1]);
	printf("%u passed, %u failed\n", suite.passed, suite.failed);
	arena_free(&suite.eternal);
	return suite.unlisted > 0;
}
