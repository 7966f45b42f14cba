/*
 * The documents of a topic mostly look alike: the same members in the same
 * order, written by one program. So the text between the values is learned
 * from one document and compared with the next, and what stands between is a
 * value:
 *
 *   {"no":"p1","pay":{"amt":12.50},"memo":null}
 *   ------    --------------    ----------    -    compared
 *
 * A text of the form `,"key":` may be left out, as optional members come and
 * go; every other one holds the brackets together and must be there. Since
 * each key stands once in what was learned, a document that fits has each at
 * most once, and has it in its place.
 *
 * A fit is only ever a faster way to the same raws: an escape, a control byte,
 * another order or blank, and walk.c decides. The price of a guess that fails
 * is the text compared so far, so after many failures it is tried less often.
 */
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "event/decoder.h"
#include "event/token.h"

#define MAX_SLOTS 128
#define MAX_TEXT 16384
#define STEP 16 /* bytes that are looked at together */
#define PATIENCE 8
#define RARELY 64

/* A text that is compared, and the value behind it. */
struct slot {
	uint32_t at, len; /* in shape->text */
	int32_t raw;      /* -1: nobody reads the value, or there is none */
	bool optional;    /* `,"key":` */
};

struct shape {
	struct slot slots[MAX_SLOTS + 1]; /* the last has no value */
	size_t n;                         /* with a value; 0: nothing learned */
	uint32_t misses;                  /* since the last fit */
	uint32_t unlike; /* that did not fit since it was learned */
	char text[MAX_TEXT + STEP];
};

struct shape *shape_new(void) {
	return calloc(1, sizeof(struct shape));
}

void shape_free(struct shape *shape) {
	free(shape);
}

/* Learning: a scan of a document that is known to be JSON. */
struct scan {
	struct shape *shape;
	const struct decoder *decoder;
	const char *text, *end;
	uint64_t objects; /* one bit for each open bracket: 1 is an object */
	bool key;         /* the next string is one */
};

static int32_t raw_at(const struct decoder *decoder, const char *s) {
	for (size_t i = 0; i < decoder->n_raws; i++) {
		if (decoder->raws[i].kind != RAW_ABSENT &&
		    decoder->raws[i].s == s)
			return (int32_t)i;
	}
	return -1;
}

static const char *skip_blanks(const char *s, const char *end) {
	while (s < end && memchr(" \t\r\n", *s, 4))
		s++;
	return s;
}

/* Is it `,"key":` and no more? */
static bool is_member(const char *s, const char *end) {
	bool escaped;

	s = skip_blanks(s, end);
	if (s == end || *s++ != ',')
		return false;
	s = skip_blanks(s, end);
	if (s == end || *s++ != '"')
		return false;
	s = token_string(s, end, &escaped);
	if (!s)
		return false;
	s = skip_blanks(s + 1, end);
	if (s == end || *s++ != ':')
		return false;
	return skip_blanks(s, end) == end;
}

/* False: too many to learn. */
static bool add_slot(struct scan *scan, const char *from, const char *to,
		     int32_t raw) {
	struct shape *shape = scan->shape;

	if (shape->n == MAX_SLOTS)
		return false;
	shape->slots[shape->n++] = (struct slot){
		.at = (uint32_t)(from - scan->text),
		.len = (uint32_t)(to - from),
		.raw = raw,
		.optional = is_member(from, to),
	};
	return true;
}

/* Brackets and commas; true if @c was one of them, a colon or a blank. */
static bool scan_mark(struct scan *scan, char c) {
	switch (c) {
	case '{':
	case '[':
		scan->objects = scan->objects << 1 | (c == '{');
		scan->key = c == '{';
		return true;
	case '}':
	case ']':
		scan->objects >>= 1;
		scan->key = false;
		return true;
	case ',':
		scan->key = scan->objects & 1;
		return true;
	case ':':
		scan->key = false;
		return true;
	default:
		return c == ' ' || c == '\t' || c == '\r' || c == '\n';
	}
}

static bool scan_document(struct scan *scan) {
	const char *from = scan->text, *s = scan->text;

	while (s < scan->end) {
		bool string = *s == '"', escaped;
		const char *begin = s;

		if (scan_mark(scan, *s)) {
			s++;
			continue;
		}
		if (string)
			s = token_string(s + 1, scan->end, &escaped) + 1;
		else
			while (s < scan->end && !token_ends(s, scan->end))
				s++;
		if (scan->key)
			continue;
		if (!add_slot(scan, from, begin,
			      raw_at(scan->decoder, begin + string)))
			return false;
		from = s;
	}
	scan->shape->slots[scan->shape->n] = (struct slot){
		.at = (uint32_t)(from - scan->text),
		.len = (uint32_t)(s - from),
		.raw = -1,
	};
	return true;
}

/* What is read must be a value that a shape can find: no list, no object. */
static bool can_learn(const struct decoder *decoder, size_t len) {
	if (len > MAX_TEXT)
		return false;
	for (size_t i = 0; i < decoder->n_raws; i++) {
		if (decoder->raws[i].kind == RAW_ARRAY ||
		    decoder->raws[i].kind == RAW_OBJECT)
			return false;
	}
	return true;
}

void shape_learn(struct decoder *decoder, const char *text, size_t len) {
	struct shape *shape = decoder->shape;
	struct scan scan = { .shape = shape,
			     .decoder = decoder,
			     .text = text,
			     .end = text + len };

	/* One odd document among many is no reason to forget. */
	if (shape->n && ++shape->unlike < PATIENCE)
		return;
	if (!can_learn(decoder, len))
		return;
	shape->n = 0;
	shape->unlike = 0;
	if (!scan_document(&scan)) {
		shape->n = 0;
		return;
	}
	memcpy(shape->text, text, len);
}

/* @room: bytes that may be read at @s, of which @left belong to the text. */
static bool same(const char *s, size_t left, size_t room, const char *want,
		 size_t len) {
	if (len > left)
		return false;
#ifdef __SSE2__
	if (len <= STEP && room >= STEP) {
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)s);
		__m128i b =
			_mm_loadu_si128((const __m128i *)(const void *)want);
		unsigned mask = (1u << len) - 1;

		return ((unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) &
			mask) == mask;
	}
#else
	(void)room;
#endif
	return !memcmp(s, want, len);
}

/* One value at @s; its end, or NULL: no fit. */
static const char *take_value(const char *s, const char *end,
			      const char *readable, struct raw *raw) {
	const char *close;

	if (s == end)
		return NULL;
	if (*s == '"') {
		close = token_mark(s + 1, end, readable);
		if (close == end || *close != '"')
			return NULL;
		raw->kind = RAW_STRING;
		raw->s = s + 1;
		raw->len = (uint32_t)(close - raw->s);
		return close + 1;
	}
	raw->s = s;
	if (*s == 't' || *s == 'f' || *s == 'n') {
		raw->kind = *s == 't'   ? RAW_TRUE
			    : *s == 'f' ? RAW_FALSE
					: RAW_NULL;
		close = token_word(s, end);
	} else {
		raw->kind = RAW_NUMBER;
		close = token_number(s, end);
	}
	if (close)
		raw->len = (uint32_t)(close - s);
	return close;
}

static bool fits(struct decoder *decoder, const char *text, size_t len,
		 bool padded) {
	const struct shape *shape = decoder->shape;
	const char *s = text, *end = text + len;
	const char *readable = padded ? end + STEP : end;

	memset(decoder->raws, 0, decoder->n_raws * sizeof(struct raw));
	for (size_t i = 0; i <= shape->n; i++) {
		const struct slot *slot = &shape->slots[i];
		struct raw unread;

		if (!same(s, (size_t)(end - s), (size_t)(readable - s),
			  shape->text + slot->at, slot->len)) {
			if (slot->optional)
				continue;
			return false;
		}
		s += slot->len;
		if (i == shape->n)
			break;
		/* In its place at once: a copy would wait for the parts. */
		s = take_value(s, end, readable,
			       slot->raw >= 0 ? &decoder->raws[slot->raw]
					      : &unread);
		if (!s)
			return false;
	}
	return s == end && json_is_utf8(text, len);
}

bool shape_match(struct decoder *decoder, const char *text, size_t len,
		 bool padded) {
	struct shape *shape = decoder->shape;

	if (!shape->n || (shape->misses > RARELY && shape->misses % PATIENCE)) {
		shape->misses++;
		return false;
	}
	if (!fits(decoder, text, len, padded)) {
		shape->misses++;
		return false;
	}
	shape->misses = 0;
	decoder->fitted++;
	return true;
}
