/*
 * The measure for probing LUNs: asks all of one target one after another, as a plain program on
 * libiscsi does. `iscsi_probe PORTAL TARGET INITIATOR` prints how many there are and their bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

static void die(struct iscsi_context *iscsi, const char *what)
{
	fprintf(stderr, "iscsi_probe: %s: %s\n", what, iscsi_get_error(iscsi));
	exit(1);
}

static struct scsi_task *done(struct iscsi_context *iscsi, struct scsi_task *task,
			      const char *what)
{
	if (!task || task->status != SCSI_STATUS_GOOD)
		die(iscsi, what);
	return task;
}

/* The first command after a login meets a unit attention. */
static void wait_ready(struct iscsi_context *iscsi, int lun)
{
	int ready = 0;

	for (int i = 0; i < 4 && !ready; i++) {
		struct scsi_task *task = iscsi_testunitready_sync(iscsi, lun);

		if (!task)
			die(iscsi, "TEST UNIT READY");
		ready = task->status == SCSI_STATUS_GOOD;
		scsi_free_scsi_task(task);
	}
	if (!ready)
		die(iscsi, "TEST UNIT READY");
}

/* Whether it is a disk; adds its bytes. */
static int probe(struct iscsi_context *iscsi, int lun, uint64_t *bytes)
{
	struct scsi_readcapacity16 *capacity;
	struct scsi_inquiry_standard *inquiry;
	struct scsi_task *task;
	int disk;

	wait_ready(iscsi, lun);
	task = done(iscsi, iscsi_inquiry_sync(iscsi, lun, 0, 0, 255), "INQUIRY");
	inquiry = scsi_datain_unmarshall(task);
	if (!inquiry)
		die(iscsi, "INQUIRY");
	disk = inquiry->device_type == SCSI_INQUIRY_PERIPHERAL_DEVICE_TYPE_DIRECT_ACCESS;
	scsi_free_scsi_task(task);
	if (!disk)
		return 0;
	task = done(iscsi, iscsi_readcapacity16_sync(iscsi, lun), "READ CAPACITY");
	capacity = scsi_datain_unmarshall(task);
	if (!capacity)
		die(iscsi, "READ CAPACITY");
	*bytes += (capacity->returned_lba + 1) * capacity->block_length;
	scsi_free_scsi_task(task);
	return 1;
}

int main(int argc, char **argv)
{
	struct iscsi_context *iscsi;
	struct scsi_reportluns_list *list;
	struct scsi_task *task;
	uint64_t bytes = 0;
	int disks = 0;

	if (argc != 4) {
		fputs("usage: iscsi_probe PORTAL TARGET INITIATOR\n", stderr);
		return 2;
	}
	iscsi = iscsi_create_context(argv[3]);
	if (!iscsi)
		return 1;
	iscsi_set_targetname(iscsi, argv[2]);
	iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
	if (iscsi_full_connect_sync(iscsi, argv[1], -1) < 0)
		die(iscsi, "login");
	task = done(iscsi, iscsi_reportluns_sync(iscsi, 0, 65536), "REPORT LUNS");
	list = scsi_datain_unmarshall(task);
	if (!list)
		die(iscsi, "REPORT LUNS");
	for (uint32_t i = 0; i < list->num; i++)
		disks += probe(iscsi, list->luns[i], &bytes);
	scsi_free_scsi_task(task);
	iscsi_logout_sync(iscsi);
	iscsi_destroy_context(iscsi);
	printf("%d %" PRIu64 "\n", disks, bytes);
	return 0;
}
