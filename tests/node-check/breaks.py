# SPDX-License-Identifier: Apache-2.0
"""Ways to break one promise of a node at a time; those about its socket are in breaks_socket.py.

They know nothing of how pathdog-node-check looks; each changes a Node of conforming.py before it starts.
"""

import json
import os
import socket
import threading


def twist(function):
    """`function(link, message)` sees every message that the node sends."""
    def how(node):
        node.twist = function
    return how


def of(kind, function):
    """The same for notifications of one method, or for answers ("answer")."""
    def look(link, message):
        is_it = "id" in message if kind == "answer" else message.get("method") == kind
        return function(message) if is_it else message
    return twist(look)


def answers_to(method, function):
    """The same for the answers to one method: function(message, link)."""
    def look(link, message):
        if "id" in message and any(r.id == message["id"] and r.method == method
                                   for r in link.requests[-3:]):
            return function(message, link)
        return message
    return twist(look)


def params(kind, **changes):
    """Other params of one kind of notification; ... stands for: left out."""
    def change(message):
        new = {**message["params"], **changes}
        return {**message, "params": {k: v for k, v in new.items() if v is not ...}}
    return of(kind, change)


def hello(**changes):
    def how(node):
        node.hello.update(changes)
    return how


def on(method, handler):
    """`handler(node, request)` instead of what the node does."""
    def how(node):
        before = node.handlers.get(method) or getattr(node, f"do_{method}", None)
        node.on(method, lambda request: handler(node, request, before))
    return how


def line_first(bytes_):
    """A line of these bytes before every answer to summary."""
    return answers_to("summary", lambda message, link: [bytes_, message])


def columns(*names):
    def how(node):
        node.columns = list(names)
    return how


def row(change):
    def look(message):
        rows = [change(list(r)) for r in message["params"]["rows"]]
        return {**message, "params": {**message["params"], "rows": rows}}
    return of("summaries", look)


def cell(value, column="srtt_us"):
    """A value in the column of every row."""
    def look(message):
        told = message["params"]["columns"]
        rows = [[value if c == column else v for c, v in zip(told, r)]
                for r in message["params"]["rows"]]
        return {**message, "params": {**message["params"], "rows": rows}}
    return of("summaries", look)


def extra_row(conn):
    def look(message):
        rows = message["params"]["rows"]
        return {**message, "params": {**message["params"], "rows": rows + [
            [conn if c == "conn" else 1 for c in message["params"]["columns"]]]}}
    return of("summaries", look)


def dies_of(predicate):
    """A node that does not survive such a line: nobody is served any more."""
    def how(node):
        before, node.dead = node._line, False

        def line(link, data):
            if predicate(data):
                node.dead = True
            if node.dead:
                link.close()
            else:
                before(link, data)
        node._line = line
    return how


def not_json(data):
    try:
        return data and not isinstance(json.loads(data), dict)
    except ValueError:
        return True


def bound_directly(node):
    def start():
        node.listener = socket.socket(socket.AF_UNIX)
        node.listener.bind(node.path)
        os.chmod(node.path, 0o660)
        node.listener.listen(16)
        threading.Thread(target=node._accept, args=(node.listener,), daemon=True).start()
        return node
    node.start = start


def after_start(function):
    def how(node):
        before = node.start

        def start():
            before()
            function(node)
            return node
        node.start = start
    return how


def boot_changes(node):
    node.boots = 0

    def handler(request):
        node.boots += 1
        node.hello["boot"] = f"boot-{node.boots}"
        node.do_hello(request)
    node.on("hello", handler)


def new_conns(node):
    """Every subscription renumbers the peers."""
    def handler(request):
        for peer in list(node.peers.values()):
            del node.peers[peer.conn]
            peer.conn += 1000
            peer.columns["conn"] = peer.conn
            node.peers[peer.conn] = peer
        node.do_subscribe(request)
    node.on("subscribe", handler)


def snapshot_late(node):
    """The answer first, then the peers."""
    def handler(request):
        request.answer({"peers": len(node.peers)})
        for peer in list(node.peers.values()):
            node.tell_up(peer, request.link)
    node.on("subscribe", handler)


def probe_path_moves(node, request, before):
    if request.conn in node.peers:
        request.link.notify("peer_path", conn=request.conn, local="198.51.100.7:4")
    before(request)


def of_peers(answer):
    """It answers this, whatever path is named."""
    def handler(node, request, before):
        if request.conn in node.peers:
            answer(node, request)
        else:
            before(request)
    return handler


def dials_from_elsewhere(node, request):
    request.answer({"conn": node.replace(request.conn, request.link, local="198.51.100.9:4").conn})


def summary_late(node, request, before):
    rows = [peer.row(node.columns) for peer in node.peers.values()]
    request.answer({"rows": len(rows)})
    request.link.notify("summaries", columns=node.columns, rows=rows)


def summary_of_all(node, request, before):
    rows = [peer.row(node.columns) for peer in node.peers.values()]
    request.link.notify("summaries", columns=node.columns, rows=rows)
    request.answer({"rows": len(rows)})


def refuses_unknown(node, request, before):
    conns = (request.params or {}).get("conns") or ()
    if any(conn not in node.peers for conn in conns):
        request.error(-32001)
    else:
        before(request)


def needs_known_params(node, request, before):
    if set(request.params or ()) - {"conns"}:
        request.error(-32602)
    else:
        before(request)


def no_null(node, request, before):
    if request.params and None in request.params.values():
        request.error(-32602)
    else:
        before(request)


def down_and_up_again(node, request, before):
    before(request)
    request.link.notify("peer_down", conn=17, reason="lied")
    request.link.notify("peer_up", **node.peers[17].up())


def smaller_conn(node, request, before):
    before(request)
    node.told_small = getattr(node, "told_small", 17) - 1
    request.link.notify("peer_up", peer=f"new-{node.told_small}", conn=node.told_small)


def asks_often(node, request, before):
    before(request)
    request.link.send({"jsonrpc": "2.0", "id": 1, "method": "time", "params": {}})


def answers_everything(node):
    before = node.serve

    def serve(request):
        if "id" not in request.message:
            request.error(-32601)
        else:
            before(request)
    node.serve = serve


def at_once(node, request, before):
    if node.is_move_of(request, node.peers):
        node.moved_set = True
        request.answer({"validated": True})


def both_moves(node, request, before):
    if node.is_move_of(request, node.peers):
        node.wait_moved_both = getattr(node, "wait_moved_both", []) + [request]
        if len(node.wait_moved_both) == 2:
            for one in reversed(node.wait_moved_both):
                one.answer({"local": "198.51.100.1:40000", "validated": True})


def blocks(node, request, before):
    if node.is_move_of(request, node.peers):
        threading.Event().wait(0.4)  # the fault itself: the node stands still
        node.peers[request.conn].set(rtt_samples=0)
        request.answer({"local": "198.51.100.1:40000", "validated": True})


def keeps_samples(node, request, before):
    if node.is_move_of(request, node.peers):
        request.answer({"local": "198.51.100.1:40000", "validated": True})


def reconnect_order(node, request, before):
    if not node.is_move_of(request, node.peers):
        return
    request.answer({"conn": node.next_conn + 1})
    node.replace(request.conn, request.link)


def reconnect_other(node, request, before):
    if node.is_move_of(request, node.peers):
        node.replace(request.conn, request.link)
        request.answer({"conn": 18})


def closes_first(node, request, before):
    if not request.params.get("keep_old"):
        before(request)
        return
    with node.cv:
        node.peers.pop(request.conn)
    request.link.notify("peer_down", conn=request.conn, reason="reconnect")
    request.error(-32009, "dial_failed")


def makes_no_room(node, request, before):
    move = node.taken_back(request)
    if move:
        move.error(-32012, "cancelled")


def counters_back(node, request, before):
    for peer in node.peers.values():
        peer.set(bytes_sent=peer.columns["bytes_sent"] - 1)
    before(request)


def counts_back(**columns):
    """Each row has less of it than the one before."""
    def handler(node, request, before):
        for peer in node.peers.values():
            peer.set(**{name: peer.columns[name] - step for name, step in columns.items()})
        before(request)
    return on("summary", handler)


def pushes_every_packet(node, request, before):
    for _ in range(2000):
        request.link.notify("summaries", columns=node.columns, rows=[node.peers[17].row(node.columns)])
    before(request)


def changing_columns(node, request, before):
    node.columns = node.columns[::-1]
    before(request)


def only_known(node, request, before):
    before(request)
    request.link.notify("peer_path", conn=4711, local="192.0.2.1:1")


def other_name(node, request, before):
    before(request)
    request.link.notify("peer_up", peer="somebody-else", conn=17)


def ignore(node, request, before):
    pass


def no_answer_to_unknown(node):
    node.on("x-node-check", lambda request: None)
