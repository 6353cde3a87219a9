/*
 * Backing ids of passthrough: one per inode, shared by its passthrough opens. The kernel demands
 * that all of them use the same file, so a name whose file was replaced meanwhile is refused.
 */
#pragma once

#include <stdbool.h>

struct inode;

/* Takes the use of the inode's id for a descriptor; 0: no passthrough for this open. */
int backing_acquire(struct inode *i, int fd);
void backing_release(struct inode *i);
