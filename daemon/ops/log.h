/*
 * How the log is written; what is written goes through tocsin/log.h.
 */
#pragma once

#include "tocsin/log.h"

#include <stdbool.h>

enum log_form {
	LOG_TEXT, /* 2026-03-01T08:00:00.123Z warn: redis: refused */
	LOG_JSON  /* {"time":…,"level":"warn","message":…} */
};

void log_setup(enum log_level least, enum log_form form);
