#include "ops/log.h"

#include "base/buf.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int least_level = LOG_LEVEL_INFO;
static _Atomic int line_form = LOG_TEXT;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_setup(enum log_level least, enum log_form form) {
	atomic_store(&least_level, (int)least);
	atomic_store(&line_form, (int)form);
}

static void put_time(struct buf *line) {
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	buf_printf(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
		   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		   tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
}

/*
 * A message is one line whatever it quotes: what came from outside must not be
 * able to write lines of its own into the log.
 */
static void put_text(struct buf *line, const struct buf *text) {
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		buf_putc(line, c < 0x20 || c == 0x7f ? ' ' : (char)c);
	}
}

void log_write_v(enum log_level level, const char *format, va_list ap) {
	struct buf line = { 0 }, text = { 0 };

	if ((int)level > atomic_load(&least_level))
		return;
	buf_vprintf(&text, format, ap);
	if (atomic_load(&line_form) == LOG_JSON) {
		buf_puts(&line, "{\"time\":\"");
		put_time(&line);
		buf_printf(&line, "\",\"level\":\"%s\",\"message\":",
			   level_names[level]);
		buf_json_string(&line, text.data ? text.data : "", text.len);
		buf_putc(&line, '}');
	} else {
		put_time(&line);
		buf_printf(&line, " %s: ", level_names[level]);
		put_text(&line, &text);
	}
	buf_putc(&line, '\n');
	/* A log that cannot be written has nobody to tell. */
	if (write(STDERR_FILENO, line.data, line.len) < 0)
		(void)0;
	buf_free(&line);
	buf_free(&text);
}

void log_write(enum log_level level, const char *format, ...) {
	va_list ap;

	va_start(ap, format);
	log_write_v(level, format, ap);
	va_end(ap);
}
