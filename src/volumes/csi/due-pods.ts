import type { Clock, Timer } from '#lib/clock.ts';

/** As upstream's kubelet looks at each pod. */
const PERIOD_MS = 60_000;

interface Pod {
  timer: Timer;
  /** How many periods are over. */
  round: number;
  /** By volume: the round that it was last renewed in, and whether it is to be renewed in the next. */
  volumes: Map<string, { round: number; again: boolean }>;
}

/** Pods whose volumes are to be renewed from time to time: a driver wants it, or a volume may have grown. */
export class DuePods {
  readonly #clock: Clock;
  readonly #onDue: (uid: string) => void;
  readonly #pods = new Map<string, Pod>();

  constructor(clock: Clock, onDue: (uid: string) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** An earlier process made the pod's volumes: whether they are to be renewed shows when they first are. */
  adopt(uid: string): void {
    this.#podOf(uid);
  }

  /** The volume was set up or renewed. */
  done(uid: string, volume: string, again: boolean): void {
    const pod = again ? this.#podOf(uid) : this.#pods.get(uid);
    pod?.volumes.set(volume, { round: pod.round, again });
  }

  isDue(uid: string, volume: string): boolean {
    const pod = this.#pods.get(uid);
    if (pod === undefined || pod.round === 0) return false;
    const { round = 0, again = true } = pod.volumes.get(volume) ?? {};
    return again && round < pod.round;
  }

  forget(uid: string): void {
    this.#pods.get(uid)?.timer.cancel();
    this.#pods.delete(uid);
  }

  stop(): void {
    for (const uid of this.#pods.keys()) this.forget(uid);
  }

  #podOf(uid: string): Pod {
    const known = this.#pods.get(uid);
    if (known !== undefined) return known;
    const pod: Pod = { round: 0, volumes: new Map(), timer: this.#timer(uid) };
    this.#pods.set(uid, pod);
    return pod;
  }

  #timer(uid: string): Timer {
    return this.#clock.after(PERIOD_MS, () => {
      const pod = this.#pods.get(uid);
      if (pod === undefined) return;
      const volumes = [...pod.volumes.values()];
      if (volumes.length > 0 && volumes.every(({ again }) => !again)) {
        this.#pods.delete(uid);
        return;
      }
      pod.round++;
      pod.timer = this.#timer(uid);
      this.#onDue(uid);
    });
  }
}
