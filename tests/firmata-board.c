/*
 * An Arduino Uno with a firmware image on simavr (https://github.com/buserror/simavr), for tests: firmata-board IMAGE.hex
 *
 * Commands on standard input, one a line; each is answered by one line, "US TX PIN=LEVEL@US ..." on standard output: the time since the
 * beginning in microseconds of the board, what it has sent as hexadecimal digits ("-" for nothing), and each change of a pin that is an
 * output (a pin that is none counts as low).
 *
 *   run US [HEX]    runs for so many microseconds; the bytes come in one after the other, at 57600 baud
 *   pin N 0|1       the level outside of a pin
 *   analog N MV     the voltage at an analog input
 *   reset           the reset button
 *
 * Ends when its standard input does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avr_adc.h"
#include "avr_ioport.h"
#include "avr_uart.h"
#include "sim_avr.h"
#include "sim_hex.h"

#define MHZ 16
#define BYTE (MHZ * 1000000ull * 10 / 57600) /* cycles of a byte on the line */
#define PINS 20

static avr_t *avr;
static uint64_t before, last; /* cycles of the lives before the last reset: simavr begins again at 0 */
static uint8_t in[1 << 16], out[1 << 16];
static size_t waiting, given, sent;
static uint64_t line_free;
static char events[1 << 17];
static size_t told;
static int level[PINS];
static uint8_t mask[3], value[3]; /* ports B, C, D */

static int port_of(int pin) { return pin < 8 ? 2 : pin < 14 ? 0 : 1; }
static int bit_of(int pin) { return pin < 8 ? pin : pin < 14 ? pin - 8 : pin - 14; }

static uint64_t now(void) {
  if (avr->cycle < last) before += last;
  last = avr->cycle;
  return before + avr->cycle;
}

static void heard(struct avr_irq_t *irq, uint32_t byte, void *param) {
  (void)irq, (void)param;
  if (sent < sizeof out) out[sent++] = (uint8_t)byte;
}

static void outside(int pin, int high) {
  int port = port_of(pin), bit = bit_of(pin);
  char name = (char)('B' + port);
  mask[port] |= (uint8_t)(1 << bit);
  value[port] = (uint8_t)(high ? value[port] | 1 << bit : value[port] & ~(1 << bit));
  avr_ioport_external_t external = {.name = name, .mask = mask[port], .value = value[port]};
  avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL(name), &external);
  avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(name), bit), high);
}

static void watch(void) {
  for (int pin = 2; pin < PINS; pin++) {
    int base = 0x23 + 3 * port_of(pin); /* PIN, DDR, PORT */
    int high = (avr->data[base + 1] & avr->data[base + 2]) >> bit_of(pin) & 1;
    if (high == level[pin]) continue;
    level[pin] = high;
    if (told < sizeof events - 64) told += (size_t)sprintf(events + told, " %d=%d@%llu", pin, high, (unsigned long long)(now() / MHZ));
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

static int command(char *text) {
  char *word = strtok(text, " \n");
  char *first = strtok(NULL, " \n");
  char *second = strtok(NULL, " \n");
  if (!word) return 0;
  if (!strcmp(word, "run") && first) {
    for (; second && second[0] && second[1]; second += 2) {
      unsigned byte;
      if (sscanf(second, "%2x", &byte) != 1 || waiting == sizeof in) return 0;
      in[waiting++] = (uint8_t)byte;
    }
    run(strtoull(first, NULL, 10) * MHZ);
    return 1;
  }
  if (!strcmp(word, "reset")) {
    now();
    avr_reset(avr);
    now();
    watch();
    for (int pin = 2; pin < PINS; pin++)
      if (mask[port_of(pin)] >> bit_of(pin) & 1) outside(pin, value[port_of(pin)] >> bit_of(pin) & 1);
    return 1;
  }
  if (!first || !second) return 0;
  if (!strcmp(word, "pin")) outside(atoi(first), atoi(second));
  else if (!strcmp(word, "analog")) avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0 + atoi(first)), (uint32_t)atoi(second));
  else return 0;
  return 1;
}

static void quiet(avr_t *a, const int how, const char *format, va_list args) {
  (void)a;
  if (how <= LOG_ERROR) vfprintf(stderr, format, args);
}

int main(int argc, char **argv) {
  static char text[1 << 17];
  ihex_chunk_p chunks = NULL;
  avr_global_logger_set(quiet);
  int count = argc < 2 ? 0 : read_ihex_chunks(argv[1], &chunks);
  avr = avr_make_mcu_by_name("atmega328p");
  if (!avr || count < 1) return 2;
  avr_init(avr);
  avr->frequency = MHZ * 1000000;
  avr->vcc = avr->avcc = avr->aref = 5000;
  for (int i = 0; i < count; i++)
    if (chunks[i].baseaddr + chunks[i].size <= avr->flashend + 1) memcpy(avr->flash + chunks[i].baseaddr, chunks[i].data, chunks[i].size);
  avr->pc = 0;
  avr->codeend = avr->flashend;
  uint32_t flags = 0;
  avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), heard, NULL);
  while (fgets(text, sizeof text, stdin)) {
    if (!command(text)) return 4;
    tell();
  }
  return 0;
}
