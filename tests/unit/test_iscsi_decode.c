/* What a target sends, decoded: what real ones send, and what none should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backends/iscsi/decode.h"

/* Of exactly this size, so that a sanitizer sees what is read behind its end. */
static uint8_t *copy_of(const void *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	return copy;
}

/* -- REPORT LUNS -- */

/* tgtd with LUNs 0, 1, 5 and 300. */
static const uint8_t luns_data[] = {
	0, 0, 0, 32, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0,
	0, 1, 0, 0, 0, 0, 0, 0,
	0, 5, 0, 0, 0, 0, 0, 0,
	0x41, 0x2c, 0, 0, 0, 0, 0, 0,
};

static void luns_are_their_first_two_bytes(void **state)
{
	uint16_t luns[8];

	(void)state;
	assert_int_equal(decode_luns_size(luns_data, sizeof(luns_data)), 40);
	assert_int_equal(decode_luns(luns_data, sizeof(luns_data), luns, 8), 4);
	assert_int_equal(luns[0], 0);
	assert_int_equal(luns[2], 5);
	assert_int_equal(luns[3], 0x412c);
	assert_int_equal(decode_luns(luns_data, sizeof(luns_data), luns, 2), 2);
}

static void what_cannot_be_addressed_is_left_out(void **state)
{
	static const uint8_t data[] = {
		0, 0, 0, 24, 0, 0, 0, 0,
		0xc1, 0x01, 0, 0, 0, 0, 0, 0, /* well-known */
		0x01, 0x02, 0x03, 0, 0, 0, 0, 0, /* behind a bridge */
		0x80, 0x07, 0, 0, 0, 0, 0, 0,
	};
	uint16_t luns[8];

	(void)state;
	assert_int_equal(decode_luns(data, sizeof(data), luns, 8), 1);
	assert_int_equal(luns[0], 0x8007);
}

static void a_list_cut_anywhere_is_not_read_further(void **state)
{
	uint16_t luns[8];

	(void)state;
	for (size_t len = 0; len < sizeof(luns_data); len++) {
		uint8_t *data = copy_of(luns_data, len);

		assert_int_equal(decode_luns(data, len, luns, 8), len < 8 ? 0 : (len - 8) / 8);
		free(data);
	}
	assert_int_equal(decode_luns_size(luns_data, 7), 0);
}

/* -- names -- */

/* tgtd: T10 of 36 bytes padded with zeros, NAA of 8 and of 16 bytes. */
static const uint8_t names_data[] = {
	0x00, 0x83, 0x00, 0x48,
	0x02, 0x01, 0x00, 0x24, 'I', 'E', 'T', ' ', ' ', ' ', ' ', ' ',
	'0', '0', '0', '1', '0', '0', '0', '2', 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0x01, 0x03, 0x00, 0x08, 0x30, 0, 0, 1, 0, 0, 0, 2,
	0x01, 0x03, 0x00, 0x10, 0x60, 0, 0, 0, 0, 0, 0, 0, 0x0e, 0, 0, 0, 0, 1, 0, 2,
};

static const struct inquiry a_disk = { .vendor = "LAB", .product = "THIN DISK" };

static void the_best_name_is_chosen_as_scsi_id_does(void **state)
{
	char wwid[WWID_TEXT];

	(void)state;
	assert_true(decode_wwid(names_data, sizeof(names_data), &a_disk, wwid));
	assert_string_equal(wwid, "360000000000000000e00000000010002");
	/* without the last, the NAA name of 8 bytes; then the vendor's text */
	assert_true(decode_wwid(names_data, sizeof(names_data) - 20, &a_disk, wwid));
	assert_string_equal(wwid, "33000000100000002");
	assert_true(decode_wwid(names_data, sizeof(names_data) - 32, &a_disk, wwid));
	assert_string_equal(wwid, "1IET_00010002");
}

static void names_of_ports_are_none_of_the_unit(void **state)
{
	static const uint8_t data[] = {
		0, 0x83, 0, 24,
		0x01, 0x13, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7,
		0x02, 0x00, 0, 4, 'a', ' ', ' ', 'b',
	};
	char wwid[WWID_TEXT];

	(void)state;
	assert_true(decode_wwid(data, sizeof(data), &a_disk, wwid));
	assert_string_equal(wwid, "0LAB_THIN_DISK_a_b");
}

static void names_cut_anywhere_are_not_read_further(void **state)
{
	char wwid[WWID_TEXT];

	(void)state;
	for (size_t len = 0; len < sizeof(names_data); len++) {
		uint8_t *data = copy_of(names_data, len);

		decode_wwid(data, len, &a_disk, wwid);
		assert_true(strlen(wwid) < WWID_TEXT);
		free(data);
	}
}

static void a_name_longer_than_all_fits(void **state)
{
	uint8_t data[4 + 4 + 255] = { 0, 0x83, 0xff, 0xff, 0x01, 0x03, 0, 255, 0x60 };
	char wwid[WWID_TEXT];

	(void)state;
	assert_true(decode_wwid(data, sizeof(data), &a_disk, wwid));
	assert_true(strlen(wwid) < WWID_TEXT);
	data[4] = 2;
	data[5] = 1;
	memset(data + 8, 'x', 255);
	assert_true(decode_wwid(data, sizeof(data), &a_disk, wwid));
	assert_int_equal(strlen(wwid), WWID_TEXT - 1);
}

static void serials_lose_their_blanks(void **state)
{
	static const uint8_t data[] = { 0, 0x80, 0, 12, ' ', ' ', ' ', 'A',
					' ', '1', 0x07, ' ', ' ', ' ', ' ', ' ' };
	static const uint8_t blank[] = { 0, 0x80, 0, 2, ' ', ' ' };
	char serial[WWID_TEXT], wwid[WWID_TEXT];

	(void)state;
	assert_true(decode_serial(data, sizeof(data), serial));
	assert_string_equal(serial, "A 1?");
	decode_serial_wwid(serial, &a_disk, wwid);
	assert_string_equal(wwid, "SLAB_THIN_DISK_A_1?");
	assert_false(decode_serial(blank, sizeof(blank), serial));
	assert_false(decode_serial(data, 3, serial));
	assert_false(decode_serial(names_data, sizeof(names_data), serial));
}

static void an_inquiry_tells_type_and_product(void **state)
{
	uint8_t data[36] = { 0x2c, 0, 5, 2, 31, 0, 0, 0, 'I', 'E', 'T', ' ', ' ', ' ', ' ', ' ',
			     'C', 'o', 'n', 't', 'r', 'o', 'l', 'l', 'e', 'r' };
	struct inquiry i;

	(void)state;
	assert_true(decode_inquiry(data, sizeof(data), &i));
	assert_int_equal(i.qualifier, 1);
	assert_int_equal(i.type, 12);
	assert_string_equal(i.vendor, "IET");
	assert_string_equal(i.product, "Controller");
	assert_true(decode_inquiry(data, 5, &i));
	assert_string_equal(i.vendor, "");
	assert_false(decode_inquiry(data, 0, &i));
}

/* -- sizes -- */

static void capacity_counts_the_last_block(void **state)
{
	uint8_t data[32] = { 0, 0, 0, 0, 0, 0x5f, 0xff, 0xff, 0, 0, 2, 0, 0, 3, 0xc0, 0 };
	struct capacity c;

	(void)state;
	assert_true(decode_capacity(data, sizeof(data), &c));
	assert_int_equal(c.blocks, 6291456);
	assert_int_equal(c.block_size, 512);
	assert_true(c.thin && c.zeroes);
	assert_true(decode_capacity(data, 12, &c));
	assert_false(c.thin || c.zeroes);
	assert_false(decode_capacity(data, 11, &c));
}

static void impossible_sizes_are_refused(void **state)
{
	static const struct {
		uint8_t last[8], size[4];
	} bad[] = {
		{ { 0, 0, 0, 0, 0, 0, 0, 1 }, { 0, 0, 0, 0 } },
		{ { 0, 0, 0, 0, 0, 0, 0, 1 }, { 0, 0, 2, 8 } }, /* 520 */
		{ { 0, 0, 0, 0, 0, 0, 0, 1 }, { 0, 0, 1, 0 } },
		{ { 0, 0, 0, 0, 0, 0, 0, 1 }, { 0x80, 0, 0, 0 } },
		{ { 255, 255, 255, 255, 255, 255, 255, 255 }, { 0, 0, 2, 0 } },
		{ { 0, 0x7f, 255, 255, 255, 255, 255, 255 }, { 0, 0, 2, 0 } },
	};
	struct capacity c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(decode_capacity(bad[i].last, 12, &c));
}

static void limits_stand_as_far_as_they_came(void **state)
{
	uint8_t data[64] = { 0, 0xb0, 0, 60 };
	struct block_limits l;

	(void)state;
	data[10] = 8;	 /* transfer 2048 */
	data[23] = 9;	 /* unmap */
	data[31] = 4;	 /* granularity */
	data[32] = 0x80; /* alignment is valid */
	data[35] = 3;
	data[43] = 7; /* write same */
	decode_block_limits(data, sizeof(data), &l);
	assert_int_equal(l.transfer, 2048);
	assert_int_equal(l.unmap, 9);
	assert_int_equal(l.unmap_granularity, 4);
	assert_int_equal(l.unmap_alignment, 3);
	assert_int_equal(l.write_same, 7);
	decode_block_limits(data, 16, &l);
	assert_int_equal(l.transfer, 2048);
	assert_int_equal(l.unmap, 0);
	data[3] = 4; /* the page says that it is shorter */
	decode_block_limits(data, sizeof(data), &l);
	assert_int_equal(l.transfer, 0);
	decode_block_limits(data, 0, &l);
	assert_int_equal(l.transfer, 0);
}

static void provisioning_is_two_bits(void **state)
{
	static const uint8_t data[] = { 0, 0xb2, 0, 4, 0, 0xe4, 2, 0 };
	struct provisioning p;

	(void)state;
	decode_provisioning(data, sizeof(data), &p);
	assert_true(p.unmap && p.write_same_unmap);
	decode_provisioning(data, 5, &p);
	assert_false(p.unmap || p.write_same_unmap);
}

/* -- modes -- */

static void modes_are_found_among_the_pages(void **state)
{
	/* tgtd, read-only: disconnect page, then caching with WCE */
	uint8_t data[] = { 0x27, 0, 0x90, 0, 0x02, 0x0e, 0x80, 0x80, 0, 0x0a, 0, 0, 0, 0,
			   0, 0, 0, 0, 0, 0, 0x08, 0x12, 0x14, 0, 0xff, 0xff, 0, 0,
			   0xff, 0xff, 0xff, 0xff, 0x80, 0x14, 0, 0, 0, 0, 0, 0 };
	struct mode m;

	(void)state;
	assert_true(decode_mode(data, sizeof(data), &m));
	assert_true(m.read_only && m.write_cache);
	for (size_t len = 0; len < sizeof(data); len++) {
		uint8_t *cut = copy_of(data, len);

		assert_int_equal(decode_mode(cut, len, &m), len >= 4);
		free(cut);
	}
	data[3] = 255; /* block descriptors longer than all */
	assert_true(decode_mode(data, sizeof(data), &m));
	assert_false(m.write_cache);
}

static void pages_of_no_length_end(void **state)
{
	uint8_t data[256] = { 255 };
	struct mode m;

	(void)state;
	assert_true(decode_mode(data, sizeof(data), &m));
	assert_false(m.write_cache);
}

/* -- GET LBA STATUS -- */

static void put_range(uint8_t *at, uint64_t first, uint32_t count, uint8_t how)
{
	for (int i = 7; i >= 0; i--, first >>= 8)
		at[i] = first;
	for (int i = 11; i >= 8; i--, count >>= 8)
		at[i] = count;
	at[12] = how;
}

static void ranges_follow_each_other(void **state)
{
	uint8_t data[8 + 3 * 16] = { 0, 0, 0, 52 };
	struct blocks b[4];

	(void)state;
	put_range(data + 8, 90, 20, 0);
	put_range(data + 24, 110, 5, 1);
	put_range(data + 40, 115, 1, 2);
	assert_int_equal(decode_lba_status(data, sizeof(data), 100, b, 4), 3);
	assert_true(b[0].first == 100 && b[0].count == 10 && b[0].mapped && b[0].provisioned);
	assert_true(b[1].first == 110 && b[1].count == 5 && !b[1].mapped && !b[1].provisioned);
	assert_true(b[2].first == 115 && !b[2].mapped && b[2].provisioned);
	assert_int_equal(decode_lba_status(data, sizeof(data), 100, b, 2), 2);
}

static void what_lies_about_ranges_is_not_believed(void **state)
{
	uint8_t data[8 + 3 * 16] = { 0xff, 0xff, 0xff, 0xff };
	struct blocks b[4];

	(void)state;
	put_range(data + 8, 101, 20, 1); /* not what was asked for */
	assert_int_equal(decode_lba_status(data, sizeof(data), 100, b, 4), 0);
	put_range(data + 8, 100, 0, 1); /* nothing: the caller would ask for ever */
	assert_int_equal(decode_lba_status(data, sizeof(data), 100, b, 4), 0);
	put_range(data + 8, UINT64_MAX - 1, 10, 1); /* around the end */
	assert_int_equal(decode_lba_status(data, sizeof(data), UINT64_MAX - 1, b, 4), 0);
	put_range(data + 8, 100, 10, 1);
	put_range(data + 24, 111, 5, 1); /* a gap */
	assert_int_equal(decode_lba_status(data, sizeof(data), 100, b, 4), 1);
	put_range(data + 24, 105, 50, 1); /* an overlap */
	assert_int_equal(decode_lba_status(data, sizeof(data), 100, b, 4), 1);
	data[0] = data[1] = data[2] = 0;
	data[3] = 4; /* says that it has none */
	assert_int_equal(decode_lba_status(data, sizeof(data), 100, b, 4), 0);
	for (size_t len = 0; len < sizeof(data); len++) {
		uint8_t *cut = copy_of(data, len);

		decode_lba_status(cut, len, 100, b, 4);
		free(cut);
	}
}

/* -- sense -- */

static void both_forms_of_sense_are_read(void **state)
{
	static const uint8_t fixed[] = { 0, 18, 0x70, 0, 6, 0, 0, 0, 0, 10,
					 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0 };
	static const uint8_t descriptors[] = { 0, 8, 0x72, 5, 0x25, 0, 0, 0, 0, 0 };
	struct sense s;

	(void)state;
	decode_sense(fixed, sizeof(fixed), &s);
	assert_int_equal(s.key, 6);
	assert_int_equal(s.code, 0x2900);
	decode_sense(descriptors, sizeof(descriptors), &s);
	assert_int_equal(s.key, 5);
	assert_int_equal(s.code, 0x2500);
	for (size_t len = 0; len < sizeof(fixed); len++) {
		uint8_t *cut = copy_of(fixed, len);

		decode_sense(cut, len, &s);
		free(cut);
	}
}

static void nothing_at_all_is_taken(void **state)
{
	struct provisioning p;
	struct block_limits l;
	struct inquiry i;
	struct capacity c;
	struct sense s;
	struct mode m;
	char text[WWID_TEXT];
	struct blocks b;
	uint16_t lun;

	(void)state;
	assert_int_equal(decode_luns(NULL, 0, &lun, 1), 0);
	assert_false(decode_inquiry(NULL, 0, &i));
	assert_false(decode_serial(NULL, 0, text));
	assert_false(decode_wwid(NULL, 0, &i, text));
	decode_block_limits(NULL, 0, &l);
	decode_provisioning(NULL, 0, &p);
	assert_false(decode_capacity(NULL, 0, &c));
	assert_false(decode_mode(NULL, 0, &m));
	assert_int_equal(decode_lba_status(NULL, 0, 0, &b, 1), 0);
	decode_sense(NULL, 0, &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(luns_are_their_first_two_bytes),
		cmocka_unit_test(what_cannot_be_addressed_is_left_out),
		cmocka_unit_test(a_list_cut_anywhere_is_not_read_further),
		cmocka_unit_test(the_best_name_is_chosen_as_scsi_id_does),
		cmocka_unit_test(names_of_ports_are_none_of_the_unit),
		cmocka_unit_test(names_cut_anywhere_are_not_read_further),
		cmocka_unit_test(a_name_longer_than_all_fits),
		cmocka_unit_test(serials_lose_their_blanks),
		cmocka_unit_test(an_inquiry_tells_type_and_product),
		cmocka_unit_test(capacity_counts_the_last_block),
		cmocka_unit_test(impossible_sizes_are_refused),
		cmocka_unit_test(limits_stand_as_far_as_they_came),
		cmocka_unit_test(provisioning_is_two_bits),
		cmocka_unit_test(modes_are_found_among_the_pages),
		cmocka_unit_test(pages_of_no_length_end),
		cmocka_unit_test(ranges_follow_each_other),
		cmocka_unit_test(what_lies_about_ranges_is_not_believed),
		cmocka_unit_test(both_forms_of_sense_are_read),
		cmocka_unit_test(nothing_at_all_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
