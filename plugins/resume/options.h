/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the resume trigger's options, all of which are its policy's. */
#ifndef RESUME_OPTIONS_H
#define RESUME_OPTIONS_H

enum resume_option {
    RESUME_OPTION_MIN_SLEEP,
};

#endif
