/** One reason why a pod is not (yet) as its owner wants it: what `nodelet explain pod` prints, in order. */
export interface Wait {
  /** `pod`, `sandbox`, `volume NAME`, `image NAME`, `container NAME`. */
  readonly subject: string;
  /** Upstream's word where there is one: `ImagePullBackOff`, `CrashLoopBackOff`, `FailedMount` … */
  readonly reason: string;
  /** A full sentence for a person, with the mend where one is known. */
  readonly message: string;
  /** Wall milliseconds from when the agent tries again by itself. */
  readonly until?: number;
}
