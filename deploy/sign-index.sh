#!/usr/bin/env bash
# Says, with today's date and a signature, which version of a folder of packages is the
# newest: latest.toml. Clocks report an index that is older than sixty days, so call this
# every month, with a release or without one:
#
#   deploy/sign-index.sh DIR KEY                     signs what DIR/latest.toml says anew
#   deploy/sign-index.sh DIR KEY -version 1.2        offers that version
#   deploy/sign-index.sh DIR KEY -withdraw 1.1       says that nobody shall run that one
#
# KEY is minisign's secret key; minisign asks for its password. latest.txt, which clocks up
# to 0.9 read, is written with -version. Needs minisign.
set -euo pipefail
usage() { sed -n '6,8s/^# *//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
dir=$1 key=$2
shift 2
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$dir/latest.toml" 2>/dev/null || true)
withdrawn=$(sed -n 's/^withdrawn = \[\(.*\)\]$/\1/p' "$dir/latest.toml" 2>/dev/null | tr -d '" ' | tr ',' '\n' || true)
bare=
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || usage
	[[ $2 =~ ^[0-9][0-9A-Za-z.+~-]*$ ]] || { echo "$0: $2 is no version" >&2; exit 2; }
	case $1 in
	-version) version=$2 bare=yes ;;
	-withdraw) withdrawn+=$'\n'$2 ;;
	*) usage ;;
	esac
	shift 2
done
[ -n "$version" ] || { echo "$0: $dir/latest.toml says no version yet: say -version" >&2; exit 1; }
if grep -qFx "$version" <<<"$withdrawn"; then
	echo "$0: version $version is withdrawn: offer another one with -version" >&2
	exit 1
fi
withdrawn=$(sort -u <<<"$withdrawn" | sed '/^$/d; s/.*/"&"/' | paste -sd, | sed 's/,/, /g')
ls "$dir"/timeclock_"$version"_*.deb >/dev/null 2>&1 || { echo "$0: there is no package of version $version in $dir" >&2; exit 1; }
new=$(mktemp -p "$dir" .latest-XXXXXX)
trap 'rm -f "$new" "$new.minisig"' EXIT
printf 'date = %s\nversion = "%s"\nwithdrawn = [%s]\n' "$(date -u +%FT%TZ)" "$version" "$withdrawn" >"$new"
minisign -S -s "$key" -m "$new" -x "$new.minisig" -t "timeclock $version"
chmod 644 "$new" "$new.minisig"
mv "$new.minisig" "$dir/latest.toml.minisig"
mv "$new" "$dir/latest.toml"
[ -z "$bare" ] || echo "$version" >"$dir/latest.txt"
cat "$dir/latest.toml"
