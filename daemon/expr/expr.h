/*
 * Expr: CEL with money, missing values and the names of a rule.
 *
 * Text becomes a tree (expr_parse), the tree is checked against an environment
 * and becomes a program (expr_compile). A scalar program is typed register
 * bytecode that reads a frame of values and never allocates; what needs lists
 * built at run time, maps, dyn or comprehensions runs in a second evaluator on
 * the scratch arena (expr_is_dynamic says so).
 *
 * An expression never fails at run time: it is missing, with the reason, as
 * CEL's errors travel. && and || take an error on one side if the other
 * decides.
 */
#pragma once

#include "base/arena.h"
#include "base/calendar.h"
#include "base/diag.h"
#include "base/type.h"
#include "event/schema.h"

struct expr_ast;
struct expr;

/* From where a value comes, so from when on it can be computed. */
enum expr_dep {
	DEP_EVENT = 1,    /* fields of the event that is folded */
	DEP_NOW = 2,      /* the key's clock */
	DEP_MEASURE = 4,  /* aggregates of the window */
	DEP_BASELINE = 8, /* past periods */
	DEP_PREV = 16,    /* fields of the key's event before */
	DEP_TABLE = 32,   /* rows as of the context's time */
	DEP_ROWS = 64     /* … that came by a stream: expr_context.state */
};

/* What calls read that changes from event to event; expr only carries it. */
struct expr_state;

struct expr_context {
	usec_t now;        /* tables as of now: what needs now, a measure … */
	usec_t event_time; /* tables as of the event: what needs only it */
	struct arena *scratch; /* for the second evaluator; batch lifetime */
	const struct expr_state *state; /* NULL: none */
};

/* What a dotted name stands for. */
struct expr_name {
	enum { NAME_SLOT, NAME_CONST, NAME_TREE } how;
	struct type type;
	uint16_t slot;         /* NAME_SLOT: index into the frame */
	struct value constant; /* NAME_CONST */
	const struct expr_ast
		*tree; /* NAME_TREE: put in place (let, macro, param) */
	unsigned deps;
};

/*
 * What a call that the language does not know itself stands for. fn is called
 * only when nothing that was written is missing; what is hidden may be.
 */
struct expr_call {
	struct type type;
	struct value (*fn)(const void *self, const struct expr_context *context,
			   const struct value *args, unsigned n);
	const void *self;
	/*
	 * In: what the arguments depend on. Out: the call's own sources too. A
	 * table whose arguments need only the event is read as of its time.
	 */
	unsigned deps;
	enum mask mask; /* of what it gives */
	/* In: the arguments that are constants; others are missing here. */
	const struct value *constants;
	/* Frame slots that are put before the arguments that were written. */
	uint16_t hidden[4];
	unsigned n_hidden;
};

/*
 * What the names mean. Both functions return 1 when they know the name (for
 * name(): how many segments of the path it took), 0 when they do not (then
 * expr complains, with a hint from candidates()), or -EINVAL after a complaint
 * of their own.
 */
struct expr_env {
	void *ctx;
	/* `amount`, `pay.amount`, `usual.mid`, `params.floor`, `now`. */
	int (*name)(void *ctx, const char *const *path, size_t n,
		    struct place place, struct expr_name *ret);
	/*
	 * Asked before the language's own methods, so `name.startsWith('a')`
	 * comes here too, as {name, startsWith}: return 0 for it.
	 * `limits(region, category).open_tender` is path {limits}, field
	 * open_tender; `usual.z(total)` is path {usual, z}, field NULL;
	 * `x in lists.watchlist` is path {lists, watchlist, contains}.
	 */
	int (*call)(void *ctx, const char *const *path, size_t n,
		    const char *field, const struct type *args, size_t n_args,
		    struct place place, struct expr_call *ret);
	/* Names to suggest from; NULL-terminated; may be NULL. */
	const char *const *(*candidates)(void *ctx);
	/* What an unknown name is called: "stream `orders` has no field". */
	const char *unknown;
	const struct calendar *calendar; /* for date functions; may be NULL */
	bool *counts_workdays; /* set if a program does; may be NULL */
};

/* @place is where the text begins in its file (YAML quotes accounted for). */
int expr_parse(struct expr_ast **ret, struct arena *arena, const char *text,
	       size_t len, struct place place, struct diag *diag);
/* @want is the type that is asked for, NULL for any; money adapts literals. */
int expr_compile(struct expr **ret, struct arena *arena,
		 const struct expr_ast *ast, const struct expr_env *env,
		 const struct type *want, struct diag *diag);

struct type expr_type(const struct expr *expr);
unsigned expr_deps(const struct expr *expr);
bool expr_is_dynamic(const struct expr *expr);
/* A constant program: its value. */
bool expr_constant(const struct expr *expr, struct value *ret);
/* Frame slots that it reads, ascending. */
const uint16_t *expr_slots(const struct expr *expr, size_t *n);
/* The strictest mask of what its calls give. */
enum mask expr_mask(const struct expr *expr);
/* The text it came from, names put in place not expanded. */
const char *expr_text(const struct expr *expr);

/* @context may be NULL for a scalar program whose calls do not ask for it. */
/* Asks the cache for what expr_eval() will read. */
void expr_prefetch(const struct expr *expr);
struct value expr_eval(const struct expr *expr, const struct value *frame,
		       const struct expr_context *context);

/*
 * The leaves of a condition: what is joined by && and ||. For alerts (value,
 * threshold and margin of each clause), for coverage, and for the index from
 * constants to rules.
 */
struct expr_clause {
	const char *text;
	const struct expr *test; /* bool */
	const struct expr *left; /* of a comparison, else NULL */
	const struct expr *right;
	const char *operator; /* "<", ">=", "==", "in" …, or NULL */
	bool conjunct;        /* the whole is false when this is */
	/* `slot == constant` or `slot in [constants]`: n_constants > 0 */
	uint16_t slot;
	uint32_t n_constants;
	const struct value *constants;
};
int expr_clauses(struct expr_clause **ret, size_t *n, struct arena *arena,
		 const struct expr_ast *ast, const struct expr_env *env,
		 struct diag *diag);

/* The tree as canonical text: what identity hashes and --expand print. */
void expr_print(struct buf *out, const struct expr_ast *ast);
/* A tree of one literal (for params): its text is kept, so money is exact. */
struct expr_ast *expr_literal(struct arena *arena, const char *text, size_t len,
			      bool is_string, struct place place);

/*
 * For `tocsin eval` and the conformance suite: names are the members of a JSON
 * object (or NULL), typed as CEL types JSON; the result is printed as
 * "value : type" as CEL would write it. 0, or -EINVAL with complaints, or 1:
 * the value is missing, and "missing: reason" is printed. Days are those of
 * UTC.
 */
int expr_eval_text(const char *text, size_t len, const char *given_json,
		   size_t given_len, struct buf *out, struct diag *diag);
