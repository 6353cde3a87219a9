/* Every single allocation of ours fails once: nothing crashes, leaks or is half made. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backends/model/pool_types.h"
#include "backends/model/pool_xml.h"
#include "backends/model/volume_xml.h"
#include "backends/model/xml.h"
#include "backends/support/buf.h"
#include "tests/unit/failing_memory.h"

static const char pool_text[] =
	"<pool type='rbd' xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'>"
	"<name>p</name><uuid>3e3f7f6a-0bd3-4e3a-8d10-7a4b1f5b0c1d</uuid><source>"
	"<host name='a' port='3300'/><host name='b'/><name>images</name>"
	"<auth type='ceph' username='u'><secret usage='x'/></auth></source>"
	"<rbd:config_opts><rbd:option name='k' value='v'/><rbd:option name='l' value='w'/>"
	"</rbd:config_opts></pool>";

static int pool_round(struct error *err)
{
	AUTO_POOL_SPEC struct pool_spec spec = POOL_SPEC_INIT, copy = POOL_SPEC_INIT;
	AUTO_BUF struct buf text = { 0 };
	int r = pool_xml_parse(pool_text, sizeof(pool_text) - 1, "q", &spec, err);

	if (r == 0)
		r = pool_spec_copy(&spec, &copy);
	return r < 0 ? r : pool_xml_print(&copy, NULL, &text, err);
}

static const char volume_text[] =
	"<volume><name>v</name><capacity unit='G'>1</capacity><target>"
	"<format type='qcow2'/><permissions><mode>0640</mode><label>l</label></permissions>"
	"<compat>1.1</compat><features><lazy_refcounts/></features>"
	"<encryption format='luks'><secret type='passphrase' usage='x'/>"
	"<cipher name='aes' size='256' mode='cbc' hash='sha256'/></encryption></target>"
	"<backingStore><path>/b</path><format type='raw'/></backingStore></volume>";

static int volume_round(struct error *err)
{
	AUTO_VOLUME_SPEC struct volume_spec spec = VOLUME_SPEC_INIT;
	AUTO_BUF struct buf text = { 0 };
	const struct pool_type *dir = pool_type_find("dir");
	int r = volume_xml_parse(volume_text, sizeof(volume_text) - 1, dir, "w", &spec,
				 err);

	return r < 0 ? r : volume_xml_print(&spec, dir, &text, err);
}

static void test_pool(void **state)
{
	with_each_failing(pool_round, false);
}

static void test_volume(void **state)
{
	with_each_failing(volume_round, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_volume),
	};

	xml_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
