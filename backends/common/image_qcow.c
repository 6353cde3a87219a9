/*
 * QEMU's own formats: qcow (version 1), qcow2 (versions 2 and 3) and qed.
 * Layouts: qemu docs/interop/qcow2.txt, docs/interop/qed_spec.txt; qcow 1: block/qcow.c.
 */
#include <errno.h>
#include <string.h>

#include "backends/common/image_families.h"

#define BACKING_MAX 1023 /* bytes of a backing file's name, in all three */

static int read_backing(struct image_reader *r, uint64_t off, uint32_t len, uint64_t end,
			struct image_info *out, struct error *err)
{
	if (off == 0 || len == 0)
		return 0;
	if (len > BACKING_MAX || off > end || len > end - off)
		return error_set(err, EINVAL,
				 "the name of its backing file, %u bytes at byte %llu, "
				 "is too long",
				 len, (unsigned long long)off);
	return image_read_text(r, off, len, &out->backing, err);
}

/* -- qcow -- */

static int qcow_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	const uint8_t *h = r->head;
	uint8_t cluster_bits = h[32];
	uint32_t crypt = be32(h + 36);

	if (be32(h + 4) != 1)
		return IMAGE_OTHER;
	if (cluster_bits < 9 || cluster_bits > 16)
		return error_set(err, EINVAL, "clusters of 2^%u bytes", cluster_bits);
	if (crypt > 1)
		return error_set(err, EINVAL, "unknown encryption %u", crypt);
	out->capacity = be64(h + 24);
	out->encrypted = crypt != 0;
	out->encryption = crypt ? "aes" : NULL;
	return read_backing(r, be64(h + 8), be32(h + 16), r->size, out, err);
}

const struct image_format image_qcow = {
	.name = "qcow",
	IMAGE_MAGIC(0, "QFI\xfb"),
	.min_size = 48,
	.probe = qcow_probe,
};

/* -- qcow2 -- */

enum {
	QCOW2_V2_HEADER = 72,
	QCOW2_V3_HEADER = 104,
	QCOW2_EXTENSIONS_MAX = 64, /* qemu writes at most five */
	QCOW2_FORMAT_NAME_MAX = 64,
	QCOW2_PATH_MAX = 4095,
};

#define QCOW2_EXT_END		 UINT32_C(0)
#define QCOW2_EXT_BACKING_FORMAT UINT32_C(0xe2792aca)
#define QCOW2_EXT_DATA_FILE	 UINT32_C(0x44415441)

#define QCOW2_INCOMPATIBLE_DATA_FILE   (UINT64_C(1) << 2)
#define QCOW2_INCOMPATIBLE_EXTENDED_L2 (UINT64_C(1) << 4)
#define QCOW2_COMPATIBLE_LAZY	       (UINT64_C(1) << 0)

static int qcow2_extension(struct image_reader *r, uint32_t type, uint64_t at,
			   uint32_t len, struct image_info *out, struct error *err)
{
	switch (type) {
	case QCOW2_EXT_BACKING_FORMAT:
		if (len > QCOW2_FORMAT_NAME_MAX)
			return error_set(err, EINVAL, "a backing format of %u bytes",
					 len);
		return image_read_text(r, at, len, &out->backing_format, err);
	case QCOW2_EXT_DATA_FILE:
		if (len > QCOW2_PATH_MAX)
			return error_set(err, EINVAL, "a data file name of %u bytes",
					 len);
		return image_read_text(r, at, len, &out->data_file, err);
	default:
		return 0;
	}
}

/* They lie between the header and the backing file's name, or the first cluster's end. */
static int qcow2_extensions(struct image_reader *r, uint64_t at, uint64_t end,
			    struct image_info *out, struct error *err)
{
	for (int i = 0; i < QCOW2_EXTENSIONS_MAX; i++) {
		uint8_t ext[8];

		if (at >= end || end - at < sizeof(ext) || at + sizeof(ext) > r->size)
			return 0;

		int ret = image_read(r, at, ext, sizeof(ext), err);
		uint32_t type = be32(ext), len = be32(ext + 4);

		if (ret < 0 || type == QCOW2_EXT_END)
			return ret;
		at += sizeof(ext);
		if (len > end - at)
			return error_set(err, EINVAL,
					 "a header extension of %u bytes at byte %llu",
					 len, (unsigned long long)at);
		ret = qcow2_extension(r, type, at, len, out, err);
		if (ret < 0)
			return ret;
		at += ((uint64_t)len + 7) & ~UINT64_C(7);
	}
	return error_set(err, EINVAL, "more than %d header extensions",
			 QCOW2_EXTENSIONS_MAX);
}

static int qcow2_encryption(uint32_t method, struct image_info *out, struct error *err)
{
	static const char *const methods[] = { NULL, "aes", "luks" };

	if (method >= sizeof(methods) / sizeof(*methods))
		return error_set(err, EINVAL, "unknown encryption %u", method);
	out->encryption = methods[method];
	out->encrypted = method != 0;
	return 0;
}

static void qcow2_features(const uint8_t *h, struct image_info *out)
{
	uint64_t incompatible = be64(h + 72), compatible = be64(h + 80);

	out->has_features = true;
	if (compatible & QCOW2_COMPATIBLE_LAZY)
		out->features |= FEATURE_LAZY_REFCOUNTS;
	if (incompatible & QCOW2_INCOMPATIBLE_EXTENDED_L2)
		out->features |= FEATURE_EXTENDED_L2;
	if (incompatible & QCOW2_INCOMPATIBLE_DATA_FILE)
		out->features |= FEATURE_DATA_FILE;
}

static int qcow2_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	const uint8_t *h = r->head;
	uint32_t version = be32(h + 4), cluster_bits = be32(h + 20);
	uint64_t backing = be64(h + 8), header = QCOW2_V2_HEADER;

	if (version != 2 && version != 3)
		return IMAGE_OTHER;
	if (version == 3 && r->size < QCOW2_V3_HEADER)
		return error_set(err, EINVAL, "the file ends inside it");
	if (cluster_bits < 9 || cluster_bits > 21)
		return error_set(err, EINVAL, "clusters of 2^%u bytes", cluster_bits);
	out->capacity = be64(h + 24);
	out->cluster_size = UINT64_C(1) << cluster_bits;
	strcpy(out->compat, version == 2 ? "0.10" : "1.1");
	if (version == 3) {
		header = be32(h + 100);
		if (header < QCOW2_V3_HEADER || header > out->cluster_size)
			return error_set(err, EINVAL, "a header of %u bytes",
					 be32(h + 100));
		qcow2_features(h, out);
	}
	if (backing > out->cluster_size)
		return error_set(err, EINVAL,
				 "the name of its backing file is at byte %llu",
				 (unsigned long long)backing);

	int ret = qcow2_encryption(be32(h + 32), out, err);

	if (ret == 0)
		ret = qcow2_extensions(r, header, backing ? backing : out->cluster_size,
				       out, err);
	if (ret == 0)
		ret = read_backing(r, backing, be32(h + 16), out->cluster_size, out, err);
	return ret;
}

const struct image_format image_qcow2 = {
	.name = "qcow2",
	IMAGE_MAGIC(0, "QFI\xfb"),
	.min_size = QCOW2_V2_HEADER,
	.probe = qcow2_probe,
};

/* -- qed -- */

#define QED_BACKING_FILE   (UINT64_C(1) << 0)
#define QED_BACKING_IS_RAW (UINT64_C(1) << 2)

static int qed_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	const uint8_t *h = r->head;
	uint32_t cluster = le32(h + 4);
	uint64_t features = le64(h + 16);

	if (cluster < 4096 || cluster > 64 << 20 || (cluster & (cluster - 1)))
		return error_set(err, EINVAL, "clusters of %u bytes", cluster);
	out->capacity = le64(h + 48);
	if (!(features & QED_BACKING_FILE))
		return 0;

	int ret = read_backing(r, le32(h + 56), le32(h + 60), r->size, out, err);

	if (ret == 0 && out->backing && (features & QED_BACKING_IS_RAW)) {
		out->backing_format = strdup("raw");
		if (!out->backing_format)
			return error_code(err, ENOMEM, "cannot read the header");
	}
	return ret;
}

const struct image_format image_qed = {
	.name = "qed",
	IMAGE_MAGIC(0, "QED\0"),
	.min_size = 64,
	.probe = qed_probe,
};
