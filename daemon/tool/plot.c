#include "tool/plot.h"

#include <math.h>

#include "base/number.h"
#include "base/util.h"

#define WEEKS_MOST 26
#define COLUMNS_MOST 60
#define LABELS 6
#define BARS_LEAST 8 /* a bar is never wider than one of so many */
#define TOP 14
#define BASE 104 /* where the bars stand */
#define HEIGHT 122

static const struct tally *tally_of(const struct gathered_rule *rule,
				    enum calendar_unit unit) {
	return unit == UNIT_WEEK ? &rule->weeks : &rule->months;
}

const struct tally *plot_tally(const struct gathered_rule *rule,
			       const struct plot_axis *axis) {
	return tally_of(rule, axis->unit);
}

static bool find_span(const struct gather *gather, struct plot_axis *axis) {
	bool any = false;

	for (size_t i = 0; i < gather->n_rules; i++) {
		const struct tally *tally =
			tally_of(&gather->rules[i], axis->unit);
		int64_t first, last;

		if (!tally->n)
			continue;
		first = tally->items[0].period;
		last = tally->items[tally->n - 1].period;
		axis->first = any && axis->first < first ? axis->first : first;
		axis->last = any && axis->last > last ? axis->last : last;
		any = true;
	}
	return any;
}

bool plot_axis(struct plot_axis *ret, const struct gather *gather) {
	struct plot_axis axis = { .unit = UNIT_WEEK };

	if (!find_span(gather, &axis))
		return false;
	if (axis.last - axis.first >= WEEKS_MOST) {
		axis.unit = UNIT_MONTH;
		find_span(gather, &axis);
	}
	if (axis.last - axis.first >= COLUMNS_MOST) {
		axis.first = axis.last - COLUMNS_MOST + 1;
		axis.cut = true;
	}
	*ret = axis;
	return true;
}

static uint64_t sum_levels(const uint64_t *by_level) {
	uint64_t n = 0;

	for (int i = 0; i < LEVELS; i++)
		n += by_level[i];
	return n;
}

static uint64_t most_in(const struct tally *tally,
			const struct plot_axis *axis) {
	uint64_t most = 1;

	for (size_t i = 0; i < tally->n; i++) {
		uint64_t n = sum_levels(tally->items[i].by_level);

		if (tally->items[i].period >= axis->first && n > most)
			most = n;
	}
	return most;
}

/* A hover says what the column is made of. */
static void put_hint(struct page *page, const struct tally_period *at,
		     const char *name) {
	page_puts(page, "<title>");
	page_string(page, name);
	for (int level = LEVEL_RED; level >= LEVEL_NONE; level--) {
		if (!at->by_level[level])
			continue;
		page_puts(page, " · ");
		page_word(page, page_level((enum level)level));
		page_puts(page, " ");
		page_count(page, at->by_level[level]);
	}
	page_puts(page, "</title>");
}

static void put_column(struct page *page, const struct tally_period *at,
		       const char *name, double x, double width, double scale) {
	double y = BASE;

	page_puts(page, "<g>");
	put_hint(page, at, name);
	for (int level = LEVEL_RED; level >= LEVEL_NONE; level--) {
		double height = (double)at->by_level[level] * scale;

		if (!at->by_level[level])
			continue;
		y -= height;
		page_printf(page,
			    "<rect class=\"%s\" x=\"%.2f%%\" y=\"%.2f\" "
			    "width=\"%.2f%%\" height=\"%.2f\"/>",
			    page_level((enum level)level), x, y, width, height);
	}
	page_puts(page, "</g>");
}

static void put_label(struct page *page, const char *anchor, double x, double y,
		      const char *text) {
	page_printf(page, "<text text-anchor=\"%s\" x=\"%.2f%%\" y=\"%.0f\">",
		    anchor, x, y);
	page_string(page, text);
	page_puts(page, "</text>");
}

static void put_line(struct page *page, const char *kind, double x1, double y1,
		     double x2, double y2) {
	page_printf(page,
		    "<line class=\"%s\" x1=\"%.2f%%\" y1=\"%.2f\" "
		    "x2=\"%.2f%%\" y2=\"%.2f\"/>",
		    kind, x1, y1, x2, y2);
}

static void begin_plot(struct page *page, const char *kind, int height,
		       const char *zh, const char *en) {
	page_printf(page,
		    "<svg class=\"%s\" role=\"img\" width=\"100%%\" "
		    "height=\"%d\" aria-label=\"",
		    kind, height);
	page_say(page, zh, en);
	page_puts(page, "\">");
}

static void put_frame(struct page *page, uint64_t most) {
	CLEANUP(buf_free) struct buf text = { 0 };

	number_format(&text, (int64_t)most, 0, true);
	put_line(page, "grid", 0, TOP, 100, TOP);
	put_line(page, "axis", 0, BASE, 100, BASE);
	put_label(page, "start", 0, TOP - 3, buf_cstr(&text));
}

void plot_fired(struct page *page, const struct tally *tally,
		const struct plot_axis *axis, const struct calendar *calendar) {
	int64_t n = axis->last - axis->first + 1;
	int64_t stride = (n + LABELS - 1) / LABELS;
	uint64_t most = most_in(tally, axis);
	double step = 100.0 / fmax((double)n, BARS_LEAST);
	size_t at = 0;

	begin_plot(page, "fired", HEIGHT, "各期触发的预警",
		   "Alerts fired in each period");
	put_frame(page, most);
	for (int64_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf name = { 0 };
		double x = (double)i * step;

		period_name(calendar, axis->unit, axis->first + i, &name);
		while (at < tally->n &&
		       tally->items[at].period < axis->first + i)
			at++;
		if (at < tally->n && tally->items[at].period == axis->first + i)
			put_column(page, &tally->items[at], buf_cstr(&name),
				   x + step * 0.15, step * 0.7,
				   (BASE - TOP) / (double)most);
		if (i % stride == 0)
			put_label(page, "start", x, HEIGHT - 4,
				  buf_cstr(&name));
	}
	page_puts(page, "</svg>");
}

/* Baselines */

static bool number_of(const struct json *json, double *ret) {
	return json_text(json) &&
	       number_parse_double(ret, json->text, json->len) == 0 &&
	       isfinite(*ret);
}

static enum page_money money_of(const struct json *baseline) {
	return json_text(json_get(baseline, "unit")) ? MONEY_IS : MONEY_NOT;
}

struct range {
	double least, most;
};

static void widen(struct range *range, double d) {
	range->least = fmin(range->least, d);
	range->most = fmax(range->most, d);
}

static double height_of(const struct range *range, double d) {
	double span = range->most - range->least;

	return BASE - (span > 0 ? (d - range->least) / span : 0) * (BASE - TOP);
}

static void put_past(struct page *page, const struct range *range,
		     const char *kind, double x, double width,
		     const struct json *value, const char *name,
		     enum page_money money) {
	double d, y, zero = height_of(range, 0);

	if (!number_of(value, &d))
		return;
	y = height_of(range, d);
	page_printf(page,
		    "<rect class=\"%s\" x=\"%.2f%%\" y=\"%.2f\" "
		    "width=\"%.2f%%\" height=\"%.2f\"><title>",
		    kind, x, fmin(y, zero), width, fmax(fabs(zero - y), 1));
	page_string(page, name);
	page_puts(page, " · ");
	page_value(page, value, money);
	page_puts(page, "</title></rect>");
}

static struct range range_of_past(const struct json *past,
				  const struct json *mid,
				  const struct json *now) {
	struct range range = { 0, 0 };
	double d;

	for (const struct json *it = past->first; it; it = it->next) {
		if (number_of(it, &d))
			widen(&range, d);
	}
	if (number_of(mid, &d))
		widen(&range, d);
	if (number_of(now, &d))
		widen(&range, d);
	return range;
}

/* The record has the newest first; a picture has it at the right. */
static void plot_past(struct page *page, const struct json *baseline,
		      const struct json *past, const struct json *now) {
	const struct json *mid = json_get(baseline, "mid");
	struct range range = range_of_past(past, mid, now);
	double step = 100.0 / fmax((double)past->n + 1, BARS_LEAST);
	double x = 100 - step, d;

	begin_plot(page, "past", HEIGHT, "以往各期与本期",
		   "Past periods and this one");
	put_line(page, "axis", 0, height_of(&range, 0), 100,
		 height_of(&range, 0));
	put_past(page, &range, "now", x + step * 0.15, step * 0.7, now,
		 page->language == LANGUAGE_ZH ? "本期" : "now",
		 money_of(baseline));
	put_label(page, "end", 100, HEIGHT - 4,
		  page->language == LANGUAGE_ZH ? "本期" : "now");
	for (const struct json *it = past->first; it; it = it->next) {
		x -= step;
		put_past(page, &range, "then", x + step * 0.15, step * 0.7, it,
			 it->name, money_of(baseline));
		if (!it->next)
			put_label(page, "start", x, HEIGHT - 4, it->name);
	}
	if (number_of(mid, &d))
		put_line(page, "mid", 0, height_of(&range, d), 100,
			 height_of(&range, d));
	page_puts(page, "</svg>");
}

#define SCALE_HEIGHT 64
#define SCALE_Y 34.0

static double across(const struct range *range, double d) {
	double span = range->most - range->least;

	return span > 0 ? 4 + 92 * (d - range->least) / span : 50;
}

static void put_band(struct page *page, const struct range *range,
		     const char *kind, double from, double to) {
	double x = across(range, from);

	page_printf(page,
		    "<rect class=\"%s\" x=\"%.2f%%\" y=\"%.0f\" "
		    "width=\"%.2f%%\" height=\"16\"/>",
		    kind, x, SCALE_Y - 8, across(range, to) - x);
}

/* On a line: the middle, one and three spreads beside it, and where it lies. */
static void plot_scale(struct page *page, const struct json *baseline,
		       const struct json *now) {
	double mid, spread = 0, at = 0;
	bool has_now = number_of(now, &at);
	struct range range;

	if (!number_of(json_get(baseline, "mid"), &mid))
		return;
	if (!number_of(json_get(baseline, "spread"), &spread))
		spread = 0;
	range = (struct range){ mid - 3 * spread, mid + 3 * spread };
	if (has_now)
		widen(&range, at);
	begin_plot(page, "scale", SCALE_HEIGHT, "与同类相比的位置",
		   "Where it lies among its peers");
	put_band(page, &range, "band3", mid - 3 * spread, mid + 3 * spread);
	put_band(page, &range, "band1", mid - spread, mid + spread);
	put_line(page, "axis", 0, SCALE_Y, 100, SCALE_Y);
	put_line(page, "mid", across(&range, mid), SCALE_Y - 12,
		 across(&range, mid), SCALE_Y + 12);
	put_label(page, "middle", across(&range, mid), SCALE_HEIGHT - 4,
		  page->language == LANGUAGE_ZH ? "中间值" : "mid");
	if (has_now) {
		page_printf(page,
			    "<circle class=\"now\" cx=\"%.2f%%\" "
			    "cy=\"%.0f\" r=\"6\"/>",
			    across(&range, at), SCALE_Y);
		put_label(page, "middle", across(&range, at), 14,
			  page->language == LANGUAGE_ZH ? "本次" : "this");
	}
	page_puts(page, "</svg>");
}

static void put_figure(struct page *page, const char *zh, const char *en,
		       const struct json *value, enum page_money money) {
	page_puts(page, "<span>");
	page_say(page, zh, en);
	page_puts(page, " <b>");
	page_value(page, value, money);
	page_puts(page, "</b></span> ");
}

/*
 * In hundredths of the middle. Not in spreads: a rule may ask for a least
 * spread, and its clauses say what it found.
 */
static void put_distance(struct page *page, const struct json *baseline,
			 const struct json *now) {
	double mid, at;

	if (!number_of(now, &at) ||
	    !number_of(json_get(baseline, "mid"), &mid) || fabs(mid) <= 0)
		return;
	page_printf(page, "<span>%+.1f %%</span> ",
		    (at - mid) / fabs(mid) * 100);
}

void plot_baseline(struct page *page, const struct json *baseline,
		   const struct json *now) {
	const struct json *past = json_get(baseline, "past");
	enum page_money money = money_of(baseline);

	if (past && past->n)
		plot_past(page, baseline, past, now);
	else if (!past)
		plot_scale(page, baseline, now);
	page_puts(page, "<p class=\"figures\">");
	put_figure(page, "本次", "this", now, money);
	put_figure(page, "中间值", "mid", json_get(baseline, "mid"), money);
	put_figure(page, "离散", "spread", json_get(baseline, "spread"), money);
	put_figure(page, "样本", "n", json_get(baseline, "n"), MONEY_NOT);
	put_distance(page, baseline, now);
	page_puts(page, "</p>");
}
