/*
 * Dead-man board: closes the shutter and opens the laser's interlock relay when the host's heartbeat stops.
 *
 * Arduino Uno (ATmega328P, 16 MHz), serial line 115200 baud 8N1. Wiring, lines and flashing: docs/deadman.md.
 * It is no certified safety device: it stands beside the laser's own interlock, never in its place.
 *
 *   An output is energised (HIGH) only while the time-out of the heartbeat is set and running. De-energised is safe: relay contact open,
 *   shutter closed by its spring. Reset, loss of power and a hanging sketch (hardware watchdog) all end there.
 *   After a trip both outputs stay off until the host sets the time-out again and then orders each output again.
 */
#include <Arduino.h>
#include <avr/wdt.h>
#include <util/crc16.h>

// ---- What may be changed, here or with -D on the compiler's command line ----------------------------------------------------------
#ifndef UNIT
#define UNIT 1 // number of this board, 1 to 99; the rig's option `unit` must say the same
#endif
#ifndef DOOR_TRIPS
#define DOOR_TRIPS 1 // 1: an open door makes the board trip by itself; 0: the door is only reported
#endif
#ifndef BUTTON_TRIPS
#define BUTTON_TRIPS 1
#endif
#ifndef KEY_TRIPS
#define KEY_TRIPS 1
#endif
static_assert(UNIT >= 1 && UNIT <= 99, "UNIT is 1 to 99");

// ---- Pins. 0 and 1 are the serial line; 13 is blinked by the bootloader and must drive nothing --------------------------------------
const uint8_t DOOR = 2, BUTTON = 3, KEY = 4; // a closed contact to GND is safe; a broken wire is open
const uint8_t RELAY = 8, SHUTTER = 9;        // HIGH energises; each needs a pull-down of 10 kOhm at its transistor

const uint16_t SHORTEST = 200, LONGEST = 10000; // ms, of the time-out
const uint8_t OPEN_FOR = 5;                     // ms that an input is open before it counts as open
const uint8_t CLOSED_FOR = 50;                  // ms that it is closed before it counts as closed
const uint8_t VERSION = 1;                      // of the lines

enum Trip : uint8_t { NONE, RESET, HEARTBEAT, BY_DOOR, BY_BUTTON, BY_KEY };
const char *const TRIPS[] = {"none", "reset", "heartbeat", "door", "button", "key"};

struct Input {
  uint8_t pin;
  bool trips;
  Trip reason;
  char letter;
  bool closed;    // as it counts; open until it has been closed for long enough
  uint8_t differs; // ms for which the pin has differed from that
};
Input inputs[] = {
    {DOOR, DOOR_TRIPS, BY_DOOR, 'D', false, 0},
    {BUTTON, BUTTON_TRIPS, BY_BUTTON, 'B', false, 0},
    {KEY, KEY_TRIPS, BY_KEY, 'K', false, 0},
};

uint16_t timeoutMs = 0; // 0: not armed
uint32_t fedAt = 0;     // millis() of the last heartbeat
Trip trip = RESET;
uint32_t tick = 0; // millis() at the last look at the inputs

// ---- The hardware watchdog is on from the first instruction, and what caused the reset is kept --------------------------------------
uint8_t resetFlags __attribute__((section(".noinit")));
void begin() __attribute__((naked, used, section(".init3")));
void begin() {
  resetFlags = MCUSR;
  MCUSR = 0;
  wdt_enable(WDTO_250MS);
}

/** The cause of the last reset; "unknown" where a bootloader has cleared the flags. */
const char *resetCause() {
  if (resetFlags & _BV(WDRF)) return "watchdog";
  if (resetFlags & _BV(PORF)) return "power";
  if (resetFlags & _BV(BORF)) return "brownout";
  if (resetFlags & _BV(EXTRF)) return "external";
  return "unknown";
}

// ---- Outputs -------------------------------------------------------------------------------------------------------------------------
void allOff() {
  digitalWrite(RELAY, LOW);
  digitalWrite(SHUTTER, LOW);
}

void tripBy(Trip why) {
  allOff();
  timeoutMs = 0;
  trip = why;
}

/** The first input that is open and must not be; NONE where all is well. */
Trip openInput() {
  for (const Input &in : inputs)
    if (in.trips && !in.closed) return in.reason;
  return NONE;
}

/** Once a millisecond: opening counts fast, closing slowly. */
void look(Input &in) {
  bool closed = digitalRead(in.pin) == LOW;
  if (closed == in.closed) {
    in.differs = 0;
    return;
  }
  if (++in.differs < (closed ? CLOSED_FOR : OPEN_FOR)) return;
  in.closed = closed;
  in.differs = 0;
}

// ---- Lines: ":17 timeout 500*CRC" is answered by "=17 timeout ok DBK -- 500 500 none 61234 power*CRC" ---------------------------------
const uint8_t ROOM = 32; // bytes of a question between ':' and the line's end
char line[ROOM + 1];
uint8_t length = 0;
bool inside = false;
uint16_t sum; // CRC of the answer so far

/** CRC-16/IBM-3740: polynomial 0x1021, begins at 0xFFFF. */
uint16_t crcOf(const char *text, uint8_t n) {
  uint16_t crc = 0xFFFF;
  while (n--) crc = _crc_xmodem_update(crc, *text++);
  return crc;
}

void say(char c) {
  sum = _crc_xmodem_update(sum, c);
  Serial.write(c);
}
void say(const char *text) {
  while (*text) say(*text++);
}
void say(uint32_t number) {
  char digits[11];
  say(ultoa(number, digits, 10));
}
/** A blank, and then the word or number. */
template <typename T> void next(T what) {
  say(' ');
  say(what);
}

void answer(uint16_t n, const char *word, const char *outcome) {
  uint32_t now = millis();
  Serial.write('=');
  sum = 0xFFFF;
  say((uint32_t)n);
  next(word);
  next(outcome);
  say(' ');
  for (const Input &in : inputs) say(in.closed ? in.letter : '-');
  say(' ');
  say(digitalRead(RELAY) ? 'R' : '-'); // the pins themselves, not what they were told
  say(digitalRead(SHUTTER) ? 'S' : '-');
  uint32_t gone = now - fedAt;
  next((uint32_t)timeoutMs);
  next(gone < timeoutMs ? timeoutMs - gone : (uint32_t)0);
  next(TRIPS[trip]);
  next(now);
  next(resetCause());
  if (!strcmp(word, "who")) { // model, version of the lines, number of the board, inputs that trip
    next("deadman");
    next((uint32_t)VERSION);
    next((uint32_t)UNIT);
    say(' ');
    for (const Input &in : inputs) say(in.trips ? in.letter : '-');
  }
  char end[7];
  uint16_t crc = sum;
  end[0] = '*';
  for (uint8_t i = 0; i < 4; i++) end[1 + i] = "0123456789ABCDEF"[(crc >> (12 - 4 * i)) & 15];
  end[5] = '\n';
  Serial.write((const uint8_t *)end, 6);
}

/** Sets the time-out: the one thing that ends a trip. 0 switches both outputs off. */
const char *setTimeout(uint32_t ms) {
  if (ms == 0) {
    allOff();
    timeoutMs = 0;
    return "ok";
  }
  if (ms < SHORTEST || ms > LONGEST) return "range";
  if (openInput() != NONE) return "input";
  timeoutMs = ms;
  fedAt = millis();
  trip = NONE;
  return "ok";
}

const char *setOutput(uint8_t pin, uint32_t on) {
  if (on > 1) return "range";
  if (on && timeoutMs == 0) return trip == NONE ? "disarmed" : "tripped";
  digitalWrite(pin, on ? HIGH : LOW);
  return "ok";
}

/** What becomes of a question; `value` is beyond all ranges where none was given. */
const char *obey(const char *word, bool given, uint32_t value) {
  bool sets = !strcmp(word, "timeout") || !strcmp(word, "relay") || !strcmp(word, "shutter");
  bool asks = !strcmp(word, "who") || !strcmp(word, "state") || !strcmp(word, "feed");
#ifdef HANG // for tests of the hardware watchdog: the sketch hangs, or its clock stands still
  if (!strcmp(word, "hang")) for (;;) {}
  if (!strcmp(word, "stop")) cli();
#endif
  if (!sets && !asks) return "unknown";
  if (given != sets) return "range";
  if (word[0] == 't') return setTimeout(value);
  if (word[0] == 'r') return setOutput(RELAY, value);
  if (sets) return setOutput(SHUTTER, value);
  if (word[0] != 'f') return "ok";
  if (timeoutMs == 0) return trip == NONE ? "disarmed" : "tripped";
  fedAt = millis();
  return "ok";
}

/** One to five digits at `text`, which goes on behind them; false where there are none, or more. */
bool number(char *&text, uint32_t &value) {
  uint8_t n = 0;
  for (value = 0; isdigit(*text); n++) value = 10 * value + (*text++ - '0');
  return n >= 1 && n <= 5;
}

/** A whole line, without its first byte and its end. What is not exactly a question is passed over in silence. */
void read() {
  if (length < 5 || line[length - 5] != '*') return;
  uint16_t crc = crcOf(line, length - 5);
  for (uint8_t i = 0; i < 4; i++)
    if (line[length - 4 + i] != "0123456789ABCDEF"[(crc >> (12 - 4 * i)) & 15]) return;
  char *at = line;
  line[length - 5] = 0;
  uint32_t n, value = 0;
  if (!number(at, n) || n > 0xFFFF || *at++ != ' ') return;
  char *word = at;
  while (islower(*at)) at++;
  if (at == word || at - word > 8) return;
  bool given = *at == ' ';
  if (given) {
    *at++ = 0;
    if (!number(at, value)) return;
  }
  if (*at != 0) return;
  const char *outcome = obey(word, given, value);
  answer(n, word, outcome);
}

/** One byte of the line. ':' begins anew wherever it comes; what is too long or no text waits for the next ':'. */
void take(char c) {
  if (c == ':') {
    inside = true;
    length = 0;
  } else if (c == '\n') {
    if (inside) read();
    inside = false;
  } else if (c != '\r') {
    if (c < 0x20 || c >= 0x7F || length == ROOM) inside = false;
    if (inside) line[length++] = c;
  }
}

void setup() {
  allOff(); // LOW before they become outputs
  pinMode(RELAY, OUTPUT);
  pinMode(SHUTTER, OUTPUT);
  for (const Input &in : inputs) pinMode(in.pin, INPUT_PULLUP);
  Serial.begin(115200);
}

void loop() {
  uint32_t now = millis();
  if (now != tick) { // also feeds the hardware watchdog, so that a clock that stands still ends in a reset
    tick = now;
    wdt_reset();
    for (Input &in : inputs) look(in);
  }
  if (timeoutMs != 0) {
    Trip open = openInput();
    if (open != NONE) tripBy(open);
    else if (now - fedAt >= timeoutMs) tripBy(HEARTBEAT);
  }
  if (Serial.available()) take(Serial.read());
}
