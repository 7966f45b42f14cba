/*
 * measure: {alike: max_similar(memo)}: how similar the newest text is to the
 * one before it in the window that it is most similar to, as similar(a, b)
 * has it. So a payment is found that was paid before under another number and
 * with another blank.
 *
 * It is compared with 64 texts at most, from the newest on, and with fewer
 * where they are long: an edit distance costs the product of two lengths, and
 * whoever writes the memos chooses these.
 */
#include "aggregate/list.h"
#include "base/text.h"

#define LONGEST 256u
#define COMPARED 64u
#define STEPS ((size_t)1 << 17)

/* The best so far, exactly: same of longer code points stand. */
struct best {
	size_t same, longer; /* longer 0: nothing was compared */
};

/* How far apart two texts may be, so that they are more alike than @best. */
static bool limit_of(const struct best *best, size_t longer, size_t *limit) {
	size_t least;

	*limit = longer;
	if (!best->longer)
		return true;
	least = best->same * longer / best->longer + 1;
	*limit = longer - least;
	return least <= longer;
}

static void compare(struct best *best, struct value a, struct value b,
		    size_t longer) {
	size_t limit, distance;

	if (!longer) {
		*best = (struct best){ 1, 1 };
		return;
	}
	if (!limit_of(best, longer, &limit))
		return;
	distance = text_distance(a.s, a.len, b.s, b.len, limit);
	if (distance <= limit)
		*best = (struct best){ longer - distance, longer };
}

static struct value scan(const struct contribution *c, size_t n,
			 struct value constant, struct value like,
			 struct arena *arena) {
	struct best best = { 0 };
	size_t len, other, steps = 0, i;

	(void)constant, (void)like, (void)arena;
	if (n < 2)
		return value_missing(n ? MISSING_PREVIOUS : MISSING_EMPTY);
	len = utf8_length(c[n - 1].x.s, c[n - 1].x.len);
	if (len > LONGEST)
		return value_missing(MISSING_ERROR);
	for (i = n - 1; i && n - i <= COMPARED; i--) {
		other = utf8_length(c[i - 1].x.s, c[i - 1].x.len);
		if (other > LONGEST)
			continue;
		steps += len * other;
		if (steps > STEPS)
			break;
		compare(&best, c[n - 1].x, c[i - 1].x,
			len > other ? len : other);
	}
	if (!best.longer)
		return value_missing(MISSING_ERROR);
	return value_double((double)best.same / (double)best.longer);
}

const struct aggregate max_similar_aggregate = {
	.name = "max_similar",
	.summary = "The greatest similarity of the newest text to one of the "
		   "64 before it.",
	.signature = "max_similar(x: string): double",
	.takes_x = true,
	.kinds = 1u << KIND_STRING,
	.result_kind = KIND_DOUBLE,
	.scan = scan,
};
