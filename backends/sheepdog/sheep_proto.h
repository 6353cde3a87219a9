/*
 * The gateway protocol of Sheepdog 1.0 as bytes: headers, inodes, node lists, results.
 * All integers are little-endian. Nothing here trusts what a server sent. Source:
 * Sheepdog's include/sheepdog_proto.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/support/bytes.h"
#include "backends/support/error.h"

#define SHEEP_PORT	  7000
#define SHEEP_HEAD	  48  /* bytes of a header, both ways */
#define SHEEP_NAME	  256 /* room for a name or a tag, NUL padded */
#define SHEEP_NAMES	  (2 * SHEEP_NAME)
#define SHEEP_INODE_HEAD  568 /* the part of an inode that says what it is */
#define SHEEP_MAX_OBJECTS (UINT32_C(1) << 20)
#define SHEEP_BITMAP	  (UINT32_C(1) << 21) /* the only room READ_VDIS takes */
#define SHEEP_MAX_VID	  ((UINT32_C(1) << 24) - 1)
/* The server fills in all its nodes, whatever room it is told. */
#define SHEEP_NODES_ROOM 491520
#define SHEEP_EPOCH_ROOM 48

/* Offsets in an inode. */
#define SHEEP_TAG_AT	    256
#define SHEEP_SNAP_CTIME_AT 520
#define SHEEP_SIZE_AT	    536 /* 0: it is deleted, where it has objects */
#define SHEEP_PARENT_AT	    564
#define SHEEP_MAP_AT	    4664

enum sheep_opcode {
	SHEEP_CREATE = 0x01,
	SHEEP_READ = 0x02,
	SHEEP_WRITE = 0x03,
	SHEEP_NEW_VDI = 0x11,
	SHEEP_LOCK_VDI = 0x12,
	SHEEP_RELEASE_VDI = 0x13,
	SHEEP_GET_VDI_INFO = 0x14,
	SHEEP_READ_VDIS = 0x15,
	SHEEP_DEL_VDI = 0x17,
	SHEEP_GET_DEFAULT = 0x18,
	SHEEP_GET_NODES = 0x82, /* from here on of the internal version */
	SHEEP_STAT_SHEEP = 0x86,
	SHEEP_STAT_CLUSTER = 0x87,
	SHEEP_GET_VDI_STATES = 0xab,
	SHEEP_READ_DEL_VDIS = 0xc9,
};

#define SHEEP_FLAG_WRITE 0x01 /* set by the encoder where there is a payload */
#define SHEEP_FLAG_COW	 0x02

#define SHEEP_CLUSTER_LOCKS 0x08 /* flag of a cluster: LOCK_VDI does lock */

enum sheep_result {
	SHEEP_OK = 0x00,
	SHEEP_NO_OBJ = 0x02,
	SHEEP_VDI_EXIST = 0x04,
	SHEEP_INVALID = 0x05,
	SHEEP_VDI_LOCKED = 0x07,
	SHEEP_NO_VDI = 0x08,
	SHEEP_NO_TAG = 0x0e,
	SHEEP_VER_MISMATCH = 0x14,
	SHEEP_READONLY = 0x1a,
	SHEEP_CHANGED = 0x1d,
	SHEEP_BUFFER_SMALL = 0x88,
};

struct sheep_request {
	uint8_t opcode, flags;
	uint32_t id, data_length; /* bytes that follow, or room for the reply's */
	union {
		struct {
			uint64_t oid, cow_oid;
			uint32_t offset;
		} obj;
		struct {
			uint64_t size;
			uint32_t base, snapid, type;
			uint8_t copies, copy_policy, shift;
		} vdi;
	};
};

/* Every view of a reply's header; only those of the opcode mean something, and none but
 * the result where that is not 0. */
struct sheep_reply {
	uint8_t opcode;
	uint32_t epoch; /* another one: nodes have come or gone */
	uint32_t id, data_length, result;
	struct {
		uint32_t vid;
		uint8_t copies, shift;
	} vdi;
	struct {
		uint32_t count;
		uint64_t size, free;
	} node;
	struct {
		uint8_t copies, copy_policy, shift;
	} cluster;
};

/* What an inode says of its VDI. */
struct sheep_vdi {
	char name[SHEEP_NAME], tag[SHEEP_NAME]; /* name "": deleted */
	uint64_t create_time, snap_ctime;	/* seconds << 32 | nanoseconds */
	uint64_t size;
	uint32_t vid, parent, snapid;
	uint8_t copies, copy_policy, shift;
	bool snapshot;
	/* Of a list: its map was read, too, and so many objects are its own. */
	bool counted;
	uint32_t own;
};

/* One entry of a cluster's log: the newest. */
struct sheep_epoch {
	uint64_t ctime; /* when it was formatted: tells clusters apart */
	uint16_t flags;
};

#define SHEEP_STATE 1428 /* bytes of what a cluster knows of one VDI */

struct sheep_node {
	uint8_t addr[16]; /* IPv4 in the last four, else IPv6 */
	uint16_t port;
	bool stores; /* false: a gateway only */
};

void sheep_encode(const struct sheep_request *r, bool payload, uint8_t out[SHEEP_HEAD]);
void sheep_decode(const uint8_t in[SHEEP_HEAD], struct sheep_reply *out);

/* An inode's first SHEEP_INODE_HEAD bytes. Errors: -EIO it is not the inode of vid, or
 * says what cannot be; -EOPNOTSUPP a hypervolume. */
int sheep_decode_vdi(const uint8_t *in, uint32_t vid, struct sheep_vdi *out,
		     struct error *err);

/* The map's entries from the bytes of it. -EIO: one that is no VDI's number. */
int sheep_decode_map(const uint8_t *in, uint32_t n, uint32_t *out, struct error *err);

void sheep_decode_epoch(const uint8_t in[SHEEP_EPOCH_ROOM], struct sheep_epoch *out);

/* Node i of a node list, whose entries are of one size. False: there is none. */
bool sheep_decode_node(const uint8_t *in, size_t len, uint32_t count, uint32_t i,
		       struct sheep_node *out);

/* Who holds the lock of a VDI, if that is the one that the state is of. */
bool sheep_decode_owner(const uint8_t in[SHEEP_STATE], uint32_t vid,
			struct sheep_node *out);

/* How many objects a VDI of this size has. */
static inline uint32_t sheep_objects(uint64_t size, unsigned shift)
{
	return (size + (UINT64_C(1) << shift) - 1) >> shift;
}

static inline uint64_t sheep_inode_oid(uint32_t vid)
{
	return UINT64_C(1) << 63 | (uint64_t)vid << 32;
}

static inline uint64_t sheep_data_oid(uint32_t vid, uint32_t index)
{
	return (uint64_t)vid << 32 | index;
}

static inline bool sheep_is_data(uint64_t oid)
{
	return !(oid >> 56);
}

/* Where the search for a VDI's number begins. */
uint32_t sheep_hash(const char *name);

/* -- results -- */

/* Whether the same request may succeed a little later. */
bool sheep_is_passing(uint32_t result);

/* Sets err to "tried: what the result means" and its errno; returns -errno. result is not
 * 0. */
int sheep_failure(uint32_t result, struct error *err, const char *tried, ...)
	__attribute__((format(printf, 3, 4), nonnull(3)));
