/*
 * Signals: SIGTERM and SIGINT become a readable descriptor, SIGPIPE nothing;
 * SIGABRT leaves a word why.
 */
#pragma once

/* The descriptor, or negative errno. Before any thread is started. */
int signals_open(void);
