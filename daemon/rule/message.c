/*
 * Messages: texts with {values} in them.
 *
 * `{total|money}`: an expression of the judging frame and how it is shown.
 * Two braces are one: `{{` and `}}`.
 */
#include <errno.h>
#include <string.h>

#include "rule/compile.h"

static const char *const formats[] = {
	"money", "wan", "yi", "pct", "int", "date", "time", "plain",
};

struct message {
	struct rule_build *b;
	const struct yaml_node *node;
	struct pointers parts; /* struct text_part */
	struct buf literal;
};

static void flush(struct message *m) {
	struct text_part *part;

	if (!m->literal.len)
		return;
	part = arena_new(m->b->l->arena, struct text_part);
	part->literal =
		arena_strndup(m->b->l->arena, m->literal.data, m->literal.len);
	pointers_add(&m->parts, m->b->l->arena, part);
	buf_reset(&m->literal);
}

/* Where the braces that open before @at close, and the bar, if any, before. */
static size_t find_close(const char *s, size_t at, size_t *bar) {
	char quote = 0;
	int depth = 0;

	*bar = 0;
	for (; s[at]; at++) {
		if (quote)
			quote = s[at] == quote ? 0 : quote;
		else if (s[at] == '\'' || s[at] == '"')
			quote = s[at];
		else if (strchr("([{", s[at]))
			depth++;
		else if (s[at] == '}' && !depth)
			return at;
		else if (strchr(")]}", s[at]))
			depth--;
		else if (s[at] == '|' && s[at + 1] == '|')
			at++;
		else if (s[at] == '|' && !depth)
			*bar = at;
	}
	return at;
}

static bool is_amount(struct type type) {
	return type.kind == KIND_MONEY || type.kind == KIND_INT ||
	       type.kind == KIND_DOUBLE;
}

static bool fits(const char *format, struct type type) {
	if (type.kind == KIND_DYN || !strcmp(format, "plain"))
		return true;
	if (!strcmp(format, "date") || !strcmp(format, "time"))
		return type.kind == KIND_TIMESTAMP || type.kind == KIND_DATE;
	if (!strcmp(format, "pct") || !strcmp(format, "int"))
		return type.kind == KIND_INT || type.kind == KIND_DOUBLE;
	return is_amount(type);
}

static int read_format(struct message *m, size_t from, size_t to,
		       struct text_part *part) {
	CLEANUP(buf_free) struct buf type = { 0 };
	struct arena *arena = m->b->l->arena;
	const char *name =
		arena_strndup(arena, m->node->text + from, to - from);
	struct place place = yaml_place(m->node, from, to - from);

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (strcmp(formats[i], name) != 0)
			continue;
		part->format = formats[i];
		if (fits(name, expr_type(part->value)))
			return 0;
		type_format(&type, expr_type(part->value));
		return diag_at(m->b->l->diag, place, "E206",
			       "the format `%s` cannot show %s", name,
			       buf_cstr(&type));
	}
	return shape_unknown(m->b->l->diag, place, "there is no format", name,
			     formats, ARRAY_SIZE(formats));
}

/* @at is behind the brace; returns where the text goes on, 0: complained. */
static size_t read_value(struct message *m, size_t at) {
	struct text_part *part = arena_new(m->b->l->arena, struct text_part);
	const char *s = m->node->text;
	size_t bar;
	size_t close = find_close(s, at, &bar);
	size_t end = bar ? bar : close;

	if (!s[close]) {
		diag_at(m->b->l->diag, yaml_place(m->node, at - 1, 1), "E301",
			"this brace is not closed; write {{ for a brace that "
			"is meant");
		return 0;
	}
	if (end == at) {
		diag_at(m->b->l->diag, yaml_place(m->node, at - 1, 2), "E301",
			"nothing stands in these braces");
		return close + 1;
	}
	part->value =
		compile_judging_text(m->b, s + at, end - at,
				     yaml_place(m->node, at, end - at), NULL);
	if (!part->value)
		return close + 1;
	if (bar && read_format(m, bar + 1, close, part) < 0)
		return close + 1;
	flush(m);
	pointers_add(&m->parts, m->b->l->arena, part);
	return close + 1;
}

static void finish(struct message *m, struct text *ret) {
	struct text_part *parts;

	flush(m);
	parts = arena_array(m->b->l->arena, struct text_part, m->parts.n);
	for (size_t i = 0; i < m->parts.n; i++)
		parts[i] = *(const struct text_part *)m->parts.items[i];
	ret->parts = parts;
	ret->n = m->parts.n;
	buf_free(&m->literal);
}

int compile_text(struct rule_build *b, const struct yaml_node *node,
		 struct text *ret) {
	struct message m = { .b = b, .node = node };
	size_t before = b->l->diag->n_errors;

	for (size_t at = 0; at < node->len;) {
		char c = node->text[at];

		if ((c == '{' || c == '}') && node->text[at + 1] == c) {
			buf_putc(&m.literal, c);
			at += 2;
		} else if (c == '{') {
			at = read_value(&m, at + 1);
			if (!at)
				break;
		} else {
			buf_putc(&m.literal, c);
			at++;
		}
	}
	finish(&m, ret);
	return b->l->diag->n_errors > before ? -EINVAL : 0;
}

static const struct shape_key languages[] = {
	{ "zh", "text", NULL, "in Chinese" },
	{ "en", "text", NULL, "in English" },
};
const struct shape texts_shape = { "texts", languages, ARRAY_SIZE(languages) };

void compile_texts(struct rule_build *b, const struct yaml_node *node,
		   const char *key, struct texts *ret) {

	if (node->kind == YAML_SCALAR) {
		/* A text without a language is for everybody. */
		compile_text(b, node, &ret->in[LANGUAGE_ZH]);
		ret->in[LANGUAGE_EN] = ret->in[LANGUAGE_ZH];
		ret->given[LANGUAGE_ZH] = ret->given[LANGUAGE_EN] = true;
		return;
	}
	if (shape_is(b->l->diag, node, YAML_MAP, key) < 0)
		return;
	shape_keys(b->l->diag, node, arena_printf(b->l->arena, "`%s`", key),
		   languages, ARRAY_SIZE(languages));
	for (unsigned i = 0; i < LANGUAGE_MAX; i++) {
		const struct yaml_node *text =
			yaml_get(node, languages[i].name);

		if (!text || shape_is(b->l->diag, text, YAML_SCALAR, key) < 0)
			continue;
		compile_text(b, text, &ret->in[i]);
		ret->given[i] = true;
	}
}
