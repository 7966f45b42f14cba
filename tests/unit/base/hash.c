#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/util.h"

static void expect_hex(const uint8_t digest[32], const char *hex) {
	CLEANUP(buf_free) struct buf buf = { 0 };

	buf_hex(&buf, digest, 32);
	assert_string_equal(buf_cstr(&buf), hex);
}

/* FIPS 180-2, appendix B. */
static void sha256_agrees_with_the_standard(void **state) {
	uint8_t digest[32];

	(void)state;
	sha256("abc", 3, digest);
	expect_hex(digest, "ba7816bf8f01cfea414140de5dae2223"
			   "b00361a396177a9cb410ff61f20015ad");
	sha256("", 0, digest);
	expect_hex(digest, "e3b0c44298fc1c149afbf4c8996fb924"
			   "27ae41e4649b934ca495991b7852b855");
}

static void pieces_give_the_digest_of_the_whole(void **state) {
	struct sha256_stream stream;
	uint8_t digest[32];

	(void)state;
	sha256_begin(&stream);
	sha256_add(&stream, "a", 1);
	sha256_add(&stream, "", 0);
	sha256_add(&stream, "bc", 2);
	sha256_end(&stream, digest);
	expect_hex(digest, "ba7816bf8f01cfea414140de5dae2223"
			   "b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, test case 2. */
static void hmac_agrees_with_the_standard(void **state) {
	static const char text[] = "what do ya want for nothing?";
	uint8_t digest[32];

	(void)state;
	hmac_sha256("Jefe", 4, text, strlen(text), digest);
	expect_hex(digest, "5bdcc146bf60754e6a042426089575c7"
			   "5a003f089d2739839dec58b964ec3843");
}

/* RFC 3720, appendix B.4, and the usual check value. */
static void crc32c_agrees_with_the_standard(void **state) {
	uint8_t bytes[32] = { 0 };

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
	assert_int_equal(crc32c(crc32c(0, bytes, 13), bytes + 13, 19),
			 0x46dd794e);
	assert_int_equal(crc32c(0, NULL, 0), 0);
}

/* State and identities outlive a process: these values may never change. */
static void xxh3_gives_the_values_it_always_gave(void **state) {
	struct hash128 hash = hash128("", 0, 0);

	(void)state;
	assert_int_equal(hash64("", 0, 0), UINT64_C(0x2d06800538d394c2));
	assert_int_equal(hash.hi, UINT64_C(0x99aa06d3014798d8));
	assert_int_equal(hash.lo, UINT64_C(0x6001c324468d497f));
	assert_int_not_equal(hash64("a", 1, 0), hash64("a", 1, 1));
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_agrees_with_the_standard),
		cmocka_unit_test(pieces_give_the_digest_of_the_whole),
		cmocka_unit_test(hmac_agrees_with_the_standard),
		cmocka_unit_test(crc32c_agrees_with_the_standard),
		cmocka_unit_test(xxh3_gives_the_values_it_always_gave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
