#!/bin/sh
# What `timeclock flash` has left for the first boot. It needs no network. Settings,
# token and Wi-Fi password leave the boot partition, which anybody can read who takes
# out the card; if something fails they stay, and calling this again finishes it.
set -eu
boot=$(cd "$(dirname "$0")/.." && pwd)
from=$boot/timeclock
log() { echo "timeclock, first boot: $*" | tee -a "$boot/timeclock-first-boot.log"; }
trap '[ $? = 0 ] || log "failed; mend it and call: sudo sh $from/first-boot.sh"' EXIT

install -d /etc/timeclock
install -m 644 "$from/timeclock.toml" /etc/timeclock/timeclock.toml
install -m 600 "$from/token" /etc/timeclock/token
arch=$(dpkg --print-architecture)
package=$(ls "$from"/*_"$arch".deb 2>/dev/null | tail -n 1)
[ -n "$package" ] || { log "there is no package for $arch"; exit 1; }
log "installing $(basename "$package")"
dpkg --force-confold -i "$package"

echo "Installed on $(date -u +%Y-%m-%dT%H:%M:%SZ) by timeclock flash." >"$boot/timeclock-installed.txt"
for secret in "$from/token" "$from/timeclock.toml" "$boot/network-config"; do
	[ ! -e "$secret" ] || dd if=/dev/zero of="$secret" bs=1 count="$(wc -c <"$secret")" conv=notrunc,fsync 2>/dev/null
done
rm -rf "$from" "$boot/network-config"
sync
log "done"
