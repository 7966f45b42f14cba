/*
 * Parse: CEL's grammar by precedence climbing.
 *
 * A chain of && (or of ||) becomes a balanced tree: the two are associative,
 * errors included, and a list of five hundred alternatives that somebody
 * generated must not be five hundred levels deep.
 */
#include "expr/expr.h"

#include "base/number.h"
#include "base/text.h"
#include "expr/ast.h"
#include "expr/lex.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct parser {
	struct lexer lexer;
	struct token token;
	struct expr_ast *ast;
	unsigned depth;
};

const char *operator_text(enum operator_kind op) {
	static const char *const texts[] = {
		[OP_NOT] = "!", [OP_NEG] = "-", [OP_ADD] = "+", [OP_SUB] = "-",
		[OP_MUL] = "*", [OP_DIV] = "/", [OP_MOD] = "%", [OP_EQ] = "==",
		[OP_NE] = "!=", [OP_LT] = "<",  [OP_LE] = "<=", [OP_GT] = ">",
		[OP_GE] = ">=", [OP_IN] = "in",
	};

	return texts[op];
}

/* The blanks that a block scalar took from the front of a line. */
static uint32_t indent_of(const struct source *source, uint32_t line) {
	const char *at, *end;
	uint32_t n = 0;

	if (!source || !source->text)
		return 0;
	at = source->text;
	end = at + source->len;
	while (line > 1 && at < end) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return 0;
		at++;
		line--;
	}
	while (at + n < end && at[n] == ' ')
		n++;
	return n;
}

struct place ast_place(const struct expr_ast *ast, uint32_t start,
		       uint32_t end) {
	struct place place = ast->place;
	uint32_t line_start = 0;

	if (start > ast->len)
		start = ast->len;
	if (end > ast->len)
		end = ast->len;
	for (uint32_t i = 0; i < start; i++) {
		if (ast->text[i] == '\n') {
			place.line++;
			line_start = i + 1;
		}
	}
	if (line_start > 0)
		place.column = 1 + indent_of(place.source, place.line);
	place.column += (uint32_t)utf8_length(ast->text + line_start,
					      start - line_start);
	place.width = end > start ? (uint32_t)utf8_length(ast->text + start,
							  end - start)
				  : 1;
	return place;
}

size_t ast_path(const struct node *node, const char *path[AST_MAX_PATH]) {
	const struct node *walk = node;
	size_t n = 1, i;

	while (walk->kind == NODE_SELECT) {
		walk = walk->args[0];
		n++;
	}
	if (walk->kind != NODE_NAME || n > AST_MAX_PATH)
		return 0;
	for (i = n; i-- > 0;) {
		path[i] = node->name;
		if (i > 0)
			node = node->args[0];
	}
	return n;
}

static int complain(struct parser *p, const char *expected) {
	const struct token *t = &p->token;
	struct place place = ast_place(p->ast, t->start, t->end);

	if (t->kind == TOKEN_END)
		return diag_at(p->lexer.diag, place, "E201",
			       "the expression ends where %s should be",
			       expected);
	return diag_at(p->lexer.diag, place, "E201",
		       "expected %s, found `%.*s`", expected,
		       (int)(t->end - t->start), p->ast->text + t->start);
}

static int advance(struct parser *p) {
	return lex_next(&p->lexer, &p->token);
}

static bool is_punct(const struct parser *p, const char *punct) {
	return p->token.kind == TOKEN_PUNCT &&
	       strcmp(p->token.punct, punct) == 0;
}

static int expect(struct parser *p, const char *punct) {
	char what[8];

	if (!is_punct(p, punct)) {
		snprintf(what, sizeof(what), "`%s`", punct);
		return complain(p, what);
	}
	return advance(p);
}

static int too_deep(struct parser *p) {
	return diag_at(p->lexer.diag,
		       ast_place(p->ast, p->token.start, p->token.end), "E202",
		       "the expression is nested more than %d deep",
		       EXPR_MAX_DEPTH);
}

/* A node over @args; NULL after a complaint when the tree grew too big. */
static struct node *make(struct parser *p, enum node_kind kind,
			 struct node *const *args, uint32_t n) {
	struct node *node = arena_new(p->lexer.arena, struct node);
	unsigned depth = 0;

	node->kind = (uint8_t)kind;
	node->n = n;
	if (n > 0) {
		node->args = arena_array(p->lexer.arena, struct node *, n);
		memcpy(node->args, args, n * sizeof(*args));
		node->start = args[0]->start;
		node->end = args[n - 1]->end;
	}
	for (uint32_t i = 0; i < n; i++)
		if (args[i]->depth > depth)
			depth = args[i]->depth;
	node->depth = (uint16_t)(depth + 1);
	if (node->depth > EXPR_MAX_DEPTH) {
		too_deep(p);
		return NULL;
	}
	if (++p->ast->n_nodes > EXPR_MAX_NODES) {
		diag_at(p->lexer.diag,
			ast_place(p->ast, p->token.start, p->token.end), "E202",
			"the expression has more than %d parts",
			EXPR_MAX_NODES);
		return NULL;
	}
	return node;
}

static int parse_expr(struct parser *p, struct node **ret);

/* Arguments that grow; the arena keeps the old arrays, which are small. */
struct nodes {
	struct node **items;
	uint32_t n, cap;
};

static void nodes_add(struct arena *arena, struct nodes *nodes,
		      struct node *node) {
	if (nodes->n == nodes->cap) {
		uint32_t cap = nodes->cap ? nodes->cap * 2 : 4;
		struct node **items = arena_array(arena, struct node *, cap);

		if (nodes->n > 0)
			memcpy(items, nodes->items, nodes->n * sizeof(*items));
		nodes->items = items;
		nodes->cap = cap;
	}
	nodes->items[nodes->n++] = node;
}

/* What stands before @close, separated by commas; @pairs for a map. */
static int parse_items(struct parser *p, struct nodes *items, const char *close,
		       bool is_map, uint32_t *end) {
	struct node *node;
	int r;

	while (!is_punct(p, close)) {
		r = parse_expr(p, &node);
		if (r < 0)
			return r;
		nodes_add(p->lexer.arena, items, node);
		if (is_map) {
			r = expect(p, ":");
			if (r < 0)
				return r;
			r = parse_expr(p, &node);
			if (r < 0)
				return r;
			nodes_add(p->lexer.arena, items, node);
		}
		if (!is_punct(p, ","))
			break;
		r = advance(p);
		if (r < 0)
			return r;
		if (is_punct(p, close) && strcmp(close, ")") == 0)
			return complain(p, "an argument");
	}
	*end = p->token.end;
	return expect(p, close);
}

static bool is_reserved(const char *name) {
	static const char *const words[] = {
		"as",       "break",     "const",  "continue", "else", "for",
		"function", "if",        "import", "in",       "let",  "loop",
		"package",  "namespace", "return", "var",      "void", "while",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(name, words[i]) == 0)
			return true;
	return false;
}

static int parse_literal(struct parser *p, struct node **ret,
			 struct value value) {
	struct node *node = make(p, NODE_LITERAL, NULL, 0);

	if (!node)
		return -EINVAL;
	node->value = value;
	node->number = p->token.number;
	node->start = node->at = p->token.start;
	node->end = node->at_end = p->token.end;
	*ret = node;
	return advance(p);
}

static int parse_name(struct parser *p, struct node **ret) {
	struct token name = p->token;
	struct nodes args = { 0 };
	struct node *node;
	uint32_t end = name.end;
	int r;

	if (strcmp(name.name, "true") == 0 || strcmp(name.name, "false") == 0)
		return parse_literal(p, ret, value_bool(name.name[0] == 't'));
	if (strcmp(name.name, "null") == 0)
		return parse_literal(p, ret,
				     (struct value){ .kind = KIND_NULL });
	if (strcmp(name.name, "in") == 0)
		return complain(p, "a value");
	if (is_reserved(name.name))
		return diag_at(p->lexer.diag,
			       ast_place(p->ast, name.start, name.end), "E201",
			       "`%s` is a reserved word", name.name);
	r = advance(p);
	if (r < 0)
		return r;
	if (is_punct(p, "(")) {
		r = advance(p);
		if (r < 0)
			return r;
		r = parse_items(p, &args, ")", false, &end);
		if (r < 0)
			return r;
		node = make(p, NODE_CALL, args.items, args.n);
	} else {
		node = make(p, NODE_NAME, NULL, 0);
	}
	if (!node)
		return -EINVAL;
	node->name = name.name;
	node->start = node->at = name.start;
	node->at_end = name.end;
	node->end = end;
	*ret = node;
	return 0;
}

static int parse_group(struct parser *p, struct node **ret) {
	struct token open = p->token;
	struct nodes items = { 0 };
	struct node *node;
	uint32_t end;
	int r;

	r = advance(p);
	if (r < 0)
		return r;
	if (open.punct[0] == '(') {
		r = parse_expr(p, &node);
		if (r < 0)
			return r;
		end = p->token.end;
		r = expect(p, ")");
		if (r < 0)
			return r;
		*ret = node;
		return 0;
	}
	r = parse_items(p, &items, open.punct[0] == '[' ? "]" : "}",
			open.punct[0] == '{', &end);
	if (r < 0)
		return r;
	node = make(p, open.punct[0] == '[' ? NODE_LIST : NODE_MAP, items.items,
		    items.n);
	if (!node)
		return -EINVAL;
	node->start = node->at = open.start;
	node->end = node->at_end = end;
	*ret = node;
	return 0;
}

static int parse_primary(struct parser *p, struct node **ret) {
	int r;

	if (is_punct(p, ".")) { /* a leading dot: the outermost name */
		r = advance(p);
		if (r < 0)
			return r;
		if (p->token.kind != TOKEN_NAME)
			return complain(p, "a name");
	}
	switch (p->token.kind) {
	case TOKEN_NAME:
		return parse_name(p, ret);
	case TOKEN_NUMBER:
		if (p->token.too_big)
			return diag_at(
				p->lexer.diag,
				ast_place(p->ast, p->token.start, p->token.end),
				"E201", "the number does not fit 64 bits");
		return parse_literal(p, ret, p->token.value);
	case TOKEN_STRING:
		return parse_literal(p, ret, p->token.value);
	case TOKEN_PUNCT:
		if (is_punct(p, "(") || is_punct(p, "[") || is_punct(p, "{"))
			return parse_group(p, ret);
		break;
	case TOKEN_END:
		break;
	}
	return complain(p, "a value");
}

static int parse_select(struct parser *p, struct node **ret) {
	struct nodes args = { 0 };
	struct node *node = *ret;
	struct token name;
	uint32_t end;
	int r;

	r = advance(p);
	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_NAME)
		return complain(p, "a name");
	name = p->token;
	end = name.end;
	nodes_add(p->lexer.arena, &args, node);
	r = advance(p);
	if (r < 0)
		return r;
	if (is_punct(p, "(")) {
		r = advance(p);
		if (r < 0)
			return r;
		r = parse_items(p, &args, ")", false, &end);
		if (r < 0)
			return r;
		node = make(p, NODE_METHOD, args.items, args.n);
	} else {
		node = make(p, NODE_SELECT, args.items, args.n);
	}
	if (!node)
		return -EINVAL;
	node->name = name.name;
	node->at = name.start;
	node->at_end = name.end;
	node->end = end;
	*ret = node;
	return 0;
}

static int parse_index(struct parser *p, struct node **ret) {
	struct node *args[2] = { *ret, NULL };
	uint32_t at = p->token.start, end;
	int r;

	r = advance(p);
	if (r < 0)
		return r;
	r = parse_expr(p, &args[1]);
	if (r < 0)
		return r;
	end = p->token.end;
	r = expect(p, "]");
	if (r < 0)
		return r;
	*ret = make(p, NODE_INDEX, args, 2);
	if (!*ret)
		return -EINVAL;
	(*ret)->at = at;
	(*ret)->end = (*ret)->at_end = end;
	return 0;
}

/* `.name`, `.name(…)` and `[…]` behind *ret. */
static int parse_members(struct parser *p, struct node **ret) {
	int r = 0;

	while (r == 0) {
		if (is_punct(p, "."))
			r = parse_select(p, ret);
		else if (is_punct(p, "["))
			r = parse_index(p, ret);
		else
			break;
	}
	return r;
}

/* A minus before a number is part of it, so -1.abs() is (-1).abs(). */
static int parse_negative(struct parser *p, struct node **ret,
			  struct token minus) {
	struct value value = p->token.value;
	int r;

	if (value.kind == KIND_DOUBLE)
		value.d = -value.d;
	else if (!p->token.too_big)
		value.i = -value.i;
	p->token.number = arena_printf(p->lexer.arena, "-%s", p->token.number);
	p->token.start = minus.start;
	r = parse_literal(p, ret, value);
	return r < 0 ? r : parse_members(p, ret);
}

static int parse_unary(struct parser *p, struct node **ret) {
	struct token token = p->token;
	struct node *node;
	int r;

	if (!is_punct(p, "!") && !is_punct(p, "-")) {
		r = parse_primary(p, ret);
		return r < 0 ? r : parse_members(p, ret);
	}
	if (p->depth == EXPR_MAX_DEPTH)
		return too_deep(p);
	r = advance(p);
	if (r < 0)
		return r;
	if (token.punct[0] == '-' && p->token.kind == TOKEN_NUMBER)
		return parse_negative(p, ret, token);
	p->depth++;
	r = parse_unary(p, ret);
	p->depth--;
	if (r < 0)
		return r;
	node = make(p, NODE_UNARY, ret, 1);
	if (!node)
		return -EINVAL;
	node->op = token.punct[0] == '!' ? OP_NOT : OP_NEG;
	node->start = node->at = token.start;
	node->at_end = token.end;
	*ret = node;
	return 0;
}

struct level {
	const char *text;
	enum operator_kind op;
	int power;
};

static const struct level *binary_operator(const struct parser *p) {
	static const struct level levels[] = {
		{ "==", OP_EQ, 1 }, { "!=", OP_NE, 1 }, { "<", OP_LT, 1 },
		{ "<=", OP_LE, 1 }, { ">", OP_GT, 1 },  { ">=", OP_GE, 1 },
		{ "+", OP_ADD, 2 }, { "-", OP_SUB, 2 }, { "*", OP_MUL, 3 },
		{ "/", OP_DIV, 3 }, { "%", OP_MOD, 3 }, { "in", OP_IN, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (p->token.kind == TOKEN_NAME
			    ? strcmp(p->token.name, levels[i].text) == 0
			    : is_punct(p, levels[i].text))
			return &levels[i];
	}
	return NULL;
}

static int parse_binary(struct parser *p, struct node **ret, int least) {
	const struct level *level;
	struct node *args[2], *node;
	struct token token;
	int r;

	r = parse_unary(p, ret);
	if (r < 0)
		return r;
	for (;;) {
		level = binary_operator(p);
		if (!level || level->power < least)
			return 0;
		token = p->token;
		r = advance(p);
		if (r < 0)
			return r;
		args[0] = *ret;
		r = parse_binary(p, &args[1], level->power + 1);
		if (r < 0)
			return r;
		node = make(p, NODE_BINARY, args, 2);
		if (!node)
			return -EINVAL;
		node->op = (uint8_t)level->op;
		node->at = token.start;
		node->at_end = token.end;
		*ret = node;
	}
}

static struct node *balance(struct parser *p, enum node_kind kind,
			    struct node **items, uint32_t n) {
	struct node *args[2], *node;

	if (n == 1)
		return items[0];
	args[0] = balance(p, kind, items, (n + 1) / 2);
	args[1] = args[0] ? balance(p, kind, items + (n + 1) / 2, n / 2) : NULL;
	if (!args[0] || !args[1])
		return NULL;
	node = make(p, kind, args, 2);
	if (node) {
		node->at = args[0]->end;
		node->at_end = args[1]->start;
	}
	return node;
}

static int parse_chain(struct parser *p, struct node **ret,
		       enum node_kind kind) {
	struct nodes items = { 0 };
	struct node *node;
	int r;

	for (;;) {
		if (kind == NODE_OR)
			r = parse_chain(p, &node, NODE_AND);
		else
			r = parse_binary(p, &node, 1);
		if (r < 0)
			return r;
		nodes_add(p->lexer.arena, &items, node);
		if (!is_punct(p, kind == NODE_OR ? "||" : "&&"))
			break;
		r = advance(p);
		if (r < 0)
			return r;
	}
	*ret = balance(p, kind, items.items, items.n);
	return *ret ? 0 : -EINVAL;
}

static int parse_cond(struct parser *p, struct node **ret) {
	struct node *args[3];
	uint32_t at;
	int r;

	r = parse_chain(p, ret, NODE_OR);
	if (r < 0 || !is_punct(p, "?"))
		return r;
	at = p->token.start;
	r = advance(p);
	if (r < 0)
		return r;
	args[0] = *ret;
	r = parse_chain(p, &args[1], NODE_OR);
	if (r < 0)
		return r;
	r = expect(p, ":");
	if (r < 0)
		return r;
	r = parse_expr(p, &args[2]);
	if (r < 0)
		return r;
	*ret = make(p, NODE_COND, args, 3);
	if (!*ret)
		return -EINVAL;
	(*ret)->at = at;
	(*ret)->at_end = at + 1;
	return 0;
}

static int parse_expr(struct parser *p, struct node **ret) {
	int r;

	if (p->depth == EXPR_MAX_DEPTH)
		return too_deep(p);
	p->depth++;
	r = parse_cond(p, ret);
	p->depth--;
	return r;
}

int expr_parse(struct expr_ast **ret, struct arena *arena, const char *text,
	       size_t len, struct place place, struct diag *diag) {
	struct expr_ast *ast = arena_new(arena, struct expr_ast);
	struct parser p = { .ast = ast };
	struct node *root;
	int r;

	ast->place = place;
	if (len > EXPR_MAX_TEXT)
		return diag_at(diag, place, "E202",
			       "the expression is longer than %d bytes",
			       EXPR_MAX_TEXT);
	ast->text = arena_strndup(arena, text, len);
	ast->len = (uint32_t)len;
	p.lexer = (struct lexer){ .arena = arena, .diag = diag, .ast = ast };
	if (!utf8_is_valid(text, len))
		return diag_at(diag, place, "E201",
			       "the expression is not UTF-8");
	r = advance(&p);
	if (r < 0)
		return r;
	if (p.token.kind == TOKEN_END)
		return diag_at(diag, place, "E201", "the expression is empty");
	r = parse_expr(&p, &root);
	if (r < 0)
		return r;
	if (p.token.kind != TOKEN_END)
		return complain(&p, "an operator");
	ast->root = root;
	*ret = ast;
	return 0;
}

struct expr_ast *expr_literal(struct arena *arena, const char *text, size_t len,
			      bool is_string, struct place place) {
	struct expr_ast *ast = arena_new(arena, struct expr_ast);
	struct node *node = arena_new(arena, struct node);
	int64_t i;
	double d;

	ast->text = arena_strndup(arena, text, len);
	ast->len = (uint32_t)len;
	ast->place = place;
	ast->n_nodes = 1;
	ast->root = node;
	node->kind = NODE_LITERAL;
	node->depth = 1;
	node->end = node->at_end = ast->len;
	node->value = value_string(ast->text, ast->len);
	if (is_string)
		return ast;
	if ((len == 4 && memcmp(text, "true", 4) == 0) ||
	    (len == 5 && memcmp(text, "false", 5) == 0)) {
		node->value = value_bool(len == 4);
	} else if (len == 4 && memcmp(text, "null", 4) == 0) {
		node->value = (struct value){ .kind = KIND_NULL };
	} else if (len > 0 && (text[0] == '-' || text[0] == '.' ||
			       (text[0] >= '0' && text[0] <= '9'))) {
		if (!memchr(text, '.', len) && !memchr(text, 'e', len) &&
		    !memchr(text, 'E', len) &&
		    number_parse_plain(&i, text, len, 0) == 0) {
			node->value = value_int(i);
			node->number = ast->text;
		} else if (number_parse_double(&d, text, len) == 0) {
			node->value = value_double(d);
			node->number = ast->text;
		}
	}
	return ast;
}
