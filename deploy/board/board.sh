#!/usr/bin/env bash
# Makes what a board in QEMU needs: Debian 13's kernel for arm64 (the base of today's
# Raspberry Pi OS), a device tree with a real SPI bus (spi-gpio) and a spidev on it, I2C,
# GPIO and RTC, and spichip.ko, a bus whose device is a program. It is kept:
#
#   deploy/board/board.sh DIR
#
# Needs root (for a Debian 13 to build the module in), mmdebstrap, dtc and
# qemu-system-aarch64, and the network the first time: two minutes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$dir"

# Packages of another release and processor, without touching this system's lists.
mkdir -p lists/partial
for suite in "debian trixie" "debian-security trixie-security"; do
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/$suite main"
done >sources.list
apt=(-o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$dir/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
	-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root)
fetch() { # PACKAGE... into a directory
	(cd "$1" && shift && apt-get "${apt[@]}" download "$@" >/dev/null && for deb in *.deb; do dpkg-deb -x "$deb" . && rm "$deb"; done)
}

if [ ! -e kernel.done ]; then
	rm -rf kernel && mkdir kernel
	apt-get "${apt[@]}" update -q >/dev/null
	image=$(apt-cache "${apt[@]}" show linux-image-arm64 | sed -nE 's/^Depends: (linux-image-[^ ,]+).*/\1/p' | head -1)
	fetch kernel "$image" busybox-static
	touch kernel.done
fi
version=$(basename kernel/usr/lib/modules/*)

# The PL061 of -M virt has 8 lines; QEMU has the power button on one (3).
machine=(-M "virt,gic-version=2,dumpdtb=plain.dtb" -cpu cortex-a53 -m 1024 -smp 2)
qemu-system-aarch64 "${machine[@]}" -nic none 2>qemu.log || { cat qemu.log >&2; exit 1; } # a card would want its ROM
dtc -q -I dtb -O dts plain.dtb >plain.dts
gpio=$(awk '/pl061@/{f=1} f && /phandle/{gsub(/[<>;]/, ""); print $3; exit}' plain.dts)
awk '/pl061@/{print; print "\t\tgpio-line-names = \"SPI_SCLK\", \"SPI_MOSI\", \"SPI_MISO\", \"POWER\", \"SPI_CE0_N\", \"SDA1\", \"SCL1\", \"GPIO17\";"; next} {print}' plain.dts | sed '$d' >board.dts
cat >>board.dts <<END
	spi-gpio {
		compatible = "spi-gpio";
		#address-cells = <1>;
		#size-cells = <0>;
		sck-gpios = <$gpio 0 0>;
		mosi-gpios = <$gpio 1 0>;
		miso-gpios = <$gpio 2 0>;
		cs-gpios = <$gpio 4 1>;
		num-chipselects = <1>;
		spidev@0 {
			compatible = "lwn,bk4";
			reg = <0>;
			spi-max-frequency = <10000000>;
		};
	};
	i2c-gpio {
		compatible = "i2c-gpio";
		#address-cells = <1>;
		#size-cells = <0>;
		sda-gpios = <$gpio 5 6>;
		scl-gpios = <$gpio 6 6>;
	};
};
END
dtc -q -I dts -O dtb board.dts >board.dtb

if [ ! -e spichip.ko ] || [ "$here/spichip.c" -nt spichip.ko ]; then
	if [ ! -e toolchain.done ]; then
		rm -rf toolchain
		common=${version%-arm64}
		mmdebstrap --quiet --variant=minbase --include="gcc-aarch64-linux-gnu,make,kmod,bc,xz-utils,linux-kbuild-$common,linux-headers-$common-common" trixie toolchain
		fetch toolchain "linux-headers-$version"
		touch toolchain.done
	fi
	mkdir -p toolchain/build
	cp "$here/spichip.c" toolchain/build/
	echo "obj-m := spichip.o" >toolchain/build/Makefile
	chroot toolchain make -s -C "/usr/src/linux-headers-$version" M=/build ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- modules
	cp toolchain/build/spichip.ko .
fi
