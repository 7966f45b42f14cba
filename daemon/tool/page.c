#include "tool/page.h"

#include <math.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "base/util.h"

void page_puts(struct page *page, const char *markup) {
	buf_puts(&page->out, markup);
}

void page_printf(struct page *page, const char *format, ...) {
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&page->out, format, ap);
	va_end(ap);
}

/*
 * Not seen, or turning what stands beside it: C0 and C1, the marks and
 * isolates of direction, blanks without width, separators, noncharacters.
 * Joiners stay, scripts and emoji are written with them.
 */
static bool is_unseen(uint32_t c) {
	return (c < 0x20 && c != '\t' && c != '\n') || (c > 0x7e && c < 0xa0) ||
	       c == 0xad || c == 0x61c || c == 0x180e || c == 0x200b ||
	       c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfdd0 && c <= 0xfdef) || (c >= 0xfff0 && c <= 0xfffb) ||
	       (c & 0xfffe) == 0xfffe || c >= 0xe0000;
}

static void put_code_point(struct buf *out, uint32_t c) {
	switch (c) {
	case '&':
		buf_puts(out, "&amp;");
		break;
	case '<':
		buf_puts(out, "&lt;");
		break;
	case '>':
		buf_puts(out, "&gt;");
		break;
	case '"':
		buf_puts(out, "&quot;");
		break;
	case '\'':
		buf_puts(out, "&#39;");
		break;
	default:
		if (is_unseen(c))
			buf_printf(out, "[U+%04X]", c);
		else
			utf8_put(out, c);
	}
}

void page_text(struct page *page, const char *s, size_t len) {
	size_t length = 0;
	uint32_t c;

	for (size_t i = 0; i < len; length++) {
		size_t n = utf8_next(s + i, len - i, &c);

		if (length == PAGE_TEXT) {
			buf_puts(&page->out, "…");
			return;
		}
		put_code_point(&page->out, n ? c : 0xfffd);
		i += n ? n : 1;
	}
}

void page_string(struct page *page, const char *s) {
	page_text(page, s, strlen(s));
}

void page_say(struct page *page, const char *zh, const char *en) {
	page_string(page, page->language == LANGUAGE_ZH ? zh : en);
}

/* In English they say what they mean. */
static const struct {
	const char *slug, *zh;
} words[] = {
	/* levels and bands */
	{ "red", "红" },
	{ "orange", "橙" },
	{ "yellow", "黄" },
	{ "green", "绿" },
	{ "none", "未分级" },
	{ "alert_if", "触发" },
	{ "resolve_if", "解除" },
	/* states and changes */
	{ "pending", "待定" },
	{ "inconclusive", "无法判定" },
	{ "firing", "触发中" },
	{ "fired", "触发" },
	{ "raised", "升级" },
	{ "lowered", "降级" },
	{ "updated", "更新" },
	{ "amended", "更正" },
	{ "resolved", "已解除" },
	{ "withdrawn", "已撤回" },
	{ "stale", "已搁置" },
	{ "reviewed", "已复核" },
	/* why */
	{ "condition", "条件" },
	{ "window", "窗口移动" },
	{ "period", "期间结束" },
	{ "correction", "冲正" },
	{ "late", "迟到" },
	{ "merged", "合并" },
	{ "rules", "规则变更" },
	{ "seam", "接续" },
	{ "gap", "缺口" },
	{ "command", "人工" },
	{ "evicted", "淘汰" },
	/* why a value is missing */
	{ "field", "字段缺失" },
	{ "zero", "除数为零" },
	{ "empty", "无数据" },
	{ "young", "历史不足" },
	{ "spread", "无离散" },
	{ "row", "表中无此行" },
	{ "overflow", "超出范围" },
	{ "alias", "他流字段" },
	{ "previous", "无前一事件" },
	{ "error", "表达式错误" },
	/* why an alert was withheld */
	{ "cooldown", "冷却期" },
	{ "exception", "例外" },
	{ "open_max", "未结上限" },
	/* why a row was refused */
	{ "too_large", "过大" },
	{ "not_utf8", "非 UTF-8" },
	{ "not_json", "非 JSON" },
	{ "too_deep", "嵌套过深" },
	{ "duplicate_key", "字段重复" },
	{ "missing_field", "缺必填字段" },
	{ "wrong_type", "类型不符" },
	{ "bad_enum", "枚举值不符" },
	{ "bad_time", "时间无效" },
	{ "bad_number", "数字无效" },
	{ "too_many_digits", "小数位过多" },
	{ "far_future", "时间超前" },
	{ "conflict", "同号异文" },
	{ "bad_row", "行格式错误" },
	{ "bad_encoding", "编码错误" },
	/* statistics */
	{ "iqr", "四分位" },
	{ "mean_sd", "均值与标准差" },
	{ "median", "中位数" },
	{ "median_mad", "中位数与绝对中位差" },
};

void page_word(struct page *page, const char *slug) {
	for (size_t i = 0;
	     page->language == LANGUAGE_ZH && i < ARRAY_SIZE(words); i++) {
		if (!strcmp(words[i].slug, slug)) {
			page_puts(page, words[i].zh);
			return;
		}
	}
	for (; *slug; slug++)
		put_code_point(&page->out, *slug == '_' ? ' ' : (uint8_t)*slug);
}

const char *page_level(enum level level) {
	return level == LEVEL_NONE ? "none" : level_name(level);
}

void page_count(struct page *page, uint64_t n) {
	number_format(&page->out, (int64_t)n, 0, true);
}

/* Decimal text with groups of three; false: it is no such text. */
static bool put_money(struct page *page, const char *s, size_t len) {
	const char *point = memchr(s, '.', len);
	size_t digits = point ? (size_t)(s + len - point - 1) : 0;
	int64_t scaled;

	if (digits > 4 ||
	    number_parse(&scaled, s, len, (unsigned)digits, NULL) < 0)
		return false;
	number_format(&page->out, scaled, (unsigned)digits, true);
	return true;
}

void page_double(struct page *page, double d) {
	CLEANUP(buf_free) struct buf text = { 0 };
	double size = fabs(d);

	if (size >= 1e15 || (size > 0 && size < 1e-3)) {
		page_printf(page, "%.4g", d);
		return;
	}
	buf_printf(&text, "%.4f", d);
	while (text.data[text.len - 1] == '0')
		text.len--;
	text.len -= text.data[text.len - 1] == '.';
	put_money(page, text.data, text.len);
}

static bool put_number(struct page *page, const struct json *value,
		       enum page_money money) {
	CLEANUP(buf_free) struct buf text = { 0 };
	double d;

	if (!json_double(value, &d))
		return false;
	if (money == MONEY_IS && fabs(d) < 1e15) {
		buf_printf(&text, "%.2f", d);
		return put_money(page, text.data, text.len);
	}
	if (!memchr(value->text, '.', value->len))
		return false; /* years and codes are left as they are */
	page_double(page, d);
	return true;
}

static void put_list(struct page *page, const struct json *list,
		     enum page_money money) {
	for (const struct json *it = list->first; it; it = it->next) {
		page_value(page, it, money);
		page_puts(page, it->next ? ", " : "");
	}
}

void page_value(struct page *page, const struct json *value,
		enum page_money money) {
	if (!value || value->kind == JSON_NULL)
		page_puts(page, "—");
	else if (value->kind == JSON_BOOL && value->truth)
		page_say(page, "是", "yes");
	else if (value->kind == JSON_BOOL)
		page_say(page, "否", "no");
	else if (value->kind == JSON_ARRAY)
		put_list(page, value, money);
	else if (value->kind == JSON_NUMBER && put_number(page, value, money))
		return;
	else if (value->kind == JSON_STRING &&
		 (money == MONEY_IS ||
		  (money == MONEY_GUESS &&
		   memchr(value->text, '.', value->len))) &&
		 put_money(page, value->text, value->len))
		return;
	else if (value->text)
		page_text(page, value->text, value->len);
}

enum page_money page_unit(const struct page *page, const char *name) {
	return json_get(page->units, name) ? MONEY_IS : MONEY_NOT;
}

#define MINUTE_BYTES 16

static void put_minute(struct page *page, const char *s, size_t len) {
	size_t n = len < MINUTE_BYTES ? len : MINUTE_BYTES;

	for (size_t i = 0; i < n; i++)
		put_code_point(&page->out, s[i] == 'T' ? ' ' : (uint8_t)s[i]);
}

void page_minute(struct page *page, const struct json *time) {
	if (json_text(time))
		put_minute(page, time->text, time->len);
	else
		page_puts(page, "—");
}

void page_instant(struct page *page, usec_t at, const struct zone *zone) {
	CLEANUP(buf_free) struct buf text = { 0 };

	time_format_rfc3339(&text, at, zone);
	put_minute(page, text.data, text.len);
}
