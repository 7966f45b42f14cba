/*
 * Check: what each part of an expression is, and whether the parts fit.
 *
 * Both operands are looked at even when one is wrong, so that one run says
 * everything. What a macro or a let stands for is checked anew at each use,
 * with the types that it meets there, and a complaint that was made before
 * from the same place is not made twice.
 */
#include "expr/term.h"

#include "base/number.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scope {
	const struct scope *up;
	const char *name;
	uint16_t var;
	struct type type;
};

/* A name that has() or default() asks for somewhere in the expression. */
struct guard {
	const struct guard *up;
	const struct node *node;
};

struct checker {
	struct arena *arena;
	struct diag *diag;
	const struct expr_env *env;
	const struct expr_ast *ast; /* the tree that is walked now */
	const struct scope *scope;
	const struct guard *guards;
	unsigned n_vars;
	unsigned expansions; /* names put in place inside each other */
	unsigned n_terms;
	unsigned quiet; /* inside has() or default() */
	bool lenient;
};

#define CHECK_MAX_EXPANSIONS 32
#define CHECK_MAX_TERMS 32768

static const struct type type_dyn = { .kind = KIND_DYN };
static const struct type type_bool = { .kind = KIND_BOOL };

static struct term *check(struct checker *c, const struct node *node);

/*** complaints ***/

static bool same_place(struct place a, struct place b) {
	return a.source == b.source && a.line == b.line &&
	       a.column == b.column && a.width == b.width;
}

/* A let that three bands use is wrong once. */
static void forget_repetition(struct diag *diag) {
	const struct complaint *last = &diag->items[diag->n - 1];

	for (size_t i = 0; i + 1 < diag->n; i++) {
		const struct complaint *item = &diag->items[i];

		if (same_place(item->place, last->place) &&
		    strcmp(item->code, last->code) == 0 &&
		    strcmp(item->text, last->text) == 0) {
			if (last->code[0] != 'W')
				diag->n_errors--;
			diag->n--;
			return;
		}
	}
}

static struct place place_of(const struct checker *c, const struct node *node) {
	return ast_place(c->ast, node->at, node->at_end);
}

/* A term may have been written in another tree than the one that is walked. */
static struct place place_term(const struct term *term) {
	return ast_place(term->ast, term->node->start, term->node->end);
}

static struct place place_whole(const struct checker *c,
				const struct node *node) {
	return ast_place(c->ast, node->start, node->end);
}

static void complain_at(struct checker *c, struct place place, const char *code,
			const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void complain_at(struct checker *c, struct place place, const char *code,
			const char *format, ...) {
	CLEANUP(buf_free) struct buf text = { 0 };
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	diag_at(c->diag, place, code, "%s", buf_cstr(&text));
	forget_repetition(c->diag);
}

static const char *name_of_type(struct checker *c, struct type type) {
	struct buf out = { 0 };
	const char *ret;

	type.optional = false;
	type_format(&out, type);
	ret = arena_strndup(c->arena, out.data, out.len);
	buf_free(&out);
	return ret;
}

struct type value_type(struct value value) {
	struct type type = { .kind = value.kind };

	if (value.kind == KIND_MONEY)
		type.unit = value.unit;
	if (value.kind == KIND_LIST) {
		type.elem = value.len > 0 ? value.list[0].kind : KIND_DYN;
		if (value.len > 0 && value.list[0].kind == KIND_MONEY)
			type.unit = value.list[0].unit;
		for (uint32_t i = 1; i < value.len; i++)
			if (value.list[i].kind != type.elem)
				type.elem = KIND_DYN;
		if (type.elem == KIND_LIST || type.elem == KIND_MAP ||
		    type.elem == KIND_NULL)
			type.elem = KIND_DYN;
	}
	if (value.kind == KIND_MISSING)
		type = (struct type){ .kind = KIND_DYN, .optional = true };
	return type;
}

/*** terms ***/

static bool is_dyn(const struct term *term) {
	return term->type.kind == KIND_DYN;
}

static bool is_kind(const struct term *term, enum kind kind) {
	return term->type.kind == kind;
}

static bool is_number(const struct term *term) {
	return is_kind(term, KIND_INT) || is_kind(term, KIND_DOUBLE);
}

static void count_part(struct checker *c, const struct node *node) {
	if (++c->n_terms == CHECK_MAX_TERMS)
		complain_at(c, place_of(c, node), "E202",
			    "the expression has more than %d parts once its "
			    "names are put in place",
			    CHECK_MAX_TERMS);
}

static struct term *make(struct checker *c, const struct node *node,
			 enum term_op op, struct type type,
			 struct term *const *args, uint32_t n) {
	struct term *term = arena_new(c->arena, struct term);

	term->op = (uint8_t)op;
	term->type = type;
	term->ast = c->ast;
	term->node = node;
	term->n = n;
	term->dynamic = type.kind == KIND_DYN || type.kind == KIND_MAP;
	if (n > 0) {
		term->args = arena_array(c->arena, struct term *, n);
		memcpy(term->args, args, n * sizeof(*args));
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!args[i])
			continue;
		term->deps |= args[i]->deps;
		term->dynamic = term->dynamic || args[i]->dynamic;
		term->type.optional =
			term->type.optional || args[i]->type.optional;
	}
	count_part(c, node);
	return term;
}

static struct term *make_constant(struct checker *c, const struct node *node,
				  struct value value, struct type type) {
	struct term *term = make(c, node, TERM_CONST, type, NULL, 0);

	term->constant = value;
	/* what is finer than a microsecond only the second evaluator sees */
	if ((value.kind == KIND_TIMESTAMP || value.kind == KIND_DURATION) &&
	    value.len != 0)
		term->dynamic = true;
	return term;
}

static struct type type_of_item(struct type list) {
	struct type type = { .kind = list.elem };

	if (list.kind != KIND_LIST || list.elem == 0)
		return type_dyn;
	if (list.elem == KIND_MONEY)
		type.unit = list.unit;
	return type;
}

static bool is_foldable(const struct term *term) {
	if (term->n == 0 || term->op == TERM_ENV || term->op == TERM_EACH)
		return false;
	for (uint32_t i = 0; i < term->n; i++)
		if (term->args[i]->op != TERM_CONST)
			return false;
	return true;
}

/*
 * Computes now what is constant. A function that fails on constants fails
 * always, which its author wants to know; 1/0 stays what it is.
 */
static struct term *fold(struct checker *c, struct term *term) {
	struct value vars[RUN_MAX_VARS] = { 0 };
	uint32_t budget = RUN_BUDGET;
	struct run run = { .calendar = c->env ? c->env->calendar : NULL,
			   .scratch = c->arena,
			   .vars = vars,
			   .budget = &budget };
	struct value value;

	if (!is_foldable(term))
		return term;
	value = walk(&run, term);
	if (value.kind == KIND_MISSING && value.reason == MISSING_ERROR &&
	    term->op == TERM_CALL && !c->lenient && !c->quiet) {
		complain_at(c, place_term(term), "E211",
			    "`%s` fails on this constant", term->node->name);
		return NULL;
	}
	term->op = TERM_CONST;
	term->constant = value;
	if (value.kind != KIND_MISSING && !is_dyn(term)) {
		if (term->type.kind == KIND_LIST) {
			term->type = value_type(value);
			term->dynamic = term->type.elem == KIND_DYN;
		} else if (term->type.kind != KIND_MAP) {
			term->dynamic = false;
		}
		term->type.optional = false;
	}
	if ((value.kind == KIND_TIMESTAMP || value.kind == KIND_DURATION) &&
	    value.len != 0)
		term->dynamic = true;
	return term;
}

static struct term *unknown(struct checker *c, const struct node *node) {
	return make(c, node, TERM_ERROR, type_dyn, NULL, 0);
}

/* In lenient mode what does not fit is left to the evaluation. */
static struct term *mismatch(struct checker *c, const struct node *node) {
	return c->lenient ? unknown(c, node) : NULL;
}

/*** money ***/

/*
 * A literal beside money is in major units. NULL after a complaint; @term
 * itself if it is no literal.
 */
static struct term *to_money(struct checker *c, struct term *term,
			     uint16_t unit);

/* A choice between two literals adapts as each of them does. */
static struct term *choice_to_money(struct checker *c, struct term *term,
				    uint16_t unit) {
	struct term *args[3] = { term->args[0] };
	struct term *ret;

	for (int i = 1; i < 3; i++) {
		args[i] = to_money(c, term->args[i], unit);
		if (!args[i] || !is_kind(args[i], KIND_MONEY))
			return args[i] ? term : NULL;
	}
	ret = make(c, term->node, TERM_COND, args[1]->type, args, 3);
	ret->ast = term->ast;
	return ret;
}

static struct term *to_money(struct checker *c, struct term *term,
			     uint16_t unit) {
	unsigned digits = currency_digits(unit);
	int64_t minor;
	struct term *ret;
	int r;

	if (term->op == TERM_COND && is_number(term))
		return choice_to_money(c, term, unit);
	if (!term->exact || !is_number(term))
		return term;
	r = number_parse(&minor, term->exact, strlen(term->exact), digits,
			 NULL);
	if (r == -EDOM) {
		complain_at(c, place_term(term), "E207",
			    "%s is not a whole number of minor units: %s has "
			    "%u decimals",
			    term->exact, currency_code(unit), digits);
		return NULL;
	}
	if (r < 0) {
		complain_at(c, place_term(term), "E207",
			    "%s is too large for money(%s)", term->exact,
			    currency_code(unit));
		return NULL;
	}
	ret = make_constant(c, term->node, value_money(minor, unit),
			    (struct type){ .kind = KIND_MONEY, .unit = unit });
	ret->ast = term->ast;
	return ret;
}

static struct term *list_to_money(struct checker *c, struct term *list,
				  uint16_t unit) {
	struct value *items;

	if (list->op != TERM_CONST || list->n == 0)
		return list;
	items = arena_array(c->arena, struct value, list->n);
	for (uint32_t i = 0; i < list->n; i++) {
		struct term *item = to_money(c, list->args[i], unit);

		if (!item)
			return NULL;
		items[i] = item->constant;
	}
	list->constant.list = items;
	list->type = value_type(list->constant);
	list->dynamic = list->type.elem == KIND_DYN;
	return list;
}

/* Makes two operands one kind where a literal allows it; false: complained. */
static bool adapt_pair(struct checker *c, struct term **a, struct term **b) {
	if (is_kind(*a, KIND_MONEY) && is_number(*b))
		*b = to_money(c, *b, (*a)->type.unit);
	else if (is_kind(*b, KIND_MONEY) && is_number(*a))
		*a = to_money(c, *a, (*b)->type.unit);
	return *a && *b;
}

/* An int literal beside a double, where only the value counts. */
static void literal_to_double(struct term *term, const struct term *other) {
	if (is_kind(term, KIND_INT) && is_kind(other, KIND_DOUBLE) &&
	    term->op == TERM_CONST && term->constant.kind == KIND_INT &&
	    llabs(term->constant.i) < INT64_C(1) << 53) {
		term->constant = value_double((double)term->constant.i);
		term->type.kind = KIND_DOUBLE;
	}
}

/*** literals and names ***/

static struct term *check_literal(struct checker *c, const struct node *node) {
	struct term *term =
		make_constant(c, node, node->value, value_type(node->value));

	term->exact = node->number;
	return term;
}

static bool same_path(const struct node *a, const struct node *b) {
	const char *one[AST_MAX_PATH], *other[AST_MAX_PATH];
	size_t n = ast_path(a, one);

	if (n == 0 || ast_path(b, other) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(one[i], other[i]) != 0)
			return false;
	return true;
}

static bool is_guarded(const struct checker *c, const struct node *node) {
	for (const struct guard *g = c->guards; g; g = g->up)
		if (same_path(g->node, node))
			return true;
	return false;
}

static void find_guards(struct checker *c, const struct node *node) {
	struct guard *guard;

	if (node->kind == NODE_CALL && node->n > 0 &&
	    (strcmp(node->name, "has") == 0 ||
	     strcmp(node->name, "default") == 0)) {
		guard = arena_new(c->arena, struct guard);
		guard->up = c->guards;
		guard->node = node->args[0];
		c->guards = guard;
	}
	for (uint32_t i = 0; i < node->n; i++)
		find_guards(c, node->args[i]);
}

static void warn_optional(struct checker *c, const struct node *node,
			  const struct expr_name *name) {
	if (!name->type.optional || c->quiet || c->expansions || c->lenient ||
	    !(name->deps & (DEP_EVENT | DEP_PREV)) || node == c->ast->root ||
	    is_guarded(c, node))
		return;
	complain_at(c, place_whole(c, node), "W605",
		    "`%.*s` may be absent, and the whole is missing then; ask "
		    "has(%.*s) or give a default()",
		    (int)(node->end - node->start), c->ast->text + node->start,
		    (int)(node->end - node->start), c->ast->text + node->start);
}

static struct term *expand(struct checker *c, const struct node *node,
			   const struct expr_ast *tree) {
	const struct expr_ast *ast = c->ast;
	const struct scope *scope = c->scope;
	const struct guard *guards = c->guards;
	struct term *term;

	/* Counted even if nothing comes of it, so that it comes to an end. */
	count_part(c, node);
	if (c->expansions == CHECK_MAX_EXPANSIONS) {
		complain_at(c, place_whole(c, node), "E210",
			    "`%s` stands for itself, or names are nested more "
			    "than %d deep",
			    node->name, CHECK_MAX_EXPANSIONS);
		return NULL;
	}
	c->expansions++;
	c->ast = tree;
	c->scope = NULL;
	find_guards(c, tree->root);
	term = check(c, tree->root);
	c->ast = ast;
	c->scope = scope;
	c->guards = guards;
	c->expansions--;
	return term;
}

static const char *text_of_number(struct checker *c, struct value value) {
	CLEANUP(buf_free) struct buf out = { 0 };

	if (value.kind == KIND_INT)
		buf_int(&out, value.i);
	else
		buf_double(&out, value.d);
	return arena_strndup(c->arena, out.data, out.len);
}

static struct term *check_known(struct checker *c, const struct node *node,
				const struct expr_name *name) {
	struct term *term;

	switch (name->how) {
	case NAME_SLOT:
		if (name->slot >= 0x4000) {
			complain_at(c, place_whole(c, node), "E202",
				    "too many names in one rule");
			return NULL;
		}
		term = make(c, node, TERM_SLOT, name->type, NULL, 0);
		term->slot = name->slot;
		term->deps = name->deps;
		warn_optional(c, node, name);
		return term;
	case NAME_CONST:
		term = make_constant(c, node, name->constant, name->type);
		term->deps = name->deps;
		if (name->constant.kind == KIND_INT ||
		    (name->constant.kind == KIND_DOUBLE &&
		     isfinite(name->constant.d)))
			term->exact = text_of_number(c, name->constant);
		return term;
	case NAME_TREE:
		term = expand(c, node, name->tree);
		if (term)
			term->deps |= name->deps;
		return term;
	}
	return NULL;
}

static const char *joined(struct checker *c, const char *const *path,
			  size_t n) {
	CLEANUP(buf_free) struct buf out = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(&out, '.');
		buf_puts(&out, path[i]);
	}
	return arena_strndup(c->arena, out.data, out.len);
}

static const char *nearest_name(struct checker *c, const char *name) {
	const char *const *all;
	size_t n = 0;

	if (!c->env || !c->env->candidates)
		return NULL;
	all = c->env->candidates(c->env->ctx);
	while (all && all[n])
		n++;
	return n > 0 ? diag_nearest(name, all, n) : NULL;
}

static struct term *complain_unknown(struct checker *c, const struct node *node,
				     const char *const *path, size_t n) {
	const char *name = joined(c, path, n);
	const char *near = nearest_name(c, name);
	const char *what = c->env && c->env->unknown ? c->env->unknown
						     : "nothing is called";

	if (c->lenient)
		return unknown(c, node);
	if (near)
		complain_at(c, place_whole(c, node), "E203",
			    "%s `%s` (did you mean `%s`?)", what, name, near);
	else
		complain_at(c, place_whole(c, node), "E203", "%s `%s`", what,
			    name);
	return NULL;
}

static struct term *select_key(struct checker *c, const struct node *node,
			       struct term *map) {
	struct term *term;

	if (!map)
		return NULL;
	if (!is_dyn(map) && !is_kind(map, (enum kind)KIND_MAP)) {
		if (c->lenient)
			return unknown(c, node);
		complain_at(c, place_of(c, node), "E206",
			    "%s has no parts, so no `%s`",
			    name_of_type(c, map->type), node->name);
		return NULL;
	}
	term = make(c, node, TERM_SELECT, type_dyn, &map, 1);
	term->constant = value_string(node->name, (uint32_t)strlen(node->name));
	return fold(c, term);
}

static const struct scope *find_var(const struct checker *c, const char *name) {
	for (const struct scope *s = c->scope; s; s = s->up)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* The node that has the first @k of the @n segments of a path. */
static const struct node *path_prefix(const struct node *node, size_t n,
				      size_t k) {
	for (; n > k; n--)
		node = node->args[0];
	return node;
}

static struct term *check_path(struct checker *c, const struct node *node,
			       const char *const *path, size_t n) {
	const struct scope *var = find_var(c, path[0]);
	struct expr_name name = { 0 };
	struct term *term;
	int taken = 0;

	if (var) {
		term = make(c, path_prefix(node, n, 1), TERM_VAR, var->type,
			    NULL, 0);
		term->slot = var->var;
		term->dynamic = true;
		taken = 1;
	} else {
		if (c->env && c->env->name)
			taken = c->env->name(c->env->ctx, path, n,
					     place_whole(c, node), &name);
		if (taken < 0)
			return NULL;
		if (taken == 0)
			return complain_unknown(c, node, path, n);
		term = check_known(c, path_prefix(node, n, (size_t)taken),
				   &name);
	}
	for (size_t k = (size_t)taken + 1; k <= n; k++)
		term = select_key(c, path_prefix(node, n, k), term);
	return term;
}

/*** calls ***/

static bool check_args(struct checker *c, struct node *const *nodes, uint32_t n,
		       struct term **ret) {
	bool good = true;

	for (uint32_t i = 0; i < n; i++) {
		ret[i] = check(c, nodes[i]);
		good = good && ret[i];
	}
	return good;
}

#define CHECK_MAX_ARGS 32

static bool too_many(struct checker *c, const struct node *node) {
	if (node->n <= CHECK_MAX_ARGS)
		return false;
	complain_at(c, place_of(c, node), "E205",
		    "`%s` has more than %d arguments", node->name,
		    CHECK_MAX_ARGS);
	return true;
}

/* 1: *ret is the term, or NULL after a complaint; 0: env does not know it. */
static int check_env(struct checker *c, const struct node *node,
		     const char *const *path, size_t n, const char *field,
		     struct term **args, uint32_t n_args, struct term **ret) {
	struct value constants[CHECK_MAX_ARGS];
	struct type types[CHECK_MAX_ARGS];
	struct expr_call call = { .constants = constants };
	struct expr_call *copy;
	struct term *term;
	int r;

	if (!c->env || !c->env->call)
		return 0;
	for (uint32_t i = 0; i < n_args; i++) {
		types[i] = args[i]->type;
		constants[i] = args[i]->op == TERM_CONST
				       ? args[i]->constant
				       : value_missing(MISSING_NONE);
		call.deps |= args[i]->deps;
	}
	r = c->env->call(c->env->ctx, path, n, field, types, n_args,
			 place_whole(c, node), &call);
	if (r == 0)
		return 0;
	*ret = NULL;
	if (r < 0)
		return 1;
	term = make(c, node, TERM_ENV, call.type, args, n_args);
	copy = arena_new(c->arena, struct expr_call);
	*copy = call;
	copy->constants = NULL;
	term->call = copy;
	term->deps |= call.deps;
	*ret = term;
	return 1;
}

static const char *signature(struct checker *c, const char *letters) {
	static const struct {
		char letter;
		const char *name;
	} names[] = {
		{ 'b', "bool" },
		{ 'i', "int" },
		{ 'd', "double" },
		{ 's', "string" },
		{ 'D', "date" },
		{ 't', "timestamp" },
		{ 'u', "duration" },
		{ 'm', "money" },
		{ 'l', "list" },
		{ 'M', "map" },
		{ 'n', "number" },
		{ 'N', "number or money" },
		{ 'T', "date or timestamp" },
		{ 'x', "anything" },
		{ '*', "…" },
	};
	CLEANUP(buf_free) struct buf out = { 0 };

	for (const char *l = letters; *l; l++) {
		if (l > letters)
			buf_puts(&out, ", ");
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (names[i].letter == *l)
				buf_puts(&out, names[i].name);
	}
	return arena_strndup(c->arena, out.data ? out.data : "", out.len);
}

static struct term *complain_args(struct checker *c, const struct node *node,
				  const struct builtin *builtin,
				  struct term **args, uint32_t n) {
	CLEANUP(buf_free) struct buf takes = { 0 };
	CLEANUP(buf_free) struct buf got = { 0 };

	for (const struct builtin *b = builtin; b; b = builtin_next(b)) {
		if (b != builtin)
			buf_puts(&takes, " or ");
		buf_printf(&takes, "(%s)", signature(c, b->args));
	}
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			buf_puts(&got, ", ");
		buf_puts(&got, name_of_type(c, args[i]->type));
	}
	complain_at(c, place_of(c, node), "E205", "`%s` takes %s, not (%s)",
		    builtin->name, buf_cstr(&takes), buf_cstr(&got));
	return NULL;
}

static struct type type_of_letter(char letter, struct term *const *args,
				  uint32_t n) {
	static const struct {
		char letter;
		uint8_t kind;
	} kinds[] = {
		{ 'b', KIND_BOOL },     { 'i', KIND_INT },
		{ 'd', KIND_DOUBLE },   { 's', KIND_STRING },
		{ 'D', KIND_DATE },     { 't', KIND_TIMESTAMP },
		{ 'u', KIND_DURATION }, { 'm', KIND_MONEY },
		{ 'l', KIND_LIST },     { 'M', KIND_MAP },
	};
	struct type type;

	if (letter == '1' && n > 0) {
		type = args[0]->type;
		type.names = NULL;
		type.n_names = 0;
		return type;
	}
	if (letter == 'e' && n > 0)
		return type_of_item(args[0]->type);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].letter == letter) {
			type = (struct type){ .kind = kinds[i].kind };
			if (letter == 'l')
				type.elem = KIND_STRING;
			return type;
		}
	}
	return type_dyn;
}

/* All money among @args is of one currency, literals beside it adapt. */
static bool adapt_all(struct checker *c, const struct node *node,
		      struct term **args, uint32_t n) {
	struct term *money = NULL;

	for (uint32_t i = 0; i < n; i++) {
		if (!is_kind(args[i], KIND_MONEY))
			continue;
		if (money && money->type.unit != args[i]->type.unit) {
			complain_at(c, place_of(c, node), "E207",
				    "%s and %s are different currencies",
				    name_of_type(c, money->type),
				    name_of_type(c, args[i]->type));
			return false;
		}
		money = args[i];
	}
	for (uint32_t i = 0; money && i < n; i++) {
		args[i] = to_money(c, args[i], money->type.unit);
		if (!args[i])
			return false;
	}
	return true;
}

static struct term *check_pattern(struct checker *c, struct term *term) {
	struct value pattern = term->args[1]->constant;
	char error[128];

	term->regex = regex_compile(c->arena, pattern.s, pattern.len, error,
				    sizeof(error));
	if (!term->regex) {
		if (c->lenient)
			return unknown(c, term->node);
		complain_at(c, place_term(term->args[1]), "E211",
			    "this is not a regular expression: %s", error);
		return NULL;
	}
	if (pattern.len > 0 && pattern.s[0] != '^' && !c->lenient &&
	    !c->expansions)
		complain_at(c, place_of(c, term->node), "W603",
			    "matches() finds the pattern anywhere; begin it "
			    "with ^ and end it with $ if the whole is meant");
	term->op = TERM_MATCH;
	term->n = 1;
	return term;
}

/* Zones, units and spans are read now, not at each event. */
static bool check_constants(struct checker *c, struct term *term) {
	const struct term *last = term->args[term->n - 1];
	const char *name = term->builtin->name;
	enum calendar_unit unit;
	struct span span;
	struct zone *zone;
	bool negative;

	if (term->n != 2 || term->builtin->args[1] != 's' ||
	    (strncmp(name, "get", 3) != 0 && strcmp(name, "plus") != 0 &&
	     strncmp(name, "workday_", 8) != 0))
		return true;
	if (last->op != TERM_CONST) {
		complain_at(c, place_term(last), "E211",
			    "`%s` has to know this when the rules are loaded; "
			    "write a constant",
			    name);
		return false;
	}
	if (name[0] == 'g') {
		zone = arena_new(c->arena, struct zone);
		term->zone = zone;
		if (zone_find(zone, last->constant, c->arena))
			return true;
		complain_at(c, place_term(last), "E211",
			    "there is no time zone `%.*s`",
			    (int)last->constant.len, last->constant.s);
		return false;
	}
	negative = last->constant.len > 0 && last->constant.s[0] == '-';
	if (name[0] == 'p') {
		if (span_parse(&span, last->constant.s + negative,
			       last->constant.len - negative) == 0)
			return true;
		complain_at(c, place_term(last), "E211",
			    "`%.*s` is not a span of time; 5bd, 30d, 3mo are",
			    (int)last->constant.len, last->constant.s);
		return false;
	}
	if (unit_find(last->constant, &unit))
		return true;
	complain_at(c, place_term(last), "E211",
		    "`%.*s` is not a period; week, month, quarter, year, "
		    "fiscal_quarter and fiscal_year are",
		    (int)last->constant.len, last->constant.s);
	return false;
}

static bool needs_calendar(struct checker *c, const struct node *node,
			   const struct builtin *builtin) {
	if (!(builtin->flags & FN_CALENDAR) || c->lenient ||
	    (c->env && c->env->calendar))
		return false;
	complain_at(c, place_of(c, node), "E212",
		    "`%s` counts business days or fiscal periods, and no "
		    "calendar applies here; name one with `calendar:`",
		    builtin->name);
	return true;
}

/* workdays(a, b), or plus(at, '5bd'). */
static void note_workdays(struct checker *c, const struct builtin *builtin,
			  struct term *const *args, uint32_t n) {
	const struct term *last = n ? args[n - 1] : NULL;
	struct span span;
	bool counts = builtin->flags & FN_WORKDAYS;

	if (!c->env || !c->env->counts_workdays)
		return;
	if (!counts && builtin->flags & FN_CALENDAR && last &&
	    last->op == TERM_CONST && last->constant.kind == KIND_STRING)
		counts = span_parse(&span, last->constant.s,
				    last->constant.len) == 0 &&
			 span.unit == SPAN_WORKDAYS;
	if (counts)
		*c->env->counts_workdays = true;
}

static struct term *check_builtin(struct checker *c, const struct node *node,
				  const struct builtin *first,
				  struct term **args, uint32_t n) {
	uint8_t kinds[CHECK_MAX_ARGS];
	const struct builtin *builtin = first;
	struct term *term;
	bool dynamic = false;

	if (strcmp(first->name, "greatest") == 0 ||
	    strcmp(first->name, "least") == 0)
		if (!adapt_all(c, node, args, n))
			return mismatch(c, node);
	for (uint32_t i = 0; i < n; i++) {
		kinds[i] = args[i]->type.kind;
		dynamic = dynamic || is_dyn(args[i]);
	}
	while (builtin && !builtin_takes(builtin, kinds, n))
		builtin = builtin_next(builtin);
	if (!builtin)
		return c->lenient ? unknown(c, node)
				  : complain_args(c, node, first, args, n);
	if (needs_calendar(c, node, builtin))
		return NULL;
	/* math.greatest(1, 2.0) is whichever of the two is greater */
	if (builtin->ret == '1')
		for (uint32_t i = 1; i < n; i++)
			dynamic = dynamic ||
				  (builtin->args[1] == '*' &&
				   args[i]->type.kind != args[0]->type.kind);
	if (dynamic || c->lenient) {
		term = make(c, node, TERM_DISPATCH,
			    builtin->ret == '1' || builtin_next(builtin)
				    ? type_dyn
				    : type_of_letter(builtin->ret, args, n),
			    args, n);
		term->builtin = first;
		term->dynamic = true;
		return fold(c, term);
	}
	note_workdays(c, builtin, args, n);
	term = make(c, node, TERM_CALL, type_of_letter(builtin->ret, args, n),
		    args, n);
	term->builtin = builtin;
	if (!check_constants(c, term))
		return NULL;
	if (builtin->flags & FN_ALLOC)
		term->dynamic = true;
	if (strcmp(builtin->name, "matches") == 0 &&
	    args[1]->op == TERM_CONST && args[0]->op != TERM_CONST)
		return check_pattern(c, term);
	return fold(c, term);
}

/* Has to look at the name before the value is asked for. */
static struct term *check_has(struct checker *c, const struct node *node) {
	struct term *arg, *term;

	if (node->n != 1) {
		complain_at(c, place_of(c, node), "E205",
			    "`has` takes one argument");
		return NULL;
	}
	c->quiet++;
	arg = check(c, node->args[0]);
	c->quiet--;
	if (!arg)
		return NULL;
	if (arg->op == TERM_SELECT)
		arg->op = TERM_HAS_KEY;
	else if (arg->op == TERM_CONST && arg->n == 1 &&
		 node->args[0]->kind == NODE_SELECT)
		return make_constant(
			c, node, value_bool(arg->constant.kind != KIND_MISSING),
			type_bool);
	else {
		term = make(c, node, TERM_HAS, type_bool, &arg, 1);
		term->type.optional = false;
		return fold(c, term);
	}
	arg->type = type_bool;
	return arg;
}

static bool unify(struct checker *c, const struct node *node, struct term **a,
		  struct term **b, struct type *ret) {
	if (!adapt_pair(c, a, b))
		return false;
	literal_to_double(*a, *b);
	literal_to_double(*b, *a);
	*ret = (*a)->type;
	if ((*a)->type.names != (*b)->type.names) {
		ret->names = NULL;
		ret->n_names = 0;
	}
	if (is_dyn(*a) || is_dyn(*b)) {
		*ret = type_dyn;
		return true;
	}
	if ((*a)->type.kind == (*b)->type.kind &&
	    (!is_kind(*a, KIND_MONEY) || (*a)->type.unit == (*b)->type.unit))
		return true;
	if (c->lenient) {
		*ret = type_dyn;
		return true;
	}
	complain_at(c, place_of(c, node), "E206",
		    "%s gives %s in one case and %s in the other",
		    node->kind == NODE_COND ? "`?:`" : "`default`",
		    name_of_type(c, (*a)->type), name_of_type(c, (*b)->type));
	return false;
}

static struct term *check_default(struct checker *c, const struct node *node) {
	struct term *args[2], *term;
	struct type type;

	if (node->n != 2) {
		complain_at(c, place_of(c, node), "E205",
			    "`default` takes two arguments");
		return NULL;
	}
	c->quiet++;
	args[0] = check(c, node->args[0]);
	c->quiet--;
	args[1] = check(c, node->args[1]);
	if (!args[0] || !args[1] || !unify(c, node, &args[0], &args[1], &type))
		return NULL;
	type.optional = args[1]->type.optional;
	term = make(c, node, TERM_DEFAULT, type, args, 2);
	term->type.optional = type.optional;
	return fold(c, term);
}

static struct term *check_ratio(struct checker *c, const struct node *node,
				struct term **args) {
	struct term *term;

	if (!adapt_pair(c, &args[0], &args[1]))
		return NULL;
	if (is_kind(args[0], KIND_MONEY) != is_kind(args[1], KIND_MONEY) ||
	    (is_kind(args[0], KIND_MONEY) &&
	     args[0]->type.unit != args[1]->type.unit)) {
		if (is_dyn(args[0]) || is_dyn(args[1]))
			goto good;
		complain_at(c, place_of(c, node), "E207",
			    "a ratio of %s and %s has no meaning",
			    name_of_type(c, args[0]->type),
			    name_of_type(c, args[1]->type));
		return mismatch(c, node);
	}
good:
	term = check_builtin(c, node, builtin_find("ratio", false), args, 2);
	if (term && term->op != TERM_CONST)
		term->type.optional = true;
	return term;
}

/* wan(100) and yi(1.5) of a literal are literals still. */
static struct term *check_myriad(struct checker *c, const struct node *node,
				 struct term **args) {
	unsigned zeros = strcmp(node->name, "wan") == 0 ? 4 : 8;
	const char *number = args[0]->exact;
	struct term *term;

	term = check_builtin(c, node, builtin_find(node->name, false), args, 1);
	if (term && number && is_number(args[0])) {
		const char *e = strpbrk(number, "eE");
		long exponent = e ? strtol(e + 1, NULL, 10) : 0;
		int len = e ? (int)(e - number) : (int)strlen(number);

		term->exact = arena_printf(c->arena, "%.*se%ld", len, number,
					   exponent + (long)zeros);
	}
	return term;
}

static struct term *complain_function(struct checker *c,
				      const struct node *node, bool method) {
	const char *near = builtin_nearest(node->name, method);

	if (c->lenient)
		return unknown(c, node);
	if (!near)
		near = nearest_name(c, node->name);
	if (near)
		complain_at(c, place_of(c, node), "E204",
			    "there is no function `%s` (did you mean `%s`?)",
			    node->name, near);
	else
		complain_at(c, place_of(c, node), "E204",
			    "there is no function `%s`", node->name);
	return NULL;
}

const struct form forms[] = {
	{ "has", check_has,
	  "whether a field, measure, baseline or row is there, not missing",
	  "!has(dyn({'a': 1}).b)" },
	{ "default", check_default, "the value, or another if it is missing",
	  "default(ratio(1, 0), 0.0) == 0.0" },
};
const size_t n_forms = ARRAY_SIZE(forms);

static struct term *check_call(struct checker *c, const struct node *node,
			       const char *field) {
	struct term *args[CHECK_MAX_ARGS], *term;
	const struct builtin *builtin;

	if (too_many(c, node))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (strcmp(node->name, forms[i].name) == 0)
			return forms[i].check(c, node);
	if (!check_args(c, node->args, node->n, args))
		return NULL;
	if (strcmp(node->name, "dyn") == 0 && node->n == 1) {
		term = make(c, node, TERM_DISPATCH, type_dyn, args, 1);
		term->builtin = builtin_find("dyn", false);
		return fold(c, term);
	}
	if (strcmp(node->name, "ratio") == 0 && node->n == 2)
		return check_ratio(c, node, args);
	if ((strcmp(node->name, "wan") == 0 || strcmp(node->name, "yi") == 0) &&
	    node->n == 1)
		return check_myriad(c, node, args);
	builtin = builtin_find(node->name, false);
	if (builtin && !field)
		return check_builtin(c, node, builtin, args, node->n);
	if (check_env(c, node, (const char *const[]){ node->name }, 1, field,
		      args, node->n, &term))
		return term;
	return complain_function(c, node, false);
}

/*** comprehensions ***/

const struct macro macros[] = {
	{ "all", EACH_ALL, 2, false,
	  "whether it is true of every item; of a list or map",
	  "[1, 2].all(x, x > 0)" },
	{ "all", EACH_ALL, 3, true },
	{ "exists", EACH_EXISTS, 2, false, "whether it is true of some item",
	  "[1, 2].exists(x, x > 1)" },
	{ "exists", EACH_EXISTS, 3, true },
	{ "exists_one", EACH_ONE, 2, false,
	  "whether it is true of exactly one item",
	  "[1, 2].exists_one(x, x > 1)" },
	{ "exists_one", EACH_ONE, 3, true },
	{ "existsOne", EACH_ONE, 2, false, "the same",
	  "[1, 2].existsOne(x, x > 1)" },
	{ "existsOne", EACH_ONE, 3, true },
	{ "filter", EACH_FILTER, 2, false, "the items of which it is true",
	  "[1, 2].filter(x, x > 1) == [2]" },
	{ "map", EACH_MAP, 2, false,
	  "a value for each item, or for those of which a condition is true",
	  "[1, 2].map(x, x * 2) == [2, 4]" },
	{ "map", EACH_MAP, 3, false },
	{ "transformList", EACH_MAP, 3, true, "the same, of index and item",
	  "[1, 2].transformList(i, x, i + x) == [1, 3]" },
	{ "transformList", EACH_MAP, 4, true },
	{ "transformMap", EACH_MAP_VALUES, 3, true, "a map with the same keys",
	  "{'a': 1}.transformMap(k, v, v + 1) == {'a': 2}" },
	{ "transformMap", EACH_MAP_VALUES, 4, true },
};
const size_t n_macros = ARRAY_SIZE(macros);

static bool macro_find(const struct node *node, enum each *each, bool *two) {
	for (size_t i = 0; i < ARRAY_SIZE(macros); i++) {
		if (strcmp(node->name, macros[i].name) == 0 &&
		    node->n == macros[i].n + 1 &&
		    node->args[1]->kind == NODE_NAME &&
		    (!macros[i].two || node->args[2]->kind == NODE_NAME)) {
			*each = macros[i].each;
			*two = macros[i].two;
			return true;
		}
	}
	return false;
}

static struct type type_of_each(enum each each, const struct term *range,
				const struct term *result) {
	struct type type = { .kind = KIND_LIST, .elem = KIND_DYN };

	switch (each) {
	case EACH_ALL:
	case EACH_EXISTS:
	case EACH_ONE:
		return type_bool;
	case EACH_FILTER:
		if (is_kind(range, KIND_LIST))
			return range->type;
		return type;
	case EACH_MAP:
		if (result->type.kind >= KIND_BOOL &&
		    result->type.kind < KIND_LIST) {
			type.elem = result->type.kind;
			type.unit = result->type.unit;
		}
		return type;
	case EACH_MAP_VALUES:
		break;
	}
	return (struct type){ .kind = KIND_MAP };
}

/* What a comprehension can go through; false after a complaint. */
static bool check_range(struct checker *c, const struct node *node,
			const struct term *range) {
	if (!is_dyn(range) && !is_kind(range, KIND_LIST) &&
	    !is_kind(range, (enum kind)KIND_MAP)) {
		if (!c->lenient)
			complain_at(c, place_of(c, node), "E206",
				    "`%s` goes through a list or a map, not "
				    "%s",
				    node->name, name_of_type(c, range->type));
		return false;
	}
	if (c->n_vars + 2 > RUN_MAX_VARS) {
		complain_at(c, place_of(c, node), "E202",
			    "comprehensions are nested more than %d deep",
			    RUN_MAX_VARS / 2);
		return false;
	}
	return true;
}

/* The filter, if there is one, and the result, with the variables in sight. */
static bool check_body(struct checker *c, const struct node *node, bool two,
		       struct term **args) {
	const struct scope *up = c->scope;
	struct type item = type_of_item(args[0]->type);
	bool by_index = two && is_kind(args[0], KIND_LIST);
	uint32_t body = two ? 3 : 2;
	bool filtered = node->n > body + 1;
	struct scope first = {
		.up = up,
		.name = node->args[1]->name,
		.var = (uint16_t)c->n_vars,
		.type = by_index ? (struct type){ .kind = KIND_INT } : item
	};
	struct scope second = { .up = &first,
				.name = node->args[2]->name,
				.var = (uint16_t)(c->n_vars + 1),
				.type = item };

	c->scope = two ? &second : &first;
	c->n_vars += 2;
	if (filtered)
		args[1] = check(c, node->args[body++]);
	args[2] = check(c, node->args[body]);
	c->n_vars -= 2;
	c->scope = up;
	return args[2] && (!filtered || args[1]);
}

static struct term *check_each(struct checker *c, const struct node *node,
			       enum each each, bool two) {
	struct term *args[3] = { 0 }, *term;

	args[0] = check(c, node->args[0]);
	if (!args[0])
		return NULL;
	if (!check_range(c, node, args[0]))
		return mismatch(c, node);
	if (!check_body(c, node, two, args))
		return NULL;
	if (each <= EACH_FILTER && !is_dyn(args[2]) &&
	    !is_kind(args[2], KIND_BOOL) && !c->lenient) {
		complain_at(c, place_term(args[2]), "E206",
			    "`%s` asks for a condition, this is %s", node->name,
			    name_of_type(c, args[2]->type));
		return NULL;
	}
	term = make(c, node, TERM_EACH, type_of_each(each, args[0], args[2]),
		    args, 3);
	term->each = (uint8_t)each;
	term->two = two;
	term->slot = (uint16_t)c->n_vars;
	term->dynamic = true;
	return term;
}

static struct term *check_method(struct checker *c, const struct node *node,
				 const char *field) {
	struct term *args[CHECK_MAX_ARGS], *term;
	const char *path[AST_MAX_PATH + 1];
	const struct builtin *builtin;
	enum each each;
	bool two;
	size_t n = ast_path(node->args[0], path);

	if (too_many(c, node))
		return NULL;
	if (macro_find(node, &each, &two))
		return check_each(c, node, each, two);
	if (!check_args(c, node->args + 1, node->n - 1, args + 1))
		return NULL;
	if (n > 0 && !find_var(c, path[0])) {
		path[n] = node->name;
		if (check_env(c, node, path, n + 1, field, args + 1,
			      node->n - 1, &term))
			return term;
		builtin = builtin_find(joined(c, path, n + 1), false);
		if (builtin)
			return check_builtin(c, node, builtin, args + 1,
					     node->n - 1);
	}
	args[0] = check(c, node->args[0]);
	if (!args[0])
		return NULL;
	builtin = builtin_find(node->name, true);
	if (!builtin)
		return complain_function(c, node, true);
	return check_builtin(c, node, builtin, args, node->n);
}

static struct term *check_select(struct checker *c, const struct node *node) {
	const char *path[AST_MAX_PATH];
	const struct node *base = node->args[0];
	size_t n = ast_path(node, path);

	if (n > 0)
		return check_path(c, node, path, n);
	/* limits(region).open_tender: one look-up, not a row and its part */
	if (base->kind == NODE_CALL && !builtin_find(base->name, false) &&
	    strcmp(base->name, "has") != 0 &&
	    strcmp(base->name, "default") != 0)
		return check_call(c, base, node->name);
	return select_key(c, node, check(c, base));
}

/*** operators ***/

static struct term *complain_binary(struct checker *c, const struct node *node,
				    const struct term *a,
				    const struct term *b) {
	const char *left = name_of_type(c, a->type);
	const char *right = name_of_type(c, b->type);
	const char *op = operator_text(node->op);

	if (c->lenient)
		return unknown(c, node);
	if (is_kind(a, KIND_MONEY) && is_kind(b, KIND_MONEY) &&
	    a->type.unit != b->type.unit)
		complain_at(c, place_of(c, node), "E207",
			    "`%s` between two currencies, %s and %s", op, left,
			    right);
	else if (node->op == OP_DIV && is_kind(a, KIND_MONEY) && is_number(b))
		complain_at(c, place_of(c, node), "E207",
			    "`/` between %s and %s: multiply by the inverse, "
			    "or write num(…) for the amount in major units, "
			    "or ratio(a, b)",
			    left, right);
	else if ((is_kind(a, KIND_MONEY) && is_number(b)) ||
		 (is_kind(b, KIND_MONEY) && is_number(a)))
		complain_at(c, place_of(c, node), "E207",
			    "`%s` between %s and %s: write num(…) for the "
			    "amount in major units, or ratio(a, b)",
			    op, left, right);
	else if (is_number(a) && is_number(b))
		complain_at(c, place_of(c, node), "E206",
			    "`%s` between %s and %s: write 2.0 for 2, or "
			    "double(x)",
			    op, left, right);
	else if (is_kind(a, KIND_NULL) || is_kind(b, KIND_NULL))
		complain_at(c, place_of(c, node), "E206",
			    "`%s` between %s and %s: what is absent is asked "
			    "for with has(x)",
			    op, left, right);
	else if ((is_kind(a, KIND_DATE) && is_kind(b, KIND_TIMESTAMP)) ||
		 (is_kind(b, KIND_DATE) && is_kind(a, KIND_TIMESTAMP)))
		complain_at(c, place_of(c, node), "E206",
			    "`%s` between %s and %s: date(t) is the day of a "
			    "timestamp",
			    op, left, right);
	else
		complain_at(c, place_of(c, node), "E206",
			    "`%s` between %s and %s", op, left, right);
	return NULL;
}

static bool check_enum_text(struct checker *c, const struct term *field,
			    const struct term *literal, struct value text) {
	const char *copy, *near;

	if (!field->type.names || text.kind != KIND_STRING)
		return true;
	for (uint32_t i = 0; i < field->type.n_names; i++)
		if (strlen(field->type.names[i]) == text.len &&
		    memcmp(field->type.names[i], text.s, text.len) == 0)
			return true;
	copy = arena_strndup(c->arena, text.s, text.len);
	near = diag_nearest(copy, field->type.names, field->type.n_names);
	if (near)
		complain_at(c, place_term(literal), "E208",
			    "'%s' is not one of %s (did you mean '%s'?)", copy,
			    name_of_type(c, field->type), near);
	else
		complain_at(c, place_term(literal), "E208",
			    "'%s' is not one of %s", copy,
			    name_of_type(c, field->type));
	return false;
}

static bool check_enum(struct checker *c, const struct term *a,
		       const struct term *b) {
	if (a->op == TERM_CONST && b->op != TERM_CONST)
		return check_enum(c, b, a);
	if (b->op != TERM_CONST)
		return true;
	return check_enum_text(c, a, b, b->constant);
}

/* `total > 0.5` means half a yuan, where a share was meant. */
static void warn_bare_ratio(struct checker *c, const struct term *money,
			    const struct term *literal) {
	if (!is_kind(money, KIND_MONEY) || !literal->exact ||
	    literal->constant.kind != KIND_DOUBLE || c->expansions)
		return;
	if (fabs(literal->constant.d) < 10 && literal->constant.d != 0)
		complain_at(c, place_term(literal), "W604",
			    "%s is compared with %s %s; a share is "
			    "ratio(a, b)",
			    name_of_type(c, money->type), literal->exact,
			    currency_code(money->type.unit));
}

static bool is_ordered(const struct term *term) {
	return term->type.kind >= KIND_BOOL && term->type.kind < KIND_LIST;
}

static struct term *check_compare(struct checker *c, const struct node *node,
				  struct term *a, struct term *b) {
	struct term *args[2], *left, *right;
	bool equality = node->op == OP_EQ || node->op == OP_NE;
	bool fits;

	left = a;
	right = b;
	if (!adapt_pair(c, &a, &b))
		return NULL;
	warn_bare_ratio(c, left, right);
	warn_bare_ratio(c, right, left);
	literal_to_double(a, b);
	literal_to_double(b, a);
	if (is_dyn(a) || is_dyn(b))
		fits = true;
	else if (is_number(a) && is_number(b))
		fits = true;
	else if (a->type.kind != b->type.kind)
		fits = false;
	else if (is_kind(a, KIND_MONEY))
		fits = a->type.unit == b->type.unit;
	else
		fits = equality || is_ordered(a);
	if (!fits && !(equality && c->lenient))
		return complain_binary(c, node, a, b);
	if (!check_enum(c, a, b))
		return NULL;
	args[0] = a;
	args[1] = b;
	a = make(c, node, (enum term_op)node->op, type_bool, args, 2);
	if (!is_ordered(args[0]) || !is_ordered(args[1]))
		a->dynamic = true;
	return fold(c, a);
}

/* The decimal of a literal, for money × 0.8 without a double between. */
static bool decimal_of(const char *number, int64_t *mantissa, uint16_t *scale) {
	for (unsigned digits = 0; digits <= 18; digits++) {
		if (number_parse(mantissa, number, strlen(number), digits,
				 NULL) == 0) {
			*scale = (uint16_t)digits;
			return true;
		}
	}
	return false;
}

static struct term *check_times(struct checker *c, const struct node *node,
				struct term *money, struct term *factor) {
	struct term *args[2] = { money, factor };
	struct term *term;
	int64_t mantissa;
	uint16_t scale;

	if (factor->exact && decimal_of(factor->exact, &mantissa, &scale)) {
		term = make(c, node, TERM_SCALE, money->type, &money, 1);
		term->constant = value_int(mantissa);
		term->scale = scale;
		return fold(c, term);
	}
	return fold(c, make(c, node, TERM_MUL, money->type, args, 2));
}

static struct term *warn_division(struct checker *c, const struct node *node,
				  struct term *a, struct term *b) {
	if (a->op == TERM_CONST && b->op == TERM_CONST &&
	    a->constant.kind == KIND_INT && b->constant.kind == KIND_INT &&
	    b->constant.i != 0 && b->constant.i != -1 &&
	    a->constant.i % b->constant.i != 0 && !c->lenient && !c->expansions)
		complain_at(c, place_whole(c, node), "W601",
			    "%lld/%lld of whole numbers is %lld; write "
			    "%lld.0/%lld.0",
			    (long long)a->constant.i, (long long)b->constant.i,
			    (long long)(a->constant.i / b->constant.i),
			    (long long)a->constant.i, (long long)b->constant.i);
	return a;
}

struct rule_of_sum {
	uint8_t op, left, right, ret;
};

static const struct rule_of_sum sums[] = {
	{ OP_ADD, KIND_INT, KIND_INT, KIND_INT },
	{ OP_ADD, KIND_DOUBLE, KIND_DOUBLE, KIND_DOUBLE },
	{ OP_ADD, KIND_STRING, KIND_STRING, KIND_STRING },
	{ OP_ADD, KIND_LIST, KIND_LIST, KIND_LIST },
	{ OP_ADD, KIND_TIMESTAMP, KIND_DURATION, KIND_TIMESTAMP },
	{ OP_ADD, KIND_DURATION, KIND_TIMESTAMP, KIND_TIMESTAMP },
	{ OP_ADD, KIND_DURATION, KIND_DURATION, KIND_DURATION },
	{ OP_ADD, KIND_MONEY, KIND_MONEY, KIND_MONEY },
	{ OP_ADD, KIND_DATE, KIND_INT, KIND_DATE },
	{ OP_SUB, KIND_INT, KIND_INT, KIND_INT },
	{ OP_SUB, KIND_DOUBLE, KIND_DOUBLE, KIND_DOUBLE },
	{ OP_SUB, KIND_TIMESTAMP, KIND_TIMESTAMP, KIND_DURATION },
	{ OP_SUB, KIND_TIMESTAMP, KIND_DURATION, KIND_TIMESTAMP },
	{ OP_SUB, KIND_DURATION, KIND_DURATION, KIND_DURATION },
	{ OP_SUB, KIND_MONEY, KIND_MONEY, KIND_MONEY },
	{ OP_SUB, KIND_DATE, KIND_DATE, KIND_INT },
	{ OP_SUB, KIND_DATE, KIND_INT, KIND_DATE },
	{ OP_MUL, KIND_INT, KIND_INT, KIND_INT },
	{ OP_MUL, KIND_DOUBLE, KIND_DOUBLE, KIND_DOUBLE },
	{ OP_DIV, KIND_INT, KIND_INT, KIND_INT },
	{ OP_DIV, KIND_DOUBLE, KIND_DOUBLE, KIND_DOUBLE },
	{ OP_DIV, KIND_MONEY, KIND_MONEY, KIND_DOUBLE },
	{ OP_MOD, KIND_INT, KIND_INT, KIND_INT },
};

static struct term *check_sum(struct checker *c, const struct node *node,
			      struct term *a, struct term *b) {
	struct term *args[2];
	struct type type = type_dyn;
	struct term *term;
	bool found = false;

	if (node->op == OP_MUL) {
		if (is_kind(a, KIND_MONEY) && is_number(b))
			return check_times(c, node, a, b);
		if (is_kind(b, KIND_MONEY) && is_number(a))
			return check_times(c, node, b, a);
	}
	if ((node->op == OP_ADD || node->op == OP_SUB ||
	     (node->op == OP_DIV && is_kind(b, KIND_MONEY))) &&
	    !adapt_pair(c, &a, &b))
		return NULL;
	if (node->op == OP_DIV)
		warn_division(c, node, a, b);
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		if (sums[i].op == node->op && sums[i].left == a->type.kind &&
		    sums[i].right == b->type.kind) {
			type = (struct type){ .kind = sums[i].ret };
			found = true;
		}
	}
	if (found && is_kind(a, KIND_MONEY) && is_kind(b, KIND_MONEY)) {
		found = a->type.unit == b->type.unit;
		type.unit = a->type.unit;
	}
	if (found && type.kind == KIND_LIST) {
		type = a->type;
		if (a->type.elem != b->type.elem)
			type.elem = KIND_DYN;
	}
	if (!found && !is_dyn(a) && !is_dyn(b))
		return complain_binary(c, node, a, b);
	args[0] = a;
	args[1] = b;
	term = make(c, node, (enum term_op)node->op, type, args, 2);
	/* what is new has to lie somewhere */
	if (type.kind == KIND_STRING || type.kind == KIND_LIST)
		term->dynamic = true;
	if (node->op == OP_DIV || node->op == OP_MOD)
		term->type.optional = true;
	return fold(c, term);
}

/* `x in lists.watchlist`: 1 when *ret is set. */
static int check_in_env(struct checker *c, const struct node *node,
			struct term **a, struct term **ret) {
	const char *path[AST_MAX_PATH + 1];
	const struct node *right = node->args[1];
	size_t n = ast_path(right, path);

	if (n < 2 || find_var(c, path[0]))
		return 0;
	path[n] = "contains";
	return check_env(c, node, path, n + 1, NULL, a, 1, ret);
}

static bool check_members(struct checker *c, struct term *a, struct term *b) {
	if (b->op != TERM_CONST || b->constant.kind != KIND_LIST)
		return true;
	for (uint32_t i = 0; i < b->constant.len; i++)
		if (!check_enum_text(c, a, i < b->n ? b->args[i] : b,
				     b->constant.list[i]))
			return false;
	return true;
}

static struct term *check_in(struct checker *c, const struct node *node) {
	struct term *args[2], *term;
	struct type item;

	args[0] = check(c, node->args[0]);
	if (args[0] && check_in_env(c, node, &args[0], &term))
		return term;
	args[1] = check(c, node->args[1]);
	if (!args[0] || !args[1])
		return NULL;
	if (is_kind(args[0], KIND_MONEY) && is_kind(args[1], KIND_LIST)) {
		args[1] = list_to_money(c, args[1], args[0]->type.unit);
		if (!args[1])
			return NULL;
	}
	if (!check_members(c, args[0], args[1]))
		return NULL;
	item = type_of_item(args[1]->type);
	if (!is_kind(args[1], KIND_LIST) && !is_dyn(args[1]) &&
	    !is_kind(args[1], (enum kind)KIND_MAP))
		return complain_binary(c, node, args[0], args[1]);
	if (is_kind(args[1], KIND_LIST) && item.kind != KIND_DYN &&
	    !is_dyn(args[0]) &&
	    (item.kind != args[0]->type.kind ||
	     (item.kind == KIND_MONEY && item.unit != args[0]->type.unit)) &&
	    !(is_number(args[0]) &&
	      (item.kind == KIND_INT || item.kind == KIND_DOUBLE)))
		return complain_binary(c, node, args[0], args[1]);
	term = make(c, node, TERM_IN, type_bool, args, 2);
	if (item.kind != args[0]->type.kind)
		term->dynamic = true;
	return fold(c, term);
}

static struct term *check_unary(struct checker *c, const struct node *node) {
	struct term *a = check(c, node->args[0]);
	struct term *term;

	if (!a)
		return NULL;
	if (node->op == OP_NOT) {
		if (!is_kind(a, KIND_BOOL) && !is_dyn(a)) {
			if (c->lenient)
				return unknown(c, node);
			complain_at(c, place_of(c, node), "E206",
				    "`!` turns a condition around, this is %s",
				    name_of_type(c, a->type));
			return NULL;
		}
		return fold(c, make(c, node, TERM_NOT, type_bool, &a, 1));
	}
	if (!is_number(a) && !is_kind(a, KIND_MONEY) &&
	    !is_kind(a, KIND_DURATION) && !is_dyn(a)) {
		if (c->lenient)
			return unknown(c, node);
		complain_at(c, place_of(c, node), "E206",
			    "`-` before %s means nothing",
			    name_of_type(c, a->type));
		return NULL;
	}
	term = fold(c, make(c, node, TERM_NEG, a->type, &a, 1));
	if (term && a->exact)
		term->exact = a->exact[0] == '-'
				      ? a->exact + 1
				      : arena_printf(c->arena, "-%s", a->exact);
	return term;
}

static bool check_condition(struct checker *c, const struct term *term,
			    const char *op) {
	if (is_kind(term, KIND_BOOL) || is_dyn(term) || c->lenient)
		return true;
	complain_at(c, place_term(term), "E206",
		    "%s asks for a condition, this is %s", op,
		    name_of_type(c, term->type));
	return false;
}

/* `missing || true`: what stands beside a constant is never looked at. */
static void warn_swallowed(struct checker *c, const struct term *term,
			   const struct term *one, const struct term *other) {
	bool decides = term->op == TERM_OR;

	if (one->op != TERM_CONST || one->constant.kind != KIND_BOOL ||
	    (one->constant.i != 0) != decides || other->op == TERM_CONST ||
	    c->lenient || c->expansions)
		return;
	complain_at(c, place_term(one), "W602",
		    "this decides alone: `%s` swallows the other side, errors "
		    "included",
		    decides ? "||" : "&&");
}

static struct term *check_logic(struct checker *c, const struct node *node) {
	const char *op = node->kind == NODE_AND ? "`&&`" : "`||`";
	struct term *args[2], *term;
	bool good;

	if (!check_args(c, node->args, 2, args))
		return NULL;
	good = check_condition(c, args[0], op);
	good = check_condition(c, args[1], op) && good;
	if (!good)
		return NULL;
	term = make(c, node, node->kind == NODE_AND ? TERM_AND : TERM_OR,
		    type_bool, args, 2);
	warn_swallowed(c, term, args[0], args[1]);
	warn_swallowed(c, term, args[1], args[0]);
	return fold(c, term);
}

static struct term *check_cond(struct checker *c, const struct node *node) {
	struct term *args[3];
	struct type type;

	if (!check_args(c, node->args, 3, args))
		return NULL;
	if (!check_condition(c, args[0], "`?`") ||
	    !unify(c, node, &args[1], &args[2], &type))
		return NULL;
	return fold(c, make(c, node, TERM_COND, type, args, 3));
}

static struct term *check_index(struct checker *c, const struct node *node) {
	struct term *args[2], *term;
	struct type type = type_dyn;

	if (!check_args(c, node->args, 2, args))
		return NULL;
	if (is_kind(args[0], KIND_LIST)) {
		if (!is_kind(args[1], KIND_INT) && !is_dyn(args[1]))
			return complain_binary(c, node, args[0], args[1]);
		type = type_of_item(args[0]->type);
	} else if (!is_dyn(args[0]) && !is_kind(args[0], (enum kind)KIND_MAP)) {
		if (c->lenient)
			return unknown(c, node);
		complain_at(c, place_of(c, node), "E206",
			    "%s has no parts to pick by [ ]",
			    name_of_type(c, args[0]->type));
		return NULL;
	}
	type.optional = true;
	term = make(c, node, TERM_INDEX, type, args, 2);
	return fold(c, term);
}

static struct term *check_items(struct checker *c, const struct node *node) {
	bool is_map = node->kind == NODE_MAP;
	struct type type = { .kind = is_map ? KIND_MAP : KIND_LIST };
	struct term **args = arena_array(c->arena, struct term *, node->n + 1);
	struct term *term;

	if (!check_args(c, node->args, node->n, args))
		return NULL;
	for (uint32_t i = 0; is_map && !c->lenient && i < node->n; i += 2) {
		if (is_dyn(args[i]) || is_kind(args[i], KIND_INT) ||
		    is_kind(args[i], KIND_STRING) ||
		    is_kind(args[i], KIND_BOOL))
			continue;
		complain_at(c, place_whole(c, node->args[i]), "E206",
			    "the key of a map is int, string or bool, not %s",
			    name_of_type(c, args[i]->type));
		return NULL;
	}
	if (!is_map) {
		type.elem = KIND_DYN;
		for (uint32_t i = 0; i < node->n; i++) {
			uint8_t kind = args[i]->type.kind;

			if (i == 0 && kind >= KIND_BOOL && kind < KIND_LIST) {
				type.elem = kind;
				type.unit = args[i]->type.unit;
			} else if (kind != type.elem) {
				type.elem = KIND_DYN;
			}
		}
	}
	term = make(c, node, is_map ? TERM_MAP : TERM_LIST, type, args,
		    node->n);
	term->dynamic = true;
	if (node->n == 0) {
		term->op = TERM_CONST;
		term->constant.kind = type.kind;
		return term;
	}
	return fold(c, term);
}

static struct term *check_binary(struct checker *c, const struct node *node) {
	struct term *args[2];

	if (node->op == OP_IN)
		return check_in(c, node);
	if (!check_args(c, node->args, 2, args))
		return NULL;
	if (node->op >= OP_EQ)
		return check_compare(c, node, args[0], args[1]);
	return check_sum(c, node, args[0], args[1]);
}

static struct term *check(struct checker *c, const struct node *node) {
	if (c->n_terms >= CHECK_MAX_TERMS)
		return NULL;
	switch ((enum node_kind)node->kind) {
	case NODE_LITERAL:
		return check_literal(c, node);
	case NODE_NAME:
		return check_path(c, node, (const char *const[]){ node->name },
				  1);
	case NODE_SELECT:
		return check_select(c, node);
	case NODE_INDEX:
		return check_index(c, node);
	case NODE_CALL:
		return check_call(c, node, NULL);
	case NODE_METHOD:
		return check_method(c, node, NULL);
	case NODE_LIST:
	case NODE_MAP:
		return check_items(c, node);
	case NODE_UNARY:
		return check_unary(c, node);
	case NODE_BINARY:
		return check_binary(c, node);
	case NODE_AND:
	case NODE_OR:
		return check_logic(c, node);
	case NODE_COND:
		return check_cond(c, node);
	}
	return NULL;
}

/* The whole has to be what was asked for. */
static struct term *check_want(struct checker *c, struct term *term,
			       const struct type *want) {
	const struct node *root = c->ast->root;
	struct term *ret = term;

	if (want->kind == KIND_DYN || is_dyn(term))
		return term;
	if (want->kind == KIND_MONEY)
		ret = to_money(c, term, want->unit);
	else if (want->kind == KIND_DOUBLE && is_kind(term, KIND_INT))
		ret = check_builtin(c, root, builtin_find("double", false),
				    &term, 1);
	if (!ret)
		return NULL;
	if (ret->type.kind == want->kind &&
	    (want->kind != KIND_MONEY || ret->type.unit == want->unit))
		return ret;
	complain_at(c, ast_place(c->ast, root->start, root->end), "E209",
		    "this is %s, and %s is asked for",
		    name_of_type(c, ret->type), name_of_type(c, *want));
	return NULL;
}

struct term *term_check(struct arena *arena, const struct expr_ast *ast,
			const struct expr_env *env, const struct type *want,
			unsigned flags, struct diag *diag) {
	struct checker c = { .arena = arena,
			     .diag = diag,
			     .env = env,
			     .ast = ast,
			     .lenient = flags & EXPR_LENIENT };
	struct term *term;

	find_guards(&c, ast->root);
	term = check(&c, ast->root);
	if (term && want)
		term = check_want(&c, term, want);
	if (c.n_terms >= CHECK_MAX_TERMS)
		return NULL;
	return term;
}
