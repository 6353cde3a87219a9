/* The bytes of Sheepdog's protocol: as real sheep wrote and took them, and as none
 * should. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/sheepdog/sheep_nodes.h"
#include "backends/sheepdog/sheep_proto.h"

#define TRANSCRIPTS SOURCE_ROOT "/tests/servers/sheepdog-transcripts/"
#define MOST	    (3 << 20) /* bytes of one message */

/* Of sheep_nodes.c, which a list of nodes is not asked for here. */
void session_send(struct sheep_session *s, struct sheep_msg *m)
{
	fail();
}

/* -- transcripts: hex, "xx*N" is N bytes xx -- */

static size_t parse_hex(const char *text, uint8_t *out)
{
	size_t n = 0;

	while (*text && *text != '\n') {
		unsigned byte;
		int used, times = 1;

		if (*text == ' ') {
			text++;
			continue;
		}
		assert_int_equal(sscanf(text, "%2x%n", &byte, &used), 1);
		text += used;
		if (*text == '*') {
			times = strtol(text + 1, (char **)&text, 10);
		}
		assert_true(n + times <= MOST);
		memset(out + n, byte, times);
		n += times;
	}
	return n;
}

static FILE *open_transcript(const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), TRANSCRIPTS "%s", name);
	f = fopen(path, "re");
	if (!f)
		print_message("no %s\n", path);
	assert_non_null(f);
	return f;
}

/* The n-th message of a direction in a transcript. */
static size_t message(const char *transcript, char direction, int n, uint8_t *out)
{
	FILE *f = open_transcript(transcript);
	char *line = NULL;
	size_t cap = 0, len = 0;

	while (!len && getline(&line, &cap, f) > 0)
		if (line[0] == direction && line[1] == ' ' && n-- == 0)
			len = parse_hex(line + 2, out);
	free(line);
	fclose(f);
	assert_true(len >= SHEEP_HEAD);
	return len;
}

static uint8_t *buffer(void)
{
	uint8_t *b = calloc(1, MOST);

	assert_non_null(b);
	return b;
}

/* What we would send, but for the copies, which ours leaves to the VDI. */
static void check_request(const char *transcript, int n, const struct sheep_request *r)
{
	uint8_t *want = buffer(), got[SHEEP_HEAD];
	size_t len = message(transcript, '>', n, want);

	sheep_encode(r, len > SHEEP_HEAD, got);
	want[32] = r->opcode < SHEEP_NEW_VDI ? 0 : want[32];
	assert_memory_equal(got, want, SHEEP_HEAD);
	free(want);
}

static void test_requests(void **state)
{
	check_request("01-cluster.txt", 0,
		      &(struct sheep_request){ .opcode = SHEEP_STAT_CLUSTER,
					       .id = 1,
					       .data_length = SHEEP_EPOCH_ROOM });
	check_request("01-cluster.txt", 3,
		      &(struct sheep_request){ .opcode = SHEEP_GET_NODES,
					       .id = 4,
					       .data_length = SHEEP_NODES_ROOM });
	check_request("02-create-list.txt", 0,
		      &(struct sheep_request){ .opcode = SHEEP_NEW_VDI,
					       .id = 1,
					       .data_length = SHEEP_NAME,
					       .vdi.size = 10 << 20 });
	check_request("02-create-list.txt", 2,
		      &(struct sheep_request){ .opcode = SHEEP_GET_VDI_INFO,
					       .id = 3,
					       .data_length = SHEEP_NAMES });
	check_request(
		"03-write-read.txt", 1,
		&(struct sheep_request){ .opcode = SHEEP_CREATE,
					 .id = 2,
					 .data_length = 6,
					 .obj = { .oid = sheep_data_oid(0xdd7385, 0),
						  .offset = (4 << 20) - 6 } });
	check_request("03-write-read.txt", 3,
		      &(struct sheep_request){ .opcode = SHEEP_WRITE,
					       .id = 4,
					       .data_length = 8,
					       .obj = { .oid = sheep_inode_oid(0xdd7385),
							.offset = SHEEP_MAP_AT } });
	check_request("04-snapshot-cow-clone.txt", 1,
		      &(struct sheep_request){ .opcode = SHEEP_NEW_VDI,
					       .id = 2,
					       .data_length = SHEEP_NAME,
					       .vdi = { .size = 10 << 20,
							.base = 0xdd7385,
							.snapid = 1,
							.copies = 2,
							.shift = 22 } });
	check_request(
		"04-snapshot-cow-clone.txt", 10,
		&(struct sheep_request){ .opcode = SHEEP_CREATE,
					 .flags = SHEEP_FLAG_COW,
					 .id = 11,
					 .data_length = 5,
					 .obj = { .oid = sheep_data_oid(0xdd7386, 1),
						  .cow_oid = sheep_data_oid(0xdd7385, 1),
						  .offset = 1 } });
}

static void test_replies(void **state)
{
	uint8_t *in = buffer();
	struct sheep_reply r;

	message("02-create-list.txt", '<', 0, in);
	sheep_decode(in, &r);
	assert_int_equal(r.opcode, SHEEP_NEW_VDI);
	assert_int_equal(r.id, 1);
	assert_int_equal(r.epoch, 1);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.vdi.vid, 0xdd7385);
	assert_int_equal(r.vdi.copies, 2);
	assert_int_equal(r.vdi.shift, 22);
	/* what lies on the server's stack is not taken for an answer */
	message("02-create-list.txt", '<', 1, in);
	sheep_decode(in, &r);
	assert_int_equal(r.result, SHEEP_VDI_EXIST);
	assert_int_equal(r.vdi.vid, 0);
	message("01-cluster.txt", '<', 2, in);
	sheep_decode(in, &r);
	assert_int_equal(r.cluster.copies, 2);
	assert_int_equal(r.cluster.shift, 22);
	message("01-cluster.txt", '<', 4, in);
	sheep_decode(in, &r);
	assert_true(r.node.size && r.node.free <= r.node.size);
	free(in);
}

static void test_nodes(void **state)
{
	uint8_t *in = buffer();
	struct address list[MAX_NODES];
	struct sheep_reply r;
	size_t stores;

	message("01-cluster.txt", '<', 3, in);
	sheep_decode(in, &r);
	assert_int_equal(
		nodes_decode(in + SHEEP_HEAD, r.data_length, r.node.count, list, &stores),
		3);
	assert_int_equal(stores, 3);
	assert_string_equal(list[0].text, "127.0.0.1:7000");
	assert_string_equal(list[2].text, "127.0.0.1:7002");
	/* more nodes than bytes, and none at all */
	assert_int_equal(
		nodes_decode(in + SHEEP_HEAD, r.data_length, 1000, list, &stores), 0);
	assert_int_equal(nodes_decode(in + SHEEP_HEAD, 0, 0, list, &stores), 0);
	assert_int_equal(nodes_decode(in + SHEEP_HEAD, 79, 1, list, &stores), 0);
	free(in);
}

/* -- inodes -- */

#define VEC 0xdd7385

static void test_inodes(void **state)
{
	uint8_t *in = buffer(), *head = in + SHEEP_HEAD;
	struct error err = { 0 };
	struct sheep_vdi v;

	message("04-snapshot-cow-clone.txt", '<', 9, in);
	assert_int_equal(sheep_decode_vdi(head, VEC, &v, &err), 0);
	assert_string_equal(v.name, "vec");
	assert_string_equal(v.tag, "s1");
	assert_true(v.snapshot);
	assert_int_equal(v.size, 10 << 20);
	assert_int_equal(v.shift, 22);
	assert_int_equal(v.copies, 2);
	assert_int_equal(v.snapid, 1);
	assert_int_equal(sheep_objects(v.size, v.shift), 3);
	assert_int_equal(sheep_decode_vdi(head, VEC + 1, &v, &err), -EIO);
	message("04-snapshot-cow-clone.txt", '<', 7, in);
	assert_int_equal(sheep_decode_vdi(head, VEC + 1, &v, &err), 0);
	assert_false(v.snapshot);
	assert_int_equal(v.parent, VEC);
	message("05-resize-discard-delete.txt", '<', 6, in);
	assert_int_equal(sheep_decode_vdi(head, VEC, &v, &err), 0);
	assert_string_equal(v.name, "");
	free(in);
}

static void test_hostile_inodes(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
		int r;
	} cases[] = {
		{ 553, 1, -EOPNOTSUPP }, /* a hypervolume */
		{ 555, 19, -EIO },	 /* objects too small */
		{ 555, 32, -EIO },	 /* and too large to shift by */
		{ 555, 255, -EIO },
		{ SHEEP_SIZE_AT + 7, 0x7f, -EIO }, /* more than a map holds */
		{ 560, 0, -EIO },		   /* another VDI's */
		{ 563, 1, -EIO },
	};
	uint8_t *in = buffer(), *head = in + SHEEP_HEAD;
	struct sheep_vdi v;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = { 0 };

		message("04-snapshot-cow-clone.txt", '<', 9, in);
		head[cases[i].at] = cases[i].byte;
		assert_int_equal(sheep_decode_vdi(head, VEC, &v, &err), cases[i].r);
		assert_true(*err.text);
	}
	/* names that do not end */
	message("04-snapshot-cow-clone.txt", '<', 9, in);
	memset(head, 'x', SHEEP_NAMES);
	assert_int_equal(sheep_decode_vdi(head, VEC, &v, NULL), 0);
	assert_int_equal(strlen(v.name), SHEEP_NAME - 1);
	assert_int_equal(strlen(v.tag), SHEEP_NAME - 1);
	free(in);
}

static void test_maps(void **state)
{
	uint8_t in[12] = { 0x85, 0x73, 0xdd, 0, 0, 0, 0, 0, 1, 0, 0, 1 };
	uint32_t map[3];
	struct error err = { 0 };

	assert_int_equal(sheep_decode_map(in, 2, map, &err), 0);
	assert_int_equal(map[0], VEC);
	assert_int_equal(map[1], 0);
	assert_int_equal(sheep_decode_map(in, 3, map, &err), -EIO);
}

static void test_hash(void **state)
{
	assert_int_equal(sheep_hash("vec"), VEC);
	assert_int_equal(sheep_hash("vec2"), 0x4b9ff5);
}

static void test_results(void **state)
{
	struct error err = { 0 };

	assert_int_equal(sheep_failure(0x15, &err, "cannot write '%s'", "v"), -ENOSPC);
	assert_string_equal(err.text, "cannot write 'v': the cluster has no space left");
	assert_int_equal(sheep_failure(0x7777, &err, "x"), -EIO);
	assert_non_null(strstr(err.text, "0x7777"));
	assert_true(sheep_is_passing(0x82));
	assert_false(sheep_is_passing(SHEEP_READONLY));
	assert_false(sheep_is_passing(SHEEP_OK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),       cmocka_unit_test(test_replies),
		cmocka_unit_test(test_nodes),	       cmocka_unit_test(test_inodes),
		cmocka_unit_test(test_hostile_inodes), cmocka_unit_test(test_maps),
		cmocka_unit_test(test_hash),	       cmocka_unit_test(test_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
