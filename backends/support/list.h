/* A doubly linked list whose links are members of what it lists. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(head) { &(head), &(head) }

#define container_of(ptr, type, member)                                                  \
	((type *)((char *)(ptr)-offsetof(type, member)))

/* Each entry in turn; the entry itself may be removed by the body. */
#define list_for_each(pos, head)                                                         \
	for (struct list *pos = (head)->next, *next_##pos = pos->next; pos != (head);    \
	     pos = next_##pos, next_##pos = pos->next)

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_append(struct list *head, struct list *entry)
{
	entry->prev = head->prev;
	entry->next = head;
	head->prev->next = entry;
	head->prev = entry;
}

/* Removing an entry twice is harmless. */
static inline void list_remove(struct list *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	list_init(entry);
}

/* Takes the first entry off; NULL: the list is empty. */
static inline struct list *list_shift(struct list *head)
{
	struct list *first = head->next;

	if (first == head)
		return NULL;
	list_remove(first);
	return first;
}
