/*
 * The name that a SCSI unit has in the whole world, from what it says of itself, as
 * scsi_id(8) and so libvirt's keys write it. Every function takes what came, however
 * short or wrong it is, and touches nothing behind its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCSI_NAME 256 /* with its NUL */

/* What a page of INQUIRY holds of its content, whatever its header says; 0: it is not
 * the page. */
size_t scsi_page_length(const uint8_t *data, size_t len, uint8_t page);

/* Printable text without the blanks at its end. to has room for len and a NUL. */
void scsi_text(char *to, const uint8_t *from, size_t len);

/* Page 0x83: the kind's digit, then the best name of the unit itself (NAA, EUI-64, T10,
 * vendor's own), blanks as underscores. False: it has none. */
bool scsi_name(const uint8_t *data, size_t len, const char *vendor, const char *product,
	       char out[SCSI_NAME]);

/* Page 0x80. The serial number without the blanks around it; false: there is none. */
bool scsi_serial(const uint8_t *data, size_t len, char out[SCSI_NAME]);

/* The name of a unit that has a serial number only. */
void scsi_name_by_serial(const char *serial, const char *vendor, const char *product,
			 char out[SCSI_NAME]);
