/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as an address: what is read, is read again from how it is written. */
#include "fuzz.h"

#include <errno.h>

#include "util/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), out[ADDRESS_TEXT_MAX];
    struct pd_address address, again;
    int r;

    MUST(text);
    memcpy(text, data, size);
    text[size] = '\0';
    r = address_parse(text, &address);
    free(text);
    MUST(r == 0 || r == -EINVAL);
    MUST(address.family == 0 || address.family == 4 || address.family == 6);
    MUST(r == 0 || address.family == 0);
    address_format(&address, out);
    if (!address.family) {
        MUST(!*out && !address.port);
        return 0;
    }
    MUST(address_parse(out, &again) == 0);
    MUST(address.family == again.family && address.port == again.port);
    MUST(!memcmp(address.bytes, again.bytes, sizeof(address.bytes)));
    MUST(!strcmp(address.scope, again.scope));
    return 0;
}
