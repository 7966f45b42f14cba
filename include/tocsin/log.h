/*
 * Log: one line per message, on standard error.
 *
 * What is logged is a sentence for the person on duty. Secrets are never
 * handed to it: there is no filter that would take them out again. Safe from
 * any thread; a message is one write(2).
 */
#pragma once

#include <stdarg.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

void log_write(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_write_v(enum log_level level, const char *format, va_list ap)
	__attribute__((format(printf, 2, 0)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
