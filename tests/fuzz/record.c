/*
 * Any bytes as a record that comes back from Redis: refused, or taken apart
 * into a stamp and a body that lies inside of what was given.
 */
#include "alert/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	/* Exactly as many bytes as there are: a read beyond them shows. */
	char *json = malloc(size ? size : 1);
	struct stamp stamp = { 0 };
	const char *body = NULL;
	struct buf out = { 0 };
	uint8_t hash[32];
	size_t len = 0;

	memcpy(json, data, size);
	if (record_parse(&stamp, &body, &len, json, size) == 0) {
		assert(body >= json && body + len <= json + size);
		stamp.lane = "0";
		record_stamp(&out, &stamp, body, len, hash);
	}
	buf_free(&out);
	free(json);
	return 0;
}
