/*
 * Card: one alert of a report, with all that it rests on.
 */
#pragma once

#include "tool/gather.h"
#include "tool/page.h"

/* @arena is for the record, taken apart; the caller resets it. */
void card_put(struct page *page, const struct gathered_alert *alert,
	      const struct rule *rule, struct arena *arena);
