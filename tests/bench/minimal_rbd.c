/*
 * The least filesystem that shows an image of Ceph, without libfuse: what FUSE and librbd
 * cost together. minimal_rbd MOUNT CONF POOL IMAGE shows it as MOUNT/data: one thread
 * gives what it receives to librbd, whose completions answer. It needs root.
 */
#include "minimal.h"

#include <pthread.h>
#include <rados/librados.h>
#include <rbd/librbd.h>

static rados_t cluster;
static rados_ioctx_t pool;
static rbd_image_t image;

struct request {
	_Alignas(4096) char in[HEADER + BUFFER];
	struct request *next;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct request *answered; /* under lock */
static struct request *current;  /* the loop's; NULL: librbd has it */

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "minimal_rbd: %s: %s\n", what, strerror(-r));
	exit(1);
}

static uint64_t size_of_data(void)
{
	uint64_t size;

	check(rbd_get_size(image, &size), "its size");
	return size;
}

static void give_back(struct request *r)
{
	pthread_mutex_lock(&lock);
	r->next = answered;
	answered = r;
	pthread_mutex_unlock(&lock);
}

static struct fuse_in_header *request_room(void)
{
	if (current)
		return (void *)current->in;
	pthread_mutex_lock(&lock);
	current = answered;
	if (current)
		answered = current->next;
	pthread_mutex_unlock(&lock);
	if (!current)
		current = aligned_alloc(4096, sizeof(*current));
	check(current ? 0 : -ENOMEM, "memory");
	return (void *)current->in;
}

static void was_read(rbd_completion_t c, void *arg)
{
	ssize_t n = rbd_aio_get_return_value(c);

	rbd_aio_release(c);
	reply(arg, n < 0 ? -n : 0, (char *)arg + HEADER, n < 0 ? 0 : n);
	give_back(arg);
}

static void was_written(rbd_completion_t c, void *arg)
{
	struct fuse_in_header *in = arg;
	const struct fuse_write_in *write = (const void *)(in + 1);
	ssize_t n = rbd_aio_get_return_value(c);

	rbd_aio_release(c);
	reply_written(in, n < 0 ? n : (ssize_t)write->size);
	give_back(arg);
}

static rbd_completion_t begin(rbd_callback_t done)
{
	rbd_completion_t c;

	check(rbd_aio_create_completion(current, done, &c), "a completion");
	current = NULL;
	return c;
}

static void do_read(struct fuse_in_header *in)
{
	const struct fuse_read_in *arg = (const void *)(in + 1);

	check(rbd_aio_read(image, arg->offset, arg->size, (char *)in + HEADER,
			   begin(was_read)), "a read");
}

static void do_write(struct fuse_in_header *in)
{
	const struct fuse_write_in *arg = (const void *)(in + 1);

	check(rbd_aio_write(image, arg->offset, arg->size, (const char *)(arg + 1),
			    begin(was_written)), "a write");
}

static void do_open(const struct fuse_in_header *in)
{
	struct fuse_open_out out = { .open_flags = OPEN_DIRECT };

	reply(in, 0, &out, sizeof(out));
}

static const struct shown shown = {
	.size = size_of_data,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.room = request_room,
};

int main(int argc, char **argv)
{
	int status;

	if (argc != 5)
		return 2;
	check(rados_create2(&cluster, "ceph", "client.admin", 0), "rados_create2");
	check(rados_conf_read_file(cluster, argv[2]), argv[2]);
	/* no thread between ours and librados' */
	check(rados_conf_set(cluster, "rbd_non_blocking_aio", "false"), "an option");
	check(rados_connect(cluster), "rados_connect");
	check(rados_ioctx_create(cluster, argv[3], &pool), argv[3]);
	check(rbd_open(pool, argv[4], &image, NULL), argv[4]);
	status = mount_at(argv[1]);
	while (status == 0 && serve_one(&shown) > 0)
		;
	rbd_close(image); /* else it stays locked for a while */
	rados_ioctx_destroy(pool);
	rados_shutdown(cluster);
	return status;
}
