/*
 * The whole document is looked at, also what nobody reads: a broken one must
 * be refused whichever fields the rules of the day are about.
 */
#include <errno.h>
#include <string.h>

#include "event/decoder.h"
#include "event/token.h"

struct walk {
	struct decoder *decoder;
	struct arena *scratch;
	const char *text, *end;
	const uint32_t *at; /* the token that is next */
	const uint32_t *stop;
	const char *duplicate; /* field that stands there twice */
};

static enum refusal walk_value(struct walk *walk, struct path_node *node,
			       int depth);

/* The next token's first byte; 0 at the end (a NUL is no token of JSON). */
static char peek(const struct walk *walk) {
	return walk->at < walk->stop ? walk->text[*walk->at] : '\0';
}

static struct path_node *child_of(struct walk *walk, struct path_node *node,
				  const char *key, size_t len) {
	struct path_node *child = walk->decoder->nodes + node->first_child;

	for (uint32_t i = 0; i < node->n_children; i++, child++) {
		if (child->len != len || memcmp(child->key, key, len))
			continue;
		if (child->seen == walk->decoder->document && !walk->duplicate)
			walk->duplicate = child->detail;
		child->seen = walk->decoder->document;
		return child;
	}
	return NULL;
}

static struct path_node *child_of_escaped(struct walk *walk,
					  struct path_node *node,
					  const char *key, size_t len) {
	char *plain = arena_alloc_raw(walk->scratch, len, 1);

	return child_of(walk, node, plain, token_unescape(plain, key, len));
}

static enum refusal walk_member(struct walk *walk, struct path_node *node,
				int depth) {
	const char *s, *close;
	bool escaped;

	if (peek(walk) != '"')
		return REFUSED_NOT_JSON;
	s = walk->text + *walk->at++ + 1;
	close = token_string(s, walk->end, &escaped);
	if (!close || peek(walk) != ':')
		return REFUSED_NOT_JSON;
	walk->at++;
	if (node && node->n_children) {
		size_t len = (size_t)(close - s);

		node = escaped ? child_of_escaped(walk, node, s, len)
			       : child_of(walk, node, s, len);
	} else {
		node = NULL;
	}
	return walk_value(walk, node, depth);
}

/* "/items/0/price": a number in a path is an array's item. */
static struct path_node *item_of(struct walk *walk, struct path_node *node,
				 uint64_t i) {
	char digits[24];
	size_t at = sizeof(digits);

	if (!node || !node->n_children)
		return NULL;
	do {
		digits[--at] = (char)('0' + i % 10);
		i /= 10;
	} while (i);
	return child_of(walk, node, digits + at, sizeof(digits) - at);
}

static enum refusal walk_children(struct walk *walk, struct path_node *node,
				  bool object, int depth) {
	char close = object ? '}' : ']';

	if (depth > JSON_MAX_DEPTH)
		return REFUSED_TOO_DEEP;
	walk->at++;
	if (peek(walk) == close) {
		walk->at++;
		return REFUSED_NOT;
	}
	for (uint64_t i = 0;; i++) {
		enum refusal refusal;

		if (object)
			refusal = walk_member(walk, node, depth);
		else
			refusal =
				walk_value(walk, item_of(walk, node, i), depth);
		if (refusal)
			return refusal;
		if (peek(walk) == close)
			break;
		if (peek(walk) != ',')
			return REFUSED_NOT_JSON;
		walk->at++;
	}
	walk->at++;
	return REFUSED_NOT;
}

static enum refusal walk_scalar(struct walk *walk, struct raw *raw) {
	const char *s = walk->text + *walk->at++;
	const char *close;
	bool escaped;

	if (*s == '"') {
		raw->s = s + 1;
		close = token_string(s + 1, walk->end, &escaped);
		raw->kind = escaped ? RAW_ESCAPED : RAW_STRING;
	} else if (*s == 't' || *s == 'f' || *s == 'n') {
		raw->s = s;
		close = token_word(s, walk->end);
		raw->kind = *s == 't'   ? RAW_TRUE
			    : *s == 'f' ? RAW_FALSE
					: RAW_NULL;
	} else {
		raw->s = s;
		close = token_number(s, walk->end);
		raw->kind = RAW_NUMBER;
	}
	if (!close)
		return REFUSED_NOT_JSON;
	raw->len = (uint32_t)(close - raw->s);
	return REFUSED_NOT;
}

static enum refusal walk_value(struct walk *walk, struct path_node *node,
			       int depth) {
	struct raw raw = { 0 };
	enum refusal refusal;
	char first = peek(walk);

	if (first == '{' || first == '[') {
		raw.s = walk->text + *walk->at;
		raw.kind = first == '{' ? RAW_OBJECT : RAW_ARRAY;
		refusal = walk_children(walk, node, first == '{', depth + 1);
		/* The token that was taken last is the closing bracket. */
		if (!refusal)
			raw.len = (uint32_t)(walk->text + walk->at[-1] + 1 -
					     raw.s);
	} else if (first) {
		refusal = walk_scalar(walk, &raw);
	} else {
		refusal = REFUSED_NOT_JSON;
	}
	if (!refusal && node && node->raw >= 0)
		walk->decoder->raws[node->raw] = raw;
	return refusal;
}

static enum refusal why_not_indexed(int r) {
	return r == -EILSEQ  ? REFUSED_NOT_UTF8
	       : r == -E2BIG ? REFUSED_TOO_LARGE
			     : REFUSED_NOT_JSON;
}

enum refusal walk_document(struct decoder *decoder, const char *text,
			   size_t len, struct arena *scratch,
			   const char **detail) {
	struct walk walk = {
		.decoder = decoder,
		.scratch = scratch,
		.text = text,
		.end = text + len,
	};
	enum refusal refusal;
	size_t n;
	int r;

	r = json_index_build(decoder->index, text, len, &walk.at, &n);
	if (r < 0)
		return why_not_indexed(r);
	walk.stop = walk.at + n;
	decoder->document++;
	memset(decoder->raws, 0, decoder->n_raws * sizeof(struct raw));

	if (peek(&walk) != '{')
		return REFUSED_NOT_JSON;
	refusal = walk_value(&walk, decoder->nodes, 0);
	if (refusal)
		return refusal;
	if (walk.at != walk.stop)
		return REFUSED_NOT_JSON;
	if (walk.duplicate) {
		*detail = walk.duplicate;
		return REFUSED_DUPLICATE_KEY;
	}
	return REFUSED_NOT;
}
