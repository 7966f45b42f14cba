#include "tool/html.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/util.h"
#include "tool/card.h"
#include "tool/gather.h"
#include "tool/html.css.h"
#include "tool/html.js.h"
#include "tool/page.h"
#include "tool/plot.h"
#include "tool/rules.h"

#define WORST 10
#define FILES_MOST 40

struct html {
	const struct ruleset *set;
	struct gather gather;
	struct page page;
	struct arena arena;
	char *path, *draft;
	FILE *file;
	usec_t earliest; /* INT64_MAX: no event yet */
	struct plot_axis axis;
	const struct html_facts *facts;
};

int html_new(struct html **ret, const char *path, const struct ruleset *set,
	     enum language language) {
	struct html *html = calloc(1, sizeof(*html));

	if (!html)
		abort();
	*html = (struct html){ .set = set,
			       .page.language = language,
			       .earliest = INT64_MAX };
	html->path = strdup(path);
	if (!html->path || asprintf(&html->draft, "%s.part", path) < 0)
		abort();
	gather_init(&html->gather, set);
	html->file = fopen(html->draft, "we");
	if (!html->file) {
		int r = -errno;

		html_free(html);
		return r;
	}
	*ret = html;
	return 0;
}

void html_free(struct html *html) {
	if (!html)
		return;
	if (html->file) {
		fclose(html->file);
		unlink(html->draft);
	}
	gather_free(&html->gather);
	buf_free(&html->page.out);
	arena_free(&html->arena);
	free(html->path);
	free(html->draft);
	free(html);
}

void html_events(struct html *html, struct event *const *events, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (!events[i]->refusal && events[i]->time < html->earliest)
			html->earliest = events[i]->time;
	}
}

void html_take(struct html *html, const struct outbox_item *item) {
	gather_take(&html->gather, item);
}

static void flush(struct html *html) {
	fwrite(html->page.out.data, 1, html->page.out.len, html->file);
	buf_reset(&html->page.out);
}

/* The head */

/* What is not ours cannot run: the policy names our script and no other. */
static void put_digest(struct page *page, const char *kind, const char *text) {
	unsigned char base64[45]; /* of 32 bytes, and a NUL */
	uint8_t hash[32];

	sha256(text, strlen(text), hash);
	EVP_EncodeBlock(base64, hash, sizeof(hash));
	page_printf(page, " %s-src 'sha256-%s';", kind, (char *)base64);
}

static void begin_document(struct page *page) {
	page_printf(page,
		    "<!DOCTYPE html>\n<html lang=\"%s\"><head>"
		    "<meta charset=\"utf-8\"/>"
		    "<meta http-equiv=\"Content-Security-Policy\" "
		    "content=\"default-src 'none';",
		    page->language == LANGUAGE_ZH ? "zh-CN" : "en");
	put_digest(page, "style", html_css);
	put_digest(page, "script", html_js);
	page_puts(page, " base-uri 'none'; form-action 'none'\"/>"
			"<meta name=\"viewport\" "
			"content=\"width=device-width, initial-scale=1\"/>"
			"<meta name=\"color-scheme\" content=\"light dark\"/>"
			"<title>");
	page_say(page, "警钟 回放报告", "Tocsin replay report");
	page_puts(page, "</title><style>");
	page_puts(page, html_css);
	page_puts(page, "</style></head>\n<body><header><h1>");
	page_say(page, "警钟 回放报告", "Tocsin replay report");
	page_puts(page, "</h1>");
}

static void put_tile(struct page *page, const char *kind, uint64_t n) {
	page_printf(page, "<li class=\"%s\"><b>", kind);
	page_count(page, n);
	page_puts(page, "</b><span>");
	page_word(page, kind);
	page_puts(page, "</span></li>");
}

static void put_tiles(struct html *html) {
	struct page *page = &html->page;
	uint64_t by_level[LEVELS] = { 0 }, open = 0, fired = 0;

	for (size_t i = 0; i < html->gather.n_rules; i++) {
		for (int level = 0; level < LEVELS; level++)
			by_level[level] +=
				html->gather.rules[i].by_level[level];
		fired += html->gather.rules[i].fired;
		open += engine_rule_counters(html->facts->engine, i)->open;
	}
	page_puts(page, "<ul class=\"tiles\"><li><b>");
	page_count(page, fired);
	page_puts(page, "</b><span>");
	page_say(page, "预警", "alerts");
	page_puts(page, "</span></li>");
	for (int level = LEVEL_RED; level > LEVEL_NONE; level--)
		put_tile(page, level_name((enum level)level), by_level[level]);
	if (by_level[LEVEL_NONE])
		put_tile(page, "none", by_level[LEVEL_NONE]);
	page_puts(page, "<li><b>");
	page_count(page, open);
	page_puts(page, "</b><span>");
	page_say(page, "期末未结", "open at the end");
	page_puts(page, "</span></li></ul>");
}

static void begin_fact(struct page *page, const char *zh, const char *en) {
	page_puts(page, "<dt>");
	page_say(page, zh, en);
	page_puts(page, "</dt><dd>");
}

static void put_paths(struct html *html) {
	struct page *page = &html->page;
	const struct inputs *inputs = html->facts->inputs;

	begin_fact(page, "规则", "Rules");
	for (size_t i = 0; i < html->facts->n_rules; i++) {
		page_puts(page, i ? " · " : "");
		page_string(page, html->facts->rules[i]);
	}
	page_puts(page, "</dd>");
	begin_fact(page, "文件", "Files");
	for (size_t i = 0; i < inputs->n && i < FILES_MOST; i++) {
		page_puts(page, i ? " · " : "");
		page_string(page, inputs->items[i].stream->name);
		page_puts(page, "=");
		page_string(page, inputs->items[i].path);
	}
	if (inputs->n > FILES_MOST) {
		page_puts(page, " · … +");
		page_count(page, inputs->n - FILES_MOST);
	}
	page_puts(page, "</dd>");
}

static void put_head_facts(struct html *html) {
	const struct html_facts *facts = html->facts;
	struct page *page = &html->page;

	page_puts(page, "<dl class=\"head\">");
	begin_fact(page, "期间", "Period");
	if (html->earliest == INT64_MAX) {
		page_puts(page, "—");
	} else {
		page_instant(page, html->earliest, facts->zone);
		page_puts(page, " — ");
		page_instant(page, engine_greatest_time(facts->engine),
			     facts->zone);
	}
	page_puts(page, "</dd>");
	put_paths(html);
	begin_fact(page, "截至", "As of");
	page_instant(page, facts->as_of, facts->zone);
	page_puts(page, "</dd>");
	begin_fact(page, "规则指纹", "Rules hash");
	page_puts(page, "<code>");
	buf_hex(&page->out, html->set->hash, sizeof(html->set->hash));
	page_puts(page, "</code></dd>");
	begin_fact(page, "版本", "Version");
	page_puts(page, "tocsin " TOCSIN_VERSION "</dd></dl>");
}

/* A number, and below it what it is made of. */
static void begin_number(struct page *page, uint64_t n) {
	page_puts(page, n ? "<td class=\"n\">" : "<td class=\"n zero\">");
	page_count(page, n);
}

static void put_part(struct page *page, const char *slug, uint64_t n) {
	if (!n)
		return;
	page_puts(page, "<small>");
	page_word(page, slug);
	page_puts(page, " <b>");
	page_count(page, n);
	page_puts(page, "</b></small> ");
}

static void put_number(struct page *page, uint64_t n) {
	begin_number(page, n);
	page_puts(page, "</td>");
}

static void put_heading(struct page *page, const char *zh, const char *en) {
	page_puts(page, "<th class=\"n\">");
	page_say(page, zh, en);
	page_puts(page, "</th>");
}

static void put_row_counts(struct page *page, const char *name,
			   const struct stream_counters *count) {
	page_puts(page, "<tr><td>");
	page_string(page, name);
	page_puts(page, "</td>");
	put_number(page, count->read);
	put_number(page, count->kept);
	put_number(page, count->refused);
	put_number(page, count->duplicate);
	put_number(page, count->late);
	page_puts(page, "<td>");
	for (int i = 1; i < REFUSED_MAX; i++)
		put_part(page, refusal_name((enum refusal)i),
			 count->refused_by[i]);
	page_puts(page, "</td></tr>");
}

/* read = kept + refused + duplicate */
static void put_rows(struct html *html) {
	struct page *page = &html->page;
	struct stream_counters all = { 0 };

	page_puts(page, "<h2>");
	page_say(page, "读入的行", "Rows read");
	page_puts(page, "</h2><div class=\"wide\"><table id=\"rows\"><thead>"
			"<tr><th>");
	page_say(page, "数据流", "Stream");
	page_puts(page, "</th>");
	put_heading(page, "读入 =", "read =");
	put_heading(page, "采用 +", "kept +");
	put_heading(page, "拒收 +", "refused +");
	put_heading(page, "重复", "duplicate");
	put_heading(page, "迟到", "late");
	page_puts(page, "<th>");
	page_say(page, "拒收原因", "refused for");
	page_puts(page, "</th></tr></thead><tbody>");
	for (size_t i = 0; i < html->set->n_streams; i++) {
		const struct stream_counters *count =
			engine_stream_counters(html->facts->engine, i);

		if (!count->read)
			continue;
		put_row_counts(page, html->set->streams[i]->name, count);
		counts_add_rows(&all, count);
	}
	put_row_counts(page, page->language == LANGUAGE_ZH ? "合计" : "all",
		       &all);
	page_puts(page, "</tbody></table></div>");
}

/* All rules, one a line */

/* A template; what it would insert is not known here. */
static void put_template(struct page *page, const struct texts *texts,
			 const char *otherwise) {
	enum language language = page->language;
	const struct text *text;

	if (!texts->given[language])
		language = (enum language)(1 - language);
	if (!texts->given[language]) {
		page_string(page, otherwise);
		return;
	}
	text = &texts->in[language];
	for (size_t i = 0; i < text->n; i++)
		page_string(page, text->parts[i].literal
					  ? text->parts[i].literal
					  : "…");
}

static void put_rule_name(struct page *page, const struct rule *rule) {
	put_template(page, &rule->title, rule->name);
	page_puts(page, " <small><code>");
	page_string(page, rule->full);
	page_puts(page, "</code>");
	if (rule->status == STATUS_TEST)
		page_say(page, "（试行）", " (test)");
	page_puts(page, "</small>");
}

static void put_withheld(struct page *page, const struct rule_counters *count) {
	begin_number(page, counts_withheld(count));
	page_puts(page, " ");
	put_part(page, "cooldown", count->withheld_cooldown);
	put_part(page, "exception", count->withheld_exception);
	put_part(page, "open_max", count->withheld_open_max);
	page_puts(page, "</td>");
}

static void put_missing(struct page *page, const struct rule_counters *count) {
	begin_number(page, counts_missing(count));
	page_puts(page, " ");
	for (int i = 0; i < MISSING_MAX; i++)
		put_part(page, missing_name((enum missing)i),
			 count->missing[i]);
	page_puts(page, "</td>");
}

static void put_rule_line(struct html *html,
			  const struct gathered_rule *gathered) {
	const struct rule_counters *count =
		engine_rule_counters(html->facts->engine, gathered->rule->rank);
	struct page *page = &html->page;

	page_puts(page, "<tr><td>");
	if (gathered->fired)
		page_printf(page, "<a href=\"#r%u\">", gathered->rule->rank);
	put_rule_name(page, gathered->rule);
	page_puts(page, gathered->fired ? "</a></td>" : "</td>");
	put_number(page, count->judged);
	put_number(page, count->fired);
	for (int level = LEVEL_RED; level > LEVEL_NONE; level--) {
		page_printf(page, "<td class=\"n %s\">",
			    gathered->by_level[level]
				    ? level_name((enum level)level)
				    : "zero");
		page_count(page, gathered->by_level[level]);
		page_puts(page, "</td>");
	}
	put_number(page, count->open);
	put_withheld(page, count);
	put_missing(page, count);
	page_puts(page, "</tr>\n");
}

static void put_rule_lines(struct html *html, const char *id, size_t from,
			   size_t to) {
	struct page *page = &html->page;

	page_printf(page,
		    "<div class=\"wide\"><table id=\"%s\"><thead><tr><th>", id);
	page_say(page, "规则", "Rule");
	page_puts(page, "</th>");
	put_heading(page, "判定", "judged");
	put_heading(page, "触发", "fired");
	for (int level = LEVEL_RED; level > LEVEL_NONE; level--) {
		page_puts(page, "<th class=\"n\">");
		page_word(page, level_name((enum level)level));
		page_puts(page, "</th>");
	}
	put_heading(page, "未结", "open");
	put_heading(page, "扣发", "withheld");
	put_heading(page, "缺数", "missing");
	page_puts(page, "</tr></thead><tbody>");
	for (size_t i = from; i < to; i++)
		put_rule_line(html, html->gather.order[i]);
	page_puts(page, "</tbody></table></div>");
}

static void put_overview(struct html *html) {
	const struct gather *gather = &html->gather;
	struct page *page = &html->page;

	page_puts(page, "<h2>");
	page_say(page, "规则一览", "Rules");
	page_puts(page, "</h2>");
	if (gather->n_rang)
		put_rule_lines(html, "rang", 0, gather->n_rang);
	if (gather->n_rang == gather->n_rules)
		return;
	page_puts(page, "<details class=\"quiet\"><summary>");
	page_say(page, "未触发的规则：", "Rules that did not ring: ");
	page_count(page, gather->n_rules - gather->n_rang);
	page_puts(page, "</summary>");
	put_rule_lines(html, "quiet", gather->n_rang, gather->n_rules);
	page_puts(page, "</details>");
}

/* Without a script there is nothing that it could do: it stays hidden. */
static void put_filter(struct html *html) {
	struct page *page = &html->page;

	page_puts(page, "<form id=\"filter\" hidden=\"hidden\">");
	for (int level = LEVEL_RED; level > LEVEL_NONE; level--) {
		const char *name = level_name((enum level)level);

		page_printf(page,
			    "<label><input type=\"checkbox\" name=\"level\" "
			    "value=\"%s\" checked=\"checked\"/>"
			    "<span class=\"badge %s\">",
			    name, name);
		page_word(page, name);
		page_puts(page, "</span></label> ");
	}
	page_puts(page, "<select name=\"rule\"><option value=\"\">");
	page_say(page, "全部规则", "all rules");
	page_puts(page, "</option>");
	for (size_t i = 0; i < html->gather.n_rang; i++) {
		const struct gathered_rule *rule = html->gather.order[i];

		page_puts(page, "<option value=\"");
		page_string(page, rule->rule->full);
		page_puts(page, "\">");
		put_template(page, &rule->rule->title, rule->rule->name);
		page_puts(page, "</option>");
	}
	page_puts(page, "</select> <input type=\"search\" name=\"text\" "
			"placeholder=\"");
	page_say(page, "单位、供应商、凭证号…", "unit, supplier, voucher…");
	page_puts(page, "\"/> <output id=\"found\"></output> "
			"<button type=\"button\" id=\"unfold\">");
	page_say(page, "全部展开", "unfold all");
	page_puts(page, "</button> <button type=\"button\" id=\"fold\">");
	page_say(page, "全部收起", "fold all");
	page_puts(page, "</button></form><p class=\"note\">");
	page_say(page,
		 "每条预警列在其达到的最高级别，数值与证据也是当时的；"
		 "此后的变化见“经过”与右侧的状态。",
		 "An alert stands at the highest level that it reached, with "
		 "the values and evidence of then; what came after is in its "
		 "history and its state.");
	page_puts(page, "</p>");
}

/* One rule */

static void put_culprits(struct html *html, const struct gathered_rule *rule) {
	const struct culprit *worst[WORST];
	size_t n = gather_culprits(rule, worst, WORST);
	struct page *page = &html->page;

	page_puts(page, "<div class=\"worst\"><h3>");
	page_say(page, "最突出的对象", "Worst keys");
	page_puts(page, "</h3><ol>");
	for (size_t i = 0; i < n; i++) {
		page_puts(page, "<li><span class=\"key\">");
		page_string(page, worst[i]->key);
		page_puts(page, "</span> ");
		for (int level = LEVEL_RED; level >= LEVEL_NONE; level--) {
			if (!worst[i]->by_level[level])
				continue;
			page_printf(page, "<span class=\"badge %s\">",
				    page_level((enum level)level));
			page_word(page, page_level((enum level)level));
			page_puts(page, " ");
			page_count(page, worst[i]->by_level[level]);
			page_puts(page, "</span> ");
		}
		page_puts(page, "</li>");
	}
	page_puts(page, "</ol><p class=\"note\">");
	page_count(page, rule->culprits.n);
	page_say(page, " 个对象有预警", " keys rang");
	if (rule->untold) {
		page_say(page, "；另有未区分对象的预警 ",
			 "; alerts of keys beyond these: ");
		page_count(page, rule->untold);
	}
	page_puts(page, "</p></div>");
}

static void put_times(struct html *html, const struct gathered_rule *rule) {
	struct page *page = &html->page;

	page_puts(page, "<figure><figcaption>");
	if (html->axis.unit == UNIT_WEEK)
		page_say(page, "每周触发", "Fired by week");
	else
		page_say(page, "每月触发", "Fired by month");
	if (html->axis.cut)
		page_say(page, "（只列最近 60 期）", " (the last 60)");
	page_puts(page, "</figcaption>");
	plot_fired(page, plot_tally(rule, &html->axis), &html->axis,
		   rule->rule->plan->calendar);
	page_puts(page, "</figure>");
}

static void put_alerts(struct html *html, const struct gathered_rule *rule) {
	struct page *page = &html->page;

	page_puts(page, "<h3>");
	page_say(page, "预警", "Alerts");
	page_puts(page, " <small>");
	page_count(page, rule->n);
	if (rule->fired > rule->n) {
		page_say(page, " 条，先重后轻、先新后旧；另有 ",
			 " shown, the severest and newest; not shown: ");
		page_count(page, rule->fired - rule->n);
		page_say(page, " 条未列出", "");
	}
	page_puts(page, "</small></h3>\n");
	for (size_t i = 0; i < rule->n; i++) {
		arena_reset(&html->arena);
		card_put(page, &rule->alerts[i], rule->rule, &html->arena);
		flush(html);
	}
}

static void put_rule(struct html *html, const struct gathered_rule *gathered) {
	const struct rule *rule = gathered->rule;
	struct page *page = &html->page;

	page_printf(page, "<section class=\"rule\" id=\"r%u\" data-rule=\"",
		    rule->rank);
	page_string(page, rule->full);
	page_puts(page, "\"><h2>");
	put_rule_name(page, rule);
	page_puts(page, "</h2><p>");
	put_template(page, &rule->desc, "");
	page_puts(page, "</p><div class=\"pair\">");
	put_times(html, gathered);
	put_culprits(html, gathered);
	page_puts(page, "</div>");
	put_alerts(html, gathered);
	page_puts(page, "</section>\n");
}

static void put_document(struct html *html) {
	struct page *page = &html->page;

	begin_document(page);
	put_tiles(html);
	put_head_facts(html);
	page_puts(page, "</header>\n<main>");
	put_overview(html);
	put_rows(html);
	put_filter(html);
	flush(html);
	for (size_t i = 0; i < html->gather.n_rang; i++)
		put_rule(html, html->gather.order[i]);
	page_puts(page, "</main><script>");
	page_puts(page, html_js);
	page_puts(page, "</script></body></html>\n");
	flush(html);
}

/* What did not get to the disk takes no name. */
static int close_file(struct html *html) {
	int r = ferror(html->file) ? -EIO : 0;

	if (fclose(html->file) && !r)
		r = -errno;
	html->file = NULL;
	if (!r && rename(html->draft, html->path))
		r = -errno;
	if (r)
		unlink(html->draft);
	return r;
}

int html_end(struct html *html, const struct html_facts *facts) {
	html->facts = facts;
	gather_end(&html->gather);
	plot_axis(&html->axis, &html->gather);
	put_document(html);
	return close_file(html);
}
