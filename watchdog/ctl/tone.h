/* SPDX-License-Identifier: Apache-2.0 */
/* How a verdict, an outcome or an effect is coloured. Pure. */
#ifndef CTL_TONE_H
#define CTL_TONE_H

enum tone {
    TONE_NEUTRAL,
    TONE_GOOD,    /* done, or well */
    TONE_REFUSED, /* was not done */
    TONE_BAD,     /* failed */
};

enum tone tone_of(const char *word);

#endif
