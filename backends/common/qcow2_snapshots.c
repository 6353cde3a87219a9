/* The snapshot table of a qcow2 image. Layout: qemu docs/interop/qcow2.txt. */
#include "backends/common/qcow2_snapshots.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "backends/support/list.h"
#include "backends/support/map.h"

#define MAGIC	      0x514649fb
#define SNAPSHOTS_MAX 65536 /* qemu's own limit */
#define TABLE_MAX     (16u << 20)
#define EXTRA_MAX     1024

/* Both as they are in the file: big endian. */
struct header {
	uint32_t magic, version;
	uint64_t backing_offset;
	uint32_t backing_size, cluster_bits;
	uint64_t size;
	uint32_t crypt, l1_size;
	uint64_t l1_offset, refcount_offset;
	uint32_t refcount_clusters, n_snapshots;
	uint64_t snapshots_offset;
} __attribute__((packed));

struct entry {
	uint64_t l1_offset;
	uint32_t l1_size;
	uint16_t id_size, name_size;
	uint32_t date_sec, date_nsec;
	uint64_t vm_clock;
	uint32_t vm_state_size, extra_size;
} __attribute__((packed));

struct extra {
	uint64_t vm_state_size, disk_size;
} __attribute__((packed));

/* A name that is taken, while labels are given out. */
struct label {
	struct map_link link;
	const char *text;
};

static int damaged(struct error *err, const char *what)
{
	return error_set(err, EINVAL,
			 "the snapshot table of the qcow2 image is damaged (%s): "
			 "qemu-img check tells more",
			 what);
}

/* Reads len bytes at off, which must be in the file. */
static int read_at(int fd, void *into, size_t len, uint64_t off, uint64_t size,
		   struct error *err)
{
	ssize_t n;

	if (off > size || len > size - off)
		return damaged(err, "it leads past the end of the file");
	n = pread(fd, into, len, off);
	if (n < 0)
		return error_errno(err, "cannot read the snapshot table");
	return (size_t)n == len ? 0 : damaged(err, "the file ended");
}

/* Text as the table has it; a NUL inside ends it. */
static char *text_of(const char *data, size_t len)
{
	return strndup(data, len);
}

/* Reads the entry at *off and moves *off behind it. */
static int read_entry(int fd, uint64_t *off, uint64_t size, uint64_t disk_size,
		      struct qcow2_snapshot *out, struct error *err)
{
	AUTO_FREE char *tail = NULL;
	struct entry e;
	struct extra extra;
	size_t extra_size, id_size, name_size;
	int r = read_at(fd, &e, sizeof(e), *off, size, err);

	if (r < 0)
		return r;
	extra_size = be32toh(e.extra_size);
	id_size = be16toh(e.id_size);
	name_size = be16toh(e.name_size);
	if (extra_size > EXTRA_MAX)
		return damaged(err, "an entry is too large");
	tail = malloc(extra_size + id_size + name_size + 1);
	if (!tail)
		return error_code(err, ENOMEM, "cannot read the snapshot table");
	r = read_at(fd, tail, extra_size + id_size + name_size, *off + sizeof(e), size,
		    err);
	if (r < 0)
		return r;
	out->size = disk_size;
	if (extra_size >= sizeof(extra)) {
		memcpy(&extra, tail, sizeof(extra));
		out->size = be64toh(extra.disk_size);
	}
	out->time.tv_sec = be32toh(e.date_sec);
	out->time.tv_nsec = be32toh(e.date_nsec) % 1000000000;
	out->id = text_of(tail + extra_size, id_size);
	out->name = text_of(tail + extra_size + id_size, name_size);
	*off += (sizeof(e) + extra_size + id_size + name_size + 7) & ~UINT64_C(7);
	return out->id && out->name
		       ? 0
		       : error_code(err, ENOMEM, "cannot read the snapshot table");
}

static bool is_file_name(const char *text)
{
	return *text && strcmp(text, ".") && strcmp(text, "..") && !strchr(text, '/') &&
	       strlen(text) <= NAME_MAX;
}

static bool taken(const struct map *labels, const char *text, uint64_t hash)
{
	for (struct map_link *l = map_first(labels, hash); l; l = map_next(l))
		if (!strcmp(container_of(l, struct label, link)->text, text))
			return true;
	return false;
}

/* false: it cannot be a label, or is one already (or memory is out: then *failed). */
static bool claim(struct map *labels, struct label *label, const char *text, bool *failed)
{
	uint64_t hash = hash_string(text, 0);

	if (!is_file_name(text) || taken(labels, text, hash))
		return false;
	label->text = text;
	*failed = *failed || map_insert(labels, &label->link, hash) < 0;
	return !*failed;
}

/* Names first, so that no id takes the name of another snapshot. */
static int give_labels(struct qcow2_snapshots *s, struct error *err)
{
	AUTO_FREE struct label *labels = calloc(s->n + 1, sizeof(*labels));
	struct map map = { 0 };
	bool failed = !labels;

	for (size_t i = 0; !failed && i < s->n; i++)
		if (claim(&map, &labels[i], s->table[i].name, &failed))
			s->table[i].label = s->table[i].name;
	for (size_t i = 0; !failed && i < s->n; i++)
		if (!s->table[i].label &&
		    claim(&map, &labels[i], s->table[i].id, &failed))
			s->table[i].label = s->table[i].id;
	map_free(&map);
	return failed ? error_code(err, ENOMEM, "cannot read the snapshot table") : 0;
}

static int read_header(int fd, uint64_t size, struct header *h, struct error *err)
{
	ssize_t n = pread(fd, h, sizeof(*h), 0);

	if (n < 0)
		return error_errno(err, "cannot read the image's header");
	if (n < (ssize_t)sizeof(*h) || be32toh(h->magic) != MAGIC ||
	    be32toh(h->version) < 2)
		return error_set(err, EOPNOTSUPP,
				 "only qcow2 images have snapshots: the volume is none");
	return 0;
}

int qcow2_snapshots_read(int fd, uint64_t size, struct qcow2_snapshots *out,
			 struct error *err)
{
	struct header h;
	uint64_t off, start;
	size_t n;
	int r = read_header(fd, size, &h, err);

	if (r < 0)
		return r;
	start = off = be64toh(h.snapshots_offset);
	n = be32toh(h.n_snapshots);
	if (!n)
		return 0;
	if (n > SNAPSHOTS_MAX)
		return damaged(err, "it claims more than 65536 snapshots");
	if (off > size || n > (size - off) / sizeof(struct entry))
		return damaged(err, "it leads past the end of the file");
	out->table = calloc(n, sizeof(*out->table));
	if (!out->table)
		return error_code(err, ENOMEM, "cannot read the snapshot table");
	for (out->n = 0; out->n < n;) {
		r = read_entry(fd, &off, size, be64toh(h.size), &out->table[out->n++],
			       err);
		if (r < 0)
			return r;
		if (off - start > TABLE_MAX)
			return damaged(err, "it is larger than 16 MiB");
	}
	return give_labels(out, err);
}

void qcow2_snapshots_clear(struct qcow2_snapshots *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->table[i].id);
		free(s->table[i].name);
	}
	free(s->table);
	*s = (struct qcow2_snapshots){ 0 };
}
