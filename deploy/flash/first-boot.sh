#!/bin/sh
# What `timeclock flash` has left for the first boot. It needs no network. Settings,
# token and Wi-Fi password leave the boot partition, which anybody can read who takes
# out the card; if something fails they stay, and the next boot tries again.
#
# cloud-init and rpi-preseed do some of this too, once. A first boot that was cut off may
# have lost what they did, so it is done here until it is done.
set -eu
boot=$(cd "$(dirname "$0")/.." && pwd)
from=$boot/timeclock
unit=timeclock-first-boot.service

if [ "${1:-}" = start ]; then
	# Called early, when nothing can be installed yet, by cloud-init in each boot and by
	# rpi-preseed in the first: systemd calls again, and in the next boot if this one is cut
	# off. It waits for those who read the files that it wipes, and make users; no longer.
	cat >/etc/systemd/system/$unit <<-END
		[Unit]
		Description=First boot of the time clock
		ConditionPathExists=$from/first-boot.sh
		RequiresMountsFor=$boot
		After=local-fs.target
		After=cloud-init-local.service cloud-init-network.service cloud-init.service
		After=rpi-preseed.service rpi-preseed-runcmd-early.service
		[Service]
		Type=oneshot
		ExecStart=/bin/sh $from/first-boot.sh
		TimeoutStartSec=15min
		[Install]
		WantedBy=multi-user.target
	END
	mkdir -p /etc/systemd/system/multi-user.target.wants
	ln -sf ../$unit /etc/systemd/system/multi-user.target.wants/$unit
	# It asks for a user's name at the console, and all else waits
	# (userconf-pi: debian/userconf-pi.userconfig.service).
	ln -sf /dev/null /etc/systemd/system/userconfig.service
	sync /etc/systemd/system/$unit /etc/systemd/system /etc/systemd/system/multi-user.target.wants
	systemctl daemon-reload
	exec systemctl start --no-block $unit
fi

# What is said goes to the system's log, and onto the card for whoever takes it out. A card
# that takes none makes a clock all the same.
exec 3>&1
if (: >>"$boot/timeclock-first-boot.log") 2>/dev/null; then
	exec >>"$boot/timeclock-first-boot.log" 2>&1
fi
log() { echo "timeclock, first boot: $*"; echo "timeclock, first boot: $*" >&3; }
trap '[ $? = 0 ] || log "failed; the next boot tries again: see timeclock-first-boot.log on the boot partition"' EXIT

# clean wipes what has secrets, and goes. It may be cut off and called again: by then nobody
# reads what it wipes, and this file goes last.
clean() {
	for secret in "$from/token" "$from/timeclock.toml" "$from"/files/* "$boot/network-config" "$boot/rpi-preseed.toml"; do
		[ ! -e "$secret" ] || dd if=/dev/zero of="$secret" bs=1 count="$(wc -c <"$secret")" conv=notrunc,fsync
	done
	rm -rf "$boot/network-config" "$boot/rpi-preseed.toml" "$from"/[!f]* "$from/files"
	sync
	rm -f /etc/systemd/system/$unit /etc/systemd/system/multi-user.target.wants/$unit
	rm -rf "$from"
	sync
	log "done"
	exit 0
}
[ ! -e "$boot/timeclock-installed.txt" ] || clean # this far it had come before

name= zone= user=
. "$from/device"
# One card for many boards: they are known by their serial numbers.
serial=$(tr -d '\0' </proc/device-tree/serial-number 2>/dev/null || cut -c 1-16 /etc/machine-id)
name=$(echo "$name" | sed "s/SERIAL/$(echo "$serial" | tail -c 9)/")
if [ -e "$from/names" ]; then
	while read -r end known; do
		case $serial in *"$end") name=$known ;; esac
	done <"$from/names"
fi
log "name $name, user $user"
echo "$name" >/etc/hostname
hostname "$name" || true # not in a container
[ ! -d /run/systemd/system ] || systemctl try-restart --no-block avahi-daemon.service || true # NAME.local
if grep -q '^preserve_hostname: true' "$boot/user-data" && [ -e /etc/hosts ]; then # else cloud-init does it
	sed -i "/^127\.0\.1\.1[[:space:]]/d" /etc/hosts
	echo "127.0.1.1 $name" >>/etc/hosts
fi
if [ -e "/usr/share/zoneinfo/$zone" ] && [ -n "$zone" ]; then
	ln -sf "/usr/share/zoneinfo/$zone" /etc/localtime
	echo "$zone" >/etc/timezone
fi

# The user has all groups that Raspberry Pi OS gives its first one (pi-gen:
# stage2/01-sys-tweaks/01-run.sh), no password, and sudo without one.
make_user() {
	id "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$user"
	[ "$(id -u "$user")" -ge 1000 ] || return 1 # one of the system's gets no rights
	for group in adm dialout cdrom audio users sudo video games plugdev input gpio spi i2c netdev render; do
		! getent group $group >/dev/null || usermod -aG $group "$user"
	done
	install -d -m 755 /etc/sudoers.d
	echo "$user ALL=(ALL) NOPASSWD:ALL" >"/etc/sudoers.d/010_$user-nopasswd"
	chmod 440 "/etc/sudoers.d/010_$user-nopasswd"
	[ -e "$from/authorized_keys" ] || return 0
	home=$(getent passwd "$user" | cut -d: -f6)
	keys=$home/.ssh/authorized_keys
	install -d -m 700 -o "$user" -g "$(id -g "$user")" "$home/.ssh"
	[ -e "$keys" ] || install -m 600 -o "$user" -g "$(id -g "$user")" /dev/null "$keys"
	grep -qxF -f "$from/authorized_keys" "$keys" || cat "$from/authorized_keys" >>"$keys"
	[ -d /run/systemd/system ] || return 0
	ssh-keygen -A && systemctl enable --now --no-block ssh
}
make_user || log "user $user could not be made: the clock goes on without"

# Wi-Fi: cloud-init takes network-config in a first boot only; rpi-preseed tries again by
# itself.
if grep -qs '^ *wifis:' "$boot/network-config" && command -v netplan >/dev/null; then
	install -m 600 "$boot/network-config" /etc/netplan/60-timeclock.yaml
	[ -s /etc/netplan/50-cloud-init.yaml ] || netplan apply || true
	! command -v rfkill >/dev/null || rfkill unblock wifi || true
fi

install -d /etc/timeclock
install -m 644 "$from/timeclock.toml" /etc/timeclock/timeclock.toml
install -m 600 "$from/token" /etc/timeclock/token
arch=$(dpkg --print-architecture)
package=$(ls "$from"/*_"$arch".deb 2>/dev/null || true)
[ -n "$package" ] || { log "there is no package for $arch"; exit 1; }
log "installing $(basename "$package")"
# The package need not wait until the clock runs. Where dpkg was cut off it goes on from
# whatever state that left; and somebody else may be installing.
tries=0
until TIMECLOCK_UPDATE=first-boot dpkg --force-confold -i "$package"; do
	tries=$((tries + 1))
	[ $tries -lt 8 ] || exit 1
	sleep 15
	dpkg --configure -a || true
done
for file in "$from"/files/*; do
	[ ! -e "$file" ] || install -m 600 -o timeclock -g timeclock "$file" /etc/timeclock/
done
[ ! -d /run/systemd/system ] || systemctl restart --no-block timeclock.service

# Who reads rpi-preseed.toml must have done so, well or badly, before it goes.
state=/var/lib/rpi-preseed
if command -v rpi-preseed >/dev/null && [ -e "$boot/rpi-preseed.toml" ] && [ ! -e $state/applied ] && [ ! -e $state/apply-failed ]; then
	log "rpi-preseed has not applied its file yet"
	exit 1
fi
sync
echo "Installed on $(date -u +%Y-%m-%dT%H:%M:%SZ) by timeclock flash." >"$boot/timeclock-installed.txt"
sync
clean
