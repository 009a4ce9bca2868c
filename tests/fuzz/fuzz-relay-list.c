/* SPDX-License-Identifier: Apache-2.0 */
/* Any file as a list of relays: what is taken is read the same from how it is written. */
#include "fuzz.h"

#include "relay/list-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct list_file *file = malloc(sizeof(*file));
    char *text = malloc(size ? size : 1), said[LIST_FILE_TEXT], written[RELAY_ENTRY_MAX];
    struct relay_entry again;

    MUST(file && text);
    memcpy(text, data, size);
    list_file_parse(text, size, size % 2 ? RELAY_PILOT : RELAY_REG_ACK, file);
    free(text);
    list_file_say(file, said);
    MUST(strlen(said) < LIST_FILE_TEXT - 1);
    MUST(!*said == (!file->n_bad && !file->n_left_out));
    MUST(file->list.count <= RELAY_LIST_MAX);
    MUST(!file->n_left_out || file->list.count == RELAY_LIST_MAX);
    for (size_t i = 0; i < file->list.count; i++) {
        const struct relay_entry *entry = &file->list.entries[i];

        MUST(relay_list_find(&file->list, entry->name) == entry);
        MUST(relay_entry_format(entry, written) < sizeof(written));
        MUST(!relay_entry_parse(written, strlen(written), &again) && again.speaks_given);
        MUST(!strcmp(again.name, entry->name) && again.speaks == entry->speaks);
        MUST(!memcmp(&again.address, &entry->address, sizeof(again.address)));
    }
    free(file);
    return 0;
}
