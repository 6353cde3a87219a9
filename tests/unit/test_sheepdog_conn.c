/* A connection to a sheep: answers in any order and in pieces, and servers that lie. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/sheepdog/sheep_conn.h"

#define N 3

struct fixture {
	struct sheep_conn c;
	struct sheep_msg m[N];
	struct iovec iov[N];
	char in[N][16];
	int server;
};

static struct sheep_msg *answered[N];
static size_t n_answered;

/* Of the session. */
void session_answered(struct sheep_session *s, struct sheep_conn *c, struct sheep_msg *m,
		      const struct sheep_reply *reply)
{
	assert_true(n_answered < N);
	answered[n_answered++] = m;
}

/* Three reads of 16 bytes, with the ids 1 to 3, have been sent. */
static void begin(struct fixture *f)
{
	struct error err = { 0 };
	uint8_t bytes[N * SHEEP_HEAD];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	memset(f, 0, sizeof(*f));
	n_answered = 0;
	conn_init(&f->c, NULL);
	f->c.fd = fds[0];
	f->c.state = CONN_LIVE;
	f->server = fds[1];
	for (int i = 0; i < N; i++) {
		f->iov[i] = (struct iovec){ f->in[i], sizeof(f->in[i]) };
		f->m[i] = (struct sheep_msg){
			.request = { .opcode = SHEEP_READ,
				     .id = i + 1,
				     .data_length = 16 },
			.in = { &f->iov[i], 1, 0, 16 },
		};
		conn_add(&f->c, &f->m[i]);
	}
	assert_int_equal(conn_write(&f->c, &err), 0);
	assert_int_equal(read(f->server, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(bytes[SHEEP_HEAD + 8], 2);
}

static void end(struct fixture *f)
{
	struct list orphans = LIST_INIT(orphans);

	conn_close(&f->c, &orphans);
	close(f->server);
}

static void put_reply(uint8_t out[SHEEP_HEAD], uint8_t opcode, uint32_t id, uint32_t len,
		      uint32_t result)
{
	memset(out, 0, SHEEP_HEAD);
	out[1] = opcode;
	put_le32(out + 8, id);
	put_le32(out + 12, len);
	put_le32(out + 16, result);
}

static void reply(struct fixture *f, uint32_t id, char fill)
{
	uint8_t bytes[SHEEP_HEAD + 16];

	put_reply(bytes, SHEEP_READ, id, 16, 0);
	memset(bytes + SHEEP_HEAD, fill, 16);
	assert_int_equal(write(f->server, bytes, sizeof(bytes)), sizeof(bytes));
}

static void test_any_order(void **state)
{
	struct fixture f;

	begin(&f);
	reply(&f, 3, 'c');
	reply(&f, 1, 'a');
	reply(&f, 2, 'b');
	assert_int_equal(conn_read(&f.c, NULL), 0);
	assert_int_equal(n_answered, 3);
	assert_ptr_equal(answered[0], &f.m[2]);
	assert_ptr_equal(answered[1], &f.m[0]);
	assert_ptr_equal(answered[2], &f.m[1]);
	assert_memory_equal(f.in[0], "aaaaaaaaaaaaaaaa", 16);
	assert_memory_equal(f.in[1], "bbbbbbbbbbbbbbbb", 16);
	assert_memory_equal(f.in[2], "cccccccccccccccc", 16);
	end(&f);
}

static void test_bytewise(void **state)
{
	uint8_t bytes[SHEEP_HEAD + 16];
	struct fixture f;

	begin(&f);
	put_reply(bytes, SHEEP_READ, 2, 16, 0);
	memcpy(bytes + SHEEP_HEAD, "0123456789abcdef", 16);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(n_answered, 0);
		assert_int_equal(write(f.server, bytes + i, 1), 1);
		assert_int_equal(conn_read(&f.c, NULL), 0);
	}
	assert_int_equal(n_answered, 1);
	assert_memory_equal(f.in[1], "0123456789abcdef", 16);
	end(&f);
}

/* An error has no payload, and stores none. */
static void test_results(void **state)
{
	uint8_t bytes[SHEEP_HEAD];
	struct fixture f;

	begin(&f);
	put_reply(bytes, SHEEP_READ, 1, 0, SHEEP_NO_OBJ);
	assert_int_equal(write(f.server, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(conn_read(&f.c, NULL), 0);
	assert_int_equal(n_answered, 1);
	end(&f);
}

static void test_hostile(void **state)
{
	static const struct {
		uint8_t opcode;
		uint32_t id, len, result;
	} cases[] = {
		{ SHEEP_READ, 9, 16, 0 }, /* an answer to nothing */
		{ SHEEP_READ, 0, 16, 0 },
		{ SHEEP_WRITE, 1, 0, 0 }, /* to another question */
		{ SHEEP_READ, 1, 17, 0 }, /* more than there is room for */
		{ SHEEP_READ, 1, UINT32_MAX, 0 },
		{ SHEEP_READ, 1, UINT32_MAX, SHEEP_NO_OBJ },
		{ SHEEP_READ, 1, 15, 0 }, /* bytes that were not read */
		{ SHEEP_READ, 1, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t bytes[SHEEP_HEAD];
		struct error err = { 0 };
		struct fixture f;

		begin(&f);
		put_reply(bytes, cases[i].opcode, cases[i].id, cases[i].len,
			  cases[i].result);
		assert_int_equal(write(f.server, bytes, sizeof(bytes)), sizeof(bytes));
		assert_int_equal(conn_read(&f.c, &err), -EIO);
		assert_non_null(strstr(err.text, "broke the protocol"));
		assert_int_equal(n_answered, 0);
		end(&f);
	}
}

static void test_twice(void **state)
{
	struct fixture f;

	begin(&f);
	reply(&f, 1, 'a');
	reply(&f, 1, 'b');
	assert_int_equal(conn_read(&f.c, NULL), -EIO);
	assert_int_equal(n_answered, 1);
	assert_memory_equal(f.in[0], "aaaaaaaaaaaaaaaa", 16);
	end(&f);
}

/* The answer to what was given up is dropped, and the next one is found behind it. */
static void test_given_up(void **state)
{
	struct fixture f;

	begin(&f);
	f.m[0].in.iov = NULL;
	list_remove(&f.m[1].link); /* asked of another sheep */
	f.c.dropped++;
	reply(&f, 1, 'a');
	reply(&f, 2, 'b');
	reply(&f, 3, 'c');
	assert_int_equal(conn_read(&f.c, NULL), 0);
	assert_int_equal(n_answered, 2);
	assert_int_equal(f.in[0][0], 0);
	assert_int_equal(f.in[1][0], 0);
	assert_memory_equal(f.in[2], "cccccccccccccccc", 16);
	end(&f);
}

/* What a connection had is given back: the sent first, and what has not begun as such. */
static void test_orphans(void **state)
{
	struct list orphans = LIST_INIT(orphans);
	struct sheep_msg late = { .request = { .opcode = SHEEP_READ, .id = 4 } };
	struct fixture f;
	uint32_t id = 0;

	begin(&f);
	conn_add(&f.c, &late);
	conn_close(&f.c, &orphans);
	for (struct list *l; (l = list_shift(&orphans));) {
		struct sheep_msg *m = container_of(l, struct sheep_msg, link);

		assert_int_equal(m->request.id, ++id);
		assert_int_equal(m->begun, m != &late);
		assert_null(m->conn);
	}
	assert_int_equal(id, 4);
	close(f.server);
}

/* A long payload goes where it belongs, and what comes behind it is not lost. */
static void test_long(void **state)
{
	static char in[3 * CONN_AHEAD], sent[SHEEP_HEAD + sizeof(in)];
	struct iovec halves[] = { { in, 1000 }, { in + 1000, sizeof(in) - 1000 } };
	struct fixture f;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = i * 7 + i / 251;
	for (size_t first = 1; first < sizeof(sent); first += 7919) {
		begin(&f);
		memset(in, 0, sizeof(in));
		f.m[1].in = (struct sheep_slice){ halves, 2, 0, sizeof(in) };
		put_reply((uint8_t *)sent, SHEEP_READ, 2, sizeof(in), 0);
		assert_int_equal(write(f.server, sent, first), first);
		assert_int_equal(conn_read(&f.c, NULL), 0);
		assert_int_equal(n_answered, 0);
		assert_int_equal(write(f.server, sent + first, sizeof(sent) - first),
				 sizeof(sent) - first);
		reply(&f, 3, 'c');
		reply(&f, 1, 'a');
		assert_int_equal(conn_read(&f.c, NULL), 0);
		assert_int_equal(n_answered, 3);
		assert_memory_equal(in, sent + SHEEP_HEAD, sizeof(in));
		assert_memory_equal(f.in[0], "aaaaaaaaaaaaaaaa", 16);
		assert_memory_equal(f.in[2], "cccccccccccccccc", 16);
		end(&f);
	}
}

/* More is to be sent than the socket takes at once: each byte of it goes out once, and
 * only what was sent counts as begun. */
static void test_batch(void **state)
{
	enum { WRITES = 40, LEN = 5000, ALL = WRITES * (SHEEP_HEAD + LEN) };
	static char payload[WRITES][LEN], got[ALL + 1];
	struct iovec iov[WRITES];
	struct sheep_msg m[WRITES];
	struct list orphans = LIST_INIT(orphans);
	struct fixture f;
	size_t done = 0;
	int small = 1;

	begin(&f);
	setsockopt(f.c.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < WRITES; i++) {
		memset(payload[i], 'A' + i, LEN);
		iov[i] = (struct iovec){ payload[i], LEN };
		m[i] = (struct sheep_msg){ .request = { .opcode = SHEEP_WRITE,
							.id = 10 + i },
					   .out = { &iov[i], 1, 0, LEN } };
		conn_add(&f.c, &m[i]);
	}
	assert_int_equal(conn_write(&f.c, NULL), 0);
	assert_true(m[0].begun);
	assert_false(m[WRITES - 1].begun);
	for (ssize_t n; done < ALL; done += n) {
		n = read(f.server, got + done, 1000);
		assert_true(n > 0);
		assert_int_equal(conn_write(&f.c, NULL), 0);
	}
	for (int i = 0; i < WRITES; i++) {
		const char *at = got + i * (SHEEP_HEAD + LEN);

		assert_int_equal(at[8], 10 + i);
		assert_memory_equal(at + SHEEP_HEAD, payload[i], LEN);
		assert_true(m[i].begun);
	}
	conn_close(&f.c, &orphans);
	close(f.server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order), cmocka_unit_test(test_bytewise),
		cmocka_unit_test(test_results),	  cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_twice),	  cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_orphans),	  cmocka_unit_test(test_long),
		cmocka_unit_test(test_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
