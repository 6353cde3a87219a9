/* A volume's <encryption>, in and out. */
#pragma once

#include "backends/model/doc_xml.h"
#include "backends/model/write_xml.h"
#include "backends/support/spec.h"

/* e: the <encryption>; NULL reads nothing. -EINVAL, -ENOMEM. */
int encryption_xml_read(const struct xml_element *e, struct volume_encryption *out,
			struct error *err);
void encryption_xml_write(struct xml_writer *w, const struct volume_encryption *v);
