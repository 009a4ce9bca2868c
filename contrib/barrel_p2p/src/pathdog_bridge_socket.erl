%% SPDX-License-Identifier: Apache-2.0
%% The socket's file: it appears by rename, with its mode and group, and never in the place of
%% something that is not a socket or that somebody answers on. No process here.
-module(pathdog_bridge_socket).

-export([open/1, close/2, group_id/2]).
-export_type([opened/0]).

-include_lib("kernel/include/file.hrl").

-type opened() :: {gen_tcp:socket(), {non_neg_integer(), non_neg_integer()}}.

-define(PATH_MAX, 107). % sun_path without its end
-define(TYPE_MASK, 8#170000).
-define(TYPE_SOCKET, 8#140000).
-define(CONNECT_LIMIT, 1000).
-define(GROUP_FILE, "/etc/group").

-spec open(pathdog_bridge_settings:settings()) -> {ok, opened()} | {error, term()}.
open(#{socket := Path} = Settings) ->
    Temporary = temporary(Path),
    case byte_size(native(Temporary)) > ?PATH_MAX of
        true -> {error, {path_too_long, Path}};
        false -> steps(Path, Temporary, Settings)
    end.

steps(Path, Temporary, Settings) ->
    case make_room(Path) of
        ok ->
            case gen_tcp:listen(0, options(Temporary)) of
                {ok, Socket} -> publish(Socket, Path, Temporary, Settings);
                {error, Reason} -> {error, {listen, Path, Reason}}
            end;
        {error, Reason} ->
            {error, Reason}
    end.

options(Temporary) ->
    [{ifaddr, {local, native(Temporary)}}, binary, {packet, raw}, {active, false}, {backlog, 128}].

publish(Socket, Path, Temporary, #{mode := Mode, group := Group}) ->
    Steps = [
        fun() -> set_group(Temporary, Group) end,
        fun() -> tag(mode, file:change_mode(Temporary, Mode)) end,
        %% somebody may have come meanwhile
        fun() -> make_room(Path) end,
        fun() -> tag(rename, file:rename(Temporary, Path)) end
    ],
    case first_error(Steps) of
        ok ->
            {ok, {Socket, identity(Path)}};
        {error, Reason} ->
            gen_tcp:close(Socket),
            _ = file:delete(Temporary),
            {error, Reason}
    end.

first_error([]) ->
    ok;
first_error([Step | Rest]) ->
    case Step() of
        ok -> first_error(Rest);
        Error -> Error
    end.

%% Takes away only what is still ours.
-spec close(opened(), string()) -> ok.
close({Socket, Identity}, Path) ->
    gen_tcp:close(Socket),
    case identity(Path) of
        Identity ->
            _ = file:delete(Path),
            ok;
        _ ->
            ok
    end.

temporary(Path) ->
    Path ++ "." ++ integer_to_list(rand:uniform(36 * 36 * 36 * 36) - 1, 36) ++ "~".

native(Path) ->
    unicode:characters_to_binary(Path, unicode, file:native_name_encoding()).

identity(Path) ->
    case file:read_link_info(Path) of
        {ok, #file_info{major_device = Device, inode = Inode}} -> {Device, Inode};
        {error, _} -> {0, 0}
    end.

%% ---- what is there already ----

make_room(Path) ->
    case file:read_link_info(Path) of
        {error, enoent} ->
            ok;
        {ok, #file_info{mode = Mode}} when Mode band ?TYPE_MASK =:= ?TYPE_SOCKET ->
            stale(Path);
        {ok, _} ->
            {error, {not_a_socket, Path}};
        {error, Reason} ->
            {error, {Reason, Path}}
    end.

stale(Path) ->
    case gen_tcp:connect({local, native(Path)}, 0, [local], ?CONNECT_LIMIT) of
        {ok, Socket} ->
            gen_tcp:close(Socket),
            {error, {in_use, Path}};
        {error, econnrefused} ->
            logger:notice("pathdog_bridge: removed the stale socket ~ts", [Path]),
            tag(delete, file:delete(Path));
        {error, enoent} ->
            ok;
        {error, Reason} ->
            {error, {perhaps_in_use, Path, Reason}}
    end.

%% ---- group ----

set_group(_, undefined) ->
    ok;
set_group(Path, Gid) when is_integer(Gid) ->
    tag({group, Gid}, file:change_group(Path, Gid));
set_group(Path, Name) ->
    case file:read_file(?GROUP_FILE) of
        {ok, Text} ->
            case group_id(Name, Text) of
                {ok, Gid} -> set_group(Path, Gid);
                error -> {error, {unknown_group, Name}}
            end;
        {error, Reason} ->
            {error, {?GROUP_FILE, Reason}}
    end.

%% name:password:gid:members
-spec group_id(binary(), binary()) -> {ok, non_neg_integer()} | error.
group_id(Name, Text) ->
    Found = [
        Gid
     || Line <- binary:split(Text, <<"\n">>, [global]),
        [N, _, Gid | _] <- [binary:split(Line, <<":">>, [global])],
        N =:= Name
    ],
    try
        {ok, binary_to_integer(hd(Found))}
    catch
        error:_ -> error
    end.

tag(_, ok) -> ok;
tag(What, {error, Reason}) -> {error, {What, Reason}}.
