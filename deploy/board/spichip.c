// SPDX-License-Identifier: GPL-2.0
/*
 * An SPI bus for tests whose one device is a program: what the kernel's SPI core sends to
 * the bus comes out of /dev/spichip, and what the program writes there is what the device
 * has answered. It is loaded on a board in QEMU only, and is in no package.
 *
 * A read gives one message: for each of its transfers four numbers (bytes, Hz, cs_change,
 * delay in µs) and the bytes for the device. A write gives the device's bytes of all of
 * them, one after the other. A message that is not answered within two seconds fails with
 * -EIO, as on a controller that hangs.
 */
#include <linux/completion.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/spi/spi.h>
#include <linux/uaccess.h>

static struct platform_device *board;
static struct spi_controller *bus;
static DEFINE_MUTEX(lock); /* of the two below */
static struct spi_message *message; /* on the bus; NULL: none */
static bool shown; /* to the program */
static DECLARE_WAIT_QUEUE_HEAD(begun);
static DECLARE_COMPLETION(answered);

static int run_message(struct spi_controller *c, struct spi_message *m)
{
	struct spi_transfer *t;

	mutex_lock(&lock);
	reinit_completion(&answered);
	message = m;
	shown = false;
	mutex_unlock(&lock);
	wake_up(&begun);
	m->status = wait_for_completion_timeout(&answered, 2 * HZ) ? 0 : -EIO;
	mutex_lock(&lock);
	message = NULL;
	mutex_unlock(&lock);
	list_for_each_entry(t, &m->transfers, transfer_list)
		m->actual_length += m->status ? 0 : t->len;
	spi_finalize_current_message(c);
	return 0;
}

static ssize_t show(char __user *to, size_t room)
{
	struct spi_transfer *t;
	size_t n = 0;

	list_for_each_entry(t, &message->transfers, transfer_list) {
		u32 head[4] = { t->len, t->speed_hz, t->cs_change, t->delay.unit == SPI_DELAY_UNIT_USECS ? t->delay.value : 0 };

		if (n + sizeof(head) + t->len > room)
			return -EMSGSIZE;
		if (copy_to_user(to + n, head, sizeof(head)))
			return -EFAULT;
		n += sizeof(head);
		if (t->tx_buf ? copy_to_user(to + n, t->tx_buf, t->len) : clear_user(to + n, t->len))
			return -EFAULT;
		n += t->len;
	}
	shown = true;
	return n;
}

static ssize_t chip_read(struct file *f, char __user *to, size_t room, loff_t *at)
{
	ssize_t n = -EAGAIN;

	if (wait_event_interruptible(begun, READ_ONCE(message) && !READ_ONCE(shown)))
		return -ERESTARTSYS;
	mutex_lock(&lock);
	if (message && !shown)
		n = show(to, room);
	mutex_unlock(&lock);
	return n;
}

static ssize_t take(const char __user *from, size_t size)
{
	struct spi_transfer *t;
	size_t n = 0;

	list_for_each_entry(t, &message->transfers, transfer_list) {
		if (n + t->len > size || (t->rx_buf && copy_from_user(t->rx_buf, from + n, t->len)))
			return -EFAULT;
		n += t->len;
	}
	message = NULL;
	complete(&answered);
	return size;
}

static ssize_t chip_write(struct file *f, const char __user *from, size_t size, loff_t *at)
{
	ssize_t n = -EAGAIN; /* nobody waits for it any more */

	mutex_lock(&lock);
	if (message && shown)
		n = take(from, size);
	mutex_unlock(&lock);
	return n;
}

static const struct file_operations files = { .owner = THIS_MODULE, .read = chip_read, .write = chip_write };
static struct miscdevice node = { .minor = MISC_DYNAMIC_MINOR, .name = "spichip", .fops = &files };

static int __init spichip_init(void)
{
	/* "bk4" is a name that the kernel's spidev takes (drivers/spi/spidev.c). */
	struct spi_board_info chip = { .modalias = "bk4", .max_speed_hz = 10000000 };
	int err;

	board = platform_device_register_simple("spichip", -1, NULL, 0);
	if (IS_ERR(board))
		return PTR_ERR(board);
	bus = spi_alloc_host(&board->dev, 0);
	if (!bus) {
		platform_device_unregister(board);
		return -ENOMEM;
	}
	bus->bus_num = 0;
	bus->num_chipselect = 1;
	bus->mode_bits = SPI_CPOL | SPI_CPHA | SPI_CS_HIGH;
	bus->transfer_one_message = run_message;
	err = misc_register(&node);
	if (!err)
		err = spi_register_controller(bus);
	if (!err && !spi_new_device(bus, &chip))
		err = -ENODEV;
	return err;
}
module_init(spichip_init);
MODULE_DESCRIPTION("SPI bus whose device is a program, for tests");
MODULE_LICENSE("GPL");
