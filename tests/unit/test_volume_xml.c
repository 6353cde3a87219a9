/* Volume descriptions: in and out, units, what is refused and how, copies. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "backends/model/pool_types.h"
#include "backends/model/volume_xml.h"
#include "backends/model/xml.h"
#include "tests/unit/xml_samples.h"

#define N(array) (sizeof(array) / sizeof(*(array)))

static int parse(const char *text, const char *type, const char *name,
		 struct volume_spec *out, struct error *err)
{
	*out = (struct volume_spec)VOLUME_SPEC_INIT;
	return volume_xml_parse(text, strlen(text), pool_type_find(type), name, out, err);
}

static void print(const struct volume_spec *spec, const char *type, struct buf *out)
{
	struct error err = { 0 };

	if (volume_xml_print(spec, pool_type_find(type), out, &err) < 0)
		fail_msg("%s", err.text);
}

/* A sample's name begins with its pool's type. */
static void check_sample(const char *name, const struct buf *in,
			 const struct buf *expected)
{
	AUTO_VOLUME_SPEC struct volume_spec spec, again;
	AUTO_BUF struct buf first = { 0 };
	AUTO_BUF struct buf second = { 0 };
	struct error err = { 0 };
	char type[32];

	snprintf(type, sizeof(type), "%.*s", (int)strcspn(name, "-"), name);
	if (parse(buf_text(in), type, NULL, &spec, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	print(&spec, type, &first);
	if (strcmp(buf_text(&first), buf_text(expected)))
		fail_msg("%s gives:\n%s", name, buf_text(&first));
	assert_int_equal(parse(buf_text(&first), type, NULL, &again, &err), 0);
	print(&again, type, &second);
	assert_string_equal(buf_text(&second), buf_text(expected));
}

static void samples_come_out_as_libvirt_prints_them(void **state)
{
	(void)state;
	each_sample("volumes/*.xml", 30, check_sample);
}

static void check_bad(const char *name, const struct buf *in, const struct buf *expected)
{
	AUTO_VOLUME_SPEC struct volume_spec spec;
	struct error err = { 0 };

	assert_null(expected);
	if (parse(buf_text(in), "dir", "v", &spec, &err) != -EINVAL ||
	    memcmp(err.text, "line ", 5))
		fail_msg("%s: %s", name, err.text);
}

static void bad_samples_are_refused(void **state)
{
	(void)state;
	each_sample("bad/volume-*.xml", 12, check_bad);
}

static void every_format_of_every_type_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; pool_type_at(i); i++) {
		const struct pool_type *t = pool_type_at(i);

		for (size_t k = 0; t->volume_formats && t->volume_formats[k]; k++) {
			AUTO_VOLUME_SPEC struct volume_spec spec;
			struct error err = { 0 };
			char text[300];

			snprintf(text, sizeof(text),
				 "<volume><capacity>1</capacity><target>"
				 "<format type='%s'/></target></volume>",
				 t->volume_formats[k]);
			if (parse(text, t->name, "v", &spec, &err) < 0)
				fail_msg("%s", err.text);
			assert_string_equal(spec.format, t->volume_formats[k]);
		}
	}
}

#define CAPACITY(attributes, text) \
	"<volume><capacity" attributes ">" text "</capacity></volume>"

static const struct {
	const char *text;
	uint64_t capacity;
	const char *says; /* NULL: it is taken */
} capacities[] = {
	{ CAPACITY("", "1024"), 1024, NULL },
	{ CAPACITY("", " 1024"), 1024, NULL },
	{ CAPACITY("", "+010"), 10, NULL },
	{ CAPACITY(" unit=''", "10"), 10, NULL },
	{ CAPACITY(" unit='B'", "10"), 10, NULL },
	{ CAPACITY(" unit='byte'", "10"), 10, NULL },
	{ CAPACITY(" unit='BYTES'", "10"), 10, NULL },
	{ CAPACITY(" unit='k'", "2"), 2048, NULL },
	{ CAPACITY(" unit='kB'", "2"), 2000, NULL },
	{ CAPACITY(" unit='KIB'", "2"), 2048, NULL },
	{ CAPACITY(" unit='M'", "1"), 1048576, NULL },
	{ CAPACITY(" unit='mb'", "1"), 1000000, NULL },
	{ CAPACITY(" unit='GiB'", "1"), 1073741824, NULL },
	{ CAPACITY(" unit='GB'", "1"), 1000000000, NULL },
	{ CAPACITY(" unit='T'", "1"), UINT64_C(1) << 40, NULL },
	{ CAPACITY(" unit='PB'", "1"), UINT64_C(1000000000000000), NULL },
	{ CAPACITY(" unit='E'", "7"), UINT64_C(7) << 60, NULL },
	{ CAPACITY(" unit='EB'", "9"), UINT64_C(9000000000000000000), NULL },
	{ CAPACITY("", "9223372036854775807"), INT64_MAX, NULL },
	{ CAPACITY("", "0"), 0, NULL },
	{ CAPACITY("", "9223372036854775808"), 0, "too large" },
	{ CAPACITY("", "18446744073709551616"), 0, "malformed capacity" },
	{ CAPACITY(" unit='E'", "8"), 0, "line 1: <capacity>: the size is too large" },
	{ CAPACITY(" unit='E'", "9"), 0, "too large" },
	{ CAPACITY("", "abc"), 0, "line 1: <capacity>: malformed capacity 'abc'" },
	{ CAPACITY("", "-5"), 0, "malformed capacity" },
	{ CAPACITY("", "1.5"), 0, "malformed capacity" },
	{ CAPACITY("", "1024 "), 0, "malformed capacity" },
	{ CAPACITY("", "0x10"), 0, "malformed capacity" },
	{ CAPACITY("", "10G"), 0, "malformed capacity" },
	{ CAPACITY(" unit='Z'", "1"), 0, "<capacity>: unknown unit 'Z'" },
	{ CAPACITY(" unit='kibi'", "1"), 0, "unknown unit" },
	{ CAPACITY(" unit=' G'", "1"), 0, "unknown unit" },
	{ CAPACITY("", ""), 0, "line 1: <volume>: missing capacity element" },
	{ "<volume/>", 0, "missing capacity element" },
};

static void capacities_are_read_with_their_units(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(capacities); i++) {
		AUTO_VOLUME_SPEC struct volume_spec spec;
		struct error err = { 0 };
		int r = parse(capacities[i].text, "dir", "v", &spec, &err);

		if (capacities[i].says
			    ? r != -EINVAL || !strstr(err.text, capacities[i].says)
			    : r || spec.capacity != capacities[i].capacity)
			fail_msg("%s gives %d, %llu: %s", capacities[i].text, r,
				 (unsigned long long)spec.capacity, err.text);
		assert_int_equal(spec.has_capacity, !capacities[i].says);
		assert_false(spec.has_allocation);
	}
}

#define VOLUME(inside) "<volume><capacity>1</capacity>\n" inside "</volume>"
#define TARGET(inside) VOLUME("<target>" inside "</target>")
#define LUKS(inside)   TARGET("<encryption format='luks'>" inside "</encryption>")
#define SECRET	       "<secret type='passphrase' uuid='2ec115d7-3a88-3ceb-bc12-0ac909a6fd87'/>"

static const struct {
	const char *type, *text, *says;
} refusals[] = {
	{ "dir", "<pool/>", "expecting root element of 'volume', not 'pool'" },
	{ "dir", "<volume>", "the document ends" },
	{ "dir", "<volume type='zzz'><capacity>1</capacity></volume>",
	  "line 1: <volume>: unknown volume type 'zzz'" },
	{ "dir", VOLUME("<allocation>x</allocation>"),
	  "line 2: <allocation>: malformed allocation 'x'" },
	{ "dir", VOLUME("<allocation unit='x'>1</allocation>"),
	  "<allocation>: unknown unit" },
	{ "dir", TARGET("<format type='xyz'/>"),
	  "line 2: <format>: unknown volume format type xyz" },
	{ "dir", TARGET("<format type='none'/>"), "unknown volume format type none" },
	{ "rbd", TARGET("<format type='qcow2'/>"), "unknown volume format type qcow2" },
	{ "disk", TARGET("<format type='raw'/>"), "unknown volume format type raw" },
	{ "dir",
	  VOLUME("<backingStore><path>/x</path>\n<format type='xyz'/></backingStore>"),
	  "line 3: <format>: unknown volume format type xyz" },
	{ "dir",
	  VOLUME("<backingStore><path>/x</path><permissions><mode>9</mode></permissions>"
		 "</backingStore>"),
	  "malformed octal mode" },
	{ "dir", TARGET("<permissions><mode>01777</mode></permissions>"),
	  "line 2: <mode>: malformed octal mode '01777'" },
	{ "dir", TARGET("<permissions><owner>me</owner></permissions>"),
	  "malformed owner element" },
	{ "dir", TARGET("<compat>1.1a</compat>"),
	  "<compat>: forbidden characters in compat '1.1a'" },
	{ "dir", TARGET("<compat>1</compat>"), "forbidden characters" },
	{ "dir", TARGET("<compat>.1</compat>"), "forbidden characters" },
	{ "dir", TARGET("<compat>1.</compat>"), "forbidden characters" },
	{ "dir", TARGET("<clusterSize unit='x'>3</clusterSize>"),
	  "<clusterSize>: unknown unit 'x'" },
	{ "dir", TARGET("<clusterSize>-1</clusterSize>"), "malformed clusterSize '-1'" },
	{ "dir", TARGET("<features>\n<foo/></features>"),
	  "line 3: <foo>: unsupported feature foo" },
	{ "dir", TARGET("<encryption/>"), "missing volume encryption format" },
	{ "dir", TARGET("<encryption format='aes'/>"),
	  "unknown volume encryption format type aes" },
	{ "dir", TARGET("<encryption format='luks' engine='x'/>"),
	  "encryption engine x" },
	{ "dir", LUKS("<secret type='passphrase'/>"),
	  "missing secret uuid or usage attribute" },
	{ "dir", LUKS("<secret type='passphrase' uuid='a' usage='b'/>"), "not both" },
	{ "dir", LUKS("<secret type='passphrase' uuid='a'/>"),
	  "invalid secret uuid 'a'" },
	{ "dir", LUKS("<secret usage='a'/>"),
	  "unknown volume encryption secret type ''" },
	{ "dir", LUKS(SECRET "<cipher size='256'/>"),
	  "cipher info missing 'name' attribute" },
	{ "dir", LUKS(SECRET "<cipher name='aes'/>"),
	  "cipher info missing 'size' attribute" },
	{ "dir", LUKS(SECRET "<cipher name='aes' size='x'/>"), "attribute 'size': 'x'" },
	{ "dir", LUKS(SECRET "<ivgen name='plain'/>"),
	  "<ivgen>: <ivgen> needs a <cipher>" },
	{ "dir", LUKS(SECRET "<cipher name='aes' size='256'/><ivgen/>"),
	  "missing ivgen info name" },
};

static void refusals_name_line_element_and_reason(void **state)
{
	const struct volume_spec untouched = VOLUME_SPEC_INIT;

	(void)state;
	for (size_t i = 0; i < N(refusals); i++) {
		AUTO_VOLUME_SPEC struct volume_spec spec;
		struct error err = { 0 };

		assert_int_equal(
			parse(refusals[i].text, refusals[i].type, "v", &spec, &err),
			-EINVAL);
		if (!strstr(err.text, refusals[i].says) || strncmp(err.text, "line ", 5))
			fail_msg("%s\nsays: %s\nnot:  %s", refusals[i].text, err.text,
				 refusals[i].says);
		assert_memory_equal(&spec, &untouched, sizeof(spec));
	}
}

static void names_and_defaults(void **state)
{
	AUTO_VOLUME_SPEC struct volume_spec named, unnamed, backed, block;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(parse("<volume><name>a/b</name><capacity>1</capacity></volume>",
			       "dir", "v", &named, &err),
			 0);
	assert_string_equal(named.name, "v");
	assert_string_equal(named.format, "raw");
	assert_int_equal(parse("<volume><capacity>1</capacity></volume>", "dir", NULL,
			       &unnamed, &err),
			 -EINVAL);
	assert_string_equal(err.text, "line 1: <volume>: missing volume name element");
	assert_int_equal(
		parse("<volume><capacity/><target><features/></target><backingStore>"
		      "<path>b</path></backingStore></volume>",
		      "dir", "v", &backed, &err),
		0);
	assert_false(backed.has_capacity);
	assert_string_equal(backed.backing.format, "raw");
	assert_string_equal(backed.compat, "1.1");
	assert_true(backed.has_features);
	assert_int_equal(parse("<volume><capacity>1</capacity></volume>", "logical", "v",
			       &block, &err),
			 0);
	assert_null(block.format);
}

static struct extent extents[] = {
	{ (char *)"/dev/sda1", 0, 4096 },
	{ (char *)"/dev/sda1", 8192, 12288 },
	{ (char *)"/dev/sdb1", 0, 4096 },
};

/* In the order that vol-dumpxml has. */
static void all_of_it_is_printed_in_order(void **state)
{
	struct volume_spec v = {
		.type = (char *)"file",
		.name = (char *)"<v>\t\n",
		.key = (char *)"/p/v",
		.has_capacity = true,
		.capacity = INT64_MAX,
		.has_allocation = true,
		.physical = 3,
		.extents = extents,
		.n_extents = N(extents),
		.path = (char *)"/p/v",
		.format = (char *)"qcow2",
		.permissions = { 0600, 0, 107, (char *)"l" },
		.has_times = true,
		.atime = { 1, 5 },
		.mtime = { 2, 999999999 },
		.ctime = { 3, 0 },
		.compat = (char *)"1.1",
		.cluster_size = 65536,
		.has_features = true,
		.features = FEATURE_LAZY_REFCOUNTS | FEATURE_DATA_FILE,
		.nocow = true,
		.backing = { (char *)"/b", (char *)"raw", PERMISSIONS_UNSET },
	};
	AUTO_BUF struct buf out = { 0 };

	(void)state;
	print(&v, "dir", &out);
	assert_string_equal(buf_text(&out),
			    "<volume type='file'>\n"
			    "  <name>&lt;v&gt;&#9;&#10;</name>\n"
			    "  <key>/p/v</key>\n"
			    "  <source>\n"
			    "    <device path='/dev/sda1'>\n"
			    "      <extent start='0' end='4096'/>\n"
			    "      <extent start='8192' end='12288'/>\n"
			    "    </device>\n"
			    "    <device path='/dev/sdb1'>\n"
			    "      <extent start='0' end='4096'/>\n"
			    "    </device>\n"
			    "  </source>\n"
			    "  <capacity unit='bytes'>9223372036854775807</capacity>\n"
			    "  <allocation unit='bytes'>0</allocation>\n"
			    "  <physical unit='bytes'>3</physical>\n"
			    "  <target>\n"
			    "    <path>/p/v</path>\n"
			    "    <format type='qcow2'/>\n"
			    "    <permissions>\n"
			    "      <mode>0600</mode>\n"
			    "      <owner>0</owner>\n"
			    "      <group>107</group>\n"
			    "      <label>l</label>\n"
			    "    </permissions>\n"
			    "    <timestamps>\n"
			    "      <atime>1.000000005</atime>\n"
			    "      <mtime>2.999999999</mtime>\n"
			    "      <ctime>3</ctime>\n"
			    "      <btime>0</btime>\n"
			    "    </timestamps>\n"
			    "    <compat>1.1</compat>\n"
			    "    <clusterSize unit='B'>65536</clusterSize>\n"
			    "    <features>\n"
			    "      <lazy_refcounts/>\n"
			    "      <data_file/>\n"
			    "    </features>\n"
			    "  </target>\n"
			    "  <backingStore>\n"
			    "    <path>/b</path>\n"
			    "    <format type='raw'/>\n"
			    "  </backingStore>\n"
			    "</volume>\n");
}

static void what_xml_cannot_hold_adds_nothing(void **state)
{
	static const char *const names[] = { "\xff", "a\x01", "\xed\xa0\x80" };

	(void)state;
	for (size_t i = 0; i < N(names); i++) {
		struct volume_spec v = VOLUME_SPEC_INIT;
		AUTO_BUF struct buf out = { 0 };
		struct error err = { 0 };

		v.name = (char *)names[i];
		assert_int_equal(volume_xml_print(&v, pool_type_find("dir"), &out, &err),
				 -EILSEQ);
		assert_int_equal(out.len, 0);
		assert_non_null(strstr(err.text, "UTF-8"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_come_out_as_libvirt_prints_them),
		cmocka_unit_test(bad_samples_are_refused),
		cmocka_unit_test(every_format_of_every_type_is_taken),
		cmocka_unit_test(capacities_are_read_with_their_units),
		cmocka_unit_test(refusals_name_line_element_and_reason),
		cmocka_unit_test(names_and_defaults),
		cmocka_unit_test(all_of_it_is_printed_in_order),
		cmocka_unit_test(what_xml_cannot_hold_adds_nothing),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
