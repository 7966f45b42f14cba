/*
 * Redis sink: alerts as clients read them. REDIS.md has the contract.
 *
 * Not async hiredis but its formatter, buffers and reader over a socket that
 * never blocks: answers are paired with questions by their order alone, so
 * after any error the connection is dropped, and whole batches are sent again
 * on a new one.
 */
#pragma once

#include "sink/link.h"
#include "tocsin/sink.h"

struct redis_options {
	struct link_options link;
	int database;
	const char *prefix; /* "tocsin" */
	const char *lane;
	const char *instance;
	int64_t keep_s;   /* hashes after they left `open` */
	uint64_t history; /* entries of the stream, about */
	uint64_t dead_history;
	int64_t timeout; /* usec without an answer */
};

/* Texts are borrowed. -EINVAL and @why (LINK_WHY bytes): see link_new(). */
int redis_sink_new(struct sink *ret, const struct redis_options *options,
		   char *why);
