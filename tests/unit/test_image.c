/* Image formats: what a probe finds is what qemu-img says, and no damage to a header does harm. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "backends/common/image_format.h"
#include "backends/support/buf.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define LOAD_MAX (4 << 20)
#define SECRET	 "--object secret,id=s,data=x -o key-secret=s,iter-time=10"
#define TRIES	 10

/* Files are made in a directory of their own, by shell commands that it is current for. */
static const struct {
	const char *file, *make;
} images[] = {
	{ "plain.raw", "qemu-img create -q -f raw plain.raw 10M" },
	{ "data.raw", "head -c 1000000 /dev/urandom >data.raw" },
	{ "v3.qcow2", "qemu-img create -q -f qcow2 v3.qcow2 1G" },
	{ "v2.qcow2", "qemu-img create -q -f qcow2 -o compat=0.10 v2.qcow2 1000001024" },
	{ "small.qcow2", "qemu-img create -q -f qcow2 -o cluster_size=512 small.qcow2 10M" },
	{ "large.qcow2", "qemu-img create -q -f qcow2 -o cluster_size=2M large.qcow2 1P" },
	{ "lazy.qcow2", "qemu-img create -q -f qcow2 -o lazy_refcounts=on lazy.qcow2 3G" },
	{ "extl2.qcow2", "qemu-img create -q -f qcow2 -o extended_l2=on extl2.qcow2 3G" },
	{ "zstd.qcow2", "qemu-img create -q -f qcow2 -o compression_type=zstd zstd.qcow2 3G" },
	{ "data.qcow2", "qemu-img create -q -f qcow2 -o data_file=ext.raw data.qcow2 3G" },
	{ "over.qcow2", "qemu-img create -q -f qcow2 -b v3.qcow2 -F qcow2 over.qcow2" },
	{ "over2.qcow2", "qemu-img create -q -f qcow2 -o compat=0.10 -b plain.raw -F raw "
			 "over2.qcow2 20M" },
	{ "long.qcow2", "qemu-img create -q -f qcow2 -u -F raw -b $(printf %01000d 7) "
			"long.qcow2 1M" },
	{ "luks.qcow2", "qemu-img create -q -f qcow2 --object secret,id=s,data=x -o "
			"encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 "
			"luks.qcow2 1G" },
	{ "aes.qcow2", "qemu-img create -q -f qcow2 --object secret,id=s,data=x -o "
		       "encrypt.format=aes,encrypt.key-secret=s aes.qcow2 1G" },
	{ "one.qcow", "qemu-img create -q -f qcow one.qcow 700M" },
	{ "over.qcow", "qemu-img create -q -f qcow -b plain.raw -F raw over.qcow 700M" },
	{ "aes.qcow", "qemu-img create -q -f qcow --object secret,id=s,data=x -o "
		      "encrypt.format=aes,encrypt.key-secret=s aes.qcow 1G" },
	{ "one.qed", "qemu-img create -q -f qed one.qed 700M" },
	{ "over.qed", "qemu-img create -q -f qed -b plain.raw -F raw over.qed" },
	{ "over2.qed", "qemu-img create -q -f qed -b one.qed -F qed over2.qed" },
	{ "sparse.vmdk", "qemu-img create -q -f vmdk sparse.vmdk 5G" },
	{ "v6.vmdk", "qemu-img create -q -f vmdk -o compat6=on,zeroed_grain=on v6.vmdk 5G" },
	{ "over.vmdk", "qemu-img create -q -f vmdk -b sparse.vmdk -F vmdk over.vmdk" },
	{ "flat.vmdk", "qemu-img create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 5G" },
	{ "two.vmdk", "qemu-img create -q -f vmdk -o subformat=twoGbMaxExtentSparse two.vmdk 5G" },
	{ "twof.vmdk", "qemu-img create -q -f vmdk -o subformat=twoGbMaxExtentFlat twof.vmdk 5G" },
	{ "stream.vmdk", "qemu-img convert -f raw -O vmdk -o subformat=streamOptimized data.raw "
			 "stream.vmdk" },
	{ "dynamic.vpc", "qemu-img create -q -f vpc dynamic.vpc 5G" },
	{ "exact.vpc", "qemu-img create -q -f vpc -o force_size=on exact.vpc 5G" },
	{ "one.vhdx", "qemu-img create -q -f vhdx one.vhdx 5G" },
	{ "fixed.vhdx", "qemu-img create -q -f vhdx -o subformat=fixed fixed.vhdx 3M" },
	{ "one.vdi", "qemu-img create -q -f vdi one.vdi 5G" },
	{ "static.vdi", "qemu-img create -q -f vdi -o static=on static.vdi 3M" },
	{ "one.parallels", "qemu-img create -q -f parallels one.parallels 5G" },
	{ "one.luks", "qemu-img create -q -f luks " SECRET " one.luks 10M" },
};

static char dir[] = "/tmp/test_image.XXXXXX";
static bool have_qemu;

/* -- what qemu-img says -- */

static char *output(const char *command)
{
	FILE *p = popen(command, "r");
	struct buf b = { 0 };
	char part[4096];
	size_t n;

	assert_non_null(p);
	while ((n = fread(part, 1, sizeof(part), p)) > 0)
		assert_int_equal(buf_add(&b, part, n), 0);
	assert_int_equal(pclose(p), 0);
	return buf_take(&b);
}

/* A member of the JSON that qemu-img prints, one to a line, as text without quotes; "": has none. */
static void member(const char *json, const char *key, char *value, size_t size)
{
	char quoted[64];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
	at = strstr(json, quoted);
	value[0] = '\0';
	if (!at)
		return;
	at += strlen(quoted);
	at += *at == '"';
	snprintf(value, size, "%.*s", (int)strcspn(at, "\",\n"), at);
}

static void assert_member(const char *json, const char *key, const char *value)
{
	char theirs[2048];

	member(json, key, theirs, sizeof(theirs));
	assert_string_equal(value ? value : "", theirs);
}

static uint64_t to_sectors(uint64_t bytes)
{
	return (bytes + 511) / 512;
}

static void compare(const struct image_info *info, const char *json)
{
	bool qcow2 = strcmp(info->format, "qcow2") == 0;
	char number[32];

	member(json, "virtual-size", number, sizeof(number));
	assert_int_equal(to_sectors(info->capacity), to_sectors(strtoull(number, NULL, 10)));
	assert_member(json, "format", info->format);
	assert_member(json, "backing-filename", info->backing);
	assert_member(json, "compat", qcow2 ? info->compat : NULL);
	if (qcow2) {
		member(json, "cluster-size", number, sizeof(number));
		assert_int_equal(info->cluster_size, strtoull(number, NULL, 10));
		assert_member(json, "backing-filename-format", info->backing_format);
		assert_member(json, "data-file", info->data_file);
	}
	if (info->has_features) {
		assert_member(json, "lazy-refcounts",
			      info->features & FEATURE_LAZY_REFCOUNTS ? "true" : "false");
		assert_member(json, "extended-l2",
			      info->features & FEATURE_EXTENDED_L2 ? "true" : "false");
		assert_int_equal(!!(info->features & FEATURE_DATA_FILE), !!info->data_file);
	}
	assert_int_equal(info->encrypted, strstr(json, "\"encrypted\": true") != NULL);
}

static void probe_file(const char *file, struct image_info *info)
{
	struct error err = { 0 };
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	if (image_probe(fd, st.st_size, info, &err) < 0)
		fail_msg("%s: %s", file, err.text);
	close(fd);
}

static void capacity_and_backing_are_what_qemu_img_says(void **state)
{
	char command[128];

	if (!have_qemu)
		skip();
	for (size_t i = 0; i < COUNT(images); i++) {
		struct image_info info = { 0 };

		snprintf(command, sizeof(command), "qemu-img info -U --output=json %s",
			 images[i].file);
		AUTO_FREE char *json = output(command);

		print_message("%s\n", images[i].file);
		probe_file(images[i].file, &info);
		compare(&info, json);
		image_info_clear(&info);
	}
}

/* What qemu-img takes only when it is told the format, or makes with other tools. */
static void footers_and_discs_are_found(void **state)
{
	static const struct {
		const char *tool, *make, *file, *format, *driver;
	} cases[] = {
		{ "qemu-img", "qemu-img create -q -f vpc -o subformat=fixed fixed.vpc 2M",
		  "fixed.vpc", "vpc", "vpc" },
		{ "qemu-img", "qemu-img create -q -f vpc -o subformat=fixed,force_size=on "
			      "fixed2.vpc 2M", "fixed2.vpc", "vpc", "vpc" },
		{ "genisoimage", "mkdir -p disc && echo x >disc/x && "
				 "genisoimage -quiet -o one.iso disc", "one.iso", "iso", "raw" },
		{ "mkfs.vfat", "truncate -s 2M one.fat && mkfs.vfat one.fat >/dev/null",
		  "one.fat", "fat", "raw" },
		{ "mkfs.vfat", "truncate -s 64M two.fat && mkfs.vfat -F 32 two.fat >/dev/null",
		  "two.fat", "fat", "raw" },
	};
	char command[256];

	if (!have_qemu)
		skip();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct image_info info = { 0 };
		char number[32];

		snprintf(command, sizeof(command), "command -v %s >/dev/null", cases[i].tool);
		if (system(command) != 0)
			continue;
		assert_int_equal(system(cases[i].make), 0);
		snprintf(command, sizeof(command), "qemu-img info -U -f %s --output=json %s",
			 cases[i].driver, cases[i].file);
		AUTO_FREE char *json = output(command);

		probe_file(cases[i].file, &info);
		member(json, "virtual-size", number, sizeof(number));
		assert_string_equal(info.format, cases[i].format);
		assert_int_equal(info.capacity, strtoull(number, NULL, 10));
		image_info_clear(&info);
	}
}

/* -- headers made by hand -- */

struct field {
	size_t at;
	const char *bytes;
	size_t len;
};
#define FIELD(at, bytes) { at, bytes, sizeof(bytes) - 1 }
#define TIMES_8(text)	 text text text text text text text text

/* of a vhdx */
#define REGIONS(bytes)	FIELD(192 << 10, "regi" bytes)
#define METADATA	"\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"

static const struct {
	const char *name;
	uint64_t size;
	const char *format;
	uint64_t capacity;
	const char *backing, *error; /* error: part of the sentence */
	struct field fields[6];
} made[] = {
	{ "bochs 2", 4096, "bochs", 0x1234000, NULL, NULL,
	  { FIELD(0, "Bochs Virtual HD Image"), FIELD(32, "Redolog\0\0\0\0\0\0\0\0\0Growing"),
	    FIELD(64, "\0\0\2\0\0\2\0\0\x40\0\0\0\1\0\0\0\0\0\x08\0"), FIELD(88, "\x00\x40\x23\x01") } },
	{ "bochs 1", 4096, "bochs", 0x1234000, NULL, NULL,
	  { FIELD(0, "Bochs Virtual HD Image"), FIELD(32, "Redolog\0\0\0\0\0\0\0\0\0Growing"),
	    FIELD(64, "\0\0\1\0\0\2\0\0\x40\0\0\0\1\0\0\0\0\0\x08\0"), FIELD(84, "\x00\x40\x23\x01") } },
	{ "bochs 9", 4096, "raw", 4096, NULL, NULL,
	  { FIELD(0, "Bochs Virtual HD Image"), FIELD(32, "Redolog"), FIELD(64, "\0\0\11") } },
	{ "cloop", 4096, "cloop", 65536 * 7, NULL, NULL,
	  { FIELD(0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 "
		     "/dev/cloop $1\n"), FIELD(128, "\0\1\0\0\0\0\0\7") } },
	{ "cow", 4096, "cow", 0x10000, "/base.img", NULL,
	  { FIELD(0, "OOOM\0\0\0\2/base.img"), FIELD(1036, "\0\0\0\0\0\1\0\0") } },
	{ "dmg", 8192, "dmg", 100 * 512, NULL, NULL,
	  { FIELD(7680, "koly\0\0\0\4\0\0\2\0"), FIELD(7680 + 492, "\0\0\0\0\0\0\0\144") } },
	{ "cowd", 4096, "vmdk", 9 * 512, NULL, NULL, { FIELD(0, "COWD\1\0\0\0\0\0\0\0\11\0\0\0") } },
	{ "luks2", 1 << 20, "luks", (1 << 20) - 16384, NULL, NULL,
	  { FIELD(0, "LUKS\xba\xbe\0\2\0\0\0\0\0\0\x40\0"),
	    FIELD(4096, "{\"keyslots\":{\"0\":{\"area\":{\"offset\":\"32768\",\"size\":\"9\"}}},"
			"\"segments\" : {\"0\":{\"type\":\"crypt\",\"offset\" : \"16384\","
			"\"size\":\"dynamic\",\"x\":[{\"offset\":\"1\"}]}}}") } },
	{ "luks2 sized", 1 << 20, "luks", 4096, NULL, NULL,
	  { FIELD(0, "LUKS\xba\xbe\0\2\0\0\0\0\0\0\x40\0"),
	    FIELD(4096, "{\"segments\":{\"0\":{\"offset\":\"16384\",\"size\":\"4096\"}}}") } },
	{ "luks2 empty", 1 << 20, "luks", 1 << 20, NULL, "no data segment",
	  { FIELD(0, "LUKS\xba\xbe\0\2\0\0\0\0\0\0\x40\0"), FIELD(4096, "{\"segments\":{\"") } },
	{ "luks2 overflow", 1 << 20, "luks", 1 << 20, NULL, "2^63",
	  { FIELD(0, "LUKS\xba\xbe\0\2\0\0\0\0\0\0\x40\0"),
	    FIELD(4096, "{\"segments\":{\"\\\"}0\":{\"offset\":\"1\",\"size\":\"18446744073709551615\"},"
			"\"1\":{\"offset\":\"2\",\"size\":\"18446744073709551615\"}}}") } },
	{ "luks1", 1 << 20, "luks", 1 << 20, NULL, "data start at byte",
	  { FIELD(0, "LUKS\xba\xbe\0\1"), FIELD(104, "\xff\xff\xff\xff\0\0\0\40") } },
	{ "iso over qcow2", 65536, "iso", 65536, NULL, NULL,
	  { FIELD(0, "QFI\xfb\0\0\0\3"), FIELD(32769, "CD001") } },
	{ "qcow2 of 2^63", 4096, "qcow2", 4096, NULL, "2^63",
	  { FIELD(0, "QFI\xfb\0\0\0\2"), FIELD(20, "\0\0\0\x10\x80") } },
	{ "qcow2 clusters", 4096, "qcow2", 4096, NULL, "clusters of 2^4294967295 bytes",
	  { FIELD(0, "QFI\xfb\0\0\0\2"), FIELD(20, "\xff\xff\xff\xff") } },
	{ "qcow2 name", 4096, "qcow2", 4096, NULL, "is too long",
	  { FIELD(0, "QFI\xfb\0\0\0\2\0\0\0\0\0\0\1\0\0\0\4\0\0\0\0\x10") } },
	{ "qcow2 name outside", 300, "qcow2", 300, NULL, "the file ends at 300",
	  { FIELD(0, "QFI\xfb\0\0\0\2\0\0\0\0\0\0\1\0\0\0\3\0\0\0\0\x10") } },
	{ "qcow2 extension", 4096, "qcow2", 4096, NULL, "header extension",
	  { FIELD(0, "QFI\xfb\0\0\0\2"), FIELD(20, "\0\0\0\x10"),
	    FIELD(72, "\1\1\1\1\xff\xff\xff\xff") } },
	{ "qcow2 extensions", 4096, "qcow2", 4096, NULL, "more than 64 header extensions",
	  { FIELD(0, "QFI\xfb\0\0\0\2"), FIELD(20, "\0\0\0\x10"),
	    FIELD(72, TIMES_8(TIMES_8("\1\1\1\1\0\0\0\0"))) } },
	{ "qcow2 version 4", 4096, "raw", 4096, NULL, NULL, { FIELD(0, "QFI\xfb\0\0\0\4") } },
	{ "qcow2 cut", 71, "raw", 71, NULL, NULL, { FIELD(0, "QFI\xfb\0\0\0\2") } },
	{ "vmdk text", 4096, "vmdk", 1536, "a.vmdk", NULL,
	  { FIELD(0, "# Disk DescriptorFile\nversion=1\nparentFileNameHint=\"a.vmdk\"\r\n"
		     "RW 1 FLAT \"x\" 0\nRDONLY 2 ZERO\nRWX 9 FLAT\n") } },
	{ "vmdk overflow", 4096, "vmdk", 4096, NULL, "sectors",
	  { FIELD(0, "# Disk DescriptorFile\nRW 9223372036854775807 FLAT\n"
		     "RW 9223372036854775807 FLAT\nRW 9 FLAT\n") } },
	{ "vmdk table", 4096, "vmdk", 4096, NULL, "descriptor of",
	  { FIELD(0, "KDMV\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		     "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0") } },
	{ "vmdk extent", 4096, "vmdk", 512 * 257, NULL, NULL,
	  { FIELD(0, "KDMV\3\0\0\0\0\0\0\0\1\1\0\0\0\0\0\0") } },
	{ "vpc outside", 4096, "vpc", 4096, NULL, "refers to 8 bytes",
	  { FIELD(0, "conectix\0\0\0\0\0\1\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
	    FIELD(60, "\0\0\0\3") } },
	{ "vhdx empty", 1 << 20, "vhdx", 1 << 20, NULL, "region table", { FIELD(0, "vhdxfile") } },
	{ "vhdx no metadata", 1 << 20, "vhdx", 1 << 20, NULL, "no metadata region",
	  { FIELD(0, "vhdxfile"), REGIONS("\0\0\0\0\xff\xff\xff\xff") } },
	{ "vhdx outside", 1 << 20, "vhdx", 1 << 20, NULL, "the file ends at",
	  { FIELD(0, "vhdxfile"),
	    REGIONS("\0\0\0\0\1\0\0\0\0\0\0\0" METADATA "\xff\xff\xff\xff\xff\xff\xff\xff") } },
	{ "vhdx no size", 1 << 20, "vhdx", 1 << 20, NULL, "no disk size",
	  { FIELD(0, "vhdxfile"),
	    REGIONS("\0\0\0\0\1\0\0\0\0\0\0\0" METADATA "\0\0\x8\0\0\0\0\0") } },
	{ "parallels", 4096, "parallels", 100 * 512, NULL, NULL,
	  { FIELD(0, "WithoutFreeSpace\2"), FIELD(36, "\144\0\0\0\xff\xff\xff\xff") } },
	{ "dmg 5", 8192, "raw", 8192, NULL, NULL, { FIELD(7680, "koly\0\0\0\5\0\0\2\0") } },
	{ "boot sector", 4096, "raw", 4096, NULL, NULL,
	  { FIELD(0, "\xeb\x63\x90"), FIELD(510, "\x55\xaa") } },
	{ "empty", 0, "raw", 0, NULL, NULL, { { 0 } } },
};

/* Filled with the fields, from malloc so that a read beyond it is seen. */
static uint8_t *make(size_t i)
{
	uint8_t *bytes = calloc(1, made[i].size + 1);

	assert_non_null(bytes);
	for (const struct field *f = made[i].fields; f->bytes; f++)
		memcpy(bytes + f->at, f->bytes, f->len);
	return bytes;
}

static void headers_made_by_hand_are_read(void **state)
{
	for (size_t i = 0; i < COUNT(made); i++) {
		AUTO_FREE uint8_t *bytes = make(i);
		struct image_info info = { 0 };
		struct error err = { 0 };
		int ret = image_probe_bytes(bytes, made[i].size, made[i].size, &info, &err);

		print_message("%s: %s\n", made[i].name, err.text);
		assert_int_equal(ret, made[i].error ? -EINVAL : 0);
		assert_string_equal(info.format, made[i].format);
		assert_int_equal(info.capacity, made[i].capacity);
		if (made[i].error)
			assert_non_null(strstr(err.text, made[i].error));
		if (made[i].backing)
			assert_string_equal(info.backing, made[i].backing);
		image_info_clear(&info);
	}
}

/* qemu reads some formats that it cannot make. */
static void qemu_img_agrees_with_what_is_made_by_hand(void **state)
{
	char command[128], number[32];

	if (!have_qemu)
		skip();
	for (size_t i = 0; i < COUNT(made); i++) {
		AUTO_FREE uint8_t *bytes = make(i);
		FILE *f;

		if (strcmp(made[i].name, "bochs 2") != 0 && strcmp(made[i].name, "bochs 1") != 0)
			continue;
		f = fopen("made", "w");
		assert_non_null(f);
		fwrite(bytes, 1, made[i].size, f);
		fclose(f);
		snprintf(command, sizeof(command), "qemu-img info --output=json made");
		AUTO_FREE char *json = output(command);

		assert_member(json, "format", made[i].format);
		member(json, "virtual-size", number, sizeof(number));
		assert_int_equal(to_sectors(made[i].capacity) * 512, strtoull(number, NULL, 10));
	}
}

/* -- damage -- */

static void probe_damaged(const uint8_t *bytes, size_t len, uint64_t size)
{
	struct image_info info = { 0 };
	struct error err = { 0 };
	int ret = image_probe_bytes(bytes, len, size, &info, &err);
	size_t i = 0;

	assert_true(ret == 0 || ret == -EINVAL);
	assert_true(ret == 0 || err.text[0]);
	while (image_formats[i] && strcmp(image_formats[i], info.format) != 0)
		i++;
	assert_non_null(image_formats[i]);
	assert_true(info.capacity <= INT64_MAX);
	image_info_clear(&info);
}

/* Cut at every byte of the first 4 KiB, in a block of just that size. */
static void truncate_everywhere(const uint8_t *bytes, size_t len)
{
	for (size_t n = 0; n < len && n < 4200; n++) {
		AUTO_FREE uint8_t *part = malloc(n + 1);

		assert_non_null(part);
		memcpy(part, bytes, n);
		probe_damaged(part, n, n);
		probe_damaged(part, n, len);
	}
}

static void replace_everywhere(uint8_t *bytes, size_t len, uint64_t size)
{
	for (size_t i = 0; i < len && i < 4096; i++) {
		uint8_t was = bytes[i], with[] = { 0, 0xff, was ^ 0x80, was + 1 };

		for (size_t k = 0; k < COUNT(with); k++) {
			bytes[i] = with[k];
			probe_damaged(bytes, len, size);
		}
		bytes[i] = was;
	}
}

static void no_damage_does_harm(void **state)
{
	for (size_t i = 0; i < COUNT(made); i++) {
		AUTO_FREE uint8_t *bytes = make(i);

		truncate_everywhere(bytes, made[i].size);
		replace_everywhere(bytes, made[i].size, made[i].size);
	}
	for (size_t i = 0; have_qemu && i < COUNT(images); i++) {
		AUTO_FREE uint8_t *bytes = malloc(LOAD_MAX);
		struct stat st;
		int fd = open(images[i].file, O_RDONLY | O_CLOEXEC);
		ssize_t len = read(fd, bytes, LOAD_MAX);

		assert_true(len > 0 && fstat(fd, &st) == 0);
		close(fd);
		truncate_everywhere(bytes, len);
		replace_everywhere(bytes, len, st.st_size);
	}
}

/* -- holes, and descriptions -- */

static long read_calls(void)
{
	FILE *f = fopen("/proc/self/io", "r");
	char line[64];
	long calls = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "syscr: %ld", &calls);
	if (f)
		fclose(f);
	return calls;
}

static void holes_are_not_read(void **state)
{
	struct image_info info = { 0 };
	int fd = open("sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	long one, none;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, INT64_C(1) << 30), 0);
	one = read_calls();
	none = read_calls() - one; /* what counting itself costs */
	one = read_calls();
	assert_int_equal(image_probe(fd, UINT64_C(1) << 30, &info, NULL), 0);
	assert_int_equal(read_calls() - one, none);
	assert_string_equal(info.format, "raw");
	assert_int_equal(info.capacity, UINT64_C(1) << 30);

	assert_int_equal(pwrite(fd, "x", 1, 512 << 20), 1);
	one = read_calls();
	assert_int_equal(image_probe(fd, UINT64_C(1) << 30, &info, NULL), 0);
	assert_int_equal(read_calls() - one, none);
	assert_int_equal(pwrite(fd, "CD001", 5, 32769), 5);
	assert_int_equal(image_probe(fd, UINT64_C(1) << 30, &info, NULL), 0);
	assert_string_equal(info.format, "iso");
	close(fd);
}

static void descriptions_are_libvirts(void **state)
{
	struct image_info qcow2 = {
		.format = "qcow2", .capacity = 5, .backing = (char *)"/b",
		.backing_format = (char *)"raw", .compat = "1.1", .cluster_size = 65536,
		.has_features = true, .features = FEATURE_LAZY_REFCOUNTS, .encryption = "aes",
	};
	struct image_info v2 = { .format = "qcow2", .compat = "0.10" };
	struct image_info luks = { .format = "luks", .encryption = "luks" };
	struct volume_spec spec = VOLUME_SPEC_INIT;

	assert_int_equal(image_describe(&qcow2, &spec), 0);
	assert_string_equal(spec.format, "qcow2");
	assert_string_equal(spec.compat, "1.1");
	assert_string_equal(spec.backing.path, "/b");
	assert_string_equal(spec.backing.format, "raw");
	assert_string_equal(spec.encryption.format, "qcow");
	assert_true(spec.has_capacity && spec.capacity == 5 && spec.cluster_size == 65536);
	assert_int_equal(spec.features, FEATURE_LAZY_REFCOUNTS);
	assert_int_equal(image_describe(&v2, &spec), 0);
	assert_null(spec.compat);
	assert_null(spec.backing.path);
	assert_int_equal(image_describe(&luks, &spec), 0);
	assert_string_equal(spec.format, "raw");
	assert_string_equal(spec.encryption.format, "luks");
	volume_spec_clear(&spec);
}

/* On a busy machine qemu-img may fail to find out how slow to make a key: it is asked again. */
static bool make_image(const char *command)
{
	int tries = strstr(command, "secret") ? TRIES : 1;

	while (tries > 0 && system(command) != 0)
		tries--;
	return tries > 0;
}

static int make_images(void **state)
{
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return -1;
	have_qemu = system("command -v qemu-img >/dev/null") == 0;
	for (size_t i = 0; have_qemu && i < COUNT(images); i++)
		if (!make_image(images[i].make))
			return -1;
	return 0;
}

static int remove_images(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	return chdir("/") < 0 || system(command) != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capacity_and_backing_are_what_qemu_img_says),
		cmocka_unit_test(footers_and_discs_are_found),
		cmocka_unit_test(headers_made_by_hand_are_read),
		cmocka_unit_test(qemu_img_agrees_with_what_is_made_by_hand),
		cmocka_unit_test(no_damage_does_harm),
		cmocka_unit_test(holes_are_not_read),
		cmocka_unit_test(descriptions_are_libvirts),
	};

	return cmocka_run_group_tests(tests, make_images, remove_images);
}
