/*
 * Clauses: the leaves of a condition, for people who ask why, and the
 * constants in them, for the index that asks which rules an event concerns.
 */
#include "expr/code.h"

#include <errno.h>

struct leaves {
	struct arena *arena;
	const struct expr_env *env;
	struct expr_clause *items;
	size_t n;
};

static size_t count_leaves(const struct term *term) {
	if (term->op != TERM_AND && term->op != TERM_OR)
		return 1;
	return count_leaves(term->args[0]) + count_leaves(term->args[1]);
}

static void set_constants(struct expr_clause *clause, uint16_t slot,
			  const struct value *constants, uint32_t n) {
	clause->slot = slot;
	clause->constants = constants;
	clause->n_constants = n;
}

/* `slot == constant`, `slot in [constants]`, `flag`, `!flag`. */
static void find_constants(struct expr_clause *clause,
			   const struct term *term) {
	static const struct value yes = { .kind = KIND_BOOL, .i = 1 };
	static const struct value no = { .kind = KIND_BOOL, .i = 0 };
	const struct term *a = term->n > 0 ? term->args[0] : NULL;
	const struct term *b = term->n > 1 ? term->args[1] : NULL;

	if (term->op == TERM_SLOT)
		set_constants(clause, term->slot, &yes, 1);
	else if (term->op == TERM_NOT && a->op == TERM_SLOT)
		set_constants(clause, a->slot, &no, 1);
	else if (term->op == TERM_IN && a->op == TERM_SLOT &&
		 b->op == TERM_CONST && b->constant.kind == KIND_LIST &&
		 a->type.kind == b->type.elem)
		set_constants(clause, a->slot, b->constant.list,
			      b->constant.len);
	else if (term->op == TERM_EQ && a->type.kind == b->type.kind) {
		if (a->op == TERM_SLOT && b->op == TERM_CONST)
			set_constants(clause, a->slot, &b->constant, 1);
		else if (b->op == TERM_SLOT && a->op == TERM_CONST)
			set_constants(clause, b->slot, &a->constant, 1);
	}
}

static void add_leaf(struct leaves *leaves, const struct term *term,
		     bool conjunct) {
	struct expr_clause *clause = &leaves->items[leaves->n++];
	struct arena *arena = leaves->arena;

	clause->test = expr_from_term(arena, term, leaves->env, 0);
	clause->text = expr_text(clause->test);
	clause->conjunct = conjunct;
	if (term->op >= TERM_EQ && term->op <= TERM_IN) {
		clause->operator= operator_text((enum operator_kind)term->op);
		clause->left =
			expr_from_term(arena, term->args[0], leaves->env, 0);
		clause->right =
			expr_from_term(arena, term->args[1], leaves->env, 0);
	} else if (term->op == TERM_ENV && term->node->kind == NODE_BINARY) {
		clause->operator= "in"; /* lists.x has no value to show */
		clause->left =
			expr_from_term(arena, term->args[0], leaves->env, 0);
	}
	find_constants(clause, term);
}

static void add_leaves(struct leaves *leaves, const struct term *term,
		       bool conjunct) {
	if (term->op != TERM_AND && term->op != TERM_OR) {
		add_leaf(leaves, term, conjunct);
		return;
	}
	conjunct = conjunct && term->op == TERM_AND;
	add_leaves(leaves, term->args[0], conjunct);
	add_leaves(leaves, term->args[1], conjunct);
}

int expr_clauses(struct expr_clause **ret, size_t *n, struct arena *arena,
		 const struct expr_ast *ast, const struct expr_env *env,
		 struct diag *diag) {
	static const struct type condition = { .kind = KIND_BOOL };
	struct leaves leaves = { .arena = arena, .env = env };
	struct term *term = term_check(arena, ast, env, &condition, 0, diag);

	if (!term)
		return -EINVAL;
	leaves.items =
		arena_array(arena, struct expr_clause, count_leaves(term));
	add_leaves(&leaves, term, true);
	*n = leaves.n;
	*ret = leaves.items;
	return 0;
}
