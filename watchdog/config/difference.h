/* SPDX-License-Identifier: Apache-2.0 */
/* What a reload changed, in words. Pure. */
#ifndef CONFIG_DIFFERENCE_H
#define CONFIG_DIFFERENCE_H

/* Compares two texts as config_text writes them (CONFIG_PLAIN): "[watchdog] mode:
 * active → observe; new: [trigger:route]", or "nothing has changed". Long lists
 * are cut, and say how much is left out. The caller frees it. */
char *config_difference(const char *before, const char *now);

#endif
