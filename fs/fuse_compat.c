/*
 * FUSE features across versions of libfuse: one reply (INIT) is edited on its way where
 * the library is too old; opens are answered in the kernel's own format by every version.
 */
#include "fs/fuse_compat.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

static int device = -1;
static unsigned want;
static atomic_uint agreed;

bool compat_passthrough(void)
{
	return atomic_load(&agreed) & COMPAT_PASSTHROUGH;
}

bool compat_direct_mmap(void)
{
	return atomic_load(&agreed) & COMPAT_DIRECT_MMAP;
}

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)

int compat_attach(struct fuse_session *se, unsigned wanted)
{
	device = fuse_session_fd(se);
	want = wanted;
	return 0;
}

static void ask(struct fuse_conn_info *conn, unsigned what, uint64_t flag)
{
	if ((want & what) && fuse_set_feature_flag(conn, flag))
		atomic_fetch_or(&agreed, what);
}

/* conn->want and the newer flags must not be mixed: all go this way. */
void compat_init(struct fuse_conn_info *conn, unsigned flags)
{
	for (int i = 0; i < 32; i++) {
		if (flags & 1u << i)
			fuse_set_feature_flag(conn, UINT64_C(1) << i);
		else
			fuse_unset_feature_flag(conn, UINT64_C(1) << i);
	}
	ask(conn, COMPAT_PASSTHROUGH, FUSE_CAP_PASSTHROUGH);
	ask(conn, COMPAT_DIRECT_MMAP, FUSE_CAP_DIRECT_IO_ALLOW_MMAP);
	ask(conn, COMPAT_HANDLE_KILLPRIV_2, FUSE_CAP_HANDLE_KILLPRIV_V2);
	ask(conn, COMPAT_PARALLEL_DIROPS, FUSE_CAP_PARALLEL_DIROPS);
	/* the library adds one; the kernel takes at most 2 */
	conn->max_backing_stack_depth = 1;
}

#else

/* Of fuse_init_in and fuse_init_out; the upper 32 bits are flags2. */
#define INIT_KILLPRIV_V2 (UINT64_C(1) << 28)
#define INIT_EXT         (UINT64_C(1) << 30)
#define INIT_ALLOW_MMAP  (UINT64_C(1) << 36)
#define INIT_PASSTHROUGH (UINT64_C(1) << 37)

/* The kernel's struct of today: unused[0] was given a meaning. */
#define MAX_STACK_DEPTH unused[0]

static const struct {
	unsigned what;
	uint64_t flag;
} features[] = {
	{ COMPAT_PASSTHROUGH, INIT_PASSTHROUGH },
	{ COMPAT_DIRECT_MMAP, INIT_ALLOW_MMAP },
	{ COMPAT_HANDLE_KILLPRIV_2, INIT_KILLPRIV_V2 },
	{ COMPAT_PARALLEL_DIROPS, FUSE_PARALLEL_DIROPS },
};

/* The first request is INIT; the others pass untouched. */
static atomic_uint_fast64_t init_unique;
static uint64_t offered;

static void note_init(const char *buf, size_t len)
{
	struct fuse_in_header in;
	struct fuse_init_in init;

	if (len < sizeof(in) + sizeof(init))
		return;
	memcpy(&in, buf, sizeof(in));
	memcpy(&init, buf + sizeof(in), sizeof(init));
	if (in.opcode != FUSE_INIT)
		return;
	offered = init.flags;
	if (offered & INIT_EXT)
		offered |= (uint64_t)init.flags2 << 32;
	atomic_store(&init_unique, in.unique);
}

static ssize_t hooked_read(int fd, void *buf, size_t len, void *userdata)
{
	static atomic_bool seen;
	ssize_t n = read(fd, buf, len);

	if (n > 0 && !atomic_load_explicit(&seen, memory_order_relaxed)) {
		note_init(buf, n);
		atomic_store(&seen, true);
	}
	return n;
}

static void edit_init(struct fuse_init_out *out)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++) {
		if (!(want & features[i].what) || !(offered & features[i].flag))
			continue;
		flags |= features[i].flag;
		atomic_fetch_or(&agreed, features[i].what);
	}
	if (!flags)
		return;
	out->flags |= (uint32_t)flags | INIT_EXT;
	out->flags2 |= flags >> 32;
	if (flags & INIT_PASSTHROUGH)
		out->MAX_STACK_DEPTH = 2;
}

static ssize_t hooked_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	const struct fuse_out_header *head = iov->iov_base;
	uint64_t unique = atomic_load_explicit(&init_unique, memory_order_relaxed);

	if (unique && head->unique == unique && count == 2 && !head->error &&
	    iov[1].iov_len >= sizeof(struct fuse_init_out)) {
		edit_init(iov[1].iov_base);
		atomic_store(&init_unique, 0);
	}
	return writev(fd, iov, count);
}

int compat_attach(struct fuse_session *se, unsigned wanted)
{
	static const struct fuse_custom_io io = {
		.read = hooked_read, .writev = hooked_writev,
	};

	device = fuse_session_fd(se);
	want = wanted;
	return fuse_session_custom_io(se, &io, device);
}

void compat_init(struct fuse_conn_info *conn, unsigned flags)
{
	conn->want = conn->capable & flags;
}

#endif

#define WRITE_HEADER (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

/* What the library takes for granted: before INIT the first, then what that agreed on. */
#define LIBRARY_PAGES  256
#define LIBRARY_HEADER 4096

void *compat_buffer_new(size_t size)
{
	size_t page = getpagesize(), library = LIBRARY_PAGES * page;
	size_t room = (size > library ? size : library) + LIBRARY_HEADER;
	char *memory = aligned_alloc(page, page + (room + page - 1) / page * page);

	return memory ? memory + page : NULL;
}

void compat_buffer_free(void *data)
{
	free((char *)data - getpagesize());
}

/* From 3.17 on the library wants to know of a size, too. */
bool compat_receive_into(struct fuse_buf *buf, void *data)
{
	if (FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17))
		return false;
	buf->mem = (char *)data - WRITE_HEADER;
	return true;
}

void *compat_received_in(const struct fuse_buf *buf)
{
	return (char *)buf->mem + WRITE_HEADER;
}

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};

#define BACKING_OPEN  _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

int compat_backing_open(int fd)
{
	struct backing_map map = { .fd = fd };
	int id = ioctl(device, BACKING_OPEN, &map);

	return id < 0 ? -errno : id;
}

void compat_backing_close(int id)
{
	uint32_t n = id;

	ioctl(device, BACKING_CLOSE, &n);
}

int compat_reply_open(fuse_req_t req, const struct open_reply *o)
{
	_Static_assert(sizeof(*o) == sizeof(struct fuse_open_out), "the kernel's format");
	return fuse_reply_buf(req, (const char *)o, sizeof(*o));
}

static void split(double seconds, uint64_t *s, uint32_t *ns)
{
	*s = seconds;
	*ns = (seconds - *s) * 1e9;
}

static void fill_attr(struct fuse_attr *a, const struct stat *st)
{
	*a = (struct fuse_attr){
		.ino = st->st_ino, .size = st->st_size, .blocks = st->st_blocks,
		.atime = st->st_atim.tv_sec, .atimensec = st->st_atim.tv_nsec,
		.mtime = st->st_mtim.tv_sec, .mtimensec = st->st_mtim.tv_nsec,
		.ctime = st->st_ctim.tv_sec, .ctimensec = st->st_ctim.tv_nsec,
		.mode = st->st_mode, .nlink = st->st_nlink, .uid = st->st_uid,
		.gid = st->st_gid, .blksize = st->st_blksize,
	};
}

int compat_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
			const struct open_reply *o)
{
	struct {
		struct fuse_entry_out entry;
		struct open_reply open;
	} out = { .entry = { .nodeid = e->ino }, .open = *o };

	split(e->entry_timeout, &out.entry.entry_valid, &out.entry.entry_valid_nsec);
	split(e->attr_timeout, &out.entry.attr_valid, &out.entry.attr_valid_nsec);
	fill_attr(&out.entry.attr, &e->attr);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}
