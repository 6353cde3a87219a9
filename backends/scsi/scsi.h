/*
 * Pool type "scsi": the block devices behind one SCSI host adapter, as the files of this
 * folder share it.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "backends/backend.h"
#include "backends/common/uevent.h"

#define HOST_NONE (-1)

struct scsi_pool {
	struct host host;
	char *target;
	struct pool_adapter adapter; /* a copy */
	char *mark;	   /* what our virtual port is called, "storagefs UUID" */
	atomic_int number; /* of the host adapter; HOST_NONE while it is gone */
	bool made_port;	   /* start made its virtual port */
	struct uevent_watch *watch;
};

/* -- scsi_adapter.c: which host adapter a definition means -- */

/* Its number. -ENODEV: there is none, and what there is instead. */
int adapter_find(const struct pool_adapter *a, struct error *err);
/* Calls back with each SCSI host's number, in order. A negative return ends it. */
int adapter_each(int (*each)(void *arg, unsigned number), void *arg);
/* The PCI device that it is on, and the number there. */
struct pci_address {
	unsigned domain, bus, slot, function, unique_id;
};
bool adapter_address(unsigned number, struct pci_address *out);

/* -- scsi_port.c: Fibre Channel hosts and their virtual ports -- */

/* The host of these names (16 hex digits); HOST_NONE. */
int port_find(const char *wwnn, const char *wwpn);
/* "0x2000…" in /sys as 16 digits: attribute is "node_name" and the like. */
bool port_name(unsigned number, const char *attribute, char out[17]);
/* The host that a virtual port is of; HOST_NONE: it is no virtual port. */
int port_parent(unsigned number);
/* The host of an fc_host adapter: finds it, or makes its virtual port (*made). */
int port_start(const struct pool_adapter *a, const char *mark, bool *made,
	       struct call *call, struct error *err);
/* Whether stop removes it. */
bool port_is_ours(const struct scsi_pool *p, unsigned number);
int port_remove(unsigned number, struct call *call, struct error *err);

/* -- scsi_unit.c: units of a host by name -- */

struct unit {
	unsigned bus, target;
	uint64_t lun;
};
#define UNIT_NAME 64 /* "unit:0:0:1" and its NUL */

bool unit_parse(const char *name, struct unit *out);
void unit_name(const struct unit *u, char out[UNIT_NAME]);
/* "2:0:0:1" of this host, wherever in a path of /sys. */
bool unit_in_path(const char *path, unsigned number, struct unit *out);
/* The number of its block device. -ENOENT: there is no such unit. */
int unit_device(struct scsi_pool *p, const char *name, dev_t *device, struct error *err);
/* Each unit that has a block device. -EIO: the adapter is gone. */
int unit_each(struct scsi_pool *p,
	      int (*each)(void *arg, const struct unit *, dev_t device), void *arg,
	      struct error *err);
/* Has the adapter look for units, and waits until those found have their block devices.
 * again: also has each told its size. */
int unit_scan(struct scsi_pool *p, bool again, struct call *call, struct error *err);

/* -- scsi_volume.c -- */

int scsi_list(void *pool, vol_each, void *arg, struct call *, struct error *);
int scsi_pool_stat(void *pool, struct pool_stat *, struct call *, struct error *);
int scsi_vol_stat(void *pool, const char *name, struct vol_stat *, struct call *,
		  struct error *);
int scsi_vol_describe(void *pool, const char *name, struct volume_spec *, struct call *,
		      struct error *);
int scsi_vol_open(void *pool, const char *name, const char *snap, int flags,
		  struct vol_file *, struct call *, struct error *);
void scsi_vol_close(void *pool, struct vol_file *);
int scsi_vol_fstat(void *pool, const struct vol_file *, struct vol_stat *, struct call *,
		   struct error *);
int scsi_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *,
		  struct error *);

/* -- scsi_event.c: adapters and units that come and go -- */

int scsi_watch(struct scsi_pool *p, struct error *err);

/* -- scsi_discover.c -- */

int scsi_discover(const struct pool_source *from, const struct host *, source_each,
		  void *arg, struct call *, struct error *);
