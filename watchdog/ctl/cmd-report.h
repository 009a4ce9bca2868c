/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the command report. */
#ifndef CTL_CMD_REPORT_H
#define CTL_CMD_REPORT_H

#include "ctl.h"
#include "page.h"
#include "report.h"

/* Of the recording that the command line names, for `page` too where it is not NULL. `*ret_report`
 * is NULL where nothing could be read; where not all of it could, the status tells so, and there is
 * one. */
enum ctl_status report_recording(const struct ctl *ctl, const struct history_filter *filter,
                                 struct page *page, json_t **ret_report);

/* Are the options of a page right, and do they go together? */
enum ctl_status report_page_check(const struct ctl *ctl);

/* Writes the page where the command line says. */
enum ctl_status report_page_write(const struct ctl *ctl, struct page *page, const json_t *report);

#endif
