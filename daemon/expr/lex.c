#include "expr/lex.h"

#include "base/number.h"
#include "base/text.h"
#include "base/util.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static unsigned hex_digit(char c) {
	if (is_digit(c))
		return (unsigned)(c - '0');
	return (unsigned)((c | 32) - 'a') + 10;
}

static bool is_letter(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char peek(const struct lexer *lexer, uint32_t ahead) {
	uint32_t at = lexer->at + ahead;

	return at < lexer->ast->len ? lexer->ast->text[at] : '\0';
}

static struct place here(const struct lexer *lexer, uint32_t start,
			 uint32_t end) {
	return ast_place(lexer->ast, start, end);
}

static void skip_blanks(struct lexer *lexer) {
	while (lexer->at < lexer->ast->len) {
		char c = peek(lexer, 0);

		if (c == '/' && peek(lexer, 1) == '/') {
			while (lexer->at < lexer->ast->len &&
			       peek(lexer, 0) != '\n')
				lexer->at++;
		} else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' ||
			   c == '\f') {
			lexer->at++;
		} else {
			break;
		}
	}
}

static int lex_hex(struct lexer *lexer, struct token *ret) {
	uint64_t n = 0;
	bool fits = true;

	lexer->at += 2;
	for (; is_hex(peek(lexer, 0)); lexer->at++) {
		fits = fits && n >> 60 == 0;
		n = n << 4 | hex_digit(peek(lexer, 0));
	}
	if (!fits || n > (uint64_t)INT64_MAX + 1)
		return diag_at(lexer->diag, here(lexer, ret->start, lexer->at),
			       "E201", "the number does not fit 64 bits");
	ret->too_big = n == (uint64_t)INT64_MAX + 1;
	ret->value = value_int(ret->too_big ? INT64_MIN : (int64_t)n);
	ret->number = arena_printf(lexer->arena, "%llu", (unsigned long long)n);
	return 0;
}

static int lex_number(struct lexer *lexer, struct token *ret) {
	const char *text = lexer->ast->text + ret->start;
	bool is_double = false;
	size_t len;

	while (is_digit(peek(lexer, 0)))
		lexer->at++;
	if (peek(lexer, 0) == '.' && is_digit(peek(lexer, 1))) {
		is_double = true;
		lexer->at++;
		while (is_digit(peek(lexer, 0)))
			lexer->at++;
	}
	if ((peek(lexer, 0) | 32) == 'e') {
		uint32_t sign = peek(lexer, 1) == '-' || peek(lexer, 1) == '+';

		if (is_digit(peek(lexer, 1 + sign))) {
			is_double = true;
			lexer->at += 1 + sign;
			while (is_digit(peek(lexer, 0)))
				lexer->at++;
		}
	}
	len = lexer->at - ret->start;
	ret->number = arena_strndup(lexer->arena, text, len);
	if (is_double) {
		double d;

		if (number_parse_double(&d, text, len) < 0)
			return diag_at(lexer->diag,
				       here(lexer, ret->start, lexer->at),
				       "E201", "this is not a number");
		ret->value = value_double(d);
	} else {
		int64_t i;

		if (number_parse_plain(&i, text, len, 0) < 0) {
			while (len > 1 && *text == '0')
				text++, len--;
			if (len != 19 ||
			    memcmp(text, "9223372036854775808", 19) != 0)
				return diag_at(
					lexer->diag,
					here(lexer, ret->start, lexer->at),
					"E201",
					"the number does not fit 64 bits");
			ret->too_big = true;
			i = INT64_MIN;
		}
		ret->value = value_int(i);
	}
	return 0;
}

/* The code point behind a backslash, or -EINVAL. */
static int lex_escape(struct lexer *lexer, uint32_t *ret) {
	static const char plain[] = "abfnrtv\\'\"`?";
	static const char meant[] = "\a\b\f\n\r\t\v\\'\"`?";
	uint32_t start = lexer->at - 1;
	char c = peek(lexer, 0);
	const char *found = c != '\0' ? strchr(plain, c) : NULL;
	unsigned digits = 0;
	uint32_t n = 0;

	lexer->at++;
	if (found) {
		*ret = (uint8_t)meant[found - plain];
		return 0;
	}
	if (c >= '0' && c <= '3' && peek(lexer, 0) >= '0' &&
	    peek(lexer, 0) <= '7' && peek(lexer, 1) >= '0' &&
	    peek(lexer, 1) <= '7') {
		*ret = (uint32_t)(c - '0') * 64 +
		       (uint32_t)(peek(lexer, 0) - '0') * 8 +
		       (uint32_t)(peek(lexer, 1) - '0');
		lexer->at += 2;
		return 0;
	}
	if (c == 'x' || c == 'X')
		digits = 2;
	else if (c == 'u')
		digits = 4;
	else if (c == 'U')
		digits = 8;
	for (unsigned i = 0; i < digits; i++) {
		if (!is_hex(peek(lexer, 0)))
			goto broken;
		n = n << 4 | hex_digit(peek(lexer, 0));
		lexer->at++;
	}
	if (digits == 0 || n > 0x10ffff || (n >= 0xd800 && n < 0xe000))
		goto broken;
	*ret = n;
	return 0;
broken:
	return diag_at(lexer->diag, here(lexer, start, lexer->at), "E201",
		       "this escape means nothing");
}

static int lex_string(struct lexer *lexer, struct token *ret, bool raw) {
	CLEANUP(buf_free) struct buf out = { 0 };
	char quote = peek(lexer, 0);
	bool triple = peek(lexer, 1) == quote && peek(lexer, 2) == quote;
	uint32_t code_point = 0;

	lexer->at += triple ? 3 : 1;
	for (;;) {
		char c = peek(lexer, 0);

		if (lexer->at >= lexer->ast->len ||
		    (!triple && (c == '\n' || c == '\r')))
			return diag_at(lexer->diag,
				       here(lexer, ret->start, lexer->at),
				       "E201", "this string does not end");
		if (c == quote && (!triple || (peek(lexer, 1) == quote &&
					       peek(lexer, 2) == quote)))
			break;
		if (c == '\\' && !raw) {
			lexer->at++;
			if (lex_escape(lexer, &code_point) < 0)
				return -EINVAL;
			utf8_put(&out, code_point);
		} else {
			buf_putc(&out, c);
			lexer->at++;
		}
	}
	lexer->at += triple ? 3 : 1;
	ret->kind = TOKEN_STRING;
	ret->value = value_string(
		arena_strndup(lexer->arena, out.data ? out.data : "", out.len),
		(uint32_t)out.len);
	return 0;
}

static int lex_punct(struct lexer *lexer, struct token *ret) {
	static const char *const pairs[] = {
		"==", "!=", "<=", ">=", "&&", "||"
	};
	char c = peek(lexer, 0);
	size_t bytes;
	uint32_t code_point;

	ret->kind = TOKEN_PUNCT;
	ret->punct[0] = c;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (c == pairs[i][0] && peek(lexer, 1) == pairs[i][1]) {
			ret->punct[1] = pairs[i][1];
			lexer->at += 2;
			return 0;
		}
	}
	if (c != '\0' && strchr("()[]{}.,:?!-+*/%<>", c)) {
		lexer->at++;
		return 0;
	}
	bytes = utf8_next(lexer->ast->text + lexer->at,
			  lexer->ast->len - lexer->at, &code_point);
	if (bytes == 0)
		return diag_at(lexer->diag,
			       here(lexer, lexer->at, lexer->at + 1), "E201",
			       "this is not UTF-8");
	if (c == '=')
		return diag_at(lexer->diag,
			       here(lexer, lexer->at, lexer->at + 1), "E201",
			       "`=` means nothing here; `==` compares");
	if (c == '&' || c == '|')
		return diag_at(lexer->diag,
			       here(lexer, lexer->at, lexer->at + 1), "E201",
			       "`%c` means nothing here; `%c%c` joins", c, c,
			       c);
	return diag_at(lexer->diag,
		       here(lexer, lexer->at, lexer->at + (uint32_t)bytes),
		       "E201", "`%.*s` means nothing here", (int)bytes,
		       lexer->ast->text + lexer->at);
}

static bool is_quote(char c) {
	return c == '"' || c == '\'';
}

static int lex_word(struct lexer *lexer, struct token *ret) {
	char c = peek(lexer, 0);

	if ((c == 'r' || c == 'R') && is_quote(peek(lexer, 1))) {
		lexer->at++;
		return lex_string(lexer, ret, true);
	}
	if ((c == 'b' || c == 'B') && is_quote(peek(lexer, 1)))
		return diag_at(lexer->diag,
			       here(lexer, lexer->at, lexer->at + 1), "E201",
			       "there are no bytes here; write a string");
	while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
		lexer->at++;
	ret->kind = TOKEN_NAME;
	ret->name = arena_strndup(lexer->arena, lexer->ast->text + ret->start,
				  lexer->at - ret->start);
	return 0;
}

int lex_next(struct lexer *lexer, struct token *ret) {
	char c;
	int r;

	skip_blanks(lexer);
	*ret = (struct token){ .start = lexer->at, .end = lexer->at };
	c = peek(lexer, 0);
	if (lexer->at >= lexer->ast->len)
		r = 0;
	else if (is_letter(c))
		r = lex_word(lexer, ret);
	else if (is_quote(c))
		r = lex_string(lexer, ret, false);
	else if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))) {
		ret->kind = TOKEN_NUMBER;
		if (c == '0' && (peek(lexer, 1) | 32) == 'x' &&
		    is_hex(peek(lexer, 2)))
			r = lex_hex(lexer, ret);
		else
			r = lex_number(lexer, ret);
		if (r == 0 && (peek(lexer, 0) | 32) == 'u')
			r = diag_at(lexer->diag,
				    here(lexer, ret->start, lexer->at + 1),
				    "E201",
				    "there are no unsigned numbers here; "
				    "leave the `u` out");
		else if (r == 0 && is_letter(peek(lexer, 0)))
			r = diag_at(lexer->diag,
				    here(lexer, ret->start, lexer->at + 1),
				    "E201",
				    "a name cannot begin with a digit; a "
				    "duration is written duration('30m')");
	} else
		r = lex_punct(lexer, ret);
	ret->end = lexer->at;
	return r;
}
