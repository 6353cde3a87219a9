/*
 * Volumes that are block devices: what logical, disk, scsi, mpath and iscsi pools share.
 * An open one is a descriptor that the host reads and writes (vol_file.fd).
 *
 * A path is the device's own ("/dev/sda", "/dev/vg/lv") or a link to it. No state is kept
 * here, so each module has its own copy. What only looks reads /sys and /dev and opens no
 * device, so that a stuck one cannot hold it, unless said otherwise.
 */
#pragma once

#include <sys/types.h>

#include "backends/backend.h"

/*
 * Opens a volume. flags: open(2)'s access mode and O_DIRECT. out->vol is the caller's to
 * set. -ENODEV: there is no device at the path. -EROFS: it can only be read. -EBUSY: the
 * kernel has given it to somebody alone. Waits for the device.
 */
int block_open(const char *path, int flags, struct vol_file *out, struct error *err);
void block_close(struct vol_file *f);

/* Size, owner, mode, and who it is (ident); allocated is the size. -ENODEV. */
int block_stat(const char *path, struct vol_stat *out, struct error *err);
int block_fstat(const struct vol_file *f, struct vol_stat *out, struct error *err);

/*
 * Capacity, allocation and physical (its size), path (as given here), permissions and
 * times of a description; key and format are the type's affair (device_look() tells what
 * libblkid finds, and opens the device).
 */
int block_describe(const char *path, struct volume_spec *out, struct error *err);

/* The device's size in bytes, by number. -ENODEV. */
int block_size(dev_t device, uint64_t *size, struct error *err);

/* Adds the size of a pool's device to its capacity and allocation; one that is gone has
 * none. */
void block_add_size(dev_t device, struct pool_stat *out);

/*
 * -EBUSY, naming the mount, swap space, RAID, volume group, or the device that stands on
 * it or on a partition of it. For rm, wipe and shrink. Opens the device for a moment,
 * alone.
 */
int block_check_unused(const char *path, struct error *err);

/*
 * Overwrites all of it, alone: "zero" by the kernel, "trim" discards (the bytes are then
 * whatever the device says), libvirt's others by scrub(1). -EBUSY as above. Tells
 * progress, and ends early when cancelled.
 */
int block_wipe(const char *path, const char *algorithm, struct call *call,
	       struct error *err);

/*
 * Whether nothing of it can hang: virtio, NVMe on PCI, ATA, memory, a loop device over a
 * local file, and what stands on such alone (LVM, RAID, crypt, multipath). Everything
 * else is read and written on the pool's executor.
 */
bool block_is_local(const char *path);

/* -- block_path.c: names -- */

/* The device's own path, "/dev/sda", by number. -ENODEV: it is gone. */
int block_device_path(dev_t device, char **out, struct error *err);

/*
 * The path of a device for a description: the first link to it below directory (by name,
 * as target/path asks: /dev/disk/by-path), or else its own path: where directory is /dev
 * itself, is not below /dev, or has no link to it. The caller frees *out.
 */
int block_stable_path(const char *directory, dev_t device, char **out, struct error *err);

/*
 * The name that a SCSI disk has in the whole world, as scsi_id(8) writes it, which is
 * libvirt's key; by what the kernel has read of it (pages 0x83 and 0x80). NULL in *out:
 * it has none. The caller frees *out.
 */
int block_scsi_name(dev_t device, char **out, struct error *err);

/* Waits until udev has dealt with a new device, so that its links are there; at most
 * some seconds, not past the deadline. Returns at once where no udev runs. */
void block_settle(dev_t device, uint64_t deadline_ns);
