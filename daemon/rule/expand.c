/*
 * Expansion: what a rule says once macros, params and lets stand in place.
 *
 * Done on canonical text, token by token: the text is what identity hashes are
 * made of and what people read, and both want the same thing.
 */
#include <ctype.h>
#include <string.h>

#include "base/hash.h"
#include "rule/compile.h"

#define MAX_DEPTH 16
/* Longer than what compiles; a text that is cut short here never does. */
#define MAX_BYTES ((size_t)1 << 16)

static bool starts_name(char c) {
	return c == '_' || isalpha((unsigned char)c);
}

static bool in_name(char c) {
	return c == '_' || isalnum((unsigned char)c);
}

/* Bytes of the token at @s: a string, a name, a number, or one character. */
static size_t token_length(const char *s) {
	size_t n = 1;

	if (*s == '\'' || *s == '"') {
		while (s[n] && s[n] != *s)
			n += s[n] == '\\' && s[n + 1] ? 2 : 1;
		return s[n] ? n + 1 : n;
	}
	if (starts_name(*s) || isdigit((unsigned char)*s))
		while (in_name(s[n]))
			n++;
	return n;
}

void scan_names(const char *text,
		void (*found)(void *ctx, const char *name, size_t len,
			      const char *rest),
		void *ctx) {
	bool member = false;

	for (const char *s = text; *s;) {
		size_t n = token_length(s);

		if (starts_name(*s) && !member)
			found(ctx, s, n, s + n);
		member = *s == '.';
		s += n;
	}
}

/* A name, a path, a number or one string needs no parentheses. */
static bool is_simple(const char *text) {
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"abcdefghijklmnopqrstuvwxyz0123456789_.");

	return !text[n] || token_length(text) == strlen(text);
}

static void put(struct buf *out, const char *text) {
	if (is_simple(text))
		buf_puts(out, text);
	else
		buf_printf(out, "(%s)", text);
}

static void expand_into(struct rule_build *b, struct buf *out, const char *text,
			unsigned what, unsigned depth);

static void expand_nested(struct rule_build *b, struct buf *out,
			  const char *text, unsigned what, unsigned depth) {
	CLEANUP(buf_free) struct buf inner = { 0 };

	expand_into(b, &inner, text, what, depth + 1);
	put(out, buf_cstr(&inner));
}

/* How many bytes at @s a known name took, its expansion in @out; or 0. */
static size_t expand_name(struct rule_build *b, struct buf *out, const char *s,
			  size_t n, unsigned what, unsigned depth) {
	const struct let *let;
	const struct macro *macro;

	if (s[n] == '(')
		return 0;
	if (what & EXPAND_PARAMS && n == 6 && !memcmp(s, "params", 6) &&
	    s[n] == '.' && starts_name(s[n + 1])) {
		size_t len = token_length(s + n + 1);
		const struct param *param = map_get(&b->params, s + n + 1, len);

		if (!param)
			return 0;
		put(out, param->text);
		return n + 1 + len;
	}
	let = what & EXPAND_LETS ? map_get(&b->lets, s, n) : NULL;
	if (let && !let->broken) {
		expand_nested(b, out, let->text, what, depth);
		return n;
	}
	macro = what & EXPAND_MACROS ? map_get(&b->p->macros, s, n) : NULL;
	if (!macro)
		return 0;
	expand_nested(b, out, macro->text, what, depth);
	return n;
}

static void expand_into(struct rule_build *b, struct buf *out, const char *text,
			unsigned what, unsigned depth) {
	bool member = false;

	for (const char *s = text; *s;) {
		size_t n = token_length(s);
		size_t taken = 0;

		if (starts_name(*s) && !member && depth < MAX_DEPTH &&
		    out->len < MAX_BYTES)
			taken = expand_name(b, out, s, n, what, depth);
		member = *s == '.';
		if (!taken)
			buf_add(out, s, n);
		s += taken ? taken : n;
	}
}

const char *expand_text(struct rule_build *b, const char *text, unsigned what) {
	CLEANUP(buf_free) struct buf out = { 0 };

	expand_into(b, &out, text, what, 0);
	return arena_strdup(b->l->arena, buf_cstr(&out));
}

const char *canonical(struct rule_build *b, const struct yaml_node *node,
		      unsigned what) {
	CLEANUP(buf_free) struct buf text = { 0 };
	struct diag quiet = { 0 };
	struct expr_ast *tree;
	const char *ret = node->text;

	/* Complained about elsewhere, where it is compiled. */
	if (expr_parse(&tree, b->l->arena, node->text, node->len, node->inside,
		       &quiet) == 0) {
		expr_print(&text, tree);
		ret = expand_text(b, buf_cstr(&text), what);
	}
	diag_free(&quiet);
	return ret;
}

/*** the rule as YAML ***/

/* Keys whose texts are expressions; below them all texts are. */
static const char *const expressions[] = {
	"where", "let", "measure", "alert_if", "level", "resolve_if",
};

static struct yaml_node *copy(struct rule_build *b,
			      const struct yaml_node *node, bool expression) {
	struct yaml_node *mine = arena_new(b->l->arena, struct yaml_node);

	*mine = *node;
	switch (node->kind) {
	case YAML_SCALAR:
		if (!expression || yaml_is_null(node))
			break;
		mine->text = canonical(b, node, EXPAND_PARAMS | EXPAND_MACROS);
		mine->len = strlen(mine->text);
		break;
	case YAML_LIST:
		mine->items =
			arena_array(b->l->arena, struct yaml_node *, node->n);
		for (size_t i = 0; i < node->n; i++)
			mine->items[i] = copy(b, node->items[i], expression);
		break;
	case YAML_MAP:
	default:
		mine->pairs =
			arena_array(b->l->arena, struct yaml_pair, node->n);
		for (size_t i = 0; i < node->n; i++)
			mine->pairs[i] = (struct yaml_pair){
				node->pairs[i].key,
				copy(b, node->pairs[i].value,
				     expression &&
					     !yaml_is_text(node->pairs[i].key,
							   "by")),
			};
		break;
	}
	return mine;
}

/* Macros that stand in texts, where nothing was put in place. */
struct macro_scan {
	struct rule_build *b;
	struct buf *out;
};

static void see_macro(void *ctx, const char *name, size_t len,
		      const char *rest) {
	struct macro_scan *scan = ctx;
	const struct macro *macro = map_get(&scan->b->p->macros, name, len);

	(void)rest;
	if (macro)
		buf_printf(scan->out, "%s: %s\n", macro->name,
			   expand_text(scan->b, macro->text, EXPAND_MACROS));
}

static void add_macros(struct rule_build *b, struct buf *out,
		       const struct yaml_node *node) {
	struct macro_scan scan = { b, out };

	if (node->kind == YAML_SCALAR)
		scan_names(node->text, see_macro, &scan);
	for (size_t i = 0; node->kind != YAML_SCALAR && i < node->n; i++)
		add_macros(b, out,
			   node->kind == YAML_LIST ? node->items[i]
						   : node->pairs[i].value);
}

static bool is_expression(const char *key) {
	for (size_t i = 0; i < ARRAY_SIZE(expressions); i++)
		if (!strcmp(expressions[i], key))
			return true;
	return false;
}

void rule_expand(struct rule_build *b) {
	struct yaml_node root = { .kind = YAML_MAP };
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf whole = { 0 };
	CLEANUP(buf_free) struct buf hashed = { 0 };
	struct hash128 hash;

	root.pairs = arena_array(b->l->arena, struct yaml_pair, b->node->n);
	for (size_t i = 0; i < b->node->n; i++) {
		const struct yaml_pair *pair = &b->node->pairs[i];

		if (!strcmp(pair->key->text, "tests"))
			continue;
		root.pairs[root.n++] = (struct yaml_pair){
			pair->key,
			copy(b, pair->value, is_expression(pair->key->text)),
		};
	}
	yaml_write(&text, &root, 2);
	buf_add(&hashed, text.data, text.len);
	for (size_t i = 0; i < root.n; i++)
		if (!is_expression(root.pairs[i].key->text))
			add_macros(b, &hashed, root.pairs[i].value);
	hash = hash128(hashed.data, hashed.len, 0);
	memcpy(b->rule->hash, &hash, sizeof(hash));

	buf_printf(&whole, "# %s\n", b->rule->full);
	for (size_t i = 0; i < b->source->notes.n; i++)
		buf_printf(&whole, "# %s\n",
			   (const char *)b->source->notes.items[i]);
	/* The first key opens the item of the list. */
	buf_puts(&whole, "- ");
	buf_add(&whole, text.data + 2, text.len - 2);
	b->rule->expansion = arena_strdup(b->l->arena, buf_cstr(&whole));
}
