/*
 * Signals: SIGTERM and SIGINT become a readable descriptor, SIGHUP another,
 * SIGPIPE nothing; SIGABRT leaves a word why.
 */
#pragma once

/* 0 or negative errno. Before any thread is started. */
int signals_open(int *stop_fd, int *reload_fd);
/* Empties the descriptor of SIGHUP. */
void signals_take(int fd);
