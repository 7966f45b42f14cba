/*
 * Payment: the event that all benches are made of, about 260 bytes of JSON,
 * and the rules that look at it.
 */
#pragma once

#include "base/buf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAYMENT_BYTES 512 /* at most */
#define PAYMENT_CLASSES 1000
#define PAYMENT_UNITS 40

struct payment {
	uint64_t number;
	uint64_t account;
	uint64_t voucher; /* what its voucher_no says */
	uint64_t amount;  /* yuan */
	int64_t paid_at;  /* seconds */
};

static inline size_t payment_write(char *out, const struct payment *p) {
	time_t at = (time_t)p->paid_at;
	struct tm tm;
	int len;

	gmtime_r(&at, &tm);
	len = snprintf(
		out, PAYMENT_BYTES,
		"{\"voucher_no\":\"%" PRIu64 "\",\"unit\":\"U-%02u\","
		"\"econ_class\":\"E%04u\",\"payee\":"
		"\"云澜宏达市政养护有限公司\","
		"\"payee_account\":\"6222%012" PRIu64 "\",\"amount\":%" PRIu64
		".%02u,\"invoice_no\":\"%08u\",\"memo\":\"支付会议费\","
		"\"region\":\"R-1\",\"paid_at\":\"%04d-%02d-%02dT%02d:%02d:"
		"%02d+00:00\"}",
		p->voucher, (unsigned)(p->number % PAYMENT_UNITS),
		(unsigned)(p->number * 31 % PAYMENT_CLASSES), p->account,
		p->amount, (unsigned)(p->number % 100),
		(unsigned)(p->number % 99999999), tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (len <= 0 || len >= PAYMENT_BYTES)
		abort();
	return (size_t)len;
}

/*
 * Three rules keep a sum over 30 days in 8 panes: by account, by unit, by unit
 * and class; one alone is the first of these. All others look at one class
 * each, out of a thousand, and at the amount.
 */
static inline void payment_stream(struct buf *out, const char *encoding) {
	buf_puts(out, "apiversion: 1\n"
		      "package: bench\n"
		      "calendars:\n"
		      "  cn: {tz: Asia/Shanghai}\n"
		      "streams:\n"
		      "  payments:\n"
		      "    topic: fin.payments\n");
	buf_printf(out, "    encoding: %s\n", encoding);
	buf_puts(out, "    time: paid_at\n"
		      "    max_delay: 1h\n"
		      "    fields:\n"
		      "      voucher_no: string\n"
		      "      unit: string\n"
		      "      econ_class: string\n"
		      "      payee: string\n"
		      "      payee_account: string\n"
		      "      amount: money(CNY)\n"
		      "      invoice_no: string optional\n"
		      "      memo: string optional\n"
		      "      region: string\n"
		      "      paid_at: timestamp\n"
		      "rules:\n");
}

static inline void payment_rules(struct buf *out, size_t n,
				 const char *encoding) {
	static const char *const by[] = { "payee_account", "unit",
					  "unit, econ_class" };

	payment_stream(out, encoding);
	for (size_t i = 0; i < n && i < 3; i++)
		buf_printf(out,
			   "- rule: sum-%zu\n"
			   "  status: live\n"
			   "  from: payments\n"
			   "  by: [%s]\n"
			   "  window: {sliding: 30d, panes: 8}\n"
			   "  measure: {total: sum(amount)}\n"
			   "  alert_if: total > 900000000000\n"
			   "  evidence: 0\n",
			   i, by[i]);
	for (size_t i = 3; i < n; i++)
		buf_printf(out,
			   "- rule: class-%zu\n"
			   "  status: live\n"
			   "  from: payments\n"
			   "  where: econ_class == 'E%04zu'\n"
			   "  alert_if: amount > 900000000000\n"
			   "  evidence: 0\n",
			   i, i % PAYMENT_CLASSES);
}

/* One rule that keeps the entries of ten minutes of an account. */
static inline void payment_window(struct buf *out, const char *window,
				  const char *encoding) {
	payment_stream(out, encoding);
	buf_printf(out,
		   "- rule: window\n"
		   "  status: live\n"
		   "  from: payments\n"
		   "  by: [payee_account]\n"
		   "  window: %s\n"
		   "  measure: {cnt: count(), total: sum(amount)}\n"
		   "  alert_if: total > 900000000000 && cnt > 1\n",
		   window);
}

/* One rule that holds an amount against others of the same unit or class. */
static inline void payment_peers(struct buf *out, const char *cohort,
				 const char *encoding) {
	payment_stream(out, encoding);
	buf_printf(out,
		   "- rule: peers\n"
		   "  status: live\n"
		   "  from: payments\n"
		   "  baseline: {usual: {of: amount, over: %s, "
		   "exclude_same: [payee_account], min_samples: 8}}\n"
		   "  alert_if: usual.z(amount) < -1000000.0\n",
		   cohort);
}
