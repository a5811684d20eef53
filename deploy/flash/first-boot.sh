#!/bin/sh
# What `timeclock flash` has left for the first boot. It needs no network. Settings,
# token and Wi-Fi password leave the boot partition, which anybody can read who takes
# out the card; if something fails they stay, and the next boot tries again.
set -eu
boot=$(cd "$(dirname "$0")/.." && pwd)
from=$boot/timeclock

if [ "${1:-}" = start ]; then
	# cloud-init calls early, when nothing can be installed yet: systemd calls again.
	cat >/run/systemd/system/timeclock-first-boot.service <<-END
		[Unit]
		Description=First boot of the time clock
		After=cloud-final.service local-fs.target
		RequiresMountsFor=$boot
		[Service]
		Type=oneshot
		ExecStart=/bin/sh $from/first-boot.sh
		TimeoutStartSec=15min
	END
	systemctl daemon-reload
	exec systemctl start --no-block timeclock-first-boot.service
fi

# What is said goes to the system's log, and onto the card for whoever takes it out.
exec 3>&1 >>"$boot/timeclock-first-boot.log" 2>&1
log() { echo "timeclock, first boot: $*"; echo "timeclock, first boot: $*" >&3; }
trap '[ $? = 0 ] || log "failed; the next boot tries again: see timeclock-first-boot.log on the boot partition"' EXIT

install -d /etc/timeclock
install -m 644 "$from/timeclock.toml" /etc/timeclock/timeclock.toml
install -m 600 "$from/token" /etc/timeclock/token
arch=$(dpkg --print-architecture)
package=$(ls "$from"/*_"$arch".deb 2>/dev/null || true)
[ -n "$package" ] || { log "there is no package for $arch"; exit 1; }
log "installing $(basename "$package")"
dpkg --force-confold -i "$package"
for file in "$from"/files/*; do
	[ ! -e "$file" ] || install -m 600 -o timeclock -g timeclock "$file" /etc/timeclock/
done
[ ! -d /run/systemd/system ] || systemctl restart --no-block timeclock.service

echo "Installed on $(date -u +%Y-%m-%dT%H:%M:%SZ) by timeclock flash." >"$boot/timeclock-installed.txt"
sync
for secret in "$from/token" "$from/timeclock.toml" "$from"/files/* "$boot/network-config"; do
	[ ! -e "$secret" ] || dd if=/dev/zero of="$secret" bs=1 count="$(wc -c <"$secret")" conv=notrunc,fsync
done
rm -rf "$boot/network-config" "$from"
sync
log "done"
