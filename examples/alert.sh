#!/bin/sh
# Says what an exit code of amoot-etl means, and how urgent it is.
#
#   alert.sh NAME CODE     from cron
#   alert.sh UNIT          from systemd, which is asked for the code
#
# Put your own way of telling somebody into tell().
set -eu

name=$1
code=${2:-$(systemctl show --property=ExecMainStatus --value "$name")}

tell() {
    # $1 is now, today or whenever; $2 the text. For example: mail -s "$name" ops@example.com
    logger --tag amoot-etl --priority user.err -- "$1: $2" 2>/dev/null || true
    printf '%s: %s\n' "$1" "$2"
}

case $code in
    0 | 130 | 143) ;;
    1) tell whenever "$name: a bug; send us the log file that its message names" ;;
    2) tell today "$name: its call or its settings need changing" ;;
    3) tell now "$name: the portal refuses the token; renew it, or allow this address and method" ;;
    4) tell whenever "$name: the portal keeps failing; the next run tries again" ;;
    5) tell today "$name: the portal answers what it does not document; run amoot-etl doctor" ;;
    6) tell now "$name: the published set is damaged; run amoot-etl verify" ;;
    7) tell today "$name: the output cannot be written, or another run holds it" ;;
    8) tell now "$name: far fewer contacts than before; look before you --accept-shrink" ;;
    *) tell today "$name: ended with $code" ;;
esac
