/*
 * Functions: what the table of functions.c is made of.
 */
#pragma once

#include "expr/term.h"

/* strings.c: all count in code points. */
BUILTIN(string_size);
BUILTIN(string_starts);
BUILTIN(string_ends);
BUILTIN(string_contains);
BUILTIN(string_matches);
BUILTIN(string_char_at);
BUILTIN(string_index_of);
BUILTIN(string_last_index_of);
BUILTIN(string_substring);
BUILTIN(string_lower);
BUILTIN(string_upper);
BUILTIN(string_trim);
BUILTIN(string_replace);
BUILTIN(string_split);
BUILTIN(string_join);
BUILTIN(string_reverse);
BUILTIN(string_quote);
BUILTIN(string_format);
BUILTIN(string_of);
BUILTIN(string_prefix);
BUILTIN(string_similar);

/* times.c */
BUILTIN(time_of_text);
BUILTIN(time_of_int);
BUILTIN(time_to_int);
BUILTIN(duration_of_text);
BUILTIN(time_year);
BUILTIN(time_month);
BUILTIN(time_date);
BUILTIN(time_day_of_month);
BUILTIN(time_day_of_week);
BUILTIN(time_day_of_year);
BUILTIN(time_hours);
BUILTIN(time_minutes);
BUILTIN(time_seconds);
BUILTIN(time_milliseconds);
BUILTIN(duration_hours);
BUILTIN(duration_minutes);
BUILTIN(duration_seconds);
BUILTIN(duration_milliseconds);
BUILTIN(date_of_time);
BUILTIN(date_of_text);
BUILTIN(date_plus);
BUILTIN(date_year);
BUILTIN(date_month);
BUILTIN(date_quarter);
BUILTIN(date_fiscal_year);
BUILTIN(date_fiscal_quarter);
BUILTIN(date_is_workday);
BUILTIN(date_workdays);
BUILTIN(date_workday_number);
BUILTIN(date_workday_progress);

/* "2026-03-01T08:00:00.5Z", "90.5s": as string() and format() write them. */
void time_put(struct buf *out, struct value time);
void duration_put(struct buf *out, struct value duration);
