/* Headers, inodes and node lists of the gateway protocol, from and to bytes. */
#include "backends/sheepdog/sheep_proto.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PUBLIC_VERSION	 1    /* of opcodes below 0x80; with 2, old sheep trim zeros */
#define INTERNAL_VERSION 0x0a /* Sheepdog 1.0 */

#define MIN_SHIFT 20
#define MAX_SHIFT 31

static bool is_about_vdi(uint8_t opcode)
{
	return opcode >= SHEEP_NEW_VDI && opcode <= SHEEP_DEL_VDI &&
	       opcode != SHEEP_READ_VDIS;
}

void sheep_encode(const struct sheep_request *r, bool payload, uint8_t out[SHEEP_HEAD])
{
	memset(out, 0, SHEEP_HEAD);
	out[0] = r->opcode < 0x80 ? PUBLIC_VERSION : INTERNAL_VERSION;
	out[1] = r->opcode;
	out[2] = r->flags | (payload ? SHEEP_FLAG_WRITE : 0);
	put_le32(out + 8, r->id);
	put_le32(out + 12, r->data_length);
	if (is_about_vdi(r->opcode)) {
		put_le64(out + 16, r->vdi.size);
		put_le32(out + 24, r->vdi.base);
		out[28] = r->vdi.copies;
		out[29] = r->vdi.copy_policy;
		out[31] = r->vdi.shift;
		put_le32(out + 32, r->vdi.snapid);
		put_le32(out + 36, r->vdi.type);
	} else {
		put_le64(out + 16, r->obj.oid);
		put_le64(out + 24, r->obj.cow_oid);
		put_le32(out + 40, r->obj.offset);
	}
}

void sheep_decode(const uint8_t in[SHEEP_HEAD], struct sheep_reply *out)
{
	*out = (struct sheep_reply){
		.opcode = in[1],
		.epoch = le32(in + 4),
		.id = le32(in + 8),
		.data_length = le32(in + 12),
		.result = le32(in + 16),
	};
	if (out->result)
		return; /* the rest is whatever lay on the server's stack */
	out->vdi.vid = le32(in + 24);
	out->vdi.copies = in[32];
	out->vdi.shift = in[33];
	out->node.count = le32(in + 20);
	out->node.size = le64(in + 32);
	out->node.free = le64(in + 40);
	out->cluster.copies = in[20];
	out->cluster.copy_policy = in[21];
	out->cluster.shift = in[22];
}

/* -- inodes -- */

static void copy_name(const uint8_t *from, char to[SHEEP_NAME])
{
	memcpy(to, from, SHEEP_NAME);
	to[SHEEP_NAME - 1] = '\0';
}

static int check_vdi(const struct sheep_vdi *v, uint32_t vid, uint8_t store_policy,
		     struct error *err)
{
	if (v->vid != vid)
		return error_set(err, EIO,
				 "the sheep gave the inode of VDI %" PRIx32
				 " for that of %" PRIx32,
				 v->vid, vid);
	if (store_policy)
		return error_set(
			err, EOPNOTSUPP,
			"VDI '%s' is a hypervolume, whose map is a tree: that is not "
			"supported",
			v->name);
	if (v->shift < MIN_SHIFT || v->shift > MAX_SHIFT)
		return error_set(
			err, EIO,
			"the inode of VDI '%s' has objects of 2^%u bytes, which no "
			"sheep makes",
			v->name, v->shift);
	if (v->size > (uint64_t)SHEEP_MAX_OBJECTS << v->shift)
		return error_set(err, EIO,
				 "the inode of VDI '%s' has a size of %" PRIu64
				 " bytes, more than its map can hold",
				 v->name, v->size);
	return 0;
}

int sheep_decode_vdi(const uint8_t *in, uint32_t vid, struct sheep_vdi *out,
		     struct error *err)
{
	*out = (struct sheep_vdi){
		.create_time = le64(in + 512),
		.snap_ctime = le64(in + SHEEP_SNAP_CTIME_AT),
		.size = le64(in + SHEEP_SIZE_AT),
		.copy_policy = in[552],
		.copies = in[554],
		.shift = in[555],
		.snapid = le32(in + 556),
		.vid = le32(in + 560),
		.parent = le32(in + SHEEP_PARENT_AT),
	};
	copy_name(in, out->name);
	copy_name(in + SHEEP_TAG_AT, out->tag);
	out->snapshot = out->snap_ctime != 0;
	if (!*out->name)
		return 0; /* deleted: nothing else of it is used */
	return check_vdi(out, vid, in[553], err);
}

int sheep_decode_map(const uint8_t *in, uint32_t n, uint32_t *out, struct error *err)
{
	for (uint32_t i = 0; i < n; i++) {
		out[i] = le32(in + 4 * (size_t)i);
		if (out[i] > SHEEP_MAX_VID)
			return error_set(err, EIO,
					 "entry %" PRIu32 " of an inode's map is %" PRIx32
					 ", which is no VDI's number",
					 i, out[i]);
	}
	return 0;
}

uint32_t sheep_hash(const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	h &= SHEEP_MAX_VID;
	return h ? h : 1;
}

/* -- clusters -- */

void sheep_decode_epoch(const uint8_t in[SHEEP_EPOCH_ROOM], struct sheep_epoch *out)
{
	out->ctime = le64(in);
	out->flags = le16(in + 30);
}

/* Entries are larger where sheep was built with virtual nodes on disks: 80 or 592. */
bool sheep_decode_node(const uint8_t *in, size_t len, uint32_t count, uint32_t i,
		       struct sheep_node *out)
{
	size_t size = count ? len / count : 0;

	if (i >= count || size < 80 || size > 4096)
		return false;
	in += i * size;
	memcpy(out->addr, in + 24, sizeof(out->addr));
	out->port = le16(in + 40);
	out->stores = le16(in + 64) != 0;
	return out->port != 0;
}

bool sheep_decode_owner(const uint8_t in[SHEEP_STATE], uint32_t vid,
			struct sheep_node *out)
{
	uint32_t lock = le32(in + 16);

	memcpy(out->addr, in + 20, sizeof(out->addr));
	out->port = le16(in + 36);
	out->stores = true;
	return le32(in) == vid && (lock == 2 || lock == 3);
}
