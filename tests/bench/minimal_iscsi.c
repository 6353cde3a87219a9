/*
 * The least filesystem that shows a LUN, without libfuse: what FUSE and libiscsi cost
 * together. minimal_iscsi MOUNT PORTAL TARGET INITIATOR LUN shows it as MOUNT/data: one
 * thread has both. It needs root.
 */
#include "minimal.h"

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdbool.h>

static struct iscsi_context *target;
static int lun;
static uint32_t block;
static uint64_t size;

struct request {
	_Alignas(4096) char in[HEADER + BUFFER];
	struct scsi_iovec data;
	struct request *next;
};
static struct request *answered;
static struct request *current; /* the loop's; NULL: the target has it */

static void die(const char *what)
{
	fprintf(stderr, "minimal_iscsi: %s: %s\n", what, iscsi_get_error(target));
	exit(1);
}

static uint64_t size_of_data(void)
{
	return size;
}

static struct fuse_in_header *request_room(void)
{
	if (current)
		return (void *)current->in;
	current = answered;
	if (current)
		answered = current->next;
	else
		current = aligned_alloc(4096, sizeof(*current));
	if (!current)
		die("memory");
	return (void *)current->in;
}

static void moved(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct request *r = arg;
	struct fuse_in_header *in = arg;
	int error = status == SCSI_STATUS_GOOD ? 0 : EIO;

	(void)ctx;
	scsi_free_scsi_task(data);
	if (in->opcode == FUSE_WRITE)
		reply_written(in, error ? -error : (ssize_t)r->data.iov_len);
	else
		reply(in, error, r->data.iov_base, error ? 0 : r->data.iov_len);
	r->next = answered;
	answered = r;
}

/* false: answered, as what is not whole blocks or behind the end. */
static bool begin(const struct fuse_in_header *in, uint64_t off, void *data, uint32_t len)
{
	if ((off | len) % block || off + len > size) {
		reply(in, off == size ? 0 : EINVAL, NULL, 0);
		return false;
	}
	current->data = (struct scsi_iovec){ data, len };
	current = NULL;
	return true;
}

static void do_read(struct fuse_in_header *in)
{
	const struct fuse_read_in *arg = (const void *)(in + 1);
	struct request *r = current;

	if (!begin(in, arg->offset, (char *)in + HEADER, arg->size))
		return;
	if (!iscsi_read16_iov_task(target, lun, arg->offset / block, arg->size, block, 0,
				   0, 0, 0, 0, moved, r, &r->data, 1))
		die("a read");
}

static void do_write(struct fuse_in_header *in)
{
	const struct fuse_write_in *arg = (const void *)(in + 1);
	struct request *r = current;

	if (!begin(in, arg->offset, (void *)(arg + 1), arg->size))
		return;
	if (!iscsi_write16_iov_task(target, lun, arg->offset / block, NULL, arg->size,
				    block, 0, 0, 0, 0, 0, moved, r, &r->data, 1))
		die("a write");
}

static void do_open(const struct fuse_in_header *in)
{
	struct fuse_open_out out = { .open_flags = OPEN_DIRECT };

	reply(in, 0, &out, sizeof(out));
}

/* Some targets take no more at once. */
static void extend_init(struct fuse_init_out *out)
{
	out->max_write = 256 << 10;
	out->max_pages = out->max_write / 4096;
}

static void connect_to(char **args)
{
	struct scsi_readcapacity16 *capacity = NULL;
	struct scsi_task *task;

	lun = atoi(args[3]);
	target = iscsi_create_context(args[2]);
	iscsi_set_targetname(target, args[1]);
	iscsi_set_session_type(target, ISCSI_SESSION_NORMAL);
	if (iscsi_full_connect_sync(target, args[0], lun) < 0)
		die("login");
	task = iscsi_readcapacity16_sync(target, lun);
	if (task && task->status == SCSI_STATUS_GOOD)
		capacity = scsi_datain_unmarshall(task);
	if (!capacity)
		die("READ CAPACITY");
	block = capacity->block_length;
	size = (capacity->returned_lba + 1) * block;
	scsi_free_scsi_task(task);
}

static const struct shown shown = {
	.size = size_of_data,
	.init = extend_init,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.room = request_room,
};

int main(int argc, char **argv)
{
	struct pollfd fds[2];
	int n = 0;

	if (argc != 6)
		return 2;
	connect_to(argv + 2);
	if (mount_at(argv[1]) != 0)
		return 1;
	fcntl(device, F_SETFL, O_NONBLOCK);
	while (n >= 0) {
		fds[0] = (struct pollfd){ .fd = device, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = iscsi_get_fd(target),
					  .events = iscsi_which_events(target) };
		poll(fds, 2, -1);
		while ((n = serve_one(&shown)) > 0)
			;
		if (iscsi_service(target, fds[1].revents | (iscsi_which_events(target) &
							    POLLOUT)) < 0)
			die("the target");
	}
	iscsi_logout_sync(target);
	return 0;
}
