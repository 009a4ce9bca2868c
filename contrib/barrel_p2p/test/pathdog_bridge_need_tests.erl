%% SPDX-License-Identifier: Apache-2.0
%% Is the address of a connection gone with its interface? What is asked of connections is in moves_SUITE.
-module(pathdog_bridge_need_tests).
-include_lib("eunit/include/eunit.hrl").

interface(Name, Flags, Addresses) -> {Name, [{flags, Flags} | [{addr, Ip} || Ip <- Addresses]]}.

gone_test_() ->
    Here = {10, 0, 1, 2},
    Up = [up, broadcast, running],
    Gone = fun(Ip, Interfaces) -> pathdog_bridge_need:is_gone(#{local => {Ip, 9100}}, Interfaces) end,
    Lo = interface("lo", [up, loopback, running], [{127, 0, 0, 1}]),
    [
        {"it is there", ?_assertNot(Gone(Here, [Lo, interface("up0", Up, [{10, 0, 1, 9}, Here])]))},
        {"on another interface", ?_assertNot(Gone(Here, [interface("up0", [broadcast], [Here]), interface("up1", Up, [Here])]))},
        {"its interface is down", ?_assert(Gone(Here, [Lo, interface("up0", [broadcast], [Here])]))},
        {"no carrier", ?_assert(Gone(Here, [Lo, interface("up0", [up, broadcast], [Here])]))},
        {"nowhere", ?_assert(Gone(Here, [Lo]))},
        {"IPv6", ?_assert(Gone({16#2001, 16#db8, 0, 0, 0, 0, 0, 1}, [Lo]))},
        {"bound to none", ?_assertNot(Gone({0, 0, 0, 0}, [Lo]))},
        {"not known", ?_assertNot(pathdog_bridge_need:is_gone(#{local => undefined}, [Lo]))},
        {"the interfaces are not known", ?_assertNot(Gone(Here, []))}
    ].
