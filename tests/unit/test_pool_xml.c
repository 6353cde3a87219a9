/* Pool descriptions: every type in and out, what is refused and how, conflicts and
 * copies. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "backends/model/pool_types.h"
#include "backends/model/pool_xml.h"
#include "backends/model/xml.h"
#include "tests/unit/xml_samples.h"

#define N(array) (sizeof(array) / sizeof(*(array)))

static int parse(const char *text, const char *default_name, struct pool_spec *out,
		 struct error *err)
{
	*out = (struct pool_spec)POOL_SPEC_INIT;
	return pool_xml_parse(text, strlen(text), default_name, out, err);
}

static void print(const struct pool_spec *spec, struct buf *out)
{
	struct error err = { 0 };

	if (pool_xml_print(spec, NULL, out, &err) < 0)
		fail_msg("%s", err.text);
}

/* -- samples -- */

static void check_sample(const char *name, const struct buf *in,
			 const struct buf *expected)
{
	AUTO_POOL_SPEC struct pool_spec spec, again, copy = POOL_SPEC_INIT;
	AUTO_BUF struct buf first = { 0 };
	AUTO_BUF struct buf second = { 0 };
	AUTO_BUF struct buf third = { 0 };
	struct error err = { 0 };

	if (parse(buf_text(in), NULL, &spec, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	print(&spec, &first);
	if (strcmp(buf_text(&first), buf_text(expected)))
		fail_msg("%s gives:\n%s", name, buf_text(&first));
	assert_int_equal(parse(buf_text(&first), "other", &again, &err), 0);
	print(&again, &second);
	assert_string_equal(buf_text(&second), buf_text(expected));
	assert_int_equal(pool_spec_copy(&spec, &copy), 0);
	pool_spec_clear(&spec);
	print(&copy, &third);
	assert_string_equal(buf_text(&third), buf_text(expected));
}

static void samples_come_out_as_libvirt_prints_them(void **state)
{
	(void)state;
	each_sample("pools/*.xml", 38, check_sample);
	each_sample("liberal/*.xml", 2, check_sample);
}

static void check_bad(const char *name, const struct buf *in, const struct buf *expected)
{
	AUTO_POOL_SPEC struct pool_spec spec;
	struct error err = { 0 };

	assert_null(expected);
	if (parse(buf_text(in), NULL, &spec, &err) != -EINVAL ||
	    memcmp(err.text, "line ", 5))
		fail_msg("%s: %s", name, err.text);
}

static void bad_samples_are_refused(void **state)
{
	(void)state;
	each_sample("bad/pool-*.xml", 20, check_bad);
}

static void every_format_of_every_type_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; pool_type_at(i); i++) {
		const struct pool_type *t = pool_type_at(i);

		for (size_t k = 0; t->formats && t->formats[k]; k++) {
			AUTO_POOL_SPEC struct pool_spec spec;
			AUTO_BUF struct buf out = { 0 };
			struct error err = { 0 };
			char text[500], format[100];

			snprintf(text, sizeof(text),
				 "<pool type='%s'><name>a</name><source><format "
				 "type='%s'/>"
				 "<host name='h'/><dir path='/d'/><device "
				 "path='/dev/x'/></source>"
				 "<target><path>/t</path></target></pool>",
				 t->name, t->formats[k]);
			if (parse(text, NULL, &spec, &err) < 0)
				fail_msg("%s", err.text);
			assert_string_equal(spec.source.format, t->formats[k]);
			print(&spec, &out);
			snprintf(format, sizeof(format), "<format type='%s'/>",
				 t->formats[k]);
			assert_non_null(strstr(buf_text(&out), format));
		}
	}
	assert_null(pool_type_find("gluster"));
	assert_null(pool_type_find(""));
}

/* -- names -- */

static const struct {
	const char *text, *default_name, *name, *source_name, *target;
} names[] = {
	{ "<pool type='logical'><name>vg</name></pool>", "dir", "vg", "vg", "/dev/vg" },
	{ "<pool type='logical'/>", "dir", "dir", "dir", "/dev/dir" },
	{ "<pool type='logical'><source><name>vg</name></source></pool>", "dir", "dir",
	  "vg", "/dev/vg" },
	{ "<pool type='logical'><source><name>vg</name></source></pool>", NULL, "vg",
	  "vg", "/dev/vg" },
	{ "<pool type='logical'><name>a</name><source><name>vg</name></source></pool>",
	  "dir", "a", "vg", "/dev/vg" },
	{ "<pool type='sheepdog'><name>a</name><source><host name='h'/></source></pool>",
	  "dir", "a", "a", NULL },
	{ "<pool type='rbd'><source><host name='h'/><name>r</name></source></pool>", NULL,
	  "r", "r", NULL },
	{ "<pool type='mpath'><target><path>/dev/mapper</path></target></pool>", "dir",
	  "dir", NULL, "/dev/mapper" },
	{ "<pool type='mpath'><name> a ü "
	  "</name><target><path>/dev</path></target></pool>",
	  NULL, " a ü ", NULL, "/dev" },
	{ "<pool "
	  "type='mpath'><name>..</name><target><path>rel/./a/</path></target></pool>",
	  NULL, "..", NULL, "rel/./a" },
	{ "<pool "
	  "type='mpath'><name>a</name><target><path>nfs://h//x/</path></target></pool>",
	  NULL, "a", NULL, "nfs://h//x/" },
	{ "<pool type='mpath'><name>a</name><target><path>///</path></target></pool>",
	  NULL, "a", NULL, "/" },
	{ "<pool type='mpath'><name>a</name><target><path>//</path></target></pool>",
	  NULL, "a", NULL, "//" },
	{ "<pool type='rbd'><name>a</name><source><host name='h'/><name>r</name></source>"
	  "<target><path>/x</path></target></pool>",
	  NULL, "a", "r", NULL },
};

static void assert_text(const char *is, const char *should, const char *of)
{
	if (is && should ? strcmp(is, should) : is != should)
		fail_msg("'%s', not '%s': %s", is ? is : "", should ? should : "", of);
}

static void names_and_what_follows_from_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(names); i++) {
		AUTO_POOL_SPEC struct pool_spec spec;
		struct error err = { 0 };

		if (parse(names[i].text, names[i].default_name, &spec, &err) < 0)
			fail_msg("%s", err.text);
		assert_text(spec.name, names[i].name, names[i].text);
		assert_text(spec.source.name, names[i].source_name, names[i].text);
		assert_text(spec.target, names[i].target, names[i].text);
	}
}

/* -- refusals -- */

#define DIR(inside)                                \
	"<pool type='dir'>\n<name>a</name>" inside \
	"<target><path>/a</path></target></pool>"
#define TARGET(inside)                                                                \
	"<pool type='dir'><name>a</name><target><path>/a</path>" inside "</target></" \
									"pool>"
#define SCSI(adapter)  "<pool type='scsi'><name>a</name><source>\n" adapter \
		       "</source><target><path>/a</path></target></pool>"
#define ISCSI(inside)                                                        \
	"<pool type='iscsi'><name>a</name><source><host name='h'/>\n" inside \
	"</source><target><path>/a</path></target></pool>"
#define NETFS(inside)  "<pool type='netfs'><name>a</name><source>" inside "</source>" \
		       "<target><path>/a</path></target></pool>"
#define FS(inside)                                                                  \
	"<pool type='fs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>" \
	"<name>a</name><source><device path='/dev/x'/></source>"                    \
	"<target><path>/a</path></target>" inside "</pool>"
#define RBD(inside)                                                                    \
	"<pool type='rbd' xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'>" \
	"<source><host name='h'/><name>a</name></source>" inside "</pool>"
#define WWNN           "wwnn='2101001b32a90001'"
#define WWPN           "wwpn='2101001b32a90002'"
#define ADDRESS(attrs)                                                        \
	"<adapter type='scsi_host'><parentaddr unique_id='1'><address " attrs \
	"/></parentaddr></adapter>"

static const struct {
	const char *text, *says;
} refusals[] = {
	{ "", "empty" },
	{ "<pool type='dir'>", "line 1: <pool>: the document ends" },
	{ "<pool type='dir'><name>a</pool>", "line 1: <name>: " },
	{ "<!DOCTYPE pool><pool type='dir'/>", "DOCTYPE" },
	{ DIR("") "x", "behind the root element" },
	{ "<volume/>",
	  "line 1: <volume>: expecting root element of 'pool', not 'volume'" },
	{ "<pool/>", "line 1: <pool>: missing required attribute 'type'" },
	{ "<pool type=''/>", "missing required attribute 'type'" },
	{ "\n\n<pool type='foo'/>",
	  "line 3: <pool>: invalid value for attribute 'type': 'foo'" },
	{ "<pool type='DIR'/>", "invalid value for attribute 'type': 'DIR'" },
	{ "<pool type='gluster'/>", "pools of type 'gluster' are not supported" },
	{ "<pool type='zfs'/>", "pools of type 'zfs' are not supported" },
	{ "<pool type='vstorage'/>", "pools of type 'vstorage' are not supported" },
	{ "<pool type='dir'><target><path>/a</path></target></pool>",
	  "line 1: <pool>: missing pool source name element" },
	{ "<pool type='dir'><name></name></pool>", "missing pool source name element" },
	{ "<pool type='dir'>\n<name>a/b</name></pool>",
	  "line 2: <name>: name a/b cannot contain '/'" },
	{ "<pool type='dir'><name>a\nb</name></pool>", "invalid char in name: \\n" },
	{ "<pool type='rbd'><source><host name='h'/><name>a/b</name></source></pool>",
	  "line 1: <pool>: name a/b cannot contain '/'" },
	{ "<pool type='logical'/>", "missing pool source name element" },
	{ DIR("<uuid>3e3f7f6a-0bd3-4e3a-8d10-7a4b1f5b0c1</uuid>"),
	  "line 2: <uuid>: malformed uuid element" },
	{ DIR("<uuid>3e3f7f6a-0bd3-4e3a-8d10-7a4b1f5b0c1dd</uuid>"),
	  "malformed uuid element" },
	{ DIR("<uuid>3-e3f7f6a0bd34e3a8d107a4b1f5b0c1d</uuid>"),
	  "malformed uuid element" },
	{ DIR("<uuid>ge3f7f6a0bd34e3a8d107a4b1f5b0c1d</uuid>"),
	  "malformed uuid element" },
	{ "<pool type='dir'><name>a</name></pool>",
	  "line 1: <pool>: missing storage pool target path" },
	{ "<pool type='dir'><name>a</name>\n<target><path/></target></pool>",
	  "line 2: <target>: missing storage pool target path" },
	{ TARGET("<permissions>\n<mode>0888</mode></permissions>"),
	  "line 2: <mode>: malformed octal mode '0888'" },
	{ TARGET("<permissions><mode>01777</mode></permissions>"),
	  "malformed octal mode" },
	{ TARGET("<permissions><mode>-1</mode></permissions>"), "malformed octal mode" },
	{ TARGET("<permissions><mode>0755 </mode></permissions>"),
	  "malformed octal mode" },
	{ TARGET("<permissions><owner>root</owner></permissions>"),
	  "line 1: <owner>: malformed owner element 'root'" },
	{ TARGET("<permissions><owner></owner></permissions>"),
	  "malformed owner element" },
	{ TARGET("<permissions><owner>1e3</owner></permissions>"),
	  "malformed owner element" },
	{ TARGET("<permissions><group>-2</group></permissions>"),
	  "malformed group element" },
	{ TARGET("<permissions><group>4294967296</group></permissions>"),
	  "malformed group" },
	{ DIR("<features><cow state='maybe'/></features>"),
	  "line 2: <cow>: invalid value for attribute 'state': 'maybe'" },
	{ "<pool type='mpath'><name>a</name><features><cow state='no'/></features>"
	  "<target><path>/a</path></target></pool>",
	  "cow feature may only be used for 'fs' and 'dir' pools" },
	{ "<pool "
	  "type='fs'><name>a</name><source/><target><path>/a</path></target></pool>",
	  "line 1: <source>: missing storage pool source device name" },
	{ "<pool type='disk'><name>a</name><target><path>/a</path></target></pool>",
	  "line 1: <pool>: missing storage pool source device name" },
	{ "<pool type='disk'><name>a</name><source>\n<device/></source></pool>",
	  "line 2: <device>: missing storage pool source device path" },
	{ "<pool type='disk'><name>a</name><source><device path='/x' "
	  "part_separator='1'/></source>"
	  "</pool>",
	  "invalid value for attribute 'part_separator': '1'" },
	{ "<pool type='fs'><name>a</name><source><device path='/x'/>\n<format "
	  "type='zfs'/></source>"
	  "</pool>",
	  "line 2: <format>: unknown pool format type 'zfs'" },
	{ "<pool type='logical'><name>a</name><source><format "
	  "type='ext4'/></source></pool>",
	  "unknown pool format type 'ext4'" },
	{ NETFS("<dir path='/d'/>"), "missing storage pool source host name" },
	{ NETFS("<host/><dir path='/d'/>"),
	  "line 1: <host>: missing storage pool host name" },
	{ DIR("<source><host/></source>"), "missing storage pool host name" },
	{ NETFS("<host name='h' port='abc'/>"),
	  "invalid value for attribute 'port': 'abc'" },
	{ NETFS("<host name='h' port=''/>"), "invalid value for attribute 'port': ''" },
	{ NETFS("<host name='h' port='65536'/>"),
	  "invalid value for attribute 'port': '65536'" },
	{ NETFS("<host name='h' port='99999999999999999999'/>"), "attribute 'port'" },
	{ NETFS("<host name='h'/>"), "missing storage pool source path" },
	{ NETFS("<host name='h'/><dir path=''/>"), "missing storage pool source path" },
	{ NETFS("<host name='h'/><dir path='d'/><format type='cifs'/><protocol "
		"ver='3'/>"),
	  "<protocol>: storage pool protocol ver unsupported for pool type 'cifs'" },
	{ NETFS("<host name='h'/><dir path='/d'/><protocol ver='3,x'/>"),
	  "storage pool protocol ver '3,x' must not contain ','" },
	{ FS("<fs:mount_opts><fs:option/></fs:mount_opts>"),
	  "no fs mount option name specified" },
	{ FS("<fs:mount_opts><fs:option name=''/></fs:mount_opts>"),
	  "no fs mount option name" },
	{ RBD("<rbd:config_opts><rbd:option value='b'/></rbd:config_opts>"),
	  "no rbd option name specified" },
	{ RBD("<rbd:config_opts>\n<rbd:option name='a'/></rbd:config_opts>"),
	  "line 2: <option>: no rbd option value specified for name 'a'" },
	{ RBD("<rbd:config_opts><rbd:option name='a' value=''/></rbd:config_opts>"),
	  "no rbd option value specified for name 'a'" },
	{ "<pool type='rbd'><name>a</name><source><host name='h'/></source></pool>",
	  "element 'name' is mandatory" },
	{ "<pool type='rbd'><source><name>a</name></source></pool>",
	  "missing storage pool source host name" },
	{ "<pool type='sheepdog'><name>a</name></pool>",
	  "missing storage pool source host name" },
	{ ISCSI("<auth type='chap'><secret usage='x'/></auth>"),
	  "line 2: <auth>: missing username for auth" },
	{ ISCSI("<auth username='u'><secret usage='x'/></auth>"),
	  "storage pool missing auth type" },
	{ ISCSI("<auth type='kerb' username='u'/>"), "unknown auth type 'kerb'" },
	{ ISCSI("<auth type='chap' username='u'/>"), "missing <secret> element in auth" },
	{ ISCSI("<auth type='chap' username='u'><secret uuid='' usage='x'/></auth>"),
	  "<secret>: either secret uuid or usage expected" },
	{ ISCSI("<auth type='chap' username='u'><secret uuid='q'/></auth>"),
	  "invalid secret uuid 'q'" },
	{ ISCSI("<auth type='chap' username='u'><secret type='iscsi'/></auth>"),
	  "missing secret uuid or usage attribute" },
	{ "<pool type='iscsi-direct'><name>a</name><source><host "
	  "name='h'/></source></pool>",
	  "missing initiator IQN" },
	{ SCSI(""), "missing storage pool source adapter" },
	{ SCSI("<adapter/>"), "line 2: <adapter>: missing storage pool source adapter" },
	{ SCSI("<adapter type='x'/>"), "invalid value for attribute 'type': 'x'" },
	{ SCSI("<adapter " WWNN " " WWPN "/>"), "requires use of the adapter 'type'" },
	{ SCSI("<adapter name='host1'><parentaddr/></adapter>"),
	  "requires use of the adapter" },
	{ SCSI("<adapter type='fc_host' " WWNN "/>"),
	  "'wwnn' and 'wwpn' must be specified for adapter type 'fc_host'" },
	{ SCSI("<adapter type='fc_host' wwnn='xyz' " WWPN "/>"), "malformed wwn 'xyz'" },
	{ SCSI("<adapter type='fc_host' " WWNN " " WWPN
	       " parent_wwnn='2101001b32a90001'/>"),
	  "parent_wwnn and parent_wwpn must be provided together" },
	{ SCSI("<adapter type='fc_host' " WWNN " " WWPN " managed='1'/>"),
	  "attribute 'managed'" },
	{ SCSI("<adapter type='scsi_host'/>"), "either 'name' or 'parentaddr' must be" },
	{ SCSI("<adapter type='scsi_host' name='host1'><parentaddr "
	       "unique_id='1'/></adapter>"),
	  "both 'name' and 'parentaddr'" },
	{ SCSI("<adapter type='scsi_host'><parentaddr/></adapter>"),
	  "<parentaddr>: missing or invalid scsi adapter 'unique_id' value" },
	{ SCSI("<adapter type='scsi_host'><parentaddr unique_id='-1'/></adapter>"),
	  "'unique_id'" },
	{ SCSI("<adapter type='scsi_host'><parentaddr unique_id='1'/></adapter>"),
	  "missing scsi_host PCI address element" },
	{ SCSI(ADDRESS("slot='32'")), "attribute 'slot': '32'" },
	{ SCSI(ADDRESS("slot='1' bus='0x100'")), "attribute 'bus': '0x100'" },
	{ SCSI(ADDRESS("function='1'")), "invalid PCI address" },
	{ DIR("<refresh><volume allocation='x'/></refresh>"),
	  "<volume>: unknown storage pool volume refresh allocation type x" },
};

static void refusals_name_line_element_and_reason(void **state)
{
	const struct pool_spec untouched = POOL_SPEC_INIT;

	(void)state;
	for (size_t i = 0; i < N(refusals); i++) {
		AUTO_POOL_SPEC struct pool_spec spec;
		struct error err = { 0 };

		assert_int_equal(parse(refusals[i].text, NULL, &spec, &err), -EINVAL);
		assert_int_equal(err.code, EINVAL);
		if (!strstr(err.text, refusals[i].says))
			fail_msg("%s\nsays: %s\nnot:  %s", refusals[i].text, err.text,
				 refusals[i].says);
		if (*refusals[i].text)
			assert_memory_equal(err.text, "line ", 5);
		assert_memory_equal(&spec, &untouched, sizeof(spec));
	}
}

/* -- values -- */

static void values_are_read_liberally(void **state)
{
	static const char *const uuids[] = {
		"3e3f7f6a-0bd3-4e3a-8d10-7a4b1f5b0c1d",
		"3E3F7F6A0BD34E3A8D107A4B1F5B0C1D",
		" 3e-3f-7f 6a0bd3--4e3a8d10 7a4b1f5b0c1d\n",
	};
	AUTO_POOL_SPEC struct pool_spec spec;
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < N(uuids); i++) {
		AUTO_POOL_SPEC struct pool_spec p;
		char text[300];

		snprintf(text, sizeof(text), DIR("<uuid>%s</uuid>"), uuids[i]);
		assert_int_equal(parse(text, NULL, &p, &err), 0);
		assert_string_equal(p.uuid, uuids[0]);
	}
	assert_int_equal(parse(TARGET("<permissions><mode> +744</mode><owner>0744</owner>"
				      "<group>4294967295</group><label/></permissions>"),
			       NULL, &spec, &err),
			 0);
	assert_int_equal(spec.permissions.mode, 0744);
	assert_int_equal(spec.permissions.owner, 744);
	assert_int_equal(spec.permissions.group, -1);
	assert_null(spec.permissions.label);
}

static void a_live_pool_shows_what_is_there(void **state)
{
	struct pool_stat live = {
		.capacity = UINT64_MAX, .allocation = 2, .available = 3,
		.permissions = { .mode = 0, .owner = 4294967294, .group = 6 },
	};
	AUTO_POOL_SPEC struct pool_spec spec;
	AUTO_BUF struct buf out = { 0 };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(parse(TARGET("<permissions><mode>0711</mode></permissions>"),
			       NULL, &spec, &err),
			 0);
	assert_int_equal(buf_puts(&out, "before\n"), 0);
	assert_int_equal(pool_xml_print(&spec, &live, &out, &err), 0);
	assert_string_equal(buf_text(&out),
			    "before\n"
			    "<pool type='dir'>\n"
			    "  <name>a</name>\n"
			    "  <capacity unit='bytes'>18446744073709551615</capacity>\n"
			    "  <allocation unit='bytes'>2</allocation>\n"
			    "  <available unit='bytes'>3</available>\n"
			    "  <source>\n"
			    "  </source>\n"
			    "  <target>\n"
			    "    <path>/a</path>\n"
			    "    <permissions>\n"
			    "      <mode>00</mode>\n"
			    "      <owner>4294967294</owner>\n"
			    "      <group>6</group>\n"
			    "    </permissions>\n"
			    "  </target>\n"
			    "</pool>\n");
}

static void what_xml_cannot_hold_adds_nothing(void **state)
{
	struct pool_spec spec = { .type = "dir", .name = "a", .target = "/\xff",
				  .permissions = PERMISSIONS_UNSET };
	AUTO_BUF struct buf out = { 0 };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(pool_xml_print(&spec, NULL, &out, &err), -EILSEQ);
	assert_string_equal(buf_text(&out), "");
	assert_int_equal(buf_puts(&out, "before"), 0);
	assert_int_equal(pool_xml_print(&spec, NULL, &out, &err), -EILSEQ);
	assert_string_equal(buf_text(&out), "before");
}

/* -- sources -- */

static void sources_are_asked_for_and_shown(void **state)
{
	static const char text[] =
		"<source><device path='x'/><host name='h' port='3261'/><name>n</name>"
		"<auth type='chap' username='u'><secret usage='s'/></auth>"
		"<initiator><iqn name='i'/></initiator></source>";
	AUTO_POOL_SOURCE struct pool_source s = { 0 };
	AUTO_BUF struct buf out = { 0 };
	AUTO_BUF struct buf none = { 0 };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(source_xml_parse(text, strlen(text), &s, &err), 0);
	assert_string_equal(s.hosts[0].name, "h");
	assert_int_equal(s.hosts[0].port, 3261);
	assert_string_equal(s.initiator, "i");
	assert_string_equal(s.auth.secret.usage, "s");
	assert_null(s.name);
	assert_int_equal(s.n_devices, 0);
	assert_int_equal(sources_xml_print("iscsi", &s, 1, &out, &err), 0);
	assert_string_equal(buf_text(&out),
			    "<sources>\n"
			    "  <source>\n"
			    "    <host name='h' port='3261'/>\n"
			    "    <initiator>\n"
			    "      <iqn name='i'/>\n"
			    "    </initiator>\n"
			    "    <auth type='chap' username='u'>\n"
			    "      <secret usage='s'/>\n"
			    "    </auth>\n"
			    "  </source>\n"
			    "</sources>\n");
	assert_int_equal(sources_xml_print("netfs", NULL, 0, &none, &err), 0);
	assert_string_equal(buf_text(&none), "<sources>\n</sources>\n");
	pool_source_clear(&s);
	assert_int_equal(source_xml_parse("<source><host/></source>", 24, &s, &err),
			 -EINVAL);
	assert_int_equal(source_xml_parse("<pool/>", 7, &s, &err), -EINVAL);
	assert_int_equal(source_xml_parse("<source/>", 9, &s, &err), 0);
	assert_int_equal(s.n_hosts, 0);
}

/* -- conflicts -- */

#define SOURCE(type, source)                                              \
	"<pool type='" type "'><name>a</name><source>" source "</source>" \
	"<target><path>/dev/disk/by-path</path></target></pool>"
#define AT(type, target)                                                      \
	"<pool type='" type "'><name>a</name><source><host name='" type "'/>" \
	"<dir path='/" type "'/><device path='/dev/" type "'/></source>"      \
	"<target><path>" target "</path></target></pool>"

static const struct {
	const char *a, *b, *words; /* NULL: none */
} conflicts[] = {
	{ AT("dir", "/a"), AT("dir", "/a/"), "target '/a'" },
	{ AT("dir", "/a"), AT("dir", "/b"), NULL },
	{ AT("dir", "/a"), AT("fs", "/a"), "target '/a'" },
	{ AT("netfs", "/a"), AT("fs", "/a"), "target '/a'" },
	{ AT("mpath", "/a"), AT("dir", "/a"), NULL },
	{ AT("mpath", "/a"), AT("mpath", "/b"), "multipath" },
	{ AT("fs", "/a"), AT("fs", "/b"), "device '/dev/fs'" },
	{ AT("netfs", "/a"), AT("netfs", "/b"), "source 'netfs:/netfs'" },
	{ SOURCE("logical", "<name>v</name>"), SOURCE("logical", "<name>v</name>"),
	  "target '/dev/v'" },
	{ SOURCE("logical", "<name>v</name>"), SOURCE("logical", "<name>w</name>"),
	  NULL },
	{ SOURCE("logical", "<name>v</name><device path='/x'/><device path='/y'/>"),
	  SOURCE("disk", "<device path='/y'/>"), "device '/y'" },
	{ SOURCE("disk", "<device path='/x'/>"), SOURCE("disk", "<device path='/y'/>"),
	  NULL },
	{ SOURCE("iscsi", "<host name='h'/><device path='q'/>"),
	  SOURCE("iscsi", "<host name='i'/><device path='q'/>"), "target name 'q'" },
	{ SOURCE("iscsi", "<host name='h'/><device path='q'/>"),
	  SOURCE("iscsi", "<host name='h'/><device path='q'/><initiator><iqn "
			  "name='x'/></initiator>"),
	  NULL },
	{ SOURCE("iscsi", "<host name='h'/><device path='q'/>"),
	  SOURCE("iscsi", "<host name='h'/><device path='r'/>"), NULL },
	{ SOURCE("iscsi", "<host name='h'/>"), SOURCE("iscsi", "<host name='h'/>"),
	  NULL },
	{ SOURCE("iscsi-direct", "<host name='h'/><device path='q'/><initiator><iqn "
				 "name='x'/></initiator>"),
	  SOURCE("iscsi-direct", "<host name='h'/><device path='q'/><initiator><iqn "
				 "name='x'/></initiator>"),
	  NULL },
	{ SCSI("<adapter name='host1'/>"),
	  SCSI("<adapter type='scsi_host' name='scsi_host1'/>"), "adapter 'host1'" },
	{ SCSI("<adapter name='host1'/>"), SCSI("<adapter name='host11'/>"), NULL },
	{ SCSI(ADDRESS("slot='1'")), SCSI(ADDRESS("slot='0x1'")), "adapter" },
	{ SCSI(ADDRESS("slot='1'")), SCSI(ADDRESS("slot='2'")), NULL },
	{ SCSI("<adapter type='fc_host' " WWNN " " WWPN "/>"),
	  SCSI("<adapter type='fc_host' " WWNN " " WWPN "/>"),
	  "adapter '2101001b32a90002'" },
	{ RBD(""), RBD(""), NULL },
	{ SOURCE("sheepdog", "<host name='h'/>"), SOURCE("sheepdog", "<host name='h'/>"),
	  "sheepdog host 'h'" },
	{ SOURCE("sheepdog", "<host name='h'/>"), SOURCE("sheepdog", "<host name='i'/>"),
	  NULL },
};

static void pools_of_one_storage_conflict(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(conflicts); i++) {
		AUTO_POOL_SPEC struct pool_spec a, b;
		struct error err = { 0 };
		char words[200] = "";
		const char *found, *reverse;

		if (parse(conflicts[i].a, NULL, &a, &err) < 0 ||
		    parse(conflicts[i].b, NULL, &b, &err) < 0)
			fail_msg("%s", err.text);
		reverse = pool_specs_conflict(&b, &a, words, sizeof(words));
		found = pool_specs_conflict(&a, &b, words, sizeof(words));
		if (!found != !conflicts[i].words || !found != !reverse ||
		    (found && !strstr(found, conflicts[i].words)))
			fail_msg("'%s', not '%s':\n%s\n%s", found ? found : "",
				 conflicts[i].words ? conflicts[i].words : "",
				 conflicts[i].a, conflicts[i].b);
	}
}

/* -- speed -- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* others are busy, too */
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Well under 100 us without a sanitizer; here only what no machine should exceed. */
static void parsing_and_printing_is_fast(void **state)
{
	AUTO_BUF struct buf text = { 0 };
	const int rounds = 1000;
	double start;

	(void)state;
	sample_read(SOURCE_ROOT "/tests/xml/pools/iscsi-chap.xml", &text);
	start = seconds();
	for (int i = 0; i < rounds; i++) {
		AUTO_POOL_SPEC struct pool_spec spec;
		AUTO_BUF struct buf out = { 0 };

		assert_int_equal(parse(buf_text(&text), "a", &spec, NULL), 0);
		print(&spec, &out);
	}
	print_message("%.1f us for a definition in and out\n",
		      (seconds() - start) * 1e6 / rounds);
	assert_true(seconds() - start < rounds * 2e-3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_come_out_as_libvirt_prints_them),
		cmocka_unit_test(bad_samples_are_refused),
		cmocka_unit_test(every_format_of_every_type_is_taken),
		cmocka_unit_test(names_and_what_follows_from_them),
		cmocka_unit_test(refusals_name_line_element_and_reason),
		cmocka_unit_test(values_are_read_liberally),
		cmocka_unit_test(a_live_pool_shows_what_is_there),
		cmocka_unit_test(what_xml_cannot_hold_adds_nothing),
		cmocka_unit_test(sources_are_asked_for_and_shown),
		cmocka_unit_test(pools_of_one_storage_conflict),
		cmocka_unit_test(parsing_and_printing_is_fast),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
