/* Which format an image has: the table of formats, in the order in which they are tried.
 */
#include "backends/common/image_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/image_families.h"

const char *const image_formats[] = {
	"raw", "bochs", "cloop", "cow",  "dmg",  "iso",  "qcow",      "qcow2", "qed",
	"vmdk", "vpc",  "vhdx",  "vdi",  "luks", "parallels", "fat", NULL,
};

/*
 * What libvirt tries, in its order (storage_file_probe.c), so that a file which two of
 * them match is what libvirt says; then what it does not try. fat is last: it may be what
 * one of the others holds.
 */
static const struct image_format *const formats[] = {
	&image_iso,
	&image_vpc,
	&image_vdi,
	&image_parallels,
	&image_cow,
	&image_qcow,
	&image_qcow2,
	&image_qed,
	&image_vmdk,

	&image_bochs,
	&image_cloop,
	&image_luks,
	&image_vhdx,
	&image_vmdk_cowd,
	&image_vmdk_text,
	&image_vpc_fixed,
	&image_dmg,
	&image_fat,
};

void image_info_clear(struct image_info *info)
{
	free(info->backing);
	free(info->backing_format);
	free(info->data_file);
	*info = (struct image_info){ 0 };
}

static void set_plain(struct image_info *out, const char *format, uint64_t size)
{
	image_info_clear(out);
	out->format = format;
	out->capacity = size;
}

/* 1, 0 or -EIO */
static int has_magic(struct image_reader *r, const struct image_format *f,
		     struct error *err)
{
	uint8_t bytes[32];
	const uint8_t *at = bytes;
	int ret = 0;

	if (r->size < f->min_size)
		return 0;
	if (f->magic_at < 0) {
		if (r->size < IMAGE_TAIL)
			return 0;
		ret = image_read_tail(r, err);
		at = r->tail + IMAGE_TAIL + f->magic_at;
	} else if (f->magic_at + f->magic_len <= IMAGE_HEAD) {
		at = r->head + f->magic_at;
	} else if (f->magic_len <= sizeof(bytes)) {
		ret = image_read(r, f->magic_at, bytes, f->magic_len, err);
	}
	return ret < 0 ? ret : memcmp(at, f->magic, f->magic_len) == 0;
}

static int try_format(struct image_reader *r, const struct image_format *f,
		      struct image_info *out, struct error *err)
{
	int ret = has_magic(r, f, err);

	if (ret <= 0)
		return ret < 0 ? ret : IMAGE_OTHER;
	set_plain(out, f->name, r->size);
	ret = f->probe ? f->probe(r, out, err) : 0;
	if (ret == 0 && out->capacity > INT64_MAX)
		ret = error_set(err, EINVAL,
				"it says that the disk has 2^63 bytes or more");
	if (ret == -EINVAL)
		error_prefix(err, "the header of this %s image is damaged", f->name);
	if (ret < 0)
		set_plain(out, f->name, r->size);
	return ret;
}

static int probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		int ret = try_format(r, formats[i], out, err);

		if (ret != IMAGE_OTHER)
			return ret;
	}
	set_plain(out, "raw", r->size);
	return 0;
}

int image_probe(int fd, uint64_t size, struct image_info *out, struct error *err)
{
	struct image_reader r;
	int ret = image_reader_open(&r, fd, size, err);

	set_plain(out, "raw", size);
	if (ret < 0 || r.first_data >= size)
		return ret;
	return probe(&r, out, err);
}

int image_probe_bytes(const void *data, size_t len, uint64_t size, struct image_info *out,
		      struct error *err)
{
	struct image_reader r;

	set_plain(out, "raw", size);

	int ret = image_reader_open_bytes(&r, data, len, size, err);

	return ret < 0 ? ret : probe(&r, out, err);
}

static int set_text(char **to, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

/* To libvirt a luks container is a raw file with an encryption, and compat 0.10 is not
 * said. */
int image_describe(const struct image_info *info, struct volume_spec *out)
{
	bool luks = strcmp(info->format, "luks") == 0;
	bool aes = info->encryption && strcmp(info->encryption, "aes") == 0;

	if (set_text(&out->format, luks ? "raw" : info->format) < 0 ||
	    set_text(&out->compat, info->has_features ? info->compat : NULL) < 0 ||
	    set_text(&out->encryption.format, aes ? "qcow" : info->encryption) < 0 ||
	    set_text(&out->backing.path, info->backing) < 0 ||
	    set_text(&out->backing.format, info->backing ? info->backing_format : NULL) <
		    0)
		return -ENOMEM;
	out->has_capacity = true;
	out->capacity = info->capacity;
	out->cluster_size = info->cluster_size;
	out->has_features = info->has_features;
	out->features = info->features;
	return 0;
}
