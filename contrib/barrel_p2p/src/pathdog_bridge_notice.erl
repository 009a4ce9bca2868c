%% SPDX-License-Identifier: Apache-2.0
%% Says once in the life of the VM that something of quic, barrel_p2p or the VM is not as it is known here, and
%% what does not work therefore. It must not decide anything.
-module(pathdog_bridge_notice).

-export([unknown/1, once/2]).
-export_type([what/0]).

-type what() :: state | streams | sent | received | controller | dials.

-spec unknown(what()) -> ok.
unknown(What) ->
    once({unknown, What}, [whose(What), $\s, says(What)]).

%% What: any term that names it.
-spec once(term(), unicode:chardata()) -> ok.
once(What, Text) ->
    Key = {?MODULE, What},
    case persistent_term:get(Key, undefined) of
        undefined ->
            persistent_term:put(Key, said),
            logger:notice("pathdog_bridge: ~ts", [Text]);
        said ->
            ok
    end.

whose(dials) -> ["OTP ", erlang:system_info(otp_release)];
whose(_) -> ["quic ", version(quic)].

version(App) ->
    case application:get_key(App, vsn) of
        {ok, Version} -> Version;
        undefined -> "of unknown version"
    end.

says(state) -> "keeps a connection's state in a way that is not known: nothing is read from it";
says(streams) -> "keeps streams in a way that is not known: whether one stands still is not checked";
says(sent) -> "keeps what was sent in a way that is not known: what is unacknowledged is not reported";
says(received) -> "keeps what came in in a way that is not known: when the last packet came is not reported";
says(controller) -> "keeps a controller's state in a way that is not known: its peer can be neither looked at nor migrated";
says(dials) -> "keeps dials that are under way in a way that is not known: those that hang are not ended".
