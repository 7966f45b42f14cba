/*
 * Ast: the tree of an expression as it was written.
 *
 * Nodes lie in the arena that was given to expr_parse() and are never changed.
 * A node knows where it stands by offsets into its tree's text, so a complaint
 * about a macro points into the macro, not to where the macro is used.
 */
#pragma once

#include "base/diag.h"
#include "tocsin/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Expressions come from files that people edit, and from people who may not
 * mean well: these bound the memory and the stack that one may take.
 */
#define EXPR_MAX_TEXT 65536
#define EXPR_MAX_DEPTH 160
#define EXPR_MAX_NODES 16384

enum node_kind {
	NODE_LITERAL,
	NODE_NAME,   /* name */
	NODE_SELECT, /* args[0].name */
	NODE_INDEX,  /* args[0][args[1]] */
	NODE_CALL,   /* name(args…) */
	NODE_METHOD, /* args[0].name(args[1]…) */
	NODE_LIST,
	NODE_MAP, /* key, value, key, value … */
	NODE_UNARY,
	NODE_BINARY,
	NODE_AND,
	NODE_OR,
	NODE_COND
};

enum operator_kind {
	OP_NOT,
	OP_NEG,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_IN
};

struct node {
	uint8_t kind;   /* enum node_kind */
	uint8_t op;     /* enum operator_kind, of NODE_UNARY and NODE_BINARY */
	uint16_t depth; /* of the tree below */
	uint32_t start; /* bytes into the text */
	uint32_t end;
	uint32_t at; /* the operator, or the name: where a complaint points */
	uint32_t at_end;
	uint32_t n;
	struct node **args;
	const char *name;
	const char
		*number; /* decimal text of a number: money is made from it */
	struct value value; /* of a literal */
};

struct expr_ast {
	const struct node *root;
	const char *text;
	uint32_t len;
	uint32_t n_nodes;
	struct place place; /* of the text's first byte */
};

const char *operator_text(enum operator_kind op);
/* The place of the bytes from @start to @end of the tree's text. */
struct place ast_place(const struct expr_ast *ast, uint32_t start,
		       uint32_t end);
/* The path of a dotted name; 0 if @node is no such thing or is too long. */
#define AST_MAX_PATH 8
size_t ast_path(const struct node *node, const char *path[AST_MAX_PATH]);
