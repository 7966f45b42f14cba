/*
 * Print: a tree as text that parses to the same tree.
 */
#include "expr/expr.h"

#include "base/text.h"
#include "expr/term.h"

#include <string.h>

enum {
	POWER_COND,
	POWER_OR,
	POWER_AND,
	POWER_CMP,
	POWER_SUM,
	POWER_PRODUCT,
	POWER_UNARY,
	POWER_MEMBER
};

static int power_of(const struct node *node) {
	switch ((enum node_kind)node->kind) {
	case NODE_COND:
		return POWER_COND;
	case NODE_OR:
		return POWER_OR;
	case NODE_AND:
		return POWER_AND;
	case NODE_BINARY:
		if (node->op == OP_ADD || node->op == OP_SUB)
			return POWER_SUM;
		if (node->op == OP_MUL || node->op == OP_DIV ||
		    node->op == OP_MOD)
			return POWER_PRODUCT;
		return POWER_CMP;
	case NODE_UNARY:
		return POWER_UNARY;
	case NODE_LITERAL:
		/* -1 is one word, but (-1).x is not -(1.x) */
		if (node->number && node->number[0] == '-')
			return POWER_UNARY;
		return POWER_MEMBER;
	case NODE_NAME:
	case NODE_SELECT:
	case NODE_INDEX:
	case NODE_CALL:
	case NODE_METHOD:
	case NODE_LIST:
	case NODE_MAP:
		break;
	}
	return POWER_MEMBER;
}

static void print(struct buf *out, const struct node *node, int least);

void expr_print_string(struct buf *out, const char *s, size_t len) {
	buf_putc(out, '\'');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\'' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_puts(out, "\\n");
		else if (c < 32 || c == 127)
			buf_printf(out, "\\x%02x", c);
		else
			buf_putc(out, (char)c);
	}
	buf_putc(out, '\'');
}

static void print_literal(struct buf *out, const struct node *node) {
	switch ((enum kind)node->value.kind) {
	case KIND_BOOL:
		buf_puts(out, node->value.i ? "true" : "false");
		break;
	case KIND_STRING:
		expr_print_string(out, node->value.s, node->value.len);
		break;
	case KIND_INT:
	case KIND_DOUBLE:
		buf_puts(out, node->number);
		break;
	case KIND_MISSING:
	case KIND_NULL:
	case KIND_DATE:
	case KIND_TIMESTAMP:
	case KIND_DURATION:
	case KIND_MONEY:
	case KIND_LIST:
	case KIND_MAX:
		buf_puts(out, "null");
		break;
	}
}

static void print_items(struct buf *out, const struct node *node, uint32_t i,
			const char *open, const char *close) {
	bool is_map = node->kind == NODE_MAP;

	buf_puts(out, open);
	for (uint32_t first = i; i < node->n; i++) {
		if (i > first)
			buf_puts(out, is_map && i % 2 == 1 ? ": " : ", ");
		print(out, node->args[i], POWER_COND);
	}
	buf_puts(out, close);
}

static void print_joined(struct buf *out, const struct node *node,
			 const char *operator, int left, int right) {
	print(out, node->args[0], left);
	buf_printf(out, " %s ", operator);
	print(out, node->args[1], right);
}

static bool begins_with_number(const struct node *node) {
	while (node->kind == NODE_SELECT || node->kind == NODE_METHOD ||
	       node->kind == NODE_INDEX)
		node = node->args[0];
	return node->kind == NODE_LITERAL && node->number;
}

static void print_bare(struct buf *out, const struct node *node) {
	int power = power_of(node);

	switch ((enum node_kind)node->kind) {
	case NODE_LITERAL:
		print_literal(out, node);
		break;
	case NODE_NAME:
		buf_puts(out, node->name);
		break;
	case NODE_SELECT:
		print(out, node->args[0], POWER_MEMBER);
		buf_printf(out, ".%s", node->name);
		break;
	case NODE_INDEX:
		print(out, node->args[0], POWER_MEMBER);
		buf_putc(out, '[');
		print(out, node->args[1], POWER_COND);
		buf_putc(out, ']');
		break;
	case NODE_CALL:
		buf_puts(out, node->name);
		print_items(out, node, 0, "(", ")");
		break;
	case NODE_METHOD:
		print(out, node->args[0], POWER_MEMBER);
		buf_printf(out, ".%s", node->name);
		print_items(out, node, 1, "(", ")");
		break;
	case NODE_LIST:
		print_items(out, node, 0, "[", "]");
		break;
	case NODE_MAP:
		print_items(out, node, 0, "{", "}");
		break;
	case NODE_UNARY:
		buf_puts(out, operator_text(node->op));
		/* a number behind a minus would become one word with it */
		print(out, node->args[0],
		      node->op == OP_NEG && begins_with_number(node->args[0])
			      ? POWER_MEMBER + 1
			      : POWER_UNARY);
		break;
	case NODE_BINARY:
		print_joined(out, node, operator_text(node->op), power,
			     power + 1);
		break;
	case NODE_AND:
		print_joined(out, node, "&&", power, power);
		break;
	case NODE_OR:
		print_joined(out, node, "||", power, power);
		break;
	case NODE_COND:
		print(out, node->args[0], POWER_OR);
		buf_puts(out, " ? ");
		print(out, node->args[1], POWER_OR);
		buf_puts(out, " : ");
		print(out, node->args[2], POWER_COND);
		break;
	}
}

static void print(struct buf *out, const struct node *node, int least) {
	bool parentheses = power_of(node) < least;

	if (parentheses)
		buf_putc(out, '(');
	print_bare(out, node);
	if (parentheses)
		buf_putc(out, ')');
}

void expr_print(struct buf *out, const struct expr_ast *ast) {
	print(out, ast->root, POWER_COND);
}
