/*
 * Redis sink: alerts as clients read them. REDIS.md has the contract.
 *
 * Not async hiredis but its formatter, buffers and reader over a socket that
 * never blocks: answers are paired with questions by their order alone, so
 * after any error the connection is dropped, and whole batches are sent again
 * on a new one.
 */
#pragma once

#include "tocsin/sink.h"

struct redis_options {
	const char *socket; /* a path, or NULL: */
	const char *host;
	int port;
	const char *user;     /* NULL: the default user */
	const char *password; /* NULL: no AUTH */
	int database;
	const char *prefix; /* "tocsin" */
	const char *lane;
	const char *instance;
	int64_t keep_s;   /* hashes after they left `open` */
	uint64_t history; /* entries of the stream, about */
	uint64_t dead_history;
	int64_t timeout; /* usec without an answer */
};

/* Texts are copied. */
int redis_sink_new(struct sink *ret, const struct redis_options *options);
