/*
 * Code: from terms to instructions, and what a program knows of itself.
 */
#include "expr/code.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define CODE_MAX 0x3fff

struct generator {
	struct arena *arena;
	struct insn *code;
	struct value *constants;
	struct site *sites;
	uint32_t n_code, cap_code;
	uint32_t n_constants, cap_constants;
	uint32_t n_sites, cap_sites;
	bool full; /* more than instructions can name: walk it instead */
};

#define GROW(g, items, n, cap)                                                 \
	do {                                                                   \
		if ((g)->n == (g)->cap) {                                      \
			uint32_t more_ = (g)->cap ? (g)->cap * 2 : 8;          \
			__typeof__((g)->items) new_ = arena_alloc(             \
				(g)->arena, more_ * sizeof(*(g)->items));      \
			if ((g)->n > 0)                                        \
				memcpy(new_, (g)->items,                       \
				       (g)->n * sizeof(*(g)->items));          \
			(g)->items = new_;                                     \
			(g)->cap = more_;                                      \
		}                                                              \
	} while (0)

static uint32_t emit(struct generator *g, enum code_op op, unsigned dst,
		     unsigned a, unsigned b) {
	if (g->n_code == CODE_MAX) {
		g->full = true;
		return 0;
	}
	GROW(g, code, n_code, cap_code);
	g->code[g->n_code] = (struct insn){ .op = (uint16_t)op,
					    .dst = (uint16_t)dst,
					    .a = (uint16_t)a,
					    .b = (uint16_t)b };
	return g->n_code++;
}

static void land(struct generator *g, uint32_t jump) {
	if (!g->full)
		g->code[jump].b = (uint16_t)g->n_code;
}

static unsigned add_constant(struct generator *g, struct value value) {
	if (g->n_constants == CODE_MAX) {
		g->full = true;
		return BANK_CONST;
	}
	GROW(g, constants, n_constants, cap_constants);
	g->constants[g->n_constants] = value;
	return BANK_CONST | g->n_constants++;
}

static unsigned add_site(struct generator *g, struct site site) {
	if (g->n_sites == CODE_MAX) {
		g->full = true;
		return 0;
	}
	GROW(g, sites, n_sites, cap_sites);
	g->sites[g->n_sites] = site;
	return g->n_sites++;
}

/* The operand that has the value of @term; may use temporaries from @temp. */
static unsigned generate(struct generator *g, const struct term *term,
			 unsigned temp);

/* The same, but the value has to lie in @temp. */
static void generate_into(struct generator *g, const struct term *term,
			  unsigned temp) {
	unsigned operand = generate(g, term, temp);

	if (operand != (BANK_TEMP | temp))
		emit(g, CODE_MOVE, temp, operand, 0);
}

enum compared { BY_I, BY_D, BY_S, BY_N };

static enum compared compared_by(const struct term *a, const struct term *b) {
	if (a->type.kind != b->type.kind)
		return BY_N;
	if (a->type.kind == KIND_DOUBLE)
		return BY_D;
	return a->type.kind == KIND_STRING ? BY_S : BY_I;
}

static enum code_op compare_op(const struct term *term) {
	static const enum code_op firsts[] = { CODE_EQ_I, CODE_EQ_D, CODE_EQ_S,
					       CODE_EQ_N };
	enum compared by = compared_by(term->args[0], term->args[1]);

	return firsts[by] + (enum code_op)(term->op - TERM_EQ);
}

static bool has_kinds(const struct term *term, enum kind kind) {
	return term->args[0]->type.kind == kind &&
	       term->args[1]->type.kind == kind;
}

/* CODE_BINARY where there is no instruction of its own. */
static enum code_op sum_op(const struct term *term) {
	if (has_kinds(term, KIND_INT))
		return CODE_ADD_I + (enum code_op)(term->op - TERM_ADD);
	if (has_kinds(term, KIND_DOUBLE) && term->op != TERM_MOD)
		return CODE_ADD_D + (enum code_op)(term->op - TERM_ADD);
	if (has_kinds(term, KIND_MONEY)) {
		if (term->op == TERM_ADD)
			return CODE_ADD_I;
		if (term->op == TERM_SUB)
			return CODE_SUB_I;
		if (term->op == TERM_DIV)
			return CODE_RATIO;
	}
	if (term->op == TERM_MUL && term->args[0]->type.kind == KIND_MONEY)
		return CODE_MUL_M;
	return CODE_BINARY;
}

static enum code_op in_op(const struct term *term) {
	const struct term *list = term->args[1];

	if (term->args[0]->type.kind != list->type.elem)
		return CODE_IN;
	switch ((int)list->type.elem) {
	case KIND_STRING:
		return CODE_IN_S;
	case KIND_INT:
	case KIND_BOOL:
	case KIND_DATE:
	case KIND_MONEY:
		return CODE_IN_I;
	default:
		return CODE_IN;
	}
}

static unsigned generate_binary(struct generator *g, const struct term *term,
				enum code_op op, unsigned temp) {
	unsigned a, b;

	if (op == CODE_BINARY) {
		generate_into(g, term->args[0], temp);
		generate_into(g, term->args[1], temp + 1);
		emit(g, op, temp, BANK_TEMP | temp,
		     add_site(g,
			      (struct site){ .op = (enum term_op)term->op }));
		return BANK_TEMP | temp;
	}
	a = generate(g, term->args[0], temp);
	/* what did not need the temporary leaves it to the other side */
	b = generate(g, term->args[1],
		     a == (BANK_TEMP | temp) ? temp + 1 : temp);
	emit(g, op, temp, a, b);
	return BANK_TEMP | temp;
}

/* The op that is a clause of a chain, of one that only compares. */
static enum code_op fused_op(enum code_op op, bool is_and) {
	return op - CODE_EQ_I + (is_and ? CODE_EQ_I_ALL : CODE_EQ_I_ANY);
}

static void generate_clause(struct generator *g, const struct term *term,
			    bool is_and, unsigned temp) {
	unsigned a, b;

	if (term->op < TERM_EQ || term->op > TERM_GE) {
		a = generate(g, term, temp + 1);
		emit(g, is_and ? CODE_ALL : CODE_ANY, temp, a, 0);
		return;
	}
	a = generate(g, term->args[0], temp + 1);
	b = generate(g, term->args[1],
		     a == (BANK_TEMP | (temp + 1)) ? temp + 2 : temp + 1);
	emit(g, fused_op(compare_op(term), is_and), temp, a, b);
	emit(g, CODE_JUMP, 0, 0, 0); /* the target's word */
}

/* The jumps of one chain: the instructions whose b is to be set at its end. */
struct jumps {
	uint32_t *at;
	uint32_t n;
};

static void generate_clauses(struct generator *g, const struct term *term,
			     enum term_op op, unsigned temp,
			     struct jumps *jumps) {
	if (term->op == op) {
		generate_clauses(g, term->args[0], op, temp, jumps);
		generate_clauses(g, term->args[1], op, temp, jumps);
		return;
	}
	generate_clause(g, term, op == TERM_AND, temp);
	jumps->at[jumps->n++] = g->n_code - 1;
}

static uint32_t count_clauses(const struct term *term, enum term_op op) {
	if (term->op != op)
		return 1;
	return count_clauses(term->args[0], op) +
	       count_clauses(term->args[1], op);
}

static unsigned generate_logic(struct generator *g, const struct term *term,
			       unsigned temp) {
	enum term_op op = (enum term_op)term->op;
	struct jumps jumps = { .at = arena_array(g->arena, uint32_t,
						 count_clauses(term, op)) };

	emit(g, CODE_MOVE, temp, add_constant(g, value_bool(op == TERM_AND)),
	     0);
	generate_clauses(g, term, op, temp, &jumps);
	for (uint32_t i = 0; i < jumps.n; i++)
		land(g, jumps.at[i]);
	return BANK_TEMP | temp;
}

static unsigned generate_cond(struct generator *g, const struct term *term,
			      unsigned temp) {
	unsigned a = generate(g, term->args[0], temp);
	uint32_t missing, other, end;

	missing = emit(g, CODE_MISSING_JUMP, temp, a, 0);
	other = emit(g, CODE_FALSE_JUMP, 0, BANK_TEMP | temp, 0);
	generate_into(g, term->args[1], temp);
	end = emit(g, CODE_JUMP, 0, 0, 0);
	land(g, other);
	generate_into(g, term->args[2], temp);
	land(g, end);
	land(g, missing);
	return BANK_TEMP | temp;
}

static unsigned generate_default(struct generator *g, const struct term *term,
				 unsigned temp) {
	unsigned a = generate(g, term->args[0], temp);
	uint32_t found = emit(g, CODE_FOUND_JUMP, temp, a, 0);

	generate_into(g, term->args[1], temp);
	land(g, found);
	return BANK_TEMP | temp;
}

/* The commonest function of all is worth an instruction. */
static bool is_plain_ratio(const struct term *term) {
	return term->op == TERM_CALL &&
	       strcmp(term->builtin->name, "ratio") == 0 &&
	       term->args[0]->type.kind == term->args[1]->type.kind;
}

static unsigned generate_ratio(struct generator *g, const struct term *term,
			       unsigned temp) {
	return generate_binary(g, term,
			       term->args[0]->type.kind == KIND_DOUBLE
				       ? CODE_RATIO_D
				       : CODE_RATIO,
			       temp);
}

static unsigned generate_call(struct generator *g, const struct term *term,
			      unsigned temp) {
	struct site site = { .builtin = term->builtin,
			     .call = term->call,
			     .zone = term->zone,
			     .n = term->n };
	unsigned at = temp;

	if (temp + term->n + 4 >= CODE_MAX_TEMPS) {
		g->full = true;
		return BANK_TEMP;
	}
	if (term->op == TERM_ENV)
		for (unsigned i = 0; i < term->call->n_hidden; i++)
			emit(g, CODE_MOVE, at++,
			     BANK_FRAME | term->call->hidden[i], 0);
	for (uint32_t i = 0; i < term->n; i++)
		generate_into(g, term->args[i], at++);
	emit(g, term->op == TERM_ENV ? CODE_ENV : CODE_CALL, temp,
	     BANK_TEMP | temp, add_site(g, site));
	return BANK_TEMP | temp;
}

static unsigned generate_unary(struct generator *g, const struct term *term,
			       unsigned temp) {
	unsigned a = generate(g, term->args[0], temp), b = 0;
	enum code_op op = CODE_NOT;

	if (term->op == TERM_HAS)
		op = CODE_HAS;
	else if (term->op == TERM_NEG)
		op = term->type.kind == KIND_DOUBLE ? CODE_NEG_D : CODE_NEG_I;
	else if (term->op == TERM_SCALE)
		op = CODE_SCALE;
	else if (term->op == TERM_MATCH)
		op = CODE_MATCH;
	if (op == CODE_SCALE || op == CODE_MATCH)
		b = add_site(g, (struct site){ .mantissa = term->constant.i,
					       .scale = term->scale,
					       .regex = term->regex });
	emit(g, op, temp, a, b);
	return BANK_TEMP | temp;
}

static unsigned generate(struct generator *g, const struct term *term,
			 unsigned temp) {
	if (temp + 2 >= CODE_MAX_TEMPS) {
		g->full = true;
		return BANK_TEMP;
	}
	switch ((enum term_op)term->op) {
	case TERM_CONST:
		return add_constant(g, term->constant);
	case TERM_SLOT:
		return BANK_FRAME | term->slot;
	case TERM_AND:
	case TERM_OR:
		return generate_logic(g, term, temp);
	case TERM_COND:
		return generate_cond(g, term, temp);
	case TERM_DEFAULT:
		return generate_default(g, term, temp);
	case TERM_NOT:
	case TERM_NEG:
	case TERM_HAS:
	case TERM_SCALE:
	case TERM_MATCH:
		return generate_unary(g, term, temp);
	case TERM_EQ:
	case TERM_NE:
	case TERM_LT:
	case TERM_LE:
	case TERM_GT:
	case TERM_GE:
		return generate_binary(g, term, compare_op(term), temp);
	case TERM_ADD:
	case TERM_SUB:
	case TERM_MUL:
	case TERM_DIV:
	case TERM_MOD:
		return generate_binary(g, term, sum_op(term), temp);
	case TERM_IN:
		return generate_binary(g, term, in_op(term), temp);
	case TERM_INDEX:
		return generate_binary(g, term, CODE_INDEX, temp);
	case TERM_CALL:
		if (is_plain_ratio(term))
			return generate_ratio(g, term, temp);
		return generate_call(g, term, temp);
	case TERM_ENV:
		return generate_call(g, term, temp);
	case TERM_VAR:
	case TERM_HAS_KEY:
	case TERM_DISPATCH:
	case TERM_LIST:
	case TERM_MAP:
	case TERM_SELECT:
	case TERM_EACH:
	case TERM_ERROR:
		break;
	}
	g->full = true;
	return BANK_TEMP;
}

static void mark_slot(uint64_t *bits, unsigned slot) {
	bits[slot / 64] |= UINT64_C(1) << slot % 64;
}

static void find_slots(const struct term *term, uint64_t *bits) {
	if (!term)
		return;
	if (term->op == TERM_SLOT)
		mark_slot(bits, term->slot);
	if (term->op == TERM_ENV)
		for (unsigned i = 0; i < term->call->n_hidden; i++)
			mark_slot(bits, term->call->hidden[i]);
	if (term->op != TERM_CONST)
		for (uint32_t i = 0; i < term->n; i++)
			find_slots(term->args[i], bits);
}

static void list_slots(struct expr *expr, struct arena *arena) {
	uint64_t bits[(BANK_MASK + 1) / 64] = { 0 };
	uint16_t *slots;
	size_t n = 0;

	find_slots(expr->root, bits);
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		n += (size_t)__builtin_popcountll(bits[i]);
	if (n == 0)
		return;
	slots = arena_array(arena, uint16_t, n);
	expr->slots = slots;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		for (uint64_t rest = bits[i]; rest; rest &= rest - 1)
			slots[expr->n_slots++] =
				(uint16_t)(i * 64 +
					   (size_t)__builtin_ctzll(rest));
	}
}

static enum mask find_mask(const struct term *term) {
	enum mask mask = MASK_NONE;

	if (!term || term->op == TERM_CONST)
		return MASK_NONE;
	if (term->op == TERM_ENV)
		mask = term->call->mask;
	for (uint32_t i = 0; i < term->n; i++) {
		enum mask below = find_mask(term->args[i]);

		mask = below > mask ? below : mask;
	}
	return mask;
}

static const char *text_of(struct arena *arena, const struct term *term) {
	CLEANUP(buf_free) struct buf out = { 0 };
	struct expr_ast part = *term->ast;

	if (term->node == term->ast->root)
		return term->ast->text;
	part.root = term->node;
	expr_print(&out, &part);
	return arena_strndup(arena, out.data, out.len);
}

struct expr *expr_from_term(struct arena *arena, const struct term *term,
			    const struct expr_env *env, unsigned flags) {
	struct expr *expr = arena_new(arena, struct expr);
	struct generator g = { .arena = arena };
	unsigned result;

	expr->root = term;
	expr->type = term->type;
	expr->deps = term->deps;
	expr->calendar = env ? env->calendar : NULL;
	expr->dynamic = term->dynamic || (flags & EXPR_WALK);
	expr->text = text_of(arena, term);
	list_slots(expr, arena);
	expr->mask = find_mask(term);
	if (!expr->dynamic) {
		result = generate(&g, term, 0);
		emit(&g, CODE_RETURN, 0, result, 0);
		expr->dynamic = g.full;
		expr->code = g.code;
		expr->n_code = g.n_code;
		expr->constants = g.constants;
		expr->sites = g.sites;
	}
	return expr;
}

int expr_compile_as(struct expr **ret, struct arena *arena,
		    const struct expr_ast *ast, const struct expr_env *env,
		    const struct type *want, unsigned flags,
		    struct diag *diag) {
	struct term *term = term_check(arena, ast, env, want, flags, diag);

	if (!term)
		return -EINVAL;
	*ret = expr_from_term(arena, term, env, flags);
	return 0;
}

int expr_compile(struct expr **ret, struct arena *arena,
		 const struct expr_ast *ast, const struct expr_env *env,
		 const struct type *want, struct diag *diag) {
	return expr_compile_as(ret, arena, ast, env, want, 0, diag);
}

struct type expr_type(const struct expr *expr) {
	return expr->type;
}

unsigned expr_deps(const struct expr *expr) {
	return expr->deps;
}

bool expr_is_dynamic(const struct expr *expr) {
	return expr->dynamic;
}

bool expr_constant(const struct expr *expr, struct value *ret) {
	if (expr->root->op != TERM_CONST)
		return false;
	*ret = expr->root->constant;
	return true;
}

const uint16_t *expr_slots(const struct expr *expr, size_t *n) {
	*n = expr->n_slots;
	return expr->slots;
}

enum mask expr_mask(const struct expr *expr) {
	return expr->mask;
}

const char *expr_text(const struct expr *expr) {
	return expr->text;
}

struct value expr_eval(const struct expr *expr, const struct value *frame,
		       const struct expr_context *context) {
	struct value vars[RUN_MAX_VARS];
	uint32_t budget = RUN_BUDGET;
	struct run run;

	if (!expr->dynamic)
		return run_code(expr, frame, context);
	assert(context && context->scratch);
	run = (struct run){ .frame = frame,
			    .context = context,
			    .calendar = expr->calendar,
			    .scratch = context->scratch,
			    .vars = vars,
			    .budget = &budget };
	return walk(&run, expr->root);
}
