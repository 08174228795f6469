import { FakeClock } from '#lib/testing/fake-clock.ts';

/** A FakeClock whose wall time can be set without time passing. */
export class JumpClock extends FakeClock {
  #offset = 0;

  override now(): number {
    return super.now() + this.#offset;
  }

  jump(ms: number): void {
    this.#offset += ms;
  }
}
