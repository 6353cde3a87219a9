/*
 * Inodes: what the kernel's node ids stand for. An id is a counter that is never used
 * again.
 *
 * The kernel counts its lookups, we count requests and open files (refs); an inode lives
 * while either holds. Its address (struct node) is replaced by a rename and stays
 * readable for who got it from inode_get until inode_put. Everything is under the table's
 * lock, which is held for no call that may wait; what is dropped is released outside it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backends/support/list.h"
#include "backends/support/map.h"
#include "nodes/node.h"

struct backing;
struct file;

/* An address, and the ones before it that a running request may still look at. */
struct address {
	struct node node;
	struct address *older;
};

struct inode {
	uint64_t id;
	struct map_link by_id, by_node;
	struct address *address, first;
	struct list files;       /* open ones; file.h */
	struct backing *backing; /* backing.c's, under its lock */
	uint64_t lookups;
	unsigned refs;
	bool named;      /* in the map by node: a lookup of its address finds it */
	bool gone;       /* its name is gone, or another's */
};

#define INODE_ROOT 1

int inode_open_table(void); /* -ENOMEM */
/* Releases all, whatever the kernel counts: at unmount no forgets come. */
void inode_close_table(void);

/* A reference and the present address; NULL: the kernel does not know this id. */
struct inode *inode_get(uint64_t id, const struct node **node);
void inode_ref(struct inode *i);
void inode_put(struct inode *i);

/* Finds or makes the inode of a node and counts one lookup. Consumes *n. 0: no memory. */
uint64_t inode_lookup(struct node *n);
void inode_forget(uint64_t id, uint64_t lookups);

/* The name is gone: a new object under it gets a new inode. */
void inode_detach(const struct node *n);
/* The inode of from, if any, follows to a new address. Consumes *to. */
void inode_move(const struct node *from, struct node *to);
bool inode_is_gone(struct inode *i);
/* The kernel holds its lock, for as long as a request of it waits: who looks the name up
 * from now on gets another inode. */
void inode_renew(struct inode *i);
/* The id of the inode that the kernel has for exactly this node; 0: none. */
uint64_t inode_known(const struct node *n);

/* Open files of an inode. */
void inode_add_file(struct inode *i, struct file *f);
void inode_remove_file(struct inode *i, struct file *f);
/* A reference to one that is an open volume; NULL: none. */
struct file *inode_volume_file(struct inode *i);

/* Adds the names under which the kernel may know something in a directory, each with its
 * NUL. */
int inode_names_in(const struct node *dir, struct buf *names);
