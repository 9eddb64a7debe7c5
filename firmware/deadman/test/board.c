/*
 * The sketch on simavr (https://github.com/buserror/simavr), for tests: board deadman.elf [PTY]
 *
 * Commands on standard input, one a line; each is answered by one line, "US TX NAME=LEVEL@US ..." on standard output: the time since
 * the beginning in microseconds of the board, what it has sent as hexadecimal digits ("-" for nothing), and each change of a pin.
 *
 *   run US [HEX]          runs for so many microseconds; the bytes come in one after the other, as fast as the line is
 *   door|button|key 0|1   opens or closes a contact
 *   reset                 the reset button
 *
 * With PTY the serial line is a pseudo-terminal of that name instead, the board runs by itself, never faster than real time, and lines
 * come whenever a pin changes. Ends when its standard input does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "avr_ioport.h"
#include "avr_uart.h"
#include "sim_avr.h"
#include "sim_elf.h"

#define MHZ 16
#define BYTE (MHZ * 1000000ull * 10 / 115200) /* cycles of a byte on the line */
#define PORTB 0x25
#define DDRB 0x24
#define MCUSR 0x54
#define EXTRF 0x02

static const char *const CONTACTS[] = {"door", "button", "key"}; /* on port D */
static const int CONTACT_PINS[] = {2, 3, 4};
static const char *const OUTPUTS[] = {"relay", "shutter"}; /* on port B */
static const int OUTPUT_PINS[] = {0, 1};

static avr_t *avr;
static uint64_t before; /* cycles of the lives before the last reset: simavr begins again at 0 */
static uint64_t last;
static uint8_t in[1 << 16], out[1 << 16];
static size_t waiting, given, sent;
static uint64_t line_free;
static char events[1 << 16];
static size_t told;
static int level[2];

static uint64_t now(void) {
  if (avr->cycle < last) before += last;
  last = avr->cycle;
  return before + avr->cycle;
}

static void heard(struct avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq, (void)param;
  if (sent < sizeof out) out[sent++] = (uint8_t)value;
}

static void contact(int i, int closed) {
  static uint8_t open = 0;
  int pin = CONTACT_PINS[i];
  open = (uint8_t)(closed ? open & ~(1 << pin) : open | 1 << pin);
  /* A closed contact pulls to GND, against the pull-up of the pin. */
  avr_ioport_external_t external = {.name = 'D', .mask = 0x1c, .value = open};
  avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL('D'), &external);
  avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ('D'), pin), closed ? 0 : 1);
}

/* The pins themselves: high where they are outputs and set. A pin that is no output is pulled down outside. */
static void watch(void) {
  for (int i = 0; i < 2; i++) {
    int high = (avr->data[PORTB] & avr->data[DDRB]) >> OUTPUT_PINS[i] & 1;
    if (high == level[i]) continue;
    level[i] = high;
    if (told < sizeof events - 64)
      told += (size_t)sprintf(events + told, " %s=%d@%llu", OUTPUTS[i], high, (unsigned long long)(now() / MHZ));
  }
}

static void run(uint64_t cycles) {
  uint64_t end = now() + cycles;
  while (now() < end) {
    if (given < waiting && now() >= line_free) {
      avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT), in[given++]);
      line_free = now() + BYTE;
    }
    if (given == waiting) given = waiting = 0;
    int state = avr_run(avr);
    if (state == cpu_Done || state == cpu_Crashed) {
      fprintf(stderr, "the core has stopped (%d)\n", state);
      exit(1);
    }
    watch();
  }
}

static void tell(void) {
  printf("%llu ", (unsigned long long)(now() / MHZ));
  if (sent == 0) putchar('-');
  for (size_t i = 0; i < sent; i++) printf("%02x", out[i]);
  printf("%s\n", told ? events : "");
  fflush(stdout);
  sent = told = 0;
  events[0] = 0;
}

static void take(const uint8_t *bytes, size_t n) {
  for (size_t i = 0; i < n && waiting < sizeof in; i++) in[waiting++] = bytes[i];
}

static int command(char *text) {
  char *word = strtok(text, " \n");
  char *first = strtok(NULL, " \n");
  char *second = strtok(NULL, " \n");
  if (!word) return 0;
  if (!strcmp(word, "run") && first) {
    for (; second && second[0] && second[1]; second += 2) {
      unsigned byte;
      if (sscanf(second, "%2x", &byte) != 1) return 0;
      uint8_t one = (uint8_t)byte;
      take(&one, 1);
    }
    run(strtoull(first, NULL, 10) * MHZ);
    return 1;
  }
  if (!strcmp(word, "reset")) {
    now();
    avr_reset(avr);
    avr->data[MCUSR] = EXTRF;
    now();
    watch();
    return 1;
  }
  for (int i = 0; i < 3; i++)
    if (!strcmp(word, CONTACTS[i]) && first) {
      contact(i, first[0] == '1');
      return 1;
    }
  return 0;
}

/* The line as a pseudo-terminal. Its own end stays open here, so that clients may come and go. */
static int terminal(const char *name) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (master < 0 || grantpt(master) || unlockpt(master)) return -1;
  int own = open(ptsname(master), O_RDWR | O_NOCTTY);
  struct termios raw;
  if (own < 0 || tcgetattr(own, &raw)) return -1;
  cfmakeraw(&raw);
  tcsetattr(own, TCSANOW, &raw);
  unlink(name);
  return symlink(ptsname(master), name) ? -1 : master;
}

static uint64_t wall(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000;
}

static int alone(int master) {
  char text[256];
  uint8_t bytes[256];
  uint64_t next = wall();
  for (;;) {
    struct pollfd both[] = {{0, POLLIN, 0}, {master, POLLIN, 0}};
    uint64_t present = wall();
    /* Behind real time it goes on from where it is: it never runs faster to catch up. */
    if (next < present) next = present;
    poll(both, 2, 0);
    if (both[0].revents) {
      if (!fgets(text, sizeof text, stdin)) return 0;
      command(text);
    }
    if (both[1].revents & POLLIN) {
      ssize_t n = read(master, bytes, sizeof bytes);
      if (n > 0) take(bytes, (size_t)n);
    }
    run(500 * MHZ);
    if (sent && write(master, out, sent) < 0) fprintf(stderr, "nobody reads the line\n");
    sent = 0;
    if (told) tell();
    next += 500;
    present = wall();
    if (next > present) usleep((useconds_t)(next - present));
  }
}

static void quiet(avr_t *a, const int how, const char *format, va_list args) {
  (void)a;
  if (how <= LOG_ERROR) vfprintf(stderr, format, args);
}

int main(int argc, char **argv) {
  static char text[1 << 17];
  elf_firmware_t firmware = {0};
  avr_global_logger_set(quiet);
  if (argc < 2 || elf_read_firmware(argv[1], &firmware)) return 2;
  avr = avr_make_mcu_by_name("atmega328p");
  if (!avr) return 2;
  avr_init(avr);
  avr->frequency = MHZ * 1000000;
  firmware.frequency = avr->frequency;
  avr_load_firmware(avr, &firmware);
  uint32_t flags = 0;
  avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), heard, NULL);
  for (int i = 0; i < 3; i++) contact(i, 1);
  if (argc > 2) {
    int master = terminal(argv[2]);
    if (master < 0) return 3;
    tell();
    return alone(master);
  }
  while (fgets(text, sizeof text, stdin)) {
    if (!command(text)) return 4;
    tell();
  }
  return 0;
}
