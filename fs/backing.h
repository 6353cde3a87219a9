/*
 * Backing ids of passthrough: one per inode, shared by its opens. While there is one, the
 * kernel demands it of every open of the inode, with the same file behind it.
 */
#pragma once

#include <stdbool.h>

struct inode;

/* Takes a use of the inode's id for a descriptor; 0: no passthrough. -ESTALE: the inode
 * is open with another file that had the name before; a new lookup gives a new inode. */
int backing_acquire(struct inode *i, int fd);
void backing_release(struct inode *i);
