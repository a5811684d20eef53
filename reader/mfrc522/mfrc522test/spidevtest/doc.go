// Package spidevtest gives a program a /dev/spidev device that does not exist:
// the unmodified binary opens it and sends it the ioctls of Linux's spidev, and
// a simulated chip in the test's process answers them.
//
// It works by seccomp's user notification (Linux 5.19 or newer, amd64 and
// arm64), without a kernel module and without being root: the program is
// started under a filter that hands its openat and SPI ioctl calls to the test.
package spidevtest
