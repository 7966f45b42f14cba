#include "ops/metrics.h"

void metric_family(struct buf *out, enum metric_kind kind, const char *name,
		   const char *help) {
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		   kind == METRIC_COUNTER ? "counter" : "gauge");
}

static void put_value(struct buf *out, const char *text) {
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_putc(out, '\\');
		if (*text == '\n')
			buf_puts(out, "\\n");
		else
			buf_putc(out, *text);
	}
}

static void put_name(struct buf *out, const char *name,
		     const struct metric_label *labels, size_t n) {
	buf_puts(out, name);
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "%c%s=\"", i ? ',' : '{', labels[i].name);
		put_value(out, labels[i].value);
		buf_putc(out, '"');
	}
	buf_puts(out, n ? "} " : " ");
}

void metric_sample(struct buf *out, const char *name,
		   const struct metric_label *labels, size_t n, double value) {
	put_name(out, name, labels, n);
	buf_double(out, value);
	buf_putc(out, '\n');
}

void metric_count(struct buf *out, const char *name,
		  const struct metric_label *labels, size_t n, uint64_t value) {
	put_name(out, name, labels, n);
	buf_printf(out, "%llu\n", (unsigned long long)value);
}
