%% SPDX-License-Identifier: Apache-2.0
%% Stand-in for hlc of barrel_p2p, as far as docs_test.py's release needs it.
-module(hlc).

-export([new/0]).

new() -> erlang:monotonic_time().
