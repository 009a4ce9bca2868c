/* SPDX-License-Identifier: Apache-2.0 */
#include "nfnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink-socket.h"
#include "util/util.h"

/* The kernel takes a whole batch at once, and answers each conntrack request with a buffer of its
 * own, of which so many at a time fit the socket's. */
#define SOCKET_BYTES   (64 << 20)
#define ENTRIES_ATONCE 128u
#define READ_BYTES     65536u

struct nfnl {
    int fd, news_fd;
    uint32_t sequence;
    struct nft_ctx *nft;
    size_t news_size, news_offset; /* a datagram that was read, and how far */
    _Alignas(NLMSG_ALIGNTO) uint8_t news[READ_BYTES];
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[READ_BYTES];
};

/* ---- begin and end ---- */

static struct nlmsghdr *request_begin(struct nfnl *nfnl, void *buffer, uint16_t type,
                                      uint16_t flags, uint8_t family)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

    message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
    message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    message->nlmsg_seq = nfnl_sequence(nfnl);
    head->nfgen_family = family;
    return message;
}

/* Is there nf_tables in this kernel, and may we? */
static int probe(struct nfnl *nfnl)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[64];

    return netlink_ask(nfnl->fd, request_begin(nfnl, buffer, NFT_MSG_GETGEN, NLM_F_ACK, AF_UNSPEC),
                       NULL, NULL);
}

int nfnl_new(struct nfnl **ret, char *ret_error, size_t error_size)
{
    struct nfnl *nfnl = memory_new(1, sizeof(*nfnl));
    int r;

    nfnl->fd = nfnl->news_fd = -1;
    nfnl->sequence = 1;
    r = nfnl->fd = netlink_open(NETLINK_NETFILTER, 0, SOCKET_BYTES);
    if (r >= 0)
        r = probe(nfnl);
    if (r >= 0)
        r = nfnl->news_fd = netlink_open(NETLINK_NETFILTER, 0, SOCKET_BYTES);
    if (r >= 0)
        r = netlink_join(nfnl->news_fd, NFNLGRP_NFTABLES);
    if (r < 0) {
        if (r == -EPERM)
            snprintf(ret_error, error_size, "nftables: not permitted, CAP_NET_ADMIN is needed");
        else if (r == -EPROTONOSUPPORT || r == -EINVAL || r == -EOPNOTSUPP || r == -ENOENT)
            snprintf(ret_error, error_size,
                     "nftables: this kernel has no nf_tables (%s); load the module nf_tables",
                     strerror(-r));
        else
            snprintf(ret_error, error_size, "nftables: %s", strerror(-r));
        nfnl_free(nfnl);
        return r;
    }
    nfnl->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!nfnl->nft || nft_ctx_buffer_error(nfnl->nft) || nft_ctx_buffer_output(nfnl->nft)) {
        snprintf(ret_error, error_size, "nftables: libnftables: %s", strerror(ENOMEM));
        nfnl_free(nfnl);
        return -ENOMEM;
    }
    *ret = nfnl;
    return 0;
}

struct nfnl *nfnl_free(struct nfnl *nfnl)
{
    if (!nfnl)
        return NULL;
    if (nfnl->nft)
        nft_ctx_free(nfnl->nft);
    if (nfnl->fd >= 0)
        close(nfnl->fd);
    if (nfnl->news_fd >= 0)
        close(nfnl->news_fd);
    free(nfnl);
    return NULL;
}

int nfnl_run(struct nfnl *nfnl, const char *text, char *ret_error, size_t error_size)
{
    const char *error;

    if (!nft_run_cmd_from_buffer(nfnl->nft, text)) {
        nft_ctx_get_error_buffer(nfnl->nft); /* empties it */
        return 0;
    }
    error = nft_ctx_get_error_buffer(nfnl->nft);
    snprintf(ret_error, error_size, "nftables: %.*s", (int)strcspn(error, "\n"), error);
    return -EIO;
}

/* ---- requests ---- */

uint32_t nfnl_sequence(struct nfnl *nfnl)
{
    return ++nfnl->sequence ? nfnl->sequence : ++nfnl->sequence;
}

int nfnl_batch(struct nfnl *nfnl, const struct element_batch *batch)
{
    uint32_t last = batch->n_messages - 2; /* the end is not answered */
    int r, result = 0;

    if (!batch->n_elements)
        return 0;
    nfnl->sequence = batch->sequence + batch->n_messages;
    r = netlink_send(nfnl->fd, batch->data, batch->size);
    /* Errors come in the order of the messages; one of the whole batch has the number of its
     * begin. After a failure there is no transaction, and the last may not be answered. */
    while (r >= 0) {
        ssize_t size = netlink_receive(nfnl->fd, nfnl->buffer, sizeof(nfnl->buffer),
                                       result ? 0 : NETLINK_PATIENCE_MS);
        int left = (int)size;

        if (size < 0)
            return result ? result : (int)size;
        for (struct nlmsghdr *message = (void *)nfnl->buffer; netlink_is_whole(message, left);
             message = mnl_nlmsg_next(message, &left)) {
            uint32_t number = message->nlmsg_seq - batch->sequence;
            int error;

            if (number >= batch->n_messages || !netlink_error(message, &error))
                continue;
            if (error && !result)
                result = error;
            if (number == last && !error && !result)
                return 0;
        }
    }
    return r;
}

struct list_reader {
    uint8_t family;
    void (*each)(void *user, const struct flow_tuple *key, const char *chain);
    void *user;
};

static void list_message(void *user, const struct nlmsghdr *message)
{
    struct list_reader *reader = user;

    elements_read(message, reader->family, reader->each, reader->user);
}

int nfnl_list(struct nfnl *nfnl, const char *table, uint8_t family,
              void (*each)(void *user, const struct flow_tuple *key, const char *chain), void *user)
{
    struct list_reader reader = {family, each, user};
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[512];
    struct nlmsghdr *message =
        request_begin(nfnl, buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFPROTO_INET);

    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, element_set_name(SET_FLOWS, family));
    return netlink_ask(nfnl->fd, message, list_message, &reader);
}

int nfnl_has_table(struct nfnl *nfnl, const char *table)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[512];
    struct nlmsghdr *message =
        request_begin(nfnl, buffer, NFT_MSG_GETTABLE, NLM_F_ACK, NFPROTO_INET);
    int r;

    mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
    r = netlink_ask(nfnl->fd, message, NULL, NULL);
    return r >= 0 ? 1 : r == -ENOENT ? 0 : r;
}

struct map_reader {
    uint8_t family;
    bool ours;
};

static void map_message(void *user, const struct nlmsghdr *message)
{
    struct map_reader *reader = user;

    reader->ours = reader->ours || map_is_ours(message, reader->family);
}

int nfnl_has_map(struct nfnl *nfnl, const char *table, uint8_t family)
{
    struct map_reader reader = {family, false};
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[512];
    struct nlmsghdr *message = request_begin(nfnl, buffer, NFT_MSG_GETSET, NLM_F_ACK, NFPROTO_INET);
    int r;

    mnl_attr_put_strz(message, NFTA_SET_TABLE, table);
    mnl_attr_put_strz(message, NFTA_SET_NAME, element_set_name(SET_FLOWS, family));
    r = netlink_ask(nfnl->fd, message, map_message, &reader);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return reader.ours ? 1 : -EEXIST;
}

enum wanted { WANTED_GET, WANTED_MARK, WANTED_DELETE };

/* Sends a portion of requests, and reads the answers to all of them. */
static int portion(struct nfnl *nfnl, struct entry *entries, size_t count, enum wanted wanted,
                   uint32_t bits)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t requests[ENTRIES_ATONCE * ENTRY_REQUEST_MAX];
    uint32_t first = nfnl->sequence + 1;
    size_t size = 0, n_answers = 0;
    int r;

    if (!count)
        return 0;
    if (first + count < first)
        first = 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t sequence = first + (uint32_t)i;
        struct nlmsghdr *message =
            wanted == WANTED_GET ? entry_get_request(&entries[i], sequence, requests + size)
            : wanted == WANTED_MARK
                ? entry_mark_request(&entries[i], bits, sequence, requests + size)
                : entry_delete_request(&entries[i], sequence, requests + size);

        size += MNL_ALIGN(message->nlmsg_len);
    }
    nfnl->sequence = first + (uint32_t)count;
    r = netlink_send(nfnl->fd, requests, size);
    while (r >= 0 && n_answers < count) {
        ssize_t read =
            netlink_receive(nfnl->fd, nfnl->buffer, sizeof(nfnl->buffer), NETLINK_PATIENCE_MS);
        int left = (int)read, error;

        if (read < 0)
            return (int)read;
        for (struct nlmsghdr *message = (void *)nfnl->buffer; netlink_is_whole(message, left);
             message = mnl_nlmsg_next(message, &left)) {
            uint32_t number = message->nlmsg_seq - first;

            if (number >= count)
                continue;
            n_answers++;
            if (!netlink_error(message, &error))
                entry_read(message, &entries[number]);
            else if (error == -EPERM)
                return error;
        }
    }
    return r < 0 ? r : 0;
}

int nfnl_entries_get(struct nfnl *nfnl, struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i += ENTRIES_ATONCE) {
        size_t n = count - i < ENTRIES_ATONCE ? count - i : ENTRIES_ATONCE;
        int r = portion(nfnl, entries + i, n, WANTED_GET, 0);

        if (r < 0)
            return r;
    }
    return 0;
}

/* Of those that were found. */
static int found_do(struct nfnl *nfnl, const struct entry *entries, size_t count,
                    enum wanted wanted, uint32_t bits)
{
    struct entry found[ENTRIES_ATONCE];
    size_t n = 0;
    int r = 0;

    for (size_t i = 0; i < count && r >= 0; i++) {
        if (entries[i].found)
            found[n++] = entries[i];
        if (n == ENTRIES_ATONCE || (n && i + 1 == count)) {
            r = portion(nfnl, found, n, wanted, bits);
            n = 0;
        }
    }
    return r;
}

int nfnl_entries_mark(struct nfnl *nfnl, const struct entry *entries, size_t count, uint32_t bits)
{
    return found_do(nfnl, entries, count, WANTED_MARK, bits);
}

int nfnl_entries_delete(struct nfnl *nfnl, const struct entry *entries, size_t count)
{
    return found_do(nfnl, entries, count, WANTED_DELETE, 0);
}

/* ---- news ---- */

int nfnl_news_fd(const struct nfnl *nfnl)
{
    return nfnl->news_fd;
}

int nfnl_news_next(struct nfnl *nfnl, const char *table, enum ruleset_news *ret,
                   char ret_program[static 16], uint32_t *ret_pid)
{
    for (;;) {
        struct nlmsghdr *message = (void *)(nfnl->news + nfnl->news_offset);
        int left = (int)(nfnl->news_size - nfnl->news_offset);
        ssize_t size;

        if (left > 0 && netlink_is_whole(message, left)) {
            nfnl->news_offset += MNL_ALIGN(message->nlmsg_len);
            *ret = ruleset_decode(message, table, ret_program, ret_pid);
            return 1;
        }
        nfnl->news_size = nfnl->news_offset = 0;
        size = netlink_receive(nfnl->news_fd, nfnl->news, sizeof(nfnl->news), 0);
        if (size < 0)
            return size == -ETIMEDOUT ? 0 : (int)size;
        nfnl->news_size = (size_t)size;
    }
}
