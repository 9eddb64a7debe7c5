/**
 * The registers of the waveform digitizer behind SiTCP. No such board has a public register map: this one is ours, for the driver and its
 * simulator, and another board's is one small file like this one. Registers are big-endian, as SiTCP sends them; what is not here, but for
 * SiTCP's own, is a bus error.
 */

export interface DigitizerRegister {
  readonly address: number;
  /** Of one value. */
  readonly bytes: 1 | 2 | 4 | 8;
  /** So many values in a row; 1 where absent. */
  readonly count?: number;
  readonly writable: boolean;
  /** Of one value; of those that are read only, the largest there can be. */
  readonly most: number;
  /** What a board has at power-up. */
  readonly first: number;
}

/** Identity: "WD", then major and minor. */
export const DIGITIZER_VERSION = 0x57440100;

export const DIGITIZER_REGISTERS = {
  version: { address: 0x0000, bytes: 4, writable: false, most: 0xffffffff, first: DIGITIZER_VERSION },
  /** Bits of DIGITIZER_STATUS. */
  status: { address: 0x0010, bytes: 1, writable: false, most: 0xff, first: 0x02 },
  /** Frames since the run began, and triggers since then for which there was no room; both modulo 2^32. */
  frames: { address: 0x0014, bytes: 4, writable: false, most: 0xffffffff, first: 0 },
  lost: { address: 0x0018, bytes: 4, writable: false, most: 0xffffffff, first: 0 },
  /** 1: it runs. From 0 to 1 both counters above begin again, and the frames' own number; their time goes on from power-up. */
  run: { address: 0x0020, bytes: 1, writable: true, most: 1, first: 0 },
  /** 1: a pulse on all channels at once, so often (1/s) and so high (ADC counts). */
  testPulse: { address: 0x0021, bytes: 1, writable: true, most: 1, first: 0 },
  testRate: { address: 0x0022, bytes: 2, writable: true, most: 1000, first: 10 },
  testHeight: { address: 0x0024, bytes: 2, writable: true, most: 4095, first: 400 },
  /** 250 MS/s over this number. */
  divider: { address: 0x0026, bytes: 2, writable: true, most: 256, first: 1 },
  /** Samples before the trigger. */
  preTrigger: { address: 0x0028, bytes: 2, writable: true, most: 255, first: 25 },
  /** ADC counts above (or below) the baseline at which a channel triggers; 0: it never does. One of each channel. */
  threshold: { address: 0x0100, bytes: 2, count: 64, writable: true, most: 4095, first: 20 },
} as const satisfies Readonly<Record<string, DigitizerRegister>>;

/** 250 MS/s: the divider's clock, and the ticks of the frames' time. */
export const DIGITIZER_CLOCK = 250e6;

export const DIGITIZER_STATUS = {
  running: 0x01,
  /** The sampling clock is there. */
  locked: 0x02,
  /** Triggers were lost since the run began. */
  overflow: 0x04,
} as const;
