#include "tool/card.h"

#include <string.h>

#include "base/util.h"
#include "tool/plot.h"
#include "tool/show.h"

struct card {
	struct page *page;
	const struct gathered_alert *alert;
	const struct rule *rule;
	const struct json *record;
};

static void put_badge(struct page *page, enum level level) {
	page_printf(page, "<span class=\"badge %s\">", page_level(level));
	page_word(page, page_level(level));
	page_puts(page, "</span>");
}

static void put_cell(struct page *page, const char *kind,
		     const struct json *value, enum page_money money) {
	page_printf(page, "<td%s>", kind);
	page_value(page, value, money);
	page_puts(page, "</td>");
}

#define NUMERIC " class=\"n\""

static void begin_table(struct page *page, const char *zh, const char *en) {
	page_puts(page, "<h4>");
	page_say(page, zh, en);
	page_puts(page, "</h4><div class=\"wide\"><table>");
}

static void end_table(struct page *page) {
	page_puts(page, "</tbody></table></div>");
}

static void put_heading(struct page *page, const char *kind, const char *zh,
			const char *en) {
	page_printf(page, "<th%s>", kind);
	page_say(page, zh, en);
	page_puts(page, "</th>");
}

static void put_summary(const struct card *card) {
	struct page *page = card->page;
	CLEANUP(buf_free) struct buf key = { 0 };

	page_puts(page, "<summary>");
	put_badge(page, card->alert->level);
	page_puts(page, "<time>");
	page_instant(page, card->alert->fired,
		     &card->rule->plan->calendar->zone);
	page_puts(page, "</time><b class=\"key\">");
	show_key(&key, card->record);
	page_text(page, key.data, key.len);
	page_printf(page, "</b><span class=\"state %s\">",
		    card->alert->open ? "open" : "shut");
	/* One of an event has ended when it begins; people may still look. */
	if (card->alert->open && card->alert->state == STATE_RESOLVED)
		page_say(page, "待核", "open");
	else
		page_word(page, alert_state_name(card->alert->state));
	page_puts(page, "</span><span class=\"message\">");
	page_value(page, show_text(card->record, page->language, "message"),
		   MONEY_NOT);
	page_puts(page, "</span></summary>");
}

static void put_paragraph(const struct card *card, const char *zh,
			  const char *en, const struct json *text) {
	struct page *page = card->page;

	if (!json_text(text) || !text->len)
		return;
	page_puts(page, "<dt>");
	page_say(page, zh, en);
	page_puts(page, "</dt><dd>");
	page_value(page, text, MONEY_NOT);
	page_puts(page, "</dd>");
}

static void put_key_fields(const struct card *card) {
	const struct json *key = json_get(card->record, "key");

	for (const struct json *it = key ? key->first : NULL; it;
	     it = it->next) {
		page_puts(card->page, "<dt>");
		page_text(card->page, it->name, it->name_len);
		page_puts(card->page, "</dt><dd>");
		page_value(card->page, it, page_unit(card->page, it->name));
		page_puts(card->page, "</dd>");
	}
}

static void put_facts(const struct card *card) {
	const struct json *record = card->record;
	enum language language = card->page->language;

	page_puts(card->page, "<dl>");
	put_paragraph(card, "事项", "What",
		      show_text(record, language, "title"));
	put_paragraph(card, "建议", "Advice",
		      show_text(record, language, "advice"));
	put_paragraph(card, "依据", "Legal basis",
		      json_get(record, "legal_basis"));
	put_key_fields(card);
	put_paragraph(card, "期间", "Period", json_get(record, "period"));
	put_paragraph(card, "负责", "Owner", json_get(record, "owner"));
	put_paragraph(card, "手册", "Runbook", json_get(record, "runbook"));
	put_paragraph(card, "编号", "Id", json_get(record, "id"));
	page_puts(card->page, "</dl>");
}

static void put_moment(const struct card *card, const struct moment *moment) {
	struct page *page = card->page;

	page_puts(page, "<li><time>");
	page_instant(page, moment->at, &card->rule->plan->calendar->zone);
	page_puts(page, "</time> ");
	put_badge(page, moment->level);
	page_puts(page, " ");
	page_word(page, alert_change_name(moment->change));
	page_puts(page, " <small>");
	page_word(page, alert_why_name(moment->why));
	page_puts(page, "</small></li>");
}

/* The first ones and the latest; those between are only counted. */
static void put_history(const struct card *card) {
	const struct gathered_alert *alert = card->alert;
	struct page *page = card->page;

	page_puts(page, "<h4>");
	page_say(page, "经过", "History");
	page_puts(page, "</h4><ol class=\"history\">");
	for (size_t i = 0; i < alert->n; i++) {
		put_moment(card, &alert->moments[i]);
		if (i > 0 || alert->rev <= alert->n)
			continue;
		page_puts(page, "<li>… ");
		page_count(page, alert->rev - alert->n);
		page_say(page, " 次未列出", " more");
		page_puts(page, "</li>");
	}
	page_puts(page, "</ol>");
}

static void put_values(const struct card *card) {
	const struct json *values = json_get(card->record, "values");
	const struct json *now = json_get(values, "now");
	struct page *page = card->page;

	if (!now || !now->n)
		return;
	begin_table(page, "数值", "Values");
	page_puts(page, "<thead><tr>");
	put_heading(page, "", "名称", "Name");
	put_heading(page, NUMERIC, "触发时", "When it fired");
	put_heading(page, NUMERIC, "最高级时", "At its highest");
	page_puts(page, "</tr></thead><tbody>");
	for (const struct json *it = now->first; it; it = it->next) {
		enum page_money money = page_unit(page, it->name);

		page_puts(page, "<tr><td>");
		page_text(page, it->name, it->name_len);
		page_puts(page, "</td>");
		put_cell(page, NUMERIC,
			 json_get(json_get(values, "at_fire"), it->name),
			 money);
		put_cell(page, NUMERIC, it, money);
		page_puts(page, "</tr>");
	}
	end_table(page);
}

static void put_clause(struct page *page, const struct json *clause) {
	const struct json *holds = json_get(clause, "holds");
	const struct json *band = json_get(clause, "band");
	const struct json *expr = json_get(clause, "expr");
	bool known = holds && holds->kind == JSON_BOOL;

	page_puts(page, known && holds->truth ? "<tr class=\"holds\"><td>"
					      : "<tr><td>");
	page_word(page, json_text(band) ? band->text : "");
	page_puts(page, "</td><td><code>");
	if (json_text(expr))
		page_text(page, expr->text, expr->len);
	page_puts(page, "</code></td>");
	put_cell(page, "", holds, MONEY_NOT);
	put_cell(page, NUMERIC, json_get(clause, "value"), MONEY_GUESS);
	put_cell(page, NUMERIC, json_get(clause, "threshold"), MONEY_GUESS);
	put_cell(page, NUMERIC, json_get(clause, "margin"), MONEY_GUESS);
	page_puts(page, "</tr>");
}

static void put_clauses(const struct card *card) {
	const struct json *clauses = json_get(card->record, "clauses");
	struct page *page = card->page;

	if (!clauses || !clauses->n)
		return;
	begin_table(page, "条件", "Clauses");
	page_puts(page, "<thead><tr>");
	put_heading(page, "", "档", "Band");
	put_heading(page, "", "条件", "Clause");
	put_heading(page, "", "成立", "Holds");
	put_heading(page, NUMERIC, "值", "Value");
	put_heading(page, NUMERIC, "阈值", "Threshold");
	put_heading(page, NUMERIC, "差额", "Margin");
	page_puts(page, "</tr></thead><tbody>");
	for (const struct json *it = clauses->first; it; it = it->next)
		put_clause(page, it);
	end_table(page);
}

static void put_missing(const struct card *card) {
	const struct json *missing = json_get(card->record, "missing");
	struct page *page = card->page;

	if (!missing || !missing->n)
		return;
	page_puts(page, "<p class=\"note\">");
	page_say(page, "缺失：", "Missing: ");
	for (const struct json *it = missing->first; it; it = it->next) {
		const char *reason = json_text(json_get(it, "reason"));

		page_puts(page, "<code>");
		page_value(page, json_get(it, "name"), MONEY_NOT);
		page_puts(page, "</code> ");
		page_word(page, reason ? reason : "");
		page_puts(page, it->next ? " · " : "");
	}
	page_puts(page, "</p>");
}

static const struct baseline *find_baseline(const struct rule *rule,
					    const char *name) {
	size_t len = strlen(name);

	for (size_t i = 0; i < rule->n_slots; i++) {
		const struct bind *bind = &rule->binds[i];

		if (bind->from == BIND_BASELINE &&
		    !strncmp(bind->name, name, len) && bind->name[len] == '.')
			return &rule->plan->baselines[bind->index];
	}
	return NULL;
}

/* What was held against it: the same measure now, or the event's own. */
static const struct json *held_against(const struct card *card,
				       const struct json *used) {
	const struct json *now =
		json_get(json_get(card->record, "values"), "now");
	const struct json *shown =
		json_get(json_get(card->record, "evidence"), "shown");
	const struct baseline *baseline = find_baseline(card->rule, used->name);
	const struct json *own;

	if (!baseline)
		return NULL;
	if (baseline->n_circles) {
		own = json_get(now, baseline->of);
		return own || !shown
			       ? own
			       : json_get(json_get(shown->first, "fields"),
					  baseline->of);
	}
	for (size_t i = 0; i < card->rule->n_slots; i++) {
		const struct bind *bind = &card->rule->binds[i];

		if (bind->from == BIND_MEASURE && !bind->plan && bind->shown &&
		    bind->index == baseline->measure)
			return json_get(now, bind->name);
	}
	return NULL;
}

static void put_cohort(struct page *page, const struct json *used) {
	const struct json *peers = json_get(used, "peers");
	const struct json *cohort = json_get(peers, "cohort");

	if (!peers)
		return;
	page_puts(page, " · ");
	page_say(page, "同类：", "peers: ");
	for (const struct json *it = cohort ? cohort->first : NULL; it;
	     it = it->next) {
		page_text(page, it->name, it->name_len);
		page_puts(page, " ");
		page_value(page, it, MONEY_NOT);
		page_puts(page, it->next ? ", " : "");
	}
	if (!cohort || !cohort->n)
		page_puts(page, "—");
}

static void put_baselines(const struct card *card) {
	const struct json *baselines = json_get(card->record, "baselines");
	struct page *page = card->page;

	for (const struct json *it = baselines ? baselines->first : NULL; it;
	     it = it->next) {
		const char *stat = json_text(json_get(it, "stat"));

		page_puts(page, "<h4>");
		page_say(page, "基线 ", "Baseline ");
		page_text(page, it->name, it->name_len);
		page_puts(page, " <small><code>");
		page_value(page, json_get(it, "of"), MONEY_NOT);
		page_puts(page, "</code> ");
		page_word(page, stat ? stat : "");
		put_cohort(page, it);
		page_puts(page, "</small></h4>");
		plot_baseline(page, it, held_against(card, it));
	}
}

static void put_row(struct page *page, const struct json *row) {
	const struct json *fields = json_get(row, "fields");

	page_puts(page, "<tr><td>");
	page_minute(page, json_get(row, "time"));
	page_puts(page, "</td>");
	for (const struct json *it = fields ? fields->first : NULL; it;
	     it = it->next) {
		enum page_money money = page_unit(page, it->name);

		put_cell(page, money == MONEY_IS ? NUMERIC : "", it, money);
	}
	page_puts(page, "<td class=\"source\">");
	page_value(page, json_get(row, "topic"), MONEY_NOT);
	page_puts(page, "/");
	page_value(page, json_get(row, "partition"), MONEY_NOT);
	page_puts(page, "/");
	page_value(page, json_get(row, "offset"), MONEY_NOT);
	page_puts(page, "</td></tr>");
}

static void put_columns(struct page *page, const struct json *row) {
	const struct json *fields = json_get(row, "fields");

	page_puts(page, "<thead><tr>");
	put_heading(page, "", "时间", "Time");
	for (const struct json *it = fields ? fields->first : NULL; it;
	     it = it->next) {
		bool money = page_unit(page, it->name) == MONEY_IS;

		page_printf(page, "<th%s>", money ? NUMERIC : "");
		page_text(page, it->name, it->name_len);
		page_puts(page, "</th>");
	}
	put_heading(page, " class=\"source\"", "来源", "Source");
	page_puts(page, "</tr></thead><tbody>");
}

static void put_evidence(const struct card *card) {
	const struct json *evidence = json_get(card->record, "evidence");
	const struct json *shown = json_get(evidence, "shown");
	const struct json *complete = json_get(evidence, "complete");
	struct page *page = card->page;

	if (!shown || !shown->first)
		return;
	begin_table(page, "证据", "Evidence");
	put_columns(page, shown->first);
	for (const struct json *it = shown->first; it; it = it->next)
		put_row(page, it);
	end_table(page);
	page_puts(page, "<p class=\"note\">");
	page_say(page, "涉及记录 ", "Contributing records: ");
	page_value(page, json_get(evidence, "count"), MONEY_NOT);
	page_say(page, " 条，列出最近 ", ", of which the latest ");
	page_count(page, shown->n);
	page_say(page, " 条", " are shown");
	if (complete && complete->kind == JSON_BOOL && !complete->truth)
		page_say(page, "；记录不全", "; not all were kept");
	page_say(page, "。摘要 ", ". Digest ");
	page_puts(page, "<code>");
	page_value(page, json_get(evidence, "digest"), MONEY_NOT);
	page_puts(page, "</code></p>");
}

void card_put(struct page *page, const struct gathered_alert *alert,
	      const struct rule *rule, struct arena *arena) {
	struct card card = { .page = page, .alert = alert, .rule = rule };

	if (json_parse(&card.record, arena, alert->json, alert->json_len))
		return; /* it is the engine's own: never */
	page->units = json_get(card.record, "units");
	page_printf(page, "<details class=\"alert %s\" data-level=\"%s\">",
		    page_level(alert->level), page_level(alert->level));
	put_summary(&card);
	page_puts(page, "<div class=\"card\">");
	put_facts(&card);
	put_history(&card);
	put_values(&card);
	put_clauses(&card);
	put_missing(&card);
	put_baselines(&card);
	put_evidence(&card);
	page_puts(page, "</div></details>\n");
}
