# SPDX-License-Identifier: Apache-2.0
# fish completion for pathdogctl(1). Peers' names are asked of the daemon, at most 200.

# The words before the cursor that are no options and no values of options.
function __pathdogctl_words
    set -l value --socket -s --instance --by --for --sort --peer --peers --uplink --trigger --verdict --since --until --source --unit \
        --directory --file --reason --to --interface --local --via --limit -n
    set -l skip
    for word in (commandline -opc)[2..]
        if set -q skip[1]
            set -e skip
        else if contains -- $word $value
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end

# Is the command one of these? Without a name: is there none yet?
function __pathdogctl_is
    set -l words (__pathdogctl_words)
    if not set -q argv[1]
        not set -q words[1]
    else
        set -q words[1]; and contains -- $words[1] $argv
    end
end

# So many words stand before the one that is being typed, the command counted.
function __pathdogctl_count
    set -l words (__pathdogctl_words)
    test (count $words) -eq $argv[1]
end

# Asks the daemon that the command line names.
function __pathdogctl_ask
    set -l words (commandline -opc)
    set -l socket
    for i in (seq 2 (count $words))
        switch $words[$i]
            case -s --socket
                set -q words[(math $i + 1)]; and set socket --socket $words[(math $i + 1)]
            case --instance
                set -q words[(math $i + 1)]; and set socket --instance $words[(math $i + 1)]
            case '--socket=*' '--instance=*'
                set socket $words[$i]
        end
    end
    pathdogctl $socket $argv 2>/dev/null
end

function __pathdogctl_peers
    __pathdogctl_ask names -n 200 -- (commandline -ct)
end

function __pathdogctl_uplinks
    __pathdogctl_ask --json uplinks | string match -rg '^{"uplink":"([A-Za-z0-9._@-]*)"'
end

function __pathdogctl_relays
    echo direct
    __pathdogctl_ask --json relays | string match -arg '"relay":"([A-Za-z0-9._@-]*)"' | sort -u
end

function __pathdogctl_interfaces
    command ls /sys/class/net 2>/dev/null
end

set -l c complete -c pathdogctl
set -l times 10min 1h 1d today yesterday
set -l look_back 'decisions report'

$c -f
$c -s s -l socket -r -F -d 'the control socket'
$c -l instance -x -d 'the instance of pathdog'
$c -s j -l json -d 'one JSON object in each line'
$c -s h -l help -d 'print help'
$c -n __pathdogctl_is -l version -d 'print the version'

$c -n __pathdogctl_is -a status -d 'the state of node, peers and triggers, and what prevents moves'
$c -n __pathdogctl_is -a peers -d 'the connections'
$c -n __pathdogctl_is -a top -d 'a full screen of node, uplinks, peers, the last decisions'
$c -n __pathdogctl_is -a uplinks -d 'the interfaces over which peers can be reached'
$c -n __pathdogctl_is -a relays -d 'the relays, and the connections that go over one'
$c -n __pathdogctl_is -a decisions -d 'the last decisions of all runs; -f follows'
$c -n __pathdogctl_is -a report -d 'a summary on one screen'
$c -n __pathdogctl_is -a explain -d 'why a peer was or was not moved'
$c -n __pathdogctl_is -a migrate -d 'move a peer now'
$c -n __pathdogctl_is -a hold -d 'no moves of a peer but those that operators ask for'
$c -n __pathdogctl_is -a release -d 'end a hold'
$c -n __pathdogctl_is -a mode -d 'show or set the mode, active or observe'
$c -n __pathdogctl_is -a notify -d 'report a rebound tunnel or socket to the trigger tunnel'
$c -n __pathdogctl_is -a metrics -d 'counters and gauges as a scraper gets them'
$c -n __pathdogctl_is -a reload -d 'read the configuration again'
$c -n __pathdogctl_is -a check -d 'check a configuration file'
$c -n __pathdogctl_is -a help -d 'print the help of all commands, or of one'
$c -n __pathdogctl_is -a version -d 'the version of the running pathdog'

$c -n '__pathdogctl_is explain migrate hold release; and __pathdogctl_count 1' -a '(__pathdogctl_peers)'
$c -n '__pathdogctl_is mode; and __pathdogctl_count 1' -a 'active observe'
$c -n '__pathdogctl_is notify; and __pathdogctl_count 1' -a 'rebind up moved down'
$c -n '__pathdogctl_is notify; and __pathdogctl_count 2' -a '(__pathdogctl_interfaces)'
$c -n '__pathdogctl_is help; and __pathdogctl_count 1' \
    -a 'status peers top uplinks relays decisions report explain migrate hold release mode notify metrics reload check help version'
$c -n '__pathdogctl_is check' -F
$c -n '__pathdogctl_is report; and __pathdogctl_count 1' -F

$c -n '__pathdogctl_is status' -l check -d 'one line, and an exit status'
$c -n '__pathdogctl_is peers' -l sort -x -a 'worst silent rtt name conn age interface local remote table' -d 'by what'
$c -n '__pathdogctl_is top' -l sort -x -a 'worst silent rtt name age' -d 'by what'
$c -n '__pathdogctl_is peers relays decisions' -s n -l limit -x -d 'at most so many'
$c -n '__pathdogctl_is decisions' -s f -l follow -d 'go on with those that come'
$c -n '__pathdogctl_is decisions' -l everything -d 'all kinds of records'
$c -n '__pathdogctl_is decisions' -l peer -x -a '(__pathdogctl_peers)' -d 'a glob of names'
$c -n '__pathdogctl_is decisions' -l trigger -x -d 'of this one only' \
    -a 'route srtt stall tunnel congestion loss send-errors resume lease relay exec operator fallback uplink return shared'
$c -n '__pathdogctl_is decisions' -l verdict -x -d 'with this one only' \
    -a 'gone inbound disabled held no-target in-flight merged cooling backing-off damped awaiting observing probing queued migrate reconnect superseded expired'
$c -n '__pathdogctl_is decisions' -l uplink -x -a '(__pathdogctl_uplinks)' -d 'of this one only'
$c -n "__pathdogctl_is $look_back" -l since -x -a "$times" -d 'not older'
$c -n "__pathdogctl_is $look_back" -l until -x -a "$times" -d 'not newer'
$c -n "__pathdogctl_is $look_back" -l source -x -a 'auto journal daemon' -d 'where from'
$c -n "__pathdogctl_is $look_back" -l unit -x -d 'of this unit'
$c -n "__pathdogctl_is $look_back" -l directory -r -F -d 'journals of another machine'
$c -n "__pathdogctl_is $look_back" -l file -r -F -d 'a journal of another machine'
$c -n '__pathdogctl_is report' -l html -d 'a page, with lines of time'
$c -n '__pathdogctl_is report' -s o -l output -r -F -d 'where the page goes'
$c -n '__pathdogctl_is report' -l config -r -F -d 'what would have been with this configuration'
$c -n '__pathdogctl_is migrate' -l by -x -a 'migrate reconnect' -d 'by what means'
$c -n '__pathdogctl_is migrate' -l to -x -a '(__pathdogctl_uplinks)' -d 'to which uplink'
$c -n '__pathdogctl_is migrate' -l interface -x -a '(__pathdogctl_interfaces)' -d 'where to'
$c -n '__pathdogctl_is migrate' -l local -x -d 'from which address'
$c -n '__pathdogctl_is migrate' -l via -x -a '(__pathdogctl_relays)' -d 'through whom'
$c -n '__pathdogctl_is migrate' -l no-wait -d 'do not wait for the outcome'
$c -n '__pathdogctl_is hold release' -l all -d 'all peers'
$c -n '__pathdogctl_is hold release' -l uplink -x -a '(__pathdogctl_uplinks)' -d 'this uplink'
$c -n '__pathdogctl_is hold' -l for -x -a '1min 10min 1h 1d' -d 'so long'
$c -n '__pathdogctl_is hold' -l absent -d 'even if the peer is not connected'
$c -n '__pathdogctl_is notify' -l peers -x -a '(__pathdogctl_peers)' -d 'globs of names'
$c -n '__pathdogctl_is notify' -l reason -x -d 'a few words'
