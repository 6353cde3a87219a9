/* What the host of a scsi pool is told of units and of the adapter itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backends/scsi/scsi.h"
#include "device_events.h"

static atomic_int adapter = 3;

int __wrap_adapter_find(const struct pool_adapter *a, struct error *err);

int __wrap_adapter_find(const struct pool_adapter *a, struct error *err)
{
	int n = atomic_load(&adapter);

	return n == HOST_NONE ? error_set(err, ENODEV, "there is no adapter") : n;
}

static void units_and_the_adapter_are_told(void **state)
{
	struct heard h;
	struct scsi_pool p = { 0 };

	heard_init(&h);
	p.host = h.host;
	atomic_store(&p.number, 3);
	assert_int_equal(scsi_watch(&p, NULL), 0);

	EVENT("ACTION=add", "SUBSYSTEM=block", "DEVTYPE=disk",
	      "DEVPATH=/devices/host3/target3:0:1/3:0:1:2/block/sdx");
	heard_next(&h, "added unit:0:1:2");
	EVENT("ACTION=add", "SUBSYSTEM=block", "DEVTYPE=partition",
	      "DEVPATH=/devices/host3/target3:0:1/3:0:1:2/block/sdx/sdx1");
	EVENT("ACTION=add", "SUBSYSTEM=block", "DEVTYPE=disk",
	      "DEVPATH=/devices/host33/target33:0:1/33:0:1:2/block/sdy");
	EVENT("ACTION=remove", "SUBSYSTEM=block", "DEVTYPE=disk",
	      "DEVPATH=/devices/host3/target3:0:1/3:0:1:2/block/sdx");
	heard_next(&h, "removed unit:0:1:2");

	atomic_store(&adapter, HOST_NONE);
	EVENT("ACTION=remove", "SUBSYSTEM=scsi_host", "DEVPATH=/devices/host3");
	heard_next(&h, "lost there is no adapter");
	heard_next(&h, "all");
	assert_int_equal(atomic_load(&p.number), HOST_NONE);
	EVENT("ACTION=add", "SUBSYSTEM=block", "DEVTYPE=disk",
	      "DEVPATH=/devices/host3/target3:0:1/3:0:1:2/block/sdx");
	atomic_store(&adapter, 4);
	EVENT("ACTION=add", "SUBSYSTEM=fc_host", "DEVPATH=/devices/host4");
	heard_next(&h, "back");
	heard_next(&h, "all");
	assert_int_equal(atomic_load(&p.number), 4);
	EVENT("ACTION=add", "SUBSYSTEM=block", "DEVTYPE=disk",
	      "DEVPATH=/devices/host4/target4:0:0/4:0:0:0/block/sdz");
	heard_next(&h, "added unit:0:0:0");
	uevent_remove(p.watch);
	assert_true(heard_all(&h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_and_the_adapter_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
