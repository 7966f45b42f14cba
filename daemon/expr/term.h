/*
 * Term: an expression after the check, names put in place, types known.
 *
 * Both evaluators begin here. A scalar program is generated from the terms
 * (code.c) and run by run.c; what needs lists, maps or dyn is walked as it is
 * (walk.c). Constants are folded, money literals are in minor units already.
 */
#pragma once

#include "expr/ast.h"
#include "expr/expr.h"

enum term_op {
	TERM_NOT, /* the operators in the order of enum operator_kind */
	TERM_NEG,
	TERM_ADD,
	TERM_SUB,
	TERM_MUL,
	TERM_DIV,
	TERM_MOD,
	TERM_EQ,
	TERM_NE,
	TERM_LT,
	TERM_LE,
	TERM_GT,
	TERM_GE,
	TERM_IN,
	TERM_AND,
	TERM_OR,
	TERM_COND,
	TERM_CONST,
	TERM_SLOT,
	TERM_VAR, /* of a comprehension: slot is its number */
	TERM_HAS,
	TERM_HAS_KEY, /* args[0] is a map, constant the key */
	TERM_DEFAULT,
	TERM_SCALE,    /* money × a decimal: see struct term.scale */
	TERM_CALL,     /* builtin */
	TERM_DISPATCH, /* builtins of one name, chosen by the values */
	TERM_MATCH,    /* a pattern that was compiled */
	TERM_ENV,
	TERM_LIST,
	TERM_MAP,
	TERM_INDEX,
	TERM_SELECT, /* args[0] is a map, constant the key */
	TERM_EACH,   /* comprehension */
	TERM_ERROR   /* unknown, where that was allowed */
};

enum each {
	EACH_ALL,
	EACH_EXISTS,
	EACH_ONE,
	EACH_FILTER,
	EACH_MAP, /* args[1] filter or NULL, args[2] result */
	EACH_MAP_VALUES
};

struct run;
struct regex;

#define FN_METHOD 1
#define FN_ALLOC 2 /* makes its result on the scratch arena */
#define FN_CALENDAR 4
#define FN_WORKDAYS 8 /* counts business days */

/*
 * A function of the language. @args: one letter an argument, b i d s D t u m l
 * M as below, n: int or double, N: money as well, T: D or t, x: anything; a
 * last `*` repeats the letter before it. @ret: a letter, 1: the first
 * argument's type, e: its item's type. Of those that share a name, the first
 * says what they do: @help in a few words, @example an expression that is true.
 */
struct builtin {
	const char *name;
	const char *args;
	char ret;
	uint8_t flags;
	struct value (*fn)(const struct run *run, const struct value *args,
			   unsigned n);
	const char *help, *example;
};

struct term {
	uint8_t op;   /* enum term_op */
	uint8_t each; /* enum each */
	bool two;     /* of TERM_EACH: index and item, or key and value */
	bool dynamic; /* this or something below needs the second evaluator */
	uint16_t slot;
	uint16_t scale; /* TERM_SCALE: money × constant.i ÷ 10^scale */
	unsigned deps;
	uint32_t n;
	struct type type;
	struct value constant;
	struct term **args;
	const char *exact; /* decimal text, if it may still become money */
	const struct builtin *builtin; /* of TERM_DISPATCH: the first */
	const struct regex *regex;
	const struct expr_call *call;
	const struct zone *zone;
	const struct expr_ast *ast; /* where it was written */
	const struct node *node;
};

/* What an evaluation has at hand. */
#define RUN_MAX_VARS 32
struct run {
	const struct value *frame;
	const struct expr_context *context;
	const struct calendar *calendar;
	struct arena *scratch;
	struct value *vars;
	const struct zone *zone; /* of a getter that names one */
	uint32_t *budget;        /* what is left for run_spend() */
};

struct expr {
	const struct term *root;
	const struct insn *code; /* NULL if dynamic */
	const struct value *constants;
	const struct site *sites;
	uint32_t n_code;
	struct type type;
	unsigned deps;
	bool dynamic;
	const uint16_t *slots;
	size_t n_slots;
	enum mask mask;
	const char *text;
	const struct calendar *calendar;
};

/*
 * EXPR_LENIENT leaves what the check would refuse to the evaluation (CEL calls
 * it disable_check); EXPR_WALK makes every program dynamic. For tests.
 */
#define EXPR_LENIENT 1u
#define EXPR_WALK 2u
int expr_compile_as(struct expr **ret, struct arena *arena,
		    const struct expr_ast *ast, const struct expr_env *env,
		    const struct type *want, unsigned flags, struct diag *diag);

/* check.c: NULL after complaints. */
struct term *term_check(struct arena *arena, const struct expr_ast *ast,
			const struct expr_env *env, const struct type *want,
			unsigned flags, struct diag *diag);
/* What is known of a value that is there. */
struct type value_type(struct value value);
/* print.c: 'text' with escapes. */
void expr_print_string(struct buf *out, const char *s, size_t len);
/* code.c */
struct expr *expr_from_term(struct arena *arena, const struct term *term,
			    const struct expr_env *env, unsigned flags);
/* run.c */
struct value run_code(const struct expr *expr, const struct value *frame,
		      const struct expr_context *context);
/*
 * What one evaluation may cost at most: bytes that it makes, and 64 for each
 * step of a comprehension. Counted, not timed or measured, so that it ends at
 * the same place everywhere.
 */
#define RUN_BUDGET 4000000
#define RUN_STEP 64
/* walk.c: false when there is no more. */
bool run_spend(const struct run *run, size_t cost);
struct value walk(struct run *run, const struct term *term);
struct value walk_binary(struct run *run, enum term_op op, struct value a,
			 struct value b);
bool walk_equal(struct value a, struct value b);
/* -1, 0, 1; 2 if one is NaN: int and double as CEL compares them. */
int number_compare(struct value a, struct value b);

/*
 * check.c: what looks like a function and sees its arguments as they are
 * written. A macro has @n arguments behind what it goes through, the first one
 * or two of them names; texts as those of a builtin.
 */
struct checker;
struct form {
	const char *name;
	struct term *(*check)(struct checker *c, const struct node *node);
	const char *help, *example;
};
extern const struct form forms[];
extern const size_t n_forms;

struct macro {
	const char *name;
	enum each each;
	uint32_t n;
	bool two;
	const char *help, *example;
};
extern const struct macro macros[];
extern const size_t n_macros;

/* functions.c */
const struct builtin *builtin_find(const char *name, bool method);
/* The first of each name and way of calling, in the order of the table. */
void builtins_each(void (*each)(void *context, const struct builtin *first),
		   void *context);
/* The next of the same name, or NULL. */
const struct builtin *builtin_next(const struct builtin *builtin);
bool builtin_takes(const struct builtin *builtin, const uint8_t *kinds,
		   size_t n);
const char *builtin_nearest(const char *name, bool method);
struct value money_times_double(struct value money, double d);
struct value money_times_decimal(struct value money, int64_t mantissa,
				 unsigned scale);

/* regex.c: compiled on the ruleset's arena. NULL: @error says why. */
struct regex *regex_compile(struct arena *arena, const char *pattern,
			    size_t len, char *error, size_t error_size);
struct value regex_match(const struct regex *regex, struct value s);

/* times.c: a time zone's name or "+08:00"; a period's name. */
bool zone_find(struct zone *ret, struct value name, struct arena *arena);
bool unit_find(struct value name, enum calendar_unit *ret);

/* strings.c, times.c: the functions that functions.c lists. */
#define BUILTIN(name)                                                          \
	struct value name(const struct run *run, const struct value *args,     \
			  unsigned n)
