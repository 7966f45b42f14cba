/*
 * Lex: CEL's words.
 */
#pragma once

#include "base/arena.h"
#include "expr/ast.h"

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,   /* a reserved word too: the parser tells them apart */
	TOKEN_NUMBER, /* value is int or double, number the decimal text */
	TOKEN_STRING,
	TOKEN_PUNCT /* punct */
};

struct token {
	enum token_kind kind;
	uint32_t start, end;
	char punct[3];
	bool too_big; /* 9223372036854775808, allowed behind a minus only */
	const char *name;
	const char *number;
	struct value value;
};

struct lexer {
	struct arena *arena;
	struct diag *diag;
	const struct expr_ast *ast;
	uint32_t at;
};

/* 0, or -EINVAL after a complaint. */
int lex_next(struct lexer *lexer, struct token *ret);
