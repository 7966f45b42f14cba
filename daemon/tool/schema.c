#include "tool/schema.h"

#include <stdlib.h>
#include <string.h>

#include "tool/expect.h"
#include "tool/script.h"

/* In the order in which the reference explains them. */
const struct shape *const all_shapes[] = {
	&package_shape,  &stream_shape,       &field_shape,    &numbers_shape,
	&source_shape,   &source_field_shape, &table_shape,    &list_shape,
	&calendar_shape, &rule_shape,         &texts_shape,    &input_shape,
	&window_shape,   &until_shape,        &measure_shape,  &baseline_shape,
	&level_shape,    &exception_shape,    &evidence_shape, &score_shape,
	&by_level_shape, &override_shape,     &test_shape,     &expect_shape,
};
const size_t n_shapes = ARRAY_SIZE(all_shapes);

#define UNIT_FIXED "(ms|[smhdw])"
#define SCALAR "{\"type\":[\"string\",\"number\",\"boolean\"]}"

/* What one word of a type is; what is not here is a choice of words. */
static const struct {
	const char *word, *schema;
} words[] = {
	{ "text", SCALAR },
	{ "expression", SCALAR },
	{ "type", "{\"type\":\"string\"}" },
	{ "date", "{\"type\":\"string\",\"pattern\":"
		  "\"^[0-9]{4}-[0-9]{2}-[0-9]{2}$\"}" },
	{ "fixed", "{\"type\":\"string\",\"pattern\":"
		   "\"^([0-9]+" UNIT_FIXED ")+$\"}" },
	{ "duration", "{\"type\":\"string\",\"pattern\":"
		      "\"^(([0-9]+" UNIT_FIXED ")+|[0-9]+(bd|mo|y))$\"}" },
	{ "any", "true" },
};

static void put_type(struct buf *out, const char *s, size_t len);

static bool begins(const char *s, size_t len, const char *with) {
	size_t n = strlen(with);

	return len >= n && !memcmp(s, with, n);
}

/* How long the first alternative is; " or " within brackets is not ours. */
static size_t alternative(const char *s, size_t len) {
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (strchr("[{<", s[i]))
			depth++;
		else if (strchr("]}>", s[i]))
			depth--;
		else if (!depth && begins(s + i, len - i, " or "))
			return i;
	}
	return len;
}

static void put_choice(struct buf *out, const char *s, size_t len) {
	buf_puts(out, "{\"enum\":[");
	while (len) {
		const char *bar = memchr(s, '|', len);
		size_t n = bar ? (size_t)(bar - s) : len;

		buf_comma(out);
		if ((*s >= '0' && *s <= '9') || begins(s, n, "true") ||
		    begins(s, n, "false"))
			buf_add(out, s, n);
		else
			buf_json_string(out, s, n);
		n += bar != NULL;
		s += n;
		len -= n;
	}
	buf_puts(out, "]}");
}

static void put_range(struct buf *out, const char *s, const char *dots,
		      size_t len) {
	bool whole = !memchr(s, '.', (size_t)(dots - s));

	buf_printf(out, "{\"type\":\"%s\",\"minimum\":%.*s,\"maximum\":%.*s}",
		   whole ? "integer" : "number", (int)(dots - s), s,
		   (int)(len - (size_t)(dots - s) - 2), dots + 2);
}

static void put_one(struct buf *out, const char *s, size_t len) {
	const char *dots = memmem(s, len, "..", 2);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i].word) == len &&
		    !memcmp(words[i].word, s, len)) {
			buf_puts(out, words[i].schema);
			return;
		}
	if (*s == '[' || *s == '{') {
		buf_puts(out, *s == '[' ? "{\"type\":\"array\",\"items\":"
					: "{\"type\":\"object\","
					  "\"additionalProperties\":");
		put_type(out, s + 1, len - 2);
		buf_putc(out, '}');
	} else if (*s == '<') {
		buf_printf(out, "{\"$ref\":\"#/$defs/%.*s\"}", (int)len - 2,
			   s + 1);
	} else if (dots) {
		put_range(out, s, dots, len);
	} else {
		put_choice(out, s, len);
	}
}

static void put_type(struct buf *out, const char *s, size_t len) {
	bool several = alternative(s, len) < len;

	buf_puts(out, several ? "{\"anyOf\":[" : "");
	while (len) {
		size_t n = alternative(s, len);

		if (several)
			buf_comma(out);
		put_one(out, s, n);
		n += n < len ? strlen(" or ") : 0;
		s += n;
		len -= n;
	}
	buf_puts(out, several ? "]}" : "");
}

/* A description beside $ref or anyOf is allowed since 2019-09. */
static void put_key(struct buf *out, const struct shape_key *key) {
	buf_puts(out, "\n    ");
	buf_json_key(out, key->name);
	put_type(out, key->type, strlen(key->type));
	if (out->data[out->len - 1] != '}')
		return; /* true: whatever it is */
	out->len--;
	buf_puts(out, ",\"description\":");
	buf_json_string(out, key->help, strlen(key->help));
	buf_putc(out, '}');
}

static void put_shape(struct buf *out, const struct shape *shape) {
	buf_puts(out, "\"type\":\"object\",\"properties\":{");
	for (size_t i = 0; i < shape->n; i++) {
		if (shape->keys[i].type == SHAPE_LATER)
			continue;
		buf_comma(out);
		put_key(out, &shape->keys[i]);
	}
	buf_puts(out, "},\n   \"patternProperties\":{\"^x-\":true},"
		      "\"additionalProperties\":false,\"required\":[");
	for (size_t i = 0; i < shape->n; i++) {
		const struct shape_key *key = &shape->keys[i];

		if (!key->initial || strcmp(key->initial, "required") != 0)
			continue;
		buf_comma(out);
		buf_json_string(out, key->name, strlen(key->name));
	}
	buf_putc(out, ']');
}

void schema_print(struct buf *out) {
	buf_puts(out, "{\"$schema\":"
		      "\"https://json-schema.org/draft/2020-12/schema\",\n"
		      " \"title\":\"A file of Tocsin's rules\",\n"
		      " \"$comment\":\"printed by tocsin reference --format "
		      "schema\",\n ");
	put_shape(out, all_shapes[0]);
	buf_puts(out, ",\n \"$defs\":{");
	for (size_t i = 1; i < n_shapes; i++) {
		buf_comma(out);
		buf_puts(out, "\n  ");
		buf_json_key(out, all_shapes[i]->name);
		buf_puts(out, "{");
		put_shape(out, all_shapes[i]);
		buf_puts(out, "}");
	}
	buf_puts(out, "}}\n");
}
