/*
 * What Ceph's own libraries need for what rbd pools do: the sizes of all images from
 * their headers, asked for many deep, and with what is allocated from their object maps;
 * a snapshot; a clone. Connecting is not counted.
 *
 * Output: as workload's, WALL CLIENT 0 UNITS 0, times in ns.
 */
#include <rados/librados.h>
#include <rbd/librbd.h>
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH 32
#define NO_SNAPSHOT UINT64_C(-2)

static rados_t cluster;
static rados_ioctx_t pool;

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "rbd_bare: %s: %s\n", what, strerror(-r));
	exit(1);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static void connect_to(const char *conf, const char *name)
{
	check(rados_create2(&cluster, "ceph", "client.admin", 0), "rados_create2");
	check(rados_conf_read_file(cluster, conf), conf);
	check(rados_connect(cluster), "rados_connect");
	check(rados_ioctx_create(cluster, name, &pool), name);
}

/* -- the sizes of all images -- */

static struct question {
	rados_read_op_t op;
	rados_completion_t completion;
	char object[320];
	char answer[64];
	size_t n;
	int r;
	rados_completion_t map_read;
	char map_object[320];
	char map[1024];
} questions[DEPTH];

static void ask(struct question *q, const char *id)
{
	uint64_t snapshot = htole64(NO_SNAPSHOT);

	snprintf(q->object, sizeof(q->object), "rbd_header.%s", id);
	q->op = rados_create_read_op();
	rados_read_op_exec_user_buf(q->op, "rbd", "get_size", (char *)&snapshot,
				    sizeof(snapshot), q->answer, sizeof(q->answer), &q->n,
				    &q->r);
	check(rados_aio_create_completion2(NULL, NULL, &q->completion), "a completion");
	check(rados_aio_read_op_operate(q->op, pool, q->completion, q->object, 0), "asking");
}

static void ask_for_map(struct question *q, const char *id)
{
	snprintf(q->map_object, sizeof(q->map_object), "rbd_object_map.%s", id);
	check(rados_aio_create_completion2(NULL, NULL, &q->map_read), "a completion");
	check(rados_aio_read(pool, q->map_object, q->map_read, q->map, sizeof(q->map), 0),
	      "asking");
}

static void take_map(struct question *q)
{
	if (!q->map_read)
		return;
	rados_aio_wait_for_complete(q->map_read);
	check(rados_aio_get_return_value(q->map_read), q->map_object);
	rados_aio_release(q->map_read);
	q->map_read = NULL;
}

static void take(struct question *q)
{
	if (!q->op)
		return;
	rados_aio_wait_for_complete(q->completion);
	check(rados_aio_get_return_value(q->completion), q->object);
	rados_aio_release(q->completion);
	rados_release_read_op(q->op);
	q->op = NULL;
	take_map(q);
}

static uint64_t list(bool allocated)
{
	static rbd_image_spec_t images[16384];
	size_t n = sizeof(images) / sizeof(*images);

	check(rbd_list2(pool, images, &n), "rbd_list2");
	for (size_t i = 0; i < n; i++) {
		take(&questions[i % DEPTH]);
		ask(&questions[i % DEPTH], images[i].id);
		if (allocated)
			ask_for_map(&questions[i % DEPTH], images[i].id);
	}
	for (size_t i = 0; i < DEPTH; i++)
		take(&questions[i]);
	rbd_image_spec_list_cleanup(images, n);
	return n;
}

/* -- what the command rbd does once it has connected -- */

static void snapshot(const char *image_name, const char *name)
{
	rbd_image_t image;

	check(rbd_open(pool, image_name, &image, NULL), image_name);
	check(rbd_snap_create(image, name), name);
	check(rbd_close(image), image_name);
}

static void clone_image(const char *image, const char *snap, const char *name)
{
	rbd_image_options_t options;

	rbd_image_options_create(&options);
	rbd_image_options_set_uint64(options, RBD_IMAGE_OPTION_CLONE_FORMAT, 2);
	check(rbd_clone3(pool, image, snap, pool, name, options), name);
	rbd_image_options_destroy(options);
}

static uint64_t run(char **args)
{
	uint64_t count = args[1] && args[2] ? strtoull(args[2], NULL, 10) : 0;
	char name[64];

	if (!strncmp(args[0], "list", 4))
		return list(args[0][4]);
	for (uint64_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "bare-%ju", (uintmax_t)i);
		if (!strcmp(args[0], "snapshot"))
			snapshot(args[1], name);
		else
			clone_image(args[1], args[3], name);
	}
	return count;
}

int main(int argc, char **argv)
{
	uint64_t wall, cpu, units;

	if (argc != 4 && argc != 6 && argc != 7) {
		fputs("usage: rbd_bare CONF POOL list | list-allocated | "
		      "snapshot IMAGE COUNT | clone IMAGE COUNT SNAPSHOT\n", stderr);
		return 2;
	}
	connect_to(argv[1], argv[2]);
	wall = clock_ns(CLOCK_MONOTONIC);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	units = run(argv + 3);
	wall = clock_ns(CLOCK_MONOTONIC) - wall;
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%ju %ju 0 %ju 0\n", (uintmax_t)wall, (uintmax_t)cpu, (uintmax_t)units);
	rados_ioctx_destroy(pool);
	rados_shutdown(cluster);
}
